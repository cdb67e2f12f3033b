/*
 * Whole purchases through all real daemons, with few and many shoppers at once, by cardholders who
 * have been there before and by others.
 */
#ifndef SETPAY_BENCH_PURCHASES_H
#define SETPAY_BENCH_PURCHASES_H

#include "tests/bench/market.h"
#include "tests/bench/report.h"

/* The memory of connections first, while the daemons are fresh. */
void bench_connections(struct bench_report *report, struct bench_market *market);
void bench_purchases(struct bench_report *report, struct bench_market *market);
/* Where the daemons' CPU goes, of what bench_purchases has found; then the issuer's books. Ends the
 * program where a purchase was not authorised exactly once. */
void bench_where(struct bench_report *report, const struct bench_market *market);
void bench_audit(struct bench_report *report, struct bench_market *market);

#endif
