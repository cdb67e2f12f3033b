/*
 * The disk, and SQLite on it: write-ahead log, synchronous = FULL, statements prepared once.
 */
#include "tests/bench/fail.h"
#include "tests/bench/floors.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

struct file {
    int fd;
    uint8_t block[4096];
};

static void append(void *arg)
{
    struct file *file = arg;
    BENCH_NEED(write(file->fd, file->block, sizeof file->block) == sizeof file->block &&
               fsync(file->fd) == 0);
}

static void bench_append(struct bench_report *report, const char *dir)
{
    struct file file = {.fd = -1, .block = {0}};
    struct bench_timing timing;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/append", dir);
    file.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    BENCH_NEED(file.fd >= 0);
    bench_measure(append, &file, BENCH_WALL, &timing);
    bench_report_time(report, "append 4 KiB and fsync", &timing, 0, "");
    (void)close(file.fd);
    (void)unlink(path);
}

struct database {
    sqlite3 *handle;
    sqlite3_stmt *begin, *insert, *update, *commit;
    int group;
};

static void step(sqlite3_stmt *statement)
{
    BENCH_NEED(sqlite3_step(statement) == SQLITE_DONE && sqlite3_reset(statement) == SQLITE_OK);
}

/* One row of 300 bytes under a random key, and one change of it. */
static void commit_group(void *arg)
{
    struct database *database = arg;
    uint8_t key[16], body[300] = {0};
    step(database->begin);
    for (int i = 0; i < database->group; i++) {
        BENCH_NEED(RAND_bytes(key, sizeof key) == 1);
        sqlite3_bind_blob(database->insert, 1, key, sizeof key, SQLITE_STATIC);
        sqlite3_bind_blob(database->insert, 2, body, sizeof body, SQLITE_STATIC);
        step(database->insert);
        sqlite3_bind_blob(database->update, 1, key, sizeof key, SQLITE_STATIC);
        step(database->update);
    }
    step(database->commit);
}

static void prepare(struct database *database, const char *sql, sqlite3_stmt **statement)
{
    BENCH_NEED(sqlite3_prepare_v2(database->handle, sql, -1, statement, NULL) == SQLITE_OK);
}

/* Also what a run that was ended has left. */
static void remove_database(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[520];
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
}

static void open_database(struct database *database, const char *path)
{
    BENCH_NEED(sqlite3_open(path, &database->handle) == SQLITE_OK &&
               sqlite3_exec(database->handle,
                            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                            "CREATE TABLE item (key BLOB PRIMARY KEY, state INTEGER, body BLOB)",
                            NULL, NULL, NULL) == SQLITE_OK);
    prepare(database, "BEGIN IMMEDIATE", &database->begin);
    prepare(database, "INSERT INTO item VALUES (?1, 0, ?2)", &database->insert);
    prepare(database, "UPDATE item SET state = 1 WHERE key = ?1", &database->update);
    prepare(database, "COMMIT", &database->commit);
}

static void close_database(struct database *database)
{
    sqlite3_finalize(database->begin);
    sqlite3_finalize(database->insert);
    sqlite3_finalize(database->update);
    sqlite3_finalize(database->commit);
    BENCH_NEED(sqlite3_close(database->handle) == SQLITE_OK);
}

void bench_floor_disk(struct bench_report *report, const char *dir)
{
    static const struct {
        int group;
        const char *name;
    } groups[] = {{1, "SQLite commits, one by one"},
                  {10, "SQLite commits, groups of 10"},
                  {50, BENCH_ROW_GROUP_50}};
    struct database database = {NULL, NULL, NULL, NULL, NULL, 0};
    struct bench_timing timing;
    char path[512];
    bench_report_section(report, "disk and SQLite (wall)");
    bench_append(report, dir);
    (void)snprintf(path, sizeof path, "%s/floor.db", dir);
    remove_database(path);
    open_database(&database, path);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        database.group = groups[i].group;
        bench_measure(commit_group, &database, BENCH_WALL, &timing);
        bench_report_rate(report, groups[i].name, &timing, groups[i].group, 0, "");
    }
    bench_measure(commit_group, &database, BENCH_CPU, &timing);
    timing.median_us /= database.group;
    timing.low_us /= database.group;
    timing.high_us /= database.group;
    bench_report_time(report, "  CPU of one in a group of 50", &timing, 0, "");
    close_database(&database);
    remove_database(path);
}
