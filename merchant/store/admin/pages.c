/*
 * The texts of all templates, and which page has which.
 */
#include "merchant/store/admin/admin_internal.h"

static const uint8_t layout_head[] = {
#include "merchant/store/admin/templates/layout_head.html.inc"
};
static const uint8_t layout_foot[] = {
#include "merchant/store/admin/templates/layout_foot.html.inc"
};
static const uint8_t signin[] = {
#include "merchant/store/admin/templates/signin.html.inc"
};
static const uint8_t orders[] = {
#include "merchant/store/admin/templates/orders.html.inc"
};
static const uint8_t order[] = {
#include "merchant/store/admin/templates/order.html.inc"
};
static const uint8_t products[] = {
#include "merchant/store/admin/templates/products.html.inc"
};
static const uint8_t product[] = {
#include "merchant/store/admin/templates/product.html.inc"
};
static const uint8_t stock[] = {
#include "merchant/store/admin/templates/stock.html.inc"
};
static const uint8_t stock_one[] = {
#include "merchant/store/admin/templates/stock_one.html.inc"
};
static const uint8_t shipments[] = {
#include "merchant/store/admin/templates/shipments.html.inc"
};
static const uint8_t webhooks[] = {
#include "merchant/store/admin/templates/webhooks.html.inc"
};
static const uint8_t webhook[] = {
#include "merchant/store/admin/templates/webhook.html.inc"
};
static const uint8_t settlements[] = {
#include "merchant/store/admin/templates/settlements.html.inc"
};
static const uint8_t settlement[] = {
#include "merchant/store/admin/templates/settlement.html.inc"
};
static const uint8_t settlement_differences[] = {
#include "merchant/store/admin/templates/settlement_differences.html.inc"
};
static const uint8_t error[] = {
#include "merchant/store/admin/templates/error.html.inc"
};

/* clang-format off */
const struct setpay_template_source setpay_admin_sources[] = {
    {"layout_head", {layout_head, sizeof layout_head}},
    {"layout_foot", {layout_foot, sizeof layout_foot}},
    {"signin", {signin, sizeof signin}},
    {"orders", {orders, sizeof orders}},
    {"order", {order, sizeof order}},
    {"products", {products, sizeof products}},
    {"product", {product, sizeof product}},
    {"stock", {stock, sizeof stock}},
    {"stock_one", {stock_one, sizeof stock_one}},
    {"shipments", {shipments, sizeof shipments}},
    {"webhooks", {webhooks, sizeof webhooks}},
    {"webhook", {webhook, sizeof webhook}},
    {"settlements", {settlements, sizeof settlements}},
    {"settlement", {settlement, sizeof settlement}},
    {"settlement_differences", {settlement_differences, sizeof settlement_differences}},
    {"error", {error, sizeof error}},
    {NULL, {NULL, 0}},
};
/* clang-format on */

static const char *const names[SETPAY_ADMIN_PAGES] = {
    [SETPAY_ADMIN_SIGNIN] = "signin",
    [SETPAY_ADMIN_ORDERS] = "orders",
    [SETPAY_ADMIN_ORDER] = "order",
    [SETPAY_ADMIN_PRODUCTS] = "products",
    [SETPAY_ADMIN_PRODUCT] = "product",
    [SETPAY_ADMIN_STOCK] = "stock",
    [SETPAY_ADMIN_STOCK_ONE] = "stock_one",
    [SETPAY_ADMIN_SHIPMENTS] = "shipments",
    [SETPAY_ADMIN_WEBHOOKS] = "webhooks",
    [SETPAY_ADMIN_WEBHOOK] = "webhook",
    [SETPAY_ADMIN_SETTLEMENTS] = "settlements",
    [SETPAY_ADMIN_SETTLEMENT] = "settlement",
    [SETPAY_ADMIN_ERROR] = "error",
};

const char *setpay_admin_page_name(enum setpay_admin_page page)
{
    return names[page];
}
