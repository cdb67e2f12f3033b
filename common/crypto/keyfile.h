/*
 * Private keys: made, kept in files, read again.
 *
 * A file holds one P-256 key as PKCS#8 PEM: encrypted (PBES2, scrypt, AES-256-CBC) under a
 * passphrase, or in the clear where a daemon must start by itself. Files are written whole (a
 * temporary file beside it, fsync, rename) with mode 0600, and refused where others could read or
 * write them. `openssl pkey -in FILE` reads both forms.
 */
#ifndef SETPAY_CRYPTO_KEYFILE_H
#define SETPAY_CRYPTO_KEYFILE_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/secret.h"
#include "common/crypto/file.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

/* A fresh P-256 key; free with EVP_PKEY_free. SETPAY_E_CRYPTO. */
enum setpay_error setpay_key_generate(EVP_PKEY **key) SETPAY_MUST_CHECK;
bool setpay_key_is_p256(const EVP_PKEY *key);
/* SHA-256 over the SubjectPublicKeyInfo with its point uncompressed, whichever way the key itself
 * was written: by this a CA knows a key again (rule C2). */
enum setpay_error setpay_key_digest(EVP_PKEY *key, struct setpay_digest *digest) SETPAY_MUST_CHECK;

/* Key to PEM and back, in memory. passphrase NULL: in the clear. PEM in the clear is a secret, so
 * both give a setpay_secret (must be empty). SETPAY_E_CRYPTO; parse: SETPAY_E_PASSPHRASE
 * (encrypted, and the passphrase is missing or wrong), SETPAY_E_INVALID (no P-256 private key). */
enum setpay_error setpay_key_build_pem(EVP_PKEY *key, const struct setpay_secret *passphrase,
                                       struct setpay_secret *pem) SETPAY_MUST_CHECK;
enum setpay_error setpay_key_parse_pem(struct setpay_view pem,
                                       const struct setpay_secret *passphrase,
                                       EVP_PKEY **key) SETPAY_MUST_CHECK;

/* The same with a file. problem says which file and what to do. SETPAY_E_IO, and on load
 * SETPAY_E_NOT_FOUND, SETPAY_E_PERMISSION (mode above 0600, another owner, a symbolic link or no
 * regular file), SETPAY_E_PASSPHRASE, SETPAY_E_INVALID. save replaces an existing file only with
 * replace, else SETPAY_E_EXISTS. Encrypted forms take about 0.1 s of scrypt: not on an event loop.
 */
enum setpay_error setpay_key_save(const char *path, EVP_PKEY *key,
                                  const struct setpay_secret *passphrase, bool replace,
                                  struct setpay_problem *problem) SETPAY_MUST_CHECK;
enum setpay_error setpay_key_load(const char *path, const struct setpay_secret *passphrase,
                                  EVP_PKEY **key, struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* A 32-byte key from a passphrase by scrypt (RFC 7914), with parameters that are stored beside what
 * it protects. */
struct setpay_scrypt {
    uint8_t salt[16];
    uint64_t n; /* cost; a power of two, 2^14 .. 2^20 */
    uint32_t r; /* 8 .. 32 */
    uint32_t p; /* 1 .. 16 */
};

/* Random salt, N = 2^15, r = 8, p = 1. SETPAY_E_RANDOM. */
enum setpay_error setpay_scrypt_init(struct setpay_scrypt *parameters) SETPAY_MUST_CHECK;
/* key must be empty. SETPAY_E_INVALID for parameters outside the limits (they come from a file),
 * SETPAY_E_CRYPTO. About 0.1 s at the default. */
enum setpay_error setpay_scrypt_derive(const struct setpay_scrypt *parameters,
                                       const struct setpay_secret *passphrase,
                                       struct setpay_secret *key) SETPAY_MUST_CHECK;

#endif
