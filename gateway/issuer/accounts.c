/*
 * The books of the simulated issuer. An account without a limit (available_minor NULL) approves any
 * amount in any currency; a limited one is of one currency, and what is held is taken from what is
 * available. The database holds no card number: an account is known by its card's name.
 *
 * States of an authorisation: declined; held -> reversed, or cleared once nothing of it is held and
 * something was presented (presentments.c).
 */
#include "gateway/issuer/accounts.h"

#include "gateway/issuer/settled.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct setpay_store_migration steps[] = {
    {1, "CREATE TABLE account ("
        " name TEXT PRIMARY KEY,"
        " brand TEXT NOT NULL,"
        " last4 TEXT NOT NULL,"
        " currency TEXT NOT NULL,"
        " available_minor BIGINT);"
        "CREATE TABLE card_authorisation ("
        " id BIGINT PRIMARY KEY,"
        " acquirer TEXT NOT NULL, stan BIGINT NOT NULL, sent TEXT NOT NULL,"
        " account TEXT NOT NULL,"
        " rrn TEXT NOT NULL, acceptor TEXT NOT NULL,"
        " currency TEXT NOT NULL,"
        " asked_minor BIGINT NOT NULL, approved_minor BIGINT NOT NULL,"
        " held_minor BIGINT NOT NULL,"
        " response_code TEXT NOT NULL, approval_code TEXT NOT NULL,"
        " avs_result TEXT NOT NULL, cvv_result TEXT NOT NULL,"
        " state TEXT NOT NULL,"
        " xid TEXT NOT NULL, pomd TEXT NOT NULL,"
        " booked_ms BIGINT NOT NULL,"
        " UNIQUE (acquirer, stan, sent));"
        "CREATE INDEX card_authorisation_account ON card_authorisation (account, state);"
        "CREATE TABLE card_reversal ("
        " acquirer TEXT NOT NULL, stan BIGINT NOT NULL, sent TEXT NOT NULL,"
        " remaining_minor BIGINT NOT NULL,"
        " matched BIGINT NOT NULL,"
        " message_count BIGINT NOT NULL,"
        " first_ms BIGINT NOT NULL,"
        " PRIMARY KEY (acquirer, stan, sent));"},
    {2, "ALTER TABLE card_authorisation ADD COLUMN presented_minor BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE card_authorisation ADD COLUMN credited_minor BIGINT NOT NULL DEFAULT 0;"
        "CREATE TABLE card_presentment ("
        " acquirer TEXT NOT NULL, id TEXT NOT NULL, authorisation BIGINT NOT NULL,"
        " credits BIGINT NOT NULL, currency TEXT NOT NULL, amount_minor BIGINT NOT NULL,"
        " message_count BIGINT NOT NULL, first_ms BIGINT NOT NULL,"
        " PRIMARY KEY (acquirer, id));"},
    {3, "ALTER TABLE card_authorisation ADD COLUMN sale BIGINT NOT NULL DEFAULT "
        "0;" SETPAY_SETTLED_SCHEMA},
    {0, NULL},
};

static const char *const erasable[] = {NULL}; /* no row is ever deleted */
const struct setpay_store_schema setpay_account_schema = {
    .name = "issuer", .steps = steps, .erasable = erasable};

enum setpay_error setpay_account_seed(struct setpay_db *db, void *unused)
{
    size_t count;
    const struct setpay_card *cards = setpay_card_table(&count);
    (void)unused;
    for (size_t i = 0; i < count; i++) {
        bool limited = cards[i].rule == SETPAY_CARD_BALANCE;
        SETPAY_TRY(setpay_db_run(
            db,
            "INSERT INTO account (name, brand, last4, currency, available_minor)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            SETPAY_DB_TEXT(cards[i].name), SETPAY_DB_TEXT(cards[i].brand),
            SETPAY_DB_TEXT(setpay_card_last4(&cards[i])), SETPAY_DB_TEXT(cards[i].currency),
            limited ? SETPAY_DB_INT(cards[i].balance_minor) : SETPAY_DB_NULL()));
    }
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

static enum setpay_error find_available(struct setpay_db *db, const char *account, bool *limited,
                                        int64_t *available_minor)
{
    struct setpay_db_rows *rows;
    *limited = false;
    *available_minor = 0;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT available_minor FROM account WHERE name = $1",
                             SETPAY_DB_TEXT(account)));
    if (!setpay_db_is_null(rows, 0)) {
        *limited = true;
        *available_minor = setpay_db_get_int(rows, 0);
    }
    return setpay_db_end(rows);
}

/* What the card's rule says to this amount: response code and approved amount. Pure. */
static void decide(const struct setpay_account_ask *ask, bool limited, int64_t available_minor,
                   struct setpay_account_answer *answer)
{
    const struct setpay_card *card = ask->card;
    const char *code = "00";
    int64_t approved = ask->amount.minor;
    bool own_currency = card != NULL && strcmp(card->currency, ask->amount.currency) == 0;
    if (ask->advice && card != NULL)
        code = "00"; /* it has happened */
    else if (ask->forced_code != NULL)
        code = ask->forced_code;
    else if (card == NULL)
        code = "14";
    else if (card->rule == SETPAY_CARD_DECLINE || card->rule == SETPAY_CARD_CODE_MISMATCH)
        code = card->action_code;
    else if (card->rule == SETPAY_CARD_ONE_CURRENCY && !own_currency)
        code = "57";
    else if (limited && (!own_currency || ask->amount.minor > available_minor))
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

static enum setpay_error take_available(struct setpay_db *db, const char *account, int64_t minor)
{
    return setpay_db_run(db,
                         "UPDATE account SET available_minor = available_minor - $1"
                         " WHERE name = $2 AND available_minor IS NOT NULL",
                         SETPAY_DB_INT(minor), SETPAY_DB_TEXT(account));
}

/* What it holds is charged at once. */
static enum setpay_error book_sale(struct setpay_db *db, const struct setpay_account_ask *ask,
                                   int64_t minor)
{
    struct setpay_account_presentment sale = {
        .original = ask->key,
        .amount = ask->amount,
        .period = ask->period,
        .now = ask->now,
    };
    char code[3];
    sale.amount.minor = minor;
    memcpy(sale.id, ask->presentment, sizeof(sale.id));
    SETPAY_TRY(setpay_account_present(db, &sale, code));
    return strcmp(code, "00") == 0 ? SETPAY_OK : SETPAY_E_CONFLICT;
}

enum setpay_error setpay_account_authorise(struct setpay_db *db,
                                           const struct setpay_account_ask *ask,
                                           struct setpay_account_answer *answer)
{
    const struct setpay_account_key *key = &ask->key;
    const char *account = ask->card == NULL ? "" : ask->card->name;
    bool limited = false;
    bool reversed;
    int64_t available = 0;
    int64_t remaining = 0;
    int64_t id;
    memset(answer, 0, sizeof(*answer));
    enum setpay_error error = find_booked(db, key, answer);
    if (error != SETPAY_E_NOT_FOUND)
        return error;
    if (ask->card != NULL)
        SETPAY_TRY(find_available(db, account, &limited, &available));
    decide(ask, limited, available, answer);
    SETPAY_TRY(find_reversal(db, key, &reversed, &remaining));
    SETPAY_TRY(next_id(db, &id));
    int64_t held = answer->approved_minor;
    if (reversed && held > remaining)
        held = remaining;
    if (reversed && held == 0 && answer->approved_minor > 0) {
        /* Reversed before it came: no hold, and no approval that could be mistaken for one. */
        memcpy(answer->response_code, "05", sizeof("05"));
        answer->approved_minor = 0;
    }
    if (answer->approved_minor > 0)
        approval_code_make(id, answer->approval_code);
    const char *state = held > 0 ? "held" : reversed ? "reversed" : "declined";
    const char avs[2] = {answer->avs_result, '\0'};
    const char cvv[2] = {answer->cvv_result, '\0'};
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO card_authorisation (id, acquirer, stan, sent, account, rrn, acceptor,"
        " currency, asked_minor, approved_minor, held_minor, response_code, approval_code,"
        " avs_result, cvv_result, state, xid, pomd, booked_ms, sale) VALUES ($1, $2, $3, $4, $5,"
        " $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        SETPAY_DB_INT(id), SETPAY_DB_TEXT(key->acquirer), SETPAY_DB_INT(key->stan),
        SETPAY_DB_TEXT(key->sent), SETPAY_DB_TEXT(account), SETPAY_DB_TEXT(ask->rrn),
        SETPAY_DB_TEXT(ask->acceptor), SETPAY_DB_TEXT(ask->amount.currency),
        SETPAY_DB_INT(ask->amount.minor), SETPAY_DB_INT(answer->approved_minor),
        SETPAY_DB_INT(held), SETPAY_DB_TEXT(answer->response_code),
        SETPAY_DB_TEXT(answer->approval_code), SETPAY_DB_TEXT(avs), SETPAY_DB_TEXT(cvv),
        SETPAY_DB_TEXT(state), SETPAY_DB_TEXT(ask->xid), SETPAY_DB_TEXT(ask->pomd),
        SETPAY_DB_INT(ask->now), SETPAY_DB_BOOL(ask->sale)));
    if (held > 0)
        SETPAY_TRY(take_available(db, account, held));
    return ask->sale && held > 0 ? book_sale(db, ask, held) : SETPAY_OK;
}

/* ------------------------------------------------------------------ reversals */

/* What a sale has charged is given back. */
static enum setpay_error undo_sale(struct setpay_db *db, int64_t id, const char *account,
                                   int64_t minor)
{
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE card_authorisation SET state = 'reversed',"
                             " presented_minor = 0 WHERE id = $1",
                             SETPAY_DB_INT(id)));
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE card_presentment SET amount_minor = 0"
                             " WHERE authorisation = $1 AND credits = 0",
                             SETPAY_DB_INT(id)));
    return take_available(db, account, -minor);
}

/* Lowers the hold to what the reversal leaves; a second time nothing is left to lower. */
static enum setpay_error hold_lower(struct setpay_db *db, const struct setpay_account_key *key,
                                    int64_t remaining_minor, int64_t *id)
{
    struct setpay_db_rows *rows;
    char account[64];
    char state[16];
    *id = 0;
    enum setpay_error error = setpay_db_one(
        db, &rows,
        "SELECT id, account, held_minor, state, presented_minor, sale FROM card_authorisation"
        " WHERE acquirer = $1 AND stan = $2 AND sent = $3",
        SETPAY_DB_TEXT(key->acquirer), SETPAY_DB_INT(key->stan), SETPAY_DB_TEXT(key->sent));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    if (error != SETPAY_OK)
        return error;
    *id = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, account, sizeof(account));
    int64_t held = setpay_db_get_int(rows, 2);
    setpay_db_get_text(rows, 3, state, sizeof(state));
    int64_t presented = setpay_db_get_int(rows, 4);
    bool sale = setpay_db_get_bool(rows, 5);
    SETPAY_TRY(setpay_db_end(rows));
    if (sale)
        return strcmp(state, "cleared") == 0 ? undo_sale(db, *id, account, presented) : SETPAY_OK;
    /* What stays authorised is held only as far as it has not been presented. */
    remaining_minor = remaining_minor > presented ? remaining_minor - presented : 0;
    if (strcmp(state, "held") != 0 || held <= remaining_minor)
        return SETPAY_OK;
    SETPAY_TRY(
        setpay_db_run(db, "UPDATE card_authorisation SET held_minor = $1, state = $2 WHERE id = $3",
                      SETPAY_DB_INT(remaining_minor),
                      SETPAY_DB_TEXT(remaining_minor > 0 ? "held"
                                     : presented > 0     ? "cleared"
                                                         : "reversed"),
                      SETPAY_DB_INT(*id)));
    return take_available(db, account, remaining_minor - held);
}

enum setpay_error setpay_account_reverse(struct setpay_db *db, const struct setpay_account_key *key,
                                         int64_t remaining_minor, setpay_time_ms now, bool *known)
{
    int64_t id;
    SETPAY_TRY(hold_lower(db, key, remaining_minor, &id));
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

/* ------------------------------------------------------------------ lists */

static void set_text(json_t *row, const char *name, struct setpay_db_rows *rows, int column)
{
    char text[128];
    setpay_db_get_text(rows, column, text, sizeof(text));
    json_object_set_new(row, name, json_string(text));
}

static void set_int(json_t *row, const char *name, struct setpay_db_rows *rows, int column)
{
    json_object_set_new(row, name, json_integer(setpay_db_get_int(rows, column)));
}

static enum setpay_error list_held(struct setpay_db *db, const char *account, json_t *held)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT currency, CAST(SUM(held_minor) AS BIGINT)"
                                " FROM card_authorisation WHERE account = $1 AND state = 'held'"
                                " GROUP BY currency ORDER BY currency",
                                SETPAY_DB_TEXT(account)));
    while (setpay_db_next(rows)) {
        char currency[4];
        setpay_db_get_text(rows, 0, currency, sizeof(currency));
        json_object_set_new(held, currency, json_integer(setpay_db_get_int(rows, 1)));
    }
    return setpay_db_end(rows);
}

enum setpay_error setpay_account_list(struct setpay_db *db, const char *last4, json_t **list)
{
    struct setpay_db_rows *rows;
    size_t i;
    json_t *row;
    json_t *all = json_array();
    enum setpay_error error =
        setpay_db_select(db, &rows,
                         "SELECT name, brand, last4, currency, available_minor FROM account"
                         " WHERE $1 = '' OR last4 = $1 ORDER BY name",
                         SETPAY_DB_TEXT(last4));
    if (error != SETPAY_OK)
        goto out;
    while (setpay_db_next(rows)) {
        row = json_object();
        set_text(row, "name", rows, 0);
        set_text(row, "brand", rows, 1);
        set_text(row, "last4", rows, 2);
        set_text(row, "currency", rows, 3);
        if (setpay_db_is_null(rows, 4))
            json_object_set_new(row, "available", json_null());
        else
            set_int(row, "available", rows, 4);
        json_object_set_new(row, "held", json_object());
        json_array_append_new(all, row);
    }
    error = setpay_db_end(rows);
    json_array_foreach(all, i, row)
    {
        if (error == SETPAY_OK)
            error = list_held(db, json_string_value(json_object_get(row, "name")),
                              json_object_get(row, "held"));
    }
out:
    if (error != SETPAY_OK)
        json_decref(all);
    else
        *list = all;
    return error;
}

enum setpay_error setpay_account_list_authorisations(struct setpay_db *db, const char *last4,
                                                     bool held_only, json_t **list)
{
    struct setpay_db_rows *rows;
    json_t *all = json_array();
    enum setpay_error error = setpay_db_select(
        db, &rows,
        "SELECT z.id, z.account, z.currency, z.asked_minor, z.approved_minor, z.held_minor,"
        " z.response_code, z.approval_code, z.state, z.stan, z.sent, z.rrn, z.acceptor, z.xid,"
        " z.pomd, z.booked_ms, z.avs_result, z.cvv_result"
        " FROM card_authorisation z LEFT JOIN account a ON a.name = z.account"
        " WHERE ($1 = '' OR a.last4 = $1) AND ($2 = 0 OR z.state = 'held') ORDER BY z.id",
        SETPAY_DB_TEXT(last4), SETPAY_DB_BOOL(held_only));
    if (error != SETPAY_OK) {
        json_decref(all);
        return error;
    }
    while (setpay_db_next(rows)) {
        static const char *const names[] = {
            "id",        "account",       "currency",      "asked", "approved",
            "held",      "response_code", "approval_code", "state", "stan",
            "sent",      "rrn",           "acceptor",      "xid",   "pomd",
            "booked_ms", "avs_result",    "cvv_result",
        };
        json_t *row = json_object();
        for (int c = 0; c < (int)(sizeof(names) / sizeof(names[0])); c++) {
            if (c == 0 || (c >= 3 && c <= 5) || c == 9 || c == 15)
                set_int(row, names[c], rows, c);
            else
                set_text(row, names[c], rows, c);
        }
        json_array_append_new(all, row);
    }
    error = setpay_db_end(rows);
    if (error != SETPAY_OK)
        json_decref(all);
    else
        *list = all;
    return error;
}

enum setpay_error setpay_account_list_reversals(struct setpay_db *db, json_t **list)
{
    struct setpay_db_rows *rows;
    json_t *all = json_array();
    enum setpay_error error = setpay_db_select(
        db, &rows,
        "SELECT acquirer, stan, sent, remaining_minor, matched, message_count FROM card_reversal"
        " ORDER BY first_ms, stan");
    if (error != SETPAY_OK) {
        json_decref(all);
        return error;
    }
    while (setpay_db_next(rows)) {
        json_t *row = json_object();
        set_text(row, "acquirer", rows, 0);
        set_int(row, "stan", rows, 1);
        set_text(row, "sent", rows, 2);
        set_int(row, "remaining", rows, 3);
        set_int(row, "matched", rows, 4);
        set_int(row, "messages", rows, 5);
        json_array_append_new(all, row);
    }
    error = setpay_db_end(rows);
    if (error != SETPAY_OK)
        json_decref(all);
    else
        *list = all;
    return error;
}
