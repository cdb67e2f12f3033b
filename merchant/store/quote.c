/*
 * Pricing an order.
 *
 * Tax is computed line by line, halves up, and added up by rate: so the lines of an invoice add up
 * to its foot.
 */
#include "merchant/store/quote.h"

#include "common/base/money.h"
#include "common/base/noun.h"
#include "merchant/store/country.h"
#include "merchant/store/product.h"
#include "merchant/store/shipping.h"
#include "merchant/store/stock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is known of a SKU. */
struct line {
    struct setpay_stock_want want;
    bool is_of_catalogue;
    char name[SETPAY_LIMIT_NAME_BYTES + 1];
    char tax_class[SETPAY_SHOP_ID_SIZE];
    int64_t weight_g;
    int64_t price_minor;
    bool has_price;
    bool is_published;
};

/* One pricing. */
struct pricing {
    struct setpay_db *db;
    struct setpay_order *order;
    struct setpay_quote *quote;
    struct setpay_json_fault *fault;
    struct line *lines; /* as many as the client has named items */
    size_t count;
    int64_t weight_g;
    struct setpay_money sum;
};

static enum setpay_error too_much(struct pricing *pricing)
{
    return setpay_json_fault_set(pricing->fault, "items",
                                 "the order adds up to more than the largest amount, %lld",
                                 (long long)SETPAY_MONEY_MAX_MINOR);
}

/* ------------------------------------------------------------------ the catalogue */

/* "Teapot, moss green", cut between characters where it would be too long. */
static enum setpay_error append_options(struct setpay_view options, char *name, size_t size)
{
    const char *key;
    json_t *value;
    json_t *json = json_loadb((const char *)options.data, options.size, 0, NULL);
    if (json == NULL)
        return SETPAY_E_NOMEM;
    json_object_foreach(json, key, value)
    {
        size_t length = strlen(name);
        const char *text = json_string_value(value);
        if (length + 2 + strlen(text) < size)
            (void)snprintf(name + length, size - length, ", %s", text);
    }
    json_decref(json);
    return SETPAY_OK;
}

/* SETPAY_E_NOT_FOUND: it is not of the catalogue. */
static enum setpay_error find_line(struct setpay_db *db, const char *sku, const char *currency,
                                   struct line *line)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT v.seq, p.name, v.options, v.weight_g, p.tax_class, p.status,"
        " (SELECT r.amount_minor FROM price r WHERE r.variant_seq = v.seq AND r.currency = $1)"
        " FROM variant v JOIN product p ON p.seq = v.product_seq WHERE v.sku = $2",
        SETPAY_DB_TEXT(currency), SETPAY_DB_TEXT(sku)));
    line->want.variant_seq = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, line->name, sizeof line->name);
    enum setpay_error error =
        append_options(setpay_db_get_view(rows, 2), line->name, sizeof line->name);
    line->weight_g = setpay_db_get_int(rows, 3);
    setpay_db_get_text(rows, 4, line->tax_class, sizeof line->tax_class);
    line->is_published = setpay_db_get_int(rows, 5) == SETPAY_PRODUCT_PUBLISHED;
    line->has_price = !setpay_db_is_null(rows, 6);
    line->price_minor = line->has_price ? setpay_db_get_int(rows, 6) : 0;
    line->is_of_catalogue = true;
    (void)snprintf(line->want.sku, sizeof line->want.sku, "%s", sku);
    enum setpay_error ended = setpay_db_end(rows);
    return ended != SETPAY_OK ? ended : error;
}

/* What the client left open, from the catalogue. */
static enum setpay_error price_item(struct pricing *pricing, size_t index)
{
    struct setpay_item *item = &pricing->order->items[index];
    struct line *line = &pricing->lines[index];
    char field[48];
    bool is_open = item->name[0] == '\0';
    (void)snprintf(field, sizeof field, "items[%zu].sku", index);
    enum setpay_error error =
        item->sku[0] == '\0'
            ? SETPAY_E_NOT_FOUND
            : find_line(pricing->db, item->sku, pricing->order->amount.currency, line);
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    if (error == SETPAY_OK && !is_open)
        return setpay_json_fault_set(pricing->fault, field,
                                     "\"%.64s\" is of the catalogue, which says what it costs;"
                                     " expected neither name nor unit_amount beside it",
                                     item->sku);
    if (!is_open)
        return SETPAY_OK;
    if (error == SETPAY_E_NOT_FOUND || !line->is_published) {
        (void)setpay_json_fault_set(
            pricing->fault, field,
            "\"%.64s\" is not in the catalogue, or not published; expected the SKU of a published"
            " product, or name and unit_amount beside it",
            item->sku);
        return SETPAY_E_NOT_FOUND;
    }
    if (!line->has_price)
        return setpay_json_fault_set(pricing->fault, field, "%s has no price in %s", item->sku,
                                     pricing->order->amount.currency);
    memcpy(item->name, line->name, sizeof item->name);
    item->unit_minor = line->price_minor;
    line->want.quantity = item->quantity;
    pricing->weight_g += line->weight_g * (int64_t)item->quantity; /* 200 * 10^6 * 10^6 at most */
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ sums and taxes */

/* The line of its rate; a new one where there is none yet. */
static struct setpay_quote_tax *tax_line(struct setpay_quote *quote,
                                         const struct setpay_tax_rate *rate)
{
    for (size_t i = 0; i < quote->tax_count; i++) {
        const struct setpay_tax_rate *held = &quote->taxes[i].rate;
        if (held->rate_ppm == rate->rate_ppm && held->included == rate->included &&
            strcmp(held->name, rate->name) == 0)
            return &quote->taxes[i];
    }
    if (quote->tax_count == SETPAY_QUOTE_TAXES_MAX)
        return NULL;
    quote->taxes[quote->tax_count].rate = *rate;
    return &quote->taxes[quote->tax_count++];
}

/* There is no rate: since there is no tax, or since it is not said where it goes. */
static enum setpay_error check_region(struct pricing *pricing, const char *tax_class)
{
    const struct setpay_quote *quote = pricing->quote;
    bool by_region = false;
    SETPAY_TRY(setpay_tax_is_by_region(pricing->db, tax_class, quote->country, &by_region));
    if (!by_region)
        return SETPAY_OK;
    if (quote->region[0] == '\0')
        return setpay_json_fault_set(pricing->fault, "region",
                                     "found nothing; expected a region of %s (ISO 3166-2), like"
                                     " CA of US-CA: taxes there are by region",
                                     quote->country);
    if (!setpay_region_may_be(quote->country, quote->region))
        return setpay_json_fault_set(pricing->fault, "region",
                                     "found \"%s\"; expected a region of %s (ISO 3166-2), like"
                                     " CA of US-CA: taxes there are by region",
                                     quote->region, quote->country);
    return SETPAY_OK;
}

/* Of the item at this index. */
static enum setpay_error add_tax(struct pricing *pricing, const char *tax_class, size_t index)
{
    struct setpay_quote *quote = pricing->quote;
    struct setpay_tax_rate rate;
    int64_t minor = pricing->order->items[index].total_minor;
    if (quote->country[0] == '\0')
        return SETPAY_OK;
    enum setpay_error error =
        setpay_tax_find(pricing->db, tax_class, quote->country, quote->region, &rate);
    if (error == SETPAY_E_NOT_FOUND)
        return check_region(pricing, tax_class);
    SETPAY_TRY(error);
    struct setpay_quote_tax *line = tax_line(quote, &rate);
    if (line == NULL)
        return setpay_json_fault_set(pricing->fault, "items",
                                     "expected at most %d different tax rates in one order",
                                     SETPAY_QUOTE_TAXES_MAX);
    int64_t tax = setpay_tax_of(&rate, minor);
    line->tax_minor += tax;
    line->base_minor += rate.included ? minor - tax : minor;
    quote->item_tax_minor[index] = rate.included ? 0 : tax;
    return SETPAY_OK;
}

static enum setpay_error add_up(struct pricing *pricing, struct setpay_item *item)
{
    struct setpay_money unit;
    struct setpay_money total;
    SETPAY_TRY(setpay_money_make(item->unit_minor, pricing->sum.currency, &unit));
    if (setpay_money_multiply(&unit, item->quantity, &total) != SETPAY_OK ||
        setpay_money_add(&pricing->sum, &total, &pricing->sum) != SETPAY_OK)
        return too_much(pricing);
    item->total_minor = total.minor;
    return SETPAY_OK;
}

/* One more item, behind those of the client. */
static enum setpay_error append_item(struct pricing *pricing, const char *name, int64_t minor)
{
    struct setpay_order *order = pricing->order;
    if (order->item_count == SETPAY_LIMIT_OFFER_ITEMS)
        return setpay_json_fault_set(pricing->fault, "items",
                                     "with shipping and taxes there are more than %d items;"
                                     " expected fewer",
                                     SETPAY_LIMIT_OFFER_ITEMS);
    struct setpay_item *item = &order->items[order->item_count++];
    memset(item, 0, sizeof *item);
    (void)snprintf(item->name, sizeof item->name, "%s", name);
    item->quantity = 1;
    item->unit_minor = minor;
    return add_up(pricing, item);
}

static enum setpay_error add_shipping(struct pricing *pricing)
{
    struct setpay_quote *quote = pricing->quote;
    struct setpay_shipping_method method = {.seq = 0};
    if (quote->shipping_method[0] == '\0')
        return SETPAY_OK;
    if (quote->country[0] == '\0')
        return setpay_json_fault_set(pricing->fault, "country",
                                     "found nothing; expected where it is to be shipped to");
    enum setpay_error error = setpay_shipping_find(pricing->db, quote->shipping_method, &method);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_json_fault_set(pricing->fault, "shipping_method",
                                     "found \"%s\"; expected the slug of a shipping method",
                                     quote->shipping_method);
    SETPAY_TRY(error);
    error = setpay_shipping_price(&method, quote->country, pricing->sum.currency, pricing->weight_g,
                                  pricing->sum.minor, &quote->shipping_minor);
    if (error != SETPAY_OK)
        error = setpay_json_fault_set(
            pricing->fault, "shipping_method",
            error == SETPAY_E_TOO_BIG ? "%s does not take so much; expected another one, or less"
                                      : "%s does not go there, or has no price in this currency;"
                                        " expected another one",
            method.slug);
    if (error == SETPAY_OK)
        error = append_item(pricing, method.name, quote->shipping_minor);
    if (error == SETPAY_OK)
        error = add_tax(pricing, method.tax_class, pricing->order->item_count - 1);
    setpay_shipping_method_clear(&method);
    return error;
}

/* "Sales tax 7.25 %" */
static void tax_name(const struct setpay_tax_rate *rate, char *name, size_t size)
{
    char digits[48];
    (void)snprintf(digits, sizeof digits, "%lld.%04lld", (long long)(rate->rate_ppm / 10000),
                   (long long)(rate->rate_ppm % 10000));
    size_t length = strlen(digits);
    while (digits[length - 1] == '0')
        length--;
    if (digits[length - 1] == '.')
        length--;
    (void)snprintf(name, size, "%s %.*s %%", rate->name, (int)length, digits);
}

static enum setpay_error append_taxes(struct pricing *pricing)
{
    for (size_t i = 0; i < pricing->quote->tax_count; i++) {
        const struct setpay_quote_tax *tax = &pricing->quote->taxes[i];
        char name[SETPAY_LIMIT_NAME_BYTES + 1];
        if (tax->rate.included || tax->tax_minor == 0)
            continue;
        tax_name(&tax->rate, name, sizeof name);
        SETPAY_TRY(append_item(pricing, name, tax->tax_minor));
    }
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ the stock */

/* What is wanted of each variant, wherever it stands among the items. */
static size_t gather_wants(const struct pricing *pricing, struct setpay_stock_want *wants)
{
    size_t count = 0;
    for (size_t i = 0; i < pricing->count; i++) {
        const struct line *line = &pricing->lines[i];
        size_t k = 0;
        if (!line->is_of_catalogue)
            continue;
        while (k < count && wants[k].variant_seq != line->want.variant_seq)
            k++;
        if (k == count)
            wants[count++] = line->want;
        else
            wants[k].quantity += line->want.quantity;
    }
    return count;
}

static enum setpay_error reserve(struct pricing *pricing, setpay_time_ms now_ms,
                                 struct setpay_quote_short *shortage)
{
    struct setpay_stock_want *wants = calloc(pricing->count, sizeof *wants);
    size_t index = 0;
    if (wants == NULL)
        return SETPAY_E_NOMEM;
    size_t count = gather_wants(pricing, wants);
    enum setpay_error error =
        setpay_stock_reserve(pricing->db, pricing->order->order_id, pricing->order->expires_ms,
                             wants, count, now_ms, &index);
    if (error == SETPAY_E_STATE) {
        memcpy(shortage->sku, wants[index].sku, sizeof shortage->sku);
        shortage->left = wants[index].left > 0 ? wants[index].left : 0;
        (void)setpay_json_fault_set(pricing->fault, "items",
                                    "%lld of %s %s wanted, and %lld left; expected no more than"
                                    " that",
                                    (long long)wants[index].quantity, shortage->sku,
                                    setpay_noun(wants[index].quantity, "is", "are"),
                                    (long long)shortage->left);
    }
    free(wants);
    return error;
}

/* ------------------------------------------------------------------ all of it */

static enum setpay_error price_all(struct pricing *pricing)
{
    struct setpay_order *order = pricing->order;
    SETPAY_TRY(setpay_money_make(0, order->amount.currency, &pricing->sum));
    for (size_t i = 0; i < pricing->count; i++) {
        SETPAY_TRY(price_item(pricing, i));
        SETPAY_TRY(add_up(pricing, &order->items[i]));
    }
    for (size_t i = 0; i < pricing->count; i++) {
        if (pricing->lines[i].is_of_catalogue)
            SETPAY_TRY(add_tax(pricing, pricing->lines[i].tax_class, i));
    }
    SETPAY_TRY(add_shipping(pricing));
    SETPAY_TRY(append_taxes(pricing));
    if (pricing->sum.minor < 1)
        return setpay_json_fault_set(pricing->fault, "items",
                                     "the order adds up to 0; expected a total of at least 1");
    order->amount = pricing->sum;
    return SETPAY_OK;
}

/* True where the client has left a price open, or has asked for shipping or taxes. */
static bool is_asked_for(const struct setpay_order *order)
{
    bool open = order->quote != NULL;
    for (size_t i = 0; i < order->item_count; i++)
        open = open || order->items[i].sku[0] != '\0';
    return open;
}

/* Prices the order, and reserves its stock where it is to be made now. */
static enum setpay_error quote(struct setpay_db *db, const struct setpay_shop_settings *settings,
                               struct setpay_order *order, bool reserves, setpay_time_ms now_ms,
                               struct setpay_json_fault *fault, struct setpay_quote_short *shortage)
{
    struct setpay_quote none = {.tax_count = 0}; /* of an order that names a SKU of its own */
    struct pricing pricing = {.db = db,
                              .order = order,
                              .quote = order->quote != NULL ? order->quote : &none,
                              .fault = fault,
                              .count = order->item_count};
    if (!is_asked_for(order))
        return SETPAY_OK;
    if (order->amount.currency[0] == '\0')
        memcpy(order->amount.currency, settings->currency, sizeof order->amount.currency);
    if (order->quote != NULL && order->quote->country[0] == '\0')
        (void)snprintf(order->quote->country, sizeof order->quote->country, "%s",
                       settings->country);
    pricing.lines = calloc(order->item_count, sizeof *pricing.lines);
    if (pricing.lines == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = price_all(&pricing);
    if (error == SETPAY_OK && reserves)
        error = reserve(&pricing, now_ms, shortage);
    free(pricing.lines);
    return error;
}

enum setpay_error setpay_quote_make(struct setpay_db *db,
                                    const struct setpay_shop_settings *settings,
                                    struct setpay_order *order, setpay_time_ms now_ms,
                                    struct setpay_json_fault *fault,
                                    struct setpay_quote_short *shortage)
{
    return quote(db, settings, order, true, now_ms, fault, shortage);
}

enum setpay_error setpay_quote_preview(struct setpay_db *db,
                                       const struct setpay_shop_settings *settings,
                                       struct setpay_order *order, struct setpay_json_fault *fault)
{
    return quote(db, settings, order, false, 0, fault, NULL);
}

/* ------------------------------------------------------------------ kept with the order */

enum setpay_error setpay_quote_insert(struct setpay_db *db, const char *order_id,
                                      const struct setpay_quote *quote)
{
    SETPAY_TRY(setpay_db_run(db,
                             "INSERT INTO order_quote (order_id, country, region, shipping_method,"
                             " shipping_minor) VALUES ($1, $2, $3, $4, $5)",
                             SETPAY_DB_TEXT(order_id), SETPAY_DB_TEXT(quote->country),
                             SETPAY_DB_TEXT(quote->region), SETPAY_DB_TEXT(quote->shipping_method),
                             SETPAY_DB_INT(quote->shipping_minor)));
    for (size_t i = 0; i < quote->tax_count; i++) {
        const struct setpay_quote_tax *tax = &quote->taxes[i];
        SETPAY_TRY(setpay_db_run(db,
                                 "INSERT INTO order_tax (order_id, position, name, rate_ppm,"
                                 " included, base_minor, tax_minor)"
                                 " VALUES ($1, $2, $3, $4, $5, $6, $7)",
                                 SETPAY_DB_TEXT(order_id), SETPAY_DB_INT((int64_t)i),
                                 SETPAY_DB_TEXT(tax->rate.name), SETPAY_DB_INT(tax->rate.rate_ppm),
                                 SETPAY_DB_BOOL(tax->rate.included), SETPAY_DB_INT(tax->base_minor),
                                 SETPAY_DB_INT(tax->tax_minor)));
    }
    for (size_t i = 0; i < SETPAY_LIMIT_OFFER_ITEMS; i++) {
        if (quote->item_tax_minor[i] == 0)
            continue;
        SETPAY_TRY(setpay_db_run(db,
                                 "INSERT INTO order_line_tax (order_id, position, tax_minor)"
                                 " VALUES ($1, $2, $3)",
                                 SETPAY_DB_TEXT(order_id), SETPAY_DB_INT((int64_t)i),
                                 SETPAY_DB_INT(quote->item_tax_minor[i])));
    }
    return SETPAY_OK;
}

static enum setpay_error read_quote(struct setpay_db *db, const char *order_id,
                                    struct setpay_quote *quote)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT country, region, shipping_method, shipping_minor"
                             " FROM order_quote WHERE order_id = $1",
                             SETPAY_DB_TEXT(order_id)));
    setpay_db_get_text(rows, 0, quote->country, sizeof quote->country);
    setpay_db_get_text(rows, 1, quote->region, sizeof quote->region);
    setpay_db_get_text(rows, 2, quote->shipping_method, sizeof quote->shipping_method);
    quote->shipping_minor = setpay_db_get_int(rows, 3);
    SETPAY_TRY(setpay_db_end(rows));
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT name, rate_ppm, included, base_minor, tax_minor"
                                " FROM order_tax WHERE order_id = $1 ORDER BY position",
                                SETPAY_DB_TEXT(order_id)));
    while (quote->tax_count < SETPAY_QUOTE_TAXES_MAX && setpay_db_next(rows)) {
        struct setpay_quote_tax *tax = &quote->taxes[quote->tax_count++];
        setpay_db_get_text(rows, 0, tax->rate.name, sizeof tax->rate.name);
        tax->rate.rate_ppm = setpay_db_get_int(rows, 1);
        tax->rate.included = setpay_db_get_bool(rows, 2);
        tax->base_minor = setpay_db_get_int(rows, 3);
        tax->tax_minor = setpay_db_get_int(rows, 4);
    }
    return setpay_db_end(rows);
}

enum setpay_error setpay_quote_find(struct setpay_db *db, const char *order_id,
                                    struct setpay_quote **quote)
{
    struct setpay_quote *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = read_quote(db, order_id, made);
    if (error == SETPAY_OK)
        *quote = made;
    else
        free(made);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

void setpay_quote_json(const struct setpay_quote *quote, json_t *order, bool *whole)
{
    json_t *taxes = json_array();
    if (quote->country[0] != '\0')
        setpay_shop_set(order, "country", json_string(quote->country), whole);
    if (quote->region[0] != '\0')
        setpay_shop_set(order, "region", json_string(quote->region), whole);
    if (quote->shipping_method[0] != '\0')
        setpay_shop_set(order, "shipping",
                        json_pack("{s:s, s:I}", "method", quote->shipping_method, "amount",
                                  (json_int_t)quote->shipping_minor),
                        whole);
    for (size_t i = 0; i < quote->tax_count; i++) {
        const struct setpay_quote_tax *tax = &quote->taxes[i];
        setpay_shop_append(taxes,
                           json_pack("{s:s, s:I, s:b, s:I, s:I}", "name", tax->rate.name,
                                     "rate_ppm", (json_int_t)tax->rate.rate_ppm, "included",
                                     (int)tax->rate.included, "net", (json_int_t)tax->base_minor,
                                     "tax", (json_int_t)tax->tax_minor),
                           whole);
    }
    setpay_shop_set(order, "taxes", taxes, whole);
}
