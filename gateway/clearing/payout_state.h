/*
 * What may follow what in a payout: one table.
 */
#ifndef SETPAY_GATEWAY_CLEARING_PAYOUT_STATE_H
#define SETPAY_GATEWAY_CLEARING_PAYOUT_STATE_H

#include "common/base/error.h"

/* The numbers are stored; never reuse one. */
enum setpay_payout_state {
    SETPAY_PAYOUT_NONE = 0,      /* no row */
    SETPAY_PAYOUT_MADE = 1,      /* by a settlement; stands in no file */
    SETPAY_PAYOUT_SENT = 2,      /* stands in one file for the bank, and never in another */
    SETPAY_PAYOUT_PAID = 3,      /* by the bank's word */
    SETPAY_PAYOUT_RETURNED = 4,  /* the next settlement pays it again, as another payout */
    SETPAY_PAYOUT_SET_ASIDE = 5, /* in doubt after a restore, and settled otherwise: never sent */
    SETPAY_PAYOUT_STATES
};

enum setpay_payout_event {
    SETPAY_PAYOUT_MAKE,   /* a settlement with something to pay */
    SETPAY_PAYOUT_SEND,   /* payout send: written to a file */
    SETPAY_PAYOUT_PAY,    /* payout paid: the bank has paid it */
    SETPAY_PAYOUT_RETURN, /* payout returned: the bank has not, or it has come back */
    /* payout undo: the last word was told by mistake. Which of them is up to what it leaves. */
    SETPAY_PAYOUT_UNDO_TO_SENT, /* no word was told before it */
    SETPAY_PAYOUT_UNDO_TO_PAID, /* it came back after it was paid: it did not */
    /* payout paid of one that stands in no file that is known: the database was restored, and has
     * forgotten it. Whether that may be is the caller's to have asked (setpay_payout_is_doubted).
     */
    SETPAY_PAYOUT_PAY_FORGOTTEN,
    SETPAY_PAYOUT_UNDO_TO_MADE, /* that was told by mistake */
    SETPAY_PAYOUT_SET_IT_ASIDE, /* payout set-aside: one of those is settled by other means */
    SETPAY_PAYOUT_EVENTS
};

/* The state after event, into next. Otherwise the exact error, and next is untouched:
 * SETPAY_E_EXISTS (that was done before), SETPAY_E_STATE (not in this state), SETPAY_E_NOT_FOUND
 * (there is no such payout). */
enum setpay_error setpay_payout_state_next(enum setpay_payout_state state,
                                           enum setpay_payout_event event,
                                           enum setpay_payout_state *next) SETPAY_MUST_CHECK;

/* "made"; "unknown" for a number that is none. */
const char *setpay_payout_state_name(enum setpay_payout_state state);
const char *setpay_payout_event_name(enum setpay_payout_event event);

#endif
