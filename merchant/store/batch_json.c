/*
 * Batches as JSON: how each stands, what it counts here by currency, and where the gateway counts
 * otherwise, the items that differ.
 */
#include "merchant/store/batch_json.h"

#include "common/base/clock.h"

#include <string.h>

const char *setpay_batch_state_name(enum setpay_batch_state state)
{
    switch (state) {
    case SETPAY_BATCH_STATE_CLOSING:
        return "closing";
    case SETPAY_BATCH_STATE_CLOSED:
        return "closed";
    case SETPAY_BATCH_STATE_DIFFERS:
        return "differs";
    default:
        return "open";
    }
}

static json_t *time_json(setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    return time_ms == 0 ? json_null() : json_string(setpay_time_format(time_ms, text));
}

json_t *setpay_batch_total_json(const struct setpay_batch_total *total)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I}", "currency", total->currency, "capture_count",
                     (json_int_t)total->capture_count, "capture_amount",
                     (json_int_t)total->capture_minor, "credit_count",
                     (json_int_t)total->credit_count, "credit_amount",
                     (json_int_t)total->credit_minor);
}

static json_t *difference_json(const struct setpay_batch_difference *d)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    char id[SETPAY_ID_TEXT_SIZE];
    char token[SETPAY_ID_TEXT_SIZE];
    return json_pack(
        "{s:s, s:s?, s:s, s:s?, s:s, s:s, s:I, s:I}", "kind", d->is_credit ? "refund" : "capture",
        "order_id", d->order_id[0] != '\0' ? d->order_id : NULL, "payment",
        setpay_id_format(&d->xid, xid), "id", d->has_id ? setpay_id_format(&d->id, id) : NULL,
        "gateway_id", setpay_id_format(&d->token, token), "currency", d->currency, "amount",
        (json_int_t)d->ours_minor, "gateway_amount", (json_int_t)d->theirs_minor);
}

static json_t *batch_json(const struct setpay_batch_view *batch)
{
    json_t *totals = json_array();
    json_t *differences = json_array();
    for (size_t i = 0; i < batch->total_count; i++)
        (void)json_array_append_new(totals, setpay_batch_total_json(&batch->totals[i]));
    for (size_t i = 0; i < batch->difference_count; i++)
        (void)json_array_append_new(differences, difference_json(&batch->differences[i]));
    if (json_array_size(totals) != batch->total_count ||
        json_array_size(differences) != batch->difference_count) {
        json_decref(totals);
        json_decref(differences);
        return NULL;
    }
    return json_pack("{s:s, s:I, s:s, s:o, s:o, s:o, s:o}", "brand", batch->brand, "batch",
                     (json_int_t)batch->number, "status", setpay_batch_state_name(batch->state),
                     "totals", totals, "differences", differences, "opened",
                     time_json(batch->opened_ms), "closed", time_json(batch->closed_ms));
}

/* ------------------------------------------------------------------ lists */

struct page {
    json_t *batches;
    size_t limit;
    int64_t last;
    bool more;
};

static enum setpay_error add_batch(void *arg, const struct setpay_batch_view *batch)
{
    struct page *page = arg;
    if (json_array_size(page->batches) == page->limit) {
        page->more = true;
        return SETPAY_OK;
    }
    page->last = batch->seq;
    return json_array_append_new(page->batches, batch_json(batch)) == 0 ? SETPAY_OK
                                                                        : SETPAY_E_NOMEM;
}

enum setpay_error setpay_batch_page_read(struct setpay_db *db,
                                         const struct setpay_payment_port *port, int64_t before,
                                         size_t limit, json_t **page)
{
    struct page reading = {.batches = json_array(), .limit = limit};
    enum setpay_error error =
        reading.batches == NULL
            ? SETPAY_E_NOMEM
            : port->list_batches(db, before, (int64_t)limit + 1, add_batch, &reading);
    if (error == SETPAY_OK) {
        *page = json_pack(
            "{s:O, s:b, s:o}", "batches", reading.batches, "has_more", reading.more, "next_cursor",
            reading.more ? json_sprintf("%lld", (long long)reading.last) : json_null());
        error = *page == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    json_decref(reading.batches);
    return error;
}

struct named {
    const struct setpay_id *names;
    size_t name_count;
    json_t *batches;
    bool under_way;
};

static enum setpay_error add_named(void *arg, const struct setpay_batch_view *batch)
{
    struct named *named = arg;
    for (size_t i = 0; i < named->name_count; i++) {
        if (!setpay_id_equal(&named->names[i], &batch->name))
            continue;
        if (batch->state == SETPAY_BATCH_STATE_CLOSING)
            named->under_way = true;
        return json_array_append_new(named->batches, batch_json(batch)) == 0 ? SETPAY_OK
                                                                             : SETPAY_E_NOMEM;
    }
    return SETPAY_OK;
}

enum setpay_error setpay_batch_named_read(struct setpay_db *db,
                                          const struct setpay_payment_port *port,
                                          const struct setpay_id *names, size_t name_count,
                                          json_t **json, bool *under_way)
{
    struct named named = {.names = names, .name_count = name_count, .batches = json_array()};
    enum setpay_error error = named.batches == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK && name_count > 0)
        error = port->list_batches(db, INT64_MAX, SETPAY_BATCH_LIST_MAX, add_named, &named);
    if (error == SETPAY_OK) {
        *json = json_pack("{s:O}", "batches", named.batches);
        *under_way = named.under_way;
        error = *json == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    json_decref(named.batches);
    return error;
}
