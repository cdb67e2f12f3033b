/*
 * The requests about the store: its routes, for the API's table.
 */
#ifndef SETPAY_MERCHANT_API_SHOP_H
#define SETPAY_MERCHANT_API_SHOP_H

#include "common/net/http_server.h"

#include <stddef.h>

/* Method, path behind the prefix of the API, act, and what it is: one row makes a handler
 * (shop.c) and a route (api.c). */
#define SETPAY_API_SHOP_ROUTES(ROW)                                                                \
    ROW(GET, "/products", product_list)                                                            \
    ROW(POST, "/products", product_add)                                                            \
    ROW(GET, "/products/{id}", product_show)                                                       \
    ROW(PATCH, "/products/{id}", product_set)                                                      \
    ROW(DELETE, "/products/{id}", product_remove)                                                  \
    ROW(GET, "/products/{id}/variants", variant_list)                                              \
    ROW(POST, "/products/{id}/variants", variant_add)                                              \
    ROW(PATCH, "/products/{id}/variants/{sku}", variant_set)                                       \
    ROW(DELETE, "/products/{id}/variants/{sku}", variant_remove)                                   \
    ROW(GET, "/products/{id}/pictures", picture_list)                                              \
    ROW(POST, "/products/{id}/pictures", picture_add)                                              \
    ROW(PATCH, "/products/{id}/pictures/{picture}", picture_set)                                   \
    ROW(DELETE, "/products/{id}/pictures/{picture}", picture_remove)                               \
    ROW(GET, "/categories", category_list)                                                         \
    ROW(POST, "/categories", category_add)                                                         \
    ROW(GET, "/categories/{id}", category_show)                                                    \
    ROW(PATCH, "/categories/{id}", category_set)                                                   \
    ROW(DELETE, "/categories/{id}", category_remove)                                               \
    ROW(GET, "/stock", stock_list)                                                                 \
    ROW(GET, "/stock/{id}", stock_show)                                                            \
    ROW(POST, "/stock/{id}/adjust", stock_adjust)                                                  \
    ROW(GET, "/shipping-methods", shipping_list)                                                   \
    ROW(POST, "/shipping-methods", shipping_add)                                                   \
    ROW(GET, "/shipping-methods/{id}", shipping_show)                                              \
    ROW(PATCH, "/shipping-methods/{id}", shipping_set)                                             \
    ROW(DELETE, "/shipping-methods/{id}", shipping_remove)                                         \
    ROW(GET, "/tax-rates", tax_list)                                                               \
    ROW(POST, "/tax-rates", tax_add)                                                               \
    ROW(GET, "/tax-rates/{id}", tax_show)                                                          \
    ROW(PATCH, "/tax-rates/{id}", tax_set)                                                         \
    ROW(DELETE, "/tax-rates/{id}", tax_remove)

#define SETPAY_API_SHOP_HANDLER(method, path, act) setpay_http_handler_fn setpay_api_on_##act;
SETPAY_API_SHOP_ROUTES(SETPAY_API_SHOP_HANDLER)
setpay_http_handler_fn setpay_api_on_picture_show;
#undef SETPAY_API_SHOP_HANDLER

#endif
