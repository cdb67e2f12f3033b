/*
 * Agreements for the store.
 */
#include "merchant/payment/port_agreement.h"

#include "merchant/payment/agreement.h"
#include "merchant/payment/due.h"

#include <stdlib.h>

struct standing {
    struct setpay_merchant_purchase purchase;
    struct setpay_merchant_agreement agreement;
    struct setpay_merchant_steps *steps; /* owned after find */
};

static enum setpay_error find(struct setpay_db *db, const struct setpay_id *xid, struct standing *s)
{
    SETPAY_TRY(setpay_merchant_purchase_find(db, xid, &s->purchase));
    SETPAY_TRY(setpay_merchant_agreement_find(db, s->purchase.id, &s->agreement));
    s->steps = NULL;
    return setpay_merchant_step_list(db, s->purchase.id, &s->steps);
}

static bool is_asking(const struct setpay_merchant_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        if (steps->list[i].kind == SETPAY_MERCHANT_STEP_AUTHORISE &&
            steps->list[i].state == SETPAY_MERCHANT_STEP_ASKING)
            return true;
    }
    return false;
}

static void fill_view(const struct standing *s, setpay_time_ms now_ms,
                      struct setpay_agreement_view *view)
{
    const struct setpay_merchant_agreement *agreement = &s->agreement;
    *view = (struct setpay_agreement_view){
        .xid = s->purchase.xid,
        .schedule = agreement->schedule,
        .taken_count = agreement->taken_count,
        .taken_minor = s->purchase.approved_minor - s->purchase.released_minor,
        .next_ms = setpay_merchant_agreement_next_ms(&s->purchase, agreement, now_ms),
        .asking = is_asking(s->steps),
        .cancelled = agreement->cancellation.size != 0,
        .confirmed = agreement->confirmed,
        .end = agreement->ended,
        .ended_ms = agreement->ended_ms,
    };
    if (agreement->ended == SETPAY_ENDED_NOT)
        view->next_minor = setpay_merchant_agreement_next_minor(&s->purchase, agreement);
}

enum setpay_error setpay_merchant_port_agreement(struct setpay_db *db, const struct setpay_id *xid,
                                                 setpay_time_ms now_ms,
                                                 struct setpay_agreement_view *view)
{
    struct standing s = {.steps = NULL};
    SETPAY_TRY(find(db, xid, &s));
    fill_view(&s, now_ms, view);
    free(s.steps);
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_port_authorise(struct setpay_db *db, const struct setpay_id *xid,
                                                 int64_t amount_minor, bool sale,
                                                 setpay_time_ms now_ms, int64_t *number)
{
    struct standing s = {.steps = NULL};
    struct setpay_merchant_step stored;
    const struct setpay_merchant_step what = {
        .kind = SETPAY_MERCHANT_STEP_AUTHORISE,
        .amount_minor = amount_minor,
        .sale = sale,
    };
    enum setpay_error error = find(db, xid, &s);
    if (error == SETPAY_OK)
        error = setpay_merchant_agreement_check(&s.purchase, s.steps, &s.agreement, amount_minor,
                                                now_ms);
    if (error == SETPAY_OK)
        error =
            setpay_merchant_step_check(&s.purchase, s.steps, what.kind, NULL, amount_minor, now_ms);
    if (error == SETPAY_OK)
        error = setpay_merchant_step_append(db, &s.purchase, &what, now_ms, &stored);
    if (error == SETPAY_OK)
        error = setpay_merchant_due_keep(db, &s.purchase, now_ms);
    if (error == SETPAY_OK)
        *number = stored.id;
    free(s.steps);
    return error;
}

/* Where the withdrawn one was all that there was to do, and nothing stands of the purchase, the
 * order is over with it: who drives the purchase books that (authorise.c). */
static enum setpay_error withdraw(struct setpay_db *db, struct standing *s, setpay_time_ms now_ms)
{
    bool stands = s->purchase.captured_minor > 0 || setpay_merchant_held(&s->purchase) > 0;
    if (!is_asking(s->steps) || !stands)
        return SETPAY_OK;
    SETPAY_TRY(setpay_merchant_step_withdraw(db, s->steps, now_ms));
    return setpay_merchant_step_state_after(&s->purchase, s->steps, &s->purchase.state);
}

static enum setpay_error end(struct setpay_db *db, struct standing *s, setpay_time_ms now_ms)
{
    setpay_merchant_agreement_finish(SETPAY_ENDED_BY_STORE, now_ms, &s->agreement);
    SETPAY_TRY(setpay_merchant_agreement_update(db, &s->agreement));
    SETPAY_TRY(withdraw(db, s, now_ms));
    s->purchase.updated_ms = now_ms; /* who decides on what was there before decides anew */
    SETPAY_TRY(setpay_merchant_purchase_update(db, &s->purchase));
    return setpay_merchant_due_keep(db, &s->purchase, now_ms);
}

enum setpay_error setpay_merchant_port_end(struct setpay_db *db, const struct setpay_id *xid,
                                           setpay_time_ms now_ms)
{
    struct standing s = {.steps = NULL};
    enum setpay_error error = find(db, xid, &s);
    if (error == SETPAY_OK && s.agreement.ended != SETPAY_ENDED_NOT)
        error = s.agreement.ended == SETPAY_ENDED_BY_STORE ? SETPAY_OK : SETPAY_E_STATE;
    else if (error == SETPAY_OK)
        error = end(db, &s, now_ms);
    free(s.steps);
    return error;
}

/* ------------------------------------------------------------------ the list */

enum setpay_error setpay_merchant_port_list(struct setpay_db *db, int64_t before, int64_t room,
                                            setpay_agreement_visit_fn *visit, void *visit_arg)
{
    setpay_time_ms now_ms = setpay_clock_now_ms();
    while (room-- > 0) {
        struct setpay_db_rows *rows;
        struct standing s = {.steps = NULL};
        struct setpay_agreement_view view;
        struct setpay_id xid;
        enum setpay_error error =
            setpay_db_one(db, &rows,
                          "SELECT p.id, p.xid FROM agreement a JOIN purchase p"
                          " ON p.id = a.purchase_id WHERE p.id < $1 AND a.ended = 0"
                          " ORDER BY p.id DESC LIMIT 1",
                          SETPAY_DB_INT(before));
        if (error == SETPAY_E_NOT_FOUND)
            return SETPAY_OK;
        SETPAY_TRY(error);
        before = setpay_db_get_int(rows, 0);
        setpay_db_get_id(rows, 1, &xid);
        SETPAY_TRY(setpay_db_end(rows));
        SETPAY_TRY(find(db, &xid, &s));
        fill_view(&s, now_ms, &view);
        free(s.steps);
        SETPAY_TRY(visit(visit_arg, before, s.purchase.order_id, &view));
    }
    return SETPAY_OK;
}
