/*
 * A wallet's side of the channel to a merchant under test, honest or not: blocking TLS on OpenSSL
 * alone and a few lines of HTTP/1.1. It checks no certificate of the channel, since a liar would
 * not. Everything fails hard but for what a merchant may do to a liar: refuse and hang up.
 *
 *     struct test_offer offer;
 *     test_offer_get(merchant, &order, "visa", &offer);
 *     struct test_purchase *p = test_offer_purchase(merchant, &offer, cardholder);
 *     test_purchase_sign(p);
 *     test_purchase_preq(p, &message);
 *     test_channel_ask(channel, setpay_buffer_view(&message), &answer);
 */
#ifndef SETPAY_TEST_SHOPPER_H
#define SETPAY_TEST_SHOPPER_H

#include "common/base/bytes.h"
#include "common/wire/messages.h"
#include "common/wire/signed.h"
#include "tests/support/test_merchant.h"
#include "tests/support/test_purchase.h"

#include <openssl/types.h>
#include <stdbool.h>

/* ------------------------------------------------------------------ the channel */

struct test_channel {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
};
struct test_channel *test_channel_new(const struct test_merchantd *merchant);
/* Speaks at most that version of TLS; NULL where the merchant does not. */
struct test_channel *test_channel_new_version(const struct test_merchantd *merchant, int version);
void test_channel_free(struct test_channel *channel);

/* Any bytes; false where the merchant has hung up. */
bool test_channel_send(struct test_channel *channel, struct setpay_view bytes);
/* One HTTP answer; false where the merchant has hung up. body (initialised here) only after true.
 */
struct test_reply {
    int status;
    char type[64]; /* Content-Type */
    struct setpay_buffer body;
};
bool test_channel_receive(struct test_channel *channel, struct test_reply *reply);
/* A message as a wallet posts it. */
void test_channel_post(struct test_channel *channel, struct setpay_view message);
/* The answer to it: a message (status 200). answer is initialised here. */
void test_channel_answer(struct test_channel *channel, struct setpay_buffer *answer);
void test_channel_ask(struct test_channel *channel, struct setpay_view message,
                      struct setpay_buffer *answer);

/* ------------------------------------------------------------------ PInit */

/* A PInitReq for the order that says what is right; what is sent is the caller's to spoil. */
void test_pinit_fill(const struct test_order *order, const char *brand, setpay_time_ms now_ms,
                     struct setpay_pinit_req *request);
void test_pinit_message(const struct setpay_pinit_req *request, struct setpay_buffer *message);

struct test_offer {
    struct setpay_pinit_res message;
    struct setpay_digest digest;
    int brand; /* 0: visa */
};
/* Asks for one. Its time is now_ms (the merchant's). */
void test_offer_get(struct test_merchantd *merchant, const struct test_order *order,
                    const char *brand, setpay_time_ms now_ms, struct test_offer *offer);
void test_offer_clear(struct test_offer *offer);
/* What an honest wallet would sign for it; not signed yet. */
struct test_purchase *test_offer_purchase(const struct test_merchantd *merchant,
                                          const struct test_offer *offer,
                                          const struct test_cardholder *cardholder,
                                          setpay_time_ms now_ms);

/* ------------------------------------------------------------------ answers */

/* A PRes or InqRes to this purchase, held to all that a wallet holds it to, but for its receipts.
 */
void test_pres_read(const struct test_purchase *purchase, struct setpay_view answer,
                    enum setpay_message_type type, struct setpay_pres *pres);
/* Its newest receipt, opened and held against the purchase (rule W6): the kind, or the error. */
enum setpay_error test_pres_receipt(const struct test_merchantd *merchant, int brand,
                                    const struct test_purchase *purchase,
                                    const struct setpay_pres *pres, struct setpay_receipt *receipt);

/* An InqReq of the purchase by signer, made with key, whose certificate is beside. */
struct test_inquiry {
    struct setpay_inq_req request;
    const struct test_party *signer;
    const struct test_party *key;
};
void test_inquiry_fill(const struct test_purchase *purchase, setpay_time_ms now_ms,
                       struct test_inquiry *inquiry);
void test_inquiry_message(const struct test_inquiry *inquiry, struct setpay_buffer *message);

/* ------------------------------------------------------------------ refusals */

/* What is wrong with an answer that should be an Error of just that ("ORDER_MISMATCH M3") and
 * nothing more: another type, another code, a field more or less, something beside it, a signature
 * of somebody else, another size than all Errors of its form. NULL where nothing is. merchant: of
 * the brand that the refusal is for, or NULL where it must be unsigned. */
const char *test_error_fault(const struct test_party *merchant, struct setpay_view sent,
                             struct setpay_view answer, const char *expected);
/* Sends a lie and sees what becomes of it: the answer is just that Error, the log has one refusal
 * more, of just that error and rule (and of rrpid, unless NULL), and nothing has moved at merchant,
 * gateway and issuer. NULL where all of it holds, otherwise what does not. or_expected: NULL, or
 * another error that would be right too. */
struct test_attack {
    struct setpay_view message;
    const char *expected;
    const char *or_expected;
    const struct setpay_id *rrpid;
    const struct test_party *signer; /* of the Error; NULL: it must be unsigned */
    bool any_signer;                 /* or either, where the error may be one of two */
};
const char *test_attack_fault(struct test_merchantd *merchant, struct test_channel *channel,
                              const struct test_attack *attack);
/* The wire code of "ORDER_MISMATCH M3"; 0 where there is no such error, or its rule is another. */
unsigned test_error_wire_code(const char *expected);

#endif
