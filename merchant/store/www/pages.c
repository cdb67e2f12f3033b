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
static const uint8_t order[] = {
#include "merchant/store/www/templates/order.html.inc"
};
static const uint8_t error[] = {
#include "merchant/store/www/templates/error.html.inc"
};

const struct setpay_template_source setpay_www_sources[] = {
    {"layout_head", {layout_head, sizeof layout_head}},
    {"layout_foot", {layout_foot, sizeof layout_foot}},
    {"front", {front, sizeof front}},
    {"order", {order, sizeof order}},
    {"error", {error, sizeof error}},
    {NULL, {NULL, 0}},
};

static const char *const names[SETPAY_WWW_PAGES] = {
    [SETPAY_WWW_FRONT] = "front",
    [SETPAY_WWW_ORDER] = "order",
    [SETPAY_WWW_ERROR] = "error",
};

const char *setpay_www_page_name(enum setpay_www_page page)
{
    return names[page];
}
