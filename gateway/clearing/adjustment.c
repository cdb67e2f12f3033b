/*
 * The rows of adjustments.
 */
#include "gateway/clearing/adjustment.h"

const char *setpay_adjustment_kind_name(enum setpay_adjustment_kind kind)
{
    static const char *const names[] = {
        [SETPAY_ADJUSTMENT_DISPUTED] = "disputed",
        [SETPAY_ADJUSTMENT_RETURNED] = "returned",
        [SETPAY_ADJUSTMENT_CLEARED] = "cleared",
        [SETPAY_ADJUSTMENT_REPAID] = "repaid",
    };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : NULL;
}

int64_t setpay_adjustment_net(const struct setpay_adjustment_sums *sums)
{
    return sums->returned_minor - sums->disputed_minor + sums->cleared_minor + sums->repaid_minor;
}

int64_t setpay_adjustment_count(const struct setpay_adjustment_sums *sums)
{
    return sums->disputed_count + sums->returned_count + sums->cleared_count + sums->repaid_count;
}

enum setpay_error setpay_adjustment_insert(struct setpay_db *db, const struct setpay_adjustment *a)
{
    return setpay_db_run(
        db,
        "INSERT INTO adjustment (token, kind, source_id, brand, merchant_id, currency,"
        " amount_minor, created_ms, settlement_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
        SETPAY_DB_ID(&a->token), SETPAY_DB_INT(a->kind), SETPAY_DB_INT(a->source_id),
        SETPAY_DB_TEXT(a->brand), SETPAY_DB_TEXT(a->merchant_id), SETPAY_DB_TEXT(a->currency),
        SETPAY_DB_INT(a->amount_minor), SETPAY_DB_INT(a->created_ms));
}

/* Ends the query of kinds, with how many there are and what they come to. */
static enum setpay_error end_sums(struct setpay_db_rows *rows, struct setpay_adjustment_sums *sums)
{
    struct setpay_adjustment_sums s = {0};
    while (setpay_db_next(rows)) {
        int64_t count = setpay_db_get_int(rows, 1), minor = setpay_db_get_int(rows, 2);
        switch ((enum setpay_adjustment_kind)setpay_db_get_int(rows, 0)) {
        case SETPAY_ADJUSTMENT_DISPUTED:
            s.disputed_count = count;
            s.disputed_minor = -minor;
            break;
        case SETPAY_ADJUSTMENT_RETURNED:
            s.returned_count = count;
            s.returned_minor = minor;
            break;
        case SETPAY_ADJUSTMENT_CLEARED:
            s.cleared_count = count;
            s.cleared_minor = minor;
            break;
        case SETPAY_ADJUSTMENT_REPAID:
            s.repaid_count = count;
            s.repaid_minor = minor;
            break;
        }
    }
    SETPAY_TRY(setpay_db_end(rows));
    *sums = s;
    return SETPAY_OK;
}

enum setpay_error setpay_adjustment_sums_of(struct setpay_db *db, int64_t settlement,
                                            struct setpay_adjustment_sums *sums)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT kind, COUNT(*), SUM(amount_minor) FROM adjustment"
                                " WHERE settlement_id = $1 GROUP BY kind",
                                SETPAY_DB_INT(settlement)));
    return end_sums(rows, sums);
}

enum setpay_error setpay_adjustment_waiting(struct setpay_db *db,
                                            const struct setpay_adjustment *like,
                                            setpay_time_ms cut_off_ms,
                                            struct setpay_adjustment_sums *sums)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT kind, COUNT(*), SUM(amount_minor) FROM adjustment"
                                " WHERE brand = $1 AND merchant_id = $2 AND currency = $3"
                                " AND settlement_id = 0 AND created_ms <= $4 GROUP BY kind",
                                SETPAY_DB_TEXT(like->brand), SETPAY_DB_TEXT(like->merchant_id),
                                SETPAY_DB_TEXT(like->currency), SETPAY_DB_INT(cut_off_ms)));
    return end_sums(rows, sums);
}

enum setpay_error setpay_adjustment_settle(struct setpay_db *db,
                                           const struct setpay_adjustment *like,
                                           setpay_time_ms cut_off_ms, int64_t settlement,
                                           const struct setpay_adjustment_sums *sums)
{
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE adjustment SET settlement_id = $1 WHERE brand = $2"
                             " AND merchant_id = $3 AND currency = $4 AND settlement_id = 0"
                             " AND created_ms <= $5",
                             SETPAY_DB_INT(settlement), SETPAY_DB_TEXT(like->brand),
                             SETPAY_DB_TEXT(like->merchant_id), SETPAY_DB_TEXT(like->currency),
                             SETPAY_DB_INT(cut_off_ms)));
    return setpay_db_changes(db) == setpay_adjustment_count(sums) ? SETPAY_OK : SETPAY_E_INTERNAL;
}
