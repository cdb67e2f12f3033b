/*
 * What a shopper has put aside, before there is an order: SKUs and quantities, no prices (those are
 * of the moment in which one looks), nothing reserved, nobody's name or address. A cart is known by
 * the digest of a random id that only the shopper's browser holds.
 */
#ifndef SETPAY_MERCHANT_STORE_CART_H
#define SETPAY_MERCHANT_STORE_CART_H

#include "merchant/store/order.h"
#include "merchant/store/shop.h"
#include "merchant/store/tax.h"

#define SETPAY_CART_LINES_MAX 50
#define SETPAY_CART_QUANTITY_MAX 999
#define SETPAY_CART_KEPT_MS (30 * SETPAY_DAY_MS) /* since it was changed last */
#define SETPAY_CARTS_MAX 200000

struct setpay_cart_line {
    char sku[SETPAY_SHOP_ID_SIZE];
    int64_t quantity;
};

/* Zeroed memory is an empty one. */
struct setpay_cart {
    int64_t seq;     /* 0: it is not kept yet */
    char country[3]; /* where it is to go; "": nothing was said */
    char region[SETPAY_TAX_REGION_BYTES + 1];
    char shipping_method[SETPAY_SHOP_ID_SIZE];
    char order_token[SETPAY_ORDER_TOKEN_SIZE]; /* of the order made of it last; "": none */
    char currency[4];                          /* in which prices are shown; "": nothing was said */
    struct setpay_cart_line lines[SETPAY_CART_LINES_MAX];
    size_t line_count;
};

/* SQL for a migration of the merchant's database. */
#define SETPAY_CART_SCHEMA                                                                         \
    "CREATE TABLE cart ("                                                                          \
    " seq INTEGER PRIMARY KEY,"                                                                    \
    " id BLOB NOT NULL UNIQUE,"                                                                    \
    " country TEXT NOT NULL,"                                                                      \
    " region TEXT NOT NULL,"                                                                       \
    " shipping_method TEXT NOT NULL,"                                                              \
    " order_token TEXT NOT NULL,"                                                                  \
    " changed_ms INTEGER NOT NULL);"                                                               \
    "CREATE INDEX cart_changed ON cart (changed_ms);"                                              \
    "CREATE TABLE cart_line ("                                                                     \
    " cart_seq INTEGER NOT NULL,"                                                                  \
    " position INTEGER NOT NULL,"                                                                  \
    " sku TEXT NOT NULL,"                                                                          \
    " quantity INTEGER NOT NULL,"                                                                  \
    " PRIMARY KEY (cart_seq, position));"

/* SQL for a later migration. client: by whose address it was made (www/guard.h); cart_total: how
 * many carts there are, in one row, so that nobody counts them. */
#define SETPAY_CART_TOTAL_SCHEMA                                                                   \
    "ALTER TABLE cart ADD COLUMN client BLOB;"                                                     \
    "CREATE INDEX cart_client ON cart (client, changed_ms);"                                       \
    "CREATE TABLE cart_total (carts INTEGER NOT NULL);"                                            \
    "INSERT INTO cart_total SELECT COUNT(*) FROM cart;"

/* SQL for a later migration. order_form: of the form that has made the order of order_token. */
#define SETPAY_CART_FORM_SCHEMA "ALTER TABLE cart ADD COLUMN order_form BLOB;"

/* And for one behind it. */
#define SETPAY_CART_CURRENCY_SCHEMA "ALTER TABLE cart ADD COLUMN currency TEXT NOT NULL DEFAULT '';"

/* Who makes a cart, and how many they may have. */
struct setpay_cart_maker {
    const struct setpay_digest *client; /* NULL: unknown */
    int64_t max;                        /* 0: no limit */
};

/* One that is not kept is an empty cart: SETPAY_OK all the same. */
enum setpay_error setpay_cart_find(struct setpay_db *db, const struct setpay_digest *id,
                                   struct setpay_cart *cart) SETPAY_MUST_CHECK;
/* Inside an operation. Where its maker has as many as they may have, the one of them that was left
 * longest goes; where there are SETPAY_CARTS_MAX in all, that of all. */
enum setpay_error setpay_cart_keep(struct setpay_db *db, const struct setpay_digest *id,
                                   const struct setpay_cart_maker *maker, struct setpay_cart *cart,
                                   setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* The order of its token was made by this form: by the digest of the value that the form had alone;
 * NULL: it had none. Whether it was this one. Of a cart that is kept. */
enum setpay_error setpay_cart_set_form(struct setpay_db *db, const struct setpay_cart *cart,
                                       const struct setpay_digest *form) SETPAY_MUST_CHECK;
enum setpay_error setpay_cart_has_form(struct setpay_db *db, const struct setpay_cart *cart,
                                       const struct setpay_digest *form,
                                       bool *has) SETPAY_MUST_CHECK;
/* Those that nobody has changed for SETPAY_CART_KEPT_MS go, up to room of them. */
enum setpay_error setpay_cart_purge(struct setpay_db *db, setpay_time_ms now_ms, int64_t room,
                                    int64_t *deleted) SETPAY_MUST_CHECK;

/* Pure. How many of it are in it. */
int64_t setpay_cart_quantity(const struct setpay_cart *cart, const char *sku);
int64_t setpay_cart_pieces(const struct setpay_cart *cart);
/* Pure: so many of it from now on, none for 0. SETPAY_E_INVALID (a quantity that is none),
 * SETPAY_E_TOO_BIG (as many lines as there may be). */
enum setpay_error setpay_cart_set(struct setpay_cart *cart, const char *sku,
                                  int64_t quantity) SETPAY_MUST_CHECK;

/* What a SKU stands for, sold or not. */
struct setpay_good {
    char slug[SETPAY_SHOP_ID_SIZE];
    char name[SETPAY_LIMIT_NAME_BYTES + 1];
    char options[SETPAY_LIMIT_NAME_BYTES + 1]; /* "moss green, large" */
    bool is_published;                         /* otherwise it is not sold, any more or yet */
    bool has_price;                            /* in the currency that was asked for */
    int64_t price_minor;
    bool tracked;
    int64_t available; /* SETPAY_CART_QUANTITY_MAX where it is not tracked */
    bool has_picture;  /* not of a draft: that is its owner's own */
    struct setpay_digest picture;
    char alt[257];
};
/* SETPAY_E_NOT_FOUND: there is no such SKU. */
enum setpay_error setpay_good_find(struct setpay_db *db, const char *sku, const char *currency,
                                   struct setpay_good *good) SETPAY_MUST_CHECK;

#endif
