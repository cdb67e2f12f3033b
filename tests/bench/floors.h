/*
 * What the machine and the libraries can do at all, without a line of setpay: the rows that other
 * rows are compared with.
 */
#ifndef SETPAY_BENCH_FLOORS_H
#define SETPAY_BENCH_FLOORS_H

#include "tests/bench/report.h"

#define BENCH_ROW_SIGN "P-256 sign"
#define BENCH_ROW_VERIFY "P-256 verify"
#define BENCH_ROW_SEAL "CMS seal, 300 bytes"
#define BENCH_ROW_OPEN "CMS open, 300 bytes"
#define BENCH_ROW_PARSE "certificate parsed"
#define BENCH_ROW_GROUP_50 "SQLite commits, groups of 50"
#define BENCH_ROW_ECHO "TLS 1.3 echo, 64 bytes, mutual"

/* OpenSSL alone, as `openssl speed` would call it. */
void bench_floor_crypto(struct bench_report *report);
/* One file, and one SQLite database with an insert and an update for each operation, durable. */
void bench_floor_disk(struct bench_report *report, const char *dir);
/* libevent with OpenSSL on loopback, server and client each on a thread of its own. */
void bench_floor_tls(struct bench_report *report);

#endif
