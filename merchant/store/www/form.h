/*
 * What a browser sends of a form, application/x-www-form-urlencoded. Pure.
 */
#ifndef SETPAY_MERCHANT_WWW_FORM_H
#define SETPAY_MERCHANT_WWW_FORM_H

#include "common/base/bytes.h"
#include "common/base/error.h"

#include <stddef.h>

#define SETPAY_FORM_FIELDS_MAX 128
#define SETPAY_FORM_BYTES_MAX 16384

/* Zeroed memory is an empty one. */
struct setpay_form {
    char *text; /* owned: all names and values, decoded */
    size_t count;
    struct {
        const char *name;
        const char *value;
    } fields[SETPAY_FORM_FIELDS_MAX];
};

/* *form must be empty; clear it after SETPAY_OK. SETPAY_E_INVALID: not percent-encoded UTF-8
 * without NUL, a field without a name, or one given twice; SETPAY_E_TOO_BIG, SETPAY_E_NOMEM. */
enum setpay_error setpay_form_parse(struct setpay_view body,
                                    struct setpay_form *form) SETPAY_MUST_CHECK;
void setpay_form_clear(struct setpay_form *form);
/* "" for a field that is not there. */
const char *setpay_form_get(const struct setpay_form *form, const char *name);
/* Copies it without the blanks around it. SETPAY_E_TOO_BIG, text is then cut between characters. */
enum setpay_error setpay_form_copy(const struct setpay_form *form, const char *name, char *text,
                                   size_t size) SETPAY_MUST_CHECK;

#endif
