/*
 * Every sale is drawn from a generator of its own (SplitMix64 over seed and number), so that one
 * can be repeated without those before it.
 */
#include "tests/support/test_trade_plan.h"

#include "tests/support/test_trade_fees.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LARGEST 999999999999 /* rule G8 */
#define BLOCK 60             /* so many sales have one of each that is rare among them */
/* After an advice that its issuer has refused a card is not stood in for, until it has approved:
 * that is one outage, of which an issuer has so many advices at most. */
#define UNTAKEN_MAX 300

const char *const test_trade_currencies[TEST_TRADE_CURRENCIES] = {"EUR", "JPY", "KWD"};
const int test_trade_days[TEST_DAYS] = {0, 1, 9}; /* a hold ends after seven */
const char *const test_trade_acts[] = {"capture", "refund",    "void",    "undo",
                                       "undo",    "authorise", "captures"};

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
    case 3: /* of many of these a share lies in the middle between two units (test_trade_fees.c) */
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        return 50 * (1 + (int64_t)draw_below(draw, 20));
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

/* Of which credits can be made, the oldest first, and of which it is known what they cost. */
struct capture {
    int64_t minor, credited;
    struct test_trade_charges charges;
    int64_t given; /* interchange that came back with credits */
    bool is_undone;
};

struct credit {
    size_t of;
    enum test_trade_day day;
    int64_t minor, given;
    bool is_undone;
};

struct sums {
    int64_t held, captured, credited;
    struct capture captures[TEST_TRADE_CAPTURES];
    struct credit credits[TEST_TRADE_CREDITS];
    size_t capture_count, credit_count;
};

static bool is_full(const struct test_trade *trade, const struct sums *sums)
{
    return trade->step_count == TEST_TRADE_STEPS || sums->capture_count == TEST_TRADE_CAPTURES ||
           sums->credit_count + sums->capture_count > TEST_TRADE_CREDITS;
}

static void take(const struct test_trade *trade, struct sums *sums, int64_t minor)
{
    sums->captured += minor;
    sums->captures[sums->capture_count++] =
        (struct capture){.minor = minor,
                         .charges = test_trade_charges_of(
                             trade->brand, test_trade_currencies[trade->currency], minor)};
}

static void give_back(struct sums *sums, enum test_trade_day day, int64_t minor)
{
    sums->credited += minor;
    for (size_t i = 0; i < sums->capture_count && minor > 0; i++) {
        struct capture *of = &sums->captures[i];
        int64_t left = of->is_undone ? 0 : of->minor - of->credited;
        int64_t part = left < minor ? left : minor;
        if (part == 0)
            continue;
        int64_t given = test_trade_given_back(of->charges.interchange, of->minor, of->credited,
                                              of->given, part);
        sums->credits[sums->credit_count++] =
            (struct credit){.of = i, .day = day, .minor = part, .given = given};
        of->credited += part;
        of->given += given;
        minor -= part;
    }
}

static void append(struct test_trade *trade, const struct sums *sums, struct test_trade_step step)
{
    step.captured = sums->captured;
    step.credited = sums->credited;
    trade->steps[trade->step_count++] = step;
}

static void add(struct test_trade *trade, struct sums *sums, enum test_trade_act act,
                enum test_trade_day day, int64_t minor)
{
    if (is_full(trade, sums))
        return;
    int64_t left = act == TEST_TRADE_REFUND ? sums->captured - sums->credited : sums->held;
    int64_t moved = minor == 0 ? left : minor;
    bool is_refused = left == 0 || moved > left;
    if (!is_refused && act == TEST_TRADE_REFUND)
        give_back(sums, day, moved);
    else if (!is_refused)
        sums->held -= moved;
    if (!is_refused && act != TEST_TRADE_REFUND && act != TEST_TRADE_VOID)
        take(trade, sums, moved);
    append(
        trade, sums,
        (struct test_trade_step){.act = act, .day = day, .minor = minor, .is_refused = is_refused});
}

/* The batch is open: it is of the same day. What is undone of a sale the issuer holds no more. */
static void undo_capture(struct test_trade *trade, struct sums *sums, size_t of,
                         enum test_trade_day day)
{
    struct capture *capture = &sums->captures[of];
    if (is_full(trade, sums))
        return;
    bool is_refused = capture->is_undone || capture->credited > 0;
    if (!is_refused) {
        capture->is_undone = true;
        sums->captured -= capture->minor;
        if (strcmp(trade->capture, "manual") == 0)
            sums->held += capture->minor;
    }
    append(trade, sums,
           (struct test_trade_step){
               .act = TEST_TRADE_UNDO_CAPTURE, .day = day, .of = of, .is_refused = is_refused});
}

static void undo_credit(struct test_trade *trade, struct sums *sums, size_t of,
                        enum test_trade_day day)
{
    struct credit *credit = &sums->credits[of];
    if (is_full(trade, sums))
        return;
    bool is_refused = credit->is_undone;
    if (!is_refused) {
        credit->is_undone = true;
        sums->credited -= credit->minor;
        sums->captures[credit->of].credited -= credit->minor;
        sums->captures[credit->of].given -= credit->given;
    }
    append(trade, sums,
           (struct test_trade_step){
               .act = TEST_TRADE_UNDO_REFUND, .day = day, .of = of, .is_refused = is_refused});
}

static bool is_charged(const struct test_trade *trade)
{
    return trade->fate < TEST_TRADE_UNTAKEN || trade->fate == TEST_TRADE_UNCREDITED;
}

static void add_up(struct test_trade *trade, const struct sums *sums)
{
    trade->captured = sums->captured;
    trade->credited = sums->credited;
    for (size_t i = 0; i < sums->capture_count; i++) {
        const struct capture *capture = &sums->captures[i];
        if (capture->is_undone)
            continue;
        trade->interchange += capture->charges.interchange - capture->given;
        trade->fee += capture->charges.fee;
        if (trade->fate == TEST_TRADE_UNCREDITED) {
            trade->refused -= capture->credited;
            trade->refused_interchange -= capture->given;
        }
        if (is_charged(trade))
            continue;
        trade->refused += capture->minor;
        trade->refused_interchange += capture->charges.interchange;
        trade->refused_fee += capture->charges.fee;
    }
}

/* A part of the amount, at most all of it; now and then all that there is, said without a number.
 */
static int64_t draw_part(struct draw *draw, int64_t left)
{
    if (draw_in_100(draw, 25))
        return 0;
    return left < 2 ? left : 1 + (int64_t)draw_below(draw, (uint64_t)left);
}

static enum test_trade_day last_day(const struct test_trade *trade)
{
    return trade->step_count == 0 ? TEST_DAY_SALE : trade->steps[trade->step_count - 1].day;
}

/* Less than what is held: with the last of it the order ends. */
static void draw_void_of_part(struct draw *draw, struct test_trade *trade, struct sums *sums,
                              enum test_trade_day day)
{
    if (sums->held < 2 || !draw_in_100(draw, 15))
        return;
    if (draw_in_100(draw, 30))
        add(trade, sums, TEST_TRADE_VOID, day, sums->held + 1);
    add(trade, sums, TEST_TRADE_VOID, day,
        1 + (int64_t)draw_below(draw, (uint64_t)(sums->held - 1)));
}

static void draw_captures(struct draw *draw, struct test_trade *trade, struct sums *sums)
{
    size_t parts = draw_below(draw, 4); /* shipments */
    for (size_t i = 0; i < parts && sums->held > 0; i++) {
        enum test_trade_day day = draw_in_100(draw, 70) ? TEST_DAY_SALE : TEST_DAY_NEXT;
        if (last_day(trade) > day)
            day = last_day(trade);
        if (draw_in_100(draw, 15)) /* rule G8: one unit too many */
            add(trade, sums, TEST_TRADE_CAPTURE, day, sums->held + 1);
        bool is_first = day == TEST_DAY_NEXT && last_day(trade) == TEST_DAY_SALE;
        add(trade, sums,
            is_first && draw_in_100(draw, 40) ? TEST_TRADE_TOGETHER : TEST_TRADE_CAPTURE, day,
            draw_part(draw, sums->held));
        if (draw_in_100(draw, 15))
            undo_capture(trade, sums, sums->capture_count - 1, day);
        draw_void_of_part(draw, trade, sums, day);
    }
}

/* Then what is captured can't be credited before it is presented and answered. */
static bool may_be_stood_in(const struct test_trade *trade)
{
    return trade->terms == TEST_TRADE_SINGLE && trade->minor <= TEST_TRADE_STAND_IN;
}

static void draw_refunds(struct draw *draw, struct test_trade *trade, struct sums *sums)
{
    size_t parts = draw_below(draw, 3);
    for (size_t i = 0; i < parts && sums->captured > sums->credited; i++) {
        int64_t left = sums->captured - sums->credited;
        enum test_trade_day day = last_day(trade);
        if (day == TEST_DAY_SALE && draw_in_100(draw, 50)) /* its batch is closed by then */
            day = TEST_DAY_NEXT;
        if (may_be_stood_in(trade))
            day = TEST_DAY_LATE;
        if (draw_in_100(draw, 15))
            add(trade, sums, TEST_TRADE_REFUND, day, left + 1);
        size_t before = sums->credit_count;
        add(trade, sums, TEST_TRADE_REFUND, day, draw_part(draw, left));
        size_t made = sums->credit_count - before;
        if (made > 0 && draw_in_100(draw, 25)) /* of one that went over several captures, one */
            undo_credit(trade, sums, before + draw_below(draw, made), day);
        size_t of = made > 0 ? sums->credits[before].of : 0;
        if (made > 0 && sums->captures[of].credited > 0 && draw_in_100(draw, 20))
            undo_capture(trade, sums, of, day); /* some of it is given back */
    }
}

/* Rule G8: what was not charged is not given back. */
static void add_refused_refund(struct test_trade *trade, const struct sums *sums, int64_t minor)
{
    if (!is_full(trade, sums))
        append(trade, sums,
               (struct test_trade_step){.act = TEST_TRADE_REFUND,
                                        .day = TEST_DAY_LATE,
                                        .minor = minor,
                                        .is_refused = true});
}

/* The end of a hold, and what is asked for behind it. */
static void draw_end(struct draw *draw, struct test_trade *trade, struct sums *sums)
{
    if (sums->held > 0 && last_day(trade) < TEST_DAY_LATE && draw_in_100(draw, 40))
        add(trade, sums, TEST_TRADE_VOID, last_day(trade), 0);
    sums->held = 0;
    if (draw_in_100(draw, 20))
        add(trade, sums, TEST_TRADE_CAPTURE, TEST_DAY_LATE, 1);
    if (sums->captured == sums->credited || !draw_in_100(draw, is_charged(trade) ? 20 : 60))
        return;
    int64_t part = draw_part(draw, sums->captured - sums->credited);
    if (is_charged(trade))
        add(trade, sums, TEST_TRADE_REFUND, TEST_DAY_LATE, part);
    else
        add_refused_refund(trade, sums, part);
}

static void draw_single(struct draw *draw, struct test_trade *trade, struct sums *sums)
{
    if (strcmp(trade->capture, "immediate") == 0) {
        take(trade, sums, trade->minor);
        if (draw_in_100(draw, 10))
            undo_capture(trade, sums, 0, TEST_DAY_SALE);
    } else {
        sums->held = trade->minor;
        draw_captures(draw, trade, sums);
    }
    draw_refunds(draw, trade, sums);
    draw_end(draw, trade, sums);
}

/* ------------------------------------------------------------------ what no issuer charges */

static void draw_untaken(struct draw *draw, struct test_trade *trade, struct sums *sums)
{
    sums->held = trade->minor;
    if (strcmp(trade->capture, "manual") == 0) {
        draw_captures(draw, trade, sums);
    } else {
        sums->held = 0;
        take(trade, sums, trade->minor);
    }
    draw_end(draw, trade, sums);
}

/* All in the hour of its refusals, which ends with the batches that are closed in it. */
static void draw_refused(struct draw *draw, struct test_trade *trade, struct sums *sums)
{
    trade->capture = "manual";
    sums->held = trade->minor;
    size_t parts = 1 + draw_below(draw, 3);
    for (size_t i = 0; i < parts && sums->held > 0; i++) {
        add(trade, sums, TEST_TRADE_CAPTURE, TEST_DAY_SALE, draw_part(draw, sums->held));
        if (i > 0 && draw_in_100(draw, 20))
            undo_capture(trade, sums, sums->capture_count - 1, TEST_DAY_SALE);
    }
    draw_end(draw, trade, sums);
}

/* A sale, of which nothing is presented but what is given back. */
static void draw_uncredited(struct draw *draw, struct test_trade *trade, struct sums *sums)
{
    trade->capture = "immediate";
    take(trade, sums, trade->minor);
    for (uint64_t parts = 1 + draw_below(draw, 2); parts > 0; parts--)
        add(trade, sums, TEST_TRADE_REFUND, TEST_DAY_SALE,
            draw_part(draw, sums->captured - sums->credited));
}

/* Nothing stays held that the gateway would have to give up at the issuer. */
static void draw_lost(struct test_trade *trade, struct sums *sums)
{
    trade->capture = "manual";
    sums->held = trade->minor;
    add(trade, sums, TEST_TRADE_CAPTURE, TEST_DAY_SALE, 0);
}

/* ------------------------------------------------------------------ more than one payment */

/* A part at first, and more of it when the store asks; not always all. */
static void draw_split(struct draw *draw, struct test_trade *trade, struct sums *sums)
{
    trade->terms = TEST_TRADE_SPLIT;
    trade->capture = "immediate";
    if (trade->minor < 2)
        trade->minor = 2;
    trade->first = 1 + (int64_t)draw_below(draw, (uint64_t)(trade->minor - 1));
    sums->held = trade->minor - trade->first; /* what may still be asked for */
    take(trade, sums, trade->first);
    size_t parts = 1 + draw_below(draw, 3);
    for (size_t i = 0; i < parts && sums->held > 0; i++) {
        enum test_trade_day day = draw_in_100(draw, 50) && i == 0 ? TEST_DAY_SALE : TEST_DAY_NEXT;
        if (draw_in_100(draw, 25)) /* rule G8 */
            add(trade, sums, TEST_TRADE_AUTHORISE, day, sums->held + 1);
        add(trade, sums, TEST_TRADE_AUTHORISE, day, draw_part(draw, sums->held));
    }
    draw_refunds(draw, trade, sums);
}

static void draw_terms(struct draw *draw, struct test_trade *trade, struct sums *sums)
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
    for (int day = 0; day < TEST_DAYS; day++) {
        if (trade->taken[day] > sums->captured)
            take(trade, sums, trade->taken[day] - sums->captured);
    }
}

/* ------------------------------------------------------------------ a sale */

const char *test_trade_brand(size_t wallet)
{
    return wallet % 2 == 0 ? "visa" : "mastercard";
}

static void draw_card(struct draw *draw, struct test_trade *trade)
{
    static const char *const cards[] = {NULL, "approve-mastercard", "duplicate-answer"};
    static const char *const declining[] = {"do-not-honour", "over-limit", "yen-only"};
    trade->brand = test_trade_brand(trade->wallet);
    if (trade->wallet > 0)
        return; /* these have one card */
    trade->card = cards[draw_below(draw, 3)];
    if (trade->card == cards[1])
        trade->brand = "mastercard";
    size_t which = draw_below(draw, 3);
    if (draw_in_100(draw, 15) && strcmp(test_trade_currencies[trade->currency], "JPY") != 0) {
        trade->card = declining[which];
        trade->is_declined = true;
    }
}

/* Each of these once in a block, wherever the seed has it: the fate of a sale, and the card that it
 * is paid with, where that brings it about. */
static const struct {
    enum test_trade_fate fate;
    const char *card;
} rare[] = {{TEST_TRADE_STOOD_IN, NULL},
            {TEST_TRADE_STOOD_IN, NULL},
            {TEST_TRADE_UNTAKEN, NULL},
            {TEST_TRADE_REFUSED, NULL},
            {TEST_TRADE_REFUSED, NULL},
            {TEST_TRADE_UNCREDITED, NULL},
            {TEST_TRADE_LOST, NULL},
            {TEST_TRADE_UNHEARD, "partial"},
            {TEST_TRADE_UNHEARD, "no-answer"},
            {TEST_TRADE_UNHEARD, "late-answer"},
            {TEST_TRADE_OVERTAKEN, "approve"},
            {TEST_TRADE_DROPPED, "drop-before"},
            {TEST_TRADE_DROPPED, "drop-after"},
            {TEST_TRADE_TWICE, "duplicate-answer"}};
#define RARE (sizeof rare / sizeof rare[0])

static void take_fate(struct draw *draw, struct test_trade *trade, enum test_trade_fate fate)
{
    uint64_t block = trade->number / BLOCK;
    if (fate == TEST_TRADE_UNTAKEN && block >= UNTAKEN_MAX)
        fate = TEST_TRADE_STOOD_IN;
    trade->fate = fate;
    if (trade->is_declined) {
        trade->card = NULL;
        trade->brand = test_trade_brand(trade->wallet);
        trade->is_declined = false;
    }
    if (fate == TEST_TRADE_STOOD_IN || fate == TEST_TRADE_UNTAKEN)
        trade->minor = 1 + (int64_t)draw_below(draw, TEST_TRADE_STAND_IN);
    bool waits = fate == TEST_TRADE_UNCREDITED || fate == TEST_TRADE_LOST;
    if (waits && trade->minor <= TEST_TRADE_STAND_IN) /* what is stood in for has an advice first */
        trade->minor += TEST_TRADE_STAND_IN;
    if (fate == TEST_TRADE_LOST) /* what is lost is cleared in both ways (test_trade_suspense.h) */
        trade->currency = block % 2;
}

/* What is partly approved, or not answered in time, is reversed, and declined to the shopper. */
static void draw_rare(struct draw *draw, uint64_t seed, struct test_trade *trade)
{
    struct draw block = {.state = seed + trade->number / BLOCK};
    uint64_t which = (trade->number + draw_next(&block)) % BLOCK;
    if (which < RARE && rare[which].card == NULL) {
        take_fate(draw, trade, rare[which].fate);
    } else if (which < RARE) {
        trade->fate = rare[which].fate;
        trade->wallet = 0; /* whose cards differ */
        trade->card = rare[which].card;
        trade->brand = test_trade_brand(0);
        trade->is_declined = trade->fate != TEST_TRADE_TWICE;
    }
    if (trade->is_declined && trade->minor <= TEST_TRADE_STAND_IN)
        trade->minor += TEST_TRADE_STAND_IN;
}

static void draw_steps(struct draw *draw, struct test_trade *trade, struct sums *sums)
{
    uint64_t kind = draw_below(draw, 100);
    switch (trade->fate) {
    case TEST_TRADE_UNTAKEN:
        draw_untaken(draw, trade, sums);
        return;
    case TEST_TRADE_REFUSED:
        draw_refused(draw, trade, sums);
        return;
    case TEST_TRADE_UNCREDITED:
        draw_uncredited(draw, trade, sums);
        return;
    case TEST_TRADE_LOST:
        draw_lost(trade, sums);
        return;
    case TEST_TRADE_TWICE:
    case TEST_TRADE_STOOD_IN:
        draw_single(draw, trade, sums);
        return;
    default:
        break;
    }
    if (kind < 12)
        draw_terms(draw, trade, sums);
    else if (kind < 20)
        draw_split(draw, trade, sums);
    else
        draw_single(draw, trade, sums);
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
    draw_rare(&draw, seed, trade);
    if (trade->is_declined)
        return;
    struct sums sums = {0};
    draw_steps(&draw, trade, &sums);
    add_up(trade, &sums);
}

static const char *const terms_words[] = {"", ", in instalments", ", again and again", ", split"};
static const char *const fate_words[] = {[TEST_TRADE_ORDINARY] = "",
                                         [TEST_TRADE_UNHEARD] = "",
                                         [TEST_TRADE_OVERTAKEN] = ", overtaken",
                                         [TEST_TRADE_DROPPED] = "",
                                         [TEST_TRADE_TWICE] = "",
                                         [TEST_TRADE_STOOD_IN] = ", stood in for",
                                         [TEST_TRADE_UNTAKEN] = ", stood in for and not taken",
                                         [TEST_TRADE_REFUSED] = ", refused",
                                         [TEST_TRADE_UNCREDITED] = ", its credits refused",
                                         [TEST_TRADE_LOST] = ", its card lost"};

void test_trade_describe(const struct test_trade *trade, char *words, size_t size)
{
    int used = snprintf(words, size,
                        "sale %" PRIu64 ": %s %" PRId64 " at merchant %zu, wallet %zu"
                        "%s%s, %s%s%s%s%s",
                        trade->number, test_trade_currencies[trade->currency], trade->minor,
                        trade->merchant, trade->wallet, trade->card == NULL ? "" : ", ",
                        trade->card == NULL ? "" : trade->card, trade->capture,
                        trade->is_declined ? ", declined" : "", fate_words[trade->fate],
                        terms_words[trade->terms], trade->is_cancelled ? ", cancelled" : "");
    for (size_t i = 0; i < trade->step_count && used > 0 && (size_t)used < size; i++) {
        const struct test_trade_step *step = &trade->steps[i];
        used += snprintf(words + used, size - (size_t)used, "; day %d %s ",
                         test_trade_days[step->day], test_trade_acts[step->act]);
        if ((size_t)used < size &&
            (step->act == TEST_TRADE_UNDO_CAPTURE || step->act == TEST_TRADE_UNDO_REFUND))
            used += snprintf(words + used, size - (size_t)used, "of %s %zu",
                             step->act == TEST_TRADE_UNDO_CAPTURE ? "capture" : "refund", step->of);
        else if ((size_t)used < size && step->minor > 0)
            used += snprintf(words + used, size - (size_t)used, "%" PRId64, step->minor);
        else if ((size_t)used < size)
            used += snprintf(words + used, size - (size_t)used, "all");
        if ((size_t)used < size && step->is_refused)
            used += snprintf(words + used, size - (size_t)used, " (refused)");
    }
}
