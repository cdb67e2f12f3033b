/*
 * setpay-settlement(5): what is built parses to the same rows; any byte that is changed is noticed;
 * and a file that was sealed anew with something wrong in it is refused with its line and words.
 */
#include "common/wire/lines.h"
#include "common/wire/settlement_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "0123456789abcdef0123456789abcdef"
#define HEADER "header,setpay-settlement,1,gw-1," ID ",visa,shop,2026-11-25,EUR\n"
#define ROW "row,capture," ID "," ID ",7,1250,20,00,2026-11-25,\n"
#define ITEMS "items,1,1250,20,0,0,0,0,0\n"
#define OTHERS "others,0,0,0,0,0,0\n"
#define PAYOUT "payout,0,0,0,0,0,1230,0\n"

static struct setpay_id id_of(uint8_t n)
{
    struct setpay_id id = {{n, 1, 2, 3}};
    return id;
}

static void add(struct setpay_settlement_report *report, enum setpay_settlement_kind kind,
                int64_t amount_minor, int64_t fee_minor, const char *code, const char *date)
{
    uint8_t n = (uint8_t)(report->row_count + 1);
    struct setpay_settlement_row row = {.kind = kind,
                                        .step = id_of(n),
                                        .xid = id_of((uint8_t)(n + 100)),
                                        .amount_minor = amount_minor,
                                        .fee_minor = fee_minor};
    if (setpay_settlement_kind_is_item(kind))
        row.batch = 7;
    else
        row.event = id_of((uint8_t)(n + 200));
    (void)snprintf(row.code, sizeof row.code, "%s", code);
    (void)snprintf(row.date, sizeof row.date, "%s", date);
    assert_int_equal(setpay_settlement_report_add(report, &row), SETPAY_OK);
}

/* Each kind of row, and what is of no row. */
static void make_full(struct setpay_settlement_report *report)
{
    *report = (struct setpay_settlement_report){.gateway = "gw-1",
                                                .settlement = id_of(99),
                                                .brand = "visa",
                                                .merchant_id = "shop",
                                                .day = "2026-11-25",
                                                .currency = "EUR"};
    add(report, SETPAY_SETTLEMENT_CAPTURE, 1250, 20, "00", "2026-11-25");
    add(report, SETPAY_SETTLEMENT_SALE, 5000, 75, "00", "2026-11-24");
    add(report, SETPAY_SETTLEMENT_CREDIT, 250, 4, "00", "2026-11-25");
    add(report, SETPAY_SETTLEMENT_CAPTURE, 77, 7, "13", "2026-11-25");
    add(report, SETPAY_SETTLEMENT_CREDIT, 30, 1, "25", "2026-11-25");
    add(report, SETPAY_SETTLEMENT_DISPUTE, 400, 0, "not-received", "2026-11-20");
    add(report, SETPAY_SETTLEMENT_RETURNED, 300, 0, "fraud", "2026-11-21");
    add(report, SETPAY_SETTLEMENT_CLEARED, -200, 0, "", "");
    add(report, SETPAY_SETTLEMENT_CLEARED, 0, 0, "", "");
    add(report, SETPAY_SETTLEMENT_ENDED, 40, 0, "", "");
    report->totals = (struct setpay_settlement_totals){.carried_in_minor = -11,
                                                       .held_minor = 500,
                                                       .released_minor = 60,
                                                       .repaid_count = 1,
                                                       .repaid_minor = 1000,
                                                       .payout_minor = 6158};
}

static void parse(struct setpay_view bytes, struct setpay_settlement_file *file)
{
    struct setpay_problem problem = {{0}};
    if (setpay_settlement_file_parse(bytes, file, &problem) != SETPAY_OK)
        fail_msg("%s", problem.text);
}

static void build(struct setpay_settlement_report *report, struct setpay_buffer *out)
{
    assert_int_equal(setpay_settlement_report_build(report, out), SETPAY_OK);
}

static void what_is_built_parses_and_is_built_alike(void **state)
{
    struct setpay_settlement_report report;
    struct setpay_settlement_file got;
    struct setpay_buffer first, second;
    (void)state;
    setpay_buffer_init(&first, SETPAY_SETTLEMENT_FILE_MAX);
    setpay_buffer_init(&second, SETPAY_SETTLEMENT_FILE_MAX);
    make_full(&report);
    build(&report, &first);
    assert_non_null(strstr((char *)first.data, "\nitems,2,6250,95,1,250,4,2,41\n"
                                               "others,1,400,1,300,1,-200\n"
                                               "payout,-11,500,60,1,1000,6158,0\nend,10,"));
    assert_int_equal(setpay_settlement_totals_net(&report.totals), 6250 - 95 - 250 + 4);
    parse(setpay_buffer_view(&first), &got);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.reports[0].row_count, 10);
    assert_int_equal(got.reports[0].line, 1);
    assert_true(setpay_id_equal(&got.reports[0].settlement, &report.settlement));
    assert_string_equal(got.reports[0].merchant_id, "shop");
    for (size_t i = 0; i < 10; i++) {
        struct setpay_settlement_row *row = &got.reports[0].rows[i];
        assert_int_equal(row->line, i + 2);
        row->line = 0;
        assert_memory_equal(row, &report.rows[i], sizeof *row);
    }
    assert_memory_equal(&got.reports[0].totals, &report.totals, sizeof report.totals);
    build(&got.reports[0], &second);
    assert_true(setpay_view_equal(setpay_buffer_view(&first), setpay_buffer_view(&second)));
    setpay_settlement_file_clear(&got);
    setpay_settlement_report_clear(&report);
    setpay_buffer_clear(&first);
    setpay_buffer_clear(&second);
}

/* Each is sealed for itself; lines are counted through. */
static void several_stand_one_behind_the_other(void **state)
{
    struct setpay_settlement_report report;
    struct setpay_settlement_file got;
    struct setpay_problem problem = {{0}};
    struct setpay_buffer out;
    (void)state;
    setpay_buffer_init(&out, SETPAY_SETTLEMENT_FILE_MAX);
    make_full(&report);
    build(&report, &out);
    report.row_count = 0;
    report.totals =
        (struct setpay_settlement_totals){.carried_in_minor = -5, .carried_out_minor = -5};
    memcpy(report.currency, "JPY", 4);
    build(&report, &out);
    parse(setpay_buffer_view(&out), &got);
    assert_int_equal(got.count, 2);
    assert_string_equal(got.reports[1].currency, "JPY");
    assert_int_equal(got.reports[1].row_count, 0);
    assert_int_equal(got.reports[1].line, 16);
    assert_false(setpay_digest_equal(&got.reports[0].digest, &got.reports[1].digest));
    setpay_settlement_file_clear(&got);
    assert_int_equal(setpay_buffer_append(&out, setpay_view_string("x\n")), SETPAY_OK);
    assert_int_equal(setpay_settlement_file_parse(setpay_buffer_view(&out), &got, &problem),
                     SETPAY_E_INVALID);
    assert_non_null(strstr(problem.text, "line 21: "));
    setpay_settlement_report_clear(&report);
    setpay_buffer_clear(&out);
}

static void every_changed_byte_and_every_cut_is_noticed(void **state)
{
    struct setpay_settlement_report report;
    struct setpay_settlement_file got;
    struct setpay_buffer out;
    (void)state;
    setpay_buffer_init(&out, SETPAY_SETTLEMENT_FILE_MAX);
    make_full(&report);
    build(&report, &out);
    for (size_t i = 0; i < out.size; i++) {
        struct setpay_problem problem = {{0}};
        out.data[i] ^= 1;
        assert_int_equal(setpay_settlement_file_parse(setpay_buffer_view(&out), &got, &problem),
                         SETPAY_E_INVALID);
        assert_int_equal(strncmp(problem.text, "line ", 5), 0);
        out.data[i] ^= 1;
        assert_int_equal(setpay_settlement_file_parse(setpay_view_of(out.data, i), &got, &problem),
                         SETPAY_E_INVALID);
    }
    setpay_settlement_report_clear(&report);
    setpay_buffer_clear(&out);
}

static const struct {
    const char *text; /* without its end */
    size_t rows;
    const char *words;
} wrong[] = {
    {"", 0, "line 1: expected a line \"header,setpay-settlement,"},
    {"header,setpay-clearing,1,a,b,c\n", 0,
     "is it what setpay-gateway report settlement --format items"},
    {"header,setpay-settlement,2,gw-1," ID ",visa,shop,2026-11-25,EUR\n", 0,
     "line 1: version: found \"2\", expected 1"},
    {"header,setpay-settlement,1,gw-1," ID ",visa,shop,2026-11-25\n", 0, "found 8 fields"},
    {"header,setpay-settlement,1,," ID ",visa,shop,2026-11-25,EUR\n", 0, "gateway: found \"\""},
    {"header,setpay-settlement,1,gw-1,0123,visa,shop,2026-11-25,EUR\n", 0,
     "settlement: found \"0123\""},
    {"header,setpay-settlement,1,gw-1," ID ",vi sa,shop,2026-11-25,EUR\n", 0, "the byte 0x20"},
    {"header,setpay-settlement,1,gw-1," ID ",visa,sh/op,2026-11-25,EUR\n", 0,
     "merchant: found \"sh/op\""},
    {"header,setpay-settlement,1,gw-1," ID ",visa,shop,2026-02-30,EUR\n", 0,
     "day: found \"2026-02-30\""},
    {"header,setpay-settlement,1,gw-1," ID ",visa,shop,2026-11-25,XYZ\n", 0,
     "currency: found \"XYZ\""},
    {HEADER "row,refund," ID "," ID ",7,1250,20,00,2026-11-25,\n" ITEMS OTHERS PAYOUT, 1,
     "line 2: kind: found \"refund\""},
    {HEADER "row,capture,0," ID ",7,1250,20,00,2026-11-25,\n" ITEMS OTHERS PAYOUT, 1,
     "step: found \"0\""},
    {HEADER "row,capture," ID ",,7,1250,20,00,2026-11-25,\n" ITEMS OTHERS PAYOUT, 1,
     "xid: found \"\""},
    {HEADER "row,capture," ID "," ID ",0,1250,20,00,2026-11-25,\n" ITEMS OTHERS PAYOUT, 1,
     "batch: found \"0\""},
    {HEADER "row,capture," ID "," ID ",7,0,0,00,2026-11-25,\n" ITEMS OTHERS PAYOUT, 1,
     "amount: found \"0\""},
    {HEADER "row,capture," ID "," ID ",7,-5,0,00,2026-11-25,\n" ITEMS OTHERS PAYOUT, 1,
     "amount: found \"-5\""},
    {HEADER "row,capture," ID "," ID ",7,01250,0,00,2026-11-25,\n" ITEMS OTHERS PAYOUT, 1,
     "amount: found \"01250\""},
    {HEADER "row,capture," ID "," ID ",7,1250,1251,00,2026-11-25,\n" ITEMS OTHERS PAYOUT, 1,
     "fee: found \"1251\""},
    {HEADER "row,capture," ID "," ID ",7,1250,20,000,2026-11-25,\n" ITEMS OTHERS PAYOUT, 1,
     "code: found \"000\""},
    {HEADER "row,capture," ID "," ID ",7,1250,20,00,,\n" ITEMS OTHERS PAYOUT, 1,
     "date: found \"\""},
    {HEADER "row,capture," ID "," ID ",7,1250,20,00,2026-11-25," ID "\n" ITEMS OTHERS PAYOUT, 1,
     "event: found \"" ID "\""},
    {HEADER "row,dispute," ID "," ID ",,1250,,fraud,2026-11-25,\n" ITEMS OTHERS PAYOUT, 1,
     "event: found \"\""},
    {HEADER "row,dispute," ID "," ID ",7,1250,,fraud,2026-11-25," ID "\n" ITEMS OTHERS PAYOUT, 1,
     "batch: found \"7\""},
    {HEADER "row,dispute," ID "," ID ",,1250,,FRAUD,2026-11-25," ID "\n" ITEMS OTHERS PAYOUT, 1,
     "code: found \"FRAUD\""},
    {HEADER "row,cleared," ID "," ID ",,-0,,,," ID "\n" ITEMS OTHERS PAYOUT, 1,
     "amount: found \"-0\""},
    {HEADER "row,cleared," ID "," ID ",,10,0,,," ID "\n" ITEMS OTHERS PAYOUT, 1,
     "fee: found \"0\""},
    {HEADER ROW "items,2,1250,20,0,0,0,0,0\n" OTHERS PAYOUT, 1,
     "line 3: found \"items,2,1250,20,0,0,0,0,0\", but the rows come to \""
     "items,1,1250,20"},
    {HEADER ROW OTHERS PAYOUT, 1, "the line's kind: found \"others\""},
    {HEADER ROW ITEMS "others,1,5,0,0,0,0\n" PAYOUT, 1, "line 4: found \"others,1,5"},
    {HEADER ROW ITEMS OTHERS, 1, "the line's kind: found \"end\", expected payout"},
    {HEADER ROW ITEMS OTHERS "payout,0,0,0,0,0,1231,0\n", 1,
     "line 5: payout: what is paid out and carried over is not what all else comes to"},
    {HEADER ROW ITEMS OTHERS "payout,0,0,0,0,0,-1230,2460\n", 1, "line 5: payout: only what"},
    {HEADER ROW ITEMS OTHERS "payout,0,0,0,0,0,1230\n", 1, "found 7 fields"},
    {HEADER ROW ITEMS OTHERS "payout,0,0,0,0,0,1230,zero\n", 1, "payout: found \"zero\""},
    {HEADER ROW ITEMS OTHERS PAYOUT ROW, 1, "line 6: the line's kind: found \"row\""},
    {HEADER ROW ITEMS OTHERS PAYOUT, 2, "line 6: the number of rows: found \"2\", expected 1"},
};

static void what_is_wrong_is_named_with_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct setpay_settlement_file got;
        struct setpay_problem problem = {{0}};
        struct setpay_buffer out;
        setpay_buffer_init(&out, SETPAY_SETTLEMENT_FILE_MAX);
        assert_int_equal(setpay_buffer_append(&out, setpay_view_string(wrong[i].text)), SETPAY_OK);
        assert_int_equal(setpay_lines_seal(&out, 0, wrong[i].rows), SETPAY_OK);
        assert_int_equal(setpay_settlement_file_parse(setpay_buffer_view(&out), &got, &problem),
                         SETPAY_E_INVALID);
        if (strstr(problem.text, wrong[i].words) == NULL)
            fail_msg("'%s' is not in '%s'", wrong[i].words, problem.text);
        setpay_buffer_clear(&out);
    }
}

/* What editors and mailers do to it is said in so many words. */
static void another_form_of_text_is_named(void **state)
{
    struct setpay_settlement_report report;
    struct setpay_settlement_file got;
    struct setpay_problem problem = {{0}};
    struct setpay_buffer out, other;
    (void)state;
    make_full(&report);
    setpay_buffer_init(&out, SETPAY_SETTLEMENT_FILE_MAX);
    build(&report, &out);
    setpay_buffer_init(&other, SETPAY_SETTLEMENT_FILE_MAX);
    assert_int_equal(setpay_buffer_append(&other, setpay_view_string("\xef\xbb\xbf")), SETPAY_OK);
    assert_int_equal(setpay_buffer_append(&other, setpay_buffer_view(&out)), SETPAY_OK);
    assert_int_equal(setpay_settlement_file_parse(setpay_buffer_view(&other), &got, &problem),
                     SETPAY_E_INVALID);
    assert_non_null(strstr(problem.text, "line 1: begins with a byte order mark (BOM)"));
    other.size = 0;
    for (size_t i = 0; i < out.size; i++) {
        if (out.data[i] == '\n')
            assert_int_equal(setpay_buffer_append(&other, setpay_view_string("\r")), SETPAY_OK);
        assert_int_equal(setpay_buffer_append(&other, setpay_view_of(out.data + i, 1)), SETPAY_OK);
    }
    assert_int_equal(setpay_settlement_file_parse(setpay_buffer_view(&other), &got, &problem),
                     SETPAY_E_INVALID);
    assert_non_null(strstr(problem.text, "line 1: ends with CR LF"));
    setpay_buffer_clear(&other);
    setpay_buffer_clear(&out);
    setpay_settlement_report_clear(&report);
}

/* More than an answer has room for is refused before anything is done with it. */
static void too_many_settlements_are_refused(void **state)
{
    struct setpay_settlement_report report;
    struct setpay_settlement_file got;
    struct setpay_problem problem = {{0}};
    struct setpay_buffer one, out;
    (void)state;
    report = (struct setpay_settlement_report){.gateway = "gw-1",
                                               .settlement = id_of(99),
                                               .brand = "visa",
                                               .merchant_id = "shop",
                                               .day = "2026-11-25",
                                               .currency = "EUR"};
    setpay_buffer_init(&one, SETPAY_SETTLEMENT_FILE_MAX);
    setpay_buffer_init(&out, SETPAY_SETTLEMENT_FILE_MAX);
    build(&report, &one);
    for (size_t i = 0; i < SETPAY_SETTLEMENT_REPORTS_MAX; i++)
        assert_int_equal(setpay_buffer_append(&out, setpay_buffer_view(&one)), SETPAY_OK);
    parse(setpay_buffer_view(&out), &got);
    assert_int_equal(got.count, SETPAY_SETTLEMENT_REPORTS_MAX);
    setpay_settlement_file_clear(&got);
    assert_int_equal(setpay_buffer_append(&out, setpay_buffer_view(&one)), SETPAY_OK);
    assert_int_equal(setpay_settlement_file_parse(setpay_buffer_view(&out), &got, &problem),
                     SETPAY_E_INVALID);
    assert_string_equal(problem.text, "line 20001: the file has more than the 4000 settlements that"
                                      " are read at once; read it in in parts");
    setpay_buffer_clear(&out);
    setpay_buffer_clear(&one);
}

static void what_could_not_be_parsed_is_not_built(void **state)
{
    struct setpay_settlement_report report;
    struct setpay_buffer out;
    (void)state;
    setpay_buffer_init(&out, SETPAY_SETTLEMENT_FILE_MAX);
    make_full(&report);
    report.totals.payout_minor++;
    assert_int_equal(setpay_settlement_report_build(&report, &out), SETPAY_E_INVALID);
    report.totals.payout_minor--;
    report.rows[3].batch = 0;
    assert_int_equal(setpay_settlement_report_build(&report, &out), SETPAY_E_INVALID);
    report.rows[3].batch = 7;
    report.merchant_id[0] = ',';
    assert_int_equal(setpay_settlement_report_build(&report, &out), SETPAY_E_INVALID);
    setpay_settlement_report_clear(&report);
    setpay_buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_built_parses_and_is_built_alike),
        cmocka_unit_test(several_stand_one_behind_the_other),
        cmocka_unit_test(every_changed_byte_and_every_cut_is_noticed),
        cmocka_unit_test(what_is_wrong_is_named_with_its_line),
        cmocka_unit_test(another_form_of_text_is_named),
        cmocka_unit_test(too_many_settlements_are_refused),
        cmocka_unit_test(what_could_not_be_parsed_is_not_built),
    };
    return cmocka_run_group_tests_name("settlement_file", tests, NULL, NULL);
}
