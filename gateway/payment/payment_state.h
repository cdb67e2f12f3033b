/*
 * What may follow what in a payment at the gateway: one table, from which the handlers take the
 * next state, and the reason where there is none.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_STATE_H
#define SETPAY_GATEWAY_PAYMENT_STATE_H

#include "common/base/error.h"

/* The numbers are stored; never reuse one. */
enum setpay_payment_state {
    SETPAY_PAYMENT_NONE = 0,     /* no row: this instruction has not been presented */
    SETPAY_PAYMENT_ASKING = 1,   /* booked, the network is being asked (rule G6) */
    SETPAY_PAYMENT_APPROVED = 2, /* a hold stands, less what was reversed */
    SETPAY_PAYMENT_DECLINED = 3, /* final */
    SETPAY_PAYMENT_VOIDED = 4,   /* final: never to be authorised */
    SETPAY_PAYMENT_REVERSED = 5, /* final: authorised once, given up wholly */
    SETPAY_PAYMENT_CAPTURED = 6, /* something is captured; of the hold a rest may stand */
    SETPAY_PAYMENT_STATES
};

enum setpay_payment_event {
    SETPAY_PAYMENT_AUTHORISE, /* AuthReq, intent authorise or sale */
    SETPAY_PAYMENT_VOID,      /* AuthReq, intent void */
    SETPAY_PAYMENT_APPROVE,   /* the network approved what may be taken */
    SETPAY_PAYMENT_DECLINE,   /* the network declined, or was not reached */
    SETPAY_PAYMENT_FAIL,      /* no answer, or one that can't be taken (rules G7, G11): reversed */
    SETPAY_PAYMENT_REVERSE_PART,    /* AuthRevReq, something stays held */
    SETPAY_PAYMENT_REVERSE_WHOLE,   /* AuthRevReq, nothing does; the hold's end */
    SETPAY_PAYMENT_CAPTURE,         /* CapReq, or a sale */
    SETPAY_PAYMENT_UNCAPTURE_PART,  /* CapRevReq, something stays captured */
    SETPAY_PAYMENT_UNCAPTURE_WHOLE, /* CapRevReq, nothing does */
    SETPAY_PAYMENT_UNDO_SALE,       /* CapRevReq of a sale: nothing is held either */
    SETPAY_PAYMENT_CREDIT,          /* CredReq */
    SETPAY_PAYMENT_UNCREDIT,        /* CredRevReq */
    SETPAY_PAYMENT_EVENTS
};

/* The state after event, into next. Otherwise the exact error, and next is untouched:
 * SETPAY_E_PI_USED (presented before), SETPAY_E_STATE (not in this state), SETPAY_E_TOKEN (there is
 * no such authorisation). */
enum setpay_error setpay_payment_state_next(enum setpay_payment_state state,
                                            enum setpay_payment_event event,
                                            enum setpay_payment_state *next) SETPAY_MUST_CHECK;

/* "approved"; "unknown" for a number that is none. */
const char *setpay_payment_state_name(enum setpay_payment_state state);
const char *setpay_payment_event_name(enum setpay_payment_event event);

#endif
