/*
 * The framed server of one worker.
 *
 * A connection sits in a slot; slot and generation name it to the outside, so that an answer that
 * comes after its end finds nothing. Its states:
 *
 *     OPENING    handshake                                   -> OPEN, GONE
 *     OPEN       requests are read                           -> FINISHING (drain), GONE
 *     FINISHING  the last answers have left, our half is closed; input is thrown away until the
 * peer closes too (a close with unread input would destroy answers on their way) -> GONE GONE the
 * slot is free again
 *
 * Whether a connection is read is decided in one place (arm). One timer per server looks after all
 * deadlines (sweep); they are exact to its period.
 */
#include "common/net/frame_server.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/net/stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SWEEP_MS 250
#define ACCEPT_AT_ONCE 64
#define ACCEPT_PAUSE_MS 100
/* How long a peer may take to close its half after ours. */
#define FINISH_TIMEOUT_MS 3000

enum state { OPENING, OPEN, FINISHING };

struct connection {
    struct setpay_frame_server *server;
    struct setpay_stream *stream;
    uint32_t slot;
    enum state state;
    bool is_dispatching; /* inside read_frames */
    bool is_doomed;      /* to be closed when read_frames ends */
    bool is_held;        /* read_frames left input behind that it might not take */
    uint64_t *under_way; /* request ids, in no order */
    size_t under_way_count;
    int64_t since_ms;        /* of the state */
    int64_t active_ms;       /* the last frame in or out, or the opening */
    int64_t partial_ms;      /* a begun frame's first byte; 0: none */
    int64_t output_moved_ms; /* waiting output last changed */
    size_t output_seen;
    int64_t rechecked_ms;
};

struct slot {
    struct connection *connection; /* NULL: free */
    uint32_t generation;           /* of the connection in it, or of the next one */
    uint32_t next_free;
};

struct setpay_frame_server {
    struct setpay_loop *loop;
    struct setpay_tls *tls;
    struct setpay_frame_server_options options;
    int listener_fd;
    struct event *accept_event;
    struct setpay_timer *accept_pause;
    struct setpay_timer *sweep;
    struct slot *slots;
    uint32_t first_free; /* connections_max: none */
    bool is_draining;
    setpay_frame_drained_cb *on_drained_cb;
    void *drained_arg;
    struct setpay_timer *drained; /* so that on_drained_cb never runs inside a call */
    struct setpay_frame_server_counts counts;
};

/* --------------------------------------------------------------------------------- connections */

static void check_drained(struct setpay_frame_server *server)
{
    if (server->is_draining && server->counts.connections == 0 && server->on_drained_cb != NULL)
        setpay_timer_start(server->drained, 0);
}

static void connection_free(struct connection *connection)
{
    struct setpay_frame_server *server = connection->server;
    struct slot *slot = &server->slots[connection->slot];
    slot->connection = NULL;
    slot->generation = slot->generation == UINT32_MAX ? 1 : slot->generation + 1;
    slot->next_free = server->first_free;
    server->first_free = connection->slot;
    server->counts.connections--;
    server->counts.under_way -= connection->under_way_count;
    setpay_stream_free(connection->stream);
    free(connection->under_way);
    free(connection);
    check_drained(server);
}

/* Ends a connection now, or when its input's callback returns. */
static void connection_close(struct connection *connection)
{
    if (connection->is_dispatching)
        connection->is_doomed = true;
    else
        connection_free(connection);
}

static void log_end(const struct connection *connection, enum setpay_error error, const char *event)
{
    const struct setpay_peer *peer = setpay_stream_peer(connection->stream);
    setpay_log_error(error, event, setpay_field_text("brand", peer->brand),
                     setpay_field_text("peer", peer->id));
}

static struct connection *find(const struct setpay_frame_server *server,
                               struct setpay_frame_handle handle)
{
    if (handle.slot >= server->options.connections_max)
        return NULL;
    const struct slot *slot = &server->slots[handle.slot];
    if (slot->generation != handle.generation || slot->connection == NULL ||
        slot->connection->is_doomed)
        return NULL;
    return slot->connection;
}

static bool may_take(const struct connection *connection)
{
    const struct setpay_frame_server *server = connection->server;
    return connection->state == OPEN && !server->is_draining && !connection->is_doomed &&
           connection->under_way_count < server->options.requests_max &&
           setpay_stream_output_size(connection->stream) <= server->options.output_high;
}

/* The one place that decides whether a connection is read. */
static void arm(struct connection *connection)
{
    setpay_stream_set_reading(connection->stream,
                              connection->state == FINISHING || may_take(connection));
}

static void throw_input_away(struct connection *connection)
{
    struct evbuffer *input = setpay_stream_input(connection->stream);
    evbuffer_drain(input, evbuffer_get_length(input));
}

/* After answers have left, or reading has become possible again. */
static void advance(struct connection *connection)
{
    if (connection->state == OPEN && connection->server->is_draining &&
        connection->under_way_count == 0 && setpay_stream_output_size(connection->stream) == 0) {
        connection->state = FINISHING;
        connection->since_ms = setpay_clock_monotonic_ms();
        setpay_stream_finish(connection->stream);
        throw_input_away(connection);
    }
    if (connection->is_held && may_take(connection)) {
        connection->is_held = false;
        setpay_stream_poke(connection->stream); /* whole frames may be waiting in the input */
    }
    arm(connection);
}

/* ------------------------------------------------------------------------------------- requests */

static bool is_under_way(const struct connection *connection, uint64_t request_id)
{
    for (size_t i = 0; i < connection->under_way_count; i++)
        if (connection->under_way[i] == request_id)
            return true;
    return false;
}

static bool take_under_way(struct connection *connection, uint64_t request_id)
{
    for (size_t i = 0; i < connection->under_way_count; i++) {
        if (connection->under_way[i] != request_id)
            continue;
        connection->under_way[i] = connection->under_way[--connection->under_way_count];
        connection->server->counts.under_way--;
        return true;
    }
    return false;
}

/* Hands one whole frame, whose header is parsed, to the callback. */
static enum setpay_error dispatch(struct connection *connection, struct evbuffer *input,
                                  const struct setpay_frame_header *header)
{
    struct setpay_frame_server *server = connection->server;
    setpay_testing_point("net.receive");
    if (is_under_way(connection, header->request_id))
        return SETPAY_E_MALFORMED; /* its answers could not be told apart */
    size_t size = SETPAY_FRAME_HEADER_BYTES + header->payload_size;
    const uint8_t *bytes = evbuffer_pullup(input, (ev_ssize_t)size);
    if (bytes == NULL)
        return SETPAY_E_NOMEM;
    connection->under_way[connection->under_way_count++] = header->request_id;
    connection->active_ms = setpay_clock_monotonic_ms();
    server->counts.under_way++;
    server->counts.requests++;
    const struct setpay_frame_request request = {
        .connection = {connection->slot, server->slots[connection->slot].generation},
        .request_id = header->request_id,
        .payload = setpay_view_of(bytes + SETPAY_FRAME_HEADER_BYTES, header->payload_size),
        .peer = setpay_stream_peer(connection->stream),
    };
    server->options.on_request_cb(server->options.arg, &request);
    evbuffer_drain(input, size);
    return SETPAY_OK;
}

/* Dispatches what is whole, as far as limits permit. */
static enum setpay_error read_frames(struct connection *connection)
{
    struct evbuffer *input = setpay_stream_input(connection->stream);
    connection->is_dispatching = true;
    enum setpay_error error = SETPAY_OK;
    bool is_partial = false;
    while (error == SETPAY_OK && may_take(connection)) {
        uint8_t bytes[SETPAY_FRAME_HEADER_BYTES];
        struct setpay_frame_header header = {0};
        if (evbuffer_copyout(input, bytes, sizeof bytes) < (ev_ssize_t)sizeof bytes) {
            is_partial = evbuffer_get_length(input) > 0;
            break;
        }
        error = setpay_frame_header_parse(bytes, connection->server->options.payload_max, &header);
        if (error != SETPAY_OK)
            break;
        if (evbuffer_get_length(input) < SETPAY_FRAME_HEADER_BYTES + header.payload_size) {
            is_partial = true;
            break;
        }
        connection->partial_ms = 0;
        error = dispatch(connection, input, &header);
    }
    if (!is_partial)
        connection->partial_ms = 0;
    else if (connection->partial_ms == 0)
        connection->partial_ms = setpay_clock_monotonic_ms();
    connection->is_held = !may_take(connection) && evbuffer_get_length(input) > 0;
    connection->is_dispatching = false;
    return error;
}

enum setpay_error setpay_frame_reply(struct setpay_frame_server *server,
                                     struct setpay_frame_handle handle, uint64_t request_id,
                                     struct setpay_view payload)
{
    struct connection *connection = find(server, handle);
    if (connection == NULL || !take_under_way(connection, request_id)) {
        server->counts.replies_late++;
        return SETPAY_E_CLOSED;
    }
    if (payload.size == 0 || payload.size > server->options.payload_max) {
        connection_close(connection);
        return SETPAY_E_TOO_BIG;
    }
    uint8_t head[SETPAY_FRAME_HEADER_BYTES];
    setpay_frame_header_build(
        &(struct setpay_frame_header){.payload_size = payload.size, .request_id = request_id},
        head);
    setpay_testing_point("net.send");
    enum setpay_error error =
        setpay_stream_write(connection->stream, SETPAY_VIEW_ARRAY(head), payload);
    if (error != SETPAY_OK) {
        connection_close(connection);
        return error;
    }
    server->counts.replies++;
    connection->active_ms = setpay_clock_monotonic_ms();
    if (!connection->is_dispatching)
        advance(connection);
    return SETPAY_OK;
}

/* --------------------------------------------------------------------------------------- events */

static void on_open(void *arg)
{
    struct connection *connection = arg;
    const struct setpay_frame_server_options *options = &connection->server->options;
    connection->state = OPEN;
    connection->since_ms = connection->active_ms = connection->rechecked_ms =
        setpay_clock_monotonic_ms();
    setpay_stream_set_marks(connection->stream, SETPAY_FRAME_HEADER_BYTES + options->payload_max,
                            options->output_high / 2);
    advance(connection);
}

static void on_input(void *arg)
{
    struct connection *connection = arg;
    if (connection->state == FINISHING) {
        throw_input_away(connection);
        return;
    }
    enum setpay_error error = read_frames(connection);
    if (error != SETPAY_OK) {
        connection->server->counts.protocol_errors++;
        log_end(connection, error, "net.frame_refused");
        connection_free(connection);
    } else if (connection->is_doomed) {
        connection_free(connection);
    } else {
        advance(connection);
    }
}

static void on_output(void *arg)
{
    advance(arg);
}

static void on_end(void *arg, enum setpay_error error)
{
    struct connection *connection = arg;
    if (connection->state == OPENING) {
        connection->server->counts.refused++;
        log_end(connection, error, "net.handshake_failed");
    }
    connection_free(connection);
}

static const struct setpay_stream_events events = {
    .on_open_cb = on_open,
    .on_input_cb = on_input,
    .on_output_cb = on_output,
    .on_end_cb = on_end,
};

/* ------------------------------------------------------------------------------------- accepting
 */

static void take_connection(struct setpay_frame_server *server, int fd)
{
    if (server->first_free == server->options.connections_max) {
        server->counts.refused++;
        close(fd);
        return;
    }
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection != NULL)
        connection->under_way = calloc(server->options.requests_max, sizeof(uint64_t));
    if (connection == NULL || connection->under_way == NULL) {
        free(connection);
        close(fd);
        return;
    }
    connection->server = server;
    connection->since_ms = connection->output_moved_ms = setpay_clock_monotonic_ms();
    if (setpay_stream_accept(server->loop, fd, server->tls, &events, connection,
                             &connection->stream) != SETPAY_OK) {
        server->counts.refused++;
        free(connection->under_way);
        free(connection);
        return;
    }
    connection->slot = server->first_free;
    struct slot *slot = &server->slots[connection->slot];
    server->first_free = slot->next_free;
    slot->connection = connection;
    server->counts.connections++;
    server->counts.accepted++;
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
    struct setpay_frame_server *server = arg;
    (void)what;
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_connection(server, fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                return;
            /* No descriptors or memory: the connection stays in the backlog; asking again at once
             * would spin. */
            setpay_log_error(SETPAY_E_IO, "net.accept_failed", setpay_field_int("errno", errno));
            event_del(server->accept_event);
            setpay_timer_start(server->accept_pause, ACCEPT_PAUSE_MS);
            return;
        }
    }
}

static void on_accept_pause(void *arg)
{
    struct setpay_frame_server *server = arg;
    if (server->accept_event != NULL && event_add(server->accept_event, NULL) != 0)
        setpay_timer_start(server->accept_pause, ACCEPT_PAUSE_MS);
}

static void stop_accepting(struct setpay_frame_server *server)
{
    if (server->accept_pause != NULL)
        setpay_timer_stop(server->accept_pause);
    if (server->accept_event != NULL)
        event_free(server->accept_event);
    server->accept_event = NULL;
    if (server->listener_fd >= 0)
        close(server->listener_fd);
    server->listener_fd = -1;
}

/* ------------------------------------------------------------------------------------- deadlines
 */

/* Why a connection must end now; SETPAY_OK where it need not. */
static enum setpay_error check_deadlines(struct connection *connection, int64_t now_ms)
{
    const struct setpay_frame_server_options *options = &connection->server->options;
    if (connection->state == OPENING)
        return now_ms - connection->since_ms > options->handshake_timeout_ms ? SETPAY_E_TIMEOUT
                                                                             : SETPAY_OK;
    if (connection->state == FINISHING)
        return now_ms - connection->since_ms > FINISH_TIMEOUT_MS ? SETPAY_E_CLOSED : SETPAY_OK;
    if (connection->partial_ms != 0 && now_ms - connection->partial_ms > options->frame_timeout_ms)
        return SETPAY_E_TIMEOUT;
    size_t waiting = setpay_stream_output_size(connection->stream);
    if (waiting == 0 || waiting != connection->output_seen)
        connection->output_moved_ms = now_ms;
    connection->output_seen = waiting;
    if (now_ms - connection->output_moved_ms > options->output_timeout_ms)
        return SETPAY_E_TIMEOUT;
    if (connection->under_way_count == 0 && waiting == 0 &&
        now_ms - connection->active_ms > options->idle_timeout_ms)
        return SETPAY_E_CLOSED;
    if (now_ms - connection->rechecked_ms > options->recheck_ms) {
        connection->rechecked_ms = now_ms;
        return setpay_stream_recheck(connection->stream); /* rule A3 */
    }
    return SETPAY_OK;
}

static void on_sweep(void *arg)
{
    struct setpay_frame_server *server = arg;
    int64_t now_ms = setpay_clock_monotonic_ms();
    for (size_t i = 0; i < server->options.connections_max; i++) {
        struct connection *connection = server->slots[i].connection;
        enum setpay_error error =
            connection == NULL ? SETPAY_OK : check_deadlines(connection, now_ms);
        if (error == SETPAY_OK)
            continue;
        if (connection->state == OPENING)
            server->counts.refused++;
        log_end(connection, error, "net.connection_ended");
        connection_free(connection);
    }
}

static void on_drained(void *arg)
{
    struct setpay_frame_server *server = arg;
    setpay_frame_drained_cb *on_drained_cb = server->on_drained_cb;
    server->on_drained_cb = NULL;
    if (on_drained_cb != NULL)
        on_drained_cb(server->drained_arg); /* may free the server */
}

/* ------------------------------------------------------------------------------- making, draining
 */

static void set_defaults(struct setpay_frame_server_options *options)
{
#define DEFAULT(name, value)                                                                       \
    if (options->name == 0)                                                                        \
    options->name = (value)
    DEFAULT(payload_max, SETPAY_LIMIT_MESSAGE_BYTES);
    DEFAULT(requests_max, SETPAY_LIMIT_REQUESTS_PER_CONNECTION);
    DEFAULT(connections_max, SETPAY_LIMIT_CONNECTIONS_PER_WORKER);
    DEFAULT(output_high, 1024 * 1024);
    DEFAULT(handshake_timeout_ms, 10 * SETPAY_SECOND_MS);
    DEFAULT(frame_timeout_ms, 10 * SETPAY_SECOND_MS);
    DEFAULT(output_timeout_ms, 30 * SETPAY_SECOND_MS);
    DEFAULT(idle_timeout_ms, 10 * SETPAY_MINUTE_MS);
    DEFAULT(recheck_ms, 60 * SETPAY_SECOND_MS);
#undef DEFAULT
}

enum setpay_error setpay_frame_server_new(struct setpay_loop *loop, int listener_fd,
                                          struct setpay_tls *tls,
                                          const struct setpay_frame_server_options *options,
                                          struct setpay_frame_server **server)
{
    enum setpay_error error = SETPAY_E_NOMEM;
    struct setpay_frame_server *made = calloc(1, sizeof *made);
    if (made == NULL) {
        close(listener_fd);
        return SETPAY_E_NOMEM;
    }
    made->loop = loop;
    made->tls = tls;
    made->options = *options;
    made->listener_fd = listener_fd;
    set_defaults(&made->options);
    made->slots = calloc(made->options.connections_max, sizeof *made->slots);
    if (made->slots == NULL)
        goto out;
    for (uint32_t i = 0; i < made->options.connections_max; i++)
        made->slots[i] = (struct slot){.generation = 1, .next_free = i + 1};
    made->accept_event =
        event_new(setpay_loop_base(loop), listener_fd, EV_READ | EV_PERSIST, on_accept, made);
    if (made->accept_event == NULL || event_add(made->accept_event, NULL) != 0)
        goto out;
    if ((error = setpay_timer_new(loop, on_accept_pause, made, &made->accept_pause)) != SETPAY_OK ||
        (error = setpay_timer_new(loop, on_sweep, made, &made->sweep)) != SETPAY_OK ||
        (error = setpay_timer_new(loop, on_drained, made, &made->drained)) != SETPAY_OK)
        goto out;
    setpay_timer_start_periodic(made->sweep, SWEEP_MS);
    *server = made;
    made = NULL;
out:
    setpay_frame_server_free(made);
    return error;
}

void setpay_frame_server_free(struct setpay_frame_server *server)
{
    if (server == NULL)
        return;
    server->on_drained_cb = NULL;
    for (size_t i = 0; server->slots != NULL && i < server->options.connections_max; i++)
        if (server->slots[i].connection != NULL)
            connection_free(server->slots[i].connection);
    stop_accepting(server);
    setpay_timer_free(server->accept_pause);
    setpay_timer_free(server->sweep);
    setpay_timer_free(server->drained);
    free(server->slots);
    free(server);
}

void setpay_frame_server_close(struct setpay_frame_server *server,
                               struct setpay_frame_handle handle)
{
    struct connection *connection = find(server, handle);
    if (connection != NULL)
        connection_close(connection);
}

void setpay_frame_server_drain(struct setpay_frame_server *server,
                               setpay_frame_drained_cb *on_drained_cb, void *arg)
{
    server->is_draining = true;
    server->on_drained_cb = on_drained_cb;
    server->drained_arg = arg;
    stop_accepting(server);
    for (size_t i = 0; i < server->options.connections_max; i++) {
        struct connection *connection = server->slots[i].connection;
        if (connection == NULL)
            continue;
        if (connection->state == OPENING) {
            connection_free(connection);
            continue;
        }
        if (connection->state == OPEN)
            setpay_stream_set_marks(connection->stream,
                                    SETPAY_FRAME_HEADER_BYTES + server->options.payload_max, 0);
        if (!connection->is_dispatching)
            advance(connection);
    }
    check_drained(server);
}

void setpay_frame_server_count(const struct setpay_frame_server *server,
                               struct setpay_frame_server_counts *counts)
{
    *counts = server->counts;
}
