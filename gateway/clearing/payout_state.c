/*
 * The table of a payout's life.
 *
 * A row is a state, a column an event; a cell is the next state or the error that refuses it. Every
 * cell is written out: one that is missing would be zero, which is no permitted cell. What keeps a
 * payout out of a second file is the column SEND: it leads somewhere from MADE alone. (After a
 * restore that is not enough: what is MADE may have been sent, see payout.h.)
 */
#include "gateway/clearing/payout_state.h"

#include <stddef.h>

struct cell {
    enum setpay_payout_state next; /* NONE: refused, with error */
    enum setpay_error error;
};

#define TO(state)                                                                                  \
    {                                                                                              \
        SETPAY_PAYOUT_##state, SETPAY_OK                                                           \
    }
#define NO(name)                                                                                   \
    {                                                                                              \
        SETPAY_PAYOUT_NONE, SETPAY_E_##name                                                        \
    }

static const struct cell table[SETPAY_PAYOUT_STATES][SETPAY_PAYOUT_EVENTS] =
    {
        [SETPAY_PAYOUT_NONE] =
            {
                [SETPAY_PAYOUT_MAKE] = TO(MADE),
                [SETPAY_PAYOUT_SEND] = NO(NOT_FOUND),
                [SETPAY_PAYOUT_PAY] = NO(NOT_FOUND),
                [SETPAY_PAYOUT_RETURN] = NO(NOT_FOUND),
                [SETPAY_PAYOUT_UNDO_TO_SENT] = NO(NOT_FOUND),
                [SETPAY_PAYOUT_UNDO_TO_PAID] = NO(NOT_FOUND),
                [SETPAY_PAYOUT_PAY_FORGOTTEN] = NO(NOT_FOUND),
                [SETPAY_PAYOUT_UNDO_TO_MADE] = NO(NOT_FOUND),
                [SETPAY_PAYOUT_SET_IT_ASIDE] = NO(NOT_FOUND),
            },
        [SETPAY_PAYOUT_MADE] =
            {
                [SETPAY_PAYOUT_MAKE] = NO(EXISTS),
                [SETPAY_PAYOUT_SEND] = TO(SENT),
                [SETPAY_PAYOUT_PAY] = NO(STATE), /* no bank has heard of it */
                [SETPAY_PAYOUT_RETURN] = NO(STATE),
                [SETPAY_PAYOUT_UNDO_TO_SENT] = NO(STATE), /* nothing was told of it */
                [SETPAY_PAYOUT_UNDO_TO_PAID] = NO(STATE),
                [SETPAY_PAYOUT_PAY_FORGOTTEN] = TO(PAID),
                [SETPAY_PAYOUT_UNDO_TO_MADE] = NO(STATE),
                [SETPAY_PAYOUT_SET_IT_ASIDE] = TO(SET_ASIDE),
            },
        [SETPAY_PAYOUT_SENT] =
            {
                [SETPAY_PAYOUT_MAKE] = NO(EXISTS),
                [SETPAY_PAYOUT_SEND] = NO(EXISTS), /* it stands in a file */
                [SETPAY_PAYOUT_PAY] = TO(PAID),
                [SETPAY_PAYOUT_RETURN] = TO(RETURNED),
                [SETPAY_PAYOUT_UNDO_TO_SENT] = NO(STATE),
                [SETPAY_PAYOUT_UNDO_TO_PAID] = NO(STATE),
                [SETPAY_PAYOUT_PAY_FORGOTTEN] = NO(STATE), /* its file is known */
                [SETPAY_PAYOUT_UNDO_TO_MADE] = NO(STATE),
                [SETPAY_PAYOUT_SET_IT_ASIDE] = NO(STATE),
            },
        [SETPAY_PAYOUT_PAID] =
            {
                [SETPAY_PAYOUT_MAKE] = NO(EXISTS),
                [SETPAY_PAYOUT_SEND] = NO(EXISTS),
                [SETPAY_PAYOUT_PAY] = NO(EXISTS),
                [SETPAY_PAYOUT_RETURN] = TO(RETURNED), /* the payee's bank may send it back later */
                [SETPAY_PAYOUT_UNDO_TO_SENT] = TO(SENT),
                [SETPAY_PAYOUT_UNDO_TO_PAID] = NO(STATE),
                [SETPAY_PAYOUT_PAY_FORGOTTEN] = NO(EXISTS),
                [SETPAY_PAYOUT_UNDO_TO_MADE] = TO(MADE), /* in no file */
                [SETPAY_PAYOUT_SET_IT_ASIDE] = NO(STATE),
            },
        [SETPAY_PAYOUT_RETURNED] =
            {
                [SETPAY_PAYOUT_MAKE] = NO(EXISTS),
                [SETPAY_PAYOUT_SEND] = NO(EXISTS),
                [SETPAY_PAYOUT_PAY] = NO(STATE), /* it is paid as another by now */
                [SETPAY_PAYOUT_RETURN] = NO(EXISTS),
                [SETPAY_PAYOUT_UNDO_TO_SENT] = TO(SENT), /* until a settlement has paid it again */
                [SETPAY_PAYOUT_UNDO_TO_PAID] = TO(PAID),
                [SETPAY_PAYOUT_PAY_FORGOTTEN] = NO(STATE),
                [SETPAY_PAYOUT_UNDO_TO_MADE] = NO(STATE),
                [SETPAY_PAYOUT_SET_IT_ASIDE] = NO(STATE),
            },
        [SETPAY_PAYOUT_SET_ASIDE] =
            {
                [SETPAY_PAYOUT_MAKE] = NO(EXISTS),
                [SETPAY_PAYOUT_SEND] = NO(STATE), /* whatever is forced */
                [SETPAY_PAYOUT_PAY] = NO(STATE),
                [SETPAY_PAYOUT_RETURN] = NO(STATE),
                [SETPAY_PAYOUT_UNDO_TO_SENT] = NO(STATE),
                [SETPAY_PAYOUT_UNDO_TO_PAID] = NO(STATE),
                [SETPAY_PAYOUT_PAY_FORGOTTEN] = NO(STATE),
                [SETPAY_PAYOUT_UNDO_TO_MADE] = TO(MADE),
                [SETPAY_PAYOUT_SET_IT_ASIDE] = NO(EXISTS),
            },
};

enum setpay_error setpay_payout_state_next(enum setpay_payout_state state,
                                           enum setpay_payout_event event,
                                           enum setpay_payout_state *next)
{
    if ((unsigned)state >= SETPAY_PAYOUT_STATES || (unsigned)event >= SETPAY_PAYOUT_EVENTS)
        return SETPAY_E_STATE;
    const struct cell *cell = &table[state][event];
    if (cell->next == SETPAY_PAYOUT_NONE)
        return cell->error != SETPAY_OK ? cell->error : SETPAY_E_INTERNAL;
    *next = cell->next;
    return SETPAY_OK;
}

const char *setpay_payout_state_name(enum setpay_payout_state state)
{
    static const char *const names[SETPAY_PAYOUT_STATES] = {
        [SETPAY_PAYOUT_NONE] = "none",         [SETPAY_PAYOUT_MADE] = "made",
        [SETPAY_PAYOUT_SENT] = "sent",         [SETPAY_PAYOUT_PAID] = "paid",
        [SETPAY_PAYOUT_RETURNED] = "returned", [SETPAY_PAYOUT_SET_ASIDE] = "set-aside",
    };
    return (unsigned)state < SETPAY_PAYOUT_STATES ? names[state] : "unknown";
}

const char *setpay_payout_event_name(enum setpay_payout_event event)
{
    static const char *const names[SETPAY_PAYOUT_EVENTS] = {
        [SETPAY_PAYOUT_MAKE] = "make",
        [SETPAY_PAYOUT_SEND] = "send",
        [SETPAY_PAYOUT_PAY] = "pay",
        [SETPAY_PAYOUT_RETURN] = "return",
        [SETPAY_PAYOUT_UNDO_TO_SENT] = "undo: the only word",
        [SETPAY_PAYOUT_UNDO_TO_PAID] = "undo: a return after paid",
        [SETPAY_PAYOUT_PAY_FORGOTTEN] = "pay: sent before a restore",
        [SETPAY_PAYOUT_UNDO_TO_MADE] = "undo: that",
        [SETPAY_PAYOUT_SET_IT_ASIDE] = "set aside: it was settled otherwise",
    };
    return (unsigned)event < SETPAY_PAYOUT_EVENTS ? names[event] : "unknown";
}
