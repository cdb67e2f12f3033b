/*
 * Who may sign in to the owner's pages, and for how long: sessions end by themselves, with another
 * password, and with the account; and tries are counted.
 */
#include "common/base/secret.h"
#include "common/store/store.h"
#include "merchant/store/admin/owner.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START_MS INT64_C(1790000000000)

static const struct setpay_store_migration steps[] = {{1, SETPAY_OWNER_SCHEMA}, {0, NULL}};
static const struct setpay_store_schema schema = {.name = "merchant", .steps = steps};

static struct test_folder folder;
static struct setpay_store *store;

/* One call, and what came of it. */
struct call {
    enum what { ADD, SIGN_IN, FIND, TOUCH, PASSWORD, REMOVE, END_ALL, TRY, PURGE, COUNT } what;
    const char *name;
    const char *text; /* a password, an address, a table */
    uint8_t session, old;
    setpay_time_ms now_ms;
    char found[SETPAY_OWNER_NAME_BYTES + 1];
    bool stale;
    int64_t count;
};

static struct setpay_digest session_of(uint8_t which)
{
    return (struct setpay_digest){.bytes = {which}};
}

static enum setpay_error run(struct setpay_db *db, void *arg)
{
    struct call *call = arg;
    const struct setpay_digest session = session_of(call->session), old = session_of(call->old);
    struct setpay_db_rows *rows;
    switch (call->what) {
    case ADD:
        return setpay_owner_add(db, call->name, call->text, call->now_ms);
    case SIGN_IN:
        return setpay_owner_sign_in(db, call->name, call->text, "192.0.2.1", &session, &old,
                                    call->now_ms);
    case FIND:
        return setpay_owner_session_find(db, &session, call->now_ms, call->found, &call->stale);
    case TOUCH:
        return setpay_owner_session_touch(db, &session, call->now_ms);
    case PASSWORD:
        return setpay_owner_set_password(db, call->name, call->text, call->now_ms);
    case REMOVE:
        return setpay_owner_remove(db, call->name);
    case END_ALL:
        return setpay_owner_session_end_all(db, call->name);
    case TRY:
        return setpay_owner_try(db, call->name, call->text, call->now_ms);
    case PURGE:
        return setpay_owner_purge(db, call->now_ms);
    case COUNT:
        SETPAY_TRY(setpay_db_one(db, &rows, call->text));
        call->count = setpay_db_get_int(rows, 0);
        return setpay_db_end(rows);
    }
    return SETPAY_E_INTERNAL;
}

static enum setpay_error submit(struct call *call)
{
    return setpay_store_submit_wait(store, run, call);
}

static enum setpay_error call_of(enum what what, const char *name, const char *text,
                                 uint8_t session, uint8_t old, setpay_time_ms now_ms)
{
    struct call call = {
        .name = name, .text = text, .session = session, .old = old, .now_ms = now_ms};
    call.what = what;
    return submit(&call);
}

static int open_store(void **state)
{
    struct setpay_problem problem;
    (void)state;
    test_folder_make(&folder);
    const struct setpay_store_options options = {.url = folder.url, .schema = &schema};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    assert_int_equal(call_of(ADD, "ada", "first", 0, 0, START_MS), SETPAY_OK);
    assert_int_equal(call_of(ADD, "ben", "other", 0, 0, START_MS), SETPAY_OK);
    assert_int_equal(call_of(ADD, "ada", "again", 0, 0, START_MS), SETPAY_E_EXISTS);
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    setpay_store_close(store);
    test_folder_remove(&folder);
    return 0;
}

static enum setpay_error find(uint8_t session, setpay_time_ms now_ms)
{
    return call_of(FIND, NULL, NULL, session, 0, now_ms);
}

static int64_t count(const char *sql)
{
    struct call call = {COUNT, .text = sql};
    assert_int_equal(submit(&call), SETPAY_OK);
    return call.count;
}

static void a_session_is_its_owners_and_ends_when_nobody_uses_it(void **state)
{
    (void)state;
    assert_int_equal(call_of(SIGN_IN, "ada", "wrong", 1, 9, START_MS), SETPAY_E_NOT_FOUND);
    assert_int_equal(find(1, START_MS), SETPAY_E_NOT_FOUND);
    assert_int_equal(call_of(SIGN_IN, "ada", "first", 1, 9, START_MS), SETPAY_OK);
    struct call call = {FIND, .session = 1, .now_ms = START_MS};
    assert_int_equal(submit(&call), SETPAY_OK);
    assert_string_equal(call.found, "ada");
    assert_false(call.stale);
    assert_int_equal(find(2, START_MS), SETPAY_E_NOT_FOUND);
    call.now_ms = START_MS + SETPAY_OWNER_TOUCH_MS;
    assert_int_equal(submit(&call), SETPAY_OK);
    assert_true(call.stale);
    assert_int_equal(find(1, START_MS + SETPAY_OWNER_IDLE_MS - 1), SETPAY_OK);
    assert_int_equal(find(1, START_MS + SETPAY_OWNER_IDLE_MS), SETPAY_E_NOT_FOUND);
    assert_int_equal(call_of(PURGE, NULL, NULL, 0, 0, START_MS + SETPAY_OWNER_IDLE_MS - 1),
                     SETPAY_OK);
    assert_int_equal(count("SELECT COUNT(*) FROM owner_session"), 1);
    assert_int_equal(call_of(PURGE, NULL, NULL, 0, 0, START_MS + SETPAY_OWNER_IDLE_MS), SETPAY_OK);
    assert_int_equal(count("SELECT COUNT(*) FROM owner_session"), 0);
}

static void a_session_ends_however_much_it_is_used(void **state)
{
    (void)state;
    setpay_time_ms now_ms = START_MS;
    assert_int_equal(call_of(SIGN_IN, "ada", "first", 1, 9, START_MS), SETPAY_OK);
    for (; now_ms < START_MS + SETPAY_OWNER_LIFE_MS; now_ms += SETPAY_OWNER_IDLE_MS / 2) {
        assert_int_equal(find(1, now_ms), SETPAY_OK);
        assert_int_equal(call_of(TOUCH, NULL, NULL, 1, 0, now_ms), SETPAY_OK);
    }
    assert_int_equal(find(1, START_MS + SETPAY_OWNER_LIFE_MS - 1), SETPAY_OK);
    assert_int_equal(find(1, START_MS + SETPAY_OWNER_LIFE_MS), SETPAY_E_NOT_FOUND);
}

static void signing_in_ends_what_the_browser_had_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(call_of(SIGN_IN, "ada", "first", 1, 9, START_MS), SETPAY_OK);
    assert_int_equal(call_of(SIGN_IN, "ada", "first", 2, 9, START_MS), SETPAY_OK);
    assert_int_equal(call_of(SIGN_IN, "ben", "other", 3, 1, START_MS), SETPAY_OK);
    assert_int_equal(find(1, START_MS), SETPAY_E_NOT_FOUND);
    assert_int_equal(find(2, START_MS), SETPAY_OK);
    assert_int_equal(find(3, START_MS), SETPAY_OK);
    assert_int_equal(call_of(END_ALL, "ada", NULL, 0, 0, 0), SETPAY_OK);
    assert_int_equal(find(2, START_MS), SETPAY_E_NOT_FOUND);
    assert_int_equal(find(3, START_MS), SETPAY_OK);
}

static void another_password_ends_every_session_of_the_account(void **state)
{
    (void)state;
    assert_int_equal(call_of(SIGN_IN, "ada", "first", 1, 9, START_MS), SETPAY_OK);
    assert_int_equal(call_of(SIGN_IN, "ben", "other", 2, 9, START_MS), SETPAY_OK);
    assert_int_equal(call_of(PASSWORD, "ada", "second", 0, 0, START_MS), SETPAY_OK);
    assert_int_equal(find(1, START_MS), SETPAY_E_NOT_FOUND);
    assert_int_equal(find(2, START_MS), SETPAY_OK);
    /* The password that was looked at has gone meanwhile. */
    assert_int_equal(call_of(SIGN_IN, "ada", "first", 3, 9, START_MS), SETPAY_E_NOT_FOUND);
    assert_int_equal(call_of(SIGN_IN, "ada", "second", 3, 9, START_MS), SETPAY_OK);
    assert_int_equal(call_of(REMOVE, "ada", NULL, 0, 0, 0), SETPAY_OK);
    assert_int_equal(find(3, START_MS), SETPAY_E_NOT_FOUND);
    assert_int_equal(call_of(REMOVE, "ada", NULL, 0, 0, 0), SETPAY_E_NOT_FOUND);
    assert_int_equal(call_of(PASSWORD, "ada", "third", 0, 0, START_MS), SETPAY_E_NOT_FOUND);
    assert_int_equal(call_of(ADD, "ada", "first", 0, 0, START_MS), SETPAY_OK);
    assert_int_equal(find(3, START_MS), SETPAY_E_NOT_FOUND);
}

static void tries_have_an_end_and_begin_anew(void **state)
{
    (void)state;
    for (int i = 0; i < SETPAY_OWNER_TRIES; i++)
        assert_int_equal(call_of(TRY, "ada", "192.0.2.1", 0, 0, START_MS), SETPAY_OK);
    assert_int_equal(call_of(TRY, "ada", "192.0.2.2", 0, 0, START_MS), SETPAY_E_BUSY);
    assert_int_equal(call_of(TRY, "ben", "192.0.2.1", 0, 0, START_MS), SETPAY_E_BUSY);
    assert_int_equal(call_of(TRY, "ben", "192.0.2.2", 0, 0, START_MS), SETPAY_OK);
    assert_int_equal(call_of(TRY, "ada", "192.0.2.1", 0, 0, START_MS + SETPAY_OWNER_TRIES_MS - 1),
                     SETPAY_E_BUSY);
    assert_int_equal(call_of(TRY, "ada", "192.0.2.1", 0, 0, START_MS + SETPAY_OWNER_TRIES_MS),
                     SETPAY_OK);
    /* Who gets in has made no mistakes. */
    for (int i = 0; i < SETPAY_OWNER_TRIES + 5; i++) {
        assert_int_equal(
            call_of(TRY, "ada", "192.0.2.1", 0, 0, START_MS + 2 * SETPAY_OWNER_TRIES_MS),
            SETPAY_OK);
        assert_int_equal(
            call_of(SIGN_IN, "ada", "first", 1, 1, START_MS + 2 * SETPAY_OWNER_TRIES_MS),
            SETPAY_OK);
    }
}

static void lock_out(const char *name, const char *address)
{
    for (int i = 0; i < SETPAY_OWNER_TRIES; i++)
        assert_int_equal(call_of(TRY, name, address, 0, 0, START_MS), SETPAY_OK);
    assert_int_equal(call_of(TRY, name, address, 0, 0, START_MS), SETPAY_E_BUSY);
}

static void another_password_lets_in_who_was_locked_out(void **state)
{
    (void)state;
    lock_out("ada", "192.0.2.1");
    lock_out("ben", "192.0.2.2");
    assert_int_equal(call_of(PASSWORD, "nobody", "second", 0, 0, START_MS), SETPAY_E_NOT_FOUND);
    assert_int_equal(call_of(TRY, "ada", "192.0.2.9", 0, 0, START_MS), SETPAY_E_BUSY);
    assert_int_equal(call_of(PASSWORD, "ada", "second", 0, 0, START_MS), SETPAY_OK);
    /* By account and by address; the other account's tries count on. */
    assert_int_equal(call_of(TRY, "ada", "192.0.2.1", 0, 0, START_MS), SETPAY_OK);
    assert_int_equal(call_of(TRY, "ben", "192.0.2.3", 0, 0, START_MS), SETPAY_E_BUSY);
    assert_int_equal(call_of(REMOVE, "ben", NULL, 0, 0, 0), SETPAY_OK);
    assert_int_equal(call_of(ADD, "ben", "third", 0, 0, START_MS), SETPAY_OK);
    assert_int_equal(call_of(TRY, "ben", "192.0.2.2", 0, 0, START_MS), SETPAY_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_its_owners_and_ends_when_nobody_uses_it),
        TEST(a_session_ends_however_much_it_is_used),
        TEST(signing_in_ends_what_the_browser_had_and_nothing_else),
        TEST(another_password_ends_every_session_of_the_account),
        TEST(tries_have_an_end_and_begin_anew),
        TEST(another_password_lets_in_who_was_locked_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
