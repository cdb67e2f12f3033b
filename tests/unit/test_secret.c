/*
 * Secrets: they live in the secure heap or nowhere, and the process can't be dumped.
 */
#include "common/base/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* OpenSSL would take ordinary memory here without a word; rule G10 needs better. */
static void test_refused_before_init(void **state)
{
    struct setpay_secret secret = {NULL, 0};

    (void)state;
    assert_int_equal(setpay_secret_alloc(&secret, 16), SETPAY_E_INTERNAL);
    assert_null(secret.data);
    assert_int_equal(setpay_secret_bytes_in_use(), 0);
}

static void test_init(void **state)
{
    struct rlimit core = {1, 1};

    (void)state;
    assert_int_equal(setpay_secret_system_init(), SETPAY_OK);
    assert_int_equal(setpay_secret_system_init(), SETPAY_OK);
    assert_true(CRYPTO_secure_malloc_initialized());
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    assert_int_equal(core.rlim_cur, 0);
    assert_int_equal(core.rlim_max, 0);
}

static void test_sizes(void **state)
{
    struct setpay_secret secret = {NULL, 0};
    const size_t before = setpay_secret_bytes_in_use();

    (void)state;
    assert_int_equal(setpay_secret_alloc(&secret, 0), SETPAY_E_INVALID);
    assert_int_equal(setpay_secret_copy(&secret, SETPAY_VIEW_EMPTY), SETPAY_E_INVALID);
    assert_int_equal(setpay_secret_alloc(&secret, 64 * 1024 + 1), SETPAY_E_TOO_BIG);
    assert_int_equal(setpay_secret_random(&secret, SIZE_MAX), SETPAY_E_TOO_BIG);
    assert_null(secret.data);
    assert_int_equal(setpay_secret_alloc(&secret, 64 * 1024), SETPAY_OK);
    assert_int_equal(CRYPTO_secure_allocated(secret.data), 1);
    assert_int_equal(setpay_secret_bytes_in_use(), before + 64 * 1024);
    for (size_t i = 0; i < secret.size; i++)
        assert_int_equal(secret.data[i], 0);
    /* a second one over it would leak the first */
    assert_int_equal(setpay_secret_alloc(&secret, 1), SETPAY_E_INTERNAL);
    assert_int_equal(secret.size, 64 * 1024);
    setpay_secret_clear(&secret);
    setpay_secret_clear(&secret);
    assert_null(secret.data);
    assert_int_equal(secret.size, 0);
    assert_int_equal(setpay_secret_bytes_in_use(), before);
}

static void test_copy_move_equal(void **state)
{
    struct setpay_secret a = {NULL, 0};
    struct setpay_secret b = {NULL, 0};
    struct setpay_secret none = {NULL, 0};

    (void)state;
    assert_int_equal(setpay_secret_copy(&a, setpay_view_string("4111111111111111")), SETPAY_OK);
    assert_int_equal(setpay_secret_copy(&b, setpay_secret_view(&a)), SETPAY_OK);
    assert_ptr_not_equal(a.data, b.data);
    assert_int_equal(CRYPTO_secure_allocated(a.data), 1);
    assert_true(setpay_secret_equal(&a, &b));
    b.data[15] ^= 1;
    assert_false(setpay_secret_equal(&a, &b));
    assert_false(setpay_secret_equal(&a, &none));
    setpay_secret_move(&b, &a);
    assert_null(a.data);
    assert_memory_equal(b.data, "4111111111111111", 16);
    setpay_secret_move(&b, &b);
    assert_int_equal(b.size, 16);
    setpay_secret_clear(&b);
    assert_true(setpay_secret_equal(&b, &none));
}

static void test_random(void **state)
{
    struct setpay_secret a = {NULL, 0};
    struct setpay_secret b = {NULL, 0};

    size_t used;

    (void)state;
    assert_int_equal(setpay_secret_random(&a, 32), SETPAY_OK);
    /* the generator's own seed stands there from its first use on */
    used = CRYPTO_secure_used() - CRYPTO_secure_actual_size(a.data);
    assert_int_equal(setpay_secret_random(&b, 32), SETPAY_OK);
    assert_false(setpay_secret_equal(&a, &b));
    setpay_secret_clear(&a);
    setpay_secret_clear(&b);
    assert_int_equal(CRYPTO_secure_used(), used);
}

/* What is given back is empty, and a heap that is full says so instead of using other memory. */
static void test_exhaustion(void **state)
{
    struct setpay_secret secrets[128];
    size_t used = CRYPTO_secure_used();
    size_t count = 0;
    enum setpay_error error = SETPAY_OK;

    (void)state;
    memset(secrets, 0, sizeof(secrets));
    while (count < 128) {
        error = setpay_secret_alloc(&secrets[count], 64 * 1024);
        if (error != SETPAY_OK)
            break;
        count++;
    }
    assert_int_equal(error, SETPAY_E_NOMEM);
    assert_in_range(count, 32, 64);
    for (size_t i = 0; i < count; i++)
        setpay_secret_clear(&secrets[i]);
    assert_int_equal(CRYPTO_secure_used(), used);
}

/* OpenSSL keeps the private number of a key in the same heap. */
static void test_keys_live_there_too(void **state)
{
    size_t used;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

    (void)state;
    /* the second key: the first fetched what stays for the life of the process */
    EVP_PKEY_free(key);
    used = CRYPTO_secure_used();
    key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    assert_non_null(key);
    assert_true(CRYPTO_secure_used() > used);
    EVP_PKEY_free(key);
    assert_int_equal(CRYPTO_secure_used(), used);
}

static void test_cleanse(void **state)
{
    uint8_t bytes[5] = {1, 2, 3, 4, 5};

    (void)state;
    setpay_cleanse(bytes + 1, 3);
    assert_memory_equal(bytes, "\1\0\0\0\5", 5);
    setpay_cleanse(NULL, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_before_init),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_copy_move_equal),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_exhaustion),
        cmocka_unit_test(test_keys_live_there_too),
        cmocka_unit_test(test_cleanse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
