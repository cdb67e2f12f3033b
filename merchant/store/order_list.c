/*
 * A page is read order by order behind its cursor, since the status that it may be asked for is
 * computed and stands in no column. The cursor is the place of the last order that was looked at,
 * so that orders made meanwhile move nothing.
 */
#include "merchant/store/order_list.h"

#include "merchant/store/order_json.h"

#define CURSOR_SIZE SETPAY_BASE64URL_SIZE(8)

enum setpay_error setpay_order_cursor_parse(const char *cursor, int64_t *before_seq)
{
    uint8_t bytes[8];
    SETPAY_TRY(setpay_base64url_decode(cursor, bytes, sizeof bytes));
    uint64_t value = setpay_read_u64be(bytes);
    if (value < 1 || value > INT64_MAX)
        return SETPAY_E_INVALID;
    *before_seq = (int64_t)value;
    return SETPAY_OK;
}

/* One order further; SETPAY_E_NOT_FOUND behind the last. */
static enum setpay_error list_one(struct setpay_db *db, const struct setpay_order_list *wanted,
                                  int64_t *at_seq, json_t *orders)
{
    struct setpay_order_view view = {.payments = NULL};
    SETPAY_TRY(setpay_order_find_before(db, *at_seq, &view.order));
    enum setpay_error error = setpay_order_view_complete(db, wanted->port, wanted->now_ms, &view);
    *at_seq = view.order.seq;
    if (error == SETPAY_OK && (!wanted->has_status || view.status == wanted->status)) {
        json_t *json = setpay_order_view_json(&view, wanted->links, false);
        if (json == NULL || json_array_append_new(orders, json) != 0)
            error = SETPAY_E_NOMEM;
    }
    setpay_order_view_clear(&view);
    return error;
}

static enum setpay_error list_many(struct setpay_db *db, const struct setpay_order_list *wanted,
                                   int64_t *at_seq, json_t *orders, bool *more)
{
    struct setpay_order next = {.seq = 0};
    for (size_t i = 0; i < SETPAY_ORDER_LIST_SCAN_MAX && json_array_size(orders) < wanted->limit;
         i++) {
        enum setpay_error error = list_one(db, wanted, at_seq, orders);
        if (error == SETPAY_E_NOT_FOUND)
            return SETPAY_OK;
        SETPAY_TRY(error);
    }
    enum setpay_error error = setpay_order_find_before(db, *at_seq, &next);
    setpay_order_clear(&next);
    *more = error == SETPAY_OK;
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

enum setpay_error setpay_order_list_read(struct setpay_db *db,
                                         const struct setpay_order_list *wanted, json_t **page)
{
    char cursor[CURSOR_SIZE];
    uint8_t bytes[8];
    int64_t at_seq = wanted->before_seq;
    bool more = false;
    json_t *orders = json_array();
    enum setpay_error error =
        orders == NULL ? SETPAY_E_NOMEM : list_many(db, wanted, &at_seq, orders, &more);
    if (error == SETPAY_OK) {
        setpay_write_u64be(bytes, (uint64_t)at_seq);
        setpay_base64url_encode(SETPAY_VIEW_ARRAY(bytes), cursor);
        *page = json_pack("{s:O, s:b, s:o}", "orders", orders, "has_more", more, "next_cursor",
                          more ? json_string(cursor) : json_null());
        if (*page == NULL)
            error = SETPAY_E_NOMEM;
    }
    json_decref(orders);
    return error;
}
