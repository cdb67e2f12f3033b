/*
 * The gateway from its configuration: options, keys, vault, the thread of the issuer network.
 */
#ifndef SETPAY_GATEWAY_SETUP_H
#define SETPAY_GATEWAY_SETUP_H

#include "common/base/config.h"
#include "common/net/loop.h"
#include "common/net/service.h"
#include "common/net/tls.h"
#include "common/net/upkeep.h"
#include "gateway/clearing/presentment.h"
#include "gateway/clearing/reconciler.h"
#include "gateway/network/network.h"
#include "gateway/payment/gateway.h"
#include "gateway/payment/holds.h"
#include "gateway/payment/reversal.h"
#include "gateway/payment/stand_in.h"

#include <openssl/types.h>
#include <pthread.h>
#include <stdbool.h>

extern const struct setpay_option setpay_gateway_options[];
extern const struct setpay_party setpay_gateway_party; /* which certificates it has */

/* All that the daemon has besides its service; service->user. */
struct setpay_gatewayd {
    struct setpay_gateway gateway;
    struct setpay_tls *tls;
    struct setpay_upkeep *upkeep;                   /* of its keys, certificates and lists */
    SSL_CTX *issuer_tls[SETPAY_NETWORK_ROUTES_MAX]; /* by [issuer] section; NULL: plain; from the
                                                     * network's start on its thread's alone */
    /* The thread that owns the lines to the issuers. */
    struct setpay_loop *network_loop;
    struct setpay_executor network_executor;
    struct setpay_gateway_reversals *reversals;
    struct setpay_gateway_presentments *presentments;
    struct setpay_gateway_holds *holds;
    struct setpay_gateway_reconciler *reconciler;
    int64_t clock_settle_ms;
    int64_t cutoff_minutes; /* after midnight, UTC */
    pthread_t network_thread;
    bool network_runs;
    struct setpay_executor command_executor; /* the main loop's, for commands.c */
};

/* "issuer NAME" */
#define SETPAY_GATEWAY_SECTION_SIZE 80
/* The TLS context of an issuer's line as its section says; *tls stays NULL where the line is plain.
 * Free with SSL_CTX_free. SETPAY_E_CONFIG, or what reading a secret file gives, with words. */
enum setpay_error setpay_gateway_issuer_tls(const struct setpay_config *config, const char *section,
                                            const struct setpay_secret *passphrase, SSL_CTX **tls,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Every value that the daemon would refuse to start with, but for what files hold: opens nothing,
 * and asks nobody but the resolver for issuers without TLS. SETPAY_E_CONFIG with words. */
enum setpay_error setpay_gateway_check(const struct setpay_config *config,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* What may be approved in the stead of the issuer of that section; made->count is 0 where nothing
 * may. SETPAY_E_CONFIG with words. */
enum setpay_error setpay_gateway_issuer_stand_in(const struct setpay_config *config,
                                                 const char *section, struct setpay_stand_in *made,
                                                 struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Loads keys and certificates of every [brand], opens the vault, makes the TLS contexts. */
enum setpay_error setpay_gatewayd_load(struct setpay_service *service,
                                       struct setpay_gatewayd *daemon,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Recovers what a crash left, then starts the network's thread with all [issuer] lines. */
enum setpay_error setpay_gatewayd_start_network(struct setpay_service *service,
                                                struct setpay_gatewayd *daemon,
                                                struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Reads the keys, certificates and CAs of all [issuer] lines and of all brands again, and takes the
 * limits of standing in from service->fresh: all are taken over, or none. A line that is up goes
 * on, and has the new keys when it connects again. */
enum setpay_error setpay_gatewayd_reload(struct setpay_service *service,
                                         struct setpay_gatewayd *daemon,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_gatewayd_stop_network(struct setpay_gatewayd *daemon);
void setpay_gatewayd_clear(struct setpay_gatewayd *daemon);

#endif
