/*
 * The framed client of one peer, on one worker.
 *
 * A request is in one of two places: the queue (nothing of it has left) or a connection's list (it
 * may have left); its id finds it in a hash table. Ids count up and are never used again, so that
 * an answer to a request that has ended is known as late, and one to an id not yet given as a
 * breach.
 *
 * A connection's states:
 *
 *     WAITING     until its timer connects it                   -> CONNECTING
 *     CONNECTING  TCP and TLS, with a deadline                  -> OPEN, WAITING
 *     OPEN        is_proved: the server has taken us (a ticket or an answer). Until then it is used
 *                 only after a while, for servers that give no tickets: a request that is sent to a
 *                 server which then refuses us would count as one that may have left. -> WAITING
 *                 is_leaving: it is being renewed; takes no more requests.
 *
 * Callbacks to the user never run inside a call of his: requests that end are told from the loop's
 * events only (answers, timers, ends of connections), or from free.
 */
#include "common/net/frame_client.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/net/stream.h"

#include <event2/buffer.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define TABLE_SIZE 4096 /* a power of two */
#define UNPROVED_WAIT_MS 500
#define RECHECK_MS 60000
#define LOOK_MS 1000
/* A connection is renewed after this time: the certificate that its peer showed is perhaps another
 * now, and should not end under it. */
#define AGE_MAX_MS (12 * SETPAY_HOUR_MS)
/* Requests in a row that time out without anything heard: the connection is taken for dead. */
#define SILENT_TIMEOUTS_MAX 3
#define NAME_MAX_BYTES 255

enum state { WAITING, CONNECTING, OPEN };

struct connection;

struct request {
    TAILQ_ENTRY(request) link; /* in the queue or the connection's list */
    struct request *next_hash;
    struct setpay_frame_client *client;
    struct connection *connection; /* NULL: queued */
    uint64_t id;
    int64_t sent_ms;
    struct setpay_timer *timer;
    setpay_frame_answer_cb *on_answer_cb;
    void *arg;
    size_t payload_size; /* 0 once it has been handed to a connection */
    uint8_t *payload;
};

TAILQ_HEAD(request_list, request);

struct connection {
    struct setpay_frame_client *client;
    struct setpay_stream *stream; /* NULL while WAITING */
    enum state state;
    bool is_proved;
    bool is_waited_for; /* long enough for a proof */
    bool is_dispatching;
    bool is_leaving;
    unsigned generation; /* of the TLS context */
    int64_t since_ms;    /* when it was opened */
    unsigned failures;   /* since it was last proved */
    unsigned silent_timeouts;
    int64_t heard_ms;
    struct setpay_timer *timer; /* WAITING: connect; CONNECTING: deadline; OPEN: use unproved */
    struct request_list under_way;
    size_t under_way_count;
};

struct setpay_frame_client {
    struct setpay_loop *loop;
    struct setpay_tls *tls;
    struct setpay_frame_client_options options;
    char names[4][NAME_MAX_BYTES + 1]; /* what options.expect points to */
    struct connection *connections;
    size_t next_connection; /* round robin */
    SSL_SESSION *session;   /* offered to the next handshake */
    struct request_list queue;
    struct request *table[TABLE_SIZE];
    uint64_t next_id;
    bool is_closing;
    struct setpay_timer *look;
    int64_t rechecked_ms;
    unsigned generation; /* of the context that session is of */
    enum setpay_error last_error;
    struct setpay_frame_client_counts counts;
};

/* ------------------------------------------------------------------------------------- requests */

static struct request **find(struct setpay_frame_client *client, uint64_t id)
{
    struct request **at = &client->table[id & (TABLE_SIZE - 1)];
    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next_hash;
    return at;
}

/* Takes a request out of its list and the table. */
static void unlink_request(struct request *request)
{
    struct setpay_frame_client *client = request->client;
    if (request->connection != NULL) {
        TAILQ_REMOVE(&request->connection->under_way, request, link);
        request->connection->under_way_count--;
        client->counts.under_way--;
    } else {
        TAILQ_REMOVE(&client->queue, request, link);
        client->counts.queued--;
    }
    *find(client, request->id) = request->next_hash;
}

static void request_free(struct request *request)
{
    setpay_timer_free(request->timer);
    free(request->payload);
    free(request);
}

/* The one end of a request. */
static void end_request(struct request *request, enum setpay_error error, struct setpay_view answer)
{
    setpay_frame_answer_cb *on_answer_cb = request->on_answer_cb;
    void *arg = request->arg;
    unlink_request(request);
    request_free(request);
    on_answer_cb(arg, error, answer);
}

/* Ends a list's requests; what their callbacks send goes elsewhere. */
static void end_requests(struct request_list *list, enum setpay_error error)
{
    struct request *request;
    while ((request = TAILQ_FIRST(list)) != NULL) {
        /* end_request has taken the last one out of the list, which the analyser can't follow. */
        end_request(request, error, SETPAY_VIEW_EMPTY); /* NOLINT(clang-analyzer-unix.Malloc) */
    }
}

static void drop_connection(struct connection *connection, enum setpay_error error);
static void send_queued(struct setpay_frame_client *client);

static void on_request_time(void *arg)
{
    struct request *request = arg;
    struct connection *connection = request->connection;
    struct setpay_frame_client *client = request->client;
    client->counts.timeouts++;
    if (connection == NULL) {
        end_request(request, SETPAY_E_UNREACHABLE, SETPAY_VIEW_EMPTY);
        return;
    }
    bool was_silent = connection->heard_ms <= request->sent_ms;
    end_request(request, SETPAY_E_TIMEOUT, SETPAY_VIEW_EMPTY);
    if (was_silent && connection->state == OPEN &&
        ++connection->silent_timeouts >= SILENT_TIMEOUTS_MAX)
        drop_connection(connection, SETPAY_E_TIMEOUT);
    else
        send_queued(client);
}

/* ----------------------------------------------------------------------------------- connections
 */

static bool may_send(const struct connection *connection)
{
    if (connection->state != OPEN || connection->is_dispatching || connection->is_leaving ||
        connection->under_way_count >= connection->client->options.requests_max)
        return false;
    return connection->is_proved || connection->is_waited_for || connection->client->tls == NULL;
}

static struct connection *choose(struct setpay_frame_client *client)
{
    size_t count = client->options.connections;
    for (size_t i = 0; i < count; i++) {
        struct connection *connection = &client->connections[(client->next_connection + i) % count];
        if (!may_send(connection))
            continue;
        client->next_connection = (client->next_connection + i + 1) % count;
        return connection;
    }
    return NULL;
}

/* Gives a queued request to a connection. A stream that can't take it will end by itself. */
static void send_request(struct connection *connection, struct request *request)
{
    struct setpay_frame_client *client = connection->client;
    uint8_t head[SETPAY_FRAME_HEADER_BYTES];
    setpay_frame_header_build(&(struct setpay_frame_header){.payload_size = request->payload_size,
                                                            .request_id = request->id},
                              head);
    setpay_testing_point("net.send");
    if (setpay_stream_write(connection->stream, SETPAY_VIEW_ARRAY(head),
                            setpay_view_of(request->payload, request->payload_size)) != SETPAY_OK)
        return; /* no memory: it stays queued, and its deadline ends it */
    TAILQ_REMOVE(&client->queue, request, link);
    client->counts.queued--;
    TAILQ_INSERT_TAIL(&connection->under_way, request, link);
    connection->under_way_count++;
    client->counts.under_way++;
    request->connection = connection;
    request->sent_ms = setpay_clock_monotonic_ms();
    free(request->payload);
    request->payload = NULL;
    request->payload_size = 0;
}

static void send_queued(struct setpay_frame_client *client)
{
    struct request *request;
    while ((request = TAILQ_FIRST(&client->queue)) != NULL) {
        struct connection *connection = choose(client);
        if (connection == NULL)
            return;
        send_request(connection, request);
        if (request->connection == NULL)
            return;
    }
}

/* Between half of the step and the whole of it, so that clients do not come back in step. */
static int64_t backoff_ms(const struct connection *connection)
{
    const struct setpay_frame_client_options *options = &connection->client->options;
    int64_t step = options->backoff_min_ms;
    for (unsigned i = 1; i < connection->failures && step < options->backoff_max_ms; i++)
        step *= 2;
    if (step > options->backoff_max_ms)
        step = options->backoff_max_ms;
    uint32_t random = 0;
    evutil_secure_rng_get_bytes(&random, sizeof random);
    return step / 2 + (int64_t)(random % (uint32_t)(step - step / 2 + 1));
}

static void wait_to_connect(struct connection *connection)
{
    connection->state = WAITING;
    setpay_timer_start(connection->timer, backoff_ms(connection));
}

/* Keeps what a new connection may resume, for as long as the ended one had any. */
static void keep_session(struct connection *connection)
{
    struct setpay_frame_client *client = connection->client;
    SSL *ssl = setpay_stream_ssl(connection->stream);
    SSL_SESSION *newest = ssl == NULL ? NULL : setpay_tls_take_session(ssl);
    if (newest == NULL)
        return;
    /* One that was made with a certificate of before would bring it back. */
    if (connection->generation != setpay_tls_generation(client->tls)) {
        SSL_SESSION_free(newest);
        return;
    }
    SSL_SESSION_free(client->session);
    client->session = newest;
    client->generation = connection->generation;
}

/* Ends a connection that is being renewed, once nothing is under way on it. */
static void leave(struct connection *connection)
{
    struct setpay_frame_client *client = connection->client;
    client->counts.connections_up--;
    keep_session(connection);
    setpay_stream_free(connection->stream);
    connection->stream = NULL;
    connection->is_proved = connection->is_waited_for = connection->is_leaving = false;
    connection->state = WAITING;
    setpay_timer_start(connection->timer, 0);
}

static bool is_old(const struct connection *connection)
{
    const struct setpay_frame_client *client = connection->client;
    return connection->generation != setpay_tls_generation(client->tls) ||
           setpay_clock_monotonic_ms() - connection->since_ms > AGE_MAX_MS;
}

/* One at a time, and only while the others stand: a certificate that the server refuses then costs
 * one connection, and not all. */
static void renew_one(struct setpay_frame_client *client)
{
    struct connection *old = NULL;
    if (client->tls == NULL || client->is_closing)
        return;
    for (size_t i = 0; i < client->options.connections; i++) {
        struct connection *connection = &client->connections[i];
        if (connection->is_leaving && connection->under_way_count == 0) {
            leave(connection); /* the last one was cancelled */
            return;
        }
        if (!connection->is_proved || connection->is_leaving)
            return;
        if (old == NULL && is_old(connection))
            old = connection;
    }
    if (old == NULL)
        return;
    old->is_leaving = true;
    if (old->under_way_count == 0)
        leave(old);
}

/* Ends a connection and what is under way on it, and plans the next attempt. */
static void drop_connection(struct connection *connection, enum setpay_error error)
{
    struct setpay_frame_client *client = connection->client;
    bool was_up = connection->is_proved;
    if (was_up) {
        client->counts.connections_up--;
        keep_session(connection);
    } else {
        client->counts.connect_failures++;
        /* A session that the server would not resume is not offered again. */
        SSL_SESSION_free(client->session);
        client->session = NULL;
    }
    client->last_error = error;
    char address[SETPAY_ADDRESS_TEXT_SIZE];
    setpay_log_error(
        error, was_up ? "net.peer_lost" : "net.connect_failed",
        setpay_field_text("address", setpay_address_format(&client->options.address, address)),
        setpay_field_int("attempt", connection->failures + 1));
    setpay_stream_free(connection->stream);
    connection->stream = NULL;
    connection->is_proved = connection->is_waited_for = connection->is_leaving = false;
    connection->failures++;
    wait_to_connect(connection);
    end_requests(&connection->under_way, SETPAY_E_CLOSED);
}

static void check_proved(struct connection *connection, bool has_answered)
{
    if (connection->is_proved || connection->state != OPEN)
        return;
    if (!has_answered && !setpay_stream_is_accepted(connection->stream))
        return;
    connection->is_proved = true;
    connection->failures = 0;
    connection->since_ms = setpay_clock_monotonic_ms();
    connection->client->counts.connections_up++;
    connection->client->counts.connects++;
}

/* --------------------------------------------------------------------------------------- events */

static void on_open(void *arg)
{
    struct connection *connection = arg;
    connection->state = OPEN;
    connection->silent_timeouts = 0;
    connection->heard_ms = setpay_clock_monotonic_ms();
    setpay_timer_start(connection->timer, UNPROVED_WAIT_MS);
    setpay_stream_set_marks(connection->stream,
                            SETPAY_FRAME_HEADER_BYTES + connection->client->options.payload_max, 0);
    setpay_stream_set_reading(connection->stream, true);
    setpay_stream_poke(connection->stream); /* a ticket may have come with the handshake */
    send_queued(connection->client);
}

static enum setpay_error take_answer(struct connection *connection, struct evbuffer *input,
                                     const struct setpay_frame_header *header)
{
    struct setpay_frame_client *client = connection->client;
    setpay_testing_point("net.receive");
    size_t size = SETPAY_FRAME_HEADER_BYTES + header->payload_size;
    struct request *request = *find(client, header->request_id);
    if (header->request_id == 0 || header->request_id >= client->next_id ||
        (request != NULL && request->connection != connection))
        return SETPAY_E_MALFORMED; /* an answer to what was not asked here */
    connection->heard_ms = setpay_clock_monotonic_ms();
    connection->silent_timeouts = 0;
    check_proved(connection, true);
    const uint8_t *bytes = evbuffer_pullup(input, (ev_ssize_t)size);
    if (bytes == NULL)
        return SETPAY_E_NOMEM;
    if (request == NULL) {
        client->counts.answers_late++;
    } else {
        client->counts.answers++;
        end_request(request, SETPAY_OK,
                    setpay_view_of(bytes + SETPAY_FRAME_HEADER_BYTES, header->payload_size));
    }
    evbuffer_drain(input, size);
    return SETPAY_OK;
}

static void on_input(void *arg)
{
    struct connection *connection = arg;
    struct setpay_frame_client *client = connection->client;
    struct evbuffer *input = setpay_stream_input(connection->stream);
    enum setpay_error error = SETPAY_OK;
    check_proved(connection, false);
    /* What the answers' callbacks send on this connection waits until they are done: a write that
     * fails must not end the connection under this loop. */
    connection->is_dispatching = true;
    while (error == SETPAY_OK) {
        uint8_t bytes[SETPAY_FRAME_HEADER_BYTES];
        struct setpay_frame_header header = {0};
        if (evbuffer_copyout(input, bytes, sizeof bytes) < (ev_ssize_t)sizeof bytes)
            break;
        error = setpay_frame_header_parse(bytes, client->options.payload_max, &header);
        if (error != SETPAY_OK ||
            evbuffer_get_length(input) < SETPAY_FRAME_HEADER_BYTES + header.payload_size)
            break;
        error = take_answer(connection, input, &header);
    }
    connection->is_dispatching = false;
    if (error != SETPAY_OK)
        drop_connection(connection, error);
    else if (connection->is_leaving && connection->under_way_count == 0)
        leave(connection);
    send_queued(client);
}

static void on_output(void *arg)
{
    (void)arg;
}

static void on_end(void *arg, enum setpay_error error)
{
    drop_connection(arg, error);
}

static const struct setpay_stream_events events = {
    .on_open_cb = on_open,
    .on_input_cb = on_input,
    .on_output_cb = on_output,
    .on_end_cb = on_end,
};

static void start_connect(struct connection *connection)
{
    struct setpay_frame_client *client = connection->client;
    connection->generation = client->tls == NULL ? 0 : setpay_tls_generation(client->tls);
    if (client->generation != connection->generation) {
        SSL_SESSION_free(client->session);
        client->session = NULL;
        client->generation = connection->generation;
    }
    enum setpay_error error = setpay_stream_connect(
        client->loop, &client->options.address, client->tls, &client->options.expect,
        client->session, &events, connection, &connection->stream);
    if (error != SETPAY_OK) {
        client->last_error = error;
        client->counts.connect_failures++;
        connection->failures++;
        wait_to_connect(connection);
        return;
    }
    connection->state = CONNECTING;
    setpay_timer_start(connection->timer, client->options.connect_timeout_ms);
}

static void on_connection_time(void *arg)
{
    struct connection *connection = arg;
    switch (connection->state) {
    case WAITING:
        start_connect(connection);
        break;
    case CONNECTING:
        drop_connection(connection, SETPAY_E_UNREACHABLE);
        break;
    case OPEN:
        connection->is_waited_for = true;
        send_queued(connection->client);
        break;
    }
}

static void recheck(struct setpay_frame_client *client)
{
    for (size_t i = 0; i < client->options.connections; i++) {
        struct connection *connection = &client->connections[i];
        if (connection->state != OPEN)
            continue;
        enum setpay_error error = setpay_stream_recheck(connection->stream); /* rule A3 */
        if (error != SETPAY_OK)
            drop_connection(connection, error);
    }
}

static void on_look(void *arg)
{
    struct setpay_frame_client *client = arg;
    int64_t now_ms = setpay_clock_monotonic_ms();
    if (now_ms - client->rechecked_ms >= RECHECK_MS) {
        client->rechecked_ms = now_ms;
        recheck(client);
    }
    renew_one(client);
}

/* ----------------------------------------------------------------------------------- making, use
 */

static void set_defaults(struct setpay_frame_client_options *options)
{
#define DEFAULT(name, value)                                                                       \
    if (options->name == 0)                                                                        \
    options->name = (value)
    DEFAULT(connections, 2);
    DEFAULT(requests_max, SETPAY_LIMIT_REQUESTS_PER_CONNECTION / 2);
    DEFAULT(queue_max, 1024);
    DEFAULT(payload_max, SETPAY_LIMIT_MESSAGE_BYTES);
    DEFAULT(connect_timeout_ms, 5 * SETPAY_SECOND_MS);
    DEFAULT(backoff_min_ms, 50);
    DEFAULT(backoff_max_ms, 2 * SETPAY_SECOND_MS);
#undef DEFAULT
}

static bool copy_expect(struct setpay_frame_client *client)
{
    const char **texts[4] = {&client->options.expect.sni, &client->options.expect.brand,
                             &client->options.expect.id, &client->options.expect.host};
    for (size_t i = 0; i < 4; i++) {
        if (*texts[i] == NULL)
            continue;
        size_t size = strlen(*texts[i]);
        if (size > NAME_MAX_BYTES)
            return false;
        memcpy(client->names[i], *texts[i], size + 1);
        *texts[i] = client->names[i];
    }
    return true;
}

enum setpay_error setpay_frame_client_new(struct setpay_loop *loop, struct setpay_tls *tls,
                                          const struct setpay_frame_client_options *options,
                                          struct setpay_frame_client **client)
{
    enum setpay_error error = SETPAY_E_NOMEM;
    struct setpay_frame_client *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->loop = loop;
    made->tls = tls;
    made->options = *options;
    made->next_id = 1;
    TAILQ_INIT(&made->queue);
    set_defaults(&made->options);
    if (made->options.connections > SETPAY_FRAME_CLIENT_CONNECTIONS_MAX || !copy_expect(made)) {
        error = SETPAY_E_INVALID;
        goto out;
    }
    made->connections = calloc(made->options.connections, sizeof *made->connections);
    if (made->connections == NULL)
        goto out;
    for (size_t i = 0; i < made->options.connections; i++) {
        struct connection *connection = &made->connections[i];
        connection->client = made;
        TAILQ_INIT(&connection->under_way);
        error = setpay_timer_new(loop, on_connection_time, connection, &connection->timer);
        if (error != SETPAY_OK)
            goto out;
        setpay_timer_start(connection->timer, 0);
    }
    error = setpay_timer_new(loop, on_look, made, &made->look);
    if (error != SETPAY_OK)
        goto out;
    made->rechecked_ms = setpay_clock_monotonic_ms();
    setpay_timer_start_periodic(made->look, LOOK_MS);
    *client = made;
    made = NULL;
out:
    setpay_frame_client_free(made);
    return error;
}

void setpay_frame_client_free(struct setpay_frame_client *client)
{
    if (client == NULL)
        return;
    client->is_closing = true;
    setpay_timer_free(client->look);
    for (size_t i = 0; client->connections != NULL && i < client->options.connections; i++) {
        struct connection *connection = &client->connections[i];
        setpay_timer_free(connection->timer);
        setpay_stream_free(connection->stream);
        connection->stream = NULL;
        connection->is_proved = false;
        connection->state = WAITING;
        if (connection->client != NULL)
            end_requests(&connection->under_way, SETPAY_E_CLOSED);
    }
    end_requests(&client->queue, SETPAY_E_UNREACHABLE);
    SSL_SESSION_free(client->session);
    free(client->connections);
    free(client);
}

static enum setpay_error request_new(struct setpay_frame_client *client, struct setpay_view payload,
                                     struct request **request)
{
    struct request *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->client = client;
    made->payload = malloc(payload.size);
    enum setpay_error error = SETPAY_E_NOMEM;
    if (made->payload != NULL)
        error = setpay_timer_new(client->loop, on_request_time, made, &made->timer);
    if (error != SETPAY_OK) {
        request_free(made);
        return error;
    }
    memcpy(made->payload, payload.data, payload.size);
    made->payload_size = payload.size;
    *request = made;
    return SETPAY_OK;
}

enum setpay_error setpay_frame_client_send(struct setpay_frame_client *client,
                                           struct setpay_view payload, int64_t timeout_ms,
                                           setpay_frame_answer_cb *on_answer_cb, void *arg,
                                           uint64_t *ticket)
{
    if (payload.size == 0 || payload.size > client->options.payload_max)
        return SETPAY_E_TOO_BIG;
    if (client->is_closing)
        return SETPAY_E_DRAINING; /* or a callback that repeats would never let free end */
    if (client->counts.queued >= client->options.queue_max)
        return SETPAY_E_BUSY;
    struct request *request = NULL;
    SETPAY_TRY(request_new(client, payload, &request));
    request->id = client->next_id++;
    request->on_answer_cb = on_answer_cb;
    request->arg = arg;
    *find(client, request->id) = request;
    TAILQ_INSERT_TAIL(&client->queue, request, link);
    client->counts.queued++;
    client->counts.requests++;
    setpay_timer_start(request->timer, timeout_ms);
    if (ticket != NULL)
        *ticket = request->id;
    send_queued(client);
    return SETPAY_OK;
}

void setpay_frame_client_cancel(struct setpay_frame_client *client, uint64_t ticket)
{
    struct request *request = *find(client, ticket);
    if (request == NULL)
        return;
    unlink_request(request);
    request_free(request);
}

bool setpay_frame_client_is_up(const struct setpay_frame_client *client)
{
    return client->counts.connections_up > 0;
}

bool setpay_frame_client_peer(const struct setpay_frame_client *client, struct setpay_peer *peer)
{
    for (size_t i = 0; i < client->options.connections; i++) {
        const struct connection *connection = &client->connections[i];
        if (!connection->is_proved || !setpay_stream_peer(connection->stream)->is_certified)
            continue;
        *peer = *setpay_stream_peer(connection->stream);
        return true;
    }
    return false;
}

enum setpay_error setpay_frame_client_last_error(const struct setpay_frame_client *client)
{
    return client->last_error;
}

void setpay_frame_client_count(const struct setpay_frame_client *client,
                               struct setpay_frame_client_counts *counts)
{
    *counts = client->counts;
}
