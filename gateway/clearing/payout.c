/*
 * Making and sending payouts, and looking at them: one row each, one entry of the ledger for each
 * step, in the operation that does it. What the bank says of one is in payout_word.c.
 */
#include "gateway/clearing/payout.h"

#include "common/crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ pure */

static bool is_one_line(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static bool is_reference(const char *text)
{
    size_t size = 0;
    for (; text[size] != '\0'; size++)
        if (text[size] <= ' ' || text[size] >= 0x7f)
            return false;
    return size > 0;
}

static bool is_code(const char *text)
{
    return strlen(text) == SETPAY_PAYOUT_CODE_SIZE - 1 &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == strlen(text);
}

/* Somewhere it is tomorrow already. */
static bool is_told_day(const char *text, setpay_time_ms now_ms)
{
    char last[SETPAY_DATE_TEXT_SIZE];
    struct setpay_date date;
    const struct setpay_date today = setpay_date_of_ms(now_ms);
    const struct setpay_date tomorrow = setpay_date_add_days(&today, 1);
    return setpay_date_parse(text, &date) == SETPAY_OK &&
           strcmp(text, setpay_date_format(&tomorrow, last)) <= 0;
}

enum setpay_error setpay_payout_word_check(const struct setpay_payout_word *word, bool returns,
                                           setpay_time_ms now_ms, struct setpay_problem *problem)
{
    if (!is_reference(word->reference))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "reference: expected the bank's reference, 1 to %d characters "
                                  "without blanks",
                                  SETPAY_PAYOUT_REFERENCE_SIZE - 1);
    if (!is_told_day(word->day, now_ms))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "date '%s': expected the day on which the bank has booked it, "
                                  "YYYY-MM-DD, and no day to come",
                                  word->day);
    if (returns && !is_code(word->code))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "code '%s': expected the bank's reason, four capital letters or "
                                  "digits as in ISO 20022: AC04",
                                  word->code);
    if (!is_one_line(word->reason))
        return setpay_problem_set(problem, SETPAY_E_INVALID, "reason: expected words on one line");
    return SETPAY_OK;
}

enum setpay_error setpay_payout_check_clock(setpay_time_ms last_ms, setpay_time_ms now_ms)
{
    return last_ms - now_ms > SETPAY_DAY_MS ? SETPAY_E_STATE
                                            : setpay_settlement_check_clock(last_ms, now_ms);
}

enum setpay_error setpay_payout_file_token(const struct setpay_payout_file *file,
                                           const struct setpay_payout *payouts, size_t count,
                                           struct setpay_id *token)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "payout file");
    setpay_hash_add(&state, setpay_view_string(file->currency));
    setpay_hash_add(&state, setpay_view_string(file->day));
    setpay_hash_add_u64(&state, (uint64_t)file->created_ms);
    for (size_t i = 0; i < count; i++)
        setpay_hash_add(&state, setpay_id_view(&payouts[i].token));
    return setpay_ledger_end_event(&state, token);
}

enum setpay_error setpay_payout_file_digest(struct setpay_view content,
                                            struct setpay_digest *digest)
{
    return setpay_hash_one("payout file content", content, digest);
}

enum setpay_error setpay_payout_sent_event(const struct setpay_payout *payout,
                                           const struct setpay_payout_file *file,
                                           struct setpay_id *event)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "payout sent");
    setpay_hash_add(&state, setpay_id_view(&payout->token));
    setpay_hash_add(&state, setpay_id_view(&file->token));
    setpay_hash_add(&state, setpay_view_string(file->currency));
    setpay_hash_add(&state, setpay_view_string(file->day));
    setpay_hash_add_u64(&state, (uint64_t)file->count);
    setpay_hash_add_u64(&state, (uint64_t)file->amount_minor);
    setpay_hash_add_u64(&state, (uint64_t)file->created_ms);
    setpay_hash_add(&state, setpay_digest_view(&file->digest));
    setpay_hash_add(&state, setpay_view_string(payout->account.holder));
    setpay_hash_add(&state, setpay_view_string(payout->account.iban));
    setpay_hash_add(&state, setpay_view_string(payout->account.bic));
    setpay_hash_add_u64(&state, (uint64_t)payout->sent_ms);
    return setpay_ledger_end_event(&state, event);
}

static enum setpay_error word_event(const char *tag, const struct setpay_payout *payout,
                                    const struct setpay_payout_word *word, struct setpay_id *event)
{
    struct setpay_hash state;
    setpay_hash_init(&state, tag);
    setpay_hash_add(&state, setpay_id_view(&payout->token));
    setpay_hash_add(&state, setpay_view_string(word->reference));
    setpay_hash_add(&state, setpay_view_string(word->day));
    setpay_hash_add(&state, setpay_view_string(word->code));
    setpay_hash_add(&state, setpay_view_string(word->reason));
    setpay_hash_add_u64(&state, (uint64_t)word->at_ms);
    return setpay_ledger_end_event(&state, event);
}

enum setpay_error setpay_payout_paid_event(const struct setpay_payout *payout,
                                           struct setpay_id *event)
{
    return word_event("payout paid", payout, &payout->paid, event);
}

enum setpay_error setpay_payout_returned_event(const struct setpay_payout *payout,
                                               struct setpay_id *event)
{
    return word_event("payout returned", payout, &payout->returned, event);
}

enum setpay_error setpay_payout_aside_event(const struct setpay_payout *payout,
                                            struct setpay_id *event)
{
    return word_event("payout set aside", payout, &payout->aside, event);
}

enum setpay_error setpay_payout_undone_event(const struct setpay_payout_undone *undone,
                                             struct setpay_id *event)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "payout undone");
    setpay_hash_add(&state, setpay_id_view(&undone->word.event)); /* computed of all of the word */
    setpay_hash_add(&state, setpay_view_string(undone->reason));
    setpay_hash_add_u64(&state, (uint64_t)undone->at_ms);
    return setpay_ledger_end_event(&state, event);
}

void setpay_payout_post(const struct setpay_payout *payout, enum setpay_ledger_kind kind,
                        struct setpay_ledger_entry *entry)
{
    memcpy(entry->brand, payout->brand, sizeof entry->brand);
    memcpy(entry->merchant_id, payout->merchant_id, sizeof entry->merchant_id);
    memcpy(entry->currency, payout->currency, sizeof entry->currency);
    setpay_ledger_post_two(kind, SETPAY_ACCOUNT_CASH,
                           kind == SETPAY_LEDGER_PAYOUT_RETURNED ? SETPAY_ACCOUNT_MERCHANT_PAYABLE
                                                                 : SETPAY_ACCOUNT_CASH,
                           payout->amount_minor, entry);
}

void setpay_payout_undone_post(const struct setpay_payout *payout, bool is_return,
                               struct setpay_ledger_entry *entry)
{
    setpay_payout_post(
        payout, is_return ? SETPAY_LEDGER_PAYOUT_RETURNED : SETPAY_LEDGER_PAYOUT_PAID, entry);
    entry->kind = SETPAY_LEDGER_PAYOUT_UNDONE;
    for (size_t i = 0; i < entry->posting_count; i++)
        entry->postings[i].amount_minor = -entry->postings[i].amount_minor;
}

/* ------------------------------------------------------------------ rows */

#define PAYOUT_COLUMNS                                                                             \
    "payout.id, settlement_id, settlement.token, brand, merchant_id, settlement.currency,"         \
    " settlement.day, payout_minor, settlement.created_ms, state, file_id, payout_file.token,"     \
    " holder, iban, bic, sent_ms, sent, reference, paid_day, paid_ms, paid, return_reference,"     \
    " return_day, return_code, return_reason, returned_ms, returned, cut_off_ms, aside_reason,"    \
    " aside_ms, aside"
#define PAYOUT_TABLES                                                                              \
    " FROM payout JOIN settlement ON settlement.id = settlement_id"                                \
    " LEFT JOIN payout_file ON payout_file.id = file_id"

static void get_id(struct setpay_db_rows *rows, int column, struct setpay_id *id)
{
    if (!setpay_db_is_null(rows, column))
        setpay_db_get_id(rows, column, id);
}

static void read_payout(struct setpay_db_rows *rows, struct setpay_payout *payout)
{
    struct setpay_payout p = {.id = setpay_db_get_int(rows, 0)};
    p.settlement = setpay_db_get_int(rows, 1);
    setpay_db_get_id(rows, 2, &p.token);
    setpay_db_get_text(rows, 3, p.brand, sizeof p.brand);
    setpay_db_get_text(rows, 4, p.merchant_id, sizeof p.merchant_id);
    setpay_db_get_text(rows, 5, p.currency, sizeof p.currency);
    setpay_db_get_text(rows, 6, p.day, sizeof p.day);
    p.amount_minor = setpay_db_get_int(rows, 7);
    p.made_ms = setpay_db_get_int(rows, 8);
    p.state = (enum setpay_payout_state)setpay_db_get_int(rows, 9);
    p.file = setpay_db_get_int(rows, 10);
    get_id(rows, 11, &p.file_token);
    setpay_db_get_text(rows, 12, p.account.holder, sizeof p.account.holder);
    setpay_db_get_text(rows, 13, p.account.iban, sizeof p.account.iban);
    setpay_db_get_text(rows, 14, p.account.bic, sizeof p.account.bic);
    p.sent_ms = setpay_db_get_int(rows, 15);
    get_id(rows, 16, &p.sent);
    setpay_db_get_text(rows, 17, p.paid.reference, sizeof p.paid.reference);
    setpay_db_get_text(rows, 18, p.paid.day, sizeof p.paid.day);
    p.paid.at_ms = setpay_db_get_int(rows, 19);
    get_id(rows, 20, &p.paid.event);
    setpay_db_get_text(rows, 21, p.returned.reference, sizeof p.returned.reference);
    setpay_db_get_text(rows, 22, p.returned.day, sizeof p.returned.day);
    setpay_db_get_text(rows, 23, p.returned.code, sizeof p.returned.code);
    setpay_db_get_text(rows, 24, p.returned.reason, sizeof p.returned.reason);
    p.returned.at_ms = setpay_db_get_int(rows, 25);
    get_id(rows, 26, &p.returned.event);
    p.cut_off_ms = setpay_db_get_int(rows, 27);
    setpay_db_get_text(rows, 28, p.aside.reason, sizeof p.aside.reason);
    p.aside.at_ms = setpay_db_get_int(rows, 29);
    get_id(rows, 30, &p.aside.event);
    *payout = p;
}

enum setpay_error setpay_payout_find(struct setpay_db *db, const struct setpay_id *token,
                                     struct setpay_payout *payout)
{
    struct setpay_db_rows *rows;
    struct setpay_payout found;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " PAYOUT_COLUMNS PAYOUT_TABLES " WHERE settlement.token = $1",
                             SETPAY_DB_ID(token)));
    read_payout(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    *payout = found;
    return SETPAY_OK;
}

/* Of one whose word was undone since, as it was told. */
static enum setpay_error find_undone(struct setpay_db *db, enum setpay_ledger_kind kind,
                                     const struct setpay_id *event, struct setpay_payout *payout)
{
    struct setpay_db_rows *rows;
    struct setpay_payout_undone undone;
    struct setpay_payout found;
    SETPAY_TRY(setpay_payout_undone_find(db, event, kind == SETPAY_LEDGER_PAYOUT_UNDONE, &undone));
    if (kind != SETPAY_LEDGER_PAYOUT_UNDONE &&
        (undone.is_return != (kind == SETPAY_LEDGER_PAYOUT_RETURNED) ||
         undone.is_aside != (kind == SETPAY_LEDGER_PAYOUT_SET_ASIDE)))
        return SETPAY_E_NOT_FOUND;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " PAYOUT_COLUMNS PAYOUT_TABLES " WHERE payout.id = $1",
                             SETPAY_DB_INT(undone.payout)));
    read_payout(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    *(undone.is_return  ? &found.returned
      : undone.is_aside ? &found.aside
                        : &found.paid) = undone.word;
    *payout = found;
    return SETPAY_OK;
}

enum setpay_error setpay_payout_find_event(struct setpay_db *db, enum setpay_ledger_kind kind,
                                           const struct setpay_id *event,
                                           struct setpay_payout *payout)
{
    struct setpay_db_rows *rows;
    struct setpay_payout found;
    if (kind == SETPAY_LEDGER_PAYOUT_UNDONE)
        return find_undone(db, kind, event, payout);
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      kind == SETPAY_LEDGER_PAYOUT_SENT ? "SELECT " PAYOUT_COLUMNS PAYOUT_TABLES
                                                          " WHERE sent = $1"
                      : kind == SETPAY_LEDGER_PAYOUT_PAID ? "SELECT " PAYOUT_COLUMNS PAYOUT_TABLES
                                                            " WHERE paid = $1"
                      : kind == SETPAY_LEDGER_PAYOUT_SET_ASIDE
                          ? "SELECT " PAYOUT_COLUMNS PAYOUT_TABLES " WHERE aside = $1"
                          : "SELECT " PAYOUT_COLUMNS PAYOUT_TABLES " WHERE returned = $1",
                      SETPAY_DB_ID(event));
    if (error == SETPAY_E_NOT_FOUND && kind != SETPAY_LEDGER_PAYOUT_SENT)
        return find_undone(db, kind, event, payout);
    SETPAY_TRY(error);
    read_payout(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    *payout = found;
    return SETPAY_OK;
}

/* Of one file, or in one state, the rows are found by their index, and not among all that ever
 * were. */
#define EACH(where)                                                                                \
    "SELECT " PAYOUT_COLUMNS PAYOUT_TABLES " WHERE " where " AND payout.id > $3"                   \
    " AND ($4 IS NULL OR settlement.currency = $4) AND ($5 IS NULL OR brand = $5)"                 \
    " AND ($6 IS NULL OR merchant_id = $6) ORDER BY payout.id LIMIT $7"

enum setpay_error setpay_payout_each(struct setpay_db *db,
                                     const struct setpay_payout_filter *filter,
                                     setpay_payout_each_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        filter->file != 0    ? EACH("($1 = 0 OR state = $1) AND file_id = $2")
        : filter->state != 0 ? EACH("state = $1 AND ($2 = 0 OR file_id = $2)")
                             : EACH("($1 = 0 OR state = $1) AND ($2 = 0 OR file_id = $2)"),
        SETPAY_DB_INT(filter->state), SETPAY_DB_INT(filter->file), SETPAY_DB_INT(filter->after),
        SETPAY_DB_TEXT(filter->currency), SETPAY_DB_TEXT(filter->brand),
        SETPAY_DB_TEXT(filter->merchant_id), SETPAY_DB_INT(filter->limit)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_payout payout;
        read_payout(rows, &payout);
        error = each(arg, &payout);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_payout_each_waiting(struct setpay_db *db, setpay_payout_waiting_fn *each,
                                             void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT brand, merchant_id, currency, COUNT(*), SUM(payout_minor) FROM payout"
        " JOIN settlement ON settlement.id = settlement_id WHERE state = $1"
        " GROUP BY brand, merchant_id, currency ORDER BY brand, merchant_id, currency",
        SETPAY_DB_INT(SETPAY_PAYOUT_MADE)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_payout_waiting w = {.count = setpay_db_get_int(rows, 3),
                                          .amount_minor = setpay_db_get_int(rows, 4)};
        setpay_db_get_text(rows, 0, w.brand, sizeof w.brand);
        setpay_db_get_text(rows, 1, w.merchant_id, sizeof w.merchant_id);
        setpay_db_get_text(rows, 2, w.currency, sizeof w.currency);
        error = each(arg, &w);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* ------------------------------------------------------------------ files */

#define FILE_COLUMNS "id, token, currency, day, payout_count, amount_minor, created_ms, digest"

static void read_file(struct setpay_db_rows *rows, struct setpay_payout_file *file)
{
    struct setpay_payout_file f = {.id = setpay_db_get_int(rows, 0)};
    setpay_db_get_id(rows, 1, &f.token);
    setpay_db_get_text(rows, 2, f.currency, sizeof f.currency);
    setpay_db_get_text(rows, 3, f.day, sizeof f.day);
    f.count = setpay_db_get_int(rows, 4);
    f.amount_minor = setpay_db_get_int(rows, 5);
    f.created_ms = setpay_db_get_int(rows, 6);
    setpay_db_get_digest(rows, 7, &f.digest);
    *file = f;
}

enum setpay_error setpay_payout_file_find(struct setpay_db *db, const struct setpay_id *token,
                                          struct setpay_payout_file *file,
                                          struct setpay_buffer *content)
{
    struct setpay_db_rows *rows;
    struct setpay_payout_file found;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " FILE_COLUMNS ", content FROM payout_file WHERE token = $1",
                             SETPAY_DB_ID(token)));
    read_file(rows, &found);
    if (content != NULL)
        setpay_db_get_buffer(rows, 8, content);
    SETPAY_TRY(setpay_db_end(rows));
    *file = found;
    return SETPAY_OK;
}

enum setpay_error setpay_payout_each_file(struct setpay_db *db, int64_t limit,
                                          setpay_payout_file_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows, "SELECT " FILE_COLUMNS " FROM payout_file ORDER BY id DESC LIMIT $1",
        SETPAY_DB_INT(limit)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_payout_file file;
        read_file(rows, &file);
        error = each(arg, &file);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

static enum setpay_error insert_file(struct setpay_db *db, struct setpay_payout_file *file,
                                     struct setpay_view content)
{
    return setpay_db_insert(
        db, &file->id,
        "INSERT INTO payout_file (token, currency, day, payout_count, amount_minor, created_ms,"
        " digest, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
        SETPAY_DB_ID(&file->token), SETPAY_DB_TEXT(file->currency), SETPAY_DB_TEXT(file->day),
        SETPAY_DB_INT(file->count), SETPAY_DB_INT(file->amount_minor),
        SETPAY_DB_INT(file->created_ms), SETPAY_DB_DIGEST(&file->digest), SETPAY_DB_VIEW(content));
}

/* ------------------------------------------------------------------ making and sending */

enum setpay_error setpay_payout_make(struct setpay_db *db,
                                     const struct setpay_settlement *settlement)
{
    enum setpay_payout_state state;
    if (settlement->payout_minor == 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_payout_state_next(SETPAY_PAYOUT_NONE, SETPAY_PAYOUT_MAKE, &state));
    return setpay_db_run(db, "INSERT INTO payout (settlement_id, state) VALUES ($1, $2)",
                         SETPAY_DB_INT(settlement->id), SETPAY_DB_INT(state));
}

enum setpay_error setpay_payout_append(struct setpay_db *db, const struct setpay_payout *payout,
                                       enum setpay_ledger_kind kind, const struct setpay_id *event,
                                       setpay_time_ms at_ms)
{
    struct setpay_ledger_entry entry = {.time_ms = at_ms, .event = *event};
    setpay_payout_post(payout, kind, &entry);
    return setpay_ledger_append(db, &entry);
}

/* Those that one file takes. */
struct gathered {
    struct setpay_db *db;
    const struct setpay_payout_sending *sending;
    struct setpay_payout *payouts;
    size_t count;
    bool more;
    int64_t doubted, kept;
};

static const struct setpay_payee *payee_of(const struct setpay_payout_sending *sending,
                                           const struct setpay_payout *payout)
{
    for (size_t i = 0; i < sending->payee_count; i++)
        if (strcmp(sending->payees[i].brand, payout->brand) == 0 &&
            strcmp(sending->payees[i].merchant_id, payout->merchant_id) == 0)
            return &sending->payees[i];
    return NULL;
}

static bool is_left(const struct setpay_payout_sending *sending, const struct setpay_payout *payout)
{
    for (size_t i = 0; i < sending->left_count; i++)
        if (setpay_id_equal(&sending->left[i], &payout->token))
            return true;
    return false;
}

/* It may have been in a settlement that is forgotten, and that was paid. The day says nothing of
 * it: what a day has left out is part of the next one that is settled. */
enum setpay_error setpay_payout_is_doubted(struct setpay_db *db, const struct setpay_payout *payout,
                                           setpay_time_ms restored_ms, bool *doubted)
{
    struct setpay_db_rows *rows;
    *doubted = false;
    if (restored_ms == 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT EXISTS (SELECT 1 FROM presentment JOIN step ON step.id = step_id"
        " WHERE settlement_id = $1 AND step.created_ms <= $2)"
        " OR EXISTS (SELECT 1 FROM adjustment WHERE settlement_id = $1 AND created_ms <= $2)"
        " OR EXISTS (SELECT 1 FROM reserve JOIN settlement ON settlement.id = settlement_id"
        " WHERE released_by = $1 AND settlement.created_ms <= $2)",
        SETPAY_DB_INT(payout->settlement), SETPAY_DB_INT(restored_ms)));
    *doubted = payout->made_ms <= restored_ms || setpay_db_get_bool(rows, 0);
    return setpay_db_end(rows);
}

static enum setpay_error gather(void *arg, const struct setpay_payout *payout)
{
    struct gathered *gathered = arg;
    const struct setpay_payee *payee = payee_of(gathered->sending, payout);
    bool doubted = false;
    if (payee == NULL)
        return SETPAY_OK;
    if (is_left(gathered->sending, payout)) {
        gathered->kept++;
        return SETPAY_OK;
    }
    SETPAY_TRY(
        setpay_payout_is_doubted(gathered->db, payout, gathered->sending->restored_ms, &doubted));
    if (doubted) {
        gathered->doubted++;
        return SETPAY_OK;
    }
    if (gathered->count == SETPAY_PAYOUTS_IN_FILE) {
        gathered->more = true;
        return SETPAY_OK;
    }
    struct setpay_payout *taken = &gathered->payouts[gathered->count];
    *taken = *payout;
    SETPAY_TRY(setpay_payout_state_next(payout->state, SETPAY_PAYOUT_SEND, &taken->state));
    taken->account = payee->account;
    taken->sent_ms = gathered->sending->now_ms;
    gathered->count++;
    return SETPAY_OK;
}

static enum setpay_error send_one(struct setpay_db *db, struct setpay_payout *payout,
                                  const struct setpay_payout_file *file)
{
    SETPAY_TRY(setpay_payout_sent_event(payout, file, &payout->sent));
    SETPAY_TRY(setpay_payout_append(db, payout, SETPAY_LEDGER_PAYOUT_SENT, &payout->sent,
                                    payout->sent_ms));
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE payout SET state = $1, file_id = $2, holder = $3, iban = $4,"
                             " bic = $5, sent_ms = $6, sent = $7 WHERE id = $8 AND file_id = 0",
                             SETPAY_DB_INT(payout->state), SETPAY_DB_INT(file->id),
                             SETPAY_DB_TEXT(payout->account.holder),
                             SETPAY_DB_TEXT(payout->account.iban),
                             SETPAY_DB_TEXT(payout->account.bic), SETPAY_DB_INT(payout->sent_ms),
                             SETPAY_DB_ID(&payout->sent), SETPAY_DB_INT(payout->id)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_INTERNAL;
}

static enum setpay_error write_file(struct setpay_db *db, struct setpay_payout_sending *sending,
                                    struct gathered *gathered, struct setpay_buffer *bytes)
{
    struct setpay_payout_file *file = &sending->file;
    *file = (struct setpay_payout_file){.count = (int64_t)gathered->count,
                                        .created_ms = sending->now_ms};
    (void)snprintf(file->currency, sizeof file->currency, "%s", sending->currency);
    (void)snprintf(file->day, sizeof file->day, "%s", sending->day);
    for (size_t i = 0; i < gathered->count; i++)
        if (__builtin_add_overflow(file->amount_minor, gathered->payouts[i].amount_minor,
                                   &file->amount_minor))
            return SETPAY_E_MONEY_OVERFLOW;
    SETPAY_TRY(setpay_payout_file_token(file, gathered->payouts, gathered->count, &file->token));
    SETPAY_TRY(
        setpay_payout_pain_001(file, sending->payer, gathered->payouts, gathered->count, bytes));
    SETPAY_TRY(setpay_payout_file_digest(setpay_buffer_view(bytes), &file->digest));
    SETPAY_TRY(insert_file(db, file, setpay_buffer_view(bytes)));
    for (size_t i = 0; i < gathered->count; i++)
        SETPAY_TRY(send_one(db, &gathered->payouts[i], file));
    return SETPAY_OK;
}

enum setpay_error setpay_payout_send(struct setpay_db *db, struct setpay_payout_sending *sending,
                                     struct setpay_buffer *bytes)
{
    const struct setpay_payout_filter filter = {
        .state = SETPAY_PAYOUT_MADE, .currency = sending->currency, .limit = INT64_MAX};
    struct gathered gathered = {.db = db, .sending = sending};
    gathered.payouts = calloc(SETPAY_PAYOUTS_IN_FILE, sizeof *gathered.payouts);
    if (gathered.payouts == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = setpay_payout_each(db, &filter, gather, &gathered);
    if (error == SETPAY_OK)
        error =
            gathered.count == 0 ? SETPAY_E_NOT_FOUND : write_file(db, sending, &gathered, bytes);
    sending->more = gathered.more;
    sending->doubted_count = gathered.doubted;
    sending->kept_count = gathered.kept;
    free(gathered.payouts);
    return error;
}
