/*
 * Helpers of the store's tests. Whatever goes wrong in here aborts: it is no result of a test.
 */
#include "tests/support/test_store.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct setpay_store_migration steps[] = {
    {1, "CREATE TABLE item (key INTEGER PRIMARY KEY, value TEXT NOT NULL);"
        "CREATE TABLE erasable (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"},
    {2, "ALTER TABLE item ADD COLUMN version BIGINT NOT NULL DEFAULT 0"},
    {0, NULL},
};
static const char *const erasable[] = {"erasable", NULL};
const struct setpay_store_schema test_store_schema = {
    .name = "test", .steps = steps, .erasable = erasable};

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "test support: %s failed\n", what);
    abort();
}

void test_folder_make(struct test_folder *folder)
{
    snprintf(folder->path, sizeof folder->path, "/tmp/setpay-store-XXXXXX");
    must(mkdtemp(folder->path) != NULL, "mkdtemp");
    snprintf(folder->file, sizeof folder->file, "%s/test.db", folder->path);
    snprintf(folder->url, sizeof folder->url, "sqlite:%s", folder->file);
}

static void each_file(const struct test_folder *folder, void (*visit)(const char *, void *),
                      void *arg)
{
    DIR *listing = opendir(folder->path);
    must(listing != NULL, "opendir");
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        char path[512];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder->path, entry->d_name);
        visit(path, arg);
    }
    closedir(listing);
}

static void remove_one(const char *path, void *arg)
{
    (void)arg;
    unlink(path);
}

void test_folder_remove(const struct test_folder *folder)
{
    each_file(folder, remove_one, NULL);
    rmdir(folder->path);
}

struct search {
    const void *bytes;
    size_t size;
    bool found;
};

static void search_one(const char *path, void *arg)
{
    struct search *search = arg;
    FILE *file = fopen(path, "rb");
    must(file != NULL, "fopen");
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *content = malloc(size + 1);
    must(content != NULL && fread(content, 1, size, file) == size, "fread");
    if (memmem(content, size, search->bytes, search->size) != NULL)
        search->found = true;
    free(content);
    fclose(file);
}

/* Closing a database file of this process would drop SQLite's locks on it, so copies
 * that another process (cp) makes are searched. */
bool test_folder_holds(const struct test_folder *folder, const void *bytes, size_t size)
{
    char command[256];
    struct search search = {bytes, size, false};
    struct test_folder copy = {.path = ""};
    test_folder_make(&copy);
    snprintf(command, sizeof command, "cp %s/* %s/", folder->path, copy.path);
    must(system(command) == 0, "cp");
    each_file(&copy, search_one, &search);
    test_folder_remove(&copy);
    return search.found;
}

struct setpay_store *test_store_open(const struct test_folder *folder, size_t queue_max,
                                     size_t group_max)
{
    struct setpay_store *store = NULL;
    struct setpay_problem problem;
    struct setpay_store_options options = {.url = folder->url,
                                           .schema = &test_store_schema,
                                           .queue_max = queue_max,
                                           .group_max = group_max};
    must(setpay_store_open(&options, &store, &problem) == SETPAY_OK, problem.text);
    return store;
}

static enum setpay_error wait_in_gate(struct setpay_db *db, void *arg)
{
    struct test_gate *gate = arg;
    (void)db;
    sem_post(&gate->entered);
    sem_wait(&gate->leave);
    return SETPAY_OK;
}

void test_gate_close(struct test_gate *gate, struct setpay_store *store)
{
    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->leave, 0, 0);
    must(setpay_store_submit(store, wait_in_gate, NULL, gate, NULL) == SETPAY_OK, "gate");
    sem_wait(&gate->entered);
}

void test_gate_open(struct test_gate *gate)
{
    sem_post(&gate->leave);
}

enum setpay_error test_item_insert(struct setpay_db *db, void *arg)
{
    struct test_item *item = arg;
    SETPAY_TRY(setpay_db_run(db, "INSERT INTO item (key, value) VALUES ($1, $2)",
                             SETPAY_DB_INT(item->key), SETPAY_DB_TEXT(item->value)));
    return item->error;
}

void test_item_done(void *arg, enum setpay_error error)
{
    struct test_item *item = arg;
    item->result = error;
    sem_post(item->done);
}

struct count {
    int64_t key;
    int64_t count;
};

static enum setpay_error read_count(struct setpay_db *db, void *arg)
{
    struct count *count = arg;
    struct setpay_db_rows *rows = NULL;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT count(*) FROM item WHERE $1 < 0 OR key = $1",
                             SETPAY_DB_INT(count->key)));
    count->count = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static int64_t count_items(struct setpay_store *store, int64_t key)
{
    struct setpay_reader *reader = NULL;
    struct count count = {key, 0};
    must(setpay_reader_new(store, &reader) == SETPAY_OK, "reader");
    must(setpay_store_read(reader, read_count, &count) == SETPAY_OK, "read");
    setpay_reader_free(reader);
    return count.count;
}

int64_t test_item_count(struct setpay_store *store)
{
    return count_items(store, -1);
}

bool test_item_exists(struct setpay_store *store, int64_t key)
{
    return count_items(store, key) == 1;
}
