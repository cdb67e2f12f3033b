/*
 * One certificate revocation list, parsed and proven; and the CA certificate with the list that is
 * newest of it. Counted by references and immutable. Only the trust store works with these.
 */
#ifndef SETPAY_PKI_CRL_H
#define SETPAY_PKI_CRL_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/pki/certificate.h"
#include "common/pki/chain.h"

#include <openssl/x509.h>
#include <stdatomic.h>

struct setpay_crl {
    atomic_uint references;
    X509_CRL *list;
    struct setpay_buffer der;
    struct setpay_crl_info info; /* ca and ca_kind, brand are set by setpay_crl_prove */
};

/* SETPAY_E_CRL_INVALID: no DER of one v2 list, signed by ecdsa-with-SHA256, with nextUpdate, a
 * number and an authority key id; or an indirect, partial or delta list; or an unknown critical
 * extension. SETPAY_E_TOO_BIG. */
enum setpay_error setpay_crl_parse(struct setpay_view der,
                                   struct setpay_crl **crl) SETPAY_MUST_CHECK;
struct setpay_crl *setpay_crl_ref(struct setpay_crl *crl);
void setpay_crl_unref(struct setpay_crl *crl);

/* True where the list names this CA as its issuer, by name and key id. */
bool setpay_crl_names(const struct setpay_crl *crl, const struct setpay_certificate *ca);
/* The CA signed it, and its dates hold (rule A3). SETPAY_E_CRL_INVALID, SETPAY_E_CRL_STALE. */
enum setpay_error setpay_crl_prove(struct setpay_crl *crl, const struct setpay_certificate *ca,
                                   setpay_time_ms now_ms) SETPAY_MUST_CHECK;

#endif
