/*
 * One exchange is one request on its way: received, (held back,) booked, (delayed,) answered. It
 * names its connection by number, never by pointer, since that may close at any time.
 *
 * What always holds: an answer leaves only after the commit that holds what it says. A request on a
 * connection that is not signed on closes it. Each message type has one row in the table of
 * handlers; a type that is not there is answered with 40 (not supported).
 */
#include "gateway/issuer/server.h"

#include "common/base/log.h"
#include "common/base/testing.h"
#include "gateway/issuer/messages.h"
#include "gateway/issuer/settled.h"

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

struct connection {
    LIST_ENTRY(connection) in_list;
    struct setpay_issuer_server *server;
    struct bufferevent *stream;
    uint64_t number;
    bool signed_on;
    bool closing;
};

struct exchange {
    LIST_ENTRY(exchange) in_list;
    struct setpay_issuer_server *server;
    uint64_t connection_number;
    struct setpay_iso_message request;
    struct setpay_timer *timer;
    bool answer_with_code; /* of booked, and no more: a reversal, a presentment */
    enum setpay_card_rule behaviour;
    bool answer;         /* false: silent */
    char refuse_code[3]; /* what the script has it refused with */
    struct setpay_account_ask ask;
    struct setpay_account_answer booked;
    struct setpay_account_key original;
    int64_t remaining_minor;
    bool original_known;
    int64_t period; /* of a reversal: in which a sale is taken back */
    struct setpay_account_presentment presentment;
    bool reconciles;
    struct setpay_issuer_reconciliation reconciliation;
};

struct setpay_issuer_server {
    struct setpay_loop *loop;
    struct setpay_store *store;
    struct ssl_ctx_st *tls;
    struct setpay_executor executor;
    struct evconnlistener *listener;
    struct setpay_script script;
    struct setpay_timer *outage; /* its end */
    int64_t hold_ms;
    struct setpay_issuer_figures figures;
    uint64_t next_number;
    size_t connection_count;
    size_t exchange_count;
    LIST_HEAD(connection_list, connection) connections;
    LIST_HEAD(exchange_list, exchange) exchanges;
};

typedef void handler_fn(struct connection *connection, struct setpay_iso_message *request);

/* ------------------------------------------------------------------ connections */

static void connection_free(struct connection *connection)
{
    connection->server->connection_count--;
    LIST_REMOVE(connection, in_list);
    bufferevent_free(connection->stream);
    free(connection);
}

static struct connection *connection_find(struct setpay_issuer_server *server, uint64_t number)
{
    struct connection *connection;
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
static void connection_send(struct connection *connection, struct setpay_secret *frame)
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
static void reply(struct connection *connection, const struct setpay_iso_message *request,
                  const char *response_code)
{
    struct setpay_secret frame = {0};
    enum setpay_error error = setpay_issuer_build_answer(request, response_code, &frame);
    if (error == SETPAY_OK)
        connection_send(connection, &frame);
    else
        setpay_log_error(error, "issuer.answer", setpay_field_text("mti", request->mti));
}

/* ------------------------------------------------------------------ exchanges */

static void exchange_free(struct exchange *exchange)
{
    exchange->server->exchange_count--;
    LIST_REMOVE(exchange, in_list);
    setpay_timer_free(exchange->timer);
    setpay_iso_clear(&exchange->request);
    free(exchange);
}

/* Takes the request's content. NULL where there are too many, or no memory. */
static struct exchange *exchange_new(struct connection *connection,
                                     struct setpay_iso_message *request)
{
    struct setpay_issuer_server *server = connection->server;
    if (server->exchange_count == SETPAY_ISSUER_EXCHANGES_MAX)
        return NULL;
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL)
        return NULL;
    exchange->server = server;
    exchange->connection_number = connection->number;
    exchange->request = *request;
    memset(request, 0, sizeof(*request));
    exchange->answer = true;
    LIST_INSERT_HEAD(&server->exchanges, exchange, in_list);
    server->exchange_count++;
    return exchange;
}

/* After the commit and any delay. */
static void exchange_answer(void *arg)
{
    struct exchange *exchange = arg;
    struct connection *connection = connection_find(exchange->server, exchange->connection_number);
    struct setpay_secret frame = {0};
    enum setpay_error error = SETPAY_OK;
    int times = exchange->behaviour == SETPAY_CARD_DUPLICATE ? 2 : 1;
    if (connection != NULL && exchange->behaviour == SETPAY_CARD_DROP_AFTER) {
        connection_free(connection);
    } else if (connection != NULL && exchange->answer) {
        for (int i = 0; i < times && error == SETPAY_OK; i++) {
            error = exchange->reconciles
                        ? setpay_issuer_build_reconciliation(&exchange->request,
                                                             &exchange->reconciliation, &frame)
                    : exchange->answer_with_code
                        ? setpay_issuer_build_answer(&exchange->request,
                                                     exchange->booked.response_code, &frame)
                        : setpay_issuer_build_authorisation(&exchange->request, &exchange->booked,
                                                            &frame);
            if (error == SETPAY_OK)
                connection_send(connection, &frame);
            else
                setpay_log_error(error, "issuer.answer",
                                 setpay_field_text("mti", exchange->request.mti));
        }
    }
    exchange_free(exchange);
}

/* When the script, or the card, will have it. */
static void exchange_answer_in_time(struct exchange *exchange)
{
    const struct setpay_script *script = &exchange->server->script;
    int64_t delay_ms = exchange->behaviour == SETPAY_CARD_LATE
                           ? script->late_ms
                           : setpay_script_latency_ms(script, exchange->request.mti);
    if (delay_ms <= 0 || setpay_timer_new(exchange->server->loop, exchange_answer, exchange,
                                          &exchange->timer) != SETPAY_OK)
        exchange_answer(exchange);
    else
        setpay_timer_start(exchange->timer, delay_ms);
}

/* ------------------------------------------------------------------ authorisations */

static enum setpay_error book_authorisation(struct setpay_db *db, void *arg)
{
    struct exchange *exchange = arg;
    const struct setpay_account_ask *ask = &exchange->ask;
    struct setpay_money amount = ask->amount;
    SETPAY_TRY(setpay_account_authorise(db, ask, &exchange->booked));
    amount.minor = exchange->booked.approved_minor;
    if (!ask->sale || exchange->booked.repeated || amount.minor == 0)
        return SETPAY_OK;
    return setpay_settled_add(db, &ask->key, ask->period, SETPAY_SETTLED_SALE, &amount);
}

static void on_authorisation_booked(void *arg, enum setpay_error error)
{
    struct exchange *exchange = arg;
    if (error != SETPAY_OK) {
        /* Nothing was booked: the network says that it can't. */
        setpay_log_error(error, "issuer.book", setpay_field_text("mti", exchange->request.mti));
        memcpy(exchange->booked.response_code, "96", sizeof("96"));
        exchange->booked.avs_result = 'U';
        exchange->booked.cvv_result = 'U';
        exchange->booked.approval_code[0] = '\0';
        exchange->behaviour = SETPAY_CARD_APPROVE;
        exchange->answer = true;
        exchange_answer(exchange);
        return;
    }
    setpay_log(
        SETPAY_LOG_INFO, "issuer.authorisation",
        setpay_field_text("account", exchange->ask.card == NULL ? "" : exchange->ask.card->name),
        setpay_field_money("amount", &exchange->ask.amount),
        setpay_field_int("stan", exchange->ask.key.stan),
        setpay_field_text("response_code", exchange->booked.response_code),
        setpay_field_text("xid", exchange->ask.xid));
    exchange_answer_in_time(exchange);
}

static void authorisation_submit(void *arg)
{
    struct exchange *exchange = arg;
    setpay_timer_free(exchange->timer);
    exchange->timer = NULL;
    exchange->ask.now = setpay_clock_now_ms();
    exchange->ask.hold_ms = exchange->server->hold_ms;
    enum setpay_error error =
        setpay_store_submit(exchange->server->store, book_authorisation, on_authorisation_booked,
                            exchange, &exchange->server->executor);
    if (error != SETPAY_OK)
        on_authorisation_booked(exchange, error);
}

static void on_authorisation(struct connection *connection, struct setpay_iso_message *request)
{
    struct setpay_issuer_server *server = connection->server;
    struct setpay_account_ask ask;
    enum setpay_error error =
        setpay_issuer_read_authorisation(request, setpay_clock_now_ms(), &ask);
    server->figures.authorisations++;
    if (request->mti[3] == '1')
        server->figures.repeats++;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.format", setpay_field_text("mti", request->mti));
        reply(connection, request, "30");
        return;
    }
    struct setpay_script_fault fault;
    setpay_script_next(&server->script, request->mti, ask.card, &fault);
    if (fault.behaviour == SETPAY_CARD_DROP_BEFORE) {
        connection->closing = true;
        return;
    }
    struct exchange *exchange = exchange_new(connection, request);
    if (exchange == NULL) {
        reply(connection, request, "91");
        return;
    }
    exchange->ask = ask;
    exchange->behaviour = fault.behaviour;
    exchange->answer = fault.behaviour != SETPAY_CARD_SILENT;
    memcpy(exchange->refuse_code, fault.refuse_code, sizeof(exchange->refuse_code));
    if (fault.refuse_code[0] != '\0')
        exchange->ask.forced_code = exchange->refuse_code;
    if (server->script.hold_ms > 0 && setpay_timer_new(server->loop, authorisation_submit, exchange,
                                                       &exchange->timer) == SETPAY_OK)
        setpay_timer_start(exchange->timer, server->script.hold_ms);
    else
        authorisation_submit(exchange);
}

/* ------------------------------------------------------------------ reversals */

/* What the script has for a reversal or a presentment: true where it ends with that, unbooked. */
static bool end_by_script(struct connection *connection, const struct setpay_iso_message *request,
                          struct setpay_script_fault *fault)
{
    setpay_script_next(&connection->server->script, request->mti, NULL, fault);
    if (fault->refuse_code[0] != '\0')
        reply(connection, request, fault->refuse_code);
    else if (fault->behaviour == SETPAY_CARD_DROP_BEFORE)
        connection->closing = true;
    else
        return false;
    return true;
}

static enum setpay_error book_reversal(struct setpay_db *db, void *arg)
{
    struct exchange *exchange = arg;
    SETPAY_TRY(setpay_account_reverse(db, &exchange->original, exchange->remaining_minor,
                                      exchange->ask.now, &exchange->original_known));
    return setpay_settled_undo_sale(db, &exchange->original, exchange->period);
}

static void on_reversal_booked(void *arg, enum setpay_error error)
{
    struct exchange *exchange = arg;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.book", setpay_field_text("mti", exchange->request.mti));
        exchange_free(exchange); /* no answer: it will be repeated */
        return;
    }
    setpay_log(SETPAY_LOG_INFO, "issuer.reversal", setpay_field_text("mti", exchange->request.mti),
               setpay_field_int("original_stan", exchange->original.stan),
               setpay_field_int("remaining", exchange->remaining_minor),
               setpay_field_text("original", exchange->original_known ? "known" : "unknown"));
    exchange_answer_in_time(exchange);
}

static void on_reversal(struct connection *connection, struct setpay_iso_message *request)
{
    struct setpay_issuer_server *server = connection->server;
    struct setpay_account_key original;
    int64_t remaining_minor;
    int64_t period;
    enum setpay_error error =
        setpay_issuer_read_reversal(request, &original, &remaining_minor, &period);
    server->figures.reversals++;
    if (request->mti[3] == '1')
        server->figures.repeats++;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.format", setpay_field_text("mti", request->mti));
        reply(connection, request, "30");
        return;
    }
    struct setpay_script_fault fault;
    if (end_by_script(connection, request, &fault))
        return;
    struct exchange *exchange = exchange_new(connection, request);
    if (exchange == NULL)
        return; /* no answer: it will be repeated */
    exchange->answer_with_code = true;
    memcpy(exchange->booked.response_code, "00", sizeof("00"));
    exchange->behaviour = fault.behaviour;
    exchange->answer = fault.behaviour != SETPAY_CARD_SILENT;
    exchange->original = original;
    exchange->remaining_minor = remaining_minor;
    exchange->period = period;
    exchange->ask.now = setpay_clock_now_ms();
    error = setpay_store_submit(server->store, book_reversal, on_reversal_booked, exchange,
                                &server->executor);
    if (error != SETPAY_OK)
        on_reversal_booked(exchange, error);
}

/* ------------------------------------------------------------------ presentments */

static enum setpay_error book_presentment(struct setpay_db *db, void *arg)
{
    struct exchange *exchange = arg;
    const struct setpay_account_presentment *presentment = &exchange->presentment;
    SETPAY_TRY(setpay_account_present(db, presentment, exchange->booked.response_code));
    if (strcmp(exchange->booked.response_code, "00") != 0)
        return SETPAY_OK;
    return setpay_settled_add(db, &presentment->original, presentment->period,
                              presentment->credits ? SETPAY_SETTLED_CREDIT : SETPAY_SETTLED_CHARGE,
                              &presentment->amount);
}

static void on_presentment_booked(void *arg, enum setpay_error error)
{
    struct exchange *exchange = arg;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.book", setpay_field_text("mti", exchange->request.mti));
        exchange_free(exchange); /* no answer: it will be repeated */
        return;
    }
    setpay_log(SETPAY_LOG_INFO, "issuer.presentment",
               setpay_field_text("mti", exchange->request.mti),
               setpay_field_text("id", exchange->presentment.id),
               setpay_field_text("kind", exchange->presentment.credits ? "credit" : "charge"),
               setpay_field_money("amount", &exchange->presentment.amount),
               setpay_field_text("response_code", exchange->booked.response_code));
    exchange_answer_in_time(exchange);
}

static void on_presentment(struct connection *connection, struct setpay_iso_message *request)
{
    struct setpay_issuer_server *server = connection->server;
    struct setpay_account_presentment presentment;
    enum setpay_error error =
        setpay_issuer_read_presentment(request, setpay_clock_now_ms(), &presentment);
    server->figures.presentments++;
    if (request->mti[3] == '1')
        server->figures.repeats++;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.format", setpay_field_text("mti", request->mti));
        reply(connection, request, "30");
        return;
    }
    struct setpay_script_fault fault;
    if (end_by_script(connection, request, &fault))
        return;
    struct exchange *exchange = exchange_new(connection, request);
    if (exchange == NULL)
        return; /* no answer: it will be repeated */
    exchange->answer_with_code = true;
    exchange->behaviour = fault.behaviour;
    exchange->answer = fault.behaviour != SETPAY_CARD_SILENT;
    exchange->presentment = presentment;
    error = setpay_store_submit(server->store, book_presentment, on_presentment_booked, exchange,
                                &server->executor);
    if (error != SETPAY_OK)
        on_presentment_booked(exchange, error);
}

/* ------------------------------------------------------------------ reconciliation */

static enum setpay_error total_reconciliation(struct setpay_db *db, void *arg)
{
    struct exchange *exchange = arg;
    struct setpay_issuer_reconciliation *asked = &exchange->reconciliation;
    return setpay_settled_totals(db, asked->acquirer, asked->period, asked->currency, &asked->ours);
}

static void on_reconciliation_totalled(void *arg, enum setpay_error error)
{
    struct exchange *exchange = arg;
    struct setpay_issuer_reconciliation *asked = &exchange->reconciliation;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.book", setpay_field_text("mti", exchange->request.mti));
        exchange_free(exchange); /* no answer: it will be repeated */
        return;
    }
    if (setpay_script_take(&exchange->server->script.wrong_totals)) {
        asked->ours.debit_count++;
        asked->ours.debit_minor++;
    }
    setpay_log(
        SETPAY_LOG_INFO, "issuer.reconciliation", setpay_field_text("mti", exchange->request.mti),
        setpay_field_int("period", asked->period), setpay_field_text("currency", asked->currency),
        setpay_field_int("our_net", setpay_network_totals_net(&asked->ours)),
        setpay_field_int("their_net", setpay_network_totals_net(&asked->theirs)));
    exchange_answer(exchange);
}

static void on_reconciliation(struct connection *connection, struct setpay_iso_message *request)
{
    struct setpay_issuer_server *server = connection->server;
    struct setpay_issuer_reconciliation asked;
    enum setpay_error error = setpay_issuer_read_reconciliation(request, &asked);
    server->figures.reconciliations++;
    if (request->mti[3] == '1')
        server->figures.repeats++;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.format", setpay_field_text("mti", request->mti));
        reply(connection, request, "30");
        return;
    }
    bool silent = setpay_script_take(&server->script.silent_reconciliations);
    struct exchange *exchange = exchange_new(connection, request);
    if (exchange == NULL)
        return; /* no answer: it will be repeated */
    exchange->reconciles = true;
    exchange->reconciliation = asked;
    exchange->answer = !silent;
    error = setpay_store_submit(server->store, total_reconciliation, on_reconciliation_totalled,
                                exchange, &server->executor);
    if (error != SETPAY_OK)
        on_reconciliation_totalled(exchange, error);
}

/* ------------------------------------------------------------------ network management */

static void on_management(struct connection *connection, struct setpay_iso_message *request)
{
    struct setpay_issuer_server *server = connection->server;
    uint64_t code = 0;
    if (setpay_iso_get_number(request, SETPAY_ISO_MANAGEMENT_CODE, &code) != SETPAY_OK)
        code = 0;
    if (code == 1) {
        bool refuse = setpay_script_take(&server->script.refuse_sign_on);
        connection->signed_on = !refuse;
        server->figures.sign_ons += refuse ? 0 : 1;
        reply(connection, request, refuse ? "91" : "00");
    } else if (code == 2) {
        connection->signed_on = false;
        setpay_log(SETPAY_LOG_INFO, "issuer.signed_off",
                   setpay_field_int("connection", (int64_t)connection->number));
        reply(connection, request, "00");
    } else if (code == 301) {
        server->figures.echoes++;
        if (!setpay_script_take(&server->script.silent_echoes))
            reply(connection, request, "00");
    } else {
        reply(connection, request, "30");
    }
}

/* ------------------------------------------------------------------ frames */

static const struct {
    const char *mti;
    handler_fn *handler;
    bool needs_sign_on;
} handlers[] = {
    {"0100", on_authorisation, true},  {"0120", on_authorisation, true},
    {"0121", on_authorisation, true},  {"0200", on_authorisation, true},
    {"0220", on_presentment, true},    {"0221", on_presentment, true},
    {"0400", on_reversal, true},       {"0401", on_reversal, true},
    {"0420", on_reversal, true},       {"0421", on_reversal, true},
    {"0500", on_reconciliation, true}, {"0501", on_reconciliation, true},
    {"0800", on_management, false},
};

static void on_message(struct connection *connection, struct setpay_iso_message *message)
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
        reply(connection, message, "40");
    else
        connection->closing = true;
}

static void on_frame(struct connection *connection, struct setpay_view bytes)
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
    struct connection *connection = arg;
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
        connection_free(connection);
}

static void on_stream_event(struct bufferevent *stream, short events, void *arg)
{
    (void)stream;
    if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
        connection_free(arg);
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
    struct connection *connection = calloc(1, sizeof(*connection));
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
    struct connection *next;
    for (struct connection *c = LIST_FIRST(&server->connections); c != NULL; c = next) {
        next = LIST_NEXT(c, in_list);
        connection_free(c);
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
    struct exchange *next;
    for (struct exchange *e = LIST_FIRST(&server->exchanges); e != NULL; e = next) {
        next = LIST_NEXT(e, in_list);
        exchange_free(e);
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
