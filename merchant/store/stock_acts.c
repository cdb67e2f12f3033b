/*
 * What the owner sees and does of the stock.
 */
#include "merchant/store/stock.h"

#include "common/base/noun.h"
#include "merchant/store/stock_level.h"

#include <string.h>

#define LOG_SHOWN 50
#define SELECT                                                                                     \
    "SELECT v.sku, p.name, v.tracked, v.on_hand, v.reserved, v.low_at, v.seq FROM variant v"       \
    " JOIN product p ON p.seq = v.product_seq"

struct row {
    char sku[SETPAY_SHOP_ID_SIZE];
    char name[SETPAY_LIMIT_NAME_BYTES + 1];
    struct setpay_stock_count count;
    int64_t reserved;
    int64_t seq;
};

static void read_row(struct setpay_db_rows *rows, struct row *row)
{
    setpay_db_get_text(rows, 0, row->sku, sizeof row->sku);
    setpay_db_get_text(rows, 1, row->name, sizeof row->name);
    row->count.tracked = setpay_db_get_bool(rows, 2);
    row->count.on_hand = setpay_db_get_int(rows, 3);
    row->reserved = setpay_db_get_int(rows, 4);
    row->count.low_at = setpay_db_get_int(rows, 5);
    row->seq = setpay_db_get_int(rows, 6);
}

static enum setpay_error find(struct setpay_db *db, const struct setpay_shop_ask *ask,
                              struct row *row, struct setpay_shop_answer *answer)
{
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows, SELECT " WHERE v.sku = $1", SETPAY_DB_TEXT(ask->id));
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_shop_refuse(answer, error, "id", "the catalogue has no SKU '%.70s'", ask->id);
    SETPAY_TRY(error);
    read_row(rows, row);
    return setpay_db_end(rows);
}

json_t *setpay_stock_json(bool tracked, int64_t on_hand, int64_t reserved, int64_t low_at)
{
    return json_pack("{s:b, s:I, s:I, s:o, s:I}", "tracked", tracked, "on_hand",
                     (json_int_t)on_hand, "reserved", (json_int_t)reserved, "available",
                     tracked ? json_integer(on_hand - reserved) : json_null(), "low_at",
                     (json_int_t)low_at);
}

static json_t *row_json(const struct row *row)
{
    bool whole = true;
    json_t *json =
        setpay_stock_json(row->count.tracked, row->count.on_hand, row->reserved, row->count.low_at);
    setpay_shop_set(json, "sku", json_string(row->sku), &whole);
    setpay_shop_set(json, "name", json_string(row->name), &whole);
    if (whole)
        return json;
    json_decref(json);
    return NULL;
}

/* ------------------------------------------------------------------ looking */

static enum setpay_error list(struct setpay_db *db, const char *after, int64_t limit, json_t *rows,
                              bool *more)
{
    struct setpay_db_rows *found;
    enum setpay_error error = SETPAY_OK;
    *more = false;
    SETPAY_TRY(setpay_db_select(db, &found, SELECT " WHERE v.sku > $1 ORDER BY v.sku LIMIT $2",
                                SETPAY_DB_TEXT(after), SETPAY_DB_INT(limit + 1)));
    while (error == SETPAY_OK && setpay_db_next(found)) {
        struct row row;
        read_row(found, &row);
        *more = json_array_size(rows) == (size_t)limit;
        if (!*more && json_array_append_new(rows, row_json(&row)) != 0)
            error = SETPAY_E_NOMEM;
    }
    enum setpay_error ended = setpay_db_end(found);
    return error == SETPAY_OK ? ended : error;
}

/* The cursor of a page is the last SKU on it: it tells nothing that is not on the page. */
enum setpay_error setpay_stock_list(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                    struct setpay_shop_answer *answer)
{
    static const char *const names[] = {"limit", "cursor", NULL};
    char after[SETPAY_SHOP_ID_SIZE] = "";
    int64_t limit = SETPAY_SHOP_LIST_DEFAULT;
    bool more = false;
    SETPAY_TRY(setpay_json_members_check(ask->body, names, "", &answer->fault));
    SETPAY_TRY(setpay_shop_get_int(ask->body, "limit", "", false, 1, SETPAY_SHOP_LIST_MAX, &limit,
                                   &answer->fault));
    const json_t *cursor = json_object_get(ask->body, "cursor");
    if (cursor != NULL) {
        const char *text = json_is_string(cursor) ? json_string_value(cursor) : "";
        if (!setpay_shop_is_sku(text))
            return setpay_json_fault_set(&answer->fault, "cursor",
                                         "expected the next_cursor of an answer, unchanged");
        memcpy(after, text, strlen(text) + 1);
    }
    json_t *rows = json_array();
    enum setpay_error error = rows == NULL ? SETPAY_E_NOMEM : list(db, after, limit, rows, &more);
    if (error == SETPAY_OK) {
        const json_t *last = json_array_get(rows, json_array_size(rows) - 1);
        answer->json = json_pack("{s:O, s:b, s:o}", "stock", rows, "has_more", more, "next_cursor",
                                 more ? json_incref(json_object_get(last, "sku")) : json_null());
        error = answer->json == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    json_decref(rows);
    return error;
}

static enum setpay_error read_log(struct setpay_db *db, const char *sku, json_t *log)
{
    struct setpay_db_rows *rows;
    bool whole = true;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT change, on_hand, reason, order_id, at_ms FROM stock_log"
                                " WHERE sku = $1 ORDER BY seq DESC LIMIT $2",
                                SETPAY_DB_TEXT(sku), SETPAY_DB_INT(LOG_SHOWN)));
    while (setpay_db_next(rows)) {
        char reason[SETPAY_STOCK_REASON_BYTES + 1];
        char order_id[SETPAY_ORDER_ID_SIZE];
        json_t *entry = json_object();
        setpay_db_get_text(rows, 2, reason, sizeof reason);
        setpay_db_get_text(rows, 3, order_id, sizeof order_id);
        setpay_shop_set(entry, "at", setpay_shop_time_json(setpay_db_get_int(rows, 4)), &whole);
        setpay_shop_set(entry, "change", json_integer(setpay_db_get_int(rows, 0)), &whole);
        setpay_shop_set(entry, "on_hand", json_integer(setpay_db_get_int(rows, 1)), &whole);
        setpay_shop_set(entry, "reason", json_string(reason), &whole);
        if (order_id[0] != '\0')
            setpay_shop_set(entry, "order_id", json_string(order_id), &whole);
        setpay_shop_append(log, entry, &whole);
    }
    SETPAY_TRY(setpay_db_end(rows));
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error answer_row(struct setpay_db *db, const struct row *row,
                                    struct setpay_shop_answer *answer)
{
    json_t *log = json_array();
    answer->json = row_json(row);
    if (log == NULL || json_object_set_new(answer->json, "log", log) != 0)
        return SETPAY_E_NOMEM;
    return read_log(db, row->sku, log);
}

enum setpay_error setpay_stock_show(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                    struct setpay_shop_answer *answer)
{
    struct row row = {.seq = 0};
    SETPAY_TRY(find(db, ask, &row, answer));
    return answer_row(db, &row, answer);
}

/* ------------------------------------------------------------------ adjusting */

/* What becomes of *count. *by_hand: what is there changes, or whether it is counted; otherwise only
 * when it is low. */
static enum setpay_error read_adjustment(const json_t *body, struct setpay_stock_count *count,
                                         bool *by_hand, char *reason,
                                         struct setpay_json_fault *fault)
{
    static const char *const names[] = {"change", "on_hand", "tracked", "low_at", "reason", NULL};
    int64_t change = 0;
    SETPAY_TRY(setpay_json_members_check(body, names, "", fault));
    bool by = json_object_get(body, "change") != NULL;
    bool to = json_object_get(body, "on_hand") != NULL;
    *by_hand = by || to || json_object_get(body, "tracked") != NULL;
    if (by && to)
        return setpay_json_fault_set(fault, "change",
                                     "found beside on_hand; expected either what is there, or by"
                                     " how much it changes");
    if (!*by_hand && json_object_get(body, "low_at") == NULL)
        return setpay_json_fault_set(fault, "change",
                                     "found nothing; expected change, on_hand, tracked or low_at");
    SETPAY_TRY(setpay_shop_get_text(body, "reason", "", *by_hand, SETPAY_STOCK_REASON_BYTES, reason,
                                    fault));
    SETPAY_TRY(setpay_shop_get_bool(body, "tracked", "", &count->tracked, fault));
    SETPAY_TRY(
        setpay_shop_get_int(body, "low_at", "", false, 0, SETPAY_STOCK_MAX, &count->low_at, fault));
    SETPAY_TRY(setpay_shop_get_int(body, "change", "", false, -SETPAY_STOCK_MAX, SETPAY_STOCK_MAX,
                                   &change, fault));
    count->on_hand += change;
    SETPAY_TRY(setpay_shop_get_int(body, "on_hand", "", false, 0, SETPAY_STOCK_MAX, &count->on_hand,
                                   fault));
    if (count->on_hand < 0 || count->on_hand > SETPAY_STOCK_MAX)
        return setpay_json_fault_set(fault, "change",
                                     "found %lld, with which there would be %lld; expected from 0"
                                     " to %lld then",
                                     (long long)change, (long long)count->on_hand,
                                     (long long)SETPAY_STOCK_MAX);
    return SETPAY_OK;
}

enum setpay_error setpay_stock_adjust(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      struct setpay_shop_answer *answer)
{
    char reason[SETPAY_STOCK_REASON_BYTES + 1] = "";
    struct row row = {.seq = 0};
    bool by_hand = false;
    SETPAY_TRY(find(db, ask, &row, answer));
    /* However little may be there then: what has expired is not in the way. */
    SETPAY_TRY(setpay_stock_make_room(db, row.seq, row.count.on_hand, ask->now_ms));
    SETPAY_TRY(find(db, ask, &row, answer));
    const struct setpay_stock_count before = row.count;
    struct setpay_stock_count *after = &row.count;
    SETPAY_TRY(read_adjustment(ask->body, after, &by_hand, reason, &answer->fault));
    if (after->tracked && after->on_hand < row.reserved)
        return setpay_shop_refuse(answer, SETPAY_E_STATE, "on_hand",
                                  "%lld of %s %s reserved by orders that can be paid; expected at"
                                  " least as many there: cancel such orders first",
                                  (long long)row.reserved, row.sku,
                                  setpay_noun(row.reserved, "is", "are"));
    SETPAY_TRY(setpay_db_run(
        db, "UPDATE variant SET tracked = $1, on_hand = $2, low_at = $3 WHERE seq = $4",
        SETPAY_DB_BOOL(after->tracked), SETPAY_DB_INT(after->on_hand), SETPAY_DB_INT(after->low_at),
        SETPAY_DB_INT(row.seq)));
    if (by_hand) {
        int64_t change = after->on_hand - before.on_hand;
        SETPAY_TRY(setpay_stock_log(db, row.sku, change, after->on_hand, reason, "", ask->now_ms));
        SETPAY_TRY(setpay_stock_tell_change(db, row.seq, change, reason, ask->now_ms));
    }
    SETPAY_TRY(setpay_stock_tell_level(db, row.seq, &before, after, ask->now_ms));
    return answer_row(db, &row, answer);
}
