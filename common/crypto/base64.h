/*
 * Base64 as in RFC 4648 section 4, for what may be a secret: passwords of HTTP Basic, certificate
 * requests and the certificates of EST.
 */
#ifndef SETPAY_CRYPTO_BASE64_H
#define SETPAY_CRYPTO_BASE64_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/secret.h"

#include <stddef.h>

/* In one line, with padding, without a NUL; *text must be empty. SETPAY_E_INVALID for nothing or
 * more than 32 KiB. */
enum setpay_error setpay_base64_encode(struct setpay_view bytes,
                                       struct setpay_secret *text) SETPAY_MUST_CHECK;
/* Strictly: whole groups, padding at the end only; white space is passed over. *bytes must be
 * empty. SETPAY_E_INVALID, also for more than max bytes. */
enum setpay_error setpay_base64_decode(struct setpay_view text, size_t max,
                                       struct setpay_secret *bytes) SETPAY_MUST_CHECK;

#endif
