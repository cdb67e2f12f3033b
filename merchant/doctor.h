/*
 * What the merchant's doctor looks at besides what every daemon's does.
 */
#ifndef SETPAY_MERCHANT_DOCTOR_H
#define SETPAY_MERCHANT_DOCTOR_H

#include "common/net/doctor.h"

/* The gateway, as each brand's certificate reaches it, and the authority. */
void setpay_merchant_doctor_peers(struct setpay_doctor *doctor, const char *url);

#endif
