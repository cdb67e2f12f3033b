/*
 * Cookies, tokens of forms, and what stands around every page.
 */
#include "merchant/store/www/visit.h"

#include "common/base/log.h"
#include "common/base/noun.h"
#include "common/crypto/hash.h"
#include "merchant/store/category.h"
#include "merchant/store/product.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Browsers take a cookie of this prefix only over TLS, for this host alone and for all of its
 * paths: a neighbour's host can't set it. */
#define COOKIE_TLS "__Host-cart"
#define COOKIE_PLAIN "cart"
#define COOKIE_LIFE_S (SETPAY_CART_KEPT_MS / 1000)

/* Of a visit whose browser has, or has not, come over TLS: to us, or to a proxy before us. */
static const char *cookie_name(bool secure)
{
    return secure ? COOKIE_TLS : COOKIE_PLAIN;
}

/* The value of the cookie, where it is an id. */
static bool read_cookie(const struct setpay_http_request *request, bool secure, char *id,
                        uint8_t *bytes)
{
    const char *name = cookie_name(secure);
    const char *at = setpay_http_request_header(request, "Cookie");
    size_t size = strlen(name);
    while (at != NULL && *at != '\0') {
        at += strspn(at, " ;");
        size_t length = strcspn(at, ";");
        if (length == size + SETPAY_BASE64URL_SIZE(16) && strncmp(at, name, size) == 0 &&
            at[size] == '=') {
            memcpy(id, at + size + 1, SETPAY_BASE64URL_SIZE(16) - 1);
            id[SETPAY_BASE64URL_SIZE(16) - 1] = '\0';
            return setpay_base64url_decode(id, bytes, 16) == SETPAY_OK;
        }
        at += length;
    }
    return false;
}

enum setpay_error setpay_visit_begin(const struct setpay_www *www,
                                     const struct setpay_http_request *request,
                                     struct setpay_visit *visit)
{
    struct setpay_id id;
    struct setpay_digest csrf;
    memset(visit, 0, sizeof *visit);
    bool secure = setpay_www_is_secure(www, request);
    visit->is_new = !read_cookie(request, secure, visit->id, id.bytes);
    if (visit->is_new) {
        SETPAY_TRY(setpay_id_random(&id));
        setpay_base64url_encode(setpay_id_view(&id), visit->id);
    }
    enum setpay_error known = setpay_guard_client(www->guard, request, &visit->client);
    if (known != SETPAY_OK && known != SETPAY_E_NOT_FOUND)
        return known;
    visit->has_client = known == SETPAY_OK;
    SETPAY_TRY(setpay_hash_one("shop.cart", setpay_id_view(&id), &visit->cart_id));
    SETPAY_TRY(setpay_hash_one("shop.form", setpay_id_view(&id), &csrf));
    setpay_base64url_encode(SETPAY_VIEW_ARRAY(csrf.bytes), visit->csrf);
    (void)snprintf(visit->cookie, sizeof visit->cookie,
                   "%s=%s; Path=/; HttpOnly; SameSite=Lax; Max-Age=%lld%s", cookie_name(secure),
                   visit->id, (long long)COOKIE_LIFE_S, secure ? "; Secure" : "");
    return SETPAY_OK;
}

enum setpay_error setpay_visit_keep_cart(struct setpay_db *db, const struct setpay_www *www,
                                         const struct setpay_visit *visit, struct setpay_cart *cart,
                                         setpay_time_ms now_ms)
{
    const struct setpay_cart_maker maker = {.client = visit->has_client ? &visit->client : NULL,
                                            .max = setpay_guard_carts(www->guard)};
    return setpay_cart_keep(db, &visit->cart_id, &maker, cart, now_ms);
}

/* ------------------------------------------------------------------ forms */

/* Whether the browser says that the form stands on another site's page. */
static bool is_foreign(const struct setpay_http_request *request)
{
    const char *site = setpay_http_request_header(request, "Sec-Fetch-Site");
    const char *origin = setpay_http_request_header(request, "Origin");
    const char *host = setpay_http_request_header(request, "Host");
    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return true;
    /* Under our own policy for referrers, a browser says "null" of our own pages too. */
    if (origin == NULL || strcmp(origin, "null") == 0)
        return false;
    const char *behind = strstr(origin, "://");
    return behind == NULL || host == NULL || strcasecmp(behind + 3, host) != 0;
}

bool setpay_visit_read_form(struct setpay_www *www, struct setpay_http_request *request,
                            const struct setpay_visit *visit, struct setpay_form *form)
{
    if (!setpay_http_request_has_type(request, "application/x-www-form-urlencoded")) {
        setpay_www_reply_error(www, request, 415, "Only the shop's own forms are taken here.");
        return false;
    }
    enum setpay_error error = setpay_form_parse(setpay_http_request_body(request), form);
    if (error != SETPAY_OK) {
        setpay_www_reply_error(www, request, error == SETPAY_E_TOO_BIG ? 413 : 400,
                               error == SETPAY_E_TOO_BIG ? "The form is too long."
                                                         : "The form can't be read.");
        return false;
    }
    const char *token = setpay_form_get(form, "form");
    if (!visit->is_new && !is_foreign(request) &&
        setpay_view_equal_secret(setpay_view_string(token), setpay_view_string(visit->csrf)))
        return true;
    setpay_form_clear(form);
    setpay_www_reply_error(www, request, 403,
                           "The form was not sent from a page of this shop, or your browser keeps"
                           " no cookies for it. Nothing was changed. Go back, load the page again,"
                           " and try once more.");
    return false;
}

/* ------------------------------------------------------------------ frame */

/* Those at the top of the tree. */
static enum setpay_error add_categories(struct setpay_db *db, json_t *values)
{
    json_t *none = json_object();
    const struct setpay_shop_ask ask = {.body = none, .version = SETPAY_SHOP_ANY_VERSION};
    struct setpay_shop_answer answer = {.json = NULL};
    json_t *list = json_array();
    const char *here = json_string_value(json_object_get(values, "category"));
    bool whole = list != NULL && none != NULL;
    size_t index;
    json_t *category;
    enum setpay_error error = setpay_category_list(db, &ask, &answer);
    json_array_foreach(json_object_get(answer.json, "categories"), index, category)
    {
        const char *slug = json_string_value(json_object_get(category, "slug"));
        if (json_integer_value(json_object_get(category, "depth")) != 0)
            continue;
        setpay_shop_append(list,
                           json_pack("{s:s, s:O, s:b}", "slug", slug, "name",
                                     json_object_get(category, "name"), "here",
                                     (int)(here != NULL && strcmp(here, slug) == 0)),
                           &whole);
    }
    setpay_shop_set(values, "categories", list, &whole);
    setpay_shop_answer_clear(&answer);
    json_decref(none);
    return error == SETPAY_OK && !whole ? SETPAY_E_NOMEM : error;
}

static enum setpay_error has_products(struct setpay_db *db, bool *has)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT 1 FROM product WHERE status = $1 LIMIT 1",
                                SETPAY_DB_INT(SETPAY_PRODUCT_PUBLISHED)));
    *has = setpay_db_next(rows);
    return setpay_db_end(rows);
}

struct setpay_shop_settings setpay_visit_settings(const struct setpay_www *www,
                                                  const struct setpay_cart *cart)
{
    struct setpay_shop_settings settings = www->options.settings;
    const char *chosen = setpay_shop_currencies_find(&www->options.settings.sold, cart->currency);
    if (chosen != NULL)
        settings.currency = chosen;
    return settings;
}

enum setpay_error setpay_visit_choose(const struct setpay_www *www, const char *code,
                                      struct setpay_cart *cart)
{
    const char *sold = setpay_shop_currencies_find(&www->options.settings.sold, code);
    if (sold == NULL)
        return SETPAY_E_INVALID;
    memcpy(cart->currency, sold, sizeof cart->currency);
    return SETPAY_OK;
}

/* The currency that prices are in, and a list of all where there is a choice. */
static void add_currencies(const struct setpay_shop_settings *settings, json_t *values, bool *whole)
{
    const struct setpay_shop_currencies *sold = &settings->sold;
    json_t *list = json_array();
    for (size_t i = 0; sold->count > 1 && i < sold->count; i++)
        setpay_shop_append(list,
                           json_pack("{s:s, s:b}", "code", sold->codes[i], "chosen",
                                     (int)(strcmp(sold->codes[i], settings->currency) == 0)),
                           whole);
    setpay_shop_set(values, "currencies", list, whole);
    setpay_shop_set(values, "currency", json_string(settings->currency), whole);
}

enum setpay_error setpay_visit_frame(struct setpay_db *db, const struct setpay_www *www,
                                     const struct setpay_visit *visit, struct setpay_cart *cart,
                                     json_t *values)
{
    bool has = false;
    bool whole = true;
    SETPAY_TRY(has_products(db, &has));
    SETPAY_TRY(setpay_cart_find(db, &visit->cart_id, cart));
    SETPAY_TRY(add_categories(db, values));
    const struct setpay_shop_settings settings = setpay_visit_settings(www, cart);
    int64_t pieces = setpay_cart_pieces(cart);
    add_currencies(&settings, values, &whole);
    setpay_shop_set(values, "pieces", json_string(setpay_noun(pieces, "piece", "pieces")), &whole);
    setpay_shop_set(values, "has_catalogue", json_boolean(has), &whole);
    setpay_shop_set(values, "cart_count", pieces > 0 ? json_integer(pieces) : json_null(), &whole);
    setpay_shop_set(values, "form", json_string(visit->csrf), &whole);
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* ------------------------------------------------------------------ answers */

void setpay_visit_reply(struct setpay_www *www, struct setpay_http_request *request,
                        const struct setpay_visit *visit, int status, enum setpay_www_page page,
                        const char *title, json_t *values)
{
    setpay_www_reply(www, request,
                     &(struct setpay_www_answer){.status = status,
                                                 .page = page,
                                                 .title = title,
                                                 .is_private = true,
                                                 .cookie = visit->is_new ? visit->cookie : NULL,
                                                 .values = values});
}

void setpay_visit_go_to(struct setpay_www *www, struct setpay_http_request *request,
                        const struct setpay_visit *visit, const char *path)
{
    const struct setpay_http_header headers[] = {{"Location", path},
                                                 {"Cache-Control", "no-store"},
                                                 {"Set-Cookie", visit->cookie},
                                                 {NULL, NULL}};
    (void)www;
    setpay_http_reply(request, 303, NULL, headers, SETPAY_VIEW_EMPTY);
}

void setpay_visit_fail(struct setpay_www *www, struct setpay_http_request *request,
                       enum setpay_error error)
{
    bool is_missing = error == SETPAY_E_NOT_FOUND;
    if (!is_missing)
        setpay_log_error(error, "www.page", setpay_field_text("area", "store"));
    setpay_www_reply_error(www, request, is_missing ? 404 : 503, NULL);
}
