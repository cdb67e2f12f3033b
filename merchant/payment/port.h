/*
 * The store's view of purchases and its wishes, kept as rows: the worker that drives a purchase
 * hears of a wish by the store's note.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_PORT_H
#define SETPAY_MERCHANT_PAYMENT_PORT_H

#include "merchant/store/payment_port.h"

extern const struct setpay_payment_port setpay_merchant_payment_port;

#endif
