/*
 * What a database engine gives to the store: connections, transactions, statements. Inside
 * common/store only. One table per engine (sqlite.c); everything else here is the same for all.
 *
 * A connection belongs to one thread at a time. Values that a column gives are borrowed until the
 * statement is stepped, reset or finalised.
 */
#ifndef SETPAY_STORE_BACKEND_H
#define SETPAY_STORE_BACKEND_H

#include "common/base/error.h"
#include "common/store/db.h"
#include "common/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setpay_store_backend {
    const char *scheme; /* "sqlite:" */

    /* Makes an empty database where there is none and gives the path of its lock file (heap). */
    enum setpay_error (*create)(const char *place, char **lock_path,
                                struct setpay_problem *problem);
    /* erasable: those of the schema, borrowed until close. */
    enum setpay_error (*open)(const char *place, bool writer, const char *const *erasable,
                              void **connection, struct setpay_problem *problem);
    /* For reading a database that nobody has open, without touching its files or making any.
     * SETPAY_E_NOT_FOUND: there is none; SETPAY_E_CONFLICT: a crash left a log beside it, without
     * which it is not whole. */
    enum setpay_error (*open_still)(const char *place, void **connection,
                                    struct setpay_problem *problem);
    /* abandon: leave the files as they are, for the next open to recover. */
    void (*close)(void *connection, bool abandon);

    enum setpay_error (*begin)(void *connection, bool write);
    enum setpay_error (*commit)(void *connection);
    void (*rollback)(void *connection); /* also when the engine did so by itself */
    enum setpay_error (*savepoint)(void *connection);
    enum setpay_error (*release)(void *connection);
    enum setpay_error (*rollback_to)(void *connection); /* and forgets the savepoint */
    /* False when the engine gave the whole transaction up. */
    bool (*in_transaction)(void *connection);

    enum setpay_error (*script)(void *connection, const char *sql);
    /* parameters: how many placeholders; they must be $1 to $n. erasable: it reads of a table that
     * is. */
    enum setpay_error (*prepare)(void *connection, const char *sql, void **statement,
                                 unsigned *parameters, bool *erasable);
    /* number from 1. Bytes stay the caller's until reset. */
    enum setpay_error (*bind)(void *connection, void *statement, unsigned number,
                              const struct setpay_db_value *value);
    enum setpay_error (*step)(void *connection, void *statement, bool *row);
    enum setpay_error (*column)(void *statement, int column, struct setpay_db_value *value);
    void (*reset)(void *statement); /* and lets go of the bound bytes */
    void (*finalise)(void *statement);
    int64_t (*changes)(void *connection);
    const char *(*message)(void *connection); /* about the last error; names no values */

    /* Moves the log into the database. truncate: and leaves none of it, waiting up to wait_ms for
     * readers; complete says whether that came about. */
    enum setpay_error (*checkpoint)(void *connection, bool truncate, int wait_ms, bool *complete);
    size_t (*log_pages)(const void *connection); /* in the log after the last commit */
    /* From now on a statement ends with SETPAY_E_DRAINING soon after over(arg) says true, which is
     * asked often, on the connection's thread; over NULL: no more. */
    void (*watch)(void *connection, setpay_store_over_fn *over, void *arg);
    /* Lets go of cached pages. */
    void (*forget)(void *connection);

    /* A copy of the whole database into a new file at path, piece by piece: what the connection
     * itself writes between two pieces is in the copy too, so that it is consistent at its end and
     * no snapshot has to be held meanwhile. All on the connection's thread. */
    enum setpay_error (*copy_begin)(void *connection, const char *path, void **copy,
                                    struct setpay_problem *problem);
    enum setpay_error (*copy_step)(void *copy, int pages, bool *complete);
    /* Not durable yet: the caller syncs the file. */
    enum setpay_error (*copy_end)(void *copy);
    /* SETPAY_E_STORE where the database is damaged. Reads all of it. */
    enum setpay_error (*check)(void *connection, struct setpay_problem *problem);
    /* The lock file of a database that may not be there yet (heap). */
    enum setpay_error (*lock_path)(const char *place, char **lock_path,
                                   struct setpay_problem *problem);
};

extern const struct setpay_store_backend setpay_store_sqlite;

#endif
