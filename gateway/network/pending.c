/*
 * Requests under way: the table by trace number, their ends, and how callers' threads hand them to
 * the network's.
 *
 * What always holds: a request is in the table from when its frame is with a line until its answer,
 * time-out or loss; its callback comes once, on the caller's executor, where a place was reserved
 * before it was taken.
 */
#include "gateway/network/pending.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ the table of requests */

static struct setpay_pending_list *bucket_of(struct setpay_network *network, uint32_t stan)
{
    return &network->table[stan & (SETPAY_NETWORK_BUCKETS - 1)];
}

void setpay_pending_list(struct setpay_pending *request)
{
    LIST_INSERT_HEAD(bucket_of(request->network, request->trace.stan), request, in_bucket);
    request->is_listed = true;
}

static void unlist(struct setpay_pending *request)
{
    if (request->is_listed)
        LIST_REMOVE(request, in_bucket);
    request->is_listed = false;
}

/* The number alone never matches: date and time of the answer must be this request's. */
struct setpay_pending *setpay_pending_find(struct setpay_network *network,
                                           const struct setpay_iso_message *answer,
                                           bool is_reversal)
{
    struct setpay_pending *request;
    uint64_t stan;
    if (setpay_iso_get_number(answer, SETPAY_ISO_STAN, &stan) != SETPAY_OK)
        return NULL;
    LIST_FOREACH(request, bucket_of(network, (uint32_t)stan), in_bucket)
    if (request->is_reversal == is_reversal && setpay_answer_matches(answer, &request->trace))
        return request;
    return NULL;
}

void setpay_pending_free(struct setpay_pending *request)
{
    if (request == NULL)
        return;
    if (request->timer != NULL)
        event_free(request->timer);
    setpay_secret_clear(&request->frame);
    free(request);
}

void setpay_pending_start_timer(struct setpay_pending *request, int64_t delay_ms)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000),
                            .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};
    evtimer_add(request->timer, &delay);
}

/* Runs on the caller's executor. */
static void tell(void *arg)
{
    struct setpay_pending *request = arg;
    if (request->is_reversal)
        request->acknowledged_cb(request->arg, &request->ack);
    else
        request->answered_cb(request->arg, &request->answer);
    free(request);
}

/* Ends a request: out of every list, its secrets gone, the callback on its way. */
void setpay_pending_end(struct setpay_pending *request)
{
    unlist(request);
    setpay_secret_clear(&request->frame);
    if (request->timer != NULL)
        event_free(request->timer);
    request->timer = NULL;
    atomic_fetch_sub(request->is_reversal ? &request->network->reversal_count
                                          : &request->network->authorisation_count,
                     1);
    request->reply.post_reserved(request->reply.self, tell, request);
}

void setpay_pending_on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct setpay_pending *request = arg;
    (void)fd;
    (void)events;
    if (request->is_reversal) {
        setpay_reverse_make_due(request);
        setpay_reverse_pump(request->route);
        return;
    }
    SETPAY_NETWORK_COUNT(request->network, authorisations_timed_out);
    setpay_authorise_end(request, SETPAY_NETWORK_UNKNOWN, SETPAY_E_TIMEOUT);
}

/* ------------------------------------------------------------------ requests, on any thread */

/* The route with the longest prefix of this PAN. */
struct setpay_route *setpay_pending_find_route(struct setpay_network *network,
                                               struct setpay_view pan)
{
    struct setpay_route *best = NULL;
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

struct setpay_route *setpay_pending_find_named(struct setpay_network *network, const char *name)
{
    for (size_t i = 0; i < network->route_count; i++) {
        if (strcmp(network->routes[i].name, name) == 0)
            return &network->routes[i];
    }
    return NULL;
}

struct setpay_route *setpay_pending_find_issuer(struct setpay_network *network, const char *issuer,
                                                const struct setpay_secret *pan)
{
    return issuer[0] != '\0' ? setpay_pending_find_named(network, issuer)
                             : setpay_pending_find_route(network, setpay_secret_view(pan));
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
enum setpay_error setpay_pending_hand_over(struct setpay_pending *request, atomic_uint *count,
                                           unsigned max, setpay_job_fn *start)
{
    struct setpay_network *network = request->network;
    enum setpay_error error;
    if (atomic_load(&network->draining)) {
        setpay_pending_free(request);
        return SETPAY_E_DRAINING;
    }
    if (!place_take(count, max)) {
        setpay_pending_free(request);
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
        setpay_pending_free(request);
    }
    return error;
}
