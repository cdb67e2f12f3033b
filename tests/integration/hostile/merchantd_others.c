/*
 * What was said to one merchant is said to another: the exact bytes of a shopper's requests to one
 * shop at a second, and the gateway's answer to one shop in place of the answer to a second. Both
 * are real merchants, honest, of the same brand and gateway, with keys and a database each.
 *
 * The second refuses by the rule's own error, before and after a restart; no row moves at either,
 * at gateway or issuer, and the gateway is asked nothing. What is true goes on: the first shop's
 * purchase ends where it was meant to, and the second sells to its own shoppers.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
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

#define LIMIT_S 120

static struct test_market shop, other;
static struct test_gateway *gateway;
static struct test_false_gateway *liar; /* both ask it; it says the truth unless told otherwise */

/* ------------------------------------------------------------------ what shoppers say */

/* Gives the shop's shopper's bytes to the other merchant: its refusal, and nothing moves. Where
 * what they name does not exist there, it does not know under which brand it would sign. */
static void tell_other(struct setpay_view message, const struct setpay_id *rrpid,
                       const char *expected, bool is_signed)
{
    const struct test_attack attack = {.message = message,
                                       .expected = expected,
                                       .rrpid = rrpid,
                                       .signer = is_signed ? gateway->other.sign : NULL};
    struct test_standing first;
    unsigned questions = test_false_gateway_questions(liar);
    test_standing_take(shop.merchant, &first);
    test_market_attack(&other, &attack);
    assert_null(test_standing_moved(shop.merchant, &first));
    assert_int_equal(test_false_gateway_questions(liar), questions);
}

static void restart_other(void)
{
    test_daemon_stop(&other.merchant->daemon);
    test_daemon_start(&other.merchant->daemon, NULL);
    test_market_reconnect(&other);
}

static void sell_at_other(void)
{
    struct test_sale sale;
    test_sale_make(&other, other.holder, &sale);
    test_sale_pay(&other, &sale);
    test_sale_inquire(&other, &sale, setpay_clock_now_ms(), &test_end_authorised);
    test_sale_clear(&sale);
}

/* rules A6, M1: a PReq that its own merchant has not seen, has answered, and has answered
 * before the other was started anew. */
static void a_preq_is_for_one_merchant(void **state)
{
    struct test_sale sale;
    struct setpay_buffer preq, answer, again;
    (void)state;
    test_sale_make(&shop, shop.holder, &sale);
    test_purchase_sign(sale.purchase);
    test_purchase_preq(sale.purchase, &preq);
    struct setpay_view bytes = setpay_buffer_view(&preq);
    const struct setpay_id *rrpid = &sale.purchase->oi.rrpid;
    tell_other(bytes, rrpid, "OFFER_UNKNOWN M1", false);
    test_channel_ask(test_market_channel(&shop), bytes, &answer);
    test_sale_expect(&shop, &sale, setpay_buffer_view(&answer), &test_end_authorised);
    tell_other(bytes, rrpid, "OFFER_UNKNOWN M1", false);
    sell_at_other();
    restart_other();
    tell_other(bytes, rrpid, "OFFER_UNKNOWN M1", false);
    assert_string_equal(test_merchantd_state(other.merchant, &sale.purchase->oi.xid), "none");
    test_channel_ask(test_market_channel(&shop), bytes, &again);
    assert_true(setpay_view_equal(setpay_buffer_view(&answer), setpay_buffer_view(&again)));
    sell_at_other();
    setpay_buffer_clear(&preq);
    setpay_buffer_clear(&answer);
    setpay_buffer_clear(&again);
    test_sale_clear(&sale);
}

/* rule M1: nobody else is asked how a purchase stands. */
static void an_inquiry_is_for_one_merchant(void **state)
{
    struct test_sale sale;
    struct test_inquiry inquiry;
    struct setpay_buffer message;
    (void)state;
    test_sale_make(&shop, shop.holder, &sale);
    test_sale_pay(&shop, &sale);
    test_inquiry_fill(sale.purchase, setpay_clock_now_ms(), &inquiry);
    test_inquiry_message(&inquiry, &message);
    tell_other(setpay_buffer_view(&message), &inquiry.request.header.rrpid, "OFFER_UNKNOWN M1",
               false);
    restart_other();
    tell_other(setpay_buffer_view(&message), &inquiry.request.header.rrpid, "OFFER_UNKNOWN M1",
               false);
    test_sale_inquire(&shop, &sale, setpay_clock_now_ms(), &test_end_authorised);
    setpay_buffer_clear(&message);
    test_sale_clear(&sale);
}

/* A link to one shop's order opens nothing at another's. */
static void a_link_is_for_one_merchant(void **state)
{
    struct setpay_pinit_req request;
    struct setpay_buffer message;
    (void)state;
    struct test_order order = test_merchantd_order(shop.merchant, TEST_PRICE, "EUR", 3600);
    test_pinit_fill(&order, "visa", setpay_clock_now_ms(), &request);
    test_pinit_message(&request, &message);
    tell_other(setpay_buffer_view(&message), &request.header.rrpid, "NOT_FOUND", true);
    setpay_buffer_clear(&message);
}

/* ------------------------------------------------------------------ what the gateway says */

static struct setpay_buffer kept;

static void must(enum setpay_error error)
{
    if (error != SETPAY_OK)
        abort(); /* on a thread of the lying gateway, where no test can fail */
}

static void keep_answer(const struct test_question *q, const void *arg,
                        struct setpay_buffer *answer)
{
    (void)arg;
    must(setpay_buffer_set(answer, q->truth));
    must(setpay_buffer_set(&kept, q->truth));
}

static void tell_kept(const struct test_question *q, const void *arg, struct setpay_buffer *answer)
{
    (void)q, (void)arg;
    must(setpay_buffer_set(answer, setpay_buffer_view(&kept)));
}

/* The answer to one's AuthReq, to the byte, as answer to the other's. The question is repeated, so
 * that the lie is told again and again; the truth then ends it. */
static void answer_with_anothers(struct test_market *one, struct test_market *two)
{
    const struct test_lie keep = {.to = SETPAY_MESSAGE_AUTH_REQ, .tell = keep_answer};
    const struct test_lie lie = {.to = SETPAY_MESSAGE_AUTH_REQ, .tell = tell_kept};
    struct test_sale sale;
    struct setpay_message message;
    struct setpay_auth_res res;
    test_sale_make(one, one->holder, &sale);
    test_false_gateway_lie(liar, &keep);
    test_sale_pay(one, &sale);
    assert_int_equal(test_false_gateway_told(liar), 1);
    test_false_gateway_behave(liar);
    /* it is what it is said to be: an approval of one's purchase, for one */
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&kept), &message), SETPAY_OK);
    assert_int_equal(message.type, SETPAY_MESSAGE_AUTH_RES);
    assert_int_equal(setpay_auth_res_parse(message.content, &res), SETPAY_OK);
    assert_true(setpay_id_equal(&res.xid, &sale.purchase->oi.xid));
    assert_true(
        setpay_digest_equal(&res.header.receiver, &one->merchant->shops[0].sign->thumbprint));
    setpay_message_clear(&message);

    char *rows = test_daemon_dump(&one->merchant->daemon);
    test_lied_sale(two, liar, &lie, "ANSWER_IDS A4", NULL);
    char *now = test_daemon_dump(&one->merchant->daemon);
    assert_string_equal(now, rows);
    free(rows);
    free(now);
    test_sale_inquire(one, &sale, setpay_clock_now_ms(), &test_end_authorised);
    test_sale_clear(&sale);
}

/* rule A4 */
static void an_auth_res_is_for_one_merchant(void **state)
{
    (void)state;
    answer_with_anothers(&shop, &other);
    answer_with_anothers(&other, &shop);
}

/* ------------------------------------------------------------------ the program */

static int open_world(void **state)
{
    (void)state;
    setpay_buffer_init(&kept, SETPAY_LIMIT_MESSAGE_BYTES);
    gateway = test_gateway_new();
    liar = test_false_gateway_new(gateway);
    test_market_open_with(&shop, gateway, test_false_gateway_address(liar), "1h");
    test_market_open_beside(&other, &shop, test_false_gateway_address(liar), "1h");
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    test_daemon_kill(&shop.merchant->daemon);
    test_daemon_kill(&other.merchant->daemon);
    test_false_gateway_free(liar);
    setpay_buffer_clear(&kept);
    shop.lies += test_market_close_beside(&other);
    test_market_close(&shop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_preq_is_for_one_merchant),
        cmocka_unit_test(an_inquiry_is_for_one_merchant),
        cmocka_unit_test(a_link_is_for_one_merchant),
        cmocka_unit_test(an_auth_res_is_for_one_merchant),
    };
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return _cmocka_run_group_tests("merchantd_others", tests, sizeof tests / sizeof *tests,
                                   open_world, close_world);
}
