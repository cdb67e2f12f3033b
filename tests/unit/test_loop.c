/*
 * Loops, timers, addresses and listeners.
 */
#include "common/net/listen.h"
#include "common/net/loop.h"

#include "common/base/clock.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A test that hangs is killed by the alarm of main. */

struct tally {
    struct setpay_loop *loop;
    int next; /* the job that must come next */
    int wrong;
    int stop_at;
};

struct numbered {
    struct tally *tally;
    int number;
};

static void count_job(void *arg)
{
    struct numbered *job = arg;
    struct tally *tally = job->tally;
    if (job->number != tally->next || !setpay_loop_is_current(tally->loop))
        tally->wrong++;
    tally->next++;
    if (tally->next == tally->stop_at)
        setpay_loop_stop(tally->loop);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void *run_thread(void *arg)
{
    assert_int_equal(setpay_loop_run(arg), SETPAY_OK);
    return NULL;
}

/* Jobs of another thread run in order, on the loop's thread, once each. */
static void jobs_run_in_order(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static struct numbered jobs[COUNT];
    struct tally tally = {.stop_at = COUNT};
    assert_int_equal(setpay_loop_new(256, &tally.loop), SETPAY_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_thread, tally.loop), 0);
    for (int i = 0; i < COUNT; i++) {
        jobs[i] = (struct numbered){&tally, i};
        enum setpay_error error;
        while ((error = setpay_loop_post(tally.loop, count_job, &jobs[i])) == SETPAY_E_BUSY)
            sched_yield();
        assert_int_equal(error, SETPAY_OK);
    }
    pthread_join(thread, NULL);
    assert_int_equal(tally.next, COUNT);
    assert_int_equal(tally.wrong, 0);
    setpay_loop_free(tally.loop);
}

/* The mailbox never holds more than its places, reserved ones included. */
static void mailbox_is_bounded(void **state)
{
    (void)state;
    struct tally tally = {.stop_at = -1};
    struct numbered jobs[4];
    for (int i = 0; i < 4; i++)
        jobs[i] = (struct numbered){&tally, i};
    assert_int_equal(setpay_loop_new(3, &tally.loop), SETPAY_OK);
    struct setpay_executor executor = setpay_loop_executor(tally.loop);
    assert_int_equal(executor.reserve(executor.self), SETPAY_OK);
    assert_int_equal(executor.reserve(executor.self), SETPAY_OK);
    assert_int_equal(executor.post(executor.self, count_job, &jobs[0]), SETPAY_OK);
    assert_int_equal(executor.post(executor.self, count_job, &jobs[1]), SETPAY_E_BUSY);
    assert_int_equal(executor.reserve(executor.self), SETPAY_E_BUSY);
    executor.post_reserved(executor.self, count_job, &jobs[1]);
    assert_int_equal(executor.post(executor.self, count_job, &jobs[2]), SETPAY_E_BUSY);
    executor.release(executor.self);
    assert_int_equal(executor.post(executor.self, count_job, &jobs[2]), SETPAY_OK);
    setpay_loop_free(tally.loop); /* runs what waits */
    assert_int_equal(tally.next, 3);
    assert_int_equal(tally.wrong, 0);

    struct setpay_loop *loop = NULL;
    assert_int_equal(setpay_loop_new((size_t)1 << 20, &loop), SETPAY_E_TOO_BIG);
    assert_null(loop);
}

static void *post_reserved_late(void *arg)
{
    struct numbered *job = arg;
    /* The loop has been stopped: new jobs are refused, the reserved one is not. */
    while (setpay_loop_post(job->tally->loop, nothing, NULL) != SETPAY_E_DRAINING)
        sched_yield();
    setpay_loop_post_reserved(job->tally->loop, count_job, job);
    return NULL;
}

/* A stopped loop waits for completions that have a place, and takes nothing else. */
static void stop_loses_no_completion(void **state)
{
    (void)state;
    struct tally tally = {.stop_at = -1};
    struct numbered job = {&tally, 0};
    assert_int_equal(setpay_loop_new(0, &tally.loop), SETPAY_OK);
    assert_int_equal(setpay_loop_reserve(tally.loop), SETPAY_OK);
    setpay_loop_stop(tally.loop);
    assert_int_equal(setpay_loop_reserve(tally.loop), SETPAY_E_DRAINING);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_reserved_late, &job), 0);
    assert_int_equal(setpay_loop_run(tally.loop), SETPAY_OK);
    assert_int_equal(tally.next, 1);
    pthread_join(thread, NULL);
    setpay_loop_free(tally.loop);
}

/* Making a loop protects the process from SIGPIPE. */
static void sigpipe_is_ignored(void **state)
{
    (void)state;
    struct sigaction action;
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_IGN);
}

struct ticks {
    struct setpay_loop *loop;
    struct setpay_timer *timer;
    int count;
    int until;
    int64_t at_ms;
};

static void on_tick(void *arg)
{
    struct ticks *ticks = arg;
    ticks->at_ms = setpay_clock_monotonic_ms();
    if (++ticks->count == ticks->until) {
        setpay_timer_free(ticks->timer); /* from within its own callback */
        ticks->timer = NULL;
        setpay_loop_stop(ticks->loop);
    }
}

/* Timers come once or again and again, not before their time, and not when stopped. */
static void timers_come_in_time(void **state)
{
    (void)state;
    struct ticks once = {.until = 1}, again = {.until = 5}, never = {.until = 1};
    assert_int_equal(setpay_loop_new(0, &once.loop), SETPAY_OK);
    again.loop = never.loop = once.loop;
    assert_int_equal(setpay_timer_new(once.loop, on_tick, &never, &never.timer), SETPAY_OK);
    assert_int_equal(setpay_timer_new(once.loop, on_tick, &again, &again.timer), SETPAY_OK);
    setpay_timer_start(never.timer, 1);
    assert_true(setpay_timer_is_started(never.timer));
    setpay_timer_stop(never.timer);
    assert_false(setpay_timer_is_started(never.timer));
    int64_t begin_ms = setpay_clock_monotonic_ms();
    setpay_timer_start_periodic(again.timer, 10);
    assert_int_equal(setpay_loop_run(once.loop), SETPAY_OK);
    assert_int_equal(again.count, 5);
    assert_true(again.at_ms - begin_ms >= 45); /* libevent's clock is cut to whole ms */
    assert_int_equal(never.count, 0);
    setpay_timer_free(never.timer);
    setpay_loop_free(once.loop);

    assert_int_equal(setpay_loop_new(0, &once.loop), SETPAY_OK);
    assert_int_equal(setpay_timer_new(once.loop, on_tick, &once, &once.timer), SETPAY_OK);
    begin_ms = setpay_clock_monotonic_ms();
    setpay_timer_start_at(once.timer, begin_ms + 20);
    assert_int_equal(setpay_loop_run(once.loop), SETPAY_OK);
    assert_int_equal(once.count, 1);
    assert_true(once.at_ms - begin_ms >= 18);
    setpay_loop_free(once.loop);
}

/* HOST:PORT and [v6]:PORT are read; anything else is refused with words. */
static void addresses_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *back; /* NULL: refused */
        bool is_loopback;
    } rows[] = {
        {"127.0.0.1:80", "127.0.0.1:80", true},
        {"127.9.9.9:65535", "127.9.9.9:65535", true},
        {"192.0.2.1:443", "192.0.2.1:443", false},
        {"0.0.0.0:0", "0.0.0.0:0", false},
        {"[::1]:7", "[::1]:7", true},
        {"[::ffff:127.0.0.1]:7", "[::ffff:127.0.0.1]:7", true},
        {"[2001:db8::1]:7", "[2001:db8::1]:7", false},
        {"127.0.0.1", NULL, false},
        {"127.0.0.1:", NULL, false},
        {":80", NULL, false},
        {"127.0.0.1:65536", NULL, false},
        {"127.0.0.1:123456", NULL, false},
        {"127.0.0.1:80x", NULL, false},
        {"127.0.0.1:-1", NULL, false},
        {"::1:80", NULL, false},
        {"[::1]", NULL, false},
        {"[::1]80", NULL, false},
        {"", NULL, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setpay_address address;
        struct setpay_problem problem = {""};
        char text[SETPAY_ADDRESS_TEXT_SIZE];
        enum setpay_error error = setpay_address_parse(rows[i].text, &address, &problem);
        if (rows[i].back == NULL) {
            assert_int_equal(error, SETPAY_E_CONFIG);
            assert_non_null(strstr(problem.text, rows[i].text));
            continue;
        }
        assert_int_equal(error, SETPAY_OK);
        assert_string_equal(setpay_address_format(&address, text), rows[i].back);
        assert_int_equal(setpay_address_is_loopback(&address), rows[i].is_loopback);
    }
    struct setpay_address local;
    assert_int_equal(setpay_address_parse("localhost:5", &local, NULL), SETPAY_OK);
    assert_true(setpay_address_is_loopback(&local));
    assert_int_equal(setpay_address_port(&local), 5);
}

/* Listeners share the port that the kernel chose; a second set on it is refused. */
static void listeners_share_one_port(void **state)
{
    (void)state;
    struct setpay_address address;
    struct setpay_listeners listeners = {.count = 0}, second = {.count = 0};
    struct setpay_problem problem = {""};
    assert_int_equal(setpay_address_parse("127.0.0.1:0", &address, NULL), SETPAY_OK);
    assert_int_equal(setpay_listeners_open(&address, 0, &listeners, &problem), SETPAY_E_INVALID);
    assert_int_equal(setpay_listeners_open(&address, 4, &listeners, &problem), SETPAY_OK);
    assert_int_equal(listeners.count, 4);
    assert_int_not_equal(setpay_address_port(&listeners.address), 0);
    for (size_t i = 0; i < 4; i++) {
        struct sockaddr_in bound = {.sin_port = 0};
        socklen_t size = sizeof bound;
        assert_int_equal(getsockname(listeners.fds[i], (struct sockaddr *)&bound, &size), 0);
        assert_int_equal(ntohs(bound.sin_port), setpay_address_port(&listeners.address));
        int no_delay = 0;
        size = sizeof no_delay;
        assert_int_equal(getsockopt(listeners.fds[i], IPPROTO_TCP, TCP_NODELAY, &no_delay, &size),
                         0);
        assert_int_equal(no_delay, 1);
    }
    assert_int_equal(setpay_listeners_open(&listeners.address, 4, &second, &problem),
                     SETPAY_E_CONFIG);
    assert_non_null(strstr(problem.text, "in use"));
    assert_int_equal(second.count, 0);

    int taken = setpay_listeners_take(&listeners, 2);
    assert_true(taken >= 0);
    assert_int_equal(setpay_listeners_take(&listeners, 2), -1);
    assert_int_equal(setpay_listeners_take(&listeners, 4), -1);
    setpay_listeners_close(&listeners);
    assert_int_equal(close(taken), 0); /* it was ours */
    setpay_listeners_close(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_in_order),        cmocka_unit_test(mailbox_is_bounded),
        cmocka_unit_test(stop_loses_no_completion), cmocka_unit_test(sigpipe_is_ignored),
        cmocka_unit_test(timers_come_in_time),      cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(listeners_share_one_port),
    };
    test_alarm(60);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
