/*
 * Authorisation at the gateway: the rules G1 to G8 and G11 as functions without I/O.
 *
 * The order of the checks is the order of their cost and of what they stand on: who asks, what the
 * cardholder signed, whether the request is for just that, whose card it is, and only then time.
 * Nothing is booked unless all have passed.
 */
#include "gateway/payment/auth.h"

#include "common/crypto/hash.h"
#include "common/wire/agreement.h"
#include "common/wire/checks.h"
#include "common/wire/receipt.h"
#include "common/wire/thumbs.h"

#include <stdio.h>
#include <string.h>

/* ISO 8583 field 39, where the gateway itself decides. */
#define ACTION_APPROVED "00"
#define ACTION_PARTIAL "10"
#define ACTION_INVALID_AMOUNT "13" /* a part only, and that was not asked for */
#define ACTION_NO_ISSUER "91"      /* not reached, or no answer in time */
#define ACTION_MALFUNCTION "96"    /* an answer that can't be true */
#define ACTION_NEVER "57"          /* voided: not permitted to the cardholder any more */

enum setpay_error setpay_merchant_channel_check(const struct setpay_peer *peer,
                                                const struct setpay_certificate *signer,
                                                const char *brand, const char *merchant_id)
{
    bool same = peer->is_certified && strcmp(peer->brand, setpay_certificate_brand(signer)) == 0 &&
                strcmp(peer->id, setpay_certificate_id(signer)) == 0 &&
                strcmp(brand, setpay_certificate_brand(signer)) == 0 &&
                strcmp(merchant_id, setpay_certificate_id(signer)) == 0;
    return same ? SETPAY_OK : SETPAY_E_MERCHANT_CHANNEL; /* rule G1 */
}

/* Rule G5: the card is the one for which the certificate was issued. */
static enum setpay_error check_account(const struct setpay_pi *pi,
                                       const struct setpay_certificate *cardholder,
                                       const struct setpay_gateway_brand *brand)
{
    struct setpay_digest named;
    struct setpay_digest computed;
    SETPAY_TRY(setpay_certificate_account(cardholder, &named));
    SETPAY_TRY(setpay_account_id(&pi->pan_secret, &pi->pan, &pi->expiry, &computed));
    if (!setpay_view_equal_secret(setpay_digest_view(&named), setpay_digest_view(&computed)))
        return SETPAY_E_ACCOUNT; /* rule G5 */
    return setpay_pan_check(&pi->pan, &brand->prefixes);
}

enum setpay_error setpay_auth_check(
    const struct setpay_auth_req *request, const struct setpay_instruction *instruction,
    const struct setpay_certificate *merchant, const struct setpay_certificate *cardholder,
    const struct setpay_gateway_brand *brand, const struct setpay_held *sign,
    const struct setpay_held *encrypt, setpay_time_ms now_ms, struct setpay_digest *pomd)
{
    /* rule G3 */
    SETPAY_TRY(setpay_instruction_check_signature(instruction, request, cardholder, pomd));
    /* rule G4 */
    SETPAY_TRY(setpay_instruction_check_request(
        instruction, request, setpay_certificate_thumbprint(merchant), setpay_held_thumbprint(sign),
        setpay_held_thumbprint(encrypt)));
    if (!setpay_terms_are_sound(&request->terms, &instruction->pi.amount, 0))
        return SETPAY_E_PI_MISMATCH; /* rule G4: their end has a check of its own, below */
    SETPAY_TRY(check_account(&instruction->pi, cardholder, brand));
    /* rule G8 */
    if (request->amount.minor <= 0 || request->amount.minor > SETPAY_MONEY_MAX_MINOR)
        return SETPAY_E_AMOUNT_LIMIT;
    if (request->intent == SETPAY_INTENT_VOID)
        return SETPAY_OK; /* can only prevent a payment: its time does not matter */
    SETPAY_TRY(setpay_expiry_check(request->expiry_ms, now_ms)); /* rule A5 */
    /* An instruction lives an hour at most, so one that ends later was not made by the rules. */
    if (request->expiry_ms - now_ms >
        SETPAY_LIMIT_INSTRUCTION_LIFE_MS + SETPAY_LIMIT_DATE_TOLERANCE_MS)
        return SETPAY_E_EXPIRED;
    /* rule A5: what may come again has an end of its own, for its first time too */
    return request->terms.end_ms == 0 ? SETPAY_OK
                                      : setpay_expiry_check(request->terms.end_ms, now_ms);
}

enum setpay_error setpay_auth_check_restored(const struct setpay_auth_req *request,
                                             const struct setpay_certificate *encrypt,
                                             setpay_time_ms restored_ms)
{
    /* Whatever was taken before the restore ended by then: see setpay_auth_check. */
    setpay_time_ms last_end_ms =
        restored_ms + SETPAY_LIMIT_INSTRUCTION_LIFE_MS + SETPAY_LIMIT_DATE_TOLERANCE_MS;
    if (restored_ms == 0 || request->expiry_ms > last_end_ms)
        return SETPAY_OK;
    /* It names, and is sealed to, a certificate that was issued later (certificates are dated back,
     * never ahead). */
    if (setpay_certificate_not_before_ms(encrypt) >= restored_ms)
        return SETPAY_OK;
    return SETPAY_E_SET_BACK; /* rule G12 */
}

struct setpay_payment setpay_auth_book(const struct setpay_auth_req *request,
                                       const struct setpay_digest *merchant,
                                       const struct setpay_digest *gateway_sign,
                                       const struct setpay_digest *request_hash,
                                       const struct setpay_digest *pomd,
                                       enum setpay_payment_state state, setpay_time_ms now_ms)
{
    struct setpay_payment payment = {
        .state = state,
        .number = 1,
        .xid = request->xid,
        .pimd = request->pimd,
        .pomd = *pomd,
        .cardholder = request->cardholder,
        .merchant = *merchant,
        .asked_by = *merchant,
        .gateway_sign = *gateway_sign,
        .gateway_encrypt = request->gateway_encrypt,
        .amount = request->amount,
        .signed_minor = request->amount.minor,
        .partial_allowed = request->partial_allowed,
        .terms = request->terms,
        .expiry_ms = request->expiry_ms,
        .rrpid = request->header.rrpid,
        .request_hash = *request_hash,
        .created_ms = now_ms,
        .updated_ms = now_ms,
    };
    snprintf(payment.brand, sizeof payment.brand, "%s", request->brand);
    snprintf(payment.merchant_id, sizeof payment.merchant_id, "%s", request->merchant_id);
    if (state == SETPAY_PAYMENT_VOIDED)
        snprintf(payment.action_code, sizeof payment.action_code, "%s", ACTION_NEVER);
    return payment;
}

/* ------------------------------------------------------------------ the network's answer */

static void set_event(struct setpay_auth_decision *decision, enum setpay_payment_event event,
                      const char *action_code)
{
    decision->event = event;
    snprintf(decision->action_code, sizeof decision->action_code, "%s", action_code);
}

/* Declined here, though the issuer may hold something: to be reversed. */
static void set_failed(struct setpay_auth_decision *decision, const char *rule,
                       const char *action_code)
{
    set_event(decision, SETPAY_PAYMENT_FAIL, action_code);
    decision->rule = rule;
}

static void decide_approval(const struct setpay_payment *payment,
                            const struct setpay_network_answer *answer,
                            struct setpay_auth_decision *decision)
{
    int64_t asked = payment->amount.minor;
    int64_t approved = answer->amount.minor;
    bool same_currency = setpay_money_same_currency(&payment->amount, &answer->amount);
    if (!same_currency || approved <= 0 || approved > asked) {
        set_failed(decision, "G7", ACTION_MALFUNCTION); /* never above what was asked */
        return;
    }
    if (approved < asked && !payment->partial_allowed) {
        set_failed(decision, "G11", ACTION_INVALID_AMOUNT); /* rule G11 */
        return;
    }
    set_event(decision, SETPAY_PAYMENT_APPROVE,
              approved < asked ? ACTION_PARTIAL : ACTION_APPROVED);
    decision->approved_minor = approved;
    snprintf(decision->approval_code, sizeof decision->approval_code, "%s", answer->approval_code);
}

void setpay_auth_decide(const struct setpay_payment *payment,
                        const struct setpay_network_answer *answer,
                        struct setpay_auth_decision *decision)
{
    memset(decision, 0, sizeof *decision);
    decision->rule = "";
    switch (answer->outcome) {
    case SETPAY_NETWORK_NOT_SENT:
        set_event(decision, SETPAY_PAYMENT_DECLINE, ACTION_NO_ISSUER);
        return;
    case SETPAY_NETWORK_UNKNOWN:
        set_failed(decision, "G7", ACTION_NO_ISSUER); /* rule G7 */
        return;
    case SETPAY_NETWORK_ANSWERED:
        break;
    }
    if (strcmp(answer->response_code, ACTION_APPROVED) == 0 ||
        strcmp(answer->response_code, ACTION_PARTIAL) == 0)
        decide_approval(payment, answer, decision);
    else
        set_event(decision, SETPAY_PAYMENT_DECLINE, answer->response_code);
    decision->avs_result[0] = answer->avs_result;
    decision->security_code_result[0] = answer->cvv_result;
}

enum setpay_error setpay_auth_apply(struct setpay_payment *payment,
                                    const struct setpay_auth_decision *decision, int64_t hold_ms,
                                    const struct setpay_id *cap_token, setpay_time_ms now_ms)
{
    enum setpay_payment_state next;
    SETPAY_TRY(setpay_payment_state_next(payment->state, decision->event, &next));
    payment->state = next;
    payment->updated_ms = now_ms;
    payment->decided_ms = now_ms;
    payment->approved_minor = decision->approved_minor;
    memcpy(payment->action_code, decision->action_code, sizeof payment->action_code);
    memcpy(payment->approval_code, decision->approval_code, sizeof payment->approval_code);
    memcpy(payment->avs_result, decision->avs_result, sizeof payment->avs_result);
    memcpy(payment->security_code_result, decision->security_code_result,
           sizeof payment->security_code_result);
    if (next == SETPAY_PAYMENT_APPROVED) {
        payment->has_cap_token = true;
        payment->cap_token = *cap_token;
        payment->hold_expiry_ms = now_ms + hold_ms;
    }
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ receipt and answer */

void setpay_made_receipt_init(struct setpay_made_receipt *receipt)
{
    memset(&receipt->sealed, 0, sizeof receipt->sealed);
    setpay_buffer_init(&receipt->signed_bytes, SETPAY_WIRE_RECEIPT_MAX);
}

void setpay_made_receipt_clear(struct setpay_made_receipt *receipt)
{
    setpay_buffer_clear(&receipt->signed_bytes);
}

enum setpay_error setpay_payment_make_receipt(const struct setpay_held *sign,
                                              struct setpay_payment *payment,
                                              enum setpay_receipt_kind kind, int64_t amount_minor,
                                              const struct setpay_secret *back_key,
                                              setpay_time_ms now_ms,
                                              struct setpay_made_receipt *receipt)
{
    struct setpay_receipt content = {
        .kind = kind,
        .amount = payment->amount,
        .merchant = payment->merchant,
        .cardholder = payment->cardholder,
        .gateway_sign = *setpay_held_thumbprint(sign),
        .xid = payment->xid,
        .pomd = payment->pomd,
        .date_ms = now_ms,
        .previous = payment->last_receipt,
    };
    struct setpay_id receipt_id;
    struct setpay_digest hash;
    content.amount.minor = amount_minor;
    memcpy(content.brand, payment->brand, sizeof content.brand);
    memcpy(content.merchant_id, payment->merchant_id, sizeof content.merchant_id);
    memcpy(content.action_code, payment->action_code, sizeof content.action_code);
    memcpy(content.approval_code, payment->approval_code, sizeof content.approval_code);

    SETPAY_TRY(setpay_receipt_sign(&content, sign->identity.key, &receipt->signed_bytes));
    struct setpay_view signed_bytes = setpay_buffer_view(&receipt->signed_bytes);
    SETPAY_TRY(setpay_receipt_hash(signed_bytes, &hash));
    SETPAY_TRY(setpay_id_random(&receipt_id));
    SETPAY_TRY(setpay_sealed_receipt_make(back_key, &receipt_id, &payment->xid, kind, signed_bytes,
                                          &receipt->sealed));
    payment->last_receipt = hash;
    return SETPAY_OK;
}

static enum setpay_auth_outcome outcome_of(const struct setpay_payment *payment)
{
    switch (payment->state) {
    case SETPAY_PAYMENT_APPROVED:
        return payment->approved_minor < payment->amount.minor ? SETPAY_AUTH_PARTIAL
                                                               : SETPAY_AUTH_APPROVED;
    case SETPAY_PAYMENT_VOIDED:
        return SETPAY_AUTH_VOIDED;
    default:
        return SETPAY_AUTH_DECLINED;
    }
}

static void fill_answer(const struct setpay_payment *payment, const struct setpay_held *sign,
                        const struct setpay_sealed_receipt *receipt, setpay_time_ms now_ms,
                        struct setpay_auth_res *answer)
{
    memset(answer, 0, sizeof *answer);
    answer->header = (struct setpay_response_header){
        .rrpid = payment->rrpid,
        .request_hash = payment->request_hash,
        .date_ms = now_ms,
        .sender = *setpay_held_thumbprint(sign),
        .has_receiver = true,
        .receiver = payment->asked_by,
    };
    answer->xid = payment->xid;
    answer->outcome = outcome_of(payment);
    answer->amount = payment->amount;
    answer->amount.minor = payment->approved_minor;
    memcpy(answer->brand, payment->brand, sizeof answer->brand);
    memcpy(answer->merchant_id, payment->merchant_id, sizeof answer->merchant_id);
    answer->cardholder = payment->cardholder;
    answer->gateway_encrypt = payment->gateway_encrypt;
    answer->pomd = payment->pomd;
    memcpy(answer->action_code, payment->action_code, sizeof answer->action_code);
    memcpy(answer->approval_code, payment->approval_code, sizeof answer->approval_code);
    memcpy(answer->avs_result, payment->avs_result, sizeof answer->avs_result);
    memcpy(answer->security_code_result, payment->security_code_result,
           sizeof answer->security_code_result);
    answer->hold_expiry_ms = payment->hold_expiry_ms;
    answer->has_cap_token = payment->has_cap_token;
    answer->cap_token = payment->cap_token;
    answer->has_auth_token = payment->goes_on && payment->has_cap_token;
    answer->auth_token = payment->auth_token;
    answer->receipt = *receipt;
}

enum setpay_error setpay_auth_answer(const struct setpay_gateway *gateway,
                                     const struct setpay_held *sign,
                                     const struct setpay_payment *payment,
                                     const struct setpay_thumbs *known,
                                     const struct setpay_sealed_receipt *receipt,
                                     const struct setpay_step_done *capture, setpay_time_ms now_ms,
                                     struct setpay_buffer *bytes)
{
    struct setpay_auth_res answer;
    struct setpay_beside beside;
    struct setpay_buffer content;
    setpay_beside_init(&beside);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    fill_answer(payment, sign, receipt, now_ms, &answer);
    answer.has_capture = capture != NULL;
    if (capture != NULL)
        answer.capture = *capture;
    setpay_thumbs_add_trust(&answer.thumbs, gateway->trust, false);
    (void)setpay_thumbs_add(&answer.thumbs, &payment->asked_by);

    enum setpay_error error = setpay_auth_res_build(&answer, &content);
    if (error == SETPAY_OK)
        error = setpay_beside_add_chain(&beside, known, gateway->trust, sign->identity.certificate);
    if (error == SETPAY_OK) {
        const struct setpay_message_parts parts = {
            .type = SETPAY_MESSAGE_AUTH_RES,
            .content = setpay_buffer_view(&content),
            .key = sign->identity.key,
            .signer = setpay_held_thumbprint(sign),
            .certificates = beside.certificates,
            .certificate_count = beside.certificate_count,
        };
        error = setpay_message_build(&parts, bytes);
    }
    setpay_beside_clear(&beside);
    setpay_buffer_clear(&content);
    return error;
}
