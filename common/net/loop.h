/*
 * One thread, one libevent base and one bounded mailbox (eventfd): how a worker runs, and how other
 * threads hand it jobs. A loop implements struct setpay_executor; nothing that is posted ever
 * waits.
 *
 * Everything here but post, reserve, release, stop and is_current belongs to the loop's own thread
 * (before run and after run has returned: to the thread that holds the loop).
 */
#ifndef SETPAY_NET_LOOP_H
#define SETPAY_NET_LOOP_H

#include "common/base/error.h"
#include "common/base/executor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct setpay_loop;
struct setpay_timer;

/* mailbox_jobs: places of the mailbox, 1 .. SETPAY_LIMIT_MAILBOX_JOBS; 0 stands for the limit.
 * Sets libevent's threads up once per process and ignores SIGPIPE. SETPAY_E_NOMEM, SETPAY_E_IO. */
enum setpay_error setpay_loop_new(size_t mailbox_jobs, struct setpay_loop **loop) SETPAY_MUST_CHECK;
/* NULL-safe. The loop must not be running; jobs that are still waiting are run first, so that no
 * completion is lost. Timers and events made on it must be gone. */
void setpay_loop_free(struct setpay_loop *loop);

/* Runs on the calling thread until stopped. SETPAY_E_INTERNAL where libevent fails. */
enum setpay_error setpay_loop_run(struct setpay_loop *loop) SETPAY_MUST_CHECK;
/* Any thread, and from a signal's event. The mailbox takes no new jobs (SETPAY_E_DRAINING); run
 * returns once no job waits and no place is reserved, so that every completion has run. */
void setpay_loop_stop(struct setpay_loop *loop);
/* True on the thread that runs the loop. */
bool setpay_loop_is_current(const struct setpay_loop *loop);

/* For libevent users (bufferevents, evhttp, evconnlistener). */
struct event_base *setpay_loop_base(struct setpay_loop *loop);
/* The loop's mailbox; self is the loop. The copy is valid as long as the loop. */
struct setpay_executor setpay_loop_executor(struct setpay_loop *loop);

/* Any thread: runs job(arg) on the loop, in the order of posting. SETPAY_E_BUSY when full,
 * SETPAY_E_DRAINING after stop; the job has then not been taken. */
enum setpay_error setpay_loop_post(struct setpay_loop *loop, setpay_job_fn *job,
                                   void *arg) SETPAY_MUST_CHECK;
/* Any thread: takes one place of the mailbox, so that post_reserved can't fail. SETPAY_E_BUSY,
 * SETPAY_E_DRAINING. */
enum setpay_error setpay_loop_reserve(struct setpay_loop *loop) SETPAY_MUST_CHECK;
void setpay_loop_post_reserved(struct setpay_loop *loop, setpay_job_fn *job, void *arg);
void setpay_loop_release(struct setpay_loop *loop);

/*
 * Timers, on the monotonic clock. A timer is made stopped. Starting one that runs sets it anew.
 */
typedef void setpay_timer_cb(void *arg);

/* SETPAY_E_NOMEM. */
enum setpay_error setpay_timer_new(struct setpay_loop *loop, setpay_timer_cb *on_time_cb, void *arg,
                                   struct setpay_timer **timer) SETPAY_MUST_CHECK;
/* NULL-safe; also from within its own callback. */
void setpay_timer_free(struct setpay_timer *timer);
/* Once, delay_ms from now (0: in the next turn; below 0 counts as 0). */
void setpay_timer_start(struct setpay_timer *timer, int64_t delay_ms);
/* Once, at that time of setpay_clock_monotonic_ms (a past one: in the next turn). */
void setpay_timer_start_at(struct setpay_timer *timer, int64_t monotonic_ms);
/* Again and again, the first time after period_ms (at least 1). */
void setpay_timer_start_periodic(struct setpay_timer *timer, int64_t period_ms);
void setpay_timer_stop(struct setpay_timer *timer);
bool setpay_timer_is_started(const struct setpay_timer *timer);

#endif
