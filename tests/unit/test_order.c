/*
 * Orders: their names, what a new one must hold, who may take them (rule M4), and their status for
 * every combination of what it depends on.
 */
#include "common/store/store.h"
#include "merchant/store/catalogue_schema.h"
#include "merchant/store/order.h"
#include "merchant/store/order_request.h"
#include "merchant/store/order_status.h"
#include "merchant/store/part.h"
#include "merchant/store/ship_to.h"
#include "merchant/store/stock_level.h"
#include "tests/support/test_executor.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_store.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW TEST_DATE_MS

static const struct setpay_store_migration steps[] = {
    {1, SETPAY_ORDER_SCHEMA SETPAY_ORDER_TERMS_SCHEMA SETPAY_SHIP_TO_SCHEMA SETPAY_CATALOGUE_SCHEMA
            SETPAY_STOCK_LEVEL_SCHEMA SETPAY_PART_SCHEMA SETPAY_PART_SETTLED_SCHEMA},
    {0}};
static const struct setpay_store_schema schema = {.name = "orders", .steps = steps};

static struct setpay_store *open_store(const struct test_folder *folder)
{
    struct setpay_store *store = NULL;
    struct setpay_problem problem;
    struct setpay_store_options options = {.url = folder->url, .schema = &schema};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    return store;
}

/* ------------------------------------------------------------------ names */

static void test_names_are_random_and_of_their_form(void **state)
{
    (void)state;
    struct setpay_order a = {.seq = 0};
    struct setpay_order b = {.seq = 0};
    assert_int_equal(setpay_order_name(&a), SETPAY_OK);
    assert_int_equal(setpay_order_name(&b), SETPAY_OK);
    assert_string_not_equal(a.order_id, b.order_id);
    assert_string_not_equal(a.token, b.token);
    assert_int_equal(strlen(a.order_id), 24);
    assert_int_equal(strncmp(a.order_id, "ord_", 4), 0);
    assert_int_equal(strspn(a.order_id + 4, "0123456789abcdefghjkmnpqrstvwxyz"), 20);
    assert_int_equal(strlen(a.token), 22);
}

static void test_texts_that_can_steer_a_terminal_or_a_line_are_refused(void **state)
{
    (void)state;
    static const char *const plain[] = {"One teapot", "Th\xc3\xa9i\xc3\xa8re", "\xe8\x8c\xb6",
                                        "\xf0\x9f\x8d\xb5"};
    /* What must be refused stands here on purpose. NOLINTBEGIN(misc-misleading-bidirectional) */
    static const char *const other[] = {"a\nb",          "a\x1b[2J",      "a\x7f",
                                        "a\xc2\x9b",     "\xe2\x80\xaey", "\xe2\x81\xa6y",
                                        "\xe2\x80\xa8y", "\xff",          "\xc0\xaf"};
    /* NOLINTEND(misc-misleading-bidirectional) */
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        assert_true(setpay_order_text_is_plain(setpay_view_string(plain[i])));
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        assert_false(setpay_order_text_is_plain(setpay_view_string(other[i])));
}

/* ------------------------------------------------------------------ a new order */

static enum setpay_error parse(const char *text, struct setpay_order *order,
                               struct setpay_json_fault *fault)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    memset(fault, 0, sizeof *fault);
    enum setpay_error error = setpay_order_request_parse(json, NOW, order, fault);
    json_decref(json);
    return error;
}

static void test_both_forms_make_an_order(void **state)
{
    (void)state;
    struct setpay_order order = {.seq = 0};
    struct setpay_json_fault fault;
    assert_int_equal(parse("{\"description\":\"One book\",\"amount\":1250,\"currency\":\"EUR\"}",
                           &order, &fault),
                     SETPAY_OK);
    assert_int_equal(order.amount.minor, 1250);
    assert_string_equal(order.amount.currency, "EUR");
    assert_int_equal(order.item_count, 1);
    assert_string_equal(order.items[0].name, "One book");
    assert_int_equal(order.items[0].total_minor, 1250);
    assert_int_equal(order.capture, SETPAY_CAPTURE_ON_SHIPMENT);
    assert_int_equal(order.expires_ms, NOW + SETPAY_ORDER_LIFE_DEFAULT_MS);
    assert_string_equal(order.metadata, "{}");
    setpay_order_clear(&order);
    assert_int_equal(
        parse("{\"items\":[{\"name\":\"Cup\",\"quantity\":3,\"unit_amount\":200},"
              "{\"name\":\"Pot\",\"quantity\":1,\"unit_amount\":4990,\"sku\":\"P-1\"}],"
              "\"currency\":\"EUR\",\"capture\":\"manual\",\"expires_in\":60,"
              "\"metadata\":{\"note\":\"gift\\nwrap\"}}",
              &order, &fault),
        SETPAY_OK);
    assert_int_equal(order.amount.minor, 5590);
    assert_int_equal(order.item_count, 2);
    assert_int_equal(order.items[0].total_minor, 600);
    assert_string_equal(order.items[1].sku, "P-1");
    assert_string_equal(order.description, "");
    assert_int_equal(order.capture, SETPAY_CAPTURE_MANUAL);
    assert_int_equal(order.expires_ms, NOW + 60000);
    setpay_order_clear(&order);
}

#define SHORT(members) "{\"description\":\"a\",\"amount\":1,\"currency\":\"EUR\"," members "}"
#define ITEMS(items) "{\"currency\":\"EUR\",\"items\":[" items "]}"

static void test_each_wrong_member_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *field;
        enum setpay_error error;
    } rows[] = {
        {"{}", "description", SETPAY_E_INVALID},
        {"{\"amount\":1,\"currency\":\"EUR\"}", "description", SETPAY_E_INVALID},
        {"{\"description\":\"a\",\"amount\":1}", "currency", SETPAY_E_INVALID},
        {"{\"description\":\"a\",\"amount\":1,\"currency\":\"EURO\"}", "currency",
         SETPAY_E_INVALID},
        {"{\"description\":\"a\",\"amount\":1,\"currency\":\"eur\"}", "currency", SETPAY_E_INVALID},
        {"{\"description\":\"a\",\"amount\":1,\"currency\":\"XQX\"}", "currency", SETPAY_E_INVALID},
        {"{\"description\":\"a\",\"amount\":0,\"currency\":\"EUR\"}", "amount", SETPAY_E_INVALID},
        {"{\"description\":\"a\",\"amount\":-1,\"currency\":\"EUR\"}", "amount", SETPAY_E_INVALID},
        {"{\"description\":\"a\",\"amount\":1.0,\"currency\":\"EUR\"}", "amount", SETPAY_E_INVALID},
        {"{\"description\":\"a\",\"amount\":\"1\",\"currency\":\"EUR\"}", "amount",
         SETPAY_E_INVALID},
        {"{\"description\":\"a\",\"amount\":1000000000000,\"currency\":\"EUR\"}", "amount",
         SETPAY_E_INVALID},
        {"{\"description\":\"\",\"amount\":1,\"currency\":\"EUR\"}", "description",
         SETPAY_E_INVALID},
        {"{\"description\":\"a\\u001b\",\"amount\":1,\"currency\":\"EUR\"}", "description",
         SETPAY_E_INVALID},
        {"{\"description\":7,\"amount\":1,\"currency\":\"EUR\"}", "description", SETPAY_E_INVALID},
        {SHORT("\"surprise\":1"), "surprise", SETPAY_E_INVALID},
        {SHORT("\"items\":[]"), "description", SETPAY_E_INVALID},
        {SHORT("\"capture\":\"later\""), "capture", SETPAY_E_INVALID},
        {SHORT("\"capture\":null"), "capture", SETPAY_E_INVALID},
        {SHORT("\"expires_in\":59"), "expires_in", SETPAY_E_INVALID},
        {SHORT("\"expires_in\":2592001"), "expires_in", SETPAY_E_INVALID},
        {SHORT("\"metadata\":[]"), "metadata", SETPAY_E_INVALID},
        {SHORT("\"metadata\":{\"\":\"a\"}"), "metadata", SETPAY_E_INVALID},
        {SHORT("\"metadata\":{\"a\":1}"), "metadata.a", SETPAY_E_INVALID},
        {"{\"currency\":\"EUR\",\"items\":[],\"amount\":1}", "amount", SETPAY_E_INVALID},
        {ITEMS(""), "items", SETPAY_E_INVALID},
        {ITEMS("7"), "items[0]", SETPAY_E_INVALID},
        {ITEMS("{\"name\":\"a\",\"quantity\":0,\"unit_amount\":1}"), "items[0].quantity",
         SETPAY_E_INVALID},
        {ITEMS("{\"name\":\"a\",\"quantity\":1000001,\"unit_amount\":1}"), "items[0].quantity",
         SETPAY_E_INVALID},
        {ITEMS("{\"name\":\"a\",\"quantity\":1,\"unit_amount\":-1}"), "items[0].unit_amount",
         SETPAY_E_INVALID},
        {ITEMS("{\"name\":\"a\",\"quantity\":1,\"unit_amount\":1,\"colour\":\"red\"}"),
         "items[0].colour", SETPAY_E_INVALID},
        {ITEMS("{\"name\":\"a\",\"quantity\":1,\"unit_amount\":0}"), "items", SETPAY_E_INVALID},
        /* One above the largest amount: of one item, and of two together. */
        {ITEMS("{\"name\":\"a\",\"quantity\":2,\"unit_amount\":500000000000}"),
         "items[0].unit_amount", SETPAY_E_INVALID},
        {ITEMS("{\"name\":\"a\",\"quantity\":1,\"unit_amount\":999999999999},"
               "{\"name\":\"b\",\"quantity\":1,\"unit_amount\":1}"),
         "items", SETPAY_E_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct setpay_order order = {.seq = 0};
        struct setpay_json_fault fault;
        if (parse(rows[i].body, &order, &fault) != rows[i].error ||
            strcmp(fault.field, rows[i].field) != 0 || strlen(fault.words) < 10)
            fail_msg("%s: field '%s': %s", rows[i].body, fault.field, fault.words);
        assert_null(order.items);
        assert_null(order.metadata);
    }
}

/* ------------------------------------------------------------------ taking (rule M4) */

struct take {
    char order_id[SETPAY_ORDER_ID_SIZE];
    struct setpay_id xid;
    setpay_time_ms now_ms;
    enum setpay_order_end end;
    enum setpay_error result;
    sem_t *done;
};

static enum setpay_error insert(struct setpay_db *db, void *arg)
{
    struct take *take = arg;
    struct setpay_order order = {.seq = 0};
    struct setpay_json_fault fault;
    assert_int_equal(parse(SHORT("\"expires_in\":3600"), &order, &fault), SETPAY_OK);
    assert_int_equal(setpay_order_name(&order), SETPAY_OK);
    memcpy(take->order_id, order.order_id, sizeof order.order_id);
    enum setpay_error error = setpay_order_insert(db, &order);
    setpay_order_clear(&order);
    return error;
}

static enum setpay_error take_it(struct setpay_db *db, void *arg)
{
    const struct take *take = arg;
    return setpay_order_take(db, take->order_id, &take->xid, take->now_ms);
}

static enum setpay_error release_it(struct setpay_db *db, void *arg)
{
    const struct take *take = arg;
    return setpay_order_release(db, take->order_id, &take->xid);
}

static enum setpay_error end_it(struct setpay_db *db, void *arg)
{
    const struct take *take = arg;
    return setpay_order_end(db, take->order_id, take->end);
}

static void on_taken(void *arg, enum setpay_error error)
{
    struct take *take = arg;
    take->result = error;
    sem_post(take->done);
}

/* rule M4 */
static void test_of_many_purchases_at_once_one_takes_the_order(void **state)
{
    (void)state;
    enum { COUNT = 16 };
    struct test_folder folder;
    struct take takes[COUNT] = {0};
    sem_t done;
    test_folder_make(&folder);
    struct setpay_store *store = open_store(&folder);
    struct test_executor *executor = test_executor_new(64);
    sem_init(&done, 0, 0);
    assert_int_equal(setpay_store_submit_wait(store, insert, &takes[0]), SETPAY_OK);
    for (int round = 0; round < 3; round++) {
        size_t winner = COUNT;
        for (size_t i = 0; i < COUNT; i++) {
            memcpy(takes[i].order_id, takes[0].order_id, sizeof takes[0].order_id);
            takes[i].xid = test_id((uint8_t)(i + 1));
            takes[i].now_ms = NOW;
            takes[i].done = &done;
            assert_int_equal(setpay_store_submit(store, take_it, on_taken, &takes[i],
                                                 test_executor_of(executor)),
                             SETPAY_OK);
        }
        for (size_t i = 0; i < COUNT; i++)
            sem_wait(&done);
        for (size_t i = 0; i < COUNT; i++) {
            if (takes[i].result == SETPAY_OK) {
                assert_int_equal(winner, COUNT);
                winner = i;
            } else {
                assert_int_equal(takes[i].result, SETPAY_E_ORDER_TAKEN);
            }
        }
        assert_true(winner < COUNT);
        /* Only who has it gives it back, once; then it is free for another. */
        struct take *other = &takes[(winner + 1) % COUNT];
        assert_int_equal(setpay_store_submit_wait(store, release_it, other), SETPAY_E_NOT_FOUND);
        assert_int_equal(setpay_store_submit_wait(store, take_it, &takes[winner]),
                         SETPAY_E_ORDER_TAKEN);
        assert_int_equal(setpay_store_submit_wait(store, release_it, &takes[winner]), SETPAY_OK);
        assert_int_equal(setpay_store_submit_wait(store, release_it, &takes[winner]),
                         SETPAY_E_NOT_FOUND);
    }
    sem_destroy(&done);
    test_executor_free(executor);
    setpay_store_close(store);
    test_folder_remove(&folder);
}

/* rule M4: what is decided on before anything is stored, for an offer as for a purchase */
static void test_a_taken_ended_or_expired_order_is_not_payable(void **state)
{
    struct setpay_order order = {.expires_ms = 1000};
    (void)state;
    assert_int_equal(setpay_order_check_payable(&order, 999), SETPAY_OK);
    assert_int_equal(setpay_order_check_payable(&order, 1000), SETPAY_E_EXPIRED);
    for (int end = SETPAY_ORDER_GOES_ON + 1; end <= SETPAY_ORDER_HOLD_OVER; end++) {
        order.end = (enum setpay_order_end)end;
        assert_int_equal(setpay_order_check_payable(&order, 999), SETPAY_E_ORDER_ENDED);
    }
    order.end = SETPAY_ORDER_GOES_ON;
    order.taken = true;
    assert_int_equal(setpay_order_check_payable(&order, 999), SETPAY_E_ORDER_TAKEN);
}

static void test_an_ended_or_expired_order_is_not_taken(void **state)
{
    (void)state;
    struct test_folder folder;
    struct take take = {.xid = test_id(1), .now_ms = NOW + 3600000};
    test_folder_make(&folder);
    struct setpay_store *store = open_store(&folder);
    assert_int_equal(setpay_store_submit_wait(store, take_it, &take), SETPAY_E_NOT_FOUND);
    assert_int_equal(setpay_store_submit_wait(store, insert, &take), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, take_it, &take), SETPAY_E_EXPIRED);
    take.now_ms--;
    assert_int_equal(setpay_store_submit_wait(store, take_it, &take), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, release_it, &take), SETPAY_OK);
    take.end = SETPAY_ORDER_CANCELLED;
    assert_int_equal(setpay_store_submit_wait(store, end_it, &take), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, end_it, &take), SETPAY_OK);
    take.end = SETPAY_ORDER_VOIDED;
    assert_int_equal(setpay_store_submit_wait(store, end_it, &take), SETPAY_E_STATE);
    assert_int_equal(setpay_store_submit_wait(store, take_it, &take), SETPAY_E_ORDER_ENDED);
    setpay_store_close(store);
    test_folder_remove(&folder);
}

/* ------------------------------------------------------------------ status */

/* What the words of the interface say, written another way round than the code. */
static const char *expected_status(enum setpay_order_end end, bool expired,
                                   enum setpay_purchase_state last)
{
    bool refused = last == SETPAY_PURCHASE_NONE || setpay_purchase_state_is_refused(last);
    if (!refused) {
        bool held = last == SETPAY_PURCHASE_AUTHORISED || last == SETPAY_PURCHASE_STEPPING ||
                    last == SETPAY_PURCHASE_CAPTURED ||
                    (last == SETPAY_PURCHASE_REVERSING && end == SETPAY_ORDER_VOIDED);
        return held ? "authorised" : "paying";
    }
    if (end != SETPAY_ORDER_GOES_ON)
        return end == SETPAY_ORDER_CANCELLED ? "cancelled" : "voided";
    if (expired)
        return "expired";
    return last == SETPAY_PURCHASE_DECLINED ? "declined" : "open";
}

static void test_the_status_of_every_combination(void **state)
{
    (void)state;
    static const enum setpay_purchase_state refused[] = {
        SETPAY_PURCHASE_DECLINED, SETPAY_PURCHASE_VOIDED, SETPAY_PURCHASE_REVERSED,
        SETPAY_PURCHASE_LAPSED};
    for (int end = 0; end <= SETPAY_ORDER_VOIDED; end++) {
        for (int expired = 0; expired < 2; expired++) {
            for (int last = 0; last < SETPAY_PURCHASE_STATES; last++) {
                for (size_t before = 0; before <= sizeof refused / sizeof *refused; before++) {
                    struct setpay_payment_view payments[2] = {{.state = SETPAY_PURCHASE_NONE}};
                    size_t count = 0;
                    if (before > 0)
                        payments[count++].state = refused[before - 1];
                    if (last != SETPAY_PURCHASE_NONE)
                        payments[count++].state = (enum setpay_purchase_state)last;
                    enum setpay_purchase_state newest =
                        count > 0 ? payments[count - 1].state : SETPAY_PURCHASE_NONE;
                    enum setpay_order_status status = setpay_order_status_of(
                        (enum setpay_order_end)end, 1000, payments, count, expired ? 1000 : 999);
                    assert_string_equal(
                        setpay_order_status_name(status),
                        expected_status((enum setpay_order_end)end, expired != 0, newest));
                }
            }
        }
    }
}

/* A purchase that came too late is voided while another one stands: that one decides (rule M4). */
static void test_a_late_purchase_does_not_stand(void **state)
{
    (void)state;
    const struct setpay_payment_view payments[] = {{.state = SETPAY_PURCHASE_AUTHORISED},
                                                   {.state = SETPAY_PURCHASE_VOIDING}};
    assert_int_equal(setpay_order_status_of(SETPAY_ORDER_GOES_ON, 1000, payments, 2, 999),
                     SETPAY_ORDER_STATUS_AUTHORISED);
    assert_int_equal(setpay_order_status_of(SETPAY_ORDER_GOES_ON, 1000, payments + 1, 1, 999),
                     SETPAY_ORDER_STATUS_PAYING);
}

/* Of 1,000 approved: what was captured, given back, and given up. A step under way changes
 * nothing. */
static void test_the_status_says_what_became_of_the_money(void **state)
{
    static const struct {
        int64_t captured, credited, released;
        const char *status;
    } rows[] = {
        {0, 0, 0, "authorised"},           {1, 0, 0, "partially_captured"},
        {999, 0, 0, "partially_captured"}, {1000, 0, 0, "captured"},
        {600, 0, 400, "captured"},         {0, 0, 400, "authorised"},
        {600, 1, 0, "partially_refunded"}, {600, 600, 0, "partially_refunded"},
        {600, 600, 400, "refunded"},       {1000, 999, 0, "partially_refunded"},
        {1000, 1000, 0, "refunded"},
    };
    static const enum setpay_purchase_state states[] = {
        SETPAY_PURCHASE_AUTHORISED, SETPAY_PURCHASE_STEPPING, SETPAY_PURCHASE_CAPTURED};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < sizeof states / sizeof *states; k++) {
            const struct setpay_payment_view payment = {
                .state = states[k],
                .approved = {1000, "EUR"},
                .captured_minor = rows[i].captured,
                .credited_minor = rows[i].credited,
                .released_minor = rows[i].released,
            };
            assert_string_equal(setpay_order_status_name(setpay_order_status_of(
                                    SETPAY_ORDER_GOES_ON, 1000, &payment, 1, 1000)),
                                rows[i].status);
        }
    }
}

static void test_what_may_be_voided_and_cancelled(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SETPAY_ORDER_STATUSES; i++) {
        enum setpay_order_status status = (enum setpay_order_status)i;
        enum setpay_order_status parsed = SETPAY_ORDER_STATUSES;
        const char *name = setpay_order_status_name(status);
        bool voids = strcmp(name, "authorised") == 0 || strcmp(name, "voided") == 0 ||
                     strcmp(name, "partially_captured") == 0 ||
                     strcmp(name, "partially_refunded") == 0;
        bool cancels = strstr("open paying declined expired cancelled", name) != NULL;
        assert_int_equal(setpay_order_status_parse(name, &parsed), SETPAY_OK);
        assert_int_equal(parsed, status);
        assert_int_equal(setpay_order_check_void(status), voids ? SETPAY_OK : SETPAY_E_STATE);
        assert_int_equal(setpay_order_check_cancel(status), cancels ? SETPAY_OK : SETPAY_E_STATE);
    }
    enum setpay_order_status parsed;
    assert_int_equal(setpay_order_status_parse("paid", &parsed), SETPAY_E_INVALID);
    assert_null(setpay_order_status_name(SETPAY_ORDER_STATUSES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_random_and_of_their_form),
        cmocka_unit_test(test_texts_that_can_steer_a_terminal_or_a_line_are_refused),
        cmocka_unit_test(test_both_forms_make_an_order),
        cmocka_unit_test(test_each_wrong_member_is_named),
        cmocka_unit_test(test_of_many_purchases_at_once_one_takes_the_order),
        cmocka_unit_test(test_a_taken_ended_or_expired_order_is_not_payable),
        cmocka_unit_test(test_an_ended_or_expired_order_is_not_taken),
        cmocka_unit_test(test_the_status_of_every_combination),
        cmocka_unit_test(test_a_late_purchase_does_not_stand),
        cmocka_unit_test(test_the_status_says_what_became_of_the_money),
        cmocka_unit_test(test_what_may_be_voided_and_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
