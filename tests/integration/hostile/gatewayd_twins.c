/*
 * A hostile merchant before the real setpay-gatewayd that makes two of what is one. An ECDSA
 * signature (r, s) has a twin (r, -s) that anybody can make: of a message, of the dual signature,
 * of a certificate, which so gets a second thumbprint. An identifier may be another merchant's too,
 * a frame's number may be used twice, a merchant may have two certificates.
 *
 * What always holds: a twin of what is good pays nothing more, and a twin of what is revoked is
 * revoked.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"
#include "tests/support/test_asking.h"
#include "tests/support/test_lies.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_proto.h"
#include "tests/support/test_refusal.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct test_gateway *gateway;
static struct test_liar *liar;
static struct test_line *other_line; /* of the merchant "other" */

/* ------------------------------------------------------------------ twins */

/* The DER of (r, n - s). */
static size_t twin_signature(struct setpay_view signature, uint8_t twin[80])
{
    const unsigned char *at = signature.data;
    unsigned char *to = twin;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)signature.size);
    assert_true(group != NULL && sig != NULL);
    BIGNUM *r = BN_dup(ECDSA_SIG_get0_r(sig));
    BIGNUM *s = BN_new();
    assert_int_equal(BN_sub(s, EC_GROUP_get0_order(group), ECDSA_SIG_get0_s(sig)), 1);
    assert_int_equal(ECDSA_SIG_set0(sig, r, s), 1);
    int size = i2d_ECDSA_SIG(sig, &to);
    assert_true(size > 0);
    ECDSA_SIG_free(sig);
    EC_GROUP_free(group);
    return (size_t)size;
}

/* The same certificate under another thumbprint. der is the caller's to clear. */
static struct test_party twin_party(const struct test_party *party, struct setpay_buffer *der)
{
    struct test_party twin = *party;
    const ASN1_BIT_STRING *signature = NULL;
    const unsigned char *at = party->der.data;
    uint8_t other[80];
    unsigned char *bytes = NULL;
    X509 *x509 = d2i_X509(NULL, &at, (long)party->der.size);
    assert_non_null(x509);
    X509_get0_signature(&signature, NULL, x509);
    size_t size = twin_signature(setpay_view_of(signature->data, (size_t)signature->length), other);
    ASN1_BIT_STRING *changed = (ASN1_BIT_STRING *)(uintptr_t)signature;
    assert_int_equal(ASN1_STRING_set(changed, other, (int)size), 1);
    int der_size = i2d_X509(x509, &bytes);
    assert_true(der_size > 0);
    setpay_buffer_init(der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    assert_int_equal(setpay_buffer_set(der, setpay_view_of(bytes, (size_t)der_size)), SETPAY_OK);
    OPENSSL_free(bytes);
    X509_free(x509);
    twin.der = *der;
    assert_int_equal(setpay_sha256(setpay_buffer_view(der), &twin.thumbprint), SETPAY_OK);
    assert_false(setpay_digest_equal(&twin.thumbprint, &party->thumbprint));
    return twin;
}

static struct test_purchase *honest(void)
{
    return test_lie_tell(liar, NULL, NULL);
}

static struct setpay_auth_res authorise(const struct test_purchase *p)
{
    struct setpay_receipt receipt;
    struct setpay_auth_res res = test_authorise(gateway, liar->line, p, &receipt);
    assert_int_equal(res.outcome, SETPAY_AUTH_APPROVED);
    return res;
}

static void expect_held(const struct test_purchase *p, size_t asked, int64_t expected)
{
    int64_t held = 0;
    assert_int_equal(test_gateway_books(gateway, &p->auth.xid, &held), asked);
    assert_int_equal(held, expected);
}

static void a_twin_of_a_message_is_its_repeat(void **state)
{
    /* rule A6: the same content, and a signature that nobody has made but everybody could */
    static const uint32_t is_signed[] = {2, 0};
    enum { SIGNATURE = 4 };
    struct test_proto_field fields[TEST_PROTO_FIELDS];
    struct test_purchase *p = honest();
    struct test_stillness still;
    struct setpay_buffer message, twin, first, second;
    uint8_t other[80];
    (void)state;
    test_purchase_auth_req(p, &message);
    test_line_ask(liar->line, setpay_buffer_view(&message), &first);
    assert_true(test_proto_split(setpay_buffer_view(&message), fields) > 2);
    struct setpay_view inside = fields[1].value;
    assert_true(test_proto_split(inside, fields) == 5 && fields[3].number == SIGNATURE);
    size_t size = twin_signature(fields[3].value, other);
    setpay_buffer_init(&twin, SETPAY_LIMIT_MESSAGE_BYTES);
    test_proto_replace(setpay_buffer_view(&message), is_signed, SIGNATURE,
                       setpay_view_of(other, size), &twin);
    test_refusal_add();
    test_stillness_take(gateway, &still);
    test_line_ask(liar->line, setpay_buffer_view(&twin), &second);
    test_stillness_expect(gateway, &still, 0);
    assert_true(setpay_view_equal(setpay_buffer_view(&first), setpay_buffer_view(&second)));
    expect_held(p, 1, 1250);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&twin);
    setpay_buffer_clear(&first);
    setpay_buffer_clear(&second);
    test_purchase_free(p);
}

static void a_twin_of_the_dual_signature_pays_nothing_more(void **state)
{
    /* rule G6 */
    struct test_purchase *p = honest();
    uint8_t other[80];
    (void)state;
    authorise(p);
    size_t size = twin_signature(setpay_signature_view(&p->auth.dual_signature), other);
    assert_int_equal(
        setpay_signature_from_view(setpay_view_of(other, size), &p->auth.dual_signature),
        SETPAY_OK);
    test_refusal_of_purchase(gateway, liar->line, p, "RRPID_REUSED A6");
    test_purchase_renew(p, setpay_clock_now_ms());
    test_refusal_of_purchase(gateway, liar->line, p, "PI_USED G6");
    expect_held(p, 1, 1250);
    test_purchase_free(p);
}

static void a_twin_of_a_certificate_is_nobody_else(void **state)
{
    /* rules G3, G4 and G6: what was signed names one of the two */
    struct setpay_buffer der;
    struct test_party twin = twin_party(liar->holder->party, &der);
    struct test_cardholder holder = *liar->holder;
    (void)state;
    holder.party = &twin;
    struct test_purchase *p = honest();
    p->cardholder = &holder; /* beside it */
    p->auth.cardholder = twin.thumbprint;
    test_refusal_of_purchase(gateway, liar->line, p, "DS_PAYMENT G3");
    test_purchase_free(p);
    setpay_buffer_clear(&der);

    twin = twin_party(gateway->shop[0].sign, &der);
    p = honest();
    p->auth_signer = p->auth_key = &twin;
    p->auth.header.sender = twin.thumbprint;
    test_refusal_of_purchase(gateway, liar->line, p, "PI_MISMATCH G4");
    p->auth_signer = p->auth_key = gateway->shop[0].sign;
    p->auth.header.sender = gateway->shop[0].sign->thumbprint;
    authorise(p);
    p->auth_signer = p->auth_key = &twin; /* the same rrpid of another sender */
    p->auth.header.sender = twin.thumbprint;
    test_refusal_of_purchase(gateway, liar->line, p, "PI_USED G6");
    p->auth_signer = p->auth_key = liar->renewed; /* and of a certificate that came later */
    p->auth.header.sender = liar->renewed->thumbprint;
    test_refusal_of_purchase(gateway, liar->line, p, "PI_USED G6");
    expect_held(p, 1, 1250);
    test_purchase_free(p);
    setpay_buffer_clear(&der);
}

static void a_twin_of_what_is_revoked_is_revoked(void **state)
{
    /* rule A3: lists name serial numbers, which twins share */
    struct test_cardholder *revoked =
        test_cardholder_new(gateway->pki, "visa", liar->holder->pan, liar->holder->expiry, "");
    struct test_party *sign = test_party_new(gateway->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN,
                                             TEST_GATEWAY_MERCHANT, NULL);
    struct test_party *usual_party = revoked->party;
    struct test_cardholder *usual = liar->holder;
    struct setpay_buffer holder_der, sign_der;
    struct test_party holder_twin = twin_party(revoked->party, &holder_der);
    struct test_party sign_twin = twin_party(sign, &sign_der);
    (void)state;
    test_pki_revoke(gateway->pki, revoked->party);
    test_pki_revoke(gateway->pki, sign);
    test_gateway_publish_crl(gateway, "visa", SETPAY_CA_CARDHOLDER);
    test_gateway_publish_crl(gateway, "visa", SETPAY_CA_MERCHANT);
    test_gateway_reload(gateway);
    revoked->party = &holder_twin; /* signs under the twin's thumbprint from the beginning */
    liar->holder = revoked;
    struct test_purchase *p = honest();
    test_refusal_of_purchase(gateway, liar->line, p, "CERT_REVOKED A3");
    test_purchase_free(p);
    liar->holder = usual;
    p = honest();
    p->auth_signer = p->auth_key = &sign_twin;
    p->auth.header.sender = sign_twin.thumbprint;
    test_refusal_of_purchase(gateway, liar->line, p, "CERT_REVOKED A3");
    test_purchase_free(p);
    revoked->party = usual_party;
    test_cardholder_free(revoked);
    test_party_free(sign);
    setpay_buffer_clear(&holder_der);
    setpay_buffer_clear(&sign_der);
}

/* ------------------------------------------------------------------ identifiers of two */

static void an_identifier_is_its_senders(void **state)
{
    /* rule A6: another merchant under the same rrpid neither gets the answer nor blocks it */
    struct test_purchase *p = honest();
    struct test_purchase_parties parties = test_gateway_parties(gateway, 0);
    struct setpay_receipt receipt;
    (void)state;
    parties.merchant = gateway->other.sign;
    parties.merchant_id = "other";
    struct test_purchase *q =
        test_purchase_new(&parties, liar->accomplice, 700, "EUR", setpay_clock_now_ms());
    q->auth.header.rrpid = p->auth.header.rrpid;
    test_purchase_sign(q);
    test_refusal_add();
    assert_int_equal(test_authorise(gateway, other_line, q, &receipt).outcome,
                     SETPAY_AUTH_APPROVED);
    authorise(p);
    expect_held(p, 1, 1250);
    expect_held(q, 1, 700);
    test_purchase_free(p);
    test_purchase_free(q);
}

static void append_frame(struct setpay_buffer *bytes, uint64_t id, struct setpay_view message)
{
    uint8_t head[12];
    setpay_write_u32be(head, (uint32_t)(8 + message.size));
    setpay_write_u64be(head + 4, id);
    assert_int_equal(setpay_buffer_append(bytes, SETPAY_VIEW_ARRAY(head)), SETPAY_OK);
    assert_int_equal(setpay_buffer_append(bytes, message), SETPAY_OK);
}

static void a_frames_number_is_used_once(void **state)
{
    /* rule A1: two requests under one number; the first goes on, and is there after reconnecting */
    const char *words = "event=net.frame_refused error=MALFORMED rule=A1";
    struct test_purchase *p = honest();
    struct test_purchase *q = honest();
    struct setpay_buffer first, second, both, answer;
    uint64_t id = 0;
    (void)state;
    struct test_line *line = test_line_new(gateway, gateway->shop[0].tls, "visa");
    assert_non_null(line);
    test_refusal_add();
    setpay_buffer_init(&both, (size_t)2 * SETPAY_LIMIT_MESSAGE_BYTES);
    size_t before = test_gateway_log_count(gateway, words);
    test_purchase_auth_req(p, &first);
    test_purchase_auth_req(q, &second);
    append_frame(&both, 7, setpay_buffer_view(&first));
    append_frame(&both, 7, setpay_buffer_view(&second));
    assert_true(both.size < 16384); /* one record, so that the first can't be answered before */
    assert_int_equal(SSL_write(line->ssl, both.data, (int)both.size), (int)both.size);
    assert_false(test_line_receive(line, &id, &answer));
    setpay_buffer_clear(&answer);
    test_line_free(line);
    assert_int_equal(test_gateway_log_count(gateway, words), before + 1);
    authorise(p); /* the same request: its answer, once it is there */
    expect_held(p, 1, 1250);
    expect_held(q, 0, 0);
    setpay_buffer_clear(&first);
    setpay_buffer_clear(&second);
    setpay_buffer_clear(&both);
    test_purchase_free(p);
    test_purchase_free(q);
}

/* ------------------------------------------------------------------ PCertReq */

static void ask_certificates(const struct setpay_pcert_req *request, struct test_line *line,
                             const struct test_party *signer, const char *expected)
{
    struct setpay_buffer content, message;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_pcert_req_build(request, &content), SETPAY_OK);
    test_merchant_message(SETPAY_MESSAGE_PCERT_REQ, signer, setpay_buffer_view(&content), &message);
    test_refusal_expect(gateway, line, setpay_buffer_view(&message), expected);
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&message);
}

static void certificates_are_for_who_asks(void **state)
{
    /* rules A2, A5 and G1 */
    struct setpay_pcert_req good = {
        .header = {.date_ms = setpay_clock_now_ms(), .has_sender = true},
        .brand = "visa",
        .merchant_id = TEST_GATEWAY_MERCHANT,
    };
    const struct test_party *sign = gateway->shop[0].sign;
    struct setpay_pcert_req r;
    (void)state;
    good.header.sender = sign->thumbprint;
    (void)snprintf(good.header.receiver_name, sizeof good.header.receiver_name, TEST_GATEWAY_ID);
    assert_int_equal(setpay_id_random(&good.header.rrpid), SETPAY_OK);
    r = good;
    (void)snprintf(r.header.receiver_name, sizeof r.header.receiver_name, "gateway-2");
    ask_certificates(&r, liar->line, sign, "RECEIVER A2");
    (void)snprintf(r.header.receiver_name, sizeof r.header.receiver_name, "GATEWAY-1");
    ask_certificates(&r, liar->line, sign, "RECEIVER A2");
    r = good;
    r.header.sender = gateway->other.sign->thumbprint;
    ask_certificates(&r, liar->line, sign, "SENDER A2");
    r = good;
    (void)snprintf(r.merchant_id, sizeof r.merchant_id, "other");
    ask_certificates(&r, liar->line, sign, "MERCHANT_CHANNEL G1");
    r = good;
    (void)snprintf(r.brand, sizeof r.brand, "mastercard");
    ask_certificates(&r, liar->line, sign, "MERCHANT_CHANNEL G1");
    r = good;
    ask_certificates(&r, other_line, sign, "MERCHANT_CHANNEL G1");
    r.header.date_ms -= SETPAY_HOUR_MS;
    ask_certificates(&r, liar->line, sign, "DATE A5");
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new_patient(10000);
    liar = test_liar_new(gateway);
    other_line = test_line_new(gateway, gateway->other.tls, "visa");
    return other_line == NULL;
}

static int close_all(void **state)
{
    (void)state;
    test_line_free(other_line);
    test_liar_free(liar);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_twin_of_a_message_is_its_repeat),
        cmocka_unit_test(a_twin_of_the_dual_signature_pays_nothing_more),
        cmocka_unit_test(a_twin_of_a_certificate_is_nobody_else),
        cmocka_unit_test(a_twin_of_what_is_revoked_is_revoked),
        cmocka_unit_test(an_identifier_is_its_senders),
        cmocka_unit_test(a_frames_number_is_used_once),
        cmocka_unit_test(certificates_are_for_who_asks),
    };
    test_alarm(280);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    int failed = cmocka_run_group_tests(tests, open_all, close_all);
    print_message("# tally: rules attacked = %zu\n", test_refusal_count());
    return failed;
}
