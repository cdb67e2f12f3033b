/*
 * The enrolment daemon: the authority over the network.
 */
#ifndef SETPAY_CA_CAD_H
#define SETPAY_CA_CAD_H

#include "ca/ca.h"
#include "ca/registrar.h"
#include "common/base/secret.h"
#include "common/net/identity.h"
#include "common/net/service.h"
#include "common/net/tls.h"

#include <pthread.h>
#include <stdint.h>

struct setpay_est_worker;

/* service->user. Read-only for workers but for what the registrar does. */
struct setpay_cad {
    struct setpay_service *service;
    struct setpay_ca *ca; /* the registrar's while that runs */
    struct setpay_registrar *registrar;
    struct setpay_trust *trust; /* its own certificates and lists, for renewals */
    pthread_mutex_t lock;       /* over server */
    struct setpay_identity server;
    struct setpay_tls *tls;
    int64_t renew_wait_ms, renew_not_before_ms; /* the registrar's: after a renewal that failed */
    struct setpay_secret nonce_key;
    struct setpay_secret card_key; /* empty: cardholders can't enrol here */
    int card_days;                 /* 0: as long as the card */
};

/* The authority's own TLS certificate (cad_keys.c). load: also again, on SIGHUP; any thread. look:
 * on the registrar's thread; renews it where it is due. */
enum setpay_error setpay_cad_keys_load(struct setpay_cad *cad,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;
enum setpay_error setpay_cad_keys_measure(struct setpay_cad *cad) SETPAY_MUST_CHECK;
void setpay_cad_keys_look(struct setpay_ca *ca, void *cad);

/* Serves EST and revocation lists on a worker's listener "est" (est_server.c). */
enum setpay_error setpay_est_worker_new(struct setpay_cad *cad, struct setpay_worker *daemon_worker,
                                        struct setpay_est_worker **worker) SETPAY_MUST_CHECK;
void setpay_est_worker_drain(struct setpay_est_worker *worker);
void setpay_est_worker_free(struct setpay_est_worker *worker);

extern const struct setpay_service_spec setpay_cad_spec;

#endif
