/*
 * What is not as it should be ends the benchmark: a figure of something that does not work is worth
 * nothing.
 */
#ifndef SETPAY_BENCH_FAIL_H
#define SETPAY_BENCH_FAIL_H

#include "common/base/error.h"

#include <stdio.h>
#include <stdlib.h>

#define BENCH_FAIL(...)                                                                            \
    do {                                                                                           \
        (void)fflush(stdout);                                                                      \
        (void)fprintf(stderr, "setpay-bench: %s:%d: ", __FILE__, __LINE__);                        \
        (void)fprintf(stderr, __VA_ARGS__);                                                        \
        (void)fputc('\n', stderr);                                                                 \
        exit(1);                                                                                   \
    } while (0)

#define BENCH_NEED(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            BENCH_FAIL("failed: %s", #condition);                                                  \
    } while (0)

#define BENCH_OK(expression)                                                                       \
    do {                                                                                           \
        enum setpay_error failed = (expression);                                                   \
        if (failed != SETPAY_OK)                                                                   \
            BENCH_FAIL("%s: %s", #expression, setpay_error_name(failed));                          \
    } while (0)

#endif
