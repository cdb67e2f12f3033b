/*
 * Every sale is drawn from a generator of its own (SplitMix64 over seed and number), so that one
 * can be repeated without those before it.
 */
#include "tests/support/test_trade_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LARGEST 999999999999 /* rule G8 */

const char *const test_trade_currencies[TEST_TRADE_CURRENCIES] = {"EUR", "JPY", "KWD"};
const int test_trade_days[TEST_DAYS] = {0, 1, 9}; /* a hold ends after seven */
const char *const test_trade_acts[] = {"capture", "refund", "void"};

struct draw {
    uint64_t state;
};

static uint64_t draw_next(struct draw *draw)
{
    uint64_t z = draw->state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* From 0 to below - 1. */
static uint64_t draw_below(struct draw *draw, uint64_t below)
{
    return draw_next(draw) % below;
}

static bool draw_in_100(struct draw *draw, unsigned chances)
{
    return draw_below(draw, 100) < chances;
}

static int64_t draw_amount(struct draw *draw)
{
    switch (draw_below(draw, 20)) {
    case 0:
        return 1;
    case 1:
        return 2;
    case 2:
        return LARGEST - (int64_t)draw_below(draw, 2);
    default: {
        int64_t scale = 10;
        for (uint64_t digits = draw_below(draw, 6); digits > 0; digits--)
            scale *= 10;
        return 1 + (int64_t)draw_below(draw, (uint64_t)scale);
    }
    }
}

/* ------------------------------------------------------------------ what is asked for afterwards
 */

struct sums {
    int64_t held, captured, credited;
};

static void add(struct test_trade *trade, struct sums *sums, enum test_trade_act act,
                enum test_trade_day day, int64_t minor)
{
    if (trade->step_count == TEST_TRADE_STEPS)
        return;
    int64_t left = act == TEST_TRADE_REFUND ? sums->captured - sums->credited : sums->held;
    int64_t moved = minor == 0 ? left : minor;
    bool is_refused = left == 0 || moved > left;
    if (!is_refused) {
        sums->held -= act == TEST_TRADE_REFUND ? 0 : moved;
        sums->captured += act == TEST_TRADE_CAPTURE ? moved : 0;
        sums->credited += act == TEST_TRADE_REFUND ? moved : 0;
    }
    trade->steps[trade->step_count++] = (struct test_trade_step){.act = act,
                                                                 .day = day,
                                                                 .minor = minor,
                                                                 .is_refused = is_refused,
                                                                 .captured = sums->captured,
                                                                 .credited = sums->credited};
}

/* A part of the amount, at most all of it; now and then all that there is, said without a number.
 */
static int64_t draw_part(struct draw *draw, int64_t left)
{
    if (draw_in_100(draw, 25))
        return 0;
    return left < 2 ? left : 1 + (int64_t)draw_below(draw, (uint64_t)left);
}

static void draw_captures(struct draw *draw, struct test_trade *trade, struct sums *sums)
{
    size_t parts = draw_below(draw, 4); /* shipments */
    for (size_t i = 0; i < parts && sums->held > 0; i++) {
        enum test_trade_day day = draw_in_100(draw, 70) ? TEST_DAY_SALE : TEST_DAY_NEXT;
        if (i > 0 && trade->steps[trade->step_count - 1].day > day)
            day = trade->steps[trade->step_count - 1].day;
        if (draw_in_100(draw, 15)) /* rule G8: one unit too many */
            add(trade, sums, TEST_TRADE_CAPTURE, day, sums->held + 1);
        add(trade, sums, TEST_TRADE_CAPTURE, day, draw_part(draw, sums->held));
    }
}

static enum test_trade_day last_day(const struct test_trade *trade)
{
    return trade->step_count == 0 ? TEST_DAY_SALE : trade->steps[trade->step_count - 1].day;
}

static void draw_refunds(struct draw *draw, struct test_trade *trade, struct sums *sums)
{
    size_t parts = draw_below(draw, 3);
    for (size_t i = 0; i < parts && sums->captured > sums->credited; i++) {
        int64_t left = sums->captured - sums->credited;
        enum test_trade_day day = last_day(trade);
        if (day == TEST_DAY_SALE && draw_in_100(draw, 50)) /* its batch is closed by then */
            day = TEST_DAY_NEXT;
        if (draw_in_100(draw, 15))
            add(trade, sums, TEST_TRADE_REFUND, day, left + 1);
        add(trade, sums, TEST_TRADE_REFUND, day, draw_part(draw, left));
    }
}

/* The end of a hold, and what is asked for behind it. */
static void draw_end(struct draw *draw, struct test_trade *trade, struct sums *sums)
{
    if (sums->held > 0 && draw_in_100(draw, 40))
        add(trade, sums, TEST_TRADE_VOID, last_day(trade), 0);
    sums->held = 0;
    if (draw_in_100(draw, 20))
        add(trade, sums, TEST_TRADE_CAPTURE, TEST_DAY_LATE, 1);
    if (sums->captured > sums->credited && draw_in_100(draw, 20))
        add(trade, sums, TEST_TRADE_REFUND, TEST_DAY_LATE,
            draw_part(draw, sums->captured - sums->credited));
}

/* ------------------------------------------------------------------ more than one payment */

static void draw_terms(struct draw *draw, struct test_trade *trade)
{
    trade->terms = draw_in_100(draw, 50) ? TEST_TRADE_INSTALMENT : TEST_TRADE_RECURRING;
    trade->capture = "immediate";
    trade->is_cancelled = draw_in_100(draw, 30);
    if (trade->minor > LARGEST / TEST_TRADE_PAYMENTS) /* all of them are to stay below it */
        trade->minor /= TEST_TRADE_PAYMENTS;
    if (trade->minor < TEST_TRADE_PAYMENTS) /* one unit each, at least */
        trade->minor = TEST_TRADE_PAYMENTS;
    bool adds_up = trade->terms == TEST_TRADE_INSTALMENT; /* to the amount; the last may be less */
    trade->each =
        adds_up ? (trade->minor + TEST_TRADE_PAYMENTS - 1) / TEST_TRADE_PAYMENTS : trade->minor;
    int64_t all = adds_up ? trade->minor : trade->each * TEST_TRADE_PAYMENTS;
    for (int day = 0; day < TEST_DAYS; day++) {
        int64_t taken = trade->each * (day + 1);
        trade->taken[day] = taken < all ? taken : all;
    }
    if (trade->is_cancelled)
        trade->taken[TEST_DAY_LATE] = trade->taken[TEST_DAY_NEXT];
    trade->captured = trade->taken[TEST_DAY_LATE];
}

/* ------------------------------------------------------------------ a sale */

static void draw_card(struct draw *draw, struct test_trade *trade)
{
    static const char *const cards[] = {NULL, "approve-mastercard", "duplicate-answer"};
    static const char *const declining[] = {"do-not-honour", "over-limit", "yen-only"};
    if (trade->wallet > 0)
        return; /* these have one card */
    trade->card = cards[draw_below(draw, 3)];
    size_t which = draw_below(draw, 3);
    if (draw_in_100(draw, 15) && strcmp(test_trade_currencies[trade->currency], "JPY") != 0) {
        trade->card = declining[which];
        trade->is_declined = true;
    }
}

void test_trade_plan(uint64_t seed, uint64_t number, size_t merchants, size_t wallets,
                     struct test_trade *trade)
{
    struct draw draw = {.state = seed * 0x2545f4914f6cdd1dU + number};
    *trade = (struct test_trade){.number = number,
                                 .merchant = draw_below(&draw, merchants),
                                 .wallet = draw_below(&draw, wallets),
                                 .currency = draw_below(&draw, TEST_TRADE_CURRENCIES),
                                 .minor = draw_amount(&draw),
                                 .capture = draw_in_100(&draw, 30) ? "immediate" : "manual"};
    draw_card(&draw, trade);
    if (trade->is_declined)
        return;
    if (draw_in_100(&draw, 12)) {
        draw_terms(&draw, trade);
        return;
    }
    struct sums sums = {.held = trade->minor};
    if (strcmp(trade->capture, "immediate") == 0)
        sums = (struct sums){.captured = trade->minor};
    else
        draw_captures(&draw, trade, &sums);
    draw_refunds(&draw, trade, &sums);
    draw_end(&draw, trade, &sums);
    trade->captured = sums.captured;
    trade->credited = sums.credited;
}

static const char *const terms_words[] = {"", ", in instalments", ", again and again"};

void test_trade_describe(const struct test_trade *trade, char *words, size_t size)
{
    int used = snprintf(words, size,
                        "sale %" PRIu64 ": %s %" PRId64 " at merchant %zu, wallet %zu"
                        "%s%s, %s%s%s%s",
                        trade->number, test_trade_currencies[trade->currency], trade->minor,
                        trade->merchant, trade->wallet, trade->card == NULL ? "" : ", ",
                        trade->card == NULL ? "" : trade->card, trade->capture,
                        trade->is_declined ? ", declined" : "", terms_words[trade->terms],
                        trade->is_cancelled ? ", cancelled" : "");
    for (size_t i = 0; i < trade->step_count && used > 0 && (size_t)used < size; i++) {
        const struct test_trade_step *step = &trade->steps[i];
        used += snprintf(words + used, size - (size_t)used, "; day %d %s ",
                         test_trade_days[step->day], test_trade_acts[step->act]);
        if ((size_t)used < size && step->minor > 0)
            used += snprintf(words + used, size - (size_t)used, "%" PRId64, step->minor);
        else if ((size_t)used < size)
            used += snprintf(words + used, size - (size_t)used, "all");
        if ((size_t)used < size && step->is_refused)
            used += snprintf(words + used, size - (size_t)used, " (refused)");
    }
}
