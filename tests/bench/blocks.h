/*
 * What setpay itself is made of, beside the floor that each stands on.
 */
#ifndef SETPAY_BENCH_BLOCKS_H
#define SETPAY_BENCH_BLOCKS_H

#include "tests/bench/market.h"
#include "tests/bench/report.h"

#define BENCH_ROW_NEW_LEAF "chain, a cardholder not seen before"

/* Uses the market's keys and certificates. */
void bench_blocks(struct bench_report *report, struct bench_market *market);

#endif
