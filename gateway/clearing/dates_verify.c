/*
 * Looking through the times of batches and presentments, which no entry is of: a batch is closed
 * behind its newest step, presented at that moment, and answered between that and its settlement.
 * A clock may be a little off, and may have been set in between; requests are refused by one that
 * is further off (SETPAY_LIMIT_DATE_TOLERANCE_MS).
 */
#include "gateway/clearing/look.h"

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

static enum setpay_error check_batches(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT " BATCH_WORDS " FROM batch"
                                    " WHERE (open <> 0) <> (closed_ms = 0) ORDER BY id",
                                    "neither open nor closed: batch"));
    SETPAY_TRY(setpay_look_each_row_by(
        look,
        "SELECT " BATCH_WORDS " FROM batch WHERE open = 0 AND closed_ms + $1 <"
        " (SELECT MAX(created_ms) FROM step WHERE batch_id = batch.id) ORDER BY id",
        SETPAY_LOOK_SLACK_MS, "closed before the newest of its steps was done: batch"));
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
    SETPAY_TRY(setpay_look_each_row_by(look,
                                       "SELECT " ITEM_WORDS ITEMS " WHERE acknowledged_ms + $1 <"
                                       " presentment.created_ms AND NOT " IS_SALE ANSWERED
                                       " ORDER BY presentment.id",
                                       SETPAY_LOOK_SLACK_MS, "answered before it was presented:"));
    return setpay_look_each_row_by(
        look,
        "SELECT " ITEM_WORDS ITEMS " JOIN settlement ON settlement.id = presentment.settlement_id"
        " WHERE acknowledged_ms > settlement.created_ms + $1 ORDER BY presentment.id",
        SETPAY_LOOK_SLACK_MS, "answered after it was settled:");
}
