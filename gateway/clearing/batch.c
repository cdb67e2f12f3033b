/*
 * The rows of batches.
 */
#include "gateway/clearing/batch.h"

#include "common/base/limits.h"
#include "gateway/clearing/reconciliation.h"
#include "gateway/clearing/sql_names.h"

#include <stdio.h>
#include <string.h>

/* The merchant's batch that number or ORDER picks; SETPAY_E_NOT_FOUND. */
static enum setpay_error end_batch(struct setpay_db_rows *rows, const char *brand,
                                   const char *merchant_id, struct setpay_batch *batch)
{
    struct setpay_batch found = {.id = 0};
    (void)snprintf(found.brand, sizeof found.brand, "%s", brand);
    (void)snprintf(found.merchant_id, sizeof found.merchant_id, "%s", merchant_id);
    found.id = setpay_db_get_int(rows, 0);
    found.number = (uint32_t)setpay_db_get_int(rows, 1);
    found.open = setpay_db_get_bool(rows, 2);
    found.opened_ms = setpay_db_get_int(rows, 3);
    found.closed_ms = setpay_db_get_int(rows, 4);
    found.step_count = setpay_db_get_int(rows, 5);
    SETPAY_TRY(setpay_db_end(rows));
    *batch = found;
    return SETPAY_OK;
}

enum setpay_error setpay_batch_find(struct setpay_db *db, const char *brand,
                                    const char *merchant_id, uint32_t number,
                                    struct setpay_batch *batch)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT id, number, open, opened_ms, closed_ms, step_count FROM batch"
                             " WHERE brand = $1 AND merchant_id = $2 AND number = $3",
                             SETPAY_DB_TEXT(brand), SETPAY_DB_TEXT(merchant_id),
                             SETPAY_DB_INT(number)));
    return end_batch(rows, brand, merchant_id, batch);
}

static enum setpay_error find_last(struct setpay_db *db, const char *brand, const char *merchant_id,
                                   struct setpay_batch *batch)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT id, number, open, opened_ms, closed_ms, step_count FROM batch"
                             " WHERE brand = $1 AND merchant_id = $2"
                             " ORDER BY number DESC LIMIT 1",
                             SETPAY_DB_TEXT(brand), SETPAY_DB_TEXT(merchant_id)));
    return end_batch(rows, brand, merchant_id, batch);
}

enum setpay_error setpay_batch_find_open(struct setpay_db *db, const char *brand,
                                         const char *merchant_id, setpay_time_ms now_ms,
                                         struct setpay_batch *batch)
{
    struct setpay_batch last = {.number = 0};
    enum setpay_error error = find_last(db, brand, merchant_id, &last);
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    if (!last.open || last.step_count >= SETPAY_LIMIT_BATCH_STEPS) {
        uint32_t number = last.number + 1;
        last = (struct setpay_batch){.number = number, .open = true, .opened_ms = now_ms};
        (void)snprintf(last.brand, sizeof last.brand, "%s", brand);
        (void)snprintf(last.merchant_id, sizeof last.merchant_id, "%s", merchant_id);
    }
    *batch = last;
    return SETPAY_OK;
}

/* More steps are in it. */
static enum setpay_error count_steps(struct setpay_db *db, const struct setpay_batch *batch,
                                     size_t steps)
{
    SETPAY_TRY(setpay_db_run(
        db, "UPDATE batch SET step_count = step_count + $1 WHERE id = $2 AND open = 1",
        SETPAY_DB_INT((int64_t)steps), SETPAY_DB_INT(batch->id)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_CONFLICT;
}

enum setpay_error setpay_batch_use(struct setpay_db *db, struct setpay_batch *batch, size_t steps)
{
    if (batch->id != 0)
        return count_steps(db, batch, steps);
    enum setpay_error error = setpay_db_insert(
        db, &batch->id,
        "INSERT INTO batch (brand, merchant_id, number, open, opened_ms, closed_ms, step_count)"
        " VALUES ($1, $2, $3, 1, $4, 0, $5) RETURNING id",
        SETPAY_DB_TEXT(batch->brand), SETPAY_DB_TEXT(batch->merchant_id),
        SETPAY_DB_INT(batch->number), SETPAY_DB_INT(batch->opened_ms),
        SETPAY_DB_INT((int64_t)steps));
    return error == SETPAY_E_DUPLICATE ? SETPAY_E_CONFLICT : error;
}

/* ------------------------------------------------------------------ what is in it */

/* Reversals are not in a batch, they take out of it. */
enum setpay_error setpay_batch_totals(struct setpay_db *db, int64_t batch_id,
                                      struct setpay_batch_total *totals, size_t *count)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    size_t found = 0;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT currency, SUM(kind = " SETPAY_SQL_CAPTURE
        "), SUM(CASE kind WHEN " SETPAY_SQL_CAPTURE " THEN step.amount_minor ELSE 0 END),"
        " SUM(kind = " SETPAY_SQL_CREDIT "), SUM(CASE kind WHEN " SETPAY_SQL_CREDIT
        " THEN step.amount_minor ELSE 0 END) FROM step"
        " JOIN payment ON payment.id = step.payment_id"
        " WHERE batch_id = $1 AND undone = 0 AND kind IN " SETPAY_SQL_ITEMS " GROUP BY currency"
        " ORDER BY currency",
        SETPAY_DB_INT(batch_id)));
    while (setpay_db_next(rows)) {
        if (found == SETPAY_LIMIT_CURRENCIES) {
            error = SETPAY_E_TOO_BIG;
            break;
        }
        struct setpay_batch_total *total = &totals[found++];
        setpay_db_get_text(rows, 0, total->currency, sizeof total->currency);
        total->capture_count = (uint32_t)setpay_db_get_int(rows, 1);
        total->capture_minor = setpay_db_get_int(rows, 2);
        total->credit_count = (uint32_t)setpay_db_get_int(rows, 3);
        total->credit_minor = setpay_db_get_int(rows, 4);
    }
    enum setpay_error end = setpay_db_end(rows);
    *count = found;
    return error != SETPAY_OK ? error : end;
}

static enum setpay_error find_after(struct setpay_db *db, int64_t batch_id,
                                    const struct setpay_id *after, int64_t *id)
{
    struct setpay_db_rows *rows;
    *id = 0;
    if (after == NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT id FROM step WHERE token = $1 AND batch_id = $2",
                             SETPAY_DB_ID(after), SETPAY_DB_INT(batch_id)));
    *id = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static void read_item(struct setpay_db_rows *rows, struct setpay_batch_item *item)
{
    memset(item, 0, sizeof *item);
    item->kind = (enum setpay_batch_item_kind)setpay_db_get_int(rows, 0);
    setpay_db_get_id(rows, 1, &item->xid);
    setpay_db_get_id(rows, 2, &item->id);
    item->amount.minor = setpay_db_get_int(rows, 3);
    setpay_db_get_text(rows, 4, item->amount.currency, sizeof item->amount.currency);
    item->date_ms = setpay_db_get_int(rows, 5);
}

enum setpay_error setpay_batch_items(struct setpay_db *db, int64_t batch_id,
                                     const struct setpay_id *after, struct setpay_batch_item *items,
                                     size_t *count, bool *more)
{
    struct setpay_db_rows *rows;
    int64_t after_id;
    *count = 0;
    *more = false;
    SETPAY_TRY(find_after(db, batch_id, after, &after_id));
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT kind, xid, token, step.amount_minor, currency, step.created_ms FROM step"
        " JOIN payment ON payment.id = step.payment_id"
        " WHERE batch_id = $1 AND undone = 0 AND kind IN " SETPAY_SQL_ITEMS " AND step.id > $2"
        " ORDER BY step.id LIMIT $3",
        SETPAY_DB_INT(batch_id), SETPAY_DB_INT(after_id),
        SETPAY_DB_INT(SETPAY_LIMIT_BATCH_ITEMS + 1)));
    while (setpay_db_next(rows)) {
        *more = *count == SETPAY_LIMIT_BATCH_ITEMS;
        if (!*more)
            read_item(rows, &items[(*count)++]);
    }
    return setpay_db_end(rows);
}

bool setpay_batch_agrees(const struct setpay_batch_total *a, size_t a_count,
                         const struct setpay_batch_total *b, size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++) {
        if (strcmp(a[i].currency, b[i].currency) != 0 || a[i].capture_count != b[i].capture_count ||
            a[i].capture_minor != b[i].capture_minor || a[i].credit_count != b[i].credit_count ||
            a[i].credit_minor != b[i].credit_minor)
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ its end */

/* What a sale captured was presented with it (0200): the issuer has taken it. It counts in the
 * period of the sale, not here. One that was approved in the issuer's stead has none. */
#define IS_SALE                                                                                    \
    "payment.sale_id IS NOT NULL AND payment.period > 0 AND payment.sale_id = step.token"

enum setpay_error setpay_batch_close(struct setpay_db *db, const struct setpay_batch *batch,
                                     bool by_merchant, setpay_time_ms now_ms)
{
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE batch SET open = 0, closed_ms = $1, by_merchant = $2"
                             " WHERE id = $3 AND open = 1",
                             SETPAY_DB_INT(now_ms), SETPAY_DB_BOOL(by_merchant),
                             SETPAY_DB_INT(batch->id)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_CONFLICT;
    return setpay_db_run(
        db,
        "INSERT INTO presentment (step_id, batch_id, acknowledged, response_code,"
        " sent_count, created_ms, acknowledged_ms, period)"
        " SELECT step.id, batch_id, CASE WHEN " IS_SALE " THEN 1 ELSE 0 END,"
        " CASE WHEN " IS_SALE " THEN '00' ELSE '' END, 0, $1,"
        " CASE WHEN " IS_SALE " THEN step.created_ms ELSE 0 END,"
        " CASE WHEN " IS_SALE " THEN 0 ELSE " SETPAY_RECONCILIATION_PERIOD_OF(
            "payment.issuer") " END FROM step JOIN payment ON payment.id = step.payment_id"
                              " WHERE batch_id = $2 AND undone = 0 AND kind IN " SETPAY_SQL_ITEMS
                              " ORDER BY "
                              "step.id",
        SETPAY_DB_INT(now_ms), SETPAY_DB_INT(batch->id));
}
