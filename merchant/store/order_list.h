/*
 * Pages of orders, the youngest first.
 */
#ifndef SETPAY_MERCHANT_STORE_ORDER_LIST_H
#define SETPAY_MERCHANT_STORE_ORDER_LIST_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"
#include "merchant/store/order_json.h"
#include "merchant/store/order_status.h"
#include "merchant/store/payment_port.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define SETPAY_ORDER_LIST_DEFAULT 20
#define SETPAY_ORDER_LIST_MAX 100
/* Orders that one page looks at; where few have the status asked for, it ends early, with a cursor.
 */
#define SETPAY_ORDER_LIST_SCAN_MAX 1000

struct setpay_order_list {
    const struct setpay_payment_port *port;
    const struct setpay_order_links *links;
    setpay_time_ms now_ms;
    int64_t before_seq; /* INT64_MAX: from the youngest on */
    size_t limit;       /* 1 to SETPAY_ORDER_LIST_MAX */
    bool has_status;
    enum setpay_order_status status;
};

/* A cursor is opaque to those outside. SETPAY_E_INVALID for one that no page gave. */
enum setpay_error setpay_order_cursor_parse(const char *cursor,
                                            int64_t *before_seq) SETPAY_MUST_CHECK;

/* {"orders":[…],"has_more","next_cursor"}, owned. Inside a read. SETPAY_E_NOMEM, errors of the
 * database. */
enum setpay_error setpay_order_list_read(struct setpay_db *db,
                                         const struct setpay_order_list *wanted,
                                         json_t **page) SETPAY_MUST_CHECK;

#endif
