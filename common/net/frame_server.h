/*
 * Framed requests on one worker: takes connections from its own listener, hands each request to one
 * callback together with who sent it, and takes the answers at any time and in any order.
 *
 * Limits: the size of a frame before it is read, requests under way per connection (beyond it the
 * connection is not read), connections, waiting output (likewise), the time for a handshake, for
 * the rest of a begun frame, for the peer to take output, and without any traffic.
 *
 * All functions belong to the loop's thread.
 */
#ifndef SETPAY_NET_FRAME_SERVER_H
#define SETPAY_NET_FRAME_SERVER_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/net/frame.h"
#include "common/net/loop.h"
#include "common/net/tls.h"

#include <stddef.h>
#include <stdint.h>

struct setpay_frame_server;

struct setpay_frame_request {
    struct setpay_frame_handle connection;
    uint64_t request_id;
    struct setpay_view payload;     /* borrowed for the callback */
    const struct setpay_peer *peer; /* borrowed for the callback */
};

/* May answer at once or later. Each request must be answered once (or its connection closed): it
 * counts as under way until then. */
typedef void setpay_frame_request_cb(void *arg, const struct setpay_frame_request *request);

/* 0 stands for the default in brackets. */
struct setpay_frame_server_options {
    setpay_frame_request_cb *on_request_cb;
    void *arg;
    size_t payload_max;     /* [SETPAY_LIMIT_MESSAGE_BYTES] */
    size_t requests_max;    /* under way per connection [SETPAY_LIMIT_REQUESTS_PER_CONNECTION] */
    size_t connections_max; /* [SETPAY_LIMIT_CONNECTIONS_PER_WORKER] */
    size_t output_high;     /* bytes of waiting answers above which is not read [1 MiB] */
    int64_t handshake_timeout_ms; /* [10 s] */
    int64_t frame_timeout_ms;     /* from a frame's first byte to its last [10 s] */
    int64_t output_timeout_ms;    /* without the peer taking anything of what waits [30 s] */
    int64_t idle_timeout_ms;      /* nothing under way and nothing received [10 min] */
    int64_t recheck_ms;           /* how often living peers are judged by rule A3 again [60 s] */
};

/* What has happened so far, for metrics. */
struct setpay_frame_server_counts {
    uint64_t accepted;
    uint64_t refused; /* too many connections, handshakes that failed, certificates refused */
    uint64_t requests;
    uint64_t replies;
    uint64_t replies_late; /* for connections that had gone */
    uint64_t protocol_errors;
    size_t connections; /* now */
    size_t under_way;   /* now */
};

/* Takes listener_fd (closed by drain or free; also on an error). tls is borrowed and outlives the
 * server; NULL: plain TCP, peers without a certificate. SETPAY_E_NOMEM, SETPAY_E_IO. */
enum setpay_error setpay_frame_server_new(struct setpay_loop *loop, int listener_fd,
                                          struct setpay_tls *tls,
                                          const struct setpay_frame_server_options *options,
                                          struct setpay_frame_server **server) SETPAY_MUST_CHECK;
/* NULL-safe; closes what is still open. Not from within on_request_cb. */
void setpay_frame_server_free(struct setpay_frame_server *server);

/* Answers a request. SETPAY_E_CLOSED where the connection or the request has gone (nothing was
 * done, nothing to do); SETPAY_E_TOO_BIG above payload_max and SETPAY_E_NOMEM, which close it. */
enum setpay_error setpay_frame_reply(struct setpay_frame_server *server,
                                     struct setpay_frame_handle connection, uint64_t request_id,
                                     struct setpay_view payload) SETPAY_MUST_CHECK;
/* Ends a connection (its requests will not be answered). No harm where it has gone. */
void setpay_frame_server_close(struct setpay_frame_server *server,
                               struct setpay_frame_handle connection);

typedef void setpay_frame_drained_cb(void *arg);
/* Stops accepting and reading requests, lets what is under way be answered, closes each connection
 * once its answers have left, then calls on_drained_cb once (never from within this call). */
void setpay_frame_server_drain(struct setpay_frame_server *server,
                               setpay_frame_drained_cb *on_drained_cb, void *arg);

void setpay_frame_server_count(const struct setpay_frame_server *server,
                               struct setpay_frame_server_counts *counts);

#endif
