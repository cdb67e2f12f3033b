/*
 * The currencies that the shop's pages sell in, as the owner names them: "EUR, USD, JPY". Each
 * price is the catalogue's own in that currency; nothing is converted.
 */
#ifndef SETPAY_MERCHANT_STORE_CURRENCY_H
#define SETPAY_MERCHANT_STORE_CURRENCY_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define SETPAY_SHOP_CURRENCIES_MAX 16 /* as many as a variant can have prices in */

/* Zeroed memory: none are named. */
struct setpay_shop_currencies {
    char codes[SETPAY_SHOP_CURRENCIES_MAX][4]; /* in the order in which they are named */
    size_t count;
};

/* text NULL or "": own alone. SETPAY_E_CONFIG for a code that is none, one that stands there twice,
 * too many of them, or a list without own. */
enum setpay_error setpay_shop_currencies_parse(const char *text, const char *own,
                                               struct setpay_shop_currencies *currencies,
                                               struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The code of currencies that is this one; NULL: it is none of them. */
const char *setpay_shop_currencies_find(const struct setpay_shop_currencies *currencies,
                                        const char *code);

#endif
