/*
 * What is told of stock (event.h): that the shop has changed it by hand, and that it has become
 * low, has run out, or is enough again.
 *
 * Told is what is there, not what orders have reserved of it: whoever visits the shop can reserve
 * without paying, and let it go again, so reservations are no news; a piece that is paid for is.
 * Whether something is to be told follows from the stock before and after a change, within the
 * operation that makes it; nothing is remembered besides.
 */
#ifndef SETPAY_MERCHANT_STORE_STOCK_LEVEL_H
#define SETPAY_MERCHANT_STORE_STOCK_LEVEL_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"

#include <stdbool.h>
#include <stdint.h>

/* Pieces that are few, where the owner has not said otherwise. */
#define SETPAY_STOCK_LOW_AT 5

/* SQL for a migration of the merchant's database. */
#define SETPAY_STOCK_LEVEL_SCHEMA                                                                  \
    "ALTER TABLE variant ADD COLUMN low_at INTEGER NOT NULL DEFAULT 5 CHECK (low_at >= 0);"

enum setpay_stock_level {
    SETPAY_STOCK_ENOUGH,
    SETPAY_STOCK_LOW, /* some, and no more than low_at */
    SETPAY_STOCK_OUT,
};

struct setpay_stock_count {
    bool tracked; /* otherwise there is always enough */
    int64_t on_hand;
    int64_t low_at; /* 0: it is never low, only out */
};
/* Pure. */
enum setpay_stock_level setpay_stock_level(const struct setpay_stock_count *count);

/* Inside the operation that has just changed a variant from before to after: the event
 * stock.enough, stock.low or stock.out where its level is another one than it was. Errors of
 * setpay_event_add. */
enum setpay_error setpay_stock_tell_level(struct setpay_db *db, int64_t variant_seq,
                                          const struct setpay_stock_count *before,
                                          const struct setpay_stock_count *after,
                                          setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Inside the operation that has just changed it so by hand: the event stock.changed. */
enum setpay_error setpay_stock_tell_change(struct setpay_db *db, int64_t variant_seq,
                                           int64_t change, const char *reason,
                                           setpay_time_ms now_ms) SETPAY_MUST_CHECK;

#endif
