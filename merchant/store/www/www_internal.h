/*
 * Inside of the shop's pages, shared by their files; nobody else includes it.
 *
 * A page is a template (a row of pages.c) and a handler (a row of the routes in www.c) that makes
 * its values and calls setpay_www_reply_page.
 */
#ifndef SETPAY_MERCHANT_WWW_INTERNAL_H
#define SETPAY_MERCHANT_WWW_INTERNAL_H

#include "merchant/store/www/guard.h"
#include "merchant/store/www/template.h"
#include "merchant/store/www/www.h"

#include <jansson.h>
#include <stdbool.h>

enum setpay_www_page {
    SETPAY_WWW_FRONT,
    SETPAY_WWW_LIST,
    SETPAY_WWW_PRODUCT,
    SETPAY_WWW_CART,
    SETPAY_WWW_CHECKOUT,
    SETPAY_WWW_ORDER,
    SETPAY_WWW_ABOUT,
    SETPAY_WWW_ERROR,
    SETPAY_WWW_PAGES
};

struct setpay_streams;

struct setpay_www {
    struct setpay_www_options options;
    struct setpay_reader *reader;
    struct setpay_http_server *server;
    struct setpay_template *templates[SETPAY_WWW_PAGES];
    struct setpay_executor executor;
    struct setpay_guard *guard;     /* the options', or its own */
    struct setpay_guard *own_guard; /* owned; NULL where the options have one */
    struct setpay_streams *streams; /* pages that follow a payment */
    size_t writes;                  /* operations under way */
    bool server_drained;
    void (*drained_cb)(void *arg);
    void *drained_arg;
};

/* An operation has ended: a drain that waits for it may be over. */
void setpay_www_wrote(struct setpay_www *www);

/* ---- pages.c */

extern const struct setpay_template_source setpay_www_sources[];
/* The source of a page's template. */
const char *setpay_www_page_name(enum setpay_www_page page);

/* ---- reply.c */

/* A page to be sent. */
struct setpay_www_answer {
    int status;
    enum setpay_www_page page;
    const char *title;
    bool is_private;       /* kept nowhere */
    const char *cookie;    /* Set-Cookie; NULL: none */
    struct setpay_view qr; /* HTML that the program has made (qr.c), for {{qr}}; empty: none */
    json_t *values;        /* taken; NULL: no memory */
};
/* Ends the request. */
void setpay_www_reply(struct setpay_www *www, struct setpay_http_request *request,
                      const struct setpay_www_answer *answer);

/* The page as HTML, owned (free()); NULL, and logged, where it can't be made. values is taken, and
 * gets what every page has: shop, css. */
char *setpay_www_render(const struct setpay_www *www, enum setpay_www_page page, const char *title,
                        json_t *values);
#define SETPAY_WWW_PATH_MAX 4096 /* of a path with its query that a page of ours is under */
/* Ends the request. values is taken (NULL: no memory). private: kept nowhere. */
void setpay_www_reply_page(struct setpay_www *www, struct setpay_http_request *request, int status,
                           enum setpay_www_page page, const char *title, bool is_private,
                           json_t *values);
/* words NULL: those of the status. */
void setpay_www_reply_error(struct setpay_www *www, struct setpay_http_request *request, int status,
                            const char *words);
/* The page of an error that the server itself answers (http_server.h); arg is the www. */
char *setpay_www_error_page(int status, void *arg);

/* Whether the browser has come over TLS: to us, or to a proxy before us that is believed. */
bool setpay_www_is_secure(const struct setpay_www *www, const struct setpay_http_request *request);
/* What it is then told: not to come in the clear again. */
#define SETPAY_WWW_STAY_SECURE "Strict-Transport-Security", "max-age=63072000"

/* ---- static.c */

/* The name with its hash under which a file is linked: "shop.0a1b2c3d4e5f.css"; NULL where there is
 * no such file. Any thread, once setpay_www_static_init has been called. */
const char *setpay_www_static_name(const char *file);
enum setpay_error setpay_www_static_init(void) SETPAY_MUST_CHECK;
setpay_http_handler_fn setpay_www_on_static;
setpay_http_handler_fn setpay_www_on_robots;

/* ---- money and time as pages show them; NULL without memory */

json_t *setpay_www_money_json(int64_t minor, const char *currency);
json_t *setpay_www_time_json(setpay_time_ms time_ms); /* "2026-11-26 15:00 UTC" */

/* A text of several: a blank line ends one. Owned; NULL, or *whole false, without memory. */
json_t *setpay_www_paragraphs(const char *text, bool *whole);

/* ---- list_page.c, product_page.c, cart_page.c, currency_page.c, checkout_page.c, order_page.c,
 * stream.c, about_page.c */

setpay_http_handler_fn setpay_www_on_about;
setpay_http_handler_fn setpay_www_on_front;
setpay_http_handler_fn setpay_www_on_category;
setpay_http_handler_fn setpay_www_on_search;
setpay_http_handler_fn setpay_www_on_product;
setpay_http_handler_fn setpay_www_on_picture;
setpay_http_handler_fn setpay_www_on_cart;
setpay_http_handler_fn setpay_www_on_cart_add;
setpay_http_handler_fn setpay_www_on_cart_change;
setpay_http_handler_fn setpay_www_on_currency;
setpay_http_handler_fn setpay_www_on_checkout;
setpay_http_handler_fn setpay_www_on_order_make;
setpay_http_handler_fn setpay_www_on_order;
setpay_http_handler_fn setpay_www_on_order_events;

#endif
