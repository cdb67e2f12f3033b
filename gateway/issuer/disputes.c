/*
 * A dispute is of one charge, and one at a time. What it gives back counts with the credits: both
 * together never exceed what was charged, so that closing one for the cardholder checks again what
 * merchants may have credited in the meantime.
 */
#include "gateway/issuer/disputes.h"

#include "common/base/noun.h"
#include "gateway/issuer/balances.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A charge, and what is left of all charges of its authorisation. */
struct charge {
    int64_t number;
    int64_t authorisation;
    char account[64];
    char currency[4];
    int64_t amount_minor;
    int64_t left_minor;
};

static enum setpay_error read_charge(struct setpay_db_rows *rows, struct charge *charge)
{
    charge->number = setpay_db_get_int(rows, 0);
    charge->authorisation = setpay_db_get_int(rows, 1);
    setpay_db_get_text(rows, 2, charge->account, sizeof(charge->account));
    setpay_db_get_text(rows, 3, charge->currency, sizeof(charge->currency));
    charge->amount_minor = setpay_db_get_int(rows, 4);
    charge->left_minor = setpay_db_get_int(rows, 5);
    return setpay_db_end(rows);
}

#define CHARGE                                                                                     \
    "SELECT p.number, z.id, z.account, p.currency, p.amount_minor,"                                \
    " z.presented_minor - z.credited_minor - z.disputed_minor FROM card_presentment p"             \
    " JOIN card_authorisation z ON z.id = p.authorisation"                                         \
    " WHERE p.result = '00' AND p.kind IN ('capture', 'sale') AND "

static bool is_one_of(const char *text, const char *choices)
{
    size_t size = strlen(text);
    for (const char *at = choices; size > 0 && *at != '\0';
         at += strcspn(at, "|"), at += *at == '|')
        if (strcspn(at, "|") == size && memcmp(at, text, size) == 0)
            return true;
    return false;
}

static enum setpay_error check_none_open(struct setpay_db *db, struct setpay_dispute *dispute,
                                         int64_t presentment)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = setpay_db_one(
        db, &rows, "SELECT number FROM dispute WHERE presentment = $1 AND outcome = ''",
        SETPAY_DB_INT(presentment));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    if (error != SETPAY_OK)
        return error;
    int64_t number = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_problem_set(&dispute->problem, SETPAY_E_EXISTS,
                              "it is disputed already: dispute %" PRId64 " is open", number);
}

enum setpay_error setpay_dispute_open(struct setpay_db *db, void *arg)
{
    struct setpay_dispute *dispute = arg;
    struct setpay_db_rows *rows;
    struct charge charge;
    if (!is_one_of(dispute->reason, SETPAY_DISPUTE_REASONS))
        return setpay_problem_set(&dispute->problem, SETPAY_E_USAGE,
                                  "reason: found '%.40s', expected one of " SETPAY_DISPUTE_REASONS,
                                  dispute->reason);
    enum setpay_error error =
        setpay_db_one(db, &rows, CHARGE "p.id = $1", SETPAY_DB_TEXT(dispute->presentment));
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(&dispute->problem, SETPAY_E_NOT_FOUND,
                                  "no charge with the id '%.64s' is booked (see presentments)",
                                  dispute->presentment);
    if (error != SETPAY_OK)
        return error;
    SETPAY_TRY(read_charge(rows, &charge));
    SETPAY_TRY(check_none_open(db, dispute, charge.number));
    int64_t most =
        charge.amount_minor < charge.left_minor ? charge.amount_minor : charge.left_minor;
    int64_t amount = dispute->amount.minor == 0 ? most : dispute->amount.minor;
    char text[SETPAY_MONEY_TEXT_SIZE];
    struct setpay_money limit = {.minor = most};
    memcpy(limit.currency, charge.currency, sizeof(limit.currency));
    if (amount <= 0 || amount > most ||
        (dispute->amount.minor != 0 && !setpay_money_same_currency(&dispute->amount, &limit)))
        return setpay_problem_set(&dispute->problem, SETPAY_E_USAGE,
                                  "amount: at most %s can be disputed of it",
                                  setpay_money_format(&limit, text));
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COALESCE(MAX(number), 0) + 1 FROM dispute"));
    int64_t number = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    SETPAY_TRY(setpay_db_run(db,
                             "INSERT INTO dispute (number, presentment, amount_minor, reason,"
                             " outcome, opened_ms, closed_ms) VALUES ($1, $2, $3, $4, '', $5, 0)",
                             SETPAY_DB_INT(number), SETPAY_DB_INT(charge.number),
                             SETPAY_DB_INT(amount), SETPAY_DB_TEXT(dispute->reason),
                             SETPAY_DB_INT(dispute->now)));
    dispute->number = number;
    return SETPAY_OK;
}

static enum setpay_error give_back(struct setpay_db *db, struct setpay_dispute_end *end,
                                   int64_t presentment, int64_t amount_minor)
{
    struct setpay_db_rows *rows;
    struct charge charge;
    SETPAY_TRY(setpay_db_one(db, &rows, CHARGE "p.number = $1", SETPAY_DB_INT(presentment)));
    SETPAY_TRY(read_charge(rows, &charge));
    if (amount_minor > charge.left_minor)
        return setpay_problem_set(&end->problem, SETPAY_E_USAGE,
                                  "only %" PRId64 " minor %s charged still, less than the %" PRId64
                                  " in dispute: the merchant has given back the rest; close "
                                  "it for the merchant",
                                  charge.left_minor,
                                  setpay_noun(charge.left_minor, "unit is", "units are"),
                                  amount_minor);
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE card_authorisation SET disputed_minor = disputed_minor + $1"
                             " WHERE id = $2",
                             SETPAY_DB_INT(amount_minor), SETPAY_DB_INT(charge.authorisation)));
    const struct setpay_balance_entry entry = {
        .account = charge.account,
        .currency = charge.currency,
        .kind = "dispute",
        .amount_minor = amount_minor,
        .dispute = end->number,
        .now = end->now,
    };
    return setpay_balance_post(db, &entry, 0);
}

enum setpay_error setpay_dispute_close(struct setpay_db *db, void *arg)
{
    struct setpay_dispute_end *end = arg;
    struct setpay_db_rows *rows;
    char outcome[16];
    if (!is_one_of(end->outcome, "cardholder|merchant"))
        return setpay_problem_set(&end->problem, SETPAY_E_USAGE,
                                  "outcome: found '%.40s', expected cardholder or merchant",
                                  end->outcome);
    enum setpay_error error = setpay_db_one(
        db, &rows, "SELECT presentment, amount_minor, outcome FROM dispute WHERE number = $1",
        SETPAY_DB_INT(end->number));
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(&end->problem, error, "there is no dispute %" PRId64,
                                  end->number);
    if (error != SETPAY_OK)
        return error;
    int64_t presentment = setpay_db_get_int(rows, 0);
    int64_t amount_minor = setpay_db_get_int(rows, 1);
    setpay_db_get_text(rows, 2, outcome, sizeof(outcome));
    SETPAY_TRY(setpay_db_end(rows));
    if (strcmp(outcome, end->outcome) == 0)
        return SETPAY_OK;
    if (outcome[0] != '\0')
        return setpay_problem_set(&end->problem, SETPAY_E_EXISTS,
                                  "dispute %" PRId64 " was closed before, for the %s", end->number,
                                  outcome);
    if (strcmp(end->outcome, "cardholder") == 0)
        SETPAY_TRY(give_back(db, end, presentment, amount_minor));
    return setpay_db_run(db, "UPDATE dispute SET outcome = $1, closed_ms = $2 WHERE number = $3",
                         SETPAY_DB_TEXT(end->outcome), SETPAY_DB_INT(end->now),
                         SETPAY_DB_INT(end->number));
}
