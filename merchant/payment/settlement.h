/*
 * Settlements: what the gateway says that it has paid out (setpay-settlement(5)), held against what
 * was captured and credited here. Every row of a file is kept with what is not as we have it; what
 * is, is settled from then on.
 *
 * setpay_merchant_settlement_compare is pure. All functions with a db run inside a store operation
 * or a read.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_SETTLEMENT_H
#define SETPAY_MERCHANT_PAYMENT_SETTLEMENT_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"
#include "merchant/store/payment_port.h"
#include "merchant/store/settlement_view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SQL for the migration that brings them. step.settlement_row: the first row that named the step as
 * an item, 0: none; of settlement_row, step_id: our step, 0: there is none of that name; other_id:
 * the settlement whose row had it before; cleared_minor: what of a refused item was paid later, and
 * cleared_by: with which settlement, the last of them; is_over: of a refused item, all of it was
 * paid, or nobody was charged for what was not; stands: there is a difference that a person has to
 * look at; accepted_ms: when one has, and has accepted it, with which reason; 0: nobody has. */
#define SETPAY_MERCHANT_SETTLEMENT_SCHEMA                                                          \
    "CREATE TABLE settlement ("                                                                    \
    " id INTEGER PRIMARY KEY, token BLOB NOT NULL UNIQUE, digest BLOB NOT NULL,"                   \
    " gateway TEXT NOT NULL, brand TEXT NOT NULL, day TEXT NOT NULL, currency TEXT NOT NULL,"      \
    " capture_count INTEGER NOT NULL, capture_minor INTEGER NOT NULL,"                             \
    " capture_fee_minor INTEGER NOT NULL, credit_count INTEGER NOT NULL,"                          \
    " credit_minor INTEGER NOT NULL, credit_fee_minor INTEGER NOT NULL,"                           \
    " refused_count INTEGER NOT NULL, refused_minor INTEGER NOT NULL,"                             \
    " disputed_count INTEGER NOT NULL, disputed_minor INTEGER NOT NULL,"                           \
    " returned_count INTEGER NOT NULL, returned_minor INTEGER NOT NULL,"                           \
    " cleared_count INTEGER NOT NULL, cleared_minor INTEGER NOT NULL,"                             \
    " carried_in_minor INTEGER NOT NULL, held_minor INTEGER NOT NULL,"                             \
    " released_minor INTEGER NOT NULL, repaid_count INTEGER NOT NULL,"                             \
    " repaid_minor INTEGER NOT NULL, payout_minor INTEGER NOT NULL,"                               \
    " carried_out_minor INTEGER NOT NULL, row_count INTEGER NOT NULL,"                             \
    " imported_ms INTEGER NOT NULL);"                                                              \
    "CREATE INDEX settlement_day ON settlement (day, id);"                                         \
    "CREATE TABLE settlement_row ("                                                                \
    " id INTEGER PRIMARY KEY, settlement_id INTEGER NOT NULL, line INTEGER NOT NULL,"              \
    " kind INTEGER NOT NULL, step BLOB NOT NULL, xid BLOB NOT NULL, batch INTEGER NOT NULL,"       \
    " amount_minor INTEGER NOT NULL, fee_minor INTEGER NOT NULL, code TEXT NOT NULL,"              \
    " date TEXT NOT NULL, event BLOB, differs INTEGER NOT NULL, step_id INTEGER NOT NULL,"         \
    " other_id INTEGER NOT NULL, cleared_minor INTEGER NOT NULL, cleared_by INTEGER NOT NULL,"     \
    " is_over INTEGER NOT NULL, stands INTEGER NOT NULL, accepted_ms INTEGER NOT NULL,"            \
    " reason TEXT NOT NULL);"                                                                      \
    "CREATE INDEX settlement_row_settlement ON settlement_row (settlement_id, id);"                \
    "CREATE INDEX settlement_row_event ON settlement_row (event, kind) WHERE event IS NOT NULL;"   \
    "CREATE INDEX settlement_row_outcome ON settlement_row (step_id) WHERE kind IN (6, 7);"        \
    "CREATE INDEX settlement_row_other ON settlement_row (other_id, id) WHERE other_id <> 0;"      \
    "CREATE INDEX settlement_row_accepted ON settlement_row (settlement_id, id) WHERE"             \
    " accepted_ms > 0;"                                                                            \
    "CREATE INDEX settlement_row_stands ON settlement_row (id) WHERE stands = 1;"                  \
    "CREATE INDEX settlement_row_stands_of ON settlement_row (settlement_id, id) WHERE stands = "  \
    "1;"                                                                                           \
    "ALTER TABLE step ADD COLUMN settlement_row INTEGER NOT NULL DEFAULT 0;"                       \
    "CREATE INDEX step_token ON step (token) WHERE token IS NOT NULL;"                             \
    "CREATE INDEX step_unsettled ON step (id) WHERE settlement_row = 0 AND batch <> 0"             \
    " AND state = 2 AND undone = 0 AND kind IN (1, 2);"

/* ------------------------------------------------------------------ pure */

/* What we have of the step that a row names. */
struct setpay_merchant_settled_step {
    int64_t id; /* 0: there is none */
    enum setpay_merchant_step_kind kind;
    bool undone;
    struct setpay_id xid;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char order_id[SETPAY_WIRE_LID_M_MAX + 1];
    uint32_t batch;
    struct setpay_money amount;
    bool is_named; /* by a row before, as an item; of a dispute or clearing: by a row of that */
};

/* What is not as we have it: bits of enum setpay_settlement_difference; 0: all agrees. */
uint32_t setpay_merchant_settlement_compare(const struct setpay_settlement_report *report,
                                            const struct setpay_settlement_row *row,
                                            const struct setpay_merchant_settled_step *step);
/* Whether a row with these differences is about the step of that name: then it settles it. */
bool setpay_merchant_settlement_is_about(uint32_t differs);

/* What later rows say that came of a refused item: to the merchant, below 0 of a credit. */
struct setpay_merchant_settlement_outcome {
    int64_t row_count;
    int64_t cleared_minor, ended_minor;
    int64_t cleared_by; /* the settlement that has paid some of it, the last of them; 0: none */
};
/* One more row, cleared or ended, with its differences: one that is about another step, or that was
 * there before, counts for nothing. */
void setpay_merchant_settlement_came(struct setpay_merchant_settlement_outcome *outcome,
                                     const struct setpay_settlement_row *row, uint32_t differs,
                                     int64_t settlement_id);
/* Whether that is all of the item: nothing more comes of it. */
bool setpay_merchant_settlement_is_over(const struct setpay_settlement_row *row,
                                        const struct setpay_merchant_settlement_outcome *outcome);

/* ------------------------------------------------------------------ reading in */

struct setpay_merchant_settlement_import {
    const struct setpay_settlement_file *file;
    const char *merchant_id;   /* whose it must be, */
    const char *gateway_id;    /* whose gateway's, */
    const char *const *brands; /* and of one of these brands; or of one that had a batch here */
    size_t brand_count;
    setpay_time_ms now_ms;
    /* Called for each settlement of the file, once all of it is kept; fresh: it was not known. */
    enum setpay_error (*visit)(void *arg, const struct setpay_settlement_view *settlement,
                               bool fresh);
    void *arg;
};
/* Inside an operation: all of the file, or nothing; what was read in before stays as it is. With
 * words that begin with the line: SETPAY_E_INVALID (another merchant's, gateway's or brand's),
 * SETPAY_E_EXISTS (read in before with other content). */
enum setpay_error
setpay_merchant_settlement_import(struct setpay_db *db,
                                  const struct setpay_merchant_settlement_import *import,
                                  struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ taking back */

struct setpay_merchant_settlement_forgotten {
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char day[SETPAY_SETTLEMENT_DATE_SIZE];
    int64_t row_count;
    int64_t judged_count; /* rows of others that were duplicates of them, and were judged again */
};
/* Inside an operation: as if it had never been read in. What its rows have settled is open again,
 * or is settled by the first of those that were their duplicates. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_merchant_settlement_forget(
    struct setpay_db *db, const struct setpay_id *id,
    struct setpay_merchant_settlement_forgotten *forgotten) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ accepting */

struct setpay_merchant_settlement_accept {
    struct setpay_id settlement;
    int64_t line; /* of its file: which row */
    const char *reason;
    setpay_time_ms now_ms;
};
/* Inside an operation: a person has looked at what differs in that row, and it stands no longer.
 * With words: SETPAY_E_NOT_FOUND (no such settlement or row), SETPAY_E_STATE (nothing stands
 * there), SETPAY_E_EXISTS (it is accepted with another reason; the same changes nothing). */
enum setpay_error
setpay_merchant_settlement_accept(struct setpay_db *db,
                                  const struct setpay_merchant_settlement_accept *accept,
                                  struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ for the store
 * (merchant/store/payment_port.h) */

enum setpay_error setpay_merchant_settlement_list(struct setpay_db *db, int64_t before,
                                                  int64_t room, setpay_settlement_visit_fn *visit,
                                                  void *visit_arg) SETPAY_MUST_CHECK;
enum setpay_error
setpay_merchant_settlement_find(struct setpay_db *db, const struct setpay_id *id,
                                struct setpay_settlement_view *settlement) SETPAY_MUST_CHECK;
enum setpay_error setpay_merchant_settlement_rows(struct setpay_db *db,
                                                  const struct setpay_settlement_rows *which,
                                                  setpay_settlement_row_visit_fn *visit,
                                                  void *visit_arg) SETPAY_MUST_CHECK;
enum setpay_error setpay_merchant_unsettled(struct setpay_db *db,
                                            const struct setpay_unsettled *which,
                                            setpay_unsettled_visit_fn *visit,
                                            void *visit_arg) SETPAY_MUST_CHECK;
/* Of a step that was paid, in whole or in a part behind which no more comes: what view has of that
 * from settlement on. SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_merchant_settlement_of_step(struct setpay_db *db, int64_t step_id,
                                   struct setpay_step_view *view) SETPAY_MUST_CHECK;

#endif
