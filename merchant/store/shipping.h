/*
 * Ways of shipping, and what they cost: by zone (a list of countries) and currency, in steps of
 * weight or of the order's value.
 *
 *     {"slug":"parcel","name":"Parcel","tax_class":"standard","position":1,"zones":[
 *        {"countries":["DE","AT"],"currency":"EUR","by":"weight",
 *         "steps":[{"up_to":2000,"amount":490},{"up_to":31500,"amount":890}]},
 *        {"countries":["*"],"currency":"EUR","by":"value",
 *         "steps":[{"up_to":9999,"amount":1490},{"amount":0}]}]}
 *
 * The first zone that has the country, or "*", and the currency counts; in it the first step whose
 * up_to (grams, or minor units) is not exceeded. A last step without up_to has no end.
 */
#ifndef SETPAY_MERCHANT_STORE_SHIPPING_H
#define SETPAY_MERCHANT_STORE_SHIPPING_H

#include "common/base/limits.h"
#include "merchant/store/shop.h"

#define SETPAY_SHIPPING_METHODS_MAX 50
#define SETPAY_SHIPPING_ZONES_MAX 50
#define SETPAY_SHIPPING_COUNTRIES_MAX 250
#define SETPAY_SHIPPING_STEPS_MAX 32
#define SETPAY_SHIPPING_ZONES_BYTES (64 * 1024) /* as JSON */

struct setpay_shipping_method {
    int64_t seq;
    char slug[SETPAY_SHOP_ID_SIZE];
    char name[SETPAY_LIMIT_NAME_BYTES + 1];
    char tax_class[SETPAY_SHOP_ID_SIZE];
    int64_t position;
    json_t *zones; /* owned; was checked when it was stored */
    int64_t version;
};
void setpay_shipping_method_clear(struct setpay_shipping_method *method);

/* *method must be empty; clear it after SETPAY_OK. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_shipping_find(struct setpay_db *db, const char *slug,
                                       struct setpay_shipping_method *method) SETPAY_MUST_CHECK;
/* Pure. SETPAY_E_NOT_FOUND: it does not go there, SETPAY_E_TOO_BIG: not so much of it. */
enum setpay_error setpay_shipping_price(const struct setpay_shipping_method *method,
                                        const char *country, const char *currency, int64_t weight_g,
                                        int64_t value_minor,
                                        int64_t *amount_minor) SETPAY_MUST_CHECK;
/* Pure: whether zones are well-formed. SETPAY_E_INVALID with the fault. */
enum setpay_error setpay_shipping_check_zones(const json_t *zones,
                                              struct setpay_json_fault *fault) SETPAY_MUST_CHECK;

setpay_shop_fn setpay_shipping_list;
setpay_shop_fn setpay_shipping_show;
setpay_shop_fn setpay_shipping_add;
setpay_shop_fn setpay_shipping_put; /* adds, or replaces the one with that slug */
setpay_shop_fn setpay_shipping_set;
setpay_shop_fn setpay_shipping_remove;

#endif
