/*
 * A lying gateway before a running merchant that takes further payments of an agreement: an AuthRes
 * by AuthToken that does not fit in everything is as if nothing had come, and one that fits, but is
 * of more than was asked, is booked and taken back (rule M6). What waits does not leave
 * once its agreement is over.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "merchant/store/payment_port.h"
#include "tests/support/test_false_answer.h"
#include "tests/support/test_lied_sale.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 280
#define FIRST 300
#define NEXT 500

static struct test_market market;
static struct test_gateway *gateway;
static struct test_false_gateway *liar;
static struct test_party *other_gateway;

/* ------------------------------------------------------------------ the lies */

enum lie {
    OTHER_XID,
    OTHER_BRAND,
    OTHER_MERCHANT,
    OTHER_CARDHOLDER,
    OTHER_POMD,
    OTHER_ENCRYPTION,
    SOLD,
    OTHER_RRPID,
    OTHER_QUESTION,
    MORE,
};

static void spoil(enum lie lie, struct setpay_auth_res *res)
{
    switch (lie) {
    case OTHER_XID:
        res->xid.bytes[0] ^= 1;
        break;
    case OTHER_BRAND:
        (void)snprintf(res->brand, sizeof res->brand, "mastercard");
        break;
    case OTHER_MERCHANT:
        (void)snprintf(res->merchant_id, sizeof res->merchant_id, "other");
        break;
    case OTHER_CARDHOLDER:
        res->cardholder = market.neighbour->party->thumbprint;
        break;
    case OTHER_POMD:
        res->pomd.bytes[31] ^= 1;
        break;
    case OTHER_ENCRYPTION:
        res->gateway_encrypt.bytes[0] ^= 1;
        break;
    case SOLD:
        res->has_capture = true;
        res->capture = (struct setpay_step_done){.xid = res->xid,
                                                 .of = res->cap_token,
                                                 .amount = res->amount,
                                                 .id = res->cap_token,
                                                 .batch = 1,
                                                 .remaining = res->amount,
                                                 .cardholder = res->cardholder,
                                                 .pomd = res->pomd,
                                                 .receipt = res->receipt};
        res->capture.remaining.minor = 0;
        res->capture.receipt.kind = SETPAY_RECEIPT_CAPTURE;
        break;
    case OTHER_RRPID:
        res->header.rrpid.bytes[0] ^= 1;
        break;
    case OTHER_QUESTION:
        res->header.request_hash.bytes[31] ^= 1;
        break;
    case MORE:
        res->amount.minor++;
        break;
    }
}

static void tell_further(const struct test_question *q, const void *arg,
                         struct setpay_buffer *answer)
{
    const enum lie *lie = arg;
    struct setpay_auth_res res = test_question_auth_res(q);
    spoil(*lie, &res);
    test_false_auth_res_say(q, &res, answer);
}

static const struct {
    enum lie lie;
    const char *what;
    const char *expected;
} rows[] = {
    {OTHER_XID, "another xid", "AUTH_MISMATCH M6"},
    {OTHER_BRAND, "another brand", "AUTH_MISMATCH M6"},
    {OTHER_MERCHANT, "another merchant's id", "AUTH_MISMATCH M6"},
    {OTHER_CARDHOLDER, "another cardholder", "AUTH_MISMATCH M6"},
    {OTHER_POMD, "another POMD", "AUTH_MISMATCH M6"},
    {OTHER_ENCRYPTION, "another encryption certificate", "AUTH_MISMATCH M6"},
    {SOLD, "a capture that nobody asked for", "AUTH_MISMATCH M6"},
    {OTHER_RRPID, "another rrpid", "ANSWER_IDS A4"},
    {OTHER_QUESTION, "another question", "ANSWER_REQUEST A4"},
};
#define ROWS (sizeof rows / sizeof *rows)

static void ask_next(const struct test_sale *sale)
{
    json_decref(test_daemon_control(&market.merchant->daemon, "order.authorise",
                                    json_pack("{s:s, s:i, s:s}", "order_id", sale->order.id,
                                              "amount", NEXT, "currency", "EUR")));
}

static int64_t kept(const struct test_sale *sale, const char *column)
{
    char sql[160], hex[SETPAY_ID_TEXT_SIZE];
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM purchase WHERE xid = x'%s'", column,
                   setpay_id_format(&sale->purchase->oi.xid, hex));
    return test_daemon_number(&market.merchant->daemon, sql);
}

/* rules M6, A4 */
static void test_false_further_payments(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct test_sale sale;
        const struct test_lie lie = {
            .to = SETPAY_MESSAGE_AUTH_REQ, .tell = tell_further, .arg = &rows[i].lie};
        print_message("# %s\n", rows[i].what);
        test_lied_agree(&market, FIRST, &sale);
        test_false_gateway_lie(liar, &lie);
        ask_next(&sale);
        test_lied_expect_nothing(&market, liar, &sale, rows[i].expected, "authorised");
        assert_int_equal(kept(&sale, "approved_minor"), FIRST + NEXT);
        test_sale_clear(&sale);
    }
}

/* rule M6: the gateway says that it has approved more. It is not kept: what the merchant counts of
 * it is given up, and asked for until the gateway, which knows of less, is mended by people. */
static void test_a_further_payment_of_more(void **state)
{
    static const enum lie more = MORE;
    const struct test_lie lie = {.to = SETPAY_MESSAGE_AUTH_REQ, .tell = tell_further, .arg = &more};
    struct test_sale sale;
    (void)state;
    test_lied_agree(&market, FIRST, &sale);
    test_false_gateway_lie(liar, &lie);
    ask_next(&sale);
    test_daemon_wait_number(&market.merchant->daemon,
                            "SELECT ended FROM agreement ORDER BY purchase_id DESC LIMIT 1",
                            SETPAY_ENDED_BREACH);
    test_false_gateway_behave(liar);
    assert_string_equal(test_merchantd_state(market.merchant, &sale.purchase->oi.xid), "stepping");
    test_sale_clear(&sale);
    market.lies++;
}

static void tell_nothing(const struct test_question *q, const void *arg,
                         struct setpay_buffer *answer)
{
    (void)q;
    (void)arg;
    (void)answer;
}

/* A payment waits behind a capture that the gateway does not answer, and what it is of is over
 * before it could leave: it is withdrawn, and the gateway never hears of it. */
static void test_what_waits_does_not_leave_after_the_end(void **state)
{
    const struct test_lie silence = {.to = SETPAY_MESSAGE_CAP_REQ, .tell = tell_nothing};
    char sql[200], hex[SETPAY_ID_TEXT_SIZE];
    struct test_sale sale;
    (void)state;
    test_lied_agree(&market, FIRST, &sale);
    test_false_gateway_lie(liar, &silence);
    json_decref(test_daemon_control(&market.merchant->daemon, "order.capture",
                                    json_pack("{s:s, s:i, s:s}", "order_id", sale.order.id,
                                              "amount", FIRST, "currency", "EUR")));
    test_lied_wait_told(liar, 1);
    ask_next(&sale);
    (void)snprintf(sql, sizeof sql,
                   "UPDATE agreement SET ended = %d, ended_ms = 1 WHERE purchase_id ="
                   " (SELECT id FROM purchase WHERE xid = x'%s')",
                   SETPAY_ENDED_EXPIRED, setpay_id_format(&sale.purchase->oi.xid, hex));
    test_daemon_execute(&market.merchant->daemon, sql);
    test_false_gateway_behave(liar);
    test_merchantd_wait_state(market.merchant, &sale.purchase->oi.xid, "captured");
    (void)snprintf(sql, sizeof sql,
                   "SELECT code FROM step JOIN purchase ON purchase.id = purchase_id WHERE kind ="
                   " %d AND step.state = 3 AND xid = x'%s'",
                   SETPAY_MERCHANT_STEP_AUTHORISE, hex);
    assert_int_equal(test_daemon_number(&market.merchant->daemon, sql), SETPAY_WIRE_AGREEMENT);
    (void)snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM payment WHERE xid = x'%s'", hex);
    assert_int_equal(test_gateway_number(gateway, sql), 1);
    (void)snprintf(sql, sizeof sql,
                   "SELECT COUNT(*) FROM gateway_request JOIN purchase ON purchase.id ="
                   " purchase_id WHERE kind = 8 AND xid = x'%s'",
                   hex);
    assert_int_equal(test_daemon_number(&market.merchant->daemon, sql), 0);
    test_sale_clear(&sale);
}

/* ------------------------------------------------------------------ the world */

static int open_world(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    liar = test_false_gateway_new(gateway);
    other_gateway =
        test_party_new(gateway->pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "gateway-2", NULL);
    test_market_open_with(&market, gateway, test_false_gateway_address(liar), "5m");
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    test_daemon_kill(&market.merchant->daemon);
    test_false_gateway_free(liar);
    test_party_free(other_gateway);
    test_market_close(&market);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_false_further_payments),
        cmocka_unit_test(test_what_waits_does_not_leave_after_the_end),
        cmocka_unit_test(test_a_further_payment_of_more),
    };
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
