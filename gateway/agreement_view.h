/*
 * What payment.show says of an agreement.
 */
#ifndef SETPAY_GATEWAY_AGREEMENT_VIEW_H
#define SETPAY_GATEWAY_AGREEMENT_VIEW_H

#include "common/base/error.h"
#include "common/store/db.h"
#include "gateway/payment/payment.h"

#include <jansson.h>

/* Adds "agreement" to object, where the terms of this first authorisation go on: its terms, when it
 * was cancelled, and each authorisation that there is. */
enum setpay_error setpay_gateway_show_agreement(struct setpay_db *db,
                                                const struct setpay_payment *payment,
                                                json_t *object) SETPAY_MUST_CHECK;

#endif
