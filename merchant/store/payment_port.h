/*
 * What the store's side asks of the payment side. merchantd fills it from merchant/payment; tests
 * fill it with a payment side of their own.
 */
#ifndef SETPAY_MERCHANT_STORE_PAYMENT_PORT_H
#define SETPAY_MERCHANT_STORE_PAYMENT_PORT_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/store/db.h"
#include "merchant/payment/purchase_state.h"

#include <stdint.h>

/* One purchase of an order, as the store may see it. */
struct setpay_payment_view {
    struct setpay_id xid;
    enum setpay_purchase_state state;
    struct setpay_money amount;   /* asked */
    struct setpay_money approved; /* held; minor 0 where nothing was, or nothing is yet known */
    char approval_code[7];        /* "" where there is none */
    char action_code[3];          /* "" before the outcome */
    char brand[33];
    setpay_time_ms created_ms;
    setpay_time_ms decided_ms;     /* of the outcome; 0 before it */
    setpay_time_ms hold_expiry_ms; /* 0 where there is no hold */
};

typedef enum setpay_error setpay_payment_visit_fn(void *arg,
                                                  const struct setpay_payment_view *payment);

struct setpay_payment_port {
    /* Calls visit for each purchase of the order, in the order of their making; ends with its first
     * error. Inside an operation or a read. */
    enum setpay_error (*list)(struct setpay_db *db, const char *order_id,
                              setpay_payment_visit_fn *visit, void *visit_arg);
    /* Inside an operation: the purchase goes through SETPAY_PURCHASE_GIVE_UP (rule M9) or
     * SETPAY_PURCHASE_REVERSE, durably, so that the work goes on after a crash as well. Errors of
     * setpay_purchase_state_next, SETPAY_E_NOT_FOUND. Each change of a purchase notifies the
     * store's watchers with (xid, version). */
    enum setpay_error (*give_up)(struct setpay_db *db, const struct setpay_id *xid,
                                 setpay_time_ms now_ms);
    enum setpay_error (*reverse)(struct setpay_db *db, const struct setpay_id *xid,
                                 setpay_time_ms now_ms);
    /* After such an operation was committed: there is work for this purchase. Any thread; NULL
     * where the payment side hears it from the store's notes. */
    void (*wake)(void *arg, const struct setpay_id *xid);
    void *arg;
};

#endif
