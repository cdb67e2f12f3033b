/*
 * HTTP/1.1 server of one worker, plain or over TLS 1.3, on libevent's evhttp: routes in a table,
 * request handles that may be answered later, limits and deadlines, draining.
 *
 * Everything here belongs to the thread of the loop that the server was made on. A request handle
 * owns all that it shows, so it stays valid when the client has gone; each is ended by exactly one
 * reply, which frees it.
 */
#ifndef SETPAY_NET_HTTP_SERVER_H
#define SETPAY_NET_HTTP_SERVER_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct setpay_peer;
struct setpay_tls;
struct setpay_http_server;
struct setpay_http_request;

/* HEAD is answered by the GET route without its body, OPTIONS by the server (204 and Allow). */
enum setpay_http_method {
    SETPAY_HTTP_GET,
    SETPAY_HTTP_POST,
    SETPAY_HTTP_PUT,
    SETPAY_HTTP_PATCH,
    SETPAY_HTTP_DELETE,
};

/* arg is the server's. Must lead to one reply, now or later. */
typedef void setpay_http_handler_fn(struct setpay_http_request *request, void *arg);

/* pattern: segments behind slashes; "{name}" takes one whole segment: "/orders/{id}/capture". The
 * first row that fits is taken. A pattern that ends in "/{name...}" takes the rest of the path. */
struct setpay_http_route {
    enum setpay_http_method method;
    const char *pattern;
    setpay_http_handler_fn *handler_cb; /* NULL ends the table */
};

/* A header of a reply; the list ends with a NULL name. Texts are borrowed for the call. */
struct setpay_http_header {
    const char *name;
    const char *value;
};

struct setpay_http_server_options {
    const char *name; /* in log lines and as the metrics' label; static: "http", "api", "admin" */
    struct setpay_loop *loop;
    const struct setpay_http_route *routes; /* outlives the server */
    void *arg;                              /* given to every handler */
    struct setpay_tls *tls;                 /* NULL: plain HTTP; outlives the server */
    /* 0 stands for the default in parentheses. */
    size_t max_connections;      /* (SETPAY_LIMIT_CONNECTIONS_PER_WORKER); more wait unaccepted */
    size_t max_header_bytes;     /* (SETPAY_LIMIT_HTTP_HEADER_BYTES) */
    size_t max_body_bytes;       /* (SETPAY_LIMIT_HTTP_BODY_BYTES) */
    int64_t request_deadline_ms; /* (10 s) from the first byte to the last; also for a handshake */
    int64_t idle_timeout_ms;     /* (60 s) between requests */
    int64_t send_deadline_ms;    /* (30 s) until the client has taken the whole answer */
    /* How many connections one address (of IPv6: one /64) may have; more are closed at once. 0: as
     * many as there are. exempt_cb may be NULL; arg is the handlers'. */
    size_t max_of_address;
    bool (*exempt_cb)(const struct sockaddr *address, void *arg);
    /* Where all connections are taken, the one that has been idle for longest makes room. */
    bool drops_idle;
    /* Headers that every answer has, those of the server's own errors too; NULL: none. Outlive the
     * server. A reply that names one of them has its own instead. */
    const struct setpay_http_header *headers;
    /* The server's own errors as an HTML page, owned (free()), instead of problem+json; NULL from
     * it: without a body. arg is the handlers'. */
    char *(*error_page_cb)(int status, void *arg);
};

/* SETPAY_E_NOMEM, SETPAY_E_INVALID (a pattern that does not start with a slash). */
enum setpay_error setpay_http_server_new(const struct setpay_http_server_options *options,
                                         struct setpay_http_server **server) SETPAY_MUST_CHECK;
/* Adds a listening socket (common/net/listen.h) and takes it, also on error. SETPAY_E_NOMEM. */
enum setpay_error setpay_http_server_listen(struct setpay_http_server *server,
                                            int listener_fd) SETPAY_MUST_CHECK;
/* Accepts nothing more, closes idle connections, answers what is under way with Connection: close.
 * drained_cb is called once, when the last connection has gone, never before this returns. */
void setpay_http_server_drain(struct setpay_http_server *server, void (*drained_cb)(void *arg),
                              void *arg);
size_t setpay_http_server_connection_count(const struct setpay_http_server *server);
/* NULL-safe. Cuts what is left. Request handles that were not answered yet stay valid and must
 * still be answered (into nothing). Not from within a handler. */
void setpay_http_server_free(struct setpay_http_server *server);

/*
 * A request. All texts are UTF-8, decoded, and live until the reply.
 */
const char *setpay_http_request_method(const struct setpay_http_request *request); /* "GET" */
/* The path as received (not decoded), without the query. */
const char *setpay_http_request_path(const struct setpay_http_request *request);
/* A "{name}" of the route's pattern. Asking for one that is not in it is a bug and aborts. */
const char *setpay_http_request_param(const struct setpay_http_request *request, const char *name);
/* A parameter of the query string; NULL where it is absent. (Given twice: refused with 400.) */
const char *setpay_http_request_query(const struct setpay_http_request *request, const char *name);
size_t setpay_http_request_query_count(const struct setpay_http_request *request);
/* The index-th one, for a handler that refuses what it does not know. */
const char *setpay_http_request_query_name(const struct setpay_http_request *request, size_t index);
/* A header by its name in any case, the first of several; NULL where it is absent. */
const char *setpay_http_request_header(const struct setpay_http_request *request, const char *name);
/* The last of several: of a header that each hop adds to. */
const char *setpay_http_request_header_last(const struct setpay_http_request *request,
                                            const char *name);
/* True where Content-Type is this media type ("application/json"), whatever its parameters. */
bool setpay_http_request_has_type(const struct setpay_http_request *request, const char *type);
struct setpay_view setpay_http_request_body(const struct setpay_http_request *request);
/* The client's numeric address. */
const char *setpay_http_request_remote(const struct setpay_http_request *request);
/* Who the client is by its TLS certificate, judged now by rule A3 (setpay_tls_check_peer); not
 * is_certified where it showed none. Only for a server with TLS; SETPAY_E_CLOSED where the client
 * has gone. */
enum setpay_error setpay_http_request_peer(const struct setpay_http_request *request,
                                           struct setpay_peer *peer) SETPAY_MUST_CHECK;
/* True once the client has been seen to be gone; the reply is then freed unsent. */
bool setpay_http_request_is_gone(const struct setpay_http_request *request);

/* Ends the request. content_type NULL: no body. headers may be NULL. body is copied. */
void setpay_http_reply(struct setpay_http_request *request, int status, const char *content_type,
                       const struct setpay_http_header *headers, struct setpay_view body);
/* Ends the request with application/problem+json (RFC 9457). type: "about:blank" where NULL;
 * title: the status's phrase where NULL; detail may be NULL. */
void setpay_http_reply_problem(struct setpay_http_request *request, int status, const char *type,
                               const char *title, const char *detail);

/* "Not Found"; never NULL. */
const char *setpay_http_status_phrase(int status);

#endif
