/*
 * A store that ships in parts, and gives back by line, at a running merchant with a running
 * gateway: each part is captured for what its pieces cost, all of them for the order's amount; a
 * part whose capture is refused or undone may be sent again; what comes back, or can't be paid for
 * any more, stands on the shelf, and what was sent does not.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "merchant/store/payment_port.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_market.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_S 120

/* Three cups at 300 and 10 % on them, a spoon at 50 and 5 on it, and 205 for the parcel: 1,250. */
#define ORDER                                                                                      \
    "{\"items\":[{\"sku\":\"CUP\",\"quantity\":3},{\"sku\":\"SPOON\",\"quantity\":1}],"            \
    "\"country\":\"DE\",\"shipping_method\":\"post\",\"currency\":\"EUR\",\"capture\":\"%s\"}"
#define LINES(n, quantity) "{\"lines\":[{\"line\":" #n ",\"quantity\":" #quantity "}]}"

static struct test_market market;

static void post_ok(const char *path, const char *body)
{
    json_t *answer = NULL;
    int code = test_merchantd_api(market.merchant, path, body, &answer);
    if (code / 100 != 2)
        fail_msg("%s: %d %s", path, code, json_string_value(json_object_get(answer, "detail")));
    json_decref(answer);
}

static void pay_for(const char *body, struct test_sale *sale)
{
    struct test_order order = test_merchantd_order_of(market.merchant, body);
    test_sale_again(&market, &order, market.holder, sale);
    test_sale_pay(&market, sale);
}

static void pay(const char *capture, struct test_sale *sale)
{
    char body[512];
    (void)snprintf(body, sizeof body, ORDER, capture);
    pay_for(body, sale);
}

static int post(const struct test_sale *sale, const char *what, const char *body, json_t **answer)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/orders/%s/%s", sale->order.id, what);
    return test_merchantd_api(market.merchant, path, body, answer);
}

static void done(const struct test_sale *sale, const char *what, const char *body,
                 const char *status)
{
    json_t *answer = NULL;
    int code = post(sale, what, body, &answer);
    if (code != 200)
        fail_msg("%s %s: %d %s", what, body, code,
                 json_string_value(json_object_get(answer, "detail")));
    assert_string_equal(json_string_value(json_object_get(answer, "status")), status);
    json_decref(answer);
}

static void refused(const struct test_sale *sale, const char *what, const char *body, int code,
                    const char *problem, const char *field)
{
    json_t *answer = NULL;
    char type[80];
    int64_t steps = test_gateway_number(market.gateway, "SELECT count(*) FROM step");
    (void)snprintf(type, sizeof type, "urn:setpay:problem:%s", problem);
    int found = post(sale, what, body, &answer);
    const char *named = json_string_value(json_object_get(answer, "field"));
    if (found != code || strcmp(json_string_value(json_object_get(answer, "type")), type) != 0 ||
        strcmp(named != NULL ? named : "", field) != 0)
        fail_msg("%s %s: %d %s", what, body, found,
                 json_string_value(json_object_get(answer, "detail")));
    json_decref(answer);
    assert_int_equal(test_gateway_number(market.gateway, "SELECT count(*) FROM step"), steps);
}

static json_t *get(const char *path)
{
    json_t *answer = NULL;
    assert_int_equal(test_merchantd_api(market.merchant, path, NULL, &answer), 200);
    return answer;
}

static json_t *order_of(const struct test_sale *sale)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/orders/%s", sale->order.id);
    return get(path);
}

/* A member of the n-th entry of a list of the order. */
static json_t *entry_of(const struct test_sale *sale, const char *list, size_t n,
                        const char *member)
{
    json_t *order = order_of(sale);
    json_t *value =
        json_incref(json_object_get(json_array_get(json_object_get(order, list), n), member));
    if (value == NULL)
        fail_msg("no %s[%zu].%s", list, n, member);
    json_decref(order);
    return value;
}

static void expect_int(const struct test_sale *sale, const char *list, size_t n, const char *member,
                       int64_t number)
{
    json_t *value = entry_of(sale, list, n, member);
    assert_int_equal(json_integer_value(value), number);
    json_decref(value);
}

static void expect_text(const struct test_sale *sale, const char *list, size_t n,
                        const char *member, const char *text)
{
    json_t *value = entry_of(sale, list, n, member);
    assert_string_equal(json_string_value(value), text);
    json_decref(value);
}

static int64_t on_hand(const char *sku)
{
    char path[80];
    (void)snprintf(path, sizeof path, "/stock/%s", sku);
    json_t *stock = get(path);
    int64_t count = json_integer_value(json_object_get(stock, "on_hand"));
    json_decref(stock);
    return count;
}

static int64_t booked(const struct test_sale *sale, const char *column)
{
    char sql[160], hex[SETPAY_ID_TEXT_SIZE];
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM payment WHERE xid = x'%s'", column,
                   setpay_id_format(&sale->purchase->oi.xid, hex));
    return test_gateway_number(market.gateway, sql);
}

static int64_t events(const char *type)
{
    char path[80];
    (void)snprintf(path, sizeof path, "/events?type=%s&limit=100", type);
    json_t *list = get(path);
    int64_t count = (int64_t)json_array_size(json_object_get(list, "events"));
    json_decref(list);
    return count;
}

/* ------------------------------------------------------------------ in parts */

static void test_each_part_is_captured_for_what_it_costs(void **state)
{
    struct test_sale sale;
    (void)state;
    int64_t told = events("order.shipped");
    pay("on_shipment", &sale);
    refused(&sale, "shipments", LINES(1, 4), 409, "amount", "lines[0].quantity");
    refused(&sale, "shipments", LINES(3, 1), 422, "invalid-field", "lines[0].line");
    refused(&sale, "shipments", "{\"lines\":[{\"sku\":\"POT\",\"quantity\":1}]}", 422,
            "invalid-field", "lines[0].sku");
    refused(&sale, "shipments", "{\"line\":1}", 422, "invalid-field", "line");
    refused(&sale, "refund", LINES(1, 1), 409, "amount", "lines[0].quantity"); /* not paid yet */
    done(&sale, "shipments", "{\"lines\":[{\"sku\":\"CUP\",\"quantity\":1}],\"tracking\":\"RR 1\"}",
         "partially_captured");
    expect_int(&sale, "captures", 0, "amount", 330 + 205);
    expect_int(&sale, "shipments", 0, "amount", 330 + 205);
    expect_text(&sale, "shipments", 0, "tracking", "RR 1");
    expect_text(&sale, "shipments", 0, "status", "done");
    expect_int(&sale, "items", 0, "shipped", 1);
    done(&sale, "shipments", LINES(2, 1), "partially_captured");
    expect_int(&sale, "captures", 1, "amount", 55);
    refused(&sale, "shipments", LINES(2, 1), 409, "amount", "lines[0].quantity");
    done(&sale, "shipments", "{}", "captured"); /* all that is left */
    expect_int(&sale, "captures", 2, "amount", 660);
    refused(&sale, "shipments", "{}", 409, "order-state", "");
    assert_int_equal(booked(&sale, "captured_minor"), TEST_PRICE);
    assert_int_equal(events("order.shipped"), told + 3);
    test_sale_clear(&sale);
}

/* The parts take the whole amount and no more, whatever was taken beside them. */
static void test_what_was_captured_by_amount_counts_first(void **state)
{
    struct test_sale sale;
    (void)state;
    pay("on_shipment", &sale);
    done(&sale, "capture", "{\"amount\":600}", "partially_captured");
    done(&sale, "shipments", LINES(1, 1), "partially_captured"); /* worth 535: it is paid */
    expect_int(&sale, "shipments", 0, "amount", 0);
    done(&sale, "shipments", LINES(1, 1), "partially_captured");
    expect_int(&sale, "shipments", 1, "amount", 265);
    done(&sale, "shipments", "{}", "captured");
    assert_int_equal(booked(&sale, "captured_minor"), TEST_PRICE);
    test_sale_clear(&sale);
}

static void test_other_orders_are_only_marked(void **state)
{
    struct test_sale sale;
    (void)state;
    pay("manual", &sale);
    done(&sale, "shipments", LINES(1, 2), "authorised");
    expect_int(&sale, "items", 0, "shipped", 2);
    done(&sale, "capture", "{}", "captured");
    done(&sale, "shipments", "{}", "captured");
    assert_int_equal(booked(&sale, "captured_minor"), TEST_PRICE);
    test_sale_clear(&sale);
    struct test_order open = test_merchantd_order(market.merchant, 100, "EUR", 600);
    sale.order = open;
    refused(&sale, "shipments", "{}", 409, "order-state", "");
}

/* ------------------------------------------------------------------ what is not sent, comes back
 */

static void test_the_rest_is_given_up(void **state)
{
    struct test_sale sale;
    (void)state;
    int64_t cups = on_hand("CUP"), spoons = on_hand("SPOON");
    pay("on_shipment", &sale);
    assert_int_equal(on_hand("CUP"), cups - 3);
    done(&sale, "shipments", LINES(1, 2), "partially_captured");
    done(&sale, "void", "{}", "captured");
    done(&sale, "void", "{}", "captured"); /* again */
    refused(&sale, "shipments", "{}", 409, "order-state", "");
    assert_int_equal(on_hand("CUP"), cups - 2);
    assert_int_equal(on_hand("SPOON"), spoons);
    assert_int_equal(booked(&sale, "captured_minor"), 660 + 205);
    assert_int_equal(booked(&sale, "reversed_minor"), TEST_PRICE - 660 - 205);
    test_sale_clear(&sale);
}

/* The gateway's clock, and nobody else's. */
static void move_gateway(int64_t days)
{
    json_decref(
        test_gateway_control(market.gateway, "testing.clock",
                             json_pack("{s:I}", "offset_ms", (json_int_t)days * SETPAY_DAY_MS)));
}

/* While the merchant's daemon is down. */
static void change_merchant(const char *sql)
{
    test_daemon_stop(&market.merchant->daemon);
    test_daemon_execute(&market.merchant->daemon, sql);
    test_daemon_start(&market.merchant->daemon, NULL);
    test_market_reconnect(&market);
}

/* The gateway has ended the hold, and the merchant finds out by its own look. */
static void end_hold(const struct test_sale *sale)
{
    char sql[200], hex[SETPAY_ID_TEXT_SIZE];
    move_gateway(8);
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM payment WHERE release_open = 1 AND xid = x'%s'",
                   setpay_id_format(&sale->purchase->oi.xid, hex));
    test_daemon_wait_number(&market.gateway->daemon, sql, 1);
    move_gateway(0);
    (void)snprintf(sql, sizeof sql,
                   "UPDATE purchase SET hold_expiry_ms = %lld, due_ms = 1 WHERE order_id = '%s'",
                   (long long)setpay_clock_now_ms() - SETPAY_MINUTE_MS, sale->order.id);
    change_merchant(sql);
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM step JOIN purchase ON purchase.id = purchase_id"
                   " WHERE order_id = '%s' AND kind = 5 AND step.state = 2",
                   sale->order.id);
    test_daemon_wait_number(&market.merchant->daemon, sql, 1);
}

/* Nobody voids it: what nothing pays for any more is back by itself, once; the present, too. */
static void test_the_rest_is_over_with_its_hold(void **state)
{
    struct test_sale sale;
    (void)state;
    int64_t cups = on_hand("CUP"), spoons = on_hand("SPOON"), cards = on_hand("CARD");
    pay_for("{\"items\":[{\"sku\":\"CUP\",\"quantity\":3},{\"sku\":\"SPOON\",\"quantity\":1},"
            "{\"sku\":\"CARD\",\"quantity\":1}],\"country\":\"DE\",\"shipping_method\":\"post\","
            "\"currency\":\"EUR\",\"capture\":\"on_shipment\"}",
            &sale);
    done(&sale, "shipments", LINES(1, 2), "partially_captured");
    end_hold(&sale);
    assert_int_equal(on_hand("CUP"), cups - 2);
    assert_int_equal(on_hand("SPOON"), spoons);
    assert_int_equal(on_hand("CARD"), cards);
    refused(&sale, "shipments", LINES(1, 1), 409, "order-state", "");
    refused(&sale, "shipments", LINES(3, 1), 409, "order-state", ""); /* it costs nothing */
    refused(&sale, "void", "{}", 409, "order-state", "");
    done(&sale, "refund", LINES(1, 1), "partially_refunded"); /* something else happens to it */
    assert_int_equal(on_hand("CUP"), cups - 2);
    assert_int_equal(on_hand("SPOON"), spoons);
    test_sale_clear(&sale);
}

/* Of 1,250 the shopper has agreed to, 1,000 are authorised, one cup is sent for 535, and the hold
 * of the other 465 has ended: further payments may follow, so that the rest is still the order's.
 */
static void pay_in_parts(const char *terms, struct test_sale *sale)
{
    static const struct test_end first = {SETPAY_MESSAGE_P_RES, SETPAY_STATUS_AUTHORISED,
                                          SETPAY_RECEIPT_AUTHORISATION, 1, 1000};
    struct setpay_buffer message, answer;
    char body[512];
    int64_t cups = on_hand("CUP"), spoons = on_hand("SPOON");
    (void)snprintf(body, sizeof body, ORDER, "on_shipment");
    (void)snprintf(body + strlen(body) - 1, sizeof body - strlen(body), ",\"terms\":%s}", terms);
    struct test_order order = test_merchantd_order_of(market.merchant, body);
    test_sale_again(&market, &order, market.holder, sale);
    test_purchase_sign(sale->purchase);
    test_purchase_preq(sale->purchase, &message);
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &answer);
    test_sale_expect(&market, sale, setpay_buffer_view(&answer), &first);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    done(sale, "shipments", LINES(1, 1), "partially_captured");
    end_hold(sale);
    assert_int_equal(on_hand("CUP"), cups - 3);
    assert_int_equal(on_hand("SPOON"), spoons - 1);
}

static void declined_for_good(const struct test_sale *sale)
{
    json_t *answer = NULL;
    json_decref(test_gateway_issuer(market.gateway, "script",
                                    json_pack("{s:i, s:i}", "refuse", 1, "refuse_code", 43)));
    (void)post(sale, "authorise", "{\"amount\":715}", &answer);
    assert_string_equal(json_string_value(json_object_get(answer, "type")),
                        "urn:setpay:problem:declined");
    json_decref(answer);
}

/* What was to pay for the rest is over, too: the rest is back with that, in the same operation. */
static void test_the_rest_is_over_with_its_agreement(void **state)
{
    struct test_sale sale;
    (void)state;
    int64_t cups = on_hand("CUP"), spoons = on_hand("SPOON");
    pay_in_parts("{\"kind\":\"split\",\"first\":1000}", &sale);
    declined_for_good(&sale);
    assert_int_equal(on_hand("CUP"), cups - 1);
    assert_int_equal(on_hand("SPOON"), spoons);
    refused(&sale, "shipments", "{}", 409, "order-state", "");
    test_sale_clear(&sale);
}

/* The same by time: the merchant finds out by its own look. */
static void test_the_rest_is_over_with_the_time_of_its_agreement(void **state)
{
    struct test_sale sale;
    char text[200], day[16];
    (void)state;
    int64_t cups = on_hand("CUP"), spoons = on_hand("SPOON");
    time_t end = (time_t)(setpay_clock_now_ms() / SETPAY_SECOND_MS) + 60 * 24 * 3600;
    (void)strftime(day, sizeof day, "%Y-%m-%d", gmtime(&end));
    (void)snprintf(text, sizeof text,
                   "{\"kind\":\"instalment\",\"count\":2,\"interval_days\":28,\"each\":1000,"
                   "\"first\":1000,\"schedule\":\"manual\",\"end\":\"%s\"}",
                   day);
    pay_in_parts(text, &sale);
    (void)snprintf(text, sizeof text,
                   "UPDATE purchase SET terms_end_ms = %lld, due_ms = 1 WHERE order_id = '%s'",
                   (long long)setpay_clock_now_ms() - SETPAY_MINUTE_MS, sale.order.id);
    change_merchant(text);
    (void)snprintf(text, sizeof text,
                   "SELECT count(*) FROM agreement JOIN purchase ON purchase.id = purchase_id"
                   " WHERE order_id = '%s' AND ended = %d",
                   sale.order.id, SETPAY_ENDED_EXPIRED);
    test_daemon_wait_number(&market.merchant->daemon, text, 1);
    assert_int_equal(on_hand("CUP"), cups - 1);
    assert_int_equal(on_hand("SPOON"), spoons);
    test_sale_clear(&sale);
}

/* The event of the first payment tells of the agreement that began with it. */
static void expect_agreement_in_event(const struct test_sale *sale)
{
    char sql[300];
    (void)snprintf(sql, sizeof sql,
                   "SELECT COUNT(*) FROM event WHERE type = 'order.authorised' AND order_id = '%s'"
                   " AND json_extract(body, '$.data.agreement.status') = 'active'",
                   sale->order.id);
    assert_int_equal(test_daemon_number(&market.merchant->daemon, sql), 1);
}

/* The first part of a split was captured whole, and the rest is never asked for: with the agreement
 * the pieces are back that were not sent, though no hold has ended. */
static void test_the_rest_is_over_with_a_part_that_was_captured_whole(void **state)
{
    static const struct test_end first = {SETPAY_MESSAGE_P_RES, SETPAY_STATUS_AUTHORISED,
                                          SETPAY_RECEIPT_AUTHORISATION, 1, 535};
    struct setpay_buffer message, answer;
    struct test_sale sale;
    char body[512];
    (void)state;
    int64_t cups = on_hand("CUP"), spoons = on_hand("SPOON");
    (void)snprintf(body, sizeof body, ORDER, "on_shipment");
    (void)snprintf(body + strlen(body) - 1, sizeof body - strlen(body),
                   ",\"terms\":{\"kind\":\"split\",\"first\":535}}");
    struct test_order order = test_merchantd_order_of(market.merchant, body);
    test_sale_again(&market, &order, market.holder, &sale);
    test_purchase_sign(sale.purchase);
    test_purchase_preq(sale.purchase, &message);
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &answer);
    test_sale_expect(&market, &sale, setpay_buffer_view(&answer), &first);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    expect_agreement_in_event(&sale);
    done(&sale, "shipments", LINES(1, 1), "captured");
    assert_int_equal(on_hand("CUP"), cups - 3);
    json_t *ended = NULL;
    assert_int_equal(post(&sale, "end-agreement", "{}", &ended) / 100, 2);
    json_decref(ended);
    assert_int_equal(on_hand("CUP"), cups - 1);
    assert_int_equal(on_hand("SPOON"), spoons);
    refused(&sale, "shipments", "{}", 409, "order-state", "");
    ended = NULL;
    (void)post(&sale, "end-agreement", "{}", &ended); /* again */
    json_decref(ended);
    assert_int_equal(on_hand("CUP"), cups - 1);
    test_sale_clear(&sale);
}

/* More was captured than was sent when the hold ended: so many pieces as that pays for may still be
 * sent, the others are back. */
static void test_what_was_captured_ahead_is_sent_after_the_hold(void **state)
{
    struct test_sale sale;
    (void)state;
    int64_t cups = on_hand("CUP"), spoons = on_hand("SPOON");
    pay("on_shipment", &sale);
    done(&sale, "shipments", LINES(1, 1), "partially_captured"); /* 535 */
    done(&sale, "capture", "{\"amount\":400}", "partially_captured");
    end_hold(&sale);
    assert_int_equal(on_hand("CUP"), cups - 2); /* a second one would cost 330 */
    assert_int_equal(on_hand("SPOON"), spoons - 1);
    done(&sale, "shipments", LINES(1, 1), "captured");
    assert_int_equal(on_hand("CUP"), cups - 2);
    assert_int_equal(on_hand("SPOON"), spoons - 1); /* 55, and 70 are left */
    done(&sale, "shipments", LINES(2, 1), "captured");
    refused(&sale, "shipments", LINES(1, 1), 409, "order-state", "");
    assert_int_equal(on_hand("CUP"), cups - 2);
    assert_int_equal(on_hand("SPOON"), spoons - 1);
    assert_int_equal(booked(&sale, "captured_minor"), 935);
    test_sale_clear(&sale);
}

/* What the shop has said to be on its way is not on the shelf, whatever becomes of the money. */
static void test_what_was_sent_is_not_back_with_a_void(void **state)
{
    struct test_sale sale;
    (void)state;
    int64_t cups = on_hand("CUP"), spoons = on_hand("SPOON");
    pay("manual", &sale);
    done(&sale, "shipments", LINES(1, 2), "authorised");
    done(&sale, "void", "{}", "voided");
    done(&sale, "void", "{}", "voided"); /* again */
    assert_int_equal(on_hand("CUP"), cups - 2);
    assert_int_equal(on_hand("SPOON"), spoons);
    assert_int_equal(booked(&sale, "reversed_minor"), TEST_PRICE);
    test_sale_clear(&sale);
    /* Nor with the end of the hold. */
    pay("manual", &sale);
    done(&sale, "shipments", LINES(1, 1), "authorised");
    end_hold(&sale);
    assert_int_equal(on_hand("CUP"), cups - 3);
    assert_int_equal(on_hand("SPOON"), spoons);
    test_sale_clear(&sale);
}

static void test_lines_are_given_back(void **state)
{
    struct test_sale sale;
    (void)state;
    pay("on_shipment", &sale);
    done(&sale, "shipments", LINES(1, 1), "partially_captured");
    done(&sale, "shipments", "{}", "captured");
    int64_t cups = on_hand("CUP"), spoons = on_hand("SPOON");
    done(&sale, "refund", "{\"lines\":[{\"sku\":\"CUP\",\"quantity\":2}],\"restock\":true}",
         "partially_refunded");
    expect_int(&sale, "returns", 0, "amount", 660); /* over two captures */
    expect_int(&sale, "items", 0, "refunded", 2);
    assert_int_equal(on_hand("CUP"), cups + 2);
    refused(&sale, "refund", LINES(1, 2), 409, "amount", "lines[0].quantity");
    refused(&sale, "refund", "{\"lines\":[{\"line\":1,\"quantity\":1}],\"amount\":1}", 422,
            "invalid-field", "amount");
    done(&sale, "refund", LINES(3, 1), "partially_refunded"); /* the parcel */
    expect_int(&sale, "returns", 1, "amount", 205);
    done(&sale, "refund", "{\"lines\":[{\"line\":1,\"quantity\":1},{\"line\":2,\"quantity\":1}]}",
         "refunded");
    assert_int_equal(on_hand("CUP"), cups + 2);
    assert_int_equal(on_hand("SPOON"), spoons);
    assert_int_equal(booked(&sale, "credited_minor"), TEST_PRICE);
    test_sale_clear(&sale);
}

/* Money that was given back by amount is not there for lines any more. */
static void test_lines_are_given_back_no_further_than_the_money_goes(void **state)
{
    struct test_sale sale;
    (void)state;
    pay("on_shipment", &sale);
    done(&sale, "shipments", "{}", "captured");
    done(&sale, "refund", "{\"amount\":1000}", "partially_refunded");
    refused(&sale, "refund", LINES(1, 1), 409, "amount", "lines");
    done(&sale, "refund", LINES(2, 1), "partially_refunded");
    test_sale_clear(&sale);
}

static void test_a_part_whose_capture_is_undone_is_not_sent(void **state)
{
    struct test_sale sale;
    char body[128];
    (void)state;
    pay("on_shipment", &sale);
    done(&sale, "shipments", LINES(1, 1), "partially_captured");
    json_t *id = entry_of(&sale, "captures", 0, "id");
    (void)snprintf(body, sizeof body, "{\"id\":\"%s\"}", json_string_value(id));
    json_decref(id);
    done(&sale, "undo", body, "authorised");
    expect_text(&sale, "shipments", 0, "status", "undone");
    expect_int(&sale, "items", 0, "shipped", 0);
    done(&sale, "shipments", "{}", "captured");
    expect_int(&sale, "captures", 1, "amount", TEST_PRICE);
    assert_int_equal(booked(&sale, "captured_minor"), TEST_PRICE);
    test_sale_clear(&sale);
}

/* ------------------------------------------------------------------ the world */

static int open_world(void **state)
{
    (void)state;
    test_market_open(&market, NULL, "5m");
    post_ok("/tax-rates", "{\"country\":\"DE\",\"name\":\"Tax\",\"rate_ppm\":100000,"
                          "\"included\":false}");
    post_ok("/shipping-methods",
            "{\"slug\":\"post\",\"name\":\"Parcel\",\"tax_class\":\"none\",\"zones\":[{"
            "\"countries\":[\"DE\"],\"currency\":\"EUR\",\"by\":\"weight\",\"steps\":["
            "{\"amount\":205}]}]}");
    post_ok("/products",
            "{\"slug\":\"cup\",\"name\":\"Cup\",\"status\":\"published\",\"variants\":[{\"sku\":"
            "\"CUP\",\"prices\":{\"EUR\":300},\"stock\":{\"on_hand\":100}}]}");
    post_ok("/products",
            "{\"slug\":\"spoon\",\"name\":\"Spoon\",\"status\":\"published\",\"variants\":[{"
            "\"sku\":\"SPOON\",\"prices\":{\"EUR\":50},\"stock\":{\"on_hand\":100}}]}");
    post_ok("/products",
            "{\"slug\":\"card\",\"name\":\"Greeting\",\"status\":\"published\",\"variants\":[{"
            "\"sku\":\"CARD\",\"prices\":{\"EUR\":0},\"stock\":{\"on_hand\":100}}]}");
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    test_market_close(&market);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_part_is_captured_for_what_it_costs),
        cmocka_unit_test(test_what_was_captured_by_amount_counts_first),
        cmocka_unit_test(test_other_orders_are_only_marked),
        cmocka_unit_test(test_the_rest_is_given_up),
        cmocka_unit_test(test_the_rest_is_over_with_its_hold),
        cmocka_unit_test(test_the_rest_is_over_with_its_agreement),
        cmocka_unit_test(test_the_rest_is_over_with_the_time_of_its_agreement),
        cmocka_unit_test(test_the_rest_is_over_with_a_part_that_was_captured_whole),
        cmocka_unit_test(test_what_was_captured_ahead_is_sent_after_the_hold),
        cmocka_unit_test(test_what_was_sent_is_not_back_with_a_void),
        cmocka_unit_test(test_lines_are_given_back),
        cmocka_unit_test(test_lines_are_given_back_no_further_than_the_money_goes),
        cmocka_unit_test(test_a_part_whose_capture_is_undone_is_not_sent),
    };
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
