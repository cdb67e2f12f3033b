/*
 * Presentments in the issuer's books: a hold becomes a charge, or a charge is given back.
 */
#include "gateway/issuer/accounts.h"

#include <string.h>

struct authorisation {
    int64_t id;
    char account[64];
    char currency[4];
    int64_t approved_minor, held_minor, presented_minor, credited_minor;
};

static enum setpay_error find_authorisation(struct setpay_db *db,
                                            const struct setpay_account_key *key,
                                            struct authorisation *found)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT id, account, currency, approved_minor, held_minor,"
                             " presented_minor, credited_minor FROM card_authorisation"
                             " WHERE acquirer = $1 AND stan = $2 AND sent = $3",
                             SETPAY_DB_TEXT(key->acquirer), SETPAY_DB_INT(key->stan),
                             SETPAY_DB_TEXT(key->sent)));
    found->id = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, found->account, sizeof(found->account));
    setpay_db_get_text(rows, 2, found->currency, sizeof(found->currency));
    found->approved_minor = setpay_db_get_int(rows, 3);
    found->held_minor = setpay_db_get_int(rows, 4);
    found->presented_minor = setpay_db_get_int(rows, 5);
    found->credited_minor = setpay_db_get_int(rows, 6);
    return setpay_db_end(rows);
}

/* The code for one that came before. SETPAY_E_NOT_FOUND: it is the first. */
static enum setpay_error find_presented(struct setpay_db *db,
                                        const struct setpay_account_presentment *presentment,
                                        const char **code)
{
    struct setpay_db_rows *rows;
    char currency[4];
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT credits, currency, amount_minor FROM card_presentment"
                             " WHERE acquirer = $1 AND id = $2",
                             SETPAY_DB_TEXT(presentment->original.acquirer),
                             SETPAY_DB_TEXT(presentment->id)));
    bool credits = setpay_db_get_bool(rows, 0);
    setpay_db_get_text(rows, 1, currency, sizeof(currency));
    int64_t minor = setpay_db_get_int(rows, 2);
    SETPAY_TRY(setpay_db_end(rows));
    bool same = credits == presentment->credits && minor == presentment->amount.minor &&
                strcmp(currency, presentment->amount.currency) == 0;
    *code = same ? "94" : "12";
    return setpay_db_run(db,
                         "UPDATE card_presentment SET message_count = message_count + 1"
                         " WHERE acquirer = $1 AND id = $2",
                         SETPAY_DB_TEXT(presentment->original.acquirer),
                         SETPAY_DB_TEXT(presentment->id));
}

/* Pure. */
static const char *judge(const struct authorisation *authorisation,
                         const struct setpay_account_presentment *presentment)
{
    int64_t minor = presentment->amount.minor;
    if (authorisation->approved_minor == 0)
        return "25";
    if (strcmp(authorisation->currency, presentment->amount.currency) != 0)
        return "13";
    int64_t room = presentment->credits
                       ? authorisation->presented_minor - authorisation->credited_minor
                       : authorisation->approved_minor - authorisation->presented_minor;
    return minor <= room ? "00" : "13";
}

/* A charge is taken from what was held for it; a charge above the hold (which was reversed, or has
 * ended) from what is available. A credit becomes available at once. */
static enum setpay_error book(struct setpay_db *db, const struct authorisation *authorisation,
                              const struct setpay_account_presentment *presentment)
{
    int64_t minor = presentment->amount.minor;
    int64_t from_hold = 0;
    if (!presentment->credits)
        from_hold = minor < authorisation->held_minor ? minor : authorisation->held_minor;
    int64_t held = authorisation->held_minor - from_hold;
    int64_t change = presentment->credits ? minor : from_hold - minor;
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE card_authorisation SET held_minor = $1, presented_minor = presented_minor + $2,"
        " credited_minor = credited_minor + $3, state = $4 WHERE id = $5",
        SETPAY_DB_INT(held), SETPAY_DB_INT(presentment->credits ? 0 : minor),
        SETPAY_DB_INT(presentment->credits ? minor : 0),
        SETPAY_DB_TEXT(held > 0 ? "held" : "cleared"), SETPAY_DB_INT(authorisation->id)));
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE account SET available_minor = available_minor + $1"
                             " WHERE name = $2 AND available_minor IS NOT NULL",
                             SETPAY_DB_INT(change), SETPAY_DB_TEXT(authorisation->account)));
    return setpay_db_run(
        db,
        "INSERT INTO card_presentment (acquirer, id, authorisation, credits, currency,"
        " amount_minor, message_count, first_ms) VALUES ($1, $2, $3, $4, $5, $6, 1, $7)",
        SETPAY_DB_TEXT(presentment->original.acquirer), SETPAY_DB_TEXT(presentment->id),
        SETPAY_DB_INT(authorisation->id), SETPAY_DB_BOOL(presentment->credits),
        SETPAY_DB_TEXT(presentment->amount.currency), SETPAY_DB_INT(minor),
        SETPAY_DB_INT(presentment->now));
}

enum setpay_error setpay_account_present(struct setpay_db *db,
                                         const struct setpay_account_presentment *presentment,
                                         char response_code[3])
{
    struct authorisation authorisation = {.id = 0};
    const char *code = "25";
    enum setpay_error error = find_presented(db, presentment, &code);
    if (error == SETPAY_E_NOT_FOUND) {
        error = find_authorisation(db, &presentment->original, &authorisation);
        if (error == SETPAY_OK)
            code = judge(&authorisation, presentment);
        if (error == SETPAY_OK && strcmp(code, "00") == 0)
            error = book(db, &authorisation, presentment);
        if (error == SETPAY_E_NOT_FOUND)
            error = SETPAY_OK;
    }
    SETPAY_TRY(error);
    memcpy(response_code, code, 3);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ lists */

struct column {
    const char *name;
    bool is_number;
};

/* Each row of the query as an object of these columns. */
static enum setpay_error list_rows(struct setpay_db *db, const char *sql,
                                   const struct column *columns, size_t count, json_t **list)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows, sql));
    json_t *all = json_array();
    while (setpay_db_next(rows)) {
        json_t *row = json_object();
        for (size_t c = 0; c < count; c++) {
            char text[128];
            if (columns[c].is_number) {
                json_object_set_new(row, columns[c].name,
                                    json_integer(setpay_db_get_int(rows, (int)c)));
                continue;
            }
            setpay_db_get_text(rows, (int)c, text, sizeof(text));
            json_object_set_new(row, columns[c].name, json_string(text));
        }
        json_array_append_new(all, row);
    }
    enum setpay_error error = setpay_db_end(rows);
    if (error != SETPAY_OK)
        json_decref(all);
    else
        *list = all;
    return error;
}

enum setpay_error setpay_account_list_presentments(struct setpay_db *db, json_t **list)
{
    static const struct column columns[] = {
        {"id", false},    {"account", false},  {"xid", false},     {"credits", true},
        {"amount", true}, {"currency", false}, {"messages", true}, {"booked_ms", true},
    };
    return list_rows(db,
                     "SELECT p.id, z.account, z.xid, p.credits, p.amount_minor, p.currency,"
                     " p.message_count, p.first_ms FROM card_presentment p"
                     " JOIN card_authorisation z ON z.id = p.authorisation"
                     " ORDER BY p.first_ms, p.id",
                     columns, sizeof(columns) / sizeof(columns[0]), list);
}

enum setpay_error setpay_account_list_booked(struct setpay_db *db, json_t **list)
{
    static const struct column columns[] = {
        {"account", false}, {"currency", false}, {"booked", true}};
    return list_rows(db,
                     "SELECT z.account, p.currency, CAST(SUM(CASE p.credits WHEN 0 THEN"
                     " p.amount_minor ELSE -p.amount_minor END) AS BIGINT) FROM card_presentment p"
                     " JOIN card_authorisation z ON z.id = p.authorisation"
                     " GROUP BY z.account, p.currency ORDER BY z.account, p.currency",
                     columns, sizeof(columns) / sizeof(columns[0]), list);
}
