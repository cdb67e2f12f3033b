/*
 * Authorisations: handed in, sent once, and ended once: answered, not sent, or unknown.
 *
 * What always holds: "not sent" means that no byte was given to a line. All else without a proper
 * answer is "unknown", and the caller owes a reversal (rule G7).
 */
#include "gateway/network/pending.h"

#include "common/base/log.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

void setpay_authorise_end(struct setpay_pending *request, enum setpay_network_outcome outcome,
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
    setpay_pending_end(request);
}

static void authorisation_start(void *arg)
{
    struct setpay_pending *request = arg;
    struct setpay_network *network = request->network;
    request->timer = evtimer_new(network->base, setpay_pending_on_timer, request);
    enum setpay_error error = request->timer == NULL
                                  ? SETPAY_E_NOMEM
                                  : setpay_line_send(request->route->line, &request->frame);
    if (error != SETPAY_OK) {
        SETPAY_NETWORK_COUNT(network, authorisations_not_sent);
        setpay_authorise_end(request, SETPAY_NETWORK_NOT_SENT, error);
        return;
    }
    SETPAY_NETWORK_COUNT(network, authorisations_sent);
    request->sent_us = setpay_clock_monotonic_us();
    setpay_pending_list(request);
    setpay_pending_start_timer(request, network->config.answer_timeout_ms);
}

void setpay_authorise_on_answer(struct setpay_route *route,
                                const struct setpay_iso_message *message)
{
    struct setpay_network *network = route->network;
    struct setpay_pending *request = setpay_pending_find(network, message, false);
    uint64_t stan = 0;
    if (request == NULL || request->route != route ||
        strcmp(request->answer_mti, message->mti) != 0) {
        SETPAY_NETWORK_COUNT(network, answers_unmatched);
        if (setpay_iso_get_number(message, SETPAY_ISO_STAN, &stan) != SETPAY_OK)
            stan = 0;
        setpay_log(SETPAY_LOG_WARN, "network.unmatched", setpay_field_text("line", route->name),
                   setpay_field_text("mti", message->mti), setpay_field_int("stan", (int64_t)stan));
        return;
    }
    enum setpay_error error =
        setpay_answer_check_subject(message, &network->sender, request->rrn, &request->asked);
    if (error == SETPAY_OK)
        error = setpay_answer_read_authorisation(message, &request->trace, &request->asked,
                                                 &request->answer);
    if (error != SETPAY_OK) {
        /* Not an answer to what was asked: the request goes on waiting, and ends in a reversal. */
        SETPAY_NETWORK_COUNT(network, malformed);
        setpay_log_error(error, "network.answer_refused", setpay_field_text("line", route->name),
                         setpay_field_int("stan", request->trace.stan));
        return;
    }
    SETPAY_NETWORK_COUNT(network, authorisations_answered);
    setpay_network_observe_answer(setpay_clock_monotonic_us() - request->sent_us);
    setpay_authorise_end(request, SETPAY_NETWORK_ANSWERED, SETPAY_OK);
}

/* No line for this PAN is an answer, not an error: told by callback as any other. */
static void authorisation_refuse(void *arg)
{
    SETPAY_NETWORK_COUNT(((struct setpay_pending *)arg)->network, authorisations_not_sent);
    setpay_pending_end(arg);
}

enum setpay_error setpay_network_authorise(struct setpay_network *network,
                                           struct setpay_network_authorisation *request,
                                           const struct setpay_executor *reply,
                                           setpay_network_answer_cb *done, void *arg)
{
    struct setpay_pending *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->network = network;
    made->trace = request->trace;
    setpay_network_trace_rrn(&request->trace, made->rrn);
    made->asked = request->amount;
    memcpy(made->answer_mti, request->is_sale ? "0210" : "0110", sizeof made->answer_mti);
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
        setpay_pending_free(made);
        return error;
    }
    made->route = setpay_pending_find_route(network, setpay_secret_view(&request->pan));
    error =
        setpay_pending_hand_over(made, &network->authorisation_count, SETPAY_NETWORK_REQUESTS_MAX,
                                 made->route == NULL ? authorisation_refuse : authorisation_start);
    if (error == SETPAY_OK)
        setpay_network_authorisation_clear(request);
    return error;
}
