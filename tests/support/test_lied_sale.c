/*
 * Sales to a gateway that lies.
 */
#include "tests/support/test_lied_sale.h"

#include "common/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
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
    /* rule M5: purchase and question are stored when the question arrives */
    assert_string_equal(test_merchantd_state(market->merchant, &lied->sale.purchase->oi.xid),
                        "asking");
    char sql[128], hex[SETPAY_ID_TEXT_SIZE];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM gateway_request WHERE rrpid = x'%s'",
                   setpay_id_format(&lied->rrpid, hex));
    assert_int_equal(test_daemon_number(&market->merchant->daemon, sql), 1);
    test_standing_take(market->merchant, &lied->before);
    setpay_buffer_clear(&message);
}

const char *test_lied_sale_tell(struct test_market *market, struct test_false_gateway *liar,
                                const struct test_lied_sale *lied, const char *expected,
                                const char *or_expected)
{
    test_false_gateway_release(liar);
    market->lies++;
    return test_daemon_wait_refusal(&market->merchant->daemon, "gateway.no_answer", &lied->rrpid,
                                    expected, or_expected);
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
    const char *words = test_lied_sale_tell(market, liar, &lied, expected, or_expected);
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

/* ------------------------------------------------------------------ what follows a sale */

void test_lied_agree(struct test_market *market, int first_minor, struct test_sale *sale)
{
    const struct test_end authorised = {SETPAY_MESSAGE_P_RES, SETPAY_STATUS_AUTHORISED,
                                        SETPAY_RECEIPT_AUTHORISATION, 1, first_minor};
    struct setpay_buffer message, answer;
    char body[192];
    (void)snprintf(body, sizeof body,
                   "{\"description\":\"in parts\",\"amount\":%d,\"currency\":\"EUR\","
                   "\"terms\":{\"kind\":\"split\",\"first\":%d}}",
                   TEST_PRICE, first_minor);
    struct test_order order = test_merchantd_order_of(market->merchant, body);
    test_sale_again(market, &order, market->holder, sale);
    test_purchase_sign(sale->purchase);
    test_purchase_preq(sale->purchase, &message);
    test_channel_ask(test_market_channel(market), setpay_buffer_view(&message), &answer);
    test_sale_expect(market, sale, setpay_buffer_view(&answer), &authorised);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
}

void test_lied_wait_told(struct test_false_gateway *liar, unsigned more)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    unsigned enough = test_false_gateway_told(liar) + more;
    while (test_false_gateway_told(liar) < enough) {
        assert_true(setpay_clock_monotonic_ms() < until);
        (void)usleep(TEST_POLL_US);
    }
}

struct setpay_id test_lied_newest_rrpid(const struct test_market *market)
{
    struct setpay_id rrpid = {{0}};
    size_t size = 0;
    uint8_t *bytes =
        test_daemon_bytes(&market->merchant->daemon,
                          "SELECT rrpid FROM gateway_request ORDER BY id DESC LIMIT 1", &size);
    assert_non_null(bytes);
    assert_int_equal(setpay_id_from_view(setpay_view_of(bytes, size), &rrpid), SETPAY_OK);
    free(bytes);
    return rrpid;
}

void test_lied_expect_nothing(struct test_market *market, struct test_false_gateway *liar,
                              const struct test_sale *sale, const char *expected, const char *then)
{
    struct test_standing before;
    const struct setpay_id *xid = &sale->purchase->oi.xid;
    test_lied_wait_told(liar, 2);
    struct setpay_id rrpid = test_lied_newest_rrpid(market);
    test_standing_take_but_answers(market->merchant, &before);
    test_lied_wait_told(liar, 2);
    assert_null(test_standing_moved(market->merchant, &before));
    assert_string_equal(test_merchantd_state(market->merchant, xid), "stepping");
    if (expected != NULL)
        assert_string_equal(test_daemon_wait_refusal(&market->merchant->daemon, "gateway.no_answer",
                                                     &rrpid, expected, NULL),
                            expected);
    test_false_gateway_behave(liar);
    test_merchantd_wait_state(market->merchant, xid, then);
    market->lies++;
}

/* ------------------------------------------------------------------ scenes */

void test_scene_start(struct test_market *market, struct test_false_gateway *liar,
                      const struct test_lie *lie, struct test_scene *scene)
{
    struct setpay_buffer message;
    *scene = (struct test_scene){.market = market, .liar = liar};
    test_sale_make(market, market->holder, &scene->sale);
    struct test_purchase *p = scene->sale.purchase;
    p->oi.expiry_ms = p->pi.expiry_ms = p->now_ms + SETPAY_MINUTE_MS;
    test_purchase_sign(p);
    test_purchase_preq(p, &message);
    test_false_gateway_lie(liar, lie);
    scene->channel = test_channel_new(market->merchant);
    test_channel_post(scene->channel, setpay_buffer_view(&message));
    setpay_buffer_clear(&message);
    market->lies++;
}

void test_scene_set_clock(struct test_scene *scene, int64_t ahead_ms)
{
    test_merchantd_set_clock(scene->market->merchant, ahead_ms);
}

static void wait_told(struct test_false_gateway *liar, unsigned more)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    unsigned enough = test_false_gateway_told(liar) + more;
    while (test_false_gateway_told(liar) < enough) {
        assert_true(setpay_clock_monotonic_ms() < until);
        (void)usleep(TEST_POLL_US);
    }
}

static struct setpay_id newest_request(const struct test_daemon *daemon,
                                       const struct setpay_id *xid, int kind)
{
    struct setpay_id rrpid = {{0}};
    char sql[256], hex[SETPAY_ID_TEXT_SIZE];
    size_t size = 0;
    (void)snprintf(sql, sizeof sql,
                   "SELECT r.rrpid FROM gateway_request r JOIN purchase p ON p.id = r.purchase_id"
                   " WHERE p.xid = x'%s' AND r.kind = %d ORDER BY r.id DESC LIMIT 1",
                   setpay_id_format(xid, hex), kind);
    uint8_t *bytes = test_daemon_bytes(daemon, sql, &size);
    assert_non_null(bytes);
    assert_int_equal(setpay_id_from_view(setpay_view_of(bytes, size), &rrpid), SETPAY_OK);
    free(bytes);
    return rrpid;
}

void test_scene_expect_open(struct test_scene *scene, const char *state, int kind,
                            const char *expected)
{
    struct test_standing before;
    struct test_merchantd *merchant = scene->market->merchant;
    const struct setpay_id *xid = &scene->sale.purchase->oi.xid;
    test_merchantd_wait_state(merchant, xid, state);
    wait_told(scene->liar, 2);
    struct setpay_id rrpid = newest_request(&merchant->daemon, xid, kind);
    test_gateway_wait_acknowledged(scene->market->gateway); /* it reverses behind its answer */
    test_standing_take_but_answers(merchant, &before);
    wait_told(scene->liar, 2);
    assert_null(test_standing_moved(merchant, &before));
    assert_string_equal(test_merchantd_state(merchant, xid), state);
    if (expected != NULL)
        assert_string_equal(test_daemon_wait_refusal(&merchant->daemon, "gateway.no_answer", &rrpid,
                                                     expected, NULL),
                            expected);
}

/* Rule M7: from the database and its journal. */
static void wait_erased(const struct test_scene *scene)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    while (test_daemon_database_holds(&scene->market->merchant->daemon,
                                      setpay_buffer_view(&scene->sale.purchase->envelope))) {
        assert_true(setpay_clock_monotonic_ms() < until);
        (void)usleep(TEST_POLL_US);
    }
}

void test_scene_end(struct test_scene *scene, const struct test_end *end,
                    const struct test_end *or_end)
{
    struct setpay_buffer answer;
    struct setpay_pres pres;
    test_channel_answer(scene->channel, &answer);
    test_scene_set_clock(scene, 0);
    test_pres_read(scene->sale.purchase, setpay_buffer_view(&answer), end->type, &pres);
    bool other = or_end != NULL && pres.status == or_end->status;
    setpay_pres_clear(&pres);
    test_gateway_wait_acknowledged(scene->market->gateway);
    test_sale_expect(scene->market, &scene->sale, setpay_buffer_view(&answer),
                     other ? or_end : end);
    wait_erased(scene);
    setpay_buffer_clear(&answer);
    test_channel_free(scene->channel);
    test_sale_clear(&scene->sale);
}
