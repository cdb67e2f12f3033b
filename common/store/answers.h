/*
 * Answers that were given (rule A6): the same request gets the same bytes again, also after a
 * restart; the same rrpid with other content is refused.
 *
 * The key is (sender, rrpid): the sender's certificate thumbprint, or setpay_token_sender's digest
 * for a PInitReq. What is kept is the whole answer, packed, since a signature made anew would
 * differ. "Busy" and errors of rule A3 are not kept: setpay_answer_is_kept.
 */
#ifndef SETPAY_STORE_ANSWERS_H
#define SETPAY_STORE_ANSWERS_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/store/db.h"

#include <stdbool.h>

/* SQL for the first migration of every daemon that answers requests. */
#define SETPAY_ANSWERS_SCHEMA                                                                      \
    "CREATE TABLE answer ("                                                                        \
    " sender BLOB NOT NULL,"                                                                       \
    " rrpid BLOB NOT NULL,"                                                                        \
    " request_hash BLOB NOT NULL,"                                                                 \
    " response BLOB NOT NULL,"                                                                     \
    " kept_until INTEGER NOT NULL,"                                                                \
    " PRIMARY KEY (sender, rrpid));"                                                               \
    "CREATE INDEX answer_kept_until ON answer (kept_until);"

/* What was answered: response (replaced) holds the bytes. SETPAY_E_NOT_FOUND: not seen before, ask
 * rule A5 then; SETPAY_E_RRPID_REUSED: seen with other content. Errors of the database. */
enum setpay_error setpay_answers_find(struct setpay_db *db, const struct setpay_digest *sender,
                                      const struct setpay_id *rrpid,
                                      const struct setpay_digest *request_hash,
                                      struct setpay_buffer *response) SETPAY_MUST_CHECK;
/* Keeps an answer for SETPAY_LIMIT_ANSWER_KEPT_MS, in the operation that writes what it says.
 * SETPAY_E_CONFLICT where an answer to the same content was kept in between (find it and send
 * that), SETPAY_E_RRPID_REUSED where one to other content was. */
enum setpay_error setpay_answers_keep(struct setpay_db *db, const struct setpay_digest *sender,
                                      const struct setpay_id *rrpid,
                                      const struct setpay_digest *request_hash,
                                      struct setpay_view response,
                                      setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* The same until until_ms: for requests that anybody can make without end. At least as long as rule
 * A5 could take the request for new: twice SETPAY_LIMIT_DATE_TOLERANCE_MS from now. */
enum setpay_error
setpay_answers_keep_until(struct setpay_db *db, const struct setpay_digest *sender,
                          const struct setpay_id *rrpid, const struct setpay_digest *request_hash,
                          struct setpay_view response, setpay_time_ms until_ms) SETPAY_MUST_CHECK;
/* The same for good: for requests that move money. Who was away for however long repeats the same
 * bytes, and must never be told that they are too old: a new rrpid would do the same thing twice.
 */
enum setpay_error setpay_answers_keep_for_good(struct setpay_db *db,
                                               const struct setpay_digest *sender,
                                               const struct setpay_id *rrpid,
                                               const struct setpay_digest *request_hash,
                                               struct setpay_view response) SETPAY_MUST_CHECK;
/* Deletes up to room answers whose time is over; *deleted says how many. */
enum setpay_error setpay_answers_purge(struct setpay_db *db, setpay_time_ms now_ms, int64_t room,
                                       int64_t *deleted) SETPAY_MUST_CHECK;

/* False for refusals that a repeat of the same request may overcome: kinds AGAIN, BUSY and SYSTEM,
 * rule A3's, and A5's date (final, but it stays refused by itself). */
bool setpay_answer_is_kept(enum setpay_error error);

#endif
