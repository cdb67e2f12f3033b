/*
 * Some days of trade: many shoppers buy at several merchants in three currencies, and what was sold
 * is captured in parts, refunded, given up or left until its hold ends, as a seed has it
 * (tests/support/test_trade_plan.h), while the daemons are killed one by one at random. In the end
 * wallets, merchants, gateway, ledger, clearing files and the issuer's accounts agree to the last
 * unit with what was planned, and the operators' own tools say so.
 *
 * What is tried by it: nothing is lost and nothing done twice, whatever crashes (rules A6, M4, M5,
 * G6, G7), no more is captured than was authorised, nor refunded than captured (rule G8), the
 * wallet's receipts say what was done (rule W6), money adds up everywhere.
 *
 * Environment: SEED (printed), COUNT (sales), LANES, KILL_EVERY_MS, ONLY (the number of one sale).
 * Prints TAP.
 */
#include "tests/support/test_buyer.h"
#include "tests/support/test_sandbox.h"
#include "tests/support/test_town.h"
#include "tests/support/test_trade_books.h"
#include "tests/support/test_trade_plan.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNT_LONG 2000
#define COUNT_SHORT 150
#define COUNT_MAX 100000
#define LANES_DEFAULT 16
#define LANES_MAX 64
#define KILL_EVERY_MS 200
#define STEP_LIMIT_MS 120000 /* never reached unless something is lost */

static struct test_town town;
static struct test_trade_sale *sales;
static uint64_t sale_count, next_sale;
static uint64_t seed;
static enum test_trade_day today;
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

__attribute__((format(printf, 2, 3))) static bool fail(struct test_trade_sale *sale,
                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sale->words, sizeof sale->words, format, args);
    va_end(args);
    return false;
}

/* ------------------------------------------------------------------ a sale, step by step */

static const struct test_store *store_of(const struct test_trade_sale *sale)
{
    return &town.merchants[sale->plan.merchant]->store;
}

/* Three payments, as the API has it; "" for one. */
static void describe_terms(const struct test_trade *plan, char *text, size_t size)
{
    char end[16];
    time_t last = time(NULL) + (time_t)400 * 86400;
    struct tm day;
    text[0] = '\0';
    if (plan->terms == TEST_TRADE_SINGLE || gmtime_r(&last, &day) == NULL)
        return;
    (void)strftime(end, sizeof end, "%Y-%m-%d", &day);
    (void)snprintf(text, size,
                   ",\"terms\":{\"kind\":\"%s\",\"count\":%d,\"interval_days\":1,\"each\":%" PRId64
                   ",\"end\":\"%s\"}",
                   plan->terms == TEST_TRADE_INSTALMENT ? "instalment" : "recurring",
                   TEST_TRADE_PAYMENTS, plan->each, end);
}

static bool order_make(struct test_trade_sale *sale)
{
    const struct test_trade *plan = &sale->plan;
    char body[384], key[64], terms[160];
    json_t *answer = NULL;
    describe_terms(plan, terms, sizeof terms);
    (void)snprintf(body, sizeof body,
                   "{\"description\":\"sale %" PRIu64 "\",\"amount\":%" PRId64
                   ",\"currency\":\"%s\",\"capture\":\"%s\"%s}",
                   plan->number, plan->minor, test_trade_currencies[plan->currency], plan->capture,
                   terms);
    (void)snprintf(key, sizeof key, "order-%" PRIu64, plan->number);
    int status = test_store_post(store_of(sale), "/orders", body, key, STEP_LIMIT_MS, &answer);
    const char *id = json_string_value(json_object_get(answer, "order_id"));
    const char *uri = json_string_value(json_object_get(answer, "pay_uri"));
    if (status == 201 && id != NULL && uri != NULL) {
        (void)snprintf(sale->order_id, sizeof sale->order_id, "%s", id);
        (void)snprintf(sale->uri, sizeof sale->uri, "%s", uri);
    }
    json_decref(answer);
    return sale->order_id[0] != '\0' || fail(sale, "no order was made: status %d", status);
}

/* The shopper tries until the link is paid or the card has declined. */
static bool pay(struct test_trade_sale *sale)
{
    const char *socket = town.wallets[sale->plan.wallet]->socket;
    int64_t until_ms = test_now_ms() + STEP_LIMIT_MS;
    char status[TEST_STATUS_SIZE];
    enum setpay_error error;
    do {
        error = test_buy(socket, sale->uri, sale->plan.card, status);
        bool is_paid = strcmp(status, "authorised") == 0 || strcmp(status, "captured") == 0;
        if (error == SETPAY_OK && sale->plan.is_declined && strcmp(status, "declined") == 0)
            return true;
        if (error == SETPAY_OK && is_paid)
            return !sale->plan.is_declined || fail(sale, "paid by a card that declines");
        test_pause_ms(20);
    } while (test_now_ms() < until_ms);
    return fail(sale, "not paid in time: %s, \"%s\"", setpay_error_name(error), status);
}

static bool is_asking(const json_t *list)
{
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one)
    {
        const char *status = json_string_value(json_object_get(one, "status"));
        if (status != NULL && strcmp(status, "asking") == 0)
            return true;
    }
    return false;
}

static int64_t done_minor(const json_t *list)
{
    int64_t sum = 0;
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one)
    {
        const char *status = json_string_value(json_object_get(one, "status"));
        if (status != NULL && strcmp(status, "done") == 0)
            sum += json_integer_value(json_object_get(one, "amount"));
    }
    return sum;
}

/* Whether the day's payment got no answer from the issuer, which was dead, and is to be asked for
 * anew in an hour. */
static bool is_put_off(const json_t *order)
{
    char now[24];
    time_t seconds = time(NULL) + (time_t)town.hour * 3600;
    struct tm utc;
    const json_t *agreement = json_object_get(order, "agreement");
    const char *status = json_string_value(json_object_get(agreement, "status"));
    const char *next = json_string_value(json_object_get(agreement, "next"));
    if (status == NULL || strcmp(status, "active") != 0 || next == NULL ||
        gmtime_r(&seconds, &utc) == NULL)
        return false;
    (void)strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%S", &utc);
    return strncmp(next, now, strlen(now)) > 0;
}

/* Waits until nothing of the order is at the gateway, and so much is captured and refunded; or the
 * payment of the day is put off. */
static bool expect(struct test_trade_sale *sale, int64_t captured, int64_t credited)
{
    int64_t until_ms = test_now_ms() + STEP_LIMIT_MS;
    int64_t got_captured = -1, got_credited = -1;
    char path[128];
    bool good = false;
    sale->is_put_off = false;
    (void)snprintf(path, sizeof path, "/orders/%s", sale->order_id);
    do {
        json_t *order = NULL;
        if (test_store_get(store_of(sale), path, &order) == 200) {
            const json_t *captures = json_object_get(order, "captures");
            const json_t *refunds = json_object_get(order, "refunds");
            got_captured = done_minor(captures);
            got_credited = done_minor(refunds);
            bool is_quiet = !is_asking(captures) && !is_asking(refunds);
            good = is_quiet && got_captured == captured && got_credited == credited;
            sale->is_put_off = is_quiet && !good && town.kills && is_put_off(order);
        }
        json_decref(order);
        if (!good)
            test_pause_ms(20);
    } while (!good && !sale->is_put_off && test_now_ms() < until_ms);
    return good || sale->is_put_off ||
           fail(sale,
                "the store sees %" PRId64 " captured and %" PRId64 " refunded, not %" PRId64
                " and %" PRId64,
                got_captured, got_credited, captured, credited);
}

static bool take_step(struct test_trade_sale *sale, size_t at)
{
    const struct test_trade_step *step = &sale->plan.steps[at];
    char path[128], body[64] = "{}", key[64];
    (void)snprintf(path, sizeof path, "/orders/%s/%s", sale->order_id, test_trade_acts[step->act]);
    (void)snprintf(key, sizeof key, "step-%" PRIu64 "-%zu", sale->plan.number, at);
    if (step->minor > 0)
        (void)snprintf(body, sizeof body, "{\"amount\":%" PRId64 "}", step->minor);
    int status = test_store_post(store_of(sale), path, body, key, STEP_LIMIT_MS, NULL);
    bool is_taken = status == 200 || status == 201 || status == 202;
    bool is_refused = status == 409 || status == 422;
    if (!is_taken && !is_refused)
        return fail(sale, "%s: status %d", path, status);
    if (is_refused != step->is_refused)
        return fail(sale, "step %zu (%s) was %s", at, test_trade_acts[step->act],
                    is_refused ? "refused" : "taken");
    return expect(sale, step->captured, step->credited);
}

/* The purchase of which something was taken. */
static bool find_xid(const struct test_trade_sale *sale, char xid[40])
{
    char path[128];
    json_t *order = NULL;
    size_t i;
    const json_t *payment;
    xid[0] = '\0';
    (void)snprintf(path, sizeof path, "/orders/%s", sale->order_id);
    if (test_store_get(store_of(sale), path, &order) == 200) {
        json_array_foreach(json_object_get(order, "payments"), i, payment)
        {
            const char *name = json_string_value(json_object_get(payment, "xid"));
            if (name != NULL && json_integer_value(json_object_get(payment, "captured_amount")) > 0)
                (void)snprintf(xid, 40, "%s", name);
        }
    }
    json_decref(order);
    return xid[0] != '\0';
}

/* Asks until the gateway's receipt says so. */
static bool cancel(struct test_trade_sale *sale)
{
    const char *socket = town.wallets[sale->plan.wallet]->socket;
    int64_t until_ms = test_now_ms() + STEP_LIMIT_MS;
    char xid[40];
    do {
        json_t *agreement = NULL;
        if (find_xid(sale, xid) &&
            test_sandbox_call(socket, "agreement.cancel", json_pack("{s:s}", "xid", xid),
                              &agreement) == SETPAY_OK) {
            bool is_cancelled = json_is_string(json_object_get(agreement, "cancelled"));
            json_decref(agreement);
            if (is_cancelled)
                return true;
        }
        test_pause_ms(50);
    } while (test_now_ms() < until_ms);
    return fail(sale, "the agreement is not cancelled in time");
}

/* The merchant takes what is due by itself. */
static bool go_on_by_terms(struct test_trade_sale *sale)
{
    if (!expect(sale, sale->plan.taken[today], 0))
        return false;
    if (sale->is_put_off)
        return true; /* its hour comes (run_put_off) */
    return today != TEST_DAY_NEXT || !sale->plan.is_cancelled || cancel(sale);
}

static bool go_on(struct test_trade_sale *sale)
{
    const struct test_trade *plan = &sale->plan;
    if (today == TEST_DAY_SALE && (!order_make(sale) || !pay(sale)))
        return false;
    if (plan->terms != TEST_TRADE_SINGLE)
        return go_on_by_terms(sale);
    if (today == TEST_DAY_SALE) {
        int64_t captured = strcmp(plan->capture, "immediate") == 0 ? plan->minor : 0;
        if (!plan->is_declined && !expect(sale, captured, 0))
            return false;
    }
    for (size_t i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].day == today && !take_step(sale, i))
            return false;
    }
    return true;
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
            (void)go_on(sale); /* what has failed is not followed any further */
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

static void run_day(enum test_trade_day day, size_t lanes)
{
    char what[96];
    int64_t before_ms = test_now_ms();
    today = day;
    if (day != TEST_DAY_SALE)
        test_town_hour(&town, test_trade_days[day] * 24);
    if (day != TEST_DAY_LATE)
        test_town_killing_begins(&town, seed + day,
                                 (int)number_of("KILL_EVERY_MS", KILL_EVERY_MS, 600000));
    run_lanes(lanes);
    test_town_killing_ends(&town);
    run_put_off(lanes);
    (void)snprintf(what, sizeof what, "day %d: each step of each sale ends as it should",
                   test_trade_days[day]);
    report_sales(what);
    test_trade_close_batches(&town, report);
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
    uint64_t steps = 0;
    for (uint64_t i = 0; i < sale_count; i++)
        steps += sales[i].plan.step_count;
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
    test_town_up(&town, test_trade_lines);
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
