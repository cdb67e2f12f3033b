/*
 * Looking through the times of batches and presentments, which no entry is of: a batch is closed
 * behind its newest step, presented at that moment, and answered between that and its settlement.
 * A clock may be a little off, and may have been set in between; requests are refused by one that
 * is further off (SETPAY_LIMIT_DATE_TOLERANCE_MS).
 */
#include "common/base/limits.h"
#include "gateway/clearing/look.h"

#include <stdio.h>

/* Of what the merchant asked for before, and of the clock's own: milliseconds. */
#define SLACK_MS (2 * SETPAY_LIMIT_DATE_TOLERANCE_MS)

#define BATCH_WORDS                                                                                \
    "brand || ' ' || merchant_id || ', number ' || batch.number || ', closed ' || closed_ms"
#define ITEM_WORDS "'presentment ' || presentment.id || ', step ' || lower(hex(step.token))"
#define ITEMS " FROM presentment JOIN step ON step.id = presentment.step_id"
#define ANSWERED " AND presentment.acknowledged <> 0"
/* What a sale captured was presented with it: its 0200 was all that was sent. One that was approved
 * in its issuer's stead (period 0) is presented as any capture. */
#define IS_SALE                                                                                    \
    "(sent_count = 0 AND EXISTS (SELECT 1 FROM payment WHERE payment.id = step.payment_id"         \
    " AND payment.period > 0 AND payment.sale_id = step.token))"

/* As setpay_look_each_row, with one number. */
static enum setpay_error each_row(struct setpay_look *look, const char *sql, int64_t number,
                                  const char *words)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(look->db, &rows, sql, SETPAY_DB_INT(number)));
    while (setpay_db_next(rows)) {
        char what[160];
        setpay_db_get_text(rows, 0, what, sizeof what);
        setpay_look_find(look, "%s %s", words, what);
    }
    return setpay_db_end(rows);
}

static enum setpay_error check_batches(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT " BATCH_WORDS " FROM batch"
                                    " WHERE (open <> 0) <> (closed_ms = 0) ORDER BY id",
                                    "neither open nor closed: batch"));
    SETPAY_TRY(each_row(look,
                        "SELECT " BATCH_WORDS " FROM batch WHERE open = 0 AND closed_ms + $1 <"
                        " (SELECT MAX(created_ms) FROM step WHERE batch_id = batch.id) ORDER BY id",
                        SLACK_MS, "closed before the newest of its steps was done: batch"));
    return setpay_look_each_row(look,
                                "SELECT " ITEM_WORDS ITEMS
                                " JOIN batch ON batch.id = presentment.batch_id"
                                " WHERE presentment.created_ms <> closed_ms"
                                " ORDER BY presentment.id",
                                "presented at another time than its batch was closed:");
}

enum setpay_error setpay_look_dates(struct setpay_look *look)
{
    SETPAY_TRY(check_batches(look));
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT " ITEM_WORDS ITEMS " WHERE (presentment.acknowledged"
                                    " <> 0) <> (acknowledged_ms <> 0) ORDER BY presentment.id",
                                    "answered at no time, or at a time and not answered:"));
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT " ITEM_WORDS ITEMS " WHERE " IS_SALE ANSWERED
                                    " AND acknowledged_ms <> step.created_ms"
                                    " ORDER BY presentment.id",
                                    "answered at another time than its sale:"));
    SETPAY_TRY(each_row(look,
                        "SELECT " ITEM_WORDS ITEMS " WHERE acknowledged_ms + $1 <"
                        " presentment.created_ms AND NOT " IS_SALE ANSWERED
                        " ORDER BY presentment.id",
                        SLACK_MS, "answered before it was presented:"));
    return each_row(look,
                    "SELECT " ITEM_WORDS ITEMS
                    " JOIN settlement ON settlement.id = presentment.settlement_id"
                    " WHERE acknowledged_ms > settlement.created_ms + $1 ORDER BY presentment.id",
                    SLACK_MS, "answered after it was settled:");
}
