/*
 * Getting certificates over the network: a client of EST (RFC 7030) on an event loop.
 *
 * A task goes in this order: CA certificates and revocation lists, over a connection that may not
 * have any list to be judged by and on which nothing is told; then, over a new connection that is
 * judged in full (rule A3, the profile of an authority's server, the host that was called), the
 * nonce, the request, the certificate. An authority answers with the leaf alone (RFC 7030, 4.2.3);
 * those above it are put behind it out of its CA certificates. Where others came beside the leaf
 * they stay as they came. Nothing of it is verified: the caller does.
 */
#ifndef SETPAY_NET_EST_CLIENT_H
#define SETPAY_NET_EST_CLIENT_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/net/est_form.h"
#include "common/net/loop.h"
#include "common/net/tls.h"

#include <stddef.h>
#include <stdint.h>

struct setpay_trust;
struct setpay_est_task;

#define SETPAY_EST_CARDHOLDER "cardholder"
#define SETPAY_EST_MERCHANT "merchant"
#define SETPAY_EST_GATEWAY "gateway"

/* How a task ended. Views and texts live for the callback. */
struct setpay_est_result {
    /* SETPAY_OK. SETPAY_E_ENROLMENT: refused (rule C1); SETPAY_E_PERMISSION: not by this
     * certificate; SETPAY_E_PEER_REFUSED: the request is not what the authority takes; words are
     * then the server's. SETPAY_E_PEER_BUSY, SETPAY_E_UNREACHABLE, SETPAY_E_TIMEOUT,
     * SETPAY_E_CLOSED: again later. CERT_*, CRL_*, HOST, TLS: who answers is not believed.
     * SETPAY_E_MALFORMED, and errors of build_cb. */
    enum setpay_error error;
    const char *words; /* "" where the error says it all */
    /* DER, the leaf first, then those above it but for the root; none where label was NULL. */
    const struct setpay_view *certificates;
    size_t certificate_count;
};

/* Makes the request (PKCS#10, DER, *der is empty) with the nonce as its challengePassword. */
typedef enum setpay_error setpay_est_build_cb(void *arg, const char *nonce,
                                              struct setpay_secret *der);
/* Called once, never before start returns; the task is gone when it returns. */
typedef void setpay_est_done_cb(void *arg, const struct setpay_est_result *result);

/* All borrowed for the call, but loop and trust, which outlive the task. */
struct setpay_est_wish {
    struct setpay_loop *loop;
    struct setpay_trust *trust;
    struct setpay_est_place place;
    /* Who asks; a constant. NULL: for the CA certificates and revocation lists alone. */
    const char *label;
    /* By id and secret, or, a renewal, by a certificate that is held. */
    const char *user;
    const struct setpay_secret *password;
    const struct setpay_tls_identity *identity;
    setpay_est_build_cb *build_cb;
    setpay_est_done_cb *done_cb;
    void *arg;
    /* 0 stands for the default in parentheses. */
    int64_t connect_timeout_ms; /* (5 s) */
    int64_t deadline_ms;        /* (30 s) of each of its requests */
};

/* SETPAY_E_INVALID (user or password are not of their form), SETPAY_E_CONFIG (the identity),
 * SETPAY_E_NOMEM. */
enum setpay_error setpay_est_start(const struct setpay_est_wish *wish,
                                   struct setpay_est_task **task,
                                   struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Ends it without a callback. NULL-safe; not from within build_cb or done_cb. */
void setpay_est_cancel(struct setpay_est_task *task);

#endif
