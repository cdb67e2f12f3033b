/*
 * What is told of stock.
 */
#include "merchant/store/stock_level.h"

#include "merchant/store/event.h"
#include "merchant/store/stock.h"

#include <string.h>

static const struct {
    const char *name; /* as "was" has it */
    const char *event;
} levels[] = {
    [SETPAY_STOCK_ENOUGH] = {"enough", "stock.enough"},
    [SETPAY_STOCK_LOW] = {"low", "stock.low"},
    [SETPAY_STOCK_OUT] = {"out", "stock.out"},
};

enum setpay_stock_level setpay_stock_level(const struct setpay_stock_count *count)
{
    if (!count->tracked || count->on_hand > count->low_at)
        return SETPAY_STOCK_ENOUGH;
    return count->on_hand > 0 ? SETPAY_STOCK_LOW : SETPAY_STOCK_OUT;
}

/* Which variant, and what is there of it now. Owned. */
static enum setpay_error read_data(struct setpay_db *db, int64_t variant_seq, json_t **data)
{
    char sku[SETPAY_SHOP_ID_SIZE];
    char slug[SETPAY_SHOP_ID_SIZE];
    char name[SETPAY_LIMIT_NAME_BYTES + 1];
    struct setpay_db_rows *rows;
    bool whole = true;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT v.sku, p.slug, p.name, v.tracked, v.on_hand, v.reserved,"
                             " v.low_at FROM variant v JOIN product p ON p.seq = v.product_seq"
                             " WHERE v.seq = $1",
                             SETPAY_DB_INT(variant_seq)));
    setpay_db_get_text(rows, 0, sku, sizeof sku);
    setpay_db_get_text(rows, 1, slug, sizeof slug);
    setpay_db_get_text(rows, 2, name, sizeof name);
    json_t *json = setpay_stock_json(setpay_db_get_bool(rows, 3), setpay_db_get_int(rows, 4),
                                     setpay_db_get_int(rows, 5), setpay_db_get_int(rows, 6));
    setpay_shop_set(json, "sku", json_string(sku), &whole);
    setpay_shop_set(json, "product", json_string(slug), &whole);
    setpay_shop_set(json, "name", json_string(name), &whole);
    enum setpay_error error = setpay_db_end(rows);
    if (error == SETPAY_OK && !whole)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        *data = json;
    else
        json_decref(json);
    return error;
}

enum setpay_error setpay_stock_tell_level(struct setpay_db *db, int64_t variant_seq,
                                          const struct setpay_stock_count *before,
                                          const struct setpay_stock_count *after,
                                          setpay_time_ms now_ms)
{
    enum setpay_stock_level was = setpay_stock_level(before);
    enum setpay_stock_level is = setpay_stock_level(after);
    json_t *data = NULL;
    bool whole = true;
    if (is == was)
        return SETPAY_OK;
    SETPAY_TRY(read_data(db, variant_seq, &data));
    setpay_shop_set(data, "was", json_string(levels[was].name), &whole);
    enum setpay_error error =
        whole ? setpay_event_add(db, levels[is].event, NULL, data, now_ms) : SETPAY_E_NOMEM;
    json_decref(data);
    return error;
}

enum setpay_error setpay_stock_tell_change(struct setpay_db *db, int64_t variant_seq,
                                           int64_t change, const char *reason,
                                           setpay_time_ms now_ms)
{
    json_t *data = NULL;
    bool whole = true;
    SETPAY_TRY(read_data(db, variant_seq, &data));
    setpay_shop_set(data, "change", json_integer(change), &whole);
    setpay_shop_set(data, "reason", json_string(reason), &whole);
    enum setpay_error error =
        whole ? setpay_event_add(db, "stock.changed", NULL, data, now_ms) : SETPAY_E_NOMEM;
    json_decref(data);
    return error;
}
