/*
 * Store and forward of presentments.
 *
 * The table is the queue: its rows are made in the operation that closes a batch, and marked in an
 * operation of their own when the issuer has answered. The network repeats by itself; after a
 * restart all open rows are handed in again, marked as repeats. An issuer knows each by its id, so
 * that nothing is presented twice however often it is sent.
 *
 * What was approved in an issuer's stead is presented once that has answered the advice of it:
 * until then it knows of nothing that could be captured. And a credit once it has answered what it
 * credits: where a line is lost, what was sent behind may be there before it, and be refused.
 *
 * At most AT_ONCE are with the network, whose frames lie in secret memory: reversals, which give
 * cardholders their money back, must find room beside them. Each issuer has a share of these for
 * itself, and its own place in the table, so that one that is away, with however many that wait for
 * it, keeps nothing from the others. What is of no issuer of the configuration has one share
 * together: of a section that was renamed, which nobody takes until it is back; and rows of before
 * issuers were kept with payments, whose card tells where they go.
 */
#include "gateway/clearing/presentment.h"

#include "common/base/log.h"
#include "common/net/metrics.h"
#include "gateway/clearing/settlement.h"
#include "gateway/clearing/sql_names.h"
#include "gateway/payment/payment.h"
#include "gateway/payment/reversal.h"
#include "gateway/payment/stand_in.h"
#include "gateway/payment/step.h"
#include "gateway/payment/store_forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define LOOK_AT_ALL_MS 5000 /* for rows of which a full mailbox kept us from hearing */
#define AT_ONCE 512
#define SEARCHED 256 /* rows for one of an issuer, in one read */
#define SEARCHES 16  /* of these without any, in one turn of the loop */

static struct setpay_metric unsendable_total = {
    .name = "setpay_gateway_presentments_unsendable_total",
    .help = "Presentments since the start that can't be given to the network, however often.",
    .type = SETPAY_METRIC_COUNTER,
};

/* One that waits for an answer to what comes before it of its payment, or was let go by it. */
struct waiting {
    TAILQ_ENTRY(waiting) in_list;
    size_t issuer;
    int64_t id;
    int64_t payment_id;
    bool let_go;
};

/* What is of one issuer. */
struct queue {
    char name[SETPAY_NETWORK_NAME_SIZE]; /* "": of none that is configured */
    int64_t handed_in; /* rows up to this id are with the network, or wait, or can't be, or are of
                        * others */
    size_t count;      /* with the network */
    bool is_done;      /* behind handed_in there was none */
};

struct setpay_gateway_presentments {
    struct setpay_forward forward;
    struct setpay_gateway *gateway;
    struct queue queues[SETPAY_NETWORK_ROUTES_MAX + 1]; /* the first: of no issuer */
    size_t queue_count;
    int64_t look_at_all_ms; /* by the monotonic clock: also at those that are done */
    TAILQ_HEAD(waiting_list, waiting) waiting;
    int64_t first_end; /* up to here they may have been sent in an earlier life */
};

/* One presentment that the network has. */
struct presented {
    struct setpay_forwarded forwarded; /* first */
    struct setpay_gateway_presentments *owner;
    size_t issuer;
    int64_t id;
    int64_t payment_id;
    char response_code[3];
    int64_t sent_count;
};

static void look(void *arg);

enum setpay_error setpay_presentment_check_write_off(bool answered, bool sendable)
{
    return answered || sendable ? SETPAY_E_STATE : SETPAY_OK;
}

/* ------------------------------------------------------------------ answered */

static void end(struct presented *presented)
{
    struct setpay_gateway_presentments *owner = presented->owner;
    owner->queues[presented->issuer].count--;
    free(presented);
    if (!owner->forward.is_stopped)
        setpay_timer_start(owner->forward.timer, 0);
}

static enum setpay_error write_answer(struct setpay_db *db, void *arg)
{
    const struct presented *presented = arg;
    return setpay_db_run(db,
                         "UPDATE presentment SET acknowledged = 1, response_code = $1,"
                         " sent_count = sent_count + $2, acknowledged_ms = $3"
                         " WHERE id = $4 AND acknowledged = 0",
                         SETPAY_DB_TEXT(presented->response_code),
                         SETPAY_DB_INT(presented->sent_count), SETPAY_DB_INT(setpay_clock_now_ms()),
                         SETPAY_DB_INT(presented->id));
}

static void on_kept_later(const struct setpay_forwarded *one, enum setpay_error error,
                          int64_t again_ms)
{
    const struct presented *presented = (const struct presented *)one;
    setpay_log_error(error, "presentment.kept_later",
                     setpay_field_int("presentment", presented->id),
                     setpay_field_int("again_in_ms", again_ms));
}

static void on_answer_kept(struct setpay_forwarded *one, enum setpay_error error)
{
    struct presented *presented = (struct presented *)one;
    struct setpay_gateway_presentments *owner = presented->owner;
    int64_t payment_id = presented->payment_id;
    if (error != SETPAY_OK)
        setpay_log_error(error, "presentment.not_marked",
                         setpay_field_int("presentment", presented->id));
    else
        setpay_log(setpay_presentment_is_taken(presented->response_code) ? SETPAY_LOG_INFO
                                                                         : SETPAY_LOG_ERROR,
                   setpay_presentment_is_taken(presented->response_code) ? "presentment.taken"
                                                                         : "presentment.refused",
                   setpay_field_int("presentment", presented->id),
                   setpay_field_text("response", presented->response_code),
                   setpay_field_int("sent", presented->sent_count));
    end(presented);
    setpay_gateway_presentments_let_go(owner, payment_id);
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
    struct presented *presented = arg;
    if (!ack->acknowledged) {
        end(presented);
        return;
    }
    memcpy(presented->response_code, ack->response_code, sizeof presented->response_code);
    presented->sent_count = ack->sent_count;
    setpay_forward_keep(&presented->forwarded);
}

/* ------------------------------------------------------------------ handing in */

struct one_row {
    const struct setpay_gateway_presentments *owner;
    size_t issuer; /* of the owner's queues */
    int64_t after; /* it is behind this one; then, how far was looked */
    bool more;     /* none was found, and there are others behind */
    int64_t id;    /* 0: there is none */
    struct setpay_id token;
    int64_t payment_id;
    enum setpay_step_kind kind;
    int64_t amount_minor;
    int64_t period;
    bool waits; /* for the answer to its payment's advice, or to the capture that it credits */
    struct setpay_payment payment;
    struct setpay_gateway_merchant merchant;
    struct setpay_kept_card card;
};

static size_t queue_of(const struct setpay_gateway_presentments *presentments, const char *issuer)
{
    size_t i = presentments->queue_count - 1;
    while (i > 0 && strcmp(presentments->queues[i].name, issuer) != 0)
        i--;
    return i;
}

/* The next open row of the issuer, among the next ones of all. */
static enum setpay_error find_next(struct setpay_db *db, struct one_row *row)
{
    struct setpay_db_rows *rows;
    int64_t seen = 0;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT presentment.id, payment.issuer FROM presentment JOIN step ON step.id = step_id"
        " JOIN payment ON payment.id = step.payment_id WHERE acknowledged = 0"
        " AND presentment.id > $1 ORDER BY presentment.id LIMIT $2",
        SETPAY_DB_INT(row->after), SETPAY_DB_INT(SEARCHED)));
    while (row->id == 0 && setpay_db_next(rows)) {
        char issuer[SETPAY_NETWORK_NAME_SIZE];
        setpay_db_get_text(rows, 1, issuer, sizeof issuer);
        row->after = setpay_db_get_int(rows, 0);
        row->id = queue_of(row->owner, issuer) == row->issuer ? row->after : 0;
        seen++;
    }
    row->more = row->id == 0 && seen == SEARCHED;
    return setpay_db_end(rows);
}

static enum setpay_error read_row(struct setpay_db *db, struct one_row *row)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT token, payment_id, kind, amount_minor, presentment.period"
        ", " SETPAY_STAND_IN_IS_OPEN(
            "step.payment_id") " OR (kind = " SETPAY_SQL_CREDIT
                               " AND EXISTS (SELECT 1 FROM presentment capture WHERE"
                               " capture.step_id = step.of_id AND capture.acknowledged = 0))"
                               " FROM presentment JOIN step ON step.id = step_id"
                               " WHERE acknowledged = 0 AND presentment.id = $1",
        SETPAY_DB_INT(row->id)));
    setpay_db_get_id(rows, 0, &row->token);
    row->payment_id = setpay_db_get_int(rows, 1);
    row->kind = (enum setpay_step_kind)setpay_db_get_int(rows, 2);
    row->amount_minor = setpay_db_get_int(rows, 3);
    row->period = setpay_db_get_int(rows, 4);
    row->waits = setpay_db_get_int(rows, 5) != 0;
    return setpay_db_end(rows);
}

/* The row row->id, where it is open still. SETPAY_E_CARD_GONE: its card is not kept. */
static enum setpay_error read_this(struct setpay_db *db, void *arg)
{
    struct one_row *row = arg;
    enum setpay_error error = read_row(db, row);
    if (error == SETPAY_E_NOT_FOUND) { /* answered, or given up */
        row->id = 0;
        return SETPAY_OK;
    }
    if (error != SETPAY_OK || row->waits)
        return error;
    SETPAY_TRY(setpay_payment_load(db, row->payment_id, &row->payment));
    SETPAY_TRY(setpay_gateway_merchant_find(db, row->payment.brand, row->payment.merchant_id,
                                            &row->merchant));
    error = setpay_kept_card_find(db, row->payment_id, &row->card);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_E_CARD_GONE : error;
}

static enum setpay_error read_next(struct setpay_db *db, void *arg)
{
    struct one_row *row = arg;
    SETPAY_TRY(find_next(db, row));
    return row->id == 0 ? SETPAY_OK : read_this(db, row);
}

static enum setpay_error fill(const struct setpay_gateway_presentments *presentments,
                              const struct one_row *row, struct setpay_network_presentment *request)
{
    const struct setpay_vault *vault = presentments->gateway->vault;
    const struct setpay_payment *payment = &row->payment;
    memcpy(request->issuer, payment->issuer, sizeof request->issuer);
    request->original =
        (struct setpay_network_trace){.stan = payment->stan, .time = payment->trace_ms};
    request->amount = payment->amount;
    request->amount.minor = row->amount_minor;
    request->credits = row->kind == SETPAY_STEP_CREDIT;
    memcpy(request->approval_code, payment->approval_code, sizeof request->approval_code);
    request->xid = payment->xid;
    request->pomd = payment->pomd;
    request->id = row->token;
    request->by = setpay_payment_approved_by(payment);
    request->period = row->period;
    request->repeated = row->id <= presentments->first_end;
    SETPAY_TRY(setpay_acceptor_fill(&row->merchant, &request->acceptor));
    SETPAY_TRY(setpay_vault_open_box(vault, SETPAY_VAULT_PAN, &payment->xid,
                                     setpay_buffer_view(&row->card.pan), &request->pan));
    return setpay_vault_open_box(vault, SETPAY_VAULT_EXPIRY, &payment->xid,
                                 setpay_buffer_view(&row->card.expiry), &request->expiry);
}

static enum setpay_error hand_in(struct setpay_gateway_presentments *presentments,
                                 const struct one_row *row)
{
    struct setpay_network_presentment request = {.repeated = false};
    struct presented *state = calloc(1, sizeof *state);
    if (state == NULL)
        return SETPAY_E_NOMEM;
    state->forwarded.forward = &presentments->forward;
    state->owner = presentments;
    state->issuer = row->issuer;
    state->id = row->id;
    state->payment_id = row->payment_id;
    enum setpay_error error = fill(presentments, row, &request);
    if (error == SETPAY_OK)
        error = setpay_network_present(presentments->gateway->network, &request,
                                       &presentments->forward.executor, on_acknowledged, state);
    if (error == SETPAY_OK)
        presentments->queues[row->issuer].count++;
    else
        free(state);
    setpay_network_presentment_clear(&request);
    return error;
}

static enum setpay_error let_wait(struct setpay_gateway_presentments *presentments,
                                  const struct one_row *row)
{
    struct waiting *one = calloc(1, sizeof *one);
    if (one == NULL)
        return SETPAY_E_NOMEM;
    one->issuer = row->issuer;
    one->id = row->id;
    one->payment_id = row->payment_id;
    TAILQ_INSERT_TAIL(&presentments->waiting, one, in_list);
    return SETPAY_OK;
}

/* Hands in the row that is read, if there is one. SETPAY_OK also where it can't be handed in, ever.
 */
static enum setpay_error take(struct setpay_gateway_presentments *presentments,
                              setpay_store_read_fn *read, struct one_row *row)
{
    row->owner = presentments;
    setpay_kept_card_init(&row->card);
    enum setpay_error error = setpay_store_read(presentments->forward.reader, read, row);
    if (error == SETPAY_OK && row->id != 0)
        error = row->waits ? let_wait(presentments, row) : hand_in(presentments, row);
    setpay_kept_card_clear(&row->card);
    if (error == SETPAY_OK)
        return SETPAY_OK;
    setpay_log_error(error, "presentment.not_handed_in", setpay_field_int("presentment", row->id));
    if (setpay_forward_may_pass(error))
        return error;
    setpay_metric_add(&unsendable_total, 0, 0, 1);
    return SETPAY_OK;
}

/* Its share, also where all others are away. */
static bool has_room(const struct setpay_gateway_presentments *presentments, size_t issuer)
{
    return presentments->queues[issuer].count < AT_ONCE / presentments->queue_count;
}

/* Those that were let go. One that still waits is in the list again, at its end. */
static enum setpay_error take_let_go(struct setpay_gateway_presentments *presentments)
{
    struct waiting *one = TAILQ_FIRST(&presentments->waiting);
    while (one != NULL) {
        struct waiting *behind = TAILQ_NEXT(one, in_list);
        if (one->let_go && has_room(presentments, one->issuer)) {
            struct one_row row = {.issuer = one->issuer, .id = one->id};
            SETPAY_TRY(take(presentments, read_this, &row));
            TAILQ_REMOVE(&presentments->waiting, one, in_list);
            free(one);
        }
        one = behind;
    }
    return SETPAY_OK;
}

/* The next ones of an issuer, as many as it has room for; searches: how many more may find none. */
static enum setpay_error take_next(struct setpay_gateway_presentments *presentments, size_t issuer,
                                   size_t *searches)
{
    struct queue *queue = &presentments->queues[issuer];
    while (!queue->is_done && has_room(presentments, issuer) && *searches > 0) {
        struct one_row row = {.issuer = issuer, .after = queue->handed_in};
        SETPAY_TRY(take(presentments, read_next, &row));
        queue->handed_in = row.after;
        queue->is_done = row.id == 0 && !row.more;
        *searches -= row.more ? 1 : 0;
    }
    return SETPAY_OK;
}

static void begin_anew(struct setpay_gateway_presentments *presentments)
{
    for (size_t i = 0; i < presentments->queue_count; i++)
        presentments->queues[i].is_done = false;
    presentments->look_at_all_ms = setpay_clock_monotonic_ms() + LOOK_AT_ALL_MS;
}

static void look(void *arg)
{
    struct setpay_gateway_presentments *presentments = arg;
    size_t searches = SEARCHES;
    if (presentments->forward.is_stopped)
        return;
    setpay_forward_keep_unkept(&presentments->forward);
    if (setpay_clock_monotonic_ms() >= presentments->look_at_all_ms)
        begin_anew(presentments);
    enum setpay_error error = take_let_go(presentments);
    for (size_t i = 0; error == SETPAY_OK && i < presentments->queue_count; i++)
        error = take_next(presentments, i, &searches);
    setpay_forward_look_again(&presentments->forward, error, searches == 0);
}

/* ------------------------------------------------------------------ its life */

void setpay_gateway_presentments_let_go(void *arg, int64_t payment_id)
{
    struct setpay_gateway_presentments *presentments = arg;
    struct waiting *one = TAILQ_FIRST(&presentments->waiting);
    bool any = false;
    for (; one != NULL; one = TAILQ_NEXT(one, in_list)) {
        if (one->payment_id == payment_id)
            any = one->let_go = true;
    }
    if (any && !presentments->forward.is_stopped)
        setpay_timer_start(presentments->forward.timer, 0);
}

/* A person may have ended what others wait for. */
static void look_at_all(void *arg)
{
    struct setpay_gateway_presentments *presentments = arg;
    struct waiting *one = TAILQ_FIRST(&presentments->waiting);
    for (; one != NULL; one = TAILQ_NEXT(one, in_list))
        one->let_go = true;
    begin_anew(presentments);
    look(presentments);
}

void setpay_gateway_presentments_wake(struct setpay_gateway_presentments *presentments)
{
    /* Where the mailbox is full the timer's next look finds the row. */
    enum setpay_error error =
        setpay_loop_post(presentments->forward.loop, look_at_all, presentments);
    if (error != SETPAY_OK)
        setpay_log_error(error, "presentment.not_woken", setpay_field_text("area", "presentment"));
}

static void add_queue(void *arg, const char *name, bool is_up)
{
    struct setpay_gateway_presentments *presentments = arg;
    struct queue *queue = &presentments->queues[presentments->queue_count++];
    (void)is_up;
    (void)snprintf(queue->name, sizeof queue->name, "%s", name);
}

static enum setpay_error read_last(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_presentments *presentments = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COALESCE(MAX(id), 0) FROM presentment"));
    presentments->first_end = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

enum setpay_error setpay_gateway_presentments_new(struct setpay_gateway *gateway,
                                                  struct setpay_loop *loop,
                                                  struct setpay_gateway_presentments **presentments)
{
    struct setpay_gateway_presentments *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->gateway = gateway;
    TAILQ_INIT(&made->waiting);
    made->queue_count = 1;
    setpay_network_each_route(gateway->network, add_queue, made);
    enum setpay_error error = setpay_metric_register(&unsendable_total);
    if (error == SETPAY_OK)
        error = setpay_forward_open(&made->forward, &way, gateway->store, loop, look, made);
    if (error == SETPAY_OK)
        error = setpay_store_read(made->forward.reader, read_last, made);
    if (error != SETPAY_OK) {
        setpay_gateway_presentments_free(made);
        return error;
    }
    setpay_timer_start(made->forward.timer, 0);
    *presentments = made;
    return SETPAY_OK;
}

void setpay_gateway_presentments_stop(struct setpay_gateway_presentments *presentments)
{
    setpay_forward_stop(&presentments->forward);
}

void setpay_gateway_presentments_free(struct setpay_gateway_presentments *presentments)
{
    if (presentments == NULL)
        return;
    struct waiting *one;
    while ((one = TAILQ_FIRST(&presentments->waiting)) != NULL) {
        TAILQ_REMOVE(&presentments->waiting, one, in_list);
        free(one);
    }
    setpay_forward_close(&presentments->forward);
    free(presentments);
}
