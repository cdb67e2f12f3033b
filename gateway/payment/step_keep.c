/*
 * Keeping a step: the payment, the row of the step, its ledger entry and its receipt, in one
 * operation; and where a sale was undone, the reversal towards the issuer, which has booked it.
 */
#include "gateway/clearing/ledger.h"
#include "gateway/clearing/reconciliation.h"
#include "gateway/payment/step.h"

#include <string.h>

static enum setpay_error post(struct setpay_db *db, const struct setpay_step_decision *decision)
{
    const struct setpay_payment *payment = &decision->payment;
    struct setpay_ledger_entry entry = {
        .time_ms = decision->step.created_ms,
        .event = decision->step.token,
    };
    memcpy(entry.brand, payment->brand, sizeof entry.brand);
    memcpy(entry.merchant_id, payment->merchant_id, sizeof entry.merchant_id);
    memcpy(entry.currency, payment->amount.currency, sizeof entry.currency);
    /* The kinds of steps and of their entries have the same numbers. */
    setpay_ledger_post((enum setpay_ledger_kind)decision->step.kind, decision->step.amount_minor,
                       &decision->step.charges, &entry);
    return setpay_ledger_append(db, &entry);
}

static enum setpay_error add_receipt(struct setpay_db *db, const struct setpay_payment *payment,
                                     const struct setpay_made_receipt *receipt)
{
    return setpay_payment_add_receipt(db, payment->id, &receipt->sealed,
                                      setpay_buffer_view(&receipt->signed_bytes),
                                      payment->updated_ms);
}

/* What the issuer has booked it takes back: in the period of its books that is open now. */
static enum setpay_error reverse_sale(struct setpay_db *db, const struct setpay_payment *payment)
{
    struct setpay_gateway_reversal reversal = {
        .payment_id = payment->id,
        .amount_minor = payment->released_minor,
        .created_ms = payment->updated_ms,
    };
    if (payment->period != 0) /* approved in its stead it is not in its books */
        SETPAY_TRY(setpay_reconciliation_period(db, payment->issuer, &reversal.period));
    return setpay_gateway_reversal_insert(db, &reversal);
}

/* An issuer's answer to a presentment, and a write-off, leave the payment's version as it is. */
static enum setpay_error check_charged(struct setpay_db *db,
                                       const struct setpay_step_decision *decision)
{
    struct setpay_gateway_step capture;
    if (decision->step.kind != SETPAY_STEP_CREDIT)
        return SETPAY_OK;
    SETPAY_TRY(setpay_gateway_step_find(db, &decision->of.token, &capture));
    return capture.uncharged_minor == decision->of.uncharged_minor ? SETPAY_OK : SETPAY_E_CONFLICT;
}

enum setpay_error setpay_gateway_step_keep(struct setpay_db *db,
                                           const struct setpay_step_decision *decision,
                                           int64_t batch_id,
                                           const struct setpay_made_receipt *receipt,
                                           const struct setpay_made_receipt *released)
{
    struct setpay_step_decision kept = *decision;
    kept.step.batch_id = batch_id;
    SETPAY_TRY(check_charged(db, decision));
    SETPAY_TRY(setpay_payment_update(db, &kept.payment));
    SETPAY_TRY(setpay_gateway_step_apply(db, &kept));
    SETPAY_TRY(post(db, &kept));
    SETPAY_TRY(add_receipt(db, &kept.payment, receipt));
    if (released == NULL)
        return SETPAY_OK;
    SETPAY_TRY(reverse_sale(db, &kept.payment));
    return add_receipt(db, &kept.payment, released);
}
