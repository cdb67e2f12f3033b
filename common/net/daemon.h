/*
 * The skeleton of every daemon: what happens in which order, threads, signals, reload, drain.
 *
 * Start: (the caller has parsed its configuration) log, secret memory, the check of testing = yes,
 * lock, listeners, privileges, on_start_cb (store, keys), workers, on_ready_cb (administration),
 * then READY is told (common/net/notify.h). Stop: every worker is told to drain and says when it is
 * done; loops end; workers are freed; on_stop_cb closes the store; the lock goes last.
 *
 * The main thread owns signals, configuration and administration and has a loop of its own; it
 * never serves requests of other parties. SIGTERM and SIGINT drain (a second one no longer waits),
 * SIGHUP reloads and opens the log again, SIGPIPE is ignored.
 */
#ifndef SETPAY_NET_DAEMON_H
#define SETPAY_NET_DAEMON_H

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/net/listen.h"
#include "common/net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setpay_daemon;

/* One worker thread. Its fields are set before worker_init. */
struct setpay_worker {
    struct setpay_daemon *daemon;
    struct setpay_loop *loop;
    unsigned index; /* 0 .. workers - 1 */
    void *user;     /* worker_init's own */
};

struct setpay_daemon_listener {
    const char *name;    /* "frames", "http": for log lines and look-up */
    const char *address; /* HOST:PORT */
    bool main_only;      /* one listener for the main loop (administration), not one per worker */
};

#define SETPAY_DAEMON_LISTENERS_MAX 8

struct setpay_daemon_spec {
    const char *name;     /* "setpay-gatewayd" */
    unsigned workers;     /* 0: as many as there are cores */
    bool testing;         /* testing = yes: refused unless every listener is on loopback */
    const char *log_path; /* NULL: standard error */
    enum setpay_log_level log_level;
    enum setpay_log_format log_format;
    const char *lock_path; /* flock'ed for the process's life; NULL: none */
    const char *pid_path;  /* written when ready, removed at the end; NULL: none */
    const char *run_as;    /* user to become once listeners are open; NULL: nobody else */
    const struct setpay_daemon_listener *listeners;
    size_t listener_count;
    int64_t drain_timeout_ms; /* 0: 10 s */

    void *context; /* given to every callback */
    /* Any may be NULL. On the main thread, in this order: */
    enum setpay_error (*on_start_cb)(void *context, struct setpay_daemon *daemon,
                                     struct setpay_problem *problem);
    enum setpay_error (*on_ready_cb)(void *context, struct setpay_daemon *daemon,
                                     struct setpay_problem *problem);
    /* SIGHUP, or setpay_daemon_reload: an error is logged, and the daemon goes on with what it had.
     */
    enum setpay_error (*on_reload_cb)(void *context, struct setpay_daemon *daemon,
                                      struct setpay_problem *problem);
    /* Draining starts: stop the administration's listeners or answer "draining" there. */
    void (*on_drain_cb)(void *context, struct setpay_daemon *daemon);
    /* After all workers have ended; the main loop still exists. Also called when the start failed
     * after on_start_cb had been called. */
    void (*on_stop_cb)(void *context, struct setpay_daemon *daemon);

    /* On the worker's thread. init runs before the loop does; an error ends the daemon. */
    enum setpay_error (*worker_init_cb)(void *context, struct setpay_worker *worker,
                                        struct setpay_problem *problem);
    /* Must lead to one setpay_worker_drained, now or later. NULL: drained at once. */
    void (*worker_drain_cb)(void *context, struct setpay_worker *worker);
    /* After the loop has ended; for each worker whose init was called (user may be NULL). */
    void (*worker_free_cb)(void *context, struct setpay_worker *worker);
};

/* Runs the daemon on the calling thread until it has stopped. SETPAY_OK after an orderly stop,
 * SETPAY_E_TIMEOUT where the drain's deadline cut it short; else why it could not start, with words
 * in problem. */
enum setpay_error setpay_daemon_run(const struct setpay_daemon_spec *spec,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Any thread: as SIGTERM and SIGHUP would. */
void setpay_daemon_stop(struct setpay_daemon *daemon);
void setpay_daemon_reload(struct setpay_daemon *daemon);
/* The worker that is told to drain has nothing under way any more. Any thread, once per worker. */
void setpay_worker_drained(struct setpay_worker *worker);

/* Main thread. */
struct setpay_loop *setpay_daemon_loop(struct setpay_daemon *daemon);
unsigned setpay_daemon_worker_count(const struct setpay_daemon *daemon);
/* The index-th worker, for posting to its loop. From on_ready_cb until on_stop_cb. */
struct setpay_worker *setpay_daemon_worker(struct setpay_daemon *daemon, unsigned index);
bool setpay_daemon_is_draining(const struct setpay_daemon *daemon); /* any thread */

/* Hands over a listener: the worker's own, or for main_only listeners the main thread's. The caller
 * closes it. -1 where there is none by that name, or it is taken. */
int setpay_worker_take_listener(struct setpay_worker *worker, const char *name);
int setpay_daemon_take_listener(struct setpay_daemon *daemon, const char *name);
/* Where a listener is bound (port 0 resolved); NULL where there is none by that name. */
const struct setpay_address *setpay_daemon_address(const struct setpay_daemon *daemon,
                                                   const char *name);

/* testing = yes is for loopback alone: SETPAY_E_CONFIG, naming the first address that is not. */
enum setpay_error setpay_daemon_check_testing(const struct setpay_address *addresses, size_t count,
                                              struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
