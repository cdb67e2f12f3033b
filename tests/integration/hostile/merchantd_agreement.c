/*
 * A lying gateway before a running merchant that takes further payments of an agreement: an AuthRes
 * by AuthToken that does not fit in everything is as if nothing had come, and one that fits, but is
 * of more than was asked, is booked and taken back (rule M6).
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "merchant/store/payment_port.h"
#include "tests/support/test_false_answer.h"
#include "tests/support/test_lied_sale.h"

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

static void wait_told(unsigned more)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    unsigned enough = test_false_gateway_told(liar) + more;
    while (test_false_gateway_told(liar) < enough) {
        assert_true(setpay_clock_monotonic_ms() < until);
        (void)usleep(TEST_POLL_US);
    }
}

static struct setpay_id newest_rrpid(void)
{
    struct setpay_id rrpid = {{0}};
    size_t size = 0;
    uint8_t *bytes =
        test_daemon_bytes(&market.merchant->daemon,
                          "SELECT rrpid FROM gateway_request ORDER BY id DESC LIMIT 1", &size);
    assert_non_null(bytes);
    assert_int_equal(setpay_id_from_view(setpay_view_of(bytes, size), &rrpid), SETPAY_OK);
    free(bytes);
    return rrpid;
}

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

/* The lie is told again and again, and nothing moves: then the truth, and it is done. */
static void expect_nothing(const struct test_sale *sale, const char *expected, const char *then)
{
    struct test_standing before;
    const struct setpay_id *xid = &sale->purchase->oi.xid;
    wait_told(2);
    struct setpay_id rrpid = newest_rrpid();
    test_standing_take_but_answers(market.merchant, &before);
    wait_told(2);
    assert_null(test_standing_moved(market.merchant, &before));
    assert_string_equal(test_merchantd_state(market.merchant, xid), "stepping");
    if (expected != NULL)
        assert_string_equal(test_daemon_wait_refusal(&market.merchant->daemon, "gateway.no_answer",
                                                     &rrpid, expected, NULL),
                            expected);
    test_false_gateway_behave(liar);
    test_merchantd_wait_state(market.merchant, xid, then);
    market.lies++;
}

/* An order to be shipped in parts, of which the first is authorised. */
static void agree(struct test_sale *sale)
{
    static const struct test_end authorised = {SETPAY_MESSAGE_P_RES, SETPAY_STATUS_AUTHORISED,
                                               SETPAY_RECEIPT_AUTHORISATION, 1, FIRST};
    struct setpay_buffer message, answer;
    char body[192];
    (void)snprintf(body, sizeof body,
                   "{\"description\":\"in parts\",\"amount\":%d,\"currency\":\"EUR\","
                   "\"terms\":{\"kind\":\"split\",\"first\":%d}}",
                   TEST_PRICE, FIRST);
    struct test_order order = test_merchantd_order_of(market.merchant, body);
    test_sale_again(&market, &order, market.holder, sale);
    test_purchase_sign(sale->purchase);
    test_purchase_preq(sale->purchase, &message);
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &answer);
    test_sale_expect(&market, sale, setpay_buffer_view(&answer), &authorised);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
}

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
        agree(&sale);
        test_false_gateway_lie(liar, &lie);
        ask_next(&sale);
        expect_nothing(&sale, rows[i].expected, "authorised");
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
    agree(&sale);
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
        cmocka_unit_test(test_a_further_payment_of_more),
    };
    alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
