/*
 * TLS on a line to an issuer. The issuers' certificates are of a PKI of their own, not setpay's.
 */
#ifndef SETPAY_GATEWAY_NETWORK_TLS_H
#define SETPAY_GATEWAY_NETWORK_TLS_H

#include "common/base/error.h"
#include "common/base/secret.h"

#include <openssl/types.h>

struct setpay_network_tls {
    const char *name;                       /* of the issuer, for messages */
    const char *ca;                         /* file: PEM of the CAs that are believed */
    const char *cert;                       /* file: our own certificate and chain; NULL: none */
    const char *key;                        /* file: its private key, any type; as key files are */
    const struct setpay_secret *passphrase; /* of the key; NULL: it is not encrypted */
};

/* A client's context that speaks TLS 1.3 only and believes these CAs only; free with SSL_CTX_free.
 * SETPAY_E_CONFIG with words that name the key of the configuration, or what a secret file's
 * reading gives. */
enum setpay_error setpay_network_tls_new(const struct setpay_network_tls *options, SSL_CTX **tls,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
