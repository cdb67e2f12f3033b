/*
 * Each daemon alone under load, with nothing around it but who has to be there: merchantd and
 * gatewayd as they stand in the market, issuersim, setpay-cad and setpay-walletd.
 */
#ifndef SETPAY_BENCH_PARTS_H
#define SETPAY_BENCH_PARTS_H

#include "tests/bench/market.h"
#include "tests/bench/report.h"

#define BENCH_ROW_GATEWAY_CPU "gatewayd: CPU of an authorisation"

/* What the public-key operations of one purchase cost, by the floors of this run. */
struct bench_floors {
    double sign_us, verify_us, seal_us, open_us, parse_us;
};
void bench_floors_read(const struct bench_report *report, struct bench_floors *floors);

/* Repetitions of one load. */
#define BENCH_REPEATS_MAX 8
struct bench_repeats {
    double each_us[BENCH_REPEATS_MAX]; /* wall, for one of them */
    double cpu_us[BENCH_REPEATS_MAX];  /* CPU of the daemon, for one of them */
    unsigned count;
};
/* "NAME" as a rate, "NAME: CPU of WHAT" as a time. */
void bench_report_repeats(struct bench_report *report, const char *rate, const char *cpu,
                          struct bench_repeats *repeats, double floor_us, const char *floor);

void bench_merchant_alone(struct bench_report *report, struct bench_market *market);
void bench_gateway_alone(struct bench_report *report, struct bench_market *market);
void bench_issuer_alone(struct bench_report *report, struct bench_market *market);
void bench_wallet_alone(struct bench_report *report, struct bench_market *market);
/* Pages and orders of a catalogue, beside nginx, whose files go into a folder below dir. */
void bench_shop_alone(struct bench_report *report, struct bench_market *market, const char *dir);
/* An authority of its own in a folder below dir. */
void bench_authority_alone(struct bench_report *report, const char *dir);

#endif
