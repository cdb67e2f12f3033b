/*
 * The catalogue through the merchant API: what a store's program sees of it, the versions by which
 * nobody overwrites another's change, and orders that are made from it.
 */
#include "common/base/secret.h"
#include "merchant/store/picture.h"
#include "merchant/store/stock.h"
#include "tests/support/test_store_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define URN "urn:setpay:problem:"
#define CUP                                                                                        \
    "{\"slug\":\"cup\",\"name\":\"Cup\",\"status\":\"published\",\"variants\":["                   \
    "{\"sku\":\"CUP\",\"prices\":{\"EUR\":900},\"stock\":{\"on_hand\":2}}]}"
#define TWO_CUPS "{\"items\":[{\"sku\":\"CUP\",\"quantity\":2}]}"

static struct test_api test;
static struct test_api_reply reply;

static void open_shop(void)
{
    test_api_open(&test, 50);
    assert_int_equal(test_api_post(&test, "/products", "cup", CUP, &reply), 201);
}

static void assert_header(const char *name, const char *expected)
{
    char value[256];
    if (!test_api_header(&reply, name, value, sizeof value) || strcmp(value, expected) != 0)
        fail_msg("%s: expected %s in %s", name, expected, reply.head);
}

static void assert_problem(int status, const char *type)
{
    if (reply.status != status || strcmp(test_api_text(&test, "type"), type) != 0 ||
        strlen(test_api_text(&test, "detail")) < 10)
        fail_msg("expected %d %s, found %d %s", status, type, reply.status, reply.body);
    assert_header("Content-Type", "application/problem+json");
}

static void a_product_has_a_version_without_which_nothing_changes(void **state)
{
    (void)state;
    char path[64];
    open_shop();
    (void)snprintf(path, sizeof path, "/api/v1/products/%s", test_api_text(&test, "id"));
    assert_header("Location", path);
    assert_header("ETag", "\"1\"");
    assert_int_equal(test_api_get(&test, path + 7, &reply), 200);
    assert_header("ETag", "\"1\"");
    test_api_edit(&test, "PATCH", "/products/cup", NULL, "{\"name\":\"Mug\"}", &reply);
    assert_problem(428, URN "version-needed");
    static const char *const none[] = {
        "1", "\"0\"", "\"1", "W/\"1\"", "\"1\", \"2\"", "\"-1\"", "\"99999999999999999999\""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        test_api_edit(&test, "PATCH", "/products/cup", none[i], "{\"name\":\"Mug\"}", &reply);
        assert_problem(400, URN "invalid-query");
    }
    assert_int_equal(
        test_api_edit(&test, "PATCH", "/products/cup", "\"1\"", "{\"name\":\"Mug\"}", &reply), 200);
    assert_header("ETag", "\"2\"");
    test_api_edit(&test, "PATCH", "/products/cup", "\"1\"", "{\"name\":\"Can\"}", &reply);
    assert_problem(412, URN "version");
    test_api_edit(&test, "DELETE", "/products/cup", "\"1\"", "", &reply);
    assert_problem(412, URN "version");
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM product WHERE name = 'Mug'"), 1);
    assert_int_equal(
        test_api_edit(&test, "PATCH", "/products/cup", "*", "{\"status\":\"draft\"}", &reply), 200);
    assert_int_equal(test_api_edit(&test, "DELETE", "/products/cup", "\"3\"", "", &reply), 204);
    assert_string_equal(reply.body, "");
    test_api_get(&test, "/products/cup", &reply);
    assert_problem(404, URN "not-found");
    test_api_close(&test);
}

static void a_refused_request_keeps_nothing_of_its_key(void **state)
{
    (void)state;
    open_shop();
    test_api_post(&test, "/products", "k", CUP, &reply);
    assert_problem(409, URN "exists");
    assert_string_equal(test_api_text(&test, "field"), "slug");
    test_api_post(&test, "/products", "k", "{\"slug\":\"a\",\"name\":\"a\",\"x\":1}", &reply);
    assert_problem(422, URN "invalid-field");
    assert_int_equal(
        test_api_post(&test, "/categories", "k", "{\"slug\":\"a\",\"name\":\"A\"}", &reply), 201);
    assert_int_equal(
        test_api_post(&test, "/categories", "k", "{\"slug\":\"a\",\"name\":\"A\"}", &reply), 201);
    assert_header("Idempotent-Replayed", "true");
    test_api_post(&test, "/categories", NULL, "{\"slug\":\"b\",\"name\":\"B\"}", &reply);
    assert_problem(400, URN "idempotency-key");
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM category"), 1);
    /* Only a picture may be larger than a body of JSON. */
    char *large = calloc(1, 200 * 1024);
    assert_non_null(large);
    memset(large, ' ', 200 * 1024 - 1);
    memcpy(large, "{}", 2);
    assert_int_equal(test_api_post(&test, "/categories", "l", large, &reply), 413);
    free(large);
    test_api_get(&test, "/products?limit=1x", &reply);
    assert_problem(400, URN "invalid-query");
    test_api_get(&test, "/products?colour=red", &reply);
    assert_problem(400, URN "invalid-query");
    assert_int_equal(test_api_get(&test, "/products?q=cup&in_stock=true&price_max=900", &reply),
                     200);
    assert_int_equal(json_array_size(json_object_get(test.answer, "products")), 1);
    test_api_post(&test, "/stock/NONE/adjust", "s", "{\"change\":1,\"reason\":\"a\"}", &reply);
    assert_problem(404, URN "not-found");
    test_api_close(&test);
}

static void an_order_of_the_catalogue_holds_its_stock(void **state)
{
    (void)state;
    char order_id[64];
    char path[96];
    open_shop();
    assert_int_equal(test_api_post(&test, "/orders", "1", TWO_CUPS, &reply), 201);
    assert_int_equal(json_integer_value(json_object_get(test.answer, "amount")), 1800);
    (void)snprintf(order_id, sizeof order_id, "%s", test_api_text(&test, "order_id"));
    test_api_post(&test, "/orders", "2", TWO_CUPS, &reply);
    assert_problem(409, URN "out-of-stock");
    assert_string_equal(test_api_text(&test, "sku"), "CUP");
    assert_int_equal(json_integer_value(json_object_get(test.answer, "available")), 0);
    /* The same request, with the same key, succeeds once there is more. */
    assert_int_equal(
        test_api_post(&test, "/stock/CUP/adjust", "s", "{\"change\":2,\"reason\":\"new\"}", &reply),
        200);
    assert_int_equal(test_api_post(&test, "/orders", "2", TWO_CUPS, &reply), 201);
    /* Paid, then voided by the store: sold, then back. */
    test_api_purchase(&test, order_id, 1, SETPAY_PURCHASE_AUTHORISED);
    assert_int_equal(test_api_sql(&test, "SELECT on_hand * 10 + reserved FROM variant"), 22);
    (void)snprintf(path, sizeof path, "/orders/%s/void", order_id);
    assert_int_equal(test_api_post(&test, path, "v", NULL, &reply), 202);
    test_api_purchase_goes(&test, 1, SETPAY_PURCHASE_REVERSED);
    assert_int_equal(test_api_sql(&test, "SELECT on_hand * 10 + reserved FROM variant"), 42);
    /* Cancelled: free. */
    assert_int_equal(test_api_post(&test, "/orders", "3", TWO_CUPS, &reply), 201);
    (void)snprintf(path, sizeof path, "/orders/%s/cancel", test_api_text(&test, "order_id"));
    assert_int_equal(test_api_post(&test, path, "c", NULL, &reply), 200);
    assert_int_equal(test_api_sql(&test, "SELECT on_hand * 10 + reserved FROM variant"), 42);
    test_api_close(&test);
}

struct buyer {
    pthread_t thread;
    int number;
    struct test_api_reply reply;
};

static void *buy(void *arg)
{
    struct buyer *buyer = arg;
    char request[512];
    static const char body[] = "{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}]}";
    (void)snprintf(request, sizeof request,
                   "POST /api/v1/orders HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                   "Authorization: Bearer $TOKEN\r\nIdempotency-Key: b%d\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   buyer->number, strlen(body), body);
    test_api_send(&test, request, &buyer->reply);
    return NULL;
}

static void of_many_buyers_as_many_get_one_as_there_are(void **state)
{
    (void)state;
    enum { BUYERS = 16 };
    static struct buyer buyers[BUYERS];
    int made = 0;
    int refused = 0;
    open_shop();
    for (int i = 0; i < BUYERS; i++) {
        buyers[i].number = i;
        assert_int_equal(pthread_create(&buyers[i].thread, NULL, buy, &buyers[i]), 0);
    }
    for (int i = 0; i < BUYERS; i++) {
        pthread_join(buyers[i].thread, NULL);
        made += buyers[i].reply.status == 201;
        refused += buyers[i].reply.status == 409;
    }
    assert_int_equal(made, 2);
    assert_int_equal(refused, BUYERS - 2);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM orders"), 2);
    test_api_close(&test);
}

static void a_picture_is_served_such_that_nothing_in_it_runs(void **state)
{
    (void)state;
    static const char svg[] = "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>";
    char request[1024];
    char path[256];
    open_shop();
    for (int i = 0; i < 2; i++) {
        (void)snprintf(request, sizeof request,
                       "POST /api/v1/products/cup/pictures?alt=A%%20cup HTTP/1.1\r\nHost: a\r\n"
                       "Connection: close\r\nAuthorization: Bearer $TOKEN\r\n"
                       "Idempotency-Key: p%d\r\nContent-Type: image/%s\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       i, i == 0 ? "svg+xml" : "png", strlen(svg), svg);
        test_api_send(&test, request, &reply);
        assert_int_equal(reply.status, i == 0 ? 201 : 422);
    }
    assert_int_equal(test_api_get(&test, "/products/cup/pictures", &reply), 200);
    const json_t *picture = json_array_get(json_object_get(test.answer, "pictures"), 0);
    assert_string_equal(json_string_value(json_object_get(picture, "alt")), "A cup");
    (void)snprintf(path, sizeof path, "/products/cup/pictures/%s",
                   json_string_value(json_object_get(picture, "id")));
    (void)snprintf(request, sizeof request,
                   "GET /api/v1%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                   "Authorization: Bearer $TOKEN\r\n\r\n",
                   path);
    test_api_send(&test, request, &reply);
    assert_string_equal(reply.body, svg);
    assert_header("Content-Type", "image/svg+xml");
    assert_header("Content-Security-Policy", SETPAY_PICTURE_POLICY);
    assert_header("X-Content-Type-Options", "nosniff");
    test_api_get(&test, "/products/cup/pictures/00", &reply);
    assert_problem(404, URN "not-found");
    /* Its words can be changed by who has seen how it is now. */
    test_api_edit(&test, "PATCH", path, NULL, "{\"alt\":\"Mine\"}", &reply);
    assert_problem(428, URN "version-needed");
    test_api_edit(&test, "PATCH", path, "\"1\"", "{\"alt\":\"Mine\"}", &reply);
    assert_problem(412, URN "version");
    test_api_edit(&test, "PATCH", path, "\"2\"", "{\"position\":2}", &reply);
    assert_problem(422, URN "invalid-field");
    assert_int_equal(test_api_edit(&test, "PATCH", path, "\"2\"", "{\"alt\":\"Mine\"}", &reply),
                     200);
    assert_header("ETag", "\"3\"");
    picture = json_array_get(json_object_get(test.answer, "pictures"), 0);
    assert_string_equal(json_string_value(json_object_get(picture, "alt")), "Mine");
    assert_int_equal(test_api_edit(&test, "DELETE", path, "*", "", &reply), 200);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM picture"), 0);
    test_api_close(&test);
}

static void a_change_of_stock_is_told_once_to_who_wants_it(void **state)
{
    (void)state;
    open_shop();
    assert_int_equal(test_api_post(&test, "/webhooks", "w",
                                   "{\"url\":\"https://a.example/\",\"events\":[\"stock.out\"]}",
                                   &reply),
                     201);
    /* The same request again is not told again. */
    for (int i = 0; i < 2; i++)
        assert_int_equal(test_api_post(&test, "/stock/CUP/adjust", "s",
                                       "{\"on_hand\":0,\"reason\":\"<b>\"}", &reply),
                         200);
    assert_header("Idempotent-Replayed", "true");
    assert_int_equal(test_api_get(&test, "/events", &reply), 200);
    const json_t *events = json_object_get(test.answer, "events");
    assert_int_equal(json_array_size(events), 2);
    const json_t *data = json_object_get(json_array_get(events, 0), "data");
    assert_string_equal(json_string_value(json_object_get(data, "reason")), "<b>");
    assert_int_equal(json_integer_value(json_object_get(data, "change")), -2);
    data = json_object_get(json_array_get(events, 1), "data");
    assert_string_equal(json_string_value(json_object_get(data, "product")), "cup");
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM webhook_delivery"), 1);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM webhook_delivery d JOIN event e"
                                         " ON e.seq = d.event_seq WHERE e.type = 'stock.out'"),
                     1);
    test_api_close(&test);
}

static void nothing_of_the_store_is_told_without_a_token(void **state)
{
    (void)state;
    static const char *const requests[] = {"GET /api/v1/products",
                                           "GET /api/v1/products/cup",
                                           "PATCH /api/v1/products/cup",
                                           "DELETE /api/v1/products/cup",
                                           "POST /api/v1/products",
                                           "GET /api/v1/stock",
                                           "GET /api/v1/products/cup/pictures/00",
                                           "PATCH /api/v1/products/cup/pictures/00",
                                           "GET /api/v1/tax-rates"};
    char request[256];
    open_shop();
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        (void)snprintf(request, sizeof request,
                       "%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nIf-Match: *\r\n"
                       "Content-Length: 0\r\n\r\n",
                       requests[i]);
        test_api_send(&test, request, &reply);
        assert_int_equal(reply.status, 401);
    }
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM product"), 1);
    test_api_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_product_has_a_version_without_which_nothing_changes),
        cmocka_unit_test(a_refused_request_keeps_nothing_of_its_key),
        cmocka_unit_test(an_order_of_the_catalogue_holds_its_stock),
        cmocka_unit_test(of_many_buyers_as_many_get_one_as_there_are),
        cmocka_unit_test(a_picture_is_served_such_that_nothing_in_it_runs),
        cmocka_unit_test(a_change_of_stock_is_told_once_to_who_wants_it),
        cmocka_unit_test(nothing_of_the_store_is_told_without_a_token),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
