/*
 * What was told of an order, and what is to be told.
 */
#include "merchant/store/order_tell.h"

#include "common/crypto/hash.h"
#include "merchant/note.h"
#include "merchant/store/event.h"
#include "merchant/store/order_json.h"
#include "merchant/store/part.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NEVER_MS INT64_MAX
#define TOLD_NOTHING (-2) /* it has no row: it is new */
#define TOLD_UNKNOWN (-1) /* it is older than events */
/* Each event may take a note of its operation (SETPAY_LIMIT_STORE_NOTES). */
#define EXPIRED_AT_ONCE 8

enum setpay_error setpay_order_note(const char *order_id, struct setpay_id *note)
{
    struct setpay_digest digest;
    SETPAY_TRY(setpay_hash_one("order note", setpay_view_string(order_id), &digest));
    memcpy(note->bytes, digest.bytes, sizeof note->bytes);
    return SETPAY_OK;
}

/* Pages that show an order look again; not every change of one is a purchase's. */
static enum setpay_error notify(struct setpay_db *db, const char *order_id)
{
    struct setpay_id note;
    SETPAY_TRY(setpay_order_note(order_id, &note));
    return setpay_db_notify(db, &note, SETPAY_MERCHANT_NOTE_ORDER);
}

static enum setpay_error read_told(struct setpay_db *db, const char *order_id, int64_t *told,
                                   int64_t *to_send)
{
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows, "SELECT status, to_send FROM order_told WHERE order_id = $1",
                      SETPAY_DB_TEXT(order_id));
    *told = TOLD_NOTHING;
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    *told = setpay_db_get_int(rows, 0);
    *to_send = setpay_db_get_int(rows, 1);
    return setpay_db_end(rows);
}

/* When time alone changes this status. */
static setpay_time_ms due_ms(const struct setpay_order_view *view)
{
    bool waits =
        view->status == SETPAY_ORDER_STATUS_OPEN || view->status == SETPAY_ORDER_STATUS_DECLINED;
    return waits ? view->order.expires_ms : NEVER_MS;
}

static enum setpay_error write_told(struct setpay_db *db, const struct setpay_order_view *view,
                                    int64_t to_send, bool is_new)
{
    if (is_new)
        return setpay_db_run(db,
                             "INSERT INTO order_told (order_id, status, expires_ms, to_send, seq)"
                             " VALUES ($1, $2, $3, $4, $5)",
                             SETPAY_DB_TEXT(view->order.order_id), SETPAY_DB_INT(view->status),
                             SETPAY_DB_INT(due_ms(view)), SETPAY_DB_INT(to_send),
                             SETPAY_DB_INT(view->order.seq));
    return setpay_db_run(db,
                         "UPDATE order_told SET status = $1, expires_ms = $2, to_send = $3"
                         " WHERE order_id = $4",
                         SETPAY_DB_INT(view->status), SETPAY_DB_INT(due_ms(view)),
                         SETPAY_DB_INT(to_send), SETPAY_DB_TEXT(view->order.order_id));
}

static enum setpay_error add_event(struct setpay_db *db, const struct setpay_order_view *view,
                                   bool is_new, setpay_time_ms now_ms)
{
    char type[SETPAY_EVENT_TYPE_SIZE];
    const char *status = is_new ? "created" : setpay_order_status_name(view->status);
    json_t *data = setpay_order_event_json(view);
    if (data == NULL)
        return SETPAY_E_NOMEM;
    (void)snprintf(type, sizeof type, "order.%s", status);
    enum setpay_error error = setpay_event_add(db, type, view->order.order_id, data, now_ms);
    json_decref(data);
    if (error != SETPAY_OK)
        return error;
    /* Events go after a while; what became of an order can be read as long as it is there. */
    return setpay_db_run(
        db, "INSERT INTO order_history (order_id, status, at_ms) VALUES ($1, $2, $3)",
        SETPAY_DB_TEXT(view->order.order_id), SETPAY_DB_TEXT(status), SETPAY_DB_INT(now_ms));
}

/* by_time: nobody has done anything to the order. */
static enum setpay_error tell(struct setpay_db *db, const struct setpay_payment_port *port,
                              const char *order_id, setpay_time_ms now_ms, bool by_time)
{
    struct setpay_order_view view = {.payments = NULL};
    int64_t told = TOLD_NOTHING, to_send = 0;
    SETPAY_TRY(read_told(db, order_id, &told, &to_send));
    enum setpay_error error = setpay_order_view_find(db, port, order_id, now_ms, &view);
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    bool is_news = told != (int64_t)view.status, is_new = told == TOLD_NOTHING;
    /* What ended before there were events is not news. */
    if (is_news && (told != TOLD_UNKNOWN || !by_time))
        error = add_event(db, &view, is_new, now_ms);
    if (error == SETPAY_OK)
        error = notify(db, order_id);
    if (error == SETPAY_OK)
        error = setpay_parts_settle(db, &view, now_ms);
    int64_t left = setpay_order_to_send(&view);
    if (error == SETPAY_OK && (is_news || to_send != left))
        error = write_told(db, &view, left, is_new);
    setpay_order_view_clear(&view);
    return error;
}

enum setpay_error setpay_order_tell(struct setpay_db *db, const struct setpay_payment_port *port,
                                    const char *order_id, setpay_time_ms now_ms)
{
    return tell(db, port, order_id, now_ms, false);
}

/* The names first: a query must not be under way while rows change below it. */
static enum setpay_error read_names(struct setpay_db_rows *rows,
                                    char names[EXPIRED_AT_ONCE][SETPAY_ORDER_ID_SIZE],
                                    size_t *count)
{
    *count = 0;
    while (*count < EXPIRED_AT_ONCE && setpay_db_next(rows))
        setpay_db_get_text(rows, 0, names[(*count)++], SETPAY_ORDER_ID_SIZE);
    return setpay_db_end(rows);
}

static enum setpay_error tell_due(struct setpay_db *db, const struct setpay_payment_port *port,
                                  setpay_time_ms now_ms, bool *more)
{
    char names[EXPIRED_AT_ONCE][SETPAY_ORDER_ID_SIZE];
    size_t count = 0;
    struct setpay_db_rows *rows;
    now_ms = setpay_clock_agreed_ms(now_ms); /* whoever was told so is not told otherwise */
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT order_id FROM order_told WHERE expires_ms <= $1"
                                " ORDER BY expires_ms LIMIT $2",
                                SETPAY_DB_INT(now_ms), SETPAY_DB_INT(EXPIRED_AT_ONCE)));
    SETPAY_TRY(read_names(rows, names, &count));
    for (size_t i = 0; i < count; i++) {
        SETPAY_TRY(tell(db, port, names[i], now_ms, true));
        /* It is looked at once, whatever was found. */
        SETPAY_TRY(setpay_db_run(db, "UPDATE order_told SET expires_ms = $1 WHERE order_id = $2",
                                 SETPAY_DB_INT(NEVER_MS), SETPAY_DB_TEXT(names[i])));
    }
    *more = count == EXPIRED_AT_ONCE;
    return SETPAY_OK;
}

/* Of those that are older than events: what they are is noted, so that lists find them by it. In no
 * hurry. */
static enum setpay_error note_unknown(struct setpay_db *db, const struct setpay_payment_port *port,
                                      setpay_time_ms now_ms)
{
    char names[EXPIRED_AT_ONCE][SETPAY_ORDER_ID_SIZE];
    size_t count = 0;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT order_id FROM order_told WHERE status = $1"
                                " ORDER BY seq DESC LIMIT $2",
                                SETPAY_DB_INT(TOLD_UNKNOWN), SETPAY_DB_INT(EXPIRED_AT_ONCE)));
    SETPAY_TRY(read_names(rows, names, &count));
    for (size_t i = 0; i < count; i++)
        SETPAY_TRY(tell(db, port, names[i], now_ms, true));
    return SETPAY_OK;
}

enum setpay_error setpay_order_tell_expired(struct setpay_db *db,
                                            const struct setpay_payment_port *port,
                                            setpay_time_ms now_ms, bool *more)
{
    SETPAY_TRY(tell_due(db, port, now_ms, more));
    return *more ? SETPAY_OK : note_unknown(db, port, now_ms);
}

enum setpay_error setpay_order_tell_expire_all(struct setpay_db *db, setpay_time_ms now_ms)
{
    return setpay_db_run(db,
                         "UPDATE order_told SET expires_ms = $1"
                         " WHERE expires_ms > $1 AND expires_ms < $2",
                         SETPAY_DB_INT(now_ms), SETPAY_DB_INT(NEVER_MS));
}
