/*
 * GET /cart, POST /cart/add, POST /cart/change
 */
#include "merchant/store/country.h"
#include "merchant/store/tax.h"
#include "merchant/store/www/bill.h"
#include "merchant/store/www/goods.h"
#include "merchant/store/www/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ GET /cart */

struct look {
    struct setpay_www *www;
    struct setpay_visit visit;
    struct setpay_cart cart;
    struct setpay_shop_settings settings; /* in the shopper's currency */
    struct setpay_bill bill;
    json_t *values;
};

/* A sum above the largest amount is none; the bill says why. */
static json_t *sum_json(int64_t minor, const char *currency)
{
    json_t *sum = setpay_www_money_json(minor, currency);
    return sum != NULL ? sum : json_null();
}

/* Why it can't be ordered so; NULL: it can. */
static json_t *wrong_json(const struct setpay_cart_line *line, const struct setpay_good *good,
                          const struct setpay_shop_settings *settings)
{
    if (!good->is_published || (!good->has_price && !setpay_goods_elsewhere(settings)))
        return json_string("Not sold any more: please take it out.");
    if (!good->has_price)
        return json_sprintf("Not sold in %s: take it out, or choose another currency.",
                            settings->currency);
    if (good->available < 1)
        return json_string("Sold out: please take it out.");
    if (good->available < line->quantity)
        return json_sprintf("Only %lld left: please take fewer.", (long long)good->available);
    return NULL;
}

static json_t *line_json(const struct setpay_cart_line *line, const struct setpay_good *good,
                         json_t *wrong, const char *currency)
{
    char digest[SETPAY_DIGEST_TEXT_SIZE];
    bool is_sold = good->is_published && good->has_price;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:s, s:o}", "sku", line->sku, "slug",
        good->is_published ? good->slug : "", "name", good->name, "options", good->options,
        "quantity", (json_int_t)line->quantity, "unit",
        is_sold ? setpay_www_money_json(good->price_minor, currency) : json_null(), "sum",
        is_sold ? sum_json(good->price_minor * line->quantity, currency) : json_null(), "picture",
        good->has_picture ? setpay_goods_picture(setpay_digest_format(&good->picture, digest))
                          : json_null(),
        "alt", good->alt, "wrong", wrong != NULL ? wrong : json_null());
}

static enum setpay_error add_lines(struct setpay_db *db, struct look *look, bool *whole)
{
    const char *currency = look->settings.currency;
    bool can_order = look->cart.line_count > 0;
    json_t *lines = json_array();
    setpay_shop_set(look->values, "lines", lines, whole);
    for (size_t i = 0; i < look->cart.line_count; i++) {
        const struct setpay_cart_line *line = &look->cart.lines[i];
        struct setpay_good good;
        enum setpay_error error = setpay_good_find(db, line->sku, currency, &good);
        if (error == SETPAY_E_NOT_FOUND)
            (void)snprintf(good.name, sizeof good.name, "%s", line->sku);
        else
            SETPAY_TRY(error);
        json_t *wrong = wrong_json(line, &good, &look->settings);
        can_order = can_order && wrong == NULL;
        setpay_shop_append(lines, line_json(line, &good, wrong, currency), whole);
    }
    setpay_shop_set(look->values, "can_order",
                    json_boolean(can_order && look->bill.fault.words[0] == '\0'), whole);
    return SETPAY_OK;
}

static enum setpay_error read_cart(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    json_t *countries = NULL;
    bool whole = look->values != NULL;
    const struct setpay_shop_settings *settings = &look->settings;
    SETPAY_TRY(setpay_visit_frame(db, look->www, &look->visit, &look->cart, look->values));
    look->settings = setpay_visit_settings(look->www, &look->cart);
    setpay_shop_set(look->values, "here", json_string("/cart"), &whole);
    SETPAY_TRY(setpay_bill_make(db, settings, &look->cart, &look->bill));
    SETPAY_TRY(add_lines(db, look, &whole));
    SETPAY_TRY(setpay_bill_countries(db, settings, look->bill.country, &countries));
    setpay_shop_set(look->values, "countries", countries, &whole);
    SETPAY_TRY(setpay_bill_regions(db, &look->bill, look->values, &whole));
    setpay_bill_json(&look->bill, look->values, &whole);
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

static const struct {
    const char *said;
    const char *words;
} sayings[] = {
    {"added", "It is in your cart."},
    {"changed", "The cart was changed."},
    {"short", "There is not as much left as you wished for: your cart has what there is."},
    {"gone", "It has just been sold out. Your cart is as it was."},
    {"full", "The cart can hold no more different things."},
    {"quantity", "A quantity is a whole number from 0 to 999. Nothing was changed."},
    {"unknown", "That is not sold here any more. Your cart is as it was."},
    {"unsold", "That is not sold in the currency that you have chosen. Your cart is as it was."},
    {"taken", "Somebody was faster: not everything in your cart is left. Nothing was ordered, and"
              " nothing is to be paid."},
};

static const char *words_of(const char *said)
{
    for (size_t i = 0; said != NULL && i < sizeof sayings / sizeof *sayings; i++) {
        if (strcmp(sayings[i].said, said) == 0)
            return sayings[i].words;
    }
    return "";
}

void setpay_www_on_cart(struct setpay_http_request *request, void *arg)
{
    struct look *look = calloc(1, sizeof *look);
    const char *said = setpay_http_request_query(request, "said");
    bool whole = true;
    if (look == NULL) {
        setpay_visit_fail(arg, request, SETPAY_E_NOMEM);
        return;
    }
    look->www = arg;
    look->values = json_object();
    setpay_shop_set(look->values, "said", json_string(words_of(said)), &whole);
    setpay_shop_set(
        look->values, "said_good",
        json_boolean(said != NULL && (strcmp(said, "added") == 0 || strcmp(said, "changed") == 0)),
        &whole);
    enum setpay_error error = setpay_visit_begin(look->www, request, &look->visit);
    if (error == SETPAY_OK && whole)
        error = setpay_store_read(look->www->reader, read_cart, look);
    if (error == SETPAY_OK) {
        setpay_visit_reply(look->www, request, &look->visit, 200, SETPAY_WWW_CART, "Your cart",
                           look->values);
    } else {
        json_decref(look->values);
        setpay_visit_fail(look->www, request, error);
    }
    setpay_bill_clear(&look->bill);
    free(look);
}

/* ------------------------------------------------------------------ POST */

/* What the next page says; static. */
struct outcome {
    const char *said;
};

/* 0 to SETPAY_CART_QUANTITY_MAX in decimal digits; -1 for anything else. */
static int64_t read_quantity(const char *text)
{
    size_t length = strlen(text);
    if (length < 1 || length > 3 || strspn(text, "0123456789") != length)
        return -1;
    return strtol(text, NULL, 10);
}

/* So many of it, or as many as there are. */
static enum setpay_error put(struct setpay_db *db, const struct setpay_write *write,
                             struct setpay_cart *cart, const char *sku, int64_t quantity,
                             const char **said)
{
    struct setpay_good good;
    int64_t had = setpay_cart_quantity(cart, sku);
    if (quantity == 0)
        return setpay_cart_set(cart, sku, 0);
    const struct setpay_shop_settings settings = setpay_visit_settings(write->www, cart);
    enum setpay_error error = setpay_good_find(db, sku, settings.currency, &good);
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    if (error == SETPAY_E_NOT_FOUND || !good.is_published || !good.has_price) {
        bool elsewhere =
            error == SETPAY_OK && good.is_published && setpay_goods_elsewhere(&settings);
        *said = elsewhere ? "unsold" : "unknown";
        return SETPAY_OK;
    }
    if (quantity > SETPAY_CART_QUANTITY_MAX)
        quantity = SETPAY_CART_QUANTITY_MAX;
    if (quantity > good.available) {
        *said = good.available > had || good.available > 0 ? "short" : "gone";
        quantity = good.available > 0 ? good.available : had;
    }
    error = setpay_cart_set(cart, sku, quantity);
    if (error == SETPAY_E_TOO_BIG) {
        *said = "full";
        error = SETPAY_OK;
    }
    return error;
}

static enum setpay_error run_add(struct setpay_db *db, struct setpay_write *write)
{
    struct outcome *outcome = write->data;
    struct setpay_cart cart;
    const char *sku = setpay_form_get(&write->form, "sku");
    int64_t quantity = read_quantity(setpay_form_get(&write->form, "quantity"));
    SETPAY_TRY(setpay_cart_find(db, &write->visit.cart_id, &cart));
    outcome->said = quantity < 1 ? "quantity" : !setpay_shop_is_sku(sku) ? "unknown" : "added";
    if (strcmp(outcome->said, "added") != 0)
        return SETPAY_OK;
    SETPAY_TRY(
        put(db, write, &cart, sku, setpay_cart_quantity(&cart, sku) + quantity, &outcome->said));
    return setpay_visit_keep_cart(db, write->www, &write->visit, &cart, setpay_clock_now_ms());
}

/* All lines at once: "quantity_SKU"; "remove" takes one out. */
static enum setpay_error change_lines(struct setpay_db *db, struct setpay_write *write,
                                      struct setpay_cart *cart, struct outcome *outcome)
{
    const struct setpay_cart was = *cart;
    const char *remove = setpay_form_get(&write->form, "remove");
    for (size_t i = 0; i < was.line_count; i++) {
        char field[SETPAY_SHOP_ID_SIZE + 16];
        const char *sku = was.lines[i].sku;
        (void)snprintf(field, sizeof field, "quantity_%s", sku);
        const char *text = setpay_form_get(&write->form, field);
        int64_t quantity = strcmp(remove, sku) == 0 ? 0 : read_quantity(text);
        if (text[0] == '\0' && quantity != 0)
            continue;
        if (quantity < 0) {
            *cart = was;
            outcome->said = "quantity";
            return SETPAY_OK;
        }
        if (quantity != was.lines[i].quantity)
            SETPAY_TRY(put(db, write, cart, sku, quantity, &outcome->said));
    }
    return SETPAY_OK;
}

/* Where it goes within the country, as far as the form asks for it; what none can be is left out.
 */
static void read_region(const struct setpay_form *form, struct setpay_cart *cart)
{
    char region[sizeof cart->region];
    if (setpay_form_copy(form, "region", region, sizeof region) != SETPAY_OK)
        return;
    setpay_tax_region_upper(region);
    if (region[0] == '\0' ||
        (setpay_tax_is_region(region) && setpay_region_may_be(cart->country, region)))
        memcpy(cart->region, region, sizeof region);
}

static enum setpay_error run_change(struct setpay_db *db, struct setpay_write *write)
{
    struct outcome *outcome = write->data;
    struct setpay_cart cart;
    const char *country = setpay_form_get(&write->form, "country");
    const char *way = setpay_form_get(&write->form, "shipping_method");
    SETPAY_TRY(setpay_cart_find(db, &write->visit.cart_id, &cart));
    outcome->said = "changed";
    if (cart.seq == 0)
        return SETPAY_OK;
    if (setpay_shop_is_country(country)) {
        bool moves = strcmp(country, cart.country) != 0;
        memcpy(cart.country, country, sizeof cart.country);
        if (moves)
            cart.region[0] = '\0'; /* what the form has is of the country before */
        else
            read_region(&write->form, &cart);
    }
    if (setpay_shop_is_slug(way))
        (void)snprintf(cart.shipping_method, sizeof cart.shipping_method, "%s", way);
    SETPAY_TRY(change_lines(db, write, &cart, outcome));
    return setpay_visit_keep_cart(db, write->www, &write->visit, &cart, setpay_clock_now_ms());
}

static void answer(struct setpay_write *write, enum setpay_error error)
{
    const struct outcome *outcome = write->data;
    char path[64];
    if (error != SETPAY_OK) {
        setpay_visit_fail(write->www, write->request, error);
        return;
    }
    (void)snprintf(path, sizeof path, "/cart?said=%s", outcome->said);
    setpay_visit_go_to(write->www, write->request, &write->visit, path);
}

static void start(struct setpay_http_request *request, struct setpay_www *www,
                  enum setpay_error (*run)(struct setpay_db *db, struct setpay_write *write))
{
    struct setpay_write *write = setpay_write_begin(www, request);
    if (write == NULL)
        return;
    write->run = run;
    write->answer = answer;
    write->data = calloc(1, sizeof(struct outcome));
    write->free_cb = free;
    if (write->data != NULL) {
        setpay_write_submit(write);
        return;
    }
    setpay_visit_fail(www, request, SETPAY_E_NOMEM);
    setpay_write_free(write);
}

void setpay_www_on_cart_add(struct setpay_http_request *request, void *arg)
{
    start(request, arg, run_add);
}

void setpay_www_on_cart_change(struct setpay_http_request *request, void *arg)
{
    start(request, arg, run_change);
}
