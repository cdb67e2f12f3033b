/*
 * Sealing under a shared 32-byte key with AES-256-GCM: receipts under the cardholder's back key,
 * and boxes for what rests in a database (PANs, back keys; rule G10).
 */
#ifndef SETPAY_CRYPTO_SEAL_H
#define SETPAY_CRYPTO_SEAL_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/secret.h"

#define SETPAY_SEAL_KEY_SIZE 32
#define SETPAY_SEAL_TAG_SIZE 16
/* What a box is longer than its plaintext: nonce (12) before, tag (16) behind. */
#define SETPAY_BOX_OVERHEAD 28

/*
 * A receipt for the cardholder. key and nonce = HKDF-SHA-256(ikm back_key, salt receipt_id,
 * info H("receipt", xid, kind)), 44 bytes; AAD the same info; the tag stands behind the ciphertext.
 * receipt_id must be fresh for each receipt (setpay_id_random) and travels beside it. kind:
 * "authorisation", "decline", "void", "reversal", "capture", "credit". Replaces what sealed holds.
 * SETPAY_E_INVALID (back key not of 32 bytes), SETPAY_E_TOO_BIG, SETPAY_E_CRYPTO.
 */
enum setpay_error setpay_receipt_seal(const struct setpay_secret *back_key,
                                      const struct setpay_id *receipt_id,
                                      const struct setpay_id *xid, const char *kind,
                                      struct setpay_view receipt,
                                      struct setpay_buffer *sealed) SETPAY_MUST_CHECK;
/* Replaces what receipt holds. SETPAY_E_RECEIPT where it does not open (rule W6), receipt is then
 * untouched. */
enum setpay_error setpay_receipt_open(const struct setpay_secret *back_key,
                                      const struct setpay_id *receipt_id,
                                      const struct setpay_id *xid, const char *kind,
                                      struct setpay_view sealed,
                                      struct setpay_buffer *receipt) SETPAY_MUST_CHECK;

/* A box: random nonce || ciphertext || tag, aad authenticated beside it (name there what the box is
 * and where it belongs, so that a box can't be moved). One key makes at most 2^32 boxes. Replaces
 * what box holds. SETPAY_E_INVALID (key not of 32 bytes), SETPAY_E_TOO_BIG, SETPAY_E_RANDOM,
 * SETPAY_E_CRYPTO. */
enum setpay_error setpay_box_seal(const struct setpay_secret *key, struct setpay_view aad,
                                  struct setpay_view plaintext,
                                  struct setpay_buffer *box) SETPAY_MUST_CHECK;
/* plaintext must be empty, and stays so on error. SETPAY_E_CRYPTO where the box does not open
 * (wrong key, aad or bytes). An empty plaintext can't be held by a secret: SETPAY_E_CRYPTO too. */
enum setpay_error setpay_box_open(const struct setpay_secret *key, struct setpay_view aad,
                                  struct setpay_view box,
                                  struct setpay_secret *plaintext) SETPAY_MUST_CHECK;

/* HKDF-SHA-256 (RFC 5869) into a fresh secret of size bytes; label separates uses. For keys derived
 * from a master key. SETPAY_E_CRYPTO. */
enum setpay_error setpay_derive(const struct setpay_secret *master, struct setpay_view salt,
                                struct setpay_view label, size_t size,
                                struct setpay_secret *derived) SETPAY_MUST_CHECK;

#endif
