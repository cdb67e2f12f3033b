/*
 * Which card numbers an issuer takes: a list of leading digits.
 */
#ifndef SETPAY_GATEWAY_NETWORK_PREFIXES_H
#define SETPAY_GATEWAY_NETWORK_PREFIXES_H

#include "common/base/bytes.h"
#include "common/base/error.h"

#include <stddef.h>

#define SETPAY_PREFIXES_MAX 64
#define SETPAY_PREFIX_DIGITS_MAX 11

/* PANs whose first digits lie between low and high (both of one length, "" takes any PAN). */
struct setpay_prefix {
    char low[SETPAY_PREFIX_DIGITS_MAX + 1];
    char high[SETPAY_PREFIX_DIGITS_MAX + 1];
};

struct setpay_prefixes {
    struct setpay_prefix ranges[SETPAY_PREFIXES_MAX];
    size_t count;
};

/* Reads "4,51-55,2221-2720", "*", or "none" (of which the count is 0); blanks around the commas are
 * taken. SETPAY_E_CONFIG with words. */
enum setpay_error setpay_prefixes_parse(const char *text, struct setpay_prefixes *prefixes,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Digits of the longest prefix that this PAN begins with; -1 for none. */
int setpay_prefixes_match(const struct setpay_prefixes *prefixes, struct setpay_view pan);

#endif
