/*
 * Reversals, advices, presentments and reconciliations: sent as 0400, 0420, 0120, 0220 or 0500, and
 * again as 0401, 0421, 0121, 0221 or 0501, until an answer takes them or they are stopped. They
 * differ in their messages and in what an answer means.
 *
 * What always holds: each is due (in its route's queue), in flight (sent, its timer runs) or
 * gone; at most SETPAY_NETWORK_REVERSALS_AT_ONCE of a route are in flight. When a line is lost, all
 * of them are due again, and go out as soon as it is back.
 */
#include "gateway/network/pending.h"

#include "common/base/log.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

static void reversal_leave(struct setpay_pending *request)
{
    if (request->is_in_flight)
        request->route->in_flight_count--;
    else
        TAILQ_REMOVE(&request->route->due, request, in_due);
    request->is_in_flight = false;
}

void setpay_reverse_make_due(struct setpay_pending *request)
{
    evtimer_del(request->timer);
    if (request->is_in_flight) {
        request->is_in_flight = false;
        request->route->in_flight_count--;
        TAILQ_INSERT_TAIL(&request->route->due, request, in_due);
    }
}

static void reversal_end(struct setpay_pending *request, const char *response_code)
{
    reversal_leave(request);
    LIST_REMOVE(request, in_reversals);
    request->ack.handle = request->handle;
    request->ack.sent_count = request->sent_count;
    request->ack.acknowledged = response_code != NULL;
    if (response_code != NULL)
        memcpy(request->ack.response_code, response_code, sizeof(request->ack.response_code));
    setpay_network_count_open(request, -1);
    setpay_pending_end(request);
}

static void count_sent(const struct setpay_pending *request)
{
    struct setpay_network *network = request->network;
    if (request->reconciles) {
        SETPAY_NETWORK_COUNT(network, reconciliations_sent);
        if (request->repeated)
            SETPAY_NETWORK_COUNT(network, reconciliations_repeated);
    } else if (request->advises) {
        SETPAY_NETWORK_COUNT(network, advices_sent);
        if (request->repeated)
            SETPAY_NETWORK_COUNT(network, advices_repeated);
    } else if (request->presents) {
        SETPAY_NETWORK_COUNT(network, presentments_sent);
        if (request->repeated)
            SETPAY_NETWORK_COUNT(network, presentments_repeated);
    } else {
        SETPAY_NETWORK_COUNT(network, reversals_sent);
        if (request->repeated)
            SETPAY_NETWORK_COUNT(network, reversals_repeated);
    }
}

/* Sends one that is due. The frame stays for the next repeat. */
static enum setpay_error reversal_send(struct setpay_pending *request)
{
    struct setpay_network *network = request->network;
    struct setpay_secret copy = {0};
    enum setpay_error error = setpay_secret_copy(&copy, setpay_secret_view(&request->frame));
    if (error == SETPAY_OK)
        error = setpay_line_send(request->route->line, &copy);
    setpay_secret_clear(&copy);
    if (error != SETPAY_OK)
        return error;
    count_sent(request);
    setpay_request_mark_repeat(&request->frame);
    request->repeated = true;
    request->sent_count++;
    TAILQ_REMOVE(&request->route->due, request, in_due);
    request->is_in_flight = true;
    request->route->in_flight_count++;
    setpay_pending_start_timer(request, request->repeat_ms);
    request->repeat_ms *= 2;
    if (request->repeat_ms > network->config.repeat_max_ms)
        request->repeat_ms = network->config.repeat_max_ms;
    return SETPAY_OK;
}

void setpay_reverse_pump(struct setpay_route *route)
{
    struct setpay_pending *request;
    while (setpay_line_is_up(route->line) &&
           route->in_flight_count < SETPAY_NETWORK_REVERSALS_AT_ONCE &&
           (request = TAILQ_FIRST(&route->due)) != NULL) {
        if (reversal_send(request) != SETPAY_OK) {
            /* The line takes no more now: this one's timer starts the pump again. */
            setpay_pending_start_timer(request, route->network->config.repeat_min_ms);
            return;
        }
    }
}

static void reversal_start(void *arg)
{
    struct setpay_pending *request = arg;
    struct setpay_network *network = request->network;
    request->timer = evtimer_new(network->base, setpay_pending_on_timer, request);
    LIST_INSERT_HEAD(&network->reversals, request, in_reversals);
    TAILQ_INSERT_TAIL(&request->route->due, request, in_due);
    setpay_network_count_open(request, 1);
    if (request->timer == NULL || atomic_load(&network->draining)) {
        reversal_end(request, NULL);
        return;
    }
    setpay_pending_list(request);
    setpay_reverse_pump(request->route);
}

/* Of a reversal: 00, reversed; 21, 25, the issuer has nothing of the kind; all else is no
 * acknowledgement. Of the others: all but the codes by which an issuer says "not now". */
static bool acknowledges(const struct setpay_pending *request, const char *response_code)
{
    if (request->presents || request->reconciles || request->advises)
        return strcmp(response_code, "30") != 0 && strcmp(response_code, "91") != 0 &&
               strcmp(response_code, "96") != 0;
    return strcmp(response_code, "00") == 0 || strcmp(response_code, "21") == 0 ||
           strcmp(response_code, "25") == 0;
}

/* Whether the answer is about what was sent. */
static enum setpay_error check_subject(struct setpay_pending *request,
                                       const struct setpay_iso_message *message)
{
    if (request->reconciles)
        return setpay_reconcile_read(request, message) ? SETPAY_OK : SETPAY_E_FIELD;
    return setpay_answer_check_subject(message, &request->network->sender, request->rrn,
                                       &request->asked);
}

void setpay_reverse_on_answer(struct setpay_route *route, const struct setpay_iso_message *message)
{
    struct setpay_network *network = route->network;
    struct setpay_pending *request = setpay_pending_find(network, message, true);
    char code[3] = "";
    if (request == NULL || request->route != route ||
        strcmp(request->answer_mti, message->mti) != 0) {
        SETPAY_NETWORK_COUNT(network, answers_unmatched);
        setpay_log(SETPAY_LOG_INFO, "network.unmatched", setpay_field_text("line", route->name),
                   setpay_field_text("mti", message->mti));
        return;
    }
    enum setpay_error error = check_subject(request, message);
    if (error != SETPAY_OK) {
        /* Not an answer to this reversal, which goes on being repeated. */
        SETPAY_NETWORK_COUNT(network, malformed);
        setpay_log_error(error, "network.answer_refused", setpay_field_text("line", route->name),
                         setpay_field_int("stan", request->trace.stan));
        return;
    }
    if (setpay_iso_get_text(message, SETPAY_ISO_RESPONSE_CODE, code, sizeof(code)) != SETPAY_OK ||
        !acknowledges(request, code)) {
        setpay_log(SETPAY_LOG_WARN,
                   request->reconciles ? "network.reconciliation_refused"
                   : request->advises  ? "network.advice_refused"
                   : request->presents ? "network.presentment_refused"
                                       : "network.reversal_refused",
                   setpay_field_text("line", route->name),
                   setpay_field_int("stan", request->trace.stan),
                   setpay_field_text("response_code", code));
        return;
    }
    if (request->reconciles)
        SETPAY_NETWORK_COUNT(network, reconciliations_answered);
    else if (request->advises)
        SETPAY_NETWORK_COUNT(network, advices_answered);
    else if (request->presents)
        SETPAY_NETWORK_COUNT(network, presentments_answered);
    else
        SETPAY_NETWORK_COUNT(network, reversals_acknowledged);
    reversal_end(request, code);
    setpay_reverse_pump(route);
}

struct setpay_pending *setpay_reverse_new(struct setpay_network *network,
                                          struct setpay_route *route, const char *answer_mti,
                                          bool repeated)
{
    struct setpay_pending *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return NULL;
    made->network = network;
    made->route = route;
    made->is_reversal = true;
    memcpy(made->answer_mti, answer_mti, sizeof made->answer_mti);
    made->repeat_ms = network->config.repeat_min_ms;
    made->repeated = repeated;
    made->handle = atomic_fetch_add(&network->next_handle, 1);
    setpay_network_trace_allocate(network, &made->trace);
    return made;
}

/* The same for what is about an authorisation. */
static struct setpay_pending *pending_new(struct setpay_network *network,
                                          struct setpay_route *route, const char *answer_mti,
                                          const struct setpay_network_trace *original,
                                          const struct setpay_money *amount, bool repeated)
{
    struct setpay_pending *made = setpay_reverse_new(network, route, answer_mti, repeated);
    if (made == NULL)
        return NULL;
    setpay_network_trace_rrn(original, made->rrn);
    made->asked = *amount;
    return made;
}

enum setpay_error setpay_reverse_hand_over(struct setpay_pending *made, enum setpay_error built,
                                           const struct setpay_executor *reply,
                                           setpay_network_acknowledged_cb *done, void *arg)
{
    if (built != SETPAY_OK) {
        setpay_pending_free(made);
        return built;
    }
    made->reply = *reply;
    made->acknowledged_cb = done;
    made->arg = arg;
    if (made->repeated)
        setpay_request_mark_repeat(&made->frame);
    return setpay_pending_hand_over(made, &made->network->reversal_count,
                                    SETPAY_NETWORK_REVERSALS_MAX, reversal_start);
}

enum setpay_error setpay_network_reverse(struct setpay_network *network,
                                         struct setpay_network_reversal *reversal,
                                         const struct setpay_executor *reply,
                                         setpay_network_acknowledged_cb *done, void *arg,
                                         uint64_t *handle)
{
    struct setpay_route *route =
        setpay_pending_find_issuer(network, reversal->issuer, &reversal->pan);
    if (route == NULL)
        return SETPAY_E_NOT_FOUND;
    struct setpay_pending *made =
        pending_new(network, route, reversal->advises ? "0430" : "0410", &reversal->original,
                    &reversal->amount, reversal->repeated);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    uint64_t number = made->handle;
    enum setpay_error built =
        setpay_request_build_reversal(&network->sender, &made->trace, reversal, &made->frame);
    SETPAY_TRY(setpay_reverse_hand_over(made, built, reply, done, arg));
    setpay_network_reversal_clear(reversal);
    if (handle != NULL)
        *handle = number;
    return SETPAY_OK;
}

enum setpay_error setpay_network_present(struct setpay_network *network,
                                         struct setpay_network_presentment *presentment,
                                         const struct setpay_executor *reply,
                                         setpay_network_acknowledged_cb *done, void *arg)
{
    struct setpay_route *route =
        setpay_pending_find_issuer(network, presentment->issuer, &presentment->pan);
    if (route == NULL)
        return SETPAY_E_NOT_FOUND;
    struct setpay_pending *made = pending_new(network, route, "0230", &presentment->original,
                                              &presentment->amount, presentment->repeated);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->presents = true;
    enum setpay_error built =
        setpay_request_build_presentment(&network->sender, &made->trace, presentment, &made->frame);
    SETPAY_TRY(setpay_reverse_hand_over(made, built, reply, done, arg));
    setpay_network_presentment_clear(presentment);
    return SETPAY_OK;
}

enum setpay_error setpay_network_advise(struct setpay_network *network,
                                        struct setpay_network_authorisation *advice, bool repeated,
                                        const struct setpay_executor *reply,
                                        setpay_network_acknowledged_cb *done, void *arg)
{
    struct setpay_route *route = setpay_pending_find_issuer(network, advice->issuer, &advice->pan);
    if (route == NULL)
        return SETPAY_E_NOT_FOUND;
    struct setpay_pending *made =
        pending_new(network, route, "0130", &advice->trace, &advice->amount, repeated);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->advises = true;
    made->trace = advice->trace;
    enum setpay_error built =
        setpay_request_build_authorisation(&network->sender, advice, &made->frame);
    SETPAY_TRY(setpay_reverse_hand_over(made, built, reply, done, arg));
    setpay_network_authorisation_clear(advice);
    return SETPAY_OK;
}

struct stop_job {
    struct setpay_network *network;
    uint64_t handle; /* 0: all */
};

void setpay_reverse_stop_all(struct setpay_network *network, uint64_t handle)
{
    struct setpay_pending *next;
    for (struct setpay_pending *r = LIST_FIRST(&network->reversals); r != NULL; r = next) {
        next = LIST_NEXT(r, in_reversals);
        if (handle == 0 || r->handle == handle)
            reversal_end(r, NULL);
    }
}

static void on_stop(void *arg)
{
    struct stop_job *job = arg;
    setpay_reverse_stop_all(job->network, job->handle);
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
    setpay_reverse_stop_all(arg, 0);
}

enum setpay_error setpay_network_drain(struct setpay_network *network)
{
    atomic_store(&network->draining, true);
    return network->own.post(network->own.self, on_drain, network);
}
