/*
 * Giving up a reversal that can never be sent, since its card is gone or its issuer is no longer
 * there: to merchant and cardholder it stays done, and the issuer has not heard of it. So what it
 * holds ends there by itself; and a sale that it was to undo is charged by that issuer still: it
 * counts with the issuer's totals as one that was not undone.
 */
#ifndef SETPAY_GATEWAY_CLEARING_REVERSAL_WRITE_OFF_H
#define SETPAY_GATEWAY_CLEARING_REVERSAL_WRITE_OFF_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "gateway/clearing/ledger.h"
#include "gateway/clearing/presentment.h"
#include "gateway/network/network.h"

#include <stdint.h>

/* Of a later step of the gateway's schema. reason, write_off: of one that the operator gave up, the
 * second computed of what was told with it. */
#define SETPAY_REVERSAL_WRITE_OFF_SCHEMA                                                           \
    "ALTER TABLE reversal ADD COLUMN reason TEXT NOT NULL DEFAULT '';"                             \
    "ALTER TABLE reversal ADD COLUMN write_off BLOB;"                                              \
    "CREATE UNIQUE INDEX reversal_write_off ON reversal (write_off);"
/* In the place of its issuer's response code. */
#define SETPAY_REVERSAL_WRITTEN_OFF "WO"

/* One reversal with its payment, and what was told with its end. */
struct setpay_reversal_write_off {
    int64_t id;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char issuer[SETPAY_NETWORK_NAME_SIZE];
    struct setpay_id xid;
    struct setpay_money amount;
    setpay_time_ms at_ms;
    char reason[SETPAY_WRITE_OFF_REASON_SIZE];
};

/* The event of its entry: computed of all that was told with it, but for the amount, which is
 * posted, and the currency, which stands in the entry. SETPAY_E_CRYPTO. */
enum setpay_error setpay_reversal_write_off_token(const struct setpay_reversal_write_off *off,
                                                  struct setpay_id *token) SETPAY_MUST_CHECK;
/* Pure: the postings. Nothing changes hands here: the amount goes out of issuer receivable and in
 * again, so that the entry holds when and why. */
void setpay_reversal_write_off_post(int64_t amount_minor, struct setpay_ledger_entry *entry);
/* The one with that event. SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_reversal_write_off_find(struct setpay_db *db, const struct setpay_id *event,
                               struct setpay_reversal_write_off *off) SETPAY_MUST_CHECK;
/* In an operation: the reversal is given up, with an entry. Whether it may be is the caller's to
 * have asked. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_reversal_write_off(struct setpay_db *db, int64_t reversal,
                                            setpay_time_ms at_ms,
                                            const char *reason) SETPAY_MUST_CHECK;

#endif
