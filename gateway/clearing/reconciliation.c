/*
 * The rows of cuts and reconciliations, and what a period comes to.
 */
#include "gateway/clearing/reconciliation.h"

#include "gateway/clearing/sql_names.h"

#include <string.h>

const char *setpay_reconciliation_result_name(enum setpay_reconciliation_result result)
{
    static const char *const names[] = {"open", "in balance", "out of balance", "refused"};
    return (unsigned)result < sizeof names / sizeof *names ? names[result] : "unknown";
}

static enum setpay_error one_number(struct setpay_db_rows *rows, int64_t *number)
{
    int64_t found = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    *number = found;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ cuts */

enum setpay_error setpay_reconciliation_period(struct setpay_db *db, const char *issuer,
                                               int64_t *period)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " SETPAY_RECONCILIATION_PERIOD_OF("$1"),
                             SETPAY_DB_TEXT(issuer)));
    return one_number(rows, period);
}

static enum setpay_error insert_cut(struct setpay_db *db, const char *issuer, int64_t period,
                                    setpay_time_ms now_ms, bool totalled)
{
    return setpay_db_run(db,
                         "INSERT INTO reconciliation_cut (issuer, period, cut_ms, totalled)"
                         " VALUES ($1, $2, $3, $4)",
                         SETPAY_DB_TEXT(issuer), SETPAY_DB_INT(period), SETPAY_DB_INT(now_ms),
                         SETPAY_DB_BOOL(totalled));
}

enum setpay_error setpay_reconciliation_begin(struct setpay_db *db, const char *issuer,
                                              setpay_time_ms now_ms)
{
    struct setpay_db_rows *rows;
    int64_t count = 0;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM reconciliation_cut WHERE issuer = $1",
                             SETPAY_DB_TEXT(issuer)));
    SETPAY_TRY(one_number(rows, &count));
    return count > 0 ? SETPAY_OK : insert_cut(db, issuer, 0, now_ms, true);
}

/* Those that were current in backups, when these were restored: the one behind last, and one that
 * began with each restore before the last. */
static enum setpay_error insert_of_backups(struct setpay_db *db, const char *issuer, int64_t last,
                                           int64_t current, setpay_time_ms now_ms)
{
    return setpay_db_run(
        db,
        "INSERT INTO reconciliation_cut (issuer, period, cut_ms, totalled)"
        " SELECT $1, period, $2, 0 FROM (SELECT $3 + 1 AS period"
        " UNION SELECT " SETPAY_RECONCILIATION_OF_RESTORE " FROM restoration WHERE moved = 0)"
        " WHERE period > $3 AND period < $4",
        SETPAY_DB_TEXT(issuer), SETPAY_DB_INT(now_ms), SETPAY_DB_INT(last), SETPAY_DB_INT(current));
}

enum setpay_error setpay_reconciliation_cut(struct setpay_db *db, const char *issuer,
                                            setpay_time_ms now_ms, int64_t *before)
{
    struct setpay_db_rows *rows;
    int64_t current, last = -1;
    SETPAY_TRY(setpay_reconciliation_period(db, issuer, &current));
    SETPAY_TRY(setpay_db_one(
        db, &rows, "SELECT COALESCE(MAX(period), -1) FROM reconciliation_cut WHERE issuer = $1",
        SETPAY_DB_TEXT(issuer)));
    SETPAY_TRY(one_number(rows, &last));
    if (last >= 0)
        SETPAY_TRY(insert_of_backups(db, issuer, last, current, now_ms));
    SETPAY_TRY(insert_cut(db, issuer, current, now_ms, false));
    *before = last;
    return SETPAY_OK;
}

/* When the issuer's last period ended; 0: none has. One that has ended in the future was cut by a
 * clock that was ahead, and must not keep the days up to then from being compared. */
#define LAST_CUT(issuer, now_ms)                                                                   \
    "COALESCE((SELECT MAX(cut_ms) FROM reconciliation_cut WHERE issuer = " issuer                  \
    " AND cut_ms <= " now_ms "), 0)"

enum setpay_error setpay_reconciliation_cut_daily(struct setpay_db *db, const char *issuer,
                                                  setpay_time_ms due_ms, setpay_time_ms now_ms,
                                                  bool *cut)
{
    struct setpay_db_rows *rows;
    int64_t last_ms = 0, before;
    *cut = false;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " LAST_CUT("$1", "$2"), SETPAY_DB_TEXT(issuer),
                             SETPAY_DB_INT(now_ms)));
    SETPAY_TRY(one_number(rows, &last_ms));
    if (last_ms >= due_ms)
        return SETPAY_OK;
    SETPAY_TRY(setpay_reconciliation_cut(db, issuer, now_ms, &before));
    *cut = true;
    return SETPAY_OK;
}

enum setpay_error setpay_reconciliation_is_due(struct setpay_db *db, const char *issuer,
                                               setpay_time_ms due_ms, setpay_time_ms now_ms,
                                               bool *due)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " LAST_CUT("$1", "$2") ", COALESCE(MIN(totalled), 0)"
                                                            " FROM reconciliation_cut"
                                                            " WHERE issuer = $1",
                             SETPAY_DB_TEXT(issuer), SETPAY_DB_INT(now_ms)));
    bool found = setpay_db_get_int(rows, 0) < due_ms || setpay_db_get_int(rows, 1) == 0;
    SETPAY_TRY(setpay_db_end(rows));
    *due = found;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ what a period comes to */

/* What the issuer has not answered yet of the period. */
static enum setpay_error count_unanswered(struct setpay_db *db, const char *issuer, int64_t period,
                                          int64_t *count)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT (SELECT COUNT(*) FROM payment WHERE sale_id IS NOT NULL AND issuer = $1"
        " AND period = $2 AND state = " SETPAY_SQL_ASKING ")"
        " + (SELECT COUNT(*) FROM presentment JOIN step ON step.id = step_id"
        " JOIN payment ON payment.id = step.payment_id WHERE presentment.period = $2"
        " AND payment.issuer = $1 AND acknowledged = 0)"
        " + (SELECT COUNT(*) FROM reversal JOIN payment ON payment.id = reversal.payment_id"
        " WHERE reversal.period = $2 AND payment.issuer = $1 AND acknowledged = 0)",
        SETPAY_DB_TEXT(issuer), SETPAY_DB_INT(period)));
    return one_number(rows, count);
}

/* Sales that were approved and not undone in the same period; presentments that were taken;
 * reversals of sales of an earlier period. Of a reversal that was written off the issuer knows
 * nothing. A credit is undone before it is presented, or not. */
#define TOTALS_SQL                                                                                 \
    "SELECT currency, SUM(kind = " SETPAY_SQL_CREDIT "), SUM(CASE kind WHEN " SETPAY_SQL_CREDIT    \
    " THEN minor ELSE 0 END), SUM(kind = " SETPAY_SQL_CAPTURE "),"                                 \
    " SUM(CASE kind WHEN " SETPAY_SQL_CAPTURE                                                      \
    " THEN minor ELSE 0 END), SUM(kind = " SETPAY_SQL_CAPTURE_REVERSAL "),"                        \
    " SUM(CASE kind WHEN " SETPAY_SQL_CAPTURE_REVERSAL " THEN minor ELSE 0 END) FROM ("            \
    "SELECT currency, " SETPAY_SQL_CAPTURE " AS kind, approved_minor AS minor FROM payment"        \
    " WHERE sale_id IS NOT NULL AND issuer = $1 AND period = $2 AND approved_minor > 0"            \
    " AND NOT EXISTS (SELECT 1 FROM reversal WHERE reversal.payment_id = payment.id"               \
    " AND reversal.period = payment.period AND write_off IS NULL)"                                 \
    " UNION ALL "                                                                                  \
    "SELECT currency, kind, step.amount_minor FROM presentment JOIN step ON step.id = step_id"     \
    " JOIN payment ON payment.id = step.payment_id WHERE presentment.period = $2"                  \
    " AND payment.issuer = $1 AND presentment.response_code IN ('00', '94')"                       \
    " UNION ALL "                                                                                  \
    "SELECT currency, " SETPAY_SQL_CAPTURE_REVERSAL ", reversal.amount_minor FROM reversal"        \
    " JOIN payment ON payment.id = reversal.payment_id WHERE reversal.period = $2"                 \
    " AND payment.issuer = $1 AND payment.period <> $2 AND approved_minor > 0"                     \
    " AND write_off IS NULL)"                                                                      \
    " GROUP BY currency ORDER BY currency"

struct period_row {
    char issuer[SETPAY_NETWORK_NAME_SIZE];
    int64_t period;
    setpay_time_ms cut_ms;
};

static enum setpay_error insert_totals(struct setpay_db *db, const struct period_row *row,
                                       const char *currency,
                                       const struct setpay_network_totals *totals)
{
    return setpay_db_run(
        db,
        "INSERT INTO reconciliation (issuer, period, currency, cut_ms, credit_count, credit_minor,"
        " debit_count, debit_minor, debit_reversal_count, debit_reversal_minor,"
        " credit_reversal_count, credit_reversal_minor)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        SETPAY_DB_TEXT(row->issuer), SETPAY_DB_INT(row->period), SETPAY_DB_TEXT(currency),
        SETPAY_DB_INT(row->cut_ms), SETPAY_DB_INT(totals->credit_count),
        SETPAY_DB_INT(totals->credit_minor), SETPAY_DB_INT(totals->debit_count),
        SETPAY_DB_INT(totals->debit_minor), SETPAY_DB_INT(totals->debit_reversal_count),
        SETPAY_DB_INT(totals->debit_reversal_minor), SETPAY_DB_INT(totals->credit_reversal_count),
        SETPAY_DB_INT(totals->credit_reversal_minor));
}

/* Of a period that a restore has ended, the next one begins with that: whatever it may have lost is
 * asked for, in every currency that there ever was with its issuer. */
static enum setpay_error insert_what_is_lost(struct setpay_db *db, const struct period_row *row)
{
    return setpay_db_run(
        db,
        "INSERT INTO reconciliation (issuer, period, currency, cut_ms, credit_count, credit_minor,"
        " debit_count, debit_minor, debit_reversal_count, debit_reversal_minor,"
        " credit_reversal_count, credit_reversal_minor)"
        " SELECT $1, $2, currency, $3, 0, 0, 0, 0, 0, 0, 0, 0 FROM"
        " (SELECT DISTINCT currency FROM payment WHERE issuer = $1) AS had"
        " WHERE EXISTS (SELECT 1 FROM restoration WHERE moved = 0 AND"
        " " SETPAY_RECONCILIATION_OF_RESTORE " = (SELECT MIN(period) FROM reconciliation_cut"
        " WHERE issuer = $1 AND period > $2))"
        " AND NOT EXISTS (SELECT 1 FROM reconciliation AS other WHERE other.issuer = $1"
        " AND other.period = $2 AND other.currency = had.currency) ORDER BY currency",
        SETPAY_DB_TEXT(row->issuer), SETPAY_DB_INT(row->period), SETPAY_DB_INT(row->cut_ms));
}

enum setpay_error setpay_reconciliation_sums(
    struct setpay_db *db, const char *issuer, int64_t period,
    struct setpay_reconciliation_sum sums[SETPAY_RECONCILIATION_CURRENCIES_MAX], size_t *count)
{
    struct setpay_db_rows *rows;
    *count = 0;
    SETPAY_TRY(
        setpay_db_select(db, &rows, TOTALS_SQL, SETPAY_DB_TEXT(issuer), SETPAY_DB_INT(period)));
    while (setpay_db_next(rows) && *count < SETPAY_RECONCILIATION_CURRENCIES_MAX) {
        struct setpay_reconciliation_sum *found = &sums[(*count)++];
        setpay_db_get_text(rows, 0, found->currency, sizeof found->currency);
        found->totals = (struct setpay_network_totals){
            .credit_count = setpay_db_get_int(rows, 1),
            .credit_minor = setpay_db_get_int(rows, 2),
            .debit_count = setpay_db_get_int(rows, 3),
            .debit_minor = setpay_db_get_int(rows, 4),
            .debit_reversal_count = setpay_db_get_int(rows, 5),
            .debit_reversal_minor = setpay_db_get_int(rows, 6),
        };
    }
    return setpay_db_end(rows);
}

static enum setpay_error total_period(struct setpay_db *db, const struct period_row *row)
{
    struct setpay_reconciliation_sum found[SETPAY_RECONCILIATION_CURRENCIES_MAX];
    size_t count = 0;
    SETPAY_TRY(setpay_reconciliation_sums(db, row->issuer, row->period, found, &count));
    for (size_t i = 0; i < count; i++)
        SETPAY_TRY(insert_totals(db, row, found[i].currency, &found[i].totals));
    SETPAY_TRY(insert_what_is_lost(db, row));
    return setpay_db_run(
        db, "UPDATE reconciliation_cut SET totalled = 1 WHERE issuer = $1 AND period = $2",
        SETPAY_DB_TEXT(row->issuer), SETPAY_DB_INT(row->period));
}

#define PORTION 256 /* those that wait for an answer are looked at again each time */

enum setpay_error setpay_reconciliation_total(struct setpay_db *db)
{
    struct period_row cuts[PORTION];
    struct setpay_db_rows *rows;
    size_t count = 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT issuer, period, cut_ms FROM reconciliation_cut"
                                " WHERE totalled = 0 ORDER BY cut_ms, issuer, period LIMIT $1",
                                SETPAY_DB_INT(PORTION)));
    while (setpay_db_next(rows)) {
        setpay_db_get_text(rows, 0, cuts[count].issuer, sizeof cuts[count].issuer);
        cuts[count].period = setpay_db_get_int(rows, 1);
        cuts[count].cut_ms = setpay_db_get_int(rows, 2);
        count++;
    }
    SETPAY_TRY(setpay_db_end(rows));
    for (size_t i = 0; i < count; i++) {
        int64_t unanswered = 0;
        SETPAY_TRY(count_unanswered(db, cuts[i].issuer, cuts[i].period, &unanswered));
        if (unanswered == 0)
            SETPAY_TRY(total_period(db, &cuts[i]));
    }
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ reconciliations */

#define COLUMNS                                                                                    \
    "id, issuer, period, currency, cut_ms, credit_count, credit_minor, credit_reversal_count,"     \
    " credit_reversal_minor, debit_count, debit_minor, debit_reversal_count,"                      \
    " debit_reversal_minor, their_credit_count, their_credit_minor,"                               \
    " their_credit_reversal_count, their_credit_reversal_minor, their_debit_count,"                \
    " their_debit_minor, their_debit_reversal_count, their_debit_reversal_minor, result,"          \
    " response_code, answered_ms"

static void read_totals(struct setpay_db_rows *rows, int column,
                        struct setpay_network_totals *totals)
{
    *totals = (struct setpay_network_totals){
        .credit_count = setpay_db_get_int(rows, column),
        .credit_minor = setpay_db_get_int(rows, column + 1),
        .credit_reversal_count = setpay_db_get_int(rows, column + 2),
        .credit_reversal_minor = setpay_db_get_int(rows, column + 3),
        .debit_count = setpay_db_get_int(rows, column + 4),
        .debit_minor = setpay_db_get_int(rows, column + 5),
        .debit_reversal_count = setpay_db_get_int(rows, column + 6),
        .debit_reversal_minor = setpay_db_get_int(rows, column + 7),
    };
}

static void read_row(struct setpay_db_rows *rows, struct setpay_reconciliation *found)
{
    memset(found, 0, sizeof *found);
    found->id = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, found->issuer, sizeof found->issuer);
    found->period = setpay_db_get_int(rows, 2);
    setpay_db_get_text(rows, 3, found->currency, sizeof found->currency);
    found->cut_ms = setpay_db_get_int(rows, 4);
    read_totals(rows, 5, &found->ours);
    read_totals(rows, 13, &found->theirs);
    found->result = (enum setpay_reconciliation_result)setpay_db_get_int(rows, 21);
    setpay_db_get_text(rows, 22, found->response_code, sizeof found->response_code);
    found->answered_ms = setpay_db_get_int(rows, 23);
}

enum setpay_error setpay_reconciliation_next(struct setpay_db *db, int64_t after_id,
                                             struct setpay_reconciliation *found)
{
    struct setpay_db_rows *rows;
    struct setpay_reconciliation got;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " COLUMNS
                             " FROM reconciliation WHERE result = " SETPAY_SQL_RECONCILIATION_OPEN
                             " AND id > $1 ORDER BY id LIMIT 1",
                             SETPAY_DB_INT(after_id)));
    read_row(rows, &got);
    SETPAY_TRY(setpay_db_end(rows));
    *found = got;
    return SETPAY_OK;
}

enum setpay_error setpay_reconciliation_answer(struct setpay_db *db,
                                               const struct setpay_reconciliation *answered,
                                               int64_t sent_count)
{
    const struct setpay_network_totals *theirs = &answered->theirs;
    return setpay_db_run(
        db,
        "UPDATE reconciliation SET result = $1, response_code = $2, answered_ms = $3,"
        " sent_count = sent_count + $4, their_credit_count = $5, their_credit_minor = $6,"
        " their_credit_reversal_count = $7, their_credit_reversal_minor = $8,"
        " their_debit_count = $9, their_debit_minor = $10, their_debit_reversal_count = $11,"
        " their_debit_reversal_minor = $12 WHERE id = $13"
        " AND result = " SETPAY_SQL_RECONCILIATION_OPEN,
        SETPAY_DB_INT(answered->result), SETPAY_DB_TEXT(answered->response_code),
        SETPAY_DB_INT(answered->answered_ms), SETPAY_DB_INT(sent_count),
        SETPAY_DB_INT(theirs->credit_count), SETPAY_DB_INT(theirs->credit_minor),
        SETPAY_DB_INT(theirs->credit_reversal_count), SETPAY_DB_INT(theirs->credit_reversal_minor),
        SETPAY_DB_INT(theirs->debit_count), SETPAY_DB_INT(theirs->debit_minor),
        SETPAY_DB_INT(theirs->debit_reversal_count), SETPAY_DB_INT(theirs->debit_reversal_minor),
        SETPAY_DB_INT(answered->id));
}

static enum setpay_error end_each(struct setpay_db_rows *rows, setpay_reconciliation_each_fn *each,
                                  void *arg)
{
    enum setpay_error error = SETPAY_OK;
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_reconciliation found;
        read_row(rows, &found);
        error = each(arg, &found);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_reconciliation_each_newest(struct setpay_db *db, const char *issuer,
                                                    int64_t limit,
                                                    setpay_reconciliation_each_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT " COLUMNS " FROM reconciliation WHERE issuer = $1"
                                " ORDER BY period DESC, currency LIMIT $2",
                                SETPAY_DB_TEXT(issuer), SETPAY_DB_INT(limit)));
    return end_each(rows, each, arg);
}

enum setpay_error setpay_reconciliation_of_period(struct setpay_db *db, const char *issuer,
                                                  int64_t period, bool *totalled,
                                                  setpay_reconciliation_each_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    int64_t found = 0;
    SETPAY_TRY(setpay_db_one(
        db, &rows, "SELECT totalled FROM reconciliation_cut WHERE issuer = $1 AND period = $2",
        SETPAY_DB_TEXT(issuer), SETPAY_DB_INT(period)));
    SETPAY_TRY(one_number(rows, &found));
    *totalled = found != 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT " COLUMNS " FROM reconciliation WHERE issuer = $1"
                                " AND period = $2 ORDER BY currency",
                                SETPAY_DB_TEXT(issuer), SETPAY_DB_INT(period)));
    return end_each(rows, each, arg);
}

enum setpay_error setpay_reconciliation_each_waiting(struct setpay_db *db, const char *issuer,
                                                     setpay_reconciliation_period_fn *each,
                                                     void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(
        setpay_db_select(db, &rows,
                         "SELECT period FROM reconciliation_cut WHERE issuer = $1 AND (totalled = 0"
                         " OR EXISTS (SELECT 1 FROM reconciliation WHERE reconciliation.issuer = $1"
                         " AND reconciliation.period = reconciliation_cut.period"
                         " AND result = " SETPAY_SQL_RECONCILIATION_OPEN ")) ORDER BY period",
                         SETPAY_DB_TEXT(issuer)));
    while (error == SETPAY_OK && setpay_db_next(rows))
        error = each(arg, issuer, setpay_db_get_int(rows, 0));
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}
