/*
 * What the gateway's signed answer beside an item of setpay-batch(5) says of it. Pure; whose
 * signature that is, is asked by who reads it.
 */
#ifndef SETPAY_NET_BATCH_SAID_H
#define SETPAY_NET_BATCH_SAID_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/wire/messages.h"
#include "common/wire/signed.h"

#include <stdbool.h>
#include <stdint.h>

/* One step, out of a signed answer. */
struct setpay_batch_said {
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_id xid;
    struct setpay_money amount;
    uint32_t batch;
    setpay_time_ms date_ms;
};

/* The step of that id in an AuthRes, CapRes, CredRes, CapRevRes or CredRevRes; undoes: the one that
 * undoes it. *found is false, and *said untouched, where it is of others. Errors of parsing. */
enum setpay_error setpay_batch_said_read(const struct setpay_message *message,
                                         const struct setpay_id *id, bool undoes,
                                         struct setpay_batch_said *said,
                                         bool *found) SETPAY_MUST_CHECK;

#endif
