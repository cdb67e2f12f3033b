/*
 * The connections of an HTTP server: counting, deadlines, draining, and evhttp's shortcomings.
 *
 * evhttp parses and writes; its time-outs are per read, so each connection here has one timer,
 * whose meaning follows its phase: IDLE      nothing of a request has come: idle time-out (request
 * deadline after the accept) READING   a request's first byte has come: request deadline, whatever
 * trickles in after HANDLING  a handler has it: no timer, the handler's own affair SENDING   an
 * answer is being written: send deadline When it fires the connection is freed.
 *
 * evhttp 2.1 tells nothing at accept, only hands over a bufferevent to make. Its own object is the
 * argument of the callbacks that it sets on that bufferevent: adopt() reads it there in the same
 * turn, so that every connection has a close callback and is counted until it has gone. evhttp
 * answers what it can't parse with an HTML page; on_output() turns that into problem+json.
 */
#include "common/net/http_server.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/net/http_internal.h"
#include "common/net/metrics.h"
#include "common/net/tls.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTENERS_MAX 8
#define ACCEPT_PAUSE_MS 100
#define ERROR_PAGE_MAX 2048

enum phase { PHASE_IDLE, PHASE_READING, PHASE_HANDLING, PHASE_SENDING };

struct setpay_http_connection {
    struct setpay_http_server *server;
    struct setpay_http_connection *previous, *next;
    struct bufferevent *bev;         /* evhttp's */
    struct evhttp_connection *evcon; /* NULL until adopted */
    struct event *timer;
    struct setpay_http_request *request; /* in PHASE_HANDLING */
    enum phase phase;
    bool rewriting; /* on_output is changing the output */
    int fd;
    int64_t began_us;      /* of the request */
    int64_t idle_since_us; /* in PHASE_IDLE */
    struct in6_addr from;  /* IPv4 as ::ffff:0:0/96, of IPv6 the network alone */
    bool exempt;           /* from the share of one address */
};

struct setpay_http_server {
    struct setpay_http_server_options options;
    struct evhttp *http;
    struct evconnlistener *listeners[LISTENERS_MAX];
    size_t listener_count;
    struct setpay_http_connection *connections; /* list */
    size_t connection_count;
    struct setpay_http_connection **by_fd;
    size_t by_fd_count;
    struct setpay_timer *accept_timer; /* a pause after accept has failed */
    struct setpay_timer *drained_timer;
    void (*drained_cb)(void *arg);
    void *drained_arg;
    bool is_paused; /* connection maximum reached */
    bool is_draining;
    bool is_freeing;
    size_t metric_label;
};

static const char *const server_names[] = {"admin", "api", "protocol", "web", "other", NULL};
static const char *const status_classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx", NULL};

static struct setpay_metric metric_requests = {
    .name = "setpay_http_requests_total",
    .help = "Requests answered, by server and class of status.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"server", server_names}, {"status", status_classes}}};
static struct setpay_metric metric_seconds = {
    .name = "setpay_http_request_seconds",
    .help = "Time from a request's first byte until its answer was written.",
    .type = SETPAY_METRIC_HISTOGRAM,
    .labels = {{"server", server_names}}};
static struct setpay_metric metric_connections = {.name = "setpay_http_connections",
                                                  .help = "Connections that are open.",
                                                  .type = SETPAY_METRIC_GAUGE,
                                                  .labels = {{"server", server_names}}};
static struct setpay_metric metric_cut = {
    .name = "setpay_http_deadlines_total",
    .help = "Connections closed because a request or answer took too long.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"server", server_names}}};

enum { CLOSED_CROWDED, CLOSED_IDLE };
static const char *const closed_reasons[] = {"address", "idle", NULL};
static struct setpay_metric metric_closed = {
    .name = "setpay_http_closed_total",
    .help = "Connections closed for the sake of others: their address had too many, or they were"
            " idle for longest when all were taken.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"server", server_names}, {"reason", closed_reasons}}};

static size_t name_index(const char *name)
{
    size_t i = 0;

    while (server_names[i + 1] != NULL && strcmp(server_names[i], name) != 0)
        i++;
    return i;
}

static struct timeval timeval_of(int64_t ms)
{
    return (struct timeval){.tv_sec = (time_t)(ms / 1000),
                            .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

static void set_listening(struct setpay_http_server *server, bool on)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        if (on)
            evconnlistener_enable(server->listeners[i]);
        else
            evconnlistener_disable(server->listeners[i]);
    }
}

static void start_timer(struct setpay_http_connection *connection, int64_t ms)
{
    struct timeval time = timeval_of(ms);

    event_add(connection->timer, &time);
}

static void enter(struct setpay_http_connection *connection, enum phase phase)
{
    const struct setpay_http_server_options *options = &connection->server->options;

    connection->phase = phase;
    switch (phase) {
    case PHASE_IDLE: {
        connection->idle_since_us = setpay_clock_monotonic_us();
        /* Others wait until one has gone. */
        bool is_wanted = options->drops_idle && connection->server->is_paused;
        start_timer(connection, is_wanted ? 0 : options->idle_timeout_ms);
        break;
    }
    case PHASE_READING:
        connection->began_us = setpay_clock_monotonic_us();
        start_timer(connection, options->request_deadline_ms);
        break;
    case PHASE_HANDLING:
        event_del(connection->timer);
        break;
    case PHASE_SENDING:
        start_timer(connection, options->send_deadline_ms);
        break;
    }
}

/* ------------------------------------------------------------------ the life of a connection */

static void forget(struct setpay_http_connection *connection)
{
    struct setpay_http_server *server = connection->server;

    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->fd >= 0 && (size_t)connection->fd < server->by_fd_count &&
        server->by_fd[connection->fd] == connection)
        server->by_fd[connection->fd] = NULL;
    server->connection_count--;
    setpay_metric_add(&metric_connections, server->metric_label, 0, -1);
    if (connection->timer != NULL)
        event_free(connection->timer);
    free(connection);

    if (server->is_paused && !server->is_draining && !server->is_freeing) {
        server->is_paused = false;
        set_listening(server, true);
    }
    if (server->is_draining && !server->is_freeing && server->connection_count == 0)
        setpay_timer_start(server->drained_timer, 0);
}

static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg);
static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg);

static void on_close(struct evhttp_connection *evcon, void *arg)
{
    struct setpay_http_connection *connection = arg;

    (void)evcon;
    evbuffer_remove_cb(bufferevent_get_input(connection->bev), on_input, connection);
    evbuffer_remove_cb(bufferevent_get_output(connection->bev), on_output, connection);
    if (connection->server->options.tls != NULL)
        setpay_tls_shutdown(bufferevent_openssl_get_ssl(connection->bev));
    if (connection->request != NULL)
        setpay_http_request_set_gone(connection->request);
    forget(connection);
}

/* Makes room for fd in the table. */
static bool reserve_fd(struct setpay_http_server *server, int fd)
{
    struct setpay_http_connection **table;
    size_t count = server->by_fd_count == 0 ? 64 : server->by_fd_count;

    if (fd < 0)
        return false;
    while (count <= (size_t)fd)
        count *= 2;
    if (count == server->by_fd_count)
        return true;
    table = realloc(server->by_fd, count * sizeof(struct setpay_http_connection *));
    if (table == NULL)
        return false;
    memset(table + server->by_fd_count, 0,
           (count - server->by_fd_count) * sizeof(struct setpay_http_connection *));
    server->by_fd = table;
    server->by_fd_count = count;
    return true;
}

/* Whom it is from, for counting; all zeros where that is no internet address. */
static void learn_origin(struct setpay_http_connection *connection)
{
    const struct setpay_http_server_options *options = &connection->server->options;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(address);
    const struct sockaddr_in *v4 = (const void *)&address;
    const struct sockaddr_in6 *v6 = (const void *)&address;

    if (getpeername(connection->fd, (struct sockaddr *)&address, &size) != 0)
        address.ss_family = AF_UNSPEC; /* it has gone */
    if (address.ss_family == AF_INET) {
        connection->from.s6_addr[10] = connection->from.s6_addr[11] = 0xff;
        memcpy(&connection->from.s6_addr[12], &v4->sin_addr, sizeof(v4->sin_addr));
    } else if (address.ss_family == AF_INET6) {
        memcpy(&connection->from, &v6->sin6_addr, IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? 16 : 8);
    }
    connection->exempt = address.ss_family == AF_UNSPEC || options->max_of_address == 0 ||
                         (options->exempt_cb != NULL &&
                          options->exempt_cb((const struct sockaddr *)&address, options->arg));
}

/* Whether its address has more connections than one may have. */
static bool is_one_too_many(const struct setpay_http_connection *connection)
{
    const struct setpay_http_server *server = connection->server;
    const struct setpay_http_connection *one = server->connections;
    size_t count = 0;

    for (; !connection->exempt && one != NULL; one = one->next)
        count += one->evcon != NULL &&
                 memcmp(&one->from, &connection->from, sizeof(connection->from)) == 0;
    return count > server->options.max_of_address;
}

static void count_closed(struct setpay_http_connection *connection, size_t reason)
{
    setpay_metric_add(&metric_closed, connection->server->metric_label, reason, 1);
    setpay_log(SETPAY_LOG_DEBUG, "http.closed",
               setpay_field_text("server", connection->server->options.name),
               setpay_field_text("reason", closed_reasons[reason]));
}

/* False: none is idle. */
static bool close_longest_idle(struct setpay_http_server *server)
{
    struct setpay_http_connection *longest = NULL;

    for (struct setpay_http_connection *one = server->connections; one != NULL; one = one->next) {
        if (one->evcon != NULL && one->phase == PHASE_IDLE &&
            (longest == NULL || one->idle_since_us < longest->idle_since_us))
            longest = one;
    }
    if (longest == NULL)
        return false;
    count_closed(longest, CLOSED_IDLE);
    evhttp_connection_free(longest->evcon);
    return true;
}

/* Learns evhttp's object for this connection; see the head of this file. */
static void adopt(struct setpay_http_connection *connection)
{
    bufferevent_data_cb read_cb, write_cb;
    bufferevent_event_cb event_cb;
    void *evcon = NULL;

    bufferevent_getcb(connection->bev, &read_cb, &write_cb, &event_cb, &evcon);
    connection->evcon = evcon;
    connection->fd = bufferevent_getfd(connection->bev);
    evhttp_connection_set_closecb(connection->evcon, on_close, connection);
    if (reserve_fd(connection->server, connection->fd))
        connection->server->by_fd[connection->fd] = connection;
    learn_origin(connection);
    connection->idle_since_us = setpay_clock_monotonic_us();
    start_timer(connection, connection->server->options.request_deadline_ms);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct setpay_http_connection *connection = arg;

    (void)fd;
    (void)what;
    if (connection->evcon == NULL) {
        adopt(connection);
        bool is_crowded = is_one_too_many(connection);
        if (is_crowded)
            count_closed(connection, CLOSED_CROWDED);
        if (is_crowded || connection->server->is_draining)
            evhttp_connection_free(connection->evcon);
        return;
    }
    if (connection->phase != PHASE_IDLE)
        setpay_metric_add(&metric_cut, connection->server->metric_label, 0, 1);
    setpay_log(SETPAY_LOG_DEBUG, "http.deadline",
               setpay_field_text("server", connection->server->options.name),
               setpay_field_int("phase", connection->phase));
    evhttp_connection_free(connection->evcon);
}

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct setpay_http_connection *connection = arg;

    (void)input;
    if (info->n_added == 0)
        return;
    if (connection->evcon == NULL)
        adopt(connection);
    if (connection->phase == PHASE_IDLE)
        enter(connection, PHASE_READING);
}

/* In place of the page that is all of output, what it says as problem+json. */
static void replace_page(struct setpay_http_connection *connection, struct evbuffer *output,
                         const char *page, size_t size)
{
    const struct setpay_http_header *header = connection->server->options.headers;
    const char *type = SETPAY_HTTP_PROBLEM_TYPE;
    char *body;
    int status = strncmp(page, "HTTP/1.", 7) == 0 && size > 9 ? (int)strtol(page + 9, NULL, 10) : 0;

    if (status < 400 || status > 599)
        status = 501; /* evhttp has no number for a method that it does not know */
    setpay_metric_add(&metric_requests, connection->server->metric_label,
                      (size_t)(status / 100 - 1), 1);
    body = setpay_http_error_body(connection->server, status, NULL, &type);
    if (body != NULL) {
        connection->rewriting = true;
        evbuffer_drain(output, size);
        evbuffer_add_printf(output,
                            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n"
                            "Content-Length: %zu\r\nConnection: close\r\n",
                            status, setpay_http_status_phrase(status), type, strlen(body));
        for (; header != NULL && header->name != NULL; header++)
            evbuffer_add_printf(output, "%s: %s\r\n", header->name, header->value);
        evbuffer_add_printf(output, "\r\n%s", body);
        connection->rewriting = false;
        free(body);
    }
    enter(connection, PHASE_SENDING);
}

/* evhttp writes a page of its own: an answer that we did not begin, whole once its last line is
 * there. It closes the connection after it. */
static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
    static const char page_end[] = "</HTML>\n";
    struct setpay_http_connection *connection = arg;
    char page[ERROR_PAGE_MAX];
    size_t size = evbuffer_get_length(output);
    bool is_frozen;

    if (info->n_added == 0 || connection->phase == PHASE_SENDING || connection->rewriting ||
        size < sizeof(page_end) || size >= sizeof(page))
        return;
    /* A bufferevent that has written once lets nobody but itself take from its output. */
    is_frozen = evbuffer_copyout(output, page, size) < 0;
    if (is_frozen)
        evbuffer_unfreeze(output, 1);
    if (evbuffer_copyout(output, page, size) == (ev_ssize_t)size) {
        page[size] = '\0';
        if (strcmp(page + size - (sizeof(page_end) - 1), page_end) == 0)
            replace_page(connection, output, page, size);
    }
    if (is_frozen)
        evbuffer_freeze(output, 1);
}

static struct bufferevent *make_bufferevent(struct setpay_http_server *server,
                                            struct event_base *base)
{
    struct bufferevent *bev;
    SSL *ssl = NULL;

    if (server->options.tls == NULL)
        return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (setpay_tls_session_server(server->options.tls, &ssl) != SETPAY_OK)
        return NULL;
    bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                         BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    /* HTTP has lengths of its own: a missing close_notify can't cut a message unseen. */
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

/* evhttp has accepted a connection. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
    struct setpay_http_server *server = arg;
    struct setpay_http_connection *connection = calloc(1, sizeof(*connection));
    struct bufferevent *bev = NULL;

    if (connection == NULL)
        goto out;
    bev = make_bufferevent(server, base);
    if (bev == NULL)
        goto out;
    connection->server = server;
    connection->bev = bev;
    connection->fd = -1;
    connection->timer = event_new(base, -1, 0, on_timer, connection);
    if (connection->timer == NULL ||
        evbuffer_add_cb(bufferevent_get_input(bev), on_input, connection) == NULL ||
        evbuffer_add_cb(bufferevent_get_output(bev), on_output, connection) == NULL)
        goto out;
    /* Reading stops there, however much a client sends ahead of the answers. */
    bufferevent_setwatermark(bev, EV_READ, 0,
                             server->options.max_body_bytes + 2 * server->options.max_header_bytes);
    connection->next = server->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    server->connections = connection;
    server->connection_count++;
    setpay_metric_add(&metric_connections, server->metric_label, 0, 1);
    /* Adopted within this turn, before anything can be read. */
    event_active(connection->timer, EV_TIMEOUT, 0);
    connection = NULL;
    if (server->connection_count >= server->options.max_connections &&
        !(server->options.drops_idle && close_longest_idle(server))) {
        server->is_paused = true;
        set_listening(server, false);
    }
out:
    if (connection != NULL) {
        if (bev != NULL)
            bufferevent_free(bev);
        if (connection->timer != NULL)
            event_free(connection->timer);
        free(connection);
        /* evhttp then makes one of its own, whose requests setpay_http_on_request refuses. */
        bev = NULL;
    }
    return bev;
}

/* ------------------------------------------------------------------ for http_request.c */

struct setpay_http_connection *setpay_http_connection_of(struct setpay_http_server *server,
                                                         struct evhttp_request *ev)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(ev);
    int fd = evcon == NULL ? -1 : bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));
    struct setpay_http_connection *connection = NULL;

    if (fd >= 0 && (size_t)fd < server->by_fd_count)
        connection = server->by_fd[fd];
    return connection != NULL && connection->evcon == evcon ? connection : NULL;
}

enum setpay_error setpay_http_connection_peer(struct setpay_http_connection *connection,
                                              struct setpay_peer *peer)
{
    if (connection->server->options.tls == NULL)
        return SETPAY_E_TLS;
    return setpay_tls_check_peer(bufferevent_openssl_get_ssl(connection->bev), peer);
}

const struct setpay_http_server_options *
setpay_http_server_options(const struct setpay_http_server *server)
{
    return &server->options;
}

bool setpay_http_server_is_draining(const struct setpay_http_server *server)
{
    return server->is_draining;
}

void setpay_http_connection_begin(struct setpay_http_connection *connection,
                                  struct setpay_http_request *request)
{
    connection->request = request;
    enter(connection, PHASE_HANDLING);
}

static void on_sent(struct evhttp_request *ev, void *arg)
{
    struct setpay_http_connection *connection = arg;
    struct setpay_http_server *server = connection->server;

    setpay_metric_observe(&metric_seconds, server->metric_label, 0,
                          setpay_clock_monotonic_us() - connection->began_us);
    /* evhttp looks at this header after this callback. */
    if (server->is_draining)
        evhttp_add_header(evhttp_request_get_output_headers(ev), "Connection", "close");
    enter(connection, PHASE_IDLE);
    if (evbuffer_get_length(bufferevent_get_input(connection->bev)) > 0)
        enter(connection, PHASE_READING); /* the next one was sent ahead */
}

void setpay_http_connection_reply(struct setpay_http_connection *connection,
                                  struct evhttp_request *ev, int status)
{
    connection->request = NULL;
    setpay_metric_add(&metric_requests, connection->server->metric_label,
                      (size_t)(status / 100 - 1), 1);
    enter(connection, PHASE_SENDING);
    evhttp_request_set_on_complete_cb(ev, on_sent, connection);
}

/* ------------------------------------------------------------------ the server */

static void on_accept_timer(void *arg)
{
    struct setpay_http_server *server = arg;

    if (!server->is_draining && !server->is_paused)
        set_listening(server, true);
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct setpay_http_server *server = arg;

    (void)listener;
    setpay_log(SETPAY_LOG_ERROR, "http.accept_failed",
               setpay_field_text("server", server->options.name),
               setpay_field_text("reason", strerror(EVUTIL_SOCKET_ERROR())));
    /* Mostly no descriptor is left: trying at once would spin. */
    set_listening(server, false);
    setpay_timer_start(server->accept_timer, ACCEPT_PAUSE_MS);
}

static void on_drained_timer(void *arg)
{
    struct setpay_http_server *server = arg;

    if (server->drained_cb != NULL)
        server->drained_cb(server->drained_arg);
}

static void set_defaults(struct setpay_http_server_options *options)
{
    if (options->max_connections == 0)
        options->max_connections = SETPAY_LIMIT_CONNECTIONS_PER_WORKER;
    if (options->max_header_bytes == 0)
        options->max_header_bytes = SETPAY_LIMIT_HTTP_HEADER_BYTES;
    if (options->max_body_bytes == 0)
        options->max_body_bytes = SETPAY_LIMIT_HTTP_BODY_BYTES;
    if (options->request_deadline_ms == 0)
        options->request_deadline_ms = 10 * SETPAY_SECOND_MS;
    if (options->idle_timeout_ms == 0)
        options->idle_timeout_ms = SETPAY_MINUTE_MS;
    if (options->send_deadline_ms == 0)
        options->send_deadline_ms = 30 * SETPAY_SECOND_MS;
}

static enum setpay_error configure(struct setpay_http_server *server)
{
    const struct setpay_http_server_options *options = &server->options;
    /* Never before our own timer: that one knows the phase. */
    int64_t longest = options->idle_timeout_ms + options->request_deadline_ms +
                      options->send_deadline_ms + SETPAY_SECOND_MS;
    struct timeval timeout = timeval_of(longest);

    for (const struct setpay_http_route *route = options->routes; route->handler_cb != NULL;
         route++) {
        if (route->pattern[0] != '/')
            return SETPAY_E_INVALID;
    }
    server->http = evhttp_new(setpay_loop_base(options->loop));
    if (server->http == NULL)
        return SETPAY_E_NOMEM;
    evhttp_set_max_headers_size(server->http, (ev_ssize_t)options->max_header_bytes);
    evhttp_set_max_body_size(server->http, (ev_ssize_t)options->max_body_bytes);
    evhttp_set_timeout_tv(server->http, &timeout);
    evhttp_set_default_content_type(server->http, NULL);
    /* All of them: routes say what is taken, and a method that is not gets 405 with Allow. */
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                                 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                                 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                                 EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
    /* The rest of a body that is too long is read and dropped, so that 413 gets through. */
    evhttp_set_flags(server->http, EVHTTP_SERVER_LINGERING_CLOSE);
    evhttp_set_bevcb(server->http, on_accept, server);
    evhttp_set_gencb(server->http, setpay_http_on_request, server);
    SETPAY_TRY(setpay_timer_new(options->loop, on_accept_timer, server, &server->accept_timer));
    SETPAY_TRY(setpay_timer_new(options->loop, on_drained_timer, server, &server->drained_timer));
    SETPAY_TRY(setpay_metric_register(&metric_requests));
    SETPAY_TRY(setpay_metric_register(&metric_seconds));
    SETPAY_TRY(setpay_metric_register(&metric_connections));
    SETPAY_TRY(setpay_metric_register(&metric_closed));
    return setpay_metric_register(&metric_cut);
}

enum setpay_error setpay_http_server_new(const struct setpay_http_server_options *options,
                                         struct setpay_http_server **server)
{
    struct setpay_http_server *made = calloc(1, sizeof(*made));
    enum setpay_error error;

    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->options = *options;
    set_defaults(&made->options);
    made->metric_label = name_index(options->name);
    error = configure(made);
    if (error != SETPAY_OK) {
        setpay_http_server_free(made);
        return error;
    }
    *server = made;
    return SETPAY_OK;
}

enum setpay_error setpay_http_server_listen(struct setpay_http_server *server, int listener_fd)
{
    struct evconnlistener *listener;

    if (server->listener_count == LISTENERS_MAX) {
        close(listener_fd);
        return SETPAY_E_NOMEM;
    }
    /* Backlog 0: the socket listens already. */
    listener = evconnlistener_new(setpay_loop_base(server->options.loop), NULL, NULL,
                                  LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE, 0, listener_fd);
    if (listener == NULL) {
        close(listener_fd);
        return SETPAY_E_NOMEM;
    }
    if (evhttp_bind_listener(server->http, listener) == NULL) {
        evconnlistener_free(listener);
        return SETPAY_E_NOMEM;
    }
    evconnlistener_set_error_cb(listener, on_accept_error);
    server->listeners[server->listener_count++] = listener;
    return SETPAY_OK;
}

static void remove_bound(struct evhttp_bound_socket *bound, void *arg)
{
    *(struct evhttp_bound_socket **)arg = bound;
}

void setpay_http_server_drain(struct setpay_http_server *server, void (*drained_cb)(void *arg),
                              void *arg)
{
    struct setpay_http_connection *connection, *next;

    if (server->is_draining)
        return;
    server->is_draining = true;
    server->drained_cb = drained_cb;
    server->drained_arg = arg;
    for (;;) {
        struct evhttp_bound_socket *bound = NULL;

        evhttp_foreach_bound_socket(server->http, remove_bound, &bound);
        if (bound == NULL)
            break;
        evhttp_del_accept_socket(server->http, bound);
    }
    server->listener_count = 0;
    for (connection = server->connections; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->evcon != NULL && connection->phase == PHASE_IDLE)
            evhttp_connection_free(connection->evcon);
    }
    if (server->connection_count == 0)
        setpay_timer_start(server->drained_timer, 0);
}

size_t setpay_http_server_connection_count(const struct setpay_http_server *server)
{
    return server->connection_count;
}

void setpay_http_server_free(struct setpay_http_server *server)
{
    if (server == NULL)
        return;
    server->is_freeing = true;
    for (struct setpay_http_connection *connection = server->connections; connection != NULL;
         connection = connection->next) {
        if (connection->evcon == NULL)
            adopt(connection);
    }
    if (server->http != NULL)
        evhttp_free(server->http); /* each connection ends in on_close */
    setpay_timer_free(server->accept_timer);
    setpay_timer_free(server->drained_timer);
    free(server->by_fd);
    free(server);
}
