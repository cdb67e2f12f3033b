/*
 * A wallet at a running merchant that says again what was said: the same PReq, at once on many
 * connections, after a restart, an hour later; another PReq under the same name; a second purchase
 * for an order that is paid, cancelled or has expired. And inquiries by those whom a purchase does
 * not concern.
 *
 * What counts in the end is the issuer's books: one hold for each order that is paid.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_market.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 280
#define TWINS 24

static struct test_market market;
static setpay_time_ms merchant_offset_ms;

static setpay_time_ms merchants_now(void)
{
    return setpay_clock_now_ms() + merchant_offset_ms;
}

static void set_clock(int64_t offset_ms)
{
    merchant_offset_ms = offset_ms;
    test_merchantd_set_clock(market.merchant, offset_ms);
    /* the gateway's too: it is time that passes, not a clock that is off */
    json_decref(test_gateway_control(market.gateway, "testing.clock",
                                     json_pack("{s:I}", "offset_ms", (json_int_t)offset_ms)));
}

static void restart(void)
{
    test_daemon_stop(&market.merchant->daemon);
    test_daemon_start(&market.merchant->daemon, NULL);
    test_market_reconnect(&market);
    merchant_offset_ms = 0;
}

/* ------------------------------------------------------------------ what is the same */

/* The very bytes again get the very answer, and nothing moves. */
static void expect_same(const struct test_sale *sale, struct setpay_view first)
{
    struct setpay_buffer message, answer;
    struct test_standing before;
    test_purchase_preq(sale->purchase, &message);
    test_standing_take(market.merchant, &before);
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &answer);
    assert_null(test_standing_moved(market.merchant, &before));
    assert_true(setpay_view_equal(setpay_buffer_view(&answer), first));
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    market.lies++;
}

static void pay(const struct test_sale *sale, struct setpay_buffer *answer)
{
    struct setpay_buffer message;
    test_purchase_preq(sale->purchase, &message);
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), answer);
    test_sale_expect(&market, sale, setpay_buffer_view(answer), &test_end_authorised);
    setpay_buffer_clear(&message);
}

/* rule A6: now, after a restart, and an hour later, when a new request of that date is refused. */
static void test_replay(void **state)
{
    struct test_sale sale;
    struct setpay_buffer answer;
    (void)state;
    test_sale_make(&market, market.holder, &sale);
    test_purchase_sign(sale.purchase);
    pay(&sale, &answer);
    expect_same(&sale, setpay_buffer_view(&answer));
    restart();
    expect_same(&sale, setpay_buffer_view(&answer));
    set_clock(SETPAY_HOUR_MS + 10 * SETPAY_MINUTE_MS); /* rule A5: it was seen before */
    expect_same(&sale, setpay_buffer_view(&answer));
    set_clock(0);
    test_sale_inquire(&market, &sale, merchants_now(), &test_end_authorised);
    setpay_buffer_clear(&answer);
    test_sale_clear(&sale);
}

/* rules A6, M4, M5: on many connections at once: one purchase, one question, one answer to all. */
static void test_twins(void **state)
{
    struct test_channel *channels[TWINS];
    struct setpay_buffer message, first, answer;
    struct test_sale sale;
    (void)state;
    test_sale_make(&market, market.holder, &sale);
    test_purchase_sign(sale.purchase);
    test_purchase_preq(sale.purchase, &message);
    for (size_t i = 0; i < TWINS; i++)
        channels[i] = test_channel_new(market.merchant);
    for (size_t i = 0; i < TWINS; i++)
        test_channel_post(channels[i], setpay_buffer_view(&message));
    test_channel_answer(channels[0], &first);
    test_sale_expect(&market, &sale, setpay_buffer_view(&first), &test_end_authorised);
    for (size_t i = 1; i < TWINS; i++) {
        test_channel_answer(channels[i], &answer);
        assert_true(setpay_view_equal(setpay_buffer_view(&answer), setpay_buffer_view(&first)));
        setpay_buffer_clear(&answer);
    }
    for (size_t i = 0; i < TWINS; i++)
        test_channel_free(channels[i]);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&first);
    test_sale_clear(&sale);
    market.lies++;
}

/* ------------------------------------------------------------------ what is not */

static void tell(const struct test_purchase *p, const char *expected)
{
    struct setpay_buffer message;
    test_purchase_preq(p, &message);
    const struct test_attack attack = {.message = setpay_buffer_view(&message),
                                       .expected = expected,
                                       .rrpid = &p->oi.rrpid,
                                       .signer = market.gateway->shop[0].sign,
                                       .any_signer = true};
    test_market_attack(&market, &attack);
    setpay_buffer_clear(&message);
}

/* rules A6, M4: a purchase that stands, and what else is said in its name. */
static void test_other_content(void **state)
{
    struct test_sale sale, other;
    struct setpay_buffer answer;
    (void)state;
    test_sale_make(&market, market.holder, &sale);
    test_sale_make(&market, market.holder, &other);
    test_purchase_sign(sale.purchase);
    pay(&sale, &answer);

    struct test_purchase *p =
        test_offer_purchase(market.merchant, &sale.offer, market.holder, merchants_now());
    p->oi.rrpid = sale.purchase->oi.rrpid; /* fresh salts, all else alike */
    test_purchase_sign(p);
    tell(p, "RRPID_REUSED A6");
    p->oi.amount.minor = p->pi.amount.minor = 1;
    test_purchase_sign(p);
    tell(p, "RRPID_REUSED A6");
    assert_int_equal(setpay_id_random(&p->oi.rrpid), SETPAY_OK);
    test_purchase_sign(p);
    tell(p, "ORDER_TAKEN M4"); /* this xid has its purchase */
    test_purchase_free(p);

    p = test_offer_purchase(market.merchant, &sale.offer, market.neighbour, merchants_now());
    p->oi.rrpid = sale.purchase->oi.rrpid; /* somebody else under the same rrpid */
    test_purchase_sign(p);
    tell(p, "ORDER_TAKEN M4");
    test_purchase_free(p);

    other.purchase->oi.rrpid = sale.purchase->oi.rrpid; /* and for another order */
    test_purchase_sign(other.purchase);
    tell(other.purchase, "RRPID_REUSED A6");
    restart();
    tell(other.purchase, "RRPID_REUSED A6");

    /* a good PReq whose content names the first one's envelope, with another one beside */
    p = test_offer_purchase(market.merchant, &other.offer, market.holder, merchants_now());
    test_purchase_sign(p);
    assert_int_equal(setpay_buffer_set(&sale.purchase->envelope, setpay_buffer_view(&p->envelope)),
                     SETPAY_OK);
    struct setpay_buffer message;
    test_purchase_preq(sale.purchase, &message);
    const struct test_attack attack = {.message = setpay_buffer_view(&message),
                                       .expected = "ENVELOPE G2"};
    test_market_attack(&market, &attack);
    setpay_buffer_clear(&message);
    test_purchase_free(p);
    setpay_buffer_clear(&answer);
    test_sale_clear(&sale);
    test_sale_clear(&other);
}

/* rules A6, M4: the same while the first is under way: the gateway is away, and nobody has an
 * answer yet. Only the first's twin gets the one that comes. */
static void test_other_content_under_way(void **state)
{
    struct test_sale sale;
    struct setpay_buffer message, answer;
    (void)state;
    test_sale_make(&market, market.holder, &sale);
    test_purchase_sign(sale.purchase);
    test_purchase_preq(sale.purchase, &message);
    test_gateway_stop(market.gateway);
    struct test_channel *channel = test_channel_new(market.merchant);
    test_channel_post(channel, setpay_buffer_view(&message));
    test_merchantd_wait_state(market.merchant, &sale.purchase->oi.xid, "asking");

    struct test_purchase *p =
        test_offer_purchase(market.merchant, &sale.offer, market.holder, merchants_now());
    p->oi.rrpid = sale.purchase->oi.rrpid;
    test_purchase_sign(p);
    tell(p, "RRPID_REUSED A6");
    assert_int_equal(setpay_id_random(&p->oi.rrpid), SETPAY_OK);
    test_purchase_sign(p);
    tell(p, "ORDER_TAKEN M4");
    test_purchase_free(p);
    p = test_offer_purchase(market.merchant, &sale.offer, market.neighbour, merchants_now());
    p->oi.rrpid = sale.purchase->oi.rrpid;
    test_purchase_sign(p);
    tell(p, "ORDER_TAKEN M4");
    test_purchase_free(p);

    test_gateway_start(market.gateway, NULL);
    test_channel_answer(channel, &answer);
    test_sale_expect(&market, &sale, setpay_buffer_view(&answer), &test_end_authorised);
    test_channel_free(channel);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    test_sale_clear(&sale);
}

/* rules A5, M9: the first request an hour old, and one for an offer that has expired, are refused
 * by voiding them; one from the future is refused and burns nothing. */
static void test_late(void **state)
{
    struct test_sale sale, late;
    (void)state;
    restart(); /* far from the merchant's next housekeeping */
    test_sale_make(&market, market.holder, &sale);
    test_sale_make(&market, market.holder, &late);
    test_purchase_sign(sale.purchase);
    set_clock(SETPAY_HOUR_MS - SETPAY_MINUTE_MS);
    test_sale_expect_voided(&market, &sale, "DATE A5");
    test_purchase_free(late.purchase);
    late.purchase =
        test_offer_purchase(market.merchant, &late.offer, market.holder, merchants_now());
    test_purchase_sign(late.purchase);
    test_sale_expect_voided(&market, &late, "EXPIRED A5"); /* the offer was for fifteen minutes */
    test_sale_clear(&sale);
    test_sale_clear(&late);
    set_clock(0);
    test_sale_make(&market, market.holder, &sale);
    set_clock(-10 * SETPAY_MINUTE_MS);
    test_purchase_sign(sale.purchase);
    tell(sale.purchase, "DATE A5"); /* from the merchant's future */
    set_clock(0);
    test_sale_pay(&market, &sale);
    test_sale_clear(&sale);
}

/* rules M4, M9: one order through two xids, by one cardholder and by two, of two brands. */
static void test_two_xids(void **state)
{
    struct test_sale first, again, neighbours, mastercards;
    (void)state;
    test_sale_make(&market, market.holder, &first);
    test_sale_again(&market, &first.order, market.holder, &again);
    test_sale_again(&market, &first.order, market.neighbour, &neighbours);
    test_sale_again(&market, &first.order, market.mastercard, &mastercards);
    test_sale_pay(&market, &first);
    test_sale_expect_voided(&market, &again, "ORDER_TAKEN M4");
    test_sale_expect_voided(&market, &neighbours, "ORDER_TAKEN M4");
    test_sale_expect_voided(&market, &mastercards, "ORDER_TAKEN M4");
    assert_string_equal(test_merchantd_order_status(market.merchant, &first.order), "authorised");
    test_sale_inquire(&market, &first, merchants_now(), &test_end_authorised);
    test_sale_clear(&first);
    test_sale_clear(&again);
    test_sale_clear(&neighbours);
    test_sale_clear(&mastercards);
}

/* rule M4: both at the very same moment: one of them, whichever it is, and the other voided. */
static void test_two_at_once(void **state)
{
    struct test_sale sales[2];
    struct test_channel *channels[2];
    struct setpay_buffer messages[2], answers[2];
    struct setpay_pres pres;
    int winner = -1;
    (void)state;
    test_sale_make(&market, market.holder, &sales[0]);
    test_sale_again(&market, &sales[0].order, market.neighbour, &sales[1]);
    for (int i = 0; i < 2; i++) {
        channels[i] = test_channel_new(market.merchant);
        test_purchase_sign(sales[i].purchase);
        test_purchase_preq(sales[i].purchase, &messages[i]);
    }
    for (int i = 0; i < 2; i++)
        test_channel_post(channels[i], setpay_buffer_view(&messages[i]));
    for (int i = 0; i < 2; i++)
        test_channel_answer(channels[i], &answers[i]);
    test_pres_read(sales[0].purchase, setpay_buffer_view(&answers[0]), SETPAY_MESSAGE_P_RES, &pres);
    winner = pres.status == SETPAY_STATUS_AUTHORISED ? 0 : 1;
    setpay_pres_clear(&pres);
    test_sale_expect(&market, &sales[winner], setpay_buffer_view(&answers[winner]),
                     &test_end_authorised);
    test_sale_expect(&market, &sales[1 - winner], setpay_buffer_view(&answers[1 - winner]),
                     &test_end_voided);
    for (int i = 0; i < 2; i++) {
        test_channel_free(channels[i]);
        setpay_buffer_clear(&messages[i]);
        setpay_buffer_clear(&answers[i]);
        test_sale_clear(&sales[i]);
    }
    market.lies++;
}

/* rules M9, A5: an order that was cancelled, and one whose time is over. */
static void test_ended_orders(void **state)
{
    struct test_sale cancelled, expired;
    struct setpay_pinit_req request;
    struct setpay_buffer message;
    (void)state;
    test_sale_make(&market, market.holder, &cancelled);
    assert_int_equal(test_merchantd_end_order(market.merchant, &cancelled.order, "cancel"), 200);
    test_sale_expect_voided(&market, &cancelled, "ORDER_ENDED M4");
    assert_string_equal(test_merchantd_order_status(market.merchant, &cancelled.order),
                        "cancelled");
    test_pinit_fill(&cancelled.order, "visa", merchants_now(), &request);
    test_pinit_message(&request, &message);
    const struct test_attack attack = {.message = setpay_buffer_view(&message),
                                       .expected = "ORDER_ENDED M4",
                                       .rrpid = &request.header.rrpid,
                                       .signer = market.gateway->shop[0].sign};
    test_market_attack(&market, &attack); /* and no new offer is made for it */
    setpay_buffer_clear(&message);
    test_sale_clear(&cancelled);

    struct test_order order = test_merchantd_order(market.merchant, TEST_PRICE, "EUR", 60);
    test_sale_again(&market, &order, market.holder, &expired);
    set_clock(2 * SETPAY_MINUTE_MS);
    test_purchase_sign(expired.purchase);
    test_sale_expect_voided(&market, &expired, "EXPIRED A5"); /* the offer ended with its order */
    set_clock(0);
    test_sale_clear(&expired);
}

/* ------------------------------------------------------------------ PInit */

static void tell_pinit(const struct setpay_pinit_req *request, const char *expected)
{
    struct setpay_buffer message;
    test_pinit_message(request, &message);
    const struct test_attack attack = {.message = setpay_buffer_view(&message),
                                       .expected = expected,
                                       .rrpid = &request->header.rrpid,
                                       .signer = market.gateway->shop[0].sign,
                                       .any_signer = true};
    test_market_attack(&market, &attack);
    setpay_buffer_clear(&message);
}

/* rules A2, A5, A6, M4 for who asks for an offer. */
static void test_pinit(void **state)
{
    struct test_sale sale;
    struct setpay_pinit_req request, other;
    struct setpay_buffer message, answer, again;
    (void)state;
    struct test_order order = test_merchantd_order(market.merchant, TEST_PRICE, "EUR", 3600);
    test_pinit_fill(&order, "visa", merchants_now(), &request);
    other = request;
    other.order_token[3] = other.order_token[3] == 'A' ? 'B' : 'A'; /* no such link */
    tell_pinit(&other, "NOT_FOUND");
    other = request;
    (void)snprintf(other.brand, sizeof other.brand, "maestro");
    tell_pinit(&other, "BRAND_UNKNOWN");
    other = request;
    (void)snprintf(other.header.receiver_name, sizeof other.header.receiver_name, "example.com");
    tell_pinit(&other, "RECEIVER A2");
    other = request;
    other.header.date_ms -= SETPAY_HOUR_MS;
    tell_pinit(&other, "DATE A5");
    other.header.date_ms += 2 * SETPAY_HOUR_MS;
    tell_pinit(&other, "DATE A5");

    test_pinit_message(&request, &message);
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &answer);
    other = request; /* the same name, other content */
    other.chall_c.bytes[0] ^= 1;
    tell_pinit(&other, "RRPID_REUSED A6");
    restart();
    tell_pinit(&other, "RRPID_REUSED A6");
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &again);
    assert_true(setpay_view_equal(setpay_buffer_view(&answer), setpay_buffer_view(&again)));
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    setpay_buffer_clear(&again);

    test_sale_again(&market, &order, market.holder, &sale);
    test_sale_pay(&market, &sale);
    test_pinit_fill(&order, "visa", merchants_now(), &request);
    tell_pinit(&request, "ORDER_TAKEN M4"); /* it is paid */
    test_sale_clear(&sale);
}

/* Who holds a link can't fill the database. */
static void test_too_many_offers(void **state)
{
    struct setpay_pinit_req request;
    struct test_offer offer;
    (void)state;
    struct test_order order = test_merchantd_order(market.merchant, TEST_PRICE, "EUR", 3600);
    for (int i = 0; i < 32; i++) {
        test_offer_get(market.merchant, &order, i % 2 == 0 ? "visa" : "mastercard", merchants_now(),
                       &offer);
        test_offer_clear(&offer);
    }
    test_pinit_fill(&order, "visa", merchants_now(), &request);
    tell_pinit(&request, "BUSY");
}

/* ------------------------------------------------------------------ inquiries */

static void ask_after(const struct test_inquiry *inquiry, const char *expected, bool is_signed)
{
    struct setpay_buffer message;
    test_inquiry_message(inquiry, &message);
    const struct test_attack attack = {
        .message = setpay_buffer_view(&message),
        .expected = expected,
        .rrpid = &inquiry->request.header.rrpid,
        .signer = is_signed ? market.gateway->shop[0].sign : NULL,
    };
    test_market_attack(&market, &attack);
    setpay_buffer_clear(&message);
}

/* rules M8, A2, A3, A5: to whom a purchase does not exist. */
static void test_inquirers(void **state)
{
    struct test_sale sale;
    struct test_inquiry good, bad;
    (void)state;
    test_sale_make(&market, market.holder, &sale);
    test_sale_pay(&market, &sale);
    test_inquiry_fill(sale.purchase, merchants_now(), &good);

    bad =
        good; /* rule M8: another wallet, under its own name; and after nothing at all: the same */
    bad.signer = bad.key = market.neighbour->party;
    bad.request.header.sender = market.neighbour->party->thumbprint;
    ask_after(&bad, "NOT_CARDHOLDER M8", false);
    bad.request.xid.bytes[0] ^= 1;
    ask_after(&bad, "OFFER_UNKNOWN M1", false);
    bad = good;
    bad.signer = bad.key = market.mastercard->party;
    bad.request.header.sender = market.mastercard->party->thumbprint;
    ask_after(&bad, "NOT_CARDHOLDER M8", false);
    bad = good;
    bad.signer = bad.key = market.gateway->shop[0].sign;
    bad.request.header.sender = market.gateway->shop[0].sign->thumbprint;
    ask_after(&bad, "NOT_CARDHOLDER M8", false);

    bad = good; /* rule A2: the right name, another key; and the other way round */
    bad.key = market.neighbour->party;
    ask_after(&bad, "SIGNATURE A2", true);
    bad = good;
    bad.request.header.sender = market.neighbour->party->thumbprint;
    ask_after(&bad, "SENDER A2", true);
    bad = good;
    bad.request.header.receiver = market.gateway->other.sign->thumbprint;
    ask_after(&bad, "RECEIVER A2", true);
    bad = good;
    bad.request.header.receiver = market.gateway->shop[1].sign->thumbprint;
    ask_after(&bad, "RECEIVER A2", true);
    bad = good; /* rule A5 */
    bad.request.header.date_ms -= SETPAY_HOUR_MS;
    ask_after(&bad, "DATE A5", true);
    bad = good; /* rule M1: not the purchase that it says */
    bad.request.lid_c.bytes[0] ^= 1;
    ask_after(&bad, "OFFER_MISMATCH M1", true);

    test_sale_inquire(&market, &sale, merchants_now(), &test_end_authorised);
    test_sale_clear(&sale);
}

/* rule M8: after its expiry, not after its revocation. */
static void test_inquiry_ends(void **state)
{
    struct test_sale sale;
    struct test_inquiry inquiry;
    (void)state;
    /* Nothing is held in all the market, so that no hold ends by itself meanwhile. */
    test_market_close(&market);
    test_market_open(&market, NULL, "5m");
    test_sale_make(&market, market.holder, &sale);
    test_sale_pay(&market, &sale);
    assert_int_equal(test_merchantd_end_order(market.merchant, &sale.order, "void"), 200);
    test_merchantd_wait_state(market.merchant, &sale.purchase->oi.xid, "reversed");
    restart();
    set_clock(61 * SETPAY_DAY_MS); /* leaves of the test's PKI live for sixty */
    test_merchantd_refresh_crls(market.merchant, merchants_now());
    test_inquiry_fill(sale.purchase, merchants_now(), &inquiry);
    test_sale_inquire(&market, &sale, merchants_now(), &test_end_reversed);
    test_pki_revoke(market.gateway->pki, market.holder->party);
    test_merchantd_refresh_crls(market.merchant, merchants_now());
    assert_int_equal(setpay_id_random(&inquiry.request.header.rrpid), SETPAY_OK);
    ask_after(&inquiry, "CERT_REVOKED A3", true);
    set_clock(0);
    test_merchantd_refresh_crls(market.merchant, merchants_now());
    assert_int_equal(setpay_id_random(&inquiry.request.header.rrpid), SETPAY_OK);
    inquiry.request.header.date_ms = merchants_now();
    ask_after(&inquiry, "CERT_REVOKED A3", true);
    test_sale_clear(&sale);
}

/* ------------------------------------------------------------------ the world */

static int open_world(void **state)
{
    (void)state;
    test_market_open(&market, NULL, "5m");
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    test_market_close(&market);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay),        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_other_content), cmocka_unit_test(test_other_content_under_way),
        cmocka_unit_test(test_late),          cmocka_unit_test(test_two_xids),
        cmocka_unit_test(test_two_at_once),   cmocka_unit_test(test_ended_orders),
        cmocka_unit_test(test_pinit),         cmocka_unit_test(test_too_many_offers),
        cmocka_unit_test(test_inquirers),     cmocka_unit_test(test_inquiry_ends),
    };
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
