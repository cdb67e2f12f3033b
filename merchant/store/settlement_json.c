/*
 * Settlements as JSON: what was paid out, and where that is not what is known here, row by row.
 */
#include "merchant/store/settlement_json.h"

#include <stdlib.h>
#include <string.h>

static const char *const difference_names[SETPAY_SETTLEMENT_DIFFERENCES] = {
    "unknown", "payment", "brand",  "kind",      "currency",
    "amount",  "batch",   "undone", "duplicate", "refused",
};

const char *setpay_settlement_difference_name(unsigned n)
{
    return n < SETPAY_SETTLEMENT_DIFFERENCES ? difference_names[n] : NULL;
}

static json_t *id_json(bool there, const struct setpay_id *id)
{
    char text[SETPAY_ID_TEXT_SIZE];
    return there ? json_string(setpay_id_format(id, text)) : json_null();
}

static json_t *text_json(const char *text)
{
    return text[0] != '\0' ? json_string(text) : json_null();
}

/* Takes value; whole: false once memory is out. */
static void set(json_t *json, const char *name, json_t *value, bool *whole)
{
    if (json_object_set_new(json, name, value) != 0)
        *whole = false;
}

static json_t *checked(json_t *json, bool whole)
{
    if (whole)
        return json;
    json_decref(json);
    return NULL;
}

/* ------------------------------------------------------------------ one settlement */

json_t *setpay_settlement_view_json(const struct setpay_settlement_view *s)
{
    const struct setpay_settlement_totals *t = &s->totals;
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"capture_count", t->capture_count},
        {"capture_amount", t->capture_minor},
        {"capture_fees", t->capture_fee_minor},
        {"refund_count", t->credit_count},
        {"refund_amount", t->credit_minor},
        {"refund_fees", t->credit_fee_minor},
        {"gross", t->capture_minor - t->credit_minor},
        {"fees", t->capture_fee_minor - t->credit_fee_minor},
        {"net", setpay_settlement_totals_net(t)},
        {"refused_count", t->refused_count},
        {"refused_amount", t->refused_minor},
        {"disputed_count", t->disputed_count},
        {"disputed_amount", t->disputed_minor},
        {"returned_count", t->returned_count},
        {"returned_amount", t->returned_minor},
        {"cleared_count", t->cleared_count},
        {"cleared_amount", t->cleared_minor},
        {"repaid_count", t->repaid_count},
        {"repaid_amount", t->repaid_minor},
        {"carried_in", t->carried_in_minor},
        {"held", t->held_minor},
        {"released", t->released_minor},
        {"payout", t->payout_minor},
        {"carried_out", t->carried_out_minor},
        {"rows", s->row_count},
        {"differing", s->differing_count},
    };
    char imported[SETPAY_TIME_TEXT_SIZE];
    bool whole = true;
    json_t *json = json_object();
    set(json, "settlement_id", id_json(true, &s->id), &whole);
    set(json, "day", json_string(s->day), &whole);
    set(json, "brand", json_string(s->brand), &whole);
    set(json, "gateway", json_string(s->gateway), &whole);
    set(json, "currency", json_string(s->currency), &whole);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        set(json, numbers[i].name, json_integer(numbers[i].value), &whole);
    set(json, "imported", json_string(setpay_time_format(s->imported_ms, imported)), &whole);
    return checked(json, whole);
}

/* ------------------------------------------------------------------ rows */

/* As the API names steps: what the protocol calls a credit is a refund. */
static const char *kind_name(enum setpay_settlement_kind kind)
{
    return kind == SETPAY_SETTLEMENT_CREDIT     ? "refund"
           : kind == SETPAY_SETTLEMENT_RETURNED ? "dispute_returned"
                                                : setpay_settlement_kind_name(kind);
}

static json_t *differences_json(uint32_t differs)
{
    json_t *names = json_array();
    for (unsigned n = 0; setpay_settlement_difference_name(n) != NULL; n++)
        if ((differs >> n & 1) == 1)
            (void)json_array_append_new(names, json_string(setpay_settlement_difference_name(n)));
    return names;
}

json_t *setpay_settlement_row_json(const struct setpay_settlement_row_view *v)
{
    const struct setpay_settlement_row *row = &v->row;
    bool is_item = setpay_settlement_kind_is_item(row->kind), whole = true;
    char at[SETPAY_TIME_TEXT_SIZE];
    json_t *json = json_object();
    set(json, "differences", differences_json(v->differs), &whole);
    set(json, "stands", json_boolean(v->stands), &whole);
    set(json, "kind", json_string(kind_name(row->kind)), &whole);
    set(json, "settlement_id", id_json(true, &v->settlement), &whole);
    set(json, "day", json_string(v->day), &whole);
    set(json, "line", json_integer((json_int_t)row->line), &whole);
    set(json, "order_id", text_json(v->order_id), &whole);
    set(json, "payment", id_json(true, &row->xid), &whole);
    set(json, "id", id_json(v->is_known, &v->id), &whole);
    set(json, "gateway_id", id_json(true, &row->step), &whole);
    set(json, "brand", json_string(v->brand), &whole);
    set(json, "batch", is_item ? json_integer(row->batch) : json_null(), &whole);
    set(json, "amount", v->is_known ? json_integer(v->ours.minor) : json_null(), &whole);
    set(json, "currency", text_json(v->ours.currency), &whole);
    set(json, "settled_amount", json_integer(row->amount_minor), &whole);
    set(json, "settled_currency", json_string(v->currency), &whole);
    set(json, "fee", is_item ? json_integer(row->fee_minor) : json_null(), &whole);
    set(json, "code", text_json(row->code), &whole);
    set(json, "date", text_json(row->date), &whole);
    set(json, "event_id", id_json(!is_item, &row->event), &whole);
    set(json, "first_settlement_id", id_json(v->has_other, &v->other), &whole);
    set(json, "since", json_null(), &whole);
    set(json, "accepted",
        v->accepted_ms > 0 ? json_string(setpay_time_format(v->accepted_ms, at)) : json_null(),
        &whole);
    set(json, "accepted_reason", text_json(v->reason), &whole);
    return checked(json, whole);
}

/* The same members. */
static json_t *unsettled_json(const struct setpay_unsettled_view *v)
{
    static const char *const none[] = {
        "settlement_id",
        "day",
        "line",
        "settled_amount",
        "settled_currency",
        "fee",
        "code",
        "date",
        "event_id",
        "first_settlement_id",
        "accepted",
        "accepted_reason",
    };
    char since[SETPAY_TIME_TEXT_SIZE];
    bool whole = true;
    json_t *json = json_pack("{s:[s]}", "differences", "unsettled");
    set(json, "stands", json_true(), &whole);
    set(json, "kind", json_string(v->is_credit ? "refund" : "capture"), &whole);
    set(json, "order_id", text_json(v->order_id), &whole);
    set(json, "payment", id_json(true, &v->xid), &whole);
    set(json, "id", id_json(true, &v->id), &whole);
    set(json, "gateway_id", id_json(true, &v->token), &whole);
    set(json, "brand", json_string(v->brand), &whole);
    set(json, "batch", json_integer(v->batch), &whole);
    set(json, "amount", json_integer(v->amount.minor), &whole);
    set(json, "currency", json_string(v->amount.currency), &whole);
    set(json, "since", json_string(setpay_time_format(v->closed_ms, since)), &whole);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        set(json, none[i], json_null(), &whole);
    return checked(json, whole);
}

/* ------------------------------------------------------------------ pages */

enum setpay_error setpay_settlement_cursor_parse(const char *cursor, int64_t *number)
{
    char *end = NULL;
    long long read = strtoll(cursor, &end, 10);
    if (cursor[0] < '0' || cursor[0] > '9' || *end != '\0' || read < 1 || strlen(cursor) > 18)
        return SETPAY_E_INVALID;
    *number = read;
    return SETPAY_OK;
}

/* One page and one more, which says that there is more. */
struct page {
    json_t *list;
    size_t limit;
    int64_t last;
    bool more;
};

/* Takes json. */
static enum setpay_error add(struct page *page, int64_t seq, json_t *json)
{
    page->more = json_array_size(page->list) == page->limit;
    if (page->more) {
        json_decref(json);
        return SETPAY_OK;
    }
    page->last = seq;
    return json_array_append_new(page->list, json) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error add_settlement(void *arg, const struct setpay_settlement_view *settlement)
{
    return add(arg, settlement->seq, setpay_settlement_view_json(settlement));
}

static enum setpay_error add_row(void *arg, const struct setpay_settlement_row_view *row)
{
    return add(arg, row->seq, setpay_settlement_row_json(row));
}

static enum setpay_error add_unsettled(void *arg, const struct setpay_unsettled_view *step)
{
    return add(arg, step->seq, unsettled_json(step));
}

/* {name:[…],"has_more","next_cursor"}; cursor, NULL: none, is taken. The list is taken in any
 * case. */
static enum setpay_error end_page(struct page *page, const char *name, enum setpay_error error,
                                  json_t *cursor, json_t **result)
{
    bool more = cursor != NULL;
    if (error == SETPAY_OK) {
        *result = json_pack("{s:O, s:b, s:o?}", name, page->list, "has_more", (int)more,
                            "next_cursor", json_incref(cursor));
        error = *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    json_decref(cursor);
    json_decref(page->list);
    return error;
}

static json_t *number_cursor(const struct page *page)
{
    return page->more ? json_sprintf("%lld", (long long)page->last) : NULL;
}

enum setpay_error setpay_settlement_page_read(struct setpay_db *db,
                                              const struct setpay_payment_port *port,
                                              int64_t before, size_t limit, json_t **result)
{
    struct page page = {.list = json_array(), .limit = limit};
    enum setpay_error error =
        page.list == NULL
            ? SETPAY_E_NOMEM
            : port->list_settlements(db, before, (int64_t)limit + 1, add_settlement, &page);
    return end_page(&page, "settlements", error, number_cursor(&page), result);
}

enum setpay_error setpay_settlement_rows_read(struct setpay_db *db,
                                              const struct setpay_payment_port *port,
                                              const struct setpay_id *id, int64_t after,
                                              size_t limit, json_t **result)
{
    struct setpay_settlement_view settlement;
    SETPAY_TRY(port->find_settlement(db, id, &settlement));
    struct page page = {.list = json_array(), .limit = limit};
    const struct setpay_settlement_rows which = {
        .settlement = settlement.seq, .after = after, .room = (int64_t)limit + 1};
    enum setpay_error error =
        page.list == NULL ? SETPAY_E_NOMEM : port->list_settlement_rows(db, &which, add_row, &page);
    return end_page(&page, "rows", error, number_cursor(&page), result);
}

/* The first of those rows, as a member of the settlement. */
static enum setpay_error add_shown(struct setpay_db *db, const struct setpay_payment_port *port,
                                   int64_t settlement, enum setpay_settlement_which which,
                                   json_t *json)
{
    const struct setpay_settlement_rows rows = {
        .settlement = settlement, .which = which, .room = SETPAY_SETTLEMENT_SHOWN};
    struct page page = {.list = json_array(), .limit = SETPAY_SETTLEMENT_SHOWN};
    const char *name = which == SETPAY_SETTLEMENT_ACCEPTED ? "accepted" : "differences";
    if (json_object_set_new(json, name, page.list) != 0)
        return SETPAY_E_NOMEM;
    return port->list_settlement_rows(db, &rows, add_row, &page);
}

enum setpay_error setpay_settlement_find_read(struct setpay_db *db,
                                              const struct setpay_payment_port *port,
                                              const struct setpay_id *id, json_t **result)
{
    struct setpay_settlement_view settlement;
    SETPAY_TRY(port->find_settlement(db, id, &settlement));
    json_t *json = setpay_settlement_view_json(&settlement);
    enum setpay_error error = json == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = add_shown(db, port, settlement.seq, SETPAY_SETTLEMENT_STANDING, json);
    if (error == SETPAY_OK)
        error = add_shown(db, port, settlement.seq, SETPAY_SETTLEMENT_ACCEPTED, json);
    if (error != SETPAY_OK) {
        json_decref(json);
        return error;
    }
    *result = json;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ differences */

/* Where a page goes on: "r42" among the rows, "u7" among what is not settled. */
#define AMONG_ROWS 'r'
#define AMONG_UNSETTLED 'u'

static enum setpay_error read_cursor(const char *cursor, char *among, int64_t *after)
{
    *among = AMONG_ROWS;
    *after = 0;
    if (cursor != NULL)
        *among = cursor[0];
    if (cursor == NULL || strcmp(cursor, "u0") == 0)
        return SETPAY_OK;
    if (*among != AMONG_ROWS && *among != AMONG_UNSETTLED)
        return SETPAY_E_INVALID;
    return setpay_settlement_cursor_parse(cursor + 1, after);
}

/* What is behind the rows fills the page up; where no room is left, the next begins with it. */
static enum setpay_error fill(struct setpay_db *db, const struct setpay_payment_port *port,
                              const struct setpay_settlement_differences *wanted, char *among,
                              int64_t after, struct page *page)
{
    if (*among == AMONG_ROWS) {
        const struct setpay_settlement_rows which = {.which = SETPAY_SETTLEMENT_STANDING,
                                                     .after = after,
                                                     .room = (int64_t)wanted->limit + 1};
        SETPAY_TRY(port->list_settlement_rows(db, &which, add_row, page));
        if (page->more)
            return SETPAY_OK;
        *among = AMONG_UNSETTLED;
        after = 0;
        page->last = 0;
    }
    const struct setpay_unsettled missed = {
        .since_ms = wanted->closed_since_ms,
        .before_ms = wanted->closed_before_ms,
        .after = after,
        .room = (int64_t)(wanted->limit - json_array_size(page->list)) + 1,
    };
    return port->list_unsettled(db, &missed, add_unsettled, page);
}

enum setpay_error
setpay_settlement_differences_read(struct setpay_db *db, const struct setpay_payment_port *port,
                                   const struct setpay_settlement_differences *wanted,
                                   json_t **result)
{
    char among = AMONG_ROWS;
    int64_t after = 0;
    SETPAY_TRY(read_cursor(wanted->cursor, &among, &after));
    struct page page = {.list = json_array(), .limit = wanted->limit};
    enum setpay_error error =
        page.list == NULL ? SETPAY_E_NOMEM : fill(db, port, wanted, &among, after, &page);
    json_t *cursor = page.more ? json_sprintf("%c%lld", among, (long long)page.last) : NULL;
    return end_page(&page, "differences", error, cursor, result);
}
