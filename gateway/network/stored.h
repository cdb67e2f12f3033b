/*
 * A card that is kept for later payments, as the issuer is told of it: who has begun this one, what
 * was agreed to, and the authorisation by which it was. Pure.
 */
#ifndef SETPAY_GATEWAY_NETWORK_STORED_H
#define SETPAY_GATEWAY_NETWORK_STORED_H

#include "gateway/network/network.h"

/* Elements of field 48 as texts; "" where there is none. */
struct setpay_request_stored {
    char ecommerce_indicator[3];
    char indicator[3];                   /* C or M; S, I or R */
    char first[SETPAY_NETWORK_RRN_SIZE]; /* with M: field 37 of the cardholder's */
};

void setpay_request_stored_of(const struct setpay_network_authorisation *request,
                              struct setpay_request_stored *stored);

#endif
