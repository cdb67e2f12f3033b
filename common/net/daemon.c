/*
 * The skeleton of a daemon.
 *
 * What always holds: signals reach the main thread alone (workers block them all); a worker's loop
 * is made before its thread and freed after it, so that posting to it is possible for as long as
 * anybody runs; the store (on_stop_cb) outlives the workers, since their last completions come from
 * it. Each worker has one place reserved in the main mailbox, by which it says "drained"; whoever
 * claims the place first (the worker, or the deadline) uses it up.
 */
#include "common/net/daemon.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/secret.h"
#include "common/base/testing.h"
#include "common/net/notify.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DRAIN_TIMEOUT_MS (10 * SETPAY_SECOND_MS)
/* A loop that was stopped waits for its completions only; one that takes longer hangs. */
#define JOIN_TIMEOUT_S 10

struct worker_thread {
    struct setpay_worker worker; /* first: setpay_worker_drained casts back */
    pthread_t thread;
    bool is_running;
    atomic_bool has_reported; /* its place in the main mailbox is used up */
    enum setpay_error error;  /* of init; set under the daemon's mutex */
    struct setpay_problem problem;
};

struct setpay_daemon {
    const struct setpay_daemon_spec *spec;
    unsigned worker_count;
    struct worker_thread *threads;
    struct setpay_loop *loop;
    struct setpay_listeners listeners[SETPAY_DAEMON_LISTENERS_MAX];
    struct event *signals[3];
    struct setpay_timer *deadline;
    struct setpay_watchdog *watchdog;
    int lock_fd;
    bool has_started; /* on_start_cb was called */
    bool has_pid_file;
    atomic_bool is_draining;
    bool is_cut_short;
    unsigned drained_count;

    pthread_mutex_t mutex; /* guards what follows, and the workers' error */
    pthread_cond_t changed;
    unsigned initialised_count;
};

/* ------------------------------------------------------------------------------------- stopping */

static void on_worker_drained(void *arg)
{
    struct setpay_daemon *daemon = arg;
    if (++daemon->drained_count == daemon->worker_count)
        setpay_loop_stop(daemon->loop);
}

void setpay_worker_drained(struct setpay_worker *worker)
{
    struct worker_thread *thread = (struct worker_thread *)worker;
    if (!atomic_exchange(&thread->has_reported, true))
        setpay_loop_post_reserved(worker->daemon->loop, on_worker_drained, worker->daemon);
}

/* On the worker's thread. */
static void drain_worker(void *arg)
{
    struct setpay_worker *worker = arg;
    const struct setpay_daemon_spec *spec = worker->daemon->spec;
    if (spec->worker_drain_cb != NULL)
        spec->worker_drain_cb(spec->context, worker);
    else
        setpay_worker_drained(worker);
}

/* The deadline, or a second signal: who has not reported is not waited for. */
static void on_deadline(void *arg)
{
    struct setpay_daemon *daemon = arg;
    daemon->is_cut_short = true;
    setpay_log(SETPAY_LOG_WARN, "daemon.drain_cut_short",
               setpay_field_int("workers_drained", daemon->drained_count),
               setpay_field_int("workers", daemon->worker_count));
    for (unsigned i = 0; i < daemon->worker_count; i++)
        if (!atomic_exchange(&daemon->threads[i].has_reported, true))
            setpay_loop_release(daemon->loop);
    setpay_loop_stop(daemon->loop);
}

static void begin_drain(void *arg)
{
    struct setpay_daemon *daemon = arg;
    const struct setpay_daemon_spec *spec = daemon->spec;
    if (atomic_exchange(&daemon->is_draining, true)) {
        if (!daemon->is_cut_short && daemon->drained_count < daemon->worker_count)
            on_deadline(daemon);
        return;
    }
    setpay_log(SETPAY_LOG_INFO, "daemon.draining", setpay_field_text("name", spec->name));
    int64_t timeout_ms = spec->drain_timeout_ms > 0 ? spec->drain_timeout_ms : DRAIN_TIMEOUT_MS;
    /* Workers and store may take their time to end behind it. */
    char state[96];
    snprintf(state, sizeof state, "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=%lld",
             (long long)(timeout_ms + 3 * JOIN_TIMEOUT_S * SETPAY_SECOND_MS) * 1000);
    setpay_notify(state);
    setpay_timer_start(daemon->deadline, timeout_ms);
    if (spec->on_drain_cb != NULL)
        spec->on_drain_cb(spec->context, daemon);
    for (unsigned i = 0; i < daemon->worker_count; i++) {
        struct setpay_worker *worker = &daemon->threads[i].worker;
        /* A mailbox that is full now is that of a worker who can't drain either. */
        enum setpay_error error = setpay_loop_post(worker->loop, drain_worker, worker);
        if (error != SETPAY_OK)
            setpay_log_error(error, "daemon.worker_not_told", setpay_field_int("worker", i));
    }
}

static void reload(void *arg)
{
    struct setpay_daemon *daemon = arg;
    const struct setpay_daemon_spec *spec = daemon->spec;
    struct setpay_problem problem = {""};
    if (atomic_load(&daemon->is_draining))
        return;
    char state[64];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)setpay_clock_monotonic_us());
    setpay_notify(state);
    enum setpay_error error = setpay_log_reopen();
    if (error == SETPAY_OK && spec->on_reload_cb != NULL)
        error = spec->on_reload_cb(spec->context, daemon, &problem);
    if (error == SETPAY_OK)
        setpay_log(SETPAY_LOG_INFO, "daemon.reloaded", setpay_field_text("name", spec->name));
    else
        setpay_log_error(error, "daemon.reload_failed", setpay_field_text("text", problem.text));
    setpay_notify(error == SETPAY_OK
                      ? "READY=1\nSTATUS=serving"
                      : "READY=1\nSTATUS=serving; the last reload failed: see the log");
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    if (number == SIGHUP)
        reload(arg);
    else
        begin_drain(arg);
}

void setpay_daemon_stop(struct setpay_daemon *daemon)
{
    /* Refused only when the loop is stopping already. */
    if (setpay_loop_post(daemon->loop, begin_drain, daemon) == SETPAY_E_BUSY)
        setpay_loop_stop(daemon->loop);
}

void setpay_daemon_reload(struct setpay_daemon *daemon)
{
    enum setpay_error error = setpay_loop_post(daemon->loop, reload, daemon);
    if (error != SETPAY_OK)
        setpay_log_error(error, "daemon.reload_failed", setpay_field_text("text", "not queued"));
}

/* ------------------------------------------------------------------------------------- starting */

enum setpay_error setpay_daemon_check_testing(const struct setpay_address *addresses, size_t count,
                                              struct setpay_problem *problem)
{
    for (size_t i = 0; i < count; i++) {
        if (setpay_address_is_loopback(&addresses[i]))
            continue;
        char text[SETPAY_ADDRESS_TEXT_SIZE];
        return setpay_problem_set(
            problem, SETPAY_E_CONFIG,
            "testing = yes is refused while a listener is not on loopback: found %s, expected "
            "127.0.0.1 or [::1]",
            setpay_address_format(&addresses[i], text));
    }
    return SETPAY_OK;
}

static enum setpay_error take_lock(struct setpay_daemon *daemon, struct setpay_problem *problem)
{
    const char *path = daemon->spec->lock_path;
    if (path == NULL)
        return SETPAY_OK;
    daemon->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (daemon->lock_fd < 0)
        return setpay_problem_set(problem, SETPAY_E_IO, "%s: %s", path, strerror(errno));
    if (flock(daemon->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return setpay_problem_set(problem, SETPAY_E_RUNNING,
                                  "%s is held: another %s runs here already", path,
                                  daemon->spec->name);
    return SETPAY_OK;
}

static enum setpay_error open_listeners(struct setpay_daemon *daemon,
                                        struct setpay_problem *problem)
{
    const struct setpay_daemon_spec *spec = daemon->spec;
    struct setpay_address addresses[SETPAY_DAEMON_LISTENERS_MAX];
    if (spec->listener_count > SETPAY_DAEMON_LISTENERS_MAX)
        return SETPAY_E_TOO_BIG;
    for (size_t i = 0; i < spec->listener_count; i++)
        SETPAY_TRY(setpay_address_parse(spec->listeners[i].address, &addresses[i], problem));
    if (spec->testing) {
        SETPAY_TRY(setpay_daemon_check_testing(addresses, spec->listener_count, problem));
        setpay_testing_enable();
        SETPAY_TRY(setpay_testing_arm_from_environment());
    }
    SETPAY_TRY(take_lock(daemon, problem));
    for (size_t i = 0; i < spec->listener_count; i++) {
        size_t count = spec->listeners[i].main_only ? 1 : daemon->worker_count;
        SETPAY_TRY(setpay_listeners_open(&addresses[i], count, &daemon->listeners[i], problem));
        char text[SETPAY_ADDRESS_TEXT_SIZE];
        setpay_log(SETPAY_LOG_INFO, "daemon.listening",
                   setpay_field_text("listener", spec->listeners[i].name),
                   setpay_field_text("address",
                                     setpay_address_format(&daemon->listeners[i].address, text)));
    }
    return SETPAY_OK;
}

static enum setpay_error drop_privileges(const char *user, struct setpay_problem *problem)
{
    if (user == NULL)
        return SETPAY_OK;
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG, "there is no user \"%s\"", user);
    if (entry->pw_uid == geteuid())
        return SETPAY_OK;
    if (initgroups(user, entry->pw_gid) != 0 || setgid(entry->pw_gid) != 0 ||
        setuid(entry->pw_uid) != 0)
        return setpay_problem_set(problem, SETPAY_E_PERMISSION, "can't become user \"%s\": %s",
                                  user, strerror(errno));
    if (entry->pw_uid != 0 && setuid(0) == 0)
        return setpay_problem_set(problem, SETPAY_E_PERMISSION,
                                  "privileges could be taken back after becoming \"%s\"", user);
    return SETPAY_OK;
}

static enum setpay_error prepare_main(struct setpay_daemon *daemon)
{
    static const int numbers[3] = {SIGTERM, SIGINT, SIGHUP};
    SETPAY_TRY(setpay_loop_new(0, &daemon->loop)); /* ignores SIGPIPE */
    SETPAY_TRY(setpay_timer_new(daemon->loop, on_deadline, daemon, &daemon->deadline));
    for (size_t i = 0; i < 3; i++) {
        daemon->signals[i] =
            evsignal_new(setpay_loop_base(daemon->loop), numbers[i], on_signal, daemon);
        if (daemon->signals[i] == NULL || event_add(daemon->signals[i], NULL) != 0)
            return SETPAY_E_NOMEM;
    }
    return SETPAY_OK;
}

static void *worker_main(void *arg)
{
    struct worker_thread *thread = arg;
    struct setpay_worker *worker = &thread->worker;
    struct setpay_daemon *daemon = worker->daemon;
    const struct setpay_daemon_spec *spec = daemon->spec;
    char name[16];
    snprintf(name, sizeof name, "worker-%u", worker->index);
    pthread_setname_np(pthread_self(), name);
    enum setpay_error error = SETPAY_OK;
    if (spec->worker_init_cb != NULL)
        error = spec->worker_init_cb(spec->context, worker, &thread->problem);
    pthread_mutex_lock(&daemon->mutex);
    thread->error = error;
    daemon->initialised_count++;
    pthread_cond_signal(&daemon->changed);
    pthread_mutex_unlock(&daemon->mutex);

    if (error == SETPAY_OK && setpay_loop_run(worker->loop) != SETPAY_OK) {
        setpay_log_error(SETPAY_E_INTERNAL, "daemon.loop_failed",
                         setpay_field_int("worker", worker->index));
        setpay_daemon_stop(daemon);
    }
    if (spec->worker_free_cb != NULL)
        spec->worker_free_cb(spec->context, worker);
    return NULL;
}

static enum setpay_error start_thread(struct setpay_daemon *daemon, unsigned index)
{
    struct worker_thread *thread = &daemon->threads[index];
    thread->worker.daemon = daemon;
    thread->worker.index = index;
    SETPAY_TRY(setpay_loop_new(0, &thread->worker.loop));
    SETPAY_TRY(setpay_loop_reserve(daemon->loop));
    atomic_store(&thread->has_reported, false);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread->is_running = pthread_create(&thread->thread, NULL, worker_main, thread) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return thread->is_running ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* All workers have run their init when this returns. */
static enum setpay_error start_workers(struct setpay_daemon *daemon, struct setpay_problem *problem)
{
    enum setpay_error error = SETPAY_OK;
    unsigned started = 0;
    for (unsigned i = 0; i < daemon->worker_count; i++)
        atomic_init(&daemon->threads[i].has_reported, true);
    while (error == SETPAY_OK && started < daemon->worker_count) {
        error = start_thread(daemon, started);
        if (error == SETPAY_OK)
            started++;
    }
    pthread_mutex_lock(&daemon->mutex);
    while (daemon->initialised_count < started)
        pthread_cond_wait(&daemon->changed, &daemon->mutex);
    for (unsigned i = 0; error == SETPAY_OK && i < started; i++) {
        error = daemon->threads[i].error;
        if (error != SETPAY_OK)
            *problem = daemon->threads[i].problem;
    }
    pthread_mutex_unlock(&daemon->mutex);
    return error;
}

static enum setpay_error write_pid_file(struct setpay_daemon *daemon,
                                        struct setpay_problem *problem)
{
    const char *path = daemon->spec->pid_path;
    if (path == NULL)
        return SETPAY_OK;
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return setpay_problem_set(problem, SETPAY_E_CONFIG, "%s: the path is too long", path);
    FILE *file = fopen(temporary, "we");
    bool is_written = file != NULL && fprintf(file, "%ld\n", (long)getpid()) > 0;
    if (file != NULL && fclose(file) != 0)
        is_written = false;
    if (!is_written || rename(temporary, path) != 0)
        return setpay_problem_set(problem, SETPAY_E_IO, "%s: %s", path, strerror(errno));
    daemon->has_pid_file = true;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------------------------- all of it
 */

static enum setpay_error start_watchdog(struct setpay_daemon *daemon)
{
    struct setpay_loop *loops[SETPAY_LIMIT_WORKERS];
    for (unsigned i = 0; i < daemon->worker_count; i++)
        loops[i] = daemon->threads[i].worker.loop;
    return setpay_watchdog_new(daemon->loop, loops, daemon->worker_count, &daemon->watchdog);
}

static enum setpay_error start(struct setpay_daemon *daemon, struct setpay_problem *problem)
{
    const struct setpay_daemon_spec *spec = daemon->spec;
    SETPAY_TRY(setpay_log_open(spec->log_path, spec->log_level, spec->log_format));
    SETPAY_TRY(setpay_secret_system_init());
    SETPAY_TRY(open_listeners(daemon, problem));
    SETPAY_TRY(drop_privileges(spec->run_as, problem));
    SETPAY_TRY(prepare_main(daemon));
    daemon->has_started = true;
    if (spec->on_start_cb != NULL)
        SETPAY_TRY(spec->on_start_cb(spec->context, daemon, problem));
    SETPAY_TRY(start_workers(daemon, problem));
    if (spec->on_ready_cb != NULL)
        SETPAY_TRY(spec->on_ready_cb(spec->context, daemon, problem));
    SETPAY_TRY(start_watchdog(daemon));
    return write_pid_file(daemon, problem);
}

static void stop_workers(struct setpay_daemon *daemon)
{
    for (unsigned i = 0; i < daemon->worker_count; i++)
        if (daemon->threads[i].worker.loop != NULL)
            setpay_loop_stop(daemon->threads[i].worker.loop);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += JOIN_TIMEOUT_S;
    for (unsigned i = 0; i < daemon->worker_count; i++) {
        struct worker_thread *thread = &daemon->threads[i];
        if (!thread->is_running)
            continue;
        if (pthread_timedjoin_np(thread->thread, NULL, &until) != 0) {
            /* What is acknowledged is committed; the next start does the rest. */
            setpay_log_error(SETPAY_E_INTERNAL, "daemon.worker_hangs",
                             setpay_field_int("worker", i));
            _exit(EXIT_FAILURE);
        }
        thread->is_running = false;
    }
}

static void stop(struct setpay_daemon *daemon)
{
    const struct setpay_daemon_spec *spec = daemon->spec;
    stop_workers(daemon);
    if (daemon->has_started && spec->on_stop_cb != NULL)
        spec->on_stop_cb(spec->context, daemon);
    for (unsigned i = 0; i < daemon->worker_count; i++)
        setpay_loop_free(daemon->threads[i].worker.loop);
    for (size_t i = 0; i < 3; i++)
        if (daemon->signals[i] != NULL)
            event_free(daemon->signals[i]);
    setpay_timer_free(daemon->deadline);
    setpay_watchdog_free(daemon->watchdog);
    setpay_loop_free(daemon->loop);
    for (size_t i = 0; i < SETPAY_DAEMON_LISTENERS_MAX; i++)
        setpay_listeners_close(&daemon->listeners[i]);
    if (daemon->has_pid_file)
        unlink(spec->pid_path);
    if (daemon->lock_fd >= 0)
        close(daemon->lock_fd);
}

static unsigned count_workers(const struct setpay_daemon_spec *spec)
{
    long count = spec->workers != 0 ? (long)spec->workers : sysconf(_SC_NPROCESSORS_ONLN);
    if (count < 1)
        return 1;
    return count > SETPAY_LIMIT_WORKERS ? SETPAY_LIMIT_WORKERS : (unsigned)count;
}

enum setpay_error setpay_daemon_run(const struct setpay_daemon_spec *spec,
                                    struct setpay_problem *problem)
{
    struct setpay_daemon daemon = {.spec = spec, .lock_fd = -1};
    problem->text[0] = '\0';
    daemon.worker_count = count_workers(spec);
    daemon.threads = calloc(daemon.worker_count, sizeof *daemon.threads);
    if (daemon.threads == NULL)
        return SETPAY_E_NOMEM;
    pthread_mutex_init(&daemon.mutex, NULL);
    pthread_cond_init(&daemon.changed, NULL);
    enum setpay_error error = start(&daemon, problem);
    if (error == SETPAY_OK) {
        setpay_log(SETPAY_LOG_INFO, "daemon.ready", setpay_field_text("name", spec->name),
                   setpay_field_text("version", SETPAY_VERSION),
                   setpay_field_int("workers", daemon.worker_count));
        setpay_notify("READY=1\nSTATUS=serving");
        error = setpay_loop_run(daemon.loop);
    }
    stop(&daemon);
    if (error == SETPAY_OK && daemon.is_cut_short)
        error =
            setpay_problem_set(problem, SETPAY_E_TIMEOUT, "draining took longer than its deadline");
    setpay_log(SETPAY_LOG_INFO, "daemon.stopped", setpay_field_text("name", spec->name));
    pthread_cond_destroy(&daemon.changed);
    pthread_mutex_destroy(&daemon.mutex);
    free(daemon.threads);
    return error;
}

/* ------------------------------------------------------------------------------------- questions
 */

struct setpay_loop *setpay_daemon_loop(struct setpay_daemon *daemon)
{
    return daemon->loop;
}

unsigned setpay_daemon_worker_count(const struct setpay_daemon *daemon)
{
    return daemon->worker_count;
}

struct setpay_worker *setpay_daemon_worker(struct setpay_daemon *daemon, unsigned index)
{
    return &daemon->threads[index].worker;
}

bool setpay_daemon_is_draining(const struct setpay_daemon *daemon)
{
    return atomic_load(&daemon->is_draining);
}

static int find_listener(const struct setpay_daemon *daemon, const char *name)
{
    for (size_t i = 0; i < daemon->spec->listener_count; i++)
        if (strcmp(daemon->spec->listeners[i].name, name) == 0)
            return (int)i;
    return -1;
}

int setpay_worker_take_listener(struct setpay_worker *worker, const char *name)
{
    int at = find_listener(worker->daemon, name);
    if (at < 0 || worker->daemon->spec->listeners[at].main_only)
        return -1;
    /* Each worker touches its own element only. */
    return setpay_listeners_take(&worker->daemon->listeners[at], worker->index);
}

int setpay_daemon_take_listener(struct setpay_daemon *daemon, const char *name)
{
    int at = find_listener(daemon, name);
    if (at < 0 || !daemon->spec->listeners[at].main_only)
        return -1;
    return setpay_listeners_take(&daemon->listeners[at], 0);
}

const struct setpay_address *setpay_daemon_address(const struct setpay_daemon *daemon,
                                                   const char *name)
{
    int at = find_listener(daemon, name);
    return at < 0 ? NULL : &daemon->listeners[at].address;
}
