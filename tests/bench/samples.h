/*
 * Where the daemons' processors are found by samples, taken by perf(1): of a load of its own, since
 * it slows what it looks at. perf is no part of what `make bench` needs: where the machine has
 * none, or it may not look, that is said, and nothing else is.
 */
#ifndef SETPAY_BENCH_SAMPLES_H
#define SETPAY_BENCH_SAMPLES_H

#include "tests/bench/market.h"
#include "tests/bench/report.h"

/* Runs the load under perf. Into the report's "samples" goes an object for each daemon: the shares
 * of libraries, of the kernel and of the program, and of the functions that are found most. */
void bench_samples_take(struct bench_report *report, struct bench_market *market,
                        const struct bench_load *load);
/* What was found, or why there is nothing; no line where no load was sampled. */
void bench_samples_print(const struct bench_report *report);

#endif
