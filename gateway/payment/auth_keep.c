/*
 * What is made and kept of an authorisation, however it was decided: the card's boxes, receipts,
 * the answer, and the evidence of who has asked.
 */
#include "common/store/answers.h"
#include "common/store/evidence.h"
#include "gateway/payment/auth_flow.h"
#include "gateway/payment/sale.h"

enum setpay_error setpay_auth_keep_card(struct setpay_gateway_work *work)
{
    const struct setpay_gateway *gateway = work->worker->gateway;
    const struct setpay_pi *pi = &work->instruction.pi;
    const struct setpay_id *xid = &work->auth.xid;
    SETPAY_TRY(setpay_vault_pan_digest(gateway->vault, &pi->pan, &work->payment.pan_digest));
    SETPAY_TRY(setpay_vault_seal(gateway->vault, SETPAY_VAULT_PAN, xid, &pi->pan, &work->card.pan));
    SETPAY_TRY(setpay_vault_seal(gateway->vault, SETPAY_VAULT_EXPIRY, xid, &pi->expiry,
                                 &work->card.expiry));
    SETPAY_TRY(setpay_vault_seal(gateway->vault, SETPAY_VAULT_BACK_KEY, xid, &pi->back_key,
                                 &work->card.back_key));
    work->card.until_ms = work->now_ms + gateway->keep_card_ms;
    return SETPAY_OK;
}

static enum setpay_receipt_kind kind_of(const struct setpay_payment *payment)
{
    switch (payment->state) {
    case SETPAY_PAYMENT_APPROVED:
        return SETPAY_RECEIPT_AUTHORISATION;
    case SETPAY_PAYMENT_VOIDED:
        return SETPAY_RECEIPT_VOID;
    default:
        return SETPAY_RECEIPT_DECLINE;
    }
}

bool setpay_auth_captures(const struct setpay_gateway_work *work)
{
    return work->payment.is_sale && work->payment.state == SETPAY_PAYMENT_APPROVED;
}

enum setpay_error setpay_auth_make_answer(struct setpay_gateway_work *work)
{
    struct setpay_payment *payment = &work->payment;
    const struct setpay_digest previous = payment->last_receipt;
    int64_t amount =
        payment->state == SETPAY_PAYMENT_APPROVED ? payment->approved_minor : payment->amount.minor;
    SETPAY_TRY(setpay_payment_make_receipt(work->sign, payment, kind_of(payment), amount,
                                           &work->instruction.pi.back_key, payment->updated_ms,
                                           &work->receipt));
    struct setpay_step_done capture;
    enum setpay_error error =
        setpay_auth_captures(work) ? setpay_sale_make(work, &capture) : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_auth_answer(
            work->worker->gateway, work->sign, payment, &work->auth.thumbs, &work->receipt.sealed,
            setpay_auth_captures(work) ? &capture : NULL, payment->updated_ms, &work->answer);
    if (error != SETPAY_OK)
        payment->last_receipt = previous;
    return error;
}

enum setpay_error setpay_auth_write_answer(struct setpay_db *db, struct setpay_gateway_work *work)
{
    const struct setpay_payment *payment = &work->payment;
    SETPAY_TRY(setpay_payment_add_receipt(db, payment->id, &work->receipt.sealed,
                                          setpay_buffer_view(&work->receipt.signed_bytes),
                                          payment->updated_ms));
    return setpay_answers_keep_for_good(db, &payment->asked_by, &payment->rrpid,
                                        &payment->request_hash, setpay_buffer_view(&work->answer));
}

/* What merchant and cardholder have signed: with it a stranger believes that they asked for this.
 */
enum setpay_error setpay_auth_keep_evidence(struct setpay_db *db,
                                            const struct setpay_gateway_work *work)
{
    const struct setpay_payment *payment = &work->payment;
    SETPAY_TRY(setpay_evidence_keep_certificate(db, work->cardholder));
    /* Our own too: its file goes when it ends, and receipts are verified long after. */
    SETPAY_TRY(setpay_evidence_keep_certificate(db, work->sign->identity.certificate));
    return setpay_evidence_keep(db, setpay_payment_first(payment), &work->message, work->merchant,
                                payment->created_ms);
}

/* Rule A6: otherwise the outcome could not be kept under it. */
enum setpay_error setpay_auth_check_unanswered(struct setpay_db *db,
                                               const struct setpay_gateway_work *work)
{
    struct setpay_buffer answer;
    setpay_buffer_init(&answer, SETPAY_LIMIT_MESSAGE_BYTES);
    enum setpay_error error =
        setpay_answers_find(db, &work->message.signer, &work->rrpid, &work->request_hash, &answer);
    setpay_buffer_clear(&answer);
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    return error == SETPAY_OK ? SETPAY_E_PI_USED : error; /* its own: look again, and send it */
}
