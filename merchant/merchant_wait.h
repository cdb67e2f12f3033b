/*
 * What setpay-merchant waits for after a command: the gateway's word.
 */
#ifndef SETPAY_MERCHANT_MERCHANT_WAIT_H
#define SETPAY_MERCHANT_MERCHANT_WAIT_H

#include "common/base/error.h"
#include "common/net/control_client.h"

#include <jansson.h>

/* Looks again, for a while, until what the command has asked for is decided. *result becomes the
 * order, {"captures":[…]} or {"batches":[…]}, alone. With it: SETPAY_E_TIMEOUT where it is not
 * decided yet, SETPAY_E_STATE where any of it was refused, also where batches differ. */
enum setpay_error
setpay_merchant_wait_for_gateway(struct setpay_control_client *client, json_t **result,
                                 struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
