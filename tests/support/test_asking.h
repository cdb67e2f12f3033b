/*
 * A merchant's questions to the gateway and what it reads out of the answers, for tests in which
 * the merchant is honest at first. Fails the cmocka test that calls it.
 */
#ifndef SETPAY_TEST_ASKING_H
#define SETPAY_TEST_ASKING_H

#include "common/wire/messages.h"
#include "common/wire/receipt.h"
#include "tests/support/test_gateway.h"

/* The AuthRes in an answer, held to everything that a merchant and a wallet would hold it to: it is
 * the answer to this purchase's request as it now is, and the first receipt is in it. */
struct setpay_auth_res test_auth_res_read(const struct test_gateway *gateway,
                                          const struct test_purchase *purchase,
                                          struct setpay_view answer,
                                          struct setpay_receipt *receipt);
/* Asks, and reads it. */
struct setpay_auth_res test_authorise(const struct test_gateway *gateway, struct test_line *line,
                                      const struct test_purchase *purchase,
                                      struct setpay_receipt *receipt);

/* The request to give up so much of it, under a fresh rrpid. */
struct setpay_auth_rev_req test_reversal_of(const struct test_purchase *purchase,
                                            const struct setpay_auth_res *res, int64_t minor);
void test_reversal_message(const struct setpay_auth_rev_req *request,
                           const struct test_party *signer, struct setpay_buffer *message);
/* What an AuthRevRes says is left, and its receipt. */
int64_t test_remaining_in(const struct test_gateway *gateway, const struct test_purchase *purchase,
                          struct setpay_view answer, struct setpay_receipt *receipt);

/* The newest request that is kept as evidence of that payment is this one, to the byte, and
 * verifies under its signer's certificate, which is kept too. */
void test_expect_evidence(struct test_gateway *gateway, const struct setpay_id *xid,
                          struct setpay_view message, const struct test_party *signer);

#endif
