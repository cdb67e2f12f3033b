/*
 * Gateway, issuer, merchant and cardholders under test, all of them honest, for programs in which
 * one party lies: what they sell to each other, and how a sale ends. Fails the cmocka test that
 * calls it.
 */
#ifndef SETPAY_TEST_MARKET_H
#define SETPAY_TEST_MARKET_H

#include "tests/support/test_shopper.h"

#define TEST_APPROVES "4242424242424242"
#define TEST_CARD_EXPIRY "3012"
#define TEST_PRICE 1250 /* EUR, in cents */

struct test_market {
    struct test_gateway *gateway;
    struct test_merchantd *merchant;
    struct test_channel *channel;      /* a wallet's, to the merchant: test_market_channel */
    int64_t used_ms;                   /* when it was last */
    struct test_cardholder *holder;    /* visa; the card approves */
    struct test_cardholder *neighbour; /* the same card, another certificate */
    struct test_cardholder *mastercard;
    size_t lies; /* told so far: for "# tally: rules attacked" */
};

/* frames: where the merchant's gateway is (NULL: the honest one's address); refresh: how often it
 * asks for certificates. */
void test_market_open(struct test_market *market, const char *frames, const char *refresh);
void test_market_open_with(struct test_market *market, struct test_gateway *gateway,
                           const char *frames, const char *refresh);
/* Visa's other merchant with the first one's gateway and cardholders, which it borrows; and its
 * end, before the first one's: how many lies were told to it. */
void test_market_open_beside(struct test_market *market, const struct test_market *first,
                             const char *frames, const char *refresh);
size_t test_market_close_beside(struct test_market *market);
/* Ends all, and prints the tally. */
void test_market_close(struct test_market *market);

/* The wallet's connection, opened anew where the merchant may have tired of it or was restarted. */
struct test_channel *test_market_channel(struct test_market *market);
void test_market_reconnect(struct test_market *market);

/* Tells a lie: test_attack_fault has nothing to say. */
void test_market_attack(struct test_market *market, const struct test_attack *attack);
/* The same with a whole PReq; by default the Error is signed for visa. */
void test_market_attack_preq(struct test_market *market, const struct test_purchase *purchase,
                             const char *expected);

/* An order of TEST_PRICE, an offer for it, and what an honest wallet would sign. */
struct test_sale {
    struct test_order order;
    struct test_offer offer;
    struct test_purchase *purchase; /* not signed yet */
};
void test_sale_make(struct test_market *market, const struct test_cardholder *cardholder,
                    struct test_sale *sale);
/* The same for an order that is there. */
void test_sale_again(struct test_market *market, const struct test_order *order,
                     const struct test_cardholder *cardholder, struct test_sale *sale);
void test_sale_clear(struct test_sale *sale);

/* How a sale has ended, by the merchant's word, the gateway's receipt and the issuer's books: the
 * PRes (or InqRes) is of that status, the newest receipt opens and is of that kind (0: there is
 * none), the issuer was asked so often for it, and holds so much. */
struct test_end {
    enum setpay_message_type type;
    enum setpay_purchase_status status;
    enum setpay_receipt_kind receipt;
    size_t asked;
    int64_t held;
};
extern const struct test_end test_end_authorised, test_end_voided, test_end_reversed;
void test_sale_expect(struct test_market *market, const struct test_sale *sale,
                      struct setpay_view answer, const struct test_end *end);
/* Signs it unless that was done, pays, and expects that it is authorised. */
void test_sale_pay(struct test_market *market, struct test_sale *sale);
/* Sends a right PReq (signed, unless that was done) that is not to be had any more: it is stored,
 * so that the cardholder who has signed is freed by a receipt, and never authorised. why: what the
 * merchant's log says, "DATE A5". A lie that was told. */
void test_sale_expect_voided(struct test_market *market, struct test_sale *sale, const char *why);
/* Inquires, and expects that end. */
void test_sale_inquire(struct test_market *market, const struct test_sale *sale,
                       setpay_time_ms now_ms, const struct test_end *end);

#endif
