/*
 * The simulated issuer on its sockets: connections, sign-on, requests booked through the store, and
 * answers as card and script want them. All on one loop.
 */
#ifndef SETPAY_GATEWAY_ISSUER_SERVER_H
#define SETPAY_GATEWAY_ISSUER_SERVER_H

#include "common/base/error.h"
#include "common/net/loop.h"
#include "common/store/store.h"
#include "gateway/issuer/script.h"

#include <stdint.h>

#define SETPAY_ISSUER_CONNECTIONS_MAX 256
#define SETPAY_ISSUER_EXCHANGES_MAX 8192
#define SETPAY_ISSUER_OUTPUT_MAX (1024 * 1024)

struct ssl_ctx_st;
struct setpay_issuer_server;

struct setpay_issuer_figures {
    uint64_t connections, sign_ons, echoes, authorisations, reversals, presentments,
        reconciliations, repeats, malformed;
};

/* Takes the listener's descriptor, also on error. loop, store and tls (NULL: plain) outlive the
 * server. */
enum setpay_error setpay_issuer_server_new(struct setpay_loop *loop, struct setpay_store *store,
                                           struct ssl_ctx_st *tls, int listener_fd, int64_t late_ms,
                                           struct setpay_issuer_server **server) SETPAY_MUST_CHECK;
/* How long an authorisation holds its amount; ten days at first. */
void setpay_issuer_server_set_hold(struct setpay_issuer_server *server, int64_t hold_ms);
/* Closes the listener and all connections. What the store still works on ends unanswered. */
void setpay_issuer_server_stop(struct setpay_issuer_server *server);
/* NULL-safe; once the store is drained and the loop has run what that posted. */
void setpay_issuer_server_free(struct setpay_issuer_server *server);

struct setpay_script *setpay_issuer_server_script(struct setpay_issuer_server *server);
/* After the script was changed: connections are closed where it says that nobody is served.
 * outage_begins: its down_ms was set. SETPAY_E_NOMEM. */
enum setpay_error setpay_issuer_server_follow_script(struct setpay_issuer_server *server,
                                                     bool outage_begins) SETPAY_MUST_CHECK;
const struct setpay_issuer_figures *
setpay_issuer_server_figures(const struct setpay_issuer_server *server);
/* Closes every connection now; they may come back. */
void setpay_issuer_server_disconnect(struct setpay_issuer_server *server);

#endif
