/*
 * Events of orders. An order's status is computed (order_status.h), so an event is what is found
 * when it is computed inside an operation that may have changed it, and differs from what was told
 * last. Whoever changes an order or one of its purchases calls setpay_order_tell at the end of the
 * same operation. What follows from the parts of an order (part.h) follows there too.
 */
#ifndef SETPAY_MERCHANT_STORE_ORDER_TELL_H
#define SETPAY_MERCHANT_STORE_ORDER_TELL_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"
#include "merchant/store/payment_port.h"

#include <stdbool.h>

/* The id under which the store's watchers hear that this order may look different. SETPAY_E_CRYPTO.
 */
enum setpay_error setpay_order_note(const char *order_id, struct setpay_id *note) SETPAY_MUST_CHECK;

/* Inside the operation: an event where the status is another one than was told. An order that is
 * not there has nothing to tell. SETPAY_E_NOMEM, errors of setpay_event_add. */
enum setpay_error setpay_order_tell(struct setpay_db *db, const struct setpay_payment_port *port,
                                    const char *order_id, setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* Tells of a few orders whose time has run out; *more: there are others. Where there are none,
 * notes what has become of a few that are older than events, and tells nobody. */
enum setpay_error setpay_order_tell_expired(struct setpay_db *db,
                                            const struct setpay_payment_port *port,
                                            setpay_time_ms now_ms, bool *more) SETPAY_MUST_CHECK;
/* Rule M10: with setpay_order_expire_all. */
enum setpay_error setpay_order_tell_expire_all(struct setpay_db *db,
                                               setpay_time_ms now_ms) SETPAY_MUST_CHECK;

#endif
