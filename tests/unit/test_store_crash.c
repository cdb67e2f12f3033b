/*
 * Crash points (common/base/testing.h), and a disk whose flush fails while the store commits.
 */
#include "common/base/testing.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_error(expression, expected)                                                         \
    assert_string_equal(setpay_error_name(expression), setpay_error_name(expected))
#define assert_success(expression) assert_error(expression, SETPAY_OK)

/* ------------------------------------------------------------------ crash points */

/* In a child: arms what the environment says, passes the point; the status tells how it ended. */
static int run_child(const char *variable, bool enabled, int passes)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("SETPAY_CRASH", variable, 1);
        if (enabled)
            setpay_testing_enable();
        enum setpay_error error = setpay_testing_arm_from_environment();
        if (error != SETPAY_OK)
            _exit(error == SETPAY_E_PERMISSION ? 10 : error == SETPAY_E_INVALID ? 11 : 12);
        for (int i = 0; i < passes; i++) {
            setpay_testing_point("test.other");
            setpay_testing_point("test.point");
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_point_kills_on_the_counted_pass(void **state)
{
    (void)state;
    assert_int_equal(run_child("test.point:3", true, 2), 0);
    int status = run_child("test.point:3", true, 3);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(run_child("test.point:0", true, 5), 0);
}

static void passes_are_counted_from_enabling_on(void **state)
{
    int status = 0;
    (void)state;
    pid_t child = fork(); /* enabling can't be taken back */
    assert_true(child >= 0);
    if (child == 0) {
        struct setpay_testing_passes passes[SETPAY_TESTING_POINTS_MAX];
        setpay_testing_point("test.before");
        setpay_testing_enable();
        setpay_testing_point("test.one");
        setpay_testing_point("test.two");
        setpay_testing_point("test.one");
        size_t count = setpay_testing_passes(passes, SETPAY_TESTING_POINTS_MAX, true);
        bool good = count == 2 && strcmp(passes[0].point, "test.one") == 0 &&
                    passes[0].count == 2 && strcmp(passes[1].point, "test.two") == 0 &&
                    passes[1].count == 1;
        setpay_testing_point("test.two");
        count = setpay_testing_passes(passes, 1, false);
        good = good && count == 1 && passes[0].count == 0;
        count = setpay_testing_passes(passes, SETPAY_TESTING_POINTS_MAX, false);
        _exit(good && count == 2 && passes[1].count == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void nothing_is_armed_unless_enabled(void **state)
{
    (void)state;
    assert_int_equal(WEXITSTATUS(run_child("test.point:1", false, 3)), 10);
}

static void a_malformed_wish_is_refused(void **state)
{
    static const char *const wishes[] = {"",
                                         "test.point",
                                         "test.point:",
                                         ":1",
                                         "test.point:x",
                                         "test.point:-1",
                                         "test.point:99999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
        assert_int_equal(WEXITSTATUS(run_child(wishes[i], true, 3)), 11);
}

/* ------------------------------------------------------------------ a disk that fails
 * SQLite's default file system with another xSync for the log. */

static bool sync_fails;
static sqlite3_vfs faulty;
static sqlite3_io_methods faulty_methods;
static sqlite3_vfs *plain;
static int (*plain_sync)(sqlite3_file *file, int flags);

static int faulty_sync(sqlite3_file *file, int flags)
{
    return sync_fails ? SQLITE_IOERR_FSYNC : plain_sync(file, flags);
}

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                       int *out_flags)
{
    (void)vfs;
    int code = plain->xOpen(plain, name, file, flags, out_flags);
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) {
        if (plain_sync == NULL) {
            faulty_methods = *file->pMethods;
            plain_sync = faulty_methods.xSync;
            faulty_methods.xSync = faulty_sync;
        }
        file->pMethods = &faulty_methods;
    }
    return code;
}

static void a_flush_that_fails_breaks_the_store(void **state)
{
    struct test_folder folder;
    struct setpay_store_health health;
    struct test_item items[3] = {
        {.key = 1, .value = "a"}, {.key = 2, .value = "b"}, {.key = 3, .value = "c"}};
    (void)state;
    test_folder_make(&folder);
    /* The first open sets SQLite's memory up, before the file system is changed. */
    setpay_store_close(test_store_open(&folder, 0, 0));
    plain = sqlite3_vfs_find(NULL);
    faulty = *plain;
    faulty.zName = "faulty";
    faulty.xOpen = faulty_open;
    assert_int_equal(sqlite3_vfs_register(&faulty, 1), SQLITE_OK);

    struct setpay_store *store = test_store_open(&folder, 0, 0);
    assert_success(setpay_store_submit_wait(store, test_item_insert, &items[0]));
    sync_fails = true;
    assert_error(setpay_store_submit_wait(store, test_item_insert, &items[1]), SETPAY_E_IO);
    sync_fails = false;
    setpay_store_health(store, 1000, &health);
    assert_true(health.broken);
    assert_error(setpay_store_submit_wait(store, test_item_insert, &items[2]), SETPAY_E_IO);
    assert_error(setpay_store_checkpoint_truncate_wait(store), SETPAY_E_IO);
    setpay_store_close(store);

    /* A new start settles it: what was acknowledged is there, the second may be, the third not. */
    store = test_store_open(&folder, 0, 0);
    assert_true(test_item_exists(store, 1));
    assert_false(test_item_exists(store, 3));
    assert_success(setpay_store_submit_wait(store, test_item_insert, &items[2]));
    setpay_store_close(store);
    sqlite3_vfs_unregister(&faulty);
    test_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_point_kills_on_the_counted_pass),
        cmocka_unit_test(passes_are_counted_from_enabling_on),
        cmocka_unit_test(nothing_is_armed_unless_enabled),
        cmocka_unit_test(a_malformed_wish_is_refused),
        cmocka_unit_test(a_flush_that_fails_breaks_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
