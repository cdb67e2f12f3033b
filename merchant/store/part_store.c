/*
 * Parts of an order in the database, and as JSON.
 */
#include "merchant/store/part.h"

#include "merchant/store/order_json.h"
#include "merchant/store/quote.h"
#include "merchant/store/shop.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ lines */

/* Where the goods end: shipping and taxes stand behind them (quote.c). */
static void tell_kinds(const struct setpay_order *order, struct setpay_parts *parts)
{
    size_t charges = 0;
    for (size_t i = 0; order->quote != NULL && i < order->quote->tax_count; i++) {
        const struct setpay_quote_tax *tax = &order->quote->taxes[i];
        if (!tax->rate.included && tax->tax_minor != 0 && ++charges <= parts->line_count)
            parts->lines[parts->line_count - charges].kind = SETPAY_LINE_TAX;
    }
    if (order->quote != NULL && order->quote->shipping_method[0] != '\0' &&
        charges < parts->line_count)
        parts->lines[parts->line_count - 1 - charges].kind = SETPAY_LINE_SHIPPING;
}

static enum setpay_error read_taxes(struct setpay_db *db, const char *order_id,
                                    struct setpay_parts *parts, int64_t *sum)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT position, tax_minor FROM order_line_tax"
                                " WHERE order_id = $1",
                                SETPAY_DB_TEXT(order_id)));
    while (setpay_db_next(rows)) {
        size_t position = (size_t)setpay_db_get_int(rows, 0);
        if (position >= parts->line_count)
            continue;
        parts->lines[position].tax_minor = setpay_db_get_int(rows, 1);
        *sum += parts->lines[position].tax_minor;
    }
    return setpay_db_end(rows);
}

/* amount * part / whole, which 64 bits would not hold on the way. */
static int64_t share(int64_t amount, int64_t part, int64_t whole)
{
    __extension__ typedef __int128 wide;
    return (int64_t)((wide)amount * part / whole);
}

/* Of an order that is older than its lines' taxes: by what the lines cost, to the last unit. */
static void spread_taxes(struct setpay_parts *parts, int64_t tax_minor)
{
    int64_t left_minor = 0;
    for (size_t i = 0; i < parts->line_count; i++) {
        const struct setpay_part_line *line = &parts->lines[i];
        left_minor += line->kind != SETPAY_LINE_TAX ? line->unit_minor * line->quantity : 0;
    }
    for (size_t i = 0; i < parts->line_count && left_minor > 0; i++) {
        struct setpay_part_line *line = &parts->lines[i];
        if (line->kind == SETPAY_LINE_TAX)
            continue;
        int64_t minor = line->unit_minor * line->quantity;
        line->tax_minor = share(tax_minor, minor, left_minor);
        tax_minor -= line->tax_minor;
        left_minor -= minor;
    }
}

static enum setpay_error read_lines(struct setpay_db *db, const struct setpay_order *order,
                                    struct setpay_parts *parts)
{
    int64_t added = 0, known = 0;
    parts->line_count = order->item_count;
    for (size_t i = 0; i < order->item_count; i++) {
        parts->lines[i] = (struct setpay_part_line){.kind = SETPAY_LINE_GOODS,
                                                    .quantity = order->items[i].quantity,
                                                    .unit_minor = order->items[i].unit_minor};
    }
    tell_kinds(order, parts);
    for (size_t i = 0; i < parts->line_count; i++)
        added += parts->lines[i].kind == SETPAY_LINE_TAX ? order->items[i].total_minor : 0;
    if (added == 0)
        return SETPAY_OK;
    SETPAY_TRY(read_taxes(db, order->order_id, parts, &known));
    if (known != added)
        spread_taxes(parts, added);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ parts */

static enum setpay_error read_counts(struct setpay_db *db, struct setpay_part *part)
{
    struct setpay_db_rows *rows;
    part->counts = calloc(SETPAY_LIMIT_OFFER_ITEMS, sizeof *part->counts);
    if (part->counts == NULL)
        return SETPAY_E_NOMEM;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT position, quantity, unsent, moved FROM order_part_line"
                                " WHERE part_seq = $1 ORDER BY position",
                                SETPAY_DB_INT(part->seq)));
    while (part->count < SETPAY_LIMIT_OFFER_ITEMS && setpay_db_next(rows)) {
        part->counts[part->count++] =
            (struct setpay_part_count){.position = (size_t)setpay_db_get_int(rows, 0),
                                       .quantity = setpay_db_get_int(rows, 1),
                                       .unsent = setpay_db_get_int(rows, 2),
                                       .moved = setpay_db_get_int(rows, 3)};
    }
    return setpay_db_end(rows);
}

static enum setpay_error read_parts(struct setpay_db *db, const char *order_id,
                                    struct setpay_parts *parts)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT seq, name, kind, first_step, last_step, tracking,"
                                " restocked, created_ms, carrier, tracking_url, settled,"
                                " settled_ms FROM order_part"
                                " WHERE order_id = $1 ORDER BY seq",
                                SETPAY_DB_TEXT(order_id)));
    while (setpay_db_next(rows)) {
        struct setpay_part *grown = realloc(parts->list, (parts->count + 1) * sizeof *grown);
        if (grown == NULL) {
            enum setpay_error ended = setpay_db_end(rows);
            return ended != SETPAY_OK ? ended : SETPAY_E_NOMEM;
        }
        parts->list = grown;
        struct setpay_part *part = &parts->list[parts->count++];
        *part = (struct setpay_part){.seq = setpay_db_get_int(rows, 0)};
        setpay_db_get_id(rows, 1, &part->name);
        part->kind = (enum setpay_part_kind)setpay_db_get_int(rows, 2);
        part->first_step = setpay_db_get_int(rows, 3);
        part->last_step = setpay_db_get_int(rows, 4);
        setpay_db_get_text(rows, 5, part->tracking, sizeof part->tracking);
        part->restock = setpay_db_get_bool(rows, 6);
        part->created_ms = setpay_db_get_int(rows, 7);
        setpay_db_get_text(rows, 8, part->carrier, sizeof part->carrier);
        setpay_db_get_text(rows, 9, part->tracking_url, sizeof part->tracking_url);
        part->settled = (enum setpay_part_settled)setpay_db_get_int(rows, 10);
        part->settled_ms = setpay_db_get_int(rows, 11);
    }
    SETPAY_TRY(setpay_db_end(rows));
    for (size_t i = 0; i < parts->count; i++)
        SETPAY_TRY(read_counts(db, &parts->list[i]));
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ whether they stand */

/* How many of its steps there are, and of those how many wait, were refused, were undone. */
struct steps {
    size_t all, asking, refused, undone;
    const struct setpay_step_view *first;
    int64_t minor;
};

static struct steps steps_of(const struct setpay_order_view *view, const struct setpay_part *part)
{
    struct steps steps = {.all = 0};
    for (size_t i = 0; i < view->step_count && part->first_step != 0; i++) {
        const struct setpay_step_view *step = &view->steps[i].step;
        if (step->number < part->first_step || step->number > part->last_step)
            continue;
        if (steps.all++ == 0)
            steps.first = step;
        steps.minor += step->amount.minor;
        steps.asking += step->asking ? 1 : 0;
        steps.refused += !step->asking && step->code != 0 ? 1 : 0;
        steps.undone += step->undone ? 1 : 0;
    }
    return steps;
}

bool setpay_part_stands(const struct setpay_order_view *view, const struct setpay_part *part)
{
    struct steps steps = steps_of(view, part);
    return steps.all == 0 || steps.refused + steps.undone < steps.all;
}

const char *setpay_part_status_name(const struct setpay_order_view *view,
                                    const struct setpay_part *part)
{
    struct steps steps = steps_of(view, part);
    return steps.asking > 0    ? "asking"
           : steps.refused > 0 ? "refused"
           : steps.undone > 0  ? "undone"
                               : "done";
}

static void count_all(const struct setpay_order_view *view, struct setpay_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        const struct setpay_part *part = &parts->list[i];
        for (size_t k = 0; k < part->count && setpay_part_stands(view, part); k++) {
            const struct setpay_part_count *count = &part->counts[k];
            if (count->position >= parts->line_count)
                continue;
            struct setpay_part_line *line = &parts->lines[count->position];
            if (part->kind == SETPAY_PART_SHIPMENT) {
                line->shipped += count->quantity;
            } else if (part->kind == SETPAY_PART_REFUND) {
                line->refunded += count->quantity;
                line->unsent += count->unsent;
            }
        }
    }
}

enum setpay_error setpay_parts_find(struct setpay_db *db, const struct setpay_order_view *view,
                                    struct setpay_parts **parts)
{
    struct setpay_parts *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = read_lines(db, &view->order, made);
    if (error == SETPAY_OK)
        error = read_parts(db, view->order.order_id, made);
    if (error != SETPAY_OK) {
        setpay_parts_free(made);
        return error;
    }
    count_all(view, made);
    *parts = made;
    return SETPAY_OK;
}

void setpay_parts_free(struct setpay_parts *parts)
{
    if (parts == NULL)
        return;
    for (size_t i = 0; i < parts->count; i++)
        free(parts->list[i].counts);
    free(parts->list);
    free(parts);
}

enum setpay_error setpay_part_insert(struct setpay_db *db, const char *order_id,
                                     struct setpay_part *part)
{
    SETPAY_TRY(setpay_id_random(&part->name));
    SETPAY_TRY(setpay_db_insert(
        db, &part->seq,
        "INSERT INTO order_part (name, order_id, kind, first_step, last_step,"
        " tracking, restocked, created_ms, carrier, tracking_url, settled)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        " RETURNING seq",
        SETPAY_DB_ID(&part->name), SETPAY_DB_TEXT(order_id), SETPAY_DB_INT(part->kind),
        SETPAY_DB_INT(part->first_step), SETPAY_DB_INT(part->last_step),
        SETPAY_DB_TEXT(part->tracking), SETPAY_DB_BOOL(part->restock),
        SETPAY_DB_INT(part->created_ms), SETPAY_DB_TEXT(part->carrier),
        SETPAY_DB_TEXT(part->tracking_url), SETPAY_DB_INT(SETPAY_PART_OPEN)));
    for (size_t i = 0; i < part->count; i++) {
        const struct setpay_part_count *count = &part->counts[i];
        SETPAY_TRY(setpay_db_run(db,
                                 "INSERT INTO order_part_line (part_seq, position, quantity,"
                                 " unsent) VALUES ($1, $2, $3, $4)",
                                 SETPAY_DB_INT(part->seq), SETPAY_DB_INT((int64_t)count->position),
                                 SETPAY_DB_INT(count->quantity), SETPAY_DB_INT(count->unsent)));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_parts_count_gone(struct setpay_db *db, const char *order_id,
                                          const char *sku, int64_t *pieces)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT COALESCE(SUM(CASE WHEN part.kind = $1 THEN line.unsent ELSE line.quantity END), 0)"
        " FROM order_part part JOIN order_part_line line ON line.part_seq = part.seq"
        " JOIN order_item item ON item.order_id = part.order_id AND item.position = line.position"
        " WHERE part.order_id = $2 AND item.sku = $3"
        " AND (part.settled = $4 OR (part.settled = $5 AND part.kind = $6))",
        SETPAY_DB_INT(SETPAY_PART_REFUND), SETPAY_DB_TEXT(order_id), SETPAY_DB_TEXT(sku),
        SETPAY_DB_INT(SETPAY_PART_DONE), SETPAY_DB_INT(SETPAY_PART_OPEN),
        SETPAY_DB_INT(SETPAY_PART_SHIPMENT)));
    *pieces = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

/* ------------------------------------------------------------------ as JSON */

static json_t *id_json(const struct setpay_id *id)
{
    char text[SETPAY_ID_TEXT_SIZE];
    return json_string(setpay_id_format(id, text));
}

static json_t *counts_json(const struct setpay_order *order, const struct setpay_part *part,
                           bool *whole)
{
    json_t *lines = json_array();
    for (size_t i = 0; i < part->count; i++) {
        const struct setpay_part_count *count = &part->counts[i];
        json_t *line = json_object();
        setpay_shop_set(line, "line", json_integer((json_int_t)count->position + 1), whole);
        if (count->position < order->item_count) {
            const struct setpay_item *item = &order->items[count->position];
            setpay_shop_set(line, "name", json_string(item->name), whole);
            if (item->sku[0] != '\0')
                setpay_shop_set(line, "sku", json_string(item->sku), whole);
        }
        setpay_shop_set(line, "quantity", json_integer(count->quantity), whole);
        if (part->kind == SETPAY_PART_REFUND)
            setpay_shop_set(line, "unsent", json_integer(count->unsent), whole);
        setpay_shop_append(lines, line, whole);
    }
    return lines;
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

json_t *setpay_part_json(const struct setpay_order_view *view, const struct setpay_part *part,
                         bool *whole)
{
    struct steps steps = steps_of(view, part);
    json_t *json = json_object();
    json_t *refunds = json_array();
    bool ships = part->kind == SETPAY_PART_SHIPMENT;
    setpay_shop_set(json, "id", id_json(&part->name), whole);
    setpay_shop_set(json, "status", json_string(setpay_part_status_name(view, part)), whole);
    setpay_shop_set(json, "lines", counts_json(&view->order, part, whole), whole);
    setpay_shop_set(json, "amount", json_integer(steps.minor), whole);
    setpay_shop_set(json, "currency", json_string(view->order.amount.currency), whole);
    if (ships) {
        setpay_shop_set(json, "carrier", text_or_null(part->carrier), whole);
        setpay_shop_set(json, "tracking", text_or_null(part->tracking), whole);
        setpay_shop_set(json, "tracking_url", text_or_null(part->tracking_url), whole);
        setpay_shop_set(json, "capture_id",
                        steps.first == NULL ? json_null() : id_json(&steps.first->id), whole);
    }
    for (size_t i = 0; i < view->step_count && !ships; i++) {
        const struct setpay_step_view *step = &view->steps[i].step;
        if (step->number >= part->first_step && step->number <= part->last_step)
            setpay_shop_append(refunds, id_json(&step->id), whole);
    }
    if (!ships) {
        setpay_shop_set(json, "refund_ids", json_incref(refunds), whole);
        setpay_shop_set(json, "restocked",
                        json_boolean(part->restock && part->settled == SETPAY_PART_DONE), whole);
    }
    json_decref(refunds);
    setpay_shop_set(json, "created", setpay_shop_time_json(part->created_ms), whole);
    return json;
}

static void add_to_item(const struct setpay_order_view *view, size_t position, json_t *item,
                        bool *whole)
{
    static const char *const kinds[] = {[SETPAY_LINE_GOODS] = "goods",
                                        [SETPAY_LINE_SHIPPING] = "shipping",
                                        [SETPAY_LINE_TAX] = "tax"};
    const struct setpay_parts *parts = view->parts;
    const struct setpay_part_line *line = &parts->lines[position];
    setpay_shop_set(item, "line", json_integer((json_int_t)position + 1), whole);
    setpay_shop_set(item, "kind", json_string(kinds[line->kind]), whole);
    setpay_shop_set(item, "shipped", json_integer(line->shipped), whole);
    setpay_shop_set(item, "refunded", json_integer(line->refunded), whole);
}

void setpay_parts_json(const struct setpay_order_view *view, json_t *order, bool *whole)
{
    json_t *shipments = json_array();
    json_t *returns = json_array();
    json_t *items = json_object_get(order, "items");
    const struct setpay_parts *parts = view->parts;
    for (size_t i = 0; parts != NULL && i < parts->line_count; i++) {
        json_t *item = json_array_get(items, i);
        if (item != NULL)
            add_to_item(view, i, item, whole);
    }
    for (size_t i = 0; parts != NULL && i < parts->count; i++) {
        const struct setpay_part *part = &parts->list[i];
        if (part->kind == SETPAY_PART_GIVEN_UP)
            continue;
        setpay_shop_append(part->kind == SETPAY_PART_SHIPMENT ? shipments : returns,
                           setpay_part_json(view, part, whole), whole);
    }
    setpay_shop_set(order, "shipments", shipments, whole);
    setpay_shop_set(order, "returns", returns, whole);
}
