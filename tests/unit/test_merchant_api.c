/*
 * The merchant API as a store's program sees it: orders made, listed, voided and cancelled; every
 * refusal with its status and type, and nothing changed; the contract of Idempotency-Key; and that
 * the OpenAPI document names what there is, and nothing else.
 */
#include "common/base/clock.h"
#include "common/base/secret.h"
#include "merchant/store/api/api.h"
#include "merchant/store/api/idempotency.h"
#include "merchant/store/scope.h"
#include "tests/support/test_store_api.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#define BOOK "{\"description\":\"One book\",\"amount\":1250,\"currency\":\"EUR\"}"
#define URN "urn:setpay:problem:"

static struct test_api test;
static struct test_api_reply reply;

static void make_order(const char *key, char *order_id, size_t size)
{
    assert_int_equal(test_api_post(&test, "/orders", key, BOOK, &reply), 201);
    (void)snprintf(order_id, size, "%s", test_api_text(&test, "order_id"));
}

static const char *path_of(const char *order_id, const char *action)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "/orders/%s%s", order_id, action);
    return path;
}

static void assert_problem(const char *type)
{
    char value[64];
    if (strcmp(test_api_text(&test, "type"), type) != 0)
        fail_msg("expected %s, found %s", type, reply.body);
    assert_int_equal(json_integer_value(json_object_get(test.answer, "status")), reply.status);
    assert_true(test_api_header(&reply, "Content-Type", value, sizeof value));
    assert_string_equal(value, "application/problem+json");
    assert_true(strlen(test_api_text(&test, "detail")) > 10);
}

/* ------------------------------------------------------------------ orders */

static void test_an_order_is_made_and_shown(void **state)
{
    (void)state;
    char order_id[64];
    char value[128];
    test_api_open(&test, 0);
    make_order("k1", order_id, sizeof order_id);
    assert_true(test_api_header(&reply, "Location", value, sizeof value));
    assert_int_equal(strncmp(value, "/api/v1/orders/ord_", 19), 0);
    assert_string_equal(test_api_text(&test, "status"), "open");
    assert_string_equal(test_api_text(&test, "currency"), "EUR");
    assert_int_equal(strncmp(test_api_text(&test, "pay_uri"), "setpay://localhost:7443/pay/", 28),
                     0);
    assert_int_equal(json_integer_value(json_object_get(test.answer, "amount")), 1250);
    assert_int_equal(json_array_size(json_object_get(test.answer, "items")), 1);
    assert_null(json_object_get(test.answer, "checkout_url"));
    json_t *made = json_incref(test.answer);
    assert_int_equal(test_api_get(&test, path_of(order_id, ""), &reply), 200);
    assert_true(json_equal(made, test.answer));
    json_decref(made);

    test_api_purchase(&test, order_id, 1, SETPAY_PURCHASE_ASKING);
    assert_int_equal(test_api_get(&test, path_of(order_id, ""), &reply), 200);
    assert_string_equal(test_api_text(&test, "status"), "paying");
    assert_int_equal(json_array_size(json_object_get(test.answer, "payments")), 1);
    test_api_purchase_goes(&test, 1, SETPAY_PURCHASE_DECLINED);
    assert_int_equal(test_api_get(&test, path_of(order_id, ""), &reply), 200);
    assert_string_equal(test_api_text(&test, "status"), "declined");
    test_api_close(&test);
}

static void test_an_order_tells_its_page_where_there_is_one(void **state)
{
    (void)state;
    char order_id[64];
    char page[128];
    test_api_open(&test, 0);
    test_api_stop(&test);
    test.shop_url = "https://shop.example";
    test_api_start(&test);
    make_order("k1", order_id, sizeof order_id);
    (void)snprintf(page, sizeof page, "https://shop.example/orders%s",
                   strrchr(test_api_text(&test, "pay_uri"), '/'));
    assert_string_equal(test_api_text(&test, "checkout_url"), page);
    assert_int_equal(test_api_get(&test, path_of(order_id, ""), &reply), 200);
    assert_string_equal(test_api_text(&test, "checkout_url"), page);
    assert_int_equal(test_api_get(&test, "/orders", &reply), 200);
    assert_non_null(strstr(reply.body, page));
    /* Who hears of an order must not be able to pay it. */
    assert_int_equal(test_api_get(&test, "/events", &reply), 200);
    assert_non_null(strstr(reply.body, order_id));
    assert_null(strstr(reply.body, "checkout_url"));
    assert_null(strstr(reply.body, strrchr(page, '/') + 1));
    test_api_close(&test);
}

static void test_each_refusal_has_its_status_and_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *key;
        const char *body;
        int status;
        const char *type;
        const char *field;
    } rows[] = {
        {"/orders", NULL, BOOK, 400, URN "idempotency-key", "Idempotency-Key"},
        {"/orders", "a b", BOOK, 400, URN "idempotency-key", "Idempotency-Key"},
        {"/orders", "k", "{", 400, URN "not-json", ""},
        {"/orders", "k", "[]", 400, URN "not-json", ""},
        {"/orders", "k", "{\"a\":1,\"a\":1}", 400, URN "not-json", ""},
        {"/orders", "k", "{\"metadata\":{\"a\":[[[[[[[[1]]]]]]]]}}", 400, URN "not-json", ""},
        {"/orders", "k", "{}", 422, URN "invalid-field", "description"},
        {"/orders", "k", "{\"description\":\"a\",\"amount\":0,\"currency\":\"EUR\"}", 422,
         URN "invalid-field", "amount"},
        {"/orders", "k", "{\"items\":[{\"sku\":\"A\",\"quantity\":1}],\"currency\":\"EUR\"}", 422,
         URN "unknown-sku", "items[0].sku"},
        {"/orders/ord_00000000000000000000/void", "k1", NULL, 404, URN "no-such-order", ""},
        {"/orders/ord_00000000000000000000/cancel", "k2", "{}", 404, URN "no-such-order", ""},
        {"/orders/ord_0000000000000000000000000000000/void", "k3", NULL, 404, URN "no-such-order",
         ""},
        {"/orders/ord_00000000000000000000/void", "k4", "{\"a\":1}", 422, URN "invalid-field", "a"},
    };
    test_api_open(&test, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int status = test_api_post(&test, rows[i].path, rows[i].key, rows[i].body, &reply);
        if (status != rows[i].status)
            fail_msg("row %zu: %d %s", i, status, reply.body);
        assert_problem(rows[i].type);
        assert_string_equal(test_api_text(&test, "field"), rows[i].field);
    }
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM orders"), 0);
    /* Only the two that were decided on the database keep their answer. */
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM idempotency"), 2);
    /* What does not exist yet is not there. */
    assert_int_equal(test_api_post(&test, "/orders/ord_1/capture", "k", "{}", &reply), 404);
    assert_int_equal(test_api_post(&test, "/orders/ord_1/refund", "k", "{}", &reply), 404);
    assert_int_equal(test_api_get(&test, "/orders/ord_1", &reply), 404);
    test_api_close(&test);
}

static void test_a_body_without_its_type_is_taken_only_where_it_is_json(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *body;
        int status;
    } rows[] = {
        {"", BOOK, 201},
        {"Content-Type: application/x-www-form-urlencoded\r\n", BOOK, 201},
        {"Content-Type: application/json\r\n", BOOK, 201},
        {"Content-Type: application/x-www-form-urlencoded\r\n", "description=a&amount=1", 415},
        {"", "description", 415},
        {"Content-Type: text/plain\r\n", BOOK, 415},
        {"Content-Type: application/jsonp\r\n", BOOK, 415},
    };
    char request[1024];
    test_api_open(&test, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)snprintf(request, sizeof request,
                       "POST /api/v1/orders HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                       "Authorization: bearer $TOKEN\r\nIdempotency-Key: k%zu\r\n%s"
                       "Content-Length: %zu\r\n\r\n%s",
                       i, rows[i].type, strlen(rows[i].body), rows[i].body);
        test_api_send(&test, request, &reply);
        assert_int_equal(reply.status, rows[i].status);
        assert_true(rows[i].status == 201 || strstr(reply.body, URN "content-type") != NULL);
    }
    test_api_close(&test);
}

static void test_nothing_is_told_without_a_token(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "", "Authorization: Basic YTpi\r\n", "Authorization: Bearer\r\n",
        "Authorization: Bearer spm_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
        "Authorization: Bearer $TOKEN0\r\n"};
    static const char *const requests[] = {"GET /api/v1/orders", "GET /api/v1/orders/ord_1",
                                           "POST /api/v1/orders", "POST /api/v1/orders/ord_1/void",
                                           "POST /api/v1/orders/ord_1/cancel"};
    char request[512];
    char value[64];
    test_api_open(&test, 0);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        for (size_t k = 0; k < sizeof headers / sizeof *headers; k++) {
            (void)snprintf(request, sizeof request,
                           "%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s"
                           "Content-Length: 0\r\n\r\n",
                           requests[i], headers[k]);
            test_api_send(&test, request, &reply);
            assert_int_equal(reply.status, 401);
            assert_non_null(strstr(reply.body, URN "unauthorised"));
            assert_true(test_api_header(&reply, "WWW-Authenticate", value, sizeof value));
            assert_int_equal(strncmp(value, "Bearer", 6), 0);
        }
    }
    assert_int_equal(test_api_get(&test, "/orders", &reply), 200);
    assert_int_equal(test_api_sql(&test, "DELETE FROM token"), 1);
    assert_int_equal(test_api_get(&test, "/orders", &reply), 401);
    test_api_close(&test);
}

/* ------------------------------------------------------------------ Idempotency-Key */

static bool is_replayed(void)
{
    char value[16];
    return test_api_header(&reply, "Idempotent-Replayed", value, sizeof value) &&
           strcmp(value, "true") == 0;
}

static void test_the_same_key_gets_the_same_answer_also_after_a_restart(void **state)
{
    (void)state;
    static char first[sizeof reply.body];
    char order_id[64];
    test_api_open(&test, 0);
    make_order("key", order_id, sizeof order_id);
    memcpy(first, reply.body, sizeof first);
    assert_false(is_replayed());
    for (int restart = 0; restart < 2; restart++) {
        assert_int_equal(test_api_post(&test, "/orders", "key", BOOK, &reply), 201);
        assert_true(is_replayed());
        assert_string_equal(reply.body, first);
        assert_non_null(strstr(reply.head, order_id)); /* Location */
        /* The same values in another layout are the same body. */
        assert_int_equal(
            test_api_post(&test, "/orders", "key",
                          "{ \"currency\":\"EUR\", \"amount\":1250, \"description\":\"One book\" }",
                          &reply),
            201);
        assert_string_equal(reply.body, first);
        /* Another body is not. */
        assert_int_equal(
            test_api_post(&test, "/orders", "key",
                          "{\"description\":\"One book\",\"amount\":1251,\"currency\":\"EUR\"}",
                          &reply),
            422);
        assert_problem(URN "idempotency-key-reused");
        assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM orders"), 1);
        test_api_stop(&test);
        test_api_start(&test);
    }
    /* Another path is another scope. */
    assert_int_equal(test_api_post(&test, path_of(order_id, "/cancel"), "key", NULL, &reply), 200);
    assert_false(is_replayed());
    /* A day later the key is free. */
    setpay_clock_set_offset_ms(SETPAY_IDEMPOTENCY_KEPT_MS + 1000);
    assert_int_equal(test_api_post(&test, "/orders", "key", BOOK, &reply), 201);
    assert_false(is_replayed());
    setpay_clock_set_offset_ms(0);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM orders"), 2);
    test_api_close(&test);
}

static void test_a_failure_of_ours_is_not_kept(void **state)
{
    (void)state;
    char order_id[64];
    test_api_open(&test, 100);
    make_order("a", order_id, sizeof order_id);
    test_api_purchase(&test, order_id, 1, SETPAY_PURCHASE_AUTHORISED);
    test_api_reverse_error = SETPAY_E_BUSY;
    assert_int_equal(test_api_post(&test, path_of(order_id, "/void"), "b", NULL, &reply), 503);
    assert_problem(URN "busy");
    test_api_reverse_error = SETPAY_E_INTERNAL;
    assert_int_equal(test_api_post(&test, path_of(order_id, "/void"), "b", NULL, &reply), 500);
    assert_problem(URN "internal");
    /* Nothing of it has happened: the order goes on, and the key is free. */
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM orders WHERE ended <> 0"), 0);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM idempotency"), 1);
    assert_int_equal(test_api_purchase_state(&test, 1), SETPAY_PURCHASE_AUTHORISED);
    assert_int_equal(test_api_post(&test, path_of(order_id, "/void"), "b", NULL, &reply), 202);
    assert_false(is_replayed());
    test_api_close(&test);
}

/* ------------------------------------------------------------------ void and cancel */

struct voiding {
    pthread_t thread;
    const char *path;
    struct test_api_reply reply;
};

static void *void_it(void *arg)
{
    struct voiding *voiding = arg;
    char request[512];
    (void)snprintf(request, sizeof request,
                   "POST /api/v1%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                   "Authorization: Bearer $TOKEN\r\nIdempotency-Key: v\r\n"
                   "Content-Length: 0\r\n\r\n",
                   voiding->path);
    test_api_send(&test, request, &voiding->reply);
    return NULL;
}

static void test_a_void_waits_for_the_gateway_and_is_under_way_meanwhile(void **state)
{
    (void)state;
    static struct voiding voiding;
    char order_id[64];
    char path[128];
    char value[16];
    test_api_open(&test, 15000);
    make_order("a", order_id, sizeof order_id);
    assert_int_equal(test_api_post(&test, path_of(order_id, "/void"), "x", NULL, &reply), 409);
    assert_problem(URN "order-state");
    test_api_purchase(&test, order_id, 1, SETPAY_PURCHASE_AUTHORISED);
    /* The refusal is kept with its key. */
    assert_int_equal(test_api_post(&test, path_of(order_id, "/void"), "x", NULL, &reply), 409);
    assert_true(is_replayed());

    (void)snprintf(path, sizeof path, "%s", path_of(order_id, "/void"));
    voiding.path = path;
    assert_int_equal(pthread_create(&voiding.thread, NULL, void_it, &voiding), 0);
    while (test_api_purchase_state(&test, 1) != SETPAY_PURCHASE_REVERSING)
        sched_yield();
    assert_int_equal(test_api_post(&test, path, "v", NULL, &reply), 409);
    assert_problem(URN "request-under-way");
    assert_true(test_api_header(&reply, "Retry-After", value, sizeof value));
    assert_int_equal(test_api_post(&test, path, "v", "{}", &reply), 409);
    assert_problem(URN "request-under-way");
    assert_int_equal(test_api_get(&test, path_of(order_id, ""), &reply), 200);
    assert_string_equal(test_api_text(&test, "status"), "authorised");
    test_api_purchase_goes(&test, 1, SETPAY_PURCHASE_REVERSED);
    pthread_join(voiding.thread, NULL);
    assert_int_equal(voiding.reply.status, 200);
    assert_non_null(strstr(voiding.reply.body, "\"status\":\"voided\""));
    assert_int_equal(test_api_post(&test, path, "v", NULL, &reply), 200);
    assert_true(is_replayed());
    assert_string_equal(reply.body, voiding.reply.body);
    /* Voiding what is voided is done; cancelling it is not possible. */
    assert_int_equal(test_api_post(&test, path, "w", NULL, &reply), 200);
    assert_false(is_replayed());
    assert_int_equal(test_api_post(&test, path_of(order_id, "/cancel"), "c", NULL, &reply), 409);
    test_api_close(&test);
}

static void test_a_void_that_takes_long_is_accepted_and_a_crash_does_not_block_it(void **state)
{
    (void)state;
    char order_id[64];
    test_api_open(&test, 50);
    make_order("a", order_id, sizeof order_id);
    test_api_purchase(&test, order_id, 1, SETPAY_PURCHASE_AUTHORISED);
    assert_int_equal(test_api_post(&test, path_of(order_id, "/void"), "v", NULL, &reply), 202);
    assert_string_equal(test_api_text(&test, "status"), "authorised");
    assert_int_equal(test_api_purchase_state(&test, 1), SETPAY_PURCHASE_REVERSING);
    /* As a crash between effect and answer would leave it: the repeat goes on where it was. */
    assert_int_equal(test_api_sql(&test, "UPDATE idempotency SET status = 0, body = x'',"
                                         " owner = x'00000000000000000000000000000001'"
                                         " WHERE status = 202"),
                     1);
    assert_int_equal(test_api_post(&test, path_of(order_id, "/void"), "v", "{\"a\":1}", &reply),
                     422);
    test_api_purchase_goes(&test, 1, SETPAY_PURCHASE_REVERSED);
    assert_int_equal(test_api_post(&test, path_of(order_id, "/void"), "v", NULL, &reply), 200);
    assert_false(is_replayed());
    assert_string_equal(test_api_text(&test, "status"), "voided");
    test_api_close(&test);
}

static void test_a_stop_answers_what_waits(void **state)
{
    (void)state;
    static struct voiding voiding;
    char order_id[64];
    char path[128];
    test_api_open(&test, 600000);
    make_order("a", order_id, sizeof order_id);
    test_api_purchase(&test, order_id, 1, SETPAY_PURCHASE_AUTHORISED);
    (void)snprintf(path, sizeof path, "%s", path_of(order_id, "/void"));
    voiding.path = path;
    assert_int_equal(pthread_create(&voiding.thread, NULL, void_it, &voiding), 0);
    while (test_api_purchase_state(&test, 1) != SETPAY_PURCHASE_REVERSING)
        sched_yield();
    test_api_stop(&test);
    pthread_join(voiding.thread, NULL);
    assert_int_equal(voiding.reply.status, 202);
    test_api_start(&test);
    assert_int_equal(test_api_post(&test, path, "v", NULL, &reply), 202);
    assert_true(is_replayed());
    test_api_close(&test);
}

/* rule M9 */
static void test_cancel_ends_what_is_open_and_gives_up_what_is_paid(void **state)
{
    (void)state;
    char open[64];
    char paying[64];
    char held[64];
    test_api_open(&test, 0);
    make_order("1", open, sizeof open);
    make_order("2", paying, sizeof paying);
    make_order("3", held, sizeof held);
    test_api_purchase(&test, paying, 1, SETPAY_PURCHASE_ASKING);
    test_api_purchase(&test, held, 2, SETPAY_PURCHASE_AUTHORISED);
    assert_int_equal(test_api_post(&test, path_of(open, "/cancel"), "c1", "{}", &reply), 200);
    assert_string_equal(test_api_text(&test, "status"), "cancelled");
    assert_int_equal(test_api_post(&test, path_of(open, "/cancel"), "c1b", NULL, &reply), 200);
    assert_int_equal(test_api_post(&test, path_of(paying, "/cancel"), "c2", NULL, &reply), 202);
    assert_string_equal(test_api_text(&test, "status"), "paying");
    assert_int_equal(test_api_purchase_state(&test, 1), SETPAY_PURCHASE_VOIDING);
    test_api_purchase_goes(&test, 1, SETPAY_PURCHASE_VOIDED);
    assert_int_equal(test_api_get(&test, path_of(paying, ""), &reply), 200);
    assert_string_equal(test_api_text(&test, "status"), "cancelled");
    assert_int_equal(test_api_post(&test, path_of(held, "/cancel"), "c3", NULL, &reply), 409);
    assert_problem(URN "order-state");
    assert_int_equal(test_api_purchase_state(&test, 2), SETPAY_PURCHASE_AUTHORISED);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM orders WHERE ended <> 0"), 2);
    test_api_close(&test);
}

/* ------------------------------------------------------------------ lists */

static void test_pages_hold_each_order_once_the_youngest_first(void **state)
{
    (void)state;
    enum { COUNT = 25 };
    char made[COUNT][64];
    char key[16];
    char path[256] = "/orders?limit=10";
    size_t seen = 0;
    test_api_open(&test, 0);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        make_order(key, made[i], sizeof made[i]);
    }
    for (int page = 0; page < 3; page++) {
        size_t index;
        const json_t *order;
        assert_int_equal(test_api_get(&test, path, &reply), 200);
        json_array_foreach(json_object_get(test.answer, "orders"), index, order)
        {
            assert_string_equal(json_string_value(json_object_get(order, "order_id")),
                                made[COUNT - 1 - seen]);
            seen++;
        }
        assert_int_equal(json_is_true(json_object_get(test.answer, "has_more")), page < 2);
        (void)snprintf(path, sizeof path, "/orders?limit=10&cursor=%s",
                       test_api_text(&test, "next_cursor"));
        /* An order that comes meanwhile moves nothing. */
        assert_int_equal(test_api_post(&test, "/orders", path, BOOK, &reply), 201);
    }
    assert_int_equal(seen, COUNT);
    test_api_purchase(&test, made[3], 1, SETPAY_PURCHASE_AUTHORISED);
    assert_int_equal(test_api_get(&test, "/orders?status=authorised", &reply), 200);
    const json_t *orders = json_object_get(test.answer, "orders");
    assert_int_equal(json_array_size(orders), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(orders, 0), "order_id")),
                        made[3]);
    assert_true(json_is_null(json_object_get(test.answer, "next_cursor")));
    test_api_close(&test);
}

/* The status is asked for of a page that shows one; *order is what it has, "" for nothing. */
static void look_for(const char *status, char order[SETPAY_ORDER_ID_SIZE], bool *more)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/orders?limit=1&status=%s", status);
    assert_int_equal(test_api_get(&test, path, &reply), 200);
    const json_t *first = json_array_get(json_object_get(test.answer, "orders"), 0);
    (void)snprintf(order, SETPAY_ORDER_ID_SIZE, "%s",
                   first == NULL ? "" : json_string_value(json_object_get(first, "order_id")));
    *more = json_is_true(json_object_get(test.answer, "has_more"));
}

static void test_a_status_is_found_behind_any_number_of_others(void **state)
{
    (void)state;
    char paid[64], old[64], open[64], found[SETPAY_ORDER_ID_SIZE], sql[160];
    bool more = false;
    test_api_open(&test, 0);
    make_order("k1", paid, sizeof paid);
    make_order("k2", old, sizeof old);
    test_api_purchase(&test, paid, 1, SETPAY_PURCHASE_AUTHORISED);
    /* As from before there were events. */
    (void)snprintf(sql, sizeof sql, "UPDATE order_told SET status = -1 WHERE order_id = '%s'", old);
    assert_int_equal(test_api_sql(&test, sql), 1);
    assert_int_equal(
        test_api_sql(&test,
                     "INSERT INTO orders (order_id, token, description, amount_minor, currency,"
                     " capture, metadata, ended, created_ms, expires_ms, version, first_minor)"
                     " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                     " WHERE i < 3000) SELECT 'ord_' || i, 'tok_' || i, 'x', 100, 'EUR', 3, '{}',"
                     " 1, 1, 1, 1, 100 FROM n"),
        3000);
    assert_int_equal(
        test_api_sql(&test, "INSERT INTO order_told (order_id, status, expires_ms, to_send, seq)"
                            " SELECT order_id, 9, 9223372036854775807, 0, seq FROM orders"
                            " WHERE ended = 1"),
        3000);
    make_order("k3", open, sizeof open);
    look_for("authorised", found, &more);
    assert_string_equal(found, ""); /* the one of which nothing is known was looked at */
    assert_true(more);
    look_for("open", found, &more);
    assert_string_equal(found, open);
    assert_int_equal(test_api_sql(&test, "UPDATE order_told SET status = 0 WHERE status = -1"), 1);
    look_for("authorised", found, &more);
    assert_string_equal(found, paid);
    assert_false(more);
    look_for("cancelled", found, &more);
    assert_string_equal(found, "ord_3000");
    assert_true(more);
    /* What time has ended is not listed as before, though nobody has told so yet. */
    (void)snprintf(sql, sizeof sql, "UPDATE orders SET expires_ms = 1 WHERE order_id = '%s'", open);
    assert_int_equal(test_api_sql(&test, sql), 1);
    assert_int_equal(test_api_sql(&test, "UPDATE order_told SET expires_ms = 1 WHERE order_id ="
                                         " (SELECT order_id FROM orders WHERE expires_ms = 1"
                                         " AND ended = 0)"),
                     1);
    look_for("expired", found, &more);
    assert_string_equal(found, open);
    assert_false(more);
    test_api_close(&test);
}

static void test_parameters_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "limit=0",    "limit=101", "limit=1x", "limit=",      "limit=%2B1",         "status=paid",
        "status=",    "cursor=",   "cursor=A", "page=2",      "cursor=AAAAAAAAAAA", "limit=-1",
        "cursor=%C3", "sort=asc",  "Limit=1",  "status=Open", "cursor=__________8"};
    char path[64];
    test_api_open(&test, 0);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        (void)snprintf(path, sizeof path, "/orders?%s", queries[i]);
        if (test_api_get(&test, path, &reply) != 400)
            fail_msg("%s: %s", path, reply.body);
    }
    test_api_close(&test);
}

/* ------------------------------------------------------------------ OpenAPI */

static void test_the_document_names_every_route_and_nothing_else(void **state)
{
    (void)state;
    static const char *const methods[] = {[SETPAY_HTTP_GET] = "get",
                                          [SETPAY_HTTP_POST] = "post",
                                          [SETPAY_HTTP_PUT] = "put",
                                          [SETPAY_HTTP_PATCH] = "patch",
                                          [SETPAY_HTTP_DELETE] = "delete"};
    size_t named = 0;
    size_t served = 0;
    const char *path;
    json_t *item;
    test_api_open(&test, 0);
    test_api_send(
        &test, "GET /api/v1/openapi.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &reply);
    assert_int_equal(reply.status, 200);
    json_t *document = json_loads(reply.body, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    assert_string_equal(json_string_value(json_object_get(document, "openapi")), "3.1.0");
    json_t *paths = json_object_get(document, "paths");
    json_object_foreach(paths, path, item)
    {
        named += json_object_size(item);
    }
    for (const struct setpay_http_route *route = setpay_api_routes(); route->handler_cb != NULL;
         route++) {
        served++;
        assert_int_equal(strncmp(route->pattern, "/api/v1/", 8), 0);
        const json_t *operation =
            json_object_get(json_object_get(paths, route->pattern + 7), methods[route->method]);
        if (operation == NULL)
            fail_msg("%s %s is not in the document", methods[route->method], route->pattern);
        assert_true(json_object_size(json_object_get(operation, "responses")) > 0);
        /* It names the scope that the daemon asks for. */
        const json_t *security = json_object_get(operation, "security");
        enum setpay_scope scope = SETPAY_SCOPES;
        if (json_array_size(security) == 0)
            continue;
        assert_int_equal(setpay_scope_of_request(methods[route->method][0] == 'g' ? "GET" : "POST",
                                                 route->pattern + 7, &scope),
                         SETPAY_OK);
        const json_t *named_scopes = json_object_get(json_array_get(security, 0), "bearer");
        assert_string_equal(json_string_value(json_array_get(named_scopes, 0)),
                            setpay_scope_name(scope));
    }
    assert_int_equal(named, served);
    json_decref(document);
    test_api_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_order_is_made_and_shown),
        cmocka_unit_test(test_an_order_tells_its_page_where_there_is_one),
        cmocka_unit_test(test_each_refusal_has_its_status_and_changes_nothing),
        cmocka_unit_test(test_a_body_without_its_type_is_taken_only_where_it_is_json),
        cmocka_unit_test(test_nothing_is_told_without_a_token),
        cmocka_unit_test(test_the_same_key_gets_the_same_answer_also_after_a_restart),
        cmocka_unit_test(test_a_failure_of_ours_is_not_kept),
        cmocka_unit_test(test_a_void_waits_for_the_gateway_and_is_under_way_meanwhile),
        cmocka_unit_test(test_a_void_that_takes_long_is_accepted_and_a_crash_does_not_block_it),
        cmocka_unit_test(test_a_stop_answers_what_waits),
        cmocka_unit_test(test_cancel_ends_what_is_open_and_gives_up_what_is_paid),
        cmocka_unit_test(test_pages_hold_each_order_once_the_youngest_first),
        cmocka_unit_test(test_a_status_is_found_behind_any_number_of_others),
        cmocka_unit_test(test_parameters_that_are_none_are_refused),
        cmocka_unit_test(test_the_document_names_every_route_and_nothing_else),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
