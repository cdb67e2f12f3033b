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

/* A fresh token into text (SETPAY_TOKEN_SIZE; the caller cleanses it) and its hash.
 * SETPAY_E_RANDOM, SETPAY_E_CRYPTO. */
enum setpay_error setpay_token_make(char *text, struct setpay_digest *hash) SETPAY_MUST_CHECK;
/* SETPAY_E_INVALID for a name that is none (1 to 64 of letters, digits, '.', '_', '-'),
 * SETPAY_E_EXISTS, SETPAY_E_TOO_BIG where there are SETPAY_TOKENS_MAX. */
enum setpay_error setpay_token_add(struct setpay_db *db, const char *name,
                                   const struct setpay_digest *hash,
                                   setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_token_remove(struct setpay_db *db, const char *name) SETPAY_MUST_CHECK;
/* [{"name","created"}], by name; owned. */
enum setpay_error setpay_token_list(struct setpay_db *db, json_t **list) SETPAY_MUST_CHECK;
/* The hash by which a token that was shown to us is known, if it is. Takes as long for every token,
 * known or not. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_token_check(struct setpay_db *db, struct setpay_view text,
                                     struct setpay_digest *hash) SETPAY_MUST_CHECK;

#endif
