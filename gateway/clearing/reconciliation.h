/*
 * What went to each issuer, period by period: rows of cuts and of reconciliations.
 *
 * A period is a number, from 1, of one issuer. Everything that an issuer is to book (a sale, a
 * presentment, the reversal of a sale) is given the number that is current when its row is written,
 * and says so to the issuer: so both sides count the same things, whenever they arrive. A cut ends
 * a period; what it comes to is known once nothing of it is unanswered any more, and is then
 * compared, currency by currency (0500).
 *
 * What is undone within its own period counts in none of the sums.
 *
 * A gateway that was restored from a backup has forgotten which periods came after it, and an
 * issuer has answered for them. Its next period is numbered by the moment of the restore: above all
 * that can have been, since no issuer's periods end once in ten seconds. The one that was current
 * in the backup ends with it: its items were given its number, and to what it comes now shows what
 * was lost, also where nothing of it is left. Where it was restored more than once since the last
 * cut, there is one such period for each restore.
 *
 * All functions run inside a store operation or a read.
 */
#ifndef SETPAY_GATEWAY_CLEARING_RECONCILIATION_H
#define SETPAY_GATEWAY_CLEARING_RECONCILIATION_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"
#include "gateway/network/network.h"

#include <stdbool.h>
#include <stdint.h>

#define SETPAY_RECONCILIATION_SCHEMA                                                               \
    "CREATE TABLE reconciliation_cut ("                                                            \
    " issuer TEXT NOT NULL, period INTEGER NOT NULL, cut_ms INTEGER NOT NULL,"                     \
    " totalled INTEGER NOT NULL, PRIMARY KEY (issuer, period));"                                   \
    "CREATE INDEX reconciliation_cut_open ON reconciliation_cut (totalled);"                       \
    "CREATE TABLE reconciliation ("                                                                \
    " id INTEGER PRIMARY KEY, issuer TEXT NOT NULL, period INTEGER NOT NULL,"                      \
    " currency TEXT NOT NULL, cut_ms INTEGER NOT NULL,"                                            \
    " credit_count INTEGER NOT NULL, credit_minor INTEGER NOT NULL,"                               \
    " credit_reversal_count INTEGER NOT NULL, credit_reversal_minor INTEGER NOT NULL,"             \
    " debit_count INTEGER NOT NULL, debit_minor INTEGER NOT NULL,"                                 \
    " debit_reversal_count INTEGER NOT NULL, debit_reversal_minor INTEGER NOT NULL,"               \
    " result INTEGER NOT NULL DEFAULT 0, response_code TEXT NOT NULL DEFAULT '',"                  \
    " answered_ms INTEGER NOT NULL DEFAULT 0, sent_count INTEGER NOT NULL DEFAULT 0,"              \
    " their_credit_count INTEGER NOT NULL DEFAULT 0,"                                              \
    " their_credit_minor INTEGER NOT NULL DEFAULT 0,"                                              \
    " their_credit_reversal_count INTEGER NOT NULL DEFAULT 0,"                                     \
    " their_credit_reversal_minor INTEGER NOT NULL DEFAULT 0,"                                     \
    " their_debit_count INTEGER NOT NULL DEFAULT 0,"                                               \
    " their_debit_minor INTEGER NOT NULL DEFAULT 0,"                                               \
    " their_debit_reversal_count INTEGER NOT NULL DEFAULT 0,"                                      \
    " their_debit_reversal_minor INTEGER NOT NULL DEFAULT 0,"                                      \
    " UNIQUE (issuer, period, currency));"                                                         \
    "CREATE INDEX reconciliation_result ON reconciliation (result, id);"                           \
    "ALTER TABLE presentment ADD COLUMN period INTEGER NOT NULL DEFAULT 0;"                        \
    "CREATE INDEX presentment_period ON presentment (period);"

/* Stored. */
enum setpay_reconciliation_result {
    SETPAY_RECONCILIATION_OPEN = 0, /* not answered yet */
    SETPAY_RECONCILIATION_IN_BALANCE = 1,
    SETPAY_RECONCILIATION_OUT_OF_BALANCE = 2,
    SETPAY_RECONCILIATION_REFUSED = 3, /* the issuer has told no totals */
};
/* "in balance" */
const char *setpay_reconciliation_result_name(enum setpay_reconciliation_result result);

struct setpay_reconciliation {
    int64_t id;
    char issuer[SETPAY_NETWORK_NAME_SIZE];
    int64_t period;
    char currency[4];
    setpay_time_ms cut_ms;
    struct setpay_network_totals ours, theirs;
    enum setpay_reconciliation_result result;
    char response_code[3];
    setpay_time_ms answered_ms; /* 0: not yet */
};

/* SQL: the least number that a period may have after a restore (a row of restoration), in tens of
 * seconds since 2020 began. In 2026 it has eight digits, of the nine that are sent. */
#define SETPAY_RECONCILIATION_OF_RESTORE "(restored_ms - 1577836800000) / 10000"
/* SQL: that of the last restore; 0 where there was none. */
#define SETPAY_RECONCILIATION_AFTER_RESTORE                                                        \
    "COALESCE((SELECT MAX(" SETPAY_RECONCILIATION_OF_RESTORE                                       \
    ") FROM restoration WHERE moved = 0), 0)"
/* SQL: the number of the period that is current for the issuer in column. */
#define SETPAY_RECONCILIATION_PERIOD_OF(column)                                                    \
    "(SELECT MAX(COALESCE(MAX(period), 0) + 1, " SETPAY_RECONCILIATION_AFTER_RESTORE               \
    ") FROM reconciliation_cut WHERE issuer = " column ")"

enum setpay_error setpay_reconciliation_period(struct setpay_db *db, const char *issuer,
                                               int64_t *period) SETPAY_MUST_CHECK;

/* The first time that the gateway has this issuer: its period 1 begins now. Later nothing. */
enum setpay_error setpay_reconciliation_begin(struct setpay_db *db, const char *issuer,
                                              setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Ends the current period; the first time after a restore, or after several, also those that were
 * current in the backups. *before: the last that had ended before (-1: none); it has ended all that
 * are behind that. */
enum setpay_error setpay_reconciliation_cut(struct setpay_db *db, const char *issuer,
                                            setpay_time_ms now_ms,
                                            int64_t *before) SETPAY_MUST_CHECK;
/* Ends it unless one ended at due_ms or later, and not after now_ms: what a clock that was ahead
 * has cut does not count. *cut says whether it did. */
enum setpay_error setpay_reconciliation_cut_daily(struct setpay_db *db, const char *issuer,
                                                  setpay_time_ms due_ms, setpay_time_ms now_ms,
                                                  bool *cut) SETPAY_MUST_CHECK;
/* Whether none of its periods ended at due_ms or later, up to now_ms, or one that was cut is not
 * added up: whether there is anything to write. */
enum setpay_error setpay_reconciliation_is_due(struct setpay_db *db, const char *issuer,
                                               setpay_time_ms due_ms, setpay_time_ms now_ms,
                                               bool *due) SETPAY_MUST_CHECK;
/* Adds up every period that was cut and of which nothing is unanswered; each then has a row for
 * each of its currencies, open; one that a restore ended has one for each currency that there ever
 * was with its issuer. The others wait. */
enum setpay_error setpay_reconciliation_total(struct setpay_db *db) SETPAY_MUST_CHECK;

/* What a period comes to in each currency, in the order of these. */
struct setpay_reconciliation_sum {
    char currency[4];
    struct setpay_network_totals totals;
};
#define SETPAY_RECONCILIATION_CURRENCIES_MAX 200 /* more than there are */
enum setpay_error setpay_reconciliation_sums(
    struct setpay_db *db, const char *issuer, int64_t period,
    struct setpay_reconciliation_sum sums[SETPAY_RECONCILIATION_CURRENCIES_MAX],
    size_t *count) SETPAY_MUST_CHECK;

/* The first open one behind after_id. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_reconciliation_next(struct setpay_db *db, int64_t after_id,
                                             struct setpay_reconciliation *found) SETPAY_MUST_CHECK;
/* Keeps result, response code, their totals and answered_ms. */
enum setpay_error setpay_reconciliation_answer(struct setpay_db *db,
                                               const struct setpay_reconciliation *answered,
                                               int64_t sent_count) SETPAY_MUST_CHECK;
/* Those of the issuer's newest periods, the newest first, at most limit. */
typedef enum setpay_error
setpay_reconciliation_each_fn(void *arg, const struct setpay_reconciliation *reconciliation);
enum setpay_error setpay_reconciliation_each_newest(struct setpay_db *db, const char *issuer,
                                                    int64_t limit,
                                                    setpay_reconciliation_each_fn *each,
                                                    void *arg) SETPAY_MUST_CHECK;

/* Those of one period, by currency. totalled: whether it is added up, so that there are no more to
 * come. SETPAY_E_NOT_FOUND: no such period has ended. */
enum setpay_error setpay_reconciliation_of_period(struct setpay_db *db, const char *issuer,
                                                  int64_t period, bool *totalled,
                                                  setpay_reconciliation_each_fn *each,
                                                  void *arg) SETPAY_MUST_CHECK;
/* Those of the issuer that have ended and are not added up, or not answered in every currency, the
 * oldest first. Ends with each's error. */
typedef enum setpay_error setpay_reconciliation_period_fn(void *arg, const char *issuer,
                                                          int64_t period);
enum setpay_error setpay_reconciliation_each_waiting(struct setpay_db *db, const char *issuer,
                                                     setpay_reconciliation_period_fn *each,
                                                     void *arg) SETPAY_MUST_CHECK;

#endif
