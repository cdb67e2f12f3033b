/*
 * What may follow what in a purchase at the merchant, from the stored PReq on.
 */
#ifndef SETPAY_MERCHANT_PURCHASE_STATE_H
#define SETPAY_MERCHANT_PURCHASE_STATE_H

#include "common/base/error.h"

#include <stdbool.h>

/* The numbers are stored; never reuse one. */
enum setpay_purchase_state {
    SETPAY_PURCHASE_NONE = 0,       /* no row: no PReq for this offer yet */
    SETPAY_PURCHASE_ASKING = 1,     /* PReq is kept; AuthReq is repeated until answered */
    SETPAY_PURCHASE_VOIDING = 2,    /* given up (rule M9): the void is repeated until answered */
    SETPAY_PURCHASE_LEARNING = 3,   /* given up, but the gateway had decided: AuthReq is repeated to
                                       learn what */
    SETPAY_PURCHASE_AUTHORISED = 4, /* a hold stands, and nothing is captured */
    SETPAY_PURCHASE_REVERSING = 5,  /* AuthRevReq for all that is held is repeated until answered */
    SETPAY_PURCHASE_REVERSED = 6,   /* final */
    SETPAY_PURCHASE_DECLINED = 7,   /* final */
    SETPAY_PURCHASE_VOIDED = 8,     /* final */
    SETPAY_PURCHASE_LAPSED = 9,     /* final: the gateway can book neither the instruction nor its
                                       void, and the instruction's time is over */
    SETPAY_PURCHASE_CAPTURED = 10,  /* something is captured, given back or not */
    SETPAY_PURCHASE_STEPPING = 11,  /* authorised; a step (step.h) is at the gateway, the oldest of
                                       those that wait: it is repeated until answered */
    SETPAY_PURCHASE_STATES
};

enum setpay_purchase_event {
    SETPAY_PURCHASE_PREQ,         /* a PReq that passed M1 to M3 */
    SETPAY_PURCHASE_APPROVED,     /* AuthRes: approved, whole or a part that was allowed */
    SETPAY_PURCHASE_EXCESS,       /* AuthRes: more than was asked (rule M6) */
    SETPAY_PURCHASE_SOLD,         /* AuthRes: approved and captured, as a sale */
    SETPAY_PURCHASE_OVERSOLD,     /* the same of another amount than was asked (rule M6) */
    SETPAY_PURCHASE_REFUSED,      /* AuthRes: declined */
    SETPAY_PURCHASE_VOID_DONE,    /* AuthRes: voided */
    SETPAY_PURCHASE_USED,         /* Error: the gateway had decided on this instruction before */
    SETPAY_PURCHASE_GIVE_UP,      /* the order was cancelled, has expired, or can't be authorised */
    SETPAY_PURCHASE_LAPSE,        /* Error: not even a void is booked, after the time of both */
    SETPAY_PURCHASE_REVERSE,      /* the store gives the whole authorisation up */
    SETPAY_PURCHASE_REVERSE_DONE, /* AuthRevRes: nothing is left */
    SETPAY_PURCHASE_STEP,         /* the store asks for a step, perhaps behind others */
    /* The oldest step was done or refused, and then: */
    SETPAY_PURCHASE_STEP_NEXT,      /* another one waits */
    SETPAY_PURCHASE_STEPS_HELD,     /* none does; something is held, nothing captured */
    SETPAY_PURCHASE_STEPS_CAPTURED, /* none does; something is captured */
    SETPAY_PURCHASE_STEPS_NOTHING,  /* none does; nothing is left */
    SETPAY_PURCHASE_EVENTS
};

/* The state after event, into next; otherwise SETPAY_E_ORDER_TAKEN (a second PReq, rule M4),
 * SETPAY_E_STATE or SETPAY_E_AUTH_MISMATCH (an answer that was not asked for), and next is
 * untouched. */
enum setpay_error setpay_purchase_state_next(enum setpay_purchase_state state,
                                             enum setpay_purchase_event event,
                                             enum setpay_purchase_state *next) SETPAY_MUST_CHECK;

/* Nothing follows any more, and the order may have another purchase (rule M4). */
bool setpay_purchase_state_is_refused(enum setpay_purchase_state state);
/* The gateway has to be asked (again). */
bool setpay_purchase_state_is_waiting(enum setpay_purchase_state state);
/* "authorised"; "unknown" for a number that is none. */
const char *setpay_purchase_state_name(enum setpay_purchase_state state);

#endif
