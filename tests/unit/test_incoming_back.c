/*
 * What goes the other way: payments to an issuer that is owed something, and payments that were
 * booked by mistake and are undone. In the end of every test the ledger and all that stands around
 * it verify. Then every edit is found, and named.
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

struct call {
    struct setpay_incoming payment;
    setpay_time_ms now_ms;
    bool undoes;
    struct setpay_problem problem;
};
static struct call last;

static enum setpay_error run(struct setpay_db *db, void *arg)
{
    struct call *call = arg;
    return (call->undoes ? setpay_incoming_undo
                         : setpay_incoming_pay)(db, &call->payment, call->now_ms, &call->problem);
}

static void name(const char *reference)
{
    last = (struct call){.now_ms = NOON, .payment = {.issuer = "sim"}};
    (void)snprintf(last.payment.reference, sizeof last.payment.reference, "%s", reference);
}

static enum setpay_error pay(const char *reference, int64_t minor, const char *day)
{
    name(reference);
    last.payment.amount = (struct setpay_money){.minor = minor, .currency = "EUR"};
    (void)snprintf(last.payment.day, sizeof last.payment.day, "%s", day);
    return setpay_store_submit_wait(test_day_store, run, &last);
}

static enum setpay_error undo(const char *reference)
{
    name(reference);
    last.undoes = true;
    (void)snprintf(last.payment.undone_reason, sizeof last.payment.undone_reason, "mistyped");
    return setpay_store_submit_wait(test_day_store, run, &last);
}

static struct setpay_incoming_list listed; /* of no more than 8 */

static enum setpay_error take(void *arg, const struct setpay_incoming *payment)
{
    (void)arg;
    listed.rows[listed.count++] = *payment;
    return SETPAY_OK;
}

static enum setpay_error run_each(struct setpay_db *db, void *arg)
{
    return setpay_incoming_each(db, arg, 8, take, NULL);
}

static size_t list(const char *issuer)
{
    static struct setpay_incoming rows[8];
    listed = (struct setpay_incoming_list){.rows = rows};
    test_day_operate(run_each, (void *)(uintptr_t)issuer);
    return listed.count;
}

/* The issuer has paid 12.99, all that it owed; then 3.00 were credited. */
static void let_it_be_owed(void)
{
    assert_int_equal(test_paying_paid(NAMES "sim,12.99,EUR,2026-11-26,R1\n"), SETPAY_OK);
    test_day_credit("EUR", 300, DAY_26 - 1);
}

/* ------------------------------------------------------------------ paid to an issuer */

static void an_issuer_is_paid_what_it_is_owed(void **state)
{
    (void)state;
    assert_int_equal(pay("P1", 1, "2026-11-26"), SETPAY_E_MONEY_NEGATIVE); /* it owes us */
    assert_non_null(strstr(last.problem.text, "the issuer sim is owed only 0.00 EUR"));
    let_it_be_owed();
    int64_t cash = test_paying_sim(SETPAY_ACCOUNT_CASH);
    assert_int_equal(pay("P1", 301, "2026-11-26"), SETPAY_E_MONEY_NEGATIVE);
    assert_non_null(strstr(last.problem.text, "is owed only 3.00 EUR"));
    assert_int_equal(pay("P1", 100, "2026-11-28"), SETPAY_E_INVALID);
    assert_non_null(strstr(last.problem.text, "date: found \"2026-11-28\""));
    assert_int_equal(pay("P1", 100, "2026-11-26"), SETPAY_OK);
    assert_int_equal(last.payment.left_minor, -200);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_CASH), cash - 100);
    /* Once; and no other payment under that reference, neither way. */
    assert_int_equal(pay("P1", 100, "2026-11-26"), SETPAY_OK);
    assert_true(last.payment.known);
    assert_int_equal(pay("P1", 99, "2026-11-26"), SETPAY_E_EXISTS);
    assert_non_null(strstr(last.problem.text, "sim has been paid with P1 before"));
    assert_int_equal(pay("R1", 100, "2026-11-26"), SETPAY_E_EXISTS);
    assert_int_equal(test_paying_paid(NAMES "sim,1.00,EUR,2026-11-26,P1\n"), SETPAY_E_EXISTS);
    /* To the last unit. */
    assert_int_equal(pay("P2", 200, "2026-11-27"), SETPAY_OK);
    assert_int_equal(pay("P3", 1, "2026-11-27"), SETPAY_E_MONEY_NEGATIVE);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_CASH), cash - 300);
    assert_int_equal(test_paying_items().count, 0); /* nothing to suspense */
    /* What it pays now it does not owe. */
    assert_int_equal(test_paying_paid(NAMES "sim,0.01,EUR,2026-11-27,R2\n"), SETPAY_OK);
    assert_int_equal(test_paying_last.suspense, 1);
}

/* ------------------------------------------------------------------ undone */

static void a_payment_is_undone(void **state)
{
    (void)state;
    assert_int_equal(undo("R1"), SETPAY_E_NOT_FOUND);
    assert_non_null(strstr(last.problem.text, "no payment of sim with the reference R1"));
    /* 129.90 instead of 12.99: matched in part, the rest in suspense. */
    assert_int_equal(test_paying_paid(NAMES "sim,129.90,EUR,2026-11-26,R1\n"), SETPAY_OK);
    assert_int_equal(test_paying_items().count, 1);
    assert_int_equal(undo("R1"), SETPAY_OK);
    assert_int_equal(last.payment.amount.minor, 12990);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_CASH), 0);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_SUSPENSE), 0);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_ISSUER_RECEIVABLE), 0);
    assert_int_equal(test_paying_items().count, 0);
    assert_int_equal(undo("R1"), SETPAY_E_NOT_FOUND); /* once */
    /* Its reference is free for what the bank has said. */
    assert_int_equal(test_paying_paid(NAMES "sim,12.99,EUR,2026-11-26,R1\n"), SETPAY_OK);
    assert_int_equal(test_paying_last.known, 0);
    assert_int_equal(test_paying_last.matched, 1299);
    assert_int_equal(list("sim"), 2);
    assert_int_equal(listed.rows[0].amount.minor, 1299); /* the newest first */
    assert_int_equal(listed.rows[0].undone_ms, 0);
    assert_int_equal(listed.rows[1].undone_ms, NOON);
    assert_string_equal(listed.rows[1].undone_reason, "mistyped");
    assert_int_equal(list("another"), 0);
    assert_int_equal(list(NULL), 2);
}

static void a_payment_of_ours_is_undone(void **state)
{
    (void)state;
    let_it_be_owed();
    assert_int_equal(pay("P1", 300, "2026-11-26"), SETPAY_OK);
    assert_int_equal(undo("P1"), SETPAY_OK);
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_CASH), 1299);
    assert_int_equal(pay("P1", 200, "2026-11-26"), SETPAY_OK); /* it is owed that again */
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_CASH), 1299 - 200);
}

static void what_left_suspense_does_not_come_back(void **state)
{
    (void)state;
    assert_int_equal(test_paying_paid(NAMES "sim,13.99,EUR,2026-11-26,R1\n"), SETPAY_OK);
    struct setpay_suspense_item item = test_paying_items().item;
    assert_int_equal(test_paying_clear(&item.event, SETPAY_ACCOUNT_CASH, 1, "EUR", NOON),
                     SETPAY_OK);
    assert_int_equal(undo("R1"), SETPAY_E_STATE);
    assert_non_null(strstr(last.problem.text, "something was cleared"));
    assert_int_equal(test_paying_sim(SETPAY_ACCOUNT_CASH), 1398);
}

/* ------------------------------------------------------------------ every edit is found */

/* 1 is of the issuer, 2 was undone, 3 is ours. */
static int open_paid(void **state)
{
    test_paying_open(state);
    let_it_be_owed();
    assert_int_equal(test_paying_paid(NAMES "sim,7.00,EUR,2026-11-26,R2\n"), SETPAY_OK);
    assert_int_equal(undo("R2"), SETPAY_OK);
    assert_int_equal(pay("P1", 200, "2026-11-26"), SETPAY_OK);
    assert_int_equal(test_day_verify().findings, 0);
    return 0;
}

#define TOLD "undone and not told, or told and not undone: sim "
static const struct {
    const char *sql, *words;
} edits[] = {
    {"UPDATE issuer_payment SET undone = NULL, undone_ms = 0, undone_reason = '' WHERE id = 2",
     "there is no issuer's payment that was undone"},
    {"UPDATE issuer_payment SET undone = zeroblob(16), undone_ms = 1, undone_reason = 'x'"
     " WHERE id = 1",
     "not in the ledger: the undoing of sim R1"},
    {"UPDATE issuer_payment SET undone_ms = undone_ms + 1 WHERE id = 2", "currency or content"},
    {"UPDATE issuer_payment SET undone_reason = 'none' WHERE id = 2", "currency or content"},
    {"UPDATE issuer_payment SET undone_ms = 0 WHERE id = 2", TOLD "R2"},
    {"UPDATE issuer_payment SET undone_reason = '' WHERE id = 2", TOLD "R2"},
    {"UPDATE issuer_payment SET undone_reason = 'x' WHERE id = 1", TOLD "R1"},
    {"UPDATE issuer_payment SET amount_minor = 700 WHERE id = 3", "currency or content"},
    {"UPDATE issuer_payment SET matched_minor = -199 WHERE id = 3", "matched beyond what was paid"},
    {"UPDATE issuer_payment SET matched_minor = 0 WHERE id = 3", "matched beyond what was paid"},
    {"UPDATE issuer_payment SET amount_minor = 0 WHERE id = 3", "matched beyond what was paid"},
    {"DELETE FROM issuer_payment WHERE id = 2", "there is no issuer's payment that was undone"},
    {"DELETE FROM issuer_payment WHERE id = 3", "there is no issuer's payment"},
};

static const struct {
    const char *sql, *words;
} forgeries[] = {
    {"UPDATE ledger_posting SET amount_minor = -amount_minor WHERE entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 20)",
     "would be posted with other amounts"},
    {"UPDATE ledger_entry SET merchant_id = 'other' WHERE kind = 20", "of another merchant"},
    {"UPDATE ledger_entry SET time_ms = 1 WHERE kind = 20", "is of another time"},
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
        BOOKS(an_issuer_is_paid_what_it_is_owed),
        BOOKS(a_payment_is_undone),
        BOOKS(a_payment_of_ours_is_undone),
        BOOKS(what_left_suspense_does_not_come_back),
        cmocka_unit_test_setup_teardown(every_edit_is_found_and_named, open_paid, test_day_close),
    };
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
