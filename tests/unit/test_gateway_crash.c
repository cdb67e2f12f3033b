/*
 * The gateway dies at each place where it has just decided, written or sent something, and starts
 * again (rules G6, G7, A6): there is one payment, the issuer holds what was approved and nothing
 * else, every reversal is acknowledged, and the merchant's repeat has one answer for ever.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/wire/messages.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AMOUNT 1250

static struct test_gateway *gateway;
static struct test_cardholder *holder;

static struct test_purchase *new_purchase(void)
{
    const struct test_purchase_parties parties = test_gateway_parties(gateway, 0);
    struct test_purchase *p =
        test_purchase_new(&parties, holder, AMOUNT, "EUR", setpay_clock_now_ms());
    test_purchase_sign(p);
    return p;
}

static struct test_line *connect_shop(void)
{
    struct test_line *line = test_line_new(gateway, gateway->shop[0].tls, "visa");
    assert_non_null(line);
    return line;
}

static void arm(const char *point, int count)
{
    json_decref(test_gateway_control(gateway, "testing.crash",
                                     json_pack("{s:s, s:i}", "point", point, "count", count)));
}

/* Sends it to a gateway that dies of it, and starts that again. */
static void send_and_crash(struct setpay_view message, const char *point, int count)
{
    struct test_line *line = connect_shop();
    struct setpay_buffer answer;
    uint64_t id = 0;
    arm(point, count);
    test_line_send(line, 1, message);
    if (test_line_receive(line, &id, &answer)) /* it may have died behind its answer */
        print_message("# answered, then died at %s\n", point);
    setpay_buffer_clear(&answer);
    test_gateway_wait_killed(gateway);
    test_line_free(line);
    test_gateway_start(gateway, NULL);
}

static void ask(struct setpay_view message, struct setpay_buffer *answer)
{
    struct test_line *line = connect_shop();
    test_line_ask(line, message, answer);
    test_line_free(line);
}

static struct setpay_auth_res read_auth_res(struct setpay_view bytes)
{
    struct setpay_message message;
    struct setpay_auth_res res;
    assert_int_equal(setpay_message_parse(bytes, &message), SETPAY_OK);
    assert_int_equal(message.type, SETPAY_MESSAGE_AUTH_RES);
    assert_int_equal(setpay_auth_res_parse(message.content, &res), SETPAY_OK);
    setpay_message_clear(&message);
    return res;
}

/* The same request twice: one answer, one payment; the issuer's books agree with it. */
static void check_outcome(const struct test_purchase *p, struct setpay_view message,
                          enum setpay_auth_outcome expected)
{
    struct setpay_buffer first, second;
    char hex[SETPAY_ID_TEXT_SIZE];
    char sql[160];
    int64_t held = 0;
    ask(message, &first);
    ask(message, &second);
    assert_true(setpay_view_equal(setpay_buffer_view(&first), setpay_buffer_view(&second)));
    assert_int_equal(read_auth_res(setpay_buffer_view(&first)).outcome, expected);
    test_gateway_wait_acknowledged(gateway);
    assert_true(test_gateway_books(gateway, &p->auth.xid, &held) <= 1);
    assert_int_equal(held, expected == SETPAY_AUTH_APPROVED ? AMOUNT : 0);
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM payment WHERE xid = x'%s'",
                   setpay_id_format(&p->auth.xid, hex));
    assert_int_equal(test_gateway_number(gateway, sql), 1);
    assert_int_equal(test_gateway_number(gateway, "SELECT count(*) FROM payment WHERE state = 1"),
                     0);
    setpay_buffer_clear(&first);
    setpay_buffer_clear(&second);
}

struct crash {
    const char *point;
    int count; /* the booking is the first operation, the outcome the second */
    enum setpay_auth_outcome expected;
};

static void authorises_across_a_kill(void **state)
{
    static const struct crash crashes[] = {
        {"net.receive", 1, SETPAY_AUTH_APPROVED}, /* nothing was booked: asked again */
        {"store.write", 1, SETPAY_AUTH_APPROVED},
        {"store.commit", 1, SETPAY_AUTH_APPROVED},
        {"store.committed", 1, SETPAY_AUTH_DECLINED}, /* booked, and nobody knows what came of it */
        {"auth.booked", 1, SETPAY_AUTH_DECLINED},
        {"line.send", 1, SETPAY_AUTH_DECLINED},
        {"line.receive", 1, SETPAY_AUTH_DECLINED},
        {"store.write", 2, SETPAY_AUTH_DECLINED},
        {"store.commit", 2, SETPAY_AUTH_DECLINED},
        {"store.committed", 2, SETPAY_AUTH_APPROVED}, /* the outcome stands */
        {"net.send", 1, SETPAY_AUTH_APPROVED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        struct test_purchase *p = new_purchase();
        struct setpay_buffer message;
        print_message("# %s:%d\n", crashes[i].point, crashes[i].count);
        test_purchase_auth_req(p, &message);
        send_and_crash(setpay_buffer_view(&message), crashes[i].point, crashes[i].count);
        check_outcome(p, setpay_buffer_view(&message), crashes[i].expected);
        setpay_buffer_clear(&message);
        test_purchase_free(p);
    }
}

static void voids_across_a_kill(void **state)
{
    static const char *const points[] = {"store.write", "store.commit", "store.committed",
                                         "net.send"};
    (void)state;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct test_purchase *p = new_purchase();
        struct setpay_buffer message;
        p->auth.intent = SETPAY_INTENT_VOID;
        test_purchase_auth_req(p, &message);
        send_and_crash(setpay_buffer_view(&message), points[i], 1);
        check_outcome(p, setpay_buffer_view(&message), SETPAY_AUTH_VOIDED);
        setpay_buffer_clear(&message);
        test_purchase_free(p);
    }
}

/* Dies while it takes up what an earlier death has left, at every step of that too. */
static void recovers_across_a_kill(void **state)
{
    static const char *const again[] = {"store.write:1", "store.commit:1", "store.committed:1",
                                        "line.send:1", "line.receive:1"};
    (void)state;
    for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
        struct test_purchase *p = new_purchase();
        struct test_line *line = connect_shop();
        struct setpay_buffer message, answer;
        uint64_t id = 0;
        print_message("# %s\n", again[i]);
        test_purchase_auth_req(p, &message);
        arm("line.receive", 1); /* the issuer holds the amount, the gateway has not heard of it */
        test_line_send(line, 1, setpay_buffer_view(&message));
        assert_false(test_line_receive(line, &id, &answer));
        setpay_buffer_clear(&answer);
        test_gateway_wait_killed(gateway);
        test_line_free(line);
        test_gateway_launch(gateway, again[i]);
        test_gateway_wait_killed(gateway);
        test_gateway_start(gateway, NULL);
        check_outcome(p, setpay_buffer_view(&message), SETPAY_AUTH_DECLINED);
        setpay_buffer_clear(&message);
        test_purchase_free(p);
    }
}

static void reversal_message(const struct test_purchase *p, const struct setpay_auth_res *res,
                             struct setpay_buffer *message)
{
    struct setpay_auth_rev_req request = {.xid = p->auth.xid, .cap_token = res->cap_token};
    struct setpay_buffer content;
    request.header = p->auth.header;
    assert_int_equal(setpay_id_random(&request.header.rrpid), SETPAY_OK);
    request.amount = p->auth.amount;
    memcpy(request.brand, p->auth.brand, sizeof request.brand);
    memcpy(request.merchant_id, p->auth.merchant_id, sizeof request.merchant_id);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_auth_rev_req_build(&request, &content), SETPAY_OK);
    test_merchant_message(SETPAY_MESSAGE_AUTH_REV_REQ, gateway->shop[0].sign,
                          setpay_buffer_view(&content), message);
    setpay_buffer_clear(&content);
}

static void reverses_across_a_kill(void **state)
{
    /* the second operation marks the reversal as acknowledged */
    static const struct crash crashes[] = {
        {"store.commit", 1, 0}, {"store.committed", 1, 0}, {"line.send", 1, 0},
        {"line.receive", 1, 0}, {"store.commit", 2, 0},    {"store.committed", 2, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        struct test_purchase *p = new_purchase();
        struct setpay_buffer message, answer, reversal, again;
        int64_t held = 0;
        print_message("# %s:%d\n", crashes[i].point, crashes[i].count);
        test_purchase_auth_req(p, &message);
        ask(setpay_buffer_view(&message), &answer);
        const struct setpay_auth_res res = read_auth_res(setpay_buffer_view(&answer));
        assert_int_equal(res.outcome, SETPAY_AUTH_APPROVED);
        setpay_buffer_clear(&answer);
        reversal_message(p, &res, &reversal);
        send_and_crash(setpay_buffer_view(&reversal), crashes[i].point, crashes[i].count);
        ask(setpay_buffer_view(&reversal), &answer);
        ask(setpay_buffer_view(&reversal), &again);
        assert_true(setpay_view_equal(setpay_buffer_view(&answer), setpay_buffer_view(&again)));
        test_gateway_wait_acknowledged(gateway);
        assert_int_equal(test_gateway_books(gateway, &p->auth.xid, &held), 1);
        assert_int_equal(held, 0);
        setpay_buffer_clear(&message);
        setpay_buffer_clear(&reversal);
        setpay_buffer_clear(&answer);
        setpay_buffer_clear(&again);
        test_purchase_free(p);
    }
}

static void drains(void **state)
{
    /* SIGTERM with a request under way: it is answered, then the gateway ends */
    struct test_purchase *p = new_purchase();
    struct test_line *line = connect_shop();
    struct setpay_buffer message, answer;
    uint64_t id = 0;
    (void)state;
    test_purchase_auth_req(p, &message);
    json_decref(test_gateway_issuer(gateway, "script", json_pack("{s:i}", "latency_ms", 300)));
    test_line_send(line, 7, setpay_buffer_view(&message));
    int64_t until = setpay_clock_monotonic_ms() + 30000;
    while (test_gateway_number(gateway, "SELECT count(*) FROM payment WHERE state = 1") == 0) {
        assert_true(setpay_clock_monotonic_ms() < until);
        (void)usleep(2000);
    }
    test_gateway_stop(gateway);
    assert_true(test_line_receive(line, &id, &answer));
    assert_int_equal(id, 7);
    assert_int_equal(read_auth_res(setpay_buffer_view(&answer)).outcome, SETPAY_AUTH_APPROVED);
    setpay_buffer_clear(&answer);
    test_line_free(line);
    json_decref(test_gateway_issuer(gateway, "script", json_pack("{s:i}", "latency_ms", 0)));
    test_gateway_start(gateway, NULL);
    check_outcome(p, setpay_buffer_view(&message), SETPAY_AUTH_APPROVED);
    setpay_buffer_clear(&message);
    test_purchase_free(p);
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    holder = test_cardholder_new(gateway->pki, "visa", "4242424242424242", "3012", "123");
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    test_cardholder_free(holder);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(authorises_across_a_kill),
        cmocka_unit_test(voids_across_a_kill),
        cmocka_unit_test(recovers_across_a_kill),
        cmocka_unit_test(reverses_across_a_kill),
        cmocka_unit_test(drains),
    };
    test_alarm(240);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
