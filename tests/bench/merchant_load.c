/*
 * merchantd without a gateway's part: orders over its API, and offers for them; what all daemons
 * under load have in common.
 */
#include "tests/bench/parts.h"

#include "tests/bench/fail.h"
#include "tests/bench/floors.h"

#define SHOPPERS 16
#define REPEATS 3

void bench_floors_read(const struct bench_report *report, struct bench_floors *floors)
{
    floors->sign_us = bench_report_value(report, BENCH_ROW_SIGN);
    floors->verify_us = bench_report_value(report, BENCH_ROW_VERIFY);
    floors->seal_us = bench_report_value(report, BENCH_ROW_SEAL);
    floors->open_us = bench_report_value(report, BENCH_ROW_OPEN);
    floors->parse_us = bench_report_value(report, BENCH_ROW_PARSE);
}

void bench_report_repeats(struct bench_report *report, const char *rate, const char *cpu,
                          struct bench_repeats *repeats, double floor_us, const char *floor)
{
    struct bench_timing timing;
    bench_timing_of(repeats->each_us, repeats->count, &timing);
    bench_report_rate(report, rate, &timing, 1, 0, "");
    bench_timing_of(repeats->cpu_us, repeats->count, &timing);
    bench_report_time(report, cpu, &timing, floor_us, floor);
}

static void run_depth(struct bench_market *market, enum bench_depth depth,
                      struct bench_repeats *repeats)
{
    struct bench_load load = {.depth = depth, .shoppers = SHOPPERS, .count = SHOPPERS};
    struct bench_found found;
    bench_market_run(market, &load, &found); /* connections are made, certificates are known */
    load.count = bench_plan.count;
    load.limit_ms = bench_plan.load_ms / REPEATS;
    double *stage_us = market->stages_us[depth];
    for (repeats->count = 0; repeats->count < REPEATS; repeats->count++) {
        bench_market_run(market, &load, &found);
        repeats->each_us[repeats->count] = found.seconds * 1e6 / (double)found.count;
        repeats->cpu_us[repeats->count] =
            (double)found.daemons[BENCH_MERCHANT].cpu_us / (double)found.count;
        for (int i = 0; i < BENCH_DAEMONS; i++)
            stage_us[i] += (double)found.daemons[i].cpu_us / (double)found.count / REPEATS;
    }
}

void bench_merchant_alone(struct bench_report *report, struct bench_market *market)
{
    struct bench_repeats repeats;
    struct bench_floors floors;
    bench_floors_read(report, &floors);
    run_depth(market, BENCH_ORDERS, &repeats);
    bench_report_repeats(report, "merchantd: orders", "merchantd: CPU of an order", &repeats, 0,
                         "");
    run_depth(market, BENCH_OFFERS, &repeats);
    bench_report_repeats(report, "merchantd: orders with an offer",
                         "merchantd: CPU of order and offer", &repeats, floors.sign_us, "1 sign");
}
