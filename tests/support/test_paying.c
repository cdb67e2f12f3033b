/*
 * Payments of issuers and clearings of suspense, each in an operation of its own.
 */
#include "tests/support/test_paying.h"

#include "gateway/clearing/presentment.h"
#include "tests/support/test_day.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

struct test_paying test_paying_last;
struct test_paying_clearing test_paying_cleared;

static enum setpay_error run_paid(struct setpay_db *db, void *arg)
{
    struct test_paying *p = arg;
    struct setpay_incoming_list list;
    p->matched = p->suspense = p->known = 0;
    SETPAY_TRY(setpay_incoming_parse(setpay_view_string(p->lines), &list, &p->problem));
    enum setpay_error error = setpay_incoming_keep(db, &list, p->now_ms, &p->problem);
    for (size_t i = 0; error == SETPAY_OK && i < list.count; i++) {
        p->matched += list.rows[i].matched_minor;
        p->suspense += list.rows[i].amount.minor - list.rows[i].matched_minor;
        p->known += list.rows[i].known;
    }
    setpay_incoming_list_clear(&list);
    return error;
}

enum setpay_error test_paying_paid(const char *lines)
{
    test_paying_last = (struct test_paying){.lines = lines, .now_ms = NOON};
    return setpay_store_submit_wait(test_day_store, run_paid, &test_paying_last);
}

static enum setpay_error run_clear(struct setpay_db *db, void *arg)
{
    struct test_paying_clearing *c = arg;
    return setpay_suspense_clear(db, &c->row, &c->asked, &c->problem);
}

enum setpay_error test_paying_clear(const struct setpay_id *item, enum setpay_account account,
                                    int64_t minor, const char *currency, setpay_time_ms now_ms)
{
    struct test_paying_clearing *c = &test_paying_cleared;
    *c = (struct test_paying_clearing){
        .row = {.item = *item, .account = account, .created_ms = now_ms}};
    c->asked.minor = minor;
    (void)snprintf(c->asked.currency, sizeof c->asked.currency, "%s", currency);
    (void)snprintf(c->row.reason, sizeof c->row.reason, "the bank has said so");
    return setpay_store_submit_wait(test_day_store, run_clear, c);
}

static enum setpay_error take_item(void *arg, const struct setpay_suspense_item *item)
{
    struct test_paying_items *first = arg;
    if (first->count++ == 0)
        first->item = *item;
    return SETPAY_OK;
}

static enum setpay_error read_items(struct setpay_db *db, void *arg)
{
    return setpay_suspense_each(db, NULL, take_item, arg);
}

struct test_paying_items test_paying_items(void)
{
    struct test_paying_items first = {.count = 0};
    test_day_operate(read_items, &first);
    return first;
}

int64_t test_paying_sim(int account)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "SELECT COALESCE(SUM(amount_minor), 0) FROM ledger_balance WHERE account = %d"
                   " AND brand = '' AND merchant_id = 'sim'",
                   account);
    return test_day_ask(sql);
}

int64_t test_paying_all(int account)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "SELECT COALESCE(SUM(amount_minor), 0) FROM ledger_balance WHERE account = %d",
                   account);
    return test_day_ask(sql);
}

/* Of all payments; and what it has taken of those that had none. */
static void name_issuer(void)
{
    test_day_edit("UPDATE payment SET issuer = 'sim'; DELETE FROM issuer_taken;"
                  "INSERT INTO issuer_taken SELECT issuer, currency,"
                  " SUM(" SETPAY_INCOMING_TAKEN_MINOR ") FROM presentment"
                  " JOIN step ON step.id = step_id JOIN payment ON payment.id = payment_id"
                  " WHERE " SETPAY_INCOMING_IS_TAKEN("") " GROUP BY issuer, currency");
}

int test_paying_open(void **state)
{
    test_day_open(state);
    test_day_capture("EUR", 1001, 10, DAY_26 - 5);
    test_day_capture("EUR", 500, 5, DAY_26 - 4);
    test_day_credit("EUR", 200, DAY_26 - 3);
    (void)test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 300, 3, DAY_26 - 1, "25");
    (void)test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 40, 0, DAY_26 - 1, NULL);
    name_issuer();
    return 0;
}

/* What was marked as written off gets its reason, and what it is known by. */
static enum setpay_error give_up(struct setpay_db *db, void *arg)
{
    const char *reason = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT id, acknowledged_ms FROM presentment"
                             " WHERE response_code = 'WO'"));
    int64_t id = setpay_db_get_int(rows, 0), at_ms = setpay_db_get_int(rows, 1);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_write_off(db, id, at_ms, reason);
}

static void refuse(enum setpay_step_kind kind, int64_t amount, int64_t interchange, int64_t fee,
                   const char *code)
{
    struct test_day_item item = {.merchant_id = "shop",
                                 .currency = "EUR",
                                 .kind = kind,
                                 .amount = amount,
                                 .interchange = interchange,
                                 .fee = fee,
                                 .closed_ms = DAY_26 - 1,
                                 .code = code};
    char reason[] = "the vault was lost";
    memset(item.token.bytes, 77, sizeof item.token.bytes);
    test_day_operate(test_day_write_item, &item);
    name_issuer();
    if (strcmp(code, SETPAY_PRESENTMENT_WRITTEN_OFF) == 0)
        test_day_operate(give_up, reason);
}

void test_paying_give_up(int64_t amount, int64_t interchange, int64_t fee)
{
    refuse(SETPAY_STEP_CAPTURE, amount, interchange, fee, SETPAY_PRESENTMENT_WRITTEN_OFF);
}

struct setpay_id test_paying_refused(enum setpay_step_kind kind, int64_t amount,
                                     int64_t interchange, int64_t fee, const char *code)
{
    refuse(kind, amount, interchange, fee, code);
    test_day_settle(NOON, NULL);
    struct test_paying_items found = test_paying_items();
    assert_int_equal(found.count, 1);
    assert_int_equal(found.item.interchange_minor,
                     kind == SETPAY_STEP_CAPTURE ? interchange : -interchange);
    return found.item.event;
}

void test_paying_move(const struct setpay_id *item, enum setpay_account account, int64_t minor)
{
    assert_int_equal(test_paying_clear(item, account, minor, "EUR", NOON), SETPAY_OK);
}

void test_paying_finish(const char *amount)
{
    char lines[256];
    test_day_settle(NOON + SETPAY_DAY_MS, NULL);
    assert_int_equal(test_paying_items().count, 0);
    if (amount != NULL) {
        (void)snprintf(lines, sizeof lines, TEST_PAYING_NAMES "sim,%s,EUR,2026-11-27,R1\n", amount);
        assert_int_equal(test_paying_paid(lines), SETPAY_OK);
        assert_int_equal(test_paying_last.suspense, 0);
    }
    assert_int_equal(test_paying_paid(TEST_PAYING_NAMES "sim,0.01,EUR,2026-11-27,R2\n"), SETPAY_OK);
    assert_int_equal(test_paying_last.suspense, 1); /* it owes nothing more */
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_ISSUER_RECEIVABLE), 0);
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_MERCHANT_PAYABLE), 0);
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_SUSPENSE), -1);
}

void test_paying_expect_left(int64_t interchange, int64_t fees, int64_t losses, int64_t cash)
{
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_INTERCHANGE), interchange);
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_FEES), fees);
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_LOSSES), losses);
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_CASH) - 1, cash);
}
