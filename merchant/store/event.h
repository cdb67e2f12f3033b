/*
 * What happened in the shop, for those who have to react: one row for each event, written in the
 * operation that makes it happen, so that there is none without the other. GET /events reads them
 * in that order; webhooks are sent them (webhook/).
 *
 * An event's body is made once and kept as text: everybody gets the same bytes, however often.
 */
#ifndef SETPAY_MERCHANT_STORE_EVENT_H
#define SETPAY_MERCHANT_STORE_EVENT_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/store/db.h"
#include "merchant/store/name.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "evt_…". Random rather than counted: a database that was put back to a backup must not use one
 * again, or receivers would take the second event for a repeat of the first. */
#define SETPAY_EVENT_ID_SIZE SETPAY_NAME_SIZE
#define SETPAY_EVENT_TYPE_SIZE 33
#define SETPAY_EVENT_BODY_MAX (256 * 1024)
/* How long an event can be read, from its making. */
#define SETPAY_EVENT_KEPT_MS (30 * SETPAY_DAY_MS)
#define SETPAY_EVENT_LIST_DEFAULT 20
#define SETPAY_EVENT_LIST_MAX 100

/* SQL for a migration of the merchant's database. order_told: the status that the last event of an
 * order told (-1: it is older than events), and when the next one may be due by time alone. */
#define SETPAY_EVENT_SCHEMA                                                                        \
    "CREATE TABLE event ("                                                                         \
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"                                                      \
    " event_id TEXT NOT NULL UNIQUE,"                                                              \
    " type TEXT NOT NULL,"                                                                         \
    " order_id TEXT,"                                                                              \
    " body TEXT NOT NULL,"                                                                         \
    " created_ms INTEGER NOT NULL);"                                                               \
    "CREATE INDEX event_created ON event (created_ms);"                                            \
    "CREATE TABLE order_told ("                                                                    \
    " order_id TEXT PRIMARY KEY,"                                                                  \
    " status INTEGER NOT NULL,"                                                                    \
    " expires_ms INTEGER NOT NULL);"                                                               \
    "CREATE INDEX order_told_expires ON order_told (expires_ms);"                                  \
    "INSERT INTO order_told SELECT order_id, -1, expires_ms FROM orders;"

/* SQL for a later migration. to_send: pieces of the order that can be sent now; -1: unknown, of an
 * order that is older than this column and has not changed since. */
#define SETPAY_EVENT_TO_SEND_SCHEMA                                                                \
    "ALTER TABLE order_told ADD COLUMN to_send INTEGER NOT NULL DEFAULT -1;"                       \
    "CREATE INDEX order_told_to_send ON order_told (order_id) WHERE to_send <> 0;"

/* SQL for a later migration. seq: the order's place, so that those of one status are found along an
 * index. order_history: when an order had which status, kept as long as the order; of one that is
 * older than this table, what its events still tell. */
#define SETPAY_EVENT_HISTORY_SCHEMA                                                                \
    "ALTER TABLE order_told ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;"                            \
    "UPDATE order_told SET seq = COALESCE((SELECT o.seq FROM orders o"                             \
    " WHERE o.order_id = order_told.order_id), 0);"                                                \
    "CREATE INDEX order_told_status ON order_told (status, seq);"                                  \
    "DROP INDEX order_told_to_send;"                                                               \
    "CREATE INDEX order_told_to_send ON order_told (seq) WHERE to_send <> 0;"                      \
    "CREATE TABLE order_history ("                                                                 \
    " seq INTEGER PRIMARY KEY,"                                                                    \
    " order_id TEXT NOT NULL,"                                                                     \
    " status TEXT NOT NULL," /* "created", or as an order's status is called */                    \
    " at_ms INTEGER NOT NULL);"                                                                    \
    "CREATE INDEX order_history_order ON order_history (order_id, seq);"                           \
    "INSERT INTO order_history (order_id, status, at_ms)"                                          \
    " SELECT order_id, 'created', created_ms FROM orders ORDER BY seq;"                            \
    "INSERT INTO order_history (order_id, status, at_ms)"                                          \
    " SELECT order_id, SUBSTR(type, 7), created_ms FROM event WHERE order_id IS NOT NULL"          \
    " AND type LIKE 'order.%' AND type NOT IN ('order.created', 'order.shipped') ORDER BY seq;"

/* The types that there are, with a sentence each; ends with a NULL name. Who adds a type adds a row
 * (event.c), and openapi.json says it too. */
struct setpay_event_type {
    const char *name; /* "order.authorised" */
    const char *means;
};
extern const struct setpay_event_type setpay_event_types[];
bool setpay_event_type_is_known(const char *type);

/*
 * Inside the operation that makes it happen: an event with this data (borrowed), which goes to
 * every webhook that is enabled and wants the type. order_id: the order that it is about; NULL:
 * none. SETPAY_E_INTERNAL for a type that is not in the table, SETPAY_E_TOO_BIG, SETPAY_E_RANDOM,
 * SETPAY_E_NOMEM.
 */
enum setpay_error setpay_event_add(struct setpay_db *db, const char *type, const char *order_id,
                                   const json_t *data, setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* The same for one webhook alone, whatever it wants. event_id (SETPAY_EVENT_ID_SIZE) may be NULL.
 */
enum setpay_error setpay_event_add_for(struct setpay_db *db, const char *type, int64_t webhook_seq,
                                       const json_t *data, setpay_time_ms now_ms,
                                       char *event_id) SETPAY_MUST_CHECK;

struct setpay_event_list {
    int64_t after_seq; /* 0: from the oldest on */
    size_t limit;      /* 1 to SETPAY_EVENT_LIST_MAX */
    const char *type;  /* NULL: all */
};
/* {"events":[…],"has_more","next_cursor"}, the oldest first, owned. The cursor is never null, so
 * that a reader who has seen all may come back with it. Inside a read. */
enum setpay_error setpay_event_list_read(struct setpay_db *db,
                                         const struct setpay_event_list *wanted,
                                         json_t **page) SETPAY_MUST_CHECK;
/* SETPAY_E_NOT_FOUND. Owned. */
enum setpay_error setpay_event_find(struct setpay_db *db, const char *event_id,
                                    json_t **event) SETPAY_MUST_CHECK;
/* A cursor is opaque to those outside. SETPAY_E_INVALID for one that no page gave. */
enum setpay_error setpay_event_cursor_parse(const char *cursor,
                                            int64_t *after_seq) SETPAY_MUST_CHECK;
#define SETPAY_EVENT_CURSOR_SIZE SETPAY_BASE64URL_SIZE(8)
void setpay_event_cursor_format(int64_t seq, char *out);

/* Deletes up to room events that were made before before_ms, and up to room of their deliveries;
 * *deleted: of both. */
enum setpay_error setpay_event_purge(struct setpay_db *db, setpay_time_ms before_ms, int64_t room,
                                     int64_t *deleted) SETPAY_MUST_CHECK;

#endif
