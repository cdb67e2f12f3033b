/*
 * Authorisations and their reversals. An account that is not limited approves any amount in any
 * currency; of a limited one no more than is available (balances.h).
 *
 * States of an authorisation: declined; held -> reversed, expired, or cleared once nothing of it is
 * held and something was presented (presentments.c). A sale is cleared at once, or reversed.
 */
#include "gateway/issuer/accounts.h"

#include "gateway/issuer/balances.h"
#include "gateway/issuer/presentments.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CLOSED "42"
#define AT_ONCE 256

enum setpay_error setpay_account_expire(struct setpay_db *db, const char *account,
                                        setpay_time_ms now)
{
    int count = AT_ONCE;
    while (count == AT_ONCE)
        SETPAY_TRY(setpay_balance_expire(db, account, now, AT_ONCE, &count));
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ authorisations */

static char result_get(struct setpay_db_rows *rows, int column)
{
    char text[2];
    setpay_db_get_text(rows, column, text, sizeof(text));
    return text[0];
}

/* The answer of the first time. SETPAY_E_NOT_FOUND where this is the first. */
static enum setpay_error find_booked(struct setpay_db *db, const struct setpay_account_key *key,
                                     struct setpay_account_answer *answer)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT response_code, approval_code, approved_minor, avs_result,"
                             " cvv_result FROM card_authorisation"
                             " WHERE acquirer = $1 AND stan = $2 AND sent = $3",
                             SETPAY_DB_TEXT(key->acquirer), SETPAY_DB_INT(key->stan),
                             SETPAY_DB_TEXT(key->sent)));
    setpay_db_get_text(rows, 0, answer->response_code, sizeof(answer->response_code));
    setpay_db_get_text(rows, 1, answer->approval_code, sizeof(answer->approval_code));
    answer->approved_minor = setpay_db_get_int(rows, 2);
    answer->avs_result = result_get(rows, 3);
    answer->cvv_result = result_get(rows, 4);
    answer->repeated = true;
    return setpay_db_end(rows);
}

/* A limit in this currency, of one purchase or of a day, that the amount is above. */
static bool above_limit(const struct setpay_account_ask *ask, const struct setpay_balance *balance)
{
    int64_t minor = ask->amount.minor;
    int64_t purchase = balance->purchase_limit_minor;
    int64_t daily = balance->daily_limit_minor;
    return (purchase != SETPAY_BALANCE_NO_LIMIT && minor > purchase) ||
           (daily != SETPAY_BALANCE_NO_LIMIT && minor > daily - balance->spent_today_minor);
}

/* What card and account say to this amount: response code and approved amount. Pure. */
static void decide(const struct setpay_account_ask *ask, const struct setpay_balance *balance,
                   bool known, struct setpay_account_answer *answer)
{
    const struct setpay_card *card = ask->card;
    const char *code = "00";
    int64_t approved = ask->amount.minor;
    if (ask->advice && card != NULL)
        code = "00"; /* it has happened */
    else if (ask->forced_code != NULL)
        code = ask->forced_code;
    else if (card == NULL)
        code = "14";
    else if (card->rule == SETPAY_CARD_DECLINE || card->rule == SETPAY_CARD_CODE_MISMATCH)
        code = card->action_code;
    else if (balance->closed)
        code = CLOSED;
    else if (!known || (card->rule == SETPAY_CARD_ONE_CURRENCY &&
                        strcmp(card->currency, ask->amount.currency) != 0))
        code = "57";
    else if (above_limit(ask, balance))
        code = "61";
    else if (balance->limited && ask->amount.minor > balance->available_minor)
        code = "51";
    else if (card->rule == SETPAY_CARD_PARTIAL && ask->amount.minor > 1) {
        code = "10";
        approved = ask->amount.minor - ask->amount.minor / 2;
    }
    bool yes = strcmp(code, "00") == 0 || strcmp(code, "10") == 0;
    snprintf(answer->response_code, sizeof(answer->response_code), "%s", code);
    answer->approved_minor = yes ? approved : 0;
    answer->avs_result = ask->avs_result;
    answer->cvv_result = ask->cvv_result;
}

/* Approval codes walk through all six-digit numbers before one comes again: the factor has no
 * divisor in common with a million. */
static void approval_code_make(int64_t id, char out[7])
{
    char digits[32];
    snprintf(digits, sizeof(digits), "%06" PRId64, (id % 1000000 * 567891 + 123457) % 1000000);
    memcpy(out, digits, 6);
    out[6] = '\0';
}

/* What a reversal that came first has left. *found false: none came. */
static enum setpay_error find_reversal(struct setpay_db *db, const struct setpay_account_key *key,
                                       bool *found, int64_t *remaining_minor)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = setpay_db_one(db, &rows,
                                            "SELECT remaining_minor FROM card_reversal"
                                            " WHERE acquirer = $1 AND stan = $2 AND sent = $3",
                                            SETPAY_DB_TEXT(key->acquirer), SETPAY_DB_INT(key->stan),
                                            SETPAY_DB_TEXT(key->sent));
    *found = error == SETPAY_OK;
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    if (error != SETPAY_OK)
        return error;
    *remaining_minor = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static enum setpay_error next_id(struct setpay_db *db, int64_t *id)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COALESCE(MAX(id), 0) + 1 FROM card_authorisation"));
    *id = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static enum setpay_error insert(struct setpay_db *db, const struct setpay_account_ask *ask,
                                const struct setpay_account_answer *answer, int64_t id,
                                int64_t authorised_minor, const char *state)
{
    const char avs[2] = {answer->avs_result, '\0'};
    const char cvv[2] = {answer->cvv_result, '\0'};
    return setpay_db_run(
        db,
        "INSERT INTO card_authorisation (id, acquirer, stan, sent, account, rrn, acceptor,"
        " currency, asked_minor, approved_minor, held_minor, response_code, approval_code,"
        " avs_result, cvv_result, state, xid, pomd, booked_ms, sale, authorised_minor,"
        " presented_minor, hold_end_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
        " $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)",
        SETPAY_DB_INT(id), SETPAY_DB_TEXT(ask->key.acquirer), SETPAY_DB_INT(ask->key.stan),
        SETPAY_DB_TEXT(ask->key.sent), SETPAY_DB_TEXT(ask->card == NULL ? "" : ask->card->name),
        SETPAY_DB_TEXT(ask->rrn), SETPAY_DB_TEXT(ask->acceptor),
        SETPAY_DB_TEXT(ask->amount.currency), SETPAY_DB_INT(ask->amount.minor),
        SETPAY_DB_INT(answer->approved_minor), SETPAY_DB_INT(ask->sale ? 0 : authorised_minor),
        SETPAY_DB_TEXT(answer->response_code), SETPAY_DB_TEXT(answer->approval_code),
        SETPAY_DB_TEXT(avs), SETPAY_DB_TEXT(cvv), SETPAY_DB_TEXT(state), SETPAY_DB_TEXT(ask->xid),
        SETPAY_DB_TEXT(ask->pomd), SETPAY_DB_INT(ask->now), SETPAY_DB_BOOL(ask->sale),
        SETPAY_DB_INT(authorised_minor), SETPAY_DB_INT(ask->sale ? authorised_minor : 0),
        SETPAY_DB_INT(ask->now + ask->hold_ms));
}

/* Holds what was authorised, or books it where it is a sale. */
static enum setpay_error take(struct setpay_db *db, const struct setpay_account_ask *ask,
                              int64_t id, int64_t authorised_minor)
{
    char made[33];
    if (!ask->sale)
        return setpay_balance_hold(db, ask->card->name, ask->amount.currency, authorised_minor);
    snprintf(made, sizeof(made), "%032" PRIx64, (uint64_t)id);
    const struct setpay_presentment_row sale = {
        .acquirer = ask->key.acquirer,
        .id = ask->presentment[0] != '\0' ? ask->presentment
              : ask->xid[0] != '\0'       ? ask->xid
                                          : made,
        .authorisation = id,
        .account = ask->card->name,
        .kind = "sale",
        .currency = ask->amount.currency,
        .amount_minor = authorised_minor,
        .result = "00",
        .now = ask->now,
    };
    return setpay_presentment_book(db, &sale, 0);
}

enum setpay_error setpay_account_authorise(struct setpay_db *db,
                                           const struct setpay_account_ask *ask,
                                           struct setpay_account_answer *answer)
{
    struct setpay_balance balance = {.closed = false};
    const char *account = ask->card == NULL ? "" : ask->card->name;
    bool known = false; /* what a merchant goes on with was begun by the cardholder */
    bool reversed;
    int64_t remaining = 0;
    int64_t id;
    memset(answer, 0, sizeof(*answer));
    enum setpay_error error = find_booked(db, &ask->key, answer);
    if (error != SETPAY_E_NOT_FOUND)
        return error;
    if (ask->card != NULL) {
        SETPAY_TRY(setpay_account_expire(db, ask->card->name, ask->now));
        SETPAY_TRY(
            setpay_balance_find(db, ask->card->name, ask->amount.currency, ask->now, &balance));
    }
    SETPAY_TRY(setpay_issuer_stored_is_known(db, account, ask->acceptor, &ask->stored, &known));
    decide(ask, &balance, known, answer);
    SETPAY_TRY(find_reversal(db, &ask->key, &reversed, &remaining));
    SETPAY_TRY(next_id(db, &id));
    int64_t authorised = answer->approved_minor;
    if (reversed && authorised > remaining)
        authorised = remaining;
    if (reversed && authorised == 0 && answer->approved_minor > 0) {
        /* Reversed before it came: no hold, and no approval that could be mistaken for one. */
        memcpy(answer->response_code, "05", sizeof("05"));
        answer->approved_minor = 0;
    }
    if (answer->approved_minor > 0 && ask->approval_code[0] != '\0')
        memcpy(answer->approval_code, ask->approval_code, sizeof(answer->approval_code));
    else if (answer->approved_minor > 0)
        approval_code_make(id, answer->approval_code);
    const char *state = authorised > 0 ? (ask->sale ? "cleared" : "held")
                        : reversed     ? "reversed"
                                       : "declined";
    SETPAY_TRY(insert(db, ask, answer, id, authorised, state));
    if (authorised == 0 || ask->card == NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_issuer_stored_begin(db, account, ask->acceptor, ask->rrn, &ask->stored));
    return take(db, ask, id, authorised);
}

/* ------------------------------------------------------------------ reversals */

/* Gives up the rest of a hold. */
static enum setpay_error hold_lower(struct setpay_db *db,
                                    const struct setpay_presentment_of *original,
                                    int64_t remaining_minor)
{
    /* What stays authorised is held only as far as it has not been presented. */
    int64_t presented = original->presented_minor;
    int64_t left = remaining_minor > presented ? remaining_minor - presented : 0;
    if (original->held_minor <= left)
        return SETPAY_OK;
    SETPAY_TRY(
        setpay_db_run(db, "UPDATE card_authorisation SET held_minor = $1, state = $2 WHERE id = $3",
                      SETPAY_DB_INT(left),
                      SETPAY_DB_TEXT(left > 0        ? "held"
                                     : presented > 0 ? "cleared"
                                                     : "reversed"),
                      SETPAY_DB_INT(original->id)));
    return setpay_balance_hold(db, original->account, original->currency,
                               left - original->held_minor);
}

/* Gives back what a sale has charged, but for what was given back already. */
static enum setpay_error sale_lower(struct setpay_db *db, const struct setpay_account_key *key,
                                    const struct setpay_presentment_of *original,
                                    int64_t remaining_minor, setpay_time_ms now)
{
    int64_t charged =
        original->presented_minor - original->credited_minor - original->disputed_minor;
    int64_t back = original->authorised_minor - remaining_minor;
    if (back > charged)
        back = charged;
    if (remaining_minor == 0)
        SETPAY_TRY(setpay_db_run(db,
                                 "UPDATE card_authorisation SET state = 'reversed' WHERE id = $1",
                                 SETPAY_DB_INT(original->id)));
    if (back == 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE card_authorisation SET credited_minor = credited_minor + $1"
                             " WHERE id = $2",
                             SETPAY_DB_INT(back), SETPAY_DB_INT(original->id)));
    char id[33];
    SETPAY_TRY(setpay_presentment_sale_id(db, original->id, id));
    const struct setpay_presentment_row undone = {
        .acquirer = key->acquirer,
        .id = id,
        .authorisation = original->id,
        .account = original->account,
        .kind = "sale-reversal",
        .currency = original->currency,
        .amount_minor = back,
        .result = "00",
        .now = now,
    };
    return setpay_presentment_book(db, &undone, 0);
}

/* A second time nothing is left to lower. */
static enum setpay_error lower(struct setpay_db *db, const struct setpay_account_key *key,
                               int64_t remaining_minor, setpay_time_ms now, int64_t *id)
{
    struct setpay_presentment_of original;
    *id = 0;
    enum setpay_error error = setpay_presentment_find_original(db, key, &original);
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    if (error != SETPAY_OK)
        return error;
    *id = original.id;
    if (remaining_minor >= original.authorised_minor)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE card_authorisation SET authorised_minor = $1 WHERE id = $2",
                             SETPAY_DB_INT(remaining_minor), SETPAY_DB_INT(original.id)));
    return original.sale ? sale_lower(db, key, &original, remaining_minor, now)
                         : hold_lower(db, &original, remaining_minor);
}

enum setpay_error setpay_account_reverse(struct setpay_db *db, const struct setpay_account_key *key,
                                         int64_t remaining_minor, setpay_time_ms now, bool *known)
{
    int64_t id;
    SETPAY_TRY(lower(db, key, remaining_minor, now, &id));
    *known = id != 0;
    return setpay_db_run(
        db,
        "INSERT INTO card_reversal (acquirer, stan, sent, remaining_minor, matched, message_count,"
        " first_ms) VALUES ($1, $2, $3, $4, $5, 1, $6)"
        " ON CONFLICT (acquirer, stan, sent) DO UPDATE SET"
        " message_count = card_reversal.message_count + 1,"
        " matched = CASE WHEN excluded.matched = 0 THEN card_reversal.matched"
        " ELSE excluded.matched END,"
        " remaining_minor = CASE WHEN excluded.remaining_minor < card_reversal.remaining_minor"
        " THEN excluded.remaining_minor ELSE card_reversal.remaining_minor END",
        SETPAY_DB_TEXT(key->acquirer), SETPAY_DB_INT(key->stan), SETPAY_DB_TEXT(key->sent),
        SETPAY_DB_INT(remaining_minor), SETPAY_DB_INT(id), SETPAY_DB_INT(now));
}
