/*
 * A sale: AuthReq that authorises and captures at once. Towards the issuer it is a financial
 * request (0200), which books; here it is an authorisation and a capture of all that was approved,
 * with a receipt each, kept in one operation and told in one answer.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_SALE_H
#define SETPAY_GATEWAY_PAYMENT_SALE_H

#include "gateway/clearing/batch.h"
#include "gateway/payment/dispatch.h"
#include "gateway/payment/step.h"

struct setpay_gateway_sale {
    struct setpay_step_decision decision; /* its payment is what the row will be */
    struct setpay_batch batch;
    struct setpay_made_receipt receipt;
};

/* Pure: the capture of all that payment, just approved, holds. Its step is the one that the issuer
 * knows. What setpay_step_decide gives. */
enum setpay_error setpay_sale_decide(const struct setpay_payment *payment,
                                     const struct setpay_fees *fees, setpay_time_ms now_ms,
                                     struct setpay_step_decision *decision) SETPAY_MUST_CHECK;

/* Decides, with the batch as it is now, and makes the receipt, behind the authorisation's in
 * work->payment. *done borrows it. */
enum setpay_error setpay_sale_make(struct setpay_gateway_work *work,
                                   struct setpay_step_done *done) SETPAY_MUST_CHECK;
/* In an operation, behind the authorisation's receipt. SETPAY_E_CONFLICT where the batch was closed
 * meanwhile: to be made again. */
enum setpay_error setpay_sale_keep(struct setpay_db *db,
                                   const struct setpay_gateway_work *work) SETPAY_MUST_CHECK;
/* The same where the payment's row was made in this operation, and so after the decision. */
enum setpay_error setpay_sale_keep_first(struct setpay_db *db,
                                         struct setpay_gateway_work *work) SETPAY_MUST_CHECK;

#endif
