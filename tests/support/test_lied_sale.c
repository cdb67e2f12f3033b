/*
 * Sales to a gateway that lies.
 */
#include "tests/support/test_lied_sale.h"

#include "common/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

void test_lied_sale_start(struct test_market *market, struct test_false_gateway *liar,
                          const struct test_lie *lie, struct test_lied_sale *lied)
{
    struct setpay_buffer message;
    test_sale_make(market, market->holder, &lied->sale);
    test_purchase_sign(lied->sale.purchase);
    test_purchase_preq(lied->sale.purchase, &message);
    test_false_gateway_hold(liar, lie);
    lied->channel = test_channel_new(market->merchant);
    test_channel_post(lied->channel, setpay_buffer_view(&message));
    test_false_gateway_wait_held(liar, &lied->rrpid);
    test_standing_take(market->merchant, &lied->before);
    setpay_buffer_clear(&message);
}

const char *test_lied_sale_tell(struct test_market *market, struct test_false_gateway *liar,
                                struct test_lied_sale *lied, const char *event)
{
    const char *words = "";
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    test_false_gateway_release(liar);
    market->lies++;
    while (words[0] == '\0' && setpay_clock_monotonic_ms() < until) {
        words = test_daemon_refusal(&market->merchant->daemon, event, &lied->rrpid);
        if (words[0] == '\0')
            (void)usleep(TEST_POLL_US);
    }
    return words;
}

void test_lied_sale_end(struct test_market *market, struct test_false_gateway *liar,
                        struct test_lied_sale *lied, const struct test_end *end)
{
    struct setpay_buffer answer;
    test_false_gateway_behave(liar);
    test_channel_answer(lied->channel, &answer);
    test_sale_expect(market, &lied->sale, setpay_buffer_view(&answer), end);
    setpay_buffer_clear(&answer);
    test_channel_free(lied->channel);
    test_sale_clear(&lied->sale);
}

void test_lied_sale(struct test_market *market, struct test_false_gateway *liar,
                    const struct test_lie *lie, const char *expected, const char *or_expected)
{
    struct test_lied_sale lied;
    test_lied_sale_start(market, liar, lie, &lied);
    const struct setpay_id *xid = &lied.sale.purchase->oi.xid;
    struct test_order order = lied.sale.order;
    const char *words = test_lied_sale_tell(market, liar, &lied, "gateway.no_answer");
    bool as_expected =
        strcmp(words, expected) == 0 || (or_expected != NULL && strcmp(words, or_expected) == 0);
    if (!as_expected)
        print_message("# the log says \"%s\"\n", words);
    const char *moved = test_standing_moved(market->merchant, &lied.before);
    bool is_open = strcmp(test_merchantd_state(market->merchant, xid), "asking") == 0;
    test_lied_sale_end(market, liar, &lied, &test_end_authorised);
    assert_true(as_expected);
    assert_null(moved);
    assert_true(is_open);
    assert_string_equal(test_merchantd_order_status(market->merchant, &order), "authorised");
}
