/*
 * A client of a running merchant that bends HTTP and TLS: methods, paths and types that are not
 * there, bodies whose length is a lie, chunks, heads that never end, a body that comes too slowly,
 * two messages where one belongs. Each ends in one status or in a closed connection, nothing that
 * was behind it is taken for a request of its own, no row moves, and all other wallets are served.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_market.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 280
#define TYPE "Content-Type: application/x-protobuf\r\n"
#define HOST "Host: localhost\r\n"
#define POST "POST /setpay/v1/message HTTP/1.1\r\n"

static struct test_market market;
static struct test_sale sale;     /* the offer that stays open all the time */
static struct setpay_buffer good; /* a PReq for it, never to be taken */

/* ------------------------------------------------------------------ one request, one answer */

enum body {
    NOTHING,
    A_MESSAGE, /* a good PReq, as long as the head says */
    MUCH,      /* 70,000 bytes, as the head says */
    CHUNKS_OF_MUCH,
    BAD_CHUNK,
};

struct bend {
    const char *what;
    const char *head; /* a '#' in it stands for the length of the body */
    enum body body;
    int status;  /* 0: none, the merchant may as well hang up at once */
    bool closes; /* since nobody knows where the next request would start */
};

static const struct bend bends[] = {
    {"GET", "GET /setpay/v1/message HTTP/1.1\r\n" HOST "\r\n", NOTHING, 405, false},
    {"PUT", "PUT /setpay/v1/message HTTP/1.1\r\n" HOST TYPE "Content-Length: #\r\n\r\n", A_MESSAGE,
     405, false},
    {"DELETE", "DELETE /setpay/v1/message HTTP/1.1\r\n" HOST "\r\n", NOTHING, 405, false},
    {"a method that nobody knows", "BREW /setpay/v1/message HTTP/1.1\r\n" HOST "\r\n", NOTHING, 501,
     true},
    {"another path", "POST /setpay/v2/message HTTP/1.1\r\n" HOST TYPE "Content-Length: #\r\n\r\n",
     A_MESSAGE, 404, false},
    {"a slash more", "POST /setpay/v1/message/ HTTP/1.1\r\n" HOST TYPE "Content-Length: #\r\n\r\n",
     A_MESSAGE, 404, false},
    {"a path with dots",
     "POST /setpay/v1/x/../message HTTP/1.1\r\n" HOST TYPE "Content-Length: #\r\n\r\n", A_MESSAGE,
     404, false},
    {"the store's API",
     "POST /api/v1/orders HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
     "Content-Length: #\r\n\r\n",
     A_MESSAGE, 404, false},
    {"the operator's figures", "GET /metrics HTTP/1.1\r\n" HOST "\r\n", NOTHING, 404, false},
    {"a version that is to come",
     "POST /setpay/v1/message HTTP/1.2\r\n" HOST TYPE "Content-Length: 0\r\n\r\n", NOTHING, 400,
     true},
    {"a version that overflows",
     "POST /setpay/v1/message HTTP/1.4294967295\r\n" HOST TYPE "Content-Length: 0\r\n\r\n", NOTHING,
     400, true},
    {"another content type",
     POST HOST "Content-Type: application/json\r\nContent-Length: #\r\n\r\n", A_MESSAGE, 415,
     false},
    {"no content type", POST HOST "Content-Length: #\r\n\r\n", A_MESSAGE, 415, false},
    {"no body", POST HOST TYPE "Content-Length: 0\r\n\r\n", NOTHING, 400, false},
    {"no length", POST HOST TYPE "\r\n", NOTHING, 400, false},
    {"two lengths", POST HOST TYPE "Content-Length: 3\r\nContent-Length: #\r\n\r\n", A_MESSAGE, 400,
     true},
    {"a length below zero", POST HOST TYPE "Content-Length: -1\r\n\r\n", NOTHING, 400, true},
    {"a length with a sign", POST HOST TYPE "Content-Length: +#\r\n\r\n", A_MESSAGE, 400, true},
    {"a length that is no number", POST HOST TYPE "Content-Length: 0x10\r\n\r\n", NOTHING, 400,
     true},
    {"a length and chunks",
     POST HOST TYPE "Content-Length: #\r\nTransfer-Encoding: chunked\r\n\r\n", A_MESSAGE, 400,
     true},
    {"a coding that nobody knows",
     POST HOST TYPE "Transfer-Encoding: gzip\r\nContent-Length: #\r\n\r\n", A_MESSAGE, 400, true},
    {"seventy thousand bytes", POST HOST TYPE "Content-Length: #\r\n\r\n", MUCH, 413, true},
    {"a length of ten gigabytes", POST HOST TYPE "Content-Length: 9999999999\r\n\r\n", NOTHING, 0,
     true},
    {"seventy thousand bytes in chunks", POST HOST TYPE "Transfer-Encoding: chunked\r\n\r\n",
     CHUNKS_OF_MUCH, 413, true},
    {"a chunk whose size is no number", POST HOST TYPE "Transfer-Encoding: chunked\r\n\r\n",
     BAD_CHUNK, 413, true},
    {"no host", POST TYPE "Content-Length: #\r\n\r\n", A_MESSAGE, 400, true},
    {"two hosts", POST HOST "Host: example.com\r\n" TYPE "Content-Length: #\r\n\r\n", A_MESSAGE,
     400, true},
    {"no HTTP at all", "\x16\x03\x01 nonsense\r\n\r\n", NOTHING, 400, true},
};
#define BENDS (sizeof bends / sizeof *bends)

static bool send_body(struct test_channel *channel, const struct bend *bend)
{
    static uint8_t much[70000];
    char chunk[32];
    switch (bend->body) {
    case A_MESSAGE:
        return test_channel_send(channel, setpay_buffer_view(&good));
    case MUCH:
        return test_channel_send(channel, SETPAY_VIEW_ARRAY(much));
    case CHUNKS_OF_MUCH:
        for (int i = 0; i < 7; i++) {
            (void)snprintf(chunk, sizeof chunk, "%x\r\n", 10000);
            if (!test_channel_send(channel, setpay_view_string(chunk)) ||
                !test_channel_send(channel, setpay_view_of(much, 10000)) ||
                !test_channel_send(channel, setpay_view_string("\r\n")))
                return false;
        }
        return test_channel_send(channel, setpay_view_string("0\r\n\r\n"));
    case BAD_CHUNK:
        return test_channel_send(channel, setpay_view_string("zz\r\nhello\r\n0\r\n\r\n"));
    default:
        return true;
    }
}

/* The honest are served all the while, on a connection of their own. */
static void expect_service(void)
{
    size_t lies = market.lies;
    struct setpay_pinit_req request;
    struct setpay_buffer message;
    test_market_reconnect(&market);
    test_pinit_fill(&sale.order, "visa", setpay_clock_now_ms() - SETPAY_HOUR_MS, &request);
    test_pinit_message(&request, &message);
    const struct test_attack attack = {.message = setpay_buffer_view(&message),
                                       .expected = "DATE A5",
                                       .rrpid = &request.header.rrpid,
                                       .signer = market.gateway->shop[0].sign};
    test_market_attack(&market, &attack);
    market.lies = lies; /* this was none */
    setpay_buffer_clear(&message);
}

static void make_head(const struct bend *bend, char *head, size_t room)
{
    size_t before = strcspn(bend->head, "#");
    if (bend->head[before] == '\0')
        (void)snprintf(head, room, "%s", bend->head);
    else
        (void)snprintf(head, room, "%.*s%zu%s", (int)before, bend->head,
                       bend->body == A_MESSAGE ? good.size : 70000, bend->head + before + 1);
}

static void test_bend(void **state)
{
    const struct bend *bend = *state;
    char head[1024];
    struct test_reply reply;
    struct test_standing before;
    const struct test_daemon *daemon = &market.merchant->daemon;
    size_t refusals = test_daemon_log_count(daemon, "event=request.refused");
    struct test_channel *channel = test_channel_new(market.merchant);
    make_head(bend, head, sizeof head);
    test_standing_take(market.merchant, &before);
    assert_true(test_channel_send(channel, setpay_view_string(head)));
    (void)send_body(channel, bend); /* it may have hung up by then */
    bool answered = test_channel_receive(channel, &reply);
    if (bend->status != 0) {
        assert_true(answered);
        assert_int_equal(reply.status, bend->status);
    }
    if (answered) {
        assert_string_not_equal(reply.type, "application/x-protobuf");
        setpay_buffer_clear(&reply.body);
    }
    if (bend->closes)
        assert_false(test_channel_receive(channel, &reply));
    assert_null(test_standing_moved(market.merchant, &before));
    assert_int_equal(test_daemon_log_count(daemon, "event=request.refused"), refusals);
    test_channel_free(channel);
    market.lies++;
    expect_service();
}

/* ------------------------------------------------------------------ lengths and pairs */

static void post_head(struct test_channel *channel, size_t size)
{
    char head[256];
    (void)snprintf(head, sizeof head, POST HOST TYPE "Content-Length: %zu\r\n\r\n", size);
    assert_true(test_channel_send(channel, setpay_view_string(head)));
}

static void expect_error(struct test_channel *channel, struct setpay_view sent,
                         const struct test_party *signer, const char *expected)
{
    struct setpay_buffer answer;
    test_channel_answer(channel, &answer);
    const char *fault = test_error_fault(signer, sent, setpay_buffer_view(&answer), expected);
    if (fault != NULL)
        fail_msg("%s", fault);
    setpay_buffer_clear(&answer);
}

/* rule A1: a length that is too short cuts the message, and the rest of it is no request. */
static void test_short_length(void **state)
{
    struct test_channel *channel = test_channel_new(market.merchant);
    struct test_standing before;
    struct test_reply reply;
    (void)state;
    test_standing_take(market.merchant, &before);
    post_head(channel, good.size / 2);
    assert_true(test_channel_send(channel, setpay_buffer_view(&good)));
    expect_error(channel, setpay_view_of(good.data, good.size / 2), NULL, "MALFORMED A1");
    assert_true(test_channel_receive(channel, &reply));
    assert_int_equal(reply.status, 400);
    setpay_buffer_clear(&reply.body);
    assert_false(test_channel_receive(channel, &reply));
    assert_null(test_standing_moved(market.merchant, &before));
    test_channel_free(channel);
    market.lies++;
}

/* Two requests at once: each is answered, in their order. */
static void test_pipelined(void **state)
{
    struct test_channel *channel = test_channel_new(market.merchant);
    struct setpay_buffer messages[2];
    struct test_standing before;
    (void)state;
    test_standing_take(market.merchant, &before);
    for (int i = 0; i < 2; i++) {
        struct setpay_pinit_req request;
        test_pinit_fill(&sale.order, i == 0 ? "visa" : "mastercard",
                        setpay_clock_now_ms() - SETPAY_HOUR_MS, &request);
        test_pinit_message(&request, &messages[i]);
    }
    for (int i = 0; i < 2; i++)
        test_channel_post(channel, setpay_buffer_view(&messages[i]));
    for (int i = 0; i < 2; i++)
        expect_error(channel, setpay_buffer_view(&messages[i]), market.gateway->shop[i].sign,
                     "DATE A5");
    for (int i = 0; i < 2; i++)
        setpay_buffer_clear(&messages[i]);
    assert_null(test_standing_moved(market.merchant, &before));
    test_channel_free(channel);
    market.lies++;
}

/* A good message in chunks is a message all the same, and one connection that dribbles a byte at a
 * time is cut, while others are served. */
static void test_chunks(void **state)
{
    struct test_channel *channel = test_channel_new(market.merchant);
    struct setpay_pinit_req request;
    struct setpay_buffer message;
    char chunk[32];
    (void)state;
    test_pinit_fill(&sale.order, "visa", setpay_clock_now_ms() - SETPAY_HOUR_MS, &request);
    test_pinit_message(&request, &message);
    assert_true(test_channel_send(
        channel, setpay_view_string(POST HOST TYPE "Transfer-Encoding: chunked\r\n\r\n")));
    for (size_t at = 0, part = 0; at < message.size; at += part) {
        part = message.size - at < 100 ? message.size - at : 100;
        (void)snprintf(chunk, sizeof chunk, "%zx\r\n", part);
        assert_true(test_channel_send(channel, setpay_view_string(chunk)));
        assert_true(test_channel_send(channel, setpay_view_of(message.data + at, part)));
        assert_true(test_channel_send(channel, setpay_view_string("\r\n")));
    }
    assert_true(test_channel_send(channel, setpay_view_string("0\r\n\r\n")));
    expect_error(channel, setpay_buffer_view(&message), market.gateway->shop[0].sign, "DATE A5");
    setpay_buffer_clear(&message);
    test_channel_free(channel);
    market.lies++;
}

/* ------------------------------------------------------------------ slowness and size */

static struct test_channel *slow_body, *slow_head, *silent;

/* Started first and looked at last: a body of which half comes, a head that does not end, and a
 * client that says nothing at all. */
static void start_slowly(void)
{
    slow_body = test_channel_new(market.merchant);
    post_head(slow_body, good.size);
    assert_true(test_channel_send(slow_body, setpay_view_of(good.data, good.size / 2)));
    slow_head = test_channel_new(market.merchant);
    assert_true(test_channel_send(slow_head, setpay_view_string(POST HOST "X-Slow: ")));
    silent = test_channel_new(market.merchant);
}

static void expect_cut(struct test_channel *channel)
{
    struct test_reply reply;
    if (test_channel_receive(channel, &reply)) {
        assert_int_equal(reply.status, 408);
        setpay_buffer_clear(&reply.body);
        assert_false(test_channel_receive(channel, &reply));
    }
    market.lies++;
}

static void test_slow(void **state)
{
    struct test_standing before;
    (void)state;
    test_standing_take(market.merchant, &before);
    expect_cut(slow_body);
    expect_cut(slow_head);
    expect_cut(silent);
    assert_null(test_standing_moved(market.merchant, &before));
    test_channel_free(slow_body);
    test_channel_free(slow_head);
    test_channel_free(silent);
}

/* Heads above their limits: refused or cut, never kept waiting. */
static void test_huge_heads(void **state)
{
    char line[128];
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct test_channel *channel = test_channel_new(market.merchant);
        struct test_reply reply;
        bool sent = test_channel_send(channel, setpay_view_string(POST HOST TYPE));
        for (int i = 0; i < (kind == 0 ? 300 : 3000) && sent; i++) { /* fields; one field */
            (void)snprintf(line, sizeof line, kind == 0 ? "X-Field-%04d: x\r\n" : "X%08d", i);
            sent = test_channel_send(channel, setpay_view_string(line));
        }
        if (sent)
            (void)test_channel_send(channel, setpay_view_string(": x\r\n\r\n"));
        if (test_channel_receive(channel, &reply)) {
            assert_true(reply.status == 400 || reply.status == 431 || reply.status == 413);
            setpay_buffer_clear(&reply.body);
            assert_false(test_channel_receive(channel, &reply));
        }
        test_channel_free(channel);
        market.lies++;
        expect_service();
    }
}

/* ------------------------------------------------------------------ TLS */

/* Nothing but TLS 1.3 is spoken here. */
static void test_other_transports(void **state)
{
    char answer[64];
    (void)state;
    assert_null(test_channel_new_version(market.merchant, TLS1_2_VERSION));
    market.lies++;
    struct test_merchantd plain = *market.merchant; /* an API's client at the wrong port */
    int fd = test_connect(plain.wallets);
    static const char request[] = "GET /setpay/v1/message HTTP/1.1\r\n" HOST "\r\n";
    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
    ssize_t got = read(fd, answer, sizeof answer);
    assert_true(got <= 0 || strncmp(answer, "HTTP", 4) != 0);
    (void)close(fd);
    market.lies++;
    expect_service();
}

/* ------------------------------------------------------------------ the world */

static void test_honest_after_all(void **state)
{
    (void)state;
    test_sale_pay(&market, &sale);
}

static int open_world(void **state)
{
    (void)state;
    test_market_open(&market, NULL, "5m");
    test_sale_make(&market, market.holder, &sale);
    struct test_purchase *p =
        test_offer_purchase(market.merchant, &sale.offer, market.holder, setpay_clock_now_ms());
    test_purchase_sign(p);
    test_purchase_preq(p, &good);
    test_purchase_free(p);
    start_slowly();
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    setpay_buffer_clear(&good);
    test_sale_clear(&sale);
    test_market_close(&market);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[BENDS + 7];
    size_t count = 0;
    for (size_t i = 0; i < BENDS; i++)
        tests[count++] = (struct CMUnitTest){.name = bends[i].what,
                                             .test_func = test_bend,
                                             .initial_state = (void *)(uintptr_t)&bends[i]};
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_short_length);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_pipelined);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_chunks);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_huge_heads);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_other_transports);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_slow);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_honest_after_all);
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return _cmocka_run_group_tests("merchantd_http", tests, count, open_world, close_world);
}
