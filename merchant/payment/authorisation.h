/*
 * The authorisations of one purchase: the first, which the purchase itself holds, and of an
 * agreement those that followed, each a step. What is captured, credited and released is counted
 * for each by itself, as the gateway counts it. Pure.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_AUTHORISATION_H
#define SETPAY_MERCHANT_PAYMENT_AUTHORISATION_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "merchant/payment/payment_store.h"
#include "merchant/payment/step.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setpay_merchant_authorisation {
    int64_t step_id; /* 0: the first */
    bool sale;
    bool has_cap_token;
    struct setpay_id cap_token;
    int64_t approved_minor;
    int64_t captured_minor; /* less what was undone; so credited */
    int64_t credited_minor;
    int64_t released_minor;
    int64_t capturing_minor; /* by captures that wait */
    int64_t releasing_minor; /* by releases of a part that wait */
    bool releasing;          /* a release of all the rest waits */
    setpay_time_ms hold_expiry_ms;
};

/* That of a step (0: the first). False where that step is no authorisation that was approved. */
bool setpay_merchant_authorisation_find(const struct setpay_merchant_purchase *purchase,
                                        const struct setpay_merchant_steps *steps, int64_t step_id,
                                        struct setpay_merchant_authorisation *one);
/* Each in turn, the first first: *at is 0 before it. False where there is none left. */
bool setpay_merchant_authorisation_next(const struct setpay_merchant_purchase *purchase,
                                        const struct setpay_merchant_steps *steps, size_t *at,
                                        struct setpay_merchant_authorisation *one);
/* By which authorisation a capture, a credit, a release, or the reversal of any was taken. */
int64_t setpay_merchant_authorisation_of(const struct setpay_merchant_steps *steps,
                                         const struct setpay_merchant_step *step);

/* Approved, not released and not captured. */
int64_t setpay_merchant_authorisation_held(const struct setpay_merchant_authorisation *one);
/* What may still be captured where all that is asked for comes to pass. */
int64_t setpay_merchant_authorisation_capturable(const struct setpay_merchant_authorisation *one);
/* Whether the gateway has given up what is held, or is about to: the hold is over, or a sale was
 * undone. Then its receipt is to be asked for, by a release. */
bool setpay_merchant_authorisation_is_over(const struct setpay_merchant_authorisation *one,
                                           setpay_time_ms now_ms);

#endif
