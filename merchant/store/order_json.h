/*
 * An order with its payments, as it stands in the database, and as JSON.
 */
#ifndef SETPAY_MERCHANT_STORE_ORDER_JSON_H
#define SETPAY_MERCHANT_STORE_ORDER_JSON_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"
#include "merchant/store/order.h"
#include "merchant/store/order_status.h"
#include "merchant/store/payment_port.h"
#include "merchant/store/ship_to.h"

#include <jansson.h>
#include <stddef.h>

/* More purchases than this, all refused but the last, and the oldest are left out of sight. */
#define SETPAY_ORDER_PAYMENTS_MAX 256

/* One step of one of its payments. */
struct setpay_order_step {
    struct setpay_id xid;
    struct setpay_step_view step;
};

struct setpay_parts;

/* An order at one moment. Zeroed memory is an empty one. */
struct setpay_order_view {
    struct setpay_order order;
    struct setpay_payment_view *payments; /* owned */
    size_t payment_count;
    struct setpay_order_step *steps; /* owned; only after setpay_order_view_find */
    size_t step_count;
    bool has_agreement; /* of the standing payment; only after setpay_order_view_find */
    struct setpay_agreement_view agreement;
    struct setpay_parts *parts; /* owned; likewise */
    enum setpay_order_status status;
    struct setpay_ship_to *ship_to; /* owned; where it goes; NULL: nobody has said so */
};

/* Inside an operation or a read: the purchases of view->order, which the caller has found, and its
 * status. SETPAY_E_NOMEM and errors of the database; clear the view in any case. */
enum setpay_error setpay_order_view_complete(struct setpay_db *db,
                                             const struct setpay_payment_port *port,
                                             setpay_time_ms now_ms,
                                             struct setpay_order_view *view) SETPAY_MUST_CHECK;
/* Find and complete, with the steps. *view must be empty. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_order_view_find(struct setpay_db *db,
                                         const struct setpay_payment_port *port,
                                         const char *order_id, setpay_time_ms now_ms,
                                         struct setpay_order_view *view) SETPAY_MUST_CHECK;
void setpay_order_view_clear(struct setpay_order_view *view);

/* What the addresses of an order begin with. Texts outlive whoever holds them. */
struct setpay_order_links {
    const char *public_host; /* HOST[:PORT] of pay links */
    const char *shop_url;    /* where the shop's pages are; NULL: orders tell no page */
};

/* The order as the store sees it. links NULL: without link and page, which let whoever knows them
 * pay. full: with address, payments, captures, refunds and shipments. Owned; NULL where memory is
 * out. */
json_t *setpay_order_view_json(const struct setpay_order_view *view,
                               const struct setpay_order_links *links, bool full);

/* The order as an event tells it: with its newest payment alone, so that no number of attempts
 * makes it large, and without the links, so that who is told can't pay. Owned; NULL where memory is
 * out. */
json_t *setpay_order_event_json(const struct setpay_order_view *view);

/* The state of a payment in the store's words: "paying", "authorised", "captured", "declined",
 * "voided", "reversing", "reversed", "lapsed". */
const char *setpay_payment_status_name(const struct setpay_payment_view *payment);
/* "capture", "refund", "capture reversal", "refund reversal", "release", "authorisation",
 * "cancellation". */
const char *setpay_step_kind_name(enum setpay_merchant_step_kind kind);
/* "asking", "done", "refused" or "declined". */
const char *setpay_step_status_name(const struct setpay_step_view *step);

#endif
