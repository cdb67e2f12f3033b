/*
 * Prefix lists are short and read once; matching looks at each. Nothing about the PAN leaves but
 * the length of what matched.
 */
#include "gateway/network/prefixes.h"

#include <stdbool.h>
#include <string.h>

static enum setpay_error prefix_refuse(const char *start, size_t size,
                                       struct setpay_problem *problem)
{
    return setpay_problem_set(
        problem, SETPAY_E_CONFIG,
        "card number prefix \"%.*s\": expected 1 to %d digits, a range of two "
        "that are equally long, *, or none alone",
        (int)(size > 40 ? 40 : size), start, SETPAY_PREFIX_DIGITS_MAX);
}

static enum setpay_error prefix_add(struct setpay_prefixes *prefixes, const char *start,
                                    size_t size, struct setpay_problem *problem)
{
    if (prefixes->count == SETPAY_PREFIXES_MAX)
        return setpay_problem_set(problem, SETPAY_E_CONFIG, "more than %d card number prefixes",
                                  SETPAY_PREFIXES_MAX);
    struct setpay_prefix *range = &prefixes->ranges[prefixes->count];
    size_t digits = strspn(start, "0123456789");
    if (size == 1 && start[0] == '*') {
        prefixes->count++;
        return SETPAY_OK;
    }
    if (digits == 0 || digits > SETPAY_PREFIX_DIGITS_MAX || digits > size)
        return prefix_refuse(start, size, problem);
    memcpy(range->low, start, digits);
    memcpy(range->high, start, digits);
    if (size != digits) {
        if (start[digits] != '-' || size != 2 * digits + 1 ||
            strspn(start + digits + 1, "0123456789") < digits)
            return prefix_refuse(start, size, problem);
        memcpy(range->high, start + digits + 1, digits);
        if (strcmp(range->low, range->high) > 0)
            return prefix_refuse(start, size, problem);
    }
    prefixes->count++;
    return SETPAY_OK;
}

enum setpay_error setpay_prefixes_parse(const char *text, struct setpay_prefixes *prefixes,
                                        struct setpay_problem *problem)
{
    struct setpay_prefixes read = {.count = 0};
    bool none = strcmp(text, "none") == 0;
    for (const char *at = text; !none; at++) {
        at += strspn(at, " \t");
        size_t size = strcspn(at, ", \t");
        SETPAY_TRY(prefix_add(&read, at, size, problem));
        at += size;
        at += strspn(at, " \t");
        if (*at == '\0')
            break;
        if (*at != ',')
            return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                      "card number prefixes are separated by commas");
    }
    *prefixes = read;
    return SETPAY_OK;
}

int setpay_prefixes_match(const struct setpay_prefixes *prefixes, struct setpay_view pan)
{
    int best = -1;
    for (size_t i = 0; i < prefixes->count; i++) {
        const struct setpay_prefix *range = &prefixes->ranges[i];
        size_t size = strlen(range->low);
        if (size <= pan.size && memcmp(range->low, pan.data, size) <= 0 &&
            memcmp(range->high, pan.data, size) >= 0 && (int)size > best)
            best = (int)size;
    }
    return best;
}
