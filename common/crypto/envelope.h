/*
 * The envelope in which a payment instruction travels past the merchant: CMS AuthEnvelopedData
 * (RFC 5083, RFC 5084), made and opened by OpenSSL's CMS, in one exact form:
 *
 *     one key-agreement recipient (RFC 5753), dhSinglePass-stdDH-sha256kdf on P-256,
 *     id-aes256-wrap, aes-256-gcm with a 12-byte nonce and a 16-byte tag, content type data,
 *     no originator info, no attributes, DER throughout, nothing behind it.
 *
 * CMS carries no additional authenticated data here: what binds an envelope to its purchase is
 * inside (PIMD, thumbprints) and is checked after opening.
 */
#ifndef SETPAY_CRYPTO_ENVELOPE_H
#define SETPAY_CRYPTO_ENVELOPE_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/secret.h"

#include <openssl/types.h>

/* A recipient's private key with its certificate, and what telling refusals apart would need.
 * Immutable; any number of threads. */
struct setpay_envelope_key;

/* Takes references of its own. SETPAY_E_INVALID unless the key is P-256 and the certificate's. */
enum setpay_error setpay_envelope_key_new(EVP_PKEY *pkey, X509 *certificate,
                                          struct setpay_envelope_key **key) SETPAY_MUST_CHECK;
void setpay_envelope_key_free(struct setpay_envelope_key *key);

/* Seals to the certificate's key; replaces what envelope holds. SETPAY_E_TOO_BIG above
 * SETPAY_LIMIT_ENVELOPE_BYTES or the buffer's max, SETPAY_E_CRYPTO. The caller has verified the
 * certificate (profile gateway-encrypt). */
enum setpay_error setpay_envelope_seal(X509 *recipient, struct setpay_view plaintext,
                                       struct setpay_buffer *envelope) SETPAY_MUST_CHECK;

/* Rule G2. Every refusal is SETPAY_E_ENVELOPE and costs about the same: where the form is wrong, an
 * envelope of our own is opened instead. plaintext must be empty, and stays so on error. */
enum setpay_error setpay_envelope_open(const struct setpay_envelope_key *key,
                                       struct setpay_view envelope,
                                       struct setpay_secret *plaintext) SETPAY_MUST_CHECK;

/* The form alone, without a key: what a merchant checks before he passes an envelope on.
 * SETPAY_E_ENVELOPE. */
enum setpay_error setpay_envelope_check_form(struct setpay_view envelope) SETPAY_MUST_CHECK;

/* H("env", envelope), by which messages name an envelope. SETPAY_E_CRYPTO. */
enum setpay_error setpay_envelope_digest(struct setpay_view envelope,
                                         struct setpay_digest *digest) SETPAY_MUST_CHECK;

#endif
