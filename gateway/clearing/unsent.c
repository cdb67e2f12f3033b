/*
 * The end of what can't be sent: its row, what waits behind it and its entry of the ledger are
 * written in one operation.
 */
#include "gateway/clearing/unsent.h"

#include "common/crypto/hash.h"
#include "gateway/payment/stand_in.h"

#include <stdio.h>

#define OF_PAYMENT " JOIN payment ON payment.id = payment_id WHERE "
#define GIVE_UP                                                                                    \
    " SET acknowledged = 1, response_code = $1, acknowledged_ms = $2, reason = $3, write_off = $4" \
    " WHERE id = $5"

static const struct {
    const char *domain; /* of its token's digest */
    enum setpay_ledger_kind entry;
    const char *code;
    const char *by_id, *by_event, *give_up;
} kinds[] = {
#define SELECT_OF(table, its_own)                                                                  \
    "SELECT " table ".id, payment_id, brand, merchant_id, " its_own ".issuer, xid, " table         \
    ".amount_minor, " its_own ".currency, acknowledged_ms, reason FROM " table OF_PAYMENT
    [SETPAY_UNSENT_ADVICE] = {"advice write-off", SETPAY_LEDGER_ADVICE_WRITE_OFF,
                              SETPAY_STAND_IN_WRITTEN_OFF,
                              SELECT_OF("stand_in", "stand_in") "stand_in.id = $1",
                              SELECT_OF("stand_in", "stand_in") "write_off = $1",
                              "UPDATE stand_in" GIVE_UP},
    [SETPAY_UNSENT_REVERSAL] = {"reversal write-off", SETPAY_LEDGER_REVERSAL_WRITE_OFF,
                                SETPAY_REVERSAL_WRITTEN_OFF,
                                SELECT_OF("reversal", "payment") "reversal.id = $1",
                                SELECT_OF("reversal", "payment") "write_off = $1",
                                "UPDATE reversal" GIVE_UP},
};

enum setpay_error setpay_unsent_token(const struct setpay_unsent_off *off, struct setpay_id *token)
{
    struct setpay_hash state;
    setpay_hash_init(&state, kinds[off->kind].domain);
    setpay_hash_add(&state, setpay_view_string(off->brand));
    setpay_hash_add(&state, setpay_view_string(off->merchant_id));
    setpay_hash_add(&state, setpay_view_string(off->issuer));
    setpay_hash_add(&state, setpay_id_view(&off->xid));
    setpay_hash_add_u64(&state, (uint64_t)off->id);
    setpay_hash_add_u64(&state, (uint64_t)off->at_ms);
    setpay_hash_add(&state, setpay_view_string(off->reason));
    return setpay_ledger_end_event(&state, token);
}

void setpay_unsent_post(const struct setpay_unsent_off *off, struct setpay_ledger_entry *entry)
{
    entry->kind = kinds[off->kind].entry;
    entry->posting_count = 0;
    setpay_ledger_add(entry, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, -off->amount.minor);
    setpay_ledger_add(entry, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, off->amount.minor);
}

void setpay_unsent_name(const struct setpay_unsent_off *off, struct setpay_ledger_entry *entry)
{
    (void)snprintf(entry->brand, sizeof entry->brand, "%s", off->brand);
    (void)snprintf(entry->merchant_id, sizeof entry->merchant_id, "%s", off->merchant_id);
    (void)snprintf(entry->currency, sizeof entry->currency, "%s", off->amount.currency);
}

static enum setpay_error end_off(struct setpay_db_rows *rows, enum setpay_unsent kind,
                                 struct setpay_unsent_off *off)
{
    struct setpay_unsent_off o = {.kind = kind, .id = setpay_db_get_int(rows, 0)};
    o.payment_id = setpay_db_get_int(rows, 1);
    setpay_db_get_text(rows, 2, o.brand, sizeof o.brand);
    setpay_db_get_text(rows, 3, o.merchant_id, sizeof o.merchant_id);
    setpay_db_get_text(rows, 4, o.issuer, sizeof o.issuer);
    setpay_db_get_id(rows, 5, &o.xid);
    o.amount.minor = setpay_db_get_int(rows, 6);
    setpay_db_get_text(rows, 7, o.amount.currency, sizeof o.amount.currency);
    o.at_ms = setpay_db_get_int(rows, 8);
    setpay_db_get_text(rows, 9, o.reason, sizeof o.reason);
    SETPAY_TRY(setpay_db_end(rows));
    *off = o;
    return SETPAY_OK;
}

enum setpay_error setpay_unsent_find(struct setpay_db *db, enum setpay_unsent kind,
                                     const struct setpay_id *event, struct setpay_unsent_off *off)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, kinds[kind].by_event, SETPAY_DB_ID(event)));
    return end_off(rows, kind, off);
}

/* None of them has been sent: they wait for the advice. */
static enum setpay_error give_up_reversals(struct setpay_db *db,
                                           const struct setpay_unsent_off *off)
{
    return setpay_db_run(db,
                         "UPDATE reversal SET acknowledged = 1, response_code = $1,"
                         " acknowledged_ms = $2 WHERE payment_id = $3 AND acknowledged = 0",
                         SETPAY_DB_TEXT(SETPAY_STAND_IN_WRITTEN_OFF), SETPAY_DB_INT(off->at_ms),
                         SETPAY_DB_INT(off->payment_id));
}

enum setpay_error setpay_unsent_write_off(struct setpay_db *db, enum setpay_unsent kind, int64_t id,
                                          setpay_time_ms at_ms, const char *reason)
{
    struct setpay_ledger_entry entry = {.time_ms = at_ms};
    struct setpay_unsent_off off;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, kinds[kind].by_id, SETPAY_DB_INT(id)));
    SETPAY_TRY(end_off(rows, kind, &off));
    off.at_ms = at_ms;
    (void)snprintf(off.reason, sizeof off.reason, "%s", reason);
    SETPAY_TRY(setpay_unsent_token(&off, &entry.event));
    setpay_unsent_name(&off, &entry);
    setpay_unsent_post(&off, &entry);
    SETPAY_TRY(setpay_db_run(db, kinds[kind].give_up, SETPAY_DB_TEXT(kinds[kind].code),
                             SETPAY_DB_INT(at_ms), SETPAY_DB_TEXT(off.reason),
                             SETPAY_DB_ID(&entry.event), SETPAY_DB_INT(id)));
    if (kind == SETPAY_UNSENT_ADVICE)
        SETPAY_TRY(give_up_reversals(db, &off));
    return setpay_ledger_append(db, &entry);
}
