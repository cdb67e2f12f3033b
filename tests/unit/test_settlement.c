/*
 * Settlements on a database: what is settled, for which day, once; what is carried over, what goes
 * to suspense, what waits; to the last unit of currencies with two, no and three digits. In the end
 * of every test the ledger and all that stands around it verify. Then every edit to a settled
 * database is found, and named; and the reports are what was settled.
 */
#include "common/base/log.h"
#include "common/store/db.h"
#include "common/store/store.h"
#include "gateway/clearing/ahead.h"
#include "gateway/clearing/clearing_compare.h"
#include "gateway/clearing/items.h"
#include "gateway/clearing/ledger.h"
#include "gateway/clearing/report.h"
#include "gateway/clearing/settlement.h"
#include "gateway/payment/payment.h"
#include "gateway/payment/step.h"
#include "tests/support/test_day.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------------ around midnight */

/* A sale that was asked for in the last moment of a day, and booked here in the first of the next.
 */
struct around_midnight {
    bool presented; /* with its batch */
    struct setpay_clearing_item item;
    size_t count;
};

static enum setpay_error take_only(void *arg, const struct setpay_clearing_item *item)
{
    struct around_midnight *sale = arg;
    sale->item = *item;
    sale->count++;
    return SETPAY_OK;
}

/* Nothing of it stays. */
static enum setpay_error sell_around_midnight(struct setpay_db *db, void *arg)
{
    struct around_midnight *sale = arg;
    const struct setpay_clearing_window window = {.part = sale->presented ? SETPAY_CLEARING_ANSWERED
                                                                          : SETPAY_CLEARING_SALES,
                                                  .to_ms = INT64_MAX,
                                                  .limit = 2};
    struct setpay_clearing_at next;
    bool more;
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE payment SET period = 1, created_ms = $1, sale_id = (SELECT"
                             " token FROM step WHERE step.payment_id = payment.id)",
                             SETPAY_DB_INT(DAY_26 - 100)));
    SETPAY_TRY(setpay_db_run(db, "UPDATE step SET created_ms = $1", SETPAY_DB_INT(DAY_26 + 100)));
    SETPAY_TRY(setpay_db_run(db, "UPDATE presentment SET acknowledged_ms = $1, sent_count = 0",
                             SETPAY_DB_INT(DAY_26 + 100)));
    if (!sale->presented)
        SETPAY_TRY(setpay_db_run(db, "DELETE FROM presentment"));
    SETPAY_TRY(setpay_clearing_window_each(db, &window, take_only, sale, &next, &more));
    assert_false(more);
    return SETPAY_E_CONFLICT;
}

static void print_difference(void *arg, enum setpay_difference difference, const char *id,
                             size_t line, const char *words)
{
    (void)arg;
    (void)id;
    print_message("%s, line %zu: %s\n", setpay_difference_name(difference), line, words);
}

/* What the file of those days says of it, where the issuer has booked it on that day (NULL: never).
 */
static size_t compare_days(struct around_midnight *sale, const char *from, const char *to,
                           const char *booked, size_t *elsewhere)
{
    struct setpay_clearing_row row = {.acquirer = "4242",
                                      .kind = SETPAY_CLEARING_SALE,
                                      .amount = sale->item.amount,
                                      .result = "00"};
    struct setpay_clearing_file file = {.issuer = "bank", .rows = &row};
    struct setpay_clearing_compare c = {.file = &file,
                                        .acquirer = "4242",
                                        .items = &sale->item,
                                        .item_count = 1,
                                        .late_ms = SETPAY_CLEARING_LATE_MS};
    size_t differences = 0;
    (void)snprintf(file.from, sizeof file.from, "%s", from);
    (void)snprintf(file.to, sizeof file.to, "%s", to);
    (void)setpay_id_format(&sale->item.step, row.presentment);
    if (booked != NULL && strcmp(from, booked) <= 0 && strcmp(booked, to) <= 0) {
        (void)snprintf(row.date, sizeof row.date, "%s", booked);
        file.row_count = 1;
    }
    assert_int_equal(setpay_clearing_compare_run(&c, print_difference, NULL, &differences),
                     SETPAY_OK);
    assert_int_equal(c.matched, file.row_count);
    *elsewhere = c.elsewhere;
    return differences;
}

/* On whichever of the two days its issuer has booked it, neither day's file differs; and where it
 * has not, the file of both does. */
static void a_sale_around_midnight_differs_in_no_file(void **state)
{
    static const char *const days[] = {"2026-11-25", "2026-11-26"};
    size_t elsewhere;
    (void)state;
    test_day_capture("EUR", 10000, 165, DAY_26 + 5000);
    for (int presented = 0; presented < 2; presented++) {
        struct around_midnight sale = {.presented = presented == 1};
        assert_int_equal(setpay_store_submit_wait(test_day_store, sell_around_midnight, &sale),
                         SETPAY_E_CONFLICT);
        assert_int_equal(sale.count, 1);
        assert_true(sale.item.sale);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(compare_days(&sale, days[0], days[0], days[i], &elsewhere), 0);
            assert_int_equal(elsewhere, 0);
            assert_int_equal(compare_days(&sale, days[1], days[1], days[i], &elsewhere), 0);
            assert_int_equal(elsewhere, i == 0 ? 1 : 0); /* in the file of the day before */
            assert_int_equal(compare_days(&sale, days[0], days[1], days[i], &elsewhere), 0);
        }
        assert_int_equal(compare_days(&sale, days[0], days[1], NULL, &elsewhere), 1);
    }
}

/* ------------------------------------------------------------------ what is settled */

static void settles_what_is_cleared_once(void **state)
{
    (void)state;
    assert_int_equal(test_day_settle(NOON, NULL), 0);
    test_day_capture("EUR", 10000, 165, DAY_26 - 5000);
    test_day_capture("EUR", 250, 4, DAY_26 - 4000);
    test_day_credit("EUR", 1000, DAY_26 - 3000);
    assert_int_equal(test_day_settle(NOON, NULL), 1);
    const struct setpay_settlement *s = &test_day_settled.made[0];
    assert_string_equal(s->day, "2026-11-25");
    assert_string_equal(s->currency, "EUR");
    assert_int_equal(s->cut_off_ms, DAY_26);
    assert_int_equal(s->sums.capture_count, 2);
    assert_int_equal(s->sums.capture_minor, 10250);
    assert_int_equal(s->sums.credit_count, 1);
    assert_int_equal(s->sums.credit_minor, 1000);
    assert_int_equal(s->sums.fee_minor, 169);
    assert_int_equal(s->payout_minor, 10250 - 1000 - 169);
    assert_int_equal(s->carried_out_minor, 0);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), 0);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_CASH, "EUR"), -9081);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(test_day_settle(NOON + i, i == 2 ? "2026-11-25" : NULL), 0);
        assert_int_equal(test_day_settled.waiting_count + test_day_settled.later_count, 0);
    }
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_CASH, "EUR"), -9081);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM settlement"), 1);
}

static void one_unit_and_nothing(void **state)
{
    (void)state;
    test_day_capture("EUR", 1, 0, DAY_26 - 1);
    test_day_capture("JPY", 1, 1, DAY_26 - 1); /* the fee takes all of it */
    assert_int_equal(test_day_settle(NOON, NULL), 2);
    assert_int_equal(test_day_settled.made[0].payout_minor, 1);
    assert_int_equal(test_day_settled.made[1].payout_minor, 0);
    assert_int_equal(test_day_settled.made[1].carried_out_minor, 0);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM ledger_entry WHERE kind = 5"), 1);
    assert_int_equal(test_day_settle(NOON, NULL), 0);
}

static void each_currency_by_itself(void **state)
{
    (void)state;
    test_day_capture("EUR", 1250, 10, DAY_26 - 1);
    test_day_capture("JPY", 1250, 10, DAY_26 - 1);
    test_day_capture("KWD", 1250, 10, DAY_26 - 1);
    test_day_credit("JPY", 1250, DAY_26 - 1);
    assert_int_equal(test_day_settle(NOON, NULL), 3);
    assert_string_equal(test_day_settled.made[0].currency, "EUR");
    assert_int_equal(test_day_settled.made[0].payout_minor, 1240);
    assert_string_equal(test_day_settled.made[1].currency, "JPY");
    assert_int_equal(test_day_settled.made[1].payout_minor, 0);
    assert_int_equal(test_day_settled.made[1].carried_out_minor, -10);
    assert_string_equal(test_day_settled.made[2].currency, "KWD");
    assert_int_equal(test_day_settled.made[2].payout_minor, 1240);
}

/* What the merchant owes is taken from the next days, to the last unit. */
static void carries_over_what_is_negative(void **state)
{
    (void)state;
    test_day_capture("EUR", 100, 2, DAY_26 - 1);
    test_day_settle(NOON, NULL);
    test_day_credit("EUR", 100, DAY_26 + SETPAY_DAY_MS - 1);
    assert_int_equal(test_day_settle(NOON + SETPAY_DAY_MS, NULL), 1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 0);
    assert_int_equal(test_day_settled.made[0].carried_out_minor, -100);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), 100);
    test_day_capture("EUR", 60, 1, DAY_26 + 3 * SETPAY_DAY_MS - 1);
    assert_int_equal(test_day_settle(NOON + 3 * SETPAY_DAY_MS, NULL), 1);
    assert_int_equal(test_day_settled.made[0].carried_in_minor, -100);
    assert_int_equal(test_day_settled.made[0].payout_minor, 0);
    assert_int_equal(test_day_settled.made[0].carried_out_minor, -41);
    test_day_capture("EUR", 41, 0, DAY_26 + 4 * SETPAY_DAY_MS - 1);
    test_day_settle(NOON + 4 * SETPAY_DAY_MS, NULL);
    assert_int_equal(test_day_settled.made[0].payout_minor, 0);
    assert_int_equal(test_day_settled.made[0].carried_out_minor, 0);
    test_day_credit("EUR", 1, DAY_26 + 5 * SETPAY_DAY_MS - 1);
    test_day_settle(NOON + 5 * SETPAY_DAY_MS, NULL);
    test_day_capture("EUR", 2, 0, DAY_26 + 6 * SETPAY_DAY_MS - 1);
    test_day_settle(NOON + 6 * SETPAY_DAY_MS, NULL);
    assert_int_equal(test_day_settled.made[0].carried_in_minor, -1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 1);
}

static void refused_items_go_to_suspense(void **state)
{
    (void)state;
    test_day_capture("EUR", 1000, 10, DAY_26 - 1);
    test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 500, 5, DAY_26 - 1, "25");
    test_day_add("shop", "EUR", SETPAY_STEP_CREDIT, 70, 0, DAY_26 - 1, "13");
    test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 3, 3, DAY_26 - 1,
                 "13"); /* the fee takes all */
    assert_int_equal(test_day_settle(NOON, NULL), 1);
    assert_int_equal(test_day_settled.made[0].sums.capture_count, 1);
    assert_int_equal(test_day_settled.made[0].sums.refused_count, 3);
    assert_int_equal(test_day_settled.made[0].sums.refused_minor, 495 - 70);
    assert_int_equal(test_day_settled.made[0].payout_minor, 990);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_SUSPENSE, "EUR"), -(495 - 70));
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), 0);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM ledger_entry WHERE kind = 6"), 2);
    assert_int_equal(test_day_settle(NOON, NULL), 0);
    /* Nothing but what was refused is a settlement too: the merchant sees it. */
    test_day_add("shop", "JPY", SETPAY_STEP_CAPTURE, 9, 0, DAY_26 - 1, "12");
    assert_int_equal(test_day_settle(NOON, NULL), 1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 0);
    assert_int_equal(test_day_settled.made[0].sums.refused_minor, 9);
}

static void waits_for_answers(void **state)
{
    (void)state;
    test_day_capture("EUR", 1000, 10, DAY_26 - 1);
    test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 500, 5, DAY_26 - 1, NULL);
    test_day_capture("EUR", 77, 0, 0); /* in the open batch */
    assert_int_equal(test_day_settle(NOON, NULL), 1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 990);
    assert_int_equal(test_day_settled.waiting_count, 1);
    /* Its answer comes after the day was settled: it is for the next day. */
    test_day_edit("UPDATE presentment SET acknowledged = 1, response_code = '00', acknowledged_ms ="
                  " created_ms + 50 WHERE acknowledged = 0");
    assert_int_equal(test_day_settle(NOON, "2026-11-25"), 0);
    assert_int_equal(test_day_settled.later_count, 1);
    assert_int_equal(test_day_settle(NOON, "2026-11-24"), 0);
    assert_int_equal(test_day_settle(NOON + SETPAY_DAY_MS, NULL), 1);
    assert_string_equal(test_day_settled.made[0].day, "2026-11-26");
    assert_int_equal(test_day_settled.made[0].payout_minor, 495);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), -77);
}

/* ------------------------------------------------------------------ days */

static void a_batch_at_the_cut_off_is_of_the_day(void **state)
{
    (void)state;
    test_day_capture("EUR", 1, 0, DAY_26);
    test_day_capture("EUR", 10, 0, DAY_26 + 1);
    assert_int_equal(test_day_settle(NOON, "2026-11-25"), 1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 1);
    assert_int_equal(test_day_settle(NOON, "2026-11-26"), 0);
    assert_int_equal(test_day_settled.not_ended_count, 1);
    assert_int_equal(test_day_settle(DAY_26 + SETPAY_DAY_MS - 1, "2026-11-26"), 0);
    assert_int_equal(test_day_settled.not_ended_count, 1);
    assert_int_equal(test_day_settle(DAY_26 + SETPAY_DAY_MS, "2026-11-26"), 1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 10);
}

/* Days that were left out are settled with a later one, and can't be settled any more. */
static void days_come_in_order(void **state)
{
    (void)state;
    test_day_capture("EUR", 1, 0, DAY_26 - 2 * SETPAY_DAY_MS);
    test_day_capture("EUR", 10, 0, DAY_26 - SETPAY_DAY_MS);
    assert_int_equal(test_day_settle(NOON, "2026-11-25"), 1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 11);
    test_day_capture("EUR", 100, 0, DAY_26 - 2 * SETPAY_DAY_MS);
    assert_int_equal(test_day_settle(NOON, "2026-11-24"), 0);
    assert_int_equal(test_day_settled.later_count, 1);
    assert_int_equal(test_day_settle(NOON + SETPAY_DAY_MS, "2026-11-26"), 1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 100);
}

/* 29 March 2026 in Berlin has 23 hours, 25 October 25; a merchant in Kiritimati is a day ahead. */
static void days_are_of_the_merchants_zone(void **state)
{
    const setpay_time_ms march = INT64_C(1774742400000);   /* 2026-03-29T00:00:00Z */
    const setpay_time_ms october = INT64_C(1792886400000); /* 2026-10-25T00:00:00Z */
    (void)state;
    test_day_edit("UPDATE merchant SET zone = 'Europe/Berlin', cut_off_minutes = 150");
    test_day_merchant("atoll", "Pacific/Kiritimati", "24:00");
    test_day_capture("EUR", 1, 0, march + SETPAY_HOUR_MS); /* 02:00, which is 03:00: the cut-off */
    test_day_capture("EUR", 2, 0, march + SETPAY_HOUR_MS + 1); /* the next day's */
    test_day_add("atoll", "EUR", SETPAY_STEP_CAPTURE, 5, 0, march + SETPAY_HOUR_MS, "00");
    assert_int_equal(test_day_settle(march + SETPAY_HOUR_MS - 1, NULL), 0);
    assert_int_equal(test_day_settle(march + SETPAY_HOUR_MS, NULL), 1);
    assert_string_equal(test_day_settled.made[0].day, "2026-03-29");
    assert_int_equal(test_day_settled.made[0].payout_minor, 1);
    assert_int_equal(test_day_settle(march + 10 * SETPAY_HOUR_MS, NULL), 1);
    assert_string_equal(test_day_settled.made[0].merchant_id, "atoll");
    assert_string_equal(test_day_settled.made[0].day, "2026-03-29");
    test_day_capture("EUR", 4, 0, october + 30 * SETPAY_MINUTE_MS); /* 02:30 for the first time */
    test_day_capture("EUR", 8, 0, october + 30 * SETPAY_MINUTE_MS + 1);
    assert_int_equal(test_day_settle(october + 30 * SETPAY_MINUTE_MS, NULL), 1);
    assert_string_equal(test_day_settled.made[0].day, "2026-10-25");
    assert_int_equal(test_day_settled.made[0].payout_minor, 6);
    assert_int_equal(test_day_settle(october + 24 * SETPAY_HOUR_MS, NULL), 0); /* 25 hours long */
    assert_int_equal(test_day_settle(october + 25 * SETPAY_HOUR_MS + 30 * SETPAY_MINUTE_MS, NULL),
                     1);
    assert_string_equal(test_day_settled.made[0].day, "2026-10-26");
    assert_int_equal(test_day_settled.made[0].payout_minor, 8);
}

/* Nobody else waits for it. */
static void a_zone_that_is_gone_stops_its_merchant(void **state)
{
    (void)state;
    test_day_capture("EUR", 7, 0, DAY_26 - 1);
    test_day_merchant("a-good-one", "UTC", "24:00");
    test_day_merchant("the-last-one", "UTC", "24:00");
    test_day_add("a-good-one", "EUR", SETPAY_STEP_CAPTURE, 5, 0, DAY_26 - 1, "00");
    test_day_add("the-last-one", "EUR", SETPAY_STEP_CAPTURE, 6, 0, DAY_26 - 1, "00");
    test_day_edit("UPDATE merchant SET zone = 'Atlantis/Port' WHERE id = 'shop'");
    assert_int_equal(test_day_settle(NOON, NULL), 2);
    assert_string_equal(test_day_settled.made[1].merchant_id, "the-last-one");
    assert_int_equal(test_day_settled.stopped_count, 1);
    assert_int_equal(test_day_settled.stopped[0].why, SETPAY_SETTLING_NO_ZONE);
    assert_string_equal(test_day_settled.stopped[0].merchant_id, "shop");
    assert_string_equal(test_day_settled.stopped[0].zone, "Atlantis/Port");
    test_day_edit("UPDATE merchant SET zone = 'UTC'");
    assert_int_equal(test_day_settle(NOON, NULL), 1);
    assert_int_equal(test_day_settled.stopped_count, 0);
}

#define MANY (SETPAY_SETTLE_MERCHANTS + 7)

static void add_merchants(void)
{
    char id[16];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof id, "m%04d", i);
        test_day_merchant(id, "UTC", "24:00");
        if (i % 2 == 1)
            continue;
        struct test_day_item item = {.merchant_id = id,
                                     .currency = i % 4 == 0 ? "EUR" : "JPY",
                                     .kind = SETPAY_STEP_CAPTURE,
                                     .amount = 100 + i,
                                     .closed_ms = DAY_26 - 1,
                                     .code = "00"};
        memcpy(item.token.bytes, id, 5);
        test_day_operate(test_day_write_item, &item);
    }
}

/* No operation settles more than one merchant, or looks at more than so many; where it ends in
 * between, the next look begins anew and settles the rest. */
static void each_operation_is_one_merchants(void **state)
{
    struct setpay_settling *part = calloc(1, sizeof *part);
    size_t made = 0, operations = 0;
    int64_t due = 0;
    (void)state;
    assert_non_null(part);
    add_merchants();
    part->now_ms = NOON;
    test_day_operate(test_day_run_settle, part);
    assert_int_equal(part->made_count, 1);
    assert_string_equal(part->merchant_id, "m0000");
    test_day_operate(test_day_run_settle, part);
    assert_int_equal(part->made_count, 1);
    assert_string_equal(part->merchant_id, "m0002");
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM settlement"), 2);
    memset(part, 0, sizeof *part); /* whoever settled is gone */
    part->now_ms = NOON;
    do {
        test_day_operate(test_day_run_settle, part);
        assert_true(part->made_count <= 1);
        made += part->made_count;
        operations++;
    } while (part->more);
    for (int i = 0; i < MANY; i += 2)
        due += 100 + i;
    assert_int_equal(made, (MANY + 1) / 2 - 2);
    assert_int_equal(operations, made + 1);
    assert_int_equal(test_day_ask("SELECT SUM(payout_minor) FROM settlement"), due);
    memset(part, 0, sizeof *part); /* nothing is left: so many are looked at at a time */
    part->now_ms = NOON;
    test_day_operate(test_day_run_settle, part);
    assert_int_equal(part->made_count, 0);
    assert_true(part->more);
    assert_string_equal(part->merchant_id, "m0063");
    test_day_operate(test_day_run_settle, part);
    assert_false(part->more);
    free(part);
}

/* ------------------------------------------------------------------ a day to come */

struct step_over {
    const char *day;
    setpay_time_ms now_ms;
    int64_t count;
    struct setpay_settled_ahead ahead;
};

static enum setpay_error step_over(struct setpay_db *db, void *arg)
{
    struct step_over *s = arg;
    return setpay_settlement_step_over(db, s->day, s->now_ms, "the clock was ahead", &s->count);
}

static enum setpay_error look_ahead(struct setpay_db *db, void *arg)
{
    struct step_over *s = arg;
    return setpay_settled_ahead(db, s->now_ms, &s->ahead);
}

#define AHEAD_DAYS 30

/* The clock is so much ahead, settles, and is set right again. Of the two captures one is carried
 * over: it has been given back by more. */
static void settle_ahead(void)
{
    test_day_merchant("other", "UTC", "24:00");
    test_day_capture("EUR", 1000, 10, DAY_26 - 1);
    test_day_capture("JPY", 100, 0, DAY_26 - 1);
    test_day_add("other", "EUR", SETPAY_STEP_CAPTURE, 5, 0, DAY_26 - 1, "00");
    assert_int_equal(test_day_settle(NOON, NULL), 3);
    test_day_capture("EUR", 300, 0, DAY_26 + 1);
    test_day_credit("EUR", 350, DAY_26 + 2);
    assert_int_equal(test_day_settle(NOON + AHEAD_DAYS * SETPAY_DAY_MS, NULL), 1);
    assert_string_equal(test_day_settled.made[0].day, "2026-12-25");
    assert_int_equal(test_day_settled.made[0].carried_out_minor, -50);
}

static void a_day_to_come_stops_until_it_is_stepped_over(void **state)
{
    struct step_over over = {.day = "2026-12-25", .now_ms = NOON + SETPAY_DAY_MS};
    (void)state;
    settle_ahead();
    test_day_capture("EUR", 200, 0, DAY_26 + 3);
    test_day_capture("JPY", 70, 0, DAY_26 + 3);
    test_day_add("other", "EUR", SETPAY_STEP_CAPTURE, 6, 0, DAY_26 + 3, "00");
    /* Its merchant and currency alone, and it is named. */
    assert_int_equal(test_day_settle(over.now_ms, NULL), 2);
    assert_int_equal(test_day_settled.stopped_count, 1);
    assert_int_equal(test_day_settled.later_count, 0);
    const struct setpay_settling_stopped *stopped = &test_day_settled.stopped[0];
    assert_int_equal(stopped->why, SETPAY_SETTLING_AHEAD);
    assert_string_equal(stopped->merchant_id, "shop");
    assert_string_equal(stopped->currency, "EUR");
    assert_string_equal(stopped->day, "2026-12-25");
    assert_int_equal(stopped->items, 1);
    test_day_operate(look_ahead, &over);
    assert_int_equal(over.ahead.count, 1);
    assert_string_equal(over.ahead.day, "2026-12-25");
    /* What is over is no day to come, and neither is one for which nothing was settled. */
    over.day = "2026-11-25";
    assert_int_equal(setpay_store_submit_wait(test_day_store, step_over, &over),
                     SETPAY_E_NOT_FOUND);
    over.day = "2026-12-24";
    assert_int_equal(setpay_store_submit_wait(test_day_store, step_over, &over),
                     SETPAY_E_NOT_FOUND);
    over.day = "2026-12-25";
    test_day_operate(step_over, &over);
    assert_int_equal(over.count, 1);
    test_day_operate(step_over, &over);
    assert_int_equal(over.count, 0); /* once */
    test_day_operate(look_ahead, &over);
    assert_int_equal(over.ahead.count, 0);
    assert_string_equal(over.ahead.day, "");
    /* What was carried over is carried on; nothing is paid twice. */
    assert_int_equal(test_day_settle(over.now_ms, NULL), 1);
    assert_string_equal(test_day_settled.made[0].day, "2026-11-26");
    assert_int_equal(test_day_settled.made[0].carried_in_minor, -50);
    assert_int_equal(test_day_settled.made[0].payout_minor, 150);
    assert_int_equal(test_day_settle(over.now_ms, NULL), 0);
    assert_int_equal(test_day_ask("SELECT SUM(payout_minor) FROM settlement WHERE currency = 'EUR'"
                                  " AND merchant_id = 'shop'"),
                     990 + 150);
    assert_int_equal(test_day_verify().findings, 0);
}

/* Its day is settled, and comes no second time; the days behind it go on. */
static void the_day_that_was_stepped_over_is_settled(void **state)
{
    struct step_over over = {.day = "2026-12-25", .now_ms = NOON + SETPAY_DAY_MS};
    const setpay_time_ms its_day = DAY_26 + (AHEAD_DAYS - 1) * SETPAY_DAY_MS;
    (void)state;
    settle_ahead();
    test_day_operate(step_over, &over);
    test_day_capture("EUR", 60, 0, its_day - 1);
    assert_int_equal(test_day_settle(its_day, NULL), 1);
    assert_string_equal(test_day_settled.made[0].day, "2026-12-24");
    assert_int_equal(test_day_settled.made[0].payout_minor, 10);
    test_day_capture("EUR", 8, 0, its_day + 1);
    assert_int_equal(test_day_settle(its_day + SETPAY_DAY_MS, NULL), 0);
    assert_int_equal(test_day_settled.later_count, 1);
    assert_int_equal(test_day_settled.stopped_count, 0);
    assert_int_equal(test_day_settle(its_day + 2 * SETPAY_DAY_MS, NULL), 1);
    assert_string_equal(test_day_settled.made[0].day, "2026-12-26");
    assert_int_equal(test_day_settled.made[0].payout_minor, 8);
}

/* Who settles a day out of its order, and says that it was stepped over, or does not. */
static void days_out_of_order_are_found(void **state)
{
    struct step_over over = {.day = "2026-12-25", .now_ms = NOON + SETPAY_DAY_MS};
    (void)state;
    settle_ahead();
    test_day_operate(step_over, &over);
    test_day_capture("EUR", 60, 0, DAY_26 + 3);
    assert_int_equal(test_day_settle(over.now_ms, NULL), 1);
    test_day_expect_found("DELETE FROM settlement_stepped_over",
                          "settled though a day behind it was, which nobody had stepped over: "
                          "settlement 5 (visa shop, EUR, 2026-11-26)",
                          false);
    test_day_expect_found("UPDATE settlement_stepped_over SET created_ms = created_ms + 1",
                          "which nobody had stepped over: settlement 5", false);
    test_day_expect_found("INSERT INTO settlement_stepped_over VALUES (99, 'none', 1)",
                          "stepped over, and there is no such settlement of a day to come: "
                          "settlement 99",
                          false);
    test_day_expect_found("INSERT INTO settlement_stepped_over SELECT 1, 'late', created_ms + 1"
                          " FROM settlement WHERE id = 1",
                          "no such settlement of a day to come: settlement 1", false);
}

/* ------------------------------------------------------------------ every edit is found */

/* Presentments 1 and 2 are captures of 1000 and 500, 3 and 4 credits of 1200 and 313, 5 is refused:
 * all of settlement 1, which carries over -28; 6, a capture of 700, is of settlement 2; 7 waits. */
static int open_settled(void **state)
{
    test_day_open(state);
    test_day_capture("EUR", 1000, 10, DAY_26 - 5);
    test_day_capture("EUR", 500, 5, DAY_26 - 4);
    test_day_credit("EUR", 1200, DAY_26 - 3);
    test_day_credit("EUR", 313, DAY_26 - 2);
    test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 300, 3, DAY_26 - 1, "25");
    test_day_settle(NOON, NULL);
    assert_int_equal(test_day_settled.made[0].carried_out_minor, -28);
    test_day_capture("EUR", 700, 7, DAY_26 + 1);
    test_day_settle(NOON + SETPAY_DAY_MS, NULL);
    assert_int_equal(test_day_settled.made[0].payout_minor, 665);
    test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 40, 0, DAY_26 + 2, NULL);
    return 0;
}

/* Each edit, and words of a finding that it leads to. */
static const struct {
    const char *sql, *words;
} edits[] = {
    {"UPDATE settlement SET payout_minor = 666 WHERE id = 2", "would be posted with other amounts"},
    {"UPDATE settlement SET payout_minor = 1 WHERE id = 1", "pays out 1 and carries out -28"},
    {"UPDATE settlement SET carried_out_minor = -27 WHERE id = 1", "carries out -27, expected 0"},
    {"UPDATE settlement SET carried_in_minor = -27 WHERE id = 2",
     "carries in -27, expected -28 from the one before"},
    {"UPDATE settlement SET carried_in_minor = -1 WHERE id = 1", "carries in -1, expected 0"},
    {"UPDATE settlement SET capture_minor = 1501 WHERE id = 1", "says 1501 captured"},
    {"UPDATE settlement SET capture_count = 3 WHERE id = 1", "says 1500 captured (3)"},
    {"UPDATE settlement SET credit_minor = 1 WHERE id = 1", "1 credited"},
    {"UPDATE settlement SET credit_count = 0 WHERE id = 1", "credited (0)"},
    {"UPDATE settlement SET fee_minor = 14 WHERE id = 1", "14 fees"},
    {"UPDATE settlement SET refused_minor = 298 WHERE id = 1", "298 refused"},
    {"UPDATE settlement SET refused_count = 0 WHERE id = 1", "refused (0)"},
    {"UPDATE settlement SET day = '2026-11-27' WHERE id = 2",
     "of another merchant, currency or day"},
    {"UPDATE settlement SET day = 'monday' WHERE id = 1", "its token is of another merchant"},
    {"UPDATE settlement SET merchant_id = 'other' WHERE id = 2",
     "of another merchant, currency or day"},
    {"UPDATE settlement SET brand = 'other' WHERE id = 1", "its token is of another"},
    {"UPDATE settlement SET currency = 'USD' WHERE id = 2", "of another merchant, currency or day"},
    {"UPDATE settlement SET token = zeroblob(16) WHERE id = 2", "there is no settlement"},
    {"UPDATE settlement SET cut_off_ms = 1 WHERE id = 1",
     "settled for a day before its batch was closed: presentment 1"},
    {"UPDATE settlement SET cut_off_ms = cut_off_ms + 864000000 WHERE id = 1", "is not of its day"},
    {"UPDATE settlement SET cut_off_ms = cut_off_ms - 864000000 WHERE id = 1", "is not of its day"},
    {"UPDATE settlement SET cut_off_ms = cut_off_ms + 3600000 WHERE id = 1",
     "its token is of another merchant, currency, day or time"},
    {"UPDATE settlement SET created_ms = 0 WHERE id = 1", "was made (0) before its day had ended"},
    {"UPDATE settlement SET created_ms = created_ms + 1 WHERE id = 1",
     "its token is of another merchant, currency, day or time"},
    {"UPDATE settlement SET created_ms = created_ms + 1 WHERE id = 1",
     "the presentment in suspense "},
    {"UPDATE settlement_rule SET last_before = 1",
     "its token is of another merchant, currency, day or time"},
    {"UPDATE step SET created_ms = created_ms + 8640000000 WHERE id = 1", "is of another time"},
    {"UPDATE batch SET closed_ms = closed_ms - 8640000000 WHERE id = 7",
     "presented at another time than its batch was closed: presentment 7"},
    {"UPDATE batch SET closed_ms = 0 WHERE id = 7", "neither open nor closed: batch visa shop"},
    {"UPDATE presentment SET created_ms = created_ms + 1 WHERE id = 7",
     "presented at another time than its batch was closed: presentment 7"},
    {"UPDATE presentment SET acknowledged_ms = 1 WHERE id = 7",
     "answered at no time, or at a time and not answered: presentment 7"},
    {"UPDATE presentment SET acknowledged_ms = 0 WHERE id = 1",
     "answered at no time, or at a time and not answered: presentment 1"},
    {"UPDATE presentment SET acknowledged_ms = created_ms - 8640000 WHERE id = 1",
     "answered before it was presented: presentment 1"},
    {"UPDATE presentment SET acknowledged_ms = acknowledged_ms + 8640000000 WHERE id = 1",
     "answered after it was settled: presentment 1"},
    {"DELETE FROM settlement WHERE id = 2", "there is no settlement"},
    {"DELETE FROM settlement WHERE id = 1", "carries in -28, expected 0"},
    {"INSERT INTO settlement SELECT 9, zeroblob(16), brand, merchant_id, 'JPY', day, cut_off_ms, 0,"
     " 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 180, 0, 0, 0, 0 FROM settlement"
     " WHERE id = 1",
     "its token is of another merchant"},
    {"UPDATE presentment SET settlement_id = 0 WHERE id = 1", "its items come to 500 (1)"},
    {"UPDATE presentment SET settlement_id = 2 WHERE id = 1", "its items come to 500 (1)"},
    {"UPDATE presentment SET settlement_id = 77 WHERE id = 1", "its items come to 500 (1)"},
    {"UPDATE presentment SET settlement_id = 2 WHERE id = 7", "its items come to"},
    {"UPDATE presentment SET response_code = '25' WHERE id = 1", "its items come to 500 (1)"},
    {"UPDATE presentment SET response_code = '00' WHERE id = 5", "its items come to 1800 (3)"},
    {"UPDATE presentment SET suspense = NULL WHERE id = 5", "there is no presentment in suspense"},
    {"UPDATE presentment SET suspense = zeroblob(16) WHERE id = 1", "in suspense and not refused"},
    {"UPDATE presentment SET acknowledged = 0 WHERE id = 1",
     "settled before its issuer has answered: presentment 1"},
    {"UPDATE presentment SET response_code = '00' WHERE id = 7",
     "answered without a response code, or the other way round: presentment 7"},
    {"DELETE FROM presentment WHERE id = 7", "cleared and not presented: step"},
    {"UPDATE presentment SET step_id = 99 WHERE id = 7", "cleared and not presented: step"},
    {"UPDATE presentment SET batch_id = 1 WHERE id = 7",
     "presented with a batch that is open, or not its own: presentment 7"},
    {"INSERT INTO presentment (step_id, batch_id, acknowledged, response_code, sent_count,"
     " created_ms, acknowledged_ms) VALUES (99, 1, 0, '', 0, 1, 0)",
     "presented, and there is no such step: presentment 8"},
    {"UPDATE batch SET open = 1 WHERE id = 7", "presented with a batch that is open"},
    {"UPDATE batch SET merchant_id = 'other' WHERE id = 7", "presented with a batch"},
    {"UPDATE batch SET closed_ms = closed_ms + 10 WHERE id = 5",
     "settled for a day before its batch was closed: presentment 5"},
    {"DELETE FROM batch WHERE id = 7", "in no batch of its merchant"},
    {"UPDATE batch SET settled = 1 WHERE id = 7", "known to be settled, and is not: batch"},
    {"UPDATE step SET undone = 1 WHERE id = 7", "presented though it was undone"},
    {"UPDATE step SET credited_minor = 0 WHERE id = 1", "what was credited of it"},
    {"UPDATE step SET of_id = 2 WHERE id = 3", "what was credited of it"},
    {"UPDATE ledger_entry SET kind = 7 WHERE kind = 5", "its hash is not that of its content"},
    {"UPDATE ledger_entry SET event = zeroblob(16) WHERE kind = 5", "its hash is not"},
    {"UPDATE ledger_balance SET amount_minor = 0 WHERE account = 5", "a balance is not the sum"},
    {"UPDATE ledger_posting SET account = 6 WHERE account = 5", "its hash is not"},
};

/* Somebody who dates a settlement anew would have to make its token and its entry anew. */
#define AN_HOUR_LATER                                                                              \
    "UPDATE ledger_entry SET time_ms = time_ms + 3600000 WHERE kind IN (5, 6);"                    \
    "UPDATE settlement SET created_ms = created_ms + 3600000"

/* Edits that somebody makes who then computes all hashes and balances anew. */
static const struct {
    const char *sql, *words;
} forgeries[] = {
    {"UPDATE ledger_posting SET amount_minor = amount_minor * 2 WHERE entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 5)",
     "would be posted with other amounts"},
    {"UPDATE ledger_posting SET account = 4 WHERE account = 5",
     "would be posted with other amounts"},
    {"UPDATE ledger_entry SET merchant_id = 'other' WHERE kind = 5",
     "is of another merchant, currency or day"},
    {"UPDATE ledger_entry SET currency = 'USD' WHERE kind = 6",
     "is of another merchant, currency or step"},
    {"UPDATE ledger_entry SET kind = 99 WHERE kind = 5", "there is no kind 99"},
    {AN_HOUR_LATER, "its token is of another merchant, currency, day or time"},
    {"UPDATE ledger_entry SET time_ms = time_ms + 3600000 WHERE kind = 5", "is of another time"},
    {"UPDATE ledger_entry SET time_ms = time_ms + 3600000 WHERE kind = 6", "is of another time"},
    {"UPDATE ledger_entry SET time_ms = time_ms + 3600000 WHERE kind = 1", "is of another time"},
    {"UPDATE ledger_entry SET kind = 7 WHERE kind = 5", "there is no dispute "},
    {"UPDATE ledger_entry SET event = zeroblob(16) WHERE kind = 6",
     "there is no presentment in suspense 00000000000000000000000000000000"},
    {"UPDATE ledger_entry SET event = zeroblob(16) WHERE kind = 6;"
     "UPDATE presentment SET suspense = zeroblob(16) WHERE id = 5",
     "is of another merchant, currency or step"},
    {"UPDATE ledger_posting SET amount_minor = amount_minor * 2 WHERE entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 5);"
     "UPDATE settlement SET payout_minor = payout_minor * 2",
     "pays out 1330 and carries out 0, expected 665 and 0"},
    /* A payout that nobody was owed, made with everything but items. */
    {"UPDATE settlement SET payout_minor = 700, fee_minor = -28 WHERE id = 2;"
     "UPDATE ledger_posting SET amount_minor = CASE WHEN amount_minor > 0 THEN 700 ELSE -700 END"
     " WHERE entry IN (SELECT number FROM ledger_entry WHERE kind = 5)",
     "-28 fees"},
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

/* From the last entry on, of which nothing is behind. */
struct from_mark {
    struct setpay_ledger_mark mark;
    size_t findings;
    char first[400];
};

static void on_first(void *arg, const char *words)
{
    struct from_mark *from = arg;
    if (from->first[0] == '\0')
        (void)snprintf(from->first, sizeof from->first, "%s", words);
}

static enum setpay_error verify_from(struct setpay_db *db, void *arg)
{
    struct from_mark *from = arg;
    const struct setpay_ledger_mark mark = from->mark;
    from->first[0] = '\0';
    return setpay_ledger_verify(db, mark.number == 0 ? NULL : &mark, on_first, from, &from->mark,
                                &from->findings);
}

static void what_is_settled_is_looked_at_from_a_mark_on(void **state)
{
    struct from_mark from = {.findings = 9};
    (void)state;
    for (int i = 0; i < 2; i++) {
        test_day_operate(verify_from, &from);
        assert_int_equal(from.findings, 0);
        assert_int_not_equal(from.mark.number, 0);
    }
    test_day_edit("UPDATE presentment SET settlement_id = 0 WHERE id = 1");
    test_day_operate(verify_from, &from);
    assert_int_not_equal(from.findings, 0);
    assert_non_null(strstr(from.first, "its items come to 500 (1)"));
    test_day_edit("UPDATE presentment SET settlement_id = 1 WHERE id = 1");
}

/* ------------------------------------------------------------------ of before */

#define STEPS_BEFORE_TIMES 12 /* schema steps, before tokens of settlements had their times */

static enum setpay_error settle_as_before(struct setpay_db *db, void *arg)
{
    struct setpay_settlement s = {.brand = "visa",
                                  .merchant_id = "shop",
                                  .currency = "EUR",
                                  .day = "2026-11-25",
                                  .is_of_before = true};
    (void)arg;
    SETPAY_TRY(setpay_settlement_token(&s, &s.token));
    return setpay_db_run(
        db,
        "INSERT INTO settlement (token, brand, merchant_id, currency, day, cut_off_ms,"
        " capture_count, capture_minor, credit_count, credit_minor, fee_minor, refused_count,"
        " refused_minor, carried_in_minor, payout_minor, carried_out_minor, created_ms)"
        " VALUES ($1, 'visa', 'shop', 'EUR', '2026-11-25', $2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, $3)",
        SETPAY_DB_ID(&s.token), SETPAY_DB_INT(DAY_26), SETPAY_DB_INT(NOON));
}

/* A database of before: its settlements keep their tokens, those that are made now have their
 * times in them. */
static void a_settlement_of_before_keeps_its_token(void **state)
{
    struct setpay_store_migration steps[STEPS_BEFORE_TIMES + 1] = {{0, NULL}};
    struct setpay_problem problem;
    struct setpay_store *empty = test_day_store;
    struct test_folder folder;
    (void)state;
    test_folder_make(&folder);
    memcpy(steps, setpay_gateway_schema.steps, STEPS_BEFORE_TIMES * sizeof *steps);
    const struct setpay_store_schema old = {.name = setpay_gateway_schema.name,
                                            .steps = steps,
                                            .erasable = setpay_gateway_schema.erasable};
    struct setpay_store_options options = {.url = folder.url, .schema = &old};
    assert_int_equal(setpay_store_open(&options, &test_day_store, &problem), SETPAY_OK);
    test_day_operate(settle_as_before, NULL);
    setpay_store_close(test_day_store);
    options.schema = &setpay_gateway_schema;
    assert_int_equal(setpay_store_open(&options, &test_day_store, &problem), SETPAY_OK);
    test_day_merchant("shop", "UTC", "24:00");
    assert_int_equal(test_day_verify().findings, 0);
    test_day_capture("EUR", 1000, 10, DAY_26 + 1);
    assert_int_equal(test_day_settle(NOON + SETPAY_DAY_MS, NULL), 1);
    assert_int_equal(test_day_verify().findings, 0);
    test_day_expect_found("UPDATE settlement SET cut_off_ms = 1 WHERE id = 1", "is not of its day",
                          false);
    test_day_expect_found("UPDATE settlement SET cut_off_ms = cut_off_ms + 1 WHERE id = 2",
                          "currency, day or time", false);
    setpay_store_close(test_day_store);
    test_folder_remove(&folder);
    test_day_store = empty;
}

/* ------------------------------------------------------------------ reports */

struct reported {
    const char *day; /* NULL: the 25th */
    struct setpay_settlement settlements[8];
    size_t settlement_count;
    struct setpay_clearing_item items[16];
    size_t item_count;
    struct setpay_suspense_told cleared[8];
    size_t cleared_count;
    struct setpay_buffer bytes;
};

static const char *day_of(const struct reported *r)
{
    return r->day != NULL ? r->day : "2026-11-25";
}

static enum setpay_error take_settlement(void *arg, const struct setpay_settlement *settlement)
{
    struct reported *r = arg;
    r->settlements[r->settlement_count++] = *settlement;
    return SETPAY_OK;
}

static enum setpay_error take_item(void *arg, const struct setpay_clearing_item *item)
{
    struct reported *r = arg;
    r->items[r->item_count++] = *item;
    return SETPAY_OK;
}

static enum setpay_error take_cleared(void *arg, const struct setpay_suspense_told *told)
{
    struct reported *r = arg;
    r->cleared[r->cleared_count++] = *told;
    return SETPAY_OK;
}

static enum setpay_error read_reported(struct setpay_db *db, void *arg)
{
    struct reported *r = arg;
    const struct setpay_settlement_filter filter = {.day = day_of(r), .limit = 8};
    SETPAY_TRY(setpay_settlement_each(db, &filter, take_settlement, r));
    for (size_t i = 0; i < r->settlement_count; i++) {
        int64_t id = r->settlements[i].id;
        SETPAY_TRY(setpay_clearing_items_each(db, id, 0, 16, take_item, r));
        SETPAY_TRY(setpay_suspense_told_each(db, id, 0, 8, take_cleared, r));
    }
    return SETPAY_OK;
}

static const char *make_report(struct reported *r,
                               enum setpay_error (*build)(const struct setpay_report *,
                                                          struct setpay_buffer *))
{
    const struct setpay_report report = {
        .gateway_id = "gateway-1",
        .acquirer_id = "4242",
        .day = day_of(r),
        .created_ms = NOON,
        .settlements = r->settlements,
        .settlement_count = r->settlement_count,
        .items = r->items,
        .item_count = r->item_count,
        .cleared = r->cleared,
        .cleared_count = r->cleared_count,
    };
    assert_int_equal(build(&report, &r->bytes), SETPAY_OK);
    assert_int_equal(setpay_buffer_append(&r->bytes, setpay_view_of("", 1)), SETPAY_OK);
    return (const char *)r->bytes.data;
}

static void expect_in(const char *text, const char *words)
{
    if (strstr(text, words) == NULL)
        fail_msg("'%s' is not in\n%s", words, text);
}

/* No merchant is given a file whose items are not those of its settlement. */
static void refuses_what_does_not_add_up(struct reported *r)
{
    struct setpay_report report = {
        .gateway_id = "gateway-1",
        .day = "2026-11-25",
        .settlements = r->settlements,
        .settlement_count = r->settlement_count,
        .items = r->items,
        .item_count = r->item_count - 1,
    };
    assert_int_equal(setpay_report_items(&report, &r->bytes), SETPAY_E_INTERNAL);
    report.item_count = r->item_count;
    r->items[1].fee_minor++; /* of a refused one: no payout tells it */
    assert_int_equal(setpay_report_items(&report, &r->bytes), SETPAY_E_INTERNAL);
    r->items[1].fee_minor--;
    assert_int_equal(setpay_report_items(&report, &r->bytes), SETPAY_OK);
}

static void reports_what_was_settled(void **state)
{
    static struct reported r;
    char token[SETPAY_ID_TEXT_SIZE], line[512];
    (void)state;
    memset(&r, 0, sizeof r);
    setpay_buffer_init(&r.bytes, SETPAY_REPORT_MAX);
    test_day_capture("EUR", 10000, 165, DAY_26 - 5);
    test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 300, 3, DAY_26 - 4, "25");
    test_day_capture("JPY", 1250, 20, DAY_26 - 3);
    test_day_credit("JPY", 1250, DAY_26 - 2);
    test_day_capture("KWD", 1250, 0, DAY_26 - 1);
    test_day_settle(NOON, NULL);
    test_day_operate(read_reported, &r);
    assert_int_equal(r.settlement_count, 3);
    assert_int_equal(r.item_count, 5);

    const char *csv = make_report(&r, setpay_report_csv);
    (void)snprintf(line, sizeof line,
                   "2026-11-25,visa,shop,EUR,2026-11-26T00:00:00.000Z,%s,1,100.00,0,0.00,1.65,"
                   "98.35,1,2.97,0.00,98.35,0.00,0,0.00,0,0.00,0,0.00,0.00,0.00,0,0.00\r\n",
                   setpay_id_format(&r.settlements[0].token, token));
    expect_in(csv, line);
    (void)snprintf(line, sizeof line, "%s,1,1250,1,1250,20,-20,0,0,0,0,-20,0,0,0,0,0,0,0,0,0,0\r\n",
                   setpay_id_format(&r.settlements[1].token, token));
    expect_in(csv, line);
    (void)snprintf(line, sizeof line,
                   "%s,1,1.250,0,0.000,0.000,1.250,0,0.000,0.000,1.250,0.000,"
                   "0,0.000,0,0.000,0,0.000,0.000,0.000,0,0.000\r\n",
                   setpay_id_format(&r.settlements[2].token, token));
    expect_in(csv, line);

    const char *statement = make_report(&r, setpay_report_camt_053);
    expect_in(statement, "<Amt Ccy=\"EUR\">98.35</Amt>");
    expect_in(statement, "<Amt Ccy=\"KWD\">1.250</Amt>");
    expect_in(statement, "<Amt Ccy=\"JPY\">20</Amt>\n        <CdtDbtInd>DBIT</CdtDbtInd>");
    expect_in(statement, "not in this statement: 1, 2.97 EUR");
    const char *notification = make_report(&r, setpay_report_camt_054);
    expect_in(notification, "<Amt Ccy=\"JPY\">1250</Amt>");
    expect_in(notification, "<TtlChrgsAndTaxAmt Ccy=\"EUR\">1.65</TtlChrgsAndTaxAmt>");
    expect_in(notification, "response code 25");
    const char *clearing = make_report(&r, setpay_report_clearing);
    expect_in(clearing, "header,setpay-clearing,1,gateway-1,2026-11-25,2026-11-25\n");
    expect_in(clearing, ",capture,300,EUR,2026-11-25,25\n");
    expect_in(clearing, "total,EUR,1,10000,0,0\ntotal,JPY,1,1250,1,1250\ntotal,KWD,1,1250,0,0\n"
                        "end,5,");
    const char *items = make_report(&r, setpay_report_items);
    (void)snprintf(line, sizeof line,
                   "header,setpay-settlement,1,gateway-1,%s,visa,shop,2026-11-25,EUR\n",
                   setpay_id_format(&r.settlements[0].token, token));
    expect_in(items, line);
    (void)snprintf(line, sizeof line, "row,capture,%s,", setpay_id_format(&r.items[0].step, token));
    expect_in(items, line);
    expect_in(items, ",1,10000,165,00,2026-11-25,\n");
    expect_in(items, ",2,300,3,25,2026-11-25,\n");
    expect_in(items, "items,1,10000,165,0,0,0,1,297\nothers,0,0,0,0,0,0\n"
                     "payout,0,0,0,0,0,9835,0\nend,2,");
    expect_in(items, "items,1,1250,20,1,1250,0,0,0\nothers,0,0,0,0,0,0\n"
                     "payout,0,0,0,0,0,0,-20\nend,2,");
    refuses_what_does_not_add_up(&r);
    setpay_buffer_clear(&r.bytes);
}

struct clear_call {
    struct setpay_id step;
    enum setpay_account account;
    int64_t minor; /* 0: all that is left */
    setpay_time_ms at_ms;
    const char *reason;
    struct setpay_suspense_clearing clearing;
};

/* Of the presentment of that step. */
static enum setpay_error clear_refused(struct setpay_db *db, void *arg)
{
    struct clear_call *call = arg;
    struct setpay_db_rows *rows;
    struct setpay_money asked = {.minor = call->minor, .currency = "EUR"};
    struct setpay_problem problem;
    call->clearing =
        (struct setpay_suspense_clearing){.account = call->account, .created_ms = call->at_ms};
    (void)snprintf(call->clearing.reason, sizeof call->clearing.reason, "%s", call->reason);
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT suspense FROM presentment JOIN step ON step.id = step_id"
                             " WHERE token = $1",
                             SETPAY_DB_ID(&call->step)));
    setpay_db_get_id(rows, 0, &call->clearing.item);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_suspense_clear(db, &call->clearing, &asked, &problem);
}

static void clear_step(const struct setpay_id *step, enum setpay_account account, int64_t minor,
                       setpay_time_ms at_ms, const char *reason)
{
    struct clear_call call = {
        .step = *step, .account = account, .minor = minor, .at_ms = at_ms, .reason = reason};
    test_day_operate(clear_refused, &call);
}

/* By the schema of the part of camt.054 that is used. */
static void validate(const struct reported *r)
{
    char path[] = "/tmp/setpay-test-camt-XXXXXX";
    int fd = mkstemp(path), status = 0;
    size_t size = r->bytes.size - 1; /* without the NUL behind it */
    assert_true(fd >= 0);
    assert_int_equal(write(fd, r->bytes.data, size), size);
    assert_int_equal(close(fd), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execlp("xmllint", "xmllint", "--noout", "--nonet", "--schema", "tests/schemas/camt.054.xsd",
               path, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)unlink(path);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* An entry with these words about this step: its text, from its amount on. */
static void expect_told(const char *notification, const char *amount, const char *status,
                        const struct setpay_id *step, const char *words)
{
    char id[SETPAY_ID_TEXT_SIZE];
    const char *end = strstr(notification, words);
    const char *begin = notification, *next;
    if (end == NULL)
        fail_msg("'%s' is not in\n%s", words, notification);
    while ((next = strstr(begin + 1, "<Ntry>")) != NULL && next < end)
        begin = next;
    (void)setpay_id_format(step, id);
    const char *parts[] = {amount, status, id};
    for (size_t i = 0; i < 3; i++) {
        const char *at = strstr(begin, parts[i]);
        if (at == NULL || at > end)
            fail_msg("'%s' is not before '%s' in\n%s", parts[i], words, begin);
    }
}

/* A line of that kind about this step, which has these fields. */
static void expect_row(const char *items, const char *kind, const struct setpay_id *step,
                       const char *fields)
{
    char begin[80], id[SETPAY_ID_TEXT_SIZE];
    (void)snprintf(begin, sizeof begin, "row,%s,%s,", kind, setpay_id_format(step, id));
    const char *at = strstr(items, begin);
    if (at == NULL)
        fail_msg("'%s' is not in\n%s", begin, items);
    const char *found = strstr(at, fields);
    assert_non_null(found);
    assert_true(found < strchr(at, '\n'));
}

/* What came of what was refused, and of which capture or credit, is in the merchant's notification:
 * also what it is not paid, which is in no sum. Each once. */
static void reports_what_was_cleared_of_which(void **state)
{
    static struct reported r;
    (void)state;
    struct setpay_id capture =
        test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 300, 3, DAY_26 - 4, "25");
    struct setpay_id credit =
        test_day_add("shop", "EUR", SETPAY_STEP_CREDIT, 200, 0, DAY_26 - 3, "25");
    struct setpay_id lost =
        test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 70, 0, DAY_26 - 2, "25");
    test_day_capture("EUR", 900, 0, DAY_26 - 1);
    test_day_settle(NOON, NULL);
    setpay_time_ms at_ms = NOON + 1;
    clear_step(&capture, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 100, at_ms, "its bank charged a part");
    clear_step(&capture, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0, at_ms + 1, "a hold that had ended");
    clear_step(&credit, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0, at_ms + 2, "credited by hand");
    clear_step(&lost, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0, at_ms + 3, "no such card & no charge");
    test_day_capture("EUR", 1000, 0, DAY_26 + SETPAY_DAY_MS - 1);
    test_day_settle(NOON + SETPAY_DAY_MS, NULL);
    test_day_capture("EUR", 1000, 0, DAY_26 + 2 * SETPAY_DAY_MS - 1);
    test_day_settle(NOON + 2 * SETPAY_DAY_MS, NULL);
    for (int i = 0; i < 3; i++) {
        static const char *const days[] = {"2026-11-25", "2026-11-26", "2026-11-27"};
        memset(&r, 0, sizeof r);
        r.day = days[i];
        setpay_buffer_init(&r.bytes, SETPAY_REPORT_MAX);
        test_day_operate(read_reported, &r);
        assert_int_equal(r.settlement_count, 1);
        assert_int_equal(r.cleared_count, i == 1 ? 4 : 0);
        const char *told = make_report(&r, setpay_report_camt_054);
        validate(&r);
        if (i == 1) {
            expect_told(told, "<Amt Ccy=\"EUR\">1.00</Amt>\n        <CdtDbtInd>CRDT", "BOOK",
                        &capture, "Refused before, and charged after all: its bank charged a part");
            expect_told(told, "<Amt Ccy=\"EUR\">1.97</Amt>", "INFO", &capture,
                        "Refused, and charged to nobody; not paid: a hold that had ended");
            expect_told(told, "<Amt Ccy=\"EUR\">2.00</Amt>\n        <CdtDbtInd>DBIT", "BOOK",
                        &credit, "Refused before, and credited after all: credited by hand");
            expect_told(told, "<Amt Ccy=\"EUR\">0.70</Amt>", "INFO", &lost,
                        "not paid: no such card &amp; no charge");
            told = make_report(&r, setpay_report_items);
            expect_row(told, "cleared", &capture, ",100,,,,");
            expect_row(told, "ended", &capture, ",197,,,,");
            expect_row(told, "cleared", &credit, ",-200,,,,");
            expect_row(told, "ended", &lost, ",70,,,,");
            expect_in(told, "\nothers,0,0,0,0,2,-100\n");
        }
        setpay_buffer_clear(&r.bytes);
    }
}

static void an_empty_day_is_no_camt(void **state)
{
    struct setpay_buffer bytes;
    const struct setpay_report report = {.gateway_id = "g", .day = "2026-11-25"};
    (void)state;
    setpay_buffer_init(&bytes, SETPAY_REPORT_MAX);
    assert_int_equal(setpay_report_camt_053(&report, &bytes), SETPAY_E_NOT_FOUND);
    assert_int_equal(setpay_report_camt_054(&report, &bytes), SETPAY_E_NOT_FOUND);
    assert_int_equal(setpay_report_items(&report, &bytes), SETPAY_E_NOT_FOUND);
    assert_int_equal(setpay_report_csv(&report, &bytes), SETPAY_OK);
    setpay_buffer_clear(&bytes);
}

#define BOOKS(test) cmocka_unit_test_setup_teardown(test, test_day_open, test_day_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOOKS(a_sale_around_midnight_differs_in_no_file),
        BOOKS(settles_what_is_cleared_once),
        BOOKS(one_unit_and_nothing),
        BOOKS(each_currency_by_itself),
        BOOKS(carries_over_what_is_negative),
        BOOKS(refused_items_go_to_suspense),
        BOOKS(waits_for_answers),
        BOOKS(a_batch_at_the_cut_off_is_of_the_day),
        BOOKS(days_come_in_order),
        BOOKS(days_are_of_the_merchants_zone),
        BOOKS(a_zone_that_is_gone_stops_its_merchant),
        BOOKS(each_operation_is_one_merchants),
        BOOKS(a_day_to_come_stops_until_it_is_stepped_over),
        BOOKS(the_day_that_was_stepped_over_is_settled),
        BOOKS(days_out_of_order_are_found),
        cmocka_unit_test_setup_teardown(what_is_settled_is_looked_at_from_a_mark_on, open_settled,
                                        test_day_close),
        cmocka_unit_test_setup_teardown(every_edit_is_found_and_named, open_settled,
                                        test_day_close),
        BOOKS(a_settlement_of_before_keeps_its_token),
        BOOKS(reports_what_was_settled),
        BOOKS(reports_what_was_cleared_of_which),
        cmocka_unit_test(an_empty_day_is_no_camt),
    };
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
