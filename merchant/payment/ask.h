/*
 * Requests to the gateway: made and signed once, kept, and packed again for each try with what is
 * to travel beside them.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_ASK_H
#define SETPAY_MERCHANT_PAYMENT_ASK_H

#include "common/base/bytes.h"
#include "common/wire/checks.h"
#include "merchant/payment/merchant.h"
#include "merchant/payment/payment_store.h"

#include <stdbool.h>

/* A fresh request of a kind, signed. *ask is initialised; what it holds is replaced.
 * SETPAY_E_SENDER where the purchase was made under another certificate than the brand's present
 * one. */
enum setpay_error setpay_merchant_ask_make(struct setpay_merchant *merchant,
                                           const struct setpay_merchant_brand *brand,
                                           const struct setpay_merchant_purchase *purchase,
                                           enum setpay_ask_kind kind, setpay_time_ms now_ms,
                                           struct setpay_merchant_ask *ask) SETPAY_MUST_CHECK;
/* The Message for one try, into bytes (replaced). envelope and certificate (the cardholder's) are
 * empty for a reversal. */
enum setpay_error setpay_merchant_ask_pack(struct setpay_merchant *merchant,
                                           const struct setpay_merchant_brand *brand,
                                           const struct setpay_merchant_purchase *purchase,
                                           const struct setpay_merchant_ask *ask,
                                           struct setpay_view envelope,
                                           struct setpay_view certificate,
                                           struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
/* What rule A4 holds the answer against. */
enum setpay_error setpay_merchant_ask_expect(const struct setpay_merchant_purchase *purchase,
                                             const struct setpay_merchant_ask *ask,
                                             struct setpay_asked *asked) SETPAY_MUST_CHECK;

#endif
