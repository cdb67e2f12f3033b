/*
 * A connection as the rest of common/store sees it: the inside of struct setpay_db. Inside
 * common/store only.
 */
#ifndef SETPAY_STORE_CONNECTION_H
#define SETPAY_STORE_CONNECTION_H

#include "common/base/limits.h"
#include "common/store/backend.h"
#include "common/store/store.h"

/* A kept statement, and the rows that it is giving. */
struct setpay_db_rows {
    struct setpay_db *db;
    char *sql;
    uint64_t hash;
    void *statement;
    unsigned parameters;
    bool erasable; /* reads of a table whose rows are to be gone from memory too */
    bool used;     /* between select and end */
    bool on_row;
    enum setpay_error error; /* the first one of this use */
};

struct setpay_db {
    const struct setpay_store_backend *backend;
    void *connection;
    struct setpay_db_rows *statements[SETPAY_LIMIT_STORE_STATEMENTS];
    size_t statement_count;
    size_t evict_next;
    int64_t changes;
    bool has_read_erasable; /* since setpay_db_start */
    /* The first failure of the database itself (full, I/O, memory) since setpay_db_start. */
    enum setpay_error failure;
    /* Notes of the current group; those of the current operation start at operation_notes. */
    struct setpay_store_note *notes;
    size_t note_count;
    size_t note_max;
    size_t operation_notes;
};

/* Takes an open connection. note_max: for a reader 0. */
enum setpay_error setpay_db_new(const struct setpay_store_backend *backend, void *connection,
                                size_t note_max, struct setpay_db **db) SETPAY_MUST_CHECK;
/* Closes the connection too. abandon: see setpay_store_backend.close. */
void setpay_db_free(struct setpay_db *db, bool abandon);

/* Around one operation or read. */
void setpay_db_start(struct setpay_db *db);
/* What came of it, given what its function said: a failure of the database can't be hidden by the
 * function, and rows that it left open are ended and are SETPAY_E_INTERNAL. */
enum setpay_error setpay_db_finish(struct setpay_db *db, enum setpay_error said) SETPAY_MUST_CHECK;

/* Creates or brings up to date; see setpay_store_open for the errors. */
enum setpay_error setpay_store_migrate(struct setpay_db *db,
                                       const struct setpay_store_schema *schema,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Only looks: SETPAY_E_CONFIG where the database is another's, newer, or has a changed step. */
enum setpay_error setpay_store_check_schema(struct setpay_db *db,
                                            const struct setpay_store_schema *schema,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
