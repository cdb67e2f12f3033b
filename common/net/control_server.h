/*
 * The local control socket of a daemon: UNIX stream, mode 0600 from its first moment, only for the
 * daemon's own user and root (SO_PEERCRED); one JSON object per line.
 *
 *     {"id":1,"command":"status","args":{}}            args may be left out
 *     {"id":1,"progress":{…}}                          any number
 *     {"id":1,"ok":true,"result":{…}}                  the last one, or
 *     {"id":1,"ok":false,"error":{"name":"…","rule":"G4","text":"…","exit":5}}
 *
 * Requests may be sent without waiting for answers, which come as they are ready. Lines are never
 * logged, and their memory is cleansed after use. All on the thread of the loop.
 */
#ifndef SETPAY_NET_CONTROL_SERVER_H
#define SETPAY_NET_CONTROL_SERVER_H

#include "common/base/error.h"
#include "common/net/control_json.h"
#include "common/net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setpay_control_server;
struct setpay_control_call; /* one request under way */

/* Must lead to one setpay_control_reply or setpay_control_fail, now or later. args is an object
 * (maybe empty), borrowed until then. arg is the server's. */
typedef void setpay_control_handler_fn(struct setpay_control_call *call, const json_t *args,
                                       void *arg);

struct setpay_control_command {
    const char *name; /* NULL ends the table */
    setpay_control_handler_fn *handler_cb;
    const char *help; /* one line */
};

struct setpay_control_options {
    struct setpay_loop *loop;
    const char *path;                              /* of the socket; at most 107 bytes */
    const char *daemon;                            /* "setpay-gatewayd" */
    const struct setpay_control_command *commands; /* outlives the server; may be NULL */
    void *arg;                                     /* given to every handler */
    /* The daemon's lock is held, so that a socket on which nobody answers is a dead one's. */
    bool lock_held;
    bool testing; /* testing = yes: takes testing.clock and testing.crash */
    /* Adds the daemon's own members to the result of `status`; may be NULL. */
    void (*status_cb)(void *arg, json_t *status);
    /* The result of `doctor`, a new object (NULL: no memory); may be NULL: no such command. */
    json_t *(*doctor_cb)(void *arg);
};

#define SETPAY_CONTROL_CONNECTIONS_MAX 64
#define SETPAY_CONTROL_CALLS_MAX 64 /* under way on one connection; more: SETPAY_E_BUSY */

/* Whether a UNIX socket can have this path, which key of the configuration names: looks at nothing.
 * SETPAY_E_CONFIG. */
enum setpay_error setpay_control_check_path(const char *key, const char *path,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;
/*
 * Binds and listens. Every server also takes: `help`, `status`, `doctor`, `log.level
 * {"level":"debug"}`, `testing.clock {"offset_ms":N}`, `testing.crash
 * {"point":"store.commit","count":N}`, `testing.hold {"point":"look.begun"}` and `testing.points`;
 * the testing ones are refused with SETPAY_E_PERMISSION unless
 * options->testing. SETPAY_E_RUNNING where another process answers there (or may, without the
 * lock); SETPAY_E_CONFIG, SETPAY_E_IO, SETPAY_E_NOMEM; with words in problem (may be NULL).
 */
enum setpay_error setpay_control_server_new(const struct setpay_control_options *options,
                                            struct setpay_control_server **server,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Takes no further connections and requests (SETPAY_E_DRAINING); drained_cb is called once, when
 * nothing is under way, never before this returns. */
void setpay_control_server_drain(struct setpay_control_server *server,
                                 void (*drained_cb)(void *arg), void *arg);
/* NULL-safe. Removes the socket's file where it is still ours. Calls under way stay valid and must
 * still be ended. */
void setpay_control_server_free(struct setpay_control_server *server);

/* Takes progress (an object). */
void setpay_control_progress(struct setpay_control_call *call, json_t *progress);
/* Ends the call. Takes result (an object; NULL: an empty one). */
void setpay_control_reply(struct setpay_control_call *call, json_t *result);
/* Ends the call. The words are what the person reads; NULL: the error's own text. Never a secret.
 */
void setpay_control_fail(struct setpay_control_call *call, enum setpay_error error,
                         const char *words);
/* True once the client has gone: a long command may stop. */
bool setpay_control_call_is_gone(const struct setpay_control_call *call);

#endif
