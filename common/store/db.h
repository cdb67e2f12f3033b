/*
 * SQL inside a transaction. A struct setpay_db is lent to an operation or to a read (store.h) for
 * the length of its call; it begins and ends no transaction itself, and belongs to one thread.
 *
 * Statements are written in the dialect that all databases share, with placeholders $1, $2, … and
 * every value as a parameter, never as text in the SQL. They are prepared once per connection and
 * kept (keyed by their text), so the text should be a string literal.
 *
 *     SETPAY_TRY(setpay_db_run(db, "UPDATE payment SET state = $1, version = version + 1"
 *                                  " WHERE xid = $2 AND version = $3",
 *                              SETPAY_DB_INT(state), SETPAY_DB_ID(&xid), SETPAY_DB_INT(version)));
 *     if (setpay_db_changes(db) != 1)
 *         return SETPAY_E_CONFLICT;
 *
 *     struct setpay_db_rows *rows;
 *     SETPAY_TRY(setpay_db_select(db, &rows, "SELECT xid, state FROM payment WHERE version > $1",
 *                                 SETPAY_DB_INT(3)));
 *     while (setpay_db_next(rows)) {
 *         setpay_db_get_id(rows, 0, &xid);
 *         state = setpay_db_get_int(rows, 1);
 *     }
 *     return setpay_db_end(rows);
 */
#ifndef SETPAY_STORE_DB_H
#define SETPAY_STORE_DB_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setpay_db;
struct setpay_db_rows;

/* ------------------------------------------------------------------ values */

enum setpay_db_type {
    SETPAY_DB_TYPE_END,
    SETPAY_DB_TYPE_NULL,
    SETPAY_DB_TYPE_INT,
    SETPAY_DB_TYPE_TEXT, /* UTF-8 without NUL */
    SETPAY_DB_TYPE_BLOB,
};

/* A parameter or a column's content. Bytes are borrowed: a parameter's for the call. */
struct setpay_db_value {
    enum setpay_db_type type;
    int64_t integer;
    struct setpay_view bytes;
};

struct setpay_db_value setpay_db_value_null(void);
struct setpay_db_value setpay_db_value_int(int64_t value);
struct setpay_db_value setpay_db_value_text(const char *text);         /* NULL pointer: SQL NULL */
struct setpay_db_value setpay_db_value_view(struct setpay_view view);  /* a blob, also when empty */
struct setpay_db_value setpay_db_value_id(const struct setpay_id *id); /* NULL: SQL NULL */
struct setpay_db_value setpay_db_value_digest(const struct setpay_digest *digest); /* NULL too */

#define SETPAY_DB_NULL() setpay_db_value_null()
#define SETPAY_DB_INT(value) setpay_db_value_int(value)
#define SETPAY_DB_BOOL(value) setpay_db_value_int((value) ? 1 : 0)
#define SETPAY_DB_TEXT(text) setpay_db_value_text(text)
#define SETPAY_DB_VIEW(view) setpay_db_value_view(view)
#define SETPAY_DB_ID(id) setpay_db_value_id(id)
#define SETPAY_DB_DIGEST(digest) setpay_db_value_digest(digest)

/* ------------------------------------------------------------------ statements */

/*
 * Runs a statement that gives no rows: setpay_db_run(db, "SQL", values…). Errors:
 * SETPAY_E_DUPLICATE   a primary key or unique index is taken (the statement wrote nothing, the
 *                      operation may go on);
 * SETPAY_E_STORE_FULL, SETPAY_E_IO, SETPAY_E_NOMEM, SETPAY_E_STORE
 *                      the database failed; the operation fails with this error whatever it
 * returns; SETPAY_E_INTERNAL    the SQL is wrong, the number of values is, or a constraint other
 * than uniqueness was broken (our bug; logged).
 */
#define setpay_db_run(db, sql, ...)                                                                \
    setpay_db_run_values((db), (sql),                                                              \
                         (const struct setpay_db_value[]){setpay_db_value_null(),                  \
                                                          ##__VA_ARGS__,                           \
                                                          {.type = SETPAY_DB_TYPE_END}} +          \
                             1)
/* values ends with SETPAY_DB_TYPE_END. */
enum setpay_error setpay_db_run_values(struct setpay_db *db, const char *sql,
                                       const struct setpay_db_value *values) SETPAY_MUST_CHECK;
/* Runs an INSERT that ends with "RETURNING column": *row is the key which the database gave to that
 * one row. Errors of setpay_db_run, after which *row is what it was. */
#define setpay_db_insert(db, row, sql, ...)                                                        \
    setpay_db_insert_values((db), (row), (sql),                                                    \
                            (const struct setpay_db_value[]){setpay_db_value_null(),               \
                                                             ##__VA_ARGS__,                        \
                                                             {.type = SETPAY_DB_TYPE_END}} +       \
                                1)
enum setpay_error setpay_db_insert_values(struct setpay_db *db, int64_t *row, const char *sql,
                                          const struct setpay_db_value *values) SETPAY_MUST_CHECK;
/* The rows that the last setpay_db_run of this db inserted, updated or deleted. */
int64_t setpay_db_changes(const struct setpay_db *db);

/* Starts a query: setpay_db_select(db, &rows, "SQL", values…). After SETPAY_OK rows must be given
 * to setpay_db_end; after an error there is nothing to end. Views among the values must stay until
 * then. */
#define setpay_db_select(db, rows, sql, ...)                                                       \
    setpay_db_select_values((db), (rows), (sql),                                                   \
                            (const struct setpay_db_value[]){setpay_db_value_null(),               \
                                                             ##__VA_ARGS__,                        \
                                                             {.type = SETPAY_DB_TYPE_END}} +       \
                                1)
enum setpay_error setpay_db_select_values(struct setpay_db *db, struct setpay_db_rows **rows,
                                          const char *sql,
                                          const struct setpay_db_value *values) SETPAY_MUST_CHECK;

/* The same for a query by a unique key: its first row is already there (no setpay_db_next), further
 * ones are not looked at. SETPAY_E_NOT_FOUND where there is none; after an error nothing to end. */
#define setpay_db_one(db, rows, sql, ...)                                                          \
    setpay_db_one_values((db), (rows), (sql),                                                      \
                         (const struct setpay_db_value[]){setpay_db_value_null(),                  \
                                                          ##__VA_ARGS__,                           \
                                                          {.type = SETPAY_DB_TYPE_END}} +          \
                             1)
enum setpay_error setpay_db_one_values(struct setpay_db *db, struct setpay_db_rows **rows,
                                       const char *sql,
                                       const struct setpay_db_value *values) SETPAY_MUST_CHECK;

/* The next row: false at the end and after an error (setpay_db_end tells which). */
bool setpay_db_next(struct setpay_db_rows *rows);
/* Ends the query. The first error of stepping or of a column that did not fit, else SETPAY_OK:
 * values read from rows count only when this says SETPAY_OK. */
enum setpay_error setpay_db_end(struct setpay_db_rows *rows) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ columns (from 0)
 * A column of another type, a NULL where none is taken, or a size that does not fit: the output is
 * zero or empty and the query ends with SETPAY_E_STORE. After such an error every further column is
 * zero or empty too. */

bool setpay_db_is_null(struct setpay_db_rows *rows, int column);
int64_t setpay_db_get_int(struct setpay_db_rows *rows, int column);
bool setpay_db_get_bool(struct setpay_db_rows *rows, int column); /* 0 or 1 and nothing else */
/* Copies the text and its NUL; a text of size bytes or more does not fit. NULL gives "". */
void setpay_db_get_text(struct setpay_db_rows *rows, int column, char *out, size_t size);
/* Borrows text or blob until the next row or the end. NULL gives an empty view. */
struct setpay_view setpay_db_get_view(struct setpay_db_rows *rows, int column);
/* Replaces buffer's content with text or blob, up to its max. NULL empties it. */
void setpay_db_get_buffer(struct setpay_db_rows *rows, int column, struct setpay_buffer *buffer);
/* Exactly 16 or 32 bytes. NULL is an error: ask setpay_db_is_null first where it may be. */
void setpay_db_get_id(struct setpay_db_rows *rows, int column, struct setpay_id *id);
void setpay_db_get_digest(struct setpay_db_rows *rows, int column, struct setpay_digest *digest);

/* ------------------------------------------------------------------ notes */

/* Inside an operation: once (and only if) it is committed, every watcher of the store hears that id
 * now has this version (the last that the operation named). SETPAY_E_TOO_BIG above
 * SETPAY_LIMIT_STORE_NOTES notes of one operation. */
enum setpay_error setpay_db_notify(struct setpay_db *db, const struct setpay_id *id,
                                   int64_t version) SETPAY_MUST_CHECK;

#endif
