/*
 * GET /orders/{id}: an order, what has happened to it, and what can be done with it now.
 */
#include "merchant/store/admin/admin_internal.h"

#include "merchant/store/order_json.h"
#include "merchant/store/part.h"
#include "merchant/store/quote.h"
#include "merchant/store/shop_acts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HAPPENINGS_MAX 512

/* One line of the timeline. */
struct happening {
    setpay_time_ms at_ms;
    size_t place; /* among those of one moment */
    json_t *json; /* owned */
};

struct look {
    const struct setpay_admin *admin;
    const char *order_id;
    const struct setpay_admin_refused *refused; /* NULL: no form of the page was */
    struct setpay_order_view view;
    int64_t capturable;
    struct happening happenings[HAPPENINGS_MAX];
    size_t count;
};

/* json is taken. */
static enum setpay_error add(struct look *look, setpay_time_ms at_ms, const char *status,
                             json_t *what, json_t *detail)
{
    json_t *json = json_pack("{s:o, s:o, s:o, s:s, s:o}", "at", setpay_admin_time(at_ms), "what",
                             what, "status", setpay_admin_status(status), "look",
                             setpay_admin_status_look(status), "detail", detail);
    if (json == NULL)
        return SETPAY_E_NOMEM;
    if (look->count == HAPPENINGS_MAX) {
        json_decref(json);
        return SETPAY_OK;
    }
    look->happenings[look->count] = (struct happening){at_ms, look->count, json};
    look->count++;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ the timeline */

/* The statuses that it had, as long as the order is there (order_tell.c). */
static enum setpay_error add_history(struct setpay_db *db, struct look *look)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT status, at_ms FROM order_history WHERE order_id = $1"
                                " ORDER BY seq LIMIT 200",
                                SETPAY_DB_TEXT(look->order_id)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        char status[40];
        setpay_db_get_text(rows, 0, status, sizeof status);
        for (char *at = status; (at = strchr(at, '_')) != NULL;)
            *at = ' ';
        error = add(look, setpay_db_get_int(rows, 1), "",
                    strcmp(status, "paying") == 0 ? json_string("A payment was begun")
                    : strcmp(status, "open") == 0
                        ? json_string("The payment came to nothing: it can be paid again")
                        : json_sprintf("The order is %s", status),
                    json_string(""));
    }
    enum setpay_error ended = setpay_db_end(rows);
    return error != SETPAY_OK ? error : ended;
}

static enum setpay_error add_payments(struct look *look)
{
    for (size_t i = 0; i < look->view.payment_count; i++) {
        const struct setpay_payment_view *payment = &look->view.payments[i];
        char amount[SETPAY_MONEY_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
        SETPAY_TRY(add(
            look, payment->created_ms, setpay_payment_status_name(payment),
            json_sprintf("Payment of %s by %s", setpay_money_format(&payment->amount, amount),
                         payment->brand),
            json_sprintf("%s%s%s%s xid %s", payment->approval_code[0] != '\0' ? "approval " : "",
                         payment->approval_code, payment->action_code[0] != '\0' ? " action " : "",
                         payment->action_code, setpay_id_format(&payment->xid, xid))));
    }
    return SETPAY_OK;
}

/* A capture or refund that was paid leads to its settlement. */
static enum setpay_error add_settled(json_t *happening, const struct setpay_step_view *step)
{
    char id[SETPAY_ID_TEXT_SIZE];
    json_t *part = step->is_paid_in_part
                       ? setpay_admin_money(step->paid_minor, step->amount.currency)
                       : json_string("");
    bool whole = json_object_set_new(happening, "settled_part", part) == 0 &&
                 json_object_set_new(happening, "settlement",
                                     json_string(setpay_id_format(&step->settlement, id))) == 0 &&
                 json_object_set_new(happening, "settled", json_string(step->settled_day)) == 0;
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error add_steps(struct look *look)
{
    for (size_t i = 0; i < look->view.step_count; i++) {
        const struct setpay_step_view *step = &look->view.steps[i].step;
        char amount[SETPAY_MONEY_TEXT_SIZE], kind[40];
        (void)snprintf(kind, sizeof kind, "%s", setpay_step_kind_name(step->kind));
        if (kind[0] >= 'a' && kind[0] <= 'z')
            kind[0] = (char)(kind[0] - 'a' + 'A');
        json_t *detail = step->code != 0    ? json_sprintf("code %u", (unsigned)step->code)
                         : step->undone     ? json_string("undone")
                         : step->batch != 0 ? json_sprintf("batch %u", (unsigned)step->batch)
                                            : json_string("");
        size_t place = look->count;
        SETPAY_TRY(add(look, step->created_ms, setpay_step_status_name(step),
                       json_sprintf("%s of %s", kind, setpay_money_format(&step->amount, amount)),
                       detail));
        if (step->is_settled && place < look->count)
            SETPAY_TRY(add_settled(look->happenings[place].json, step));
    }
    return SETPAY_OK;
}

static json_t *tracking_words(const struct setpay_part *part)
{
    const char *number = part->tracking[0] != '\0' ? "tracking " : "";
    const char *after_carrier =
        part->carrier[0] != '\0' && (number[0] != '\0' || part->tracking_url[0] != '\0') ? ", "
                                                                                         : "";
    return json_sprintf("%s%s%s%s%s%s", part->carrier, after_carrier, number, part->tracking,
                        number[0] != '\0' && part->tracking_url[0] != '\0' ? ", " : "",
                        part->tracking_url);
}

static enum setpay_error add_parts(struct look *look)
{
    const struct setpay_parts *parts = look->view.parts;
    for (size_t i = 0; i < parts->count; i++) {
        const struct setpay_part *part = &parts->list[i];
        char words[512] = "";
        size_t used = 0;
        for (size_t k = 0; k < part->count && used + 120 < sizeof words; k++) {
            size_t position = part->counts[k].position;
            if (position < look->view.order.item_count)
                used += (size_t)snprintf(words + used, sizeof words - used, "%s%lld × %.80s",
                                         k > 0 ? ", " : "", (long long)part->counts[k].quantity,
                                         look->view.order.items[position].name);
        }
        if (!setpay_text_is_utf8(setpay_view_string(words)))
            words[0] = '\0'; /* a name was cut within a character */
        bool ships = part->kind == SETPAY_PART_SHIPMENT;
        if (part->kind == SETPAY_PART_GIVEN_UP)
            continue;
        SETPAY_TRY(add(look, part->created_ms, setpay_part_status_name(&look->view, part),
                       json_sprintf("%s: %s", ships ? "Sent" : "Given back", words),
                       ships ? tracking_words(part)
                             : json_string(part->restock && part->settled == SETPAY_PART_DONE
                                               ? "back in stock"
                                               : "")));
    }
    return SETPAY_OK;
}

static int compare(const void *a, const void *b)
{
    const struct happening *first = a, *second = b;
    if (first->at_ms != second->at_ms)
        return first->at_ms < second->at_ms ? -1 : 1;
    return first->place < second->place ? -1 : first->place > second->place ? 1 : 0;
}

static enum setpay_error read_order(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    SETPAY_TRY(setpay_order_view_find(db, look->admin->options.port, look->order_id,
                                      setpay_clock_now_ms(), &look->view));
    const struct setpay_payment_view *payment =
        setpay_order_standing(look->view.payments, look->view.payment_count);
    if (payment != NULL && payment->approved.minor > 0)
        SETPAY_TRY(look->admin->options.port->capturable(db, &payment->xid, &look->capturable));
    SETPAY_TRY(add_history(db, look));
    SETPAY_TRY(add_payments(look));
    SETPAY_TRY(add_steps(look));
    SETPAY_TRY(add_parts(look));
    qsort(look->happenings, look->count, sizeof *look->happenings, compare);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ what was typed */

/* The forms of the page, by the names that its template has for them. */
static const struct form {
    const char *name, *act;
    const char *fields[3];
    bool by_line; /* told apart from another one of the same act */
} forms[] = {
    {"ship", "ship", {"carrier", "tracking", "tracking_url"}, false},
    {"take", "capture", {"amount"}, false},
    {"lines", "refund", {"of", "restock"}, true},
    {"give", "refund", {"amount"}, false},
};
#define FORMS (sizeof forms / sizeof *forms)
enum { SHIP, TAKE, BACK };

/* Whether it is the one that was refused. */
static bool is_refused(const struct look *look, size_t form)
{
    return look->refused != NULL && strcmp(look->refused->act, forms[form].act) == 0 &&
           forms[form].by_line == (setpay_form_get(look->refused->form, "by_line")[0] != '\0');
}

/* Why the field of a form is not taken; "": it is, or it is of another form. */
static const char *wrong_with(const struct look *look, size_t form, const char *field)
{
    return is_refused(look, form) && strcmp(look->refused->fault->field, field) == 0
               ? look->refused->fault->words
               : "";
}

/* {"ship": {"carrier": …, "wrong_carrier": …}, …}: what stands in each. */
static void add_forms(const struct look *look, const char *held, json_t *values, bool *whole)
{
    for (size_t i = 0; i < FORMS; i++) {
        const struct setpay_form *typed = is_refused(look, i) ? look->refused->form : NULL;
        json_t *form = json_object();
        for (size_t k = 0; k < 3 && forms[i].fields[k] != NULL; k++) {
            const char *field = forms[i].fields[k];
            char wrong[32];
            (void)snprintf(wrong, sizeof wrong, "wrong_%s", field);
            setpay_shop_set(form, field,
                            json_string(typed != NULL ? setpay_form_get(typed, field)
                                        : i == TAKE   ? held
                                                      : ""),
                            whole);
            setpay_shop_set(form, wrong, json_string(wrong_with(look, i, field)), whole);
        }
        const char *of = json_string_value(json_object_get(form, "of"));
        setpay_shop_set(form, "unsent", json_boolean(of != NULL && strcmp(of, "unsent") == 0),
                        whole);
        setpay_shop_set(form, "sent", json_boolean(of != NULL && strcmp(of, "sent") == 0), whole);
        setpay_shop_set(values, forms[i].name, form, whole);
    }
}

/* How many of a line stand in a form: usual, or what was typed. */
static json_t *pieces_json(const struct look *look, size_t form, const char *field, int64_t usual)
{
    return is_refused(look, form) ? json_string(setpay_form_get(look->refused->form, field))
                                  : json_sprintf("%lld", (long long)usual);
}

/* ------------------------------------------------------------------ the page */

/* The lines, and into *refundable whether something may come back, into *choose whether more of
 * some may be sent where less is of others. */
static json_t *items_json(const struct look *look, bool may_send, bool *refundable, bool *choose)
{
    const struct setpay_order *order = &look->view.order;
    const struct setpay_parts *parts = look->view.parts;
    int64_t together[SETPAY_LIMIT_OFFER_ITEMS] = {0};
    json_t *items = json_array();
    (void)setpay_order_sendable_together(&look->view, together);
    for (size_t i = 0; i < order->item_count && items != NULL; i++) {
        const struct setpay_item *item = &order->items[i];
        char field[8];
        (void)snprintf(field, sizeof field, "q%zu", i + 1);
        int64_t send = may_send ? setpay_order_sendable(&look->view, i) : 0;
        int64_t back = setpay_part_refundable(
            parts, i, order->capture == SETPAY_CAPTURE_ON_SHIPMENT, SETPAY_PART_OF_ANY);
        *refundable = *refundable || back > 0;
        *choose = *choose || (send > 0 && together[i] < send);
        json_t *row = json_pack(
            "{s:i, s:s, s:s, s:I, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:s, s:s}", "line",
            (int)i + 1, "name", item->name, "sku", item->sku, "quantity",
            (json_int_t)item->quantity, "unit",
            setpay_admin_money(item->unit_minor, order->amount.currency), "total",
            setpay_admin_money(item->total_minor, order->amount.currency), "shipped",
            (json_int_t)parts->lines[i].shipped, "refunded", (json_int_t)parts->lines[i].refunded,
            "send", send > 0 ? json_integer(send) : json_null(), "sending",
            pieces_json(look, SHIP, field, together[i]), "back",
            back > 0 ? json_integer(back) : json_null(), "giving",
            pieces_json(look, BACK, field, 0), "wrong_send", wrong_with(look, SHIP, field),
            "wrong_back", wrong_with(look, BACK, field));
        if (json_array_append_new(items, row) != 0) {
            json_decref(items);
            items = NULL;
        }
    }
    return items;
}

static json_t *metadata_json(const struct setpay_order *order)
{
    json_t *list = json_array();
    json_t *metadata = json_loads(order->metadata, 0, NULL);
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value)(void) json_array_append_new(
        list, json_pack("{s:s, s:s}", "key", key, "value", json_string_value(value)));
    json_decref(metadata);
    return list;
}

static json_t *timeline_json(struct look *look)
{
    json_t *list = json_array();
    for (size_t i = 0; i < look->count; i++) {
        (void)json_array_append_new(list, look->happenings[i].json);
        look->happenings[i].json = NULL;
    }
    return list;
}

static int64_t refundable_minor(const struct look *look)
{
    int64_t minor = 0;
    for (size_t i = 0; i < look->view.step_count; i++)
        minor += look->view.steps[i].step.creditable_minor;
    return minor;
}

/* Whether the gateway is being asked, so that the page loads itself again. */
static bool is_under_way(const struct look *look)
{
    for (size_t i = 0; i < look->view.step_count; i++) {
        if (look->view.steps[i].step.asking)
            return true;
    }
    for (size_t i = 0; i < look->view.payment_count; i++) {
        if (setpay_purchase_state_is_waiting(look->view.payments[i].state))
            return true; /* also one that is being given up */
    }
    return false;
}

/* Whether there is a choice of what to give back. */
static bool any_unsent(const struct look *look)
{
    bool paid_as_sent = look->view.order.capture == SETPAY_CAPTURE_ON_SHIPMENT;
    for (size_t i = 0; i < look->view.parts->line_count; i++) {
        if (setpay_part_refundable(look->view.parts, i, paid_as_sent, SETPAY_PART_OF_UNSENT) > 0)
            return true;
    }
    return false;
}

static json_t *values_of(struct look *look, const char *wrong, const char *done)
{
    const struct setpay_order *order = &look->view.order;
    const char *status = setpay_order_status_name(look->view.status);
    const char *currency = order->amount.currency;
    int64_t back_minor = refundable_minor(look);
    bool may_ship = setpay_order_may_ship(order->end, look->view.status);
    bool may_send = setpay_order_to_send(&look->view) > 0;
    bool refundable = false, choose = false;
    json_t *items = items_json(look, may_send, &refundable, &choose);
    bool repeats = order->item_count == 1 && strcmp(order->items[0].name, order->description) == 0;
    bool may_cancel = setpay_order_check_cancel(look->view.status) == SETPAY_OK &&
                      look->view.status != SETPAY_ORDER_STATUS_CANCELLED;
    json_t *values = json_pack(
        "{s:s, s:o, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:b}", "id",
        order->order_id, "status", setpay_admin_status(status), "look",
        setpay_admin_status_look(status), "amount",
        setpay_admin_money(order->amount.minor, currency), "capture",
        setpay_admin_status(setpay_order_capture_name(order->capture)), "description",
        repeats ? "" : order->description, "created", setpay_admin_time(order->created_ms),
        "expires", setpay_admin_time(order->expires_ms), "items", items, "metadata",
        metadata_json(order), "timeline", timeline_json(look), "wrong", wrong != NULL ? wrong : "",
        "done", done, "refresh", is_under_way(look));
    if (values == NULL)
        return NULL;
    (void)json_object_set_new(values, "seen",
                              json_sprintf("%zu.%zu.%d", look->view.step_count,
                                           look->view.parts->count, (int)order->end));
    (void)json_object_set_new(values, "where", setpay_admin_where(look->view.ship_to));
    (void)json_object_set_new(values, "may_send", json_boolean(may_send));
    (void)json_object_set_new(values, "choose", json_boolean(choose));
    (void)json_object_set_new(values, "may_capture",
                              json_boolean(look->capturable > 0 && may_ship));
    (void)json_object_set_new(values, "may_refund", json_boolean(back_minor > 0));
    (void)json_object_set_new(values, "may_refund_lines",
                              json_boolean(back_minor > 0 && refundable));
    (void)json_object_set_new(values, "any_unsent", json_boolean(any_unsent(look)));
    (void)json_object_set_new(values, "may_void", json_boolean(look->capturable > 0 && may_ship));
    (void)json_object_set_new(values, "may_cancel", json_boolean(may_cancel));
    (void)json_object_set_new(values, "captured_by_parts",
                              json_boolean(order->capture == SETPAY_CAPTURE_ON_SHIPMENT));
    (void)json_object_set_new(values, "held", setpay_admin_money(look->capturable, currency));
    (void)json_object_set_new(values, "paid", setpay_admin_money(back_minor, currency));
    (void)json_object_set_new(values, "currency", json_string(currency));
    bool whole = true;
    add_forms(look, json_string_value(json_object_get(values, "held")), values, &whole);
    if (whole)
        return values;
    json_decref(values);
    return NULL;
}

/* The words for what was done, by the name that the address has. */
static const char *done_words(const char *done)
{
    static const struct {
        const char *name, *words;
    } rows[] = {
        {"ship", "The part is noted as sent."}, {"capture", "The capture is asked for."},
        {"refund", "The refund is asked for."}, {"void", "What is held is being given up."},
        {"cancel", "The order is ended."},
    };
    for (size_t i = 0; done != NULL && i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, done) == 0)
            return rows[i].words;
    }
    return "";
}

void setpay_admin_reply_order(struct setpay_admin *admin, struct setpay_http_request *request,
                              const struct setpay_admin_visit *visit, const char *order_id,
                              int status, const char *wrong,
                              const struct setpay_admin_refused *refused)
{
    char title[SETPAY_ORDER_ID_SIZE + 8];
    struct look *look = calloc(1, sizeof *look);
    if (look == NULL) {
        setpay_admin_reply_failed(admin, request, SETPAY_E_NOMEM);
        return;
    }
    look->admin = admin;
    look->order_id = order_id;
    look->refused = refused;
    enum setpay_error error = strlen(order_id) < SETPAY_ORDER_ID_SIZE
                                  ? setpay_store_read(admin->reader, read_order, look)
                                  : SETPAY_E_NOT_FOUND;
    (void)snprintf(title, sizeof title, "Order %.*s", SETPAY_ORDER_ID_SIZE - 1, order_id);
    const char *done = setpay_http_request_query(request, "done");
    if (error == SETPAY_OK)
        setpay_admin_reply(admin, request, visit, status, SETPAY_ADMIN_ORDER, title, NULL,
                           values_of(look, wrong, done_words(wrong == NULL ? done : NULL)));
    else if (error == SETPAY_E_NOT_FOUND)
        setpay_admin_reply_error(admin, request, 404, "There is no such order.");
    else
        setpay_admin_reply_failed(admin, request, error);
    for (size_t i = 0; i < look->count; i++)
        json_decref(look->happenings[i].json);
    setpay_order_view_clear(&look->view);
    free(look);
}

void setpay_admin_on_order(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin_visit visit;
    if (setpay_admin_visit_begin(arg, request, &visit))
        setpay_admin_reply_order(arg, request, &visit, setpay_http_request_param(request, "id"),
                                 200, NULL, NULL);
}
