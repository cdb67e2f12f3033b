/*
 * The rows differ in everything: shares with halves that fall between two units, fixed parts above
 * small amounts, a share or a fixed part alone. One brand and currency costs nothing.
 */
#include "tests/support/test_trade_fees.h"

#include <stdio.h>
#include <string.h>

#define WHOLE 1000000 /* parts per million */

__extension__ typedef __int128 wide; /* 64 bits would not hold the products */

struct fee {
    const char *text; /* as the configuration has it */
    int64_t ppm, fixed;
};

struct row {
    const char *brand, *currency;
    struct fee interchange, merchant;
};

static const struct row rows[] = {
    {"visa", "EUR", {"0.2 %", 2000, 0}, {"0.9 % + 0.10", 9000, 10}},
    {"visa", "JPY", {"0.25 % + 1", 2500, 1}, {"1.5 % + 3", 15000, 3}},
    {"visa", "KWD", {"0.5 %", 5000, 0}, {"0.125 % + 0.050", 1250, 50}},
    {"mastercard", "EUR", {"0.3 % + 0.02", 3000, 2}, {"1.25 %", 12500, 0}},
    {"mastercard", "JPY", {"0.0001 %", 1, 0}, {"20", 0, 20}},
};
#define ROWS (sizeof rows / sizeof rows[0])

void test_trade_fees_print(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < ROWS && used < size; i++)
        used += (size_t)snprintf(text + used, size - used,
                                 "\n[fees %s.%s]\ninterchange = %s\nmerchant = %s\n", rows[i].brand,
                                 rows[i].currency, rows[i].interchange.text, rows[i].merchant.text);
}

/* The whole number that is nearest to above / below, of two that are as near the even one. */
static int64_t nearest(wide above, wide below)
{
    int64_t low = 0, high = INT64_MAX / 4;
    while (low < high) { /* the last one that is not above it */
        int64_t middle = low + (high - low + 1) / 2;
        if (middle * below <= above)
            low = middle;
        else
            high = middle - 1;
    }
    wide under = above - low * below, over = (low + 1) * below - above;
    if (under == over)
        return low % 2 == 0 ? low : low + 1;
    return under < over ? low : low + 1;
}

static int64_t cost(const struct fee *fee, int64_t minor)
{
    int64_t all = nearest((wide)minor * fee->ppm, WHOLE) + fee->fixed;
    return all < minor ? all : minor;
}

struct test_trade_charges test_trade_charges_of(const char *brand, const char *currency,
                                                int64_t minor)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].brand, brand) == 0 && strcmp(rows[i].currency, currency) == 0)
            return (struct test_trade_charges){.interchange = cost(&rows[i].interchange, minor),
                                               .fee = cost(&rows[i].merchant, minor)};
    }
    return (struct test_trade_charges){0};
}

int64_t test_trade_given_back(int64_t kept, int64_t captured, int64_t credited, int64_t given,
                              int64_t credit)
{
    int64_t all = nearest((wide)kept * (credited + credit), captured);
    if (all <= given)
        return 0;
    return all - given < credit ? all - given : credit;
}
