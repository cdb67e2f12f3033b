/*
 * Captures of several orders that are asked for together, each of what its order has, or of a part:
 * what is asked for in one operation goes to the gateway in one signed request, as far as it may
 * (merchant/payment/together.h). One that can't be captured keeps none of the others from it.
 */
#ifndef SETPAY_MERCHANT_STORE_ORDER_CAPTURES_H
#define SETPAY_MERCHANT_STORE_ORDER_CAPTURES_H

#include "common/base/limits.h"
#include "merchant/store/order_step.h"

#include <jansson.h>

/* So many may be one request to the gateway. */
#define SETPAY_CAPTURES_AT_ONCE SETPAY_LIMIT_STEPS

struct setpay_captures_item {
    char order_id[SETPAY_ORDER_ID_SIZE];
    struct setpay_step_request step;
    struct setpay_id xid;
    int64_t first_step, last_step; /* that were asked for; 0: none */
    enum setpay_error error;       /* by which it was not */
};

struct setpay_captures {
    struct setpay_captures_item list[SETPAY_CAPTURES_AT_ONCE];
    size_t count;
};

/* Reads {"captures":[{"order_id","amount"?,"currency"?}]}, each order once, into *captures (zeroed
 * before). SETPAY_E_INVALID with the fault; SETPAY_E_NOMEM. */
enum setpay_error setpay_captures_parse(const json_t *body, struct setpay_captures *captures,
                                        struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
/* Inside an operation: asks for each of them. What is refused has asked for nothing, and has its
 * error in the item; an error of our own (also SETPAY_E_DRAINING, where gateway_allowed is false)
 * is returned, and has to undo the operation. */
enum setpay_error setpay_captures_ask(struct setpay_db *db, const struct setpay_payment_port *port,
                                      struct setpay_captures *captures, bool gateway_allowed,
                                      setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* The order of an item as it is now, and what of it could be captured: for the words of a refusal,
 * or for what came of it. *result must be empty; clear result->view in any case. No order of that
 * name is no error: the view is empty then. */
enum setpay_error setpay_captures_look(struct setpay_db *db, const struct setpay_payment_port *port,
                                       const struct setpay_captures_item *item,
                                       setpay_time_ms now_ms, struct setpay_order_result *result,
                                       int64_t *left_minor) SETPAY_MUST_CHECK;

#endif
