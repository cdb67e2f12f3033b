/*
 * What follows from a part when the gateway has answered: the event of a shipment, and pieces that
 * are back in stock. And what follows where a hold, or an agreement, has ended before all was sent:
 * nobody voids that order, so that the pieces which nothing pays for any more are given up here.
 * What was captured ahead of the shipments may still be sent for: of each line so many pieces are
 * kept as that would pay, and given up later, where it has paid for others.
 */
#include "merchant/store/part.h"

#include "common/base/testing.h"
#include "merchant/store/event.h"
#include "merchant/store/order_json.h"
#include "merchant/store/stock.h"

#include <stdlib.h>
#include <string.h>

static enum setpay_error tell_shipped(struct setpay_db *db, const struct setpay_order_view *view,
                                      const struct setpay_part *part, setpay_time_ms now_ms)
{
    bool whole = true;
    json_t *data = setpay_order_event_json(view);
    if (data == NULL)
        return SETPAY_E_NOMEM;
    if (json_object_set_new(data, "shipment", setpay_part_json(view, part, &whole)) != 0)
        whole = false;
    enum setpay_error error =
        whole ? setpay_event_add(db, "order.shipped", view->order.order_id, data, now_ms)
              : SETPAY_E_NOMEM;
    json_decref(data);
    return error;
}

static int64_t unsent_of(const struct setpay_part *part, const struct setpay_part_count *count)
{
    return part->kind == SETPAY_PART_GIVEN_UP ? count->quantity : count->unsent;
}

/* Of the line's pieces that were never sent, those that no other part has settled: a piece that was
 * given up when the rest was voided may still be paid back, but comes back once. */
static int64_t unsent_left(const struct setpay_parts *parts, const struct setpay_part *part,
                           size_t position)
{
    const struct setpay_part_line *line = &parts->lines[position];
    int64_t left = setpay_part_sendable(line) + line->unsent;
    for (size_t i = 0; i < parts->count; i++) {
        const struct setpay_part *other = &parts->list[i];
        if (other == part || other->settled != SETPAY_PART_DONE ||
            other->kind == SETPAY_PART_SHIPMENT)
            continue;
        for (size_t k = 0; k < other->count; k++)
            left -= other->counts[k].position == position ? unsent_of(other, &other->counts[k]) : 0;
    }
    return left > 0 ? left : 0;
}

static enum setpay_error return_line(struct setpay_db *db, const struct setpay_order *order,
                                     const struct setpay_parts *parts,
                                     const struct setpay_part *part,
                                     struct setpay_part_count *count, setpay_time_ms now_ms)
{
    const char *sku = count->position < order->item_count ? order->items[count->position].sku : "";
    if (sku[0] == '\0')
        return SETPAY_OK;
    int64_t unsent = unsent_of(part, count);
    int64_t left = unsent_left(parts, part, count->position);
    if (unsent > 0)
        SETPAY_TRY(setpay_stock_return(db, order->order_id, sku, unsent < left ? unsent : left,
                                       "not sent", now_ms, &count->moved));
    if (count->quantity > unsent)
        SETPAY_TRY(setpay_stock_return(db, order->order_id, sku, count->quantity - unsent,
                                       "returned", now_ms, &count->moved));
    return setpay_db_run(
        db, "UPDATE order_part_line SET moved = $1 WHERE part_seq = $2 AND position = $3",
        SETPAY_DB_INT(count->moved), SETPAY_DB_INT(part->seq),
        SETPAY_DB_INT((int64_t)count->position));
}

static enum setpay_error return_pieces(struct setpay_db *db, const struct setpay_order_view *view,
                                       const struct setpay_part *part, setpay_time_ms now_ms)
{
    for (size_t i = 0; i < part->count; i++)
        SETPAY_TRY(return_line(db, &view->order, view->parts, part, &part->counts[i], now_ms));
    return SETPAY_OK;
}

static enum setpay_error settle(struct setpay_db *db, const struct setpay_order_view *view,
                                struct setpay_part *part, setpay_time_ms now_ms)
{
    bool stands = setpay_part_stands(view, part);
    part->settled = stands ? SETPAY_PART_DONE : SETPAY_PART_REFUSED;
    part->settled_ms = now_ms;
    SETPAY_TRY(setpay_db_run(
        db, "UPDATE order_part SET settled = $1, settled_ms = $2 WHERE seq = $3",
        SETPAY_DB_INT(part->settled), SETPAY_DB_INT(now_ms), SETPAY_DB_INT(part->seq)));
    if (stands && part->restock)
        SETPAY_TRY(return_pieces(db, view, part, now_ms));
    if (stands && part->kind == SETPAY_PART_SHIPMENT)
        SETPAY_TRY(tell_shipped(db, view, part, now_ms));
    setpay_testing_point("part.settled");
    return SETPAY_OK;
}

/* What this part put in stock again is the order's again, as far as nobody else has bought it
 * since. */
static enum setpay_error undo(struct setpay_db *db, const struct setpay_order *order,
                              struct setpay_part *part, setpay_time_ms now_ms)
{
    part->settled = SETPAY_PART_UNDONE;
    SETPAY_TRY(setpay_db_run(db, "UPDATE order_part SET settled = $1 WHERE seq = $2",
                             SETPAY_DB_INT(part->settled), SETPAY_DB_INT(part->seq)));
    for (size_t i = 0; i < part->count && part->restock; i++) {
        const struct setpay_part_count *count = &part->counts[i];
        const char *sku =
            count->position < order->item_count ? order->items[count->position].sku : "";
        if (sku[0] != '\0')
            SETPAY_TRY(setpay_stock_take_back(db, order->order_id, sku, count->moved,
                                              "refund undone", now_ms));
    }
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ a hold that has ended */

/* No more than was captured will ever pay for it: nothing is held of what was approved, and no
 * other authorisation may follow, as it might where the shopper has agreed to more. */
static bool nothing_follows(const struct setpay_order_view *view)
{
    const struct setpay_payment_view *payment =
        setpay_order_standing(view->payments, view->payment_count);
    bool more_may_follow = view->has_agreement && view->agreement.end == SETPAY_ENDED_NOT;
    return view->order.capture == SETPAY_CAPTURE_ON_SHIPMENT && payment != NULL &&
           !more_may_follow && payment->approved.minor > 0 &&
           payment->captured_minor < view->order.amount.minor &&
           payment->approved.minor - payment->released_minor <= payment->captured_minor;
}

static int64_t captured_of(const struct setpay_order_view *view)
{
    return setpay_order_standing(view->payments, view->payment_count)->captured_minor;
}

/* More was captured than was sent; where not, nor do those that cost nothing go on alone. */
static bool is_captured_ahead(const struct setpay_order_view *view)
{
    return captured_of(view) > setpay_parts_shipped_minor(view->parts);
}

/* Of up to most more pieces of a line, those that what was captured pays for. */
static int64_t affordable(const struct setpay_order_view *view, size_t position, int64_t most)
{
    struct setpay_part_line *line = &view->parts->lines[position];
    const int64_t shipped = line->shipped;
    int64_t least = 0;
    while (least < most) { /* more pieces never cost less */
        int64_t middle = least + (most - least + 1) / 2;
        line->shipped = shipped + middle;
        if (setpay_parts_shipped_minor(view->parts) <= captured_of(view))
            least = middle;
        else
            most = middle - 1;
    }
    line->shipped = shipped;
    return least;
}

/* Of an order that nothing follows, the pieces of a line that may still be sent for what was
 * captured ahead of the shipments, were they the next. */
static int64_t paid_ahead(const struct setpay_order_view *view, size_t position)
{
    return is_captured_ahead(view)
               ? affordable(view, position, setpay_part_sendable(&view->parts->lines[position]))
               : 0;
}

/* Whatever was given up before is none of it: looked at again, there is nothing left. */
static enum setpay_error give_up_counts(struct setpay_db *db, const struct setpay_order_view *view,
                                        struct setpay_part_count *counts, setpay_time_ms now_ms)
{
    struct setpay_part part = {
        .kind = SETPAY_PART_GIVEN_UP, .restock = true, .created_ms = now_ms, .counts = counts};
    for (size_t i = 0; i < view->parts->line_count; i++) {
        int64_t left = unsent_left(view->parts, NULL, i) - paid_ahead(view, i);
        if (left > 0)
            counts[part.count++] = (struct setpay_part_count){.position = i, .quantity = left};
    }
    if (part.count == 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_part_insert(db, view->order.order_id, &part));
    return settle(db, view, &part, now_ms);
}

static enum setpay_error give_up_rest(struct setpay_db *db, const struct setpay_order_view *view,
                                      setpay_time_ms now_ms)
{
    if (!nothing_follows(view))
        return SETPAY_OK;
    struct setpay_part_count *counts = calloc(SETPAY_LIMIT_OFFER_ITEMS, sizeof *counts);
    if (counts == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = give_up_counts(db, view, counts, now_ms);
    free(counts);
    return error;
}

/* ------------------------------------------------------------------ all that there is to do */

int64_t setpay_order_sendable(const struct setpay_order_view *view, size_t position)
{
    if (!nothing_follows(view))
        return setpay_part_sendable(&view->parts->lines[position]);
    int64_t ahead = paid_ahead(view, position);
    int64_t left = unsent_left(view->parts, NULL, position);
    return ahead < left ? ahead : left;
}

int64_t setpay_order_sendable_together(const struct setpay_order_view *view, int64_t *pieces)
{
    struct setpay_part_line *lines = view->parts->lines;
    const size_t count = view->parts->line_count;
    const bool limited = nothing_follows(view);
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        pieces[i] = setpay_order_sendable(view, i);
    for (size_t i = 0; i < count; i++) {
        if (limited)
            pieces[i] = affordable(view, i, pieces[i]);
        lines[i].shipped += pieces[i]; /* the lines behind it have what is left */
        sum += pieces[i];
    }
    for (size_t i = 0; i < count; i++)
        lines[i].shipped -= pieces[i];
    return sum;
}

int64_t setpay_order_unpaid_minor(const struct setpay_order_view *view, const int64_t *pieces)
{
    struct setpay_part_line *lines = view->parts->lines;
    if (!nothing_follows(view))
        return 0;
    for (size_t i = 0; i < view->parts->line_count; i++)
        lines[i].shipped += pieces[i];
    int64_t minor = setpay_parts_shipped_minor(view->parts) - captured_of(view);
    for (size_t i = 0; i < view->parts->line_count; i++)
        lines[i].shipped -= pieces[i];
    return minor > 0 ? minor : 0;
}

int64_t setpay_order_to_send(const struct setpay_order_view *view)
{
    int64_t pieces[SETPAY_LIMIT_OFFER_ITEMS];
    return setpay_order_may_ship(view->order.end, view->status)
               ? setpay_order_sendable_together(view, pieces)
               : 0;
}

enum setpay_error setpay_parts_settle(struct setpay_db *db, struct setpay_order_view *view,
                                      setpay_time_ms now_ms)
{
    for (size_t i = 0; view->parts != NULL && i < view->parts->count; i++) {
        struct setpay_part *part = &view->parts->list[i];
        if (part->settled == SETPAY_PART_OPEN &&
            strcmp(setpay_part_status_name(view, part), "asking") != 0)
            SETPAY_TRY(settle(db, view, part, now_ms));
        else if (part->settled == SETPAY_PART_DONE && !setpay_part_stands(view, part))
            SETPAY_TRY(undo(db, &view->order, part, now_ms));
    }
    return view->parts == NULL ? SETPAY_OK : give_up_rest(db, view, now_ms);
}
