/*
 * Stock: what an order reserves, when it is sold and when it is free again; that the last piece is
 * sold once, however many want it at the same time; and that a crash at any of the points between
 * leaves nothing reserved for an order that is not there.
 */
#include "common/base/testing.h"
#include "merchant/store/stock.h"
#include "tests/support/test_acts.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_acts test;

#define SHOP(on_hand)                                                                              \
    "{\"slug\":\"cup\",\"name\":\"Cup\",\"status\":\"published\",\"variants\":["                   \
    "{\"sku\":\"CUP\",\"prices\":{\"EUR\":900},\"stock\":{\"on_hand\":" #on_hand "}},"             \
    "{\"sku\":\"TEA\",\"prices\":{\"EUR\":100},\"stock\":{\"on_hand\":100}},"                      \
    "{\"sku\":\"PDF\",\"prices\":{\"EUR\":500}}]}"
#define ORDER(sku, quantity) "{\"items\":[{\"sku\":\"" sku "\",\"quantity\":" #quantity "}]}"

static void open_shop(const char *product)
{
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL, product), SETPAY_OK);
}

/* Of the variant CUP. */
static void assert_stock(int64_t on_hand, int64_t reserved)
{
    assert_int_equal(test_acts_sql(&test, "SELECT on_hand FROM variant WHERE sku = 'CUP'"),
                     on_hand);
    assert_int_equal(test_acts_sql(&test, "SELECT reserved FROM variant WHERE sku = 'CUP'"),
                     reserved);
}

/* ------------------------------------------------------------------ what happens to an order */

enum happening {
    RETURNED,
    TAKEN_BACK,
    SOLD,
    TAKEN,
    RELEASED,
    CANCELLED,
    VOIDED,
    SWEPT,
    EXPIRED_ALL
};

struct happens {
    enum happening what;
    const char *order_id;
    setpay_time_ms now_ms;
};

static enum setpay_error do_it(struct setpay_db *db, void *arg)
{
    const struct happens *happens = arg;
    const struct setpay_id xid = {.bytes = {1}};
    int64_t released, moved = 0;
    switch (happens->what) {
    case RETURNED:
        return setpay_stock_return(db, happens->order_id, "MUG", 1, "returned", happens->now_ms,
                                   &moved);
    case TAKEN_BACK:
        return setpay_stock_take_back(db, happens->order_id, "MUG", 1, "refund undone",
                                      happens->now_ms);
    case SOLD:
        return setpay_stock_sell(db, happens->order_id, happens->now_ms);
    case TAKEN:
        return setpay_order_take(db, happens->order_id, &xid, happens->now_ms);
    case RELEASED:
        return setpay_order_release(db, happens->order_id, &xid);
    case CANCELLED:
        return setpay_order_end(db, happens->order_id, SETPAY_ORDER_CANCELLED);
    case VOIDED:
        return setpay_order_end(db, happens->order_id, SETPAY_ORDER_VOIDED);
    case SWEPT:
        return setpay_stock_expire(db, happens->now_ms, 1000, &released);
    case EXPIRED_ALL:
        SETPAY_TRY(setpay_stock_expire_all(db, happens->now_ms));
        return setpay_order_expire_all(db, happens->now_ms);
    }
    return SETPAY_E_INTERNAL;
}

static void happen(enum happening what, const char *order_id, setpay_time_ms now_ms)
{
    struct happens happens = {what, order_id, now_ms};
    assert_int_equal(setpay_store_submit_wait(test.store, do_it, &happens), SETPAY_OK);
}

static void order(const char *body, char *order_id)
{
    struct test_ordering ordering;
    enum setpay_error error = test_order(&test, body, &ordering);
    if (error != SETPAY_OK)
        fail_msg("%s: %s", setpay_error_name(error), ordering.fault.words);
    memcpy(order_id, ordering.order.order_id, SETPAY_ORDER_ID_SIZE);
    setpay_order_clear(&ordering.order);
}

static void refused(const char *body, const char *sku, int64_t left)
{
    struct test_ordering ordering;
    assert_int_equal(test_order(&test, body, &ordering), SETPAY_E_STATE);
    assert_string_equal(ordering.shortage.sku, sku);
    assert_int_equal(ordering.shortage.left, left);
    setpay_order_clear(&ordering.order);
}

static void an_order_reserves_and_what_is_not_there_is_not_sold(void **state)
{
    (void)state;
    char id[SETPAY_ORDER_ID_SIZE];
    open_shop(SHOP(3));
    order(ORDER("CUP", 2), id);
    assert_stock(3, 2);
    refused(ORDER("CUP", 2), "CUP", 1);
    /* Named twice it is as much in all; and what is short of one keeps nothing of the other. */
    refused("{\"items\":[{\"sku\":\"TEA\",\"quantity\":5},{\"sku\":\"CUP\",\"quantity\":1},"
            "{\"sku\":\"CUP\",\"quantity\":1}]}",
            "CUP", 1);
    assert_int_equal(test_acts_sql(&test, "SELECT SUM(reserved) FROM variant"), 2);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM orders"), 1);
    /* What is not counted is always there. */
    order(ORDER("PDF", 1000000), id);
    order(ORDER("CUP", 1), id);
    refused(ORDER("CUP", 1), "CUP", 0);
    test_acts_close(&test);
}

static void a_reservation_ends_with_its_order(void **state)
{
    (void)state;
    char id[SETPAY_ORDER_ID_SIZE];
    open_shop(SHOP(3));
    setpay_time_ms end_ms = test.now_ms + SETPAY_ORDER_LIFE_RESERVED_MS;
    /* Cancelled. */
    order(ORDER("CUP", 1), id);
    happen(CANCELLED, id, test.now_ms);
    assert_stock(3, 0);
    /* Expired: not before, once then. */
    order(ORDER("CUP", 1), id);
    happen(SWEPT, id, end_ms - 1);
    assert_stock(3, 1);
    happen(SWEPT, id, end_ms);
    happen(SWEPT, id, end_ms);
    assert_stock(3, 0);
    /* Declined: the shopper may try another card until it expires. */
    order(ORDER("CUP", 1), id);
    happen(TAKEN, id, test.now_ms);
    happen(RELEASED, id, test.now_ms);
    assert_stock(3, 1);
    /* While a purchase is under way it does not expire; nor does its cancelling let go too early.
     */
    happen(TAKEN, id, test.now_ms);
    happen(SWEPT, id, end_ms + 1);
    assert_stock(3, 1);
    happen(CANCELLED, id, test.now_ms);
    assert_stock(3, 1);
    happen(RELEASED, id, test.now_ms);
    assert_stock(3, 0);
    /* What a restored database had open has expired (rule M10). */
    order(ORDER("CUP", 2), id);
    happen(EXPIRED_ALL, id, test.now_ms + 1);
    happen(SWEPT, id, test.now_ms + 1);
    assert_stock(3, 0);
    /* An order finds what has expired without a sweep. */
    order(ORDER("CUP", 3), id);
    test.now_ms = end_ms;
    order(ORDER("CUP", 3), id);
    assert_stock(3, 3);
    test_acts_close(&test);
}

static void what_is_authorised_is_sold_once_and_comes_back_when_voided(void **state)
{
    (void)state;
    char id[SETPAY_ORDER_ID_SIZE];
    open_shop(SHOP(3));
    order(ORDER("CUP", 2), id);
    happen(TAKEN, id, test.now_ms);
    happen(SOLD, id, test.now_ms);
    happen(SOLD, id, test.now_ms);
    assert_stock(1, 0);
    happen(SWEPT, id, test.now_ms + SETPAY_ORDER_LIFE_MAX_MS);
    assert_stock(1, 0);
    happen(VOIDED, id, test.now_ms);
    assert_stock(1, 0); /* the gateway has not answered yet */
    happen(RELEASED, id, test.now_ms);
    assert_stock(3, 0);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM stock_log WHERE order_id <> ''"),
                     2);
    assert_int_equal(test_acts_sql(&test, "SELECT SUM(change) FROM stock_log WHERE sku = 'CUP'"),
                     3);
    /* Of what is not counted nothing is taken, and nothing comes back. */
    order(ORDER("PDF", 7), id);
    happen(SOLD, id, test.now_ms);
    assert_int_equal(test_acts_sql(&test, "SELECT on_hand FROM variant WHERE sku = 'PDF'"), 0);
    test_acts_close(&test);
}

/* The next variant gets its number, as SQLite has it: that one's stock is another SKU's. */
static void what_was_deleted_does_not_come_back(void **state)
{
    (void)state;
    char id[SETPAY_ORDER_ID_SIZE];
    open_shop(SHOP(3));
    assert_int_equal(
        test_act(&test, "variant.add", "cup", NULL,
                 "{\"sku\":\"MUG\",\"prices\":{\"EUR\":700},\"stock\":{\"on_hand\":9}}"),
        SETPAY_OK);
    int64_t seq = test_acts_sql(&test, "SELECT seq FROM variant WHERE sku = 'MUG'");
    order(ORDER("MUG", 4), id);
    happen(TAKEN, id, test.now_ms);
    happen(SOLD, id, test.now_ms);
    happen(RETURNED, id, test.now_ms);
    assert_int_equal(test_acts_sql(&test, "SELECT on_hand FROM variant WHERE sku = 'MUG'"), 6);
    assert_int_equal(test_act(&test, "variant.remove", "cup", "MUG", NULL), SETPAY_OK);
    assert_int_equal(
        test_act(&test, "variant.add", "cup", NULL,
                 "{\"sku\":\"POT\",\"prices\":{\"EUR\":700},\"stock\":{\"on_hand\":9}}"),
        SETPAY_OK);
    assert_int_equal(test_acts_sql(&test, "SELECT seq FROM variant WHERE sku = 'POT'"), seq);
    static const enum happening what[] = {RETURNED, TAKEN_BACK, VOIDED, RELEASED};
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        happen(what[i], id, test.now_ms);
        assert_int_equal(test_acts_sql(&test, "SELECT on_hand FROM variant WHERE sku = 'POT'"), 9);
    }
    test_acts_close(&test);
}

static void an_adjustment_has_a_reason_and_respects_what_is_reserved(void **state)
{
    (void)state;
    char id[SETPAY_ORDER_ID_SIZE];
    open_shop(SHOP(3));
    order(ORDER("CUP", 2), id);
    test_act_refuses(&test, SETPAY_E_INVALID, "reason", "stock.adjust", "CUP", NULL,
                     "{\"change\":1}");
    test_act_refuses(&test, SETPAY_E_INVALID, "change", "stock.adjust", "CUP", NULL,
                     "{\"reason\":\"a\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "change", "stock.adjust", "CUP", NULL,
                     "{\"change\":1,\"on_hand\":1,\"reason\":\"a\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "change", "stock.adjust", "CUP", NULL,
                     "{\"change\":-4,\"reason\":\"a\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "change", "stock.adjust", "CUP", NULL,
                     "{\"change\":1000000000,\"reason\":\"a\"}");
    test_act_refuses(&test, SETPAY_E_STATE, "on_hand", "stock.adjust", "CUP", NULL,
                     "{\"change\":-2,\"reason\":\"a\"}");
    test_act_refuses(&test, SETPAY_E_NOT_FOUND, "id", "stock.adjust", "NONE", NULL,
                     "{\"change\":-2,\"reason\":\"a\"}");
    assert_stock(3, 2);
    assert_int_equal(
        test_act(&test, "stock.adjust", "CUP", NULL, "{\"change\":-1,\"reason\":\"broken\"}"),
        SETPAY_OK);
    assert_int_equal(
        test_act(&test, "stock.adjust", "CUP", NULL, "{\"on_hand\":9,\"reason\":\"counted\"}"),
        SETPAY_OK);
    assert_int_equal(json_array_size(json_object_get(test.answer.json, "log")), 3);
    /* No longer counted, more may be sold than is there; counted again, there must be as much. */
    assert_int_equal(
        test_act(&test, "stock.adjust", "CUP", NULL, "{\"tracked\":false,\"reason\":\"a\"}"),
        SETPAY_OK);
    order(ORDER("CUP", 50), id);
    test_act_refuses(&test, SETPAY_E_STATE, "on_hand", "stock.adjust", "CUP", NULL,
                     "{\"tracked\":true,\"reason\":\"a\"}");
    assert_int_equal(test_act(&test, "stock.list", NULL, NULL, "{\"limit\":2}"), SETPAY_OK);
    assert_string_equal(json_string_value(json_object_get(test.answer.json, "next_cursor")), "PDF");
    test_act_refuses(&test, SETPAY_E_INVALID, "cursor", "stock.list", NULL, NULL,
                     "{\"cursor\":\"a b\"}");
    test_acts_close(&test);
}

/* ------------------------------------------------------------------ races */

#define RACERS 12
#define LAPS 25

struct racer {
    pthread_t thread;
    unsigned won;
    unsigned lost;
    unsigned other;
};

static void *run_racer(void *arg)
{
    struct racer *racer = arg;
    for (int lap = 0; lap < LAPS; lap++) {
        struct test_ordering ordering = {.now_ms = 0};
        struct happens sold = {SOLD, ordering.order.order_id, test.now_ms};
        enum setpay_error error = test_order(&test, ORDER("CUP", 1), &ordering);
        racer->won += error == SETPAY_OK;
        racer->lost += error == SETPAY_E_STATE;
        racer->other += error != SETPAY_OK && error != SETPAY_E_STATE;
        /* Half of those who got one pay; the others walk away. */
        struct happens gone = {CANCELLED, ordering.order.order_id, test.now_ms};
        if (error == SETPAY_OK &&
            setpay_store_submit_wait(test.store, do_it, lap % 2 == 0 ? &sold : &gone) != SETPAY_OK)
            racer->other++;
        setpay_order_clear(&ordering.order);
    }
    return NULL;
}

static void the_last_piece_is_sold_once_however_many_want_it(void **state)
{
    (void)state;
    struct racer racers[RACERS] = {{.won = 0}};
    unsigned lost = 0;
    open_shop(SHOP(7));
    for (size_t i = 0; i < RACERS; i++)
        assert_int_equal(pthread_create(&racers[i].thread, NULL, run_racer, &racers[i]), 0);
    for (size_t i = 0; i < RACERS; i++) {
        pthread_join(racers[i].thread, NULL);
        assert_int_equal(racers[i].other, 0);
        lost += racers[i].lost;
    }
    assert_true(lost > 0);
    assert_stock(0, 0);
    assert_int_equal(test_acts_sql(&test, "SELECT SUM(quantity) FROM reservation WHERE state = 2"),
                     7);
    test_acts_close(&test);
}

/* ------------------------------------------------------------------ crashes */

/* In a child: makes and pays orders until the armed point kills it; a byte for each that it was
 * told is made. */
static void sell_until_killed(const char *crash, int told_fd)
{
    struct setpay_problem problem;
    const struct setpay_store_options options = {.url = test.folder.url,
                                                 .schema = &test_acts_schema};
    setenv("SETPAY_CRASH", crash, 1);
    setpay_testing_enable();
    if (setpay_testing_arm_from_environment() != SETPAY_OK ||
        setpay_store_open(&options, &test.store, &problem) != SETPAY_OK)
        _exit(2);
    for (int i = 0; i < 1000; i++) {
        struct test_ordering ordering = {.now_ms = 0};
        if (test_order(&test, ORDER("CUP", 1), &ordering) != SETPAY_OK)
            _exit(3);
        if (write(told_fd, "o", 1) != 1)
            _exit(4);
        struct happens sold = {SOLD, ordering.order.order_id, test.now_ms};
        if (i % 2 == 0 && setpay_store_submit_wait(test.store, do_it, &sold) != SETPAY_OK)
            _exit(5);
        setpay_order_clear(&ordering.order);
    }
    _exit(6);
}

static void nothing_stays_reserved_or_sold_for_nobody_after_a_crash(void **state)
{
    (void)state;
    /* The last is killed from outside, wherever it is then. */
    static const char *const crashes[] = {"stock.reserved:1", "stock.reserved:4", "stock.sold:1",
                                          "stock.sold:3", "none:1"};
    open_shop(SHOP(100000));
    int64_t told = 0;
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        struct setpay_problem problem;
        const struct setpay_store_options options = {.url = test.folder.url,
                                                     .schema = &test_acts_schema};
        int ends[2];
        int status = 0;
        char byte;
        setpay_store_close(test.store);
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            sell_until_killed(crashes[i], ends[1]);
        close(ends[1]);
        for (int seen = 0; read(ends[0], &byte, 1) == 1; seen++) {
            told++;
            if (strcmp(crashes[i], "none:1") == 0 && seen == 20)
                kill(child, SIGKILL);
        }
        close(ends[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            fail_msg("%s: status %d", crashes[i], status);
        assert_int_equal(setpay_store_open(&options, &test.store, &problem), SETPAY_OK);
        /* Whoever was told has an order; every reservation has one, and the sums agree. */
        assert_true(test_acts_sql(&test, "SELECT COUNT(*) FROM orders") >= told);
        assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM orders") -
                             test_acts_sql(&test, "SELECT COUNT(*) FROM reservation"),
                         0);
        int64_t held = test_acts_sql(
            &test, "SELECT COALESCE(SUM(quantity), 0) FROM reservation WHERE state = 1");
        int64_t sold = test_acts_sql(
            &test, "SELECT COALESCE(SUM(quantity), 0) FROM reservation WHERE state = 2");
        assert_stock(100000 - sold, held);
        assert_int_equal(test_acts_sql(&test, "SELECT -COALESCE(SUM(change), 0) FROM stock_log"
                                              " WHERE reason = 'sold'") -
                             sold,
                         0);
    }
    happen(SWEPT, NULL, test.now_ms + SETPAY_ORDER_LIFE_MAX_MS);
    assert_int_equal(test_acts_sql(&test, "SELECT SUM(reserved) FROM variant"), 0);
    test_acts_close(&test);
}

/* Whoever is short of one thing has only that looked through, and no more of it set free than is
 * wanted. */
static void who_is_short_has_as_much_set_free_as_is_wanted(void **state)
{
    (void)state;
    char id[SETPAY_ORDER_ID_SIZE];
    open_shop(SHOP(3));
    for (int i = 0; i < 3; i++)
        order(ORDER("CUP", 1), id);
    order(ORDER("TEA", 1), id);
    test.now_ms += SETPAY_ORDER_LIFE_RESERVED_MS;
    order(ORDER("CUP", 2), id);
    assert_stock(3, 3);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM reservation WHERE state = 3"), 2);
    assert_int_equal(test_acts_sql(&test, "SELECT reserved FROM variant WHERE sku = 'TEA'"), 1);
    refused(ORDER("CUP", 2), "CUP", 1);
    /* The owner is told what can still be paid, and nothing of the others'. */
    assert_int_equal(test_act(&test, "stock.adjust", "CUP", NULL,
                              "{\"on_hand\":2,\"reason\":\"one is broken\"}"),
                     SETPAY_OK);
    assert_stock(2, 2);
    assert_int_equal(test_acts_sql(&test, "SELECT reserved FROM variant WHERE sku = 'TEA'"), 1);
    happen(SWEPT, id, test.now_ms);
    assert_int_equal(test_acts_sql(&test, "SELECT reserved FROM variant WHERE sku = 'TEA'"), 0);
    test_acts_close(&test);
}

/* What an order holds would be somebody else's, and it could be paid again once the clock is right.
 */
static void a_clock_that_is_ahead_sets_nothing_free(void **state)
{
    (void)state;
    char id[SETPAY_ORDER_ID_SIZE];
    open_shop(SHOP(3));
    order(ORDER("CUP", 3), id);
    setpay_clock_need_second(true);
    test.now_ms += SETPAY_DAY_MS;
    happen(SWEPT, id, test.now_ms); /* the other was never heard */
    assert_stock(3, 3);
    setpay_clock_hear_ms(setpay_clock_now_ms());
    happen(SWEPT, id, test.now_ms);
    refused(ORDER("CUP", 1), "CUP", 0);
    assert_stock(3, 3);
    setpay_clock_hear_ms(test.now_ms);
    order(ORDER("CUP", 1), id);
    assert_stock(3, 1);
    setpay_clock_need_second(false);
    test_acts_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_reserves_and_what_is_not_there_is_not_sold),
        cmocka_unit_test(a_reservation_ends_with_its_order),
        cmocka_unit_test(what_is_authorised_is_sold_once_and_comes_back_when_voided),
        cmocka_unit_test(who_is_short_has_as_much_set_free_as_is_wanted),
        cmocka_unit_test(a_clock_that_is_ahead_sets_nothing_free),
        cmocka_unit_test(what_was_deleted_does_not_come_back),
        cmocka_unit_test(an_adjustment_has_a_reason_and_respects_what_is_reserved),
        cmocka_unit_test(the_last_piece_is_sold_once_however_many_want_it),
        cmocka_unit_test(nothing_stays_reserved_or_sold_for_nobody_after_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
