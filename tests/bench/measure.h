/*
 * Timing a piece of code: repeated in several runs, of which the median and the spread count.
 *
 * What computes is timed by the thread's CPU clock, which a busy machine disturbs least; what waits
 * (disk, network) by the wall's.
 */
#ifndef SETPAY_BENCH_MEASURE_H
#define SETPAY_BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much of everything is done: the whole, or the quick form. */
struct bench_plan {
    bool quick;
    unsigned runs;      /* of each piece of code */
    int64_t run_ms;     /* about as long as one run takes */
    int64_t load_ms;    /* of each load on daemons */
    int64_t cards;      /* purchases by cardholders that nobody has seen */
    size_t shoppers[4]; /* at once; ends with 0 */
    int64_t count; /* at most so many purchases for each load; 0: as many as there is time for */
};
extern struct bench_plan bench_plan;

enum bench_clock { BENCH_CPU, BENCH_WALL };

struct bench_timing {
    double median_us, low_us, high_us; /* of one call */
    unsigned runs;
};

typedef void bench_fn(void *arg);
void bench_measure(bench_fn *fn, void *arg, enum bench_clock clock, struct bench_timing *timing);
/* From values of several runs (sorted in place). */
void bench_timing_of(double *values, unsigned count, struct bench_timing *timing);

/* The value below which so many in a hundred lie (sorted in place); there must be one. */
int64_t bench_percentile(int64_t *values, int64_t count, int percent);

double bench_wall_us(void);
/* Of this thread. */
double bench_cpu_us(void);

#endif
