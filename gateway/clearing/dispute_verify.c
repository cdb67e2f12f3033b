/*
 * Looking through disputes and adjustments: each with its entries, with what is left of its
 * capture, and with the settlements that it changed.
 */
#include "gateway/clearing/dispute.h"
#include "gateway/clearing/look.h"
#include "gateway/clearing/sql_names.h"

#include <string.h>

/* ------------------------------------------------------------------ entries */

static enum setpay_error expect(struct setpay_db *db, const struct setpay_id *event,
                                enum setpay_ledger_kind kind, struct setpay_look_expected *expected)
{
    struct setpay_gateway_dispute dispute;
    struct setpay_ledger_entry *entry = &expected->entry;
    bool opens = kind == SETPAY_LEDGER_DISPUTE;
    enum setpay_dispute_outcome outcome =
        kind == SETPAY_LEDGER_DISPUTE_WON ? SETPAY_DISPUTE_MERCHANT : SETPAY_DISPUTE_CARDHOLDER;
    SETPAY_TRY(setpay_gateway_dispute_find_event(db, event, &dispute));
    if (opens != setpay_id_equal(&dispute.token, event) || (!opens && dispute.outcome != outcome))
        return SETPAY_E_NOT_FOUND;
    memcpy(entry->brand, dispute.brand, sizeof entry->brand);
    memcpy(entry->merchant_id, dispute.merchant_id, sizeof entry->merchant_id);
    memcpy(entry->currency, dispute.amount.currency, sizeof entry->currency);
    entry->time_ms = opens ? dispute.opened_ms : dispute.closed_ms;
    if (setpay_look_is_amount(dispute.amount.minor)) /* else it would not be posted at all */
        setpay_gateway_dispute_post(kind, dispute.amount.minor, entry);
    return opens ? setpay_gateway_dispute_token(&dispute, &expected->token)
                 : setpay_gateway_dispute_closing(&dispute, &expected->token);
}

enum setpay_error setpay_look_expect_dispute(struct setpay_db *db, const struct setpay_id *event,
                                             struct setpay_look_expected *expected)
{
    return expect(db, event, SETPAY_LEDGER_DISPUTE, expected);
}

enum setpay_error setpay_look_expect_lost(struct setpay_db *db, const struct setpay_id *event,
                                          struct setpay_look_expected *expected)
{
    return expect(db, event, SETPAY_LEDGER_DISPUTE_LOST, expected);
}

enum setpay_error setpay_look_expect_won(struct setpay_db *db, const struct setpay_id *event,
                                         struct setpay_look_expected *expected)
{
    return expect(db, event, SETPAY_LEDGER_DISPUTE_WON, expected);
}

/* ------------------------------------------------------------------ rows */

#define DISPUTE_WORDS "'dispute ' || dispute.id || ', ' || dispute.issuer || ' ' || dispute.number"

static enum setpay_error check_disputes(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT " DISPUTE_WORDS " FROM dispute WHERE NOT EXISTS"
                                    " (SELECT 1 FROM ledger_entry WHERE event = dispute.token"
                                    " AND kind = " SETPAY_SQL_LEDGER_DISPUTE ") ORDER BY id",
                                    "not in the ledger:"));
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT " DISPUTE_WORDS
                                    " FROM dispute WHERE outcome <> " SETPAY_SQL_DISPUTE_OPEN
                                    " AND NOT EXISTS"
                                    " (SELECT 1 FROM ledger_entry WHERE event = closing"
                                    " AND kind = CASE outcome WHEN " SETPAY_SQL_DISPUTE_CARDHOLDER
                                    " THEN " SETPAY_SQL_LEDGER_DISPUTE_LOST
                                    " ELSE " SETPAY_SQL_LEDGER_DISPUTE_WON " END) ORDER BY id",
                                    "not in the ledger: the end of"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " DISPUTE_WORDS " FROM dispute WHERE outcome NOT IN (" SETPAY_SQL_DISPUTE_OPEN
        ", " SETPAY_SQL_DISPUTE_CARDHOLDER ", " SETPAY_SQL_DISPUTE_MERCHANT ")"
        " OR (outcome = " SETPAY_SQL_DISPUTE_OPEN
        ") <> (closing IS NULL) OR (outcome = " SETPAY_SQL_DISPUTE_OPEN ") <> (closed = '')"
        " OR (outcome = " SETPAY_SQL_DISPUTE_OPEN
        ") <> (closed_ms = 0) OR (outcome = " SETPAY_SQL_DISPUTE_OPEN ") <> (closed_file IS NULL)"
        " ORDER BY id",
        "neither open nor closed:"));
    return setpay_look_each_row(
        look,
        "SELECT " DISPUTE_WORDS " FROM dispute WHERE amount_minor <= 0 OR NOT EXISTS"
        " (SELECT 1 FROM step WHERE step.id = step_id AND step.kind = " SETPAY_SQL_CAPTURE
        " AND step.amount_minor >= dispute.amount_minor) ORDER BY id",
        "of no capture, or of more than one:");
}

/* What is left of captures (rule G8). */
static enum setpay_error check_steps(struct setpay_look *look)
{
    if (setpay_look_adds_up(look, SETPAY_LOOK_DISPUTES))
        SETPAY_TRY(setpay_look_each_row(
            look,
            "SELECT lower(hex(token)) || ': ' || disputed_minor FROM step WHERE disputed_minor <>"
            " (SELECT COALESCE(SUM(amount_minor), 0) FROM dispute WHERE step_id = step.id"
            " AND outcome IN (" SETPAY_SQL_DISPUTE_OPEN ", " SETPAY_SQL_DISPUTE_CARDHOLDER
            ")) ORDER BY id",
            "what is disputed of it is not what its disputes come to: step"));
    return setpay_look_each_row(
        look,
        "SELECT lower(hex(token)) FROM step WHERE disputed_minor <> 0 AND (undone <> 0"
        " OR credited_minor + disputed_minor > amount_minor) ORDER BY id",
        "more was given back or disputed than was captured: step");
}

/* Each movement of a merchant's money beside items, and what it is of. Kinds: 1 disputed,
 * 2 returned, 3 cleared, 4 repaid. */
#define SOURCES                                                                                    \
    "SELECT dispute.token, 1 AS kind, dispute.id AS source_id, brand, merchant_id, currency,"      \
    " -dispute.amount_minor AS amount_minor, opened_ms AS made_ms FROM dispute"                    \
    " JOIN step ON step.id = step_id JOIN payment ON payment.id = step.payment_id"                 \
    " UNION ALL SELECT closing, 2, dispute.id, brand, merchant_id, currency,"                      \
    " dispute.amount_minor, closed_ms FROM dispute JOIN step ON step.id = step_id"                 \
    " JOIN payment ON payment.id = step.payment_id WHERE outcome = " SETPAY_SQL_DISPUTE_MERCHANT   \
    " UNION ALL SELECT token, 3, id, brand, merchant_id, currency, amount_minor, created_ms"       \
    " FROM suspense_clearing WHERE account = " SETPAY_SQL_MERCHANT_PAYABLE                         \
    " AND amount_minor <> 0"                                                                       \
    " UNION ALL SELECT returned, " SETPAY_SQL_ADJUSTMENT_REPAID ", payout.id, brand, merchant_id," \
    " currency, payout_minor, returned_ms FROM payout JOIN settlement ON settlement.id ="          \
    " settlement_id WHERE returned IS NOT NULL"
#define ADJUSTMENT_WORDS "'adjustment ' || adjustment.id || ', settlement ' || settlement_id"

static enum setpay_error check_adjustments(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " ADJUSTMENT_WORDS " FROM adjustment LEFT JOIN (" SOURCES ") AS source"
        " ON source.token = adjustment.token AND source.kind = adjustment.kind"
        " AND source.source_id = adjustment.source_id AND source.brand = adjustment.brand"
        " AND source.merchant_id = adjustment.merchant_id"
        " AND source.currency = adjustment.currency"
        " AND source.amount_minor = adjustment.amount_minor"
        " AND source.made_ms = adjustment.created_ms WHERE source.token IS NULL"
        " ORDER BY adjustment.id",
        "of no dispute and no clearing, and of no payout that came back, or not as that is:"));
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT kind || ' of ' || source_id FROM (" SOURCES
                                    ") AS source WHERE NOT EXISTS"
                                    " (SELECT 1 FROM adjustment WHERE adjustment.token = "
                                    "source.token) ORDER BY kind, source_id",
                                    "nothing was adjusted for it: kind"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " ADJUSTMENT_WORDS " FROM adjustment WHERE settlement_id <> 0 AND NOT EXISTS"
        " (SELECT 1 FROM settlement WHERE settlement.id = settlement_id"
        " AND settlement.brand = adjustment.brand"
        " AND settlement.merchant_id = adjustment.merchant_id"
        " AND settlement.currency = adjustment.currency) ORDER BY adjustment.id",
        "adjusted by a settlement that is not there, or another's:"));
    return setpay_look_each_row(
        look,
        "SELECT " ADJUSTMENT_WORDS " FROM adjustment"
        " JOIN settlement ON settlement.id = settlement_id"
        " WHERE adjustment.created_ms > settlement.cut_off_ms ORDER BY adjustment.id",
        "adjusted for a day before it was made:");
}

enum setpay_error setpay_look_disputes(struct setpay_look *look)
{
    SETPAY_TRY(check_disputes(look));
    SETPAY_TRY(check_steps(look));
    return check_adjustments(look);
}
