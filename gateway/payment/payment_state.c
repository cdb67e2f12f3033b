/*
 * The table of a payment's life at the gateway (rules G6 to G9).
 *
 * A row is a state, a column an event; a cell is the next state or the error that refuses it. Every
 * cell is written out: one that is missing would be zero, which is no permitted cell, and is
 * refused as SETPAY_E_INTERNAL. What makes double authorisation impossible is the column AUTHORISE:
 * it leads somewhere from NONE alone.
 */
#include "gateway/payment/payment_state.h"

struct cell {
    enum setpay_payment_state next; /* NONE: refused, with error */
    enum setpay_error error;
};

#define TO(state)                                                                                  \
    {                                                                                              \
        SETPAY_PAYMENT_##state, SETPAY_OK                                                          \
    }
#define NO(name)                                                                                   \
    {                                                                                              \
        SETPAY_PAYMENT_NONE, SETPAY_E_##name                                                       \
    }

static const struct cell table[SETPAY_PAYMENT_STATES][SETPAY_PAYMENT_EVENTS] =
    {
        [SETPAY_PAYMENT_NONE] =
            {
                [SETPAY_PAYMENT_AUTHORISE] = TO(ASKING), /* rule G6 */
                [SETPAY_PAYMENT_VOID] = TO(VOIDED),
                [SETPAY_PAYMENT_APPROVE] = NO(STATE),
                [SETPAY_PAYMENT_DECLINE] = NO(STATE),
                [SETPAY_PAYMENT_FAIL] = NO(STATE),
                [SETPAY_PAYMENT_REVERSE_PART] = NO(TOKEN),
                [SETPAY_PAYMENT_REVERSE_WHOLE] = NO(TOKEN),
                [SETPAY_PAYMENT_CAPTURE] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCAPTURE_PART] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCAPTURE_WHOLE] = NO(TOKEN),
                [SETPAY_PAYMENT_UNDO_SALE] = NO(TOKEN),
                [SETPAY_PAYMENT_CREDIT] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCREDIT] = NO(TOKEN),
            },
        [SETPAY_PAYMENT_ASKING] =
            {
                [SETPAY_PAYMENT_AUTHORISE] = NO(PI_USED),
                [SETPAY_PAYMENT_VOID] = NO(PI_USED),
                [SETPAY_PAYMENT_APPROVE] = TO(APPROVED),
                [SETPAY_PAYMENT_DECLINE] = TO(DECLINED),
                [SETPAY_PAYMENT_FAIL] = TO(DECLINED), /* rule G7: with a reversal */
                [SETPAY_PAYMENT_REVERSE_PART] = NO(TOKEN),
                [SETPAY_PAYMENT_REVERSE_WHOLE] = NO(TOKEN),
                [SETPAY_PAYMENT_CAPTURE] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCAPTURE_PART] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCAPTURE_WHOLE] = NO(TOKEN),
                [SETPAY_PAYMENT_UNDO_SALE] = NO(TOKEN),
                [SETPAY_PAYMENT_CREDIT] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCREDIT] = NO(TOKEN),
            },
        [SETPAY_PAYMENT_APPROVED] =
            {
                [SETPAY_PAYMENT_AUTHORISE] = NO(PI_USED),
                [SETPAY_PAYMENT_VOID] = NO(PI_USED),
                [SETPAY_PAYMENT_APPROVE] = NO(STATE),
                [SETPAY_PAYMENT_DECLINE] = NO(STATE),
                [SETPAY_PAYMENT_FAIL] = NO(STATE),
                [SETPAY_PAYMENT_REVERSE_PART] = TO(APPROVED),
                [SETPAY_PAYMENT_REVERSE_WHOLE] = TO(REVERSED),
                [SETPAY_PAYMENT_CAPTURE] = TO(CAPTURED),
                [SETPAY_PAYMENT_UNCAPTURE_PART] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCAPTURE_WHOLE] = NO(TOKEN),
                [SETPAY_PAYMENT_UNDO_SALE] = NO(TOKEN),
                [SETPAY_PAYMENT_CREDIT] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCREDIT] = NO(TOKEN),
            },
        [SETPAY_PAYMENT_DECLINED] =
            {
                [SETPAY_PAYMENT_AUTHORISE] = NO(PI_USED),
                [SETPAY_PAYMENT_VOID] = NO(PI_USED),
                [SETPAY_PAYMENT_APPROVE] = NO(STATE),
                [SETPAY_PAYMENT_DECLINE] = NO(STATE),
                [SETPAY_PAYMENT_FAIL] = NO(STATE),
                [SETPAY_PAYMENT_REVERSE_PART] = NO(TOKEN),
                [SETPAY_PAYMENT_REVERSE_WHOLE] = NO(TOKEN),
                [SETPAY_PAYMENT_CAPTURE] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCAPTURE_PART] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCAPTURE_WHOLE] = NO(TOKEN),
                [SETPAY_PAYMENT_UNDO_SALE] = NO(TOKEN),
                [SETPAY_PAYMENT_CREDIT] =
                    NO(TOKEN),
                [SETPAY_PAYMENT_UNCREDIT] = NO(TOKEN),
            },
        [SETPAY_PAYMENT_VOIDED] =
            {
                [SETPAY_PAYMENT_AUTHORISE] = NO(PI_USED),
                [SETPAY_PAYMENT_VOID] = NO(PI_USED),
                [SETPAY_PAYMENT_APPROVE] = NO(STATE),
                [SETPAY_PAYMENT_DECLINE] = NO(STATE),
                [SETPAY_PAYMENT_FAIL] = NO(STATE),
                [SETPAY_PAYMENT_REVERSE_PART] = NO(TOKEN),
                [SETPAY_PAYMENT_REVERSE_WHOLE] = NO(TOKEN),
                [SETPAY_PAYMENT_CAPTURE] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCAPTURE_PART] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCAPTURE_WHOLE] = NO(TOKEN),
                [SETPAY_PAYMENT_UNDO_SALE] = NO(TOKEN),
                [SETPAY_PAYMENT_CREDIT] = NO(TOKEN),
                [SETPAY_PAYMENT_UNCREDIT] = NO(TOKEN),
            },
        [SETPAY_PAYMENT_REVERSED] =
            {
                [SETPAY_PAYMENT_AUTHORISE] = NO(PI_USED),
                [SETPAY_PAYMENT_VOID] = NO(PI_USED),
                [SETPAY_PAYMENT_APPROVE] = NO(STATE),
                [SETPAY_PAYMENT_DECLINE] = NO(STATE),
                [SETPAY_PAYMENT_FAIL] = NO(STATE),
                [SETPAY_PAYMENT_REVERSE_PART] = NO(STATE),
                [SETPAY_PAYMENT_REVERSE_WHOLE] = NO(STATE),
                [SETPAY_PAYMENT_CAPTURE] = NO(STATE),
                [SETPAY_PAYMENT_UNCAPTURE_PART] = NO(STATE),
                [SETPAY_PAYMENT_UNCAPTURE_WHOLE] = NO(STATE),
                [SETPAY_PAYMENT_UNDO_SALE] = NO(STATE),
                [SETPAY_PAYMENT_CREDIT] = NO(STATE),
                [SETPAY_PAYMENT_UNCREDIT] = NO(STATE),
            },
        [SETPAY_PAYMENT_CAPTURED] =
            {
                [SETPAY_PAYMENT_AUTHORISE] = NO(PI_USED),
                [SETPAY_PAYMENT_VOID] = NO(PI_USED),
                [SETPAY_PAYMENT_APPROVE] = NO(STATE),
                [SETPAY_PAYMENT_DECLINE] = NO(STATE),
                [SETPAY_PAYMENT_FAIL] = NO(STATE),
                [SETPAY_PAYMENT_REVERSE_PART] = TO(CAPTURED),
                [SETPAY_PAYMENT_REVERSE_WHOLE] = TO(CAPTURED), /* of what is not captured */
                [SETPAY_PAYMENT_CAPTURE] = TO(CAPTURED),
                [SETPAY_PAYMENT_UNCAPTURE_PART] = TO(CAPTURED),
                [SETPAY_PAYMENT_UNCAPTURE_WHOLE] = TO(APPROVED),
                [SETPAY_PAYMENT_UNDO_SALE] = TO(REVERSED), /* the issuer holds nothing of it */
                [SETPAY_PAYMENT_CREDIT] = TO(CAPTURED),
                [SETPAY_PAYMENT_UNCREDIT] = TO(CAPTURED),
            },
};

enum setpay_error setpay_payment_state_next(enum setpay_payment_state state,
                                            enum setpay_payment_event event,
                                            enum setpay_payment_state *next)
{
    if ((unsigned)state >= SETPAY_PAYMENT_STATES || (unsigned)event >= SETPAY_PAYMENT_EVENTS)
        return SETPAY_E_INTERNAL;
    const struct cell *cell = &table[state][event];
    if (cell->error != SETPAY_OK)
        return cell->error;
    if (cell->next == SETPAY_PAYMENT_NONE)
        return SETPAY_E_INTERNAL;
    *next = cell->next;
    return SETPAY_OK;
}

const char *setpay_payment_state_name(enum setpay_payment_state state)
{
    static const char *const names[SETPAY_PAYMENT_STATES] = {
        [SETPAY_PAYMENT_NONE] = "none",         [SETPAY_PAYMENT_ASKING] = "asking",
        [SETPAY_PAYMENT_APPROVED] = "approved", [SETPAY_PAYMENT_DECLINED] = "declined",
        [SETPAY_PAYMENT_VOIDED] = "voided",     [SETPAY_PAYMENT_REVERSED] = "reversed",
        [SETPAY_PAYMENT_CAPTURED] = "captured",
    };
    return (unsigned)state < SETPAY_PAYMENT_STATES ? names[state] : "unknown";
}

const char *setpay_payment_event_name(enum setpay_payment_event event)
{
    static const char *const names[SETPAY_PAYMENT_EVENTS] = {
        [SETPAY_PAYMENT_AUTHORISE] = "authorise",
        [SETPAY_PAYMENT_VOID] = "void",
        [SETPAY_PAYMENT_APPROVE] = "approve",
        [SETPAY_PAYMENT_DECLINE] = "decline",
        [SETPAY_PAYMENT_FAIL] = "fail",
        [SETPAY_PAYMENT_REVERSE_PART] = "reverse part",
        [SETPAY_PAYMENT_REVERSE_WHOLE] = "reverse whole",
        [SETPAY_PAYMENT_CAPTURE] = "capture",
        [SETPAY_PAYMENT_UNCAPTURE_PART] = "undo a capture",
        [SETPAY_PAYMENT_UNCAPTURE_WHOLE] = "undo the last capture",
        [SETPAY_PAYMENT_UNDO_SALE] = "undo a sale",
        [SETPAY_PAYMENT_CREDIT] = "credit",
        [SETPAY_PAYMENT_UNCREDIT] = "undo a credit",
    };
    return (unsigned)event < SETPAY_PAYMENT_EVENTS ? names[event] : "unknown";
}
