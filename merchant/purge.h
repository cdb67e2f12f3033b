/*
 * What a merchant keeps for a stated time and no longer: answers, keys of the API, offers, carts,
 * events and their deliveries, sessions, by whom an order was made, delivery addresses. And pieces
 * that were reserved for an order which was not paid in time go back.
 */
#ifndef SETPAY_MERCHANT_PURGE_H
#define SETPAY_MERCHANT_PURGE_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"

#include <stdbool.h>
#include <stdint.h>

/* Of each kind one round takes as many, so that no payment waits long for it. */
#define SETPAY_MERCHANT_PURGE_ROOM 1000

/* Inside an operation: one round. *more: of some kind there was as much as it takes, so that
 * another one is due at once. address_kept_ms: how long after the end of an order, 0: for ever.
 * What time it is says our own clock only as far as the second one agrees (clock.h). */
enum setpay_error setpay_merchant_purge(struct setpay_db *db, int64_t address_kept_ms,
                                        setpay_time_ms now_ms, bool *more) SETPAY_MUST_CHECK;

#endif
