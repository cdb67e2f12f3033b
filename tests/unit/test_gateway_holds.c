/*
 * The end of holds at a running gateway: what is held and not captured is given up by itself, once,
 * with an advice to the issuer (0420) until that has answered and a receipt that the merchant can
 * ask for; across kills, in portions, and not by a clock that has only just been set.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "gateway/payment/holds.h"
#include "gateway/payment/step.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_paid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAP SETPAY_MESSAGE_CAP_REQ
#define CAP_REV SETPAY_MESSAGE_CAP_REV_REQ
#define CRED SETPAY_MESSAGE_CRED_REQ
#define ENDED "SELECT COUNT(*) FROM receipt WHERE kind = 4"

static struct test_gateway *gateway;
static struct test_cardholder *holder;
static struct test_line *shop;

static void pay(struct test_paid *paid, int64_t minor)
{
    test_paid_prepare(paid, gateway, shop, holder, SETPAY_INTENT_AUTHORISE, minor, false);
    test_paid_ask(paid);
    assert_int_equal(paid->auth.outcome, SETPAY_AUTH_APPROVED);
}

static void move_clock(int64_t days)
{
    json_decref(
        test_gateway_control(gateway, "testing.clock",
                             json_pack("{s:I}", "offset_ms", (json_int_t)days * SETPAY_DAY_MS)));
}

static void script(const char *key, int value)
{
    json_decref(test_gateway_issuer(gateway, "script", json_pack("{s:i}", key, value)));
}

/* A week later, until so many holds have ended in all; then it is today again, since a merchant's
 * lists would be too old next week. */
static void let_end(int64_t ended)
{
    move_clock(8);
    test_daemon_wait_number(&gateway->daemon, ENDED, ended);
    move_clock(0);
    test_gateway_wait_acknowledged(gateway);
}

static int64_t held_by_issuer(const struct test_paid *paid)
{
    int64_t held = -1;
    (void)test_gateway_books(gateway, &paid->purchase->auth.xid, &held);
    return held;
}

static void expect_ledger_holds(void)
{
    test_gateway_expect_sound(gateway);
}

/* ------------------------------------------------------------------ the decision */

static void ends_at_its_time(void **state)
{
    struct setpay_payment payment = {
        .id = 7,
        .state = SETPAY_PAYMENT_APPROVED,
        .approved_minor = 1000,
        .hold_expiry_ms = 5000,
    };
    struct setpay_gateway_reversal reversal = {.id = 0};
    struct setpay_payment early = payment, part = payment, nothing = payment;
    (void)state;
    assert_int_equal(setpay_hold_end_decide(&early, 4999, &reversal), SETPAY_E_STATE);
    assert_memory_equal(&early, &payment, sizeof payment);
    assert_int_equal(setpay_hold_end_decide(&payment, 5000, &reversal), SETPAY_OK);
    assert_int_equal(payment.state, SETPAY_PAYMENT_REVERSED);
    assert_int_equal(setpay_payment_held(&payment), 0);
    assert_int_equal(payment.released_minor, 1000);
    assert_true(payment.release_open);
    assert_true(reversal.advice);
    assert_false(reversal.partial);
    assert_int_equal(reversal.amount_minor, 1000);
    assert_int_equal(setpay_hold_end_decide(&payment, 5001, &reversal), SETPAY_E_STATE);

    part.state = SETPAY_PAYMENT_CAPTURED;
    part.captured_minor = 300;
    part.reversed_minor = 200;
    assert_int_equal(setpay_hold_end_decide(&part, 5000, &reversal), SETPAY_OK);
    assert_int_equal(part.state, SETPAY_PAYMENT_CAPTURED);
    assert_int_equal(part.released_minor, 500);
    assert_true(reversal.partial);
    assert_int_equal(reversal.amount_minor, 500);
    assert_int_equal(reversal.remaining_minor, 300);

    nothing.state = SETPAY_PAYMENT_CAPTURED;
    nothing.captured_minor = 1000;
    assert_int_equal(setpay_hold_end_decide(&nothing, 5000, &reversal), SETPAY_E_STATE);
}

/* ------------------------------------------------------------------ at the gateway */

static void gives_up_what_is_held(void **state)
{
    struct test_paid whole, part, all, later;
    struct setpay_step_done first, done;
    int64_t remaining = -1;
    (void)state;
    pay(&whole, 1000);
    pay(&part, 1000);
    pay(&all, 500);
    assert_int_equal(test_paid_step(&part, CAP, &part.auth.cap_token, 300, &first), 0);
    assert_int_equal(test_paid_step(&all, CAP, &all.auth.cap_token, 500, &done), 0);
    script("silent_reversals", 2); /* the advices are repeated */
    let_end(2);
    pay(&later, 100); /* its hold has not ended */
    assert_int_equal(held_by_issuer(&whole), 0);
    assert_int_equal(held_by_issuer(&part), 300);
    assert_int_equal(held_by_issuer(&all), 500);
    assert_int_equal(held_by_issuer(&later), 100);
    assert_int_equal(test_daemon_log_count(&gateway->issuer, "mti=0420"), 2);
    assert_true(test_daemon_log_count(&gateway->issuer, "mti=0421") >= 2);
    assert_true(test_gateway_log_count(gateway, "event=hold.clock_jumped") >= 1);

    /* rule G8: nothing more is captured; the receipt is to be had by asking for just what was given
     * up, again and again */
    assert_int_equal(test_paid_step(&whole, CAP, &whole.auth.cap_token, 1, NULL), 11);
    assert_int_equal(test_paid_reverse(&whole, 999, &remaining), 11);
    assert_int_equal(test_paid_reverse(&whole, 1000, &remaining), 0);
    assert_int_equal(remaining, 0);
    assert_int_equal(whole.sums.reversed_minor, 1000);
    assert_int_equal(test_paid_step(&whole, CAP, &whole.auth.cap_token, 1, NULL), 15);

    /* receipts are chained: other steps wait for that receipt */
    assert_int_equal(test_paid_step(&part, CRED, &first.id, 100, NULL), 11);
    assert_int_equal(test_paid_step(&part, CAP_REV, &first.id, 300, NULL), 11);
    assert_int_equal(test_paid_step(&part, CAP, &part.auth.cap_token, 1, NULL), 11);
    assert_int_equal(test_paid_reverse(&part, 700, &remaining), 0);
    assert_int_equal(test_paid_step(&part, CRED, &first.id, 100, NULL), 0);
    assert_int_equal(part.sums.credited_minor, 100);
    assert_int_equal(test_paid_step(&part, CAP, &part.auth.cap_token, 1, NULL), 16);
    assert_int_equal(test_paid_step(&all, CRED, &done.id, 500, NULL), 0);
    assert_int_equal(test_gateway_number(gateway, ENDED), 2);
    expect_ledger_holds();
    test_paid_clear(&whole);
    test_paid_clear(&part);
    test_paid_clear(&all);
    test_paid_clear(&later);
}

/* A capture that is undone behind the hold's end leaves something held for a moment: given up, too,
 * or reversed by the merchant, whoever is first. */
static void gives_up_what_comes_back(void **state)
{
    struct test_paid paid;
    struct setpay_step_done done;
    int64_t ended = test_gateway_number(gateway, ENDED), remaining;
    (void)state;
    pay(&paid, 800);
    assert_int_equal(test_paid_step(&paid, CAP, &paid.auth.cap_token, 200, &done), 0);
    let_end(ended + 2); /* and that of the test before */
    assert_int_equal(test_paid_reverse(&paid, 600, &remaining), 0);
    assert_int_equal(test_paid_step(&paid, CAP_REV, &done.id, 200, NULL), 0);
    let_end(ended + 3);
    assert_int_equal(held_by_issuer(&paid), 0);
    assert_int_equal(test_paid_reverse(&paid, 600, &remaining), 11); /* that was the one before */
    assert_int_equal(test_paid_reverse(&paid, 200, &remaining), 0);
    assert_int_equal(paid.sums.reversed_minor, 800);
    expect_ledger_holds();
    test_paid_clear(&paid);
}

/* More than one portion. */
static void ends_many(void **state)
{
    enum { PAYMENTS = 70 };
    static struct test_paid paid[PAYMENTS];
    int64_t ended = test_gateway_number(gateway, ENDED), remaining;
    (void)state;
    for (int i = 0; i < PAYMENTS; i++)
        pay(&paid[i], 100 + i);
    let_end(ended + PAYMENTS);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM payment WHERE state = 2"),
                     0);
    for (int i = 0; i < PAYMENTS; i++) {
        assert_int_equal(held_by_issuer(&paid[i]), 0);
        assert_int_equal(test_paid_reverse(&paid[i], 100 + i, &remaining), 0);
        test_paid_clear(&paid[i]);
    }
}

/* The shop connects when the clock is right again, or its certificate would be judged by the wrong
 * one. */
static void restart(void)
{
    test_line_free(shop);
    shop = NULL;
    test_gateway_start(gateway, NULL);
}

static void connect_shop(void)
{
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    assert_non_null(shop);
}

/* Dies at each place of the sweep, and starts again: given up once, and the issuer hears of it. */
static void ends_across_a_kill(void **state)
{
    static const char *const points[] = {"store.write", "store.commit", "store.committed",
                                         "hold.ended",  "line.send",    "line.receive"};
    (void)state;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct test_paid paid;
        int64_t ended = test_gateway_number(gateway, ENDED), remaining;
        print_message("# %s\n", points[i]);
        pay(&paid, 4200);
        json_decref(test_gateway_control(gateway, "testing.crash",
                                         json_pack("{s:s, s:i}", "point", points[i], "count", 1)));
        move_clock(8);
        test_gateway_wait_killed(gateway);
        restart();
        let_end(ended + 1);
        connect_shop();
        paid.line = shop;
        assert_int_equal(held_by_issuer(&paid), 0);
        assert_int_equal(test_paid_reverse(&paid, 4200, &remaining), 0);
        assert_int_equal(test_gateway_number(gateway, ENDED), ended + 1);
        test_paid_clear(&paid);
    }
}

/* The issuer is away when the hold ends: it is told when it is back. */
static void advises_after_an_outage(void **state)
{
    struct test_paid paid;
    int64_t ended = test_gateway_number(gateway, ENDED);
    (void)state;
    pay(&paid, 990);
    test_gateway_stop_issuer(gateway);
    move_clock(8);
    test_daemon_wait_number(&gateway->daemon, ENDED, ended + 1);
    test_daemon_kill(&gateway->daemon);
    test_gateway_start_issuer(gateway);
    restart();
    connect_shop();
    test_gateway_wait_acknowledged(gateway);
    assert_int_equal(held_by_issuer(&paid), 0);
    test_paid_clear(&paid);
}

/* When the newest line of the log with that event was written, within its day. */
static int64_t logged_at(const char *event)
{
    size_t size = 0;
    int hour, minute, second, milli;
    char *text = test_read_file(gateway->folder, "gateway.log", &size);
    char *at = NULL;
    for (char *found = strstr(text, event); found != NULL; found = strstr(found + 1, event))
        at = found;
    assert_non_null(at);
    while (at > text && at[-1] != '\n')
        at--;
    assert_int_equal(sscanf(at, "ts=%*d-%*d-%*dT%d:%d:%d.%dZ", &hour, &minute, &second, &milli), 4);
    free(text);
    return ((hour * 60 + minute) * 60 + second) * 1000 + milli;
}

/* It has to have gone steadily for clock_settle, 100 ms here. */
static void waits_for_a_clock_that_was_set(void **state)
{
    struct test_paid paid;
    int64_t ended = test_gateway_number(gateway, ENDED);
    (void)state;
    pay(&paid, 70);
    let_end(ended + 1);
    int64_t waited = logged_at("event=hold.ended") - logged_at("event=hold.clock_jumped");
    if (waited < 0)
        waited += SETPAY_DAY_MS; /* over midnight */
    assert_true(waited >= 99);
    test_paid_clear(&paid);
}

/* What was given up can't be taken back: not by a clock that has just been set ahead. */
static void a_clock_that_jumps_ends_nothing(void **state)
{
    struct test_paid paid;
    size_t size = 0, jumps = test_gateway_log_count(gateway, "event=hold.clock_jumped");
    int64_t ended = test_gateway_number(gateway, ENDED);
    (void)state;
    pay(&paid, 60);
    test_gateway_stop(gateway);
    char *text = test_read_file(gateway->folder, "gateway.conf", &size);
    char *at = strstr(text, "clock_settle = 100ms");
    assert_non_null(at);
    memcpy(at, "clock_settle = 1h   ", 20);
    test_write_file(gateway->folder, "gateway.conf", setpay_view_of(text, size));
    restart();
    move_clock(8);
    test_gateway_wait_log(gateway, "event=hold.clock_jumped", jumps + 1);
    /* What the sweep had handed to the store would be done before this. */
    json_decref(test_gateway_control(gateway, "issuer.cutoff", json_object()));
    move_clock(0);
    assert_int_equal(test_gateway_number(gateway, ENDED), ended);
    memcpy(at, "clock_settle = 100ms", 20);
    test_write_file(gateway->folder, "gateway.conf", setpay_view_of(text, size));
    test_gateway_stop(gateway);
    restart();
    let_end(ended + 1);
    connect_shop();
    free(text);
    test_paid_clear(&paid);
}

/* What the gateway gave up by itself nobody has asked for yet. */
static void what_was_given_up_is_audited(void **state)
{
    (void)state;
    test_gateway_expect_audited(gateway, NULL);
    test_gateway_expect_edit_found(gateway,
                                   "UPDATE evidence SET owner = -owner WHERE type = 'AuthRevReq'",
                                   "UPDATE evidence SET owner = -owner WHERE owner < 0",
                                   "asked for by no request that is kept");
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    holder = test_cardholder_new(gateway->pki, "visa", "4242424242424242", "3012", "123");
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    return shop == NULL ? -1 : 0;
}

static int close_all(void **state)
{
    (void)state;
    test_line_free(shop);
    test_cardholder_free(holder);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_at_its_time),
        cmocka_unit_test(gives_up_what_is_held),
        cmocka_unit_test(gives_up_what_comes_back),
        cmocka_unit_test(ends_many),
        cmocka_unit_test(ends_across_a_kill),
        cmocka_unit_test(advises_after_an_outage),
        cmocka_unit_test(waits_for_a_clock_that_was_set),
        cmocka_unit_test(a_clock_that_jumps_ends_nothing),
        cmocka_unit_test(what_was_given_up_is_audited),
    };
    test_alarm(240);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
