/*
 * Whether somebody answers at an address, and is who it should be: a connection, a TLS handshake
 * and, where wished, one GET whose answer bears the other's time. Nothing more is sent, and the
 * connection is closed. For programs that look, never for those that pay.
 *
 * Each probe has a thread of its own, so that one that hangs (a name server, for instance) holds up
 * neither the others nor the caller.
 */
#ifndef SETPAY_NET_PROBE_H
#define SETPAY_NET_PROBE_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/net/tls.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETPAY_PROBE_ADDRESS_SIZE 300
#define SETPAY_PROBE_WORDS_SIZE 160

struct setpay_probe {
    /* What to do. Texts are copied when it runs; contexts are borrowed until run returns. */
    char address[SETPAY_PROBE_ADDRESS_SIZE]; /* HOST:PORT */
    struct setpay_tls *tls;                  /* setpay's own PKI; NULL: not */
    struct setpay_tls_expect expect;         /* with tls; texts of the caller */
    bool wants_accepted;                     /* we show a certificate: the other must take it */
    SSL_CTX *context;                        /* another PKI; NULL, as tls: TCP alone */
    const char *context_name;                /* whom its certificate must name */
    const char *get;                         /* a path, asked for by HTTP; NULL: nothing */
    const char *host;                        /* with get: the Host */

    /* What came of it. */
    enum setpay_error error;
    char words[SETPAY_PROBE_WORDS_SIZE]; /* why not: "Connection refused" */
    setpay_time_ms date_ms;              /* the other's time, where get was answered; 0: none */
    setpay_time_ms at_ms;                /* this computer's, then */
};

/* Runs all at once, and returns when all have ended or the time is over: those that have not ended
 * then have SETPAY_E_TIMEOUT. */
void setpay_probes_run(struct setpay_probe *probes, size_t count, int64_t deadline_ms);

#endif
