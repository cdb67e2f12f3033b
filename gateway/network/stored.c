/*
 * What stands in field 48 of a card that is kept: element 43 who and what, element 44 the first.
 * docs/iso8583.md has the values.
 */
#include "gateway/network/stored.h"

#include <stdio.h>
#include <string.h>

/* By enum setpay_network_agreed: what was agreed to, and the indicator of a payment that the
 * merchant has begun. */
static const struct {
    char agreed;
    const char *ecommerce_indicator;
} rows[] = {
    [SETPAY_NETWORK_ONCE] = {0, ""},
    [SETPAY_NETWORK_SPLIT] = {'S', "07"}, /* not authenticated this time */
    [SETPAY_NETWORK_INSTALMENT] = {'I', "03"},
    [SETPAY_NETWORK_RECURRING] = {'R', "02"},
};

void setpay_request_stored_of(const struct setpay_network_authorisation *request,
                              struct setpay_request_stored *stored)
{
    bool by_merchant = request->first.stan != 0;
    memset(stored, 0, sizeof *stored);
    snprintf(stored->ecommerce_indicator, sizeof stored->ecommerce_indicator, "%s",
             by_merchant ? rows[request->agreed].ecommerce_indicator
                         : request->ecommerce_indicator);
    if (request->agreed == SETPAY_NETWORK_ONCE)
        return;
    stored->indicator[0] = by_merchant ? 'M' : 'C';
    stored->indicator[1] = rows[request->agreed].agreed;
    if (by_merchant)
        setpay_network_trace_rrn(&request->first, stored->first);
}
