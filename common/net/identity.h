/*
 * What a daemon is, from files: the root that it trusts with its revocation lists, and its own keys
 * with their certificates.
 */
#ifndef SETPAY_NET_IDENTITY_H
#define SETPAY_NET_IDENTITY_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/crypto/sign.h"
#include "common/net/tls.h"
#include "common/pki/certificate.h"
#include "common/pki/chain.h"

#include <openssl/types.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A private key with its certificate and the CAs above it. Zeroed memory is empty. */
struct setpay_identity {
    EVP_PKEY *pkey;
    struct setpay_signing_key *key; /* the same key behind the signing interface */
    struct setpay_certificate *certificate;
    STACK_OF(X509) * chain; /* issuing CA and brand CA */
};
void setpay_identity_clear(struct setpay_identity *identity);

/*
 * Loads a key (PKCS#8 PEM; passphrase NULL: not encrypted) and a chain (PEM, leaf first), and
 * verifies it by rule A3 for profile and brand (NULL: any) as others will. problem names the file
 * and what to do: not found, readable by others, another key's certificate, expired, revoked, …
 * The errors are those of setpay_key_load, setpay_file_read and setpay_trust_verify.
 */
enum setpay_error setpay_identity_load(struct setpay_trust *trust, const char *key_path,
                                       const char *certificate_path,
                                       const struct setpay_secret *passphrase,
                                       enum setpay_profile profile, const char *brand,
                                       setpay_time_ms now_ms, struct setpay_identity *identity,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* The same where lists are being fetched, and for programs that look: a revocation list that is
 * missing or stale is not held against it; what one that is held names is refused all the same.
 * Others will judge it by theirs. */
enum setpay_error setpay_identity_load_unlisted(struct setpay_trust *trust, const char *key_path,
                                                const char *certificate_path,
                                                const struct setpay_secret *passphrase,
                                                enum setpay_profile profile, const char *brand,
                                                setpay_time_ms now_ms,
                                                struct setpay_identity *identity,
                                                struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Whether a certificate is to be renewed: its end is no farther than before_ms, or than a third of
 * its life where that is less. */
bool setpay_identity_is_due(const struct setpay_certificate *certificate, int64_t before_ms,
                            setpay_time_ms now_ms);

/* As a TLS context wants it; borrows. brand: shown to clients whose SNI is this; NULL: to others.
 */
struct setpay_tls_identity setpay_identity_tls(const struct setpay_identity *identity,
                                               const char *brand);

/* The certificates of a PEM text, DER, in order. certificates are owned by the caller
 * (setpay_buffer_clear each). SETPAY_E_CERT_MALFORMED (nothing or something else in it),
 * SETPAY_E_TOO_BIG (more than room). */
enum setpay_error setpay_pem_certificates(struct setpay_view pem,
                                          struct setpay_buffer *certificates, size_t room,
                                          size_t *count) SETPAY_MUST_CHECK;

/* The first certificate of a PEM file, as it is: nothing is verified. */
enum setpay_error
setpay_identity_read_certificate(const char *path, struct setpay_certificate **certificate,
                                 struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Trust in the root of a PEM file. */
enum setpay_error setpay_trust_load(const char *root_path, struct setpay_trust **trust,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* What one reading of a folder of revocation lists gave. */
struct setpay_crl_load {
    size_t files;
    size_t taken;   /* held now, new or before */
    size_t refused; /* logged, with the file's name */
};
/* Reads every certificate (*.pem: CA certificates) and revocation list (*.crl, PEM or DER, one or
 * more in each) of a folder. Files that can't be used are logged and passed over. SETPAY_E_IO where
 * the folder can't be read. */
enum setpay_error setpay_trust_load_folder(struct setpay_trust *trust, const char *folder,
                                           setpay_time_ms now_ms,
                                           struct setpay_crl_load *load) SETPAY_MUST_CHECK;

/* The CA certificates and revocation lists of a PEM text; what does not hold is passed over.
 * Returns how many are held now, new or before. */
size_t setpay_trust_learn_pem(struct setpay_trust *trust, struct setpay_view pem,
                              setpay_time_ms now_ms);

#endif
