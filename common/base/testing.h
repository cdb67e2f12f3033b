/*
 * Crash points: places where a test may have the process kill itself (SIGKILL, so that nothing is
 * flushed, closed or said any more). Off unless a program that runs with testing = yes turns them
 * on; then one is armed by the administration command testing.crash or by the environment.
 *
 * Points of the store: store.write (each operation, before its writes), store.commit (before
 * COMMIT), store.committed (after it, before anybody hears of it).
 */
#ifndef SETPAY_BASE_TESTING_H
#define SETPAY_BASE_TESTING_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Allows arming. Only for a program whose listeners are all on loopback (testing = yes). */
void setpay_testing_enable(void);
bool setpay_testing_is_enabled(void);

/* The process dies when it passes point for the count-th time from now (1: the next time). Replaces
 * what was armed before; count 0 disarms. SETPAY_E_PERMISSION unless enabled, SETPAY_E_INVALID for
 * an empty name or one of 64 bytes or more. Any thread. */
enum setpay_error setpay_testing_arm(const char *point, uint64_t count) SETPAY_MUST_CHECK;
/* Arms what SETPAY_CRASH=point:count says; an unset variable arms nothing. The same errors. */
enum setpay_error setpay_testing_arm_from_environment(void) SETPAY_MUST_CHECK;

/* Marks a place. Costs one relaxed load when nothing is armed. Any thread. */
void setpay_testing_point(const char *name);

#endif
