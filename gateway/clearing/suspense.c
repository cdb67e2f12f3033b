/*
 * What is in suspense, and clearing it: each item is a presentment that its issuer refused, or that
 * was written off, with the settlement that put it aside, or what an issuer paid beyond what it
 * owed. It is cleared in parts or whole, never beyond nothing; a presentment's interchange and fee
 * go with it, in the same proportion.
 */
#include "common/crypto/hash.h"
#include "gateway/clearing/adjustment.h"
#include "gateway/clearing/fees.h"
#include "gateway/clearing/incoming.h"
#include "gateway/clearing/presentment.h"
#include "gateway/clearing/settlement.h"
#include "gateway/clearing/sql_names.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ going there */

enum setpay_error setpay_write_off_token(const struct setpay_id *step, setpay_time_ms at_ms,
                                         const char *reason, struct setpay_id *token)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "write-off");
    setpay_hash_add(&state, setpay_id_view(step));
    setpay_hash_add_u64(&state, (uint64_t)at_ms);
    setpay_hash_add(&state, setpay_view_string(reason));
    return setpay_ledger_end_event(&state, token);
}

void setpay_write_off_post(int64_t amount_minor, struct setpay_ledger_entry *entry)
{
    entry->kind = SETPAY_LEDGER_WRITE_OFF;
    entry->posting_count = 0;
    setpay_ledger_add(entry, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, -amount_minor);
    setpay_ledger_add(entry, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, amount_minor);
}

enum setpay_error setpay_write_off(struct setpay_db *db, int64_t presentment, setpay_time_ms at_ms,
                                   const char *reason)
{
    struct setpay_ledger_entry entry = {.time_ms = at_ms};
    struct setpay_db_rows *rows;
    struct setpay_id step;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT step.token, step.amount_minor, brand, merchant_id, currency"
                             " FROM presentment JOIN step ON step.id = step_id"
                             " JOIN payment ON payment.id = step.payment_id"
                             " WHERE presentment.id = $1",
                             SETPAY_DB_INT(presentment)));
    setpay_db_get_id(rows, 0, &step);
    setpay_write_off_post(setpay_db_get_int(rows, 1), &entry);
    setpay_db_get_text(rows, 2, entry.brand, sizeof entry.brand);
    setpay_db_get_text(rows, 3, entry.merchant_id, sizeof entry.merchant_id);
    setpay_db_get_text(rows, 4, entry.currency, sizeof entry.currency);
    SETPAY_TRY(setpay_db_end(rows));
    SETPAY_TRY(setpay_write_off_token(&step, at_ms, reason, &entry.event));
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE presentment SET acknowledged = 1, response_code = $1,"
                             " acknowledged_ms = $2, reason = $3, write_off = $4 WHERE id = $5",
                             SETPAY_DB_TEXT(SETPAY_PRESENTMENT_WRITTEN_OFF), SETPAY_DB_INT(at_ms),
                             SETPAY_DB_TEXT(reason), SETPAY_DB_ID(&entry.event),
                             SETPAY_DB_INT(presentment)));
    return setpay_ledger_append(db, &entry);
}

enum setpay_error setpay_suspense_token(const struct setpay_id *step, struct setpay_view write_off,
                                        struct setpay_id *token)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "suspense");
    setpay_hash_add(&state, setpay_id_view(step));
    if (write_off.size > 0)
        setpay_hash_add(&state, write_off);
    return setpay_ledger_end_event(&state, token);
}

void setpay_suspense_post(int64_t amount_minor, struct setpay_ledger_entry *entry)
{
    setpay_ledger_post_two(SETPAY_LEDGER_SUSPENSE, SETPAY_ACCOUNT_MERCHANT_PAYABLE,
                           SETPAY_ACCOUNT_SUSPENSE, amount_minor, entry);
}

/* ------------------------------------------------------------------ items */

/* What a refused step would have been to its merchant went to suspense with its settlement. Above
 * nothing: by the index, of which IS NOT NULL would make no use. */
#define ITEMS                                                                                      \
    "SELECT event, is_payment, brand, merchant_id, currency, amount_minor, what, since_ms,"        \
    " is_written_off, interchange_minor, fee_minor,"                                               \
    " COALESCE((SELECT SUM(" SETPAY_SUSPENSE_BOUND(                                                \
        "c.amount_minor") ")"                                                                      \
                          " FROM suspense_clearing c WHERE c.item = event), 0)"                    \
                          " AS cleared_minor, (SELECT COUNT(*) FROM suspense_clearing c WHERE "    \
                          "c.item = event)"                                                        \
                          " FROM (SELECT suspense AS event, 0 AS is_payment, payment.brand AS "    \
                          "brand,"                                                                 \
                          " payment.merchant_id AS merchant_id, payment.currency AS currency,"     \
                          " CASE WHEN kind = " SETPAY_SQL_CAPTURE                                  \
                          " THEN step.amount_minor - step.fee_minor"                               \
                          " ELSE step.fee_minor - step.amount_minor END AS amount_minor, "         \
                          "lower(hex(step.token)) AS "                                             \
                          "what,"                                                                  \
                          " settlement.created_ms AS since_ms, response_code = "                   \
                          "'" SETPAY_PRESENTMENT_WRITTEN_OFF                                       \
                          "' AS is_written_off, CASE WHEN kind = " SETPAY_SQL_CAPTURE              \
                          " THEN step.interchange_minor"                                           \
                          " ELSE -step.interchange_minor END AS interchange_minor,"                \
                          " CASE WHEN kind = " SETPAY_SQL_CAPTURE                                  \
                          " THEN step.fee_minor ELSE -step.fee_minor END AS "                      \
                          "fee_minor"                                                              \
                          " FROM presentment JOIN step ON step.id = presentment.step_id"           \
                          " JOIN payment ON payment.id = step.payment_id"                          \
                          " JOIN settlement ON settlement.id = presentment.settlement_id WHERE "   \
                          "suspense > x''"                                                         \
                          " UNION ALL SELECT token, 1, '', issuer, currency, amount_minor - "      \
                          "matched_minor, reference,"                                              \
                          " created_ms, 0, 0, 0 FROM issuer_payment WHERE undone IS NULL AND "     \
                          "amount_minor > "                                                        \
                          "matched_minor) AS item"

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
    i.is_written_off = setpay_db_get_bool(rows, 8);
    i.interchange_minor = setpay_db_get_int(rows, 9);
    i.fee_minor = setpay_db_get_int(rows, 10);
    i.cleared_minor = setpay_db_get_int(rows, 11);
    i.clearings = setpay_db_get_int(rows, 12);
    *item = i;
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

enum setpay_error setpay_suspense_each(struct setpay_db *db, const struct setpay_id *after,
                                       setpay_suspense_each_fn *each, void *arg)
{
    struct setpay_suspense_item last = {.since_ms = INT64_MIN};
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    if (after != NULL)
        SETPAY_TRY(setpay_suspense_find(db, after, &last));
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        ITEMS
        " WHERE since_ms > $1 OR (since_ms = $1 AND (what > $2 OR (what = $2 AND event > $3)))"
        " ORDER BY since_ms, what, event",
        SETPAY_DB_INT(last.since_ms), SETPAY_DB_TEXT(last.what), SETPAY_DB_ID(&last.event)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_suspense_item item;
        read_item(rows, &item);
        if (setpay_suspense_is_open(&item))
            error = each(arg, &item);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
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
    if (!clearing->is_of_before) {
        setpay_hash_add_u64(&state, (uint64_t)clearing->interchange_minor);
        setpay_hash_add_u64(&state, (uint64_t)clearing->fee_minor);
        setpay_hash_add_u64(&state, (uint64_t)clearing->loss_minor);
    }
    return setpay_ledger_end_event(&state, token);
}

bool setpay_suspense_is_open(const struct setpay_suspense_item *item)
{
    return item->amount_minor != item->cleared_minor ||
           (item->amount_minor == 0 && item->clearings == 0);
}

/* What falls on all that is cleared by then, less what fell on it before: so that the last part
 * takes the rest. */
static int64_t share(const struct setpay_suspense_item *item, int64_t cost_minor,
                     int64_t amount_minor)
{
    int64_t whole = llabs(item->amount_minor), before = llabs(item->cleared_minor);
    int64_t cost = llabs(cost_minor);
    if (whole == 0) /* the whole of it is one part */
        return cost_minor;
    int64_t made = setpay_cost_of_part(cost, before + llabs(amount_minor), whole) -
                   setpay_cost_of_part(cost, before, whole);
    return cost_minor < 0 ? -made : made;
}

void setpay_suspense_share(const struct setpay_suspense_item *item,
                           struct setpay_suspense_clearing *clearing)
{
    bool is_lost = item->is_written_off && clearing->account == SETPAY_ACCOUNT_MERCHANT_PAYABLE;
    clearing->interchange_minor = share(item, item->interchange_minor, clearing->amount_minor);
    clearing->fee_minor = share(item, item->fee_minor, clearing->amount_minor);
    clearing->loss_minor = is_lost ? clearing->amount_minor + clearing->fee_minor : 0;
}

void setpay_suspense_clearing_post(const struct setpay_suspense_clearing *c,
                                   struct setpay_ledger_entry *entry)
{
    int64_t claimed = c->amount_minor - c->interchange_minor + c->fee_minor;
    bool of_issuer = c->account == SETPAY_ACCOUNT_ISSUER_RECEIVABLE;
    entry->kind = SETPAY_LEDGER_SUSPENSE_CLEARED;
    entry->posting_count = 0;
    setpay_ledger_add(entry, SETPAY_ACCOUNT_SUSPENSE, c->amount_minor);
    if (!of_issuer)
        setpay_ledger_add(entry, c->account, -c->amount_minor);
    if (!of_issuer && c->amount_minor == 0 && c->loss_minor == 0) {
        /* A fee takes all of it: the merchant is owed it, and owes the fee. */
        setpay_ledger_add(entry, c->account, -c->fee_minor);
        setpay_ledger_add(entry, c->account, c->fee_minor);
    }
    if (!of_issuer && c->loss_minor == 0)
        return;
    setpay_ledger_add(entry, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, -claimed);
    setpay_ledger_add(entry, SETPAY_ACCOUNT_INTERCHANGE, -c->interchange_minor);
    if (of_issuer)
        setpay_ledger_add(entry, SETPAY_ACCOUNT_FEES, c->fee_minor);
    else
        setpay_ledger_add(entry, SETPAY_ACCOUNT_LOSSES, c->loss_minor);
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
    if (made < 0 || made > left || (made == 0 && !setpay_suspense_is_open(item)))
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
        " amount_minor, account, reason, created_ms, interchange_minor, fee_minor, loss_minor)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        SETPAY_DB_ID(&c->token), SETPAY_DB_ID(&c->item), SETPAY_DB_INT(c->number),
        SETPAY_DB_TEXT(c->brand), SETPAY_DB_TEXT(c->merchant_id), SETPAY_DB_TEXT(c->currency),
        SETPAY_DB_INT(c->amount_minor), SETPAY_DB_INT(c->account), SETPAY_DB_TEXT(c->reason),
        SETPAY_DB_INT(c->created_ms), SETPAY_DB_INT(c->interchange_minor),
        SETPAY_DB_INT(c->fee_minor), SETPAY_DB_INT(c->loss_minor)));
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
    setpay_suspense_clearing_post(c, &entry);
    SETPAY_TRY(setpay_ledger_append(db, &entry));
    if (c->account != SETPAY_ACCOUNT_MERCHANT_PAYABLE || c->amount_minor == 0)
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
    setpay_suspense_share(&item, clearing);
    SETPAY_TRY(setpay_suspense_clearing_token(clearing, &clearing->token));
    SETPAY_TRY(insert(db, clearing));
    return book(db, clearing);
}

/* ------------------------------------------------------------------ what nobody was charged */

/* What was cleared of an item to its merchant, gross. What was cleared before there were shares has
 * the one that it would have had. */
static enum setpay_error charged_after_all(struct setpay_db *db,
                                           const struct setpay_suspense_item *item,
                                           int64_t *charged_minor)
{
    struct setpay_suspense_item before = *item; /* with what the parts before have cleared of it */
    struct setpay_db_rows *rows;
    int64_t charged = 0;
    before.cleared_minor = 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT amount_minor, account, fee_minor FROM suspense_clearing"
                                " WHERE item = $1 ORDER BY number",
                                SETPAY_DB_ID(&item->event)));
    while (setpay_db_next(rows)) {
        struct setpay_suspense_clearing c = {.amount_minor = setpay_db_get_int(rows, 0)};
        c.account = (enum setpay_account)setpay_db_get_int(rows, 1);
        setpay_suspense_share(&before, &c);
        if (!setpay_db_is_null(rows, 2))
            c.fee_minor = setpay_db_get_int(rows, 2);
        if (c.account == SETPAY_ACCOUNT_MERCHANT_PAYABLE)
            charged += c.amount_minor + c.fee_minor;
        before.cleared_minor += c.amount_minor;
    }
    SETPAY_TRY(setpay_db_end(rows));
    *charged_minor = charged;
    return SETPAY_OK;
}

enum setpay_error setpay_suspense_uncharged(struct setpay_db *db, int64_t step_id,
                                            int64_t amount_minor, int64_t *uncharged_minor)
{
    struct setpay_suspense_item item;
    struct setpay_db_rows *rows;
    struct setpay_id event;
    char code[3];
    int64_t charged = 0;
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      "SELECT response_code, suspense FROM presentment WHERE step_id = $1"
                      " AND acknowledged = 1 AND response_code NOT IN ('00', '94')",
                      SETPAY_DB_INT(step_id));
    *uncharged_minor = 0;
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    setpay_db_get_text(rows, 0, code, sizeof code);
    bool is_settled = !setpay_db_is_null(rows, 1);
    if (is_settled)
        setpay_db_get_id(rows, 1, &event);
    SETPAY_TRY(setpay_db_end(rows));
    if (is_settled && strcmp(code, SETPAY_PRESENTMENT_WRITTEN_OFF) != 0) {
        SETPAY_TRY(setpay_suspense_find(db, &event, &item));
        SETPAY_TRY(charged_after_all(db, &item, &charged));
    }
    *uncharged_minor = amount_minor - charged;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ what merchants are told */

enum setpay_error setpay_suspense_tell(struct setpay_db *db,
                                       const struct setpay_settlement *settlement)
{
    return setpay_db_run(db,
                         "UPDATE suspense_clearing SET told_by = $1 WHERE told_by = 0"
                         " AND brand = $2 AND merchant_id = $3 AND currency = $4"
                         " AND created_ms <= $5",
                         SETPAY_DB_INT(settlement->id), SETPAY_DB_TEXT(settlement->brand),
                         SETPAY_DB_TEXT(settlement->merchant_id),
                         SETPAY_DB_TEXT(settlement->currency),
                         SETPAY_DB_INT(settlement->cut_off_ms));
}

#define TOLD                                                                                       \
    "SELECT c.id, c.token, c.account = " SETPAY_SQL_MERCHANT_PAYABLE                               \
    ", c.amount_minor, c.currency, c.reason, step.token,"                                          \
    " payment.xid, response_code = '" SETPAY_PRESENTMENT_WRITTEN_OFF                               \
    "' FROM suspense_clearing c JOIN presentment ON presentment.suspense = c.item"                 \
    " JOIN step ON step.id = step_id JOIN payment ON payment.id = step.payment_id"                 \
    " WHERE c.told_by = $1 AND c.id > $2 ORDER BY c.id LIMIT $3"

enum setpay_error setpay_suspense_told_each(struct setpay_db *db, int64_t settlement, int64_t after,
                                            int64_t limit, setpay_suspense_told_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows, TOLD, SETPAY_DB_INT(settlement), SETPAY_DB_INT(after),
                                SETPAY_DB_INT(limit)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_suspense_told told = {.id = setpay_db_get_int(rows, 0),
                                            .settlement = settlement};
        setpay_db_get_id(rows, 1, &told.token);
        told.is_paid = setpay_db_get_bool(rows, 2);
        told.amount.minor = setpay_db_get_int(rows, 3);
        setpay_db_get_text(rows, 4, told.amount.currency, sizeof told.amount.currency);
        setpay_db_get_text(rows, 5, told.reason, sizeof told.reason);
        setpay_db_get_id(rows, 6, &told.step);
        setpay_db_get_id(rows, 7, &told.xid);
        told.is_written_off = setpay_db_get_bool(rows, 8);
        error = each(arg, &told);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}
