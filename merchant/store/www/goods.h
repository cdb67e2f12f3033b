/*
 * Products as pages show them, made of what setpay_product_json says.
 */
#ifndef SETPAY_MERCHANT_WWW_GOODS_H
#define SETPAY_MERCHANT_WWW_GOODS_H

#include "merchant/store/shop.h"
#include "merchant/store/www/www_internal.h"

/* One in a list: {"slug","name","price","from","picture","alt","gone"}; price is null where it has
 * none in the currency. NULL without memory. */
json_t *setpay_goods_row(const json_t *product, const char *currency);
/* A path of a picture: "/pictures/…" */
json_t *setpay_goods_picture(const char *digest);
/* "moss green, large" out of a variant's options. */
json_t *setpay_goods_options(const json_t *options);
/* "JPY, EUR": in which of the currencies a variant of the product has a price; "": in none. */
void setpay_goods_sold_in(const json_t *product, const struct setpay_shop_currencies *currencies,
                          char *words, size_t size);
/* Whether what has no price in the shopper's currency may have one in another that is sold in. If
 * not, it is not sold any more. */
bool setpay_goods_elsewhere(const struct setpay_shop_settings *settings);
/* How many there are: "In stock", "Only 3 left", "Sold out". */
json_t *setpay_goods_stock(int64_t available, bool tracked);
/* A quantity as it is typed, 0 to SETPAY_CART_QUANTITY_MAX in decimal digits; -1 for anything else.
 */
int64_t setpay_goods_quantity(const char *text);
/* {"tracked","available"} of a variant's JSON. */
void setpay_goods_available(const json_t *variant, bool *tracked, int64_t *available);

#endif
