/*
 * Store and forward of reversals, and of advices of what was approved in an issuer's stead.
 *
 * The table is the queue: a row is inserted in the operation that decided on the reversal, and
 * marked in an operation of its own when the network has acknowledged. In between the network
 * repeats it by itself; after a restart all open rows are handed in again, marked as repeats, which
 * the issuer takes for the same reversal.
 *
 * Of one payment only one is with the network: first its advice, without which the issuer knows of
 * nothing that could be reversed; then the oldest open reversal: each says what stays authorised,
 * so that one which is repeated must not overtake a later one.
 */
#include "gateway/payment/reversal.h"

#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/net/metrics.h"
#include "common/store/answers.h"
#include "gateway/clearing/settlement.h"
#include "gateway/payment/auth.h"
#include "gateway/payment/stand_in.h"
#include "gateway/payment/store_forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 256
#define BUCKETS 1024

/* Of advices, with the network: reversals must find room beside them. Their limits at an issuer
 * keep most gateways far below. */
#define ADVICES_AT_ONCE 1024

static const char *const results[] = {"taken", "refused", NULL};
static struct setpay_metric advices_total = {
    .name = "setpay_gateway_advices_total",
    .help = "Advices of what was approved in an issuer's stead that it has answered, by whether it "
            "takes it.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"result", results}},
};
static struct setpay_metric unsendable_total = {
    .name = "setpay_gateway_advices_unsendable_total",
    .help = "Advices since the start that can't be given to the network, however often.",
    .type = SETPAY_METRIC_COUNTER,
};

struct under_way;

struct setpay_gateway_reversals {
    struct setpay_forward forward;
    struct setpay_gateway *gateway;
    int64_t handed_in;   /* rows up to this id are with the network, or behind one that is */
    int64_t advised;     /* so of advices */
    size_t advice_count; /* with the network */
    bool first;          /* what is read now may have been sent in an earlier life */
    bool first_advices;  /* so of advices, of which not all may find room at once */
    setpay_gateway_advised_fn *advised_cb;
    void *advised_arg;
    struct under_way *buckets[BUCKETS]; /* what the network has, by payment */
};

/* One reversal, or advice, that the network has. */
struct under_way {
    struct setpay_forwarded forwarded; /* first */
    struct setpay_gateway_reversals *owner;
    bool is_advice;
    int64_t id; /* in its table */
    int64_t payment_id;
    char response_code[3];
    int64_t sent_count;
    struct under_way *next; /* in its bucket */
};

enum setpay_error setpay_acceptor_fill(const struct setpay_gateway_merchant *merchant,
                                       struct setpay_network_acceptor *acceptor)
{
    char id[sizeof acceptor->id];
    snprintf(id, sizeof id, "%.*s", (int)sizeof id - 1, merchant->id);
    return setpay_network_acceptor_set(acceptor, id, merchant->name, merchant->category);
}

/* ------------------------------------------------------------------ acknowledged */

static void hand_in_next(struct setpay_gateway_reversals *reversals, int64_t payment_id);

static struct under_way **bucket_of(struct setpay_gateway_reversals *reversals, int64_t payment_id)
{
    return &reversals->buckets[(uint64_t)payment_id % BUCKETS];
}

static bool is_under_way(struct setpay_gateway_reversals *reversals, int64_t payment_id)
{
    const struct under_way *at = *bucket_of(reversals, payment_id);
    while (at != NULL && at->payment_id != payment_id)
        at = at->next;
    return at != NULL;
}

static void end(struct under_way *reversal)
{
    struct under_way **at = bucket_of(reversal->owner, reversal->payment_id);
    while (*at != NULL && *at != reversal)
        at = &(*at)->next;
    if (*at != NULL)
        *at = reversal->next;
    if (reversal->is_advice)
        reversal->owner->advice_count--;
    free(reversal);
}

static enum setpay_error write_acknowledgement(struct setpay_db *db, void *arg)
{
    struct under_way *reversal = arg;
    if (reversal->is_advice)
        return setpay_stand_in_answer(db, reversal->id, reversal->response_code,
                                      reversal->sent_count, setpay_clock_now_ms());
    return setpay_gateway_reversal_acknowledge(db, reversal->id, reversal->response_code,
                                               reversal->sent_count, setpay_clock_now_ms());
}

/* Until it is kept, what else there is of its payment waits behind it. */
static void on_kept_later(const struct setpay_forwarded *one, enum setpay_error error,
                          int64_t again_ms)
{
    const struct under_way *reversal = (const struct under_way *)one;
    setpay_log_error(error, "reversal.kept_later", setpay_field_int("reversal", reversal->id),
                     setpay_field_int("again_in_ms", again_ms));
}

/* What an issuer refuses stays what it was to merchant and cardholder: captured, it is presented,
 * and falls to suspense where the issuer does not take that either. */
static void log_answer(const struct under_way *reversal)
{
    bool taken = setpay_presentment_is_taken(reversal->response_code);
    if (!reversal->is_advice) {
        setpay_log(SETPAY_LOG_INFO, "reversal.acknowledged",
                   setpay_field_int("reversal", reversal->id),
                   setpay_field_text("response", reversal->response_code),
                   setpay_field_int("sent", reversal->sent_count));
        return;
    }
    setpay_metric_add(&advices_total, taken ? 0 : 1, 0, 1);
    setpay_log(taken ? SETPAY_LOG_INFO : SETPAY_LOG_ERROR,
               taken ? "advice.taken" : "advice.refused", setpay_field_int("advice", reversal->id),
               setpay_field_int("payment", reversal->payment_id),
               setpay_field_text("response", reversal->response_code),
               setpay_field_int("sent", reversal->sent_count));
}

static void on_acknowledgement_kept(struct setpay_forwarded *one, enum setpay_error error)
{
    struct under_way *reversal = (struct under_way *)one;
    struct setpay_gateway_reversals *owner = reversal->owner;
    int64_t payment_id = reversal->payment_id;
    bool is_advice = reversal->is_advice;
    if (error != SETPAY_OK) {
        setpay_log_error(error, is_advice ? "advice.not_marked" : "reversal.not_marked",
                         setpay_field_int(is_advice ? "advice" : "reversal", reversal->id));
        end(reversal);
        return;
    }
    log_answer(reversal);
    end(reversal);
    if (owner->forward.is_stopped)
        return;
    hand_in_next(owner, payment_id);
    if (is_advice && owner->advised_cb != NULL)
        owner->advised_cb(owner->advised_arg, payment_id);
    if (is_advice && owner->advice_count == ADVICES_AT_ONCE - 1)
        setpay_timer_start(owner->forward.timer, 0); /* others may have waited for that place */
}

static void on_dropped(struct setpay_forwarded *one)
{
    end((struct under_way *)one);
}

static const struct setpay_forward_way way = {.write_cb = write_acknowledgement,
                                              .later_cb = on_kept_later,
                                              .kept_cb = on_acknowledgement_kept,
                                              .drop_cb = on_dropped};

static void on_acknowledged(void *arg, const struct setpay_network_acknowledgement *ack)
{
    struct under_way *reversal = arg;
    if (!ack->acknowledged) {
        end(reversal);
        return;
    }
    if (reversal->is_advice)
        setpay_testing_point("advice.answered");
    memcpy(reversal->response_code, ack->response_code, sizeof reversal->response_code);
    reversal->sent_count = ack->sent_count;
    setpay_forward_keep(&reversal->forwarded);
}

/* ------------------------------------------------------------------ handing in */

struct open_rows {
    struct setpay_db *db;
    int64_t after;
    struct setpay_gateway_reversal rows[BATCH];
    size_t count;
};

static enum setpay_error collect(void *arg, const struct setpay_gateway_reversal *reversal)
{
    struct open_rows *open = arg;
    open->rows[open->count++] = *reversal;
    return open->count < BATCH ? SETPAY_OK : SETPAY_E_TOO_BIG; /* ends the walk */
}

static enum setpay_error read_open(struct setpay_db *db, void *arg)
{
    struct open_rows *open = arg;
    enum setpay_error error = setpay_gateway_reversal_each_open(db, open->after, collect, open);
    return error == SETPAY_E_TOO_BIG ? SETPAY_OK : error;
}

struct one_row {
    int64_t payment_id;
    struct setpay_payment payment;
    struct setpay_gateway_merchant merchant;
    struct setpay_kept_card card;
};

static enum setpay_error read_one(struct setpay_db *db, void *arg)
{
    struct one_row *row = arg;
    SETPAY_TRY(setpay_payment_load(db, row->payment_id, &row->payment));
    SETPAY_TRY(setpay_gateway_merchant_find(db, row->payment.brand, row->payment.merchant_id,
                                            &row->merchant));
    return setpay_kept_card_find(db, row->payment.id, &row->card);
}

static enum setpay_error open_card(const struct setpay_gateway_reversals *reversals,
                                   const struct one_row *row, struct setpay_secret *pan,
                                   struct setpay_secret *expiry)
{
    const struct setpay_vault *vault = reversals->gateway->vault;
    SETPAY_TRY(setpay_vault_open_box(vault, SETPAY_VAULT_PAN, &row->payment.xid,
                                     setpay_buffer_view(&row->card.pan), pan));
    return setpay_vault_open_box(vault, SETPAY_VAULT_EXPIRY, &row->payment.xid,
                                 setpay_buffer_view(&row->card.expiry), expiry);
}

enum setpay_network_original setpay_payment_approved_by(const struct setpay_payment *payment)
{
    return payment->stands_in ? SETPAY_NETWORK_BY_STAND_IN
           : payment->is_sale ? SETPAY_NETWORK_BY_SALE
                              : SETPAY_NETWORK_BY_ISSUER;
}

static enum setpay_error fill(const struct setpay_gateway_reversals *reversals,
                              const struct setpay_gateway_reversal *reversal,
                              const struct one_row *row, struct setpay_network_reversal *request)
{
    const struct setpay_payment *payment = &row->payment;
    memcpy(request->issuer, payment->issuer, sizeof request->issuer);
    request->original =
        (struct setpay_network_trace){.stan = payment->stan, .time = payment->trace_ms};
    request->amount = payment->amount;
    /* A partial approval is held for less than was asked: the whole hold is what is reversed. */
    if (payment->approved_minor > 0)
        request->amount.minor = payment->approved_minor;
    request->partial = reversal->partial;
    request->remaining_minor = reversal->remaining_minor;
    memcpy(request->approval_code, payment->approval_code, sizeof request->approval_code);
    request->xid = payment->xid;
    request->pomd = payment->pomd;
    request->by = setpay_payment_approved_by(payment);
    request->period = reversal->period;
    request->advises = reversal->advice;
    request->repeated = reversals->first;
    SETPAY_TRY(setpay_acceptor_fill(&row->merchant, &request->acceptor));
    return open_card(reversals, row, &request->pan, &request->expiry);
}

/* Without the security code, which is kept nowhere (rule G7), and what was given of an address. */
static enum setpay_error fill_advice(const struct setpay_gateway_reversals *reversals,
                                     const struct one_row *row,
                                     struct setpay_network_authorisation *advice)
{
    const struct setpay_payment *payment = &row->payment;
    *advice = (struct setpay_network_authorisation){
        .trace = {.stan = payment->stan, .time = payment->trace_ms},
        .amount = payment->amount,
        .ecommerce_indicator = "05", /* the cardholder was authenticated */
        .xid = payment->xid,
        .pomd = payment->pomd,
    };
    advice->amount.minor = payment->approved_minor;
    memcpy(advice->issuer, payment->issuer, sizeof advice->issuer);
    memcpy(advice->approval_code, payment->approval_code, sizeof advice->approval_code);
    SETPAY_TRY(setpay_acceptor_fill(&row->merchant, &advice->acceptor));
    return open_card(reversals, row, &advice->pan, &advice->expiry);
}

static enum setpay_error send_reversal(struct setpay_gateway_reversals *reversals,
                                       const struct setpay_gateway_reversal *reversal,
                                       const struct one_row *row, struct under_way *state)
{
    struct setpay_network_reversal request = {0};
    enum setpay_error error = fill(reversals, reversal, row, &request);
    if (error == SETPAY_OK)
        error = setpay_network_reverse(reversals->gateway->network, &request,
                                       &reversals->forward.executor, on_acknowledged, state, NULL);
    setpay_network_reversal_clear(&request);
    return error;
}

static enum setpay_error send_advice(struct setpay_gateway_reversals *reversals,
                                     const struct one_row *row, struct under_way *state)
{
    struct setpay_network_authorisation advice = {.is_sale = false};
    enum setpay_error error = fill_advice(reversals, row, &advice);
    if (error == SETPAY_OK)
        error =
            setpay_network_advise(reversals->gateway->network, &advice, reversals->first_advices,
                                  &reversals->forward.executor, on_acknowledged, state);
    setpay_network_authorisation_clear(&advice);
    return error;
}

/* reversal NULL: the advice of that id. */
static enum setpay_error hand_in_one(struct setpay_gateway_reversals *reversals,
                                     const struct setpay_gateway_reversal *reversal, int64_t id,
                                     int64_t payment_id)
{
    struct one_row row = {.payment_id = payment_id};
    struct under_way *state = calloc(1, sizeof *state);
    if (state == NULL)
        return SETPAY_E_NOMEM;
    setpay_kept_card_init(&row.card);
    state->forwarded.forward = &reversals->forward;
    state->owner = reversals;
    state->is_advice = reversal == NULL;
    state->id = id;
    state->payment_id = payment_id;
    enum setpay_error error = setpay_store_read(reversals->forward.reader, read_one, &row);
    if (error == SETPAY_OK)
        error = state->is_advice ? send_advice(reversals, &row, state)
                                 : send_reversal(reversals, reversal, &row, state);
    if (error == SETPAY_OK) {
        struct under_way **bucket = bucket_of(reversals, state->payment_id);
        state->next = *bucket;
        *bucket = state;
        reversals->advice_count += state->is_advice ? 1 : 0;
        setpay_log(SETPAY_LOG_INFO, state->is_advice ? "advice.handed_in" : "reversal.handed_in",
                   setpay_field_int(state->is_advice ? "advice" : "reversal", id),
                   setpay_field_id("xid", &row.payment.xid));
    } else {
        free(state);
    }
    setpay_kept_card_clear(&row.card);
    return error;
}

static enum setpay_error hand_in(struct setpay_gateway_reversals *reversals,
                                 const struct setpay_gateway_reversal *reversal)
{
    return hand_in_one(reversals, reversal, reversal->id, reversal->payment_id);
}

/* Hands in the next rows; *more where there may be others behind them. */
static enum setpay_error hand_in_batch(struct setpay_gateway_reversals *reversals, bool *more)
{
    struct open_rows *open = calloc(1, sizeof *open);
    if (open == NULL)
        return SETPAY_E_NOMEM;
    open->after = reversals->handed_in;
    enum setpay_error error = setpay_store_read(reversals->forward.reader, read_open, open);
    for (size_t i = 0; error == SETPAY_OK && i < open->count; i++) {
        if (!is_under_way(reversals, open->rows[i].payment_id))
            error = hand_in(reversals, &open->rows[i]);
        if (error != SETPAY_OK)
            setpay_log_error(error, "reversal.not_handed_in",
                             setpay_field_int("reversal", open->rows[i].id));
        if (!setpay_forward_may_pass(error)) {
            reversals->handed_in = open->rows[i].id;
            error = SETPAY_OK;
        }
    }
    *more = open->count == BATCH;
    free(open);
    return error;
}

struct next_advice {
    int64_t after;
    struct setpay_stand_in_row row;
};

static enum setpay_error read_next_advice(struct setpay_db *db, void *arg)
{
    struct next_advice *next = arg;
    return setpay_stand_in_next_open(db, next->after, &next->row);
}

/* Hands in the next advices, as many as there is room for. */
static enum setpay_error hand_in_advices(struct setpay_gateway_reversals *reversals)
{
    while (reversals->advice_count < ADVICES_AT_ONCE) {
        struct next_advice next = {.after = reversals->advised};
        enum setpay_error error =
            setpay_store_read(reversals->forward.reader, read_next_advice, &next);
        if (error == SETPAY_E_NOT_FOUND) {
            reversals->first_advices = false;
            return SETPAY_OK;
        }
        SETPAY_TRY(error);
        error = hand_in_one(reversals, NULL, next.row.id, next.row.payment_id);
        if (error != SETPAY_OK)
            setpay_log_error(error, "advice.not_handed_in",
                             setpay_field_int("advice", next.row.id));
        if (setpay_forward_may_pass(error))
            return error;
        if (error != SETPAY_OK)
            setpay_metric_add(&unsendable_total, 0, 0, 1);
        reversals->advised = next.row.id;
    }
    return SETPAY_OK;
}

struct next_open {
    int64_t payment_id;
    struct setpay_gateway_reversal reversal;
};

static enum setpay_error read_next(struct setpay_db *db, void *arg)
{
    struct next_open *next = arg;
    return setpay_gateway_reversal_first_open(db, next->payment_id, &next->reversal);
}

/* One of its reversals is acknowledged: the one that waited behind it, if any. */
static void hand_in_next(struct setpay_gateway_reversals *reversals, int64_t payment_id)
{
    struct next_open next = {.payment_id = payment_id};
    enum setpay_error error = setpay_store_read(reversals->forward.reader, read_next, &next);
    if (error == SETPAY_E_NOT_FOUND)
        return;
    if (error == SETPAY_OK)
        error = hand_in(reversals, &next.reversal);
    if (error == SETPAY_OK)
        return;
    setpay_log_error(error, "reversal.not_handed_in",
                     setpay_field_int("reversal", next.reversal.id));
    /* The next look begins there again; what is under way is not handed in twice. */
    if (setpay_forward_may_pass(error) && next.reversal.id == 0)
        reversals->handed_in = 0; /* which one it is could not be read */
    else if (setpay_forward_may_pass(error) && next.reversal.id <= reversals->handed_in)
        reversals->handed_in = next.reversal.id - 1;
}

static void look(void *arg)
{
    struct setpay_gateway_reversals *reversals = arg;
    bool more = false;
    if (reversals->forward.is_stopped)
        return;
    setpay_forward_keep_unkept(&reversals->forward);
    enum setpay_error error = hand_in_advices(reversals);
    if (error == SETPAY_OK)
        error = hand_in_batch(reversals, &more);
    if (error == SETPAY_OK && !more)
        reversals->first = false;
    setpay_forward_look_again(&reversals->forward, error, more);
}

void setpay_gateway_reversals_wake(struct setpay_gateway_reversals *reversals)
{
    /* Where the mailbox is full the timer's next look finds the row. */
    enum setpay_error error = setpay_loop_post(reversals->forward.loop, look, reversals);
    if (error != SETPAY_OK)
        setpay_log_error(error, "reversal.not_woken", setpay_field_text("area", "reversal"));
}

enum setpay_error setpay_gateway_reversals_new(struct setpay_gateway *gateway,
                                               struct setpay_loop *loop,
                                               struct setpay_gateway_reversals **reversals)
{
    struct setpay_gateway_reversals *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->gateway = gateway;
    made->first = made->first_advices = true;
    enum setpay_error error = setpay_metric_register(&advices_total);
    if (error == SETPAY_OK)
        error = setpay_metric_register(&unsendable_total);
    if (error == SETPAY_OK)
        error = setpay_forward_open(&made->forward, &way, gateway->store, loop, look, made);
    if (error != SETPAY_OK) {
        setpay_gateway_reversals_free(made);
        return error;
    }
    setpay_timer_start(made->forward.timer, 0);
    *reversals = made;
    return SETPAY_OK;
}

void setpay_gateway_reversals_tell(struct setpay_gateway_reversals *reversals,
                                   setpay_gateway_advised_fn *advised, void *arg)
{
    reversals->advised_cb = advised;
    reversals->advised_arg = arg;
}

void setpay_gateway_reversals_stop(struct setpay_gateway_reversals *reversals)
{
    setpay_forward_stop(&reversals->forward);
}

void setpay_gateway_reversals_free(struct setpay_gateway_reversals *reversals)
{
    if (reversals == NULL)
        return;
    setpay_forward_close(&reversals->forward);
    free(reversals);
}
