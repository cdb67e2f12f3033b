/*
 * Opening and closing a store, and its readers.
 *
 * What always holds: the lock file is held from before the first look into the database until after
 * the last connection is closed; the committer is the only thread that uses the writing connection
 * once it runs; and the write-ahead log is emptied at open and at drain (rule M7), so that what a
 * crash left behind in it does not outlive the next start.
 */
#include "common/store/committer.h"

#include "common/base/clock.h"
#include "common/base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define OPEN_TRUNCATE_WAIT_MS 1000

struct setpay_reader {
    struct setpay_store *store;
    struct setpay_db *db;
};

/* ------------------------------------------------------------------ open */

static enum setpay_error find_backend(const char *url, const struct setpay_store_backend **backend,
                                      struct setpay_problem *problem)
{
    const char *scheme = setpay_store_sqlite.scheme;
    if (url != NULL && strncmp(url, scheme, strlen(scheme)) == 0) {
        *backend = &setpay_store_sqlite;
        return SETPAY_OK;
    }
    /* The URL is not repeated: one of a database server may hold a password. */
    if (url != NULL && (strncmp(url, "postgresql:", 11) == 0 || strncmp(url, "postgres:", 9) == 0))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "database: PostgreSQL is not built into this program; expected "
                                  "sqlite:PATH");
    return setpay_problem_set(problem, SETPAY_E_CONFIG,
                              "database: not a known kind of URL; expected sqlite:PATH");
}

/* flock belongs to the open file, so that a second open in the same process is refused as well. */
static enum setpay_error take_lock(int *lock_fd, const char *path, struct setpay_problem *problem)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return setpay_problem_set(problem, errno == EACCES ? SETPAY_E_PERMISSION : SETPAY_E_IO,
                                  "lock file %s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int reason = errno;
        char holder[24] = "";
        ssize_t size = pread(fd, holder, sizeof holder - 1, 0);
        holder[size > 0 ? size : 0] = '\0';
        holder[strcspn(holder, "\n")] = '\0';
        close(fd);
        if (reason != EWOULDBLOCK)
            return setpay_problem_set(problem, SETPAY_E_IO, "lock file %s: %s", path,
                                      strerror(reason));
        return setpay_problem_set(problem, SETPAY_E_RUNNING,
                                  "the database is in use by process %s (lock file %s)",
                                  holder[0] != '\0' ? holder : "?", path);
    }
    /* The number helps a person only: the lock is what counts. */
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
        setpay_log(SETPAY_LOG_WARN, "store.lock_file", setpay_field_text("path", path));
    *lock_fd = fd;
    return SETPAY_OK;
}

static enum setpay_error init_threads(struct setpay_store *store)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return SETPAY_E_NOMEM;
    bool good = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&store->wake, &attributes) == 0 &&
                pthread_cond_init(&store->rest, NULL) == 0 &&
                pthread_mutex_init(&store->mutex, NULL) == 0 &&
                pthread_mutex_init(&store->watch_mutex, NULL) == 0;
    pthread_condattr_destroy(&attributes);
    return good ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* Two that go on from one state would do everything twice. */
static enum setpay_error check_retirement(struct setpay_db *db, struct setpay_problem *problem)
{
    setpay_time_ms retired_ms = 0;
    char text[SETPAY_TIME_TEXT_SIZE];
    setpay_db_start(db);
    SETPAY_TRY(setpay_db_finish(db, setpay_store_retired_ms(db, &retired_ms)));
    if (retired_ms == 0)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_STATE,
                              "the database was put out of service by the final backup of %s, to "
                              "go on elsewhere; to go on here, restore that backup (restore "
                              "--force --moved)",
                              setpay_time_format(retired_ms, text));
}

/* Everything between the lock and the committer's start. */
static enum setpay_error open_writer(struct setpay_store *store,
                                     const struct setpay_store_options *options,
                                     struct setpay_problem *problem)
{
    void *connection = NULL;
    store->erasable = options->schema->erasable;
    SETPAY_TRY(store->backend->open(store->place, true, store->erasable, &connection, problem));
    enum setpay_error error = setpay_db_new(
        store->backend, connection, store->group_max * SETPAY_LIMIT_STORE_NOTES, &store->writer);
    if (error != SETPAY_OK) {
        store->backend->close(connection, true);
        return error;
    }
    SETPAY_TRY(setpay_store_migrate(store->writer, options->schema, problem));
    setpay_db_start(store->writer);
    SETPAY_TRY(setpay_db_finish(store->writer,
                                setpay_store_read_safety(store->writer, &store->counters.safety)));
    if (!options->retired)
        SETPAY_TRY(check_retirement(store->writer, problem));
    bool complete = false; /* rule M7: at start; a foreign reader may hold it back */
    return store->backend->checkpoint(store->writer->connection, true, OPEN_TRUNCATE_WAIT_MS,
                                      &complete);
}

static void free_store(struct setpay_store *store, bool abandon)
{
    setpay_db_free(store->writer, abandon);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    free(store->place);
    free(store);
}

enum setpay_error setpay_store_open(const struct setpay_store_options *options,
                                    struct setpay_store **out, struct setpay_problem *problem)
{
    const struct setpay_store_backend *backend = NULL;
    char *lock_path = NULL;
    problem->text[0] = '\0';
    SETPAY_TRY(find_backend(options->url, &backend, problem));
    struct setpay_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return SETPAY_E_NOMEM;
    store->backend = backend;
    store->lock_fd = -1;
    store->queue_max = options->queue_max != 0 ? options->queue_max : SETPAY_LIMIT_STORE_QUEUE;
    store->group_max = options->group_max != 0 ? options->group_max : SETPAY_LIMIT_STORE_GROUP;
    enum setpay_error error = init_threads(store);
    if (error != SETPAY_OK)
        goto out;
    store->place = strdup(options->url + strlen(backend->scheme));
    error =
        store->place == NULL ? SETPAY_E_NOMEM : backend->create(store->place, &lock_path, problem);
    if (error != SETPAY_OK)
        goto out;
    error = take_lock(&store->lock_fd, lock_path, problem);
    if (error != SETPAY_OK)
        goto out;
    error = open_writer(store, options, problem);
    if (error != SETPAY_OK)
        goto out;
    if (pthread_create(&store->thread, NULL, setpay_store_committer, store) != 0) {
        error = SETPAY_E_NOMEM;
        goto out;
    }
    *out = store;
    store = NULL;
out:
    free(lock_path);
    if (store != NULL)
        free_store(store, true);
    if (error != SETPAY_OK && problem->text[0] == '\0')
        setpay_problem_set(problem, error, "database: %s", setpay_error_text(error));
    return error;
}

/* ------------------------------------------------------------------ its backups */

static enum setpay_error add_backup(struct setpay_db *db, void *made_ms)
{
    return setpay_store_add_backup(db, *(const setpay_time_ms *)made_ms);
}

enum setpay_error setpay_store_note_backup(struct setpay_store *store, setpay_time_ms made_ms)
{
    SETPAY_TRY(setpay_store_submit_wait(store, add_backup, &made_ms));
    pthread_mutex_lock(&store->mutex);
    store->counters.safety.backup_ms = made_ms;
    pthread_mutex_unlock(&store->mutex);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ without opening */

enum setpay_error setpay_store_lock(const char *url, int *fd, struct setpay_problem *problem)
{
    const struct setpay_store_backend *backend = NULL;
    char *path = NULL;
    SETPAY_TRY(find_backend(url, &backend, problem));
    SETPAY_TRY(backend->lock_path(url + strlen(backend->scheme), &path, problem));
    enum setpay_error error = take_lock(fd, path, problem);
    free(path);
    return error;
}

const char *setpay_store_path(const char *url)
{
    const char *scheme = setpay_store_sqlite.scheme;
    return strncmp(url, scheme, strlen(scheme)) == 0 ? url + strlen(scheme) : NULL;
}

enum setpay_error setpay_store_check_url(const char *url, struct setpay_problem *problem)
{
    const struct setpay_store_backend *backend = NULL;
    return find_backend(url, &backend, problem);
}

enum setpay_error setpay_store_check(const char *url, struct setpay_problem *problem)
{
    const struct setpay_store_backend *backend = NULL;
    void *connection = NULL;
    SETPAY_TRY(find_backend(url, &backend, problem));
    SETPAY_TRY(backend->open(url + strlen(backend->scheme), false, NULL, &connection, problem));
    enum setpay_error error = backend->check(connection, problem);
    backend->close(connection, true);
    return error;
}

/* ------------------------------------------------------------------ looking only */

enum setpay_error setpay_store_peek(const struct setpay_store_options *options,
                                    setpay_store_read_fn *read, void *arg,
                                    struct setpay_problem *problem)
{
    const struct setpay_store_backend *backend = NULL;
    void *connection = NULL;
    struct setpay_db *db = NULL;
    SETPAY_TRY(find_backend(options->url, &backend, problem));
    SETPAY_TRY(backend->open_still(options->url + strlen(backend->scheme), &connection, problem));
    enum setpay_error error = setpay_db_new(backend, connection, 0, &db);
    if (error != SETPAY_OK) {
        backend->close(connection, true);
        return error;
    }
    setpay_db_start(db);
    error = setpay_store_check_schema(db, options->schema, problem);
    if (error == SETPAY_OK && read != NULL)
        error = read(db, arg);
    error = setpay_db_finish(db, error);
    if (error != SETPAY_OK && problem->text[0] == '\0')
        setpay_problem_set(problem, error, "the database can't be read: %s",
                           backend->message(connection));
    setpay_db_free(db, true);
    return error;
}

/* ------------------------------------------------------------------ close */

void setpay_store_drain(struct setpay_store *store)
{
    pthread_mutex_lock(&store->mutex);
    store->draining = true;
    pthread_cond_signal(&store->wake);
    while (!store->drained)
        pthread_cond_wait(&store->rest, &store->mutex);
    pthread_mutex_unlock(&store->mutex);
}

void setpay_store_close(struct setpay_store *store)
{
    if (store == NULL)
        return;
    setpay_store_drain(store);
    pthread_join(store->thread, NULL);
    assert(store->readers == 0 && store->watchers == NULL);
    pthread_cond_destroy(&store->wake);
    pthread_cond_destroy(&store->rest);
    pthread_mutex_destroy(&store->mutex);
    pthread_mutex_destroy(&store->watch_mutex);
    free_store(store, store->broken);
}

/* ------------------------------------------------------------------ readers */

enum setpay_error setpay_reader_new(struct setpay_store *store, struct setpay_reader **out)
{
    struct setpay_problem problem = {.text = ""};
    struct setpay_reader *reader = calloc(1, sizeof *reader);
    void *connection = NULL;
    if (reader == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error =
        store->backend->open(store->place, false, store->erasable, &connection, &problem);
    if (error == SETPAY_OK) {
        error = setpay_db_new(store->backend, connection, 0, &reader->db);
        if (error != SETPAY_OK)
            store->backend->close(connection, true);
    } else {
        setpay_log_error(error, "store.reader", setpay_field_text("problem", problem.text));
    }
    if (error != SETPAY_OK) {
        free(reader);
        return error;
    }
    reader->store = store;
    pthread_mutex_lock(&store->mutex);
    store->readers++;
    pthread_mutex_unlock(&store->mutex);
    *out = reader;
    return SETPAY_OK;
}

void setpay_reader_free(struct setpay_reader *reader)
{
    if (reader == NULL)
        return;
    struct setpay_store *store = reader->store;
    setpay_db_free(reader->db, true);
    free(reader);
    pthread_mutex_lock(&store->mutex);
    store->readers--;
    pthread_mutex_unlock(&store->mutex);
}

enum setpay_error setpay_store_read(struct setpay_reader *reader, setpay_store_read_fn *read,
                                    void *arg)
{
    struct setpay_db *db = reader->db;
    SETPAY_TRY(db->backend->begin(db->connection, false));
    setpay_db_start(db);
    enum setpay_error error = setpay_db_finish(db, read(db, arg));
    db->backend->rollback(db->connection);
    /* The cache may hold what an erasure then takes out of the files (rule M7). */
    if (db->has_read_erasable)
        db->backend->forget(db->connection);
    return error;
}

enum setpay_error setpay_store_read_long(struct setpay_reader *reader, setpay_store_read_fn *read,
                                         void *arg, setpay_store_over_fn *over, void *over_arg)
{
    struct setpay_db *db = reader->db;
    db->backend->watch(db->connection, over, over_arg);
    enum setpay_error error = setpay_store_read(reader, read, arg);
    db->backend->watch(db->connection, NULL, NULL);
    return error;
}
