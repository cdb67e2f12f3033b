/*
 * The rows of events.
 */
#include "merchant/store/event.h"

#include "common/base/bytes.h"
#include "merchant/store/webhook/delivery.h"

#include <stdlib.h>
#include <string.h>

const struct setpay_event_type setpay_event_types[] = {
    {"order.created", "an order was made, and may be paid"},
    {"order.paying", "a purchase was begun; nothing is decided"},
    {"order.authorised", "the money is held for the shop"},
    {"order.partially_captured", "a part of what was held was taken"},
    {"order.captured", "all that was held was taken"},
    {"order.shipped", "a part of the order, or all of it, was sent"},
    {"order.partially_refunded", "a part of what was taken was given back"},
    {"order.refunded", "all that was taken was given back"},
    {"order.declined", "the issuer refused; the order may be paid again until it expires"},
    {"order.open", "an attempt to pay ended without money; the order may be paid again"},
    {"order.voided", "the hold was given back by the shop"},
    {"order.cancelled", "the shop ended the order without money"},
    {"order.expired", "the order was not paid in time"},
    {"stock.changed", "the shop has changed by hand what is there of a variant"},
    {"stock.low", "few are there of a variant: no more than its low_at, and more than none"},
    {"stock.out", "none is there of a variant any more"},
    {"stock.enough",
     "more than its low_at are there of a variant again, or it is counted no longer"},
    {"webhook.test", "somebody asked for it, to try a webhook"},
    {NULL, NULL},
};

bool setpay_event_type_is_known(const char *type)
{
    const struct setpay_event_type *row = setpay_event_types;
    while (row->name != NULL && strcmp(row->name, type) != 0)
        row++;
    return row->name != NULL;
}

/* ------------------------------------------------------------------ adding */

static enum setpay_error body_of(const char *event_id, const char *type, const json_t *data,
                                 setpay_time_ms now_ms, char **body)
{
    char time[SETPAY_TIME_TEXT_SIZE];
    json_t *json = json_pack("{s:s, s:s, s:s, s:O}", "id", event_id, "type", type, "timestamp",
                             setpay_time_format(now_ms, time), "data", data);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL)
        return SETPAY_E_NOMEM;
    if (strlen(text) > SETPAY_EVENT_BODY_MAX) {
        free(text);
        return SETPAY_E_TOO_BIG;
    }
    *body = text;
    return SETPAY_OK;
}

/* The row; *seq is its place. */
static enum setpay_error insert(struct setpay_db *db, const char *type, const char *order_id,
                                const json_t *data, setpay_time_ms now_ms, char *event_id,
                                int64_t *seq)
{
    char *body = NULL;
    if (!setpay_event_type_is_known(type))
        return SETPAY_E_INTERNAL;
    SETPAY_TRY(setpay_name_make("evt_", event_id));
    SETPAY_TRY(body_of(event_id, type, data, now_ms, &body));
    enum setpay_error error =
        setpay_db_insert(db, seq,
                         "INSERT INTO event (event_id, type, order_id, body, created_ms)"
                         " VALUES ($1, $2, $3, $4, $5) RETURNING seq",
                         SETPAY_DB_TEXT(event_id), SETPAY_DB_TEXT(type), SETPAY_DB_TEXT(order_id),
                         SETPAY_DB_TEXT(body), SETPAY_DB_INT(now_ms));
    free(body);
    return error;
}

enum setpay_error setpay_event_add(struct setpay_db *db, const char *type, const char *order_id,
                                   const json_t *data, setpay_time_ms now_ms)
{
    char event_id[SETPAY_EVENT_ID_SIZE];
    int64_t seq = 0;
    SETPAY_TRY(insert(db, type, order_id, data, now_ms, event_id, &seq));
    return setpay_delivery_add_all(db, seq, type, now_ms);
}

enum setpay_error setpay_event_add_for(struct setpay_db *db, const char *type, int64_t webhook_seq,
                                       const json_t *data, setpay_time_ms now_ms, char *event_id)
{
    char made[SETPAY_EVENT_ID_SIZE];
    int64_t seq = 0;
    SETPAY_TRY(insert(db, type, NULL, data, now_ms, made, &seq));
    SETPAY_TRY(setpay_delivery_add(db, webhook_seq, seq, now_ms));
    if (event_id != NULL)
        memcpy(event_id, made, sizeof made);
    return setpay_delivery_tell(db);
}

/* ------------------------------------------------------------------ reading */

void setpay_event_cursor_format(int64_t seq, char *out)
{
    uint8_t bytes[8];
    setpay_write_u64be(bytes, (uint64_t)seq);
    setpay_base64url_encode(SETPAY_VIEW_ARRAY(bytes), out);
}

enum setpay_error setpay_event_cursor_parse(const char *cursor, int64_t *after_seq)
{
    uint8_t bytes[8];
    SETPAY_TRY(setpay_base64url_decode(cursor, bytes, sizeof bytes));
    uint64_t value = setpay_read_u64be(bytes);
    if (value > INT64_MAX)
        return SETPAY_E_INVALID;
    *after_seq = (int64_t)value;
    return SETPAY_OK;
}

static json_t *row_json(struct setpay_db_rows *rows, int column)
{
    struct setpay_view body = setpay_db_get_view(rows, column);
    return json_loadb((const char *)body.data, body.size, 0, NULL);
}

/* One page and one row more, which says that there is more. */
static enum setpay_error read_page(struct setpay_db *db, const struct setpay_event_list *wanted,
                                   json_t *events, int64_t *last_seq, bool *more)
{
    struct setpay_db_rows *rows;
    bool whole = true;
    SETPAY_TRY(wanted->type == NULL
                   ? setpay_db_select(db, &rows,
                                      "SELECT seq, body FROM event WHERE seq > $1 ORDER BY seq"
                                      " LIMIT $2",
                                      SETPAY_DB_INT(wanted->after_seq),
                                      SETPAY_DB_INT((int64_t)wanted->limit + 1))
                   : setpay_db_select(db, &rows,
                                      "SELECT seq, body FROM event WHERE seq > $1 AND type = $2"
                                      " ORDER BY seq LIMIT $3",
                                      SETPAY_DB_INT(wanted->after_seq),
                                      SETPAY_DB_TEXT(wanted->type),
                                      SETPAY_DB_INT((int64_t)wanted->limit + 1)));
    while (!*more && whole && setpay_db_next(rows)) {
        *more = json_array_size(events) == wanted->limit;
        if (*more)
            break;
        *last_seq = setpay_db_get_int(rows, 0);
        whole = json_array_append_new(events, row_json(rows, 1)) == 0;
    }
    SETPAY_TRY(setpay_db_end(rows));
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_event_list_read(struct setpay_db *db,
                                         const struct setpay_event_list *wanted, json_t **page)
{
    char cursor[SETPAY_EVENT_CURSOR_SIZE];
    int64_t last_seq = wanted->after_seq;
    bool more = false;
    json_t *events = json_array();
    enum setpay_error error =
        events == NULL ? SETPAY_E_NOMEM : read_page(db, wanted, events, &last_seq, &more);
    if (error == SETPAY_OK) {
        setpay_event_cursor_format(last_seq, cursor);
        *page = json_pack("{s:O, s:b, s:s}", "events", events, "has_more", (int)more, "next_cursor",
                          cursor);
        error = *page == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    json_decref(events);
    return error;
}

enum setpay_error setpay_event_find(struct setpay_db *db, const char *event_id, json_t **event)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT body FROM event WHERE event_id = $1",
                             SETPAY_DB_TEXT(event_id)));
    json_t *found = row_json(rows, 0);
    enum setpay_error error = setpay_db_end(rows);
    if (error == SETPAY_OK && found == NULL)
        error = SETPAY_E_NOMEM;
    if (error != SETPAY_OK) {
        json_decref(found);
        return error;
    }
    *event = found;
    return SETPAY_OK;
}

enum setpay_error setpay_event_purge(struct setpay_db *db, setpay_time_ms before_ms, int64_t room,
                                     int64_t *deleted)
{
    SETPAY_TRY(setpay_db_run(db,
                             "DELETE FROM webhook_delivery WHERE seq IN (SELECT d.seq"
                             " FROM webhook_delivery d JOIN event e ON e.seq = d.event_seq"
                             " WHERE e.created_ms < $1 LIMIT $2)",
                             SETPAY_DB_INT(before_ms), SETPAY_DB_INT(room)));
    *deleted = setpay_db_changes(db);
    SETPAY_TRY(
        setpay_db_run(db,
                      "DELETE FROM event WHERE seq IN (SELECT seq FROM event"
                      " WHERE created_ms < $1 AND NOT EXISTS (SELECT 1 FROM webhook_delivery d"
                      " WHERE d.event_seq = event.seq) ORDER BY seq LIMIT $2)",
                      SETPAY_DB_INT(before_ms), SETPAY_DB_INT(room)));
    *deleted += setpay_db_changes(db);
    return SETPAY_OK;
}
