/*
 * The rows of settlements, as files brought them. A settlement is never changed once it is there;
 * of its rows, only what became of a refused item is written later.
 */
#include "merchant/payment/settlement.h"

#include <string.h>

/* ------------------------------------------------------------------ what we have */

/* Which row has named it, and of which settlement. */
struct named {
    int64_t row_id, settlement_id; /* 0: none */
};

static enum setpay_error find_step(struct setpay_db *db, const struct setpay_id *token,
                                   struct setpay_merchant_settled_step *step, struct named *named)
{
    struct setpay_db_rows *rows;
    memset(step, 0, sizeof *step);
    memset(named, 0, sizeof *named);
    enum setpay_error error = setpay_db_one(
        db, &rows,
        "SELECT step.id, step.kind, step.undone, purchase.xid, purchase.brand, purchase.order_id,"
        " step.batch, step.amount_minor, purchase.currency, step.settlement_row,"
        " COALESCE((SELECT settlement_id FROM settlement_row WHERE id = step.settlement_row), 0)"
        " FROM step JOIN purchase ON purchase.id = step.purchase_id"
        " WHERE step.token = $1 AND step.state = 2 AND step.kind IN (1, 2)",
        SETPAY_DB_ID(token));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    step->id = setpay_db_get_int(rows, 0);
    step->kind = (enum setpay_merchant_step_kind)setpay_db_get_int(rows, 1);
    step->undone = setpay_db_get_bool(rows, 2);
    setpay_db_get_id(rows, 3, &step->xid);
    setpay_db_get_text(rows, 4, step->brand, sizeof step->brand);
    setpay_db_get_text(rows, 5, step->order_id, sizeof step->order_id);
    step->batch = (uint32_t)setpay_db_get_int(rows, 6);
    step->amount.minor = setpay_db_get_int(rows, 7);
    setpay_db_get_text(rows, 8, step->amount.currency, sizeof step->amount.currency);
    named->row_id = setpay_db_get_int(rows, 9);
    named->settlement_id = setpay_db_get_int(rows, 10);
    return setpay_db_end(rows);
}

/* The first row of that dispute or clearing. */
static enum setpay_error find_event(struct setpay_db *db, const struct setpay_settlement_row *row,
                                    struct named *named)
{
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      "SELECT id, settlement_id FROM settlement_row WHERE event = $1 AND kind = $2"
                      " ORDER BY id LIMIT 1",
                      SETPAY_DB_ID(&row->event), SETPAY_DB_INT(row->kind));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    named->row_id = setpay_db_get_int(rows, 0);
    named->settlement_id = setpay_db_get_int(rows, 1);
    return setpay_db_end(rows);
}

/* ------------------------------------------------------------------ reading in */

static enum setpay_error insert_settlement(struct setpay_db *db,
                                           const struct setpay_settlement_report *r,
                                           setpay_time_ms now_ms, int64_t *id)
{
    const struct setpay_settlement_totals *t = &r->totals;
    return setpay_db_insert(
        db, id,
        "INSERT INTO settlement (token, digest, gateway, brand, day, currency, capture_count,"
        " capture_minor, capture_fee_minor, credit_count, credit_minor, credit_fee_minor,"
        " refused_count, refused_minor, disputed_count, disputed_minor, returned_count,"
        " returned_minor, cleared_count, cleared_minor, carried_in_minor, held_minor,"
        " released_minor, repaid_count, repaid_minor, payout_minor, carried_out_minor, row_count,"
        " imported_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,"
        " $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29) RETURNING id",
        SETPAY_DB_ID(&r->settlement), SETPAY_DB_DIGEST(&r->digest), SETPAY_DB_TEXT(r->gateway),
        SETPAY_DB_TEXT(r->brand), SETPAY_DB_TEXT(r->day), SETPAY_DB_TEXT(r->currency),
        SETPAY_DB_INT(t->capture_count), SETPAY_DB_INT(t->capture_minor),
        SETPAY_DB_INT(t->capture_fee_minor), SETPAY_DB_INT(t->credit_count),
        SETPAY_DB_INT(t->credit_minor), SETPAY_DB_INT(t->credit_fee_minor),
        SETPAY_DB_INT(t->refused_count), SETPAY_DB_INT(t->refused_minor),
        SETPAY_DB_INT(t->disputed_count), SETPAY_DB_INT(t->disputed_minor),
        SETPAY_DB_INT(t->returned_count), SETPAY_DB_INT(t->returned_minor),
        SETPAY_DB_INT(t->cleared_count), SETPAY_DB_INT(t->cleared_minor),
        SETPAY_DB_INT(t->carried_in_minor), SETPAY_DB_INT(t->held_minor),
        SETPAY_DB_INT(t->released_minor), SETPAY_DB_INT(t->repaid_count),
        SETPAY_DB_INT(t->repaid_minor), SETPAY_DB_INT(t->payout_minor),
        SETPAY_DB_INT(t->carried_out_minor), SETPAY_DB_INT((int64_t)r->row_count),
        SETPAY_DB_INT(now_ms));
}

static enum setpay_error insert_row(struct setpay_db *db, int64_t settlement_id,
                                    const struct setpay_settlement_row *row, uint32_t differs,
                                    int64_t step_id, const struct named *named, int64_t *id)
{
    bool is_event = !setpay_id_is_zero(&row->event);
    return setpay_db_insert(
        db, id,
        "INSERT INTO settlement_row (settlement_id, line, kind, step, xid, batch, amount_minor,"
        " fee_minor, code, date, event, differs, step_id, other_id, stands, cleared_minor,"
        " cleared_by, is_over, accepted_ms, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
        "$10,"
        " $11, $12, $13, $14, $15, 0, 0, 0, 0, '') RETURNING id",
        SETPAY_DB_INT(settlement_id), SETPAY_DB_INT((int64_t)row->line), SETPAY_DB_INT(row->kind),
        SETPAY_DB_ID(&row->step), SETPAY_DB_ID(&row->xid), SETPAY_DB_INT(row->batch),
        SETPAY_DB_INT(row->amount_minor), SETPAY_DB_INT(row->fee_minor), SETPAY_DB_TEXT(row->code),
        SETPAY_DB_TEXT(row->date), SETPAY_DB_ID(is_event ? &row->event : NULL),
        SETPAY_DB_INT(differs), SETPAY_DB_INT(step_id), SETPAY_DB_INT(named->settlement_id),
        SETPAY_DB_BOOL(differs != 0));
}

/* The refused item that a step was named by. SETPAY_E_NOT_FOUND: none, or it was not refused. */
static enum setpay_error find_refused(struct setpay_db *db, int64_t step_id, int64_t *row_id,
                                      struct setpay_settlement_row *row, uint32_t *differs,
                                      bool *is_accepted)
{
    struct setpay_db_rows *rows;
    *row = (struct setpay_settlement_row){.line = 0};
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT r.id, r.kind, r.amount_minor, r.fee_minor, r.differs, r.accepted_ms FROM step"
        " JOIN settlement_row AS r ON r.id = step.settlement_row"
        " WHERE step.id = $1 AND r.code <> '00'",
        SETPAY_DB_INT(step_id)));
    *row_id = setpay_db_get_int(rows, 0);
    row->kind = (enum setpay_settlement_kind)setpay_db_get_int(rows, 1);
    row->amount_minor = setpay_db_get_int(rows, 2);
    row->fee_minor = setpay_db_get_int(rows, 3);
    *differs = (uint32_t)setpay_db_get_int(rows, 4);
    *is_accepted = setpay_db_get_int(rows, 5) > 0;
    return setpay_db_end(rows);
}

/* What all settlements say that came of it; the youngest day that paid some of it is the one that
 * it was paid with. Kinds as numbers: the index is of these. */
static enum setpay_error find_outcome(struct setpay_db *db, int64_t step_id,
                                      struct setpay_merchant_settlement_outcome *outcome)
{
    struct setpay_db_rows *rows;
    *outcome = (struct setpay_merchant_settlement_outcome){.row_count = 0};
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT r.kind, r.amount_minor, r.differs, s.id FROM settlement_row"
                                " AS r JOIN settlement AS s ON s.id = r.settlement_id"
                                " WHERE r.step_id = $1 AND r.kind IN (6, 7) ORDER BY s.day, s.id",
                                SETPAY_DB_INT(step_id)));
    while (setpay_db_next(rows)) {
        const struct setpay_settlement_row row = {
            .kind = (enum setpay_settlement_kind)setpay_db_get_int(rows, 0),
            .amount_minor = setpay_db_get_int(rows, 1),
        };
        setpay_merchant_settlement_came(outcome, &row, (uint32_t)setpay_db_get_int(rows, 2),
                                        setpay_db_get_int(rows, 3));
    }
    return setpay_db_end(rows);
}

/* What came of a step that its issuer has refused, from all rows that are there: in whatever order
 * files are read in, the same stands in the end. */
static enum setpay_error judge_refused(struct setpay_db *db, int64_t step_id)
{
    struct setpay_settlement_row row;
    struct setpay_merchant_settlement_outcome outcome;
    int64_t row_id = 0;
    uint32_t differs = 0;
    bool is_accepted = false;
    enum setpay_error error = find_refused(db, step_id, &row_id, &row, &differs, &is_accepted);
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    SETPAY_TRY(find_outcome(db, step_id, &outcome));
    bool is_over = setpay_merchant_settlement_is_over(&row, &outcome);
    bool stands = !is_accepted && !(is_over && differs == SETPAY_SETTLEMENT_REFUSED);
    return setpay_db_run(
        db,
        "UPDATE settlement_row SET cleared_minor = $1, cleared_by = $2, is_over = $3, stands = $4"
        " WHERE id = $5",
        SETPAY_DB_INT(outcome.cleared_minor), SETPAY_DB_INT(outcome.cleared_by),
        SETPAY_DB_BOOL(is_over), SETPAY_DB_BOOL(stands), SETPAY_DB_INT(row_id));
}

static enum setpay_error import_row(struct setpay_db *db, int64_t settlement_id,
                                    const struct setpay_settlement_report *report,
                                    const struct setpay_settlement_row *row)
{
    struct setpay_merchant_settled_step step;
    struct named item, named;
    int64_t row_id = 0;
    bool is_item = setpay_settlement_kind_is_item(row->kind);
    SETPAY_TRY(find_step(db, &row->step, &step, &item));
    named = is_item ? item : (struct named){0};
    if (!is_item)
        SETPAY_TRY(find_event(db, row, &named));
    step.is_named = named.row_id != 0;
    uint32_t differs = setpay_merchant_settlement_compare(report, row, &step);
    SETPAY_TRY(insert_row(db, settlement_id, row, differs, step.id, &named, &row_id));
    if (step.is_named || !setpay_merchant_settlement_is_about(differs))
        return SETPAY_OK;
    if (is_item)
        SETPAY_TRY(setpay_db_run(db, "UPDATE step SET settlement_row = $1 WHERE id = $2",
                                 SETPAY_DB_INT(row_id), SETPAY_DB_INT(step.id)));
    bool is_refused = is_item && strcmp(row->code, "00") != 0;
    bool is_outcome =
        row->kind == SETPAY_SETTLEMENT_CLEARED || row->kind == SETPAY_SETTLEMENT_ENDED;
    return is_refused || is_outcome ? judge_refused(db, step.id) : SETPAY_OK;
}

/* Whether a settlement of that id is there. */
static enum setpay_error find_known(struct setpay_db *db,
                                    const struct setpay_settlement_report *report, bool *is_known,
                                    struct setpay_problem *problem)
{
    struct setpay_db_rows *rows;
    struct setpay_digest digest;
    char id[SETPAY_ID_TEXT_SIZE], at[SETPAY_TIME_TEXT_SIZE];
    enum setpay_error error =
        setpay_db_one(db, &rows, "SELECT digest, imported_ms FROM settlement WHERE token = $1",
                      SETPAY_DB_ID(&report->settlement));
    *is_known = error == SETPAY_OK;
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    setpay_db_get_digest(rows, 0, &digest);
    (void)setpay_time_format(setpay_db_get_int(rows, 1), at);
    SETPAY_TRY(setpay_db_end(rows));
    if (setpay_digest_equal(&digest, &report->digest))
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_EXISTS,
                              "line %zu: settlement %s was read in at %s with other content; ask"
                              " the gateway which of the two holds",
                              report->line, setpay_id_format(&report->settlement, id), at);
}

static enum setpay_error import_one(struct setpay_db *db,
                                    const struct setpay_merchant_settlement_import *import,
                                    const struct setpay_settlement_report *report,
                                    struct setpay_problem *problem)
{
    struct setpay_settlement_view view;
    int64_t id = 0;
    bool is_known = false;
    if (strcmp(report->merchant_id, import->merchant_id) != 0)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "line %zu: a settlement of the merchant \"%s\", expected one of"
                                  " \"%.64s\"",
                                  report->line, report->merchant_id, import->merchant_id);
    SETPAY_TRY(find_known(db, report, &is_known, problem));
    if (!is_known) {
        SETPAY_TRY(insert_settlement(db, report, import->now_ms, &id));
        for (size_t i = 0; i < report->row_count; i++)
            SETPAY_TRY(import_row(db, id, report, &report->rows[i]));
    }
    SETPAY_TRY(setpay_merchant_settlement_find(db, &report->settlement, &view));
    return import->visit(import->arg, &view, !is_known);
}

enum setpay_error
setpay_merchant_settlement_import(struct setpay_db *db,
                                  const struct setpay_merchant_settlement_import *import,
                                  struct setpay_problem *problem)
{
    for (size_t i = 0; i < import->file->count; i++)
        SETPAY_TRY(import_one(db, import, &import->file->reports[i], problem));
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ accepting */

/* What stands in a row already. */
struct standing {
    int64_t row_id;
    bool stands;
    setpay_time_ms accepted_ms; /* 0: it is not */
    bool is_same;               /* with that reason */
};

static enum setpay_error find_standing(struct setpay_db *db,
                                       const struct setpay_merchant_settlement_accept *accept,
                                       struct standing *standing)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(
        setpay_db_one(db, &rows,
                      "SELECT r.id, r.stands, r.accepted_ms, CASE WHEN r.reason = $1 THEN 1 ELSE 0"
                      " END FROM settlement AS s JOIN settlement_row AS r ON r.settlement_id = s.id"
                      " WHERE s.token = $2 AND r.line = $3",
                      SETPAY_DB_TEXT(accept->reason), SETPAY_DB_ID(&accept->settlement),
                      SETPAY_DB_INT(accept->line)));
    standing->row_id = setpay_db_get_int(rows, 0);
    standing->stands = setpay_db_get_bool(rows, 1);
    standing->accepted_ms = setpay_db_get_int(rows, 2);
    standing->is_same = setpay_db_get_bool(rows, 3);
    return setpay_db_end(rows);
}

enum setpay_error
setpay_merchant_settlement_accept(struct setpay_db *db,
                                  const struct setpay_merchant_settlement_accept *accept,
                                  struct setpay_problem *problem)
{
    struct standing standing;
    char at[SETPAY_TIME_TEXT_SIZE];
    enum setpay_error error = find_standing(db, accept, &standing);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error,
                                  "there is no such settlement here, or its file had no row in line"
                                  " %lld (see `setpay-merchant settlement differences`)",
                                  (long long)accept->line);
    SETPAY_TRY(error);
    if (standing.accepted_ms > 0 && standing.is_same)
        return SETPAY_OK;
    if (standing.accepted_ms > 0)
        return setpay_problem_set(
            problem, SETPAY_E_EXISTS, "line %lld was accepted at %s with another reason",
            (long long)accept->line, setpay_time_format(standing.accepted_ms, at));
    if (!standing.stands)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "line %lld: nothing differs there that stands",
                                  (long long)accept->line);
    return setpay_db_run(
        db, "UPDATE settlement_row SET stands = 0, accepted_ms = $1, reason = $2 WHERE id = $3",
        SETPAY_DB_INT(accept->now_ms), SETPAY_DB_TEXT(accept->reason),
        SETPAY_DB_INT(standing.row_id));
}
