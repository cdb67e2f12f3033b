/*
 * Looking through reconciliations: the periods of each issuer follow each other, what each came to
 * is added up again from sales, presentments and reversals, and what its issuer answered leads to
 * the result that is kept.
 */
#include "gateway/clearing/incoming.h"
#include "gateway/clearing/look.h"
#include "gateway/clearing/reconciliation.h"
#include "gateway/clearing/sql_names.h"

#include <string.h>

#define PERIOD_WORDS(table) table ".issuer || ', period ' || " table ".period"
#define ROW_WORDS PERIOD_WORDS("reconciliation") " || ', ' || reconciliation.currency"

/* ------------------------------------------------------------------ periods */

/* All that an issuer was to book in a period, and the periods of sales that it did not approve. */
#define ITEMS                                                                                      \
    "(SELECT issuer, payment.period AS period FROM payment WHERE payment.period <> 0"              \
    " UNION SELECT issuer, presentment.period FROM presentment JOIN step ON step.id = step_id"     \
    " JOIN payment ON payment.id = step.payment_id WHERE presentment.period <> 0"                  \
    " UNION SELECT issuer, reversal.period FROM reversal"                                          \
    " JOIN payment ON payment.id = reversal.payment_id WHERE reversal.period <> 0) AS item"

/* A restore leaves a gap before the period that begins with it (reconciliation.h). */
static enum setpay_error check_periods(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " PERIOD_WORDS(
            "cut") " FROM reconciliation_cut AS cut WHERE period <> 0"
                   " AND NOT EXISTS (SELECT 1 FROM reconciliation_cut AS before WHERE"
                   " before.issuer = cut.issuer AND before.period = cut.period - 1) AND NOT EXISTS"
                   " (SELECT 1 FROM restoration WHERE moved = 0 AND cut.period ="
                   " " SETPAY_RECONCILIATION_OF_RESTORE ") ORDER BY issuer, period",
        "the period before it was never ended:"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " PERIOD_WORDS(
            "item") " FROM " ITEMS " WHERE period <"
                    " (SELECT MAX(period) FROM reconciliation_cut WHERE issuer = item.issuer) AND "
                    "NOT EXISTS"
                    " (SELECT 1 FROM reconciliation_cut AS cut WHERE cut.issuer = item.issuer"
                    " AND cut.period = item.period) ORDER BY issuer, period",
        "something was sent in a period that was never ended:"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " PERIOD_WORDS(
            "item") " FROM " ITEMS " WHERE issuer <> '' AND NOT EXISTS"
                    " (SELECT 1 FROM reconciliation_cut AS cut WHERE cut.issuer = item.issuer"
                    " AND cut.period = 0) ORDER BY issuer, period",
        "something was sent to an issuer that the gateway never had:"));
    return setpay_look_each_row(
        look,
        "SELECT " PERIOD_WORDS("item") " FROM " ITEMS " WHERE period >"
                                       " " SETPAY_RECONCILIATION_PERIOD_OF(
                                           "item.issuer") " ORDER BY issuer, period",
        "something was sent in a period that has not begun:");
}

/* ------------------------------------------------------------------ their sums */

struct cut {
    char issuer[SETPAY_NETWORK_NAME_SIZE];
    int64_t period;
};

static enum setpay_error look_up(struct setpay_db *db, const struct cut *cut, const char *currency,
                                 struct setpay_network_totals *ours)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT credit_count, credit_minor, credit_reversal_count, credit_reversal_minor,"
        " debit_count, debit_minor, debit_reversal_count, debit_reversal_minor"
        " FROM reconciliation WHERE issuer = $1 AND period = $2 AND currency = $3",
        SETPAY_DB_TEXT(cut->issuer), SETPAY_DB_INT(cut->period), SETPAY_DB_TEXT(currency)));
    *ours = (struct setpay_network_totals){
        .credit_count = setpay_db_get_int(rows, 0),
        .credit_minor = setpay_db_get_int(rows, 1),
        .credit_reversal_count = setpay_db_get_int(rows, 2),
        .credit_reversal_minor = setpay_db_get_int(rows, 3),
        .debit_count = setpay_db_get_int(rows, 4),
        .debit_minor = setpay_db_get_int(rows, 5),
        .debit_reversal_count = setpay_db_get_int(rows, 6),
        .debit_reversal_minor = setpay_db_get_int(rows, 7),
    };
    return setpay_db_end(rows);
}

static enum setpay_error check_sums(struct setpay_look *look, const struct cut *cut)
{
    struct setpay_reconciliation_sum sums[SETPAY_RECONCILIATION_CURRENCIES_MAX];
    size_t count = 0;
    if (!setpay_look_adds_up(look,
                             SETPAY_LOOK_STEPS | SETPAY_LOOK_PAYMENTS | SETPAY_LOOK_REVERSALS))
        return SETPAY_OK;
    SETPAY_TRY(setpay_reconciliation_sums(look->db, cut->issuer, cut->period, sums, &count));
    for (size_t i = 0; i < count; i++) {
        struct setpay_network_totals ours;
        enum setpay_error error = look_up(look->db, cut, sums[i].currency, &ours);
        if (error == SETPAY_E_NOT_FOUND) {
            setpay_look_find(look, "never compared with its issuer: %s, period %lld, %s",
                             cut->issuer, (long long)cut->period, sums[i].currency);
            continue;
        }
        SETPAY_TRY(error);
        if (!setpay_network_totals_equal(&ours, &sums[i].totals))
            setpay_look_find(
                look,
                "%s, period %lld, %s: its totals say %lld charged (%lld) and %lld credited (%lld), "
                "less %lld (%lld), its items come to %lld (%lld) and %lld (%lld), less %lld (%lld)",
                cut->issuer, (long long)cut->period, sums[i].currency, (long long)ours.debit_minor,
                (long long)ours.debit_count, (long long)ours.credit_minor,
                (long long)ours.credit_count, (long long)ours.debit_reversal_minor,
                (long long)ours.debit_reversal_count, (long long)sums[i].totals.debit_minor,
                (long long)sums[i].totals.debit_count, (long long)sums[i].totals.credit_minor,
                (long long)sums[i].totals.credit_count,
                (long long)sums[i].totals.debit_reversal_minor,
                (long long)sums[i].totals.debit_reversal_count);
    }
    return SETPAY_OK;
}

/* Rows of a currency in which there was nothing: after a restore it is asked for all the same. */
#define IS_SOMETHING                                                                               \
    "(credit_count <> 0 OR credit_minor <> 0 OR debit_count <> 0 OR debit_minor <> 0"              \
    " OR debit_reversal_count <> 0 OR debit_reversal_minor <> 0)"

static enum setpay_error check_rows(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " ROW_WORDS " FROM reconciliation WHERE NOT EXISTS (SELECT 1 FROM"
        " reconciliation_cut AS cut WHERE cut.issuer = reconciliation.issuer"
        " AND cut.period = reconciliation.period AND cut.cut_ms = reconciliation.cut_ms"
        " AND cut.totalled = 1) ORDER BY id",
        "compared, and its period was not ended and added up at that time:"));
    return setpay_look_each_row(
        look,
        "SELECT " ROW_WORDS " FROM reconciliation WHERE credit_reversal_count <> 0"
        " OR credit_reversal_minor <> 0 OR (" IS_SOMETHING " AND NOT EXISTS (SELECT 1 FROM payment"
        " WHERE payment.issuer = reconciliation.issuer AND payment.currency ="
        " reconciliation.currency)) OR (NOT " IS_SOMETHING " AND NOT EXISTS (SELECT 1 FROM"
        " restoration WHERE moved = 0)) ORDER BY id",
        "compared, and nothing was sent of it:");
}

/* ------------------------------------------------------------------ what was taken */

static enum setpay_error check_taken(struct setpay_look *look)
{
    if (!setpay_look_adds_up(look, SETPAY_LOOK_STEPS | SETPAY_LOOK_TAKEN))
        return SETPAY_OK;
    return setpay_look_each_row(
        look,
        "SELECT issuer || ', ' || currency || ': ' || SUM(kept) || ', expected ' || SUM(expected)"
        " FROM (SELECT issuer, currency, minor AS kept, 0 AS expected FROM issuer_taken"
        " UNION ALL SELECT payment.issuer, currency, 0, " SETPAY_INCOMING_TAKEN_MINOR
        " FROM presentment JOIN step ON step.id = step_id"
        " JOIN payment ON payment.id = step.payment_id WHERE " SETPAY_INCOMING_IS_TAKEN(
            "") ")"
                " GROUP BY issuer, currency HAVING TOTAL(kept) <> TOTAL(expected)",
        "what an issuer has taken is kept as something else:");
}

/* ------------------------------------------------------------------ what was answered */

/* Results: 0 open, 1 in balance, 2 out of balance, 3 refused (network/reconcile.c). */
#define THEY_SAY_NOTHING                                                                           \
    "their_credit_count = 0 AND their_credit_minor = 0 AND their_credit_reversal_count = 0"        \
    " AND their_credit_reversal_minor = 0 AND their_debit_count = 0 AND their_debit_minor = 0"     \
    " AND their_debit_reversal_count = 0 AND their_debit_reversal_minor = 0"
#define THEY_AGREE                                                                                 \
    "(their_credit_count = credit_count AND their_credit_minor = credit_minor"                     \
    " AND their_credit_reversal_count = credit_reversal_count"                                     \
    " AND their_credit_reversal_minor = credit_reversal_minor"                                     \
    " AND their_debit_count = debit_count AND their_debit_minor = debit_minor"                     \
    " AND their_debit_reversal_count = debit_reversal_count"                                       \
    " AND their_debit_reversal_minor = debit_reversal_minor)"

static enum setpay_error check_answers(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " ROW_WORDS " FROM reconciliation WHERE (result = " SETPAY_SQL_RECONCILIATION_OPEN
        ") <> (answered_ms = 0)"
        " OR (result <> " SETPAY_SQL_RECONCILIATION_OPEN
        ") <> (sent_count > 0) OR (result = " SETPAY_SQL_RECONCILIATION_OPEN
        ") <> (response_code = '')"
        " ORDER BY id",
        "answered at no time, or at a time and not answered:"));
    return setpay_look_each_row(
        look,
        "SELECT " ROW_WORDS " || ', ' || CASE result WHEN " SETPAY_SQL_RECONCILIATION_OPEN
        " THEN 'open' WHEN " SETPAY_SQL_RECONCILIATION_IN_BALANCE " THEN 'in balance'"
        " WHEN " SETPAY_SQL_RECONCILIATION_OUT_OF_BALANCE
        " THEN 'out of balance' ELSE 'refused' END FROM reconciliation"
        " WHERE NOT CASE result WHEN " SETPAY_SQL_RECONCILIATION_OPEN " THEN " THEY_SAY_NOTHING
        " WHEN " SETPAY_SQL_RECONCILIATION_IN_BALANCE " THEN " THEY_AGREE
        " AND response_code = '00' WHEN " SETPAY_SQL_RECONCILIATION_OUT_OF_BALANCE
        " THEN (NOT " THEY_AGREE " AND response_code = '00')"
        " OR response_code = '95' WHEN " SETPAY_SQL_RECONCILIATION_REFUSED " THEN " THEY_SAY_NOTHING
        " AND response_code NOT IN ('00', '95') ELSE 0 END ORDER BY id",
        "what its issuer answered comes to another result:");
}

enum setpay_error setpay_look_reconciliations(struct setpay_look *look)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(check_periods(look));
    SETPAY_TRY(setpay_db_select(look->db, &rows,
                                "SELECT issuer, period FROM reconciliation_cut"
                                " WHERE totalled = 1 AND period <> 0 ORDER BY issuer, period"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct cut cut = {.period = setpay_db_get_int(rows, 1)};
        setpay_db_get_text(rows, 0, cut.issuer, sizeof cut.issuer);
        error = check_sums(look, &cut);
    }
    enum setpay_error end = setpay_db_end(rows);
    if (error == SETPAY_OK)
        error = end;
    SETPAY_TRY(error);
    SETPAY_TRY(check_rows(look));
    SETPAY_TRY(check_taken(look));
    return check_answers(look);
}
