/*
 * Countries by their codes of ISO 3166-1, with the names that people know them by; and of those
 * whose addresses name a state or the like, and where taxes may depend on it, the regions (ISO
 * 3166-2).
 */
#ifndef SETPAY_MERCHANT_STORE_COUNTRY_H
#define SETPAY_MERCHANT_STORE_COUNTRY_H

#include <stdbool.h>
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

struct setpay_region {
    char country[3];
    char code[4]; /* behind the hyphen */
    const char *name;
};
/* Those of a country, sorted by name; NULL and 0 where none are known here. */
const struct setpay_region *setpay_regions_of(const char *country, size_t *count);
/* Whether the country has such a region; of one whose regions are not known here, any. */
bool setpay_region_may_be(const char *country, const char *region);

#endif
