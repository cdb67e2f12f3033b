/*
 * Keeping a cancellation: from its commit on nothing further is asked for.
 *
 * A further authorisation whose request is kept may have reached the gateway: it comes before the
 * cancellation there, too. One that only waits has not left, and never will.
 */
#include "merchant/payment/cancel.h"

#include "common/store/evidence.h"
#include "merchant/payment/agreement.h"
#include "merchant/payment/dispatch.h"
#include "merchant/payment/due.h"

#include <stdlib.h>

static enum setpay_error withdraw_waiting(struct setpay_db *db, int64_t purchase_id,
                                          setpay_time_ms now_ms)
{
    struct setpay_merchant_steps *steps = NULL;
    enum setpay_error error = setpay_merchant_step_list(db, purchase_id, &steps);
    if (error == SETPAY_OK)
        error = setpay_merchant_step_withdraw(db, steps, now_ms);
    free(steps);
    return error;
}

enum setpay_error setpay_merchant_cancel(struct setpay_db *db,
                                         const struct setpay_merchant_work *work,
                                         setpay_time_ms now_ms)
{
    struct setpay_merchant_purchase purchase;
    struct setpay_merchant_agreement agreement;
    struct setpay_merchant_step stored;
    const struct setpay_merchant_step what = {.kind = SETPAY_MERCHANT_STEP_CANCEL};
    SETPAY_TRY(setpay_merchant_purchase_find(db, &work->xid, &purchase));
    SETPAY_TRY(setpay_merchant_agreement_find(db, purchase.id, &agreement));
    if (agreement.cancellation.size != 0)
        return SETPAY_OK;
    agreement.cancellation = work->cancels.cancellation;
    setpay_merchant_agreement_finish(SETPAY_ENDED_BY_SHOPPER, now_ms, &agreement);
    SETPAY_TRY(setpay_merchant_agreement_update(db, &agreement));
    SETPAY_TRY(withdraw_waiting(db, purchase.id, now_ms));
    SETPAY_TRY(setpay_evidence_keep(db, purchase.id, &work->message, work->cardholder, now_ms));
    SETPAY_TRY(setpay_merchant_step_append(db, &purchase, &what, now_ms, &stored));
    return setpay_merchant_due_keep(db, &purchase, now_ms);
}
