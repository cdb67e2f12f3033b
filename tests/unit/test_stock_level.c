/*
 * What is told of stock: changes by hand, and that something is low, out or enough again, each once
 * and in the operation that makes it so; and what is not told: reservations.
 */
#include "common/base/testing.h"
#include "merchant/store/event.h"
#include "merchant/store/stock.h"
#include "merchant/store/stock_level.h"
#include "tests/support/test_acts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct test_acts test;

#define SHOP                                                                                       \
    "{\"slug\":\"cup\",\"name\":\"Cup\",\"status\":\"published\",\"variants\":["                   \
    "{\"sku\":\"CUP\",\"prices\":{\"EUR\":900},\"stock\":{\"on_hand\":5,\"low_at\":2}},"           \
    "{\"sku\":\"TEA\",\"prices\":{\"EUR\":100},\"stock\":{\"on_hand\":3}},"                        \
    "{\"sku\":\"PDF\",\"prices\":{\"EUR\":500}}]}"
#define ORDER(sku, quantity) "{\"items\":[{\"sku\":\"" sku "\",\"quantity\":" #quantity "}]}"

static void open_shop(void)
{
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL, SHOP), SETPAY_OK);
}

static enum setpay_error take_events(struct setpay_db *db, void *arg)
{
    const struct setpay_event_list wanted = {.limit = SETPAY_EVENT_LIST_MAX};
    SETPAY_TRY(setpay_event_list_read(db, &wanted, arg));
    return setpay_db_run(db, "DELETE FROM event");
}

/* "stock.low CUP 2 was enough; …" of all events so far, which are then forgotten. */
static const char *told(void)
{
    static char text[2048];
    size_t used = 0, index;
    const json_t *event;
    json_t *page = NULL;
    text[0] = '\0';
    assert_int_equal(setpay_store_submit_wait(test.store, take_events, &page), SETPAY_OK);
    json_array_foreach(json_object_get(page, "events"), index, event)
    {
        const json_t *data = json_object_get(event, "data");
        const char *was = json_string_value(json_object_get(data, "was"));
        const char *reason = json_string_value(json_object_get(data, "reason"));
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %s %lld %s%s",
                                 index > 0 ? "; " : "",
                                 json_string_value(json_object_get(event, "type")),
                                 json_string_value(json_object_get(data, "sku")),
                                 (long long)json_integer_value(json_object_get(data, "on_hand")),
                                 was != NULL ? "was " : "because ", was != NULL ? was : reason);
    }
    json_decref(page);
    return text;
}

static void adjust(const char *sku, const char *body)
{
    assert_int_equal(test_act(&test, "stock.adjust", sku, NULL, body), SETPAY_OK);
}

enum happening { SOLD, RELEASED, RETURNED, TAKEN_BACK, FAILED };
struct happens {
    enum happening what;
    const char *order_id;
};

static enum setpay_error do_it(struct setpay_db *db, void *arg)
{
    const struct happens *happens = arg;
    int64_t moved = 0;
    switch (happens->what) {
    case SOLD:
        return setpay_stock_sell(db, happens->order_id, test.now_ms);
    case RELEASED:
        return setpay_stock_release(db, happens->order_id, test.now_ms);
    case RETURNED:
        return setpay_stock_return(db, happens->order_id, "CUP", 1, "returned", test.now_ms,
                                   &moved);
    case TAKEN_BACK:
        return setpay_stock_take_back(db, happens->order_id, "CUP", 1, "not returned", test.now_ms);
    case FAILED:
        SETPAY_TRY(setpay_stock_sell(db, happens->order_id, test.now_ms));
        return SETPAY_E_STATE;
    }
    return SETPAY_E_INTERNAL;
}

static enum setpay_error happen(enum happening what, const char *order_id)
{
    struct happens happens = {what, order_id};
    return setpay_store_submit_wait(test.store, do_it, &happens);
}

static void order(const char *body, char *order_id)
{
    struct test_ordering ordering;
    assert_int_equal(test_order(&test, body, &ordering), SETPAY_OK);
    memcpy(order_id, ordering.order.order_id, SETPAY_ORDER_ID_SIZE);
    setpay_order_clear(&ordering.order);
}

/* ------------------------------------------------------------------ tests */

static void the_level_follows_from_what_is_there(void **state)
{
    (void)state;
    static const struct {
        struct setpay_stock_count count;
        enum setpay_stock_level level;
    } rows[] = {
        {{true, 3, 2}, SETPAY_STOCK_ENOUGH},  {{true, 2, 2}, SETPAY_STOCK_LOW},
        {{true, 1, 2}, SETPAY_STOCK_LOW},     {{true, 0, 2}, SETPAY_STOCK_OUT},
        {{true, 1, 0}, SETPAY_STOCK_ENOUGH},  {{true, 0, 0}, SETPAY_STOCK_OUT},
        {{false, 0, 2}, SETPAY_STOCK_ENOUGH},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(setpay_stock_level(&rows[i].count), rows[i].level);
}

static void what_is_changed_by_hand_is_told_with_its_reason(void **state)
{
    (void)state;
    open_shop();
    assert_string_equal(told(), ""); /* a new product is no change of its stock */
    adjust("CUP", "{\"change\":-1,\"reason\":\"broken\"}");
    assert_string_equal(told(), "stock.changed CUP 4 because broken");
    adjust("CUP", "{\"on_hand\":0,\"reason\":\"stolen\"}");
    assert_string_equal(told(), "stock.changed CUP 0 because stolen; stock.out CUP 0 was enough");
    adjust("CUP", "{\"on_hand\":2,\"reason\":\"found\"}");
    assert_string_equal(told(), "stock.changed CUP 2 because found; stock.low CUP 2 was out");
    adjust("CUP", "{\"change\":1,\"reason\":\"found\"}");
    assert_string_equal(told(), "stock.changed CUP 3 because found; stock.enough CUP 3 was low");
    /* What is counted no longer is never low; counted again it may be. */
    adjust("CUP", "{\"on_hand\":1,\"tracked\":false,\"reason\":\"a\"}");
    assert_string_equal(told(), "stock.changed CUP 1 because a");
    adjust("CUP", "{\"tracked\":true,\"reason\":\"b\"}");
    assert_string_equal(told(), "stock.changed CUP 1 because b; stock.low CUP 1 was enough");
    /* A refusal is told to nobody. */
    test_act_refuses(&test, SETPAY_E_INVALID, "change", "stock.adjust", "CUP", NULL,
                     "{\"change\":-2,\"reason\":\"a\"}");
    assert_string_equal(told(), "");
    test_acts_close(&test);
}

static void the_owner_says_how_many_are_few(void **state)
{
    (void)state;
    open_shop();
    /* As it was made, and what it is where nothing was said. */
    assert_int_equal(test_acts_sql(&test, "SELECT low_at FROM variant WHERE sku = 'CUP'"), 2);
    assert_int_equal(test_acts_sql(&test, "SELECT low_at FROM variant WHERE sku = 'TEA'"),
                     SETPAY_STOCK_LOW_AT);
    int64_t log = test_acts_sql(&test, "SELECT COUNT(*) FROM stock_log");
    adjust("CUP", "{\"low_at\":5}");
    assert_string_equal(told(), "stock.low CUP 5 was enough");
    adjust("CUP", "{\"low_at\":5}");
    assert_string_equal(told(), "");
    adjust("CUP", "{\"low_at\":0}");
    assert_string_equal(told(), "stock.enough CUP 5 was low");
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM stock_log"), log);
    test_act_refuses(&test, SETPAY_E_INVALID, "low_at", "stock.adjust", "CUP", NULL,
                     "{\"low_at\":-1}");
    test_act_refuses(&test, SETPAY_E_INVALID, "low_at", "stock.adjust", "CUP", NULL,
                     "{\"low_at\":1000000001}");
    test_act_refuses(&test, SETPAY_E_INVALID, "reason", "stock.adjust", "CUP", NULL,
                     "{\"low_at\":1,\"change\":1}");
    test_act_refuses(&test, SETPAY_E_INVALID, "variants[0].stock.low_at", "product.add", NULL, NULL,
                     "{\"slug\":\"a\",\"name\":\"A\",\"variants\":[{\"sku\":\"A\",\"prices\":"
                     "{\"EUR\":1},\"stock\":{\"low_at\":-1}}]}");
    assert_int_equal(test_act(&test, "stock.show", "CUP", NULL, NULL), SETPAY_OK);
    assert_int_equal(json_integer_value(json_object_get(test.answer.json, "low_at")), 0);
    test_acts_close(&test);
}

static void a_sale_is_told_where_it_makes_something_low_or_sold_out(void **state)
{
    (void)state;
    char id[SETPAY_ORDER_ID_SIZE];
    char last[SETPAY_ORDER_ID_SIZE];
    open_shop();
    order(ORDER("CUP", 2), id);
    assert_int_equal(happen(SOLD, id), SETPAY_OK);
    assert_string_equal(told(), "");
    order(ORDER("CUP", 1), id);
    assert_int_equal(happen(SOLD, id), SETPAY_OK);
    assert_int_equal(happen(SOLD, id), SETPAY_OK);
    assert_string_equal(told(), "stock.low CUP 2 was enough");
    /* Lower still is no news, until the last is gone. */
    order(ORDER("CUP", 1), id);
    assert_int_equal(happen(SOLD, id), SETPAY_OK);
    assert_string_equal(told(), "");
    order(ORDER("CUP", 1), last);
    /* What is undone with its operation was never told. */
    assert_int_equal(happen(FAILED, last), SETPAY_E_STATE);
    assert_string_equal(told(), "");
    assert_int_equal(happen(SOLD, last), SETPAY_OK);
    assert_string_equal(told(), "stock.out CUP 0 was low");
    /* What comes back is told too: who stopped selling it may begin again. */
    assert_int_equal(happen(RETURNED, last), SETPAY_OK);
    assert_string_equal(told(), "stock.low CUP 1 was out");
    assert_int_equal(happen(TAKEN_BACK, last), SETPAY_OK);
    assert_string_equal(told(), "stock.out CUP 0 was low");
    assert_int_equal(happen(RELEASED, last), SETPAY_OK);
    assert_string_equal(told(), "stock.low CUP 1 was out");
    /* Of what is not counted nothing is told. */
    order(ORDER("PDF", 1000), id);
    assert_int_equal(happen(SOLD, id), SETPAY_OK);
    assert_int_equal(happen(RELEASED, id), SETPAY_OK);
    assert_string_equal(told(), "");
    test_acts_close(&test);
}

static void whoever_reserves_without_paying_makes_no_event(void **state)
{
    (void)state;
    char id[SETPAY_ORDER_ID_SIZE];
    open_shop();
    for (int i = 0; i < 20; i++) {
        order(ORDER("CUP", 5), id);
        assert_int_equal(happen(RELEASED, id), SETPAY_OK);
    }
    assert_string_equal(told(), "");
    test_acts_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_level_follows_from_what_is_there),
        cmocka_unit_test(what_is_changed_by_hand_is_told_with_its_reason),
        cmocka_unit_test(the_owner_says_how_many_are_few),
        cmocka_unit_test(a_sale_is_told_where_it_makes_something_low_or_sold_out),
        cmocka_unit_test(whoever_reserves_without_paying_makes_no_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
