/*
 * From a frame to its handler and back.
 *
 * What always holds: each request ends in one reply or one Error; an Error tells the peer a wire
 * code and nothing more, while the log line holds rule and reason; a repeated request gets the
 * bytes that were kept (rule A6); nothing is kept for a refusal, since nothing was done.
 */
#include "gateway/payment/dispatch.h"

#include "common/base/log.h"
#include "common/net/metrics.h"
#include "common/net/refusals.h"
#include "common/store/answers.h"
#include "common/wire/checks.h"
#include "common/wire/thumbs.h"

#include <stdlib.h>
#include <string.h>

static const char *const results[] = {"answered", "refused", NULL};
static struct setpay_metric requests_total = {
    .name = "setpay_gateway_requests_total",
    .help = "Requests of merchants, by how they ended.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"result", results}},
};

/* ------------------------------------------------------------------ a request's life */

static void check_drained(struct setpay_gateway_worker *worker)
{
    if (worker->connections_drained && LIST_EMPTY(&worker->works))
        setpay_worker_drained(worker->draining);
}

static void end(struct setpay_gateway_work *work)
{
    struct setpay_gateway_worker *worker = work->worker;
    setpay_waiter_leave(&work->waiter);
    LIST_REMOVE(work, in_worker);
    worker->work_count--;
    setpay_timer_free(work->timer);
    setpay_message_clear(&work->message);
    setpay_keyring_unref(work->keys);
    setpay_certificate_unref(work->merchant);
    setpay_certificate_unref(work->cardholder);
    setpay_instruction_clear(&work->instruction);
    setpay_kept_card_clear(&work->card);
    setpay_made_receipt_clear(&work->receipt);
    setpay_gateway_steps_free(work->steps);
    setpay_gateway_sale_free(work->sale);
    setpay_gateway_batch_work_free(work->batch);
    setpay_buffer_clear(&work->answer);
    free(work);
    check_drained(worker);
}

static void send_bytes(struct setpay_gateway_work *work, struct setpay_view bytes)
{
    enum setpay_error error =
        setpay_frame_reply(work->worker->server, work->connection, work->request_id, bytes);
    if (error != SETPAY_OK && error != SETPAY_E_CLOSED)
        setpay_log_error(error, "reply.failed", setpay_field_id("rrpid", &work->rrpid));
}

void setpay_gateway_reply(struct setpay_gateway_work *work, struct setpay_view bytes)
{
    setpay_metric_add(&requests_total, 0, 0, 1);
    send_bytes(work, bytes);
    end(work);
}

/* The chain of what signs, where that is an earlier certificate: a merchant that was started since
 * the renewal has never seen it, and could not believe the Error. Without it, it asks again. */
static void add_earlier_chain(const struct setpay_gateway_work *work, struct setpay_beside *beside)
{
    if (work->sign == NULL ||
        work->sign ==
            setpay_keyring_in_use(work->keys, SETPAY_PROFILE_GATEWAY_SIGN, work->brand->name))
        return;
    enum setpay_error error = setpay_beside_add_chain(beside, NULL, work->worker->gateway->trust,
                                                      work->sign->identity.certificate);
    if (error != SETPAY_OK)
        setpay_log_error(error, "reply.failed", setpay_field_id("rrpid", &work->rrpid));
}

/* raw: what was received, where it could not be read as a message. */
static void refuse(struct setpay_gateway_work *work, enum setpay_error error,
                   struct setpay_view raw)
{
    struct setpay_buffer bytes;
    struct setpay_beside beside;
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    setpay_beside_init(&beside);
    add_earlier_chain(work, &beside);
    const struct setpay_refusal refusal = {
        .error = error,
        .message = raw.size == 0 ? &work->message : NULL,
        .raw = raw,
        .rrpid = work->has_ids ? &work->rrpid : NULL,
        .key = work->sign != NULL ? work->sign->identity.key : NULL,
        .signer = work->sign != NULL ? setpay_held_thumbprint(work->sign) : NULL,
        .certificates = beside.certificates,
        .certificate_count = beside.certificate_count,
    };
    const char *type = raw.size == 0 ? setpay_message_type_name(work->message.type) : NULL;
    setpay_log_error(
        error, "request.refused", setpay_field_text("type", type != NULL ? type : "unreadable"),
        setpay_field_id("rrpid", &work->rrpid), setpay_field_id("xid", &work->xid),
        setpay_field_text("brand", work->peer.brand), setpay_field_text("merchant", work->peer.id));
    setpay_metric_add(&requests_total, 1, 0, 1);
    setpay_refusals_count(error);
    enum setpay_error built = setpay_refusal_build(&refusal, work->now_ms, &bytes);
    if (built == SETPAY_OK)
        send_bytes(work, setpay_buffer_view(&bytes));
    else
        setpay_frame_server_close(work->worker->server, work->connection);
    setpay_beside_clear(&beside);
    setpay_buffer_clear(&bytes);
    end(work);
}

void setpay_gateway_refuse(struct setpay_gateway_work *work, enum setpay_error error)
{
    refuse(work, error, SETPAY_VIEW_EMPTY);
}

/* ------------------------------------------------------------------ waiting */

static void on_resume(void *arg)
{
    struct setpay_gateway_work *work = arg;
    work->resume(work);
}

static void on_wait_over(void *arg)
{
    setpay_gateway_refuse(arg, SETPAY_E_UNDER_WAY); /* rule A6: busy, repeat later */
}

void setpay_gateway_wait(struct setpay_gateway_work *work, setpay_gateway_resume_fn *resume)
{
    struct setpay_gateway_worker *worker = work->worker;
    work->resume = resume;
    if (work->timer == NULL) {
        if (setpay_timer_new(worker->loop, on_wait_over, work, &work->timer) != SETPAY_OK) {
            setpay_gateway_refuse(work, SETPAY_E_NOMEM);
            return;
        }
        setpay_timer_start(work->timer, worker->gateway->answer_wait_ms);
    }
    setpay_waiter_wait(&worker->waiters, &work->waiter, &work->xid, on_resume, work);
}

static void on_notes(void *arg, const struct setpay_store_note *notes, size_t count, bool reread)
{
    struct setpay_gateway_worker *worker = arg;
    setpay_waiters_wake(&worker->waiters, notes, count, reread);
}

static void on_later(void *arg)
{
    struct setpay_gateway_work *work = arg;
    setpay_timer_free(work->timer);
    work->timer = NULL;
    on_resume(work);
}

void setpay_gateway_later(struct setpay_gateway_work *work, int64_t delay_ms,
                          setpay_gateway_resume_fn *resume)
{
    work->resume = resume;
    setpay_timer_free(work->timer);
    work->timer = NULL;
    if (setpay_timer_new(work->worker->loop, on_later, work, &work->timer) != SETPAY_OK) {
        setpay_gateway_refuse(work, SETPAY_E_NOMEM);
        return;
    }
    setpay_timer_start(work->timer, delay_ms);
}

/* ------------------------------------------------------------------ admission */

struct admission {
    struct setpay_gateway_work *work;
    const struct setpay_gateway_asked *asked;
    enum setpay_error found; /* of the kept answer */
    enum setpay_error merchant_found;
};

static enum setpay_error read_admission(struct setpay_db *db, void *arg)
{
    struct admission *a = arg;
    const struct setpay_gateway_asked *asked = a->asked;
    a->found = setpay_answers_find(db, &a->work->message.signer, &asked->header->rrpid,
                                   &a->work->request_hash, &a->work->answer);
    if (a->found == SETPAY_E_NOT_FOUND) {
        enum setpay_error taken = setpay_payment_check_rrpid(
            db, &a->work->message.signer, &asked->header->rrpid, &a->work->request_hash);
        if (taken != SETPAY_OK)
            a->found = taken;
    }
    a->merchant_found =
        setpay_gateway_merchant_find(db, asked->brand, asked->merchant_id, &a->work->merchant_row);
    return a->found == SETPAY_E_NOT_FOUND && asked->read_more != NULL
               ? asked->read_more(db, asked->more)
               : SETPAY_OK;
}

/* A payment is answered under the certificate that it names (rules A4, M6), also when that is an
 * earlier one. A request that names none of ours is refused, under the one in use. */
static void find_signer(struct setpay_gateway_work *work,
                        const struct setpay_request_header *header)
{
    const struct setpay_held *named =
        header->has_receiver ? setpay_keyring_find(work->keys, SETPAY_PROFILE_GATEWAY_SIGN,
                                                   work->brand->name, &header->receiver)
                             : NULL;
    if (named != NULL)
        work->sign = named;
}

enum setpay_error setpay_gateway_admit(struct setpay_gateway_work *work,
                                       const struct setpay_gateway_asked *asked, bool *done)
{
    struct admission admission = {.work = work, .asked = asked};
    work->rrpid = asked->header->rrpid;
    work->has_ids = true;
    *done = false;
    find_signer(work, asked->header);
    SETPAY_TRY(setpay_request_check(&work->message, asked->header,
                                    setpay_held_thumbprint(work->sign), asked->receiver_name));
    SETPAY_TRY(setpay_merchant_channel_check(&work->peer, work->merchant, asked->brand,
                                             asked->merchant_id));
    SETPAY_TRY(setpay_message_request_hash(&work->message, &work->request_hash));
    SETPAY_TRY(setpay_store_read(work->worker->reader, read_admission, &admission));
    if (admission.found == SETPAY_OK) {
        setpay_log(SETPAY_LOG_INFO, "request.repeated", setpay_field_id("rrpid", &work->rrpid),
                   setpay_field_id("xid", &work->xid));
        *done = true;
        setpay_gateway_reply(work, setpay_buffer_view(&work->answer)); /* rule A6 */
        return SETPAY_OK;
    }
    if (admission.found != SETPAY_E_NOT_FOUND)
        return admission.found;
    if (admission.merchant_found == SETPAY_E_NOT_FOUND ||
        (admission.merchant_found == SETPAY_OK && !work->merchant_row.enabled &&
         !asked->only_undoes))
        return SETPAY_E_MERCHANT_UNKNOWN; /* rule G1 */
    return admission.merchant_found;
}

/* ------------------------------------------------------------------ answers */

struct setpay_response_header setpay_gateway_answer_header(const struct setpay_gateway_work *work)
{
    return (struct setpay_response_header){
        .rrpid = work->rrpid,
        .request_hash = work->request_hash,
        .date_ms = work->now_ms,
        .sender = *setpay_held_thumbprint(work->sign),
        .has_receiver = true,
        .receiver = work->message.signer,
    };
}

enum setpay_error setpay_gateway_sign_answer(struct setpay_gateway_work *work,
                                             enum setpay_message_type type,
                                             struct setpay_view content)
{
    const struct setpay_identity *sign = &work->sign->identity;
    struct setpay_beside beside;
    setpay_beside_init(&beside);
    enum setpay_error error =
        setpay_beside_add_chain(&beside, NULL, work->worker->gateway->trust, sign->certificate);
    if (error == SETPAY_OK) {
        const struct setpay_message_parts parts = {
            .type = type,
            .content = content,
            .key = sign->key,
            .signer = setpay_held_thumbprint(work->sign),
            .certificates = beside.certificates,
            .certificate_count = beside.certificate_count,
        };
        error = setpay_message_build(&parts, &work->answer);
    }
    setpay_beside_clear(&beside);
    return error;
}

/* ------------------------------------------------------------------ from the frame */

/* Rule A2, A3: who signed, before a byte of the content is believed. */
static enum setpay_error authenticate(struct setpay_gateway_work *work)
{
    work->brand = setpay_gateway_find_brand(work->worker->gateway, work->peer.brand);
    if (work->brand == NULL)
        return SETPAY_E_MERCHANT_CHANNEL; /* rule G1 */
    work->keys = setpay_keys_take(work->worker->gateway->keys);
    work->sign = setpay_keyring_in_use(work->keys, SETPAY_PROFILE_GATEWAY_SIGN, work->brand->name);
    return setpay_message_authenticate(&work->message, work->worker->gateway->trust,
                                       SETPAY_PROFILE_MERCHANT_SIGN, work->brand->name,
                                       work->now_ms, &work->merchant);
}

static void on_request(void *arg, const struct setpay_frame_request *request)
{
    struct setpay_gateway_worker *worker = arg;
    struct setpay_gateway_work *work = calloc(1, sizeof *work);
    if (work == NULL) {
        setpay_frame_server_close(worker->server, request->connection);
        return;
    }
    work->worker = worker;
    LIST_INSERT_HEAD(&worker->works, work, in_worker);
    worker->work_count++;
    work->connection = request->connection;
    work->request_id = request->request_id;
    work->peer = *request->peer;
    work->now_ms = setpay_clock_now_ms();
    setpay_kept_card_init(&work->card);
    setpay_made_receipt_init(&work->receipt);
    setpay_buffer_init(&work->answer, SETPAY_LIMIT_MESSAGE_BYTES);

    enum setpay_error error = setpay_message_parse(request->payload, &work->message);
    if (error != SETPAY_OK) {
        refuse(work, error, request->payload);
        return;
    }
    /* A merchant with many connections, or one request repeated without end, takes memory only so
     * far. */
    error =
        worker->work_count > SETPAY_LIMIT_REQUESTS_PER_WORKER ? SETPAY_E_BUSY : authenticate(work);
    if (error != SETPAY_OK) {
        setpay_gateway_refuse(work, error);
        return;
    }
    switch (work->message.type) {
    case SETPAY_MESSAGE_AUTH_REQ:
        setpay_gateway_on_auth_req(work);
        return;
    case SETPAY_MESSAGE_AUTH_REV_REQ:
        setpay_gateway_on_auth_rev_req(work);
        return;
    case SETPAY_MESSAGE_AUTH_CAN_REQ:
        setpay_gateway_on_auth_can_req(work);
        return;
    case SETPAY_MESSAGE_CAP_REQ:
    case SETPAY_MESSAGE_CAP_REV_REQ:
    case SETPAY_MESSAGE_CRED_REQ:
    case SETPAY_MESSAGE_CRED_REV_REQ:
        setpay_gateway_on_step_req(work);
        return;
    case SETPAY_MESSAGE_BATCH_ADMIN_REQ:
        setpay_gateway_on_batch_admin_req(work);
        return;
    case SETPAY_MESSAGE_PCERT_REQ:
        setpay_gateway_on_pcert_req(work);
        return;
    default:
        setpay_gateway_refuse(work, SETPAY_E_MESSAGE_TYPE); /* rule A1 */
    }
}

/* ------------------------------------------------------------------ the worker */

enum setpay_error setpay_gateway_worker_new(struct setpay_gateway *gateway,
                                            struct setpay_gateway_reversals *reversals,
                                            struct setpay_gateway_presentments *presentments,
                                            struct setpay_worker *daemon_worker,
                                            struct setpay_tls *tls,
                                            struct setpay_gateway_worker **worker)
{
    struct setpay_gateway_worker *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    LIST_INIT(&made->works);
    made->gateway = gateway;
    made->reversals = reversals;
    made->presentments = presentments;
    made->loop = daemon_worker->loop;
    made->executor = setpay_loop_executor(made->loop);
    const struct setpay_frame_server_options options = {.on_request_cb = on_request, .arg = made};
    enum setpay_error error = setpay_metric_register(&requests_total);
    if (error == SETPAY_OK)
        error = setpay_gateway_register_auth_metrics();
    if (error == SETPAY_OK)
        error = setpay_gateway_register_further_metrics();
    if (error == SETPAY_OK)
        error = setpay_gateway_register_step_metrics();
    if (error == SETPAY_OK)
        error = setpay_refusals_register();
    if (error == SETPAY_OK)
        error = setpay_reader_new(gateway->store, &made->reader);
    if (error == SETPAY_OK)
        error = setpay_store_watch(gateway->store, &made->executor, on_notes, made, &made->watcher);
    if (error == SETPAY_OK)
        error = setpay_frame_server_new(made->loop,
                                        setpay_worker_take_listener(daemon_worker, "merchants"),
                                        tls, &options, &made->server);
    if (error != SETPAY_OK) {
        setpay_gateway_worker_free(made);
        return error;
    }
    *worker = made;
    return SETPAY_OK;
}

static void on_connections_drained(void *arg)
{
    struct setpay_gateway_worker *worker = arg;
    worker->connections_drained = true;
    check_drained(worker);
}

void setpay_gateway_worker_drain(struct setpay_gateway_worker *worker,
                                 struct setpay_worker *daemon_worker)
{
    worker->draining = daemon_worker;
    setpay_frame_server_drain(worker->server, on_connections_drained, worker);
}

void setpay_gateway_worker_free(struct setpay_gateway_worker *worker)
{
    if (worker == NULL)
        return;
    worker->connections_drained = false; /* nobody is to be told any more */
    struct setpay_gateway_work *work = LIST_FIRST(&worker->works);
    while (work != NULL) {
        struct setpay_gateway_work *next = LIST_NEXT(work, in_worker);
        end(work);
        work = next;
    }
    setpay_frame_server_free(worker->server);
    if (worker->watcher != NULL)
        setpay_store_unwatch(worker->watcher);
    setpay_reader_free(worker->reader);
    free(worker);
}
