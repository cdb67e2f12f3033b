/*
 * What is sent when. The transfers themselves are in transfer.c.
 *
 * Always true: a delivery that is under way, or whose attempt is not booked yet, has an entry in
 * the list, so that it is not begun twice. An attempt that can't be booked stays pending in the
 * database: it is sent again.
 */
#include "merchant/store/webhook/sender.h"

#include "common/base/log.h"
#include "common/net/metrics.h"
#include "merchant/store/order_tell.h"
#include "merchant/store/webhook/transfer.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

/* The clock may be set, and an order's time runs out without a note: nothing waits longer. */
#define LOOK_MAX_MS 5000
#define RETRY_MS 500

/* One delivery, from its row to its booking. */
struct sending {
    struct setpay_sender *sender;
    struct sending *previous, *next;
    struct setpay_transfer *transfer; /* NULL once it has ended */
    struct setpay_delivery_attempt attempt;
    char webhook_id[SETPAY_WEBHOOK_ID_SIZE];
    char event_id[SETPAY_EVENT_ID_SIZE];
};

struct setpay_sender {
    struct setpay_sender_options options;
    struct setpay_executor executor;
    struct setpay_reader *reader;
    struct setpay_watcher *watcher;
    struct setpay_transfers *transfers;
    struct setpay_timer *timer;
    struct sending *sendings; /* list */
    bool tells;               /* an operation about expired orders is queued */
    bool more;                /* it has left some */
    bool stopped;
};

static const char *const outcomes[] = {"taken", "failed", NULL};
static struct setpay_metric attempts_total = {
    .name = "setpay_merchant_webhook_attempts_total",
    .help = "Attempts to send an event to a webhook, by outcome.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"outcome", outcomes}}};
static struct setpay_metric given_up_total = {.name = "setpay_merchant_webhook_given_up_total",
                                              .help =
                                                  "Events that a webhook has not taken in time.",
                                              .type = SETPAY_METRIC_COUNTER};
static struct setpay_metric disabled_total = {
    .name = "setpay_merchant_webhooks_disabled_total",
    .help = "Webhooks that were switched off since they took nothing for too long.",
    .type = SETPAY_METRIC_COUNTER};

static void look(struct setpay_sender *sender);

/* ------------------------------------------------------------------ one delivery */

static void sending_free(struct sending *sending)
{
    struct setpay_sender *sender = sending->sender;
    if (sending->previous != NULL)
        sending->previous->next = sending->next;
    else
        sender->sendings = sending->next;
    if (sending->next != NULL)
        sending->next->previous = sending->previous;
    setpay_transfer_cancel(sending->transfer);
    free(sending);
}

static enum setpay_error record(struct setpay_db *db, void *arg)
{
    struct sending *sending = arg;
    return setpay_delivery_record(db, &sending->sender->options.rules, &sending->attempt);
}

static void count_and_log(const struct sending *sending)
{
    const struct setpay_delivery_attempt *attempt = &sending->attempt;
    bool taken = attempt->result == SETPAY_DELIVERY_TAKEN;
    setpay_metric_add(&attempts_total, taken ? 0 : 1, 0, 1);
    setpay_log(taken ? SETPAY_LOG_DEBUG : SETPAY_LOG_WARN, "webhook.attempt",
               setpay_field_text("webhook", sending->webhook_id),
               setpay_field_text("webhook_event", sending->event_id),
               setpay_field_text("result", setpay_delivery_result_name(attempt->result)),
               setpay_field_int("status", attempt->status),
               setpay_field_int("attempts", attempt->attempts));
    if (attempt->gave_up) {
        setpay_metric_add(&given_up_total, 0, 0, 1);
        setpay_log(SETPAY_LOG_ERROR, "webhook.given_up",
                   setpay_field_text("webhook", sending->webhook_id),
                   setpay_field_text("webhook_event", sending->event_id));
    }
    if (attempt->disabled) {
        setpay_metric_add(&disabled_total, 0, 0, 1);
        setpay_log(SETPAY_LOG_ERROR, "webhook.disabled",
                   setpay_field_text("webhook", sending->webhook_id));
    }
}

static void on_recorded(void *arg, enum setpay_error error)
{
    struct sending *sending = arg;
    struct setpay_sender *sender = sending->sender;
    if (error == SETPAY_OK)
        count_and_log(sending);
    else
        setpay_log_error(error, "webhook.book", setpay_field_text("webhook", sending->webhook_id));
    sending_free(sending);
    if (sender->stopped)
        return;
    if (error != SETPAY_OK)
        setpay_timer_start(sender->timer, RETRY_MS); /* not at once */
    else
        look(sender);
}

static void on_ended(void *arg, enum setpay_delivery_result result, int status,
                     int64_t retry_after_ms)
{
    struct sending *sending = arg;
    struct setpay_sender *sender = sending->sender;
    sending->transfer = NULL;
    sending->attempt.result = result;
    sending->attempt.status = status;
    sending->attempt.retry_after_ms = retry_after_ms;
    sending->attempt.ended_ms = setpay_clock_now_ms();
    (void)RAND_bytes(&sending->attempt.jitter, 1);
    enum setpay_error error =
        setpay_store_submit(sender->options.store, record, on_recorded, sending, &sender->executor);
    if (error != SETPAY_OK)
        on_recorded(sending, error);
}

static enum setpay_error begin(struct setpay_sender *sender, struct setpay_delivery *delivery)
{
    struct sending *sending = calloc(1, sizeof *sending);
    if (sending == NULL)
        return SETPAY_E_NOMEM;
    sending->sender = sender;
    sending->attempt.seq = delivery->seq;
    sending->attempt.webhook_seq = delivery->webhook_seq;
    memcpy(sending->webhook_id, delivery->webhook_id, sizeof sending->webhook_id);
    memcpy(sending->event_id, delivery->event_id, sizeof sending->event_id);
    sending->next = sender->sendings;
    if (sending->next != NULL)
        sending->next->previous = sending;
    sender->sendings = sending;
    enum setpay_error error =
        setpay_transfer_new(sender->transfers, delivery, on_ended, sending, &sending->transfer);
    if (error != SETPAY_OK)
        sending_free(sending);
    return error;
}

/* ------------------------------------------------------------------ what is due */

static size_t count_of(const struct setpay_sender *sender, int64_t webhook_seq)
{
    size_t count = 0;
    for (const struct sending *s = sender->sendings; s != NULL; s = s->next)
        count += s->attempt.webhook_seq == webhook_seq ? 1 : 0;
    return count;
}

static bool is_under_way(const struct setpay_sender *sender, int64_t seq)
{
    const struct sending *s = sender->sendings;
    while (s != NULL && s->attempt.seq != seq)
        s = s->next;
    return s != NULL;
}

/* What one look finds. */
struct found {
    const struct setpay_sender *sender;
    setpay_time_ms now_ms;
    struct setpay_delivery *deliveries; /* SETPAY_SENDER_PER_WEBHOOK for each webhook */
    size_t count;
    setpay_time_ms next_ms;
};

static enum setpay_error find_for(struct setpay_db *db, struct found *found, int64_t webhook_seq)
{
    int64_t seqs[SETPAY_SENDER_PER_WEBHOOK];
    size_t count = 0;
    size_t busy = count_of(found->sender, webhook_seq);
    setpay_time_ms next_ms = INT64_MAX;
    SETPAY_TRY(setpay_delivery_due(db, webhook_seq, found->now_ms, SETPAY_SENDER_PER_WEBHOOK, seqs,
                                   &count));
    for (size_t i = 0; i < count && busy < SETPAY_SENDER_PER_WEBHOOK; i++) {
        if (is_under_way(found->sender, seqs[i]))
            continue;
        SETPAY_TRY(
            setpay_delivery_load(db, seqs[i], found->now_ms, &found->deliveries[found->count]));
        found->count++;
        busy++;
    }
    SETPAY_TRY(setpay_delivery_next_due(db, webhook_seq, found->now_ms, &next_ms));
    if (next_ms < found->next_ms)
        found->next_ms = next_ms;
    return SETPAY_OK;
}

static enum setpay_error find(struct setpay_db *db, void *arg)
{
    struct found *found = arg;
    struct setpay_webhook *webhooks = calloc(SETPAY_WEBHOOKS_MAX, sizeof *webhooks);
    size_t count = 0;
    if (webhooks == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = setpay_webhook_all(db, webhooks, &count);
    for (size_t i = 0; i < count && error == SETPAY_OK; i++) {
        if (webhooks[i].status == SETPAY_WEBHOOK_ENABLED)
            error = find_for(db, found, webhooks[i].seq);
    }
    free(webhooks);
    return error;
}

/* ------------------------------------------------------------------ orders whose time is over */

static enum setpay_error tell_expired(struct setpay_db *db, void *arg)
{
    struct setpay_sender *sender = arg;
    return setpay_order_tell_expired(db, sender->options.port, setpay_clock_now_ms(),
                                     &sender->more);
}

static void submit_expired(struct setpay_sender *sender);

static void on_told(void *arg, enum setpay_error error)
{
    struct setpay_sender *sender = arg;
    sender->tells = false;
    if (error != SETPAY_OK)
        setpay_log_error(error, "order.expire", setpay_field_text("area", "store"));
    else if (sender->more && !sender->stopped)
        submit_expired(sender);
}

static void submit_expired(struct setpay_sender *sender)
{
    if (sender->tells)
        return;
    enum setpay_error error = setpay_store_submit(sender->options.store, tell_expired, on_told,
                                                  sender, &sender->executor);
    sender->tells = error == SETPAY_OK;
    if (error != SETPAY_OK)
        on_told(sender, error);
}

/* ------------------------------------------------------------------ looking */

static void look(struct setpay_sender *sender)
{
    struct found found = {.sender = sender, .now_ms = setpay_clock_now_ms(), .next_ms = INT64_MAX};
    found.deliveries =
        calloc(SETPAY_WEBHOOKS_MAX * SETPAY_SENDER_PER_WEBHOOK, sizeof *found.deliveries);
    enum setpay_error error =
        found.deliveries == NULL ? SETPAY_E_NOMEM : setpay_store_read(sender->reader, find, &found);
    for (size_t i = 0; i < found.count; i++) {
        if (error == SETPAY_OK)
            error = begin(sender, &found.deliveries[i]);
        setpay_delivery_clear(&found.deliveries[i]);
    }
    free(found.deliveries);
    if (error != SETPAY_OK)
        setpay_log_error(error, "webhook.look", setpay_field_text("area", "store"));
    int64_t wait_ms = error != SETPAY_OK ? RETRY_MS : LOOK_MAX_MS;
    if (found.next_ms - found.now_ms < wait_ms)
        wait_ms = found.next_ms - found.now_ms;
    setpay_timer_start(sender->timer, wait_ms);
}

static void on_time(void *arg)
{
    struct setpay_sender *sender = arg;
    submit_expired(sender);
    look(sender);
}

static void on_notes(void *arg, const struct setpay_store_note *notes, size_t count, bool reread)
{
    struct setpay_sender *sender = arg;
    bool told = reread;
    for (size_t i = 0; i < count && !told; i++)
        told = setpay_id_equal(&notes[i].id, &setpay_delivery_note);
    if (told && !sender->stopped)
        look(sender);
}

/* ------------------------------------------------------------------ the sender itself */

enum setpay_error setpay_sender_system_init(void)
{
    return setpay_transfers_system_init();
}

static enum setpay_error register_metrics(void)
{
    SETPAY_TRY(setpay_metric_register(&attempts_total));
    SETPAY_TRY(setpay_metric_register(&given_up_total));
    return setpay_metric_register(&disabled_total);
}

enum setpay_error setpay_sender_new(const struct setpay_sender_options *options,
                                    struct setpay_sender **sender)
{
    struct setpay_sender *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->options = *options;
    made->executor = setpay_loop_executor(options->loop);
    const struct setpay_transfers_options transfers = {
        .loop = options->loop,
        .networks = &made->options.networks,
        .ca_file = options->ca_file,
        .timeout_ms = options->timeout_ms,
    };
    enum setpay_error error = register_metrics();
    if (error == SETPAY_OK)
        error = setpay_reader_new(options->store, &made->reader);
    if (error == SETPAY_OK)
        error = setpay_timer_new(options->loop, on_time, made, &made->timer);
    if (error == SETPAY_OK)
        error = setpay_transfers_new(&transfers, &made->transfers);
    if (error == SETPAY_OK)
        error = setpay_store_watch(options->store, &made->executor, on_notes, made, &made->watcher);
    if (error == SETPAY_OK) {
        setpay_timer_start(made->timer, 0);
        *sender = made;
    } else {
        setpay_sender_free(made);
    }
    return error;
}

void setpay_sender_stop(struct setpay_sender *sender)
{
    struct sending *next;
    if (sender->stopped)
        return;
    sender->stopped = true;
    setpay_timer_stop(sender->timer);
    for (struct sending *sending = sender->sendings; sending != NULL; sending = next) {
        next = sending->next;
        if (sending->transfer != NULL) /* otherwise it is being booked */
            sending_free(sending);
    }
}

void setpay_sender_free(struct setpay_sender *sender)
{
    if (sender == NULL)
        return;
    struct sending *next;
    for (struct sending *one = sender->sendings; one != NULL; one = next) {
        next = one->next;
        sending_free(one);
    }
    if (sender->watcher != NULL)
        setpay_store_unwatch(sender->watcher);
    setpay_transfers_free(sender->transfers);
    setpay_timer_free(sender->timer);
    setpay_reader_free(sender->reader);
    free(sender);
}
