/*
 * The statement of an account: what was booked, in order, with the balance after each entry, and
 * what is held.
 */
#include "gateway/issuer/clearing.h"

#include <string.h>

static enum setpay_error list_entries(struct setpay_db *db, const char *account,
                                      const char *currency, json_t *entries)
{
    struct setpay_db_rows *rows;
    int64_t balance = 0;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT e.booked_ms, e.kind, e.amount_minor, COALESCE(p.id, ''), COALESCE(z.xid, ''),"
        " COALESCE(z.acceptor, '') FROM account_entry e"
        " LEFT JOIN dispute d ON d.number = e.dispute"
        " LEFT JOIN card_presentment p ON p.number = e.presentment OR p.number = d.presentment"
        " LEFT JOIN card_authorisation z ON z.id = p.authorisation"
        " WHERE e.account = $1 AND e.currency = $2 ORDER BY e.number",
        SETPAY_DB_TEXT(account), SETPAY_DB_TEXT(currency)));
    while (setpay_db_next(rows)) {
        char time[SETPAY_TIME_TEXT_SIZE];
        char kind[16];
        char text[3][65];
        setpay_time_ms booked_ms = setpay_db_get_int(rows, 0);
        setpay_db_get_text(rows, 1, kind, sizeof(kind));
        int64_t amount = setpay_db_get_int(rows, 2);
        for (int i = 0; i < 3; i++)
            setpay_db_get_text(rows, 3 + i, text[i], sizeof(text[i]));
        balance += amount;
        json_array_append_new(entries, json_pack("{s:I, s:s, s:s, s:I, s:I, s:s, s:s, s:s}",
                                                 "booked_ms", (json_int_t)booked_ms, "booked",
                                                 setpay_time_format(booked_ms, time), "kind", kind,
                                                 "amount", (json_int_t)amount, "balance",
                                                 (json_int_t)balance, "presentment", text[0], "xid",
                                                 text[1], "acceptor", text[2]));
    }
    return setpay_db_end(rows);
}

static enum setpay_error list_holds(struct setpay_db *db, const char *account, const char *currency,
                                    json_t *holds)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT held_minor, xid, acceptor, hold_end_ms"
                                " FROM card_authorisation WHERE account = $1 AND currency = $2"
                                " AND state = 'held' ORDER BY id",
                                SETPAY_DB_TEXT(account), SETPAY_DB_TEXT(currency)));
    while (setpay_db_next(rows)) {
        char time[SETPAY_TIME_TEXT_SIZE];
        char xid[33];
        char acceptor[16];
        int64_t amount = setpay_db_get_int(rows, 0);
        setpay_db_get_text(rows, 1, xid, sizeof(xid));
        setpay_db_get_text(rows, 2, acceptor, sizeof(acceptor));
        json_array_append_new(holds, json_pack("{s:I, s:s, s:s, s:s}", "amount", (json_int_t)amount,
                                               "ends",
                                               setpay_time_format(setpay_db_get_int(rows, 3), time),
                                               "xid", xid, "acceptor", acceptor));
    }
    return setpay_db_end(rows);
}

static enum setpay_error list_balances(struct setpay_db *db, const char *last4, json_t *list)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT a.name, a.brand, b.currency, b.booked_minor, b.held_minor, b.available_minor,"
        " a.state, a.limited FROM account a JOIN account_balance b ON b.account = a.name"
        " WHERE a.last4 = $1 ORDER BY a.name, b.currency",
        SETPAY_DB_TEXT(last4)));
    while (setpay_db_next(rows)) {
        char name[64];
        char brand[33];
        char currency[4];
        char state[16];
        setpay_db_get_text(rows, 0, name, sizeof(name));
        setpay_db_get_text(rows, 1, brand, sizeof(brand));
        setpay_db_get_text(rows, 2, currency, sizeof(currency));
        setpay_db_get_text(rows, 6, state, sizeof(state));
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:I, s:I, s:I, s:[], s:[]}", "account",
                            name, "brand", brand, "last4", last4, "state", state, "limited",
                            setpay_db_get_bool(rows, 7), "currency", currency, "booked",
                            (json_int_t)setpay_db_get_int(rows, 3), "held",
                            (json_int_t)setpay_db_get_int(rows, 4), "available",
                            (json_int_t)setpay_db_get_int(rows, 5), "entries", "holds"));
    }
    return setpay_db_end(rows);
}

enum setpay_error setpay_statement_list(struct setpay_db *db, const char *last4, json_t **list)
{
    json_t *all = json_array();
    size_t i;
    json_t *of;
    enum setpay_error error = list_balances(db, last4, all);
    json_array_foreach(all, i, of)
    {
        const char *account = json_string_value(json_object_get(of, "account"));
        const char *currency = json_string_value(json_object_get(of, "currency"));
        if (error == SETPAY_OK)
            error = list_entries(db, account, currency, json_object_get(of, "entries"));
        if (error == SETPAY_OK)
            error = list_holds(db, account, currency, json_object_get(of, "holds"));
    }
    if (error != SETPAY_OK)
        json_decref(all);
    else
        *list = all;
    return error;
}
