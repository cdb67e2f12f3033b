/*
 * The gateway's daemon as its operator's program sees it.
 */
#ifndef SETPAY_GATEWAY_GATEWAYD_H
#define SETPAY_GATEWAY_GATEWAYD_H

#include "common/net/service.h"

/* Name, options, schema and commands of setpay-gatewayd. */
extern const struct setpay_service_spec setpay_gatewayd_spec;

#endif
