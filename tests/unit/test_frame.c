/*
 * Framed server and client over plain TCP, both on one loop; raw sockets where a peer misbehaves.
 */
#include "common/net/frame_client.h"
#include "common/net/frame_server.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUESTS 512

struct seen {
    struct setpay_frame_handle connection;
    uint64_t id;
    size_t size;
    uint8_t first; /* byte of the payload */
};

struct world {
    struct setpay_loop *loop;
    struct setpay_frame_server *server;
    struct setpay_frame_client *client;
    struct setpay_address address;
    struct seen requests[REQUESTS];
    size_t request_count;
    bool answers_at_once;
    bool is_drained;
    bool is_closing; /* the client is being freed: callbacks try to send again */
    /* By the byte that the request carried. */
    enum setpay_error ends[256];
    int end_counts[256];
    size_t answer_sizes[256];
    int order[REQUESTS];
    size_t end_count;
};

struct ask {
    struct world *world;
    uint8_t number;
};
static struct ask asks[256];

static void on_request(void *arg, const struct setpay_frame_request *request)
{
    struct world *world = arg;
    assert_true(world->request_count < REQUESTS);
    assert_false(request->peer->is_certified);
    world->requests[world->request_count++] = (struct seen){
        request->connection, request->request_id, request->payload.size, request->payload.data[0]};
    if (world->answers_at_once)
        assert_int_equal(setpay_frame_reply(world->server, request->connection, request->request_id,
                                            request->payload),
                         SETPAY_OK);
}

static void on_answer(void *arg, enum setpay_error error, struct setpay_view answer)
{
    const struct ask *ask = arg;
    struct world *world = ask->world;
    if (error == SETPAY_OK)
        assert_int_equal(answer.data[0], ask->number); /* its own answer, nobody else's */
    world->ends[ask->number] = error;
    world->answer_sizes[ask->number] = answer.size;
    if (world->is_closing)
        assert_int_equal(setpay_frame_client_send(world->client, setpay_view_of("x", 1), 1000,
                                                  on_answer, arg, NULL),
                         SETPAY_E_DRAINING);
    world->end_counts[ask->number]++;
    assert_true(world->end_count < REQUESTS);
    world->order[world->end_count++] = ask->number;
}

static void on_drained(void *arg)
{
    ((struct world *)arg)->is_drained = true;
}

/* Turns the loop until the condition holds; main's alarm is the limit. */
#define TURN_UNTIL(world, condition)                                                               \
    while (!(condition))                                                                           \
    assert_int_equal(event_base_loop(setpay_loop_base((world)->loop), EVLOOP_ONCE), 0)

static void start_server(struct world *world, const struct setpay_address *at,
                         struct setpay_frame_server_options options)
{
    struct setpay_listeners listeners;
    assert_int_equal(setpay_listeners_open(at, 1, &listeners, NULL), SETPAY_OK);
    world->address = listeners.address;
    options.on_request_cb = on_request;
    options.arg = world;
    assert_int_equal(setpay_frame_server_new(world->loop, setpay_listeners_take(&listeners, 0),
                                             NULL, &options, &world->server),
                     SETPAY_OK);
}

static struct world *world_new(struct setpay_frame_server_options options)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    for (int i = 0; i < 256; i++)
        asks[i] = (struct ask){world, (uint8_t)i};
    struct setpay_address any;
    assert_int_equal(setpay_loop_new(0, &world->loop), SETPAY_OK);
    assert_int_equal(setpay_address_parse("127.0.0.1:0", &any, NULL), SETPAY_OK);
    start_server(world, &any, options);
    return world;
}

static void start_client(struct world *world, struct setpay_frame_client_options options)
{
    options.address = world->address;
    assert_int_equal(setpay_frame_client_new(world->loop, NULL, &options, &world->client),
                     SETPAY_OK);
}

static void world_free(struct world *world)
{
    setpay_frame_client_free(world->client);
    setpay_frame_server_free(world->server);
    setpay_loop_free(world->loop);
    free(world);
}

static enum setpay_error ask(struct world *world, int number, size_t size, int64_t timeout_ms,
                             uint64_t *ticket)
{
    static uint8_t payload[128 * 1024];
    memset(payload, number, size);
    return setpay_frame_client_send(world->client, setpay_view_of(payload, size), timeout_ms,
                                    on_answer, &asks[number], ticket);
}

static void reply(struct world *world, size_t index)
{
    const struct seen *seen = &world->requests[index];
    assert_int_equal(setpay_frame_reply(world->server, seen->connection, seen->id,
                                        setpay_view_of(&seen->first, 1)),
                     SETPAY_OK);
}

/* A raw peer. */
static int dial(const struct world *world)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(
        connect(fd, (const struct sockaddr *)&world->address.storage, world->address.size), 0);
    return fd;
}

static void put(int fd, uint32_t length, uint64_t id, const char *payload)
{
    uint8_t bytes[256];
    size_t size = strlen(payload);
    setpay_write_u32be(bytes, length);
    setpay_write_u64be(bytes + 4, id);
    memcpy(bytes + SETPAY_FRAME_HEADER_BYTES, payload, size);
    size += SETPAY_FRAME_HEADER_BYTES;
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
}

/* True once the server has closed; bytes that come before it are thrown away. */
static bool is_closed(int fd)
{
    char bytes[4096];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
    }
    return got == 0 || (errno != EAGAIN && errno != EINTR);
}

static struct setpay_frame_server_counts counts_of(const struct world *world)
{
    struct setpay_frame_server_counts counts;
    setpay_frame_server_count(world->server, &counts);
    return counts;
}

static struct setpay_frame_client_counts client_counts(const struct world *world)
{
    struct setpay_frame_client_counts counts;
    setpay_frame_client_count(world->client, &counts);
    return counts;
}

/* The header's form and limits. */
static void headers_are_checked(void **state)
{
    (void)state;
    uint8_t bytes[SETPAY_FRAME_HEADER_BYTES];
    struct setpay_frame_header in = {.payload_size = 1000, .request_id = UINT64_MAX - 1}, out = {0};
    setpay_frame_header_build(&in, bytes);
    assert_memory_equal(bytes, "\x00\x00\x03\xf0\xff\xff\xff\xff\xff\xff\xff\xfe", sizeof bytes);
    assert_int_equal(setpay_frame_header_parse(bytes, 1000, &out), SETPAY_OK);
    assert_int_equal(out.payload_size, 1000);
    assert_true(out.request_id == UINT64_MAX - 1);
    out = (struct setpay_frame_header){1, 2};
    assert_int_equal(setpay_frame_header_parse(bytes, 999, &out), SETPAY_E_TOO_BIG); /* rule A1 */
    assert_int_equal(out.payload_size, 1);
    for (uint32_t length = 0; length <= 8; length++) {
        setpay_write_u32be(bytes, length);
        assert_int_equal(setpay_frame_header_parse(bytes, 1000, &out), SETPAY_E_MALFORMED);
    }
    setpay_write_u32be(bytes, UINT32_MAX);
    assert_int_equal(setpay_frame_header_parse(bytes, 1000, &out), SETPAY_E_TOO_BIG);
}

/* On one connection 64 requests are under way; all are answered while the first is held back. */
static void answers_come_in_any_order(void **state)
{
    (void)state;
    struct world *world = world_new((struct setpay_frame_server_options){0});
    start_client(world, (struct setpay_frame_client_options){.connections = 1});
    assert_false(setpay_frame_client_is_up(world->client));
    for (int i = 0; i < 64; i++)
        assert_int_equal(ask(world, i, 100, 10000, NULL), SETPAY_OK);
    assert_int_equal(world->end_count, 0); /* never from within the call */
    TURN_UNTIL(world, world->request_count == 64);
    assert_int_equal(counts_of(world).connections, 1);
    assert_int_equal(counts_of(world).under_way, 64);
    assert_false(setpay_frame_client_is_up(world->client)); /* connected is not yet up */
    for (size_t i = 63; i >= 1; i--)
        reply(world, i);
    TURN_UNTIL(world, world->end_count == 63);
    assert_true(setpay_frame_client_is_up(world->client));
    for (int i = 0; i < 63; i++)
        assert_int_equal(world->order[i], 63 - i);
    assert_int_equal(world->end_counts[0], 0);
    reply(world, 0);
    TURN_UNTIL(world, world->end_count == 64);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(world->end_counts[i], 1);
        assert_int_equal(world->ends[i], SETPAY_OK);
    }
    assert_int_equal(counts_of(world).under_way, 0);
    world_free(world);
}

/* Requests spread over the connections, and the largest payload passes both ways. */
static void connections_take_turns(void **state)
{
    (void)state;
    struct world *world = world_new((struct setpay_frame_server_options){.output_high = 1024});
    world->answers_at_once = true;
    start_client(world, (struct setpay_frame_client_options){.connections = 4});
    TURN_UNTIL(world, counts_of(world).connections == 4);
    for (int round = 0; round < 3; round++) {
        size_t until = world->end_count + 100;
        for (int i = 0; i < 100; i++)
            assert_int_equal(ask(world, i, SETPAY_LIMIT_MESSAGE_BYTES, 10000, NULL), SETPAY_OK);
        TURN_UNTIL(world, world->end_count == until);
    }
    size_t per_slot[4] = {0};
    for (size_t i = 0; i < world->request_count; i++) {
        assert_int_equal(world->requests[i].size, SETPAY_LIMIT_MESSAGE_BYTES);
        assert_true(world->requests[i].connection.slot < 4);
        per_slot[world->requests[i].connection.slot]++;
    }
    for (int i = 0; i < 4; i++)
        assert_true(per_slot[i] >= 50);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(world->ends[i], SETPAY_OK);
        assert_int_equal(world->answer_sizes[i], SETPAY_LIMIT_MESSAGE_BYTES);
    }
    assert_int_equal(ask(world, 1, SETPAY_LIMIT_MESSAGE_BYTES + 1, 1000, NULL), SETPAY_E_TOO_BIG);
    assert_int_equal(ask(world, 1, 0, 1000, NULL), SETPAY_E_TOO_BIG);
    world_free(world);
}

/* A frame that is too long, too short, or whose id is under way ends its connection and no other.
 */
static void bad_frames_are_refused(void **state)
{
    (void)state;
    struct world *world = world_new((struct setpay_frame_server_options){.payload_max = 100});
    int good = dial(world);
    put(good, 8 + 5, 1, "hello");
    TURN_UNTIL(world, world->request_count == 1);

    int too_long = dial(world);
    put(too_long, 8 + 101, 1, ""); /* rule A1: refused by the header alone */
    TURN_UNTIL(world, is_closed(too_long));
    int too_short = dial(world);
    put(too_short, 8, 1, "");
    TURN_UNTIL(world, is_closed(too_short));
    int twice = dial(world);
    put(twice, 8 + 1, 7, "a");
    put(twice, 8 + 1, 7, "b");
    TURN_UNTIL(world, is_closed(twice));
    assert_int_equal(counts_of(world).protocol_errors, 3);
    assert_int_equal(counts_of(world).connections, 1);
    assert_int_equal(world->request_count, 2); /* hello, and the first "a" */

    reply(world, 0);
    uint8_t answer[13];
    size_t got = 0;
    while (got < sizeof answer) {
        ssize_t size = recv(good, answer + got, sizeof answer - got, MSG_DONTWAIT);
        if (size > 0)
            got += (size_t)size;
        else
            event_base_loop(setpay_loop_base(world->loop), EVLOOP_NONBLOCK);
    }
    assert_memory_equal(answer, "\0\0\0\x09\0\0\0\0\0\0\0\x01h", sizeof answer);

    /* An answer for a connection that has gone finds nothing, also when its slot is used again. */
    const struct seen *gone = &world->requests[1];
    int next = dial(world);
    TURN_UNTIL(world, counts_of(world).connections == 2);
    assert_int_equal(
        setpay_frame_reply(world->server, gone->connection, gone->id, setpay_view_of("x", 1)),
        SETPAY_E_CLOSED);
    /* Nor does one that was given already, or was never asked. */
    assert_int_equal(
        setpay_frame_reply(world->server, world->requests[0].connection, 1, setpay_view_of("x", 1)),
        SETPAY_E_CLOSED);
    assert_int_equal(setpay_frame_reply(world->server, (struct setpay_frame_handle){UINT32_MAX, 1},
                                        1, setpay_view_of("x", 1)),
                     SETPAY_E_CLOSED);
    assert_int_equal(counts_of(world).replies_late, 3);
    close(next), close(good), close(too_long), close(too_short), close(twice);
    world_free(world);
}

/* Beyond its limit of requests under way a connection is not read; answers let it go on. */
static void requests_under_way_are_bounded(void **state)
{
    (void)state;
    struct world *world = world_new((struct setpay_frame_server_options){.requests_max = 4});
    int fd = dial(world);
    for (uint64_t id = 1; id <= 10; id++)
        put(fd, 8 + 1, id, "x");
    TURN_UNTIL(world, world->request_count == 4);
    for (int i = 0; i < 20; i++)
        event_base_loop(setpay_loop_base(world->loop), EVLOOP_NONBLOCK);
    assert_int_equal(world->request_count, 4);
    reply(world, 2);
    TURN_UNTIL(world, world->request_count == 5);
    for (size_t i = 0; i < 10; i++) {
        if (i == 2)
            continue;
        TURN_UNTIL(world, world->request_count > i);
        reply(world, i);
        assert_true(counts_of(world).under_way <= 4);
    }
    assert_int_equal(world->request_count, 10);
    assert_int_equal(counts_of(world).under_way, 0);
    close(fd);
    world_free(world);
}

/* A peer that does not take its answers is not read further. */
static void waiting_output_is_bounded(void **state)
{
    (void)state;
    enum { SIZE = 60000, COUNT = 400 };
    struct world *world = world_new((struct setpay_frame_server_options){.output_high = 100000});
    world->answers_at_once = true;
    int fd = dial(world);
    uint8_t *frame = malloc(SETPAY_FRAME_HEADER_BYTES + SIZE);
    assert_non_null(frame);
    memset(frame, 1, SETPAY_FRAME_HEADER_BYTES + SIZE);
    size_t sent = 0, offset = 0;
    int idle_turns = 0;
    while (sent < COUNT && idle_turns < 200) { /* until nothing moves any more */
        setpay_frame_header_build(
            &(struct setpay_frame_header){.payload_size = SIZE, .request_id = sent}, frame);
        ssize_t put_now = send(fd, frame + offset, SETPAY_FRAME_HEADER_BYTES + SIZE - offset,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
        idle_turns = put_now > 0 ? 0 : idle_turns + 1;
        if (put_now > 0)
            offset += (size_t)put_now;
        if (offset == SETPAY_FRAME_HEADER_BYTES + SIZE)
            sent++, offset = 0;
        event_base_loop(setpay_loop_base(world->loop), EVLOOP_NONBLOCK);
    }
    assert_true(sent < COUNT);
    size_t taken = world->request_count;
    assert_true(taken < COUNT);
    /* Once the peer reads, the server goes on. */
    TURN_UNTIL(world, (is_closed(fd), world->request_count > taken));
    free(frame);
    close(fd);
    world_free(world);
}

/* Deadlines: a frame that is never finished, no traffic; the connections' number. */
static void server_limits_hold(void **state)
{
    (void)state;
    struct world *world = world_new((struct setpay_frame_server_options){
        .frame_timeout_ms = 100, .idle_timeout_ms = 600, .connections_max = 2});
    int64_t begin_ms = setpay_clock_monotonic_ms();
    int slow = dial(world), idle = dial(world);
    put(slow, 8 + 10, 1, "half");
    TURN_UNTIL(world, counts_of(world).connections == 2);
    int third = dial(world);
    TURN_UNTIL(world, is_closed(third));
    assert_int_equal(counts_of(world).refused, 1);
    TURN_UNTIL(world, is_closed(slow));
    assert_false(is_closed(idle));
    assert_true(setpay_clock_monotonic_ms() - begin_ms >= 100);
    TURN_UNTIL(world, is_closed(idle));
    assert_true(setpay_clock_monotonic_ms() - begin_ms >= 600);
    assert_int_equal(counts_of(world).connections, 0);
    assert_int_equal(world->request_count, 0);
    close(slow), close(idle), close(third);
    world_free(world);
}

/* Draining answers what is under way, reads nothing more, closes, and says so once. */
static void drain_answers_what_is_under_way(void **state)
{
    (void)state;
    struct world *world = world_new((struct setpay_frame_server_options){0});
    start_client(world, (struct setpay_frame_client_options){.connections = 2});
    for (int i = 0; i < 20; i++)
        assert_int_equal(ask(world, i, 1000, 10000, NULL), SETPAY_OK);
    TURN_UNTIL(world, world->request_count == 20);
    setpay_frame_server_drain(world->server, on_drained, world);
    assert_false(world->is_drained);
    for (int i = 20; i < 30; i++) /* too late */
        assert_int_equal(ask(world, i, 1000, 10000, NULL), SETPAY_OK);
    for (int i = 0; i < 20; i++)
        event_base_loop(setpay_loop_base(world->loop), EVLOOP_NONBLOCK);
    assert_int_equal(world->request_count, 20);
    assert_false(world->is_drained);
    for (size_t i = 0; i < 20; i++)
        reply(world, i);
    TURN_UNTIL(world, world->is_drained);
    TURN_UNTIL(world, world->end_count == 30);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(world->end_counts[i], 1);
        assert_int_equal(world->ends[i], i < 20 ? SETPAY_OK : SETPAY_E_CLOSED);
    }
    assert_int_equal(counts_of(world).connections, 0);
    TURN_UNTIL(world, !setpay_frame_client_is_up(world->client));
    world_free(world);
}

/* How a request ends without an answer, and that it ends once. */
static void requests_end_once(void **state)
{
    (void)state;
    struct world *world = world_new((struct setpay_frame_server_options){0});
    start_client(world, (struct setpay_frame_client_options){
                            .connections = 1, .requests_max = 2, .queue_max = 3});
    TURN_UNTIL(world, counts_of(world).connections == 1);
    for (int i = 0; i < 8; i++) {
        event_base_loop(setpay_loop_base(world->loop), EVLOOP_NONBLOCK);
    }
    uint64_t cancelled = 0;
    assert_int_equal(ask(world, 1, 10, 100, NULL), SETPAY_OK);   /* no answer in time */
    assert_int_equal(ask(world, 2, 10, 10000, NULL), SETPAY_OK); /* its connection goes */
    assert_int_equal(ask(world, 3, 10, 50, NULL), SETPAY_OK);    /* queued past its deadline */
    assert_int_equal(ask(world, 4, 10, 10000, &cancelled), SETPAY_OK);
    assert_int_equal(ask(world, 5, 10, 10000, NULL), SETPAY_OK);
    assert_int_equal(ask(world, 6, 10, 10000, NULL), SETPAY_E_BUSY);
    setpay_frame_client_cancel(world->client, cancelled);
    setpay_frame_client_cancel(world->client, cancelled); /* no harm */
    TURN_UNTIL(world, world->end_counts[3] == 1);
    assert_int_equal(world->ends[3], SETPAY_E_UNREACHABLE);
    TURN_UNTIL(world, world->end_counts[1] == 1);
    assert_int_equal(world->ends[1], SETPAY_E_TIMEOUT);
    /* The place that it left is taken by the queued one; its late answer is dropped. */
    TURN_UNTIL(world, world->request_count == 3);
    reply(world, 0);
    TURN_UNTIL(world, client_counts(world).answers_late == 1);
    setpay_frame_server_close(world->server, world->requests[1].connection);
    TURN_UNTIL(world, world->end_counts[2] == 1 && world->end_counts[5] == 1);
    assert_int_equal(world->ends[2], SETPAY_E_CLOSED);
    assert_int_equal(world->ends[5], SETPAY_E_CLOSED);
    assert_int_equal(world->end_counts[4], 0);
    assert_int_equal(world->end_count, 4);

    /* What is open when the client is freed ends then. */
    setpay_frame_server_free(world->server);
    world->server = NULL;
    assert_int_equal(ask(world, 7, 10, 10000, NULL), SETPAY_OK);
    world->is_closing = true;
    setpay_frame_client_free(world->client);
    world->client = NULL;
    assert_int_equal(world->end_counts[7], 1);
    assert_true(world->ends[7] == SETPAY_E_UNREACHABLE || world->ends[7] == SETPAY_E_CLOSED);
    world_free(world);
}

/* A client finds its server again, with growing pauses, and queued requests then leave. */
static void client_comes_back(void **state)
{
    (void)state;
    struct world *world = world_new((struct setpay_frame_server_options){0});
    world->answers_at_once = true;
    start_client(world, (struct setpay_frame_client_options){
                            .connections = 1, .backoff_min_ms = 5, .backoff_max_ms = 40});
    assert_int_equal(ask(world, 1, 10, 10000, NULL), SETPAY_OK);
    TURN_UNTIL(world, world->end_count == 1);
    assert_true(setpay_frame_client_is_up(world->client));
    setpay_frame_server_free(world->server);
    world->server = NULL;
    TURN_UNTIL(world, client_counts(world).connect_failures >= 4);
    assert_false(setpay_frame_client_is_up(world->client));
    assert_int_equal(setpay_frame_client_last_error(world->client), SETPAY_E_UNREACHABLE);
    assert_int_equal(ask(world, 2, 10, 10000, NULL), SETPAY_OK);
    start_server(world, &world->address, (struct setpay_frame_server_options){0});
    TURN_UNTIL(world, world->end_count == 2);
    assert_int_equal(world->ends[2], SETPAY_OK);
    assert_true(setpay_frame_client_is_up(world->client));
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_checked),
        cmocka_unit_test(answers_come_in_any_order),
        cmocka_unit_test(connections_take_turns),
        cmocka_unit_test(bad_frames_are_refused),
        cmocka_unit_test(requests_under_way_are_bounded),
        cmocka_unit_test(waiting_output_is_bounded),
        cmocka_unit_test(server_limits_hold),
        cmocka_unit_test(drain_answers_what_is_under_way),
        cmocka_unit_test(requests_end_once),
        cmocka_unit_test(client_comes_back),
    };
    test_alarm(60);
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
