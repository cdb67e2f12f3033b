/*
 * The course of reconciliations, one round after the other:
 *
 *     cut what is due -> add up what was cut: one operation -> hand in what is open -> pause
 *
 * There is no operation where there is nothing to write. After a restart all open rows
 * are handed in again, marked as repeats; an issuer answers a repeat with the same totals.
 */
#include "gateway/clearing/reconciler.h"

#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/net/metrics.h"
#include "gateway/clearing/reconciliation.h"
#include "gateway/payment/store_forward.h"

#include <stdlib.h>
#include <string.h>

#define ROUND_MS 1000 /* the pause between two looks */

static const char *const results[] = {"in_balance", "out_of_balance", "refused", NULL};
static struct setpay_metric reconciliations_total = {
    .name = "setpay_gateway_reconciliations_total",
    .help = "Totals that were compared with an issuer's own, by how that ended.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"result", results}},
};

struct setpay_gateway_reconciler {
    struct setpay_forward forward; /* whose looks are rounds */
    struct setpay_gateway *gateway;
    int64_t cut_minutes;
    int64_t handed_in; /* rows up to this id are with the network, or can't be */
    int64_t first_end; /* up to here they may have been sent in an earlier life */
    bool running;      /* a round's operation is with the store */
    char issuers[SETPAY_NETWORK_ROUTES_MAX][SETPAY_NETWORK_NAME_SIZE];
    size_t issuer_count;
    /* of the round */
    bool due;
    size_t cut_count;
};

/* One that the network has. */
struct asked {
    struct setpay_forwarded forwarded; /* first */
    struct setpay_reconciliation row;
    int64_t sent_count;
};

/* ------------------------------------------------------------------ pure */

enum setpay_error setpay_reconciler_parse_time(const char *text, int64_t *minutes)
{
    if (strlen(text) != 5 || text[2] != ':')
        return SETPAY_E_INVALID;
    for (size_t i = 0; i < 5; i++) {
        if (i != 2 && (text[i] < '0' || text[i] > '9'))
            return SETPAY_E_INVALID;
    }
    int hour = (text[0] - '0') * 10 + text[1] - '0';
    int minute = (text[3] - '0') * 10 + text[4] - '0';
    if (hour > 23 || minute > 59)
        return SETPAY_E_INVALID;
    *minutes = hour * 60 + minute;
    return SETPAY_OK;
}

setpay_time_ms setpay_reconciler_due(setpay_time_ms now_ms, int64_t minutes)
{
    setpay_time_ms due_ms = now_ms / SETPAY_DAY_MS * SETPAY_DAY_MS + minutes * SETPAY_MINUTE_MS;
    return due_ms <= now_ms ? due_ms : due_ms - SETPAY_DAY_MS;
}

/* ------------------------------------------------------------------ answered */

static enum setpay_error write_answer(struct setpay_db *db, void *arg)
{
    const struct asked *asked = arg;
    return setpay_reconciliation_answer(db, &asked->row, asked->sent_count);
}

static void log_totals(enum setpay_log_level level, const char *event,
                       const struct setpay_reconciliation *row)
{
    setpay_log(level, event, setpay_field_text("issuer", row->issuer),
               setpay_field_int("period", row->period),
               setpay_field_text("currency", row->currency),
               setpay_field_text("response", row->response_code),
               setpay_field_int("our_debits", row->ours.debit_count),
               setpay_field_int("their_debits", row->theirs.debit_count),
               setpay_field_int("our_credits", row->ours.credit_count),
               setpay_field_int("their_credits", row->theirs.credit_count),
               setpay_field_int("our_net", setpay_network_totals_net(&row->ours)),
               setpay_field_int("their_net", setpay_network_totals_net(&row->theirs)));
}

static void on_kept_later(const struct setpay_forwarded *one, enum setpay_error error,
                          int64_t again_ms)
{
    const struct asked *asked = (const struct asked *)one;
    setpay_log_error(error, "reconciliation.kept_later",
                     setpay_field_text("issuer", asked->row.issuer),
                     setpay_field_int("again_in_ms", again_ms));
}

static void on_answer_kept(struct setpay_forwarded *one, enum setpay_error error)
{
    struct asked *asked = (struct asked *)one;
    const struct setpay_reconciliation *row = &asked->row;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "reconciliation.not_marked",
                         setpay_field_text("issuer", row->issuer));
        free(asked);
        return;
    }
    setpay_metric_add(&reconciliations_total, (size_t)row->result - 1, 0, 1);
    if (row->result == SETPAY_RECONCILIATION_IN_BALANCE)
        log_totals(SETPAY_LOG_INFO, "reconciliation.in_balance", row);
    else if (row->result == SETPAY_RECONCILIATION_OUT_OF_BALANCE)
        log_totals(SETPAY_LOG_ERROR, "reconciliation.out_of_balance", row);
    else
        log_totals(SETPAY_LOG_ERROR, "reconciliation.refused", row);
    free(asked);
}

static void on_dropped(struct setpay_forwarded *one)
{
    free(one);
}

static const struct setpay_forward_way way = {.write_cb = write_answer,
                                              .later_cb = on_kept_later,
                                              .kept_cb = on_answer_kept,
                                              .drop_cb = on_dropped};

static void on_acknowledged(void *arg, const struct setpay_network_acknowledgement *ack)
{
    struct asked *asked = arg;
    if (!ack->acknowledged) {
        free(asked);
        return;
    }
    setpay_testing_point("reconciliation.answered");
    memcpy(asked->row.response_code, ack->response_code, sizeof asked->row.response_code);
    asked->row.theirs = ack->totals;
    asked->row.result = !ack->has_totals  ? SETPAY_RECONCILIATION_REFUSED
                        : ack->in_balance ? SETPAY_RECONCILIATION_IN_BALANCE
                                          : SETPAY_RECONCILIATION_OUT_OF_BALANCE;
    asked->row.answered_ms = setpay_clock_now_ms();
    asked->sent_count = ack->sent_count;
    setpay_forward_keep(&asked->forwarded);
}

/* ------------------------------------------------------------------ handing in */

struct next_row {
    int64_t after;
    struct setpay_reconciliation row;
};

static enum setpay_error read_next(struct setpay_db *db, void *arg)
{
    struct next_row *next = arg;
    return setpay_reconciliation_next(db, next->after, &next->row);
}

static enum setpay_error hand_in(struct setpay_gateway_reconciler *reconciler,
                                 const struct setpay_reconciliation *row)
{
    struct asked *asked = calloc(1, sizeof *asked);
    if (asked == NULL)
        return SETPAY_E_NOMEM;
    asked->forwarded.forward = &reconciler->forward;
    asked->row = *row;
    struct setpay_network_reconciliation request = {
        .issuer = asked->row.issuer,
        .period = row->period,
        .cut_ms = row->cut_ms,
        .totals = row->ours,
        .repeated = row->id <= reconciler->first_end,
    };
    memcpy(request.currency, row->currency, sizeof request.currency);
    enum setpay_error error =
        setpay_network_reconcile(reconciler->gateway->network, &request,
                                 &reconciler->forward.executor, on_acknowledged, asked);
    if (error != SETPAY_OK)
        free(asked);
    return error;
}

/* What will never go (an issuer that the configuration no longer names) must not stand in the way
 * of the others: it stays open, and is tried again at the next start. */
static void hand_in_all(struct setpay_gateway_reconciler *reconciler)
{
    enum setpay_error error = SETPAY_OK;
    while (error == SETPAY_OK) {
        struct next_row next = {.after = reconciler->handed_in};
        error = setpay_store_read(reconciler->forward.reader, read_next, &next);
        if (error == SETPAY_E_NOT_FOUND)
            return; /* there is none */
        if (error == SETPAY_OK)
            error = hand_in(reconciler, &next.row);
        if (error != SETPAY_OK)
            setpay_log_error(error, "reconciliation.not_handed_in",
                             setpay_field_text("issuer", next.row.issuer));
        if (error == SETPAY_E_NOT_FOUND)
            error = SETPAY_OK;
        if (error == SETPAY_OK)
            reconciler->handed_in = next.row.id;
    }
}

/* ------------------------------------------------------------------ rounds */

static enum setpay_error write_round(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_reconciler *reconciler = arg;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    setpay_time_ms due_ms = setpay_reconciler_due(now_ms, reconciler->cut_minutes);
    reconciler->cut_count = 0;
    for (size_t i = 0; i < reconciler->issuer_count; i++) {
        bool cut = false;
        SETPAY_TRY(
            setpay_reconciliation_cut_daily(db, reconciler->issuers[i], due_ms, now_ms, &cut));
        reconciler->cut_count += cut ? 1 : 0;
    }
    return setpay_reconciliation_total(db);
}

static enum setpay_error read_due(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_reconciler *reconciler = arg;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    setpay_time_ms due_ms = setpay_reconciler_due(now_ms, reconciler->cut_minutes);
    reconciler->due = false;
    for (size_t i = 0; i < reconciler->issuer_count && !reconciler->due; i++)
        SETPAY_TRY(setpay_reconciliation_is_due(db, reconciler->issuers[i], due_ms, now_ms,
                                                &reconciler->due));
    return SETPAY_OK;
}

static void on_round_kept(void *arg, enum setpay_error error)
{
    struct setpay_gateway_reconciler *reconciler = arg;
    reconciler->running = false;
    if (reconciler->forward.is_stopped)
        return;
    if (error == SETPAY_OK) {
        setpay_testing_point("reconciliation.round");
        if (reconciler->cut_count > 0)
            setpay_log(SETPAY_LOG_INFO, "reconciliation.cut",
                       setpay_field_int("issuers", (int64_t)reconciler->cut_count));
        hand_in_all(reconciler);
    } else {
        setpay_log_error(error, "reconciliation.round", setpay_field_text("area", "reconciler"));
    }
    setpay_timer_start(reconciler->forward.timer, ROUND_MS);
}

static void begin_round(void *arg)
{
    struct setpay_gateway_reconciler *reconciler = arg;
    if (reconciler->forward.is_stopped || reconciler->running)
        return;
    setpay_forward_keep_unkept(&reconciler->forward);
    reconciler->running = true;
    reconciler->cut_count = 0;
    enum setpay_error error = setpay_store_read(reconciler->forward.reader, read_due, reconciler);
    if (error != SETPAY_OK || !reconciler->due) {
        on_round_kept(reconciler, error);
        return;
    }
    error = setpay_store_submit(reconciler->gateway->store, write_round, on_round_kept, reconciler,
                                &reconciler->forward.executor);
    if (error != SETPAY_OK)
        on_round_kept(reconciler, error);
}

/* ------------------------------------------------------------------ its life */

void setpay_gateway_reconciler_wake(struct setpay_gateway_reconciler *reconciler)
{
    /* Where the mailbox is full the timer's next round finds the cut. */
    enum setpay_error error = setpay_loop_post(reconciler->forward.loop, begin_round, reconciler);
    if (error != SETPAY_OK)
        setpay_log_error(error, "reconciliation.not_woken",
                         setpay_field_text("area", "reconciler"));
}

static void add_issuer(void *arg, const char *name, bool is_up)
{
    struct setpay_gateway_reconciler *reconciler = arg;
    (void)is_up;
    (void)strncpy(reconciler->issuers[reconciler->issuer_count++], name,
                  SETPAY_NETWORK_NAME_SIZE - 1);
}

/* A new issuer's first period begins before anything is sent to it. */
static enum setpay_error begin_periods(struct setpay_db *db, void *arg)
{
    const struct setpay_gateway_reconciler *reconciler = arg;
    for (size_t i = 0; i < reconciler->issuer_count; i++)
        SETPAY_TRY(setpay_reconciliation_begin(db, reconciler->issuers[i], setpay_clock_now_ms()));
    return SETPAY_OK;
}

static enum setpay_error read_last(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_reconciler *reconciler = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COALESCE(MAX(id), 0) FROM reconciliation"));
    reconciler->first_end = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

enum setpay_error setpay_gateway_reconciler_new(struct setpay_gateway *gateway,
                                                struct setpay_loop *loop, int64_t cut_minutes,
                                                struct setpay_gateway_reconciler **reconciler)
{
    struct setpay_gateway_reconciler *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->gateway = gateway;
    made->cut_minutes = cut_minutes;
    setpay_network_each_route(gateway->network, add_issuer, made);
    enum setpay_error error = setpay_store_submit_wait(gateway->store, begin_periods, made);
    if (error == SETPAY_OK)
        error = setpay_forward_open(&made->forward, &way, gateway->store, loop, begin_round, made);
    if (error == SETPAY_OK)
        error = setpay_store_read(made->forward.reader, read_last, made);
    if (error != SETPAY_OK) {
        setpay_gateway_reconciler_free(made);
        return error;
    }
    setpay_timer_start(made->forward.timer, 0);
    *reconciler = made;
    return SETPAY_OK;
}

void setpay_gateway_reconciler_stop(struct setpay_gateway_reconciler *reconciler)
{
    setpay_forward_stop(&reconciler->forward);
}

void setpay_gateway_reconciler_free(struct setpay_gateway_reconciler *reconciler)
{
    if (reconciler == NULL)
        return;
    setpay_forward_close(&reconciler->forward);
    free(reconciler);
}

enum setpay_error setpay_gateway_register_reconciler_metrics(void)
{
    return setpay_metric_register(&reconciliations_total);
}
