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

/* The first row of that dispute or clearing, before that one. */
static enum setpay_error find_event(struct setpay_db *db, const struct setpay_settlement_row *row,
                                    int64_t before, struct named *named)
{
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      "SELECT id, settlement_id FROM settlement_row WHERE event = $1 AND kind = $2"
                      " AND id < $3 ORDER BY id LIMIT 1",
                      SETPAY_DB_ID(&row->event), SETPAY_DB_INT(row->kind), SETPAY_DB_INT(before));
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
        " cleared_by, is_over, accepted_ms, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
        " $10, $11, $12, $13, $14, $15, 0, 0, 0, 0, '') RETURNING id",
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

/* How a row compares. */
struct judged {
    struct setpay_merchant_settled_step step;
    struct named named; /* the row that had the same before */
    uint32_t differs;
};

/* before: the row's id; INT64_MAX: it is new. */
static enum setpay_error judge(struct setpay_db *db, const struct setpay_settlement_report *report,
                               const struct setpay_settlement_row *row, int64_t before,
                               struct judged *judged)
{
    SETPAY_TRY(find_step(db, &row->step, &judged->step, &judged->named));
    if (!setpay_settlement_kind_is_item(row->kind)) {
        judged->named = (struct named){0};
        SETPAY_TRY(find_event(db, row, before, &judged->named));
    }
    judged->step.is_named = judged->named.row_id != 0;
    judged->differs = setpay_merchant_settlement_compare(report, row, &judged->step);
    return SETPAY_OK;
}

/* What follows for the step from the row, which is there. */
static enum setpay_error settle(struct setpay_db *db, const struct setpay_settlement_row *row,
                                int64_t row_id, const struct judged *judged)
{
    const struct setpay_merchant_settled_step *step = &judged->step;
    bool is_item = setpay_settlement_kind_is_item(row->kind);
    if (step->is_named || !setpay_merchant_settlement_is_about(judged->differs))
        return SETPAY_OK;
    if (is_item)
        SETPAY_TRY(setpay_db_run(db, "UPDATE step SET settlement_row = $1 WHERE id = $2",
                                 SETPAY_DB_INT(row_id), SETPAY_DB_INT(step->id)));
    bool is_refused = is_item && strcmp(row->code, "00") != 0;
    bool is_outcome =
        row->kind == SETPAY_SETTLEMENT_CLEARED || row->kind == SETPAY_SETTLEMENT_ENDED;
    return is_refused || is_outcome ? judge_refused(db, step->id) : SETPAY_OK;
}

static enum setpay_error import_row(struct setpay_db *db, int64_t settlement_id,
                                    const struct setpay_settlement_report *report,
                                    const struct setpay_settlement_row *row)
{
    struct judged judged;
    int64_t row_id = 0;
    SETPAY_TRY(judge(db, report, row, INT64_MAX, &judged));
    SETPAY_TRY(
        insert_row(db, settlement_id, row, judged.differs, judged.step.id, &judged.named, &row_id));
    return settle(db, row, row_id, &judged);
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

/* A brand may have been sold here before. */
static enum setpay_error check_brand(struct setpay_db *db,
                                     const struct setpay_merchant_settlement_import *import,
                                     const struct setpay_settlement_report *report,
                                     struct setpay_problem *problem)
{
    struct setpay_db_rows *rows;
    for (size_t i = 0; i < import->brand_count; i++)
        if (strcmp(import->brands[i], report->brand) == 0)
            return SETPAY_OK;
    enum setpay_error error = setpay_db_one(
        db, &rows, "SELECT 1 FROM batch WHERE brand = $1 LIMIT 1", SETPAY_DB_TEXT(report->brand));
    if (error == SETPAY_OK)
        return setpay_db_end(rows);
    if (error != SETPAY_E_NOT_FOUND)
        return error;
    return setpay_problem_set(problem, SETPAY_E_INVALID,
                              "line %zu: a settlement of the brand \"%s\", expected one that the"
                              " configuration names",
                              report->line, report->brand);
}

/* The seal of a file finds damage, and no forgery: this finds a file that was taken for another. */
static enum setpay_error check_ours(struct setpay_db *db,
                                    const struct setpay_merchant_settlement_import *import,
                                    const struct setpay_settlement_report *report,
                                    struct setpay_problem *problem)
{
    if (strcmp(report->merchant_id, import->merchant_id) != 0)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "line %zu: a settlement of the merchant \"%s\", expected one of"
                                  " \"%.64s\"",
                                  report->line, report->merchant_id, import->merchant_id);
    if (strcmp(report->gateway, import->gateway_id) != 0)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "line %zu: a settlement by the gateway \"%s\", expected one by"
                                  " \"%.64s\", the configuration's gateway_id",
                                  report->line, report->gateway, import->gateway_id);
    return check_brand(db, import, report, problem);
}

static enum setpay_error import_one(struct setpay_db *db,
                                    const struct setpay_merchant_settlement_import *import,
                                    const struct setpay_settlement_report *report,
                                    struct setpay_problem *problem)
{
    struct setpay_settlement_view view;
    int64_t id = 0;
    bool is_known = false;
    SETPAY_TRY(check_ours(db, import, report, problem));
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

/* ------------------------------------------------------------------ taking back */

static enum setpay_error find_forgotten(struct setpay_db *db, const struct setpay_id *id,
                                        int64_t *settlement_id,
                                        struct setpay_merchant_settlement_forgotten *forgotten)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT id, brand, day, row_count FROM settlement WHERE token = $1",
                             SETPAY_DB_ID(id)));
    *settlement_id = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, forgotten->brand, sizeof forgotten->brand);
    setpay_db_get_text(rows, 2, forgotten->day, sizeof forgotten->day);
    forgotten->row_count = setpay_db_get_int(rows, 3);
    return setpay_db_end(rows);
}

/* What its rows say that came of refusals did not come: one row after the other. */
static enum setpay_error forget_outcomes(struct setpay_db *db, int64_t settlement_id)
{
    int64_t row_id = 0;
    for (;;) {
        struct setpay_db_rows *rows;
        enum setpay_error error =
            setpay_db_one(db, &rows,
                          "SELECT id, step_id FROM settlement_row WHERE settlement_id = $1"
                          " AND id > $2 AND kind IN (6, 7) ORDER BY id LIMIT 1",
                          SETPAY_DB_INT(settlement_id), SETPAY_DB_INT(row_id));
        if (error == SETPAY_E_NOT_FOUND)
            return SETPAY_OK;
        SETPAY_TRY(error);
        row_id = setpay_db_get_int(rows, 0);
        int64_t step_id = setpay_db_get_int(rows, 1);
        SETPAY_TRY(setpay_db_end(rows));
        SETPAY_TRY(
            setpay_db_run(db, "DELETE FROM settlement_row WHERE id = $1", SETPAY_DB_INT(row_id)));
        if (step_id != 0)
            SETPAY_TRY(judge_refused(db, step_id));
    }
}

static enum setpay_error forget_rows(struct setpay_db *db, int64_t settlement_id)
{
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE step SET settlement_row = 0 WHERE id IN (SELECT step_id FROM settlement_row"
        " WHERE settlement_id = $1 AND step_id <> 0) AND settlement_row IN (SELECT id FROM"
        " settlement_row WHERE settlement_id = $2)",
        SETPAY_DB_INT(settlement_id), SETPAY_DB_INT(settlement_id)));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM settlement_row WHERE settlement_id = $1",
                             SETPAY_DB_INT(settlement_id)));
    return setpay_db_run(db, "DELETE FROM settlement WHERE id = $1", SETPAY_DB_INT(settlement_id));
}

/* A row that was a duplicate of one of the settlement's. */
struct again {
    int64_t row_id;
    struct setpay_settlement_report report; /* its brand and currency alone */
    struct setpay_settlement_row row;
    uint32_t differs;
};

/* The next of them behind that one. SETPAY_E_NOT_FOUND. */
static enum setpay_error find_again(struct setpay_db *db, int64_t settlement_id, int64_t after,
                                    struct again *again)
{
    struct setpay_db_rows *rows;
    memset(again, 0, sizeof *again);
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT r.id, s.brand, s.currency, r.kind, r.step, r.xid, r.batch, r.amount_minor,"
        " r.fee_minor, r.code, r.event, r.differs FROM settlement_row AS r JOIN settlement AS s"
        " ON s.id = r.settlement_id WHERE r.other_id = $1 AND r.other_id <> 0 AND r.id > $2"
        " ORDER BY r.id LIMIT 1",
        SETPAY_DB_INT(settlement_id), SETPAY_DB_INT(after)));
    again->row_id = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, again->report.brand, sizeof again->report.brand);
    setpay_db_get_text(rows, 2, again->report.currency, sizeof again->report.currency);
    again->row.kind = (enum setpay_settlement_kind)setpay_db_get_int(rows, 3);
    setpay_db_get_id(rows, 4, &again->row.step);
    setpay_db_get_id(rows, 5, &again->row.xid);
    again->row.batch = (uint32_t)setpay_db_get_int(rows, 6);
    again->row.amount_minor = setpay_db_get_int(rows, 7);
    again->row.fee_minor = setpay_db_get_int(rows, 8);
    setpay_db_get_text(rows, 9, again->row.code, sizeof again->row.code);
    if (!setpay_db_is_null(rows, 10))
        setpay_db_get_id(rows, 10, &again->row.event);
    again->differs = (uint32_t)setpay_db_get_int(rows, 11);
    return setpay_db_end(rows);
}

/* What a person has accepted stays so, unless there is something else now. */
static enum setpay_error judge_again(struct setpay_db *db, const struct again *again)
{
    struct judged judged;
    SETPAY_TRY(judge(db, &again->report, &again->row, again->row_id, &judged));
    bool keeps = judged.differs != 0 && (judged.differs & ~again->differs) == 0;
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE settlement_row SET differs = $1, step_id = $2, other_id = $3, accepted_ms ="
        " CASE WHEN $4 = 1 THEN accepted_ms ELSE 0 END, reason = CASE WHEN $5 = 1 THEN reason"
        " ELSE '' END, stands = CASE WHEN $6 = 0 OR ($7 = 1 AND accepted_ms > 0) THEN 0 ELSE 1 END"
        " WHERE id = $8",
        SETPAY_DB_INT(judged.differs), SETPAY_DB_INT(judged.step.id),
        SETPAY_DB_INT(judged.named.settlement_id), SETPAY_DB_INT(keeps), SETPAY_DB_INT(keeps),
        SETPAY_DB_INT(judged.differs), SETPAY_DB_INT(keeps), SETPAY_DB_INT(again->row_id)));
    return settle(db, &again->row, again->row_id, &judged);
}

enum setpay_error
setpay_merchant_settlement_forget(struct setpay_db *db, const struct setpay_id *id,
                                  struct setpay_merchant_settlement_forgotten *forgotten)
{
    struct again again = {.row_id = 0};
    int64_t settlement_id = 0;
    enum setpay_error error = SETPAY_OK;
    memset(forgotten, 0, sizeof *forgotten);
    SETPAY_TRY(find_forgotten(db, id, &settlement_id, forgotten));
    SETPAY_TRY(forget_outcomes(db, settlement_id));
    SETPAY_TRY(forget_rows(db, settlement_id));
    for (;; forgotten->judged_count++) {
        error = find_again(db, settlement_id, again.row_id, &again);
        if (error == SETPAY_E_NOT_FOUND)
            return SETPAY_OK;
        SETPAY_TRY(error);
        SETPAY_TRY(judge_again(db, &again));
    }
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
