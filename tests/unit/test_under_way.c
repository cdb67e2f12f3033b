/*
 * What may happen to an authorisation while the issuer is silent: its identifier is held (rule A6),
 * and a drain waits for its outcome though the merchant's connection has gone (rule G7).
 */
#include "common/base/money.h"
#include "gateway/payment/payment_state.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_limit.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SILENT_PAN "4000000000090201"

static struct test_gateway *gateway;
static struct test_cardholder *holder;

static struct test_purchase *new_purchase(void)
{
    const struct test_purchase_parties parties = test_gateway_parties(gateway, 0);
    struct test_purchase *p =
        test_purchase_new(&parties, holder, 1250, "EUR", setpay_clock_now_ms());
    test_purchase_sign(p);
    return p;
}

/* Sends AuthReq, and waits until its payment is booked. */
static struct test_line *ask(const struct test_purchase *p)
{
    struct setpay_buffer message;
    struct test_line *line = test_line_new(gateway, gateway->shop[0].tls, "visa");
    int64_t booked = test_gateway_number(gateway, "SELECT COUNT(*) FROM payment");
    test_purchase_auth_req(p, &message);
    test_line_send(line, 7, setpay_buffer_view(&message));
    while (test_gateway_number(gateway, "SELECT COUNT(*) FROM payment") == booked)
        poll(NULL, 0, 5); /* the alarm of main ends a wait that hangs */
    setpay_buffer_clear(&message);
    return line;
}

static void expect_rrpid_reused(struct setpay_view message, const struct setpay_id *rrpid)
{
    struct setpay_buffer answer;
    struct setpay_message error;
    struct test_line *line = test_line_new(gateway, gateway->shop[0].tls, "visa");
    test_line_ask(line, message, &answer);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&answer), &error), SETPAY_OK);
    assert_int_equal(error.type, SETPAY_MESSAGE_ERROR);
    assert_string_equal(test_gateway_refusal(gateway, rrpid), "RRPID_REUSED A6");
    setpay_message_clear(&error);
    setpay_buffer_clear(&answer);
    test_line_free(line);
}

/* A certificate request with the identifier of an authorisation. */
static void pcert_req(const struct setpay_id *rrpid, struct setpay_buffer *message)
{
    struct setpay_pcert_req request = {0};
    struct setpay_buffer content;
    request.header.rrpid = *rrpid;
    request.header.date_ms = setpay_clock_now_ms();
    request.header.has_sender = true;
    request.header.sender = gateway->shop[0].sign->thumbprint;
    (void)snprintf(request.header.receiver_name, sizeof request.header.receiver_name, "%s",
                   TEST_GATEWAY_ID);
    (void)snprintf(request.brand, sizeof request.brand, "visa");
    (void)snprintf(request.merchant_id, sizeof request.merchant_id, "%s", TEST_GATEWAY_MERCHANT);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_pcert_req_build(&request, &content), SETPAY_OK);
    test_merchant_message(SETPAY_MESSAGE_PCERT_REQ, gateway->shop[0].sign,
                          setpay_buffer_view(&content), message);
    setpay_buffer_clear(&content);
}

/* rule A6: were another answer kept under the identifier, the outcome could never be */
static void its_identifier_is_held(void **state)
{
    struct test_purchase *first = new_purchase(), *second = new_purchase();
    struct setpay_buffer message, answer;
    struct setpay_message parsed;
    uint64_t id = 0;
    (void)state;
    struct test_line *line = ask(first);
    pcert_req(&first->auth.header.rrpid, &message);
    expect_rrpid_reused(setpay_buffer_view(&message), &first->auth.header.rrpid);
    setpay_buffer_clear(&message);
    second->auth.header.rrpid = first->auth.header.rrpid;
    test_purchase_auth_req(second, &message);
    expect_rrpid_reused(setpay_buffer_view(&message), &first->auth.header.rrpid);
    setpay_buffer_clear(&message);
    assert_true(test_line_receive(line, &id, &answer));
    assert_int_equal(id, 7);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&answer), &parsed), SETPAY_OK);
    assert_int_equal(parsed.type, SETPAY_MESSAGE_AUTH_RES);
    setpay_message_clear(&parsed);
    setpay_buffer_clear(&answer);
    test_line_free(line);
    test_purchase_free(first);
    test_purchase_free(second);
}

/* rule G7: the outcome is kept before the daemon ends, not left to the next start */
static void a_drain_waits_for_its_outcome(void **state)
{
    struct test_purchase *p = new_purchase();
    char sql[160];
    (void)state;
    int64_t reversals = test_gateway_number(gateway, "SELECT COUNT(*) FROM reversal");
    int64_t answers = test_gateway_number(gateway, "SELECT COUNT(*) FROM answer");
    test_line_free(ask(p));
    test_gateway_stop(gateway);
    (void)snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM payment WHERE state = %d",
                   SETPAY_PAYMENT_ASKING);
    assert_int_equal(test_gateway_number(gateway, sql), 0);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM reversal"), reversals + 1);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM answer"), answers + 1);
    test_gateway_start(gateway, NULL);
    assert_int_equal(test_gateway_log_count(gateway, "event=auth.recovered"), 0);
    test_purchase_free(p);
}

static int set_up(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    holder = test_cardholder_new(gateway->pki, "visa", SILENT_PAN, "3012", "123");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_cardholder_free(holder);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_identifier_is_held),
        cmocka_unit_test(a_drain_waits_for_its_outcome),
    };
    test_alarm(60);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
