/*
 * Identifiers and digests: exact sizes, one text form.
 */
#include "common/base/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_random(void **state)
{
    struct setpay_id a = {{0}};
    struct setpay_id b = {{0}};
    struct setpay_digest c = {{0}};
    struct setpay_digest d = {{0}};

    (void)state;
    assert_true(setpay_id_is_zero(&a));
    assert_true(setpay_digest_is_zero(&c));
    assert_int_equal(setpay_id_random(&a), SETPAY_OK);
    assert_int_equal(setpay_id_random(&b), SETPAY_OK);
    assert_int_equal(setpay_digest_random(&c), SETPAY_OK);
    assert_int_equal(setpay_digest_random(&d), SETPAY_OK);
    assert_false(setpay_id_is_zero(&a));
    assert_false(setpay_digest_is_zero(&c));
    assert_false(setpay_id_equal(&a, &b));
    assert_false(setpay_digest_equal(&c, &d));
    b = a;
    d = c;
    assert_true(setpay_id_equal(&a, &b));
    assert_true(setpay_digest_equal(&c, &d));
    b.bytes[15] ^= 1;
    d.bytes[31] ^= 0x80;
    assert_false(setpay_id_equal(&a, &b));
    assert_false(setpay_digest_equal(&c, &d));
}

/* rule A1: a field of another length is refused, and nothing is written */
static void test_from_view(void **state)
{
    uint8_t bytes[33];
    struct setpay_id id = {{0}};
    struct setpay_digest digest = {{0}};

    (void)state;
    memset(bytes, 0x5a, sizeof(bytes));
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        struct setpay_view view = setpay_view_of(bytes, size);
        if (size != 16) {
            assert_int_equal(setpay_id_from_view(view, &id), SETPAY_E_FIELD);
            assert_true(setpay_id_is_zero(&id));
        }
        if (size != 32) {
            assert_int_equal(setpay_digest_from_view(view, &digest), SETPAY_E_FIELD);
            assert_true(setpay_digest_is_zero(&digest));
        }
    }
    assert_int_equal(setpay_id_from_view(setpay_view_of(bytes, 16), &id), SETPAY_OK);
    assert_int_equal(setpay_digest_from_view(setpay_view_of(bytes, 32), &digest), SETPAY_OK);
    assert_true(setpay_view_equal(setpay_id_view(&id), setpay_view_of(bytes, 16)));
    assert_true(setpay_view_equal(setpay_digest_view(&digest), setpay_view_of(bytes, 32)));
}

static void test_text(void **state)
{
    static const char id_text[] = "00112233445566778899aabbccddeeff";
    static const char digest_text[] =
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static const char *const wrong[] = {"",
                                        "00112233445566778899aabbccddeef",
                                        "00112233445566778899aabbccddeeff0",
                                        "00112233445566778899AABBCCDDEEFF",
                                        "00112233445566778899aabbccddeefg",
                                        " 0112233445566778899aabbccddeeff"};
    struct setpay_id id = {{0}};
    struct setpay_digest digest = {{0}};
    char text[SETPAY_DIGEST_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(setpay_id_parse(wrong[i], &id), SETPAY_E_INVALID);
        assert_int_equal(setpay_digest_parse(wrong[i], &digest), SETPAY_E_INVALID);
    }
    assert_int_equal(setpay_id_parse(NULL, &id), SETPAY_E_INVALID);
    assert_int_equal(setpay_id_parse(digest_text, &id), SETPAY_E_INVALID);
    assert_int_equal(setpay_digest_parse(id_text, &digest), SETPAY_E_INVALID);
    assert_true(setpay_id_is_zero(&id));
    assert_true(setpay_digest_is_zero(&digest));
    assert_int_equal(setpay_id_parse(id_text, &id), SETPAY_OK);
    assert_string_equal(setpay_id_format(&id, text), id_text);
    assert_int_equal(setpay_digest_parse(digest_text, &digest), SETPAY_OK);
    assert_string_equal(setpay_digest_format(&digest, text), digest_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_from_view),
        cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
