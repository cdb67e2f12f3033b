/*
 * The look, once a second: purchases of this worker whose time has come, oldest first, a portion at
 * a time -> each asks for its steps in an operation of its own -> notes wake who drives it.
 *
 * What is given up can't be taken back, so that a clock of ours that is ahead must not do it: the
 * gateway's own, as its newest answer had it, has to agree. Where it does not, or is not known, the
 * gateway is asked for its certificates, whose answer says the time.
 */
#include "merchant/payment/due.h"

#include "common/base/log.h"
#include "merchant/payment/agreement.h"
#include "merchant/payment/authorisation.h"
#include "merchant/payment/dispatch.h"

#include <stdlib.h>
#include <string.h>

#define PORTION 32
#define LOOK_MS 1000

/* ------------------------------------------------------------------ pure */

setpay_time_ms setpay_merchant_due_ms(const struct setpay_merchant_purchase *purchase,
                                      const struct setpay_merchant_steps *steps,
                                      const struct setpay_merchant_agreement *agreement,
                                      setpay_time_ms now_ms)
{
    struct setpay_merchant_authorisation one;
    enum setpay_purchase_state next;
    setpay_time_ms due = INT64_MAX;
    if (setpay_purchase_state_next(purchase->state, SETPAY_PURCHASE_STEP, &next) != SETPAY_OK)
        return 0;
    for (size_t at = 0; setpay_merchant_authorisation_next(purchase, steps, &at, &one);) {
        bool holds = setpay_merchant_authorisation_held(&one) > 0 && !one.releasing;
        if (holds && one.hold_expiry_ms > 0 && one.hold_expiry_ms < due)
            due = one.hold_expiry_ms;
    }
    setpay_time_ms of_agreement =
        setpay_merchant_agreement_due_ms(purchase, steps, agreement, now_ms);
    due = of_agreement < due ? of_agreement : due;
    return due == INT64_MAX ? 0 : due;
}

/* ------------------------------------------------------------------ inside an operation */

struct standing {
    struct setpay_merchant_purchase purchase;
    struct setpay_merchant_steps *steps;
    struct setpay_merchant_agreement agreement;
};

static enum setpay_error read_standing(struct setpay_db *db, struct standing *s)
{
    SETPAY_TRY(setpay_merchant_step_list(db, s->purchase.id, &s->steps));
    return setpay_merchant_agreement_read(db, s->purchase.id, &s->agreement);
}

enum setpay_error setpay_merchant_due_keep(struct setpay_db *db,
                                           const struct setpay_merchant_purchase *purchase,
                                           setpay_time_ms now_ms)
{
    struct standing s = {.purchase = *purchase};
    enum setpay_error error = read_standing(db, &s);
    if (error == SETPAY_OK)
        error = setpay_db_run(
            db, "UPDATE purchase SET due_ms = $1 WHERE id = $2",
            SETPAY_DB_INT(setpay_merchant_due_ms(purchase, s.steps, &s.agreement, now_ms)),
            SETPAY_DB_INT(purchase->id));
    free(s.steps);
    return error;
}

/* Whether what is held of it is certain: the step at hand may have left, and its outcome would
 * change that. */
static bool is_certain(struct setpay_merchant_steps *steps,
                       const struct setpay_merchant_authorisation *one)
{
    const struct setpay_merchant_step *first = setpay_merchant_step_first(steps);
    bool changes_held = first != NULL && (first->kind == SETPAY_MERCHANT_STEP_CAPTURE ||
                                          first->kind == SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL ||
                                          first->kind == SETPAY_MERCHANT_STEP_RELEASE);
    return !changes_held || setpay_merchant_authorisation_of(steps, first) != one->step_id;
}

/* What is held although its hold is over: the gateway has given it up, or does so now. */
static enum setpay_error release_ended(struct setpay_db *db, struct standing *s,
                                       setpay_time_ms now_ms)
{
    struct setpay_merchant_authorisation one;
    for (size_t at = 0; setpay_merchant_authorisation_next(&s->purchase, s->steps, &at, &one);) {
        struct setpay_merchant_step stored;
        if (one.releasing || !one.has_cap_token ||
            !setpay_merchant_authorisation_is_over(&one, now_ms))
            continue;
        SETPAY_TRY(setpay_merchant_step_append(
            db, &s->purchase,
            &(struct setpay_merchant_step){.kind = SETPAY_MERCHANT_STEP_RELEASE,
                                           .of_id = one.step_id,
                                           /* all else is refused until then */
                                           .urgent = is_certain(s->steps, &one),
                                           .amount_minor =
                                               setpay_merchant_authorisation_held(&one)},
            now_ms, &stored));
        setpay_log(SETPAY_LOG_INFO, "hold.over", setpay_field_id("xid", &s->purchase.xid),
                   setpay_field_text("order", s->purchase.order_id));
    }
    return SETPAY_OK;
}

/* With the purchase, which tells what follows: pieces that nothing will pay for come back. */
static enum setpay_error end_by_time(struct setpay_db *db, struct standing *s,
                                     setpay_time_ms now_ms)
{
    SETPAY_TRY(setpay_merchant_agreement_update(db, &s->agreement));
    s->purchase.updated_ms = now_ms;
    return setpay_merchant_purchase_update(db, &s->purchase);
}

static enum setpay_error take_next(struct setpay_db *db, struct standing *s, setpay_time_ms now_ms)
{
    struct setpay_merchant_agreement *agreement = &s->agreement;
    struct setpay_merchant_step stored;
    enum setpay_agreement_end before = agreement->ended;
    setpay_merchant_agreement_settle(&s->purchase, now_ms, agreement);
    if (agreement->ended != before)
        return end_by_time(db, s, now_ms);
    int64_t minor = setpay_merchant_agreement_next_minor(&s->purchase, agreement);
    if (agreement->schedule != SETPAY_SCHEDULE_AUTOMATIC || minor <= 0 ||
        setpay_merchant_agreement_check(&s->purchase, s->steps, agreement, minor, now_ms) !=
            SETPAY_OK ||
        setpay_merchant_step_check(&s->purchase, s->steps, SETPAY_MERCHANT_STEP_AUTHORISE, NULL,
                                   minor, now_ms) != SETPAY_OK) /* there is no room for more */
        return SETPAY_OK;
    setpay_log(SETPAY_LOG_INFO, "agreement.due", setpay_field_id("xid", &s->purchase.xid),
               setpay_field_text("order", s->purchase.order_id),
               setpay_field_int("number", agreement->taken_count + 1));
    return setpay_merchant_step_append(
        db, &s->purchase,
        &(struct setpay_merchant_step){
            .kind = SETPAY_MERCHANT_STEP_AUTHORISE, .amount_minor = minor, .sale = true},
        now_ms, &stored);
}

enum setpay_error setpay_merchant_due_act(struct setpay_db *db, const struct setpay_id *xid,
                                          setpay_time_ms now_ms)
{
    struct standing s = {.steps = NULL};
    enum setpay_purchase_state next;
    SETPAY_TRY(setpay_merchant_purchase_find(db, xid, &s.purchase));
    if (setpay_purchase_state_next(s.purchase.state, SETPAY_PURCHASE_STEP, &next) != SETPAY_OK)
        return setpay_db_run(db, "UPDATE purchase SET due_ms = 0 WHERE id = $1",
                             SETPAY_DB_INT(s.purchase.id));
    enum setpay_error error = read_standing(db, &s);
    if (error == SETPAY_OK)
        error = release_ended(db, &s, now_ms);
    if (error == SETPAY_OK && s.agreement.ended == SETPAY_ENDED_NOT && s.agreement.purchase_id != 0)
        error = take_next(db, &s, now_ms);
    free(s.steps);
    return error == SETPAY_OK ? setpay_merchant_due_keep(db, &s.purchase, now_ms) : error;
}

/* ------------------------------------------------------------------ the look */

struct due {
    struct setpay_merchant_dues *owner;
    struct setpay_id xid;
    setpay_time_ms now_ms;
};

struct setpay_merchant_dues {
    struct setpay_merchant_worker *worker;
    struct setpay_timer *timer;
    size_t under_way;
    setpay_time_ms now_ms;
    struct due list[PORTION];
    size_t count;
};

/* Whether the gateway's clock, too, says that this time has come. */
static bool gateway_agrees(struct setpay_merchant_brand *brand, setpay_time_ms due_ms)
{
    int64_t since_boot_ms = atomic_load(&brand->gateway_since_boot_ms);
    if (since_boot_ms != INT64_MIN && setpay_clock_boot_ms() + since_boot_ms >= due_ms)
        return true;
    atomic_store(&brand->gateway_wanted, true);
    return false;
}

static enum setpay_error read_dues(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_dues *dues = arg;
    struct setpay_merchant_worker *worker = dues->worker;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT xid, brand, due_ms FROM purchase"
                                " WHERE due_ms > 0 AND due_ms <= $1 ORDER BY due_ms",
                                SETPAY_DB_INT(dues->now_ms)));
    while (dues->count < PORTION && setpay_db_next(rows)) {
        struct due *due = &dues->list[dues->count];
        char name[SETPAY_WIRE_BRAND_MAX + 1];
        setpay_db_get_id(rows, 0, &due->xid);
        setpay_db_get_text(rows, 1, name, sizeof name);
        struct setpay_merchant_brand *brand = setpay_merchant_find_brand(worker->merchant, name);
        if (brand == NULL || !setpay_merchant_drives(worker, &due->xid) ||
            !gateway_agrees(brand, setpay_db_get_int(rows, 2)))
            continue;
        due->owner = dues;
        due->now_ms = dues->now_ms;
        dues->count++;
    }
    return setpay_db_end(rows);
}

static enum setpay_error write_due(struct setpay_db *db, void *arg)
{
    const struct due *due = arg;
    return setpay_merchant_due_act(db, &due->xid, due->now_ms);
}

static void on_acted(void *arg, enum setpay_error error)
{
    struct due *due = arg;
    struct setpay_merchant_dues *dues = due->owner;
    if (error != SETPAY_OK)
        setpay_log_error(error, "purchase.due", setpay_field_id("xid", &due->xid));
    if (--dues->under_way == 0)
        setpay_timer_start(dues->timer, dues->count == PORTION ? 0 : LOOK_MS);
}

static void look(void *arg)
{
    struct setpay_merchant_dues *dues = arg;
    struct setpay_merchant_worker *worker = dues->worker;
    dues->count = 0;
    dues->now_ms = setpay_clock_now_ms();
    enum setpay_error error =
        worker->draining ? SETPAY_OK : setpay_store_read(worker->reader, read_dues, dues);
    if (error != SETPAY_OK)
        setpay_log_error(error, "purchase.due", setpay_field_int("worker", worker->index));
    for (size_t i = 0; i < dues->count; i++) {
        struct due *due = &dues->list[i];
        if (setpay_store_submit(worker->merchant->store, write_due, on_acted, due,
                                &worker->executor) == SETPAY_OK)
            dues->under_way++;
    }
    if (dues->under_way == 0)
        setpay_timer_start(dues->timer, LOOK_MS);
}

enum setpay_error setpay_merchant_dues_new(struct setpay_merchant_worker *worker,
                                           struct setpay_merchant_dues **dues)
{
    struct setpay_merchant_dues *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->worker = worker;
    enum setpay_error error = setpay_timer_new(worker->loop, look, made, &made->timer);
    if (error != SETPAY_OK) {
        free(made);
        return error;
    }
    setpay_timer_start(made->timer, LOOK_MS);
    *dues = made;
    return SETPAY_OK;
}

void setpay_merchant_dues_free(struct setpay_merchant_dues *dues)
{
    if (dues == NULL)
        return;
    setpay_timer_free(dues->timer);
    free(dues);
}
