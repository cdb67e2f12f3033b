/*
 * Connections, their frames, and who takes which message.
 *
 * What always holds: a request on a connection that is not signed on closes it. Each message type
 * has one row in the table of handlers; a type that is not there is answered with 40 (not
 * supported).
 */
#include "common/base/log.h"
#include "common/base/testing.h"
#include "gateway/issuer/messages.h"
#include "gateway/issuer/server_internal.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

typedef void handler_fn(struct setpay_issuer_connection *connection,
                        struct setpay_iso_message *request);

/* ------------------------------------------------------------------ connections */

void setpay_issuer_connection_free(struct setpay_issuer_connection *connection)
{
    connection->server->connection_count--;
    LIST_REMOVE(connection, in_list);
    bufferevent_free(connection->stream);
    free(connection);
}

struct setpay_issuer_connection *setpay_issuer_connection_find(struct setpay_issuer_server *server,
                                                               uint64_t number)
{
    struct setpay_issuer_connection *connection;
    LIST_FOREACH(connection, &server->connections, in_list)
    if (connection->number == number)
        return connection;
    return NULL;
}

static void frame_release(const void *data, size_t size, void *arg)
{
    struct setpay_secret *frame = arg;
    (void)data;
    (void)size;
    setpay_secret_clear(frame);
    free(frame);
}

/* Takes the frame. */
void setpay_issuer_send(struct setpay_issuer_connection *connection, struct setpay_secret *frame)
{
    struct evbuffer *output = bufferevent_get_output(connection->stream);
    struct setpay_secret *held = calloc(1, sizeof(*held));
    setpay_testing_point("issuer.send");
    if (held == NULL || evbuffer_get_length(output) + frame->size > SETPAY_ISSUER_OUTPUT_MAX) {
        setpay_log_error(SETPAY_E_BUSY, "issuer.send",
                         setpay_field_int("connection", (int64_t)connection->number));
        free(held);
        setpay_secret_clear(frame);
        return;
    }
    setpay_secret_move(held, frame);
    if (evbuffer_add_reference(output, held->data, held->size, frame_release, held) != 0)
        frame_release(NULL, 0, held);
}

/* Answers with a response code alone. */
void setpay_issuer_reply(struct setpay_issuer_connection *connection,
                         const struct setpay_iso_message *request, const char *response_code)
{
    struct setpay_secret frame = {0};
    enum setpay_error error = setpay_issuer_build_answer(request, response_code, &frame);
    if (error == SETPAY_OK)
        setpay_issuer_send(connection, &frame);
    else
        setpay_log_error(error, "issuer.answer", setpay_field_text("mti", request->mti));
}

/* ------------------------------------------------------------------ network management */

static void on_management(struct setpay_issuer_connection *connection,
                          struct setpay_iso_message *request)
{
    struct setpay_issuer_server *server = connection->server;
    uint64_t code = 0;
    if (setpay_iso_get_number(request, SETPAY_ISO_MANAGEMENT_CODE, &code) != SETPAY_OK)
        code = 0;
    if (code == 1) {
        bool refuse = setpay_script_take(&server->script.refuse_sign_on);
        connection->signed_on = !refuse;
        server->figures.sign_ons += refuse ? 0 : 1;
        setpay_issuer_reply(connection, request, refuse ? "91" : "00");
    } else if (code == 2) {
        connection->signed_on = false;
        setpay_log(SETPAY_LOG_INFO, "issuer.signed_off",
                   setpay_field_int("connection", (int64_t)connection->number));
        setpay_issuer_reply(connection, request, "00");
    } else if (code == 301) {
        server->figures.echoes++;
        if (!setpay_script_take(&server->script.silent_echoes))
            setpay_issuer_reply(connection, request, "00");
    } else {
        setpay_issuer_reply(connection, request, "30");
    }
}

/* ------------------------------------------------------------------ frames */

static const struct {
    const char *mti;
    handler_fn *handler;
    bool needs_sign_on;
} handlers[] = {
    {"0100", setpay_issuer_on_authorisation, true},
    {"0120", setpay_issuer_on_authorisation, true},
    {"0121", setpay_issuer_on_authorisation, true},
    {"0200", setpay_issuer_on_authorisation, true},
    {"0220", setpay_issuer_on_presentment, true},
    {"0221", setpay_issuer_on_presentment, true},
    {"0400", setpay_issuer_on_reversal, true},
    {"0401", setpay_issuer_on_reversal, true},
    {"0420", setpay_issuer_on_reversal, true},
    {"0421", setpay_issuer_on_reversal, true},
    {"0500", setpay_issuer_on_reconciliation, true},
    {"0501", setpay_issuer_on_reconciliation, true},
    {"0800", on_management, false},
};

static void on_message(struct setpay_issuer_connection *connection,
                       struct setpay_iso_message *message)
{
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (strcmp(handlers[i].mti, message->mti) != 0)
            continue;
        if (handlers[i].needs_sign_on && !connection->signed_on)
            connection->closing = true;
        else
            handlers[i].handler(connection, message);
        return;
    }
    /* A request has an even third digit; an answer is nothing that an issuer takes. */
    if ((message->mti[2] - '0') % 2 == 0)
        setpay_issuer_reply(connection, message, "40");
    else
        connection->closing = true;
}

static void on_frame(struct setpay_issuer_connection *connection, struct setpay_view bytes)
{
    struct setpay_iso_message message = {0};
    struct setpay_problem problem = {{0}};
    setpay_testing_point("issuer.receive");
    enum setpay_error error = setpay_iso_parse(bytes, &message, &problem);
    if (error != SETPAY_OK) {
        connection->server->figures.malformed++;
        setpay_log_error(error, "issuer.malformed",
                         setpay_field_int("connection", (int64_t)connection->number),
                         setpay_field_text("text", problem.text));
        connection->closing = true;
        return;
    }
    on_message(connection, &message);
    setpay_iso_clear(&message);
}

static void on_readable(struct bufferevent *stream, void *arg)
{
    struct setpay_issuer_connection *connection = arg;
    struct evbuffer *input = bufferevent_get_input(stream);
    uint8_t bytes[SETPAY_ISO_MESSAGE_MAX];
    uint8_t header[SETPAY_ISO_HEADER_SIZE];
    size_t size;
    while (!connection->closing &&
           evbuffer_copyout(input, header, sizeof(header)) == (ev_ssize_t)sizeof(header)) {
        if (setpay_iso_frame_size(header, &size) != SETPAY_OK) {
            connection->server->figures.malformed++;
            connection->closing = true;
            break;
        }
        if (evbuffer_get_length(input) < sizeof(header) + size)
            break;
        evbuffer_drain(input, sizeof(header));
        evbuffer_remove(input, bytes, size);
        on_frame(connection, setpay_view_of(bytes, size));
        setpay_cleanse(bytes, size);
    }
    if (connection->closing)
        setpay_issuer_connection_free(connection);
}

static void on_stream_event(struct bufferevent *stream, short events, void *arg)
{
    (void)stream;
    if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
        setpay_issuer_connection_free(arg);
}

static struct bufferevent *stream_new(struct setpay_issuer_server *server, evutil_socket_t fd)
{
    struct event_base *base = setpay_loop_base(server->loop);
    if (server->tls == NULL)
        return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    SSL *ssl = SSL_new(server->tls);
    if (ssl == NULL || SSL_set_min_proto_version(ssl, TLS1_3_VERSION) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    return bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                          BEV_OPT_CLOSE_ON_FREE);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int size, void *arg)
{
    struct setpay_issuer_server *server = arg;
    int on = 1;
    (void)listener;
    (void)address;
    (void)size;
    struct setpay_issuer_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL || server->script.down != 0 || server->script.down_ms != 0 ||
        server->connection_count == SETPAY_ISSUER_CONNECTIONS_MAX)
        goto refused;
    connection->stream = stream_new(server, fd);
    if (connection->stream == NULL)
        goto refused;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection->server = server;
    connection->number = ++server->next_number;
    LIST_INSERT_HEAD(&server->connections, connection, in_list);
    server->connection_count++;
    server->figures.connections++;
    bufferevent_setcb(connection->stream, on_readable, NULL, on_stream_event, connection);
    bufferevent_setwatermark(connection->stream, EV_READ, 0, 64 * 1024);
    bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
    return;
refused:
    free(connection);
    close(fd);
}

/* ------------------------------------------------------------------ the server */

enum setpay_error setpay_issuer_server_new(struct setpay_loop *loop, struct setpay_store *store,
                                           struct ssl_ctx_st *tls, int listener_fd, int64_t late_ms,
                                           struct setpay_issuer_server **server)
{
    struct setpay_issuer_server *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        close(listener_fd);
        return SETPAY_E_NOMEM;
    }
    made->loop = loop;
    made->store = store;
    made->tls = tls;
    made->executor = setpay_loop_executor(loop);
    setpay_script_init(&made->script, late_ms);
    made->hold_ms = 10 * SETPAY_DAY_MS;
    made->listener =
        evconnlistener_new(setpay_loop_base(loop), on_accept, made,
                           LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1, listener_fd);
    if (made->listener == NULL) {
        close(listener_fd);
        free(made);
        return SETPAY_E_NOMEM;
    }
    *server = made;
    return SETPAY_OK;
}

void setpay_issuer_server_disconnect(struct setpay_issuer_server *server)
{
    struct setpay_issuer_connection *next;
    for (struct setpay_issuer_connection *c = LIST_FIRST(&server->connections); c != NULL;
         c = next) {
        next = LIST_NEXT(c, in_list);
        setpay_issuer_connection_free(c);
    }
}

static void on_outage_over(void *arg)
{
    struct setpay_issuer_server *server = arg;
    server->script.down_ms = 0;
}

enum setpay_error setpay_issuer_server_follow_script(struct setpay_issuer_server *server,
                                                     bool outage_begins)
{
    const struct setpay_script *script = &server->script;
    if (script->down_ms != 0 && server->outage == NULL)
        SETPAY_TRY(setpay_timer_new(server->loop, on_outage_over, server, &server->outage));
    if (script->down_ms != 0 && outage_begins)
        setpay_timer_start(server->outage, script->down_ms);
    if (script->down != 0 || script->down_ms != 0)
        setpay_issuer_server_disconnect(server);
    return SETPAY_OK;
}

void setpay_issuer_server_stop(struct setpay_issuer_server *server)
{
    if (server->listener != NULL)
        evconnlistener_free(server->listener);
    server->listener = NULL;
    setpay_issuer_server_disconnect(server);
}

void setpay_issuer_server_free(struct setpay_issuer_server *server)
{
    if (server == NULL)
        return;
    setpay_issuer_server_stop(server);
    setpay_timer_free(server->outage);
    struct setpay_issuer_exchange *next;
    for (struct setpay_issuer_exchange *e = LIST_FIRST(&server->exchanges); e != NULL; e = next) {
        next = LIST_NEXT(e, in_list);
        setpay_issuer_exchange_free(e);
    }
    free(server);
}

void setpay_issuer_server_set_hold(struct setpay_issuer_server *server, int64_t hold_ms)
{
    server->hold_ms = hold_ms;
}

struct setpay_script *setpay_issuer_server_script(struct setpay_issuer_server *server)
{
    return &server->script;
}

const struct setpay_issuer_figures *
setpay_issuer_server_figures(const struct setpay_issuer_server *server)
{
    return &server->figures;
}
