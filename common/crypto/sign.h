/*
 * Signatures of suite 1: ECDSA P-256 with SHA-256, DER, over the 32 bytes
 * H("sig:" type, u64be(suite), signer's certificate thumbprint, content).
 *
 * A private key that signs messages stands behind one call, so that a key in a token can take its
 * place; nothing else of it can be reached. Both kinds of key are immutable, and may be used by any
 * number of threads at once.
 */
#ifndef SETPAY_CRYPTO_SIGN_H
#define SETPAY_CRYPTO_SIGN_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"

#include <openssl/types.h>
#include <stdint.h>

/* The longest DER form of a P-256 signature. */
#define SETPAY_SIGNATURE_MAX 72

struct setpay_signing_key;
struct setpay_public_key;

/* What a signing key can do. sign: ECDSA with SHA-256 over message, DER, in place of what
 * signature holds. */
struct setpay_signing_key_methods {
    enum setpay_error (*sign)(void *self, struct setpay_view message,
                              struct setpay_buffer *signature);
    void (*free)(void *self);
};

/* A key behind methods of one's own (a PKCS#11 token). Takes self on success. SETPAY_E_NOMEM. */
enum setpay_error setpay_signing_key_new(const struct setpay_signing_key_methods *methods,
                                         void *self,
                                         struct setpay_signing_key **key) SETPAY_MUST_CHECK;
/* A key of OpenSSL's; takes a reference of its own, the caller keeps his. SETPAY_E_INVALID unless
 * it is a private key on P-256. */
enum setpay_error setpay_signing_key_from_pkey(EVP_PKEY *pkey,
                                               struct setpay_signing_key **key) SETPAY_MUST_CHECK;
void setpay_signing_key_free(struct setpay_signing_key *key);

/* Takes a reference of its own. SETPAY_E_CERT_MALFORMED unless it is a key on P-256. */
enum setpay_error setpay_public_key_from_pkey(EVP_PKEY *pkey,
                                              struct setpay_public_key **key) SETPAY_MUST_CHECK;
void setpay_public_key_free(struct setpay_public_key *key);
/* Borrowed. */
EVP_PKEY *setpay_public_key_pkey(const struct setpay_public_key *key);

/* Signs content as a message of that type ("AuthReq"). signer is the thumbprint of the certificate
 * beside it. Replaces what signature holds (its max at least SETPAY_SIGNATURE_MAX).
 * SETPAY_E_SUITE, SETPAY_E_CRYPTO. */
enum setpay_error setpay_sign(const struct setpay_signing_key *key, const char *type,
                              uint64_t suite, const struct setpay_digest *signer,
                              struct setpay_view content,
                              struct setpay_buffer *signature) SETPAY_MUST_CHECK;
/* Rule A2. SETPAY_E_SUITE, SETPAY_E_SIGNATURE (for whatever reason it does not verify). */
enum setpay_error setpay_verify(const struct setpay_public_key *key, const char *type,
                                uint64_t suite, const struct setpay_digest *signer,
                                struct setpay_view content,
                                struct setpay_view signature) SETPAY_MUST_CHECK;

/* The bare ECDSA-SHA-256 signature over message, for formats that fix their own input (the CA's
 * log). Same errors. */
enum setpay_error setpay_sign_bytes(const struct setpay_signing_key *key,
                                    struct setpay_view message,
                                    struct setpay_buffer *signature) SETPAY_MUST_CHECK;
enum setpay_error setpay_verify_bytes(const struct setpay_public_key *key,
                                      struct setpay_view message,
                                      struct setpay_view signature) SETPAY_MUST_CHECK;

#endif
