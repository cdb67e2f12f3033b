/*
 * GET /products/{slug}, GET /pictures/{picture}; and the page of a product again, where what was
 * typed into its form can't be put into the cart.
 */
#include "merchant/store/category.h"
#include "merchant/store/picture.h"
#include "merchant/store/product.h"
#include "merchant/store/tax.h"
#include "merchant/store/www/goods.h"
#include "merchant/store/www/visit.h"

#include <stdio.h>
#include <string.h>

struct showing {
    struct setpay_www *www;
    const char *slug;
    const char *sku;                /* that is chosen; NULL: the first one */
    const struct setpay_form *form; /* that was refused; NULL: none */
    struct setpay_visit visit;
    struct setpay_cart cart;
    struct setpay_shop_settings settings; /* in the shopper's currency */
    struct setpay_product product;
    json_t *values;
};

/* "Includes 19 % VAT, plus shipping." */
static enum setpay_error add_tax_words(struct setpay_db *db, struct showing *showing, bool *whole)
{
    struct setpay_tax_rate rate = {.rate_ppm = 0};
    const char *country = showing->settings.country;
    json_t *words = NULL;
    enum setpay_error error =
        country[0] == '\0' ? SETPAY_E_NOT_FOUND
                           : setpay_tax_find(db, showing->product.tax_class, country, "", &rate);
    if (error == SETPAY_OK)
        words =
            json_sprintf("%s %lld%s%.*lld %% %s, plus shipping.",
                         rate.included ? "Includes" : "Without", (long long)(rate.rate_ppm / 10000),
                         rate.rate_ppm % 10000 != 0 ? "." : "", rate.rate_ppm % 10000 != 0 ? 2 : 0,
                         (long long)(rate.rate_ppm % 10000 / 100), rate.name);
    else if (error == SETPAY_E_NOT_FOUND)
        words = json_string("Plus shipping.");
    else
        return error;
    setpay_shop_set(showing->values, "tax_words", words, whole);
    return SETPAY_OK;
}

/* A variant that has no price in the currency: it is shown, and can't be chosen. */
static json_t *unsold_json(const json_t *variant, const char *currency)
{
    return json_pack("{s:O, s:o, s:s, s:o, s:b, s:b}", "sku", json_object_get(variant, "sku"),
                     "options", setpay_goods_options(json_object_get(variant, "options")), "price",
                     "", "stock", json_sprintf("Not sold in %s", currency), "chosen", 0, "gone", 1);
}

static void add_variants(struct showing *showing, const json_t *product, bool *whole)
{
    const char *currency = showing->settings.currency;
    json_t *list = json_array();
    json_t *first = NULL;
    bool any = false;
    size_t index;
    const json_t *variant;
    json_array_foreach(json_object_get(product, "variants"), index, variant)
    {
        const char *sku = json_string_value(json_object_get(variant, "sku"));
        const json_t *price = json_object_get(json_object_get(variant, "prices"), currency);
        bool tracked;
        int64_t available;
        if (price == NULL) {
            if (setpay_goods_elsewhere(&showing->settings))
                setpay_shop_append(list, unsold_json(variant, currency), whole);
            continue;
        }
        setpay_goods_available(variant, &tracked, &available);
        bool chosen = showing->sku != NULL ? strcmp(sku, showing->sku) == 0 : !any && available > 0;
        any = any || available > 0;
        json_t *row = json_pack("{s:s, s:o, s:o, s:o, s:b, s:b}", "sku", sku, "options",
                                setpay_goods_options(json_object_get(variant, "options")), "price",
                                setpay_www_money_json(json_integer_value(price), currency), "stock",
                                setpay_goods_stock(available, tracked), "chosen", (int)chosen,
                                "gone", (int)(available < 1));
        if (first == NULL || chosen)
            first = row;
        setpay_shop_append(list, row, whole);
    }
    bool several = json_array_size(list) > 1;
    setpay_shop_set(showing->values, "first", first != NULL ? json_incref(first) : json_null(),
                    whole);
    setpay_shop_set(showing->values, "several", json_boolean(several), whole);
    setpay_shop_set(showing->values, "can_buy", json_boolean(any), whole);
    char elsewhere[SETPAY_SHOP_CURRENCIES_MAX * 5 + 1];
    setpay_goods_sold_in(product, &showing->settings.sold, elsewhere, sizeof elsewhere);
    setpay_shop_set(showing->values, "elsewhere", json_string(first == NULL ? elsewhere : ""),
                    whole);
    setpay_shop_set(showing->values, "variants", list, whole);
}

/* The first that can be chosen has the focus. */
static void lead_to_first(json_t *values, bool *whole)
{
    size_t index;
    json_t *variant;
    json_array_foreach(json_object_get(values, "variants"), index, variant)
    {
        if (json_is_false(json_object_get(variant, "gone"))) {
            setpay_shop_set(variant, "lead", json_true(), whole);
            return;
        }
    }
}

/* How many are put into the cart: one, or what was typed, with what is wrong with it. */
static void add_typed(struct showing *showing, bool *whole)
{
    const bool several = json_is_true(json_object_get(showing->values, "several"));
    const char *quantity = showing->form != NULL ? setpay_form_get(showing->form, "quantity") : "1";
    const bool unchosen = showing->form != NULL && several && showing->sku[0] == '\0';
    const bool wrong = setpay_goods_quantity(quantity) < 1;
    setpay_shop_set(showing->values, "quantity", json_string(quantity), whole);
    setpay_shop_set(showing->values, "wrong_quantity",
                    json_string(wrong ? "A whole number from 1 to 999, please." : ""), whole);
    setpay_shop_set(showing->values, "wrong_choice",
                    json_string(unchosen ? "Please choose one." : ""), whole);
    if (unchosen)
        lead_to_first(showing->values, whole);
    setpay_shop_set(showing->values, "first_quantity", json_boolean(wrong && !unchosen), whole);
}

static void add_pictures(struct showing *showing, const json_t *product, bool *whole)
{
    json_t *list = json_array();
    size_t index;
    const json_t *picture;
    json_array_foreach(json_object_get(product, "pictures"), index, picture)
    {
        setpay_shop_append(
            list,
            json_pack("{s:o, s:O}", "url",
                      setpay_goods_picture(json_string_value(json_object_get(picture, "id"))),
                      "alt", json_object_get(picture, "alt")),
            whole);
    }
    setpay_shop_set(showing->values, "pictures", list, whole);
}

/* The way to it: by the first of its categories. */
static enum setpay_error add_path(struct setpay_db *db, struct showing *showing, bool *whole)
{
    struct setpay_db_rows *rows;
    json_t *path = NULL;
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      "SELECT c.seq FROM product_category l JOIN category c ON c.seq ="
                      " l.category_seq WHERE l.product_seq = $1 ORDER BY c.position, c.seq LIMIT 1",
                      SETPAY_DB_INT(showing->product.seq));
    if (error == SETPAY_OK) {
        int64_t seq = setpay_db_get_int(rows, 0);
        SETPAY_TRY(setpay_db_end(rows));
        SETPAY_TRY(setpay_category_path(db, seq, &path));
    } else if (error != SETPAY_E_NOT_FOUND) {
        return error;
    }
    setpay_shop_set(showing->values, "above", path != NULL ? path : json_array(), whole);
    return SETPAY_OK;
}

static enum setpay_error read_showing(struct setpay_db *db, void *arg)
{
    struct showing *showing = arg;
    json_t *product = NULL;
    bool whole = showing->values != NULL;
    SETPAY_TRY(setpay_product_find(db, showing->slug, &showing->product));
    if (showing->product.status != SETPAY_PRODUCT_PUBLISHED ||
        strcmp(showing->product.slug, showing->slug) != 0)
        return SETPAY_E_NOT_FOUND;
    SETPAY_TRY(
        setpay_visit_frame(db, showing->www, &showing->visit, &showing->cart, showing->values));
    showing->settings = setpay_visit_settings(showing->www, &showing->cart);
    SETPAY_TRY(add_tax_words(db, showing, &whole));
    SETPAY_TRY(add_path(db, showing, &whole));
    SETPAY_TRY(setpay_product_json(db, &showing->product, &product));
    setpay_shop_set(showing->values, "name", json_string(showing->product.name), &whole);
    setpay_shop_set(showing->values, "description",
                    setpay_www_paragraphs(showing->product.description, &whole), &whole);
    setpay_shop_set(showing->values, "here", json_sprintf("/products/%s", showing->product.slug),
                    &whole);
    setpay_shop_set(showing->values, "slug", json_string(showing->product.slug), &whole);
    setpay_shop_set(showing->values, "quantity_max", json_integer(SETPAY_CART_QUANTITY_MAX),
                    &whole);
    add_variants(showing, product, &whole);
    add_typed(showing, &whole);
    add_pictures(showing, product, &whole);
    json_decref(product);
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* Its visit has begun. */
static void show(struct showing *showing, struct setpay_http_request *request, int status)
{
    showing->values = json_object();
    enum setpay_error error = setpay_store_read(showing->www->reader, read_showing, showing);
    if (error == SETPAY_OK) {
        setpay_visit_reply(showing->www, request, &showing->visit, status, SETPAY_WWW_PRODUCT,
                           showing->product.name, showing->values);
        return;
    }
    json_decref(showing->values);
    setpay_visit_fail(showing->www, request, error);
}

void setpay_www_on_product(struct setpay_http_request *request, void *arg)
{
    struct showing showing = {.www = arg,
                              .slug = setpay_http_request_param(request, "slug"),
                              .sku = setpay_http_request_query(request, "sku")};
    enum setpay_error error = setpay_visit_begin(showing.www, request, &showing.visit);
    if (error == SETPAY_OK)
        show(&showing, request, 200);
    else
        setpay_visit_fail(showing.www, request, error);
}

void setpay_www_reply_product(struct setpay_www *www, struct setpay_http_request *request,
                              const struct setpay_visit *visit, const struct setpay_form *form)
{
    struct showing showing = {.www = www,
                              .slug = setpay_form_get(form, "product"),
                              .sku = setpay_form_get(form, "sku"),
                              .form = form,
                              .visit = *visit};
    show(&showing, request, 422);
}

/* ------------------------------------------------------------------ pictures */

struct picture {
    const char *digest;
    enum setpay_picture_type type;
    struct setpay_buffer bytes;
};

/* Only what a product shows that is published or was: a draft's pictures are the owner's own. */
static enum setpay_error read_picture(struct setpay_db *db, void *arg)
{
    struct picture *picture = arg;
    struct setpay_digest digest;
    struct setpay_db_rows *rows;
    if (setpay_digest_parse(picture->digest, &digest) != SETPAY_OK)
        return SETPAY_E_NOT_FOUND;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT 1 FROM product_picture i JOIN product p ON p.seq ="
                             " i.product_seq WHERE i.digest = $1 AND p.status <> $2 LIMIT 1",
                             SETPAY_DB_DIGEST(&digest), SETPAY_DB_INT(SETPAY_PRODUCT_DRAFT)));
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_picture_find(db, picture->digest, &picture->type, &picture->bytes);
}

void setpay_www_on_picture(struct setpay_http_request *request, void *arg)
{
    static const struct setpay_http_header headers[] = {
        {"Cache-Control", "public, max-age=31536000, immutable"},
        {"Content-Security-Policy", SETPAY_PICTURE_POLICY},
        {NULL, NULL}};
    struct setpay_www *www = arg;
    struct picture picture = {.digest = setpay_http_request_param(request, "picture")};
    setpay_buffer_init(&picture.bytes, SETPAY_PICTURE_BYTES_MAX);
    enum setpay_error error = setpay_store_read(www->reader, read_picture, &picture);
    if (error == SETPAY_OK)
        setpay_http_reply(request, 200, setpay_picture_type_name(picture.type), headers,
                          setpay_buffer_view(&picture.bytes));
    else
        setpay_visit_fail(www, request, error);
    setpay_buffer_clear(&picture.bytes);
}
