/*
 * The rows of steps.
 */
#include "gateway/payment/step.h"

#include "gateway/clearing/incoming.h"
#include "gateway/clearing/sql_names.h"

/* What was approved in an issuer's stead it may never charge: until it has taken that, nobody
 * knows. */
static enum setpay_error stands_in_unanswered(struct setpay_db *db,
                                              const struct setpay_gateway_step *step, bool *is)
{
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      "SELECT 1 FROM stand_in WHERE stand_in.payment_id = $1 AND NOT EXISTS"
                      " (SELECT 1 FROM presentment WHERE step_id = $2 AND acknowledged = 1)",
                      SETPAY_DB_INT(step->payment_id), SETPAY_DB_INT(step->id));
    *is = error == SETPAY_OK;
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    return setpay_db_end(rows);
}

static enum setpay_error read_uncharged(struct setpay_db *db,
                                        const struct setpay_gateway_step *step,
                                        int64_t *uncharged_minor)
{
    bool unanswered = false;
    *uncharged_minor = 0;
    if (step->kind != SETPAY_STEP_CAPTURE)
        return SETPAY_OK;
    SETPAY_TRY(stands_in_unanswered(db, step, &unanswered));
    if (unanswered)
        *uncharged_minor = step->amount_minor;
    return unanswered || step->batch_open
               ? SETPAY_OK
               : setpay_suspense_uncharged(db, step->id, step->amount_minor, uncharged_minor);
}

enum setpay_error setpay_gateway_step_find(struct setpay_db *db, const struct setpay_id *token,
                                           struct setpay_gateway_step *step)
{
    struct setpay_db_rows *rows;
    struct setpay_gateway_step found = {.token = *token};
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT step.id, payment_id, kind, of_id, amount_minor, interchange_minor, fee_minor,"
        " batch_id, undone, credited_minor, disputed_minor, created_ms, batch.open,"
        " (SELECT COALESCE(SUM(credit.interchange_minor), 0) FROM step credit"
        " WHERE credit.payment_id = step.payment_id AND credit.of_id = step.id"
        " AND credit.kind = " SETPAY_SQL_CREDIT " AND credit.undone = 0) FROM step"
        " JOIN batch ON batch.id = step.batch_id WHERE token = $1",
        SETPAY_DB_ID(token)));
    found.id = setpay_db_get_int(rows, 0);
    found.payment_id = setpay_db_get_int(rows, 1);
    found.kind = (enum setpay_step_kind)setpay_db_get_int(rows, 2);
    found.of_id = setpay_db_get_int(rows, 3);
    found.amount_minor = setpay_db_get_int(rows, 4);
    found.charges.interchange_minor = setpay_db_get_int(rows, 5);
    found.charges.fee_minor = setpay_db_get_int(rows, 6);
    found.batch_id = setpay_db_get_int(rows, 7);
    found.undone = setpay_db_get_bool(rows, 8);
    found.credited_minor = setpay_db_get_int(rows, 9);
    found.disputed_minor = setpay_db_get_int(rows, 10);
    found.created_ms = setpay_db_get_int(rows, 11);
    found.batch_open = setpay_db_get_bool(rows, 12);
    found.given_back_minor = setpay_db_get_int(rows, 13);
    SETPAY_TRY(setpay_db_end(rows));
    SETPAY_TRY(read_uncharged(db, &found, &found.uncharged_minor));
    *step = found;
    return SETPAY_OK;
}

static enum setpay_error insert(struct setpay_db *db, const struct setpay_gateway_step *step)
{
    return setpay_db_run(
        db,
        "INSERT INTO step (token, payment_id, kind, of_id, amount_minor, interchange_minor,"
        " fee_minor, batch_id, undone, credited_minor, created_ms)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $9)",
        SETPAY_DB_ID(&step->token), SETPAY_DB_INT(step->payment_id), SETPAY_DB_INT(step->kind),
        SETPAY_DB_INT(step->of_id), SETPAY_DB_INT(step->amount_minor),
        SETPAY_DB_INT(step->charges.interchange_minor), SETPAY_DB_INT(step->charges.fee_minor),
        SETPAY_DB_INT(step->batch_id), SETPAY_DB_INT(step->created_ms));
}

enum setpay_error setpay_gateway_step_apply(struct setpay_db *db,
                                            const struct setpay_step_decision *decision)
{
    const struct setpay_gateway_step *of = &decision->of;
    SETPAY_TRY(insert(db, &decision->step));
    if (of->id == 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_run(db, "UPDATE step SET undone = $1, credited_minor = $2 WHERE id = $3",
                             SETPAY_DB_BOOL(of->undone), SETPAY_DB_INT(of->credited_minor),
                             SETPAY_DB_INT(of->id)));
    if (decision->step.kind != SETPAY_STEP_CREDIT_REVERSAL)
        return SETPAY_OK;
    /* The capture from which the undone credit was taken. */
    return setpay_db_run(db, "UPDATE step SET credited_minor = credited_minor - $1 WHERE id = $2",
                         SETPAY_DB_INT(of->amount_minor), SETPAY_DB_INT(of->of_id));
}
