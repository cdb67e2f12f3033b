/*
 * Answers that were given (rule A6): the same bytes for the same request, a refusal for the same
 * rrpid with other content, through a restart, until their time is over.
 */
#include "common/base/limits.h"
#include "common/store/answers.h"
#include "common/store/store.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct setpay_store_migration steps[] = {{1, SETPAY_ANSWERS_SCHEMA}, {0}};
static const struct setpay_store_schema schema = {.name = "answers", .steps = steps};

/* One call of answers.h, to be run on the database. */
struct call {
    struct setpay_digest sender;
    struct setpay_id rrpid;
    struct setpay_digest hash;
    struct setpay_view response;
    setpay_time_ms now_ms;
    struct setpay_buffer found;
    int64_t deleted;
};

static enum setpay_error keep(struct setpay_db *db, void *arg)
{
    struct call *call = arg;
    return setpay_answers_keep(db, &call->sender, &call->rrpid, &call->hash, call->response,
                               call->now_ms);
}

static enum setpay_error find(struct setpay_db *db, void *arg)
{
    struct call *call = arg;
    return setpay_answers_find(db, &call->sender, &call->rrpid, &call->hash, &call->found);
}

static enum setpay_error purge(struct setpay_db *db, void *arg)
{
    struct call *call = arg;
    return setpay_answers_purge(db, call->now_ms, 10, &call->deleted);
}

static struct setpay_store *open_store(const struct test_folder *folder)
{
    struct setpay_store *store = NULL;
    struct setpay_problem problem;
    struct setpay_store_options options = {.url = folder->url, .schema = &schema};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    return store;
}

/* rule A6 */
static void test_the_same_request_gets_the_same_answer_also_after_a_restart(void **state)
{
    (void)state;
    struct test_folder folder;
    test_folder_make(&folder);
    struct setpay_store *store = open_store(&folder);
    struct call call = {.sender = test_digest(1),
                        .rrpid = test_id(2),
                        .hash = test_digest(3),
                        .response = setpay_view_string("an answer"),
                        .now_ms = TEST_DATE_MS};
    setpay_buffer_init(&call.found, 100);
    assert_int_equal(setpay_store_submit_wait(store, find, &call), SETPAY_E_NOT_FOUND);
    assert_int_equal(setpay_store_submit_wait(store, keep, &call), SETPAY_OK);
    setpay_store_close(store);
    store = open_store(&folder);
    assert_int_equal(setpay_store_submit_wait(store, find, &call), SETPAY_OK);
    assert_true(setpay_view_equal(setpay_buffer_view(&call.found), call.response));
    /* Kept once: a second answer to the same, and one to other content. */
    call.response = setpay_view_string("another");
    assert_int_equal(setpay_store_submit_wait(store, keep, &call), SETPAY_E_CONFLICT);
    call.hash = test_digest(4);
    assert_int_equal(setpay_store_submit_wait(store, keep, &call), SETPAY_E_RRPID_REUSED);
    assert_int_equal(setpay_store_submit_wait(store, find, &call), SETPAY_E_RRPID_REUSED);
    /* Another sender's rrpid is another request. */
    call.sender = test_digest(5);
    assert_int_equal(setpay_store_submit_wait(store, find, &call), SETPAY_E_NOT_FOUND);
    assert_int_equal(setpay_store_submit_wait(store, keep, &call), SETPAY_OK);
    /* Until its time is over, which is longer than A5 could take the request for new. */
    call.now_ms = TEST_DATE_MS + SETPAY_LIMIT_ANSWER_KEPT_MS;
    assert_int_equal(setpay_store_submit_wait(store, purge, &call), SETPAY_OK);
    assert_int_equal(call.deleted, 0);
    call.now_ms++;
    assert_int_equal(setpay_store_submit_wait(store, purge, &call), SETPAY_OK);
    assert_int_equal(call.deleted, 2);
    assert_int_equal(setpay_store_submit_wait(store, find, &call), SETPAY_E_NOT_FOUND);
    assert_true(SETPAY_LIMIT_ANSWER_KEPT_MS > 2 * SETPAY_LIMIT_DATE_TOLERANCE_MS);
    setpay_store_close(store);
    setpay_buffer_clear(&call.found);
    test_folder_remove(&folder);
}

static void test_what_a_repeat_may_overcome_is_not_kept(void **state)
{
    (void)state;
    assert_false(setpay_answer_is_kept(SETPAY_E_BUSY));
    assert_false(setpay_answer_is_kept(SETPAY_E_UNDER_WAY));
    assert_false(setpay_answer_is_kept(SETPAY_E_STORE));
    assert_false(setpay_answer_is_kept(SETPAY_E_CERT_MISSING));
    assert_false(setpay_answer_is_kept(SETPAY_E_CRL_STALE));
    assert_false(setpay_answer_is_kept(SETPAY_E_DATE));
    assert_true(setpay_answer_is_kept(SETPAY_E_PI_USED));
    assert_true(setpay_answer_is_kept(SETPAY_E_PI_MISMATCH));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_request_gets_the_same_answer_also_after_a_restart),
        cmocka_unit_test(test_what_a_repeat_may_overcome_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
