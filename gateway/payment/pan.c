/*
 * Card numbers: which belong to a brand, and which are numbers of cards at all (rule G5). Every
 * refusal is the same error; the number itself goes nowhere.
 */
#include "gateway/payment/gateway.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const struct setpay_gateway_brand *setpay_gateway_find_brand(const struct setpay_gateway *gateway,
                                                             const char *name)
{
    for (size_t i = 0; i < gateway->brand_count; i++) {
        if (strcmp(gateway->brands[i].name, name) == 0)
            return &gateway->brands[i];
    }
    return NULL;
}

/* One run of 1 to 8 digits at *at, which is moved behind it. */
static bool read_digits(const char **at, uint32_t *value, unsigned *digits)
{
    uint32_t number = 0;
    unsigned count = 0;
    while (isdigit((unsigned char)**at) && count < 9) {
        number = number * 10 + (uint32_t)(**at - '0');
        (*at)++;
        count++;
    }
    *value = number;
    *digits = count;
    return count >= 1 && count <= 8;
}

enum setpay_error setpay_pan_ranges_parse(const char *text, struct setpay_pan_range *ranges,
                                          size_t room, size_t *count,
                                          struct setpay_problem *problem)
{
    const char *at = text;
    size_t found = 0;
    for (;;) {
        struct setpay_pan_range range = {0};
        unsigned last_digits = 0;
        bool good = found < room && read_digits(&at, &range.first, &range.digits);
        range.last = range.first;
        if (good && *at == '-') {
            at++;
            good = read_digits(&at, &range.last, &last_digits) && last_digits == range.digits &&
                   range.first <= range.last;
        }
        if (!good || (*at != '\0' && *at != ','))
            return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                      "pan_prefixes: '%s' is not a list like 4 or "
                                      "51-55,2221-2720 (1 to 8 digits each, at most %zu entries)",
                                      text, room);
        ranges[found++] = range;
        if (*at == '\0')
            break;
        at++;
    }
    *count = found;
    return SETPAY_OK;
}

enum setpay_error setpay_pan_check(const struct setpay_secret *pan,
                                   const struct setpay_pan_range *ranges, size_t count)
{
    if (pan->size < 12 || pan->size > 19)
        return SETPAY_E_ACCOUNT;
    unsigned sum = 0;
    uint32_t prefix[9] = {0}; /* prefix[n]: the first n digits as a number */
    for (size_t i = 0; i < pan->size; i++) {
        unsigned digit = (unsigned)pan->data[i] - '0';
        if (digit > 9)
            return SETPAY_E_ACCOUNT;
        if (i < 8)
            prefix[i + 1] = prefix[i] * 10 + digit;
        if ((pan->size - i) % 2 == 0) {
            digit *= 2;
            sum += digit > 9 ? digit - 9 : digit;
        } else {
            sum += digit;
        }
    }
    bool of_brand = false;
    for (size_t i = 0; i < count; i++) {
        uint32_t value = prefix[ranges[i].digits];
        of_brand = of_brand || (value >= ranges[i].first && value <= ranges[i].last);
    }
    setpay_cleanse(prefix, sizeof prefix);
    return sum % 10 == 0 && of_brand ? SETPAY_OK : SETPAY_E_ACCOUNT; /* rule G5 */
}
