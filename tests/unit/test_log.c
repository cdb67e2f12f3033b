/*
 * The log: one line an event whatever the values are, and no card number in it however it is
 * grouped.
 */
#include "common/base/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char folder[64];
static char path[96];

static int make_folder(void **state)
{
    (void)state;
    (void)strcpy(folder, "/tmp/setpay-test-log-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/log", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    assert_int_equal(setpay_log_open(NULL, SETPAY_LOG_INFO, SETPAY_LOG_LOGFMT), SETPAY_OK);
    return rmdir(folder);
}

static void start(enum setpay_log_level level, enum setpay_log_format format)
{
    (void)unlink(path);
    assert_int_equal(setpay_log_open(path, level, format), SETPAY_OK);
}

/* What the file holds; then it is gone. The caller frees. */
static char *finish(void)
{
    char *text = calloc(1, 65536);
    FILE *in = fopen(path, "r");

    assert_non_null(text);
    assert_non_null(in);
    assert_true(fread(text, 1, 65535, in) < 65535);
    (void)fclose(in);
    assert_int_equal(unlink(path), 0);
    return text;
}

/* The line behind its time stamp. */
static void assert_line(const char *expected)
{
    char *text = finish();
    const char *rest = strchr(text, ' ');

    assert_int_equal(strncmp(text, "ts=20", 5), 0);
    assert_non_null(rest);
    assert_string_equal(rest + 1, expected);
    free(text);
}

static void test_fields(void **state)
{
    struct setpay_id id = {{0x8f, 0x01}};
    struct setpay_digest digest = {{0xaa}};
    struct setpay_money money = {1250, "EUR"};

    (void)state;
    start(SETPAY_LOG_INFO, SETPAY_LOG_LOGFMT);
    setpay_log(SETPAY_LOG_INFO, "auth.approved", setpay_field_id("xid", &id),
               setpay_field_digest("thumb", &digest), setpay_field_money("amount", &money),
               setpay_field_int("count", -5), setpay_field_text("brand", "visa"),
               setpay_field_text("none", NULL));
    assert_line("level=info event=auth.approved xid=8f010000000000000000000000000000 "
                "thumb=aa00000000000000000000000000000000000000000000000000000000000000 "
                "amount=\"12.50 EUR\" count=-5 brand=visa none=\"\"\n");
}

/* An error brings its level, its name and the rule that it guards. */
static void test_error(void **state)
{
    (void)state;
    start(SETPAY_LOG_INFO, SETPAY_LOG_LOGFMT);
    setpay_log_error(SETPAY_E_SIGNATURE, "message.refused", setpay_field_int("n", 1)); /* rule A2 */
    assert_line("level=warn event=message.refused error=SIGNATURE rule=A2 n=1\n");
    start(SETPAY_LOG_INFO, SETPAY_LOG_LOGFMT);
    setpay_log_error(SETPAY_E_IO, "file.failed", setpay_field_int("n", 1));
    assert_line("level=error event=file.failed error=IO n=1\n");
}

static void test_level(void **state)
{
    (void)state;
    start(SETPAY_LOG_WARN, SETPAY_LOG_LOGFMT);
    setpay_log(SETPAY_LOG_DEBUG, "a", setpay_field_int("n", 1));
    setpay_log(SETPAY_LOG_INFO, "b", setpay_field_int("n", 1));
    setpay_log(SETPAY_LOG_WARN, "c", setpay_field_int("n", 1));
    assert_line("level=warn event=c n=1\n");
    start(SETPAY_LOG_WARN, SETPAY_LOG_LOGFMT);
    setpay_log_set_level(SETPAY_LOG_DEBUG);
    setpay_log(SETPAY_LOG_DEBUG, "a", setpay_field_int("n", 1));
    assert_line("level=debug event=a n=1\n");
}

/* Card numbers are starred whole, alone, grouped, behind other numbers and inside words. */
static void test_mask(void **state)
{
    static const struct {
        const char *text;
        const char *masked;
    } rows[] = {
        {"4111111111111111", "****************"},
        {"4111 1111 1111 1111", "**** **** **** ****"},
        {"4111-1111-1111-1111", "****-****-****-****"},
        {"4111 - 1111  1111\t1111", "**** - ****  ****\t****"},
        {"pan=4111111111111111;", "pan=****************;"},
        {"x4111111111111111y", "x****************y"},
        {"3782 822463 10005", "**** ****** *****"}, /* 15 digits */
        {"6304000000000000", "****************"},   /* Maestro, 16 */
        {"6759649826438453", "****************"},   /* Maestro */
        {"6011000990139424", "****************"},
        {"5018000000000009019", "*******************"}, /* 19 digits */
        {"000000000000", "************"},               /* 12 digits */
        {"a 5555555555554444 b 4012888888881881 c", "a **************** b **************** c"},
    };
    static const char *const left[] = {
        "4291417776317066",       /* Luhn fails for it and all its parts */
        "00000000000",            /* 11 digits */
        "4111.1111.1111.1111",    /* a point groups no card number */
        "4111 1111    1111 1111", /* a gap that is too wide */
        "2026-11-23T18:41:11.042Z",
        "127.0.0.1:54321",
        "",
        "no digits at all",
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s", rows[i].text);
        setpay_log_mask(text);
        assert_string_equal(text, rows[i].masked);
    }
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s", left[i]);
        setpay_log_mask(text);
        assert_string_equal(text, left[i]);
    }
    /* behind an order's number, and in front of one: no digit of the card number is left */
    (void)snprintf(text, sizeof(text), "order 12 4111 1111 1111 1111 34");
    setpay_log_mask(text);
    assert_null(strstr(text, "1111"));
    assert_null(strstr(text, "411"));
}

static void test_text_is_masked_in_the_line(void **state)
{
    (void)state;
    start(SETPAY_LOG_INFO, SETPAY_LOG_LOGFMT);
    setpay_log(SETPAY_LOG_INFO, "e", setpay_field_text("t", "card 4111 1111-11111111"));
    assert_line("level=info event=e t=\"card **** ****-********\"\n");
}

/* A number that a cut would halve is starred, since what is left of it could pass unseen. */
static void test_mask_at_the_cut(void **state)
{
    char text[4096];
    char *line;

    (void)state;
    for (size_t before = 2024; before < 2052; before++) {
        memset(text, 'x', sizeof(text) - 1);
        memcpy(text + before, "4111111111111111", 16);
        text[sizeof(text) - 1] = '\0';
        start(SETPAY_LOG_INFO, SETPAY_LOG_LOGFMT);
        setpay_log(SETPAY_LOG_INFO, "e", setpay_field_text("t", text));
        line = finish();
        assert_null(strstr(line, "x4"));
        assert_null(strchr(line, '1') != NULL ? strstr(line, "11x") : NULL);
        free(line);
    }
}

/* No value starts a line, a field or a terminal's escape sequence. */
static void test_injection(void **state)
{
    (void)state;
    start(SETPAY_LOG_INFO, SETPAY_LOG_LOGFMT);
    setpay_log(SETPAY_LOG_INFO, "e", setpay_field_text("t", "a\nts=1 level=info\r\x1b[2J\x7f"),
               setpay_field_text("q", "\"\\="),
               setpay_field_text("u", "\xc3\xa9\xc2\x9b\xff"
                                      "a\x80"),
               setpay_field_text("bad name\n", "v"));
    assert_line("level=info event=e t=\"a\\u000ats=1 level=info\\u000d\\u001b[2J\\u007f\" "
                "q=\"\\\"\\\\=\" u=\"\xc3\xa9\\u009b\\ufffda\\ufffd\" bad_name_=v\n");
}

static void test_json(void **state)
{
    struct setpay_money money = {1250, "EUR"};
    json_t *json;
    char *line;

    (void)state;
    start(SETPAY_LOG_INFO, SETPAY_LOG_JSON);
    setpay_log_error(SETPAY_E_DATE, "e", setpay_field_text("t", "a\n\"\\\x01\xff 4111111111111111"),
                     setpay_field_money("amount", &money), setpay_field_int("n", INT64_MIN));
    line = finish();
    assert_int_equal(strcspn(line, "\n") + 1, strlen(line));
    json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(json, "error")), "DATE");
    assert_string_equal(json_string_value(json_object_get(json, "rule")), "A5");
    assert_string_equal(json_string_value(json_object_get(json, "t")),
                        "a\n\"\\\x01\xef\xbf\xbd ****************");
    assert_string_equal(json_string_value(json_object_get(json, "amount")), "12.50 EUR");
    assert_true(json_integer_value(json_object_get(json, "n")) == INT64_MIN);
    json_decref(json);
    free(line);
}

/* A line that would grow too long loses whole fields, says so, and stays one well-formed line. */
static void test_too_long(void **state)
{
    static const enum setpay_log_format formats[] = {SETPAY_LOG_JSON, SETPAY_LOG_LOGFMT};
    char text[2001];

    (void)state;
    memset(text, '\x01', sizeof(text) - 1); /* six bytes each when escaped */
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i < 2; i++) {
        char *line;

        start(SETPAY_LOG_INFO, formats[i]);
        setpay_log(SETPAY_LOG_INFO, "e", setpay_field_text("t", text), setpay_field_int("n", 1));
        line = finish();
        assert_true(strlen(line) < 8192);
        assert_int_equal(strcspn(line, "\n") + 1, strlen(line));
        if (formats[i] == SETPAY_LOG_JSON) {
            json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
            assert_non_null(json);
            assert_int_equal(json_integer_value(json_object_get(json, "truncated")), 1);
            assert_int_equal(json_integer_value(json_object_get(json, "n")), 1);
            assert_null(json_object_get(json, "t"));
            json_decref(json);
        } else {
            assert_non_null(strstr(line, " event=e n=1 truncated=1\n"));
        }
        free(line);
    }
}

/* After rotation the same writers write to the new file. */
static void test_reopen(void **state)
{
    char moved[128];

    (void)state;
    (void)snprintf(moved, sizeof(moved), "%s.1", path);
    start(SETPAY_LOG_INFO, SETPAY_LOG_LOGFMT);
    setpay_log(SETPAY_LOG_INFO, "before", setpay_field_int("n", 1));
    assert_int_equal(rename(path, moved), 0);
    setpay_log(SETPAY_LOG_INFO, "between", setpay_field_int("n", 1));
    assert_int_equal(setpay_log_reopen(), SETPAY_OK);
    setpay_log(SETPAY_LOG_INFO, "after", setpay_field_int("n", 1));
    assert_line("level=info event=after n=1\n");
    assert_int_equal(unlink(moved), 0);
    assert_int_equal(setpay_log_open("/nonexistent/log", SETPAY_LOG_INFO, SETPAY_LOG_LOGFMT),
                     SETPAY_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_text_is_masked_in_the_line),
        cmocka_unit_test(test_mask_at_the_cut),
        cmocka_unit_test(test_injection),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_reopen),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
