/*
 * The network thread's heart: routes, requests under way, reversals and their repeats.
 *
 * Callers' threads build and check the message, reserve the place of its answer, and post it; all
 * else happens on the network's loop, so that nothing here but the figures, the trace numbers and
 * two flags is shared.
 *
 * What always holds: a request is in the table under its trace number from before its frame is
 * handed to a line until its answer, time-out or loss; its callback comes once. A reversal is due
 * (in its route's queue), in flight (sent, its timer runs), or gone. Card data lies only in the
 * frames.
 */
#include "gateway/network/network.h"

#include "common/base/log.h"
#include "common/net/listen.h"
#include "gateway/network/line.h"
#include "gateway/network/prefixes.h"
#include "gateway/network/requests.h"

#include <event2/event.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define BUCKET_COUNT 1024 /* a power of two */
#define STAN_MAX 999999

/* What both kinds of request have in common: a place in the table and who is to be told. */
struct request {
    LIST_ENTRY(request) in_bucket;
    struct setpay_network *network;
    struct route *route;
    struct setpay_network_trace trace; /* of this message */
    struct setpay_secret frame;
    struct event *timer;
    struct setpay_executor reply;
    void *arg;
    bool is_reversal;
    bool is_listed;
    /* authorisation */
    struct setpay_money asked;
    setpay_network_answer_cb *answered_cb;
    struct setpay_network_answer answer;
    /* reversal */
    TAILQ_ENTRY(request) in_due;
    LIST_ENTRY(request) in_reversals;
    uint64_t handle;
    bool is_in_flight;
    int64_t repeat_ms;
    uint32_t sent_count;
    bool repeated; /* the frame says 0401 */
    setpay_network_acknowledged_cb *acknowledged_cb;
    struct setpay_network_acknowledgement ack;
};

struct route {
    char name[64];
    char tls_name[256];
    struct setpay_prefixes prefixes;
    struct setpay_network *network;
    struct setpay_line *line;
    TAILQ_HEAD(due_list, request) due;
    unsigned in_flight_count; /* reversals */
};

struct figures {
    atomic_uint_fast64_t lines_up, authorisations_sent, authorisations_answered,
        authorisations_timed_out, authorisations_not_sent, authorisations_lost, answers_unmatched,
        reversals_open, reversals_sent, reversals_repeated, reversals_acknowledged, sign_ons,
        sign_ons_refused, echoes, connections_lost, malformed;
};

LIST_HEAD(request_list, request);

struct setpay_network {
    struct setpay_network_config config; /* its pointers are not used any more */
    struct setpay_request_sender sender;
    struct event_base *base;
    struct setpay_executor own;
    struct route *routes;
    size_t route_count;
    struct request_list table[BUCKET_COUNT];
    struct request_list reversals;
    atomic_uint authorisation_count; /* taken, not ended */
    atomic_uint reversal_count;
    atomic_uint_fast64_t next_handle;
    atomic_bool draining;
    pthread_mutex_t stan_lock;
    uint32_t stan_next;
    struct figures figures;
};

#define COUNT(network, figure) atomic_fetch_add(&(network)->figures.figure, 1)

static void reversals_pump(struct route *route);
static void on_request_timer(evutil_socket_t fd, short events, void *arg);

/* ------------------------------------------------------------------ trace numbers */

void setpay_network_trace_allocate(struct setpay_network *network,
                                   struct setpay_network_trace *trace)
{
    pthread_mutex_lock(&network->stan_lock);
    trace->stan = network->stan_next;
    network->stan_next = network->stan_next == STAN_MAX ? 1 : network->stan_next + 1;
    pthread_mutex_unlock(&network->stan_lock);
    trace->time = setpay_clock_now_ms() / SETPAY_SECOND_MS * SETPAY_SECOND_MS;
}

/* ------------------------------------------------------------------ the table of requests */

static struct request_list *bucket_of(struct setpay_network *network, uint32_t stan)
{
    return &network->table[stan & (BUCKET_COUNT - 1)];
}

static void request_list(struct request *request)
{
    LIST_INSERT_HEAD(bucket_of(request->network, request->trace.stan), request, in_bucket);
    request->is_listed = true;
}

static void request_unlist(struct request *request)
{
    if (request->is_listed)
        LIST_REMOVE(request, in_bucket);
    request->is_listed = false;
}

/* The number alone never matches: date and time of the answer must be this request's. */
static struct request *request_find(struct setpay_network *network,
                                    const struct setpay_iso_message *answer, bool is_reversal)
{
    struct request *request;
    uint64_t stan;
    if (setpay_iso_get_number(answer, SETPAY_ISO_STAN, &stan) != SETPAY_OK)
        return NULL;
    LIST_FOREACH(request, bucket_of(network, (uint32_t)stan), in_bucket)
    if (request->is_reversal == is_reversal && setpay_answer_matches(answer, &request->trace))
        return request;
    return NULL;
}

static void request_free(struct request *request)
{
    if (request == NULL)
        return;
    if (request->timer != NULL)
        event_free(request->timer);
    setpay_secret_clear(&request->frame);
    free(request);
}

static void timer_start(struct request *request, int64_t delay_ms)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000),
                            .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};
    evtimer_add(request->timer, &delay);
}

/* Runs on the caller's executor. */
static void request_tell(void *arg)
{
    struct request *request = arg;
    if (request->is_reversal)
        request->acknowledged_cb(request->arg, &request->ack);
    else
        request->answered_cb(request->arg, &request->answer);
    free(request);
}

/* Ends a request: out of every list, its secrets gone, the callback on its way. */
static void request_end(struct request *request)
{
    request_unlist(request);
    setpay_secret_clear(&request->frame);
    if (request->timer != NULL)
        event_free(request->timer);
    request->timer = NULL;
    atomic_fetch_sub(request->is_reversal ? &request->network->reversal_count
                                          : &request->network->authorisation_count,
                     1);
    request->reply.post_reserved(request->reply.self, request_tell, request);
}

/* ------------------------------------------------------------------ authorisations */

static void authorisation_end(struct request *request, enum setpay_network_outcome outcome,
                              enum setpay_error reason)
{
    request->answer.trace = request->trace;
    request->answer.outcome = outcome;
    request->answer.reason = reason;
    if (outcome != SETPAY_NETWORK_ANSWERED) {
        request->answer.amount = request->asked;
        request->answer.amount.minor = 0;
        setpay_log_error(
            reason, "network.authorisation", setpay_field_text("line", request->route->name),
            setpay_field_int("stan", request->trace.stan),
            setpay_field_text("outcome",
                              outcome == SETPAY_NETWORK_NOT_SENT ? "not_sent" : "unknown"));
    }
    request_end(request);
}

static void authorisation_start(void *arg)
{
    struct request *request = arg;
    struct setpay_network *network = request->network;
    request->timer = evtimer_new(network->base, on_request_timer, request);
    enum setpay_error error = request->timer == NULL
                                  ? SETPAY_E_NOMEM
                                  : setpay_line_send(request->route->line, &request->frame);
    if (error != SETPAY_OK) {
        COUNT(network, authorisations_not_sent);
        authorisation_end(request, SETPAY_NETWORK_NOT_SENT, error);
        return;
    }
    COUNT(network, authorisations_sent);
    request_list(request);
    timer_start(request, network->config.answer_timeout_ms);
}

static void on_authorisation_answer(struct route *route, const struct setpay_iso_message *message)
{
    struct setpay_network *network = route->network;
    struct request *request = request_find(network, message, false);
    uint64_t stan = 0;
    if (request == NULL || request->route != route) {
        COUNT(network, answers_unmatched);
        if (setpay_iso_get_number(message, SETPAY_ISO_STAN, &stan) != SETPAY_OK)
            stan = 0;
        setpay_log(SETPAY_LOG_WARN, "network.unmatched", setpay_field_text("line", route->name),
                   setpay_field_text("mti", message->mti), setpay_field_int("stan", (int64_t)stan));
        return;
    }
    enum setpay_error error = setpay_answer_read_authorisation(message, &request->trace,
                                                               &request->asked, &request->answer);
    if (error != SETPAY_OK) {
        /* Not an answer to what was asked: the request goes on waiting, and ends in a reversal. */
        COUNT(network, malformed);
        setpay_log_error(error, "network.answer_refused", setpay_field_text("line", route->name),
                         setpay_field_int("stan", request->trace.stan));
        return;
    }
    COUNT(network, authorisations_answered);
    authorisation_end(request, SETPAY_NETWORK_ANSWERED, SETPAY_OK);
}

/* ------------------------------------------------------------------ reversals */

static void reversal_leave(struct request *request)
{
    if (request->is_in_flight)
        request->route->in_flight_count--;
    else
        TAILQ_REMOVE(&request->route->due, request, in_due);
    request->is_in_flight = false;
}

static void reversal_make_due(struct request *request)
{
    evtimer_del(request->timer);
    if (request->is_in_flight) {
        request->is_in_flight = false;
        request->route->in_flight_count--;
        TAILQ_INSERT_TAIL(&request->route->due, request, in_due);
    }
}

static void reversal_end(struct request *request, const char *response_code)
{
    reversal_leave(request);
    LIST_REMOVE(request, in_reversals);
    request->ack.handle = request->handle;
    request->ack.sent_count = request->sent_count;
    request->ack.acknowledged = response_code != NULL;
    if (response_code != NULL)
        memcpy(request->ack.response_code, response_code, sizeof(request->ack.response_code));
    atomic_fetch_sub(&request->network->figures.reversals_open, 1);
    request_end(request);
}

/* Sends one that is due. The frame stays for the next repeat. */
static enum setpay_error reversal_send(struct request *request)
{
    struct setpay_network *network = request->network;
    struct setpay_secret copy = {0};
    enum setpay_error error = setpay_secret_copy(&copy, setpay_secret_view(&request->frame));
    if (error == SETPAY_OK)
        error = setpay_line_send(request->route->line, &copy);
    setpay_secret_clear(&copy);
    if (error != SETPAY_OK)
        return error;
    COUNT(network, reversals_sent);
    if (request->repeated)
        COUNT(network, reversals_repeated);
    setpay_request_mark_repeat(&request->frame);
    request->repeated = true;
    request->sent_count++;
    TAILQ_REMOVE(&request->route->due, request, in_due);
    request->is_in_flight = true;
    request->route->in_flight_count++;
    timer_start(request, request->repeat_ms);
    request->repeat_ms *= 2;
    if (request->repeat_ms > network->config.repeat_max_ms)
        request->repeat_ms = network->config.repeat_max_ms;
    return SETPAY_OK;
}

static void reversals_pump(struct route *route)
{
    struct request *request;
    while (setpay_line_is_up(route->line) &&
           route->in_flight_count < SETPAY_NETWORK_REVERSALS_AT_ONCE &&
           (request = TAILQ_FIRST(&route->due)) != NULL) {
        if (reversal_send(request) != SETPAY_OK) {
            /* The line takes no more now: this one's timer starts the pump again. */
            timer_start(request, route->network->config.repeat_min_ms);
            return;
        }
    }
}

static void reversal_start(void *arg)
{
    struct request *request = arg;
    struct setpay_network *network = request->network;
    request->timer = evtimer_new(network->base, on_request_timer, request);
    LIST_INSERT_HEAD(&network->reversals, request, in_reversals);
    TAILQ_INSERT_TAIL(&request->route->due, request, in_due);
    atomic_fetch_add(&network->figures.reversals_open, 1);
    if (request->timer == NULL || atomic_load(&network->draining)) {
        reversal_end(request, NULL);
        return;
    }
    request_list(request);
    reversals_pump(request->route);
}

/* 00: reversed. 21, 25: the issuer has nothing of the kind. All else is no acknowledgement. */
static bool acknowledges(const char *response_code)
{
    return strcmp(response_code, "00") == 0 || strcmp(response_code, "21") == 0 ||
           strcmp(response_code, "25") == 0;
}

static void on_reversal_answer(struct route *route, const struct setpay_iso_message *message)
{
    struct setpay_network *network = route->network;
    struct request *request = request_find(network, message, true);
    char code[3] = "";
    if (request == NULL || request->route != route) {
        COUNT(network, answers_unmatched);
        setpay_log(SETPAY_LOG_INFO, "network.unmatched", setpay_field_text("line", route->name),
                   setpay_field_text("mti", message->mti));
        return;
    }
    if (setpay_iso_get_text(message, SETPAY_ISO_RESPONSE_CODE, code, sizeof(code)) != SETPAY_OK ||
        !acknowledges(code)) {
        setpay_log(SETPAY_LOG_WARN, "network.reversal_refused",
                   setpay_field_text("line", route->name),
                   setpay_field_int("stan", request->trace.stan),
                   setpay_field_text("response_code", code));
        return;
    }
    COUNT(network, reversals_acknowledged);
    reversal_end(request, code);
    reversals_pump(route);
}

/* ------------------------------------------------------------------ what lines and timers say */

static void on_request_timer(evutil_socket_t fd, short events, void *arg)
{
    struct request *request = arg;
    (void)fd;
    (void)events;
    if (request->is_reversal) {
        reversal_make_due(request);
        reversals_pump(request->route);
        return;
    }
    COUNT(request->network, authorisations_timed_out);
    authorisation_end(request, SETPAY_NETWORK_UNKNOWN, SETPAY_E_TIMEOUT);
}

/* All that was sent on this line and not answered: authorisations end as unknown, reversals are due
 * again and go out as soon as the line is back. */
static void route_lost(struct route *route)
{
    struct setpay_network *network = route->network;
    struct request *request;
    struct request *next;
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        for (request = LIST_FIRST(&network->table[i]); request != NULL; request = next) {
            next = LIST_NEXT(request, in_bucket);
            if (request->route != route)
                continue;
            if (request->is_reversal) {
                request->repeat_ms = network->config.repeat_min_ms;
                reversal_make_due(request);
            } else {
                COUNT(network, authorisations_lost);
                authorisation_end(request, SETPAY_NETWORK_UNKNOWN, SETPAY_E_CLOSED);
            }
        }
    }
}

static void on_line_event(void *arg, enum setpay_line_event event)
{
    struct route *route = arg;
    struct setpay_network *network = route->network;
    switch (event) {
    case SETPAY_LINE_SIGNED_ON:
        COUNT(network, sign_ons);
        COUNT(network, lines_up);
        reversals_pump(route);
        break;
    case SETPAY_LINE_SIGN_ON_REFUSED:
        COUNT(network, sign_ons_refused);
        break;
    case SETPAY_LINE_ECHOED:
        COUNT(network, echoes);
        break;
    case SETPAY_LINE_LOST:
        COUNT(network, connections_lost);
        atomic_fetch_sub(&network->figures.lines_up, 1);
        route_lost(route);
        break;
    case SETPAY_LINE_MALFORMED:
        COUNT(network, malformed);
        break;
    }
}

static void on_line_message(void *arg, const struct setpay_iso_message *message)
{
    struct route *route = arg;
    if (strcmp(message->mti, "0110") == 0)
        on_authorisation_answer(route, message);
    else if (strcmp(message->mti, "0410") == 0)
        on_reversal_answer(route, message);
    else
        setpay_log(SETPAY_LOG_WARN, "network.not_taken", setpay_field_text("line", route->name),
                   setpay_field_text("mti", message->mti));
}

static void on_line_trace(void *arg, struct setpay_network_trace *trace)
{
    struct route *route = arg;
    setpay_network_trace_allocate(route->network, trace);
}

/* ------------------------------------------------------------------ requests, on any thread */

/* The route with the longest prefix of this PAN. */
static struct route *route_find(struct setpay_network *network, struct setpay_view pan)
{
    struct route *best = NULL;
    int best_size = -1;
    for (size_t i = 0; i < network->route_count; i++) {
        int size = setpay_prefixes_match(&network->routes[i].prefixes, pan);
        if (size > best_size) {
            best = &network->routes[i];
            best_size = size;
        }
    }
    return best;
}

/* Takes one of max places. */
static bool place_take(atomic_uint *count, unsigned max)
{
    if (atomic_fetch_add(count, 1) < max)
        return true;
    atomic_fetch_sub(count, 1);
    return false;
}

/* Hands a built request to the network's thread. On error the request is freed and nothing taken.
 */
static enum setpay_error request_hand_over(struct request *request, atomic_uint *count,
                                           unsigned max, setpay_job_fn *start)
{
    struct setpay_network *network = request->network;
    enum setpay_error error;
    if (atomic_load(&network->draining)) {
        request_free(request);
        return SETPAY_E_DRAINING;
    }
    if (!place_take(count, max)) {
        request_free(request);
        return SETPAY_E_BUSY;
    }
    error = request->reply.reserve(request->reply.self);
    if (error == SETPAY_OK) {
        error = network->own.post(network->own.self, start, request);
        if (error != SETPAY_OK)
            request->reply.release(request->reply.self);
    }
    if (error != SETPAY_OK) {
        atomic_fetch_sub(count, 1);
        request_free(request);
    }
    return error;
}

/* No line for this PAN is an answer, not an error: told by callback as any other. */
static void authorisation_refuse(void *arg)
{
    COUNT(((struct request *)arg)->network, authorisations_not_sent);
    request_end(arg);
}

enum setpay_error setpay_network_authorise(struct setpay_network *network,
                                           struct setpay_network_authorisation *request,
                                           const struct setpay_executor *reply,
                                           setpay_network_answer_cb *done, void *arg)
{
    struct request *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->network = network;
    made->trace = request->trace;
    made->asked = request->amount;
    made->reply = *reply;
    made->answered_cb = done;
    made->arg = arg;
    made->answer = (struct setpay_network_answer){.outcome = SETPAY_NETWORK_NOT_SENT,
                                                  .reason = SETPAY_E_UNREACHABLE,
                                                  .trace = request->trace,
                                                  .amount = request->amount};
    made->answer.amount.minor = 0;
    enum setpay_error error =
        setpay_request_build_authorisation(&network->sender, request, &made->frame);
    if (error != SETPAY_OK) {
        request_free(made);
        return error;
    }
    made->route = route_find(network, setpay_secret_view(&request->pan));
    error = request_hand_over(made, &network->authorisation_count, SETPAY_NETWORK_REQUESTS_MAX,
                              made->route == NULL ? authorisation_refuse : authorisation_start);
    if (error == SETPAY_OK)
        setpay_network_authorisation_clear(request);
    return error;
}

enum setpay_error setpay_network_reverse(struct setpay_network *network,
                                         struct setpay_network_reversal *reversal,
                                         const struct setpay_executor *reply,
                                         setpay_network_acknowledged_cb *done, void *arg,
                                         uint64_t *handle)
{
    struct route *route = route_find(network, setpay_secret_view(&reversal->pan));
    if (route == NULL)
        return SETPAY_E_NOT_FOUND;
    struct request *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->network = network;
    made->route = route;
    made->is_reversal = true;
    made->reply = *reply;
    made->acknowledged_cb = done;
    made->arg = arg;
    made->repeat_ms = network->config.repeat_min_ms;
    made->repeated = reversal->repeated;
    uint64_t number = atomic_fetch_add(&network->next_handle, 1);
    made->handle = number;
    setpay_network_trace_allocate(network, &made->trace);
    enum setpay_error error =
        setpay_request_build_reversal(&network->sender, &made->trace, reversal, &made->frame);
    if (error != SETPAY_OK) {
        request_free(made);
        return error;
    }
    if (reversal->repeated)
        setpay_request_mark_repeat(&made->frame);
    error = request_hand_over(made, &network->reversal_count, SETPAY_NETWORK_REVERSALS_MAX,
                              reversal_start);
    if (error != SETPAY_OK)
        return error;
    setpay_network_reversal_clear(reversal);
    if (handle != NULL)
        *handle = number;
    return SETPAY_OK;
}

struct stop_job {
    struct setpay_network *network;
    uint64_t handle; /* 0: all */
};

static void reversals_stop(struct setpay_network *network, uint64_t handle)
{
    struct request *next;
    for (struct request *r = LIST_FIRST(&network->reversals); r != NULL; r = next) {
        next = LIST_NEXT(r, in_reversals);
        if (handle == 0 || r->handle == handle)
            reversal_end(r, NULL);
    }
}

static void on_stop(void *arg)
{
    struct stop_job *job = arg;
    reversals_stop(job->network, job->handle);
    free(job);
}

enum setpay_error setpay_network_reverse_stop(struct setpay_network *network, uint64_t handle)
{
    struct stop_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return SETPAY_E_NOMEM;
    *job = (struct stop_job){.network = network, .handle = handle};
    enum setpay_error error = network->own.post(network->own.self, on_stop, job);
    if (error != SETPAY_OK)
        free(job);
    return error;
}

static void on_drain(void *arg)
{
    reversals_stop(arg, 0);
}

enum setpay_error setpay_network_drain(struct setpay_network *network)
{
    atomic_store(&network->draining, true);
    return network->own.post(network->own.self, on_drain, network);
}

bool setpay_network_is_up(const struct setpay_network *network)
{
    return atomic_load(&network->figures.lines_up) == network->route_count;
}

void setpay_network_figures(const struct setpay_network *network,
                            struct setpay_network_figures *figures)
{
    const struct figures *f = &network->figures;
    *figures = (struct setpay_network_figures){
        .lines = network->route_count,
        .lines_up = atomic_load(&f->lines_up),
        .authorisations_sent = atomic_load(&f->authorisations_sent),
        .authorisations_answered = atomic_load(&f->authorisations_answered),
        .authorisations_timed_out = atomic_load(&f->authorisations_timed_out),
        .authorisations_not_sent = atomic_load(&f->authorisations_not_sent),
        .authorisations_lost = atomic_load(&f->authorisations_lost),
        .answers_unmatched = atomic_load(&f->answers_unmatched),
        .reversals_open = atomic_load(&f->reversals_open),
        .reversals_sent = atomic_load(&f->reversals_sent),
        .reversals_repeated = atomic_load(&f->reversals_repeated),
        .reversals_acknowledged = atomic_load(&f->reversals_acknowledged),
        .sign_ons = atomic_load(&f->sign_ons),
        .sign_ons_refused = atomic_load(&f->sign_ons_refused),
        .echoes = atomic_load(&f->echoes),
        .connections_lost = atomic_load(&f->connections_lost),
        .malformed = atomic_load(&f->malformed),
    };
}

/* ------------------------------------------------------------------ making and ending */

void setpay_network_config_defaults(struct setpay_network_config *config)
{
    *config = (struct setpay_network_config){
        .terminal_id = "SETPAY01",
        .answer_timeout_ms = 10 * SETPAY_SECOND_MS,
        .echo_interval_ms = SETPAY_MINUTE_MS,
        .reconnect_min_ms = 100,
        .reconnect_max_ms = 10 * SETPAY_SECOND_MS,
        .repeat_min_ms = 2 * SETPAY_SECOND_MS,
        .repeat_max_ms = SETPAY_MINUTE_MS,
    };
}

static enum setpay_error config_check(const struct setpay_network_config *config,
                                      struct setpay_problem *problem)
{
    size_t acquirer_size = config->acquirer_id == NULL ? 0 : strlen(config->acquirer_id);
    size_t terminal_size = config->terminal_id == NULL ? 0 : strlen(config->terminal_id);
    if (config->route_count == 0 || config->route_count > SETPAY_NETWORK_ROUTES_MAX)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "%zu issuers are configured, expected 1 to %d",
                                  config->route_count, SETPAY_NETWORK_ROUTES_MAX);
    if (acquirer_size == 0 || acquirer_size > 11 ||
        strspn(config->acquirer_id, "0123456789") != acquirer_size)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "the acquirer's id must be 1 to 11 digits");
    if (terminal_size == 0 || terminal_size > 8)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "the terminal's id must be 1 to 8 characters");
    if (config->stan_first > STAN_MAX || config->answer_timeout_ms <= 0 ||
        config->echo_interval_ms <= 0 || config->reconnect_min_ms <= 0 ||
        config->reconnect_max_ms < config->reconnect_min_ms || config->repeat_min_ms <= 0 ||
        config->repeat_max_ms < config->repeat_min_ms)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "a time of the issuer network is not above zero, or a maximum "
                                  "below its minimum");
    return SETPAY_OK;
}

static enum setpay_error route_init(struct setpay_network *network, struct route *route,
                                    const struct setpay_network_route *from,
                                    struct setpay_problem *problem)
{
    struct setpay_address address;
    TAILQ_INIT(&route->due);
    route->network = network;
    snprintf(route->name, sizeof(route->name), "%s", from->name);
    if (from->tls_name != NULL)
        snprintf(route->tls_name, sizeof(route->tls_name), "%s", from->tls_name);
    SETPAY_TRY(setpay_prefixes_parse(from->prefixes, &route->prefixes, problem));
    SETPAY_TRY(setpay_address_parse(from->address, &address, problem));
    if (from->tls == NULL && !setpay_address_is_loopback(&address))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "issuer %s: %s is not on loopback and needs TLS", from->name,
                                  from->address);
    if (from->tls != NULL && route->tls_name[0] == '\0')
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "issuer %s: TLS needs the name of its certificate", from->name);
    const struct setpay_line_config line = {
        .name = route->name,
        .address = address.storage,
        .address_size = address.size,
        .tls = from->tls,
        .tls_name = route->tls_name,
        .answer_timeout_ms = network->config.answer_timeout_ms,
        .echo_interval_ms = network->config.echo_interval_ms,
        .reconnect_min_ms = network->config.reconnect_min_ms,
        .reconnect_max_ms = network->config.reconnect_max_ms,
        .arg = route,
        .trace_cb = on_line_trace,
        .event_cb = on_line_event,
        .message_cb = on_line_message,
    };
    return setpay_line_new(&line, network->base, &route->line);
}

/* Where numbering starts: a restart within one second must not use a number of that second again.
 */
static enum setpay_error stan_start(uint32_t configured, uint32_t *stan)
{
    struct setpay_id random;
    *stan = configured;
    if (configured != 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_id_random(&random));
    *stan = setpay_read_u32be(random.bytes) % STAN_MAX + 1;
    return SETPAY_OK;
}

enum setpay_error setpay_network_new(const struct setpay_network_config *config,
                                     struct event_base *base, const struct setpay_executor *own,
                                     struct setpay_network **network,
                                     struct setpay_problem *problem)
{
    uint32_t stan;
    SETPAY_TRY(config_check(config, problem));
    SETPAY_TRY(stan_start(config->stan_first, &stan));
    struct setpay_network *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    pthread_mutex_init(&made->stan_lock, NULL);
    made->config = *config;
    made->base = base;
    made->own = *own;
    made->stan_next = stan;
    atomic_init(&made->next_handle, 1);
    snprintf(made->sender.acquirer_id, sizeof(made->sender.acquirer_id), "%s", config->acquirer_id);
    snprintf(made->sender.terminal_id, sizeof(made->sender.terminal_id), "%s", config->terminal_id);
    enum setpay_error error = SETPAY_E_NOMEM;
    made->routes = calloc(config->route_count, sizeof(*made->routes));
    if (made->routes == NULL)
        goto out;
    for (size_t i = 0; i < config->route_count; i++) {
        error = route_init(made, &made->routes[i], &config->routes[i], problem);
        made->route_count = i + 1;
        if (error != SETPAY_OK)
            goto out;
    }
    *network = made;
    made = NULL;
    error = SETPAY_OK;
out:
    setpay_network_free(made);
    return error;
}

void setpay_network_free(struct setpay_network *network)
{
    if (network == NULL)
        return;
    reversals_stop(network, 0);
    for (size_t i = 0; i < network->route_count; i++) {
        route_lost(&network->routes[i]);
        setpay_line_free(network->routes[i].line);
    }
    free(network->routes);
    pthread_mutex_destroy(&network->stan_lock);
    free(network);
}
