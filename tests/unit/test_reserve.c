/*
 * The reserve: shares and how they are rounded; days; and on a database: what settlements hold back
 * and give back, the oldest first, to the last unit. In the end of every test the ledger and all
 * that stands around it verify. Then every edit to books with a reserve is found, and named.
 */
#include "common/base/log.h"
#include "gateway/clearing/fees.h"
#include "gateway/clearing/reserve.h"
#include "tests/support/test_day.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY(n) ((n)*SETPAY_DAY_MS)

/* ------------------------------------------------------------------ pure */

static void shares_are_rounded_half_to_even(void **state)
{
    static const struct {
        int64_t ppm, amount, share;
    } cases[] = {
        {50000, 0, 0},
        {50000, 1, 0},  /* 0.05 */
        {50000, 9, 0},  /* 0.45 */
        {50000, 10, 0}, /* 0.5: to the even one */
        {50000, 11, 1}, /* 0.55 */
        {50000, 30, 2}, /* 1.5 */
        {50000, 50, 2}, /* 2.5 */
        {50000, 51, 3}, /* 2.55 */
        {500000, 1, 0}, /* 0.5 */
        {500000, 3, 2}, /* 1.5 */
        {0, 999999999999, 0},
        {1000000, 1, 1},
        {1000000, 999999999999, 999999999999},
        {1, 499999, 0},
        {1, 500000, 0}, /* 0.5 */
        {1, 500001, 1},
        {1, 1500000, 2}, /* 1.5 */
        {25, 20000, 0},  /* 0.5 */
        /* A day of many payments: a million of the largest. */
        {1000000, INT64_C(999999999999000000), INT64_C(999999999999000000)},
        {50000, INT64_C(999999999999000000), INT64_C(49999999999950000)},
        {333333, INT64_C(999999999999999999), INT64_C(333333000000000000)},
        {999999, INT64_C(999999999999999999), INT64_C(999998999999999999)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (setpay_share_of(cases[i].ppm, cases[i].amount) != cases[i].share)
            fail_msg("%lld ppm of %lld: %lld, expected %lld", (long long)cases[i].ppm,
                     (long long)cases[i].amount,
                     (long long)setpay_share_of(cases[i].ppm, cases[i].amount),
                     (long long)cases[i].share);
}

static void percentages_have_four_digits(void **state)
{
    static const char *const wrong[] = {"",
                                        "-1",
                                        "100.0001",
                                        "101",
                                        "1.23456",
                                        "1,5",
                                        "5 %",
                                        " 5",
                                        "5 ",
                                        ".5",
                                        "1.",
                                        "1e1",
                                        "99999999999999999999"};
    static const struct {
        const char *text;
        int64_t ppm;
        const char *again;
    } right[] = {
        {"0", 0, "0"},           {"5", 50000, "5"},       {"2.5", 25000, "2.5"},
        {"0.0001", 1, "0.0001"}, {"100", 1000000, "100"}, {"10.50", 105000, "10.5"},
    };
    int64_t ppm = 77;
    char text[SETPAY_SHARE_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (setpay_share_parse(wrong[i], &ppm) != SETPAY_E_INVALID || ppm != 77)
            fail_msg("'%s' was taken as %lld", wrong[i], (long long)ppm);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_int_equal(setpay_share_parse(right[i].text, &ppm), SETPAY_OK);
        assert_int_equal(ppm, right[i].ppm);
        assert_string_equal(setpay_share_format(ppm, text), right[i].again);
    }
}

static void days_are_of_the_calendar(void **state)
{
    char due[SETPAY_DATE_TEXT_SIZE] = "?";
    (void)state;
    assert_int_equal(setpay_reserve_due_day("2026-11-26", 1, due), SETPAY_OK);
    assert_string_equal(due, "2026-11-27");
    assert_int_equal(setpay_reserve_due_day("2027-12-31", 60, due), SETPAY_OK);
    assert_string_equal(due, "2028-02-29");
    assert_int_equal(setpay_reserve_due_day("2026-11-26", SETPAY_RESERVE_DAYS_MAX, due), SETPAY_OK);
    assert_string_equal(due, "2036-11-23");
    assert_int_equal(setpay_reserve_due_day("monday", 1, due), SETPAY_E_INVALID);
}

/* What is held back comes out of what is due, and never makes the merchant owe. */
static void no_more_is_held_than_is_due(void **state)
{
    static const struct {
        int64_t captured, credited, released, carried_in, held, payout, carried_out;
    } cases[] = {
        {1000, 0, 0, 0, 100, 900, 0},  {1000, 950, 0, 0, 50, 0, 0},
        {1000, 1000, 0, 0, 0, 0, 0},   {1000, 1001, 0, 0, 0, 0, -1},
        {1000, 0, 0, -901, 99, 0, 0},  {1000, 0, 0, -1000, 0, 0, 0},
        {1000, 0, 0, -1001, 0, 0, -1}, {0, 0, 100, 0, 0, 100, 0},
        {1000, 1000, 70, 0, 70, 0, 0}, {1000, 0, 70, -1050, 20, 0, 0},
        {0, 30, 20, 0, 0, 0, -10},     {5, 0, 0, 0, 0, 5, 0},
        {15, 0, 0, 0, 2, 13, 0},       {999999999999, 0, 0, 0, 100000000000, 899999999999, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct setpay_settlement s = {.reserve_ppm = 100000,
                                      .sums.capture_minor = cases[i].captured,
                                      .sums.credit_minor = cases[i].credited,
                                      .released_minor = cases[i].released,
                                      .carried_in_minor = cases[i].carried_in};
        setpay_settlement_close(&s);
        if (s.held_minor != cases[i].held || s.payout_minor != cases[i].payout ||
            s.carried_out_minor != cases[i].carried_out)
            fail_msg("case %zu: held %lld, payout %lld, carried out %lld", i,
                     (long long)s.held_minor, (long long)s.payout_minor,
                     (long long)s.carried_out_minor);
    }
}

/* ------------------------------------------------------------------ on a database */

#define MADE test_day_settled.made[0]

static void set_reserve(int64_t ppm, int64_t days)
{
    char sql[128];
    (void)snprintf(sql, sizeof sql, "UPDATE merchant SET reserve_ppm = %lld, reserve_days = %lld",
                   (long long)ppm, (long long)days);
    test_day_edit(sql);
}

static void a_share_is_held_and_comes_back_on_its_day(void **state)
{
    (void)state;
    set_reserve(100000, 3);
    test_day_capture("EUR", 10000, 165, DAY_26 - 1);
    assert_int_equal(test_day_settle(NOON, NULL), 1); /* the 25th */
    assert_int_equal(MADE.held_minor, 1000);          /* of gross */
    assert_int_equal(MADE.payout_minor, 10000 - 165 - 1000);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_RESERVE, "EUR"), -1000);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), 0);
    /* Two days later it is not due. */
    assert_int_equal(test_day_settle(NOON + DAY(2), NULL), 0);
    test_day_capture("EUR", 1, 0, DAY_26 + DAY(2) - 1);
    assert_int_equal(test_day_settle(NOON + DAY(2), NULL), 1);
    assert_int_equal(MADE.released_minor, 0);
    /* On the third it is, also where nothing was sold. */
    assert_int_equal(test_day_settle(NOON + DAY(3), NULL), 1);
    assert_string_equal(MADE.day, "2026-11-28");
    assert_int_equal(MADE.sums.capture_count, 0);
    assert_int_equal(MADE.released_minor, 1000);
    assert_int_equal(MADE.held_minor, 0);
    assert_int_equal(MADE.payout_minor, 1000);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_RESERVE, "EUR"), 0);
    assert_int_equal(test_day_settle(NOON + DAY(3), NULL), 0);
    assert_int_equal(test_day_settle(NOON + DAY(9), NULL), 0);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM ledger_entry WHERE kind = 11"), 1);
}

/* What is due comes back in one settlement, in the order of days, whatever has changed since. */
static void the_oldest_comes_back_first(void **state)
{
    (void)state;
    set_reserve(100000, 5);
    test_day_capture("EUR", 100, 0, DAY_26 - 1);
    test_day_settle(NOON, NULL);
    set_reserve(200000, 2); /* of later settlements alone */
    test_day_capture("EUR", 100, 0, DAY_26 + DAY(1) - 1);
    test_day_settle(NOON + DAY(1), NULL);
    assert_int_equal(MADE.held_minor, 20);
    set_reserve(0, 2);
    assert_int_equal(test_day_settle(NOON + DAY(9), NULL), 1);
    assert_int_equal(MADE.released_minor, 30);
    assert_int_equal(MADE.payout_minor, 30);
    assert_int_equal(test_day_ask("SELECT p.amount_minor FROM ledger_entry JOIN ledger_posting p"
                                  " ON p.entry = number WHERE kind = 11 AND line = 0"
                                  " ORDER BY number LIMIT 1"),
                     20); /* due two days after the 26th, the other five after the 25th */
}

/* Currencies and merchants each by themselves. */
static void each_currency_has_its_own(void **state)
{
    (void)state;
    test_day_merchant("other", "UTC", "24:00");
    test_day_edit("UPDATE merchant SET reserve_ppm = 500000, reserve_days = 1 WHERE id = 'shop'");
    test_day_capture("JPY", 3, 0, DAY_26 - 1);
    test_day_capture("KWD", 1, 0, DAY_26 - 1);
    (void)test_day_add("other", "JPY", SETPAY_STEP_CAPTURE, 100, 0, DAY_26 - 1, "00");
    assert_int_equal(test_day_settle(NOON, NULL), 3);
    assert_int_equal(test_day_ask("SELECT SUM(held_minor) FROM settlement"), 2);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_RESERVE, "JPY"), -2);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_RESERVE, "KWD"), 0);
    assert_int_equal(test_day_settle(NOON + DAY(1), NULL), 1);
    assert_int_equal(MADE.released_minor, 2);
    assert_string_equal(MADE.currency, "JPY");
    assert_string_equal(MADE.merchant_id, "shop");
}

/* What comes back pays what the merchant owes first. */
static void a_debt_is_paid_out_of_what_comes_back(void **state)
{
    (void)state;
    set_reserve(500000, 1);
    test_day_capture("EUR", 100, 0, DAY_26 - 1);
    test_day_settle(NOON, NULL);
    test_day_credit("EUR", 80, DAY_26 + DAY(1) - 1);
    assert_int_equal(test_day_settle(NOON + DAY(1), NULL), 1);
    assert_int_equal(MADE.released_minor, 50);
    assert_int_equal(MADE.payout_minor, 0);
    assert_int_equal(MADE.carried_out_minor, -30);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), 30);
}

/* ------------------------------------------------------------------ every edit is found */

/* Settlement 1 holds 100 back, which settlement 2 gives back as it holds 50; that is still held. */
static int open_reserved(void **state)
{
    test_day_open(state);
    set_reserve(100000, 1);
    test_day_capture("EUR", 1000, 10, DAY_26 - 1);
    test_day_settle(NOON, NULL);
    set_reserve(100000, 30);
    test_day_capture("EUR", 500, 5, DAY_26 + DAY(1) - 1);
    test_day_settle(NOON + DAY(1), NULL);
    assert_int_equal(MADE.released_minor, 100);
    assert_int_equal(MADE.held_minor, 50);
    assert_int_equal(test_day_verify().findings, 0);
    return 0;
}

static const struct {
    const char *sql, *words;
} edits[] = {
    {"UPDATE reserve SET amount_minor = 101 WHERE id = 1", "what it holds back is not in the"},
    {"UPDATE reserve SET amount_minor = -1 WHERE id = 2", "held back by no settlement"},
    {"UPDATE reserve SET due_day = '2026-11-27' WHERE id = 1",
     "reserve 1 is due 2026-11-27, expected 2026-11-26"},
    {"UPDATE reserve SET due_day = '2026-11-26' WHERE id = 2",
     "is due 2026-11-26, expected 2026-12"},
    {"UPDATE reserve SET merchant_id = 'other' WHERE id = 2", "held back by no settlement of that"},
    {"UPDATE reserve SET brand = 'other' WHERE id = 2", "held back by no settlement of that"},
    {"UPDATE reserve SET currency = 'USD' WHERE id = 1",
     "given back before its day, or to another"},
    {"UPDATE reserve SET settlement_id = 9 WHERE id = 2", "there is no reserve "},
    {"UPDATE reserve SET token = zeroblob(16) WHERE id = 2", "not in the ledger: reserve 2"},
    {"UPDATE reserve SET released_by = 0, release = NULL WHERE id = 1",
     "not given back on its day: reserve 1"},
    {"UPDATE reserve SET released_by = 0 WHERE id = 1", "not in the ledger: the release of"},
    {"UPDATE reserve SET released_by = 1 WHERE id = 1", "given back before its day"},
    {"UPDATE reserve SET released_by = 2 WHERE id = 2", "given back before its day"},
    {"UPDATE reserve SET release = zeroblob(16) WHERE id = 1",
     "there is no reserve that was released"},
    {"UPDATE reserve SET release = NULL WHERE id = 1", "not in the ledger: the release of"},
    {"DELETE FROM reserve WHERE id = 1", "there is no reserve "},
    {"DELETE FROM reserve WHERE id = 2", "what it holds back is not in the reserve: settlement 2"},
    {"INSERT INTO reserve SELECT 9, zeroblob(16), 9, brand, merchant_id, currency, 7,"
     " '2026-12-26', 0, NULL FROM reserve WHERE id = 2",
     "held back by no settlement of that"},
    {"UPDATE settlement SET held_minor = 99 WHERE id = 1", "holds 99 back, expected 100"},
    {"UPDATE settlement SET held_minor = 0, payout_minor = 990 WHERE id = 1",
     "holds 0 back, expected 100"},
    {"UPDATE settlement SET reserve_ppm = 99000 WHERE id = 1", "holds 100 back, expected 99"},
    {"UPDATE settlement SET reserve_ppm = 0 WHERE id = 2", "holds 50 back, expected 0"},
    {"UPDATE settlement SET reserve_days = 2 WHERE id = 1", "expected 2026-11-27"},
    {"UPDATE settlement SET reserve_days = -1 WHERE id = 2", "is due 2026-12-26, expected ?"},
    /* The days and the day together: what is not released yet has no other trace of it. */
    {"UPDATE settlement SET reserve_days = 60 WHERE id = 2;"
     "UPDATE reserve SET due_day = '2027-01-25' WHERE id = 2",
     "is of another merchant, currency or settlement"},
    {"UPDATE settlement SET released_minor = 0 WHERE id = 2",
     "what it gives back did not come out"},
    {"UPDATE settlement SET released_minor = 1 WHERE id = 1",
     "what it gives back did not come out"},
    {"UPDATE ledger_balance SET amount_minor = -51 WHERE account = 8",
     "steps and settlements leave something else: account 8"},
};

static const struct {
    const char *sql, *words;
} forgeries[] = {
    {"UPDATE ledger_posting SET amount_minor = amount_minor * 2 WHERE entry IN"
     " (SELECT MIN(number) FROM ledger_entry WHERE kind = 10)",
     "would be posted with other amounts"},
    {"UPDATE ledger_posting SET account = 5 WHERE account = 8 AND entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 11)",
     "the reserve that was released"},
    {"UPDATE ledger_entry SET merchant_id = 'other' WHERE kind = 11", "of another merchant"},
    {"UPDATE ledger_entry SET event = zeroblob(16) WHERE kind = 11;"
     "UPDATE reserve SET release = zeroblob(16) WHERE id = 1",
     "is of another merchant, currency or settlement"},
    /* Paid out instead of held, with everything but the share. */
    {"UPDATE settlement SET held_minor = 0, payout_minor = payout_minor + 50 WHERE id = 2;"
     "DELETE FROM reserve WHERE id = 2;"
     "UPDATE ledger_posting SET account = 5 WHERE account = 8 AND entry ="
     " (SELECT MAX(number) FROM ledger_entry WHERE kind = 10)",
     "holds 0 back, expected 50"},
};

static void every_edit_is_found_and_named(void **state)
{
    size_t edit_count = sizeof edits / sizeof *edits;
    size_t forgery_count = sizeof forgeries / sizeof *forgeries;
    (void)state;
    for (size_t i = 0; i < edit_count; i++)
        test_day_expect_found(edits[i].sql, edits[i].words, false);
    test_day_operate(test_day_chain_anew, NULL);
    for (size_t i = 0; i < forgery_count; i++)
        test_day_expect_found(forgeries[i].sql, forgeries[i].words, true);
    print_message("# tally: edits to settled books that were found = %zu\n",
                  edit_count + forgery_count);
}

#define BOOKS(test) cmocka_unit_test_setup_teardown(test, test_day_open, test_day_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_rounded_half_to_even),
        cmocka_unit_test(percentages_have_four_digits),
        cmocka_unit_test(days_are_of_the_calendar),
        cmocka_unit_test(no_more_is_held_than_is_due),
        BOOKS(a_share_is_held_and_comes_back_on_its_day),
        BOOKS(the_oldest_comes_back_first),
        BOOKS(each_currency_has_its_own),
        BOOKS(a_debt_is_paid_out_of_what_comes_back),
        cmocka_unit_test_setup_teardown(every_edit_is_found_and_named, open_reserved,
                                        test_day_close),
    };
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
