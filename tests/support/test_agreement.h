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
 * gateway and at the issuer; the gateway has asked the issuer once for it or never, and so for each
 * further payment of an agreement, which merchant and gateway both have or neither; at most one is
 * authorised; what is authorised is what the issuer holds, to the last unit; an agreement is
 * cancelled at wallet, merchant and gateway, by one receipt, or at none. Otherwise words say what
 * is not so (yet). wallets: names of databases, NULL-ended; a wallet that does not know yet what
 * was reversed is told to ask. strangers: others than these wallets buy too.
 */
bool test_order_agrees(const struct test_sandbox *sandbox, const char *order_id,
                       const char *const *wallets, bool strangers, struct test_outcome *outcome,
                       char *words, size_t size);

/* The shopper cancels what was agreed to by the order's purchase, as one who tells the wallet named
 * so: SETPAY_E_NOT_FOUND where it knows of none. */
enum setpay_error test_agreement_cancel(const struct test_sandbox *sandbox, const char *wallet,
                                        const char *order_id) SETPAY_MUST_CHECK;
/* How many payments of an order's agreement the merchant counts, and whether its shopper's wallet
 * has the receipt of its cancellation; -1 where a database can't be read or there is none. */
int64_t test_agreement_payments(const struct test_sandbox *sandbox, const char *order_id);
int64_t test_agreement_is_cancelled(const struct test_sandbox *sandbox, const char *wallet,
                                    const char *order_id);

/* Nothing is left over anywhere: no purchase under way at wallet, merchant or gateway, no
 * reversal that was not acknowledged, no sealed instruction at the merchant (rule M7), and the
 * issuer holds exactly what the gateway has approved and not reversed. */
bool test_nothing_left_over(const struct test_sandbox *sandbox, const char *const *wallets,
                            char *words, size_t size);

#endif
