/*
 * One round after another, each in a transaction of its own.
 */
#include "merchant/purge.h"

#include "common/store/answers.h"
#include "merchant/payment/payment_store.h"
#include "merchant/payment/port.h"
#include "merchant/store/admin/owner.h"
#include "merchant/store/api/idempotency.h"
#include "merchant/store/cart.h"
#include "merchant/store/event.h"
#include "merchant/store/forget.h"
#include "merchant/store/stock.h"
#include "merchant/store/www/guard.h"

#define ROOM SETPAY_MERCHANT_PURGE_ROOM
#define FORGET_ROOM 64              /* whole orders are read for it */
#define OFFER_KEPT_MS SETPAY_DAY_MS /* after its expiry, to be able to say so */

enum setpay_error setpay_merchant_purge(struct setpay_db *db, int64_t address_kept_ms,
                                        setpay_time_ms now_ms, bool *more)
{
    enum { ANSWERS, STOCK, KEYS, CARTS, VISITORS, EVENTS, OFFERS, KINDS };
    int64_t gone[KINDS] = {0}, looked = 0;
    now_ms = setpay_clock_agreed_ms(now_ms);
    SETPAY_TRY(setpay_order_forget_due(db, &setpay_merchant_payment_port, address_kept_ms, now_ms,
                                       FORGET_ROOM, &looked));
    SETPAY_TRY(setpay_owner_purge(db, now_ms));
    SETPAY_TRY(setpay_answers_purge(db, now_ms, ROOM, &gone[ANSWERS]));
    SETPAY_TRY(setpay_stock_expire(db, now_ms, ROOM, &gone[STOCK]));
    SETPAY_TRY(setpay_idempotency_purge(db, now_ms, ROOM, &gone[KEYS]));
    SETPAY_TRY(setpay_cart_purge(db, now_ms, ROOM, &gone[CARTS]));
    SETPAY_TRY(setpay_guard_purge(db, now_ms, ROOM, &gone[VISITORS]));
    SETPAY_TRY(setpay_event_purge(db, now_ms - SETPAY_EVENT_KEPT_MS, ROOM, &gone[EVENTS]));
    SETPAY_TRY(setpay_merchant_offer_purge(db, now_ms - OFFER_KEPT_MS, ROOM, &gone[OFFERS]));
    *more = looked >= FORGET_ROOM;
    for (size_t i = 0; i < KINDS; i++)
        *more = *more || gone[i] >= ROOM;
    return SETPAY_OK;
}
