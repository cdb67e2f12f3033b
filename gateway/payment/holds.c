/*
 * The sweep: read a portion of what has ended -> decide, sign -> keep each in an operation of its
 * own -> again, until none is left; then sleep until the next hold ends. What can't be ended is
 * passed over for this time, so that it does not stand in the way of the others.
 *
 * What was given up can't be taken back, so that a clock that was set wrong must not do it: the
 * wall clock is compared with the monotonic one, and while it has jumped ahead not long ago, or the
 * daemon has only just started, nothing is ended. Captures are refused by the time of the hold
 * alone, whether the sweep has come or not.
 */
#include "gateway/payment/holds.h"

#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/net/metrics.h"
#include "gateway/clearing/sql_names.h"
#include "gateway/payment/auth.h"
#include "gateway/payment/step.h"

#include <stdlib.h>
#include <string.h>

#define PORTION 32
#define AFTER_FAILURE_MS 5000
#define LOOK_MS 1000  /* longest sleep: what the clock does is seen within that */
#define JUMP_MS 60000 /* more than this ahead of the monotonic clock is a jump */

static struct setpay_metric ended_total = {
    .name = "setpay_gateway_holds_ended_total",
    .help = "Authorisations of which what was not captured was given up when their hold ended.",
    .type = SETPAY_METRIC_COUNTER,
};

/* One payment that is being ended. */
struct ending {
    struct setpay_gateway_holds *owner;
    struct setpay_payment payment;
    struct setpay_kept_card card;
    struct setpay_gateway_reversal reversal;
    struct setpay_made_receipt receipt;
};

struct setpay_gateway_holds {
    struct setpay_gateway *gateway;
    struct setpay_gateway_reversals *reversals;
    struct setpay_executor executor;
    struct setpay_reader *reader;
    struct setpay_timer *timer;
    int64_t settle_ms;
    int64_t ahead_ms;  /* wall clock less monotonic, when it was last looked at */
    int64_t steady_ms; /* monotonic: the clock has gone steadily since then */
    size_t under_way;  /* operations with the store */
    size_t skip;       /* those that could not be ended in this round */
    bool stopped;
    int64_t ids[PORTION];
    size_t count;
    setpay_time_ms next_ms; /* when the next one ends; 0: there is none */
    setpay_time_ms now_ms;
};

/* ------------------------------------------------------------------ pure */

enum setpay_error setpay_hold_end_decide(struct setpay_payment *payment, setpay_time_ms now_ms,
                                         struct setpay_gateway_reversal *reversal)
{
    enum setpay_payment_state next;
    int64_t held = setpay_payment_held(payment);
    if (held <= 0 || now_ms < payment->hold_expiry_ms)
        return SETPAY_E_STATE;
    SETPAY_TRY(setpay_payment_state_next(payment->state, SETPAY_PAYMENT_REVERSE_WHOLE, &next));
    payment->state = next;
    payment->updated_ms = now_ms;
    setpay_payment_release(payment, held);
    *reversal = (struct setpay_gateway_reversal){
        .payment_id = payment->id,
        .partial = next != SETPAY_PAYMENT_REVERSED,
        .amount_minor = held,
        .remaining_minor = payment->approved_minor - payment->reversed_minor,
        .advice = true,
        .created_ms = now_ms,
    };
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ one payment */

/* Nothing of the same instruction is at its issuer. The receipt of what that comes to leaves with
 * its answer: it must not stand behind one of what was given up, which the merchant has not got. */
#define NONE_ASKS                                                                                  \
    " NOT EXISTS (SELECT 1 FROM payment p WHERE p.state = " SETPAY_SQL_ASKING " AND"               \
    " COALESCE(p.first_id, p.id) = COALESCE(payment.first_id, payment.id))"

static void look(void *arg);

static void end(struct ending *ending)
{
    struct setpay_gateway_holds *owner = ending->owner;
    setpay_kept_card_clear(&ending->card);
    setpay_made_receipt_clear(&ending->receipt);
    free(ending);
    if (--owner->under_way == 0 && !owner->stopped)
        setpay_timer_start(owner->timer, 0);
}

/* SETPAY_E_CONFLICT: it is asked for another of its instruction since it was read. */
static enum setpay_error check_none_asks(struct setpay_db *db, int64_t payment_id)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = setpay_db_one(
        db, &rows, "SELECT 1 FROM payment WHERE id = $1 AND" NONE_ASKS, SETPAY_DB_INT(payment_id));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_E_CONFLICT;
    SETPAY_TRY(error);
    return setpay_db_end(rows);
}

static enum setpay_error write_end(struct setpay_db *db, void *arg)
{
    const struct ending *ending = arg;
    struct setpay_payment payment = ending->payment;
    struct setpay_gateway_reversal reversal = ending->reversal;
    SETPAY_TRY(check_none_asks(db, payment.id));
    SETPAY_TRY(setpay_payment_update(db, &payment));
    SETPAY_TRY(setpay_gateway_reversal_insert(db, &reversal));
    return setpay_payment_add_receipt(db, payment.id, &ending->receipt.sealed,
                                      setpay_buffer_view(&ending->receipt.signed_bytes),
                                      payment.updated_ms);
}

static void on_kept(void *arg, enum setpay_error error)
{
    struct ending *ending = arg;
    struct setpay_gateway_holds *owner = ending->owner;
    struct setpay_money amount = ending->payment.amount;
    amount.minor = ending->reversal.amount_minor;
    if (error == SETPAY_OK) {
        setpay_testing_point("hold.ended");
        setpay_metric_add(&ended_total, 0, 0, 1);
        setpay_log(SETPAY_LOG_INFO, "hold.ended", setpay_field_id("xid", &ending->payment.xid),
                   setpay_field_text("state", setpay_payment_state_name(ending->payment.state)),
                   setpay_field_money("amount", &amount));
        setpay_gateway_reversals_wake(owner->reversals);
    } else if (error != SETPAY_E_CONFLICT) { /* that: another was faster; the next look knows */
        owner->skip++;
        setpay_log_error(error, "hold.not_ended", setpay_field_id("xid", &ending->payment.xid));
    }
    end(ending);
}

struct one_row {
    int64_t id;
    struct ending *ending;
};

static enum setpay_error read_one(struct setpay_db *db, void *arg)
{
    struct one_row *row = arg;
    SETPAY_TRY(setpay_payment_load(db, row->id, &row->ending->payment));
    enum setpay_error error = setpay_kept_card_find(db, row->id, &row->ending->card);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_E_CARD_GONE : error;
}

static enum setpay_error make_receipt(struct ending *ending, setpay_time_ms now_ms)
{
    const struct setpay_gateway *gateway = ending->owner->gateway;
    struct setpay_payment *payment = &ending->payment;
    struct setpay_secret back_key = {0};
    struct setpay_keyring *keys = setpay_keys_take(gateway->keys);
    const struct setpay_held *sign = setpay_payment_signer(keys, payment);
    enum setpay_error error =
        sign == NULL ? SETPAY_E_CONFIG
                     : setpay_vault_open_box(gateway->vault, SETPAY_VAULT_BACK_KEY, &payment->xid,
                                             setpay_buffer_view(&ending->card.back_key), &back_key);
    if (error == SETPAY_OK)
        error = setpay_payment_make_receipt(sign, payment, SETPAY_RECEIPT_REVERSAL,
                                            ending->reversal.amount_minor, &back_key, now_ms,
                                            &ending->receipt);
    setpay_secret_clear(&back_key);
    setpay_keyring_unref(keys);
    return error;
}

static void end_one(struct setpay_gateway_holds *holds, int64_t id)
{
    struct ending *ending = calloc(1, sizeof *ending);
    struct one_row row = {.id = id, .ending = ending};
    if (ending == NULL) {
        holds->skip++;
        return;
    }
    ending->owner = holds;
    setpay_kept_card_init(&ending->card);
    setpay_made_receipt_init(&ending->receipt);
    holds->under_way++;
    enum setpay_error error = setpay_store_read(holds->reader, read_one, &row);
    if (error == SETPAY_OK)
        error = setpay_hold_end_decide(&ending->payment, holds->now_ms, &ending->reversal);
    if (error == SETPAY_OK)
        error = make_receipt(ending, holds->now_ms);
    if (error == SETPAY_OK)
        error = setpay_store_submit(holds->gateway->store, write_end, on_kept, ending,
                                    &holds->executor);
    if (error != SETPAY_OK)
        on_kept(ending, error);
}

/* ------------------------------------------------------------------ the sweep */

/* Whether the clock may be believed now. */
static bool is_steady(struct setpay_gateway_holds *holds)
{
    int64_t monotonic_ms = setpay_clock_monotonic_ms();
    holds->now_ms = setpay_clock_now_ms();
    int64_t ahead_ms = holds->now_ms - monotonic_ms;
    if (ahead_ms - holds->ahead_ms > JUMP_MS) {
        setpay_log(SETPAY_LOG_WARN, "hold.clock_jumped",
                   setpay_field_int("ahead_ms", ahead_ms - holds->ahead_ms),
                   setpay_field_int("waiting_ms", holds->settle_ms));
        holds->steady_ms = monotonic_ms;
    }
    holds->ahead_ms = ahead_ms;
    return monotonic_ms - holds->steady_ms >= holds->settle_ms;
}

static enum setpay_error read_portion(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_holds *holds = arg;
    struct setpay_db_rows *rows;
    holds->count = 0;
    holds->next_ms = 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT id, hold_expiry_ms FROM payment"
                                " WHERE " SETPAY_PAYMENT_IS_HELD " AND" NONE_ASKS
                                " ORDER BY hold_expiry_ms, id LIMIT $1 OFFSET $2",
                                SETPAY_DB_INT(PORTION), SETPAY_DB_INT((int64_t)holds->skip)));
    while (setpay_db_next(rows) && holds->next_ms == 0) {
        int64_t expiry_ms = setpay_db_get_int(rows, 1);
        if (expiry_ms > holds->now_ms)
            holds->next_ms = expiry_ms;
        else
            holds->ids[holds->count++] = setpay_db_get_int(rows, 0);
    }
    return setpay_db_end(rows);
}

static int64_t sleep_of(const struct setpay_gateway_holds *holds)
{
    int64_t rest_ms = holds->next_ms - holds->now_ms;
    return holds->next_ms == 0 || rest_ms > LOOK_MS ? LOOK_MS : rest_ms;
}

static void look(void *arg)
{
    struct setpay_gateway_holds *holds = arg;
    if (holds->stopped || holds->under_way > 0)
        return;
    if (!is_steady(holds)) {
        setpay_timer_start(holds->timer, holds->settle_ms < LOOK_MS ? holds->settle_ms : LOOK_MS);
        return;
    }
    enum setpay_error error = setpay_store_read(holds->reader, read_portion, holds);
    if (error != SETPAY_OK) {
        setpay_log_error(error, "hold.not_read", setpay_field_text("area", "holds"));
        setpay_timer_start(holds->timer, AFTER_FAILURE_MS);
        return;
    }
    if (holds->count == 0) {
        setpay_timer_start(holds->timer, holds->skip > 0 ? AFTER_FAILURE_MS : sleep_of(holds));
        holds->skip = 0;
        return;
    }
    holds->under_way++; /* this look itself, so that the next one begins once all have ended */
    for (size_t i = 0; i < holds->count; i++)
        end_one(holds, holds->ids[i]);
    if (--holds->under_way == 0)
        setpay_timer_start(holds->timer, 0);
}

/* ------------------------------------------------------------------ its life */

enum setpay_error setpay_gateway_holds_new(struct setpay_gateway *gateway, struct setpay_loop *loop,
                                           struct setpay_gateway_reversals *reversals,
                                           int64_t settle_ms, struct setpay_gateway_holds **holds)
{
    struct setpay_gateway_holds *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->gateway = gateway;
    made->reversals = reversals;
    made->executor = setpay_loop_executor(loop);
    made->settle_ms = settle_ms;
    made->steady_ms = setpay_clock_monotonic_ms();
    made->ahead_ms = setpay_clock_now_ms() - made->steady_ms;
    enum setpay_error error = setpay_reader_new(gateway->store, &made->reader);
    if (error == SETPAY_OK)
        error = setpay_timer_new(loop, look, made, &made->timer);
    if (error != SETPAY_OK) {
        setpay_gateway_holds_free(made);
        return error;
    }
    setpay_timer_start(made->timer, 0);
    *holds = made;
    return SETPAY_OK;
}

void setpay_gateway_holds_stop(struct setpay_gateway_holds *holds)
{
    holds->stopped = true;
    setpay_timer_stop(holds->timer);
}

void setpay_gateway_holds_free(struct setpay_gateway_holds *holds)
{
    if (holds == NULL)
        return;
    setpay_timer_free(holds->timer);
    setpay_reader_free(holds->reader);
    free(holds);
}

enum setpay_error setpay_gateway_register_hold_metrics(void)
{
    return setpay_metric_register(&ended_total);
}
