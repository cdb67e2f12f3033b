/*
 * A running gateway with two issuers, of which one is away with more presentments than the network
 * takes at a time: what is presented to the other is answered all the same; and all of it is when
 * the first is back.
 */
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_stand_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CAP SETPAY_MESSAGE_CAP_REQ
#define COPIES 600 /* more than are with the network at a time, and than one search looks at */
#define OPEN_AT(issuer)                                                                            \
    "SELECT COUNT(*) FROM presentment JOIN step ON step.id = step_id JOIN payment ON payment.id =" \
    " step.payment_id WHERE presentment.acknowledged = 0 AND payment.issuer = '" issuer "'"

static int64_t number(const char *sql)
{
    return test_gateway_number(test_away.gateway, sql);
}

static void capture(struct test_paid *paid, const struct test_cardholder *by, int64_t minor)
{
    test_away_ask(paid, by, SETPAY_INTENT_AUTHORISE, minor);
    assert_int_equal(paid->auth.outcome, SETPAY_AUTH_APPROVED);
    assert_int_equal(test_paid_step(paid, CAP, &paid->auth.cap_token, minor, NULL), 0);
}

/* As many captures of one payment as a merchant makes in a busy hour: the rows alone. */
static void copy_capture(void)
{
    char sql[900];
    (void)snprintf(
        sql, sizeof sql,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        " INSERT INTO step (token, payment_id, kind, of_id, amount_minor, interchange_minor,"
        " fee_minor, batch_id, undone, credited_minor, created_ms) SELECT randomblob(16),"
        " payment_id, kind, of_id, amount_minor, interchange_minor, fee_minor, batch_id, undone,"
        " credited_minor, created_ms FROM step JOIN n WHERE step.id = (SELECT MAX(id) FROM step);",
        COPIES);
    test_daemon_execute(&test_away.gateway->daemon, sql);
    test_daemon_execute(
        &test_away.gateway->daemon,
        "INSERT INTO presentment (step_id, batch_id, acknowledged, response_code, sent_count,"
        " created_ms, acknowledged_ms, period) SELECT step.id, p.batch_id, 0, '', 0, p.created_ms,"
        " 0, p.period FROM step JOIN presentment p ON p.id = (SELECT MAX(id) FROM presentment)"
        " WHERE step.id NOT IN (SELECT step_id FROM presentment) AND step.kind = 1");
}

static void an_issuer_that_is_away_keeps_nothing_from_another(void **state)
{
    struct test_paid waits, goes;
    (void)state;
    capture(&waits, test_away.of_away, 10);
    test_away_go();
    test_paid_close_batch(&waits);
    test_line_free(test_away.shop);
    test_away.shop = NULL;
    test_gateway_stop(test_away.gateway);
    copy_capture();
    test_away_restart();
    assert_int_equal(number(OPEN_AT("away")), COPIES + 1);
    test_daemon_wait_figure(&test_away.gateway->daemon, "setpay_network_presentments_open",
                            512 / 3); /* its share */
    capture(&goes, test_away.holder, 900);
    test_paid_close_batch(&goes);
    test_daemon_wait_number(&test_away.gateway->daemon, OPEN_AT("sim"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM presentment WHERE response_code = '00'"), 1);
    assert_int_equal(number(OPEN_AT("away")), COPIES + 1);
    test_away_come_back();
    test_daemon_wait_number(&test_away.gateway->daemon, OPEN_AT("away"), 0);
    test_paid_clear(&waits);
    test_paid_clear(&goes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_issuer_that_is_away_keeps_nothing_from_another),
    };
    test_alarm(120);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, test_away_open, test_away_close);
}
