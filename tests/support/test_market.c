/*
 * Honest parties, and sales between them.
 */
#include "tests/support/test_market.h"

#include "common/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* The merchant cuts who says nothing for ten seconds. */
#define IDLE_MS 3000

const struct test_end test_end_authorised = {SETPAY_MESSAGE_P_RES, SETPAY_STATUS_AUTHORISED,
                                             SETPAY_RECEIPT_AUTHORISATION, 1, TEST_PRICE};
const struct test_end test_end_voided = {SETPAY_MESSAGE_P_RES, SETPAY_STATUS_VOIDED,
                                         SETPAY_RECEIPT_VOID, 0, 0};
const struct test_end test_end_reversed = {SETPAY_MESSAGE_P_RES, SETPAY_STATUS_REVERSED,
                                           SETPAY_RECEIPT_REVERSAL, 1, 0};

/* ------------------------------------------------------------------ the whole */

void test_market_open_with(struct test_market *market, struct test_gateway *gateway,
                           const char *frames, const char *refresh)
{
    struct test_pki *pki = gateway->pki;
    *market = (struct test_market){.gateway = gateway};
    market->merchant =
        test_merchantd_new(gateway, frames == NULL ? gateway->frames : frames, refresh);
    test_market_reconnect(market);
    market->holder = test_cardholder_new(pki, "visa", TEST_APPROVES, TEST_CARD_EXPIRY, "");
    market->neighbour = test_cardholder_new(pki, "visa", TEST_APPROVES, TEST_CARD_EXPIRY, "");
    market->mastercard =
        test_cardholder_new(pki, "mastercard", "5454545454545454", TEST_CARD_EXPIRY, "");
}

void test_market_open(struct test_market *market, const char *frames, const char *refresh)
{
    test_market_open_with(market, test_gateway_new(), frames, refresh);
}

void test_market_open_beside(struct test_market *market, const struct test_market *first,
                             const char *frames, const char *refresh)
{
    *market = *first;
    market->channel = NULL;
    market->lies = 0;
    market->merchant = test_merchantd_new_other(
        first->gateway, frames == NULL ? first->gateway->frames : frames, refresh);
    test_market_reconnect(market);
}

size_t test_market_close_beside(struct test_market *market)
{
    test_channel_free(market->channel);
    test_merchantd_free(market->merchant);
    return market->lies;
}

void test_market_close(struct test_market *market)
{
    test_channel_free(market->channel);
    test_merchantd_free(market->merchant);
    test_cardholder_free(market->holder);
    test_cardholder_free(market->neighbour);
    test_cardholder_free(market->mastercard);
    test_gateway_free(market->gateway);
    printf("# tally: rules attacked = %zu\n", market->lies);
}

void test_market_reconnect(struct test_market *market)
{
    test_channel_free(market->channel);
    market->channel = test_channel_new(market->merchant);
    market->used_ms = setpay_clock_monotonic_ms();
}

struct test_channel *test_market_channel(struct test_market *market)
{
    int64_t now_ms = setpay_clock_monotonic_ms();
    if (now_ms - market->used_ms > IDLE_MS)
        test_market_reconnect(market);
    market->used_ms = now_ms;
    return market->channel;
}

/* ------------------------------------------------------------------ lies */

void test_market_attack(struct test_market *market, const struct test_attack *attack)
{
    const char *fault = test_attack_fault(market->merchant, test_market_channel(market), attack);
    market->lies++;
    if (fault != NULL)
        fail_msg("%s", fault);
}

void test_market_attack_preq(struct test_market *market, const struct test_purchase *p,
                             const char *expected)
{
    struct setpay_buffer message;
    test_purchase_preq(p, &message);
    const struct test_attack attack = {.message = setpay_buffer_view(&message),
                                       .expected = expected,
                                       .rrpid = &p->oi.rrpid,
                                       .signer = market->merchant->shops[0].sign};
    test_market_attack(market, &attack);
    setpay_buffer_clear(&message);
}

/* ------------------------------------------------------------------ sales */

void test_sale_again(struct test_market *market, const struct test_order *order,
                     const struct test_cardholder *cardholder, struct test_sale *sale)
{
    const char *brand = cardholder == market->mastercard ? "mastercard" : "visa";
    setpay_time_ms now_ms = setpay_clock_now_ms();
    sale->order = *order;
    test_offer_get(market->merchant, order, brand, now_ms, &sale->offer);
    sale->purchase = test_offer_purchase(market->merchant, &sale->offer, cardholder, now_ms);
}

void test_sale_make(struct test_market *market, const struct test_cardholder *cardholder,
                    struct test_sale *sale)
{
    struct test_order order = test_merchantd_order(market->merchant, TEST_PRICE, "EUR", 3600);
    test_sale_again(market, &order, cardholder, sale);
}

void test_sale_clear(struct test_sale *sale)
{
    test_offer_clear(&sale->offer);
    test_purchase_free(sale->purchase);
}

void test_sale_expect(struct test_market *market, const struct test_sale *sale,
                      struct setpay_view answer, const struct test_end *end)
{
    struct setpay_pres pres;
    struct setpay_receipt receipt;
    int64_t held = 0;
    test_pres_read(sale->purchase, answer, end->type, &pres);
    assert_int_equal(pres.status, end->status);
    enum setpay_error error =
        test_pres_receipt(market->merchant, sale->offer.brand, sale->purchase, &pres, &receipt);
    if (end->receipt == 0) {
        assert_int_equal(error, SETPAY_E_NOT_FOUND);
    } else {
        assert_int_equal(error, SETPAY_OK);
        assert_int_equal(receipt.kind, end->receipt);
    }
    assert_int_equal(test_gateway_books(market->gateway, &sale->purchase->oi.xid, &held),
                     end->asked);
    assert_int_equal(held, end->held);
    setpay_pres_clear(&pres);
}

void test_sale_pay(struct test_market *market, struct test_sale *sale)
{
    struct setpay_buffer message, answer;
    if (sale->purchase->envelope.size == 0)
        test_purchase_sign(sale->purchase);
    test_purchase_preq(sale->purchase, &message);
    test_channel_ask(test_market_channel(market), setpay_buffer_view(&message), &answer);
    test_sale_expect(market, sale, setpay_buffer_view(&answer), &test_end_authorised);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
}

void test_sale_expect_voided(struct test_market *market, struct test_sale *sale, const char *why)
{
    struct setpay_buffer message, answer;
    if (sale->purchase->envelope.size == 0)
        test_purchase_sign(sale->purchase);
    test_purchase_preq(sale->purchase, &message);
    test_channel_ask(test_market_channel(market), setpay_buffer_view(&message), &answer);
    assert_string_equal(test_daemon_refusal(&market->merchant->daemon, "purchase.refused",
                                            &sale->purchase->oi.rrpid),
                        why);
    test_sale_expect(market, sale, setpay_buffer_view(&answer), &test_end_voided);
    assert_string_equal(test_merchantd_state(market->merchant, &sale->purchase->oi.xid), "voided");
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    market->lies++;
}

void test_sale_inquire(struct test_market *market, const struct test_sale *sale,
                       setpay_time_ms now_ms, const struct test_end *end)
{
    struct test_inquiry inquiry;
    struct setpay_buffer message, answer;
    struct test_end expected = *end;
    expected.type = SETPAY_MESSAGE_INQ_RES;
    test_inquiry_fill(sale->purchase, now_ms, &inquiry);
    test_inquiry_message(&inquiry, &message);
    test_channel_ask(test_market_channel(market), setpay_buffer_view(&message), &answer);
    test_sale_expect(market, sale, setpay_buffer_view(&answer), &expected);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
}
