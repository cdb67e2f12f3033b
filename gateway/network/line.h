/*
 * One persistent connection to one issuer: connect, sign on, exchange frames, test with an echo
 * when idle, and after a loss connect again with growing pauses. All on the network's thread.
 */
#ifndef SETPAY_GATEWAY_NETWORK_LINE_H
#define SETPAY_GATEWAY_NETWORK_LINE_H

#include "common/base/error.h"
#include "common/base/secret.h"
#include "gateway/network/iso8583.h"
#include "gateway/network/network.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct setpay_line;

enum setpay_line_event {
    SETPAY_LINE_SIGNED_ON,
    SETPAY_LINE_SIGN_ON_REFUSED,
    SETPAY_LINE_ECHOED,
    SETPAY_LINE_LOST,       /* was signed on: what was sent and not answered may never be */
    SETPAY_LINE_SIGNED_OFF, /* as it was told to; stays down */
    SETPAY_LINE_FAILED,     /* could not be connected, or was lost before it was signed on */
    SETPAY_LINE_MALFORMED,  /* the issuer sent what is no message; the connection is closed */
};

struct setpay_line_config {
    const char *name; /* borrowed */
    struct sockaddr_storage address;
    socklen_t address_size;
    struct ssl_ctx_st *tls; /* NULL: plain; the line has a reference of its own */
    char *tls_name;         /* borrowed; not changed */
    int64_t answer_timeout_ms;
    int64_t echo_interval_ms;
    int64_t reconnect_min_ms;
    int64_t reconnect_max_ms;
    void *arg;                                                       /* of the callbacks */
    void (*trace_cb)(void *arg, struct setpay_network_trace *trace); /* a fresh one */
    void (*event_cb)(void *arg, enum setpay_line_event event);
    /* Every message but answers to the line's own 0800. Borrowed for the call. */
    void (*message_cb)(void *arg, const struct setpay_iso_message *message);
};

/* Starts to connect in the loop's next turn. SETPAY_E_NOMEM. */
enum setpay_error setpay_line_new(const struct setpay_line_config *config, struct event_base *base,
                                  struct setpay_line **line) SETPAY_MUST_CHECK;
/* NULL-safe; no callback comes any more. Not from within a callback of this line. */
void setpay_line_free(struct setpay_line *line);

/* Where it is up: sends an 0800 with 002; once that is answered the line is closed and stays down,
 * and SIGNED_OFF comes. False where it is not up, or can't: no event comes then. */
bool setpay_line_sign_off(struct setpay_line *line);

/* A line that has one connects with this one from now on; a connection that is there stays. */
void setpay_line_take_tls(struct setpay_line *line, struct ssl_ctx_st *tls);

bool setpay_line_is_up(const struct setpay_line *line);
/* Takes the frame, on success only. SETPAY_E_UNREACHABLE while the line is down, SETPAY_E_BUSY when
 * too much waits to be sent; nothing has been sent then. */
enum setpay_error setpay_line_send(struct setpay_line *line,
                                   struct setpay_secret *frame) SETPAY_MUST_CHECK;

#endif
