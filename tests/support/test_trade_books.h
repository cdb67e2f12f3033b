/*
 * What the books of a town (test_town.h) say after trade, against what was planned: batches are
 * closed, days settled, files reconciled, and each party's own numbers added up, out of their
 * databases and by the operators' tools.
 */
#ifndef SETPAY_TEST_TRADE_BOOKS_H
#define SETPAY_TEST_TRADE_BOOKS_H

#include "tests/support/test_town.h"
#include "tests/support/test_trade_plan.h"

#include <stdbool.h>
#include <stdint.h>

struct test_trade_sale {
    struct test_trade plan;
    char order_id[64];
    char uri[256];
    bool is_put_off; /* its payment of the day */
    char words[256]; /* what went another way; "" while nothing did */
};

typedef void test_trade_report_fn(bool is_ok, const char *what, const char *words);

/* What the daemons of a town for trade are configured with. */
extern const char *const test_trade_lines[TEST_DAEMONS];

/* Every merchant closes its batches: both sides' totals agree. */
void test_trade_close_batches(const struct test_town *town, test_trade_report_fn *report);
/* Everything else, on the day after; all must be ready, and nobody trading. */
void test_trade_books_agree(struct test_town *town, const struct test_trade_sale *sales,
                            uint64_t count, test_trade_report_fn *report);

#endif
