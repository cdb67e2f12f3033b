/*
 * Who may sign in to the owner's pages, and who has.
 *
 * A session's id is 32 random bytes in a cookie; the database holds its digest alone. Each sign-in
 * makes a new one and ends the one that the browser showed, so an id that somebody else has put
 * there is worth nothing. A session ends an hour after its last request, and twelve hours after
 * sign-in. Tries are counted before the password is looked at, by account and by address.
 */
#ifndef SETPAY_MERCHANT_ADMIN_OWNER_H
#define SETPAY_MERCHANT_ADMIN_OWNER_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/store/db.h"
#include "merchant/store/admin/password.h"

#include <jansson.h>

#define SETPAY_OWNER_NAME_BYTES 64
#define SETPAY_OWNERS_MAX 100
#define SETPAY_OWNER_IDLE_MS SETPAY_HOUR_MS
#define SETPAY_OWNER_LIFE_MS (12 * SETPAY_HOUR_MS)
#define SETPAY_OWNER_TOUCH_MS                                                                      \
    SETPAY_MINUTE_MS          /* a session's last request is known this exactly                    \
                               */
#define SETPAY_OWNER_TRIES 10 /* that failed, of one account or address */
#define SETPAY_OWNER_TRIES_MS (15 * SETPAY_MINUTE_MS)

/* SQL for a migration of the merchant's database. */
#define SETPAY_OWNER_SCHEMA                                                                        \
    "CREATE TABLE owner ("                                                                         \
    " name TEXT PRIMARY KEY,"                                                                      \
    " password TEXT NOT NULL,"                                                                     \
    " created_ms INTEGER NOT NULL,"                                                                \
    " changed_ms INTEGER NOT NULL,"                                                                \
    " signed_in_ms INTEGER NOT NULL);" /* last; 0: never */                                        \
    "CREATE TABLE owner_session ("                                                                 \
    " digest BLOB PRIMARY KEY,"                                                                    \
    " owner TEXT NOT NULL,"                                                                        \
    " created_ms INTEGER NOT NULL,"                                                                \
    " used_ms INTEGER NOT NULL);"                                                                  \
    "CREATE INDEX owner_session_owner ON owner_session (owner);"                                   \
    "CREATE TABLE owner_try ("                                                                     \
    " who TEXT PRIMARY KEY,"                                                                       \
    " count INTEGER NOT NULL,"                                                                     \
    " until_ms INTEGER NOT NULL);"

/* 1 to 64 of letters, digits, '.', '_', '-'. */
bool setpay_owner_name_is(const char *name);
/* SETPAY_E_INVALID (name), SETPAY_E_EXISTS, SETPAY_E_TOO_BIG. */
enum setpay_error setpay_owner_add(struct setpay_db *db, const char *name, const char *password,
                                   setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Another password; every session of it ends, and who was locked out by too many tries may try
 * again: the account, and every address. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_owner_set_password(struct setpay_db *db, const char *name,
                                            const char *password,
                                            setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Likewise. */
enum setpay_error setpay_owner_remove(struct setpay_db *db, const char *name) SETPAY_MUST_CHECK;
/* [{"name","created","changed","signed_in","sessions"}]; owned. */
enum setpay_error setpay_owner_list(struct setpay_db *db, setpay_time_ms now_ms,
                                    json_t **list) SETPAY_MUST_CHECK;
/* Its password as it is kept. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_owner_find(struct setpay_db *db, const char *name,
                                    char text[SETPAY_PASSWORD_TEXT_SIZE]) SETPAY_MUST_CHECK;

/* One more try; SETPAY_E_BUSY where there were too many: the password is not to be looked at. */
enum setpay_error setpay_owner_try(struct setpay_db *db, const char *name, const char *address,
                                   setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* A session; the tries of the account and address are forgotten. old: that the browser had before.
 * SETPAY_E_NOT_FOUND where the account has gone, or has another password, meanwhile. */
enum setpay_error setpay_owner_sign_in(struct setpay_db *db, const char *name, const char *password,
                                       const char *address, const struct setpay_digest *session,
                                       const struct setpay_digest *old,
                                       setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Whose it is. SETPAY_E_NOT_FOUND: nobody's, or it is over. *stale: to be touched. */
enum setpay_error setpay_owner_session_find(struct setpay_db *db,
                                            const struct setpay_digest *session,
                                            setpay_time_ms now_ms,
                                            char name[SETPAY_OWNER_NAME_BYTES + 1],
                                            bool *stale) SETPAY_MUST_CHECK;
enum setpay_error setpay_owner_session_touch(struct setpay_db *db,
                                             const struct setpay_digest *session,
                                             setpay_time_ms now_ms) SETPAY_MUST_CHECK;
enum setpay_error setpay_owner_session_end(struct setpay_db *db,
                                           const struct setpay_digest *session) SETPAY_MUST_CHECK;
/* All of this account. */
enum setpay_error setpay_owner_session_end_all(struct setpay_db *db,
                                               const char *name) SETPAY_MUST_CHECK;
/* Sessions and tries that are over. */
enum setpay_error setpay_owner_purge(struct setpay_db *db, setpay_time_ms now_ms) SETPAY_MUST_CHECK;

#endif
