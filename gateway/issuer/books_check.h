/*
 * Recomputes everything in the books that follows from something else in them.
 */
#ifndef SETPAY_GATEWAY_ISSUER_BOOKS_CHECK_H
#define SETPAY_GATEWAY_ISSUER_BOOKS_CHECK_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/store.h"

#include <jansson.h>

/* {"ok":…, "found":N, "findings":[words…], "balances":N, "authorisations":N, "presentments":N,
 * "entries":N}; at most 100 findings stand in the list. Owned by the caller. */
enum setpay_error setpay_books_check(struct setpay_db *db, setpay_time_ms now,
                                     json_t **result) SETPAY_MUST_CHECK;

#endif
