/*
 * Capture, refund, undo.
 *
 * A refund is a credit, also of a capture whose batch is still open: undoing that capture would
 * give the money back to the hold and not to the shopper, would be of the whole only, and both
 * reach the issuer with the same batch. Who wants the hold back says undo.
 */
#include "merchant/store/order_step.h"

#include "common/base/money.h"
#include "merchant/store/order_tell.h"
#include "merchant/store/part.h"

#include <stdio.h>
#include <stdlib.h>
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
    int64_t asked_minor; /* by a part; 0: by the request */
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
        .together = doing->request->together,
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

/* minor 0: all that there is. */
static enum setpay_error refund(struct doing *doing, int64_t minor)
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
    if (minor == 0)
        minor = doing->left_minor;
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

/* ------------------------------------------------------------------ parts */

/* What is asked for since the part was begun belongs to it. */
static enum setpay_error keep_part(struct doing *doing, enum setpay_part_kind kind,
                                   struct setpay_part_count *counts, size_t count)
{
    const struct setpay_part_request *request = doing->request->part;
    struct setpay_part part = {.kind = kind,
                               .first_step = doing->result->first_step,
                               .last_step = doing->result->last_step,
                               .restock = request->restock,
                               .created_ms = doing->now_ms,
                               .counts = counts,
                               .count = count};
    memcpy(part.carrier, request->carrier, sizeof part.carrier);
    memcpy(part.tracking, request->tracking, sizeof part.tracking);
    memcpy(part.tracking_url, request->tracking_url, sizeof part.tracking_url);
    return setpay_part_insert(doing->db, doing->result->view.order.order_id, &part);
}

/* What was captured, or is about to be, in whatever way. */
static enum setpay_error count_captured(struct doing *doing, int64_t *minor)
{
    const struct setpay_payment_view *payment = doing->payment;
    SETPAY_TRY(doing->port->capturable(doing->db, &payment->xid, &doing->left_minor));
    *minor = payment->captured_minor;
    for (size_t i = 0; i < doing->result->view.step_count; i++) {
        const struct setpay_order_step *step = &doing->result->view.steps[i];
        if (step->step.kind == SETPAY_MERCHANT_STEP_CAPTURE && step->step.asking &&
            setpay_id_equal(&step->xid, &payment->xid))
            *minor += step->step.amount.minor;
    }
    return SETPAY_OK;
}

/* Whatever was captured by amount before counts first: the parts together take the order's total,
 * and nothing twice. */
static enum setpay_error capture_shipped(struct doing *doing)
{
    const struct setpay_order_view *view = &doing->result->view;
    int64_t captured = 0;
    if (view->order.capture != SETPAY_CAPTURE_ON_SHIPMENT)
        return SETPAY_OK;
    SETPAY_TRY(count_captured(doing, &captured));
    int64_t minor = setpay_parts_shipped_minor(view->parts) - captured;
    if (minor <= 0)
        return SETPAY_OK; /* captured ahead, or they cost nothing */
    doing->asked_minor = minor;
    return ask(doing, SETPAY_MERCHANT_STEP_CAPTURE, NULL, minor);
}

/* What was never sent is given up, all of it. */
static bool rest_is_given_up(const struct setpay_order_view *view)
{
    return setpay_order_to_send(view) == 0 && !setpay_parts_are_sent(view->parts);
}

static enum setpay_error ship_counts(struct doing *doing, struct setpay_part_count *counts)
{
    struct setpay_order_view *view = &doing->result->view;
    size_t count = 0;
    int64_t minor = 0;
    enum setpay_error error = setpay_parts_take(view, SETPAY_PART_SHIPMENT, doing->request->part,
                                                counts, &count, &minor, &doing->result->fault);
    if ((error == SETPAY_E_AMOUNT_LIMIT || error == SETPAY_E_STATE) && rest_is_given_up(view)) {
        doing->result->fault = (struct setpay_json_fault){.field = ""};
        return SETPAY_E_HOLD_OVER;
    }
    SETPAY_TRY(error);
    SETPAY_TRY(capture_shipped(doing));
    return keep_part(doing, SETPAY_PART_SHIPMENT, counts, count);
}

static enum setpay_error ship(struct doing *doing)
{
    if (!setpay_order_may_ship(doing->result->view.order.end, doing->result->view.status))
        return SETPAY_E_STATE;
    struct setpay_part_count *counts = calloc(SETPAY_LIMIT_OFFER_ITEMS, sizeof *counts);
    if (counts == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = ship_counts(doing, counts);
    free(counts);
    return error;
}

static enum setpay_error refund_counts(struct doing *doing, struct setpay_part_count *counts)
{
    struct setpay_order_view *view = &doing->result->view;
    size_t count = 0;
    int64_t minor = 0;
    SETPAY_TRY(setpay_parts_take(view, SETPAY_PART_REFUND, doing->request->part, counts, &count,
                                 &minor, &doing->result->fault));
    doing->asked_minor = minor;
    if (minor > 0) /* what was free is given back for nothing */
        SETPAY_TRY(refund(doing, minor));
    return keep_part(doing, SETPAY_PART_REFUND, counts, count);
}

static enum setpay_error refund_lines(struct doing *doing)
{
    struct setpay_part_count *counts = calloc(SETPAY_LIMIT_OFFER_ITEMS, sizeof *counts);
    if (counts == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = refund_counts(doing, counts);
    free(counts);
    return error;
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

static bool is_capture_asking(const struct setpay_order_view *view)
{
    for (size_t i = 0; i < view->step_count; i++) {
        const struct setpay_step_view *step = &view->steps[i].step;
        if (step->kind == SETPAY_MERCHANT_STEP_CAPTURE && step->asking)
            return true;
    }
    return false;
}

/* A part of what is held; the last of it ends the order, as a void without an amount does. Not
 * while a capture is undecided: were it refused, its amount would stay held, and nothing could give
 * it up. */
static enum setpay_error give_up(struct doing *doing)
{
    const struct setpay_order_view *view = &doing->result->view;
    const struct setpay_step_request *request = doing->request;
    if (view->order.end != SETPAY_ORDER_GOES_ON)
        return SETPAY_E_STATE;
    SETPAY_TRY(setpay_order_check_void(view->status));
    SETPAY_TRY(doing->port->capturable(doing->db, &doing->payment->xid, &doing->left_minor));
    if (doing->left_minor == 0)
        return SETPAY_E_STATE;
    int64_t minor = request->has_amount ? request->amount_minor : doing->left_minor;
    bool is_last = minor == doing->left_minor && !is_capture_asking(view);
    SETPAY_TRY(ask(doing, SETPAY_MERCHANT_STEP_RELEASE, NULL, minor));
    return !is_last ? SETPAY_OK
                    : setpay_order_end_voided(doing->db, doing->port, view, doing->now_ms);
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
        if (doing->request->part != NULL)
            return refund_lines(doing);
        return refund(doing, doing->request->has_amount ? doing->request->amount_minor : 0);
    case SETPAY_ORDER_AUTHORISE:
        return authorise(doing);
    case SETPAY_ORDER_SHIP:
        return ship(doing);
    case SETPAY_ORDER_GIVE_UP:
        return give_up(doing);
    default:
        return undo(doing);
    }
}

/* Lines that are there, but whose money is not. */
static void explain_part(struct doing *doing)
{
    struct setpay_money money = doing->result->view.order.amount;
    char wanted[SETPAY_MONEY_TEXT_SIZE], left[SETPAY_MONEY_TEXT_SIZE];
    money.minor = doing->asked_minor;
    (void)setpay_money_format(&money, wanted);
    money.minor = doing->left_minor;
    (void)setpay_json_fault_set(&doing->result->fault, "lines",
                                "these lines are worth %s; of the order no more than %s is left",
                                wanted, setpay_money_format(&money, left));
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
    if (error == SETPAY_E_AMOUNT_LIMIT && doing.asked_minor != 0 && result->fault.field[0] == '\0')
        explain_part(&doing);
    SETPAY_TRY(error);
    if (!gateway_allowed)
        return SETPAY_E_DRAINING; /* what was written goes with the operation */
    xid = doing.payment->xid;
    /* What asks the gateway for nothing is settled here and now. */
    SETPAY_TRY(setpay_order_tell(db, port, order_id, now_ms));
    setpay_order_view_clear(view);
    SETPAY_TRY(setpay_order_view_find(db, port, order_id, now_ms, view));
    result->under_way =
        result->last_step != 0 && setpay_order_is_under_way(view, &xid, result->last_step);
    return SETPAY_OK;
}

bool setpay_order_step_is_refused(enum setpay_error error, const struct setpay_order_result *result)
{
    switch (error) {
    case SETPAY_E_NOT_FOUND:
    case NO_SUCH_STEP:
    case SETPAY_E_STATE:
    case SETPAY_E_HOLD_OVER:
    case SETPAY_E_AMOUNT_LIMIT:
    case SETPAY_E_MONEY_CURRENCY:
    case SETPAY_E_TOO_SOON:
    case SETPAY_E_TOO_BIG:
        return result->first_step == 0;
    case SETPAY_E_INVALID:
        return result->first_step == 0 && result->fault.field[0] != '\0';
    default:
        return false;
    }
}

/* ------------------------------------------------------------------ words */

static const char *expected_of(enum setpay_order_step_action action)
{
    switch (action) {
    case SETPAY_ORDER_CAPTURE:
        return "one of which something is held";
    case SETPAY_ORDER_GIVE_UP:
        return "one of which something is held that is not about to be captured: what was captured"
               " is refunded";
    case SETPAY_ORDER_REFUND:
        return "one of which something is captured and not refunded yet";
    case SETPAY_ORDER_AUTHORISE:
        return "one with an agreement that goes on, and of which no payment is being asked for";
    case SETPAY_ORDER_SHIP:
        return "one that is paid and not voided, of which something is not shipped yet";
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
                       : action == SETPAY_ORDER_GIVE_UP   ? "be given up"
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
                       "the hold of the order %s has ended: nothing can be %s any more", order_id,
                       action == SETPAY_ORDER_GIVE_UP ? "given up in part" : "captured");
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
