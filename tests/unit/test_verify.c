/*
 * An exported receipt, checked by itself: a good one with every kind of thing in it, and then each
 * of its members changed, and each class of its bytes. Each is refused by its own check, and names
 * the place. Forgeries that are signed anew are in test_verify_fraud.c.
 */
#include "cardholder/purchase_json.h"
#include "common/crypto/hash.h"
#include "tests/support/test_export.h"
#include "tests/support/test_sandbox.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OK(expression) assert_int_equal((expression), SETPAY_OK)
/* Of the bytes that are changed one by one: each of them in the long run, else one of so many. */
#define STRIDE (test_is_long() ? 3 : 19)

static bool names(const json_t *list, const char *name)
{
    const json_t *one;
    size_t at;
    json_array_foreach(list, at, one)
    {
        if (strcmp(json_string_value(one), name) == 0)
            return true;
    }
    return false;
}

static const char *proven(const struct setpay_wallet_verdict *verdict, const char *what)
{
    const json_t *one;
    size_t at;
    json_array_foreach(verdict->proven, at, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "what")), what) == 0)
            return json_string_value(json_object_get(one, "words"));
    }
    return "";
}

static void a_good_file_is_good(void **state)
{
    struct setpay_wallet_verdict verdict = {0};
    json_t *file = test_export_good();
    (void)state;
    OK(test_export_check(file, &verdict));
    assert_string_equal(verdict.status, "captured");
    assert_string_equal(verdict.failed, "");
    assert_true(verdict.root_was_given);
    assert_string_equal(proven(&verdict, "chain"),
                        "3 receipts, each naming the one before, and adding up: authorised "
                        "12.50 EUR, captured 7.00 EUR, refunded 1.00 EUR");
    assert_string_equal(proven(&verdict, "evidence[0]"),
                        "merchant shop-1 signed at 2026-11-23T12:00:01.500Z: refused");
    assert_string_equal(proven(&verdict, "breach"),
                        "merchant shop-1 signed that nothing was authorised, and the gateway "
                        "signed an authorisation");
    assert_int_equal(json_array_size(verdict.proven), 11);
    static const char *const open[] = {"host",          "uri",        "card",       "updated",
                                       "merchant_said", "revocation", "evidence[1]"};
    for (size_t i = 0; i < COUNT(open); i++)
        assert_true(names(verdict.not_proven, open[i]));
    assert_int_equal(json_array_size(verdict.not_proven), COUNT(open));
    setpay_wallet_verdict_clear(&verdict);
    json_decref(file);
}

/* A purchase may have more receipts than one answer has room for, and its export has them all. */
static void many_receipts_are_verified(void **state)
{
    struct setpay_wallet_verdict verdict = {0};
    const struct test_export_knobs many = {.captures = 200};
    const struct test_export_knobs most = {.captures = SETPAY_WALLET_EXPORT_RECEIPTS -
                                                       TEST_EXPORT_RECEIPTS + 1};
    json_t *file = test_export_make(&many);
    (void)state;
    OK(test_export_check(file, &verdict));
    assert_string_equal(proven(&verdict, "chain"),
                        "203 receipts, each naming the one before, and adding up: authorised "
                        "12.50 EUR, captured 9.00 EUR, refunded 1.00 EUR");
    setpay_wallet_verdict_clear(&verdict);
    json_array_remove(json_object_get(file, "receipts"), 150); /* a gap is one, wherever it is */
    test_export_refuses(file, SETPAY_E_RECEIPT, "receipts[150]");
    test_export_refuses(test_export_make(&most), SETPAY_E_EVIDENCE, "receipts");
}

/* Without a root of one's own the file's is taken, and named. */
static void without_a_root_its_own_is_named(void **state)
{
    struct setpay_wallet_verdict verdict = {0};
    json_t *file = test_export_good();
    char *text = json_dumps(file, 0);
    (void)state;
    OK(test_export_check_text(text, strlen(text), SETPAY_VIEW_EMPTY, &verdict));
    assert_true(verdict.root_known);
    assert_false(verdict.root_was_given);
    struct setpay_digest thumbprint;
    OK(setpay_sha256(setpay_buffer_view(&test_people.pki->root.der), &thumbprint));
    assert_true(setpay_digest_equal(&verdict.root, &thumbprint));
    assert_non_null(strstr(verdict.root_name, "OU=root-ca"));
    setpay_wallet_verdict_clear(&verdict);
    free(text);
    json_decref(file);
}

/* All of it made by a stranger under a root of the same name: good by itself, which is why the root
 * is named, and refused by who has the true one. */
static void a_whole_forgery_is_refused_by_the_root(void **state)
{
    struct setpay_wallet_verdict verdict = {0};
    const struct test_export_knobs all = {.merchant = test_people.stranger_merchant,
                                          .gateway = test_people.stranger_gateway,
                                          .encrypt = test_people.stranger_encrypt,
                                          .holder = test_people.stranger_holder,
                                          .pki = test_people.stranger_pki};
    json_t *file = test_export_make(&all);
    char *text = json_dumps(file, 0);
    (void)state;
    OK(test_export_check_text(text, strlen(text), SETPAY_VIEW_EMPTY, &verdict));
    setpay_wallet_verdict_clear(&verdict);
    free(text);
    test_export_refuses(file, SETPAY_E_CERT_CHAIN, "certificates[0]");
}

/* A merchant can hold the newest back: then it shows what was true before. */
static void a_shorter_chain_is_what_it_was(void **state)
{
    struct setpay_wallet_verdict verdict = {0};
    json_t *file = test_export_good();
    (void)state;
    json_array_remove(json_object_get(file, "receipts"), 2);
    json_object_set_new(file, "credited_amount", json_integer(0));
    json_object_set_new(file, "credited_amount_text", json_string("0.00 EUR"));
    OK(test_export_check(file, &verdict));
    assert_non_null(strstr(proven(&verdict, "chain"), "2 receipts"));
    setpay_wallet_verdict_clear(&verdict);
    json_decref(file);
}

/* Without receipts, by the merchant's refusal alone: nothing is proven of the gateway. */
static void a_refusal_alone_is_just_that(void **state)
{
    struct setpay_wallet_verdict verdict = {0};
    json_t *file = test_export_good();
    (void)state;
    static const char *const none[] = {"authorised_amount", "captured_amount", "credited_amount"};
    json_array_clear(json_object_get(file, "receipts"));
    for (size_t i = 0; i < COUNT(none); i++) {
        char name[64];
        json_object_set_new(file, none[i], json_integer(0));
        (void)snprintf(name, sizeof name, "%s_text", none[i]);
        json_object_set_new(file, name, json_string("0.00 EUR"));
    }
    json_object_set_new(file, "receipt", json_false());
    json_object_set_new(file, "approval_code", json_null());
    json_object_set_new(file, "action_code", json_null());
    json_object_set_new(file, "status", json_string("pending"));
    json_object_set_new(file, "state",
                        json_string(setpay_wallet_state_name(SETPAY_WALLET_REFUSED)));
    json_object_set_new(file, "breach", json_false());
    OK(test_export_check(file, &verdict));
    assert_true(names(verdict.not_proven, "what the gateway did"));
    assert_true(names(verdict.not_proven, "breach"));
    setpay_wallet_verdict_clear(&verdict);
    json_array_remove(json_object_get(file, "evidence"), 0); /* and without it, not even that */
    test_export_refuses(file, SETPAY_E_PURCHASE, "state");
}
/* ------------------------------------------------------------------ words */

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
};
static const char *const receipt_words[] = {
    "kind",     "amount",     "currency",     "amount_text",   "brand", "merchant_id",
    "merchant", "cardholder", "gateway_sign", "xid",           "pomd",  "date",
    "previous", "hash",       "action_code",  "approval_code",
};

/* Another value of the same kind. */
static void change(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    char text[512];
    assert_non_null(value);
    if (json_is_integer(value)) {
        json_integer_set(value, json_integer_value(value) + 1);
    } else if (json_is_string(value)) {
        (void)snprintf(text, sizeof text, "%s", json_string_value(value));
        text[0] = (char)(text[0] ^ 1);
        json_object_set_new(object, name, json_string(text));
    } else if (json_is_boolean(value)) {
        json_object_set_new(object, name, json_boolean(!json_is_true(value)));
    } else if (json_is_array(value)) {
        change(json_array_get(value, 0), "name");
    } else {
        json_object_set_new(object, name, json_string("A1B2C3"));
    }
}

static void a_word_changed(void **state)
{
    const char *name = *state;
    json_t *file = test_export_good();
    change(file, name);
    test_export_refuses(file, SETPAY_E_PURCHASE, name);
    file = test_export_good();
    json_object_del(file, name);
    test_export_refuses(file, SETPAY_E_EVIDENCE, name);
}

static void a_receipts_word_changed(void **state)
{
    const char *name = *state;
    for (size_t i = 0; i < TEST_EXPORT_RECEIPTS; i++) {
        char place[64];
        json_t *file = test_export_good();
        (void)snprintf(place, sizeof place, "receipts[%zu].%s", i, name);
        change(json_array_get(json_object_get(file, "receipts"), i), name);
        test_export_refuses(file, SETPAY_E_RECEIPT, place);
        file = test_export_good();
        json_object_del(json_array_get(json_object_get(file, "receipts"), i), name);
        test_export_refuses(file, SETPAY_E_EVIDENCE, place);
    }
}
/* ------------------------------------------------------------------ members and their order */

#define CHANGED(name, ...)                                                                         \
    static void name(json_t *file)                                                                 \
    {                                                                                              \
        json_t *receipts = json_object_get(file, "receipts");                                      \
        json_t *certificates = json_object_get(file, "certificates");                              \
        json_t *evidence = json_object_get(file, "evidence");                                      \
        json_t *item = json_array_get(json_object_get(file, "items"), 0);                          \
        (void)receipts, (void)certificates, (void)evidence, (void)item;                            \
        __VA_ARGS__;                                                                               \
    }
#define OF_ANOTHER(member)                                                                         \
    do {                                                                                           \
        json_t *other = test_export_good();                                                        \
        json_object_set(file, member, json_object_get(other, member));                             \
        json_decref(other);                                                                        \
    } while (0)

CHANGED(another_form, json_object_set_new(file, "setpay_receipt", json_integer(2)))
CHANGED(no_form, json_object_del(file, "setpay_receipt"))
CHANGED(no_offer, json_object_del(file, "offer"))
CHANGED(no_preq, json_object_del(file, "preq"))
CHANGED(no_gateway, json_object_del(file, "gateway_certificate"))
CHANGED(no_receipts, json_object_del(file, "receipts"))
CHANGED(no_evidence, json_object_del(file, "evidence"))
CHANGED(no_certificates, json_object_del(file, "certificates"))
CHANGED(too_many_certificates, for (int i = 0; i < 20; i++)
                                   json_array_append(certificates, json_array_get(certificates, 1)))
CHANGED(a_number_for_bytes, json_object_set_new(file, "offer", json_integer(7)))
CHANGED(no_base64, json_object_set_new(file, "preq", json_string("????")))
CHANGED(base64_with_a_blank, json_object_set_new(file, "preq", json_string("QUJD REVG")))
CHANGED(base64_of_two_forms, json_object_set_new(file, "gateway_certificate", json_string("QQB=")))
CHANGED(the_first_gone, json_array_remove(receipts, 0))
CHANGED(the_middle_gone, json_array_remove(receipts, 1))
CHANGED(the_last_gone, json_array_remove(receipts, 2))
CHANGED(twice_the_last, json_array_append(receipts, json_array_get(receipts, 2)))
CHANGED(out_of_order, {
    json_t *moved = json_incref(json_array_get(receipts, 1));
    json_array_remove(receipts, 1);
    json_array_append_new(receipts, moved);
})
CHANGED(receipts_of_another, OF_ANOTHER("receipts"))
CHANGED(preq_of_another, OF_ANOTHER("preq"))
CHANGED(an_order_for_the_offer, json_object_set(file, "offer", json_object_get(file, "preq")))
CHANGED(an_offer_for_the_order, json_object_set(file, "preq", json_object_get(file, "offer")))
CHANGED(
    a_gateway_for_another,
    json_object_set_new(file, "gateway_certificate",
                        setpay_wallet_base64_json(setpay_buffer_view(&test_people.gateway_2->der))))
CHANGED(the_root_gone, json_array_remove(certificates, 0))
CHANGED(another_root, json_array_set_new(certificates, 0,
                                         setpay_wallet_base64_json(setpay_buffer_view(
                                             &test_people.stranger_pki->root.der))))
CHANGED(two_roots, json_array_append(certificates, json_array_get(certificates, 0)))
CHANGED(the_brand_gone, json_array_remove(certificates, 1))
CHANGED(the_gateways_ca_gone, json_array_remove(certificates, 2))
CHANGED(the_merchants_ca_gone, json_array_remove(certificates, 3))
CHANGED(the_cardholders_ca_gone, json_array_remove(certificates, 4))
CHANGED(a_leaf_as_a_ca,
        json_array_append_new(
            certificates, setpay_wallet_base64_json(setpay_buffer_view(&test_people.gateway->der))))
CHANGED(a_stranger_as_a_ca,
        json_array_append_new(
            certificates,
            setpay_wallet_base64_json(setpay_buffer_view(
                &test_pki_ca(test_people.stranger_pki, "visa", SETPAY_CA_BRAND)->der))))
CHANGED(another_item, json_object_set_new(item, "name", json_string("Tea")))
CHANGED(another_quantity, json_object_set_new(item, "quantity", json_integer(3)))
CHANGED(another_price, json_object_set_new(item, "unit_amount", json_integer(1)))
CHANGED(another_sku, json_object_set_new(item, "sku", json_string("BEAN-2")))
CHANGED(one_item_less, json_array_remove(json_object_get(file, "items"), 1))
CHANGED(a_disagreement_alone,
        json_object_set_new(file, "disagreement", json_string("the merchant says declined")))
CHANGED(a_breach_without_a_refusal, json_array_remove(evidence, 0))
CHANGED(a_word_turned,
        json_object_set_new(json_array_get(evidence, 0), "what", json_string("unauthorised")))
CHANGED(a_sentence_turned,
        json_object_set_new(json_array_get(evidence, 0), "what",
                            json_string("the merchant says voided, the gateway says authorised")))
CHANGED(no_word, json_object_del(json_array_get(evidence, 0), "what"))
CHANGED(no_message, json_object_del(json_array_get(evidence, 0), "message"))
CHANGED(an_offer_as_a_word,
        json_object_set(json_array_get(evidence, 0), "message", json_object_get(file, "offer")))
CHANGED(a_failed_one_as_a_word,
        json_object_set_new(json_array_get(evidence, 1), "what", json_string("refused")))
CHANGED(a_word_of_another, OF_ANOTHER("evidence"))

static const struct row {
    const char *what;
    void (*change)(json_t *file);
    enum setpay_error error;
    const char *failed;
} rows[] = {
    {"another form's number", another_form, SETPAY_E_EVIDENCE, "setpay_receipt"},
    {"no form's number", no_form, SETPAY_E_EVIDENCE, "setpay_receipt"},
    {"no offer", no_offer, SETPAY_E_EVIDENCE, "offer"},
    {"no order", no_preq, SETPAY_E_EVIDENCE, "preq"},
    {"no gateway's certificate", no_gateway, SETPAY_E_EVIDENCE, "gateway_certificate"},
    {"no list of receipts", no_receipts, SETPAY_E_EVIDENCE, "receipts"},
    {"no list of evidence", no_evidence, SETPAY_E_EVIDENCE, "receipts"},
    {"no certificates", no_certificates, SETPAY_E_EVIDENCE, "certificates"},
    {"too many certificates", too_many_certificates, SETPAY_E_EVIDENCE, "certificates"},
    {"a number in place of bytes", a_number_for_bytes, SETPAY_E_EVIDENCE, "offer"},
    {"no base64", no_base64, SETPAY_E_EVIDENCE, "preq"},
    {"base64 with a blank", base64_with_a_blank, SETPAY_E_EVIDENCE, "preq"},
    {"base64 that has a second form", base64_of_two_forms, SETPAY_E_EVIDENCE,
     "gateway_certificate"},
    {"the first receipt gone", the_first_gone, SETPAY_E_RECEIPT, "receipts[0]"},
    {"a receipt between gone", the_middle_gone, SETPAY_E_RECEIPT, "receipts[1]"},
    {"the last receipt gone", the_last_gone, SETPAY_E_PURCHASE, "credited_amount"},
    {"a receipt twice", twice_the_last, SETPAY_E_RECEIPT, "receipts[3]"},
    {"receipts out of order", out_of_order, SETPAY_E_RECEIPT, "receipts[1]"},
    {"receipts of another purchase", receipts_of_another, SETPAY_E_RECEIPT, "receipts[0]"},
    {"the order of another purchase", preq_of_another, SETPAY_E_RECEIPT, "receipts[0]"},
    {"an order in place of the offer", an_order_for_the_offer, SETPAY_E_MESSAGE_TYPE, "offer"},
    {"an offer in place of the order", an_offer_for_the_order, SETPAY_E_MESSAGE_TYPE, "preq"},
    {"another gateway's certificate", a_gateway_for_another, SETPAY_E_GATEWAY_CERTS,
     "gateway_certificate"},
    {"the root gone, where one was given, is none missed", the_root_gone, SETPAY_OK, ""},
    {"another root", another_root, SETPAY_E_CERT_CHAIN, "certificates[0]"},
    {"two roots", two_roots, SETPAY_E_CERT_CHAIN, "certificates[5]"},
    {"the brand's CA gone", the_brand_gone, SETPAY_E_CERT_MISSING, "certificates[1]"},
    {"the gateway's CA gone", the_gateways_ca_gone, SETPAY_E_CERT_MISSING, "gateway_certificate"},
    {"the merchant's CA gone", the_merchants_ca_gone, SETPAY_E_CERT_MISSING, "offer"},
    {"the cardholder's CA gone", the_cardholders_ca_gone, SETPAY_E_CERT_MISSING, "preq"},
    {"a leaf among the CAs", a_leaf_as_a_ca, SETPAY_E_CERT_ROLE, "certificates[5]"},
    {"a stranger's CA", a_stranger_as_a_ca, SETPAY_E_CERT_CHAIN, "certificates[5]"},
    {"an item renamed", another_item, SETPAY_E_PURCHASE, "items"},
    {"an item's quantity", another_quantity, SETPAY_E_PURCHASE, "items"},
    {"an item's price", another_price, SETPAY_E_PURCHASE, "items"},
    {"an item's number", another_sku, SETPAY_E_PURCHASE, "items"},
    {"an item less", one_item_less, SETPAY_E_PURCHASE, "items"},
    {"a disagreement without a message", a_disagreement_alone, SETPAY_E_PURCHASE, "disagreement"},
    {"a breach without a refusal", a_breach_without_a_refusal, SETPAY_E_PURCHASE, "breach"},
    {"another word beside a message", a_word_turned, SETPAY_E_PURCHASE, "evidence[0]"},
    {"another sentence beside a message", a_sentence_turned, SETPAY_E_PURCHASE, "evidence[0]"},
    {"no word beside a message", no_word, SETPAY_E_EVIDENCE, "evidence[0]"},
    {"no kept message", no_message, SETPAY_E_EVIDENCE, "evidence[0]"},
    {"an offer as the merchant's word", an_offer_as_a_word, SETPAY_E_MESSAGE_TYPE, "evidence[0]"},
    {"rubbish as the merchant's word", a_failed_one_as_a_word, SETPAY_E_NOT_CANONICAL,
     "evidence[1]"},
    {"words of another purchase", a_word_of_another, SETPAY_E_PURCHASE, "evidence[0]"},
};

static void a_member_changed(void **state)
{
    const struct row *row = *state;
    json_t *file = test_export_good();
    row->change(file);
    test_export_refuses(file, row->error, row->failed);
}
/* ------------------------------------------------------------------ byte by byte */

/* A text of base64 in the file. */
static json_t *place_of(json_t *file, const char *member, int index, const char *inner)
{
    json_t *value = json_object_get(file, member);
    if (index >= 0)
        value = json_array_get(value, (size_t)index);
    return inner != NULL ? json_object_get(value, inner) : value;
}

static bool is_inside(const struct setpay_buffer *part, const uint8_t *bytes, size_t size,
                      size_t at)
{
    const uint8_t *found = memmem(bytes, size, part->data, part->size);
    return found != NULL && at >= (size_t)(found - bytes) &&
           at < (size_t)(found - bytes) + part->size;
}

/* What travels beside a message and is not needed: CAs beside the order (the file has them in a
 * list of their own), the merchant's certificate beside a later word (it is beside the offer), and
 * the gateway's encryption certificate, which is then named as not proven. */
static bool is_beside(const struct setpay_wallet_verdict *verdict, const uint8_t *bytes,
                      size_t size, size_t at)
{
    const struct setpay_buffer *const needless[] = {
        &test_pki_ca(test_people.pki, "visa", SETPAY_CA_BRAND)->der,
        &test_pki_ca(test_people.pki, "visa", SETPAY_CA_CARDHOLDER)->der,
        &test_people.merchant->der};
    if (names(verdict->not_proven, "gateway_encryption_certificate"))
        return is_inside(&test_people.encrypt->der, bytes, size, at);
    for (size_t i = 0; i < COUNT(needless); i++) {
        if (is_inside(needless[i], bytes, size, at))
            return true;
    }
    return false;
}

static const struct sweep {
    const char *what;
    const char *member;
    int index;
    const char *inner;
} sweeps[] = {
    {"each byte of the offer", "offer", -1, NULL},
    {"each byte of the order", "preq", -1, NULL},
    {"each byte of the gateway's certificate", "gateway_certificate", -1, NULL},
    {"each byte of the root", "certificates", 0, NULL},
    {"each byte of the brand's CA", "certificates", 1, NULL},
    {"each byte of the gateway's CA", "certificates", 2, NULL},
    {"each byte of the first receipt", "receipts", 0, "signed"},
    {"each byte of the last receipt", "receipts", 2, "signed"},
    {"each byte of a kept message", "evidence", 0, "message"},
};

static void bytes_changed(void **state)
{
    const struct sweep *sweep = *state;
    json_t *file = test_export_good();
    json_t *text = place_of(file, sweep->member, sweep->index, sweep->inner);
    size_t length = json_string_length(text), size = length / 4 * 3, stride = STRIDE;
    uint8_t *bytes = malloc(size);
    char *again = malloc(length + 1);
    struct setpay_wallet_verdict verdict = {0};
    assert_true(bytes != NULL && again != NULL);
    const char *from = json_string_value(text);
    assert_int_equal(EVP_DecodeBlock(bytes, (const unsigned char *)from, (int)length), size);
    size -= (size_t)(from[length - 1] == '=') + (size_t)(from[length - 2] == '=');
    for (size_t at = 0; at < size; at += stride) {
        bytes[at] ^= 1;
        EVP_EncodeBlock((unsigned char *)again, bytes, (int)size);
        json_string_set(text, again);
        enum setpay_error error = test_export_check(file, &verdict);
        bytes[at] ^= 1;
        if (error == SETPAY_OK)
            assert_true(is_beside(&verdict, bytes, size, at));
        json_string_set(text, (EVP_EncodeBlock((unsigned char *)again, bytes, (int)size), again));
    }
    OK(test_export_check(file, &verdict)); /* as it was */
    setpay_wallet_verdict_clear(&verdict);
    free(bytes);
    free(again);
    json_decref(file);
}

/* The text around: no JSON, cut anywhere, something behind it, a member twice. */
static void a_text_that_is_no_file(void **state)
{
    struct setpay_wallet_verdict verdict = {0};
    json_t *file = test_export_good();
    char *text = json_dumps(file, 0);
    assert_non_null(text);
    size_t size = strlen(text);
    char *more = malloc(size + 64);
    (void)state;
    assert_non_null(more);
    static const char *const others[] = {
        "", "[]", "{}", "null", "{\"setpay_receipt\":\"1\"}", "\xff\xfe"};
    for (size_t i = 0; i < COUNT(others); i++)
        assert_int_equal(
            test_export_check_text(others[i], strlen(others[i]), SETPAY_VIEW_EMPTY, &verdict),
            SETPAY_E_EVIDENCE);
    for (size_t cut = 1; cut < size; cut += size / 20)
        assert_int_equal(test_export_check_text(text, size - cut, SETPAY_VIEW_EMPTY, &verdict),
                         SETPAY_E_EVIDENCE);
    (void)snprintf(more, size + 64, "%s{}", text);
    assert_int_equal(test_export_check_text(more, strlen(more), SETPAY_VIEW_EMPTY, &verdict),
                     SETPAY_E_EVIDENCE);
    (void)snprintf(more, size + 64, "{\"status\":\"declined\",%s", text + 1);
    assert_int_equal(test_export_check_text(more, strlen(more), SETPAY_VIEW_EMPTY, &verdict),
                     SETPAY_E_EVIDENCE);
    assert_int_equal(setpay_error_exit_status(SETPAY_E_EVIDENCE), 1);
    setpay_wallet_verdict_clear(&verdict);
    free(more);
    free(text);
    json_decref(file);
}
/* ------------------------------------------------------------------ all of them */

static struct CMUnitTest tests[200];
static char titles[200][64];
static size_t count;

static void add(const char *prefix, const char *what, CMUnitTestFunction test, const void *row)
{
    if (count == COUNT(tests))
        abort();
    (void)snprintf(titles[count], sizeof titles[count], "%s%s", prefix, what);
    tests[count] = (struct CMUnitTest){
        .name = titles[count], .test_func = test, .initial_state = (void *)(uintptr_t)row};
    count++;
}

int main(void)
{
    add("", "a good file is good", a_good_file_is_good, NULL);
    add("", "without a root, its own is named", many_receipts_are_verified, NULL);
    add("", "without a root, its own is named", without_a_root_its_own_is_named, NULL);
    add("", "a whole forgery", a_whole_forgery_is_refused_by_the_root, NULL);
    add("", "a shorter chain is what it was", a_shorter_chain_is_what_it_was, NULL);
    add("", "a refusal alone is just that", a_refusal_alone_is_just_that, NULL);
    add("", "a text that is no file", a_text_that_is_no_file, NULL);
    for (size_t i = 0; i < COUNT(words); i++)
        add("the word ", words[i], a_word_changed, words[i]);
    for (size_t i = 0; i < COUNT(receipt_words); i++)
        add("each receipt's word ", receipt_words[i], a_receipts_word_changed, receipt_words[i]);
    for (size_t i = 0; i < COUNT(rows); i++)
        add("", rows[i].what, a_member_changed, &rows[i]);
    for (size_t i = 0; i < COUNT(sweeps); i++)
        add("", sweeps[i].what, bytes_changed, &sweeps[i]);
    return _cmocka_run_group_tests("verify", tests, count, test_export_set_up,
                                   test_export_tear_down);
}
