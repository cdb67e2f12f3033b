/*
 * Copies of a store that is being written, and what a database says of its own life: put back, or
 * out of service.
 */
#include "tests/support/test_limit.h"
#include "tests/support/test_store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_error(expression, expected)                                                         \
    assert_string_equal(setpay_error_name(expression), setpay_error_name(expected))
#define assert_success(expression) assert_error(expression, SETPAY_OK)

/* Some hundred pieces of a copy. */
#define ROWS 3000
static char big[4000];

struct fixture {
    struct test_folder folder;
    struct setpay_store *store;
    char copy[sizeof((struct test_folder *)0)->path + 8];
    char copy_url[sizeof((struct test_folder *)0)->path + 16];
    struct setpay_problem problem;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    test_folder_make(&fixture->folder);
    fixture->store = test_store_open(&fixture->folder, 0, 0);
    (void)snprintf(fixture->copy, sizeof fixture->copy, "%s/copy", fixture->folder.path);
    (void)snprintf(fixture->copy_url, sizeof fixture->copy_url, "sqlite:%s", fixture->copy);
    memset(big, 'b', sizeof big - 1);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    struct fixture *fixture = *state;
    setpay_store_close(fixture->store);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s%s", fixture->copy, suffixes[i]);
        (void)unlink(path);
    }
    test_folder_remove(&fixture->folder);
    free(fixture);
    return 0;
}

static enum setpay_error insert_many(struct setpay_db *db, void *arg)
{
    for (int64_t key = 1; key <= *(int64_t *)arg; key++) {
        struct test_item item = {.key = -key, .value = big};
        SETPAY_TRY(test_item_insert(db, &item));
    }
    return SETPAY_OK;
}

static void fill(struct fixture *fixture)
{
    int64_t rows = ROWS;
    assert_success(setpay_store_submit_wait(fixture->store, insert_many, &rows));
}

static void make_file(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fclose(file);
}

/* ------------------------------------------------------------------ beside writers */

struct writing {
    struct setpay_store *store;
    atomic_bool ends;
    atomic_llong committed; /* keys 1 to this are */
};

static void *write_on(void *arg)
{
    struct writing *writing = arg;
    for (int64_t key = 1; !atomic_load(&writing->ends); key++) {
        struct test_item item = {.key = key, .value = "v"};
        if (setpay_store_submit_wait(writing->store, test_item_insert, &item) != SETPAY_OK)
            break;
        atomic_store(&writing->committed, key);
    }
    return NULL;
}

static struct setpay_store *open_copy(struct fixture *fixture, bool retired)
{
    const struct setpay_store_options options = {
        .url = fixture->copy_url, .schema = &test_store_schema, .retired = retired};
    struct setpay_store *store = NULL;
    assert_success(setpay_store_check(fixture->copy_url, &fixture->problem));
    assert_success(setpay_store_open(&options, &store, &fixture->problem));
    return store;
}

/* A copy holds all that was committed before it was asked for, and of what came after the first so
 * many, in their order, and nothing else. */
static void holds_one_moment(void **state)
{
    struct fixture *fixture = *state;
    struct writing writing = {.store = fixture->store};
    pthread_t thread;
    fill(fixture);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &writing), 0);
    while (atomic_load(&writing.committed) < 20)
        (void)usleep(100);
    make_file(fixture->copy);
    int64_t before = atomic_load(&writing.committed);
    assert_success(setpay_store_copy(fixture->store, fixture->copy, NULL, &fixture->problem));
    int64_t after = atomic_load(&writing.committed);
    atomic_store(&writing.ends, true);
    (void)pthread_join(thread, NULL);
    assert_true(after > before); /* nobody waited for the end of it */
    struct setpay_store *copy = open_copy(fixture, false);
    int64_t held = test_item_count(copy) - ROWS;
    assert_true(held >= before);
    assert_true(test_item_exists(copy, held) && !test_item_exists(copy, held + 1));
    setpay_store_close(copy);
}

/* What is erased while a copy is being made leaves the database as soon as ever (rule M7): a copy
 * holds no snapshot. */
static void *copy_on(void *arg)
{
    struct fixture *fixture = arg;
    return setpay_store_copy(fixture->store, fixture->copy, NULL, &fixture->problem) == SETPAY_OK
               ? fixture
               : NULL;
}

static void does_not_hold_erasures_back(void **state)
{
    struct fixture *fixture = *state;
    pthread_t thread;
    void *result = NULL;
    fill(fixture);
    make_file(fixture->copy);
    assert_int_equal(pthread_create(&thread, NULL, copy_on, fixture), 0);
    assert_success(setpay_store_checkpoint_truncate_wait(fixture->store));
    (void)pthread_join(thread, &result);
    assert_non_null(result);
}

static void ends_where_it_is_cancelled(void **state)
{
    struct fixture *fixture = *state;
    atomic_bool cancel = true;
    fill(fixture);
    make_file(fixture->copy);
    assert_error(setpay_store_copy(fixture->store, fixture->copy, &cancel, &fixture->problem),
                 SETPAY_E_DRAINING);
    setpay_store_drain(fixture->store);
    assert_error(setpay_store_copy(fixture->store, fixture->copy, NULL, &fixture->problem),
                 SETPAY_E_DRAINING);
}

/* ------------------------------------------------------------------ history */

static enum setpay_error retire(struct setpay_db *db, void *arg)
{
    return setpay_store_retire(db, *(setpay_time_ms *)arg);
}

struct life {
    struct setpay_store_restore restore;
    bool moved;
};

static enum setpay_error restore(struct setpay_db *db, void *arg)
{
    const struct life *life = arg;
    return setpay_store_add_restore(db, &life->restore, life->moved);
}

static enum setpay_error read_last(struct setpay_db *db, void *arg)
{
    return setpay_store_last_restore(db, arg);
}

static struct setpay_store_restore last_of(struct setpay_store *store)
{
    struct setpay_store_restore last = {1, 1};
    struct setpay_reader *reader = NULL;
    assert_success(setpay_reader_new(store, &reader));
    assert_success(setpay_store_read(reader, read_last, &last));
    setpay_reader_free(reader);
    return last;
}

/* A retired database opens for its backups only; a restore ends that. */
static void retired_is_out_of_service(void **state)
{
    struct fixture *fixture = *state;
    setpay_time_ms now = 1000;
    const struct setpay_store_options plain = {.url = fixture->folder.url,
                                               .schema = &test_store_schema};
    struct setpay_store_options any = plain;
    struct life life = {.restore = {2, 3}, .moved = true};
    any.retired = true;
    assert_success(setpay_store_submit_wait(fixture->store, retire, &now));
    setpay_store_close(fixture->store);
    fixture->store = NULL;
    assert_error(setpay_store_open(&plain, &fixture->store, &fixture->problem), SETPAY_E_STATE);
    assert_non_null(strstr(fixture->problem.text, "out of service"));
    assert_success(setpay_store_open(&any, &fixture->store, &fixture->problem));
    assert_success(setpay_store_submit_wait(fixture->store, restore, &life));
    setpay_store_close(fixture->store);
    fixture->store = NULL;
    assert_success(setpay_store_open(&plain, &fixture->store, &fixture->problem));
}

/* The newest restore that forgot something counts; one by a move does not take it away. */
static void knows_when_it_was_put_back(void **state)
{
    struct fixture *fixture = *state;
    struct life lives[] = {
        {.restore = {10, 20}}, {.restore = {30, 40}}, {.restore = {50, 60}, .moved = true}};
    assert_int_equal(last_of(fixture->store).restored_ms, 0);
    for (size_t i = 0; i < 3; i++)
        assert_success(setpay_store_submit_wait(fixture->store, restore, &lives[i]));
    assert_int_equal(last_of(fixture->store).backup_ms, 30);
    assert_int_equal(last_of(fixture->store).restored_ms, 40);
}

static struct setpay_store_safety safety_of(struct setpay_store *store)
{
    struct setpay_store_health health;
    setpay_store_health(store, 0, &health);
    return health.safety;
}

/* Also over a new start; a database that was put back knows the backup that it is from. */
static void knows_its_newest_backup(void **state)
{
    struct fixture *fixture = *state;
    const struct setpay_store_options options = {.url = fixture->folder.url,
                                                 .schema = &test_store_schema};
    struct life life = {.restore = {30, 40}};
    setpay_time_ms now_ms = setpay_clock_now_ms();
    assert_int_equal(safety_of(fixture->store).backup_ms, 0);
    assert_in_range(safety_of(fixture->store).begun_ms, 1, now_ms);
    assert_success(setpay_store_note_backup(fixture->store, 10));
    assert_success(setpay_store_note_backup(fixture->store, 20));
    assert_int_equal(safety_of(fixture->store).backup_ms, 20);
    setpay_store_close(fixture->store);
    fixture->store = NULL;
    assert_success(setpay_store_open(&options, &fixture->store, &fixture->problem));
    assert_int_equal(safety_of(fixture->store).backup_ms, 20);
    assert_success(setpay_store_submit_wait(fixture->store, restore, &life));
    setpay_store_close(fixture->store);
    fixture->store = NULL;
    assert_success(setpay_store_open(&options, &fixture->store, &fixture->problem));
    assert_int_equal(safety_of(fixture->store).backup_ms, 30);
}

static void takes_the_lock_of_what_is_not_there(void **state)
{
    struct fixture *fixture = *state;
    int first = -1;
    int second = -1;
    assert_error(setpay_store_lock(fixture->folder.url, &first, &fixture->problem),
                 SETPAY_E_RUNNING);
    assert_success(setpay_store_lock(fixture->copy_url, &first, &fixture->problem));
    assert_error(setpay_store_lock(fixture->copy_url, &second, &fixture->problem),
                 SETPAY_E_RUNNING);
    (void)close(first);
    assert_success(setpay_store_lock(fixture->copy_url, &second, &fixture->problem));
    (void)close(second);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(holds_one_moment),
        test(does_not_hold_erasures_back),
        test(ends_where_it_is_cancelled),
        test(retired_is_out_of_service),
        test(knows_when_it_was_put_back),
        test(knows_its_newest_backup),
        test(takes_the_lock_of_what_is_not_there),
    };
    test_alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
