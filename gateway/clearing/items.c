/*
 * The rows of presentments, and of sales without one, with what they are of; and sales that came to
 * nothing. Whoever compares them with a file asks for those of its days, for what is open, and for
 * what the file names: each is found by an index, so that years of books cost no more than days.
 */
#include "gateway/clearing/items.h"

#include "gateway/clearing/incoming.h"
#include "gateway/clearing/settlement.h"
#include "gateway/clearing/sql_names.h"
#include "gateway/payment/step.h"

#include <stdlib.h>

/* A sale's capture bears the sale's id. It was presented when it was asked for, and answered when
 * it was booked: around midnight its issuer may have it in the file of either day. One that was
 * approved in the issuer's stead is presented as any other capture. */
#define IS_SALE                                                                                    \
    "(payment.sale_id IS NOT NULL AND payment.period > 0 AND payment.sale_id = step.token)"
#define COLUMNS                                                                                    \
    " step.token, payment.xid, payment.brand, payment.merchant_id, step.kind, " IS_SALE            \
    ", step.amount_minor, payment.currency, step.fee_minor, batch.number, payment.issuer,"
#define TABLES                                                                                     \
    " JOIN payment ON payment.id = step.payment_id JOIN batch ON batch.id = step.batch_id"
/* Behind them: where it stands in what is walked through, and whether it is one. */
#define PRESENTED(at) PRESENTED_AT(at, "presentment.id")
#define PRESENTED_AT(at, id)                                                                       \
    "SELECT presentment.id," COLUMNS " settlement_id, acknowledged, response_code,"                \
    " CASE WHEN " IS_SALE " THEN payment.created_ms ELSE presentment.created_ms END,"              \
    " acknowledged_ms, 0, 0, step.id, " at ", " id ", 1"
#define OF_PRESENTMENTS " FROM presentment JOIN step ON step.id = presentment.step_id" TABLES
#define SALE                                                                                       \
    "SELECT step.id," COLUMNS " 0, 1, '00', payment.created_ms, step.created_ms,"                  \
    " COALESCE((SELECT MAX(other.created_ms) FROM step AS other WHERE other.payment_id ="          \
    " step.payment_id AND other.of_id = step.id AND other.kind = " SETPAY_SQL_CAPTURE_REVERSAL     \
    "), 0), 0, step.id"
#define IS_UNPRESENTED_SALE                                                                        \
    "step.kind = " SETPAY_SQL_CAPTURE " AND " IS_SALE                                              \
    " AND NOT EXISTS (SELECT 1 FROM presentment WHERE presentment.step_id = step.id)"

/* A row behind the last. */
struct walked {
    int64_t step_id;
    struct setpay_clearing_at at;
    bool is_one; /* else only passed */
};

static void read_item(struct setpay_db_rows *rows, struct setpay_clearing_item *item,
                      struct walked *walked)
{
    struct setpay_clearing_item i = {0};
    int c = 0;
    i.id = setpay_db_get_int(rows, c++);
    setpay_db_get_id(rows, c++, &i.step);
    setpay_db_get_id(rows, c++, &i.xid);
    setpay_db_get_text(rows, c++, i.brand, sizeof i.brand);
    setpay_db_get_text(rows, c++, i.merchant_id, sizeof i.merchant_id);
    i.credits = setpay_db_get_int(rows, c++) == SETPAY_STEP_CREDIT;
    i.sale = setpay_db_get_bool(rows, c++);
    i.amount.minor = setpay_db_get_int(rows, c++);
    setpay_db_get_text(rows, c++, i.amount.currency, sizeof i.amount.currency);
    i.fee_minor = setpay_db_get_int(rows, c++);
    i.batch = (uint32_t)setpay_db_get_int(rows, c++);
    setpay_db_get_text(rows, c++, i.issuer, sizeof i.issuer);
    i.settlement = setpay_db_get_int(rows, c++);
    i.acknowledged = setpay_db_get_bool(rows, c++);
    setpay_db_get_text(rows, c++, i.response_code, sizeof i.response_code);
    i.presented_ms = setpay_db_get_int(rows, c++);
    i.acknowledged_ms = setpay_db_get_int(rows, c++);
    i.undone_ms = setpay_db_get_int(rows, c++);
    i.unsold = setpay_db_get_bool(rows, c++);
    walked->step_id = setpay_db_get_int(rows, c++);
    walked->at.ms = setpay_db_get_int(rows, c++);
    walked->at.id = setpay_db_get_int(rows, c++);
    walked->is_one = setpay_db_get_bool(rows, c++);
    *item = i;
}

static enum setpay_error read_charged_ms(struct setpay_db *db, int64_t step_id,
                                         setpay_time_ms *charged_ms)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT COALESCE(MAX(c.created_ms), 0) FROM presentment"
                             " JOIN suspense_clearing c ON c.item = presentment.suspense"
                             " WHERE step_id = $1 AND account = " SETPAY_SQL_MERCHANT_PAYABLE,
                             SETPAY_DB_INT(step_id)));
    *charged_ms = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static enum setpay_error find_charged(struct setpay_db *db, int64_t step_id,
                                      struct setpay_clearing_item *item)
{
    int64_t uncharged_minor = 0;
    if (item->unsold || !item->acknowledged || setpay_presentment_is_taken(item->response_code))
        return SETPAY_OK;
    SETPAY_TRY(setpay_suspense_uncharged(db, step_id, item->amount.minor, &uncharged_minor));
    item->charged_minor = llabs(item->amount.minor - uncharged_minor); /* below 0 of a credit */
    return item->charged_minor == 0 ? SETPAY_OK : read_charged_ms(db, step_id, &item->charged_ms);
}

/* passed: how many rows, also those that are none; at: the last of them. */
static enum setpay_error walk(struct setpay_db *db, struct setpay_db_rows *rows,
                              setpay_clearing_item_fn *each, void *arg, int64_t *passed,
                              struct setpay_clearing_at *at)
{
    enum setpay_error error = SETPAY_OK;
    *passed = 0;
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_clearing_item item;
        struct walked walked;
        read_item(rows, &item, &walked);
        (*passed)++;
        *at = walked.at;
        if (!walked.is_one)
            continue;
        error = find_charged(db, walked.step_id, &item);
        if (error == SETPAY_OK)
            error = each(arg, &item);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_clearing_items_each(struct setpay_db *db, int64_t settlement,
                                             int64_t after, int64_t limit,
                                             setpay_clearing_item_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    struct setpay_clearing_at at;
    int64_t passed;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        PRESENTED("0") OF_PRESENTMENTS " WHERE settlement_id = $1 AND presentment.id > $2"
                                       " ORDER BY presentment.id LIMIT $3",
        SETPAY_DB_INT(settlement), SETPAY_DB_INT(after), SETPAY_DB_INT(limit)));
    return walk(db, rows, each, arg, &passed, &at);
}

/* ------------------------------------------------------------------ of some days */

static enum setpay_error select_open(struct setpay_db *db, const struct setpay_clearing_window *w,
                                     struct setpay_db_rows **rows)
{
    return setpay_db_select(db, rows,
                            PRESENTED("0") OF_PRESENTMENTS
                            " WHERE acknowledged = 0 AND presentment.id > $1"
                            " ORDER BY presentment.id LIMIT $2",
                            SETPAY_DB_INT(w->after.id), SETPAY_DB_INT(w->limit));
}

/* The + keeps an index from being taken that finds nearly all. */
static enum setpay_error select_answered(struct setpay_db *db,
                                         const struct setpay_clearing_window *w,
                                         struct setpay_db_rows **rows)
{
    return setpay_db_select(db, rows,
                            PRESENTED("acknowledged_ms") OF_PRESENTMENTS
                            " WHERE +acknowledged = 1 AND (acknowledged_ms, presentment.id) >"
                            " ($1, $2) AND acknowledged_ms < $3"
                            " ORDER BY acknowledged_ms, presentment.id LIMIT $4",
                            SETPAY_DB_INT(w->after.ms), SETPAY_DB_INT(w->after.id),
                            SETPAY_DB_INT(w->to_ms), SETPAY_DB_INT(w->limit));
}

static enum setpay_error select_claimed(struct setpay_db *db,
                                        const struct setpay_clearing_window *w,
                                        struct setpay_db_rows **rows)
{
    return setpay_db_select(
        db, rows,
        PRESENTED_AT("c.created_ms",
                     "c.id") " FROM suspense_clearing c"
                             " JOIN presentment ON presentment.suspense = c.item"
                             " JOIN step ON step.id = presentment.step_id" TABLES
                             " WHERE c.account = " SETPAY_SQL_MERCHANT_PAYABLE
                             " AND (c.created_ms, c.id) > ($1, $2) AND c.created_ms < $3"
                             " ORDER BY c.created_ms, c.id LIMIT $4",
        SETPAY_DB_INT(w->after.ms), SETPAY_DB_INT(w->after.id), SETPAY_DB_INT(w->to_ms),
        SETPAY_DB_INT(w->limit));
}

/* Every step of that time is passed: of a reversal, what it undoes is looked at. */
static enum setpay_error select_sales(struct setpay_db *db, const struct setpay_clearing_window *w,
                                      struct setpay_db_rows **rows)
{
    return setpay_db_select(
        db, rows,
        SALE ", passed.created_ms, passed.id, " IS_UNPRESENTED_SALE " FROM step AS passed"
             " JOIN step ON step.id = CASE passed.kind WHEN " SETPAY_SQL_CAPTURE_REVERSAL
             " THEN passed.of_id ELSE passed.id END" TABLES
             " WHERE (passed.created_ms, passed.id) > ($1, $2) AND passed.created_ms < $3"
             " ORDER BY passed.created_ms, passed.id LIMIT $4",
        SETPAY_DB_INT(w->after.ms), SETPAY_DB_INT(w->after.id), SETPAY_DB_INT(w->to_ms),
        SETPAY_DB_INT(w->limit));
}

enum setpay_error setpay_clearing_window_each(struct setpay_db *db,
                                              const struct setpay_clearing_window *window,
                                              setpay_clearing_item_fn *each, void *arg,
                                              struct setpay_clearing_at *next, bool *more)
{
    struct setpay_clearing_window w = *window;
    struct setpay_db_rows *rows;
    int64_t passed = 0;
    if (w.after.ms < w.from_ms)
        w.after =
            (struct setpay_clearing_at){w.from_ms, w.part == SETPAY_CLEARING_OPEN ? w.after.id : 0};
    SETPAY_TRY(w.part == SETPAY_CLEARING_OPEN       ? select_open(db, &w, &rows)
               : w.part == SETPAY_CLEARING_ANSWERED ? select_answered(db, &w, &rows)
               : w.part == SETPAY_CLEARING_CLAIMED  ? select_claimed(db, &w, &rows)
                                                    : select_sales(db, &w, &rows));
    SETPAY_TRY(walk(db, rows, each, arg, &passed, next));
    *more = passed == w.limit;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ by name */

/* By the index of what names it: what was presented, a sale without a presentment, and one that
 * came to nothing. */
static const char *const by_name[] = {
    PRESENTED("0") " FROM step JOIN presentment ON presentment.step_id = step.id" TABLES
                   " WHERE step.token = $1",
    SALE ", 0, step.id, " IS_UNPRESENTED_SALE " FROM step" TABLES " WHERE step.token = $1",
    "SELECT payment.id, sale_id, xid, brand, merchant_id, " SETPAY_SQL_CAPTURE
    ", 1, amount_minor, currency, 0, 0, issuer, 0, 1, '', created_ms, updated_ms, 0, 1, 0, 0,"
    " payment.id, NOT EXISTS (SELECT 1 FROM step WHERE token = sale_id) AND EXISTS"
    " (SELECT 1 FROM reversal WHERE payment_id = payment.id) FROM payment WHERE sale_id = $1",
};

struct named {
    setpay_clearing_item_fn *each;
    void *arg;
    bool is_found;
};

static enum setpay_error take_named(void *arg, const struct setpay_clearing_item *item)
{
    struct named *named = arg;
    named->is_found = true;
    return named->each(named->arg, item);
}

enum setpay_error setpay_clearing_item_named(struct setpay_db *db, const struct setpay_id *name,
                                             setpay_clearing_item_fn *each, void *arg)
{
    struct named named = {.each = each, .arg = arg};
    for (size_t i = 0; i < sizeof by_name / sizeof *by_name && !named.is_found; i++) {
        struct setpay_db_rows *rows;
        struct setpay_clearing_at at;
        int64_t passed;
        SETPAY_TRY(setpay_db_select(db, &rows, by_name[i], SETPAY_DB_ID(name)));
        SETPAY_TRY(walk(db, rows, take_named, &named, &passed, &at));
    }
    return SETPAY_OK;
}
