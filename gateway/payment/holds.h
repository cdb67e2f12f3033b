/*
 * The end of holds: what is held and not captured when its time is over is given up by the gateway
 * itself, with a receipt for the cardholder and an advice (0420) to the issuer.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_HOLDS_H
#define SETPAY_GATEWAY_PAYMENT_HOLDS_H

#include "common/base/error.h"
#include "common/net/loop.h"
#include "gateway/payment/gateway.h"
#include "gateway/payment/payment.h"
#include "gateway/payment/reversal.h"

struct setpay_gateway_holds;

/* Pure: payment as it is when its hold has ended at now_ms, and the reversal that follows.
 * SETPAY_E_STATE where it has not, or where nothing is held. */
enum setpay_error
setpay_hold_end_decide(struct setpay_payment *payment, setpay_time_ms now_ms,
                       struct setpay_gateway_reversal *reversal) SETPAY_MUST_CHECK;

/* Lives on loop's thread (the network's). settle_ms: for how long the clock must have gone steadily
 * before any hold is ended by it. */
enum setpay_error setpay_gateway_holds_new(struct setpay_gateway *gateway, struct setpay_loop *loop,
                                           struct setpay_gateway_reversals *reversals,
                                           int64_t settle_ms,
                                           struct setpay_gateway_holds **holds) SETPAY_MUST_CHECK;
/* On that thread: ends none any more; what is with the store is kept. */
void setpay_gateway_holds_stop(struct setpay_gateway_holds *holds);
/* On that thread or after its end. NULL-safe. */
void setpay_gateway_holds_free(struct setpay_gateway_holds *holds);

/* At the start, so that the figure is there before its first event. */
enum setpay_error setpay_gateway_register_hold_metrics(void) SETPAY_MUST_CHECK;

#endif
