/*
 * The reserve: a share of what a settlement captured is held back from the merchant for a number of
 * days, against disputes that come late. It is given back by the first settlement of a day that is
 * so many days later, the oldest first.
 *
 * The share is of the gross amount of the captures (setpay_share_of: rounded to a whole minor unit,
 * a half to the even one); never more is held back than would be paid out.
 */
#ifndef SETPAY_GATEWAY_CLEARING_RESERVE_H
#define SETPAY_GATEWAY_CLEARING_RESERVE_H

#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/zone.h"
#include "common/store/db.h"
#include "gateway/clearing/settlement.h"

#include <stdint.h>

/* settlement_id: the one that held it; released_by: the one that gave it back (0: none yet), with
 * release as the event of its entry. */
#define SETPAY_RESERVE_SCHEMA                                                                      \
    "CREATE TABLE reserve ("                                                                       \
    " id INTEGER PRIMARY KEY, token BLOB NOT NULL UNIQUE, settlement_id INTEGER NOT NULL UNIQUE,"  \
    " brand TEXT NOT NULL, merchant_id TEXT NOT NULL, currency TEXT NOT NULL,"                     \
    " amount_minor INTEGER NOT NULL, due_day TEXT NOT NULL, released_by INTEGER NOT NULL,"         \
    " release BLOB);"                                                                              \
    "CREATE UNIQUE INDEX reserve_release ON reserve (release);"                                    \
    "CREATE INDEX reserve_merchant ON reserve (brand, merchant_id, released_by, due_day);"         \
    "CREATE INDEX reserve_released ON reserve (released_by);"

#define SETPAY_RESERVE_DAYS_DEFAULT 180
#define SETPAY_RESERVE_DAYS_MAX 3650

/* Pure. "2026-11-26" and 30 days: "2026-12-26". SETPAY_E_INVALID: day is no date. */
enum setpay_error setpay_reserve_due_day(const char *day, int64_t days,
                                         char due[SETPAY_DATE_TEXT_SIZE]) SETPAY_MUST_CHECK;
/* The events of the entries, computed of the settlement that holds it back; that of holding back
 * also of the day on which it is due, which stands nowhere else in the ledger. SETPAY_E_CRYPTO. */
enum setpay_error setpay_reserve_token(const struct setpay_id *settlement, const char *due_day,
                                       struct setpay_id *token) SETPAY_MUST_CHECK;
enum setpay_error setpay_reserve_release_token(const struct setpay_id *settlement,
                                               struct setpay_id *token) SETPAY_MUST_CHECK;
void setpay_reserve_post(int64_t amount_minor, struct setpay_ledger_entry *entry);
void setpay_reserve_release_post(int64_t amount_minor, struct setpay_ledger_entry *entry);

/* Of merchant and currency: what a settlement of that day gives back. */
enum setpay_error setpay_reserve_due(struct setpay_db *db,
                                     const struct setpay_settlement *settlement,
                                     int64_t *minor) SETPAY_MUST_CHECK;
/* Inside the operation of a settlement that is stored: gives back what is due, released_minor in
 * all (else SETPAY_E_INTERNAL); and holds held_minor back. */
enum setpay_error
setpay_reserve_release(struct setpay_db *db,
                       const struct setpay_settlement *settlement) SETPAY_MUST_CHECK;
enum setpay_error setpay_reserve_hold(struct setpay_db *db,
                                      const struct setpay_settlement *settlement) SETPAY_MUST_CHECK;

#endif
