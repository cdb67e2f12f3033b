/*
 * What is in suspense, and clearing it: each item is a presentment that its issuer refused, with
 * the settlement that put it aside, or what an issuer paid beyond what it owed. It is cleared in
 * parts or whole, never beyond nothing.
 */
#include "common/crypto/hash.h"
#include "gateway/clearing/adjustment.h"
#include "gateway/clearing/incoming.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ items */

/* What a refused step would have been to its merchant went to suspense with its settlement. Above
 * nothing: by the index, of which IS NOT NULL would make no use. */
#define ITEMS                                                                                      \
    "SELECT event, is_payment, brand, merchant_id, currency, amount_minor, what, since_ms,"        \
    " COALESCE((SELECT SUM(c.amount_minor) FROM suspense_clearing c WHERE c.item = event), 0)"     \
    " AS cleared_minor, (SELECT COUNT(*) FROM suspense_clearing c WHERE c.item = event)"           \
    " FROM (SELECT suspense AS event, 0 AS is_payment, payment.brand AS brand,"                    \
    " payment.merchant_id AS merchant_id, payment.currency AS currency,"                           \
    " CASE WHEN kind = 1 THEN step.amount_minor - step.fee_minor"                                  \
    " ELSE step.fee_minor - step.amount_minor END AS amount_minor, lower(hex(step.token)) AS "     \
    "what,"                                                                                        \
    " settlement.created_ms AS since_ms"                                                           \
    " FROM presentment JOIN step ON step.id = presentment.step_id"                                 \
    " JOIN payment ON payment.id = step.payment_id"                                                \
    " JOIN settlement ON settlement.id = presentment.settlement_id WHERE suspense > x''"           \
    " UNION ALL SELECT token, 1, '', issuer, currency, amount_minor - matched_minor, reference,"   \
    " created_ms FROM issuer_payment WHERE amount_minor > matched_minor) AS item"

static void read_item(struct setpay_db_rows *rows, struct setpay_suspense_item *item)
{
    struct setpay_suspense_item i = {.is_payment = false};
    setpay_db_get_id(rows, 0, &i.event);
    i.is_payment = setpay_db_get_bool(rows, 1);
    setpay_db_get_text(rows, 2, i.brand, sizeof i.brand);
    setpay_db_get_text(rows, 3, i.merchant_id, sizeof i.merchant_id);
    setpay_db_get_text(rows, 4, i.currency, sizeof i.currency);
    i.amount_minor = setpay_db_get_int(rows, 5);
    setpay_db_get_text(rows, 6, i.what, sizeof i.what);
    i.since_ms = setpay_db_get_int(rows, 7);
    i.cleared_minor = setpay_db_get_int(rows, 8);
    i.clearings = setpay_db_get_int(rows, 9);
    *item = i;
}

enum setpay_error setpay_suspense_each(struct setpay_db *db, setpay_suspense_each_fn *each,
                                       void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows, ITEMS " ORDER BY since_ms, what, event"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_suspense_item item;
        read_item(rows, &item);
        if (item.amount_minor != item.cleared_minor)
            error = each(arg, &item);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_suspense_find(struct setpay_db *db, const struct setpay_id *event,
                                       struct setpay_suspense_item *item)
{
    struct setpay_suspense_item found;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, ITEMS " WHERE event = $1", SETPAY_DB_ID(event)));
    read_item(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    *item = found;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ clearing */

enum setpay_error setpay_suspense_clearing_token(const struct setpay_suspense_clearing *clearing,
                                                 struct setpay_id *token)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "suspense cleared");
    setpay_hash_add(&state, setpay_id_view(&clearing->item));
    setpay_hash_add_u64(&state, (uint64_t)clearing->number);
    setpay_hash_add_u64(&state, (uint64_t)clearing->amount_minor);
    setpay_hash_add_u64(&state, (uint64_t)clearing->account);
    setpay_hash_add(&state, setpay_view_string(clearing->reason));
    setpay_hash_add_u64(&state, (uint64_t)clearing->created_ms);
    return setpay_ledger_end_event(&state, token);
}

enum setpay_error setpay_suspense_decide(const struct setpay_suspense_item *item,
                                         enum setpay_account account, int64_t asked_minor,
                                         int64_t *amount_minor, struct setpay_problem *problem)
{
    int64_t left = llabs(item->amount_minor - item->cleared_minor);
    int64_t made = asked_minor == 0 ? left : asked_minor;
    struct setpay_money money = {.minor = left};
    char text[SETPAY_MONEY_TEXT_SIZE];
    enum setpay_account other =
        item->is_payment ? SETPAY_ACCOUNT_CASH : SETPAY_ACCOUNT_MERCHANT_PAYABLE;
    if (account != SETPAY_ACCOUNT_ISSUER_RECEIVABLE && account != other)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  item->is_payment
                                      ? "what an issuer paid goes to issuer or cash"
                                      : "what an issuer refused goes to issuer or merchant");
    memcpy(money.currency, item->currency, sizeof money.currency);
    if (made <= 0 || made > left)
        return setpay_problem_set(problem, SETPAY_E_MONEY_NEGATIVE, "%s of it are in suspense",
                                  setpay_money_format(&money, text));
    *amount_minor = item->amount_minor < 0 ? -made : made;
    return SETPAY_OK;
}

static enum setpay_error check_owed(struct setpay_db *db,
                                    const struct setpay_suspense_clearing *clearing,
                                    struct setpay_problem *problem)
{
    int64_t owed;
    struct setpay_money money = {.minor = 0};
    char text[SETPAY_MONEY_TEXT_SIZE];
    SETPAY_TRY(setpay_incoming_owed(db, clearing->merchant_id, clearing->currency, &owed));
    if (clearing->amount_minor <= owed)
        return SETPAY_OK;
    money.minor = owed > 0 ? owed : 0;
    memcpy(money.currency, clearing->currency, sizeof money.currency);
    return setpay_problem_set(problem, SETPAY_E_MONEY_NEGATIVE, "the issuer %s owes only %s",
                              clearing->merchant_id, setpay_money_format(&money, text));
}

static enum setpay_error insert(struct setpay_db *db, struct setpay_suspense_clearing *clearing)
{
    const struct setpay_suspense_clearing *c = clearing;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO suspense_clearing (token, item, number, brand, merchant_id, currency,"
        " amount_minor, account, reason, created_ms)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        SETPAY_DB_ID(&c->token), SETPAY_DB_ID(&c->item), SETPAY_DB_INT(c->number),
        SETPAY_DB_TEXT(c->brand), SETPAY_DB_TEXT(c->merchant_id), SETPAY_DB_TEXT(c->currency),
        SETPAY_DB_INT(c->amount_minor), SETPAY_DB_INT(c->account), SETPAY_DB_TEXT(c->reason),
        SETPAY_DB_INT(c->created_ms)));
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT id FROM suspense_clearing WHERE token = $1",
                             SETPAY_DB_ID(&c->token)));
    clearing->id = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

/* The entry, and what it is to a merchant's next settlement. */
static enum setpay_error book(struct setpay_db *db, const struct setpay_suspense_clearing *c)
{
    struct setpay_ledger_entry entry = {.time_ms = c->created_ms, .event = c->token};
    struct setpay_adjustment adjustment = {.token = c->token,
                                           .kind = SETPAY_ADJUSTMENT_CLEARED,
                                           .source_id = c->id,
                                           .amount_minor = c->amount_minor,
                                           .created_ms = c->created_ms};
    memcpy(entry.brand, c->brand, sizeof entry.brand);
    memcpy(entry.merchant_id, c->merchant_id, sizeof entry.merchant_id);
    memcpy(entry.currency, c->currency, sizeof entry.currency);
    setpay_ledger_post_two(SETPAY_LEDGER_SUSPENSE_CLEARED, SETPAY_ACCOUNT_SUSPENSE, c->account,
                           c->amount_minor, &entry);
    SETPAY_TRY(setpay_ledger_append(db, &entry));
    if (c->account != SETPAY_ACCOUNT_MERCHANT_PAYABLE)
        return SETPAY_OK;
    memcpy(adjustment.brand, c->brand, sizeof adjustment.brand);
    memcpy(adjustment.merchant_id, c->merchant_id, sizeof adjustment.merchant_id);
    memcpy(adjustment.currency, c->currency, sizeof adjustment.currency);
    return setpay_adjustment_insert(db, &adjustment);
}

enum setpay_error setpay_suspense_clear(struct setpay_db *db,
                                        struct setpay_suspense_clearing *clearing,
                                        const struct setpay_money *asked,
                                        struct setpay_problem *problem)
{
    struct setpay_suspense_item item;
    char text[SETPAY_ID_TEXT_SIZE];
    enum setpay_error error = setpay_suspense_find(db, &clearing->item, &item);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error,
                                  "nothing went to suspense as %s: see suspense list",
                                  setpay_id_format(&clearing->item, text));
    SETPAY_TRY(error);
    if (asked->minor != 0 && strcmp(asked->currency, item.currency) != 0)
        return setpay_problem_set(problem, SETPAY_E_MONEY_CURRENCY, "it is in suspense in %s",
                                  item.currency);
    SETPAY_TRY(setpay_suspense_decide(&item, clearing->account, asked->minor,
                                      &clearing->amount_minor, problem));
    clearing->number = item.clearings + 1;
    memcpy(clearing->brand, item.brand, sizeof clearing->brand);
    memcpy(clearing->merchant_id, item.merchant_id, sizeof clearing->merchant_id);
    memcpy(clearing->currency, item.currency, sizeof clearing->currency);
    if (item.is_payment && clearing->account == SETPAY_ACCOUNT_ISSUER_RECEIVABLE)
        SETPAY_TRY(check_owed(db, clearing, problem));
    SETPAY_TRY(setpay_suspense_clearing_token(clearing, &clearing->token));
    SETPAY_TRY(insert(db, clearing));
    return book(db, clearing);
}
