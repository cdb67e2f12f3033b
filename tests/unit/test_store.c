/*
 * The committer: groups, the queue, a full disk, watchers, draining, health.
 */
#include "tests/support/test_store.h"
#include "tests/support/test_executor.h"

#include <pthread.h>
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

static int set_up_small(void **state)
{
    return set_up_with(state, 4, 6);
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

static enum setpay_error submit_item(struct fixture *fixture, struct test_item *item)
{
    return setpay_store_submit(fixture->store, test_item_insert, test_item_done, item,
                               fixture->executor);
}

/* ------------------------------------------------------------------ groups */

static void one_that_fails_leaves_its_neighbours(void **state)
{
    struct fixture *fixture = *state;
    struct test_item items[50];
    struct setpay_store_health health;
    test_gate_close(&fixture->gate, fixture->store);
    for (int i = 0; i < 50; i++) {
        items[i] = item_of(fixture, i, i == 20 ? SETPAY_E_CONFLICT : SETPAY_OK);
        assert_success(submit_item(fixture, &items[i]));
    }
    test_gate_open(&fixture->gate);
    wait_done(fixture, 50);
    for (int i = 0; i < 50; i++) {
        assert_error(items[i].result, i == 20 ? SETPAY_E_CONFLICT : SETPAY_OK);
        assert_int_equal(test_item_exists(fixture->store, i), i != 20);
    }
    setpay_store_health(fixture->store, 1000, &health);
    assert_int_equal(health.commits, 2); /* the gate's, and one for all fifty */
    assert_int_equal(health.operations, 50);
    assert_int_equal(health.operations_failed, 1);
    assert_int_equal(health.groups_lost, 0);
}

static void two_for_one_key_the_second_hears_duplicate(void **state)
{
    struct fixture *fixture = *state;
    struct test_item first = item_of(fixture, 1, SETPAY_OK);
    struct test_item second = item_of(fixture, 1, SETPAY_OK);
    test_gate_close(&fixture->gate, fixture->store);
    assert_success(submit_item(fixture, &first));
    assert_success(submit_item(fixture, &second));
    test_gate_open(&fixture->gate);
    wait_done(fixture, 2);
    assert_error(first.result, SETPAY_OK);
    assert_error(second.result, SETPAY_E_DUPLICATE);
    assert_int_equal(test_item_count(fixture->store), 1);
}

/* ------------------------------------------------------------------ bounds */

static void a_full_queue_is_busy(void **state)
{
    struct fixture *fixture = *state;
    struct test_item items[5];
    struct setpay_store_health health;
    test_gate_close(&fixture->gate, fixture->store);
    for (int i = 0; i < 5; i++) {
        items[i] = item_of(fixture, i, SETPAY_OK);
        assert_error(submit_item(fixture, &items[i]), i < 4 ? SETPAY_OK : SETPAY_E_BUSY);
    }
    setpay_store_health(fixture->store, 60000, &health);
    assert_int_equal(health.queue_depth, 4);
    assert_int_equal(health.operations_busy, 1);
    assert_false(health.stuck);
    setpay_store_health(fixture->store, -1, &health);
    assert_true(health.stuck);
    test_gate_open(&fixture->gate);
    wait_done(fixture, 4);
    assert_success(submit_item(fixture, &items[4])); /* the place in the mailbox was given back */
    wait_done(fixture, 1);
    assert_int_equal(test_item_count(fixture->store), 5);
}

static void a_full_mailbox_is_busy(void **state)
{
    struct fixture *fixture = *state;
    struct test_item items[7];
    int taken = 0;
    test_executor_hold(fixture->test, true);
    for (int i = 0; i < 7; i++) {
        items[i] = item_of(fixture, i, SETPAY_OK);
        /* One by one, so that the queue never is what is full. */
        enum setpay_error error = submit_item(fixture, &items[i]);
        if (error == SETPAY_OK) {
            taken++;
            assert_success(setpay_store_checkpoint_truncate_wait(fixture->store));
        } else {
            assert_error(error, SETPAY_E_BUSY);
        }
    }
    assert_int_equal(taken, 6);
    test_executor_hold(fixture->test, false);
    wait_done(fixture, 6);
    assert_int_equal(test_item_count(fixture->store), 6);
}

/* ------------------------------------------------------------------ a full disk */

static enum setpay_error set_page_max(struct setpay_db *db, void *arg)
{
    const char *sql = arg;
    struct setpay_db_rows *rows = NULL;
    SETPAY_TRY(setpay_db_one(db, &rows, sql));
    return setpay_db_end(rows);
}

/* 1: less than what is in use, so that the size as it is becomes the maximum. */
static char pages_1[] = "PRAGMA max_page_count = 1";
static char pages_100000[] = "PRAGMA max_page_count = 100000";
static char big_value[3000];

static void a_full_disk_fails_and_is_outlived(void **state)
{
    struct fixture *fixture = *state;
    struct test_item items[60];
    struct setpay_store_health health;
    int64_t committed = 0;
    memset(big_value, 'x', sizeof big_value - 1);
    assert_success(setpay_store_submit_wait(fixture->store, set_page_max, pages_1));
    test_gate_close(&fixture->gate, fixture->store);
    for (int i = 0; i < 60; i++) {
        items[i] = item_of(fixture, i, SETPAY_OK);
        items[i].value = i < 30 ? "small" : big_value;
        assert_success(submit_item(fixture, &items[i]));
    }
    test_gate_open(&fixture->gate);
    wait_done(fixture, 60);
    for (int i = 0; i < 60; i++) {
        if (items[i].result != SETPAY_OK)
            assert_error(items[i].result, SETPAY_E_STORE_FULL);
        committed += items[i].result == SETPAY_OK;
        assert_int_equal(test_item_exists(fixture->store, i), items[i].result == SETPAY_OK);
    }
    assert_true(committed < 60);
    setpay_store_health(fixture->store, 1000, &health);
    assert_false(health.broken);
    assert_success(setpay_store_submit_wait(fixture->store, set_page_max, pages_100000));
    for (int i = 0; i < 60; i++) {
        if (items[i].result == SETPAY_OK)
            continue;
        assert_success(submit_item(fixture, &items[i]));
        wait_done(fixture, 1);
        assert_success(items[i].result);
    }
    assert_int_equal(test_item_count(fixture->store), 60);
}

/* An operation that overlooks the failure is not committed all the same. */
static enum setpay_error overlook_full(struct setpay_db *db, void *arg)
{
    enum setpay_error error = test_item_insert(db, arg);
    for (int64_t key = 1000; error == SETPAY_OK; key++)
        error = setpay_db_run(db, "INSERT INTO item (key, value) VALUES ($1, $2)",
                              SETPAY_DB_INT(key), SETPAY_DB_TEXT(big_value));
    return SETPAY_OK;
}

static void a_failure_can_not_be_overlooked(void **state)
{
    struct fixture *fixture = *state;
    struct test_item item = item_of(fixture, 1, SETPAY_OK);
    memset(big_value, 'x', sizeof big_value - 1);
    assert_success(setpay_store_submit_wait(fixture->store, set_page_max, pages_1));
    assert_error(setpay_store_submit_wait(fixture->store, overlook_full, &item),
                 SETPAY_E_STORE_FULL);
    assert_int_equal(test_item_count(fixture->store), 0);
}

/* ------------------------------------------------------------------ watchers */

struct watched {
    struct fixture *fixture;
    struct setpay_watcher *watcher;
    size_t notes;
    int64_t versions;
    bool reread;
};

static void on_notes(void *arg, const struct setpay_store_note *notes, size_t count, bool reread)
{
    struct watched *watched = arg;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(notes[i].id.bytes[0], 0x77);
        watched->versions += notes[i].version;
    }
    watched->notes += count;
    watched->reread = watched->reread || reread;
    sem_post(&watched->fixture->done);
}

struct noting {
    int count;
    int64_t version;
    enum setpay_error error;
    bool same; /* of one thing all of them */
};

static enum setpay_error notify(struct setpay_db *db, void *arg)
{
    const struct noting *noting = arg;
    struct setpay_id id = {.bytes = {0x77}};
    for (int i = 0; i < noting->count; i++) {
        id.bytes[1] = noting->same ? 0 : (uint8_t)i;
        SETPAY_TRY(setpay_db_notify(db, &id, noting->version));
    }
    return noting->error;
}

static void start_watch(struct fixture *fixture, struct watched *watched)
{
    *watched = (struct watched){.fixture = fixture};
    assert_success(setpay_store_watch(fixture->store, fixture->executor, on_notes, watched,
                                      &watched->watcher));
}

static void stop_watch(void *arg)
{
    struct watched *watched = arg;
    setpay_store_unwatch(watched->watcher);
}

static void watchers_hear_what_was_committed(void **state)
{
    struct fixture *fixture = *state;
    struct watched watched;
    struct noting noting = {.count = 2, .version = 5, .error = SETPAY_OK};
    struct noting refused = {.count = 3, .version = 100, .error = SETPAY_E_CONFLICT};
    struct noting too_many = {.count = SETPAY_LIMIT_STORE_NOTES + 1, .version = 100};
    start_watch(fixture, &watched);
    assert_error(setpay_store_submit_wait(fixture->store, notify, &refused), SETPAY_E_CONFLICT);
    assert_error(setpay_store_submit_wait(fixture->store, notify, &too_many), SETPAY_E_TOO_BIG);
    assert_success(setpay_store_submit_wait(fixture->store, notify, &noting));
    wait_done(fixture, 1);
    test_executor_call(fixture->test, stop_watch, &watched);
    assert_int_equal(watched.notes, 2);
    assert_int_equal(watched.versions, 10);
    assert_false(watched.reread);
    assert_success(setpay_store_submit_wait(fixture->store, notify, &noting));
    assert_int_equal(watched.notes, 2);
    /* what an operation does to one thing, however often, is heard once */
    noting = (struct noting){.count = SETPAY_LIMIT_STORE_NOTES + 1, .version = 7, .same = true};
    start_watch(fixture, &watched);
    assert_success(setpay_store_submit_wait(fixture->store, notify, &noting));
    wait_done(fixture, 1);
    test_executor_call(fixture->test, stop_watch, &watched);
    assert_int_equal(watched.notes, 1);
    assert_int_equal(watched.versions, 7);
}

static void a_slow_watcher_is_told_to_read_again(void **state)
{
    struct fixture *fixture = *state;
    struct watched watched;
    struct setpay_store_health health;
    struct noting noting = {.count = SETPAY_LIMIT_STORE_NOTES, .version = 1};
    start_watch(fixture, &watched);
    test_executor_hold(fixture->test, true);
    for (int i = 0; i < SETPAY_LIMIT_STORE_WATCH_NOTES / SETPAY_LIMIT_STORE_NOTES + 2; i++)
        assert_success(setpay_store_submit_wait(fixture->store, notify, &noting));
    test_executor_hold(fixture->test, false);
    wait_done(fixture, 1);
    test_executor_call(fixture->test, stop_watch, &watched);
    assert_true(watched.reread);
    assert_int_equal(watched.notes, SETPAY_LIMIT_STORE_WATCH_NOTES);
    setpay_store_health(fixture->store, 1000, &health);
    assert_int_equal(health.notes_lost, 2 * SETPAY_LIMIT_STORE_NOTES);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void notes_wait_for_a_full_mailbox(void **state)
{
    struct fixture *fixture = *state;
    struct watched watched;
    struct noting noting = {.count = 1, .version = 3};
    start_watch(fixture, &watched);
    test_executor_hold(fixture->test, true);
    while (fixture->executor->post(fixture->executor->self, nothing, NULL) == SETPAY_OK)
        ;
    assert_success(setpay_store_submit_wait(fixture->store, notify, &noting));
    test_executor_hold(fixture->test, false);
    wait_done(fixture, 1);
    test_executor_call(fixture->test, stop_watch, &watched);
    assert_int_equal(watched.notes, 1);
    assert_int_equal(watched.versions, 3);
    assert_false(watched.reread);
}

/* ------------------------------------------------------------------ draining */

static void *drain(void *arg)
{
    setpay_store_drain(arg);
    return NULL;
}

static void draining_finishes_what_is_queued(void **state)
{
    struct fixture *fixture = *state;
    struct test_item items[20];
    struct setpay_store_health health;
    pthread_t thread;
    test_gate_close(&fixture->gate, fixture->store);
    for (int i = 0; i < 20; i++) {
        items[i] = item_of(fixture, i, SETPAY_OK);
        assert_success(submit_item(fixture, &items[i]));
    }
    assert_int_equal(pthread_create(&thread, NULL, drain, fixture->store), 0);
    do
        setpay_store_health(fixture->store, 1000, &health);
    while (!health.draining);
    assert_error(submit_item(fixture, &items[0]), SETPAY_E_DRAINING);
    assert_error(setpay_store_checkpoint_truncate_wait(fixture->store), SETPAY_E_DRAINING);
    test_gate_open(&fixture->gate);
    wait_done(fixture, 20);
    pthread_join(thread, NULL);
    for (int i = 0; i < 20; i++)
        assert_success(items[i].result);
    assert_int_equal(test_item_count(fixture->store), 20); /* readers go on */
}

/* ------------------------------------------------------------------ long reads */

struct counting {
    int64_t count;
    int asked; /* whether it is over */
    int over_at;
};

static enum setpay_error count_items(struct setpay_db *db, void *arg)
{
    struct counting *counting = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM item"));
    counting->count = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

/* Without end. */
static enum setpay_error count_on(struct setpay_db *db, void *arg)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(count_items(db, arg));
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                             " SELECT COUNT(*) FROM n"));
    return setpay_db_end(rows);
}

static bool is_over(void *arg)
{
    struct counting *counting = arg;
    return ++counting->asked >= counting->over_at;
}

/* It ends when it is told to, and its reader goes on reading. */
static void a_long_read_can_be_ended(void **state)
{
    struct fixture *fixture = *state;
    struct counting counting = {.over_at = 3};
    struct setpay_reader *reader = NULL;
    assert_success(setpay_reader_new(fixture->store, &reader));
    assert_error(setpay_store_read_long(reader, count_on, &counting, is_over, &counting),
                 SETPAY_E_DRAINING);
    assert_int_equal(counting.asked, 3);
    counting.count = -1;
    assert_success(setpay_store_read(reader, count_items, &counting));
    assert_int_equal(counting.count, 0);
    assert_int_equal(counting.asked, 3); /* not asked any more */
    assert_success(setpay_store_read_long(reader, count_items, &counting, is_over, &counting));
    setpay_reader_free(reader);
}

static void kept_over_a_new_open(void **state)
{
    struct fixture *fixture = *state;
    struct test_item item = item_of(fixture, 3, SETPAY_OK);
    assert_success(setpay_store_submit_wait(fixture->store, test_item_insert, &item));
    setpay_store_close(fixture->store);
    fixture->store = test_store_open(&fixture->folder, 0, 0);
    assert_true(test_item_exists(fixture->store, 3));
}

int main(void)
{
#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
#define test_small(function) cmocka_unit_test_setup_teardown(function, set_up_small, tear_down)
    const struct CMUnitTest tests[] = {
        test(one_that_fails_leaves_its_neighbours),
        test(two_for_one_key_the_second_hears_duplicate),
        test_small(a_full_queue_is_busy),
        test_small(a_full_mailbox_is_busy),
        test(a_full_disk_fails_and_is_outlived),
        test(a_failure_can_not_be_overlooked),
        test(watchers_hear_what_was_committed),
        test(a_slow_watcher_is_told_to_read_again),
        test_small(notes_wait_for_a_full_mailbox),
        test(draining_finishes_what_is_queued),
        test(a_long_read_can_be_ended),
        test(kept_over_a_new_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
