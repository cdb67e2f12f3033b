/*
 * The steps after an authorisation: capture, credit, and the reversal of either, as the gateway
 * decides on them and keeps them. One row is one step; rows are added and never change but for what
 * other steps did to them (undone, credited).
 *
 * setpay_step_decide is pure; capture.c and credit.c hold its rules. All functions with a db run
 * inside a store operation or a read.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_STEP_H
#define SETPAY_GATEWAY_PAYMENT_STEP_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "gateway/clearing/batch.h"
#include "gateway/clearing/fees.h"
#include "gateway/payment/auth.h"
#include "gateway/payment/payment.h"

#include <stdbool.h>
#include <stdint.h>

#define SETPAY_STEP_SCHEMA                                                                         \
    "CREATE TABLE step ("                                                                          \
    " id INTEGER PRIMARY KEY, token BLOB NOT NULL, payment_id INTEGER NOT NULL,"                   \
    " kind INTEGER NOT NULL, of_id INTEGER NOT NULL, amount_minor INTEGER NOT NULL,"               \
    " interchange_minor INTEGER NOT NULL, fee_minor INTEGER NOT NULL,"                             \
    " batch_id INTEGER NOT NULL, undone INTEGER NOT NULL, credited_minor INTEGER NOT NULL,"        \
    " created_ms INTEGER NOT NULL);"                                                               \
    "CREATE UNIQUE INDEX step_token ON step (token);"                                              \
    "CREATE INDEX step_payment ON step (payment_id, id);"                                          \
    "CREATE INDEX step_batch ON step (batch_id, id);"

/* Stored. */
enum setpay_step_kind {
    SETPAY_STEP_CAPTURE = 1,
    SETPAY_STEP_CREDIT = 2,
    SETPAY_STEP_CAPTURE_REVERSAL = 3,
    SETPAY_STEP_CREDIT_REVERSAL = 4,
};

struct setpay_gateway_step {
    int64_t id; /* 0: not stored yet */
    struct setpay_id token;
    int64_t payment_id;
    enum setpay_step_kind kind;
    int64_t of_id; /* what it undoes or credits; 0: nothing, it is a capture */
    int64_t amount_minor;
    struct setpay_charges charges;
    int64_t batch_id;
    bool undone;
    int64_t credited_minor; /* of a capture: by credits that are not undone */
    int64_t disputed_minor; /* of a capture: in dispute, or lost in one */
    setpay_time_ms created_ms;
    /* Read with the row; not the step's own. */
    bool batch_open;
    int64_t given_back_minor; /* of a capture: interchange, by the credits in credited_minor */
    int64_t uncharged_minor;  /* of a capture: what its issuer has not charged (incoming.h) */
};

/* SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_gateway_step_find(struct setpay_db *db, const struct setpay_id *token,
                                           struct setpay_gateway_step *step) SETPAY_MUST_CHECK;
/* What one step of a request comes to. */
struct setpay_step_decision {
    struct setpay_payment payment;   /* as it will be */
    struct setpay_gateway_step step; /* the new row; token and batch_id are the caller's to set */
    struct setpay_gateway_step of;   /* as it will be; of no id with a capture */
    int64_t remaining_minor;         /* may still be captured, or credited */
};

/* Inserts decision->step, and writes what it did to the step before it. The payment's version,
 * which the same operation checks, stands for theirs. */
enum setpay_error
setpay_gateway_step_apply(struct setpay_db *db,
                          const struct setpay_step_decision *decision) SETPAY_MUST_CHECK;

/*
 * Rules G8, G9 and the table. payment is the one of asked->xid and of the merchant who asks; of the
 * step that asked->of names (NULL with a capture, or where there is none).
 * SETPAY_E_TOKEN (rule G9: not this payment's CapToken, or no such step of it),
 * SETPAY_E_AMOUNT_LIMIT (rule G8: another currency, more than is left, what is disputed or was not
 * charged counting as credited, or not the whole of what is undone), SETPAY_E_HOLD_OVER (rule G8;
 * and where the receipt of a release was not asked for yet), SETPAY_E_CLEARED (to be undone, but
 * its batch is closed), SETPAY_E_STATE (undone already, or what is credited or disputed can't be
 * undone; rule G8: to be credited, and nobody was charged).
 */
enum setpay_error setpay_step_decide(enum setpay_step_kind kind, const struct setpay_step *asked,
                                     const struct setpay_payment *payment,
                                     const struct setpay_gateway_step *of,
                                     const struct setpay_fees *fees, setpay_time_ms now_ms,
                                     struct setpay_step_decision *decision) SETPAY_MUST_CHECK;

/* Its two halves. */
enum setpay_error setpay_capture_decide(enum setpay_step_kind kind, const struct setpay_step *asked,
                                        const struct setpay_fees *fees, setpay_time_ms now_ms,
                                        struct setpay_step_decision *decision) SETPAY_MUST_CHECK;
enum setpay_error setpay_credit_decide(enum setpay_step_kind kind, const struct setpay_step *asked,
                                       struct setpay_step_decision *decision) SETPAY_MUST_CHECK;
/* What is held and not captured. */
int64_t setpay_payment_held(const struct setpay_payment *payment);
/* The gateway gives up so much of it by itself; the merchant has to ask for the receipt of that. */
void setpay_payment_release(struct setpay_payment *payment, int64_t minor);

/* In an operation: the payment and its step as decided, in that batch, with its ledger entry and
 * its receipt; and, where the payment was released with it, that reversal and its receipt
 * (released; else NULL). SETPAY_E_CONFLICT where the payment has moved on. */
enum setpay_error
setpay_gateway_step_keep(struct setpay_db *db, const struct setpay_step_decision *decision,
                         int64_t batch_id, const struct setpay_made_receipt *receipt,
                         const struct setpay_made_receipt *released) SETPAY_MUST_CHECK;

/* Pure: nothing is held any more, since the gateway gave up the last of it: that is the newest
 * receipt of a reversal. */
bool setpay_payment_is_released(const struct setpay_payment *payment);
/* Pure: whether so much of an authorisation may be given up, or is the amount that the gateway has
 * given up by itself, whose receipt is asked for; and the state then. receiver: whose certificate
 * answers. SETPAY_E_TOKEN (rule G9), SETPAY_E_RECEIVER (rules A2, G4), SETPAY_E_HOLD_OVER (rule
 * G9), SETPAY_E_AMOUNT_LIMIT (rule G8), and errors of setpay_payment_state_next. */
enum setpay_error setpay_auth_reverse_check(const struct setpay_auth_rev_req *request,
                                            const struct setpay_payment *payment,
                                            const struct setpay_digest *receiver,
                                            enum setpay_payment_state *next) SETPAY_MUST_CHECK;
/* Pure, behind that check. */
void setpay_auth_reverse_apply(struct setpay_payment *payment, enum setpay_payment_state next,
                               int64_t minor, setpay_time_ms now_ms);

#endif
