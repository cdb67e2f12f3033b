/*
 * Orders in the database.
 *
 * What always holds: an order's items add up to its amount; its amount, items and times never
 * change after the insert; xid is set exactly while one purchase that is not finally refused has
 * the order (rule M4). Every change of the row counts its version up.
 */
#include "merchant/store/order.h"

#include "common/base/bytes.h"
#include "common/wire/agreement.h"
#include "merchant/store/name.h"
#include "merchant/store/quote.h"
#include "merchant/store/stock.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                    \
    "seq, order_id, token, description, amount_minor, currency, capture, metadata, ended, xid,"    \
    " created_ms, expires_ms, version, terms_kind, terms_count, terms_interval_days,"              \
    " terms_each_minor, terms_end_ms, first_minor, schedule"

/* ------------------------------------------------------------------ names and words */

enum setpay_error setpay_order_name(struct setpay_order *order)
{
    struct setpay_id random;
    SETPAY_TRY(setpay_name_make("ord_", order->order_id));
    SETPAY_TRY(setpay_id_random(&random));
    setpay_base64url_encode(setpay_id_view(&random), order->token);
    return SETPAY_OK;
}

static const char *const capture_names[] = {
    [SETPAY_CAPTURE_ON_SHIPMENT] = "on_shipment",
    [SETPAY_CAPTURE_IMMEDIATE] = "immediate",
    [SETPAY_CAPTURE_MANUAL] = "manual",
};
#define CAPTURES (sizeof capture_names / sizeof *capture_names)

const char *setpay_order_capture_name(enum setpay_order_capture capture)
{
    return (unsigned)capture < CAPTURES ? capture_names[capture] : NULL;
}

enum setpay_error setpay_order_capture_parse(const char *name, enum setpay_order_capture *capture)
{
    for (size_t i = 0; i < CAPTURES; i++) {
        if (capture_names[i] != NULL && strcmp(name, capture_names[i]) == 0) {
            *capture = (enum setpay_order_capture)i;
            return SETPAY_OK;
        }
    }
    return SETPAY_E_INVALID;
}

/* The code point that starts at *at of well-formed UTF-8; moves *at behind it. */
static uint32_t next_code_point(struct setpay_view text, size_t *at)
{
    uint32_t first = text.data[(*at)++];
    unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    uint32_t point = more == 0 ? first : first & (0x3fu >> more);
    while (more-- > 0)
        point = point << 6 | (text.data[(*at)++] & 0x3fu);
    return point;
}

bool setpay_order_text_is_plain(struct setpay_view text)
{
    if (!setpay_text_is_utf8(text))
        return false;
    for (size_t at = 0; at < text.size;) {
        uint32_t point = next_code_point(text, &at);
        bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
        bool line = point == 0x2028 || point == 0x2029;
        bool turns = (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
        if (control || line || turns)
            return false;
    }
    return true;
}

void setpay_order_clear(struct setpay_order *order)
{
    free(order->items);
    free(order->metadata);
    free(order->quote);
    memset(order, 0, sizeof *order);
}

/* ------------------------------------------------------------------ insert */

/* Where nothing is said, the shopper is charged once. */
static struct setpay_order_terms agreed_of(const struct setpay_order *order)
{
    struct setpay_order_terms agreed = order->agreed;
    if (agreed.terms.kind == 0 || agreed.terms.kind == SETPAY_TERMS_SINGLE)
        agreed = (struct setpay_order_terms){.terms.kind = SETPAY_TERMS_SINGLE,
                                             .first_minor = order->amount.minor,
                                             .schedule = SETPAY_SCHEDULE_AUTOMATIC};
    return agreed;
}

/* What insert relies on. */
static enum setpay_error check_order(const struct setpay_order *order,
                                     const struct setpay_order_terms *agreed)
{
    struct setpay_money sum = {.minor = 0};
    if (order->item_count < 1 || order->item_count > SETPAY_LIMIT_OFFER_ITEMS ||
        order->metadata == NULL || order->amount.minor < 1 || order->end != SETPAY_ORDER_GOES_ON ||
        order->taken || setpay_order_capture_name(order->capture) == NULL ||
        order->expires_ms <= order->created_ms || agreed->first_minor < 1 ||
        agreed->first_minor > setpay_terms_each_max(&agreed->terms, &order->amount) ||
        !setpay_terms_are_sound(&agreed->terms, &order->amount, order->created_ms) ||
        setpay_money_make(0, order->amount.currency, &sum) != SETPAY_OK)
        return SETPAY_E_INVALID;
    for (size_t i = 0; i < order->item_count; i++) {
        const struct setpay_item *item = &order->items[i];
        struct setpay_money unit;
        struct setpay_money total;
        if (item->quantity < 1 || item->quantity > SETPAY_ORDER_QUANTITY_MAX ||
            setpay_money_make(item->unit_minor, sum.currency, &unit) != SETPAY_OK ||
            setpay_money_multiply(&unit, item->quantity, &total) != SETPAY_OK ||
            total.minor != item->total_minor || setpay_money_add(&sum, &total, &sum) != SETPAY_OK)
            return SETPAY_E_INVALID;
    }
    return setpay_money_equal(&sum, &order->amount) ? SETPAY_OK : SETPAY_E_INVALID;
}

enum setpay_error setpay_order_insert(struct setpay_db *db, const struct setpay_order *order)
{
    const struct setpay_order_terms agreed = agreed_of(order);
    const struct setpay_terms *terms = &agreed.terms;
    SETPAY_TRY(check_order(order, &agreed));
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO orders (order_id, token, description, amount_minor, currency, capture,"
        " metadata, ended, xid, created_ms, expires_ms, version, terms_kind, terms_count,"
        " terms_interval_days, terms_each_minor, terms_end_ms, first_minor, schedule)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, 0, NULL, $8, $9, 1, $10, $11, $12, $13, $14, $15,"
        " $16)",
        SETPAY_DB_TEXT(order->order_id), SETPAY_DB_TEXT(order->token),
        SETPAY_DB_TEXT(order->description), SETPAY_DB_INT(order->amount.minor),
        SETPAY_DB_TEXT(order->amount.currency), SETPAY_DB_INT(order->capture),
        SETPAY_DB_TEXT(order->metadata), SETPAY_DB_INT(order->created_ms),
        SETPAY_DB_INT(order->expires_ms), SETPAY_DB_INT(terms->kind), SETPAY_DB_INT(terms->count),
        SETPAY_DB_INT(terms->interval_days), SETPAY_DB_INT(terms->each_minor),
        SETPAY_DB_INT(terms->end_ms), SETPAY_DB_INT(agreed.first_minor),
        SETPAY_DB_INT(agreed.schedule)));
    for (size_t i = 0; i < order->item_count; i++) {
        const struct setpay_item *item = &order->items[i];
        SETPAY_TRY(setpay_db_run(db,
                                 "INSERT INTO order_item (order_id, position, name, quantity,"
                                 " unit_minor, total_minor, sku)"
                                 " VALUES ($1, $2, $3, $4, $5, $6, $7)",
                                 SETPAY_DB_TEXT(order->order_id), SETPAY_DB_INT((int64_t)i),
                                 SETPAY_DB_TEXT(item->name), SETPAY_DB_INT(item->quantity),
                                 SETPAY_DB_INT(item->unit_minor), SETPAY_DB_INT(item->total_minor),
                                 SETPAY_DB_TEXT(item->sku)));
    }
    return order->quote != NULL ? setpay_quote_insert(db, order->order_id, order->quote)
                                : SETPAY_OK;
}

/* ------------------------------------------------------------------ find */

static void read_terms(struct setpay_db_rows *rows, int at, struct setpay_order_terms *agreed)
{
    agreed->terms.kind = (enum setpay_terms_kind)setpay_db_get_int(rows, at);
    agreed->terms.count = (uint32_t)setpay_db_get_int(rows, at + 1);
    agreed->terms.interval_days = (uint32_t)setpay_db_get_int(rows, at + 2);
    agreed->terms.each_minor = setpay_db_get_int(rows, at + 3);
    agreed->terms.end_ms = setpay_db_get_int(rows, at + 4);
    agreed->first_minor = setpay_db_get_int(rows, at + 5);
    agreed->schedule = (enum setpay_agreement_schedule)setpay_db_get_int(rows, at + 6);
}

static enum setpay_error read_row(struct setpay_db_rows *rows, struct setpay_order *order)
{
    struct setpay_view metadata = setpay_db_get_view(rows, 7);
    order->metadata = strndup(metadata.size > 0 ? (const char *)metadata.data : "", metadata.size);
    order->seq = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, order->order_id, sizeof order->order_id);
    setpay_db_get_text(rows, 2, order->token, sizeof order->token);
    setpay_db_get_text(rows, 3, order->description, sizeof order->description);
    order->amount.minor = setpay_db_get_int(rows, 4);
    setpay_db_get_text(rows, 5, order->amount.currency, sizeof order->amount.currency);
    order->capture = (enum setpay_order_capture)setpay_db_get_int(rows, 6);
    order->end = (enum setpay_order_end)setpay_db_get_int(rows, 8);
    order->taken = !setpay_db_is_null(rows, 9);
    if (order->taken)
        setpay_db_get_id(rows, 9, &order->xid);
    order->created_ms = setpay_db_get_int(rows, 10);
    order->expires_ms = setpay_db_get_int(rows, 11);
    order->version = setpay_db_get_int(rows, 12);
    read_terms(rows, 13, &order->agreed);
    return order->metadata == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

/* Most orders have few. */
static enum setpay_error make_room(struct setpay_order *order, size_t *room)
{
    if (order->item_count < *room)
        return SETPAY_OK;
    size_t wanted = *room == 0 ? 4 : 2 * *room;
    struct setpay_item *grown = realloc(order->items, wanted * sizeof *grown);
    if (grown == NULL)
        return SETPAY_E_NOMEM;
    memset(grown + *room, 0, (wanted - *room) * sizeof *grown);
    order->items = grown;
    *room = wanted;
    return SETPAY_OK;
}

static enum setpay_error read_items(struct setpay_db *db, struct setpay_order *order)
{
    struct setpay_db_rows *rows;
    size_t room = 0;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT name, quantity, unit_minor, total_minor, sku"
                                " FROM order_item WHERE order_id = $1 ORDER BY position",
                                SETPAY_DB_TEXT(order->order_id)));
    while (order->item_count < SETPAY_LIMIT_OFFER_ITEMS && setpay_db_next(rows)) {
        error = make_room(order, &room);
        if (error != SETPAY_OK)
            break;
        struct setpay_item *item = &order->items[order->item_count++];
        setpay_db_get_text(rows, 0, item->name, sizeof item->name);
        item->quantity = (uint32_t)setpay_db_get_int(rows, 1);
        item->unit_minor = setpay_db_get_int(rows, 2);
        item->total_minor = setpay_db_get_int(rows, 3);
        setpay_db_get_text(rows, 4, item->sku, sizeof item->sku);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* Reads the row that rows stands on, ends the query, and reads the items. */
static enum setpay_error read_order(struct setpay_db *db, struct setpay_db_rows *rows,
                                    struct setpay_order *order)
{
    enum setpay_error error = read_row(rows, order);
    enum setpay_error ended = setpay_db_end(rows);
    if (error == SETPAY_OK)
        error = ended;
    if (error == SETPAY_OK)
        error = read_items(db, order);
    if (error != SETPAY_OK)
        setpay_order_clear(order);
    return error;
}

enum setpay_error setpay_order_find(struct setpay_db *db, const char *order_id,
                                    struct setpay_order *order)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " COLUMNS " FROM orders WHERE order_id = $1",
                             SETPAY_DB_TEXT(order_id)));
    return read_order(db, rows, order);
}

enum setpay_error setpay_order_find_by_token(struct setpay_db *db, const char *token,
                                             struct setpay_order *order)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " COLUMNS " FROM orders WHERE token = $1",
                             SETPAY_DB_TEXT(token)));
    return read_order(db, rows, order);
}

enum setpay_error setpay_order_find_before(struct setpay_db *db, int64_t before_seq,
                                           struct setpay_order *order)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows, "SELECT " COLUMNS " FROM orders WHERE seq < $1 ORDER BY seq DESC LIMIT 1",
        SETPAY_DB_INT(before_seq)));
    return read_order(db, rows, order);
}

enum setpay_error setpay_order_find_terms(struct setpay_db *db, const char *order_id,
                                          struct setpay_order_terms *agreed)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT terms_kind, terms_count, terms_interval_days,"
                             " terms_each_minor, terms_end_ms, first_minor, schedule"
                             " FROM orders WHERE order_id = $1",
                             SETPAY_DB_TEXT(order_id)));
    read_terms(rows, 0, agreed);
    return setpay_db_end(rows);
}

/* ------------------------------------------------------------------ take, release, end */

/* What decides whether an order may be paid. */
static enum setpay_error check_payable(bool taken, enum setpay_order_end end,
                                       setpay_time_ms expires_ms, setpay_time_ms now_ms)
{
    if (taken)
        return SETPAY_E_ORDER_TAKEN; /* rule M4 */
    if (end != SETPAY_ORDER_GOES_ON)
        return SETPAY_E_ORDER_ENDED;
    return now_ms < expires_ms ? SETPAY_OK : SETPAY_E_EXPIRED;
}

enum setpay_error setpay_order_check_payable(const struct setpay_order *order,
                                             setpay_time_ms now_ms)
{
    return check_payable(order->taken, order->end, order->expires_ms, now_ms);
}

enum setpay_error setpay_order_take(struct setpay_db *db, const char *order_id,
                                    const struct setpay_id *xid, setpay_time_ms now_ms)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT xid, ended, expires_ms FROM orders WHERE order_id = $1",
                             SETPAY_DB_TEXT(order_id)));
    bool taken = !setpay_db_is_null(rows, 0);
    enum setpay_order_end end = (enum setpay_order_end)setpay_db_get_int(rows, 1);
    setpay_time_ms expires_ms = setpay_db_get_int(rows, 2);
    SETPAY_TRY(setpay_db_end(rows));
    SETPAY_TRY(check_payable(taken, end, expires_ms, now_ms)); /* rule M4 */
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE orders SET xid = $1, version = version + 1"
                             " WHERE order_id = $2 AND xid IS NULL",
                             SETPAY_DB_ID(xid), SETPAY_DB_TEXT(order_id)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_ORDER_TAKEN;
}

/* What an order holds of the stock goes with its end, once nobody is paying for it any more. */
static enum setpay_error release_stock_of_ended(struct setpay_db *db, const char *order_id)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT ended, xid, expires_ms FROM orders WHERE order_id = $1",
                             SETPAY_DB_TEXT(order_id)));
    setpay_time_ms now_ms = setpay_clock_now_ms();
    bool over = (enum setpay_order_end)setpay_db_get_int(rows, 0) != SETPAY_ORDER_GOES_ON ||
                setpay_db_get_int(rows, 2) <= now_ms;
    bool taken = !setpay_db_is_null(rows, 1);
    SETPAY_TRY(setpay_db_end(rows));
    return over && !taken ? setpay_stock_release(db, order_id, now_ms) : SETPAY_OK;
}

enum setpay_error setpay_order_release(struct setpay_db *db, const char *order_id,
                                       const struct setpay_id *xid)
{
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE orders SET xid = NULL, version = version + 1"
                             " WHERE order_id = $1 AND xid = $2",
                             SETPAY_DB_TEXT(order_id), SETPAY_DB_ID(xid)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_NOT_FOUND;
    return release_stock_of_ended(db, order_id);
}

enum setpay_error setpay_order_end(struct setpay_db *db, const char *order_id,
                                   enum setpay_order_end end)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT ended FROM orders WHERE order_id = $1",
                             SETPAY_DB_TEXT(order_id)));
    enum setpay_order_end now = (enum setpay_order_end)setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    if (now != SETPAY_ORDER_GOES_ON)
        return now == end ? SETPAY_OK : SETPAY_E_STATE;
    SETPAY_TRY(
        setpay_db_run(db, "UPDATE orders SET ended = $1, version = version + 1 WHERE order_id = $2",
                      SETPAY_DB_INT(end), SETPAY_DB_TEXT(order_id)));
    return release_stock_of_ended(db, order_id);
}

enum setpay_error setpay_order_expire_all(struct setpay_db *db, setpay_time_ms now_ms)
{
    return setpay_db_run(db,
                         "UPDATE orders SET expires_ms = $1, version = version + 1"
                         " WHERE expires_ms > $1",
                         SETPAY_DB_INT(now_ms));
}
