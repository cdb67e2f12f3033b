/*
 * Countries by their codes of ISO 3166-1, with the names that people know them by.
 */
#ifndef SETPAY_MERCHANT_STORE_COUNTRY_H
#define SETPAY_MERCHANT_STORE_COUNTRY_H

#include <stddef.h>

struct setpay_country {
    char code[3];
    const char *name;
};

/* Sorted by name. */
extern const struct setpay_country setpay_countries[];
extern const size_t setpay_country_count;
/* The code itself where it is not known. */
const char *setpay_country_name(const char *code);

#endif
