/*
 * Requests to the gateway: made and signed once, kept, and packed again for each try with what is
 * to travel beside them.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_ASK_H
#define SETPAY_MERCHANT_PAYMENT_ASK_H

#include "common/base/bytes.h"
#include "common/wire/checks.h"
#include "merchant/payment/agreement_store.h"
#include "merchant/payment/merchant.h"
#include "merchant/payment/payment_store.h"
#include "merchant/payment/step.h"

#include <stdbool.h>

/* What is to be asked. */
struct setpay_merchant_together;

struct setpay_merchant_asking {
    enum setpay_ask_kind kind;
    const struct setpay_merchant_step *step;         /* NULL: of no step */
    const struct setpay_id *of_token;                /* of a step: what it is of, at the gateway */
    const struct setpay_merchant_together *together; /* of a capture: NULL, or with which others */
    int64_t held_minor;                              /* of a release: what is given up */
    /* Of a further authorisation, or a cancellation. */
    const struct setpay_merchant_agreement *agreement;
};

/* A fresh request, signed. *ask is initialised; what it holds is replaced. By the certificate under
 * which the purchase was made; a step, which may come long after that has ended, by the one in use
 * where that is gone. SETPAY_E_SENDER where there is none. */
enum setpay_error setpay_merchant_ask_make(struct setpay_merchant *merchant,
                                           const struct setpay_merchant_brand *brand,
                                           const struct setpay_merchant_purchase *purchase,
                                           const struct setpay_merchant_asking *asking,
                                           setpay_time_ms now_ms,
                                           struct setpay_merchant_ask *ask) SETPAY_MUST_CHECK;
/* Inside an operation: keeps it, before it leaves (rule M5). SETPAY_E_CONFLICT, and nothing is
 * kept, of a further authorisation whose agreement has ended since it was looked at. */
enum setpay_error setpay_merchant_ask_keep(struct setpay_db *db, int64_t purchase_id,
                                           const struct setpay_merchant_ask *ask) SETPAY_MUST_CHECK;
/* The Message for one try, into bytes (replaced). envelope and certificate (the cardholder's) are
 * empty but for an AuthReq. */
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
