/*
 * All acts on the store by name, for the API and for the operator's program.
 */
#ifndef SETPAY_MERCHANT_STORE_SHOP_ACTS_H
#define SETPAY_MERCHANT_STORE_SHOP_ACTS_H

#include "merchant/store/shop.h"

#include <stdbool.h>

struct setpay_shop_act {
    const char *name; /* "product.add" */
    bool writes;
    setpay_shop_fn *run;
};

/* NULL where there is none by that name. */
const struct setpay_shop_act *setpay_shop_act_find(const char *name);

/*
 * An act: a whole catalogue at once, all of it or nothing. {"categories":[…],"tax_rates":[…],
 * "shipping_methods":[…],"products":[…]}, each as the act that makes one takes it, a product also
 * with "pictures": [{"type","alt","data"}]. What is there by its slug, SKU, or country is replaced,
 * what is not named stays; stock counts only for variants that are new. So the same file may be
 * imported again.
 */
setpay_shop_fn setpay_shop_import;

#endif
