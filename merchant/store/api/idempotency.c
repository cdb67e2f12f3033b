/*
 * The table of answered requests. Rows are short-lived and bounded by time: each look-up also
 * forgets a few that are over, and the daemon the rest of them every minute.
 */
#include "merchant/store/api/idempotency.h"

#include "common/crypto/hash.h"

#include <string.h>

void setpay_api_answer_init(struct setpay_api_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    setpay_buffer_init(&answer->body, SETPAY_IDEMPOTENCY_BODY_MAX);
}

void setpay_api_answer_clear(struct setpay_api_answer *answer)
{
    setpay_buffer_clear(&answer->body);
    answer->status = 0;
    answer->location[0] = '\0';
    answer->version = 0;
}

bool setpay_idempotency_key_is_valid(const char *key)
{
    size_t size = strlen(key);
    for (size_t i = 0; i < size; i++) {
        if (key[i] < 0x21 || key[i] > 0x7e)
            return false;
    }
    return size >= 1 && size <= SETPAY_IDEMPOTENCY_KEY_MAX;
}

enum setpay_error setpay_idempotency_make(const struct setpay_digest *token, const char *method,
                                          const char *path, const char *key,
                                          struct setpay_view body,
                                          struct setpay_idempotency *request)
{
    const struct setpay_view scope[] = {setpay_digest_view(token), setpay_view_string(method),
                                        setpay_view_string(path), setpay_view_string(key)};
    SETPAY_TRY(setpay_hash_parts("api-scope", scope, 4, &request->scope));
    return setpay_hash_one("api-body", body, &request->request_hash);
}

enum setpay_error setpay_idempotency_purge(struct setpay_db *db, setpay_time_ms now_ms,
                                           int64_t room, int64_t *deleted)
{
    SETPAY_TRY(setpay_db_run(db,
                             "DELETE FROM idempotency WHERE scope IN"
                             " (SELECT scope FROM idempotency WHERE until_ms <= $1 LIMIT $2)",
                             SETPAY_DB_INT(setpay_clock_agreed_ms(now_ms)), SETPAY_DB_INT(room)));
    *deleted = setpay_db_changes(db);
    return SETPAY_OK;
}

/* What find looks at. */
struct row {
    struct setpay_digest request_hash;
    struct setpay_id owner;
    int64_t status;
    setpay_time_ms until_ms;
    bool has_body;
};

/* What that row is to the request, as find says it. */
static enum setpay_error judge(const struct row *row, const struct setpay_idempotency *request,
                               const struct setpay_id *owner, setpay_time_ms now_ms,
                               int64_t limit_ms)
{
    if (row->until_ms <= setpay_clock_agreed_ms(now_ms))
        return SETPAY_E_NOT_FOUND;
    if (!setpay_digest_equal(&row->request_hash, &request->request_hash))
        return SETPAY_E_RRPID_REUSED;
    if (row->status != 0)
        return SETPAY_OK;
    /* With what was asked for it is kept for longer than it is under way. */
    setpay_time_ms end_ms =
        row->has_body ? row->until_ms - SETPAY_IDEMPOTENCY_KEPT_MS + limit_ms : row->until_ms;
    if (setpay_id_equal(&row->owner, owner) && now_ms < end_ms)
        return SETPAY_E_UNDER_WAY;
    return row->has_body ? SETPAY_E_EXISTS : SETPAY_E_NOT_FOUND;
}

enum setpay_error setpay_idempotency_find(struct setpay_db *db,
                                          const struct setpay_idempotency *request,
                                          const struct setpay_id *owner, setpay_time_ms now_ms,
                                          int64_t limit_ms, struct setpay_api_answer *answer)
{
    struct setpay_db_rows *rows;
    struct row row;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT request_hash, status, body, location, owner, until_ms"
                             " FROM idempotency WHERE scope = $1",
                             SETPAY_DB_DIGEST(&request->scope)));
    setpay_db_get_digest(rows, 0, &row.request_hash);
    row.status = setpay_db_get_int(rows, 1);
    row.has_body = setpay_db_get_view(rows, 2).size > 0;
    setpay_db_get_id(rows, 4, &row.owner);
    row.until_ms = setpay_db_get_int(rows, 5);
    enum setpay_error error = judge(&row, request, owner, now_ms, limit_ms);
    if (error == SETPAY_OK || error == SETPAY_E_EXISTS) /* else it is nobody's answer */
        setpay_db_get_buffer(rows, 2, &answer->body);
    if (error == SETPAY_OK) {
        setpay_db_get_text(rows, 3, answer->location, sizeof answer->location);
        answer->status = (int)row.status;
    }
    enum setpay_error end = setpay_db_end(rows);
    return end != SETPAY_OK ? end : error;
}

static enum setpay_error put(struct setpay_db *db, const struct setpay_idempotency *request,
                             const struct setpay_id *owner, setpay_time_ms until_ms, int status,
                             struct setpay_view body, const char *location)
{
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM idempotency WHERE scope = $1",
                             SETPAY_DB_DIGEST(&request->scope)));
    return setpay_db_run(db,
                         "INSERT INTO idempotency"
                         " (scope, request_hash, status, body, location, owner, until_ms)"
                         " VALUES ($1, $2, $3, $4, $5, $6, $7)",
                         SETPAY_DB_DIGEST(&request->scope),
                         SETPAY_DB_DIGEST(&request->request_hash), SETPAY_DB_INT(status),
                         SETPAY_DB_VIEW(body), SETPAY_DB_TEXT(location), SETPAY_DB_ID(owner),
                         SETPAY_DB_INT(until_ms));
}

enum setpay_error setpay_idempotency_keep(struct setpay_db *db,
                                          const struct setpay_idempotency *request,
                                          const struct setpay_id *owner, setpay_time_ms now_ms,
                                          const struct setpay_api_answer *answer)
{
    if (answer->status < 200 || answer->status >= 500)
        return SETPAY_E_INTERNAL;
    return put(db, request, owner, now_ms + SETPAY_IDEMPOTENCY_KEPT_MS, answer->status,
               setpay_buffer_view(&answer->body), answer->location);
}

enum setpay_error setpay_idempotency_mark(struct setpay_db *db,
                                          const struct setpay_idempotency *request,
                                          const struct setpay_id *owner, setpay_time_ms now_ms,
                                          int64_t limit_ms, struct setpay_view asked)
{
    int64_t kept_ms = asked.size > 0 ? SETPAY_IDEMPOTENCY_KEPT_MS : limit_ms;
    return put(db, request, owner, now_ms + kept_ms, 0, asked, "");
}
