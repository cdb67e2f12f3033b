/*
 * Adjustments: what is due to a merchant, or from it, beside the items of its batches: an amount in
 * dispute, which is held back; one that came back; what was cleared out of suspense; a payout that
 * the bank has returned. Each belongs to the ledger entry that was written with it, and is part of
 * one settlement: the first of a day whose cut-off it was made before.
 *
 * All functions with a db run inside a store operation or a read.
 */
#ifndef SETPAY_GATEWAY_CLEARING_ADJUSTMENT_H
#define SETPAY_GATEWAY_CLEARING_ADJUSTMENT_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/store/db.h"
#include "common/wire/messages.h"

#include <stdint.h>

/* token: the event of the entry. source_id: the row of the dispute, clearing or payout. */
#define SETPAY_ADJUSTMENT_SCHEMA                                                                   \
    "CREATE TABLE adjustment ("                                                                    \
    " id INTEGER PRIMARY KEY, token BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL,"                  \
    " source_id INTEGER NOT NULL, brand TEXT NOT NULL, merchant_id TEXT NOT NULL,"                 \
    " currency TEXT NOT NULL, amount_minor INTEGER NOT NULL, created_ms INTEGER NOT NULL,"         \
    " settlement_id INTEGER NOT NULL);"                                                            \
    "CREATE INDEX adjustment_settlement ON adjustment (settlement_id, id);"                        \
    "CREATE INDEX adjustment_merchant ON adjustment (brand, merchant_id, settlement_id);"

/* Stored; never reuse a number. */
enum setpay_adjustment_kind {
    SETPAY_ADJUSTMENT_DISPUTED = 1, /* below 0 */
    SETPAY_ADJUSTMENT_RETURNED = 2, /* a dispute that was closed for the merchant */
    SETPAY_ADJUSTMENT_CLEARED = 3,  /* out of suspense; below 0 of a credit */
    SETPAY_ADJUSTMENT_REPAID = 4,   /* a payout that was returned, to be paid again */
};
/* "disputed"; NULL for a number that is none. */
const char *setpay_adjustment_kind_name(enum setpay_adjustment_kind kind);

struct setpay_adjustment {
    int64_t id;
    struct setpay_id token;
    enum setpay_adjustment_kind kind;
    int64_t source_id;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char currency[4];
    int64_t amount_minor; /* to the merchant */
    setpay_time_ms created_ms;
    int64_t settlement; /* 0: not settled yet */
};

/* What adjustments come to, all of one merchant and currency. */
struct setpay_adjustment_sums {
    int64_t disputed_count, disputed_minor; /* held back: 0 or above */
    int64_t returned_count, returned_minor;
    int64_t cleared_count, cleared_minor; /* may be below 0 */
    int64_t repaid_count, repaid_minor;
};
/* Pure: how many, and what they come to for the merchant. */
int64_t setpay_adjustment_count(const struct setpay_adjustment_sums *sums);
int64_t setpay_adjustment_net(const struct setpay_adjustment_sums *sums);

/* Not settled yet. Its id is the database's. */
enum setpay_error
setpay_adjustment_insert(struct setpay_db *db,
                         const struct setpay_adjustment *adjustment) SETPAY_MUST_CHECK;
/* Those that name the settlement. */
enum setpay_error setpay_adjustment_sums_of(struct setpay_db *db, int64_t settlement,
                                            struct setpay_adjustment_sums *sums) SETPAY_MUST_CHECK;
/* Those of a merchant and currency (like) that were made up to the cut-off and are not settled. */
enum setpay_error setpay_adjustment_waiting(struct setpay_db *db,
                                            const struct setpay_adjustment *like,
                                            setpay_time_ms cut_off_ms,
                                            struct setpay_adjustment_sums *sums) SETPAY_MUST_CHECK;
/* Gives these to a settlement: as many as sums says, or SETPAY_E_INTERNAL. */
enum setpay_error
setpay_adjustment_settle(struct setpay_db *db, const struct setpay_adjustment *like,
                         setpay_time_ms cut_off_ms, int64_t settlement,
                         const struct setpay_adjustment_sums *sums) SETPAY_MUST_CHECK;

#endif
