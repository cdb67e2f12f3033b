/*
 * A gateway that stands in for an issuer dies at each place where it has just decided, written or
 * sent something of that, and starts again: there is one payment, and the issuer has it once. And
 * it does not start with limits that make no sense.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_stand_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ------------------------------------------------------------------ deaths */

static void arm(const char *point, int count)
{
    json_decref(test_gateway_control(test_away.gateway, "testing.crash",
                                     json_pack("{s:s, s:i}", "point", point, "count", count)));
}

/* It dies while it approves: the merchant asks again, and there is one payment. */
static void approves_once_across_a_kill(void **state)
{
    static const char *const points[] = {"net.receive",     "store.write",   "store.commit",
                                         "store.committed", "auth.stood_in", "net.send"};
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof points / sizeof *points); i++) {
        const char *point = points[i / 2];
        struct test_paid paid;
        struct setpay_buffer answer;
        uint64_t id = 0;
        print_message("# %s\n", point);
        test_away_go();
        test_away_prepare(&paid, test_away.of_away,
                          i % 2 == 0 ? SETPAY_INTENT_AUTHORISE : SETPAY_INTENT_SALE, 400);
        arm(point, 1);
        test_line_send(test_away.shop, 1, setpay_buffer_view(&paid.request));
        if (test_line_receive(test_away.shop, &id,
                              &answer)) /* it may have died behind its answer */
            print_message("# answered\n");
        setpay_buffer_clear(&answer);
        test_gateway_wait_killed(test_away.gateway);
        test_away_restart();
        paid.line = test_away.shop;
        test_paid_ask(&paid);
        test_away_expect_stood_in(&paid);
        assert_int_equal(test_away_number(&paid, "COUNT(*)"), 1);
        test_away_come_back();
        test_away_wait_settled();
        test_away_expect_booked(&paid, 400);
        test_paid_clear(&paid);
    }
    test_away_expect_books_hold();
}

/* It dies while it tells: the issuer has it once. */
static void advises_once_across_a_kill(void **state)
{
    static const struct {
        const char *point;
        int count;
    } crashes[] = {
        {"line.send", 1},       {"line.receive", 2}, /* the first is that of the sign-on */
        {"advice.answered", 1}, {"store.write", 1},  {"store.commit", 1}, {"store.committed", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        struct test_paid paid;
        int64_t remaining;
        print_message("# %s\n", crashes[i].point);
        test_away_go();
        test_away_ask(&paid, test_away.of_away, SETPAY_INTENT_AUTHORISE, 500);
        assert_int_equal(test_paid_reverse(&paid, 200, &remaining), 0);
        arm(crashes[i].point, crashes[i].count);
        test_away_script("down", 0);
        test_gateway_wait_killed(test_away.gateway);
        test_away_restart();
        test_away_wait_settled();
        test_away_expect_booked(&paid, 300);
        test_paid_clear(&paid);
    }
    test_away_expect_books_hold();
}

/* Writes the configuration with other words in the place of its limits, and reloads it. */
static void reload_with(const char *good, const char *limits)
{
    static const char before[] =
        "stand_in = 25.00 EUR\nstand_in_total = 60.00 EUR\nstand_in_after = 0s\n";
    char conf[8192];
    const char *at = strstr(good, before);
    assert_non_null(at);
    assert_true(snprintf(conf, sizeof conf, "%.*s%s%s", (int)(at - good), good, limits,
                         at + strlen(before)) < (int)sizeof conf);
    test_write_file(test_away.gateway->folder, "gateway.conf", setpay_view_string(conf));
    test_gateway_reload(test_away.gateway);
}

/* Limits are taken over while it serves and the line is down; what makes no sense changes nothing;
 * what takes a restart is told so. */
static void takes_new_limits_while_it_serves(void **state)
{
    size_t size;
    struct test_paid paid;
    char *good = test_read_file(test_away.gateway->folder, "gateway.conf", &size);
    (void)state;
    test_away_go();
    test_away_expect_busy(test_away.of_away, SETPAY_INTENT_AUTHORISE, 3000);
    reload_with(good, "stand_in = 30.00 EUR\nstand_in_total = 30.00 EUR\nstand_in_after = 0s\n");
    test_away_ask(&paid, test_away.of_away, SETPAY_INTENT_AUTHORISE, 2900);
    test_away_expect_stood_in(&paid);
    test_away_expect_busy(test_away.of_away, SETPAY_INTENT_AUTHORISE, 101);
    reload_with(good, "");
    test_away_expect_busy(test_away.of_away, SETPAY_INTENT_AUTHORISE, 1);
    reload_with(good, "stand_in = 70.00 EUR\nstand_in_total = 70.00 EUR\nstand_in_after = 1h\n");
    test_away_expect_busy(test_away.of_away, SETPAY_INTENT_AUTHORISE, 1);
    assert_int_equal(test_gateway_log_count(test_away.gateway, "event=daemon.reload_failed"), 0);
    assert_int_equal(test_gateway_log_count(test_away.gateway, "event=config.not_taken"), 0);
    reload_with(good, "stand_in = 70.00 EUR\nstand_in_total = 60.00 EUR\nstand_in_after = 0s\n");
    test_gateway_wait_log(test_away.gateway, "event=daemon.reload_failed", 1);
    test_away_expect_busy(test_away.of_away, SETPAY_INTENT_AUTHORISE, 1);
    reload_with(good, "stand_in = 25.00 EUR\nstand_in_total = 60.00 EUR\nstand_in_after = 0s\n"
                      "tls = no\ntls_name = x\n");
    test_gateway_wait_log(test_away.gateway, "event=daemon.reload_failed", 2);
    reload_with(good, "stand_in = 25.00 EUR\nstand_in_total = 60.00 EUR\nstand_in_after = 0s\n"
                      "[issuer another]\naddress = 127.0.0.1:9\npan_prefixes = 41\n");
    test_gateway_wait_log(test_away.gateway,
                          "event=config.not_taken section=\"issuer another\" key=address", 1);
    test_write_file(test_away.gateway->folder, "gateway.conf", setpay_view_string(good));
    test_gateway_reload(test_away.gateway);
    test_paid_clear(&paid);
    test_away_ask(&paid, test_away.of_away, SETPAY_INTENT_AUTHORISE, 2500);
    test_away_expect_stood_in(&paid);
    test_away_come_back();
    test_away_wait_settled();
    test_paid_clear(&paid);
    free(good);
}

/* With limits that make no sense it does not start. */
static void refuses_bad_limits(void **state)
{
    static const char *const cases[] = {
        "stand_in = 25.00 EUR\n",
        "stand_in_total = 25.00 EUR\n",
        "stand_in = much\nstand_in_total = 1 EUR\n",
        "stand_in = 2 EUR\nstand_in_total = 1 EUR\n",
        "stand_in = 1 EUR\nstand_in_total = 1 EUR\nstand_in_after = soon\n",
    };
    size_t size;
    char path[TEST_PATH_SIZE], conf[8192];
    char *good = test_read_file(test_away.gateway->folder, "gateway.conf", &size);
    const char *words[] = {"--config", test_path(test_away.gateway->folder, "bad.conf", path),
                           NULL};
    (void)state;
    test_line_free(test_away.shop);
    test_away.shop = NULL;
    test_gateway_stop(test_away.gateway);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(snprintf(conf, sizeof conf,
                             "%s[issuer third]\naddress = 127.0.0.1:9\npan_prefixes = 41\n%s", good,
                             cases[i]) < (int)sizeof conf);
        test_write_file(test_away.gateway->folder, "bad.conf", setpay_view_string(conf));
        assert_int_not_equal(test_run_to_end("setpay-gatewayd", words, NULL), 0);
    }
    free(good);
    test_away_restart();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(approves_once_across_a_kill),
        cmocka_unit_test(advises_once_across_a_kill),
        cmocka_unit_test(takes_new_limits_while_it_serves),
        cmocka_unit_test(refuses_bad_limits),
    };
    test_alarm(240);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, test_away_open, test_away_close);
}
