/*
 * The settlements that were read in, for who looks at them: themselves, their rows, what is not
 * settled, and with which of them a step was paid.
 */
#include "merchant/payment/settlement.h"

#include <stdlib.h>
#include <string.h>

#define SETTLEMENT_COLUMNS                                                                         \
    "id, token, gateway, brand, day, currency, capture_count, capture_minor, capture_fee_minor,"   \
    " credit_count, credit_minor, credit_fee_minor, refused_count, refused_minor, disputed_count," \
    " disputed_minor, returned_count, returned_minor, cleared_count, cleared_minor,"               \
    " carried_in_minor, held_minor, released_minor, repaid_count, repaid_minor, payout_minor,"     \
    " carried_out_minor, row_count, imported_ms, (SELECT COUNT(*) FROM settlement_row"             \
    " WHERE settlement_row.settlement_id = settlement.id AND stands = 1)"

static void read_totals(struct setpay_db_rows *rows, int c, struct setpay_settlement_totals *t)
{
    int64_t *const values[] = {
        &t->capture_count,     &t->capture_minor,    &t->capture_fee_minor, &t->credit_count,
        &t->credit_minor,      &t->credit_fee_minor, &t->refused_count,     &t->refused_minor,
        &t->disputed_count,    &t->disputed_minor,   &t->returned_count,    &t->returned_minor,
        &t->cleared_count,     &t->cleared_minor,    &t->carried_in_minor,  &t->held_minor,
        &t->released_minor,    &t->repaid_count,     &t->repaid_minor,      &t->payout_minor,
        &t->carried_out_minor,
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        *values[i] = setpay_db_get_int(rows, c + (int)i);
}

static void read_settlement(struct setpay_db_rows *rows, struct setpay_settlement_view *s)
{
    memset(s, 0, sizeof *s);
    s->seq = setpay_db_get_int(rows, 0);
    setpay_db_get_id(rows, 1, &s->id);
    setpay_db_get_text(rows, 2, s->gateway, sizeof s->gateway);
    setpay_db_get_text(rows, 3, s->brand, sizeof s->brand);
    setpay_db_get_text(rows, 4, s->day, sizeof s->day);
    setpay_db_get_text(rows, 5, s->currency, sizeof s->currency);
    read_totals(rows, 6, &s->totals);
    s->row_count = setpay_db_get_int(rows, 27);
    s->imported_ms = setpay_db_get_int(rows, 28);
    s->differing_count = setpay_db_get_int(rows, 29);
}

enum setpay_error setpay_merchant_settlement_list(struct setpay_db *db, int64_t before,
                                                  int64_t room, setpay_settlement_visit_fn *visit,
                                                  void *visit_arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT " SETTLEMENT_COLUMNS " FROM settlement WHERE $1 = $2 OR (day, id) <"
        " (SELECT day, id FROM settlement WHERE id = $3) ORDER BY day DESC, id DESC LIMIT $4",
        SETPAY_DB_INT(before), SETPAY_DB_INT(INT64_MAX), SETPAY_DB_INT(before),
        SETPAY_DB_INT(room)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_settlement_view settlement;
        read_settlement(rows, &settlement);
        error = visit(visit_arg, &settlement);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_merchant_settlement_find(struct setpay_db *db, const struct setpay_id *id,
                                                  struct setpay_settlement_view *settlement)
{
    struct setpay_db_rows *rows;
    struct setpay_settlement_view found;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " SETTLEMENT_COLUMNS " FROM settlement WHERE token = $1",
                             SETPAY_DB_ID(id)));
    read_settlement(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    *settlement = found;
    return SETPAY_OK;
}

/* Of a row r. Of an item that is known, its step is ours. */
#define ROW_COLUMNS                                                                                \
    "SELECT r.id, s.token, s.day, s.brand, s.currency, r.line, r.kind, r.step, r.xid, r.batch,"    \
    " r.amount_minor, r.fee_minor, r.code, r.date, r.event, r.differs, r.stands, step.name,"       \
    " purchase.order_id, step.amount_minor, purchase.currency, other.token,"                       \
    " r.accepted_ms, r.reason"                                                                     \
    " FROM settlement_row AS r JOIN settlement AS s ON s.id = r.settlement_id"                     \
    " LEFT JOIN step ON step.id = r.step_id AND r.step_id <> 0"                                    \
    " LEFT JOIN purchase ON purchase.id = step.purchase_id"                                        \
    " LEFT JOIN settlement AS other ON other.id = r.other_id AND r.other_id <> 0"

static void read_row(struct setpay_db_rows *rows, struct setpay_settlement_row_view *v)
{
    memset(v, 0, sizeof *v);
    v->seq = setpay_db_get_int(rows, 0);
    setpay_db_get_id(rows, 1, &v->settlement);
    setpay_db_get_text(rows, 2, v->day, sizeof v->day);
    setpay_db_get_text(rows, 3, v->brand, sizeof v->brand);
    setpay_db_get_text(rows, 4, v->currency, sizeof v->currency);
    v->row.line = (size_t)setpay_db_get_int(rows, 5);
    v->row.kind = (enum setpay_settlement_kind)setpay_db_get_int(rows, 6);
    setpay_db_get_id(rows, 7, &v->row.step);
    setpay_db_get_id(rows, 8, &v->row.xid);
    v->row.batch = (uint32_t)setpay_db_get_int(rows, 9);
    v->row.amount_minor = setpay_db_get_int(rows, 10);
    v->row.fee_minor = setpay_db_get_int(rows, 11);
    setpay_db_get_text(rows, 12, v->row.code, sizeof v->row.code);
    setpay_db_get_text(rows, 13, v->row.date, sizeof v->row.date);
    if (!setpay_db_is_null(rows, 14))
        setpay_db_get_id(rows, 14, &v->row.event);
    v->differs = (uint32_t)setpay_db_get_int(rows, 15);
    v->stands = setpay_db_get_bool(rows, 16);
    v->is_known = !setpay_db_is_null(rows, 17);
    if (v->is_known) {
        setpay_db_get_id(rows, 17, &v->id);
        setpay_db_get_text(rows, 18, v->order_id, sizeof v->order_id);
        v->ours.minor = setpay_db_get_int(rows, 19);
        setpay_db_get_text(rows, 20, v->ours.currency, sizeof v->ours.currency);
    }
    v->has_other = !setpay_db_is_null(rows, 21);
    if (v->has_other)
        setpay_db_get_id(rows, 21, &v->other);
    v->accepted_ms = setpay_db_get_int(rows, 22);
    setpay_db_get_text(rows, 23, v->reason, sizeof v->reason);
}

/* Each of its own index; all that was accepted is asked for by nobody. */
static const char *const by_filter[2][3] = {
    {ROW_COLUMNS " WHERE $1 = 0 AND r.id > $2 ORDER BY r.id LIMIT $3",
     ROW_COLUMNS " WHERE $1 = 0 AND r.stands = 1 AND r.id > $2 ORDER BY r.id LIMIT $3",
     ROW_COLUMNS " WHERE $1 = 0 AND r.accepted_ms > 0 AND r.id > $2 ORDER BY r.id LIMIT $3"},
    {ROW_COLUMNS " WHERE r.settlement_id = $1 AND r.id > $2 ORDER BY r.id LIMIT $3",
     ROW_COLUMNS " WHERE r.settlement_id = $1 AND r.stands = 1 AND r.id > $2"
                 " ORDER BY r.id LIMIT $3",
     ROW_COLUMNS " WHERE r.settlement_id = $1 AND r.accepted_ms > 0 AND r.id > $2"
                 " ORDER BY r.id LIMIT $3"},
};

enum setpay_error setpay_merchant_settlement_rows(struct setpay_db *db,
                                                  const struct setpay_settlement_rows *which,
                                                  setpay_settlement_row_visit_fn *visit,
                                                  void *visit_arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows, by_filter[which->settlement != 0 ? 1 : 0][which->which],
                                SETPAY_DB_INT(which->settlement), SETPAY_DB_INT(which->after),
                                SETPAY_DB_INT(which->room)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_settlement_row_view row;
        read_row(rows, &row);
        error = visit(visit_arg, &row);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* Kinds 1 and 2, states of a step and a batch 2 and 3 (step.h, payment_port.h), as numbers: the
 * index is of these. The CROSS JOIN begins with its steps, which are few: not with all batches. */
enum setpay_error setpay_merchant_unsettled(struct setpay_db *db,
                                            const struct setpay_unsettled *which,
                                            setpay_unsettled_visit_fn *visit, void *visit_arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT step.id, step.kind, step.name, purchase.xid, step.token, purchase.order_id,"
        " step.amount_minor, purchase.currency, purchase.brand, step.batch, batch.closed_ms"
        " FROM step CROSS JOIN purchase ON purchase.id = step.purchase_id"
        " CROSS JOIN batch ON batch.brand = purchase.brand AND batch.number = step.batch"
        " WHERE step.settlement_row = 0 AND step.batch <> 0 AND step.state = 2 AND step.undone = 0"
        " AND step.kind IN (1, 2) AND batch.state = 3 AND batch.closed_ms >= $1"
        " AND batch.closed_ms < $2 AND step.id > $3 ORDER BY step.id LIMIT $4",
        SETPAY_DB_INT(which->since_ms), SETPAY_DB_INT(which->before_ms),
        SETPAY_DB_INT(which->after), SETPAY_DB_INT(which->room)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_unsettled_view v = {.seq = setpay_db_get_int(rows, 0)};
        v.is_credit = setpay_db_get_int(rows, 1) == SETPAY_MERCHANT_STEP_CREDIT;
        setpay_db_get_id(rows, 2, &v.id);
        setpay_db_get_id(rows, 3, &v.xid);
        setpay_db_get_id(rows, 4, &v.token);
        setpay_db_get_text(rows, 5, v.order_id, sizeof v.order_id);
        v.amount.minor = setpay_db_get_int(rows, 6);
        setpay_db_get_text(rows, 7, v.amount.currency, sizeof v.amount.currency);
        setpay_db_get_text(rows, 8, v.brand, sizeof v.brand);
        v.batch = (uint32_t)setpay_db_get_int(rows, 9);
        v.closed_ms = setpay_db_get_int(rows, 10);
        error = visit(visit_arg, &v);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* A refused one is settled once all has come that will; less than the whole may have been paid. */
enum setpay_error setpay_merchant_settlement_of_step(struct setpay_db *db, int64_t step_id,
                                                     struct setpay_step_view *view)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT s.token, s.day, r.code, r.amount_minor, r.fee_minor, r.cleared_minor,"
        " step.amount_minor FROM step JOIN settlement_row AS r ON r.id = step.settlement_row"
        " JOIN settlement AS s ON s.id = CASE WHEN r.code <> '00' THEN r.cleared_by"
        " ELSE r.settlement_id END WHERE step.id = $1 AND (r.code = '00' OR r.is_over = 1)",
        SETPAY_DB_INT(step_id)));
    char code[SETPAY_SETTLEMENT_CODE_SIZE];
    setpay_db_get_id(rows, 0, &view->settlement);
    setpay_db_get_text(rows, 1, view->settled_day, sizeof view->settled_day);
    setpay_db_get_text(rows, 2, code, sizeof code);
    int64_t amount_minor = setpay_db_get_int(rows, 3);
    int64_t net_minor = amount_minor - setpay_db_get_int(rows, 4);
    bool is_refused = strcmp(code, "00") != 0;
    view->paid_minor = is_refused ? llabs(setpay_db_get_int(rows, 5)) : net_minor;
    view->is_paid_in_part =
        view->paid_minor < net_minor || amount_minor < setpay_db_get_int(rows, 6);
    return setpay_db_end(rows);
}
