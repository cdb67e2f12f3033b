/*
 * The HTTPS client: exchanges (what a caller asked for) and connections (what carries them).
 *
 * An exchange goes through: start (the turn after the call), name -> addresses, one connection
 * attempt after the other until one stands, request written, answer read. A connection has at most
 * one exchange; when its answer has come whole and the server keeps it open, it waits in the
 * client's list for the next exchange with the same host and port, and is closed on anything that
 * happens to it meanwhile.
 */
#include "common/net/http_client.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/testing.h"
#include "common/net/http_answer.h"
#include "common/net/http_send.h"
#include "common/net/listen.h"
#include "common/net/tls.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 8
#define HOST_BYTES_MAX 253

struct connection {
    struct setpay_http_client *client;
    struct connection *previous, *next;
    struct bufferevent *bev;
    struct setpay_http_exchange *exchange; /* NULL: idle */
    struct setpay_timer *timer;            /* connecting, or idle */
    char host[HOST_BYTES_MAX + 1];
    uint16_t port;
    bool is_up;
    bool is_reused;
    struct setpay_peer peer; /* as last judged */
};

struct setpay_http_exchange {
    struct setpay_http_client *client;
    struct setpay_http_exchange *previous, *next;
    struct connection *connection;
    struct setpay_timer *timer; /* start, then the deadline */
    int64_t deadline_ms;
    char host[HOST_BYTES_MAX + 1];
    uint16_t port;
    struct setpay_http_bytes *request;
    struct evdns_getaddrinfo_request *lookup;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    size_t address_count, address_next;
    bool is_started;
    bool was_repeated;
    setpay_http_answer_cb *answer_cb;
    void *arg;
};

struct setpay_http_client {
    struct setpay_http_client_options options;
    struct evdns_base *dns;
    struct connection *connections;
    struct setpay_http_exchange *exchanges;
    size_t connection_count, exchange_count;
};

static void try_address(struct setpay_http_exchange *exchange);

/* ------------------------------------------------------------------ ends */

static void connection_close(struct connection *connection)
{
    struct setpay_http_client *client = connection->client;

    if (connection->exchange != NULL)
        connection->exchange->connection = NULL;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        client->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    client->connection_count--;
    setpay_timer_free(connection->timer);
    if (connection->bev != NULL) {
        if (client->options.tls != NULL && connection->is_up)
            setpay_tls_shutdown(bufferevent_openssl_get_ssl(connection->bev));
        bufferevent_free(connection->bev);
    }
    free(connection);
}

static void exchange_free(struct setpay_http_exchange *exchange)
{
    struct setpay_http_client *client = exchange->client;

    if (exchange->connection != NULL)
        connection_close(exchange->connection);
    if (exchange->lookup != NULL)
        evdns_getaddrinfo_cancel(exchange->lookup); /* its callback frees nothing of ours */
    if (exchange->previous != NULL)
        exchange->previous->next = exchange->next;
    else
        client->exchanges = exchange->next;
    if (exchange->next != NULL)
        exchange->next->previous = exchange->previous;
    client->exchange_count--;
    setpay_timer_free(exchange->timer);
    setpay_http_bytes_unref(exchange->request);
    free(exchange);
}

/* The last thing that happens to an exchange. */
static void finish(struct setpay_http_exchange *exchange, const struct setpay_http_answer *answer)
{
    setpay_http_answer_cb *answer_cb = exchange->answer_cb;
    void *arg = exchange->arg;

    exchange_free(exchange);
    answer_cb(arg, answer);
}

static void fail(struct setpay_http_exchange *exchange, enum setpay_error error,
                 enum setpay_error detail)
{
    finish(exchange,
           &(struct setpay_http_answer){.error = error, .detail = detail, .content_type = ""});
}

/* ------------------------------------------------------------------ request and answer */

static void write_request(struct setpay_http_exchange *exchange)
{
    setpay_testing_point("net.send");
    if (setpay_http_bytes_send(exchange->request,
                               bufferevent_get_output(exchange->connection->bev)) != SETPAY_OK)
        fail(exchange, SETPAY_E_NOMEM, SETPAY_OK);
}

static void read_answer(struct connection *connection)
{
    struct setpay_http_exchange *exchange = connection->exchange;
    const struct setpay_http_client_options *options = &connection->client->options;
    struct evbuffer *input = bufferevent_get_input(connection->bev);
    size_t size = evbuffer_get_length(input);
    struct setpay_http_message message;
    struct setpay_http_answer answer;
    /* The connection may be gone when the answer is handed on. */
    struct setpay_peer peer = connection->peer;
    enum setpay_error error;
    bool complete;

    error = setpay_http_answer_parse(setpay_view_of(evbuffer_pullup(input, -1), size),
                                     options->max_answer_bytes, &complete, &message);
    /* Chunks may be as small as a byte, and then take more room than their content. */
    if (error == SETPAY_OK && !complete &&
        size > 8 * options->max_answer_bytes + 2 * SETPAY_LIMIT_HTTP_HEADER_BYTES)
        error = SETPAY_E_TOO_BIG;
    if (error != SETPAY_OK) {
        fail(exchange, error, SETPAY_OK);
        return;
    }
    if (!complete)
        return;
    setpay_testing_point("net.receive");
    if (message.keep_alive) {
        evbuffer_drain(input, size); /* nothing more was asked for */
        connection->exchange = NULL;
        exchange->connection = NULL;
        connection->is_reused = true;
        setpay_timer_start(connection->timer, options->idle_timeout_ms);
    }
    answer = (struct setpay_http_answer){.error = SETPAY_OK,
                                         .status = message.status,
                                         .content_type = message.content_type,
                                         .body = setpay_buffer_view(&message.body),
                                         .peer = peer.is_certified ? &peer : NULL};
    finish(exchange, &answer);
    setpay_buffer_clear(&message.body);
}

/* ------------------------------------------------------------------ connections */

static void on_read(struct bufferevent *bev, void *arg)
{
    struct connection *connection = arg;

    (void)bev;
    if (connection->exchange == NULL)
        connection_close(connection); /* an answer to nothing */
    else
        read_answer(connection);
}

static bool is_connected(const struct connection *connection)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);

    return getpeername(bufferevent_getfd(connection->bev), (struct sockaddr *)&address, &size) == 0;
}

/* A connection attempt that failed: why, and whether another address may do better. */
static void on_attempt_failed(struct connection *connection, short what)
{
    struct setpay_http_exchange *exchange = connection->exchange;
    SSL *ssl = connection->client->options.tls == NULL
                   ? NULL
                   : bufferevent_openssl_get_ssl(connection->bev);
    enum setpay_error detail = SETPAY_OK;
    unsigned long reason = 0;
    struct setpay_address peer;
    /* libevent starts the handshake before it knows that TCP was refused. */
    bool is_tls = ssl != NULL &&
                  setpay_address_of_peer(bufferevent_getfd(connection->bev), &peer) == SETPAY_OK;

    if (is_tls) {
        unsigned long next;

        while ((next = bufferevent_get_openssl_error(connection->bev)) != 0)
            reason = reason == 0 ? next : reason;
        detail = setpay_tls_handshake_error(ssl);
        /* A refused connect reaches OpenSSL as a failed first write. */
        if (detail == SETPAY_E_TLS && (ERR_SYSTEM_ERROR(reason) || !is_connected(connection)))
            is_tls = false;
    }
    connection_close(connection);
    if (!is_tls) {
        try_address(exchange);
    } else if ((reason == 0 || ERR_SYSTEM_ERROR(reason) ||
                ERR_GET_REASON(reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING) &&
               detail == SETPAY_E_TLS) {
        (void)what;
        fail(exchange, SETPAY_E_CLOSED, SETPAY_OK);
    } else {
        fail(exchange, SETPAY_E_TLS, detail);
    }
}

static void on_up(struct connection *connection)
{
    struct setpay_http_exchange *exchange = connection->exchange;
    int on = 1;

    connection->is_up = true;
    setpay_timer_stop(connection->timer);
    setsockopt(bufferevent_getfd(connection->bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connection->client->options.tls != NULL) {
        /* rules A3, W1: before a byte of the request leaves */
        enum setpay_error error =
            setpay_tls_check_peer(bufferevent_openssl_get_ssl(connection->bev), &connection->peer);

        if (error != SETPAY_OK) {
            fail(exchange, SETPAY_E_TLS, error);
            return;
        }
    }
    write_request(exchange);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct connection *connection = arg;
    struct setpay_http_exchange *exchange = connection->exchange;
    bool nothing_came = evbuffer_get_length(bufferevent_get_input(bev)) == 0;

    if ((what & BEV_EVENT_CONNECTED) != 0) {
        on_up(connection);
    } else if (exchange == NULL) {
        connection_close(connection);
    } else if (!connection->is_up) {
        on_attempt_failed(connection, what);
    } else if (connection->is_reused && nothing_came && !exchange->was_repeated) {
        /* The server closed it while the request was on its way. */
        exchange->was_repeated = true;
        connection_close(connection);
        exchange->address_next = 0;
        try_address(exchange);
    } else {
        fail(exchange, SETPAY_E_CLOSED, SETPAY_OK);
    }
}

/* Idle for long enough, or not connected in time. */
static void on_connection_timer(void *arg)
{
    struct connection *connection = arg;
    struct setpay_http_exchange *exchange = connection->exchange;

    connection_close(connection);
    if (exchange == NULL)
        return;
    if (exchange->address_next < exchange->address_count)
        try_address(exchange);
    else
        fail(exchange, SETPAY_E_TIMEOUT, SETPAY_OK);
}

static bool is_numeric(const char *host)
{
    struct in6_addr any;

    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

static struct bufferevent *make_bufferevent(struct setpay_http_client *client, const char *host)
{
    struct event_base *base = setpay_loop_base(client->options.loop);
    const int flags = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
    struct setpay_tls_expect expect = {.sni = is_numeric(host) ? NULL : host, .host = host};
    struct bufferevent *bev;
    SSL *ssl = NULL;

    if (client->options.tls == NULL)
        return bufferevent_socket_new(base, -1, flags);
    if (setpay_tls_session_client(client->options.tls, &expect, &ssl) != SETPAY_OK)
        return NULL;
    bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, flags);
    if (bev == NULL)
        SSL_free(ssl);
    else
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1); /* answers say their length */
    return bev;
}

/* A connection that no exchange uses makes room. */
static void close_an_idle_one(struct setpay_http_client *client)
{
    struct connection *connection = client->connections;

    while (connection != NULL && connection->exchange != NULL)
        connection = connection->next;
    if (connection != NULL)
        connection_close(connection);
}

static struct connection *connection_new(struct setpay_http_exchange *exchange)
{
    struct setpay_http_client *client = exchange->client;
    struct connection *connection;

    if (client->connection_count >= client->options.max_connections)
        close_an_idle_one(client);
    connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    connection->client = client;
    connection->next = client->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    client->connections = connection;
    client->connection_count++;
    memcpy(connection->host, exchange->host, sizeof(connection->host));
    connection->port = exchange->port;
    connection->bev = make_bufferevent(client, exchange->host);
    if (connection->bev == NULL || setpay_timer_new(client->options.loop, on_connection_timer,
                                                    connection, &connection->timer) != SETPAY_OK) {
        connection_close(connection);
        return NULL;
    }
    connection->exchange = exchange;
    exchange->connection = connection;
    bufferevent_setcb(connection->bev, on_read, NULL, on_event, connection);
    bufferevent_enable(connection->bev, EV_READ | EV_WRITE);
    return connection;
}

/* The next address; ends the exchange where there is none left. */
static void try_address(struct setpay_http_exchange *exchange)
{
    while (exchange->address_next < exchange->address_count) {
        const struct sockaddr_storage *address = &exchange->addresses[exchange->address_next++];
        struct connection *connection = connection_new(exchange);

        if (connection == NULL) {
            fail(exchange, SETPAY_E_NOMEM, SETPAY_OK);
            return;
        }
        setpay_timer_start(connection->timer, exchange->client->options.connect_timeout_ms);
        if (bufferevent_socket_connect(connection->bev, (const struct sockaddr *)address,
                                       address->ss_family == AF_INET
                                           ? (int)sizeof(struct sockaddr_in)
                                           : (int)sizeof(struct sockaddr_in6)) == 0)
            return;
        connection_close(connection);
    }
    fail(exchange, SETPAY_E_UNREACHABLE, SETPAY_OK);
}

/* ------------------------------------------------------------------ names */

static void add_address(struct setpay_http_exchange *exchange, int family, const void *address)
{
    struct sockaddr_storage *at = &exchange->addresses[exchange->address_count];

    if (exchange->address_count == ADDRESSES_MAX)
        return;
    if (family == AF_INET) {
        memcpy(at, address, sizeof(struct sockaddr_in));
        exchange->address_count++;
    } else if (family == AF_INET6) {
        memcpy(at, address, sizeof(struct sockaddr_in6));
        exchange->address_count++;
    }
}

static void add_numeric(struct setpay_http_exchange *exchange, const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(exchange->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(exchange->port)};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        add_address(exchange, AF_INET, &v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        add_address(exchange, AF_INET6, &v6);
}

static void on_lookup(int result, struct evutil_addrinfo *found, void *arg)
{
    struct setpay_http_exchange *exchange = arg;

    if (result == EVUTIL_EAI_CANCEL)
        return; /* the exchange has gone */
    exchange->lookup = NULL;
    for (struct evutil_addrinfo *at = found; at != NULL; at = at->ai_next)
        add_address(exchange, at->ai_addr->sa_family, at->ai_addr);
    if (found != NULL)
        evutil_freeaddrinfo(found);
    try_address(exchange);
}

/* The resolver, made when first needed: most systems have one, a bare one has its hosts file. */
static struct evdns_base *resolver(struct setpay_http_client *client)
{
    struct event_base *base = setpay_loop_base(client->options.loop);

    if (client->dns == NULL)
        client->dns = evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                               EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (client->dns == NULL) {
        client->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
        if (client->dns != NULL)
            evdns_base_load_hosts(client->dns, "/etc/hosts");
    }
    return client->dns;
}

static void resolve(struct setpay_http_exchange *exchange)
{
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_protocol = IPPROTO_TCP,
                                    .ai_flags = EVUTIL_AI_ADDRCONFIG};
    struct evdns_base *dns;
    struct evdns_getaddrinfo_request *lookup;
    char port[8];

    /* RFC 6761 section 6.3: localhost is loopback, whatever a name server says. */
    if (strcasecmp(exchange->host, "localhost") == 0) {
        add_numeric(exchange, "127.0.0.1");
        add_numeric(exchange, "::1");
    } else {
        add_numeric(exchange, exchange->host);
    }
    if (exchange->address_count > 0) {
        try_address(exchange);
        return;
    }
    dns = resolver(exchange->client);
    if (dns == NULL) {
        fail(exchange, SETPAY_E_UNREACHABLE, SETPAY_OK);
        return;
    }
    snprintf(port, sizeof(port), "%u", exchange->port);
    /* NULL: the callback has run already, and the exchange may be gone. */
    lookup = evdns_getaddrinfo(dns, exchange->host, port, &hints, on_lookup, exchange);
    if (lookup != NULL)
        exchange->lookup = lookup;
}

/* ------------------------------------------------------------------ exchanges */

/* An idle connection to the same place whose certificate is still good. */
static struct connection *find_idle(struct setpay_http_client *client, const char *host,
                                    uint16_t port)
{
    struct connection *connection, *next;

    for (connection = client->connections; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->exchange != NULL || connection->port != port ||
            strcmp(connection->host, host) != 0)
            continue;
        /* rule A3, again: a revocation list may have come since */
        if (client->options.tls == NULL ||
            setpay_tls_check_peer(bufferevent_openssl_get_ssl(connection->bev),
                                  &connection->peer) == SETPAY_OK)
            return connection;
        connection_close(connection);
    }
    return NULL;
}

static void on_exchange_timer(void *arg)
{
    struct setpay_http_exchange *exchange = arg;
    struct connection *connection;

    if (exchange->is_started) {
        fail(exchange, SETPAY_E_TIMEOUT, SETPAY_OK);
        return;
    }
    exchange->is_started = true;
    setpay_timer_start_at(exchange->timer, exchange->deadline_ms);
    connection = find_idle(exchange->client, exchange->host, exchange->port);
    if (connection == NULL) {
        resolve(exchange);
        return;
    }
    setpay_timer_stop(connection->timer);
    connection->exchange = exchange;
    exchange->connection = connection;
    /* Where it has to be repeated. */
    if (strcasecmp(exchange->host, "localhost") == 0) {
        add_numeric(exchange, "127.0.0.1");
        add_numeric(exchange, "::1");
    } else {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof(address);

        if (getpeername(bufferevent_getfd(connection->bev), (struct sockaddr *)&address, &size) ==
            0)
            add_address(exchange, address.ss_family, &address);
    }
    write_request(exchange);
}

enum setpay_error setpay_http_client_ask(struct setpay_http_client *client,
                                         const struct setpay_http_ask *ask,
                                         setpay_http_answer_cb *answer_cb, void *arg,
                                         struct setpay_http_exchange **exchange)
{
    struct setpay_http_bytes *request = NULL;
    struct setpay_http_exchange *made;
    enum setpay_error error;

    SETPAY_TRY(setpay_http_bytes_new(ask, &request));
    made =
        client->exchange_count >= client->options.max_connections ? NULL : calloc(1, sizeof(*made));
    if (made == NULL) {
        setpay_http_bytes_unref(request);
        return client->exchange_count >= client->options.max_connections ? SETPAY_E_BUSY
                                                                         : SETPAY_E_NOMEM;
    }
    made->request = request;
    made->client = client;
    made->next = client->exchanges;
    if (made->next != NULL)
        made->next->previous = made;
    client->exchanges = made;
    client->exchange_count++;
    memcpy(made->host, ask->host, strlen(ask->host) + 1);
    made->port = ask->port;
    made->answer_cb = answer_cb;
    made->arg = arg;
    made->deadline_ms = setpay_clock_monotonic_ms() + client->options.deadline_ms;
    error = setpay_timer_new(client->options.loop, on_exchange_timer, made, &made->timer);
    if (error != SETPAY_OK) {
        exchange_free(made);
        return error;
    }
    setpay_timer_start(made->timer, 0);
    if (exchange != NULL)
        *exchange = made;
    return SETPAY_OK;
}

enum setpay_error setpay_http_client_post(struct setpay_http_client *client, const char *host,
                                          uint16_t port, const char *path, const char *content_type,
                                          struct setpay_view body, setpay_http_answer_cb *answer_cb,
                                          void *arg, struct setpay_http_exchange **exchange)
{
    const struct setpay_http_ask ask = {
        .host = host, .port = port, .path = path, .content_type = content_type, .body = body};

    if (content_type == NULL)
        return SETPAY_E_INVALID;
    return setpay_http_client_ask(client, &ask, answer_cb, arg, exchange);
}

void setpay_http_client_cancel(struct setpay_http_exchange *exchange)
{
    exchange_free(exchange);
}

/* ------------------------------------------------------------------ the client */

enum setpay_error setpay_http_client_new(const struct setpay_http_client_options *options,
                                         struct setpay_http_client **client)
{
    struct setpay_http_client *made = calloc(1, sizeof(*made));

    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->options = *options;
    if (made->options.connect_timeout_ms == 0)
        made->options.connect_timeout_ms = 5 * SETPAY_SECOND_MS;
    if (made->options.deadline_ms == 0)
        made->options.deadline_ms = 30 * SETPAY_SECOND_MS;
    if (made->options.idle_timeout_ms == 0)
        made->options.idle_timeout_ms = 30 * SETPAY_SECOND_MS;
    if (made->options.max_answer_bytes == 0)
        made->options.max_answer_bytes = SETPAY_LIMIT_HTTP_BODY_BYTES;
    if (made->options.max_connections == 0)
        made->options.max_connections = 16;
    *client = made;
    return SETPAY_OK;
}

void setpay_http_client_free(struct setpay_http_client *client)
{
    struct setpay_http_exchange *next_exchange;
    struct connection *next_connection;

    if (client == NULL)
        return;
    for (struct setpay_http_exchange *e = client->exchanges; e != NULL; e = next_exchange) {
        next_exchange = e->next;
        exchange_free(e);
    }
    for (struct connection *c = client->connections; c != NULL; c = next_connection) {
        next_connection = c->next;
        connection_close(c);
    }
    if (client->dns != NULL)
        evdns_base_free(client->dns, 0);
    free(client);
}
