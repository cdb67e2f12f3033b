/*
 * An agreement at the gateway: a payment instruction whose terms permit more than one
 * authorisation, with what has been taken of it; and whether a further one may be (rules G4, G6,
 * G9, G12), which is pure.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_AGREEMENT_H
#define SETPAY_GATEWAY_PAYMENT_AGREEMENT_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"
#include "common/wire/agreement.h"
#include "gateway/payment/payment.h"

#include <stdbool.h>

/* Columns of the table payment, a row of which is one authorisation; a receipt stands in the chain
 * of the first (payment_id), and is of one of them (of_id). */
#define SETPAY_AGREEMENT_SCHEMA                                                                    \
    "ALTER TABLE payment ADD COLUMN number INTEGER NOT NULL DEFAULT 1;"                            \
    "ALTER TABLE payment ADD COLUMN first_id INTEGER;"                                             \
    "ALTER TABLE payment ADD COLUMN asked_by BLOB;"                                                \
    "ALTER TABLE payment ADD COLUMN signed_minor INTEGER NOT NULL DEFAULT 0;"                      \
    "ALTER TABLE payment ADD COLUMN decided_ms INTEGER NOT NULL DEFAULT 0;"                        \
    "ALTER TABLE payment ADD COLUMN auth_token BLOB;"                                              \
    "ALTER TABLE payment ADD COLUMN cancelled_ms INTEGER NOT NULL DEFAULT 0;"                      \
    "UPDATE payment SET asked_by = merchant, signed_minor = amount_minor,"                         \
    " decided_ms = updated_ms;"                                                                    \
    "DROP INDEX payment_xid;"                                                                      \
    "DROP INDEX payment_pimd;"                                                                     \
    "DROP INDEX payment_rrpid;"                                                                    \
    "CREATE UNIQUE INDEX payment_xid ON payment (brand, merchant_id, xid, number);"                \
    "CREATE UNIQUE INDEX payment_pimd ON payment (pimd, number);"                                  \
    "CREATE UNIQUE INDEX payment_rrpid ON payment (asked_by, rrpid);"                              \
    "CREATE UNIQUE INDEX payment_auth_token ON payment (auth_token);"                              \
    "CREATE INDEX payment_first ON payment (first_id, number);"                                    \
    "ALTER TABLE receipt ADD COLUMN of_id INTEGER NOT NULL DEFAULT 0;"                             \
    "UPDATE receipt SET of_id = payment_id;"                                                       \
    "CREATE INDEX receipt_of ON receipt (of_id, number);"

/* How often a merchant may try after the issuer has said no: as card networks limit it. */
#define SETPAY_AGREEMENT_DECLINES_MAX 15
#define SETPAY_AGREEMENT_DECLINES_MS (30 * SETPAY_DAY_MS) /* in so much time */
#define SETPAY_AGREEMENT_PAUSE_MS SETPAY_DAY_MS           /* after the newest of them */

struct setpay_gateway_agreement {
    struct setpay_payment first;
    struct setpay_agreement_taken taken;
    uint32_t numbers;  /* authorisations there are, also declined ones */
    bool asking;       /* one of them is at the issuer */
    bool owes;         /* the receipt of what was given up of one is to be had first */
    bool refused;      /* by a code that means never */
    uint32_t declines; /* in the last SETPAY_AGREEMENT_DECLINES_MS */
    setpay_time_ms last_declined_ms; /* by an issuer; 0: never */
};

/* Inside a read or an operation. SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_gateway_agreement_find(struct setpay_db *db, const char *brand, const char *merchant_id,
                              const struct setpay_id *xid, setpay_time_ms now_ms,
                              struct setpay_gateway_agreement *agreement) SETPAY_MUST_CHECK;
/* With this authorisation, which is not stored as approved yet, in it. */
struct setpay_agreement_taken
setpay_gateway_agreement_taken_with(const struct setpay_agreement_taken *taken,
                                    const struct setpay_payment *approved);

/* Rule G9. SETPAY_E_TOKEN where it is not the token that this merchant was given for it. */
enum setpay_error
setpay_gateway_agreement_check_token(const struct setpay_gateway_agreement *agreement,
                                     const struct setpay_id *auth_token) SETPAY_MUST_CHECK;
/*
 * Whether a further AuthReq may be honoured: SETPAY_E_PI_MISMATCH (rule G4: what the request
 * repeats of the first is not what the cardholder signed), SETPAY_E_SET_BACK (rule G12: begun
 * before the restore), SETPAY_E_CANCELLED, SETPAY_E_AGREEMENT_OVER, SETPAY_E_AMOUNT_LIMIT,
 * SETPAY_E_TOO_SOON, SETPAY_E_TRIED_ENOUGH (rule G6). keep_card_ms: how long parts may follow a
 * split payment's first.
 */
enum setpay_error setpay_gateway_agreement_decide(const struct setpay_gateway_agreement *agreement,
                                                  const struct setpay_auth_req *request,
                                                  setpay_time_ms restored_ms, int64_t keep_card_ms,
                                                  setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* Whether the cardholder's word may end it, or has ended it already: SETPAY_E_STATE (nothing is to
 * follow anyway), SETPAY_E_RELEASE_OWED (rule G9: that receipt comes before this one). */
enum setpay_error setpay_gateway_agreement_check_cancel(
    const struct setpay_gateway_agreement *agreement) SETPAY_MUST_CHECK;

/* The card of an authorisation that was decided so is kept until then (rule G10): for as long as
 * another may follow, and then as for every payment. */
setpay_time_ms setpay_gateway_agreement_keep_until_ms(const struct setpay_payment *payment,
                                                      int64_t keep_card_ms, setpay_time_ms now_ms);

#endif
