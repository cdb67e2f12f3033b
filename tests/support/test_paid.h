/*
 * One payment at a gateway under test, from its authorisation or sale on, as an honest merchant and
 * its wallet follow it: every receipt is opened, chained and added up. Fails the cmocka test that
 * calls it.
 */
#ifndef SETPAY_TEST_PAID_H
#define SETPAY_TEST_PAID_H

#include "common/wire/messages.h"
#include "common/wire/receipt.h"
#include "tests/support/test_gateway.h"

struct test_paid {
    struct test_gateway *gateway;
    struct test_line *line; /* borrowed; changed after a restart */
    struct test_purchase *purchase;
    struct setpay_buffer request; /* the AuthReq as it went */
    struct setpay_auth_res auth;
    struct setpay_digest last_receipt; /* hash of the newest */
    struct setpay_receipt_sums sums;   /* as the wallet adds them up */
    size_t receipts;
};

/* A purchase at visa's shop, signed, its AuthReq packed; nothing asked yet. */
void test_paid_prepare(struct test_paid *paid, struct test_gateway *gateway, struct test_line *line,
                       const struct test_cardholder *holder, enum setpay_auth_intent intent,
                       int64_t minor, bool partial_allowed);
/* Sends it, and takes the AuthRes with its receipts. */
void test_paid_ask(struct test_paid *paid);
void test_paid_clear(struct test_paid *paid);
/* One more receipt, which must be of that kind and amount, and the next in the chain. */
void test_paid_take_receipt(struct test_paid *paid, const struct setpay_sealed_receipt *sealed,
                            enum setpay_receipt_kind kind, int64_t minor);

/* One step. 0: done, and its receipt is taken; else the code by which it was refused. */
uint32_t test_paid_step(struct test_paid *paid, enum setpay_message_type type,
                        const struct setpay_id *of, int64_t minor, struct setpay_step_done *done);
/* The same in two parts: the message, and what comes of sending it. */
void test_paid_step_message(const struct test_paid *paid, enum setpay_message_type type,
                            const struct setpay_id *of, int64_t minor,
                            struct setpay_buffer *message);
uint32_t test_paid_step_send(struct test_paid *paid, enum setpay_message_type type,
                             const struct setpay_buffer *message, int64_t minor,
                             struct setpay_step_done *done);
/* AuthRevReq. 0: done (what remains in *remaining), and its receipt is taken; else an Error's code.
 */
uint32_t test_paid_reverse(struct test_paid *paid, int64_t minor, int64_t *remaining);

/* The merchant closes its open batch: asks for the totals, and agrees to them. */
void test_paid_close_batch(const struct test_paid *paid);

#endif
