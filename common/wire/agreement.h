/*
 * Agreements: what the terms that a cardholder has signed permit, payment by payment. The gateway
 * asks before it authorises, the wallet when a receipt comes, and whoever judges a chain of
 * receipts: one function for all, so that they can't differ. Pure.
 */
#ifndef SETPAY_WIRE_AGREEMENT_H
#define SETPAY_WIRE_AGREEMENT_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/money.h"
#include "common/wire/messages.h"

#include <stdbool.h>

/* Shipments of one order are not without end, and no more receipts than a wallet can fetch. */
#define SETPAY_AGREEMENT_SPLITS_MAX 64

/* Whether terms can be agreed to at all for a purchase of that amount (rules W4, G4): an instalment
 * is at most the whole; the first of recurring payments is the amount, and at most each; the end
 * lies ahead of from_ms. SINGLE and SPLIT always can. */
bool setpay_terms_are_sound(const struct setpay_terms *terms, const struct setpay_money *amount,
                            setpay_time_ms from_ms);
/* Whether anything but the first authorisation may ever follow. */
bool setpay_terms_go_on(const struct setpay_terms *terms);
/* The most that one authorisation may be. */
int64_t setpay_terms_each_max(const struct setpay_terms *terms, const struct setpay_money *amount);
/* The most that all together may come to, less what was reversed. */
int64_t setpay_terms_total_max(const struct setpay_terms *terms, const struct setpay_money *amount);

/* What has been taken of an agreement. Zeroed memory: nothing yet. */
struct setpay_agreement_taken {
    uint32_t count;         /* authorisations that were approved, also if reversed since */
    int64_t minor;          /* approved, less what was reversed */
    setpay_time_ms last_ms; /* when the newest was approved */
    bool cancelled;
};

/* What is wrong with a payment, for the person; static strings. */
#define SETPAY_AGREEMENT_AMOUNT "amount"
#define SETPAY_AGREEMENT_TOTAL "total"
#define SETPAY_AGREEMENT_COUNT "count"
#define SETPAY_AGREEMENT_INTERVAL "interval"
#define SETPAY_AGREEMENT_END "end"
#define SETPAY_AGREEMENT_CANCELLED "cancellation"
#define SETPAY_AGREEMENT_REVERSED "reversal"

/*
 * Rule G6: whether a payment of minor at at_ms is within what was agreed to, after taken. slack_ms
 * is added to the end: 0 for who decides, the tolerance of dates for who reads what was decided.
 * SETPAY_E_CANCELLED; SETPAY_E_AGREEMENT_OVER (SINGLE, count used up, all that was authorised was
 * reversed, or the end has passed); SETPAY_E_AMOUNT_LIMIT (more than each, or than is left);
 * SETPAY_E_TOO_SOON. *breaks (may be NULL) then names what.
 */
enum setpay_error setpay_agreement_check(const struct setpay_terms *terms,
                                         const struct setpay_money *amount,
                                         const struct setpay_agreement_taken *taken, int64_t minor,
                                         setpay_time_ms at_ms, int64_t slack_ms,
                                         const char **breaks) SETPAY_MUST_CHECK;

/* The earliest time at which the next may be, INT64_MAX where none may. */
setpay_time_ms setpay_agreement_next_ms(const struct setpay_terms *terms,
                                        const struct setpay_money *amount,
                                        const struct setpay_agreement_taken *taken,
                                        setpay_time_ms now_ms);

#endif
