/*
 * AuthCanReq and AuthCanRes: the cardholder ends an agreement, by a word that the merchant hands
 * on.
 *
 *     read content -> admit (A2, G1, A6) with a snapshot -> date (A5) -> the cardholder's word (G9)
 *       -> receipt, answer, row: one operation -> reply
 *
 * It can only prevent payments, so it is taken although the cardholder's certificate has ended or
 * was revoked since, and from a merchant that is disabled. It is booked once: who asks again, in
 * whatever request, gets the receipt that there is.
 */
#include "common/base/log.h"
#include "common/store/answers.h"
#include "common/store/evidence.h"
#include "common/wire/cancellation.h"
#include "common/wire/checks.h"
#include "gateway/payment/agreement.h"
#include "gateway/payment/dispatch.h"

#include <string.h>

static void look_and_decide(struct setpay_gateway_work *work);

struct snapshot {
    struct setpay_gateway_work *work;
    struct setpay_auth_can_req request;
    enum setpay_error found;
    struct setpay_gateway_agreement agreement;
    enum setpay_error card_found;
    enum setpay_error certificate_found;
    struct setpay_buffer certificate; /* the cardholder's, as it was kept with the first request */
    enum setpay_error receipt_found;
    struct setpay_sealed_receipt receipt; /* of the cancellation that is booked */
};

static enum setpay_error read_snapshot(struct setpay_db *db, void *arg)
{
    struct snapshot *s = arg;
    struct setpay_gateway_work *work = s->work;
    setpay_kept_card_clear(&work->card);
    setpay_kept_card_init(&work->card);
    s->found = setpay_gateway_agreement_find(db, s->request.brand, s->request.merchant_id,
                                             &s->request.xid, work->now_ms, &s->agreement);
    if (s->found != SETPAY_OK)
        return SETPAY_OK;
    s->card_found = setpay_kept_card_find(db, s->agreement.first.id, &work->card);
    s->certificate_found =
        setpay_evidence_certificate(db, &s->agreement.first.cardholder, &s->certificate);
    s->receipt_found = setpay_payment_find_receipt(db, s->agreement.first.id,
                                                   SETPAY_RECEIPT_CANCELLATION, &s->receipt);
    return SETPAY_OK;
}

/* Rule G9: the word of the certificate that signed the purchase, which was good when it did. */
static enum setpay_error check_word(const struct snapshot *s)
{
    const struct setpay_payment *first = &s->agreement.first;
    struct setpay_certificate *cardholder = NULL;
    struct setpay_cancellation expected = {
        .xid = first->xid,
        .cardholder = first->cardholder,
        .gateway_sign = first->gateway_sign,
        .pomd = first->pomd,
        .date_ms = s->work->now_ms,
    };
    memcpy(expected.brand, first->brand, sizeof expected.brand);
    memcpy(expected.merchant_id, first->merchant_id, sizeof expected.merchant_id);
    SETPAY_TRY(s->certificate_found);
    SETPAY_TRY(setpay_certificate_parse(setpay_buffer_view(&s->certificate), &cardholder));
    enum setpay_error error =
        setpay_cancellation_check(&s->request.cancellation, cardholder, &expected);
    setpay_certificate_unref(cardholder);
    return error;
}

static enum setpay_error make_answer(struct setpay_gateway_work *work,
                                     const struct setpay_sealed_receipt *receipt)
{
    const struct setpay_payment *payment = &work->payment;
    struct setpay_auth_can_res answer = {
        .header = setpay_gateway_answer_header(work),
        .xid = payment->xid,
        .cardholder = payment->cardholder,
        .pomd = payment->pomd,
        .receipt = *receipt,
    };
    struct setpay_buffer content;
    memcpy(answer.brand, payment->brand, sizeof answer.brand);
    memcpy(answer.merchant_id, payment->merchant_id, sizeof answer.merchant_id);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    enum setpay_error error = setpay_auth_can_res_build(&answer, &content);
    if (error == SETPAY_OK)
        error = setpay_gateway_sign_answer(work, SETPAY_MESSAGE_AUTH_CAN_RES,
                                           setpay_buffer_view(&content));
    setpay_buffer_clear(&content);
    return error;
}

/* ------------------------------------------------------------------ the operation */

static enum setpay_error keep_answer(struct setpay_db *db, const struct setpay_gateway_work *work)
{
    return setpay_answers_keep_for_good(db, &work->message.signer, &work->rrpid,
                                        &work->request_hash, setpay_buffer_view(&work->answer));
}

static enum setpay_error write_cancellation(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_work *work = arg;
    struct setpay_payment payment = work->payment;
    SETPAY_TRY(setpay_payment_check_rrpid(db, &work->message.signer, &work->rrpid,
                                          &work->request_hash)); /* rule A6 */
    if (!work->has_news)
        return keep_answer(db, work);
    SETPAY_TRY(setpay_payment_update(db, &payment));
    SETPAY_TRY(setpay_evidence_keep(db, payment.id, &work->message, work->merchant, work->now_ms));
    SETPAY_TRY(setpay_payment_add_receipt(db, payment.id, &work->receipt.sealed,
                                          setpay_buffer_view(&work->receipt.signed_bytes),
                                          work->now_ms));
    /* Rule G10: no longer than after any payment. */
    SETPAY_TRY(setpay_kept_card_keep(db, payment.id, work->card.until_ms));
    return keep_answer(db, work);
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
    if (work->has_news)
        setpay_log(SETPAY_LOG_INFO, "agreement.cancelled", setpay_field_id("xid", &work->xid),
                   setpay_field_id("rrpid", &work->rrpid),
                   setpay_field_text("brand", work->payment.brand),
                   setpay_field_text("merchant", work->payment.merchant_id));
    setpay_gateway_reply(work, setpay_buffer_view(&work->answer));
}

/* ------------------------------------------------------------------ deciding */

static enum setpay_error make_receipt(struct setpay_gateway_work *work)
{
    struct setpay_payment *payment = &work->payment;
    struct setpay_secret back_key = {0};
    SETPAY_TRY(setpay_vault_open_box(work->worker->gateway->vault, SETPAY_VAULT_BACK_KEY,
                                     &payment->xid, setpay_buffer_view(&work->card.back_key),
                                     &back_key));
    enum setpay_error error =
        setpay_payment_make_receipt(work->sign, payment, SETPAY_RECEIPT_CANCELLATION,
                                    payment->signed_minor, &back_key, work->now_ms, &work->receipt);
    setpay_secret_clear(&back_key);
    return error;
}

static enum setpay_error submit(struct setpay_gateway_work *work)
{
    return setpay_store_submit(work->worker->gateway->store, write_cancellation, on_kept, work,
                               &work->worker->executor);
}

static enum setpay_error decide(struct setpay_gateway_work *work, struct snapshot *s)
{
    const struct setpay_payment *first = &s->agreement.first;
    SETPAY_TRY(setpay_date_check(s->request.header.date_ms, work->now_ms)); /* rule A5 */
    if (s->found != SETPAY_OK)
        return s->found == SETPAY_E_NOT_FOUND ? SETPAY_E_TOKEN : s->found; /* rule G9 */
    /* Rules A2, G4: to the certificate that the cardholder has signed, by which the receipt is
     * believed. */
    if (!setpay_digest_equal(&first->gateway_sign, setpay_held_thumbprint(work->sign)))
        return SETPAY_E_RECEIVER;
    SETPAY_TRY(check_word(s));
    SETPAY_TRY(setpay_gateway_agreement_check_cancel(&s->agreement));
    work->payment = *first;
    if (first->cancelled_ms != 0) {
        SETPAY_TRY(s->receipt_found);
        SETPAY_TRY(make_answer(work, &s->receipt));
        return submit(work);
    }
    if (s->card_found != SETPAY_OK) /* without it there is no receipt */
        return s->card_found == SETPAY_E_NOT_FOUND ? SETPAY_E_CARD_GONE : s->card_found;
    work->has_news = true;
    work->payment.cancelled_ms = work->now_ms;
    work->payment.updated_ms = work->now_ms;
    work->card.until_ms = s->agreement.taken.last_ms + work->worker->gateway->keep_card_ms;
    SETPAY_TRY(make_receipt(work));
    SETPAY_TRY(make_answer(work, &work->receipt.sealed));
    return submit(work);
}

static void look_and_decide(struct setpay_gateway_work *work)
{
    struct snapshot s = {.work = work};
    bool done = false;
    const struct setpay_gateway_asked asked = {
        .header = &s.request.header,
        .brand = s.request.brand,
        .merchant_id = s.request.merchant_id,
        .only_undoes = true,
        .read_more = read_snapshot,
        .more = &s,
    };
    work->has_news = false;
    work->now_ms = setpay_clock_now_ms(); /* an authorisation may have been waited for */
    setpay_buffer_init(&s.certificate, SETPAY_LIMIT_CERTIFICATE_BYTES);
    enum setpay_error error = setpay_auth_can_req_parse(work->message.content, &s.request);
    if (error == SETPAY_OK)
        work->xid = s.request.xid;
    if (error == SETPAY_OK)
        error = setpay_gateway_admit(work, &asked, &done);
    bool waits = error == SETPAY_OK && !done && s.found == SETPAY_OK && s.agreement.asking;
    if (error == SETPAY_OK && !done && !waits)
        error = decide(work, &s);
    setpay_buffer_clear(&s.certificate);
    if (waits) /* an authorisation that is at the issuer comes before it, in the chain too */
        setpay_gateway_wait(work, look_and_decide);
    else if (error != SETPAY_OK)
        setpay_gateway_refuse(work, error);
}

void setpay_gateway_on_auth_can_req(struct setpay_gateway_work *work)
{
    look_and_decide(work);
}
