/*
 * Rule M7: what is deleted and erased is gone from the database, its log and the process's memory.
 * The files are searched for the bytes of deleted rows, while rows of all sizes come and go.
 */
#include "common/base/secret.h"
#include "tests/support/test_executor.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define assert_error(expression, expected)                                                         \
    assert_string_equal(setpay_error_name(expression), setpay_error_name(expected))
#define assert_success(expression) assert_error(expression, SETPAY_OK)

#ifdef SETPAY_SANITIZED
#define SANITIZED true
#else
#define SANITIZED false
#endif

struct fixture {
    struct test_folder folder;
    struct setpay_store *store;
    struct test_executor *test;
    struct setpay_executor *executor;
    sem_t done;
    struct test_gate gate;
};

static int set_up_with(void **state, size_t queue_max, size_t mailbox_max)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    test_folder_make(&fixture->folder);
    fixture->store = test_store_open(&fixture->folder, queue_max, 0);
    fixture->test = test_executor_new(mailbox_max);
    fixture->executor = test_executor_of(fixture->test);
    sem_init(&fixture->done, 0, 0);
    *state = fixture;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, 0, 1024);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    setpay_store_close(fixture->store);
    test_executor_free(fixture->test);
    test_folder_remove(&fixture->folder);
    free(fixture);
    return 0;
}

static struct test_item item_of(struct fixture *fixture, int64_t key, enum setpay_error error)
{
    return (struct test_item){.key = key,
                              .value = "v",
                              .error = error,
                              .result = SETPAY_E_INTERNAL,
                              .done = &fixture->done};
}

static void wait_done(struct fixture *fixture, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 60;
        assert_int_equal(sem_timedwait(&fixture->done, &until), 0);
    }
}

/* ------------------------------------------------------------------ rule M7 */

#define ERASABLE_COUNT 200

/* Secret text that stands in every erasable row, 16 bytes that occur nowhere else. */
static const char mark[] = "M7:marked-secret";

struct erasable {
    int64_t id;
    size_t size;
    uint8_t bytes[4096];
};

static enum setpay_error keep_erasable(struct setpay_db *db, void *arg)
{
    const struct erasable *erasable = arg;
    return setpay_db_run(db, "INSERT INTO erasable (id, bytes) VALUES ($1, $2)",
                         SETPAY_DB_INT(erasable->id),
                         SETPAY_DB_VIEW(setpay_view_of(erasable->bytes, erasable->size)));
}

static enum setpay_error delete_erasable(struct setpay_db *db, void *arg)
{
    const int64_t *id = arg;
    return setpay_db_run(db, "DELETE FROM erasable WHERE id = $1", SETPAY_DB_INT(*id));
}

/* A row full of its own mark: "M7:marked-secret" followed by its number, again and again. */
static void fill(struct erasable *erasable, int64_t id, size_t size)
{
    erasable->id = id;
    erasable->size = size;
    for (size_t at = 0; at < size; at++) {
        char text[32];
        snprintf(text, sizeof text, "%s%07d.", mark, (int)id);
        erasable->bytes[at] = (uint8_t)text[at % 24];
    }
}

static bool holds_row(const struct test_folder *folder, int64_t id)
{
    char text[32];
    snprintf(text, sizeof text, "%s%07d.", mark, (int)id);
    return test_folder_holds(folder, text, 24);
}

static void what_is_erased_leaves_every_file(void **state)
{
    struct fixture *fixture = *state;
    struct erasable erasable;
    int64_t ids[ERASABLE_COUNT];
    srand(7);
    for (int64_t i = 0; i < ERASABLE_COUNT; i++) {
        fill(&erasable, i + 1, 400 + (size_t)(rand() % 3600));
        assert_success(setpay_store_submit_wait(fixture->store, keep_erasable, &erasable));
        ids[i] = i + 1;
    }
    assert_true(holds_row(&fixture->folder, 1));
    for (int i = ERASABLE_COUNT - 1; i > 0; i--) { /* in no order */
        int other = rand() % (i + 1);
        int64_t swap = ids[i];
        ids[i] = ids[other];
        ids[other] = swap;
    }
    for (int i = 0; i < ERASABLE_COUNT; i++) {
        assert_success(setpay_store_submit_wait(fixture->store, delete_erasable, &ids[i]));
        if (i % 8 != 0 && i != ERASABLE_COUNT - 1)
            continue;
        assert_success(setpay_store_checkpoint_truncate_wait(fixture->store));
        for (int gone = i; gone >= 0; gone -= 5)
            if (holds_row(&fixture->folder, ids[gone]))
                fail_msg("row %d is still in a file after %d deletes", (int)ids[gone], i + 1);
    }
    assert_false(test_folder_holds(&fixture->folder, mark, sizeof mark - 1));
}

/* As in a daemon: rows of all sizes come and go, so that pages are split, merged and used anew. */
static void what_is_erased_leaves_while_others_come(void **state)
{
    struct fixture *fixture = *state;
    struct erasable erasable;
    int64_t live[40];
    int64_t gone[400];
    int64_t next = 1;
    int gone_count = 0;
    srand(11);
    for (int i = 0; i < 40; i++) {
        live[i] = next++;
        fill(&erasable, live[i], 60 + (size_t)(rand() % 900));
        assert_success(setpay_store_submit_wait(fixture->store, keep_erasable, &erasable));
    }
    while (gone_count < 400) {
        int which = rand() % 40;
        gone[gone_count++] = live[which];
        assert_success(setpay_store_submit_wait(fixture->store, delete_erasable, &live[which]));
        live[which] = next++;
        fill(&erasable, live[which], 60 + (size_t)(rand() % (gone_count % 2 == 0 ? 300 : 4000)));
        assert_success(setpay_store_submit_wait(fixture->store, keep_erasable, &erasable));
        if (gone_count % 50 != 0)
            continue;
        assert_success(setpay_store_checkpoint_truncate_wait(fixture->store));
        for (int i = gone_count - 1; i >= 0; i -= 3)
            if (holds_row(&fixture->folder, gone[i]))
                fail_msg("row %d is still in a file", (int)gone[i]);
    }
}

/* Whether the bytes stand anywhere in this process's heaps (not on a stack of this thread). */
static bool memory_holds(const char *text, size_t size)
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL && !found) {
        char *rest = line;
        unsigned long from = strtoul(rest, &rest, 16);
        unsigned long to = *rest == '-' ? strtoul(rest + 1, &rest, 16) : 0;
        if (to <= from || strncmp(rest, " rw", 3) != 0 || strstr(line, "[stack]") != NULL ||
            strchr(line, '/') != NULL)
            continue;
        /* Through a file, so that a region that can't be read is no crash. */
        FILE *memory = fopen("/proc/self/mem", "rb");
        assert_non_null(memory);
        setvbuf(memory, NULL, _IONBF, 0);
        static uint8_t page[4096 + 64]; /* pages overlap by 64 bytes */
        for (unsigned long at = from; at + 4096 <= to && !found; at += 4096) {
            size_t want = at + sizeof page <= to ? sizeof page : 4096;
            if (fseek(memory, (long)at, SEEK_SET) != 0 || fread(page, 1, want, memory) != want)
                continue;
            /* Not this buffer itself. */
            if ((uint8_t *)at + 4096 + 64 > page && (uint8_t *)at < page + sizeof page)
                continue;
            found = memmem(page, want, text, size) != NULL;
        }
        fclose(memory);
        setpay_cleanse(page, sizeof page);
    }
    fclose(maps);
    return found;
}

static enum setpay_error read_erasable(struct setpay_db *db, void *arg)
{
    struct setpay_db_rows *rows = NULL;
    const struct erasable *erasable = arg;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT bytes FROM erasable WHERE id = $1",
                             SETPAY_DB_INT(erasable->id)));
    assert_int_equal(setpay_db_get_view(rows, 0).size, erasable->size);
    return setpay_db_end(rows);
}

/* A look at it by the way, under another name. */
static enum setpay_error read_by_the_way(struct setpay_db *db, void *arg)
{
    struct setpay_db_rows *rows = NULL;
    const struct erasable *erasable = arg;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT count(*) FROM item WHERE EXISTS (SELECT 1 FROM ERASABLE AS e"
                             " WHERE e.id = $1 AND substr(e.bytes, 2500) <> x'00')",
                             SETPAY_DB_INT(erasable->id)));
    return setpay_db_end(rows);
}

static enum setpay_error put_item(struct setpay_db *db, void *arg)
{
    (void)arg;
    return setpay_db_run(db, "INSERT INTO item (key, value) VALUES ($1, $2)", SETPAY_DB_INT(1),
                         SETPAY_DB_TEXT("an item"));
}

static void leaves_the_memory(struct fixture *fixture, setpay_store_read_fn *read)
{
    struct setpay_reader *reader = NULL;
    struct erasable *erasable = NULL;
    char text[32];
    if (SANITIZED) /* its shadow memory is terabytes, and it keeps what was freed */
        return;
    assert_success(setpay_store_submit_wait(fixture->store, put_item, NULL));
    erasable = calloc(1, sizeof *erasable);
    snprintf(text, sizeof text, "%s%07d.", mark, 424242);
    fill(erasable, 424242, 3000);
    assert_success(setpay_reader_new(fixture->store, &reader));
    assert_success(setpay_store_submit_wait(fixture->store, keep_erasable, erasable));
    assert_success(setpay_store_read(reader, read, erasable));
    assert_true(memory_holds(text, 24)); /* in our own copy */
    setpay_cleanse(erasable->bytes, sizeof erasable->bytes);
    assert_success(setpay_store_submit_wait(fixture->store, delete_erasable, &erasable->id));
    assert_success(setpay_store_checkpoint_truncate_wait(fixture->store));
    assert_false(memory_holds(text, 24));
    setpay_reader_free(reader);
    free(erasable);
}

static void what_is_erased_leaves_the_memory(void **state)
{
    leaves_the_memory(*state, read_erasable);
}

static void what_was_seen_by_the_way_leaves_it_too(void **state)
{
    leaves_the_memory(*state, read_by_the_way);
}

static void erasure_at_drain(void **state)
{
    struct fixture *fixture = *state;
    struct erasable erasable;
    fill(&erasable, 1, 900);
    assert_success(setpay_store_submit_wait(fixture->store, keep_erasable, &erasable));
    assert_success(setpay_store_submit_wait(fixture->store, delete_erasable, &erasable.id));
    setpay_store_drain(fixture->store);
    assert_false(holds_row(&fixture->folder, 1));
}

struct holding {
    struct fixture *fixture;
    struct test_item item;
    bool before_limit;
};

static enum setpay_error hold_while_erasing(struct setpay_db *db, void *arg)
{
    struct holding *holding = arg;
    struct fixture *fixture = holding->fixture;
    struct setpay_db_rows *rows = NULL;
    int64_t id = 1;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT count(*) FROM erasable"));
    assert_int_equal(setpay_db_get_int(rows, 0), 1);
    SETPAY_TRY(setpay_db_end(rows));
    assert_success(setpay_store_submit_wait(fixture->store, delete_erasable, &id));
    if (holding->before_limit) {
        assert_success(setpay_store_checkpoint_truncate(fixture->store, test_item_done,
                                                        &holding->item, fixture->executor));
        /* The committer goes on while the erasure waits for us. */
        struct test_item other = item_of(fixture, 5, SETPAY_OK);
        assert_success(setpay_store_submit_wait(fixture->store, test_item_insert, &other));
        assert_error(holding->item.result, SETPAY_E_INTERNAL); /* not heard of yet */
    } else {
        assert_error(setpay_store_checkpoint_truncate_wait(fixture->store), SETPAY_E_TIMEOUT);
    }
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT count(*) FROM erasable"));
    assert_int_equal(setpay_db_get_int(rows, 0), 1); /* the snapshot stands */
    return setpay_db_end(rows);
}

static void hold(struct fixture *fixture, bool before_limit)
{
    struct erasable erasable;
    struct setpay_reader *reader = NULL;
    struct holding holding = {
        .fixture = fixture, .item = item_of(fixture, 0, SETPAY_OK), .before_limit = before_limit};
    fill(&erasable, 1, 900);
    assert_success(setpay_store_submit_wait(fixture->store, keep_erasable, &erasable));
    assert_success(setpay_reader_new(fixture->store, &reader));
    assert_success(setpay_store_read(reader, hold_while_erasing, &holding));
    if (before_limit) {
        wait_done(fixture, 1);
        assert_success(holding.item.result);
    } else {
        assert_success(setpay_store_checkpoint_truncate_wait(fixture->store));
    }
    assert_false(holds_row(&fixture->folder, 1));
    setpay_reader_free(reader);
}

static void erasure_waits_for_a_reader(void **state)
{
    hold(*state, true);
}

static void erasure_gives_up_on_a_long_reader(void **state)
{
    hold(*state, false);
}

int main(void)
{
#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        test(what_is_erased_leaves_every_file),
        test(what_is_erased_leaves_while_others_come),
        test(what_is_erased_leaves_the_memory),
        test(what_was_seen_by_the_way_leaves_it_too),
        test(erasure_at_drain),
        test(erasure_waits_for_a_reader),
        test(erasure_gives_up_on_a_long_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
