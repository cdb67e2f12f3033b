/*
 * A sale of a day of trade (test_trade_plan.h) as it is made: by an order, a payment and what the
 * store asks for afterwards, day by day. Many may be made at once, each in a thread.
 */
#ifndef SETPAY_TEST_TRADE_SALE_H
#define SETPAY_TEST_TRADE_SALE_H

#include "tests/support/test_town.h"
#include "tests/support/test_trade_plan.h"

#include <stdbool.h>
#include <stdint.h>

struct test_trade_sale {
    struct test_trade plan;
    char order_id[64];
    char uri[256];
    size_t next_step; /* the first that is not done */
    unsigned tries;   /* of a part of a split */
    bool is_put_off;  /* its payment of the day */
    char words[256];  /* what went another way; "" while nothing did */
};

/* The town, and the day that it is; before anything of that day. */
void test_trade_sale_day(const struct test_town *town, enum test_trade_day day);
/* What many sales have in common, that comes first on a day; one request for up to 16 of them. */
void test_trade_go_on_together(struct test_trade_sale *sales, uint64_t sale_count);
/* All that happens to it on that day; false where it went another way, which words says then. */
bool test_trade_go_on(struct test_trade_sale *sale);
/* The purchase of which something was taken; false where there is none. */
bool test_trade_find_xid(const struct test_trade_sale *sale, char xid[40]);

#endif
