/*
 * What was found, row by row: a table for people while it comes, then JSON and plots in a folder.
 */
#ifndef SETPAY_BENCH_REPORT_H
#define SETPAY_BENCH_REPORT_H

#include "tests/bench/measure.h"

#include <jansson.h>

struct bench_report {
    json_t *all; /* machine, rows, loads, where, audit */
};

void bench_report_open(struct bench_report *report);
void bench_report_section(struct bench_report *report, const char *title);
/* A time of one call. floor_us: what it stands on (0: it is itself a floor), in words. */
void bench_report_time(struct bench_report *report, const char *name,
                       const struct bench_timing *timing, double floor_us, const char *floor);
/* A rate: calls of batch each. */
void bench_report_rate(struct bench_report *report, const char *name,
                       const struct bench_timing *timing, double batch, double floor_per_s,
                       const char *floor);
/* A figure that is none of the two. */
void bench_report_figure(struct bench_report *report, const char *name, double value,
                         const char *unit);
/* The value of a row of this run; 0 where there is none. */
double bench_report_value(const struct bench_report *report, const char *name);
/* Into DIR/bench.json and the plots beside it. */
void bench_report_write(struct bench_report *report, const char *dir);
void bench_report_close(struct bench_report *report);

#endif
