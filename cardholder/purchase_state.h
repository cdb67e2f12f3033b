/*
 * What may follow what in a purchase at the wallet, from the stored signature on (rules W5, W7).
 */
#ifndef SETPAY_CARDHOLDER_PURCHASE_STATE_H
#define SETPAY_CARDHOLDER_PURCHASE_STATE_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/store.h"

#include <stdbool.h>

/* The numbers are stored; never reuse one. */
enum setpay_wallet_state {
    SETPAY_WALLET_NONE = 0,
    SETPAY_WALLET_PENDING = 1,    /* signed and stored; PReq may have left; no word that counts */
    SETPAY_WALLET_REFUSED = 2,    /* the merchant's signed word only: "refused, not confirmed" */
    SETPAY_WALLET_AUTHORISED = 3, /* by the gateway's receipt */
    SETPAY_WALLET_DECLINED = 4,   /* by the gateway's receipt: final */
    SETPAY_WALLET_VOIDED = 5,     /* by the gateway's receipt: final */
    SETPAY_WALLET_REVERSED = 6,   /* by the gateway's receipts: final */
    SETPAY_WALLET_LAPSED = 7, /* the merchant's signed word, and the instruction's time is over */
    SETPAY_WALLET_STATES
};

enum setpay_wallet_event {
    SETPAY_WALLET_SIGN,             /* the person agreed, or a rule did (rule W4) */
    SETPAY_WALLET_NO_WORD,          /* Error, time-out, anything unsigned (rule W7) */
    SETPAY_WALLET_MERCHANT_REFUSES, /* signed: refused, or unauthorised */
    SETPAY_WALLET_TIME_OVER,        /* the instruction's expiry and the tolerance have passed */
    SETPAY_WALLET_RECEIPT_AUTHORISATION,
    SETPAY_WALLET_RECEIPT_DECLINE,
    SETPAY_WALLET_RECEIPT_VOID,
    SETPAY_WALLET_RECEIPT_REVERSAL_PART, /* something stays authorised */
    SETPAY_WALLET_RECEIPT_REVERSAL,      /* nothing does */
    SETPAY_WALLET_EVENTS
};

/* The state after event, into next; otherwise SETPAY_E_PAYMENT_OPEN (signing again, rule W5) or
 * SETPAY_E_RECEIPT (a receipt that can't follow, rule W6), and next is untouched. *breach is set
 * where the merchant's signed word has turned out false. */
enum setpay_error setpay_wallet_state_next(enum setpay_wallet_state state,
                                           enum setpay_wallet_event event,
                                           enum setpay_wallet_state *next,
                                           bool *breach) SETPAY_MUST_CHECK;

/* Nothing has to be asked any more. */
bool setpay_wallet_state_is_settled(enum setpay_wallet_state state);
/* The same link may be paid with a new signature. */
bool setpay_wallet_state_may_sign_again(enum setpay_wallet_state state);
/* It may where the person insists: the merchant's signed refusal is at hand (rule W7). */
bool setpay_wallet_state_may_insist(enum setpay_wallet_state state);
/* Rule W8: whether a purchase may have been made that the wallet has forgotten, and whose link may
 * still be open: no order of setpay's lives longer than 30 days. */
#define SETPAY_WALLET_FORGOTTEN_MS (30 * SETPAY_DAY_MS)
bool setpay_wallet_may_have_forgotten(const struct setpay_store_restore *restore,
                                      setpay_time_ms now_ms);
/* What people and scripts are shown: authorised, captured, declined, pending, failed. captured: by
 * the gateway's receipts something was taken and not undone. */
const char *setpay_wallet_state_status(enum setpay_wallet_state state, bool captured);
const char *setpay_wallet_state_name(enum setpay_wallet_state state);

#endif
