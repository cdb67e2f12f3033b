/*
 * Settlements of days to come, and what stands of a merchant's days.
 */
#include "gateway/clearing/ahead.h"

#include <string.h>

#define IS_STEPPED_OVER                                                                            \
    "EXISTS (SELECT 1 FROM settlement_stepped_over WHERE settlement_id = settlement.id)"
/* The days of all zones of one moment are three: an index has them. */
#define IS_AHEAD " FROM settlement WHERE day >= $1 AND cut_off_ms > $2"

/* From the last day backwards: what was stepped over, which is little, and then the one that
 * counts. */
enum setpay_error setpay_settled_so_far(struct setpay_db *db, const struct setpay_settlement *like,
                                        struct setpay_settled_so_far *so_far)
{
    struct setpay_db_rows *rows;
    struct setpay_settled_so_far found = {.carried_minor = 0};
    int64_t last_id = 0;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT id, day, cut_off_ms, carried_out_minor, " IS_STEPPED_OVER " FROM settlement"
        " WHERE brand = $1 AND merchant_id = $2 AND currency = $3 ORDER BY day DESC",
        SETPAY_DB_TEXT(like->brand), SETPAY_DB_TEXT(like->merchant_id),
        SETPAY_DB_TEXT(like->currency)));
    while (found.day[0] == '\0' && setpay_db_next(rows)) {
        char day[SETPAY_DATE_TEXT_SIZE];
        int64_t id = setpay_db_get_int(rows, 0);
        setpay_db_get_text(rows, 1, day, sizeof day);
        if (id > last_id) {
            last_id = id;
            found.carried_minor = setpay_db_get_int(rows, 3);
        }
        if (setpay_db_get_bool(rows, 4)) {
            found.is_taken = found.is_taken || strcmp(day, like->day) == 0;
            continue;
        }
        memcpy(found.day, day, sizeof found.day);
        found.cut_off_ms = setpay_db_get_int(rows, 2);
    }
    SETPAY_TRY(setpay_db_end(rows));
    *so_far = found;
    return SETPAY_OK;
}

/* No day that began earlier ends after now_ms. */
static void first_day(setpay_time_ms now_ms, char day[SETPAY_DATE_TEXT_SIZE])
{
    const struct setpay_date date = setpay_date_of_ms(now_ms - 2 * SETPAY_DAY_MS);
    (void)setpay_date_format(&date, day);
}

enum setpay_error setpay_settled_ahead(struct setpay_db *db, setpay_time_ms now_ms,
                                       struct setpay_settled_ahead *ahead)
{
    struct setpay_db_rows *rows;
    struct setpay_settled_ahead found;
    char first[SETPAY_DATE_TEXT_SIZE];
    first_day(now_ms, first);
    SETPAY_TRY(setpay_db_one(
        db, &rows, "SELECT COUNT(*), COALESCE(MAX(day), '')" IS_AHEAD " AND NOT " IS_STEPPED_OVER,
        SETPAY_DB_TEXT(first), SETPAY_DB_INT(now_ms)));
    found.count = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, found.day, sizeof found.day);
    SETPAY_TRY(setpay_db_end(rows));
    *ahead = found;
    return SETPAY_OK;
}

enum setpay_error setpay_settlement_step_over(struct setpay_db *db, const char *day,
                                              setpay_time_ms now_ms, const char *reason,
                                              int64_t *count)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT COUNT(*) FROM settlement WHERE day = $1 AND cut_off_ms > $2",
                             SETPAY_DB_TEXT(day), SETPAY_DB_INT(now_ms)));
    int64_t ahead = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    if (ahead == 0)
        return SETPAY_E_NOT_FOUND;
    SETPAY_TRY(setpay_db_run(db,
                             "INSERT INTO settlement_stepped_over"
                             " (settlement_id, reason, created_ms) SELECT id, $1, $2"
                             " FROM settlement WHERE day = $3 AND cut_off_ms > $4"
                             " AND NOT " IS_STEPPED_OVER,
                             SETPAY_DB_TEXT(reason), SETPAY_DB_INT(now_ms), SETPAY_DB_TEXT(day),
                             SETPAY_DB_INT(now_ms)));
    *count = setpay_db_changes(db);
    return SETPAY_OK;
}
