/*
 * Holding back and giving back: one row for each settlement that held something back, one entry of
 * the ledger for either, in the operation of the settlement that does it.
 */
#include "gateway/clearing/reserve.h"

#include "common/crypto/hash.h"
#include "gateway/clearing/look.h"

#include <string.h>

/* ------------------------------------------------------------------ pure */

enum setpay_error setpay_reserve_due_day(const char *day, int64_t days,
                                         char due[SETPAY_DATE_TEXT_SIZE])
{
    struct setpay_date date;
    SETPAY_TRY(setpay_date_parse(day, &date));
    date = setpay_date_add_days(&date, (int)days);
    (void)setpay_date_format(&date, due);
    return SETPAY_OK;
}

enum setpay_error setpay_reserve_token(const struct setpay_id *settlement, const char *due_day,
                                       struct setpay_id *token)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "reserve");
    setpay_hash_add(&state, setpay_id_view(settlement));
    setpay_hash_add(&state, setpay_view_string(due_day));
    return setpay_ledger_end_event(&state, token);
}

enum setpay_error setpay_reserve_release_token(const struct setpay_id *settlement,
                                               struct setpay_id *token)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "reserve release");
    setpay_hash_add(&state, setpay_id_view(settlement));
    return setpay_ledger_end_event(&state, token);
}

void setpay_reserve_post(int64_t amount_minor, struct setpay_ledger_entry *entry)
{
    setpay_ledger_post_two(SETPAY_LEDGER_RESERVE, SETPAY_ACCOUNT_MERCHANT_PAYABLE,
                           SETPAY_ACCOUNT_RESERVE, amount_minor, entry);
}

void setpay_reserve_release_post(int64_t amount_minor, struct setpay_ledger_entry *entry)
{
    setpay_ledger_post_two(SETPAY_LEDGER_RESERVE_RELEASE, SETPAY_ACCOUNT_RESERVE,
                           SETPAY_ACCOUNT_MERCHANT_PAYABLE, amount_minor, entry);
}

/* ------------------------------------------------------------------ giving back */

/* What is due of a merchant and currency by a day; its placeholders are $1 to $4. */
#define DUE                                                                                        \
    " FROM reserve WHERE brand = $1 AND merchant_id = $2 AND currency = $3 AND released_by = 0"    \
    " AND due_day <= $4"

enum setpay_error setpay_reserve_due(struct setpay_db *db,
                                     const struct setpay_settlement *settlement, int64_t *minor)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(
        setpay_db_one(db, &rows, "SELECT COALESCE(SUM(amount_minor), 0)" DUE,
                      SETPAY_DB_TEXT(settlement->brand), SETPAY_DB_TEXT(settlement->merchant_id),
                      SETPAY_DB_TEXT(settlement->currency), SETPAY_DB_TEXT(settlement->day)));
    int64_t due = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    *minor = due;
    return SETPAY_OK;
}

static void entry_of(const struct setpay_settlement *settlement, struct setpay_ledger_entry *entry)
{
    *entry = (struct setpay_ledger_entry){.time_ms = settlement->created_ms};
    memcpy(entry->brand, settlement->brand, sizeof entry->brand);
    memcpy(entry->merchant_id, settlement->merchant_id, sizeof entry->merchant_id);
    memcpy(entry->currency, settlement->currency, sizeof entry->currency);
}

static enum setpay_error release_one(struct setpay_db *db,
                                     const struct setpay_settlement *settlement, int64_t id,
                                     const struct setpay_id *held_by, int64_t amount_minor)
{
    struct setpay_ledger_entry entry;
    entry_of(settlement, &entry);
    SETPAY_TRY(setpay_reserve_release_token(held_by, &entry.event));
    setpay_reserve_release_post(amount_minor, &entry);
    SETPAY_TRY(setpay_ledger_append(db, &entry));
    return setpay_db_run(db, "UPDATE reserve SET released_by = $1, release = $2 WHERE id = $3",
                         SETPAY_DB_INT(settlement->id), SETPAY_DB_ID(&entry.event),
                         SETPAY_DB_INT(id));
}

enum setpay_error setpay_reserve_release(struct setpay_db *db,
                                         const struct setpay_settlement *settlement)
{
    int64_t released_minor = 0;
    for (;;) { /* a row that is being read must not be changed */
        struct setpay_db_rows *rows;
        struct setpay_id held_by;
        enum setpay_error error = setpay_db_one(
            db, &rows,
            "SELECT id, amount_minor,"
            " (SELECT token FROM settlement WHERE settlement.id = settlement_id)" DUE
            " ORDER BY due_day, id LIMIT 1",
            SETPAY_DB_TEXT(settlement->brand), SETPAY_DB_TEXT(settlement->merchant_id),
            SETPAY_DB_TEXT(settlement->currency), SETPAY_DB_TEXT(settlement->day));
        if (error == SETPAY_E_NOT_FOUND)
            return released_minor == settlement->released_minor ? SETPAY_OK : SETPAY_E_INTERNAL;
        SETPAY_TRY(error);
        int64_t id = setpay_db_get_int(rows, 0);
        int64_t amount_minor = setpay_db_get_int(rows, 1);
        setpay_db_get_id(rows, 2, &held_by);
        SETPAY_TRY(setpay_db_end(rows));
        SETPAY_TRY(release_one(db, settlement, id, &held_by, amount_minor));
        released_minor += amount_minor;
    }
}

/* ------------------------------------------------------------------ holding back */

enum setpay_error setpay_reserve_hold(struct setpay_db *db,
                                      const struct setpay_settlement *settlement)
{
    struct setpay_ledger_entry entry;
    char due_day[SETPAY_DATE_TEXT_SIZE];
    if (settlement->held_minor == 0)
        return SETPAY_OK;
    entry_of(settlement, &entry);
    SETPAY_TRY(setpay_reserve_due_day(settlement->day, settlement->reserve_days, due_day));
    SETPAY_TRY(setpay_reserve_token(&settlement->token, due_day, &entry.event));
    setpay_reserve_post(settlement->held_minor, &entry);
    SETPAY_TRY(setpay_ledger_append(db, &entry));
    return setpay_db_run(
        db,
        "INSERT INTO reserve (token, settlement_id, brand, merchant_id, currency, amount_minor,"
        " due_day, released_by) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
        SETPAY_DB_ID(&entry.event), SETPAY_DB_INT(settlement->id),
        SETPAY_DB_TEXT(settlement->brand), SETPAY_DB_TEXT(settlement->merchant_id),
        SETPAY_DB_TEXT(settlement->currency), SETPAY_DB_INT(settlement->held_minor),
        SETPAY_DB_TEXT(due_day));
}
