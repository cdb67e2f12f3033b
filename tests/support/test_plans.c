/*
 * SQLite tells of each statement that begins; what it is planned like is asked behind it, on a
 * connection of the test's own.
 */
#include "tests/support/test_plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENTS_MAX 256

/* One row, or more, for each payment, day or merchant. */
static const char *const growing[] = {
    "payment",      "step",           "presentment", "reversal",   "receipt",           "batch",
    "ledger_entry", "ledger_posting", "settlement",  "adjustment", "reserve",           "evidence",
    "kept_card",    "dispute",        "stand_in",    "merchant",   "suspense_clearing",
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *statements[STATEMENTS_MAX];
static size_t statement_count;
static bool is_too_many;

static int on_statement(unsigned event, void *context, void *statement, void *text)
{
    const char *sql = sqlite3_sql(statement);
    (void)event;
    (void)context;
    (void)text;
    (void)pthread_mutex_lock(&lock);
    size_t i = 0;
    while (i < statement_count && strcmp(statements[i], sql) != 0)
        i++;
    is_too_many = is_too_many || i == STATEMENTS_MAX;
    if (i == statement_count && i < STATEMENTS_MAX)
        statements[statement_count++] = strdup(sql);
    (void)pthread_mutex_unlock(&lock);
    return 0;
}

static int on_open(sqlite3 *db, char **words, const struct sqlite3_api_routines *api)
{
    (void)words;
    (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, NULL);
}

void test_plans_listen(void)
{
    assert_int_equal(sqlite3_auto_extension((void (*)(void))on_open), SQLITE_OK);
}

void test_plans_begin(void)
{
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < statement_count; i++)
        free(statements[i]);
    statement_count = 0;
    is_too_many = false;
    (void)pthread_mutex_unlock(&lock);
}

/* "SCAN step", "SCAN step USING INDEX …"; not "SCAN steps". */
static bool scans(const char *detail)
{
    if (strncmp(detail, "SCAN ", 5) != 0)
        return false;
    const char *name = detail + 5;
    size_t size = strcspn(name, " ");
    for (size_t i = 0; i < sizeof growing / sizeof *growing; i++)
        if (strlen(growing[i]) == size && strncmp(growing[i], name, size) == 0)
            return true;
    return false;
}

/* Any of these words; NULL: there are none. */
static bool is_among(const char *const *words, const char *text)
{
    for (; words != NULL && *words != NULL; words++)
        if (strstr(text, *words) != NULL)
            return true;
    return false;
}

static size_t look_at(sqlite3 *db, const char *sql, const char *const *never)
{
    char explain[8192];
    sqlite3_stmt *plan = NULL;
    size_t found = 0;
    assert_true(snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql) <
                (int)sizeof explain);
    if (sqlite3_prepare_v2(db, explain, -1, &plan, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(plan, 3);
        if (!scans(detail) && !is_among(never, detail))
            continue;
        print_message("%s\n  in: %s\n", detail, sql);
        found++;
    }
    (void)sqlite3_finalize(plan);
    return found;
}

static bool is_asked(const char *sql)
{
    return strncmp(sql, "SELECT", 6) == 0 || strncmp(sql, "UPDATE", 6) == 0 ||
           strncmp(sql, "INSERT", 6) == 0 || strncmp(sql, "DELETE", 6) == 0;
}

size_t test_plans_expect_no_scan(const char *path, const char *const *but, const char *const *never)
{
    sqlite3 *db = NULL;
    size_t asked = 0, found = 0;
    char *copies[STATEMENTS_MAX];
    (void)pthread_mutex_lock(&lock); /* the connection below is listened to as well */
    size_t count = statement_count;
    bool too_many = is_too_many;
    memcpy(copies, statements, sizeof copies);
    statement_count = 0;
    (void)pthread_mutex_unlock(&lock);
    assert_false(too_many);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    for (size_t i = 0; i < count; i++) {
        if (is_asked(copies[i]) && !is_among(but, copies[i])) {
            found += look_at(db, copies[i], never);
            asked++;
        }
        free(copies[i]);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    test_plans_begin();
    assert_int_equal(found, 0);
    assert_true(asked > 0);
    return asked;
}
