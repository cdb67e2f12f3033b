/*
 * Loops: a libevent base, a ring of jobs behind a mutex, and an eventfd that wakes the base.
 *
 * A place of the ring is free, reserved (counted, no job yet) or waiting (a job). Always:
 * waiting + reserved <= capacity, so that a reserved place can be filled without asking. A job is
 * run in the order of posting, outside the mutex, and a turn runs only the jobs that were waiting
 * when it began: jobs that post jobs can't starve sockets and timers.
 *
 * The eventfd is written once for any number of jobs (is_signalled). A loop that is stopped runs
 * until nothing waits and nothing is reserved; who reserves must therefore post or release.
 */
#include "common/net/loop.h"

#include "common/base/clock.h"
#include "common/base/limits.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define JOBS_AT_ONCE 64

struct job {
    setpay_job_fn *run;
    void *arg;
};

struct setpay_loop {
    struct event_base *base;
    struct event *wake;
    int wake_fd;

    pthread_mutex_t mutex; /* guards what follows */
    struct job *ring;
    size_t capacity;
    size_t first;
    size_t waiting;
    size_t reserved;
    bool is_signalled;
    bool is_stopping;
};

struct setpay_timer {
    struct event *event;
    setpay_timer_cb *on_time_cb;
    void *arg;
    int64_t period_ms; /* 0: once */
};

static _Thread_local const struct setpay_loop *current_loop;

static pthread_once_t process_once = PTHREAD_ONCE_INIT;
static bool process_is_ready;

static void process_init(void)
{
    /* A peer that has gone must give an error, not a signal: TLS writes would end the process. */
    signal(SIGPIPE, SIG_IGN);
    process_is_ready = evthread_use_pthreads() == 0;
}

static void wake_up(struct setpay_loop *loop)
{
    uint64_t one = 1;
    /* The counter can't overflow (one write per read), so that a short write can't happen. */
    while (write(loop->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

/* Takes up to JOBS_AT_ONCE jobs out of the ring. */
static size_t take_jobs(struct setpay_loop *loop, struct job *jobs, size_t at_most)
{
    size_t taken = 0;
    pthread_mutex_lock(&loop->mutex);
    while (taken < at_most && taken < JOBS_AT_ONCE && loop->waiting > 0) {
        jobs[taken++] = loop->ring[loop->first];
        loop->first = (loop->first + 1) % loop->capacity;
        loop->waiting--;
    }
    pthread_mutex_unlock(&loop->mutex);
    return taken;
}

static void run_jobs(struct setpay_loop *loop, size_t count)
{
    struct job jobs[JOBS_AT_ONCE];
    while (count > 0) {
        size_t taken = take_jobs(loop, jobs, count);
        if (taken == 0)
            return;
        for (size_t i = 0; i < taken; i++)
            jobs[i].run(jobs[i].arg);
        count -= taken;
    }
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct setpay_loop *loop = arg;
    (void)what;
    uint64_t count = 0;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }

    pthread_mutex_lock(&loop->mutex);
    loop->is_signalled = false;
    size_t waiting = loop->waiting;
    pthread_mutex_unlock(&loop->mutex);
    run_jobs(loop, waiting);

    pthread_mutex_lock(&loop->mutex);
    bool is_done = loop->is_stopping && loop->waiting == 0 && loop->reserved == 0;
    pthread_mutex_unlock(&loop->mutex);
    if (is_done)
        event_base_loopbreak(loop->base);
}

enum setpay_error setpay_loop_new(size_t mailbox_jobs, struct setpay_loop **loop)
{
    if (mailbox_jobs == 0)
        mailbox_jobs = SETPAY_LIMIT_MAILBOX_JOBS;
    if (mailbox_jobs > SETPAY_LIMIT_MAILBOX_JOBS)
        return SETPAY_E_TOO_BIG;
    pthread_once(&process_once, process_init);
    if (!process_is_ready)
        return SETPAY_E_INTERNAL;

    enum setpay_error error = SETPAY_E_NOMEM;
    struct setpay_loop *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->wake_fd = -1;
    pthread_mutex_init(&made->mutex, NULL);
    made->capacity = mailbox_jobs;
    made->ring = calloc(mailbox_jobs, sizeof *made->ring);
    made->base = event_base_new();
    if (made->ring == NULL || made->base == NULL)
        goto out;
    made->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->wake_fd < 0) {
        error = SETPAY_E_IO;
        goto out;
    }
    made->wake = event_new(made->base, made->wake_fd, EV_READ | EV_PERSIST, on_wake, made);
    if (made->wake == NULL || event_add(made->wake, NULL) != 0)
        goto out;
    *loop = made;
    made = NULL;
    error = SETPAY_OK;
out:
    setpay_loop_free(made);
    return error;
}

void setpay_loop_free(struct setpay_loop *loop)
{
    if (loop == NULL)
        return;
    if (loop->ring != NULL) {
        const struct setpay_loop *before = current_loop;
        current_loop = loop;
        while (loop->waiting > 0)
            run_jobs(loop, loop->waiting);
        current_loop = before;
    }
    if (loop->wake != NULL)
        event_free(loop->wake);
    if (loop->base != NULL)
        event_base_free(loop->base);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    pthread_mutex_destroy(&loop->mutex);
    free(loop->ring);
    free(loop);
}

enum setpay_error setpay_loop_run(struct setpay_loop *loop)
{
    const struct setpay_loop *before = current_loop;
    current_loop = loop;
    int result = event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
    current_loop = before;
    return result < 0 ? SETPAY_E_INTERNAL : SETPAY_OK;
}

/* Wakes the loop when it must look again. The mutex is held. */
static void signal_locked(struct setpay_loop *loop)
{
    if (!loop->is_signalled) {
        loop->is_signalled = true;
        wake_up(loop);
    }
}

void setpay_loop_stop(struct setpay_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    loop->is_stopping = true;
    signal_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
}

bool setpay_loop_is_current(const struct setpay_loop *loop)
{
    return current_loop == loop;
}

struct event_base *setpay_loop_base(struct setpay_loop *loop)
{
    return loop->base;
}

static enum setpay_error executor_post(void *self, setpay_job_fn *job, void *arg)
{
    return setpay_loop_post(self, job, arg);
}

static enum setpay_error executor_reserve(void *self)
{
    return setpay_loop_reserve(self);
}

static void executor_post_reserved(void *self, setpay_job_fn *job, void *arg)
{
    setpay_loop_post_reserved(self, job, arg);
}

static void executor_release(void *self)
{
    setpay_loop_release(self);
}

struct setpay_executor setpay_loop_executor(struct setpay_loop *loop)
{
    return (struct setpay_executor){
        .post = executor_post,
        .reserve = executor_reserve,
        .post_reserved = executor_post_reserved,
        .release = executor_release,
        .self = loop,
    };
}

static void push_locked(struct setpay_loop *loop, setpay_job_fn *job, void *arg)
{
    size_t at = (loop->first + loop->waiting) % loop->capacity;
    loop->ring[at] = (struct job){job, arg};
    loop->waiting++;
    signal_locked(loop);
}

/* May one more place be taken? The mutex is held. */
static enum setpay_error check_place_locked(const struct setpay_loop *loop)
{
    if (loop->is_stopping)
        return SETPAY_E_DRAINING;
    return loop->waiting + loop->reserved < loop->capacity ? SETPAY_OK : SETPAY_E_BUSY;
}

enum setpay_error setpay_loop_post(struct setpay_loop *loop, setpay_job_fn *job, void *arg)
{
    pthread_mutex_lock(&loop->mutex);
    enum setpay_error error = check_place_locked(loop);
    if (error == SETPAY_OK)
        push_locked(loop, job, arg);
    pthread_mutex_unlock(&loop->mutex);
    return error;
}

enum setpay_error setpay_loop_reserve(struct setpay_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    enum setpay_error error = check_place_locked(loop);
    if (error == SETPAY_OK)
        loop->reserved++;
    pthread_mutex_unlock(&loop->mutex);
    return error;
}

void setpay_loop_post_reserved(struct setpay_loop *loop, setpay_job_fn *job, void *arg)
{
    pthread_mutex_lock(&loop->mutex);
    loop->reserved--;
    push_locked(loop, job, arg);
    pthread_mutex_unlock(&loop->mutex);
}

void setpay_loop_release(struct setpay_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    loop->reserved--;
    if (loop->is_stopping)
        signal_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
}

/* ------------------------------------------------------------------------------------ timers */

static void timer_add(struct setpay_timer *timer, int64_t delay_ms)
{
    if (delay_ms < 0)
        delay_ms = 0;
    struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000),
                            .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};
    /* Adding a timer to a live base fails only without memory for its heap: our own limits keep
     * the number of timers small enough that this is the same as any other failed allocation. */
    if (event_add(timer->event, &delay) != 0)
        abort();
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    struct setpay_timer *timer = arg;
    (void)fd;
    (void)what;
    if (timer->period_ms > 0)
        timer_add(timer, timer->period_ms);
    timer->on_time_cb(timer->arg); /* may free the timer */
}

enum setpay_error setpay_timer_new(struct setpay_loop *loop, setpay_timer_cb *on_time_cb, void *arg,
                                   struct setpay_timer **timer)
{
    struct setpay_timer *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->on_time_cb = on_time_cb;
    made->arg = arg;
    made->event = event_new(loop->base, -1, 0, on_time, made);
    if (made->event == NULL) {
        free(made);
        return SETPAY_E_NOMEM;
    }
    *timer = made;
    return SETPAY_OK;
}

void setpay_timer_free(struct setpay_timer *timer)
{
    if (timer == NULL)
        return;
    event_free(timer->event);
    free(timer);
}

void setpay_timer_start(struct setpay_timer *timer, int64_t delay_ms)
{
    timer->period_ms = 0;
    timer_add(timer, delay_ms);
}

void setpay_timer_start_at(struct setpay_timer *timer, int64_t monotonic_ms)
{
    setpay_timer_start(timer, monotonic_ms - setpay_clock_monotonic_ms());
}

void setpay_timer_start_periodic(struct setpay_timer *timer, int64_t period_ms)
{
    timer->period_ms = period_ms < 1 ? 1 : period_ms;
    timer_add(timer, timer->period_ms);
}

void setpay_timer_stop(struct setpay_timer *timer)
{
    timer->period_ms = 0;
    event_del(timer->event);
}

bool setpay_timer_is_started(const struct setpay_timer *timer)
{
    return event_pending(timer->event, EV_TIMEOUT, NULL) != 0;
}
