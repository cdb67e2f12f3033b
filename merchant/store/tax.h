/*
 * Taxes: a rate for each tax class and country, or region of one.
 *
 * A shop of the European Union shows prices with the tax in them, and that is the rule here: a rate
 * that is "included" is a part of the price, which stays what it is wherever the goods go. A rate
 * that is not is added to the price, as sales taxes are. Where there is no rate, there is no tax.
 */
#ifndef SETPAY_MERCHANT_STORE_TAX_H
#define SETPAY_MERCHANT_STORE_TAX_H

#include "merchant/store/shop.h"

#define SETPAY_TAX_RATE_MAX_PPM 1000000 /* 100 % */
#define SETPAY_TAX_NAME_BYTES 32
#define SETPAY_TAX_REGION_BYTES 3 /* ISO 3166-2 behind the hyphen */
#define SETPAY_TAX_CLASS_DEFAULT "standard"

struct setpay_tax_rate {
    char name[SETPAY_TAX_NAME_BYTES + 1]; /* "VAT" */
    int64_t rate_ppm;                     /* parts per million: 19 % is 190000 */
    bool included;
};

/* Pure: the tax on an amount of 0 to SETPAY_MONEY_MAX_MINOR, in minor units, halves up: the part of
 * it that is tax where the rate is included, otherwise what is to be added. */
int64_t setpay_tax_of(const struct setpay_tax_rate *rate, int64_t amount_minor);

/* The rate of the region, or else of its country. SETPAY_E_NOT_FOUND: there is no tax. */
enum setpay_error setpay_tax_find(struct setpay_db *db, const char *tax_class, const char *country,
                                  const char *region,
                                  struct setpay_tax_rate *rate) SETPAY_MUST_CHECK;

/* 1 to 3 of A to Z and digits. Pure, and so the next. */
bool setpay_tax_is_region(const char *text);
/* As people type it, in capitals. */
void setpay_tax_region_upper(char *region);
/* Whether a class of goods, or (NULL) any class, has rates in the country by region alone: then it
 * is not known what the tax is before the region is. */
enum setpay_error setpay_tax_is_by_region(struct setpay_db *db, const char *tax_class,
                                          const char *country, bool *is) SETPAY_MUST_CHECK;

/* Acts; a rate's id is CLASS.COUNTRY or CLASS.COUNTRY.REGION. */
setpay_shop_fn setpay_tax_list;
setpay_shop_fn setpay_tax_show;
setpay_shop_fn setpay_tax_add; /* or, for an import, replaces: setpay_tax_put */
setpay_shop_fn setpay_tax_put;
setpay_shop_fn setpay_tax_set;
setpay_shop_fn setpay_tax_remove;

#endif
