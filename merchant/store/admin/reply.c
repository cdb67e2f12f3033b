/*
 * Pages out of templates, the answers that carry them, and their style sheet: one file, the shop's
 * with the owner's behind it, under a name that changes with its content.
 */
#include "merchant/store/admin/admin_internal.h"

#include "common/base/log.h"
#include "common/crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTML "text/html; charset=utf-8"
/* Where not even the page of an error can be made. */
#define LAST_RESORT "<!doctype html><title>Error</title><p>The page can't be shown now.</p>"

/* ------------------------------------------------------------------ the style sheet */

#define HASH_DIGITS 16
/* Of two rules alike the later counts: the owner's. So no sorting. */
/* clang-format off */
static const uint8_t css[] = {
#include "merchant/store/www/static/shop.css.inc"
#include "merchant/store/admin/static/owner.css.inc"
};
/* clang-format on */
static char css_name[HASH_DIGITS + 16];

enum setpay_error setpay_admin_static_init(void)
{
    struct setpay_digest digest;
    char text[SETPAY_DIGEST_TEXT_SIZE];
    SETPAY_TRY(setpay_sha256(SETPAY_VIEW_ARRAY(css), &digest));
    (void)snprintf(css_name, sizeof css_name, "owner.%.*s.css", HASH_DIGITS,
                   setpay_digest_format(&digest, text));
    return SETPAY_OK;
}

void setpay_admin_on_static(struct setpay_http_request *request, void *arg)
{
    static const struct setpay_http_header headers[] = {
        {"Cache-Control", "public, max-age=31536000, immutable"}, {NULL, NULL}};
    if (strcmp(setpay_http_request_param(request, "file"), css_name) == 0)
        setpay_http_reply(request, 200, "text/css; charset=utf-8", headers, SETPAY_VIEW_ARRAY(css));
    else
        setpay_admin_reply_error(arg, request, 404, NULL);
}

/* ------------------------------------------------------------------ pages */

static void fill(json_t *values, const char *name, json_t *value, bool *whole)
{
    if (json_object_get(values, name) == NULL)
        *whole = json_object_set_new(values, name, value) == 0 && *whole;
    else
        json_decref(value);
}

/* What every page has. */
static enum setpay_error complete(const struct setpay_admin *admin,
                                  const struct setpay_admin_visit *visit,
                                  enum setpay_admin_page page, const char *title, json_t *values)
{
    bool whole = values != NULL;
    if (!whole)
        return SETPAY_E_NOMEM;
    fill(values, "title", json_string(title), &whole);
    fill(values, "shop", json_string(admin->options.shop), &whole);
    fill(values, "css", json_string(css_name), &whole);
    fill(values, "who", json_string(visit != NULL ? visit->name : ""), &whole);
    fill(values, "csrf", json_string(visit != NULL ? visit->csrf : ""), &whole);
    fill(values, "refresh", json_false(), &whole);
    fill(values, "at_orders",
         json_boolean(page == SETPAY_ADMIN_ORDERS || page == SETPAY_ADMIN_ORDER), &whole);
    fill(values, "at_products",
         json_boolean(page == SETPAY_ADMIN_PRODUCTS || page == SETPAY_ADMIN_PRODUCT), &whole);
    fill(values, "at_stock",
         json_boolean(page == SETPAY_ADMIN_STOCK || page == SETPAY_ADMIN_STOCK_ONE), &whole);
    fill(values, "at_shipments", json_boolean(page == SETPAY_ADMIN_SHIPMENTS), &whole);
    fill(values, "at_webhooks",
         json_boolean(page == SETPAY_ADMIN_WEBHOOKS || page == SETPAY_ADMIN_WEBHOOK), &whole);
    fill(values, "at_settlements",
         json_boolean(page == SETPAY_ADMIN_SETTLEMENTS || page == SETPAY_ADMIN_SETTLEMENT), &whole);
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

static char *render(const struct setpay_admin *admin, const struct setpay_admin_visit *visit,
                    enum setpay_admin_page page, const char *title, json_t *values)
{
    struct setpay_buffer html;
    struct setpay_problem problem = {{0}};
    const struct setpay_page made = {.values = values};
    char *text = NULL;
    setpay_buffer_init(&html, SETPAY_PAGE_BYTES);
    enum setpay_error error = complete(admin, visit, page, title, values);
    if (error == SETPAY_OK)
        error = setpay_template_render(admin->templates[page], &made, &html, &problem);
    if (error == SETPAY_OK)
        text = strndup((const char *)html.data, html.size);
    else
        setpay_log_error(error, "owner.page",
                         setpay_field_text("page", setpay_admin_page_name(page)),
                         setpay_field_text("reason", problem.text));
    setpay_buffer_clear(&html);
    json_decref(values);
    return text;
}

void setpay_admin_reply(struct setpay_admin *admin, struct setpay_http_request *request,
                        const struct setpay_admin_visit *visit, int status,
                        enum setpay_admin_page page, const char *title, const char *cookie,
                        json_t *values)
{
    struct setpay_http_header headers[4] = {{"Cache-Control", "no-store"}};
    size_t count = 1;
    if (admin->options.tls == NULL && setpay_admin_is_secure(admin, request))
        headers[count++] = (struct setpay_http_header){SETPAY_ADMIN_STAY_SECURE};
    if (cookie != NULL)
        headers[count] = (struct setpay_http_header){"Set-Cookie", cookie};
    char *html = render(admin, visit, page, title, values);
    if (html != NULL)
        setpay_http_reply(request, status, HTML, headers, setpay_view_string(html));
    else if (page != SETPAY_ADMIN_ERROR)
        setpay_admin_reply_error(admin, request, 500, NULL);
    else
        setpay_http_reply(request, 500, HTML, headers, setpay_view_string(LAST_RESORT));
    free(html);
}

void setpay_admin_go_to(struct setpay_http_request *request, const char *path, const char *cookie)
{
    const struct setpay_http_header headers[] = {{"Cache-Control", "no-store"},
                                                 {"Location", path},
                                                 {cookie != NULL ? "Set-Cookie" : NULL, cookie},
                                                 {NULL, NULL}};
    setpay_http_reply(request, 303, NULL, headers, SETPAY_VIEW_EMPTY);
}

/* ------------------------------------------------------------------ errors */

static const char *words_for(int status)
{
    switch (status) {
    case 403:
        return "That is not permitted.";
    case 404:
        return "There is nothing under this address.";
    case 405:
        return "This address can't be asked in that way.";
    case 413:
        return "That is larger than what is taken here.";
    case 503:
        return "The shop is busy: nothing was changed. Try again in a moment.";
    default:
        return status < 500 ? "The request is not one that is understood here."
                            : "Something failed here; nothing was changed. Try again in a moment.";
    }
}

void setpay_admin_reply_error(struct setpay_admin *admin, struct setpay_http_request *request,
                              int status, const char *words)
{
    setpay_admin_reply(admin, request, NULL, status, SETPAY_ADMIN_ERROR,
                       setpay_http_status_phrase(status), NULL,
                       json_pack("{s:s}", "words", words != NULL ? words : words_for(status)));
}

void setpay_admin_reply_failed(struct setpay_admin *admin, struct setpay_http_request *request,
                               enum setpay_error error)
{
    bool busy = error == SETPAY_E_BUSY || error == SETPAY_E_DRAINING;
    setpay_log_error(error, "owner.failed", setpay_field_text("area", "store"));
    setpay_admin_reply_error(admin, request, busy ? 503 : 500, NULL);
}

char *setpay_admin_error_page(int status, void *arg)
{
    return render(arg, NULL, SETPAY_ADMIN_ERROR, setpay_http_status_phrase(status),
                  json_pack("{s:s}", "words", words_for(status)));
}

/* ------------------------------------------------------------------ words */

json_t *setpay_admin_money(int64_t minor, const char *currency)
{
    struct setpay_money money;
    char text[SETPAY_MONEY_TEXT_SIZE];
    if (setpay_money_make(minor, currency, &money) != SETPAY_OK)
        return NULL;
    return json_string(setpay_money_format(&money, text));
}

json_t *setpay_admin_time(setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    return time_ms == 0
               ? json_string("")
               : json_sprintf("%.10s %.5s UTC", setpay_time_format(time_ms, text), text + 11);
}

json_t *setpay_admin_where(const struct setpay_ship_to *address)
{
    struct setpay_ship_to_label label = {.count = 0};
    bool whole = true;
    json_t *lines = json_array();
    if (address != NULL)
        setpay_ship_to_label(address, &label);
    for (size_t i = 0; i < label.count; i++)
        setpay_shop_append(lines, json_string(label.lines[i]), &whole);
    if (whole)
        return lines;
    json_decref(lines);
    return NULL;
}

json_t *setpay_admin_status(const char *status)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s", status);
    for (char *at = text; (at = strchr(at, '_')) != NULL;)
        *at = ' ';
    return json_string(text);
}

const char *setpay_admin_status_look(const char *status)
{
    static const struct {
        const char *status, *look;
    } looks[] = {
        {"captured", "good"},  {"done", "good"},
        {"published", "good"}, {"authorised", "wait"},
        {"paying", "wait"},    {"asking", "wait"},
        {"declined", "bad"},   {"refused", "bad"},
        {"delivered", "good"}, {"pending", "wait"},
        {"failed", "bad"},     {"enabled", "good"},
        {"expired", "bad"},    {"partially_captured", "wait"},
    };
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        if (strcmp(looks[i].status, status) == 0)
            return looks[i].look;
    }
    return "none";
}
