/*
 * From an HTTP request to its handler and back.
 *
 * What always holds: each request ends in one reply or one Error; an Error tells the wallet a wire
 * code and nothing more, while the log line holds rule and reason; nothing is kept for a refusal,
 * since nothing was done.
 */
#include "merchant/payment/dispatch.h"
#include "merchant/note.h"
#include "merchant/payment/drive.h"

#include "common/base/log.h"
#include "common/net/metrics.h"
#include "common/net/refusals.h"
#include "merchant/payment/batch_store.h"
#include "merchant/payment/due.h"

#include <stdlib.h>
#include <string.h>

#define MEDIA_TYPE "application/x-protobuf"
/* A stop does not wait for a gateway that may be gone: the wallet will inquire. */

static const char *const types[] = {"PInitReq", "PReq", "InqReq", "CanReq", "other", NULL};
static const char *const results[] = {"answered", "refused", NULL};
static struct setpay_metric requests_total = {
    .name = "setpay_merchant_requests_total",
    .help = "Messages of wallets, by type and by how they ended.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"type", types}, {"result", results}},
};
static struct setpay_metric request_seconds = {
    .name = "setpay_merchant_request_seconds",
    .help = "Time from a wallet's message to its answer.",
    .type = SETPAY_METRIC_HISTOGRAM,
    .labels = {{"type", types}},
};

/* ------------------------------------------------------------------ a request's life */

static size_t type_index(const struct setpay_merchant_work *work)
{
    switch (work->message.type) {
    case SETPAY_MESSAGE_PINIT_REQ:
        return 0;
    case SETPAY_MESSAGE_P_REQ:
        return 1;
    case SETPAY_MESSAGE_INQ_REQ:
        return 2;
    case SETPAY_MESSAGE_CAN_REQ:
        return 3;
    default:
        return 4;
    }
}

static void end(struct setpay_merchant_work *work)
{
    setpay_waiter_leave(&work->waiter);
    setpay_timer_free(work->timer);
    setpay_message_clear(&work->message);
    setpay_preq_clear(&work->preq);
    setpay_merchant_offer_clear(&work->offer);
    setpay_merchant_ask_clear(&work->ask);
    setpay_certificate_unref(work->cardholder);
    setpay_buffer_clear(&work->answer);
    free(work);
}

static void send_bytes(struct setpay_merchant_work *work, struct setpay_view bytes)
{
    setpay_metric_observe(&request_seconds, type_index(work), 0,
                          setpay_clock_monotonic_us() - work->started_us);
    setpay_http_reply(work->request, 200, MEDIA_TYPE, NULL, bytes);
    work->request = NULL;
}

void setpay_merchant_reply(struct setpay_merchant_work *work, struct setpay_view bytes)
{
    setpay_metric_add(&requests_total, type_index(work), 0, 1);
    send_bytes(work, bytes);
    end(work);
}

/* Who signs a refusal: a PReq is for the certificate that its OI names, perhaps an earlier one; all
 * else is answered under the one in use. NULL: nobody, before the brand is known. */
static const struct setpay_held *find_signer(const struct setpay_merchant_work *work,
                                             const struct setpay_keyring *keys)
{
    if (work->brand == NULL)
        return NULL;
    const struct setpay_held *named = setpay_keyring_find(keys, SETPAY_PROFILE_MERCHANT_SIGN,
                                                          work->brand->name, &work->oi.merchant);
    return named != NULL
               ? named
               : setpay_keyring_in_use(keys, SETPAY_PROFILE_MERCHANT_SIGN, work->brand->name);
}

/* raw: what was received, where it could not be read as a message. */
static void refuse(struct setpay_merchant_work *work, enum setpay_error error,
                   struct setpay_view raw)
{
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    struct setpay_keyring *keys = setpay_keys_take(work->worker->merchant->keys);
    const struct setpay_held *sign = find_signer(work, keys);
    const struct setpay_refusal refusal = {
        .error = error,
        .message = raw.size == 0 ? &work->message : NULL,
        .raw = raw,
        .rrpid = work->has_ids ? &work->rrpid : NULL,
        .key = sign != NULL ? sign->identity.key : NULL,
        .signer = sign != NULL ? setpay_held_thumbprint(sign) : NULL,
    };
    const char *type = raw.size == 0 ? setpay_message_type_name(work->message.type) : NULL;
    setpay_log_error(error, "request.refused",
                     setpay_field_text("type", type != NULL ? type : "unreadable"),
                     setpay_field_id("rrpid", &work->rrpid), setpay_field_id("xid", &work->xid),
                     setpay_field_text("remote", setpay_http_request_remote(work->request)));
    setpay_metric_add(&requests_total, type_index(work), 1, 1);
    setpay_refusals_count(error);
    if (setpay_refusal_build(&refusal, work->now_ms, &bytes) == SETPAY_OK)
        send_bytes(work, setpay_buffer_view(&bytes));
    else
        setpay_http_reply_problem(work->request, 500, NULL, NULL, NULL);
    setpay_buffer_clear(&bytes);
    setpay_keyring_unref(keys);
    end(work);
}

void setpay_merchant_refuse(struct setpay_merchant_work *work, enum setpay_error error)
{
    refuse(work, error, SETPAY_VIEW_EMPTY);
}

/* ------------------------------------------------------------------ waiting */

static void on_resume(void *arg)
{
    struct setpay_merchant_work *work = arg;
    work->resume(work);
}

static void on_wait_over(void *arg)
{
    setpay_merchant_refuse(arg, SETPAY_E_UNDER_WAY); /* repeat, or inquire; the work goes on */
}

void setpay_merchant_wait(struct setpay_merchant_work *work, setpay_merchant_resume_fn *resume)
{
    struct setpay_merchant_worker *worker = work->worker;
    work->resume = resume;
    if (work->timer == NULL) {
        if (setpay_timer_new(worker->loop, on_wait_over, work, &work->timer) != SETPAY_OK) {
            setpay_merchant_refuse(work, SETPAY_E_NOMEM);
            return;
        }
        setpay_timer_start(work->timer, worker->draining ? worker->merchant->drain_wait_ms
                                                         : worker->merchant->answer_wait_ms);
    }
    setpay_waiter_wait(&worker->waiters, &work->waiter, &work->xid, on_resume, work);
}

static void on_notes(void *arg, const struct setpay_store_note *notes, size_t count, bool reread)
{
    struct setpay_merchant_worker *worker = arg;
    setpay_waiters_wake(&worker->waiters, notes, count, reread);
    bool told_of_batches = false;
    for (size_t i = 0; i < count; i++) {
        if (notes[i].version == SETPAY_MERCHANT_NOTE_BATCH)
            told_of_batches = true;
        else if (notes[i].version > 0 && setpay_merchant_drives(worker, &notes[i].id))
            setpay_merchant_drive(worker, &notes[i].id);
    }
    if (reread)
        setpay_merchant_drive_all(worker);
    if (reread || told_of_batches)
        setpay_merchant_batches_wake(worker->batches);
}

/* ------------------------------------------------------------------ a message */

static void take_message(struct setpay_merchant_work *work)
{
    struct setpay_view body = setpay_http_request_body(work->request);
    enum setpay_error error = setpay_message_parse(body, &work->message);
    if (error != SETPAY_OK) {
        refuse(work, error, body);
        return;
    }
    error = setpay_message_request_hash(&work->message, &work->request_hash);
    if (error != SETPAY_OK) {
        setpay_merchant_refuse(work, error);
        return;
    }
    switch (work->message.type) {
    case SETPAY_MESSAGE_PINIT_REQ:
        setpay_merchant_on_pinit_req(work);
        return;
    case SETPAY_MESSAGE_P_REQ:
        setpay_merchant_on_preq(work);
        return;
    case SETPAY_MESSAGE_INQ_REQ:
        setpay_merchant_on_inq_req(work);
        return;
    case SETPAY_MESSAGE_CAN_REQ:
        setpay_merchant_on_can_req(work);
        return;
    default:
        setpay_merchant_refuse(work, SETPAY_E_MESSAGE_TYPE); /* rule A1 */
    }
}

static void on_message(struct setpay_http_request *request, void *arg)
{
    if (!setpay_http_request_has_type(request, MEDIA_TYPE)) {
        setpay_http_reply_problem(request, 415, NULL, NULL, "expected " MEDIA_TYPE);
        return;
    }
    if (setpay_http_request_body(request).size == 0) {
        setpay_http_reply_problem(request, 400, NULL, NULL, "expected one message, found nothing");
        return;
    }
    struct setpay_merchant_work *work = calloc(1, sizeof *work);
    if (work == NULL) {
        setpay_http_reply_problem(request, 503, NULL, NULL, NULL);
        return;
    }
    work->worker = arg;
    work->request = request;
    work->now_ms = setpay_clock_now_ms();
    work->started_us = setpay_clock_monotonic_us();
    setpay_merchant_offer_init(&work->offer);
    setpay_merchant_ask_init(&work->ask);
    setpay_buffer_init(&work->answer, SETPAY_LIMIT_MESSAGE_BYTES);
    take_message(work);
}

static const struct setpay_http_route routes[] = {
    {SETPAY_HTTP_POST, "/setpay/v1/message", on_message},
    {SETPAY_HTTP_GET, NULL, NULL},
};

/* ------------------------------------------------------------------ the worker */

struct setpay_frame_client *setpay_merchant_client(struct setpay_merchant_worker *worker,
                                                   const struct setpay_merchant_brand *brand)
{
    return worker->clients[brand - worker->merchant->brands];
}

static enum setpay_error make_clients(struct setpay_merchant_worker *worker)
{
    struct setpay_merchant *merchant = worker->merchant;
    for (size_t i = 0; i < merchant->brand_count; i++) {
        const struct setpay_merchant_brand *brand = &merchant->brands[i];
        const struct setpay_frame_client_options options = {
            .address = merchant->gateway,
            .expect = {.sni = brand->name, .brand = brand->name, .id = merchant->gateway_id},
            .backoff_min_ms = merchant->repeat_min_ms,
            .backoff_max_ms = merchant->repeat_max_ms,
        };
        SETPAY_TRY(setpay_frame_client_new(worker->loop, brand->client_tls, &options,
                                           &worker->clients[i]));
    }
    return SETPAY_OK;
}

static enum setpay_error make_server(struct setpay_merchant_worker *worker,
                                     struct setpay_worker *daemon_worker)
{
    const struct setpay_http_server_options options = {
        .name = "wallets",
        .loop = worker->loop,
        .routes = routes,
        .arg = worker,
        .tls = worker->merchant->server_tls,
        .max_body_bytes = SETPAY_LIMIT_MESSAGE_BYTES,
    };
    SETPAY_TRY(setpay_http_server_new(&options, &worker->server));
    return setpay_http_server_listen(worker->server,
                                     setpay_worker_take_listener(daemon_worker, "wallets"));
}

static void on_start_time(void *arg)
{
    struct setpay_merchant_worker *worker = arg;
    setpay_merchant_drive_all(worker);
    setpay_merchant_batches_wake(worker->batches);
}

enum setpay_error setpay_merchant_worker_new(struct setpay_merchant *merchant,
                                             struct setpay_worker *daemon_worker,
                                             struct setpay_merchant_worker **worker)
{
    struct setpay_merchant_worker *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->merchant = merchant;
    made->index = daemon_worker->index;
    made->loop = daemon_worker->loop;
    made->executor = setpay_loop_executor(made->loop);
    enum setpay_error error = setpay_metric_register(&requests_total);
    if (error == SETPAY_OK)
        error = setpay_refusals_register();
    if (error == SETPAY_OK)
        error = setpay_merchant_register_book_metrics();
    if (error == SETPAY_OK)
        error = setpay_merchant_register_step_metrics();
    if (error == SETPAY_OK)
        error = setpay_metric_register(&request_seconds);
    if (error == SETPAY_OK)
        error = setpay_reader_new(merchant->store, &made->reader);
    if (error == SETPAY_OK)
        error =
            setpay_store_watch(merchant->store, &made->executor, on_notes, made, &made->watcher);
    if (error == SETPAY_OK)
        error = make_clients(made);
    if (error == SETPAY_OK && made->index == 0)
        error = setpay_merchant_pcert_new(made, &made->pcert);
    if (error == SETPAY_OK && made->index == 0)
        error = setpay_merchant_batches_new(made, &made->batches);
    if (error == SETPAY_OK && made->index == 0)
        error = setpay_merchant_batch_hour_new(made, &made->closer);
    if (error == SETPAY_OK)
        error = setpay_merchant_dues_new(made, &made->dues);
    if (error == SETPAY_OK)
        error = setpay_timer_new(made->loop, on_start_time, made, &made->start_timer);
    if (error == SETPAY_OK)
        error = make_server(made, daemon_worker);
    if (error != SETPAY_OK) {
        setpay_merchant_worker_free(made);
        return error;
    }
    setpay_timer_start(made->start_timer, 0);
    *worker = made;
    return SETPAY_OK;
}

static void wait_shortly(void *arg)
{
    struct setpay_merchant_work *work = arg;
    setpay_timer_start(work->timer, work->worker->merchant->drain_wait_ms);
}

void setpay_merchant_worker_drain(struct setpay_merchant_worker *worker,
                                  void (*drained_cb)(void *arg), void *arg)
{
    worker->draining = true;
    setpay_waiters_each(&worker->waiters, wait_shortly);
    setpay_http_server_drain(worker->server, drained_cb, arg);
}

static void refuse_to_drain(void *arg)
{
    setpay_merchant_refuse(arg, SETPAY_E_DRAINING);
}

void setpay_merchant_worker_free(struct setpay_merchant_worker *worker)
{
    if (worker == NULL)
        return;
    setpay_waiters_each(&worker->waiters, refuse_to_drain);
    setpay_timer_free(worker->start_timer);
    setpay_merchant_drives_free(worker);
    setpay_merchant_batch_hour_free(worker->closer);
    setpay_merchant_batches_free(worker->batches);
    setpay_merchant_dues_free(worker->dues);
    for (size_t i = 0; i < SETPAY_MERCHANT_BRANDS_MAX; i++)
        setpay_frame_client_free(worker->clients[i]);
    setpay_merchant_pcert_free(worker->pcert); /* hears of the end of its questions */
    setpay_http_server_free(worker->server);
    if (worker->watcher != NULL)
        setpay_store_unwatch(worker->watcher);
    setpay_reader_free(worker->reader);
    free(worker);
}
