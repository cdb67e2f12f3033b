/*
 * The books as lists for the operator.
 */
#include "gateway/issuer/accounts.h"

#include <stdio.h>
#include <string.h>

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

/* Each currency's balance, and, of old, what is held of those in which something is. */
static enum setpay_error list_balances(struct setpay_db *db, json_t *account)
{
    struct setpay_db_rows *rows;
    json_t *held = json_object();
    json_t *balances = json_object();
    json_object_set_new(account, "held", held);
    json_object_set_new(account, "balances", balances);
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT currency, booked_minor, held_minor, available_minor, purchase_limit_minor,"
        " daily_limit_minor FROM account_balance WHERE account = $1 ORDER BY currency",
        SETPAY_DB_TEXT(json_string_value(json_object_get(account, "name")))));
    while (setpay_db_next(rows)) {
        static const char *const names[] = {"booked", "held", "available", "limit", "daily_limit"};
        char currency[4];
        json_t *balance = json_object();
        setpay_db_get_text(rows, 0, currency, sizeof(currency));
        for (int c = 0; c < 5; c++)
            if (!setpay_db_is_null(rows, c + 1))
                set_int(balance, names[c], rows, c + 1);
        if (setpay_db_get_int(rows, 2) != 0)
            set_int(held, currency, rows, 2);
        json_object_set_new(balances, currency, balance);
    }
    return setpay_db_end(rows);
}

enum setpay_error setpay_account_list(struct setpay_db *db, const char *last4, json_t **list)
{
    struct setpay_db_rows *rows;
    size_t i;
    json_t *row;
    json_t *all = json_array();
    enum setpay_error error = setpay_db_select(
        db, &rows,
        "SELECT a.name, a.brand, a.last4, a.currency, b.available_minor, a.limited,"
        " a.state FROM account a LEFT JOIN account_balance b"
        " ON b.account = a.name AND b.currency = a.currency"
        " WHERE $1 = '' OR a.last4 = $1 ORDER BY a.name",
        SETPAY_DB_TEXT(last4));
    if (error != SETPAY_OK)
        goto out;
    while (setpay_db_next(rows)) {
        row = json_object();
        set_text(row, "name", rows, 0);
        set_text(row, "brand", rows, 1);
        set_text(row, "last4", rows, 2);
        set_text(row, "currency", rows, 3);
        set_text(row, "state", rows, 6);
        bool limited = setpay_db_get_bool(rows, 5);
        json_object_set_new(row, "limited", json_boolean(limited));
        if (!limited || setpay_db_is_null(rows, 4))
            json_object_set_new(row, "available", json_null());
        else
            set_int(row, "available", rows, 4);
        json_array_append_new(all, row);
    }
    error = setpay_db_end(rows);
    json_array_foreach(all, i, row)
    {
        if (error == SETPAY_OK)
            error = list_balances(db, row);
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
        " z.pomd, z.booked_ms, z.avs_result, z.cvv_result, z.authorised_minor, z.presented_minor,"
        " z.credited_minor, z.disputed_minor, z.sale, z.hold_end_ms"
        " FROM card_authorisation z LEFT JOIN account a ON a.name = z.account"
        " WHERE ($1 = '' OR a.last4 = $1) AND ($2 = 0 OR z.state = 'held') ORDER BY z.id",
        SETPAY_DB_TEXT(last4), SETPAY_DB_BOOL(held_only));
    if (error != SETPAY_OK) {
        json_decref(all);
        return error;
    }
    while (setpay_db_next(rows)) {
        static const char *const names[] = {
            "id",        "account",       "currency",      "asked",       "approved",
            "held",      "response_code", "approval_code", "state",       "stan",
            "sent",      "rrn",           "acceptor",      "xid",         "pomd",
            "booked_ms", "avs_result",    "cvv_result",    "authorised",  "presented",
            "credited",  "disputed",      "sale",          "hold_end_ms",
        };
        json_t *row = json_object();
        for (int c = 0; c < (int)(sizeof(names) / sizeof(names[0])); c++) {
            if (c == 0 || (c >= 3 && c <= 5) || c == 9 || c == 15 || c >= 18)
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

/* ------------------------------------------------------------------ presentments */

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
        {"kind", false},  {"result", false},
    };
    return list_rows(db,
                     "SELECT p.id, COALESCE(z.account, ''), COALESCE(z.xid, ''),"
                     " CASE WHEN p.kind IN ('credit', 'sale-reversal') THEN 1 ELSE 0 END,"
                     " p.amount_minor, p.currency, p.message_count, p.first_ms, p.kind, p.result"
                     " FROM card_presentment p"
                     " LEFT JOIN card_authorisation z ON z.id = p.authorisation"
                     " ORDER BY p.number",
                     columns, sizeof(columns) / sizeof(columns[0]), list);
}

enum setpay_error setpay_account_list_booked(struct setpay_db *db, json_t **list)
{
    static const struct column columns[] = {
        {"account", false}, {"currency", false}, {"booked", true}};
    return list_rows(
        db,
        "SELECT account, currency, CAST(-SUM(amount_minor) AS BIGINT) FROM account_entry"
        " WHERE presentment <> 0 GROUP BY account, currency"
        " ORDER BY account, currency",
        columns, sizeof(columns) / sizeof(columns[0]), list);
}
