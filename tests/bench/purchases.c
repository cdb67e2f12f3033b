/*
 * A load is repeated; what is told of it is the repetition with the median rate, and the spread of
 * the rates.
 */
#include "tests/bench/purchases.h"

#include "tests/bench/fail.h"
#include "tests/bench/parts.h"
#include "tests/bench/samples.h"

#include <string.h>

#define REPEATS 3
#define WHERE_SHOPPERS 16

void bench_connections(struct bench_report *report, struct bench_market *market)
{
    pid_t pid = bench_market_daemon(market, BENCH_MERCHANT)->pid;
    struct bench_load load = {.depth = BENCH_OFFERS, .shoppers = 16, .count = 64};
    struct bench_found found;
    size_t most = 0;
    for (size_t i = 0; bench_plan.shoppers[i] != 0; i++)
        most = bench_plan.shoppers[i];
    bench_market_run(market, &load, &found);
    int64_t before_kib = bench_memory_kib(pid);
    load.shoppers = most;
    load.count = (int64_t)most;
    bench_market_run(market, &load, &found);
    int64_t more_kib = bench_memory_kib(pid) - before_kib;
    size_t more = most > 16 ? most - 16 : 1;
    bench_report_figure(report, "merchantd: memory of two connections",
                        (double)(more_kib > 0 ? more_kib : 0) / (double)more, "KiB");
}

/* ------------------------------------------------------------------ one load */

static void run_one(struct bench_market *market, size_t shoppers, bool first_seen,
                    struct bench_found *found)
{
    struct bench_load load = {.depth = BENCH_PURCHASES,
                              .shoppers = shoppers,
                              .limit_ms = bench_plan.load_ms / REPEATS,
                              .count = bench_plan.count};
    if (first_seen) {
        load.first_seen = true;
        load.limit_ms = 0;
        load.count = bench_plan.cards;
        load.first_card = market->card_count; /* nobody has them yet */
    }
    bench_market_run(market, &load, found);
}

static double rate(const struct bench_found *found)
{
    return (double)found->count / found->seconds;
}

static int compare(const void *a, const void *b)
{
    double x = rate(a), y = rate(b);
    return x < y ? -1 : x > y;
}

static double each_us(const struct bench_found *found, int64_t us)
{
    return (double)us / (double)found->count;
}

static json_t *describe(const char *name, size_t shoppers, bool first_seen,
                        const struct bench_found found[REPEATS])
{
    const struct bench_found *f = &found[REPEATS / 2];
    json_t *cpu = json_object(), *stages = json_object(), *threads = json_object();
    json_t *memory = json_object();
    for (int i = 0; i < BENCH_DAEMONS; i++) {
        const char *daemon = bench_daemon_names[i];
        json_t *kinds = json_object();
        (void)json_object_set_new(cpu, daemon, json_real(each_us(f, f->daemons[i].cpu_us)));
        (void)json_object_set_new(memory, daemon, json_integer((json_int_t)f->memory_kib[i]));
        for (int k = 0; k < BENCH_THREADS; k++)
            (void)json_object_set_new(kinds, bench_thread_names[k],
                                      json_real(each_us(f, f->daemons[i].threads_us[k])));
        (void)json_object_set_new(threads, daemon, kinds);
    }
    (void)json_object_set_new(cpu, "shoppers", json_real(f->shoppers_us));
    for (int i = 0; i < BENCH_STAGES; i++)
        (void)json_object_set_new(stages, bench_stage_names[i],
                                  json_real((double)f->stage_p50_us[i] / 1000));
    return json_pack("{s:s, s:i, s:b, s:I, s:i, s:f, s:f, s:f, s:f, s:f, s:o, s:o, s:o, s:o}",
                     "name", name, "shoppers", (int)shoppers, "first_seen", first_seen, "purchases",
                     (json_int_t)f->count, "repeats", REPEATS, "per_second", rate(f),
                     "per_second_low", rate(&found[0]), "per_second_high",
                     rate(&found[REPEATS - 1]), "p50_ms", (double)f->p50_us / 1000, "p99_ms",
                     (double)f->p99_us / 1000, "cpu_us", cpu, "threads_us", threads, "stage_p50_ms",
                     stages, "memory_kib", memory);
}

static void print_load(const char *name, const struct bench_found found[REPEATS])
{
    const struct bench_found *f = &found[REPEATS / 2];
    double sum = f->shoppers_us;
    printf("  %-27s %6.0f %13.0f .. %-5.0f %8.1f %8.1f ", name, rate(f), rate(&found[0]),
           rate(&found[REPEATS - 1]), (double)f->p50_us / 1000, (double)f->p99_us / 1000);
    for (int i = 0; i < BENCH_DAEMONS; i++) {
        double us = each_us(f, f->daemons[i].cpu_us);
        sum += us;
        printf(" %9.0f", us);
    }
    printf(" %8.0f %8.0f\n", f->shoppers_us, sum);
    (void)fflush(stdout);
}

/* What the gateway's and the merchant's CPU is made of; see docs/reference/bench.md. */
static void note_where(struct bench_report *report, const struct bench_found *f)
{
    struct bench_floors floors;
    bench_floors_read(report, &floors);
    const double public_us[BENCH_DAEMONS] = {
        [BENCH_MERCHANT] = 2 * floors.verify_us + 3 * floors.sign_us,
        [BENCH_GATEWAY] = 2 * floors.verify_us + floors.open_us + 2 * floors.sign_us,
    };
    for (int i = 0; i < BENCH_DAEMONS; i++) {
        double all = each_us(f, f->daemons[i].cpu_us);
        double store = each_us(f, f->daemons[i].threads_us[BENCH_THREAD_STORE]);
        double kernel = each_us(f, f->daemons[i].kernel_us);
        double rest = all - store - kernel - public_us[i];
        json_t *row = json_pack("{s:s, s:f, s:f, s:f, s:f, s:f}", "daemon", bench_daemon_names[i],
                                "cpu_us", all, "public_key_us", public_us[i], "store_us", store,
                                "kernel_us", kernel, "rest_us", rest > 0 ? rest : 0);
        BENCH_NEED(row != NULL &&
                   json_array_append_new(json_object_get(report->all, "where"), row) == 0);
    }
}

static void run_load(struct bench_report *report, struct bench_market *market, size_t shoppers,
                     bool first_seen)
{
    struct bench_found found[REPEATS];
    char name[64];
    (void)snprintf(name, sizeof name, "%zu %s", shoppers, first_seen ? "never seen" : "returning");
    const struct bench_load warm = {
        .depth = BENCH_PURCHASES, .shoppers = shoppers, .count = (int64_t)shoppers};
    bench_market_run(market, &warm, &found[0]);
    for (int i = 0; i < REPEATS; i++)
        run_one(market, shoppers, first_seen, &found[i]);
    qsort(found, REPEATS, sizeof found[0], compare);
    print_load(name, found);
    json_t *load = describe(name, shoppers, first_seen, found);
    BENCH_NEED(load != NULL &&
               json_array_append_new(json_object_get(report->all, "loads"), load) == 0);
    const struct bench_found *median = &found[REPEATS / 2];
    bool last = shoppers == WHERE_SHOPPERS || bench_plan.quick;
    if (first_seen || !last || json_array_size(json_object_get(report->all, "where")) > 0)
        return;
    note_where(report, median);
    for (int i = 0; i < BENCH_DAEMONS; i++)
        market->stages_us[BENCH_PURCHASES][i] = each_us(median, median->daemons[i].cpu_us);
    const struct bench_load sampled = {.depth = BENCH_PURCHASES,
                                       .shoppers = shoppers,
                                       .limit_ms = bench_plan.load_ms / REPEATS,
                                       .count = bench_plan.count};
    bench_samples_take(report, market, &sampled);
}

void bench_purchases(struct bench_report *report, struct bench_market *market)
{
    printf("\n%-29s %6s %21s %8s %8s  CPU us: %s %9s %9s %8s %8s\n", "whole purchases by shoppers",
           "/s", "low .. high", "p50 ms", "p99 ms", bench_daemon_names[0] + 0,
           bench_daemon_names[1], bench_daemon_names[2], "shoppers", "all");
    for (int first_seen = 0; first_seen < 2; first_seen++)
        for (size_t i = 0; bench_plan.shoppers[i] != 0; i++)
            run_load(report, market, bench_plan.shoppers[i], first_seen == 1);
}

/* ------------------------------------------------------------------ where it goes */

static double value(const json_t *row, const char *name)
{
    return json_number_value(json_object_get(row, name));
}

static void print_stages(struct bench_report *report, const struct bench_market *market)
{
    json_t *stages = json_object();
    printf("\n%-29s", "CPU of each stage, us");
    for (int k = 0; k < BENCH_DAEMONS; k++)
        printf(" %10s", bench_daemon_names[k]);
    printf("\n");
    for (int i = 0; i < BENCH_STAGES; i++) {
        json_t *row = json_object();
        printf("  %-27s", bench_stage_names[i]);
        for (int k = 0; k < BENCH_DAEMONS; k++) {
            double us = market->stages_us[i][k] - (i == 0 ? 0 : market->stages_us[i - 1][k]);
            us = us > 0 ? us : 0;
            printf(" %10.0f", us);
            (void)json_object_set_new(row, bench_daemon_names[k], json_real(us));
        }
        printf("\n");
        (void)json_object_set_new(stages, bench_stage_names[i], row);
    }
    (void)json_object_set_new(report->all, "stages_us", stages);
}

/* What is neither public keys nor the store's. Columns know no more than that: what code and which
 * libraries it is, samples say. */
static void print_most(const json_t *where)
{
    double kernel = 0, rest = 0, most = 0;
    const char *daemon = "";
    size_t i;
    const json_t *row;
    json_array_foreach(where, i, row)
    {
        kernel += value(row, "kernel_us");
        rest += value(row, "rest_us");
        if (value(row, "rest_us") <= most)
            continue;
        most = value(row, "rest_us");
        daemon = json_string_value(json_object_get(row, "daemon"));
    }
    printf("Neither public keys nor the store's thread: %.0f us of a purchase in the three "
           "daemons, %.0f in the kernel\nand %.0f not attributed, the most of these, %.0f us, of "
           "%s\n",
           kernel + rest, kernel, rest, most, daemon);
}

void bench_where(struct bench_report *report, const struct bench_market *market)
{
    size_t i;
    const json_t *row, *where = json_object_get(report->all, "where");
    print_stages(report, market);
    printf("\n%-29s %10s %12s %10s %10s %15s %8s\n", "where it goes, us", "all", "public keys",
           "store", "kernel", "not attributed", "floor");
    json_array_foreach(where, i, row)
    {
        printf("  %-27s %10.0f %12.0f %10.0f %10.0f %15.0f %8.2f\n",
               json_string_value(json_object_get(row, "daemon")), value(row, "cpu_us"),
               value(row, "public_key_us"), value(row, "store_us"), value(row, "kernel_us"),
               value(row, "rest_us"), value(row, "public_key_us") / value(row, "cpu_us"));
    }
    if (json_array_size(where) > 0)
        print_most(where);
    bench_samples_print(report);
}

/* ------------------------------------------------------------------ the books */

void bench_audit(struct bench_report *report, struct bench_market *market)
{
    int64_t once = 0, otherwise = 0;
    bench_market_audit(market, &once, &otherwise);
    (void)json_object_set_new(report->all, "audit",
                              json_pack("{s:I, s:I, s:I}", "authorised",
                                        (json_int_t)market->authorised, "once", (json_int_t)once,
                                        "otherwise", (json_int_t)otherwise));
    printf("\n%lld purchases authorised, %lld of them exactly once in the issuer's books, %lld "
           "otherwise\n",
           (long long)market->authorised, (long long)once, (long long)otherwise);
    if (once != market->authorised || otherwise != 0)
        BENCH_FAIL("the issuer's books are not what the shoppers were told");
}
