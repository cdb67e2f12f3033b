/*
 * Reports of settlements: what a day came to for merchants, as CSV, and as ISO 20022 messages that
 * banks and books read. Pure: the same settlements give the same report, but for when it was made.
 */
#ifndef SETPAY_GATEWAY_CLEARING_REPORT_H
#define SETPAY_GATEWAY_CLEARING_REPORT_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "gateway/clearing/dispute.h"
#include "gateway/clearing/incoming.h"
#include "gateway/clearing/items.h"
#include "gateway/clearing/settlement.h"

#include <stddef.h>

struct setpay_report {
    const char *gateway_id;
    const char *acquirer_id; /* as issuers know it: digits, without zeros in front */
    const char *day;
    setpay_time_ms created_ms;
    const struct setpay_settlement *settlements;
    size_t settlement_count;
    /* Of all settlements, for the reports that show them; those of one settlement stand together,
     * in the order of settlements. */
    const struct setpay_clearing_item *items;
    size_t item_count;
    /* That were held back or given back by them, likewise. */
    const struct setpay_gateway_dispute *disputes;
    size_t dispute_count;
    /* What came of what issuers had refused, likewise. */
    const struct setpay_suspense_told *cleared;
    size_t cleared_count;
};

#define SETPAY_REPORT_MAX ((size_t)1 << 30)

/* One line a settlement below a line of names. bytes is replaced. */
enum setpay_error setpay_report_csv(const struct setpay_report *report,
                                    struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
/* The items in the form of setpay-clearing(5), with this gateway's id for the issuer's name, and
 * what issuers have answered; dates are those of presenting. */
enum setpay_error setpay_report_clearing(const struct setpay_report *report,
                                         struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
/* report_items.c: each settlement with its items, disputes and clearings, for its merchant to
 * compare with its own books (setpay-settlement(5)). SETPAY_E_INTERNAL: one is not what its items
 * come to; SETPAY_E_NOT_FOUND without a settlement. */
enum setpay_error setpay_report_items(const struct setpay_report *report,
                                      struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
/* camt.c: camt.053.001.08, a statement of each merchant's account, from what was carried in to what
 * is carried out; and camt.054.001.08, a notification of each item, dispute and clearing. Either
 * needs a settlement: SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_report_camt_053(const struct setpay_report *report,
                                         struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_report_camt_054(const struct setpay_report *report,
                                         struct setpay_buffer *bytes) SETPAY_MUST_CHECK;

/* "-12.50": with the digits of the currency and without its name. */
#define SETPAY_REPORT_AMOUNT_SIZE SETPAY_MONEY_TEXT_SIZE
const char *setpay_report_amount(int64_t minor, const char *currency,
                                 char out[SETPAY_REPORT_AMOUNT_SIZE]);

#endif
