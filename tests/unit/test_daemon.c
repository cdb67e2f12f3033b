/*
 * The skeleton of a daemon: order, signals, notification, reload, drain, and what is refused.
 * Daemons run in forked children, which tell what happens through a pipe, one letter an event.
 */
#include "common/net/daemon.h"
#include "common/net/notify.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    int events[2]; /* a pipe */
    bool drains;
    bool fails_in_worker;
    int hanging[2]; /* a pipe on which worker 0 hangs; 0: it does not */
    struct setpay_daemon_spec spec;
};

static void tell(const struct scene *scene, char event)
{
    if (write(scene->events[1], &event, 1) != 1)
        _exit(99);
}

static enum setpay_error on_start(void *context, struct setpay_daemon *daemon,
                                  struct setpay_problem *problem)
{
    (void)daemon, (void)problem;
    tell(context, 's');
    return SETPAY_OK;
}

static enum setpay_error on_ready(void *context, struct setpay_daemon *daemon,
                                  struct setpay_problem *problem)
{
    (void)problem;
    /* Each worker has a listener of its own, the main thread the one that is its alone. */
    bool is_right = setpay_daemon_worker_count(daemon) == 2 &&
                    setpay_daemon_take_listener(daemon, "admin") >= 0 &&
                    setpay_daemon_take_listener(daemon, "admin") == -1 &&
                    setpay_daemon_take_listener(daemon, "frames") == -1 &&
                    setpay_daemon_take_listener(daemon, "unknown") == -1 &&
                    setpay_address_port(setpay_daemon_address(daemon, "frames")) != 0 &&
                    !setpay_daemon_is_draining(daemon);
    tell(context, is_right ? 'r' : '!');
    return SETPAY_OK;
}

static enum setpay_error on_reload(void *context, struct setpay_daemon *daemon,
                                   struct setpay_problem *problem)
{
    (void)daemon;
    tell(context, 'h');
    return setpay_problem_set(problem, SETPAY_E_CONFIG, "goes on with what it had");
}

static void on_stop(void *context, struct setpay_daemon *daemon)
{
    (void)daemon;
    tell(context, 'e');
}

/* A callback that does what none may: it waits. */
static void hang(void *arg)
{
    const struct scene *scene = arg;
    char byte;
    if (read(scene->hanging[0], &byte, 1) != 1)
        tell(scene, '!');
}

static enum setpay_error worker_init(void *context, struct setpay_worker *worker,
                                     struct setpay_problem *problem)
{
    const struct scene *scene = context;
    if (scene->fails_in_worker && worker->index == 1)
        return setpay_problem_set(problem, SETPAY_E_CONFIG, "this worker can't");
    if (scene->spec.listener_count > 0 && setpay_worker_take_listener(worker, "frames") < 0)
        return SETPAY_E_INTERNAL;
    tell(scene, 'w');
    if (scene->hanging[0] != 0 && worker->index == 0)
        return setpay_loop_post(worker->loop, hang, context);
    return SETPAY_OK;
}

static void worker_drain(void *context, struct setpay_worker *worker)
{
    const struct scene *scene = context;
    tell(scene, 'd');
    if (!setpay_loop_is_current(worker->loop) || !setpay_daemon_is_draining(worker->daemon))
        tell(scene, '!');
    if (scene->drains)
        setpay_worker_drained(worker);
}

static void worker_free(void *context, struct setpay_worker *worker)
{
    (void)worker;
    tell(context, 'f');
}

static const struct setpay_daemon_listener listeners[] = {
    {.name = "frames", .address = "127.0.0.1:0"},
    {.name = "admin", .address = "[::1]:0", .main_only = true},
};

static void scene_init(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    assert_int_equal(pipe2(scene->events, O_CLOEXEC), 0);
    scene->drains = true;
    scene->spec = (struct setpay_daemon_spec){
        .name = "test-daemon",
        .workers = 2,
        .log_path = "/dev/null",
        .log_level = SETPAY_LOG_ERROR,
        .context = scene,
        .on_start_cb = on_start,
        .on_ready_cb = on_ready,
        .on_reload_cb = on_reload,
        .on_stop_cb = on_stop,
        .worker_init_cb = worker_init,
        .worker_drain_cb = worker_drain,
        .worker_free_cb = worker_free,
        .listeners = listeners,
        .listener_count = 2,
    };
}

/* Runs the daemon in a child, whose exit status says how it ended. */
static pid_t start(struct scene *scene)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct setpay_problem problem;
        enum setpay_error error = setpay_daemon_run(&scene->spec, &problem);
        _exit(error == SETPAY_OK                                                      ? 0
              : error == SETPAY_E_TIMEOUT                                             ? 2
              : error == SETPAY_E_CONFIG && strstr(problem.text, "this worker can't") ? 3
              : error == SETPAY_E_CONFIG                                              ? 4
              : error == SETPAY_E_RUNNING                                             ? 5
                                                                                      : 6);
    }
    close(scene->events[1]);
    return pid;
}

static char hear(const struct scene *scene)
{
    char event = 0;
    if (read(scene->events[0], &event, 1) != 1)
        event = '.';
    return event;
}

static void expect(const struct scene *scene, const char *events)
{
    char heard[32] = {0};
    for (size_t i = 0; events[i] != '\0'; i++)
        heard[i] = hear(scene);
    assert_string_equal(heard, events);
}

static int status_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int notify_socket(char *path, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(path, size, "/tmp/setpay-notify-%ld", (long)getpid());
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unlink(path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    return fd;
}

static void expect_notice(int fd, const char *begin)
{
    char text[128] = {0};
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    assert_memory_equal(text, begin, strlen(begin));
}

/* Start, reload, drain and end come in their order, and the service manager hears of them. */
static void life_is_in_order(void **state)
{
    (void)state;
    struct scene scene;
    char path[64], pid_path[64], text[32] = {0};
    int notices = notify_socket(path, sizeof path);
    snprintf(pid_path, sizeof pid_path, "/tmp/setpay-pid-%ld", (long)getpid());
    scene_init(&scene);
    scene.spec.pid_path = pid_path;
    pid_t pid = start(&scene);
    expect(&scene, "swwr");
    expect_notice(notices, "READY=1");
    FILE *file = fopen(pid_path, "re");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_int_equal(strtol(text, NULL, 10), pid);
    kill(pid, SIGPIPE); /* ignored */
    kill(pid, SIGHUP);
    expect(&scene, "h");
    expect_notice(notices, "RELOADING=1\nMONOTONIC_USEC=");
    expect_notice(notices, "READY=1"); /* though the reload failed */
    kill(pid, SIGTERM);
    expect_notice(notices, "STOPPING=1");
    expect(&scene, "ddffe.");
    assert_int_equal(status_of(pid), 0);
    assert_int_equal(access(pid_path, F_OK), -1);
    close(scene.events[0]);
    close(notices);
    unlink(path);
    unsetenv("NOTIFY_SOCKET");
}

/* Signs of life come while every loop turns, none while one hangs, and again when it goes on. */
static void watchdog_needs_every_loop(void **state)
{
    (void)state;
    struct scene scene;
    char path[64], text[64];
    const struct timeval sign = {.tv_sec = 20}, none = {.tv_usec = 300000};
    int notices = notify_socket(path, sizeof path);
    assert_int_equal(setenv("WATCHDOG_USEC", "80000", 1), 0); /* a sign every 20 ms */
    scene_init(&scene);
    assert_int_equal(pipe2(scene.hanging, O_CLOEXEC), 0);
    pid_t pid = start(&scene);
    expect(&scene, "swwr");
    expect_notice(notices, "READY=1\nSTATUS=serving");
    expect_notice(notices, "WATCHDOG=1"); /* nobody has been asked yet */
    setsockopt(notices, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
    assert_int_equal(recv(notices, text, sizeof text, 0), -1);
    assert_int_equal(write(scene.hanging[1], "", 1), 1);
    setsockopt(notices, SOL_SOCKET, SO_RCVTIMEO, &sign, sizeof sign);
    expect_notice(notices, "WATCHDOG=1");
    expect_notice(notices, "WATCHDOG=1");
    kill(pid, SIGTERM);
    expect(&scene, "ddffe.");
    assert_int_equal(status_of(pid), 0);

    /* What is meant for another process, or is no number, asks for nothing. */
    assert_int_equal(setpay_notify_watchdog_us(), 80000);
    assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
    assert_int_equal(setpay_notify_watchdog_us(), 0);
    unsetenv("WATCHDOG_PID");
    static const char *const numbers[] = {"", "-1", "1s", " 1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_int_equal(setenv("WATCHDOG_USEC", numbers[i], 1), 0);
        assert_int_equal(setpay_notify_watchdog_us(), 0);
    }
    unsetenv("WATCHDOG_USEC");
    unsetenv("NOTIFY_SOCKET");
    close(scene.events[0]);
    close(notices);
    unlink(path);
}

/* A drain that never ends is cut short by its deadline, or by a second signal. */
static void drain_has_a_deadline(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct scene scene;
        scene_init(&scene);
        scene.drains = false;
        scene.spec.drain_timeout_ms = i == 0 ? 50 : 600000;
        pid_t pid = start(&scene);
        expect(&scene, "swwr");
        kill(pid, SIGINT);
        expect(&scene, "dd");
        if (i == 1)
            kill(pid, SIGTERM);
        expect(&scene, "ffe.");
        assert_int_equal(status_of(pid), 2);
        close(scene.events[0]);
    }
}

/* A worker that can't start ends the daemon, with its words, and what was started is stopped. */
static void failed_worker_ends_the_start(void **state)
{
    (void)state;
    struct scene scene;
    scene_init(&scene);
    scene.fails_in_worker = true;
    pid_t pid = start(&scene);
    expect(&scene, "s");
    /* The failed worker may be freed before the other one is made. */
    int made = 0, freed = 0;
    for (int i = 0; i < 3; i++) {
        char event = hear(&scene);
        made += event == 'w';
        freed += event == 'f';
    }
    assert_int_equal(made, 1);
    assert_int_equal(freed, 2);
    expect(&scene, "e.");
    assert_int_equal(status_of(pid), 3);
    close(scene.events[0]);
}

/* testing = yes needs loopback; one lock, one daemon; nothing is started before that is known. */
static void refusals_come_before_the_start(void **state)
{
    (void)state;
    struct scene scene, second;
    static const struct setpay_daemon_listener open_to_all = {.name = "frames",
                                                              .address = "0.0.0.0:0"};
    scene_init(&scene);
    scene.spec.testing = true;
    scene.spec.listeners = &open_to_all;
    scene.spec.listener_count = 1;
    pid_t pid = start(&scene);
    expect(&scene, ".");
    assert_int_equal(status_of(pid), 4);
    close(scene.events[0]);

    struct setpay_address addresses[2];
    struct setpay_problem problem = {""};
    assert_int_equal(setpay_address_parse("127.0.0.1:1", &addresses[0], NULL), SETPAY_OK);
    assert_int_equal(setpay_address_parse("192.0.2.1:1", &addresses[1], NULL), SETPAY_OK);
    assert_int_equal(setpay_daemon_check_testing(addresses, 1, &problem), SETPAY_OK);
    assert_int_equal(setpay_daemon_check_testing(addresses, 2, &problem), SETPAY_E_CONFIG);
    assert_non_null(strstr(problem.text, "192.0.2.1:1"));

    char lock[64];
    snprintf(lock, sizeof lock, "/tmp/setpay-lock-%ld", (long)getpid());
    scene_init(&scene);
    scene.spec.lock_path = lock;
    pid = start(&scene);
    expect(&scene, "swwr");
    scene_init(&second);
    second.spec.lock_path = lock;
    pid_t other = start(&second);
    expect(&second, ".");
    assert_int_equal(status_of(other), 5);
    close(second.events[0]);
    kill(pid, SIGTERM);
    expect(&scene, "ddffe.");
    assert_int_equal(status_of(pid), 0);
    close(scene.events[0]);
    unlink(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_is_in_order),
        cmocka_unit_test(watchdog_needs_every_loop),
        cmocka_unit_test(drain_has_a_deadline),
        cmocka_unit_test(failed_worker_ends_the_start),
        cmocka_unit_test(refusals_come_before_the_start),
    };
    test_alarm(60);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
