/*
 * A line's life: DOWN (pausing) -> CONNECTING -> SIGNING (0800 sent) -> UP -> DOWN again; or, at
 * the gateway's end, UP -> LEAVING (0800 with 002 sent) -> DOWN for good.
 *
 * What always holds: one timer, whose meaning is the state's: the pause, the limit on connecting
 * and signing on, the time without a word after which an echo is sent, or (echo under way) the
 * limit on its answer. Frames go out only when UP. A line that was UP tells its loss once. Frames
 * with card data lie in secret memory until the socket has taken them: libevent holds a reference,
 * never a copy.
 *
 * enter() alone changes the state, and logs the change.
 */
#include "gateway/network/line.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/testing.h"
#include "gateway/network/requests.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum state { DOWN, CONNECTING, SIGNING, UP, LEAVING };
static const char *const state_names[] = {"down", "connecting", "signing on", "up", "signing off"};

struct setpay_line {
    struct setpay_line_config config;
    struct event_base *base;
    struct bufferevent *stream; /* NULL when DOWN */
    struct event *timer;
    enum state state;
    int64_t pause_ms; /* before the next attempt */
    bool asking;      /* an 0800 of ours is under way */
    bool expecting;   /* something was sent, and not a word has come since */
    bool closing;     /* close at the end of this turn's reading */
    struct setpay_network_trace asked;
};

static void line_close(struct setpay_line *line, enum setpay_error why);

static void timer_start(struct setpay_line *line, int64_t delay_ms)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000),
                            .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};
    evtimer_add(line->timer, &delay);
}

static void enter(struct setpay_line *line, enum state state)
{
    setpay_log(SETPAY_LOG_INFO, "line.state", setpay_field_text("line", line->config.name),
               setpay_field_text("from", state_names[line->state]),
               setpay_field_text("to", state_names[state]));
    line->state = state;
}

/* ------------------------------------------------------------------ sending */

static void frame_release(const void *data, size_t size, void *arg)
{
    struct setpay_secret *frame = arg;
    (void)data;
    (void)size;
    setpay_secret_clear(frame);
    free(frame);
}

static enum setpay_error frame_send(struct setpay_line *line, struct setpay_secret *frame)
{
    struct evbuffer *output = bufferevent_get_output(line->stream);
    if (evbuffer_get_length(output) + frame->size > SETPAY_NETWORK_OUTPUT_MAX)
        return SETPAY_E_BUSY;
    struct setpay_secret *held = calloc(1, sizeof(*held));
    if (held == NULL)
        return SETPAY_E_NOMEM;
    setpay_secret_move(held, frame);
    if (evbuffer_add_reference(output, held->data, held->size, frame_release, held) != 0) {
        setpay_secret_move(frame, held);
        free(held);
        return SETPAY_E_NOMEM;
    }
    return SETPAY_OK;
}

enum setpay_error setpay_line_send(struct setpay_line *line, struct setpay_secret *frame)
{
    if (line->state != UP || line->closing)
        return SETPAY_E_UNREACHABLE;
    setpay_testing_point("line.send");
    SETPAY_TRY(frame_send(line, frame));
    /* A line that has gone silent is found out by an echo once an answer is overdue, not only after
     * the whole interval; what is sent meanwhile does not put that off. */
    if (!line->asking && !line->expecting &&
        line->config.answer_timeout_ms < line->config.echo_interval_ms)
        timer_start(line, line->config.answer_timeout_ms);
    line->expecting = true;
    return SETPAY_OK;
}

/* Sends an 0800 and gives its answer a limit. */
static enum setpay_error ask(struct setpay_line *line, unsigned code)
{
    struct setpay_secret frame = {0};
    line->config.trace_cb(line->config.arg, &line->asked);
    enum setpay_error error = setpay_request_build_management(&line->asked, code, &frame);
    if (error == SETPAY_OK)
        error = frame_send(line, &frame);
    setpay_secret_clear(&frame);
    if (error != SETPAY_OK)
        return error;
    line->asking = true;
    timer_start(line, line->config.answer_timeout_ms);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ receiving */

static void on_management_answer(struct setpay_line *line, const struct setpay_iso_message *message)
{
    char code[3] = "";
    if (!line->asking || !setpay_answer_matches(message, &line->asked))
        return;
    enum setpay_error error =
        setpay_iso_get_text(message, SETPAY_ISO_RESPONSE_CODE, code, sizeof(code));
    line->asking = false;
    if (line->state == LEAVING) { /* whatever it says to that */
        line->closing = true;
        return;
    }
    bool accepted = error == SETPAY_OK && strcmp(code, "00") == 0;
    if (!accepted) {
        setpay_log(SETPAY_LOG_WARN, "line.refused", setpay_field_text("line", line->config.name),
                   setpay_field_text("response_code", code));
        line->closing = true;
        if (line->state == SIGNING)
            line->config.event_cb(line->config.arg, SETPAY_LINE_SIGN_ON_REFUSED);
        return;
    }
    timer_start(line, line->config.echo_interval_ms);
    if (line->state == SIGNING) {
        line->pause_ms = line->config.reconnect_min_ms;
        enter(line, UP);
        line->config.event_cb(line->config.arg, SETPAY_LINE_SIGNED_ON);
    } else {
        line->config.event_cb(line->config.arg, SETPAY_LINE_ECHOED);
    }
}

static void on_frame(struct setpay_line *line, struct setpay_view bytes)
{
    struct setpay_iso_message message = {0};
    struct setpay_problem problem = {{0}};
    setpay_testing_point("line.receive");
    enum setpay_error error = setpay_iso_parse(bytes, &message, &problem);
    if (error != SETPAY_OK) {
        setpay_log_error(error, "line.malformed", setpay_field_text("line", line->config.name),
                         setpay_field_text("text", problem.text));
        line->closing = true;
        line->config.event_cb(line->config.arg, SETPAY_LINE_MALFORMED);
        return;
    }
    if (strcmp(message.mti, "0810") == 0)
        on_management_answer(line, &message);
    else if (line->state == UP)
        line->config.message_cb(line->config.arg, &message);
    setpay_iso_clear(&message);
}

/* One frame from the input, if a whole one is there. False when there is none. */
static bool frame_read(struct setpay_line *line, struct evbuffer *input)
{
    uint8_t bytes[SETPAY_ISO_MESSAGE_MAX];
    uint8_t header[SETPAY_ISO_HEADER_SIZE];
    size_t size;
    if (evbuffer_copyout(input, header, sizeof(header)) != (ev_ssize_t)sizeof(header))
        return false;
    enum setpay_error error = setpay_iso_frame_size(header, &size);
    if (error != SETPAY_OK) {
        setpay_log_error(error, "line.malformed", setpay_field_text("line", line->config.name));
        line->closing = true;
        line->config.event_cb(line->config.arg, SETPAY_LINE_MALFORMED);
        return false;
    }
    if (evbuffer_get_length(input) < sizeof(header) + size)
        return false;
    evbuffer_drain(input, sizeof(header));
    evbuffer_remove(input, bytes, size);
    on_frame(line, setpay_view_of(bytes, size));
    setpay_cleanse(bytes, size);
    return true;
}

static void on_readable(struct bufferevent *stream, void *arg)
{
    struct setpay_line *line = arg;
    struct evbuffer *input = bufferevent_get_input(stream);
    /* Any sign of life puts the next echo off. */
    line->expecting = false;
    if (line->state == UP && !line->asking)
        timer_start(line, line->config.echo_interval_ms);
    while (!line->closing && frame_read(line, input))
        continue;
    if (line->closing)
        line_close(line, SETPAY_E_CLOSED);
}

/* ------------------------------------------------------------------ connecting */

static void line_close(struct setpay_line *line, enum setpay_error why)
{
    bool was_up = line->state == UP || line->state == LEAVING;
    bool leaves = line->state == LEAVING;
    if (!leaves)
        setpay_log_error(why, "line.closed", setpay_field_text("line", line->config.name),
                         setpay_field_int("again_in_ms", line->pause_ms));
    bufferevent_free(line->stream);
    line->stream = NULL;
    line->asking = false;
    line->expecting = false;
    line->closing = false;
    enter(line, DOWN);
    if (!leaves)
        timer_start(line, line->pause_ms);
    else
        evtimer_del(line->timer);
    line->pause_ms *= 2;
    if (line->pause_ms > line->config.reconnect_max_ms)
        line->pause_ms = line->config.reconnect_max_ms;
    line->config.event_cb(line->config.arg, was_up ? SETPAY_LINE_LOST : SETPAY_LINE_FAILED);
    if (leaves)
        line->config.event_cb(line->config.arg, SETPAY_LINE_SIGNED_OFF);
}

bool setpay_line_sign_off(struct setpay_line *line)
{
    if (line->state != UP || line->closing)
        return false;
    enum setpay_error error = ask(line, SETPAY_MANAGEMENT_SIGN_OFF);
    if (error != SETPAY_OK)
        return false;
    enter(line, LEAVING);
    return true;
}

static void on_stream_event(struct bufferevent *stream, short events, void *arg)
{
    struct setpay_line *line = arg;
    if (events & BEV_EVENT_CONNECTED) {
        int on = 1;
        setsockopt(bufferevent_getfd(stream), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        enter(line, SIGNING);
        enum setpay_error error = ask(line, SETPAY_MANAGEMENT_SIGN_ON);
        if (error != SETPAY_OK)
            line_close(line, error);
        return;
    }
    if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
        line_close(line, line->state != CONNECTING                    ? SETPAY_E_CLOSED
                         : bufferevent_get_openssl_error(stream) != 0 ? SETPAY_E_TLS
                                                                      : SETPAY_E_UNREACHABLE);
}

static struct bufferevent *stream_new(struct setpay_line *line)
{
    SSL *ssl;
    if (line->config.tls == NULL)
        return bufferevent_socket_new(line->base, -1, BEV_OPT_CLOSE_ON_FREE);
    ssl = SSL_new(line->config.tls);
    if (ssl == NULL)
        return NULL;
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (SSL_set_min_proto_version(ssl, TLS1_3_VERSION) != 1 ||
        SSL_set_tlsext_host_name(ssl, line->config.tls_name) != 1 ||
        SSL_set1_host(ssl, line->config.tls_name) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    return bufferevent_openssl_socket_new(line->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
                                          BEV_OPT_CLOSE_ON_FREE);
}

static void line_connect(struct setpay_line *line)
{
    line->stream = stream_new(line);
    if (line->stream == NULL) {
        setpay_log_error(SETPAY_E_NOMEM, "line.connect",
                         setpay_field_text("line", line->config.name));
        timer_start(line, line->pause_ms);
        return;
    }
    bufferevent_setcb(line->stream, on_readable, NULL, on_stream_event, line);
    bufferevent_setwatermark(line->stream, EV_READ, 0, 64 * 1024);
    bufferevent_enable(line->stream, EV_READ | EV_WRITE);
    enter(line, CONNECTING);
    timer_start(line, line->config.answer_timeout_ms);
    if (bufferevent_socket_connect(line->stream, (struct sockaddr *)&line->config.address,
                                   (int)line->config.address_size) != 0 &&
        line->state == CONNECTING)
        line_close(line, SETPAY_E_UNREACHABLE);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct setpay_line *line = arg;
    enum setpay_error error;
    (void)fd;
    (void)events;
    if (line->state == DOWN) {
        line_connect(line);
    } else if (line->state == UP && !line->asking) {
        error = ask(line, SETPAY_MANAGEMENT_ECHO);
        if (error != SETPAY_OK)
            line_close(line, error);
    } else {
        line_close(line, SETPAY_E_TIMEOUT);
    }
}

enum setpay_error setpay_line_new(const struct setpay_line_config *config, struct event_base *base,
                                  struct setpay_line **line)
{
    struct setpay_line *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->config = *config;
    made->base = base;
    made->pause_ms = config->reconnect_min_ms;
    made->timer = evtimer_new(base, on_timer, made);
    if (made->timer == NULL) {
        free(made);
        return SETPAY_E_NOMEM;
    }
    if (made->config.tls != NULL)
        SSL_CTX_up_ref(made->config.tls);
    timer_start(made, 0);
    *line = made;
    return SETPAY_OK;
}

void setpay_line_take_tls(struct setpay_line *line, struct ssl_ctx_st *tls)
{
    if (line->config.tls == NULL || tls == NULL)
        return; /* whether a line has TLS is decided at the start */
    SSL_CTX_up_ref(tls);
    SSL_CTX_free(line->config.tls);
    line->config.tls = tls;
}

void setpay_line_free(struct setpay_line *line)
{
    if (line == NULL)
        return;
    if (line->stream != NULL)
        bufferevent_free(line->stream);
    event_free(line->timer);
    SSL_CTX_free(line->config.tls);
    free(line);
}

bool setpay_line_is_up(const struct setpay_line *line)
{
    return line->state == UP;
}
