/*
 * The administration address of a daemon: GET /healthz, /readyz and /metrics over plain HTTP, on
 * the main thread's loop. It says how the daemon is, and nothing about payments.
 */
#ifndef SETPAY_NET_ADMIN_HTTP_H
#define SETPAY_NET_ADMIN_HTTP_H

#include "common/base/error.h"
#include "common/net/loop.h"

#include <stddef.h>

struct setpay_admin_http;

/* One condition of readiness. check_cb is called on the loop's thread for each GET /readyz and must
 * not block: SETPAY_OK, or an error with words in why (empty: the error's own text is shown). */
struct setpay_ready_check {
    const char *name; /* "issuer_line" */
    enum setpay_error (*check_cb)(void *arg, struct setpay_problem *why);
    void *arg;
};

#define SETPAY_READY_CHECKS_MAX 16

/* /healthz: 200 {"status":"ok"} as long as the loop lives. /readyz: 200, or 503 where a check fails
 * or the daemon drains: {"status":"failing","checks":[{"name":…,"ok":false,"error":…,"why":…}]}.
 * listener_fd (common/net/listen.h) is taken, also on error; checks is copied (the names are
 * not). SETPAY_E_NOMEM, SETPAY_E_INVALID (too many checks). */
enum setpay_error setpay_admin_http_new(struct setpay_loop *loop, int listener_fd,
                                        const struct setpay_ready_check *checks, size_t check_count,
                                        struct setpay_admin_http **admin) SETPAY_MUST_CHECK;
/* From now on /readyz says 503 "draining". */
void setpay_admin_http_set_draining(struct setpay_admin_http *admin);
/* NULL-safe. */
void setpay_admin_http_free(struct setpay_admin_http *admin);

#endif
