/*
 * Signatures: what verifies, and everything that must not: another type, suite, signer, content,
 * key, a changed or longer signature, another curve.
 */
#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <string.h>

struct keys {
    EVP_PKEY *pkey;
    struct setpay_signing_key *signing;
    struct setpay_public_key *public;
};

static int set_up(void **state)
{
    static struct keys keys;
    if (setpay_key_generate(&keys.pkey) != SETPAY_OK ||
        setpay_signing_key_from_pkey(keys.pkey, &keys.signing) != SETPAY_OK ||
        setpay_public_key_from_pkey(keys.pkey, &keys.public) != SETPAY_OK)
        return -1;
    *state = &keys;
    return 0;
}

static int tear_down(void **state)
{
    struct keys *keys = *state;
    setpay_signing_key_free(keys->signing);
    setpay_public_key_free(keys->public);
    EVP_PKEY_free(keys->pkey);
    return 0;
}

static const struct setpay_digest signer = {{1, 2, 3}};

/* rule A2 */
static void signature_verifies_for_exactly_what_was_signed(void **state)
{
    struct keys *keys = *state;
    struct setpay_buffer signature;
    struct setpay_view content = setpay_view_string("the content");
    struct setpay_digest other = {{1, 2, 4}};
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    assert_int_equal(setpay_sign(keys->signing, "AuthReq", 1, &signer, content, &signature),
                     SETPAY_OK);
    struct setpay_view made = setpay_buffer_view(&signature);
    assert_int_equal(setpay_verify(keys->public, "AuthReq", 1, &signer, content, made), SETPAY_OK);
    assert_int_equal(setpay_verify(keys->public, "AuthRes", 1, &signer, content, made),
                     SETPAY_E_SIGNATURE);
    assert_int_equal(setpay_verify(keys->public, "AuthReq", 1, &other, content, made),
                     SETPAY_E_SIGNATURE);
    assert_int_equal(setpay_verify(keys->public, "AuthReq", 1, &signer,
                                   setpay_view_string("the content."), made),
                     SETPAY_E_SIGNATURE);
    assert_int_equal(setpay_verify(keys->public, "AuthReq", 1, &signer, content, SETPAY_VIEW_EMPTY),
                     SETPAY_E_SIGNATURE);
    setpay_buffer_clear(&signature);
}

/* rule A1 */
static void unknown_suite_is_refused(void **state)
{
    struct keys *keys = *state;
    struct setpay_buffer signature;
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    for (uint64_t suite = 0; suite < 4; suite += 2) {
        assert_int_equal(
            setpay_sign(keys->signing, "PReq", suite, &signer, SETPAY_VIEW_EMPTY, &signature),
            SETPAY_E_SUITE);
        assert_int_equal(setpay_verify(keys->public, "PReq", suite, &signer, SETPAY_VIEW_EMPTY,
                                       setpay_view_string("x")),
                         SETPAY_E_SUITE);
    }
    setpay_buffer_clear(&signature);
}

static void every_changed_bit_of_a_signature_is_refused(void **state)
{
    struct keys *keys = *state;
    struct setpay_buffer signature;
    struct setpay_view content = setpay_view_string("content");
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX + 1);
    assert_int_equal(setpay_sign(keys->signing, "PReq", 1, &signer, content, &signature),
                     SETPAY_OK);
    for (size_t i = 0; i < signature.size * 8; i++) {
        signature.data[i / 8] ^= (uint8_t)(1u << (i % 8));
        assert_int_equal(setpay_verify(keys->public, "PReq", 1, &signer, content,
                                       setpay_buffer_view(&signature)),
                         SETPAY_E_SIGNATURE);
        signature.data[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
    assert_int_equal(setpay_buffer_append(&signature, setpay_view_of("", 1)), SETPAY_OK);
    assert_int_equal(
        setpay_verify(keys->public, "PReq", 1, &signer, content, setpay_buffer_view(&signature)),
        SETPAY_E_SIGNATURE);
    signature.size -= 2;
    assert_int_equal(
        setpay_verify(keys->public, "PReq", 1, &signer, content, setpay_buffer_view(&signature)),
        SETPAY_E_SIGNATURE);
    setpay_buffer_clear(&signature);
}

static void another_key_does_not_verify(void **state)
{
    struct keys *keys = *state;
    EVP_PKEY *stranger = NULL;
    struct setpay_public_key *public = NULL;
    struct setpay_buffer signature;
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    assert_int_equal(setpay_key_generate(&stranger), SETPAY_OK);
    assert_int_equal(setpay_public_key_from_pkey(stranger, &public), SETPAY_OK);
    assert_int_equal(setpay_sign(keys->signing, "PReq", 1, &signer, SETPAY_VIEW_EMPTY, &signature),
                     SETPAY_OK);
    assert_int_equal(setpay_verify(public, "PReq", 1, &signer, SETPAY_VIEW_EMPTY,
                                   setpay_buffer_view(&signature)),
                     SETPAY_E_SIGNATURE);
    setpay_public_key_free(public);
    EVP_PKEY_free(stranger);
    setpay_buffer_clear(&signature);
}

static void openssl_alone_verifies_the_bytes(void **state)
{
    struct keys *keys = *state;
    struct setpay_buffer signature;
    struct setpay_digest digest;
    struct setpay_hash hash;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    struct setpay_view content = setpay_view_string("content");
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    assert_int_equal(setpay_sign(keys->signing, "CapReq", 1, &signer, content, &signature),
                     SETPAY_OK);
    setpay_hash_init(&hash, "sig:CapReq");
    setpay_hash_add_u64(&hash, 1);
    setpay_hash_add(&hash, setpay_digest_view(&signer));
    setpay_hash_add(&hash, content);
    assert_int_equal(setpay_hash_final(&hash, &digest), SETPAY_OK);
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, keys->pkey), 1);
    assert_int_equal(EVP_DigestVerify(context, signature.data, signature.size, digest.bytes, 32),
                     1);
    EVP_MD_CTX_free(context);
    setpay_buffer_clear(&signature);
}

static void keys_off_p256_are_refused(void **state)
{
    (void)state;
    EVP_PKEY *others[] = {EVP_EC_gen("P-384"), EVP_EC_gen("secp256k1"), EVP_RSA_gen(2048),
                          EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct setpay_signing_key *signing = NULL;
        struct setpay_public_key *public = NULL;
        assert_non_null(others[i]);
        assert_int_equal(setpay_signing_key_from_pkey(others[i], &signing), SETPAY_E_INVALID);
        assert_int_equal(setpay_public_key_from_pkey(others[i], &public), SETPAY_E_CERT_MALFORMED);
        assert_null(signing);
        assert_null(public);
        EVP_PKEY_free(others[i]);
    }
}

static void public_key_alone_does_not_sign(void **state)
{
    struct keys *keys = *state;
    unsigned char *der = NULL;
    int size = i2d_PUBKEY(keys->pkey, &der);
    const unsigned char *at = der;
    EVP_PKEY *half = d2i_PUBKEY(NULL, &at, size);
    struct setpay_signing_key *signing = NULL;
    assert_int_equal(setpay_signing_key_from_pkey(half, &signing), SETPAY_E_INVALID);
    assert_null(signing);
    EVP_PKEY_free(half);
    OPENSSL_free(der);
}

static void *sign_and_verify(void *arg)
{
    struct keys *keys = arg;
    struct setpay_buffer signature;
    intptr_t failures = 0;
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    for (unsigned i = 0; i < 200; i++) {
        struct setpay_view content = setpay_view_of(&i, sizeof(i));
        if (setpay_sign(keys->signing, "PReq", 1, &signer, content, &signature) != SETPAY_OK ||
            setpay_verify(keys->public, "PReq", 1, &signer, content,
                          setpay_buffer_view(&signature)) != SETPAY_OK)
            failures++;
    }
    setpay_buffer_clear(&signature);
    return (void *)failures;
}

static void threads_share_keys(void **state)
{
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_and_verify, *state), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failures = NULL;
        assert_int_equal(pthread_join(threads[i], &failures), 0);
        assert_null(failures);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_verifies_for_exactly_what_was_signed),
        cmocka_unit_test(unknown_suite_is_refused),
        cmocka_unit_test(every_changed_bit_of_a_signature_is_refused),
        cmocka_unit_test(another_key_does_not_verify),
        cmocka_unit_test(openssl_alone_verifies_the_bytes),
        cmocka_unit_test(keys_off_p256_are_refused),
        cmocka_unit_test(public_key_alone_does_not_sign),
        cmocka_unit_test(threads_share_keys),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
