/*
 * What payments cost in a town for trade: the table, as its gateway is configured with it, and the
 * same computed a second time, in another way than the gateway does (gateway/clearing/fees.c,
 * given_back.c): each is the whole number nearest to the exact one, which is looked for.
 */
#ifndef SETPAY_TEST_TRADE_FEES_H
#define SETPAY_TEST_TRADE_FEES_H

#include <stddef.h>
#include <stdint.h>

struct test_trade_charges {
    int64_t interchange, fee;
};

/* The [fees BRAND.CURRENCY] sections. */
void test_trade_fees_print(char *text, size_t size);

/* Of a captured amount. */
struct test_trade_charges test_trade_charges_of(const char *brand, const char *currency,
                                                int64_t minor);
/* What a credit gives back of a capture's interchange, where so much of the capture was credited
 * before, and so much was given back for it. */
int64_t test_trade_given_back(int64_t kept, int64_t captured, int64_t credited, int64_t given,
                              int64_t credit);

#endif
