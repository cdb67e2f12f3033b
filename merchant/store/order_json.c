/*
 * Orders for those outside: the same members wherever an order is shown. Amounts are whole minor
 * units beside their currency, times are RFC 3339.
 */
#include "merchant/store/order_json.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ reading */

static enum setpay_error add_payment(void *arg, const struct setpay_payment_view *payment)
{
    struct setpay_order_view *view = arg;
    if (view->payment_count == SETPAY_ORDER_PAYMENTS_MAX) {
        memmove(view->payments, view->payments + 1,
                (SETPAY_ORDER_PAYMENTS_MAX - 1) * sizeof *view->payments);
        view->payment_count--;
    }
    struct setpay_payment_view *grown =
        realloc(view->payments, (view->payment_count + 1) * sizeof *grown);
    if (grown == NULL)
        return SETPAY_E_NOMEM;
    view->payments = grown;
    view->payments[view->payment_count++] = *payment;
    return SETPAY_OK;
}

enum setpay_error setpay_order_view_complete(struct setpay_db *db,
                                             const struct setpay_payment_port *port,
                                             setpay_time_ms now_ms, struct setpay_order_view *view)
{
    enum setpay_purchase_state states[SETPAY_ORDER_PAYMENTS_MAX];
    SETPAY_TRY(port->list(db, view->order.order_id, add_payment, view));
    for (size_t i = 0; i < view->payment_count; i++)
        states[i] = view->payments[i].state;
    view->status = setpay_order_status_of(view->order.end, view->order.expires_ms, states,
                                          view->payment_count, now_ms);
    return SETPAY_OK;
}

enum setpay_error setpay_order_view_find(struct setpay_db *db,
                                         const struct setpay_payment_port *port,
                                         const char *order_id, setpay_time_ms now_ms,
                                         struct setpay_order_view *view)
{
    SETPAY_TRY(setpay_order_find(db, order_id, &view->order));
    enum setpay_error error = setpay_order_view_complete(db, port, now_ms, view);
    if (error != SETPAY_OK)
        setpay_order_view_clear(view);
    return error;
}

void setpay_order_view_clear(struct setpay_order_view *view)
{
    setpay_order_clear(&view->order);
    free(view->payments);
    memset(view, 0, sizeof *view);
}

/* ------------------------------------------------------------------ as JSON */

const char *setpay_payment_status_name(enum setpay_purchase_state state)
{
    switch (state) {
    case SETPAY_PURCHASE_AUTHORISED:
        return "authorised";
    case SETPAY_PURCHASE_DECLINED:
        return "declined";
    case SETPAY_PURCHASE_VOIDED:
        return "voided";
    case SETPAY_PURCHASE_REVERSED:
        return "reversed";
    case SETPAY_PURCHASE_LAPSED:
        return "lapsed";
    case SETPAY_PURCHASE_REVERSING:
        return "reversing";
    default:
        return "paying";
    }
}

/* Takes value; remembers in *whole that something was lost for want of memory. */
static void set(json_t *object, const char *name, json_t *value, bool *whole)
{
    if (json_object_set_new(object, name, value) != 0)
        *whole = false;
}

static void append(json_t *array, json_t *value, bool *whole)
{
    if (json_array_append_new(array, value) != 0)
        *whole = false;
}

static json_t *time_json(setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    return time_ms == 0 ? json_null() : json_string(setpay_time_format(time_ms, text));
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *item_json(const struct setpay_item *item, bool *whole)
{
    json_t *json = json_object();
    set(json, "name", json_string(item->name), whole);
    set(json, "quantity", json_integer(item->quantity), whole);
    set(json, "unit_amount", json_integer(item->unit_minor), whole);
    set(json, "total", json_integer(item->total_minor), whole);
    if (item->sku[0] != '\0')
        set(json, "sku", json_string(item->sku), whole);
    return json;
}

static json_t *payment_json(const struct setpay_payment_view *payment, bool *whole)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    json_t *json = json_object();
    set(json, "xid", json_string(setpay_id_format(&payment->xid, xid)), whole);
    set(json, "status", json_string(setpay_payment_status_name(payment->state)), whole);
    set(json, "brand", json_string(payment->brand), whole);
    set(json, "amount", json_integer(payment->amount.minor), whole);
    set(json, "approved_amount", json_integer(payment->approved.minor), whole);
    set(json, "currency", json_string(payment->amount.currency), whole);
    set(json, "approval_code", text_or_null(payment->approval_code), whole);
    set(json, "action_code", text_or_null(payment->action_code), whole);
    set(json, "created", time_json(payment->created_ms), whole);
    set(json, "decided", time_json(payment->decided_ms), whole);
    set(json, "hold_expires", time_json(payment->hold_expiry_ms), whole);
    return json;
}

json_t *setpay_order_view_json(const struct setpay_order_view *view, const char *public_host,
                               bool full)
{
    const struct setpay_order *order = &view->order;
    bool whole = true;
    json_t *json = json_object();
    json_t *items = json_array();
    set(json, "order_id", json_string(order->order_id), &whole);
    set(json, "status", json_string(setpay_order_status_name(view->status)), &whole);
    set(json, "amount", json_integer(order->amount.minor), &whole);
    set(json, "currency", json_string(order->amount.currency), &whole);
    set(json, "pay_uri", json_sprintf("setpay://%s/pay/%s", public_host, order->token), &whole);
    if (order->description[0] != '\0')
        set(json, "description", json_string(order->description), &whole);
    for (size_t i = 0; i < order->item_count; i++)
        append(items, item_json(&order->items[i], &whole), &whole);
    set(json, "items", items, &whole);
    set(json, "capture", json_string(setpay_order_capture_name(order->capture)), &whole);
    set(json, "metadata", json_loads(order->metadata, 0, NULL), &whole);
    set(json, "created", time_json(order->created_ms), &whole);
    set(json, "expires", time_json(order->expires_ms), &whole);
    if (full) {
        json_t *payments = json_array();
        for (size_t i = 0; i < view->payment_count; i++)
            append(payments, payment_json(&view->payments[i], &whole), &whole);
        set(json, "payments", payments, &whole);
        set(json, "captures", json_array(), &whole);
        set(json, "refunds", json_array(), &whole);
        set(json, "shipments", json_array(), &whole);
    }
    if (whole)
        return json;
    json_decref(json);
    return NULL;
}
