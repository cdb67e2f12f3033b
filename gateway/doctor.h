/*
 * What the gateway's doctor looks at besides what every daemon's does.
 */
#ifndef SETPAY_GATEWAY_DOCTOR_H
#define SETPAY_GATEWAY_DOCTOR_H

#include "common/net/doctor.h"

/* The issuers of the configuration, and the authority. */
void setpay_gateway_doctor_peers(struct setpay_doctor *doctor, const char *url);

#endif
