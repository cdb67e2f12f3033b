/*
 * What an operator does in the place of others, with the program and a running gateway: a batch
 * that its merchant leaves open is closed; a presentment whose card is gone from the vault is seen,
 * written off with a reason, and settled to suspense, so that its period ends.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/base/zone.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_till.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define APPROVES "4242424242424242"
#define AHEAD_MS (10 * SETPAY_MINUTE_MS)
#define OF_SHOP "--brand", "visa", "--merchant-id", TEST_GATEWAY_MERCHANT

static struct test_till till;
static struct test_paid credited; /* of what it captured a part is given back later */
static struct setpay_id captured;
static char *printed; /* by the last program */

static int run(const char *const *words)
{
    char path[TEST_PATH_SIZE];
    const char *all[20] = {"--config", test_path(till.gateway->folder, "gateway.conf", path)};
    size_t count = 2;
    for (; *words != NULL; words++)
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

static int64_t number(const char *sql)
{
    return test_gateway_number(till.gateway, sql);
}

/* The gateway's, from the true time on, which is the till's. */
static void move_clock(int64_t offset_ms)
{
    json_decref(test_gateway_control(till.gateway, "testing.clock",
                                     json_pack("{s:I}", "offset_ms", (json_int_t)offset_ms)));
}

/* A program on a thread of its own. */
struct beside {
    pthread_t thread;
    const char *const *words;
    int status;
    char *printed;
};

static void *run_beside(void *arg)
{
    struct beside *beside = arg;
    beside->status = test_run_to_end("setpay-gateway", beside->words, &beside->printed);
    return NULL;
}

static void hold_looks(const char *point)
{
    json_decref(
        test_gateway_control(till.gateway, "testing.hold",
                             point == NULL ? json_object() : json_pack("{s:s}", "point", point)));
}

static void wait_looks(int64_t count)
{
    json_int_t found = -1;
    while (found != count) {
        json_t *result = test_gateway_control(till.gateway, "testing.points", json_object());
        const json_t *points = json_object_get(result, "points");
        found = json_integer_value(json_object_get(points, "look.begun"));
        json_decref(result);
        if (found != count)
            (void)usleep(TEST_POLL_US);
    }
}

/* A ledger may be long: while it is verified the daemon is ready, takes payments, and answers other
 * commands; of such looks only so many go at a time. */
static void a_long_look_keeps_nobody_waiting(void **state)
{
    char path[TEST_PATH_SIZE];
    const char *verify[] = {"--config", test_path(till.gateway->folder, "gateway.conf", path),
                            "ledger", "verify", NULL};
    const char *list[] = {"--config", path, "presentment", "list", NULL};
    struct beside beside[4] = {
        {.words = verify}, {.words = list}, {.words = verify}, {.words = list}};
    struct test_paid paid;
    (void)state;
    till.line = test_line_new(till.gateway, till.gateway->shop[0].tls, "visa");
    assert_non_null(till.line);
    move_clock(0);
    json_decref(
        test_gateway_control(till.gateway, "testing.points", json_pack("{s:b}", "reset", 1)));
    hold_looks("look.begun");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&beside[i].thread, NULL, run_beside, &beside[i]), 0);
        wait_looks((int64_t)i + 1);
    }
    assert_int_equal(test_gateway_readiness(till.gateway), 200);
    test_till_pay(&till, 50, "EUR", &paid);
    test_paid_free(&paid);
    assert_int_equal(RUN("payment", "list", "--state", "approved"), 0);
    expect_printed("0.50 EUR");
    assert_int_equal(RUN("ledger", "balances"), 4); /* busy */
    wait_looks(4);
    hold_looks(NULL);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(beside[i].thread, NULL), 0);
        assert_int_equal(beside[i].status, 0);
        assert_non_null(strstr(beside[i].printed,
                               beside[i].words == list ? "Issuers have answered" : " 0 findings;"));
        free(beside[i].printed);
    }
    assert_int_equal(RUN("ledger", "balances"), 0);
}

static void capture_and_present(int64_t minor)
{
    struct test_paid paid;
    move_clock(0);
    test_daemon_wait_readiness(&till.gateway->daemon, 200);
    test_till_pay(&till, minor, "EUR", &paid);
    (void)test_till_step(&till, SETPAY_MESSAGE_CAP_REQ, &paid, &paid.auth.cap_token, minor);
    test_till_close(&till, &paid);
    test_till_wait_presented(&till);
    test_paid_free(&paid);
}

/* A clock that is far ahead, once: it settles nothing of days to come, unless a person says so. */
static void a_clock_that_is_ahead_settles_nothing(void **state)
{
    int64_t settled = number("SELECT COUNT(*) FROM settlement");
    (void)state;
    capture_and_present(600);
    move_clock(30 * SETPAY_DAY_MS);
    assert_int_equal(RUN("settle"), 1);
    assert_int_equal(RUN("settle", "--date", "2026-01-01"), 0); /* nothing would be */
    assert_int_equal(number("SELECT COUNT(*) FROM settlement"), settled);
    move_clock(2 * SETPAY_DAY_MS);
    assert_int_equal(RUN("settle"), 0);
    expect_printed("6.00");
    assert_int_equal(number("SELECT COUNT(*) FROM settlement"), settled + 1);
    capture_and_present(650);
    move_clock(30 * SETPAY_DAY_MS);
    assert_int_equal(RUN("settle"), 1);
    assert_int_equal(RUN("settle", "--force"), 0);
    expect_printed("6.50");
    assert_int_equal(number("SELECT COUNT(*) FROM settlement"), settled + 2);
}

/* What a clock that was ahead has settled keeps all days before from being settled: that is named,
 * and a person steps over it. */
static void a_settled_day_to_come_is_stepped_over(void **state)
{
    char day[SETPAY_DATE_TEXT_SIZE];
    struct setpay_date ahead = setpay_date_of_ms(setpay_clock_now_ms() + 29 * SETPAY_DAY_MS);
    int64_t settled = number("SELECT COUNT(*) FROM settlement");
    int64_t paid = number("SELECT SUM(payout_minor) FROM settlement");
    (void)state;
    (void)setpay_date_format(&ahead, day);
    capture_and_present(725);
    move_clock(3 * SETPAY_DAY_MS);
    assert_int_equal(RUN("settle"), 1);
    expect_printed("settlement step-over --date ");
    expect_printed(day);
    assert_int_equal(number("SELECT COUNT(*) FROM settlement"), settled);
    (void)RUN("doctor");
    expect_printed("1 settlement is of days that have not ended");
    assert_int_equal(RUN("settlement", "step-over", "--date", "2026-01-01", "--reason", "why"), 1);
    assert_int_equal(RUN("settlement", "step-over", "--date", day), 2);
    assert_int_equal(RUN("settlement", "step-over", "--date", day, "--reason", "it was ahead"), 0);
    expect_printed("1 settlement was stepped over");
    (void)RUN("doctor");
    assert_null(strstr(printed, "have not ended"));
    assert_int_equal(RUN("settle"), 0);
    assert_int_equal(RUN("settle"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM settlement"), settled + 1);
    assert_true(number("SELECT SUM(payout_minor) FROM settlement") < paid + 725);
    assert_int_equal(RUN("audit"), 0);
    move_clock(0);
}

/* Two captures, of 700 and 300; of the second the card is lost. */
static void capture_two(void)
{
    struct test_paid paid[2];
    static const int64_t minor[] = {700, 300};
    for (size_t i = 0; i < 2; i++) {
        test_till_pay(&till, minor[i], "EUR", &paid[i]);
        (void)test_till_step(&till, SETPAY_MESSAGE_CAP_REQ, &paid[i], &paid[i].auth.cap_token,
                             minor[i]);
        test_paid_free(&paid[i]);
    }
    test_daemon_execute(&till.gateway->daemon, "DELETE FROM kept_card WHERE payment_id = 2");
}

static void closes_a_batch_in_its_merchants_place(void **state)
{
    (void)state;
    capture_two();
    assert_int_equal(RUN("batch", "close", OF_SHOP, "--batch", "7"), 1);
    assert_int_equal(RUN("batch", "close", OF_SHOP), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM presentment"), 0);
    assert_int_equal(RUN("batch", "close", OF_SHOP, "--batch", "1"), 0);
    expect_printed("batch 1: closed 20");
    expect_printed("10.00 EUR");
    assert_int_equal(number("SELECT COUNT(*) FROM presentment"), 2);
    assert_int_equal(RUN("batch", "close", OF_SHOP, "--batch", "1"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM presentment"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM batch WHERE open = 1"), 0);
    test_daemon_wait_number(&till.gateway->daemon,
                            "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0", 1);
}

#define PRESENTMENTS(state) "setpay_gateway_presentments{state=\"" state "\"}"

static void wait_figure(const char *series, int64_t value)
{
    test_daemon_wait_figure(&till.gateway->daemon, series, value);
}

static int64_t figure(const char *series)
{
    return test_daemon_figure(&till.gateway->daemon, series);
}

static void what_is_stuck_is_seen_and_written_off(void **state)
{
    (void)state;
    wait_figure(PRESENTMENTS("stuck"), 1);
    assert_int_equal(figure(PRESENTMENTS("waiting")), 0);
    assert_int_equal(figure(PRESENTMENTS("refused")), 0);
    assert_int_equal(figure("setpay_gateway_settled_until_seconds"), 0);
    assert_int_equal(RUN("presentment", "list", "--stuck"), 0);
    expect_printed("3.00 EUR");
    expect_printed("stuck: its card is gone");
    assert_null(strstr(printed, "7.00 EUR"));
    assert_int_equal(RUN("issuer", "cutoff"), 0); /* its period waits for it */
    assert_int_equal(number("SELECT COUNT(*) FROM reconciliation"), 0);
    assert_int_equal(RUN("presentment", "write-off", "--presentment", "1", "--reason", "no"), 1);
    assert_int_equal(RUN("presentment", "write-off", "--presentment", "9", "--reason", "no"), 1);
    assert_int_equal(RUN("presentment", "write-off", "--presentment", "2"), 2);
    assert_int_equal(number("SELECT acknowledged FROM presentment WHERE id = 2"), 0);
    assert_int_equal(
        RUN("presentment", "write-off", "--presentment", "2", "--reason", "the vault was lost"), 0);
    expect_printed("written off");
    assert_int_equal(number("SELECT COUNT(*) FROM presentment WHERE id = 2 AND acknowledged = 1"
                            " AND response_code = 'WO' AND reason = 'the vault was lost'"),
                     1);
    assert_int_equal(RUN("presentment", "write-off", "--presentment", "2", "--reason", "no"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM presentment WHERE reason = 'no'"), 0);
    assert_int_equal(RUN("presentment", "list"), 0);
    expect_printed("Issuers have answered everything");
    test_daemon_wait_log(&till.gateway->daemon, "presentment.written_off", 1);
    /* Of the period only what the issuer has taken counts, and it agrees. */
    test_daemon_wait_number(&till.gateway->daemon,
                            "SELECT SUM(debit_minor) FROM reconciliation WHERE result <> 0", 700);
}

/* What only waits for an issuer that is away is not given up. */
static void what_waits_is_not_written_off(void **state)
{
    (void)state;
    test_till_pay(&till, 200, "EUR", &credited);
    captured =
        test_till_step(&till, SETPAY_MESSAGE_CAP_REQ, &credited, &credited.auth.cap_token, 200);
    test_gateway_stop_issuer(till.gateway);
    assert_int_equal(RUN("batch", "close", OF_SHOP, "--batch", "2"), 0);
    assert_int_equal(RUN("presentment", "list", "--stuck"), 0);
    expect_printed("Issuers have answered everything");
    assert_int_equal(RUN("presentment", "list"), 0);
    expect_printed("waits for its issuer");
    wait_figure(PRESENTMENTS("waiting"), 1);
    assert_int_equal(figure(PRESENTMENTS("stuck")), 0);
    assert_int_equal(figure(PRESENTMENTS("refused")), 1); /* what was written off */
    assert_int_equal(RUN("presentment", "write-off", "--presentment", "3", "--reason", "no"), 1);
    assert_int_equal(number("SELECT acknowledged FROM presentment WHERE id = 3"), 0);
    test_gateway_start_issuer(till.gateway);
    test_till_wait_presented(&till);
}

/* As after a restore without the vault's key: the card is there, and opens no more. Of a credit it
 * is gone. */
static void what_the_vault_cannot_open_is_stuck(void **state)
{
    static const char *const spoil[] = {
        "UPDATE kept_card SET expiry = pan WHERE payment_id = 4",
        "UPDATE kept_card SET pan = expiry WHERE payment_id = 5",
    };
    static const char *const numbers[] = {"4", "5", "6"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct test_paid paid;
        test_till_pay(&till, 400, "EUR", &paid);
        (void)test_till_step(&till, SETPAY_MESSAGE_CAP_REQ, &paid, &paid.auth.cap_token, 400);
        test_paid_free(&paid);
        test_daemon_execute(&till.gateway->daemon, spoil[i]);
    }
    (void)test_till_step(&till, SETPAY_MESSAGE_CRED_REQ, &credited, &captured, 150);
    test_daemon_execute(&till.gateway->daemon, "DELETE FROM kept_card WHERE payment_id = 3");
    assert_int_equal(RUN("batch", "close", OF_SHOP, "--batch", "3"), 0);
    assert_int_equal(RUN("presentment", "list", "--stuck", "--limit", "1"), 0);
    expect_printed("stuck: its card is sealed under another key");
    /* No card is opened to count them: the one that is gone is seen. */
    wait_figure(PRESENTMENTS("stuck"), 1);
    assert_int_equal(figure(PRESENTMENTS("waiting")), 2);
    assert_int_equal(RUN("presentment", "list", "--stuck", "--after", "4"), 0);
    expect_printed("stuck: its card is sealed under another key");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(RUN("presentment", "write-off", "--presentment", numbers[i], "--reason",
                             "restored without the key"),
                         0);
        expect_printed("written off");
    }
    assert_int_equal(number("SELECT COUNT(*) FROM presentment WHERE id IN (4, 5, 6)"
                            " AND response_code = 'WO' AND acknowledged = 1"),
                     3);
    assert_int_equal(RUN("presentment", "list"), 0);
    expect_printed("Issuers have answered everything");
}

static void it_is_settled_to_suspense(void **state)
{
    char day[16], cut_off[8], clock[24];
    struct tm parts;
    time_t end = (time_t)(setpay_clock_now_ms() / SETPAY_SECOND_MS) + 300;
    (void)state;
    (void)gmtime_r(&end, &parts);
    (void)strftime(day, sizeof day, "%Y-%m-%d", &parts);
    (void)strftime(cut_off, sizeof cut_off, "%H:%M", &parts);
    assert_int_equal(RUN("merchant", "set", "--brand", "visa", "--id", TEST_GATEWAY_MERCHANT,
                         "--cut-off", cut_off),
                     0);
    (void)snprintf(clock, sizeof clock, "%lld", (long long)AHEAD_MS);
    test_line_free(till.line);
    till.line = NULL;
    assert_int_equal(setenv("SETPAY_CLOCK", clock, 1), 0);
    test_gateway_stop(till.gateway);
    test_gateway_start(till.gateway, NULL);
    /* Read before anybody can ask: four written off, closed some minutes ago by this clock. */
    assert_int_equal(figure(PRESENTMENTS("refused")), 4);
    assert_true(figure("setpay_gateway_unsettled_age_seconds") >= AHEAD_MS / SETPAY_SECOND_MS);
    assert_int_equal(figure("setpay_gateway_suspense_items"), 0);
    int64_t owed =
        figure("setpay_gateway_balance_minor{account=\"merchant_payable\",currency=\"EUR\"}");
    assert_int_equal(owed, 700 - 35 + 200 - 28 + 300 - 29 + 2 * (400 - 31) - 150);
    assert_int_equal(RUN("settle", "--date", day), 0);
    /* 1.4 % + 0.25 of 7.00 is 0.35, of 3.00 it is 0.29, of 2.00 it is 0.28, of 4.00 it is
     * 0.31. */
    assert_int_equal(number("SELECT payout_minor FROM settlement"), 700 - 35 + 200 - 28);
    assert_int_equal(number("SELECT refused_minor FROM settlement"),
                     300 - 29 + 2 * (400 - 31) - 150);
    assert_int_equal(number("SELECT amount_minor FROM ledger_balance WHERE account = 6"),
                     -(300 - 29 + 2 * (400 - 31) - 150));
    assert_int_equal(RUN("ledger", "verify"), 0);
    expect_printed(" 0 findings;");
    assert_int_equal(RUN("audit"), 0);
    wait_figure("setpay_gateway_suspense_items", 4);
    assert_int_equal(figure(PRESENTMENTS("refused")), 0);
    assert_int_equal(figure("setpay_gateway_unsettled_age_seconds"), 0);
    assert_int_equal(figure("setpay_gateway_settled_until_seconds"),
                     number("SELECT cut_off_ms / 1000 FROM settlement"));
    assert_int_equal(figure("setpay_gateway_balance_minor{account=\"suspense\",currency=\"EUR\"}"),
                     300 - 29 + 2 * (400 - 31) - 150);
    assert_int_equal(
        figure("setpay_gateway_balance_minor{account=\"merchant_payable\",currency=\"EUR\"}"), 0);
}

/* The next item in suspense, behind the one of id; and its id. false: there is none. */
static bool next_item(char id[33])
{
    char after[33];
    (void)snprintf(after, sizeof after, "%s", id);
    assert_int_equal(after[0] == '\0'
                         ? RUN("--json", "suspense", "list", "--limit", "1")
                         : RUN("--json", "suspense", "list", "--limit", "1", "--after", after),
                     0);
    json_t *page = json_loads(printed, 0, NULL);
    const json_t *list = json_object_get(page, "items");
    bool found = json_array_size(list) == 1;
    if (found) {
        assert_true(json_is_true(json_object_get(json_array_get(list, 0), "written_off")));
        (void)snprintf(id, 33, "%s",
                       json_string_value(json_object_get(json_array_get(list, 0), "id")));
    }
    json_decref(page);
    return found;
}

/* A credit that was written off: what its merchant gives up nobody has got, and what is undone it
 * keeps. */
static void a_credit_is_cleared_in_words_of_its_own(void **state)
{
    char id[33] = "";
    size_t index;
    const json_t *one;
    int64_t claimed = number("SELECT SUM(amount_minor) FROM ledger_balance WHERE account = 1");
    (void)state;
    assert_int_equal(RUN("--json", "suspense", "list"), 0);
    json_t *all = json_loads(printed, 0, NULL);
    json_array_foreach(json_object_get(all, "items"), index, one)
    {
        if (json_integer_value(json_object_get(one, "amount")) < 0)
            (void)snprintf(id, sizeof id, "%s", json_string_value(json_object_get(one, "id")));
    }
    json_decref(all);
    assert_int_equal(RUN("suspense", "clear", id, "--to", "merchant", "--amount", "0.50 EUR",
                         "--reason", "it is found out who gets it"),
                     0);
    expect_printed("-0.50 EUR moved from suspense to merchant payable");
    expect_printed("No issuer has given it to anybody: losses are less by 0.50 EUR.");
    assert_null(strstr(printed, "will pay"));
    assert_int_equal(number("SELECT amount_minor FROM ledger_balance WHERE account = 9"), -50);
    assert_int_equal(RUN("suspense", "clear", id, "--to", "issuer", "--reason", "lost"), 0);
    expect_printed("-1.00 EUR moved from suspense to issuer receivable");
    expect_printed("Nobody was credited: interchange of 0.");
    assert_null(strstr(printed, "charged"));
    assert_int_equal(number("SELECT SUM(amount_minor) FROM ledger_balance WHERE account = 1"),
                     claimed + 150 - number("SELECT interchange_minor FROM step WHERE kind = 2"));
}

/* What is in suspense comes in pages; one that was paid all the same is lost, the others are as if
 * they had never been. */
static void suspense_is_looked_through_and_cleared(void **state)
{
    char id[3][33] = {"", "", ""};
    (void)state;
    assert_int_equal(RUN("suspense", "list", "--limit", "2"), 0);
    expect_printed("There are more: --after ");
    expect_printed("written off");
    assert_int_equal(RUN("suspense", "list", "--limit", "3"), 0);
    assert_null(strstr(printed, "There are more"));
    assert_int_equal(RUN("suspense", "list", "--limit", "0"), 2);
    assert_int_equal(RUN("suspense", "list", "--after", "3"), 2);
    assert_int_equal(RUN("suspense", "list", "--after", "00000000000000000000000000000000"), 1);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(id[i], sizeof id[i], "%s", i == 0 ? "" : id[i - 1]);
        assert_true(next_item(id[i]));
    }
    assert_string_not_equal(id[0], id[1]);
    assert_string_not_equal(id[0], id[2]);
    assert_string_not_equal(id[1], id[2]);
    char last[33];
    (void)snprintf(last, sizeof last, "%s", id[2]);
    assert_false(next_item(last));
    assert_int_equal(RUN("suspense", "clear", id[0], "--to", "merchant", "--reason", "our fault"),
                     0);
    expect_printed("No issuer will pay it: ");
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(RUN("suspense", "clear", id[i], "--to", "issuer", "--reason", "lost"), 0);
        expect_printed("Nobody was charged: interchange of ");
    }
    /* Behind one that is gone the page is that of before. */
    assert_int_equal(RUN("suspense", "list", "--after", id[0]), 0);
    expect_printed("Nothing is in suspense.");
    assert_int_equal(number("SELECT SUM(amount_minor) FROM ledger_balance WHERE account = 6"), 0);
    assert_int_equal(number("SELECT SUM(amount_minor) FROM ledger_balance WHERE account = 1"),
                     number("SELECT SUM(step.amount_minor - interchange_minor) FROM presentment"
                            " JOIN step ON step.id = step_id WHERE response_code = '00'"));
    assert_int_equal(number("SELECT SUM(amount_minor) FROM ledger_balance WHERE account = 9"),
                     number("SELECT step.amount_minor FROM presentment JOIN step ON step.id ="
                            " step_id JOIN suspense_clearing ON item = suspense WHERE account = 2"
                            " AND kind = 1") -
                         50);
    assert_int_equal(RUN("ledger", "verify"), 0);
    expect_printed(" 0 findings;");
    assert_int_equal(RUN("audit"), 0);
    test_daemon_execute(&till.gateway->daemon,
                        "UPDATE presentment SET reason = 'nobody knows' WHERE id = 2");
    assert_int_equal(RUN("ledger", "verify"), 1);
    expect_printed("presentment 2: written off at another time, or with other words");
    test_daemon_execute(&till.gateway->daemon,
                        "UPDATE presentment SET reason = 'the vault was lost' WHERE id = 2");
}

static int open_all(void **state)
{
    (void)state;
    till.gateway = test_gateway_new();
    till.holder = test_cardholder_new(till.gateway->pki, "visa", APPROVES, "3012", "123");
    till.line = test_line_new(till.gateway, till.gateway->shop[0].tls, "visa");
    return till.line == NULL ? -1 : 0;
}

static int close_all(void **state)
{
    (void)state;
    test_line_free(till.line);
    test_paid_free(&credited);
    test_cardholder_free(till.holder);
    test_gateway_free(till.gateway);
    free(printed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closes_a_batch_in_its_merchants_place),
        cmocka_unit_test(what_is_stuck_is_seen_and_written_off),
        cmocka_unit_test(what_waits_is_not_written_off),
        cmocka_unit_test(what_the_vault_cannot_open_is_stuck),
        cmocka_unit_test(it_is_settled_to_suspense),
        cmocka_unit_test(a_credit_is_cleared_in_words_of_its_own),
        cmocka_unit_test(suspense_is_looked_through_and_cleared),
        cmocka_unit_test(a_long_look_keeps_nobody_waiting),
        cmocka_unit_test(a_clock_that_is_ahead_settles_nothing),
        cmocka_unit_test(a_settled_day_to_come_is_stepped_over),
    };
    test_alarm(120);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
