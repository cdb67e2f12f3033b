/*
 * Looking through the reserve: each row with the settlement that held it back and the one that gave
 * it back, on its day and not before or after.
 */
#include "gateway/clearing/look.h"
#include "gateway/clearing/reserve.h"
#include "gateway/clearing/sql_names.h"

#include <string.h>

/* ------------------------------------------------------------------ entries */

static enum setpay_error expect(struct setpay_db *db, const struct setpay_id *event, bool releases,
                                struct setpay_look_expected *expected)
{
    struct setpay_ledger_entry *entry = &expected->entry;
    struct setpay_id settlement;
    char due_day[SETPAY_DATE_TEXT_SIZE];
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT reserve.brand, reserve.merchant_id, reserve.currency, reserve.amount_minor,"
        " settlement.token, due_day, CASE $1 WHEN 0 THEN settlement.created_ms ELSE"
        " COALESCE((SELECT releasing.created_ms FROM settlement AS releasing"
        " WHERE releasing.id = released_by), 0) END FROM reserve JOIN settlement ON settlement.id "
        "= settlement_id"
        " WHERE ($2 = 0 AND reserve.token = $3) OR ($4 = 1 AND release = $5)",
        SETPAY_DB_BOOL(releases), SETPAY_DB_BOOL(releases), SETPAY_DB_ID(event),
        SETPAY_DB_BOOL(releases), SETPAY_DB_ID(event)));
    setpay_db_get_text(rows, 0, entry->brand, sizeof entry->brand);
    setpay_db_get_text(rows, 1, entry->merchant_id, sizeof entry->merchant_id);
    setpay_db_get_text(rows, 2, entry->currency, sizeof entry->currency);
    int64_t amount_minor = setpay_db_get_int(rows, 3);
    setpay_db_get_id(rows, 4, &settlement);
    setpay_db_get_text(rows, 5, due_day, sizeof due_day);
    entry->time_ms = setpay_db_get_int(rows, 6);
    SETPAY_TRY(setpay_db_end(rows));
    if (!setpay_look_is_amount(amount_minor)) /* it would not be posted at all */
        amount_minor = 0;
    if (releases) {
        setpay_reserve_release_post(amount_minor, entry);
        return setpay_reserve_release_token(&settlement, &expected->token);
    }
    setpay_reserve_post(amount_minor, entry);
    return setpay_reserve_token(&settlement, due_day, &expected->token);
}

enum setpay_error setpay_look_expect_reserve(struct setpay_db *db, const struct setpay_id *event,
                                             struct setpay_look_expected *expected)
{
    return expect(db, event, false, expected);
}

enum setpay_error setpay_look_expect_release(struct setpay_db *db, const struct setpay_id *event,
                                             struct setpay_look_expected *expected)
{
    return expect(db, event, true, expected);
}

/* ------------------------------------------------------------------ rows */

/* The day on which each is due, from the day and the days of its settlement. */
static enum setpay_error check_days(struct setpay_look *look)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(
        setpay_db_select(look->db, &rows,
                         "SELECT reserve.id, day, reserve_days, due_day FROM reserve"
                         " JOIN settlement ON settlement.id = settlement_id ORDER BY reserve.id"));
    while (setpay_db_next(rows)) {
        char day[SETPAY_DATE_TEXT_SIZE], due[SETPAY_DATE_TEXT_SIZE];
        char expected[SETPAY_DATE_TEXT_SIZE] = "?";
        long long id = (long long)setpay_db_get_int(rows, 0);
        setpay_db_get_text(rows, 1, day, sizeof day);
        int64_t days = setpay_db_get_int(rows, 2);
        setpay_db_get_text(rows, 3, due, sizeof due);
        if (days < 0 || days > SETPAY_RESERVE_DAYS_MAX ||
            setpay_reserve_due_day(day, days, expected) != SETPAY_OK || strcmp(due, expected) != 0)
            setpay_look_find(look, "reserve %lld is due %s, expected %s", id, due, expected);
    }
    return setpay_db_end(rows);
}

#define RESERVE_WORDS "'reserve ' || reserve.id || ', settlement ' || reserve.settlement_id"
#define SAME_MERCHANT                                                                              \
    " settlement.brand = reserve.brand AND settlement.merchant_id = reserve.merchant_id"           \
    " AND settlement.currency = reserve.currency"

static enum setpay_error check_held(struct setpay_look *look)
{
    if (setpay_look_adds_up(look, SETPAY_LOOK_RESERVE))
        SETPAY_TRY(setpay_look_each_row(
            look,
            "SELECT '' || id || ': ' || held_minor FROM settlement WHERE held_minor <>"
            " (SELECT COALESCE(SUM(amount_minor), 0) FROM reserve WHERE settlement_id = "
            "settlement.id)"
            " ORDER BY id",
            "what it holds back is not in the reserve: settlement"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " RESERVE_WORDS " FROM reserve WHERE amount_minor <= 0 OR NOT EXISTS"
        " (SELECT 1 FROM settlement WHERE settlement.id = settlement_id AND" SAME_MERCHANT
        ") ORDER BY reserve.id",
        "held back by no settlement of that merchant and currency:"));
    return setpay_look_each_row(look,
                                "SELECT " RESERVE_WORDS " FROM reserve WHERE NOT EXISTS"
                                " (SELECT 1 FROM ledger_entry WHERE event = reserve.token"
                                " AND kind = " SETPAY_SQL_LEDGER_RESERVE ") ORDER BY id",
                                "not in the ledger:");
}

static enum setpay_error check_released(struct setpay_look *look)
{
    if (setpay_look_adds_up(look, SETPAY_LOOK_RESERVE))
        SETPAY_TRY(setpay_look_each_row(
            look,
            "SELECT '' || id || ': ' || released_minor FROM settlement WHERE released_minor <>"
            " (SELECT COALESCE(SUM(amount_minor), 0) FROM reserve WHERE released_by = "
            "settlement.id)"
            " ORDER BY id",
            "what it gives back did not come out of the reserve: settlement"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " RESERVE_WORDS " FROM reserve WHERE released_by <> 0 AND NOT EXISTS"
        " (SELECT 1 FROM settlement WHERE settlement.id = released_by AND day >= due_day"
        " AND" SAME_MERCHANT ") ORDER BY reserve.id",
        "given back before its day, or to another:"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " RESERVE_WORDS " FROM reserve WHERE EXISTS (SELECT 1 FROM settlement"
        " WHERE day >= due_day AND settlement.id > reserve.settlement_id AND" SAME_MERCHANT
        " AND (released_by = 0 OR settlement.id < released_by)) ORDER BY reserve.id",
        "not given back on its day:"));
    return setpay_look_each_row(look,
                                "SELECT " RESERVE_WORDS
                                " FROM reserve WHERE (released_by <> 0) <> (release IS NOT NULL)"
                                " OR (released_by <> 0 AND NOT EXISTS"
                                " (SELECT 1 FROM ledger_entry WHERE event = release"
                                " AND kind = " SETPAY_SQL_LEDGER_RESERVE_RELEASE ")) ORDER BY id",
                                "not in the ledger: the release of");
}

enum setpay_error setpay_look_reserve(struct setpay_look *look)
{
    SETPAY_TRY(check_days(look));
    SETPAY_TRY(check_held(look));
    return check_released(look);
}
