/*
 * What this issuer has booked for an acquirer, by the acquirer's own periods: the other side of a
 * reconciliation (0500). To be run inside a transaction of the store, with what was booked.
 *
 * What is undone within its own period counts in none of the sums; what is undone in a later one is
 * a reversal of that.
 */
#ifndef SETPAY_GATEWAY_ISSUER_SETTLED_H
#define SETPAY_GATEWAY_ISSUER_SETTLED_H

#include "common/base/error.h"
#include "common/base/money.h"
#include "common/store/db.h"
#include "gateway/issuer/accounts.h"
#include "gateway/network/totals.h"

#include <stdint.h>

#define SETPAY_SETTLED_SCHEMA                                                                      \
    "CREATE TABLE card_settled ("                                                                  \
    " acquirer TEXT NOT NULL, period BIGINT NOT NULL, currency TEXT NOT NULL,"                     \
    " kind BIGINT NOT NULL, amount_minor BIGINT NOT NULL,"                                         \
    " stan BIGINT NOT NULL, sent TEXT NOT NULL, undone BIGINT NOT NULL);"                          \
    "CREATE INDEX card_settled_period ON card_settled (acquirer, period, currency);"               \
    "CREATE INDEX card_settled_key ON card_settled (acquirer, stan, sent);"

/* Stored. */
enum setpay_settled_kind {
    SETPAY_SETTLED_NOTHING = 0, /* undone in its own period */
    SETPAY_SETTLED_SALE = 1,
    SETPAY_SETTLED_CHARGE = 2, /* a capture that was presented */
    SETPAY_SETTLED_CREDIT = 3,
    SETPAY_SETTLED_SALE_REVERSAL = 4,
};

/* key: of the authorisation, or the sale itself. */
enum setpay_error setpay_settled_add(struct setpay_db *db, const struct setpay_account_key *key,
                                     int64_t period, enum setpay_settled_kind kind,
                                     const struct setpay_money *amount) SETPAY_MUST_CHECK;
/* The sale of that key is reversed in that period: once, and nothing where there is none. */
enum setpay_error setpay_settled_undo_sale(struct setpay_db *db,
                                           const struct setpay_account_key *key,
                                           int64_t period) SETPAY_MUST_CHECK;
enum setpay_error setpay_settled_totals(struct setpay_db *db, const char *acquirer, int64_t period,
                                        const char *currency,
                                        struct setpay_network_totals *totals) SETPAY_MUST_CHECK;

#endif
