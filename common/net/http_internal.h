/*
 * What the files of the HTTP server share: http_server.c (connections) and http_request.c
 * (requests). Nobody else includes it.
 */
#ifndef SETPAY_NET_HTTP_INTERNAL_H
#define SETPAY_NET_HTTP_INTERNAL_H

#include "common/net/http_server.h"
#include "common/net/tls.h"

#include <event2/http.h>
#include <event2/util.h>

struct setpay_http_connection;

/* From evhttp: a whole request has come. */
void setpay_http_on_request(struct evhttp_request *ev, void *arg);

/* What a request needs of its connection and server. connection may be NULL (it has gone). */
struct setpay_http_connection *setpay_http_connection_of(struct setpay_http_server *server,
                                                         struct evhttp_request *ev);
/* setpay_tls_check_peer; SETPAY_E_TLS where the connection is plain. */
enum setpay_error setpay_http_connection_peer(struct setpay_http_connection *connection,
                                              struct setpay_peer *peer) SETPAY_MUST_CHECK;
const struct setpay_http_server_options *
setpay_http_server_options(const struct setpay_http_server *server);
bool setpay_http_server_is_draining(const struct setpay_http_server *server);
/* The handler has the request; its connection tells it when the client goes. */
void setpay_http_connection_begin(struct setpay_http_connection *connection,
                                  struct setpay_http_request *request);
/* The reply is about to be written by evhttp. */
void setpay_http_connection_reply(struct setpay_http_connection *connection,
                                  struct evhttp_request *ev, int status);
/* The connection is going: the request must not touch it or its evhttp request again. */
void setpay_http_request_set_gone(struct setpay_http_request *request);

/* The body of an error that the server itself answers, owned (free()), and its type: a page where
 * the server has pages, otherwise a problem document. NULL without memory. server may be NULL. */
char *setpay_http_error_body(const struct setpay_http_server *server, int status,
                             const char *detail, const char **content_type);
/* The body of a problem document, owned (free()); NULL without memory. */
char *setpay_http_problem_text(int status, const char *type, const char *title, const char *detail);
#define SETPAY_HTTP_PROBLEM_TYPE "application/problem+json"

#endif
