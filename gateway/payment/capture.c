/*
 * Cap and CapRev without I/O: what is captured of an authorisation, and what was captured and is
 * not cleared is undone (rules G8, G9). Of a sale the issuer holds nothing once that is undone, so
 * that it is given up as well.
 */
#include "gateway/payment/step.h"

int64_t setpay_payment_held(const struct setpay_payment *payment)
{
    return payment->approved_minor - payment->reversed_minor - payment->captured_minor;
}

void setpay_payment_release(struct setpay_payment *payment, int64_t minor)
{
    payment->reversed_minor += minor;
    payment->released_minor = minor;
    payment->release_open = true;
}

static enum setpay_error capture(const struct setpay_step *asked, const struct setpay_fees *fees,
                                 setpay_time_ms now_ms, struct setpay_step_decision *decision)
{
    struct setpay_payment *payment = &decision->payment;
    enum setpay_payment_state next;
    if (!payment->has_cap_token ||
        !setpay_view_equal_secret(setpay_id_view(&payment->cap_token), setpay_id_view(&asked->of)))
        return SETPAY_E_TOKEN; /* rule G9 */
    if (payment->release_open || payment->release_owed || now_ms >= payment->hold_expiry_ms)
        return SETPAY_E_HOLD_OVER; /* rule G8 */
    SETPAY_TRY(setpay_payment_state_next(payment->state, SETPAY_PAYMENT_CAPTURE, &next));
    if (asked->amount.minor <= 0 || asked->amount.minor > setpay_payment_held(payment))
        return SETPAY_E_AMOUNT_LIMIT; /* rule G8 */
    payment->state = next;
    payment->captured_minor += asked->amount.minor;
    decision->step.charges =
        setpay_fees_of(fees, payment->brand, payment->merchant_id, &asked->amount);
    return SETPAY_OK;
}

static enum setpay_payment_event event_of_undoing(const struct setpay_payment *payment,
                                                  const struct setpay_gateway_step *of)
{
    if (payment->is_sale)
        return SETPAY_PAYMENT_UNDO_SALE;
    return payment->captured_minor == of->amount_minor ? SETPAY_PAYMENT_UNCAPTURE_WHOLE
                                                       : SETPAY_PAYMENT_UNCAPTURE_PART;
}

/* The charges are those of the capture: what is undone costs nothing. */
static enum setpay_error undo(const struct setpay_step *asked,
                              struct setpay_step_decision *decision)
{
    struct setpay_payment *payment = &decision->payment;
    struct setpay_gateway_step *of = &decision->of;
    enum setpay_payment_state next;
    if (of->kind != SETPAY_STEP_CAPTURE)
        return SETPAY_E_TOKEN; /* rule G9 */
    if (of->undone || of->credited_minor != 0 || of->disputed_minor != 0)
        return SETPAY_E_STATE;
    if (!of->batch_open)
        return SETPAY_E_CLEARED;
    if (asked->amount.minor != of->amount_minor)
        return SETPAY_E_AMOUNT_LIMIT; /* rule G8 */
    SETPAY_TRY(setpay_payment_state_next(payment->state, event_of_undoing(payment, of), &next));
    payment->state = next;
    payment->captured_minor -= of->amount_minor;
    if (payment->is_sale)
        setpay_payment_release(payment, of->amount_minor);
    of->undone = true;
    decision->step.charges = of->charges;
    return SETPAY_OK;
}

enum setpay_error setpay_capture_decide(enum setpay_step_kind kind, const struct setpay_step *asked,
                                        const struct setpay_fees *fees, setpay_time_ms now_ms,
                                        struct setpay_step_decision *decision)
{
    SETPAY_TRY(kind == SETPAY_STEP_CAPTURE ? capture(asked, fees, now_ms, decision)
                                           : undo(asked, decision));
    decision->remaining_minor = setpay_payment_held(&decision->payment);
    return SETPAY_OK;
}
