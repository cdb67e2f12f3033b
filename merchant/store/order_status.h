/*
 * An order's status in the words of the store's interface: a function of the order, its purchases
 * and the time, and of nothing else.
 */
#ifndef SETPAY_MERCHANT_STORE_ORDER_STATUS_H
#define SETPAY_MERCHANT_STORE_ORDER_STATUS_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "merchant/payment/purchase_state.h"
#include "merchant/store/order.h"
#include "merchant/store/payment_port.h"

#include <stddef.h>

enum setpay_order_status {
    SETPAY_ORDER_STATUS_OPEN,       /* may be paid */
    SETPAY_ORDER_STATUS_PAYING,     /* a PReq is stored; nothing is decided, or a hold is being
                                       given back that nobody asked for */
    SETPAY_ORDER_STATUS_AUTHORISED, /* a hold stands (also while the store's reversal runs) */
    /* By what is done; what the gateway is still asked for does not count yet. */
    SETPAY_ORDER_STATUS_PARTIALLY_CAPTURED, /* and the rest is held */
    SETPAY_ORDER_STATUS_CAPTURED,           /* and nothing is held any more */
    SETPAY_ORDER_STATUS_PARTIALLY_REFUNDED, /* something of it, or all and more is held */
    SETPAY_ORDER_STATUS_REFUNDED,
    SETPAY_ORDER_STATUS_DECLINED,  /* by the issuer; may be paid again until it expires */
    SETPAY_ORDER_STATUS_VOIDED,    /* the hold was given back by the store */
    SETPAY_ORDER_STATUS_CANCELLED, /* ended by the store without money */
    SETPAY_ORDER_STATUS_EXPIRED,   /* was not paid in time; or was, and its hold has ended before
                                      anything was captured: it is not paid again */
    SETPAY_ORDER_STATUSES
};

/* payments: all of its purchases, in the order of their making. */
enum setpay_order_status setpay_order_status_of(enum setpay_order_end end,
                                                setpay_time_ms expires_ms,
                                                const struct setpay_payment_view *payments,
                                                size_t count, setpay_time_ms now_ms);
/* The purchase that stands against it, NULL where none does. */
const struct setpay_payment_view *setpay_order_standing(const struct setpay_payment_view *payments,
                                                        size_t count);
/* "open"; NULL for a number that is none. */
const char *setpay_order_status_name(enum setpay_order_status status);
/* SETPAY_E_INVALID for another word. */
enum setpay_error setpay_order_status_parse(const char *name,
                                            enum setpay_order_status *status) SETPAY_MUST_CHECK;

/* What the store may do to an order in this status: SETPAY_OK or SETPAY_E_STATE. A void is of what
 * is held. */
enum setpay_error setpay_order_check_void(enum setpay_order_status status) SETPAY_MUST_CHECK;
enum setpay_error setpay_order_check_cancel(enum setpay_order_status status) SETPAY_MUST_CHECK;

/* Whether pieces of it may be sent: it is paid, and nothing has ended it. */
bool setpay_order_may_ship(enum setpay_order_end end, enum setpay_order_status status);

#endif
