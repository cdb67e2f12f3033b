/*
 * Passwords of the owner's accounts, kept as scrypt (RFC 7914) by OpenSSL, each with a salt and the
 * costs that it was made with: "scrypt$15$8$1$SALT$KEY". With N = 2^15 one takes 32 MiB and about a
 * tenth of a second, so: never on a loop, never inside an operation.
 */
#ifndef SETPAY_MERCHANT_ADMIN_PASSWORD_H
#define SETPAY_MERCHANT_ADMIN_PASSWORD_H

#include "common/base/bytes.h"
#include "common/base/error.h"

#include <stdbool.h>

#define SETPAY_PASSWORD_BYTES_MIN 12
#define SETPAY_PASSWORD_BYTES_MAX 256
#define SETPAY_PASSWORD_TEXT_SIZE 96

/* Into text (SETPAY_PASSWORD_TEXT_SIZE). SETPAY_E_INVALID for a length out of these bounds,
 * SETPAY_E_RANDOM, SETPAY_E_CRYPTO. */
enum setpay_error setpay_password_make(struct setpay_view password, char *text) SETPAY_MUST_CHECK;
/* SETPAY_E_PERMISSION where it is another one. text NULL, for an account that is not there: takes
 * as long, and is another one. SETPAY_E_STORE for a text that none has made. */
enum setpay_error setpay_password_check(struct setpay_view password,
                                        const char *text) SETPAY_MUST_CHECK;

#endif
