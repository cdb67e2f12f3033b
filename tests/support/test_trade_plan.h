/*
 * What happens in a day of trade: sales made up by a seed, each with all that the store will ask
 * for afterwards and what has to come of it. Pure: the same seed and number give the same sale,
 * whoever is killed in between.
 */
#ifndef SETPAY_TEST_TRADE_PLAN_H
#define SETPAY_TEST_TRADE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEST_TRADE_STEPS 20
#define TEST_TRADE_CAPTURES 24 /* most that the steps of a sale make */
#define TEST_TRADE_CREDITS 48
#define TEST_TRADE_CURRENCIES 3

/* One without minor units, one with two digits of them, one with three. */
extern const char *const test_trade_currencies[TEST_TRADE_CURRENCIES];

/* Days since the first, on which the clocks of all parties stand. */
enum test_trade_day { TEST_DAY_SALE, TEST_DAY_NEXT, TEST_DAY_LATE, TEST_DAYS };
extern const int test_trade_days[TEST_DAYS];

/* What the shopper agrees to with the one signature. Three payments, a day between two of them at
 * least, which the merchant takes by itself: one on each of the days. Of a split the store asks for
 * each part. */
enum test_trade_terms {
    TEST_TRADE_SINGLE,
    TEST_TRADE_INSTALMENT,
    TEST_TRADE_RECURRING,
    TEST_TRADE_SPLIT
};
#define TEST_TRADE_PAYMENTS 3

/* What becomes of it at the issuer. Each but the first has its hour on the first day
 * (test_trade_trouble.h). */
enum test_trade_fate {
    TEST_TRADE_ORDINARY,
    TEST_TRADE_UNHEARD,   /* declined and reversed: the answer is late, or none, or of less */
    TEST_TRADE_OVERTAKEN, /* declined and reversed, before the issuer books it */
    TEST_TRADE_DROPPED,  /* declined and reversed: the line is lost, before or after it is booked */
    TEST_TRADE_TWICE,    /* it is answered twice */
    TEST_TRADE_STOOD_IN, /* the gateway approves it in the issuer's stead, which takes it later */
    TEST_TRADE_UNTAKEN,  /* the same, and the issuer refuses that: so it charges nothing of it */
    TEST_TRADE_REFUSED,  /* it is authorised, and the issuer refuses what is captured of it */
    TEST_TRADE_UNCREDITED, /* it is charged, and the issuer refuses what is given back of it */
    TEST_TRADE_LOST        /* the gateway loses its card, and can't present what is captured */
};

/* The largest amount, in minor units, that the gateway may approve in the issuer's stead, also by
 * chance. Of a card that does not approve none is as small. */
#define TEST_TRADE_STAND_IN 300

enum test_trade_act {
    TEST_TRADE_CAPTURE,
    TEST_TRADE_REFUND,
    TEST_TRADE_VOID,
    TEST_TRADE_UNDO_CAPTURE,
    TEST_TRADE_UNDO_REFUND,
    TEST_TRADE_AUTHORISE, /* a part of a split, captured at once */
    TEST_TRADE_TOGETHER   /* a capture, with those of other orders in one request; first of a day */
};
extern const char *const test_trade_acts[]; /* as the API's paths name them */

struct test_trade_step {
    enum test_trade_act act;
    enum test_trade_day day;
    int64_t minor; /* 0: said without an amount, so all that there is */
    size_t of;     /* which of the order's captures or refunds is undone, from 0 */
    bool is_refused;
    /* After it, by the signed receipts. */
    int64_t captured, credited;
};

struct test_trade {
    uint64_t number;
    size_t merchant, wallet, currency;
    const char *card; /* of the first wallet, whose cards differ; NULL: the default */
    const char *brand;
    int64_t minor;
    int64_t first;       /* of a split: what is paid first */
    const char *capture; /* "immediate" or "manual" */
    bool is_declined;
    enum test_trade_fate fate;
    enum test_trade_terms terms;
    int64_t each;             /* unless single */
    bool is_cancelled;        /* by the shopper, on the second day */
    int64_t taken[TEST_DAYS]; /* of terms: in all, by the end of that day */
    struct test_trade_step steps[TEST_TRADE_STEPS];
    size_t step_count;
    /* In the end. What was neither captured nor given up is reversed with the end of its hold. */
    int64_t captured, credited;
    int64_t interchange, fee; /* what issuers keep of it, and what the merchant pays for it */
    /* The same of what is captured and no issuer charges, as far as fate has it; below 0 of what is
     * credited and no issuer gives back. */
    int64_t refused, refused_interchange, refused_fee;
};

/* The brand of a wallet's default card. */
const char *test_trade_brand(size_t wallet);
void test_trade_plan(uint64_t seed, uint64_t number, size_t merchants, size_t wallets,
                     struct test_trade *trade);
/* "JPY 1200 at 2, manual: capture 700, refund 1 (refused), …" */
void test_trade_describe(const struct test_trade *trade, char *words, size_t size);

#endif
