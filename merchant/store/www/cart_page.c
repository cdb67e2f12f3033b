/*
 * GET /cart, POST /cart/add, POST /cart/change
 *
 * The cart's page has one form: whichever of its buttons is pressed, and whatever list of choices
 * sends it, also the currency at the top of the page, the quantities that were typed are kept.
 */
#include "merchant/store/www/bill.h"
#include "merchant/store/www/goods.h"
#include "merchant/store/www/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ GET /cart */

struct look {
    struct setpay_www *www;
    const struct setpay_visit *visit;
    const struct setpay_form *form; /* that was refused; NULL: none */
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

/* What a form says of a line; "": nothing. */
static const char *typed_quantity(const struct setpay_form *form, const char *sku)
{
    char field[SETPAY_SHOP_ID_SIZE + 16];
    (void)snprintf(field, sizeof field, "quantity_%s", sku);
    return setpay_form_get(form, field);
}

/* As it is in the cart, or as it was typed into the form that was refused. */
static void add_quantity(const struct look *look, const struct setpay_cart_line *line,
                         bool *has_wrong, json_t *json, bool *whole)
{
    const char *typed = look->form != NULL ? typed_quantity(look->form, line->sku) : "";
    bool wrong = typed[0] != '\0' && setpay_goods_quantity(typed) < 0;
    setpay_shop_set(
        json, "quantity",
        typed[0] != '\0' ? json_string(typed) : json_integer((json_int_t)line->quantity), whole);
    setpay_shop_set(json, "wrong_quantity",
                    json_string(wrong ? "A whole number from 0 to 999, please." : ""), whole);
    setpay_shop_set(json, "first_wrong", json_boolean(wrong && !*has_wrong), whole);
    *has_wrong = *has_wrong || wrong;
}

static json_t *line_json(const struct setpay_cart_line *line, const struct setpay_good *good,
                         json_t *wrong, const char *currency)
{
    char digest[SETPAY_DIGEST_TEXT_SIZE];
    bool is_sold = good->is_published && good->has_price;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:o}", "sku", line->sku, "slug",
        good->is_published ? good->slug : "", "name", good->name, "options", good->options, "unit",
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
    bool has_wrong = false;
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
        json_t *json = line_json(line, &good, wrong, currency);
        add_quantity(look, line, &has_wrong, json, whole);
        setpay_shop_append(lines, json, whole);
    }
    setpay_shop_set(look->values, "can_order",
                    json_boolean(can_order && look->bill.fault.words[0] == '\0'), whole);
    return SETPAY_OK;
}

/* Where it goes, and how, by the form. */
static void read_where(const struct setpay_form *form, struct setpay_cart *cart)
{
    const char *country = setpay_form_get(form, "country");
    const char *way = setpay_form_get(form, "shipping_method");
    if (setpay_shop_is_country(country)) {
        if (strcmp(country, cart->country) != 0)
            cart->region[0] = '\0';
        memcpy(cart->country, country, sizeof cart->country);
    }
    if (setpay_shop_is_slug(way))
        (void)snprintf(cart->shipping_method, sizeof cart->shipping_method, "%s", way);
}

static enum setpay_error read_cart(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    json_t *countries = NULL;
    bool whole = look->values != NULL;
    const struct setpay_shop_settings *settings = &look->settings;
    SETPAY_TRY(setpay_visit_frame(db, look->www, look->visit, &look->cart, look->values));
    if (look->form != NULL)
        read_where(look->form, &look->cart);
    look->settings = setpay_visit_settings(look->www, &look->cart);
    setpay_shop_set(look->values, "here", json_string("/cart"), &whole);
    /* The choice of a currency belongs to the form of the quantities, where there is one. */
    setpay_shop_set(look->values, "in_cart", json_boolean(look->cart.line_count > 0), &whole);
    SETPAY_TRY(setpay_bill_make(db, settings, &look->cart, &look->bill));
    SETPAY_TRY(add_lines(db, look, &whole));
    SETPAY_TRY(setpay_bill_countries(db, settings, look->bill.country, &countries));
    setpay_shop_set(look->values, "countries", countries, &whole);
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

/* form: that of a change which was refused; NULL: none. */
static void show(struct setpay_www *www, struct setpay_http_request *request,
                 const struct setpay_visit *visit, int status, const char *said,
                 const struct setpay_form *form)
{
    struct look *look = calloc(1, sizeof *look);
    bool whole = true;
    if (look == NULL) {
        setpay_visit_fail(www, request, SETPAY_E_NOMEM);
        return;
    }
    look->www = www;
    look->visit = visit;
    look->form = form;
    look->values = json_object();
    setpay_shop_set(look->values, "said", json_string(words_of(said)), &whole);
    setpay_shop_set(
        look->values, "said_good",
        json_boolean(said != NULL && (strcmp(said, "added") == 0 || strcmp(said, "changed") == 0)),
        &whole);
    setpay_shop_set(look->values, "said_wrong", json_boolean(form != NULL), &whole);
    enum setpay_error error =
        whole ? setpay_store_read(www->reader, read_cart, look) : SETPAY_E_NOMEM;
    if (error == SETPAY_OK) {
        setpay_visit_reply(www, request, visit, status, SETPAY_WWW_CART, "Your cart", look->values);
    } else {
        json_decref(look->values);
        setpay_visit_fail(www, request, error);
    }
    setpay_bill_clear(&look->bill);
    free(look);
}

void setpay_www_on_cart(struct setpay_http_request *request, void *arg)
{
    struct setpay_visit visit;
    enum setpay_error error = setpay_visit_begin(arg, request, &visit);
    if (error == SETPAY_OK)
        show(arg, request, &visit, 200, setpay_http_request_query(request, "said"), NULL);
    else
        setpay_visit_fail(arg, request, error);
}

/* ------------------------------------------------------------------ POST */

/* What the next page says; static. */
struct outcome {
    const char *said;
    bool no_quantity; /* the form of a change has one that is none: nothing was changed */
};

/* So many of it, or as many as there are. is_new: it is put into the cart; of what is in it the
 * quantity changes also where it is not sold in the currency. */
static enum setpay_error put(struct setpay_db *db, const struct setpay_write *write,
                             struct setpay_cart *cart, const char *sku, int64_t quantity,
                             bool is_new, const char **said)
{
    struct setpay_good good;
    int64_t had = setpay_cart_quantity(cart, sku);
    if (quantity == 0)
        return setpay_cart_set(cart, sku, 0);
    const struct setpay_shop_settings settings = setpay_visit_settings(write->www, cart);
    enum setpay_error error = setpay_good_find(db, sku, settings.currency, &good);
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    bool is_sold = error == SETPAY_OK && good.is_published;
    bool elsewhere = is_sold && setpay_goods_elsewhere(&settings);
    if (!is_sold || (!good.has_price && (is_new || !elsewhere))) {
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
    int64_t quantity = setpay_goods_quantity(setpay_form_get(&write->form, "quantity"));
    SETPAY_TRY(setpay_cart_find(db, &write->visit.cart_id, &cart));
    outcome->said = quantity < 1 ? "quantity" : !setpay_shop_is_sku(sku) ? "unknown" : "added";
    if (strcmp(outcome->said, "added") != 0)
        return SETPAY_OK;
    SETPAY_TRY(put(db, write, &cart, sku, setpay_cart_quantity(&cart, sku) + quantity, true,
                   &outcome->said));
    return setpay_visit_keep_cart(db, write->www, &write->visit, &cart, setpay_clock_now_ms());
}

static bool has_no_quantity(const struct setpay_form *form, const struct setpay_cart *cart)
{
    for (size_t i = 0; i < cart->line_count; i++) {
        const char *text = typed_quantity(form, cart->lines[i].sku);
        if (text[0] != '\0' && setpay_goods_quantity(text) < 0 &&
            strcmp(setpay_form_get(form, "remove"), cart->lines[i].sku) != 0)
            return true;
    }
    return false;
}

/* All lines at once: "quantity_SKU"; "remove" takes one out. */
static enum setpay_error change_lines(struct setpay_db *db, struct setpay_write *write,
                                      struct setpay_cart *cart, struct outcome *outcome)
{
    const struct setpay_cart was = *cart;
    const char *remove = setpay_form_get(&write->form, "remove");
    for (size_t i = 0; i < was.line_count; i++) {
        const char *sku = was.lines[i].sku;
        const char *text = typed_quantity(&write->form, sku);
        int64_t quantity = strcmp(remove, sku) == 0 ? 0 : setpay_goods_quantity(text);
        if (text[0] == '\0' && quantity != 0)
            continue;
        if (quantity != was.lines[i].quantity)
            SETPAY_TRY(put(db, write, cart, sku, quantity, false, &outcome->said));
    }
    return SETPAY_OK;
}

static enum setpay_error run_change(struct setpay_db *db, struct setpay_write *write)
{
    struct outcome *outcome = write->data;
    struct setpay_cart cart;
    const char *currency = setpay_form_get(&write->form, "currency");
    SETPAY_TRY(setpay_cart_find(db, &write->visit.cart_id, &cart));
    outcome->said = "changed";
    if (cart.seq == 0)
        return SETPAY_OK;
    outcome->no_quantity = has_no_quantity(&write->form, &cart);
    if (outcome->no_quantity)
        return SETPAY_OK;
    read_where(&write->form, &cart);
    SETPAY_TRY(change_lines(db, write, &cart, outcome));
    if (currency[0] != '\0')
        SETPAY_TRY(setpay_visit_choose(write->www, currency, &cart));
    return setpay_visit_keep_cart(db, write->www, &write->visit, &cart, setpay_clock_now_ms());
}

static void answer(struct setpay_write *write, enum setpay_error error)
{
    const struct outcome *outcome = write->data;
    char path[64];
    if (error == SETPAY_E_INVALID) {
        setpay_www_reply_error(write->www, write->request, 400, SETPAY_VISIT_NO_CURRENCY);
        return;
    }
    if (error != SETPAY_OK) {
        setpay_visit_fail(write->www, write->request, error);
        return;
    }
    if (outcome->no_quantity) {
        show(write->www, write->request, &write->visit, 422, "quantity", &write->form);
        return;
    }
    (void)snprintf(path, sizeof path, "/cart?said=%s", outcome->said);
    bool goes_on = strcmp(outcome->said, "changed") == 0 &&
                   setpay_form_get(&write->form, "checkout")[0] != '\0';
    setpay_visit_go_to(write->www, write->request, &write->visit, goes_on ? "/checkout" : path);
}

/* The form of a product's page without a variant, or with a quantity that is none. */
static bool is_unfinished(const struct setpay_form *form)
{
    return setpay_shop_is_slug(setpay_form_get(form, "product")) &&
           (setpay_form_get(form, "sku")[0] == '\0' ||
            setpay_goods_quantity(setpay_form_get(form, "quantity")) < 1);
}

static void start(struct setpay_http_request *request, struct setpay_www *www,
                  enum setpay_error (*run)(struct setpay_db *db, struct setpay_write *write))
{
    struct setpay_write *write = setpay_write_begin(www, request);
    if (write == NULL)
        return;
    if (run == run_add && is_unfinished(&write->form)) {
        setpay_www_reply_product(www, request, &write->visit, &write->form);
        setpay_write_free(write);
        return;
    }
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
