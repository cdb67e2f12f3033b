/*
 * The clocks: wall time, which a test may move, monotonic time, which nothing moves, and another
 * party's, as it was heard.
 *
 * Always true: the wall clock here is the system's plus one offset that is 0 outside tests. The
 * kernel does not fail these clock_gettime calls for clocks that every Linux has.
 */
#include "common/base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define NEVER_HEARD INT64_MIN
/* Less than that is how long an answer was on its way, and how far apart clocks are that are right.
 */
#define DOUBT_MS (10 * SETPAY_SECOND_MS)

static _Atomic int64_t test_offset_ms;
static _Atomic int64_t second_since_boot_ms = NEVER_HEARD;
static atomic_bool second_needed;
static atomic_bool second_doubted;

static int64_t read_clock_us(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

setpay_time_ms setpay_clock_now_ms(void)
{
    return read_clock_us(CLOCK_REALTIME) / 1000 + atomic_load(&test_offset_ms);
}

int64_t setpay_clock_monotonic_ms(void)
{
    return read_clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t setpay_clock_boot_ms(void)
{
    return read_clock_us(CLOCK_BOOTTIME) / 1000;
}

int64_t setpay_clock_monotonic_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

void setpay_clock_set_offset_ms(int64_t offset_ms)
{
    atomic_store(&test_offset_ms, offset_ms);
}

int64_t setpay_clock_offset_ms(void)
{
    return atomic_load(&test_offset_ms);
}

void setpay_clock_need_second(bool needed)
{
    atomic_store(&second_since_boot_ms, NEVER_HEARD);
    atomic_store(&second_needed, needed);
}

void setpay_clock_hear_ms(setpay_time_ms theirs_ms)
{
    atomic_store(&second_since_boot_ms, theirs_ms - setpay_clock_boot_ms());
    atomic_store(&second_doubted, false);
}

setpay_time_ms setpay_clock_agreed_ms(setpay_time_ms now_ms)
{
    int64_t since_boot_ms = atomic_load(&second_since_boot_ms);
    setpay_time_ms second_ms =
        since_boot_ms == NEVER_HEARD ? 0 : setpay_clock_boot_ms() + since_boot_ms;

    if (!atomic_load(&second_needed) || now_ms <= second_ms)
        return now_ms;
    if (since_boot_ms != NEVER_HEARD && now_ms - second_ms >= DOUBT_MS)
        atomic_store(&second_doubted, true);
    return second_ms;
}

bool setpay_clock_take_doubt(void)
{
    return atomic_exchange(&second_doubted, false);
}

const char *setpay_time_format(setpay_time_ms time_ms, char *out)
{
    time_t seconds = (time_t)(time_ms / 1000);
    int rest_ms = (int)(time_ms % 1000);
    struct tm utc = {0};

    /* Rounded down, so that times before 1970 come out right too. */
    if (rest_ms < 0) {
        rest_ms += 1000;
        seconds--;
    }
    /* int64 milliseconds reach years of nine digits; the moduli only tell the compiler so. */
    (void)gmtime_r(&seconds, &utc);
    (void)snprintf(out, SETPAY_TIME_TEXT_SIZE, "%04d-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (utc.tm_year + 1900) % 1000000000, ((unsigned)utc.tm_mon + 1) % 100,
                   (unsigned)utc.tm_mday % 100, (unsigned)utc.tm_hour % 100,
                   (unsigned)utc.tm_min % 100, (unsigned)utc.tm_sec % 100,
                   (unsigned)rest_ms % 1000);
    return out;
}
