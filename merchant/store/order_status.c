/*
 * The status of an order. At most one purchase stands against it (rule M4): that one decides. One
 * that came too late and is being voided does not stand, and counts only where no other does.
 * Without one, the store's wish counts, then the time, then the last attempt.
 */
#include "merchant/store/order_status.h"

#include <string.h>

/* By what has become of what was authorised. */
static enum setpay_order_status status_by_sums(const struct setpay_payment_view *payment)
{
    int64_t held = payment->approved.minor - payment->released_minor - payment->captured_minor;
    if (payment->captured_minor == 0)
        return SETPAY_ORDER_STATUS_AUTHORISED;
    if (payment->credited_minor == 0)
        return held > 0 ? SETPAY_ORDER_STATUS_PARTIALLY_CAPTURED : SETPAY_ORDER_STATUS_CAPTURED;
    return held > 0 || payment->credited_minor < payment->captured_minor
               ? SETPAY_ORDER_STATUS_PARTIALLY_REFUNDED
               : SETPAY_ORDER_STATUS_REFUNDED;
}

/* The status while a purchase stands. */
static enum setpay_order_status status_under(const struct setpay_payment_view *payment,
                                             enum setpay_order_end end)
{
    switch (payment->state) {
    case SETPAY_PURCHASE_AUTHORISED:
    case SETPAY_PURCHASE_STEPPING:
    case SETPAY_PURCHASE_CAPTURED:
        return payment->unwanted ? SETPAY_ORDER_STATUS_PAYING : status_by_sums(payment);
    case SETPAY_PURCHASE_REVERSING:
        /* The store voids what it had, or (rules M6, M9) gives back what it never took. */
        return end == SETPAY_ORDER_VOIDED ? SETPAY_ORDER_STATUS_AUTHORISED
                                          : SETPAY_ORDER_STATUS_PAYING;
    default:
        return SETPAY_ORDER_STATUS_PAYING;
    }
}

const struct setpay_payment_view *setpay_order_standing(const struct setpay_payment_view *payments,
                                                        size_t count)
{
    const struct setpay_payment_view *stands = NULL;
    for (size_t i = count; i-- > 0;) {
        enum setpay_purchase_state state = payments[i].state;
        if (state != SETPAY_PURCHASE_NONE && !setpay_purchase_state_is_refused(state) &&
            (stands == NULL || stands->state == SETPAY_PURCHASE_VOIDING))
            stands = &payments[i];
    }
    return stands;
}

enum setpay_order_status setpay_order_status_of(enum setpay_order_end end,
                                                setpay_time_ms expires_ms,
                                                const struct setpay_payment_view *payments,
                                                size_t count, setpay_time_ms now_ms)
{
    const struct setpay_payment_view *stands = setpay_order_standing(payments, count);
    if (stands != NULL)
        return status_under(stands, end);
    if (end == SETPAY_ORDER_CANCELLED)
        return SETPAY_ORDER_STATUS_CANCELLED;
    if (end == SETPAY_ORDER_VOIDED)
        return SETPAY_ORDER_STATUS_VOIDED;
    if (end == SETPAY_ORDER_HOLD_OVER || now_ms >= expires_ms)
        return SETPAY_ORDER_STATUS_EXPIRED;
    return count > 0 && payments[count - 1].state == SETPAY_PURCHASE_DECLINED
               ? SETPAY_ORDER_STATUS_DECLINED
               : SETPAY_ORDER_STATUS_OPEN;
}

static const char *const names[SETPAY_ORDER_STATUSES] = {
    [SETPAY_ORDER_STATUS_OPEN] = "open",
    [SETPAY_ORDER_STATUS_PAYING] = "paying",
    [SETPAY_ORDER_STATUS_AUTHORISED] = "authorised",
    [SETPAY_ORDER_STATUS_PARTIALLY_CAPTURED] = "partially_captured",
    [SETPAY_ORDER_STATUS_CAPTURED] = "captured",
    [SETPAY_ORDER_STATUS_PARTIALLY_REFUNDED] = "partially_refunded",
    [SETPAY_ORDER_STATUS_REFUNDED] = "refunded",
    [SETPAY_ORDER_STATUS_DECLINED] = "declined",
    [SETPAY_ORDER_STATUS_VOIDED] = "voided",
    [SETPAY_ORDER_STATUS_CANCELLED] = "cancelled",
    [SETPAY_ORDER_STATUS_EXPIRED] = "expired",
};

const char *setpay_order_status_name(enum setpay_order_status status)
{
    return (unsigned)status < SETPAY_ORDER_STATUSES ? names[status] : NULL;
}

enum setpay_error setpay_order_status_parse(const char *name, enum setpay_order_status *status)
{
    for (unsigned i = 0; i < SETPAY_ORDER_STATUSES; i++) {
        if (strcmp(name, names[i]) == 0) {
            *status = (enum setpay_order_status)i;
            return SETPAY_OK;
        }
    }
    return SETPAY_E_INVALID;
}

enum setpay_error setpay_order_check_void(enum setpay_order_status status)
{
    switch (status) {
    case SETPAY_ORDER_STATUS_AUTHORISED:
    case SETPAY_ORDER_STATUS_PARTIALLY_CAPTURED:
    case SETPAY_ORDER_STATUS_PARTIALLY_REFUNDED:
    case SETPAY_ORDER_STATUS_VOIDED:
        return SETPAY_OK;
    default:
        return SETPAY_E_STATE;
    }
}

enum setpay_error setpay_order_check_cancel(enum setpay_order_status status)
{
    switch (status) {
    case SETPAY_ORDER_STATUS_OPEN:
    case SETPAY_ORDER_STATUS_PAYING:
    case SETPAY_ORDER_STATUS_DECLINED:
    case SETPAY_ORDER_STATUS_EXPIRED:
    case SETPAY_ORDER_STATUS_CANCELLED:
        return SETPAY_OK;
    default:
        return SETPAY_E_STATE;
    }
}

bool setpay_order_may_ship(enum setpay_order_end end, enum setpay_order_status status)
{
    return end == SETPAY_ORDER_GOES_ON && (status == SETPAY_ORDER_STATUS_AUTHORISED ||
                                           status == SETPAY_ORDER_STATUS_PARTIALLY_CAPTURED ||
                                           status == SETPAY_ORDER_STATUS_CAPTURED ||
                                           status == SETPAY_ORDER_STATUS_PARTIALLY_REFUNDED);
}
