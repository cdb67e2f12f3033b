/*
 * Capture, refund, undo.
 *
 * A refund is a credit, also of a capture whose batch is still open: undoing that capture would
 * give the money back to the hold and not to the shopper, would be of the whole only, and both
 * reach the issuer with the same batch. Who wants the hold back says undo.
 */
#include "merchant/store/order_step.h"

#include "common/base/money.h"

#include <stdio.h>
#include <string.h>

#define NO_SUCH_STEP SETPAY_E_DUPLICATE

struct doing {
    struct setpay_db *db;
    const struct setpay_payment_port *port;
    const struct setpay_step_request *request;
    setpay_time_ms now_ms;
    struct setpay_order_result *result;
    const struct setpay_payment_view *payment; /* that stands */
    int64_t left_minor;
};

static enum setpay_error ask(struct doing *doing, enum setpay_merchant_step_kind kind,
                             const struct setpay_id *of, int64_t minor)
{
    struct setpay_order_result *result = doing->result;
    const struct setpay_step_wish wish = {
        .xid = doing->payment->xid,
        .kind = kind,
        .of = of,
        .amount_minor = minor,
        .first = &result->first_step,
    };
    SETPAY_TRY(doing->port->step(doing->db, &wish, doing->now_ms, &result->last_step));
    if (result->first_step == 0)
        result->first_step = result->last_step;
    return SETPAY_OK;
}

static enum setpay_error capture(struct doing *doing)
{
    SETPAY_TRY(doing->port->capturable(doing->db, &doing->payment->xid, &doing->left_minor));
    if (doing->left_minor == 0)
        return SETPAY_E_STATE;
    return ask(doing, SETPAY_MERCHANT_STEP_CAPTURE, NULL,
               doing->request->has_amount ? doing->request->amount_minor : doing->left_minor);
}

/* ------------------------------------------------------------------ refunds */

/* A capture of the standing payment that the refund may be of. */
static bool is_source(const struct doing *doing, const struct setpay_order_step *step)
{
    const struct setpay_step_request *request = doing->request;
    return step->step.kind == SETPAY_MERCHANT_STEP_CAPTURE &&
           setpay_id_equal(&step->xid, &doing->payment->xid) &&
           (!request->has_of || setpay_id_equal(&step->step.id, &request->of));
}

static enum setpay_error refund(struct doing *doing)
{
    const struct setpay_order_view *view = &doing->result->view;
    const struct setpay_step_request *request = doing->request;
    bool found = false;
    for (size_t i = 0; i < view->step_count; i++) {
        if (is_source(doing, &view->steps[i])) {
            found = true;
            doing->left_minor += view->steps[i].step.creditable_minor;
        }
    }
    if (request->has_of && !found)
        return NO_SUCH_STEP;
    if (doing->left_minor == 0)
        return SETPAY_E_STATE;
    int64_t minor = request->has_amount ? request->amount_minor : doing->left_minor;
    if (minor > doing->left_minor)
        return SETPAY_E_AMOUNT_LIMIT; /* rule G8 */
    for (size_t i = 0; i < view->step_count && minor > 0; i++) {
        const struct setpay_step_view *step = &view->steps[i].step;
        int64_t part = step->creditable_minor < minor ? step->creditable_minor : minor;
        if (!is_source(doing, &view->steps[i]) || part == 0)
            continue;
        SETPAY_TRY(ask(doing, SETPAY_MERCHANT_STEP_CREDIT, &step->id, part));
        minor -= part;
    }
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ undoing */

static enum setpay_error undo(struct doing *doing)
{
    const struct setpay_order_view *view = &doing->result->view;
    for (size_t i = 0; i < view->step_count; i++) {
        const struct setpay_step_view *step = &view->steps[i].step;
        if (!setpay_id_equal(&step->id, &doing->request->of) ||
            !setpay_id_equal(&view->steps[i].xid, &doing->payment->xid))
            continue;
        if (step->kind == SETPAY_MERCHANT_STEP_CAPTURE)
            return ask(doing, SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL, &step->id, step->amount.minor);
        if (step->kind == SETPAY_MERCHANT_STEP_CREDIT)
            return ask(doing, SETPAY_MERCHANT_STEP_CREDIT_REVERSAL, &step->id, step->amount.minor);
    }
    return NO_SUCH_STEP;
}

/* The next of the schedule, or of the whole what is not taken yet; captured at once where the order
 * is, and where the payments come by themselves otherwise. */
static enum setpay_error authorise(struct doing *doing)
{
    struct setpay_order_result *result = doing->result;
    const struct setpay_order_view *view = &result->view;
    const struct setpay_order *order = &view->order;
    bool splits = order->agreed.terms.kind == SETPAY_TERMS_SPLIT;
    if (!view->has_agreement)
        return SETPAY_E_STATE;
    doing->left_minor =
        splits ? order->amount.minor - view->agreement.taken_minor : view->agreement.next_minor;
    int64_t minor = doing->request->has_amount ? doing->request->amount_minor : doing->left_minor;
    SETPAY_TRY(doing->port->authorise(doing->db, &doing->payment->xid, minor,
                                      !splits || order->capture == SETPAY_CAPTURE_IMMEDIATE,
                                      doing->now_ms, &result->last_step));
    result->first_step = result->last_step;
    return SETPAY_OK;
}

static enum setpay_error act(struct doing *doing, enum setpay_order_step_action action)
{
    const struct setpay_order_view *view = &doing->result->view;
    const char *currency = doing->request->currency;
    if (doing->payment == NULL)
        return SETPAY_E_STATE;
    if (currency[0] != '\0' && strcmp(currency, view->order.amount.currency) != 0)
        return SETPAY_E_MONEY_CURRENCY;
    switch (action) {
    case SETPAY_ORDER_CAPTURE:
        return capture(doing);
    case SETPAY_ORDER_REFUND:
        return refund(doing);
    case SETPAY_ORDER_AUTHORISE:
        return authorise(doing);
    default:
        return undo(doing);
    }
}

enum setpay_error setpay_order_step(struct setpay_db *db, const struct setpay_payment_port *port,
                                    enum setpay_order_step_action action, const char *order_id,
                                    const struct setpay_step_request *request, bool gateway_allowed,
                                    setpay_time_ms now_ms, struct setpay_order_result *result,
                                    int64_t *left_minor)
{
    struct setpay_order_view *view = &result->view;
    struct setpay_id xid;
    SETPAY_TRY(setpay_order_view_find(db, port, order_id, now_ms, view));
    struct doing doing = {
        .db = db,
        .port = port,
        .request = request,
        .now_ms = now_ms,
        .result = result,
        .payment = setpay_order_standing(view->payments, view->payment_count),
    };
    enum setpay_error error = act(&doing, action);
    *left_minor = doing.left_minor;
    SETPAY_TRY(error);
    if (!gateway_allowed)
        return SETPAY_E_DRAINING; /* what was written goes with the operation */
    xid = doing.payment->xid;
    setpay_order_view_clear(view);
    SETPAY_TRY(setpay_order_view_find(db, port, order_id, now_ms, view));
    result->under_way = setpay_order_is_under_way(view, &xid, result->last_step);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ words */

static const char *expected_of(enum setpay_order_step_action action)
{
    switch (action) {
    case SETPAY_ORDER_CAPTURE:
        return "one of which something is held";
    case SETPAY_ORDER_REFUND:
        return "one of which something is captured and not refunded yet";
    case SETPAY_ORDER_AUTHORISE:
        return "one with an agreement that goes on, and of which no payment is being asked for";
    default:
        return "a capture or refund that is done, that nothing was given back of, and that is not"
               " undone yet";
    }
}

void setpay_order_step_explain(enum setpay_order_step_action action,
                               const struct setpay_step_request *request, enum setpay_error error,
                               const struct setpay_order_view *view, int64_t left_minor,
                               char *words, size_t size)
{
    const char *order_id = view->order.order_id;
    const char *currency = view->order.amount.currency;
    struct setpay_money money = view->order.amount;
    char found[SETPAY_MONEY_TEXT_SIZE], left[SETPAY_MONEY_TEXT_SIZE];
    char text[SETPAY_ID_TEXT_SIZE];
    switch (error) {
    case SETPAY_E_AMOUNT_LIMIT:
        money.minor = request->has_amount ? request->amount_minor : left_minor;
        (void)setpay_money_format(&money, found);
        money.minor = left_minor;
        (void)snprintf(words, size,
                       "amount: found %s; of the order %s no more than %s is left to %s", found,
                       order_id, setpay_money_format(&money, left),
                       action == SETPAY_ORDER_CAPTURE     ? "be captured"
                       : action == SETPAY_ORDER_AUTHORISE ? "be authorised in one payment"
                                                          : "be refunded");
        return;
    case SETPAY_E_TOO_SOON:
        (void)snprintf(
            words, size, "the next payment of the order %s is not due before %s", order_id,
            view->agreement.next_ms == 0 ? "a while"
                                         : setpay_time_format(view->agreement.next_ms, text));
        return;
    case SETPAY_E_MONEY_CURRENCY:
        (void)snprintf(words, size, "currency: found %s; the order %s is in %s", request->currency,
                       order_id, currency);
        return;
    case SETPAY_E_HOLD_OVER:
        (void)snprintf(words, size,
                       "the hold of the order %s has ended: nothing can be captured any more",
                       order_id);
        return;
    case SETPAY_E_TOO_BIG:
        (void)snprintf(words, size, "the order %s has as many captures and refunds as there may be",
                       order_id);
        return;
    case NO_SUCH_STEP:
        (void)snprintf(words, size, "the order %s has no %s %s", order_id,
                       action == SETPAY_ORDER_REFUND ? "capture" : "capture or refund",
                       setpay_id_format(&request->of, text));
        return;
    default:
        (void)snprintf(words, size, "the order %s is %s; expected %s", order_id,
                       setpay_order_status_name(view->status), expected_of(action));
    }
}

void setpay_order_refused_explain(const struct setpay_order_view *view,
                                  const struct setpay_step_view *step, char *words, size_t size)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    if (step->declined) {
        (void)snprintf(words, size, "the issuer has declined %s (action %s): the order %s is %s",
                       setpay_money_format(&step->amount, text), step->action_code,
                       view->order.order_id, setpay_order_status_name(view->status));
        return;
    }
    (void)snprintf(
        words, size, "the gateway has refused the %s of %s (code %u): the order %s is %s",
        setpay_step_kind_name(step->kind), setpay_money_format(&step->amount, text),
        (unsigned)step->code, view->order.order_id, setpay_order_status_name(view->status));
}
