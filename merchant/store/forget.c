/*
 * Rows that are due -> each with its order as it stands -> the row goes, or is looked at again.
 */
#include "merchant/store/forget.h"

#include "common/base/log.h"
#include "merchant/store/part.h"

#define LOOK_AT_ONCE 32
#define LOOK_AGAIN_MS SETPAY_DAY_MS

/* ------------------------------------------------------------------ pure */

static bool goes_on(const struct setpay_order_view *view)
{
    switch (view->status) {
    case SETPAY_ORDER_STATUS_REFUNDED:
    case SETPAY_ORDER_STATUS_VOIDED:
    case SETPAY_ORDER_STATUS_CANCELLED:
    case SETPAY_ORDER_STATUS_EXPIRED:
        return false;
    case SETPAY_ORDER_STATUS_CAPTURED:
    case SETPAY_ORDER_STATUS_PARTIALLY_REFUNDED:
        return setpay_order_to_send(view) > 0 ||
               (view->has_agreement && view->agreement.end == SETPAY_ENDED_NOT);
    default:
        return true;
    }
}

static setpay_time_ms later(setpay_time_ms one, setpay_time_ms other)
{
    return one > other ? one : other;
}

setpay_time_ms setpay_order_over_ms(const struct setpay_order_view *view)
{
    setpay_time_ms over_ms = view->order.created_ms;
    if (goes_on(view))
        return 0;
    if (setpay_order_standing(view->payments, view->payment_count) == NULL)
        over_ms = later(over_ms, view->order.expires_ms);
    for (size_t i = 0; i < view->payment_count; i++)
        over_ms = later(over_ms, later(view->payments[i].created_ms, view->payments[i].decided_ms));
    for (size_t i = 0; i < view->step_count; i++) {
        if (view->steps[i].step.asking)
            return 0;
        over_ms = later(over_ms, view->steps[i].step.decided_ms);
    }
    for (size_t i = 0; view->parts != NULL && i < view->parts->count; i++)
        over_ms =
            later(over_ms, later(view->parts->list[i].created_ms, view->parts->list[i].settled_ms));
    return view->has_agreement ? later(over_ms, view->agreement.ended_ms) : over_ms;
}

/* ------------------------------------------------------------------ inside an operation */

static enum setpay_error find_over(struct setpay_db *db, const struct setpay_payment_port *port,
                                   const char *order_id, setpay_time_ms now_ms,
                                   setpay_time_ms *over_ms)
{
    struct setpay_order_view view = {.payments = NULL};
    enum setpay_error error = setpay_order_view_find(db, port, order_id, now_ms, &view);
    if (error == SETPAY_OK)
        *over_ms = setpay_order_over_ms(&view);
    setpay_order_view_clear(&view);
    return error;
}

enum setpay_error setpay_order_forget(struct setpay_db *db, const struct setpay_payment_port *port,
                                      const char *order_id, setpay_time_ms now_ms, bool *had)
{
    setpay_time_ms over_ms = 0;
    SETPAY_TRY(find_over(db, port, order_id, now_ms, &over_ms));
    if (over_ms == 0)
        return SETPAY_E_STATE;
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM order_ship_to WHERE order_id = $1",
                             SETPAY_DB_TEXT(order_id)));
    *had = setpay_db_changes(db) > 0;
    if (*had)
        setpay_log(SETPAY_LOG_INFO, "address.forgotten", setpay_field_text("order", order_id));
    return SETPAY_OK;
}

static enum setpay_error look_at(struct setpay_db *db, const struct setpay_payment_port *port,
                                 const char *order_id, int64_t kept_ms, setpay_time_ms now_ms)
{
    setpay_time_ms over_ms = 0;
    bool had = false;
    SETPAY_TRY(find_over(db, port, order_id, now_ms, &over_ms));
    if (over_ms != 0 && over_ms + kept_ms <= now_ms)
        return setpay_order_forget(db, port, order_id, now_ms, &had);
    return setpay_db_run(db, "UPDATE order_ship_to SET look_ms = $1 WHERE order_id = $2",
                         SETPAY_DB_INT(now_ms + LOOK_AGAIN_MS), SETPAY_DB_TEXT(order_id));
}

enum setpay_error setpay_order_forget_due(struct setpay_db *db,
                                          const struct setpay_payment_port *port, int64_t kept_ms,
                                          setpay_time_ms now_ms, int64_t room, int64_t *looked)
{
    char names[LOOK_AT_ONCE][SETPAY_ORDER_ID_SIZE];
    size_t count = LOOK_AT_ONCE;
    struct setpay_db_rows *rows;
    *looked = 0;
    if (kept_ms == 0)
        return SETPAY_OK;
    /* The names first: a query must not be under way while rows change below it. */
    for (; count == LOOK_AT_ONCE && *looked < room; *looked += (int64_t)count) {
        SETPAY_TRY(setpay_db_select(db, &rows,
                                    "SELECT order_id FROM order_ship_to WHERE look_ms <= $1"
                                    " ORDER BY look_ms LIMIT $2",
                                    SETPAY_DB_INT(now_ms), SETPAY_DB_INT(LOOK_AT_ONCE)));
        for (count = 0; count < LOOK_AT_ONCE && setpay_db_next(rows); count++)
            setpay_db_get_text(rows, 0, names[count], sizeof names[count]);
        SETPAY_TRY(setpay_db_end(rows));
        for (size_t i = 0; i < count; i++)
            SETPAY_TRY(look_at(db, port, names[i], kept_ms, now_ms));
    }
    return SETPAY_OK;
}
