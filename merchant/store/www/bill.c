/*
 * Carts priced, by way of what prices orders: so what the cart says is what the order says.
 */
#include "merchant/store/www/bill.h"

#include "merchant/store/country.h"
#include "merchant/store/quote.h"
#include "merchant/store/shipping.h"
#include "merchant/store/www/goods.h"
#include "merchant/store/www/www_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ an order of a cart */

enum setpay_error setpay_bill_order(const struct setpay_cart *cart,
                                    const struct setpay_shop_settings *settings,
                                    const char *country, const char *region, const char *way,
                                    setpay_time_ms now_ms, struct setpay_order *order,
                                    struct setpay_json_fault *fault)
{
    bool whole = true;
    json_t *items = json_array();
    json_t *body = json_pack("{s:o, s:s}", "items", items, "currency", settings->currency);
    for (size_t i = 0; i < cart->line_count; i++)
        setpay_shop_append(items,
                           json_pack("{s:s, s:I}", "sku", cart->lines[i].sku, "quantity",
                                     (json_int_t)cart->lines[i].quantity),
                           &whole);
    if (country[0] != '\0')
        setpay_shop_set(body, "country", json_string(country), &whole);
    if (country[0] != '\0' && region[0] != '\0')
        setpay_shop_set(body, "region", json_string(region), &whole);
    if (way[0] != '\0')
        setpay_shop_set(body, "shipping_method", json_string(way), &whole);
    enum setpay_error error = body == NULL || !whole
                                  ? SETPAY_E_NOMEM
                                  : setpay_order_request_parse(body, now_ms, order, fault);
    json_decref(body);
    return error;
}

/* ------------------------------------------------------------------ where it may go */

/* country NULL: any. */
static bool zone_has(const json_t *zone, const char *country, const char *currency)
{
    size_t index;
    const json_t *value;
    const char *own = json_string_value(json_object_get(zone, "currency"));
    if (own == NULL || strcmp(own, currency) != 0)
        return false;
    json_array_foreach(json_object_get(zone, "countries"), index, value)
    {
        const char *text = json_string_value(value);
        if (text != NULL &&
            (country == NULL || strcmp(text, country) == 0 || strcmp(text, "*") == 0))
            return true;
    }
    return false;
}

static bool is_shipped_to(const json_t *methods, const char *country, const char *currency)
{
    size_t index;
    size_t at;
    const json_t *method;
    const json_t *zone;
    json_array_foreach(methods, index, method)
    {
        json_array_foreach(json_object_get(method, "zones"), at, zone)
        {
            if (zone_has(zone, country, currency))
                return true;
        }
    }
    return json_array_size(methods) == 0;
}

/* For prices in any currency that shoppers may choose. */
static bool is_ever_shipped_to(const json_t *methods, const char *country,
                               const struct setpay_shop_settings *settings)
{
    const struct setpay_shop_currencies *sold = &settings->sold;
    bool is = is_shipped_to(methods, country, settings->currency);
    for (size_t i = 0; i < sold->count && !is; i++)
        is = is_shipped_to(methods, country, sold->codes[i]);
    return is;
}

/* ------------------------------------------------------------------ pricing */

/* The cart's order by this way, priced. Faults are told as SETPAY_E_INVALID. */
static enum setpay_error price(struct setpay_db *db, const struct setpay_shop_settings *settings,
                               const struct setpay_cart *cart, const struct setpay_bill *bill,
                               const char *way, struct setpay_order *order,
                               struct setpay_json_fault *fault)
{
    SETPAY_TRY(setpay_bill_order(cart, settings, bill->country, bill->region, way,
                                 setpay_clock_now_ms(), order, fault));
    enum setpay_error error = setpay_quote_preview(db, settings, order, fault);
    if (error != SETPAY_OK)
        setpay_order_clear(order);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_E_INVALID : error;
}

static enum setpay_error add_way(struct setpay_db *db, const struct setpay_shop_settings *settings,
                                 const struct setpay_cart *cart, const json_t *method,
                                 struct setpay_bill *bill)
{
    struct setpay_order order = {.seq = 0};
    struct setpay_json_fault fault = {.field = ""};
    const char *slug = json_string_value(json_object_get(method, "slug"));
    const char *name = json_string_value(json_object_get(method, "name"));
    if (bill->way_count == SETPAY_BILL_WAYS_MAX)
        return SETPAY_OK;
    enum setpay_error error = price(db, settings, cart, bill, slug, &order, &fault);
    if (error == SETPAY_E_INVALID)
        return SETPAY_OK; /* it does not go there */
    SETPAY_TRY(error);
    size_t at = bill->way_count++;
    (void)snprintf(bill->ways[at].slug, sizeof bill->ways[at].slug, "%s", slug);
    (void)snprintf(bill->ways[at].name, sizeof bill->ways[at].name, "%s", name);
    bill->ways[at].amount_minor = order.quote != NULL ? order.quote->shipping_minor : 0;
    if (strcmp(slug, cart->shipping_method) == 0)
        bill->way = at;
    setpay_order_clear(&order);
    return SETPAY_OK;
}

static enum setpay_error list_methods(struct setpay_db *db,
                                      const struct setpay_shop_settings *settings,
                                      struct setpay_shop_answer *answer)
{
    json_t *none = json_object();
    const struct setpay_shop_ask ask = {
        .body = none, .version = SETPAY_SHOP_ANY_VERSION, .settings = settings};
    enum setpay_error error =
        none == NULL ? SETPAY_E_NOMEM : setpay_shipping_list(db, &ask, answer);
    json_decref(none);
    return error;
}

/* A country that the store does not send to, in whatever currency, is none: the shopper chooses
 * one. Where it does in another currency than theirs, they may choose that instead. */
static enum setpay_error add_ways(struct setpay_db *db, const struct setpay_shop_settings *settings,
                                  const struct setpay_cart *cart, struct setpay_bill *bill)
{
    struct setpay_shop_answer answer = {.json = NULL};
    size_t index;
    const json_t *method;
    enum setpay_error error = list_methods(db, settings, &answer);
    const json_t *methods = json_object_get(answer.json, "shipping_methods");
    bill->ships = json_array_size(methods) > 0;
    if (bill->country[0] != '\0' && !is_ever_shipped_to(methods, bill->country, settings))
        bill->country[0] = '\0';
    json_array_foreach(methods, index, method)
    {
        if (error == SETPAY_OK)
            error = add_way(db, settings, cart, method, bill);
    }
    setpay_shop_answer_clear(&answer);
    return error;
}

/* ------------------------------------------------------------------ why it can't be ordered */

/* It is not said where it goes, or there is no way for it: of shipping so much, or of shipping
 * there at all for these prices. */
static enum setpay_error say_where(struct setpay_db *db,
                                   const struct setpay_shop_settings *settings,
                                   struct setpay_bill *bill)
{
    struct setpay_shop_answer answer = {.json = NULL};
    const struct setpay_shop_currencies *sold = &settings->sold;
    const char *country = bill->country[0] != '\0' ? bill->country : NULL;
    char others[SETPAY_SHOP_CURRENCIES_MAX * 5 + 1] = "";
    SETPAY_TRY(list_methods(db, settings, &answer));
    const json_t *methods = json_object_get(answer.json, "shipping_methods");
    bool there = is_shipped_to(methods, country, settings->currency);
    for (size_t i = 0; i < sold->count; i++) {
        size_t used = strlen(others);
        if (is_shipped_to(methods, country, sold->codes[i]))
            (void)snprintf(others + used, sizeof others - used, "%s%s", used > 0 ? ", " : "",
                           sold->codes[i]);
    }
    setpay_shop_answer_clear(&answer);
    bool others_do = others[0] != '\0';
    if (there)
        (void)setpay_json_fault_set(&bill->fault, "country", "%s",
                                    country == NULL
                                        ? "Choose where it goes."
                                        : "There is no way of shipping so much to this country.");
    else if (country != NULL)
        (void)setpay_json_fault_set(&bill->fault, "country",
                                    "Nothing is sent to this country for prices in %s%s%s. Please"
                                    " choose another country%s.",
                                    settings->currency, others_do ? ", but for those in " : "",
                                    others, others_do ? " or currency" : "");
    else
        (void)setpay_json_fault_set(&bill->fault, "country",
                                    "Nothing is sent anywhere for prices in %s%s%s.%s",
                                    settings->currency, others_do ? ", but for those in " : "",
                                    others, others_do ? " Please choose another currency." : "");
    return SETPAY_OK;
}

/* The tax is not known before this. */
static void say_which_region(struct setpay_bill *bill)
{
    size_t count;
    (void)setpay_regions_of(bill->country, &count);
    (void)setpay_json_fault_set(&bill->fault, "region", "%s",
                                count > 0
                                    ? "Please choose the state: taxes there depend on it."
                                    : "Please give the state or region by its code: taxes there"
                                      " depend on it.");
}

/* It has no price: something is not sold any more, or not in this currency, or the sum is none. */
static enum setpay_error say_why(struct setpay_db *db, const struct setpay_shop_settings *settings,
                                 const struct setpay_cart *cart, struct setpay_bill *bill)
{
    bool gone = false, unsold = false, costs = false;
    for (size_t i = 0; i < cart->line_count; i++) {
        struct setpay_good good;
        enum setpay_error error =
            setpay_good_find(db, cart->lines[i].sku, settings->currency, &good);
        if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
            return error;
        bool is_sold = error == SETPAY_OK && good.is_published &&
                       (good.has_price || setpay_goods_elsewhere(settings));
        gone = gone || !is_sold;
        unsold = unsold || (is_sold && !good.has_price);
        costs = costs || good.price_minor > 0;
    }
    if (unsold && !gone)
        (void)setpay_json_fault_set(&bill->fault, "items",
                                    "Not everything in the cart is sold in %s. Please take it out,"
                                    " or choose another currency.",
                                    settings->currency);
    else
        (void)setpay_json_fault_set(
            &bill->fault, "items", "%s",
            gone     ? "Something in the cart is not sold any more. Please take it out."
            : !costs ? "What is in the cart costs nothing, and nothing can't be paid. Please put"
                       " something in that has a price."
                     : "That is too much for one order. Please make two orders of it.");
    return SETPAY_OK;
}

enum setpay_error setpay_bill_make(struct setpay_db *db,
                                   const struct setpay_shop_settings *settings,
                                   const struct setpay_cart *cart, struct setpay_bill *bill)
{
    (void)snprintf(bill->country, sizeof bill->country, "%s",
                   cart->country[0] != '\0' ? cart->country : settings->country);
    (void)snprintf(bill->region, sizeof bill->region, "%s", cart->region);
    if (cart->line_count == 0)
        return SETPAY_OK;
    SETPAY_TRY(add_ways(db, settings, cart, bill));
    bool nowhere = bill->ships && bill->way_count == 0;
    const char *way = bill->way_count > 0 ? bill->ways[bill->way].slug : "";
    enum setpay_error error = price(db, settings, cart, bill, way, &bill->order, &bill->fault);
    if (error == SETPAY_OK)
        bill->line_count = cart->line_count;
    bool asks_region = error == SETPAY_E_INVALID && strcmp(bill->fault.field, "region") == 0;
    if (asks_region && bill->country[0] != '\0') {
        say_which_region(bill);
        return SETPAY_OK;
    }
    if ((error == SETPAY_OK && nowhere) ||
        (bill->country[0] == '\0' && (error == SETPAY_OK || asks_region)))
        error = say_where(db, settings, bill);
    else if (error == SETPAY_E_INVALID)
        error = say_why(db, settings, cart, bill);
    return error;
}

void setpay_bill_clear(struct setpay_bill *bill)
{
    setpay_order_clear(&bill->order);
    memset(bill, 0, sizeof *bill);
}

/* ------------------------------------------------------------------ for pages */

static json_t *row(const char *name, int64_t minor, const char *currency)
{
    return json_pack("{s:s, s:o}", "name", name, "amount",
                     minor > 0 ? setpay_www_money_json(minor, currency) : json_string("free"));
}

void setpay_bill_tax_notes(const struct setpay_order *order, json_t *values, bool *whole)
{
    const struct setpay_quote *quote = order->quote;
    json_t *notes = json_array();
    for (size_t i = 0; quote != NULL && i < quote->tax_count; i++) {
        const struct setpay_tax_rate *rate = &quote->taxes[i].rate;
        char name[96];
        if (!rate->included || quote->taxes[i].tax_minor == 0)
            continue;
        (void)snprintf(name, sizeof name, "of which %s %lld%s%.*lld %%", rate->name,
                       (long long)(rate->rate_ppm / 10000), rate->rate_ppm % 10000 != 0 ? "." : "",
                       rate->rate_ppm % 10000 != 0 ? 2 : 0,
                       (long long)(rate->rate_ppm % 10000 / 100));
        if (rate->rate_ppm % 10000 == 0)
            (void)snprintf(name, sizeof name, "of which %s %lld %%", rate->name,
                           (long long)(rate->rate_ppm / 10000));
        setpay_shop_append(notes, row(name, quote->taxes[i].tax_minor, order->amount.currency),
                           whole);
    }
    setpay_shop_set(values, "tax_notes", notes, whole);
}

static void add_ways_json(const struct setpay_bill *bill, json_t *values, bool *whole)
{
    json_t *ways = json_array();
    for (size_t i = 0; i < bill->way_count; i++)
        setpay_shop_append(ways,
                           json_pack("{s:s, s:s, s:o, s:b}", "slug", bill->ways[i].slug, "name",
                                     bill->ways[i].name, "amount",
                                     bill->ways[i].amount_minor > 0
                                         ? setpay_www_money_json(bill->ways[i].amount_minor,
                                                                 bill->order.amount.currency)
                                         : json_string("free"),
                                     "chosen", (int)(i == bill->way)),
                           whole);
    setpay_shop_set(values, "ways", ways, whole);
}

void setpay_bill_json(const struct setpay_bill *bill, json_t *values, bool *whole)
{
    const struct setpay_order *order = &bill->order;
    json_t *sums = json_array();
    int64_t goods = 0;
    for (size_t i = 0; i < bill->line_count; i++)
        goods += order->items[i].total_minor;
    if (bill->line_count > 0)
        setpay_shop_append(sums, row("Goods", goods, order->amount.currency), whole);
    for (size_t i = bill->line_count; i < order->item_count; i++)
        setpay_shop_append(
            sums, row(order->items[i].name, order->items[i].total_minor, order->amount.currency),
            whole);
    setpay_shop_set(values, "sums", sums, whole);
    setpay_shop_set(values, "total",
                    bill->line_count > 0
                        ? setpay_www_money_json(order->amount.minor, order->amount.currency)
                        : json_null(),
                    whole);
    setpay_shop_set(values, "bill_fault", json_string(bill->fault.words), whole);
    setpay_bill_tax_notes(order, values, whole);
    add_ways_json(bill, values, whole);
}

enum setpay_error setpay_bill_regions(struct setpay_db *db, const struct setpay_bill *bill,
                                      json_t *values, bool *whole)
{
    size_t count;
    bool by_region = false;
    const struct setpay_region *regions = setpay_regions_of(bill->country, &count);
    SETPAY_TRY(setpay_tax_is_by_region(db, NULL, bill->country, &by_region));
    json_t *list = json_array();
    if (count > 0)
        setpay_shop_append(
            list, json_pack("{s:s, s:s, s:b}", "code", "", "name", "Choose…", "chosen", 0), whole);
    for (size_t i = 0; i < count; i++)
        setpay_shop_append(list,
                           json_pack("{s:s, s:s, s:b}", "code", regions[i].code, "name",
                                     regions[i].name, "chosen",
                                     (int)(strcmp(regions[i].code, bill->region) == 0)),
                           whole);
    setpay_shop_set(values, "regions", list, whole);
    setpay_shop_set(values, "region", json_string(bill->region), whole);
    setpay_shop_set(values, "asks_region", json_boolean(by_region), whole);
    return SETPAY_OK;
}

enum setpay_error setpay_bill_countries(struct setpay_db *db,
                                        const struct setpay_shop_settings *settings,
                                        const char *chosen, json_t **list)
{
    struct setpay_shop_answer answer = {.json = NULL};
    bool whole = true;
    json_t *made = json_array();
    enum setpay_error error = list_methods(db, settings, &answer);
    const json_t *methods = json_object_get(answer.json, "shipping_methods");
    /* A browser would show the first as chosen. */
    if (chosen[0] == '\0')
        setpay_shop_append(
            made, json_pack("{s:s, s:s, s:b}", "code", "", "name", "Choose…", "chosen", 1), &whole);
    for (size_t i = 0; error == SETPAY_OK && i < setpay_country_count; i++) {
        const struct setpay_country *country = &setpay_countries[i];
        bool is_chosen = strcmp(country->code, chosen) == 0;
        if (is_chosen || is_shipped_to(methods, country->code, settings->currency))
            setpay_shop_append(made,
                               json_pack("{s:s, s:s, s:b}", "code", country->code, "name",
                                         country->name, "chosen", (int)is_chosen),
                               &whole);
    }
    setpay_shop_answer_clear(&answer);
    if (error == SETPAY_OK && (made == NULL || !whole))
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        *list = made;
    else
        json_decref(made);
    return error;
}
