/*
 * The gateway's tables, and the rows of payments in them.
 *
 * Two unique indices are what rule G6 stands on: one instruction (PIMD), and one (brand, merchant,
 * xid), has one first authorisation for ever, and each further one a number of its own. What is the
 * instruction's (chain of receipts, token, cancellation) stands in the first row, whose version
 * moves with every change of any of them. A third index holds a request's identifier from the
 * booking on, since its answer is kept only later: were another request to take the identifier in
 * between, the outcome could never be written. An update names the version on which it was decided;
 * a row that has moved on is not touched. The card's boxes are in a table of their own, so that
 * deleting them leaves nothing behind.
 */
#include "common/net/saved_trust.h"
#include "common/store/answers.h"
#include "common/store/batch_evidence.h"
#include "common/store/evidence.h"
#include "gateway/clearing/ahead.h"
#include "gateway/clearing/batch.h"
#include "gateway/clearing/dispute.h"
#include "gateway/clearing/given_back.h"
#include "gateway/clearing/incoming.h"
#include "gateway/clearing/items.h"
#include "gateway/clearing/ledger.h"
#include "gateway/clearing/payout.h"
#include "gateway/clearing/reconciliation.h"
#include "gateway/clearing/reserve.h"
#include "gateway/clearing/settlement.h"
#include "gateway/clearing/sql_names.h"
#include "gateway/clearing/unsent.h"
#include "gateway/payment/agreement.h"
#include "gateway/payment/payment.h"
#include "gateway/payment/stand_in.h"
#include "gateway/payment/step.h"

#include <string.h>

#define BOX_MAX 128

static const struct setpay_store_migration steps[] = {
    {1, SETPAY_ANSWERS_SCHEMA
     "CREATE TABLE merchant ("
     " brand TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, category INTEGER NOT NULL,"
     " enabled INTEGER NOT NULL, created_ms INTEGER NOT NULL, PRIMARY KEY (brand, id));"
     "CREATE TABLE payment ("
     " id INTEGER PRIMARY KEY, version INTEGER NOT NULL, state INTEGER NOT NULL,"
     " brand TEXT NOT NULL, merchant_id TEXT NOT NULL, xid BLOB NOT NULL, pimd BLOB NOT NULL,"
     " pomd BLOB NOT NULL, cardholder BLOB NOT NULL, merchant BLOB NOT NULL,"
     " gateway_sign BLOB NOT NULL, gateway_encrypt BLOB NOT NULL, amount_minor INTEGER NOT NULL,"
     " currency TEXT NOT NULL, approved_minor INTEGER NOT NULL, reversed_minor INTEGER NOT NULL,"
     " partial_allowed INTEGER NOT NULL, terms_kind INTEGER NOT NULL, terms_count INTEGER NOT NULL,"
     " terms_interval_days INTEGER NOT NULL, terms_each_minor INTEGER NOT NULL,"
     " terms_end_ms INTEGER NOT NULL, expiry_ms INTEGER NOT NULL, action_code TEXT NOT NULL,"
     " approval_code TEXT NOT NULL, avs_result TEXT NOT NULL, security_code_result TEXT NOT NULL,"
     " hold_expiry_ms INTEGER NOT NULL, cap_token BLOB, last_receipt BLOB NOT NULL,"
     " rrpid BLOB NOT NULL, request_hash BLOB NOT NULL, stan INTEGER NOT NULL,"
     " trace_ms INTEGER NOT NULL, pan_digest BLOB NOT NULL, created_ms INTEGER NOT NULL,"
     " updated_ms INTEGER NOT NULL);"
     "CREATE UNIQUE INDEX payment_xid ON payment (brand, merchant_id, xid);"
     "CREATE UNIQUE INDEX payment_pimd ON payment (pimd);"
     "CREATE UNIQUE INDEX payment_cap_token ON payment (cap_token);"
     "CREATE INDEX payment_state ON payment (state, id);"
     "CREATE INDEX payment_pan ON payment (pan_digest);"
     "CREATE TABLE receipt ("
     " payment_id INTEGER NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL,"
     " sealed BLOB NOT NULL, signed BLOB NOT NULL, created_ms INTEGER NOT NULL,"
     " PRIMARY KEY (payment_id, number));"
     "CREATE TABLE reversal ("
     " id INTEGER PRIMARY KEY, payment_id INTEGER NOT NULL, partial INTEGER NOT NULL,"
     " amount_minor INTEGER NOT NULL, remaining_minor INTEGER NOT NULL,"
     " acknowledged INTEGER NOT NULL, response_code TEXT NOT NULL, sent_count INTEGER NOT NULL,"
     " created_ms INTEGER NOT NULL, acknowledged_ms INTEGER NOT NULL);"
     "CREATE INDEX reversal_open ON reversal (acknowledged, id);"
     "CREATE INDEX reversal_payment ON reversal (payment_id, id);"
     "CREATE TABLE kept_card ("
     " payment_id INTEGER PRIMARY KEY, pan BLOB NOT NULL, expiry BLOB NOT NULL,"
     " back_key BLOB NOT NULL, until_ms INTEGER NOT NULL);"
     "CREATE INDEX kept_card_until ON kept_card (until_ms);"},
    {2, "CREATE UNIQUE INDEX payment_rrpid ON payment (merchant, rrpid);"},
    {3, SETPAY_EVIDENCE_SCHEMA},
    {4, SETPAY_SAVED_TRUST_SCHEMA},
    {5, SETPAY_BATCH_SCHEMA SETPAY_STEP_SCHEMA SETPAY_LEDGER_SCHEMA
     "ALTER TABLE payment ADD COLUMN captured_minor INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE payment ADD COLUMN credited_minor INTEGER NOT NULL DEFAULT 0;"},
    {6, SETPAY_RECONCILIATION_SCHEMA
     "ALTER TABLE payment ADD COLUMN issuer TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE payment ADD COLUMN sale_id BLOB;"
     "ALTER TABLE payment ADD COLUMN period INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE payment ADD COLUMN released_minor INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE payment ADD COLUMN release_open INTEGER NOT NULL DEFAULT 0;"
     "CREATE INDEX payment_sale ON payment (issuer, period) WHERE sale_id IS NOT NULL;"
     "CREATE INDEX payment_hold ON payment (hold_expiry_ms) WHERE " SETPAY_PAYMENT_IS_HELD ";"
     "ALTER TABLE reversal ADD COLUMN advice INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE reversal ADD COLUMN period INTEGER NOT NULL DEFAULT 0;"
     "CREATE INDEX reversal_period ON reversal (period);"},
    {7, SETPAY_AGREEMENT_SCHEMA},
    {8, SETPAY_SETTLEMENT_SCHEMA
     "ALTER TABLE merchant ADD COLUMN zone TEXT NOT NULL DEFAULT 'UTC';"
     "ALTER TABLE merchant ADD COLUMN cut_off_minutes INTEGER NOT NULL DEFAULT 1440;"},
    {9, SETPAY_SETTLEMENT_MORE_SCHEMA SETPAY_ADJUSTMENT_SCHEMA SETPAY_GATEWAY_DISPUTE_SCHEMA
            SETPAY_RESERVE_SCHEMA SETPAY_INCOMING_SCHEMA
     "ALTER TABLE merchant ADD COLUMN reserve_ppm INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE merchant ADD COLUMN reserve_days INTEGER NOT NULL DEFAULT 180;"},
    {10, SETPAY_GIVEN_BACK_SCHEMA
     "ALTER TABLE presentment ADD COLUMN reason TEXT NOT NULL DEFAULT '';"},
    {11, SETPAY_INCOMING_MORE_SCHEMA SETPAY_WRITE_OFF_SCHEMA},
    /* What was kept under a further authorisation belongs to the first, behind what is there. */
    {12, "UPDATE evidence SET number = owner * 1000000 + number, owner ="
         " (SELECT first_id FROM payment WHERE payment.id = evidence.owner)"
         " WHERE owner IN (SELECT id FROM payment WHERE first_id IS NOT NULL);"},
    {13,
     SETPAY_PAYMENT_REVERSALS_SCHEMA SETPAY_SETTLEMENT_TIMES_SCHEMA SETPAY_INCOMING_TAKEN_SCHEMA},
    {14, SETPAY_LEDGER_BEFORE_SCHEMA},
    {15, SETPAY_GATEWAY_DISPUTE_OPEN_SCHEMA},
    {16, SETPAY_STAND_IN_SCHEMA},
    {17, SETPAY_STAND_IN_WRITE_OFF_SCHEMA},
    {18, SETPAY_LEDGER_KEPT_SCHEMA},
    {19, SETPAY_REVERSAL_WRITE_OFF_SCHEMA},
    {20, SETPAY_BATCH_SETTLED_SCHEMA SETPAY_AHEAD_SCHEMA SETPAY_CLEARING_WINDOW_SCHEMA},
    {21, SETPAY_BATCH_EVIDENCE_SCHEMA SETPAY_BATCH_BY_MERCHANT_SCHEMA},
    {22, SETPAY_PAYOUT_SCHEMA SETPAY_SETTLEMENT_REPAID_SCHEMA SETPAY_INCOMING_UNDONE_SCHEMA},
    {23, SETPAY_PAYOUT_UNDONE_SCHEMA},
    {24, SETPAY_SUSPENSE_TOLD_SCHEMA SETPAY_PAYOUT_ASIDE_SCHEMA},
    {0, NULL},
};

/* rule G10 */
static const char *const erasable[] = {"kept_card", NULL};
const struct setpay_store_schema setpay_gateway_schema = {
    .name = "gateway", .steps = steps, .erasable = erasable};

/* ------------------------------------------------------------------ payments */

#define PAYMENT_COLUMNS                                                                            \
    "id, version, state, brand, merchant_id, xid, pimd, pomd, cardholder, merchant, gateway_sign," \
    " gateway_encrypt, amount_minor, currency, approved_minor, reversed_minor, partial_allowed,"   \
    " terms_kind, terms_count, terms_interval_days, terms_each_minor, terms_end_ms, expiry_ms,"    \
    " action_code, approval_code, avs_result, security_code_result, hold_expiry_ms, cap_token,"    \
    " (SELECT f.last_receipt FROM payment f WHERE f.id = COALESCE(payment.first_id, payment.id))," \
    " rrpid, request_hash, stan, trace_ms, pan_digest, created_ms, updated_ms, captured_minor,"    \
    " credited_minor, number, COALESCE(first_id, 0),"                                              \
    " (SELECT f.version FROM payment f WHERE f.id = payment.first_id), asked_by, signed_minor,"    \
    " decided_ms,"                                                                                 \
    " (SELECT f.auth_token FROM payment f WHERE f.id = COALESCE(payment.first_id, payment.id)),"   \
    " (SELECT f.cancelled_ms FROM payment f WHERE f.id = COALESCE(payment.first_id, payment.id))," \
    " issuer, sale_id, period, released_minor, release_open,"                                      \
    " (SELECT COUNT(*) FROM payment f WHERE f.release_open = 1 AND"                                \
    " (f.id = COALESCE(payment.first_id, payment.id) OR"                                           \
    " f.first_id = COALESCE(payment.first_id, payment.id))),"                                      \
    " (SELECT COUNT(*) FROM stand_in WHERE stand_in.payment_id = payment.id)"

static void read_payment(struct setpay_db_rows *rows, struct setpay_payment *payment)
{
    struct setpay_payment p = {0};
    int c = 0;
    p.id = setpay_db_get_int(rows, c++);
    p.version = setpay_db_get_int(rows, c++);
    p.state = (enum setpay_payment_state)setpay_db_get_int(rows, c++);
    setpay_db_get_text(rows, c++, p.brand, sizeof p.brand);
    setpay_db_get_text(rows, c++, p.merchant_id, sizeof p.merchant_id);
    setpay_db_get_id(rows, c++, &p.xid);
    setpay_db_get_digest(rows, c++, &p.pimd);
    setpay_db_get_digest(rows, c++, &p.pomd);
    setpay_db_get_digest(rows, c++, &p.cardholder);
    setpay_db_get_digest(rows, c++, &p.merchant);
    setpay_db_get_digest(rows, c++, &p.gateway_sign);
    setpay_db_get_digest(rows, c++, &p.gateway_encrypt);
    p.amount.minor = setpay_db_get_int(rows, c++);
    setpay_db_get_text(rows, c++, p.amount.currency, sizeof p.amount.currency);
    p.approved_minor = setpay_db_get_int(rows, c++);
    p.reversed_minor = setpay_db_get_int(rows, c++);
    p.partial_allowed = setpay_db_get_bool(rows, c++);
    p.terms.kind = (enum setpay_terms_kind)setpay_db_get_int(rows, c++);
    p.terms.count = (uint32_t)setpay_db_get_int(rows, c++);
    p.terms.interval_days = (uint32_t)setpay_db_get_int(rows, c++);
    p.terms.each_minor = setpay_db_get_int(rows, c++);
    p.terms.end_ms = setpay_db_get_int(rows, c++);
    p.expiry_ms = setpay_db_get_int(rows, c++);
    setpay_db_get_text(rows, c++, p.action_code, sizeof p.action_code);
    setpay_db_get_text(rows, c++, p.approval_code, sizeof p.approval_code);
    setpay_db_get_text(rows, c++, p.avs_result, sizeof p.avs_result);
    setpay_db_get_text(rows, c++, p.security_code_result, sizeof p.security_code_result);
    p.hold_expiry_ms = setpay_db_get_int(rows, c++);
    p.has_cap_token = !setpay_db_is_null(rows, c);
    if (p.has_cap_token)
        setpay_db_get_id(rows, c, &p.cap_token);
    c++;
    setpay_db_get_digest(rows, c++, &p.last_receipt);
    setpay_db_get_id(rows, c++, &p.rrpid);
    setpay_db_get_digest(rows, c++, &p.request_hash);
    p.stan = (uint32_t)setpay_db_get_int(rows, c++);
    p.trace_ms = setpay_db_get_int(rows, c++);
    setpay_db_get_digest(rows, c++, &p.pan_digest);
    p.created_ms = setpay_db_get_int(rows, c++);
    p.updated_ms = setpay_db_get_int(rows, c++);
    p.captured_minor = setpay_db_get_int(rows, c++);
    p.credited_minor = setpay_db_get_int(rows, c++);
    p.number = (uint32_t)setpay_db_get_int(rows, c++);
    p.first_id = setpay_db_get_int(rows, c++);
    p.first_version = p.first_id == 0 ? 0 : setpay_db_get_int(rows, c);
    c++;
    setpay_db_get_digest(rows, c++, &p.asked_by);
    p.signed_minor = setpay_db_get_int(rows, c++);
    p.decided_ms = setpay_db_get_int(rows, c++);
    p.has_auth_token = !setpay_db_is_null(rows, c);
    if (p.has_auth_token)
        setpay_db_get_id(rows, c, &p.auth_token);
    c++;
    p.cancelled_ms = setpay_db_get_int(rows, c++);
    setpay_db_get_text(rows, c++, p.issuer, sizeof p.issuer);
    p.is_sale = !setpay_db_is_null(rows, c);
    if (p.is_sale)
        setpay_db_get_id(rows, c, &p.sale_id);
    c++;
    p.period = setpay_db_get_int(rows, c++);
    p.released_minor = setpay_db_get_int(rows, c++);
    p.release_open = setpay_db_get_bool(rows, c++);
    p.release_owed = setpay_db_get_int(rows, c++) > 0;
    p.stands_in = setpay_db_get_int(rows, c++) > 0;
    *payment = p;
}

static enum setpay_error end_payment(struct setpay_db_rows *rows, struct setpay_payment *payment)
{
    struct setpay_payment found;
    read_payment(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    *payment = found;
    return SETPAY_OK;
}

enum setpay_error setpay_payment_find(struct setpay_db *db, const char *brand,
                                      const char *merchant_id, const struct setpay_id *xid,
                                      struct setpay_payment *payment)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " PAYMENT_COLUMNS " FROM payment"
                             " WHERE brand = $1 AND merchant_id = $2 AND xid = $3 AND number = 1",
                             SETPAY_DB_TEXT(brand), SETPAY_DB_TEXT(merchant_id),
                             SETPAY_DB_ID(xid)));
    return end_payment(rows, payment);
}

enum setpay_error setpay_payment_find_authorisation(struct setpay_db *db, const char *brand,
                                                    const char *merchant_id,
                                                    const struct setpay_id *xid,
                                                    const struct setpay_id *cap_token, int64_t id,
                                                    struct setpay_payment *payment)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " PAYMENT_COLUMNS " FROM payment"
                             " WHERE brand = $1 AND merchant_id = $2 AND xid = $3"
                             " ORDER BY CASE WHEN cap_token = $4 OR id = $5 THEN 0 ELSE 1 END,"
                             " number LIMIT 1",
                             SETPAY_DB_TEXT(brand), SETPAY_DB_TEXT(merchant_id), SETPAY_DB_ID(xid),
                             SETPAY_DB_ID(cap_token), SETPAY_DB_INT(id)));
    return end_payment(rows, payment);
}

enum setpay_error setpay_payment_find_pimd(struct setpay_db *db, const struct setpay_digest *pimd,
                                           struct setpay_payment *payment)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " PAYMENT_COLUMNS " FROM payment"
                             " WHERE pimd = $1 AND number = 1",
                             SETPAY_DB_DIGEST(pimd)));
    return end_payment(rows, payment);
}

enum setpay_error setpay_payment_load(struct setpay_db *db, int64_t id,
                                      struct setpay_payment *payment)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " PAYMENT_COLUMNS " FROM payment WHERE id = $1",
                             SETPAY_DB_INT(id)));
    return end_payment(rows, payment);
}

enum setpay_error setpay_payment_check_rrpid(struct setpay_db *db,
                                             const struct setpay_digest *sender,
                                             const struct setpay_id *rrpid,
                                             const struct setpay_digest *request_hash)
{
    struct setpay_db_rows *rows;
    struct setpay_digest hash = {{0}};
    enum setpay_error error = setpay_db_one(
        db, &rows, "SELECT request_hash FROM payment WHERE asked_by = $1 AND rrpid = $2",
        SETPAY_DB_DIGEST(sender), SETPAY_DB_ID(rrpid));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    setpay_db_get_digest(rows, 0, &hash);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_digest_equal(&hash, request_hash) ? SETPAY_OK
                                                    : SETPAY_E_RRPID_REUSED; /* rule A6 */
}

/* Moves the first row's version on, and with it the chain of receipts. Nothing for a first one. */
static enum setpay_error move_first(struct setpay_db *db, struct setpay_payment *payment)
{
    if (payment->first_id == 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE payment SET version = version + 1, last_receipt = $1"
                             " WHERE id = $2 AND version = $3",
                             SETPAY_DB_DIGEST(&payment->last_receipt),
                             SETPAY_DB_INT(payment->first_id),
                             SETPAY_DB_INT(payment->first_version)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_CONFLICT;
    payment->first_version++;
    return SETPAY_OK;
}

enum setpay_error setpay_payment_insert(struct setpay_db *db, struct setpay_payment *payment)
{
    const struct setpay_payment *p = payment;
    struct setpay_db_rows *rows;
    SETPAY_TRY(move_first(db, payment));
    enum setpay_error error = setpay_db_run(
        db,
        "INSERT INTO payment (version, state, brand, merchant_id, xid, pimd, pomd, cardholder,"
        " merchant, gateway_sign, gateway_encrypt, amount_minor, currency, approved_minor,"
        " reversed_minor, partial_allowed, terms_kind, terms_count, terms_interval_days,"
        " terms_each_minor, terms_end_ms, expiry_ms, action_code, approval_code, avs_result,"
        " security_code_result, hold_expiry_ms, cap_token, last_receipt, rrpid, request_hash,"
        " stan, trace_ms, pan_digest, created_ms, updated_ms, number, first_id, asked_by,"
        " signed_minor, decided_ms, auth_token, issuer, sale_id, period)"
        " VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,"
        " $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34,"
        " $35, $36, NULLIF($37, 0), $38, $39, $40, $41, $42, $43, $44)",
        SETPAY_DB_INT(p->state), SETPAY_DB_TEXT(p->brand), SETPAY_DB_TEXT(p->merchant_id),
        SETPAY_DB_ID(&p->xid), SETPAY_DB_DIGEST(&p->pimd), SETPAY_DB_DIGEST(&p->pomd),
        SETPAY_DB_DIGEST(&p->cardholder), SETPAY_DB_DIGEST(&p->merchant),
        SETPAY_DB_DIGEST(&p->gateway_sign), SETPAY_DB_DIGEST(&p->gateway_encrypt),
        SETPAY_DB_INT(p->amount.minor), SETPAY_DB_TEXT(p->amount.currency),
        SETPAY_DB_INT(p->approved_minor), SETPAY_DB_INT(p->reversed_minor),
        SETPAY_DB_BOOL(p->partial_allowed), SETPAY_DB_INT(p->terms.kind),
        SETPAY_DB_INT(p->terms.count), SETPAY_DB_INT(p->terms.interval_days),
        SETPAY_DB_INT(p->terms.each_minor), SETPAY_DB_INT(p->terms.end_ms),
        SETPAY_DB_INT(p->expiry_ms), SETPAY_DB_TEXT(p->action_code),
        SETPAY_DB_TEXT(p->approval_code), SETPAY_DB_TEXT(p->avs_result),
        SETPAY_DB_TEXT(p->security_code_result), SETPAY_DB_INT(p->hold_expiry_ms),
        SETPAY_DB_ID(p->has_cap_token ? &p->cap_token : NULL), SETPAY_DB_DIGEST(&p->last_receipt),
        SETPAY_DB_ID(&p->rrpid), SETPAY_DB_DIGEST(&p->request_hash), SETPAY_DB_INT(p->stan),
        SETPAY_DB_INT(p->trace_ms), SETPAY_DB_DIGEST(&p->pan_digest), SETPAY_DB_INT(p->created_ms),
        SETPAY_DB_INT(p->updated_ms), SETPAY_DB_INT(p->number), SETPAY_DB_INT(p->first_id),
        SETPAY_DB_DIGEST(&p->asked_by), SETPAY_DB_INT(p->signed_minor),
        SETPAY_DB_INT(p->decided_ms),
        SETPAY_DB_ID(p->has_auth_token && p->first_id == 0 ? &p->auth_token : NULL),
        SETPAY_DB_TEXT(p->issuer), SETPAY_DB_ID(p->is_sale ? &p->sale_id : NULL),
        SETPAY_DB_INT(p->period));
    if (error == SETPAY_E_DUPLICATE)
        return SETPAY_E_PI_USED; /* rule G6 */
    SETPAY_TRY(error);
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT id FROM payment WHERE pimd = $1 AND number = $2",
                             SETPAY_DB_DIGEST(&p->pimd), SETPAY_DB_INT(p->number)));
    int64_t id = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    payment->id = id;
    payment->version = 1;
    return setpay_db_notify(db, &payment->xid, payment->version);
}

enum setpay_error setpay_payment_update(struct setpay_db *db, struct setpay_payment *payment)
{
    const struct setpay_payment *p = payment;
    SETPAY_TRY(move_first(db, payment));
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE payment SET version = version + 1, state = $1, approved_minor = $2,"
        " reversed_minor = $3, action_code = $4, approval_code = $5, avs_result = $6,"
        " security_code_result = $7, hold_expiry_ms = $8, cap_token = $9, last_receipt = $10,"
        " updated_ms = $11, captured_minor = $12, credited_minor = $13, released_minor = $14,"
        " release_open = $15, decided_ms = $16,"
        " cancelled_ms = CASE WHEN first_id IS NULL THEN $17 ELSE 0 END"
        " WHERE id = $18 AND version = $19",
        SETPAY_DB_INT(p->state), SETPAY_DB_INT(p->approved_minor), SETPAY_DB_INT(p->reversed_minor),
        SETPAY_DB_TEXT(p->action_code), SETPAY_DB_TEXT(p->approval_code),
        SETPAY_DB_TEXT(p->avs_result), SETPAY_DB_TEXT(p->security_code_result),
        SETPAY_DB_INT(p->hold_expiry_ms), SETPAY_DB_ID(p->has_cap_token ? &p->cap_token : NULL),
        SETPAY_DB_DIGEST(&p->last_receipt), SETPAY_DB_INT(p->updated_ms),
        SETPAY_DB_INT(p->captured_minor), SETPAY_DB_INT(p->credited_minor),
        SETPAY_DB_INT(p->released_minor), SETPAY_DB_BOOL(p->release_open),
        SETPAY_DB_INT(p->decided_ms), SETPAY_DB_INT(p->cancelled_ms), SETPAY_DB_INT(p->id),
        SETPAY_DB_INT(p->version)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_CONFLICT;
    payment->version++;
    return setpay_db_notify(db, &payment->xid, payment->version);
}

static enum setpay_error walk(struct setpay_db_rows *rows, setpay_payment_each_fn *each, void *arg)
{
    enum setpay_error error = SETPAY_OK;
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_payment payment;
        read_payment(rows, &payment);
        error = each(arg, &payment);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_payment_each_in_state(struct setpay_db *db,
                                               enum setpay_payment_state state,
                                               setpay_payment_each_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(
        db, &rows, "SELECT " PAYMENT_COLUMNS " FROM payment WHERE state = $1 ORDER BY id",
        SETPAY_DB_INT(state)));
    return walk(rows, each, arg);
}

enum setpay_error setpay_payment_each_newest(struct setpay_db *db, int state, int64_t before,
                                             int64_t limit, setpay_payment_each_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    if (state < 0)
        SETPAY_TRY(setpay_db_select(db, &rows,
                                    "SELECT " PAYMENT_COLUMNS " FROM payment WHERE id < $1"
                                    " ORDER BY id DESC LIMIT $2",
                                    SETPAY_DB_INT(before), SETPAY_DB_INT(limit)));
    else
        SETPAY_TRY(setpay_db_select(db, &rows,
                                    "SELECT " PAYMENT_COLUMNS " FROM payment WHERE state = $1"
                                    " AND id < $2 ORDER BY id DESC LIMIT $3",
                                    SETPAY_DB_INT(state), SETPAY_DB_INT(before),
                                    SETPAY_DB_INT(limit)));
    return walk(rows, each, arg);
}

enum setpay_error setpay_payment_add_receipt(struct setpay_db *db, int64_t payment_id,
                                             const struct setpay_sealed_receipt *sealed,
                                             struct setpay_view signed_bytes, setpay_time_ms now_ms)
{
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX + 64);
    enum setpay_error error = setpay_sealed_receipt_build(sealed, &bytes);
    if (error == SETPAY_OK)
        error = setpay_db_run(
            db,
            "INSERT INTO receipt (payment_id, number, of_id, kind, sealed, signed, created_ms)"
            " SELECT chain.id, (SELECT COALESCE(MAX(number), 0) + 1 FROM receipt"
            " WHERE receipt.payment_id = chain.id), chain.of_id, $1, $2, $3, $4"
            " FROM (SELECT COALESCE(first_id, id) AS id, id AS of_id FROM payment WHERE id = $5)"
            " AS chain",
            SETPAY_DB_INT(sealed->kind), SETPAY_DB_VIEW(setpay_buffer_view(&bytes)),
            SETPAY_DB_VIEW(signed_bytes), SETPAY_DB_INT(now_ms), SETPAY_DB_INT(payment_id));
    setpay_buffer_clear(&bytes);
    return error;
}

enum setpay_error setpay_payment_find_receipt(struct setpay_db *db, int64_t payment_id,
                                              enum setpay_receipt_kind kind,
                                              struct setpay_sealed_receipt *sealed)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT sealed FROM receipt WHERE of_id = $1 AND kind = $2"
                             " ORDER BY number DESC LIMIT 1",
                             SETPAY_DB_INT(payment_id), SETPAY_DB_INT(kind)));
    enum setpay_error error = setpay_sealed_receipt_parse(setpay_db_get_view(rows, 0), sealed);
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* ------------------------------------------------------------------ kept cards (rule G10) */

void setpay_kept_card_init(struct setpay_kept_card *card)
{
    setpay_buffer_init(&card->pan, BOX_MAX);
    setpay_buffer_init(&card->expiry, BOX_MAX);
    setpay_buffer_init(&card->back_key, BOX_MAX);
    card->until_ms = 0;
}

void setpay_kept_card_clear(struct setpay_kept_card *card)
{
    setpay_buffer_clear(&card->pan);
    setpay_buffer_clear(&card->expiry);
    setpay_buffer_clear(&card->back_key);
}

enum setpay_error setpay_kept_card_insert(struct setpay_db *db, int64_t payment_id,
                                          const struct setpay_kept_card *card)
{
    return setpay_db_run(db,
                         "INSERT INTO kept_card (payment_id, pan, expiry, back_key, until_ms)"
                         " VALUES ($1, $2, $3, $4, $5)",
                         SETPAY_DB_INT(payment_id), SETPAY_DB_VIEW(setpay_buffer_view(&card->pan)),
                         SETPAY_DB_VIEW(setpay_buffer_view(&card->expiry)),
                         SETPAY_DB_VIEW(setpay_buffer_view(&card->back_key)),
                         SETPAY_DB_INT(card->until_ms));
}

enum setpay_error setpay_kept_card_find(struct setpay_db *db, int64_t payment_id,
                                        struct setpay_kept_card *card)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(
        setpay_db_one(db, &rows,
                      "SELECT pan, expiry, back_key, until_ms FROM kept_card WHERE payment_id ="
                      " (SELECT COALESCE(first_id, id) FROM payment WHERE id = $1)",
                      SETPAY_DB_INT(payment_id)));
    setpay_db_get_buffer(rows, 0, &card->pan);
    setpay_db_get_buffer(rows, 1, &card->expiry);
    setpay_db_get_buffer(rows, 2, &card->back_key);
    card->until_ms = setpay_db_get_int(rows, 3);
    return setpay_db_end(rows);
}

enum setpay_error setpay_kept_card_keep(struct setpay_db *db, int64_t payment_id,
                                        setpay_time_ms until_ms)
{
    return setpay_db_run(db,
                         "UPDATE kept_card SET until_ms = $1 WHERE payment_id ="
                         " (SELECT COALESCE(first_id, id) FROM payment WHERE id = $2)",
                         SETPAY_DB_INT(until_ms), SETPAY_DB_INT(payment_id));
}

enum setpay_error setpay_kept_card_purge(struct setpay_db *db, setpay_time_ms now_ms,
                                         int64_t *deleted)
{
    SETPAY_TRY(
        setpay_db_run(db,
                      "DELETE FROM kept_card WHERE until_ms <= $1 AND NOT EXISTS"
                      " (SELECT 1 FROM reversal JOIN payment p ON p.id = reversal.payment_id"
                      " WHERE COALESCE(p.first_id, p.id) = kept_card.payment_id"
                      " AND acknowledged = 0) AND NOT EXISTS"
                      " (SELECT 1 FROM payment p WHERE"
                      " COALESCE(p.first_id, p.id) = kept_card.payment_id AND (p.state = $2 "
                      "OR " SETPAY_PAYMENT_IS_HELD "))"
                      /* Nor what the issuer is still to be advised of. */
                      " AND NOT " SETPAY_STAND_IN_IS_OPEN("kept_card.payment_id")
                      /* Nor what is still to be presented, or has not been taken yet. */
                      " AND NOT EXISTS (SELECT 1 FROM step JOIN payment p ON"
                      " p.id = step.payment_id LEFT JOIN presentment ON step_id = step.id"
                      " WHERE (p.id = kept_card.payment_id"
                      " OR p.first_id = kept_card.payment_id) AND step.kind IN " SETPAY_SQL_ITEMS
                      " AND undone = 0 AND COALESCE(acknowledged, 0) = 0)",
                      SETPAY_DB_INT(now_ms), SETPAY_DB_INT(SETPAY_PAYMENT_ASKING)));
    *deleted = setpay_db_changes(db);
    return SETPAY_OK;
}
