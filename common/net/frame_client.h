/*
 * Framed requests to one peer, from one worker: several connections, each with many requests under
 * way, that are made again (back-off with jitter) when they end.
 *
 * A request ends exactly once, in its callback. Nothing is sent twice by this layer: who repeats
 * (rule A6 makes that safe) is the caller. With TLS 1.3 a client is connected before the server has
 * judged its certificate, so a connection counts as up only after a session ticket or a first
 * answer; back-off goes on growing until then.
 *
 * When the TLS context was reloaded, and now and then in any case, connections are renewed one
 * after the other: one takes no more requests, ends when those under way on it have been answered,
 * and is made again with the certificates of now; the next one only when it stands.
 *
 * All functions belong to the loop's thread.
 */
#ifndef SETPAY_NET_FRAME_CLIENT_H
#define SETPAY_NET_FRAME_CLIENT_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/net/frame.h"
#include "common/net/listen.h"
#include "common/net/loop.h"
#include "common/net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setpay_frame_client;

/* 0 stands for the default in brackets. */
struct setpay_frame_client_options {
    struct setpay_address address;
    struct setpay_tls_expect expect; /* copied; used with TLS only */
    size_t connections;              /* [2], at most SETPAY_FRAME_CLIENT_CONNECTIONS_MAX */
    size_t requests_max; /* under way per connection [SETPAY_LIMIT_REQUESTS_PER_CONNECTION / 2] */
    size_t queue_max;    /* waiting for a connection, all together [1024] */
    size_t payload_max;  /* of a request and of an answer [SETPAY_LIMIT_MESSAGE_BYTES] */
    int64_t connect_timeout_ms; /* TCP and TLS together [5 s] */
    int64_t backoff_min_ms;     /* [50 ms] */
    int64_t backoff_max_ms;     /* [2 s] */
};

#define SETPAY_FRAME_CLIENT_CONNECTIONS_MAX 64

/*
 * How a request ended:
 * SETPAY_OK           answer holds the payload (borrowed for the call);
 * SETPAY_E_UNREACHABLE it never left: no connection until its deadline, or the client is closing;
 * SETPAY_E_TIMEOUT    it may have left, no answer until its deadline;
 * SETPAY_E_CLOSED     it may have left, the connection ended before its answer.
 */
typedef void setpay_frame_answer_cb(void *arg, enum setpay_error error, struct setpay_view answer);

/* tls is borrowed and outlives the client; NULL: plain TCP. Starts connecting at once.
 * SETPAY_E_NOMEM, SETPAY_E_INVALID. */
enum setpay_error setpay_frame_client_new(struct setpay_loop *loop, struct setpay_tls *tls,
                                          const struct setpay_frame_client_options *options,
                                          struct setpay_frame_client **client) SETPAY_MUST_CHECK;
/* NULL-safe. Every open request ends first: SETPAY_E_UNREACHABLE or SETPAY_E_CLOSED. Not from
 * within a callback of this client. */
void setpay_frame_client_free(struct setpay_frame_client *client);

/* Sends, or queues until a connection is there. payload is copied. The callback is never called
 * from within this call. Not taken, and no callback: SETPAY_E_BUSY when the queue is full,
 * SETPAY_E_DRAINING in callbacks that setpay_frame_client_free causes, SETPAY_E_TOO_BIG,
 * SETPAY_E_NOMEM. ticket (may be NULL) names the request for cancel. */
enum setpay_error setpay_frame_client_send(struct setpay_frame_client *client,
                                           struct setpay_view payload, int64_t timeout_ms,
                                           setpay_frame_answer_cb *on_answer_cb, void *arg,
                                           uint64_t *ticket) SETPAY_MUST_CHECK;
/* Forgets a request: its callback will not be called. No harm where it has ended. */
void setpay_frame_client_cancel(struct setpay_frame_client *client, uint64_t ticket);

/* True while a connection has proved itself: for readiness. */
bool setpay_frame_client_is_up(const struct setpay_frame_client *client);
/* Who the peer is; false while no connection is up, or without TLS. */
bool setpay_frame_client_peer(const struct setpay_frame_client *client, struct setpay_peer *peer);
/* Why the newest attempt to connect failed; SETPAY_OK where none has. */
enum setpay_error setpay_frame_client_last_error(const struct setpay_frame_client *client);

struct setpay_frame_client_counts {
    uint64_t connects;
    uint64_t connect_failures;
    uint64_t requests;
    uint64_t answers;
    uint64_t timeouts;
    uint64_t answers_late; /* after their deadline; dropped */
    size_t connections_up; /* now */
    size_t queued;         /* now */
    size_t under_way;      /* now */
};
void setpay_frame_client_count(const struct setpay_frame_client *client,
                               struct setpay_frame_client_counts *counts);

#endif
