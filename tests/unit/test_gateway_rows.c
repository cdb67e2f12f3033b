/*
 * The rows of a gateway that has traded: what no ledger entry is of (reversals, states, periods,
 * dates). An audit of the database as the daemon left it finds nothing; then every edit of one of
 * these rows is found, and named.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/store/store.h"
#include "common/wire/cancellation.h"
#include "tests/support/test_asking.h"
#include "tests/support/test_day.h"
#include "tests/support/test_gateway.h"
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

static struct test_gateway *gateway;
static struct test_cardholder *holder, *poor;
static struct test_line *shop;

/* ------------------------------------------------------------------ the trade */

static void control(const char *command, json_t *args)
{
    json_decref(test_gateway_control(gateway, command, args));
}

static struct test_paid pay(enum setpay_auth_intent intent, const struct test_cardholder *by,
                            int64_t minor)
{
    struct test_paid paid;
    test_paid_prepare(&paid, gateway, shop, by, intent, minor, false);
    test_paid_ask(&paid);
    return paid;
}

/* Rows 1 to 4 of reversal: in part, of the rest, of a sale that is undone, of an authorisation that
 * had no answer. */
static void give_back(void)
{
    struct test_paid part = pay(SETPAY_INTENT_AUTHORISE, holder, 1000);
    struct test_paid sale = pay(SETPAY_INTENT_SALE, holder, 640);
    struct setpay_step_done done;
    int64_t remaining;
    assert_int_equal(test_paid_step(&part, CAP, &part.auth.cap_token, 300, &done), 0);
    assert_int_equal(test_paid_reverse(&part, 200, &remaining), 0);
    assert_int_equal(test_paid_reverse(&part, 500, &remaining), 0);
    assert_int_equal(test_paid_step(&part, CRED, &done.id, 100, NULL), 0);
    assert_int_equal(test_paid_step(&sale, CAP_REV, &sale.auth.capture.id, 640, NULL), 0);
    test_gateway_wait_acknowledged(gateway);
    json_decref(test_gateway_issuer(gateway, "script", json_pack("{s:i}", "silent", 1)));
    struct test_paid lost = pay(SETPAY_INTENT_AUTHORISE, holder, 4000);
    assert_int_equal(lost.auth.outcome, SETPAY_AUTH_DECLINED);
    test_daemon_wait_readiness(&gateway->daemon, 200);
    test_gateway_wait_acknowledged(gateway);
    test_paid_clear(&part);
    test_paid_clear(&sale);
    test_paid_clear(&lost);
}

/* Row 5: a hold that has ended. */
static void let_end(void)
{
    struct test_paid ended = pay(SETPAY_INTENT_AUTHORISE, holder, 900);
    control("testing.clock", json_pack("{s:I}", "offset_ms", (json_int_t)8 * SETPAY_DAY_MS));
    test_daemon_wait_number(&gateway->daemon, "SELECT COUNT(*) FROM reversal", 5);
    control("testing.clock", json_pack("{s:i}", "offset_ms", 0));
    test_gateway_wait_acknowledged(gateway);
    test_paid_clear(&ended);
}

static void trade(void **state)
{
    (void)state;
    give_back();
    struct test_paid declined = pay(SETPAY_INTENT_AUTHORISE, poor, 700);
    struct test_paid voided = pay(SETPAY_INTENT_VOID, holder, 750);
    struct test_paid sold = pay(SETPAY_INTENT_SALE, holder, 2500);
    test_paid_close_batch(&sold);
    test_daemon_wait_number(&gateway->daemon,
                            "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0", 0);
    let_end();
    test_paid_clear(&declined);
    test_paid_clear(&voided);
    test_paid_clear(&sold);
    test_line_free(shop);
    shop = NULL;
    test_gateway_stop(gateway);
}

/* ------------------------------------------------------------------ the edits */

static void nothing_is_found(void **state)
{
    struct setpay_problem problem;
    char url[160];
    (void)state;
    (void)snprintf(url, sizeof url, "sqlite:%s/gateway.db", gateway->folder);
    const struct setpay_store_options options = {.url = url, .schema = &setpay_gateway_schema};
    assert_int_equal(setpay_store_open(&options, &test_day_store, &problem), SETPAY_OK);
    struct test_day_findings v = test_day_verify();
    assert_string_equal(v.all, "");
    assert_int_equal(v.findings, 0);
}

struct edit {
    const char *sql, *words;
};

static void expect_all_found(const struct edit *edits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        test_day_expect_found(edits[i].sql, edits[i].words, false);
}
#define EXPECT_FOUND(edits) expect_all_found(edits, sizeof(edits) / sizeof *(edits))

static void a_reversal_is_missed(void **state)
{
    static const struct edit edits[] = {
        {"DELETE FROM reversal", "reversals are missing, or too many: payment"},
        {"DELETE FROM reversal WHERE id = 1", "its reversals come to something else: payment"},
        {"DELETE FROM reversal WHERE id = 4", ", number 1: 1 booked, found 0"},
        {"UPDATE payment SET reversal_count = 0; DELETE FROM reversal WHERE id = 3",
         "reversed 640, expected 0"},
        {"INSERT INTO reversal SELECT 99, payment_id, partial, amount_minor, remaining_minor,"
         " acknowledged, response_code, sent_count, created_ms, acknowledged_ms, advice, period"
         " FROM reversal WHERE id = 4",
         ", number 1: 1 booked, found 2"},
        {"UPDATE reversal SET payment_id = 99 WHERE id = 1", "of a payment that is not there:"},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

static void a_reversal_is_of_its_payment(void **state)
{
    static const struct edit edits[] = {
        {"UPDATE reversal SET amount_minor = 199 WHERE id = 1", "reversed 700, expected 699"},
        {"UPDATE reversal SET amount_minor = 300 WHERE id = 1;"
         "UPDATE reversal SET amount_minor = 400 WHERE id = 2",
         "leaves something else of its authorisation: reversal 1, payment"},
        {"UPDATE reversal SET remaining_minor = 801 WHERE id = 1",
         "leaves something else of its authorisation: reversal 1, payment"},
        {"UPDATE reversal SET partial = 0 WHERE id = 1",
         "leaves something else of its authorisation: reversal 1, payment"},
        {"UPDATE reversal SET partial = 1 WHERE id = 5",
         "leaves something else of its authorisation: reversal 5, payment"},
        {"UPDATE reversal SET amount_minor = 3999 WHERE id = 4",
         "does not undo the authorisation that was not taken as it was asked for: reversal 4"},
        {"UPDATE reversal SET partial = 1, remaining_minor = 1 WHERE id = 4",
         "does not undo the authorisation that was not taken as it was asked for: reversal 4"},
        {"UPDATE reversal SET period = 1 WHERE id = 1", "counts in no period of its issuer"},
        {"UPDATE reversal SET period = 0 WHERE id = 3", "counts in no period of its issuer"},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

static void a_reversal_is_told(void **state)
{
    static const char words[] =
        "acknowledged without a word of its issuer, or the other way round:";
    static const struct edit edits[] = {
        {"UPDATE reversal SET acknowledged = 0 WHERE id = 1", words},
        {"UPDATE reversal SET acknowledged = 2 WHERE id = 1", words},
        {"UPDATE reversal SET response_code = '' WHERE id = 2", words},
        {"UPDATE reversal SET response_code = '96' WHERE id = 3", words},
        {"UPDATE reversal SET acknowledged_ms = 0 WHERE id = 4", words},
        {"UPDATE reversal SET sent_count = 0 WHERE id = 5", words},
        {"UPDATE reversal SET created_ms = created_ms + 1 WHERE id = 1",
         "no receipt was given with it: reversal 1, payment"},
        {"UPDATE reversal SET created_ms = created_ms - 1 WHERE id = 4",
         "no receipt was given with it: reversal 4, payment"},
        {"UPDATE reversal SET advice = 1 WHERE id = 2", "advised before its hold has ended:"},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

/* ------------------------------------------------------------------ its times */

static void what_was_done_has_its_time(void **state)
{
    static const struct edit edits[] = {
        {"UPDATE step SET created_ms = created_ms + 8640000000 WHERE id = 1", "is of another time"},
        {"UPDATE batch SET closed_ms = closed_ms - 8640000000",
         "closed before the newest of its steps was done: batch visa shop, number 1, closed"},
        {"UPDATE batch SET closed_ms = closed_ms - 8640000000;"
         "UPDATE presentment SET created_ms = created_ms - 8640000000",
         "closed before the newest of its steps was done: batch visa shop, number 1, closed"},
        {"UPDATE presentment SET acknowledged_ms = acknowledged_ms + 1 WHERE sent_count = 0",
         "answered at another time than its sale: presentment "},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

/* ------------------------------------------------------------------ all of it */

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    holder = test_cardholder_new(gateway->pki, "visa", "4242424242424242", "3012", "123");
    poor = test_cardholder_new(gateway->pki, "visa", "4000000000000002", "3012", "123");
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    return shop == NULL ? -1 : 0;
}

static int close_all(void **state)
{
    (void)state;
    if (test_day_store != NULL)
        setpay_store_close(test_day_store);
    test_line_free(shop);
    test_cardholder_free(holder);
    test_cardholder_free(poor);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trade),
        cmocka_unit_test(nothing_is_found),
        cmocka_unit_test(a_reversal_is_missed),
        cmocka_unit_test(a_reversal_is_of_its_payment),
        cmocka_unit_test(a_reversal_is_told),
        cmocka_unit_test(what_was_done_has_its_time),
    };
    alarm(120);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
