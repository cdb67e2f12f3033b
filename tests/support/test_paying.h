/*
 * What issuers pay, and what is cleared out of suspense, on the database of test_day.h. Fails the
 * cmocka test that calls it.
 */
#ifndef SETPAY_TEST_PAYING_H
#define SETPAY_TEST_PAYING_H

#include "gateway/clearing/incoming.h"
#include "gateway/payment/step.h"

#include <stddef.h>
#include <stdint.h>

#define TEST_PAYING_NAMES "issuer,amount,currency,date,reference\n"

/* A list is booked; what the last one came to. */
struct test_paying {
    const char *lines;
    setpay_time_ms now_ms;
    struct setpay_problem problem;
    int64_t matched, suspense, known; /* of all */
};
extern struct test_paying test_paying_last;
enum setpay_error test_paying_paid(const char *lines);

/* Something is cleared; minor 0: all that is left. */
struct test_paying_clearing {
    struct setpay_suspense_clearing row;
    struct setpay_money asked;
    struct setpay_problem problem;
};
extern struct test_paying_clearing test_paying_cleared;
enum setpay_error test_paying_clear(const struct setpay_id *item, enum setpay_account account,
                                    int64_t minor, const char *currency, setpay_time_ms now_ms);

/* What is in suspense. */
struct test_paying_items {
    struct setpay_suspense_item item; /* the first */
    size_t count;
};
struct test_paying_items test_paying_items(void);

/* An account of the issuer sim, as ledger balances shows it. */
int64_t test_paying_sim(int account);
/* An account, of all who have one. */
int64_t test_paying_all(int account);

/* cmocka's: an open day on which the issuer sim owes 1001 + 500 - 200, less interchange of 1 for
 * each capture, of which a fifth gives nothing back: 1299. Presentment 4, of 300, interchange 1 and
 * a fee of 3, was refused, 5 has no answer. Closed by test_day_close. */
int test_paying_open(void **state);

/* On an empty day: a step that its issuer, sim, has not taken (code; with that of a write-off: that
 * we have given up), and that is settled: its item in suspense. */
struct setpay_id test_paying_refused(enum setpay_step_kind kind, int64_t amount,
                                     int64_t interchange, int64_t fee, const char *code);
/* On an empty day: a capture that we have given up, and that is not settled yet. */
void test_paying_give_up(int64_t amount, int64_t interchange, int64_t fee);
/* Clears so much of it, which must be done. */
void test_paying_move(const struct setpay_id *item, enum setpay_account account, int64_t minor);
/* The merchant is paid what it is due, and the issuer pays so much (NULL: nothing), which is
 * exactly what it owes: of a cent more all is in suspense. */
void test_paying_finish(const char *amount);
/* What is left where something was earned or lost; cash without that cent. */
void test_paying_expect_left(int64_t interchange, int64_t fees, int64_t losses, int64_t cash);

#endif
