/*
 * Parts of an order: what of it was shipped, and what was given back of it, by line and piece.
 *
 * What a piece is worth is its price and its share of the tax that was added to its line. Shares
 * are differences of rounded sums, so whatever the parts are, together they are the line's total to
 * the last unit. Shipping, with the tax on it, belongs to the first part that is sent: that is when
 * the carrier is paid, and a shop that gives up the rest has still sent something. Taxes have no
 * pieces of their own: they go with the lines that they are on.
 *
 * A part stands as long as its money does. Whose capture or refund the gateway has refused, or that
 * was undone, counts no longer, and its pieces may be sent, or given back, again.
 *
 * What follows from a part (an event, pieces back in stock) follows when the gateway has answered
 * its steps, in the operation that keeps the last of these answers: the part is settled with it, so
 * that nothing follows twice, and nothing from what was refused.
 */
#ifndef SETPAY_MERCHANT_STORE_PART_H
#define SETPAY_MERCHANT_STORE_PART_H

#include "common/store/db.h"
#include "merchant/store/order.h"
#include "merchant/store/order_request.h"
#include "merchant/store/payment_port.h"

#define SETPAY_PART_TRACKING_BYTES 128
#define SETPAY_PART_CARRIER_BYTES 64
#define SETPAY_PART_URL_BYTES 512
#define SETPAY_PART_SKU_SIZE 65

/* SQL for a migration of the merchant's database. order_line_tax: of the tax that was added to the
 * prices, what is on each line. */
#define SETPAY_PART_SCHEMA                                                                         \
    "CREATE TABLE order_line_tax ("                                                                \
    " order_id TEXT NOT NULL,"                                                                     \
    " position INTEGER NOT NULL,"                                                                  \
    " tax_minor INTEGER NOT NULL,"                                                                 \
    " PRIMARY KEY (order_id, position));"                                                          \
    "CREATE TABLE order_part ("                                                                    \
    " seq INTEGER PRIMARY KEY,"                                                                    \
    " name BLOB NOT NULL UNIQUE,"                                                                  \
    " order_id TEXT NOT NULL,"                                                                     \
    " kind INTEGER NOT NULL,"                                                                      \
    " first_step INTEGER NOT NULL," /* 0: it moves no money */                                     \
    " last_step INTEGER NOT NULL,"                                                                 \
    " tracking TEXT NOT NULL,"                                                                     \
    " restocked INTEGER NOT NULL,"                                                                 \
    " created_ms INTEGER NOT NULL);"                                                               \
    "CREATE INDEX order_part_order ON order_part (order_id, seq);"                                 \
    "CREATE TABLE order_part_line ("                                                               \
    " part_seq INTEGER NOT NULL,"                                                                  \
    " position INTEGER NOT NULL,"                                                                  \
    " quantity INTEGER NOT NULL,"                                                                  \
    " unsent INTEGER NOT NULL," /* of a refund: pieces that had not been sent */                   \
    " PRIMARY KEY (part_seq, position));"

/* SQL for the migration by which parts are settled. Of those that are older all has followed when
 * they were asked for; how many pieces were in stock again was not kept, and is taken for all. */
#define SETPAY_PART_SETTLED_SCHEMA                                                                 \
    "ALTER TABLE order_part ADD COLUMN carrier TEXT NOT NULL DEFAULT '';"                          \
    "ALTER TABLE order_part ADD COLUMN tracking_url TEXT NOT NULL DEFAULT '';"                     \
    "ALTER TABLE order_part ADD COLUMN settled INTEGER NOT NULL DEFAULT 1;"                        \
    "ALTER TABLE order_part ADD COLUMN settled_ms INTEGER NOT NULL DEFAULT 0;"                     \
    "ALTER TABLE order_part_line ADD COLUMN moved INTEGER NOT NULL DEFAULT 0;"                     \
    "UPDATE order_part SET settled_ms = created_ms;"                                               \
    "UPDATE order_part_line SET moved = quantity WHERE part_seq IN"                                \
    " (SELECT seq FROM order_part WHERE restocked = 1);"

/* Stored. */
enum setpay_part_kind {
    SETPAY_PART_SHIPMENT = 1,
    SETPAY_PART_REFUND = 2,
    SETPAY_PART_GIVEN_UP = 3, /* pieces never sent: the rest was voided, or its hold ended */
};

/* Stored. */
enum setpay_part_settled {
    SETPAY_PART_OPEN = 0,    /* the gateway is being asked */
    SETPAY_PART_DONE = 1,    /* what follows from it has followed */
    SETPAY_PART_REFUSED = 2, /* nothing follows from it */
    SETPAY_PART_UNDONE = 3,  /* it was done, and is no more: its pieces are out of stock again */
};

/* Which pieces are given back. */
enum setpay_part_of {
    SETPAY_PART_OF_ANY, /* those that were not sent first */
    SETPAY_PART_OF_UNSENT,
    SETPAY_PART_OF_SENT,
};

enum setpay_line_kind { SETPAY_LINE_GOODS, SETPAY_LINE_SHIPPING, SETPAY_LINE_TAX };

/* One of the order's items, in their order, with what has become of it. */
struct setpay_part_line {
    enum setpay_line_kind kind;
    int64_t quantity;
    int64_t unit_minor;
    int64_t tax_minor; /* added to all of it */
    int64_t shipped;   /* pieces, of parts that stand */
    int64_t refunded;
    int64_t unsent; /* of those, pieces that will never be sent */
};

struct setpay_part_count {
    size_t position; /* among the order's items, from 0 */
    int64_t quantity;
    int64_t unsent;
    int64_t moved; /* of them are in stock again by this part */
};

struct setpay_part {
    int64_t seq;
    struct setpay_id name;
    enum setpay_part_kind kind;
    int64_t first_step, last_step;
    char carrier[SETPAY_PART_CARRIER_BYTES + 1]; /* "": none; so the others */
    char tracking[SETPAY_PART_TRACKING_BYTES + 1];
    char tracking_url[SETPAY_PART_URL_BYTES + 1]; /* http or https */
    bool restock;                                 /* as soon as it is settled */
    enum setpay_part_settled settled;
    setpay_time_ms settled_ms; /* 0 before it */
    setpay_time_ms created_ms;
    struct setpay_part_count *counts; /* owned */
    size_t count;
};

/* Zeroed memory is an empty one. */
struct setpay_parts {
    struct setpay_part_line lines[SETPAY_LIMIT_OFFER_ITEMS]; /* as many as the order has items */
    size_t line_count;
    struct setpay_part *list; /* owned; the oldest first */
    size_t count;
};

/* What a client wishes. */
struct setpay_part_request {
    struct {
        size_t position; /* where sku is "" */
        char sku[SETPAY_PART_SKU_SIZE];
        int64_t quantity;
    } wants[SETPAY_LIMIT_OFFER_ITEMS];
    size_t count; /* 0: all that is left */
    char carrier[SETPAY_PART_CARRIER_BYTES + 1];
    char tracking[SETPAY_PART_TRACKING_BYTES + 1];
    char tracking_url[SETPAY_PART_URL_BYTES + 1];
    enum setpay_part_of of; /* of a refund */
    bool restock;
};

/* ------------------------------------------------------------------ pure */

/* Reads {"lines"?: [{"line"|"sku","quantity"}],"carrier"?,"tracking"?,"tracking_url"?} of a
 * shipment, or {"lines","of"?,"restock"?} of a refund; line counts from 1. SETPAY_E_INVALID with
 * the fault. */
enum setpay_error setpay_part_request_parse(const json_t *body, enum setpay_part_kind kind,
                                            struct setpay_part_request *request,
                                            struct setpay_json_fault *fault) SETPAY_MUST_CHECK;

/* Whether a browser may be sent there: an absolute address of http or https with a host, without a
 * user's name, of printable ASCII alone. */
bool setpay_part_url_is(const char *url);
/* Whether the body of a refund speaks of lines, and not of an amount. */
bool setpay_part_is_meant(const json_t *body);
/* What the pieces from one to another (counted from 0, the second not among them) are worth. */
int64_t setpay_part_share(const struct setpay_part_line *line, int64_t from, int64_t to);
/* Of what was shipped, with shipping where anything was. */
int64_t setpay_parts_shipped_minor(const struct setpay_parts *parts);
/* Pieces that can still be sent, or given back. paid_as_sent: only what was sent is paid. */
int64_t setpay_part_sendable(const struct setpay_part_line *line);
int64_t setpay_part_refundable(const struct setpay_parts *parts, size_t position, bool paid_as_sent,
                               enum setpay_part_of of);
/* Whether everything was shipped that will be. */
bool setpay_parts_are_sent(const struct setpay_parts *parts);

struct setpay_order_view;

/*
 * Which pieces of the view's order a request means, into counts (as many as there are lines),
 * checked against what is left; lines is then as it will be, *minor what a refund gives back.
 * Nothing changes otherwise: SETPAY_E_INVALID (no such line), SETPAY_E_AMOUNT_LIMIT (more than is
 * left), each with the fault; SETPAY_E_STATE: nothing is left at all.
 */
enum setpay_error setpay_parts_take(const struct setpay_order_view *view,
                                    enum setpay_part_kind kind,
                                    const struct setpay_part_request *request,
                                    struct setpay_part_count *counts, size_t *count, int64_t *minor,
                                    struct setpay_json_fault *fault) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ kept */

/* What is kept of the view's order, with its quote and steps, which the caller has found. Owned. */
enum setpay_error setpay_parts_find(struct setpay_db *db, const struct setpay_order_view *view,
                                    struct setpay_parts **parts) SETPAY_MUST_CHECK;
void setpay_parts_free(struct setpay_parts *parts);
/* Its name is made. */
enum setpay_error setpay_part_insert(struct setpay_db *db, const char *order_id,
                                     struct setpay_part *part) SETPAY_MUST_CHECK;
/* Of the pieces of that SKU, those that are not the order's to put back any more: they were sent,
 * or have been given up or paid back unsent before. */
enum setpay_error setpay_parts_count_gone(struct setpay_db *db, const char *order_id,
                                          const char *sku, int64_t *pieces) SETPAY_MUST_CHECK;
/* Pieces of a line that can still be sent: where nothing follows what was captured, so many as that
 * pays for, were they the next; all others are given up. */
int64_t setpay_order_sendable(const struct setpay_order_view *view, size_t position);
/* The pieces of each line that can be sent together, into as many as there are lines: where what
 * was captured pays for either of two lines but not for both, the one that stands first has it.
 * Their sum. */
int64_t setpay_order_sendable_together(const struct setpay_order_view *view, int64_t *pieces);
/* What pieces of the lines cost together beyond what was captured, where nothing follows that; else
 * 0. In minor units. */
int64_t setpay_order_unpaid_minor(const struct setpay_order_view *view, const int64_t *pieces);
/* Pieces of it that can be sent together now. */
int64_t setpay_order_to_send(const struct setpay_order_view *view);
/* Inside an operation that may have brought answers: what follows from the parts of the view that
 * are answered now follows, once; and where the rest is over, what was not sent is given up. Errors
 * of the stock and of events. */
enum setpay_error setpay_parts_settle(struct setpay_db *db, struct setpay_order_view *view,
                                      setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Whether its money does: nothing refused or undone, or not all of it. */
bool setpay_part_stands(const struct setpay_order_view *view, const struct setpay_part *part);
/* "asking", "done", "refused" or "undone", by its steps. */
const char *setpay_part_status_name(const struct setpay_order_view *view,
                                    const struct setpay_part *part);
/* Adds shipments and returns to the order's JSON, and to its items what has become of them. */
void setpay_parts_json(const struct setpay_order_view *view, json_t *order, bool *whole);
/* One part; NULL where memory is out. */
json_t *setpay_part_json(const struct setpay_order_view *view, const struct setpay_part *part,
                         bool *whole);

#endif
