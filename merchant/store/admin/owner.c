/*
 * Accounts, sessions and tries.
 */
#include "merchant/store/admin/owner.h"

#include "merchant/store/shop.h"

#include <stdio.h>
#include <string.h>

bool setpay_owner_name_is(const char *name)
{
    static const char permitted[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789._-";
    size_t size = strlen(name);
    return size >= 1 && size <= SETPAY_OWNER_NAME_BYTES && strspn(name, permitted) == size;
}

/* ------------------------------------------------------------------ whose tries */

#define WHO_SIZE (SETPAY_OWNER_NAME_BYTES + 16)

static void who_is(char out[WHO_SIZE], const char *kind, const char *what)
{
    (void)snprintf(out, WHO_SIZE, "%s %.*s", kind, SETPAY_OWNER_NAME_BYTES, what);
}

static enum setpay_error forget_tries(struct setpay_db *db, const char *kind, const char *what)
{
    char who[WHO_SIZE];
    who_is(who, kind, what);
    return setpay_db_run(db, "DELETE FROM owner_try WHERE who = $1", SETPAY_DB_TEXT(who));
}

/* ------------------------------------------------------------------ accounts */

enum setpay_error setpay_owner_add(struct setpay_db *db, const char *name, const char *password,
                                   setpay_time_ms now_ms)
{
    struct setpay_db_rows *rows;
    if (!setpay_owner_name_is(name))
        return SETPAY_E_INVALID;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM owner"));
    int64_t count = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    if (count >= SETPAY_OWNERS_MAX)
        return SETPAY_E_TOO_BIG;
    enum setpay_error error =
        setpay_db_run(db,
                      "INSERT INTO owner (name, password, created_ms, changed_ms, signed_in_ms)"
                      " VALUES ($1, $2, $3, $4, 0)",
                      SETPAY_DB_TEXT(name), SETPAY_DB_TEXT(password), SETPAY_DB_INT(now_ms),
                      SETPAY_DB_INT(now_ms));
    return error == SETPAY_E_DUPLICATE ? SETPAY_E_EXISTS : error;
}

/* What went before counts no longer. Which addresses the tries of the account came from is not
 * kept, so those of all addresses go; those of other accounts stay. */
static enum setpay_error begin_anew(struct setpay_db *db, const char *name)
{
    SETPAY_TRY(forget_tries(db, "account", name));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM owner_try WHERE who LIKE 'address %'"));
    return setpay_owner_session_end_all(db, name);
}

enum setpay_error setpay_owner_set_password(struct setpay_db *db, const char *name,
                                            const char *password, setpay_time_ms now_ms)
{
    SETPAY_TRY(setpay_db_run(db, "UPDATE owner SET password = $1, changed_ms = $2 WHERE name = $3",
                             SETPAY_DB_TEXT(password), SETPAY_DB_INT(now_ms),
                             SETPAY_DB_TEXT(name)));
    return setpay_db_changes(db) == 1 ? begin_anew(db, name) : SETPAY_E_NOT_FOUND;
}

enum setpay_error setpay_owner_remove(struct setpay_db *db, const char *name)
{
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM owner WHERE name = $1", SETPAY_DB_TEXT(name)));
    return setpay_db_changes(db) == 1 ? begin_anew(db, name) : SETPAY_E_NOT_FOUND;
}

static json_t *time_json(setpay_time_ms time_ms)
{
    return time_ms == 0 ? json_null() : setpay_shop_time_json(time_ms);
}

enum setpay_error setpay_owner_list(struct setpay_db *db, setpay_time_ms now_ms, json_t **list)
{
    struct setpay_db_rows *rows;
    bool whole = true;
    json_t *made = json_array();
    if (made == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = setpay_db_select(
        db, &rows,
        "SELECT name, created_ms, changed_ms, signed_in_ms,"
        " (SELECT COUNT(*) FROM owner_session s WHERE s.owner = owner.name AND s.used_ms > $1"
        " AND s.created_ms > $2) FROM owner ORDER BY name",
        SETPAY_DB_INT(now_ms - SETPAY_OWNER_IDLE_MS), SETPAY_DB_INT(now_ms - SETPAY_OWNER_LIFE_MS));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        char name[SETPAY_OWNER_NAME_BYTES + 1];
        setpay_db_get_text(rows, 0, name, sizeof name);
        setpay_shop_append(made,
                           json_pack("{s:s, s:o, s:o, s:o, s:I}", "name", name, "created",
                                     time_json(setpay_db_get_int(rows, 1)), "changed",
                                     time_json(setpay_db_get_int(rows, 2)), "signed_in",
                                     time_json(setpay_db_get_int(rows, 3)), "sessions",
                                     (json_int_t)setpay_db_get_int(rows, 4)),
                           &whole);
    }
    if (error == SETPAY_OK)
        error = setpay_db_end(rows);
    if (error == SETPAY_OK && !whole)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        *list = made;
    else
        json_decref(made);
    return error;
}

enum setpay_error setpay_owner_find(struct setpay_db *db, const char *name,
                                    char text[SETPAY_PASSWORD_TEXT_SIZE])
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT password FROM owner WHERE name = $1",
                             SETPAY_DB_TEXT(name)));
    setpay_db_get_text(rows, 0, text, SETPAY_PASSWORD_TEXT_SIZE);
    return setpay_db_end(rows);
}

/* ------------------------------------------------------------------ tries */

static enum setpay_error count_try(struct setpay_db *db, const char *who, setpay_time_ms now_ms,
                                   bool *too_many)
{
    struct setpay_db_rows *rows;
    int64_t count = 0;
    enum setpay_error error =
        setpay_db_one(db, &rows, "SELECT count FROM owner_try WHERE who = $1 AND until_ms > $2",
                      SETPAY_DB_TEXT(who), SETPAY_DB_INT(now_ms));
    if (error == SETPAY_OK) {
        count = setpay_db_get_int(rows, 0);
        error = setpay_db_end(rows);
    }
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    if (count >= SETPAY_OWNER_TRIES) {
        *too_many = true; /* and the time runs on: who waits is let in again */
        return SETPAY_OK;
    }
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM owner_try WHERE who = $1", SETPAY_DB_TEXT(who)));
    return setpay_db_run(db, "INSERT INTO owner_try (who, count, until_ms) VALUES ($1, $2, $3)",
                         SETPAY_DB_TEXT(who), SETPAY_DB_INT(count + 1),
                         SETPAY_DB_INT(now_ms + SETPAY_OWNER_TRIES_MS));
}

enum setpay_error setpay_owner_try(struct setpay_db *db, const char *name, const char *address,
                                   setpay_time_ms now_ms)
{
    char who[WHO_SIZE];
    bool too_many = false;
    who_is(who, "account", name);
    SETPAY_TRY(count_try(db, who, now_ms, &too_many));
    who_is(who, "address", address);
    if (!too_many)
        SETPAY_TRY(count_try(db, who, now_ms, &too_many));
    return too_many ? SETPAY_E_BUSY : SETPAY_OK;
}

/* ------------------------------------------------------------------ sessions */

enum setpay_error setpay_owner_sign_in(struct setpay_db *db, const char *name, const char *password,
                                       const char *address, const struct setpay_digest *session,
                                       const struct setpay_digest *old, setpay_time_ms now_ms)
{
    SETPAY_TRY(
        setpay_db_run(db, "UPDATE owner SET signed_in_ms = $1 WHERE name = $2 AND password = $3",
                      SETPAY_DB_INT(now_ms), SETPAY_DB_TEXT(name), SETPAY_DB_TEXT(password)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_NOT_FOUND;
    SETPAY_TRY(setpay_owner_session_end(db, old));
    SETPAY_TRY(forget_tries(db, "account", name));
    SETPAY_TRY(forget_tries(db, "address", address));
    return setpay_db_run(db,
                         "INSERT INTO owner_session (digest, owner, created_ms, used_ms)"
                         " VALUES ($1, $2, $3, $4)",
                         SETPAY_DB_DIGEST(session), SETPAY_DB_TEXT(name), SETPAY_DB_INT(now_ms),
                         SETPAY_DB_INT(now_ms));
}

enum setpay_error setpay_owner_session_find(struct setpay_db *db,
                                            const struct setpay_digest *session,
                                            setpay_time_ms now_ms,
                                            char name[SETPAY_OWNER_NAME_BYTES + 1], bool *stale)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT owner, used_ms FROM owner_session"
                             " WHERE digest = $1 AND used_ms > $2 AND created_ms > $3",
                             SETPAY_DB_DIGEST(session),
                             SETPAY_DB_INT(now_ms - SETPAY_OWNER_IDLE_MS),
                             SETPAY_DB_INT(now_ms - SETPAY_OWNER_LIFE_MS)));
    setpay_db_get_text(rows, 0, name, SETPAY_OWNER_NAME_BYTES + 1);
    *stale = setpay_db_get_int(rows, 1) + SETPAY_OWNER_TOUCH_MS <= now_ms;
    return setpay_db_end(rows);
}

enum setpay_error setpay_owner_session_touch(struct setpay_db *db,
                                             const struct setpay_digest *session,
                                             setpay_time_ms now_ms)
{
    return setpay_db_run(db, "UPDATE owner_session SET used_ms = $1 WHERE digest = $2",
                         SETPAY_DB_INT(now_ms), SETPAY_DB_DIGEST(session));
}

enum setpay_error setpay_owner_session_end(struct setpay_db *db,
                                           const struct setpay_digest *session)
{
    return setpay_db_run(db, "DELETE FROM owner_session WHERE digest = $1",
                         SETPAY_DB_DIGEST(session));
}

enum setpay_error setpay_owner_session_end_all(struct setpay_db *db, const char *name)
{
    return setpay_db_run(db, "DELETE FROM owner_session WHERE owner = $1", SETPAY_DB_TEXT(name));
}

enum setpay_error setpay_owner_purge(struct setpay_db *db, setpay_time_ms now_ms)
{
    SETPAY_TRY(setpay_db_run(db,
                             "DELETE FROM owner_session WHERE used_ms <= $1 OR created_ms <= $2",
                             SETPAY_DB_INT(now_ms - SETPAY_OWNER_IDLE_MS),
                             SETPAY_DB_INT(now_ms - SETPAY_OWNER_LIFE_MS)));
    return setpay_db_run(db, "DELETE FROM owner_try WHERE until_ms <= $1", SETPAY_DB_INT(now_ms));
}
