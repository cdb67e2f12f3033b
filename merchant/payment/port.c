/*
 * What the store's side may see of purchases, and what it may wish (merchant/store/payment_port.h).
 */
#include "merchant/payment/port.h"

#include "merchant/payment/agreement_store.h"
#include "merchant/payment/authorisation.h"
#include "merchant/payment/batch_store.h"
#include "merchant/payment/payment_store.h"
#include "merchant/payment/port_agreement.h"
#include "merchant/payment/rules.h"
#include "merchant/payment/settlement.h"
#include "merchant/payment/step.h"

#include <stdlib.h>
#include <string.h>

struct visit {
    setpay_payment_visit_fn *visit;
    void *arg;
};

static enum setpay_error visit_purchase(void *arg, const struct setpay_merchant_purchase *p)
{
    const struct visit *visit = arg;
    struct setpay_payment_view view = {
        .xid = p->xid,
        .state = p->state,
        .amount = p->amount,
        .approved = p->amount,
        .created_ms = p->created_ms,
        .decided_ms = p->decided_ms,
        .hold_expiry_ms = p->hold_expiry_ms,
    };
    view.approved.minor = p->approved_minor;
    view.captured_minor = p->captured_minor;
    view.credited_minor = p->credited_minor;
    view.released_minor = p->released_minor;
    view.unwanted = setpay_merchant_is_unwanted(p);
    memcpy(view.approval_code, p->approval_code, sizeof view.approval_code);
    memcpy(view.action_code, p->action_code, sizeof view.action_code);
    memcpy(view.brand, p->brand, sizeof view.brand);
    return visit->visit(visit->arg, &view);
}

static enum setpay_error list_of_order(struct setpay_db *db, const char *order_id,
                                       setpay_payment_visit_fn *visit, void *visit_arg)
{
    struct visit each = {visit, visit_arg};
    return setpay_merchant_purchase_each_of_order(db, order_id, visit_purchase, &each);
}

/* ------------------------------------------------------------------ steps */

/* Of a capture or credit in a batch: whether it was paid. */
static enum setpay_error add_settled(struct setpay_db *db, const struct setpay_merchant_step *step,
                                     struct setpay_step_view *view)
{
    if (step->batch == 0 || step->state != SETPAY_MERCHANT_STEP_DONE ||
        (step->kind != SETPAY_MERCHANT_STEP_CAPTURE && step->kind != SETPAY_MERCHANT_STEP_CREDIT))
        return SETPAY_OK;
    enum setpay_error error = setpay_merchant_settlement_of_step(db, step->id, view);
    view->is_settled = error == SETPAY_OK;
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

static enum setpay_error visit_steps(struct setpay_db *db, const struct setpay_money *of_purchase,
                                     struct setpay_merchant_steps *steps,
                                     setpay_step_visit_fn *visit, void *visit_arg)
{
    for (size_t i = 0; i < steps->count; i++) {
        const struct setpay_merchant_step *step = &steps->list[i];
        const struct setpay_merchant_step *of = setpay_merchant_step_of(steps, step->of_id);
        struct setpay_step_view view = {
            .number = step->id,
            .id = step->name,
            .kind = step->kind,
            .amount = *of_purchase,
            .asking = step->state == SETPAY_MERCHANT_STEP_ASKING,
            .declined = step->state == SETPAY_MERCHANT_STEP_DECLINED,
            .hold_expiry_ms = step->hold_expiry_ms,
            .code = step->code,
            .undone = step->undone,
            .credited_minor = step->credited_minor,
            .creditable_minor = setpay_merchant_step_creditable(steps, step),
            .batch = step->batch,
            .created_ms = step->created_ms,
            .decided_ms = step->decided_ms,
        };
        view.amount.minor = step->amount_minor;
        memcpy(view.action_code, step->action_code, sizeof view.action_code);
        memcpy(view.approval_code, step->approval_code, sizeof view.approval_code);
        if (of != NULL)
            view.of = of->name;
        SETPAY_TRY(add_settled(db, step, &view));
        SETPAY_TRY(visit(visit_arg, &view));
    }
    return SETPAY_OK;
}

/* The rest of a purchase is large. */
static enum setpay_error find_key(struct setpay_db *db, const struct setpay_id *xid, int64_t *id,
                                  struct setpay_money *amount)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT id, amount_minor, currency FROM purchase WHERE xid = $1",
                             SETPAY_DB_ID(xid)));
    *id = setpay_db_get_int(rows, 0);
    amount->minor = setpay_db_get_int(rows, 1);
    setpay_db_get_text(rows, 2, amount->currency, sizeof amount->currency);
    return setpay_db_end(rows);
}

static enum setpay_error list_steps(struct setpay_db *db, const struct setpay_id *xid,
                                    setpay_step_visit_fn *visit, void *visit_arg)
{
    struct setpay_merchant_steps *steps = NULL;
    struct setpay_money amount;
    int64_t purchase_id;
    enum setpay_error error = find_key(db, xid, &purchase_id, &amount);
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    error = setpay_merchant_step_list(db, purchase_id, &steps);
    if (error == SETPAY_OK)
        error = visit_steps(db, &amount, steps, visit, visit_arg);
    free(steps);
    return error;
}

static enum setpay_error capturable(struct setpay_db *db, const struct setpay_id *xid,
                                    int64_t *minor)
{
    struct setpay_merchant_purchase purchase;
    SETPAY_TRY(setpay_merchant_purchase_find(db, xid, &purchase));
    struct setpay_merchant_steps *steps = NULL;
    enum setpay_error error = setpay_merchant_step_list(db, purchase.id, &steps);
    if (error == SETPAY_OK)
        *minor = setpay_merchant_step_capturable(&purchase, steps);
    free(steps);
    return error;
}

/* The name of the step that an authorisation is, NULL of the first one. */
static const struct setpay_id *name_of(struct setpay_merchant_steps *steps,
                                       const struct setpay_merchant_authorisation *one)
{
    const struct setpay_merchant_step *step = setpay_merchant_step_of(steps, one->step_id);
    return step == NULL ? NULL : &step->name;
}

static enum setpay_error take_of(struct setpay_db *db, struct setpay_merchant_purchase *purchase,
                                 const struct setpay_id *name, const struct setpay_step_wish *wish,
                                 int64_t minor, setpay_time_ms now_ms, int64_t *number)
{
    struct setpay_merchant_step stored;
    SETPAY_TRY(setpay_merchant_step_ask(db, purchase, wish->kind, name, minor, now_ms, &stored));
    if (wish->together != 0)
        SETPAY_TRY(setpay_db_run(db, "UPDATE step SET together = $1 WHERE id = $2",
                                 SETPAY_DB_INT(wish->together), SETPAY_DB_INT(stored.id)));
    if (wish->first != NULL && *wish->first == 0)
        *wish->first = stored.id;
    *number = stored.id;
    return SETPAY_OK;
}

/* Captures, or gives up, what is held: of one authorisation where one has enough, and otherwise of
 * several, the oldest first. */
static enum setpay_error take_with(struct setpay_db *db, struct setpay_merchant_purchase *purchase,
                                   struct setpay_merchant_steps *steps,
                                   const struct setpay_step_wish *wish, setpay_time_ms now_ms,
                                   int64_t *number)
{
    struct setpay_merchant_authorisation one;
    enum setpay_purchase_state next;
    int64_t minor = wish->amount_minor;
    int64_t there_is = 0;
    SETPAY_TRY(setpay_purchase_state_next(purchase->state, SETPAY_PURCHASE_STEP, &next));
    for (size_t at = 0; setpay_merchant_authorisation_next(purchase, steps, &at, &one);) {
        int64_t left =
            now_ms < one.hold_expiry_ms ? setpay_merchant_authorisation_capturable(&one) : 0;
        if (minor > 0 && left >= minor)
            return take_of(db, purchase, name_of(steps, &one), wish, minor, now_ms, number);
        there_is += left;
    }
    if (minor > there_is && minor <= setpay_merchant_step_capturable(purchase, steps))
        return SETPAY_E_HOLD_OVER; /* rule G8: that of a part of it */
    /* With the words for it. */
    if (minor <= 0 || minor > there_is)
        return take_of(db, purchase, NULL, wish, minor, now_ms, number);
    for (size_t at = 0; setpay_merchant_authorisation_next(purchase, steps, &at, &one);) {
        int64_t left =
            now_ms < one.hold_expiry_ms ? setpay_merchant_authorisation_capturable(&one) : 0;
        int64_t part = left < minor ? left : minor;
        if (part > 0)
            SETPAY_TRY(take_of(db, purchase, name_of(steps, &one), wish, part, now_ms, number));
        minor -= part;
    }
    return SETPAY_OK;
}

static enum setpay_error step(struct setpay_db *db, const struct setpay_step_wish *wish,
                              setpay_time_ms now_ms, int64_t *number)
{
    struct setpay_merchant_purchase purchase;
    struct setpay_merchant_step stored;
    struct setpay_merchant_steps *steps = NULL;
    SETPAY_TRY(setpay_merchant_purchase_find(db, &wish->xid, &purchase));
    bool of_held = wish->kind == SETPAY_MERCHANT_STEP_CAPTURE ||
                   (wish->kind == SETPAY_MERCHANT_STEP_RELEASE && wish->amount_minor != 0);
    if (of_held && wish->of == NULL) {
        SETPAY_TRY(setpay_merchant_step_list(db, purchase.id, &steps));
        enum setpay_error error = take_with(db, &purchase, steps, wish, now_ms, number);
        free(steps);
        return error;
    }
    SETPAY_TRY(setpay_merchant_step_ask(db, &purchase, wish->kind, wish->of, wish->amount_minor,
                                        now_ms, &stored));
    *number = stored.id;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ wishes */

/* A wish of the store. The worker that drives the purchase hears of it by the note. */
static enum setpay_error wish(struct setpay_db *db, const struct setpay_id *xid,
                              enum setpay_purchase_event event, setpay_time_ms now_ms)
{
    struct setpay_merchant_purchase purchase;
    enum setpay_purchase_state next;
    SETPAY_TRY(setpay_merchant_purchase_find(db, xid, &purchase));
    SETPAY_TRY(setpay_purchase_state_next(purchase.state, event, &next));
    if (next == purchase.state)
        return SETPAY_OK;
    purchase.state = next;
    purchase.updated_ms = now_ms;
    return setpay_merchant_purchase_update(db, &purchase);
}

static enum setpay_error give_up(struct setpay_db *db, const struct setpay_id *xid,
                                 setpay_time_ms now_ms)
{
    return wish(db, xid, SETPAY_PURCHASE_GIVE_UP, now_ms); /* rule M9 */
}

/* What is held beside what was captured, or is about to be, is a step behind those: one for each
 * authorisation of which something is. */
static enum setpay_error release(struct setpay_db *db, struct setpay_merchant_purchase *purchase,
                                 setpay_time_ms now_ms)
{
    struct setpay_merchant_steps *steps = NULL;
    struct setpay_merchant_authorisation one;
    enum setpay_error error = setpay_merchant_step_list(db, purchase->id, &steps);
    for (size_t at = 0;
         error == SETPAY_OK && setpay_merchant_authorisation_next(purchase, steps, &at, &one);) {
        struct setpay_merchant_step stored;
        if (setpay_merchant_authorisation_capturable(&one) > 0)
            error = setpay_merchant_step_ask(db, purchase, SETPAY_MERCHANT_STEP_RELEASE,
                                             name_of(steps, &one), 0, now_ms, &stored);
    }
    free(steps);
    return error;
}

static enum setpay_error reverse(struct setpay_db *db, const struct setpay_id *xid,
                                 setpay_time_ms now_ms)
{
    struct setpay_merchant_purchase purchase;
    struct setpay_merchant_agreement agreement;
    SETPAY_TRY(setpay_merchant_purchase_find(db, xid, &purchase));
    SETPAY_TRY(setpay_merchant_agreement_read(db, purchase.id, &agreement));
    bool one_alone = purchase.state != SETPAY_PURCHASE_CAPTURED &&
                     purchase.state != SETPAY_PURCHASE_STEPPING && agreement.purchase_id == 0;
    return one_alone ? wish(db, xid, SETPAY_PURCHASE_REVERSE, now_ms)
                     : release(db, &purchase, now_ms);
}

const struct setpay_payment_port setpay_merchant_payment_port = {
    .list = list_of_order,
    .list_steps = list_steps,
    .capturable = capturable,
    .give_up = give_up,
    .reverse = reverse,
    .step = step,
    .agreement = setpay_merchant_port_agreement,
    .authorise = setpay_merchant_port_authorise,
    .end_agreement = setpay_merchant_port_end,
    .list_agreements = setpay_merchant_port_list,
    .list_batches = setpay_merchant_batch_list,
    .close_batches = setpay_merchant_batch_close,
    .list_settlements = setpay_merchant_settlement_list,
    .find_settlement = setpay_merchant_settlement_find,
    .list_settlement_rows = setpay_merchant_settlement_rows,
    .list_unsettled = setpay_merchant_unsettled,
};
