/*
 * What the first and a further authorisation share: from the booking on they are one.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_AUTH_FLOW_H
#define SETPAY_GATEWAY_PAYMENT_AUTH_FLOW_H

#include "gateway/payment/dispatch.h"

/* Rule A3: fills work->cardholder, of work->auth. */
enum setpay_error
setpay_auth_flow_find_cardholder(struct setpay_gateway_work *work) SETPAY_MUST_CHECK;
/* Books work->payment and asks the issuer; the card lies in work->instruction. The work goes on in
 * its callback, from which it is decided again where somebody was faster. */
enum setpay_error setpay_auth_flow_book(struct setpay_gateway_work *work) SETPAY_MUST_CHECK;
/* Decides work->auth again, from the start; owns work. */
void setpay_auth_flow_again(struct setpay_gateway_work *work);
/* The outcome in work->payment is kept: log, figures, and the answer to the merchant. */
void setpay_auth_flow_end(struct setpay_gateway_work *work);
/* The line of work->payment's issuer is down: decides in its stead, and submits that (the work goes
 * on in its callback). SETPAY_E_BUSY where it is left to the issuer; nothing is kept then. */
enum setpay_error setpay_auth_stand_in(struct setpay_gateway_work *work) SETPAY_MUST_CHECK;

/* What is kept of an authorisation (auth_keep.c). The card, in boxes, and the digest of its number.
 */
enum setpay_error setpay_auth_keep_card(struct setpay_gateway_work *work) SETPAY_MUST_CHECK;
/* A sale that was approved: what it captures is made, kept and told with its authorisation. */
bool setpay_auth_captures(const struct setpay_gateway_work *work);
/* Receipts and AuthRes for what work->payment now says. On error the payment is as before, so that
 * it can be tried again. */
enum setpay_error setpay_auth_make_answer(struct setpay_gateway_work *work) SETPAY_MUST_CHECK;
/* In an operation, behind the payment's row: receipt and answer; what was signed; and rule A6, that
 * the request's identifier is still free (SETPAY_E_PI_USED: its own answer is there, look again).
 */
enum setpay_error setpay_auth_write_answer(struct setpay_db *db,
                                           struct setpay_gateway_work *work) SETPAY_MUST_CHECK;
enum setpay_error
setpay_auth_keep_evidence(struct setpay_db *db,
                          const struct setpay_gateway_work *work) SETPAY_MUST_CHECK;
enum setpay_error
setpay_auth_check_unanswered(struct setpay_db *db,
                             const struct setpay_gateway_work *work) SETPAY_MUST_CHECK;

/* An AuthReq with an AuthToken, from its admission on; owns work (auth_further.c). */
void setpay_auth_further(struct setpay_gateway_work *work);

enum setpay_further_outcome {
    SETPAY_FURTHER_APPROVED,
    SETPAY_FURTHER_DECLINED,
    SETPAY_FURTHER_UNANSWERED, /* and reversed */
    SETPAY_FURTHER_REFUSED,    /* by a rule: the issuer was not asked */
};
/* One more has ended so. */
void setpay_auth_further_count(enum setpay_further_outcome outcome);

#endif
