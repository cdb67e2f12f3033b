/*
 * The rows of steps. All changes of a purchase's steps go with a new version of the purchase, so
 * that who decided on what was there before decides anew.
 */
#include "merchant/payment/authorisation.h"
#include "merchant/payment/step.h"

#include <stdlib.h>

#define ROOM_AT_FIRST 8

static void read_step(struct setpay_db_rows *rows, int64_t purchase_id,
                      struct setpay_merchant_step *step)
{
    *step = (struct setpay_merchant_step){.purchase_id = purchase_id};
    step->id = setpay_db_get_int(rows, 0);
    step->kind = (enum setpay_merchant_step_kind)setpay_db_get_int(rows, 1);
    step->state = (enum setpay_merchant_step_state)setpay_db_get_int(rows, 2);
    setpay_db_get_id(rows, 3, &step->name);
    step->of_id = setpay_db_get_int(rows, 4);
    step->amount_minor = setpay_db_get_int(rows, 5);
    step->has_token = !setpay_db_is_null(rows, 6);
    if (step->has_token)
        setpay_db_get_id(rows, 6, &step->token);
    step->batch = (uint32_t)setpay_db_get_int(rows, 7);
    step->code = (uint32_t)setpay_db_get_int(rows, 8);
    step->undone = setpay_db_get_bool(rows, 9);
    step->credited_minor = setpay_db_get_int(rows, 10);
    step->created_ms = setpay_db_get_int(rows, 11);
    step->decided_ms = setpay_db_get_int(rows, 12);
    step->urgent = setpay_db_get_bool(rows, 13);
    step->sale = setpay_db_get_bool(rows, 14);
    step->hold_expiry_ms = setpay_db_get_int(rows, 15);
    setpay_db_get_text(rows, 16, step->action_code, sizeof step->action_code);
    setpay_db_get_text(rows, 17, step->approval_code, sizeof step->approval_code);
    step->part = setpay_db_get_bool(rows, 18);
    step->together = setpay_db_get_int(rows, 19);
}

/* Keeps room for what an answer adds. */
static enum setpay_error make_room(struct setpay_merchant_steps **steps)
{
    struct setpay_merchant_steps *old = *steps;
    if (old->count == SETPAY_MERCHANT_STEPS_MAX)
        return SETPAY_E_TOO_BIG;
    if (old->count + SETPAY_MERCHANT_STEPS_ADDED < old->room)
        return SETPAY_OK;
    struct setpay_merchant_steps *grown =
        realloc(old, sizeof *old + 2 * old->room * sizeof old->list[0]);
    if (grown == NULL)
        return SETPAY_E_NOMEM;
    grown->room *= 2;
    *steps = grown;
    return SETPAY_OK;
}

static enum setpay_error read_steps(struct setpay_db *db, int64_t purchase_id,
                                    struct setpay_merchant_steps **steps)
{
    struct setpay_db_rows *rows;
    enum setpay_error room = SETPAY_OK;
    SETPAY_TRY(
        setpay_db_select(db, &rows,
                         "SELECT id, kind, state, name, of_id, amount_minor, token, batch,"
                         " code, undone, credited_minor, created_ms, decided_ms, urgent, sale,"
                         " hold_expiry_ms, action_code, approval_code, part, together FROM step"
                         " WHERE purchase_id = $1 ORDER BY id",
                         SETPAY_DB_INT(purchase_id)));
    while (room == SETPAY_OK && setpay_db_next(rows)) {
        room = make_room(steps);
        if (room == SETPAY_OK)
            read_step(rows, purchase_id, &(*steps)->list[(*steps)->count++]);
    }
    SETPAY_TRY(setpay_db_end(rows));
    return room;
}

enum setpay_error setpay_merchant_step_list(struct setpay_db *db, int64_t purchase_id,
                                            struct setpay_merchant_steps **steps)
{
    struct setpay_merchant_steps *found = setpay_merchant_steps_new(ROOM_AT_FIRST);
    if (found == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = read_steps(db, purchase_id, &found);
    if (error != SETPAY_OK) {
        free(found);
        return error;
    }
    free(*steps);
    *steps = found;
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_step_insert(struct setpay_db *db,
                                              struct setpay_merchant_step *step)
{
    return setpay_db_insert(
        db, &step->id,
        "INSERT INTO step (purchase_id, kind, state, name, of_id, amount_minor, token, batch, code,"
        " undone, credited_minor, created_ms, decided_ms, urgent, sale, part)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, $9, $10, $11, $12, $13)"
        " RETURNING id",
        SETPAY_DB_INT(step->purchase_id), SETPAY_DB_INT(step->kind), SETPAY_DB_INT(step->state),
        SETPAY_DB_ID(&step->name), SETPAY_DB_INT(step->of_id), SETPAY_DB_INT(step->amount_minor),
        SETPAY_DB_ID(step->has_token ? &step->token : NULL), SETPAY_DB_INT(step->batch),
        SETPAY_DB_INT(step->created_ms), SETPAY_DB_INT(step->decided_ms),
        SETPAY_DB_BOOL(step->urgent), SETPAY_DB_BOOL(step->sale), SETPAY_DB_BOOL(step->part));
}

enum setpay_error setpay_merchant_step_update(struct setpay_db *db,
                                              const struct setpay_merchant_step *step)
{
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE step SET state = $1, amount_minor = $2, token = $3, batch = $4, code = $5,"
        " undone = $6, credited_minor = $7, decided_ms = $8, urgent = $9, hold_expiry_ms = $10,"
        " action_code = $11, approval_code = $12 WHERE id = $13",
        SETPAY_DB_INT(step->state), SETPAY_DB_INT(step->amount_minor),
        SETPAY_DB_ID(step->has_token ? &step->token : NULL), SETPAY_DB_INT(step->batch),
        SETPAY_DB_INT(step->code), SETPAY_DB_BOOL(step->undone),
        SETPAY_DB_INT(step->credited_minor), SETPAY_DB_INT(step->decided_ms),
        SETPAY_DB_BOOL(step->urgent), SETPAY_DB_INT(step->hold_expiry_ms),
        SETPAY_DB_TEXT(step->action_code), SETPAY_DB_TEXT(step->approval_code),
        SETPAY_DB_INT(step->id)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_CONFLICT;
}

enum setpay_error setpay_merchant_step_write(struct setpay_db *db, int64_t purchase_id,
                                             struct setpay_merchant_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        struct setpay_merchant_step *step = &steps->list[i];
        if (step->id == 0) {
            step->purchase_id = purchase_id;
            if (step->of_id == SETPAY_MERCHANT_STEP_BEFORE && i > 0)
                step->of_id = steps->list[i - 1].id;
            SETPAY_TRY(setpay_id_random(&step->name));
            SETPAY_TRY(setpay_merchant_step_insert(db, step));
        }
        if (step->changed)
            SETPAY_TRY(setpay_merchant_step_update(db, step));
        step->changed = false;
    }
    return SETPAY_OK;
}

/* Whether a request of that step is kept. */
static enum setpay_error has_left(struct setpay_db *db, int64_t step_id, bool *left)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT count(*) FROM gateway_request WHERE step_id = $1",
                             SETPAY_DB_INT(step_id)));
    *left = setpay_db_get_int(rows, 0) > 0;
    return setpay_db_end(rows);
}

enum setpay_error setpay_merchant_step_withdraw(struct setpay_db *db,
                                                struct setpay_merchant_steps *steps,
                                                setpay_time_ms now_ms)
{
    for (size_t i = 0; i < steps->count; i++) {
        struct setpay_merchant_step *step = &steps->list[i];
        bool left = true;
        if (step->kind != SETPAY_MERCHANT_STEP_AUTHORISE ||
            step->state != SETPAY_MERCHANT_STEP_ASKING)
            continue;
        SETPAY_TRY(has_left(db, step->id, &left));
        if (left)
            continue;
        step->state = SETPAY_MERCHANT_STEP_REFUSED;
        step->code = SETPAY_WIRE_AGREEMENT;
        step->decided_ms = now_ms;
        SETPAY_TRY(setpay_merchant_step_update(db, step));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_step_append(struct setpay_db *db,
                                              struct setpay_merchant_purchase *purchase,
                                              const struct setpay_merchant_step *what,
                                              setpay_time_ms now_ms,
                                              struct setpay_merchant_step *step)
{
    *step = *what;
    step->purchase_id = purchase->id;
    step->state = SETPAY_MERCHANT_STEP_ASKING;
    step->created_ms = now_ms;
    SETPAY_TRY(setpay_id_random(&step->name));
    SETPAY_TRY(setpay_purchase_state_next(purchase->state, SETPAY_PURCHASE_STEP, &purchase->state));
    purchase->updated_ms = now_ms;
    SETPAY_TRY(setpay_merchant_step_insert(db, step));
    return setpay_merchant_purchase_update(db, purchase);
}

static enum setpay_error ask_with(struct setpay_db *db, struct setpay_merchant_purchase *purchase,
                                  const struct setpay_merchant_steps *steps,
                                  enum setpay_merchant_step_kind kind, const struct setpay_id *of,
                                  int64_t amount_minor, setpay_time_ms now_ms,
                                  struct setpay_merchant_step *step)
{
    struct setpay_merchant_authorisation one;
    const struct setpay_merchant_step *other =
        of != NULL ? setpay_merchant_step_named(steps, of) : NULL;
    if (of != NULL && other == NULL)
        return SETPAY_E_NOT_FOUND;
    SETPAY_TRY(setpay_merchant_step_check(purchase, steps, kind, other, amount_minor, now_ms));
    struct setpay_merchant_step what = {
        .kind = kind,
        .of_id = other != NULL ? other->id : 0,
        .amount_minor = amount_minor,
        .part = kind == SETPAY_MERCHANT_STEP_RELEASE && amount_minor != 0,
    };
    if (kind == SETPAY_MERCHANT_STEP_RELEASE && !what.part &&
        setpay_merchant_authorisation_find(purchase, steps, what.of_id, &one))
        what.amount_minor = setpay_merchant_authorisation_capturable(&one);
    return setpay_merchant_step_append(db, purchase, &what, now_ms, step);
}

enum setpay_error setpay_merchant_step_ask(struct setpay_db *db,
                                           struct setpay_merchant_purchase *purchase,
                                           enum setpay_merchant_step_kind kind,
                                           const struct setpay_id *of, int64_t amount_minor,
                                           setpay_time_ms now_ms, struct setpay_merchant_step *step)
{
    struct setpay_merchant_steps *steps = NULL;
    enum setpay_error error = setpay_merchant_step_list(db, purchase->id, &steps);
    if (error == SETPAY_OK)
        error = ask_with(db, purchase, steps, kind, of, amount_minor, now_ms, step);
    free(steps);
    return error;
}
