/*
 * HTTPS client, as a wallet needs it: one request out (POST, or GET where there is no body), one
 * answer in, over TLS 1.3.
 *
 * The server's certificate is judged by common/net/tls.h: rule A3, the profiles of the context and
 * the host that is called, before a byte of the request leaves, and again before a kept connection
 * is used. There are no redirects, cookies, proxies or compression. All on the loop's own thread.
 */
#ifndef SETPAY_NET_HTTP_CLIENT_H
#define SETPAY_NET_HTTP_CLIENT_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/net/loop.h"
#include "common/net/tls.h"

#include <stddef.h>
#include <stdint.h>

struct setpay_http_client;
struct setpay_http_exchange;

struct setpay_http_client_options {
    struct setpay_loop *loop;
    struct setpay_tls *tls; /* a client context; NULL: plain HTTP, for tests and loopback alone */
    /* 0 stands for the default in parentheses. */
    int64_t connect_timeout_ms; /* (5 s) name, connection and handshake, for each address */
    int64_t deadline_ms;        /* (30 s) the whole exchange */
    int64_t idle_timeout_ms;    /* (30 s) how long an unused connection is kept */
    size_t max_answer_bytes;    /* (SETPAY_LIMIT_HTTP_BODY_BYTES) */
    size_t max_connections;     /* (16) at once; further exchanges: SETPAY_E_BUSY */
};

/* SETPAY_E_NOMEM. */
enum setpay_error setpay_http_client_new(const struct setpay_http_client_options *options,
                                         struct setpay_http_client **client) SETPAY_MUST_CHECK;
/* NULL-safe. Exchanges under way end without a callback. Not from within a callback. */
void setpay_http_client_free(struct setpay_http_client *client);

/* What came. Views and texts live for the callback. */
struct setpay_http_answer {
    /* SETPAY_OK: status, content_type and body are those of the answer, whatever its status.
     * SETPAY_E_UNREACHABLE (no name, nobody listens), SETPAY_E_TIMEOUT, SETPAY_E_CLOSED,
     * SETPAY_E_TLS (refused; the peer's certificate or handshake), SETPAY_E_MALFORMED (not HTTP),
     * SETPAY_E_TOO_BIG, SETPAY_E_NOMEM. */
    enum setpay_error error;
    enum setpay_error detail; /* with SETPAY_E_TLS: why, an error of A3 or W1 where that was it */
    int status;
    const char *content_type; /* "" where the answer has none */
    struct setpay_view body;
    /* Who answered, as the connection's certificate says; with SETPAY_OK over TLS only, else NULL.
     */
    const struct setpay_peer *peer;
};
typedef void setpay_http_answer_cb(void *arg, const struct setpay_http_answer *answer);

/* What is asked. All borrowed for the call. */
struct setpay_http_ask {
    const char *host; /* a name, or a numeric address without brackets */
    uint16_t port;
    const char *path;
    const char *content_type; /* NULL: a GET, which has no body */
    struct setpay_view body;
    const struct setpay_secret *authorization; /* the header's value; NULL: none */
};

/*
 * Sends it to https://host:port/path and calls answer_cb once, never before this returns. The
 * request is copied once, and cleansed when it has left. A request that was written on a
 * kept connection, which the server closed without a byte of answer, is sent once more on a new
 * one; requests must therefore be repeatable, as all of the protocol's are (rule A6).
 * *exchange (may be NULL) is for cancel, until the callback. SETPAY_E_BUSY, SETPAY_E_INVALID (host,
 * path or type hold blanks or control characters), SETPAY_E_NOMEM.
 */
enum setpay_error setpay_http_client_ask(struct setpay_http_client *client,
                                         const struct setpay_http_ask *ask,
                                         setpay_http_answer_cb *answer_cb, void *arg,
                                         struct setpay_http_exchange **exchange) SETPAY_MUST_CHECK;
/* A POST without more. */
enum setpay_error setpay_http_client_post(struct setpay_http_client *client, const char *host,
                                          uint16_t port, const char *path, const char *content_type,
                                          struct setpay_view body, setpay_http_answer_cb *answer_cb,
                                          void *arg,
                                          struct setpay_http_exchange **exchange) SETPAY_MUST_CHECK;
/* Ends it without a callback. */
void setpay_http_client_cancel(struct setpay_http_exchange *exchange);

#endif
