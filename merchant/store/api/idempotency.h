/*
 * Requests of the merchant API that were answered: the same key with the same body gets the same
 * answer again, for 24 hours and through restarts.
 *
 * A request is known by its scope, H(token, method, path, key), and its body as canonical JSON. An
 * answer is kept in the operation that has the effect; where the answer has to wait for the
 * gateway, the operation marks the request as under way, and another one keeps the answer. A mark
 * of another run of the program, or one whose time is over, was left by a crash: the request is
 * then taken anew, which is safe where what waits may be repeated. What may not be (money is moved
 * by it) leaves in its mark what was asked for: when it is no longer under way, and has no answer,
 * the same request waits for that, and asks for nothing, in whatever run of the program and however
 * often.
 *
 * A key that is forgotten lets the same request move money twice. So the day has to be over by
 * another party's clock too (setpay_clock_agreed_ms): one of ours that is ahead forgets nothing.
 */
#ifndef SETPAY_MERCHANT_API_IDEMPOTENCY_H
#define SETPAY_MERCHANT_API_IDEMPOTENCY_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/store/db.h"

#include <stdbool.h>
#include <stdint.h>

#define SETPAY_IDEMPOTENCY_KEY_MAX 255
#define SETPAY_IDEMPOTENCY_KEPT_MS SETPAY_DAY_MS
#define SETPAY_IDEMPOTENCY_BODY_MAX (512 * 1024)

/* SQL for the first migration of the merchant's database. status 0: under way. */
#define SETPAY_IDEMPOTENCY_SCHEMA                                                                  \
    "CREATE TABLE idempotency ("                                                                   \
    " scope BLOB PRIMARY KEY,"                                                                     \
    " request_hash BLOB NOT NULL,"                                                                 \
    " status INTEGER NOT NULL,"                                                                    \
    " body BLOB NOT NULL,"                                                                         \
    " location TEXT NOT NULL,"                                                                     \
    " owner BLOB NOT NULL,"                                                                        \
    " until_ms INTEGER NOT NULL);"                                                                 \
    "CREATE INDEX idempotency_until ON idempotency (until_ms);"

struct setpay_idempotency {
    struct setpay_digest scope;
    struct setpay_digest request_hash;
};

/* An answer as it is kept and sent. */
struct setpay_api_answer {
    int status;
    struct setpay_buffer body; /* JSON: of a problem where status is 400 or more */
    char location[192];        /* "" : none */
    int64_t version;           /* for ETag; 0: none. Not kept: the body says it too */
};
void setpay_api_answer_init(struct setpay_api_answer *answer);
void setpay_api_answer_clear(struct setpay_api_answer *answer);

/* True for 1 to 255 visible characters. */
bool setpay_idempotency_key_is_valid(const char *key);
/* SETPAY_E_CRYPTO. */
enum setpay_error setpay_idempotency_make(const struct setpay_digest *token, const char *method,
                                          const char *path, const char *key,
                                          struct setpay_view body,
                                          struct setpay_idempotency *request) SETPAY_MUST_CHECK;

/*
 * Inside the operation, before its effect. SETPAY_OK: there is an answer, replaced. Otherwise:
 * SETPAY_E_NOT_FOUND (go on), SETPAY_E_RRPID_REUSED (the key stands for another body),
 * SETPAY_E_UNDER_WAY, or SETPAY_E_EXISTS with what a mark holds as the answer's body. owner: of
 * this run of the program. limit_ms: how long a request may be under way. With any other error than
 * these two the answer is as it was.
 */
enum setpay_error setpay_idempotency_find(struct setpay_db *db,
                                          const struct setpay_idempotency *request,
                                          const struct setpay_id *owner, setpay_time_ms now_ms,
                                          int64_t limit_ms,
                                          struct setpay_api_answer *answer) SETPAY_MUST_CHECK;
/* Keeps an answer below 500; replaces a mark. SETPAY_E_INTERNAL for another one. */
enum setpay_error setpay_idempotency_keep(struct setpay_db *db,
                                          const struct setpay_idempotency *request,
                                          const struct setpay_id *owner, setpay_time_ms now_ms,
                                          const struct setpay_api_answer *answer) SETPAY_MUST_CHECK;
/* Forgets up to room whose time is over, by both clocks. */
enum setpay_error setpay_idempotency_purge(struct setpay_db *db, setpay_time_ms now_ms,
                                           int64_t room, int64_t *deleted) SETPAY_MUST_CHECK;
/* Marks the request as under way for at most that long; or, where asked is not empty, as what has
 * asked for that, for as long as an answer is kept. */
enum setpay_error setpay_idempotency_mark(struct setpay_db *db,
                                          const struct setpay_idempotency *request,
                                          const struct setpay_id *owner, setpay_time_ms now_ms,
                                          int64_t limit_ms,
                                          struct setpay_view asked) SETPAY_MUST_CHECK;

#endif
