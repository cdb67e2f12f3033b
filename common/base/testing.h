/*
 * Crash points: places where a test may have the process kill itself (SIGKILL, so that nothing is
 * flushed, closed or said any more). Off unless a program that runs with testing = yes turns them
 * on; then one is armed by the administration command testing.crash or by the environment.
 *
 * Passes are counted from enabling on, so that a test learns which points there are and how often
 * each is passed, and none has to be written down a second time.
 *
 * A thread may also be held at a point, so that a test sees what others do meanwhile.
 *
 * Points of the store: store.write (each operation, before its writes), store.commit (before
 * COMMIT), store.committed (after it, before anybody hears of it).
 */
#ifndef SETPAY_BASE_TESTING_H
#define SETPAY_BASE_TESTING_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Allows arming. Only for a program whose listeners are all on loopback (testing = yes). */
void setpay_testing_enable(void);
bool setpay_testing_is_enabled(void);

/* The process dies when it passes point for the count-th time from now (1: the next time). Replaces
 * what was armed before; count 0 disarms. SETPAY_E_PERMISSION unless enabled, SETPAY_E_INVALID for
 * an empty name or one of 64 bytes or more. Any thread. */
enum setpay_error setpay_testing_arm(const char *point, uint64_t count) SETPAY_MUST_CHECK;
/* Arms what SETPAY_CRASH=point:count says, and moves the clock by SETPAY_CLOCK milliseconds, so
 * that a daemon which died can start again at the time of its test; unset variables do nothing. The
 * same errors; SETPAY_E_INVALID also for a SETPAY_CLOCK that is no number. */
enum setpay_error setpay_testing_arm_from_environment(void) SETPAY_MUST_CHECK;

/* Whoever passes point from now on stays there until setpay_testing_hold is called with another
 * name or "" (nobody is held). SETPAY_E_PERMISSION, SETPAY_E_INVALID. Any thread that is not held.
 */
enum setpay_error setpay_testing_hold(const char *point) SETPAY_MUST_CHECK;

/* Marks a place. Costs one relaxed load unless enabled. Any thread. */
void setpay_testing_point(const char *name);

/* How often each point was passed since enabling, or since the last call with reset; in the order
 * in which they were first passed, also those that a reset has put back to 0. At most size of them
 * are written; returns how many. Any thread. */
struct setpay_testing_passes {
    const char *point; /* as given to setpay_testing_point */
    uint64_t count;
};
#define SETPAY_TESTING_POINTS_MAX 64
size_t setpay_testing_passes(struct setpay_testing_passes *passes, size_t size, bool reset);

#endif
