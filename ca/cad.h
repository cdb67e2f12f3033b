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

/* Of the authorities of a kind, the list that ends first. */
struct setpay_cad_list {
    char authority[SETPAY_CA_AUTHORITY_SIZE]; /* "": there is none */
    setpay_time_ms end_ms;
};
#define SETPAY_CAD_LIST_KINDS (SETPAY_CA_KINDS - 1) /* SETPAY_CA_NONE has none */

/* service->user. Read-only for workers but for what the registrar does. */
struct setpay_cad {
    struct setpay_service *service;
    struct setpay_ca *ca; /* the registrar's while that runs */
    struct setpay_registrar *registrar;
    struct setpay_trust *trust; /* its own certificates and lists, for renewals */
    pthread_mutex_t lock;       /* over server, and lists */
    struct setpay_identity server;
    struct setpay_cad_list lists[SETPAY_CAD_LIST_KINDS];
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

/* Its own revocation lists (cad_lists.c). measure: registers the figures. look: on the registrar's
 * thread, or before it runs. check: a condition of /readyz, any thread; arg is the cad. */
enum setpay_error setpay_cad_lists_measure(void) SETPAY_MUST_CHECK;
void setpay_cad_lists_look(struct setpay_cad *cad);
enum setpay_error setpay_cad_lists_check(void *arg, struct setpay_problem *why) SETPAY_MUST_CHECK;

/* Serves EST and revocation lists on a worker's listener "est" (est_server.c). */
enum setpay_error setpay_est_worker_new(struct setpay_cad *cad, struct setpay_worker *daemon_worker,
                                        struct setpay_est_worker **worker) SETPAY_MUST_CHECK;
void setpay_est_worker_drain(struct setpay_est_worker *worker);
void setpay_est_worker_free(struct setpay_est_worker *worker);

extern const struct setpay_service_spec setpay_cad_spec;

#endif
