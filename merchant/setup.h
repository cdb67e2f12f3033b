/*
 * The merchant from its configuration: keys, certificates, TLS contexts, times.
 */
#ifndef SETPAY_MERCHANT_SETUP_H
#define SETPAY_MERCHANT_SETUP_H

#include "common/base/error.h"
#include "common/net/service.h"
#include "merchant/payment/merchant.h"

/* Fills *merchant, which is zeroed. Clear it also after an error. */
enum setpay_error setpay_merchant_load(struct setpay_service *service,
                                       struct setpay_merchant *merchant,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_merchant_clear(struct setpay_merchant *merchant);

#endif
