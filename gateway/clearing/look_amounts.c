/*
 * Looking at amounts before anything is added up. Somebody who edits the database may write any
 * number into an amount: also one with which a sum goes beyond what a number holds, so that the
 * database ends the query, and the whole look with it. Such a row is a finding by itself; what
 * would add it up is left out, and all else is looked at as ever.
 */
#include "gateway/clearing/look.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX 15
#define SQL_SIZE 4096 /* about 180 for a column */

/* words: the row, as a column of text. With what many payments come to, the limit is another. */
static const struct {
    enum setpay_look_table bit;
    const char *table, *words;
    int64_t limit;
    const char *columns[COLUMNS_MAX + 1];
} tables[] = {
    {SETPAY_LOOK_STEPS,
     "step",
     "'step ' || lower(hex(token))",
     SETPAY_MONEY_MAX_MINOR,
     {"amount_minor", "interchange_minor", "fee_minor", "credited_minor", "disputed_minor"}},
    {SETPAY_LOOK_PAYMENTS,
     "payment",
     "'payment ' || id",
     SETPAY_MONEY_MAX_MINOR,
     {"amount_minor", "signed_minor", "approved_minor", "reversed_minor", "captured_minor",
      "credited_minor", "released_minor"}},
    {SETPAY_LOOK_SETTLEMENTS,
     "settlement",
     "'settlement ' || id",
     SETPAY_LOOK_DAY_MAX_MINOR,
     {"capture_minor", "credit_minor", "fee_minor", "refused_minor", "carried_in_minor",
      "payout_minor", "carried_out_minor", "disputed_minor", "returned_minor", "cleared_minor",
      "held_minor", "released_minor", "reserve_ppm", "repaid_minor"}},
    {SETPAY_LOOK_ADJUSTMENTS,
     "adjustment",
     "'adjustment ' || id",
     SETPAY_LOOK_DAY_MAX_MINOR, /* a payout that came back is of a day */
     {"amount_minor"}},
    {SETPAY_LOOK_DISPUTES, "dispute", "'dispute ' || id", SETPAY_MONEY_MAX_MINOR, {"amount_minor"}},
    {SETPAY_LOOK_RESERVE,
     "reserve",
     "'reserve ' || id",
     SETPAY_LOOK_DAY_MAX_MINOR,
     {"amount_minor"}},
    {SETPAY_LOOK_PAID,
     "issuer_payment",
     "issuer || ' ' || reference",
     SETPAY_MONEY_MAX_MINOR,
     {"amount_minor", "matched_minor"}},
    {SETPAY_LOOK_CLEARINGS,
     "suspense_clearing",
     "'clearing ' || id",
     SETPAY_MONEY_MAX_MINOR,
     {"amount_minor", "interchange_minor", "fee_minor", "loss_minor"}},
    {SETPAY_LOOK_POSTINGS,
     "ledger_posting",
     "'entry ' || entry || ', line ' || line",
     SETPAY_LOOK_DAY_MAX_MINOR,
     {"amount_minor"}},
    {SETPAY_LOOK_BALANCES,
     "ledger_balance",
     "'account ' || account || ', ' || brand || ' ' || merchant_id || ', ' || currency",
     SETPAY_LOOK_DAY_MAX_MINOR,
     {"amount_minor"}},
    {SETPAY_LOOK_REVERSALS,
     "reversal",
     "'reversal ' || id",
     SETPAY_MONEY_MAX_MINOR,
     {"amount_minor", "remaining_minor"}},
    {SETPAY_LOOK_TAKEN,
     "issuer_taken",
     "issuer || ', ' || currency",
     SETPAY_LOOK_DAY_MAX_MINOR,
     {"minor"}},
    {SETPAY_LOOK_STAND_INS,
     "stand_in",
     "'advice ' || id",
     SETPAY_MONEY_MAX_MINOR,
     {"amount_minor"}},
    {SETPAY_LOOK_PAYOUT_FILES,
     "payout_file",
     "'payout file ' || id",
     SETPAY_LOOK_DAY_MAX_MINOR,
     {"amount_minor"}},
};

bool setpay_look_is_amount(int64_t minor)
{
    return minor >= -SETPAY_LOOK_DAY_MAX_MINOR && minor <= SETPAY_LOOK_DAY_MAX_MINOR;
}

bool setpay_look_adds_up(const struct setpay_look *look, unsigned of)
{
    return (look->off & of) == 0;
}

SETPAY_PRINTF(2, 3)
static void add(char sql[SQL_SIZE], const char *format, ...)
{
    size_t at = strlen(sql);
    va_list list;
    va_start(list, format);
    (void)vsnprintf(sql + at, SQL_SIZE - at, format, list);
    va_end(list);
}

/* "SELECT words || ': ' || CASE … END FROM table WHERE …": the first column that is off. */
static void make_query(size_t index, char sql[SQL_SIZE])
{
    long long limit = (long long)tables[index].limit;
    sql[0] = '\0';
    add(sql, "SELECT %s || ': ' || CASE", tables[index].words);
    for (size_t i = 0; tables[index].columns[i] != NULL; i++) {
        const char *column = tables[index].columns[i];
        add(sql, " WHEN %s NOT BETWEEN -%lld AND %lld THEN '%s of ' || %s", column, limit, limit,
            column, column);
    }
    add(sql, " END FROM %s WHERE 0", tables[index].table);
    for (size_t i = 0; tables[index].columns[i] != NULL; i++)
        add(sql, " OR %s NOT BETWEEN -%lld AND %lld", tables[index].columns[i], limit, limit);
}

enum setpay_error setpay_look_amounts(struct setpay_look *look)
{
    char sql[SQL_SIZE];
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        size_t before = look->findings;
        make_query(i, sql);
        SETPAY_TRY(setpay_look_each_row(look, sql, "an amount is outside of what it can be:"));
        if (look->findings > before)
            look->off |= tables[i].bit;
    }
    return SETPAY_OK;
}
