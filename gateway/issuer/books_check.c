/*
 * One query for each thing that is kept twice: what is kept, and what the rows under it come to.
 * A query gives only rows that differ: their subject, what is kept, what it was computed to.
 *
 * balance       booked = sum of entries; held = sum of holds; available = booked - held
 * authorisation authorised = the least of approved and what reversals have left; presented,
 *               credited, disputed = sums of its presentments and disputes; its state
 * presentment   has one entry of its amount where it is booked, none where it was refused
 * dispute       has one entry of its amount where the cardholder has won it, else none
 */
#include "gateway/issuer/books_check.h"

#include <inttypes.h>
#include <stdio.h>

#define FINDINGS_MAX 100
#define SWEPT_AFTER_MS (5 * SETPAY_MINUTE_MS) /* a hold that has ended is released by then */

#define AUTHORISATION "'authorisation ' || z.id || ', account ' || z.account || ', ' || z.currency"
#define PRESENTED(kinds)                                                                           \
    "CAST(COALESCE((SELECT SUM(p.amount_minor) FROM card_presentment p WHERE"                      \
    " p.authorisation = z.id AND p.result = '00' AND p.kind IN (" kinds ")), 0) AS BIGINT)"
#define KEYS                                                                                       \
    "(SELECT account, currency FROM account_balance"                                               \
    " UNION SELECT account, currency FROM account_entry"                                           \
    " UNION SELECT account, currency FROM card_authorisation WHERE held_minor <> 0)"
#define BOOKED                                                                                     \
    "CAST(COALESCE((SELECT SUM(e.amount_minor) FROM account_entry e"                               \
    " WHERE e.account = k.account AND e.currency = k.currency), 0) AS BIGINT)"
#define HELD                                                                                       \
    "CAST(COALESCE((SELECT SUM(z.held_minor) FROM card_authorisation z"                            \
    " WHERE z.account = k.account AND z.currency = k.currency), 0) AS BIGINT)"
#define BALANCE(kept, computed)                                                                    \
    "SELECT subject, kept, computed FROM (SELECT 'account ' || k.account || ', ' || k.currency"    \
    " AS subject, COALESCE(b." kept ", 0) AS kept, " computed " AS computed FROM " KEYS " k"       \
    " LEFT JOIN account_balance b ON b.account = k.account AND b.currency = k.currency)"           \
    " AS rows WHERE kept <> computed AND $1 = $1 ORDER BY subject"
#define OF_AUTHORISATION(kept, computed)                                                           \
    "SELECT subject, kept, computed FROM (SELECT z.id AS id, " AUTHORISATION                       \
    " AS subject, z." kept " AS kept, " computed " AS computed FROM card_authorisation z) AS rows" \
    " WHERE kept <> computed AND $1 = $1 ORDER BY id"

static const struct check {
    const char *what; /* between the subject and the two numbers */
    const char *sql;  /* $1: now */
} checks[] = {
    {"booked", BALANCE("booked_minor", BOOKED)},
    {"held", BALANCE("held_minor", HELD)},
    {"available", BALANCE("available_minor", "(" BOOKED " - " HELD ")")},
    {"charged by presentments",
     OF_AUTHORISATION("presented_minor", PRESENTED("'capture', 'sale'"))},
    {"credited by presentments",
     OF_AUTHORISATION("credited_minor", PRESENTED("'credit', 'sale-reversal'"))},
    {"given back by disputes",
     OF_AUTHORISATION(
         "disputed_minor",
         "CAST(COALESCE((SELECT SUM(d.amount_minor) FROM dispute d JOIN card_presentment p"
         " ON p.number = d.presentment WHERE p.authorisation = z.id"
         " AND d.outcome = 'cardholder'), 0) AS BIGINT)")},
    {"authorised after reversals",
     OF_AUTHORISATION("authorised_minor",
                      "COALESCE((SELECT MIN(r.remaining_minor, z.approved_minor)"
                      " FROM card_reversal r WHERE r.acquirer = z.acquirer AND r.stan = z.stan"
                      " AND r.sent = z.sent), z.approved_minor)")},
    {"(1: something is held of it)",
     "SELECT " AUTHORISATION " || ', ' || z.state, z.held_minor > 0, z.state = 'held'"
     " FROM card_authorisation z WHERE $1 = $1 AND (z.held_minor > 0) <> (z.state = 'held')"
     " ORDER BY z.id"},
    {"held and charged, more than is authorised",
     "SELECT " AUTHORISATION ", z.held_minor + z.presented_minor, z.authorised_minor"
     " FROM card_authorisation z WHERE $1 = $1 AND z.held_minor < 0 OR (z.held_minor > 0"
     " AND z.held_minor + z.presented_minor > z.authorised_minor) ORDER BY z.id"},
    {"given back, more than was charged",
     "SELECT " AUTHORISATION ", z.credited_minor + z.disputed_minor, z.presented_minor"
     " FROM card_authorisation z WHERE $1 = $1 AND z.credited_minor + z.disputed_minor"
     " > z.presented_minor ORDER BY z.id"},
    {"held, although the hold has ended",
     "SELECT " AUTHORISATION ", z.held_minor, 0 FROM card_authorisation z"
     " WHERE z.held_minor > 0 AND z.hold_end_ms < $1 ORDER BY z.id"},
    {"entries of its account, currency, kind and amount",
     "SELECT subject, kept, computed FROM (SELECT p.number AS number, 'presentment ' || p.id || ', "
     "'"
     " || p.kind AS subject, (SELECT COUNT(*) FROM account_entry e JOIN card_authorisation z"
     " ON z.id = p.authorisation WHERE e.presentment = p.number AND e.account = z.account"
     " AND e.currency = p.currency AND e.kind = p.kind AND ABS(e.amount_minor) = p.amount_minor"
     " AND (e.amount_minor > 0) = (p.kind IN ('credit', 'sale-reversal'))) AS kept,"
     " CASE p.result WHEN '00' THEN 1 ELSE 0 END AS computed FROM card_presentment p) AS rows"
     " WHERE kept <> computed AND $1 = $1 ORDER BY number"},
    {"presentments or disputes it names",
     "SELECT subject, kept, computed FROM (SELECT e.number AS number, 'entry ' || e.number || ', '"
     " || e.kind AS subject, (SELECT COUNT(*) FROM card_presentment p WHERE p.number ="
     " e.presentment AND p.result = '00') + (SELECT COUNT(*) FROM dispute d WHERE"
     " d.number = e.dispute AND d.outcome = 'cardholder') AS kept,"
     " CASE WHEN e.kind IN ('opening', 'adjustment') THEN 0 ELSE 1 END AS computed"
     " FROM account_entry e) AS rows WHERE kept <> computed AND $1 = $1 ORDER BY number"},
    {"rows of this id, of which an issuer books one",
     "SELECT 'presentment ' || p.id || ', ' || p.kind, COUNT(*), 1 FROM card_presentment p"
     " WHERE p.kind <> 'sale-reversal' AND $1 = $1 GROUP BY p.acquirer, p.id, p.kind"
     " HAVING COUNT(*) > 1 ORDER BY p.id"},
    {"entries of its amount",
     "SELECT subject, kept, computed FROM (SELECT d.number AS number, 'dispute ' || d.number"
     " AS subject, (SELECT COUNT(*) FROM account_entry e WHERE e.dispute = d.number"
     " AND e.amount_minor = d.amount_minor AND e.kind = 'dispute') AS kept,"
     " CASE d.outcome WHEN 'cardholder' THEN 1 ELSE 0 END AS computed FROM dispute d) AS rows"
     " WHERE kept <> computed AND $1 = $1 ORDER BY number"},
    {"in dispute, of a presentment of less",
     "SELECT 'dispute ' || d.number, d.amount_minor, COALESCE(p.amount_minor, 0) FROM dispute d"
     " LEFT JOIN card_presentment p ON p.number = d.presentment AND p.result = '00'"
     " AND p.kind IN ('capture', 'sale') WHERE $1 = $1"
     " AND d.amount_minor > COALESCE(p.amount_minor, 0) ORDER BY d.number"},
    {"as the authorisation that this reversal was matched with",
     "SELECT 'reversal of ' || r.acquirer || ' ' || r.stan || ' ' || r.sent, r.matched, z.id"
     " FROM card_reversal r JOIN card_authorisation z ON z.acquirer = r.acquirer"
     " AND z.stan = r.stan AND z.sent = r.sent WHERE r.matched <> 0 AND r.matched <> z.id"
     " AND $1 = $1 ORDER BY z.id"},
};

static enum setpay_error run(struct setpay_db *db, const struct check *check, setpay_time_ms now,
                             json_t *findings, int64_t *found)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows, check->sql, SETPAY_DB_INT(now)));
    while (setpay_db_next(rows)) {
        char subject[160];
        char words[400];
        setpay_db_get_text(rows, 0, subject, sizeof(subject));
        snprintf(words, sizeof(words), "%s: %" PRId64 " %s, expected %" PRId64, subject,
                 setpay_db_get_int(rows, 1), check->what, setpay_db_get_int(rows, 2));
        if (json_array_size(findings) < FINDINGS_MAX)
            json_array_append_new(findings, json_string(words));
        (*found)++;
    }
    return setpay_db_end(rows);
}

static enum setpay_error count(struct setpay_db *db, const char *name, const char *sql,
                               json_t *result)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, sql));
    json_object_set_new(result, name, json_integer(setpay_db_get_int(rows, 0)));
    return setpay_db_end(rows);
}

static enum setpay_error fill(struct setpay_db *db, setpay_time_ms now, json_t *result)
{
    json_t *findings = json_array();
    int64_t found = 0;
    json_object_set_new(result, "findings", findings);
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
        SETPAY_TRY(run(db, &checks[i], now - SWEPT_AFTER_MS, findings, &found));
    json_object_set_new(result, "ok", json_boolean(found == 0));
    json_object_set_new(result, "found", json_integer(found));
    SETPAY_TRY(count(db, "balances", "SELECT COUNT(*) FROM account_balance", result));
    SETPAY_TRY(count(db, "entries", "SELECT COUNT(*) FROM account_entry", result));
    SETPAY_TRY(count(db, "authorisations", "SELECT COUNT(*) FROM card_authorisation", result));
    SETPAY_TRY(count(db, "presentments", "SELECT COUNT(*) FROM card_presentment", result));
    return count(db, "disputes", "SELECT COUNT(*) FROM dispute", result);
}

enum setpay_error setpay_books_check(struct setpay_db *db, setpay_time_ms now, json_t **result)
{
    json_t *made = json_object();
    if (made == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = fill(db, now, made);
    if (error != SETPAY_OK)
        json_decref(made);
    else
        *result = made;
    return error;
}
