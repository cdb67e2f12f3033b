/*
 * HTTP server and client over real sockets: the server's loop runs on a thread of its own, the test
 * speaks to it by hand, so that what no good client sends can be sent.
 */
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/net/admin_http.h"
#include "common/net/http_answer.h"
#include "common/net/http_client.h"
#include "common/net/http_server.h"
#include "common/net/listen.h"
#include "common/net/tls.h"
#include "tests/support/test_pki.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 10000

struct fixture {
    struct setpay_loop *loop;
    struct setpay_http_server *server;
    uint16_t port;
    pthread_t thread;
    struct setpay_http_request *held; /* of GET /held */
    _Atomic int held_count;
    struct setpay_http_request *waiting[4]; /* of GET /wait */
    _Atomic int waiting_count;
    _Atomic int answered_gone;
    _Atomic int drained;
};

static void on_echo(struct setpay_http_request *request, void *arg)
{
    (void)arg;
    setpay_http_reply(request, 200, "application/x-protobuf", NULL,
                      setpay_http_request_body(request));
}

static void on_item(struct setpay_http_request *request, void *arg)
{
    const char *query = setpay_http_request_query(request, "q");
    char text[256];

    (void)arg;
    snprintf(text, sizeof(text), "%s %s [%s]", setpay_http_request_method(request),
             setpay_http_request_param(request, "id"), query == NULL ? "-" : query);
    setpay_http_reply(request, 200, "text/plain", NULL, setpay_view_string(text));
}

static void on_who(struct setpay_http_request *request, void *arg)
{
    const char *who = setpay_http_request_header(request, "Authorization");

    (void)arg;
    setpay_http_reply(request, 200, "text/plain", NULL,
                      setpay_view_string(who == NULL ? "nobody" : who));
}

static void on_held(struct setpay_http_request *request, void *arg)
{
    struct fixture *f = arg;

    f->held = request;
    atomic_fetch_add(&f->held_count, 1);
}

/* Several that wait at a time. */
static void on_wait(struct setpay_http_request *request, void *arg)
{
    struct fixture *f = arg;

    f->waiting[atomic_fetch_add(&f->waiting_count, 1)] = request;
}

static void reply_waiting(void *arg)
{
    struct fixture *f = arg;

    for (int i = atomic_exchange(&f->waiting_count, 0); i-- > 0;)
        setpay_http_reply(f->waiting[i], 200, "text/plain", NULL, setpay_view_string("waited"));
}

static const struct setpay_http_route routes[] = {
    {SETPAY_HTTP_GET, "/wait", on_wait},
    {SETPAY_HTTP_POST, "/echo", on_echo},
    {SETPAY_HTTP_GET, "/items/{id}", on_item},
    {SETPAY_HTTP_PATCH, "/items/{id}", on_item},
    {SETPAY_HTTP_DELETE, "/items/{id}", on_item},
    {SETPAY_HTTP_GET, "/files/{id...}", on_item},
    {SETPAY_HTTP_GET, "/who", on_who},
    {SETPAY_HTTP_POST, "/who", on_who},
    {SETPAY_HTTP_GET, "/held", on_held},
    {0, NULL, NULL},
};

static int listen_on_loopback(uint16_t *port)
{
    struct setpay_address address;
    struct setpay_listeners listeners;

    assert_int_equal(setpay_address_parse("127.0.0.1:0", &address, NULL), SETPAY_OK);
    assert_int_equal(setpay_listeners_open(&address, 1, &listeners, NULL), SETPAY_OK);
    *port = setpay_address_port(&listeners.address);
    return setpay_listeners_take(&listeners, 0);
}

static void *run_loop(void *arg)
{
    return setpay_loop_run(arg) == SETPAY_OK ? NULL : arg;
}

/* Whoever comes from 127.0.0.3 may have as many connections as there are. */
static bool is_exempt(const struct sockaddr *address, void *arg)
{
    const struct sockaddr_in *v4 = (const void *)address;

    assert_non_null(((struct fixture *)arg)->loop);
    return v4->sin_addr.s_addr == htonl(INADDR_LOOPBACK + 2);
}

static int open_server(void **state, struct setpay_http_server_options options)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(setpay_loop_new(0, &f->loop), SETPAY_OK);
    options.name = "other";
    options.loop = f->loop;
    options.routes = routes;
    options.arg = f;
    options.max_connections = 4;
    options.max_header_bytes = 2048;
    options.max_body_bytes = 4096;
    options.send_deadline_ms = 1000;
    assert_int_equal(setpay_http_server_new(&options, &f->server), SETPAY_OK);
    assert_int_equal(setpay_http_server_listen(f->server, listen_on_loopback(&f->port)), SETPAY_OK);
    assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f->loop), 0);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return open_server(state, (struct setpay_http_server_options){.request_deadline_ms = 300,
                                                                  .idle_timeout_ms = 1000});
}

/* One that is open to everybody: 4 connections, of which an address may have 2. */
static int setup_crowd(void **state)
{
    return open_server(state, (struct setpay_http_server_options){.request_deadline_ms = 30000,
                                                                  .idle_timeout_ms = 30000,
                                                                  .max_of_address = 2,
                                                                  .exempt_cb = is_exempt,
                                                                  .drops_idle = true});
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *result;

    setpay_loop_stop(f->loop);
    pthread_join(f->thread, &result);
    assert_null(result);
    setpay_http_server_free(f->server);
    if (f->held != NULL) { /* its server has gone */
        assert_true(setpay_http_request_is_gone(f->held));
        setpay_http_reply(f->held, 200, NULL, NULL, SETPAY_VIEW_EMPTY);
    }
    setpay_loop_free(f->loop);
    free(f);
    return 0;
}

/* From 127.0.0.HOST. */
static int dial_from(uint8_t host, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in own = {.sin_family = AF_INET,
                              .sin_addr = {htonl(INADDR_LOOPBACK - 1 + host)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static int dial(uint16_t port)
{
    return dial_from(1, port);
}

static void say(int fd, const char *text, size_t size)
{
    assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), (ssize_t)size);
}

#define SAY(fd, text) say((fd), (text), strlen(text))

/* Reads until the other end closes, or enough is there; the text is NUL-terminated. */
static size_t hear(int fd, char *out, size_t size, const char *until)
{
    size_t used = 0;

    while (used + 1 < size) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t got;

        assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        got = recv(fd, out + used, size - 1 - used, 0);
        if (got <= 0)
            break;
        used += (size_t)got;
        out[used] = '\0';
        if (until != NULL && strstr(out, until) != NULL)
            break;
    }
    out[used] = '\0';
    return used;
}

/* One request on a connection of its own that asks to be closed. */
static const char *ask(struct fixture *f, const char *text)
{
    static char answer[16384];
    int fd = dial(f->port);

    SAY(fd, text);
    hear(fd, answer, sizeof(answer), NULL);
    close(fd);
    return answer;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in: %s", part, text);
}

static void assert_problem(const char *answer, const char *status)
{
    char line[64];

    snprintf(line, sizeof(line), "HTTP/1.1 %s", status);
    assert_int_equal(strncmp(answer, line, strlen(line)), 0);
    assert_has(answer, "Content-Type: application/problem+json");
    assert_has(answer, "\"type\":\"about:blank\"");
    assert_null(strstr(answer, "HTML"));
}

static void wait_for(const _Atomic int *value, int wanted)
{
    for (int i = 0; atomic_load(value) != wanted && i < WAIT_MS; i++)
        poll(NULL, 0, 1);
    assert_int_equal(atomic_load(value), wanted);
}

static void post(struct fixture *f, setpay_job_fn *job)
{
    assert_int_equal(setpay_loop_post(f->loop, job, f), SETPAY_OK);
}

/* A body of all byte values, NUL among them, comes back unchanged. */
static void bodies_are_binary_clean(void **state)
{
    struct fixture *f = *state;
    char request[512], answer[1024];
    size_t used = (size_t)snprintf(request, sizeof(request),
                                   "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                   "Content-Type: application/x-protobuf\r\n"
                                   "Content-Length: 256\r\n\r\n");
    int fd = dial(f->port);
    size_t size;

    for (int i = 0; i < 256; i++)
        request[used + (size_t)i] = (char)i;
    say(fd, request, used + 256);
    size = hear(fd, answer, sizeof(answer), NULL);
    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_has(answer, "Content-Type: application/x-protobuf\r\n");
    assert_memory_equal(answer + size - 256, request + used, 256);
    close(fd);
}

static void routes_take_methods_params_and_queries(void **state)
{
    struct fixture *f = *state;

    assert_has(ask(f, "PATCH /items/7%2F8 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                      "Connection: close\r\n\r\n{}"),
               "\r\n\r\nPATCH 7/8 [-]");
    assert_has(ask(f, "DELETE /items/%C3%A4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
               "\r\n\r\nDELETE \xc3\xa4 [-]");
    assert_has(ask(f, "GET /items/a?q=1+2%263 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
               "\r\n\r\nGET a [1 2&3]");
    assert_has(ask(f, "GET /files/a/b/c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
               "\r\n\r\nGET a/b/c [-]");
}

static void head_has_a_length_and_no_body(void **state)
{
    const char *answer =
        ask(*state, "HEAD /items/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_has(answer, "Content-Length: 10\r\n"); /* "HEAD a [-]" */
    assert_string_equal(answer + strlen(answer) - 4, "\r\n\r\n");
}

static void unknown_paths_and_methods_are_refused(void **state)
{
    struct fixture *f = *state;
    const char *answer;

    assert_problem(ask(f, "GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "404");
    assert_problem(ask(f, "GET /items/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "404");
    answer = ask(f, "PUT /items/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                    "Connection: close\r\n\r\n");
    assert_problem(answer, "405");
    assert_has(answer, "Allow: GET, HEAD, PATCH, DELETE, OPTIONS\r\n");
    answer = ask(f, "OPTIONS /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_has(answer, "HTTP/1.1 204 No Content\r\n");
    assert_has(answer, "Allow: POST, OPTIONS\r\n");
}

static void ambiguous_requests_are_refused(void **state)
{
    static const char *const requests[] = {
        "GET /items/a?q=1&q=2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /items/a?q=%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /items/a?q=%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /items/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /items/a HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET /items/a HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n",
        "GET /items/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
        "GET /items/a HTTP/0.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /items/a HTTP/0.1\r\nHost: \xe1\r\nConnection: close\r\n\r\n",
        "GET /items/a HTTP/1.10\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /items/a HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\nConnection: close\r\n\r\n",
        "GET /items/a HTTP/1.1\r\nHost: x\r\nX\x91Y: 1\r\nConnection: close\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
         "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
    };

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        assert_problem(ask(*state, requests[i]), "400");
}

/* What evhttp refuses by itself is a problem document too. */
static void garbage_gets_a_problem_document(void **state)
{
    struct fixture *f = *state;
    char big[4096];

    assert_problem(ask(f, "complete nonsense\r\n\r\n"), "400");
    assert_problem(ask(f, "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n"), "501");
    memset(big, 'a', sizeof(big));
    memcpy(big, "GET / HTTP/1.1\r\nHost: x\r\nX: ", 28);
    memcpy(big + sizeof(big) - 5, "\r\n\r\n", 5);
    assert_problem(ask(f, big), "4");
}

static void bodies_above_the_limit_are_refused(void **state)
{
    struct fixture *f = *state;
    static char request[8192];
    size_t used = (size_t)snprintf(
        request, sizeof(request), "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n");

    memset(request + used, 'b', 5000);
    request[used + 5000] = '\0';
    assert_problem(ask(f, request), "413");
    used = (size_t)snprintf(
        request, sizeof(request),
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n");
    memset(request + used, 'b', 5000);
    request[used + 5000] = '\0';
    assert_problem(ask(f, request), "413");
}

/* Time from now until the server closes, while one byte is sent every 50 ms. */
static int64_t trickle(struct fixture *f, const char *start)
{
    int fd = dial(f->port);
    int64_t began = setpay_clock_monotonic_ms();
    char byte;

    SAY(fd, start);
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};

        assert_true(setpay_clock_monotonic_ms() - began < WAIT_MS);
        if (poll(&ready, 1, 50) == 1 && recv(fd, &byte, 1, 0) <= 0)
            break;
        if (send(fd, "x", 1, MSG_NOSIGNAL) < 0)
            break;
    }
    close(fd);
    return setpay_clock_monotonic_ms() - began;
}

/* Each byte comes well within a per-read time-out, the request never: 300 ms in all. */
static void slow_requests_are_cut_at_the_deadline(void **state)
{
    struct fixture *f = *state;

    assert_true(trickle(f, "GET /items/") >= 250);
    assert_true(trickle(f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n") >=
                250);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    const char *answer = ask(f, "GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\n"
                                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ntwo"
                                "GET /items/3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const char *one = strstr(answer, "GET 1 [-]");
    const char *two = strstr(answer, "two");
    const char *three = strstr(answer, "GET 3 [-]");

    assert_non_null(one);
    assert_non_null(two);
    assert_non_null(three);
    assert_true(one < two && two < three);
}

/* What can't be parsed is a problem document also behind a request that was answered. */
static void what_cannot_be_parsed_may_come_second(void **state)
{
    static const char *const second[][2] = {{"complete nonsense\r\n\r\n", "400"},
                                            {"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", "501"}};
    for (size_t i = 0; i < sizeof(second) / sizeof(second[0]); i++) {
        char requests[256];
        snprintf(requests, sizeof(requests), "GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\n%s",
                 second[i][0]);
        const char *answer = ask(*state, requests);
        const char *next = strstr(answer + 1, "HTTP/1.1 ");
        assert_has(answer, "GET 1 [-]");
        assert_non_null(next);
        assert_problem(next, second[i][1]);
    }
}

/* More connections than the maximum of 4 wait, and get their turn. */
static void connections_beyond_the_maximum_wait(void **state)
{
    struct fixture *f = *state;
    int fds[6];
    char answer[1024];

    for (int i = 0; i < 6; i++)
        fds[i] = dial(f->port);
    for (int i = 0; i < 6; i++) {
        SAY(fds[i], "GET /items/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        hear(fds[i], answer, sizeof(answer), NULL);
        assert_has(answer, "GET 1 [-]");
        close(fds[i]);
    }
}

/* Asks, and stays. */
static void assert_served(int fd)
{
    char answer[1024];

    SAY(fd, "GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, answer, sizeof(answer), "GET 1 [-]");
    assert_has(answer, "GET 1 [-]");
}

static void assert_closed(int fd)
{
    char answer[16];

    assert_int_equal(hear(fd, answer, sizeof(answer), NULL), 0);
    close(fd);
}

/* Where all are taken, the one that has asked for nothing for longest goes; no other does. */
static void who_is_idle_for_longest_makes_room(void **state)
{
    struct fixture *f = *state;
    int fds[5];

    for (uint8_t i = 0; i < 3; i++) {
        fds[i] = dial_from((uint8_t)(11 + i), f->port);
        assert_served(fds[i]);
    }
    /* One place is kept free. The first has asked again before it is needed. */
    assert_served(fds[0]);
    for (uint8_t i = 3; i < 5; i++) {
        fds[i] = dial_from((uint8_t)(11 + i), f->port);
        assert_served(fds[i]);
    }
    assert_closed(fds[1]);
    assert_closed(fds[2]);
    for (int i = 0; i < 5; i += i == 0 ? 3 : 1) {
        assert_served(fds[i]);
        close(fds[i]);
    }
}

/* One that is at work is never closed for another: the next one waits until one is idle. */
static void who_is_at_work_makes_no_room(void **state)
{
    struct fixture *f = *state;
    int fds[5];
    char answer[1024];

    for (uint8_t i = 0; i < 4; i++) {
        fds[i] = dial_from((uint8_t)(11 + i), f->port);
        SAY(fds[i], "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
        wait_for(&f->waiting_count, i + 1);
    }
    fds[4] = dial_from(15, f->port);
    SAY(fds[4], "GET /items/5 HTTP/1.1\r\nHost: x\r\n\r\n");
    post(f, reply_waiting);
    for (int i = 0; i < 4; i++) {
        hear(fds[i], answer, sizeof(answer), "waited");
        assert_has(answer, "waited");
        close(fds[i]);
    }
    hear(fds[4], answer, sizeof(answer), "GET 5 [-]");
    assert_has(answer, "GET 5 [-]");
    close(fds[4]);
}

static void one_address_has_its_share_and_no_more(void **state)
{
    struct fixture *f = *state;
    int first = dial(f->port);
    int second = dial(f->port);

    assert_served(first);
    assert_served(second);
    assert_closed(dial(f->port));
    /* Others are none the worse for it; and when one has gone, another may come. */
    int other = dial_from(2, f->port);
    assert_served(other);
    assert_served(first);
    close(first);
    int third;
    char answer[1024];
    do {
        third = dial(f->port);
        (void)send(third, "GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\n", 36, MSG_NOSIGNAL);
        hear(third, answer, sizeof(answer), "GET 1 [-]");
        if (answer[0] == '\0') /* the server has not seen yet that the first has gone */
            close(third);
    } while (answer[0] == '\0');
    assert_has(answer, "GET 1 [-]");
    close(third);
    close(second);
    close(other);
}

static void a_proxy_may_have_all(void **state)
{
    struct fixture *f = *state;
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = dial_from(3, f->port);
        assert_served(fds[i]);
    }
    for (int i = 0; i < 3; i++) {
        assert_served(fds[i]);
        close(fds[i]);
    }
}

static void reply_held(void *arg)
{
    struct fixture *f = arg;
    struct setpay_http_request *request = f->held;

    f->held = NULL;
    assert_string_equal(setpay_http_request_header(request, "x-mark"), "kept");
    setpay_http_reply(request, 200, "text/plain", NULL, setpay_view_string("late"));
    atomic_fetch_add(&f->answered_gone, 1);
}

static void the_client_may_leave_before_the_answer(void **state)
{
    struct fixture *f = *state;
    struct linger reset = {1, 0};
    int fd = dial(f->port);

    SAY(fd, "GET /held HTTP/1.1\r\nHost: x\r\nX-Mark: kept\r\n\r\n");
    wait_for(&f->held_count, 1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    post(f, reply_held);
    wait_for(&f->answered_gone, 1);
    assert_has(ask(f, "GET /items/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "GET 1");
}

static void on_drained(void *arg)
{
    atomic_fetch_add(&((struct fixture *)arg)->drained, 1);
}

static void drain(void *arg)
{
    struct fixture *f = arg;

    setpay_http_server_drain(f->server, on_drained, f);
}

static void draining_finishes_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    char answer[1024];
    int idle = dial(f->port), busy = dial(f->port);

    SAY(idle, "GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(idle, answer, sizeof(answer), "GET 1 [-]");
    SAY(busy, "GET /held HTTP/1.1\r\nHost: x\r\nX-Mark: kept\r\n\r\n");
    wait_for(&f->held_count, 1);
    post(f, drain);
    assert_int_equal(hear(idle, answer, sizeof(answer), NULL), 0); /* closed at once */
    assert_int_equal(atomic_load(&f->drained), 0);
    post(f, reply_held);
    hear(busy, answer, sizeof(answer), NULL);
    assert_has(answer, "Connection: close\r\n");
    assert_has(answer, "\r\n\r\nlate");
    wait_for(&f->drained, 1);
    close(idle);
    close(busy);
}

/* teardown answers the held request after its server has gone. */
static void requests_outlive_their_server(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f->port);

    SAY(fd, "GET /held HTTP/1.1\r\nHost: x\r\nX-Mark: kept\r\n\r\n");
    wait_for(&f->held_count, 1);
    close(fd);
}

/* ------------------------------------------------------------------ administration */

static enum setpay_error check_good(void *arg, struct setpay_problem *why)
{
    (void)arg;
    (void)why;
    return SETPAY_OK;
}

static enum setpay_error check_line(void *arg, struct setpay_problem *why)
{
    return *(int *)arg != 0 ? SETPAY_OK
                            : setpay_problem_set(why, SETPAY_E_UNREACHABLE, "down for 3 s");
}

static void readiness_names_each_failing_check(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct setpay_admin_http *admin = NULL;
    int line_up = 0;
    const struct setpay_ready_check checks[] = {{"store", check_good, NULL},
                                                {"issuer_line", check_line, &line_up}};
    const char *answer;
    uint16_t port;
    int fd = listen_on_loopback(&port);

    (void)state;
    f->port = port;
    assert_int_equal(setpay_loop_new(0, &f->loop), SETPAY_OK);
    assert_int_equal(setpay_admin_http_new(f->loop, fd, checks, 2, &admin), SETPAY_OK);
    assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f->loop), 0);
    answer = ask(f, "GET /readyz HTTP/1.0\r\n\r\n");
    assert_has(answer, "503 Service Unavailable");
    assert_has(answer, "{\"status\":\"failing\",\"checks\":[{\"name\":\"store\",\"ok\":true},"
                       "{\"name\":\"issuer_line\",\"ok\":false,\"error\":\"UNREACHABLE\","
                       "\"why\":\"down for 3 s\"}]}");
    assert_has(ask(f, "GET /healthz HTTP/1.0\r\n\r\n"), "200 OK");
    line_up = 1;
    assert_has(ask(f, "GET /readyz HTTP/1.0\r\n\r\n"), "200 OK");
    answer = ask(f, "GET /metrics HTTP/1.0\r\n\r\n");
    assert_has(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    assert_has(answer, "setpay_http_requests_total{server=\"admin\",status=\"5xx\"} 1\n");
    setpay_loop_stop(f->loop);
    pthread_join(f->thread, NULL);
    setpay_admin_http_free(admin);
    setpay_loop_free(f->loop);
    free(f);
}

/* ------------------------------------------------------------------ the client */

struct outcome {
    struct setpay_loop *loop;
    struct setpay_http_client *client;
    struct setpay_http_answer answer;
    char type[64];
    char body[5000];
    int count, wanted;
    uint16_t port;
};

static void on_answer(void *arg, const struct setpay_http_answer *answer)
{
    struct outcome *o = arg;

    o->answer = *answer;
    snprintf(o->type, sizeof(o->type), "%s", answer->content_type);
    if (answer->body.size > 0)
        memcpy(o->body, answer->body.data, answer->body.size);
    o->body[answer->body.size] = '\0';
    if (++o->count == o->wanted)
        setpay_loop_stop(o->loop);
}

/* Posts once to path of port, and runs the client's loop until the answer. */
static void post_once(struct outcome *o, uint16_t port, const char *path, struct setpay_view body)
{
    *o = (struct outcome){.wanted = 1};
    assert_int_equal(setpay_loop_new(0, &o->loop), SETPAY_OK);
    assert_int_equal(
        setpay_http_client_new(&(struct setpay_http_client_options){.loop = o->loop,
                                                                    .connect_timeout_ms = 1000,
                                                                    .deadline_ms = 400,
                                                                    .max_answer_bytes = 4096},
                               &o->client),
        SETPAY_OK);
    assert_int_equal(setpay_http_client_post(o->client, "localhost", port, path,
                                             "application/x-protobuf", body, on_answer, o, NULL),
                     SETPAY_OK);
    assert_int_equal(setpay_loop_run(o->loop), SETPAY_OK);
    assert_int_equal(o->count, 1);
    setpay_http_client_free(o->client);
    setpay_loop_free(o->loop);
}

static void the_client_posts_and_gets_the_answer(void **state)
{
    struct fixture *f = *state;
    struct outcome o;

    post_once(&o, f->port, "/echo", setpay_view_string("hello"));
    assert_int_equal(o.answer.error, SETPAY_OK);
    assert_int_equal(o.answer.status, 200);
    assert_string_equal(o.type, "application/x-protobuf");
    assert_string_equal(o.body, "hello");
    post_once(&o, f->port, "/none", SETPAY_VIEW_EMPTY);
    assert_int_equal(o.answer.error, SETPAY_OK);
    assert_int_equal(o.answer.status, 404);
    assert_string_equal(o.type, "application/problem+json");
}

static void the_client_says_what_failed(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    uint16_t port;
    int fd = listen_on_loopback(&port);

    post_once(&o, port, "/echo", SETPAY_VIEW_EMPTY); /* nobody accepts */
    assert_int_equal(o.answer.error, SETPAY_E_TIMEOUT);
    close(fd);
    post_once(&o, port, "/echo", SETPAY_VIEW_EMPTY); /* nobody listens */
    assert_int_equal(o.answer.error, SETPAY_E_UNREACHABLE);
    (void)f;
}

/* Sends what ask says to the server, and runs the client's loop until the answer. */
static void ask_once(struct outcome *o, struct setpay_http_ask ask, struct fixture *f)
{
    *o = (struct outcome){.wanted = 1};
    ask.host = "localhost";
    ask.port = f->port;
    assert_int_equal(setpay_loop_new(0, &o->loop), SETPAY_OK);
    assert_int_equal(
        setpay_http_client_new(&(struct setpay_http_client_options){.loop = o->loop}, &o->client),
        SETPAY_OK);
    assert_int_equal(setpay_http_client_ask(o->client, &ask, on_answer, o, NULL), SETPAY_OK);
    assert_int_equal(setpay_loop_run(o->loop), SETPAY_OK);
    assert_int_equal(o->answer.error, SETPAY_OK);
    assert_int_equal(o->answer.status, 200);
    setpay_http_client_free(o->client);
    setpay_loop_free(o->loop);
}

static void the_client_gets_and_says_who_asks(void **state)
{
    struct fixture *f = *state;
    struct setpay_secret who = {0};
    struct setpay_secret split = {0};
    struct outcome o;

    ask_once(&o, (struct setpay_http_ask){.path = "/items/7?q=x"}, f);
    assert_string_equal(o.body, "GET 7 [x]");
    ask_once(&o, (struct setpay_http_ask){.path = "/who"}, f);
    assert_string_equal(o.body, "nobody");
    assert_int_equal(setpay_secret_copy(&who, setpay_view_string("Basic YTpi")), SETPAY_OK);
    ask_once(&o, (struct setpay_http_ask){.path = "/who", .authorization = &who}, f);
    assert_string_equal(o.body, "Basic YTpi");
    ask_once(&o,
             (struct setpay_http_ask){.path = "/who",
                                      .content_type = "a/b",
                                      .body = setpay_view_string("x"),
                                      .authorization = &who},
             f);
    assert_string_equal(o.body, "Basic YTpi");

    assert_int_equal(setpay_secret_copy(&split, setpay_view_string("a\r\nb: c")), SETPAY_OK);
    const struct setpay_http_ask bad[] = {
        {.host = "a", .port = 1, .path = "/", .authorization = &split},
        {.host = "a", .port = 1, .path = "/", .body = setpay_view_string("a GET has none")},
    };
    assert_int_equal(setpay_loop_new(0, &o.loop), SETPAY_OK);
    assert_int_equal(
        setpay_http_client_new(&(struct setpay_http_client_options){.loop = o.loop}, &o.client),
        SETPAY_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(setpay_http_client_ask(o.client, &bad[i], on_answer, &o, NULL),
                         SETPAY_E_INVALID);
    setpay_http_client_free(o.client);
    setpay_loop_free(o.loop);
    setpay_secret_clear(&who);
    setpay_secret_clear(&split);
}

static void repeat_post(void *arg, const struct setpay_http_answer *answer)
{
    struct outcome *o = arg;

    assert_int_equal(answer->error, SETPAY_OK);
    if (++o->count == o->wanted)
        setpay_loop_stop(o->loop);
    else
        assert_int_equal(setpay_http_client_post(o->client, "127.0.0.1", o->port, "/echo", "a/b",
                                                 setpay_view_string("x"), repeat_post, o, NULL),
                         SETPAY_OK);
}

/* The server keeps the connection for 1 s only: one that it closed meanwhile is no error. */
static void kept_connections_are_used_again(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {.wanted = 20, .port = f->port};

    assert_int_equal(setpay_loop_new(0, &o.loop), SETPAY_OK);
    assert_int_equal(
        setpay_http_client_new(&(struct setpay_http_client_options){.loop = o.loop}, &o.client),
        SETPAY_OK);
    assert_int_equal(setpay_http_client_post(o.client, "127.0.0.1", o.port, "/echo", "a/b",
                                             setpay_view_string("x"), repeat_post, &o, NULL),
                     SETPAY_OK);
    assert_int_equal(setpay_loop_run(o.loop), SETPAY_OK);
    assert_int_equal(o.count, 20);
    setpay_http_client_free(o.client);
    setpay_loop_free(o.loop);
}

static void requests_that_would_split_are_refused(void **state)
{
    struct setpay_http_client *client;
    struct setpay_loop *loop;

    (void)state;
    assert_int_equal(setpay_loop_new(0, &loop), SETPAY_OK);
    assert_int_equal(
        setpay_http_client_new(&(struct setpay_http_client_options){.loop = loop}, &client),
        SETPAY_OK);
    assert_int_equal(setpay_http_client_post(client, "a\r\nb", 1, "/", "a/b", SETPAY_VIEW_EMPTY,
                                             on_answer, NULL, NULL),
                     SETPAY_E_INVALID);
    assert_int_equal(setpay_http_client_post(client, "a", 1, "/ b", "a/b", SETPAY_VIEW_EMPTY,
                                             on_answer, NULL, NULL),
                     SETPAY_E_INVALID);
    assert_int_equal(setpay_http_client_post(client, "a", 1, "/", "a\nb", SETPAY_VIEW_EMPTY,
                                             on_answer, NULL, NULL),
                     SETPAY_E_INVALID);
    setpay_http_client_free(client);
    setpay_loop_free(loop);
}

/* ------------------------------------------------------------------ TLS */

/* A server over TLS whose certificate names a host, and a client that trusts a PKI. */
struct tls_fixture {
    struct fixture http;
    struct test_pki *pki;
    struct test_party *party;
    struct setpay_trust *trust;
    struct setpay_tls *tls;
};

static STACK_OF(X509) * chain_of(struct test_pki *pki)
{
    STACK_OF(X509) *chain = sk_X509_new_null();

    assert_non_null(chain);
    sk_X509_push(chain, test_pki_ca(pki, "visa", SETPAY_CA_MERCHANT)->x509);
    sk_X509_push(chain, test_pki_ca(pki, "visa", SETPAY_CA_BRAND)->x509);
    return chain;
}

static void tls_start(struct tls_fixture *t, const char *host)
{
    static const char *const brands[] = {"visa", NULL};
    struct setpay_tls_identity identity = {0};
    struct setpay_tls_config config = {.identities = &identity, .identity_count = 1};
    STACK_OF(X509) * chain;

    *t = (struct tls_fixture){0};
    t->pki = test_pki_new(setpay_clock_now_ms(), brands);
    t->party = test_party_new(t->pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_SERVER, "shop", host);
    t->trust = test_pki_trust(t->pki);
    chain = chain_of(t->pki);
    identity = (struct setpay_tls_identity){
        .certificate = t->party->x509, .key = t->party->key, .chain = chain};
    config.trust = t->trust;
    assert_int_equal(setpay_tls_new_server(&config, &t->tls, NULL), SETPAY_OK);
    sk_X509_free(chain);
    assert_int_equal(setpay_loop_new(0, &t->http.loop), SETPAY_OK);
    assert_int_equal(
        setpay_http_server_new(&(struct setpay_http_server_options){.name = "protocol",
                                                                    .loop = t->http.loop,
                                                                    .routes = routes,
                                                                    .arg = &t->http,
                                                                    .tls = t->tls,
                                                                    .request_deadline_ms = 2000},
                               &t->http.server),
        SETPAY_OK);
    assert_int_equal(setpay_http_server_listen(t->http.server, listen_on_loopback(&t->http.port)),
                     SETPAY_OK);
    assert_int_equal(pthread_create(&t->http.thread, NULL, run_loop, t->http.loop), 0);
}

static void tls_stop(struct tls_fixture *t)
{
    setpay_loop_stop(t->http.loop);
    pthread_join(t->http.thread, NULL);
    setpay_http_server_free(t->http.server);
    setpay_loop_free(t->http.loop);
    setpay_tls_free(t->tls);
    setpay_trust_free(t->trust);
    test_party_free(t->party);
    test_pki_free(t->pki);
}

static void post_again(void *arg, const struct setpay_http_answer *answer)
{
    struct outcome *o = arg;

    on_answer(arg, answer);
    if (o->count < o->wanted)
        assert_int_equal(setpay_http_client_post(o->client, "localhost", o->port, "/echo", "a/b",
                                                 setpay_view_string("again"), post_again, o, NULL),
                         SETPAY_OK);
}

/* Posts count times to the server, one after the other, believing trust. */
static void tls_post(struct tls_fixture *t, struct setpay_trust *trust, struct outcome *o,
                     int count)
{
    struct setpay_tls_config config = {
        .trust = trust, .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_MERCHANT_TLS_SERVER)};
    struct setpay_tls *tls = NULL;

    *o = (struct outcome){.wanted = count, .port = t->http.port};
    assert_int_equal(setpay_tls_new_client(&config, &tls, NULL), SETPAY_OK);
    assert_int_equal(setpay_loop_new(0, &o->loop), SETPAY_OK);
    assert_int_equal(
        setpay_http_client_new(&(struct setpay_http_client_options){.loop = o->loop, .tls = tls},
                               &o->client),
        SETPAY_OK);
    assert_int_equal(setpay_http_client_post(o->client, "localhost", o->port, "/echo", "a/b",
                                             setpay_view_string("hello"), post_again, o, NULL),
                     SETPAY_OK);
    assert_int_equal(setpay_loop_run(o->loop), SETPAY_OK);
    setpay_http_client_free(o->client);
    setpay_loop_free(o->loop);
    setpay_tls_free(tls);
}

static void tls_carries_requests_and_keeps_the_connection(void **state)
{
    struct tls_fixture t;
    struct outcome o;

    (void)state;
    tls_start(&t, "localhost");
    tls_post(&t, t.trust, &o, 10);
    assert_int_equal(o.answer.error, SETPAY_OK);
    assert_int_equal(o.count, 10);
    assert_string_equal(o.body, "again");
    tls_stop(&t);
}

static void another_root_is_not_believed(void **state) /* rule A3 */
{
    static const char *const brands[] = {"visa", NULL};
    struct test_pki *other = test_pki_new(setpay_clock_now_ms(), brands);
    struct setpay_trust *trust = test_pki_trust(other);
    struct tls_fixture t;
    struct outcome o;

    (void)state;
    tls_start(&t, "localhost");
    tls_post(&t, trust, &o, 1);
    assert_int_equal(o.answer.error, SETPAY_E_TLS);
    assert_int_equal(setpay_error_info(o.answer.detail)->kind, SETPAY_KIND_SECURITY);
    assert_string_equal(setpay_error_rule(o.answer.detail), "A3");
    tls_stop(&t);
    setpay_trust_free(trust);
    test_pki_free(other);
}

static void another_host_is_not_believed(void **state) /* rule W1 */
{
    struct tls_fixture t;
    struct outcome o;

    (void)state;
    tls_start(&t, "shop.example");
    tls_post(&t, t.trust, &o, 1);
    assert_int_equal(o.answer.error, SETPAY_E_TLS);
    assert_int_equal(o.answer.detail, SETPAY_E_HOST);
    tls_stop(&t);
}

/* Plain HTTP on the TLS port gets no HTTP answer. */
static void plain_text_is_not_taken_for_tls(void **state)
{
    struct tls_fixture t;
    char answer[512];
    int fd;

    (void)state;
    tls_start(&t, "localhost");
    fd = dial(t.http.port);
    SAY(fd, "GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, answer, sizeof(answer), NULL);
    assert_null(strstr(answer, "HTTP/"));
    close(fd);
    tls_stop(&t);
}

/* ------------------------------------------------------------------ answers, as bytes */

static enum setpay_error parse(const char *text, bool *complete, struct setpay_http_message *m)
{
    return setpay_http_answer_parse(setpay_view_string(text), 64, complete, m);
}

static void answers_are_parsed_only_when_whole(void **state)
{
    static const char whole[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                                "Transfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n"
                                "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n";
    struct setpay_http_message m;
    bool complete;

    (void)state;
    for (size_t size = 0; size < sizeof(whole) - 1; size++) {
        assert_int_equal(setpay_http_answer_parse(setpay_view_of(whole, size), 64, &complete, &m),
                         SETPAY_OK);
        assert_false(complete);
    }
    assert_int_equal(parse(whole, &complete, &m), SETPAY_OK);
    assert_true(complete);
    assert_int_equal(m.status, 200);
    assert_true(m.keep_alive);
    assert_string_equal(m.content_type, "a/b");
    assert_int_equal(m.body.size, 5);
    assert_memory_equal(m.body.data, "abcde", 5);
    setpay_buffer_clear(&m.body);
}

/* The server's clock, for who compares clocks; what is not its one form is no reason to refuse. */
static void an_answer_says_the_time(void **state)
{
    static const struct {
        const char *date;
        setpay_time_ms date_ms;
    } rows[] = {{"Sun, 06 Nov 1994 08:49:37 GMT", 784111777000},
                {"  Sun, 06 Nov 1994 08:49:37 GMT  ", 784111777000},
                {"Sunday, 06-Nov-94 08:49:37 GMT", 0},
                {"Sun, 06 Nov 1994 08:49:37 GMT and more", 0},
                {"Sun, 06 Nov 1994 08:49:37 +0000", 0},
                {"", 0}};
    struct setpay_http_message m;
    char text[128];
    bool complete;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Length: 0\r\n\r\n",
                 rows[i].date);
        assert_int_equal(parse(text, &complete, &m), SETPAY_OK);
        assert_true(complete);
        assert_int_equal(m.date_ms, rows[i].date_ms);
        setpay_buffer_clear(&m.body);
    }
}

static void bad_answers_are_refused(void **state)
{
    static const struct {
        const char *text;
        enum setpay_error error;
    } cases[] = {
        {"SSH-2.0-x\r\n", SETPAY_E_MALFORMED},
        {"HTTP/2.0 200 OK\r\n", SETPAY_E_MALFORMED},
        {"HTTP/1.1 2x0 OK\r\n", SETPAY_E_MALFORMED},
        {"HTTP/1.1 200 OK\r\n\r\n", SETPAY_E_MALFORMED}, /* ends with the connection */
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", SETPAY_E_MALFORMED},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", SETPAY_E_MALFORMED},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         SETPAY_E_MALFORMED},
        {"HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n", SETPAY_E_MALFORMED},
        {"HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n", SETPAY_E_TOO_BIG},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n", SETPAY_E_TOO_BIG},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n", SETPAY_E_MALFORMED},
    };
    struct setpay_http_message m;
    bool complete;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(parse(cases[i].text, &complete, &m), cases[i].error);
}

/* What an answer is when a piece is repeated between its beginning and its end, as often as it
 * takes to fill size bytes. */
static enum setpay_error parse_repeated(const char *begin, const char *piece, const char *end,
                                        size_t size)
{
    struct setpay_buffer bytes;
    struct setpay_http_message m;
    bool complete = false;

    setpay_buffer_init(&bytes, (size_t)8 * SETPAY_LIMIT_HTTP_HEADER_BYTES);
    assert_int_equal(setpay_buffer_append(&bytes, setpay_view_string(begin)), SETPAY_OK);
    for (size_t filled = strlen(piece); filled <= size; filled += strlen(piece))
        assert_int_equal(setpay_buffer_append(&bytes, setpay_view_string(piece)), SETPAY_OK);
    /* Refused before the end is there, too. */
    enum setpay_error before =
        setpay_http_answer_parse(setpay_buffer_view(&bytes), bytes.max, &complete, &m);
    assert_false(complete);
    assert_int_equal(setpay_buffer_append(&bytes, setpay_view_string(end)), SETPAY_OK);
    enum setpay_error error =
        setpay_http_answer_parse(setpay_buffer_view(&bytes), bytes.max, &complete, &m);
    assert_int_equal(error, before);
    if (error == SETPAY_OK) {
        assert_true(complete);
        setpay_buffer_clear(&m.body);
    }
    setpay_buffer_clear(&bytes);
    return error;
}

/* What says nothing may not go on for ever. */
static void empty_words_have_an_end(void **state)
{
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const struct {
        const char *begin, *piece, *end;
    } cases[] = {
        {"", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {chunked, "1;and=words;that=fill;the=line\r\nx\r\n", "0\r\n\r\n"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: of the same\r\n",
         "\r\n"},
    };
    const size_t limit = SETPAY_LIMIT_HTTP_HEADER_BYTES;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse_repeated(cases[i].begin, cases[i].piece, cases[i].end, limit),
                         SETPAY_OK);
        assert_int_equal(
            parse_repeated(cases[i].begin, cases[i].piece, cases[i].end, limit + limit / 4),
            SETPAY_E_TOO_BIG);
    }
    /* Small chunks, but chunks: as many as the body may have. */
    assert_int_equal(parse_repeated(chunked, "4\r\nbody\r\n", "0\r\n\r\n", 6 * limit), SETPAY_OK);
}

int main(void)
{
#define ON_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON_SERVER(bodies_are_binary_clean),
        ON_SERVER(routes_take_methods_params_and_queries),
        ON_SERVER(head_has_a_length_and_no_body),
        ON_SERVER(unknown_paths_and_methods_are_refused),
        ON_SERVER(ambiguous_requests_are_refused),
        ON_SERVER(garbage_gets_a_problem_document),
        ON_SERVER(bodies_above_the_limit_are_refused),
        ON_SERVER(slow_requests_are_cut_at_the_deadline),
        ON_SERVER(pipelined_requests_are_answered_in_order),
        ON_SERVER(what_cannot_be_parsed_may_come_second),
        ON_SERVER(connections_beyond_the_maximum_wait),
        cmocka_unit_test_setup_teardown(who_is_idle_for_longest_makes_room, setup_crowd, teardown),
        cmocka_unit_test_setup_teardown(who_is_at_work_makes_no_room, setup_crowd, teardown),
        cmocka_unit_test_setup_teardown(one_address_has_its_share_and_no_more, setup_crowd,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_proxy_may_have_all, setup_crowd, teardown),
        ON_SERVER(the_client_may_leave_before_the_answer),
        ON_SERVER(draining_finishes_what_is_under_way),
        ON_SERVER(requests_outlive_their_server),
        cmocka_unit_test(readiness_names_each_failing_check),
        ON_SERVER(the_client_posts_and_gets_the_answer),
        ON_SERVER(the_client_says_what_failed),
        ON_SERVER(the_client_gets_and_says_who_asks),
        ON_SERVER(kept_connections_are_used_again),
        cmocka_unit_test(requests_that_would_split_are_refused),
        cmocka_unit_test(tls_carries_requests_and_keeps_the_connection),
        cmocka_unit_test(another_root_is_not_believed),
        cmocka_unit_test(another_host_is_not_believed),
        cmocka_unit_test(plain_text_is_not_taken_for_tls),
        cmocka_unit_test(answers_are_parsed_only_when_whole),
        cmocka_unit_test(an_answer_says_the_time),
        cmocka_unit_test(bad_answers_are_refused),
        cmocka_unit_test(empty_words_have_an_end),
    };

    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
