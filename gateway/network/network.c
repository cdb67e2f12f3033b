/*
 * The network as a whole: its making and ending, trace numbers, what lines say, figures.
 *
 * Callers' threads build and check each message, reserve the place of its answer, and post it; all
 * else happens on the network's loop, so that nothing but the figures, the trace numbers, two
 * counts and two flags is shared. Card data lies only in the frames.
 */
#include "gateway/network/network.h"

#include "common/base/log.h"
#include "common/net/listen.h"
#include "common/net/metrics.h"
#include "gateway/network/pending.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAN_MAX 999999

/* ------------------------------------------------------------------ figures */

static const char *const event_names[] = {
#define SETPAY_NETWORK_ROW(name) #name,
    SETPAY_NETWORK_EVENTS(SETPAY_NETWORK_ROW)
#undef SETPAY_NETWORK_ROW
        NULL};
static struct setpay_metric events_metric = {
    .name = "setpay_network_events_total",
    .help = "What happened on the lines to the issuers.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"event", event_names}},
};
static struct setpay_metric lines_all_metric = {
    .name = "setpay_network_lines",
    .help = "Lines to issuers that the configuration names.",
    .type = SETPAY_METRIC_GAUGE,
};
static struct setpay_metric lines_metric = {
    .name = "setpay_network_lines_up",
    .help = "Lines to issuers that are signed on.",
    .type = SETPAY_METRIC_GAUGE,
};
static struct setpay_metric reversals_metric = {
    .name = "setpay_network_reversals_open",
    .help = "Reversals that no issuer has acknowledged yet.",
    .type = SETPAY_METRIC_GAUGE,
};
static struct setpay_metric presentments_metric = {
    .name = "setpay_network_presentments_open",
    .help = "Presentments with the network that no issuer has answered yet.",
    .type = SETPAY_METRIC_GAUGE,
};
static struct setpay_metric advices_metric = {
    .name = "setpay_network_advices_open",
    .help = "Advices of authorisations in an issuer's stead that it has not answered yet.",
    .type = SETPAY_METRIC_GAUGE,
};
static struct setpay_metric answer_metric = {
    .name = "setpay_network_answer_seconds",
    .help = "From sending an authorisation to the issuer's answer.",
    .type = SETPAY_METRIC_HISTOGRAM,
};

void setpay_network_count(struct setpay_network *network, enum setpay_network_event event)
{
    atomic_fetch_add(&network->events[event], 1);
    setpay_metric_add(&events_metric, (size_t)event, 0, 1);
}

void setpay_network_count_line_up(struct setpay_network *network, int change)
{
    atomic_fetch_add(&network->lines_up, (uint_fast64_t)(int64_t)change);
    setpay_metric_add(&lines_metric, 0, 0, change);
}

void setpay_network_count_open(const struct setpay_pending *request, int change)
{
    struct setpay_network *network = request->network;
    if (request->reconciles)
        return;
    atomic_fetch_add(request->advises    ? &network->advices_open
                     : request->presents ? &network->presentments_open
                                         : &network->reversals_open,
                     (uint_fast64_t)(int64_t)change);
    setpay_metric_add(request->advises    ? &advices_metric
                      : request->presents ? &presentments_metric
                                          : &reversals_metric,
                      0, 0, change);
}

void setpay_network_observe_answer(int64_t microseconds)
{
    setpay_metric_observe(&answer_metric, 0, 0, microseconds);
}

/* So that all show as 0 from the start. */
static enum setpay_error metrics_register(void)
{
    SETPAY_TRY(setpay_metric_register(&events_metric));
    SETPAY_TRY(setpay_metric_register(&lines_all_metric));
    SETPAY_TRY(setpay_metric_register(&lines_metric));
    SETPAY_TRY(setpay_metric_register(&reversals_metric));
    SETPAY_TRY(setpay_metric_register(&presentments_metric));
    SETPAY_TRY(setpay_metric_register(&advices_metric));
    return setpay_metric_register(&answer_metric);
}

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

/* ------------------------------------------------------------------ what lines and timers say */

/* All that was sent on this line and not answered: authorisations end as unknown, reversals are due
 * again and go out as soon as the line is back. */
static void route_lost(struct setpay_route *route)
{
    struct setpay_network *network = route->network;
    struct setpay_pending *request;
    struct setpay_pending *next;
    for (size_t i = 0; i < SETPAY_NETWORK_BUCKETS; i++) {
        for (request = LIST_FIRST(&network->table[i]); request != NULL; request = next) {
            next = LIST_NEXT(request, in_bucket);
            if (request->route != route)
                continue;
            if (request->is_reversal) {
                request->repeat_ms = network->config.repeat_min_ms;
                setpay_reverse_make_due(request);
            } else {
                SETPAY_NETWORK_COUNT(network, authorisations_lost);
                setpay_authorise_end(request, SETPAY_NETWORK_UNKNOWN, SETPAY_E_CLOSED);
            }
        }
    }
}

static void on_line_event(void *arg, enum setpay_line_event event)
{
    struct setpay_route *route = arg;
    struct setpay_network *network = route->network;
    switch (event) {
    case SETPAY_LINE_SIGNED_ON:
        SETPAY_NETWORK_COUNT(network, sign_ons);
        setpay_network_count_line_up(network, 1);
        atomic_store(&route->is_up, true);
        setpay_reverse_pump(route);
        break;
    case SETPAY_LINE_SIGN_ON_REFUSED:
        SETPAY_NETWORK_COUNT(network, sign_ons_refused);
        break;
    case SETPAY_LINE_ECHOED:
        SETPAY_NETWORK_COUNT(network, echoes);
        break;
    case SETPAY_LINE_LOST:
        SETPAY_NETWORK_COUNT(network, connections_lost);
        atomic_store(&route->down_since_ms, setpay_clock_monotonic_ms());
        atomic_store(&route->is_up, false);
        setpay_network_count_line_up(network, -1);
        route_lost(route);
        break;
    case SETPAY_LINE_SIGNED_OFF:
        SETPAY_NETWORK_COUNT(network, sign_offs);
        setpay_sign_off_next(network);
        break;
    case SETPAY_LINE_FAILED:
        SETPAY_NETWORK_COUNT(network, connections_failed);
        break;
    case SETPAY_LINE_MALFORMED:
        SETPAY_NETWORK_COUNT(network, malformed);
        break;
    }
}

static void on_line_message(void *arg, const struct setpay_iso_message *message)
{
    struct setpay_route *route = arg;
    if (strcmp(message->mti, "0110") == 0 || strcmp(message->mti, "0210") == 0)
        setpay_authorise_on_answer(route, message);
    else if (strcmp(message->mti, "0130") == 0 || strcmp(message->mti, "0410") == 0 ||
             strcmp(message->mti, "0430") == 0 || strcmp(message->mti, "0230") == 0 ||
             strcmp(message->mti, "0510") == 0)
        setpay_reverse_on_answer(route, message);
    else
        setpay_log(SETPAY_LOG_WARN, "network.not_taken", setpay_field_text("line", route->name),
                   setpay_field_text("mti", message->mti));
}

static void on_line_trace(void *arg, struct setpay_network_trace *trace)
{
    struct setpay_route *route = arg;
    setpay_network_trace_allocate(route->network, trace);
}

bool setpay_network_is_up(const struct setpay_network *network)
{
    return atomic_load(&network->lines_up) == network->route_count;
}

bool setpay_network_is_any_up(const struct setpay_network *network)
{
    return atomic_load(&network->lines_up) > 0;
}

void setpay_network_route_name(struct setpay_network *network, const struct setpay_secret *pan,
                               char name[SETPAY_NETWORK_NAME_SIZE])
{
    const struct setpay_route *route = setpay_pending_find_route(network, setpay_secret_view(pan));
    snprintf(name, SETPAY_NETWORK_NAME_SIZE, "%s", route == NULL ? "" : route->name);
}

void setpay_network_each_route(struct setpay_network *network, setpay_network_route_fn *each,
                               void *arg)
{
    for (size_t i = 0; i < network->route_count; i++)
        each(arg, network->routes[i].name, atomic_load(&network->routes[i].is_up));
}

bool setpay_network_may_reach(struct setpay_network *network, const struct setpay_secret *pan)
{
    struct setpay_route *route = setpay_pending_find_route(network, setpay_secret_view(pan));
    return route == NULL || atomic_load(&route->is_up);
}

int64_t setpay_network_down_ms(struct setpay_network *network, const struct setpay_secret *pan)
{
    struct setpay_route *route = setpay_pending_find_route(network, setpay_secret_view(pan));
    if (route == NULL || atomic_load(&route->is_up))
        return 0;
    int64_t down_ms = setpay_clock_monotonic_ms() - atomic_load(&route->down_since_ms);
    return down_ms > 0 ? down_ms : 1; /* since just now */
}

void setpay_network_figures(const struct setpay_network *network,
                            struct setpay_network_figures *figures)
{
    memset(figures, 0, sizeof(*figures));
    figures->lines = network->route_count;
    figures->lines_up = atomic_load(&network->lines_up);
    figures->reversals_open = atomic_load(&network->reversals_open);
    figures->presentments_open = atomic_load(&network->presentments_open);
    figures->advices_open = atomic_load(&network->advices_open);
#define SETPAY_NETWORK_ROW(name)                                                                   \
    figures->name = atomic_load(&network->events[SETPAY_NETWORK_EVENT_##name]);
    SETPAY_NETWORK_EVENTS(SETPAY_NETWORK_ROW)
#undef SETPAY_NETWORK_ROW
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

enum setpay_error setpay_network_config_check(const struct setpay_network_config *config,
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

static enum setpay_error route_init(struct setpay_network *network, struct setpay_route *route,
                                    const struct setpay_network_route *from,
                                    struct setpay_problem *problem)
{
    struct setpay_address address;
    TAILQ_INIT(&route->due);
    route->network = network;
    atomic_store(&route->down_since_ms, setpay_clock_monotonic_ms());
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
    SETPAY_TRY(setpay_network_config_check(config, problem));
    SETPAY_TRY(stan_start(config->stan_first, &stan));
    SETPAY_TRY(metrics_register());
    setpay_metric_set(&lines_all_metric, 0, 0, (int64_t)config->route_count);
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

void setpay_network_take_tls(struct setpay_network *network, struct ssl_ctx_st *const *tls)
{
    for (size_t i = 0; i < network->route_count; i++)
        setpay_line_take_tls(network->routes[i].line, tls[i]);
}

void setpay_network_free(struct setpay_network *network)
{
    if (network == NULL)
        return;
    setpay_reverse_stop_all(network, 0);
    setpay_sign_off_stop(network);
    for (size_t i = 0; i < network->route_count; i++) {
        route_lost(&network->routes[i]);
        if (network->routes[i].line != NULL && setpay_line_is_up(network->routes[i].line))
            setpay_network_count_line_up(network, -1);
        setpay_line_free(network->routes[i].line);
    }
    free(network->routes);
    pthread_mutex_destroy(&network->stan_lock);
    free(network);
}
