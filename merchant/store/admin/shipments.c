/*
 * GET /shipments: what is to be sent, the oldest order first; GET /shipments?sent=1: what was, the
 * newest shipment first.
 */
#include "merchant/store/admin/admin_internal.h"

#include "merchant/store/order_json.h"
#include "merchant/store/part.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN 25
#define LOOKED_AT_MAX 100 /* for one page; what is found is not always shown */

struct look {
    const struct setpay_admin *admin;
    bool sent;
    int64_t from; /* behind this place, or before it */
    json_t *rows; /* owned */
    int64_t last; /* place of the last that was looked at */
    bool more;
};

/* "2 × Cup, 1 × Spoon": of each line so many. */
static json_t *pieces_json(const struct setpay_order *order, const int64_t *quantities)
{
    json_t *words = json_string("");
    for (size_t i = 0; i < order->item_count && words != NULL; i++) {
        if (quantities[i] == 0)
            continue;
        const char *before = json_string_value(words);
        json_t *longer = json_sprintf("%s%s%lld × %s", before, before[0] != '\0' ? ", " : "",
                                      (long long)quantities[i], order->items[i].name);
        json_decref(words);
        words = longer;
    }
    return words;
}

static enum setpay_error append(struct look *look, json_t *row)
{
    return json_array_append_new(look->rows, row) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* ------------------------------------------------------------------ to be sent */

static enum setpay_error add_order(struct look *look, const struct setpay_order_view *view)
{
    int64_t quantities[SETPAY_LIMIT_OFFER_ITEMS] = {0};
    const struct setpay_order *order = &view->order;
    if (setpay_order_to_send(view) == 0)
        return SETPAY_OK;
    (void)setpay_order_sendable_together(view, quantities);
    return append(look, json_pack("{s:s, s:o, s:o, s:o, s:o}", "id", order->order_id, "what",
                                  pieces_json(order, quantities), "where",
                                  setpay_admin_where(view->ship_to), "at",
                                  setpay_admin_time(order->created_ms), "amount",
                                  setpay_admin_money(order->amount.minor, order->amount.currency)));
}

static enum setpay_error look_at(struct setpay_db *db, struct look *look, const char *order_id)
{
    struct setpay_order_view view = {.payments = NULL};
    SETPAY_TRY(setpay_order_view_find(db, look->admin->options.port, order_id,
                                      setpay_clock_now_ms(), &view));
    enum setpay_error error = add_order(look, &view);
    setpay_order_view_clear(&view);
    return error;
}

static enum setpay_error next_to_send(struct setpay_db *db, int64_t after, int64_t *seq,
                                      char order_id[SETPAY_ORDER_ID_SIZE])
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT seq, order_id FROM order_told WHERE to_send <> 0"
                             " AND seq > $1 ORDER BY seq LIMIT 1",
                             SETPAY_DB_INT(after)));
    *seq = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, order_id, SETPAY_ORDER_ID_SIZE);
    return setpay_db_end(rows);
}

static enum setpay_error read_to_send(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    char order_id[SETPAY_ORDER_ID_SIZE];
    int64_t seq = 0;
    enum setpay_error error = SETPAY_OK;
    look->last = look->from;
    for (size_t i = 0; i < LOOKED_AT_MAX && json_array_size(look->rows) < SHOWN; i++) {
        error = next_to_send(db, look->last, &seq, order_id);
        if (error != SETPAY_OK)
            break;
        look->last = seq;
        SETPAY_TRY(look_at(db, look, order_id));
    }
    if (error == SETPAY_OK)
        error = next_to_send(db, look->last, &seq, order_id);
    look->more = error == SETPAY_OK;
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

/* ------------------------------------------------------------------ sent */

static enum setpay_error add_part(struct look *look, const struct setpay_order_view *view,
                                  const struct setpay_part *part)
{
    int64_t quantities[SETPAY_LIMIT_OFFER_ITEMS] = {0};
    const char *status = setpay_part_status_name(view, part);
    for (size_t k = 0; k < part->count; k++) {
        if (part->counts[k].position < SETPAY_LIMIT_OFFER_ITEMS)
            quantities[part->counts[k].position] = part->counts[k].quantity;
    }
    return append(look,
                  json_pack("{s:s, s:o, s:o, s:o, s:s, s:s, s:s, s:s, s:s}", "id",
                            view->order.order_id, "what", pieces_json(&view->order, quantities),
                            "where", setpay_admin_where(view->ship_to), "at",
                            setpay_admin_time(part->created_ms), "carrier", part->carrier,
                            "tracking", part->tracking, "url", part->tracking_url, "status",
                            strcmp(status, "done") == 0 ? "sent" : status, "look",
                            setpay_admin_status_look(status)));
}

static enum setpay_error look_at_part(struct setpay_db *db, struct look *look, int64_t seq,
                                      const char *order_id)
{
    struct setpay_order_view view = {.payments = NULL};
    SETPAY_TRY(setpay_order_view_find(db, look->admin->options.port, order_id,
                                      setpay_clock_now_ms(), &view));
    enum setpay_error error = SETPAY_OK;
    for (size_t i = 0; i < view.parts->count && error == SETPAY_OK; i++) {
        if (view.parts->list[i].seq == seq)
            error = add_part(look, &view, &view.parts->list[i]);
    }
    setpay_order_view_clear(&view);
    return error;
}

static enum setpay_error next_sent(struct setpay_db *db, int64_t before, int64_t *seq,
                                   char order_id[SETPAY_ORDER_ID_SIZE])
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT seq, order_id FROM order_part WHERE kind = $1 AND seq < $2"
                             " ORDER BY seq DESC LIMIT 1",
                             SETPAY_DB_INT(SETPAY_PART_SHIPMENT), SETPAY_DB_INT(before)));
    *seq = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, order_id, SETPAY_ORDER_ID_SIZE);
    return setpay_db_end(rows);
}

static enum setpay_error read_sent(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    char order_id[SETPAY_ORDER_ID_SIZE];
    int64_t seq = 0;
    enum setpay_error error = SETPAY_OK;
    look->last = look->from;
    while (json_array_size(look->rows) < SHOWN) {
        error = next_sent(db, look->last, &seq, order_id);
        if (error != SETPAY_OK)
            break;
        look->last = seq;
        SETPAY_TRY(look_at_part(db, look, seq, order_id));
    }
    if (error == SETPAY_OK)
        error = next_sent(db, look->last, &seq, order_id);
    look->more = error == SETPAY_OK;
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

/* ------------------------------------------------------------------ the page */

void setpay_admin_on_shipments(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin *admin = arg;
    struct setpay_admin_visit visit;
    const char *from = setpay_http_request_query(request, "from");
    struct look look = {.admin = admin, .sent = setpay_http_request_query(request, "sent") != NULL};
    if (!setpay_admin_visit_begin(admin, request, &visit))
        return;
    long long place = from != NULL ? strtoll(from, NULL, 10) : 0;
    look.from = place > 0 ? place : look.sent ? INT64_MAX : 0;
    look.rows = json_array();
    enum setpay_error error =
        look.rows == NULL
            ? SETPAY_E_NOMEM
            : setpay_store_read(admin->reader, look.sent ? read_sent : read_to_send, &look);
    if (error != SETPAY_OK) {
        json_decref(look.rows);
        setpay_admin_reply_failed(admin, request, error);
        return;
    }
    setpay_admin_reply(
        admin, request, &visit, 200, SETPAY_ADMIN_SHIPMENTS, "Shipments", NULL,
        json_pack("{s:o, s:b, s:o}", look.sent ? "parcels" : "orders", look.rows, "sent",
                  (int)look.sent, "next",
                  look.more ? json_sprintf("%lld", (long long)look.last) : json_string("")));
}
