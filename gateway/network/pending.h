/*
 * What the files of the network share: a request under way, the route that it takes, the network.
 * Private to gateway/network; everything runs on the network's loop unless it says otherwise.
 */
#ifndef SETPAY_GATEWAY_NETWORK_PENDING_H
#define SETPAY_GATEWAY_NETWORK_PENDING_H

#include "gateway/network/line.h"
#include "gateway/network/network.h"
#include "gateway/network/prefixes.h"
#include "gateway/network/requests.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct event;

#define SETPAY_NETWORK_BUCKETS 1024 /* a power of two */

/* What both kinds of request have in common: a place in the table and who is to be told. */
struct setpay_pending {
    LIST_ENTRY(setpay_pending) in_bucket;
    struct setpay_network *network;
    struct setpay_route *route;
    struct setpay_network_trace trace; /* of this message */
    struct setpay_secret frame;
    struct event *timer;
    struct setpay_executor reply;
    void *arg;
    bool is_reversal; /* or one of these three: repeated until acknowledged */
    bool advises;     /* of an authorisation */
    bool presents;
    bool reconciles;
    char answer_mti[5]; /* what answers it */
    bool is_listed;
    char rrn[SETPAY_NETWORK_RRN_SIZE];   /* of the authorisation that it is about */
    struct setpay_money asked;           /* so is this; of a reconciliation the currency alone */
    struct setpay_network_totals totals; /* of a reconciliation */
    /* authorisation */
    int64_t sent_us; /* monotonic */
    setpay_network_answer_cb *answered_cb;
    struct setpay_network_answer answer;
    /* reversal, presentment, advice */
    TAILQ_ENTRY(setpay_pending) in_due;
    LIST_ENTRY(setpay_pending) in_reversals;
    uint64_t handle;
    bool is_in_flight;
    int64_t repeat_ms;
    uint32_t sent_count;
    bool repeated; /* the frame says 0121, 0401, 0421, 0221 or 0501 */
    setpay_network_acknowledged_cb *acknowledged_cb;
    struct setpay_network_acknowledgement ack;
};

struct setpay_route {
    char name[SETPAY_NETWORK_NAME_SIZE];
    char tls_name[256];
    struct setpay_prefixes prefixes;
    struct setpay_network *network;
    struct setpay_line *line;
    TAILQ_HEAD(setpay_due_list, setpay_pending) due;
    unsigned in_flight_count;          /* reversals, presentments, reconciliations, advices */
    atomic_bool is_up;                 /* the line is signed on; for other threads, as the next */
    atomic_int_fast64_t down_since_ms; /* monotonic; where it is not up */
};

/* What is counted: in the network's figures, and for all networks in /metrics. */
#define SETPAY_NETWORK_EVENTS(ROW)                                                                 \
    ROW(authorisations_sent)                                                                       \
    ROW(authorisations_answered)                                                                   \
    ROW(authorisations_timed_out)                                                                  \
    ROW(authorisations_not_sent)                                                                   \
    ROW(authorisations_lost)                                                                       \
    ROW(answers_unmatched)                                                                         \
    ROW(reversals_sent)                                                                            \
    ROW(reversals_repeated)                                                                        \
    ROW(reversals_acknowledged)                                                                    \
    ROW(presentments_sent)                                                                         \
    ROW(presentments_repeated)                                                                     \
    ROW(presentments_answered)                                                                     \
    ROW(advices_sent)                                                                              \
    ROW(advices_repeated)                                                                          \
    ROW(advices_answered)                                                                          \
    ROW(reconciliations_sent)                                                                      \
    ROW(reconciliations_repeated)                                                                  \
    ROW(reconciliations_answered)                                                                  \
    ROW(sign_ons)                                                                                  \
    ROW(sign_offs)                                                                                 \
    ROW(sign_ons_refused)                                                                          \
    ROW(echoes)                                                                                    \
    ROW(connections_lost)                                                                          \
    ROW(connections_failed)                                                                        \
    ROW(malformed)

enum setpay_network_event {
#define SETPAY_NETWORK_ROW(name) SETPAY_NETWORK_EVENT_##name,
    SETPAY_NETWORK_EVENTS(SETPAY_NETWORK_ROW)
#undef SETPAY_NETWORK_ROW
        SETPAY_NETWORK_EVENT_COUNT
};

LIST_HEAD(setpay_pending_list, setpay_pending);

struct setpay_network {
    struct setpay_network_config config; /* its pointers are not used any more */
    struct setpay_request_sender sender;
    struct event_base *base;
    struct setpay_executor own;
    struct setpay_route *routes;
    size_t route_count;
    struct setpay_pending_list table[SETPAY_NETWORK_BUCKETS];
    struct setpay_pending_list reversals;
    atomic_uint authorisation_count; /* taken, not ended */
    atomic_uint reversal_count;      /* and presentments, and advices */
    atomic_uint_fast64_t next_handle;
    atomic_bool draining;
    pthread_mutex_t stan_lock;
    uint32_t stan_next;
    atomic_uint_fast64_t events[SETPAY_NETWORK_EVENT_COUNT];
    atomic_uint_fast64_t lines_up;
    atomic_uint_fast64_t reversals_open;
    atomic_uint_fast64_t presentments_open;
    atomic_uint_fast64_t advices_open;
    /* signing off */
    size_t signing_off;
    struct event *sign_off_timer;
    setpay_network_signed_off_cb *signed_off_cb;
    void *signed_off_arg;
};

#define SETPAY_NETWORK_COUNT(network, event)                                                       \
    setpay_network_count((network), SETPAY_NETWORK_EVENT_##event)

/* ------------------------------------------------------------------ network.c */

/* Any thread. */
void setpay_network_count(struct setpay_network *network, enum setpay_network_event event);
/* One more (1) or less (-1). */
void setpay_network_count_line_up(struct setpay_network *network, int change);
/* Of request's kind; reconciliations are not counted. */
void setpay_network_count_open(const struct setpay_pending *request, int change);
/* From sending to the answer. */
void setpay_network_observe_answer(int64_t microseconds);

/* ------------------------------------------------------------------ pending.c */

/* Puts it into the table under its trace. */
void setpay_pending_list(struct setpay_pending *request);
/* The number alone never matches: date and time of the answer must be this request's. */
struct setpay_pending *setpay_pending_find(struct setpay_network *network,
                                           const struct setpay_iso_message *answer,
                                           bool is_reversal);
/* Any thread, for one that was not handed over. NULL-safe. */
void setpay_pending_free(struct setpay_pending *request);
void setpay_pending_start_timer(struct setpay_pending *request, int64_t delay_ms);
/* The timer's event callback: arg is the request. */
void setpay_pending_on_timer(int fd, short events, void *arg);
/* Ends a request: out of the table, its secrets gone, the callback on its way. */
void setpay_pending_end(struct setpay_pending *request);
/* Any thread: the route with the longest prefix of this PAN, or NULL. */
struct setpay_route *setpay_pending_find_route(struct setpay_network *network,
                                               struct setpay_view pan);
/* Any thread: the route of that name, or NULL. */
struct setpay_route *setpay_pending_find_named(struct setpay_network *network, const char *name);
/* Any thread: where what follows an authorisation goes: by the name of the route that it went by,
 * or, where that is "", by its PAN. NULL where there is none. */
struct setpay_route *setpay_pending_find_issuer(struct setpay_network *network, const char *issuer,
                                                const struct setpay_secret *pan);
/* Any thread: reserves the answer's place and posts start to the network's loop. On error the
 * request is freed and nothing taken. */
enum setpay_error setpay_pending_hand_over(struct setpay_pending *request, atomic_uint *count,
                                           unsigned max, setpay_job_fn *start) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ authorise.c */

void setpay_authorise_on_answer(struct setpay_route *route,
                                const struct setpay_iso_message *message);
void setpay_authorise_end(struct setpay_pending *request, enum setpay_network_outcome outcome,
                          enum setpay_error reason);

/* ------------------------------------------------------------------ reverse.c */

void setpay_reverse_on_answer(struct setpay_route *route, const struct setpay_iso_message *message);
/* Back into the queue of those to be sent. */
void setpay_reverse_make_due(struct setpay_pending *request);
/* Sends what is due, as far as line and limit permit. */
void setpay_reverse_pump(struct setpay_route *route);
/* handle 0: all. */
void setpay_reverse_stop_all(struct setpay_network *network, uint64_t handle);
/* A new one that is repeated until it is acknowledged, with a trace of its own; NULL for want of
 * memory. What else it is, is the caller's to say. */
struct setpay_pending *setpay_reverse_new(struct setpay_network *network,
                                          struct setpay_route *route, const char *answer_mti,
                                          bool repeated);
/* Takes made, whose frame was built or not (built). */
enum setpay_error setpay_reverse_hand_over(struct setpay_pending *made, enum setpay_error built,
                                           const struct setpay_executor *reply,
                                           setpay_network_acknowledged_cb *done,
                                           void *arg) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ sign_off.c */

/* A line has signed off. */
void setpay_sign_off_next(struct setpay_network *network);
/* Nobody is told any more. */
void setpay_sign_off_stop(struct setpay_network *network);

/* ------------------------------------------------------------------ reconcile.c */

/* What the issuer's answer says to a reconciliation, into request->ack; false where it is none. */
bool setpay_reconcile_read(struct setpay_pending *request,
                           const struct setpay_iso_message *message);

#endif
