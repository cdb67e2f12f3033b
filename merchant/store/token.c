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

enum setpay_error setpay_token_add(struct setpay_db *db, const char *name,
                                   const struct setpay_digest *hash, setpay_time_ms now_ms)
{
    struct setpay_db_rows *rows;
    if (!is_name(name))
        return SETPAY_E_INVALID;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM token"));
    int64_t count = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    if (count >= SETPAY_TOKENS_MAX)
        return SETPAY_E_TOO_BIG;
    enum setpay_error error =
        setpay_db_run(db, "INSERT INTO token (name, hash, created_ms) VALUES ($1, $2, $3)",
                      SETPAY_DB_TEXT(name), SETPAY_DB_DIGEST(hash), SETPAY_DB_INT(now_ms));
    return error == SETPAY_E_DUPLICATE ? SETPAY_E_EXISTS : error;
}

enum setpay_error setpay_token_remove(struct setpay_db *db, const char *name)
{
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM token WHERE name = $1", SETPAY_DB_TEXT(name)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_NOT_FOUND;
}

enum setpay_error setpay_token_list(struct setpay_db *db, json_t **list)
{
    struct setpay_db_rows *rows;
    json_t *array = json_array();
    bool whole = array != NULL;
    if (!whole)
        return SETPAY_E_NOMEM;
    enum setpay_error error =
        setpay_db_select(db, &rows, "SELECT name, created_ms FROM token ORDER BY name");
    if (error == SETPAY_OK) {
        while (setpay_db_next(rows)) {
            char name[SETPAY_TOKEN_NAME_BYTES + 1];
            char time[SETPAY_TIME_TEXT_SIZE];
            setpay_db_get_text(rows, 0, name, sizeof name);
            json_t *row = json_pack("{s:s, s:s}", "name", name, "created",
                                    setpay_time_format(setpay_db_get_int(rows, 1), time));
            if (json_array_append_new(array, row) != 0)
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
                                     struct setpay_digest *hash)
{
    struct setpay_digest shown;
    struct setpay_db_rows *rows;
    bool known = false;
    SETPAY_TRY(setpay_sha256(text, &shown));
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT hash FROM token ORDER BY name"));
    while (setpay_db_next(rows)) {
        struct setpay_digest held;
        setpay_db_get_digest(rows, 0, &held);
        bool same = setpay_view_equal_secret(setpay_digest_view(&held), setpay_digest_view(&shown));
        known = known || same;
    }
    SETPAY_TRY(setpay_db_end(rows));
    if (!known)
        return SETPAY_E_NOT_FOUND;
    *hash = shown;
    return SETPAY_OK;
}
