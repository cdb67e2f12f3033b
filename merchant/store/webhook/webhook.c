/*
 * The rows of webhooks and their secrets.
 */
#include "merchant/store/webhook/webhook.h"

#include "merchant/store/webhook/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS "seq, webhook_id, url, description, types, status, failing_since_ms, created_ms"
#define FOREVER_MS INT64_MAX

/* ------------------------------------------------------------------ as it is shown */

bool setpay_webhook_wants(const char *types, const char *type)
{
    size_t size = strlen(type);
    if (types[0] == '\0')
        return true;
    for (const char *at = strstr(types, type); at != NULL; at = strstr(at + 1, type)) {
        if (at > types && at[-1] == ' ' && at[size] == ' ')
            return true;
    }
    return false;
}

static const char *const status_names[] = {
    [SETPAY_WEBHOOK_ENABLED] = "enabled",
    [SETPAY_WEBHOOK_DISABLED] = "disabled",
    [SETPAY_WEBHOOK_FAILED] = "failed",
};

static json_t *types_json(const char *types)
{
    json_t *array = json_array();
    bool whole = array != NULL;
    while (whole && *(types += strspn(types, " ")) != '\0') {
        size_t size = strcspn(types, " ");
        whole = json_array_append_new(array, json_stringn(types, size)) == 0;
        types += size;
    }
    if (whole)
        return array;
    json_decref(array);
    return NULL;
}

json_t *setpay_webhook_json(const struct setpay_webhook *webhook)
{
    char created[SETPAY_TIME_TEXT_SIZE];
    char failing[SETPAY_TIME_TEXT_SIZE];
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:s, s:s?, s:s}", "webhook_id", webhook->webhook_id, "url",
        webhook->url, "description", webhook->description, "events", types_json(webhook->types),
        "status", status_names[webhook->status], "failing_since",
        webhook->failing_since_ms == 0 ? NULL
                                       : setpay_time_format(webhook->failing_since_ms, failing),
        "created", setpay_time_format(webhook->created_ms, created));
}

/* ------------------------------------------------------------------ rows */

static void read_row(struct setpay_db_rows *rows, struct setpay_webhook *webhook)
{
    memset(webhook, 0, sizeof *webhook);
    webhook->seq = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, webhook->webhook_id, sizeof webhook->webhook_id);
    setpay_db_get_text(rows, 2, webhook->url, sizeof webhook->url);
    setpay_db_get_text(rows, 3, webhook->description, sizeof webhook->description);
    setpay_db_get_text(rows, 4, webhook->types, sizeof webhook->types);
    webhook->status = (enum setpay_webhook_status)setpay_db_get_int(rows, 5);
    webhook->failing_since_ms = setpay_db_get_int(rows, 6);
    webhook->created_ms = setpay_db_get_int(rows, 7);
}

enum setpay_error setpay_webhook_find(struct setpay_db *db, const char *webhook_id,
                                      struct setpay_webhook *webhook)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " COLUMNS " FROM webhook WHERE webhook_id = $1",
                             SETPAY_DB_TEXT(webhook_id)));
    read_row(rows, webhook);
    return setpay_db_end(rows);
}

enum setpay_error setpay_webhook_find_by_seq(struct setpay_db *db, int64_t seq,
                                             struct setpay_webhook *webhook)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " COLUMNS " FROM webhook WHERE seq = $1",
                             SETPAY_DB_INT(seq)));
    read_row(rows, webhook);
    return setpay_db_end(rows);
}

enum setpay_error setpay_webhook_all(struct setpay_db *db, struct setpay_webhook *list,
                                     size_t *count)
{
    struct setpay_db_rows *rows;
    *count = 0;
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT " COLUMNS " FROM webhook ORDER BY seq"));
    while (*count < SETPAY_WEBHOOKS_MAX && setpay_db_next(rows))
        read_row(rows, &list[(*count)++]);
    return setpay_db_end(rows);
}

static enum setpay_error insert_secret(struct setpay_db *db, int64_t webhook_seq,
                                       const struct setpay_secret *secret)
{
    return setpay_db_run(db,
                         "INSERT INTO webhook_secret (webhook_seq, secret, until_ms)"
                         " VALUES ($1, $2, $3)",
                         SETPAY_DB_INT(webhook_seq), SETPAY_DB_VIEW(setpay_secret_view(secret)),
                         SETPAY_DB_INT(FOREVER_MS));
}

enum setpay_error setpay_webhook_insert(struct setpay_db *db, struct setpay_webhook *webhook,
                                        const struct setpay_secret *secret)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM webhook"));
    int64_t count = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    if (count >= SETPAY_WEBHOOKS_MAX)
        return SETPAY_E_TOO_BIG;
    SETPAY_TRY(setpay_name_make("whk_", webhook->webhook_id));
    SETPAY_TRY(setpay_db_insert(
        db, &webhook->seq,
        "INSERT INTO webhook (webhook_id, url, description, types, status, failing_since_ms,"
        " created_ms) VALUES ($1, $2, $3, $4, $5, 0, $6) RETURNING seq",
        SETPAY_DB_TEXT(webhook->webhook_id), SETPAY_DB_TEXT(webhook->url),
        SETPAY_DB_TEXT(webhook->description), SETPAY_DB_TEXT(webhook->types),
        SETPAY_DB_INT(webhook->status), SETPAY_DB_INT(webhook->created_ms)));
    return insert_secret(db, webhook->seq, secret);
}

enum setpay_error setpay_webhook_update(struct setpay_db *db, const struct setpay_webhook *webhook)
{
    return setpay_db_run(db,
                         "UPDATE webhook SET url = $1, description = $2, types = $3, status = $4,"
                         " failing_since_ms = $5 WHERE seq = $6",
                         SETPAY_DB_TEXT(webhook->url), SETPAY_DB_TEXT(webhook->description),
                         SETPAY_DB_TEXT(webhook->types), SETPAY_DB_INT(webhook->status),
                         SETPAY_DB_INT(webhook->failing_since_ms), SETPAY_DB_INT(webhook->seq));
}

enum setpay_error setpay_webhook_delete(struct setpay_db *db, int64_t seq)
{
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM webhook_delivery WHERE webhook_seq = $1",
                             SETPAY_DB_INT(seq)));
    SETPAY_TRY(
        setpay_db_run(db, "DELETE FROM webhook_secret WHERE webhook_seq = $1", SETPAY_DB_INT(seq)));
    return setpay_db_run(db, "DELETE FROM webhook WHERE seq = $1", SETPAY_DB_INT(seq));
}

/* ------------------------------------------------------------------ secrets */

enum setpay_error setpay_webhook_rotate(struct setpay_db *db, int64_t seq,
                                        const struct setpay_secret *secret, setpay_time_ms now_ms)
{
    SETPAY_TRY(setpay_db_run(db,
                             "DELETE FROM webhook_secret WHERE webhook_seq = $1 AND until_ms < $2",
                             SETPAY_DB_INT(seq), SETPAY_DB_INT(FOREVER_MS)));
    SETPAY_TRY(setpay_db_run(db, "UPDATE webhook_secret SET until_ms = $1 WHERE webhook_seq = $2",
                             SETPAY_DB_INT(now_ms + SETPAY_WEBHOOK_OLD_SECRET_MS),
                             SETPAY_DB_INT(seq)));
    return insert_secret(db, seq, secret);
}

enum setpay_error setpay_webhook_secrets(struct setpay_db *db, int64_t seq, setpay_time_ms now_ms,
                                         struct setpay_secret *secret, struct setpay_secret *old)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT secret FROM webhook_secret"
                                " WHERE webhook_seq = $1 AND until_ms > $2 ORDER BY seq DESC",
                                SETPAY_DB_INT(seq), SETPAY_DB_INT(now_ms)));
    if (setpay_db_next(rows))
        error = setpay_secret_copy(secret, setpay_db_get_view(rows, 0));
    if (error == SETPAY_OK && setpay_db_next(rows))
        error = setpay_secret_copy(old, setpay_db_get_view(rows, 0));
    enum setpay_error ended = setpay_db_end(rows);
    if (error == SETPAY_OK)
        error = ended;
    if (error == SETPAY_OK && secret->size == 0)
        error = SETPAY_E_NOT_FOUND;
    if (error != SETPAY_OK) {
        setpay_secret_clear(secret);
        setpay_secret_clear(old);
    }
    return error;
}
