/*
 * Every key of the merchant's configuration.
 */
#ifndef SETPAY_MERCHANT_OPTIONS_H
#define SETPAY_MERCHANT_OPTIONS_H

#include "common/base/config.h"

extern const struct setpay_option setpay_merchant_options[];

#endif
