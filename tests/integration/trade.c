/*
 * Some days of trade: many shoppers buy at several merchants in three currencies, and what was sold
 * is captured in parts, alone or with other orders, refunded, undone, given up in parts or left
 * until its hold ends, as a seed has it (tests/support/test_trade_plan.h), while the daemons are
 * killed one by one at random: as well while batches are closed and days are settled. In the end
 * wallets, merchants, gateway, ledger, clearing files and the issuer's accounts agree to the last
 * unit with what was planned, fees and interchange among it, and the operators' own tools say so.
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

static struct test_town town;
static struct test_trade_sale *sales;
static uint64_t sale_count, next_sale;
static uint64_t seed;
static bool of_put_off; /* the lanes go on with what was put off, and with nothing else */
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

static void *lane_run(void *arg)
{
    (void)arg;
    for (;;) {
        pthread_mutex_lock(&mutex);
        struct test_trade_sale *sale = next_sale < sale_count ? &sales[next_sale++] : NULL;
        pthread_mutex_unlock(&mutex);
        if (sale == NULL)
            return NULL;
        if (sale->words[0] == '\0' && (!of_put_off || sale->is_put_off))
            (void)test_trade_go_on(sale); /* what has failed is not followed any further */
    }
}

static void run_lanes(size_t lanes)
{
    pthread_t threads[LANES_MAX];
    next_sale = 0;
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
    uint64_t count = 0;
    for (uint64_t i = 0; i < sale_count; i++)
        count += sales[i].is_put_off;
    if (count == 0)
        return;
    test_town_hour(&town, town.hour + 2);
    of_put_off = true;
    run_lanes(lanes);
    of_put_off = false;
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
    run_lanes(lanes);
    goes_on = false;
    if (settles)
        pthread_join(settling, NULL);
}

static void begin_killing(uint64_t which, int every_ms, bool spares_wallets)
{
    test_town_killing_begins(&town, seed + which,
                             (int)number_of("KILL_EVERY_MS", (uint64_t)every_ms, 600000),
                             spares_wallets);
}

static void close_batches(enum test_trade_day day)
{
    unsigned before = test_town_killed(&town);
    begin_killing(TEST_DAYS + (uint64_t)day, KILL_EVERY_MS / 10, true);
    test_trade_close_batches(&town, report);
    unsigned killed = test_town_killed(&town) - before;
    test_town_killing_ends(&town);
    printf("# tally: daemons killed while batches closed = %u\n", killed);
}

static void run_day(enum test_trade_day day, size_t lanes)
{
    char what[96];
    int64_t before_ms = test_now_ms();
    test_trade_sale_day(&town, day);
    if (day != TEST_DAY_SALE)
        test_town_hour(&town, test_trade_days[day] * 24);
    if (day == TEST_DAY_NEXT)
        test_trade_settle_killed(&town, report);
    if (day != TEST_DAY_LATE)
        begin_killing(day, KILL_EVERY_MS, false);
    trade(day, lanes);
    test_town_killing_ends(&town);
    run_put_off(lanes);
    (void)snprintf(what, sizeof what, "day %d: each step of each sale ends as it should",
                   test_trade_days[day]);
    report_sales(what);
    close_batches(day);
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
    test_town_up(&town, &(struct test_town_plan){
                            .lines = test_trade_lines, .fees = fees, .brand_of = test_trade_brand});
    for (int day = 0; day < TEST_DAYS; day++)
        run_day((enum test_trade_day)day, lanes);
    test_trade_books_agree(&town, sales, sale_count, report);
    print_tally();
    if (failed_count > 0)
        printf("# kept: %s\n", town.sandbox.dir);
    test_town_down(&town, failed_count == 0 && getenv("SETPAY_KEEP_FOLDER") == NULL);
    free(sales);
    printf("1..%d\n", test_count);
    return failed_count != 0;
}
