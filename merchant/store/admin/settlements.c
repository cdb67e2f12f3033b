/*
 * What was paid out, as the owner sees it: the settlements that were read in, one of them with its
 * sums and rows, and what is not as it is known here. Files are read in by the command line.
 */
#include "merchant/store/admin/admin_internal.h"

#include "merchant/store/settlement_json.h"

#include <string.h>

#define SHOWN 50

struct look {
    const struct setpay_admin *admin;
    bool differs;
    struct setpay_id id;
    int64_t number; /* of a cursor */
    struct setpay_settlement_differences wanted;
    json_t *settlement, *page; /* owned */
};

static void look_clear(struct look *look)
{
    json_decref(look->settlement);
    json_decref(look->page);
}

static const char *text_of(const json_t *json, const char *member)
{
    const char *text = json_string_value(json_object_get(json, member));
    return text != NULL ? text : "";
}

/* Amount and currency of a row or settlement; "" where there is none. */
static json_t *money_of(const json_t *json, const char *member, const char *currency)
{
    const json_t *amount = json_object_get(json, member);
    return json_is_integer(amount)
               ? setpay_admin_money(json_integer_value(amount), text_of(json, currency))
               : json_string("");
}

static json_t *next_of(const json_t *page)
{
    return json_string(text_of(page, "next_cursor"));
}

/* ------------------------------------------------------------------ rows */

/* "amount, duplicate" */
static json_t *names_json(const json_t *row)
{
    json_t *words = json_string("");
    size_t index;
    const json_t *name;
    json_array_foreach(json_object_get(row, "differences"), index, name)
    {
        json_t *longer = json_sprintf("%s%s%s", json_string_value(words), index > 0 ? ", " : "",
                                      json_string_value(name));
        json_decref(words);
        words = longer;
    }
    return words;
}

/* An item that is booked needs no words for it. */
static const char *code_of(const json_t *row)
{
    const char *code = text_of(row, "code");
    return strcmp(code, "00") == 0 ? "" : code;
}

static json_t *row_json(const json_t *row)
{
    const char *kind = text_of(row, "kind");
    const char *since = text_of(row, "since");
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "kind",
        strcmp(kind, "dispute_returned") == 0 ? "dispute won" : kind, "order",
        text_of(row, "order_id"), "gateway", text_of(row, "gateway_id"), "settlement_id",
        text_of(row, "settlement_id"), "first", text_of(row, "first_settlement_id"), "day",
        text_of(row, "day"), "code", code_of(row), "accepted", text_of(row, "accepted_reason"),
        "names", names_json(row), "settled", money_of(row, "settled_amount", "settled_currency"),
        "ours", money_of(row, "amount", "currency"), "fee",
        money_of(row, "fee", "settled_currency"), "since",
        json_stringn(since, strlen(since) < 10 ? 0 : 10));
}

static json_t *rows_json(const json_t *rows)
{
    json_t *list = json_array();
    size_t index;
    const json_t *row;
    json_array_foreach(rows, index, row)(void) json_array_append_new(list, row_json(row));
    return list;
}

/* ------------------------------------------------------------------ the list */

static enum setpay_error read_list(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    const struct setpay_payment_port *port = look->admin->options.port;
    return look->differs ? setpay_settlement_differences_read(db, port, &look->wanted, &look->page)
                         : setpay_settlement_page_read(db, port, look->number, SHOWN, &look->page);
}

static json_t *settlement_json(const json_t *s)
{
    json_int_t differing = json_integer_value(json_object_get(s, "differing"));
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:b}", "id", text_of(s, "settlement_id"),
                     "day", text_of(s, "day"), "brand", text_of(s, "brand"), "gross",
                     money_of(s, "gross", "currency"), "fees", money_of(s, "fees", "currency"),
                     "payout", money_of(s, "payout", "currency"), "differing", differing,
                     "is_agreed", (int)(differing == 0));
}

static json_t *settlements_json(const json_t *settlements)
{
    json_t *list = json_array();
    size_t index;
    const json_t *one;
    json_array_foreach(settlements, index, one)(void)
        json_array_append_new(list, settlement_json(one));
    return list;
}

void setpay_admin_on_settlements(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin *admin = arg;
    struct setpay_admin_visit visit;
    const char *cursor = setpay_http_request_query(request, "cursor");
    struct look look = {
        .admin = admin,
        .differs = setpay_http_request_query(request, "differs") != NULL,
        .number = INT64_MAX,
        .wanted = {.cursor = cursor,
                   .limit = SHOWN,
                   .closed_before_ms =
                       setpay_clock_now_ms() - SETPAY_UNSETTLED_DAYS * SETPAY_DAY_MS},
    };
    if (!setpay_admin_visit_begin(admin, request, &visit))
        return;
    enum setpay_error error = SETPAY_OK;
    if (cursor != NULL && !look.differs)
        error = setpay_settlement_cursor_parse(cursor, &look.number);
    if (error == SETPAY_OK)
        error = setpay_store_read(admin->reader, read_list, &look);
    if (error == SETPAY_E_INVALID)
        setpay_admin_reply_error(admin, request, 404, "There is no such page.");
    else if (error != SETPAY_OK)
        setpay_admin_reply_failed(admin, request, error);
    else
        setpay_admin_reply(
            admin, request, &visit, 200, SETPAY_ADMIN_SETTLEMENTS, "Settlements", NULL,
            json_pack("{s:b, s:o, s:o, s:o}", "differs", (int)look.differs, "settlements",
                      settlements_json(json_object_get(look.page, "settlements")), "differences",
                      rows_json(json_object_get(look.page, "differences")), "next",
                      next_of(look.page)));
    look_clear(&look);
}

/* ------------------------------------------------------------------ one */

/* How its payout comes about; those that are 0 are left out, but for what everybody looks for. */
static const struct {
    const char *name, *member, *count;
    bool always;
} sums[] = {
    {"Captured", "capture_amount", "capture_count", true},
    {"Refunded", "refund_amount", "refund_count", false},
    {"Gross", "gross", NULL, true},
    {"Fees of captures", "capture_fees", NULL, false},
    {"Fees given back", "refund_fees", NULL, false},
    {"Fees", "fees", NULL, true},
    {"Net", "net", NULL, true},
    {"In dispute, held back", "disputed_amount", "disputed_count", false},
    {"Disputes won", "returned_amount", "returned_count", false},
    {"Paid after all", "cleared_amount", "cleared_count", false},
    {"Paid again", "repaid_amount", "repaid_count", false},
    {"Into the reserve", "held", NULL, false},
    {"Out of the reserve", "released", NULL, false},
    {"Carried in", "carried_in", NULL, false},
    {"Paid out", "payout", NULL, true},
    {"Carried over", "carried_out", NULL, false},
    {"Refused, not paid", "refused_amount", "refused_count", false},
};

static json_t *sums_json(const json_t *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        json_int_t minor = json_integer_value(json_object_get(s, sums[i].member));
        json_int_t count =
            sums[i].count != NULL ? json_integer_value(json_object_get(s, sums[i].count)) : 0;
        if (minor == 0 && count == 0 && !sums[i].always)
            continue;
        (void)json_array_append_new(
            list, json_pack("{s:s, s:o, s:o}", "name", sums[i].name, "value",
                            money_of(s, sums[i].member, "currency"), "count",
                            sums[i].count != NULL ? json_sprintf("%lld", (long long)count)
                                                  : json_string("")));
    }
    return list;
}

static enum setpay_error read_one(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    const struct setpay_payment_port *port = look->admin->options.port;
    SETPAY_TRY(setpay_settlement_find_read(db, port, &look->id, &look->settlement));
    return setpay_settlement_rows_read(db, port, &look->id, look->number, SHOWN, &look->page);
}

static enum setpay_error read_query(const struct setpay_http_request *request, struct look *look)
{
    const char *cursor = setpay_http_request_query(request, "cursor");
    SETPAY_TRY(setpay_id_parse(setpay_http_request_param(request, "id"), &look->id));
    return cursor != NULL ? setpay_settlement_cursor_parse(cursor, &look->number) : SETPAY_OK;
}

void setpay_admin_on_settlement(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin *admin = arg;
    struct setpay_admin_visit visit;
    struct look look = {.admin = admin};
    if (!setpay_admin_visit_begin(admin, request, &visit))
        return;
    enum setpay_error error = read_query(request, &look);
    if (error == SETPAY_OK)
        error = setpay_store_read(admin->reader, read_one, &look);
    if (error == SETPAY_E_INVALID || error == SETPAY_E_NOT_FOUND) {
        setpay_admin_reply_error(admin, request, 404, "There is no such settlement.");
    } else if (error != SETPAY_OK) {
        setpay_admin_reply_failed(admin, request, error);
    } else {
        json_t *values = settlement_json(look.settlement);
        (void)json_object_set_new(values, "gateway",
                                  json_string(text_of(look.settlement, "gateway")));
        (void)json_object_set_new(values, "sums", sums_json(look.settlement));
        (void)json_object_set_new(values, "differences",
                                  rows_json(json_object_get(look.settlement, "differences")));
        (void)json_object_set_new(values, "rows", rows_json(json_object_get(look.page, "rows")));
        (void)json_object_set_new(values, "next", next_of(look.page));
        setpay_admin_reply(admin, request, &visit, 200, SETPAY_ADMIN_SETTLEMENT, "Settlement", NULL,
                           values);
    }
    look_clear(&look);
}
