/*
 * The table of what was signed of batches. Rows are added, never changed and never deleted, as
 * those of evidence.c.
 */
#include "common/store/batch_evidence.h"

#define TYPE_SIZE 24 /* the longest name of a message and its NUL */

enum setpay_error setpay_batch_evidence_keep(struct setpay_db *db, int64_t batch_id, bool agreed,
                                             const struct setpay_message *message,
                                             const struct setpay_certificate *certificate,
                                             setpay_time_ms now_ms)
{
    SETPAY_TRY(setpay_evidence_keep_certificate(db, certificate));
    return setpay_db_run(
        db,
        "INSERT INTO batch_evidence (batch_id, number, agreed, type, content, signature, signer,"
        " created_ms) SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6, $7"
        " FROM batch_evidence WHERE batch_id = $8",
        SETPAY_DB_INT(batch_id), SETPAY_DB_BOOL(agreed),
        SETPAY_DB_TEXT(setpay_message_type_name(message->type)), SETPAY_DB_VIEW(message->content),
        SETPAY_DB_VIEW(message->signature),
        SETPAY_DB_DIGEST(setpay_certificate_thumbprint(certificate)), SETPAY_DB_INT(now_ms),
        SETPAY_DB_INT(batch_id));
}

enum setpay_error setpay_batch_evidence_count(struct setpay_db *db, int64_t batch_id, bool agreed,
                                              int64_t *count)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows, "SELECT count(*) FROM batch_evidence WHERE batch_id = $1 AND agreed = $2",
        SETPAY_DB_INT(batch_id), SETPAY_DB_BOOL(agreed)));
    *count = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

enum setpay_error setpay_batch_evidence_each(struct setpay_db *db, int64_t batch_id, int64_t after,
                                             int64_t room, setpay_batch_evidence_each_fn *each,
                                             void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(
        setpay_db_select(db, &rows,
                         "SELECT number, agreed, type, content, signature, der, created_ms, signer"
                         " FROM batch_evidence JOIN evidence_certificate ON thumbprint = signer"
                         " WHERE batch_id = $1 AND number > $2 ORDER BY number LIMIT $3",
                         SETPAY_DB_INT(batch_id), SETPAY_DB_INT(after), SETPAY_DB_INT(room)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        char type[TYPE_SIZE];
        setpay_db_get_text(rows, 2, type, sizeof type);
        struct setpay_batch_evidence evidence = {
            .number = setpay_db_get_int(rows, 0),
            .agreed = setpay_db_get_bool(rows, 1),
            .message = {.type = type,
                        .content = setpay_db_get_view(rows, 3),
                        .signature = setpay_db_get_view(rows, 4),
                        .certificate = setpay_db_get_view(rows, 5),
                        .created_ms = setpay_db_get_int(rows, 6)},
        };
        setpay_db_get_digest(rows, 7, &evidence.message.signer);
        error = each(arg, &evidence);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}
