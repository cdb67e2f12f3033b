/*
 * Rules M1 to M9 as functions without I/O.
 *
 * "The offer" is what this merchant signed and stored at PInit; "the record" is the purchase that
 * PReq made. The gateway's word counts only where it agrees with the record in everything; where it
 * does not, it is as if nothing had come, and the question is asked again.
 */
#include "merchant/payment/rules.h"

#include "common/base/limits.h"
#include "common/wire/checks.h"
#include "common/wire/signed.h"
#include "merchant/payment/step.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ PReq */

enum setpay_error setpay_merchant_offered_read(const struct setpay_merchant_offer *offer,
                                               struct setpay_offered *offered)
{
    struct setpay_digest digest;
    SETPAY_TRY(setpay_offer_digest(setpay_buffer_view(&offer->content), &digest));
    SETPAY_TRY(setpay_pinit_res_parse(setpay_buffer_view(&offer->content), &offered->message));
    offered->digest = digest;
    return SETPAY_OK;
}

void setpay_merchant_offered_clear(struct setpay_offered *offered)
{
    setpay_pinit_res_clear(&offered->message);
}

enum setpay_error setpay_merchant_offer_check(const struct setpay_offered *offered,
                                              const struct setpay_oi *oi, setpay_time_ms now_ms)
{
    const struct setpay_pinit_res *offer = &offered->message;
    bool same = setpay_id_equal(&oi->xid, &offer->xid) &&
                setpay_digest_equal(&oi->chall_m, &offer->chall_m) &&
                setpay_digest_equal(&oi->chall_c, &offer->chall_c) &&
                setpay_id_equal(&oi->lid_c, &offer->lid_c) &&
                strcmp(oi->lid_m, offer->lid_m) == 0 &&
                setpay_digest_equal(&oi->offer, &offered->digest);
    if (!same)
        return SETPAY_E_OFFER_MISMATCH;                   /* rule M1 */
    return setpay_expiry_check(offer->expiry_ms, now_ms); /* rules M1, A5 */
}

enum setpay_error setpay_merchant_order_check(const struct setpay_offered *offered,
                                              const struct setpay_oi *oi, setpay_time_ms now_ms)
{
    const struct setpay_pinit_res *offer = &offered->message;
    bool same = strcmp(oi->brand, offer->brand) == 0 &&
                setpay_money_equal(&oi->amount, &offer->amount) &&
                setpay_terms_equal(&oi->terms, &offer->terms) &&
                setpay_digest_equal(&oi->merchant, &offer->header.sender) &&
                setpay_digest_equal(&oi->gateway_sign, &offer->gateway_sign) &&
                setpay_digest_equal(&oi->gateway_encrypt, &offer->gateway_encrypt);
    /* Times are positive and far below the largest number (rule A1). */
    bool short_lived = oi->expiry_ms - oi->date_ms <=
                       SETPAY_LIMIT_INSTRUCTION_LIFE_MS + SETPAY_LIMIT_DATE_TOLERANCE_MS;
    if (!same || !short_lived)
        return SETPAY_E_ORDER_MISMATCH;                /* rule M3 */
    return setpay_expiry_check(oi->expiry_ms, now_ms); /* rule A5 */
}

enum setpay_error setpay_merchant_purchase_make(const struct setpay_merchant_preq *from,
                                                setpay_time_ms now_ms,
                                                struct setpay_merchant_purchase *purchase)
{
    const struct setpay_oi *oi = from->oi;
    struct setpay_merchant_purchase made = {
        .xid = oi->xid,
        .amount = oi->amount,
        .first_minor = from->first_minor,
        .sale = from->sale,
        .rrpid = oi->rrpid,
        .request_hash = *from->request_hash,
        .lid_c = oi->lid_c,
        .chall_c = oi->chall_c,
        .oimd = *from->oimd,
        .pimd = from->preq->pimd,
        .pomd = *from->pomd,
        .dual_signature = from->preq->dual_signature,
        .envelope = from->preq->envelope,
        .cardholder = oi->cardholder,
        .merchant = oi->merchant,
        .gateway_sign = oi->gateway_sign,
        .gateway_encrypt = oi->gateway_encrypt,
        .terms = oi->terms,
        .expiry_ms = oi->expiry_ms,
        .until_ms = oi->expiry_ms < from->order_expires_ms ? oi->expiry_ms : from->order_expires_ms,
        .created_ms = now_ms,
        .updated_ms = now_ms,
    };
    memcpy(made.order_id, from->offered->message.lid_m, sizeof made.order_id);
    memcpy(made.brand, oi->brand, sizeof made.brand);
    SETPAY_TRY(setpay_purchase_state_next(SETPAY_PURCHASE_NONE, SETPAY_PURCHASE_PREQ, &made.state));
    *purchase = made;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ asking the gateway */

enum setpay_error setpay_merchant_ask_kind(enum setpay_purchase_state state,
                                           enum setpay_ask_kind *kind)
{
    switch (state) {
    case SETPAY_PURCHASE_ASKING:
    case SETPAY_PURCHASE_LEARNING:
        *kind = SETPAY_ASK_AUTHORISE;
        return SETPAY_OK;
    case SETPAY_PURCHASE_VOIDING:
        *kind = SETPAY_ASK_VOID; /* rule M9 */
        return SETPAY_OK;
    case SETPAY_PURCHASE_REVERSING:
        *kind = SETPAY_ASK_REVERSE;
        return SETPAY_OK;
    default:
        return SETPAY_E_STATE;
    }
}

bool setpay_merchant_is_over(const struct setpay_merchant_purchase *purchase, setpay_time_ms now_ms)
{
    return purchase->state == SETPAY_PURCHASE_ASKING && now_ms > purchase->until_ms; /* rule M9 */
}

bool setpay_merchant_is_lapsed(const struct setpay_merchant_purchase *purchase, uint32_t wire_code,
                               bool signed_by_gateway, bool cardholder_ended, setpay_time_ms now_ms)
{
    bool of_certificate = wire_code == SETPAY_WIRE_CERTIFICATE || wire_code == SETPAY_WIRE_REVOKED;
    bool of_instruction = wire_code == SETPAY_WIRE_CRYPTOGRAPHIC ||
                          wire_code == SETPAY_WIRE_MISMATCH || wire_code == SETPAY_WIRE_AMOUNT ||
                          wire_code == SETPAY_WIRE_EXPIRED || (of_certificate && cardholder_ended);
    return purchase->state == SETPAY_PURCHASE_VOIDING && of_instruction && signed_by_gateway &&
           now_ms > purchase->expiry_ms + SETPAY_LIMIT_DATE_TOLERANCE_MS; /* rule M9 */
}

void setpay_merchant_auth_req_fill(const struct setpay_merchant_purchase *purchase,
                                   const char *merchant_id, enum setpay_auth_intent intent,
                                   const struct setpay_id *rrpid, setpay_time_ms now_ms,
                                   struct setpay_auth_req *request)
{
    memset(request, 0, sizeof *request);
    request->header = (struct setpay_request_header){
        .rrpid = *rrpid,
        .date_ms = now_ms,
        .has_sender = true,
        .sender = purchase->merchant,
        .has_receiver = true,
        .receiver = purchase->gateway_sign,
    };
    request->xid = purchase->xid;
    request->intent = intent;
    request->amount = purchase->amount;
    request->amount.minor = purchase->first_minor;
    memcpy(request->brand, purchase->brand, sizeof request->brand);
    snprintf(request->merchant_id, sizeof request->merchant_id, "%s", merchant_id);
    request->terms = purchase->terms;
    request->expiry_ms = purchase->expiry_ms;
    request->oimd = purchase->oimd;
    request->pimd = purchase->pimd;
    request->dual_signature = purchase->dual_signature;
    request->cardholder = purchase->cardholder;
    request->gateway_encrypt = purchase->gateway_encrypt;
    request->envelope = purchase->envelope;
}

void setpay_merchant_auth_rev_req_fill(const struct setpay_merchant_purchase *purchase,
                                       const char *merchant_id, const struct setpay_id *rrpid,
                                       setpay_time_ms now_ms, struct setpay_auth_rev_req *request)
{
    memset(request, 0, sizeof *request);
    request->header = (struct setpay_request_header){
        .rrpid = *rrpid,
        .date_ms = now_ms,
        .has_sender = true,
        .sender = purchase->merchant,
        .has_receiver = true,
        .receiver = purchase->gateway_sign,
    };
    request->xid = purchase->xid;
    request->cap_token = purchase->cap_token;
    request->amount = purchase->amount;
    request->amount.minor = setpay_merchant_held(purchase);
    memcpy(request->brand, purchase->brand, sizeof request->brand);
    snprintf(request->merchant_id, sizeof request->merchant_id, "%s", merchant_id);
}

enum setpay_gateway_word setpay_merchant_word(enum setpay_purchase_state state, uint32_t wire_code)
{
    switch (wire_code) {
    case SETPAY_WIRE_CERTIFICATE_MISSING:
        return SETPAY_WORD_CERTIFICATES;
    case SETPAY_WIRE_UNSPECIFIED:
    case SETPAY_WIRE_BUSY:
    case SETPAY_WIRE_CERTIFICATE: /* mended by newer lists; if not, the order's end gives up */
        return SETPAY_WORD_LATER;
    default:
        break;
    }
    if (wire_code == SETPAY_WIRE_REVOKED && state != SETPAY_PURCHASE_ASKING)
        return SETPAY_WORD_LATER; /* not the cardholder's, which a void may be: people mend it */
    if (state == SETPAY_PURCHASE_LEARNING)
        return SETPAY_WORD_NEXT;
    if (wire_code == SETPAY_WIRE_DATE)
        return SETPAY_WORD_RENEW; /* rule A5: final for that rrpid only */
    if (state == SETPAY_PURCHASE_VOIDING && wire_code == SETPAY_WIRE_ALREADY_USED)
        return SETPAY_WORD_USED;
    return state == SETPAY_PURCHASE_ASKING ? SETPAY_WORD_GIVE_UP : SETPAY_WORD_LATER;
}

setpay_time_ms setpay_merchant_offer_answer_until(const struct setpay_merchant_offer *offer)
{
    /* A request dated as far ahead as is accepted stays acceptable for twice the tolerance. */
    setpay_time_ms new_until = offer->created_ms + 2 * SETPAY_LIMIT_DATE_TOLERANCE_MS;
    return new_until + (offer->expiry_ms - offer->created_ms);
}

/* ------------------------------------------------------------------ the gateway's answers */

static bool is_approval(enum setpay_auth_outcome outcome)
{
    return outcome == SETPAY_AUTH_APPROVED || outcome == SETPAY_AUTH_PARTIAL;
}

static enum setpay_receipt_kind kind_of_outcome(enum setpay_auth_outcome outcome)
{
    return is_approval(outcome)              ? SETPAY_RECEIPT_AUTHORISATION
           : outcome == SETPAY_AUTH_DECLINED ? SETPAY_RECEIPT_DECLINE
                                             : SETPAY_RECEIPT_VOID;
}

/* rule M6: what a sale has captured is all that was approved, once; nothing else is captured. */
static bool capture_fits(const struct setpay_merchant_purchase *purchase, bool sale,
                         const struct setpay_auth_res *answer)
{
    const struct setpay_step_done *done = &answer->capture;
    if (!answer->has_capture)
        return !sale || !is_approval(answer->outcome);
    return sale && is_approval(answer->outcome) && setpay_id_equal(&done->xid, &purchase->xid) &&
           setpay_id_equal(&done->of, &answer->cap_token) &&
           setpay_money_equal(&done->amount, &answer->amount) && done->remaining.minor == 0 &&
           setpay_money_same_currency(&done->remaining, &answer->amount) &&
           setpay_digest_equal(&done->cardholder, &purchase->cardholder) &&
           setpay_digest_equal(&done->pomd, &purchase->pomd) &&
           done->receipt.kind == SETPAY_RECEIPT_CAPTURE;
}

/* The parts that a first and a further authorisation have in common. */
static bool auth_res_fits(const struct setpay_merchant_purchase *purchase, const char *merchant_id,
                          bool sale, const struct setpay_auth_res *answer)
{
    /* rule M6, rule A4: the parties and the payment are those of our own record */
    bool same = setpay_id_equal(&answer->xid, &purchase->xid) &&
                strcmp(answer->brand, purchase->brand) == 0 &&
                strcmp(answer->merchant_id, merchant_id) == 0 &&
                setpay_digest_equal(&answer->cardholder, &purchase->cardholder) &&
                setpay_digest_equal(&answer->gateway_encrypt, &purchase->gateway_encrypt) &&
                setpay_digest_equal(&answer->pomd, &purchase->pomd) &&
                setpay_money_same_currency(&answer->amount, &purchase->amount);
    bool proven = answer->receipt.kind == kind_of_outcome(answer->outcome);
    bool amounts = is_approval(answer->outcome) ? answer->amount.minor > 0 && answer->has_cap_token
                                                : answer->amount.minor == 0;
    return same && proven && amounts && capture_fits(purchase, sale, answer);
}

enum setpay_error setpay_merchant_auth_res_check(const struct setpay_merchant_purchase *purchase,
                                                 const char *merchant_id,
                                                 enum setpay_ask_kind asked,
                                                 const struct setpay_auth_res *answer)
{
    /* A void is answered by a void, and nothing else is. */
    bool fits = (asked == SETPAY_ASK_VOID) == (answer->outcome == SETPAY_AUTH_VOIDED) &&
                (asked == SETPAY_ASK_VOID || asked == SETPAY_ASK_AUTHORISE);
    bool sale = asked == SETPAY_ASK_AUTHORISE && purchase->sale;
    return fits && auth_res_fits(purchase, merchant_id, sale, answer)
               ? SETPAY_OK
               : SETPAY_E_AUTH_MISMATCH; /* rule M6 */
}

enum setpay_error setpay_merchant_further_res_check(const struct setpay_merchant_purchase *purchase,
                                                    const char *merchant_id,
                                                    const struct setpay_merchant_step *step,
                                                    const struct setpay_auth_res *answer)
{
    return answer->outcome != SETPAY_AUTH_VOIDED &&
                   auth_res_fits(purchase, merchant_id, step->sale, answer)
               ? SETPAY_OK
               : SETPAY_E_AUTH_MISMATCH; /* rule M6 */
}

enum setpay_error
setpay_merchant_auth_can_res_check(const struct setpay_merchant_purchase *purchase,
                                   const char *merchant_id,
                                   const struct setpay_auth_can_res *answer)
{
    bool same = setpay_id_equal(&answer->xid, &purchase->xid) &&
                strcmp(answer->brand, purchase->brand) == 0 &&
                strcmp(answer->merchant_id, merchant_id) == 0 &&
                setpay_digest_equal(&answer->cardholder, &purchase->cardholder) &&
                setpay_digest_equal(&answer->pomd, &purchase->pomd) &&
                answer->receipt.kind == SETPAY_RECEIPT_CANCELLATION;
    return same ? SETPAY_OK : SETPAY_E_AUTH_MISMATCH; /* rule M6 */
}

enum setpay_purchase_event
setpay_merchant_auth_res_event(const struct setpay_merchant_purchase *purchase,
                               const struct setpay_auth_res *answer)
{
    if (answer->outcome == SETPAY_AUTH_VOIDED)
        return SETPAY_PURCHASE_VOID_DONE;
    if (answer->outcome == SETPAY_AUTH_DECLINED)
        return SETPAY_PURCHASE_REFUSED;
    /* rule M6; parts are not asked for, so that less is no more welcome than too much */
    bool as_asked = answer->amount.minor == purchase->first_minor;
    if (answer->has_capture)
        return as_asked ? SETPAY_PURCHASE_SOLD : SETPAY_PURCHASE_OVERSOLD;
    return as_asked ? SETPAY_PURCHASE_APPROVED : SETPAY_PURCHASE_EXCESS;
}

enum setpay_error setpay_merchant_auth_res_apply(const struct setpay_auth_res *answer,
                                                 setpay_time_ms now_ms,
                                                 struct setpay_merchant_purchase *purchase)
{
    enum setpay_purchase_state next;
    SETPAY_TRY(setpay_purchase_state_next(purchase->state,
                                          setpay_merchant_auth_res_event(purchase, answer), &next));
    purchase->state = next;
    purchase->approved_minor = answer->amount.minor;
    purchase->captured_minor = answer->has_capture ? answer->amount.minor : 0;
    memcpy(purchase->action_code, answer->action_code, sizeof purchase->action_code);
    memcpy(purchase->approval_code, answer->approval_code, sizeof purchase->approval_code);
    purchase->hold_expiry_ms = answer->hold_expiry_ms;
    purchase->has_cap_token = answer->has_cap_token;
    purchase->cap_token = answer->cap_token;
    purchase->decided_ms = now_ms;
    purchase->updated_ms = now_ms;
    return SETPAY_OK;
}

enum setpay_error
setpay_merchant_auth_rev_res_check(const struct setpay_merchant_purchase *purchase,
                                   const char *merchant_id, int64_t given_up_minor,
                                   int64_t left_minor, const struct setpay_auth_rev_res *answer)
{
    struct setpay_money given_up = purchase->amount;
    given_up.minor = given_up_minor;
    bool same = setpay_id_equal(&answer->xid, &purchase->xid) &&
                strcmp(answer->brand, purchase->brand) == 0 &&
                strcmp(answer->merchant_id, merchant_id) == 0 &&
                setpay_digest_equal(&answer->cardholder, &purchase->cardholder) &&
                setpay_digest_equal(&answer->pomd, &purchase->pomd) &&
                setpay_money_equal(&answer->amount, &given_up) &&
                answer->remaining.minor == left_minor &&
                setpay_money_same_currency(&answer->remaining, &given_up) &&
                answer->receipt.kind == SETPAY_RECEIPT_REVERSAL;
    return same ? SETPAY_OK : SETPAY_E_AUTH_MISMATCH; /* rule M6 */
}

enum setpay_error setpay_merchant_auth_rev_res_apply(setpay_time_ms now_ms,
                                                     struct setpay_merchant_purchase *purchase)
{
    enum setpay_purchase_state next;
    SETPAY_TRY(setpay_purchase_state_next(purchase->state, SETPAY_PURCHASE_REVERSE_DONE, &next));
    purchase->state = next;
    purchase->released_minor += setpay_merchant_held(purchase);
    purchase->hold_expiry_ms = 0;
    purchase->updated_ms = now_ms;
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_gateway_check(const char *gateway_id,
                                                const struct setpay_certificate *sign,
                                                const struct setpay_certificate *encrypt)
{
    bool good = setpay_certificate_profile(sign) == SETPAY_PROFILE_GATEWAY_SIGN &&
                setpay_certificate_profile(encrypt) == SETPAY_PROFILE_GATEWAY_ENCRYPT &&
                setpay_certificate_same_party(sign, encrypt) &&
                strcmp(setpay_certificate_id(sign), gateway_id) == 0;
    return good ? SETPAY_OK : SETPAY_E_GATEWAY_CERTS; /* as rule W3 */
}

/* ------------------------------------------------------------------ what the wallet is told */

enum setpay_purchase_status setpay_merchant_status(const struct setpay_merchant_purchase *purchase)
{
    switch (purchase->state) {
    case SETPAY_PURCHASE_AUTHORISED:
    case SETPAY_PURCHASE_CAPTURED: /* what was captured and given back, the receipts say */
        return SETPAY_STATUS_AUTHORISED;
    case SETPAY_PURCHASE_DECLINED:
        return SETPAY_STATUS_DECLINED;
    case SETPAY_PURCHASE_VOIDED:
        return SETPAY_STATUS_VOIDED;
    case SETPAY_PURCHASE_REVERSED:
        return SETPAY_STATUS_REVERSED;
    case SETPAY_PURCHASE_STEPPING: /* not answered: a sale that nobody wants any more */
    case SETPAY_PURCHASE_REVERSING:
        /* The hold stands until the gateway has let it go. */
        return purchase->answered ? SETPAY_STATUS_AUTHORISED : SETPAY_STATUS_PENDING;
    case SETPAY_PURCHASE_VOIDING:
        return SETPAY_STATUS_REFUSED; /* an approval that is learned of yet is reversed */
    case SETPAY_PURCHASE_LAPSED:
        return SETPAY_STATUS_UNAUTHORISED;
    default:
        return SETPAY_STATUS_PENDING;
    }
}

bool setpay_merchant_shows_receipts(const struct setpay_merchant_purchase *purchase)
{
    return setpay_merchant_status(purchase) != SETPAY_STATUS_PENDING;
}

bool setpay_merchant_is_unwanted(const struct setpay_merchant_purchase *purchase)
{
    return purchase->state == SETPAY_PURCHASE_STEPPING && !purchase->answered;
}

bool setpay_merchant_is_answerable(const struct setpay_merchant_purchase *purchase)
{
    return !purchase->answered && (setpay_merchant_status(purchase) == SETPAY_STATUS_AUTHORISED ||
                                   setpay_purchase_state_is_refused(purchase->state));
}

void setpay_merchant_pres_fill(const struct setpay_merchant_purchase *purchase,
                               const char *merchant_id, const struct setpay_id *rrpid,
                               const struct setpay_digest *request_hash,
                               const struct setpay_digest *challenge, setpay_time_ms now_ms,
                               struct setpay_pres *message)
{
    memset(message, 0, sizeof *message);
    message->header = (struct setpay_response_header){
        .rrpid = *rrpid,
        .request_hash = *request_hash,
        .date_ms = now_ms,
        .sender = purchase->merchant,
        .has_receiver = true,
        .receiver = purchase->cardholder,
    };
    message->xid = purchase->xid;
    message->lid_c = purchase->lid_c;
    memcpy(message->lid_m, purchase->order_id, sizeof message->lid_m);
    message->challenge = *challenge;
    message->status = setpay_merchant_status(purchase);
    message->amount = purchase->amount;
    message->amount.minor = message->status == SETPAY_STATUS_AUTHORISED
                                ? purchase->approved_minor - purchase->released_minor
                                : 0;
    message->oimd = purchase->oimd;
    message->gateway_sign = purchase->gateway_sign;
    snprintf(message->merchant_id, sizeof message->merchant_id, "%s", merchant_id);
    memcpy(message->action_code, purchase->action_code, sizeof message->action_code);
    memcpy(message->approval_code, purchase->approval_code, sizeof message->approval_code);
}

enum setpay_error setpay_merchant_inquirer_check(const struct setpay_merchant_purchase *purchase,
                                                 const struct setpay_digest *signer)
{
    return setpay_digest_equal(&purchase->cardholder, signer)
               ? SETPAY_OK
               : SETPAY_E_NOT_CARDHOLDER; /* rule M8 */
}
