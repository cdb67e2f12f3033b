/*
 * What an issuer was asked to book: numbers and amounts, as a reconciliation (0500) compares them.
 */
#ifndef SETPAY_GATEWAY_NETWORK_TOTALS_H
#define SETPAY_GATEWAY_NETWORK_TOTALS_H

#include "common/base/error.h"
#include "gateway/network/iso8583.h"

#include <stdbool.h>
#include <stdint.h>

/* What went to one issuer, in one currency, in one period of its reconciliation. */
struct setpay_network_totals {
    int64_t credit_count, credit_minor;                   /* given back to cardholders */
    int64_t credit_reversal_count, credit_reversal_minor; /* of an earlier period, undone in this */
    int64_t debit_count, debit_minor;                     /* charged */
    int64_t debit_reversal_count, debit_reversal_minor;   /* as above */
};
bool setpay_network_totals_equal(const struct setpay_network_totals *a,
                                 const struct setpay_network_totals *b);
/* What the issuer owes by them; below 0: is owed. */
int64_t setpay_network_totals_net(const struct setpay_network_totals *totals);

/* Fields 74 to 77, 86 to 89 and 97 (to be set: from the others; get does not look at it).
 * SETPAY_E_FIELD. */
enum setpay_error setpay_totals_set(struct setpay_iso_message *message,
                                    const struct setpay_network_totals *totals) SETPAY_MUST_CHECK;
enum setpay_error setpay_totals_get(const struct setpay_iso_message *message,
                                    struct setpay_network_totals *totals) SETPAY_MUST_CHECK;

#endif
