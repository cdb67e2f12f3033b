/*
 * That a merchant forgets as fast as it is used: what one round leaves, the next ones take, and the
 * last one says that it was the last.
 */
#include "common/store/store.h"
#include "merchant/merchantd.h"
#include "merchant/purge.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1800000000000)
#define MANY "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) "

struct purging {
    const char *sql;
    int64_t number;
    bool more;
};

static enum setpay_error fill(struct setpay_db *db, void *arg)
{
    (void)arg;
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO idempotency (scope, request_hash, status, body, location, owner, "
        "until_ms) " MANY
        "SELECT CAST('key ' || i AS BLOB), zeroblob(32), 201, x'7b7d', '', zeroblob(16),"
        " CASE i WHEN 2500 THEN $1 + 1 ELSE $1 - i END FROM n",
        SETPAY_DB_INT(NOW_MS)));
    SETPAY_TRY(setpay_db_run(db, "INSERT INTO event (event_id, type, body, created_ms) " MANY
                                 "SELECT 'event ' || i, 'order.created', '{}', i FROM n"));
    SETPAY_TRY(setpay_db_run(
        db, "INSERT INTO cart (id, country, region, shipping_method, order_token, changed_ms) " MANY
            "SELECT CAST('cart ' || i AS BLOB), '', '', '', '', i FROM n"));
    return setpay_db_run(db, "UPDATE cart_total SET carts = 2500");
}

static enum setpay_error one_round(struct setpay_db *db, void *arg)
{
    struct purging *p = arg;
    return setpay_merchant_purge(db, 0, NOW_MS, &p->more);
}

static enum setpay_error count(struct setpay_db *db, void *arg)
{
    struct purging *p = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, p->sql));
    p->number = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static int64_t number(struct setpay_store *store, const char *sql)
{
    struct purging p = {.sql = sql};
    assert_int_equal(setpay_store_submit_wait(store, count, &p), SETPAY_OK);
    return p.number;
}

static void rounds_go_on_until_nothing_is_left(void **state)
{
    static const int64_t left[] = {1500, 500, 1};
    struct test_folder folder;
    struct setpay_problem problem;
    struct setpay_store *store;
    struct purging p = {.more = true};
    (void)state;
    test_folder_make(&folder);
    const struct setpay_store_options options = {.url = folder.url,
                                                 .schema = setpay_merchantd_spec.schema};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, fill, NULL), SETPAY_OK);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        assert_true(p.more);
        assert_int_equal(setpay_store_submit_wait(store, one_round, &p), SETPAY_OK);
        assert_int_equal(number(store, "SELECT COUNT(*) FROM idempotency"), left[i]);
    }
    assert_false(p.more);
    assert_int_equal(number(store, "SELECT COUNT(*) FROM event"), 0);
    assert_int_equal(number(store, "SELECT COUNT(*) FROM cart"), 0);
    assert_int_equal(number(store, "SELECT carts FROM cart_total"), 0);
    setpay_store_close(store);
    test_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_go_on_until_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
