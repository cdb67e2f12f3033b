/*
 * BatchAdminReq and BatchAdminRes: a merchant looks at a batch, or closes it.
 *
 *     read content -> admit (A2, G1, A6) with a snapshot -> date (A5) -> compare the totals
 *       -> closed where they agree, presentments, answer kept: one operation -> reply
 *
 * Where the totals differ nothing is closed: the merchant asks for the items, and finds the ones
 * that differ. A batch that was closed with the same totals is so again, by whatever request.
 *
 * The request that was agreed to is kept, and some of those that differed: what the merchant has
 * signed that it counts. One that looks claims nothing, and is not.
 */
#include "common/base/log.h"
#include "common/store/answers.h"
#include "common/store/batch_evidence.h"
#include "common/wire/checks.h"
#include "common/wire/thumbs.h"
#include "gateway/clearing/batch.h"
#include "gateway/payment/dispatch.h"

#include <stdlib.h>
#include <string.h>

/* Of one batch: a merchant that asks for ever with other totals does not fill the database. */
#define DIFFERING_KEPT_MAX 32

struct setpay_gateway_batch_work {
    struct setpay_batch_admin_req request;
    enum setpay_error found;
    struct setpay_batch batch;
    struct setpay_batch_total totals[SETPAY_LIMIT_CURRENCIES];
    size_t total_count;
    enum setpay_error items_found;
    struct setpay_batch_item items[SETPAY_LIMIT_BATCH_ITEMS];
    size_t item_count;
    bool more;
    bool agreed; /* both sides count the same */
    bool closes; /* by this request */
};

static void look_and_decide(struct setpay_gateway_work *work);

void setpay_gateway_batch_work_free(struct setpay_gateway_batch_work *work)
{
    if (work == NULL)
        return;
    setpay_batch_admin_req_clear(&work->request);
    free(work);
}

/* ------------------------------------------------------------------ the snapshot */

static enum setpay_error read_snapshot(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_batch_work *b = arg;
    const struct setpay_batch_admin_req *request = &b->request;
    b->found =
        setpay_batch_find(db, request->brand, request->merchant_id, request->batch, &b->batch);
    if (b->found != SETPAY_OK)
        return SETPAY_OK;
    SETPAY_TRY(setpay_batch_totals(db, b->batch.id, b->totals, &b->total_count));
    if (request->action == SETPAY_BATCH_QUERY)
        b->items_found =
            setpay_batch_items(db, b->batch.id, request->has_after ? &request->after : NULL,
                               b->items, &b->item_count, &b->more);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ the answer */

static enum setpay_error fill_lists(const struct setpay_gateway_batch_work *b,
                                    struct setpay_batch_admin_res *answer)
{
    answer->totals = calloc(b->total_count + 1, sizeof *answer->totals);
    answer->items = calloc(b->item_count + 1, sizeof *answer->items);
    if (answer->totals == NULL || answer->items == NULL)
        return SETPAY_E_NOMEM;
    memcpy(answer->totals, b->totals, b->total_count * sizeof *answer->totals);
    memcpy(answer->items, b->items, b->item_count * sizeof *answer->items);
    answer->total_count = b->total_count;
    answer->item_count = b->item_count;
    answer->more = b->more;
    return SETPAY_OK;
}

static enum setpay_error make_answer(struct setpay_gateway_work *work)
{
    const struct setpay_gateway_batch_work *b = work->batch;
    struct setpay_batch_admin_res answer = {
        .header = setpay_gateway_answer_header(work),
        .batch = b->batch.number,
        .agreed = b->agreed,
        .closed_ms = b->closes ? work->now_ms : b->batch.closed_ms,
    };
    struct setpay_buffer content;
    memcpy(answer.brand, b->request.brand, sizeof answer.brand);
    memcpy(answer.merchant_id, b->request.merchant_id, sizeof answer.merchant_id);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    enum setpay_error error = fill_lists(b, &answer);
    if (error == SETPAY_OK)
        error = setpay_batch_admin_res_build(&answer, &content);
    if (error == SETPAY_OK)
        error = setpay_gateway_sign_answer(work, SETPAY_MESSAGE_BATCH_ADMIN_RES,
                                           setpay_buffer_view(&content));
    setpay_buffer_clear(&content);
    setpay_batch_admin_res_clear(&answer);
    return error;
}

/* ------------------------------------------------------------------ the operation */

/* What was agreed on is still what is in it. */
static enum setpay_error check_again(struct setpay_db *db,
                                     const struct setpay_gateway_batch_work *b)
{
    struct setpay_batch_total totals[SETPAY_LIMIT_CURRENCIES];
    size_t count;
    SETPAY_TRY(setpay_batch_totals(db, b->batch.id, totals, &count));
    return setpay_batch_agrees(totals, count, b->totals, b->total_count) ? SETPAY_OK
                                                                         : SETPAY_E_CONFLICT;
}

/* One to which was agreed is enough: the others are repeats of it. */
static enum setpay_error keep_request(struct setpay_db *db, const struct setpay_gateway_work *work)
{
    const struct setpay_gateway_batch_work *b = work->batch;
    int64_t kept = 0;
    SETPAY_TRY(setpay_batch_evidence_count(db, b->batch.id, b->agreed, &kept));
    if (kept >= (b->agreed ? 1 : DIFFERING_KEPT_MAX))
        return SETPAY_OK;
    return setpay_batch_evidence_keep(db, b->batch.id, b->agreed, &work->message, work->merchant,
                                      work->now_ms);
}

static enum setpay_error write_answer(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_work *work = arg;
    const struct setpay_gateway_batch_work *b = work->batch;
    SETPAY_TRY(setpay_payment_check_rrpid(db, &work->message.signer, &work->rrpid,
                                          &work->request_hash)); /* rule A6 */
    if (b->closes) {
        SETPAY_TRY(check_again(db, b));
        SETPAY_TRY(setpay_batch_close(db, &b->batch, true, work->now_ms));
    }
    if (b->request.action == SETPAY_BATCH_CLOSE)
        SETPAY_TRY(keep_request(db, work));
    return setpay_answers_keep(db, &work->message.signer, &work->rrpid, &work->request_hash,
                               setpay_buffer_view(&work->answer), work->now_ms);
}

static void on_kept(void *arg, enum setpay_error error)
{
    struct setpay_gateway_work *work = arg;
    const struct setpay_gateway_batch_work *b = work->batch;
    if (error == SETPAY_E_CONFLICT && work->again++ < SETPAY_LIMIT_DECIDE_AGAIN) {
        look_and_decide(work);
        return;
    }
    if (error != SETPAY_OK) {
        setpay_gateway_refuse(work, error);
        return;
    }
    if (b->closes)
        setpay_log(SETPAY_LOG_INFO, "batch.closed", setpay_field_text("brand", b->batch.brand),
                   setpay_field_text("merchant", b->batch.merchant_id),
                   setpay_field_int("batch", b->batch.number),
                   setpay_field_id("rrpid", &work->rrpid));
    if (b->closes)
        setpay_gateway_presentments_wake(work->worker->presentments);
    setpay_gateway_reply(work, setpay_buffer_view(&work->answer));
}

/* ------------------------------------------------------------------ deciding */

static enum setpay_error decide(struct setpay_gateway_work *work)
{
    struct setpay_gateway_batch_work *b = work->batch;
    const struct setpay_batch_admin_req *request = &b->request;
    SETPAY_TRY(setpay_date_check(request->header.date_ms, work->now_ms)); /* rule A5 */
    if (b->found != SETPAY_OK)
        return b->found;
    if (request->action == SETPAY_BATCH_QUERY && b->items_found != SETPAY_OK)
        return b->items_found;
    b->agreed =
        request->action == SETPAY_BATCH_CLOSE &&
        setpay_batch_agrees(request->totals, request->total_count, b->totals, b->total_count);
    b->closes = b->agreed && b->batch.open;
    if (request->action == SETPAY_BATCH_CLOSE && !b->agreed)
        setpay_log(SETPAY_LOG_WARN, "batch.differs", setpay_field_text("brand", b->batch.brand),
                   setpay_field_text("merchant", b->batch.merchant_id),
                   setpay_field_int("batch", b->batch.number),
                   setpay_field_id("rrpid", &work->rrpid));
    SETPAY_TRY(make_answer(work));
    return setpay_store_submit(work->worker->gateway->store, write_answer, on_kept, work,
                               &work->worker->executor);
}

static void look_and_decide(struct setpay_gateway_work *work)
{
    const struct setpay_batch_admin_req *request = &work->batch->request;
    bool done = false;
    const struct setpay_gateway_asked asked = {
        .header = &request->header,
        .brand = request->brand,
        .merchant_id = request->merchant_id,
        .only_undoes = true, /* who is disabled may still see to what it has captured */
        .read_more = read_snapshot,
        .more = work->batch,
    };
    enum setpay_error error = setpay_gateway_admit(work, &asked, &done);
    if (error == SETPAY_OK && done)
        return;
    if (error == SETPAY_OK)
        error = decide(work);
    if (error != SETPAY_OK)
        setpay_gateway_refuse(work, error);
}

void setpay_gateway_on_batch_admin_req(struct setpay_gateway_work *work)
{
    work->batch = calloc(1, sizeof *work->batch);
    enum setpay_error error =
        work->batch == NULL
            ? SETPAY_E_NOMEM
            : setpay_batch_admin_req_parse(work->message.content, &work->batch->request);
    if (error != SETPAY_OK)
        setpay_gateway_refuse(work, error);
    else
        look_and_decide(work);
}
