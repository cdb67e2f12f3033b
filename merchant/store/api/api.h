/*
 * The merchant API: JSON over HTTP under /api/v1, for a store in any language. One per worker.
 *
 *     POST /orders            GET /orders             GET /orders/{id}
 *     POST /orders/{id}/void|cancel|capture|refund|undo
 *     POST /batches/close     GET /batches
 *     GET /settlements        GET /settlements/{id}   GET /settlements/{id}/rows
 *     GET /settlements/differences
 *     what is sold: /products, /categories, /stock, /shipping-methods, /tax-rates (shop.h)
 *     GET /openapi.json       (without a token)
 */
#ifndef SETPAY_MERCHANT_API_API_H
#define SETPAY_MERCHANT_API_API_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/net/http_server.h"
#include "common/net/loop.h"
#include "common/store/store.h"
#include "merchant/store/order_json.h"
#include "merchant/store/payment_port.h"
#include "merchant/store/shop.h"

#include <stdint.h>

struct setpay_api;

struct setpay_api_options {
    struct setpay_loop *loop;
    struct setpay_store *store;
    const struct setpay_payment_port *port; /* outlives the API */
    struct setpay_order_links links;        /* its texts outlive the API */
    struct setpay_shop_settings shop;       /* its texts outlive the API */
    int64_t wait_ms; /* how long an answer waits for the gateway before it is 202; 0: 5 s */
};

/* Loop's thread, all of it. SETPAY_E_NOMEM, SETPAY_E_RANDOM, errors of the store. */
enum setpay_error setpay_api_new(const struct setpay_api_options *options,
                                 struct setpay_api **api) SETPAY_MUST_CHECK;
/* Takes the socket, also on error. */
enum setpay_error setpay_api_listen(struct setpay_api *api, int listener_fd) SETPAY_MUST_CHECK;
/* Takes no further requests; what waits is answered with what is known. drained_cb is called once,
 * when nothing is under way. */
void setpay_api_drain(struct setpay_api *api, void (*drained_cb)(void *arg), void *arg);
/* NULL-safe. No operation of it may be queued any more (the loop has ended, or it was drained). */
void setpay_api_free(struct setpay_api *api);

/* The routes, for tests; ends with a NULL handler. */
const struct setpay_http_route *setpay_api_routes(void);
/* The OpenAPI 3.1 document, JSON. */
struct setpay_view setpay_api_openapi(void);

#endif
