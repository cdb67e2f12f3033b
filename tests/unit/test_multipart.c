/*
 * Forms with a file: what browsers send is read to the byte, and what is none is refused.
 */
#include "common/base/secret.h"
#include "merchant/store/admin/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_MAX 4096
#define TYPE "multipart/form-data; boundary=----WebKitFormBoundaryABCDEFGH"
#define BOUNDARY "------WebKitFormBoundaryABCDEFGH"
#define TEXT(name, value)                                                                          \
    BOUNDARY "\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_HEAD(name)                                                                            \
    BOUNDARY "\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"" name              \
             "\"\r\nContent-Type: image/png\r\n\r\n"
#define END BOUNDARY "--\r\n"

static struct setpay_form form;
static struct setpay_buffer file;

static enum setpay_error parse_as(const char *type, const void *body, size_t size)
{
    memset(&form, 0, sizeof form);
    setpay_buffer_clear(&file);
    setpay_buffer_init(&file, FILE_MAX);
    return setpay_multipart_parse(type, setpay_view_of(body, size), &form, &file);
}

static enum setpay_error parse(const char *body)
{
    return parse_as(TYPE, body, strlen(body));
}

static void refuse(const char *body, enum setpay_error error)
{
    enum setpay_error found = parse(body);
    if (found != error)
        fail_msg("%s: %.200s", setpay_error_name(found), body);
    assert_null(form.text);
    assert_int_equal(form.count, 0);
}

static void texts_and_a_file_are_read(void **state)
{
    (void)state;
    assert_int_equal(
        parse(TEXT("csrf", "abc") TEXT("alt", "A cup, gr\xc3\xbcn\r\n\r\nand more ")
                  FILE_HEAD("c\xc3\xbcp \xe2\x82\xac.png") "\x89PNG\r\n\r\n" TEXT("empty", "") END),
        SETPAY_OK);
    assert_int_equal(form.count, 3);
    assert_string_equal(setpay_form_get(&form, "csrf"), "abc");
    assert_string_equal(setpay_form_get(&form, "alt"), "A cup, gr\xc3\xbcn\r\n\r\nand more ");
    assert_string_equal(setpay_form_get(&form, "empty"), "");
    assert_string_equal(setpay_form_get(&form, "picture"), "");
    assert_int_equal(file.size, 6);
    assert_memory_equal(file.data, "\x89PNG\r\n", 6);
    setpay_form_clear(&form);
    /* No file was chosen. */
    assert_int_equal(parse(FILE_HEAD("") "\r\n" TEXT("csrf", "abc") END), SETPAY_OK);
    assert_int_equal(file.size, 0);
    assert_string_equal(setpay_form_get(&form, "csrf"), "abc");
    setpay_form_clear(&form);
}

/* Whatever bytes it has, and wherever it ends. */
static void a_file_comes_as_it_was(void **state)
{
    (void)state;
    static const char head[] = TEXT("csrf", "abc") FILE_HEAD("a.png");
    static const char tail[] = "\r\n" END;
    static const char *const ends[] = {"", "\r", "\n", "\r\n", "\r\n--", "\n\n", "--", "\r\n\r\n"};
    unsigned seed = 7;
    for (size_t size = 0; size < 600; size++) {
        uint8_t bytes[700], body[2048];
        const char *end = ends[size % (sizeof ends / sizeof *ends)];
        for (size_t i = 0; i < size; i++) {
            seed = seed * 1103515245 + 12345;
            bytes[i] = (uint8_t)(seed >> 16);
            if (seed >> 28 == 3)
                bytes[i] = (uint8_t) "\r\n-\0From "[seed / 65536 % 9];
        }
        memcpy(bytes + size, end, strlen(end));
        size_t all = size + strlen(end), used = sizeof head - 1;
        memcpy(body, head, used);
        memcpy(body + used, bytes, all);
        memcpy(body + used + all, tail, sizeof tail - 1);
        assert_int_equal(parse_as(TYPE, body, used + all + sizeof tail - 1), SETPAY_OK);
        assert_int_equal(file.size, all);
        assert_true(all == 0 || memcmp(file.data, bytes, all) == 0);
        setpay_form_clear(&form);
    }
}

static void what_is_no_such_form_is_refused(void **state)
{
    (void)state;
    refuse("", SETPAY_E_INVALID);
    refuse("a=b", SETPAY_E_INVALID);
    refuse(END, SETPAY_E_INVALID);
    refuse(TEXT("csrf", "abc"), SETPAY_E_INVALID); /* cut short */
    refuse(TEXT("csrf", "abc") FILE_HEAD("a.png") "\x89PNG", SETPAY_E_INVALID);
    refuse(TEXT("csrf", "abc") TEXT("csrf", "abd") END, SETPAY_E_INVALID);
    refuse(TEXT("", "abc") END, SETPAY_E_INVALID);
    refuse(TEXT("csrf", "\xff") END, SETPAY_E_INVALID);
    refuse(BOUNDARY "\r\nContent-Disposition: attachment; name=\"csrf\"\r\n\r\nabc\r\n" END,
           SETPAY_E_INVALID);
    refuse(BOUNDARY "\r\nContent-Type: text/plain\r\n\r\nabc\r\n" END, SETPAY_E_INVALID);
    refuse(BOUNDARY "\r\n\r\nabc\r\n" END, SETPAY_E_INVALID);
    refuse(FILE_HEAD("a.png") "A\r\n" FILE_HEAD("b.png") "B\r\n" END, SETPAY_E_INVALID);
    refuse(BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: "
                    "multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nabc\r\n--x--\r\n" END,
           SETPAY_E_INVALID);
    refuse(BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: "
                    "message/rfc822\r\n\r\nFrom: a\r\n\r\nabc\r\n" END,
           SETPAY_E_INVALID);
    static const char zero[] = TEXT("csrf", "a\0c") END;
    assert_int_equal(parse_as(TYPE, zero, sizeof zero - 1), SETPAY_E_INVALID);
    static const char good[] = TEXT("csrf", "abc") END;
    static const char *const types[] = {
        "",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=----WebKitFormBoundaryABCDEFGH",
        "application/x-www-form-urlencoded",
        (TYPE "\r\nContent-Transfer-Encoding: base64"),
        "multipart/form-data; boundary=other",
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (parse_as(types[i], good, sizeof good - 1) != SETPAY_E_INVALID)
            fail_msg("%s", types[i]);
    }
    assert_int_equal(parse_as(TYPE, good, sizeof good - 1), SETPAY_OK);
    setpay_form_clear(&form);
}

/* A body of this text again and again, between a head and a tail; '#' is the how-manieth, '@' the
 * next. Owned. */
static char *repeated(const char *head, const char *text, size_t times, const char *tail)
{
    char *body = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&body, &size);
    assert_non_null(out);
    assert_true(fputs(head, out) >= 0);
    for (size_t i = 0; i < times; i++) {
        for (const char *at = text; *at != '\0'; at++) {
            if (*at == '#' || *at == '@')
                assert_true(fprintf(out, "%zu", i + (*at == '@')) > 0);
            else
                assert_true(fputc(*at, out) != EOF);
        }
    }
    assert_true(fputs(tail, out) >= 0);
    assert_int_equal(fclose(out), 0);
    return body;
}

static void what_is_too_large_or_too_deep_is_refused(void **state)
{
    (void)state;
    char *body = repeated(FILE_HEAD("a.png"), "x", FILE_MAX, "\r\n" END);
    assert_int_equal(parse(body), SETPAY_OK);
    setpay_form_clear(&form);
    free(body);
    body = repeated(FILE_HEAD("a.png"), "x", FILE_MAX + 1, "\r\n" END);
    refuse(body, SETPAY_E_TOO_BIG);
    free(body);
    body = repeated(BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n", "x",
                    SETPAY_FORM_BYTES_MAX, "\r\n" END);
    refuse(body, SETPAY_E_TOO_BIG);
    free(body);
    body = repeated("", TEXT("n#", "#"), SETPAY_MULTIPART_PARTS_MAX + 1, END);
    refuse(body, SETPAY_E_TOO_BIG);
    free(body);
    /* One form within another within another … */
    body = repeated(BOUNDARY "\r\nContent-Type: multipart/mixed; boundary=b0\r\n\r\n",
                    "--b#\r\nContent-Type: multipart/mixed; boundary=b@\r\n\r\n", 8000, "");
    refuse(body, SETPAY_E_INVALID);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_a_file_are_read),
        cmocka_unit_test(a_file_comes_as_it_was),
        cmocka_unit_test(what_is_no_such_form_is_refused),
        cmocka_unit_test(what_is_too_large_or_too_deep_is_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    setpay_buffer_clear(&file);
    return failed;
}
