/*
 * What a PRes or an InqRes means for a purchase: rules A4, W6 and W7. Nothing here asks, stores or
 * reads a clock.
 *
 * The merchant's words and the gateway's receipts are kept apart: what the purchase is, what was
 * authorised and the codes come from receipts alone; the words are compared with that, and where
 * they disagree, a sentence says so and the signed message is kept.
 */
#include "cardholder/agreement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ rule A4 and W6 */

enum setpay_error setpay_wallet_answer_check(const struct setpay_wallet_purchase *purchase,
                                             const struct setpay_asked *asked,
                                             const struct setpay_digest *challenge,
                                             const struct setpay_message *message,
                                             const struct setpay_pres *pres)
{
    SETPAY_TRY(setpay_answer_check(message, &pres->header, asked));
    /* rule A4: each against the wallet's own record */
    if (!setpay_id_equal(&pres->xid, &purchase->xid) ||
        !setpay_id_equal(&pres->lid_c, &purchase->lid_c) ||
        strcmp(pres->lid_m, purchase->lid_m) != 0)
        return SETPAY_E_ANSWER_IDS;
    if (!setpay_digest_equal(&pres->challenge, challenge))
        return SETPAY_E_ANSWER_CHALLENGE;
    if (!setpay_digest_equal(&pres->gateway_sign, &purchase->gateway_sign) ||
        strcmp(pres->merchant_id, purchase->merchant_id) != 0)
        return SETPAY_E_ANSWER_PARTIES;
    /* rule W6 */
    if (!setpay_digest_equal(&pres->oimd, &purchase->oimd) ||
        !setpay_money_same_currency(&pres->amount, &purchase->amount) ||
        pres->amount.minor > setpay_terms_total_max(&purchase->terms, &purchase->amount))
        return SETPAY_E_PURCHASE;
    return SETPAY_OK;
}

void setpay_wallet_expect_signer(const struct setpay_wallet_purchase *purchase, bool is_inquiry,
                                 const struct setpay_certificate *signer,
                                 struct setpay_asked *asked)
{
    bool same_merchant = strcmp(setpay_certificate_brand(signer), purchase->brand) == 0 &&
                         strcmp(setpay_certificate_id(signer), purchase->merchant_id) == 0;
    asked->answerer = is_inquiry && same_merchant ? *setpay_certificate_thumbprint(signer)
                                                  : purchase->merchant; /* rule A4 */
}

bool setpay_wallet_time_is_over(const struct setpay_wallet_purchase *purchase,
                                setpay_time_ms now_ms)
{
    return now_ms > purchase->expiry_ms + SETPAY_LIMIT_DATE_TOLERANCE_MS; /* rule W7 */
}

/* ------------------------------------------------------------------ receipts */

void setpay_wallet_decision_clear(struct setpay_wallet_decision *decision)
{
    for (size_t i = 0; i < decision->receipt_count; i++)
        setpay_buffer_clear(&decision->receipts[i].signed_bytes);
    free(decision->receipts);
    memset(decision, 0, sizeof *decision);
}

/* What a receipt is to the table, sums having it already. Captures, credits and what undoes them
 * change no state: sums alone; so do further authorisations of an agreement, and their declines. */
static bool event_of(const struct setpay_receipt_sums *sums, const struct setpay_receipt *receipt,
                     enum setpay_wallet_event *event)
{
    switch (receipt->kind) {
    case SETPAY_RECEIPT_AUTHORISATION:
        *event = SETPAY_WALLET_RECEIPT_AUTHORISATION;
        return sums->authorisations == 1;
    case SETPAY_RECEIPT_DECLINE:
        *event = SETPAY_WALLET_RECEIPT_DECLINE;
        return sums->authorisations == 0;
    case SETPAY_RECEIPT_VOID:
        *event = SETPAY_WALLET_RECEIPT_VOID;
        return true;
    case SETPAY_RECEIPT_REVERSAL:
        *event = sums->reversed_minor < sums->authorised_minor ? SETPAY_WALLET_RECEIPT_REVERSAL_PART
                                                               : SETPAY_WALLET_RECEIPT_REVERSAL;
        return true;
    default:
        return false;
    }
}

enum setpay_error setpay_wallet_decision_take(struct setpay_wallet_decision *decision,
                                              const struct setpay_receipt *receipt,
                                              const char **disagrees)
{
    enum setpay_wallet_event event;
    bool breach = false;
    struct setpay_receipt_sums sums = decision->sums;
    *disagrees = "sum";
    SETPAY_TRY(setpay_receipt_sums_add(&sums, receipt)); /* rule W6 */
    *disagrees = "kind";
    if (event_of(&sums, receipt, &event))
        SETPAY_TRY(setpay_wallet_state_next(decision->state, event, &decision->state, &breach));
    decision->sums = sums;
    decision->breach = decision->breach || breach;
    if ((receipt->kind == SETPAY_RECEIPT_AUTHORISATION && sums.authorisations == 1) ||
        (receipt->kind == SETPAY_RECEIPT_DECLINE && sums.authorisations == 0) ||
        receipt->kind == SETPAY_RECEIPT_VOID) {
        memcpy(decision->action_code, receipt->action_code, sizeof decision->action_code);
        memcpy(decision->approval_code, receipt->approval_code, sizeof decision->approval_code);
    }
    return SETPAY_OK;
}

/* Opens and checks the next receipt (rule W6), and takes it. */
static enum setpay_error take_sealed(const struct setpay_wallet_purchase *purchase,
                                     const struct setpay_sealed_receipt *sealed,
                                     const struct setpay_secret *back_key,
                                     const struct setpay_certificate *gateway,
                                     struct setpay_wallet_decision *decision,
                                     const char **disagrees)
{
    struct setpay_wallet_kept_receipt kept = {0};
    struct setpay_digest hash;
    struct setpay_receipt_expected expected = {
        .xid = purchase->xid,
        .pomd = purchase->pomd,
        .merchant = purchase->merchant,
        .cardholder = purchase->cardholder,
        .gateway_sign = purchase->gateway_sign,
        .amount = purchase->amount,
        .previous = decision->last_hash,
        .terms = purchase->terms,
        .sums = decision->sums,
    };
    memcpy(expected.brand, purchase->brand, sizeof expected.brand);
    memcpy(expected.merchant_id, purchase->merchant_id, sizeof expected.merchant_id);
    setpay_buffer_init(&kept.signed_bytes, SETPAY_WIRE_RECEIPT_MAX);
    enum setpay_error error = setpay_sealed_receipt_open(sealed, back_key, &purchase->xid, gateway,
                                                         &kept.receipt, &kept.signed_bytes);
    if (error == SETPAY_OK)
        error = setpay_receipt_check(&kept.receipt, &expected, decision->last_kind, disagrees);
    if (error != SETPAY_OK && kept.receipt.kind == SETPAY_RECEIPT_CANCELLATION &&
        strcmp(*disagrees, SETPAY_AGREEMENT_AMOUNT) == 0)
        *disagrees = "amount of a cancellation"; /* no payment that was too much */
    if (error == SETPAY_OK)
        error = setpay_receipt_hash(setpay_buffer_view(&kept.signed_bytes), &hash);
    if (error == SETPAY_OK)
        error = setpay_wallet_decision_take(decision, &kept.receipt, disagrees);
    if (error != SETPAY_OK) {
        setpay_buffer_clear(&kept.signed_bytes);
        return error;
    }
    decision->last_hash = hash;
    decision->last_kind = kept.receipt.kind;
    decision->receipts[decision->receipt_count++] = kept;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ words */

/* Which of the merchant's words agree with which state. */
static const bool agrees[SETPAY_STATUS_UNAUTHORISED + 1][SETPAY_WALLET_STATES] = {
    [SETPAY_STATUS_AUTHORISED] = {[SETPAY_WALLET_AUTHORISED] = true},
    [SETPAY_STATUS_DECLINED] = {[SETPAY_WALLET_DECLINED] = true},
    [SETPAY_STATUS_VOIDED] = {[SETPAY_WALLET_VOIDED] = true},
    [SETPAY_STATUS_REVERSED] = {[SETPAY_WALLET_REVERSED] = true},
    [SETPAY_STATUS_PENDING] = {[SETPAY_WALLET_PENDING] = true,
                               [SETPAY_WALLET_REFUSED] = true,
                               [SETPAY_WALLET_LAPSED] = true},
    [SETPAY_STATUS_REFUSED] = {[SETPAY_WALLET_REFUSED] = true,
                               [SETPAY_WALLET_LAPSED] = true,
                               [SETPAY_WALLET_DECLINED] = true,
                               [SETPAY_WALLET_VOIDED] = true,
                               [SETPAY_WALLET_REVERSED] = true},
    [SETPAY_STATUS_UNAUTHORISED] = {[SETPAY_WALLET_REFUSED] = true,
                                    [SETPAY_WALLET_LAPSED] = true,
                                    [SETPAY_WALLET_DECLINED] = true,
                                    [SETPAY_WALLET_VOIDED] = true,
                                    [SETPAY_WALLET_REVERSED] = true},
};

/* Rule W6: a sentence for the person where word and receipts differ. */
static void compare_words(const struct setpay_wallet_purchase *purchase,
                          const struct setpay_pres *pres, struct setpay_wallet_decision *decision)
{
    const char *said = setpay_wallet_said_name((int)pres->status);
    char *out = decision->disagreement;
    size_t size = sizeof decision->disagreement;
    bool has_receipt = purchase->receipt_count + decision->receipt_count > 0;
    if (decision->breach) {
        snprintf(out, size,
                 "the merchant had said that nothing was authorised, and the gateway's "
                 "receipt shows an authorisation");
    } else if (!agrees[pres->status][decision->state]) {
        if (has_receipt)
            snprintf(out, size, "the merchant says %s, the gateway's receipt says %s", said,
                     setpay_wallet_state_name(decision->state));
        else
            snprintf(out, size, "the merchant says %s, but hands on no receipt of the gateway",
                     said);
    } else if (pres->status == SETPAY_STATUS_AUTHORISED &&
               pres->amount.minor != decision->sums.authorised_minor &&
               pres->amount.minor !=
                   decision->sums.authorised_minor - decision->sums.reversed_minor) {
        char a[SETPAY_MONEY_TEXT_SIZE], b[SETPAY_MONEY_TEXT_SIZE];
        struct setpay_money authorised = purchase->amount;
        authorised.minor = decision->sums.authorised_minor;
        snprintf(out, size, "the merchant says %s, the gateway's receipt says %s",
                 setpay_money_format(&pres->amount, a), setpay_money_format(&authorised, b));
    } else if (has_receipt && pres->approval_code[0] != '\0' &&
               strcmp(pres->approval_code, decision->approval_code) != 0) {
        snprintf(out, size, "the merchant names another approval code than the gateway's receipt");
    }
}

/* ------------------------------------------------------------------ the decision */

static enum setpay_error
decide_receipts(const struct setpay_wallet_purchase *purchase, const struct setpay_pres *pres,
                const struct setpay_secret *back_key, const struct setpay_certificate *gateway,
                struct setpay_wallet_decision *decision, const char **disagrees)
{
    /* Those that are known stand in the store; the chain ties the new ones to them. */
    *disagrees = "number of receipts";
    if (pres->skipped > purchase->receipt_count)
        return SETPAY_E_RECEIPT; /* some between are missing */
    size_t known = purchase->receipt_count - pres->skipped;
    *disagrees = "seal or signature";
    if (pres->receipt_count <= known)
        return SETPAY_OK;
    decision->more = pres->left > 0;
    decision->receipts = calloc(pres->receipt_count - known, sizeof *decision->receipts);
    if (decision->receipts == NULL)
        return SETPAY_E_NOMEM;
    for (size_t i = known; i < pres->receipt_count; i++)
        SETPAY_TRY(
            take_sealed(purchase, &pres->receipts[i], back_key, gateway, decision, disagrees));
    return SETPAY_OK;
}

/* Rule W7: the merchant's word, which counts only where no receipt does. */
static enum setpay_error decide_word(const struct setpay_wallet_purchase *purchase,
                                     const struct setpay_pres *pres, setpay_time_ms now_ms,
                                     struct setpay_wallet_decision *decision)
{
    bool refuses =
        pres->status == SETPAY_STATUS_REFUSED || pres->status == SETPAY_STATUS_UNAUTHORISED;
    bool breach;
    decision->keep_words = refuses;
    SETPAY_TRY(setpay_wallet_state_next(
        decision->state, refuses ? SETPAY_WALLET_MERCHANT_REFUSES : SETPAY_WALLET_NO_WORD,
        &decision->state, &breach));
    if (setpay_wallet_time_is_over(purchase, now_ms))
        SETPAY_TRY(setpay_wallet_state_next(decision->state, SETPAY_WALLET_TIME_OVER,
                                            &decision->state, &breach));
    return SETPAY_OK;
}

enum setpay_error setpay_wallet_answer_decide(const struct setpay_wallet_purchase *purchase,
                                              const struct setpay_pres *pres,
                                              const struct setpay_secret *back_key,
                                              const struct setpay_certificate *gateway,
                                              setpay_time_ms now_ms,
                                              struct setpay_wallet_decision *decision)
{
    struct setpay_wallet_decision made = {
        .state = purchase->state,
        .last_hash = purchase->last_hash,
        .last_kind = purchase->last_kind,
        .sums = purchase->sums,
        .said = (int)pres->status,
    };
    const char *disagrees = "seal or signature";
    memcpy(made.action_code, purchase->action_code, sizeof made.action_code);
    memcpy(made.approval_code, purchase->approval_code, sizeof made.approval_code);
    enum setpay_error error = decide_receipts(purchase, pres, back_key, gateway, &made, &disagrees);
    if (error != SETPAY_OK && setpay_error_kind(error) != SETPAY_KIND_SYSTEM) {
        made.receipt_error = SETPAY_E_RECEIPT; /* rule W6 */
        error = SETPAY_OK;
    }
    if (error == SETPAY_OK)
        error = decide_word(purchase, pres, now_ms, &made);
    if (error != SETPAY_OK) {
        setpay_wallet_decision_clear(&made);
        return error;
    }
    const char *breach = setpay_wallet_breach_words(disagrees);
    bool goes_on = setpay_terms_go_on(&purchase->terms);
    if (made.receipt_error != SETPAY_OK && goes_on && breach != NULL)
        snprintf(made.disagreement, sizeof made.disagreement,
                 "the gateway has authorised what you have not agreed to: %s", breach);
    else if (made.receipt_error != SETPAY_OK && strcmp(disagrees, "sum") == 0)
        snprintf(made.disagreement, sizeof made.disagreement,
                 "a receipt that the merchant handed on is not one that can follow: it does not "
                 "add up with those before it");
    else if (made.receipt_error != SETPAY_OK)
        snprintf(made.disagreement, sizeof made.disagreement,
                 "a receipt that the merchant handed on is not of this purchase (%s)", disagrees);
    else if (!made.more)
        compare_words(purchase, pres, &made);
    made.keep_words = made.keep_words || made.disagreement[0] != '\0';
    *decision = made;
    return SETPAY_OK;
}
