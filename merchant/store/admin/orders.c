/*
 * GET /: the orders, the youngest first; by status, by words, page by page.
 */
#include "merchant/store/admin/admin_internal.h"

#include "merchant/store/order_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 25

struct look {
    struct setpay_order_list wanted;
    char q[SETPAY_ORDER_LIST_WORDS_BYTES + 1];
    struct setpay_order_places places;
    json_t *orders; /* owned */
};

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

static enum setpay_error look_at(struct setpay_db *db, struct look *look, int64_t seq)
{
    struct setpay_order_view view = {.payments = NULL};
    bool fits = false;
    enum setpay_error error = setpay_order_list_view(db, &look->wanted, seq, &view, &fits);
    if (error == SETPAY_OK && fits && json_array_append_new(look->orders, row_json(&view)) != 0)
        error = SETPAY_E_NOMEM;
    setpay_order_view_clear(&view);
    return error;
}

static enum setpay_error read_orders(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    SETPAY_TRY(setpay_order_list_find(db, &look->wanted, &look->places));
    for (size_t i = 0; i < look->places.count; i++)
        SETPAY_TRY(look_at(db, look, look->places.seqs[i]));
    return SETPAY_OK;
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

/* What the address asks for; a status that there is none of is all. */
static void read_query(const struct setpay_http_request *request, struct look *look)
{
    const char *q = setpay_http_request_query(request, "q");
    const char *status = setpay_http_request_query(request, "status");
    const char *before = setpay_http_request_query(request, "before");
    (void)snprintf(look->q, sizeof look->q, "%s", q != NULL ? q : "");
    if (!setpay_text_is_utf8(setpay_view_string(look->q)))
        look->q[0] = '\0'; /* cut within a character */
    look->wanted.words = look->q;
    look->wanted.has_status =
        status != NULL && setpay_order_status_parse(status, &look->wanted.status) == SETPAY_OK;
    if (before != NULL && strtoll(before, NULL, 10) > 0)
        look->wanted.before_seq = strtoll(before, NULL, 10);
}

void setpay_admin_on_orders(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin *admin = arg;
    struct setpay_admin_visit visit;
    struct look look = {.wanted = {.port = admin->options.port,
                                   .now_ms = setpay_clock_now_ms(),
                                   .before_seq = INT64_MAX,
                                   .limit = SHOWN}};
    if (!setpay_admin_visit_begin(admin, request, &visit))
        return;
    read_query(request, &look);
    look.orders = json_array();
    enum setpay_error error =
        look.orders == NULL ? SETPAY_E_NOMEM : setpay_store_read(admin->reader, read_orders, &look);
    if (error != SETPAY_OK) {
        json_decref(look.orders);
        setpay_admin_reply_failed(admin, request, error);
        return;
    }
    const char *status = look.wanted.has_status ? setpay_order_status_name(look.wanted.status) : "";
    setpay_admin_reply(admin, request, &visit, 200, SETPAY_ADMIN_ORDERS, "Orders", NULL,
                       json_pack("{s:o, s:s, s:s, s:o, s:o}", "orders", look.orders, "q", look.q,
                                 "status_value", status, "statuses", statuses_json(status), "next",
                                 look.places.more
                                     ? json_sprintf("%lld", (long long)look.places.last_seq)
                                     : json_string("")));
}
