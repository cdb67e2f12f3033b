/*
 * Void and cancel.
 *
 * Void gives back a hold that stands, or what of it was not captured: the order's wish and the
 * purchase's reversal are stored together. Cancel ends an order that has no hold: at once where no
 * purchase stands; otherwise the purchase is given up (rule M9), and the wish becomes the status
 * when the gateway has answered. Repeating either changes nothing more.
 */
#include "merchant/store/order_action.h"

#include "merchant/store/order_tell.h"
#include "merchant/store/part.h"

#include <stdio.h>
#include <stdlib.h>

const char *setpay_order_action_name(enum setpay_order_action action)
{
    return action == SETPAY_ORDER_VOID     ? "void"
           : action == SETPAY_ORDER_CANCEL ? "cancel"
                                           : "end-agreement";
}

bool setpay_order_is_under_way(const struct setpay_order_view *view, const struct setpay_id *xid,
                               int64_t last_step)
{
    for (size_t i = 0; i < view->step_count && last_step != 0; i++) {
        const struct setpay_step_view *step = &view->steps[i].step;
        if (setpay_id_equal(&view->steps[i].xid, xid) && step->number == last_step)
            return step->asking;
    }
    for (size_t i = 0; i < view->payment_count && last_step == 0; i++) {
        if (setpay_id_equal(&view->payments[i].xid, xid))
            return setpay_purchase_state_is_waiting(view->payments[i].state);
    }
    return false;
}

const struct setpay_step_view *setpay_order_refused_step(const struct setpay_order_view *view,
                                                         int64_t first_step, int64_t last_step)
{
    for (size_t i = 0; i < view->step_count && last_step != 0; i++) {
        const struct setpay_step_view *step = &view->steps[i].step;
        if (step->number >= first_step && step->number <= last_step &&
            (step->code != 0 || step->declined))
            return step;
    }
    return NULL;
}

/* A void gives something back, unless it has been wished for before: what is about to be captured
 * is not held any more. */
static enum setpay_error check_void(struct setpay_db *db, const struct setpay_payment_port *port,
                                    const struct setpay_order_view *view)
{
    const struct setpay_payment_view *payment =
        setpay_order_standing(view->payments, view->payment_count);
    int64_t minor = 0;
    if (view->order.end == SETPAY_ORDER_VOIDED)
        return SETPAY_OK;
    SETPAY_TRY(setpay_order_check_void(view->status));
    if (payment == NULL ||
        (payment->state != SETPAY_PURCHASE_STEPPING && payment->state != SETPAY_PURCHASE_CAPTURED))
        return SETPAY_OK;
    SETPAY_TRY(port->capturable(db, &payment->xid, &minor));
    return minor > 0 ? SETPAY_OK : SETPAY_E_STATE;
}

/* The releases that a void has asked for. */
struct releases {
    int64_t after; /* the last step before it */
    int64_t first, last;
};

static enum setpay_error find_release(void *arg, const struct setpay_step_view *step)
{
    struct releases *releases = arg;
    if (step->number <= releases->after || step->kind != SETPAY_MERCHANT_STEP_RELEASE)
        return SETPAY_OK;
    if (releases->first == 0)
        releases->first = step->number;
    releases->last = step->number;
    return SETPAY_OK;
}

/* What of the goods was never sent, into counts. */
static size_t count_unsent(const struct setpay_parts *parts, struct setpay_part_count *counts)
{
    size_t count = 0;
    bool shipped = false;
    for (size_t i = 0; i < parts->line_count; i++) {
        int64_t rest = setpay_part_sendable(&parts->lines[i]);
        shipped = shipped || parts->lines[i].shipped > 0;
        if (rest > 0)
            counts[count++] = (struct setpay_part_count){.position = i, .quantity = rest};
    }
    return shipped ? count : 0;
}

/* Where a part was sent and the rest is given up, nobody else will put the rest on the shelf: the
 * purchase is not released, it was captured in part. It is there when the gateway has released what
 * is held for it. */
static enum setpay_error give_up_unsent(struct setpay_db *db,
                                        const struct setpay_payment_port *port,
                                        const struct setpay_order_view *view, setpay_time_ms now_ms)
{
    struct setpay_part part = {.kind = SETPAY_PART_GIVEN_UP, .restock = true, .created_ms = now_ms};
    struct releases releases = {.after = 0};
    for (size_t i = 0; i < view->step_count; i++) {
        if (view->steps[i].step.number > releases.after)
            releases.after = view->steps[i].step.number;
    }
    SETPAY_TRY(port->list_steps(db, &view->order.xid, find_release, &releases));
    if (releases.first == 0)
        return SETPAY_OK; /* all of it is reversed, and comes back with that */
    part.first_step = releases.first;
    part.last_step = releases.last;
    part.counts = calloc(SETPAY_LIMIT_OFFER_ITEMS, sizeof *part.counts);
    if (part.counts == NULL)
        return SETPAY_E_NOMEM;
    part.count = count_unsent(view->parts, part.counts);
    enum setpay_error error =
        part.count > 0 ? setpay_part_insert(db, view->order.order_id, &part) : SETPAY_OK;
    free(part.counts);
    return error;
}

enum setpay_error setpay_order_end_voided(struct setpay_db *db,
                                          const struct setpay_payment_port *port,
                                          const struct setpay_order_view *view,
                                          setpay_time_ms now_ms)
{
    SETPAY_TRY(setpay_order_end(db, view->order.order_id, SETPAY_ORDER_VOIDED));
    return give_up_unsent(db, port, view, now_ms);
}

static enum setpay_error act_on(struct setpay_db *db, const struct setpay_payment_port *port,
                                enum setpay_order_action action, setpay_time_ms now_ms,
                                const struct setpay_order *order)
{
    SETPAY_TRY(setpay_order_end(db, order->order_id,
                                action == SETPAY_ORDER_VOID ? SETPAY_ORDER_VOIDED
                                                            : SETPAY_ORDER_CANCELLED));
    if (!order->taken)
        return SETPAY_OK;
    return action == SETPAY_ORDER_VOID ? port->reverse(db, &order->xid, now_ms)
                                       : port->give_up(db, &order->xid, now_ms); /* rule M9 */
}

/* No gateway is asked: a store that wants no more just asks for no more. */
static enum setpay_error end_agreement(struct setpay_db *db, const struct setpay_payment_port *port,
                                       const char *order_id, setpay_time_ms now_ms,
                                       struct setpay_order_view *view)
{
    if (!view->has_agreement)
        return SETPAY_E_STATE;
    const struct setpay_id xid = view->agreement.xid;
    SETPAY_TRY(port->end_agreement(db, &xid, now_ms));
    SETPAY_TRY(setpay_order_tell(db, port, order_id, now_ms));
    setpay_order_view_clear(view);
    return setpay_order_view_find(db, port, order_id, now_ms, view);
}

enum setpay_error setpay_order_act(struct setpay_db *db, const struct setpay_payment_port *port,
                                   enum setpay_order_action action, const char *order_id,
                                   bool gateway_allowed, setpay_time_ms now_ms,
                                   struct setpay_order_result *result)
{
    struct setpay_order_view *view = &result->view;
    SETPAY_TRY(setpay_order_view_find(db, port, order_id, now_ms, view));
    if (action == SETPAY_ORDER_END_AGREEMENT)
        return end_agreement(db, port, order_id, now_ms, view);
    SETPAY_TRY(action == SETPAY_ORDER_VOID ? check_void(db, port, view)
                                           : setpay_order_check_cancel(view->status));
    if (view->order.taken && !gateway_allowed)
        return SETPAY_E_DRAINING;
    bool is_new = view->order.end == SETPAY_ORDER_GOES_ON;
    enum setpay_error error = act_on(db, port, action, now_ms, &view->order);
    if (error == SETPAY_OK && action == SETPAY_ORDER_VOID && is_new)
        error = give_up_unsent(db, port, view, now_ms);
    if (error == SETPAY_E_STATE || error == SETPAY_E_NOT_FOUND)
        return SETPAY_E_INTERNAL; /* order and purchase disagree: what was written must go */
    SETPAY_TRY(error);
    SETPAY_TRY(setpay_order_tell(db, port, order_id, now_ms));
    setpay_order_view_clear(view);
    SETPAY_TRY(setpay_order_view_find(db, port, order_id, now_ms, view));
    result->under_way = view->order.taken && setpay_order_is_under_way(view, &view->order.xid, 0);
    return SETPAY_OK;
}

void setpay_order_act_explain(enum setpay_order_action action, const struct setpay_order_view *view,
                              char *words, size_t size)
{
    (void)snprintf(
        words, size, "the order %s is %s; expected %s", view->order.order_id,
        setpay_order_status_name(view->status),
        action == SETPAY_ORDER_VOID
            ? "a hold that stands, and that is not about to be captured: only that can be voided,"
              " what was captured is refunded"
        : action == SETPAY_ORDER_END_AGREEMENT
            ? "one with an agreement that goes on, and that nobody else has ended"
            : "open, paying, declined or expired: an authorised order is voided instead");
}
