/*
 * Lists of products: the front page, a category, what a search finds. All three ask the same
 * question of the catalogue (product_list.c), with what the address says.
 */
#include "common/base/money.h"
#include "merchant/store/category.h"
#include "merchant/store/product.h"
#include "merchant/store/www/goods.h"
#include "merchant/store/www/html.h"
#include "merchant/store/www/visit.h"

#include <stdio.h>
#include <string.h>

#define PAGE_SIZE 24
#define OPTIONS_MAX 60
#define TEXT_MAX 200

struct listing {
    struct setpay_www *www;
    struct setpay_http_request *request;
    struct setpay_visit visit;
    struct setpay_cart cart;
    struct setpay_shop_settings settings; /* in the shopper's currency */
    const char *category;                 /* slug, or NULL */
    bool searches;
    bool is_front;
    json_t *values;
    int status;
    char title[SETPAY_LIMIT_NAME_BYTES + 1];
};

static const char *asked(const struct listing *listing, const char *name)
{
    const char *value = setpay_http_request_query(listing->request, name);
    return value != NULL && strlen(value) <= TEXT_MAX ? value : "";
}

/* In minor units; -1 where it is none, or nothing is asked for. */
static int64_t read_price(const struct listing *listing, const char *name)
{
    struct setpay_money money;
    return setpay_money_parse_typed(asked(listing, name), listing->settings.currency, &money) ==
                   SETPAY_OK
               ? money.minor
               : -1;
}

/* Into the values, why what is asked of prices is none: "" where it is one. False: one is. */
static bool check_prices(const struct listing *listing, bool *whole)
{
    static const char *const names[] = {"min", "max"};
    bool right = true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char words[SETPAY_MONEY_WORDS_SIZE] = "", name[16];
        const char *value = setpay_http_request_query(listing->request, names[i]);
        if (value != NULL && value[0] != '\0' && read_price(listing, names[i]) < 0)
            (void)setpay_money_typed_explain(value, listing->settings.currency, words,
                                             sizeof words);
        (void)snprintf(name, sizeof name, "wrong_%s", names[i]);
        setpay_shop_set(listing->values, name, json_string(words), whole);
        (void)snprintf(name, sizeof name, "first_%s", names[i]);
        setpay_shop_set(listing->values, name, json_boolean(right && words[0] != '\0'), whole);
        right = right && words[0] == '\0';
    }
    return right;
}

/* ------------------------------------------------------------------ the question */

static json_t *question(const struct listing *listing)
{
    static const char *const texts[] = {"q", "option", "sort", "cursor"};
    int64_t low = read_price(listing, "min");
    int64_t high = read_price(listing, "max");
    bool whole = true;
    json_t *body = json_pack("{s:s, s:s, s:i}", "status", "published", "currency",
                             listing->settings.currency, "limit", PAGE_SIZE);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (asked(listing, texts[i])[0] != '\0')
            setpay_shop_set(body, texts[i], json_string(asked(listing, texts[i])), &whole);
    }
    if (listing->category != NULL)
        setpay_shop_set(body, "category", json_string(listing->category), &whole);
    if (low >= 0)
        setpay_shop_set(body, "price_min", json_integer(low), &whole);
    if (high >= 0)
        setpay_shop_set(body, "price_max", json_integer(high), &whole);
    if (strcmp(asked(listing, "stock"), "1") == 0)
        setpay_shop_set(body, "in_stock", json_true(), &whole);
    return body;
}

/* The products that are found, or words about why the question is none. */
static enum setpay_error add_products(struct setpay_db *db, struct listing *listing, bool *whole)
{
    json_t *body = question(listing);
    struct setpay_shop_answer answer = {.json = NULL};
    struct setpay_shop_ask ask = {.body = body,
                                  .version = SETPAY_SHOP_ANY_VERSION,
                                  .now_ms = setpay_clock_now_ms(),
                                  .settings = &listing->settings};
    json_t *goods = json_array();
    size_t index;
    const json_t *product;
    enum setpay_error error = body == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK && !check_prices(listing, whole))
        error = setpay_json_fault_set(&answer.fault, "price",
                                      "A price can't be read: see there. Nothing was sought.");
    if (error == SETPAY_OK)
        error = setpay_product_list(db, &ask, &answer);
    if (error == SETPAY_E_INVALID && listing->settings.sold.count > 1 &&
        strcmp(answer.fault.field, "cursor") == 0) {
        /* Another currency was chosen on another page meanwhile: from the start. */
        (void)json_object_del(body, "cursor");
        setpay_shop_answer_clear(&answer);
        error = setpay_product_list(db, &ask, &answer);
    }
    json_array_foreach(json_object_get(answer.json, "products"), index, product)
    {
        setpay_shop_append(goods, setpay_goods_row(product, ask.settings->currency), whole);
    }
    const char *next = json_string_value(json_object_get(answer.json, "next_cursor"));
    setpay_shop_set(listing->values, "goods", goods, whole);
    setpay_shop_set(listing->values, "cursor", next != NULL ? json_string(next) : json_null(),
                    whole);
    if (error == SETPAY_E_INVALID || error == SETPAY_E_TOO_BIG) {
        bool is_word = strcmp(answer.fault.field, "q") == 0;
        bool is_price = strcmp(answer.fault.field, "price") == 0;
        setpay_shop_set(listing->values, "fault",
                        json_string(is_price  ? answer.fault.words
                                    : is_word ? "There is no word in it to search for."
                                              : "The shop does not know what this address asks"
                                                " for."),
                        whole);
        setpay_shop_set(listing->values, "wrong_q", json_boolean(is_word), whole);
        listing->status = is_word || is_price ? 200 : 400;
        error = SETPAY_OK;
    }
    setpay_shop_answer_clear(&answer);
    json_decref(body);
    return error;
}

/* ------------------------------------------------------------------ what may be asked */

static enum setpay_error add_options(struct setpay_db *db, struct listing *listing, bool *whole)
{
    struct setpay_db_rows *rows;
    json_t *list = json_array();
    int64_t category = 0;
    if (listing->category != NULL)
        SETPAY_TRY(setpay_category_seq(db, listing->category, &category));
    setpay_shop_set(listing->values, "options", list, whole);
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT DISTINCT o.name, o.value FROM variant_option o JOIN variant v ON v.seq ="
        " o.variant_seq JOIN product p ON p.seq = v.product_seq WHERE p.status = $1 AND ($2 = 0 OR"
        " EXISTS (SELECT 1 FROM product_category c WHERE c.product_seq = p.seq AND"
        " c.category_seq IN " SETPAY_CATEGORY_WITH_BELOW(
            "$2") ")) ORDER BY o.name, o.value LIMIT $3",
        SETPAY_DB_INT(SETPAY_PRODUCT_PUBLISHED), SETPAY_DB_INT(category),
        SETPAY_DB_INT(OPTIONS_MAX)));
    while (setpay_db_next(rows)) {
        char name[SETPAY_VARIANT_OPTION_BYTES + 1];
        char value[SETPAY_VARIANT_OPTION_BYTES + 1];
        char both[2 * SETPAY_VARIANT_OPTION_BYTES + 2];
        setpay_db_get_text(rows, 0, name, sizeof name);
        setpay_db_get_text(rows, 1, value, sizeof value);
        (void)snprintf(both, sizeof both, "%s:%s", name, value);
        setpay_shop_append(list,
                           json_pack("{s:s, s:s, s:s, s:b}", "value", both, "kind", name, "words",
                                     value, "chosen",
                                     (int)(strcmp(asked(listing, "option"), both) == 0)),
                           whole);
    }
    return setpay_db_end(rows);
}

static void add_sorts(struct listing *listing, bool *whole)
{
    static const struct {
        const char *value;
        const char *words;
    } sorts[] = {{"relevance", "Best match"},
                 {"newest", "Newest first"},
                 {"price", "Price, lowest first"},
                 {"-price", "Price, highest first"},
                 {"name", "Name"}};
    json_t *list = json_array();
    const char *chosen = asked(listing, "sort");
    for (size_t i = asked(listing, "q")[0] != '\0' ? 0 : 1; i < sizeof sorts / sizeof *sorts; i++)
        setpay_shop_append(list,
                           json_pack("{s:s, s:s, s:b}", "value", sorts[i].value, "words",
                                     sorts[i].words, "chosen",
                                     (int)(strcmp(chosen, sorts[i].value) == 0)),
                           whole);
    setpay_shop_set(listing->values, "sorts", list, whole);
}

/* Whether the page shows what a link to it says, which may be anybody's words: search engines are
 * to leave it out. */
static bool shows_words(const struct listing *listing)
{
    static const char *const names[] = {"q", "min", "max", "option", "cursor"};
    for (size_t i = 0; i < sizeof names / sizeof *names && listing->searches; i++) {
        if (asked(listing, names[i])[0] != '\0')
            return true;
    }
    return false;
}

/* What was asked for, to stand in the form again and in the link to the next page. */
static void add_asked(struct listing *listing, bool *whole)
{
    static const char *const names[] = {"q", "option", "sort", "min", "max", "stock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        setpay_shop_set(listing->values, names[i], json_string(asked(listing, names[i])), whole);
    setpay_shop_set(listing->values, "later", json_boolean(asked(listing, "cursor")[0] != '\0'),
                    whole);
    if (shows_words(listing))
        setpay_shop_set(listing->values, "hidden", json_true(), whole);
    setpay_shop_set(listing->values, "searches", json_boolean(listing->searches), whole);
}

/* ------------------------------------------------------------------ the page */

/* Where another currency leads: to the same question, from its first page, but for the prices that
 * were named in this one. */
static enum setpay_error add_here(struct listing *listing, bool *whole)
{
    static const char *const names[] = {"q", "option", "sort", "stock"};
    const char *base = json_string_value(json_object_get(listing->values, "base"));
    struct setpay_buffer here;
    char mark = '?';
    setpay_buffer_init(&here, SETPAY_WWW_PATH_MAX);
    enum setpay_error error =
        setpay_buffer_append(&here, setpay_view_string(listing->is_front ? "/" : base));
    for (size_t i = 0; i < sizeof names / sizeof *names && error == SETPAY_OK; i++) {
        const char *value = asked(listing, names[i]);
        if (value[0] == '\0' || listing->is_front)
            continue;
        error = setpay_buffer_append_format(&here, "%c%s=", mark, names[i]);
        if (error == SETPAY_OK)
            error = setpay_html_escape(SETPAY_HTML_URL_PART, setpay_view_string(value), &here);
        mark = '&';
    }
    if (error == SETPAY_OK)
        setpay_shop_set(listing->values, "here", json_stringn((const char *)here.data, here.size),
                        whole);
    setpay_buffer_clear(&here);
    return error;
}

static enum setpay_error name_category(struct setpay_db *db, struct listing *listing, bool *whole)
{
    struct setpay_db_rows *rows;
    if (listing->category == NULL) {
        setpay_shop_set(listing->values, "base", json_string("/search"), whole);
        return SETPAY_OK;
    }
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT name FROM category WHERE slug = $1",
                             SETPAY_DB_TEXT(listing->category)));
    setpay_db_get_text(rows, 0, listing->title, sizeof listing->title);
    setpay_shop_set(listing->values, "base", json_sprintf("/categories/%s", listing->category),
                    whole);
    return setpay_db_end(rows);
}

/* What stands above it, to go back to, and right below it, to go on. */
static enum setpay_error add_kin(struct setpay_db *db, struct listing *listing, bool *whole)
{
    json_t *path = NULL;
    json_t *below = NULL;
    int64_t seq = 0;
    if (listing->category == NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_category_seq(db, listing->category, &seq));
    SETPAY_TRY(setpay_category_path(db, seq, &path));
    /* Of the header's, the one at the top is where one is. */
    setpay_shop_set(listing->values, "category",
                    json_incref(json_object_get(json_array_get(path, 0), "slug")), whole);
    (void)json_array_remove(path, json_array_size(path) - 1);
    setpay_shop_set(listing->values, "above", path, whole);
    SETPAY_TRY(setpay_category_below(db, seq, &below));
    setpay_shop_set(listing->values, "below", below, whole);
    return SETPAY_OK;
}

static enum setpay_error read_listing(struct setpay_db *db, void *arg)
{
    struct listing *listing = arg;
    bool whole = listing->values != NULL;
    SETPAY_TRY(name_category(db, listing, &whole));
    SETPAY_TRY(add_kin(db, listing, &whole));
    SETPAY_TRY(
        setpay_visit_frame(db, listing->www, &listing->visit, &listing->cart, listing->values));
    listing->settings = setpay_visit_settings(listing->www, &listing->cart);
    SETPAY_TRY(add_products(db, listing, &whole));
    SETPAY_TRY(add_options(db, listing, &whole));
    add_sorts(listing, &whole);
    add_asked(listing, &whole);
    SETPAY_TRY(add_here(listing, &whole));
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

static void show(struct listing *listing, enum setpay_www_page page)
{
    listing->status = 200;
    listing->values = json_object();
    enum setpay_error error = setpay_visit_begin(listing->www, listing->request, &listing->visit);
    if (error == SETPAY_OK)
        error = setpay_store_read(listing->www->reader, read_listing, listing);
    if (error != SETPAY_OK) {
        json_decref(listing->values);
        setpay_visit_fail(listing->www, listing->request, error);
        return;
    }
    /* A list has no form that changes something, and needs no cookie, but where there are several
     * currencies to choose from. */
    if (listing->settings.sold.count > 1)
        setpay_visit_reply(listing->www, listing->request, &listing->visit, listing->status, page,
                           listing->title, listing->values);
    else
        setpay_www_reply_page(listing->www, listing->request, listing->status, page, listing->title,
                              false, listing->values);
}

void setpay_www_on_front(struct setpay_http_request *request, void *arg)
{
    struct listing listing = {.www = arg, .request = request, .is_front = true, .title = "Welcome"};
    show(&listing, SETPAY_WWW_FRONT);
}

void setpay_www_on_category(struct setpay_http_request *request, void *arg)
{
    struct listing listing = {.www = arg, .request = request};
    listing.category = setpay_http_request_param(request, "slug");
    show(&listing, SETPAY_WWW_LIST);
}

void setpay_www_on_search(struct setpay_http_request *request, void *arg)
{
    struct listing listing = {.www = arg, .request = request, .searches = true, .title = "Search"};
    show(&listing, SETPAY_WWW_LIST);
}
