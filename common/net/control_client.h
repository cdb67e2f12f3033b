/*
 * The other end of a control socket, for command-line tools: blocking, with deadlines.
 */
#ifndef SETPAY_NET_CONTROL_CLIENT_H
#define SETPAY_NET_CONTROL_CLIENT_H

#include "common/base/error.h"
#include "common/net/control_json.h"

#include <stdint.h>

struct setpay_control_client;

/* daemon: "setpay-walletd", for the words when nobody listens there; start_hint: how it is started
 * ("setpay-walletd --config FILE"), may be NULL. SETPAY_E_UNREACHABLE, SETPAY_E_PERMISSION,
 * SETPAY_E_CONFIG (the path is too long), SETPAY_E_NOMEM, with words in problem. */
enum setpay_error setpay_control_client_open(const char *path, const char *daemon,
                                             const char *start_hint,
                                             struct setpay_control_client **client,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* NULL-safe. */
void setpay_control_client_close(struct setpay_control_client *client);

typedef void setpay_control_progress_cb(void *arg, const json_t *progress);

/*
 * Sends one command and waits for its last line. Takes args (an object, or NULL). progress_cb may
 * be NULL. timeout_ms: for the whole call; 0: without end. *result is owned by the caller.
 * SETPAY_E_TIMEOUT, SETPAY_E_CLOSED, SETPAY_E_MALFORMED; and every error that the daemon answers,
 * by its name, with the daemon's words in problem. After one of the first three the client can't be
 * used again.
 */
enum setpay_error setpay_control_client_call(struct setpay_control_client *client,
                                             const char *command, json_t *args, int64_t timeout_ms,
                                             setpay_control_progress_cb *progress_cb, void *arg,
                                             json_t **result,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
