/*
 * What the four parties hold of an order, and whether they agree: read out of their databases, not
 * asked of them. For tests that kill and race real daemons.
 */
#ifndef SETPAY_TEST_AGREEMENT_H
#define SETPAY_TEST_AGREEMENT_H

#include "tests/support/test_sandbox.h"

#include <stdbool.h>
#include <stddef.h>

/* Of one order, once all agree. */
struct test_outcome {
    int attempts; /* purchases at the merchant */
    int authorised;
    int declined;
    int voided;
    int reversed;
};

/*
 * True when on order_id nothing is under way at anyone's, and all agree: each purchase that one of
 * the named wallets has signed is the merchant's too and in the same final state there, at the
 * gateway and at the issuer; the gateway has asked the issuer once for it or never; at most one is
 * authorised; what is authorised is what the issuer holds, to the last unit. Otherwise words say
 * what is not so (yet). wallets: names of databases, NULL-ended; a wallet that does not know yet
 * what was reversed is told to ask. strangers: others than these wallets buy too.
 */
bool test_order_agrees(const struct test_sandbox *sandbox, const char *order_id,
                       const char *const *wallets, bool strangers, struct test_outcome *outcome,
                       char *words, size_t size);

/* Nothing is left over anywhere: no purchase under way at wallet, merchant or gateway, no
 * reversal that was not acknowledged, no sealed instruction at the merchant (rule M7), and the
 * issuer holds exactly what the gateway has approved and not reversed. */
bool test_nothing_left_over(const struct test_sandbox *sandbox, const char *const *wallets,
                            char *words, size_t size);

#endif
