/*
 * How visitors of the shop's pages are told apart, and that each has no more than may be.
 */
#include "common/base/secret.h"
#include "common/store/store.h"
#include "merchant/store/cart.h"
#include "merchant/store/order.h"
#include "merchant/store/www/guard.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BEFORE                                                                                     \
    {                                                                                              \
        1, SETPAY_ORDER_SCHEMA SETPAY_ORDER_TERMS_SCHEMA SETPAY_CART_SCHEMA                        \
               SETPAY_CART_TOTAL_SCHEMA SETPAY_GUARD_SCHEMA                                        \
    }
static const struct setpay_store_migration steps_before[] = {BEFORE, {0, NULL}};
static const struct setpay_store_schema schema_before = {.name = "merchant", .steps = steps_before};
static const struct setpay_store_migration steps[] = {
    BEFORE, {2, SETPAY_CART_FORM_SCHEMA}, {3, SETPAY_CART_CURRENCY_SCHEMA}, {0, NULL}};
static const struct setpay_store_schema schema = {.name = "merchant", .steps = steps};

/* ------------------------------------------------------------------ addresses */

static void who_asks_is_whom_the_nearest_proxy_saw(void **state)
{
    (void)state;
    static const struct {
        const char *remote, *forwarded, *address; /* NULL: unknown */
    } rows[] = {
        {"192.0.2.1", NULL, "192.0.2.1"},
        {"192.0.2.1", "198.51.100.9", "192.0.2.1"}, /* of whom nobody asked */
        {"127.0.0.1", NULL, NULL},
        {"127.0.0.1", "198.51.100.9", "198.51.100.9"},
        {"127.0.0.1", "203.0.113.7, 198.51.100.9", "198.51.100.9"}, /* the first is made up */
        {"127.0.0.1", "203.0.113.7,198.51.100.9 ", "198.51.100.9"},
        {"127.0.0.1", "198.51.100.9:4711", "198.51.100.9"},
        {"127.0.0.1", "", NULL},
        {"127.0.0.1", "198.51.100.9,", NULL},
        {"127.0.0.1", "unknown", NULL},
        {"127.0.0.1", "198.51.100.9, _hidden", NULL},
        {"127.0.0.1", "999.1.1.1", NULL},
        {"::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
        {"::1", "[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::"},
        {"::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"},
        {"::1", "2001:db8:1:3::1", "2001:db8:1:3::"},
        {"::ffff:127.0.0.1", "198.51.100.9", "198.51.100.9"},
        {"::ffff:192.0.2.1", NULL, "192.0.2.1"},
        {"2001:db8::1", "198.51.100.9", "2001:db8::"},
        {"", "198.51.100.9", NULL},
    };
    struct setpay_networks proxies;
    struct setpay_problem problem;
    assert_int_equal(setpay_networks_parse("127.0.0.0/8, ::1/128", &proxies, &problem), SETPAY_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char address[SETPAY_GUARD_ADDRESS_SIZE] = "";
        enum setpay_error error =
            setpay_guard_address(&proxies, rows[i].remote, rows[i].forwarded, address);
        if (error != (rows[i].address != NULL ? SETPAY_OK : SETPAY_E_NOT_FOUND) ||
            (rows[i].address != NULL && strcmp(address, rows[i].address) != 0))
            fail_msg("%s, %s: %s '%s'", rows[i].remote, rows[i].forwarded, setpay_error_name(error),
                     address);
    }
}

static void https_is_what_a_believed_proxy_says(void **state)
{
    (void)state;
    static const struct {
        const char *remote, *forwarded;
        bool https;
    } rows[] = {
        {"127.0.0.1", "https", true},
        {"::1", "HTTPS", true},
        {"127.0.0.1", "http, https", true},
        {"127.0.0.1", "https, http", false},
        {"127.0.0.1", "http", false},
        {"127.0.0.1", NULL, false},
        {"127.0.0.1", "", false},
        {"127.0.0.1", "httpss", false},
        {"192.0.2.1", "https", false}, /* anybody may write so */
        {"", "https", false},
    };
    struct setpay_networks proxies;
    struct setpay_problem problem;
    assert_int_equal(setpay_networks_parse("127.0.0.0/8, ::1/128", &proxies, &problem), SETPAY_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (setpay_guard_says_https(&proxies, rows[i].remote, rows[i].forwarded) != rows[i].https)
            fail_msg("%s, %s", rows[i].remote, rows[i].forwarded);
    }
}

/* ------------------------------------------------------------------ streams */

static struct setpay_digest someone(uint8_t which)
{
    return (struct setpay_digest){.bytes = {which}};
}

static void streams_have_an_end(void **state)
{
    (void)state;
    struct setpay_guard *guard = NULL;
    const struct setpay_guard_options options = {.streams = 5, .streams_client = 2};
    const struct setpay_digest ada = someone(1), ben = someone(2);
    assert_int_equal(setpay_guard_new(&options, &guard), SETPAY_OK);
    assert_true(setpay_guard_stream_begin(guard, &ada));
    assert_true(setpay_guard_stream_begin(guard, &ada));
    assert_false(setpay_guard_stream_begin(guard, &ada));
    assert_true(setpay_guard_stream_begin(guard, &ben));
    setpay_guard_stream_end(guard, &ada);
    assert_true(setpay_guard_stream_begin(guard, &ada));
    assert_false(setpay_guard_stream_begin(guard, &ada));
    assert_true(setpay_guard_stream_begin(guard, NULL));
    assert_true(setpay_guard_stream_begin(guard, NULL));
    assert_false(setpay_guard_stream_begin(guard, NULL)); /* in all */
    assert_false(setpay_guard_stream_begin(guard, &ben));
    setpay_guard_stream_end(guard, NULL);
    assert_true(setpay_guard_stream_begin(guard, &ben));
    setpay_guard_free(guard);
    /* One after another, of more visitors than there is room for at a time. */
    assert_int_equal(setpay_guard_new(&options, &guard), SETPAY_OK);
    for (uint8_t i = 0; i < 200; i++) {
        const struct setpay_digest who = someone(i);
        assert_true(setpay_guard_stream_begin(guard, &who));
        assert_true(setpay_guard_stream_begin(guard, &who));
        assert_false(setpay_guard_stream_begin(guard, &who));
        setpay_guard_stream_end(guard, &who);
        setpay_guard_stream_end(guard, &who);
    }
    setpay_guard_free(guard);
}

/* ------------------------------------------------------------------ in the store */

struct doing {
    struct test_folder folder;
    struct setpay_store *store;
    struct setpay_guard *guard;
    int made;
    int64_t number;
    const char *sql;
    struct setpay_digest visitor;
    const struct setpay_digest *client;
    setpay_time_ms now_ms;
    struct setpay_cart_maker maker;
};

static void open_store(struct doing *d, const struct setpay_guard_options *options)
{
    struct setpay_problem problem;
    memset(d, 0, sizeof *d);
    test_folder_make(&d->folder);
    const struct setpay_store_options store = {.url = d->folder.url, .schema = &schema};
    assert_int_equal(setpay_store_open(&store, &d->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_guard_new(options, &d->guard), SETPAY_OK);
    d->now_ms = 1000;
}

static void close_store(struct doing *d)
{
    setpay_store_close(d->store);
    setpay_guard_free(d->guard);
    test_folder_remove(&d->folder);
}

static enum setpay_error insert_order(struct setpay_db *db, void *arg)
{
    struct doing *d = arg;
    struct setpay_item item = {.quantity = 1, .unit_minor = 100, .total_minor = 100};
    struct setpay_order order = {.amount = {100, "EUR"},
                                 .items = &item,
                                 .item_count = 1,
                                 .capture = SETPAY_CAPTURE_MANUAL,
                                 .metadata = (char[]){"{}"},
                                 .created_ms = d->now_ms,
                                 .expires_ms = d->now_ms + SETPAY_ORDER_LIFE_MIN_MS,
                                 .agreed = {.terms = {.kind = SETPAY_TERMS_SINGLE},
                                            .first_minor = 100,
                                            .schedule = SETPAY_SCHEDULE_AUTOMATIC}};
    (void)snprintf(item.name, sizeof item.name, "A cup");
    (void)snprintf(order.order_id, sizeof order.order_id, "ord_%d", d->made);
    (void)snprintf(order.token, sizeof order.token, "token%d", d->made);
    SETPAY_TRY(setpay_guard_order(db, d->guard, order.order_id, &d->visitor, d->client, d->now_ms));
    d->made++;
    return setpay_order_insert(db, &order);
}

static enum setpay_error run_sql(struct setpay_db *db, void *arg)
{
    struct doing *d = arg;
    return setpay_db_run(db, d->sql);
}

static enum setpay_error read_number(struct setpay_db *db, void *arg)
{
    struct doing *d = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, d->sql));
    d->number = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static enum setpay_error purge(struct setpay_db *db, void *arg)
{
    struct doing *d = arg;
    int64_t deleted;
    SETPAY_TRY(setpay_cart_purge(db, d->now_ms, 1000, &deleted));
    return setpay_guard_purge(db, d->now_ms, 1000, &deleted);
}

static enum setpay_error submit(struct doing *d, setpay_store_operation_fn *what)
{
    return setpay_store_submit_wait(d->store, what, d);
}

static void change(struct doing *d, const char *sql)
{
    d->sql = sql;
    assert_int_equal(submit(d, run_sql), SETPAY_OK);
}

static int64_t number(struct doing *d, const char *sql)
{
    d->sql = sql;
    assert_int_equal(submit(d, read_number), SETPAY_OK);
    return d->number;
}

static void unpaid_orders_have_an_end(void **state)
{
    (void)state;
    struct doing d;
    const struct setpay_digest home = someone(9), other = someone(8);
    const struct setpay_guard_options options = {
        .orders_client = 4, .orders_visitor = 2, .streams = 1};
    open_store(&d, &options);
    d.client = &home;
    d.visitor = someone(1);
    assert_int_equal(submit(&d, insert_order), SETPAY_OK);
    assert_int_equal(submit(&d, insert_order), SETPAY_OK);
    assert_int_equal(submit(&d, insert_order), SETPAY_E_BUSY); /* by the cookie */
    d.visitor = someone(2);
    assert_int_equal(submit(&d, insert_order), SETPAY_OK);
    assert_int_equal(submit(&d, insert_order), SETPAY_OK);
    d.visitor = someone(3);
    assert_int_equal(submit(&d, insert_order), SETPAY_E_BUSY); /* by the address */
    assert_int_equal(number(&d, "SELECT COUNT(*) FROM orders"), 4);
    assert_int_equal(number(&d, "SELECT COUNT(*) FROM order_visitor"), 4);
    d.client = &other;
    assert_int_equal(submit(&d, insert_order), SETPAY_OK);
    d.client = NULL;
    assert_int_equal(submit(&d, insert_order), SETPAY_OK);
    assert_int_equal(submit(&d, insert_order), SETPAY_E_BUSY); /* by the cookie still */
    /* What is being paid, or has ended, does not count. */
    d.client = &home;
    d.visitor = someone(4);
    change(&d, "UPDATE orders SET xid = x'01' WHERE order_id = 'ord_0'");
    assert_int_equal(submit(&d, insert_order), SETPAY_OK);
    assert_int_equal(submit(&d, insert_order), SETPAY_E_BUSY);
    change(&d, "UPDATE orders SET ended = 1 WHERE order_id = 'ord_1'");
    assert_int_equal(submit(&d, insert_order), SETPAY_OK);
    assert_int_equal(submit(&d, insert_order), SETPAY_E_BUSY);
    assert_int_equal(submit(&d, purge), SETPAY_OK);
    assert_int_equal(number(&d, "SELECT COUNT(*) FROM order_visitor"), 6);
    /* Nor does what has expired, of which nothing is known then. */
    d.now_ms += SETPAY_ORDER_LIFE_MIN_MS;
    assert_int_equal(submit(&d, insert_order), SETPAY_OK);
    assert_int_equal(submit(&d, purge), SETPAY_OK);
    assert_int_equal(number(&d, "SELECT COUNT(*) FROM order_visitor"), 1);
    close_store(&d);
}

static void without_limits_there_is_none(void **state)
{
    (void)state;
    struct doing d;
    const struct setpay_digest home = someone(9);
    const struct setpay_guard_options options = {.streams = 1};
    open_store(&d, &options);
    d.client = &home;
    for (int i = 0; i < 50; i++)
        assert_int_equal(submit(&d, insert_order), SETPAY_OK);
    assert_true(setpay_guard_stream_begin(d.guard, &home));
    close_store(&d);
}

/* ------------------------------------------------------------------ carts */

static enum setpay_error keep_cart(struct setpay_db *db, void *arg)
{
    struct doing *d = arg;
    struct setpay_cart cart;
    SETPAY_TRY(setpay_cart_find(db, &d->visitor, &cart));
    SETPAY_TRY(setpay_cart_set(&cart, "CUP", 1));
    return setpay_cart_keep(db, &d->visitor, &d->maker, &cart, d->now_ms++);
}

static void whose_carts_are_too_many_loses_the_oldest(void **state)
{
    (void)state;
    struct doing d;
    const struct setpay_digest home = someone(9), other = someone(8);
    open_store(&d, &setpay_guard_defaults);
    d.maker.max = 3;
    d.maker.client = &other;
    d.visitor = someone(100);
    assert_int_equal(submit(&d, keep_cart), SETPAY_OK);
    d.maker.client = &home;
    for (uint8_t i = 1; i <= 5; i++) {
        d.visitor = someone(i);
        assert_int_equal(submit(&d, keep_cart), SETPAY_OK);
        if (i == 3) { /* the first is used again, so the second is the oldest */
            d.visitor = someone(1);
            assert_int_equal(submit(&d, keep_cart), SETPAY_OK);
        }
    }
    assert_int_equal(number(&d, "SELECT COUNT(*) FROM cart"), 4);
    assert_int_equal(number(&d, "SELECT carts FROM cart_total"), 4);
    assert_int_equal(number(&d, "SELECT COUNT(*) FROM cart_line"), 4);
    assert_int_equal(number(&d, "SELECT SUM(hex(substr(id, 1, 1)) IN ('64', '01', '04', '05'))"
                                " FROM cart"),
                     4);
    d.maker.client = NULL; /* who is unknown takes nobody's */
    for (uint8_t i = 10; i < 20; i++) {
        d.visitor = someone(i);
        assert_int_equal(submit(&d, keep_cart), SETPAY_OK);
    }
    assert_int_equal(number(&d, "SELECT carts FROM cart_total"), 14);
    d.now_ms += SETPAY_CART_KEPT_MS - 5;
    assert_int_equal(submit(&d, purge), SETPAY_OK);
    assert_int_equal(number(&d, "SELECT carts - (SELECT COUNT(*) FROM cart) FROM cart_total"), 0);
    assert_int_equal(number(&d, "SELECT carts FROM cart_total"), 5);
    close_store(&d);
}

/* The table is full: whoever comes takes the place of the cart that was left longest. */
static enum setpay_error make_old_cart(struct setpay_db *db, void *arg)
{
    struct doing *d = arg;
    return setpay_db_run(db,
                         "INSERT INTO cart (id, country, region, shipping_method, order_token,"
                         " changed_ms) VALUES ($1, 'DE', '', '', 'token', 1)",
                         SETPAY_DB_DIGEST(&d->visitor));
}

static enum setpay_error look_at_form(struct setpay_db *db, void *arg)
{
    struct doing *d = arg;
    struct setpay_cart cart;
    const struct setpay_digest first = someone(1);
    const struct setpay_digest other = someone(2);
    bool has = true;
    SETPAY_TRY(setpay_cart_find(db, &d->visitor, &cart));
    assert_string_equal(cart.order_token, "token");
    SETPAY_TRY(setpay_cart_has_form(db, &cart, &first, &has));
    assert_false(has);
    SETPAY_TRY(setpay_cart_has_form(db, &cart, NULL, &has));
    assert_false(has);
    SETPAY_TRY(setpay_cart_set_form(db, &cart, &first));
    SETPAY_TRY(setpay_cart_has_form(db, &cart, &first, &has));
    assert_true(has);
    SETPAY_TRY(setpay_cart_has_form(db, &cart, &other, &has));
    assert_false(has);
    SETPAY_TRY(setpay_cart_set_form(db, &cart, NULL));
    return setpay_cart_has_form(db, &cart, NULL, &has);
}

static void carts_of_before_are_taken_over(void **state)
{
    (void)state;
    const struct setpay_store_migration old_steps[] = {steps[0], {0, NULL}};
    const struct setpay_store_schema old = {.name = "merchant", .steps = old_steps};
    struct setpay_problem problem;
    struct doing d = {.visitor = someone(9)};
    test_folder_make(&d.folder);
    struct setpay_store_options options = {.url = d.folder.url, .schema = &old};
    assert_int_equal(setpay_store_open(&options, &d.store, &problem), SETPAY_OK);
    assert_int_equal(submit(&d, make_old_cart), SETPAY_OK);
    setpay_store_close(d.store);
    options.schema = &schema;
    assert_int_equal(setpay_store_open(&options, &d.store, &problem), SETPAY_OK);
    assert_int_equal(submit(&d, look_at_form), SETPAY_OK);
    close_store(&d);
}

static void a_full_table_has_room_for_who_comes(void **state)
{
    (void)state;
    struct doing d;
    open_store(&d, &setpay_guard_defaults);
    for (uint8_t i = 1; i <= 3; i++) {
        d.visitor = someone(i);
        assert_int_equal(submit(&d, keep_cart), SETPAY_OK);
    }
    d.sql = "UPDATE cart_total SET carts = 200000";
    assert_int_equal(SETPAY_CARTS_MAX, 200000);
    assert_int_equal(submit(&d, run_sql), SETPAY_OK);
    d.visitor = someone(4);
    assert_int_equal(submit(&d, keep_cart), SETPAY_OK);
    assert_int_equal(number(&d, "SELECT COUNT(*) FROM cart"), 3);
    assert_int_equal(number(&d, "SELECT COUNT(*) FROM cart WHERE hex(substr(id, 1, 1)) = '01'"), 0);
    assert_int_equal(number(&d, "SELECT carts FROM cart_total"), 200000);
    d.visitor = someone(4); /* one that is there takes no place */
    assert_int_equal(submit(&d, keep_cart), SETPAY_OK);
    assert_int_equal(number(&d, "SELECT COUNT(*) FROM cart"), 3);
    close_store(&d);
}

static enum setpay_error choose_yen(struct setpay_db *db, void *arg)
{
    struct doing *d = arg;
    struct setpay_cart cart;
    SETPAY_TRY(setpay_cart_find(db, &d->visitor, &cart));
    if (cart.currency[0] != '\0' || setpay_cart_quantity(&cart, "CUP") != 2)
        return SETPAY_E_STATE;
    memcpy(cart.currency, "JPY", sizeof cart.currency);
    SETPAY_TRY(setpay_cart_keep(db, &d->visitor, &d->maker, &cart, d->now_ms));
    SETPAY_TRY(setpay_cart_find(db, &d->visitor, &cart));
    return strcmp(cart.currency, "JPY") == 0 && setpay_cart_quantity(&cart, "CUP") == 2
               ? SETPAY_OK
               : SETPAY_E_STATE;
}

/* A database of the step before is taken over: its carts are in no currency of their own. */
static void carts_of_before_have_no_currency_yet(void **state)
{
    (void)state;
    struct doing d = {.now_ms = 1000, .visitor = {.bytes = {1}}};
    struct setpay_problem problem;
    test_folder_make(&d.folder);
    struct setpay_store_options options = {.url = d.folder.url, .schema = &schema_before};
    assert_int_equal(setpay_store_open(&options, &d.store, &problem), SETPAY_OK);
    change(&d, "INSERT INTO cart (seq, id, country, region, shipping_method, order_token,"
               " changed_ms) VALUES (1, x'01"
               "00000000000000000000000000000000000000000000000000000000000000', 'DE', '',"
               " 'parcel', '', 1000)");
    change(&d, "INSERT INTO cart_line (cart_seq, position, sku, quantity) VALUES (1, 0, 'CUP', 2)");
    change(&d, "UPDATE cart_total SET carts = 1");
    setpay_store_close(d.store);
    options.schema = &schema;
    assert_int_equal(setpay_store_open(&options, &d.store, &problem), SETPAY_OK);
    assert_int_equal(submit(&d, choose_yen), SETPAY_OK);
    assert_int_equal(number(&d, "SELECT COUNT(*) FROM cart"), 1);
    d.visitor = someone(2); /* and one that is made now */
    assert_int_equal(submit(&d, keep_cart), SETPAY_OK);
    assert_int_equal(number(&d, "SELECT COUNT(*) FROM cart WHERE currency = ''"), 1);
    setpay_store_close(d.store);
    test_folder_remove(&d.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_is_whom_the_nearest_proxy_saw),
        cmocka_unit_test(https_is_what_a_believed_proxy_says),
        cmocka_unit_test(streams_have_an_end),
        cmocka_unit_test(unpaid_orders_have_an_end),
        cmocka_unit_test(without_limits_there_is_none),
        cmocka_unit_test(whose_carts_are_too_many_loses_the_oldest),
        cmocka_unit_test(carts_of_before_are_taken_over),
        cmocka_unit_test(a_full_table_has_room_for_who_comes),
        cmocka_unit_test(carts_of_before_have_no_currency_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
