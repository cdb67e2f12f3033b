/*
 * SQLite behind the store.
 *
 * What always holds: the write-ahead log is used, and a commit is on the disk before it returns
 * (synchronous = FULL); deleted cells are overwritten (secure_delete = ON) and memory that SQLite
 * gives back is cleansed; a reading connection can't write; files are open to their owner only.
 * Checkpoints are made only when the committer asks, never inside a commit.
 *
 * The lock file stands beside the database under its resolved name, so that a link to it finds the
 * same lock. It is not the database itself: closing any descriptor of that file would drop the
 * locks that SQLite holds on it.
 */
#include "common/store/backend.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_WAIT_MS 5000 /* for somebody's sqlite3 shell; our own processes are kept out */
#define WATCH_STEPS 10000 /* of SQLite's machine: within a millisecond or so */

/* What every operation and read needs, prepared once. */
enum fixed { BEGIN_READ, BEGIN_WRITE, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, ROLLBACK_TO, FIXED };
static const char *const fixed_sql[FIXED] = {
    [BEGIN_READ] = "BEGIN",
    [BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [SAVEPOINT] = "SAVEPOINT operation",
    [RELEASE] = "RELEASE operation",
    [ROLLBACK_TO] = "ROLLBACK TO operation",
};

struct connection {
    sqlite3 *handle;
    sqlite3_stmt *fixed[FIXED];
    const char *const *erasable;
    bool prepared_erasable; /* the statement that is being prepared reads of such a table */
    bool writer;
    int log_pages;
    setpay_store_over_fn *over;
    void *over_arg;
};

static enum setpay_error error_of(int code)
{
    switch (code) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return SETPAY_OK;
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return SETPAY_E_DUPLICATE;
    case SQLITE_IOERR_NOMEM:
        return SETPAY_E_NOMEM;
    default:
        break;
    }
    switch (code & 0xff) {
    case SQLITE_FULL:
        return SETPAY_E_STORE_FULL;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return SETPAY_E_IO;
    case SQLITE_NOMEM:
        return SETPAY_E_NOMEM;
    case SQLITE_INTERRUPT: /* by on_progress alone */
        return SETPAY_E_DRAINING;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return SETPAY_E_PERMISSION;
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_READONLY:
        return SETPAY_E_INTERNAL;
    default: /* BUSY, LOCKED, CORRUPT, NOTADB, … */
        return SETPAY_E_STORE;
    }
}

/* ------------------------------------------------------------------ memory */

/*
 * SQLite's memory is cleansed when it is given back, so that rows which an erasure has taken out of
 * the files don't live on in what its page cache and statements once used (rule M7).
 */
static sqlite3_mem_methods plain_memory;

static void cleansing_free(void *memory)
{
    if (memory != NULL)
        setpay_cleanse(memory, (size_t)plain_memory.xSize(memory));
    plain_memory.xFree(memory);
}

static void *cleansing_realloc(void *memory, int size)
{
    int old_size = plain_memory.xSize(memory);
    if (size <= old_size && size > old_size / 2)
        return memory;
    void *moved = plain_memory.xMalloc(size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, memory, (size_t)(size < old_size ? size : old_size));
    cleansing_free(memory);
    return moved;
}

static void use_cleansing_memory(void)
{
    if (setpay_memory_is_cleansed())
        return; /* whoever gives it back: once is enough */
    int code = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain_memory);
    if (code == SQLITE_OK) {
        sqlite3_mem_methods cleansing = plain_memory;
        cleansing.xFree = cleansing_free;
        cleansing.xRealloc = cleansing_realloc;
        code = sqlite3_config(SQLITE_CONFIG_MALLOC, &cleansing);
    }
    if (code != SQLITE_OK) /* somebody used SQLite before the first store was opened */
        setpay_log(SETPAY_LOG_WARN, "store.memory_not_cleansed", setpay_field_int("code", code));
}

/* ------------------------------------------------------------------ open and close */

/* PATH.lock under its resolved name; where there is no database yet, that of its folder. */
static enum setpay_error sqlite_lock_path(const char *place, char **lock_path,
                                          struct setpay_problem *problem)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(place, '/');
    const char *name = "";
    char *resolved = realpath(place, NULL);
    if (resolved == NULL && errno == ENOENT && strlen(place) < sizeof folder) {
        size_t size = slash == NULL ? 0 : (size_t)(slash - place);
        (void)snprintf(folder, sizeof folder, "%.*s/", slash == NULL ? 1 : (int)size,
                       slash == NULL ? "." : place);
        name = slash == NULL ? place : slash + 1;
        resolved = realpath(folder, NULL);
    }
    if (resolved == NULL)
        return setpay_problem_set(problem, SETPAY_E_IO, "database %s: %s", place, strerror(errno));
    size_t size = strlen(resolved) + strlen(name) + sizeof "/.lock";
    char *path = malloc(size);
    if (path != NULL)
        (void)snprintf(path, size, "%s%s%s.lock", resolved, name[0] != '\0' ? "/" : "", name);
    free(resolved);
    *lock_path = path;
    return path == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

static enum setpay_error sqlite_create(const char *place, char **lock_path,
                                       struct setpay_problem *problem)
{
    if (place[0] == '\0' || place[0] == ':' || strchr(place, '?') != NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "database: found \"sqlite:%s\", expected sqlite:PATH", place);
    /* Never opened where it exists: see above. */
    int fd = open(place, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    else if (errno != EEXIST)
        return setpay_problem_set(problem, errno == EACCES ? SETPAY_E_PERMISSION : SETPAY_E_IO,
                                  "database %s: %s", place, strerror(errno));
    return sqlite_lock_path(place, lock_path, problem);
}

static int count_log_pages(void *arg, sqlite3 *handle, const char *name, int pages)
{
    struct connection *connection = arg;
    (void)handle;
    (void)name;
    connection->log_pages = pages;
    return SQLITE_OK;
}

static int set_up(struct connection *connection)
{
    static const char *const writer_pragmas =
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 0;"
        "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;";
    static const char *const reader_pragmas =
        "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;"
        "PRAGMA cache_size = -4000; SELECT count(*) FROM sqlite_master;";
    sqlite3_extended_result_codes(connection->handle, 1);
    sqlite3_busy_timeout(connection->handle, BUSY_WAIT_MS);
    sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    /* Double-quoted text is a misspelt column, not a string. */
    sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    int code = sqlite3_exec(connection->handle,
                            connection->writer ? writer_pragmas : reader_pragmas, NULL, NULL, NULL);
    /* Replaces SQLite's own automatic checkpoints. */
    if (code == SQLITE_OK && connection->writer)
        sqlite3_wal_hook(connection->handle, count_log_pages, connection);
    return code;
}

/* Asked for every column that a statement reads, while it is prepared; permits all. */
static int on_authorise(void *arg, int action, const char *table, const char *column,
                        const char *schema, const char *trigger)
{
    struct connection *connection = arg;
    (void)column;
    (void)schema;
    (void)trigger;
    if (action != SQLITE_READ || table == NULL)
        return SQLITE_OK;
    bool found = connection->erasable == NULL;
    for (size_t i = 0; !found && connection->erasable[i] != NULL; i++)
        found = sqlite3_stricmp(table, connection->erasable[i]) == 0;
    connection->prepared_erasable = connection->prepared_erasable || found;
    return SQLITE_OK;
}

static int prepare_fixed(struct connection *connection)
{
    int code = SQLITE_OK;
    for (int i = 0; i < FIXED && code == SQLITE_OK; i++)
        code = sqlite3_prepare_v3(connection->handle, fixed_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &connection->fixed[i], NULL);
    return code == SQLITE_OK ? sqlite3_set_authorizer(connection->handle, on_authorise, connection)
                             : code;
}

static int close_handle(struct connection *connection)
{
    for (int i = 0; i < FIXED; i++)
        sqlite3_finalize(connection->fixed[i]);
    return sqlite3_close(connection->handle);
}

/* place: as messages name it; name: as SQLite wants it. */
static enum setpay_error open_connection(const char *place, const char *name, bool writer,
                                         const char *const *erasable, int more_flags, void **out,
                                         struct setpay_problem *problem)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, use_cleansing_memory);
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return SETPAY_E_NOMEM;
    connection->writer = writer;
    connection->erasable = erasable;
    int flags = (writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_PRIVATECACHE | more_flags;
    int code = sqlite3_open_v2(name, &connection->handle, flags, NULL);
    if (code == SQLITE_OK)
        code = set_up(connection);
    if (code == SQLITE_OK)
        code = prepare_fixed(connection);
    if (code == SQLITE_OK) {
        *out = connection;
        return SETPAY_OK;
    }
    enum setpay_error error = error_of(code);
    if (problem != NULL)
        setpay_problem_set(problem, error, "database %s: %s", place,
                           connection->handle != NULL ? sqlite3_errmsg(connection->handle)
                                                      : sqlite3_errstr(code));
    close_handle(connection);
    free(connection);
    return error;
}

static enum setpay_error sqlite_open(const char *place, bool writer, const char *const *erasable,
                                     void **out, struct setpay_problem *problem)
{
    return open_connection(place, place, writer, erasable, 0, out, problem);
}

/* file:PATH, in which these three would mean something else. */
static bool write_uri(const char *place, char *uri, size_t size)
{
    size_t used = (size_t)snprintf(uri, size, "file:");
    for (; *place != '\0' && used + 4 < size; place++)
        used += (size_t)snprintf(uri + used, size - used, strchr("%?#", *place) ? "%%%02X" : "%c",
                                 (unsigned char)*place);
    return *place == '\0' &&
           (size_t)snprintf(uri + used, size - used, "?immutable=1") < size - used;
}

static enum setpay_error sqlite_open_still(const char *place, void **out,
                                           struct setpay_problem *problem)
{
    char uri[3 * PATH_MAX], log[PATH_MAX];
    struct stat status;
    if (access(place, F_OK) != 0)
        return setpay_problem_set(problem, errno == ENOENT ? SETPAY_E_NOT_FOUND : SETPAY_E_IO,
                                  "database %s: %s", place, strerror(errno));
    if (!write_uri(place, uri, sizeof uri) ||
        snprintf(log, sizeof log, "%s-wal", place) >= (int)sizeof log)
        return setpay_problem_set(problem, SETPAY_E_CONFIG, "database: the path is too long");
    if (stat(log, &status) == 0 && status.st_size > 0)
        return setpay_problem_set(problem, SETPAY_E_CONFLICT,
                                  "database %s: a log is left beside it, as after a crash", place);
    return open_connection(place, uri, false, NULL, SQLITE_OPEN_URI, out, problem);
}

static void sqlite_close(void *self, bool abandon)
{
    struct connection *connection = self;
    if (abandon)
        sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    close_handle(connection);
    free(connection);
}

/* ------------------------------------------------------------------ transactions */

static enum setpay_error sqlite_script(void *self, const char *sql)
{
    struct connection *connection = self;
    return error_of(sqlite3_exec(connection->handle, sql, NULL, NULL, NULL));
}

static enum setpay_error run_fixed(void *self, enum fixed which)
{
    struct connection *connection = self;
    sqlite3_stmt *statement = connection->fixed[which];
    int code = sqlite3_step(statement);
    (void)sqlite3_reset(statement); /* says the same again */
    return error_of(code);
}

static enum setpay_error sqlite_begin(void *self, bool write)
{
    return run_fixed(self, write ? BEGIN_WRITE : BEGIN_READ);
}

static enum setpay_error sqlite_commit(void *self)
{
    return run_fixed(self, COMMIT);
}

static bool sqlite_in_transaction(void *self)
{
    struct connection *connection = self;
    return sqlite3_get_autocommit(connection->handle) == 0;
}

static void sqlite_rollback(void *self)
{
    if (sqlite_in_transaction(self))
        (void)run_fixed(self, ROLLBACK); /* nothing of it is kept, whatever it says */
}

static enum setpay_error sqlite_savepoint(void *self)
{
    return run_fixed(self, SAVEPOINT);
}

static enum setpay_error sqlite_release(void *self)
{
    return run_fixed(self, RELEASE);
}

static enum setpay_error sqlite_rollback_to(void *self)
{
    enum setpay_error error = run_fixed(self, ROLLBACK_TO);
    return error == SETPAY_OK ? run_fixed(self, RELEASE) : error;
}

/* ------------------------------------------------------------------ statements */

/* Placeholders must be $1 to $n, in order of first use: then number and index are the same, here
 * and in PostgreSQL. */
static bool placeholders_in_order(sqlite3_stmt *statement, int count)
{
    for (int index = 1; index <= count; index++) {
        char expected[16];
        snprintf(expected, sizeof expected, "$%d", index);
        const char *found = sqlite3_bind_parameter_name(statement, index);
        if (found == NULL || strcmp(found, expected) != 0)
            return false;
    }
    return true;
}

static enum setpay_error sqlite_prepare(void *self, const char *sql, void **out,
                                        unsigned *parameters, bool *erasable)
{
    struct connection *connection = self;
    sqlite3_stmt *statement = NULL;
    const char *rest = NULL;
    connection->prepared_erasable = false;
    int code = sqlite3_prepare_v3(connection->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                  &statement, &rest);
    if (code != SQLITE_OK)
        return error_of(code);
    int count = sqlite3_bind_parameter_count(statement);
    if (statement == NULL || rest[strspn(rest, "; \n\t")] != '\0' ||
        !placeholders_in_order(statement, count)) {
        sqlite3_finalize(statement);
        return SETPAY_E_INTERNAL;
    }
    *out = statement;
    *parameters = (unsigned)count;
    *erasable = connection->prepared_erasable;
    return SETPAY_OK;
}

static enum setpay_error sqlite_bind(void *self, void *statement, unsigned number,
                                     const struct setpay_db_value *value)
{
    int index = (int)number;
    const void *data = value->bytes.data != NULL ? (const void *)value->bytes.data : "";
    (void)self;
    switch (value->type) {
    case SETPAY_DB_TYPE_NULL:
        return error_of(sqlite3_bind_null(statement, index));
    case SETPAY_DB_TYPE_INT:
        return error_of(sqlite3_bind_int64(statement, index, value->integer));
    case SETPAY_DB_TYPE_TEXT:
        return error_of(sqlite3_bind_text64(statement, index, data, value->bytes.size,
                                            SQLITE_STATIC, SQLITE_UTF8));
    case SETPAY_DB_TYPE_BLOB:
        return error_of(
            sqlite3_bind_blob64(statement, index, data, value->bytes.size, SQLITE_STATIC));
    case SETPAY_DB_TYPE_END:
        break;
    }
    return SETPAY_E_INTERNAL;
}

static enum setpay_error sqlite_step(void *self, void *statement, bool *row)
{
    (void)self;
    int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    return error_of(code);
}

static enum setpay_error sqlite_column(void *statement, int column, struct setpay_db_value *value)
{
    *value = (struct setpay_db_value){.type = SETPAY_DB_TYPE_NULL};
    if (column < 0 || column >= sqlite3_data_count(statement))
        return SETPAY_E_INTERNAL;
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
        return SETPAY_OK;
    case SQLITE_INTEGER:
        value->type = SETPAY_DB_TYPE_INT;
        value->integer = sqlite3_column_int64(statement, column);
        return SETPAY_OK;
    case SQLITE_TEXT:
        value->type = SETPAY_DB_TYPE_TEXT;
        value->bytes.data = sqlite3_column_text(statement, column);
        break;
    case SQLITE_BLOB:
        value->type = SETPAY_DB_TYPE_BLOB;
        value->bytes.data = sqlite3_column_blob(statement, column);
        break;
    default: /* a float: never money, never anything of ours */
        return SETPAY_E_STORE;
    }
    value->bytes.size = (size_t)sqlite3_column_bytes(statement, column);
    if (value->bytes.data == NULL && value->bytes.size > 0)
        return SETPAY_E_NOMEM;
    return SETPAY_OK;
}

static void sqlite_reset(void *statement)
{
    sqlite3_reset(statement); /* repeats the error that step gave */
    sqlite3_clear_bindings(statement);
}

static void sqlite_finalise(void *statement)
{
    sqlite3_finalize(statement);
}

static int64_t sqlite_changes(void *self)
{
    struct connection *connection = self;
    return sqlite3_changes64(connection->handle);
}

static const char *sqlite_message(void *self)
{
    struct connection *connection = self;
    return sqlite3_errmsg(connection->handle);
}

/* ------------------------------------------------------------------ log */

/*
 * A connection puts the cell of its latest INSERT together in a buffer of a page's size that it
 * keeps until it is closed. A row of zeros as big as a cell can be (4096-byte pages: a payload of
 * 4061 bytes) takes its place there; being rolled back, it touches no file.
 */
static void overwrite_cell_buffer(sqlite3 *handle)
{
    int code = sqlite3_exec(handle,
                            "BEGIN IMMEDIATE; INSERT INTO schema_version (number, schema, hash,"
                            " applied_ms) VALUES (-1, '', zeroblob(4055), 0)",
                            NULL, NULL, NULL);
    if (sqlite3_get_autocommit(handle) == 0)
        sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        setpay_log(SETPAY_LOG_WARN, "store.memory_not_cleansed", setpay_field_int("code", code));
}

static enum setpay_error sqlite_checkpoint(void *self, bool truncate, int wait_ms, bool *complete)
{
    struct connection *connection = self;
    int in_log = 0;
    int moved = 0;
    *complete = false;
    sqlite3_busy_timeout(connection->handle, wait_ms);
    int code = sqlite3_wal_checkpoint_v2(
        connection->handle, "main",
        truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
    sqlite3_busy_timeout(connection->handle, BUSY_WAIT_MS);
    if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED)
        return SETPAY_OK;
    if (code == SQLITE_OK) {
        *complete = in_log == moved;
        if (truncate && *complete)
            overwrite_cell_buffer(connection->handle);
        if (truncate || in_log == moved)
            connection->log_pages = 0;
    }
    return error_of(code);
}

static size_t sqlite_log_pages(const void *self)
{
    const struct connection *connection = self;
    return (size_t)connection->log_pages;
}

static void sqlite_forget(void *self)
{
    struct connection *connection = self;
    sqlite3_db_release_memory(connection->handle);
}

/* ------------------------------------------------------------------ copies */

struct copy {
    sqlite3 *handle; /* of the copy */
    sqlite3_backup *backup;
};

static void copy_free(struct copy *copy)
{
    sqlite3_close(copy->handle);
    free(copy);
}

static enum setpay_error sqlite_copy_begin(void *self, const char *path, void **out,
                                           struct setpay_problem *problem)
{
    struct connection *connection = self;
    struct copy *copy = calloc(1, sizeof *copy);
    if (copy == NULL)
        return SETPAY_E_NOMEM;
    int code = sqlite3_open_v2(
        path, &copy->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
        NULL);
    /* Nobody reads a copy that was not finished: it needs no journal and no syncs of its own. */
    if (code == SQLITE_OK)
        code = sqlite3_exec(copy->handle,
                            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                            "PRAGMA cache_size = -4000;",
                            NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(copy->handle, 1);
        copy->backup = sqlite3_backup_init(copy->handle, "main", connection->handle, "main");
        if (copy->backup != NULL) {
            *out = copy;
            return SETPAY_OK;
        }
        code = sqlite3_extended_errcode(copy->handle);
    }
    enum setpay_error error = error_of(code);
    setpay_problem_set(problem, error, "%s: %s", path, sqlite3_errmsg(copy->handle));
    copy_free(copy);
    return error;
}

static enum setpay_error sqlite_copy_step(void *self, int pages, bool *complete)
{
    struct copy *copy = self;
    int code = sqlite3_backup_step(copy->backup, pages);
    *complete = code == SQLITE_DONE;
    /* Somebody's sqlite3 shell holds it: the next piece tries again. */
    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? SETPAY_OK : error_of(code);
}

static enum setpay_error sqlite_copy_end(void *self)
{
    struct copy *copy = self;
    int code = sqlite3_backup_finish(copy->backup);
    copy_free(copy);
    return error_of(code);
}

static enum setpay_error sqlite_check(void *self, struct setpay_problem *problem)
{
    struct connection *connection = self;
    sqlite3_stmt *statement = NULL;
    int code =
        sqlite3_prepare_v2(connection->handle, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    enum setpay_error error = error_of(code);
    if (code == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0)
        error = SETPAY_E_STORE;
    if (error != SETPAY_OK)
        setpay_problem_set(problem, error, "the database is damaged: %s",
                           code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0)
                                              : sqlite3_errmsg(connection->handle));
    sqlite3_finalize(statement);
    return error;
}

static int on_progress(void *self)
{
    struct connection *connection = self;
    return connection->over(connection->over_arg) ? 1 : 0;
}

static void sqlite_watch(void *self, setpay_store_over_fn *over, void *arg)
{
    struct connection *connection = self;
    connection->over = over;
    connection->over_arg = arg;
    sqlite3_progress_handler(connection->handle, over != NULL ? WATCH_STEPS : 0,
                             over != NULL ? on_progress : NULL, connection);
}

const struct setpay_store_backend setpay_store_sqlite = {
    .scheme = "sqlite:",
    .create = sqlite_create,
    .open = sqlite_open,
    .open_still = sqlite_open_still,
    .close = sqlite_close,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .savepoint = sqlite_savepoint,
    .release = sqlite_release,
    .rollback_to = sqlite_rollback_to,
    .in_transaction = sqlite_in_transaction,
    .script = sqlite_script,
    .prepare = sqlite_prepare,
    .bind = sqlite_bind,
    .step = sqlite_step,
    .column = sqlite_column,
    .reset = sqlite_reset,
    .finalise = sqlite_finalise,
    .changes = sqlite_changes,
    .message = sqlite_message,
    .checkpoint = sqlite_checkpoint,
    .log_pages = sqlite_log_pages,
    .watch = sqlite_watch,
    .forget = sqlite_forget,
    .copy_begin = sqlite_copy_begin,
    .copy_step = sqlite_copy_step,
    .copy_end = sqlite_copy_end,
    .check = sqlite_check,
    .lock_path = sqlite_lock_path,
};
