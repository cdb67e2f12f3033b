/*
 * The rows of presentments, and of sales without one, with what they are of; and sales that came to
 * nothing.
 */
#include "gateway/clearing/items.h"

#include "gateway/clearing/incoming.h"
#include "gateway/clearing/settlement.h"

#include <stdlib.h>

/* A sale's capture bears the sale's id. It was presented when it was asked for, and answered when
 * it was booked: around midnight its issuer may have it in the file of either day. One that was
 * approved in the issuer's stead is presented as any other capture. */
#define IS_SALE                                                                                    \
    "(payment.sale_id IS NOT NULL AND payment.period > 0 AND payment.sale_id = step.token)"
#define COLUMNS                                                                                    \
    " step.token, payment.xid, payment.brand, payment.merchant_id, kind, " IS_SALE                 \
    ", step.amount_minor, payment.currency, fee_minor, batch.number, payment.issuer,"
#define TABLES                                                                                     \
    " JOIN payment ON payment.id = step.payment_id JOIN batch ON batch.id = step.batch_id"
#define PRESENTED                                                                                  \
    "SELECT presentment.id," COLUMNS " settlement_id, acknowledged, response_code,"                \
    " CASE WHEN " IS_SALE " THEN payment.created_ms ELSE presentment.created_ms END,"              \
    " acknowledged_ms, 0, 0, step.id FROM presentment JOIN step ON step.id = "                     \
    "presentment.step_id" TABLES " WHERE presentment.id > $1"
#define KIND_CREDIT 2 /* of a step (gateway/payment/step.h) */

static void read_item(struct setpay_db_rows *rows, struct setpay_clearing_item *item,
                      int64_t *step_id)
{
    struct setpay_clearing_item i = {0};
    int c = 0;
    i.id = setpay_db_get_int(rows, c++);
    setpay_db_get_id(rows, c++, &i.step);
    setpay_db_get_id(rows, c++, &i.xid);
    setpay_db_get_text(rows, c++, i.brand, sizeof i.brand);
    setpay_db_get_text(rows, c++, i.merchant_id, sizeof i.merchant_id);
    i.credits = setpay_db_get_int(rows, c++) == KIND_CREDIT;
    i.sale = setpay_db_get_bool(rows, c++);
    i.amount.minor = setpay_db_get_int(rows, c++);
    setpay_db_get_text(rows, c++, i.amount.currency, sizeof i.amount.currency);
    i.fee_minor = setpay_db_get_int(rows, c++);
    i.batch = (uint32_t)setpay_db_get_int(rows, c++);
    setpay_db_get_text(rows, c++, i.issuer, sizeof i.issuer);
    i.settlement = setpay_db_get_int(rows, c++);
    i.acknowledged = setpay_db_get_bool(rows, c++);
    setpay_db_get_text(rows, c++, i.response_code, sizeof i.response_code);
    i.presented_ms = setpay_db_get_int(rows, c++);
    i.acknowledged_ms = setpay_db_get_int(rows, c++);
    i.undone_ms = setpay_db_get_int(rows, c++);
    i.unsold = setpay_db_get_bool(rows, c++);
    *step_id = setpay_db_get_int(rows, c++);
    *item = i;
}

static enum setpay_error find_charged(struct setpay_db *db, int64_t step_id,
                                      struct setpay_clearing_item *item)
{
    int64_t uncharged_minor = 0;
    if (item->unsold || !item->acknowledged || setpay_presentment_is_taken(item->response_code))
        return SETPAY_OK;
    SETPAY_TRY(setpay_suspense_uncharged(db, step_id, item->amount.minor, &uncharged_minor));
    item->charged_minor = llabs(item->amount.minor - uncharged_minor); /* below 0 of a credit */
    return SETPAY_OK;
}

static enum setpay_error walk(struct setpay_db *db, struct setpay_db_rows *rows,
                              setpay_clearing_item_fn *each, void *arg)
{
    enum setpay_error error = SETPAY_OK;
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_clearing_item item;
        int64_t step_id = 0;
        read_item(rows, &item, &step_id);
        error = find_charged(db, step_id, &item);
        if (error == SETPAY_OK)
            error = each(arg, &item);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_clearing_items_each(struct setpay_db *db, int64_t settlement,
                                             int64_t after, int64_t limit,
                                             setpay_clearing_item_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    if (settlement == 0)
        SETPAY_TRY(setpay_db_select(db, &rows, PRESENTED " ORDER BY presentment.id LIMIT $2",
                                    SETPAY_DB_INT(after), SETPAY_DB_INT(limit)));
    else
        SETPAY_TRY(setpay_db_select(
            db, &rows, PRESENTED " AND settlement_id = $2 ORDER BY presentment.id LIMIT $3",
            SETPAY_DB_INT(after), SETPAY_DB_INT(settlement), SETPAY_DB_INT(limit)));
    return walk(db, rows, each, arg);
}

enum setpay_error setpay_clearing_sales_each(struct setpay_db *db, int64_t after, int64_t limit,
                                             setpay_clearing_item_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT step.id," COLUMNS " 0, 1, '00', payment.created_ms, step.created_ms,"
        " COALESCE((SELECT MAX(other.created_ms) FROM step AS other WHERE other.payment_id ="
        " step.payment_id AND other.of_id = step.id AND other.kind = 3), 0), 0, step.id"
        " FROM step" TABLES " WHERE step.id > $1 AND " IS_SALE " AND NOT EXISTS"
        " (SELECT 1 FROM presentment WHERE step_id = step.id) ORDER BY step.id LIMIT $2",
        SETPAY_DB_INT(after), SETPAY_DB_INT(limit)));
    return walk(db, rows, each, arg);
}

enum setpay_error setpay_clearing_unsold_each(struct setpay_db *db, int64_t after, int64_t limit,
                                              setpay_clearing_item_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT payment.id, sale_id, xid, brand, merchant_id, 1, 1, amount_minor, currency, 0, 0,"
        " issuer, 0, 1, '', created_ms, updated_ms, 0, 1, 0 FROM payment WHERE payment.id > $1"
        " AND sale_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM step WHERE token = sale_id)"
        " AND EXISTS (SELECT 1 FROM reversal WHERE payment_id = payment.id)"
        " ORDER BY payment.id LIMIT $2",
        SETPAY_DB_INT(after), SETPAY_DB_INT(limit)));
    return walk(db, rows, each, arg);
}
