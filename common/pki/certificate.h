/*
 * A certificate of this PKI, parsed once: who it names, what it may be used for, its key ready for
 * use. Immutable, counted by references, shared by threads.
 *
 * Parsing says nothing about trust: only struct setpay_trust (chain.h) gives certificates that may
 * be believed. A parsed certificate is good for one's own, and for showing.
 */
#ifndef SETPAY_PKI_CERTIFICATE_H
#define SETPAY_PKI_CERTIFICATE_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/crypto/sign.h"
#include "common/pki/role.h"

#include <openssl/types.h>
#include <stdbool.h>

struct setpay_certificate;

/*
 * Parses one DER certificate of at most SETPAY_LIMIT_CERTIFICATE_BYTES and finds its profile or CA
 * kind. SETPAY_E_CERT_MALFORMED (no DER of one X.509 v3 certificate, key not on P-256, signature
 * algorithm not ecdsa-with-SHA256), SETPAY_E_CERT_ROLE (certificateType missing, unknown, or not
 * that of OU), SETPAY_E_CERT_USAGE (keyUsage or extendedKeyUsage not exactly a profile's,
 * basicConstraints, an unknown critical extension), SETPAY_E_CERT_NAME (subject or
 * subjectAltName not of the form in role.h), SETPAY_E_CERT_TIME (a longer life than the profile's).
 */
enum setpay_error
setpay_certificate_parse(struct setpay_view der,
                         struct setpay_certificate **certificate) SETPAY_MUST_CHECK;
struct setpay_certificate *setpay_certificate_ref(struct setpay_certificate *certificate);
/* Gives a reference back; safe on NULL. */
void setpay_certificate_unref(struct setpay_certificate *certificate);

/* All borrowed from the certificate. */
const struct setpay_digest *
setpay_certificate_thumbprint(const struct setpay_certificate *certificate);
struct setpay_view setpay_certificate_der(const struct setpay_certificate *certificate);
/* "" for a root. */
const char *setpay_certificate_brand(const struct setpay_certificate *certificate);
/* The CN: merchant id, gateway id, blinded account id (hex). */
const char *setpay_certificate_id(const struct setpay_certificate *certificate);
/* SETPAY_PROFILE_NONE for a CA. */
enum setpay_profile setpay_certificate_profile(const struct setpay_certificate *certificate);
/* SETPAY_CA_NONE for a leaf. */
enum setpay_ca_kind setpay_certificate_ca_kind(const struct setpay_certificate *certificate);
const struct setpay_public_key *
setpay_certificate_key(const struct setpay_certificate *certificate);
/* For OpenSSL calls that want one (the envelope's recipient, TLS). */
X509 *setpay_certificate_x509(const struct setpay_certificate *certificate);
setpay_time_ms setpay_certificate_not_before_ms(const struct setpay_certificate *certificate);
setpay_time_ms setpay_certificate_not_after_ms(const struct setpay_certificate *certificate);

/* Which of the CAs of its kind in its brand one is: the running number behind the kind in its CN
 * ("cca-2"). 0 where the CN is of another form, or for a leaf or a root. */
unsigned setpay_certificate_ca_number(const struct setpay_certificate *ca);
/* Its name (role.h). */
void setpay_certificate_ca_name(const struct setpay_certificate *ca,
                                char name[SETPAY_AUTHORITY_NAME_SIZE]);

/* A cardholder's blinded account id (rule G5). SETPAY_E_CERT_ROLE for any other certificate. */
enum setpay_error setpay_certificate_account(const struct setpay_certificate *certificate,
                                             struct setpay_digest *account_id) SETPAY_MUST_CHECK;
/* True where a dNSName is that host, letter case apart (rule W1). No wildcards, the CN is ignored.
 */
bool setpay_certificate_names_host(const struct setpay_certificate *certificate, const char *host);
/* True where both name the same brand, role (cardholder, merchant, gateway) and id: a merchant's
 * TLS and signing certificates (rule G1), a gateway's signing and encryption certificates (W3). */
bool setpay_certificate_same_party(const struct setpay_certificate *a,
                                   const struct setpay_certificate *b);

#endif
