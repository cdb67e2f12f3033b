/*
 * Suspense that was cleared before there were shares of interchange and fee: it stays as it was
 * posted, its issuer owes all of it, and a database of then is moved.
 */
#include "common/base/log.h"
#include "gateway/clearing/adjustment.h"
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

/* Clears as it was done before there were shares. */
static enum setpay_error clear_as_before(struct setpay_db *db, void *arg)
{
    struct setpay_suspense_clearing *c = arg;
    struct setpay_ledger_entry entry = {.time_ms = c->created_ms};
    c->is_of_before = true;
    SETPAY_TRY(setpay_suspense_clearing_token(c, &c->token));
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO suspense_clearing (token, item, number, brand, merchant_id, currency,"
        " amount_minor, account, reason, created_ms)"
        " VALUES ($1, $2, $3, 'visa', 'shop', 'EUR', $4, $5, $6, $7)",
        SETPAY_DB_ID(&c->token), SETPAY_DB_ID(&c->item), SETPAY_DB_INT(c->number),
        SETPAY_DB_INT(c->amount_minor), SETPAY_DB_INT(c->account), SETPAY_DB_TEXT(c->reason),
        SETPAY_DB_INT(c->created_ms)));
    entry.event = c->token;
    strcpy(entry.brand, "visa");
    strcpy(entry.merchant_id, "shop");
    strcpy(entry.currency, "EUR");
    setpay_ledger_post_two(SETPAY_LEDGER_SUSPENSE_CLEARED, SETPAY_ACCOUNT_SUSPENSE, c->account,
                           c->amount_minor, &entry);
    SETPAY_TRY(setpay_ledger_append(db, &entry));
    struct setpay_adjustment adjustment = {.token = c->token,
                                           .kind = SETPAY_ADJUSTMENT_CLEARED,
                                           .source_id = c->number,
                                           .brand = "visa",
                                           .merchant_id = "shop",
                                           .currency = "EUR",
                                           .amount_minor = c->amount_minor,
                                           .created_ms = c->created_ms};
    return c->account == SETPAY_ACCOUNT_MERCHANT_PAYABLE ? setpay_adjustment_insert(db, &adjustment)
                                                         : SETPAY_OK;
}

/* What was cleared without a share stays as it was posted; what is cleared now has its own. */
static void what_was_cleared_before_stays(void **state)
{
    (void)state;
    struct setpay_suspense_clearing old = {.number = 1,
                                           .amount_minor = 1000,
                                           .account = SETPAY_ACCOUNT_ISSUER_RECEIVABLE,
                                           .reason = "as it was",
                                           .created_ms = NOON};
    old.item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    test_day_operate(clear_as_before, &old);
    assert_int_equal(test_day_verify().findings, 0);
    test_paying_move(&old.item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0);
    assert_int_equal(test_paying_cleared.row.interchange_minor, 8);
    assert_int_equal(test_paying_cleared.row.fee_minor, 52);
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_ISSUER_RECEIVABLE), 11);
    test_day_expect_found("UPDATE suspense_clearing SET interchange_minor = 2, fee_minor = 13,"
                          " loss_minor = 0 WHERE id = 1",
                          "currency or content", false);
    test_day_expect_found("UPDATE suspense_clearing SET interchange_minor = NULL,"
                          " fee_minor = NULL, loss_minor = NULL WHERE id = 2",
                          "currency or content", false);
    test_day_expect_found("UPDATE suspense_clearing SET loss_minor = 1 WHERE id = 1",
                          "without a share behind one that has it", false);
}

/* So many minor units of an item were cleared to its merchant then. */
static void cleared_before(const struct setpay_id *item, int64_t number, int64_t minor)
{
    struct setpay_suspense_clearing old = {.item = *item,
                                           .number = number,
                                           .amount_minor = minor,
                                           .account = SETPAY_ACCOUNT_MERCHANT_PAYABLE,
                                           .reason = "as it was",
                                           .created_ms = NOON};
    test_day_operate(clear_as_before, &old);
    assert_int_equal(test_day_verify().findings, 0);
}

static enum setpay_error ask_owed(struct setpay_db *db, void *arg)
{
    return setpay_incoming_owed(db, "sim", "EUR", arg);
}

static int64_t owed_by_sim(void)
{
    int64_t owed = -1;
    test_day_operate(ask_owed, &owed);
    return owed;
}

/* Its issuer owes that less interchange, as it stands in its account; and its payment is matched
 * to the cent, whatever was cleared before and what now. */
static void what_was_cleared_before_is_owed(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    cleared_before(&item, 1, 4935);
    test_paying_finish("49.90");
    test_paying_expect_left(10, -65, 0, 4990 - 4935);
}

static void what_was_cleared_before_in_parts_is_owed(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    for (int i = 0; i < 3; i++)
        cleared_before(&item, i + 1, 333 + i);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0);
    test_paying_finish("49.90");
    test_paying_expect_left(10, -65, 0, 4990 - 4935);
}

/* A credit: it takes what the merchant gave back, less the interchange that came back. */
static void a_credit_that_was_cleared_before_is_owed(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CREDIT, 200, 3, 0, "25");
    cleared_before(&item, 1, -200);
    assert_int_equal(test_paying_all(SETPAY_ACCOUNT_ISSUER_RECEIVABLE), -197);
    assert_int_equal(owed_by_sim(), -197);
}

/* Of what was written off it owes nothing. */
static void what_was_written_off_before_is_not_owed(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "WO");
    cleared_before(&item, 1, 1000);
    assert_int_equal(owed_by_sim(), 0);
}

/* A capture that the issuer sim has taken. */
static enum setpay_error write_taken(struct setpay_db *db, void *arg)
{
    struct setpay_payment payment = {.state = SETPAY_PAYMENT_CAPTURED, .number = 1};
    (void)arg;
    strcpy(payment.issuer, "sim");
    strcpy(payment.amount.currency, "EUR");
    SETPAY_TRY(setpay_payment_insert(db, &payment));
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO step (id, token, payment_id, kind, of_id, amount_minor, interchange_minor,"
        " fee_minor, batch_id, undone, credited_minor, created_ms)"
        " VALUES (2, zeroblob(16), $1, 1, 0, 700, 7, 0, 1, 0, 0, 1)",
        SETPAY_DB_INT(payment.id)));
    return setpay_db_run(db, "INSERT INTO presentment (step_id, batch_id, acknowledged,"
                             " response_code, sent_count, created_ms, acknowledged_ms)"
                             " VALUES (2, 1, 1, '94', 1, 1, 2)");
}

/* A database with rows of before the schema's step is moved; what is found in it then. write:
 * writes more of them; check: looks at what became of it; each may be NULL. */
static struct test_day_findings moved_with(unsigned step, const char *rows,
                                           setpay_store_operation_fn *write,
                                           void (*check)(struct setpay_store *store))
{
    static struct setpay_store_migration before[32];
    struct setpay_store *store;
    struct setpay_problem problem;
    struct test_folder folder;
    struct test_day_findings found = {.findings = 0};
    size_t count = 0;
    char copy[800];
    char *rest = NULL;
    for (; setpay_gateway_schema.steps[count].number < step; count++)
        before[count] = setpay_gateway_schema.steps[count];
    before[count] = (struct setpay_store_migration){0, NULL};
    struct setpay_store_schema schema = setpay_gateway_schema;
    schema.steps = before;
    test_folder_make(&folder);
    struct setpay_store_options options = {.url = folder.url, .schema = &schema};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    (void)snprintf(copy, sizeof copy, "%s", rows);
    for (char *one = strtok_r(copy, ";", &rest); one != NULL; one = strtok_r(NULL, ";", &rest))
        assert_int_equal(setpay_store_submit_wait(store, test_day_run_sql, one), SETPAY_OK);
    if (write != NULL)
        assert_int_equal(setpay_store_submit_wait(store, write, NULL), SETPAY_OK);
    setpay_store_close(store);
    options.schema = &setpay_gateway_schema;
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, test_day_verify_in, &found), SETPAY_OK);
    if (check != NULL)
        check(store);
    setpay_store_close(store);
    test_folder_remove(&folder);
    return found;
}

static struct test_day_findings moved(unsigned step, const char *rows)
{
    return moved_with(step, rows, NULL, NULL);
}

/* It is kept now, and not added up. */
static void is_owed(struct setpay_store *store)
{
    int64_t owed = -1;
    assert_int_equal(setpay_store_submit_wait(store, ask_owed, &owed), SETPAY_OK);
    assert_int_equal(owed, 700 - 7);
    char more[] = "UPDATE issuer_taken SET minor = minor + 1";
    assert_int_equal(setpay_store_submit_wait(store, test_day_run_sql, more), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, ask_owed, &owed), SETPAY_OK);
    assert_int_equal(owed, 700 - 6);
}

/* What was taken then is owed. */
static void what_was_taken_before_is_owed(void **state)
{
    (void)state;
    const struct test_day_findings found = moved_with(13, "", write_taken, is_owed);
    assert_null(strstr(found.all, "what an issuer has taken is kept as something else"));
}

/* What was written off then is known as such, and what it says verifies. */
static void a_database_of_before_is_moved(void **state)
{
    (void)state;
    const struct test_day_findings found =
        moved(11, "INSERT INTO presentment (step_id, batch_id, acknowledged, response_code,"
                  " sent_count, created_ms, acknowledged_ms, reason)"
                  " VALUES (1, 1, 1, 'WO', 0, 1, 2, 'lost')");
    assert_null(strstr(found.all, "written off by nobody"));
    assert_null(strstr(found.all, "not in the ledger: the write-off"));
}

/* What had no entry then needs none. */
static void what_had_no_entry_needs_none(void **state)
{
    (void)state;
    const struct test_day_findings found =
        moved(14, "INSERT INTO presentment (step_id, batch_id, acknowledged, response_code,"
                  " sent_count, created_ms, acknowledged_ms, reason, write_off)"
                  " VALUES (1, 1, 1, 'WO', 0, 1, 2, 'lost', x'0102030405060708090a0b0c0d0e0f10');"
                  "INSERT INTO presentment (step_id, batch_id, acknowledged, response_code,"
                  " sent_count, created_ms, acknowledged_ms, reason, write_off)"
                  " VALUES (2, 1, 1, 'WO', 0, 1, 2, 'lost', x'');"
                  "INSERT INTO suspense_clearing (token, item, number, brand, merchant_id,"
                  " currency, amount_minor, account, reason, created_ms, interchange_minor,"
                  " fee_minor, loss_minor) VALUES (x'1102030405060708090a0b0c0d0e0f10',"
                  " zeroblob(16), 1, 'visa', 'shop', 'EUR', 0, 2, 'so', 1, 1, 5, 0)");
    assert_null(strstr(found.all, "not in the ledger: the write-off"));
    assert_null(strstr(found.all, "not in the ledger: clearing"));
}

/* Open and closed disputes of then stay. */
static void disputes_of_before_are_kept(void **state)
{
    (void)state;
    const struct test_day_findings found =
        moved(15, "INSERT INTO dispute (token, issuer, number, step_id, amount_minor, reason,"
                  " opened, closed, outcome, opened_file, opened_ms, closed_ms)"
                  " VALUES (x'01', 'sim', 7, 1, 1, '', '', '', 0, x'', 1, 0),"
                  " (x'02', 'sim', 8, 1, 1, '', '', '', 1, x'', 1, 2)");
    assert_non_null(strstr(found.all, "not in the ledger: dispute 1, sim 7"));
    assert_non_null(strstr(found.all, "not in the ledger: dispute 2, sim 8"));
}

#define BOOKS(test) cmocka_unit_test_setup_teardown(test, test_day_open, test_day_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOOKS(what_was_cleared_before_stays),
        BOOKS(what_was_cleared_before_is_owed),
        BOOKS(what_was_cleared_before_in_parts_is_owed),
        BOOKS(a_credit_that_was_cleared_before_is_owed),
        BOOKS(what_was_written_off_before_is_not_owed),
        cmocka_unit_test(a_database_of_before_is_moved),
        cmocka_unit_test(what_was_taken_before_is_owed),
        cmocka_unit_test(what_had_no_entry_needs_none),
        cmocka_unit_test(disputes_of_before_are_kept),
    };
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
