/*
 * Inside of the shop's pages, shared by their files; nobody else includes it.
 *
 * A page is a template (a row of pages.c) and a handler (a row of the routes in www.c) that makes
 * its values and calls setpay_www_reply_page.
 */
#ifndef SETPAY_MERCHANT_WWW_INTERNAL_H
#define SETPAY_MERCHANT_WWW_INTERNAL_H

#include "merchant/store/www/template.h"
#include "merchant/store/www/www.h"

#include <jansson.h>
#include <stdbool.h>

enum setpay_www_page { SETPAY_WWW_FRONT, SETPAY_WWW_ORDER, SETPAY_WWW_ERROR, SETPAY_WWW_PAGES };

struct setpay_www {
    struct setpay_www_options options;
    struct setpay_reader *reader;
    struct setpay_http_server *server;
    struct setpay_template *templates[SETPAY_WWW_PAGES];
};

/* ---- pages.c */

extern const struct setpay_template_source setpay_www_sources[];
/* The source of a page's template. */
const char *setpay_www_page_name(enum setpay_www_page page);

/* ---- reply.c */

/* The page as HTML, owned (free()); NULL, and logged, where it can't be made. values is taken, and
 * gets what every page has: shop, css. */
char *setpay_www_render(const struct setpay_www *www, enum setpay_www_page page, const char *title,
                        json_t *values);
/* Ends the request. values is taken (NULL: no memory). private: kept nowhere. */
void setpay_www_reply_page(struct setpay_www *www, struct setpay_http_request *request, int status,
                           enum setpay_www_page page, const char *title, bool is_private,
                           json_t *values);
void setpay_www_reply_error(struct setpay_www *www, struct setpay_http_request *request, int status,
                            const char *words);
/* The page of an error that the server itself answers (http_server.h); arg is the www. */
char *setpay_www_error_page(int status, void *arg);

/* ---- static.c */

/* The name with its hash under which a file is linked: "shop.0a1b2c3d4e5f.css"; NULL where there is
 * no such file. Any thread, once setpay_www_static_init has been called. */
const char *setpay_www_static_name(const char *file);
enum setpay_error setpay_www_static_init(void) SETPAY_MUST_CHECK;
setpay_http_handler_fn setpay_www_on_static;

/* ---- front.c, order_page.c */

setpay_http_handler_fn setpay_www_on_front;
setpay_http_handler_fn setpay_www_on_order;

#endif
