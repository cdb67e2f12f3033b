/*
 * The words of an exported receipt, and the merchant's messages that were kept with it.
 *
 * Words: the same JSON is made anew out of what the signatures have shown, and each member has to
 * be that. Members that nothing signed speaks about (the link, the card's last digits, when the
 * wallet last changed its record) are named as not proven; so is whatever is not known here.
 *
 * A kept message is the merchant's word only where it verifies. One that was kept because it failed
 * a check can't be shown to be anybody's; who made it is not proven, and nothing rests on it.
 */
#include "cardholder/verify.h"

#include "cardholder/purchase_json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the signed bytes speak about. */
static const char *const words[] = {
    "xid",
    "status",
    "state",
    "amount",
    "currency",
    "amount_text",
    "merchant",
    "merchant_id",
    "order_id",
    "items",
    "brand",
    "pomd",
    "created",
    "expires",
    "approval_code",
    "action_code",
    "authorised_amount",
    "authorised_amount_text",
    "reversed_amount",
    "captured_amount",
    "captured_amount_text",
    "credited_amount",
    "credited_amount_text",
    "partial",
    "receipt",
    NULL,
};

/* What was checked by itself. */
static const char *const checked[] = {
    "setpay_receipt", "certificates", "gateway_certificate", "offer",  "preq",
    "receipts",       "evidence",     "disagreement",        "breach", NULL,
};

static bool is_among(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

/* ------------------------------------------------------------------ kept messages */

#define SAYS "the merchant says "

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Whether what the wallet noted beside the message is what the message says. */
static bool note_fits(const char *note, const struct setpay_pres *pres)
{
    const char *said = setpay_wallet_said_name((int)pres->status);
    char amount[SETPAY_MONEY_TEXT_SIZE];
    for (int status = SETPAY_STATUS_AUTHORISED; status <= SETPAY_STATUS_UNAUTHORISED; status++) {
        if (strcmp(note, setpay_wallet_said_name(status)) == 0)
            return (int)pres->status == status;
    }
    if (!begins(note, SAYS))
        return true; /* about receipts, or codes: the message stands for itself */
    note += strlen(SAYS);
    return begins(note, said) || begins(note, setpay_money_format(&pres->amount, amount));
}

static bool is_of_purchase(const struct setpay_wallet_verifying *v, const struct setpay_pres *pres)
{
    const struct setpay_wallet_purchase *p = &v->purchase;
    return setpay_id_equal(&pres->xid, &p->xid) && setpay_id_equal(&pres->lid_c, &p->lid_c) &&
           strcmp(pres->lid_m, p->lid_m) == 0 && setpay_digest_equal(&pres->oimd, &p->oimd) &&
           strcmp(pres->merchant_id, p->merchant_id) == 0;
}

/* Rules A2, A3: signed by this merchant, by a certificate that was good on that day. The words of
 * the refusal otherwise. */
static enum setpay_error authenticate(struct setpay_wallet_verifying *v,
                                      const struct setpay_message *message,
                                      const struct setpay_pres *pres)
{
    struct setpay_certificate *signer = NULL;
    struct setpay_view der = setpay_message_certificate(message, &message->signer);
    if (der.size == 0 &&
        setpay_digest_equal(&message->signer, setpay_certificate_thumbprint(v->merchant)))
        der = setpay_certificate_der(v->merchant);
    if (der.size == 0)
        return SETPAY_E_CERT_MISSING;
    SETPAY_TRY(setpay_trust_verify_unlisted(v->trust, der, NULL, 0, SETPAY_PROFILE_MERCHANT_SIGN,
                                            v->purchase.brand, pres->header.date_ms, &signer));
    enum setpay_error error = setpay_message_verify(message, signer);
    if (error == SETPAY_OK && !setpay_certificate_same_party(signer, v->merchant))
        error = SETPAY_E_ANSWER_SIGNER;
    setpay_certificate_unref(signer);
    return error;
}

static enum setpay_error check_word(struct setpay_wallet_verifying *v, const char *note,
                                    const struct setpay_message *message, const char *what)
{
    char date[SETPAY_TIME_TEXT_SIZE];
    struct setpay_pres pres;
    enum setpay_error error =
        message->type == SETPAY_MESSAGE_INQ_RES || message->type == SETPAY_MESSAGE_P_RES
            ? setpay_pres_parse(message->content, &pres)
            : SETPAY_E_MESSAGE_TYPE;
    if (error != SETPAY_OK)
        return setpay_wallet_verify_fail(v, error, what, "%s", setpay_error_text(error));
    error = authenticate(v, message, &pres);
    if (error == SETPAY_E_CERT_MISSING) { /* of an authority that came later */
        error = setpay_wallet_verify_not_proven(v, what);
        goto out;
    }
    if (error != SETPAY_OK)
        error = setpay_wallet_verify_fail(v, error, what, "it is not signed by this merchant: %s",
                                          setpay_error_text(error));
    else if (!is_of_purchase(v, &pres))
        error = setpay_wallet_verify_fail(v, SETPAY_E_PURCHASE, what,
                                          "it speaks about another purchase");
    else if (!note_fits(note, &pres))
        error = setpay_wallet_verify_fail(v, SETPAY_E_PURCHASE, what,
                                          "the merchant says %s in it, which is not what stands "
                                          "beside it",
                                          setpay_wallet_said_name((int)pres.status));
    if (error != SETPAY_OK)
        goto out;
    v->refused = v->refused || pres.status == SETPAY_STATUS_REFUSED ||
                 pres.status == SETPAY_STATUS_UNAUTHORISED;
    error = setpay_wallet_verify_proven(
        v, what, "merchant %s signed at %s: %s", v->purchase.merchant_id,
        setpay_time_format(pres.header.date_ms, date), setpay_wallet_said_name((int)pres.status));
out:
    setpay_pres_clear(&pres);
    return error;
}

static enum setpay_error check_kept(struct setpay_wallet_verifying *v, const json_t *kept,
                                    const char *what, struct setpay_buffer *bytes)
{
    const char *note = json_string_value(json_object_get(kept, "what"));
    struct setpay_message message;
    if (note == NULL)
        return setpay_wallet_verify_fail(v, SETPAY_E_EVIDENCE, what, "it has no text \"what\"");
    SETPAY_TRY(setpay_wallet_verify_bytes(v, json_object_get(kept, "message"), what, bytes));
    if (begins(note, "failed "))
        return setpay_wallet_verify_not_proven(v, what);
    enum setpay_error error = setpay_message_parse(setpay_buffer_view(bytes), &message);
    if (error != SETPAY_OK)
        return setpay_wallet_verify_fail(v, error, what, "%s", setpay_error_text(error));
    error = check_word(v, note, &message, what);
    setpay_message_clear(&message);
    return error;
}

enum setpay_error setpay_wallet_verify_evidence(struct setpay_wallet_verifying *v)
{
    const json_t *list = json_object_get(v->file, "evidence");
    struct setpay_buffer bytes = {0};
    enum setpay_error error = SETPAY_OK;
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    for (size_t i = 0; i < json_array_size(list) && error == SETPAY_OK; i++) {
        char what[32];
        (void)snprintf(what, sizeof what, "evidence[%zu]", i);
        error = check_kept(v, json_array_get(list, i), what, &bytes);
    }
    setpay_buffer_clear(&bytes);
    return error;
}

/* ------------------------------------------------------------------ words */

static enum setpay_error fail_word(struct setpay_wallet_verifying *v, enum setpay_error error,
                                   const char *what, const json_t *found, const json_t *expected)
{
    char *has = json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT);
    char *signed_is = json_dumps(expected, JSON_ENCODE_ANY | JSON_COMPACT);
    error = setpay_wallet_verify_fail(
        v, error, what, "the file says %.120s, the signed bytes say %.120s",
        has != NULL ? has : "something", signed_is != NULL ? signed_is : "something else");
    free(has);
    free(signed_is);
    return error;
}

/* Each member of made has to stand in shown, as it is. */
static enum setpay_error compare_receipt(struct setpay_wallet_verifying *v, const char *what,
                                         json_t *shown, json_t *made)
{
    const char *name;
    json_t *expected;
    char place[64];
    json_object_foreach(made, name, expected)
    {
        const json_t *found = json_object_get(shown, name);
        (void)snprintf(place, sizeof place, "%s.%s", what, name);
        if (found == NULL)
            return setpay_wallet_verify_fail(v, SETPAY_E_EVIDENCE, place, "it is missing");
        if (!json_equal(found, expected))
            return fail_word(v, SETPAY_E_RECEIPT, place, found, expected); /* rule W6 */
    }
    json_object_foreach(shown, name, expected)
    {
        (void)snprintf(place, sizeof place, "%s.%s", what, name);
        if (json_object_get(made, name) == NULL)
            SETPAY_TRY(setpay_wallet_verify_not_proven(v, place));
    }
    return SETPAY_OK;
}

static enum setpay_error compare_receipts(struct setpay_wallet_verifying *v)
{
    json_t *list = json_object_get(v->file, "receipts");
    for (size_t i = 0; i < json_array_size(list); i++) {
        char what[32];
        (void)snprintf(what, sizeof what, "receipts[%zu]", i);
        SETPAY_TRY(
            compare_receipt(v, what, json_array_get(list, i), json_array_get(v->receipts, i)));
    }
    return SETPAY_OK;
}

/* Without a receipt the purchase is what the merchant has let it be (rule W7). */
static void take_open_state(struct setpay_wallet_verifying *v)
{
    static const enum setpay_wallet_state by_word[] = {SETPAY_WALLET_REFUSED, SETPAY_WALLET_LAPSED};
    const char *state = json_string_value(json_object_get(v->file, "state"));
    for (size_t i = 0; i < sizeof by_word / sizeof by_word[0]; i++) {
        if (v->refused && v->purchase.receipt_count == 0 && state != NULL &&
            strcmp(state, setpay_wallet_state_name(by_word[i])) == 0)
            v->purchase.state = by_word[i];
    }
}

/* A disagreement stands beside the message that it is about, and a breach needs both words. */
static enum setpay_error check_claims(struct setpay_wallet_verifying *v)
{
    const json_t *evidence = json_object_get(v->file, "evidence");
    const json_t *disagreement = json_object_get(v->file, "disagreement");
    const json_t *kept;
    size_t at;
    bool found = disagreement == NULL || json_is_null(disagreement);
    json_array_foreach(evidence, at, kept)
    {
        found = found || json_equal(json_object_get(kept, "what"), disagreement);
    }
    if (!found)
        return setpay_wallet_verify_fail(v, SETPAY_E_PURCHASE, "disagreement",
                                         "no kept message stands for it");
    if (!json_is_true(json_object_get(v->file, "breach")))
        return setpay_wallet_verify_not_proven(v, "breach");
    if (!v->refused || v->decision.sums.authorised_minor == 0)
        return setpay_wallet_verify_fail(
            v, SETPAY_E_PURCHASE, "breach",
            "there are not both, the merchant's signed refusal and a receipt of an authorisation");
    return setpay_wallet_verify_proven(v, "breach",
                                       "merchant %s signed that nothing was authorised, and the "
                                       "gateway signed an authorisation",
                                       v->purchase.merchant_id);
}

static enum setpay_error compare_words(struct setpay_wallet_verifying *v, json_t *made)
{
    const char *name;
    json_t *found;
    for (size_t i = 0; words[i] != NULL; i++) {
        const json_t *expected = json_object_get(made, words[i]);
        found = json_object_get(v->file, words[i]);
        if (found == NULL)
            return setpay_wallet_verify_fail(v, SETPAY_E_EVIDENCE, words[i], "it is missing");
        if (!json_equal(found, expected))
            return fail_word(v, SETPAY_E_PURCHASE, words[i], found, expected); /* rule W6 */
    }
    /* jansson has no walk over a constant object. */
    void *at = json_object_iter((json_t *)(uintptr_t)v->file);
    for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)v->file, at)) {
        name = json_object_iter_key(at);
        if (!is_among(name, words) && !is_among(name, checked))
            SETPAY_TRY(setpay_wallet_verify_not_proven(v, name));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_wallet_verify_words(struct setpay_wallet_verifying *v)
{
    SETPAY_TRY(compare_receipts(v));
    take_open_state(v);
    json_t *made = setpay_wallet_one_purchase_json(&v->purchase, json_null(), true);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    (void)snprintf(v->verdict->status, sizeof v->verdict->status, "%s",
                   json_string_value(json_object_get(made, "status")));
    enum setpay_error error = compare_words(v, made);
    json_decref(made);
    if (error == SETPAY_OK)
        error = check_claims(v);
    if (error != SETPAY_OK)
        return error;
    return setpay_wallet_verify_proven(
        v, "words",
        "status, amounts, items, merchant, order, codes and dates in the file are those of the "
        "signed bytes");
}
