/*
 * Orders for those outside: the same members wherever an order is shown. Amounts are whole minor
 * units beside their currency, times are RFC 3339.
 */
#include "merchant/store/order_json.h"

#include "merchant/store/order_terms.h"
#include "merchant/store/part.h"
#include "merchant/store/quote.h"

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
    SETPAY_TRY(setpay_quote_find(db, view->order.order_id, &view->order.quote));
    SETPAY_TRY(port->list(db, view->order.order_id, add_payment, view));
    view->status = setpay_order_status_of(view->order.end, view->order.expires_ms, view->payments,
                                          view->payment_count, now_ms);
    return SETPAY_OK;
}

struct adding {
    struct setpay_order_view *view;
    const struct setpay_id *xid;
};

static enum setpay_error add_step(void *arg, const struct setpay_step_view *step)
{
    const struct adding *adding = arg;
    struct setpay_order_view *view = adding->view;
    struct setpay_order_step *grown = realloc(view->steps, (view->step_count + 1) * sizeof *grown);
    if (grown == NULL)
        return SETPAY_E_NOMEM;
    view->steps = grown;
    view->steps[view->step_count++] =
        (struct setpay_order_step){.xid = *adding->xid, .step = *step};
    return SETPAY_OK;
}

static enum setpay_error find_steps(struct setpay_db *db, const struct setpay_payment_port *port,
                                    struct setpay_order_view *view)
{
    for (size_t i = 0; i < view->payment_count; i++) {
        struct adding adding = {view, &view->payments[i].xid};
        if (view->payments[i].approved.minor > 0)
            SETPAY_TRY(port->list_steps(db, adding.xid, add_step, &adding));
    }
    return SETPAY_OK;
}

/* That of the newest payment that has one. */
static enum setpay_error find_agreement(struct setpay_db *db,
                                        const struct setpay_payment_port *port,
                                        setpay_time_ms now_ms, struct setpay_order_view *view)
{
    if (view->order.agreed.terms.kind == SETPAY_TERMS_SINGLE)
        return SETPAY_OK;
    for (size_t i = view->payment_count; i-- > 0 && !view->has_agreement;) {
        enum setpay_error error =
            port->agreement(db, &view->payments[i].xid, now_ms, &view->agreement);
        view->has_agreement = error == SETPAY_OK;
        if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
            return error;
    }
    return SETPAY_OK;
}

static enum setpay_error find_ship_to(struct setpay_db *db, struct setpay_order_view *view)
{
    struct setpay_ship_to *found = calloc(1, sizeof *found);
    if (found == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = setpay_ship_to_find(db, view->order.order_id, found);
    if (error == SETPAY_OK)
        view->ship_to = found;
    else
        free(found);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

enum setpay_error setpay_order_view_find(struct setpay_db *db,
                                         const struct setpay_payment_port *port,
                                         const char *order_id, setpay_time_ms now_ms,
                                         struct setpay_order_view *view)
{
    SETPAY_TRY(setpay_order_find(db, order_id, &view->order));
    enum setpay_error error = setpay_order_view_complete(db, port, now_ms, view);
    if (error == SETPAY_OK)
        error = find_steps(db, port, view);
    if (error == SETPAY_OK)
        error = find_agreement(db, port, now_ms, view);
    if (error == SETPAY_OK)
        error = find_ship_to(db, view);
    if (error == SETPAY_OK)
        error = setpay_parts_find(db, view, &view->parts);
    if (error != SETPAY_OK)
        setpay_order_view_clear(view);
    return error;
}

void setpay_order_view_clear(struct setpay_order_view *view)
{
    setpay_order_clear(&view->order);
    free(view->payments);
    free(view->steps);
    free(view->ship_to);
    setpay_parts_free(view->parts);
    memset(view, 0, sizeof *view);
}

/* ------------------------------------------------------------------ as JSON */

const char *setpay_payment_status_name(const struct setpay_payment_view *payment)
{
    switch (payment->state) {
    case SETPAY_PURCHASE_AUTHORISED:
    case SETPAY_PURCHASE_STEPPING:
    case SETPAY_PURCHASE_CAPTURED:
        return payment->captured_minor > 0 ? "captured" : "authorised";
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
    set(json, "status", json_string(setpay_payment_status_name(payment)), whole);
    set(json, "brand", json_string(payment->brand), whole);
    set(json, "amount", json_integer(payment->amount.minor), whole);
    set(json, "approved_amount", json_integer(payment->approved.minor), whole);
    set(json, "captured_amount", json_integer(payment->captured_minor), whole);
    set(json, "refunded_amount", json_integer(payment->credited_minor), whole);
    set(json, "released_amount", json_integer(payment->released_minor), whole);
    set(json, "currency", json_string(payment->amount.currency), whole);
    set(json, "approval_code", text_or_null(payment->approval_code), whole);
    set(json, "action_code", text_or_null(payment->action_code), whole);
    set(json, "created", time_json(payment->created_ms), whole);
    set(json, "decided", time_json(payment->decided_ms), whole);
    set(json, "hold_expires", time_json(payment->hold_expiry_ms), whole);
    return json;
}

const char *setpay_step_kind_name(enum setpay_merchant_step_kind kind)
{
    switch (kind) {
    case SETPAY_MERCHANT_STEP_CAPTURE:
        return "capture";
    case SETPAY_MERCHANT_STEP_CREDIT:
        return "refund";
    case SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL:
        return "capture reversal";
    case SETPAY_MERCHANT_STEP_CREDIT_REVERSAL:
        return "refund reversal";
    case SETPAY_MERCHANT_STEP_AUTHORISE:
        return "authorisation";
    case SETPAY_MERCHANT_STEP_CANCEL:
        return "cancellation";
    default:
        return "release";
    }
}

const char *setpay_step_status_name(const struct setpay_step_view *step)
{
    if (step->asking)
        return "asking";
    return step->code != 0 ? "refused" : step->declined ? "declined" : "done";
}

static json_t *id_json(const struct setpay_id *id)
{
    char text[SETPAY_ID_TEXT_SIZE];
    return setpay_id_is_zero(id) ? json_null() : json_string(setpay_id_format(id, text));
}

/* With which settlement the gateway has paid it. */
static json_t *settled_json(const struct setpay_step_view *step)
{
    char id[SETPAY_ID_TEXT_SIZE];
    return step->is_settled
               ? json_pack("{s:s, s:s, s:o}", "settlement_id",
                           setpay_id_format(&step->settlement, id), "day", step->settled_day,
                           "paid_amount",
                           step->is_paid_in_part ? json_integer(step->paid_minor) : json_null())
               : json_null();
}

static json_t *step_json(const struct setpay_order_step *of_payment, bool *whole)
{
    const struct setpay_step_view *step = &of_payment->step;
    bool captures = step->kind == SETPAY_MERCHANT_STEP_CAPTURE;
    bool credits = step->kind == SETPAY_MERCHANT_STEP_CREDIT;
    bool authorises = step->kind == SETPAY_MERCHANT_STEP_AUTHORISE;
    json_t *json = json_object();
    set(json, "id", id_json(&step->id), whole);
    set(json, "payment", id_json(&of_payment->xid), whole);
    if (credits)
        set(json, "capture_id", id_json(&step->of), whole);
    if (authorises) {
        set(json, "approval_code", text_or_null(step->approval_code), whole);
        set(json, "action_code", text_or_null(step->action_code), whole);
        set(json, "hold_expires", time_json(step->hold_expiry_ms), whole);
    }
    if (captures && !setpay_id_is_zero(&step->of))
        set(json, "authorisation_id", id_json(&step->of), whole);
    if (!captures && !credits && !authorises) {
        set(json, "kind", json_string(setpay_step_kind_name(step->kind)), whole);
        set(json, "of", id_json(&step->of), whole);
    }
    set(json, "status", json_string(setpay_step_status_name(step)), whole);
    set(json, "amount", json_integer(step->amount.minor), whole);
    set(json, "currency", json_string(step->amount.currency), whole);
    if (captures)
        set(json, "refunded_amount", json_integer(step->credited_minor), whole);
    if (captures || credits)
        set(json, "undone", json_boolean(step->undone), whole);
    set(json, "batch", step->batch == 0 ? json_null() : json_integer(step->batch), whole);
    if (captures || credits)
        set(json, "settled", settled_json(step), whole);
    set(json, "code", step->code == 0 ? json_null() : json_integer(step->code), whole);
    set(json, "created", time_json(step->created_ms), whole);
    set(json, "decided", time_json(step->decided_ms), whole);
    return json;
}

static void add_steps(const struct setpay_order_view *view, json_t *json, bool *whole)
{
    json_t *captures = json_array();
    json_t *refunds = json_array();
    json_t *reversals = json_array();
    json_t *authorisations = json_array();
    for (size_t i = 0; i < view->step_count; i++) {
        enum setpay_merchant_step_kind kind = view->steps[i].step.kind;
        append(kind == SETPAY_MERCHANT_STEP_CAPTURE     ? captures
               : kind == SETPAY_MERCHANT_STEP_CREDIT    ? refunds
               : kind == SETPAY_MERCHANT_STEP_AUTHORISE ? authorisations
                                                        : reversals,
               step_json(&view->steps[i], whole), whole);
    }
    if (view->order.agreed.terms.kind == SETPAY_TERMS_SINGLE)
        json_decref(authorisations);
    else
        set(json, "authorisations", authorisations, whole);
    set(json, "captures", captures, whole);
    set(json, "refunds", refunds, whole);
    set(json, "reversals", reversals, whole);
}

/* The page shows the pay link, so that both are told together or not at all. */
static void add_links(const struct setpay_order *order, const struct setpay_order_links *links,
                      json_t *json, bool *whole)
{
    set(json, "pay_uri", json_sprintf("setpay://%s/pay/%s", links->public_host, order->token),
        whole);
    if (links->shop_url != NULL)
        set(json, "checkout_url", json_sprintf("%s/orders/%s", links->shop_url, order->token),
            whole);
}

json_t *setpay_order_view_json(const struct setpay_order_view *view,
                               const struct setpay_order_links *links, bool full)
{
    const struct setpay_order *order = &view->order;
    bool whole = true;
    json_t *json = json_object();
    json_t *items = json_array();
    set(json, "order_id", json_string(order->order_id), &whole);
    set(json, "status", json_string(setpay_order_status_name(view->status)), &whole);
    set(json, "amount", json_integer(order->amount.minor), &whole);
    set(json, "currency", json_string(order->amount.currency), &whole);
    if (links != NULL)
        add_links(order, links, json, &whole);
    if (order->description[0] != '\0')
        set(json, "description", json_string(order->description), &whole);
    for (size_t i = 0; i < order->item_count; i++)
        append(items, item_json(&order->items[i], &whole), &whole);
    set(json, "items", items, &whole);
    if (order->quote != NULL)
        setpay_quote_json(order->quote, json, &whole);
    set(json, "capture", json_string(setpay_order_capture_name(order->capture)), &whole);
    if (order->agreed.terms.kind > SETPAY_TERMS_SINGLE)
        set(json, "terms", setpay_order_terms_json(&order->agreed), &whole);
    if (view->has_agreement)
        set(json, "agreement", setpay_order_agreement_json(&view->agreement), &whole);
    set(json, "metadata", json_loads(order->metadata, 0, NULL), &whole);
    set(json, "created", time_json(order->created_ms), &whole);
    set(json, "expires", time_json(order->expires_ms), &whole);
    if (full && view->ship_to != NULL)
        set(json, "ship_to", setpay_ship_to_json(view->ship_to), &whole);
    if (full) {
        json_t *payments = json_array();
        for (size_t i = 0; i < view->payment_count; i++)
            append(payments, payment_json(&view->payments[i], &whole), &whole);
        set(json, "payments", payments, &whole);
        add_steps(view, json, &whole);
        setpay_parts_json(view, json, &whole);
    }
    if (whole)
        return json;
    json_decref(json);
    return NULL;
}

json_t *setpay_order_event_json(const struct setpay_order_view *view)
{
    bool whole = true;
    json_t *json = setpay_order_view_json(view, NULL, false);
    if (json == NULL)
        return NULL;
    set(json, "payment",
        view->payment_count == 0 ? json_null()
                                 : payment_json(&view->payments[view->payment_count - 1], &whole),
        &whole);
    if (whole)
        return json;
    json_decref(json);
    return NULL;
}
