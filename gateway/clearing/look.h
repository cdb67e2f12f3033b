/*
 * A look through the ledger and what stands around it, as the files that share one see it. Inside
 * of gateway/clearing only.
 */
#ifndef SETPAY_GATEWAY_CLEARING_LOOK_H
#define SETPAY_GATEWAY_CLEARING_LOOK_H

#include "common/base/error.h"
#include "common/base/limits.h"
#include "common/store/db.h"
#include "gateway/clearing/ledger.h"

#include <stdbool.h>
#include <stddef.h>

struct setpay_look {
    struct setpay_db *db;
    setpay_ledger_finding_cb *found;
    void *arg;
    struct setpay_ledger_mark at; /* the last entry that was seen */
    size_t findings;
    unsigned off; /* tables with an amount that is none: they can't be added up */
};

/* The tables whose amounts are added up. */
enum setpay_look_table {
    SETPAY_LOOK_STEPS = 1 << 0,
    SETPAY_LOOK_PAYMENTS = 1 << 1,
    SETPAY_LOOK_SETTLEMENTS = 1 << 2,
    SETPAY_LOOK_ADJUSTMENTS = 1 << 3,
    SETPAY_LOOK_DISPUTES = 1 << 4,
    SETPAY_LOOK_RESERVE = 1 << 5,
    SETPAY_LOOK_PAID = 1 << 6, /* by issuers */
    SETPAY_LOOK_CLEARINGS = 1 << 7,
    SETPAY_LOOK_POSTINGS = 1 << 8,
    SETPAY_LOOK_BALANCES = 1 << 9,
    SETPAY_LOOK_REVERSALS = 1 << 10,
    SETPAY_LOOK_TAKEN = 1 << 11, /* by issuers */
    SETPAY_LOOK_STAND_INS = 1 << 12,
    SETPAY_LOOK_PAYOUT_FILES = 1 << 13,
};
/* What a day, or an account, can't come to: the sum of many payments. */
#define SETPAY_LOOK_DAY_MAX_MINOR (1000000 * SETPAY_MONEY_MAX_MINOR)
/* By how much one time may be before another that it should be behind: what a merchant's clock, and
 * what the gateway's own, may be off. */
#define SETPAY_LOOK_SLACK_MS (2 * SETPAY_LIMIT_DATE_TOLERANCE_MS)
/* look_amounts.c: finds each row with an amount that is none, and notes its table. First of all. */
enum setpay_error setpay_look_amounts(struct setpay_look *look) SETPAY_MUST_CHECK;
/* Whether the amounts of these tables can be added up. */
bool setpay_look_adds_up(const struct setpay_look *look, unsigned of);
/* Within the limit of a day, so that it can be negated, and added to a few others. */
bool setpay_look_is_amount(int64_t minor);

/* One finding, in words. */
void setpay_look_find(struct setpay_look *look, const char *format, ...) SETPAY_PRINTF(2, 3);
/* A query whose rows are each a finding: one text column, which stands behind words. */
enum setpay_error setpay_look_each_row(struct setpay_look *look, const char *sql,
                                       const char *words) SETPAY_MUST_CHECK;
/* The same with one number, $1. */
enum setpay_error setpay_look_each_row_by(struct setpay_look *look, const char *sql, int64_t number,
                                          const char *words) SETPAY_MUST_CHECK;
/* What an entry should be, by what its event names. */
struct setpay_look_expected {
    struct setpay_ledger_entry entry; /* time, brand, merchant, currency and postings */
    struct setpay_id token;           /* computed of what it names */
};
/* SETPAY_E_NOT_FOUND: there is nothing of that event. One for each kind of entry that is not of a
 * step. */
typedef enum setpay_error setpay_look_expect_fn(struct setpay_db *db, const struct setpay_id *event,
                                                struct setpay_look_expected *expected);
/* dispute_verify.c */
setpay_look_expect_fn setpay_look_expect_dispute;
setpay_look_expect_fn setpay_look_expect_lost;
setpay_look_expect_fn setpay_look_expect_won;
/* reserve_verify.c */
setpay_look_expect_fn setpay_look_expect_reserve;
setpay_look_expect_fn setpay_look_expect_release;
/* incoming_verify.c */
setpay_look_expect_fn setpay_look_expect_payment;
setpay_look_expect_fn setpay_look_expect_cleared;
setpay_look_expect_fn setpay_look_expect_write_off;
setpay_look_expect_fn setpay_look_expect_payment_undone;
/* payout_verify.c */
setpay_look_expect_fn setpay_look_expect_payout_sent;
setpay_look_expect_fn setpay_look_expect_payout_paid;
setpay_look_expect_fn setpay_look_expect_payout_returned;
setpay_look_expect_fn setpay_look_expect_payout_undone;
setpay_look_expect_fn setpay_look_expect_payout_set_aside;
/* unsent_verify.c */
setpay_look_expect_fn setpay_look_expect_advice_write_off;
setpay_look_expect_fn setpay_look_expect_reversal_write_off;

/* The rows beside the ledger, each with its entry and what it did; from the beginning. */
enum setpay_error setpay_look_disputes(struct setpay_look *look) SETPAY_MUST_CHECK;
enum setpay_error setpay_look_reserve(struct setpay_look *look) SETPAY_MUST_CHECK;
enum setpay_error setpay_look_incoming(struct setpay_look *look) SETPAY_MUST_CHECK;
/* ahead_verify.c: days are settled in their order. */
enum setpay_error setpay_look_ahead(struct setpay_look *look) SETPAY_MUST_CHECK;
enum setpay_error setpay_look_payouts(struct setpay_look *look) SETPAY_MUST_CHECK;
/* dates_verify.c: when batches were closed and presentments answered. */
enum setpay_error setpay_look_dates(struct setpay_look *look) SETPAY_MUST_CHECK;
/* payment_verify.c: what no entry is of. Reversals, each held to its payment and its receipt. */
enum setpay_error setpay_look_reversals(struct setpay_look *look) SETPAY_MUST_CHECK;
/* reconciliation_verify.c: what went to each issuer in each period, and what it has answered. */
enum setpay_error setpay_look_reconciliations(struct setpay_look *look) SETPAY_MUST_CHECK;
/* state_verify.c: payments, each held to its amounts, and to its receipts as they were signed. */
enum setpay_error setpay_look_states(struct setpay_look *look) SETPAY_MUST_CHECK;
/* stand_in_verify.c: what was approved in an issuer's stead, and the advice of it. */
enum setpay_error setpay_look_stand_ins(struct setpay_look *look) SETPAY_MUST_CHECK;
/* unsent_verify.c: beside the ledger, the advices and reversals that were given up. */
enum setpay_error setpay_look_unsent(struct setpay_look *look) SETPAY_MUST_CHECK;

/* Whether both have the same postings. */
bool setpay_ledger_same_postings(const struct setpay_ledger_entry *a,
                                 const struct setpay_ledger_entry *b);

#endif
