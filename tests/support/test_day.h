/*
 * Days of trade on a database, without a daemon: captures and credits in batches that are closed
 * and presented, settlements, and what verifying the books finds. Fails the cmocka test that calls
 * it.
 */
#ifndef SETPAY_TEST_DAY_H
#define SETPAY_TEST_DAY_H

#include "common/store/store.h"
#include "gateway/clearing/settlement.h"
#include "gateway/payment/step.h"

/* 2026-11-26T00:00:00Z */
#define DAY_26 INT64_C(1795651200000)
#define NOON (DAY_26 + 12 * SETPAY_HOUR_MS)

extern struct setpay_store *test_day_store;
extern struct setpay_settling test_day_settled; /* what the last settling came to */

/* An operation, which must do. */
void test_day_operate(setpay_store_operation_fn *operation, void *arg);
/* One statement; for an operation: arg is its text. */
enum setpay_error test_day_run_sql(struct setpay_db *db, void *arg);
/* Statements between semicolons. */
void test_day_edit(const char *sql);
/* A number out of the database. */
int64_t test_day_ask(const char *sql);

/* Of visa, as "shop" is, which is there. */
void test_day_merchant(const char *id, const char *zone, const char *cut_off);

/* One step in a batch of its own that is closed, and presented. */
struct test_day_item {
    const char *merchant_id, *currency;
    enum setpay_step_kind kind;
    int64_t amount, fee, interchange;
    setpay_time_ms closed_ms; /* 0: open, and not presented */
    const char *code;         /* NULL: not answered */
    int64_t payment_id;
    struct setpay_id token;
};
enum setpay_error test_day_write_item(struct setpay_db *db, void *arg);
/* The same with a token of its own, which is given back; interchange is 1, of 3 and less 0. */
struct setpay_id test_day_add(const char *merchant_id, const char *currency,
                              enum setpay_step_kind kind, int64_t amount, int64_t fee,
                              setpay_time_ms closed_ms, const char *code);
/* At the shop, and taken. */
void test_day_capture(const char *currency, int64_t amount, int64_t fee, setpay_time_ms closed_ms);
void test_day_credit(const char *currency, int64_t amount, setpay_time_ms closed_ms);

/* An operation, of the next merchants; arg is a struct setpay_settling. */
enum setpay_error test_day_run_settle(struct setpay_db *db, void *arg);
/* All merchants. date NULL: each one's last day that has ended. Returns how many were made. */
size_t test_day_settle(setpay_time_ms now_ms, const char *date);

struct test_day_findings {
    size_t findings;
    char all[8000]; /* a line each */
};
/* Ledger and clearing; an operation: arg is a struct test_day_findings. */
enum setpay_error test_day_verify_in(struct setpay_db *db, void *arg);
struct test_day_findings test_day_verify(void);
/* An edit of the database (statements between semicolons) must lead to a finding of these words;
 * then nothing of it stays. forges: hashes and balances are computed anew with it, as somebody
 * would who knows how. */
void test_day_expect_found(const char *sql, const char *words, bool forges);
/* All entries chained anew as they are; an operation. */
enum setpay_error test_day_chain_anew(struct setpay_db *db, void *arg);

/* An account's balance of the shop. */
int64_t test_day_balance(int account, const char *currency);

/* cmocka's: an empty database with the shop (UTC, 24:00); and its end, where nothing is found. */
int test_day_open(void **state);
int test_day_close(void **state);

#endif
