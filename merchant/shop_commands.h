/*
 * The operator's commands about the store: the acts of merchant/store/shop_acts.h under the same
 * names. Arguments are "id" and "sub" (what is meant), "version" (that it must have), and the
 * members of the act's body.
 */
#ifndef SETPAY_MERCHANT_SHOP_COMMANDS_H
#define SETPAY_MERCHANT_SHOP_COMMANDS_H

#include "merchant/commands.h"

/* Name, function, what it does. */
#define SETPAY_MERCHANT_SHOP_COMMANDS(ROW)                                                         \
    ROW("product.list", product_list, "products: q, category, status, sort, limit, cursor …")      \
    ROW("product.show", product_show, "a product with its variants: id")                           \
    ROW("product.add", product_add, "make a product (members as POST /products)")                  \
    ROW("product.set", product_set, "change a product: id, and what changes")                      \
    ROW("product.remove", product_remove, "delete a product: id")                                  \
    ROW("product.import", product_import, "a whole catalogue, all of it or nothing")               \
    ROW("variant.list", variant_list, "the variants of a product: id")                             \
    ROW("variant.add", variant_add, "one more variant: id, and its members")                       \
    ROW("variant.set", variant_set, "change a variant: id, sub (its SKU), and what changes")       \
    ROW("variant.remove", variant_remove, "delete a variant: id, sub (its SKU)")                   \
    ROW("price.set", price_set, "some prices of a variant: id (the SKU), prices")                  \
    ROW("picture.list", picture_list, "the pictures of a product: id")                             \
    ROW("picture.add", picture_add, "one more picture: id, type, alt, data (base64)")              \
    ROW("picture.set", picture_set, "change one: id, sub (its digest), alt or position")           \
    ROW("picture.remove", picture_remove, "take a picture away: id, sub (its digest)")             \
    ROW("category.list", category_list, "the tree of categories")                                  \
    ROW("category.show", category_show, "a category: id")                                          \
    ROW("category.add", category_add, "make a category: slug, name, parent, position")             \
    ROW("category.set", category_set, "change a category: id, and what changes")                   \
    ROW("category.remove", category_remove, "delete a category: id")                               \
    ROW("stock.list", stock_list, "the stock of all variants: limit, cursor")                      \
    ROW("stock.show", stock_show, "the stock of a variant with its log: id (the SKU)")             \
    ROW("stock.adjust", stock_adjust, "id, change or on_hand or tracked, reason; low_at")          \
    ROW("shipping.list", shipping_list, "ways of shipping")                                        \
    ROW("shipping.show", shipping_show, "one of them: id")                                         \
    ROW("shipping.add", shipping_add, "make one (members as POST /shipping-methods)")              \
    ROW("shipping.set", shipping_set, "change one: id, and what changes")                          \
    ROW("shipping.remove", shipping_remove, "delete one: id")                                      \
    ROW("tax.list", tax_list, "tax rates")                                                         \
    ROW("tax.show", tax_show, "one of them: id")                                                   \
    ROW("tax.add", tax_add, "make one: class, country, region, name, rate_ppm, included")          \
    ROW("tax.set", tax_set, "change one: id, and what changes")                                    \
    ROW("tax.remove", tax_remove, "delete one: id")

/* NULL where there is none by that name. */
const struct setpay_merchant_command *setpay_merchant_shop_command_find(const char *name);

/* Handlers for the daemon's table of commands; their arg is the service. */
#define SETPAY_MERCHANT_SHOP_HANDLER(name, function, help)                                         \
    setpay_control_handler_fn setpay_merchant_on_##function;
SETPAY_MERCHANT_SHOP_COMMANDS(SETPAY_MERCHANT_SHOP_HANDLER)
#undef SETPAY_MERCHANT_SHOP_HANDLER

/* Their rows, each with a comma behind it. */
#define SETPAY_MERCHANT_SHOP_CONTROL_ROW(name, function, help)                                     \
    {name, setpay_merchant_on_##function, help},
#define SETPAY_MERCHANT_SHOP_CONTROL_COMMANDS                                                      \
    SETPAY_MERCHANT_SHOP_COMMANDS(SETPAY_MERCHANT_SHOP_CONTROL_ROW)

#endif
