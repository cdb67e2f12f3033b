/*
 * A running gateway with two issuers, one of which it stands in for: what is approved while that is
 * away is within the limits, and reaches it before all that follows of it, however silent it is;
 * and both sides' books agree in the end, or say what was refused.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "gateway/payment/payment.h"
#include "gateway/payment/payment_state.h"
#include "tests/support/test_day.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_stand_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CAP SETPAY_MESSAGE_CAP_REQ
#define CAP_REV SETPAY_MESSAGE_CAP_REV_REQ
#define CRED SETPAY_MESSAGE_CRED_REQ

/* ------------------------------------------------------------------ within its limits */

static void asks_while_the_line_is_up(void **state)
{
    struct test_paid paid;
    (void)state;
    test_away_ask(&paid, test_away.of_away, SETPAY_INTENT_AUTHORISE, 100);
    assert_int_equal(paid.auth.outcome, SETPAY_AUTH_APPROVED);
    assert_int_not_equal(paid.auth.approval_code[0], 'S');
    assert_int_equal(test_gateway_number(test_away.gateway, "SELECT COUNT(*) FROM stand_in"), 0);
    test_paid_clear(&paid);
}

static void approves_within_its_limit(void **state)
{
    struct test_paid paid, other;
    struct setpay_buffer again;
    (void)state;
    test_away_go();
    test_away_expect_busy(test_away.of_away, SETPAY_INTENT_AUTHORISE, TEST_AWAY_LIMIT + 1);
    test_away_expect_busy(test_away.of_away, SETPAY_INTENT_SALE, TEST_AWAY_LIMIT + 1);
    test_away_ask(&paid, test_away.of_away, SETPAY_INTENT_AUTHORISE, TEST_AWAY_LIMIT);
    test_away_expect_stood_in(&paid);
    /* rule A6: the same request has the same answer, and is one payment. */
    for (int i = 0; i < 2; i++) {
        test_line_ask(test_away.shop, setpay_buffer_view(&paid.request), &again);
        assert_false(test_away_is_busy(setpay_buffer_view(&again)));
        setpay_buffer_clear(&again);
    }
    assert_int_equal(test_gateway_number(test_away.gateway, TEST_AWAY_OPEN), 1);
    assert_int_equal(
        test_gateway_number(test_away.gateway, "SELECT SUM(amount_minor) FROM stand_in"),
        TEST_AWAY_LIMIT);
    /* The other issuer is asked as ever. */
    test_away_ask(&other, test_away.holder, SETPAY_INTENT_SALE, 9900);
    assert_int_equal(other.auth.outcome, SETPAY_AUTH_APPROVED);
    assert_int_not_equal(other.auth.approval_code[0], 'S');
    test_away_come_back();
    test_away_wait_settled();
    test_away_expect_booked(&paid, TEST_AWAY_LIMIT);
    assert_int_equal(test_daemon_log_count(&test_away.issuer, "mti=0120"), 1);
    test_away_expect_books_hold();
    test_paid_clear(&paid);
    test_paid_clear(&other);
}

/* The advice that waits for the line has its card from the vault. */
static void keeps_no_card_in_clear(void **state)
{
    char *dump = test_gateway_dump(test_away.gateway);
    (void)state;
    assert_null(strstr(dump, test_away.of_away->pan));
    free(dump);
    assert_false(
        test_gateway_database_holds(test_away.gateway, setpay_view_string(test_away.of_away->pan)));
}

static void keeps_to_its_total(void **state)
{
    struct test_paid paid[3];
    (void)state;
    test_away_go();
    test_away_ask(&paid[0], test_away.of_away, SETPAY_INTENT_AUTHORISE, TEST_AWAY_LIMIT);
    test_away_ask(&paid[1], test_away.of_away, SETPAY_INTENT_SALE, TEST_AWAY_LIMIT);
    test_away_expect_busy(test_away.of_away, SETPAY_INTENT_AUTHORISE,
                          TEST_AWAY_TOTAL - 2 * TEST_AWAY_LIMIT + 1);
    test_away_ask(&paid[2], test_away.of_away, SETPAY_INTENT_AUTHORISE,
                  TEST_AWAY_TOTAL - 2 * TEST_AWAY_LIMIT);
    test_away_expect_stood_in(&paid[2]);
    test_away_expect_busy(test_away.of_away, SETPAY_INTENT_AUTHORISE, 1);
    test_away_come_back();
    test_away_wait_settled();
    test_away_expect_booked(&paid[0], TEST_AWAY_LIMIT);
    test_away_expect_booked(&paid[1], TEST_AWAY_LIMIT); /* held, until it is presented */
    test_away_go();
    test_paid_clear(&paid[2]);
    test_away_ask(&paid[2], test_away.of_away, SETPAY_INTENT_AUTHORISE,
                  1); /* what was answered counts no more */
    test_away_expect_stood_in(&paid[2]);
    test_away_come_back();
    test_away_wait_settled();
    test_paid_close_batch(&paid[1]);
    test_away_wait_settled();
    test_away_expect_booked(&paid[1], 0);
    for (size_t i = 0; i < 3; i++)
        test_paid_clear(&paid[i]);
}

/* Many at once, on several workers: two fit. */
static void keeps_to_its_total_in_a_race(void **state)
{
    enum { COUNT = 8 };
    struct test_paid paid[COUNT];
    struct test_line *lines[COUNT];
    size_t approved = 0;
    (void)state;
    test_away_go();
    for (size_t i = 0; i < COUNT; i++) {
        lines[i] = test_line_new(test_away.gateway, test_away.gateway->shop[0].tls, "visa");
        assert_non_null(lines[i]);
        test_away_prepare(&paid[i], test_away.of_away, SETPAY_INTENT_AUTHORISE, TEST_AWAY_LIMIT);
    }
    for (size_t i = 0; i < COUNT; i++)
        test_line_send(lines[i], i + 1, setpay_buffer_view(&paid[i].request));
    for (size_t i = 0; i < COUNT; i++) {
        struct setpay_buffer answer;
        uint64_t id = 0;
        assert_true(test_line_receive(lines[i], &id, &answer));
        approved += test_away_is_busy(setpay_buffer_view(&answer)) ? 0 : 1;
        setpay_buffer_clear(&answer);
        test_line_free(lines[i]);
        test_paid_clear(&paid[i]);
    }
    assert_int_equal(approved, TEST_AWAY_TOTAL / TEST_AWAY_LIMIT);
    assert_int_equal(test_gateway_number(test_away.gateway, TEST_AWAY_OPEN),
                     TEST_AWAY_TOTAL / TEST_AWAY_LIMIT);
    test_away_come_back();
    test_away_wait_settled();
}

/* ------------------------------------------------------------------ cards */

static void declines_what_has_expired(void **state)
{
    struct test_paid paid;
    (void)state;
    test_away_go();
    test_away_ask(&paid, test_away.past, SETPAY_INTENT_AUTHORISE, 100);
    assert_int_equal(paid.auth.outcome, SETPAY_AUTH_DECLINED);
    assert_string_equal(paid.auth.action_code, "54");
    assert_int_equal(test_gateway_number(test_away.gateway, TEST_AWAY_OPEN), 0);
    assert_int_equal(test_away_number(&paid, "stan"), 0); /* nobody was asked, nobody is told */
    test_away_come_back();
    test_paid_clear(&paid);
}

static void knows_what_the_issuer_said_of_a_card(void **state)
{
    struct test_paid paid;
    (void)state;
    test_away_ask(&paid, test_away.bad, SETPAY_INTENT_AUTHORISE, 100);
    assert_string_equal(paid.auth.action_code, "54");
    test_away_go();
    test_away_expect_busy(test_away.bad, SETPAY_INTENT_AUTHORISE, 100);
    assert_int_equal(test_gateway_number(test_away.gateway, TEST_AWAY_OPEN), 0);
    test_away_come_back();
    test_paid_clear(&paid);
}

/* ------------------------------------------------------------------ until it is answered */

static void repeats_until_answered(void **state)
{
    static const char *const faults[] = {"silent_stand_ins", "late_stand_ins",
                                         "duplicate_stand_ins", "close_before_stand_ins",
                                         "close_after_stand_ins"};
    (void)state;
    test_away_script("late_ms", 200);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct test_paid paid;
        print_message("# %s\n", faults[i]);
        test_away_go();
        test_away_ask(&paid, test_away.of_away, SETPAY_INTENT_AUTHORISE, 700 + (int64_t)i);
        test_away_expect_stood_in(&paid);
        test_away_script(faults[i], 2);
        test_away_come_back();
        test_away_wait_settled();
        test_away_expect_booked(&paid, 700 + (int64_t)i);
        test_paid_clear(&paid);
    }
    assert_true(test_daemon_log_count(&test_away.issuer, "mti=0121") > 0);
    assert_int_equal(test_gateway_number(test_away.gateway, "SELECT COUNT(*) FROM reversal"), 0);
}

/* "Not now" (96) is no answer. */
static void takes_not_now_for_no_answer(void **state)
{
    struct test_paid paid;
    size_t before = test_gateway_log_count(test_away.gateway, "event=network.advice_refused");
    (void)state;
    test_away_go();
    test_away_ask(&paid, test_away.of_away, SETPAY_INTENT_AUTHORISE, 810);
    test_away_script("refuse_code", 96);
    test_away_script("refuse_stand_ins", 2);
    test_away_come_back();
    test_away_wait_settled();
    test_away_expect_booked(&paid, 810);
    assert_int_equal(test_gateway_log_count(test_away.gateway, "event=network.advice_refused"),
                     before + 2);
    test_paid_clear(&paid);
}

/* ------------------------------------------------------------------ what follows it */

/* The next advices are not booked at first: what overtakes them meets nothing. */
static void put_off(int count)
{
    test_away_script("refuse_code", 96);
    test_away_script("refuse_stand_ins", count);
}

/* Reversed before the issuer has heard of it: it hears of all, in their order, and of a restart
 * nothing. */
static void reverses_behind_its_advice(void **state)
{
    struct test_paid whole, part;
    int64_t remaining;
    (void)state;
    for (int restarted = 0; restarted < 2; restarted++) {
        test_away_go();
        test_away_ask(&whole, test_away.of_away, SETPAY_INTENT_AUTHORISE, 1000);
        test_away_ask(&part, test_away.of_away, SETPAY_INTENT_AUTHORISE, 2000);
        assert_int_equal(test_paid_reverse(&whole, 1000, &remaining), 0);
        assert_int_equal(test_paid_reverse(&part, 500, &remaining), 0);
        assert_int_equal(test_paid_reverse(&part, 300, &remaining), 0);
        if (restarted == 1) {
            test_daemon_kill(&test_away.gateway->daemon);
            test_away_restart();
        }
        put_off(2);
        test_away_come_back();
        test_away_wait_settled();
        test_away_expect_booked(&whole, 0);
        test_away_expect_booked(&part, 1200);
        test_away_expect_books_hold();
        test_paid_clear(&whole);
        test_paid_clear(&part);
    }
}

/* Captured, undone and presented before it has heard of it. A sale is captured at once, and
 * presented with its batch, since the issuer has not booked it. */
static void presents_behind_its_advice(void **state)
{
    struct test_paid held, sold, undone;
    struct setpay_step_done done;
    int64_t remaining;
    (void)state;
    for (int restarted = 0; restarted < 2; restarted++) {
        test_away_go();
        test_away_ask(&held, test_away.of_away, SETPAY_INTENT_AUTHORISE, 1500);
        test_away_ask(&sold, test_away.of_away, SETPAY_INTENT_SALE, 2200);
        test_away_ask(&undone, test_away.of_away, SETPAY_INTENT_SALE, 300);
        test_away_expect_stood_in(&sold);
        assert_true(sold.auth.has_capture);
        assert_int_equal(sold.sums.captured_minor, 2200);
        assert_int_equal(test_paid_step(&held, CAP, &held.auth.cap_token, 1400, &done), 0);
        /* Nobody knows yet whether it is charged (rule G8). */
        assert_int_equal(test_paid_step(&held, CRED, &done.id, 50, NULL),
                         SETPAY_WIRE_NOT_PERMITTED);
        assert_int_equal(test_paid_step(&undone, CAP_REV, &undone.auth.capture.id, 300, NULL), 0);
        assert_int_equal(test_paid_reverse(&undone, 300, &remaining), 0);
        test_paid_close_batch(&held);
        assert_int_equal(
            test_gateway_number(test_away.gateway,
                                "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0"),
            2 + restarted); /* the credit of before goes with this batch */
        if (restarted == 1) {
            test_daemon_kill(&test_away.gateway->daemon);
            test_away_restart();
        }
        put_off(3);
        test_away_come_back();
        test_away_wait_settled();
        assert_int_equal(test_paid_step(&held, CRED, &done.id, 50, NULL), 0);
        test_away_expect_booked(&held, 100);
        test_away_expect_booked(&sold, 0);
        test_away_expect_booked(&undone, 0);
        assert_int_equal(
            test_gateway_number(test_away.gateway,
                                "SELECT COUNT(*) FROM presentment JOIN step ON step.id ="
                                " step_id JOIN payment ON payment.id = payment_id"
                                " WHERE issuer = 'away' AND presentment.response_code"
                                " NOT IN ('00', '94')"),
            0);
        test_away_expect_books_hold();
        test_paid_clear(&held);
        test_paid_clear(&sold);
        test_paid_clear(&undone);
    }
}

/* Both sides count the same: advices move no money, and are in none of the sums. */
static void totals_agree(void **state)
{
    (void)state;
    json_decref(test_gateway_control(test_away.gateway, "issuer.cutoff",
                                     json_pack("{s:s}", "issuer", "away")));
    test_daemon_wait_number(&test_away.gateway->daemon,
                            "SELECT (SELECT COUNT(*) FROM reconciliation WHERE result = 0) +"
                            " (SELECT COUNT(*) FROM reconciliation_cut WHERE totalled = 0)",
                            0);
    assert_int_equal(test_gateway_number(test_away.gateway, "SELECT debit_minor FROM reconciliation"
                                                            " WHERE issuer = 'away'"),
                     TEST_AWAY_LIMIT + 2 * (1400 + 2200));
    assert_int_equal(test_gateway_number(test_away.gateway,
                                         "SELECT COUNT(*) FROM reconciliation WHERE"
                                         " issuer = 'away' AND result = 1"),
                     1);
}

/* ------------------------------------------------------------------ refused */

/* It stays what it was to merchant and cardholder. What is captured of it is presented, and falls
 * to suspense where the issuer refuses that too; and its card is approved no more. */
static void tells_what_is_refused(void **state)
{
    struct test_paid paid;
    char xid[SETPAY_ID_TEXT_SIZE];
    (void)state;
    test_away_go();
    test_away_ask(&paid, test_away.of_away, SETPAY_INTENT_SALE, 999);
    test_away_expect_stood_in(&paid);
    test_away_script("refuse_code", 5);
    test_away_script("refuse_stand_ins", 1);
    test_away_come_back();
    test_away_wait_settled();
    assert_int_equal(test_away_number(&paid, "acknowledged = 1 AND response_code = '05'"), 1);
    assert_int_equal(test_away_number(&paid, "state"), SETPAY_PAYMENT_CAPTURED);
    test_gateway_wait_log(test_away.gateway, "level=error event=advice.refused", 1);
    test_daemon_wait_figure(&test_away.gateway->daemon,
                            "setpay_gateway_advices_total{result=\"refused\"}", 1);
    json_t *list =
        test_gateway_control(test_away.gateway, "advice.list", json_pack("{s:b}", "refused", 1));
    const json_t *row = json_array_get(json_object_get(list, "advices"), 0);
    assert_int_equal(json_array_size(json_object_get(list, "advices")), 1);
    assert_string_equal(json_string_value(json_object_get(row, "status")), "refused");
    assert_string_equal(json_string_value(json_object_get(row, "xid")),
                        setpay_id_format(&paid.purchase->auth.xid, xid));
    json_decref(list);
    json_t *shown =
        test_gateway_control(test_away.gateway, "payment.show", json_pack("{s:s}", "xid", xid));
    const json_t *stand_in = json_object_get(shown, "stand_in");
    assert_string_equal(json_string_value(json_object_get(stand_in, "response_code")), "05");
    json_decref(shown);
    test_away_go();
    test_away_expect_busy(test_away.of_away, SETPAY_INTENT_AUTHORISE, 1);
    test_away_come_back();
    test_paid_close_batch(&paid);
    test_away_wait_settled();
    assert_int_equal(test_gateway_number(test_away.gateway, "SELECT COUNT(*) FROM presentment"
                                                            " WHERE response_code = '25'"),
                     1);
    test_away_expect_books_hold();
    test_paid_clear(&paid);
    /* Approved by its issuer since, it is as good as before. */
    test_away_ask(&paid, test_away.of_away, SETPAY_INTENT_AUTHORISE, 100);
    assert_int_equal(paid.auth.outcome, SETPAY_AUTH_APPROVED);
    test_paid_clear(&paid);
    test_away_go();
    test_away_ask(&paid, test_away.of_away, SETPAY_INTENT_AUTHORISE, 1);
    test_away_expect_stood_in(&paid);
    list = test_gateway_control(test_away.gateway, "advice.list", json_object());
    assert_int_equal(json_array_size(json_object_get(list, "advices")), 1);
    json_decref(list);
    test_away_come_back();
    test_away_wait_settled();
    test_paid_clear(&paid);
}

/* ------------------------------------------------------------------ in the end */

/* The days after: what was refused alone is in suspense; file and ledger agree. */
static void settles_and_agrees(void **state)
{
    char path[TEST_PATH_SIZE], conf[TEST_PATH_SIZE], *printed = NULL;
    const char *words[] = {"--config", test_path(test_away.gateway->folder, "away.conf", path),
                           "clearing", NULL};
    char cut_off[8];
    struct tm parts;
    time_t end = (time_t)(setpay_clock_now_ms() / SETPAY_SECOND_MS) + 300;
    (void)state;
    (void)gmtime_r(&end, &parts);
    (void)strftime(cut_off, sizeof cut_off, "%H:%M", &parts);
    json_decref(test_gateway_control(test_away.gateway, "merchant.set",
                                     json_pack("{s:s, s:s, s:s}", "brand", "visa", "id",
                                               TEST_GATEWAY_MERCHANT, "cut_off", cut_off)));
    test_run_program("setpay-issuersim", words, &printed);
    test_write_file(test_away.gateway->folder, "away.csv", setpay_view_string(printed));
    free(printed);
    printed = NULL;
    assert_int_equal(setenv("SETPAY_CLOCK", "600000", 1), 0); /* ten minutes */
    test_line_free(test_away.shop);
    test_away.shop = NULL;
    test_gateway_stop(test_away.gateway);
    test_away_restart();
    json_decref(test_gateway_control(test_away.gateway, "settle", json_object()));
    json_t *list = test_gateway_control(test_away.gateway, "suspense.list", json_object());
    size_t index, count = 0;
    json_t *row;
    json_array_foreach(json_object_get(list, "items"), index, row) count++;
    if (count != 1)
        print_message("%s\n", json_dumps(list, 0));
    assert_int_equal(count, 1);
    json_decref(list);
    const char *compare[] = {
        "--config",  test_path(test_away.gateway->folder, "gateway.conf", conf),
        "reconcile", test_path(test_away.gateway->folder, "away.csv", path),
        "--issuer",  "away",
        NULL};
    for (int told = 0; told < 2; told++) {
        int status = test_run_to_end("setpay-gateway", compare, &printed);
        if (status != 0 || strstr(printed, ", as issuer away, ") == NULL)
            fail_msg("%s", printed);
        free(printed);
        printed = NULL;
        compare[4] = NULL; /* its rows tell whose file it is */
    }
    test_away_expect_books_hold();
    assert_int_equal(unsetenv("SETPAY_CLOCK"), 0);
}

/* Its advice was taken, and then its card was lost: its capture is given up as any other, at
 * another time than the sale's. */
static void is_written_off_as_any_capture(void **state)
{
    static const char up[] = "line=away from=\"signing on\" to=up";
    struct test_paid paid;
    char sql[120];
    size_t before = test_gateway_log_count(test_away.gateway, up);
    (void)state;
    test_line_free(test_away.shop);
    test_away.shop = NULL;
    test_gateway_stop(test_away.gateway);
    test_away_restart();
    test_gateway_wait_log(test_away.gateway, up, before + 1);
    test_away_go();
    test_away_ask(&paid, test_away.of_away, SETPAY_INTENT_SALE, 650);
    test_away_expect_stood_in(&paid);
    test_away_come_back();
    test_away_wait_settled();
    test_away_expect_booked(&paid, 650);
    (void)snprintf(sql, sizeof sql, "DELETE FROM kept_card WHERE payment_id = %lld",
                   (long long)test_away_number(&paid, "payment.id"));
    test_daemon_execute(&test_away.gateway->daemon, sql);
    test_paid_close_batch(&paid);
    int64_t stuck =
        test_gateway_number(test_away.gateway, "SELECT id FROM presentment WHERE acknowledged = 0");
    json_decref(test_gateway_control(
        test_away.gateway, "presentment.write_off",
        json_pack("{s:I, s:s}", "presentment", (json_int_t)stuck, "reason", "its card is gone")));
    assert_int_equal(
        test_gateway_number(test_away.gateway,
                            "SELECT COUNT(*) FROM presentment JOIN step ON step.id = step_id"
                            " WHERE response_code = 'WO' AND acknowledged_ms > step.created_ms"),
        1);
    test_away_expect_books_hold();
    test_paid_clear(&paid);
}

/* ------------------------------------------------------------------ what can't be told */

static int64_t advice_of(const struct test_paid *paid)
{
    return test_away_number(paid, "stand_in.id");
}

/* By the operator's program: its exit status. */
static int give_up(int64_t advice, const char *reason, const char *expected)
{
    char number[24], conf[TEST_PATH_SIZE], *printed = NULL;
    const char *words[] = {"--config", test_path(test_away.gateway->folder, "gateway.conf", conf),
                           "advice",   "write-off",
                           "--advice", number,
                           "--reason", reason,
                           NULL};
    (void)snprintf(number, sizeof number, "%lld", (long long)advice);
    int status = test_run_to_end("setpay-gateway", words, &printed);
    if (status == 0 && strstr(printed, expected) == NULL)
        fail_msg("expected '%s' in:\n%s", expected, printed);
    free(printed);
    return status;
}

static void expect_listed(const char *which, size_t count, const char *status)
{
    json_t *list =
        test_gateway_control(test_away.gateway, "advice.list", json_pack("{s:b}", which, 1));
    const json_t *rows = json_object_get(list, "advices");
    const json_t *last = json_array_get(rows, json_array_size(rows) - 1);
    assert_int_equal(json_array_size(rows), count);
    if (count > 0)
        assert_string_equal(json_string_value(json_object_get(last, "status")), status);
    json_decref(list);
}

static void lose_card(const struct test_paid *paid)
{
    char sql[120];
    (void)snprintf(sql, sizeof sql, "DELETE FROM kept_card WHERE payment_id = %lld",
                   (long long)test_away_number(paid, "payment.id"));
    test_daemon_execute(&test_away.gateway->daemon, sql);
}

/* Two whose cards are lost while the issuer is away, one with what was reversed, one with what was
 * captured behind it, and one whose card is there. */
static void lose_two_of_three(struct test_paid *held, struct test_paid *sold,
                              struct test_paid *kept)
{
    int64_t remaining;
    test_away_go();
    test_away_ask(held, test_away.of_away, SETPAY_INTENT_AUTHORISE, TEST_AWAY_LIMIT);
    test_away_ask(sold, test_away.of_away, SETPAY_INTENT_SALE, TEST_AWAY_LIMIT - 100);
    test_away_ask(kept, test_away.of_away, SETPAY_INTENT_AUTHORISE, 100);
    assert_int_equal(test_paid_reverse(held, 700, &remaining), 0);
    test_paid_close_batch(sold);
    test_daemon_kill(&test_away.gateway->daemon);
    lose_card(held);
    lose_card(sold);
    test_away_restart();
    test_daemon_wait_figure(&test_away.gateway->daemon, "setpay_gateway_advices_unsendable_total",
                            2);
}

/* It counts no more, and neither it nor what was reversed of it is ever sent. Its issuer has said
 * nothing of the card, which is as good as before. */
static void gives_up_what_cannot_be_told(void **state)
{
    struct test_paid held, sold, kept, next;
    size_t reversals = test_daemon_log_count(&test_away.issuer, "mti=040");
    (void)state;
    lose_two_of_three(&held, &sold, &kept);
    test_away_expect_busy(test_away.of_away, SETPAY_INTENT_AUTHORISE, TEST_AWAY_LIMIT);
    expect_listed("stuck", 2, "stuck: its card is gone");
    test_daemon_wait_figure(&test_away.gateway->daemon, "setpay_gateway_advices{state=\"stuck\"}",
                            2);
    assert_int_equal(
        test_daemon_figure(&test_away.gateway->daemon, "setpay_gateway_advices{state=\"waiting\"}"),
        1);
    assert_int_equal(give_up(advice_of(&kept), "no", ""), 1);
    assert_int_equal(give_up(999999, "no", ""), 1);
    assert_int_equal(give_up(advice_of(&held), "", ""), 2);
    assert_int_equal(test_gateway_number(test_away.gateway, TEST_AWAY_OPEN), 3);
    assert_int_equal(give_up(advice_of(&held), "the vault was lost", "written off"), 0);
    assert_int_equal(give_up(advice_of(&held), "no", ""), 1);
    test_gateway_wait_log(test_away.gateway, "level=warn event=advice.written_off", 1);
    assert_int_equal(test_away_number(&held, "acknowledged = 1 AND response_code = 'WO' AND reason"
                                             " = 'the vault was lost' AND write_off IS NOT NULL"),
                     1);
    test_away_ask(&next, test_away.of_away, SETPAY_INTENT_AUTHORISE, TEST_AWAY_LIMIT);
    test_away_expect_stood_in(&next);
    assert_int_equal(give_up(advice_of(&sold), "the vault was lost", "written off"), 0);
    expect_listed("stuck", 0, NULL);
    test_daemon_wait_figure(&test_away.gateway->daemon, "setpay_gateway_advices{state=\"stuck\"}",
                            0);
    expect_listed("refused", 3, "written off"); /* and one that was refused before */
    test_away_come_back();
    test_daemon_wait_number(&test_away.gateway->daemon, TEST_AWAY_OPEN, 0);
    test_away_expect_booked(&kept, 100);
    test_away_expect_booked(&next, TEST_AWAY_LIMIT);
    /* What waited behind them is let go: the capture is stuck by itself. */
    int64_t stuck =
        test_gateway_number(test_away.gateway, "SELECT id FROM presentment WHERE acknowledged = 0");
    test_daemon_wait_figure(&test_away.gateway->daemon,
                            "setpay_gateway_presentments_unsendable_total", 1);
    json_decref(test_gateway_control(
        test_away.gateway, "presentment.write_off",
        json_pack("{s:I, s:s}", "presentment", (json_int_t)stuck, "reason", "the vault was lost")));
    test_away_wait_settled();
    assert_int_equal(test_gateway_number(test_away.gateway, "SELECT COUNT(*) FROM reversal"
                                                            " WHERE response_code = 'WO'"),
                     1);
    assert_int_equal(test_daemon_log_count(&test_away.issuer, "mti=040"), reversals);
    test_away_expect_books_hold();
    test_paid_clear(&held);
    test_paid_clear(&sold);
    test_paid_clear(&kept);
    test_paid_clear(&next);
}

/* ------------------------------------------------------------------ what an audit sees */

/* One that its issuer has not heard of stays. */
static void an_audit_finds_nothing(void **state)
{
    struct setpay_problem problem;
    struct test_paid paid;
    char url[160];
    (void)state;
    test_away_go();
    test_away_ask(&paid, test_away.of_away, SETPAY_INTENT_SALE, 120);
    test_away_expect_stood_in(&paid);
    test_paid_clear(&paid);
    test_line_free(test_away.shop);
    test_away.shop = NULL;
    test_gateway_stop(test_away.gateway);
    (void)snprintf(url, sizeof url, "sqlite:%s/gateway.db", test_away.gateway->folder);
    const struct setpay_store_options options = {.url = url, .schema = &setpay_gateway_schema};
    assert_int_equal(setpay_store_open(&options, &test_day_store, &problem), SETPAY_OK);
    assert_int_equal(test_day_ask(TEST_AWAY_OPEN), 1);
    assert_string_equal(test_day_verify().all, "");
}

static void an_audit_finds_what_was_moved(void **state)
{
    static const char sale[] = "a sale that its issuer books in no period, and was not approved in "
                               "its stead; or the other way round: payment";
    static const char code[] = "an approval code of the gateway's own, and not approved in its "
                               "issuer's stead; or the other way round: payment";
    static const char told[] =
        "its issuer is told of something else than was approved in its stead: advice";
    static const char when[] =
        "approved in its issuer's stead at a time of which there is no receipt: advice";
    static const char answer[] =
        "answered without a word of its issuer, or the other way round: advice";
    static const char off[] = "is of another merchant, currency or content";
    static const char order[] =
        "its issuer has answered what is told behind it, and not this: advice";
    static const struct {
        const char *sql, *words;
    } edits[] = {
        {"DELETE FROM stand_in", sale},
        {"DELETE FROM stand_in", code},
        {"DELETE FROM stand_in WHERE payment_id IN (SELECT id FROM payment WHERE sale_id IS NULL)",
         code},
        {"DELETE FROM stand_in WHERE acknowledged = 0", sale},
        {"UPDATE payment SET period = 1 WHERE sale_id IS NOT NULL AND period = 0", sale},
        {"UPDATE payment SET stan = stan + 1 WHERE id IN (SELECT payment_id FROM stand_in)", code},
        {"INSERT INTO stand_in SELECT 999, id, issuer, currency, approved_minor, 0, '', 0,"
         " updated_ms, 0, '', NULL FROM payment WHERE approved_minor > 0 AND issuer <> 'away' "
         "LIMIT 1",
         code},
        {"INSERT INTO stand_in SELECT 999, id, issuer, currency, approved_minor, 0, '', 0,"
         " updated_ms, 0, '', NULL FROM payment WHERE approved_minor = 0 LIMIT 1",
         told},
        {"UPDATE stand_in SET payment_id = 999999 WHERE acknowledged = 0",
         "of a payment that is not there: advice"},
        {"UPDATE stand_in SET amount_minor = amount_minor - 1 WHERE acknowledged = 0", told},
        {"UPDATE stand_in SET amount_minor = 9223372036854775807",
         "amount_minor of 9223372036854775807"},
        {"UPDATE stand_in SET issuer = 'sim' WHERE acknowledged = 0", told},
        {"UPDATE stand_in SET currency = 'USD' WHERE acknowledged = 0", told},
        {"UPDATE stand_in SET created_ms = created_ms + 1 WHERE acknowledged = 0", when},
        {"UPDATE stand_in SET acknowledged = 1 WHERE acknowledged = 0", answer},
        {"UPDATE stand_in SET acknowledged = 1, response_code = '00' WHERE acknowledged = 0",
         answer},
        {"UPDATE stand_in SET acknowledged = 1, response_code = '00', acknowledged_ms ="
         " created_ms WHERE acknowledged = 0",
         answer},
        {"UPDATE stand_in SET acknowledged = 1, response_code = '00', sent_count = 1"
         " WHERE acknowledged = 0",
         answer},
        {"UPDATE stand_in SET acknowledged = 1, response_code = '96', sent_count = 1,"
         " acknowledged_ms = created_ms WHERE acknowledged = 0",
         answer},
        {"UPDATE stand_in SET acknowledged = 2 WHERE acknowledged = 1", answer},
        {"UPDATE stand_in SET acknowledged = 0 WHERE response_code = '05'", answer},
        {"UPDATE stand_in SET response_code = '' WHERE response_code = '05'", answer},
        {"UPDATE stand_in SET acknowledged_ms = 1 WHERE response_code = '05'",
         "answered before it was approved: advice"},
        {"UPDATE stand_in SET acknowledged = 0, response_code = '', sent_count = 0,"
         " acknowledged_ms = 0 WHERE payment_id IN (SELECT payment_id FROM reversal)",
         order},
        {"UPDATE stand_in SET acknowledged = 0, response_code = '', sent_count = 0,"
         " acknowledged_ms = 0 WHERE response_code = '05'",
         order},
        {"UPDATE stand_in SET acknowledged_ms = acknowledged_ms + 86400000"
         " WHERE response_code = '05'",
         order},
        {"UPDATE stand_in SET reason = 'nobody knows' WHERE response_code = 'WO'", off},
        {"UPDATE stand_in SET acknowledged_ms = acknowledged_ms + 1 WHERE response_code = 'WO'",
         off},
        {"UPDATE stand_in SET write_off = NULL WHERE response_code = 'WO'",
         "written off by nobody, or not written off: advice"},
        {"UPDATE stand_in SET response_code = '25', sent_count = 1, reason = '', write_off = NULL"
         " WHERE response_code = 'WO'",
         "there is no write-off of an advice"},
        {"UPDATE stand_in SET write_off = zeroblob(16) WHERE id ="
         " (SELECT MIN(id) FROM stand_in WHERE response_code = 'WO')",
         "not in the ledger: the write-off of advice"},
        {"UPDATE stand_in SET response_code = 'WO' WHERE response_code = '05'",
         "written off by nobody, or not written off: advice"},
        {"UPDATE stand_in SET sent_count = 1 WHERE response_code = 'WO'", answer},
        {"UPDATE reversal SET response_code = 'WO', sent_count = 0 WHERE response_code = '00'",
         "acknowledged without a word of its issuer, or the other way round: reversal"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++)
        test_day_expect_found(edits[i].sql, edits[i].words, false);
}

static int close_all(void **state)
{
    if (test_day_store != NULL)
        setpay_store_close(test_day_store);
    return test_away_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_while_the_line_is_up),
        cmocka_unit_test(approves_within_its_limit),
        cmocka_unit_test(keeps_no_card_in_clear),
        cmocka_unit_test(keeps_to_its_total),
        cmocka_unit_test(keeps_to_its_total_in_a_race),
        cmocka_unit_test(declines_what_has_expired),
        cmocka_unit_test(knows_what_the_issuer_said_of_a_card),
        cmocka_unit_test(repeats_until_answered),
        cmocka_unit_test(takes_not_now_for_no_answer),
        cmocka_unit_test(reverses_behind_its_advice),
        cmocka_unit_test(presents_behind_its_advice),
        cmocka_unit_test(totals_agree),
        cmocka_unit_test(tells_what_is_refused),
        cmocka_unit_test(settles_and_agrees),
        cmocka_unit_test(is_written_off_as_any_capture),
        cmocka_unit_test(gives_up_what_cannot_be_told),
        cmocka_unit_test(an_audit_finds_nothing),
        cmocka_unit_test(an_audit_finds_what_was_moved),
    };
    test_alarm(240);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, test_away_open, close_all);
}
