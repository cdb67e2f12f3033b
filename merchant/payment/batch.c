/*
 * BatchAdminReq and BatchAdminRes: batches are closed, one at a time of each brand, on worker 0.
 *
 *     the oldest that is to be closed -> our totals, a request -> closed, where the gateway counts
 *       the same; otherwise its items page by page -> compared with ours -> what differs is kept
 *
 * A request is not kept: a batch that is closed agrees to the same totals again, whatever the rrpid
 * (so a crash, or an answer that was lost, costs one more question), and one that is looked at is
 * not changed. What is to be closed is a row, and is taken up again after a restart.
 *
 * The gateway's answers are kept with what comes of them: the one by which it is closed, or all in
 * which it has signed other totals and these items.
 *
 * While a step is with the gateway it may count in a batch and not yet here: then closing is tried
 * again for a while before anybody is told that the two differ.
 */
#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/net/metrics.h"
#include "common/store/batch_evidence.h"
#include "common/wire/checks.h"
#include "common/wire/thumbs.h"
#include "merchant/payment/batch_store.h"
#include "merchant/payment/dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_WAIT_MS 5000
#define UNDER_WAY_TRIES 10
/* Answers that one closing keeps: pages that are full, and what is said before them. A gateway that
 * gives an item a page would have us keep gigabytes. */
#define HEARD_MAX (SETPAY_MERCHANT_BATCH_ITEMS_MAX / SETPAY_LIMIT_BATCH_ITEMS + UNDER_WAY_TRIES + 2)

static const char *const results[] = {"closed", "differs", NULL};
static struct setpay_metric batches_total = {
    .name = "setpay_merchant_batches_total",
    .help = "Closings of batches, by how they ended.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"result", results}},
};

/* An answer of the gateway's that was checked. */
struct heard {
    struct setpay_message message;     /* owned */
    struct setpay_certificate *signer; /* a reference */
};

/* The closing of one batch. */
struct closing {
    struct setpay_merchant_batches *batches;
    struct setpay_merchant_brand *brand;
    struct setpay_timer *timer; /* the wait before the next try */
    bool asks;                  /* a request is under way */
    bool stores;                /* an operation is under way */
    uint64_t ticket;
    unsigned tries;
    unsigned differed; /* times, while steps were under way */

    struct setpay_merchant_batch batch;
    struct setpay_batch_total totals[SETPAY_LIMIT_CURRENCIES];
    size_t total_count;
    int64_t under_way; /* steps of the brand */
    struct setpay_asked asked;
    enum setpay_batch_action action;
    struct heard *heard; /* owned: since it was asked to close it */
    size_t heard_count;
    struct setpay_batch_item *theirs; /* owned: the gateway's items so far */
    size_t their_count;
    struct setpay_batch_item *ours; /* owned */
    size_t our_count;
    struct setpay_merchant_difference *differences; /* owned */
    size_t difference_count;
    setpay_time_ms closed_ms; /* as the gateway says */
    setpay_time_ms kept_ms;
};

struct setpay_merchant_batches {
    struct setpay_merchant_worker *worker;
    struct closing closings[SETPAY_MERCHANT_BRANDS_MAX]; /* by brand */
};

static void close_next(struct closing *closing);

static void forget_heard(struct closing *closing)
{
    for (size_t i = 0; i < closing->heard_count; i++) {
        setpay_message_clear(&closing->heard[i].message);
        setpay_certificate_unref(closing->heard[i].signer);
    }
    free(closing->heard);
    closing->heard = NULL;
    closing->heard_count = 0;
}

static void forget_items(struct closing *closing)
{
    forget_heard(closing);
    free(closing->theirs);
    free(closing->ours);
    free(closing->differences);
    closing->theirs = closing->ours = NULL;
    closing->differences = NULL;
    closing->their_count = closing->our_count = closing->difference_count = 0;
}

/* The whole of it again, after a while. */
static void later(struct closing *closing)
{
    const struct setpay_merchant *merchant = closing->batches->worker->merchant;
    int64_t delay_ms = merchant->repeat_min_ms;
    for (unsigned i = 0; i < closing->tries && delay_ms < merchant->repeat_max_ms; i++)
        delay_ms *= 2;
    closing->tries++;
    forget_items(closing);
    setpay_timer_start(closing->timer,
                       delay_ms < merchant->repeat_max_ms ? delay_ms : merchant->repeat_max_ms);
}

static void fail(struct closing *closing, enum setpay_error error)
{
    setpay_log_error(error, "batch.no_answer", setpay_field_text("brand", closing->brand->name),
                     setpay_field_int("batch", closing->batch.number),
                     setpay_field_id("rrpid", &closing->asked.rrpid),
                     setpay_field_int("tries", closing->tries + 1));
    later(closing);
}

/* ------------------------------------------------------------------ how it ended */

static enum setpay_error keep_heard(struct setpay_db *db, const struct closing *closing,
                                    bool agreed)
{
    for (size_t i = 0; i < closing->heard_count; i++)
        SETPAY_TRY(setpay_batch_evidence_keep(db, closing->batch.id, agreed,
                                              &closing->heard[i].message, closing->heard[i].signer,
                                              closing->kept_ms));
    return SETPAY_OK;
}

static enum setpay_error write_closed(struct setpay_db *db, void *arg)
{
    const struct closing *closing = arg;
    SETPAY_TRY(setpay_merchant_batch_closed(db, &closing->batch, closing->closed_ms));
    return keep_heard(db, closing, true);
}

static enum setpay_error write_differs(struct setpay_db *db, void *arg)
{
    const struct closing *closing = arg;
    SETPAY_TRY(setpay_merchant_batch_differs(db, &closing->batch, closing->differences,
                                             closing->difference_count));
    return keep_heard(db, closing, false);
}

static void on_kept(void *arg, enum setpay_error error)
{
    struct closing *closing = arg;
    bool differs = closing->difference_count > 0;
    closing->stores = false;
    if (error != SETPAY_OK && error != SETPAY_E_CONFLICT) {
        fail(closing, error);
        return;
    }
    if (error == SETPAY_OK) {
        setpay_metric_add(&batches_total, differs ? 1 : 0, 0, 1);
        setpay_log(differs ? SETPAY_LOG_WARN : SETPAY_LOG_INFO,
                   differs ? "batch.differs" : "batch.closed",
                   setpay_field_text("brand", closing->brand->name),
                   setpay_field_int("batch", closing->batch.number),
                   setpay_field_int("differences", (int64_t)closing->difference_count),
                   setpay_field_id("rrpid", &closing->asked.rrpid));
    }
    forget_items(closing);
    closing->tries = 0;
    closing->differed = 0;
    close_next(closing);
}

static void keep(struct closing *closing, setpay_store_operation_fn *operation)
{
    struct setpay_merchant_worker *worker = closing->batches->worker;
    closing->kept_ms = setpay_clock_now_ms();
    enum setpay_error error = setpay_store_submit(worker->merchant->store, operation, on_kept,
                                                  closing, &worker->executor);
    closing->stores = error == SETPAY_OK;
    if (error != SETPAY_OK)
        fail(closing, error);
}

/* ------------------------------------------------------------------ what differs */

static enum setpay_error read_ours(struct setpay_db *db, void *arg)
{
    struct closing *closing = arg;
    return setpay_merchant_batch_items(db, &closing->batch, &closing->ours, &closing->our_count);
}

static void compare(struct closing *closing)
{
    closing->differences = calloc(SETPAY_MERCHANT_DIFFERENCES_MAX, sizeof *closing->differences);
    enum setpay_error error = closing->differences == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_store_read(closing->batches->worker->reader, read_ours, closing);
    if (error != SETPAY_OK) {
        fail(closing, error);
        return;
    }
    setpay_merchant_batch_compare(closing->ours, closing->our_count, closing->theirs,
                                  closing->their_count, closing->differences,
                                  SETPAY_MERCHANT_DIFFERENCES_MAX, &closing->difference_count);
    if (closing->difference_count == 0)
        later(closing); /* it has come right since */
    else
        keep(closing, write_differs);
}

/* ------------------------------------------------------------------ the answer */

static bool same_totals(const struct closing *closing, const struct setpay_batch_admin_res *res)
{
    if (res->total_count != closing->total_count)
        return false;
    for (size_t i = 0; i < res->total_count; i++) {
        const struct setpay_batch_total *a = &res->totals[i], *b = &closing->totals[i];
        if (strcmp(a->currency, b->currency) != 0 || a->capture_count != b->capture_count ||
            a->capture_minor != b->capture_minor || a->credit_count != b->credit_count ||
            a->credit_minor != b->credit_minor)
            return false;
    }
    return true;
}

/* Rule M6: about the batch that was asked for; closed by it only with our totals; and a page that
 * does not go on where the last one ended would never end. */
static enum setpay_error check_answer(const struct closing *closing,
                                      const struct setpay_batch_admin_res *res)
{
    const struct setpay_merchant *merchant = closing->batches->worker->merchant;
    bool same = strcmp(res->brand, closing->brand->name) == 0 &&
                strcmp(res->merchant_id, merchant->id) == 0 && res->batch == closing->batch.number;
    bool closes = closing->action == SETPAY_BATCH_CLOSE;
    bool fits = res->agreed ? closes && res->closed_ms != 0 && same_totals(closing, res)
                            : !closes || !same_totals(closing, res);
    bool pages = !res->more || (!closes && res->item_count > 0);
    return same && fits && pages ? SETPAY_OK : SETPAY_E_AUTH_MISMATCH;
}

static enum setpay_error take_items(struct closing *closing,
                                    const struct setpay_batch_admin_res *res)
{
    size_t count = closing->their_count + res->item_count;
    if (count > SETPAY_MERCHANT_BATCH_ITEMS_MAX)
        return SETPAY_E_TOO_BIG;
    if (res->item_count == 0)
        return SETPAY_OK;
    struct setpay_batch_item *grown = realloc(closing->theirs, count * sizeof *grown);
    if (grown == NULL)
        return SETPAY_E_NOMEM;
    memcpy(grown + closing->their_count, res->items, res->item_count * sizeof *grown);
    closing->theirs = grown;
    closing->their_count = count;
    return SETPAY_OK;
}

/* Takes the message, and a reference to its signer; message is empty then. */
static enum setpay_error take_heard(struct closing *closing, struct setpay_message *message,
                                    struct setpay_certificate *signer)
{
    if (closing->heard_count == HEARD_MAX)
        return SETPAY_E_TOO_BIG;
    struct heard *grown =
        realloc(closing->heard, (closing->heard_count + 1) * sizeof *closing->heard);
    if (grown == NULL)
        return SETPAY_E_NOMEM;
    closing->heard = grown;
    grown[closing->heard_count++] =
        (struct heard){.message = *message, .signer = setpay_certificate_ref(signer)};
    memset(message, 0, sizeof *message);
    return SETPAY_OK;
}

static enum setpay_error ask(struct closing *closing, enum setpay_batch_action action);

/* What follows from an answer that was checked. */
static enum setpay_error go_on(struct closing *closing, const struct setpay_batch_admin_res *res)
{
    if (closing->action == SETPAY_BATCH_CLOSE && res->agreed) {
        closing->closed_ms = res->closed_ms;
        keep(closing, write_closed);
        return SETPAY_OK;
    }
    if (closing->action == SETPAY_BATCH_CLOSE) {
        if (closing->under_way > 0 && closing->differed++ < UNDER_WAY_TRIES) {
            later(closing);
            return SETPAY_OK;
        }
        return ask(closing, SETPAY_BATCH_QUERY);
    }
    SETPAY_TRY(take_items(closing, res));
    if (res->more)
        return ask(closing, SETPAY_BATCH_QUERY);
    compare(closing);
    return SETPAY_OK;
}

/* An answer whose signer is known. */
static enum setpay_error take_answer(struct closing *closing, struct setpay_message *message,
                                     struct setpay_certificate *signer)
{
    struct setpay_batch_admin_res res;
    SETPAY_TRY(setpay_batch_admin_res_parse(message->content, &res));
    enum setpay_error error = setpay_answer_check(message, &res.header, &closing->asked);
    if (error == SETPAY_OK)
        error = check_answer(closing, &res);
    if (error == SETPAY_OK)
        error = take_heard(closing, message, signer);
    if (error == SETPAY_OK) {
        setpay_testing_point("batch.answered");
        error = go_on(closing, &res);
    }
    setpay_batch_admin_res_clear(&res);
    return error;
}

static enum setpay_error take_message(struct closing *closing, struct setpay_message *message)
{
    struct setpay_merchant *merchant = closing->batches->worker->merchant;
    struct setpay_certificate *signer = NULL;
    if (message->type == SETPAY_MESSAGE_ERROR)
        atomic_store(&closing->brand->gateway_wanted, true); /* perhaps it has new certificates */
    if (message->type != SETPAY_MESSAGE_BATCH_ADMIN_RES)
        return message->type == SETPAY_MESSAGE_ERROR ? SETPAY_E_PEER_REFUSED
                                                     : SETPAY_E_MESSAGE_TYPE;
    SETPAY_TRY(setpay_message_authenticate(message, merchant->trust, SETPAY_PROFILE_GATEWAY_SIGN,
                                           closing->brand->name, setpay_clock_now_ms(), &signer));
    enum setpay_error error = take_answer(closing, message, signer);
    setpay_certificate_unref(signer);
    return error;
}

static void on_answer(void *arg, enum setpay_error error, struct setpay_view bytes)
{
    struct closing *closing = arg;
    struct setpay_message message;
    closing->asks = false;
    if (error == SETPAY_OK)
        error = setpay_message_parse(bytes, &message);
    if (error == SETPAY_OK) {
        error = take_message(closing, &message);
        setpay_message_clear(&message);
    }
    if (error != SETPAY_OK)
        fail(closing, error);
}

/* ------------------------------------------------------------------ the question */

static enum setpay_error build_request(struct closing *closing, const struct setpay_digest *sender,
                                       const struct setpay_digest *gateway,
                                       struct setpay_buffer *content)
{
    const struct setpay_merchant *merchant = closing->batches->worker->merchant;
    bool closes = closing->action == SETPAY_BATCH_CLOSE;
    struct setpay_batch_admin_req request = {
        .header =
            {
                .date_ms = setpay_clock_now_ms(),
                .has_sender = true,
                .sender = *sender,
                .has_receiver = true,
                .receiver = *gateway,
            },
        .action = closing->action,
        .batch = closing->batch.number,
        .totals = closes ? closing->totals : NULL, /* borrowed */
        .total_count = closes ? closing->total_count : 0,
        .has_after = !closes && closing->their_count > 0,
    };
    if (request.has_after)
        request.after = closing->theirs[closing->their_count - 1].id;
    SETPAY_TRY(setpay_id_random(&request.header.rrpid));
    memcpy(request.brand, closing->brand->name, sizeof request.brand);
    memcpy(request.merchant_id, merchant->id, sizeof request.merchant_id);
    SETPAY_TRY(setpay_batch_admin_req_build(&request, content));
    closing->asked = (struct setpay_asked){
        .rrpid = request.header.rrpid,
        .has_answerer = true,
        .answerer = *gateway,
        .has_asker = true,
        .asker = *sender,
    };
    return setpay_request_hash(SETPAY_MESSAGE_BATCH_ADMIN_REQ, sender, setpay_buffer_view(content),
                               &closing->asked.request_hash);
}

static enum setpay_error pack_request(struct closing *closing, const struct setpay_held *sign,
                                      struct setpay_view content, struct setpay_buffer *bytes)
{
    struct setpay_beside beside;
    setpay_beside_init(&beside);
    enum setpay_error error = setpay_beside_add_chain(
        &beside, NULL, closing->batches->worker->merchant->trust, sign->identity.certificate);
    if (error == SETPAY_OK) {
        const struct setpay_message_parts parts = {
            .type = SETPAY_MESSAGE_BATCH_ADMIN_REQ,
            .content = content,
            .key = sign->identity.key,
            .signer = setpay_held_thumbprint(sign),
            .certificates = beside.certificates,
            .certificate_count = beside.certificate_count,
        };
        error = setpay_message_build(&parts, bytes);
    }
    setpay_beside_clear(&beside);
    return error;
}

/* Signed under the certificate in use, to the gateway's present one. */
static enum setpay_error make_request(struct closing *closing, struct setpay_buffer *bytes)
{
    struct setpay_merchant *merchant = closing->batches->worker->merchant;
    struct setpay_certificate *gateway_sign = NULL, *gateway_encrypt = NULL;
    struct setpay_buffer content;
    SETPAY_TRY(setpay_merchant_gateway_get(merchant, closing->brand, setpay_clock_now_ms(),
                                           &gateway_sign, &gateway_encrypt));
    struct setpay_keyring *keys = setpay_keys_take(merchant->keys);
    const struct setpay_held *sign =
        setpay_keyring_in_use(keys, SETPAY_PROFILE_MERCHANT_SIGN, closing->brand->name);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    enum setpay_error error =
        sign == NULL ? SETPAY_E_SENDER
                     : build_request(closing, setpay_held_thumbprint(sign),
                                     setpay_certificate_thumbprint(gateway_sign), &content);
    if (error == SETPAY_OK)
        error = pack_request(closing, sign, setpay_buffer_view(&content), bytes);
    setpay_buffer_clear(&content);
    setpay_keyring_unref(keys);
    setpay_certificate_unref(gateway_sign);
    setpay_certificate_unref(gateway_encrypt);
    return error;
}

static enum setpay_error ask(struct closing *closing, enum setpay_batch_action action)
{
    struct setpay_merchant_worker *worker = closing->batches->worker;
    struct setpay_buffer bytes;
    closing->action = action;
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    enum setpay_error error = make_request(closing, &bytes);
    if (error == SETPAY_OK)
        error = setpay_frame_client_send(setpay_merchant_client(worker, closing->brand),
                                         setpay_buffer_view(&bytes), ANSWER_WAIT_MS, on_answer,
                                         closing, &closing->ticket);
    closing->asks = error == SETPAY_OK;
    setpay_buffer_clear(&bytes);
    return error;
}

static enum setpay_error read_closing(struct setpay_db *db, void *arg)
{
    struct closing *closing = arg;
    SETPAY_TRY(setpay_merchant_batch_find_closing(db, closing->brand->name, &closing->batch));
    SETPAY_TRY(
        setpay_merchant_batch_totals(db, &closing->batch, closing->totals, &closing->total_count));
    return setpay_merchant_batch_under_way(db, closing->brand->name, &closing->under_way);
}

static void close_next(struct closing *closing)
{
    setpay_timer_stop(closing->timer);
    enum setpay_error error =
        setpay_store_read(closing->batches->worker->reader, read_closing, closing);
    if (error == SETPAY_E_NOT_FOUND)
        return; /* nothing is to be closed */
    if (error == SETPAY_OK)
        error = ask(closing, SETPAY_BATCH_CLOSE);
    if (error != SETPAY_OK)
        fail(closing, error);
}

static void on_wait_over(void *arg)
{
    close_next(arg);
}

/* ------------------------------------------------------------------ its life */

void setpay_merchant_batches_wake(struct setpay_merchant_batches *batches)
{
    for (size_t i = 0; batches != NULL && i < batches->worker->merchant->brand_count; i++) {
        struct closing *closing = &batches->closings[i];
        if (!closing->asks && !closing->stores)
            close_next(closing);
    }
}

enum setpay_error setpay_merchant_batches_new(struct setpay_merchant_worker *worker,
                                              struct setpay_merchant_batches **batches)
{
    struct setpay_merchant_batches *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->worker = worker;
    enum setpay_error error = setpay_metric_register(&batches_total);
    for (size_t i = 0; i < worker->merchant->brand_count && error == SETPAY_OK; i++) {
        made->closings[i].batches = made;
        made->closings[i].brand = &worker->merchant->brands[i];
        error = setpay_timer_new(worker->loop, on_wait_over, &made->closings[i],
                                 &made->closings[i].timer);
    }
    if (error != SETPAY_OK) {
        setpay_merchant_batches_free(made);
        return error;
    }
    *batches = made;
    return SETPAY_OK;
}

void setpay_merchant_batches_free(struct setpay_merchant_batches *batches)
{
    if (batches == NULL)
        return;
    for (size_t i = 0; i < SETPAY_MERCHANT_BRANDS_MAX; i++) {
        struct closing *closing = &batches->closings[i];
        if (closing->asks)
            setpay_frame_client_cancel(setpay_merchant_client(batches->worker, closing->brand),
                                       closing->ticket);
        setpay_timer_free(closing->timer);
        forget_items(closing);
    }
    free(batches);
}
