/*
 * Connections that are made and then only held, and what the daemon behind them grows by.
 */
#ifndef SETPAY_BENCH_HELD_H
#define SETPAY_BENCH_HELD_H

#include "tests/bench/report.h"

#include <openssl/ssl.h>
#include <sys/types.h>

/* Reports as name, in KiB, what the process grows by for each of them. */
void bench_held_tls(struct bench_report *report, const char *name, pid_t pid, const char *address,
                    const char *sni, SSL_CTX *client);
/* The same for a local socket, over which one call is made and answered. */
void bench_held_local(struct bench_report *report, const char *name, pid_t pid, const char *path);

#endif
