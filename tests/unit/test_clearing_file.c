/*
 * setpay-clearing(5): what is built parses to the same rows; any byte that is changed is noticed;
 * and a file that was sealed anew with something wrong in it is refused with words.
 */
#include "common/wire/lines.h"
#include "gateway/issuer/clearing_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "0123456789abcdef0123456789abcdef"
#define HEADER "header,setpay-clearing,1,bank-1,2026-02-28,2026-03-01\n"
#define ROW "row,4242," ID "," ID ",605901000001,capture,1250,EUR,2026-02-28,00\n"
#define TOTAL "total,EUR,1,1250,0,0\n"

static struct setpay_clearing_row row_of(enum setpay_clearing_kind kind, int64_t minor,
                                         const char *currency, const char *date, const char *result)
{
    struct setpay_clearing_row row = {.kind = kind};
    memcpy(row.acquirer, "4242", 5);
    memcpy(row.presentment, ID, sizeof(ID));
    memcpy(row.xid, ID, sizeof(ID));
    memcpy(row.reference, "605901000001", 13);
    row.amount.minor = minor;
    memcpy(row.amount.currency, currency, 4);
    memcpy(row.date, date, SETPAY_CLEARING_DATE_SIZE);
    memcpy(row.result, result, 3);
    return row;
}

static void make(struct setpay_clearing_file *file)
{
    *file =
        (struct setpay_clearing_file){.issuer = "bank-1", .from = "2026-02-28", .to = "2026-03-01"};
}

static void add(struct setpay_clearing_file *file, struct setpay_clearing_row row)
{
    assert_int_equal(setpay_clearing_file_add(file, &row), SETPAY_OK);
}

static void make_full(struct setpay_clearing_file *file)
{
    make(file);
    add(file, row_of(SETPAY_CLEARING_CAPTURE, 1250, "EUR", "2026-02-28", "00"));
    add(file, row_of(SETPAY_CLEARING_CREDIT, 250, "EUR", "2026-02-28", "00"));
    add(file, row_of(SETPAY_CLEARING_CAPTURE, 77, "EUR", "2026-03-01", "13"));
    add(file, row_of(SETPAY_CLEARING_SALE, 500, "JPY", "2026-03-01", "00"));
    add(file, row_of(SETPAY_CLEARING_SALE_REVERSAL, 500, "JPY", "2026-03-01", "00"));
    add(file, row_of(SETPAY_CLEARING_CAPTURE, SETPAY_MONEY_MAX_MINOR, "KWD", "2026-03-01", "00"));
    file->rows[2].xid[0] = '\0';
    file->rows[2].reference[0] = '\0';
}

static void build(const struct setpay_clearing_file *file, struct setpay_buffer *out)
{
    setpay_buffer_init(out, SETPAY_CLEARING_FILE_MAX);
    assert_int_equal(setpay_clearing_file_build(file, out), SETPAY_OK);
}

/* A row and its totals in each of the currencies with no, two and three digits. */
static void what_is_built_parses_and_is_built_alike(void **state)
{
    struct setpay_clearing_file file, got;
    struct setpay_buffer first, second;
    struct setpay_problem problem = {{0}};
    (void)state;
    make_full(&file);
    build(&file, &first);
    assert_non_null(strstr((char *)first.data, "\ntotal,EUR,1,1250,1,250\n"
                                               "total,JPY,1,500,1,500\n"
                                               "total,KWD,1,999999999999,0,0\nend,6,"));
    assert_int_equal(setpay_clearing_file_parse(setpay_buffer_view(&first), &got, &problem),
                     SETPAY_OK);
    assert_int_equal(got.row_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(got.rows[i].presentment, file.rows[i].presentment);
        assert_string_equal(got.rows[i].xid, file.rows[i].xid);
        assert_string_equal(got.rows[i].reference, file.rows[i].reference);
        assert_int_equal(got.rows[i].kind, file.rows[i].kind);
        assert_true(setpay_money_equal(&got.rows[i].amount, &file.rows[i].amount));
        assert_string_equal(got.rows[i].date, file.rows[i].date);
        assert_string_equal(got.rows[i].result, file.rows[i].result);
    }
    build(&got, &second);
    assert_true(setpay_view_equal(setpay_buffer_view(&first), setpay_buffer_view(&second)));
    setpay_buffer_clear(&first);
    setpay_buffer_clear(&second);
    setpay_clearing_file_clear(&file);
    setpay_clearing_file_clear(&got);
}

static void a_day_without_a_row_is_a_file_too(void **state)
{
    struct setpay_clearing_file file, got;
    struct setpay_buffer out;
    struct setpay_problem problem = {{0}};
    (void)state;
    make(&file);
    build(&file, &out);
    assert_int_equal(setpay_clearing_file_parse(setpay_buffer_view(&out), &got, &problem),
                     SETPAY_OK);
    assert_int_equal(got.row_count, 0);
    assert_string_equal(got.issuer, "bank-1");
    assert_string_equal(got.from, "2026-02-28");
    assert_string_equal(got.to, "2026-03-01");
    setpay_buffer_clear(&out);
    setpay_clearing_file_clear(&got);
}

static void every_changed_byte_and_every_cut_is_noticed(void **state)
{
    struct setpay_clearing_file file, got;
    struct setpay_buffer out;
    (void)state;
    make_full(&file);
    build(&file, &out);
    for (size_t i = 0; i < out.size; i++) {
        struct setpay_problem problem = {{0}};
        uint8_t before = out.data[i];
        out.data[i] ^= 1;
        assert_int_equal(setpay_clearing_file_parse(setpay_buffer_view(&out), &got, &problem),
                         SETPAY_E_INVALID);
        assert_int_equal(strncmp(problem.text, "line ", 5), 0);
        out.data[i] = before;
        assert_int_equal(setpay_clearing_file_parse(setpay_view_of(out.data, i), &got, &problem),
                         SETPAY_E_INVALID);
    }
    setpay_buffer_clear(&out);
    setpay_clearing_file_clear(&file);
}

/* Sealed by who changed it, so that its digest holds: found by what it says. */
static const struct {
    const char *body;
    size_t rows;
    const char *words;
} wrong[] = {
    {"header,setpay-disputes,1,bank-1,2026-02-28,2026-03-01\n", 0, "is it a clearing file?"},
    {"header,setpay-clearing,2,bank-1,2026-02-28,2026-03-01\n", 0, "line 1: version: found \"2\""},
    {"header,setpay-clearing,1,bank-1,2026-02-28\n", 0, "line 1: found 5 fields, expected the 6"},
    {"header,setpay-clearing,1,b*nk,2026-02-28,2026-03-01\n", 0, "issuer: found \"b*nk\""},
    {"header,setpay-clearing,1,,2026-02-28,2026-03-01\n", 0, "issuer: found \"\""},
    {"header,setpay-clearing,1,bank-1,2026-02-29,2026-03-01\n", 0, "from: found \"2026-02-29\""},
    {"header,setpay-clearing,1,bank-1,2026-02-28,2026-02-27\n", 0, "to: found \"2026-02-27\""},
    {HEADER "row,04242," ID ",,,capture,1,EUR,2026-02-28,00\n", 1, "acquirer: found \"04242\""},
    {HEADER "row,1,0123,,,capture,1,EUR,2026-02-28,00\n", 1, "presentment: found \"0123\""},
    {HEADER "row,1," ID ",zz,,capture,1,EUR,2026-02-28,00\n", 1, "xid: found \"zz\""},
    {HEADER "row,1," ID ",,1,capture,1,EUR,2026-02-28,00\n", 1, "reference: found \"1\""},
    {HEADER "row,1," ID ",,,charge,1,EUR,2026-02-28,00\n", 1, "kind: found \"charge\""},
    {HEADER "row,1," ID ",,,capture,0,EUR,2026-02-28,00\n", 1, "amount: found \"0\""},
    {HEADER "row,1," ID ",,,capture,01,EUR,2026-02-28,00\n", 1, "amount: found \"01\""},
    {HEADER "row,1," ID ",,,capture,-1,EUR,2026-02-28,00\n", 1, "amount: found \"-1\""},
    {HEADER "row,1," ID ",,,capture,1.50,EUR,2026-02-28,00\n", 1, "amount: found \"1.50\""},
    {HEADER "row,1," ID ",,,capture,1000000000000,EUR,2026-02-28,00\n", 1, "amount: found"},
    {HEADER "row,1," ID ",,,capture,1,EUX,2026-02-28,00\n", 1, "currency: found \"EUX\""},
    {HEADER "row,1," ID ",,,capture,1,EUR,2026-03-02,00\n", 1, "date: found \"2026-03-02\""},
    {HEADER "row,1," ID ",,,capture,1,EUR,2026-02-27,00\n", 1, "date: found \"2026-02-27\""},
    {HEADER "row,1," ID ",,,capture,1,EUR,2026-02-28,0\n", 1, "result: found \"0\""},
    {HEADER "row,1," ID ",,,capture,1,EUR,2026-02-28\n", 1, "line 2: found 9 fields"},
    {HEADER "row,1," ID ",,,capture,1,EUR,2026-02-28,00,\n", 1, "line 2: more than 10 fields"},
    {HEADER "row,1,\"" ID "\",,,capture,1,EUR,2026-02-28,00\n", 1, "field 3 holds the byte 0x22"},
    {HEADER ROW "total,EUR,1,1251,0,0\n", 1, "but the rows come to \"total,EUR,1,1250,0,0\""},
    {HEADER ROW "total,EUR,2,1250,0,0\n", 1, "but the rows come to"},
    {HEADER ROW, 1, "but the rows come to \"total,EUR,1,1250,0,0\""},
    {HEADER ROW TOTAL "total,JPY,0,0,0,0\n", 1, "a total of JPY, of which no row is booked"},
    {HEADER ROW TOTAL TOTAL, 1, "a total of EUR"},
    {HEADER ROW TOTAL ROW, 2, "line 4: the line's kind: found \"row\""},
    {HEADER ROW TOTAL, 2, "the number of rows: found \"2\", expected 1"},
    {HEADER "\n", 0, "line 2: the line's kind: found \"\""},
    {HEADER HEADER, 0, "line 2: the line's kind: found \"header\""},
};

static void what_is_wrong_is_named_also_under_a_digest_that_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct setpay_clearing_file got;
        struct setpay_buffer out;
        struct setpay_problem problem = {{0}};
        setpay_buffer_init(&out, 4096);
        assert_int_equal(setpay_buffer_append(&out, setpay_view_string(wrong[i].body)), SETPAY_OK);
        assert_int_equal(setpay_lines_seal(&out, 0, wrong[i].rows), SETPAY_OK);
        enum setpay_error error =
            setpay_clearing_file_parse(setpay_buffer_view(&out), &got, &problem);
        if (error != SETPAY_E_INVALID || strstr(problem.text, wrong[i].words) == NULL)
            fail_msg("%zu: error %d, \"%s\"", i, (int)error, problem.text);
        setpay_buffer_clear(&out);
    }
}

static void nothing_follows_the_end(void **state)
{
    struct setpay_clearing_file got;
    struct setpay_buffer out;
    struct setpay_problem problem = {{0}};
    (void)state;
    setpay_buffer_init(&out, 4096);
    assert_int_equal(setpay_buffer_append(&out, setpay_view_string(HEADER ROW TOTAL)), SETPAY_OK);
    assert_int_equal(setpay_lines_seal(&out, 0, 1), SETPAY_OK);
    assert_int_equal(setpay_clearing_file_parse(setpay_buffer_view(&out), &got, &problem),
                     SETPAY_OK);
    setpay_clearing_file_clear(&got);
    assert_int_equal(setpay_buffer_append(&out, setpay_view_string("\n")), SETPAY_OK);
    assert_int_equal(setpay_clearing_file_parse(setpay_buffer_view(&out), &got, &problem),
                     SETPAY_E_INVALID);
    assert_string_equal(problem.text, "line 5: there is something behind the line \"end\"");
    setpay_buffer_clear(&out);
}

static void what_could_not_be_parsed_is_not_built(void **state)
{
    struct setpay_clearing_file file;
    struct setpay_buffer out;
    (void)state;
    setpay_buffer_init(&out, SETPAY_CLEARING_FILE_MAX);
    make(&file);
    add(&file, row_of(SETPAY_CLEARING_CAPTURE, 0, "EUR", "2026-02-28", "00"));
    assert_int_equal(setpay_clearing_file_build(&file, &out), SETPAY_E_INVALID);
    file.rows[0].amount.minor = 1;
    memcpy(file.rows[0].date, "2026-03-02", 11);
    assert_int_equal(setpay_clearing_file_build(&file, &out), SETPAY_E_INVALID);
    memcpy(file.rows[0].date, "2026-03-01", 11);
    assert_int_equal(setpay_clearing_file_build(&file, &out), SETPAY_OK);
    memcpy(file.issuer, "a,b", 4);
    assert_int_equal(setpay_clearing_file_build(&file, &out), SETPAY_E_INVALID);
    setpay_clearing_file_clear(&file);
    setpay_buffer_clear(&out);
}

static void dates_are_of_the_calendar(void **state)
{
    (void)state;
    assert_true(setpay_clearing_date_valid("2028-02-29"));
    assert_true(setpay_clearing_date_valid("2000-02-29"));
    assert_true(setpay_clearing_date_valid("9999-12-31"));
    assert_false(setpay_clearing_date_valid("2100-02-29"));
    assert_false(setpay_clearing_date_valid("2026-04-31"));
    assert_false(setpay_clearing_date_valid("2026-13-01"));
    assert_false(setpay_clearing_date_valid("2026-00-01"));
    assert_false(setpay_clearing_date_valid("2026-01-00"));
    assert_false(setpay_clearing_date_valid("1969-12-31"));
    assert_false(setpay_clearing_date_valid("2026-1-01"));
    assert_false(setpay_clearing_date_valid("2026-01-011"));
    assert_false(setpay_clearing_date_valid(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_built_parses_and_is_built_alike),
        cmocka_unit_test(a_day_without_a_row_is_a_file_too),
        cmocka_unit_test(every_changed_byte_and_every_cut_is_noticed),
        cmocka_unit_test(what_is_wrong_is_named_also_under_a_digest_that_holds),
        cmocka_unit_test(nothing_follows_the_end),
        cmocka_unit_test(what_could_not_be_parsed_is_not_built),
        cmocka_unit_test(dates_are_of_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
