/*
 * The texts of all templates, and which page has which.
 */
#include "merchant/store/www/www_internal.h"

static const uint8_t layout_head[] = {
#include "merchant/store/www/templates/layout_head.html.inc"
};
static const uint8_t layout_foot[] = {
#include "merchant/store/www/templates/layout_foot.html.inc"
};
static const uint8_t front[] = {
#include "merchant/store/www/templates/front.html.inc"
};
static const uint8_t list[] = {
#include "merchant/store/www/templates/list.html.inc"
};
static const uint8_t product[] = {
#include "merchant/store/www/templates/product.html.inc"
};
static const uint8_t cart[] = {
#include "merchant/store/www/templates/cart.html.inc"
};
static const uint8_t checkout[] = {
#include "merchant/store/www/templates/checkout.html.inc"
};
static const uint8_t goods[] = {
#include "merchant/store/www/templates/goods.html.inc"
};
static const uint8_t sums[] = {
#include "merchant/store/www/templates/sums.html.inc"
};
static const uint8_t order[] = {
#include "merchant/store/www/templates/order.html.inc"
};
static const uint8_t about[] = {
#include "merchant/store/www/templates/about.html.inc"
};
static const uint8_t error[] = {
#include "merchant/store/www/templates/error.html.inc"
};

const struct setpay_template_source setpay_www_sources[] = {
    {"layout_head", {layout_head, sizeof layout_head}},
    {"layout_foot", {layout_foot, sizeof layout_foot}},
    {"front", {front, sizeof front}},
    {"list", {list, sizeof list}},
    {"product", {product, sizeof product}},
    {"cart", {cart, sizeof cart}},
    {"checkout", {checkout, sizeof checkout}},
    {"goods", {goods, sizeof goods}},
    {"sums", {sums, sizeof sums}},
    {"order", {order, sizeof order}},
    {"about", {about, sizeof about}},
    {"error", {error, sizeof error}},
    {NULL, {NULL, 0}},
};

static const char *const names[SETPAY_WWW_PAGES] = {
    [SETPAY_WWW_FRONT] = "front",       [SETPAY_WWW_LIST] = "list",
    [SETPAY_WWW_PRODUCT] = "product",   [SETPAY_WWW_CART] = "cart",
    [SETPAY_WWW_CHECKOUT] = "checkout", [SETPAY_WWW_ORDER] = "order",
    [SETPAY_WWW_ABOUT] = "about",       [SETPAY_WWW_ERROR] = "error",
};

const char *setpay_www_page_name(enum setpay_www_page page)
{
    return names[page];
}
