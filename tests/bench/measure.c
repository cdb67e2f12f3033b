/*
 * A run is as many calls as fill its time; how many, a first call tells.
 */
#include "tests/bench/measure.h"

#include <stdlib.h>
#include <time.h>

#define RUNS_MAX 32

static double now_us(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

double bench_wall_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

double bench_cpu_us(void)
{
    return now_us(CLOCK_THREAD_CPUTIME_ID);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void bench_timing_of(double *values, unsigned count, struct bench_timing *timing)
{
    qsort(values, count, sizeof *values, compare);
    timing->low_us = values[0];
    timing->high_us = values[count - 1];
    timing->median_us = values[count / 2];
    timing->runs = count;
}

static int compare_whole(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

int64_t bench_percentile(int64_t *values, int64_t count, int percent)
{
    qsort(values, (size_t)count, sizeof *values, compare_whole);
    return values[(count - 1) * percent / 100];
}

static double time_calls(bench_fn *fn, void *arg, clockid_t clock, long calls)
{
    double started = now_us(clock);
    for (long i = 0; i < calls; i++)
        fn(arg);
    return (now_us(clock) - started) / (double)calls;
}

void bench_measure(bench_fn *fn, void *arg, enum bench_clock which, struct bench_timing *timing)
{
    clockid_t clock = which == BENCH_CPU ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    double values[RUNS_MAX] = {0};
    unsigned runs = bench_plan.runs < RUNS_MAX ? bench_plan.runs : RUNS_MAX;
    fn(arg); /* what only the first call does */
    double one_us = time_calls(fn, arg, clock, 3);
    double fit = (double)bench_plan.run_ms * 1000 / (one_us > 0.01 ? one_us : 0.01);
    long calls = fit < 1 ? 1 : (long)fit;
    for (unsigned i = 0; i < runs; i++)
        values[i] = time_calls(fn, arg, clock, calls);
    bench_timing_of(values, runs, timing);
}
