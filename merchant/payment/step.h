/*
 * The steps after an authorisation as the merchant asks for them: capture, credit, the reversal of
 * either, and the release of what is held beside what was captured. One row is one step, asked for
 * by the store and then done or refused by the gateway; what is done may be undone or credited by
 * later ones.
 *
 * The first half is without I/O. All functions with a db run inside a store operation or a read.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_STEP_H
#define SETPAY_MERCHANT_PAYMENT_STEP_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "merchant/payment/payment_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SQL for the migration that brings sales, ends of holds and agreements. */
#define SETPAY_MERCHANT_SALE_SCHEMA                                                                \
    "ALTER TABLE step ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;"                               \
    "ALTER TABLE step ADD COLUMN sale INTEGER NOT NULL DEFAULT 0;"                                 \
    "ALTER TABLE step ADD COLUMN hold_expiry_ms INTEGER NOT NULL DEFAULT 0;"                       \
    "ALTER TABLE step ADD COLUMN action_code TEXT NOT NULL DEFAULT '';"                            \
    "ALTER TABLE step ADD COLUMN approval_code TEXT NOT NULL DEFAULT '';"                          \
    "ALTER TABLE purchase ADD COLUMN sale INTEGER NOT NULL DEFAULT 0;"                             \
    "ALTER TABLE purchase ADD COLUMN first_minor INTEGER NOT NULL DEFAULT 0;"                      \
    "ALTER TABLE purchase ADD COLUMN due_ms INTEGER NOT NULL DEFAULT 0;"                           \
    "UPDATE purchase SET first_minor = amount_minor;"                                              \
    "UPDATE purchase SET due_ms = hold_expiry_ms WHERE state IN (4, 10, 11);"                      \
    "CREATE INDEX purchase_due ON purchase (due_ms);"

/* SQL for the migration that brings releases of a part, and captures that are asked for together:
 * one request is then of several steps, each with a row of its own. */
#define SETPAY_MERCHANT_PART_RELEASE_SCHEMA                                                        \
    "ALTER TABLE step ADD COLUMN part INTEGER NOT NULL DEFAULT 0;"                                 \
    "ALTER TABLE step ADD COLUMN together INTEGER NOT NULL DEFAULT 0;"                             \
    "CREATE INDEX step_together ON step (together) WHERE together <> 0;"                           \
    "CREATE TABLE request_of_steps ("                                                              \
    " id INTEGER PRIMARY KEY, purchase_id INTEGER NOT NULL, kind INTEGER NOT NULL,"                \
    " rrpid BLOB NOT NULL, content BLOB NOT NULL, signature BLOB NOT NULL,"                        \
    " created_ms INTEGER NOT NULL, step_id INTEGER NOT NULL DEFAULT 0, signer BLOB);"              \
    "INSERT INTO request_of_steps SELECT id, purchase_id, kind, rrpid, content, signature,"        \
    " created_ms, step_id, signer FROM gateway_request;"                                           \
    "DROP TABLE gateway_request;"                                                                  \
    "ALTER TABLE request_of_steps RENAME TO gateway_request;"                                      \
    "CREATE INDEX gateway_request_purchase ON gateway_request (purchase_id, id);"                  \
    "CREATE INDEX gateway_request_step ON gateway_request (step_id, id);"

/* SQL for the migration that brings steps. A request to the gateway (payment_store.h) of no step
 * has step_id 0, and of no signer is signed by the purchase's merchant certificate. */
#define SETPAY_MERCHANT_STEP_SCHEMA                                                                \
    "CREATE TABLE step ("                                                                          \
    " id INTEGER PRIMARY KEY, purchase_id INTEGER NOT NULL, kind INTEGER NOT NULL,"                \
    " state INTEGER NOT NULL, name BLOB NOT NULL UNIQUE, of_id INTEGER NOT NULL,"                  \
    " amount_minor INTEGER NOT NULL, token BLOB, batch INTEGER NOT NULL, code INTEGER NOT NULL,"   \
    " undone INTEGER NOT NULL, credited_minor INTEGER NOT NULL, created_ms INTEGER NOT NULL,"      \
    " decided_ms INTEGER NOT NULL);"                                                               \
    "CREATE INDEX step_purchase ON step (purchase_id, id);"                                        \
    "CREATE INDEX step_batch ON step (batch, id);"                                                 \
    "ALTER TABLE purchase ADD COLUMN captured_minor INTEGER NOT NULL DEFAULT 0;"                   \
    "ALTER TABLE purchase ADD COLUMN credited_minor INTEGER NOT NULL DEFAULT 0;"                   \
    "ALTER TABLE purchase ADD COLUMN released_minor INTEGER NOT NULL DEFAULT 0;"                   \
    "ALTER TABLE gateway_request ADD COLUMN step_id INTEGER NOT NULL DEFAULT 0;"                   \
    "ALTER TABLE gateway_request ADD COLUMN signer BLOB;"                                          \
    "CREATE INDEX gateway_request_step ON gateway_request (step_id, id);"

/* Of one purchase, whatever became of them. */
#define SETPAY_MERCHANT_STEPS_MAX 1024
/* What one answer of the gateway adds at most: a sale's capture, and its undoing. */
#define SETPAY_MERCHANT_STEPS_ADDED 2
/* Captures and further authorisations stop here, so that all that was taken can be given back. */
#define SETPAY_MERCHANT_STEPS_TAKING 896
/* Credits stop here: the rest is for undoing, releasing and cancelling. */
#define SETPAY_MERCHANT_STEPS_GIVING 1008

/* Stored. */
enum setpay_merchant_step_state {
    SETPAY_MERCHANT_STEP_ASKING = 1,
    SETPAY_MERCHANT_STEP_DONE = 2,
    SETPAY_MERCHANT_STEP_REFUSED = 3,
    SETPAY_MERCHANT_STEP_DECLINED = 4, /* of an authorisation: by the issuer, with a receipt */
};

struct setpay_merchant_step {
    int64_t id; /* ascends with the asking; 0: not stored yet */
    int64_t purchase_id;
    enum setpay_merchant_step_kind kind;
    enum setpay_merchant_step_state state;
    struct setpay_id name; /* by which the store knows it */
    int64_t of_id;         /* the step that it undoes or credits, or the further authorisation that
                              it captures or releases; 0: none, or the first authorisation */
    int64_t amount_minor;
    bool has_token; /* once it is done, but not of a release */
    struct setpay_id token;
    uint32_t batch;         /* of the gateway; 0: none */
    uint32_t code;          /* by which it was refused: enum setpay_wire_code, or another one */
    bool undone;            /* by a step that is done */
    int64_t credited_minor; /* of a capture: by credits that are done and not undone */
    bool urgent;            /* it goes before all that wait: the gateway takes nothing else */
    bool changed;           /* since it was read; not stored */
    bool part;              /* of a release: of its amount, and not of all that is held by then */
    int64_t
        together; /* with all steps of this number in one request, as far as it may be; 0: alone */
    /* Of an authorisation. */
    bool sale; /* it captures as well */
    setpay_time_ms hold_expiry_ms;
    char action_code[3];
    char approval_code[7];
    setpay_time_ms created_ms;
    setpay_time_ms decided_ms; /* 0: it is asked for */
};

/* All steps of a purchase, the oldest first, and room for those that an answer adds. Most purchases
 * have few: room for all that there may be would cost each of them more than its rows. */
struct setpay_merchant_steps {
    size_t count, room;
    struct setpay_merchant_step list[];
};

/* None yet, and so much room; NULL without memory. For free(). */
struct setpay_merchant_steps *setpay_merchant_steps_new(size_t room);

/* ------------------------------------------------------------------ what the store may ask for */

/* Approved, not released and not captured, over all authorisations. */
int64_t setpay_merchant_held(const struct setpay_merchant_purchase *purchase);
/* What may still be captured where all that is asked for comes to pass, over all authorisations. */
int64_t setpay_merchant_step_capturable(const struct setpay_merchant_purchase *purchase,
                                        const struct setpay_merchant_steps *steps);
/* What of a capture may still be credited, likewise; 0 for what is no capture. */
int64_t setpay_merchant_step_creditable(const struct setpay_merchant_steps *steps,
                                        const struct setpay_merchant_step *capture);
/* The step of that row, or of that name; NULL where there is none. */
struct setpay_merchant_step *setpay_merchant_step_of(struct setpay_merchant_steps *steps,
                                                     int64_t id);
const struct setpay_merchant_step *
setpay_merchant_step_named(const struct setpay_merchant_steps *steps, const struct setpay_id *name);
/* Whose turn it is: the oldest that is asked for, of the urgent ones where there are any. NULL
 * where there is none. */
struct setpay_merchant_step *setpay_merchant_step_first(struct setpay_merchant_steps *steps);

/* Whether a step may be asked for: the kind, of which other one (NULL: none), how much (of a
 * release 0: all).
 * SETPAY_E_STATE (nothing is authorised, or the other one is not done, was undone, or has credits),
 * SETPAY_E_AMOUNT_LIMIT (rule G8: more than is left, or not the whole of what is undone; 0),
 * SETPAY_E_HOLD_OVER (rule G8), SETPAY_E_TOO_BIG (as many steps or receipts as there may be). */
enum setpay_error setpay_merchant_step_check(const struct setpay_merchant_purchase *purchase,
                                             const struct setpay_merchant_steps *steps,
                                             enum setpay_merchant_step_kind kind,
                                             const struct setpay_merchant_step *of,
                                             int64_t amount_minor,
                                             setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ the gateway's answer */

/* What to ask the gateway. */
enum setpay_ask_kind setpay_merchant_step_ask_kind(enum setpay_merchant_step_kind kind);
/* The request; *step is its only one (borrowed by it). of_token: the CapToken, or the token of the
 * step that it undoes or credits. */
void setpay_merchant_step_req_fill(const struct setpay_merchant_purchase *purchase,
                                   const char *merchant_id, const struct setpay_merchant_step *step,
                                   const struct setpay_id *of_token,
                                   const struct setpay_merchant_ask *ask, struct setpay_step *one,
                                   struct setpay_step_req *request);

/* Rule M6: brand, merchant, xid, of and amount are those that were asked for, and each stands in
 * the answer once; of a step that is done, cardholder and POMD are our own record's, the receipt is
 * of its kind, and what remains is what we count ourselves. SETPAY_E_AUTH_MISMATCH. */
enum setpay_error setpay_merchant_step_res_check(
    const struct setpay_merchant_purchase *purchase, const struct setpay_merchant_steps *steps,
    const char *merchant_id, const struct setpay_merchant_step *step,
    const struct setpay_id *of_token, const struct setpay_step_res *answer) SETPAY_MUST_CHECK;
/* Whether a refusal by that code says nothing about the step: it is asked for anew, later. */
bool setpay_merchant_step_is_later(uint32_t wire_code);

/* What became of a step that is asked for. code 0: it is done; done is what
 * the gateway says of a capture, a credit or the reversal of either. */
struct setpay_merchant_step_outcome {
    int64_t step_id; /* 0: the one whose turn it is */
    const struct setpay_step_done *done;
    uint32_t code;
    int64_t released_minor; /* of a release that is done */
    /* Of an authorisation: */
    const struct setpay_auth_res *answer; /* the issuer's word; NULL: refused by code */
    bool unwanted;                        /* it is approved, but not as it was asked for */
};
/* A step that follows from what became of another one is appended with id 0, to be stored; of_id
 * of it may be this: the one that was appended just before. */
#define SETPAY_MERCHANT_STEP_BEFORE (-1)
/* Purchase and steps after it: states, sums, what it did to other steps, and those that follow: of
 * a sale that was undone the release of what the gateway has given up with it; the same, before it
 * is asked for again, of a step that the gateway refuses for want of that (*again); of an
 * authorisation that is not wanted, what takes it back. Errors of setpay_purchase_state_next;
 * SETPAY_E_STATE where no step is asked for, SETPAY_E_TOO_BIG. */
enum setpay_error setpay_merchant_step_apply(const struct setpay_merchant_step_outcome *outcome,
                                             setpay_time_ms now_ms,
                                             struct setpay_merchant_purchase *purchase,
                                             struct setpay_merchant_steps *steps,
                                             bool *again) SETPAY_MUST_CHECK;
/* Whether an Error to the release of a part ends it: the hold is over, by the gateway's word and
 * our clock as far as the two may differ, so that all that is held is given up, and a part of it
 * can't be any more (rule G9). Another Error, an unsigned one, or one while the hold stands (the
 * gateway may want the receipt of another authorisation first) ends nothing. */
bool setpay_merchant_part_is_over(const struct setpay_merchant_purchase *purchase,
                                  const struct setpay_merchant_steps *steps,
                                  const struct setpay_merchant_step *step, uint32_t wire_code,
                                  bool signed_by_gateway, setpay_time_ms now_ms);
/* The state of a purchase whose steps were withdrawn, by what they and the sums leave. Errors of
 * setpay_purchase_state_next. */
enum setpay_error
setpay_merchant_step_state_after(const struct setpay_merchant_purchase *purchase,
                                 struct setpay_merchant_steps *steps,
                                 enum setpay_purchase_state *state) SETPAY_MUST_CHECK;
/* What a sale has captured, and where it is not wanted its undoing, appended to the steps. of_id:
 * that of its authorisation (0: the first). */
enum setpay_error setpay_merchant_step_sold(const struct setpay_step_done *done, int64_t of_id,
                                            bool unwanted, setpay_time_ms now_ms,
                                            struct setpay_merchant_steps *steps) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ the rows */

/* All of a purchase: *steps (NULL at first) is given back, and is new afterwards, for free(); it is
 * what it was after an error. SETPAY_E_TOO_BIG. */
enum setpay_error setpay_merchant_step_list(struct setpay_db *db, int64_t purchase_id,
                                            struct setpay_merchant_steps **steps) SETPAY_MUST_CHECK;
/* Sets its id. */
enum setpay_error setpay_merchant_step_insert(struct setpay_db *db,
                                              struct setpay_merchant_step *step) SETPAY_MUST_CHECK;
/* Writes what may change. The purchase's version, which the same operation checks, stands for its
 * own. */
enum setpay_error
setpay_merchant_step_update(struct setpay_db *db,
                            const struct setpay_merchant_step *step) SETPAY_MUST_CHECK;

/* All of a purchase that were changed or appended since they were read. */
enum setpay_error setpay_merchant_step_write(struct setpay_db *db, int64_t purchase_id,
                                             struct setpay_merchant_steps *steps) SETPAY_MUST_CHECK;
/* Inside an operation: further authorisations that wait, and of which no request is kept, have not
 * left, and never will: they are refused by AGREEMENT, here and in their rows. What they leave of
 * the purchase's state is the caller's. */
enum setpay_error setpay_merchant_step_withdraw(struct setpay_db *db,
                                                struct setpay_merchant_steps *steps,
                                                setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Inside an operation: stores what has kind, of_id, amount, sale and urgent, and lets the purchase
 * go to the gateway; *step is what was stored. What may be asked for, the caller has checked.
 * Errors of setpay_purchase_state_next. */
enum setpay_error setpay_merchant_step_append(struct setpay_db *db,
                                              struct setpay_merchant_purchase *purchase,
                                              const struct setpay_merchant_step *what,
                                              setpay_time_ms now_ms,
                                              struct setpay_merchant_step *step) SETPAY_MUST_CHECK;
/* Inside an operation: checks, stores and lets the purchase go to the gateway; *step is what was
 * stored. of NULL: none. Errors of setpay_merchant_step_check; SETPAY_E_NOT_FOUND where there is no
 * such other step. */
enum setpay_error setpay_merchant_step_ask(struct setpay_db *db,
                                           struct setpay_merchant_purchase *purchase,
                                           enum setpay_merchant_step_kind kind,
                                           const struct setpay_id *of, int64_t amount_minor,
                                           setpay_time_ms now_ms,
                                           struct setpay_merchant_step *step) SETPAY_MUST_CHECK;

#endif
