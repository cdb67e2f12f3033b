/*
 * An executor for tests: one thread, a mailbox of a given size, and a brake.
 */
#ifndef SETPAY_TESTS_EXECUTOR_H
#define SETPAY_TESTS_EXECUTOR_H

#include "common/base/executor.h"

#include <stdbool.h>
#include <stddef.h>

struct test_executor;

struct test_executor *test_executor_new(size_t mailbox_max);
/* Runs what is in the mailbox, then ends the thread. */
void test_executor_free(struct test_executor *test);
struct setpay_executor *test_executor_of(struct test_executor *test);
/* While held, jobs are taken and none is run. Returns once no job runs. */
void test_executor_hold(struct test_executor *test, bool held);
/* Runs job on the executor's thread and waits for it. */
void test_executor_call(struct test_executor *test, setpay_job_fn *job, void *arg);

#endif
