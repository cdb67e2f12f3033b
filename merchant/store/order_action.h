/*
 * What a store does to an order that exists: void and cancel. Each runs inside an operation, so
 * that the state it was decided on is the state it changes.
 */
#ifndef SETPAY_MERCHANT_STORE_ORDER_ACTION_H
#define SETPAY_MERCHANT_STORE_ORDER_ACTION_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"
#include "merchant/store/order_json.h"
#include "merchant/store/order_request.h"
#include "merchant/store/payment_port.h"

#include <stdbool.h>

enum setpay_order_action { SETPAY_ORDER_VOID, SETPAY_ORDER_CANCEL, SETPAY_ORDER_END_AGREEMENT };

/* "void", "cancel" */
const char *setpay_order_action_name(enum setpay_order_action action);

/* What came of it. */
struct setpay_order_result {
    struct setpay_order_view view; /* after it, or as it was found where that forbids it */
    bool under_way;     /* the gateway is asked; view.order.xid says for which purchase */
    int64_t first_step; /* that were asked for by it, by number; 0: none */
    int64_t last_step;
    struct setpay_json_fault fault; /* of what was asked for by line */
};

/* Whether the gateway is still asked for what the order's purchase waits for: of these steps where
 * last_step is not 0, otherwise for the purchase as a whole. */
bool setpay_order_is_under_way(const struct setpay_order_view *view, const struct setpay_id *xid,
                               int64_t last_step);
/* The first of these steps that the gateway has refused; NULL where it has refused none. */
const struct setpay_step_view *setpay_order_refused_step(const struct setpay_order_view *view,
                                                         int64_t first_step, int64_t last_step);

/*
 * *result must be empty; clear result->view in any case. SETPAY_E_NOT_FOUND; SETPAY_E_STATE with
 * the view: nothing was changed. gateway_allowed false: SETPAY_E_DRAINING where the gateway would
 * have to be asked (the daemon is stopped), nothing was changed.
 */
enum setpay_error setpay_order_act(struct setpay_db *db, const struct setpay_payment_port *port,
                                   enum setpay_order_action action, const char *order_id,
                                   bool gateway_allowed, setpay_time_ms now_ms,
                                   struct setpay_order_result *result) SETPAY_MUST_CHECK;
/* Inside an operation: all that was held is asked to be given up, and the order is over with that.
 * What of it was not sent goes back on the shelf where a part was. */
enum setpay_error setpay_order_end_voided(struct setpay_db *db,
                                          const struct setpay_payment_port *port,
                                          const struct setpay_order_view *view,
                                          setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* The words for SETPAY_E_STATE: what was found, and what the action is for. */
void setpay_order_act_explain(enum setpay_order_action action, const struct setpay_order_view *view,
                              char *words, size_t size);

#endif
