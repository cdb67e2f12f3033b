/*
 * Suspense: how much is cleared of an item, and what of interchange and fee falls on it (pure); and
 * on a database what is left in every account once each is cleared, and the issuer has paid what it
 * truly owes: nothing, but what somebody earned or lost. In the end of every test the ledger and
 * all that stands around it verify. Then every edit is found, and named.
 */
#include "common/base/log.h"
#include "gateway/clearing/presentment.h"
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

static void an_item_is_cleared_in_its_own_direction(void **state)
{
    static const struct {
        bool is_payment;
        int64_t amount, cleared, asked;
        enum setpay_account account;
        enum setpay_error error;
        int64_t made;
    } cases[] = {
        {false, 495, 0, 0, SETPAY_ACCOUNT_MERCHANT_PAYABLE, SETPAY_OK, 495},
        {false, 495, 95, 0, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, SETPAY_OK, 400},
        {false, 495, 494, 1, SETPAY_ACCOUNT_MERCHANT_PAYABLE, SETPAY_OK, 1},
        {false, 495, 494, 2, SETPAY_ACCOUNT_MERCHANT_PAYABLE, SETPAY_E_MONEY_NEGATIVE, 77},
        {false, 495, 495, 0, SETPAY_ACCOUNT_MERCHANT_PAYABLE, SETPAY_E_MONEY_NEGATIVE, 77},
        {false, 495, 0, 1, SETPAY_ACCOUNT_CASH, SETPAY_E_INVALID, 77},
        {false, -70, 0, 0, SETPAY_ACCOUNT_MERCHANT_PAYABLE, SETPAY_OK, -70},
        {false, -70, -69, 1, SETPAY_ACCOUNT_MERCHANT_PAYABLE, SETPAY_OK, -1},
        {false, -70, -69, 2, SETPAY_ACCOUNT_MERCHANT_PAYABLE, SETPAY_E_MONEY_NEGATIVE, 77},
        {true, 10, 0, 3, SETPAY_ACCOUNT_CASH, SETPAY_OK, 3},
        {true, 10, 0, 0, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, SETPAY_OK, 10},
        {true, 10, 0, 11, SETPAY_ACCOUNT_CASH, SETPAY_E_MONEY_NEGATIVE, 77},
        {true, 10, 0, 1, SETPAY_ACCOUNT_MERCHANT_PAYABLE, SETPAY_E_INVALID, 77},
        {true, 10, 0, 1, SETPAY_ACCOUNT_FEES, SETPAY_E_INVALID, 77},
        {false, 0, 0, 0, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, SETPAY_OK, 0}, /* a fee took all of it */
        {false, 0, 0, 1, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, SETPAY_E_MONEY_NEGATIVE, 77},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct setpay_suspense_item item = {.is_payment = cases[i].is_payment,
                                            .currency = "EUR",
                                            .amount_minor = cases[i].amount,
                                            .cleared_minor = cases[i].cleared};
        struct setpay_problem problem;
        int64_t made = 77;
        enum setpay_error error =
            setpay_suspense_decide(&item, cases[i].account, cases[i].asked, &made, &problem);
        if (error != cases[i].error || made != cases[i].made)
            fail_msg("case %zu: error %d, %lld", i, (int)error, (long long)made);
    }
}

/* Each number of the sequence follows from the one before: the same in every run. */
static int64_t next_random(uint64_t *seed, int64_t below)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (int64_t)((*seed >> 11) % (uint64_t)below);
}

/* What was posted to an account. */
static int64_t posted(const struct setpay_ledger_entry *entry, enum setpay_account account)
{
    int64_t sum = 0;
    for (size_t i = 0; i < entry->posting_count; i++)
        sum += entry->postings[i].account == account ? entry->postings[i].amount_minor : 0;
    return sum;
}

/* One part of at least one minor unit, to the account; adds up what falls on it, and what is posted
 * to issuer receivable. */
static void clear_part(struct setpay_suspense_item *item, enum setpay_account account,
                       uint64_t *seed, struct setpay_suspense_clearing *all, int64_t *receivable)
{
    int64_t sign = item->amount_minor < 0 ? -1 : 1;
    int64_t left = llabs(item->amount_minor - item->cleared_minor);
    int64_t part = left == 0 ? 0 : 1 + next_random(seed, left);
    struct setpay_suspense_clearing c = {.amount_minor = sign * part, .account = account};
    struct setpay_ledger_entry entry = {.number = 0};
    int64_t sum = 0;
    setpay_suspense_share(item, &c);
    assert_true(sign * c.interchange_minor >= 0 && sign * c.fee_minor >= 0 &&
                sign * c.loss_minor >= 0);
    setpay_suspense_clearing_post(&c, &entry);
    for (size_t i = 0; i < entry.posting_count; i++)
        sum += entry.postings[i].amount_minor;
    assert_int_equal(sum, 0);
    assert_int_equal(posted(&entry, SETPAY_ACCOUNT_LOSSES), c.loss_minor);
    *receivable += posted(&entry, SETPAY_ACCOUNT_ISSUER_RECEIVABLE);
    all->interchange_minor += c.interchange_minor;
    all->fee_minor += c.fee_minor;
    all->loss_minor += c.loss_minor;
    item->cleared_minor += c.amount_minor;
    item->clearings++;
}

/* Clears an item in parts: all to its merchant, all to its issuer, or by turns. What falls on them,
 * added up, is what it is whole; of what was written off no claim is left, and the loss is the
 * gross amount where all of it went to the merchant. */
static void clear_in_parts(struct setpay_suspense_item *item, int64_t gross_minor, uint64_t *seed)
{
    int64_t places = next_random(seed, 3);
    int64_t receivable = 0;
    struct setpay_suspense_clearing all = {.loss_minor = 0};
    while (setpay_suspense_is_open(item)) {
        bool to_merchant = places == 2 ? next_random(seed, 2) == 0 : places == 0;
        clear_part(item,
                   to_merchant ? SETPAY_ACCOUNT_MERCHANT_PAYABLE : SETPAY_ACCOUNT_ISSUER_RECEIVABLE,
                   seed, &all, &receivable);
    }
    assert_int_equal(all.interchange_minor, item->interchange_minor);
    assert_int_equal(all.fee_minor, item->fee_minor);
    if (item->is_written_off || places == 1)
        assert_int_equal(receivable, -(gross_minor - item->interchange_minor));
    else if (places == 0)
        assert_int_equal(receivable, 0);
    if (item->is_written_off && places == 0)
        assert_int_equal(all.loss_minor, gross_minor);
    else if (!item->is_written_off || places == 1)
        assert_int_equal(all.loss_minor, 0);
}

static void the_shares_of_all_parts_come_to_the_whole(void **state)
{
    uint64_t seed = 20261127;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t limit = i % 3 == 0 ? 12 : i % 3 == 1 ? 100000 : SETPAY_MONEY_MAX_MINOR;
        int64_t gross = 1 + next_random(&seed, limit);
        bool credits = next_random(&seed, 4) == 0;
        int64_t fee = credits ? 0 : next_random(&seed, gross + 1);
        int64_t sign = credits ? -1 : 1;
        struct setpay_suspense_item item = {
            .is_written_off = next_random(&seed, 2) == 0,
            .amount_minor = sign * (gross - fee),
            .interchange_minor = sign * next_random(&seed, gross + 1),
            .fee_minor = fee,
        };
        clear_in_parts(&item, sign * gross, &seed);
    }
}

static void a_part_has_its_share_rounded_to_the_even_one(void **state)
{
    /* Of 4935 with interchange 10 and a fee of 65. */
    static const struct {
        int64_t cleared, amount, interchange, fee;
    } cases[] = {
        {0, 4935, 10, 65}, {0, 1000, 2, 13}, {1000, 2000, 4, 27}, {3000, 1935, 4, 25},
        {0, 1, 0, 0},      {4934, 1, 0, 0},  {0, 2467, 5, 32},    {2467, 2468, 5, 33},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct setpay_suspense_item item = {.amount_minor = 4935,
                                                  .interchange_minor = 10,
                                                  .fee_minor = 65,
                                                  .cleared_minor = cases[i].cleared};
        struct setpay_suspense_clearing c = {.amount_minor = cases[i].amount,
                                             .account = SETPAY_ACCOUNT_ISSUER_RECEIVABLE};
        setpay_suspense_share(&item, &c);
        if (c.interchange_minor != cases[i].interchange || c.fee_minor != cases[i].fee)
            fail_msg("case %zu: %lld, %lld", i, (long long)c.interchange_minor,
                     (long long)c.fee_minor);
    }
}

/* ------------------------------------------------------------------ on a database */

static void nobody_was_charged(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    test_paying_move(&item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0);
    assert_int_equal(test_paying_cleared.row.interchange_minor, 10);
    assert_int_equal(test_paying_cleared.row.fee_minor, 65);
    test_paying_finish(NULL);
    test_paying_expect_left(0, 0, 0, 0);
}

static void nobody_was_charged_in_parts(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    for (int i = 0; i < 7; i++)
        test_paying_move(&item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 333 + i);
    test_paying_move(&item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0);
    test_paying_finish(NULL);
    test_paying_expect_left(0, 0, 0, 0);
}

/* It owes the amount less interchange, the merchant got the amount less the fee. */
static void it_was_right_after_all(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 1234);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0);
    test_paying_finish("49.90");
    test_paying_expect_left(10, -65, 0, 4990 - 4935);
}

static void part_of_it_was_right(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 1000);
    test_paying_move(&item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 2000);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0);
    /* 1000 - 2 + 13, and 1935 - 4 + 25 */
    test_paying_finish("29.67");
    test_paying_expect_left(6, -38, 0, 2967 - 2935);
}

/* No issuer has ever heard of it: what the merchant gets is our loss. */
static void written_off_and_paid_all_the_same(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "WO");
    assert_true(test_paying_items().item.is_written_off);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 4000);
    assert_int_equal(test_paying_cleared.row.loss_minor, 4000 + 53);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0);
    test_paying_finish(NULL);
    test_paying_expect_left(0, -65, 5000, -4935);
}

static void written_off_and_owed_by_nobody(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "WO");
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 1000);
    test_paying_move(&item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0);
    test_paying_finish(NULL);
    test_paying_expect_left(0, -13, 1013, -1000);
}

/* A fee took all of the capture: nothing of it is the merchant's, and yet the issuer owes it, or
 * nobody was charged. */
static void what_is_nothing_to_its_merchant(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5, 1, 5, "25");
    assert_int_equal(test_paying_items().item.amount_minor, 0);
    assert_int_equal(test_paying_clear(&item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 1, "EUR", NOON),
                     SETPAY_E_MONEY_NEGATIVE);
    test_paying_move(&item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0);
    assert_int_equal(test_paying_clear(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0, "", NOON),
                     SETPAY_E_MONEY_NEGATIVE);
    test_paying_finish(NULL);
    test_paying_expect_left(0, 0, 0, 0);
}

static void what_is_nothing_to_its_merchant_and_owed(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5, 1, 5, "25");
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM adjustment"), 0);
    test_paying_finish("0.04");
    test_paying_expect_left(1, -5, 0, 4);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), 0);
    test_day_expect_found("UPDATE suspense_clearing SET reason = 'x'",
                          "its token is of another content", false);
    test_day_expect_found("UPDATE suspense_clearing SET account = 1", "currency or content", false);
    test_day_expect_found("DELETE FROM suspense_clearing", "there is no clearing of suspense",
                          false);
    test_day_expect_found("UPDATE suspense_clearing SET token = zeroblob(16)",
                          "not in the ledger: clearing 1", false);
    test_day_expect_found("UPDATE ledger_posting SET amount_minor = 2 * amount_minor WHERE entry ="
                          " (SELECT number FROM ledger_entry WHERE kind = 13)",
                          "would be posted with other amounts", true);
    test_day_expect_found("INSERT INTO ledger_before SELECT token FROM suspense_clearing;"
                          "DELETE FROM suspense_clearing",
                          "there is no clearing of suspense", false);
}

static enum setpay_error find_capture(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_step *step = arg;
    return setpay_gateway_step_find(db, &step->token, step);
}

/* What the cardholder was not charged of the newest step. */
static int64_t uncharged(uint8_t token)
{
    struct setpay_gateway_step step;
    memset(step.token.bytes, token, sizeof step.token.bytes);
    test_day_operate(find_capture, &step);
    return step.uncharged_minor;
}

/* What was refused can be credited only so far as it was cleared to the merchant (rule G8). */
static void what_was_refused_was_not_charged(void **state)
{
    (void)state;
    (void)test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 700, 0, 0, NULL);
    (void)test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 800, 0, DAY_26 - 9, NULL);
    test_day_capture("EUR", 900, 0, DAY_26 - 8);
    struct setpay_id refused =
        test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 600, 0, DAY_26 + 1, "25");
    for (uint8_t token = 1; token <= 3; token++)
        assert_int_equal(uncharged(token), 0);
    assert_int_equal(uncharged(refused.bytes[0]), 600); /* before it is settled */
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    assert_int_equal(uncharged(77), 5000);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 1000); /* and 13 of the fee */
    assert_int_equal(uncharged(77), 3987);
    test_paying_move(&item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 2000);
    assert_int_equal(uncharged(77), 3987);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0);
    assert_int_equal(uncharged(77), 5000 - 1013 - 1960);
    /* As it was cleared before there were shares: they are computed. */
    test_day_edit("ALTER TABLE suspense_clearing RENAME COLUMN fee_minor TO kept;"
                  "ALTER TABLE suspense_clearing ADD COLUMN fee_minor INTEGER");
    assert_int_equal(uncharged(77), 5000 - 1013 - 1960);
    test_day_edit("ALTER TABLE suspense_clearing DROP COLUMN fee_minor;"
                  "ALTER TABLE suspense_clearing RENAME COLUMN kept TO fee_minor");
}

static void what_was_written_off_was_not_charged(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "WO");
    assert_int_equal(uncharged(77), 5000);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0);
    assert_int_equal(uncharged(77), 5000);
}

static void a_fee_that_took_all_was_charged_after_all(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5, 1, 5, "25");
    assert_int_equal(uncharged(77), 5);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0);
    assert_int_equal(uncharged(77), 0);
}

/* What was refused, and was right after all, is paid with the merchant's next settlement. */
static void suspense_of_a_presentment_goes_to_the_merchant_or_the_issuer(void **state)
{
    struct setpay_id nothing = {{7}};
    (void)state;
    test_day_settle(NOON, NULL);
    struct setpay_suspense_item item = test_paying_items().item;
    assert_int_equal(test_paying_items().count, 1);
    assert_false(item.is_payment);
    assert_int_equal(item.amount_minor, 297);
    assert_int_equal(test_paying_clear(&nothing, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0, "", NOON),
                     SETPAY_E_NOT_FOUND);
    assert_int_equal(
        test_paying_clear(&item.event, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 1, "USD", NOON),
        SETPAY_E_MONEY_CURRENCY);
    assert_int_equal(test_paying_clear(&item.event, SETPAY_ACCOUNT_CASH, 1, "EUR", NOON),
                     SETPAY_E_INVALID);
    assert_int_equal(
        test_paying_clear(&item.event, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 298, "EUR", NOON),
        SETPAY_E_MONEY_NEGATIVE);
    assert_int_equal(
        test_paying_clear(&item.event, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 200, "EUR", NOON),
        SETPAY_OK);
    assert_int_equal(test_paying_clear(&item.event, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0, "", NOON),
                     SETPAY_OK);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_SUSPENSE, "EUR"), 0);
    assert_int_equal(test_day_settle(NOON, NULL), 0);
    assert_int_equal(test_day_settle(NOON + SETPAY_DAY_MS, NULL), 1);
    assert_int_equal(test_day_settled.made[0].adjusted.cleared_minor, 200);
    assert_int_equal(test_day_settled.made[0].payout_minor, 200);
    /* Of what the merchant got, the issuer owes it, with a fee of 2 and less interchange of 1; of
     * the rest nothing is claimed any more. What has no answer yet stays. */
    assert_int_equal(test_paying_paid(NAMES "sim,15.01,EUR,2026-11-27,R1\n"), SETPAY_OK);
    assert_int_equal(test_paying_last.matched, 1299 + 201);
    assert_int_equal(test_paying_last.suspense, 1);
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_ISSUER_RECEIVABLE), 39);
}

/* A credit that was refused went to suspense the other way, and is cleared the other way. */
static void a_refused_credit_is_cleared_below_nothing(void **state)
{
    (void)state;
    test_day_edit("UPDATE presentment SET response_code = '13' WHERE id = 3");
    test_day_edit("UPDATE presentment SET response_code = '00' WHERE id = 4");
    test_day_settle(NOON, NULL);
    struct setpay_suspense_item item = test_paying_items().item;
    assert_int_equal(item.amount_minor, -200);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_SUSPENSE, "EUR"), 200);
    assert_int_equal(
        test_paying_clear(&item.event, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 50, "EUR", NOON),
        SETPAY_OK);
    assert_int_equal(test_paying_cleared.row.amount_minor, -50);
    assert_int_equal(
        test_paying_clear(&item.event, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 151, "EUR", NOON),
        SETPAY_E_MONEY_NEGATIVE);
    assert_int_equal(test_paying_clear(&item.event, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0, "", NOON),
                     SETPAY_OK);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_SUSPENSE, "EUR"), 0);
    assert_int_equal(test_day_settle(NOON + SETPAY_DAY_MS, NULL), 1);
    assert_int_equal(test_day_settled.made[0].adjusted.cleared_minor, -50);
    assert_int_equal(test_day_settled.made[0].carried_out_minor, -50); /* it gave that back */
}

/* The issuer has not heard that it was given back: the merchant's loss is our gain, until somebody
 * finds out whose it is. */
static void a_credit_that_was_written_off(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CREDIT, 200, 0, 0, "WO");
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 50);
    assert_int_equal(test_paying_cleared.row.loss_minor, -50);
    test_paying_move(&item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0);
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_LOSSES), -50);
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_ISSUER_RECEIVABLE), 0);
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_SUSPENSE), 0);
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_MERCHANT_PAYABLE), 50);
}

/* ------------------------------------------------------------------ every edit is found */

/* Clearing 1: 1000 to the merchant, 2: the rest to the issuer. */
static int open_refused(void **state)
{
    test_day_open(state);
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 1000);
    test_paying_move(&item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0);
    assert_int_equal(test_day_verify().findings, 0);
    return 0;
}

static int open_written_off(void **state)
{
    test_day_open(state);
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "WO");
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 1000);
    assert_int_equal(test_day_verify().findings, 0);
    return 0;
}

struct edit {
    const char *sql, *words;
};
#define LEAST "-9223372036854775808" /* without an amount of the other sign */
static const struct edit edits[] = {
    {"UPDATE suspense_clearing SET amount_minor = " LEAST " WHERE id = 1", "beyond nothing"},
    {"UPDATE suspense_clearing SET amount_minor = " LEAST " WHERE id = 2", "beyond nothing"},
    {"UPDATE suspense_clearing SET amount_minor = " LEAST " WHERE id = 2",
     "steps and settlements leave something else: account 6"},
    {"UPDATE suspense_clearing SET interchange_minor = " LEAST " WHERE id = 2",
     "clearing 2: interchange of " LEAST ", a fee of 52 and a loss of 0 fall on it, expected 8,"},
    {"UPDATE suspense_clearing SET fee_minor = " LEAST " WHERE id = 2",
     "a fee of " LEAST " and a loss of 0 fall on it"},
    {"UPDATE suspense_clearing SET loss_minor = " LEAST " WHERE id = 1",
     "and a loss of " LEAST " fall on it, expected 2, 13 and 0"},
    {"UPDATE suspense_clearing SET loss_minor = " LEAST " WHERE id = 1", "currency or content"},
    {"UPDATE suspense_clearing SET interchange_minor = 3 WHERE id = 1",
     "clearing 1: interchange of 3, a fee of 13 and a loss of 0 fall on it, expected 2, 13 and 0"},
    {"UPDATE suspense_clearing SET fee_minor = 12 WHERE id = 1", "a fee of 12 and a loss of 0"},
    {"UPDATE suspense_clearing SET loss_minor = 1013 WHERE id = 1",
     "and a loss of 1013 fall on it"},
    {"UPDATE suspense_clearing SET interchange_minor = 7 WHERE id = 2", "currency or content"},
    {"UPDATE suspense_clearing SET fee_minor = 0 WHERE id = 2", "currency or content"},
    {"UPDATE suspense_clearing SET loss_minor = 1 WHERE id = 2", "clearing 2: its token is of"},
    {"UPDATE suspense_clearing SET interchange_minor = NULL, fee_minor = NULL, loss_minor = NULL"
     " WHERE id = 1",
     "clearing 1: its token is of another content"},
    {"UPDATE suspense_clearing SET interchange_minor = NULL, fee_minor = NULL, loss_minor = NULL"
     " WHERE id = 2",
     "without a share behind one that has it: clearing 2"},
    {"UPDATE suspense_clearing SET fee_minor = NULL WHERE id = 1", "without a share behind one"},
    {"UPDATE step SET interchange_minor = 11", "clearing 2: interchange of 8"},
    {"UPDATE presentment SET response_code = 'WO'", "written off by nobody"},
    {"UPDATE presentment SET response_code = 'WO', write_off = x''",
     "and a loss of 0 fall on it, expected 2, 13 and 1013"},
    {"UPDATE presentment SET reason = 'x'", "written off by nobody, or not written off"},
    {"UPDATE ledger_balance SET amount_minor = amount_minor + 1 WHERE account = 4",
     "steps and settlements leave something else: account 4"},
};
static const struct edit written_off_edits[] = {
    {"UPDATE presentment SET reason = 'nobody knows'",
     "written off at another time, or with other"},
    {"UPDATE presentment SET acknowledged_ms = acknowledged_ms + 1", "written off at another time"},
    {"UPDATE presentment SET write_off = zeroblob(16)", "written off at another time"},
    {"UPDATE presentment SET write_off = zeroblob(16)", "currency or step"},
    {"UPDATE presentment SET write_off = x'', reason = 'x'", "currency or step"},
    {"UPDATE presentment SET write_off = NULL", "written off by nobody"},
    {"UPDATE presentment SET response_code = '25'", "or not written off"},
    {"UPDATE presentment SET response_code = '25', write_off = NULL, reason = ''",
     "and a loss of 1013 fall on it, expected 2, 13 and 0"},
    {"UPDATE suspense_clearing SET loss_minor = 0", "currency or content"},
    {"UPDATE suspense_clearing SET loss_minor = 0", "expected 2, 13 and 1013"},
    {"UPDATE ledger_balance SET amount_minor = amount_minor - 1 WHERE account = 9",
     "steps and settlements leave something else: account 9"},
};
/* With its hashes and balances made anew. */
static const struct edit forgeries[] = {
    {"UPDATE ledger_posting SET account = 5 WHERE account = 4 AND entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 13)",
     "the clearing of suspense"},
    {"DELETE FROM ledger_posting WHERE account IN (3, 4) AND entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 13);"
     "UPDATE ledger_posting SET amount_minor = -3935 WHERE account = 1 AND entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 13)",
     "account 1, visa shop, EUR holds 1055, expected 1011"},
};

static void every_edit_is_found_and_named(void **state)
{
    size_t edit_count = sizeof edits / sizeof *edits;
    size_t forgery_count = sizeof forgeries / sizeof *forgeries;
    (void)state;
    for (size_t i = 0; i < edit_count; i++)
        test_day_expect_found(edits[i].sql, edits[i].words, false);
    for (size_t i = 0; i < forgery_count; i++)
        test_day_expect_found(forgeries[i].sql, forgeries[i].words, true);
    print_message("# tally: edits to settled books that were found = %zu\n",
                  edit_count + forgery_count);
}

static void every_edit_of_a_write_off_is_found_and_named(void **state)
{
    size_t count = sizeof written_off_edits / sizeof *written_off_edits;
    (void)state;
    for (size_t i = 0; i < count; i++)
        test_day_expect_found(written_off_edits[i].sql, written_off_edits[i].words, false);
    print_message("# tally: edits to settled books that were found = %zu\n", count);
}

/* The same before it is settled: the ledger has it from the moment on. */
static const struct edit unsettled_edits[] = {
    {"UPDATE presentment SET reason = 'nobody knows'", "the write-off"},
    {"UPDATE presentment SET acknowledged_ms = acknowledged_ms + 1", "written off at another time"},
    {"UPDATE presentment SET write_off = zeroblob(16)", "there is no write-off"},
    {"UPDATE presentment SET write_off = zeroblob(16)",
     "not in the ledger: the write-off of presentment 1"},
    {"UPDATE presentment SET write_off = x'', reason = 'x'", "there is no write-off"},
    {"UPDATE presentment SET response_code = '25', write_off = NULL, reason = ''",
     "there is no write-off"},
    {"DELETE FROM presentment", "there is no write-off"},
    {"UPDATE step SET amount_minor = 4999", "would be posted with other amounts"},
    {"INSERT INTO ledger_before SELECT write_off FROM presentment;"
     "UPDATE presentment SET reason = 'x'",
     "the write-off"},
};

static void every_edit_of_a_write_off_is_found_before_it_is_settled(void **state)
{
    size_t count = sizeof unsettled_edits / sizeof *unsettled_edits;
    (void)state;
    test_paying_give_up(5000, 10, 65);
    assert_int_equal(test_day_verify().findings, 0);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_ISSUER_RECEIVABLE, "EUR"), 4990);
    for (size_t i = 0; i < count; i++)
        test_day_expect_found(unsettled_edits[i].sql, unsettled_edits[i].words, false);
    print_message("# tally: edits to settled books that were found = %zu\n", count);
}

#define BOOKS(test) cmocka_unit_test_setup_teardown(test, test_day_open, test_day_close)
#define OWING(test) cmocka_unit_test_setup_teardown(test, test_paying_open, test_day_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_is_cleared_in_its_own_direction),
        cmocka_unit_test(the_shares_of_all_parts_come_to_the_whole),
        cmocka_unit_test(a_part_has_its_share_rounded_to_the_even_one),
        BOOKS(nobody_was_charged),
        BOOKS(nobody_was_charged_in_parts),
        BOOKS(it_was_right_after_all),
        BOOKS(part_of_it_was_right),
        BOOKS(written_off_and_paid_all_the_same),
        BOOKS(written_off_and_owed_by_nobody),
        BOOKS(what_was_refused_was_not_charged),
        BOOKS(what_was_written_off_was_not_charged),
        BOOKS(a_fee_that_took_all_was_charged_after_all),
        BOOKS(every_edit_of_a_write_off_is_found_before_it_is_settled),
        BOOKS(what_is_nothing_to_its_merchant),
        BOOKS(what_is_nothing_to_its_merchant_and_owed),
        BOOKS(a_credit_that_was_written_off),
        OWING(a_refused_credit_is_cleared_below_nothing),
        OWING(suspense_of_a_presentment_goes_to_the_merchant_or_the_issuer),
        cmocka_unit_test_setup_teardown(every_edit_is_found_and_named, open_refused,
                                        test_day_close),
        cmocka_unit_test_setup_teardown(every_edit_of_a_write_off_is_found_and_named,
                                        open_written_off, test_day_close),
    };
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
