/*
 * With which settlement a merchant is told of what was cleared of its suspense: each clearing once,
 * also around a day to come that was settled and stepped over; and a database of before is moved.
 */
#include "common/base/log.h"
#include "gateway/clearing/ahead.h"
#include "gateway/payment/payment.h"
#include "tests/support/test_day.h"
#include "tests/support/test_paying.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define DAY(n) ((n)*SETPAY_DAY_MS)
#define AHEAD 30 /* days */
#define ISSUER SETPAY_ACCOUNT_ISSUER_RECEIVABLE
#define MERCHANT SETPAY_ACCOUNT_MERCHANT_PAYABLE

/* What a settlement's merchant is told of, by its amount. */
struct telling {
    int64_t settlement;
    int64_t minor[8];
    size_t count;
};

static enum setpay_error take(void *arg, const struct setpay_suspense_told *told)
{
    struct telling *telling = arg;
    assert_true(telling->count < 8);
    telling->minor[telling->count++] = told->amount.minor;
    return SETPAY_OK;
}

static enum setpay_error read_told(struct setpay_db *db, void *arg)
{
    struct telling *telling = arg;
    return setpay_suspense_told_each(db, telling->settlement, 0, 8, take, telling);
}

/* In the order of their clearing. */
static void expect_told(int64_t settlement, size_t count, const int64_t *minor)
{
    struct telling telling = {.settlement = settlement};
    test_day_operate(read_told, &telling);
    assert_int_equal(telling.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(telling.minor[i], minor[i]);
}
#define EXPECT_TOLD(settlement, ...)                                                               \
    expect_told(settlement, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t),              \
                (const int64_t[]){__VA_ARGS__})

static void clear(const struct setpay_id *item, enum setpay_account account, int64_t minor,
                  setpay_time_ms at_ms)
{
    assert_int_equal(test_paying_clear(item, account, minor, "EUR", at_ms), SETPAY_OK);
}

static int64_t settle_one(setpay_time_ms now_ms, const char *day)
{
    assert_int_equal(test_day_settle(now_ms, NULL), 1);
    assert_string_equal(test_day_settled.made[0].day, day);
    return test_day_settled.made[0].id;
}

static enum setpay_error step_over(struct setpay_db *db, void *arg)
{
    int64_t count = 0;
    (void)arg;
    return setpay_settlement_step_over(db, "2026-12-25", NOON, "the clock was ahead", &count);
}

static void each_is_told_once(void **state)
{
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    (void)state;
    /* The clock is ahead for a moment, and a day to come is settled. */
    clear(&item, ISSUER, 100, NOON);
    clear(&item, MERCHANT, 200, NOON);
    test_day_capture("EUR", 1000, 0, NOON);
    int64_t ahead = settle_one(NOON + DAY(AHEAD), "2026-12-25");
    EXPECT_TOLD(ahead, 100, 200);
    test_day_operate(step_over, NULL);
    /* What is cleared behind it is before its cut-off all the same. */
    clear(&item, ISSUER, 300, NOON + 1);
    clear(&item, MERCHANT, 400, NOON + 1);
    test_day_capture("EUR", 1000, 0, NOON + 1);
    int64_t next = settle_one(NOON + DAY(1), "2026-11-26");
    EXPECT_TOLD(next, 300, 400);
    EXPECT_TOLD(ahead, 100, 200); /* its report is as it was */
    /* On the day that was stepped over nothing is settled, and the next one tells of it. */
    clear(&item, ISSUER, 500, DAY_26 + DAY(AHEAD - 1) + SETPAY_HOUR_MS);
    clear(&item, MERCHANT, 600, DAY_26 + DAY(AHEAD - 1) + SETPAY_HOUR_MS);
    clear(&item, ISSUER, 0, DAY_26 + DAY(AHEAD) + SETPAY_HOUR_MS);
    test_day_capture("EUR", 1000, 0, DAY_26 + DAY(AHEAD) + SETPAY_HOUR_MS);
    int64_t last = settle_one(NOON + DAY(AHEAD + 1), "2026-12-26");
    EXPECT_TOLD(last, 500, 600, 5000 - 65 - 2100);
    EXPECT_TOLD(ahead, 100, 200);
    EXPECT_TOLD(next, 300, 400);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM suspense_clearing WHERE told_by = 0"), 0);
    assert_int_equal(test_day_verify().findings, 0);
    /* Who changes that is found. */
    test_day_expect_found("UPDATE suspense_clearing SET told_by = 77 WHERE number = 1",
                          "told of with a settlement that is not there", false);
    test_day_expect_found("UPDATE suspense_clearing SET told_by = 1 WHERE number = 3",
                          "told of with a settlement that is not there, or of before", false);
    test_day_expect_found("UPDATE suspense_clearing SET told_by = 0 WHERE number = 2",
                          "told of with another settlement than it is part of", false);
}

/* What came too late for a settlement waits for the next, and what nobody settles for it. */
static void what_came_too_late_is_told_with_the_next(void **state)
{
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    (void)state;
    clear(&item, ISSUER, 100, NOON);
    clear(&item, ISSUER, 200, NOON + DAY(1));
    test_day_capture("EUR", 1000, 0, NOON);
    int64_t first = settle_one(NOON + DAY(1), "2026-11-26");
    EXPECT_TOLD(first, 100);
    assert_int_equal(test_day_settle(NOON + DAY(2), NULL), 0);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM suspense_clearing WHERE told_by = 0"), 1);
    test_day_capture("EUR", 1000, 0, NOON + DAY(2));
    EXPECT_TOLD(settle_one(NOON + DAY(3), "2026-11-28"), 200);
    EXPECT_TOLD(first, 100);
}

/* ------------------------------------------------------------------ of before */

#define STEPS_BEFORE 23
#define SETTLED(id, day, cut_off)                                                                  \
    "INSERT INTO settlement (id, token, brand, merchant_id, currency, day, cut_off_ms,"            \
    " capture_count, capture_minor, credit_count, credit_minor, fee_minor, refused_count,"         \
    " refused_minor, carried_in_minor, payout_minor, carried_out_minor, created_ms) VALUES (" id   \
    ", randomblob(16), 'visa', 'shop', 'EUR', '" day "', " cut_off                                 \
    ", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);"
#define CLEARED(id, account, at)                                                                   \
    "INSERT INTO suspense_clearing (id, token, item, number, brand, merchant_id, currency,"        \
    " amount_minor, account, reason, created_ms) VALUES (" id ", randomblob(16), x'01', " id       \
    ", 'visa', 'shop', 'EUR', 5, " account ", 'as it was', " at ");"

/* By what it was told with then; what was not told waits. */
static void what_was_told_before_stays_told(void **state)
{
    struct setpay_store_migration steps[STEPS_BEFORE + 1] = {{0, NULL}};
    struct setpay_problem problem;
    struct setpay_store *empty = test_day_store;
    struct test_folder folder;
    (void)state;
    test_folder_make(&folder);
    memcpy(steps, setpay_gateway_schema.steps, STEPS_BEFORE * sizeof *steps);
    const struct setpay_store_schema old = {.name = setpay_gateway_schema.name,
                                            .steps = steps,
                                            .erasable = setpay_gateway_schema.erasable};
    struct setpay_store_options options = {.url = folder.url, .schema = &old};
    assert_int_equal(setpay_store_open(&options, &test_day_store, &problem), SETPAY_OK);
    test_day_edit(SETTLED("1", "2026-11-25", "100") SETTLED("2", "2026-11-26", "200"));
    test_day_edit(CLEARED("1", "1", "100") CLEARED("2", "1", "101") CLEARED("3", "2", "50")
                      CLEARED("4", "2", "150") CLEARED("5", "1", "201"));
    test_day_edit("INSERT INTO adjustment (token, kind, source_id, brand, merchant_id, currency,"
                  " amount_minor, created_ms, settlement_id) VALUES"
                  " (x'01', 3, 3, 'visa', 'shop', 'EUR', 5, 50, 2),"
                  " (x'02', 3, 4, 'visa', 'shop', 'EUR', 5, 150, 0)");
    setpay_store_close(test_day_store);
    options.schema = &setpay_gateway_schema;
    assert_int_equal(setpay_store_open(&options, &test_day_store, &problem), SETPAY_OK);
    assert_int_equal(test_day_ask("SELECT SUM(told_by << (4 * id)) FROM suspense_clearing"),
                     0x002210);
    setpay_store_close(test_day_store);
    test_folder_remove(&folder);
    test_day_store = empty;
}

#define BOOKS(test) cmocka_unit_test_setup_teardown(test, test_day_open, test_day_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOOKS(each_is_told_once),
        BOOKS(what_came_too_late_is_told_with_the_next),
        BOOKS(what_was_told_before_stays_told),
    };
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
