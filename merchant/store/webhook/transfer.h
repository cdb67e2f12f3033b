/*
 * POSTs of events by libcurl on a loop.
 */
#ifndef SETPAY_MERCHANT_WEBHOOK_TRANSFER_H
#define SETPAY_MERCHANT_WEBHOOK_TRANSFER_H

#include "common/base/error.h"
#include "common/net/loop.h"
#include "merchant/store/webhook/delivery.h"
#include "merchant/store/webhook/network.h"

#include <stdint.h>

struct setpay_transfers;
struct setpay_transfer;

struct setpay_transfers_options {
    struct setpay_loop *loop;
    const struct setpay_networks *networks; /* outlives the transfers */
    const char *ca_file;
    int64_t timeout_ms;
};

enum setpay_error setpay_transfers_system_init(void) SETPAY_MUST_CHECK;
enum setpay_error setpay_transfers_new(const struct setpay_transfers_options *options,
                                       struct setpay_transfers **transfers) SETPAY_MUST_CHECK;
/* NULL-safe. All transfers are gone. */
void setpay_transfers_free(struct setpay_transfers *transfers);

/* status: of HTTP, 0 where no answer came. retry_after_ms: 0 where the receiver asked for nothing.
 */
typedef void setpay_transfer_ended_fn(void *arg, enum setpay_delivery_result result, int status,
                                      int64_t retry_after_ms);

/* Signs and sends; ended_cb is called once, never before this returns. The body is taken out of
 * delivery. SETPAY_E_NOMEM, SETPAY_E_CRYPTO. */
enum setpay_error setpay_transfer_new(struct setpay_transfers *transfers,
                                      struct setpay_delivery *delivery,
                                      setpay_transfer_ended_fn *ended_cb, void *arg,
                                      struct setpay_transfer **transfer) SETPAY_MUST_CHECK;
/* Ends it without a callback. NULL-safe. */
void setpay_transfer_cancel(struct setpay_transfer *transfer);

#endif
