/*
 * What a sale adds to an authorisation (sale.h).
 */
#include "gateway/payment/sale.h"

#include <stdlib.h>
#include <string.h>

enum setpay_error setpay_sale_decide(const struct setpay_payment *payment,
                                     const struct setpay_fees *fees, setpay_time_ms now_ms,
                                     struct setpay_step_decision *decision)
{
    struct setpay_step asked = {
        .xid = payment->xid,
        .of = payment->cap_token,
        .amount = payment->amount,
    };
    asked.amount.minor = payment->approved_minor; /* rule G11: perhaps less than was asked */
    SETPAY_TRY(
        setpay_step_decide(SETPAY_STEP_CAPTURE, &asked, payment, NULL, fees, now_ms, decision));
    decision->step.token = payment->sale_id;
    return SETPAY_OK;
}

static enum setpay_error read_batch(struct setpay_db *db, void *arg)
{
    const struct setpay_gateway_work *work = arg;
    const struct setpay_payment *payment = &work->payment;
    return setpay_batch_find_open(db, payment->brand, payment->merchant_id, payment->updated_ms,
                                  &work->sale->batch);
}

static void fill_done(const struct setpay_gateway_sale *sale, struct setpay_step_done *done)
{
    const struct setpay_payment *payment = &sale->decision.payment;
    *done = (struct setpay_step_done){
        .xid = payment->xid,
        .of = payment->cap_token,
        .amount = payment->amount,
        .id = sale->decision.step.token,
        .batch = sale->batch.number,
        .remaining = payment->amount,
        .cardholder = payment->cardholder,
        .pomd = payment->pomd,
        .receipt = sale->receipt.sealed,
    };
    done->amount.minor = sale->decision.step.amount_minor;
    done->remaining.minor = sale->decision.remaining_minor;
}

enum setpay_error setpay_sale_make(struct setpay_gateway_work *work, struct setpay_step_done *done)
{
    const struct setpay_gateway *gateway = work->worker->gateway;
    if (work->sale == NULL) {
        work->sale = calloc(1, sizeof *work->sale);
        if (work->sale == NULL)
            return SETPAY_E_NOMEM;
        setpay_made_receipt_init(&work->sale->receipt);
    }
    struct setpay_gateway_sale *sale = work->sale;
    SETPAY_TRY(setpay_store_read(work->worker->reader, read_batch, work));
    SETPAY_TRY(setpay_sale_decide(&work->payment, &gateway->fees, work->payment.updated_ms,
                                  &sale->decision));
    SETPAY_TRY(setpay_payment_make_receipt(work->sign, &sale->decision.payment,
                                           SETPAY_RECEIPT_CAPTURE, sale->decision.step.amount_minor,
                                           &work->instruction.pi.back_key, work->payment.updated_ms,
                                           &sale->receipt));
    fill_done(sale, done);
    return SETPAY_OK;
}

enum setpay_error setpay_sale_keep(struct setpay_db *db, const struct setpay_gateway_work *work)
{
    const struct setpay_gateway_sale *sale = work->sale;
    struct setpay_batch batch = sale->batch;
    SETPAY_TRY(setpay_batch_use(db, &batch, 1));
    return setpay_gateway_step_keep(db, &sale->decision, batch.id, &sale->receipt, NULL);
}

enum setpay_error setpay_sale_keep_first(struct setpay_db *db, struct setpay_gateway_work *work)
{
    struct setpay_step_decision *decision = &work->sale->decision;
    decision->payment.id = work->payment.id;
    decision->payment.version = work->payment.version;
    decision->step.payment_id = work->payment.id;
    return setpay_sale_keep(db, work);
}

void setpay_gateway_sale_free(struct setpay_gateway_sale *sale)
{
    if (sale == NULL)
        return;
    setpay_made_receipt_clear(&sale->receipt);
    free(sale);
}
