/*
 * Looking through the ledger: everything is computed again from the rows and compared.
 *
 * Entries and postings are walked side by side, both in the order of their numbers, so that a
 * posting of no entry shows as well as an entry without its postings. A look from a mark on leaves
 * out the entries before it, with what only they are compared with; all that stands around them is
 * computed again in any case. Whoever can write to the
 * database could make a chain anew; against that stand the receipts, which the gateway signed, and
 * a mark (number and hash of the last entry) that was written down elsewhere.
 */
#include "gateway/clearing/ledger.h"

#include "common/base/noun.h"
#include "gateway/clearing/given_back.h"
#include "gateway/clearing/look.h"
#include "gateway/clearing/settlement.h"
#include "gateway/clearing/sql_names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORDS_SIZE 320

void setpay_look_find(struct setpay_look *look, const char *format, ...)
{
    char words[WORDS_SIZE];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(words, sizeof words, format, list);
    va_end(list);
    look->findings++;
    look->found(look->arg, words);
}

/* ------------------------------------------------------------------ one entry */

static enum setpay_error read_postings(struct setpay_db *db, struct setpay_ledger_entry *entry,
                                       bool *fits)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT line, account, amount_minor FROM ledger_posting WHERE entry = $1 ORDER BY line",
        SETPAY_DB_INT(entry->number)));
    entry->posting_count = 0;
    *fits = true;
    while (setpay_db_next(rows)) {
        if (entry->posting_count == SETPAY_LEDGER_POSTINGS_MAX) {
            *fits = false;
            break;
        }
        struct setpay_posting *posting = &entry->postings[entry->posting_count];
        *fits = *fits && setpay_db_get_int(rows, 0) == (int64_t)entry->posting_count;
        posting->account = (enum setpay_account)setpay_db_get_int(rows, 1);
        posting->amount_minor = setpay_db_get_int(rows, 2);
        entry->posting_count++;
    }
    return setpay_db_end(rows);
}

static void check_sum(struct setpay_look *look, const struct setpay_ledger_entry *entry)
{
    bool is_of_many =
        entry->kind == SETPAY_LEDGER_SETTLEMENT || entry->kind >= SETPAY_LEDGER_RESERVE;
    int64_t limit = is_of_many ? SETPAY_LOOK_DAY_MAX_MINOR : SETPAY_MONEY_MAX_MINOR;
    int64_t sum = 0;
    for (size_t i = 0; i < entry->posting_count; i++) {
        const struct setpay_posting *posting = &entry->postings[i];
        if (posting->amount_minor > limit || posting->amount_minor < -limit)
            setpay_look_find(look, "entry %lld: an amount of %lld is outside of what it can be",
                             (long long)entry->number, (long long)posting->amount_minor);
        else
            sum += posting->amount_minor;
        if (setpay_account_name(posting->account) == NULL)
            setpay_look_find(look, "entry %lld: there is no account %d", (long long)entry->number,
                             (int)posting->account);
    }
    if (sum != 0 || entry->posting_count == 0)
        setpay_look_find(look, "entry %lld: its postings add up to %lld, expected 0",
                         (long long)entry->number, (long long)sum);
}

/* What the step that the entry names would post. */
struct step_row {
    int64_t kind, amount_minor;
    setpay_time_ms created_ms;
    struct setpay_charges charges;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char currency[4];
};

static enum setpay_error read_step(struct setpay_db *db, const struct setpay_id *token,
                                   struct step_row *step)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT kind, step.amount_minor, interchange_minor, fee_minor, brand,"
                             " merchant_id, currency, step.created_ms FROM step"
                             " JOIN payment ON payment.id = step.payment_id WHERE token = $1",
                             SETPAY_DB_ID(token)));
    step->kind = setpay_db_get_int(rows, 0);
    step->amount_minor = setpay_db_get_int(rows, 1);
    step->charges.interchange_minor = setpay_db_get_int(rows, 2);
    step->charges.fee_minor = setpay_db_get_int(rows, 3);
    setpay_db_get_text(rows, 4, step->brand, sizeof step->brand);
    setpay_db_get_text(rows, 5, step->merchant_id, sizeof step->merchant_id);
    setpay_db_get_text(rows, 6, step->currency, sizeof step->currency);
    step->created_ms = setpay_db_get_int(rows, 7);
    return setpay_db_end(rows);
}

bool setpay_ledger_same_postings(const struct setpay_ledger_entry *a,
                                 const struct setpay_ledger_entry *b)
{
    if (a->posting_count != b->posting_count)
        return false;
    for (size_t i = 0; i < a->posting_count; i++) {
        if (a->postings[i].account != b->postings[i].account ||
            a->postings[i].amount_minor != b->postings[i].amount_minor)
            return false;
    }
    return true;
}

static enum setpay_error check_step(struct setpay_look *look,
                                    const struct setpay_ledger_entry *entry)
{
    char token[SETPAY_ID_TEXT_SIZE];
    struct setpay_ledger_entry expected = {0};
    struct step_row step;
    enum setpay_error error = read_step(look->db, &entry->event, &step);
    (void)setpay_id_format(&entry->event, token);
    if (error == SETPAY_E_NOT_FOUND) {
        setpay_look_find(look, "entry %lld: there is no step %s", (long long)entry->number, token);
        return SETPAY_OK;
    }
    SETPAY_TRY(error);
    if (setpay_look_is_amount(step.amount_minor) &&
        setpay_look_is_amount(step.charges.interchange_minor) &&
        setpay_look_is_amount(step.charges.fee_minor)) /* else it would not be posted at all */
        setpay_ledger_post((enum setpay_ledger_kind)step.kind, step.amount_minor, &step.charges,
                           &expected);
    if (step.kind != (int64_t)entry->kind || strcmp(step.brand, entry->brand) != 0 ||
        strcmp(step.merchant_id, entry->merchant_id) != 0 ||
        strcmp(step.currency, entry->currency) != 0)
        setpay_look_find(look, "entry %lld: step %s is of another kind, merchant or currency",
                         (long long)entry->number, token);
    else if (!setpay_ledger_same_postings(entry, &expected))
        setpay_look_find(look, "entry %lld: step %s would be posted with other amounts",
                         (long long)entry->number, token);
    else if (step.created_ms != entry->time_ms)
        setpay_look_find(look, "entry %lld: step %s is of another time", (long long)entry->number,
                         token);
    return SETPAY_OK;
}

/* entry as its row has it; hash is the row's. */
static enum setpay_error check_entry(struct setpay_look *look, struct setpay_ledger_entry *entry)
{
    struct setpay_digest computed;
    bool fits = false;
    int64_t expected = look->at.number + 1;
    if (entry->number > expected)
        setpay_look_find(look, "entries %lld to %lld are missing", (long long)expected,
                         (long long)entry->number - 1);
    SETPAY_TRY(read_postings(look->db, entry, &fits));
    if (!fits)
        setpay_look_find(look, "entry %lld: its postings are not numbered from 0 without a gap",
                         (long long)entry->number);
    SETPAY_TRY(setpay_ledger_hash(entry, &look->at.hash, &computed));
    if (!setpay_digest_equal(&computed, &entry->hash))
        setpay_look_find(
            look,
            "entry %lld: its hash is not that of its content behind entry %lld: it, its postings "
            "or the entry before was changed, moved or repeated",
            (long long)entry->number, (long long)look->at.number);
    check_sum(look, entry);
    look->at.number = entry->number;
    look->at.hash = entry->hash;
    return entry->kind > SETPAY_LEDGER_CREDIT_REVERSAL ? setpay_settlement_verify_entry(look, entry)
                                                       : check_step(look, entry);
}

static void read_entry(struct setpay_db_rows *rows, struct setpay_ledger_entry *entry)
{
    memset(entry, 0, sizeof *entry);
    entry->number = setpay_db_get_int(rows, 0);
    entry->time_ms = setpay_db_get_int(rows, 1);
    entry->kind = (enum setpay_ledger_kind)setpay_db_get_int(rows, 2);
    setpay_db_get_id(rows, 3, &entry->event);
    setpay_db_get_text(rows, 4, entry->brand, sizeof entry->brand);
    setpay_db_get_text(rows, 5, entry->merchant_id, sizeof entry->merchant_id);
    setpay_db_get_text(rows, 6, entry->currency, sizeof entry->currency);
    setpay_db_get_digest(rows, 7, &entry->hash);
}

static enum setpay_error check_entries(struct setpay_look *look)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        look->db, &rows,
        "SELECT number, time_ms, kind, event, brand, merchant_id, currency, hash FROM ledger_entry"
        " WHERE number > $1 ORDER BY number",
        SETPAY_DB_INT(look->at.number)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_ledger_entry entry;
        read_entry(rows, &entry);
        error = check_entry(look, &entry);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* ------------------------------------------------------------------ what stands around them */

static enum setpay_error check_head(struct setpay_look *look)
{
    struct setpay_db_rows *rows;
    struct setpay_digest hash = {{0}};
    int64_t number = 0;
    enum setpay_error error =
        setpay_db_one(look->db, &rows, "SELECT number, hash FROM ledger_head WHERE id = 1");
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    if (error == SETPAY_OK) {
        number = setpay_db_get_int(rows, 0);
        setpay_db_get_digest(rows, 1, &hash);
        SETPAY_TRY(setpay_db_end(rows));
    }
    if (number != look->at.number)
        setpay_look_find(look, "the head says %lld %s, found %lld", (long long)number,
                         setpay_noun(number, "entry", "entries"), (long long)look->at.number);
    else if (!setpay_digest_equal(&hash, &look->at.hash))
        setpay_look_find(look, "the head has another hash than entry %lld", (long long)number);
    return SETPAY_OK;
}

/* A query whose rows are each a finding: one text column. */
enum setpay_error setpay_look_each_row(struct setpay_look *look, const char *sql, const char *words)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(look->db, &rows, sql));
    while (setpay_db_next(rows)) {
        char what[240];
        setpay_db_get_text(rows, 0, what, sizeof what);
        setpay_look_find(look, "%s %s", words, what);
    }
    return setpay_db_end(rows);
}

enum setpay_error setpay_look_each_row_by(struct setpay_look *look, const char *sql, int64_t number,
                                          const char *words)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(look->db, &rows, sql, SETPAY_DB_INT(number)));
    while (setpay_db_next(rows)) {
        char what[240];
        setpay_db_get_text(rows, 0, what, sizeof what);
        setpay_look_find(look, "%s %s", words, what);
    }
    return setpay_db_end(rows);
}

/* What payments come to, by their steps. */
static enum setpay_error check_payments(struct setpay_look *look)
{
    if (!setpay_look_adds_up(look, SETPAY_LOOK_STEPS))
        return SETPAY_OK;
    return setpay_look_each_row(
        look,
        "SELECT 'payment ' || payment.id || ', captured ' || captured_minor || ', credited ' ||"
        " credited_minor FROM payment WHERE captured_minor <>"
        " (SELECT COALESCE(SUM(CASE kind WHEN " SETPAY_SQL_CAPTURE
        " THEN amount_minor WHEN " SETPAY_SQL_CAPTURE_REVERSAL " THEN -amount_minor"
        " ELSE 0 END), 0) FROM step WHERE payment_id = payment.id) OR credited_minor <>"
        " (SELECT COALESCE(SUM(CASE kind WHEN " SETPAY_SQL_CREDIT
        " THEN amount_minor WHEN " SETPAY_SQL_CREDIT_REVERSAL " THEN -amount_minor"
        " ELSE 0 END), 0) FROM step WHERE payment_id = payment.id) ORDER BY payment.id",
        "its steps add up to something else:");
}

static enum setpay_error check_balances(struct setpay_look *look)
{
    if (!setpay_look_adds_up(look, SETPAY_LOOK_POSTINGS | SETPAY_LOOK_BALANCES))
        return SETPAY_OK;
    return setpay_look_each_row(
        look,
        "SELECT 'account ' || account || ', ' || brand || ' ' || merchant_id || ', ' || currency ||"
        " ': ' || SUM(kept) || ', expected ' || SUM(posted) FROM"
        " (SELECT account, brand, merchant_id, currency, amount_minor AS kept, 0 AS posted"
        " FROM ledger_balance UNION ALL"
        " SELECT account, brand, merchant_id, currency, 0, amount_minor FROM ledger_posting"
        " JOIN ledger_entry ON number = entry)"
        " GROUP BY account, brand, merchant_id, currency HAVING SUM(kept) <> SUM(posted)",
        "a balance is not the sum of its postings:");
}

static enum setpay_error check_rest(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT lower(hex(token)) FROM step WHERE NOT EXISTS"
                                    " (SELECT 1 FROM ledger_entry WHERE event = token) ORDER BY id",
                                    "not in the ledger: step"));
    SETPAY_TRY(
        setpay_look_each_row(look,
                             "SELECT 'entry ' || entry || ', line ' || line FROM ledger_posting"
                             " WHERE NOT EXISTS (SELECT 1 FROM ledger_entry WHERE number = entry)"
                             " ORDER BY entry, line",
                             "a posting of no entry:"));
    SETPAY_TRY(check_payments(look));
    SETPAY_TRY(setpay_given_back_verify(look));
    SETPAY_TRY(setpay_settlement_verify(look));
    SETPAY_TRY(setpay_look_disputes(look));
    SETPAY_TRY(setpay_look_reserve(look));
    SETPAY_TRY(setpay_look_incoming(look));
    SETPAY_TRY(setpay_look_payouts(look));
    SETPAY_TRY(setpay_look_unsent(look));
    return check_balances(look);
}

static enum setpay_error find_mark(struct setpay_db *db, const struct setpay_ledger_mark *mark)
{
    struct setpay_db_rows *rows;
    struct setpay_digest hash = {{0}};
    if (mark->number == 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT hash FROM ledger_entry WHERE number = $1",
                             SETPAY_DB_INT(mark->number)));
    setpay_db_get_digest(rows, 0, &hash);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_digest_equal(&hash, &mark->hash) ? SETPAY_OK : SETPAY_E_NOT_FOUND;
}

enum setpay_error setpay_ledger_verify(struct setpay_db *db, const struct setpay_ledger_mark *from,
                                       setpay_ledger_finding_cb *found, void *arg,
                                       struct setpay_ledger_mark *reached, size_t *findings)
{
    struct setpay_look look = {.db = db, .found = found, .arg = arg};
    if (from != NULL) {
        SETPAY_TRY(find_mark(db, from));
        look.at = *from;
    }
    SETPAY_TRY(setpay_look_amounts(&look));
    SETPAY_TRY(check_entries(&look));
    SETPAY_TRY(check_head(&look));
    /* Also behind a mark: what stands around the entries may be changed wherever these end. */
    SETPAY_TRY(check_rest(&look));
    *reached = look.at;
    *findings = look.findings;
    return SETPAY_OK;
}
