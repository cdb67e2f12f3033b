/*
 * What an exported receipt proves, from the root down: certificates, the merchant's offer, the
 * cardholder's dual signature over it and a payment, the gateway's receipts of that pair. Bytes and
 * certificates are verify_certificates.c's, the words around and kept messages verify_words.c's.
 *
 * Each step takes what it needs from the file, and from nothing but what the steps before have
 * shown: certificates are those in the file that lead to the root, ids and amounts those of the
 * offer that the cardholder signed. Nothing is passed over in silence: what fails ends the check,
 * and what can't be shown is named.
 */
#include "cardholder/verify.h"

#include "cardholder/purchase_json.h"
#include "common/base/noun.h"
#include "common/crypto/hash.h"
#include "common/wire/purchase.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_SIZE 400

/* ------------------------------------------------------------------ what is said */

void setpay_wallet_verdict_clear(struct setpay_wallet_verdict *verdict)
{
    json_decref(verdict->proven);
    json_decref(verdict->not_proven);
    memset(verdict, 0, sizeof *verdict);
}

enum setpay_error setpay_wallet_verify_fail(struct setpay_wallet_verifying *v,
                                            enum setpay_error error, const char *what,
                                            const char *format, ...)
{
    char words[WORDS_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    (void)snprintf(v->verdict->failed, sizeof v->verdict->failed, "%s", what);
    return setpay_problem_set(v->problem, error, "%s: %s", what, words);
}

enum setpay_error setpay_wallet_verify_fail_plainly(struct setpay_wallet_verifying *v,
                                                    enum setpay_error error, const char *what)
{
    return setpay_wallet_verify_fail(v, error, what, "%s", setpay_error_text(error));
}

enum setpay_error setpay_wallet_verify_proven(struct setpay_wallet_verifying *v, const char *what,
                                              const char *format, ...)
{
    char words[WORDS_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    json_t *line = json_pack("{s:s, s:s}", "what", what, "words", words);
    return line != NULL && json_array_append_new(v->verdict->proven, line) == 0 ? SETPAY_OK
                                                                                : SETPAY_E_NOMEM;
}

enum setpay_error setpay_wallet_verify_not_proven(struct setpay_wallet_verifying *v,
                                                  const char *name)
{
    return json_array_append_new(v->verdict->not_proven, json_string(name)) == 0 ? SETPAY_OK
                                                                                 : SETPAY_E_NOMEM;
}

static const char *when(setpay_time_ms time_ms, char *out)
{
    return setpay_time_format(time_ms, out);
}

/* ------------------------------------------------------------------ the offer */

static enum setpay_error check_offer_message(struct setpay_wallet_verifying *v,
                                             const struct setpay_message *message)
{
    if (message->type != SETPAY_MESSAGE_PINIT_RES)
        return setpay_wallet_verify_fail_plainly(v, SETPAY_E_MESSAGE_TYPE, "offer");
    enum setpay_error error = setpay_pinit_res_parse(message->content, &v->offer);
    if (error != SETPAY_OK)
        return setpay_wallet_verify_fail_plainly(v, error, "offer");
    SETPAY_TRY(setpay_wallet_verify_leaf(v, setpay_message_certificate(message, &message->signer),
                                         SETPAY_PROFILE_MERCHANT_SIGN, v->offer.brand,
                                         v->offer.header.date_ms, "offer", &v->merchant));
    error = setpay_message_verify(message, v->merchant); /* rule A2 */
    if (error == SETPAY_OK && !setpay_digest_equal(&v->offer.header.sender, &message->signer))
        error = SETPAY_E_SENDER;
    if (error == SETPAY_OK && strcmp(setpay_certificate_id(v->merchant), v->offer.merchant_id) != 0)
        error = SETPAY_E_ANSWER_PARTIES; /* rule W1 */
    if (error == SETPAY_OK)
        error = setpay_wallet_offer_check_sum(&v->offer); /* rule W2 */
    return error == SETPAY_OK ? SETPAY_OK : setpay_wallet_verify_fail_plainly(v, error, "offer");
}

/* The encryption certificate travels beside the offer: rule W3, where it is there. */
static enum setpay_error check_encryption(struct setpay_wallet_verifying *v,
                                          const struct setpay_message *message)
{
    struct setpay_view der = setpay_message_certificate(message, &v->offer.gateway_encrypt);
    struct setpay_certificate *encrypt = NULL;
    if (der.size == 0)
        return setpay_wallet_verify_not_proven(v, "gateway_encryption_certificate");
    SETPAY_TRY(setpay_wallet_verify_leaf(v, der, SETPAY_PROFILE_GATEWAY_ENCRYPT, v->offer.brand,
                                         v->offer.header.date_ms, "offer", &encrypt));
    bool same = setpay_certificate_same_party(v->gateway, encrypt);
    setpay_certificate_unref(encrypt);
    return same ? SETPAY_OK
                : setpay_wallet_verify_fail_plainly(v, SETPAY_E_GATEWAY_CERTS,
                                                    "gateway_certificate");
}

static enum setpay_error check_gateway(struct setpay_wallet_verifying *v)
{
    struct setpay_buffer *der = &v->purchase.gateway_certificate;
    struct setpay_digest thumbprint;
    SETPAY_TRY(setpay_wallet_verify_bytes(v, json_object_get(v->file, "gateway_certificate"),
                                          "gateway_certificate", der));
    SETPAY_TRY(setpay_sha256(setpay_buffer_view(der), &thumbprint));
    if (!setpay_digest_equal(&thumbprint, &v->offer.gateway_sign)) /* rule W3 */
        return setpay_wallet_verify_fail(v, SETPAY_E_GATEWAY_CERTS, "gateway_certificate",
                                         "it is not the one that the offer names");
    return setpay_wallet_verify_leaf(v, setpay_buffer_view(der), SETPAY_PROFILE_GATEWAY_SIGN,
                                     v->offer.brand, v->offer.header.date_ms, "gateway_certificate",
                                     &v->gateway);
}

static enum setpay_error check_offer(struct setpay_wallet_verifying *v)
{
    char amount[SETPAY_MONEY_TEXT_SIZE], date[SETPAY_TIME_TEXT_SIZE], until[SETPAY_TIME_TEXT_SIZE];
    struct setpay_message message;
    SETPAY_TRY(setpay_wallet_verify_bytes(v, json_object_get(v->file, "offer"), "offer",
                                          &v->purchase.offer));
    enum setpay_error error =
        setpay_message_parse(setpay_buffer_view(&v->purchase.offer), &message);
    if (error != SETPAY_OK)
        return setpay_wallet_verify_fail_plainly(v, error, "offer");
    error = check_offer_message(v, &message);
    if (error == SETPAY_OK)
        error = check_gateway(v);
    if (error == SETPAY_OK)
        error = check_encryption(v, &message);
    setpay_message_clear(&message);
    if (error != SETPAY_OK)
        return error;
    return setpay_wallet_verify_proven(
        v, "offer", "merchant %s signed at %s: %zu %s, in all %s, order %s, open until %s",
        v->offer.merchant_id, when(v->offer.header.date_ms, date), v->offer.item_count,
        setpay_noun((int64_t)v->offer.item_count, "item", "items"),
        setpay_money_format(&v->offer.amount, amount), v->offer.lid_m,
        when(v->offer.expiry_ms, until));
}

/* ------------------------------------------------------------------ the dual signature */

/* The order is of this very offer: the first field that is not; NULL. */
static const char *find_difference(const struct setpay_oi *oi, const struct setpay_pinit_res *offer,
                                   const struct setpay_digest *digest,
                                   const struct setpay_digest *merchant)
{
    if (!setpay_digest_equal(&oi->offer, digest))
        return "the offer's digest";
    if (!setpay_id_equal(&oi->xid, &offer->xid))
        return "the xid";
    if (!setpay_id_equal(&oi->lid_c, &offer->lid_c) || strcmp(oi->lid_m, offer->lid_m) != 0)
        return "the order's number";
    if (!setpay_digest_equal(&oi->chall_c, &offer->chall_c) ||
        !setpay_digest_equal(&oi->chall_m, &offer->chall_m))
        return "a challenge";
    if (strcmp(oi->brand, offer->brand) != 0)
        return "the brand";
    if (!setpay_money_equal(&oi->amount, &offer->amount))
        return "the amount";
    if (!setpay_digest_equal(&oi->merchant, merchant))
        return "the merchant's certificate";
    if (!setpay_digest_equal(&oi->gateway_sign, &offer->gateway_sign) ||
        !setpay_digest_equal(&oi->gateway_encrypt, &offer->gateway_encrypt))
        return "the gateway's certificates";
    if (!setpay_terms_equal(&oi->terms, &offer->terms))
        return "the terms";
    return oi->date_ms > offer->expiry_ms || oi->expiry_ms > offer->expiry_ms ? "the time" : NULL;
}

static enum setpay_error check_order(struct setpay_wallet_verifying *v,
                                     const struct setpay_message *message,
                                     const struct setpay_preq *preq)
{
    struct setpay_message offer;
    struct setpay_digest digest;
    SETPAY_TRY(setpay_wallet_verify_leaf(v, setpay_message_certificate(message, &v->oi.cardholder),
                                         SETPAY_PROFILE_CARDHOLDER_SIGN, v->offer.brand,
                                         v->oi.date_ms, "preq", &v->cardholder));
    enum setpay_error error =
        setpay_preq_check_order(preq, &v->oi, v->cardholder, &v->purchase.oimd, &v->purchase.pomd);
    if (error != SETPAY_OK)
        return setpay_wallet_verify_fail_plainly(v, error, "preq"); /* rule M2 */
    error = setpay_message_parse(setpay_buffer_view(&v->purchase.offer), &offer);
    if (error != SETPAY_OK)
        return setpay_wallet_verify_fail_plainly(v, error, "offer");
    error = setpay_offer_digest(offer.content, &digest);
    setpay_message_clear(&offer);
    if (error != SETPAY_OK)
        return error;
    const char *differs =
        find_difference(&v->oi, &v->offer, &digest, setpay_certificate_thumbprint(v->merchant));
    if (differs != NULL)
        return setpay_wallet_verify_fail(v, SETPAY_E_OFFER_MISMATCH, "preq",
                                         "%s in the signed order is not the offer's", differs);
    return SETPAY_OK;
}

static enum setpay_error check_preq_message(struct setpay_wallet_verifying *v,
                                            const struct setpay_message *message)
{
    struct setpay_preq preq;
    if (message->type != SETPAY_MESSAGE_P_REQ)
        return setpay_wallet_verify_fail_plainly(v, SETPAY_E_MESSAGE_TYPE, "preq");
    enum setpay_error error = setpay_preq_read(message->content, message->envelope, &preq, &v->oi);
    if (error != SETPAY_OK)
        return setpay_wallet_verify_fail_plainly(v, error, "preq");
    error = check_order(v, message, &preq);
    setpay_preq_clear(&preq);
    return error;
}

static enum setpay_error check_preq(struct setpay_wallet_verifying *v)
{
    char pomd[SETPAY_DIGEST_TEXT_SIZE], date[SETPAY_TIME_TEXT_SIZE];
    struct setpay_message message;
    SETPAY_TRY(
        setpay_wallet_verify_bytes(v, json_object_get(v->file, "preq"), "preq", &v->purchase.preq));
    enum setpay_error error = setpay_message_parse(setpay_buffer_view(&v->purchase.preq), &message);
    if (error != SETPAY_OK)
        return setpay_wallet_verify_fail_plainly(v, error, "preq");
    error = check_preq_message(v, &message);
    setpay_message_clear(&message);
    if (error != SETPAY_OK)
        return error;
    return setpay_wallet_verify_proven(
        v, "dual signature",
        "the cardholder's key signed at %s: this very offer, and one payment with it (POMD %s)",
        when(v->oi.date_ms, date), setpay_digest_format(&v->purchase.pomd, pomd));
}

/* ------------------------------------------------------------------ the receipts (rule W6) */

/* The purchase as offer and order say it is. */
static void fill_purchase(struct setpay_wallet_verifying *v)
{
    struct setpay_wallet_purchase *p = &v->purchase;
    p->xid = v->verdict->xid = v->oi.xid;
    p->state = SETPAY_WALLET_PENDING;
    p->created_ms = p->signed_ms = v->oi.date_ms;
    p->expiry_ms = v->oi.expiry_ms;
    memcpy(p->brand, v->oi.brand, sizeof p->brand);
    memcpy(p->merchant_id, v->offer.merchant_id, sizeof p->merchant_id);
    memcpy(p->merchant_name, v->offer.merchant_name, sizeof p->merchant_name);
    memcpy(p->lid_m, v->oi.lid_m, sizeof p->lid_m);
    p->lid_c = v->oi.lid_c;
    p->amount = v->oi.amount;
    p->terms = v->oi.terms;
    p->merchant = v->oi.merchant;
    p->gateway_sign = v->oi.gateway_sign;
    p->cardholder = v->oi.cardholder;
    v->decision.state = p->state;
}

static enum setpay_error check_signed_receipt(struct setpay_wallet_verifying *v,
                                              struct setpay_view bytes, const char *what,
                                              struct setpay_receipt *receipt)
{
    struct setpay_certificate *again = NULL;
    const struct setpay_wallet_purchase *p = &v->purchase;
    struct setpay_receipt_expected expected = {.xid = p->xid,
                                               .pomd = p->pomd,
                                               .merchant = p->merchant,
                                               .cardholder = p->cardholder,
                                               .gateway_sign = p->gateway_sign,
                                               .amount = p->amount,
                                               .previous = v->decision.last_hash,
                                               .terms = p->terms,
                                               .sums = v->decision.sums};
    const char *differs = NULL;
    memcpy(expected.brand, p->brand, sizeof expected.brand);
    memcpy(expected.merchant_id, p->merchant_id, sizeof expected.merchant_id);
    enum setpay_error error = setpay_receipt_verify(bytes, v->gateway, receipt);
    if (error != SETPAY_OK)
        return setpay_wallet_verify_fail(v, error, what,
                                         "it is not signed by the gateway that the order names");
    SETPAY_TRY(setpay_wallet_verify_leaf(v, setpay_buffer_view(&p->gateway_certificate),
                                         SETPAY_PROFILE_GATEWAY_SIGN, p->brand, receipt->date_ms,
                                         what, &again));
    setpay_certificate_unref(again);
    error = setpay_receipt_check(receipt, &expected, v->decision.last_kind, &differs);
    if (error == SETPAY_OK)
        error = setpay_wallet_decision_take(&v->decision, receipt, &differs);
    if (error != SETPAY_OK)
        return setpay_wallet_verify_fail(v, error, what,
                                         "it does not belong here: its %s does not fit", differs);
    return SETPAY_OK;
}

static enum setpay_error check_receipt(struct setpay_wallet_verifying *v, const json_t *shown,
                                       const char *what, struct setpay_buffer *bytes)
{
    char amount[SETPAY_MONEY_TEXT_SIZE], date[SETPAY_TIME_TEXT_SIZE];
    struct setpay_receipt receipt;
    SETPAY_TRY(setpay_wallet_verify_bytes(v, json_object_get(shown, "signed"), what, bytes));
    SETPAY_TRY(check_signed_receipt(v, setpay_buffer_view(bytes), what, &receipt));
    SETPAY_TRY(setpay_receipt_hash(setpay_buffer_view(bytes), &v->decision.last_hash));
    v->decision.last_kind = receipt.kind;
    json_t *json = setpay_wallet_one_receipt_json(&receipt, setpay_buffer_view(bytes));
    if (json == NULL || json_array_append_new(v->receipts, json) != 0)
        return SETPAY_E_NOMEM;
    return setpay_wallet_verify_proven(
        v, what, "gateway %s signed at %s: %s of %s%s%s", setpay_certificate_id(v->gateway),
        when(receipt.date_ms, date), setpay_receipt_kind_name(receipt.kind),
        setpay_money_format(&receipt.amount, amount),
        receipt.approval_code[0] != '\0' ? ", approval code " : "", receipt.approval_code);
}

/* "authorised 10.00 EUR, captured 7.00 EUR": what is not nothing. */
static enum setpay_error say_sums(struct setpay_wallet_verifying *v, size_t count)
{
    const struct setpay_receipt_sums *sums = &v->decision.sums;
    const struct {
        const char *name;
        int64_t minor;
    } parts[] = {{"authorised", sums->authorised_minor},
                 {"given back before it was taken", sums->reversed_minor},
                 {"captured", sums->captured_minor},
                 {"refunded", sums->credited_minor}};
    char words[WORDS_SIZE] = "";
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char text[SETPAY_MONEY_TEXT_SIZE];
        struct setpay_money money = v->purchase.amount;
        size_t used = strlen(words);
        money.minor = parts[i].minor;
        if (money.minor > 0)
            (void)snprintf(words + used, sizeof words - used, "%s%s %s", used > 0 ? ", " : "",
                           parts[i].name, setpay_money_format(&money, text));
    }
    return setpay_wallet_verify_proven(v, "chain",
                                       "%zu %s, each naming the one before, and adding up: %s",
                                       count, setpay_noun((int64_t)count, "receipt", "receipts"),
                                       words[0] != '\0' ? words : "nothing authorised");
}

static enum setpay_error check_receipts(struct setpay_wallet_verifying *v)
{
    const json_t *list = json_object_get(v->file, "receipts");
    struct setpay_buffer bytes = {0};
    enum setpay_error error = SETPAY_OK;
    size_t count = json_array_size(list);
    if (count > SETPAY_WALLET_EXPORT_RECEIPTS)
        return setpay_wallet_verify_fail(v, SETPAY_E_EVIDENCE, "receipts",
                                         "expected at most %d, found %zu",
                                         SETPAY_WALLET_EXPORT_RECEIPTS, count);
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    for (size_t i = 0; i < count && error == SETPAY_OK; i++) {
        char what[24];
        (void)snprintf(what, sizeof what, "receipts[%zu]", i);
        error = check_receipt(v, json_array_get(list, i), what, &bytes);
    }
    setpay_buffer_clear(&bytes);
    if (error != SETPAY_OK)
        return error;
    v->purchase.receipt_count = count;
    v->purchase.sums = v->decision.sums;
    v->purchase.state = v->decision.state;
    memcpy(v->purchase.action_code, v->decision.action_code, sizeof v->purchase.action_code);
    memcpy(v->purchase.approval_code, v->decision.approval_code, sizeof v->purchase.approval_code);
    return count == 0 ? setpay_wallet_verify_not_proven(v, "what the gateway did")
                      : say_sums(v, count);
}

/* ------------------------------------------------------------------ the whole of it */

static enum setpay_error check_form(struct setpay_wallet_verifying *v)
{
    const json_t *form = json_object_get(v->file, "setpay_receipt");
    if (!json_is_object(v->file) || !json_is_integer(form))
        return setpay_wallet_verify_fail(
            v, SETPAY_E_EVIDENCE, "setpay_receipt",
            "expected an object as setpay-wallet receipt XID --export FILE writes it");
    if (json_integer_value(form) != 1)
        return setpay_wallet_verify_fail(v, SETPAY_E_EVIDENCE, "setpay_receipt",
                                         "expected form 1, found form %" JSON_INTEGER_FORMAT
                                         "; a newer setpay-wallet may know it",
                                         json_integer_value(form));
    if (!json_is_array(json_object_get(v->file, "receipts")) ||
        !json_is_array(json_object_get(v->file, "evidence")))
        return setpay_wallet_verify_fail(v, SETPAY_E_EVIDENCE, "receipts",
                                         "expected two lists, receipts and evidence");
    return SETPAY_OK;
}

static enum setpay_error check_all(struct setpay_wallet_verifying *v, struct setpay_view root_der)
{
    SETPAY_TRY(check_form(v));
    SETPAY_TRY(setpay_wallet_verify_certificates(v, root_der));
    SETPAY_TRY(check_offer(v));
    SETPAY_TRY(check_preq(v));
    fill_purchase(v);
    SETPAY_TRY(check_receipts(v));
    SETPAY_TRY(setpay_wallet_verify_proven(
        v, "certificates",
        "merchant %s, gateway %s and the cardholder, each at the date of what it signed: of brand "
        "%s, under the root %s",
        v->offer.merchant_id, setpay_certificate_id(v->gateway), v->offer.brand,
        v->verdict->root_name));
    SETPAY_TRY(setpay_wallet_verify_evidence(v));
    SETPAY_TRY(setpay_wallet_verify_words(v));
    return setpay_wallet_verify_not_proven(v, "revocation");
}

enum setpay_error setpay_wallet_verify(struct setpay_view text, struct setpay_view root_der,
                                       struct setpay_wallet_verdict *verdict,
                                       struct setpay_problem *problem)
{
    json_error_t wrong;
    enum setpay_error error = SETPAY_E_NOMEM;
    struct setpay_wallet_verifying *v = calloc(1, sizeof *v);
    json_t *file = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &wrong);
    verdict->proven = json_array();
    verdict->not_proven = json_array();
    if (v == NULL || verdict->proven == NULL || verdict->not_proven == NULL)
        goto out;
    v->file = file;
    v->verdict = verdict;
    v->problem = problem;
    v->receipts = json_array();
    setpay_wallet_purchase_init(&v->purchase);
    error = file != NULL ? check_all(v, root_der)
                         : setpay_wallet_verify_fail(v, SETPAY_E_EVIDENCE, "the file",
                                                     "line %d, column %d: %s; expected JSON",
                                                     wrong.line, wrong.column, wrong.text);
    setpay_wallet_purchase_clear(&v->purchase);
    setpay_pinit_res_clear(&v->offer);
    setpay_certificate_unref(v->merchant);
    setpay_certificate_unref(v->cardholder);
    setpay_certificate_unref(v->gateway);
    setpay_trust_free(v->trust);
    json_decref(v->receipts);
out:
    json_decref(file);
    free(v);
    return error;
}
