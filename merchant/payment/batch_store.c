/*
 * The rows of batches.
 */
#include "merchant/payment/batch_store.h"

#include "common/base/limits.h"
#include "merchant/note.h"

#include <stdlib.h>
#include <string.h>

/* Captures and credits that are done and not undone: kinds 1 and 2, state 2 (step.h). */
#define COUNTED                                                                                    \
    " FROM step JOIN purchase ON purchase.id = step.purchase_id"                                   \
    " WHERE step.batch = $1 AND purchase.brand = $2 AND step.state = 2 AND step.undone = 0"        \
    " AND step.kind IN (1, 2)"

enum setpay_error setpay_merchant_batch_meet(struct setpay_db *db, const char *brand,
                                             uint32_t number, setpay_time_ms now_ms)
{
    struct setpay_id name;
    SETPAY_TRY(setpay_id_random(&name));
    return setpay_db_run(db,
                         "INSERT INTO batch (name, brand, number, state, opened_ms, closed_ms)"
                         " SELECT $1, $2, $3, $4, $5, 0 WHERE NOT EXISTS"
                         " (SELECT 1 FROM batch WHERE brand = $2 AND number = $3)",
                         SETPAY_DB_ID(&name), SETPAY_DB_TEXT(brand), SETPAY_DB_INT(number),
                         SETPAY_DB_INT(SETPAY_BATCH_STATE_OPEN), SETPAY_DB_INT(now_ms));
}

#define BATCH_COLUMNS "id, name, brand, number, state, opened_ms, closed_ms"

static void read_batch(struct setpay_db_rows *rows, struct setpay_merchant_batch *batch)
{
    memset(batch, 0, sizeof *batch);
    batch->id = setpay_db_get_int(rows, 0);
    setpay_db_get_id(rows, 1, &batch->name);
    setpay_db_get_text(rows, 2, batch->brand, sizeof batch->brand);
    batch->number = (uint32_t)setpay_db_get_int(rows, 3);
    batch->state = (enum setpay_batch_state)setpay_db_get_int(rows, 4);
    batch->opened_ms = setpay_db_get_int(rows, 5);
    batch->closed_ms = setpay_db_get_int(rows, 6);
}

enum setpay_error setpay_merchant_batch_find_closing(struct setpay_db *db, const char *brand,
                                                     struct setpay_merchant_batch *batch)
{
    struct setpay_db_rows *rows;
    struct setpay_merchant_batch found;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " BATCH_COLUMNS " FROM batch WHERE state = $1 AND brand = $2"
                             " ORDER BY id LIMIT 1",
                             SETPAY_DB_INT(SETPAY_BATCH_STATE_CLOSING), SETPAY_DB_TEXT(brand)));
    read_batch(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    *batch = found;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ what it counts */

enum setpay_error setpay_merchant_batch_totals(struct setpay_db *db,
                                               const struct setpay_merchant_batch *batch,
                                               struct setpay_batch_total *totals, size_t *count)
{
    struct setpay_db_rows *rows;
    bool more = false;
    size_t found = 0;
    SETPAY_TRY(
        setpay_db_select(db, &rows,
                         "SELECT purchase.currency, SUM(CASE step.kind WHEN 1 THEN 1 ELSE 0 END),"
                         " SUM(CASE step.kind WHEN 1 THEN step.amount_minor ELSE 0 END),"
                         " SUM(CASE step.kind WHEN 2 THEN 1 ELSE 0 END),"
                         " SUM(CASE step.kind WHEN 2 THEN step.amount_minor ELSE 0 END)" COUNTED
                         " GROUP BY purchase.currency ORDER BY purchase.currency",
                         SETPAY_DB_INT(batch->number), SETPAY_DB_TEXT(batch->brand)));
    while (!more && setpay_db_next(rows)) {
        more = found == SETPAY_LIMIT_CURRENCIES;
        if (more)
            break;
        struct setpay_batch_total *total = &totals[found++];
        memset(total, 0, sizeof *total);
        setpay_db_get_text(rows, 0, total->currency, sizeof total->currency);
        total->capture_count = (uint32_t)setpay_db_get_int(rows, 1);
        total->capture_minor = setpay_db_get_int(rows, 2);
        total->credit_count = (uint32_t)setpay_db_get_int(rows, 3);
        total->credit_minor = setpay_db_get_int(rows, 4);
    }
    SETPAY_TRY(setpay_db_end(rows));
    *count = found;
    return more ? SETPAY_E_TOO_BIG : SETPAY_OK;
}

static enum setpay_error add_item(struct setpay_db_rows *rows, struct setpay_batch_item **items,
                                  size_t *count, size_t *room)
{
    if (*count == SETPAY_MERCHANT_BATCH_ITEMS_MAX)
        return SETPAY_E_TOO_BIG;
    if (*count == *room) {
        size_t more = *room == 0 ? 64 : *room * 2;
        struct setpay_batch_item *grown = realloc(*items, more * sizeof *grown);
        if (grown == NULL)
            return SETPAY_E_NOMEM;
        *items = grown;
        *room = more;
    }
    struct setpay_batch_item *item = &(*items)[(*count)++];
    memset(item, 0, sizeof *item);
    item->kind = (enum setpay_batch_item_kind)setpay_db_get_int(rows, 0);
    setpay_db_get_id(rows, 1, &item->xid);
    setpay_db_get_id(rows, 2, &item->id);
    item->amount.minor = setpay_db_get_int(rows, 3);
    setpay_db_get_text(rows, 4, item->amount.currency, sizeof item->amount.currency);
    item->date_ms = setpay_db_get_int(rows, 5);
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_batch_items(struct setpay_db *db,
                                              const struct setpay_merchant_batch *batch,
                                              struct setpay_batch_item **items, size_t *count)
{
    struct setpay_db_rows *rows;
    struct setpay_batch_item *found = NULL;
    size_t found_count = 0, room = 0;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT step.kind, purchase.xid, step.token, step.amount_minor,"
                                " purchase.currency, step.decided_ms" COUNTED " ORDER BY step.id",
                                SETPAY_DB_INT(batch->number), SETPAY_DB_TEXT(batch->brand)));
    while (error == SETPAY_OK && setpay_db_next(rows))
        error = add_item(rows, &found, &found_count, &room);
    enum setpay_error end = setpay_db_end(rows);
    if (error == SETPAY_OK)
        error = end;
    if (error != SETPAY_OK) {
        free(found);
        return error;
    }
    *items = found;
    *count = found_count;
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_batch_under_way(struct setpay_db *db, const char *brand,
                                                  int64_t *count)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT count(*) FROM step JOIN purchase"
                             " ON purchase.id = step.purchase_id WHERE purchase.state = $1"
                             " AND purchase.brand = $2 AND step.state = 1",
                             SETPAY_DB_INT(SETPAY_PURCHASE_STEPPING), SETPAY_DB_TEXT(brand)));
    *count = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

/* ------------------------------------------------------------------ comparing */

static int by_token(const void *a, const void *b)
{
    const struct setpay_batch_item *one = a, *other = b;
    return memcmp(one->id.bytes, other->id.bytes, sizeof one->id.bytes);
}

struct found {
    struct setpay_merchant_difference *list;
    size_t max;
    size_t count;
};

/* One side's item, which the other has not, or not so. */
static void add_difference(struct found *found, const struct setpay_batch_item *ours,
                           const struct setpay_batch_item *theirs)
{
    const struct setpay_batch_item *item = ours != NULL ? ours : theirs;
    if (found->count == found->max)
        return;
    struct setpay_merchant_difference *difference = &found->list[found->count++];
    memset(difference, 0, sizeof *difference);
    difference->kind = item->kind;
    difference->xid = item->xid;
    difference->token = item->id;
    memcpy(difference->currency, item->amount.currency, sizeof difference->currency);
    difference->ours_minor = ours != NULL ? ours->amount.minor : 0;
    difference->theirs_minor = theirs != NULL ? theirs->amount.minor : 0;
}

static void compare_two(struct found *found, const struct setpay_batch_item *ours,
                        const struct setpay_batch_item *theirs)
{
    bool same_thing = ours->kind == theirs->kind && setpay_id_equal(&ours->xid, &theirs->xid) &&
                      setpay_money_same_currency(&ours->amount, &theirs->amount);
    if (!same_thing) {
        add_difference(found, ours, NULL);
        add_difference(found, NULL, theirs);
    } else if (ours->amount.minor != theirs->amount.minor) {
        add_difference(found, ours, theirs);
    }
}

void setpay_merchant_batch_compare(struct setpay_batch_item *ours, size_t our_count,
                                   struct setpay_batch_item *theirs, size_t their_count,
                                   struct setpay_merchant_difference *differences, size_t max,
                                   size_t *count)
{
    struct found found = {.list = differences, .max = max};
    size_t i = 0, k = 0;
    if (our_count > 0)
        qsort(ours, our_count, sizeof *ours, by_token);
    if (their_count > 0)
        qsort(theirs, their_count, sizeof *theirs, by_token);
    while (i < our_count || k < their_count) {
        int order = i == our_count ? 1 : k == their_count ? -1 : by_token(&ours[i], &theirs[k]);
        if (order < 0)
            add_difference(&found, &ours[i++], NULL);
        else if (order > 0)
            add_difference(&found, NULL, &theirs[k++]);
        else
            compare_two(&found, &ours[i++], &theirs[k++]);
    }
    *count = found.count;
}

/* ------------------------------------------------------------------ closing */

static enum setpay_error forget_differences(struct setpay_db *db, int64_t batch_id)
{
    return setpay_db_run(db, "DELETE FROM batch_difference WHERE batch_id = $1",
                         SETPAY_DB_INT(batch_id));
}

static enum setpay_error leave(struct setpay_db *db, const struct setpay_merchant_batch *batch,
                               enum setpay_batch_state from, enum setpay_batch_state state,
                               setpay_time_ms closed_ms)
{
    SETPAY_TRY(setpay_db_run(
        db, "UPDATE batch SET state = $1, closed_ms = $2 WHERE id = $3 AND state = $4",
        SETPAY_DB_INT(state), SETPAY_DB_INT(closed_ms), SETPAY_DB_INT(batch->id),
        SETPAY_DB_INT(from)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_CONFLICT;
    return setpay_db_notify(db, &batch->name, SETPAY_MERCHANT_NOTE_BATCH);
}

enum setpay_error setpay_merchant_batch_closed(struct setpay_db *db,
                                               const struct setpay_merchant_batch *batch,
                                               setpay_time_ms closed_ms)
{
    SETPAY_TRY(forget_differences(db, batch->id));
    return leave(db, batch, SETPAY_BATCH_STATE_CLOSING, SETPAY_BATCH_STATE_CLOSED, closed_ms);
}

enum setpay_error
setpay_merchant_batch_differs(struct setpay_db *db, const struct setpay_merchant_batch *batch,
                              const struct setpay_merchant_difference *differences, size_t count)
{
    SETPAY_TRY(forget_differences(db, batch->id));
    for (size_t i = 0; i < count; i++) {
        const struct setpay_merchant_difference *d = &differences[i];
        SETPAY_TRY(setpay_db_run(
            db,
            "INSERT INTO batch_difference (batch_id, position, kind, xid, token, currency,"
            " ours_minor, theirs_minor) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            SETPAY_DB_INT(batch->id), SETPAY_DB_INT((int64_t)i), SETPAY_DB_INT(d->kind),
            SETPAY_DB_ID(&d->xid), SETPAY_DB_ID(&d->token), SETPAY_DB_TEXT(d->currency),
            SETPAY_DB_INT(d->ours_minor), SETPAY_DB_INT(d->theirs_minor)));
    }
    return leave(db, batch, SETPAY_BATCH_STATE_CLOSING, SETPAY_BATCH_STATE_DIFFERS, 0);
}

/* ------------------------------------------------------------------ for the store */

/* Which batches are to be closed. */
struct which {
    const char *brand;        /* "": any */
    setpay_time_ms before_ms; /* opened before */
    bool open_only;           /* not those that a person was told of already: they differ */
};

static enum setpay_error close_those(struct setpay_db *db, const struct which *which,
                                     struct setpay_id *names, size_t room, size_t *count)
{
    struct setpay_merchant_batch *open = calloc(room, sizeof *open);
    struct setpay_db_rows *rows;
    size_t found = 0;
    if (open == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = setpay_db_select(
        db, &rows,
        "SELECT " BATCH_COLUMNS " FROM batch WHERE state <> $1 AND ($2 = '' OR brand = $2)"
        " AND opened_ms < $3 AND ($4 = 0 OR state = $5) ORDER BY id LIMIT $6",
        SETPAY_DB_INT(SETPAY_BATCH_STATE_CLOSED), SETPAY_DB_TEXT(which->brand),
        SETPAY_DB_INT(which->before_ms), SETPAY_DB_BOOL(which->open_only),
        SETPAY_DB_INT(SETPAY_BATCH_STATE_OPEN), SETPAY_DB_INT((int64_t)room));
    if (error == SETPAY_OK) {
        while (found < room && setpay_db_next(rows))
            read_batch(rows, &open[found++]);
        error = setpay_db_end(rows);
    }
    for (size_t i = 0; i < found && error == SETPAY_OK; i++) {
        names[i] = open[i].name;
        if (open[i].state != SETPAY_BATCH_STATE_CLOSING)
            error = leave(db, &open[i], open[i].state, SETPAY_BATCH_STATE_CLOSING, 0);
    }
    *count = found;
    free(open);
    return error;
}

enum setpay_error setpay_merchant_batch_close(struct setpay_db *db, const char *brand,
                                              struct setpay_id *names, size_t room, size_t *count)
{
    const struct which all = {.brand = brand != NULL ? brand : "", .before_ms = INT64_MAX};
    return close_those(db, &all, names, room, count);
}

enum setpay_error setpay_merchant_batch_close_before(struct setpay_db *db, setpay_time_ms before_ms,
                                                     size_t *count)
{
    struct setpay_id names[SETPAY_MERCHANT_BATCHES_AT_ONCE];
    const struct which old = {.brand = "", .before_ms = before_ms, .open_only = true};
    return close_those(db, &old, names, SETPAY_MERCHANT_BATCHES_AT_ONCE, count);
}

static enum setpay_error fill_differences(struct setpay_db *db, struct setpay_batch_view *view,
                                          int64_t batch_id)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT d.kind, d.xid, d.token, d.currency, d.ours_minor, d.theirs_minor,"
        " COALESCE(purchase.order_id, ''), step.name FROM batch_difference AS d"
        " LEFT JOIN purchase ON purchase.xid = d.xid"
        " LEFT JOIN step ON step.token = d.token AND step.purchase_id = purchase.id"
        " WHERE d.batch_id = $1 ORDER BY d.position",
        SETPAY_DB_INT(batch_id)));
    while (view->difference_count < SETPAY_BATCH_VIEW_DIFFERENCES && setpay_db_next(rows)) {
        struct setpay_batch_difference *d = &view->differences[view->difference_count++];
        memset(d, 0, sizeof *d);
        d->is_credit = setpay_db_get_int(rows, 0) == SETPAY_BATCH_CREDIT;
        setpay_db_get_id(rows, 1, &d->xid);
        setpay_db_get_id(rows, 2, &d->token);
        setpay_db_get_text(rows, 3, d->currency, sizeof d->currency);
        d->ours_minor = setpay_db_get_int(rows, 4);
        d->theirs_minor = setpay_db_get_int(rows, 5);
        setpay_db_get_text(rows, 6, d->order_id, sizeof d->order_id);
        d->has_id = !setpay_db_is_null(rows, 7);
        if (d->has_id)
            setpay_db_get_id(rows, 7, &d->id);
    }
    return setpay_db_end(rows);
}

static enum setpay_error visit_batch(struct setpay_db *db,
                                     const struct setpay_merchant_batch *batch,
                                     struct setpay_batch_view *view, setpay_batch_visit_fn *visit,
                                     void *visit_arg)
{
    memset(view, 0, sizeof *view);
    view->seq = batch->id;
    view->name = batch->name;
    memcpy(view->brand, batch->brand, sizeof view->brand);
    view->number = batch->number;
    view->state = batch->state;
    view->opened_ms = batch->opened_ms;
    view->closed_ms = batch->closed_ms;
    SETPAY_TRY(setpay_merchant_batch_totals(db, batch, view->totals, &view->total_count));
    SETPAY_TRY(fill_differences(db, view, batch->id));
    return visit(visit_arg, view);
}

enum setpay_error setpay_merchant_batch_list(struct setpay_db *db, int64_t before, int64_t room,
                                             setpay_batch_visit_fn *visit, void *visit_arg)
{
    struct setpay_batch_view *view = malloc(sizeof *view);
    struct setpay_merchant_batch batch;
    struct setpay_db_rows *rows;
    enum setpay_error error = view == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    /* One row at a time: a query is not left open over others. */
    for (; room > 0 && error == SETPAY_OK; room--) {
        error = setpay_db_one(db, &rows,
                              "SELECT " BATCH_COLUMNS " FROM batch WHERE id < $1"
                              " ORDER BY id DESC LIMIT 1",
                              SETPAY_DB_INT(before));
        if (error != SETPAY_OK)
            break;
        read_batch(rows, &batch);
        error = setpay_db_end(rows);
        if (error == SETPAY_OK)
            error = visit_batch(db, &batch, view, visit, visit_arg);
        before = batch.id;
    }
    free(view);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}
