/*
 * Cred and CredRev without I/O: what was captured is given back, and what was given back and is not
 * cleared is undone (rules G8, G9).
 *
 * A credit need not wait until its capture is cleared: both then go to the issuer with the same
 * batch. It is of one capture, so that nothing is given back that was never taken; and what is in
 * dispute at the issuer, or was given back by one, is not there to be credited once more. Nor is
 * what the issuer has refused to charge: the cardholder would be given what was never taken.
 */
#include "gateway/payment/step.h"

#include "gateway/clearing/given_back.h"

/* The issuer gives its interchange back; the merchant's fee was for the capture, and stays. */
static struct setpay_charges give_back(const struct setpay_gateway_step *capture,
                                       int64_t credit_minor)
{
    const struct setpay_kept_interchange kept = {
        .captured_minor = capture->amount_minor,
        .kept_minor = capture->charges.interchange_minor,
        .credited_minor = capture->credited_minor,
        .given_minor = capture->given_back_minor,
    };
    return (struct setpay_charges){.interchange_minor = setpay_given_back(&kept, credit_minor)};
}

static enum setpay_error credit(const struct setpay_step *asked,
                                struct setpay_step_decision *decision)
{
    struct setpay_payment *payment = &decision->payment;
    struct setpay_gateway_step *of = &decision->of;
    enum setpay_payment_state next;
    if (of->kind != SETPAY_STEP_CAPTURE)
        return SETPAY_E_TOKEN; /* rule G9 */
    if (of->undone)
        return SETPAY_E_STATE;
    /* rule G8 */
    if (of->uncharged_minor >= of->amount_minor)
        return SETPAY_E_STATE;
    int64_t charged_minor = of->amount_minor - of->uncharged_minor;
    if (asked->amount.minor <= 0 ||
        asked->amount.minor > charged_minor - of->credited_minor - of->disputed_minor)
        return SETPAY_E_AMOUNT_LIMIT; /* rule G8 */
    SETPAY_TRY(setpay_payment_state_next(payment->state, SETPAY_PAYMENT_CREDIT, &next));
    payment->state = next;
    decision->step.charges = give_back(of, asked->amount.minor);
    payment->credited_minor += asked->amount.minor;
    of->credited_minor += asked->amount.minor;
    of->given_back_minor += decision->step.charges.interchange_minor;
    return SETPAY_OK;
}

static enum setpay_error undo(const struct setpay_step *asked,
                              struct setpay_step_decision *decision)
{
    struct setpay_payment *payment = &decision->payment;
    struct setpay_gateway_step *of = &decision->of;
    enum setpay_payment_state next;
    if (of->kind != SETPAY_STEP_CREDIT)
        return SETPAY_E_TOKEN; /* rule G9 */
    if (of->undone)
        return SETPAY_E_STATE;
    if (!of->batch_open)
        return SETPAY_E_CLEARED;
    if (asked->amount.minor != of->amount_minor)
        return SETPAY_E_AMOUNT_LIMIT; /* rule G8 */
    SETPAY_TRY(setpay_payment_state_next(payment->state, SETPAY_PAYMENT_UNCREDIT, &next));
    payment->state = next;
    payment->credited_minor -= of->amount_minor;
    of->undone = true;
    decision->step.charges = of->charges;
    return SETPAY_OK;
}

enum setpay_error setpay_credit_decide(enum setpay_step_kind kind, const struct setpay_step *asked,
                                       struct setpay_step_decision *decision)
{
    SETPAY_TRY(kind == SETPAY_STEP_CREDIT ? credit(asked, decision) : undo(asked, decision));
    decision->remaining_minor = decision->payment.captured_minor - decision->payment.credited_minor;
    return SETPAY_OK;
}

enum setpay_error setpay_step_decide(enum setpay_step_kind kind, const struct setpay_step *asked,
                                     const struct setpay_payment *payment,
                                     const struct setpay_gateway_step *of,
                                     const struct setpay_fees *fees, setpay_time_ms now_ms,
                                     struct setpay_step_decision *decision)
{
    struct setpay_step_decision made = {.payment = *payment};
    bool captures = kind == SETPAY_STEP_CAPTURE;
    if (!captures && (of == NULL || of->payment_id != payment->id))
        return SETPAY_E_TOKEN; /* rule G9 */
    /* Rule G9: receipts are chained, that of what the gateway gave up by itself is to be had first,
     * of whichever authorisation. */
    if (!captures && (payment->release_open || payment->release_owed))
        return SETPAY_E_HOLD_OVER;
    if (!setpay_money_same_currency(&asked->amount, &payment->amount))
        return SETPAY_E_AMOUNT_LIMIT; /* rule G8 */
    if (!captures)
        made.of = *of;
    SETPAY_TRY(kind == SETPAY_STEP_CAPTURE || kind == SETPAY_STEP_CAPTURE_REVERSAL
                   ? setpay_capture_decide(kind, asked, fees, now_ms, &made)
                   : setpay_credit_decide(kind, asked, &made));
    made.payment.updated_ms = now_ms;
    made.step.kind = kind;
    made.step.payment_id = payment->id;
    made.step.of_id = made.of.id;
    made.step.amount_minor = asked->amount.minor;
    made.step.created_ms = now_ms;
    *decision = made;
    return SETPAY_OK;
}
