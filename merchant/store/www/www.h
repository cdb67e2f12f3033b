/*
 * The shop's public side: what shoppers see, as HTML that needs no script, on an address of its
 * own. Nothing of the merchant API is here, and nothing that needs a token. One per worker.
 *
 *     GET  /                          the shop's name, and what it sells
 *     GET  /categories/{slug}         products of a category;  GET /search?q=: by words
 *     GET  /products/{slug}           one product;             GET /pictures/{digest}
 *     GET  /cart                      POST /cart/add, /cart/change
 *     POST /currency                  in which prices are shown from now on
 *     GET  /checkout                  POST /checkout: makes the order
 *     GET  /orders/{token}            what is paid, and by which link
 *     GET  /orders/{token}/events     tells once, as a server-sent event, that it has changed
 *     GET  /about/{name}              what the owner says of the shop
 *     GET  /static/{file...}          styles and script, under names that change with their content
 *     GET  /robots.txt                what search engines are to leave alone
 */
#ifndef SETPAY_MERCHANT_WWW_WWW_H
#define SETPAY_MERCHANT_WWW_WWW_H

#include "common/base/error.h"
#include "common/net/http_server.h"
#include "common/net/loop.h"
#include "common/store/store.h"
#include "merchant/store/payment_port.h"
#include "merchant/store/shop.h"

struct setpay_guard;
struct setpay_texts;
struct setpay_tls;
struct setpay_www;

struct setpay_www_options {
    struct setpay_loop *loop;
    struct setpay_store *store;
    const struct setpay_payment_port *port; /* the texts outlive the pages */
    const char *shop;                       /* its name */
    const char *public_host;                /* HOST[:PORT] of pay links */
    struct setpay_shop_settings settings;   /* country and currencies */
    struct setpay_tls *tls;                 /* NULL: plain HTTP, behind a proxy or on loopback */
    int64_t request_deadline_ms;            /* for tests; 0: 10 s */
    size_t max_connections;                 /* for tests; 0: 1024 */
    struct setpay_guard *guard;             /* of all workers, outlives them; NULL: its own */
    struct setpay_texts *texts;             /* likewise; NULL: none */
};

/* Loop's thread, all of it. SETPAY_E_NOMEM, errors of the store; SETPAY_E_INVALID for a template
 * that does not hold (our bug; logged). */
enum setpay_error setpay_www_new(const struct setpay_www_options *options,
                                 struct setpay_www **www) SETPAY_MUST_CHECK;
/* Takes the socket, also on error. */
enum setpay_error setpay_www_listen(struct setpay_www *www, int listener_fd) SETPAY_MUST_CHECK;
void setpay_www_drain(struct setpay_www *www, void (*drained_cb)(void *arg), void *arg);
/* NULL-safe. */
void setpay_www_free(struct setpay_www *www);

/* The routes, for tests; ends with a NULL handler. */
const struct setpay_http_route *setpay_www_routes(void);

#endif
