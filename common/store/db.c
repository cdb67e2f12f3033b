/*
 * Statements and values: the part of the storage interface that operations and reads see.
 *
 * What always holds: a statement is reset, and has let go of the caller's bytes, when its use ends;
 * a value is read as the type that was asked for or the use ends with an error; and a failure of
 * the database (full, I/O, memory) stays noted until the operation's end, so that an operation
 * which overlooks it can't be committed.
 */
#include "common/store/connection.h"

#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ values */

struct setpay_db_value setpay_db_value_null(void)
{
    return (struct setpay_db_value){.type = SETPAY_DB_TYPE_NULL};
}

struct setpay_db_value setpay_db_value_int(int64_t value)
{
    return (struct setpay_db_value){.type = SETPAY_DB_TYPE_INT, .integer = value};
}

struct setpay_db_value setpay_db_value_text(const char *text)
{
    if (text == NULL)
        return setpay_db_value_null();
    return (struct setpay_db_value){.type = SETPAY_DB_TYPE_TEXT, .bytes = setpay_view_string(text)};
}

struct setpay_db_value setpay_db_value_view(struct setpay_view view)
{
    return (struct setpay_db_value){.type = SETPAY_DB_TYPE_BLOB, .bytes = view};
}

struct setpay_db_value setpay_db_value_id(const struct setpay_id *id)
{
    return id == NULL ? setpay_db_value_null() : setpay_db_value_view(setpay_id_view(id));
}

struct setpay_db_value setpay_db_value_digest(const struct setpay_digest *digest)
{
    return digest == NULL ? setpay_db_value_null()
                          : setpay_db_value_view(setpay_digest_view(digest));
}

/* ------------------------------------------------------------------ connection */

enum setpay_error setpay_db_new(const struct setpay_store_backend *backend, void *connection,
                                size_t note_max, struct setpay_db **out)
{
    struct setpay_db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return SETPAY_E_NOMEM;
    if (note_max > 0) {
        db->notes = calloc(note_max, sizeof *db->notes);
        if (db->notes == NULL) {
            free(db);
            return SETPAY_E_NOMEM;
        }
    }
    db->backend = backend;
    db->connection = connection;
    db->note_max = note_max;
    *out = db;
    return SETPAY_OK;
}

static void free_statement(struct setpay_db_rows *rows)
{
    rows->db->backend->finalise(rows->statement);
    free(rows->sql);
    free(rows);
}

void setpay_db_free(struct setpay_db *db, bool abandon)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < db->statement_count; i++)
        free_statement(db->statements[i]);
    db->backend->close(db->connection, abandon);
    free(db->notes);
    free(db);
}

void setpay_db_start(struct setpay_db *db)
{
    db->failure = SETPAY_OK;
    db->changes = 0;
    db->has_read_erasable = false;
    db->operation_notes = db->note_count;
}

enum setpay_error setpay_db_finish(struct setpay_db *db, enum setpay_error said)
{
    for (size_t i = 0; i < db->statement_count; i++) {
        struct setpay_db_rows *rows = db->statements[i];
        if (!rows->used)
            continue;
        if (said == SETPAY_OK) {
            setpay_log(SETPAY_LOG_ERROR, "store.rows_left", setpay_field_text("sql", rows->sql));
            said = SETPAY_E_INTERNAL;
        }
        enum setpay_error ended = setpay_db_end(rows);
        (void)ended; /* the operation fails anyway */
    }
    return db->failure != SETPAY_OK ? db->failure : said;
}

/* Notes a failure of the database, logs what is our bug, and hands the error on. */
static enum setpay_error failed(struct setpay_db *db, const char *sql, enum setpay_error error)
{
    if (error == SETPAY_OK || error == SETPAY_E_DUPLICATE)
        return error;
    if (error != SETPAY_E_DRAINING) /* that: who reads wanted no more of it */
        setpay_log_error(error, "store.statement", setpay_field_text("sql", sql),
                         setpay_field_text("message", db->backend->message(db->connection)));
    if (error != SETPAY_E_INTERNAL && db->failure == SETPAY_OK)
        db->failure = error;
    return error;
}

/* ------------------------------------------------------------------ statements */

static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
    return hash;
}

/* A place in the table: a new one, or that of a statement that is not in use. */
static struct setpay_db_rows **find_place(struct setpay_db *db)
{
    if (db->statement_count < SETPAY_LIMIT_STORE_STATEMENTS)
        return &db->statements[db->statement_count];
    for (size_t tries = 0; tries < SETPAY_LIMIT_STORE_STATEMENTS; tries++) {
        struct setpay_db_rows **place = &db->statements[db->evict_next];
        db->evict_next = (db->evict_next + 1) % SETPAY_LIMIT_STORE_STATEMENTS;
        if (!(*place)->used)
            return place;
    }
    return NULL;
}

static enum setpay_error prepare(struct setpay_db *db, const char *sql, uint64_t hash,
                                 struct setpay_db_rows **out)
{
    struct setpay_db_rows **place = find_place(db);
    if (place == NULL)
        return SETPAY_E_INTERNAL;
    struct setpay_db_rows *rows = calloc(1, sizeof *rows);
    char *text = strdup(sql);
    enum setpay_error error = rows == NULL || text == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = db->backend->prepare(db->connection, sql, &rows->statement, &rows->parameters,
                                     &rows->erasable);
    if (error != SETPAY_OK) {
        free(text);
        free(rows);
        return error;
    }
    rows->db = db;
    rows->sql = text;
    rows->hash = hash;
    if (db->statement_count < SETPAY_LIMIT_STORE_STATEMENTS)
        db->statement_count++;
    else
        free_statement(*place);
    *place = rows;
    *out = rows;
    return SETPAY_OK;
}

/* The statement of sql, not in use (the same text may be in use by an outer loop). */
static enum setpay_error find_statement(struct setpay_db *db, const char *sql,
                                        struct setpay_db_rows **out)
{
    uint64_t hash = hash_of(sql);
    for (size_t i = 0; i < db->statement_count; i++) {
        struct setpay_db_rows *rows = db->statements[i];
        if (rows->hash == hash && !rows->used && strcmp(rows->sql, sql) == 0) {
            *out = rows;
            return SETPAY_OK;
        }
    }
    return prepare(db, sql, hash, out);
}

static enum setpay_error bind_all(struct setpay_db_rows *rows, const struct setpay_db_value *values)
{
    unsigned count = 0;
    while (count < SETPAY_LIMIT_STORE_PARAMETERS && values[count].type != SETPAY_DB_TYPE_END)
        count++;
    if (count != rows->parameters || values[count].type != SETPAY_DB_TYPE_END)
        return SETPAY_E_INTERNAL;
    for (unsigned i = 0; i < count; i++)
        SETPAY_TRY(
            rows->db->backend->bind(rows->db->connection, rows->statement, i + 1, &values[i]));
    return SETPAY_OK;
}

static void end_use(struct setpay_db_rows *rows)
{
    rows->db->backend->reset(rows->statement);
    rows->used = false;
    rows->on_row = false;
}

/* Finds and binds; on success the statement is in use. */
static enum setpay_error start_use(struct setpay_db *db, const char *sql,
                                   const struct setpay_db_value *values,
                                   struct setpay_db_rows **out)
{
    struct setpay_db_rows *rows = NULL;
    enum setpay_error error = find_statement(db, sql, &rows);
    if (error != SETPAY_OK)
        return failed(db, sql, error);
    error = bind_all(rows, values);
    if (error != SETPAY_OK) {
        end_use(rows);
        return failed(db, sql, error);
    }
    db->has_read_erasable = db->has_read_erasable || rows->erasable;
    rows->used = true;
    rows->on_row = false;
    rows->error = SETPAY_OK;
    *out = rows;
    return SETPAY_OK;
}

enum setpay_error setpay_db_run_values(struct setpay_db *db, const char *sql,
                                       const struct setpay_db_value *values)
{
    struct setpay_db_rows *rows = NULL;
    db->changes = 0;
    SETPAY_TRY(start_use(db, sql, values, &rows));
    bool row = false;
    enum setpay_error error = db->backend->step(db->connection, rows->statement, &row);
    if (error == SETPAY_OK && row)
        error = SETPAY_E_INTERNAL; /* rows that nobody would read */
    error = failed(db, sql, error);
    end_use(rows);
    if (error == SETPAY_OK)
        db->changes = db->backend->changes(db->connection);
    return error;
}

int64_t setpay_db_changes(const struct setpay_db *db)
{
    return db->changes;
}

enum setpay_error setpay_db_select_values(struct setpay_db *db, struct setpay_db_rows **rows,
                                          const char *sql, const struct setpay_db_value *values)
{
    return start_use(db, sql, values, rows);
}

bool setpay_db_next(struct setpay_db_rows *rows)
{
    struct setpay_db *db = rows->db;
    rows->on_row = false;
    if (rows->error != SETPAY_OK)
        return false;
    bool row = false;
    rows->error = failed(db, rows->sql, db->backend->step(db->connection, rows->statement, &row));
    rows->on_row = row && rows->error == SETPAY_OK;
    return rows->on_row;
}

enum setpay_error setpay_db_end(struct setpay_db_rows *rows)
{
    enum setpay_error error = rows->error;
    end_use(rows);
    return error;
}

enum setpay_error setpay_db_one_values(struct setpay_db *db, struct setpay_db_rows **out,
                                       const char *sql, const struct setpay_db_value *values)
{
    struct setpay_db_rows *rows = NULL;
    SETPAY_TRY(start_use(db, sql, values, &rows));
    if (!setpay_db_next(rows)) {
        enum setpay_error error = setpay_db_end(rows);
        return error == SETPAY_OK ? SETPAY_E_NOT_FOUND : error;
    }
    *out = rows;
    return SETPAY_OK;
}

enum setpay_error setpay_db_insert_values(struct setpay_db *db, int64_t *row, const char *sql,
                                          const struct setpay_db_value *values)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = setpay_db_one_values(db, &rows, sql, values);
    if (error == SETPAY_E_NOT_FOUND)
        return failed(db, sql, SETPAY_E_INTERNAL); /* it returns nothing, or inserts none */
    SETPAY_TRY(error);
    int64_t key = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    *row = key;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ columns */

static struct setpay_db_value get(struct setpay_db_rows *rows, int column)
{
    struct setpay_db_value value = setpay_db_value_null();
    if (rows->error != SETPAY_OK)
        return value;
    enum setpay_error error = SETPAY_E_INTERNAL; /* no row to read from */
    if (rows->on_row)
        error = rows->db->backend->column(rows->statement, column, &value);
    rows->error = failed(rows->db, rows->sql, error);
    return error == SETPAY_OK ? value : setpay_db_value_null();
}

static void misfit(struct setpay_db_rows *rows)
{
    if (rows->error == SETPAY_OK)
        rows->error = failed(rows->db, rows->sql, SETPAY_E_STORE);
}

bool setpay_db_is_null(struct setpay_db_rows *rows, int column)
{
    return get(rows, column).type == SETPAY_DB_TYPE_NULL;
}

int64_t setpay_db_get_int(struct setpay_db_rows *rows, int column)
{
    struct setpay_db_value value = get(rows, column);
    if (value.type != SETPAY_DB_TYPE_INT)
        misfit(rows);
    return value.integer;
}

bool setpay_db_get_bool(struct setpay_db_rows *rows, int column)
{
    int64_t value = setpay_db_get_int(rows, column);
    if (value != 0 && value != 1)
        misfit(rows);
    return value == 1;
}

struct setpay_view setpay_db_get_view(struct setpay_db_rows *rows, int column)
{
    struct setpay_db_value value = get(rows, column);
    if (value.type == SETPAY_DB_TYPE_INT)
        misfit(rows);
    return value.type == SETPAY_DB_TYPE_INT ? SETPAY_VIEW_EMPTY : value.bytes;
}

void setpay_db_get_text(struct setpay_db_rows *rows, int column, char *out, size_t size)
{
    struct setpay_db_value value = get(rows, column);
    bool fits = value.bytes.size < size &&
                memchr(value.bytes.size > 0 ? value.bytes.data : (const uint8_t *)"x", 0,
                       value.bytes.size) == NULL;
    out[0] = '\0';
    if (value.type == SETPAY_DB_TYPE_NULL)
        return;
    if (value.type != SETPAY_DB_TYPE_TEXT || !fits) {
        misfit(rows);
        return;
    }
    if (value.bytes.size > 0)
        memcpy(out, value.bytes.data, value.bytes.size);
    out[value.bytes.size] = '\0';
}

void setpay_db_get_buffer(struct setpay_db_rows *rows, int column, struct setpay_buffer *buffer)
{
    setpay_buffer_reset(buffer);
    struct setpay_view view = setpay_db_get_view(rows, column);
    if (rows->error != SETPAY_OK)
        return;
    enum setpay_error error = setpay_buffer_set(buffer, view);
    if (error == SETPAY_E_TOO_BIG)
        misfit(rows);
    else
        rows->error = failed(rows->db, rows->sql, error);
}

void setpay_db_get_id(struct setpay_db_rows *rows, int column, struct setpay_id *id)
{
    struct setpay_db_value value = get(rows, column);
    memset(id, 0, sizeof *id);
    if (value.type != SETPAY_DB_TYPE_BLOB || setpay_id_from_view(value.bytes, id) != SETPAY_OK)
        misfit(rows);
}

void setpay_db_get_digest(struct setpay_db_rows *rows, int column, struct setpay_digest *digest)
{
    struct setpay_db_value value = get(rows, column);
    memset(digest, 0, sizeof *digest);
    if (value.type != SETPAY_DB_TYPE_BLOB ||
        setpay_digest_from_view(value.bytes, digest) != SETPAY_OK)
        misfit(rows);
}

/* ------------------------------------------------------------------ notes */

enum setpay_error setpay_db_notify(struct setpay_db *db, const struct setpay_id *id,
                                   int64_t version)
{
    /* Of several changes of one thing in an operation the last is what there is to hear of. */
    for (size_t i = db->operation_notes; i < db->note_count; i++) {
        if (setpay_id_equal(&db->notes[i].id, id)) {
            db->notes[i].version = version;
            return SETPAY_OK;
        }
    }
    if (db->note_count >= db->note_max ||
        db->note_count - db->operation_notes >= SETPAY_LIMIT_STORE_NOTES)
        return SETPAY_E_TOO_BIG;
    db->notes[db->note_count++] = (struct setpay_store_note){.id = *id, .version = version};
    return SETPAY_OK;
}
