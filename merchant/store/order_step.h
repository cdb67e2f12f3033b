/*
 * What a store does with the money of an order: capture, refund, undo. Each runs inside an
 * operation, so that the sums it was decided on are those it changes, and two clients never ask
 * together for more than there is.
 */
#ifndef SETPAY_MERCHANT_STORE_ORDER_STEP_H
#define SETPAY_MERCHANT_STORE_ORDER_STEP_H

#include "merchant/store/order_action.h"
#include "merchant/store/order_request.h"

enum setpay_order_step_action {
    SETPAY_ORDER_CAPTURE,   /* of what is held */
    SETPAY_ORDER_REFUND,    /* of one capture, or of all, the oldest first */
    SETPAY_ORDER_UNDO,      /* of a capture or refund as a whole, while its batch is open */
    SETPAY_ORDER_AUTHORISE, /* another payment of what the shopper has agreed to */
    SETPAY_ORDER_GIVE_UP,   /* of what is held, a part or all: a void with an amount */
    SETPAY_ORDER_SHIP,      /* lines of it, which captures what they cost of an on_shipment order */
};

/* Where nothing at the gateway is asked for, result->last_step is 0: a shipment of an order that is
 * captured otherwise. Errors of lines have their fault in result.
 *
 * *result must be empty; clear result->view in any case. Nothing is changed where it fails:
 * SETPAY_E_NOT_FOUND (no such order), SETPAY_E_DUPLICATE (no such capture or refund),
 * SETPAY_E_STATE, SETPAY_E_AMOUNT_LIMIT, SETPAY_E_MONEY_CURRENCY, SETPAY_E_HOLD_OVER,
 * SETPAY_E_TOO_SOON, SETPAY_E_TOO_BIG, SETPAY_E_INVALID (no such line), all but the first with the
 * view and *left_minor, what there would have been; SETPAY_E_DRAINING where gateway_allowed is
 * false (the daemon is stopped).
 */
enum setpay_error setpay_order_step(struct setpay_db *db, const struct setpay_payment_port *port,
                                    enum setpay_order_step_action action, const char *order_id,
                                    const struct setpay_step_request *request, bool gateway_allowed,
                                    setpay_time_ms now_ms, struct setpay_order_result *result,
                                    int64_t *left_minor) SETPAY_MUST_CHECK;

/* Whether such an error is one for who asked, with nothing changed; otherwise something failed
 * here, or steps were asked for that have to be undone. */
bool setpay_order_step_is_refused(enum setpay_error error,
                                  const struct setpay_order_result *result);
/* The words for these errors: what was found, what is expected. */
void setpay_order_step_explain(enum setpay_order_step_action action,
                               const struct setpay_step_request *request, enum setpay_error error,
                               const struct setpay_order_view *view, int64_t left_minor,
                               char *words, size_t size);
/* The words for a step that the gateway has refused. */
void setpay_order_refused_explain(const struct setpay_order_view *view,
                                  const struct setpay_step_view *step, char *words, size_t size);

#endif
