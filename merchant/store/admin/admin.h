/*
 * The owner's pages: orders, goods and stock, for people who look after the shop. On an address of
 * its own, on loopback, or with the shop's certificate; nothing of it is on the public side. Works
 * without scripts, and has none. One per worker.
 *
 *     GET  /signin  POST /signin  POST /signout  POST /signout-everywhere
 *     GET  /  /orders/{id}  /products  /products/{id}  /stock  /stock/{sku}
 *     POST /orders/{id}/{act}  /products  /products/{id}/{act}  /stock/{sku}
 *     GET  /static/{file...}
 */
#ifndef SETPAY_MERCHANT_ADMIN_ADMIN_H
#define SETPAY_MERCHANT_ADMIN_ADMIN_H

#include "common/base/error.h"
#include "common/net/http_server.h"
#include "common/net/loop.h"
#include "common/store/store.h"
#include "merchant/store/payment_port.h"
#include "merchant/store/shop.h"
#include "merchant/store/webhook/network.h"

struct setpay_tls;
struct setpay_admin;

struct setpay_admin_options {
    struct setpay_loop *loop;
    struct setpay_store *store;
    const struct setpay_payment_port *port; /* the texts outlive the pages */
    const char *shop;                       /* its name */
    struct setpay_shop_settings settings;
    struct setpay_tls *tls;         /* NULL: plain HTTP on loopback */
    struct setpay_networks proxies; /* before these pages, whose X-Forwarded-* is believed */
};

/* Loop's thread, all of it. SETPAY_E_NOMEM, errors of the store; SETPAY_E_INVALID for a template
 * that does not hold (our bug; logged). */
enum setpay_error setpay_admin_new(const struct setpay_admin_options *options,
                                   struct setpay_admin **admin) SETPAY_MUST_CHECK;
/* Takes the socket, also on error. */
enum setpay_error setpay_admin_listen(struct setpay_admin *admin,
                                      int listener_fd) SETPAY_MUST_CHECK;
void setpay_admin_drain(struct setpay_admin *admin, void (*drained_cb)(void *arg), void *arg);
/* NULL-safe. */
void setpay_admin_free(struct setpay_admin *admin);

/* The routes, for tests; ends with a NULL handler. */
const struct setpay_http_route *setpay_admin_routes(void);

#endif
