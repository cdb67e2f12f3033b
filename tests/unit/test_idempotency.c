/*
 * Requests of the merchant API that were answered: the same key and body get the same answer, until
 * its time is over; whatever else is said leaves the caller's answer as it was, so that nothing of
 * an old one gets into a new one.
 */
#include "common/store/store.h"
#include "merchant/store/api/idempotency.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define NOW TEST_DATE_MS
#define LIMIT_MS (30 * SETPAY_SECOND_MS)

static const struct setpay_store_migration steps[] = {{1, SETPAY_IDEMPOTENCY_SCHEMA}, {0}};
static const struct setpay_store_schema schema = {.name = "idempotency", .steps = steps};
static struct test_folder folder;
static struct setpay_store *store;

struct call {
    struct setpay_idempotency request;
    struct setpay_id owner;
    setpay_time_ms now_ms;
    struct setpay_view asked;
    struct setpay_api_answer answer;
};

static enum setpay_error keep(struct setpay_db *db, void *arg)
{
    struct call *call = arg;
    return setpay_idempotency_keep(db, &call->request, &call->owner, call->now_ms, &call->answer);
}

static enum setpay_error mark(struct setpay_db *db, void *arg)
{
    struct call *call = arg;
    return setpay_idempotency_mark(db, &call->request, &call->owner, call->now_ms, LIMIT_MS,
                                   call->asked);
}

static enum setpay_error find(struct setpay_db *db, void *arg)
{
    struct call *call = arg;
    return setpay_idempotency_find(db, &call->request, &call->owner, call->now_ms, LIMIT_MS,
                                   &call->answer);
}

static struct call request_of(const char *body)
{
    struct call call = {.owner = test_id(1), .now_ms = NOW};
    const struct setpay_digest token = test_digest(2);
    assert_int_equal(setpay_idempotency_make(&token, "POST", "/orders", "key-1",
                                             setpay_view_string(body), &call.request),
                     SETPAY_OK);
    setpay_api_answer_init(&call.answer);
    return call;
}

static void fill(struct setpay_api_answer *answer, int status, const char *body,
                 const char *location)
{
    answer->status = status;
    assert_int_equal(setpay_buffer_append(&answer->body, setpay_view_string(body)), SETPAY_OK);
    strcpy(answer->location, location);
}

static void answer_first(void)
{
    struct call first = request_of("{}");
    fill(&first.answer, 201, "the first", "/orders/1");
    assert_int_equal(setpay_store_submit_wait(store, keep, &first), SETPAY_OK);
    setpay_api_answer_clear(&first.answer);
}

/* What is found at that time; where that is no answer, the caller's is as it was. */
static void expect_found(const char *body, setpay_time_ms at_ms, enum setpay_error error,
                         const char *answer)
{
    struct call call = request_of(body);
    call.now_ms = at_ms;
    fill(&call.answer, 0, "mine", "");
    assert_int_equal(setpay_store_submit_wait(store, find, &call), error);
    assert_int_equal(call.answer.body.size, strlen(answer));
    assert_memory_equal(call.answer.body.data, answer, strlen(answer));
    assert_int_equal(call.answer.status, error == SETPAY_OK ? 201 : 0);
    assert_string_equal(call.answer.location, error == SETPAY_OK ? "/orders/1" : "");
    setpay_api_answer_clear(&call.answer);
}

static void the_same_gets_the_same_until_its_time_is_over(void **state)
{
    (void)state;
    expect_found("{}", NOW, SETPAY_E_NOT_FOUND, "mine");
    answer_first();
    expect_found("{}", NOW + SETPAY_IDEMPOTENCY_KEPT_MS - 1, SETPAY_OK, "the first");
    expect_found("{\"a\":1}", NOW, SETPAY_E_RRPID_REUSED, "mine");
    expect_found("{}", NOW + SETPAY_IDEMPOTENCY_KEPT_MS, SETPAY_E_NOT_FOUND, "mine");
    expect_found("{\"a\":1}", NOW + SETPAY_IDEMPOTENCY_KEPT_MS, SETPAY_E_NOT_FOUND, "mine");
}

static void what_is_under_way_has_no_answer_yet(void **state)
{
    struct call call = request_of("{}");
    (void)state;
    assert_int_equal(setpay_store_submit_wait(store, mark, &call), SETPAY_OK);
    expect_found("{}", NOW, SETPAY_E_UNDER_WAY, "mine");
    expect_found("{}", NOW + LIMIT_MS, SETPAY_E_NOT_FOUND, "mine");
    call.asked = setpay_view_string("asked");
    assert_int_equal(setpay_store_submit_wait(store, mark, &call), SETPAY_OK);
    expect_found("{}", NOW, SETPAY_E_UNDER_WAY, "mine");
    expect_found("{}", NOW + LIMIT_MS, SETPAY_E_EXISTS, "asked");
    expect_found("{}", NOW + SETPAY_IDEMPOTENCY_KEPT_MS, SETPAY_E_NOT_FOUND, "mine");
    setpay_api_answer_clear(&call.answer);
}

static int open_store(void **state)
{
    struct setpay_problem problem;
    (void)state;
    test_folder_make(&folder);
    struct setpay_store_options options = {.url = folder.url, .schema = &schema};
    return setpay_store_open(&options, &store, &problem) == SETPAY_OK ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    setpay_store_close(store);
    test_folder_remove(&folder);
    return 0;
}

#define STORED(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORED(the_same_gets_the_same_until_its_time_is_over),
        STORED(what_is_under_way_has_no_answer_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
