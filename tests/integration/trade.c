/*
 * Some days of trade: many shoppers buy at several merchants in three currencies, and what was sold
 * is captured in parts, alone or with other orders, refunded, undone, given up in parts or left
 * until its hold ends, as a seed has it (tests/support/test_trade_plan.h), while the daemons are
 * killed one by one at random: as well while batches are closed and days are settled. The issuer
 * approves less than was asked, answers late, twice or not at all, is away, refuses what is
 * presented or was approved in its stead, has other totals; the gateway loses cards
 * (test_trade_trouble.h). In the end wallets, merchants, gateway, ledger, clearing files and the
 * issuer's accounts agree to the last unit with what was planned, fees and interchange among it,
 * the operators' own tools say so, and each of these things has happened (test_trade_seen.h).
 *
 * What is tried by it: nothing is lost and nothing done twice, whatever crashes (rules A6, M4, M5,
 * G6, G7), no more is captured than was authorised, nor refunded than captured (rule G8), the
 * wallet's receipts say what was done (rule W6), money adds up everywhere.
 *
 * Environment: SEED (printed), COUNT (sales), LANES, KILL_EVERY_MS, ONLY (the number of one sale).
 * Prints TAP.
 */
#include "tests/support/test_sandbox.h"
#include "tests/support/test_town.h"
#include "tests/support/test_trade_books.h"
#include "tests/support/test_trade_fees.h"
#include "tests/support/test_trade_plan.h"
#include "tests/support/test_trade_sale.h"
#include "tests/support/test_trade_seen.h"
#include "tests/support/test_trade_trouble.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define COUNT_LONG 2000
#define COUNT_SHORT 120
#define COUNT_MAX 100000
#define LANES_DEFAULT 16
#define LANES_MAX 64
#define KILL_EVERY_MS 200
#define OUTAGE_MAX 300 /* sales in one; the gateway stands in for 512 */

static struct test_town town;
static struct test_trade_sale *sales;
static uint64_t sale_count, next_sale;
static uint64_t seed;
/* What the lanes go on with, and nothing else; at most so many. */
typedef bool takes_fn(const struct test_trade_sale *sale);
static takes_fn *lanes_take;
static uint64_t lanes_left;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int test_count, failed_count;

static void report(bool is_ok, const char *what, const char *words)
{
    pthread_mutex_lock(&mutex);
    printf("%s %d - %s\n", is_ok ? "ok" : "not ok", ++test_count, what);
    if (!is_ok)
        printf("# %s\n", words);
    fflush(stdout);
    failed_count += !is_ok;
    pthread_mutex_unlock(&mutex);
}

/* ------------------------------------------------------------------ many of them */

static bool takes_all(const struct test_trade_sale *sale)
{
    return sale->words[0] == '\0'; /* what has failed is not followed any further */
}

static bool takes_put_off(const struct test_trade_sale *sale)
{
    return takes_all(sale) && sale->is_put_off;
}

static bool takes_odd(const struct test_trade_sale *sale)
{
    return sale->plan.fate == TEST_TRADE_UNHEARD || sale->plan.fate == TEST_TRADE_TWICE;
}

static bool takes_dropped(const struct test_trade_sale *sale)
{
    return sale->plan.fate == TEST_TRADE_DROPPED;
}

static bool takes_overtaken(const struct test_trade_sale *sale)
{
    return sale->plan.fate == TEST_TRADE_OVERTAKEN;
}

static bool takes_refused(const struct test_trade_sale *sale)
{
    return sale->plan.fate >= TEST_TRADE_REFUSED;
}

static bool takes_untaken(const struct test_trade_sale *sale)
{
    return sale->plan.fate == TEST_TRADE_UNTAKEN;
}

/* And was not in an outage before. */
static bool takes_stood_in(const struct test_trade_sale *sale)
{
    return sale->plan.fate == TEST_TRADE_STOOD_IN && sale->order_id[0] == '\0' && takes_all(sale);
}

static uint64_t count_taken(takes_fn *takes)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < sale_count; i++)
        count += takes(&sales[i]);
    return count;
}

static struct test_trade_sale *next_taken(void)
{
    struct test_trade_sale *sale = NULL;
    pthread_mutex_lock(&mutex);
    while (sale == NULL && lanes_left > 0 && next_sale < sale_count) {
        struct test_trade_sale *next = &sales[next_sale++];
        sale = lanes_take(next) ? next : NULL;
    }
    lanes_left -= sale != NULL;
    pthread_mutex_unlock(&mutex);
    return sale;
}

static void *lane_run(void *arg)
{
    (void)arg;
    for (struct test_trade_sale *sale; (sale = next_taken()) != NULL;)
        (void)test_trade_go_on(sale);
    return NULL;
}

static void run_lanes(size_t lanes, takes_fn *takes, uint64_t most)
{
    pthread_t threads[LANES_MAX];
    next_sale = 0;
    lanes_take = takes;
    lanes_left = most;
    for (size_t i = 0; i < lanes; i++) {
        if (pthread_create(&threads[i], NULL, lane_run, NULL) != 0)
            test_bail_out("no thread");
    }
    for (size_t i = 0; i < lanes; i++)
        pthread_join(threads[i], NULL);
}

static void report_sales(const char *what)
{
    char words[1024] = "", plan[512];
    uint64_t bad = 0;
    for (uint64_t i = 0; i < sale_count; i++) {
        if (sales[i].words[0] == '\0')
            continue;
        if (bad++ < 10) {
            test_trade_describe(&sales[i].plan, plan, sizeof plan);
            printf("# %s: %s\n", plan, sales[i].words);
        }
    }
    (void)snprintf(words, sizeof words, "%" PRIu64 " of %" PRIu64 " sales went another way", bad,
                   sale_count);
    report(bad == 0, what, words);
}

static uint64_t number_of(const char *name, uint64_t otherwise, uint64_t most)
{
    const char *text = getenv(name);
    uint64_t number = text == NULL || *text == '\0' ? otherwise : strtoull(text, NULL, 10);
    return number < most ? number : most;
}

/* Two hours later, with nobody killed. */
static void run_put_off(size_t lanes)
{
    uint64_t count = count_taken(takes_put_off);
    if (count == 0)
        return;
    test_town_hour(&town, town.hour + 2);
    run_lanes(lanes, takes_put_off, sale_count);
    printf("# payments that the issuer did not answer, taken later: %" PRIu64 "\n", count);
}

static void *settle_meanwhile(void *arg)
{
    atomic_bool *goes_on = arg;
    test_trade_settle(&town, goes_on, report);
    return NULL;
}

/* What was cleared the day before is settled: either first, whoever is killed in it, or while trade
 * goes on. */
static void trade(enum test_trade_day day, size_t lanes)
{
    pthread_t settling;
    atomic_bool goes_on = true;
    bool settles = day == TEST_DAY_LATE;
    if (settles && pthread_create(&settling, NULL, settle_meanwhile, &goes_on) != 0)
        test_bail_out("no thread");
    test_trade_go_on_together(sales, sale_count);
    run_lanes(lanes, takes_all, sale_count);
    goes_on = false;
    if (settles)
        pthread_join(settling, NULL);
}

typedef void before_fn(struct test_town *town, uint64_t chance);

static void begin_killing(int which, int every_ms, unsigned spared, before_fn *before)
{
    test_town_killing_begins(
        &town, &(struct test_town_killing){
                   .seed = seed + (uint64_t)which,
                   .pause_ms = (int)number_of("KILL_EVERY_MS", (uint64_t)every_ms, 600000),
                   .spared = spared,
                   .before = before});
}

static void end_killing(void)
{
    test_town_killing_ends(&town);
    test_trade_trouble_ends(&town);
}

static void close_batches(enum test_trade_day day)
{
    unsigned before = test_town_killed(&town);
    begin_killing(TEST_DAYS + (int)day, KILL_EVERY_MS / 10, TEST_SPARED(TEST_WALLET),
                  test_trade_trouble);
    test_trade_close_batches(&town, report);
    test_trade_all_presented(&town, report);
    unsigned killed = test_town_killed(&town) - before;
    end_killing();
    printf("# tally: daemons killed while batches closed = %u\n", killed);
}

/* ------------------------------------------------------------------ hours of their own */

/* Nobody is killed: an answer that is late finds its line only where that still stands. Most of the
 * lanes wait. */
static void hour_of_odd_answers(size_t lanes)
{
    test_trade_silence(&town);
    run_lanes(2 * lanes < LANES_MAX ? 2 * lanes : LANES_MAX, takes_odd, sale_count);
    test_trade_odd_answers(&town, sales, sale_count, report);
    run_lanes(lanes, takes_dropped, sale_count);
    test_trade_trouble_ends(&town);
    test_trade_hold(&town);
    run_lanes(LANES_MAX, takes_overtaken, sale_count);
    test_trade_overtaken(&town, sales, sale_count, report);
    test_trade_trouble_ends(&town);
}

static bool has_refused(const struct test_trade_sale *sale)
{
    return takes_refused(sale) && sale->plan.fate != TEST_TRADE_LOST && sale->plan.refused != 0 &&
           takes_all(sale);
}

static void hour_of_refusals(size_t lanes)
{
    const unsigned spared = TEST_SPARED(TEST_ISSUER);
    begin_killing(2 * TEST_DAYS, KILL_EVERY_MS, spared, NULL);
    run_lanes(lanes, takes_refused, sale_count);
    test_town_killing_ends(&town);
    test_trade_lose_cards(&town, sales, sale_count);
    test_trade_refuse_now(&town);
    begin_killing(2 * TEST_DAYS + 1, KILL_EVERY_MS / 10, spared | TEST_SPARED(TEST_WALLET), NULL);
    test_trade_close_batches(&town, report);
    test_town_killing_ends(&town);
    test_trade_write_off(&town, sales, sale_count, report);
    test_trade_refuse(&town, seed, count_taken(has_refused) > 0);
    test_trade_all_presented(&town, report);
    test_trade_trouble_ends(&town);
}

static void outage(size_t lanes, takes_fn *takes, bool refuses)
{
    test_trade_outage_begins(&town);
    begin_killing(2 * TEST_DAYS + 2, KILL_EVERY_MS, TEST_SPARED(TEST_ISSUER), NULL);
    run_lanes(lanes, takes, OUTAGE_MAX);
    test_town_killing_ends(&town);
    test_trade_outage_ends(&town, refuses, report);
}

static void run_hours(size_t lanes)
{
    int64_t before_ms = test_now_ms();
    hour_of_refusals(lanes); /* of all that is captured by then */
    hour_of_odd_answers(lanes);
    do
        outage(lanes, takes_stood_in, false);
    while (count_taken(takes_stood_in) > 0);
    outage(lanes, takes_untaken, true);
    printf("# hours of their own: %d ms\n", (int)(test_now_ms() - before_ms));
}

/* ------------------------------------------------------------------ a day */

static void run_day(enum test_trade_day day, size_t lanes)
{
    char what[96];
    int64_t before_ms = test_now_ms();
    test_trade_sale_day(&town, day);
    if (day != TEST_DAY_SALE)
        test_town_hour(&town, test_trade_days[day] * 24);
    else
        run_hours(lanes);
    if (day == TEST_DAY_NEXT)
        test_trade_settle_killed(&town, report);
    if (day != TEST_DAY_LATE)
        begin_killing((int)day, KILL_EVERY_MS, 0, test_trade_trouble);
    trade(day, lanes);
    end_killing();
    run_put_off(lanes);
    (void)snprintf(what, sizeof what, "day %d: each step of each sale ends as it should",
                   test_trade_days[day]);
    report_sales(what);
    close_batches(day);
    if (day == TEST_DAY_NEXT)
        test_trade_wrong_totals(&town, report);
    printf("# day %d: %d ms\n", test_trade_days[day], (int)(test_now_ms() - before_ms));
}

/* ------------------------------------------------------------------ all of it */

static void make_plans(void)
{
    const char *only = getenv("ONLY");
    sale_count =
        only != NULL ? 1 : number_of("COUNT", test_is_long() ? COUNT_LONG : COUNT_SHORT, COUNT_MAX);
    sales = calloc(sale_count, sizeof *sales);
    if (sales == NULL)
        test_bail_out("no memory");
    for (uint64_t i = 0; i < sale_count; i++)
        test_trade_plan(seed, only != NULL ? strtoull(only, NULL, 10) : i, TEST_TOWN_MERCHANTS,
                        TEST_TOWN_WALLETS, &sales[i].plan);
}

static void print_tally(void)
{
    uint64_t steps = 0, by_act[TEST_TRADE_TOGETHER + 1] = {0};
    for (uint64_t i = 0; i < sale_count; i++) {
        steps += sales[i].plan.step_count;
        for (size_t at = 0; at < sales[i].plan.step_count; at++)
            by_act[sales[i].plan.steps[at].act]++;
    }
    for (size_t act = 0; act <= TEST_TRADE_TOGETHER; act++)
        printf("# %s: %" PRIu64 "\n",
               act == TEST_TRADE_UNDO_REFUND ? "undo of a refund" : test_trade_acts[act],
               by_act[act]);
    printf("# tally: sales = %" PRIu64 "\n# tally: steps after a sale = %" PRIu64 "\n", sale_count,
           steps);
    unsigned killed = 0;
    for (size_t i = 0; i < TEST_TOWN_DAEMONS; i++) {
        printf("# %s was killed %u times\n", town.men[i].name, town.men[i].killed);
        killed += town.men[i].killed;
    }
    printf("# tally: daemons killed = %u\n", killed);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    seed = number_of("SEED", (uint64_t)time(NULL), UINT64_MAX);
    size_t lanes = number_of("LANES", LANES_DEFAULT, LANES_MAX);
    make_plans();
    puts("# failures count as: lost or made twice");
    printf("# SEED=%" PRIu64 " COUNT=%" PRIu64 "\n", seed, sale_count);
    fflush(stdout);
    char fees[1024];
    test_trade_fees_print(fees, sizeof fees);
    test_town_up(&town, &(struct test_town_plan){.lines = test_trade_lines,
                                                 .issuer = test_trade_issuer_lines,
                                                 .fees = fees,
                                                 .brand_of = test_trade_brand});
    for (int day = 0; day < TEST_DAYS; day++)
        run_day((enum test_trade_day)day, lanes);
    test_trade_books_agree(&town, sales, sale_count, report);
    print_tally();
    test_trade_all_seen(&town, sale_count / COUNT_SHORT, report);
    if (failed_count > 0)
        printf("# kept: %s\n", town.sandbox.dir);
    test_town_down(&town, failed_count == 0 && getenv("SETPAY_KEEP_FOLDER") == NULL);
    free(sales);
    printf("1..%d\n", test_count);
    return failed_count != 0;
}
