/*
 * A balance is changed in one place (change), by an entry or a hold, in the transaction of both.
 */
#include "gateway/issuer/balances.h"

#include <stddef.h>
#include <string.h>

#define EXPIRE_MAX 256

enum setpay_error setpay_balance_find(struct setpay_db *db, const char *account,
                                      const char *currency, setpay_time_ms now,
                                      struct setpay_balance *balance)
{
    struct setpay_db_rows *rows;
    struct setpay_balance got = {.closed = false};
    setpay_time_ms midnight = now - now % SETPAY_DAY_MS;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT CASE a.state WHEN 'closed' THEN 1 ELSE 0 END, a.limited,"
        " COALESCE(b.booked_minor, 0), COALESCE(b.held_minor, 0),"
        " COALESCE(b.available_minor, 0), COALESCE(b.purchase_limit_minor, -1),"
        " COALESCE(b.daily_limit_minor, -1),"
        /* A day is added up for the sake of a daily limit alone. */
        " CASE WHEN b.daily_limit_minor IS NULL THEN 0 ELSE"
        " CAST(COALESCE((SELECT SUM(z.authorised_minor) FROM card_authorisation z"
        " WHERE z.account = a.name AND z.currency = $1 AND z.booked_ms >= $2), 0) AS BIGINT) END"
        " FROM account a LEFT JOIN account_balance b ON b.account = a.name AND b.currency = $1"
        " WHERE a.name = $3",
        SETPAY_DB_TEXT(currency), SETPAY_DB_INT(midnight), SETPAY_DB_TEXT(account)));
    got.closed = setpay_db_get_bool(rows, 0);
    got.limited = setpay_db_get_bool(rows, 1);
    got.booked_minor = setpay_db_get_int(rows, 2);
    got.held_minor = setpay_db_get_int(rows, 3);
    got.available_minor = setpay_db_get_int(rows, 4);
    got.purchase_limit_minor = setpay_db_get_int(rows, 5);
    got.daily_limit_minor = setpay_db_get_int(rows, 6);
    got.spent_today_minor = setpay_db_get_int(rows, 7);
    SETPAY_TRY(setpay_db_end(rows));
    *balance = got;
    return SETPAY_OK;
}

static enum setpay_error change(struct setpay_db *db, const char *account, const char *currency,
                                int64_t booked_minor, int64_t held_minor)
{
    return setpay_db_run(db,
                         "INSERT INTO account_balance (account, currency, booked_minor, held_minor,"
                         " available_minor) VALUES ($1, $2, $3, $4, $5)"
                         " ON CONFLICT (account, currency) DO UPDATE SET"
                         " booked_minor = account_balance.booked_minor + $3,"
                         " held_minor = account_balance.held_minor + $4,"
                         " available_minor = account_balance.available_minor + $5",
                         SETPAY_DB_TEXT(account), SETPAY_DB_TEXT(currency),
                         SETPAY_DB_INT(booked_minor), SETPAY_DB_INT(held_minor),
                         SETPAY_DB_INT(booked_minor - held_minor));
}

enum setpay_error setpay_balance_hold(struct setpay_db *db, const char *account,
                                      const char *currency, int64_t held_minor)
{
    return change(db, account, currency, 0, held_minor);
}

enum setpay_error setpay_balance_post(struct setpay_db *db,
                                      const struct setpay_balance_entry *entry, int64_t held_minor)
{
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO account_entry (number, account, currency, kind, amount_minor, presentment,"
        " dispute, booked_ms) SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5, $6, $7"
        " FROM account_entry",
        SETPAY_DB_TEXT(entry->account), SETPAY_DB_TEXT(entry->currency),
        SETPAY_DB_TEXT(entry->kind), SETPAY_DB_INT(entry->amount_minor),
        SETPAY_DB_INT(entry->presentment), SETPAY_DB_INT(entry->dispute),
        SETPAY_DB_INT(entry->now)));
    return change(db, entry->account, entry->currency, entry->amount_minor, held_minor);
}

/* ------------------------------------------------------------------ ends of holds */

struct ended {
    int64_t id;
    int64_t held_minor;
    char account[64];
    char currency[4];
};

static enum setpay_error end_hold(struct setpay_db *db, const struct ended *hold)
{
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE card_authorisation SET held_minor = 0, state ="
                             " CASE WHEN presented_minor > 0 THEN 'cleared' ELSE 'expired' END"
                             " WHERE id = $1",
                             SETPAY_DB_INT(hold->id)));
    return change(db, hold->account, hold->currency, 0, -hold->held_minor);
}

enum setpay_error setpay_balance_expire(struct setpay_db *db, const char *account,
                                        setpay_time_ms now, int max, int *count)
{
    struct setpay_db_rows *rows;
    struct ended ended[EXPIRE_MAX];
    int found = 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT id, held_minor, account, currency FROM card_authorisation"
                                " WHERE state = 'held' AND hold_end_ms <= $1"
                                " AND ($2 = '' OR account = $2) ORDER BY hold_end_ms, id LIMIT $3",
                                SETPAY_DB_INT(now), SETPAY_DB_TEXT(account),
                                SETPAY_DB_INT(max < EXPIRE_MAX ? max : EXPIRE_MAX)));
    for (; found < EXPIRE_MAX && setpay_db_next(rows); found++) {
        ended[found].id = setpay_db_get_int(rows, 0);
        ended[found].held_minor = setpay_db_get_int(rows, 1);
        setpay_db_get_text(rows, 2, ended[found].account, sizeof(ended[found].account));
        setpay_db_get_text(rows, 3, ended[found].currency, sizeof(ended[found].currency));
    }
    SETPAY_TRY(setpay_db_end(rows));
    for (int i = 0; i < found; i++)
        SETPAY_TRY(end_hold(db, &ended[i]));
    if (count != NULL)
        *count = found;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ an operator's changes */

static enum setpay_error set_available(struct setpay_db *db,
                                       const struct setpay_balance_change *wanted)
{
    struct setpay_balance balance;
    SETPAY_TRY(setpay_balance_find(db, wanted->account, wanted->available.currency, wanted->now,
                                   &balance));
    const struct setpay_balance_entry entry = {
        .account = wanted->account,
        .currency = wanted->available.currency,
        .kind = "adjustment",
        .amount_minor = wanted->available.minor - balance.available_minor,
        .now = wanted->now,
    };
    if (entry.amount_minor == 0)
        return SETPAY_OK;
    return setpay_balance_post(db, &entry, 0);
}

static enum setpay_error set_limit(struct setpay_db *db, const char *account,
                                   const struct setpay_money *limit, bool daily)
{
    if (limit == NULL)
        return SETPAY_OK;
    SETPAY_TRY(change(db, account, limit->currency, 0, 0));
    return setpay_db_run(db,
                         daily ? "UPDATE account_balance SET daily_limit_minor = $1"
                                 " WHERE account = $2 AND currency = $3"
                               : "UPDATE account_balance SET purchase_limit_minor = $1"
                                 " WHERE account = $2 AND currency = $3",
                         limit->minor == 0 ? SETPAY_DB_NULL() : SETPAY_DB_INT(limit->minor),
                         SETPAY_DB_TEXT(account), SETPAY_DB_TEXT(limit->currency));
}

enum setpay_error setpay_balance_change(struct setpay_db *db,
                                        const struct setpay_balance_change *wanted)
{
    /* Money that is set is money that can run out. */
    const char *limited =
        wanted->limited == NULL && wanted->sets_available ? "yes" : wanted->limited;
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE account SET state = COALESCE($1, state),"
                             " limited = COALESCE($2, limited) WHERE name = $3",
                             SETPAY_DB_TEXT(wanted->state),
                             limited == NULL ? SETPAY_DB_NULL()
                                             : SETPAY_DB_BOOL(strcmp(limited, "yes") == 0),
                             SETPAY_DB_TEXT(wanted->account)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_NOT_FOUND;
    if (wanted->sets_available)
        SETPAY_TRY(set_available(db, wanted));
    SETPAY_TRY(set_limit(db, wanted->account, wanted->purchase_limit, false));
    return set_limit(db, wanted->account, wanted->daily_limit, true);
}
