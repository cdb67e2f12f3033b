/*
 * Many requests under way on one connection of a merchant: each is answered when its own issuer has
 * answered, whatever the ones before it wait for.
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

#define REQUESTS 64
#define NEVER_ANSWERS "4000000000090201"
#define APPROVES "4242424242424242"

static struct test_gateway *gateway;

/* Long enough that a busy machine answers all the others first. */
static void wait_longer_for_issuers(void)
{
    char command[256];
    test_gateway_stop(gateway);
    assert_true(snprintf(command, sizeof command,
                         "sed -i 's/^auth_timeout = .*/auth_timeout = 15s/' %s/gateway.conf",
                         gateway->folder) < (int)sizeof command);
    assert_int_equal(system(command), 0);
    test_gateway_start(gateway, NULL);
}

static enum setpay_auth_outcome outcome_of(struct setpay_view answer)
{
    struct setpay_message message;
    struct setpay_auth_res *res = calloc(1, sizeof *res);
    assert_non_null(res);
    assert_int_equal(setpay_message_parse(answer, &message), SETPAY_OK);
    assert_int_equal(message.type, SETPAY_MESSAGE_AUTH_RES);
    assert_int_equal(setpay_auth_res_parse(message.content, res), SETPAY_OK);
    enum setpay_auth_outcome outcome = res->outcome;
    setpay_message_clear(&message);
    free(res);
    return outcome;
}

static void send_purchase(struct test_line *line, const struct test_cardholder *cardholder,
                          uint64_t id)
{
    const struct test_purchase_parties parties = test_gateway_parties(gateway, 0);
    struct test_purchase *p =
        test_purchase_new(&parties, cardholder, 1000 + (int64_t)id, "EUR", setpay_clock_now_ms());
    struct setpay_buffer message;
    test_purchase_sign(p);
    test_purchase_auth_req(p, &message);
    test_line_send(line, id, setpay_buffer_view(&message));
    setpay_buffer_clear(&message);
    test_purchase_free(p);
}

static void the_first_holds_back_nobody(void **state)
{
    struct test_cardholder *silent =
        test_cardholder_new(gateway->pki, "visa", NEVER_ANSWERS, "3012", "");
    struct test_cardholder *holder =
        test_cardholder_new(gateway->pki, "visa", APPROVES, "3012", "123");
    struct test_line *line = test_line_new(gateway, gateway->shop[0].tls, "visa");
    bool answered[REQUESTS] = {false};
    (void)state;
    assert_non_null(line);

    send_purchase(line, silent, 0);
    for (uint64_t id = 1; id < REQUESTS; id++)
        send_purchase(line, holder, id);
    for (unsigned i = 0; i < REQUESTS; i++) {
        struct setpay_buffer answer;
        uint64_t id = REQUESTS;
        assert_true(test_line_receive(line, &id, &answer));
        assert_true(id < REQUESTS && !answered[id]);
        answered[id] = true;
        /* Sent first, answered last: the issuer's silence is only its own request's. */
        assert_int_equal(id == 0, i == REQUESTS - 1);
        assert_int_equal(outcome_of(setpay_buffer_view(&answer)),
                         id == 0 ? SETPAY_AUTH_DECLINED : SETPAY_AUTH_APPROVED);
        setpay_buffer_clear(&answer);
    }
    test_line_free(line);
    test_cardholder_free(silent);
    test_cardholder_free(holder);
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    wait_longer_for_issuers();
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_holds_back_nobody),
    };
    test_alarm(120);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
