/*
 * Trust (rule A3): one root, the CAs that were seen under it, their CRLs, and the leaf certificates
 * that were verified lately. Any number of threads may use one struct setpay_trust at once.
 *
 * A leaf is believed when its chain leads to the root through its brand's CA and the issuing CA of
 * its kind; every certificate of the chain is within its validity, of its right place, role and key
 * usages; names stay inside the constraints; and a CRL of every CA of the chain is at hand, not
 * past its nextUpdate, and lists none of them. Without a CRL, or with a stale one, nothing is
 * believed.
 *
 * Verified leaves are kept (SETPAY_LIMIT_CHAIN_CACHE) by thumbprint, and are believed again without
 * new signature checks while all of that still holds; every arriving CRL makes them be verified
 * anew. What is above a leaf is proven once for all leaves of its issuing CA, until a CRL or CA
 * comes or one of them ends. CA certificates are kept from when they are first seen under the root,
 * so that peers who know that (thumbs) may leave them out.
 */
#ifndef SETPAY_PKI_CHAIN_H
#define SETPAY_PKI_CHAIN_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/pki/certificate.h"
#include "common/pki/role.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CA certificates kept under one root; more are refused (SETPAY_E_TOO_BIG). */
#define SETPAY_LIMIT_TRUST_CAS 256

/* Files that were refused and are remembered as told. */
#define SETPAY_LIMIT_TRUST_TOLD 64

struct setpay_trust;

/* root_der: a self-signed certificate of CA kind root. SETPAY_E_CERT_MALFORMED, SETPAY_E_CERT_ROLE,
 * SETPAY_E_CERT_USAGE, SETPAY_E_CERT_NAME, SETPAY_E_CERT_CHAIN (not signed by itself). */
enum setpay_error setpay_trust_new(struct setpay_view root_der,
                                   struct setpay_trust **trust) SETPAY_MUST_CHECK;
void setpay_trust_free(struct setpay_trust *trust);

/* Keeps a CA certificate whose signatures lead to the root (its time and revocation are judged when
 * a leaf is verified). SETPAY_OK where it is known already. SETPAY_E_CERT_MISSING (issuer not
 * known), SETPAY_E_CERT_CHAIN, SETPAY_E_CERT_ROLE and the other errors of parsing. */
enum setpay_error setpay_trust_add_ca(struct setpay_trust *trust,
                                      struct setpay_view der) SETPAY_MUST_CHECK;

/*
 * Takes a CRL of a CA that is known, at the time now_ms. SETPAY_OK also where it is held already.
 * SETPAY_E_CRL_INVALID (no DER of a full v2 CRL with a number and authority key id, signature,
 * thisUpdate in the future, or a longer life than its CA's kind may give: 24 hours for issuing
 * CAs), SETPAY_E_CRL_OLDER (its number is below the one held, or the same with other content),
 * SETPAY_E_CRL_STALE (past nextUpdate), SETPAY_E_CERT_MISSING (its CA is not known),
 * SETPAY_E_TOO_BIG. A CA should date thisUpdate back by a few minutes, for clocks that differ.
 */
enum setpay_error setpay_trust_add_crl(struct setpay_trust *trust, struct setpay_view der,
                                       setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* True the first time that it is asked for what (a digest of a file and of why it was refused), and
 * again only after SETPAY_LIMIT_TRUST_TOLD others: what is read every minute is told once. Any
 * thread. */
bool setpay_trust_tell_once(struct setpay_trust *trust, const struct setpay_digest *what);

/* What came beside a message: keeps the CA certificates and CRLs among it that hold, in whatever
 * order they stand, and passes over the rest (what is missing then shows when a leaf is verified; a
 * list that was refused is in the log). Returns how many were new. */
size_t setpay_trust_learn(struct setpay_trust *trust, const struct setpay_view *certificates,
                          size_t certificate_count, const struct setpay_view *crls,
                          size_t crl_count, setpay_time_ms now_ms);

/*
 * Rule A3: verifies a leaf for one profile, and one brand (NULL: any). offered are the certificates
 * that came beside it, in any order; CAs among them are kept, others passed over. *certificate is a
 * reference for the caller.
 * SETPAY_E_CERT_MALFORMED; SETPAY_E_CERT_MISSING (an issuer was neither offered nor known);
 * SETPAY_E_CERT_CHAIN (signatures, another root, wrong place of a CA); SETPAY_E_CERT_TIME;
 * SETPAY_E_CERT_REVOKED; SETPAY_E_CERT_ROLE (not that profile's role or issuing CA);
 * SETPAY_E_CERT_USAGE (the role's, but for another purpose); SETPAY_E_CERT_NAME (form,
 * constraints); SETPAY_E_BRANDS_MIXED (not the brand asked for); SETPAY_E_CRL_MISSING;
 * SETPAY_E_CRL_STALE.
 */
enum setpay_error setpay_trust_verify(struct setpay_trust *trust, struct setpay_view leaf_der,
                                      const struct setpay_view *offered, size_t offered_count,
                                      enum setpay_profile profile, const char *brand,
                                      setpay_time_ms now_ms,
                                      struct setpay_certificate **certificate) SETPAY_MUST_CHECK;
/* The same for a leaf of which only the thumbprint came, since the peer knows that we have it.
 * SETPAY_E_CERT_MISSING where we have not (any more); otherwise as above. */
enum setpay_error
setpay_trust_verify_known(struct setpay_trust *trust, const struct setpay_digest *thumbprint,
                          enum setpay_profile profile, const char *brand, setpay_time_ms now_ms,
                          struct setpay_certificate **certificate) SETPAY_MUST_CHECK;
/* Rule M8: the same for a leaf that was verified once and may have expired since: its own time and
 * that of its CAs are passed over, revocation is not. */
enum setpay_error
setpay_trust_verify_lapsed(struct setpay_trust *trust, struct setpay_view leaf_der,
                           enum setpay_profile profile, const char *brand, setpay_time_ms now_ms,
                           struct setpay_certificate **certificate) SETPAY_MUST_CHECK;
/* For a void, which can only prevent a payment: that the leaf was issued by the right CA for that
 * profile and brand, whatever its time, and whether or not it was revoked since or a revocation
 * list is missing. offered as in setpay_trust_verify. Never for anything that lets money move. */
enum setpay_error
setpay_trust_verify_issued(struct setpay_trust *trust, struct setpay_view leaf_der,
                           const struct setpay_view *offered, size_t offered_count,
                           enum setpay_profile profile, const char *brand, setpay_time_ms now_ms,
                           struct setpay_certificate **certificate) SETPAY_MUST_CHECK;
/* setpay_trust_verify for the certificates of a TLS peer: leaf and chain as
 * SSL_get0_peer_certificate and SSL_get_peer_cert_chain give them (chain may be NULL, and is, on a
 * resumed session: call it there too). SETPAY_E_CERT_MISSING for a NULL leaf. */
enum setpay_error
setpay_trust_verify_peer(struct setpay_trust *trust, X509 *leaf, const STACK_OF(X509) * chain,
                         enum setpay_profile profile, const char *brand, setpay_time_ms now_ms,
                         struct setpay_certificate **certificate) SETPAY_MUST_CHECK;

/* The same before any list is at hand: rule A3 but for the revocation lists that are missing or no
 * longer current; what a list that is held names is refused all the same. Good for one thing: to
 * fetch CA certificates and lists, which prove themselves, from somebody who is most likely right.
 * Never for anything that is believed or told. */
enum setpay_error
setpay_trust_verify_peer_unlisted(struct setpay_trust *trust, X509 *leaf,
                                  const STACK_OF(X509) * chain, enum setpay_profile profile,
                                  const char *brand, setpay_time_ms now_ms,
                                  struct setpay_certificate **certificate) SETPAY_MUST_CHECK;
/* For the DER of one certificate and what was offered beside it. Also good for what was signed at a
 * date that is long over (now_ms), where it is said that revocation was not looked at. */
enum setpay_error
setpay_trust_verify_unlisted(struct setpay_trust *trust, struct setpay_view leaf_der,
                             const struct setpay_view *offered, size_t offered_count,
                             enum setpay_profile profile, const char *brand, setpay_time_ms now_ms,
                             struct setpay_certificate **certificate) SETPAY_MUST_CHECK;

/* What a TLS handshake expects of its peer; outlives the SSL_CTX. brand may be NULL. */
struct setpay_peer_expectation {
    struct setpay_trust *trust;
    enum setpay_profile profile;
    const char *brand;
};
/* For SSL_CTX_set_cert_verify_callback(ctx, setpay_trust_verify_cb, expectation): refuses a bad
 * peer inside the handshake, with its alert. It doesn't run on resumption, and keeps no result:
 * call setpay_trust_verify_peer after every handshake for that. Reads the clock. */
int setpay_trust_verify_cb(X509_STORE_CTX *context, void *expectation);

/* The CA certificates of a verified leaf, to be sent beside it: issuing CA first, then the brand's;
 * the root is never sent. References for the caller; *count is 2. SETPAY_E_CERT_MISSING. */
#define SETPAY_CHAIN_CAS 2
enum setpay_error setpay_trust_chain(struct setpay_trust *trust,
                                     const struct setpay_certificate *leaf,
                                     struct setpay_certificate *cas[SETPAY_CHAIN_CAS],
                                     size_t *count) SETPAY_MUST_CHECK;

/* A leaf that was verified and is kept, whatever has become of it since: to pass it on to somebody
 * who judges it, never to believe it. A reference for the caller. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_trust_find_leaf(struct setpay_trust *trust,
                                         const struct setpay_digest *thumbprint,
                                         struct setpay_certificate **certificate) SETPAY_MUST_CHECK;

/* Thumbprints of the certificates that are held: CAs (root first), then verified leaves of
 * merchants and gateways (never cardholders) while there is room. Returns how many were written.
 * For Thumbs. leaves false: CAs only. */
size_t setpay_trust_thumbs(struct setpay_trust *trust, bool leaves, struct setpay_digest *thumbs,
                           size_t room);

/* One CRL that is held. */
struct setpay_crl_info {
    struct setpay_digest thumbprint; /* SHA-256 of its DER */
    enum setpay_ca_kind ca_kind;
    char brand[SETPAY_BRAND_MAX + 1]; /* "" for the root's */
    struct setpay_digest ca;          /* thumbprint of its CA's certificate */
    unsigned ca_number;               /* of its kind in the brand; 0: not known */
    setpay_time_ms ca_not_after_ms;
    bool ca_revoked; /* it, or one above it, by the lists that are held */
    uint64_t number;
    setpay_time_ms this_update_ms;
    setpay_time_ms next_update_ms;
};

/* Up to room entries, in no order; returns how many are held. For /readyz and Thumbs. */
size_t setpay_trust_crls(struct setpay_trust *trust, struct setpay_crl_info *infos, size_t room);
/* Whether a new one will be missed when this one ends: its CA neither has ended nor is revoked. */
bool setpay_crl_is_needed(const struct setpay_crl_info *info, setpay_time_ms now_ms);
/* Whether a CA of the brand is held without any list of its own, and neither has ended nor is
 * revoked: one that has come after another is met so, beside a message. */
bool setpay_trust_lacks_crl(struct setpay_trust *trust, const char *brand, setpay_time_ms now_ms);
/* The DER of one, appended. SETPAY_E_NOT_FOUND, SETPAY_E_TOO_BIG. */
enum setpay_error setpay_trust_crl_der(struct setpay_trust *trust,
                                       const struct setpay_digest *thumbprint,
                                       struct setpay_buffer *der) SETPAY_MUST_CHECK;
/* A CA certificate that is held. *certificate is a reference for the caller. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_trust_find_ca(struct setpay_trust *trust,
                                       const struct setpay_digest *thumbprint,
                                       struct setpay_certificate **certificate) SETPAY_MUST_CHECK;
/* The root, borrowed. */
const struct setpay_certificate *setpay_trust_root(const struct setpay_trust *trust);

/* Figures for metrics; each only grows. */
struct setpay_trust_figures {
    uint64_t cache_hits;
    uint64_t verifications;      /* whole ones */
    uint64_t leaf_verifications; /* of a leaf alone, the chain above it being proven already */
    uint64_t refusals;
};
void setpay_trust_read_figures(struct setpay_trust *trust, struct setpay_trust_figures *figures);

#endif
