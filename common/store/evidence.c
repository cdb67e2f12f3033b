/*
 * The table of what others have signed. Rows are added, never changed and never deleted: a dispute
 * may come years after a purchase.
 */
#include "common/store/evidence.h"

#define TYPE_SIZE 24 /* the longest name of a message and its NUL */

enum setpay_error setpay_evidence_keep_certificate(struct setpay_db *db,
                                                   const struct setpay_certificate *certificate)
{
    return setpay_db_run(db,
                         "INSERT INTO evidence_certificate (thumbprint, der) VALUES ($1, $2)"
                         " ON CONFLICT (thumbprint) DO NOTHING",
                         SETPAY_DB_DIGEST(setpay_certificate_thumbprint(certificate)),
                         SETPAY_DB_VIEW(setpay_certificate_der(certificate)));
}

enum setpay_error setpay_evidence_keep(struct setpay_db *db, int64_t owner,
                                       const struct setpay_message *message,
                                       const struct setpay_certificate *certificate,
                                       setpay_time_ms now_ms)
{
    SETPAY_TRY(setpay_evidence_keep_certificate(db, certificate));
    return setpay_db_run(
        db,
        "INSERT INTO evidence (owner, number, type, content, signature, signer, created_ms)"
        " SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6 FROM evidence"
        " WHERE owner = $7",
        SETPAY_DB_INT(owner), SETPAY_DB_TEXT(setpay_message_type_name(message->type)),
        SETPAY_DB_VIEW(message->content), SETPAY_DB_VIEW(message->signature),
        SETPAY_DB_DIGEST(setpay_certificate_thumbprint(certificate)), SETPAY_DB_INT(now_ms),
        SETPAY_DB_INT(owner));
}

enum setpay_error setpay_evidence_each(struct setpay_db *db, int64_t owner,
                                       setpay_evidence_each_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(
        setpay_db_select(db, &rows,
                         "SELECT type, content, signature, der, created_ms, signer FROM evidence"
                         " JOIN evidence_certificate ON thumbprint = signer"
                         " WHERE owner = $1 ORDER BY number",
                         SETPAY_DB_INT(owner)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        char type[TYPE_SIZE];
        setpay_db_get_text(rows, 0, type, sizeof type);
        struct setpay_evidence evidence = {
            .type = type,
            .content = setpay_db_get_view(rows, 1),
            .signature = setpay_db_get_view(rows, 2),
            .certificate = setpay_db_get_view(rows, 3),
            .created_ms = setpay_db_get_int(rows, 4),
        };
        setpay_db_get_digest(rows, 5, &evidence.signer);
        error = each(arg, &evidence);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_evidence_certificate(struct setpay_db *db,
                                              const struct setpay_digest *thumbprint,
                                              struct setpay_buffer *der)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT der FROM evidence_certificate WHERE thumbprint = $1",
                             SETPAY_DB_DIGEST(thumbprint)));
    setpay_db_get_buffer(rows, 0, der);
    return setpay_db_end(rows);
}
