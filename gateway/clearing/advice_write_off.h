/*
 * Giving up an advice of what was approved in an issuer's stead (payment/stand_in.h): one that can
 * never be sent, since its card is gone. From then on it is as one that its issuer has refused, but
 * for what it says of the card: that issuer has said nothing. What waits behind it is let go: what
 * was captured is presented, or given up by itself; what was reversed is given up with it, since
 * the issuer knows of nothing that could be reversed.
 */
#ifndef SETPAY_GATEWAY_CLEARING_ADVICE_WRITE_OFF_H
#define SETPAY_GATEWAY_CLEARING_ADVICE_WRITE_OFF_H

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

/* One advice with its payment, and what was told with its end. */
struct setpay_advice_write_off {
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
enum setpay_error setpay_advice_write_off_token(const struct setpay_advice_write_off *off,
                                                struct setpay_id *token) SETPAY_MUST_CHECK;
/* Pure: the postings. Nothing changes hands, nor is anything owed before it is captured: the amount
 * goes out of issuer receivable and in again, so that the entry holds when and why. */
void setpay_advice_write_off_post(int64_t amount_minor, struct setpay_ledger_entry *entry);
/* The one with that event. SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_advice_write_off_find(struct setpay_db *db, const struct setpay_id *event,
                             struct setpay_advice_write_off *off) SETPAY_MUST_CHECK;
/* In an operation: the advice, and what was reversed behind it, are given up, with an entry.
 * Whether it may be is the caller's to have asked (setpay_presentment_check_write_off).
 * SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_advice_write_off(struct setpay_db *db, int64_t advice,
                                          setpay_time_ms at_ms,
                                          const char *reason) SETPAY_MUST_CHECK;

#endif
