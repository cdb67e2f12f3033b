/*
 * Disputes: a cardholder does not accept a charge that was booked. Operations for the store.
 */
#ifndef SETPAY_GATEWAY_ISSUER_DISPUTES_H
#define SETPAY_GATEWAY_ISSUER_DISPUTES_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/money.h"
#include "common/store/store.h"

#include <stdint.h>

/* "fraud|not-received|…" */
#define SETPAY_DISPUTE_REASONS "fraud|not-received|not-as-described|duplicate|amount|credit-missing"

struct setpay_dispute {
    const char *presentment; /* the acquirer's id */
    const char *reason;
    struct setpay_money amount; /* minor 0: all of the charge that was not given back */
    setpay_time_ms now;
    int64_t number; /* the result */
    struct setpay_problem problem;
};
/* arg is a struct setpay_dispute. With words: SETPAY_E_NOT_FOUND (no such charge is booked),
 * SETPAY_E_EXISTS (it is disputed already), SETPAY_E_USAGE (the reason, or more than is charged),
 */
enum setpay_error setpay_dispute_open(struct setpay_db *db, void *arg) SETPAY_MUST_CHECK;

struct setpay_dispute_end {
    int64_t number;
    const char *outcome; /* "cardholder": the amount is given back; "merchant" */
    setpay_time_ms now;
    struct setpay_problem problem;
};
/* arg is a struct setpay_dispute_end. With words: SETPAY_E_NOT_FOUND, SETPAY_E_USAGE (the outcome),
 * SETPAY_E_EXISTS (it was closed with another one; with the same: nothing happens). */
enum setpay_error setpay_dispute_close(struct setpay_db *db, void *arg) SETPAY_MUST_CHECK;

#endif
