/*
 * GET /checkout, POST /checkout
 *
 * The form carries the total that the shopper has seen, with its currency. It is never taken for a
 * price: where what is reckoned now is another sum, or one in another currency (which was chosen on
 * another page meanwhile), nothing is ordered, and the page says so and asks again. So it is where
 * something else is in the cart than it has seen.
 *
 * It also carries a value that no other form has. Who presses the button twice is led to the order
 * by it; who only holds the cart's cookie, which others may have planted, is not: whoever is told
 * an order's address sees the order.
 */
#include "common/base/log.h"
#include "common/base/money.h"
#include "common/crypto/hash.h"
#include "merchant/store/country.h"
#include "merchant/store/order_tell.h"
#include "merchant/store/quote.h"
#include "merchant/store/ship_to.h"
#include "merchant/store/www/bill.h"
#include "merchant/store/www/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOODS_SIZE SETPAY_BASE64URL_SIZE(32)

/* Of the form, in the order in which they stand. */
static const char *const fields[] = {"name", "street",  "extra",  "postal_code",
                                     "city", "country", "region", "shipping_method"};
#define FIELDS (sizeof fields / sizeof *fields)

struct checkout {
    struct setpay_www *www;
    struct setpay_visit visit;
    struct setpay_ship_to address;
    char way[SETPAY_SHOP_ID_SIZE];
    char seen[SETPAY_MONEY_TEXT_SIZE]; /* the total that was seen; "": none */
    bool has_once;                     /* the form's own value was sent */
    struct setpay_digest once;
    char goods[GOODS_SIZE]; /* what was in the cart that was seen */
    bool looks;             /* a POST that only wants to see the sum */
    struct setpay_order order;
    struct setpay_json_fault fault; /* of the order, or of one field */
    const char *wrong[FIELDS];      /* with the address that was typed; static. NULL, "": nothing */
    struct setpay_quote_short shortage;
    bool is_empty;
    bool too_many; /* of this visitor's orders are not paid */
    const char *note;
    /* for the page */
    struct setpay_cart cart;
    struct setpay_bill bill;
    json_t *values;
};

static void free_checkout(void *data)
{
    struct checkout *checkout = data;
    if (checkout == NULL)
        return;
    setpay_order_clear(&checkout->order);
    setpay_bill_clear(&checkout->bill);
    free(checkout);
}

/* ------------------------------------------------------------------ the page */

/* Why a field can't stay so: "" where it can. */
static const char *wrong_of(const struct checkout *checkout, size_t field)
{
    if (strcmp(checkout->fault.field, fields[field]) == 0)
        return checkout->fault.words;
    return checkout->wrong[field] != NULL ? checkout->wrong[field] : "";
}

/* What was typed, and of each field what is wrong with it; the first of them has the focus. */
static void add_form(struct checkout *checkout, bool *whole)
{
    const struct setpay_json_fault *fault = &checkout->fault;
    json_t *wrong = json_object();
    json_t *first = json_object();
    bool beside = false;
    setpay_shop_set(checkout->values, "a", setpay_ship_to_json(&checkout->address), whole);
    for (size_t i = 0; i < FIELDS; i++) {
        const char *words = wrong_of(checkout, i);
        setpay_shop_set(wrong, fields[i], json_string(words), whole);
        setpay_shop_set(first, fields[i], json_boolean(words[0] != '\0' && !beside), whole);
        beside = beside || words[0] != '\0';
    }
    json_t *way = json_array_get(json_object_get(checkout->values, "ways"), 0);
    if (way != NULL)
        setpay_shop_set(way, "lead", json_incref(json_object_get(first, "shipping_method")), whole);
    setpay_shop_set(checkout->values, "wrong", wrong, whole);
    setpay_shop_set(checkout->values, "first", first, whole);
    setpay_shop_set(checkout->values, "alert",
                    json_string(beside ? "Something is missing or not right: see below."
                                : fault->words[0] != '\0' ? fault->words
                                : checkout->note != NULL  ? checkout->note
                                                          : ""),
                    whole);
    setpay_shop_set(checkout->values, "is_wrong", json_boolean(beside || fault->words[0] != '\0'),
                    whole);
}

static enum setpay_error add_lines(struct checkout *checkout, bool *whole)
{
    const struct setpay_order *order = &checkout->bill.order;
    json_t *lines = json_array();
    for (size_t i = 0; i < checkout->bill.line_count; i++)
        setpay_shop_append(
            lines,
            json_pack("{s:s, s:I, s:o}", "name", order->items[i].name, "quantity",
                      (json_int_t)order->items[i].quantity, "sum",
                      setpay_www_money_json(order->items[i].total_minor, order->amount.currency)),
            whole);
    setpay_shop_set(checkout->values, "lines", lines, whole);
    return SETPAY_OK;
}

/* A short name of what is in the cart. */
static enum setpay_error name_goods(const struct setpay_cart *cart, char goods[GOODS_SIZE])
{
    struct setpay_hash hash;
    struct setpay_digest digest;
    setpay_hash_init(&hash, "shop.goods");
    for (size_t i = 0; i < cart->line_count; i++) {
        setpay_hash_add(&hash, setpay_view_string(cart->lines[i].sku));
        setpay_hash_add_u64(&hash, (uint64_t)cart->lines[i].quantity);
    }
    SETPAY_TRY(setpay_hash_final(&hash, &digest));
    setpay_base64url_encode(SETPAY_VIEW_ARRAY(digest.bytes), goods);
    return SETPAY_OK;
}

static enum setpay_error add_hidden(const struct setpay_cart *cart, json_t *values, bool *whole)
{
    struct setpay_id id;
    char once[SETPAY_BASE64URL_SIZE(16)];
    char goods[GOODS_SIZE];
    SETPAY_TRY(setpay_id_random(&id));
    SETPAY_TRY(name_goods(cart, goods));
    setpay_base64url_encode(setpay_id_view(&id), once);
    setpay_shop_set(values, "once", json_string(once), whole);
    setpay_shop_set(values, "goods", json_string(goods), whole);
    return SETPAY_OK;
}

/* Another country was chosen: what stood for its region is of the one before. */
static void drop_old_region(struct checkout *checkout, const struct setpay_cart *cart)
{
    struct setpay_ship_to *address = &checkout->address;
    bool moves =
        strcmp(address->country, cart->country) != 0 && strcmp(address->region, cart->region) == 0;
    if (checkout->looks && (moves || !setpay_region_may_be(address->country, address->region)))
        address->region[0] = '\0';
}

static enum setpay_error read_page(struct setpay_db *db, void *arg)
{
    struct checkout *checkout = arg;
    struct setpay_cart *cart = &checkout->cart;
    json_t *countries = NULL;
    bool whole = checkout->values != NULL;
    SETPAY_TRY(setpay_visit_frame(db, checkout->www, &checkout->visit, cart, checkout->values));
    const struct setpay_shop_settings settings = setpay_visit_settings(checkout->www, cart);
    drop_old_region(checkout, cart);
    if (checkout->address.country[0] != '\0') {
        memcpy(cart->country, checkout->address.country, sizeof cart->country);
        memcpy(cart->region, checkout->address.region, sizeof cart->region);
    }
    if (checkout->way[0] != '\0')
        memcpy(cart->shipping_method, checkout->way, sizeof cart->shipping_method);
    SETPAY_TRY(setpay_bill_make(db, &settings, cart, &checkout->bill));
    memcpy(checkout->address.country, checkout->bill.country, sizeof checkout->address.country);
    memcpy(checkout->address.region, checkout->bill.region, sizeof checkout->address.region);
    SETPAY_TRY(setpay_bill_regions(db, &checkout->bill, checkout->values, &whole));
    SETPAY_TRY(setpay_bill_countries(db, &settings, checkout->bill.country, &countries));
    setpay_shop_set(checkout->values, "countries", countries, &whole);
    setpay_bill_json(&checkout->bill, checkout->values, &whole);
    SETPAY_TRY(add_hidden(cart, checkout->values, &whole));
    add_form(checkout, &whole);
    SETPAY_TRY(add_lines(checkout, &whole));
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

static void show(struct checkout *checkout, struct setpay_http_request *request, int status)
{
    checkout->values = json_object();
    enum setpay_error error = setpay_store_read(checkout->www->reader, read_page, checkout);
    if (error != SETPAY_OK) {
        json_decref(checkout->values);
        setpay_visit_fail(checkout->www, request, error);
    } else if (checkout->cart.line_count == 0) {
        json_decref(checkout->values);
        setpay_visit_go_to(checkout->www, request, &checkout->visit, "/cart");
    } else {
        setpay_visit_reply(checkout->www, request, &checkout->visit, status, SETPAY_WWW_CHECKOUT,
                           "Checkout", checkout->values);
    }
}

void setpay_www_on_checkout(struct setpay_http_request *request, void *arg)
{
    struct checkout *checkout = calloc(1, sizeof *checkout);
    if (checkout == NULL) {
        setpay_visit_fail(arg, request, SETPAY_E_NOMEM);
        return;
    }
    checkout->www = arg;
    enum setpay_error error = setpay_visit_begin(arg, request, &checkout->visit);
    if (error == SETPAY_OK)
        show(checkout, request, 200);
    else
        setpay_visit_fail(arg, request, error);
    free_checkout(checkout);
}

/* ------------------------------------------------------------------ the form */

static enum setpay_error read_line(const struct setpay_form *form, const char *name, char *text,
                                   size_t size, struct setpay_json_fault *fault)
{
    if (setpay_form_copy(form, name, text, size) == SETPAY_OK)
        return SETPAY_OK;
    return setpay_json_fault_set(fault, name, "Please make it shorter: at most %zu characters.",
                                 size - 1);
}

/* What the form had from us besides. */
static enum setpay_error read_hidden(const struct setpay_form *form, struct checkout *checkout)
{
    const char *once = setpay_form_get(form, "once");
    if (setpay_form_copy(form, "goods", checkout->goods, sizeof checkout->goods) != SETPAY_OK)
        checkout->goods[0] = '\0';
    checkout->has_once = once[0] != '\0';
    return setpay_hash_one("shop.once", setpay_view_string(once), &checkout->once);
}

/* What is written in the form, and whether an address can be made of it. */
static enum setpay_error read_form(const struct setpay_form *form, struct checkout *checkout)
{
    struct setpay_ship_to *address = &checkout->address;
    struct setpay_json_fault fault = {.field = ""};
    const struct {
        const char *name;
        char *text;
        size_t size;
    } lines[] = {
        {"name", address->name, sizeof address->name},
        {"street", address->street, sizeof address->street},
        {"extra", address->extra, sizeof address->extra},
        {"postal_code", address->postal_code, sizeof address->postal_code},
        {"city", address->city, sizeof address->city},
        {"region", address->region, sizeof address->region},
        {"country", address->country, sizeof address->country},
        {"shipping_method", checkout->way, sizeof checkout->way},
    };
    enum setpay_error error = SETPAY_OK;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        enum setpay_error one =
            read_line(form, lines[i].name, lines[i].text, lines[i].size, &fault);
        if (one != SETPAY_OK && error == SETPAY_OK)
            checkout->fault = fault;
        error = error != SETPAY_OK ? error : one;
    }
    setpay_tax_region_upper(address->region);
    if (setpay_form_copy(form, "seen", checkout->seen, sizeof checkout->seen) != SETPAY_OK)
        checkout->seen[0] = '\0';
    checkout->looks = setpay_form_get(form, "look")[0] != '\0';
    if (!setpay_shop_is_slug(checkout->way))
        checkout->way[0] = '\0';
    if (!setpay_shop_is_country(address->country))
        address->country[0] = '\0';
    if (checkout->looks)
        return error;
    for (size_t i = 0; i < FIELDS; i++)
        checkout->wrong[i] = setpay_ship_to_wrong(address, fields[i]);
    return error == SETPAY_OK && setpay_ship_to_wrong(address, NULL)[0] != '\0' ? SETPAY_E_INVALID
                                                                                : error;
}

/* ------------------------------------------------------------------ the order */

/* The way of shipping must be one that there is for it: without, nobody would send anything. */
static enum setpay_error check_way(struct setpay_db *db, struct checkout *checkout)
{
    struct setpay_bill bill = {.line_count = 0};
    const struct setpay_shop_settings settings =
        setpay_visit_settings(checkout->www, &checkout->cart);
    enum setpay_error error = setpay_bill_make(db, &settings, &checkout->cart, &bill);
    bool needed = bill.ships;
    bool found = false;
    for (size_t i = 0; i < bill.way_count; i++)
        found = found || strcmp(bill.ways[i].slug, checkout->way) == 0;
    if (error == SETPAY_OK && bill.fault.words[0] != '\0') {
        checkout->fault = bill.fault;
        error = SETPAY_E_INVALID;
    } else if (error == SETPAY_OK && needed && !found) {
        error = setpay_json_fault_set(&checkout->fault, "shipping_method",
                                      "Please choose how it is to be sent.");
    }
    setpay_bill_clear(&bill);
    return error;
}

static enum setpay_error check_goods(struct checkout *checkout)
{
    char goods[GOODS_SIZE];
    SETPAY_TRY(name_goods(&checkout->cart, goods));
    if (strcmp(goods, checkout->goods) == 0)
        return SETPAY_OK;
    checkout->note = "What is in the cart has changed. Nothing has been ordered yet: please look at"
                     " it again.";
    return SETPAY_E_CONFLICT;
}

static enum setpay_error make_order(struct setpay_db *db, struct checkout *checkout,
                                    setpay_time_ms now_ms)
{
    const struct setpay_www_options *options = &checkout->www->options;
    const struct setpay_shop_settings settings =
        setpay_visit_settings(checkout->www, &checkout->cart);
    struct setpay_order *order = &checkout->order;
    struct setpay_order named = *order;
    char total[SETPAY_MONEY_TEXT_SIZE];
    memset(order, 0, sizeof *order);
    SETPAY_TRY(setpay_bill_order(&checkout->cart, &settings, checkout->address.country,
                                 checkout->address.region, checkout->way, now_ms, order,
                                 &checkout->fault));
    memcpy(order->order_id, named.order_id, sizeof order->order_id);
    memcpy(order->token, named.token, sizeof order->token);
    SETPAY_TRY(
        setpay_quote_make(db, &settings, order, now_ms, &checkout->fault, &checkout->shortage));
    if (strcmp(setpay_money_format(&order->amount, total), checkout->seen) != 0)
        return SETPAY_E_CONFLICT; /* and what was reserved is free again */
    const struct setpay_visit *visit = &checkout->visit;
    enum setpay_error error =
        setpay_guard_order(db, checkout->www->guard, order->order_id, &visit->cart_id,
                           visit->has_client ? &visit->client : NULL, now_ms);
    checkout->too_many = error == SETPAY_E_BUSY;
    SETPAY_TRY(error);
    SETPAY_TRY(setpay_order_insert(db, order));
    SETPAY_TRY(setpay_ship_to_insert(db, order->order_id, &checkout->address));
    return setpay_order_tell(db, options->port, order->order_id, now_ms);
}

static enum setpay_error run_order(struct setpay_db *db, struct setpay_write *write)
{
    struct checkout *checkout = write->data;
    struct setpay_cart *cart = &checkout->cart;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    SETPAY_TRY(setpay_cart_find(db, &write->visit.cart_id, cart));
    bool made = false;
    const struct setpay_digest *once = checkout->has_once ? &checkout->once : NULL;
    if (cart->order_token[0] != '\0')
        SETPAY_TRY(setpay_cart_has_form(db, cart, once, &made));
    if (made) {
        /* The button was pressed twice: the order is there. */
        memcpy(checkout->order.token, cart->order_token, sizeof checkout->order.token);
        return SETPAY_OK;
    }
    checkout->is_empty = cart->line_count == 0;
    if (checkout->is_empty)
        return SETPAY_OK;
    memcpy(cart->country, checkout->address.country, sizeof cart->country);
    memcpy(cart->region, checkout->address.region, sizeof cart->region);
    memcpy(cart->shipping_method, checkout->way, sizeof cart->shipping_method);
    SETPAY_TRY(check_goods(checkout));
    SETPAY_TRY(check_way(db, checkout));
    SETPAY_TRY(make_order(db, checkout, now_ms));
    cart->line_count = 0;
    cart->region[0] = '\0'; /* of the address, which is the order's alone */
    memcpy(cart->order_token, checkout->order.token, sizeof cart->order_token);
    SETPAY_TRY(setpay_visit_keep_cart(db, write->www, &write->visit, cart, now_ms));
    return setpay_cart_set_form(db, cart, once);
}

static void answer_order(struct setpay_write *write, enum setpay_error error)
{
    struct checkout *checkout = write->data;
    char path[64];
    if (error == SETPAY_OK && !checkout->is_empty) {
        (void)snprintf(path, sizeof path, "/orders/%s", checkout->order.token);
        setpay_visit_go_to(write->www, write->request, &write->visit, path);
    } else if (error == SETPAY_OK) {
        setpay_visit_go_to(write->www, write->request, &write->visit, "/cart");
    } else if (checkout->too_many) {
        setpay_www_reply_error(write->www, write->request, 429,
                               "There are too many unpaid orders of yours, or from where you are."
                               " Nothing was ordered, and your cart is as it was. Pay one of them,"
                               " or come back when their time is over, within an hour or so.");
    } else if (error == SETPAY_E_STATE) {
        setpay_visit_go_to(write->www, write->request, &write->visit, "/cart?said=taken");
    } else if (error == SETPAY_E_CONFLICT) {
        memset(&checkout->fault, 0, sizeof checkout->fault);
        if (checkout->note == NULL)
            checkout->note = "The total has changed. Nothing has been ordered yet: please look at"
                             " it again.";
        show(checkout, write->request, 409);
    } else if (error == SETPAY_E_INVALID || error == SETPAY_E_NOT_FOUND) {
        if (checkout->fault.words[0] == '\0' || error == SETPAY_E_NOT_FOUND)
            (void)setpay_json_fault_set(&checkout->fault, "items",
                                        "Something in the cart is not sold any more. Please go"
                                        " back to it.");
        show(checkout, write->request, 422);
    } else {
        setpay_visit_fail(write->www, write->request, error);
    }
}

void setpay_www_on_order_make(struct setpay_http_request *request, void *arg)
{
    struct setpay_write *write = setpay_write_begin(arg, request);
    if (write == NULL)
        return;
    struct checkout *checkout = calloc(1, sizeof *checkout);
    write->data = checkout;
    write->free_cb = free_checkout;
    write->run = run_order;
    write->answer = answer_order;
    enum setpay_error error = checkout == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error != SETPAY_OK) {
        setpay_visit_fail(arg, request, error);
        setpay_write_free(write);
        return;
    }
    checkout->www = arg;
    checkout->visit = write->visit;
    error = read_hidden(&write->form, checkout);
    if (error == SETPAY_OK)
        error = read_form(&write->form, checkout);
    if (error == SETPAY_OK && !checkout->looks)
        error = setpay_order_name(&checkout->order);
    if (error == SETPAY_OK && !checkout->looks) {
        setpay_write_submit(write);
        return;
    }
    if (error == SETPAY_OK || error == SETPAY_E_INVALID)
        show(checkout, request, error == SETPAY_OK ? 200 : 422);
    else
        setpay_visit_fail(arg, request, error);
    setpay_write_free(write);
}
