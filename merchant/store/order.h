/*
 * An order of the store: what is sold, for how much, until when, and which purchase it is taken by.
 *
 * The payment side reads orders (find_by_token for PInit, find for PReq), takes one in the
 * operation that stores PReq, and releases it in the operation that finally refuses the purchase
 * (rule M4). It never changes anything else. An order's status is not stored: order_status.h tells
 * it.
 */
#ifndef SETPAY_MERCHANT_STORE_ORDER_H
#define SETPAY_MERCHANT_STORE_ORDER_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/base/money.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "merchant/store/name.h"
#include "merchant/store/payment_port.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "ord_…". Fits lid_m. */
#define SETPAY_ORDER_ID_SIZE SETPAY_NAME_SIZE
/* 16 random bytes, base64url. Fits an order token of the wire. */
#define SETPAY_ORDER_TOKEN_SIZE SETPAY_BASE64URL_SIZE(16)

#define SETPAY_ORDER_QUANTITY_MAX 1000000
#define SETPAY_ORDER_METADATA_MAX 32 /* entries */
#define SETPAY_ORDER_METADATA_KEY_BYTES 64
#define SETPAY_ORDER_METADATA_VALUE_BYTES 512
#define SETPAY_ORDER_METADATA_BYTES 8192 /* the whole object as JSON */
/* How long an order may be paid, from its making; one that holds stock by default shorter. */
#define SETPAY_ORDER_LIFE_MIN_MS SETPAY_MINUTE_MS
#define SETPAY_ORDER_LIFE_MAX_MS (30 * SETPAY_DAY_MS)
#define SETPAY_ORDER_LIFE_DEFAULT_MS SETPAY_DAY_MS
#define SETPAY_ORDER_LIFE_RESERVED_MS SETPAY_HOUR_MS

/* When the money is captured. Stored. */
enum setpay_order_capture {
    SETPAY_CAPTURE_ON_SHIPMENT = 1,
    SETPAY_CAPTURE_IMMEDIATE = 2,
    SETPAY_CAPTURE_MANUAL = 3,
};

/* Whether the store has ended the order: a wish, which becomes the status once no purchase stands
 * against it. An ended order takes no further purchase. Stored. */
enum setpay_order_end {
    SETPAY_ORDER_GOES_ON = 0,
    SETPAY_ORDER_CANCELLED = 1,
    SETPAY_ORDER_VOIDED = 2,
    SETPAY_ORDER_HOLD_OVER = 3, /* paid, and the hold has ended before anything was captured */
};

/* How often the shopper is charged for it: once, or as terms say that they agree to. */
struct setpay_order_terms {
    struct setpay_terms terms;
    int64_t first_minor; /* of the first payment */
    enum setpay_agreement_schedule schedule;
};

struct setpay_quote;

/* Zeroed memory is an empty one. */
struct setpay_order {
    int64_t seq;                         /* ascends with the making; given by the insert */
    char order_id[SETPAY_ORDER_ID_SIZE]; /* lid_m of its offers */
    char token[SETPAY_ORDER_TOKEN_SIZE]; /* of its pay link */
    char description[SETPAY_LIMIT_NAME_BYTES + 1]; /* "" where items were given */
    struct setpay_money amount;                    /* above 0: the items' totals */
    struct setpay_item *items; /* owned; 1 to SETPAY_LIMIT_OFFER_ITEMS, ready for an offer */
    size_t item_count;
    enum setpay_order_capture capture;
    struct setpay_order_terms agreed;
    char *metadata; /* owned; a JSON object of texts */
    /* owned; quote.h: prices, taxes and shipping of the catalogue, NULL for an order without. Not
     * found with the order: setpay_quote_find. */
    struct setpay_quote *quote;
    enum setpay_order_end end;
    bool taken;           /* by the purchase xid, which is not finally refused */
    struct setpay_id xid; /* zero unless taken */
    setpay_time_ms created_ms;
    setpay_time_ms expires_ms; /* may be paid before this */
    int64_t version;           /* 1, 2, … */
};

/* SQL for the first migration of the merchant's database. */
#define SETPAY_ORDER_SCHEMA                                                                        \
    "CREATE TABLE orders ("                                                                        \
    " seq INTEGER PRIMARY KEY,"                                                                    \
    " order_id TEXT NOT NULL UNIQUE,"                                                              \
    " token TEXT NOT NULL UNIQUE,"                                                                 \
    " description TEXT NOT NULL,"                                                                  \
    " amount_minor INTEGER NOT NULL,"                                                              \
    " currency TEXT NOT NULL,"                                                                     \
    " capture INTEGER NOT NULL,"                                                                   \
    " metadata TEXT NOT NULL,"                                                                     \
    " ended INTEGER NOT NULL,"                                                                     \
    " xid BLOB,"                                                                                   \
    " created_ms INTEGER NOT NULL,"                                                                \
    " expires_ms INTEGER NOT NULL,"                                                                \
    " version INTEGER NOT NULL);"                                                                  \
    "CREATE TABLE order_item ("                                                                    \
    " order_id TEXT NOT NULL,"                                                                     \
    " position INTEGER NOT NULL,"                                                                  \
    " name TEXT NOT NULL,"                                                                         \
    " quantity INTEGER NOT NULL,"                                                                  \
    " unit_minor INTEGER NOT NULL,"                                                                \
    " total_minor INTEGER NOT NULL,"                                                               \
    " sku TEXT NOT NULL,"                                                                          \
    " PRIMARY KEY (order_id, position));"

/* SQL for the migration that brings agreements. */
#define SETPAY_ORDER_TERMS_SCHEMA                                                                  \
    "ALTER TABLE orders ADD COLUMN terms_kind INTEGER NOT NULL DEFAULT 1;"                         \
    "ALTER TABLE orders ADD COLUMN terms_count INTEGER NOT NULL DEFAULT 0;"                        \
    "ALTER TABLE orders ADD COLUMN terms_interval_days INTEGER NOT NULL DEFAULT 0;"                \
    "ALTER TABLE orders ADD COLUMN terms_each_minor INTEGER NOT NULL DEFAULT 0;"                   \
    "ALTER TABLE orders ADD COLUMN terms_end_ms INTEGER NOT NULL DEFAULT 0;"                       \
    "ALTER TABLE orders ADD COLUMN first_minor INTEGER NOT NULL DEFAULT 0;"                        \
    "ALTER TABLE orders ADD COLUMN schedule INTEGER NOT NULL DEFAULT 1;"                           \
    "UPDATE orders SET first_minor = amount_minor;"

/* Fresh order_id and token. SETPAY_E_RANDOM. */
enum setpay_error setpay_order_name(struct setpay_order *order) SETPAY_MUST_CHECK;
void setpay_order_clear(struct setpay_order *order);

/* Stores a new order that has its name, amount, items, capture, metadata and times.
 * SETPAY_E_INVALID where its items do not add up to its amount or a limit of this page does not
 * hold (callers have checked: our bug, and nothing is stored). */
enum setpay_error setpay_order_insert(struct setpay_db *db,
                                      const struct setpay_order *order) SETPAY_MUST_CHECK;
/* *order must be empty; clear it after SETPAY_OK. SETPAY_E_NOT_FOUND, SETPAY_E_NOMEM. */
enum setpay_error setpay_order_find(struct setpay_db *db, const char *order_id,
                                    struct setpay_order *order) SETPAY_MUST_CHECK;
enum setpay_error setpay_order_find_by_token(struct setpay_db *db, const char *token,
                                             struct setpay_order *order) SETPAY_MUST_CHECK;
/* The youngest order with seq below before_seq (INT64_MAX: the youngest of all). */
enum setpay_error setpay_order_find_before(struct setpay_db *db, int64_t before_seq,
                                           struct setpay_order *order) SETPAY_MUST_CHECK;

/* What was agreed to. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_order_find_terms(struct setpay_db *db, const char *order_id,
                                          struct setpay_order_terms *agreed) SETPAY_MUST_CHECK;

/* Pure: whether an offer may be made, or a PReq stored, at this time. SETPAY_E_ORDER_TAKEN (rule
 * M4), SETPAY_E_ORDER_ENDED (likewise), SETPAY_E_EXPIRED. */
enum setpay_error setpay_order_check_payable(const struct setpay_order *order,
                                             setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* Inside the operation that stores PReq: the order is now taken by xid. The errors of
 * setpay_order_check_payable, checked here in the same transaction (rule M4), also for the xid that
 * has it; SETPAY_E_NOT_FOUND. Nothing is then written. */
enum setpay_error setpay_order_take(struct setpay_db *db, const char *order_id,
                                    const struct setpay_id *xid,
                                    setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Inside the operation that finally refuses the purchase (declined, voided, reversed): the order is
 * free again. SETPAY_E_NOT_FOUND where it is not taken by this xid. */
enum setpay_error setpay_order_release(struct setpay_db *db, const char *order_id,
                                       const struct setpay_id *xid) SETPAY_MUST_CHECK;
/* The store's wish. SETPAY_E_STATE where another one was made before; the same one again is
 * SETPAY_OK. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_order_end(struct setpay_db *db, const char *order_id,
                                   enum setpay_order_end end) SETPAY_MUST_CHECK;

/* Rule M10: what could be paid until later expires now. */
enum setpay_error setpay_order_expire_all(struct setpay_db *db,
                                          setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* "on_shipment", "immediate", "manual"; NULL for a number that is none. */
const char *setpay_order_capture_name(enum setpay_order_capture capture);
/* SETPAY_E_INVALID for another word. */
enum setpay_error setpay_order_capture_parse(const char *name,
                                             enum setpay_order_capture *capture) SETPAY_MUST_CHECK;

/* What may be shown to a shopper in one line: well-formed UTF-8, no control character, nothing that
 * turns the direction of writing around. */
bool setpay_order_text_is_plain(struct setpay_view text);

#endif
