/*
 * A running gateway with two issuers, of which it may stand in for the second one: that of cards
 * which begin with 4000, 25.00 EUR each and 60.00 EUR in all. An outage of it is its script's, so
 * that what comes after can be scripted before. Fails the cmocka test that calls it.
 */
#ifndef SETPAY_TEST_STAND_IN_H
#define SETPAY_TEST_STAND_IN_H

#include "tests/support/test_gateway.h"
#include "tests/support/test_paid.h"

#define TEST_AWAY_LIMIT 2500
#define TEST_AWAY_TOTAL 6000
#define TEST_AWAY_OPEN "SELECT COUNT(*) FROM stand_in WHERE acknowledged = 0"

extern struct test_away {
    struct test_gateway *gateway;
    struct test_daemon issuer;                    /* the second */
    struct test_cardholder *holder;               /* of a card of the first */
    struct test_cardholder *of_away, *bad, *past; /* good; ended by its issuer; of a year ago */
    struct test_line *shop;
} test_away;

/* For a group's set-up and tear-down. */
int test_away_open(void **state);
int test_away_close(void **state);
/* After the gateway has died. */
void test_away_restart(void);

/* A command of the second issuer; takes args. The result is the caller's. */
json_t *test_away_issuer(const char *command, json_t *args);
void test_away_script(const char *key, int value);
/* Its line is lost; is up again. */
void test_away_go(void);
void test_away_come_back(void);
/* Waits until all that it, or the first, owes an answer is answered. */
void test_away_wait_settled(void);

void test_away_prepare(struct test_paid *paid, const struct test_cardholder *by,
                       enum setpay_auth_intent intent, int64_t minor);
/* The same, and asks. */
void test_away_ask(struct test_paid *paid, const struct test_cardholder *by,
                   enum setpay_auth_intent intent, int64_t minor);
bool test_away_is_busy(struct setpay_view answer);
/* Asks, and is answered busy; nothing is kept of it. */
void test_away_expect_busy(const struct test_cardholder *by, enum setpay_auth_intent intent,
                           int64_t minor);
void test_away_expect_stood_in(const struct test_paid *paid);
/* A number of its rows payment and stand_in. */
int64_t test_away_number(const struct test_paid *paid, const char *what);
/* The issuer has it once, as it was told, and holds so much of it. */
void test_away_expect_booked(const struct test_paid *paid, int64_t held);
/* The ledger, the audit's look at what stands around it, and the issuer's books. */
void test_away_expect_books_hold(void);

#endif
