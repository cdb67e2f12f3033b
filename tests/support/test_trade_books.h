/*
 * What the books of a town (test_town.h) say after trade, against what was planned: batches are
 * closed, days settled, files reconciled, and each party's own numbers added up, out of their
 * databases and by the operators' tools.
 */
#ifndef SETPAY_TEST_TRADE_BOOKS_H
#define SETPAY_TEST_TRADE_BOOKS_H

#include "tests/support/test_town.h"
#include "tests/support/test_trade_sale.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What the daemons of a town for trade are configured with. */
extern const char *const test_trade_lines[TEST_DAEMONS];

/* Every merchant closes its batches: both sides' totals agree. Daemons may be killed meanwhile. */
void test_trade_close_batches(const struct test_town *town, test_town_report_fn *report);
/* What was in them has been presented, and answered; or was written off. Likewise. */
void test_trade_all_presented(const struct test_town *town, test_town_report_fn *report);
/* The last day that has ended, again and again while trade goes on. */
void test_trade_settle(const struct test_town *town, const atomic_bool *goes_on,
                       test_town_report_fn *report);
/* The same once, after the gateway was killed in the midst of it. */
void test_trade_settle_killed(struct test_town *town, test_town_report_fn *report);
/* Everything else, on the day after; all must be ready, and nobody trading. */
void test_trade_books_agree(struct test_town *town, const struct test_trade_sale *sales,
                            uint64_t count, test_town_report_fn *report);

#endif
