/*
 * GET /orders/{token}: what is paid, and by which link; later, what has become of it: the receipt
 * (brand, approval code, captures, refunds) and what was sent, with its tracking. Whoever has the
 * token has the pay link, and sees all of it: never the address, metadata, an xid, or whose order
 * it is (docs/privacy.md).
 */
#include "common/base/log.h"
#include "merchant/store/www/bill.h"
#include "merchant/store/www/order_words.h"
#include "merchant/store/www/qr.h"
#include "merchant/store/www/stream.h"
#include "merchant/store/www/visit.h"

#include <string.h>

struct look {
    const struct setpay_www *www;
    const char *token;
    struct setpay_order_view view;
    struct setpay_visit visit;
    struct setpay_cart cart;
    json_t *values;
};

static enum setpay_error read_order(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    SETPAY_TRY(setpay_www_find_order(db, look->www, look->token, &look->view));
    return setpay_visit_frame(db, look->www, &look->visit, &look->cart, look->values);
}

static json_t *items_json(const struct setpay_order_view *view)
{
    const struct setpay_order *order = &view->order;
    json_t *items = json_array();
    for (size_t i = 0; i < order->item_count && items != NULL; i++) {
        const struct setpay_item *item = &order->items[i];
        json_t *row =
            json_pack("{s:s, s:I, s:o, s:o, s:o}", "name", item->name, "quantity",
                      (json_int_t)item->quantity, "became", setpay_order_line_words(view, i),
                      "unit", setpay_www_money_json(item->unit_minor, order->amount.currency),
                      "total", setpay_www_money_json(item->total_minor, order->amount.currency));
        if (json_array_append_new(items, row) != 0) {
            json_decref(items);
            items = NULL;
        }
    }
    return items;
}

/* Why the last attempt was refused. */
static const char *reason_of(const struct setpay_order_view *view)
{
    if (view->status != SETPAY_ORDER_STATUS_DECLINED || view->payment_count == 0)
        return "";
    return setpay_decline_words(view->payments[view->payment_count - 1].action_code);
}

static enum setpay_error add_values(struct look *look)
{
    const struct setpay_order_view *view = &look->view;
    const struct setpay_order *order = &view->order;
    json_t *values = look->values;
    char seen[SETPAY_STREAM_SEEN_SIZE];
    bool whole = true;
    /* An order of one line has it as its item. */
    bool repeats = order->item_count == 1 && strcmp(order->items[0].name, order->description) == 0;
    bool payable =
        view->status == SETPAY_ORDER_STATUS_OPEN || view->status == SETPAY_ORDER_STATUS_DECLINED;
    bool moving = setpay_order_is_moving(view->status);
    SETPAY_TRY(setpay_stream_seen(view, seen));
    setpay_shop_set(values, "order_id", json_string(order->order_id), &whole);
    setpay_shop_set(values, "seen", json_string(seen), &whole);
    setpay_shop_set(values, "status_words", json_string(setpay_order_words(view->status)), &whole);
    setpay_shop_set(values, "tone", json_string(setpay_order_tone(view->status)), &whole);
    setpay_shop_set(values, "reason", json_string(reason_of(view)), &whole);
    setpay_shop_set(values, "turns", json_boolean(view->status == SETPAY_ORDER_STATUS_PAYING),
                    &whole);
    setpay_shop_set(values, "description", json_string(repeats ? "" : order->description), &whole);
    setpay_shop_set(values, "items", items_json(view), &whole);
    setpay_shop_set(values, "total",
                    setpay_www_money_json(order->amount.minor, order->amount.currency), &whole);
    setpay_bill_tax_notes(order, values, &whole);
    setpay_shop_set(values, "created", setpay_www_time_json(order->created_ms), &whole);
    setpay_shop_set(values, "expires", setpay_www_time_json(order->expires_ms), &whole);
    setpay_shop_set(values, "shipments", setpay_order_shipments(view), &whole);
    setpay_shop_set(values, "receipt", setpay_order_receipt(view), &whole);
    setpay_shop_set(values, "refresh", json_boolean(moving), &whole);
    setpay_shop_set(values, "follow", json_string(setpay_order_is_over(view->status) ? "" : "yes"),
                    &whole);
    setpay_shop_set(values, "narrow", json_true(), &whole);
    setpay_shop_set(
        values, "pay_uri",
        payable ? json_sprintf("setpay://%s/pay/%s", look->www->options.public_host, order->token)
                : json_null(),
        &whole);
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* The page has no form, so that it needs no cookie. Takes look->values. */
static void reply(struct setpay_www *www, struct setpay_http_request *request, struct look *look)
{
    struct setpay_buffer qr;
    const char *pay_uri = json_string_value(json_object_get(look->values, "pay_uri"));
    setpay_buffer_init(&qr, SETPAY_QR_BYTES_MAX);
    enum setpay_error error =
        pay_uri != NULL ? setpay_qr_svg(setpay_view_string(pay_uri), &qr) : SETPAY_OK;
    if (error == SETPAY_OK) {
        setpay_www_reply(www, request,
                         &(struct setpay_www_answer){.status = 200,
                                                     .page = SETPAY_WWW_ORDER,
                                                     .title = "Your order",
                                                     .is_private = true,
                                                     .qr = setpay_buffer_view(&qr),
                                                     .values = look->values});
    } else {
        json_decref(look->values);
        setpay_visit_fail(www, request, error);
    }
    setpay_buffer_clear(&qr);
}

void setpay_www_on_order(struct setpay_http_request *request, void *arg)
{
    struct setpay_www *www = arg;
    struct look look = {
        .www = www, .token = setpay_http_request_param(request, "token"), .values = json_object()};
    enum setpay_error error = look.values == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_visit_begin(www, request, &look.visit);
    if (error == SETPAY_OK)
        error = strlen(look.token) < SETPAY_ORDER_TOKEN_SIZE
                    ? setpay_store_read(www->reader, read_order, &look)
                    : SETPAY_E_NOT_FOUND;
    if (error == SETPAY_OK)
        error = add_values(&look);
    if (error == SETPAY_OK) {
        reply(www, request, &look);
    } else {
        json_decref(look.values);
        setpay_visit_fail(www, request, error);
    }
    setpay_order_view_clear(&look.view);
}
