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
