/*
 * What the bank says of a payout: that it has paid it, or that it came back; what the operator says
 * of one that was settled by other means; and the undoing of a word that was told by mistake.
 */
#include "gateway/clearing/payout.h"

#include "common/crypto/hash.h"
#include "gateway/clearing/adjustment.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ the bank's word */

static bool same_word(const struct setpay_payout_word *a, const struct setpay_payout_word *b)
{
    return strcmp(a->reference, b->reference) == 0 && strcmp(a->day, b->day) == 0 &&
           strcmp(a->code, b->code) == 0 && strcmp(a->reason, b->reason) == 0;
}

/* Which state comes of it; *known where it was told before, in the same words. */
static enum setpay_error decide(const struct setpay_payout *payout, enum setpay_payout_event event,
                                const struct setpay_payout_word *told,
                                const struct setpay_payout_word *word,
                                enum setpay_payout_state *next, bool *known,
                                struct setpay_problem *problem)
{
    char id[SETPAY_ID_TEXT_SIZE];
    const char *done = event == SETPAY_PAYOUT_RETURN ? "returned" : "paid";
    enum setpay_error error = setpay_payout_state_next(payout->state, event, next);
    *known = error == SETPAY_E_EXISTS && same_word(told, word);
    if (error == SETPAY_OK || *known)
        return SETPAY_OK;
    (void)setpay_id_format(&payout->token, id);
    if (error == SETPAY_E_EXISTS)
        return setpay_problem_set(problem, error,
                                  "payout %s was told as %s before, by %s of %s%s%s; nothing was "
                                  "booked",
                                  id, done, told->reference, told->day,
                                  told->code[0] != '\0' ? ", " : "", told->code);
    return setpay_problem_set(problem, error, "payout %s is %s and can't become %s%s", id,
                              setpay_payout_state_name(payout->state), done,
                              payout->state == SETPAY_PAYOUT_MADE
                                  ? ": it stands in no file yet, see payout send"
                                  : ": what came of it is another payout, see payout list");
}

enum setpay_error setpay_payout_pay(struct setpay_db *db, struct setpay_payout *payout,
                                    const struct setpay_payout_word *word,
                                    setpay_time_ms restored_ms, bool *known,
                                    struct setpay_problem *problem)
{
    struct setpay_payout paid = *payout;
    bool forgotten = false;
    if (payout->state == SETPAY_PAYOUT_MADE)
        SETPAY_TRY(setpay_payout_is_doubted(db, payout, restored_ms, &forgotten));
    SETPAY_TRY(decide(payout, forgotten ? SETPAY_PAYOUT_PAY_FORGOTTEN : SETPAY_PAYOUT_PAY,
                      &payout->paid, word, &paid.state, known, problem));
    if (*known)
        return SETPAY_OK;
    paid.paid = *word;
    SETPAY_TRY(setpay_payout_paid_event(&paid, &paid.paid.event));
    SETPAY_TRY(
        setpay_payout_append(db, &paid, SETPAY_LEDGER_PAYOUT_PAID, &paid.paid.event, word->at_ms));
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE payout SET state = $1, paid = $2, reference = $3,"
                             " paid_day = $4, paid_ms = $5 WHERE id = $6 AND state = $7",
                             SETPAY_DB_INT(paid.state), SETPAY_DB_ID(&paid.paid.event),
                             SETPAY_DB_TEXT(word->reference), SETPAY_DB_TEXT(word->day),
                             SETPAY_DB_INT(word->at_ms), SETPAY_DB_INT(paid.id),
                             SETPAY_DB_INT(payout->state)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_INTERNAL;
    *payout = paid;
    return SETPAY_OK;
}

/* What the merchant's next settlement pays again. */
static enum setpay_error adjust(struct setpay_db *db, const struct setpay_payout *payout)
{
    struct setpay_adjustment adjustment = {.token = payout->returned.event,
                                           .kind = SETPAY_ADJUSTMENT_REPAID,
                                           .source_id = payout->id,
                                           .amount_minor = payout->amount_minor,
                                           .created_ms = payout->returned.at_ms};
    memcpy(adjustment.brand, payout->brand, sizeof adjustment.brand);
    memcpy(adjustment.merchant_id, payout->merchant_id, sizeof adjustment.merchant_id);
    memcpy(adjustment.currency, payout->currency, sizeof adjustment.currency);
    return setpay_adjustment_insert(db, &adjustment);
}

enum setpay_error setpay_payout_return(struct setpay_db *db, struct setpay_payout *payout,
                                       const struct setpay_payout_word *word, bool *known,
                                       struct setpay_problem *problem)
{
    struct setpay_payout made = *payout;
    SETPAY_TRY(
        decide(payout, SETPAY_PAYOUT_RETURN, &payout->returned, word, &made.state, known, problem));
    if (*known)
        return SETPAY_OK;
    made.returned = *word;
    SETPAY_TRY(setpay_payout_returned_event(&made, &made.returned.event));
    SETPAY_TRY(setpay_payout_append(db, &made, SETPAY_LEDGER_PAYOUT_RETURNED, &made.returned.event,
                                    word->at_ms));
    SETPAY_TRY(adjust(db, &made));
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE payout SET state = $1, returned = $2, return_reference = $3, return_day = $4,"
        " return_code = $5, return_reason = $6, returned_ms = $7 WHERE id = $8 AND state = $9",
        SETPAY_DB_INT(made.state), SETPAY_DB_ID(&made.returned.event),
        SETPAY_DB_TEXT(word->reference), SETPAY_DB_TEXT(word->day), SETPAY_DB_TEXT(word->code),
        SETPAY_DB_TEXT(word->reason), SETPAY_DB_INT(word->at_ms), SETPAY_DB_INT(made.id),
        SETPAY_DB_INT(payout->state)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_INTERNAL;
    *payout = made;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ settled by other means */

static enum setpay_error decide_aside(const struct setpay_payout *payout, bool doubted,
                                      const char *reason, enum setpay_payout_state *next,
                                      bool *known, struct setpay_problem *problem)
{
    char id[SETPAY_ID_TEXT_SIZE];
    enum setpay_error error =
        setpay_payout_state_next(payout->state, SETPAY_PAYOUT_SET_IT_ASIDE, next);
    (void)setpay_id_format(&payout->token, id);
    *known = error == SETPAY_E_EXISTS && strcmp(payout->aside.reason, reason) == 0;
    if (*known || (error == SETPAY_OK && doubted))
        return SETPAY_OK;
    if (error == SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "payout %s is not in doubt, and can't be set aside: it holds "
                                  "nothing of before a restore, and no bank has heard of it",
                                  id);
    if (error == SETPAY_E_EXISTS)
        return setpay_problem_set(problem, error,
                                  "payout %s was set aside before, for another reason: %s", id,
                                  payout->aside.reason);
    return setpay_problem_set(problem, error, "payout %s is %s and can't be set aside", id,
                              setpay_payout_state_name(payout->state));
}

enum setpay_error setpay_payout_set_aside(struct setpay_db *db, struct setpay_payout *payout,
                                          const struct setpay_payout_word *word,
                                          setpay_time_ms restored_ms, bool *known,
                                          struct setpay_problem *problem)
{
    struct setpay_payout aside = *payout;
    bool doubted = false;
    SETPAY_TRY(setpay_payout_is_doubted(db, payout, restored_ms, &doubted));
    SETPAY_TRY(decide_aside(payout, doubted, word->reason, &aside.state, known, problem));
    if (*known)
        return SETPAY_OK;
    aside.aside = *word;
    SETPAY_TRY(setpay_payout_aside_event(&aside, &aside.aside.event));
    SETPAY_TRY(setpay_payout_append(db, &aside, SETPAY_LEDGER_PAYOUT_SET_ASIDE, &aside.aside.event,
                                    word->at_ms));
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE payout SET state = $1, aside = $2, aside_reason = $3,"
                             " aside_ms = $4 WHERE id = $5 AND state = $6",
                             SETPAY_DB_INT(aside.state), SETPAY_DB_ID(&aside.aside.event),
                             SETPAY_DB_TEXT(word->reason), SETPAY_DB_INT(word->at_ms),
                             SETPAY_DB_INT(aside.id), SETPAY_DB_INT(payout->state)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_INTERNAL;
    *payout = aside;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ words that were undone */

#define UNDONE                                                                                     \
    "SELECT payout_id, is_return, word, reference, day, code, reason, told_ms, undone,"            \
    " undone_reason, undone_ms, is_aside FROM payout_undone WHERE "

static void read_undone(struct setpay_db_rows *rows, struct setpay_payout_undone *undone)
{
    struct setpay_payout_undone u = {.payout = setpay_db_get_int(rows, 0)};
    u.is_return = setpay_db_get_bool(rows, 1);
    setpay_db_get_id(rows, 2, &u.word.event);
    setpay_db_get_text(rows, 3, u.word.reference, sizeof u.word.reference);
    setpay_db_get_text(rows, 4, u.word.day, sizeof u.word.day);
    setpay_db_get_text(rows, 5, u.word.code, sizeof u.word.code);
    setpay_db_get_text(rows, 6, u.word.reason, sizeof u.word.reason);
    u.word.at_ms = setpay_db_get_int(rows, 7);
    setpay_db_get_id(rows, 8, &u.event);
    setpay_db_get_text(rows, 9, u.reason, sizeof u.reason);
    u.at_ms = setpay_db_get_int(rows, 10);
    u.is_aside = setpay_db_get_bool(rows, 11);
    *undone = u;
}

enum setpay_error setpay_payout_undone_find(struct setpay_db *db, const struct setpay_id *event,
                                            bool by_undoing, struct setpay_payout_undone *undone)
{
    struct setpay_db_rows *rows;
    struct setpay_payout_undone found;
    SETPAY_TRY(setpay_db_one(db, &rows, by_undoing ? UNDONE "undone = $1" : UNDONE "word = $1",
                             SETPAY_DB_ID(event)));
    read_undone(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    *undone = found;
    return SETPAY_OK;
}

enum setpay_error setpay_payout_each_undone(struct setpay_db *db, int64_t payout,
                                            setpay_payout_undone_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(
        setpay_db_select(db, &rows, UNDONE "payout_id = $1 ORDER BY id", SETPAY_DB_INT(payout)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_payout_undone undone;
        read_undone(rows, &undone);
        error = each(arg, &undone);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* *there: whether any was. */
static enum setpay_error last_undone(struct setpay_db *db, int64_t payout,
                                     struct setpay_payout_undone *undone, bool *there)
{
    struct setpay_db_rows *rows;
    struct setpay_payout_undone found;
    enum setpay_error error = setpay_db_one(
        db, &rows, UNDONE "payout_id = $1 ORDER BY id DESC LIMIT 1", SETPAY_DB_INT(payout));
    *there = error == SETPAY_OK;
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    read_undone(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    *undone = found;
    return SETPAY_OK;
}

static enum setpay_error insert_undone(struct setpay_db *db, const struct setpay_payout_undone *u)
{
    return setpay_db_run(
        db,
        "INSERT INTO payout_undone (payout_id, is_return, word, reference, day, code, reason,"
        " told_ms, undone, undone_reason, undone_ms, is_aside)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        SETPAY_DB_INT(u->payout), SETPAY_DB_INT(u->is_return), SETPAY_DB_ID(&u->word.event),
        SETPAY_DB_TEXT(u->word.reference), SETPAY_DB_TEXT(u->word.day),
        SETPAY_DB_TEXT(u->word.code), SETPAY_DB_TEXT(u->word.reason), SETPAY_DB_INT(u->word.at_ms),
        SETPAY_DB_ID(&u->event), SETPAY_DB_TEXT(u->reason), SETPAY_DB_INT(u->at_ms),
        SETPAY_DB_INT(u->is_aside));
}

/* ------------------------------------------------------------------ undoing one */

/* The last that was told, of whatever kind; undone once it is. */
static struct setpay_payout_undone last_told(const struct setpay_payout *payout)
{
    bool is_return = payout->state == SETPAY_PAYOUT_RETURNED;
    bool is_aside = payout->state == SETPAY_PAYOUT_SET_ASIDE;
    return (struct setpay_payout_undone){.payout = payout->id,
                                         .is_return = is_return,
                                         .is_aside = is_aside,
                                         .word = is_return  ? payout->returned
                                                 : is_aside ? payout->aside
                                                            : payout->paid};
}

static bool is_meant(const struct setpay_payout_undoing *undoing, bool is_return, bool is_aside,
                     const struct setpay_payout_word *word)
{
    if (undoing->reference == NULL || is_aside)
        return undoing->reference == NULL && is_aside;
    return word->at_ms != 0 && strcmp(word->reference, undoing->reference) == 0 &&
           undoing->which != (is_return ? SETPAY_PAYOUT_WORD_PAID : SETPAY_PAYOUT_WORD_RETURNED);
}

static bool is_last(const struct setpay_payout *payout, const struct setpay_payout_undoing *undoing)
{
    const struct setpay_payout_undone last = last_told(payout);
    return is_meant(undoing, last.is_return, last.is_aside, &last.word);
}

/* What the bank says may be told and undone in turns, under one reference. */
struct meant {
    struct setpay_payout_undone last; /* of what was undone */
    bool known;                       /* that is what is asked for */
    bool ambiguous;                   /* two words have that reference, and no kind is said */
};

static enum setpay_error find_meant(struct setpay_db *db, const struct setpay_payout *payout,
                                    const struct setpay_payout_undoing *undoing,
                                    struct meant *meant)
{
    bool there = false;
    bool is_return = payout->state == SETPAY_PAYOUT_RETURNED;
    *meant = (struct meant){.known = false};
    SETPAY_TRY(last_undone(db, payout->id, &meant->last, &there));
    bool was =
        there && is_meant(undoing, meant->last.is_return, meant->last.is_aside, &meant->last.word);
    bool same = was && strcmp(meant->last.reason, undoing->reason) == 0;
    meant->known = same && !is_last(payout, undoing);
    meant->ambiguous = undoing->which == SETPAY_PAYOUT_WORD_ANY && is_last(payout, undoing) &&
                       ((is_return && is_meant(undoing, false, false, &payout->paid)) ||
                        (same && meant->last.is_return != is_return));
    return SETPAY_OK;
}

enum setpay_error setpay_payout_undo_is_of(struct setpay_db *db, const struct setpay_payout *payout,
                                           const struct setpay_payout_undoing *undoing, bool *is_of)
{
    struct meant meant;
    SETPAY_TRY(find_meant(db, payout, undoing, &meant));
    *is_of = meant.known || is_last(payout, undoing);
    return SETPAY_OK;
}

/* What state it leaves, where there is such a word. */
static enum setpay_error decide_undo(const struct setpay_payout *payout,
                                     const struct setpay_payout_undoing *undoing, bool ambiguous,
                                     enum setpay_payout_state *next, struct setpay_problem *problem)
{
    char id[SETPAY_ID_TEXT_SIZE];
    const struct setpay_payout_word word = last_told(payout).word;
    const char *state = setpay_payout_state_name(payout->state);
    bool was_paid = payout->state == SETPAY_PAYOUT_RETURNED && payout->paid.at_ms != 0;
    enum setpay_error error =
        setpay_payout_state_next(payout->state,
                                 was_paid            ? SETPAY_PAYOUT_UNDO_TO_PAID
                                 : payout->file == 0 ? SETPAY_PAYOUT_UNDO_TO_MADE
                                                     : SETPAY_PAYOUT_UNDO_TO_SENT,
                                 next);
    (void)setpay_id_format(&payout->token, id);
    if (error != SETPAY_OK)
        return setpay_problem_set(
            problem, error, "payout %s is %s: there is no word of the bank to undo", id, state);
    if (undoing->reference != NULL && payout->state == SETPAY_PAYOUT_SET_ASIDE)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "payout %s is set aside, by no word of the bank: undo it without "
                                  "a reference; nothing was undone",
                                  id);
    if (undoing->reference == NULL && payout->state != SETPAY_PAYOUT_SET_ASIDE)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "payout %s is %s, and not set aside: say the reference of the "
                                  "bank's word that is to be undone; nothing was undone",
                                  id, state);
    if (ambiguous)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "of payout %s it was told by %s that it is paid, and that it was "
                                  "returned: say which with --word; nothing was undone",
                                  id, undoing->reference);
    if (is_last(payout, undoing))
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_STATE,
                              "payout %s was last told as %s by %s of %s, and not%s by %s; nothing "
                              "was undone",
                              id, state, word.reference, word.day,
                              undoing->which == SETPAY_PAYOUT_WORD_PAID       ? " as paid"
                              : undoing->which == SETPAY_PAYOUT_WORD_RETURNED ? " as returned"
                                                                              : "",
                              undoing->reference);
}

/* What came back is owed to the merchant until a settlement takes it; from then on it is paid, or
 * has paid what the merchant owed, and can't be taken back. */
static enum setpay_error take_back(struct setpay_db *db, const struct setpay_payout *payout,
                                   struct setpay_problem *problem)
{
    char id[SETPAY_ID_TEXT_SIZE], other[SETPAY_ID_TEXT_SIZE], day[SETPAY_DATE_TEXT_SIZE];
    struct setpay_db_rows *rows;
    struct setpay_id settlement;
    enum setpay_error error = setpay_db_one(
        db, &rows,
        "SELECT settlement.token, settlement.day FROM adjustment"
        " JOIN settlement ON settlement.id = adjustment.settlement_id WHERE adjustment.token = $1",
        SETPAY_DB_ID(&payout->returned.event));
    if (error == SETPAY_E_NOT_FOUND) {
        SETPAY_TRY(setpay_db_run(
            db, "DELETE FROM adjustment WHERE token = $1 AND settlement_id = 0 AND kind = $2",
            SETPAY_DB_ID(&payout->returned.event), SETPAY_DB_INT(SETPAY_ADJUSTMENT_REPAID)));
        return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_INTERNAL;
    }
    SETPAY_TRY(error);
    setpay_db_get_id(rows, 0, &settlement);
    setpay_db_get_text(rows, 1, day, sizeof day);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_problem_set(problem, SETPAY_E_STATE,
                              "the return of payout %s can't be undone: the settlement %s of %s "
                              "holds what came back",
                              setpay_id_format(&payout->token, id),
                              setpay_id_format(&settlement, other), day);
}

static enum setpay_error clear_word(struct setpay_db *db, const struct setpay_payout *payout,
                                    const struct setpay_payout_undone *undone,
                                    enum setpay_payout_state next)
{
    SETPAY_TRY(setpay_db_run(
        db,
        undone->is_aside ? "UPDATE payout SET state = $1, aside = NULL, aside_reason = '',"
                           " aside_ms = 0 WHERE id = $2 AND state = $3"
        : undone->is_return
            ? "UPDATE payout SET state = $1, returned = NULL, return_reference = '',"
              " return_day = '', return_code = '', return_reason = '', returned_ms = 0"
              " WHERE id = $2 AND state = $3"
            : "UPDATE payout SET state = $1, paid = NULL, reference = '', paid_day = '',"
              " paid_ms = 0 WHERE id = $2 AND state = $3",
        SETPAY_DB_INT(next), SETPAY_DB_INT(payout->id), SETPAY_DB_INT(payout->state)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_INTERNAL;
}

enum setpay_error setpay_payout_undo(struct setpay_db *db, struct setpay_payout *payout,
                                     struct setpay_payout_undoing *undoing,
                                     struct setpay_problem *problem)
{
    enum setpay_payout_state next;
    struct meant meant;
    SETPAY_TRY(find_meant(db, payout, undoing, &meant));
    undoing->undone = meant.last;
    undoing->known = meant.known;
    if (meant.known)
        return SETPAY_OK;
    SETPAY_TRY(decide_undo(payout, undoing, meant.ambiguous, &next, problem));
    struct setpay_payout_undone undone = last_told(payout);
    undone.at_ms = undoing->now_ms;
    struct setpay_ledger_entry entry = {.time_ms = undone.at_ms};
    (void)snprintf(undone.reason, sizeof undone.reason, "%s", undoing->reason);
    SETPAY_TRY(setpay_payout_undone_event(&undone, &undone.event));
    if (undone.is_return)
        SETPAY_TRY(take_back(db, payout, problem));
    setpay_payout_undone_post(payout, undone.is_return, &entry);
    entry.event = undone.event;
    SETPAY_TRY(setpay_ledger_append(db, &entry));
    SETPAY_TRY(insert_undone(db, &undone));
    SETPAY_TRY(clear_word(db, payout, &undone, next));
    payout->state = next;
    *(undone.is_return  ? &payout->returned
      : undone.is_aside ? &payout->aside
                        : &payout->paid) = (struct setpay_payout_word){.at_ms = 0};
    undoing->undone = undone;
    return SETPAY_OK;
}
