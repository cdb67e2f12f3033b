/*
 * GET /: the orders, the youngest first; by status, by words, page by page.
 */
#include "merchant/store/admin/admin_internal.h"

#include "merchant/store/order_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 25
#define LOOKED_AT_MAX 1000 /* for one page: a status is computed, and stands in no column */
#define QUERY_BYTES 100

struct look {
    const struct setpay_admin *admin;
    char q[QUERY_BYTES + 1];
    const char *status; /* "": all */
    int64_t before;
    json_t *orders; /* owned */
    int64_t last;   /* the place of the last that was looked at */
    bool more;
};

/* What LIKE would read as a sign stands for itself. */
static void like(const char *text, char *out, size_t size)
{
    size_t used = 0;
    out[used++] = '%';
    for (; *text != '\0' && used + 4 < size; text++) {
        if (strchr("%_\\", *text) != NULL)
            out[used++] = '\\';
        out[used++] = *text;
    }
    out[used++] = '%';
    out[used] = '\0';
}

/* The next order before this place that has the words. SETPAY_E_NOT_FOUND. */
static enum setpay_error next_id(struct setpay_db *db, const char *pattern, int64_t before,
                                 char order_id[SETPAY_ORDER_ID_SIZE])
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(
        setpay_db_one(db, &rows,
                      "SELECT o.order_id FROM orders o WHERE o.seq < $1 AND ($2 = '%%'"
                      " OR o.order_id LIKE $2 ESCAPE '\\' OR o.description LIKE $2 ESCAPE '\\'"
                      " OR o.metadata LIKE $2 ESCAPE '\\' OR EXISTS (SELECT 1 FROM order_item i"
                      " WHERE i.order_id = o.order_id AND (i.name LIKE $2 ESCAPE '\\'"
                      " OR i.sku LIKE $2 ESCAPE '\\'))"
                      " OR EXISTS (SELECT 1 FROM order_part p WHERE p.order_id = o.order_id"
                      " AND p.tracking LIKE $2 ESCAPE '\\')) ORDER BY o.seq DESC LIMIT 1",
                      SETPAY_DB_INT(before), SETPAY_DB_TEXT(pattern)));
    setpay_db_get_text(rows, 0, order_id, SETPAY_ORDER_ID_SIZE);
    return setpay_db_end(rows);
}

static json_t *row_json(const struct setpay_order_view *view)
{
    const struct setpay_order *order = &view->order;
    const char *status = setpay_order_status_name(view->status);
    const char *first = order->item_count > 0 ? order->items[0].name : order->description;
    json_t *what = order->item_count > 1
                       ? json_sprintf("%s and %zu more", first, order->item_count - 1)
                       : json_string(first);
    return json_pack("{s:s, s:o, s:s, s:o, s:o, s:o}", "id", order->order_id, "status",
                     setpay_admin_status(status), "look", setpay_admin_status_look(status),
                     "amount", setpay_admin_money(order->amount.minor, order->amount.currency),
                     "created", setpay_admin_time(order->created_ms), "what", what);
}

static enum setpay_error look_at(struct setpay_db *db, struct look *look, const char *order_id)
{
    struct setpay_order_view view = {.payments = NULL};
    enum setpay_error error = setpay_order_find(db, order_id, &view.order);
    if (error == SETPAY_OK)
        error =
            setpay_order_view_complete(db, look->admin->options.port, setpay_clock_now_ms(), &view);
    look->last = view.order.seq;
    if (error == SETPAY_OK &&
        (look->status[0] == '\0' ||
         strcmp(look->status, setpay_order_status_name(view.status)) == 0) &&
        json_array_append_new(look->orders, row_json(&view)) != 0)
        error = SETPAY_E_NOMEM;
    setpay_order_view_clear(&view);
    return error;
}

static enum setpay_error read_orders(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    char order_id[SETPAY_ORDER_ID_SIZE], pattern[2 * QUERY_BYTES + 4];
    enum setpay_error error = SETPAY_OK;
    like(look->q, pattern, sizeof pattern);
    look->last = look->before;
    for (size_t i = 0; i < LOOKED_AT_MAX && json_array_size(look->orders) < SHOWN; i++) {
        error = next_id(db, pattern, look->last, order_id);
        if (error != SETPAY_OK)
            break;
        SETPAY_TRY(look_at(db, look, order_id));
    }
    if (error == SETPAY_OK)
        error = next_id(db, pattern, look->last, order_id);
    look->more = error == SETPAY_OK;
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

static json_t *statuses_json(const char *chosen)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < SETPAY_ORDER_STATUSES; i++) {
        const char *name = setpay_order_status_name((enum setpay_order_status)i);
        (void)json_array_append_new(list, json_pack("{s:s, s:o, s:b}", "value", name, "name",
                                                    setpay_admin_status(name), "chosen",
                                                    strcmp(name, chosen) == 0));
    }
    return list;
}

void setpay_admin_on_orders(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin *admin = arg;
    struct setpay_admin_visit visit;
    const char *q = setpay_http_request_query(request, "q");
    const char *status = setpay_http_request_query(request, "status");
    const char *before = setpay_http_request_query(request, "before");
    struct look look = {
        .admin = admin, .status = status != NULL ? status : "", .before = INT64_MAX};
    if (!setpay_admin_visit_begin(admin, request, &visit))
        return;
    (void)snprintf(look.q, sizeof look.q, "%s", q != NULL ? q : "");
    if (!setpay_text_is_utf8(setpay_view_string(look.q)))
        look.q[0] = '\0'; /* cut within a character */
    if (before != NULL && strtoll(before, NULL, 10) > 0)
        look.before = strtoll(before, NULL, 10);
    look.orders = json_array();
    enum setpay_error error =
        look.orders == NULL ? SETPAY_E_NOMEM : setpay_store_read(admin->reader, read_orders, &look);
    if (error != SETPAY_OK) {
        json_decref(look.orders);
        setpay_admin_reply_failed(admin, request, error);
        return;
    }
    setpay_admin_reply(
        admin, request, &visit, 200, SETPAY_ADMIN_ORDERS, "Orders", NULL,
        json_pack("{s:o, s:s, s:s, s:o, s:o}", "orders", look.orders, "q", look.q, "status_value",
                  look.status, "statuses", statuses_json(look.status), "next",
                  look.more ? json_sprintf("%lld", (long long)look.last) : json_string("")));
}
