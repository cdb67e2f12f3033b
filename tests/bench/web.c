/*
 * The visitors: libevent's own HTTP client, as the shoppers of a market have it for the API.
 */
#include "tests/bench/web.h"

#include "tests/bench/fail.h"
#include "tests/bench/measure.h"

#include "common/base/clock.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_S 60

struct visits {
    const struct bench_web_load *load;
    struct event_base *base;
    int64_t started_us, ended_us;
    int64_t begun, ended;
    size_t going; /* visitors */
    int64_t *each_us;
    int64_t room;
    size_t body_size;
};

struct visitor {
    struct visits *visits;
    struct evhttp_connection *connection;
    int64_t asked_us;
};

static void ask(struct visitor *visitor);

static void keep(struct visits *visits, int64_t took_us)
{
    if (visits->ended == visits->room) {
        visits->room = visits->room == 0 ? 4096 : 2 * visits->room;
        visits->each_us = realloc(visits->each_us, (size_t)visits->room * sizeof *visits->each_us);
        if (visits->each_us == NULL)
            BENCH_FAIL("no memory");
    }
    visits->each_us[visits->ended++] = took_us;
}

static void on_answer(struct evhttp_request *request, void *arg)
{
    struct visitor *visitor = arg;
    struct visits *visits = visitor->visits;
    int status = request == NULL ? 0 : evhttp_request_get_response_code(request);
    if (status != visits->load->status)
        BENCH_FAIL("%s: status %d instead of %d", visits->load->path, status, visits->load->status);
    visits->body_size = evbuffer_get_length(evhttp_request_get_input_buffer(request));
    keep(visits, setpay_clock_monotonic_us() - visitor->asked_us);
    ask(visitor);
}

static void write_request(const struct bench_web_load *load, struct evhttp_request *request)
{
    static uint64_t last_key;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    char text[160];
    int bad = evhttp_add_header(headers, "Host", "localhost");
    if (load->token != NULL) {
        (void)snprintf(text, sizeof text, "Bearer %s", load->token);
        bad |= evhttp_add_header(headers, "Authorization", text);
    }
    if (load->body != NULL) {
        (void)snprintf(text, sizeof text, "web-%d-%llu", (int)getpid(),
                       (unsigned long long)++last_key);
        bad |= evhttp_add_header(headers, "Idempotency-Key", text);
        bad |= evhttp_add_header(headers, "Content-Type", "application/json");
        bad |=
            evbuffer_add(evhttp_request_get_output_buffer(request), load->body, strlen(load->body));
    }
    if (bad != 0)
        BENCH_FAIL("no memory");
}

static void ask(struct visitor *visitor)
{
    struct visits *visits = visitor->visits;
    const struct bench_web_load *load = visits->load;
    int64_t now_us = setpay_clock_monotonic_us();
    if ((load->count > 0 && visits->begun == load->count) ||
        (load->limit_ms > 0 && now_us - visits->started_us >= load->limit_ms * 1000)) {
        if (--visits->going == 0) {
            visits->ended_us = now_us;
            (void)event_base_loopbreak(visits->base);
        }
        return;
    }
    struct evhttp_request *request = evhttp_request_new(on_answer, visitor);
    if (request == NULL)
        BENCH_FAIL("no memory");
    write_request(load, request);
    visits->begun++;
    visitor->asked_us = now_us;
    if (evhttp_make_request(visitor->connection, request,
                            load->body == NULL ? EVHTTP_REQ_GET : EVHTTP_REQ_POST, load->path) != 0)
        BENCH_FAIL("%s can't be asked for", load->path);
}

static void connect_one(struct visitor *visitor, struct visits *visits)
{
    const char *address = visits->load->address;
    uint16_t port = (uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10);
    visitor->visits = visits;
    visitor->connection = evhttp_connection_base_new(visits->base, NULL, "127.0.0.1", port);
    BENCH_NEED(visitor->connection != NULL);
    evhttp_connection_set_timeout(visitor->connection, TIMEOUT_S);
}

void bench_web_run(const struct bench_web_load *load, struct bench_web_found *found)
{
    struct visits visits = {.load = load, .base = event_base_new(), .going = load->visitors};
    struct visitor *visitors = calloc(load->visitors, sizeof *visitors);
    BENCH_NEED(visits.base != NULL && visitors != NULL);
    visits.started_us = setpay_clock_monotonic_us();
    for (size_t i = 0; i < load->visitors; i++) {
        connect_one(&visitors[i], &visits);
        ask(&visitors[i]);
    }
    BENCH_NEED(event_base_loop(visits.base, EVLOOP_NO_EXIT_ON_EMPTY) >= 0 && visits.ended > 0);
    *found = (struct bench_web_found){
        .count = visits.ended,
        .seconds = (double)(visits.ended_us - visits.started_us) / 1e6,
        .p50_us = bench_percentile(visits.each_us, visits.ended, 50),
        .p99_us = bench_percentile(visits.each_us, visits.ended, 99),
        .body_size = visits.body_size,
    };
    for (size_t i = 0; i < load->visitors; i++)
        evhttp_connection_free(visitors[i].connection);
    free(visitors);
    free(visits.each_us);
    event_base_free(visits.base);
}
