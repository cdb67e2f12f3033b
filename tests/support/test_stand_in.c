/*
 * A gateway that stands in for the second of its issuers.
 */
#include "tests/support/test_stand_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define BUSY 17

struct test_away test_away;
static char second_address[TEST_ADDRESS_SIZE];

json_t *test_away_issuer(const char *command, json_t *args)
{
    return test_daemon_control(&test_away.issuer, command, args);
}

void test_away_script(const char *key, int value)
{
    json_decref(test_away_issuer("script", json_pack("{s:i}", key, value)));
}

/* An outage: its process lives, so that its script can be told what comes after it. */
void test_away_go(void)
{
    size_t before =
        test_gateway_log_count(test_away.gateway, "event=line.state line=away from=up to=down");
    test_away_script("down", 1);
    test_gateway_wait_log(test_away.gateway, "event=line.state line=away from=up to=down",
                          before + 1);
}

void test_away_come_back(void)
{
    size_t before =
        test_gateway_log_count(test_away.gateway, "line=away from=\"signing on\" to=up");
    test_away_script("down", 0);
    test_gateway_wait_log(test_away.gateway, "line=away from=\"signing on\" to=up", before + 1);
}

void test_away_wait_settled(void)
{
    test_daemon_wait_number(&test_away.gateway->daemon, TEST_AWAY_OPEN, 0);
    test_gateway_wait_acknowledged(test_away.gateway);
    test_daemon_wait_number(&test_away.gateway->daemon,
                            "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0", 0);
}

void test_away_prepare(struct test_paid *paid, const struct test_cardholder *by,
                       enum setpay_auth_intent intent, int64_t minor)
{
    test_paid_prepare(paid, test_away.gateway, test_away.shop, by, intent, minor, false);
}

void test_away_ask(struct test_paid *paid, const struct test_cardholder *by,
                   enum setpay_auth_intent intent, int64_t minor)
{
    test_away_prepare(paid, by, intent, minor);
    test_paid_ask(paid);
}

bool test_away_is_busy(struct setpay_view answer)
{
    struct setpay_message read;
    struct setpay_error_report report = {.code = 0};
    assert_int_equal(setpay_message_parse(answer, &read), SETPAY_OK);
    if (read.type == SETPAY_MESSAGE_ERROR)
        assert_int_equal(setpay_error_report_parse(read.content, &report), SETPAY_OK);
    setpay_message_clear(&read);
    return report.code == BUSY;
}

void test_away_expect_busy(const struct test_cardholder *by, enum setpay_auth_intent intent,
                           int64_t minor)
{
    struct test_paid paid;
    struct setpay_buffer answer;
    int64_t payments = test_gateway_number(test_away.gateway, "SELECT COUNT(*) FROM payment");
    test_away_prepare(&paid, by, intent, minor);
    test_line_ask(test_away.shop, setpay_buffer_view(&paid.request), &answer);
    assert_true(test_away_is_busy(setpay_buffer_view(&answer)));
    assert_int_equal(test_gateway_number(test_away.gateway, "SELECT COUNT(*) FROM payment"),
                     payments);
    setpay_buffer_clear(&answer);
    test_paid_clear(&paid);
}

void test_away_expect_stood_in(const struct test_paid *paid)
{
    assert_int_equal(paid->auth.outcome, SETPAY_AUTH_APPROVED);
    assert_int_equal(paid->auth.approval_code[0], 'S');
    assert_string_equal(paid->auth.action_code, "00");
    assert_string_equal(paid->auth.security_code_result, "U");
}

int64_t test_away_number(const struct test_paid *paid, const char *what)
{
    char sql[400], hex[SETPAY_ID_TEXT_SIZE];
    (void)snprintf(sql, sizeof sql,
                   "SELECT %s FROM payment LEFT JOIN stand_in ON payment_id = payment.id"
                   " WHERE xid = x'%s'",
                   what, setpay_id_format(&paid->purchase->auth.xid, hex));
    return test_gateway_number(test_away.gateway, sql);
}

/* The issuer's row of this payment; how many it has. The caller's. */
static json_t *row_at_away(const struct test_paid *paid, size_t *count)
{
    char text[SETPAY_ID_TEXT_SIZE];
    size_t index;
    json_t *row, *found = NULL, *result = test_away_issuer("authorisations", NULL);
    setpay_id_format(&paid->purchase->auth.xid, text);
    *count = 0;
    json_array_foreach(json_object_get(result, "authorisations"), index, row)
    {
        if (strcasecmp(json_string_value(json_object_get(row, "xid")), text) != 0)
            continue;
        json_decref(found);
        found = json_incref(row);
        (*count)++;
    }
    json_decref(result);
    return found;
}

void test_away_expect_booked(const struct test_paid *paid, int64_t held)
{
    size_t count;
    json_t *row = row_at_away(paid, &count);
    assert_int_equal(count, 1);
    assert_string_equal(json_string_value(json_object_get(row, "response_code")), "00");
    assert_string_equal(json_string_value(json_object_get(row, "approval_code")),
                        paid->auth.approval_code);
    assert_int_equal(json_integer_value(json_object_get(row, "held")), held);
    json_decref(row);
    assert_int_equal(test_away_number(paid, "acknowledged = 1 AND response_code = '00'"), 1);
}

void test_away_expect_books_hold(void)
{
    char path[TEST_PATH_SIZE];
    const char *words[] = {"--config", test_path(test_away.gateway->folder, "away.conf", path),
                           "check", NULL};
    test_gateway_expect_sound(test_away.gateway);
    test_run_program("setpay-issuersim", words, NULL);
}

void test_away_restart(void)
{
    test_line_free(test_away.shop);
    test_gateway_start(test_away.gateway, NULL);
    test_away.shop = test_line_new(test_away.gateway, test_away.gateway->shop[0].tls, "visa");
    assert_non_null(test_away.shop);
}

int test_away_open(void **state)
{
    char path[TEST_PATH_SIZE];
    (void)state;
    test_away.gateway = test_gateway_new();
    test_away.issuer = (struct test_daemon){
        .folder = test_away.gateway->folder, .program = "setpay-issuersim", .name = "away"};
    test_choose_address(second_address);
    FILE *file = fopen(test_path(test_away.gateway->folder, "away.conf", path), "w");
    (void)fprintf(file,
                  "testing = yes\nlisten = %s\ndatabase = sqlite:%s/away.db\n"
                  "admin_socket = %s/away.sock\nlog = %s/away.log\n",
                  second_address, test_away.gateway->folder, test_away.gateway->folder,
                  test_away.gateway->folder);
    if (fclose(file) != 0)
        return -1;
    test_daemon_start(&test_away.issuer, NULL);
    test_gateway_stop(test_away.gateway);
    file = fopen(test_path(test_away.gateway->folder, "gateway.conf", path), "a");
    (void)fprintf(file,
                  "[issuer away]\naddress = %s\npan_prefixes = 4000\nstand_in = 25.00 EUR\n"
                  "stand_in_total = 60.00 EUR\nstand_in_after = 0s\n",
                  second_address);
    if (fclose(file) != 0)
        return -1;
    test_gateway_start(test_away.gateway, NULL);
    test_gateway_wait_log(test_away.gateway, "line=away from=\"signing on\" to=up", 1);
    test_away.holder =
        test_cardholder_new(test_away.gateway->pki, "visa", "4242424242424242", "3012", "123");
    test_away.of_away =
        test_cardholder_new(test_away.gateway->pki, "visa", "4000000000000010", "3012", "123");
    test_away.bad =
        test_cardholder_new(test_away.gateway->pki, "visa", "4000000000000069", "3012", "123");
    test_away.past =
        test_cardholder_new(test_away.gateway->pki, "visa", "4000000000090102", "2012", "123");
    test_away.shop = test_line_new(test_away.gateway, test_away.gateway->shop[0].tls, "visa");
    return test_away.shop == NULL ? -1 : 0;
}

int test_away_close(void **state)
{
    (void)state;
    test_line_free(test_away.shop);
    test_cardholder_free(test_away.holder);
    test_cardholder_free(test_away.of_away);
    test_cardholder_free(test_away.bad);
    test_cardholder_free(test_away.past);
    test_daemon_kill(&test_away.issuer);
    test_gateway_free(test_away.gateway);
    return 0;
}
