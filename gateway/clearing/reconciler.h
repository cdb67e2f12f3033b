/*
 * Cuts once a day, adds up what was cut, and asks the issuers for their side of it until they have
 * answered, across restarts.
 */
#ifndef SETPAY_GATEWAY_CLEARING_RECONCILER_H
#define SETPAY_GATEWAY_CLEARING_RECONCILER_H

#include "common/base/error.h"
#include "common/net/loop.h"
#include "gateway/payment/gateway.h"

struct setpay_gateway_reconciler;

/* Pure: "HH:MM" to minutes after midnight. SETPAY_E_INVALID. */
enum setpay_error setpay_reconciler_parse_time(const char *text,
                                               int64_t *minutes) SETPAY_MUST_CHECK;
/* Pure: the last moment, at or before now_ms, at which it was that time of day in UTC. */
setpay_time_ms setpay_reconciler_due(setpay_time_ms now_ms, int64_t minutes);

/* Lives on loop's thread (the network's), which does not run yet. cut_minutes: when to cut, after
 * midnight UTC. */
enum setpay_error
setpay_gateway_reconciler_new(struct setpay_gateway *gateway, struct setpay_loop *loop,
                              int64_t cut_minutes,
                              struct setpay_gateway_reconciler **reconciler) SETPAY_MUST_CHECK;
/* On that thread: begins nothing any more; what is with the network ends as it would. */
void setpay_gateway_reconciler_stop(struct setpay_gateway_reconciler *reconciler);
/* On that thread or after its end, and after the network has been freed. NULL-safe. */
void setpay_gateway_reconciler_free(struct setpay_gateway_reconciler *reconciler);
/* Any thread: a period was cut. */
void setpay_gateway_reconciler_wake(struct setpay_gateway_reconciler *reconciler);

/* At the start, so that the figures are there before their first event. */
enum setpay_error setpay_gateway_register_reconciler_metrics(void) SETPAY_MUST_CHECK;

#endif
