/*
 * Reading an issuer's file of disputes in: each row is decided on what is there (pure), then
 * written with its entry, what it means to the merchant's next settlement, and what is left of the
 * capture. A capture's payment moves to its next version with it, so that a credit that is being
 * decided on what was there before is decided again.
 */
#include "gateway/clearing/dispute.h"

#include "common/crypto/hash.h"
#include "gateway/clearing/adjustment.h"
#include "gateway/clearing/incoming.h"
#include "gateway/clearing/settlement.h"
#include "gateway/clearing/sql_names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORDS_SIZE 200

/* ------------------------------------------------------------------ deciding */

static enum setpay_error refuse(const struct setpay_dispute_row *row, enum setpay_error error,
                                struct setpay_problem *problem, const char *format, ...)
    SETPAY_PRINTF(4, 5);

static enum setpay_error refuse(const struct setpay_dispute_row *row, enum setpay_error error,
                                struct setpay_problem *problem, const char *format, ...)
{
    char words[WORDS_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof words, format, args);
    va_end(args);
    return setpay_problem_set(problem, error, "line %zu, dispute %lld: %s; nothing was imported",
                              row->line, (long long)row->number, words);
}

/* Of one that is known: whether the row can be of it. */
static enum setpay_error decide_known(const struct setpay_dispute_row *row, const char *file_to,
                                      const struct setpay_gateway_dispute *known,
                                      enum setpay_dispute_action *action,
                                      struct setpay_problem *problem)
{
    char step[SETPAY_ID_TEXT_SIZE], amount[SETPAY_MONEY_TEXT_SIZE];
    if (strcmp(setpay_id_format(&known->step, step), row->presentment) != 0 ||
        !setpay_money_equal(&known->amount, &row->amount) ||
        strcmp(known->reason, row->reason) != 0 || strcmp(known->opened, row->opened) != 0)
        return refuse(
            row, SETPAY_E_EXISTS, problem, "changed: it was told before as %s of %s, %s, opened %s",
            setpay_money_format(&known->amount, amount), step, known->reason, known->opened);
    if (known->outcome == SETPAY_DISPUTE_OPEN) {
        bool closes = row->outcome != SETPAY_DISPUTE_OPEN;
        *action = closes ? SETPAY_DISPUTE_CLOSES : SETPAY_DISPUTE_NOTHING;
        return SETPAY_OK;
    }
    /* A file of earlier days has it open still. */
    bool is_earlier = row->outcome == SETPAY_DISPUTE_OPEN && strcmp(file_to, known->closed) < 0;
    bool is_same = row->outcome == known->outcome && strcmp(row->closed, known->closed) == 0;
    if (is_earlier || is_same) {
        *action = SETPAY_DISPUTE_NOTHING;
        return SETPAY_OK;
    }
    return refuse(row, SETPAY_E_EXISTS, problem, "outcome: it was told before as closed %s, for %s",
                  known->closed, setpay_dispute_outcome_name(known->outcome));
}

static enum setpay_error check_charge(const struct setpay_dispute_row *row, const char *by,
                                      const struct setpay_gateway_charge *charge,
                                      struct setpay_problem *problem)
{
    char xid[SETPAY_ID_TEXT_SIZE], amount[SETPAY_MONEY_TEXT_SIZE];
    if (by != NULL && strcmp(by, charge->issuer) != 0)
        return refuse(row, SETPAY_E_INVALID, problem,
                      "issuer: the charge went to [issuer %.63s], not to %.63s", charge->issuer,
                      by);
    if (row->xid[0] != '\0' && strcmp(setpay_id_format(&charge->xid, xid), row->xid) != 0)
        return refuse(row, SETPAY_E_INVALID, problem, "xid: the charge is of the payment %s", xid);
    if (!setpay_money_same_currency(&charge->amount, &row->amount))
        return refuse(row, SETPAY_E_MONEY_CURRENCY, problem, "currency: the charge is %s",
                      setpay_money_format(&charge->amount, amount));
    if (row->amount.minor > charge->amount.minor)
        return refuse(row, SETPAY_E_AMOUNT_LIMIT, problem, "amount: the charge is %s",
                      setpay_money_format(&charge->amount, amount));
    if (!charge->is_taken)
        return refuse(row, SETPAY_E_NOT_FOUND, problem,
                      "unknown: the issuer has not taken the charge %s", row->presentment);
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_dispute_decide(const struct setpay_dispute_row *row,
                                                const char *file_to, const char *by,
                                                const struct setpay_gateway_charge *charge,
                                                const struct setpay_gateway_dispute *known,
                                                enum setpay_dispute_action *action,
                                                struct setpay_problem *problem)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    if (known != NULL)
        return decide_known(row, file_to, known, action, problem);
    if (charge == NULL)
        return refuse(row, SETPAY_E_NOT_FOUND, problem, "unknown: no charge has the id %s",
                      row->presentment);
    SETPAY_TRY(check_charge(row, by, charge, problem));
    struct setpay_money left = charge->amount;
    left.minor = charge->left_minor;
    /* What the merchant has won already holds nothing back. */
    if (row->outcome != SETPAY_DISPUTE_MERCHANT && row->amount.minor > left.minor) /* rule G8 */
        return refuse(row, SETPAY_E_AMOUNT_LIMIT, problem,
                      "left: only %s of the charge are left, the rest was given back, is in "
                      "dispute or was refused",
                      setpay_money_format(&left, text));
    *action = row->outcome == SETPAY_DISPUTE_OPEN ? SETPAY_DISPUTE_OPENS
                                                  : SETPAY_DISPUTE_OPENS_AND_CLOSES;
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_dispute_token(const struct setpay_gateway_dispute *d,
                                               struct setpay_id *token)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "dispute");
    setpay_hash_add(&state, setpay_view_string(d->issuer));
    setpay_hash_add_u64(&state, (uint64_t)d->number);
    setpay_hash_add(&state, setpay_id_view(&d->step));
    setpay_hash_add_u64(&state, (uint64_t)d->amount.minor);
    setpay_hash_add(&state, setpay_view_string(d->amount.currency));
    setpay_hash_add(&state, setpay_view_string(d->reason));
    setpay_hash_add(&state, setpay_view_string(d->opened));
    setpay_hash_add(&state, setpay_digest_view(&d->opened_file));
    setpay_hash_add_u64(&state, (uint64_t)d->opened_ms);
    return setpay_ledger_end_event(&state, token);
}

enum setpay_error setpay_gateway_dispute_closing(const struct setpay_gateway_dispute *d,
                                                 struct setpay_id *token)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "dispute closed");
    setpay_hash_add(&state, setpay_id_view(&d->token));
    setpay_hash_add_u64(&state, (uint64_t)d->outcome);
    setpay_hash_add(&state, setpay_view_string(d->closed));
    setpay_hash_add(&state, setpay_digest_view(&d->closed_file));
    setpay_hash_add_u64(&state, (uint64_t)d->closed_ms);
    return setpay_ledger_end_event(&state, token);
}

void setpay_gateway_dispute_post(enum setpay_ledger_kind kind, int64_t amount_minor,
                                 struct setpay_ledger_entry *entry)
{
    enum setpay_account from = SETPAY_ACCOUNT_DISPUTES, to = SETPAY_ACCOUNT_ISSUER_RECEIVABLE;
    if (kind == SETPAY_LEDGER_DISPUTE) {
        from = SETPAY_ACCOUNT_MERCHANT_PAYABLE;
        to = SETPAY_ACCOUNT_DISPUTES;
    } else if (kind == SETPAY_LEDGER_DISPUTE_WON) {
        to = SETPAY_ACCOUNT_MERCHANT_PAYABLE;
    }
    setpay_ledger_post_two(kind, from, to, amount_minor, entry);
}

/* ------------------------------------------------------------------ rows */

#define SELECT_DISPUTES                                                                            \
    "SELECT dispute.id, dispute.token, dispute.issuer, dispute.number, step_id, step.token,"       \
    " step.payment_id, payment.xid, payment.brand, payment.merchant_id, dispute.amount_minor,"     \
    " payment.currency, reason, opened, closed, outcome, opened_file, closed_file, opened_ms,"     \
    " closed_ms,"                                                                                  \
    " COALESCE((SELECT settlement_id FROM adjustment WHERE adjustment.token = dispute.token), 0)," \
    " COALESCE((SELECT settlement_id FROM adjustment WHERE adjustment.token = dispute.closing),"   \
    " 0) FROM dispute JOIN step ON step.id = step_id"                                              \
    " JOIN payment ON payment.id = step.payment_id"

static void read_dispute(struct setpay_db_rows *rows, struct setpay_gateway_dispute *dispute)
{
    struct setpay_gateway_dispute d = {0};
    int c = 0;
    d.id = setpay_db_get_int(rows, c++);
    setpay_db_get_id(rows, c++, &d.token);
    setpay_db_get_text(rows, c++, d.issuer, sizeof d.issuer);
    d.number = setpay_db_get_int(rows, c++);
    d.step_id = setpay_db_get_int(rows, c++);
    setpay_db_get_id(rows, c++, &d.step);
    d.payment_id = setpay_db_get_int(rows, c++);
    setpay_db_get_id(rows, c++, &d.xid);
    setpay_db_get_text(rows, c++, d.brand, sizeof d.brand);
    setpay_db_get_text(rows, c++, d.merchant_id, sizeof d.merchant_id);
    d.amount.minor = setpay_db_get_int(rows, c++);
    setpay_db_get_text(rows, c++, d.amount.currency, sizeof d.amount.currency);
    setpay_db_get_text(rows, c++, d.reason, sizeof d.reason);
    setpay_db_get_text(rows, c++, d.opened, sizeof d.opened);
    setpay_db_get_text(rows, c++, d.closed, sizeof d.closed);
    d.outcome = (enum setpay_dispute_outcome)setpay_db_get_int(rows, c++);
    setpay_db_get_digest(rows, c++, &d.opened_file);
    if (!setpay_db_is_null(rows, c))
        setpay_db_get_digest(rows, c, &d.closed_file);
    c++;
    d.opened_ms = setpay_db_get_int(rows, c++);
    d.closed_ms = setpay_db_get_int(rows, c++);
    d.opened_settlement = setpay_db_get_int(rows, c++);
    d.closed_settlement = setpay_db_get_int(rows, c++);
    *dispute = d;
}

enum setpay_error setpay_gateway_dispute_each(struct setpay_db *db,
                                              const struct setpay_gateway_dispute_filter *filter,
                                              setpay_gateway_dispute_each_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        SELECT_DISPUTES " WHERE dispute.id > $1 AND ($2 < 0 OR outcome = $3)"
                        " AND ($4 IS NULL OR payment.brand = $5)"
                        " AND ($6 IS NULL OR payment.merchant_id = $7)"
                        " AND ($8 = 0 OR EXISTS (SELECT 1 FROM adjustment WHERE settlement_id = $9"
                        " AND kind IN (" SETPAY_SQL_ADJUSTMENT_DISPUTED
                        ", " SETPAY_SQL_ADJUSTMENT_RETURNED ") AND source_id = dispute.id))"
                        " ORDER BY dispute.id LIMIT $10",
        SETPAY_DB_INT(filter->after), SETPAY_DB_INT(filter->outcome),
        SETPAY_DB_INT(filter->outcome), SETPAY_DB_TEXT(filter->brand),
        SETPAY_DB_TEXT(filter->brand), SETPAY_DB_TEXT(filter->merchant_id),
        SETPAY_DB_TEXT(filter->merchant_id), SETPAY_DB_INT(filter->settlement),
        SETPAY_DB_INT(filter->settlement), SETPAY_DB_INT(filter->limit)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_gateway_dispute dispute;
        read_dispute(rows, &dispute);
        error = each(arg, &dispute);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

static enum setpay_error end_dispute(struct setpay_db_rows *rows,
                                     struct setpay_gateway_dispute *dispute)
{
    struct setpay_gateway_dispute found;
    read_dispute(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    *dispute = found;
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_dispute_find(struct setpay_db *db, int64_t id,
                                              struct setpay_gateway_dispute *dispute)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(
        setpay_db_one(db, &rows, SELECT_DISPUTES " WHERE dispute.id = $1", SETPAY_DB_INT(id)));
    return end_dispute(rows, dispute);
}

enum setpay_error setpay_gateway_dispute_find_event(struct setpay_db *db,
                                                    const struct setpay_id *event,
                                                    struct setpay_gateway_dispute *dispute)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             SELECT_DISPUTES " WHERE dispute.token = $1 OR dispute.closing = $2",
                             SETPAY_DB_ID(event), SETPAY_DB_ID(event)));
    return end_dispute(rows, dispute);
}

static enum setpay_error find_known(struct setpay_db *db, const char *issuer, int64_t number,
                                    struct setpay_gateway_dispute *dispute)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             SELECT_DISPUTES " WHERE dispute.issuer = $1 AND dispute.number = $2",
                             SETPAY_DB_TEXT(issuer), SETPAY_DB_INT(number)));
    return end_dispute(rows, dispute);
}

/* What was refused was charged after all where an operator has cleared it to the merchant, since
 * its issuer owes us so much then: so much of it can be disputed. */
static enum setpay_error find_charged(struct setpay_db *db, const char *code,
                                      struct setpay_gateway_charge *charge)
{
    int64_t uncharged_minor = 0;
    charge->is_taken = setpay_presentment_is_taken(code);
    if (charge->is_taken || code[0] == '\0') /* that is not answered yet */
        return SETPAY_OK;
    SETPAY_TRY(
        setpay_suspense_uncharged(db, charge->step_id, charge->amount.minor, &uncharged_minor));
    charge->is_taken = uncharged_minor < charge->amount.minor;
    charge->left_minor =
        charge->left_minor > uncharged_minor ? charge->left_minor - uncharged_minor : 0;
    return SETPAY_OK;
}

/* A capture by its token. A sale was taken with its authorisation, before it is presented. */
static enum setpay_error find_charge(struct setpay_db *db, const char *presentment,
                                     struct setpay_gateway_charge *charge)
{
    struct setpay_gateway_charge c = {.step_id = 0};
    struct setpay_db_rows *rows;
    struct setpay_id token;
    char code[3];
    SETPAY_TRY(setpay_id_parse(presentment, &token));
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT step.id, step.payment_id, payment.xid, step.amount_minor, payment.currency,"
        " CASE WHEN undone <> 0 THEN 0 ELSE"
        " step.amount_minor - step.credited_minor - step.disputed_minor END, payment.issuer,"
        " COALESCE(response_code, CASE WHEN payment.sale_id = step.token AND payment.period > 0"
        " THEN '00' ELSE '' END)"
        " FROM step JOIN payment ON payment.id = step.payment_id"
        " LEFT JOIN presentment ON presentment.step_id = step.id"
        " WHERE step.token = $1 AND step.kind = " SETPAY_SQL_CAPTURE,
        SETPAY_DB_ID(&token)));
    c.step_id = setpay_db_get_int(rows, 0);
    c.payment_id = setpay_db_get_int(rows, 1);
    setpay_db_get_id(rows, 2, &c.xid);
    c.amount.minor = setpay_db_get_int(rows, 3);
    setpay_db_get_text(rows, 4, c.amount.currency, sizeof c.amount.currency);
    c.left_minor = setpay_db_get_int(rows, 5);
    setpay_db_get_text(rows, 6, c.issuer, sizeof c.issuer);
    setpay_db_get_text(rows, 7, code, sizeof code);
    SETPAY_TRY(setpay_db_end(rows));
    SETPAY_TRY(find_charged(db, code, &c));
    *charge = c;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ writing */

static enum setpay_error post(struct setpay_db *db, const struct setpay_gateway_dispute *dispute,
                              enum setpay_ledger_kind kind, const struct setpay_id *event,
                              setpay_time_ms now_ms)
{
    struct setpay_ledger_entry entry = {.time_ms = now_ms, .event = *event};
    memcpy(entry.brand, dispute->brand, sizeof entry.brand);
    memcpy(entry.merchant_id, dispute->merchant_id, sizeof entry.merchant_id);
    memcpy(entry.currency, dispute->amount.currency, sizeof entry.currency);
    setpay_gateway_dispute_post(kind, dispute->amount.minor, &entry);
    return setpay_ledger_append(db, &entry);
}

static enum setpay_error adjust(struct setpay_db *db, const struct setpay_gateway_dispute *dispute,
                                enum setpay_adjustment_kind kind, const struct setpay_id *event,
                                setpay_time_ms now_ms)
{
    bool returns = kind == SETPAY_ADJUSTMENT_RETURNED;
    struct setpay_adjustment adjustment = {
        .token = *event,
        .kind = kind,
        .source_id = dispute->id,
        .amount_minor = returns ? dispute->amount.minor : -dispute->amount.minor,
        .created_ms = now_ms,
    };
    memcpy(adjustment.brand, dispute->brand, sizeof adjustment.brand);
    memcpy(adjustment.merchant_id, dispute->merchant_id, sizeof adjustment.merchant_id);
    memcpy(adjustment.currency, dispute->amount.currency, sizeof adjustment.currency);
    return setpay_adjustment_insert(db, &adjustment);
}

/* What is in dispute of a capture, by so much more or less; and its payment moves on. */
static enum setpay_error move(struct setpay_db *db, const struct setpay_gateway_dispute *dispute,
                              int64_t minor)
{
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE step SET disputed_minor = disputed_minor + $1 WHERE id = $2",
                             SETPAY_DB_INT(minor), SETPAY_DB_INT(dispute->step_id)));
    return setpay_db_run(db, "UPDATE payment SET version = version + 1 WHERE id = $1",
                         SETPAY_DB_INT(dispute->payment_id));
}

static enum setpay_error open_one(struct setpay_db *db,
                                  const struct setpay_gateway_dispute_import *import,
                                  const struct setpay_dispute_row *row,
                                  const struct setpay_gateway_charge *charge,
                                  struct setpay_gateway_dispute *opened)
{
    struct setpay_gateway_dispute d = {.number = row->number,
                                       .amount = row->amount,
                                       .opened_file = import->digest,
                                       .opened_ms = import->now_ms};
    memcpy(d.issuer, import->file->issuer, sizeof d.issuer);
    memcpy(d.reason, row->reason, sizeof d.reason);
    memcpy(d.opened, row->opened, sizeof d.opened);
    SETPAY_TRY(setpay_id_parse(row->presentment, &d.step));
    SETPAY_TRY(setpay_gateway_dispute_token(&d, &d.token));
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO dispute (token, issuer, number, step_id, amount_minor, reason, opened,"
        " closed, outcome, opened_file, opened_ms, closed_ms)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, '', 0, $8, $9, 0)",
        SETPAY_DB_ID(&d.token), SETPAY_DB_TEXT(d.issuer), SETPAY_DB_INT(d.number),
        SETPAY_DB_INT(charge->step_id), SETPAY_DB_INT(d.amount.minor), SETPAY_DB_TEXT(d.reason),
        SETPAY_DB_TEXT(d.opened), SETPAY_DB_DIGEST(&d.opened_file), SETPAY_DB_INT(d.opened_ms)));
    SETPAY_TRY(find_known(db, d.issuer, d.number, opened));
    SETPAY_TRY(post(db, opened, SETPAY_LEDGER_DISPUTE, &d.token, import->now_ms));
    SETPAY_TRY(adjust(db, opened, SETPAY_ADJUSTMENT_DISPUTED, &d.token, import->now_ms));
    return move(db, opened, opened->amount.minor);
}

static enum setpay_error close_one(struct setpay_db *db,
                                   const struct setpay_gateway_dispute_import *import,
                                   const struct setpay_dispute_row *row,
                                   struct setpay_gateway_dispute *dispute)
{
    bool won = row->outcome == SETPAY_DISPUTE_MERCHANT;
    struct setpay_id closing;
    dispute->outcome = row->outcome;
    dispute->closed_file = import->digest;
    dispute->closed_ms = import->now_ms;
    memcpy(dispute->closed, row->closed, sizeof dispute->closed);
    SETPAY_TRY(setpay_gateway_dispute_closing(dispute, &closing));
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE dispute SET closed = $1, outcome = $2, closing = $3,"
                             " closed_file = $4, closed_ms = $5 WHERE id = $6",
                             SETPAY_DB_TEXT(dispute->closed), SETPAY_DB_INT(dispute->outcome),
                             SETPAY_DB_ID(&closing), SETPAY_DB_DIGEST(&dispute->closed_file),
                             SETPAY_DB_INT(dispute->closed_ms), SETPAY_DB_INT(dispute->id)));
    SETPAY_TRY(post(db, dispute, won ? SETPAY_LEDGER_DISPUTE_WON : SETPAY_LEDGER_DISPUTE_LOST,
                    &closing, import->now_ms));
    if (!won)
        return SETPAY_OK;
    SETPAY_TRY(adjust(db, dispute, SETPAY_ADJUSTMENT_RETURNED, &closing, import->now_ms));
    return move(db, dispute, -dispute->amount.minor);
}

static enum setpay_error apply(struct setpay_db *db, struct setpay_gateway_dispute_import *import,
                               const struct setpay_dispute_row *row,
                               const struct setpay_gateway_charge *charge,
                               enum setpay_dispute_action action,
                               struct setpay_gateway_dispute *dispute)
{
    if (action == SETPAY_DISPUTE_NOTHING) {
        import->known++;
        return SETPAY_OK;
    }
    if (action != SETPAY_DISPUTE_CLOSES) {
        SETPAY_TRY(open_one(db, import, row, charge, dispute));
        import->opened++;
    }
    if (action != SETPAY_DISPUTE_OPENS) {
        SETPAY_TRY(close_one(db, import, row, dispute));
        (*(row->outcome == SETPAY_DISPUTE_MERCHANT ? &import->won : &import->lost))++;
    }
    if (import->told_cb != NULL)
        import->told_cb(import->arg, dispute, action);
    return SETPAY_OK;
}

static enum setpay_error import_row(struct setpay_db *db,
                                    struct setpay_gateway_dispute_import *import,
                                    const struct setpay_dispute_row *row,
                                    struct setpay_problem *problem)
{
    struct setpay_gateway_charge charge = {.step_id = 0};
    struct setpay_gateway_dispute dispute = {.id = 0};
    enum setpay_dispute_action action = SETPAY_DISPUTE_NOTHING;
    enum setpay_error known = find_known(db, import->file->issuer, row->number, &dispute);
    if (known != SETPAY_OK && known != SETPAY_E_NOT_FOUND)
        return known;
    enum setpay_error found = find_charge(db, row->presentment, &charge);
    if (found != SETPAY_OK && found != SETPAY_E_NOT_FOUND)
        return found;
    SETPAY_TRY(setpay_gateway_dispute_decide(
        row, import->file->to, import->by, found == SETPAY_OK ? &charge : NULL,
        known == SETPAY_OK ? &dispute : NULL, &action, problem));
    return apply(db, import, row, &charge, action, &dispute);
}

static bool is_ours(const struct setpay_gateway_dispute_import *import,
                    const struct setpay_dispute_row *row)
{
    return strcmp(row->acquirer, import->acquirer) == 0;
}

static bool is_skipped(const struct setpay_gateway_dispute_import *import,
                       const struct setpay_dispute_row *row)
{
    for (size_t i = 0; i < import->skip_count; i++)
        if (import->skip[i] == row->number)
            return true;
    return false;
}

/* A number that was mistyped must not leave the operator believing that its row was left out. */
static enum setpay_error check_skip(const struct setpay_gateway_dispute_import *import,
                                    struct setpay_problem *problem)
{
    for (size_t i = 0; i < import->skip_count; i++) {
        bool found = false;
        for (size_t k = 0; k < import->file->row_count && !found; k++)
            found = import->file->rows[k].number == import->skip[i] &&
                    is_ours(import, &import->file->rows[k]);
        if (!found)
            return setpay_problem_set(
                problem, SETPAY_E_INVALID,
                "skip: no row of ours is of dispute %lld; nothing was imported",
                (long long)import->skip[i]);
    }
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_dispute_import(struct setpay_db *db,
                                                struct setpay_gateway_dispute_import *import,
                                                struct setpay_problem *problem)
{
    import->opened = import->lost = import->won = import->known = 0;
    import->passed_over = import->skipped = 0;
    SETPAY_TRY(check_skip(import, problem));
    for (size_t i = 0; i < import->file->row_count; i++) {
        const struct setpay_dispute_row *row = &import->file->rows[i];
        if (!is_ours(import, row)) {
            import->passed_over++;
        } else if (is_skipped(import, row)) {
            import->skipped++;
            if (import->skipped_cb != NULL)
                import->skipped_cb(import->arg, row);
        } else {
            SETPAY_TRY(import_row(db, import, row, problem));
        }
    }
    return SETPAY_OK;
}
