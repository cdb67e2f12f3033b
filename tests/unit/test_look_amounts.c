/*
 * Amounts that somebody has written to the edge of a number: each is found and named by its row,
 * wherever it stands, and none ends the look. Every column of an amount that the database has is
 * tried, in every row, with the least and the most that it holds.
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
#include <string.h>

#define LEAST "-9223372036854775808"
#define MOST "9223372036854775807"

static const char *const tables[] = {
    "step",           "payment",           "settlement",     "adjustment",     "dispute", "reserve",
    "issuer_payment", "suspense_clearing", "ledger_posting", "ledger_balance", "stand_in"};

/* What nothing of the ledger is computed of. */
static const char *const others[] = {"terms_each_minor"};

#define COLUMNS_MAX 24
struct columns {
    const char *table;
    size_t count;
    char names[COLUMNS_MAX][40];
};

static enum setpay_error read_columns(struct setpay_db *db, void *arg)
{
    struct columns *columns = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT name FROM pragma_table_info($1)"
                                " WHERE name LIKE '%!_minor' ESCAPE '!' ORDER BY cid",
                                SETPAY_DB_TEXT(columns->table)));
    while (setpay_db_next(rows) && columns->count < COLUMNS_MAX)
        setpay_db_get_text(rows, 0, columns->names[columns->count++], 40);
    return setpay_db_end(rows);
}

static bool is_other(const char *name)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(name, others[i]) == 0)
            return true;
    }
    return false;
}

static size_t try_column(const char *table, const char *column, int64_t rows)
{
    static const char *const values[] = {LEAST, MOST};
    size_t tried = 0;
    for (int64_t row = 0; row <= rows; row++) { /* the last time all of them at once */
        for (size_t i = 0; i < 2; i++) {
            char sql[240], words[120];
            (void)snprintf(sql, sizeof sql,
                           "UPDATE %s SET %s = %s WHERE %lld = %lld OR rowid ="
                           " (SELECT rowid FROM %s ORDER BY rowid LIMIT 1 OFFSET %lld)",
                           table, column, values[i], (long long)row, (long long)rows, table,
                           (long long)row);
            (void)snprintf(words, sizeof words, ": %s of %s", column, values[i]);
            test_day_expect_found(sql, words, false);
            tried++;
        }
    }
    return tried;
}

static void every_amount_at_the_edge_is_found(void **state)
{
    size_t tried = 0;
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct columns columns = {.table = tables[i]};
        char sql[80];
        (void)snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM %s", tables[i]);
        int64_t rows = test_day_ask(sql);
        print_message("# %s: %lld\n", tables[i], (long long)rows);
        assert_true(rows > 0);
        test_day_operate(read_columns, &columns);
        assert_true(columns.count > 0);
        for (size_t k = 0; k < columns.count; k++) {
            if (!is_other(columns.names[k]))
                tried += try_column(tables[i], columns.names[k], rows);
        }
    }
    print_message("# tally: edits to settled books that were found = %zu\n", tried);
}

/* Rows are named, and what is told of them can be found. */
static void the_row_is_named(void **state)
{
    (void)state;
    test_day_expect_found("UPDATE step SET amount_minor = " LEAST
                          " WHERE token = x'4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d'",
                          "an amount is outside of what it can be: step "
                          "4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d: amount_minor of " LEAST,
                          false);
    test_day_expect_found("UPDATE payment SET captured_minor = 1000000000000 WHERE id = 1",
                          "payment 1: captured_minor of 1000000000000", false);
    test_day_expect_found("UPDATE issuer_payment SET matched_minor = " LEAST,
                          "sim R2: matched_minor of " LEAST, false);
    test_day_expect_found("UPDATE ledger_balance SET amount_minor = " LEAST
                          " WHERE account = 6 AND brand = 'visa'",
                          "account 6, visa shop, EUR: amount_minor of " LEAST, false);
    /* All that adds nothing up is looked at as ever. */
    test_day_expect_found("UPDATE step SET fee_minor = " LEAST " WHERE id = 1;"
                          "UPDATE ledger_head SET number = 1",
                          "the head says 1 entry", false);
}

/* A row of each table: of dispute and advice only what is looked at. */
static int open_all(void **state)
{
    test_day_open(state);
    test_day_edit("UPDATE merchant SET reserve_ppm = 100000, reserve_days = 1");
    test_day_capture("EUR", 10000, 10, DAY_26 - 5);
    test_day_credit("EUR", 200, DAY_26 - 3);
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 1000);
    test_paying_move(&item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0);
    assert_int_equal(test_paying_paid(TEST_PAYING_NAMES "sim,5.01,EUR,2026-11-27,R2\n"), SETPAY_OK);
    test_day_settle(NOON + SETPAY_DAY_MS, NULL);
    assert_int_equal(test_day_verify().findings, 0);
    test_day_edit("INSERT INTO dispute (id, token, issuer, number, step_id, amount_minor, reason,"
                  " opened, closed, outcome, opened_file, opened_ms, closed_ms)"
                  " VALUES (1, zeroblob(16), 'sim', 1, 1, 100, 'fraud', '2026-11-26', '', 0,"
                  " zeroblob(32), 1, 0)");
    test_day_edit("INSERT INTO stand_in (id, payment_id, issuer, currency, amount_minor,"
                  " acknowledged, response_code, sent_count, created_ms, acknowledged_ms)"
                  " VALUES (1, 1, 'sim', 'EUR', 10000, 0, '', 0, 1, 0)");
    return 0;
}

static int close_all(void **state)
{
    test_day_edit("DELETE FROM dispute; DELETE FROM stand_in");
    return test_day_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_amount_at_the_edge_is_found, open_all, close_all),
        cmocka_unit_test_setup_teardown(the_row_is_named, open_all, close_all),
    };
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
