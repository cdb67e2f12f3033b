/*
 * Numbered schema steps.
 *
 * What always holds: a step is applied once, whole or not at all, together with the row of
 * schema_version that names it and holds the hash of its text. So a database tells whose it is, how
 * new it is, and whether a step was changed after it was applied; in each of these cases a program
 * that doesn't fit it is kept out before it writes anything.
 */
#include "common/store/connection.h"

#include "common/base/clock.h"
#include "common/base/log.h"

#include <openssl/evp.h>
#include <string.h>

#define NAME_SIZE 64

static enum setpay_error hash_step(const char *sql, struct setpay_digest *digest)
{
    unsigned size = 0;
    if (EVP_Digest(sql, strlen(sql), digest->bytes, &size, EVP_sha256(), NULL) != 1)
        return SETPAY_E_CRYPTO;
    return SETPAY_OK;
}

/* Compares one row of the database with the program; number is known to be the next in order. */
static enum setpay_error check_step(const struct setpay_store_schema *schema, int64_t number,
                                    const char *name, const struct setpay_digest *digest,
                                    unsigned known, struct setpay_problem *problem)
{
    if (strcmp(name, schema->name) != 0)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "the database belongs to \"%s\", not to \"%s\"", name,
                                  schema->name);
    if (number > (int64_t)known)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "the database is newer (schema step %lld) than this program "
                                  "(%u): use the newer program",
                                  (long long)number, known);
    struct setpay_digest expected;
    SETPAY_TRY(hash_step(schema->steps[number - 1].sql, &expected));
    if (!setpay_digest_equal(&expected, digest))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "schema step %lld of the database is not the one of this program",
                                  (long long)number);
    return SETPAY_OK;
}

/* Reads what was applied; *applied is the number of the last step. */
static enum setpay_error read_applied(struct setpay_db *db,
                                      const struct setpay_store_schema *schema, unsigned known,
                                      unsigned *applied, struct setpay_problem *problem)
{
    struct setpay_db_rows *rows = NULL;
    enum setpay_error error = SETPAY_OK;
    *applied = 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT number, schema, hash FROM schema_version ORDER BY number"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        char name[NAME_SIZE];
        struct setpay_digest digest;
        int64_t number = setpay_db_get_int(rows, 0);
        setpay_db_get_text(rows, 1, name, sizeof name);
        setpay_db_get_digest(rows, 2, &digest);
        if (number != (int64_t)*applied + 1)
            error = setpay_problem_set(problem, SETPAY_E_CONFIG,
                                       "schema step %u is missing from the database", *applied + 1);
        else
            error = check_step(schema, number, name, &digest, known, problem);
        (*applied)++;
    }
    enum setpay_error ended = setpay_db_end(rows);
    return ended != SETPAY_OK ? ended : error;
}

static enum setpay_error record_step(struct setpay_db *db, const struct setpay_store_schema *schema,
                                     const struct setpay_store_migration *step)
{
    struct setpay_digest digest;
    SETPAY_TRY(hash_step(step->sql, &digest));
    return setpay_db_run(db,
                         "INSERT INTO schema_version (number, schema, hash, applied_ms)"
                         " VALUES ($1, $2, $3, $4)",
                         SETPAY_DB_INT(step->number), SETPAY_DB_TEXT(schema->name),
                         SETPAY_DB_DIGEST(&digest), SETPAY_DB_INT(setpay_clock_now_ms()));
}

static enum setpay_error apply_step(struct setpay_db *db, const struct setpay_store_schema *schema,
                                    const struct setpay_store_migration *step,
                                    struct setpay_problem *problem)
{
    const struct setpay_store_backend *backend = db->backend;
    enum setpay_error error = backend->begin(db->connection, true);
    if (error == SETPAY_OK)
        error = backend->script(db->connection, step->sql);
    if (error == SETPAY_OK)
        error = record_step(db, schema, step);
    if (error == SETPAY_OK)
        error = backend->commit(db->connection);
    if (error != SETPAY_OK) {
        setpay_problem_set(problem, error, "schema step %u: %s", step->number,
                           backend->message(db->connection));
        backend->rollback(db->connection);
        return error;
    }
    setpay_log(SETPAY_LOG_INFO, "store.migrated", setpay_field_text("schema", schema->name),
               setpay_field_int("step", step->number));
    return SETPAY_OK;
}

enum setpay_error setpay_store_migrate(struct setpay_db *db,
                                       const struct setpay_store_schema *schema,
                                       struct setpay_problem *problem)
{
    unsigned known = 0;
    unsigned applied = 0;
    for (; schema->steps[known].number != 0; known++) {
        if (schema->steps[known].number != known + 1)
            return setpay_problem_set(problem, SETPAY_E_INTERNAL,
                                      "the schema steps of \"%s\" are not numbered 1, 2, 3, …",
                                      schema->name);
    }
    setpay_db_start(db);
    enum setpay_error error = db->backend->script(
        db->connection, "CREATE TABLE IF NOT EXISTS schema_version ("
                        "number INTEGER PRIMARY KEY, schema TEXT NOT NULL, hash BLOB NOT NULL,"
                        " applied_ms BIGINT NOT NULL);"
                        "CREATE TABLE IF NOT EXISTS restoration (" /* these three: history.c */
                        "number INTEGER PRIMARY KEY, backup_ms BIGINT NOT NULL,"
                        " restored_ms BIGINT NOT NULL, moved BIGINT NOT NULL);"
                        "CREATE TABLE IF NOT EXISTS retirement ("
                        "id INTEGER PRIMARY KEY, retired_ms BIGINT NOT NULL);"
                        "CREATE TABLE IF NOT EXISTS last_backup ("
                        "id INTEGER PRIMARY KEY, made_ms BIGINT NOT NULL)");
    if (error != SETPAY_OK)
        return setpay_problem_set(problem, error, "the database can't be written: %s",
                                  db->backend->message(db->connection));
    SETPAY_TRY(read_applied(db, schema, known, &applied, problem));
    for (unsigned i = applied; i < known; i++)
        SETPAY_TRY(apply_step(db, schema, &schema->steps[i], problem));
    return SETPAY_OK;
}

enum setpay_error setpay_store_check_schema(struct setpay_db *db,
                                            const struct setpay_store_schema *schema,
                                            struct setpay_problem *problem)
{
    unsigned known = 0, applied = 0;
    while (schema->steps[known].number != 0)
        known++;
    return read_applied(db, schema, known, &applied, problem);
}
