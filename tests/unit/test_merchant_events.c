/*
 * Events through the API and in the database: each change of an order's status tells itself once,
 * in the operation that makes it; lists and cursors; webhooks made, changed and removed; deliveries
 * that come and go; tokens whose scopes do not cover what they ask for, or that have expired; what
 * Idempotency-Key does when a day is over.
 */
#include "common/base/clock.h"
#include "common/base/secret.h"
#include "merchant/store/api/idempotency.h"
#include "merchant/store/event.h"
#include "merchant/store/order.h"
#include "merchant/store/order_tell.h"
#include "merchant/store/token.h"
#include "merchant/store/webhook/delivery.h"
#include "tests/support/test_store_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BOOK "{\"description\":\"One book\",\"amount\":1250,\"currency\":\"EUR\"}"
#define HOOK "{\"url\":\"https://shop.example/hook\",\"events\":[\"order.authorised\"]}"
#define URN "urn:setpay:problem:"

static struct test_api test;
static struct test_api_reply reply;

static void make_order(const char *key, char *order_id)
{
    assert_int_equal(test_api_post(&test, "/orders", key, BOOK, &reply), 201);
    (void)snprintf(order_id, SETPAY_ORDER_ID_SIZE, "%s", test_api_text(&test, "order_id"));
}

static void add(char *path, size_t size, const char *end)
{
    size_t length = strlen(path);
    assert_true(length + strlen(end) < size);
    (void)snprintf(path + length, size - length, "%s", end);
}

/* METHOD PATH with a body (may be NULL) and no key. */
static int send_plain(const char *method, const char *path, const char *body)
{
    char request[1024];
    (void)snprintf(request, sizeof request,
                   "%s /api/v1%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                   "Authorization: Bearer $TOKEN\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   method, path, body != NULL ? strlen(body) : 0, body != NULL ? body : "");
    test_api_send(&test, request, &reply);
    json_decref(test.answer);
    test.answer = reply.body[0] == '\0' ? json_object() : json_loads(reply.body, 0, NULL);
    assert_non_null(test.answer);
    return reply.status;
}

/* "order.created order.paying": the types that GET /events gives. */
static const char *types(const char *path)
{
    static char text[1024];
    size_t used = 0;
    size_t index;
    const json_t *event;
    text[0] = '\0';
    assert_int_equal(test_api_get(&test, path, &reply), 200);
    json_array_foreach(json_object_get(test.answer, "events"), index, event)
    {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", index > 0 ? " " : "",
                                 json_string_value(json_object_get(event, "type")));
    }
    return text;
}

/* ------------------------------------------------------------------ events */

static void test_each_status_tells_itself_once(void **state)
{
    (void)state;
    char order_id[SETPAY_ORDER_ID_SIZE];
    char path[64];
    test_api_open(&test, 0);
    make_order("k1", order_id);
    assert_string_equal(types("/events"), "order.created");
    /* The same answer again is no second event. */
    make_order("k1", order_id);
    test_api_purchase(&test, order_id, 1, SETPAY_PURCHASE_ASKING);
    test_api_purchase_goes(&test, 1, SETPAY_PURCHASE_VOIDING); /* still paying */
    test_api_purchase_goes(&test, 1, SETPAY_PURCHASE_VOIDED);
    test_api_purchase(&test, order_id, 2, SETPAY_PURCHASE_ASKING);
    test_api_purchase_goes(&test, 2, SETPAY_PURCHASE_DECLINED);
    test_api_purchase(&test, order_id, 3, SETPAY_PURCHASE_ASKING);
    test_api_purchase_goes(&test, 3, SETPAY_PURCHASE_AUTHORISED);
    (void)snprintf(path, sizeof path, "/orders/%s/void", order_id);
    assert_true(test_api_post(&test, path, "v1", NULL, &reply) < 300);
    test_api_purchase_goes(&test, 3, SETPAY_PURCHASE_REVERSED);
    assert_string_equal(types("/events"),
                        "order.created order.paying order.open order.paying order.declined"
                        " order.paying order.authorised order.voided");
    assert_string_equal(types("/events?type=order.paying"),
                        "order.paying order.paying order.paying");

    make_order("k2", order_id);
    (void)snprintf(path, sizeof path, "/orders/%s/cancel", order_id);
    assert_int_equal(test_api_post(&test, path, "c1", NULL, &reply), 200);
    assert_int_equal(test_api_post(&test, path, "c2", NULL, &reply), 200);
    assert_string_equal(types("/events?type=order.cancelled"), "order.cancelled");
    test_api_close(&test);
}

static void test_an_event_shows_the_order_as_it_was_and_no_link(void **state)
{
    (void)state;
    char order_id[SETPAY_ORDER_ID_SIZE];
    char path[64];
    test_api_open(&test, 0);
    make_order("k1", order_id);
    test_api_purchase(&test, order_id, 1, SETPAY_PURCHASE_AUTHORISED);
    assert_int_equal(test_api_get(&test, "/events?type=order.created", &reply), 200);
    assert_null(strstr(reply.body, "pay_uri"));
    assert_null(strstr(reply.body, "setpay://"));
    const json_t *event = json_array_get(json_object_get(test.answer, "events"), 0);
    const json_t *data = json_object_get(event, "data");
    assert_string_equal(json_string_value(json_object_get(data, "status")), "open");
    assert_string_equal(json_string_value(json_object_get(data, "order_id")), order_id);
    assert_true(json_is_null(json_object_get(data, "payment")));
    (void)snprintf(path, sizeof path, "/events/%s",
                   json_string_value(json_object_get(event, "id")));
    json_t *listed = json_incref((json_t *)(uintptr_t)event);
    assert_int_equal(test_api_get(&test, path, &reply), 200);
    assert_true(json_equal(listed, test.answer));
    json_decref(listed);
    assert_int_equal(test_api_get(&test, "/events/evt_00000000000000000000", &reply), 404);
    assert_int_equal(test_api_get(&test, "/events?type=order.authorised", &reply), 200);
    data = json_object_get(json_array_get(json_object_get(test.answer, "events"), 0), "data");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(data, "payment"), "status")),
        "authorised");
    test_api_close(&test);
}

static void test_a_reader_of_events_misses_none_and_sees_none_twice(void **state)
{
    (void)state;
    enum { COUNT = 25 };
    char order_id[SETPAY_ORDER_ID_SIZE];
    char path[128] = "/events?limit=10";
    char key[16];
    size_t seen = 0;
    test_api_open(&test, 0);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        make_order(key, order_id);
    }
    for (int page = 0; page < 4; page++) {
        assert_int_equal(test_api_get(&test, path, &reply), 200);
        seen += json_array_size(json_object_get(test.answer, "events"));
        assert_int_equal(json_is_true(json_object_get(test.answer, "has_more")), page < 2);
        (void)snprintf(path, sizeof path, "/events?limit=10&cursor=%s",
                       test_api_text(&test, "next_cursor"));
    }
    assert_int_equal(seen, COUNT);
    /* What was read and purged does not set the count back. */
    assert_int_equal(test_api_sql(&test, "DELETE FROM event"), COUNT);
    make_order("later", order_id);
    assert_string_equal(types(path), "order.created");
    static const char *const wrong[] = {"/events?cursor=A", "/events?cursor=__________8",
                                        "/events?type=order.paid", "/events?limit=0",
                                        "/events?since=1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(test_api_get(&test, wrong[i], &reply), 400);
    test_api_close(&test);
}

static enum setpay_error tell_expired(struct setpay_db *db, void *arg)
{
    bool more = false;
    SETPAY_TRY(setpay_order_tell_expired(db, &test_api_port, *(setpay_time_ms *)arg, &more));
    assert_false(more);
    return SETPAY_OK;
}

static void test_time_that_runs_out_is_told_once_and_of_unpaid_orders_alone(void **state)
{
    (void)state;
    char open[SETPAY_ORDER_ID_SIZE];
    char paid[SETPAY_ORDER_ID_SIZE];
    char old[SETPAY_ORDER_ID_SIZE];
    setpay_time_ms later_ms = setpay_clock_now_ms() + 40 * SETPAY_DAY_MS;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    test_api_open(&test, 0);
    make_order("k1", open);
    make_order("k2", paid);
    make_order("k3", old);
    test_api_purchase(&test, paid, 1, SETPAY_PURCHASE_AUTHORISED);
    char sql[160];
    assert_int_equal(setpay_store_submit_wait(test.store, tell_expired, &now_ms), SETPAY_OK);
    assert_string_equal(types("/events?type=order.expired"), "");
    (void)snprintf(sql, sizeof sql, "UPDATE order_told SET status = -1 WHERE order_id = '%s'", old);
    assert_int_equal(test_api_sql(&test, sql), 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(setpay_store_submit_wait(test.store, tell_expired, &later_ms), SETPAY_OK);
    assert_string_equal(types("/events?type=order.expired"), "order.expired");
    assert_int_equal(test_api_sql(&test,
                                  "SELECT COUNT(*) FROM event e JOIN orders o ON o.order_id ="
                                  " e.order_id WHERE e.type = 'order.expired' AND o.seq = 1"),
                     1);
    test_api_close(&test);
}

static void test_what_an_old_order_is_gets_known_and_nobody_is_told(void **state)
{
    (void)state;
    char old[SETPAY_ORDER_ID_SIZE];
    setpay_time_ms now_ms = setpay_clock_now_ms();
    setpay_time_ms later_ms = now_ms + 40 * SETPAY_DAY_MS;
    test_api_open(&test, 0);
    make_order("k1", old);
    assert_int_equal(test_api_sql(&test, "DELETE FROM event"), 1);
    assert_int_equal(test_api_sql(&test, "UPDATE order_told SET status = -1, to_send = -1"), 1);
    assert_int_equal(setpay_store_submit_wait(test.store, tell_expired, &now_ms), SETPAY_OK);
    assert_int_equal(
        test_api_sql(&test, "SELECT COUNT(*) FROM order_told WHERE status = 0 AND to_send = 0"), 1);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM event"), 0);
    /* From then on it is an order like others. */
    assert_int_equal(setpay_store_submit_wait(test.store, tell_expired, &later_ms), SETPAY_OK);
    assert_string_equal(types("/events"), "order.expired");
    test_api_close(&test);
}

static void test_what_became_of_an_order_stays_when_its_events_have_gone(void **state)
{
    (void)state;
    char order[SETPAY_ORDER_ID_SIZE];
    setpay_time_ms later_ms = setpay_clock_now_ms() + 40 * SETPAY_DAY_MS;
    test_api_open(&test, 0);
    make_order("k1", order);
    assert_int_equal(setpay_store_submit_wait(test.store, tell_expired, &later_ms), SETPAY_OK);
    assert_int_equal(test_api_sql(&test, "DELETE FROM event"), 2);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM order_history h JOIN orders o"
                                         " ON o.order_id = h.order_id WHERE h.status = 'created'"
                                         " AND h.at_ms = o.created_ms"),
                     1);
    assert_int_equal(
        test_api_sql(&test, "SELECT COUNT(*) FROM order_history WHERE status = 'expired'"), 1);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM order_history"), 2);
    test_api_close(&test);
}

/* ------------------------------------------------------------------ webhooks */

static void test_a_webhook_shows_its_secret_once(void **state)
{
    (void)state;
    char path[128];
    char secret[64];
    test_api_open(&test, 0);
    assert_int_equal(test_api_post(&test, "/webhooks", "w1", HOOK, &reply), 201);
    (void)snprintf(secret, sizeof secret, "%s", test_api_text(&test, "secret"));
    assert_int_equal(strncmp(secret, "whsec_", 6), 0);
    (void)snprintf(path, sizeof path, "/webhooks/%s", test_api_text(&test, "webhook_id"));
    assert_int_equal(test_api_get(&test, path, &reply), 200);
    assert_null(strstr(reply.body, "secret"));
    assert_int_equal(test_api_get(&test, "/webhooks", &reply), 200);
    assert_null(strstr(reply.body, "secret"));
    assert_int_equal(send_plain("PATCH", path, "{\"enabled\":false}"), 200);
    assert_string_equal(test_api_text(&test, "status"), "disabled");
    assert_null(strstr(reply.body, "secret"));
    add(path, sizeof path, "/test");
    assert_int_equal(test_api_post(&test, path, "t1", NULL, &reply), 409);
    assert_string_equal(test_api_text(&test, "type"), URN "webhook-state");
    path[strlen(path) - 5] = '\0';
    assert_int_equal(send_plain("PATCH", path, "{\"url\":\"ftp://a.example/\"}"), 422);
    assert_int_equal(send_plain("PATCH", path, "{\"enabled\":true,\"events\":[]}"), 200);
    add(path, sizeof path, "/rotate");
    assert_int_equal(test_api_post(&test, path, "r1", NULL, &reply), 200);
    assert_string_not_equal(test_api_text(&test, "secret"), secret);
    path[strlen(path) - 7] = '\0';
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM webhook_secret"), 2);
    assert_int_equal(send_plain("DELETE", path, NULL), 204);
    assert_int_equal(send_plain("DELETE", path, NULL), 404);
    assert_int_equal(test_api_get(&test, path, &reply), 404);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM webhook_secret"), 0);
    test_api_close(&test);
}

static void test_an_event_and_its_deliveries_are_one_operation(void **state)
{
    (void)state;
    char order_id[SETPAY_ORDER_ID_SIZE];
    char key[16];
    test_api_open(&test, 0);
    assert_int_equal(test_api_post(&test, "/webhooks", "w1", HOOK, &reply), 201);
    assert_int_equal(
        test_api_post(&test, "/webhooks", "w2", "{\"url\":\"https://b.example/\"}", &reply), 201);
    make_order("k1", order_id);                                        /* the second wants it */
    test_api_purchase(&test, order_id, 1, SETPAY_PURCHASE_AUTHORISED); /* both do */
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM webhook_delivery"), 3);
    /* What fails behind an event takes it along. */
    char path[64];
    atomic_store(&test_api_reverse_error, SETPAY_E_STORE_FULL);
    (void)snprintf(path, sizeof path, "/orders/%s/void", order_id);
    assert_true(test_api_post(&test, path, "v1", NULL, &reply) >= 500);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM event"), 2);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM webhook_delivery"), 3);
    for (int i = 3; i <= 16; i++) {
        (void)snprintf(key, sizeof key, "w%d", i);
        assert_int_equal(test_api_post(&test, "/webhooks", key, HOOK, &reply), 201);
    }
    assert_int_equal(test_api_post(&test, "/webhooks", "w17", HOOK, &reply), 409);
    assert_string_equal(test_api_text(&test, "type"), URN "too-many");
    test_api_close(&test);
}

/* An attempt of the only delivery, and what it makes of it. */
struct trying {
    struct setpay_delivery_rules rules;
    struct setpay_delivery_attempt attempt;
};

static enum setpay_error record(struct setpay_db *db, void *arg)
{
    struct trying *trying = arg;
    return setpay_delivery_record(db, &trying->rules, &trying->attempt);
}

static void attempt(struct trying *trying, enum setpay_delivery_result result, int status,
                    setpay_time_ms ended_ms)
{
    trying->attempt = (struct setpay_delivery_attempt){
        .seq = 1, .webhook_seq = 1, .result = result, .status = status, .ended_ms = ended_ms};
    assert_int_equal(setpay_store_submit_wait(test.store, record, trying), SETPAY_OK);
}

static void test_a_redelivery_that_fails_is_repeated_soon(void **state)
{
    (void)state;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    struct trying trying = {.rules = {1000, SETPAY_DAY_MS, 5 * SETPAY_DAY_MS}};
    char path[256];
    test_api_open(&test, 0);
    assert_int_equal(test_api_post(&test, "/webhooks", "w1", HOOK, &reply), 201);
    (void)snprintf(path, sizeof path, "/webhooks/%s/test", test_api_text(&test, "webhook_id"));
    assert_int_equal(test_api_post(&test, path, "t1", NULL, &reply), 202);
    for (int i = 12; i > 0; i--)
        attempt(&trying, SETPAY_DELIVERY_TIMEOUT, 0, now_ms - i * SETPAY_HOUR_MS);
    assert_int_equal(trying.attempt.attempts, 12);
    *strrchr(path, '/') = '\0';
    add(path, sizeof path, "/deliveries");
    assert_int_equal(test_api_get(&test, path, &reply), 200);
    const json_t *row = json_array_get(json_object_get(test.answer, "deliveries"), 0);
    add(path, sizeof path, "/");
    add(path, sizeof path, json_string_value(json_object_get(row, "delivery_id")));
    add(path, sizeof path, "/redeliver");
    assert_int_equal(test_api_post(&test, path, "a1", NULL, &reply), 202);
    /* The receiver took its time to fail it. */
    now_ms = setpay_clock_now_ms();
    attempt(&trying, SETPAY_DELIVERY_TIMEOUT, 0, now_ms + 15000);
    assert_int_equal(trying.attempt.attempts, 13);
    assert_int_equal(test_api_sql(&test, "SELECT next_ms - last_ms FROM webhook_delivery"), 1000);
    test_api_close(&test);
}

static void test_attempts_are_booked_and_a_dead_webhook_is_switched_off(void **state)
{
    (void)state;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    struct trying trying = {.rules = {1000, SETPAY_HOUR_MS, SETPAY_DAY_MS}};
    char path[160];
    test_api_open(&test, 0);
    assert_int_equal(test_api_post(&test, "/webhooks", "w1", HOOK, &reply), 201);
    (void)snprintf(path, sizeof path, "/webhooks/%s/test", test_api_text(&test, "webhook_id"));
    assert_int_equal(test_api_post(&test, path, "t1", NULL, &reply), 202);
    attempt(&trying, SETPAY_DELIVERY_REFUSED, 500, now_ms);
    assert_int_equal(trying.attempt.attempts, 1);
    assert_false(trying.attempt.gave_up);
    *strrchr(path, '/') = '\0';
    add(path, sizeof path, "/deliveries");
    assert_int_equal(test_api_get(&test, path, &reply), 200);
    const json_t *row = json_array_get(json_object_get(test.answer, "deliveries"), 0);
    assert_string_equal(json_string_value(json_object_get(row, "status")), "pending");
    assert_int_equal(json_integer_value(json_object_get(row, "response_status")), 500);
    char again[256];
    (void)snprintf(again, sizeof again, "%s/%s/redeliver", path,
                   json_string_value(json_object_get(row, "delivery_id")));
    attempt(&trying, SETPAY_DELIVERY_TIMEOUT, 0, now_ms + 2 * SETPAY_HOUR_MS);
    assert_true(trying.attempt.gave_up);
    assert_false(trying.attempt.disabled);
    assert_int_equal(test_api_sql(&test, "SELECT state FROM webhook_delivery"),
                     SETPAY_DELIVERY_FAILED);
    /* By hand it is pending again, with all its time. */
    assert_int_equal(test_api_post(&test, again, "a1", NULL, &reply), 202);
    assert_int_equal(test_api_sql(&test, "SELECT state FROM webhook_delivery"),
                     SETPAY_DELIVERY_PENDING);
    /* A success forgets how long it has failed. */
    attempt(&trying, SETPAY_DELIVERY_TAKEN, 204, now_ms + 3 * SETPAY_HOUR_MS);
    assert_int_equal(test_api_sql(&test, "SELECT failing_since_ms FROM webhook"), 0);
    assert_int_equal(test_api_post(&test, again, "a2", NULL, &reply), 202);
    attempt(&trying, SETPAY_DELIVERY_UNREACHABLE, 0, now_ms + SETPAY_DAY_MS);
    assert_false(trying.attempt.disabled);
    attempt(&trying, SETPAY_DELIVERY_UNREACHABLE, 0, now_ms + 2 * SETPAY_DAY_MS);
    assert_true(trying.attempt.disabled);
    assert_int_equal(test_api_sql(&test, "SELECT status FROM webhook"), SETPAY_WEBHOOK_FAILED);
    assert_int_equal(test_api_post(&test, again, "a3", NULL, &reply), 409);
    /* One that says 410 is taken at its word. */
    *strrchr(path, '/') = '\0';
    assert_int_equal(send_plain("PATCH", path, "{\"enabled\":true}"), 200);
    assert_true(json_is_null(json_object_get(test.answer, "failing_since")));
    attempt(&trying, SETPAY_DELIVERY_REFUSED, 410, now_ms + 2 * SETPAY_DAY_MS);
    assert_true(trying.attempt.disabled);
    /* What has gone meanwhile is passed over. */
    assert_int_equal(send_plain("DELETE", path, NULL), 204);
    attempt(&trying, SETPAY_DELIVERY_TAKEN, 204, now_ms);
    test_api_close(&test);
}

static enum setpay_error purge(struct setpay_db *db, void *arg)
{
    int64_t deleted;
    return setpay_event_purge(db, *(setpay_time_ms *)arg, 100, &deleted);
}

static void test_old_events_go_with_their_deliveries(void **state)
{
    (void)state;
    char order_id[SETPAY_ORDER_ID_SIZE];
    setpay_time_ms before_ms = setpay_clock_now_ms() - SETPAY_HOUR_MS;
    test_api_open(&test, 0);
    assert_int_equal(
        test_api_post(&test, "/webhooks", "w2", "{\"url\":\"https://b.example/\"}", &reply), 201);
    make_order("k1", order_id);
    assert_int_equal(setpay_store_submit_wait(test.store, purge, &before_ms), SETPAY_OK);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM event"), 1);
    before_ms += 2 * SETPAY_HOUR_MS;
    assert_int_equal(setpay_store_submit_wait(test.store, purge, &before_ms), SETPAY_OK);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM event"), 0);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM webhook_delivery"), 0);
    test_api_close(&test);
}

/* ------------------------------------------------------------------ tokens */

static struct setpay_token given;

static enum setpay_error add_token(struct setpay_db *db, void *arg)
{
    SETPAY_TRY(setpay_token_make(arg, &given.hash));
    return setpay_token_add(db, &given);
}

static void use_token(const char *name, const char *scopes, setpay_time_ms expires_ms)
{
    char wrong[32];
    given = (struct setpay_token){.created_ms = 1, .expires_ms = expires_ms};
    (void)snprintf(given.name, sizeof given.name, "%s", name);
    assert_int_equal(setpay_scopes_parse(scopes, &given.scopes, wrong), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(test.store, add_token, test.token), SETPAY_OK);
}

static void test_a_request_beyond_its_tokens_scopes_is_refused_by_name(void **state)
{
    (void)state;
    char order_id[SETPAY_ORDER_ID_SIZE];
    char value[128];
    test_api_open(&test, 0);
    make_order("k1", order_id);
    use_token("reader", "orders:read", 0);
    assert_int_equal(test_api_get(&test, "/orders", &reply), 200);
    static const struct {
        const char *method;
        const char *path;
        const char *scope;
    } rows[] = {
        {"POST", "/orders", "orders:write"},
        {"POST", "/orders/ord_1/void", "orders:write"},
        {"POST", "/orders/ord_1/capture", "payments:write"},
        {"POST", "/orders/ord_1/authorise", "payments:write"},
        {"POST", "/captures", "payments:write"},
        {"GET", "/events", "events:read"},
        {"GET", "/webhooks", "webhooks:read"},
        {"GET", "/settlements", "settlements:read"},
        {"GET", "/settlements/differences", "settlements:read"},
        {"POST", "/webhooks", "webhooks:write"},
        {"PATCH", "/webhooks/whk_1", "webhooks:write"},
        {"DELETE", "/webhooks/whk_1", "webhooks:write"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (send_plain(rows[i].method, rows[i].path, NULL) != 403)
            fail_msg("%s %s: %s", rows[i].method, rows[i].path, reply.body);
        assert_string_equal(test_api_text(&test, "type"), URN "scope");
        assert_non_null(strstr(test_api_text(&test, "detail"), rows[i].scope));
        assert_true(test_api_header(&reply, "WWW-Authenticate", value, sizeof value));
        assert_non_null(strstr(value, rows[i].scope));
    }
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM orders"), 1);
    use_token("writer", "orders:write", 0);
    make_order("k2", order_id);
    assert_int_equal(test_api_get(&test, "/orders", &reply), 403); /* none holds another */
    test_api_close(&test);
}

/* ------------------------------------------------------------------ databases of before */

#define BEFORE                                                                                     \
    {                                                                                              \
        1, SETPAY_ORDER_SCHEMA SETPAY_ORDER_TERMS_SCHEMA SETPAY_TOKEN_SCHEMA                       \
               SETPAY_TOKEN_SCOPE_SCHEMA SETPAY_EVENT_SCHEMA SETPAY_EVENT_TO_SEND_SCHEMA           \
    }
static const struct setpay_store_migration steps_before[] = {BEFORE, {0, NULL}};
static const struct setpay_store_migration steps_now[] = {
    BEFORE, {2, SETPAY_EVENT_HISTORY_SCHEMA SETPAY_TOKEN_PAYMENTS_SCHEMA}, {0, NULL}};

static enum setpay_error run_all(struct setpay_db *db, void *arg)
{
    for (const char *const *sql = arg; *sql != NULL; sql++)
        SETPAY_TRY(setpay_db_run(db, *sql));
    return SETPAY_OK;
}

struct counted {
    const char *sql;
    int64_t count;
};

static enum setpay_error count(struct setpay_db *db, void *arg)
{
    struct counted *counted = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, counted->sql));
    counted->count = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static void test_a_database_of_before_keeps_what_it_has(void **state)
{
    (void)state;
#define ORDER(name)                                                                                \
    "INSERT INTO orders (order_id, token, description, amount_minor, currency, capture, metadata," \
    " ended, created_ms, expires_ms, version) VALUES ('" name "', '" name "', '', 1, 'EUR', 3,"    \
    " '{}', 0, 5, 9, 1)"
#define EVENT(type, at)                                                                            \
    "INSERT INTO event (event_id, type, order_id, body, created_ms) VALUES ('" type "', '" type    \
    "', 'b', '{}', " at ")"
    static const char *const old[] = {
        ORDER("a"),
        ORDER("b"),
        "INSERT INTO order_told (order_id, status, expires_ms, to_send)"
        " SELECT order_id, 0, 9, 0 FROM orders ORDER BY seq DESC",
        EVENT("order.created", "5"),
        EVENT("order.partially_captured", "6"),
        EVENT("order.shipped", "7"),
        "INSERT INTO token VALUES ('all', x'01', 1, -1, 0, 0)",
        "INSERT INTO token VALUES ('reads', x'02', 1, 1, 0, 0)",
        "INSERT INTO token VALUES ('writes', x'03', 1, 7, 0, 0)",
        NULL};
    static struct counted now[] = {
        {"SELECT COUNT(*) FROM order_told t JOIN orders o ON o.order_id = t.order_id"
         " WHERE t.seq = o.seq",
         2},
        {"SELECT COUNT(*) FROM order_history WHERE status = 'created' AND at_ms = 5", 2},
        {"SELECT COUNT(*) FROM order_history WHERE order_id = 'b' AND status ="
         " 'partially_captured' AND at_ms = 6",
         1},
        {"SELECT COUNT(*) FROM order_history", 3},
        {"SELECT scopes FROM token WHERE name = 'all'", SETPAY_SCOPES_ALL},
        {"SELECT scopes FROM token WHERE name = 'reads'", 1 << SETPAY_SCOPE_ORDERS_READ},
        {"SELECT scopes FROM token WHERE name = 'writes'",
         1 << SETPAY_SCOPE_ORDERS_READ | 1 << SETPAY_SCOPE_ORDERS_WRITE |
             1 << SETPAY_SCOPE_REFUNDS_WRITE | 1 << SETPAY_SCOPE_PAYMENTS_WRITE},
    };
    const struct setpay_store_schema before = {.name = "merchant", .steps = steps_before};
    const struct setpay_store_schema schema = {.name = "merchant", .steps = steps_now};
    struct test_folder folder;
    struct setpay_store *store = NULL;
    struct setpay_problem problem;
    test_folder_make(&folder);
    struct setpay_store_options options = {.url = folder.url, .schema = &before};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, run_all, (void *)(uintptr_t)old), SETPAY_OK);
    setpay_store_close(store);
    options.schema = &schema;
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    for (size_t i = 0; i < sizeof now / sizeof *now; i++) {
        struct counted counted = {.sql = now[i].sql};
        assert_int_equal(setpay_store_submit_wait(store, count, &counted), SETPAY_OK);
        if (counted.count != now[i].count)
            fail_msg("%s: %lld", counted.sql, (long long)counted.count);
    }
    setpay_store_close(store);
    test_folder_remove(&folder);
}

static void test_a_token_expires_and_is_known_to_be_used(void **state)
{
    (void)state;
    test_api_open(&test, 0);
    use_token("old", "all", setpay_clock_now_ms() - 1);
    assert_int_equal(test_api_get(&test, "/orders", &reply), 401);
    assert_non_null(strstr(test_api_text(&test, "detail"), "expired"));
    use_token("young", "all", setpay_clock_now_ms() + SETPAY_HOUR_MS);
    assert_int_equal(test_api_sql(&test, "SELECT last_used_ms FROM token WHERE name = 'young'"), 0);
    assert_int_equal(test_api_get(&test, "/orders", &reply), 200);
    assert_int_equal(test_api_get(&test, "/orders", &reply), 200); /* behind it, so it is written */
    assert_true(test_api_sql(&test, "SELECT last_used_ms FROM token WHERE name = 'young'") > 0);
    assert_int_equal(test_api_sql(&test, "SELECT last_used_ms FROM token WHERE name = 'old'"), 0);
    test_api_close(&test);
}

/* ------------------------------------------------------------------ Idempotency-Key */

static enum setpay_error purge_keys(struct setpay_db *db, void *arg)
{
    int64_t deleted;
    return setpay_idempotency_purge(db, *(setpay_time_ms *)arg, 100, &deleted);
}

/* Once its day is over by both clocks: our own may be ahead, and a refund would be given twice. */
static void test_a_clock_that_is_ahead_forgets_no_key(void **state)
{
    (void)state;
    char first[SETPAY_ORDER_ID_SIZE];
    char again[SETPAY_ORDER_ID_SIZE];
    char value[16];
    setpay_time_ms ahead_ms;
    test_api_open(&test, 0);
    setpay_clock_need_second(true);
    make_order("k1", first); /* the other was not heard yet: all is kept */
    setpay_clock_hear_ms(setpay_clock_now_ms());
    setpay_clock_set_offset_ms(2 * SETPAY_DAY_MS);
    ahead_ms = setpay_clock_now_ms();
    assert_int_equal(setpay_store_submit_wait(test.store, purge_keys, &ahead_ms), SETPAY_OK);
    make_order("k1", again);
    assert_string_equal(first, again);
    assert_true(test_api_header(&reply, "Idempotent-Replayed", value, sizeof value));
    assert_int_equal(test_api_post(&test, "/orders", "k1", "{\"amount\":1}", &reply), 422);
    setpay_clock_hear_ms(ahead_ms);
    make_order("k1", again);
    assert_string_not_equal(first, again);
    setpay_clock_need_second(false);
    setpay_clock_set_offset_ms(0);
    test_api_close(&test);
}

static void test_a_key_is_forgotten_when_its_day_is_over_and_not_before(void **state)
{
    (void)state;
    char first[SETPAY_ORDER_ID_SIZE];
    char again[SETPAY_ORDER_ID_SIZE];
    char value[16];
    setpay_time_ms at_ms = setpay_clock_now_ms() + SETPAY_IDEMPOTENCY_KEPT_MS - SETPAY_MINUTE_MS;
    test_api_open(&test, 0);
    make_order("k1", first);
    assert_int_equal(setpay_store_submit_wait(test.store, purge_keys, &at_ms), SETPAY_OK);
    make_order("k1", again);
    assert_string_equal(first, again);
    assert_true(test_api_header(&reply, "Idempotent-Replayed", value, sizeof value));
    assert_int_equal(test_api_post(&test, "/orders", "k1", "{\"amount\":1}", &reply), 422);
    at_ms += 2 * SETPAY_MINUTE_MS;
    assert_int_equal(setpay_store_submit_wait(test.store, purge_keys, &at_ms), SETPAY_OK);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM idempotency"), 0);
    make_order("k1", again);
    assert_string_not_equal(first, again);
    assert_false(test_api_header(&reply, "Idempotent-Replayed", value, sizeof value));
    /* A webhook's, too: its answer and its secret are the same again. */
    assert_int_equal(test_api_post(&test, "/webhooks", "w1", HOOK, &reply), 201);
    json_t *made = json_incref(test.answer);
    assert_int_equal(test_api_post(&test, "/webhooks", "w1", HOOK, &reply), 201);
    assert_true(json_equal(made, test.answer));
    json_decref(made);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM webhook"), 1);
    test_api_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_status_tells_itself_once),
        cmocka_unit_test(test_an_event_shows_the_order_as_it_was_and_no_link),
        cmocka_unit_test(test_a_reader_of_events_misses_none_and_sees_none_twice),
        cmocka_unit_test(test_time_that_runs_out_is_told_once_and_of_unpaid_orders_alone),
        cmocka_unit_test(test_what_an_old_order_is_gets_known_and_nobody_is_told),
        cmocka_unit_test(test_what_became_of_an_order_stays_when_its_events_have_gone),
        cmocka_unit_test(test_a_webhook_shows_its_secret_once),
        cmocka_unit_test(test_an_event_and_its_deliveries_are_one_operation),
        cmocka_unit_test(test_a_redelivery_that_fails_is_repeated_soon),
        cmocka_unit_test(test_attempts_are_booked_and_a_dead_webhook_is_switched_off),
        cmocka_unit_test(test_old_events_go_with_their_deliveries),
        cmocka_unit_test(test_a_request_beyond_its_tokens_scopes_is_refused_by_name),
        cmocka_unit_test(test_a_token_expires_and_is_known_to_be_used),
        cmocka_unit_test(test_a_database_of_before_keeps_what_it_has),
        cmocka_unit_test(test_a_clock_that_is_ahead_forgets_no_key),
        cmocka_unit_test(test_a_key_is_forgotten_when_its_day_is_over_and_not_before),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
