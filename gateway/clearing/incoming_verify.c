/*
 * Looking through what issuers have paid, what was written off, and what was cleared out of
 * suspense.
 */
#include "gateway/clearing/incoming.h"
#include "gateway/clearing/look.h"
#include "gateway/clearing/presentment.h"
#include "gateway/clearing/settlement.h"

#include <string.h>

/* ------------------------------------------------------------------ entries */

/* The row that a statement finds, once it is read; and of its entry what both kinds share. */
static enum setpay_error read_payment(struct setpay_db_rows *rows, struct setpay_incoming *payment,
                                      struct setpay_ledger_entry *entry)
{
    setpay_incoming_read(rows, payment);
    SETPAY_TRY(setpay_db_end(rows));
    memcpy(entry->merchant_id, payment->issuer, sizeof entry->merchant_id);
    memcpy(entry->currency, payment->amount.currency, sizeof entry->currency);
    return SETPAY_OK;
}

/* Else it would not be posted at all. */
static bool has_amounts(const struct setpay_incoming *payment)
{
    return setpay_look_is_amount(payment->amount.minor) &&
           setpay_look_is_amount(payment->matched_minor);
}

enum setpay_error setpay_look_expect_payment(struct setpay_db *db, const struct setpay_id *event,
                                             struct setpay_look_expected *expected)
{
    struct setpay_incoming payment;
    struct setpay_ledger_entry *entry = &expected->entry;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " SETPAY_INCOMING_COLUMNS " FROM issuer_payment"
                             " WHERE token = $1",
                             SETPAY_DB_ID(event)));
    SETPAY_TRY(read_payment(rows, &payment, entry));
    entry->time_ms = payment.created_ms;
    if (has_amounts(&payment))
        setpay_incoming_post(payment.amount.minor, payment.matched_minor, entry);
    return setpay_incoming_token(&payment, &expected->token);
}

enum setpay_error setpay_look_expect_payment_undone(struct setpay_db *db,
                                                    const struct setpay_id *event,
                                                    struct setpay_look_expected *expected)
{
    struct setpay_incoming payment;
    struct setpay_ledger_entry *entry = &expected->entry;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " SETPAY_INCOMING_COLUMNS " FROM issuer_payment"
                             " WHERE undone = $1",
                             SETPAY_DB_ID(event)));
    SETPAY_TRY(read_payment(rows, &payment, entry));
    entry->time_ms = payment.undone_ms;
    if (has_amounts(&payment))
        setpay_incoming_undone_post(payment.amount.minor, payment.matched_minor, entry);
    return setpay_incoming_undone_event(&payment, &expected->token);
}

#define CLEARING_COLUMNS                                                                           \
    "token, item, number, brand, merchant_id, currency, amount_minor, account, reason,"            \
    " created_ms, interchange_minor, fee_minor, loss_minor, id"

static void read_clearing(struct setpay_db_rows *rows, struct setpay_suspense_clearing *clearing)
{
    struct setpay_suspense_clearing c = {.id = 0};
    setpay_db_get_id(rows, 0, &c.token);
    setpay_db_get_id(rows, 1, &c.item);
    c.number = setpay_db_get_int(rows, 2);
    setpay_db_get_text(rows, 3, c.brand, sizeof c.brand);
    setpay_db_get_text(rows, 4, c.merchant_id, sizeof c.merchant_id);
    setpay_db_get_text(rows, 5, c.currency, sizeof c.currency);
    c.amount_minor = setpay_db_get_int(rows, 6);
    c.account = (enum setpay_account)setpay_db_get_int(rows, 7);
    setpay_db_get_text(rows, 8, c.reason, sizeof c.reason);
    c.created_ms = setpay_db_get_int(rows, 9);
    c.is_of_before =
        setpay_db_is_null(rows, 10) || setpay_db_is_null(rows, 11) || setpay_db_is_null(rows, 12);
    if (!c.is_of_before) {
        c.interchange_minor = setpay_db_get_int(rows, 10);
        c.fee_minor = setpay_db_get_int(rows, 11);
        c.loss_minor = setpay_db_get_int(rows, 12);
    }
    c.id = setpay_db_get_int(rows, 13);
    *clearing = c;
}

enum setpay_error setpay_look_expect_cleared(struct setpay_db *db, const struct setpay_id *event,
                                             struct setpay_look_expected *expected)
{
    struct setpay_suspense_clearing c;
    struct setpay_ledger_entry *entry = &expected->entry;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " CLEARING_COLUMNS " FROM suspense_clearing WHERE token = $1",
                             SETPAY_DB_ID(event)));
    read_clearing(rows, &c);
    SETPAY_TRY(setpay_db_end(rows));
    entry->time_ms = c.created_ms;
    memcpy(entry->brand, c.brand, sizeof entry->brand);
    memcpy(entry->merchant_id, c.merchant_id, sizeof entry->merchant_id);
    memcpy(entry->currency, c.currency, sizeof entry->currency);
    if (setpay_look_is_amount(c.amount_minor) && setpay_look_is_amount(c.interchange_minor) &&
        setpay_look_is_amount(c.fee_minor) &&
        setpay_look_is_amount(c.loss_minor)) /* else it would not be posted at all */
        setpay_suspense_clearing_post(&c, entry);
    return setpay_suspense_clearing_token(&c, &expected->token);
}

enum setpay_error setpay_look_expect_write_off(struct setpay_db *db, const struct setpay_id *event,
                                               struct setpay_look_expected *expected)
{
    char reason[SETPAY_WRITE_OFF_REASON_SIZE];
    struct setpay_ledger_entry *entry = &expected->entry;
    struct setpay_db_rows *rows;
    struct setpay_id step;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT brand, merchant_id, currency, step.token, step.amount_minor, acknowledged_ms,"
        " reason FROM presentment JOIN step ON step.id = step_id"
        " JOIN payment ON payment.id = step.payment_id WHERE write_off = $1 AND write_off > x''",
        SETPAY_DB_ID(event)));
    setpay_db_get_text(rows, 0, entry->brand, sizeof entry->brand);
    setpay_db_get_text(rows, 1, entry->merchant_id, sizeof entry->merchant_id);
    setpay_db_get_text(rows, 2, entry->currency, sizeof entry->currency);
    setpay_db_get_id(rows, 3, &step);
    int64_t amount_minor = setpay_db_get_int(rows, 4), at_ms = setpay_db_get_int(rows, 5);
    setpay_db_get_text(rows, 6, reason, sizeof reason);
    SETPAY_TRY(setpay_db_end(rows));
    if (setpay_look_is_amount(amount_minor)) /* else it would not be posted at all */
        setpay_write_off_post(amount_minor, entry);
    entry->time_ms = at_ms;
    return setpay_write_off_token(&step, at_ms, reason, &expected->token);
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
        "SELECT item, SUM(" SETPAY_SUSPENSE_BOUND(
            "amount_minor") "), COUNT(*), MAX(number), MAX(brand), MAX(merchant_id),"
                            " MAX(currency), MIN(brand || ' ' || merchant_id || ' ' || currency) ="
                            " MAX(brand || ' ' || merchant_id || ' ' || currency), MIN(account), "
                            "MAX(account),"
                            " MIN(amount_minor) < 0 AND MAX(amount_minor) > 0 FROM "
                            "suspense_clearing GROUP BY item"
                            " ORDER BY item"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct cleared cleared;
        read_cleared(rows, &cleared);
        error = check_cleared(look, &cleared);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* ------------------------------------------------------------------ shares */

struct parts {
    struct setpay_look *look;
    struct setpay_suspense_item item; /* with what the parts before have cleared of it */
    bool known;
};

/* One part behind those before it. */
static enum setpay_error check_part(struct parts *parts, const struct setpay_suspense_clearing *c)
{
    struct setpay_suspense_clearing expected = *c;
    struct setpay_id token;
    long long id = (long long)c->id;
    if (!setpay_id_equal(&parts->item.event, &c->item)) {
        enum setpay_error error = setpay_suspense_find(parts->look->db, &c->item, &parts->item);
        parts->known = error == SETPAY_OK;
        if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
            return error;
        parts->item.event = c->item;
        parts->item.cleared_minor = 0;
    }
    SETPAY_TRY(setpay_suspense_clearing_token(c, &token));
    if (!setpay_id_equal(&token, &c->token))
        setpay_look_find(parts->look, "clearing %lld: its token is of another content", id);
    const struct setpay_suspense_item *item = &parts->item;
    /* What does not fit is beyond nothing, or a step with other amounts: found elsewhere. */
    if (!parts->known || !setpay_look_is_amount(c->amount_minor) ||
        !setpay_look_is_amount(item->cleared_minor) || !setpay_look_is_amount(item->amount_minor) ||
        !setpay_look_is_amount(item->interchange_minor) || !setpay_look_is_amount(item->fee_minor))
        return SETPAY_OK;
    setpay_suspense_share(&parts->item, &expected);
    if (!c->is_of_before &&
        (c->interchange_minor != expected.interchange_minor || c->fee_minor != expected.fee_minor ||
         c->loss_minor != expected.loss_minor))
        setpay_look_find(
            parts->look,
            "clearing %lld: interchange of %lld, a fee of %lld and a loss of %lld fall "
            "on it, expected %lld, %lld and %lld",
            id, (long long)c->interchange_minor, (long long)c->fee_minor, (long long)c->loss_minor,
            (long long)expected.interchange_minor, (long long)expected.fee_minor,
            (long long)expected.loss_minor);
    parts->item.cleared_minor += c->amount_minor;
    return SETPAY_OK;
}

static enum setpay_error check_parts(struct setpay_look *look)
{
    struct setpay_db_rows *rows;
    struct parts parts = {.look = look};
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(look->db, &rows,
                                "SELECT " CLEARING_COLUMNS
                                " FROM suspense_clearing ORDER BY item, number"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_suspense_clearing clearing;
        read_clearing(rows, &clearing);
        error = check_part(&parts, &clearing);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* ------------------------------------------------------------------ write-offs */

#define WRITTEN_OFF "response_code = '" SETPAY_PRESENTMENT_WRITTEN_OFF "'"

/* What was told with each is what it is known by. One of before is known by nothing. */
static enum setpay_error check_told(struct setpay_look *look)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        look->db, &rows,
        "SELECT presentment.id, token, acknowledged_ms, reason, write_off FROM presentment"
        " JOIN step ON step.id = step_id WHERE length(write_off) > 0 ORDER BY presentment.id"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_id step, kept, token;
        char reason[SETPAY_WRITE_OFF_REASON_SIZE];
        long long id = (long long)setpay_db_get_int(rows, 0);
        setpay_db_get_id(rows, 1, &step);
        setpay_db_get_text(rows, 3, reason, sizeof reason);
        setpay_db_get_id(rows, 4, &kept);
        error = setpay_write_off_token(&step, setpay_db_get_int(rows, 2), reason, &token);
        if (error == SETPAY_OK && !setpay_id_equal(&token, &kept))
            setpay_look_find(look,
                             "presentment %lld: written off at another time, or with other "
                             "words",
                             id);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

static enum setpay_error check_write_offs(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT '' || id FROM presentment"
                                    " WHERE (" WRITTEN_OFF ") <> (write_off IS NOT NULL)"
                                    " OR (reason <> '' AND write_off IS NULL) ORDER BY id",
                                    "written off by nobody, or not written off: presentment"));
    SETPAY_TRY(setpay_look_each_row_by(
        look,
        "SELECT '' || id FROM presentment WHERE write_off > x'' AND NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = write_off AND kind = $1) AND NOT EXISTS"
        " (SELECT 1 FROM ledger_before WHERE event = write_off) ORDER BY id",
        SETPAY_LEDGER_WRITE_OFF, "not in the ledger: the write-off of presentment"));
    return check_told(look);
}

/* With which settlement a merchant is told of what was cleared. */
static enum setpay_error check_told_by(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " CLEARING_WORDS " FROM suspense_clearing WHERE told_by <> 0 AND NOT EXISTS"
        " (SELECT 1 FROM settlement WHERE settlement.id = told_by"
        " AND settlement.brand = suspense_clearing.brand"
        " AND settlement.merchant_id = suspense_clearing.merchant_id"
        " AND settlement.currency = suspense_clearing.currency"
        " AND settlement.cut_off_ms >= suspense_clearing.created_ms) ORDER BY id",
        "told of with a settlement that is not there, or of before, or another's:"));
    return setpay_look_each_row(
        look,
        "SELECT " CLEARING_WORDS " FROM suspense_clearing WHERE EXISTS (SELECT 1 FROM adjustment"
        " WHERE kind = " SETPAY_SQL_ADJUSTMENT_CLEARED " AND source_id = suspense_clearing.id"
        " AND settlement_id <> told_by) ORDER BY id",
        "told of with another settlement than it is part of:");
}

enum setpay_error setpay_look_incoming(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row_by(
        look,
        "SELECT " PAYMENT_WORDS " FROM issuer_payment WHERE NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = token AND kind = $1) ORDER BY id",
        SETPAY_LEDGER_ISSUER_PAYMENT, "not in the ledger: what was paid by"));
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT " PAYMENT_WORDS
                                    " FROM issuer_payment WHERE amount_minor = 0"
                                    " OR (amount_minor > 0 AND matched_minor NOT BETWEEN 0 AND"
                                    " amount_minor) OR (amount_minor < 0 AND matched_minor <>"
                                    " amount_minor) ORDER BY id",
                                    "matched beyond what was paid, or below nothing:"));
    SETPAY_TRY(setpay_look_each_row_by(
        look,
        "SELECT " PAYMENT_WORDS " FROM issuer_payment WHERE undone IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = undone AND kind = $1) ORDER BY id",
        SETPAY_LEDGER_ISSUER_PAYMENT_UNDONE, "not in the ledger: the undoing of"));
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT " PAYMENT_WORDS
                                    " FROM issuer_payment WHERE (undone IS NULL) <> (undone_ms = 0)"
                                    " OR (undone IS NULL) <> (undone_reason = '') ORDER BY id",
                                    "undone and not told, or told and not undone:"));
    SETPAY_TRY(setpay_look_each_row_by(
        look,
        "SELECT " CLEARING_WORDS " FROM suspense_clearing"
        " WHERE NOT EXISTS (SELECT 1 FROM ledger_entry WHERE event = token AND kind = $1)"
        " AND NOT EXISTS (SELECT 1 FROM ledger_before WHERE event = token AND amount_minor = 0)"
        " ORDER BY id",
        SETPAY_LEDGER_SUSPENSE_CLEARED, "not in the ledger:"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " CLEARING_WORDS " FROM suspense_clearing WHERE interchange_minor IS NULL"
        " AND id > (SELECT MIN(id) FROM suspense_clearing WHERE interchange_minor IS NOT NULL)"
        " OR (interchange_minor IS NULL) <> (fee_minor IS NULL)"
        " OR (interchange_minor IS NULL) <> (loss_minor IS NULL) ORDER BY id",
        "without a share behind one that has it:"));
    SETPAY_TRY(check_told_by(look));
    SETPAY_TRY(check_write_offs(look));
    if (!setpay_look_adds_up(look, SETPAY_LOOK_STEPS | SETPAY_LOOK_PAID))
        return SETPAY_OK; /* what is in suspense can't be told */
    SETPAY_TRY(check_parts(look));
    return check_clearings(look);
}
