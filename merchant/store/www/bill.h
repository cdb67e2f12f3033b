/*
 * What a cart would cost, sent to a country in a way: the same sum that an order of it has.
 */
#ifndef SETPAY_MERCHANT_WWW_BILL_H
#define SETPAY_MERCHANT_WWW_BILL_H

#include "merchant/store/cart.h"
#include "merchant/store/order.h"
#include "merchant/store/order_request.h"
#include "merchant/store/shop.h"

#define SETPAY_BILL_WAYS_MAX 12

/* Zeroed memory is an empty one. */
struct setpay_bill {
    char country[3]; /* "": none that the store sends to */
    char region[SETPAY_TAX_REGION_BYTES + 1];
    struct setpay_order order; /* priced; not made */
    size_t line_count;         /* of its items: the cart's; behind them shipping and taxes */
    struct {
        char slug[SETPAY_SHOP_ID_SIZE];
        char name[SETPAY_LIMIT_NAME_BYTES + 1];
        int64_t amount_minor;
    } ways[SETPAY_BILL_WAYS_MAX]; /* of shipping, that there are for it */
    size_t way_count;
    size_t way;                     /* which is chosen */
    bool ships;                     /* the store has ways of shipping at all */
    struct setpay_json_fault fault; /* why it can't be ordered like this; "" where it can */
};

/* What an order of the cart is to be, unpriced: *order is empty before, and cleared by the caller
 * after SETPAY_OK. way "": without shipping. SETPAY_E_INVALID with the fault. */
enum setpay_error setpay_bill_order(const struct setpay_cart *cart,
                                    const struct setpay_shop_settings *settings,
                                    const char *country, const char *region, const char *way,
                                    setpay_time_ms now_ms, struct setpay_order *order,
                                    struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
/* Inside a read. Country and way are the cart's, or else the store's own and the first there is. A
 * cart that can't be ordered is SETPAY_OK with a fault. Clear it in any case. */
enum setpay_error setpay_bill_make(struct setpay_db *db,
                                   const struct setpay_shop_settings *settings,
                                   const struct setpay_cart *cart,
                                   struct setpay_bill *bill) SETPAY_MUST_CHECK;
void setpay_bill_clear(struct setpay_bill *bill);
/* The taxes that are in the prices of an order that is priced, into values: "tax_notes",
 * [{"name","amount"}], "of which VAT 19 %". */
void setpay_bill_tax_notes(const struct setpay_order *order, json_t *values, bool *whole);
/* Sums for pages, into values: "sums", "total", "tax_notes", "ways", "fault". */
void setpay_bill_json(const struct setpay_bill *bill, json_t *values, bool *whole);
/* Where in the country it goes, into values: "regions", [{"code","name","chosen"}], with "Choose…"
 * first, where they are known; "region"; and "asks_region", whether the taxes depend on it. Inside
 * a read. */
enum setpay_error setpay_bill_regions(struct setpay_db *db, const struct setpay_bill *bill,
                                      json_t *values, bool *whole) SETPAY_MUST_CHECK;
/* The countries that the store sends to for prices in the currency, and the chosen one, by name:
 * [{"code","name","chosen"}], first of all "Choose…" (code "") where chosen is "". Inside a read.
 */
enum setpay_error setpay_bill_countries(struct setpay_db *db,
                                        const struct setpay_shop_settings *settings,
                                        const char *chosen, json_t **list) SETPAY_MUST_CHECK;

#endif
