/*
 * PRes, InqRes and CanRes, which have one content: what the wallet is told of its purchase, with
 * the gateway's sealed receipts.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_ANSWER_H
#define SETPAY_MERCHANT_PAYMENT_ANSWER_H

#include "common/base/bytes.h"
#include "common/wire/signed.h"
#include "merchant/payment/merchant.h"
#include "merchant/payment/payment_store.h"

struct setpay_merchant_told {
    enum setpay_message_type type; /* SETPAY_MESSAGE_P_RES, _INQ_RES or _CAN_RES */
    const struct setpay_id *rrpid; /* of the request */
    const struct setpay_digest *request_hash;
    const struct setpay_digest *challenge;
    const struct setpay_sealed_receipt *receipts; /* oldest first; borrowed */
    size_t receipt_count;
    uint32_t skipped; /* before these, which the wallet has; not in a PRes, nor is the next */
    uint32_t left;    /* behind these */
};

/* Signs and packs into bytes (replaced), with the merchant's and, where it is known, the gateway's
 * chain beside. */
enum setpay_error setpay_merchant_answer_build(struct setpay_merchant *merchant,
                                               const struct setpay_merchant_brand *brand,
                                               const struct setpay_merchant_purchase *purchase,
                                               const struct setpay_merchant_told *told,
                                               setpay_time_ms now_ms,
                                               struct setpay_buffer *bytes) SETPAY_MUST_CHECK;

#endif
