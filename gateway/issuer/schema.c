/*
 * The tables of the issuer's books, and the accounts of its cards. The database holds no card
 * number: an account is known by its card's name.
 */
#include "gateway/issuer/accounts.h"
#include "gateway/issuer/balances.h"
#include "gateway/issuer/settled.h"

#include <stdbool.h>

/* Step 3: balances by currency, each with the entries that it comes from; presentments that were
 * refused too, and sales; holds that end. */
#define BALANCES                                                                                   \
    "ALTER TABLE account ADD COLUMN limited BIGINT NOT NULL DEFAULT 0;"                            \
    "ALTER TABLE account ADD COLUMN state TEXT NOT NULL DEFAULT 'open';"                           \
    "UPDATE account SET limited = 1 WHERE available_minor IS NOT NULL;"                            \
    "ALTER TABLE card_authorisation ADD COLUMN sale BIGINT NOT NULL DEFAULT 0;"                    \
    "ALTER TABLE card_authorisation ADD COLUMN authorised_minor BIGINT NOT NULL DEFAULT 0;"        \
    "ALTER TABLE card_authorisation ADD COLUMN disputed_minor BIGINT NOT NULL DEFAULT 0;"          \
    "ALTER TABLE card_authorisation ADD COLUMN hold_end_ms BIGINT NOT NULL DEFAULT 0;"             \
    "UPDATE card_authorisation SET hold_end_ms = booked_ms + 864000000,"                           \
    " authorised_minor = COALESCE((SELECT CASE WHEN r.remaining_minor < approved_minor"            \
    " THEN r.remaining_minor ELSE approved_minor END FROM card_reversal r"                         \
    " WHERE r.acquirer = card_authorisation.acquirer AND r.stan = card_authorisation.stan"         \
    " AND r.sent = card_authorisation.sent), approved_minor);"                                     \
    "CREATE INDEX card_authorisation_end ON card_authorisation (state, hold_end_ms);"              \
    "ALTER TABLE card_presentment RENAME TO card_presentment_before;"                              \
    "CREATE TABLE card_presentment ("                                                              \
    " number BIGINT PRIMARY KEY,"                                                                  \
    " acquirer TEXT NOT NULL, id TEXT NOT NULL, authorisation BIGINT NOT NULL,"                    \
    " kind TEXT NOT NULL, currency TEXT NOT NULL, amount_minor BIGINT NOT NULL,"                   \
    " result TEXT NOT NULL,"                                                                       \
    " message_count BIGINT NOT NULL, first_ms BIGINT NOT NULL);"                                   \
    "INSERT INTO card_presentment SELECT ROW_NUMBER() OVER (ORDER BY first_ms, acquirer, id),"     \
    " acquirer, id, authorisation, CASE credits WHEN 0 THEN 'capture' ELSE 'credit' END,"          \
    " currency, amount_minor, '00', message_count, first_ms FROM card_presentment_before;"         \
    "DROP TABLE card_presentment_before;"                                                          \
    "CREATE INDEX card_presentment_id ON card_presentment (acquirer, id);"                         \
    "CREATE INDEX card_presentment_authorisation ON card_presentment (authorisation);"             \
    "CREATE INDEX card_presentment_first ON card_presentment (first_ms);"                          \
    "CREATE TABLE account_entry ("                                                                 \
    " number BIGINT PRIMARY KEY,"                                                                  \
    " account TEXT NOT NULL, currency TEXT NOT NULL,"                                              \
    " kind TEXT NOT NULL, amount_minor BIGINT NOT NULL,"                                           \
    " presentment BIGINT NOT NULL, dispute BIGINT NOT NULL,"                                       \
    " booked_ms BIGINT NOT NULL);"                                                                 \
    "CREATE INDEX account_entry_account ON account_entry (account, currency, number);"             \
    "CREATE INDEX account_entry_presentment ON account_entry (presentment);"                       \
    "INSERT INTO account_entry SELECT p.number, z.account, p.currency, p.kind,"                    \
    " CASE p.kind WHEN 'credit' THEN p.amount_minor ELSE -p.amount_minor END, p.number, 0,"        \
    " p.first_ms FROM card_presentment p JOIN card_authorisation z ON z.id = p.authorisation;"     \
    "INSERT INTO account_entry SELECT"                                                             \
    " (SELECT COALESCE(MAX(number), 0) FROM account_entry) + ROW_NUMBER() OVER (ORDER BY a.name)," \
    " a.name, a.currency, 'opening', a.available_minor"                                            \
    " + COALESCE((SELECT SUM(z.held_minor) FROM card_authorisation z"                              \
    " WHERE z.account = a.name AND z.currency = a.currency AND z.state = 'held'), 0)"              \
    " - COALESCE((SELECT SUM(e.amount_minor) FROM account_entry e"                                 \
    " WHERE e.account = a.name AND e.currency = a.currency), 0), 0, 0, 0"                          \
    " FROM account a WHERE a.available_minor IS NOT NULL;"                                         \
    "ALTER TABLE account DROP COLUMN available_minor;"                                             \
    "CREATE TABLE account_balance ("                                                               \
    " account TEXT NOT NULL, currency TEXT NOT NULL,"                                              \
    " booked_minor BIGINT NOT NULL, held_minor BIGINT NOT NULL, available_minor BIGINT NOT NULL,"  \
    " purchase_limit_minor BIGINT, daily_limit_minor BIGINT,"                                      \
    " PRIMARY KEY (account, currency));"                                                           \
    "INSERT INTO account_balance SELECT account, currency, SUM(booked), SUM(held),"                \
    " SUM(booked) - SUM(held), NULL, NULL FROM"                                                    \
    " (SELECT account, currency, amount_minor AS booked, 0 AS held FROM account_entry"             \
    " UNION ALL SELECT account, currency, 0, held_minor FROM card_authorisation"                   \
    " WHERE state = 'held') AS rows GROUP BY account, currency;"                                   \
    "CREATE TABLE dispute ("                                                                       \
    " number BIGINT PRIMARY KEY,"                                                                  \
    " presentment BIGINT NOT NULL, amount_minor BIGINT NOT NULL,"                                  \
    " reason TEXT NOT NULL, outcome TEXT NOT NULL,"                                                \
    " opened_ms BIGINT NOT NULL, closed_ms BIGINT NOT NULL);"                                      \
    "CREATE INDEX dispute_presentment ON dispute (presentment);"

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
    {3, BALANCES},
    {4, SETPAY_SETTLED_SCHEMA},
    {5, SETPAY_STORED_SCHEMA},
    {6, "CREATE INDEX card_authorisation_day"
        " ON card_authorisation (account, currency, booked_ms);"},
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
        SETPAY_TRY(
            setpay_db_run(db,
                          "INSERT INTO account (name, brand, last4, currency, limited, state)"
                          " VALUES ($1, $2, $3, $4, $5, 'open') ON CONFLICT DO NOTHING",
                          SETPAY_DB_TEXT(cards[i].name), SETPAY_DB_TEXT(cards[i].brand),
                          SETPAY_DB_TEXT(setpay_card_last4(&cards[i])),
                          SETPAY_DB_TEXT(cards[i].currency), SETPAY_DB_BOOL(limited)));
        if (!limited || setpay_db_changes(db) != 1)
            continue;
        const struct setpay_balance_entry opening = {.account = cards[i].name,
                                                     .currency = cards[i].currency,
                                                     .kind = "opening",
                                                     .amount_minor = cards[i].balance_minor,
                                                     .now = setpay_clock_now_ms()};
        SETPAY_TRY(setpay_balance_post(db, &opening, 0));
    }
    return SETPAY_OK;
}
