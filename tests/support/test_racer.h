/*
 * A shopper without a wallet daemon: genuine purchases (tests/support/test_purchase.h), with a card
 * that a sandbox's CA has certified, over TLS connections that are kept. It is much faster than a
 * wallet, can send the same bytes on many connections at once, and believes nobody.
 *
 * What fails that is not under test ends the program.
 */
#ifndef SETPAY_TEST_RACER_H
#define SETPAY_TEST_RACER_H

#include "tests/support/test_purchase.h"
#include "tests/support/test_sandbox.h"

#include <stdbool.h>
#include <stddef.h>

/* What every shopper of a sandbox needs to know: the certificates of merchant and gateway. */
struct test_till;
struct test_till *test_till_new(const struct test_sandbox *sandbox, const char *brand);
void test_till_free(struct test_till *shop);
const struct setpay_certificate *test_till_gateway(const struct test_till *shop);

/* A card that the CA of the sandbox (made and not running, or running) certifies now. */
struct test_racer;
struct test_racer *test_racer_new(const struct test_sandbox *sandbox, const char *brand,
                                  const char *pan, const char *expiry);
void test_racer_free(struct test_racer *shopper);

/* A connection to the merchant; opened by the first post. One thread at a time. */
struct test_post;
struct test_post *test_post_new(uint16_t port);
void test_post_free(struct test_post *line);
/* Posts a message and reads the answer, on a new connection where the old one has ended: the HTTP
 * status, or -1. answer is replaced. */
int test_post_send(struct test_post *line, struct setpay_view message,
                   struct setpay_buffer *answer);

/* Asks for the offer of an order (PInit) and signs it: *message is the whole PReq. NULL where the
 * merchant makes no offer. uri: "setpay://HOST:PORT/pay/TOKEN". */
struct test_purchase *test_racer_sign(const struct test_till *shop,
                                      const struct test_racer *shopper, struct test_post *line,
                                      const char *uri, struct setpay_buffer *message);

#endif
