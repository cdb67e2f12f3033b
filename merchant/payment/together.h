/*
 * Captures of several purchases that the store has asked for together: one request to the gateway,
 * signed once, in which each is a step of its own. The request is kept with every one of them in
 * one operation, so that whoever drives any of them sends the same bytes, and takes its own part of
 * the answer: a crash in between neither loses nor doubles one.
 *
 * Inside an operation or a read.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_TOGETHER_H
#define SETPAY_MERCHANT_PAYMENT_TOGETHER_H

#include "common/base/error.h"
#include "common/base/limits.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "merchant/payment/payment_store.h"
#include "merchant/payment/step.h"

#include <stddef.h>
#include <stdint.h>

struct setpay_merchant_member {
    int64_t step_id;
    int64_t purchase_id;
    struct setpay_step step; /* as the gateway is asked for it */
};

struct setpay_merchant_together {
    struct setpay_merchant_member list[SETPAY_LIMIT_STEPS];
    size_t count;
};

/* Those of step's number whose turn has come at their purchase and of which no request is kept, of
 * the same brand, gateway and merchant certificate as purchase; step is one of them. */
enum setpay_error
setpay_merchant_together_find(struct setpay_db *db, const struct setpay_merchant_purchase *purchase,
                              const struct setpay_merchant_step *step,
                              struct setpay_merchant_together *together) SETPAY_MUST_CHECK;
/* Inside an operation: keeps the request with each. SETPAY_E_CONFLICT where one of them was asked
 * for, or has ended, since it was read. */
enum setpay_error
setpay_merchant_together_keep(struct setpay_db *db, const struct setpay_merchant_together *together,
                              const struct setpay_merchant_ask *ask) SETPAY_MUST_CHECK;
/* Rule M6: the answer to a request has as many steps as that, and one of this purchase, once. It
 * alone stands in the answer then. SETPAY_E_AUTH_MISMATCH. */
enum setpay_error setpay_merchant_together_pick(const struct setpay_merchant_ask *ask,
                                                const struct setpay_id *xid,
                                                struct setpay_step_res *answer) SETPAY_MUST_CHECK;

#endif
