/*
 * Store and forward of reversals.
 *
 * The table is the queue: a row is inserted in the operation that decided on the reversal, and
 * marked in an operation of its own when the network has acknowledged. In between the network
 * repeats it by itself; after a restart all open rows are handed in again, marked as repeats, which
 * the issuer takes for the same reversal.
 */
#include "gateway/payment/reversal.h"

#include "common/base/log.h"
#include "common/store/answers.h"
#include "gateway/payment/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 250
#define BATCH 256

struct setpay_gateway_reversals {
    struct setpay_gateway *gateway;
    struct setpay_loop *loop;
    struct setpay_executor executor;
    struct setpay_reader *reader;
    struct setpay_timer *timer; /* tries again what could not be handed in */
    int64_t handed_in;          /* rows up to this id are with the network */
    bool first;                 /* what is read now may have been sent in an earlier life */
};

/* One reversal that the network has. */
struct under_way {
    struct setpay_gateway_reversals *owner;
    int64_t id;
    char response_code[3];
    int64_t sent_count;
    struct under_way *next;
    struct setpay_timer *timer;
};

void setpay_acceptor_fill(const struct setpay_gateway_merchant *merchant,
                          struct setpay_network_acceptor *acceptor)
{
    snprintf(acceptor->id, sizeof acceptor->id, "%.15s", merchant->id);
    snprintf(acceptor->name, sizeof acceptor->name, "%s", merchant->name);
    acceptor->category = merchant->category;
}

/* ------------------------------------------------------------------ acknowledged */

static void submit_acknowledgement(void *arg);

static void end(struct under_way *reversal)
{
    setpay_timer_free(reversal->timer);
    free(reversal);
}

static enum setpay_error write_acknowledgement(struct setpay_db *db, void *arg)
{
    struct under_way *reversal = arg;
    return setpay_gateway_reversal_acknowledge(db, reversal->id, reversal->response_code,
                                               reversal->sent_count, setpay_clock_now_ms());
}

static void on_acknowledgement_kept(void *arg, enum setpay_error error)
{
    struct under_way *reversal = arg;
    if (error == SETPAY_OK)
        setpay_log(SETPAY_LOG_INFO, "reversal.acknowledged",
                   setpay_field_int("reversal", reversal->id),
                   setpay_field_text("response", reversal->response_code),
                   setpay_field_int("sent", reversal->sent_count));
    else
        setpay_log_error(error, "reversal.not_marked", setpay_field_int("reversal", reversal->id));
    end(reversal);
}

static void submit_acknowledgement(void *arg)
{
    struct under_way *reversal = arg;
    struct setpay_gateway_reversals *owner = reversal->owner;
    enum setpay_error error =
        setpay_store_submit(owner->gateway->store, write_acknowledgement, on_acknowledgement_kept,
                            reversal, &owner->executor);
    if (error == SETPAY_OK)
        return;
    if (error == SETPAY_E_BUSY &&
        (reversal->timer != NULL || setpay_timer_new(owner->loop, submit_acknowledgement, reversal,
                                                     &reversal->timer) == SETPAY_OK)) {
        setpay_timer_start(reversal->timer, RETRY_MS);
        return;
    }
    end(reversal); /* the row stays open, and is handed in again at the next start */
}

static void on_acknowledged(void *arg, const struct setpay_network_acknowledgement *ack)
{
    struct under_way *reversal = arg;
    if (!ack->acknowledged) {
        end(reversal);
        return;
    }
    memcpy(reversal->response_code, ack->response_code, sizeof reversal->response_code);
    reversal->sent_count = ack->sent_count;
    submit_acknowledgement(reversal);
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
    if (open->count < BATCH)
        open->rows[open->count++] = *reversal;
    return SETPAY_OK;
}

static enum setpay_error read_open(struct setpay_db *db, void *arg)
{
    struct open_rows *open = arg;
    return setpay_gateway_reversal_each_open(db, open->after, collect, open);
}

struct one_row {
    const struct setpay_gateway_reversal *reversal;
    struct setpay_payment payment;
    struct setpay_gateway_merchant merchant;
    struct setpay_kept_card card;
};

static enum setpay_error read_one(struct setpay_db *db, void *arg)
{
    struct one_row *row = arg;
    SETPAY_TRY(setpay_payment_load(db, row->reversal->payment_id, &row->payment));
    SETPAY_TRY(setpay_gateway_merchant_find(db, row->payment.brand, row->payment.merchant_id,
                                            &row->merchant));
    return setpay_kept_card_find(db, row->payment.id, &row->card);
}

static enum setpay_error fill(const struct setpay_gateway_reversals *reversals,
                              const struct one_row *row, struct setpay_network_reversal *request)
{
    const struct setpay_vault *vault = reversals->gateway->vault;
    const struct setpay_payment *payment = &row->payment;
    request->original =
        (struct setpay_network_trace){.stan = payment->stan, .time = payment->trace_ms};
    request->amount = payment->amount;
    /* A partial approval is held for less than was asked: the whole hold is what is reversed. */
    if (payment->approved_minor > 0)
        request->amount.minor = payment->approved_minor;
    request->partial = row->reversal->partial;
    request->remaining_minor = row->reversal->remaining_minor;
    memcpy(request->approval_code, payment->approval_code, sizeof request->approval_code);
    request->xid = payment->xid;
    request->pomd = payment->pomd;
    request->repeated = reversals->first;
    setpay_acceptor_fill(&row->merchant, &request->acceptor);
    SETPAY_TRY(setpay_vault_open_box(vault, SETPAY_VAULT_PAN, &payment->xid,
                                     setpay_buffer_view(&row->card.pan), &request->pan));
    return setpay_vault_open_box(vault, SETPAY_VAULT_EXPIRY, &payment->xid,
                                 setpay_buffer_view(&row->card.expiry), &request->expiry);
}

static enum setpay_error hand_in(struct setpay_gateway_reversals *reversals,
                                 const struct setpay_gateway_reversal *reversal)
{
    struct one_row row = {.reversal = reversal};
    struct setpay_network_reversal request = {0};
    struct under_way *state = calloc(1, sizeof *state);
    setpay_kept_card_init(&row.card);
    if (state == NULL)
        return SETPAY_E_NOMEM;
    state->owner = reversals;
    state->id = reversal->id;
    enum setpay_error error = setpay_store_read(reversals->reader, read_one, &row);
    if (error == SETPAY_OK)
        error = fill(reversals, &row, &request);
    if (error == SETPAY_OK)
        error = setpay_network_reverse(reversals->gateway->network, &request, &reversals->executor,
                                       on_acknowledged, state, NULL);
    if (error == SETPAY_OK) {
        setpay_log(SETPAY_LOG_INFO, "reversal.handed_in",
                   setpay_field_int("reversal", reversal->id),
                   setpay_field_id("xid", &row.payment.xid));
    } else {
        free(state);
    }
    setpay_network_reversal_clear(&request);
    setpay_kept_card_clear(&row.card);
    return error;
}

static void look(void *arg)
{
    struct setpay_gateway_reversals *reversals = arg;
    struct open_rows *open = calloc(1, sizeof *open);
    if (open == NULL) {
        setpay_timer_start(reversals->timer, RETRY_MS);
        return;
    }
    open->after = reversals->handed_in;
    enum setpay_error error = setpay_store_read(reversals->reader, read_open, open);
    for (size_t i = 0; error == SETPAY_OK && i < open->count; i++) {
        error = hand_in(reversals, &open->rows[i]);
        if (error != SETPAY_OK)
            setpay_log_error(error, "reversal.not_handed_in",
                             setpay_field_int("reversal", open->rows[i].id));
        if (error != SETPAY_E_BUSY && error != SETPAY_E_NOMEM && error != SETPAY_E_DRAINING) {
            /* Handed in, or never will be (no such card any more): on to the next one. */
            reversals->handed_in = open->rows[i].id;
            error = SETPAY_OK;
        }
    }
    bool more = open->count == BATCH;
    free(open);
    if (error != SETPAY_OK && error != SETPAY_E_DRAINING)
        setpay_timer_start(reversals->timer, RETRY_MS);
    else if (more)
        setpay_timer_start(reversals->timer, 0);
    else
        reversals->first = false;
}

void setpay_gateway_reversals_wake(struct setpay_gateway_reversals *reversals)
{
    /* Where the mailbox is full the row is found by the next look that is posted, or at the start.
     */
    enum setpay_error error = setpay_loop_post(reversals->loop, look, reversals);
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
    made->loop = loop;
    made->executor = setpay_loop_executor(loop);
    made->first = true;
    enum setpay_error error = setpay_reader_new(gateway->store, &made->reader);
    if (error == SETPAY_OK)
        error = setpay_timer_new(loop, look, made, &made->timer);
    if (error != SETPAY_OK) {
        setpay_gateway_reversals_free(made);
        return error;
    }
    setpay_timer_start(made->timer, 0);
    *reversals = made;
    return SETPAY_OK;
}

void setpay_gateway_reversals_free(struct setpay_gateway_reversals *reversals)
{
    if (reversals == NULL)
        return;
    setpay_timer_free(reversals->timer);
    setpay_reader_free(reversals->reader);
    free(reversals);
}
