/*
 * The one hash of the protocol, and the keyed digests.
 *
 *     H(tag, a, b, ...) = SHA-256("setpay/1 " tag 0x00 u64be(len a) a u64be(len b) b ...)
 *
 * Every part is framed by its length and every use has a tag of its own, so that no two different
 * lists of parts, and no two uses, give the same bytes to SHA-256.
 */
#ifndef SETPAY_CRYPTO_HASH_H
#define SETPAY_CRYPTO_HASH_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/secret.h"

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

/* The cryptographic suite of this version (protocol.md); every message names its suite. */
#define SETPAY_SUITE 1

/*
 * H, part by part. A failure sticks and comes out of the final call, so that only that one needs
 * checking. init must be followed by exactly one final or clear.
 */
struct setpay_hash {
    EVP_MD_CTX *context;
    enum setpay_error error;
};

void setpay_hash_init(struct setpay_hash *hash, const char *tag);
void setpay_hash_add(struct setpay_hash *hash, struct setpay_view part);
/* A part of 8 bytes, big-endian. */
void setpay_hash_add_u64(struct setpay_hash *hash, uint64_t value);
/* Releases. SETPAY_E_CRYPTO; digest is then untouched. */
enum setpay_error setpay_hash_final(struct setpay_hash *hash,
                                    struct setpay_digest *digest) SETPAY_MUST_CHECK;
/* Releases without a result. */
void setpay_hash_clear(struct setpay_hash *hash);

/* H in one call. SETPAY_E_CRYPTO. */
enum setpay_error setpay_hash_parts(const char *tag, const struct setpay_view *parts, size_t count,
                                    struct setpay_digest *digest) SETPAY_MUST_CHECK;
enum setpay_error setpay_hash_one(const char *tag, struct setpay_view part,
                                  struct setpay_digest *digest) SETPAY_MUST_CHECK;
/* H("req", type, u64be(suite), sender thumbprint or empty, content): what an answer carries to say
 * which request it answers. sender is NULL for an unsigned request. */
enum setpay_error setpay_hash_request(const char *type, uint64_t suite,
                                      const struct setpay_digest *sender,
                                      struct setpay_view content,
                                      struct setpay_digest *digest) SETPAY_MUST_CHECK;

/* Plain SHA-256: certificate thumbprints, and where other standards ask for it. SETPAY_E_CRYPTO. */
enum setpay_error setpay_sha256(struct setpay_view bytes,
                                struct setpay_digest *digest) SETPAY_MUST_CHECK;

/* HMAC-SHA-256 (RFC 2104) over the parts one behind the other, unframed. SETPAY_E_CRYPTO. */
enum setpay_error setpay_hmac(const struct setpay_secret *key, const struct setpay_view *parts,
                              size_t count, struct setpay_digest *digest) SETPAY_MUST_CHECK;

/* The blinded account id of a cardholder's certificate (rule G5):
 * HMAC-SHA-256(pan_secret, u64be(len PAN) PAN u64be(len expiry) expiry); PAN and expiry ("YYMM")
 * are ASCII digits. Compare with setpay_view_equal_secret. SETPAY_E_CRYPTO. */
enum setpay_error setpay_account_id(const struct setpay_secret *pan_secret,
                                    const struct setpay_secret *pan,
                                    const struct setpay_secret *expiry,
                                    struct setpay_digest *account_id) SETPAY_MUST_CHECK;

/* A digest by which a secret value (a PAN) can be searched for, useless without the key (rule G10):
 * HMAC-SHA-256(key, "setpay/1 " tag 0x00 u64be(len value) value). SETPAY_E_CRYPTO. */
enum setpay_error setpay_keyed_digest(const struct setpay_secret *key, const char *tag,
                                      struct setpay_view value,
                                      struct setpay_digest *digest) SETPAY_MUST_CHECK;

#endif
