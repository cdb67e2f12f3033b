/*
 * Amounts and the currencies of ISO 4217.
 *
 * Always true: 0 <= minor <= SETPAY_MONEY_MAX_MINOR for every amount that a function here hands
 * out, and its currency is in the table; an amount handed in is checked first, since it may come
 * from a message or a database. As no operand is above twelve digits, a sum can't overflow int64;
 * the product can, and is checked before it is made.
 */
#include "common/base/money.h"

#include "common/base/limits.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/*
 * National currencies in use, by code. Left out on purpose: units of account, precious metals, test
 * and fund codes, in which no card is charged, and currencies that were withdrawn (BGN on
 * 2026-01-01; ANG became XCG, ZWL became ZWG).
 */
/* clang-format off */
static const struct setpay_currency currencies[] = {
    {"AED", 784, 2}, {"AFN", 971, 2}, {"ALL", 8, 2}, {"AMD", 51, 2},
    {"AOA", 973, 2}, {"ARS", 32, 2}, {"AUD", 36, 2}, {"AWG", 533, 2},
    {"AZN", 944, 2}, {"BAM", 977, 2}, {"BBD", 52, 2}, {"BDT", 50, 2},
    {"BHD", 48, 3}, {"BIF", 108, 0}, {"BMD", 60, 2}, {"BND", 96, 2},
    {"BOB", 68, 2}, {"BRL", 986, 2}, {"BSD", 44, 2}, {"BTN", 64, 2},
    {"BWP", 72, 2}, {"BYN", 933, 2}, {"BZD", 84, 2}, {"CAD", 124, 2},
    {"CDF", 976, 2}, {"CHF", 756, 2}, {"CLP", 152, 0}, {"CNY", 156, 2},
    {"COP", 170, 2}, {"CRC", 188, 2}, {"CUP", 192, 2}, {"CVE", 132, 2},
    {"CZK", 203, 2}, {"DJF", 262, 0}, {"DKK", 208, 2}, {"DOP", 214, 2},
    {"DZD", 12, 2}, {"EGP", 818, 2}, {"ERN", 232, 2}, {"ETB", 230, 2},
    {"EUR", 978, 2}, {"FJD", 242, 2}, {"FKP", 238, 2}, {"GBP", 826, 2},
    {"GEL", 981, 2}, {"GHS", 936, 2}, {"GIP", 292, 2}, {"GMD", 270, 2},
    {"GNF", 324, 0}, {"GTQ", 320, 2}, {"GYD", 328, 2}, {"HKD", 344, 2},
    {"HNL", 340, 2}, {"HTG", 332, 2}, {"HUF", 348, 2}, {"IDR", 360, 2},
    {"ILS", 376, 2}, {"INR", 356, 2}, {"IQD", 368, 3}, {"IRR", 364, 2},
    {"ISK", 352, 0}, {"JMD", 388, 2}, {"JOD", 400, 3}, {"JPY", 392, 0},
    {"KES", 404, 2}, {"KGS", 417, 2}, {"KHR", 116, 2}, {"KMF", 174, 0},
    {"KPW", 408, 2}, {"KRW", 410, 0}, {"KWD", 414, 3}, {"KYD", 136, 2},
    {"KZT", 398, 2}, {"LAK", 418, 2}, {"LBP", 422, 2}, {"LKR", 144, 2},
    {"LRD", 430, 2}, {"LSL", 426, 2}, {"LYD", 434, 3}, {"MAD", 504, 2},
    {"MDL", 498, 2}, {"MGA", 969, 2}, {"MKD", 807, 2}, {"MMK", 104, 2},
    {"MNT", 496, 2}, {"MOP", 446, 2}, {"MRU", 929, 2}, {"MUR", 480, 2},
    {"MVR", 462, 2}, {"MWK", 454, 2}, {"MXN", 484, 2}, {"MYR", 458, 2},
    {"MZN", 943, 2}, {"NAD", 516, 2}, {"NGN", 566, 2}, {"NIO", 558, 2},
    {"NOK", 578, 2}, {"NPR", 524, 2}, {"NZD", 554, 2}, {"OMR", 512, 3},
    {"PAB", 590, 2}, {"PEN", 604, 2}, {"PGK", 598, 2}, {"PHP", 608, 2},
    {"PKR", 586, 2}, {"PLN", 985, 2}, {"PYG", 600, 0}, {"QAR", 634, 2},
    {"RON", 946, 2}, {"RSD", 941, 2}, {"RUB", 643, 2}, {"RWF", 646, 0},
    {"SAR", 682, 2}, {"SBD", 90, 2}, {"SCR", 690, 2}, {"SDG", 938, 2},
    {"SEK", 752, 2}, {"SGD", 702, 2}, {"SHP", 654, 2}, {"SLE", 925, 2},
    {"SOS", 706, 2}, {"SRD", 968, 2}, {"SSP", 728, 2}, {"STN", 930, 2},
    {"SVC", 222, 2}, {"SYP", 760, 2}, {"SZL", 748, 2}, {"THB", 764, 2},
    {"TJS", 972, 2}, {"TMT", 934, 2}, {"TND", 788, 3}, {"TOP", 776, 2},
    {"TRY", 949, 2}, {"TTD", 780, 2}, {"TWD", 901, 2}, {"TZS", 834, 2},
    {"UAH", 980, 2}, {"UGX", 800, 0}, {"USD", 840, 2}, {"UYU", 858, 2},
    {"UZS", 860, 2}, {"VED", 926, 2}, {"VES", 928, 2}, {"VND", 704, 0},
    {"VUV", 548, 0}, {"WST", 882, 2}, {"XAF", 950, 0}, {"XCD", 951, 2},
    {"XCG", 532, 2}, {"XOF", 952, 0}, {"XPF", 953, 0}, {"YER", 886, 2},
    {"ZAR", 710, 2}, {"ZMW", 967, 2}, {"ZWG", 924, 2},
};
/* clang-format on */

#define CURRENCY_COUNT (sizeof(currencies) / sizeof(currencies[0]))

/* So that a batch can be closed whatever is in it. */
_Static_assert(CURRENCY_COUNT <= SETPAY_LIMIT_CURRENCIES, "a batch has a total of each currency");

const struct setpay_currency *setpay_currency_by_code(const char *code)
{
    size_t low = 0;
    size_t high = CURRENCY_COUNT;

    if (code == NULL)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(code, currencies[middle].code);
        if (order == 0)
            return &currencies[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct setpay_currency *setpay_currency_at(size_t index)
{
    return index < CURRENCY_COUNT ? &currencies[index] : NULL;
}

const struct setpay_currency *setpay_currency_by_numeric(unsigned numeric)
{
    for (size_t i = 0; i < CURRENCY_COUNT; i++) {
        if (currencies[i].numeric == numeric)
            return &currencies[i];
    }
    return NULL;
}

/* The table's row of an amount's currency; NULL also where the code does not end. */
static const struct setpay_currency *currency_of(const struct setpay_money *money)
{
    if (money->currency[3] != '\0')
        return NULL;
    return setpay_currency_by_code(money->currency);
}

static enum setpay_error check_minor(int64_t minor)
{
    if (minor < 0)
        return SETPAY_E_MONEY_NEGATIVE;
    if (minor > SETPAY_MONEY_MAX_MINOR)
        return SETPAY_E_MONEY_OVERFLOW;
    return SETPAY_OK;
}

static enum setpay_error check(const struct setpay_money *money)
{
    if (currency_of(money) == NULL)
        return SETPAY_E_MONEY_CURRENCY;
    return check_minor(money->minor);
}

/* Both are sound and of one currency. */
static enum setpay_error check_pair(const struct setpay_money *a, const struct setpay_money *b)
{
    SETPAY_TRY(check(a));
    SETPAY_TRY(check(b));
    return setpay_money_same_currency(a, b) ? SETPAY_OK : SETPAY_E_MONEY_CURRENCY;
}

enum setpay_error setpay_money_make(int64_t minor, const char *currency, struct setpay_money *money)
{
    const struct setpay_currency *known = setpay_currency_by_code(currency);

    if (known == NULL)
        return SETPAY_E_MONEY_CURRENCY;
    SETPAY_TRY(check_minor(minor));
    money->minor = minor;
    memcpy(money->currency, known->code, sizeof(money->currency));
    return SETPAY_OK;
}

enum setpay_error setpay_money_add(const struct setpay_money *a, const struct setpay_money *b,
                                   struct setpay_money *sum)
{
    SETPAY_TRY(check_pair(a, b));
    return setpay_money_make(a->minor + b->minor, a->currency, sum);
}

enum setpay_error setpay_money_subtract(const struct setpay_money *a, const struct setpay_money *b,
                                        struct setpay_money *difference)
{
    SETPAY_TRY(check_pair(a, b));
    return setpay_money_make(a->minor - b->minor, a->currency, difference);
}

enum setpay_error setpay_money_multiply(const struct setpay_money *unit, uint32_t count,
                                        struct setpay_money *product)
{
    SETPAY_TRY(check(unit));
    if (count > 0 && unit->minor > SETPAY_MONEY_MAX_MINOR / (int64_t)count)
        return SETPAY_E_MONEY_OVERFLOW;
    return setpay_money_make(unit->minor * (int64_t)count, unit->currency, product);
}

bool setpay_money_same_currency(const struct setpay_money *a, const struct setpay_money *b)
{
    return memcmp(a->currency, b->currency, sizeof(a->currency)) == 0;
}

bool setpay_money_equal(const struct setpay_money *a, const struct setpay_money *b)
{
    return a->minor == b->minor && setpay_money_same_currency(a, b);
}

const char *setpay_money_format(const struct setpay_money *money, char *out)
{
    const struct setpay_currency *currency = currency_of(money);
    unsigned exponent = currency != NULL ? currency->exponent : 0;
    uint64_t minor = money->minor < 0 ? 0 - (uint64_t)money->minor : (uint64_t)money->minor;
    char digits[24]; /* written from the end: at most 19 digits, a point, a sign and a NUL */
    char *at = &digits[sizeof(digits) - 1];

    *at = '\0';
    for (unsigned count = 0; minor > 0 || count <= exponent; count++, minor /= 10) {
        if (count == exponent && exponent > 0)
            *--at = '.';
        *--at = (char)('0' + minor % 10);
    }
    if (money->minor < 0)
        *--at = '-';
    /* Only a log line can meet an amount that no function here made: it shows what is there. */
    (void)snprintf(out, SETPAY_MONEY_TEXT_SIZE, "%s %s", at,
                   currency != NULL ? currency->code : "???");
    return out;
}

static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

enum setpay_error setpay_money_parse(const char *text, struct setpay_money *money)
{
    size_t whole = text != NULL ? count_digits(text) : 0;
    size_t fraction = 0;
    const char *fraction_at;
    const char *at;
    const struct setpay_currency *currency;
    int64_t minor = 0;

    if (whole == 0 || (whole > 1 && text[0] == '0'))
        return SETPAY_E_INVALID;
    at = text + whole;
    fraction_at = at;
    if (*at == '.') {
        fraction_at = at + 1;
        fraction = count_digits(fraction_at);
        if (fraction == 0)
            return SETPAY_E_INVALID;
        at = fraction_at + fraction;
    }
    if (*at != ' ' || strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3 || at[4] != '\0')
        return SETPAY_E_INVALID;
    currency = setpay_currency_by_code(at + 1);
    if (currency == NULL)
        return SETPAY_E_MONEY_CURRENCY;
    if (fraction > currency->exponent)
        return SETPAY_E_INVALID;
    for (size_t i = 0; i < whole + currency->exponent; i++) {
        int digit = 0;
        if (i < whole)
            digit = text[i] - '0';
        else if (i - whole < fraction)
            digit = fraction_at[i - whole] - '0';
        minor = minor * 10 + digit;
        if (minor > SETPAY_MONEY_MAX_MINOR)
            return SETPAY_E_MONEY_OVERFLOW;
    }
    return setpay_money_make(minor, currency->code, money);
}

/* ------------------------------------------------------------------ as people type it */

#define TYPED_SIZE SETPAY_MONEY_TEXT_SIZE

/* Without the blanks around it, and without its currency, into out. */
static enum setpay_error take_amount(const char *text, const char *currency, char out[TYPED_SIZE])
{
    text += strspn(text, " \t");
    size_t size = strlen(text);
    while (size > 0 && strchr(" \t", text[size - 1]) != NULL)
        size--;
    if (size == 0 || size >= TYPED_SIZE)
        return SETPAY_E_INVALID;
    memcpy(out, text, size);
    out[size] = '\0';
    char *blank = strchr(out, ' ');
    if (blank == NULL)
        return SETPAY_OK;
    if (strcmp(blank + 1, currency) != 0)
        return SETPAY_E_MONEY_CURRENCY;
    *blank = '\0';
    return SETPAY_OK;
}

/* One comma and no point, and three digits behind it. */
static bool is_ambiguous(const char *amount)
{
    const char *comma = amount + count_digits(amount);
    return comma > amount && *comma == ',' && count_digits(comma + 1) == 3 && comma[4] == '\0';
}

enum setpay_error setpay_money_parse_typed(const char *text, const char *currency,
                                           struct setpay_money *money)
{
    char amount[TYPED_SIZE];
    char plain[TYPED_SIZE + 4];
    SETPAY_TRY(take_amount(text, currency, amount));
    char *comma = strchr(amount, ',');
    if (comma != NULL && count_digits(comma + 1) > 2)
        return SETPAY_E_INVALID;
    if (comma != NULL)
        *comma = '.';
    (void)snprintf(plain, sizeof plain, "%s %.3s", amount, currency);
    return setpay_money_parse(plain, money);
}

/* How much of a text is shown: no part of a character. */
static int shown(const char *text)
{
    size_t size = strnlen(text, TYPED_SIZE);
    if (size == TYPED_SIZE)
        do
            size--;
        while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80);
    return (int)size;
}

const char *setpay_money_typed_explain(const char *text, const char *currency, char *words,
                                       size_t size)
{
    char amount[TYPED_SIZE];
    const char *like = setpay_money_like(currency);
    if (setpay_currency_by_code(currency) == NULL) {
        (void)snprintf(words, size, "there is no currency '%.*s'", shown(currency), currency);
    } else if (take_amount(text, currency, amount) == SETPAY_OK && is_ambiguous(amount)) {
        int before = (int)count_digits(amount);
        (void)snprintf(words, size, "'%s' can be read in two ways: write %.*s%s%s%s", amount,
                       before, amount, amount + before + 1,
                       strchr(like, '.') != NULL ? ", or a fraction behind a point, like " : "",
                       strchr(like, '.') != NULL ? like : "");
    } else {
        (void)snprintf(words, size, "'%.*s' is no amount in %s: write one like %s", shown(text),
                       text, currency, like);
    }
    return words;
}

const char *setpay_money_like(const char *currency)
{
    static const char *const likes[] = {"1250", "12.5", "12.50", "12.500"};
    const struct setpay_currency *known = setpay_currency_by_code(currency);
    return known != NULL && known->exponent < 4 ? likes[known->exponent] : "12.50";
}
