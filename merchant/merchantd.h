/*
 * The merchant's daemon as its operator's program sees it.
 */
#ifndef SETPAY_MERCHANT_MERCHANTD_H
#define SETPAY_MERCHANT_MERCHANTD_H

#include "common/net/service.h"

/* Name, options, schema and commands of setpay-merchantd. Its first migration holds, beside the
 * payment side's tables, SETPAY_ORDER_SCHEMA, SETPAY_TOKEN_SCHEMA and SETPAY_IDEMPOTENCY_SCHEMA;
 * its commands hold SETPAY_MERCHANT_CONTROL_COMMANDS. */
extern const struct setpay_service_spec setpay_merchantd_spec;

#endif
