/*
 * The rows of merchants.
 */
#include "gateway/payment/payment.h"

#define MERCHANT_COLUMNS                                                                           \
    "brand, id, name, category, enabled, created_ms, zone, cut_off_minutes, reserve_ppm,"          \
    " reserve_days"

static void read_merchant(struct setpay_db_rows *rows, struct setpay_gateway_merchant *merchant)
{
    struct setpay_gateway_merchant found = {0};
    setpay_db_get_text(rows, 0, found.brand, sizeof found.brand);
    setpay_db_get_text(rows, 1, found.id, sizeof found.id);
    setpay_db_get_text(rows, 2, found.name, sizeof found.name);
    found.category = (uint16_t)setpay_db_get_int(rows, 3);
    found.enabled = setpay_db_get_bool(rows, 4);
    found.created_ms = setpay_db_get_int(rows, 5);
    setpay_db_get_text(rows, 6, found.zone, sizeof found.zone);
    found.cut_off_minutes = setpay_db_get_int(rows, 7);
    found.reserve_ppm = setpay_db_get_int(rows, 8);
    found.reserve_days = setpay_db_get_int(rows, 9);
    *merchant = found;
}

enum setpay_error setpay_gateway_merchant_find(struct setpay_db *db, const char *brand,
                                               const char *id,
                                               struct setpay_gateway_merchant *merchant)
{
    struct setpay_db_rows *rows;
    struct setpay_gateway_merchant found;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " MERCHANT_COLUMNS " FROM merchant"
                             " WHERE brand = $1 AND id = $2",
                             SETPAY_DB_TEXT(brand), SETPAY_DB_TEXT(id)));
    read_merchant(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    *merchant = found;
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_merchant_each(struct setpay_db *db,
                                               setpay_gateway_merchant_each_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT " MERCHANT_COLUMNS " FROM merchant ORDER BY brand, id"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_gateway_merchant merchant;
        read_merchant(rows, &merchant);
        error = each(arg, &merchant);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_gateway_merchant_insert(struct setpay_db *db,
                                                 const struct setpay_gateway_merchant *merchant)
{
    return setpay_db_run(db,
                         "INSERT INTO merchant (brand, id, name, category, enabled, created_ms,"
                         " zone, cut_off_minutes, reserve_ppm, reserve_days)"
                         " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                         SETPAY_DB_TEXT(merchant->brand), SETPAY_DB_TEXT(merchant->id),
                         SETPAY_DB_TEXT(merchant->name), SETPAY_DB_INT(merchant->category),
                         SETPAY_DB_BOOL(merchant->enabled), SETPAY_DB_INT(merchant->created_ms),
                         SETPAY_DB_TEXT(merchant->zone), SETPAY_DB_INT(merchant->cut_off_minutes),
                         SETPAY_DB_INT(merchant->reserve_ppm),
                         SETPAY_DB_INT(merchant->reserve_days));
}

enum setpay_error setpay_gateway_merchant_update(struct setpay_db *db,
                                                 const struct setpay_gateway_merchant *merchant)
{
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE merchant SET name = $1, category = $2, enabled = $3,"
                             " zone = $4, cut_off_minutes = $5, reserve_ppm = $6,"
                             " reserve_days = $7 WHERE brand = $8 AND id = $9",
                             SETPAY_DB_TEXT(merchant->name), SETPAY_DB_INT(merchant->category),
                             SETPAY_DB_BOOL(merchant->enabled), SETPAY_DB_TEXT(merchant->zone),
                             SETPAY_DB_INT(merchant->cut_off_minutes),
                             SETPAY_DB_INT(merchant->reserve_ppm),
                             SETPAY_DB_INT(merchant->reserve_days), SETPAY_DB_TEXT(merchant->brand),
                             SETPAY_DB_TEXT(merchant->id)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_NOT_FOUND;
}
