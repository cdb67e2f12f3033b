/*
 * Cap, CapRev, Cred and CredRev from the frame to the answer: the thin shell around capture.c and
 * credit.c.
 *
 *     read content -> admit (A2, G1, A6) with a snapshot -> date (A5) -> decide each step (G8, G9)
 *       -> receipts, answer; rows, ledger entries, answer kept: one operation -> reply
 *
 * Each step is done or refused by itself, but all that are done are kept together, each with the
 * request that it was asked for by, at most SETPAY_LIMIT_STEPS copies of a short one. One of which
 * nobody can say yet (memory, disk, a queue that is full) leaves the whole request undecided: an
 * Error, and it may come again.
 */
#include "common/base/log.h"
#include "common/net/metrics.h"
#include "common/store/answers.h"
#include "common/store/evidence.h"
#include "common/wire/checks.h"
#include "gateway/payment/dispatch.h"
#include "gateway/payment/step.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"capture", "credit", "capture_reversal", "credit_reversal",
                                    NULL};
static const char *const results[] = {"done", "refused", NULL};
static struct setpay_metric steps_total = {
    .name = "setpay_gateway_steps_total",
    .help = "Captures, credits and their reversals that were asked for, by how they ended.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"kind", kinds}, {"result", results}},
};

/* One step of the request. */
struct one_step {
    enum setpay_error payment_found;
    struct setpay_payment payment;
    enum setpay_error card_found;
    struct setpay_kept_card card;
    enum setpay_error of_found;
    struct setpay_gateway_step of;
    enum setpay_error error; /* by which it is refused; SETPAY_OK: it is done */
    struct setpay_step_decision decision;
    struct setpay_made_receipt receipt;
    bool releases; /* a sale that is undone is given up with it */
    struct setpay_made_receipt released;
};

struct setpay_gateway_steps {
    enum setpay_step_kind kind;
    struct setpay_step_req request;
    struct setpay_batch batch;
    struct one_step list[SETPAY_LIMIT_STEPS]; /* as many as the request has */
};

static void look_and_decide(struct setpay_gateway_work *work);

static void clear_steps(struct setpay_gateway_steps *steps)
{
    for (size_t i = 0; i < SETPAY_LIMIT_STEPS; i++) {
        setpay_kept_card_clear(&steps->list[i].card);
        setpay_made_receipt_clear(&steps->list[i].receipt);
        setpay_made_receipt_clear(&steps->list[i].released);
    }
}

void setpay_gateway_steps_free(struct setpay_gateway_steps *steps)
{
    if (steps == NULL)
        return;
    clear_steps(steps);
    setpay_step_req_clear(&steps->request);
    free(steps);
}

/* ------------------------------------------------------------------ the snapshot */

static enum setpay_error read_step(struct setpay_db *db, const struct setpay_gateway_steps *steps,
                                   size_t index, struct one_step *one)
{
    const struct setpay_step *asked = &steps->request.steps[index];
    one->of_found = setpay_gateway_step_find(db, &asked->of, &one->of);
    one->payment_found = setpay_payment_find_authorisation(
        db, steps->request.brand, steps->request.merchant_id, &asked->xid, &asked->of,
        one->of_found == SETPAY_OK ? one->of.payment_id : 0, &one->payment);
    one->card_found = one->payment_found == SETPAY_OK
                          ? setpay_kept_card_find(db, one->payment.id, &one->card)
                          : SETPAY_E_NOT_FOUND;
    return SETPAY_OK;
}

static enum setpay_error read_snapshot(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_work *work = arg;
    struct setpay_gateway_steps *steps = work->steps;
    SETPAY_TRY(setpay_batch_find_open(db, steps->request.brand, steps->request.merchant_id,
                                      work->now_ms, &steps->batch));
    for (size_t i = 0; i < steps->request.step_count; i++)
        SETPAY_TRY(read_step(db, steps, i, &steps->list[i]));
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ one step */

static enum setpay_receipt_kind receipt_kind(enum setpay_step_kind kind)
{
    switch (kind) {
    case SETPAY_STEP_CAPTURE:
        return SETPAY_RECEIPT_CAPTURE;
    case SETPAY_STEP_CREDIT:
        return SETPAY_RECEIPT_CREDIT;
    case SETPAY_STEP_CAPTURE_REVERSAL:
        return SETPAY_RECEIPT_CAPTURE_REVERSAL;
    default:
        return SETPAY_RECEIPT_CREDIT_REVERSAL;
    }
}

/* Also of what is given up by it: that is the next in the chain. */
static enum setpay_error make_receipts(struct setpay_gateway_work *work, struct one_step *one)
{
    const struct setpay_vault *vault = work->worker->gateway->vault;
    struct setpay_payment *payment = &one->decision.payment;
    const struct setpay_gateway_step *step = &one->decision.step;
    struct setpay_secret back_key = {0};
    SETPAY_TRY(setpay_vault_open_box(vault, SETPAY_VAULT_BACK_KEY, &payment->xid,
                                     setpay_buffer_view(&one->card.back_key), &back_key));
    enum setpay_error error =
        setpay_payment_make_receipt(work->sign, payment, receipt_kind(step->kind),
                                    step->amount_minor, &back_key, work->now_ms, &one->receipt);
    one->releases = payment->release_open && !one->payment.release_open;
    if (error == SETPAY_OK && one->releases)
        error = setpay_payment_make_receipt(work->sign, payment, SETPAY_RECEIPT_REVERSAL,
                                            payment->released_minor, &back_key, work->now_ms,
                                            &one->released);
    setpay_secret_clear(&back_key);
    return error;
}

static enum setpay_error decide_step(struct setpay_gateway_work *work, size_t index,
                                     struct one_step *one)
{
    const struct setpay_gateway_steps *steps = work->steps;
    if (one->payment_found != SETPAY_OK)
        return one->payment_found == SETPAY_E_NOT_FOUND ? SETPAY_E_TOKEN : one->payment_found;
    /* Rules A2, G4: to the certificate that the cardholder has signed, by which the receipt is
     * believed. */
    if (!setpay_digest_equal(&one->payment.gateway_sign, setpay_held_thumbprint(work->sign)))
        return SETPAY_E_RECEIVER;
    if (one->of_found != SETPAY_OK && one->of_found != SETPAY_E_NOT_FOUND)
        return one->of_found;
    SETPAY_TRY(setpay_step_decide(steps->kind, &steps->request.steps[index], &one->payment,
                                  one->of_found == SETPAY_OK ? &one->of : NULL,
                                  &work->worker->gateway->fees, work->now_ms, &one->decision));
    if (one->card_found != SETPAY_OK) /* without it there is no receipt, and no presentment */
        return one->card_found == SETPAY_E_NOT_FOUND ? SETPAY_E_CARD_GONE : one->card_found;
    SETPAY_TRY(setpay_id_random(&one->decision.step.token));
    return make_receipts(work, one);
}

/* Whether an error is of the step; otherwise it is ours, and of the whole request. */
static bool is_refusal(enum setpay_error error)
{
    return setpay_error_kind(error) == SETPAY_KIND_DECLINED ||
           setpay_error_kind(error) == SETPAY_KIND_SECURITY;
}

/* ------------------------------------------------------------------ the answer */

static void fill_done(const struct setpay_gateway_steps *steps, size_t index,
                      struct setpay_step_done *done)
{
    const struct one_step *one = &steps->list[index];
    const struct setpay_step *asked = &steps->request.steps[index];
    *done = (struct setpay_step_done){
        .xid = asked->xid,
        .of = asked->of,
        .amount = asked->amount,
        .id = one->decision.step.token,
        .batch = steps->batch.number,
        .remaining = asked->amount,
        .cardholder = one->payment.cardholder,
        .pomd = one->payment.pomd,
        .receipt = one->receipt.sealed,
    };
    done->remaining.minor = one->decision.remaining_minor;
}

static void fill_answer(const struct setpay_gateway_work *work, struct setpay_step_res *answer)
{
    const struct setpay_gateway_steps *steps = work->steps;
    answer->header = setpay_gateway_answer_header(work);
    memcpy(answer->brand, steps->request.brand, sizeof answer->brand);
    memcpy(answer->merchant_id, steps->request.merchant_id, sizeof answer->merchant_id);
    for (size_t i = 0; i < steps->request.step_count; i++) {
        const struct setpay_step *asked = &steps->request.steps[i];
        if (steps->list[i].error == SETPAY_OK)
            fill_done(steps, i, &answer->done[answer->done_count++]);
        else
            answer->refused[answer->refused_count++] = (struct setpay_step_refused){
                .xid = asked->xid,
                .of = asked->of,
                .amount = asked->amount,
                .code = (uint32_t)setpay_error_info(steps->list[i].error)->wire,
            };
    }
}

static enum setpay_error make_answer(struct setpay_gateway_work *work)
{
    struct setpay_step_res answer = {.done = NULL};
    answer.done = calloc(SETPAY_LIMIT_STEPS, sizeof *answer.done);
    answer.refused = calloc(SETPAY_LIMIT_STEPS, sizeof *answer.refused);
    struct setpay_buffer content;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    enum setpay_error error = SETPAY_E_NOMEM;
    if (answer.done != NULL && answer.refused != NULL) {
        fill_answer(work, &answer);
        error = setpay_step_res_build(&answer, &content);
    }
    if (error == SETPAY_OK) /* an answer's type is one above its request's */
        error = setpay_gateway_sign_answer(work, (enum setpay_message_type)(work->message.type + 1),
                                           setpay_buffer_view(&content));
    setpay_buffer_clear(&content);
    setpay_step_res_clear(&answer);
    return error;
}

/* ------------------------------------------------------------------ the operation */

static enum setpay_error write_steps(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_work *work = arg;
    struct setpay_gateway_steps *steps = work->steps;
    struct setpay_batch batch = steps->batch;
    size_t done = 0;
    SETPAY_TRY(setpay_payment_check_rrpid(db, &work->message.signer, &work->rrpid,
                                          &work->request_hash)); /* rule A6 */
    for (size_t i = 0; i < steps->request.step_count; i++)
        done += steps->list[i].error == SETPAY_OK ? 1 : 0;
    if (done > 0)
        SETPAY_TRY(setpay_batch_use(db, &batch, done));
    for (size_t i = 0; i < steps->request.step_count; i++) {
        if (steps->list[i].error != SETPAY_OK)
            continue;
        const struct one_step *one = &steps->list[i];
        SETPAY_TRY(setpay_gateway_step_keep(db, &one->decision, batch.id, &one->receipt,
                                            one->releases ? &one->released : NULL));
        SETPAY_TRY(setpay_evidence_keep(db, setpay_payment_first(&one->payment), &work->message,
                                        work->merchant, work->now_ms));
    }
    return setpay_answers_keep_for_good(db, &work->message.signer, &work->rrpid,
                                        &work->request_hash, setpay_buffer_view(&work->answer));
}

static void log_steps(const struct setpay_gateway_work *work)
{
    const struct setpay_gateway_steps *steps = work->steps;
    for (size_t i = 0; i < steps->request.step_count; i++) {
        const struct one_step *one = &steps->list[i];
        const struct setpay_step *asked = &steps->request.steps[i];
        const char *kind = kinds[steps->kind - 1];
        setpay_metric_add(&steps_total, (size_t)steps->kind - 1, one->error == SETPAY_OK ? 0 : 1,
                          1);
        if (one->error != SETPAY_OK)
            setpay_log_error(one->error, "step.refused", setpay_field_text("kind", kind),
                             setpay_field_id("xid", &asked->xid),
                             setpay_field_id("rrpid", &work->rrpid),
                             setpay_field_money("amount", &asked->amount));
        else
            setpay_log(
                SETPAY_LOG_INFO, "step.done", setpay_field_text("kind", kind),
                setpay_field_text("state", setpay_payment_state_name(one->decision.payment.state)),
                setpay_field_id("xid", &asked->xid), setpay_field_id("rrpid", &work->rrpid),
                setpay_field_id("step", &one->decision.step.token),
                setpay_field_money("amount", &asked->amount));
    }
}

static void wake_reversals(const struct setpay_gateway_work *work)
{
    const struct setpay_gateway_steps *steps = work->steps;
    bool any = false;
    for (size_t i = 0; i < steps->request.step_count; i++)
        any = any || (steps->list[i].error == SETPAY_OK && steps->list[i].releases);
    if (any)
        setpay_gateway_reversals_wake(work->worker->reversals);
}

static void on_kept(void *arg, enum setpay_error error)
{
    struct setpay_gateway_work *work = arg;
    if (error == SETPAY_E_CONFLICT && work->again++ < SETPAY_LIMIT_DECIDE_AGAIN) {
        look_and_decide(work);
        return;
    }
    if (error != SETPAY_OK) {
        setpay_gateway_refuse(work, error);
        return;
    }
    log_steps(work);
    wake_reversals(work);
    setpay_gateway_reply(work, setpay_buffer_view(&work->answer));
}

/* ------------------------------------------------------------------ deciding */

/* Two steps of one purchase would each be decided on what was there before the other (rule A1). */
static enum setpay_error check_distinct(const struct setpay_step_req *request)
{
    for (size_t i = 1; i < request->step_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (setpay_id_equal(&request->steps[i].xid, &request->steps[k].xid))
                return SETPAY_E_FIELD;
        }
    }
    return SETPAY_OK;
}

static enum setpay_error decide(struct setpay_gateway_work *work)
{
    struct setpay_gateway_steps *steps = work->steps;
    SETPAY_TRY(check_distinct(&steps->request));
    SETPAY_TRY(setpay_date_check(steps->request.header.date_ms, work->now_ms)); /* rule A5 */
    for (size_t i = 0; i < steps->request.step_count; i++) {
        struct one_step *one = &steps->list[i];
        one->error = decide_step(work, i, one);
        if (one->error != SETPAY_OK && !is_refusal(one->error))
            return one->error;
    }
    SETPAY_TRY(make_answer(work));
    return setpay_store_submit(work->worker->gateway->store, write_steps, on_kept, work,
                               &work->worker->executor);
}

static void look_and_decide(struct setpay_gateway_work *work)
{
    const struct setpay_step_req *request = &work->steps->request;
    enum setpay_step_kind kind = work->steps->kind;
    bool done = false;
    const struct setpay_gateway_asked asked = {
        .header = &request->header,
        .brand = request->brand,
        .merchant_id = request->merchant_id,
        .only_undoes = kind == SETPAY_STEP_CAPTURE_REVERSAL || kind == SETPAY_STEP_CREDIT,
        .read_more = read_snapshot,
        .more = work,
    };
    enum setpay_error error = setpay_gateway_admit(work, &asked, &done);
    if (error == SETPAY_OK && done)
        return;
    if (error == SETPAY_OK)
        error = decide(work);
    if (error != SETPAY_OK)
        setpay_gateway_refuse(work, error);
}

static enum setpay_step_kind kind_of(enum setpay_message_type type)
{
    switch (type) {
    case SETPAY_MESSAGE_CAP_REQ:
        return SETPAY_STEP_CAPTURE;
    case SETPAY_MESSAGE_CAP_REV_REQ:
        return SETPAY_STEP_CAPTURE_REVERSAL;
    case SETPAY_MESSAGE_CRED_REQ:
        return SETPAY_STEP_CREDIT;
    default:
        return SETPAY_STEP_CREDIT_REVERSAL;
    }
}

void setpay_gateway_count_sale(void)
{
    setpay_metric_add(&steps_total, SETPAY_STEP_CAPTURE - 1, 0, 1);
}

enum setpay_error setpay_gateway_register_step_metrics(void)
{
    return setpay_metric_register(&steps_total);
}

void setpay_gateway_on_step_req(struct setpay_gateway_work *work)
{
    struct setpay_gateway_steps *steps = calloc(1, sizeof *steps);
    enum setpay_error error = steps == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    work->steps = steps;
    for (size_t i = 0; steps != NULL && i < SETPAY_LIMIT_STEPS; i++) {
        setpay_kept_card_init(&steps->list[i].card);
        setpay_made_receipt_init(&steps->list[i].receipt);
        setpay_made_receipt_init(&steps->list[i].released);
    }
    if (error == SETPAY_OK)
        error = setpay_step_req_parse(work->message.content, &steps->request);
    if (error != SETPAY_OK) {
        setpay_gateway_refuse(work, error);
        return;
    }
    steps->kind = kind_of(work->message.type);
    work->xid = steps->request.steps[0].xid;
    look_and_decide(work);
}
