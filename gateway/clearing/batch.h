/*
 * A batch: what a merchant (brand, merchant id) captured and credited until it was closed, or until
 * there were so many steps in it that closing it would keep payments waiting: then the next one
 * begins, and the merchant closes both. Steps go into the last one; its number is one above that of
 * the one before.
 *
 * All functions with a db run inside a store operation or a read.
 */
#ifndef SETPAY_GATEWAY_CLEARING_BATCH_H
#define SETPAY_GATEWAY_CLEARING_BATCH_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"
#include "common/wire/messages.h"

#include <stdbool.h>
#include <stdint.h>

#define SETPAY_BATCH_SCHEMA                                                                        \
    "CREATE TABLE batch ("                                                                         \
    " id INTEGER PRIMARY KEY, brand TEXT NOT NULL, merchant_id TEXT NOT NULL,"                     \
    " number INTEGER NOT NULL, open INTEGER NOT NULL, opened_ms INTEGER NOT NULL,"                 \
    " closed_ms INTEGER NOT NULL);"                                                                \
    "CREATE UNIQUE INDEX batch_number ON batch (brand, merchant_id, number);"                      \
    "CREATE TABLE presentment ("                                                                   \
    " id INTEGER PRIMARY KEY, step_id INTEGER NOT NULL UNIQUE, batch_id INTEGER NOT NULL,"         \
    " acknowledged INTEGER NOT NULL,"                                                              \
    " response_code TEXT NOT NULL, sent_count INTEGER NOT NULL, created_ms INTEGER NOT NULL,"      \
    " acknowledged_ms INTEGER NOT NULL);"                                                          \
    "CREATE INDEX presentment_open ON presentment (acknowledged, id);"
/* SQL for the migration behind SETPAY_BATCH_EVIDENCE_SCHEMA: by_merchant says that its merchant's
 * own request has closed it, which must be kept. Of what was closed before nobody knows. */
#define SETPAY_BATCH_BY_MERCHANT_SCHEMA                                                            \
    "ALTER TABLE batch ADD COLUMN by_merchant INTEGER NOT NULL DEFAULT 0;"

/* Of a later step of the gateway's schema. settled: it is closed, and none of its items is left to
 * settle; so what was settled in the course of years is not looked at again. step_count: of one
 * that is open, how many steps have gone into it. */
#define SETPAY_BATCH_SETTLED_SCHEMA                                                                \
    "ALTER TABLE batch ADD COLUMN step_count INTEGER NOT NULL DEFAULT 0;"                          \
    "UPDATE batch SET step_count = (SELECT COUNT(*) FROM step WHERE step.batch_id = batch.id)"     \
    " WHERE open = 1;"                                                                             \
    "ALTER TABLE batch ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;"                             \
    "UPDATE batch SET settled = 1 WHERE open = 0 AND NOT EXISTS (SELECT 1 FROM presentment"        \
    " WHERE presentment.batch_id = batch.id AND presentment.settlement_id = 0);"                   \
    "CREATE INDEX batch_unsettled ON batch (brand, merchant_id) WHERE settled = 0;"

struct setpay_batch {
    int64_t id; /* 0: not stored yet */
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    uint32_t number; /* from 1 */
    bool open;
    setpay_time_ms opened_ms;
    setpay_time_ms closed_ms; /* 0: open */
    int64_t step_count;       /* while it is open */
};

/* The batch into which a step goes now: the last one, where it is open and has room; else the next,
 * which is not stored yet. */
enum setpay_error setpay_batch_find_open(struct setpay_db *db, const char *brand,
                                         const char *merchant_id, setpay_time_ms now_ms,
                                         struct setpay_batch *batch) SETPAY_MUST_CHECK;
/* Inside an operation: batch is what setpay_batch_find_open gave, and so many steps go into it,
 * which may be a few more than there is room for. Stores it where it is new; its id is known then.
 * SETPAY_E_CONFLICT where it was closed, or another took its number, in between. */
enum setpay_error setpay_batch_use(struct setpay_db *db, struct setpay_batch *batch,
                                   size_t steps) SETPAY_MUST_CHECK;

/* By its number. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_batch_find(struct setpay_db *db, const char *brand,
                                    const char *merchant_id, uint32_t number,
                                    struct setpay_batch *batch) SETPAY_MUST_CHECK;
/* What stands in it and is not undone, by currency in the order of the alphabet; totals has room
 * for SETPAY_LIMIT_CURRENCIES. SETPAY_E_TOO_BIG above that. */
enum setpay_error setpay_batch_totals(struct setpay_db *db, int64_t batch_id,
                                      struct setpay_batch_total *totals,
                                      size_t *count) SETPAY_MUST_CHECK;
/* The items behind the step after (NULL: from the first), in the order of their making; items has
 * room for SETPAY_LIMIT_BATCH_ITEMS. SETPAY_E_NOT_FOUND where after is no step of the batch. */
enum setpay_error setpay_batch_items(struct setpay_db *db, int64_t batch_id,
                                     const struct setpay_id *after, struct setpay_batch_item *items,
                                     size_t *count, bool *more) SETPAY_MUST_CHECK;
/* Pure: whether both sides count the same; both by currency in the order of the alphabet. */
bool setpay_batch_agrees(const struct setpay_batch_total *a, size_t a_count,
                         const struct setpay_batch_total *b, size_t b_count);
/* Inside an operation: nothing goes into it any more, and each item that is not undone has a
 * presentment to its issuer, once; but of what a sale captured, which was presented with it, one
 * that is answered. by_merchant: its request is kept in the same operation; else an operator does
 * it in its place. SETPAY_E_CONFLICT where it is not open. */
enum setpay_error setpay_batch_close(struct setpay_db *db, const struct setpay_batch *batch,
                                     bool by_merchant, setpay_time_ms now_ms) SETPAY_MUST_CHECK;

#endif
