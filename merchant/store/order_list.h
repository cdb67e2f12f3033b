/*
 * Pages of orders, the youngest first: which there are, by status and by words, and as JSON.
 *
 * What one page reads is bounded, however many orders there are and however few are asked for: a
 * page that has looked at so many ends, with what it has found, and where to go on.
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
/* Orders whose words one page looks at. */
#define SETPAY_ORDER_LIST_LOOKED_AT 2000
#define SETPAY_ORDER_LIST_WORDS_BYTES 100

/* Which orders, and how far. */
struct setpay_order_list {
    const struct setpay_payment_port *port;
    const struct setpay_order_links *links; /* of their JSON */
    setpay_time_ms now_ms;
    int64_t before_seq; /* INT64_MAX: from the youngest on */
    size_t limit;       /* 1 to SETPAY_ORDER_LIST_MAX */
    bool has_status;
    enum setpay_order_status status;
    /* Somewhere in its number, description, notes, lines or tracking, or in the name that it goes
     * to. NULL or "": any. */
    const char *words;
};

/* Those that there are, as places (seq) from the youngest on. */
struct setpay_order_places {
    int64_t seqs[SETPAY_ORDER_LIST_MAX];
    size_t count;
    int64_t last_seq; /* what was looked at last: the next page is before it */
    bool more;        /* there is something to be looked at there */
};

/*
 * Inside a read. By status they are found by the one that was told last (order_tell.h), with those
 * of which it is not known or which time alone may have changed: whoever asks for a status
 * completes each, and leaves out what has another. SETPAY_E_INVALID for words that are too long,
 * errors of the database.
 */
enum setpay_error setpay_order_list_find(struct setpay_db *db,
                                         const struct setpay_order_list *wanted,
                                         struct setpay_order_places *places) SETPAY_MUST_CHECK;
/* The order at this place, complete. *view must be empty; clear it in any case. *fits: it has the
 * status that is wanted. */
enum setpay_error setpay_order_list_view(struct setpay_db *db,
                                         const struct setpay_order_list *wanted, int64_t seq,
                                         struct setpay_order_view *view,
                                         bool *fits) SETPAY_MUST_CHECK;

/* A cursor is opaque to those outside. SETPAY_E_INVALID for one that no page gave. */
enum setpay_error setpay_order_cursor_parse(const char *cursor,
                                            int64_t *before_seq) SETPAY_MUST_CHECK;

/* {"orders":[…],"has_more","next_cursor"}, owned. Inside a read. SETPAY_E_NOMEM, errors of the
 * database. */
enum setpay_error setpay_order_list_read(struct setpay_db *db,
                                         const struct setpay_order_list *wanted,
                                         json_t **page) SETPAY_MUST_CHECK;

#endif
