/*
 * Tokens. All hashes are compared, each in constant time, so that neither an index nor an early end
 * tells how much of a guess was right; there are few of them.
 */
#include "merchant/store/token.h"

#include "common/base/secret.h"
#include "common/crypto/hash.h"

#include <string.h>

enum setpay_error setpay_token_make(char *text, struct setpay_digest *hash)
{
    struct setpay_secret random = {0};
    enum setpay_error error = setpay_secret_random(&random, 32);
    if (error == SETPAY_OK) {
        memcpy(text, "spm_", 4);
        setpay_base64url_encode(setpay_secret_view(&random), text + 4);
        error = setpay_sha256(setpay_view_string(text), hash);
    }
    setpay_secret_clear(&random);
    return error;
}

static bool is_name(const char *name)
{
    static const char permitted[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789._-";
    size_t size = strlen(name);
    return size >= 1 && size <= SETPAY_TOKEN_NAME_BYTES && strspn(name, permitted) == size;
}

enum setpay_error setpay_token_add(struct setpay_db *db, const struct setpay_token *token)
{
    struct setpay_db_rows *rows;
    if (!is_name(token->name))
        return SETPAY_E_INVALID;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM token"));
    int64_t count = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    if (count >= SETPAY_TOKENS_MAX)
        return SETPAY_E_TOO_BIG;
    enum setpay_error error =
        setpay_db_run(db,
                      "INSERT INTO token (name, hash, created_ms, scopes, expires_ms)"
                      " VALUES ($1, $2, $3, $4, $5)",
                      SETPAY_DB_TEXT(token->name), SETPAY_DB_DIGEST(&token->hash),
                      SETPAY_DB_INT(token->created_ms), SETPAY_DB_INT(token->scopes),
                      SETPAY_DB_INT(token->expires_ms));
    return error == SETPAY_E_DUPLICATE ? SETPAY_E_EXISTS : error;
}

enum setpay_error setpay_token_remove(struct setpay_db *db, const char *name)
{
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM token WHERE name = $1", SETPAY_DB_TEXT(name)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_NOT_FOUND;
}

#define COLUMNS "name, hash, scopes, created_ms, expires_ms, last_used_ms"

static void read_row(struct setpay_db_rows *rows, struct setpay_token *token)
{
    setpay_db_get_text(rows, 0, token->name, sizeof token->name);
    setpay_db_get_digest(rows, 1, &token->hash);
    token->scopes = setpay_db_get_int(rows, 2);
    token->created_ms = setpay_db_get_int(rows, 3);
    token->expires_ms = setpay_db_get_int(rows, 4);
    token->last_used_ms = setpay_db_get_int(rows, 5);
}

static json_t *time_json(setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    return time_ms == 0 ? json_null() : json_string(setpay_time_format(time_ms, text));
}

static json_t *token_json(const struct setpay_token *token)
{
    char scopes[SETPAY_SCOPES_TEXT_SIZE];
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", token->name, "scopes",
                     setpay_scopes_format(token->scopes, scopes), "created",
                     time_json(token->created_ms), "expires", time_json(token->expires_ms),
                     "last_used", time_json(token->last_used_ms));
}

enum setpay_error setpay_token_list(struct setpay_db *db, json_t **list)
{
    struct setpay_db_rows *rows;
    json_t *array = json_array();
    bool whole = array != NULL;
    if (!whole)
        return SETPAY_E_NOMEM;
    enum setpay_error error =
        setpay_db_select(db, &rows, "SELECT " COLUMNS " FROM token ORDER BY name");
    if (error == SETPAY_OK) {
        while (setpay_db_next(rows)) {
            struct setpay_token token;
            read_row(rows, &token);
            if (json_array_append_new(array, token_json(&token)) != 0)
                whole = false;
        }
        error = setpay_db_end(rows);
    }
    if (error == SETPAY_OK && !whole)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        *list = array;
    else
        json_decref(array);
    return error;
}

enum setpay_error setpay_token_check(struct setpay_db *db, struct setpay_view text,
                                     setpay_time_ms now_ms, struct setpay_token *token)
{
    struct setpay_digest shown;
    struct setpay_db_rows *rows;
    bool known = false;
    SETPAY_TRY(setpay_sha256(text, &shown));
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT " COLUMNS " FROM token ORDER BY name"));
    while (setpay_db_next(rows)) {
        struct setpay_token held;
        read_row(rows, &held);
        bool same =
            setpay_view_equal_secret(setpay_digest_view(&held.hash), setpay_digest_view(&shown));
        if (same)
            *token = held;
        known = known || same;
    }
    SETPAY_TRY(setpay_db_end(rows));
    if (!known)
        return SETPAY_E_NOT_FOUND;
    return token->expires_ms != 0 && now_ms >= token->expires_ms ? SETPAY_E_EXPIRED : SETPAY_OK;
}

enum setpay_error setpay_token_touch(struct setpay_db *db, const struct setpay_digest *hash,
                                     setpay_time_ms now_ms)
{
    return setpay_db_run(db,
                         "UPDATE token SET last_used_ms = $1 WHERE hash = $2 AND last_used_ms < $1",
                         SETPAY_DB_INT(now_ms), SETPAY_DB_DIGEST(hash));
}
