/*
 * Categories: a tree, in which those under the same one stand in the order of their positions. A
 * category is known by its slug.
 */
#ifndef SETPAY_MERCHANT_STORE_CATEGORY_H
#define SETPAY_MERCHANT_STORE_CATEGORY_H

#include "merchant/store/shop.h"

#define SETPAY_CATEGORY_DEPTH_MAX 8
#define SETPAY_CATEGORIES_MAX 1000
#define SETPAY_CATEGORY_POSITION_MAX 1000000

/* The row of the category with this slug. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_category_seq(struct setpay_db *db, const char *slug,
                                      int64_t *seq) SETPAY_MUST_CHECK;

/* A list for SQL: the rows of the category that the placeholder names, and of all below it. */
#define SETPAY_CATEGORY_WITH_BELOW(seq)                                                            \
    "(WITH RECURSIVE below (seq) AS (SELECT seq FROM category WHERE seq = " seq " UNION"           \
    "  SELECT c.seq FROM category c JOIN below b ON c.parent_seq = b.seq) SELECT seq FROM below)"
/* [{"slug","name"}], owned: those above the category, from the top, and itself last; those right
 * below it, in their order. */
enum setpay_error setpay_category_path(struct setpay_db *db, int64_t seq,
                                       json_t **list) SETPAY_MUST_CHECK;
enum setpay_error setpay_category_below(struct setpay_db *db, int64_t seq,
                                        json_t **list) SETPAY_MUST_CHECK;

setpay_shop_fn setpay_category_list;
setpay_shop_fn setpay_category_show;
setpay_shop_fn setpay_category_add;
setpay_shop_fn setpay_category_put; /* adds, or replaces the one with that slug */
setpay_shop_fn setpay_category_set;
setpay_shop_fn setpay_category_remove;

#endif
