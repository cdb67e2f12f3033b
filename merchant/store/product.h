/*
 * Products and their variants. A product is known by its id ("prd_" and 20 characters) or by its
 * slug, a variant by its SKU, which is what orders name. A product's version counts the changes of
 * itself, its variants, prices and pictures; stock is counted apart (stock.h).
 */
#ifndef SETPAY_MERCHANT_STORE_PRODUCT_H
#define SETPAY_MERCHANT_STORE_PRODUCT_H

#include "common/base/limits.h"
#include "merchant/store/shop.h"

#define SETPAY_PRODUCT_ID_SIZE 25
#define SETPAY_PRODUCT_DESCRIPTION_BYTES 8192
#define SETPAY_PRODUCT_VARIANTS_MAX 100
#define SETPAY_PRODUCT_CATEGORIES_MAX 16
#define SETPAY_VARIANT_OPTIONS_MAX 8
#define SETPAY_VARIANT_OPTION_BYTES 64
#define SETPAY_VARIANT_WEIGHT_MAX_G 1000000

/* Stored. Only what is published can be ordered. */
enum setpay_product_status {
    SETPAY_PRODUCT_DRAFT = 0,
    SETPAY_PRODUCT_PUBLISHED = 1,
    SETPAY_PRODUCT_ARCHIVED = 2,
    SETPAY_PRODUCT_STATUSES
};
/* "draft"; NULL for a number that is none. */
const char *setpay_product_status_name(enum setpay_product_status status);
/* SETPAY_E_INVALID for another word. */
enum setpay_error setpay_product_status_parse(const char *name,
                                              enum setpay_product_status *status) SETPAY_MUST_CHECK;

struct setpay_product {
    int64_t seq;
    char product_id[SETPAY_PRODUCT_ID_SIZE];
    char slug[SETPAY_SHOP_ID_SIZE];
    char name[SETPAY_LIMIT_NAME_BYTES + 1];
    char description[SETPAY_PRODUCT_DESCRIPTION_BYTES + 1];
    enum setpay_product_status status;
    char tax_class[SETPAY_SHOP_ID_SIZE];
    setpay_time_ms created_ms;
    setpay_time_ms updated_ms;
    int64_t version;
};

/* id: id or slug. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_product_find(struct setpay_db *db, const char *id,
                                      struct setpay_product *product) SETPAY_MUST_CHECK;
enum setpay_error setpay_product_find_seq(struct setpay_db *db, int64_t seq,
                                          struct setpay_product *product) SETPAY_MUST_CHECK;
/* With the refusal for ask->id, and ask's version checked. */
enum setpay_error setpay_product_asked(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                       struct setpay_product *product,
                                       struct setpay_shop_answer *answer) SETPAY_MUST_CHECK;
/* After any change of it: counts its version up, and has it found by its words. */
enum setpay_error setpay_product_changed(struct setpay_db *db, struct setpay_product *product,
                                         setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* With variants, categories and pictures, as it is shown; owned. */
enum setpay_error setpay_product_json(struct setpay_db *db, const struct setpay_product *product,
                                      json_t **json) SETPAY_MUST_CHECK;
/* The same as the answer. */
enum setpay_error setpay_product_answer(struct setpay_db *db, const struct setpay_product *product,
                                        struct setpay_shop_answer *answer) SETPAY_MUST_CHECK;

/* ---- variants of a product (variant.c) */

/* The variants of the product as JSON. */
enum setpay_error setpay_variant_list_json(struct setpay_db *db, int64_t product_seq,
                                           json_t **list) SETPAY_MUST_CHECK;
/* The product has exactly these: those whose SKU it has keep their stock, the others of it go.
 * field: "variants". */
enum setpay_error setpay_variant_replace(struct setpay_db *db, const struct setpay_product *product,
                                         const json_t *variants, setpay_time_ms now_ms,
                                         struct setpay_shop_answer *answer) SETPAY_MUST_CHECK;
enum setpay_error setpay_variant_remove_all(struct setpay_db *db, int64_t product_seq,
                                            struct setpay_shop_answer *answer) SETPAY_MUST_CHECK;

/* Acts on products; id: the product. */
setpay_shop_fn setpay_product_list; /* product_list.c */
setpay_shop_fn setpay_product_show;
setpay_shop_fn setpay_product_add;
setpay_shop_fn setpay_product_put; /* adds, or replaces the one with that slug */
setpay_shop_fn setpay_product_set;
setpay_shop_fn setpay_product_remove;
/* On its variants; sub: the SKU. */
setpay_shop_fn setpay_variant_list;
setpay_shop_fn setpay_variant_add;
setpay_shop_fn setpay_variant_set;
setpay_shop_fn setpay_variant_remove;
/* On one variant; id: the SKU. Body {"prices"}, of which each is an amount, or null for none in
 * that currency any more; prices in other currencies stay. Answers with the product. */
setpay_shop_fn setpay_price_set;

#endif
