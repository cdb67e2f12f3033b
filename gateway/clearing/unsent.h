/*
 * Giving up what can never be sent to an issuer, since its card is gone or its issuer is no longer
 * there. (Of presentments, which are money that is owed, see incoming.h.)
 *
 * An advice of what was approved in an issuer's stead (payment/stand_in.h) is from then on as one
 * that the issuer has refused, but for what it says of the card: that issuer has said nothing. What
 * was captured behind it is presented, or given up by itself; what was reversed behind it is given
 * up with it, since the issuer knows of nothing that could be reversed.
 *
 * A reversal stays done to merchant and cardholder, and the issuer has not heard of it. So what it
 * holds ends there by itself; and a sale that was to be undone is charged by that issuer still: it
 * counts with the issuer's totals as one that was not undone.
 */
#ifndef SETPAY_GATEWAY_CLEARING_UNSENT_H
#define SETPAY_GATEWAY_CLEARING_UNSENT_H

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

/* Of a later step of the gateway's schema; stand_in has the same columns (payment/stand_in.h).
 * reason, write_off: of one that the operator gave up, the second computed of what was told with
 * it. */
#define SETPAY_REVERSAL_WRITE_OFF_SCHEMA                                                           \
    "ALTER TABLE reversal ADD COLUMN reason TEXT NOT NULL DEFAULT '';"                             \
    "ALTER TABLE reversal ADD COLUMN write_off BLOB;"                                              \
    "CREATE UNIQUE INDEX reversal_write_off ON reversal (write_off);"
/* In the place of its issuer's response code. */
#define SETPAY_REVERSAL_WRITTEN_OFF "WO"

enum setpay_unsent { SETPAY_UNSENT_ADVICE, SETPAY_UNSENT_REVERSAL };

/* One of them with its payment, and what was told with its end. */
struct setpay_unsent_off {
    enum setpay_unsent kind;
    int64_t id;
    int64_t payment_id;
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
enum setpay_error setpay_unsent_token(const struct setpay_unsent_off *off,
                                      struct setpay_id *token) SETPAY_MUST_CHECK;
/* Pure: kind and postings. Nothing changes hands, nor is anything owed before it is captured: the
 * amount goes out of issuer receivable and in again, so that the entry holds when and why. */
void setpay_unsent_post(const struct setpay_unsent_off *off, struct setpay_ledger_entry *entry);
/* Pure: whose entry it is: brand, merchant and currency. */
void setpay_unsent_name(const struct setpay_unsent_off *off, struct setpay_ledger_entry *entry);
/* The one with that event. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_unsent_find(struct setpay_db *db, enum setpay_unsent kind,
                                     const struct setpay_id *event,
                                     struct setpay_unsent_off *off) SETPAY_MUST_CHECK;
/* In an operation: it is given up, with an entry, and what waits behind it. Whether it may be is
 * the caller's to have asked (setpay_presentment_check_write_off). SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_unsent_write_off(struct setpay_db *db, enum setpay_unsent kind, int64_t id,
                                          setpay_time_ms at_ms,
                                          const char *reason) SETPAY_MUST_CHECK;

#endif
