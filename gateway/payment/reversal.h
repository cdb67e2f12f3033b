/*
 * Reversals until they are acknowledged (rule G7), and advices of what was approved in an issuer's
 * stead until they are answered, across restarts: rows of the tables reversal and stand_in, handed
 * to the network one after the other, and marked when the issuer has answered.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_REVERSAL_H
#define SETPAY_GATEWAY_PAYMENT_REVERSAL_H

#include "common/base/error.h"
#include "common/net/loop.h"
#include "gateway/payment/gateway.h"
#include "gateway/payment/payment.h"

struct setpay_gateway_reversals;

/* Lives on loop's thread (the network's). Hands in at once what is open from before. */
enum setpay_error
setpay_gateway_reversals_new(struct setpay_gateway *gateway, struct setpay_loop *loop,
                             struct setpay_gateway_reversals **reversals) SETPAY_MUST_CHECK;
/* On that thread: hands nothing in any more; what is with the network ends as it would. */
void setpay_gateway_reversals_stop(struct setpay_gateway_reversals *reversals);
/* On that thread or after its end, and after the network has been freed. NULL-safe. */
void setpay_gateway_reversals_free(struct setpay_gateway_reversals *reversals);
/* On that thread, before it runs: told whenever the issuer has answered a payment's advice, so that
 * what waited for that may go. */
typedef void setpay_gateway_advised_fn(void *arg, int64_t payment_id);
void setpay_gateway_reversals_tell(struct setpay_gateway_reversals *reversals,
                                   setpay_gateway_advised_fn *advised, void *arg);
/* Any thread: there may be new rows. */
void setpay_gateway_reversals_wake(struct setpay_gateway_reversals *reversals);
/* Before the network and workers start: declines every payment that a crash left asking, books its
 * reversal, and keeps the AuthRes that its merchant will ask for again. */
enum setpay_error setpay_gateway_recover(struct setpay_gateway *gateway, size_t *recovered,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Field 42 has 15 places: a longer id is cut; the full one is the gateway's own matter. */
enum setpay_error setpay_acceptor_fill(const struct setpay_gateway_merchant *merchant,
                                       struct setpay_network_acceptor *acceptor) SETPAY_MUST_CHECK;

#endif
