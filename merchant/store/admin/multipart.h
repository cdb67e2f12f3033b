/*
 * A form with a file in it, multipart/form-data (RFC 7578). Pure.
 */
#ifndef SETPAY_MERCHANT_ADMIN_MULTIPART_H
#define SETPAY_MERCHANT_ADMIN_MULTIPART_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "merchant/store/www/form.h"

#define SETPAY_MULTIPART_PARTS_MAX 32

/*
 * What is text into *form, which must be empty (clear it after SETPAY_OK); the one file, where
 * there is one, into file, up to its maximum. content_type: of the request; its name of a file and
 * type of a part are what the sender says, and are not looked at.
 *
 * SETPAY_E_INVALID: no such form, cut short, one within another, two files, or a text that
 * setpay_form_parse would not take either; SETPAY_E_TOO_BIG, SETPAY_E_NOMEM.
 */
enum setpay_error setpay_multipart_parse(const char *content_type, struct setpay_view body,
                                         struct setpay_form *form,
                                         struct setpay_buffer *file) SETPAY_MUST_CHECK;

#endif
