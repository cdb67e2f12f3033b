/*
 * The cardholder's cancellation of an agreement, honest or not, for tests in which a wallet or a
 * merchant is played. Fails hard.
 *
 *     test_cancel_fill(purchase, now_ms, &cancel);
 *     cancel.word.pomd.bytes[0] ^= 1;            what the cardholder signs
 *     test_cancel_sign(&cancel);
 *     cancel.request.xid.bytes[0] ^= 1;          what stands around it
 *     test_can_req_message(&cancel, &message);
 */
#ifndef SETPAY_TEST_CANCEL_H
#define SETPAY_TEST_CANCEL_H

#include "common/wire/messages.h"
#include "tests/support/test_purchase.h"

struct test_cancel {
    struct setpay_cancellation word;
    const struct test_party *word_key; /* whose key makes it; the cardholder's */
    struct setpay_can_req request;     /* the word is in it once it is signed */
    const struct test_party *signer;   /* of the message, whose certificate is beside */
    const struct test_party *key;
};

/* What an honest wallet would say of a purchase that is signed. */
void test_cancel_fill(const struct test_purchase *purchase, setpay_time_ms now_ms,
                      struct test_cancel *cancel);
/* Signs the word; any bytes in its place. */
void test_cancel_sign(struct test_cancel *cancel);
void test_cancel_sign_bytes(struct test_cancel *cancel, struct setpay_view bytes);
/* As the wallet sends it, under a fresh rrpid. message is initialised here. */
void test_can_req_message(struct test_cancel *cancel, struct setpay_buffer *message);
/* Any content as a CanReq. */
void test_can_req_of(const struct test_cancel *cancel, enum setpay_message_type type,
                     struct setpay_view content, struct setpay_buffer *message);
/* As the merchant of the purchase hands it on to the gateway, under a fresh rrpid. */
void test_auth_can_req_message(const struct test_cancel *cancel,
                               const struct test_purchase *purchase, setpay_time_ms now_ms,
                               struct setpay_buffer *message);

#endif
