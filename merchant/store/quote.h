/*
 * What an order of the catalogue costs, at the moment when it is made: prices, taxes and shipping.
 * The client says what and how many, where to and how it is shipped; every amount comes from here,
 * and is kept with the order, whatever becomes of the catalogue later.
 */
#ifndef SETPAY_MERCHANT_STORE_QUOTE_H
#define SETPAY_MERCHANT_STORE_QUOTE_H

#include "common/store/db.h"
#include "merchant/store/order.h"
#include "merchant/store/shop.h"
#include "merchant/store/tax.h"

#define SETPAY_QUOTE_TAXES_MAX 8

/* All that is taxed at one rate. */
struct setpay_quote_tax {
    struct setpay_tax_rate rate;
    int64_t base_minor; /* without the tax */
    int64_t tax_minor;
};

/* Beside an order. Before it is priced, what the client wishes: country and the like, and whether
 * any item waits for its price. */
struct setpay_quote {
    char country[3]; /* "": none */
    char region[SETPAY_TAX_REGION_BYTES + 1];
    char shipping_method[SETPAY_SHOP_ID_SIZE]; /* "": none */
    int64_t shipping_minor;
    struct setpay_quote_tax taxes[SETPAY_QUOTE_TAXES_MAX];
    size_t tax_count;
    /* Of what is added to the prices, what is on each item; only where it is made. */
    int64_t item_tax_minor[SETPAY_LIMIT_OFFER_ITEMS];
};

/* Which SKU is short, for SETPAY_E_STATE. */
struct setpay_quote_short {
    char sku[SETPAY_SHOP_ID_SIZE];
    int64_t left;
};

/*
 * Inside the operation that makes the order, before it is inserted: items that have only a SKU and
 * a quantity get name and price; shipping and taxes that are added become items behind them; the
 * amount is their sum; and the stock is reserved. An order that names nothing of the catalogue
 * stays as it is. SETPAY_E_INVALID, also (field "region") where the tax is by region and that is
 * not said or none; SETPAY_E_NOT_FOUND: no such SKU is sold; SETPAY_E_STATE: there is not enough of
 * *shortage. Each with the fault, and nothing was written.
 */
enum setpay_error setpay_quote_make(struct setpay_db *db,
                                    const struct setpay_shop_settings *settings,
                                    struct setpay_order *order, setpay_time_ms now_ms,
                                    struct setpay_json_fault *fault,
                                    struct setpay_quote_short *shortage) SETPAY_MUST_CHECK;

/* The same inside a read, before the order is made: nothing is reserved, and the stock is not
 * looked at. */
enum setpay_error setpay_quote_preview(struct setpay_db *db,
                                       const struct setpay_shop_settings *settings,
                                       struct setpay_order *order,
                                       struct setpay_json_fault *fault) SETPAY_MUST_CHECK;

/* Beside the order's row. */
enum setpay_error setpay_quote_insert(struct setpay_db *db, const char *order_id,
                                      const struct setpay_quote *quote) SETPAY_MUST_CHECK;
/* *quote becomes owned; stays NULL where the order has none. */
enum setpay_error setpay_quote_find(struct setpay_db *db, const char *order_id,
                                    struct setpay_quote **quote) SETPAY_MUST_CHECK;
/* Adds shipping and taxes to an order's JSON. */
void setpay_quote_json(const struct setpay_quote *quote, json_t *order, bool *whole);

#endif
