/*
 * Looking through what issuers have paid, and what was cleared out of suspense.
 */
#include "gateway/clearing/incoming.h"
#include "gateway/clearing/look.h"

#include <string.h>

/* ------------------------------------------------------------------ entries */

enum setpay_error setpay_look_expect_payment(struct setpay_db *db, const struct setpay_id *event,
                                             struct setpay_look_expected *expected)
{
    struct setpay_incoming payment = {.id = 0};
    struct setpay_ledger_entry *entry = &expected->entry;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT issuer, reference, currency, amount_minor, day, matched_minor,"
                             " created_ms FROM issuer_payment WHERE token = $1",
                             SETPAY_DB_ID(event)));
    setpay_db_get_text(rows, 0, payment.issuer, sizeof payment.issuer);
    setpay_db_get_text(rows, 1, payment.reference, sizeof payment.reference);
    setpay_db_get_text(rows, 2, payment.amount.currency, sizeof payment.amount.currency);
    payment.amount.minor = setpay_db_get_int(rows, 3);
    setpay_db_get_text(rows, 4, payment.day, sizeof payment.day);
    payment.matched_minor = setpay_db_get_int(rows, 5);
    payment.created_ms = setpay_db_get_int(rows, 6);
    SETPAY_TRY(setpay_db_end(rows));
    memcpy(entry->merchant_id, payment.issuer, sizeof entry->merchant_id);
    memcpy(entry->currency, payment.amount.currency, sizeof entry->currency);
    setpay_incoming_post(payment.amount.minor, payment.matched_minor, entry);
    return setpay_incoming_token(&payment, &expected->token);
}

enum setpay_error setpay_look_expect_cleared(struct setpay_db *db, const struct setpay_id *event,
                                             struct setpay_look_expected *expected)
{
    struct setpay_suspense_clearing c = {.id = 0};
    struct setpay_ledger_entry *entry = &expected->entry;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT item, number, brand, merchant_id, currency, amount_minor,"
                             " account, reason, created_ms FROM suspense_clearing WHERE token = $1",
                             SETPAY_DB_ID(event)));
    setpay_db_get_id(rows, 0, &c.item);
    c.number = setpay_db_get_int(rows, 1);
    setpay_db_get_text(rows, 2, entry->brand, sizeof entry->brand);
    setpay_db_get_text(rows, 3, entry->merchant_id, sizeof entry->merchant_id);
    setpay_db_get_text(rows, 4, entry->currency, sizeof entry->currency);
    c.amount_minor = setpay_db_get_int(rows, 5);
    c.account = (enum setpay_account)setpay_db_get_int(rows, 6);
    setpay_db_get_text(rows, 7, c.reason, sizeof c.reason);
    c.created_ms = setpay_db_get_int(rows, 8);
    SETPAY_TRY(setpay_db_end(rows));
    setpay_ledger_post_two(SETPAY_LEDGER_SUSPENSE_CLEARED, SETPAY_ACCOUNT_SUSPENSE, c.account,
                           c.amount_minor, entry);
    return setpay_suspense_clearing_token(&c, &expected->token);
}

/* ------------------------------------------------------------------ rows */

#define PAYMENT_WORDS "issuer || ' ' || reference"
#define CLEARING_WORDS "'clearing ' || id || ', ' || lower(hex(item))"

/* All clearings of one item. */
struct cleared {
    struct setpay_id event;
    int64_t minor, count, last; /* the sum, and the numbers */
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char currency[4];
    bool alike; /* all of one merchant and currency */
    int64_t least_account, most_account;
    bool mixed; /* some above and some below 0 */
};

static void read_cleared(struct setpay_db_rows *rows, struct cleared *cleared)
{
    struct cleared c = {.minor = 0};
    setpay_db_get_id(rows, 0, &c.event);
    c.minor = setpay_db_get_int(rows, 1);
    c.count = setpay_db_get_int(rows, 2);
    c.last = setpay_db_get_int(rows, 3);
    setpay_db_get_text(rows, 4, c.brand, sizeof c.brand);
    setpay_db_get_text(rows, 5, c.merchant_id, sizeof c.merchant_id);
    setpay_db_get_text(rows, 6, c.currency, sizeof c.currency);
    c.alike = setpay_db_get_bool(rows, 7);
    c.least_account = setpay_db_get_int(rows, 8);
    c.most_account = setpay_db_get_int(rows, 9);
    c.mixed = setpay_db_get_bool(rows, 10);
    *cleared = c;
}

static bool may_go(const struct setpay_suspense_item *item, int64_t account)
{
    return account == SETPAY_ACCOUNT_ISSUER_RECEIVABLE ||
           account ==
               (int64_t)(item->is_payment ? SETPAY_ACCOUNT_CASH : SETPAY_ACCOUNT_MERCHANT_PAYABLE);
}

static enum setpay_error check_cleared(struct setpay_look *look, const struct cleared *c)
{
    struct setpay_suspense_item item;
    char token[SETPAY_ID_TEXT_SIZE];
    enum setpay_error error = setpay_suspense_find(look->db, &c->event, &item);
    (void)setpay_id_format(&c->event, token);
    if (error == SETPAY_E_NOT_FOUND) {
        setpay_look_find(look, "cleared out of suspense, and never in it: %s", token);
        return SETPAY_OK;
    }
    SETPAY_TRY(error);
    bool beyond =
        item.amount_minor < 0 ? c->minor < item.amount_minor : c->minor > item.amount_minor;
    if (!c->alike || strcmp(c->brand, item.brand) != 0 || strcmp(c->currency, item.currency) != 0 ||
        strcmp(c->merchant_id, item.merchant_id) != 0)
        setpay_look_find(look, "cleared out of suspense for another: %s", token);
    if (!may_go(&item, c->least_account) || !may_go(&item, c->most_account))
        setpay_look_find(look, "cleared out of suspense to where it can't go: %s", token);
    if (c->count != c->last)
        setpay_look_find(look, "its clearings are not numbered from 1 without a gap: %s", token);
    if (c->mixed || beyond)
        setpay_look_find(look, "cleared out of suspense beyond nothing: %s, %lld of %lld", token,
                         (long long)c->minor, (long long)item.amount_minor);
    return SETPAY_OK;
}

/* Each clearing is of an item of its merchant, to where such an item goes; and no item is cleared
 * beyond nothing. */
static enum setpay_error check_clearings(struct setpay_look *look)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        look->db, &rows,
        "SELECT item, SUM(amount_minor), COUNT(*), MAX(number), MAX(brand), MAX(merchant_id),"
        " MAX(currency), MIN(brand || ' ' || merchant_id || ' ' || currency) ="
        " MAX(brand || ' ' || merchant_id || ' ' || currency), MIN(account), MAX(account),"
        " MIN(amount_minor) < 0 AND MAX(amount_minor) > 0 FROM suspense_clearing GROUP BY item"
        " ORDER BY item"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct cleared cleared;
        read_cleared(rows, &cleared);
        error = check_cleared(look, &cleared);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_look_incoming(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " PAYMENT_WORDS " FROM issuer_payment WHERE NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = token AND kind = 12) ORDER BY id",
        "not in the ledger: what was paid by"));
    SETPAY_TRY(
        setpay_look_each_row(look,
                             "SELECT " PAYMENT_WORDS " FROM issuer_payment WHERE amount_minor <= 0"
                             " OR matched_minor < 0 OR matched_minor > amount_minor ORDER BY id",
                             "matched beyond what was paid, or below nothing:"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " CLEARING_WORDS " FROM suspense_clearing WHERE NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = token AND kind = 13) ORDER BY id",
        "not in the ledger:"));
    return check_clearings(look);
}
