/*
 * The control socket: server and client over a real UNIX socket, and lines that no good client
 * sends. The server's loop runs on a thread of its own.
 */
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/testing.h"
#include "common/net/control_client.h"
#include "common/net/control_server.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 10000

struct fixture {
    char folder[64];
    char path[80];
    struct setpay_loop *loop;
    struct setpay_control_server *server;
    pthread_t thread;
    struct setpay_control_call *held[128];
    int held_count;
    _Atomic int drained;
};

static void on_echo(struct setpay_control_call *call, const json_t *args, void *arg)
{
    (void)arg;
    setpay_control_reply(call, json_deep_copy(args));
}

static void on_steps(struct setpay_control_call *call, const json_t *args, void *arg)
{
    (void)arg;
    (void)args;
    for (int i = 1; i <= 3; i++)
        setpay_control_progress(call, json_pack("{s:i}", "step", i));
    setpay_control_reply(call, NULL);
}

static void on_secret(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_problem problem;
    struct setpay_secret secret = {0};
    enum setpay_error error = setpay_json_arg_secret(args, "passphrase", true, &secret, &problem);

    (void)arg;
    if (error == SETPAY_OK)
        setpay_control_reply(call, json_pack("{s:i}", "size", (int)secret.size));
    else
        setpay_control_fail(call, error, problem.text);
    setpay_secret_clear(&secret);
}

static void on_refuse(struct setpay_control_call *call, const json_t *args, void *arg)
{
    (void)args;
    (void)arg;
    setpay_control_fail(call, SETPAY_E_PI_MISMATCH, "other words");
}

/* Answered by release, in the opposite order. */
static void on_hold(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct fixture *f = arg;

    (void)args;
    f->held[f->held_count++] = call;
}

static void release_held(struct fixture *f)
{
    while (f->held_count > 0) {
        struct setpay_control_call *call = f->held[--f->held_count];

        setpay_control_reply(call, json_pack("{s:i}", "left", f->held_count));
    }
}

static void on_release(struct setpay_control_call *call, const json_t *args, void *arg)
{
    (void)args;
    release_held(arg);
    setpay_control_reply(call, NULL);
}

static void add_status(void *arg, json_t *status)
{
    (void)arg;
    json_object_set_new(status, "payments", json_integer(3));
}

static const struct setpay_control_command commands[] = {
    {"echo", on_echo, "gives the arguments back"},
    {"steps", on_steps, "three steps"},
    {"secret", on_secret, "takes a passphrase"},
    {"refuse", on_refuse, "refuses"},
    {"hold", on_hold, "waits for release"},
    {"release", on_release, "answers hold"},
    {NULL, NULL, NULL},
};

static struct setpay_control_options options_of(struct fixture *f, bool testing, bool lock_held)
{
    return (struct setpay_control_options){.loop = f->loop,
                                           .path = f->path,
                                           .daemon = "setpay-testd",
                                           .commands = commands,
                                           .arg = f,
                                           .lock_held = lock_held,
                                           .testing = testing,
                                           .status_cb = add_status};
}

static void *run_loop(void *arg)
{
    return setpay_loop_run(arg) == SETPAY_OK ? NULL : arg;
}

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    strcpy(f->folder, "/tmp/setpay-control-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof(f->path), "%s/socket", f->folder);
    assert_int_equal(setpay_loop_new(0, &f->loop), SETPAY_OK);
    return f;
}

static int setup_with(void **state, bool testing)
{
    struct fixture *f = fixture_new();
    struct setpay_control_options options = options_of(f, testing, true);
    struct setpay_problem problem;

    assert_int_equal(setpay_control_server_new(&options, &f->server, &problem), SETPAY_OK);
    assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f->loop), 0);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, false);
}

static int setup_testing(void **state)
{
    return setup_with(state, true);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct stat found;

    setpay_loop_stop(f->loop);
    pthread_join(f->thread, NULL);
    setpay_control_server_free(f->server);
    release_held(f); /* into nothing */
    setpay_loop_free(f->loop);
    assert_int_not_equal(lstat(f->path, &found), 0);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static struct setpay_control_client *client_of(struct fixture *f)
{
    struct setpay_control_client *client = NULL;
    struct setpay_problem problem;

    assert_int_equal(setpay_control_client_open(f->path, "setpay-testd", NULL, &client, &problem),
                     SETPAY_OK);
    return client;
}

/* Sends raw bytes and reads count lines. */
static void raw(struct fixture *f, const char *text, size_t size, int count, char *out,
                size_t out_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t used = 0;

    assert_true(strlen(f->path) < sizeof(address.sun_path));
    memcpy(address.sun_path, f->path, strlen(f->path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    while (size > 0) {
        ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);

        if (sent <= 0)
            break; /* refused before its end */
        text += sent;
        size -= (size_t)sent;
    }
    while (count > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};

        assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        if (recv(fd, out + used, 1, 0) <= 0)
            break;
        count -= out[used++] == '\n';
        assert_true(used < out_size);
    }
    out[used] = '\0';
    close(fd);
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in: %s", part, text);
}

static void count_steps(void *arg, const json_t *progress)
{
    *(int *)arg = *(int *)arg * 10 + (int)json_integer_value(json_object_get(progress, "step"));
}

static void commands_are_answered(void **state)
{
    struct setpay_control_client *client = client_of(*state);
    struct setpay_problem problem;
    json_t *result = NULL;
    int steps = 0;

    assert_int_equal(setpay_control_client_call(client, "echo", json_pack("{s:s}", "a", "b\nc"),
                                                WAIT_MS, NULL, NULL, &result, &problem),
                     SETPAY_OK);
    assert_string_equal(json_string_value(json_object_get(result, "a")), "b\nc");
    json_decref(result);
    assert_int_equal(setpay_control_client_call(client, "steps", NULL, WAIT_MS, count_steps, &steps,
                                                &result, &problem),
                     SETPAY_OK);
    assert_int_equal(steps, 123);
    assert_int_equal(json_object_size(result), 0);
    json_decref(result);
    assert_int_equal(setpay_control_client_call(client, "secret",
                                                json_pack("{s:s}", "passphrase", "open"), WAIT_MS,
                                                NULL, NULL, &result, &problem),
                     SETPAY_OK);
    assert_int_equal(json_integer_value(json_object_get(result, "size")), 4);
    json_decref(result);
    setpay_control_client_close(client);
}

static void errors_come_back_by_name_with_their_words(void **state)
{
    struct setpay_control_client *client = client_of(*state);
    struct setpay_problem problem;
    json_t *result = NULL;
    char line[512];

    assert_int_equal(
        setpay_control_client_call(client, "refuse", NULL, WAIT_MS, NULL, NULL, &result, &problem),
        SETPAY_E_PI_MISMATCH);
    assert_string_equal(problem.text, "other words");
    assert_int_equal(setpay_control_client_call(client, "nonsense", NULL, WAIT_MS, NULL, NULL,
                                                &result, &problem),
                     SETPAY_E_USAGE);
    assert_int_equal(
        setpay_control_client_call(client, "secret", NULL, WAIT_MS, NULL, NULL, &result, &problem),
        SETPAY_E_USAGE);
    assert_has(problem.text, "passphrase");
    setpay_control_client_close(client);
    raw(*state, "{\"id\":7,\"command\":\"refuse\"}\n", 28, 1, line, sizeof(line));
    assert_string_equal(line, "{\"id\":7,\"ok\":false,\"error\":{\"name\":\"PI_MISMATCH\","
                              "\"rule\":\"G4\",\"text\":\"other words\",\"exit\":5}}\n");
}

static void the_socket_is_for_its_owner_alone(void **state)
{
    struct fixture *f = *state;
    struct stat found;

    assert_int_equal(lstat(f->path, &found), 0);
    assert_true(S_ISSOCK(found.st_mode));
    assert_int_equal(found.st_mode & 07777, 0600);
}

static void garbage_is_answered_and_quoted_nowhere(void **state)
{
    static const char *const lines[] = {
        "hello 4111111111111111\n",
        "{\"id\":1,\"command\":\"echo\",\"args\":{\"a\":\"4111111111111111\",\"a\":2}}\n",
        "{\"id\":1,\"id\":2,\"command\":\"4111111111111111\"}\n",
        "[\"4111111111111111\"]\n",
        "{\"id\":1,\"command\":\"echo\"} 4111111111111111\n",
        "{\"id\":1,\"command\":\"4111111111111111\\u0000\"}\n",
        "\xff\xfe 4111111111111111\n",
        "\n",
    };
    char answer[512];

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        raw(*state, lines[i], strlen(lines[i]), 1, answer, sizeof(answer));
        assert_has(answer, "{\"id\":null,\"ok\":false,\"error\":{\"name\":\"MALFORMED\"");
        assert_null(strstr(answer, "4111"));
    }
    raw(*state, lines[1], strlen(lines[1]), 1, answer, sizeof(answer));
    assert_has(answer, "a key is given twice");
}

static void wrong_members_are_refused(void **state)
{
    static const char *const lines[] = {
        "{\"command\":\"echo\"}\n",
        "{\"id\":1.5,\"command\":\"echo\"}\n",
        "{\"id\":1}\n",
        "{\"id\":1,\"command\":\"echo\",\"args\":[]}\n",
        "{\"id\":1,\"command\":\"echo\",\"extra\":1}\n",
        "{\"id\":1,\"command\":\"log.level\",\"args\":{\"level\":\"loud\"}}\n",
        "{\"id\":1,\"command\":\"log.level\",\"args\":{\"level\":\"info\",\"x\":1}}\n",
    };
    char answer[512];

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        raw(*state, lines[i], strlen(lines[i]), 1, answer, sizeof(answer));
        assert_has(answer, "\"ok\":false,\"error\":{\"name\":\"USAGE\"");
    }
}

static void lines_that_are_too_long_are_refused(void **state)
{
    size_t size = SETPAY_LIMIT_CONTROL_LINE_BYTES + 100000;
    char *line = malloc(size);
    char answer[512];

    assert_non_null(line);
    memset(line, 'x', size);
    raw(*state, line, size, 2, answer, sizeof(answer)); /* one line, then the end */
    assert_has(answer, "\"name\":\"TOO_BIG\"");
    free(line);
}

/* Three at once on one connection; the answers come in another order than the questions. */
static void requests_may_overlap(void **state)
{
    static const char lines[] = "{\"id\":1,\"command\":\"hold\"}\n{\"id\":2,\"command\":\"hold\"}\n"
                                "{\"id\":\"three\",\"command\":\"release\"}\n";
    char answer[1024];

    raw(*state, lines, sizeof(lines) - 1, 3, answer, sizeof(answer));
    assert_string_equal(answer, "{\"id\":2,\"ok\":true,\"result\":{\"left\":1}}\n"
                                "{\"id\":1,\"ok\":true,\"result\":{\"left\":0}}\n"
                                "{\"id\":\"three\",\"ok\":true,\"result\":{}}\n");
}

static void too_many_at_once_are_busy(void **state)
{
    char lines[8192], answer[16384];
    size_t used = 0;

    for (int i = 0; i <= SETPAY_CONTROL_CALLS_MAX; i++)
        used += (size_t)snprintf(lines + used, sizeof(lines) - used,
                                 "{\"id\":%d,\"command\":\"hold\"}\n", i);
    raw(*state, lines, used, 1, answer, sizeof(answer));
    assert_has(answer, "\"id\":64,\"ok\":false,\"error\":{\"name\":\"BUSY\"");
    /* Their client has gone; teardown still ends them. */
}

static void waiting_has_an_end(void **state)
{
    struct setpay_control_client *client = client_of(*state);
    struct setpay_problem problem;
    json_t *result = NULL;

    assert_int_equal(
        setpay_control_client_call(client, "hold", NULL, 50, NULL, NULL, &result, &problem),
        SETPAY_E_TIMEOUT);
    setpay_control_client_close(client);
}

static void status_says_who_and_how(void **state)
{
    struct setpay_control_client *client = client_of(*state);
    struct setpay_problem problem;
    json_t *result = NULL;

    assert_int_equal(
        setpay_control_client_call(client, "status", NULL, WAIT_MS, NULL, NULL, &result, &problem),
        SETPAY_OK);
    assert_string_equal(json_string_value(json_object_get(result, "daemon")), "setpay-testd");
    assert_int_equal(json_integer_value(json_object_get(result, "pid")), getpid());
    assert_int_equal(json_integer_value(json_object_get(result, "payments")), 3);
    assert_true(json_is_false(json_object_get(result, "testing")));
    json_decref(result);
    assert_int_equal(
        setpay_control_client_call(client, "help", NULL, WAIT_MS, NULL, NULL, &result, &problem),
        SETPAY_OK);
    assert_non_null(json_object_get(json_object_get(result, "commands"), "hold"));
    assert_non_null(json_object_get(json_object_get(result, "commands"), "log.level"));
    json_decref(result);
    setpay_control_client_close(client);
}

static void testing_commands_need_testing(void **state)
{
    struct setpay_control_client *client = client_of(*state);
    struct setpay_problem problem;
    json_t *result = NULL;

    assert_int_equal(setpay_control_client_call(client, "testing.clock",
                                                json_pack("{s:i}", "offset_ms", 5000), WAIT_MS,
                                                NULL, NULL, &result, &problem),
                     SETPAY_E_PERMISSION);
    assert_int_equal(setpay_clock_offset_ms(), 0);
    assert_int_equal(setpay_control_client_call(client, "testing.crash",
                                                json_pack("{s:s}", "point", "net.send"), WAIT_MS,
                                                NULL, NULL, &result, &problem),
                     SETPAY_E_PERMISSION);
    assert_int_equal(setpay_control_client_call(client, "testing.points", NULL, WAIT_MS, NULL, NULL,
                                                &result, &problem),
                     SETPAY_E_PERMISSION);
    assert_int_equal(setpay_control_client_call(client, "testing.hold",
                                                json_pack("{s:s}", "point", "net.send"), WAIT_MS,
                                                NULL, NULL, &result, &problem),
                     SETPAY_E_PERMISSION);
    setpay_control_client_close(client);
}

static void points_are_counted_under_test(void **state)
{
    struct setpay_control_client *client = client_of(*state);
    struct setpay_problem problem;
    json_t *result = NULL;

    setpay_testing_enable();
    setpay_testing_point("test.point");
    for (int expected = 1; expected >= 0; expected--) {
        assert_int_equal(setpay_control_client_call(client, "testing.points",
                                                    json_pack("{s:b}", "reset", 1), WAIT_MS, NULL,
                                                    NULL, &result, &problem),
                         SETPAY_OK);
        const json_t *points = json_object_get(result, "points");
        assert_int_equal(json_integer_value(json_object_get(points, "test.point")), expected);
        json_decref(result);
    }
    assert_int_equal(setpay_control_client_call(client, "testing.points",
                                                json_pack("{s:s}", "point", "test.point"), WAIT_MS,
                                                NULL, NULL, &result, &problem),
                     SETPAY_E_USAGE);
    setpay_control_client_close(client);
}

static void the_clock_moves_under_test(void **state)
{
    struct setpay_control_client *client = client_of(*state);
    struct setpay_problem problem;
    json_t *result = NULL;

    assert_int_equal(setpay_control_client_call(client, "testing.clock",
                                                json_pack("{s:i}", "offset_ms", 5000), WAIT_MS,
                                                NULL, NULL, &result, &problem),
                     SETPAY_OK);
    json_decref(result);
    assert_int_equal(setpay_clock_offset_ms(), 5000);
    setpay_clock_set_offset_ms(0);
    assert_int_equal(setpay_control_client_call(client, "testing.clock",
                                                json_pack("{s:s}", "offset_ms", "soon"), WAIT_MS,
                                                NULL, NULL, &result, &problem),
                     SETPAY_E_USAGE);
    setpay_control_client_close(client);
}

static void on_drained(void *arg)
{
    atomic_fetch_add(&((struct fixture *)arg)->drained, 1);
}

static void drain(void *arg)
{
    struct fixture *f = arg;

    setpay_control_server_drain(f->server, on_drained, f);
}

static void draining_takes_nothing_new(void **state)
{
    struct fixture *f = *state;
    struct setpay_control_client *client = client_of(f);
    struct setpay_problem problem;
    json_t *result = NULL;

    assert_int_equal(setpay_loop_post(f->loop, drain, f), SETPAY_OK);
    for (int i = 0; atomic_load(&f->drained) == 0 && i < WAIT_MS; i++)
        poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&f->drained), 1);
    assert_int_equal(
        setpay_control_client_call(client, "echo", NULL, WAIT_MS, NULL, NULL, &result, &problem),
        SETPAY_E_DRAINING);
    setpay_control_client_close(client);
}

static void nobody_there_is_said_in_words(void **state)
{
    struct setpay_control_client *client = NULL;
    struct setpay_problem problem;

    (void)state;
    assert_int_equal(setpay_control_client_open("/nonexistent/socket", "setpay-walletd",
                                                "setpay-walletd --config F", &client, &problem),
                     SETPAY_E_UNREACHABLE);
    assert_string_equal(problem.text,
                        "setpay-walletd is not running: nobody answers at /nonexistent/socket; "
                        "start it with: setpay-walletd --config F");
}

/* Leaves a socket's file on which nobody answers. */
static void make_stale(struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(strlen(f->path) < sizeof(address.sun_path));
    memcpy(address.sun_path, f->path, strlen(f->path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

static void a_stale_socket_is_replaced_only_under_the_lock(void **state)
{
    struct fixture *f = fixture_new();
    struct setpay_control_options options = options_of(f, false, false);
    struct setpay_control_server *second = NULL;
    struct setpay_problem problem;

    make_stale(f);
    assert_int_equal(setpay_control_server_new(&options, &f->server, &problem), SETPAY_E_RUNNING);
    options.lock_held = true;
    assert_int_equal(setpay_control_server_new(&options, &f->server, &problem), SETPAY_OK);
    /* Somebody answers there now: not even the lock permits it. */
    assert_int_equal(setpay_control_server_new(&options, &second, &problem), SETPAY_E_RUNNING);
    setpay_control_server_free(f->server);
    f->server = NULL;
    /* Something that is no socket is left alone. */
    close(creat(f->path, 0600));
    assert_int_equal(setpay_control_server_new(&options, &f->server, &problem), SETPAY_E_CONFIG);
    assert_int_equal(unlink(f->path), 0);
    *state = f;
    assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f->loop), 0);
    teardown(state);
}

/* A reason, say, which is shown on terminals. */
static void words_are_on_one_line(void **state)
{
    static const char *const wrong[] = {"",        "12345678", "a\nb",    "a\tb",
                                        "\x1b[2J", "a\x7f",    "\xc2\x9b"};
    static const char *const right[] = {"1", "1234567", "two w.", "\xc3\xa9\xc2\xa0"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong + sizeof right / sizeof *right; i++) {
        struct setpay_problem problem = {{0}};
        bool is_right = i >= sizeof wrong / sizeof *wrong;
        const char *text = is_right ? right[i - sizeof wrong / sizeof *wrong] : wrong[i];
        const char *value = NULL;
        json_t *args = json_pack("{s:s}", "reason", text);
        assert_int_equal(setpay_json_arg_words(args, "reason", 8, &value, &problem),
                         is_right ? SETPAY_OK : SETPAY_E_USAGE);
        if (is_right)
            assert_string_equal(value, text);
        else
            assert_non_null(strstr(problem.text, "reason: expected words, of 1 to 7 bytes"));
        json_decref(args);
    }
}

int main(void)
{
#define ON_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON_SERVER(commands_are_answered),
        ON_SERVER(errors_come_back_by_name_with_their_words),
        ON_SERVER(the_socket_is_for_its_owner_alone),
        ON_SERVER(garbage_is_answered_and_quoted_nowhere),
        ON_SERVER(wrong_members_are_refused),
        ON_SERVER(lines_that_are_too_long_are_refused),
        ON_SERVER(requests_may_overlap),
        ON_SERVER(too_many_at_once_are_busy),
        ON_SERVER(waiting_has_an_end),
        ON_SERVER(status_says_who_and_how),
        ON_SERVER(testing_commands_need_testing),
        cmocka_unit_test_setup_teardown(the_clock_moves_under_test, setup_testing, teardown),
        cmocka_unit_test_setup_teardown(points_are_counted_under_test, setup_testing, teardown),
        ON_SERVER(draining_takes_nothing_new),
        cmocka_unit_test(words_are_on_one_line),
        cmocka_unit_test(nobody_there_is_said_in_words),
        cmocka_unit_test(a_stale_socket_is_replaced_only_under_the_lock),
    };

    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
