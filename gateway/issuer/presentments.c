/*
 * Charges and credits that merchants have presented. Each is known by its acquirer's id and decided
 * once; what was refused stays refused. A charge is taken from what was held for it. What is not
 * held any more (the hold has ended) is taken from what is available, as far as that goes: the
 * cardholder owes it, but it was not kept for the merchant.
 */
#include "gateway/issuer/presentments.h"

#include "gateway/issuer/balances.h"

#include <stdio.h>
#include <string.h>

#define CLOSED "42"

enum setpay_error setpay_presentment_find_original(struct setpay_db *db,
                                                   const struct setpay_account_key *key,
                                                   struct setpay_presentment_of *of)
{
    struct setpay_db_rows *rows;
    struct setpay_presentment_of got;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT id, sale, account, currency, approved_minor, authorised_minor,"
                             " held_minor, presented_minor, credited_minor, disputed_minor"
                             " FROM card_authorisation"
                             " WHERE acquirer = $1 AND stan = $2 AND sent = $3",
                             SETPAY_DB_TEXT(key->acquirer), SETPAY_DB_INT(key->stan),
                             SETPAY_DB_TEXT(key->sent)));
    got.id = setpay_db_get_int(rows, 0);
    got.sale = setpay_db_get_bool(rows, 1);
    setpay_db_get_text(rows, 2, got.account, sizeof(got.account));
    setpay_db_get_text(rows, 3, got.currency, sizeof(got.currency));
    got.approved_minor = setpay_db_get_int(rows, 4);
    got.authorised_minor = setpay_db_get_int(rows, 5);
    got.held_minor = setpay_db_get_int(rows, 6);
    got.presented_minor = setpay_db_get_int(rows, 7);
    got.credited_minor = setpay_db_get_int(rows, 8);
    got.disputed_minor = setpay_db_get_int(rows, 9);
    SETPAY_TRY(setpay_db_end(rows));
    *of = got;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ rows */

static enum setpay_error next_number(struct setpay_db *db, int64_t *number)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(
        setpay_db_one(db, &rows, "SELECT COALESCE(MAX(number), 0) + 1 FROM card_presentment"));
    *number = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static bool gives_back(const char *kind)
{
    return strcmp(kind, "credit") == 0 || strcmp(kind, "sale-reversal") == 0;
}

enum setpay_error setpay_presentment_book(struct setpay_db *db,
                                          const struct setpay_presentment_row *row,
                                          int64_t held_minor)
{
    int64_t number;
    SETPAY_TRY(next_number(db, &number));
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO card_presentment (number, acquirer, id, authorisation, kind, currency,"
        " amount_minor, result, message_count, first_ms)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9)",
        SETPAY_DB_INT(number), SETPAY_DB_TEXT(row->acquirer), SETPAY_DB_TEXT(row->id),
        SETPAY_DB_INT(row->authorisation), SETPAY_DB_TEXT(row->kind), SETPAY_DB_TEXT(row->currency),
        SETPAY_DB_INT(row->amount_minor), SETPAY_DB_TEXT(row->result), SETPAY_DB_INT(row->now)));
    if (strcmp(row->result, "00") != 0)
        return SETPAY_OK;
    const struct setpay_balance_entry entry = {
        .account = row->account,
        .currency = row->currency,
        .kind = row->kind,
        .amount_minor = gives_back(row->kind) ? row->amount_minor : -row->amount_minor,
        .presentment = number,
        .now = row->now,
    };
    return setpay_balance_post(db, &entry, held_minor);
}

enum setpay_error setpay_presentment_sale_id(struct setpay_db *db, int64_t authorisation,
                                             char id[33])
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows, "SELECT id FROM card_presentment WHERE authorisation = $1 AND kind = 'sale'",
        SETPAY_DB_INT(authorisation)));
    setpay_db_get_text(rows, 0, id, 33);
    return setpay_db_end(rows);
}

/* ------------------------------------------------------------------ 0220 */

/* The code for one that came before. SETPAY_E_NOT_FOUND: it is the first. */
static enum setpay_error find_presented(struct setpay_db *db,
                                        const struct setpay_account_presentment *presentment,
                                        char code[3])
{
    struct setpay_db_rows *rows;
    char kind[16];
    char currency[4];
    char result[3];
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT kind, currency, amount_minor, result, number"
                             " FROM card_presentment"
                             " WHERE acquirer = $1 AND id = $2 ORDER BY number LIMIT 1",
                             SETPAY_DB_TEXT(presentment->original.acquirer),
                             SETPAY_DB_TEXT(presentment->id)));
    setpay_db_get_text(rows, 0, kind, sizeof(kind));
    setpay_db_get_text(rows, 1, currency, sizeof(currency));
    int64_t minor = setpay_db_get_int(rows, 2);
    setpay_db_get_text(rows, 3, result, sizeof(result));
    int64_t number = setpay_db_get_int(rows, 4);
    SETPAY_TRY(setpay_db_end(rows));
    bool same = strcmp(kind, presentment->credits ? "credit" : "capture") == 0 &&
                minor == presentment->amount.minor &&
                strcmp(currency, presentment->amount.currency) == 0;
    const char *answer = !same ? "12" : strcmp(result, "00") == 0 ? "94" : result;
    memcpy(code, answer, 3);
    return setpay_db_run(db,
                         "UPDATE card_presentment SET message_count = message_count + 1"
                         " WHERE number = $1",
                         SETPAY_DB_INT(number));
}

/* Pure. */
static const char *judge(const struct setpay_presentment_of *of,
                         const struct setpay_balance *balance,
                         const struct setpay_account_presentment *presentment)
{
    int64_t minor = presentment->amount.minor;
    if (of->approved_minor == 0)
        return "25";
    if (strcmp(of->currency, presentment->amount.currency) != 0)
        return "13";
    if (presentment->credits)
        return minor <= of->presented_minor - of->credited_minor - of->disputed_minor ? "00" : "13";
    if (minor > of->authorised_minor - of->presented_minor)
        return "13";
    if (minor <= of->held_minor)
        return "00";
    if (balance->closed)
        return CLOSED;
    return balance->limited && minor - of->held_minor > balance->available_minor ? "51" : "00";
}

static enum setpay_error book(struct setpay_db *db, const struct setpay_presentment_of *of,
                              const struct setpay_account_presentment *presentment,
                              const char *result)
{
    int64_t minor = presentment->amount.minor;
    bool booked = strcmp(result, "00") == 0;
    int64_t from_hold = 0;
    if (!presentment->credits && booked)
        from_hold = minor < of->held_minor ? minor : of->held_minor;
    int64_t held = of->held_minor - from_hold;
    if (booked)
        SETPAY_TRY(setpay_db_run(
            db,
            "UPDATE card_authorisation SET held_minor = $1, presented_minor = presented_minor + $2,"
            " credited_minor = credited_minor + $3, state = $4 WHERE id = $5",
            SETPAY_DB_INT(held), SETPAY_DB_INT(presentment->credits ? 0 : minor),
            SETPAY_DB_INT(presentment->credits ? minor : 0),
            SETPAY_DB_TEXT(held > 0                                ? "held"
                           : of->sale && of->authorised_minor == 0 ? "reversed"
                                                                   : "cleared"),
            SETPAY_DB_INT(of->id)));
    const struct setpay_presentment_row row = {
        .acquirer = presentment->original.acquirer,
        .id = presentment->id,
        .authorisation = of->id,
        .account = of->account,
        .kind = presentment->credits ? "credit" : "capture",
        .currency = presentment->amount.currency,
        .amount_minor = minor,
        .result = result,
        .now = presentment->now,
    };
    return setpay_presentment_book(db, &row, -from_hold);
}

enum setpay_error setpay_account_present(struct setpay_db *db,
                                         const struct setpay_account_presentment *presentment,
                                         char response_code[3])
{
    struct setpay_presentment_of of = {.id = 0};
    struct setpay_balance balance = {.closed = false};
    enum setpay_error error = find_presented(db, presentment, response_code);
    if (error != SETPAY_E_NOT_FOUND)
        return error;
    error = setpay_presentment_find_original(db, &presentment->original, &of);
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    if (of.id != 0 && of.account[0] != '\0') {
        SETPAY_TRY(setpay_account_expire(db, of.account, presentment->now));
        SETPAY_TRY(setpay_presentment_find_original(db, &presentment->original, &of));
        SETPAY_TRY(setpay_balance_find(db, of.account, of.currency, presentment->now, &balance));
    }
    const char *code = judge(&of, &balance, presentment);
    SETPAY_TRY(book(db, &of, presentment, code));
    memcpy(response_code, code, 3);
    return SETPAY_OK;
}
