/*
 * Presentments until they are answered, across restarts: rows of the table presentment, made when
 * their batch was closed, handed to the network, and marked when the issuer has decided.
 */
#ifndef SETPAY_GATEWAY_CLEARING_PRESENTMENT_H
#define SETPAY_GATEWAY_CLEARING_PRESENTMENT_H

#include "common/base/error.h"
#include "common/net/loop.h"
#include "gateway/payment/gateway.h"

#include <stdbool.h>

/* In the place of an issuer's response code: the operator gave it up. */
#define SETPAY_PRESENTMENT_WRITTEN_OFF "WO"
#define SETPAY_WRITE_OFF_REASON_SIZE 201

/* Pure: whether the operator may give it up. SETPAY_E_STATE: it is answered, or can be sent. */
enum setpay_error setpay_presentment_check_write_off(bool answered,
                                                     bool sendable) SETPAY_MUST_CHECK;

struct setpay_gateway_presentments;

/* Lives on loop's thread (the network's). Hands in at once what is open from before. */
enum setpay_error setpay_gateway_presentments_new(
    struct setpay_gateway *gateway, struct setpay_loop *loop,
    struct setpay_gateway_presentments **presentments) SETPAY_MUST_CHECK;
/* On that thread: hands nothing in any more; what is with the network ends as it would. */
void setpay_gateway_presentments_stop(struct setpay_gateway_presentments *presentments);
/* On that thread or after its end, and after the network has been freed. NULL-safe. */
void setpay_gateway_presentments_free(struct setpay_gateway_presentments *presentments);
/* On that thread: the issuer has answered the advice or a presentment of a payment (arg: the
 * presentments); those of it that waited for that are handed in. */
void setpay_gateway_presentments_let_go(void *arg, int64_t payment_id);
/* Any thread: there may be new rows. */
void setpay_gateway_presentments_wake(struct setpay_gateway_presentments *presentments);

#endif
