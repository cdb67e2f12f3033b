/*
 * Money: a whole number of minor units and an ISO 4217 currency. Never a float. Every operation
 * fails rather than overflow, go below zero or mix currencies; outputs are complete or untouched.
 */
#ifndef SETPAY_BASE_MONEY_H
#define SETPAY_BASE_MONEY_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest amount of one payment (rule G8): ISO 8583 field 4 has twelve digits. */
#define SETPAY_MONEY_MAX_MINOR INT64_C(999999999999)

struct setpay_money {
    int64_t minor;
    char currency[4]; /* "EUR" and a NUL */
};

/* A currency of ISO 4217 that setpay knows. */
struct setpay_currency {
    char code[4];     /* alphabetic */
    uint16_t numeric; /* ISO 8583 field 49 */
    uint8_t exponent; /* digits behind the point: 0 (JPY), 2 (EUR), 3 (KWD) */
};

/* NULL where the currency is unknown. */
const struct setpay_currency *setpay_currency_by_code(const char *code);
const struct setpay_currency *setpay_currency_by_numeric(unsigned numeric);
/* All of them, from 0, in the order of their codes; NULL behind the last. */
const struct setpay_currency *setpay_currency_at(size_t index);

/* Checks the currency and 0 <= minor <= SETPAY_MONEY_MAX_MINOR. SETPAY_E_MONEY_*. */
enum setpay_error setpay_money_make(int64_t minor, const char *currency,
                                    struct setpay_money *money) SETPAY_MUST_CHECK;
enum setpay_error setpay_money_add(const struct setpay_money *a, const struct setpay_money *b,
                                   struct setpay_money *sum) SETPAY_MUST_CHECK;
enum setpay_error setpay_money_subtract(const struct setpay_money *a, const struct setpay_money *b,
                                        struct setpay_money *difference) SETPAY_MUST_CHECK;
enum setpay_error setpay_money_multiply(const struct setpay_money *unit, uint32_t count,
                                        struct setpay_money *product) SETPAY_MUST_CHECK;
bool setpay_money_equal(const struct setpay_money *a, const struct setpay_money *b);
bool setpay_money_same_currency(const struct setpay_money *a, const struct setpay_money *b);

/* "12.50 EUR", "1250 JPY", "1.250 KWD" into out; returns out. */
#define SETPAY_MONEY_TEXT_SIZE 32
const char *setpay_money_format(const struct setpay_money *money, char *out);
/* Reads the same form; "12.5 EUR" and "12 EUR" are taken too, "12.505 EUR" is not. A sign, spaces
 * elsewhere, or an unknown currency: SETPAY_E_INVALID or SETPAY_E_MONEY_*. */
enum setpay_error setpay_money_parse(const char *text,
                                     struct setpay_money *money) SETPAY_MUST_CHECK;

/*
 * Reads what a person has typed into a field for amounts of that currency: "12.50", "12,5", " 12 ",
 * "12.50 EUR". A point begins the fraction, as in all that setpay shows. So does a comma before one
 * or two digits; before three it may stand for thousands, and is refused, in whatever currency:
 * "1,250" is a thousand to one and one and a quarter to another. Two marks, a sign, another
 * currency, nothing: refused, as setpay_money_parse does.
 */
enum setpay_error setpay_money_parse_typed(const char *text, const char *currency,
                                           struct setpay_money *money) SETPAY_MUST_CHECK;
/* Why such a text is refused, for who typed it, into words; returns words: "'abc' is no amount in
 * EUR: write one like 12.50". UTF-8, where text is. */
#define SETPAY_MONEY_WORDS_SIZE 160
const char *setpay_money_typed_explain(const char *text, const char *currency, char *words,
                                       size_t size);
/* As one is written in the currency: "1250", "12.50", "12.500". Static. */
const char *setpay_money_like(const char *currency);

#endif
