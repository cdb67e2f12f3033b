/*
 * Fees to the last unit, and the ledger: what is appended verifies, from the beginning and from a
 * mark on; every edit to its rows is found, and named.
 */
#include "common/base/config.h"
#include "common/store/db.h"
#include "common/store/store.h"
#include "gateway/clearing/fees.h"
#include "gateway/clearing/given_back.h"
#include "gateway/clearing/ledger.h"
#include "gateway/payment/payment.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ fees */

static void rounds_a_half_to_even(void **state)
{
    static const struct {
        int64_t ppm, fixed, amount, fee;
    } cases[] = {
        {0, 0, 1000, 0},
        {10000, 0, 100, 1},
        {10000, 0, 50, 0},  /* 0.5: to 0 */
        {10000, 0, 150, 2}, /* 1.5: to 2 */
        {10000, 0, 250, 2}, /* 2.5: to 2 */
        {10000, 0, 51, 1},
        {10000, 0, 149, 1},
        {2500, 10, 10000, 35},
        {0, 25, 10, 10},
        {1000000, 0, 77, 77},
        {1000000, 1, 77, 77},
        {0, 0, 0, 0},
        {2500, 10, 0, 0},
        {1, 0, 499999, 0},
        {1, 0, 500000, 0},
        {1, 0, 500001, 1},
        {1, 0, 1500000, 2},
        {1000000, 0, SETPAY_MONEY_MAX_MINOR, SETPAY_MONEY_MAX_MINOR},
        {999999, SETPAY_MONEY_MAX_MINOR, SETPAY_MONEY_MAX_MINOR, SETPAY_MONEY_MAX_MINOR},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct setpay_fee fee = {cases[i].ppm, cases[i].fixed};
        assert_int_equal(setpay_fee_of(&fee, cases[i].amount), cases[i].fee);
    }
}

static void reads_fees(void **state)
{
    static const struct {
        const char *text, *currency;
        int64_t ppm, fixed;
    } good[] = {
        {"0.25 % + 0.10", "EUR", 2500, 10},
        {"1.4%+0.25", "EUR", 14000, 25},
        {"100 %", "EUR", 1000000, 0},
        {"0.0001 %", "EUR", 1, 0},
        {"0", "EUR", 0, 0},
        {"3", "JPY", 0, 3},
        {"1.250", "KWD", 0, 1250},
        {"0.5 % + 1", "EUR", 5000, 100},
    };
    static const char *const bad[] = {"",
                                      "%",
                                      "100.0001 %",
                                      "0.00001 %",
                                      "1 % 2",
                                      "1 % + ",
                                      "-1",
                                      "0.001",
                                      "1. %",
                                      "1 %%",
                                      "0.10 EUR",
                                      "+ 0.10",
                                      "1e3",
                                      "0,25 %",
                                      "99999999999999999999",
                                      "1 % + 99999999999999999999"};
    struct setpay_fee fee;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(setpay_fee_parse(good[i].text, good[i].currency, &fee), SETPAY_OK);
        assert_int_equal(fee.share_ppm, good[i].ppm);
        assert_int_equal(fee.fixed_minor, good[i].fixed);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fee = (struct setpay_fee){77, 78};
        if (setpay_fee_parse(bad[i], "EUR", &fee) != SETPAY_E_INVALID)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(fee.share_ppm, 77);
    }
    assert_int_equal(setpay_fee_parse("0.5", "JPY", &fee), SETPAY_E_INVALID);
    assert_int_equal(setpay_fee_parse("0", "XXY", &fee), SETPAY_E_INVALID);
}

static void a_merchant_may_have_a_price_of_its_own(void **state)
{
    static const struct setpay_fees fees = {
        .rows = {{"visa", "EUR", "acme", {0, 0}, {5000, 0}},
                 {"visa", "EUR", "", {2000, 0}, {12000, 5}},
                 {"visa", "USD", "", {3000, 0}, {20000, 0}}},
        .count = 3,
    };
    static const struct {
        const char *brand, *merchant, *currency;
        int64_t interchange, fee;
    } cases[] = {
        {"visa", "acme", "EUR", 20, 50}, {"visa", "other", "EUR", 20, 125},
        {"visa", "acm", "EUR", 20, 125}, {"visa", "acme", "USD", 30, 200},
        {"visa", "acme", "JPY", 0, 0},   {"mastercard", "acme", "EUR", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct setpay_money amount;
        assert_int_equal(setpay_money_make(10000, cases[i].currency, &amount), SETPAY_OK);
        const struct setpay_charges charges =
            setpay_fees_of(&fees, cases[i].brand, cases[i].merchant, &amount);
        assert_int_equal(charges.interchange_minor, cases[i].interchange);
        assert_int_equal(charges.fee_minor, cases[i].fee);
    }
}

/* ------------------------------------------------------------------ what comes back */

/* Credits all of it by parts of one size, the last of what is left; what came back in all. */
static int64_t give_back_all(int64_t captured, int64_t kept, int64_t part)
{
    struct setpay_kept_interchange of = {.captured_minor = captured, .kept_minor = kept};
    while (of.credited_minor < captured) {
        int64_t left = captured - of.credited_minor;
        int64_t credit = part < left ? part : left;
        int64_t given = setpay_given_back(&of, credit);
        assert_true(given >= 0 && given <= credit);
        of.credited_minor += credit;
        of.given_minor += given;
        assert_true(of.given_minor <= kept);
    }
    return of.given_minor;
}

static void all_of_it_comes_back_and_no_more(void **state)
{
    static const struct {
        int64_t captured, kept, part;
    } cases[] = {
        {100, 10, 10},
        {100, 10, 1},
        {100, 10, 33},
        {100, 10, 100},
        {100, 0, 7},
        {100, 100, 3},
        {1, 1, 1},
        {1, 0, 1},
        {7, 6, 1},
        {10, 9, 1},
        {999983, 2510, 997},
        {SETPAY_MONEY_MAX_MINOR, SETPAY_MONEY_MAX_MINOR, SETPAY_MONEY_MAX_MINOR / 3},
        {SETPAY_MONEY_MAX_MINOR, 1, SETPAY_MONEY_MAX_MINOR / 7},
        {SETPAY_MONEY_MAX_MINOR, SETPAY_MONEY_MAX_MINOR - 1, SETPAY_MONEY_MAX_MINOR - 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(give_back_all(cases[i].captured, cases[i].kept, cases[i].part),
                         cases[i].kept);
}

static void what_comes_back_is_rounded_over_all_credits(void **state)
{
    static const struct {
        struct setpay_kept_interchange of;
        int64_t credit, given;
    } cases[] = {
        {{1000, 1, 0, 0}, 500, 0},   /* 0.5: to 0 */
        {{1000, 1, 0, 0}, 501, 1},   /* above a half */
        {{1000, 3, 0, 0}, 500, 2},   /* 1.5: to 2 */
        {{1000, 5, 0, 0}, 500, 2},   /* 2.5: to 2 */
        {{1000, 5, 500, 2}, 500, 3}, /* the rest */
        {{1000, 35, 999, 35}, 1, 0}, {{1000, 35, 0, 0}, 1, 0},
        {{10, 1, 5, 1}, 1, 0}, /* one was undone: more came back already than is due */
        {{10, 1, 5, 1}, 5, 0},       {{10, 9, 5, 0}, 2, 2}, /* and less: at most what is credited */
        {{0, 0, 0, 0}, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(setpay_given_back(&cases[i].of, cases[i].credit), cases[i].given);
}

/* In whatever order credits are made and undone (from a seed): never more, and in the end all. */
static void undone_credits_leave_no_remainder(void **state)
{
    enum { PARTS = 12, TURNS = 4000 };
    uint32_t seed = 20261127;
    (void)state;
#define NEXT(limit) (seed = seed * 1664525 + 1013904223, (int64_t)((seed >> 8) % (uint32_t)(limit)))
    for (int turn = 0; turn < TURNS; turn++) {
        int64_t credits[PARTS], given[PARTS];
        size_t count = 0;
        struct setpay_kept_interchange of = {.captured_minor = 1 + NEXT(60)};
        of.kept_minor = NEXT(of.captured_minor + 1);
        for (int i = 0; i < 40; i++) {
            int64_t left = of.captured_minor - of.credited_minor;
            if (count > 0 && (NEXT(2) == 0 || left == 0 || count == PARTS)) {
                size_t at = (size_t)NEXT(count);
                of.credited_minor -= credits[at];
                of.given_minor -= given[at];
                credits[at] = credits[--count];
                given[at] = given[count];
                continue;
            }
            credits[count] = 1 + NEXT(left);
            given[count] = setpay_given_back(&of, credits[count]);
            of.credited_minor += credits[count];
            of.given_minor += given[count++];
            assert_true(of.given_minor <= of.kept_minor);
        }
        if (of.credited_minor < of.captured_minor)
            of.given_minor += setpay_given_back(&of, of.captured_minor - of.credited_minor);
        assert_int_equal(of.given_minor, of.kept_minor);
    }
#undef NEXT
}

/* ------------------------------------------------------------------ postings */

static void what_is_undone_leaves_nothing(void **state)
{
    const struct setpay_charges charges = {35, 165}, no_fee = {35, 0};
    struct setpay_ledger_entry there = {0}, back = {0};
    (void)state;
    setpay_ledger_post(SETPAY_LEDGER_CAPTURE, 10000, &charges, &there);
    setpay_ledger_post(SETPAY_LEDGER_CAPTURE_REVERSAL, 10000, &charges, &back);
    assert_int_equal(there.posting_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(there.postings[i].account, back.postings[i].account);
        assert_int_equal(there.postings[i].amount_minor, -back.postings[i].amount_minor);
    }
    setpay_ledger_post(SETPAY_LEDGER_CREDIT, 10000, &no_fee, &there);
    assert_int_equal(there.posting_count, 3);
    assert_int_equal(there.postings[0].amount_minor, -9965);
    setpay_ledger_post(SETPAY_LEDGER_CAPTURE, 1, &(struct setpay_charges){1, 1}, &there);
    assert_int_equal(there.posting_count, 2); /* nothing is left for issuer and merchant */
}

/* ------------------------------------------------------------------ a ledger with its steps */

static struct test_folder folder;
static struct setpay_store *store;

/* A payment with steps, as bare as the ledger's look at them needs. */
static enum setpay_error write_payment(struct setpay_db *db, void *arg)
{
    struct setpay_payment payment = {.state = SETPAY_PAYMENT_CAPTURED, .captured_minor = 1000};
    (void)arg;
    strcpy(payment.brand, "visa");
    strcpy(payment.merchant_id, "shop");
    strcpy(payment.amount.currency, "EUR");
    payment.amount.minor = payment.approved_minor = 1000;
    SETPAY_TRY(setpay_payment_insert(db, &payment));
    return setpay_payment_update(db, &payment);
}

static enum setpay_error write_step(struct setpay_db *db, void *arg)
{
    const int *index = arg;
    const struct setpay_charges charges = {3, 5};
    struct setpay_ledger_entry entry = {.time_ms = 1000 + *index};
    memset(entry.event.bytes, *index + 1, sizeof entry.event.bytes);
    strcpy(entry.brand, "visa");
    strcpy(entry.merchant_id, "shop");
    strcpy(entry.currency, "EUR");
    setpay_ledger_post(SETPAY_LEDGER_CAPTURE, 100, &charges, &entry);
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO step (token, payment_id, kind, of_id, amount_minor, interchange_minor,"
        " fee_minor, batch_id, undone, credited_minor, created_ms)"
        " VALUES ($1, 1, 1, 0, 100, 3, 5, 1, 0, 0, $2)",
        SETPAY_DB_ID(&entry.event), SETPAY_DB_INT(entry.time_ms)));
    return setpay_ledger_append(db, &entry);
}

/* A credit of the fifth capture (100, interchange 3), or the reversal of one. */
struct credit {
    int name;
    int64_t kind, of_id, amount, interchange;
};

static enum setpay_error write_credit(struct setpay_db *db, void *arg)
{
    const struct credit *credit = arg;
    const struct setpay_charges charges = {credit->interchange, 0};
    struct setpay_ledger_entry entry = {.time_ms = 2000};
    memset(entry.event.bytes, credit->name, sizeof entry.event.bytes);
    strcpy(entry.brand, "visa");
    strcpy(entry.merchant_id, "shop");
    strcpy(entry.currency, "EUR");
    setpay_ledger_post((enum setpay_ledger_kind)credit->kind, credit->amount, &charges, &entry);
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO step (token, payment_id, kind, of_id, amount_minor, interchange_minor,"
        " fee_minor, batch_id, undone, credited_minor, created_ms)"
        " VALUES ($1, 1, $2, $3, $4, $5, 0, 1, 0, 0, 2000)",
        SETPAY_DB_ID(&entry.event), SETPAY_DB_INT(credit->kind), SETPAY_DB_INT(credit->of_id),
        SETPAY_DB_INT(credit->amount), SETPAY_DB_INT(credit->interchange)));
    return setpay_ledger_append(db, &entry);
}

static int open_ledger(void **state)
{
    (void)state;
    struct setpay_problem problem;
    test_folder_make(&folder);
    const struct setpay_store_options options = {.url = folder.url,
                                                 .schema = &setpay_gateway_schema};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, write_payment, NULL), SETPAY_OK);
    for (int i = 0; i < 10; i++)
        assert_int_equal(setpay_store_submit_wait(store, write_step, &i), SETPAY_OK);
    return 0;
}

static int close_ledger(void **state)
{
    (void)state;
    setpay_store_close(store);
    test_folder_remove(&folder);
    return 0;
}

/* ------------------------------------------------------------------ looking */

struct verified {
    const struct setpay_ledger_mark *from;
    struct setpay_ledger_mark reached;
    size_t findings;
    char first[400];
    enum setpay_error error;
};

static void on_finding(void *arg, const char *words)
{
    struct verified *verified = arg;
    if (verified->first[0] == '\0')
        (void)snprintf(verified->first, sizeof verified->first, "%s", words);
}

static enum setpay_error verify_in(struct setpay_db *db, void *arg)
{
    struct verified *v = arg;
    v->error = setpay_ledger_verify(db, v->from, on_finding, v, &v->reached, &v->findings);
    return SETPAY_OK;
}

static struct verified look(const struct setpay_ledger_mark *from)
{
    struct verified verified = {.from = from};
    assert_int_equal(setpay_store_submit_wait(store, verify_in, &verified), SETPAY_OK);
    return verified;
}

static enum setpay_error run_sql(struct setpay_db *db, void *arg)
{
    return setpay_db_run_values(db, arg,
                                (const struct setpay_db_value[]){{.type = SETPAY_DB_TYPE_END}});
}

static void edit(const char *sql)
{
    char copy[768];
    char *rest = NULL;
    (void)snprintf(copy, sizeof copy, TEST_LEDGER_UNGUARD "%s", sql);
    for (char *one = strtok_r(copy, ";", &rest); one != NULL; one = strtok_r(NULL, ";", &rest))
        assert_int_equal(setpay_store_submit_wait(store, run_sql, one), SETPAY_OK);
}

static void a_good_one_verifies(void **state)
{
    (void)state;
    struct verified v = look(NULL);
    assert_int_equal(v.error, SETPAY_OK);
    assert_string_equal(v.first, "");
    assert_int_equal(v.findings, 0);
    assert_int_equal(v.reached.number, 10);
    struct setpay_ledger_mark mark = v.reached;
    v = look(&mark);
    assert_int_equal(v.findings, 0);
    int next = 10;
    edit("UPDATE payment SET captured_minor = 1100");
    assert_int_equal(setpay_store_submit_wait(store, write_step, &next), SETPAY_OK);
    v = look(&mark);
    assert_int_equal(v.findings, 0);
    assert_int_equal(v.reached.number, 11);
    mark.hash.bytes[0] ^= 1;
    v = look(&mark);
    assert_int_equal(v.error, SETPAY_E_NOT_FOUND);
}

static void an_event_is_posted_once(void **state)
{
    int again = 3;
    (void)state;
    assert_int_not_equal(setpay_store_submit_wait(store, write_step, &again), SETPAY_OK);
    assert_int_equal(look(NULL).findings, 0);
}

/* Not even by our own hand. */
static void nothing_is_changed(void **state)
{
    static const char *const changes[] = {
        "UPDATE ledger_entry SET time_ms = time_ms WHERE number = 4",
        "DELETE FROM ledger_entry WHERE number = 10",
        "DELETE FROM ledger_entry",
        "UPDATE ledger_posting SET amount_minor = amount_minor WHERE entry = 4",
        "DELETE FROM ledger_posting WHERE entry = 4",
        "DELETE FROM ledger_posting",
    };
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "%s", changes[i]);
        assert_int_equal(setpay_store_submit_wait(store, run_sql, sql), SETPAY_E_INTERNAL);
    }
    assert_int_equal(look(NULL).findings, 0);
    assert_int_equal(look(NULL).reached.number, 10);
}

/* Each edit, what undoes it, and the beginning of what is said first. */
static const struct {
    const char *sql, *undo, *words;
} edits[] = {
    {"UPDATE ledger_entry SET time_ms = 1 WHERE number = 4",
     "UPDATE ledger_entry SET time_ms = 1003 WHERE number = 4", "entry 4: its hash"},
    {"UPDATE ledger_entry SET kind = 2 WHERE number = 4",
     "UPDATE ledger_entry SET kind = 1 WHERE number = 4", "entry 4: its hash"},
    {"UPDATE ledger_entry SET brand = 'other' WHERE number = 4",
     "UPDATE ledger_entry SET brand = 'visa' WHERE number = 4", "entry 4: its hash"},
    {"UPDATE ledger_entry SET merchant_id = 'other' WHERE number = 4",
     "UPDATE ledger_entry SET merchant_id = 'shop' WHERE number = 4", "entry 4: its hash"},
    {"UPDATE ledger_entry SET currency = 'USD' WHERE number = 4",
     "UPDATE ledger_entry SET currency = 'EUR' WHERE number = 4", "entry 4: its hash"},
    {"UPDATE ledger_entry SET event = zeroblob(16) WHERE number = 4",
     "UPDATE ledger_entry SET event = X'04040404040404040404040404040404' WHERE number = 4",
     "entry 4: its hash"},
    {"UPDATE ledger_entry SET hash = zeroblob(32) WHERE number = 10", NULL, "entry 10: its hash"},
    {"UPDATE ledger_posting SET amount_minor = amount_minor + 1 WHERE entry = 4 AND line = 0",
     "UPDATE ledger_posting SET amount_minor = amount_minor - 1 WHERE entry = 4 AND line = 0",
     "entry 4: its hash"},
    {"UPDATE ledger_posting SET account = 4 WHERE entry = 4 AND line = 0",
     "UPDATE ledger_posting SET account = 1 WHERE entry = 4 AND line = 0", "entry 4: its hash"},
    {"DELETE FROM ledger_posting WHERE entry = 4 AND line = 3",
     "INSERT INTO ledger_posting VALUES (4, 3, 4, -5)", "entry 4: its hash"},
    {"INSERT INTO ledger_posting VALUES (4, 4, 1, 7)",
     "DELETE FROM ledger_posting WHERE entry = 4 AND line = 4", "entry 4: its hash"},
    {"INSERT INTO ledger_posting VALUES (99, 0, 1, 7)",
     "DELETE FROM ledger_posting WHERE entry = 99", "a posting of no entry: entry 99, line 0"},
    {"UPDATE ledger_entry SET number = 99 WHERE number = 3;"
     "UPDATE ledger_posting SET entry = 99 WHERE entry = 3;"
     "UPDATE ledger_entry SET number = 3 WHERE number = 4;"
     "UPDATE ledger_posting SET entry = 3 WHERE entry = 4;"
     "UPDATE ledger_entry SET number = 4 WHERE number = 99;"
     "UPDATE ledger_posting SET entry = 4 WHERE entry = 99",
     NULL, "entry 3: its hash"},
    {"UPDATE step SET amount_minor = 101 WHERE id = 4", "UPDATE step SET amount_minor = 100",
     "entry 4: step 04040404040404040404040404040404 would be posted"},
    {"UPDATE step SET fee_minor = 4 WHERE id = 4", "UPDATE step SET fee_minor = 5",
     "entry 4: step 04040404040404040404040404040404 would be posted"},
    {"UPDATE step SET kind = 3 WHERE id = 4", "UPDATE step SET kind = 1",
     "entry 4: step 04040404040404040404040404040404 is of another kind"},
    {"UPDATE step SET created_ms = 1004 WHERE id = 4",
     "UPDATE step SET created_ms = 1003 WHERE id = 4",
     "entry 4: step 04040404040404040404040404040404 is of another time"},
    {"UPDATE payment SET currency = 'USD'", "UPDATE payment SET currency = 'EUR'",
     "entry 1: step 01010101010101010101010101010101 is of another kind, merchant or currency"},
    {"UPDATE payment SET captured_minor = 999", "UPDATE payment SET captured_minor = 1000",
     "its steps add up to something else: payment 1, captured 999"},
    {"UPDATE payment SET credited_minor = 1", "UPDATE payment SET credited_minor = 0",
     "its steps add up to something else: payment 1, captured 1000, credited 1"},
    {"UPDATE ledger_balance SET amount_minor = amount_minor + 1 WHERE account = 2",
     "UPDATE ledger_balance SET amount_minor = amount_minor - 1 WHERE account = 2",
     "a balance is not the sum of its postings: account 2, visa shop, EUR"},
    {"DELETE FROM ledger_balance WHERE account = 4",
     "INSERT INTO ledger_balance VALUES (4, 'visa', 'shop', 'EUR', -50)",
     "a balance is not the sum of its postings: account 4"},
    {"UPDATE ledger_head SET number = 9", "UPDATE ledger_head SET number = 10",
     "the head says 9 entries, found 10"},
    {"DELETE FROM ledger_head", NULL, "the head says 0 entries, found 10"},
    {"DELETE FROM ledger_entry WHERE number = 10", NULL, "the head says 10 entries, found 9"},
    {"DELETE FROM ledger_entry WHERE number = 4", NULL, "entries 4 to 4 are missing"},
    {"DELETE FROM step WHERE id = 4", NULL, "entry 4: there is no step"},
    {"INSERT INTO step (token, payment_id, kind, of_id, amount_minor, interchange_minor,"
     " fee_minor, batch_id, undone, credited_minor, created_ms) VALUES"
     " (X'99999999999999999999999999999999', 1, 1, 0, 0, 0, 0, 1, 0, 0, 1)",
     "DELETE FROM step WHERE token = X'99999999999999999999999999999999'",
     "not in the ledger: step 99999999999999999999999999999999"},
};

/* Whether a look behind the last entry finds it: it is of what stands around the entries. */
static bool is_around(const char *words)
{
    return strncmp(words, "entr", 4) != 0;
}

/* From a mark on, too: what stands around the entries is looked at wherever a look begins. What is
 * of an entry up to the mark is not. */
static void what_is_around_is_found_from_a_mark_on(void **state)
{
    (void)state;
    size_t around = 0;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        if (edits[i].undo == NULL)
            continue;
        struct verified v = look(NULL);
        struct setpay_ledger_mark mark = v.reached;
        edit(edits[i].sql);
        v = look(&mark);
        if (is_around(edits[i].words) &&
            (v.findings == 0 || strncmp(v.first, edits[i].words, strlen(edits[i].words)) != 0))
            fail_msg("%s: %zu findings, first '%s', expected '%s'", edits[i].sql, v.findings,
                     v.first, edits[i].words);
        around += is_around(edits[i].words) ? 1 : 0;
        edit(edits[i].undo);
        assert_int_equal(look(&mark).findings, 0);
    }
    assert_int_equal(around, 7);
}

static void every_edit_is_found_and_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        edit(edits[i].sql);
        struct verified v = look(NULL);
        if (v.findings == 0 || strncmp(v.first, edits[i].words, strlen(edits[i].words)) != 0)
            fail_msg("%s: %zu findings, first '%s', expected '%s'", edits[i].sql, v.findings,
                     v.first, edits[i].words);
        if (edits[i].undo != NULL) {
            edit(edits[i].undo);
            assert_int_equal(look(NULL).findings, 0);
        } else {
            close_ledger(NULL);
            open_ledger(NULL);
        }
    }
    print_message("# tally: edits to a ledger that were found = %zu\n",
                  sizeof edits / sizeof *edits);
}

/* Steps 11 to 15. What each says and what its entry posts is the same: only the rule shows it. */
static const struct {
    struct credit credits[5];
    const char *words; /* "": it is as it should be */
} given_back[] = {
    {{{50, 2, 5, 50, 2},
      {51, 2, 5, 25, 0},
      {52, 4, 11, 50, 2},
      {53, 2, 5, 50, 2},
      {54, 2, 5, 25, 1}},
     ""},
    {{{50, 2, 5, 50, 3}},
     "step 32323232323232323232323232323232 gives back interchange of 3, expected 2"},
    {{{50, 2, 5, 50, 1}},
     "step 32323232323232323232323232323232 gives back interchange of 1, expected 2"},
    {{{50, 2, 5, 50, 2}, {51, 2, 5, 50, 2}},
     "step 33333333333333333333333333333333 gives back interchange of 2, expected 1"},
    {{{50, 2, 5, 50, 2}, {52, 4, 11, 50, 1}},
     "step 34343434343434343434343434343434 gives back interchange of 1, expected 2"},
};

static void verify_knows_what_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof given_back / sizeof *given_back; i++) {
        int64_t credited = 0;
        open_ledger(NULL);
        for (size_t k = 0; k < 5 && given_back[i].credits[k].name != 0; k++) {
            struct credit credit = given_back[i].credits[k];
            credited += credit.kind == 2 ? credit.amount : -credit.amount;
            assert_int_equal(setpay_store_submit_wait(store, write_credit, &credit), SETPAY_OK);
        }
        char sql[80];
        (void)snprintf(sql, sizeof sql, "UPDATE payment SET credited_minor = %lld",
                       (long long)credited);
        edit(sql);
        struct verified v = look(NULL);
        assert_string_equal(v.first, given_back[i].words);
        assert_int_equal(v.findings, given_back[i].words[0] != '\0');
        /* Of before the rule: it is what it was. */
        edit("UPDATE given_back_rule SET last_before = 15");
        assert_int_equal(look(NULL).findings, 0);
        close_ledger(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_a_half_to_even),
        cmocka_unit_test(reads_fees),
        cmocka_unit_test(a_merchant_may_have_a_price_of_its_own),
        cmocka_unit_test(all_of_it_comes_back_and_no_more),
        cmocka_unit_test(what_comes_back_is_rounded_over_all_credits),
        cmocka_unit_test(undone_credits_leave_no_remainder),
        cmocka_unit_test(what_is_undone_leaves_nothing),
        cmocka_unit_test_setup_teardown(a_good_one_verifies, open_ledger, close_ledger),
        cmocka_unit_test_setup_teardown(an_event_is_posted_once, open_ledger, close_ledger),
        cmocka_unit_test_setup_teardown(nothing_is_changed, open_ledger, close_ledger),
        cmocka_unit_test_setup_teardown(what_is_around_is_found_from_a_mark_on, open_ledger,
                                        close_ledger),
        cmocka_unit_test_setup_teardown(every_edit_is_found_and_named, open_ledger, close_ledger),
        cmocka_unit_test(verify_knows_what_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
