/*
 * Crash points, and points at which a thread is held.
 *
 * What always holds: a program that never called setpay_testing_enable can't be armed, whatever its
 * environment says; and the process dies by SIGKILL, which no handler sees and which flushes no
 * buffer, so that what is found afterwards is what a power cut of the process would leave.
 *
 * enabled is the only thing that the fast path reads. What is armed and what was counted stand
 * behind a mutex, which is slow, and only in tests.
 */
#include "common/base/testing.h"

#include "common/base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POINT_SIZE 64

static atomic_bool enabled;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char armed_point[POINT_SIZE];
static uint64_t armed_count;
static char held_point[POINT_SIZE];
static pthread_cond_t let_go = PTHREAD_COND_INITIALIZER;
static struct setpay_testing_passes passed[SETPAY_TESTING_POINTS_MAX];
static size_t passed_count;

void setpay_testing_enable(void)
{
    atomic_store(&enabled, true);
}

bool setpay_testing_is_enabled(void)
{
    return atomic_load(&enabled);
}

enum setpay_error setpay_testing_arm(const char *point, uint64_t count)
{
    if (!setpay_testing_is_enabled())
        return SETPAY_E_PERMISSION;
    size_t size = strnlen(point, POINT_SIZE);
    if (size == 0 || size >= POINT_SIZE)
        return SETPAY_E_INVALID;
    pthread_mutex_lock(&mutex);
    memcpy(armed_point, point, size + 1);
    armed_count = count;
    pthread_mutex_unlock(&mutex);
    return SETPAY_OK;
}

enum setpay_error setpay_testing_hold(const char *point)
{
    if (!setpay_testing_is_enabled())
        return SETPAY_E_PERMISSION;
    size_t size = strnlen(point, POINT_SIZE);
    if (size >= POINT_SIZE)
        return SETPAY_E_INVALID;
    pthread_mutex_lock(&mutex);
    memcpy(held_point, point, size + 1);
    pthread_cond_broadcast(&let_go);
    pthread_mutex_unlock(&mutex);
    return SETPAY_OK;
}

static enum setpay_error move_clock(const char *text)
{
    char *end = NULL;
    errno = 0;
    long long offset_ms = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return SETPAY_E_INVALID;
    if (!setpay_testing_is_enabled())
        return SETPAY_E_PERMISSION;
    setpay_clock_set_offset_ms(offset_ms);
    return SETPAY_OK;
}

enum setpay_error setpay_testing_arm_from_environment(void)
{
    const char *clock = getenv("SETPAY_CLOCK");
    if (clock != NULL)
        SETPAY_TRY(move_clock(clock));
    const char *text = getenv("SETPAY_CRASH");
    if (text == NULL)
        return SETPAY_OK;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon - text >= POINT_SIZE)
        return SETPAY_E_INVALID;
    uint64_t count = 0;
    const char *digit = colon + 1;
    do {
        if (*digit < '0' || *digit > '9' || count > UINT32_MAX)
            return SETPAY_E_INVALID;
        count = count * 10 + (uint64_t)(*digit - '0');
    } while (*++digit != '\0');
    char point[POINT_SIZE] = {0};
    memcpy(point, text, (size_t)(colon - text));
    return setpay_testing_arm(point, count);
}

/* Under the mutex. A point beyond the limit ends the process: a test that walks all points must not
 * miss one. */
static void count_pass(const char *name)
{
    size_t i = 0;
    while (i < passed_count && strcmp(passed[i].point, name) != 0)
        i++;
    if (i == SETPAY_TESTING_POINTS_MAX)
        abort();
    if (i == passed_count)
        passed[passed_count++].point = name;
    passed[i].count++;
}

void setpay_testing_point(const char *name)
{
    if (!atomic_load_explicit(&enabled, memory_order_relaxed))
        return;
    pthread_mutex_lock(&mutex);
    count_pass(name);
    if (armed_count > 0 && strcmp(name, armed_point) == 0 && --armed_count == 0) {
        kill(getpid(), SIGKILL);
        /* The signal is under way: this thread must not get past the point. */
        for (;;)
            pause();
    }
    while (strcmp(name, held_point) == 0)
        pthread_cond_wait(&let_go, &mutex);
    pthread_mutex_unlock(&mutex);
}

size_t setpay_testing_passes(struct setpay_testing_passes *passes, size_t size, bool reset)
{
    pthread_mutex_lock(&mutex);
    size_t count = passed_count < size ? passed_count : size;
    memcpy(passes, passed, count * sizeof *passes);
    for (size_t i = 0; reset && i < passed_count; i++)
        passed[i].count = 0;
    pthread_mutex_unlock(&mutex);
    return count;
}
