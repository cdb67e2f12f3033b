/*
 * The table of given answers (rule A6).
 *
 * A row is never updated: the first answer to a (sender, rrpid) stands until its time is over.
 * Every party that answers has this table in its own database and writes to it inside the operation
 * that books what the answer says, so that neither is ever there without the other.
 */
#include "common/store/answers.h"

#include "common/base/limits.h"

#include <string.h>

enum setpay_error setpay_answers_find(struct setpay_db *db, const struct setpay_digest *sender,
                                      const struct setpay_id *rrpid,
                                      const struct setpay_digest *request_hash,
                                      struct setpay_buffer *response)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT request_hash, response FROM answer"
                             " WHERE sender = $1 AND rrpid = $2",
                             SETPAY_DB_DIGEST(sender), SETPAY_DB_ID(rrpid)));
    struct setpay_digest hash = {{0}};
    setpay_db_get_digest(rows, 0, &hash);
    bool same = setpay_digest_equal(&hash, request_hash);
    if (same)
        setpay_db_get_buffer(rows, 1, response);
    SETPAY_TRY(setpay_db_end(rows));
    return same ? SETPAY_OK : SETPAY_E_RRPID_REUSED; /* rule A6 */
}

enum setpay_error setpay_answers_keep(struct setpay_db *db, const struct setpay_digest *sender,
                                      const struct setpay_id *rrpid,
                                      const struct setpay_digest *request_hash,
                                      struct setpay_view response, setpay_time_ms now_ms)
{
    return setpay_answers_keep_until(db, sender, rrpid, request_hash, response,
                                     now_ms + SETPAY_LIMIT_ANSWER_KEPT_MS);
}

enum setpay_error setpay_answers_keep_until(struct setpay_db *db,
                                            const struct setpay_digest *sender,
                                            const struct setpay_id *rrpid,
                                            const struct setpay_digest *request_hash,
                                            struct setpay_view response, setpay_time_ms until_ms)
{
    enum setpay_error error =
        setpay_db_run(db,
                      "INSERT INTO answer (sender, rrpid, request_hash, response, kept_until)"
                      " VALUES ($1, $2, $3, $4, $5)",
                      SETPAY_DB_DIGEST(sender), SETPAY_DB_ID(rrpid), SETPAY_DB_DIGEST(request_hash),
                      SETPAY_DB_VIEW(response), SETPAY_DB_INT(until_ms));
    if (error != SETPAY_E_DUPLICATE)
        return error;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT request_hash FROM answer WHERE sender = $1 AND rrpid = $2",
                             SETPAY_DB_DIGEST(sender), SETPAY_DB_ID(rrpid)));
    struct setpay_digest hash = {{0}};
    setpay_db_get_digest(rows, 0, &hash);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_digest_equal(&hash, request_hash) ? SETPAY_E_CONFLICT : SETPAY_E_RRPID_REUSED;
}

enum setpay_error setpay_answers_keep_for_good(struct setpay_db *db,
                                               const struct setpay_digest *sender,
                                               const struct setpay_id *rrpid,
                                               const struct setpay_digest *request_hash,
                                               struct setpay_view response)
{
    return setpay_answers_keep_until(db, sender, rrpid, request_hash, response, INT64_MAX);
}

enum setpay_error setpay_answers_purge(struct setpay_db *db, setpay_time_ms now_ms, int64_t room,
                                       int64_t *deleted)
{
    /* The key in a subquery, since DELETE ... LIMIT is not in every dialect. */
    SETPAY_TRY(setpay_db_run(db,
                             "DELETE FROM answer WHERE (sender, rrpid) IN (SELECT sender, rrpid"
                             " FROM answer WHERE kept_until < $1 ORDER BY kept_until LIMIT $2)",
                             SETPAY_DB_INT(now_ms), SETPAY_DB_INT(room)));
    *deleted = setpay_db_changes(db);
    return SETPAY_OK;
}

bool setpay_answer_is_kept(enum setpay_error error)
{
    switch (setpay_error_kind(error)) {
    case SETPAY_KIND_AGAIN:
    case SETPAY_KIND_BUSY:
    case SETPAY_KIND_SYSTEM:
        return false;
    default:
        return strcmp(setpay_error_rule(error), "A3") != 0 && error != SETPAY_E_DATE;
    }
}
