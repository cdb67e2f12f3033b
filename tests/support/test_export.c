/*
 * The bytes are built straight from the codecs, the words by the wallet's own renderer: an honest
 * wallet's file, whoever signed what is in it.
 */
#include "tests/support/test_export.h"

#include "cardholder/purchase_json.h"
#include "tests/support/test_messages.h"

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
#define PAN "4242424242424242"
#define BREACH_WORDS                                                                               \
    "the merchant had said that nothing was authorised, and the gateway's receipt shows an "       \
    "authorisation"

struct test_export_people test_people;

/* ------------------------------------------------------------------ the file */

static json_t *base64(struct setpay_view bytes)
{
    json_t *made = setpay_wallet_base64_json(bytes);
    assert_non_null(made);
    return made;
}

static void sign_message(enum setpay_message_type type, const struct test_party *signer,
                         const struct test_party *key, const struct test_party *more,
                         struct setpay_view content, struct setpay_buffer *message)
{
    struct setpay_view beside[2] = {setpay_buffer_view(&signer->der)};
    size_t count = 1;
    if (more != NULL)
        beside[count++] = setpay_buffer_view(&more->der);
    const struct setpay_message_parts parts = {.type = type,
                                               .content = content,
                                               .key = key->signing_key,
                                               .signer = &signer->thumbprint,
                                               .certificates = beside,
                                               .certificate_count = count};
    setpay_buffer_init(message, SETPAY_LIMIT_MESSAGE_BYTES);
    OK(setpay_message_build(&parts, message));
}

static void make_offer(const struct test_export_knobs *k, struct setpay_pinit_res *offer,
                       struct setpay_digest *digest, struct setpay_buffer *message)
{
    struct setpay_buffer content;
    memset(offer, 0, sizeof *offer);
    test_fill_pinit_res(offer);
    strcpy(offer->brand, "visa");
    offer->header.sender = k->merchant->thumbprint;
    offer->header.date_ms = TEST_PKI_NOW_MS;
    offer->expiry_ms = TEST_PKI_NOW_MS + SETPAY_HOUR_MS;
    offer->gateway_sign = k->gateway->thumbprint;
    offer->gateway_encrypt = k->encrypt->thumbprint;
    if (k->offer != NULL)
        k->offer(offer);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_pinit_res_build(offer, &content));
    OK(setpay_offer_digest(setpay_buffer_view(&content), digest));
    sign_message(SETPAY_MESSAGE_PINIT_RES, k->merchant,
                 k->offer_key != NULL ? k->offer_key : k->merchant, k->encrypt,
                 setpay_buffer_view(&content), message);
    setpay_buffer_clear(&content);
}

static struct test_purchase *make_order(const struct test_export_knobs *k,
                                        const struct setpay_pinit_res *offer,
                                        const struct setpay_digest *digest,
                                        struct setpay_buffer *message)
{
    const struct test_purchase_parties parties = {.brand = "visa",
                                                  .merchant = k->merchant,
                                                  .merchant_id = "shop-1",
                                                  .gateway_sign = k->gateway,
                                                  .gateway_encrypt = k->encrypt};
    struct test_purchase *made = test_purchase_new(&parties, k->holder, offer->amount.minor,
                                                   offer->amount.currency, TEST_PKI_NOW_MS + 1000);
    test_purchase_take_offer(made, offer, digest);
    if (k->order != NULL)
        k->order(&made->oi);
    if (k->ds_signer != NULL)
        made->ds_signer = k->ds_signer;
    test_purchase_sign(made);
    test_purchase_preq(made, message);
    return made;
}

static void add_receipts(const struct test_export_knobs *k, const struct test_purchase *order,
                         struct setpay_wallet_purchase *p, json_t *list)
{
    static const struct {
        enum setpay_receipt_kind kind;
        int64_t minor;
    } steps[TEST_EXPORT_RECEIPTS] = {{SETPAY_RECEIPT_AUTHORISATION, 1250},
                                     {SETPAY_RECEIPT_CAPTURE, 700},
                                     {SETPAY_RECEIPT_CREDIT, 100}};
    struct setpay_digest last = {{0}};
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    for (size_t i = 0; i < TEST_EXPORT_RECEIPTS + k->captures; i++) {
        struct setpay_receipt receipt = {0};
        bool more = i >= TEST_EXPORT_RECEIPTS;
        test_fill_receipt(&receipt);
        receipt.kind = more ? SETPAY_RECEIPT_CAPTURE : steps[i].kind;
        receipt.amount.minor = more ? 1 : steps[i].minor;
        strcpy(receipt.brand, "visa");
        receipt.merchant = order->oi.merchant;
        receipt.cardholder = order->oi.cardholder;
        receipt.gateway_sign = k->gateway->thumbprint;
        receipt.xid = order->oi.xid;
        receipt.pomd = order->pomd;
        receipt.date_ms = TEST_PKI_NOW_MS + 2000 + (int64_t)i * SETPAY_HOUR_MS;
        receipt.previous = last;
        if (i > 0)
            receipt.approval_code[0] = '\0';
        if (k->receipt != NULL)
            k->receipt(i, &receipt);
        OK(setpay_receipt_sign(
            &receipt, (k->receipt_key != NULL ? k->receipt_key : k->gateway)->signing_key, &bytes));
        OK(setpay_receipt_hash(setpay_buffer_view(&bytes), &last));
        json_array_append_new(list,
                              setpay_wallet_one_receipt_json(&receipt, setpay_buffer_view(&bytes)));
        (void)!setpay_receipt_sums_add(&p->sums, &receipt);
    }
    setpay_buffer_clear(&bytes);
    strcpy(p->approval_code, "A1B2C3");
    strcpy(p->action_code, "00");
    p->receipt_count = TEST_EXPORT_RECEIPTS + k->captures;
}

static void add_word(const struct test_export_knobs *k, const struct setpay_wallet_purchase *p,
                     enum setpay_purchase_status status, const char *what, json_t *list)
{
    struct setpay_buffer content, message;
    struct setpay_pres word = {.header = {.date_ms = TEST_PKI_NOW_MS + 1500,
                                          .sender = k->merchant->thumbprint,
                                          .has_receiver = true,
                                          .receiver = p->cardholder,
                                          .rrpid = test_id(0x33),
                                          .request_hash = test_digest(0x44)},
                               .xid = p->xid,
                               .lid_c = p->lid_c,
                               .challenge = test_digest(0x55),
                               .status = status,
                               .amount = p->amount,
                               .oimd = p->oimd,
                               .gateway_sign = p->gateway_sign};
    (void)snprintf(word.lid_m, sizeof word.lid_m, "%s", p->lid_m);
    (void)snprintf(word.merchant_id, sizeof word.merchant_id, "%s", p->merchant_id);
    word.amount.minor = status == SETPAY_STATUS_AUTHORISED ? p->amount.minor : 0;
    if (k->word != NULL)
        k->word(&word);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_pres_build(&word, &content));
    sign_message(SETPAY_MESSAGE_INQ_RES, k->merchant,
                 k->word_key != NULL ? k->word_key : k->merchant, NULL,
                 setpay_buffer_view(&content), &message);
    json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "what", what, "received",
                                          setpay_wallet_time_json(TEST_PKI_NOW_MS + 1600),
                                          "message", base64(setpay_buffer_view(&message))));
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&message);
}

static json_t *make_evidence(const struct test_export_knobs *k,
                             const struct setpay_wallet_purchase *p)
{
    json_t *list = json_array();
    add_word(k, p, SETPAY_STATUS_REFUSED, "refused", list);
    json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "what", "failed A4: not an answer",
                                          "received", "2026-11-23T12:00:00.000Z", "message",
                                          "bm90aGluZyBvZiBvdXJz"));
    add_word(k, p, SETPAY_STATUS_AUTHORISED, BREACH_WORDS, list);
    return list;
}

static json_t *make_certificates(struct test_pki *from)
{
    static const enum setpay_ca_kind kinds[] = {SETPAY_CA_BRAND, SETPAY_CA_GATEWAY,
                                                SETPAY_CA_MERCHANT, SETPAY_CA_CARDHOLDER};
    json_t *list = json_array();
    json_array_append_new(list, base64(setpay_buffer_view(&from->root.der)));
    for (size_t i = 0; i < COUNT(kinds); i++)
        json_array_append_new(
            list, base64(setpay_buffer_view(&test_pki_ca(from, "visa", kinds[i])->der)));
    return list;
}

static void fill_record(const struct setpay_pinit_res *offer, const struct test_purchase *order,
                        struct setpay_wallet_purchase *p)
{
    p->xid = order->oi.xid;
    p->state = SETPAY_WALLET_AUTHORISED;
    strcpy(p->link.host, "shop.example.com");
    strcpy(p->link.token, "0123456789abcdef");
    p->link.port = 443;
    p->created_ms = order->oi.date_ms;
    p->updated_ms = order->oi.date_ms + 5000;
    p->expiry_ms = order->oi.expiry_ms;
    (void)snprintf(p->brand, sizeof p->brand, "%s", offer->brand);
    (void)snprintf(p->merchant_id, sizeof p->merchant_id, "%s", offer->merchant_id);
    (void)snprintf(p->merchant_name, sizeof p->merchant_name, "%s", offer->merchant_name);
    p->lid_c = offer->lid_c;
    (void)snprintf(p->lid_m, sizeof p->lid_m, "%s", offer->lid_m);
    p->amount = offer->amount;
    p->oimd = order->oimd;
    p->pomd = order->pomd;
    p->cardholder = order->oi.cardholder;
    p->gateway_sign = order->oi.gateway_sign;
    p->said = SETPAY_STATUS_AUTHORISED;
    (void)snprintf(p->disagreement, sizeof p->disagreement, "%s", BREACH_WORDS);
    p->breach = true;
}

/* The file of these people, where nothing else is said those of the honest purchase. */
json_t *test_export_make(const struct test_export_knobs *from)
{
    struct test_export_knobs k = *from;
    struct setpay_pinit_res offer;
    struct setpay_digest digest;
    struct setpay_wallet_purchase p;
    k.merchant = k.merchant != NULL ? k.merchant : test_people.merchant;
    k.gateway = k.gateway != NULL ? k.gateway : test_people.gateway;
    k.encrypt = k.encrypt != NULL ? k.encrypt : test_people.encrypt;
    k.holder = k.holder != NULL ? k.holder : test_people.holder;
    k.pki = k.pki != NULL ? k.pki : test_people.pki;
    setpay_wallet_purchase_init(&p);
    setpay_buffer_clear(&p.preq); /* test_purchase_preq begins a new one */
    make_offer(&k, &offer, &digest, &p.offer);
    struct test_purchase *order = make_order(&k, &offer, &digest, &p.preq);
    fill_record(&offer, order, &p);
    json_t *receipts = json_array();
    add_receipts(&k, order, &p, receipts);
    json_t *file = setpay_wallet_one_purchase_json(&p, json_string("•••• 4242"), true);
    json_object_set_new(file, "setpay_receipt", json_integer(1));
    json_object_set_new(file, "receipts", receipts);
    json_object_set_new(file, "evidence", make_evidence(&k, &p));
    json_object_set_new(file, "gateway_certificate", base64(setpay_buffer_view(&k.gateway->der)));
    json_object_set_new(file, "offer", base64(setpay_buffer_view(&p.offer)));
    json_object_set_new(file, "preq", base64(setpay_buffer_view(&p.preq)));
    json_object_set_new(file, "certificates", make_certificates(k.pki));
    setpay_pinit_res_clear(&offer);
    test_purchase_free(order);
    setpay_wallet_purchase_clear(&p);
    return file;
}
/* ------------------------------------------------------------------ checking it */

static struct setpay_problem problem; /* of the last check */

enum setpay_error test_export_check_text(const char *text, size_t size, struct setpay_view root,
                                         struct setpay_wallet_verdict *verdict)
{
    memset(&problem, 0, sizeof problem);
    setpay_wallet_verdict_clear(verdict);
    return setpay_wallet_verify(setpay_view_of(text, size), root, verdict, &problem);
}

enum setpay_error test_export_check(const json_t *file, struct setpay_wallet_verdict *verdict)
{
    char *text = json_dumps(file, JSON_INDENT(2));
    assert_non_null(text);
    enum setpay_error error = test_export_check_text(
        text, strlen(text), setpay_buffer_view(&test_people.pki->root.der), verdict);
    free(text);
    return error;
}

/* Refused by that check, at that place, with words for the person. Takes file. */
void test_export_refuses(json_t *file, enum setpay_error expected, const char *failed)
{
    struct setpay_wallet_verdict verdict = {0};
    enum setpay_error error = test_export_check(file, &verdict);
    assert_string_equal(setpay_error_name(error), setpay_error_name(expected));
    assert_string_equal(verdict.failed, failed);
    assert_int_equal(strncmp(problem.text, failed, strlen(failed)), 0);
    setpay_wallet_verdict_clear(&verdict);
    json_decref(file);
}

json_t *test_export_good(void)
{
    return test_export_make(&(struct test_export_knobs){.merchant = NULL});
}

/* ------------------------------------------------------------------ everybody */

int test_export_set_up(void **state)
{
    static const char *const brands[] = {"visa", "mastercard", NULL};
    (void)state;
    OK(setpay_secret_system_init());
    test_people.pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    test_people.stranger_pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    test_people.merchant =
        test_party_new(test_people.pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    test_people.merchant_2 =
        test_party_new(test_people.pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop-2", NULL);
    test_people.expired_merchant = test_party_new_defective(
        test_people.pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", TEST_PKI_EXPIRED);
    test_people.gateway =
        test_party_new(test_people.pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "gateway-1", NULL);
    test_people.gateway_2 =
        test_party_new(test_people.pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "gateway-2", NULL);
    test_people.brand_gateway = test_party_new(test_people.pki, "mastercard",
                                               SETPAY_PROFILE_GATEWAY_SIGN, "gateway-1", NULL);
    test_people.encrypt =
        test_party_new(test_people.pki, "visa", SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-1", NULL);
    test_people.encrypt_2 =
        test_party_new(test_people.pki, "visa", SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-2", NULL);
    test_people.holder = test_cardholder_new(test_people.pki, "visa", PAN, "3012", "123");
    test_people.holder_2 = test_cardholder_new(test_people.pki, "visa", PAN, "3012", "123");
    test_people.expired_holder =
        test_cardholder_new_defective(test_people.pki, "visa", PAN, "3012", TEST_PKI_EXPIRED);
    test_people.stranger_merchant = test_party_new(test_people.stranger_pki, "visa",
                                                   SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    test_people.stranger_gateway = test_party_new(test_people.stranger_pki, "visa",
                                                  SETPAY_PROFILE_GATEWAY_SIGN, "gateway-1", NULL);
    test_people.stranger_encrypt = test_party_new(
        test_people.stranger_pki, "visa", SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-1", NULL);
    test_people.stranger_holder =
        test_cardholder_new(test_people.stranger_pki, "visa", PAN, "3012", "123");
    return 0;
}

int test_export_tear_down(void **state)
{
    struct test_party *const parties[] = {
        test_people.merchant,         test_people.merchant_2,      test_people.expired_merchant,
        test_people.gateway,          test_people.gateway_2,       test_people.brand_gateway,
        test_people.encrypt,          test_people.encrypt_2,       test_people.stranger_merchant,
        test_people.stranger_gateway, test_people.stranger_encrypt};
    (void)state;
    for (size_t i = 0; i < COUNT(parties); i++)
        test_party_free(parties[i]);
    test_cardholder_free(test_people.holder);
    test_cardholder_free(test_people.holder_2);
    test_cardholder_free(test_people.expired_holder);
    test_cardholder_free(test_people.stranger_holder);
    test_pki_free(test_people.pki);
    test_pki_free(test_people.stranger_pki);
    return 0;
}
