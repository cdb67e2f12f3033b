/*
 * Incoming money: lists of payments and what is wrong with them; how much is matched (pure); and on
 * a database: booked once by its reference, against what the issuer owes, the rest in suspense, and
 * out of it to where it belongs. In the end of every test the ledger
 * and all that stands around it verify. Then every edit is found, and named.
 */
#include "common/base/log.h"
#include "gateway/clearing/incoming.h"
#include "tests/support/test_day.h"
#include "tests/support/test_paying.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES TEST_PAYING_NAMES

/* ------------------------------------------------------------------ pure */

static void a_list_is_read(void **state)
{
    struct setpay_incoming_list list;
    struct setpay_problem problem;
    (void)state;
    assert_int_equal(
        setpay_incoming_parse(setpay_view_string(NAMES "sim,12.50,EUR,2026-11-26,REF/1\n"
                                                       "sim,1,JPY,2026-11-26,REF/2\n"
                                                       "other,0.001,KWD,2026-11-26,REF/1\n"
                                                       "sim,9999999999.99,EUR,2026-11-26,a\n"),
                              &list, &problem),
        SETPAY_OK);
    assert_int_equal(list.count, 4);
    assert_int_equal(list.rows[0].amount.minor, 1250);
    assert_string_equal(list.rows[0].reference, "REF/1");
    assert_int_equal(list.rows[1].amount.minor, 1);
    assert_int_equal(list.rows[2].amount.minor, 1);
    assert_string_equal(list.rows[2].issuer, "other");
    assert_int_equal(list.rows[3].amount.minor, SETPAY_MONEY_MAX_MINOR);
    setpay_incoming_list_clear(&list);
}

static void what_is_wrong_with_a_list_is_named(void **state)
{
    static const struct {
        const char *lines, *words;
    } wrong[] = {
        {"", "line 1: the file ends"},
        {"sim,1,EUR,2026-11-26,a\n", "line 1: expected the names of the columns"},
        {NAMES, "no payment is behind it"},
        {NAMES "sim,1,EUR,2026-11-26,a", "line 2: does not end with a newline"},
        {NAMES "sim,1,EUR,2026-11-26\n", "line 2: found 4 fields"},
        {NAMES "sim,1,EUR,2026-11-26,a,b\n", "line 2: more than 5 fields"},
        {NAMES ",1,EUR,2026-11-26,a\n", "line 2: issuer"},
        {NAMES "an-issuer-of-more-than-32-letters,1,EUR,2026-11-26,a\n", "line 2: issuer"},
        {NAMES "sim,0,EUR,2026-11-26,a\n", "line 2: amount"},
        {NAMES "sim,-1,EUR,2026-11-26,a\n", "line 2: amount"},
        {NAMES "sim,1.005,EUR,2026-11-26,a\n", "line 2: amount"},
        {NAMES "sim,1.5,JPY,2026-11-26,a\n", "line 2: amount"},
        {NAMES "sim,10000000000.00,EUR,2026-11-26,a\n", "line 2: amount"},
        {NAMES "sim,1,EUX,2026-11-26,a\n", "line 2: currency"},
        {NAMES "sim,1,EUR,2026-02-29,a\n", "line 2: date"},
        {NAMES "sim,1,EUR,2026-11-26,\n", "line 2: reference"},
        {NAMES "sim,1,EUR,2026-11-26,a b\n", "which no field may"},
        {NAMES "sim,1,EUR,2026-11-26,a\r\n", "ends with CR LF"},
        {NAMES "sim,1,EUR,2026-11-26,a\nsim,1,EUR,2026-11-26,a\n", "line 3: reference"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct setpay_incoming_list list = {.count = 77};
        struct setpay_problem problem = {{0}};
        enum setpay_error error =
            setpay_incoming_parse(setpay_view_string(wrong[i].lines), &list, &problem);
        if (error != SETPAY_E_INVALID || strstr(problem.text, wrong[i].words) == NULL)
            fail_msg("%s: %d, '%s', expected '%s'", wrong[i].lines, (int)error, problem.text,
                     wrong[i].words);
        assert_int_equal(list.count, 77); /* untouched */
    }
}

static void a_list_has_no_more_than_its_limit(void **state)
{
    struct setpay_incoming_list list;
    struct setpay_problem problem;
    struct setpay_buffer bytes;
    (void)state;
    setpay_buffer_init(&bytes, SETPAY_INCOMING_FILE_MAX);
    assert_int_equal(setpay_buffer_append_format(&bytes, NAMES), SETPAY_OK);
    for (int i = 0; i < SETPAY_INCOMING_ROWS_MAX; i++)
        assert_int_equal(setpay_buffer_append_format(&bytes, "sim,1,EUR,2026-11-26,R%d\n", i),
                         SETPAY_OK);
    assert_int_equal(setpay_incoming_parse(setpay_buffer_view(&bytes), &list, &problem), SETPAY_OK);
    assert_int_equal(list.count, SETPAY_INCOMING_ROWS_MAX);
    setpay_incoming_list_clear(&list);
    assert_int_equal(setpay_buffer_append_format(&bytes, "sim,1,EUR,2026-11-26,last\n"), SETPAY_OK);
    assert_int_equal(setpay_incoming_parse(setpay_buffer_view(&bytes), &list, &problem),
                     SETPAY_E_INVALID);
    assert_non_null(strstr(problem.text, "line 10002: more than 10000 payments"));
    setpay_buffer_clear(&bytes);
}

static void no_more_is_matched_than_is_owed(void **state)
{
    (void)state;
    assert_int_equal(setpay_incoming_match(100, 100), 100);
    assert_int_equal(setpay_incoming_match(100, 99), 99);
    assert_int_equal(setpay_incoming_match(100, 101), 100);
    assert_int_equal(setpay_incoming_match(1, 0), 0);
    assert_int_equal(setpay_incoming_match(1, -5), 0);
    assert_int_equal(setpay_incoming_match(SETPAY_MONEY_MAX_MINOR, INT64_MAX),
                     SETPAY_MONEY_MAX_MINOR);
}

/* ------------------------------------------------------------------ on a database */

static void a_payment_goes_against_what_is_owed(void **state)
{
    (void)state;
    assert_int_equal(test_paying_paid(NAMES "sim,5.00,EUR,2026-11-26,R1\n"), SETPAY_OK);
    assert_int_equal(test_paying_last.matched, 500);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_CASH), 500);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_ISSUER_RECEIVABLE), -500);
    assert_int_equal(test_paying_paid(NAMES "sim,7.99,EUR,2026-11-27,R2\n"), SETPAY_OK);
    assert_int_equal(test_paying_last.matched, 799); /* to the last unit */
    assert_int_equal(test_paying_last.suspense, 0);
    assert_int_equal(test_paying_items().count, 0);
    /* Where it is tomorrow already, and nowhere later. */
    assert_int_equal(test_paying_paid(NAMES "sim,0.01,EUR,2026-11-28,R3\n"), SETPAY_E_INVALID);
    assert_non_null(strstr(test_paying_last.problem.text,
                           "line 2: date: found \"2026-11-28\", expected a day up to 2026-11-27"));
    assert_int_equal(test_paying_paid(NAMES "sim,0.01,EUR,2026-11-27,R3\n"), SETPAY_OK);
    assert_int_equal(test_paying_last.matched, 0);
    assert_int_equal(test_paying_last.suspense, 1);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_SUSPENSE), -1);
    assert_int_equal(test_paying_items().count, 1);
}

static void the_rest_goes_to_suspense(void **state)
{
    (void)state;
    assert_int_equal(test_paying_paid(NAMES "sim,13.00,EUR,2026-11-26,R1\n"
                                            "sim,1,JPY,2026-11-26,R2\n"
                                            "another,2.00,EUR,2026-11-26,R1\n"),
                     SETPAY_OK);
    assert_int_equal(test_paying_last.matched, 1299);
    assert_int_equal(test_paying_last.suspense, 1 + 1 + 200);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM ledger_entry WHERE kind = 12"), 3);
    assert_int_equal(test_paying_items().count, 3);
}

static void a_reference_is_booked_once(void **state)
{
    (void)state;
    assert_int_equal(test_paying_paid(NAMES "sim,5.00,EUR,2026-11-26,R1\n"), SETPAY_OK);
    assert_int_equal(
        test_paying_paid(NAMES "sim,5.00,EUR,2026-11-26,R1\nsim,1.00,EUR,2026-11-26,R2\n"),
        SETPAY_OK);
    assert_int_equal(test_paying_last.known, 1);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_CASH), 600);
    /* Another amount, currency or day under it is refused, and all that came with it. */
    static const char *const others[] = {"5.01,EUR,2026-11-26", "5.00,USD,2026-11-26",
                                         "5.00,EUR,2026-11-27"};
    for (size_t i = 0; i < 3; i++) {
        char lines[256];
        (void)snprintf(lines, sizeof lines, NAMES "sim,9.00,EUR,2026-11-26,R9\nsim,%s,R1\n",
                       others[i]);
        assert_int_equal(test_paying_paid(lines), SETPAY_E_EXISTS);
        assert_non_null(
            strstr(test_paying_last.problem.text, "line 3: reference: sim has paid with R1"));
    }
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_CASH), 600);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM issuer_payment"), 2);
}

static void suspense_of_a_payment_goes_to_the_issuer_or_back(void **state)
{
    (void)state;
    assert_int_equal(test_paying_paid(NAMES "sim,13.99,EUR,2026-11-26,R1\n"), SETPAY_OK);
    struct setpay_suspense_item item = test_paying_items().item;
    assert_true(item.is_payment);
    assert_int_equal(item.amount_minor, 100);
    assert_string_equal(item.what, "R1");
    /* It owes nothing more; then it takes what waited, and owes 39. */
    assert_int_equal(
        test_paying_clear(&item.event, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 1, "EUR", NOON),
        SETPAY_E_MONEY_NEGATIVE);
    assert_non_null(strstr(test_paying_cleared.problem.text, "the issuer sim owes only 0.00 EUR"));
    test_day_edit("UPDATE presentment SET acknowledged = 1, response_code = '00',"
                  " acknowledged_ms = created_ms + 50 WHERE acknowledged = 0");
    assert_int_equal(
        test_paying_clear(&item.event, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 40, "EUR", NOON),
        SETPAY_E_MONEY_NEGATIVE);
    assert_int_equal(
        test_paying_clear(&item.event, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 39, "EUR", NOON),
        SETPAY_OK);
    assert_int_equal(test_paying_clear(&item.event, SETPAY_ACCOUNT_CASH, 0, "", NOON), SETPAY_OK);
    assert_int_equal(test_paying_cleared.row.amount_minor, 61);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_SUSPENSE), 0);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_CASH), 1399 - 61);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_ISSUER_RECEIVABLE), -1299 - 39);
    assert_int_equal(test_paying_items().count, 0);
    assert_int_equal(test_paying_clear(&item.event, SETPAY_ACCOUNT_CASH, 1, "EUR", NOON),
                     SETPAY_E_MONEY_NEGATIVE);
    assert_int_equal(test_paying_paid(NAMES "sim,0.01,EUR,2026-11-27,R2\n"), SETPAY_OK);
    assert_int_equal(test_paying_last.suspense, 1); /* it owes nothing again */
}

/* One list is booked as several would be. */
static void a_list_matches_line_by_line(void **state)
{
    (void)state;
    assert_int_equal(test_paying_paid(NAMES "sim,5.00,EUR,2026-11-26,R1\n"
                                            "sim,1,JPY,2026-11-26,R2\n"
                                            "sim,7.00,EUR,2026-11-26,R3\n"
                                            "sim,1.00,EUR,2026-11-26,R4\n"
                                            "sim,1.00,EUR,2026-11-26,R5\n"),
                     SETPAY_OK);
    assert_int_equal(test_day_ask("SELECT matched_minor FROM issuer_payment"
                                  " WHERE reference = 'R3'"),
                     700);
    assert_int_equal(test_day_ask("SELECT matched_minor FROM issuer_payment"
                                  " WHERE reference = 'R4'"),
                     99);
    assert_int_equal(test_day_ask("SELECT matched_minor FROM issuer_payment"
                                  " WHERE reference IN ('R2', 'R5') ORDER BY 1 DESC"),
                     0);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_ISSUER_RECEIVABLE), -1299);
}

/* ------------------------------------------------------------------ every edit is found */

/* R1 is matched, R2 leaves 100 in suspense, of which 30 went back; of 297 that were refused 200
 * went to the merchant, with settlement 2. */
static int open_paid(void **state)
{
    test_paying_open(state);
    test_day_settle(NOON, NULL);
    struct setpay_suspense_item refused = test_paying_items().item;
    assert_int_equal(
        test_paying_clear(&refused.event, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 200, "EUR", NOON),
        SETPAY_OK);
    assert_int_equal(
        test_paying_clear(&refused.event, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0, "", NOON),
        SETPAY_OK);
    assert_int_equal(
        test_paying_paid(NAMES "sim,5.00,EUR,2026-11-26,R1\nsim,11.00,EUR,2026-11-26,R2\n"),
        SETPAY_OK);
    struct setpay_suspense_item rest = test_paying_items().item;
    assert_int_equal(rest.amount_minor, 100);
    assert_int_equal(test_paying_clear(&rest.event, SETPAY_ACCOUNT_CASH, 30, "EUR", NOON),
                     SETPAY_OK);
    test_day_settle(NOON + SETPAY_DAY_MS, NULL);
    assert_int_equal(test_day_verify().findings, 0);
    return 0;
}

static const struct {
    const char *sql, *words;
} edits[] = {
    {"UPDATE issuer_payment SET amount_minor = 501 WHERE id = 1", "currency or content"},
    {"UPDATE issuer_payment SET matched_minor = 499 WHERE id = 1", "posted with other amounts"},
    {"UPDATE issuer_payment SET matched_minor = 501 WHERE id = 1", "matched beyond what was paid"},
    {"UPDATE issuer_payment SET matched_minor = -1 WHERE id = 1", "matched beyond what was paid"},
    {"UPDATE issuer_payment SET reference = 'R9' WHERE id = 1", "currency or content"},
    {"UPDATE issuer_payment SET issuer = 'another' WHERE id = 1", "currency or content"},
    {"UPDATE issuer_payment SET currency = 'USD' WHERE id = 1", "currency or content"},
    {"UPDATE issuer_payment SET day = '2026-11-27' WHERE id = 1", "currency or content"},
    {"UPDATE issuer_payment SET created_ms = 1 WHERE id = 1", "currency or content"},
    {"UPDATE issuer_payment SET token = zeroblob(16) WHERE id = 1", "there is no issuer's payment"},
    {"DELETE FROM issuer_payment WHERE id = 1", "there is no issuer's payment"},
    {"DELETE FROM issuer_payment WHERE id = 2", "cleared out of suspense, and never in it"},
    {"INSERT INTO issuer_payment SELECT 9, zeroblob(16), issuer, 'R9', currency, 1, day, 1,"
     " created_ms, NULL, 0, '' FROM issuer_payment WHERE id = 1",
     "not in the ledger: what was paid by sim R9"},
    {"UPDATE suspense_clearing SET amount_minor = 31 WHERE id = 3", "currency or content"},
    {"UPDATE suspense_clearing SET amount_minor = 101 WHERE id = 3", "beyond nothing"},
    {"UPDATE suspense_clearing SET amount_minor = -1 WHERE id = 2", "beyond nothing"},
    {"UPDATE suspense_clearing SET account = 1 WHERE id = 3", "currency or content"},
    {"UPDATE suspense_clearing SET account = 2 WHERE id = 3", "to where it can't go"},
    {"UPDATE suspense_clearing SET account = 5 WHERE id = 1", "to where it can't go"},
    {"UPDATE suspense_clearing SET reason = 'none' WHERE id = 3", "currency or content"},
    {"UPDATE suspense_clearing SET number = 2 WHERE id = 3", "not numbered from 1 without a gap"},
    {"UPDATE suspense_clearing SET item = zeroblob(16) WHERE id = 3", "and never in it"},
    {"UPDATE suspense_clearing SET brand = 'visa' WHERE id = 3", "out of suspense for another"},
    {"UPDATE suspense_clearing SET merchant_id = 'x' WHERE id = 1", "out of suspense for another"},
    {"UPDATE suspense_clearing SET currency = 'USD' WHERE id = 3", "out of suspense for another"},
    {"UPDATE suspense_clearing SET created_ms = 1 WHERE id = 1", "currency or content"},
    {"UPDATE suspense_clearing SET token = zeroblob(16) WHERE id = 3", "there is no clearing of"},
    {"DELETE FROM suspense_clearing WHERE id = 3", "there is no clearing of suspense"},
    {"DELETE FROM suspense_clearing WHERE id = 1", "of no dispute and no clearing"},
    {"INSERT INTO suspense_clearing SELECT 9, zeroblob(16), item, 2, brand, merchant_id, currency,"
     " 1, 5, reason, created_ms, 0, 0, 0, 0 FROM suspense_clearing WHERE id = 3",
     "not in the ledger: clearing 9"},
    {"DELETE FROM adjustment", "nothing was adjusted for it: kind 3 of 1"},
    {"UPDATE settlement SET cleared_minor = 199 WHERE id = 2", "199 cleared (1)"},
    {"UPDATE settlement SET cleared_count = 0 WHERE id = 2", "200 cleared (0)"},
    {"UPDATE ledger_balance SET amount_minor = amount_minor + 1 WHERE account = 5 AND brand = ''",
     "steps and settlements leave something else: account 5,  sim, EUR"},
};

static const struct {
    const char *sql, *words;
} forgeries[] = {
    {"UPDATE ledger_posting SET amount_minor = amount_minor * 2 WHERE entry IN"
     " (SELECT MIN(number) FROM ledger_entry WHERE kind = 12)",
     "would be posted with other amounts"},
    {"UPDATE ledger_posting SET account = 2 WHERE account = 5 AND entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 13)",
     "the clearing of suspense"},
    {"UPDATE ledger_entry SET merchant_id = 'other' WHERE kind = 12", "of another merchant"},
    {"UPDATE ledger_entry SET currency = 'USD' WHERE kind = 13", "of another merchant, currency"},
};

static void every_edit_is_found_and_named(void **state)
{
    size_t edit_count = sizeof edits / sizeof *edits;
    size_t forgery_count = sizeof forgeries / sizeof *forgeries;
    (void)state;
    for (size_t i = 0; i < edit_count; i++)
        test_day_expect_found(edits[i].sql, edits[i].words, false);
    test_day_operate(test_day_chain_anew, NULL);
    assert_int_equal(test_day_verify().findings, 0);
    for (size_t i = 0; i < forgery_count; i++)
        test_day_expect_found(forgeries[i].sql, forgeries[i].words, true);
    print_message("# tally: edits to settled books that were found = %zu\n",
                  edit_count + forgery_count);
}

#define BOOKS(test) cmocka_unit_test_setup_teardown(test, test_paying_open, test_day_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_read),
        cmocka_unit_test(what_is_wrong_with_a_list_is_named),
        cmocka_unit_test(a_list_has_no_more_than_its_limit),
        cmocka_unit_test(no_more_is_matched_than_is_owed),
        BOOKS(a_payment_goes_against_what_is_owed),
        BOOKS(the_rest_goes_to_suspense),
        BOOKS(a_reference_is_booked_once),
        BOOKS(a_list_matches_line_by_line),
        BOOKS(suspense_of_a_payment_goes_to_the_issuer_or_back),
        cmocka_unit_test_setup_teardown(every_edit_is_found_and_named, open_paid, test_day_close),
    };
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
