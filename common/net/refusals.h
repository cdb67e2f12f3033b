/*
 * How often requests of other parties are refused, by the kind of reason: one figure for merchant
 * and gateway, setpay_refusals_total, from which an operator sees a clock that is off, certificates
 * that end, or a daemon that has too much to do.
 */
#ifndef SETPAY_NET_REFUSALS_H
#define SETPAY_NET_REFUSALS_H

#include "common/base/error.h"

/* Makes the figure show, as 0. */
enum setpay_error setpay_refusals_register(void) SETPAY_MUST_CHECK;
/* One request was refused with this error. Any thread. */
void setpay_refusals_count(enum setpay_error error);
/* The label's value for an error, as the page of figures lists them. */
const char *setpay_refusals_reason(enum setpay_error error);

#endif
