/*
 * A QR code as an SVG element, in black on white whatever the page's colours are, so that every
 * camera reads it.
 */
#ifndef SETPAY_MERCHANT_WWW_QR_H
#define SETPAY_MERCHANT_WWW_QR_H

#include "common/base/bytes.h"
#include "common/base/error.h"

#define SETPAY_QR_BYTES_MAX 65536

/* Appends it; nothing of text stands in it as text. SETPAY_E_TOO_BIG, SETPAY_E_NOMEM. */
enum setpay_error setpay_qr_svg(struct setpay_view text,
                                struct setpay_buffer *svg) SETPAY_MUST_CHECK;

#endif
