/*
 * The table of a purchase's life at the merchant (rules M4, M6, M9).
 *
 * Giving up while the gateway is being asked is the delicate part. The merchant can't know whether
 * its AuthReq arrived, so it sends a void; the gateway books whichever comes first. Where that was
 * the AuthReq, the void is refused as used, and the merchant repeats the AuthReq, whose answer is
 * kept, in order to learn the outcome; an approval learned so is reversed.
 *
 * An instruction that the gateway can't open or believe can't be voided either. It has no row at
 * the gateway, and once its time is over it can never get one: then, and only then, the purchase
 * has lapsed, without a receipt.
 *
 * What is authorised is captured, and what is captured given back, by steps (step.h). They wait in
 * the order in which the store asked for them, and one is at the gateway at a time, so that nobody
 * has to know what two that cross come to. To give up the rest of a purchase of which something is
 * captured is a step too; the whole of one of which nothing is has states of its own.
 *
 * What a sale has captured is given back by steps as well: its capture is reversed, and the
 * authorisation given up behind it. Until that is done such a purchase is not answered.
 *
 * Cells that are not written out refuse: an answer with SETPAY_E_AUTH_MISMATCH, a wish with
 * SETPAY_E_STATE, another PReq with SETPAY_E_ORDER_TAKEN.
 */
#include "merchant/payment/purchase_state.h"

/* NONE stands for: refused. */
static const enum setpay_purchase_state table[SETPAY_PURCHASE_STATES][SETPAY_PURCHASE_EVENTS] = {
    [SETPAY_PURCHASE_NONE] = {[SETPAY_PURCHASE_PREQ] = SETPAY_PURCHASE_ASKING},
    [SETPAY_PURCHASE_ASKING] =
        {
            [SETPAY_PURCHASE_APPROVED] = SETPAY_PURCHASE_AUTHORISED,
            [SETPAY_PURCHASE_EXCESS] = SETPAY_PURCHASE_REVERSING, /* rule M6 */
            [SETPAY_PURCHASE_SOLD] = SETPAY_PURCHASE_CAPTURED,
            [SETPAY_PURCHASE_OVERSOLD] = SETPAY_PURCHASE_STEPPING, /* rule M6 */
            [SETPAY_PURCHASE_REFUSED] = SETPAY_PURCHASE_DECLINED,
            [SETPAY_PURCHASE_GIVE_UP] = SETPAY_PURCHASE_VOIDING, /* rule M9 */
        },
    [SETPAY_PURCHASE_VOIDING] =
        {
            /* The AuthReq that was under way may be answered before the void is. */
            [SETPAY_PURCHASE_APPROVED] = SETPAY_PURCHASE_REVERSING,
            [SETPAY_PURCHASE_EXCESS] = SETPAY_PURCHASE_REVERSING,
            [SETPAY_PURCHASE_SOLD] = SETPAY_PURCHASE_STEPPING,
            [SETPAY_PURCHASE_OVERSOLD] = SETPAY_PURCHASE_STEPPING,
            [SETPAY_PURCHASE_REFUSED] = SETPAY_PURCHASE_DECLINED,
            [SETPAY_PURCHASE_VOID_DONE] = SETPAY_PURCHASE_VOIDED,
            [SETPAY_PURCHASE_USED] = SETPAY_PURCHASE_LEARNING,
            [SETPAY_PURCHASE_GIVE_UP] = SETPAY_PURCHASE_VOIDING,
            [SETPAY_PURCHASE_LAPSE] = SETPAY_PURCHASE_LAPSED,
        },
    [SETPAY_PURCHASE_LEARNING] =
        {
            [SETPAY_PURCHASE_APPROVED] = SETPAY_PURCHASE_REVERSING,
            [SETPAY_PURCHASE_EXCESS] = SETPAY_PURCHASE_REVERSING,
            [SETPAY_PURCHASE_SOLD] = SETPAY_PURCHASE_STEPPING,
            [SETPAY_PURCHASE_OVERSOLD] = SETPAY_PURCHASE_STEPPING,
            [SETPAY_PURCHASE_REFUSED] = SETPAY_PURCHASE_DECLINED,
            [SETPAY_PURCHASE_VOID_DONE] = SETPAY_PURCHASE_VOIDED,
            [SETPAY_PURCHASE_GIVE_UP] = SETPAY_PURCHASE_LEARNING,
        },
    [SETPAY_PURCHASE_AUTHORISED] =
        {
            [SETPAY_PURCHASE_REVERSE] = SETPAY_PURCHASE_REVERSING,
            [SETPAY_PURCHASE_STEP] = SETPAY_PURCHASE_STEPPING,
        },
    [SETPAY_PURCHASE_REVERSING] =
        {
            [SETPAY_PURCHASE_REVERSE] = SETPAY_PURCHASE_REVERSING,
            [SETPAY_PURCHASE_REVERSE_DONE] = SETPAY_PURCHASE_REVERSED,
            [SETPAY_PURCHASE_GIVE_UP] = SETPAY_PURCHASE_REVERSING,
        },
    [SETPAY_PURCHASE_CAPTURED] = {[SETPAY_PURCHASE_STEP] = SETPAY_PURCHASE_STEPPING},
    [SETPAY_PURCHASE_STEPPING] =
        {
            [SETPAY_PURCHASE_STEP] = SETPAY_PURCHASE_STEPPING,
            [SETPAY_PURCHASE_STEP_NEXT] = SETPAY_PURCHASE_STEPPING,
            [SETPAY_PURCHASE_STEPS_HELD] = SETPAY_PURCHASE_AUTHORISED,
            [SETPAY_PURCHASE_STEPS_CAPTURED] = SETPAY_PURCHASE_CAPTURED,
            [SETPAY_PURCHASE_STEPS_NOTHING] = SETPAY_PURCHASE_REVERSED,
        },
};

enum setpay_error setpay_purchase_state_next(enum setpay_purchase_state state,
                                             enum setpay_purchase_event event,
                                             enum setpay_purchase_state *next)
{
    if ((unsigned)state >= SETPAY_PURCHASE_STATES || (unsigned)event >= SETPAY_PURCHASE_EVENTS)
        return SETPAY_E_INTERNAL;
    enum setpay_purchase_state found = table[state][event];
    if (found != SETPAY_PURCHASE_NONE) {
        *next = found;
        return SETPAY_OK;
    }
    switch (event) {
    case SETPAY_PURCHASE_PREQ:
        return SETPAY_E_ORDER_TAKEN; /* rule M4 */
    case SETPAY_PURCHASE_GIVE_UP:
    case SETPAY_PURCHASE_LAPSE:
    case SETPAY_PURCHASE_REVERSE:
    case SETPAY_PURCHASE_STEP:
        return SETPAY_E_STATE;
    default:
        return SETPAY_E_AUTH_MISMATCH; /* rule M6 */
    }
}

bool setpay_purchase_state_is_refused(enum setpay_purchase_state state)
{
    return state == SETPAY_PURCHASE_DECLINED || state == SETPAY_PURCHASE_VOIDED ||
           state == SETPAY_PURCHASE_REVERSED || state == SETPAY_PURCHASE_LAPSED;
}

bool setpay_purchase_state_is_waiting(enum setpay_purchase_state state)
{
    return state == SETPAY_PURCHASE_ASKING || state == SETPAY_PURCHASE_VOIDING ||
           state == SETPAY_PURCHASE_LEARNING || state == SETPAY_PURCHASE_REVERSING ||
           state == SETPAY_PURCHASE_STEPPING;
}

const char *setpay_purchase_state_name(enum setpay_purchase_state state)
{
    static const char *const names[SETPAY_PURCHASE_STATES] = {
        [SETPAY_PURCHASE_NONE] = "none",
        [SETPAY_PURCHASE_ASKING] = "asking",
        [SETPAY_PURCHASE_VOIDING] = "voiding",
        [SETPAY_PURCHASE_LEARNING] = "learning",
        [SETPAY_PURCHASE_AUTHORISED] = "authorised",
        [SETPAY_PURCHASE_REVERSING] = "reversing",
        [SETPAY_PURCHASE_REVERSED] = "reversed",
        [SETPAY_PURCHASE_DECLINED] = "declined",
        [SETPAY_PURCHASE_VOIDED] = "voided",
        [SETPAY_PURCHASE_LAPSED] = "lapsed",
        [SETPAY_PURCHASE_CAPTURED] = "captured",
        [SETPAY_PURCHASE_STEPPING] = "stepping",
    };
    return (unsigned)state < SETPAY_PURCHASE_STATES ? names[state] : "unknown";
}
