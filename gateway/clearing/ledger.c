/*
 * Posting, hashing, appending.
 *
 * The head (number and hash of the last entry) and the balances are rows of their own, kept up in
 * the same operation as the entry: so that appending reads one row, and a look at the balances does
 * not add up the past. That they are right is what ledger_verify.c shows.
 */
#include "gateway/clearing/ledger.h"

#include "common/crypto/hash.h"

#include <string.h>

const char *setpay_account_name(enum setpay_account account)
{
    static const char *const names[SETPAY_ACCOUNT_LAST + 1] = {
        [SETPAY_ACCOUNT_ISSUER_RECEIVABLE] = "issuer receivable",
        [SETPAY_ACCOUNT_MERCHANT_PAYABLE] = "merchant payable",
        [SETPAY_ACCOUNT_INTERCHANGE] = "interchange",
        [SETPAY_ACCOUNT_FEES] = "fees",
        [SETPAY_ACCOUNT_CASH] = "cash",
        [SETPAY_ACCOUNT_SUSPENSE] = "suspense",
        [SETPAY_ACCOUNT_DISPUTES] = "disputes",
        [SETPAY_ACCOUNT_RESERVE] = "reserve",
        [SETPAY_ACCOUNT_LOSSES] = "losses",
    };
    return (unsigned)account <= SETPAY_ACCOUNT_LAST ? names[account] : NULL;
}

const char *setpay_ledger_kind_name(enum setpay_ledger_kind kind)
{
    static const char *const names[SETPAY_LEDGER_LAST + 1] = {
        [SETPAY_LEDGER_CAPTURE] = "capture",
        [SETPAY_LEDGER_CREDIT] = "credit",
        [SETPAY_LEDGER_CAPTURE_REVERSAL] = "capture reversal",
        [SETPAY_LEDGER_CREDIT_REVERSAL] = "credit reversal",
        [SETPAY_LEDGER_SETTLEMENT] = "settlement",
        [SETPAY_LEDGER_SUSPENSE] = "suspense",
        [SETPAY_LEDGER_DISPUTE] = "dispute",
        [SETPAY_LEDGER_DISPUTE_LOST] = "dispute lost",
        [SETPAY_LEDGER_DISPUTE_WON] = "dispute won",
        [SETPAY_LEDGER_RESERVE] = "reserve",
        [SETPAY_LEDGER_RESERVE_RELEASE] = "reserve release",
        [SETPAY_LEDGER_ISSUER_PAYMENT] = "issuer payment",
        [SETPAY_LEDGER_SUSPENSE_CLEARED] = "suspense cleared",
        [SETPAY_LEDGER_WRITE_OFF] = "write-off",
        [SETPAY_LEDGER_ADVICE_WRITE_OFF] = "advice write-off",
        [SETPAY_LEDGER_REVERSAL_WRITE_OFF] = "reversal write-off",
        [SETPAY_LEDGER_PAYOUT_SENT] = "payout sent",
        [SETPAY_LEDGER_PAYOUT_PAID] = "payout paid",
        [SETPAY_LEDGER_PAYOUT_RETURNED] = "payout returned",
        [SETPAY_LEDGER_ISSUER_PAYMENT_UNDONE] = "issuer payment undone",
        [SETPAY_LEDGER_PAYOUT_UNDONE] = "payout undone",
        [SETPAY_LEDGER_PAYOUT_SET_ASIDE] = "payout set aside",
    };
    return (unsigned)kind <= SETPAY_LEDGER_LAST ? names[kind] : NULL;
}

/* ------------------------------------------------------------------ pure */

void setpay_ledger_add(struct setpay_ledger_entry *entry, enum setpay_account account,
                       int64_t amount_minor)
{
    if (amount_minor != 0)
        entry->postings[entry->posting_count++] = (struct setpay_posting){account, amount_minor};
}

void setpay_ledger_post(enum setpay_ledger_kind kind, int64_t amount_minor,
                        const struct setpay_charges *charges, struct setpay_ledger_entry *entry)
{
    bool to_merchant = kind == SETPAY_LEDGER_CAPTURE || kind == SETPAY_LEDGER_CREDIT_REVERSAL;
    int64_t sign = to_merchant ? 1 : -1;
    entry->kind = kind;
    entry->posting_count = 0;
    setpay_ledger_add(entry, SETPAY_ACCOUNT_ISSUER_RECEIVABLE,
                      sign * (amount_minor - charges->interchange_minor));
    setpay_ledger_add(entry, SETPAY_ACCOUNT_INTERCHANGE, sign * charges->interchange_minor);
    setpay_ledger_add(entry, SETPAY_ACCOUNT_MERCHANT_PAYABLE,
                      -sign * (amount_minor - charges->fee_minor));
    setpay_ledger_add(entry, SETPAY_ACCOUNT_FEES, -sign * charges->fee_minor);
}

void setpay_ledger_post_two(enum setpay_ledger_kind kind, enum setpay_account from,
                            enum setpay_account to, int64_t amount_minor,
                            struct setpay_ledger_entry *entry)
{
    entry->kind = kind;
    entry->posting_count = 0;
    setpay_ledger_add(entry, from, amount_minor);
    setpay_ledger_add(entry, to, -amount_minor);
}

enum setpay_error setpay_ledger_end_event(struct setpay_hash *state, struct setpay_id *event)
{
    struct setpay_digest digest;
    SETPAY_TRY(setpay_hash_final(state, &digest));
    memcpy(event->bytes, digest.bytes, sizeof event->bytes);
    return SETPAY_OK;
}

enum setpay_error setpay_ledger_hash(const struct setpay_ledger_entry *entry,
                                     const struct setpay_digest *previous,
                                     struct setpay_digest *hash)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "ledger");
    setpay_hash_add_u64(&state, (uint64_t)entry->number);
    setpay_hash_add_u64(&state, (uint64_t)entry->time_ms);
    setpay_hash_add_u64(&state, (uint64_t)entry->kind);
    setpay_hash_add(&state, setpay_id_view(&entry->event));
    setpay_hash_add(&state, setpay_view_string(entry->brand));
    setpay_hash_add(&state, setpay_view_string(entry->merchant_id));
    setpay_hash_add(&state, setpay_view_string(entry->currency));
    for (size_t i = 0; i < entry->posting_count; i++) {
        setpay_hash_add_u64(&state, (uint64_t)entry->postings[i].account);
        setpay_hash_add_u64(&state, (uint64_t)entry->postings[i].amount_minor);
    }
    setpay_hash_add(&state, setpay_digest_view(previous));
    return setpay_hash_final(&state, hash);
}

/* ------------------------------------------------------------------ appending */

static enum setpay_error read_head(struct setpay_db *db, int64_t *number,
                                   struct setpay_digest *hash)
{
    struct setpay_db_rows *rows;
    *number = 0;
    memset(hash, 0, sizeof *hash);
    enum setpay_error error =
        setpay_db_one(db, &rows, "SELECT number, hash FROM ledger_head WHERE id = 1");
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    *number = setpay_db_get_int(rows, 0);
    setpay_db_get_digest(rows, 1, hash);
    return setpay_db_end(rows);
}

static enum setpay_error write_head(struct setpay_db *db, const struct setpay_ledger_entry *entry)
{
    SETPAY_TRY(setpay_db_run(db, "UPDATE ledger_head SET number = $1, hash = $2 WHERE id = 1",
                             SETPAY_DB_INT(entry->number), SETPAY_DB_DIGEST(&entry->hash)));
    if (setpay_db_changes(db) == 1)
        return SETPAY_OK;
    return setpay_db_run(db, "INSERT INTO ledger_head (id, number, hash) VALUES (1, $1, $2)",
                         SETPAY_DB_INT(entry->number), SETPAY_DB_DIGEST(&entry->hash));
}

static enum setpay_error write_posting(struct setpay_db *db,
                                       const struct setpay_ledger_entry *entry, size_t line)
{
    const struct setpay_posting *posting = &entry->postings[line];
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO ledger_posting (entry, line, account, amount_minor) VALUES ($1, $2, $3, $4)",
        SETPAY_DB_INT(entry->number), SETPAY_DB_INT((int64_t)line), SETPAY_DB_INT(posting->account),
        SETPAY_DB_INT(posting->amount_minor)));
    SETPAY_TRY(
        setpay_db_run(db,
                      "UPDATE ledger_balance SET amount_minor = amount_minor + $1"
                      " WHERE account = $2 AND brand = $3 AND merchant_id = $4 AND currency = $5",
                      SETPAY_DB_INT(posting->amount_minor), SETPAY_DB_INT(posting->account),
                      SETPAY_DB_TEXT(entry->brand), SETPAY_DB_TEXT(entry->merchant_id),
                      SETPAY_DB_TEXT(entry->currency)));
    if (setpay_db_changes(db) == 1)
        return SETPAY_OK;
    return setpay_db_run(
        db,
        "INSERT INTO ledger_balance (account, brand, merchant_id, currency, amount_minor)"
        " VALUES ($1, $2, $3, $4, $5)",
        SETPAY_DB_INT(posting->account), SETPAY_DB_TEXT(entry->brand),
        SETPAY_DB_TEXT(entry->merchant_id), SETPAY_DB_TEXT(entry->currency),
        SETPAY_DB_INT(posting->amount_minor));
}

static bool adds_up(const struct setpay_ledger_entry *entry)
{
    int64_t sum = 0;
    for (size_t i = 0; i < entry->posting_count; i++)
        sum += entry->postings[i].amount_minor;
    return sum == 0 && entry->posting_count > 0;
}

enum setpay_error setpay_ledger_append(struct setpay_db *db, struct setpay_ledger_entry *entry)
{
    struct setpay_ledger_entry made = *entry;
    struct setpay_digest previous;
    if (!adds_up(entry))
        return SETPAY_E_INTERNAL;
    SETPAY_TRY(read_head(db, &made.number, &previous));
    made.number++;
    SETPAY_TRY(setpay_ledger_hash(&made, &previous, &made.hash));
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO ledger_entry (number, time_ms, kind, event, brand, merchant_id, currency,"
        " hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        SETPAY_DB_INT(made.number), SETPAY_DB_INT(made.time_ms), SETPAY_DB_INT(made.kind),
        SETPAY_DB_ID(&made.event), SETPAY_DB_TEXT(made.brand), SETPAY_DB_TEXT(made.merchant_id),
        SETPAY_DB_TEXT(made.currency), SETPAY_DB_DIGEST(&made.hash)));
    for (size_t i = 0; i < made.posting_count; i++)
        SETPAY_TRY(write_posting(db, &made, i));
    SETPAY_TRY(write_head(db, &made));
    *entry = made;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ balances */

enum setpay_error setpay_ledger_each_balance(struct setpay_db *db, setpay_ledger_balance_fn *each,
                                             void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT account, brand, merchant_id, currency, amount_minor FROM ledger_balance"
        " WHERE amount_minor <> 0 ORDER BY account, currency, brand, merchant_id"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        char brand[SETPAY_WIRE_BRAND_MAX + 1], merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
        struct setpay_money amount = {0};
        enum setpay_account account = (enum setpay_account)setpay_db_get_int(rows, 0);
        setpay_db_get_text(rows, 1, brand, sizeof brand);
        setpay_db_get_text(rows, 2, merchant_id, sizeof merchant_id);
        setpay_db_get_text(rows, 3, amount.currency, sizeof amount.currency);
        amount.minor = setpay_db_get_int(rows, 4);
        bool is_credit = amount.minor < 0;
        if (is_credit)
            amount.minor = -amount.minor;
        error = each(arg, account, brand, merchant_id, &amount, is_credit);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}
