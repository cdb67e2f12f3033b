/*
 * The rows of reversals. None is open while an advice of its payment is unanswered: its issuer
 * knows of nothing that could be reversed. Nor will it ever, where that was written off: what is
 * reversed then was given up with it, from the beginning.
 */
#include "gateway/payment/payment.h"
#include "gateway/payment/stand_in.h"

enum setpay_error setpay_gateway_reversal_insert(struct setpay_db *db,
                                                 struct setpay_gateway_reversal *reversal)
{
    SETPAY_TRY(setpay_db_insert(
        db, &reversal->id,
        "INSERT INTO reversal (payment_id, partial, amount_minor, remaining_minor, acknowledged,"
        " response_code, sent_count, created_ms, acknowledged_ms, advice, period)"
        " SELECT $1, $2, $3, $4, COUNT(*), CASE COUNT(*) WHEN 0 THEN '' ELSE"
        " '" SETPAY_STAND_IN_WRITTEN_OFF "' END, 0, $5, $5 * COUNT(*), $6, $7 FROM stand_in"
        " WHERE payment_id = $1 AND response_code = '" SETPAY_STAND_IN_WRITTEN_OFF "' RETURNING id",
        SETPAY_DB_INT(reversal->payment_id), SETPAY_DB_BOOL(reversal->partial),
        SETPAY_DB_INT(reversal->amount_minor), SETPAY_DB_INT(reversal->remaining_minor),
        SETPAY_DB_INT(reversal->created_ms), SETPAY_DB_BOOL(reversal->advice),
        SETPAY_DB_INT(reversal->period)));
    /* Its version is the decision's, and the operation has moved it on. */
    return setpay_db_run(db, "UPDATE payment SET reversal_count = reversal_count + 1 WHERE id = $1",
                         SETPAY_DB_INT(reversal->payment_id));
}

enum setpay_error setpay_gateway_reversal_acknowledge(struct setpay_db *db, int64_t id,
                                                      const char *response_code, int64_t sent_count,
                                                      setpay_time_ms now_ms)
{
    return setpay_db_run(db,
                         "UPDATE reversal SET acknowledged = 1, response_code = $1,"
                         " sent_count = sent_count + $2, acknowledged_ms = $3"
                         " WHERE id = $4 AND acknowledged = 0",
                         SETPAY_DB_TEXT(response_code), SETPAY_DB_INT(sent_count),
                         SETPAY_DB_INT(now_ms), SETPAY_DB_INT(id));
}

#define REVERSAL_COLUMNS                                                                           \
    "id, payment_id, partial, amount_minor, remaining_minor, sent_count, created_ms, advice, "     \
    "period"

static void read_reversal(struct setpay_db_rows *rows, struct setpay_gateway_reversal *reversal)
{
    *reversal = (struct setpay_gateway_reversal){
        .id = setpay_db_get_int(rows, 0),
        .payment_id = setpay_db_get_int(rows, 1),
        .partial = setpay_db_get_bool(rows, 2),
        .amount_minor = setpay_db_get_int(rows, 3),
        .remaining_minor = setpay_db_get_int(rows, 4),
        .sent_count = setpay_db_get_int(rows, 5),
        .created_ms = setpay_db_get_int(rows, 6),
        .advice = setpay_db_get_bool(rows, 7),
        .period = setpay_db_get_int(rows, 8),
    };
}

enum setpay_error setpay_gateway_reversal_first_open(struct setpay_db *db, int64_t payment_id,
                                                     struct setpay_gateway_reversal *reversal)
{
    struct setpay_db_rows *rows;
    struct setpay_gateway_reversal found;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT " REVERSAL_COLUMNS " FROM reversal"
        " WHERE payment_id = $1 AND acknowledged = 0"
        " AND NOT " SETPAY_STAND_IN_IS_OPEN("reversal.payment_id") " ORDER BY id LIMIT 1",
        SETPAY_DB_INT(payment_id)));
    read_reversal(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    *reversal = found;
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_reversal_each_open(struct setpay_db *db, int64_t after_id,
                                                    setpay_gateway_reversal_each_fn *each,
                                                    void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT " REVERSAL_COLUMNS " FROM reversal WHERE acknowledged = 0 AND id > $1"
        " AND NOT " SETPAY_STAND_IN_IS_OPEN("reversal.payment_id") " ORDER BY id",
        SETPAY_DB_INT(after_id)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_gateway_reversal reversal;
        read_reversal(rows, &reversal);
        error = each(arg, &reversal);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}
