/*
 * AuthRevReq and AuthRevRes: a merchant gives up an authorisation, wholly or in part, or what of it
 * is not captured.
 *
 *     read content -> admit (A2, G1, A6) -> snapshot -> date (A5) -> check (G8, G9, the table)
 *       -> receipt, answer, row of the reversal: one operation -> reply
 *
 * The merchant is answered once that is kept; the issuer is told by store and forward.
 *
 * What the gateway has given up by itself (the hold has ended, a sale was undone) is asked for in
 * the same way, by its amount: the answer has the receipt of that, and nothing is given up again.
 */
#include "common/base/log.h"
#include "common/store/answers.h"
#include "common/store/evidence.h"
#include "common/wire/checks.h"
#include "gateway/payment/dispatch.h"
#include "gateway/payment/step.h"

#include <stdio.h>
#include <string.h>

static void look_and_decide(struct setpay_gateway_work *work);

struct snapshot {
    struct setpay_gateway_work *work;
    enum setpay_error found;
    enum setpay_error card_found;
};

bool setpay_payment_is_released(const struct setpay_payment *payment)
{
    return payment->released_minor > 0 && setpay_payment_held(payment) == 0;
}

static enum setpay_error read_snapshot(struct setpay_db *db, void *arg)
{
    struct snapshot *s = arg;
    const struct setpay_auth_rev_req *request = &s->work->reverse;
    struct setpay_gateway_work *work = s->work;
    s->found =
        setpay_payment_find_authorisation(db, request->brand, request->merchant_id, &request->xid,
                                          &request->cap_token, 0, &work->payment);
    if (s->found == SETPAY_OK && setpay_payment_is_released(&work->payment))
        s->found = setpay_payment_find_receipt(db, work->payment.id, SETPAY_RECEIPT_REVERSAL,
                                               &work->receipt.sealed);
    else if (s->found == SETPAY_OK)
        s->card_found = setpay_kept_card_find(db, work->payment.id, &work->card);
    return SETPAY_OK;
}

enum setpay_error setpay_auth_reverse_check(const struct setpay_auth_rev_req *request,
                                            const struct setpay_payment *payment,
                                            const struct setpay_digest *receiver,
                                            enum setpay_payment_state *next)
{
    if (!payment->has_cap_token || !setpay_view_equal_secret(setpay_id_view(&payment->cap_token),
                                                             setpay_id_view(&request->cap_token)))
        return SETPAY_E_TOKEN; /* rule G9 */
    /* Rules A2, G4: to the certificate that the cardholder has signed, by which the receipt is
     * believed. */
    if (!setpay_digest_equal(&payment->gateway_sign, receiver))
        return SETPAY_E_RECEIVER;
    if (setpay_payment_is_released(payment)) {
        *next = payment->state;
        return setpay_money_same_currency(&request->amount, &payment->amount) &&
                       request->amount.minor == payment->released_minor
                   ? SETPAY_OK
                   : SETPAY_E_HOLD_OVER;
    }
    if (payment->release_owed) /* rule G9: that of another authorisation comes first */
        return SETPAY_E_HOLD_OVER;
    int64_t left = setpay_payment_held(payment);
    if (payment->state == SETPAY_PAYMENT_APPROVED || payment->state == SETPAY_PAYMENT_CAPTURED) {
        /* rule G8 */
        if (!setpay_money_same_currency(&request->amount, &payment->amount) ||
            request->amount.minor <= 0 || request->amount.minor > left)
            return SETPAY_E_AMOUNT_LIMIT;
    }
    return setpay_payment_state_next(payment->state,
                                     request->amount.minor < left ? SETPAY_PAYMENT_REVERSE_PART
                                                                  : SETPAY_PAYMENT_REVERSE_WHOLE,
                                     next);
}

void setpay_auth_reverse_apply(struct setpay_payment *payment, enum setpay_payment_state next,
                               int64_t minor, setpay_time_ms now_ms)
{
    payment->updated_ms = now_ms;
    if (setpay_payment_is_released(payment)) {
        payment->release_open = false;
        return;
    }
    payment->state = next;
    payment->reversed_minor += minor;
    payment->released_minor = 0; /* the newest receipt is of something else now */
}

static enum setpay_error make_answer(struct setpay_gateway_work *work)
{
    const struct setpay_payment *payment = &work->payment;
    struct setpay_auth_rev_res answer = {
        .header = setpay_gateway_answer_header(work),
        .xid = payment->xid,
        .amount = work->reverse.amount,
        .remaining = payment->amount,
        .cardholder = payment->cardholder,
        .pomd = payment->pomd,
        .action_code = "00",
        .receipt = work->receipt.sealed,
    };
    struct setpay_buffer content;
    answer.remaining.minor = setpay_payment_held(payment);
    memcpy(answer.brand, payment->brand, sizeof answer.brand);
    memcpy(answer.merchant_id, payment->merchant_id, sizeof answer.merchant_id);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    enum setpay_error error = setpay_auth_rev_res_build(&answer, &content);
    if (error == SETPAY_OK)
        error = setpay_gateway_sign_answer(work, SETPAY_MESSAGE_AUTH_REV_RES,
                                           setpay_buffer_view(&content));
    setpay_buffer_clear(&content);
    return error;
}

static enum setpay_error write_reversal(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_work *work = arg;
    struct setpay_payment payment = work->payment;
    struct setpay_gateway_reversal reversal = work->reversal;
    SETPAY_TRY(setpay_payment_check_rrpid(db, &work->message.signer, &work->rrpid,
                                          &work->request_hash)); /* rule A6 */
    SETPAY_TRY(setpay_payment_update(db, &payment));
    SETPAY_TRY(setpay_gateway_reversal_insert(db, &reversal));
    SETPAY_TRY(setpay_evidence_keep(db, setpay_payment_first(&payment), &work->message,
                                    work->merchant, work->now_ms));
    SETPAY_TRY(setpay_payment_add_receipt(db, payment.id, &work->receipt.sealed,
                                          setpay_buffer_view(&work->receipt.signed_bytes),
                                          work->now_ms));
    return setpay_answers_keep_for_good(db, &work->message.signer, &work->rrpid,
                                        &work->request_hash, setpay_buffer_view(&work->answer));
}

/* The receipt is the merchant's now: steps of the payment are taken again. */
static enum setpay_error write_handed_out(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_work *work = arg;
    struct setpay_payment payment = work->payment;
    SETPAY_TRY(setpay_payment_check_rrpid(db, &work->message.signer, &work->rrpid,
                                          &work->request_hash)); /* rule A6 */
    SETPAY_TRY(setpay_payment_update(db, &payment));
    SETPAY_TRY(setpay_evidence_keep(db, setpay_payment_first(&payment), &work->message,
                                    work->merchant, work->now_ms));
    return setpay_answers_keep_for_good(db, &work->message.signer, &work->rrpid,
                                        &work->request_hash, setpay_buffer_view(&work->answer));
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
    setpay_log(SETPAY_LOG_INFO,
               setpay_payment_is_released(&work->payment) ? "auth.released" : "auth.reversed",
               setpay_field_text("state", setpay_payment_state_name(work->payment.state)),
               setpay_field_id("xid", &work->xid), setpay_field_id("rrpid", &work->rrpid),
               setpay_field_money("amount", &work->reverse.amount));
    setpay_gateway_reversals_wake(work->worker->reversals);
    setpay_gateway_reply(work, setpay_buffer_view(&work->answer));
}

static enum setpay_error decide(struct setpay_gateway_work *work, enum setpay_error card_found)
{
    struct setpay_gateway *gateway = work->worker->gateway;
    struct setpay_payment *payment = &work->payment;
    const struct setpay_auth_rev_req *request = &work->reverse;
    struct setpay_secret back_key = {0};
    enum setpay_payment_state next;
    SETPAY_TRY(setpay_date_check(request->header.date_ms, work->now_ms)); /* rule A5 */
    SETPAY_TRY(
        setpay_auth_reverse_check(request, payment, setpay_held_thumbprint(work->sign), &next));
    bool handed_out = setpay_payment_is_released(payment);
    if (!handed_out && card_found != SETPAY_OK) /* without it there is no receipt */
        return card_found == SETPAY_E_NOT_FOUND ? SETPAY_E_CARD_GONE : card_found;
    setpay_auth_reverse_apply(payment, next, request->amount.minor, work->now_ms);
    if (handed_out) {
        SETPAY_TRY(make_answer(work));
        return setpay_store_submit(gateway->store, write_handed_out, on_kept, work,
                                   &work->worker->executor);
    }
    work->reversal = (struct setpay_gateway_reversal){
        .payment_id = payment->id,
        .partial = next != SETPAY_PAYMENT_REVERSED,
        .amount_minor = request->amount.minor,
        .remaining_minor = payment->approved_minor - payment->reversed_minor,
        .created_ms = work->now_ms,
    };
    SETPAY_TRY(setpay_vault_open_box(gateway->vault, SETPAY_VAULT_BACK_KEY, &payment->xid,
                                     setpay_buffer_view(&work->card.back_key), &back_key));
    enum setpay_error error =
        setpay_payment_make_receipt(work->sign, payment, SETPAY_RECEIPT_REVERSAL,
                                    request->amount.minor, &back_key, work->now_ms, &work->receipt);
    setpay_secret_clear(&back_key);
    SETPAY_TRY(error);
    SETPAY_TRY(make_answer(work));
    return setpay_store_submit(gateway->store, write_reversal, on_kept, work,
                               &work->worker->executor);
}

static void look_and_decide(struct setpay_gateway_work *work)
{
    struct snapshot snapshot = {.work = work};
    bool done = false;
    const struct setpay_gateway_asked asked = {
        .header = &work->reverse.header,
        .brand = work->reverse.brand,
        .merchant_id = work->reverse.merchant_id,
        .only_undoes = true,
        .read_more = read_snapshot,
        .more = &snapshot,
    };
    enum setpay_error error = setpay_gateway_admit(work, &asked, &done);
    if (error == SETPAY_OK && done)
        return;
    if (error == SETPAY_OK && snapshot.found != SETPAY_OK)
        error = snapshot.found == SETPAY_E_NOT_FOUND ? SETPAY_E_TOKEN : snapshot.found;
    if (error == SETPAY_OK)
        error = decide(work, snapshot.card_found);
    if (error != SETPAY_OK)
        setpay_gateway_refuse(work, error);
}

void setpay_gateway_on_auth_rev_req(struct setpay_gateway_work *work)
{
    enum setpay_error error = setpay_auth_rev_req_parse(work->message.content, &work->reverse);
    if (error != SETPAY_OK) {
        setpay_gateway_refuse(work, error);
        return;
    }
    work->xid = work->reverse.xid;
    look_and_decide(work);
}
