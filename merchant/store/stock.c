/*
 * Stock and its reservations.
 *
 * Operations run one after another, so what is looked at inside one is what it changes: nothing is
 * sold twice. The database holds the same by its constraints.
 */
#include "merchant/store/stock.h"

#include "common/base/testing.h"
#include "merchant/store/part.h"
#include "merchant/store/stock_level.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ reserving */

static enum setpay_error read_left(struct setpay_db *db, int64_t variant_seq, bool *tracked,
                                   int64_t *left)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT tracked, on_hand - reserved FROM variant WHERE seq = $1",
                             SETPAY_DB_INT(variant_seq)));
    *tracked = setpay_db_get_bool(rows, 0);
    *left = setpay_db_get_int(rows, 1);
    return setpay_db_end(rows);
}

/* Whether there is enough of it; what has expired by now need not have been swept yet. */
static enum setpay_error look_for(struct setpay_db *db, struct setpay_stock_want *want,
                                  setpay_time_ms now_ms, bool *enough)
{
    bool tracked = false;
    SETPAY_TRY(read_left(db, want->variant_seq, &tracked, &want->left));
    if (tracked && want->left < want->quantity) {
        SETPAY_TRY(setpay_stock_make_room(db, want->variant_seq, want->quantity, now_ms));
        SETPAY_TRY(read_left(db, want->variant_seq, &tracked, &want->left));
    }
    *enough = !tracked || want->left >= want->quantity;
    return SETPAY_OK;
}

static enum setpay_error reserve(struct setpay_db *db, const char *order_id,
                                 setpay_time_ms until_ms, const struct setpay_stock_want *want)
{
    SETPAY_TRY(setpay_db_run(db, "UPDATE variant SET reserved = reserved + $1 WHERE seq = $2",
                             SETPAY_DB_INT(want->quantity), SETPAY_DB_INT(want->variant_seq)));
    return setpay_db_run(db,
                         "INSERT INTO reservation (order_id, variant_seq, sku, quantity, state,"
                         " taken, until_ms) VALUES ($1, $2, $3, $4, $5, 0, $6)",
                         SETPAY_DB_TEXT(order_id), SETPAY_DB_INT(want->variant_seq),
                         SETPAY_DB_TEXT(want->sku), SETPAY_DB_INT(want->quantity),
                         SETPAY_DB_INT(SETPAY_RESERVATION_HELD), SETPAY_DB_INT(until_ms));
}

enum setpay_error setpay_stock_reserve(struct setpay_db *db, const char *order_id,
                                       setpay_time_ms until_ms, struct setpay_stock_want *wants,
                                       size_t count, setpay_time_ms now_ms, size_t *short_index)
{
    for (*short_index = 0; *short_index < count; (*short_index)++) {
        bool enough = false;
        SETPAY_TRY(look_for(db, &wants[*short_index], now_ms, &enough));
        if (!enough)
            return SETPAY_E_STATE;
    }
    for (size_t i = 0; i < count; i++)
        SETPAY_TRY(reserve(db, order_id, until_ms, &wants[i]));
    setpay_testing_point("stock.reserved");
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ what becomes of it */

struct reservation {
    int64_t variant_seq;
    char sku[SETPAY_SHOP_ID_SIZE];
    int64_t quantity;
    enum setpay_reservation_state state;
    int64_t taken;
};

/* One of the order's that is in this state. SETPAY_E_NOT_FOUND. */
static enum setpay_error next_reservation(struct setpay_db *db, const char *order_id,
                                          enum setpay_reservation_state state,
                                          struct reservation *reservation)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT variant_seq, sku, quantity, taken FROM reservation"
                             " WHERE order_id = $1 AND state = $2 ORDER BY variant_seq LIMIT 1",
                             SETPAY_DB_TEXT(order_id), SETPAY_DB_INT(state)));
    reservation->variant_seq = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, reservation->sku, sizeof reservation->sku);
    reservation->quantity = setpay_db_get_int(rows, 2);
    reservation->taken = setpay_db_get_int(rows, 3);
    reservation->state = state;
    return setpay_db_end(rows);
}

static enum setpay_error go_on(struct setpay_db *db, const char *order_id,
                               const struct reservation *reservation,
                               enum setpay_reservation_state state, int64_t taken)
{
    return setpay_db_run(db,
                         "UPDATE reservation SET state = $1, taken = $2"
                         " WHERE order_id = $3 AND variant_seq = $4",
                         SETPAY_DB_INT(state), SETPAY_DB_INT(taken), SETPAY_DB_TEXT(order_id),
                         SETPAY_DB_INT(reservation->variant_seq));
}

/* What is there of a variant; it may have been deleted since: SETPAY_E_NOT_FOUND. The number of one
 * that is gone may be another one's by now (SQLite gives the highest again), the SKU tells. */
static enum setpay_error read_count(struct setpay_db *db, int64_t variant_seq, const char *sku,
                                    struct setpay_stock_count *count)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT tracked, on_hand, low_at FROM variant"
                             " WHERE seq = $1 AND sku = $2",
                             SETPAY_DB_INT(variant_seq), SETPAY_DB_TEXT(sku)));
    count->tracked = setpay_db_get_bool(rows, 0);
    count->on_hand = setpay_db_get_int(rows, 1);
    count->low_at = setpay_db_get_int(rows, 2);
    return setpay_db_end(rows);
}

/* So many more (or fewer, below 0) are there than before, for the order: logged, and told where it
 * is news. The row has been changed. */
static enum setpay_error remember(struct setpay_db *db, const char *order_id, int64_t variant_seq,
                                  const char *sku, const struct setpay_stock_count *before,
                                  int64_t change, const char *reason, setpay_time_ms now_ms)
{
    struct setpay_stock_count after = *before;
    after.on_hand += change;
    SETPAY_TRY(setpay_stock_log(db, sku, change, after.on_hand, reason, order_id, now_ms));
    return setpay_stock_tell_level(db, variant_seq, before, &after, now_ms);
}

static enum setpay_error sell_one(struct setpay_db *db, const char *order_id,
                                  const struct reservation *reservation, setpay_time_ms now_ms)
{
    struct setpay_stock_count count = {.on_hand = 0};
    SETPAY_TRY(read_count(db, reservation->variant_seq, reservation->sku, &count));
    int64_t taken = count.tracked ? reservation->quantity : 0;
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE variant SET reserved = reserved - $1, on_hand = on_hand - $2"
                             " WHERE seq = $3",
                             SETPAY_DB_INT(reservation->quantity), SETPAY_DB_INT(taken),
                             SETPAY_DB_INT(reservation->variant_seq)));
    if (count.tracked)
        SETPAY_TRY(remember(db, order_id, reservation->variant_seq, reservation->sku, &count,
                            -taken, "sold", now_ms));
    return go_on(db, order_id, reservation, SETPAY_RESERVATION_SOLD, taken);
}

enum setpay_error setpay_stock_sell(struct setpay_db *db, const char *order_id,
                                    setpay_time_ms now_ms)
{
    struct reservation reservation = {.taken = 0};
    for (;;) {
        enum setpay_error error =
            next_reservation(db, order_id, SETPAY_RESERVATION_HELD, &reservation);
        if (error == SETPAY_E_NOT_FOUND)
            return SETPAY_OK;
        SETPAY_TRY(error);
        SETPAY_TRY(sell_one(db, order_id, &reservation, now_ms));
        setpay_testing_point("stock.sold");
    }
}

/* What was sold stands on the shelf again, but for what has left it, or has come back, before. */
static enum setpay_error put_back(struct setpay_db *db, const char *order_id,
                                  struct reservation *reservation, setpay_time_ms now_ms)
{
    struct setpay_stock_count count = {.on_hand = 0};
    int64_t gone = 0;
    SETPAY_TRY(setpay_parts_count_gone(db, order_id, reservation->sku, &gone));
    int64_t there = reservation->quantity - gone;
    int64_t back = there < reservation->taken ? there : reservation->taken;
    enum setpay_error error = read_count(db, reservation->variant_seq, reservation->sku, &count);
    if (back <= 0 || error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    reservation->taken -= back;
    SETPAY_TRY(setpay_db_run(db, "UPDATE variant SET on_hand = on_hand + $1 WHERE seq = $2",
                             SETPAY_DB_INT(back), SETPAY_DB_INT(reservation->variant_seq)));
    return remember(db, order_id, reservation->variant_seq, reservation->sku, &count, back,
                    "given back", now_ms);
}

static enum setpay_error release_one(struct setpay_db *db, const char *order_id,
                                     struct reservation *reservation, setpay_time_ms now_ms)
{
    if (reservation->state == SETPAY_RESERVATION_HELD)
        SETPAY_TRY(setpay_db_run(db, "UPDATE variant SET reserved = reserved - $1 WHERE seq = $2",
                                 SETPAY_DB_INT(reservation->quantity),
                                 SETPAY_DB_INT(reservation->variant_seq)));
    else
        SETPAY_TRY(put_back(db, order_id, reservation, now_ms));
    return go_on(db, order_id, reservation, SETPAY_RESERVATION_RELEASED, reservation->taken);
}

enum setpay_error setpay_stock_release(struct setpay_db *db, const char *order_id,
                                       setpay_time_ms now_ms)
{
    static const enum setpay_reservation_state states[] = {SETPAY_RESERVATION_HELD,
                                                           SETPAY_RESERVATION_SOLD};
    struct reservation reservation = {.taken = 0};
    for (size_t i = 0; i < sizeof states / sizeof *states;) {
        enum setpay_error error = next_reservation(db, order_id, states[i], &reservation);
        if (error == SETPAY_E_NOT_FOUND) {
            i++;
            continue;
        }
        SETPAY_TRY(error);
        SETPAY_TRY(release_one(db, order_id, &reservation, now_ms));
    }
    return SETPAY_OK;
}

static enum setpay_error find_sold(struct setpay_db *db, const char *order_id, const char *sku,
                                   struct reservation *reservation)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT variant_seq, taken FROM reservation"
                             " WHERE order_id = $1 AND sku = $2 AND state = $3",
                             SETPAY_DB_TEXT(order_id), SETPAY_DB_TEXT(sku),
                             SETPAY_DB_INT(SETPAY_RESERVATION_SOLD)));
    reservation->variant_seq = setpay_db_get_int(rows, 0);
    reservation->taken = setpay_db_get_int(rows, 1);
    return setpay_db_end(rows);
}

/* So many more (or fewer, below 0) are there of what the order has bought. */
static enum setpay_error move(struct setpay_db *db, const char *order_id, const char *sku,
                              const struct reservation *reservation,
                              const struct setpay_stock_count *before, int64_t change,
                              const char *reason, setpay_time_ms now_ms)
{
    if (change == 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_run(db, "UPDATE variant SET on_hand = on_hand + $1 WHERE seq = $2",
                             SETPAY_DB_INT(change), SETPAY_DB_INT(reservation->variant_seq)));
    SETPAY_TRY(
        go_on(db, order_id, reservation, SETPAY_RESERVATION_SOLD, reservation->taken - change));
    return remember(db, order_id, reservation->variant_seq, sku, before, change, reason, now_ms);
}

enum setpay_error setpay_stock_return(struct setpay_db *db, const char *order_id, const char *sku,
                                      int64_t quantity, const char *reason, setpay_time_ms now_ms,
                                      int64_t *moved)
{
    struct reservation reservation = {.taken = 0};
    struct setpay_stock_count count = {.on_hand = 0};
    enum setpay_error error = find_sold(db, order_id, sku, &reservation);
    if (error == SETPAY_OK)
        error = read_count(db, reservation.variant_seq, sku, &count);
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK; /* not of the catalogue, or no longer */
    SETPAY_TRY(error);
    int64_t change = quantity < reservation.taken ? quantity : reservation.taken;
    *moved += change;
    return move(db, order_id, sku, &reservation, &count, change, reason, now_ms);
}

enum setpay_error setpay_stock_take_back(struct setpay_db *db, const char *order_id,
                                         const char *sku, int64_t quantity, const char *reason,
                                         setpay_time_ms now_ms)
{
    struct reservation reservation = {.taken = 0};
    struct setpay_stock_count count = {.tracked = true};
    struct setpay_db_rows *rows;
    enum setpay_error error = find_sold(db, order_id, sku, &reservation);
    if (error == SETPAY_OK)
        error = setpay_db_one(db, &rows,
                              "SELECT on_hand, on_hand - reserved, low_at FROM variant"
                              " WHERE seq = $1 AND sku = $2 AND tracked = 1",
                              SETPAY_DB_INT(reservation.variant_seq), SETPAY_DB_TEXT(sku));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    int64_t available = setpay_db_get_int(rows, 1);
    count.on_hand = setpay_db_get_int(rows, 0);
    count.low_at = setpay_db_get_int(rows, 2);
    SETPAY_TRY(setpay_db_end(rows));
    return move(db, order_id, sku, &reservation, &count,
                -(quantity < available ? quantity : available), reason, now_ms);
}

/* ------------------------------------------------------------------ what has expired */

/* Of partial indexes, which hold nothing else; so the number stands in the statement. */
#define HELD "r.state = 1"
_Static_assert(SETPAY_RESERVATION_HELD == 1, "the state of HELD and of the indexes");
#define EXPIRED                                                                                    \
    "SELECT r.order_id FROM reservation r JOIN orders o ON o.order_id = r.order_id"                \
    " WHERE " HELD " AND o.xid IS NULL AND r.until_ms <= $1"

/* What the order of the one row holds is free; *found false: there is none. */
static enum setpay_error release_found(struct setpay_db *db, enum setpay_error error,
                                       struct setpay_db_rows *rows, setpay_time_ms now_ms,
                                       bool *found)
{
    char order_id[SETPAY_ORDER_ID_SIZE];
    *found = error == SETPAY_OK;
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    setpay_db_get_text(rows, 0, order_id, sizeof order_id);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_stock_release(db, order_id, now_ms);
}

enum setpay_error setpay_stock_expire(struct setpay_db *db, setpay_time_ms now_ms, int64_t room,
                                      int64_t *released)
{
    struct setpay_db_rows *rows = NULL;
    const setpay_time_ms agreed_ms = setpay_clock_agreed_ms(now_ms);
    for (*released = 0; *released < room; (*released)++) {
        bool found = false;
        enum setpay_error error = setpay_db_one(db, &rows, EXPIRED " ORDER BY r.until_ms LIMIT 1",
                                                SETPAY_DB_INT(agreed_ms));
        SETPAY_TRY(release_found(db, error, rows, now_ms, &found));
        if (!found)
            break;
    }
    return SETPAY_OK;
}

enum setpay_error setpay_stock_make_room(struct setpay_db *db, int64_t variant_seq, int64_t wanted,
                                         setpay_time_ms now_ms)
{
    struct setpay_db_rows *rows = NULL;
    const setpay_time_ms agreed_ms = setpay_clock_agreed_ms(now_ms);
    for (bool found = true; found;) {
        bool tracked = false;
        int64_t left = 0;
        SETPAY_TRY(read_left(db, variant_seq, &tracked, &left));
        if (left >= wanted)
            break;
        enum setpay_error error =
            setpay_db_one(db, &rows, EXPIRED " AND r.variant_seq = $2 ORDER BY r.until_ms LIMIT 1",
                          SETPAY_DB_INT(agreed_ms), SETPAY_DB_INT(variant_seq));
        SETPAY_TRY(release_found(db, error, rows, now_ms, &found));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_stock_expire_all(struct setpay_db *db, setpay_time_ms now_ms)
{
    return setpay_db_run(db,
                         "UPDATE reservation SET until_ms = $1 WHERE state = 1 AND until_ms > $1",
                         SETPAY_DB_INT(now_ms));
}

enum setpay_error setpay_stock_log(struct setpay_db *db, const char *sku, int64_t change,
                                   int64_t on_hand, const char *reason, const char *order_id,
                                   setpay_time_ms now_ms)
{
    return setpay_db_run(db,
                         "INSERT INTO stock_log (sku, change, on_hand, reason, order_id, at_ms)"
                         " VALUES ($1, $2, $3, $4, $5, $6)",
                         SETPAY_DB_TEXT(sku), SETPAY_DB_INT(change), SETPAY_DB_INT(on_hand),
                         SETPAY_DB_TEXT(reason), SETPAY_DB_TEXT(order_id), SETPAY_DB_INT(now_ms));
}
