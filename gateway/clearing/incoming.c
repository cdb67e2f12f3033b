/*
 * What issuers have paid: lines of a bank's statement become rows, each with its entry of the
 * ledger. How much of a payment is matched is decided once, on what the issuer owes at that moment.
 */
#include "gateway/clearing/incoming.h"

#include "common/base/zone.h"
#include "common/crypto/hash.h"
#include "common/wire/lines.h"
#include "gateway/clearing/dispute.h"
#include "gateway/clearing/presentment.h"
#include "gateway/issuer/clearing_file.h"
#include "gateway/payment/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 5
#define NAMES "issuer,amount,currency,date,reference"

/* ------------------------------------------------------------------ reading lines */

void setpay_incoming_list_clear(struct setpay_incoming_list *list)
{
    free(list->rows);
    *list = (struct setpay_incoming_list){.rows = NULL};
}

static bool is_there(const struct setpay_incoming_list *list, const struct setpay_incoming *row)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->rows[i].reference, row->reference) == 0 &&
            strcmp(list->rows[i].issuer, row->issuer) == 0)
            return true;
    return false;
}

static enum setpay_error add(struct setpay_incoming_list *list, const struct setpay_incoming *row)
{
    size_t count = list->count;
    if ((count & (count - 1)) == 0) { /* room doubles at each power of two */
        struct setpay_incoming *rows =
            realloc(list->rows, (count == 0 ? 1 : count * 2) * sizeof *rows);
        if (rows == NULL)
            return SETPAY_E_NOMEM;
        list->rows = rows;
    }
    list->rows[list->count++] = *row;
    return SETPAY_OK;
}

static enum setpay_error parse_row(struct setpay_lines *reader, struct setpay_incoming_list *list)
{
    struct setpay_incoming row = {.line = reader->number};
    char amount[2 * SETPAY_LINES_FIELD_MAX + 2];
    SETPAY_TRY(setpay_lines_check_count(reader, FIELDS));
    setpay_lines_take(reader, 0, row.issuer, sizeof row.issuer);
    setpay_lines_take(reader, 3, row.day, sizeof row.day);
    setpay_lines_take(reader, 4, row.reference, sizeof row.reference);
    (void)snprintf(amount, sizeof amount, "%s %s", reader->fields[1], reader->fields[2]);
    if (row.issuer[0] == '\0' || row.issuer[0] == '?')
        return setpay_lines_refuse_field(reader, 0, "issuer",
                                         "the name of an [issuer NAME] section, of 1 to 32 "
                                         "characters");
    if (setpay_currency_by_code(reader->fields[2]) == NULL)
        return setpay_lines_refuse_field(reader, 2, "currency", "three letters of ISO 4217");
    if (setpay_money_parse(amount, &row.amount) != SETPAY_OK || row.amount.minor == 0)
        return setpay_lines_refuse_field(reader, 1, "amount",
                                         "more than 0, with no more digits than the currency has");
    if (!setpay_clearing_date_valid(row.day))
        return setpay_lines_refuse_field(reader, 3, "date", "a day YYYY-MM-DD");
    if (row.reference[0] == '\0')
        return setpay_lines_refuse_field(reader, 4, "reference",
                                         "the bank's reference, of 1 to 64 characters");
    if (list->count == SETPAY_INCOMING_ROWS_MAX)
        return setpay_lines_refuse(reader, "more than %d payments: divide them into several lists",
                                   SETPAY_INCOMING_ROWS_MAX);
    if (is_there(list, &row))
        return setpay_lines_refuse_field(reader, 4, "reference",
                                         "one that no line of that issuer before it has");
    return add(list, &row);
}

static enum setpay_error parse(struct setpay_lines *reader, struct setpay_incoming_list *list)
{
    SETPAY_TRY(setpay_lines_next(reader));
    size_t size = reader->at - reader->start;
    if (size != sizeof NAMES || memcmp(reader->bytes.data, NAMES, size - 1) != 0)
        return setpay_lines_refuse(reader, "expected the names of the columns, " NAMES);
    while (reader->at < reader->bytes.size) {
        SETPAY_TRY(setpay_lines_next(reader));
        SETPAY_TRY(parse_row(reader, list));
    }
    return list->count > 0 ? SETPAY_OK : setpay_lines_refuse(reader, "no payment is behind it");
}

enum setpay_error setpay_incoming_parse(struct setpay_view bytes, struct setpay_incoming_list *list,
                                        struct setpay_problem *problem)
{
    struct setpay_incoming_list got = {.rows = NULL};
    struct setpay_lines reader = {.bytes = bytes, .field_limit = FIELDS, .problem = problem};
    if (bytes.size > SETPAY_INCOMING_FILE_MAX)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "the list has %zu bytes, more than the %u that are read",
                                  bytes.size, SETPAY_INCOMING_FILE_MAX);
    enum setpay_error error = parse(&reader, &got);
    if (error == SETPAY_OK)
        *list = got;
    else
        setpay_incoming_list_clear(&got);
    return error;
}

/* ------------------------------------------------------------------ one payment */

int64_t setpay_incoming_match(int64_t amount_minor, int64_t owed_minor)
{
    if (owed_minor <= 0)
        return 0;
    return owed_minor < amount_minor ? owed_minor : amount_minor;
}

enum setpay_error setpay_incoming_token(const struct setpay_incoming *payment,
                                        struct setpay_id *token)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "issuer payment");
    setpay_hash_add(&state, setpay_view_string(payment->issuer));
    setpay_hash_add(&state, setpay_view_string(payment->reference));
    setpay_hash_add_u64(&state, (uint64_t)payment->amount.minor);
    setpay_hash_add(&state, setpay_view_string(payment->amount.currency));
    setpay_hash_add(&state, setpay_view_string(payment->day));
    setpay_hash_add_u64(&state, (uint64_t)payment->created_ms);
    return setpay_ledger_end_event(&state, token);
}

void setpay_incoming_post(int64_t amount_minor, int64_t matched_minor,
                          struct setpay_ledger_entry *entry)
{
    setpay_ledger_post_two(SETPAY_LEDGER_ISSUER_PAYMENT, SETPAY_ACCOUNT_CASH,
                           SETPAY_ACCOUNT_ISSUER_RECEIVABLE, matched_minor, entry);
    if (amount_minor == matched_minor)
        return;
    if (matched_minor == 0) {
        setpay_ledger_post_two(SETPAY_LEDGER_ISSUER_PAYMENT, SETPAY_ACCOUNT_CASH,
                               SETPAY_ACCOUNT_SUSPENSE, amount_minor, entry);
        return;
    }
    entry->postings[0].amount_minor = amount_minor;
    entry->postings[entry->posting_count++] =
        (struct setpay_posting){SETPAY_ACCOUNT_SUSPENSE, matched_minor - amount_minor};
}

/* What the database keeps of what was taken, and adds up of all else. Of what an issuer has
 * refused, and was right after all, the merchant has it less its fee, and we claim it less
 * interchange. Of what was written off the issuer has never heard. */
static enum setpay_error owed_by_rows(struct setpay_db *db, const char *issuer,
                                      const char *currency, int64_t *minor)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT COALESCE((SELECT minor FROM issuer_taken WHERE issuer = $1 AND currency = $2), 0)"
        " - COALESCE((SELECT SUM(dispute.amount_minor) FROM dispute"
        " JOIN step ON step.id = dispute.step_id JOIN payment ON payment.id = step.payment_id"
        " WHERE outcome = $3 AND payment.issuer = $1 AND currency = $2), 0)"
        " - COALESCE((SELECT SUM(matched_minor) FROM issuer_payment"
        " WHERE issuer = $1 AND currency = $2 AND undone IS NULL), 0)"
        " - COALESCE((SELECT SUM(amount_minor) FROM suspense_clearing"
        " WHERE brand = '' AND account = $4 AND merchant_id = $1 AND currency = $2), 0)"
        " + COALESCE((SELECT SUM(c.amount_minor - c.interchange_minor + c.fee_minor)"
        " FROM suspense_clearing c JOIN presentment ON suspense = c.item"
        " JOIN step ON step.id = presentment.step_id JOIN payment ON payment.id = step.payment_id"
        " WHERE c.account = $5 AND c.interchange_minor IS NOT NULL"
        " AND response_code <> '" SETPAY_PRESENTMENT_WRITTEN_OFF "'"
        " AND payment.issuer = $1 AND payment.currency = $2), 0)",
        SETPAY_DB_TEXT(issuer), SETPAY_DB_TEXT(currency), SETPAY_DB_INT(SETPAY_DISPUTE_CARDHOLDER),
        SETPAY_DB_INT(SETPAY_ACCOUNT_ISSUER_RECEIVABLE),
        SETPAY_DB_INT(SETPAY_ACCOUNT_MERCHANT_PAYABLE)));
    int64_t owed = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    *minor = owed;
    return SETPAY_OK;
}

/* What was cleared so before there were shares: they are computed, each behind those before it, as
 * they would have been. */
static enum setpay_error owed_of_before(struct setpay_db *db, const char *issuer,
                                        const char *currency, int64_t *minor)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    int64_t owed = 0;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT CASE kind WHEN $1 THEN step.amount_minor - step.fee_minor"
        " ELSE step.fee_minor - step.amount_minor END,"
        " CASE kind WHEN $1 THEN step.interchange_minor ELSE -step.interchange_minor END,"
        " CASE kind WHEN $1 THEN step.fee_minor ELSE -step.fee_minor END,"
        " COALESCE((SELECT SUM(b.amount_minor) FROM suspense_clearing b"
        " WHERE b.item = c.item AND b.number < c.number), 0), c.amount_minor"
        " FROM suspense_clearing c JOIN presentment ON suspense = c.item"
        " JOIN step ON step.id = presentment.step_id JOIN payment ON payment.id = step.payment_id"
        " WHERE c.account = $2 AND c.interchange_minor IS NULL"
        " AND response_code <> '" SETPAY_PRESENTMENT_WRITTEN_OFF "'"
        " AND payment.issuer = $3 AND payment.currency = $4",
        SETPAY_DB_INT(SETPAY_STEP_CAPTURE), SETPAY_DB_INT(SETPAY_ACCOUNT_MERCHANT_PAYABLE),
        SETPAY_DB_TEXT(issuer), SETPAY_DB_TEXT(currency)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        const struct setpay_suspense_item item = {.amount_minor = setpay_db_get_int(rows, 0),
                                                  .interchange_minor = setpay_db_get_int(rows, 1),
                                                  .fee_minor = setpay_db_get_int(rows, 2),
                                                  .cleared_minor = setpay_db_get_int(rows, 3)};
        struct setpay_suspense_clearing c = {.amount_minor = setpay_db_get_int(rows, 4),
                                             .account = SETPAY_ACCOUNT_MERCHANT_PAYABLE};
        setpay_suspense_share(&item, &c);
        if (__builtin_add_overflow(owed, c.amount_minor - c.interchange_minor + c.fee_minor, &owed))
            error = SETPAY_E_MONEY_OVERFLOW;
    }
    enum setpay_error end = setpay_db_end(rows);
    SETPAY_TRY(error);
    SETPAY_TRY(end);
    *minor = owed;
    return SETPAY_OK;
}

enum setpay_error setpay_incoming_owed(struct setpay_db *db, const char *issuer,
                                       const char *currency, int64_t *minor)
{
    int64_t owed, of_before;
    SETPAY_TRY(owed_by_rows(db, issuer, currency, &owed));
    SETPAY_TRY(owed_of_before(db, issuer, currency, &of_before));
    return __builtin_add_overflow(owed, of_before, minor) ? SETPAY_E_MONEY_OVERFLOW : SETPAY_OK;
}

void setpay_incoming_read(struct setpay_db_rows *rows, struct setpay_incoming *payment)
{
    struct setpay_incoming p = {.id = setpay_db_get_int(rows, 0), .known = true};
    setpay_db_get_id(rows, 1, &p.token);
    setpay_db_get_text(rows, 2, p.issuer, sizeof p.issuer);
    setpay_db_get_text(rows, 3, p.reference, sizeof p.reference);
    setpay_db_get_text(rows, 4, p.amount.currency, sizeof p.amount.currency);
    p.amount.minor = setpay_db_get_int(rows, 5);
    setpay_db_get_text(rows, 6, p.day, sizeof p.day);
    p.matched_minor = setpay_db_get_int(rows, 7);
    p.created_ms = setpay_db_get_int(rows, 8);
    if (!setpay_db_is_null(rows, 9))
        setpay_db_get_id(rows, 9, &p.undone);
    p.undone_ms = setpay_db_get_int(rows, 10);
    setpay_db_get_text(rows, 11, p.undone_reason, sizeof p.undone_reason);
    *payment = p;
}

enum setpay_error setpay_incoming_find(struct setpay_db *db, struct setpay_incoming *payment)
{
    struct setpay_incoming found;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " SETPAY_INCOMING_COLUMNS " FROM issuer_payment"
                             " WHERE issuer = $1 AND reference = $2 AND undone IS NULL",
                             SETPAY_DB_TEXT(payment->issuer), SETPAY_DB_TEXT(payment->reference)));
    setpay_incoming_read(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    found.line = payment->line;
    *payment = found;
    return SETPAY_OK;
}

enum setpay_error setpay_incoming_insert(struct setpay_db *db,
                                         const struct setpay_incoming *payment)
{
    struct setpay_ledger_entry entry = {.time_ms = payment->created_ms, .event = payment->token};
    memcpy(entry.merchant_id, payment->issuer, sizeof entry.merchant_id);
    memcpy(entry.currency, payment->amount.currency, sizeof entry.currency);
    setpay_incoming_post(payment->amount.minor, payment->matched_minor, &entry);
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO issuer_payment (token, issuer, reference, currency, amount_minor, day,"
        " matched_minor, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        SETPAY_DB_ID(&payment->token), SETPAY_DB_TEXT(payment->issuer),
        SETPAY_DB_TEXT(payment->reference), SETPAY_DB_TEXT(payment->amount.currency),
        SETPAY_DB_INT(payment->amount.minor), SETPAY_DB_TEXT(payment->day),
        SETPAY_DB_INT(payment->matched_minor), SETPAY_DB_INT(payment->created_ms)));
    return setpay_ledger_append(db, &entry);
}

/* Words about a payment begin with its line, where it has one. */
static const char *line_words(const struct setpay_incoming *payment, char out[32])
{
    out[0] = '\0';
    if (payment->line != 0)
        (void)snprintf(out, 32, "line %zu: ", payment->line);
    return out;
}

enum setpay_error setpay_incoming_look_for(struct setpay_db *db, struct setpay_incoming *payment,
                                           struct setpay_problem *problem)
{
    struct setpay_incoming there = *payment;
    char line[32], text[SETPAY_MONEY_TEXT_SIZE];
    enum setpay_error error = setpay_incoming_find(db, &there);
    payment->known = error == SETPAY_OK;
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    if (setpay_money_equal(&there.amount, &payment->amount) &&
        strcmp(there.day, payment->day) == 0) {
        *payment = there;
        return SETPAY_OK;
    }
    return setpay_problem_set(problem, SETPAY_E_EXISTS,
                              "%sreference: %s has %s with %s before, %s on %s; nothing was booked",
                              line_words(payment, line), payment->issuer,
                              there.amount.minor < 0 ? "been paid" : "paid", payment->reference,
                              setpay_money_format(&there.amount, text), there.day);
}

/* What the issuer of a payment owes before it: as the payments above it in the list have left it,
 * so that the database adds up once for each issuer and currency. */
static enum setpay_error owed_before(struct setpay_db *db, const struct setpay_incoming_list *list,
                                     size_t index, int64_t *owed_minor)
{
    const struct setpay_incoming *payment = &list->rows[index];
    for (size_t i = index; i > 0; i--) {
        const struct setpay_incoming *other = &list->rows[i - 1];
        if (other->known || strcmp(other->issuer, payment->issuer) != 0 ||
            !setpay_money_same_currency(&other->amount, &payment->amount))
            continue;
        *owed_minor = other->left_minor;
        return SETPAY_OK;
    }
    return setpay_incoming_owed(db, payment->issuer, payment->amount.currency, owed_minor);
}

/* A year that was mistyped could never be taken back. Somewhere it is tomorrow already. */
enum setpay_error setpay_incoming_check_day(const struct setpay_incoming *payment,
                                            setpay_time_ms now_ms, struct setpay_problem *problem)
{
    char last[SETPAY_DATE_TEXT_SIZE], line[32];
    const struct setpay_date today = setpay_date_of_ms(now_ms);
    const struct setpay_date tomorrow = setpay_date_add_days(&today, 1);
    (void)setpay_date_format(&tomorrow, last);
    if (strcmp(payment->day, last) <= 0)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_INVALID,
                              "%sdate: found \"%s\", expected a day up to %s; nothing was booked",
                              line_words(payment, line), payment->day, last);
}

enum setpay_error setpay_incoming_keep(struct setpay_db *db, struct setpay_incoming_list *list,
                                       setpay_time_ms now_ms, struct setpay_problem *problem)
{
    for (size_t i = 0; i < list->count; i++) {
        struct setpay_incoming *payment = &list->rows[i];
        int64_t owed_minor;
        SETPAY_TRY(setpay_incoming_look_for(db, payment, problem));
        if (payment->known)
            continue;
        SETPAY_TRY(setpay_incoming_check_day(payment, now_ms, problem));
        SETPAY_TRY(owed_before(db, list, i, &owed_minor));
        payment->created_ms = now_ms;
        payment->matched_minor = setpay_incoming_match(payment->amount.minor, owed_minor);
        payment->left_minor = owed_minor - payment->matched_minor;
        SETPAY_TRY(setpay_incoming_token(payment, &payment->token));
        SETPAY_TRY(setpay_incoming_insert(db, payment));
    }
    return SETPAY_OK;
}
