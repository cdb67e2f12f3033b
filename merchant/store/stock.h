/*
 * Stock: how much of each variant is there, and how much of that is reserved by orders.
 *
 * An order reserves what it is for in the operation that makes it, or it is not made. What it has
 * reserved stays so for as long as the order can be paid or is being paid: until it is cancelled,
 * or has expired without a purchase under way. It is sold in the operation that books the purchase
 * as authorised, before the shopper is told; and goes back on the shelf in the operation that
 * releases an order whose hold the store has given back. Since each of these is a part of the
 * operation that changes the order, no crash comes between the two.
 *
 * Of a variant whose stock is not tracked there is always enough.
 */
#ifndef SETPAY_MERCHANT_STORE_STOCK_H
#define SETPAY_MERCHANT_STORE_STOCK_H

#include "merchant/store/order.h"
#include "merchant/store/shop.h"

#define SETPAY_STOCK_MAX INT64_C(1000000000) /* pieces of one variant */
#define SETPAY_STOCK_REASON_BYTES 128

/* SQL for a migration of the merchant's database behind the catalogue's: a reservation says when
 * its order's time is over, so that those of one variant are found without a look at all others'.
 * state 1: held. */
#define SETPAY_RESERVATION_UNTIL_SCHEMA                                                            \
    "ALTER TABLE reservation ADD COLUMN until_ms INTEGER NOT NULL DEFAULT 0;"                      \
    "UPDATE reservation SET until_ms = COALESCE((SELECT o.expires_ms FROM orders o"                \
    " WHERE o.order_id = reservation.order_id), 0) WHERE state = 1;"                               \
    "DROP INDEX reservation_state;"                                                                \
    "CREATE INDEX reservation_of ON reservation (variant_seq, until_ms) WHERE state = 1;"          \
    "CREATE INDEX reservation_until ON reservation (until_ms) WHERE state = 1;"

/* Stored. */
enum setpay_reservation_state {
    SETPAY_RESERVATION_HELD = 1,
    SETPAY_RESERVATION_SOLD = 2,
    SETPAY_RESERVATION_RELEASED = 3,
};

/* What an order wants of one variant. */
struct setpay_stock_want {
    int64_t variant_seq;
    char sku[SETPAY_SHOP_ID_SIZE];
    int64_t quantity;
    int64_t left; /* SETPAY_E_STATE: how much there is to be had */
};

/* Inside the operation that makes the order: all of it or nothing. until_ms: when the order
 * expires. SETPAY_E_STATE: *short_index is the first of which there is not enough, with left; the
 * operation is to be given up. As many reservations of what is wanted as it needs, of orders that
 * have expired by now_ms, are released before. */
enum setpay_error setpay_stock_reserve(struct setpay_db *db, const char *order_id,
                                       setpay_time_ms until_ms, struct setpay_stock_want *wants,
                                       size_t count, setpay_time_ms now_ms,
                                       size_t *short_index) SETPAY_MUST_CHECK;
/* Inside the operation that books a purchase of the order as authorised: what it holds is sold.
 * Once more changes nothing; an order that has reserved nothing is none of its business. */
enum setpay_error setpay_stock_sell(struct setpay_db *db, const char *order_id,
                                    setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Inside the operation that ends the order: what it holds is free, what was sold and not sent is
 * back, but for pieces that came back before. */
enum setpay_error setpay_stock_release(struct setpay_db *db, const char *order_id,
                                       setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Pieces of a SKU that the order has bought stand on the shelf again: as many as were taken for it,
 * and not more than these; so many are added to *moved. reason: of the log. */
enum setpay_error setpay_stock_return(struct setpay_db *db, const char *order_id, const char *sku,
                                      int64_t quantity, const char *reason, setpay_time_ms now_ms,
                                      int64_t *moved) SETPAY_MUST_CHECK;
/* The opposite: pieces that were returned are the order's again, as many as are there and reserved
 * by nobody. */
enum setpay_error setpay_stock_take_back(struct setpay_db *db, const char *order_id,
                                         const char *sku, int64_t quantity, const char *reason,
                                         setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/*
 * Releases what up to room orders hold that have expired, and that no purchase has taken. Whoever
 * could still pay such an order would then get what somebody else has bought: they have expired by
 * a second clock, too (setpay_clock_agreed_ms), here and below.
 */
enum setpay_error setpay_stock_expire(struct setpay_db *db, setpay_time_ms now_ms, int64_t room,
                                      int64_t *released) SETPAY_MUST_CHECK;
/* The same of what holds a variant, until so many pieces are free or none has expired. */
enum setpay_error setpay_stock_make_room(struct setpay_db *db, int64_t variant_seq, int64_t wanted,
                                         setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* With setpay_order_expire_all: what is held is so no longer than that. */
enum setpay_error setpay_stock_expire_all(struct setpay_db *db,
                                          setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* {"tracked","on_hand","reserved","available","low_at"} of a variant; available is null where it is
 * not tracked. NULL where memory is out. */
json_t *setpay_stock_json(bool tracked, int64_t on_hand, int64_t reserved, int64_t low_at);
/* Remembers a change of what is there. */
enum setpay_error setpay_stock_log(struct setpay_db *db, const char *sku, int64_t change,
                                   int64_t on_hand, const char *reason, const char *order_id,
                                   setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* Acts; id: the SKU. */
setpay_shop_fn setpay_stock_list;
setpay_shop_fn setpay_stock_show; /* with the newest entries of its log */
/* {"change"} or {"on_hand"}, "tracked", "reason"; "low_at", which needs no reason */
setpay_shop_fn setpay_stock_adjust;

#endif
