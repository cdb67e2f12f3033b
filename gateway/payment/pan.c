/*
 * Card numbers: which are numbers of cards at all, and which belong to a brand (rule G5). Every
 * refusal is the same error; the number itself goes nowhere.
 */
#include "gateway/payment/gateway.h"

#include <string.h>

#define PAN_DIGITS_MIN 12
#define PAN_DIGITS_MAX 19

const struct setpay_gateway_brand *setpay_gateway_find_brand(const struct setpay_gateway *gateway,
                                                             const char *name)
{
    for (size_t i = 0; i < gateway->brand_count; i++) {
        if (strcmp(gateway->brands[i].name, name) == 0)
            return &gateway->brands[i];
    }
    return NULL;
}

enum setpay_error setpay_pan_check(const struct setpay_secret *pan,
                                   const struct setpay_prefixes *prefixes)
{
    unsigned sum = 0;
    if (pan->size < PAN_DIGITS_MIN || pan->size > PAN_DIGITS_MAX)
        return SETPAY_E_ACCOUNT; /* rule G5 */
    for (size_t i = 0; i < pan->size; i++) {
        unsigned digit = (unsigned)pan->data[i] - '0';
        if (digit > 9)
            return SETPAY_E_ACCOUNT;
        /* Luhn: every second digit counts double, the last one single. */
        if ((pan->size - i) % 2 == 0)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    if (sum % 10 != 0)
        return SETPAY_E_ACCOUNT;
    return setpay_prefixes_match(prefixes, setpay_secret_view(pan)) >= 0 ? SETPAY_OK
                                                                         : SETPAY_E_ACCOUNT;
}
