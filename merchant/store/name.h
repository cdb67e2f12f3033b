/*
 * Names that others see of what the store keeps: a prefix that says the kind, and 100 random bits.
 */
#ifndef SETPAY_MERCHANT_STORE_NAME_H
#define SETPAY_MERCHANT_STORE_NAME_H

#include "common/base/error.h"

/* A prefix of 4 ("ord_"), 20 of 0-9 a-z without i, l, o, u, and the NUL. */
#define SETPAY_NAME_SIZE 25

/* A fresh name into out (SETPAY_NAME_SIZE). SETPAY_E_RANDOM. */
enum setpay_error setpay_name_make(const char prefix[5], char *out) SETPAY_MUST_CHECK;

#endif
