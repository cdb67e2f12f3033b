/*
 * Batches as the merchant counts them: the steps that the gateway has put into one of that brand
 * and number, and how the closing of each went.
 *
 * setpay_merchant_batch_compare is pure. All functions with a db run inside a store operation or a
 * read.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_BATCH_STORE_H
#define SETPAY_MERCHANT_PAYMENT_BATCH_STORE_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "merchant/store/payment_port.h"

#include <stddef.h>
#include <stdint.h>

/* SQL for the migration that brings batches. */
#define SETPAY_MERCHANT_BATCH_SCHEMA                                                               \
    "CREATE TABLE batch ("                                                                         \
    " id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, brand TEXT NOT NULL,"                     \
    " number INTEGER NOT NULL, state INTEGER NOT NULL, opened_ms INTEGER NOT NULL,"                \
    " closed_ms INTEGER NOT NULL);"                                                                \
    "CREATE UNIQUE INDEX batch_number ON batch (brand, number);"                                   \
    "CREATE INDEX batch_state ON batch (state, id);"                                               \
    "CREATE TABLE batch_difference ("                                                              \
    " batch_id INTEGER NOT NULL, position INTEGER NOT NULL, kind INTEGER NOT NULL,"                \
    " xid BLOB NOT NULL, token BLOB NOT NULL, currency TEXT NOT NULL,"                             \
    " ours_minor INTEGER NOT NULL, theirs_minor INTEGER NOT NULL,"                                 \
    " PRIMARY KEY (batch_id, position));"

/* The step of the merchant's schema that brings evidence of batches: of those that were closed
 * before it there is none. */
#define SETPAY_MERCHANT_BATCH_EVIDENCE_STEP 18

/* How many items of a batch are compared one by one, and how many differences are kept. */
#define SETPAY_MERCHANT_BATCH_ITEMS_MAX 100000
#define SETPAY_MERCHANT_DIFFERENCES_MAX 1000

struct setpay_merchant_batch {
    int64_t id;
    struct setpay_id name; /* of the notes about it */
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    uint32_t number;
    enum setpay_batch_state state;
    setpay_time_ms opened_ms; /* when its first step was heard of */
    setpay_time_ms closed_ms; /* 0: it is not closed */
};

/* Inside the operation that books a step: its batch has a row. */
enum setpay_error setpay_merchant_batch_meet(struct setpay_db *db, const char *brand,
                                             uint32_t number,
                                             setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* The oldest batch of a brand whose closing is under way. SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_merchant_batch_find_closing(struct setpay_db *db, const char *brand,
                                   struct setpay_merchant_batch *batch) SETPAY_MUST_CHECK;
/* What it counts, by currency in the order of the alphabet; room for SETPAY_LIMIT_CURRENCIES.
 * SETPAY_E_TOO_BIG above that. */
enum setpay_error setpay_merchant_batch_totals(struct setpay_db *db,
                                               const struct setpay_merchant_batch *batch,
                                               struct setpay_batch_total *totals,
                                               size_t *count) SETPAY_MUST_CHECK;
/* All that it counts, owned (malloc). SETPAY_E_TOO_BIG above SETPAY_MERCHANT_BATCH_ITEMS_MAX. */
enum setpay_error setpay_merchant_batch_items(struct setpay_db *db,
                                              const struct setpay_merchant_batch *batch,
                                              struct setpay_batch_item **items,
                                              size_t *count) SETPAY_MUST_CHECK;
/* How many steps of the brand are with the gateway, and may come to stand in a batch. */
enum setpay_error setpay_merchant_batch_under_way(struct setpay_db *db, const char *brand,
                                                  int64_t *count) SETPAY_MUST_CHECK;

/* What one side has and the other has not, or not so. */
struct setpay_merchant_difference {
    enum setpay_batch_item_kind kind;
    struct setpay_id xid;
    struct setpay_id token;
    char currency[4];
    int64_t ours_minor;   /* 0: we have it not */
    int64_t theirs_minor; /* 0: the gateway has it not */
};
/* Sorts both lists by token; writes up to max differences. An item of another kind, purchase or
 * currency is two: what they have, and what we have. */
void setpay_merchant_batch_compare(struct setpay_batch_item *ours, size_t our_count,
                                   struct setpay_batch_item *theirs, size_t their_count,
                                   struct setpay_merchant_difference *differences, size_t max,
                                   size_t *count);

/* How the closing went; watchers of its name hear of it. SETPAY_E_CONFLICT where none was under
 * way. */
enum setpay_error setpay_merchant_batch_closed(struct setpay_db *db,
                                               const struct setpay_merchant_batch *batch,
                                               setpay_time_ms closed_ms) SETPAY_MUST_CHECK;
enum setpay_error
setpay_merchant_batch_differs(struct setpay_db *db, const struct setpay_merchant_batch *batch,
                              const struct setpay_merchant_difference *differences,
                              size_t count) SETPAY_MUST_CHECK;

/* For the store (merchant/store/payment_port.h). */
enum setpay_error setpay_merchant_batch_list(struct setpay_db *db, int64_t before, int64_t room,
                                             setpay_batch_visit_fn *visit,
                                             void *visit_arg) SETPAY_MUST_CHECK;
enum setpay_error setpay_merchant_batch_close(struct setpay_db *db, const char *brand,
                                              struct setpay_id *names, size_t room,
                                              size_t *count) SETPAY_MUST_CHECK;

#define SETPAY_MERCHANT_BATCHES_AT_ONCE 64
/* The same of those of all brands that are open since before before_ms; so many at a time. One
 * whose totals were found to differ is left to whoever was told. */
enum setpay_error setpay_merchant_batch_close_before(struct setpay_db *db, setpay_time_ms before_ms,
                                                     size_t *count) SETPAY_MUST_CHECK;

#endif
