/*
 * The rows of agreements.
 */
#include "merchant/payment/agreement_store.h"

#include <string.h>

#define COLUMNS                                                                                    \
    "auth_token, schedule, taken_count, last_ms, retry_ms, ended, ended_ms, cancellation,"         \
    " cancellation_signature, confirmed, created_ms"

static enum setpay_error read_cancellation(struct setpay_db_rows *rows,
                                           struct setpay_signed_cancellation *cancellation)
{
    struct setpay_view bytes = setpay_db_get_view(rows, 7);
    if (setpay_db_is_null(rows, 7))
        return SETPAY_OK;
    if (bytes.size > sizeof cancellation->bytes)
        return SETPAY_E_STORE;
    memcpy(cancellation->bytes, bytes.data, bytes.size);
    cancellation->size = bytes.size;
    return setpay_signature_from_view(setpay_db_get_view(rows, 8), &cancellation->signature) ==
                   SETPAY_OK
               ? SETPAY_OK
               : SETPAY_E_STORE;
}

enum setpay_error setpay_merchant_agreement_find(struct setpay_db *db, int64_t purchase_id,
                                                 struct setpay_merchant_agreement *agreement)
{
    struct setpay_db_rows *rows;
    struct setpay_merchant_agreement found = {.purchase_id = purchase_id};
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " COLUMNS " FROM agreement WHERE purchase_id = $1",
                             SETPAY_DB_INT(purchase_id)));
    found.has_auth_token = !setpay_db_is_null(rows, 0);
    if (found.has_auth_token)
        setpay_db_get_id(rows, 0, &found.auth_token);
    found.schedule = (enum setpay_agreement_schedule)setpay_db_get_int(rows, 1);
    found.taken_count = (uint32_t)setpay_db_get_int(rows, 2);
    found.last_ms = setpay_db_get_int(rows, 3);
    found.retry_ms = setpay_db_get_int(rows, 4);
    found.ended = (enum setpay_agreement_end)setpay_db_get_int(rows, 5);
    found.ended_ms = setpay_db_get_int(rows, 6);
    enum setpay_error error = read_cancellation(rows, &found.cancellation);
    found.confirmed = setpay_db_get_bool(rows, 9);
    found.created_ms = setpay_db_get_int(rows, 10);
    SETPAY_TRY(setpay_db_end(rows));
    SETPAY_TRY(error);
    *agreement = found;
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_agreement_read(struct setpay_db *db, int64_t purchase_id,
                                                 struct setpay_merchant_agreement *agreement)
{
    enum setpay_error error = setpay_merchant_agreement_find(db, purchase_id, agreement);
    if (error != SETPAY_E_NOT_FOUND)
        return error;
    *agreement = (struct setpay_merchant_agreement){.purchase_id = 0};
    return SETPAY_OK;
}

enum setpay_error
setpay_merchant_agreement_insert(struct setpay_db *db,
                                 const struct setpay_merchant_agreement *agreement)
{
    return setpay_db_run(
        db,
        "INSERT INTO agreement (purchase_id, auth_token, schedule, taken_count, last_ms, retry_ms,"
        " ended, ended_ms, cancellation, cancellation_signature, confirmed, created_ms)"
        " VALUES ($1, $2, $3, $4, $5, 0, $6, $7, NULL, NULL, 0, $8)",
        SETPAY_DB_INT(agreement->purchase_id),
        SETPAY_DB_ID(agreement->has_auth_token ? &agreement->auth_token : NULL),
        SETPAY_DB_INT(agreement->schedule), SETPAY_DB_INT(agreement->taken_count),
        SETPAY_DB_INT(agreement->last_ms), SETPAY_DB_INT(agreement->ended),
        SETPAY_DB_INT(agreement->ended_ms), SETPAY_DB_INT(agreement->created_ms));
}

enum setpay_error
setpay_merchant_agreement_update(struct setpay_db *db,
                                 const struct setpay_merchant_agreement *agreement)
{
    const struct setpay_signed_cancellation *word = &agreement->cancellation;
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE agreement SET taken_count = $1, last_ms = $2, retry_ms = $3, ended = $4,"
        " ended_ms = $5, confirmed = $6 WHERE purchase_id = $7",
        SETPAY_DB_INT(agreement->taken_count), SETPAY_DB_INT(agreement->last_ms),
        SETPAY_DB_INT(agreement->retry_ms), SETPAY_DB_INT(agreement->ended),
        SETPAY_DB_INT(agreement->ended_ms), SETPAY_DB_BOOL(agreement->confirmed),
        SETPAY_DB_INT(agreement->purchase_id)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_CONFLICT;
    if (word->size == 0)
        return SETPAY_OK;
    /* The first stays. */
    return setpay_db_run(db,
                         "UPDATE agreement SET cancellation = $1, cancellation_signature = $2"
                         " WHERE purchase_id = $3 AND cancellation IS NULL",
                         SETPAY_DB_VIEW(setpay_view_of(word->bytes, word->size)),
                         SETPAY_DB_VIEW(setpay_signature_view(&word->signature)),
                         SETPAY_DB_INT(agreement->purchase_id));
}
