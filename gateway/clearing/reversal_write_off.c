/*
 * The end of a reversal that can't be sent: its row and its entry of the ledger are written in one
 * operation.
 */
#include "gateway/clearing/reversal_write_off.h"

#include "common/crypto/hash.h"

#include <stdio.h>

enum setpay_error setpay_reversal_write_off_token(const struct setpay_reversal_write_off *off,
                                                  struct setpay_id *token)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "reversal write-off");
    setpay_hash_add(&state, setpay_view_string(off->brand));
    setpay_hash_add(&state, setpay_view_string(off->merchant_id));
    setpay_hash_add(&state, setpay_view_string(off->issuer));
    setpay_hash_add(&state, setpay_id_view(&off->xid));
    setpay_hash_add_u64(&state, (uint64_t)off->id);
    setpay_hash_add_u64(&state, (uint64_t)off->at_ms);
    setpay_hash_add(&state, setpay_view_string(off->reason));
    return setpay_ledger_end_event(&state, token);
}

void setpay_reversal_write_off_post(int64_t amount_minor, struct setpay_ledger_entry *entry)
{
    entry->kind = SETPAY_LEDGER_REVERSAL_WRITE_OFF;
    entry->posting_count = 0;
    setpay_ledger_add(entry, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, -amount_minor);
    setpay_ledger_add(entry, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, amount_minor);
}

#define OFF                                                                                        \
    "SELECT reversal.id, brand, merchant_id, issuer, xid, reversal.amount_minor, currency,"        \
    " acknowledged_ms, reason FROM reversal JOIN payment ON payment.id = payment_id WHERE "

static enum setpay_error end_off(struct setpay_db_rows *rows, struct setpay_reversal_write_off *off)
{
    struct setpay_reversal_write_off o = {.id = setpay_db_get_int(rows, 0)};
    setpay_db_get_text(rows, 1, o.brand, sizeof o.brand);
    setpay_db_get_text(rows, 2, o.merchant_id, sizeof o.merchant_id);
    setpay_db_get_text(rows, 3, o.issuer, sizeof o.issuer);
    setpay_db_get_id(rows, 4, &o.xid);
    o.amount.minor = setpay_db_get_int(rows, 5);
    setpay_db_get_text(rows, 6, o.amount.currency, sizeof o.amount.currency);
    o.at_ms = setpay_db_get_int(rows, 7);
    setpay_db_get_text(rows, 8, o.reason, sizeof o.reason);
    SETPAY_TRY(setpay_db_end(rows));
    *off = o;
    return SETPAY_OK;
}

enum setpay_error setpay_reversal_write_off_find(struct setpay_db *db,
                                                 const struct setpay_id *event,
                                                 struct setpay_reversal_write_off *off)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, OFF "write_off = $1", SETPAY_DB_ID(event)));
    return end_off(rows, off);
}

enum setpay_error setpay_reversal_write_off(struct setpay_db *db, int64_t reversal,
                                            setpay_time_ms at_ms, const char *reason)
{
    struct setpay_ledger_entry entry = {.time_ms = at_ms};
    struct setpay_reversal_write_off off;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, OFF "reversal.id = $1", SETPAY_DB_INT(reversal)));
    SETPAY_TRY(end_off(rows, &off));
    off.at_ms = at_ms;
    (void)snprintf(off.reason, sizeof off.reason, "%s", reason);
    SETPAY_TRY(setpay_reversal_write_off_token(&off, &entry.event));
    (void)snprintf(entry.brand, sizeof entry.brand, "%s", off.brand);
    (void)snprintf(entry.merchant_id, sizeof entry.merchant_id, "%s", off.merchant_id);
    (void)snprintf(entry.currency, sizeof entry.currency, "%s", off.amount.currency);
    setpay_reversal_write_off_post(off.amount.minor, &entry);
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE reversal SET acknowledged = 1, response_code = $1,"
                             " acknowledged_ms = $2, reason = $3, write_off = $4 WHERE id = $5",
                             SETPAY_DB_TEXT(SETPAY_REVERSAL_WRITTEN_OFF), SETPAY_DB_INT(at_ms),
                             SETPAY_DB_TEXT(off.reason), SETPAY_DB_ID(&entry.event),
                             SETPAY_DB_INT(reversal)));
    return setpay_ledger_append(db, &entry);
}
