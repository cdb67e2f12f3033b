/*
 * A merchant's till at a gateway under test, honest and hasty: it authorises, captures, credits and
 * closes its batch, and holds every answer to what it asked for. Fails the cmocka test that calls
 * it.
 */
#ifndef SETPAY_TEST_TILL_H
#define SETPAY_TEST_TILL_H

#include "common/wire/messages.h"
#include "common/wire/receipt.h"
#include "common/wire/signed.h"
#include "tests/support/test_gateway.h"

struct test_till {
    struct test_gateway *gateway;
    struct test_cardholder *holder; /* who pays */
    struct test_line *line;
};

/* A payment that was approved, and what the wallet would have of it. */
struct test_paid {
    struct test_purchase *purchase;
    struct setpay_auth_res auth;
    struct setpay_digest last_receipt; /* hash of the newest */
    struct setpay_receipt_sums sums;
};
void test_till_pay(const struct test_till *till, int64_t minor, const char *currency,
                   struct test_paid *paid);
void test_paid_free(struct test_paid *paid);

/* One step (CapReq, CredReq or a reversal of either) of a payment, which must be done; its id. of:
 * the CapToken, or the step that is undone or credited. */
struct setpay_id test_till_step(const struct test_till *till, enum setpay_message_type type,
                                struct test_paid *paid, const struct setpay_id *of, int64_t minor);
/* Closes the batch that is open with the totals that the gateway has; like: any payment. */
void test_till_close(const struct test_till *till, const struct test_paid *like);
/* Waits until every presentment is answered. */
void test_till_wait_presented(const struct test_till *till);

#endif
