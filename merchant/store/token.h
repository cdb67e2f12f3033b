/*
 * Bearer tokens of the merchant API. A token is 32 random bytes that are shown once; the database
 * holds its SHA-256 alone.
 */
#ifndef SETPAY_MERCHANT_STORE_TOKEN_H
#define SETPAY_MERCHANT_STORE_TOKEN_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/store/db.h"
#include "merchant/store/scope.h"

#include <jansson.h>

/* "spm_" and 32 bytes as base64url */
#define SETPAY_TOKEN_SIZE (4 + SETPAY_BASE64URL_SIZE(32))
#define SETPAY_TOKEN_NAME_BYTES 64
#define SETPAY_TOKENS_MAX 100

/* SQL for the first migration of the merchant's database. */
#define SETPAY_TOKEN_SCHEMA                                                                        \
    "CREATE TABLE token ("                                                                         \
    " name TEXT PRIMARY KEY,"                                                                      \
    " hash BLOB NOT NULL UNIQUE,"                                                                  \
    " created_ms INTEGER NOT NULL);"
/* And for a later one. Tokens from before keep all. expires_ms 0: never; last_used_ms 0: not yet.
 */
#define SETPAY_TOKEN_SCOPE_SCHEMA                                                                  \
    "ALTER TABLE token ADD COLUMN scopes INTEGER NOT NULL DEFAULT -1;"                             \
    "ALTER TABLE token ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0;"                          \
    "ALTER TABLE token ADD COLUMN last_used_ms INTEGER NOT NULL DEFAULT 0;"

/* And for one later still: who could make orders could take money for them, and still can. 2 and
 * 1024 are orders:write and payments:write. */
#define SETPAY_TOKEN_PAYMENTS_SCHEMA                                                               \
    "UPDATE token SET scopes = scopes | 1024 WHERE scopes <> -1 AND (scopes & 2) <> 0;"

#define SETPAY_TOKEN_LIFE_MIN_MS SETPAY_MINUTE_MS
#define SETPAY_TOKEN_LIFE_MAX_MS (3650 * SETPAY_DAY_MS)
/* When a token was used last is known this exactly: not every request writes. */
#define SETPAY_TOKEN_USED_STEP_MS SETPAY_HOUR_MS

struct setpay_token {
    char name[SETPAY_TOKEN_NAME_BYTES + 1];
    struct setpay_digest hash;
    setpay_scopes scopes;
    setpay_time_ms created_ms;
    setpay_time_ms expires_ms; /* 0: never */
    setpay_time_ms last_used_ms;
};

/* A fresh token into text (SETPAY_TOKEN_SIZE; the caller cleanses it) and its hash.
 * SETPAY_E_RANDOM, SETPAY_E_CRYPTO. */
enum setpay_error setpay_token_make(char *text, struct setpay_digest *hash) SETPAY_MUST_CHECK;
/* SETPAY_E_INVALID for a name that is none (1 to 64 of letters, digits, '.', '_', '-'),
 * SETPAY_E_EXISTS, SETPAY_E_TOO_BIG where there are SETPAY_TOKENS_MAX. */
enum setpay_error setpay_token_add(struct setpay_db *db,
                                   const struct setpay_token *token) SETPAY_MUST_CHECK;
/* SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_token_remove(struct setpay_db *db, const char *name) SETPAY_MUST_CHECK;
/* [{"name","scopes","created","expires","last_used"}], by name; owned. */
enum setpay_error setpay_token_list(struct setpay_db *db, json_t **list) SETPAY_MUST_CHECK;
/* The token that was shown to us, if it is known. Takes as long for every one, known or not.
 * SETPAY_E_NOT_FOUND; SETPAY_E_EXPIRED, with the token. */
enum setpay_error setpay_token_check(struct setpay_db *db, struct setpay_view text,
                                     setpay_time_ms now_ms,
                                     struct setpay_token *token) SETPAY_MUST_CHECK;
/* It was used at this time. */
enum setpay_error setpay_token_touch(struct setpay_db *db, const struct setpay_digest *hash,
                                     setpay_time_ms now_ms) SETPAY_MUST_CHECK;

#endif
