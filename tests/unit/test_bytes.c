/*
 * Views, buffers and encodings: limits hold, and an output is complete or untouched.
 */
#include "common/base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct setpay_view text_view(const char *text)
{
    return setpay_view_string(text);
}

static void test_views(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3};

    (void)state;
    assert_int_equal(SETPAY_VIEW_ARRAY(bytes).size, 3);
    assert_int_equal(text_view(NULL).size, 0);
    assert_int_equal(text_view("abc").size, 3);
    assert_true(setpay_view_equal(text_view("abc"), text_view("abc")));
    assert_false(setpay_view_equal(text_view("abc"), text_view("abd")));
    assert_false(setpay_view_equal(text_view("abc"), text_view("ab")));
    assert_true(setpay_view_equal(SETPAY_VIEW_EMPTY, text_view("")));
    assert_true(setpay_view_equal_secret(text_view("abc"), text_view("abc")));
    assert_false(setpay_view_equal_secret(text_view("abc"), text_view("xbc")));
    assert_false(setpay_view_equal_secret(text_view("abc"), text_view("abcd")));
    assert_true(setpay_view_equal_secret(SETPAY_VIEW_EMPTY, text_view("")));
}

/* A buffer holds max bytes and not one more; what is refused leaves it as it was. */
static void test_buffer_limit(void **state)
{
    struct setpay_buffer buffer;
    uint8_t *room = NULL;

    (void)state;
    setpay_buffer_init(&buffer, 8);
    assert_int_equal(setpay_buffer_append(&buffer, text_view("1234567")), SETPAY_OK);
    assert_int_equal(setpay_buffer_append(&buffer, text_view("ab")), SETPAY_E_TOO_BIG);
    assert_int_equal(setpay_buffer_append_u32be(&buffer, 1), SETPAY_E_TOO_BIG);
    assert_int_equal(setpay_buffer_append_u64be(&buffer, 1), SETPAY_E_TOO_BIG);
    assert_int_equal(setpay_buffer_append_format(&buffer, "%d", 10), SETPAY_E_TOO_BIG);
    assert_int_equal(setpay_buffer_extend(&buffer, SIZE_MAX, &room), SETPAY_E_TOO_BIG);
    assert_int_equal(setpay_buffer_set(&buffer, text_view("123456789")), SETPAY_E_TOO_BIG);
    assert_null(room);
    assert_true(setpay_view_equal(setpay_buffer_view(&buffer), text_view("1234567")));
    assert_int_equal(setpay_buffer_append(&buffer, text_view("8")), SETPAY_OK);
    assert_true(buffer.capacity <= 8);
    setpay_buffer_clear(&buffer);
    assert_int_equal(buffer.max, 8);
    assert_int_equal(setpay_buffer_append(&buffer, text_view("12345678")), SETPAY_OK);
    setpay_buffer_clear(&buffer);
    setpay_buffer_clear(&buffer);
    buffer = (struct setpay_buffer){0};
    assert_int_equal(setpay_buffer_append(&buffer, text_view("1")), SETPAY_E_TOO_BIG);
    assert_int_equal(setpay_buffer_append(&buffer, SETPAY_VIEW_EMPTY), SETPAY_OK);
    setpay_buffer_clear(&buffer);
}

static void test_buffer_content(void **state)
{
    static const uint8_t expected[] = {1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 1, 0, 'x', '-', '7'};
    struct setpay_buffer buffer;
    struct setpay_buffer other;

    (void)state;
    setpay_buffer_init(&buffer, 100000);
    setpay_buffer_init(&other, 3);
    assert_int_equal(setpay_buffer_append_u32be(&buffer, 0x01020304), SETPAY_OK);
    assert_int_equal(setpay_buffer_append_u64be(&buffer, 256), SETPAY_OK);
    assert_int_equal(setpay_buffer_append_format(&buffer, "%s%d", "x", -7), SETPAY_OK);
    assert_true(setpay_view_equal(setpay_buffer_view(&buffer), SETPAY_VIEW_ARRAY(expected)));
    /* a part of itself, while it grows */
    for (int i = 0; i < 8; i++)
        assert_int_equal(setpay_buffer_append(&buffer, setpay_buffer_view(&buffer)), SETPAY_OK);
    assert_int_equal(buffer.size, sizeof(expected) * 256);
    assert_memory_equal(buffer.data + sizeof(expected) * 255, expected, sizeof(expected));
    assert_int_equal(setpay_buffer_set(&buffer, setpay_view_of(buffer.data + 12, 3)), SETPAY_OK);
    assert_true(setpay_view_equal(setpay_buffer_view(&buffer), text_view("x-7")));
    assert_int_equal(setpay_buffer_append(&other, text_view("abc")), SETPAY_OK);
    setpay_buffer_move(&other, &buffer);
    assert_int_equal(other.max, 100000);
    assert_true(setpay_view_equal(setpay_buffer_view(&other), text_view("x-7")));
    assert_null(buffer.data);
    assert_int_equal(buffer.max, 100000);
    setpay_buffer_reset(&other);
    assert_int_equal(other.size, 0);
    assert_non_null(other.data);
    setpay_buffer_clear(&other);
}

static void test_integers(void **state)
{
    uint8_t bytes[8];

    (void)state;
    setpay_write_u64be(bytes, UINT64_C(0xfedcba9876543210));
    assert_int_equal(bytes[0], 0xfe);
    assert_int_equal(bytes[7], 0x10);
    assert_true(setpay_read_u64be(bytes) == UINT64_C(0xfedcba9876543210));
    assert_int_equal(setpay_read_u32be(bytes + 4), 0x76543210);
}

static void test_hex(void **state)
{
    static const uint8_t bytes[] = {0x00, 0x9f, 0xff};
    static const char *const wrong[] = {"",       "009ff",  "009fff0", "009fff00",    "009ffg",
                                        "0x9fff", " 09fff", "009ff ",  "009f\xc3\xa9"};
    uint8_t out[3] = {7, 7, 7};
    char text[7];

    (void)state;
    setpay_hex_encode(SETPAY_VIEW_ARRAY(bytes), text);
    assert_string_equal(text, "009fff");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(setpay_hex_decode(wrong[i], out, sizeof(out)), SETPAY_E_INVALID);
        assert_memory_equal(out, "\7\7\7", 3);
    }
    assert_int_equal(setpay_hex_decode(NULL, out, sizeof(out)), SETPAY_E_INVALID);
    assert_int_equal(setpay_hex_decode("009FfF", out, sizeof(out)), SETPAY_OK);
    assert_memory_equal(out, bytes, 3);
    assert_int_equal(setpay_hex_decode("", out, 0), SETPAY_OK);
}

/* The examples of RFC 4648 section 10, without their padding, and what would be a second spelling.
 */
static void test_base64url(void **state)
{
    static const struct {
        const char *bytes;
        const char *text;
    } rows[] = {{"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
                {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    static const char *const wrong[] = {"Zg==", "Z",  "Zh", "Zg=", "Z+", "Z/",
                                        "Zm8",  "Z ", "",   "Zk",  "Zo"};
    uint8_t out[8];
    char text[16];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t size = strlen(rows[i].bytes);
        setpay_base64url_encode(text_view(rows[i].bytes), text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(strlen(text) + 1, SETPAY_BASE64URL_SIZE(size));
        assert_int_equal(setpay_base64url_decode(text, out, size), SETPAY_OK);
        assert_memory_equal(out, rows[i].bytes, size);
    }
    setpay_base64url_encode(setpay_view_of("\xfb\xff\xbf", 3), text);
    assert_string_equal(text, "-_-_");
    out[0] = 7;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(setpay_base64url_decode(wrong[i], out, 1), SETPAY_E_INVALID);
        assert_int_equal(out[0], 7);
    }
    assert_int_equal(setpay_base64url_decode("Zm9", out, 2), SETPAY_E_INVALID);
    assert_int_equal(setpay_base64url_decode(NULL, out, 1), SETPAY_E_INVALID);
}

/* RFC 3629: both ends of every range, and what lies just outside. */
static void test_utf8(void **state)
{
    static const char *const right[] = {"",
                                        "plain",
                                        "\x7f",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf"};
    static const char *const wrong[] = {"\x80",
                                        "\xc0\x80",
                                        "\xc1\xbf",
                                        "\xc2",
                                        "\xc2\x41",
                                        "\xe0\x9f\xbf",
                                        "\xed\xa0\x80",
                                        "\xed\xbf\xbf",
                                        "\xe2\x82",
                                        "\xe2\x82\x41",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xff",
                                        "\xf0\x90\x80",
                                        "a\xfe"};

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_true(setpay_text_is_utf8(text_view(right[i])));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(setpay_text_is_utf8(text_view(wrong[i])));
    assert_false(setpay_text_is_utf8(setpay_view_of("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_buffer_limit),
        cmocka_unit_test(test_buffer_content),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_base64url),
        cmocka_unit_test(test_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
