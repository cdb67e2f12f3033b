/*
 * A running gateway with two issuers: their totals are compared by period and currency (0500), in
 * balance or not, once, across kills and silences; and one that is away keeps nobody from paying by
 * the other's cards.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "gateway/clearing/reconciler.h"
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
#define UNANSWERED                                                                                 \
    "SELECT (SELECT COUNT(*) FROM reconciliation WHERE result = 0)"                                \
    " + (SELECT COUNT(*) FROM reconciliation_cut WHERE totalled = 0)"

static struct test_gateway *gateway;
static struct test_daemon second; /* the issuer of cards that begin with 4000 */
static char second_address[TEST_ADDRESS_SIZE];
static struct test_cardholder *holder, *of_second;
static struct test_line *shop;

static void ask(struct test_paid *paid, const struct test_cardholder *by,
                enum setpay_auth_intent intent, int64_t minor)
{
    test_paid_prepare(paid, gateway, shop, by, intent, minor, false);
    test_paid_ask(paid);
}

static void sell(struct test_paid *paid, const struct test_cardholder *by, int64_t minor)
{
    ask(paid, by, SETPAY_INTENT_SALE, minor);
    assert_int_equal(paid->auth.outcome, SETPAY_AUTH_APPROVED);
}

static void script(const char *key, int value)
{
    json_decref(test_gateway_issuer(gateway, "script", json_pack("{s:i}", key, value)));
}

static void cut(const char *issuer)
{
    json_decref(test_gateway_control(gateway, "issuer.cutoff",
                                     issuer == NULL ? json_object()
                                                    : json_pack("{s:s}", "issuer", issuer)));
}

/* The newest reconciliation of that issuer, once none is open. The caller's. */
static json_t *newest(const char *issuer)
{
    size_t index;
    json_t *row, *found = NULL;
    test_daemon_wait_number(&gateway->daemon, UNANSWERED, 0);
    json_t *result = test_gateway_control(gateway, "issuer.list", json_object());
    json_array_foreach(json_object_get(result, "issuers"), index, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "issuer")), issuer) == 0)
            found = json_incref(json_array_get(json_object_get(row, "reconciliations"), 0));
    }
    assert_non_null(found);
    json_decref(result);
    return found;
}

static int64_t number_in(const json_t *row, const char *whose, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(row, whose), name));
}

/* debits, credits, reversals of debits: number and sum of each, as both sides have them. */
static void expect_totals(const char *issuer, const int64_t expected[6])
{
    static const char *const names[] = {"debit_count",          "debit_minor",
                                        "credit_count",         "credit_minor",
                                        "debit_reversal_count", "debit_reversal_minor"};
    json_t *row = newest(issuer);
    assert_string_equal(json_string_value(json_object_get(row, "result")), "in balance");
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(number_in(row, "ours", names[i]), expected[i]);
        assert_int_equal(number_in(row, "theirs", names[i]), expected[i]);
    }
    assert_int_equal(number_in(row, "ours", "net_minor"), expected[1] - expected[3] - expected[5]);
    json_decref(row);
}

/* ------------------------------------------------------------------ when it is time */

static void knows_its_time(void **state)
{
    static const char *const bad[] = {"", "24:00", "12:60", "1:00", "12.00", "12:0x", "012:00"};
    int64_t minutes = -1;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(setpay_reconciler_parse_time(bad[i], &minutes), SETPAY_E_INVALID);
    assert_int_equal(minutes, -1);
    assert_int_equal(setpay_reconciler_parse_time("23:59", &minutes), SETPAY_OK);
    assert_int_equal(minutes, 1439);
    const setpay_time_ms day = 20000 * SETPAY_DAY_MS;
    assert_int_equal(setpay_reconciler_due(day, 0), day);
    assert_int_equal(setpay_reconciler_due(day - 1, 0), day - SETPAY_DAY_MS);
    assert_int_equal(setpay_reconciler_due(day + 60 * SETPAY_MINUTE_MS, 60),
                     day + 60 * SETPAY_MINUTE_MS);
    assert_int_equal(setpay_reconciler_due(day + 60 * SETPAY_MINUTE_MS - 1, 60),
                     day - SETPAY_DAY_MS + 60 * SETPAY_MINUTE_MS);
}

/* ------------------------------------------------------------------ in balance */

static void both_count_the_same(void **state)
{
    struct test_paid paid[4], other;
    struct setpay_step_done done;
    (void)state;
    sell(&paid[0], holder, 100);
    sell(&paid[1], holder, 200);
    sell(&other, of_second, 4000);
    ask(&paid[2], holder, SETPAY_INTENT_AUTHORISE, 3000);
    assert_int_equal(test_paid_step(&paid[2], CAP, &paid[2].auth.cap_token, 1000, &done), 0);
    assert_int_equal(test_paid_step(&paid[2], CRED, &done.id, 50, NULL), 0);
    assert_int_equal(test_paid_step(&paid[0], CRED, &paid[0].auth.capture.id, 7, NULL), 0);
    script("silent_presentments", 1);
    test_paid_close_batch(&paid[0]);
    cut(NULL);
    expect_totals("sim", (const int64_t[]){3, 1300, 2, 57, 0, 0});
    expect_totals("second", (const int64_t[]){1, 4000, 0, 0, 0, 0});
    cut(NULL); /* nothing has happened since: nothing to compare */
    test_daemon_wait_number(&gateway->daemon, UNANSWERED, 0);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM reconciliation"), 2);
    for (int i = 0; i < 3; i++)
        test_paid_clear(&paid[i]);
    test_paid_clear(&other);
}

/* In its own period it counts in neither sum; in a later one it is a reversal. */
static void counts_what_is_undone(void **state)
{
    struct test_paid here, later;
    (void)state;
    sell(&here, holder, 500);
    sell(&later, holder, 900);
    assert_int_equal(test_paid_step(&here, CAP_REV, &here.auth.capture.id, 500, NULL), 0);
    cut("sim");
    expect_totals("sim", (const int64_t[]){1, 900, 0, 0, 0, 0});
    assert_int_equal(test_paid_step(&later, CAP_REV, &later.auth.capture.id, 900, NULL), 0);
    script("silent_reversals", 1);
    cut("sim");
    expect_totals("sim", (const int64_t[]){0, 0, 0, 0, 1, 900});
    test_paid_clear(&here);
    test_paid_clear(&later);
}

/* rule G7: a sale without an answer belongs to its period until the issuer has taken it back. */
static void waits_for_the_last_answer(void **state)
{
    struct test_paid lost, sold;
    (void)state;
    sell(&sold, holder, 30);
    script("silent", 1);
    script("refuse_reversals", 3);
    ask(&lost, holder, SETPAY_INTENT_SALE, 8000);
    assert_int_equal(lost.auth.outcome, SETPAY_AUTH_DECLINED);
    int64_t cuts = test_gateway_number(gateway, "SELECT COUNT(*) FROM reconciliation_cut");
    cut("sim");
    expect_totals("sim", (const int64_t[]){1, 30, 0, 0, 0, 0});
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM reconciliation_cut"),
                     cuts + 1); /* looked at again while it waits, and not cut off again */
    test_paid_clear(&lost);
    test_paid_clear(&sold);
}

/* ------------------------------------------------------------------ not in balance */

static void says_what_differs(void **state)
{
    struct test_paid paid;
    (void)state;
    sell(&paid, holder, 40);
    script("wrong_totals", 1);
    cut("sim");
    json_t *row = newest("sim");
    assert_string_equal(json_string_value(json_object_get(row, "result")), "out of balance");
    assert_int_equal(number_in(row, "ours", "debit_count"), 1);
    assert_int_equal(number_in(row, "theirs", "debit_count"), 2);
    assert_int_equal(number_in(row, "ours", "net_minor"), 40);
    assert_int_equal(number_in(row, "theirs", "net_minor"), 41);
    test_gateway_wait_log(gateway, "level=error event=reconciliation.out_of_balance", 1);
    json_decref(row);
    test_paid_clear(&paid);
}

/* ------------------------------------------------------------------ silences and deaths */

static void asks_again_until_answered(void **state)
{
    struct test_paid paid;
    (void)state;
    sell(&paid, holder, 60);
    script("silent_reconciliations", 2);
    cut("sim");
    expect_totals("sim", (const int64_t[]){1, 60, 0, 0, 0, 0});
    assert_int_equal(test_daemon_log_count(&gateway->issuer, "mti=0501"), 2);
    test_paid_clear(&paid);
}

static void restart(void)
{
    test_line_free(shop);
    test_gateway_start(gateway, NULL);
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    assert_non_null(shop);
}

/* By the operator's program, which may hear that the gateway has gone. */
static void cut_and_die(void)
{
    char path[TEST_PATH_SIZE];
    const char *words[] = {"--config", test_path(gateway->folder, "gateway.conf", path),
                           "issuer",   "cutoff",
                           "--issuer", "sim",
                           NULL};
    (void)test_run_to_end("setpay-gateway", words, NULL);
}

/* --wait, for so many seconds at most: what it prints, and how it ends. */
static void expect_waited(const char *seconds, int status, const char *words)
{
    char path[TEST_PATH_SIZE];
    char *said = NULL;
    const char *all[] = {"--config", test_path(gateway->folder, "gateway.conf", path),
                         "issuer",   "cutoff",
                         "--issuer", "sim",
                         "--wait",   seconds,
                         NULL};
    int found = test_run_to_end("setpay-gateway", all, &said);
    if (found != status || strstr(said, words) == NULL)
        fail_msg("exit status %d, expected %d and '%s' in:\n%s", found, status, words, said);
    free(said);
}

static void expect_totals_differ(int64_t minor)
{
    json_t *row = newest("sim");
    assert_string_equal(json_string_value(json_object_get(row, "result")), "out of balance");
    assert_int_equal(number_in(row, "ours", "debit_minor"), minor);
    json_decref(row);
}

static void waits_for_the_outcome(void **state)
{
    struct test_paid paid;
    (void)state;
    expect_waited("30", 0, "has ended; nothing was booked in it");
    sell(&paid, holder, 70);
    script("silent_reconciliations", 1); /* it takes a moment */
    expect_waited("30", 0, "in balance");
    expect_totals("sim", (const int64_t[]){1, 70, 0, 0, 0, 0});
    test_paid_clear(&paid);
    sell(&paid, holder, 71);
    script("wrong_totals", 1);
    expect_waited("30", 1, "out of balance");
    test_gateway_wait_log(gateway, "level=error event=reconciliation.out_of_balance", 2);
    test_paid_clear(&paid);
    /* As long as it is said, and no longer. */
    sell(&paid, holder, 72);
    script("silent_reconciliations", 2);
    expect_waited("0", 4, "What it comes to is compared once all of it is answered");
    expect_totals("sim", (const int64_t[]){1, 72, 0, 0, 0, 0});
    test_paid_clear(&paid);
    /* Nobody answers a daemon that does not run. */
    sell(&paid, holder, 73);
    test_gateway_stop(gateway);
    expect_waited("60", 4, "What it comes to is compared once all of it is answered");
    restart();
    expect_totals("sim", (const int64_t[]){1, 73, 0, 0, 0, 0});
    test_paid_clear(&paid);
    /* Who asks again means the period that still waits, and not the empty one that ends now. */
    sell(&paid, holder, 74);
    script("silent_reconciliations", 2);
    script("wrong_totals", 3); /* also of those that are not answered */
    expect_waited("0", 4, "has ended");
    expect_waited("30", 1, "had ended before");
    expect_totals_differ(74);
    expect_waited("30", 0, "has ended; nothing was booked in it");
    test_paid_clear(&paid);
}

static void compares_once_across_a_kill(void **state)
{
    static const struct {
        const char *point;
        int count; /* the first operation is the cut, the second its sums, the third the answer */
    } crashes[] = {
        {"store.write", 2}, {"store.committed", 2}, {"reconciliation.round", 1},
        {"line.send", 1},   {"line.receive", 1},    {"reconciliation.answered", 1},
        {"store.write", 3}, {"store.committed", 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        struct test_paid paid;
        int64_t rows = test_gateway_number(gateway, "SELECT COUNT(*) FROM reconciliation");
        int64_t minor = 1000 + (int64_t)i;
        print_message("# %s:%d\n", crashes[i].point, crashes[i].count);
        sell(&paid, holder, minor);
        json_decref(test_gateway_control(
            gateway, "testing.crash",
            json_pack("{s:s, s:i}", "point", crashes[i].point, "count", crashes[i].count)));
        cut_and_die();
        test_gateway_wait_killed(gateway);
        restart();
        expect_totals("sim", (const int64_t[]){1, minor, 0, 0, 0, 0});
        assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM reconciliation"),
                         rows + 1);
        test_paid_clear(&paid);
    }
}

/* ------------------------------------------------------------------ by itself, once a day */

static void cuts_by_itself(void **state)
{
    int64_t cuts = test_gateway_number(gateway, "SELECT COUNT(*) FROM reconciliation_cut");
    (void)state;
    for (int restarted = 0; restarted < 2; restarted++) {
        json_decref(test_gateway_control(
            gateway, "testing.clock", json_pack("{s:I}", "offset_ms", (json_int_t)SETPAY_DAY_MS)));
        test_daemon_wait_number(&gateway->daemon, "SELECT COUNT(*) FROM reconciliation_cut",
                                cuts + 2); /* each issuer once, and not again */
        test_line_free(shop);
        shop = NULL;
        test_gateway_stop(gateway);
        restart();
    }
}

/* A clock was ahead when a day was cut: the days up to that are cut all the same. */
static void a_cut_of_the_future_stops_none(void **state)
{
    static const int ahead[] = {30, 2};
    int64_t cuts = test_gateway_number(gateway, "SELECT COUNT(*) FROM reconciliation_cut");
    (void)state;
    for (size_t i = 0; i < sizeof ahead / sizeof *ahead; i++) {
        json_decref(test_gateway_control(
            gateway, "testing.clock",
            json_pack("{s:I}", "offset_ms", (json_int_t)ahead[i] * SETPAY_DAY_MS)));
        cuts += 2;
        test_daemon_wait_number(&gateway->daemon, "SELECT COUNT(*) FROM reconciliation_cut", cuts);
    }
    test_line_free(shop);
    shop = NULL;
    test_gateway_stop(gateway);
    restart();
}

/* ------------------------------------------------------------------ one issuer away */

static void one_away_is_not_everybodys(void **state)
{
    struct test_paid ours, theirs;
    struct setpay_buffer answer;
    struct setpay_message read;
    struct setpay_error_report report;
    (void)state;
    ask(&theirs, of_second, SETPAY_INTENT_AUTHORISE, 700);
    test_daemon_stop(&second);
    test_gateway_wait_log(gateway, "event=line.state line=second from=up to=down", 1);
    assert_int_equal(test_gateway_readiness(gateway), 200);
    sell(&ours, holder, 11);
    int64_t remaining;
    assert_int_equal(test_paid_reverse(&theirs, 700, &remaining), 0); /* the issuer hears later */
    cut("sim");
    test_daemon_wait_number(&gateway->daemon,
                            "SELECT COUNT(*) FROM reconciliation WHERE result = 0", 0);
    test_paid_clear(&theirs);

    /* By its own cards nothing is booked: the same request may come again (17, busy). */
    test_paid_prepare(&theirs, gateway, shop, of_second, SETPAY_INTENT_SALE, 12, false);
    test_line_ask(shop, setpay_buffer_view(&theirs.request), &answer);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&answer), &read), SETPAY_OK);
    assert_int_equal(read.type, SETPAY_MESSAGE_ERROR);
    assert_int_equal(setpay_error_report_parse(read.content, &report), SETPAY_OK);
    assert_int_equal(report.code, 17);
    setpay_message_clear(&read);
    setpay_buffer_clear(&answer);

    json_t *list = test_gateway_control(gateway, "issuer.list", json_object());
    const json_t *away = json_array_get(json_object_get(list, "issuers"), 0);
    assert_string_equal(json_string_value(json_object_get(away, "issuer")), "second");
    assert_string_equal(json_string_value(json_object_get(away, "line")), "down");
    assert_int_equal(json_integer_value(json_object_get(away, "reversals_open")), 1);
    const json_t *up = json_array_get(json_object_get(list, "issuers"), 1);
    assert_string_equal(json_string_value(json_object_get(up, "line")), "signed on");
    json_decref(list);

    test_daemon_start(&second, NULL);
    test_gateway_wait_acknowledged(gateway);
    test_paid_ask(&theirs);
    assert_int_equal(theirs.auth.outcome, SETPAY_AUTH_APPROVED);
    test_paid_clear(&ours);
    test_paid_clear(&theirs);
}

/* ------------------------------------------------------------------ cards that go elsewhere */

/* Cards of the second issuer from now on: its own, or ("none") the other's. */
static void move_prefix(const char *from, const char *to)
{
    char section[TEST_PATH_SIZE];
    size_t size;
    char *text = test_read_file(gateway->folder, "gateway.conf", &size);
    assert_non_null(text);
    (void)snprintf(section, sizeof section, "[issuer second]\naddress = %s\npan_prefixes = %s\n",
                   second_address, from);
    char *at = strstr(text, section);
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at + strlen(section) - 1 - strlen(to), to, strlen(to));
    test_line_free(shop);
    shop = NULL;
    test_gateway_stop(gateway);
    test_write_file(gateway->folder, "gateway.conf", setpay_view_of(text, size));
    free(text);
    restart();
}

/* Its prefix has moved to another issuer; what was authorised stays the first one's: to capture,
 * to credit, and to reverse. What is asked for from then on is the other's. */
static void what_was_authorised_stays_with_its_issuer(void **state)
{
    struct test_paid captured, held, next;
    struct setpay_step_done done;
    int64_t remaining;
    (void)state;
    ask(&captured, of_second, SETPAY_INTENT_AUTHORISE, 810);
    ask(&held, of_second, SETPAY_INTENT_AUTHORISE, 820);
    assert_int_equal(test_paid_step(&captured, CAP, &captured.auth.cap_token, 810, &done), 0);
    cut("second"); /* of what was before */
    test_daemon_wait_number(&gateway->daemon, UNANSWERED, 0);
    move_prefix("4000", "none");
    test_gateway_wait_log(gateway, "line=second from=\"signing on\" to=up", 2);
    captured.line = held.line = shop;
    assert_int_equal(test_paid_step(&captured, CRED, &done.id, 10, NULL), 0);
    test_paid_close_batch(&captured);
    assert_int_equal(test_paid_reverse(&held, 820, &remaining), 0);
    test_gateway_wait_acknowledged(gateway);
    test_daemon_wait_number(&gateway->daemon,
                            "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0", 0);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM reversal"
                                                  " JOIN payment ON payment.id = payment_id"
                                                  " WHERE issuer = 'second' AND response_code ="
                                                  " '00' AND reversal.amount_minor = 820"),
                     1);
    cut("second");
    expect_totals("second", (const int64_t[]){1, 810, 1, 10, 0, 0});
    ask(&next, of_second, SETPAY_INTENT_AUTHORISE, 830);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM payment WHERE issuer ="
                                                  " 'sim' AND amount_minor = 830"),
                     1);
    move_prefix("none", "4000");
    test_paid_clear(&captured);
    test_paid_clear(&held);
    test_paid_clear(&next);
}

/* ------------------------------------------------------------------ what can't be sent */

static char *printed; /* by the last program */

static int run(const char *const *words)
{
    char path[TEST_PATH_SIZE];
    const char *all[16] = {"--config", test_path(gateway->folder, "gateway.conf", path)};
    for (size_t count = 2; *words != NULL; words++)
        all[count++] = *words;
    free(printed);
    printed = NULL;
    return test_run_to_end("setpay-gateway", all, &printed);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void expect_printed(const char *words)
{
    if (strstr(printed, words) == NULL)
        fail_msg("expected '%s' in:\n%s", words, printed);
}

static void start_anew(void)
{
    test_line_free(shop);
    shop = NULL;
    test_gateway_stop(gateway);
    restart();
}

#define REVERSALS(state) "setpay_gateway_reversals{state=\"" state "\"}"
#define PRESENTMENTS_STUCK "setpay_gateway_presentments{state=\"stuck\"}"

/* A sale was undone in a later period, and before its issuer hears of it the card is lost. That
 * period can end only once a person has given the reversal up: to the issuer the sale stands. */
static void a_reversal_without_its_card_is_given_up(void **state)
{
    struct test_paid sold;
    char id[24];
    (void)state;
    sell(&sold, holder, 910);
    cut("sim");
    expect_totals("sim", (const int64_t[]){1, 910, 0, 0, 0, 0});
    int64_t rows = test_gateway_number(gateway, "SELECT COUNT(*) FROM reconciliation");
    test_gateway_stop_issuer(gateway);
    test_gateway_wait_log(gateway, "event=line.state line=sim from=up to=down", 1);
    assert_int_equal(test_paid_step(&sold, CAP_REV, &sold.auth.capture.id, 910, NULL), 0);
    (void)snprintf(id, sizeof id, "%lld",
                   (long long)test_gateway_number(gateway, "SELECT MAX(id) FROM reversal"));
    assert_int_equal(RUN("reversal", "list"), 0);
    expect_printed("9.10 EUR");
    expect_printed("waits for its issuer");
    test_daemon_wait_figure(&gateway->daemon, REVERSALS("waiting"), 1);
    assert_int_equal(test_daemon_figure(&gateway->daemon, REVERSALS("stuck")), 0);
    assert_int_equal(RUN("reversal", "write-off", "--reversal", id, "--reason", "no"), 1);
    test_daemon_execute(&gateway->daemon, "DELETE FROM kept_card WHERE payment_id ="
                                          " (SELECT MAX(id) FROM payment)");
    start_anew();
    test_gateway_start_issuer(gateway);
    cut("sim");
    assert_int_equal(RUN("reversal", "list", "--stuck"), 0);
    expect_printed("stuck: its card is gone");
    test_daemon_wait_figure(&gateway->daemon, REVERSALS("stuck"), 1);
    assert_int_equal(test_daemon_figure(&gateway->daemon, REVERSALS("waiting")), 0);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM reconciliation_cut"
                                                  " WHERE totalled = 0"),
                     1);
    assert_int_equal(RUN("reversal", "write-off", "--reversal", id), 2);
    assert_int_equal(RUN("reversal", "write-off", "--reversal", "99999", "--reason", "no"), 1);
    assert_int_equal(RUN("reversal", "write-off", "--reversal", id, "--reason", "a lost vault"), 0);
    expect_printed("written off");
    assert_int_equal(RUN("reversal", "write-off", "--reversal", id, "--reason", "no"), 1);
    test_gateway_wait_log(gateway, "event=reversal.written_off", 1);
    test_daemon_wait_figure(&gateway->daemon, REVERSALS("stuck"), 0);
    /* Its period ends, with nothing to compare: neither side has undone anything. */
    test_daemon_wait_number(&gateway->daemon, UNANSWERED, 0);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM reconciliation"), rows);
    assert_int_equal(RUN("reversal", "list"), 0);
    expect_printed("Issuers have acknowledged everything");
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM ledger_entry"
                                                  " WHERE kind = 16"),
                     1);
    test_gateway_expect_sound(gateway);
    test_gateway_expect_edit_found(
        gateway, "UPDATE reversal SET reason = 'a lost bill' WHERE reason = 'a lost vault'",
        "UPDATE reversal SET reason = 'a lost vault' WHERE reason = 'a lost bill'",
        "the write-off of a reversal");
    test_gateway_expect_edit_found(
        gateway, "UPDATE reversal SET response_code = '00', sent_count = 1 WHERE reason <> ''",
        "UPDATE reversal SET response_code = 'WO', sent_count = 0 WHERE reason <> ''",
        "written off by nobody, or not written off");
    test_gateway_expect_edit_found(
        gateway, "UPDATE reversal SET reason = '', write_off = NULL WHERE reason = 'a lost vault'",
        "UPDATE reversal SET reason = 'a lost vault', write_off = (SELECT event FROM ledger_entry"
        " WHERE kind = 16) WHERE response_code = 'WO'",
        "acknowledged without a word of its issuer");
    test_paid_clear(&sold);
}

/* What is of an issuer that the configuration has no more is seen, and goes once it is back. */
static void what_is_of_no_issuer_is_stuck(void **state)
{
    struct test_paid captured;
    size_t size;
    (void)state;
    ask(&captured, of_second, SETPAY_INTENT_AUTHORISE, 840);
    assert_int_equal(test_paid_step(&captured, CAP, &captured.auth.cap_token, 840, NULL), 0);
    test_daemon_stop(&second);
    test_paid_close_batch(&captured);
    char *text = test_read_file(gateway->folder, "gateway.conf", &size);
    assert_non_null(text);
    const char *section = strstr(text, "[issuer second]");
    assert_non_null(section);
    test_write_file(gateway->folder, "gateway.conf",
                    setpay_view_of(text, (size_t)(section - text)));
    start_anew();
    assert_int_equal(RUN("presentment", "list", "--stuck"), 0);
    expect_printed("8.40 EUR");
    expect_printed("stuck: its issuer is not in the configuration");
    test_daemon_wait_figure(&gateway->daemon, PRESENTMENTS_STUCK, 1);
    test_line_free(shop);
    shop = NULL;
    test_gateway_stop(gateway);
    assert_int_equal(RUN("presentment", "list", "--stuck"), 0); /* by the database alone, too */
    expect_printed("stuck: its issuer is not in the configuration");
    test_daemon_execute(&gateway->daemon,
                        "INSERT INTO stand_in (payment_id, issuer, currency, amount_minor,"
                        " acknowledged, response_code, sent_count, created_ms, acknowledged_ms)"
                        " SELECT MAX(id), 'second', 'EUR', 840, 0, '', 0, 1, 0 FROM payment");
    assert_int_equal(RUN("advice", "list", "--stuck"), 0);
    expect_printed("stuck: its issuer is not in the configuration");
    test_daemon_execute(&gateway->daemon, "DELETE FROM stand_in WHERE created_ms = 1");
    test_write_file(gateway->folder, "gateway.conf", setpay_view_of(text, size));
    free(text);
    restart();
    assert_int_equal(RUN("presentment", "list", "--stuck"), 0);
    expect_printed("Issuers have answered everything of that kind");
    assert_int_equal(test_daemon_figure(&gateway->daemon, PRESENTMENTS_STUCK), 0);
    test_daemon_start(&second, NULL);
    test_daemon_wait_number(&gateway->daemon,
                            "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0", 0);
    test_paid_clear(&captured);
}

/* ------------------------------------------------------------------ put back to before */

static void operate(const char *command, const char *option, char **said)
{
    char path[TEST_PATH_SIZE], backup[TEST_PATH_SIZE];
    const char *words[] = {"--config", test_path(gateway->folder, "gateway.conf", path),
                           command,    test_path(gateway->folder, "backup", backup),
                           option,     NULL};
    assert_int_equal(test_run_to_end("setpay-gateway", words, said), 0);
}

/* Authorised before the first backup: a restored gateway agrees to nothing new for a while. */
static struct test_paid held[4];

static void back_up(void)
{
    operate("backup", NULL, NULL);
}

/* later_ms: as if it were done so much later. */
static void restore(int64_t later_ms)
{
    char sql[160], backup[TEST_PATH_SIZE], *said = NULL;
    test_line_free(shop);
    shop = NULL;
    test_gateway_stop(gateway);
    operate("restore", "--force", &said);
    assert_non_null(strstr(said, "payouts that wait may be with the bank already"));
    assert_non_null(strstr(said, "the period of the backup is compared too"));
    free(said);
    assert_int_equal(unlink(test_path(gateway->folder, "backup", backup)), 0);
    (void)snprintf(sql, sizeof sql,
                   "UPDATE restoration SET restored_ms = restored_ms + %lld"
                   " WHERE number = (SELECT MAX(number) FROM restoration)",
                   (long long)later_ms);
    test_daemon_execute(&gateway->daemon, sql);
    restart();
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        held[i].line = shop;
}

static void capture(struct test_paid *of, int64_t minor)
{
    assert_int_equal(test_paid_step(of, CAP, &of->auth.cap_token, minor, NULL), 0);
    test_paid_close_batch(of);
    test_gateway_wait_acknowledged(gateway);
}

/* That this period of sim, in EUR, was compared once, came to so much, and differed. */
static void expect_differed(int64_t period, int64_t ours, int64_t theirs)
{
    char sql[240];
    (void)snprintf(sql, sizeof sql,
                   "SELECT COUNT(*) FROM reconciliation WHERE issuer = 'sim' AND period = %lld"
                   " AND debit_minor = %lld AND their_debit_minor = %lld AND result = 2",
                   (long long)period, (long long)ours, (long long)theirs);
    assert_int_equal(test_gateway_number(gateway, sql), 1);
}

static int64_t period_of_sim(void)
{
    return test_gateway_number(gateway, "SELECT MAX(period) FROM reconciliation"
                                        " WHERE issuer = 'sim'");
}

/* Its issuer has answered for periods that the gateway has forgotten. None of them is used again:
 * what is booked from then on is compared, and agrees; of the period of the backup it is seen that
 * something was lost. */
static void no_period_is_used_again_after_a_restore(void **state)
{
    struct test_paid paid[3];
    char sql[160];
    (void)state;
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        ask(&held[i], holder, SETPAY_INTENT_AUTHORISE, 500);
    sell(&paid[0], holder, 70);
    back_up();
    sell(&paid[1], holder, 71);
    cut("sim");
    expect_totals("sim", (const int64_t[]){2, 141, 0, 0, 0, 0});
    int64_t of_backup = period_of_sim();
    sell(&paid[2], holder, 72);
    cut("sim");
    expect_totals("sim", (const int64_t[]){1, 72, 0, 0, 0, 0});
    assert_int_equal(period_of_sim(), of_backup + 1);

    size_t differed =
        test_daemon_log_count(&gateway->daemon, "event=reconciliation.out_of_balance");
    restore(0);
    capture(&held[0], 100);
    cut("sim");
    expect_totals("sim", (const int64_t[]){1, 100, 0, 0, 0, 0});
    assert_true(period_of_sim() > of_backup + 1000000);
    expect_differed(of_backup, 70, 141);
    test_gateway_wait_log(gateway, "event=reconciliation.out_of_balance", differed + 1);
    (void)snprintf(sql, sizeof sql,
                   "SELECT COUNT(*) FROM reconciliation_cut WHERE issuer = 'sim' AND period = %lld",
                   (long long)of_backup + 1);
    assert_int_equal(test_gateway_number(gateway, sql), 0);
    /* And the next one is the next. */
    int64_t after = period_of_sim();
    capture(&held[0], 50);
    cut("sim");
    expect_totals("sim", (const int64_t[]){1, 50, 0, 0, 0, 0});
    assert_int_equal(period_of_sim(), after + 1);
    for (int i = 0; i < 3; i++)
        test_paid_clear(&paid[i]);
}

/* Twice before a cut. Of the first backup's period nothing is left, and its issuer is asked all the
 * same; what came between the two has a period of its own. */
static void every_period_that_a_restore_ends_is_compared(void **state)
{
    int64_t last = period_of_sim();
    int64_t rows = test_gateway_number(gateway, "SELECT COUNT(*) FROM reconciliation");
    (void)state;
    back_up();
    capture(&held[1], 60);
    restore(SETPAY_HOUR_MS);
    capture(&held[2], 61);
    int64_t between = test_gateway_number(gateway, "SELECT MAX(period) FROM presentment");
    assert_true(between > last + 1);
    back_up();
    capture(&held[3], 62);
    restore(2 * SETPAY_HOUR_MS);
    capture(&held[0], 40);
    expect_waited("30", 1, "out of balance"); /* the current one is in balance */
    expect_totals("sim", (const int64_t[]){1, 40, 0, 0, 0, 0});
    assert_true(period_of_sim() > between);
    expect_differed(last + 1, 0, 60);
    expect_differed(between, 61, 123);
    /* These three, and from then on each is asked after once. */
    capture(&held[0], 41);
    cut("sim");
    expect_totals("sim", (const int64_t[]){1, 41, 0, 0, 0, 0});
    cut("sim"); /* of an empty one that no restore has ended there is nothing to ask */
    test_daemon_wait_number(&gateway->daemon, UNANSWERED, 0);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM reconciliation"), rows + 4);
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        test_paid_clear(&held[i]);
}

/* At its end the gateway signs off from both. */
static void signs_off(void **state)
{
    (void)state;
    size_t before = test_daemon_log_count(&gateway->issuer, "event=issuer.signed_off");
    size_t before_second = test_daemon_log_count(&second, "event=issuer.signed_off");
    test_line_free(shop);
    shop = NULL;
    test_gateway_stop(gateway);
    assert_int_equal(test_daemon_log_count(&gateway->issuer, "event=issuer.signed_off"),
                     before + 1);
    assert_int_equal(test_daemon_log_count(&second, "event=issuer.signed_off"), before_second + 1);
    restart();
}

static int open_all(void **state)
{
    char path[TEST_PATH_SIZE];
    (void)state;
    gateway = test_gateway_new();
    second = (struct test_daemon){
        .folder = gateway->folder, .program = "setpay-issuersim", .name = "second"};
    test_choose_address(second_address);
    FILE *file = fopen(test_path(gateway->folder, "second.conf", path), "w");
    (void)fprintf(file,
                  "testing = yes\nlisten = %s\ndatabase = sqlite:%s/second.db\n"
                  "admin_socket = %s/second.sock\nlog = %s/second.log\n",
                  second_address, gateway->folder, gateway->folder, gateway->folder);
    if (fclose(file) != 0)
        return -1;
    test_daemon_start(&second, NULL);
    test_gateway_stop(gateway);
    file = fopen(test_path(gateway->folder, "gateway.conf", path), "a");
    (void)fprintf(file, "[issuer second]\naddress = %s\npan_prefixes = 4000\n", second_address);
    if (fclose(file) != 0)
        return -1;
    test_gateway_start(gateway, NULL);
    test_daemon_wait_number(&gateway->daemon, "SELECT COUNT(*) FROM reconciliation_cut", 2);
    test_gateway_wait_log(gateway, "line=second from=\"signing on\" to=up", 1);
    holder = test_cardholder_new(gateway->pki, "visa", "4242424242424242", "3012", "123");
    of_second = test_cardholder_new(gateway->pki, "visa", "4000000000000010", "3012", "123");
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    return shop == NULL ? -1 : 0;
}

static int close_all(void **state)
{
    (void)state;
    test_gateway_expect_sound(gateway);
    test_line_free(shop);
    test_cardholder_free(holder);
    test_cardholder_free(of_second);
    free(printed);
    test_daemon_kill(&second);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_its_time),
        cmocka_unit_test(both_count_the_same),
        cmocka_unit_test(counts_what_is_undone),
        cmocka_unit_test(waits_for_the_last_answer),
        cmocka_unit_test(says_what_differs),
        cmocka_unit_test(asks_again_until_answered),
        cmocka_unit_test(waits_for_the_outcome),
        cmocka_unit_test(compares_once_across_a_kill),
        cmocka_unit_test(cuts_by_itself),
        cmocka_unit_test(a_cut_of_the_future_stops_none),
        cmocka_unit_test(one_away_is_not_everybodys),
        cmocka_unit_test(what_was_authorised_stays_with_its_issuer),
        cmocka_unit_test(a_reversal_without_its_card_is_given_up),
        cmocka_unit_test(what_is_of_no_issuer_is_stuck),
        cmocka_unit_test(no_period_is_used_again_after_a_restore),
        cmocka_unit_test(every_period_that_a_restore_ends_is_compared),
        cmocka_unit_test(signs_off),
    };
    test_alarm(240);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
