/*
 * Rows of what counts in which period (settled.h). No row is ever deleted.
 */
#include "gateway/issuer/settled.h"

enum setpay_error setpay_settled_add(struct setpay_db *db, const struct setpay_account_key *key,
                                     int64_t period, enum setpay_settled_kind kind,
                                     const struct setpay_money *amount)
{
    return setpay_db_run(
        db,
        "INSERT INTO card_settled (acquirer, period, currency, kind, amount_minor, stan, sent,"
        " undone) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
        SETPAY_DB_TEXT(key->acquirer), SETPAY_DB_INT(period), SETPAY_DB_TEXT(amount->currency),
        SETPAY_DB_INT(kind), SETPAY_DB_INT(amount->minor), SETPAY_DB_INT(key->stan),
        SETPAY_DB_TEXT(key->sent));
}

/* The sale that stands. SETPAY_E_NOT_FOUND. */
static enum setpay_error find_sale(struct setpay_db *db, const struct setpay_account_key *key,
                                   int64_t *period, struct setpay_money *amount)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT period, currency, amount_minor FROM card_settled"
                             " WHERE acquirer = $1 AND stan = $2 AND sent = $3 AND kind = 1"
                             " AND undone = 0",
                             SETPAY_DB_TEXT(key->acquirer), SETPAY_DB_INT(key->stan),
                             SETPAY_DB_TEXT(key->sent)));
    *period = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, amount->currency, sizeof(amount->currency));
    amount->minor = setpay_db_get_int(rows, 2);
    return setpay_db_end(rows);
}

enum setpay_error setpay_settled_undo_sale(struct setpay_db *db,
                                           const struct setpay_account_key *key, int64_t period)
{
    struct setpay_money amount;
    int64_t sold;
    enum setpay_error error = find_sale(db, key, &sold, &amount);
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE card_settled SET undone = 1, kind = $1"
        " WHERE acquirer = $2 AND stan = $3 AND sent = $4 AND kind = 1",
        SETPAY_DB_INT(sold == period ? SETPAY_SETTLED_NOTHING : SETPAY_SETTLED_SALE),
        SETPAY_DB_TEXT(key->acquirer), SETPAY_DB_INT(key->stan), SETPAY_DB_TEXT(key->sent)));
    return sold == period
               ? SETPAY_OK
               : setpay_settled_add(db, key, period, SETPAY_SETTLED_SALE_REVERSAL, &amount);
}

enum setpay_error setpay_settled_totals(struct setpay_db *db, const char *acquirer, int64_t period,
                                        const char *currency, struct setpay_network_totals *totals)
{
    struct setpay_db_rows *rows;
    struct setpay_network_totals got = {0};
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT kind, COUNT(*), CAST(SUM(amount_minor) AS BIGINT) FROM card_settled"
        " WHERE acquirer = $1 AND period = $2 AND currency = $3 GROUP BY kind",
        SETPAY_DB_TEXT(acquirer), SETPAY_DB_INT(period), SETPAY_DB_TEXT(currency)));
    while (setpay_db_next(rows)) {
        int64_t count = setpay_db_get_int(rows, 1);
        int64_t minor = setpay_db_get_int(rows, 2);
        switch ((enum setpay_settled_kind)setpay_db_get_int(rows, 0)) {
        case SETPAY_SETTLED_SALE:
        case SETPAY_SETTLED_CHARGE:
            got.debit_count += count;
            got.debit_minor += minor;
            break;
        case SETPAY_SETTLED_CREDIT:
            got.credit_count += count;
            got.credit_minor += minor;
            break;
        case SETPAY_SETTLED_SALE_REVERSAL:
            got.debit_reversal_count += count;
            got.debit_reversal_minor += minor;
            break;
        case SETPAY_SETTLED_NOTHING:
            break;
        }
    }
    SETPAY_TRY(setpay_db_end(rows));
    *totals = got;
    return SETPAY_OK;
}
