/*
 * The cardholder's cancellation of an agreement, kept.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_CANCEL_H
#define SETPAY_MERCHANT_PAYMENT_CANCEL_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"

struct setpay_merchant_work;

/* Inside an operation, with a CanReq that was judged: keeps it as evidence, ends the agreement,
 * withdraws a further authorisation that has not left yet, and asks for the gateway's receipt
 * behind whatever is under way. One that was kept before stays. SETPAY_E_STATE, and nothing is
 * written, where nothing is authorised any more. */
enum setpay_error setpay_merchant_cancel(struct setpay_db *db,
                                         const struct setpay_merchant_work *work,
                                         setpay_time_ms now_ms) SETPAY_MUST_CHECK;

#endif
