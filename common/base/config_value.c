/*
 * The types of configuration values: their one text form, and words for what is expected.
 *
 * Always true: a value is read whole or refused; there is no second spelling (no "true", no "+5",
 * no "1.5h"), so that two files that mean the same look the same.
 */
#include "common/base/config_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define PORT_MAX 65535
#define HOST_BYTES_MAX ((size_t)253) /* RFC 1035 */
#define INSTANCE_BYTES_MAX ((size_t)64)
#define DISTANCE_NAME_MAX 64

/* Units from the smallest to the largest, each a multiple of the one before. */
static const struct {
    const char *name;
    int64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

static bool has_limits(const struct setpay_option *option)
{
    return option->minimum != 0 || option->maximum != 0;
}

static enum setpay_error check_limits(const struct setpay_option *option, int64_t value)
{
    if (has_limits(option) && (value < option->minimum || value > option->maximum))
        return SETPAY_E_CONFIG;
    return SETPAY_OK;
}

/* Digits at the start of text, after a minus where that may be; *rest is what follows. */
static enum setpay_error parse_number(const char *text, bool may_be_negative, int64_t *number,
                                      const char **rest)
{
    const char *digits = may_be_negative && *text == '-' ? text + 1 : text;
    char *end = NULL;
    long long value;

    if (strspn(digits, DIGITS) == 0)
        return SETPAY_E_CONFIG;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0)
        return SETPAY_E_CONFIG;
    *number = value;
    *rest = end;
    return SETPAY_OK;
}

static enum setpay_error parse_int(const struct setpay_option *option, const char *text,
                                   int64_t *number)
{
    const char *rest;
    int64_t value;

    SETPAY_TRY(parse_number(text, true, &value, &rest));
    if (*rest != '\0')
        return SETPAY_E_CONFIG;
    SETPAY_TRY(check_limits(option, value));
    *number = value;
    return SETPAY_OK;
}

static enum setpay_error parse_duration(const struct setpay_option *option, const char *text,
                                        int64_t *number)
{
    const char *unit;
    int64_t value;

    SETPAY_TRY(parse_number(text, false, &value, &unit));
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (strcmp(unit, units[i].name) != 0)
            continue;
        if (value > INT64_MAX / units[i].ms)
            return SETPAY_E_CONFIG;
        SETPAY_TRY(check_limits(option, value * units[i].ms));
        *number = value * units[i].ms;
        return SETPAY_OK;
    }
    return SETPAY_E_CONFIG;
}

static enum setpay_error parse_bool(const char *text, int64_t *number)
{
    if (strcmp(text, "yes") == 0)
        *number = 1;
    else if (strcmp(text, "no") == 0)
        *number = 0;
    else
        return SETPAY_E_CONFIG;
    return SETPAY_OK;
}

static enum setpay_error check_port(const char *text)
{
    const char *rest;
    int64_t port;

    SETPAY_TRY(parse_number(text, false, &port, &rest));
    return *rest == '\0' && port <= PORT_MAX ? SETPAY_OK : SETPAY_E_CONFIG;
}

static enum setpay_error check_address(const char *text)
{
    char host[INET6_ADDRSTRLEN];
    struct in6_addr binary;
    const char *end;
    size_t size;

    if (text[0] != '[') {
        size = strspn(text, DIGITS LETTERS ".-");
        if (size == 0 || size > HOST_BYTES_MAX || text[size] != ':')
            return SETPAY_E_CONFIG;
        return check_port(text + size + 1);
    }
    end = strchr(text, ']');
    if (end == NULL || end[1] != ':')
        return SETPAY_E_CONFIG;
    size = (size_t)(end - text) - 1;
    if (size >= sizeof(host))
        return SETPAY_E_CONFIG;
    memcpy(host, text + 1, size);
    host[size] = '\0';
    if (inet_pton(AF_INET6, host, &binary) != 1)
        return SETPAY_E_CONFIG;
    return check_port(end + 2);
}

static enum setpay_error check_choice(const char *choices, const char *text)
{
    size_t size = strlen(text);

    while (size > 0 && strchr(text, '|') == NULL) {
        size_t length = strcspn(choices, "|");
        if (length == size && strncmp(choices, text, size) == 0)
            return SETPAY_OK;
        if (choices[length] == '\0')
            break;
        choices += length + 1;
    }
    return SETPAY_E_CONFIG;
}

enum setpay_error setpay_config_value_parse(const struct setpay_option *option, const char *text,
                                            int64_t *number)
{
    switch (option->type) {
    case SETPAY_OPTION_TEXT:
        return SETPAY_OK;
    case SETPAY_OPTION_PATH:
    case SETPAY_OPTION_FILE:
    case SETPAY_OPTION_SECRET_FILE:
    case SETPAY_OPTION_MACHINE_FILE:
    case SETPAY_OPTION_FOLDER:
        return *text != '\0' ? SETPAY_OK : SETPAY_E_CONFIG;
    case SETPAY_OPTION_INT:
        return parse_int(option, text, number);
    case SETPAY_OPTION_BOOL:
        return parse_bool(text, number);
    case SETPAY_OPTION_DURATION:
        return parse_duration(option, text, number);
    case SETPAY_OPTION_ADDRESS:
        return check_address(text);
    case SETPAY_OPTION_CHOICE:
        return check_choice(option->choices, text);
    }
    return SETPAY_E_CONFIG;
}

bool setpay_config_is_path(enum setpay_option_type type)
{
    return type == SETPAY_OPTION_PATH || type == SETPAY_OPTION_FILE ||
           type == SETPAY_OPTION_SECRET_FILE || type == SETPAY_OPTION_MACHINE_FILE ||
           type == SETPAY_OPTION_FOLDER;
}

bool setpay_config_has_text(enum setpay_option_type type)
{
    return type == SETPAY_OPTION_TEXT || setpay_config_is_path(type) ||
           type == SETPAY_OPTION_ADDRESS || type == SETPAY_OPTION_CHOICE;
}

/* In the largest unit that says it exactly. */
static const char *format_duration(int64_t ms, char *out, size_t size)
{
    size_t unit = 0;

    while (ms != 0 && unit + 1 < UNIT_COUNT && ms % units[unit + 1].ms == 0)
        unit++;
    (void)snprintf(out, size, "%" PRId64 "%s", ms / units[unit].ms, units[unit].name);
    return out;
}

const char *setpay_config_expected(const struct setpay_option *option, char *out)
{
    char low[32];
    char high[32];
    const size_t size = SETPAY_CONFIG_EXPECTED_SIZE;

    switch (option->type) {
    case SETPAY_OPTION_TEXT:
        (void)snprintf(out, size, "a text");
        break;
    case SETPAY_OPTION_PATH:
    case SETPAY_OPTION_FILE:
    case SETPAY_OPTION_SECRET_FILE:
    case SETPAY_OPTION_MACHINE_FILE:
    case SETPAY_OPTION_FOLDER:
        (void)snprintf(out, size, "a path");
        break;
    case SETPAY_OPTION_INT:
        if (has_limits(option))
            (void)snprintf(out, size, "a whole number from %" PRId64 " to %" PRId64,
                           option->minimum, option->maximum);
        else
            (void)snprintf(out, size, "a whole number");
        break;
    case SETPAY_OPTION_BOOL:
        (void)snprintf(out, size, "yes or no");
        break;
    case SETPAY_OPTION_DURATION:
        if (has_limits(option))
            (void)snprintf(out, size, "a duration (250ms, 5s, 10m, 24h, 7d) from %s to %s",
                           format_duration(option->minimum, low, sizeof(low)),
                           format_duration(option->maximum, high, sizeof(high)));
        else
            (void)snprintf(out, size, "a duration (250ms, 5s, 10m, 24h, 7d)");
        break;
    case SETPAY_OPTION_ADDRESS:
        (void)snprintf(out, size, "an address (HOST:PORT or [IPV6]:PORT, port at most %d)",
                       PORT_MAX);
        break;
    case SETPAY_OPTION_CHOICE:
        (void)snprintf(out, size, "one of %s", option->choices);
        break;
    }
    return out;
}

bool setpay_config_is_instance_name(const char *text)
{
    size_t size = strspn(text, DIGITS LETTERS "._-");

    return size > 0 && size <= INSTANCE_BYTES_MAX && text[size] == '\0';
}

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

unsigned setpay_config_distance(const char *a, const char *b)
{
    unsigned row[DISTANCE_NAME_MAX + 1];
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);

    if (a_size > DISTANCE_NAME_MAX || b_size > DISTANCE_NAME_MAX)
        return DISTANCE_NAME_MAX;
    for (unsigned j = 0; j <= b_size; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a_size; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= b_size; j++) {
            unsigned above = row[j];

            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_size];
}

unsigned setpay_config_slip(const char *name)
{
    size_t third = strlen(name) / 3;

    return third > 2 ? (unsigned)third : 2;
}
