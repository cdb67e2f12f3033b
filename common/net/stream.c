/*
 * Streams over libevent's bufferevents.
 *
 * A client connects a socket by itself and makes the bufferevent once it is connected, so that both
 * sides begin alike: a connected socket, to which a kind (plain or TLS) adds its bufferevent and
 * its handshake. Callbacks are deferred to the loop: libevent may find an error within a write, and
 * a caller must not lose its connection under its hands.
 *
 * Always: no callback after on_end_cb; after free no callback at all.
 */
#include "common/net/stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A peer whose machine has gone is noticed after this, whatever waits. */
#define USER_TIMEOUT_MS 20000

/* What differs between plain TCP and TLS. */
struct kind {
    /* Makes the bufferevent on the connected socket, which it then owns. */
    enum setpay_error (*start)(struct setpay_stream *stream);
    /* Judges the peer of an open stream. */
    enum setpay_error (*check)(struct setpay_stream *stream, struct setpay_peer *peer);
    /* Why it ended before it was open. */
    enum setpay_error (*failure)(struct setpay_stream *stream);
    bool (*is_accepted)(const struct setpay_stream *stream);
    void (*say_goodbye)(struct setpay_stream *stream);
};

struct setpay_stream {
    const struct kind *kind;
    const struct setpay_stream_events *events;
    void *arg;
    struct event_base *base;
    int fd;                  /* ours until the bufferevent owns it; then for options only */
    struct event *begin;     /* connecting, or the first turn of an accepted plain stream */
    struct bufferevent *bev; /* NULL before it is connected */
    SSL *ssl;                /* the bufferevent's once that exists */
    bool is_server;
    bool is_open;
    bool has_ended;
    struct setpay_peer peer;
};

/* ------------------------------------------------------------------------------------- kinds */

static enum setpay_error plain_start(struct setpay_stream *stream)
{
    stream->bev = bufferevent_socket_new(stream->base, stream->fd,
                                         BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    return stream->bev == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

static enum setpay_error plain_check(struct setpay_stream *stream, struct setpay_peer *peer)
{
    (void)stream;
    memset(peer, 0, sizeof *peer);
    return SETPAY_OK;
}

static enum setpay_error plain_failure(struct setpay_stream *stream)
{
    (void)stream;
    return SETPAY_E_CLOSED;
}

static bool plain_is_accepted(const struct setpay_stream *stream)
{
    (void)stream;
    return false;
}

static void plain_say_goodbye(struct setpay_stream *stream)
{
    (void)stream;
}

/* The server's first ticket; it gives no data, so that nothing else would tell. */
static void on_accepted(void *arg)
{
    setpay_stream_poke(arg);
}

static enum setpay_error tls_start(struct setpay_stream *stream)
{
    stream->bev = bufferevent_openssl_socket_new(stream->base, stream->fd, stream->ssl,
                                                 stream->is_server ? BUFFEREVENT_SSL_ACCEPTING
                                                                   : BUFFEREVENT_SSL_CONNECTING,
                                                 BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (stream->bev == NULL)
        return SETPAY_E_NOMEM;
    /* Frames carry their length: an end without close_notify can't cut one unseen. */
    bufferevent_openssl_set_allow_dirty_shutdown(stream->bev, 1);
    if (!stream->is_server)
        setpay_tls_watch_accepted(stream->ssl, on_accepted, stream);
    return SETPAY_OK;
}

static enum setpay_error tls_check(struct setpay_stream *stream, struct setpay_peer *peer)
{
    return setpay_tls_check_peer(stream->ssl, peer); /* rule A3 */
}

static enum setpay_error tls_failure(struct setpay_stream *stream)
{
    return setpay_tls_handshake_error(stream->ssl);
}

static bool tls_is_accepted(const struct setpay_stream *stream)
{
    return setpay_tls_is_accepted(stream->ssl);
}

static void tls_say_goodbye(struct setpay_stream *stream)
{
    setpay_tls_watch_accepted(stream->ssl, NULL, NULL);
    setpay_tls_shutdown(stream->ssl);
}

static const struct kind plain_kind = {
    .start = plain_start,
    .check = plain_check,
    .failure = plain_failure,
    .is_accepted = plain_is_accepted,
    .say_goodbye = plain_say_goodbye,
};

static const struct kind tls_kind = {
    .start = tls_start,
    .check = tls_check,
    .failure = tls_failure,
    .is_accepted = tls_is_accepted,
    .say_goodbye = tls_say_goodbye,
};

/* ------------------------------------------------------------------------------------ events */

static void end(struct setpay_stream *stream, enum setpay_error error)
{
    if (stream->has_ended)
        return;
    stream->has_ended = true;
    if (stream->bev != NULL)
        bufferevent_disable(stream->bev, EV_READ | EV_WRITE);
    stream->events->on_end_cb(stream->arg, error); /* may free the stream */
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct setpay_stream *stream = arg;
    (void)bev;
    if (stream->is_open && !stream->has_ended)
        stream->events->on_input_cb(stream->arg);
}

static void on_write(struct bufferevent *bev, void *arg)
{
    struct setpay_stream *stream = arg;
    (void)bev;
    if (stream->is_open && !stream->has_ended)
        stream->events->on_output_cb(stream->arg);
}

static void open_up(struct setpay_stream *stream)
{
    enum setpay_error error = stream->kind->check(stream, &stream->peer);
    if (error != SETPAY_OK) {
        end(stream, error);
        return;
    }
    stream->is_open = true;
    stream->events->on_open_cb(stream->arg);
}

/* How an open stream ended. A TLS 1.3 server judges the client's certificate after the client is
 * open: its alert is then a refusal. */
static enum setpay_error closed(const struct setpay_stream *stream, short what)
{
    bool is_refused = (what & BEV_EVENT_ERROR) != 0 && stream->ssl != NULL && !stream->is_server &&
                      bufferevent_get_openssl_error(stream->bev) != 0 &&
                      !stream->kind->is_accepted(stream);
    return is_refused ? SETPAY_E_TLS : SETPAY_E_CLOSED;
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct setpay_stream *stream = arg;
    (void)bev;
    if (stream->has_ended)
        return;
    if ((what & BEV_EVENT_CONNECTED) != 0)
        open_up(stream);
    else if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0)
        end(stream, stream->is_open ? closed(stream, what) : stream->kind->failure(stream));
}

/* Makes the bufferevent; the socket is connected. */
static enum setpay_error start(struct setpay_stream *stream)
{
    ERR_clear_error();
    SETPAY_TRY(stream->kind->start(stream));
    bufferevent_setcb(stream->bev, on_read, on_write, on_event, stream);
    return SETPAY_OK;
}

static enum setpay_error finish_connect(struct setpay_stream *stream)
{
    int why = 0;
    socklen_t size = sizeof why;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &why, &size) != 0 || why != 0)
        return SETPAY_E_UNREACHABLE;
    return start(stream);
}

/* The first turn: a client's socket is connected or has failed; a plain server's is there. */
static void on_begin(evutil_socket_t fd, short what, void *arg)
{
    struct setpay_stream *stream = arg;
    (void)fd;
    (void)what;
    if (stream->bev == NULL) {
        enum setpay_error error = stream->fd < 0 ? SETPAY_E_UNREACHABLE : finish_connect(stream);
        if (error != SETPAY_OK) {
            end(stream, error);
            return;
        }
    }
    if (stream->ssl == NULL)
        open_up(stream);
}

/* ------------------------------------------------------------------------------ making, ending */

static void set_options(int fd)
{
    int one = 1, timeout_ms = USER_TIMEOUT_MS;
    /* Both help a connection and neither is needed for a correct one. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

static struct setpay_stream *make(struct setpay_loop *loop, int fd, struct setpay_tls *tls,
                                  const struct setpay_stream_events *events, void *arg)
{
    struct setpay_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return NULL;
    stream->kind = tls == NULL ? &plain_kind : &tls_kind;
    stream->events = events;
    stream->arg = arg;
    stream->base = setpay_loop_base(loop);
    stream->fd = fd;
    return stream;
}

enum setpay_error setpay_stream_accept(struct setpay_loop *loop, int fd, struct setpay_tls *tls,
                                       const struct setpay_stream_events *events, void *arg,
                                       struct setpay_stream **stream)
{
    enum setpay_error error = SETPAY_E_NOMEM;
    struct setpay_stream *made = make(loop, fd, tls, events, arg);
    if (made == NULL) {
        close(fd);
        return SETPAY_E_NOMEM;
    }
    made->is_server = true;
    set_options(fd);
    if (tls != NULL) {
        error = setpay_tls_session_server(tls, &made->ssl);
        if (error == SETPAY_OK)
            error = start(made);
    } else {
        made->begin = event_new(made->base, -1, 0, on_begin, made);
        error = made->begin == NULL ? SETPAY_E_NOMEM : start(made);
        if (error == SETPAY_OK)
            event_active(made->begin, EV_TIMEOUT, 0);
    }
    if (error != SETPAY_OK)
        goto out;
    *stream = made;
    made = NULL;
out:
    setpay_stream_free(made);
    return error;
}

/* Starts to connect; -1 where it failed at once. */
static int begin_connect(const struct setpay_address *address)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_options(fd);
    if (connect(fd, (const struct sockaddr *)&address->storage, address->size) == 0 ||
        errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

enum setpay_error
setpay_stream_connect(struct setpay_loop *loop, const struct setpay_address *address,
                      struct setpay_tls *tls, const struct setpay_tls_expect *expect,
                      SSL_SESSION *session, const struct setpay_stream_events *events, void *arg,
                      struct setpay_stream **stream)
{
    enum setpay_error error = SETPAY_OK;
    struct setpay_stream *made = make(loop, -1, tls, events, arg);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    if (tls != NULL) {
        error = setpay_tls_session_client(tls, expect, &made->ssl);
        if (error != SETPAY_OK)
            goto out;
        if (session != NULL && SSL_set_session(made->ssl, session) != 1)
            ERR_clear_error(); /* then it is a full handshake */
    }
    made->fd = begin_connect(address);
    made->begin = event_new(made->base, made->fd, made->fd < 0 ? 0 : EV_WRITE, on_begin, made);
    if (made->begin == NULL || (made->fd >= 0 && event_add(made->begin, NULL) != 0)) {
        error = SETPAY_E_NOMEM;
        goto out;
    }
    if (made->fd < 0)
        event_active(made->begin, EV_TIMEOUT, 0);
    *stream = made;
    made = NULL;
out:
    setpay_stream_free(made);
    return error;
}

void setpay_stream_free(struct setpay_stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->begin != NULL)
        event_free(stream->begin);
    if (stream->bev != NULL) {
        stream->kind->say_goodbye(stream);
        bufferevent_free(stream->bev); /* frees ssl, closes fd */
    } else {
        SSL_free(stream->ssl);
        if (stream->fd >= 0)
            close(stream->fd);
    }
    free(stream);
}

/* --------------------------------------------------------------------------------------- use */

const struct setpay_peer *setpay_stream_peer(const struct setpay_stream *stream)
{
    return &stream->peer;
}

SSL *setpay_stream_ssl(const struct setpay_stream *stream)
{
    return stream->ssl;
}

bool setpay_stream_is_accepted(const struct setpay_stream *stream)
{
    return stream->is_open && stream->kind->is_accepted(stream);
}

enum setpay_error setpay_stream_recheck(struct setpay_stream *stream)
{
    return stream->kind->check(stream, &stream->peer);
}

struct evbuffer *setpay_stream_input(struct setpay_stream *stream)
{
    return bufferevent_get_input(stream->bev);
}

size_t setpay_stream_output_size(const struct setpay_stream *stream)
{
    return evbuffer_get_length(bufferevent_get_output(stream->bev));
}

void setpay_stream_set_marks(struct setpay_stream *stream, size_t input_max, size_t output_low)
{
    bufferevent_setwatermark(stream->bev, EV_READ, 0, input_max);
    bufferevent_setwatermark(stream->bev, EV_WRITE, output_low, 0);
}

void setpay_stream_set_reading(struct setpay_stream *stream, bool is_reading)
{
    if (((bufferevent_get_enabled(stream->bev) & EV_READ) != 0) == is_reading || stream->has_ended)
        return;
    if (is_reading)
        bufferevent_enable(stream->bev, EV_READ);
    else
        bufferevent_disable(stream->bev, EV_READ);
}

void setpay_stream_poke(struct setpay_stream *stream)
{
    bufferevent_trigger(stream->bev, EV_READ,
                        BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

enum setpay_error setpay_stream_write(struct setpay_stream *stream, struct setpay_view head,
                                      struct setpay_view body)
{
    struct evbuffer *output = bufferevent_get_output(stream->bev);
    struct evbuffer_iovec room;
    /* In one piece: OpenSSL makes one record of it. */
    if (evbuffer_reserve_space(output, (ev_ssize_t)(head.size + body.size), &room, 1) != 1)
        return SETPAY_E_NOMEM;
    if (head.size > 0)
        memcpy(room.iov_base, head.data, head.size);
    if (body.size > 0)
        memcpy((uint8_t *)room.iov_base + head.size, body.data, body.size);
    room.iov_len = head.size + body.size;
    return evbuffer_commit_space(output, &room, 1) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

void setpay_stream_finish(struct setpay_stream *stream)
{
    stream->kind->say_goodbye(stream);
    (void)shutdown(stream->fd, SHUT_WR);
}
