/*
 * A store that captures, gives back, undoes, voids and closes batches at a running merchant with a
 * running gateway: to the last unit and not one more, by two clients at once, across a kill; and
 * what the shopper's wallet is told of it in the end. The gateway's ledger holds each step once.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/base/zone.h"
#include "common/wire/receipt.h"
#include "merchant/store/api/idempotency.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_market.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 200
#define LARGE 13 /* orders that are large together */
#define LARGE_TEXT "13"

static struct test_market market;

/* ------------------------------------------------------------------ a store */

static struct test_order order_to_capture(const char *capture)
{
    return test_merchantd_order_to_capture(market.merchant, TEST_PRICE, capture);
}

static void pay(const char *capture, struct test_sale *sale)
{
    struct test_order order = order_to_capture(capture);
    test_sale_again(&market, &order, market.holder, sale);
    test_sale_pay(&market, sale);
}

/* POST; the answer is the caller's. */
static int post(const struct test_sale *sale, const char *what, const char *body, json_t **answer)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/orders/%s/%s", sale->order.id, what);
    return test_merchantd_api(market.merchant, path, body, answer);
}

/* POST that is done, and leaves the order so. */
static void done(const struct test_sale *sale, const char *what, const char *body,
                 const char *status)
{
    json_t *answer = NULL;
    int code = post(sale, what, body, &answer);
    if (code != 200)
        print_message("# %s\n", json_string_value(json_object_get(answer, "detail")));
    assert_int_equal(code, 200);
    assert_string_equal(json_string_value(json_object_get(answer, "status")), status);
    json_decref(answer);
}

/* POST that is refused so, and changes nothing at the gateway. */
static void refused(const struct test_sale *sale, const char *what, const char *body, int code,
                    const char *problem)
{
    json_t *answer = NULL;
    char type[80];
    int64_t steps = test_gateway_number(market.gateway, "SELECT count(*) FROM step");
    (void)snprintf(type, sizeof type, "urn:setpay:problem:%s", problem);
    assert_int_equal(post(sale, what, body, &answer), code);
    assert_string_equal(json_string_value(json_object_get(answer, "type")), type);
    json_decref(answer);
    assert_int_equal(test_gateway_number(market.gateway, "SELECT count(*) FROM step"), steps);
}

static json_t *order_of(const struct test_sale *sale)
{
    json_t *order = NULL;
    char path[160];
    (void)snprintf(path, sizeof path, "/orders/%s", sale->order.id);
    assert_int_equal(test_merchantd_api(market.merchant, path, NULL, &order), 200);
    return order;
}

/* A member of the n-th entry of a list of the order. */
static json_t *entry_of(const struct test_sale *sale, const char *list, size_t n,
                        const char *member)
{
    json_t *order = order_of(sale);
    json_t *value =
        json_incref(json_object_get(json_array_get(json_object_get(order, list), n), member));
    assert_non_null(value);
    json_decref(order);
    return value;
}

static void body_with_id(const struct test_sale *sale, const char *list, size_t n,
                         const char *member, const char *more, char *body, size_t size)
{
    json_t *id = entry_of(sale, list, n, "id");
    (void)snprintf(body, size, "{\"%s\":\"%s\"%s}", member, json_string_value(id), more);
    json_decref(id);
}

static void expect_minor(const struct test_sale *sale, const char *list, size_t n,
                         const char *member, int64_t minor)
{
    json_t *value = entry_of(sale, list, n, member);
    assert_int_equal(json_integer_value(value), minor);
    json_decref(value);
}

static int64_t booked(const struct test_sale *sale, const char *column)
{
    char sql[160], hex[SETPAY_ID_TEXT_SIZE];
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM payment WHERE xid = x'%s'", column,
                   setpay_id_format(&sale->purchase->oi.xid, hex));
    return test_gateway_number(market.gateway, sql);
}

/* ------------------------------------------------------------------ what the wallet is told */

/* All receipts of the purchase in order, opened and added up as a wallet does (rules W6, G8). */
static struct setpay_receipt_sums inquire(const struct test_sale *sale, size_t count)
{
    struct test_inquiry inquiry;
    struct setpay_buffer message, answer, bytes;
    struct setpay_pres pres;
    struct setpay_receipt_sums sums = {0};
    struct setpay_digest previous = {{0}};
    const struct setpay_certificate *gateway = market.gateway->sign[0]->certificate;
    test_inquiry_fill(sale->purchase, setpay_clock_now_ms(), &inquiry);
    test_inquiry_message(&inquiry, &message);
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &answer);
    test_pres_read(sale->purchase, setpay_buffer_view(&answer), SETPAY_MESSAGE_INQ_RES, &pres);
    assert_int_equal(pres.receipt_count, count);
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    for (size_t i = 0; i < count; i++) {
        struct setpay_receipt receipt;
        assert_int_equal(setpay_sealed_receipt_open(&pres.receipts[i], &sale->purchase->pi.back_key,
                                                    &sale->purchase->oi.xid, gateway, &receipt,
                                                    &bytes),
                         SETPAY_OK);
        assert_true(setpay_digest_equal(&receipt.previous, &previous));
        assert_int_equal(setpay_receipt_hash(setpay_buffer_view(&bytes), &previous), SETPAY_OK);
        assert_int_equal(setpay_receipt_sums_add(&sums, &receipt), SETPAY_OK);
    }
    setpay_buffer_clear(&bytes);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    setpay_pres_clear(&pres);
    return sums;
}

/* ------------------------------------------------------------------ captures and refunds */

/* Split shipment; the last unit, and not one more. */
static void test_captures_in_parts(void **state)
{
    struct test_sale sale;
    (void)state;
    pay("on_shipment", &sale);
    refused(&sale, "refund", "{}", 409, "order-state");
    refused(&sale, "capture", "{\"amount\":1251}", 409, "amount");
    refused(&sale, "capture", "{\"amount\":0}", 422, "invalid-field");
    refused(&sale, "capture", "{\"amount\":1,\"currency\":\"USD\"}", 409, "amount");
    refused(&sale, "capture", "{\"minor\":1}", 422, "invalid-field");
    done(&sale, "capture", "{\"amount\":500}", "partially_captured");
    refused(&sale, "capture", "{\"amount\":751,\"currency\":\"EUR\"}", 409, "amount");
    done(&sale, "capture", "{\"amount\":749}", "partially_captured");
    done(&sale, "capture", "{\"amount\":1}", "captured");
    refused(&sale, "capture", "{\"amount\":1}", 409, "order-state");
    refused(&sale, "capture", "", 409, "order-state");
    refused(&sale, "void", "{}", 409, "order-state");
    refused(&sale, "cancel", "{}", 409, "order-state");
    assert_int_equal(booked(&sale, "captured_minor"), TEST_PRICE);
    expect_minor(&sale, "captures", 1, "amount", 749);
    struct setpay_receipt_sums sums = inquire(&sale, 4);
    assert_int_equal(sums.captured_minor, TEST_PRICE);
    test_sale_clear(&sale);
}

/* A refund is spread over the captures, the oldest first; or of one that is named. */
static void test_refunds_what_was_captured(void **state)
{
    struct test_sale sale;
    char body[128];
    (void)state;
    pay("manual", &sale);
    done(&sale, "capture", "{\"amount\":400}", "partially_captured");
    done(&sale, "capture", "", "captured");
    refused(&sale, "refund", "{\"amount\":1251}", 409, "amount");
    refused(&sale, "refund", "{\"capture_id\":\"00000000000000000000000000000001\"}", 404,
            "no-such-step");
    refused(&sale, "refund", "{\"capture_id\":7}", 422, "invalid-field");
    done(&sale, "refund", "{\"amount\":401}", "partially_refunded");
    expect_minor(&sale, "captures", 0, "refunded_amount", 400);
    expect_minor(&sale, "captures", 1, "refunded_amount", 1);
    body_with_id(&sale, "captures", 0, "capture_id", ",\"amount\":1", body, sizeof body);
    refused(&sale, "refund", body, 409, "order-state"); /* of that one all is given back */
    body_with_id(&sale, "captures", 1, "capture_id", ",\"amount\":850", body, sizeof body);
    refused(&sale, "refund", body, 409, "amount");
    body_with_id(&sale, "captures", 1, "capture_id", ",\"amount\":848", body, sizeof body);
    done(&sale, "refund", body, "partially_refunded");
    done(&sale, "refund", "", "refunded");
    refused(&sale, "refund", "{\"amount\":1}", 409, "order-state");
    assert_int_equal(booked(&sale, "credited_minor"), TEST_PRICE);
    struct setpay_receipt_sums sums = inquire(&sale, 7);
    assert_int_equal(sums.captured_minor, TEST_PRICE);
    assert_int_equal(sums.credited_minor, TEST_PRICE);
    test_sale_clear(&sale);
}

/* Asked for as a sale: the shopper's own answer has the receipts of both, and nothing is held. */
static void test_captures_at_once(void **state)
{
    static const struct test_end sold = {SETPAY_MESSAGE_P_RES, SETPAY_STATUS_AUTHORISED,
                                         SETPAY_RECEIPT_CAPTURE, 1, 0};
    struct test_sale sale;
    struct test_order order = order_to_capture("immediate");
    struct setpay_buffer message, answer;
    (void)state;
    test_sale_again(&market, &order, market.holder, &sale);
    test_purchase_sign(sale.purchase);
    test_purchase_preq(sale.purchase, &message);
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &answer);
    test_sale_expect(&market, &sale, setpay_buffer_view(&answer), &sold);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    assert_string_equal(test_merchantd_state(market.merchant, &sale.purchase->oi.xid), "captured");
    assert_string_equal(test_merchantd_order_status(market.merchant, &sale.order), "captured");
    assert_int_equal(booked(&sale, "captured_minor"), TEST_PRICE);
    assert_int_equal(inquire(&sale, 2).captured_minor, TEST_PRICE);
    refused(&sale, "void", "{}", 409, "order-state");
    test_sale_clear(&sale);
}

/* Undone, nothing of a sale is left: the receipt of what the gateway gave up with it is asked for
 * behind, and the order is over. */
static void test_undoes_a_sale(void **state)
{
    struct test_sale sale;
    struct test_order order = order_to_capture("immediate");
    struct setpay_buffer message, answer;
    char body[128];
    (void)state;
    test_sale_again(&market, &order, market.holder, &sale);
    test_purchase_sign(sale.purchase);
    test_purchase_preq(sale.purchase, &message);
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &answer);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    body_with_id(&sale, "captures", 0, "id", "", body, sizeof body);
    json_t *said = NULL;
    assert_int_equal(post(&sale, "undo", body, &said), 200);
    json_decref(said);
    test_merchantd_wait_state(market.merchant, &sale.purchase->oi.xid, "reversed");
    assert_string_equal(test_merchantd_order_status(market.merchant, &sale.order), "voided");
    struct setpay_receipt_sums sums = inquire(&sale, 4);
    assert_int_equal(sums.captured_minor, 0);
    assert_int_equal(sums.reversed_minor, TEST_PRICE);
    expect_minor(&sale, "reversals", 1, "amount", TEST_PRICE);
    test_sale_clear(&sale);
}

/* While its batch is open a capture or refund is undone whole; after that, nothing is. */
static void test_undoes_while_the_batch_is_open(void **state)
{
    struct test_sale sale;
    char body[128];
    json_t *answer = NULL;
    (void)state;
    pay("manual", &sale);
    done(&sale, "capture", "{\"amount\":1000}", "partially_captured");
    done(&sale, "refund", "{\"amount\":300}", "partially_refunded");
    body_with_id(&sale, "captures", 0, "id", "", body, sizeof body);
    refused(&sale, "undo", body, 409, "order-state"); /* some of it is given back */
    refused(&sale, "undo", "{}", 422, "invalid-field");
    refused(&sale, "undo", "{\"id\":\"00000000000000000000000000000001\"}", 404, "no-such-step");
    body_with_id(&sale, "refunds", 0, "id", "", body, sizeof body);
    done(&sale, "undo", body, "partially_captured");
    refused(&sale, "undo", body, 409, "order-state");
    body_with_id(&sale, "captures", 0, "id", "", body, sizeof body);
    done(&sale, "undo", body, "authorised");
    done(&sale, "capture", "{}", "captured");
    assert_int_equal(test_merchantd_api(market.merchant, "/batches/close", "{}", &answer), 200);
    json_decref(answer);
    body_with_id(&sale, "captures", 1, "id", "", body, sizeof body);
    assert_int_equal(post(&sale, "undo", body, &answer), 409); /* the gateway says so */
    assert_string_equal(json_string_value(json_object_get(answer, "type")),
                        "urn:setpay:problem:refused-by-gateway");
    json_decref(answer);
    assert_string_equal(test_merchantd_order_status(market.merchant, &sale.order), "captured");
    struct setpay_receipt_sums sums = inquire(&sale, 6);
    assert_int_equal(sums.captured_minor, TEST_PRICE);
    assert_int_equal(sums.credited_minor, 0);
    test_sale_clear(&sale);
}

/* What is held beside a capture is given up; what was captured stays. */
static void test_voids_the_rest(void **state)
{
    struct test_sale sale;
    int64_t held = 0;
    char body[128];
    (void)state;
    pay("manual", &sale);
    done(&sale, "capture", "{\"amount\":1000}", "partially_captured");
    done(&sale, "void", "{}", "captured");
    done(&sale, "void", "{}", "captured"); /* again */
    refused(&sale, "capture", "{\"amount\":1}", 409, "order-state");
    assert_int_equal(booked(&sale, "reversed_minor"), TEST_PRICE - 1000);
    test_gateway_wait_acknowledged(market.gateway);
    assert_int_equal(test_gateway_books(market.gateway, &sale.purchase->oi.xid, &held), 1);
    assert_int_equal(held, 1000);
    expect_minor(&sale, "payments", 0, "released_amount", TEST_PRICE - 1000);
    body_with_id(&sale, "captures", 0, "id", "", body, sizeof body);
    done(&sale, "undo", body, "authorised");
    done(&sale, "void", "{}", "voided"); /* it is held again, and given up now */
    struct setpay_receipt_sums sums = inquire(&sale, 5);
    assert_int_equal(sums.reversed_minor, TEST_PRICE);
    assert_int_equal(sums.captured_minor, 0);
    test_sale_clear(&sale);
}

/* So much of it, to the last unit and not one more; what is left is captured, or given up too. */
static void test_voids_a_part(void **state)
{
    struct test_sale sale;
    int64_t held = 0;
    (void)state;
    pay("manual", &sale);
    refused(&sale, "void", "{\"amount\":0}", 422, "invalid-field");
    refused(&sale, "void", "{\"amount\":-1}", 422, "invalid-field");
    refused(&sale, "void", "{\"amount\":\"1\"}", 422, "invalid-field");
    refused(&sale, "void", "{\"amount\":1251}", 409, "amount");
    refused(&sale, "void", "{\"amount\":1,\"currency\":\"USD\"}", 409, "amount");
    refused(&sale, "void", "{\"currency\":\"EUR\"}", 422, "invalid-field");
    done(&sale, "void", "{\"amount\":1}", "authorised");
    assert_int_equal(booked(&sale, "reversed_minor"), 1);
    refused(&sale, "void", "{\"amount\":1250}", 409, "amount");
    refused(&sale, "capture", "{\"amount\":1250}", 409, "amount");
    done(&sale, "capture", "{\"amount\":1000}", "partially_captured");
    done(&sale, "void", "{\"amount\":200,\"currency\":\"EUR\"}", "partially_captured");
    refused(&sale, "void", "{\"amount\":50}", 409, "amount");
    expect_minor(&sale, "payments", 0, "released_amount", 201);
    test_gateway_wait_acknowledged(market.gateway);
    assert_int_equal(test_gateway_books(market.gateway, &sale.purchase->oi.xid, &held), 1);
    assert_int_equal(held, 1049);
    done(&sale, "void", "{\"amount\":49}", "captured"); /* the last of it */
    refused(&sale, "void", "{\"amount\":1}", 409, "order-state");
    refused(&sale, "capture", "{\"amount\":1}", 409, "order-state");
    done(&sale, "void", "{}", "captured"); /* again, as ever */
    assert_int_equal(booked(&sale, "reversed_minor"), TEST_PRICE - 1000);
    struct setpay_receipt_sums sums = inquire(&sale, 5);
    assert_int_equal(sums.reversed_minor, TEST_PRICE - 1000);
    assert_int_equal(sums.captured_minor, 1000);
    test_sale_clear(&sale);
}

/* All of it by parts is as all of it at once. */
static void test_voids_all_by_parts(void **state)
{
    struct test_sale sale;
    (void)state;
    pay("manual", &sale);
    done(&sale, "void", "{\"amount\":1000}", "authorised");
    done(&sale, "void", "{\"amount\":250}", "voided");
    assert_string_equal(test_merchantd_state(market.merchant, &sale.purchase->oi.xid), "reversed");
    refused(&sale, "void", "{\"amount\":1}", 409, "order-state");
    assert_int_equal(inquire(&sale, 3).reversed_minor, TEST_PRICE);
    test_sale_clear(&sale);
    pay("manual", &sale);
    done(&sale, "void", "{\"amount\":1250}", "voided");
    assert_int_equal(inquire(&sale, 2).reversed_minor, TEST_PRICE);
    test_sale_clear(&sale);
}

struct racing {
    const struct test_sale *sale;
    const char *what;
    int code;
};

static void *race(void *arg)
{
    struct racing *racing = arg;
    json_t *answer = NULL;
    racing->code = post(racing->sale, racing->what, "{\"amount\":700}", &answer);
    json_decref(answer);
    return NULL;
}

/* A capture and a part given up that do not fit together: one of the two is done. */
static void test_a_part_races_a_capture(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct test_sale sale;
        pthread_t threads[2];
        pay("manual", &sale);
        struct racing both[2] = {{&sale, "capture", 0}, {&sale, "void", 0}};
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, race, &both[k]), 0);
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(pthread_join(threads[k], NULL), 0);
        assert_int_equal(both[0].code + both[1].code, 200 + 409);
        assert_int_equal(booked(&sale, "captured_minor"), both[0].code == 200 ? 700 : 0);
        assert_int_equal(booked(&sale, "reversed_minor"), both[1].code == 200 ? 700 : 0);
        test_sale_clear(&sale);
    }
}

/* ------------------------------------------------------------------ many at once */

#define TOGETHER 5

/* POST /captures of these orders; more: members of each, by its place. */
static int capture_all(const struct test_sale *sales, size_t count, const char *const *more,
                       json_t **answer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *one =
            more == NULL || more[i] == NULL ? json_object() : json_loads(more[i], 0, NULL);
        assert_non_null(one);
        json_object_set_new(one, "order_id", json_string(sales[i].order.id));
        json_array_append_new(list, one);
    }
    json_t *body = json_pack("{s:o}", "captures", list);
    char *text = json_dumps(body, JSON_COMPACT);
    int code = test_merchantd_api(market.merchant, "/captures", text, answer);
    free(text);
    json_decref(body);
    return code;
}

static const char *status_of(const json_t *answer, size_t at)
{
    const json_t *one = json_array_get(json_object_get(answer, "captures"), at);
    return json_string_value(json_object_get(one, "status"));
}

/* The requests of before, and how many more there are, each counted once though several keep it. */
static int64_t requests(void)
{
    return test_daemon_number(&market.merchant->daemon,
                              "SELECT COUNT(DISTINCT rrpid) FROM gateway_request WHERE kind = 4");
}

static void test_captures_many_at_once(void **state)
{
    static const char *const more[TOGETHER] = {NULL, "{\"amount\":1}", "{\"amount\":1251}",
                                               "{\"amount\":1,\"currency\":\"USD\"}", NULL};
    struct test_sale sales[TOGETHER];
    json_t *answer = NULL;
    (void)state;
    for (size_t i = 0; i < TOGETHER; i++)
        pay("manual", &sales[i]);
    done(&sales[4], "void", "{}", "voided");
    int64_t before = requests();
    assert_int_equal(capture_all(sales, TOGETHER, more, &answer), 200);
    assert_string_equal(status_of(answer, 0), "done");
    assert_string_equal(status_of(answer, 1), "done");
    const char *const problems[] = {NULL, NULL, "amount", "amount", "order-state"};
    for (size_t i = 2; i < TOGETHER; i++) {
        const json_t *one = json_array_get(json_object_get(answer, "captures"), i);
        char type[64];
        assert_string_equal(status_of(answer, i), "refused");
        (void)snprintf(type, sizeof type, "urn:setpay:problem:%s", problems[i]);
        assert_string_equal(
            json_string_value(json_object_get(json_object_get(one, "problem"), "type")), type);
    }
    json_decref(answer);
    assert_int_equal(requests(), before + 1); /* both in one, signed once */
    assert_int_equal(booked(&sales[0], "captured_minor"), TEST_PRICE);
    assert_int_equal(booked(&sales[1], "captured_minor"), 1);
    for (size_t i = 2; i < TOGETHER; i++)
        assert_int_equal(booked(&sales[i], "captured_minor"), 0);
    assert_int_equal(inquire(&sales[0], 2).captured_minor, TEST_PRICE); /* its receipt alone */
    assert_int_equal(inquire(&sales[1], 2).captured_minor, 1);
    for (size_t i = 0; i < TOGETHER; i++)
        test_sale_clear(&sales[i]);
}

static void test_refuses_what_is_no_list_of_captures(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "{\"captures\":[]}",
        "{\"captures\":{}}",
        "{\"captures\":[7]}",
        "{\"captures\":[{}]}",
        "{\"captures\":[{\"order_id\":\"\"}]}",
        "{\"captures\":[{\"order_id\":\"a\"},{\"order_id\":\"a\"}]}",
        "{\"captures\":[{\"order_id\":\"a\",\"amount\":0}]}",
        "{\"captures\":[{\"order_id\":\"a\",\"more\":1}]}",
        "{\"captures\":[{\"order_id\":\"a\"}],\"more\":1}",
    };
    json_t *answer = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(test_merchantd_api(market.merchant, "/captures", bodies[i], &answer), 422);
        json_decref(answer);
    }
    assert_int_equal(test_merchantd_api(market.merchant, "/captures",
                                        "{\"captures\":[{\"order_id\":\"nobody\"}]}", &answer),
                     200);
    assert_string_equal(status_of(answer, 0), "refused");
    json_decref(answer);
}

/* More receipts than an answer holds: the wallet is told how many stand behind, and asks on. */
static void test_many_captures(void **state)
{
    struct test_sale sale;
    struct test_inquiry inquiry;
    struct setpay_buffer message, answer;
    struct setpay_pres pres;
    (void)state;
    pay("manual", &sale);
    for (size_t i = 0; i < SETPAY_LIMIT_RECEIPTS / 2; i++)
        done(&sale, "capture", "{\"amount\":1}", "partially_captured");
    done(&sale, "refund", "{}", "partially_refunded");
    assert_int_equal(booked(&sale, "credited_minor"), SETPAY_LIMIT_RECEIPTS / 2);
    static const struct {
        uint32_t known, skipped, count, left;
    } rows[] = {
        {0, 0, SETPAY_LIMIT_RECEIPTS, 1},
        {SETPAY_LIMIT_RECEIPTS, SETPAY_LIMIT_RECEIPTS, 1, 0},
        {SETPAY_LIMIT_RECEIPTS + 1, SETPAY_LIMIT_RECEIPTS + 1, 0, 0},
        {SETPAY_LIMIT_RECEIPTS + 9, SETPAY_LIMIT_RECEIPTS + 1, 0, 0}, /* more than there are */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_inquiry_fill(sale.purchase, setpay_clock_now_ms(), &inquiry);
        inquiry.request.known = rows[i].known;
        test_inquiry_message(&inquiry, &message);
        test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &answer);
        test_pres_read(sale.purchase, setpay_buffer_view(&answer), SETPAY_MESSAGE_INQ_RES, &pres);
        assert_int_equal(pres.skipped, rows[i].skipped);
        assert_int_equal(pres.receipt_count, rows[i].count);
        assert_int_equal(pres.left, rows[i].left);
        setpay_buffer_clear(&message);
        setpay_buffer_clear(&answer);
        setpay_pres_clear(&pres);
    }
    test_sale_clear(&sale);
}

/* ------------------------------------------------------------------ two clients, and a kill */

struct client {
    const struct test_sale *sale;
    const char *body;
    struct test_merchantd merchant; /* its own count of keys */
    int code;
};

static void *run_client(void *arg)
{
    struct client *client = arg;
    json_t *answer = NULL;
    char path[160];
    (void)snprintf(path, sizeof path, "/orders/%s/capture", client->sale->order.id);
    client->code = test_merchantd_api(&client->merchant, path, client->body, &answer);
    json_decref(answer);
    return NULL;
}

/* Eight want 300 of 1,250 at once: four get it. */
static void test_clients_at_once(void **state)
{
    struct test_sale sale;
    struct client clients[8];
    pthread_t threads[8];
    int ok = 0, left = 0;
    (void)state;
    pay("manual", &sale);
    for (size_t i = 0; i < 8; i++) {
        clients[i] = (struct client){&sale, "{\"amount\":300}", *market.merchant, 0};
        clients[i].merchant.requests = market.merchant->requests + 1000 * (unsigned)(i + 1);
        assert_int_equal(pthread_create(&threads[i], NULL, run_client, &clients[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        (void)pthread_join(threads[i], NULL);
        ok += clients[i].code == 200;
        left += clients[i].code == 409;
    }
    assert_int_equal(ok, 4);
    assert_int_equal(left, 4);
    assert_int_equal(booked(&sale, "captured_minor"), 1200);
    test_sale_clear(&sale);
}

/* The same request as test_merchantd_api's next one, whose answer nobody waits for: the connection
 * is the caller's to close. */
static int send_to(const char *path, const char *body)
{
    char request[2048];
    int fd = test_connect(market.merchant->api);
    int length =
        snprintf(request, sizeof request,
                 "POST /api/v1%s HTTP/1.1\r\nHost: localhost\r\n"
                 "Authorization: Bearer %s\r\nIdempotency-Key: test-%u\r\n"
                 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 path, market.merchant->token, market.merchant->requests, strlen(body), body);
    assert_int_equal(write(fd, request, (size_t)length), length);
    return fd;
}

static int send_only(const struct test_sale *sale, const char *what, const char *body)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/orders/%s/%s", sale->order.id, what);
    return send_to(path, body);
}

/* The same key after a kill between asking and answering, and two more on the way: the refund is
 * asked for once. */
static void test_a_repeat_across_a_kill(void **state)
{
    static const char *const asking = "SELECT count(*) FROM step WHERE state = 1";
    struct test_sale sale;
    const char *body = "{\"amount\":250}";
    (void)state;
    pay("manual", &sale);
    done(&sale, "capture", "{}", "captured");
    test_gateway_stop(market.gateway);
    int fd = send_only(&sale, "refund", body);
    test_daemon_wait_number(&market.merchant->daemon, asking, 1);
    test_daemon_kill(&market.merchant->daemon);
    (void)close(fd);
    test_daemon_launch(&market.merchant->daemon, "gateway.answered:1");
    test_gateway_start(market.gateway, NULL);
    test_daemon_wait_killed(&market.merchant->daemon); /* the answer was heard, and is not kept */
    assert_int_equal(test_daemon_number(&market.merchant->daemon, asking), 1);
    test_daemon_launch(&market.merchant->daemon, "step.decided:1");
    test_daemon_wait_killed(&market.merchant->daemon); /* it is kept, and nobody was told */
    assert_int_equal(test_daemon_number(&market.merchant->daemon, asking), 0);
    test_daemon_start(&market.merchant->daemon, NULL);
    test_market_reconnect(&market);
    done(&sale, "refund", body, "partially_refunded"); /* it waits for what was asked for */
    assert_int_equal(booked(&sale, "credited_minor"), 250);
    assert_int_equal(inquire(&sale, 3).credited_minor, 250);
    test_sale_clear(&sale);
}

/* Captures that were asked for together, across a kill at each place: each is done once, and told
 * once it is; the refused one stays refused. */
static void test_captures_together_across_a_kill(void **state)
{
    static const char *const points[] = {"store.committed:1", "store.committed:2",
                                         "gateway.answered:1", "gateway.answered:2",
                                         "step.decided:1"};
    static const char *const asking = "SELECT count(*) FROM step WHERE state = 1";
    (void)state;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct test_sale sales[3];
        char body[512];
        json_t *answer = NULL;
        print_message("# %s\n", points[i]);
        for (size_t k = 0; k < 3; k++)
            pay("manual", &sales[k]);
        (void)snprintf(body, sizeof body,
                       "{\"captures\":[{\"order_id\":\"%s\"},{\"order_id\":\"%s\",\"amount\":1251},"
                       "{\"order_id\":\"%s\",\"amount\":7}]}",
                       sales[0].order.id, sales[1].order.id, sales[2].order.id);
        test_gateway_stop(market.gateway);
        int fd = send_to("/captures", body);
        test_daemon_wait_number(&market.merchant->daemon, asking, 2);
        test_daemon_kill(&market.merchant->daemon);
        (void)close(fd);
        test_daemon_launch(&market.merchant->daemon, points[i]);
        test_gateway_start(market.gateway, NULL);
        test_daemon_wait_killed(&market.merchant->daemon);
        test_daemon_start(&market.merchant->daemon, NULL);
        test_market_reconnect(&market);
        assert_int_equal(test_merchantd_api(market.merchant, "/captures", body, &answer), 200);
        assert_string_equal(status_of(answer, 0), "done");
        assert_string_equal(status_of(answer, 1), "refused");
        assert_string_equal(status_of(answer, 2), "done");
        json_decref(answer);
        assert_int_equal(booked(&sales[0], "captured_minor"), TEST_PRICE);
        assert_int_equal(booked(&sales[1], "captured_minor"), 0);
        assert_int_equal(booked(&sales[2], "captured_minor"), 7);
        assert_int_equal(inquire(&sales[0], 2).captured_minor, TEST_PRICE);
        assert_int_equal(inquire(&sales[2], 2).captured_minor, 7);
        for (size_t k = 0; k < 3; k++)
            test_sale_clear(&sales[k]);
    }
}

/* The orders have as many items as there may be, each with as long a name. */
static void make_large(void)
{
    test_daemon_stop(&market.merchant->daemon);
    test_daemon_execute(
        &market.merchant->daemon,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 199)"
        " INSERT INTO order_item SELECT order_id, i, hex(zeroblob(64)), 1, 0, 0, 'SKU-' || i"
        " FROM n, orders WHERE order_id IN"
        " (SELECT order_id FROM orders ORDER BY seq DESC LIMIT " LARGE_TEXT ")");
    test_daemon_start(&market.merchant->daemon, NULL);
    test_market_reconnect(&market);
}

/* Reads an answer of 200 that has more than so many bytes; the rest of it is not waited for. */
static void expect_more_than(int fd, size_t size)
{
    static char bytes[65536];
    for (size_t all = 0; all <= size;) {
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got <= 0)
            fail_msg("it ends after %zu bytes", all);
        if (all == 0)
            assert_memory_equal(bytes, "HTTP/1.1 200", 12);
        all += (size_t)got;
    }
    (void)close(fd);
}

/* However long the answer is, it is kept, and the same key gets it again. */
static void test_a_long_answer_is_kept(void **state)
{
    struct test_sale sales[LARGE];
    json_t *list = json_array();
    (void)state;
    for (size_t i = 0; i < LARGE; i++) {
        pay("manual", &sales[i]);
        json_array_append_new(list, json_pack("{s:s}", "order_id", sales[i].order.id));
    }
    json_t *whole = json_pack("{s:o}", "captures", list);
    char *body = json_dumps(whole, JSON_COMPACT);
    assert_non_null(body);
    json_decref(whole);
    make_large();
    int64_t before = requests();
    market.merchant->requests++;
    for (int i = 0; i < 2; i++)
        expect_more_than(send_to("/captures", body), SETPAY_IDEMPOTENCY_BODY_MAX);
    free(body);
    assert_int_equal(requests(), before + 1);
    for (size_t i = 0; i < LARGE; i++) {
        assert_int_equal(booked(&sales[i], "captured_minor"), TEST_PRICE);
        test_sale_clear(&sales[i]);
    }
}

/* Its clock, and nobody else's. */
static void move_gateway(int64_t days)
{
    json_decref(
        test_gateway_control(market.gateway, "testing.clock",
                             json_pack("{s:I}", "offset_ms", (json_int_t)days * SETPAY_DAY_MS)));
}

/* The gateway has ended the hold, and the merchant, which thinks that it ends in a minute, does not
 * know of that yet. */
static void end_hold_at_gateway(const struct test_sale *sale)
{
    char sql[160], hex[SETPAY_ID_TEXT_SIZE];
    move_gateway(8);
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM payment WHERE release_open = 1 AND xid = x'%s'",
                   setpay_id_format(&sale->purchase->oi.xid, hex));
    test_daemon_wait_number(&market.gateway->daemon, sql, 1);
    move_gateway(0);
    test_daemon_stop(&market.merchant->daemon);
    (void)snprintf(sql, sizeof sql,
                   "UPDATE purchase SET hold_expiry_ms = %lld WHERE order_id = '%s'",
                   (long long)setpay_clock_now_ms() + SETPAY_MINUTE_MS, sale->order.id);
    test_daemon_execute(&market.merchant->daemon, sql);
    test_daemon_start(&market.merchant->daemon, NULL);
    test_market_reconnect(&market);
}

/* A refund that meets the end of a hold is refused (11), goes behind the receipt of the end, and is
 * asked for anew; the old request has its answer for good. */
static void test_a_refund_meets_the_end_of_a_hold(void **state)
{
    struct test_sale sale;
    (void)state;
    pay("manual", &sale);
    done(&sale, "capture", "{\"amount\":400}", "partially_captured");
    end_hold_at_gateway(&sale);
    done(&sale, "refund", "{\"amount\":150}", "partially_refunded");
    assert_int_equal(booked(&sale, "credited_minor"), 150);
    struct setpay_receipt_sums sums = inquire(&sale, 4);
    assert_int_equal(sums.reversed_minor, TEST_PRICE - 400);
    assert_int_equal(sums.credited_minor, 150);
    test_sale_clear(&sale);
}

/* A part of the hold that is given up when all of it is over is refused for good: what follows does
 * not wait behind it. */
static void test_a_part_meets_the_end_of_its_hold(void **state)
{
    struct test_sale sale;
    (void)state;
    pay("manual", &sale);
    done(&sale, "capture", "{\"amount\":400}", "partially_captured");
    end_hold_at_gateway(&sale);
    refused(&sale, "void", "{\"amount\":30}", 409, "refused-by-gateway");
    done(&sale, "refund", "{\"amount\":150}", "partially_refunded");
    assert_int_equal(booked(&sale, "credited_minor"), 150);
    struct setpay_receipt_sums sums = inquire(&sale, 4);
    assert_int_equal(sums.reversed_minor, TEST_PRICE - 400);
    assert_int_equal(sums.credited_minor, 150);
    test_sale_clear(&sale);
}

/* ------------------------------------------------------------------ batches */

static json_t *close_batches(int code)
{
    json_t *answer = NULL;
    assert_int_equal(test_merchantd_api(market.merchant, "/batches/close", "{}", &answer), code);
    return answer;
}

static void expect_batch(json_t *answer, const char *status)
{
    const json_t *batches = json_object_get(answer, "batches");
    assert_int_equal(json_array_size(batches), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(batches, 0), "status")),
                        status);
}

/* A capture that the gateway has and the merchant has not, as after a restore. */
static void capture_behind(const struct test_sale *sale, int64_t minor)
{
    char sql[160], hex[SETPAY_ID_TEXT_SIZE];
    size_t size = 0;
    struct setpay_step step = {.xid = sale->purchase->oi.xid, .amount = {minor, "EUR"}};
    struct setpay_step_req request = {.header = sale->purchase->auth.header,
                                      .brand = "visa",
                                      .merchant_id = TEST_GATEWAY_MERCHANT,
                                      .steps = &step,
                                      .step_count = 1};
    struct setpay_buffer content, message, answer;
    const struct test_party *signer = market.gateway->shop[0].sign;
    (void)snprintf(sql, sizeof sql, "SELECT cap_token FROM purchase WHERE xid = x'%s'",
                   setpay_id_format(&step.xid, hex));
    uint8_t *token = test_daemon_bytes(&market.merchant->daemon, sql, &size);
    assert_int_equal(setpay_id_from_view(setpay_view_of(token, size), &step.of), SETPAY_OK);
    free(token);
    assert_int_equal(setpay_id_random(&request.header.rrpid), SETPAY_OK);
    request.header.date_ms = setpay_clock_now_ms();
    request.header.has_sender = request.header.has_receiver = true;
    request.header.sender = signer->thumbprint;
    request.header.receiver = market.gateway->sign[0]->thumbprint;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_step_req_build(&request, &content), SETPAY_OK);
    test_merchant_message(SETPAY_MESSAGE_CAP_REQ, signer, setpay_buffer_view(&content), &message);
    struct test_line *line = test_line_new(market.gateway, market.gateway->shop[0].tls, "visa");
    assert_non_null(line);
    test_line_ask(line, setpay_buffer_view(&message), &answer);
    test_line_free(line);
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
}

static void test_batches_are_compared(void **state)
{
    struct test_sale sale, other;
    (void)state;
    json_t *answer = close_batches(200); /* of what was before */
    json_decref(answer);
    answer = close_batches(200);
    assert_int_equal(json_array_size(json_object_get(answer, "batches")), 0);
    json_decref(answer);
    pay("manual", &sale);
    pay("manual", &other);
    done(&sale, "capture", "{\"amount\":1000}", "partially_captured");
    done(&other, "capture", "{}", "captured");
    capture_behind(&sale, 7);
    answer = close_batches(200);
    expect_batch(answer, "differs");
    const json_t *differences =
        json_object_get(json_array_get(json_object_get(answer, "batches"), 0), "differences");
    assert_int_equal(json_array_size(differences), 1);
    const json_t *difference = json_array_get(differences, 0);
    assert_int_equal(json_integer_value(json_object_get(difference, "amount")), 0);
    assert_int_equal(json_integer_value(json_object_get(difference, "gateway_amount")), 7);
    assert_string_equal(json_string_value(json_object_get(difference, "order_id")), sale.order.id);
    json_decref(answer);
    /* What the gateway has signed of it: its totals, and its items. And what the merchant has. */
    assert_int_equal(test_daemon_number(&market.merchant->daemon,
                                        "SELECT COUNT(*) FROM batch_evidence WHERE agreed = 0"
                                        " AND type = 'BatchAdminRes' AND batch_id ="
                                        " (SELECT MAX(id) FROM batch)"),
                     2);
    assert_int_equal(test_gateway_number(market.gateway,
                                         "SELECT COUNT(*) FROM batch_evidence JOIN batch ON"
                                         " batch.id = batch_id WHERE open = 1 AND agreed = 0"),
                     1);
    assert_int_equal(
        test_gateway_number(market.gateway, "SELECT count(*) FROM batch WHERE open = 1"), 1);
    test_sale_clear(&sale);
    test_sale_clear(&other);
}

/* A line of its configuration, which goes before those of the brands. */
static void configure(const char *line)
{
    const struct test_daemon *daemon = &market.merchant->daemon;
    struct setpay_buffer text;
    char name[64];
    size_t size = 0;
    (void)snprintf(name, sizeof name, "%s.conf", daemon->name);
    char *was = test_read_file(daemon->folder, name, &size);
    assert_non_null(was);
    setpay_buffer_init(&text, 64 * 1024);
    assert_int_equal(setpay_buffer_append(&text, setpay_view_string(line)), SETPAY_OK);
    assert_int_equal(setpay_buffer_append(&text, setpay_view_string("\n")), SETPAY_OK);
    assert_int_equal(setpay_buffer_append(&text, setpay_view_of(was, size)), SETPAY_OK);
    test_write_file(daemon->folder, name, setpay_buffer_view(&text));
    setpay_buffer_clear(&text);
    free(was);
}

/* The daemon did not run at its hour: it makes up for that, and leaves alone what was opened since,
 * for which mastercard's batch stands here. */
static void test_batches_are_closed_at_their_hour(void **state)
{
    struct test_daemon *daemon = &market.merchant->daemon;
    struct test_sale sale;
    char line[64], sql[256];
    setpay_time_ms now_ms = setpay_clock_now_ms();
    int64_t minutes = now_ms / 60000 % SETPAY_CUT_OFF_MAX;
    int64_t hour = (minutes + SETPAY_CUT_OFF_MAX / 2) % SETPAY_CUT_OFF_MAX; /* half a day ago */
    char text[SETPAY_CUT_OFF_TEXT_SIZE];
    (void)state;
    pay("manual", &sale);
    done(&sale, "capture", "{}", "captured");
    int64_t closed = test_daemon_number(daemon, "SELECT count(*) FROM batch WHERE state = 3");
    test_daemon_stop(daemon);
    (void)snprintf(line, sizeof line, "batch_close_at = %s", setpay_cut_off_format(hour, text));
    configure(line);
    (void)snprintf(sql, sizeof sql,
                   "UPDATE batch SET state = 1, opened_ms = %lld WHERE state IN (1, 4)",
                   (long long)(now_ms - INT64_C(13) * 3600000));
    test_daemon_execute(daemon, sql);
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO batch (name, brand, number, state, opened_ms, closed_ms)"
                   " SELECT randomblob(length(name)), 'mastercard', 99, 1, %lld, 0 FROM batch"
                   " LIMIT 1",
                   (long long)(now_ms - INT64_C(11) * 3600000));
    test_daemon_execute(daemon, sql);
    test_daemon_start(daemon, NULL);
    test_daemon_wait_number(daemon, "SELECT count(*) FROM batch WHERE state = 3", closed + 1);
    assert_int_equal(test_daemon_number(daemon, "SELECT state FROM batch WHERE brand = 'mastercard'"
                                                " AND number = 99"),
                     1);
    test_daemon_execute(daemon, "DELETE FROM batch WHERE brand = 'mastercard' AND number = 99");
    test_sale_clear(&sale);
}

/* ------------------------------------------------------------------ the world */

static void test_the_ledger_holds(void **state)
{
    json_t *result = test_gateway_control(market.gateway, "ledger.verify", json_object());
    (void)state;
    assert_true(json_is_true(json_object_get(result, "ok")));
    json_decref(result);
}

static int open_world(void **state)
{
    (void)state;
    test_market_open(&market, NULL, "5m");
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
        cmocka_unit_test(test_captures_in_parts),
        cmocka_unit_test(test_refunds_what_was_captured),
        cmocka_unit_test(test_captures_at_once),
        cmocka_unit_test(test_undoes_a_sale),
        cmocka_unit_test(test_undoes_while_the_batch_is_open),
        cmocka_unit_test(test_voids_the_rest),
        cmocka_unit_test(test_voids_a_part),
        cmocka_unit_test(test_voids_all_by_parts),
        cmocka_unit_test(test_a_part_races_a_capture),
        cmocka_unit_test(test_captures_many_at_once),
        cmocka_unit_test(test_refuses_what_is_no_list_of_captures),
        cmocka_unit_test(test_many_captures),
        cmocka_unit_test(test_clients_at_once),
        cmocka_unit_test(test_a_repeat_across_a_kill),
        cmocka_unit_test(test_captures_together_across_a_kill),
        cmocka_unit_test(test_a_long_answer_is_kept),
        cmocka_unit_test(test_a_refund_meets_the_end_of_a_hold),
        cmocka_unit_test(test_a_part_meets_the_end_of_its_hold),
        cmocka_unit_test(test_batches_are_closed_at_their_hour),
        cmocka_unit_test(test_batches_are_compared),
        cmocka_unit_test(test_the_ledger_holds),
    };
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
