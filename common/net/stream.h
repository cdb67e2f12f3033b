/*
 * A connection, plain or TLS, reduced to four events: it is open (connected, and with TLS the peer
 * has been judged), input has come, waiting output has left, it has ended. Plain TCP and TLS are
 * two small tables behind one face.
 *
 * All functions belong to the loop's thread. Callbacks come from the loop, never from within a call
 * of these functions, and may free the stream.
 */
#ifndef SETPAY_NET_STREAM_H
#define SETPAY_NET_STREAM_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/net/listen.h"
#include "common/net/loop.h"
#include "common/net/tls.h"

#include <stdbool.h>
#include <stddef.h>

struct evbuffer;
struct setpay_stream;

struct setpay_stream_events {
    void (*on_open_cb)(void *arg);
    /* Also after setpay_stream_poke, and when the other side has proved that it takes us. What is
     * not taken out of the input stays there. */
    void (*on_input_cb)(void *arg);
    /* Waiting output has sunk to the mark (setpay_stream_set_marks), or is gone. */
    void (*on_output_cb)(void *arg);
    /* Once, and the last event. SETPAY_E_CLOSED: the peer's end, or a broken connection;
     * SETPAY_E_UNREACHABLE: could not connect; SETPAY_E_TLS and SETPAY_E_CERT_*: refused. */
    void (*on_end_cb)(void *arg, enum setpay_error error);
};

/* Server side. Takes fd (also on an error). tls NULL: plain. events and arg are borrowed. */
enum setpay_error setpay_stream_accept(struct setpay_loop *loop, int fd, struct setpay_tls *tls,
                                       const struct setpay_stream_events *events, void *arg,
                                       struct setpay_stream **stream) SETPAY_MUST_CHECK;
/* Client side; a connect that fails at once is told by on_end_cb like one that fails later. session
 * (may be NULL) is offered for resumption. */
enum setpay_error
setpay_stream_connect(struct setpay_loop *loop, const struct setpay_address *address,
                      struct setpay_tls *tls, const struct setpay_tls_expect *expect,
                      SSL_SESSION *session, const struct setpay_stream_events *events, void *arg,
                      struct setpay_stream **stream) SETPAY_MUST_CHECK;
/* NULL-safe. Says goodbye if it can without waiting, and closes. */
void setpay_stream_free(struct setpay_stream *stream);

/* Who is at the other end; is_certified is false before on_open_cb and for plain streams. */
const struct setpay_peer *setpay_stream_peer(const struct setpay_stream *stream);
/* NULL for plain streams, and before a client is connected. */
SSL *setpay_stream_ssl(const struct setpay_stream *stream);
/* Client: the other side has proved that it takes us (setpay_tls_is_accepted); a plain server never
 * does so by itself. */
bool setpay_stream_is_accepted(const struct setpay_stream *stream);
/* Judges the peer again (rule A3). Plain: SETPAY_OK. */
enum setpay_error setpay_stream_recheck(struct setpay_stream *stream) SETPAY_MUST_CHECK;

/* Both are valid once the stream is open. Take input out with evbuffer_drain and the like. */
struct evbuffer *setpay_stream_input(struct setpay_stream *stream);
size_t setpay_stream_output_size(const struct setpay_stream *stream);
/* input_max: bytes that are kept before reading pauses by itself. output_low: on_output_cb comes
 * when what waits has sunk to it. */
void setpay_stream_set_marks(struct setpay_stream *stream, size_t input_max, size_t output_low);
void setpay_stream_set_reading(struct setpay_stream *stream, bool is_reading);
/* Has on_input_cb called in the next turn, whatever has come. */
void setpay_stream_poke(struct setpay_stream *stream);
/* Appends head and body, both copied, as one. SETPAY_E_NOMEM. */
enum setpay_error setpay_stream_write(struct setpay_stream *stream, struct setpay_view head,
                                      struct setpay_view body) SETPAY_MUST_CHECK;
/* Ends our half, to be called when no output waits: the peer sees an orderly end, while input is
 * still read, so that the close does not destroy output that is under way to it. */
void setpay_stream_finish(struct setpay_stream *stream);

#endif
