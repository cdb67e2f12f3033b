/*
 * Addresses that are needed no longer.
 *
 * Where an order is sent to is its buyer's: the store keeps it for as long as something may be sent
 * there, and for some days longer, for what comes back or is disputed. Then the row goes. The order
 * stays as it is: no offer, signature, event or digest has ever held the address.
 *
 * Each row says when it is to be looked at (look_ms): at once when it is new, and then once a day,
 * so that the number of days may change meanwhile.
 */
#ifndef SETPAY_MERCHANT_STORE_FORGET_H
#define SETPAY_MERCHANT_STORE_FORGET_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"
#include "merchant/store/order_json.h"
#include "merchant/store/payment_port.h"

#include <stdint.h>

/* SQL for a migration of the merchant's database. */
#define SETPAY_SHIP_TO_LOOK_SCHEMA                                                                 \
    "ALTER TABLE order_ship_to ADD COLUMN look_ms INTEGER NOT NULL DEFAULT 0;"                     \
    "CREATE INDEX order_ship_to_look ON order_ship_to (look_ms);"

/* Pure: since when nothing is to be sent for it any more, and nothing else is to come; 0: it goes
 * on. Of a view that was found with all that belongs to it. */
setpay_time_ms setpay_order_over_ms(const struct setpay_order_view *view);

/* Inside an operation: the address goes, now. SETPAY_E_NOT_FOUND (no such order), SETPAY_E_STATE
 * (it goes on); *had: there was one. */
enum setpay_error setpay_order_forget(struct setpay_db *db, const struct setpay_payment_port *port,
                                      const char *order_id, setpay_time_ms now_ms,
                                      bool *had) SETPAY_MUST_CHECK;
/* Looks at up to room of those whose look is due (*looked says how many); those of orders that have
 * been over for kept_ms go. kept_ms 0: none. */
enum setpay_error setpay_order_forget_due(struct setpay_db *db,
                                          const struct setpay_payment_port *port, int64_t kept_ms,
                                          setpay_time_ms now_ms, int64_t room,
                                          int64_t *looked) SETPAY_MUST_CHECK;

#endif
