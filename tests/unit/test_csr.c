/*
 * Rules C1 and C2: a request says what was wished, proves its key, and has one form.
 */
#include "common/crypto/keyfile.h"
#include "common/pki/csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

static EVP_PKEY *key;

static int set_up(void **state)
{
    (void)state;
    return setpay_key_generate(&key) == SETPAY_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    return 0;
}

static void a_merchants_request_says_what_was_wished(void **state)
{
    (void)state;
    static const char *const hosts[] = {"localhost", "shop.example.org"};
    const struct setpay_csr_wish wish = {.brand = "visa",
                                         .role = "merchant",
                                         .id = "shop",
                                         .challenge = "nonce-1",
                                         .hosts = hosts,
                                         .host_count = 2,
                                         .eku = SETPAY_OID_EKU_SERVER_AUTH};
    struct setpay_secret der = {0};
    struct setpay_csr csr = {0};
    struct setpay_digest digest;
    assert_int_equal(setpay_csr_build(key, &wish, &der), SETPAY_OK);
    assert_int_equal(setpay_csr_parse(setpay_secret_view(&der), &csr), SETPAY_OK);
    assert_string_equal(csr.brand, "visa");
    assert_string_equal(csr.role, "merchant");
    assert_string_equal(csr.id, "shop");
    assert_string_equal(csr.challenge, "nonce-1");
    assert_int_equal(csr.host_count, 2);
    assert_string_equal(csr.hosts[1], "shop.example.org");
    assert_string_equal(csr.eku, SETPAY_OID_EKU_SERVER_AUTH);
    assert_int_equal(csr.pan.size, 0);
    assert_int_equal(setpay_key_digest(key, &digest), SETPAY_OK);
    assert_true(setpay_digest_equal(&digest, &csr.key_digest));
    setpay_csr_clear(&csr);
    setpay_csr_clear(&csr);
    setpay_secret_clear(&der);
}

/* rule C1 */
static void card_secrets_travel_together_or_not_at_all(void **state)
{
    (void)state;
    struct setpay_secret pan = {0}, expiry = {0}, pan_secret = {0}, der = {0};
    struct setpay_csr csr = {0};
    assert_int_equal(setpay_secret_copy(&pan, setpay_view_string("4000000000000002")), SETPAY_OK);
    assert_int_equal(setpay_secret_copy(&expiry, setpay_view_string("2912")), SETPAY_OK);
    assert_int_equal(setpay_secret_random(&pan_secret, 32), SETPAY_OK);
    struct setpay_csr_wish wish = {.brand = "visa", .role = "cardholder", .challenge = "n"};
    wish.pan = &pan;
    assert_int_equal(setpay_csr_build(key, &wish, &der), SETPAY_E_INVALID);
    wish.expiry = &expiry;
    assert_int_equal(setpay_csr_build(key, &wish, &der), SETPAY_E_INVALID);
    wish.pan_secret = &pan_secret;
    assert_int_equal(setpay_csr_build(key, &wish, &der), SETPAY_OK);
    assert_int_equal(setpay_csr_parse(setpay_secret_view(&der), &csr), SETPAY_OK);
    assert_true(setpay_secret_equal(&csr.pan, &pan));
    assert_true(setpay_secret_equal(&csr.expiry, &expiry));
    assert_true(setpay_secret_equal(&csr.pan_secret, &pan_secret));
    assert_string_equal(csr.id, "");
    setpay_csr_clear(&csr);
    setpay_secret_clear(&der);
    pan.data[3] = 'x';
    assert_int_equal(setpay_csr_build(key, &wish, &der), SETPAY_E_INVALID);
    setpay_secret_clear(&pan);
    setpay_secret_clear(&expiry);
    setpay_secret_clear(&pan_secret);
}

static void wishes_have_their_form(void **state)
{
    (void)state;
    static const char *const bad_host[] = {"*.example"};
    const struct setpay_csr_wish wishes[] = {
        {.brand = "Visa"},    {.brand = "visa", .id = "a.b"}, {.challenge = ""},
        {.challenge = "a b"}, {.role = "mer chant"},          {.hosts = bad_host, .host_count = 1},
    };
    struct setpay_secret der = {0};
    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
        assert_int_equal(setpay_csr_build(key, &wishes[i], &der), SETPAY_E_INVALID);
    EVP_PKEY *p384 = EVP_EC_gen("P-384");
    const struct setpay_csr_wish plain = {.brand = "visa"};
    assert_int_equal(setpay_csr_build(p384, &plain, &der), SETPAY_E_INVALID);
    EVP_PKEY_free(p384);
}

/* rule C2 */
static void every_changed_bit_is_refused(void **state)
{
    (void)state;
    const struct setpay_csr_wish wish = {.brand = "visa", .id = "shop", .challenge = "nonce"};
    struct setpay_secret der = {0};
    struct setpay_csr csr = {0};
    assert_int_equal(setpay_csr_build(key, &wish, &der), SETPAY_OK);
    for (size_t i = 0; i < der.size * 8; i++) {
        der.data[i / 8] ^= (uint8_t)(1u << (i % 8));
        assert_int_equal(setpay_csr_parse(setpay_secret_view(&der), &csr), SETPAY_E_CSR);
        assert_null(csr.key);
        der.data[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
    assert_int_equal(setpay_csr_parse(setpay_view_of(der.data, der.size - 1), &csr), SETPAY_E_CSR);
    assert_int_equal(setpay_csr_parse(SETPAY_VIEW_EMPTY, &csr), SETPAY_E_CSR);
    setpay_secret_clear(&der);
}

/* Parses a request with one attribute of ours, written by OpenSSL alone. */
static enum setpay_error parse_with(EVP_PKEY *by, const char *oid, int count, const char *value)
{
    struct setpay_csr csr = {0};
    unsigned char *der = NULL;
    X509_REQ *request = X509_REQ_new();
    X509_REQ_set_pubkey(request, by);
    const unsigned char *bytes = (const unsigned char *)value;
    int length = (int)strlen(value);
    if (count > 0)
        assert_int_equal(
            X509_REQ_add1_attr_by_txt(request, oid, V_ASN1_OCTET_STRING, bytes, length), 1);
    if (count > 1) /* a second value */
        assert_int_equal(X509_ATTRIBUTE_set1_data(X509_REQ_get_attr(request, 0),
                                                  V_ASN1_OCTET_STRING, bytes, length),
                         1);
    assert_true(X509_REQ_sign(request, by, EVP_sha256()) > 0);
    int size = i2d_X509_REQ(request, &der);
    enum setpay_error error = setpay_csr_parse(setpay_view_of(der, (size_t)size), &csr);
    setpay_csr_clear(&csr);
    OPENSSL_free(der);
    X509_REQ_free(request);
    return error;
}

static void other_attributes_and_curves_are_refused(void **state)
{
    (void)state;
    EVP_PKEY *p384 = EVP_EC_gen("P-384");
    assert_int_equal(parse_with(key, "2.25.1", 0, ""), SETPAY_OK);
    assert_int_equal(parse_with(key, "2.25.1", 1, "x"), SETPAY_E_CSR);
    assert_int_equal(parse_with(key, SETPAY_OID_ATTRIBUTE_PAN, 1, "4000000000000002"),
                     SETPAY_E_CSR);
    assert_int_equal(parse_with(key, SETPAY_OID_ATTRIBUTE_EXPIRY, 2, "2912"), SETPAY_E_CSR);
    assert_int_equal(parse_with(p384, "2.25.1", 0, ""), SETPAY_E_CSR);
    EVP_PKEY_free(p384);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_merchants_request_says_what_was_wished),
        cmocka_unit_test(card_secrets_travel_together_or_not_at_all),
        cmocka_unit_test(wishes_have_their_form),
        cmocka_unit_test(every_changed_bit_is_refused),
        cmocka_unit_test(other_attributes_and_curves_are_refused),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
