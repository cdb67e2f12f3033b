/*
 * What goes the other way: a payment of ours to an issuer that is owed something; and the undoing
 * of a payment that was booked by mistake.
 */
#include "gateway/clearing/incoming.h"

#include "common/crypto/hash.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ paid to an issuer */

static enum setpay_error check_owed(struct setpay_db *db, const struct setpay_incoming *payment,
                                    int64_t *owed_minor, struct setpay_problem *problem)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    struct setpay_money most = payment->amount;
    SETPAY_TRY(setpay_incoming_owed(db, payment->issuer, payment->amount.currency, owed_minor));
    if (*owed_minor <= payment->amount.minor)
        return SETPAY_OK;
    most.minor = *owed_minor < 0 ? -*owed_minor : 0;
    return setpay_problem_set(problem, SETPAY_E_MONEY_NEGATIVE,
                              "amount: the issuer %s is owed only %s; nothing was booked",
                              payment->issuer, setpay_money_format(&most, text));
}

enum setpay_error setpay_incoming_pay(struct setpay_db *db, struct setpay_incoming *payment,
                                      setpay_time_ms now_ms, struct setpay_problem *problem)
{
    int64_t owed_minor;
    payment->amount.minor = -payment->amount.minor;
    SETPAY_TRY(setpay_incoming_look_for(db, payment, problem));
    if (payment->known)
        return SETPAY_OK;
    SETPAY_TRY(setpay_incoming_check_day(payment, now_ms, problem));
    SETPAY_TRY(check_owed(db, payment, &owed_minor, problem));
    payment->created_ms = now_ms;
    payment->matched_minor = payment->amount.minor; /* nothing of it to suspense */
    payment->left_minor = owed_minor - payment->matched_minor;
    SETPAY_TRY(setpay_incoming_token(payment, &payment->token));
    return setpay_incoming_insert(db, payment);
}

/* ------------------------------------------------------------------ undone */

enum setpay_error setpay_incoming_undone_event(const struct setpay_incoming *payment,
                                               struct setpay_id *event)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "issuer payment undone");
    setpay_hash_add(&state, setpay_id_view(&payment->token));
    setpay_hash_add(&state, setpay_view_string(payment->undone_reason));
    setpay_hash_add_u64(&state, (uint64_t)payment->undone_ms);
    return setpay_ledger_end_event(&state, event);
}

void setpay_incoming_undone_post(int64_t amount_minor, int64_t matched_minor,
                                 struct setpay_ledger_entry *entry)
{
    setpay_incoming_post(amount_minor, matched_minor, entry);
    entry->kind = SETPAY_LEDGER_ISSUER_PAYMENT_UNDONE;
    for (size_t i = 0; i < entry->posting_count; i++)
        entry->postings[i].amount_minor = -entry->postings[i].amount_minor;
}

/* What left suspense since is somewhere else by now, and can't come back with it. */
static enum setpay_error check_suspense(struct setpay_db *db, const struct setpay_incoming *payment,
                                        struct setpay_problem *problem)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM suspense_clearing WHERE item = $1",
                             SETPAY_DB_ID(&payment->token)));
    int64_t count = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    if (count == 0)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_STATE,
                              "%s %s can't be undone: of what went to suspense with it something "
                              "was cleared",
                              payment->issuer, payment->reference);
}

static enum setpay_error append_undone(struct setpay_db *db, const struct setpay_incoming *payment)
{
    struct setpay_ledger_entry entry = {.time_ms = payment->undone_ms, .event = payment->undone};
    memcpy(entry.merchant_id, payment->issuer, sizeof entry.merchant_id);
    memcpy(entry.currency, payment->amount.currency, sizeof entry.currency);
    setpay_incoming_undone_post(payment->amount.minor, payment->matched_minor, &entry);
    return setpay_ledger_append(db, &entry);
}

enum setpay_error setpay_incoming_undo(struct setpay_db *db, struct setpay_incoming *payment,
                                       setpay_time_ms now_ms, struct setpay_problem *problem)
{
    struct setpay_incoming undone = *payment;
    enum setpay_error error = setpay_incoming_find(db, &undone);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error,
                                  "no payment of %s with the reference %s is booked, or it was "
                                  "undone: see issuer payments",
                                  payment->issuer, payment->reference);
    SETPAY_TRY(error);
    SETPAY_TRY(check_suspense(db, &undone, problem));
    memcpy(undone.undone_reason, payment->undone_reason, sizeof undone.undone_reason);
    undone.undone_ms = now_ms;
    SETPAY_TRY(setpay_incoming_undone_event(&undone, &undone.undone));
    SETPAY_TRY(append_undone(db, &undone));
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE issuer_payment SET undone = $1, undone_ms = $2,"
                             " undone_reason = $3 WHERE id = $4 AND undone IS NULL",
                             SETPAY_DB_ID(&undone.undone), SETPAY_DB_INT(undone.undone_ms),
                             SETPAY_DB_TEXT(undone.undone_reason), SETPAY_DB_INT(undone.id)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_INTERNAL;
    *payment = undone;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ looking */

enum setpay_error setpay_incoming_each(struct setpay_db *db, const char *issuer, int64_t limit,
                                       setpay_incoming_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT " SETPAY_INCOMING_COLUMNS " FROM issuer_payment"
                                " WHERE $1 IS NULL OR issuer = $1 ORDER BY id DESC LIMIT $2",
                                SETPAY_DB_TEXT(issuer), SETPAY_DB_INT(limit)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_incoming payment;
        setpay_incoming_read(rows, &payment);
        error = each(arg, &payment);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}
