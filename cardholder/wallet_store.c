/*
 * What the wallet keeps, and every statement on it.
 *
 * Secrets are boxes of the vault (vault.c); what stands here in the clear is what `list` and
 * `status` show while the wallet is locked. A purchase's row is written before its PReq leaves
 * (rule W5) and changes under its version only. Receipts and evidence are added, never changed.
 */
#include "cardholder/agreement.h"
#include "cardholder/rule.h"

#include "common/crypto/hash.h"

#include <stdlib.h>
#include <string.h>

#define OFFER_MAX SETPAY_LIMIT_MESSAGE_BYTES

static const struct setpay_store_migration steps[] = {
    {1, "CREATE TABLE vault ("
        " id INTEGER PRIMARY KEY CHECK (id = 1),"
        " salt BLOB NOT NULL, cost_n INTEGER NOT NULL, cost_r INTEGER NOT NULL,"
        " cost_p INTEGER NOT NULL, box BLOB NOT NULL, created INTEGER NOT NULL);"
        "CREATE TABLE card ("
        " id BLOB PRIMARY KEY, brand TEXT NOT NULL, label TEXT NOT NULL UNIQUE,"
        " last4 TEXT NOT NULL, status INTEGER NOT NULL, is_default INTEGER NOT NULL,"
        " key_digest BLOB NOT NULL UNIQUE, created INTEGER NOT NULL, expires INTEGER NOT NULL,"
        " certificate BLOB, thumbprint BLOB,"
        " key_box BLOB NOT NULL, pan_secret_box BLOB NOT NULL, pan_box BLOB NOT NULL,"
        " expiry_box BLOB NOT NULL, postcode_box BLOB, house_box BLOB);"
        "CREATE TABLE purchase ("
        " xid BLOB PRIMARY KEY, version INTEGER NOT NULL, state INTEGER NOT NULL,"
        " host TEXT NOT NULL, port INTEGER NOT NULL, token TEXT NOT NULL,"
        " created INTEGER NOT NULL, updated INTEGER NOT NULL, brand TEXT NOT NULL,"
        " merchant_id TEXT NOT NULL, merchant_name TEXT NOT NULL, lid_c BLOB NOT NULL,"
        " lid_m TEXT NOT NULL, chall_c BLOB NOT NULL, amount INTEGER NOT NULL,"
        " currency TEXT NOT NULL, terms INTEGER NOT NULL, rrpid BLOB NOT NULL,"
        " request_hash BLOB NOT NULL, merchant BLOB NOT NULL, gateway_sign BLOB NOT NULL,"
        " gateway_encrypt BLOB NOT NULL, cardholder BLOB NOT NULL, oimd BLOB NOT NULL,"
        " pomd BLOB NOT NULL, signed INTEGER NOT NULL, expiry INTEGER NOT NULL,"
        " gateway_certificate BLOB NOT NULL, card_box BLOB NOT NULL, back_key_box BLOB NOT NULL,"
        " offer BLOB NOT NULL, preq BLOB NOT NULL, receipts INTEGER NOT NULL,"
        " last_hash BLOB NOT NULL, last_kind INTEGER NOT NULL, authorised INTEGER NOT NULL,"
        " reversed INTEGER NOT NULL, action_code TEXT NOT NULL, approval_code TEXT NOT NULL,"
        " said INTEGER NOT NULL, disagreement TEXT NOT NULL, breach INTEGER NOT NULL);"
        "CREATE INDEX purchase_link ON purchase (token, host, port);"
        "CREATE INDEX purchase_created ON purchase (created);"
        "CREATE INDEX purchase_state ON purchase (state);"
        "CREATE TABLE receipt ("
        " xid BLOB NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL,"
        " bytes BLOB NOT NULL, PRIMARY KEY (xid, number));"
        "CREATE TABLE evidence ("
        " xid BLOB NOT NULL, what TEXT NOT NULL, received INTEGER NOT NULL, bytes BLOB NOT NULL,"
        " PRIMARY KEY (xid, what));" SETPAY_SAVED_TRUST_SCHEMA},
    {2, "CREATE TABLE authority ("
        " card BLOB PRIMARY KEY, host TEXT NOT NULL, port INTEGER NOT NULL);"},
    /* Keys in a table of their own: a card that is renewed has more than one, and one that is
     * destroyed leaves nothing behind (setpay_store_checkpoint_truncate). */
    {3, "CREATE TABLE signing_key ("
        " number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, card BLOB NOT NULL,"
        " role INTEGER NOT NULL, key_digest BLOB NOT NULL UNIQUE, begins INTEGER NOT NULL,"
        " expires INTEGER NOT NULL, ends_with_card INTEGER NOT NULL, certificate BLOB,"
        " thumbprint BLOB, box BLOB NOT NULL);"
        "CREATE UNIQUE INDEX signing_key_role ON signing_key (card, role) WHERE role <> 3;"
        "CREATE INDEX signing_key_thumbprint ON signing_key (thumbprint);"
        "INSERT INTO signing_key (number, id, card, role, key_digest, begins, expires,"
        " ends_with_card, certificate, thumbprint, box)"
        " SELECT row_number() OVER (ORDER BY created, id), id, id, 1, key_digest, created, expires,"
        " 0, certificate, thumbprint, key_box FROM card;"
        "CREATE TABLE card_kept ("
        " id BLOB PRIMARY KEY, brand TEXT NOT NULL, label TEXT NOT NULL UNIQUE,"
        " last4 TEXT NOT NULL, status INTEGER NOT NULL, is_default INTEGER NOT NULL,"
        " created INTEGER NOT NULL, pan_secret_box BLOB NOT NULL, pan_box BLOB NOT NULL,"
        " expiry_box BLOB NOT NULL, postcode_box BLOB, house_box BLOB);"
        "INSERT INTO card_kept (id, brand, label, last4, status, is_default, created,"
        " pan_secret_box, pan_box, expiry_box, postcode_box, house_box)"
        " SELECT id, brand, label, last4, status, is_default, created, pan_secret_box, pan_box,"
        " expiry_box, postcode_box, house_box FROM card;"
        "DROP TABLE card;"
        "ALTER TABLE card_kept RENAME TO card;"
        "CREATE INDEX purchase_cardholder ON purchase (cardholder);"
        "ALTER TABLE authority ADD COLUMN root BLOB;"
        "CREATE TABLE renewal ("
        " card BLOB PRIMARY KEY, failures INTEGER NOT NULL, tried INTEGER NOT NULL,"
        " again INTEGER NOT NULL, error TEXT NOT NULL, words TEXT NOT NULL);"},
    {4, "ALTER TABLE purchase ADD COLUMN captured INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE purchase ADD COLUMN credited INTEGER NOT NULL DEFAULT 0;"},
    /* Apart from the purchase, whose row says what was signed and what came of it. */
    {5, "CREATE TABLE followed (xid BLOB PRIMARY KEY, next INTEGER NOT NULL);"},
    {6, SETPAY_WALLET_AGREEMENT_SCHEMA},
    {7, SETPAY_WALLET_RULE_SCHEMA},
    {0, NULL},
};

const struct setpay_store_schema setpay_wallet_schema = {.name = "wallet", .steps = steps};

/* ------------------------------------------------------------------ the vault's lock */

enum setpay_error setpay_wallet_store_read_lock(struct setpay_db *db,
                                                struct setpay_wallet_lock *lock)
{
    struct setpay_db_rows *rows;
    struct setpay_wallet_lock read = {{{0}, 0, 0, 0}, {0}};
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT salt, cost_n, cost_r, cost_p, box FROM vault WHERE id = 1"));
    struct setpay_view salt = setpay_db_get_view(rows, 0), box = setpay_db_get_view(rows, 4);
    bool fits = salt.size == sizeof read.scrypt.salt && box.size == sizeof read.box;
    if (fits) {
        memcpy(read.scrypt.salt, salt.data, salt.size);
        memcpy(read.box, box.data, box.size);
    }
    read.scrypt.n = (uint64_t)setpay_db_get_int(rows, 1);
    read.scrypt.r = (uint32_t)setpay_db_get_int(rows, 2);
    read.scrypt.p = (uint32_t)setpay_db_get_int(rows, 3);
    SETPAY_TRY(setpay_db_end(rows));
    if (!fits)
        return SETPAY_E_STORE;
    *lock = read;
    return SETPAY_OK;
}

enum setpay_error setpay_wallet_store_add_lock(struct setpay_db *db,
                                               const struct setpay_wallet_lock *lock,
                                               setpay_time_ms now_ms)
{
    enum setpay_error error = setpay_db_run(
        db,
        "INSERT INTO vault (id, salt, cost_n, cost_r, cost_p, box, created)"
        " VALUES (1, $1, $2, $3, $4, $5, $6)",
        SETPAY_DB_VIEW(setpay_view_of(lock->scrypt.salt, sizeof lock->scrypt.salt)),
        SETPAY_DB_INT((int64_t)lock->scrypt.n), SETPAY_DB_INT(lock->scrypt.r),
        SETPAY_DB_INT(lock->scrypt.p), SETPAY_DB_VIEW(setpay_view_of(lock->box, sizeof lock->box)),
        SETPAY_DB_INT(now_ms));
    return error == SETPAY_E_DUPLICATE ? SETPAY_E_EXISTS : error;
}

/* ------------------------------------------------------------------ purchases */

void setpay_wallet_purchase_init(struct setpay_wallet_purchase *purchase)
{
    memset(purchase, 0, sizeof *purchase);
    setpay_buffer_init(&purchase->gateway_certificate, SETPAY_LIMIT_CERTIFICATE_BYTES);
    setpay_buffer_init(&purchase->card_box, SETPAY_WALLET_BOX_MAX);
    setpay_buffer_init(&purchase->back_key_box, SETPAY_WALLET_BOX_MAX);
    setpay_buffer_init(&purchase->offer, OFFER_MAX);
    setpay_buffer_init(&purchase->preq, SETPAY_LIMIT_MESSAGE_BYTES);
}

void setpay_wallet_purchase_clear(struct setpay_wallet_purchase *purchase)
{
    setpay_buffer_clear(&purchase->gateway_certificate);
    setpay_buffer_clear(&purchase->card_box);
    setpay_buffer_clear(&purchase->back_key_box);
    setpay_buffer_clear(&purchase->offer);
    setpay_buffer_clear(&purchase->preq);
    setpay_wallet_purchase_init(purchase);
}

/* Rule W8 */
static enum setpay_error check_forgotten(struct setpay_db *db, setpay_time_ms now_ms, bool insists)
{
    struct setpay_store_restore restore;
    SETPAY_TRY(setpay_store_last_restore(db, &restore));
    return insists || !setpay_wallet_may_have_forgotten(&restore, now_ms) ? SETPAY_OK
                                                                          : SETPAY_E_FORGOTTEN;
}

/* Rule W5: no purchase of the link that may still become one. */
static enum setpay_error check_link(struct setpay_db *db, const struct setpay_wallet_link *link,
                                    bool insists)
{
    struct setpay_db_rows *rows;
    bool open = false;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT state FROM purchase WHERE token = $1 AND host = $2"
                                " AND port = $3",
                                SETPAY_DB_TEXT(link->token), SETPAY_DB_TEXT(link->host),
                                SETPAY_DB_INT(link->port)));
    while (setpay_db_next(rows)) {
        enum setpay_wallet_state state = (enum setpay_wallet_state)setpay_db_get_int(rows, 0);
        if (!setpay_wallet_state_may_sign_again(state) &&
            !(insists && setpay_wallet_state_may_insist(state))) /* rule W7 */
            open = true;
    }
    SETPAY_TRY(setpay_db_end(rows));
    return open ? SETPAY_E_PAYMENT_OPEN : SETPAY_OK;
}

/* The key that has signed is there still, and will be until the purchase is final: between signing
 * and storing the card may have been renewed, or removed. */
static enum setpay_error check_signer(struct setpay_db *db, const struct setpay_digest *cardholder)
{
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows, "SELECT number FROM signing_key WHERE thumbprint = $1",
                      SETPAY_DB_DIGEST(cardholder));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_E_KEY_DESTROYED;
    return error == SETPAY_OK ? setpay_db_end(rows) : error;
}

enum setpay_error setpay_wallet_store_add_purchase(struct setpay_db *db,
                                                   const struct setpay_wallet_purchase *purchase,
                                                   bool insists)
{
    const struct setpay_wallet_purchase *p = purchase;
    SETPAY_TRY(check_signer(db, &p->cardholder));
    SETPAY_TRY(check_link(db, &p->link, insists));
    SETPAY_TRY(check_forgotten(db, p->created_ms, insists));
    enum setpay_error error = setpay_db_run(
        db,
        "INSERT INTO purchase (xid, version, state, host, port, token, created, updated, brand,"
        " merchant_id, merchant_name, lid_c, lid_m, chall_c, amount, currency, terms, rrpid,"
        " request_hash, merchant, gateway_sign, gateway_encrypt, cardholder, oimd, pomd, signed,"
        " expiry, gateway_certificate, card_box, back_key_box, offer, preq, last_hash,"
        " receipts, last_kind, authorised, reversed, action_code, approval_code, said,"
        " disagreement, breach)"
        " VALUES ($1, 1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,"
        " $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, 0, 0, 0, 0,"
        " '', '', 0, '', 0)",
        SETPAY_DB_ID(&p->xid), SETPAY_DB_INT(p->state), SETPAY_DB_TEXT(p->link.host),
        SETPAY_DB_INT(p->link.port), SETPAY_DB_TEXT(p->link.token), SETPAY_DB_INT(p->created_ms),
        SETPAY_DB_TEXT(p->brand), SETPAY_DB_TEXT(p->merchant_id), SETPAY_DB_TEXT(p->merchant_name),
        SETPAY_DB_ID(&p->lid_c), SETPAY_DB_TEXT(p->lid_m), SETPAY_DB_DIGEST(&p->chall_c),
        SETPAY_DB_INT(p->amount.minor), SETPAY_DB_TEXT(p->amount.currency),
        SETPAY_DB_INT(p->terms.kind), SETPAY_DB_ID(&p->rrpid), SETPAY_DB_DIGEST(&p->request_hash),
        SETPAY_DB_DIGEST(&p->merchant), SETPAY_DB_DIGEST(&p->gateway_sign),
        SETPAY_DB_DIGEST(&p->gateway_encrypt), SETPAY_DB_DIGEST(&p->cardholder),
        SETPAY_DB_DIGEST(&p->oimd), SETPAY_DB_DIGEST(&p->pomd), SETPAY_DB_INT(p->signed_ms),
        SETPAY_DB_INT(p->expiry_ms), SETPAY_DB_VIEW(setpay_buffer_view(&p->gateway_certificate)),
        SETPAY_DB_VIEW(setpay_buffer_view(&p->card_box)),
        SETPAY_DB_VIEW(setpay_buffer_view(&p->back_key_box)),
        SETPAY_DB_VIEW(setpay_buffer_view(&p->offer)), SETPAY_DB_VIEW(setpay_buffer_view(&p->preq)),
        SETPAY_DB_DIGEST(&p->last_hash));
    if (error == SETPAY_E_DUPLICATE)
        return SETPAY_E_PAYMENT_OPEN;
    SETPAY_TRY(error);
    return setpay_wallet_agreement_add(db, p);
}

#define PURCHASE_COLUMNS                                                                           \
    "version, state, host, port, token, created, updated, brand, merchant_id, merchant_name,"      \
    " lid_c, lid_m, chall_c, amount, currency, terms, rrpid, request_hash, merchant,"              \
    " gateway_sign, gateway_encrypt, cardholder, oimd, pomd, signed, expiry,"                      \
    " gateway_certificate, card_box, back_key_box, offer, preq, receipts, last_hash, last_kind,"   \
    " authorised, reversed, action_code, approval_code, said, disagreement, breach, captured,"     \
    " credited"

static void get_identity(struct setpay_db_rows *rows, struct setpay_wallet_purchase *p)
{
    p->version = setpay_db_get_int(rows, 0);
    p->state = (enum setpay_wallet_state)setpay_db_get_int(rows, 1);
    setpay_db_get_text(rows, 2, p->link.host, sizeof p->link.host);
    p->link.port = (uint16_t)setpay_db_get_int(rows, 3);
    setpay_db_get_text(rows, 4, p->link.token, sizeof p->link.token);
    p->created_ms = setpay_db_get_int(rows, 5);
    p->updated_ms = setpay_db_get_int(rows, 6);
    setpay_db_get_text(rows, 7, p->brand, sizeof p->brand);
    setpay_db_get_text(rows, 8, p->merchant_id, sizeof p->merchant_id);
    setpay_db_get_text(rows, 9, p->merchant_name, sizeof p->merchant_name);
    setpay_db_get_id(rows, 10, &p->lid_c);
    setpay_db_get_text(rows, 11, p->lid_m, sizeof p->lid_m);
    setpay_db_get_digest(rows, 12, &p->chall_c);
    p->amount.minor = setpay_db_get_int(rows, 13);
    setpay_db_get_text(rows, 14, p->amount.currency, sizeof p->amount.currency);
    p->terms.kind = (enum setpay_terms_kind)setpay_db_get_int(rows, 15);
}

static void get_signed(struct setpay_db_rows *rows, struct setpay_wallet_purchase *p)
{
    setpay_db_get_id(rows, 16, &p->rrpid);
    setpay_db_get_digest(rows, 17, &p->request_hash);
    setpay_db_get_digest(rows, 18, &p->merchant);
    setpay_db_get_digest(rows, 19, &p->gateway_sign);
    setpay_db_get_digest(rows, 20, &p->gateway_encrypt);
    setpay_db_get_digest(rows, 21, &p->cardholder);
    setpay_db_get_digest(rows, 22, &p->oimd);
    setpay_db_get_digest(rows, 23, &p->pomd);
    p->signed_ms = setpay_db_get_int(rows, 24);
    p->expiry_ms = setpay_db_get_int(rows, 25);
    setpay_db_get_buffer(rows, 26, &p->gateway_certificate);
    setpay_db_get_buffer(rows, 27, &p->card_box);
    setpay_db_get_buffer(rows, 28, &p->back_key_box);
    setpay_db_get_buffer(rows, 29, &p->offer);
    setpay_db_get_buffer(rows, 30, &p->preq);
}

static void get_outcome(struct setpay_db_rows *rows, struct setpay_wallet_purchase *p)
{
    p->receipt_count = (size_t)setpay_db_get_int(rows, 31);
    setpay_db_get_digest(rows, 32, &p->last_hash);
    p->last_kind = (enum setpay_receipt_kind)setpay_db_get_int(rows, 33);
    p->sums.authorised_minor = setpay_db_get_int(rows, 34);
    p->sums.reversed_minor = setpay_db_get_int(rows, 35);
    setpay_db_get_text(rows, 36, p->action_code, sizeof p->action_code);
    setpay_db_get_text(rows, 37, p->approval_code, sizeof p->approval_code);
    p->said = (int)setpay_db_get_int(rows, 38);
    setpay_db_get_text(rows, 39, p->disagreement, sizeof p->disagreement);
    p->breach = setpay_db_get_bool(rows, 40);
    p->sums.captured_minor = setpay_db_get_int(rows, 41);
    p->sums.credited_minor = setpay_db_get_int(rows, 42);
}

enum setpay_error setpay_wallet_store_read_purchase(struct setpay_db *db,
                                                    const struct setpay_id *xid,
                                                    struct setpay_wallet_purchase *purchase)
{
    struct setpay_db_rows *rows;
    setpay_wallet_purchase_clear(purchase);
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " PURCHASE_COLUMNS " FROM purchase WHERE xid = $1",
                             SETPAY_DB_ID(xid)));
    purchase->xid = *xid;
    get_identity(rows, purchase);
    get_signed(rows, purchase);
    get_outcome(rows, purchase);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_wallet_agreement_read(db, purchase);
}

enum setpay_error setpay_wallet_store_find_link(struct setpay_db *db,
                                                const struct setpay_wallet_link *link,
                                                struct setpay_id *xid,
                                                enum setpay_wallet_state *state)
{
    struct setpay_db_rows *rows;
    bool found = false, stands = false;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT xid, state FROM purchase WHERE token = $1 AND host = $2"
                                " AND port = $3 ORDER BY created DESC",
                                SETPAY_DB_TEXT(link->token), SETPAY_DB_TEXT(link->host),
                                SETPAY_DB_INT(link->port)));
    while (!stands && setpay_db_next(rows)) {
        enum setpay_wallet_state of = (enum setpay_wallet_state)setpay_db_get_int(rows, 1);
        stands = !setpay_wallet_state_may_sign_again(of);
        if (!found || stands) {
            setpay_db_get_id(rows, 0, xid);
            *state = of;
        }
        found = true;
    }
    enum setpay_error error = setpay_db_end(rows);
    return error != SETPAY_OK || found ? error : SETPAY_E_NOT_FOUND;
}

enum setpay_error setpay_wallet_store_list_purchases(struct setpay_db *db, bool open,
                                                     struct setpay_id *xids, size_t room,
                                                     size_t *count)
{
    struct setpay_db_rows *rows;
    *count = 0;
    if (open)
        SETPAY_TRY(setpay_db_select(db, &rows,
                                    "SELECT xid FROM purchase WHERE state IN ($1, $2)"
                                    " ORDER BY created DESC",
                                    SETPAY_DB_INT(SETPAY_WALLET_PENDING),
                                    SETPAY_DB_INT(SETPAY_WALLET_REFUSED)));
    else
        SETPAY_TRY(setpay_db_select(db, &rows, "SELECT xid FROM purchase ORDER BY created DESC"));
    while (*count < room && setpay_db_next(rows))
        setpay_db_get_id(rows, 0, &xids[(*count)++]);
    return setpay_db_end(rows);
}

enum setpay_error setpay_wallet_store_find_followed(struct setpay_db *db,
                                                    setpay_time_ms changed_since_ms,
                                                    setpay_time_ms now_ms, setpay_time_ms latest_ms,
                                                    struct setpay_wallet_followed *followed)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT p.xid, coalesce(f.next, 0) FROM purchase p LEFT JOIN followed f ON f.xid = p.xid"
        " WHERE p.state = $1 AND (p.updated > $2 OR EXISTS (SELECT 1 FROM agreement a"
        " WHERE a.xid = p.xid AND a.cancelled = 0 AND a.end_ms > $3))"
        " AND (f.next IS NULL OR f.next <= $4 OR f.next > $5)"
        " ORDER BY coalesce(f.next, 0), p.updated LIMIT 1",
        SETPAY_DB_INT(SETPAY_WALLET_AUTHORISED), SETPAY_DB_INT(changed_since_ms),
        SETPAY_DB_INT(now_ms), SETPAY_DB_INT(now_ms), SETPAY_DB_INT(latest_ms)));
    setpay_db_get_id(rows, 0, &followed->xid);
    followed->next_ms = setpay_db_get_int(rows, 1);
    return setpay_db_end(rows);
}

enum setpay_error setpay_wallet_store_set_followed(struct setpay_db *db,
                                                   const struct setpay_id *xid,
                                                   setpay_time_ms next_ms)
{
    return setpay_db_run(db,
                         "INSERT INTO followed (xid, next) VALUES ($1, $2)"
                         " ON CONFLICT (xid) DO UPDATE SET next = excluded.next",
                         SETPAY_DB_ID(xid), SETPAY_DB_INT(next_ms));
}

/* ------------------------------------------------------------------ outcomes */

enum setpay_error setpay_wallet_store_add_evidence(struct setpay_db *db,
                                                   const struct setpay_id *xid, const char *what,
                                                   struct setpay_view bytes, setpay_time_ms now_ms)
{
    /* The first of each kind is evidence enough; a peer can't fill the disk with repeats. */
    return setpay_db_run(db,
                         "INSERT INTO evidence (xid, what, received, bytes) VALUES ($1, $2, $3, $4)"
                         " ON CONFLICT (xid, what) DO NOTHING",
                         SETPAY_DB_ID(xid), SETPAY_DB_TEXT(what), SETPAY_DB_INT(now_ms),
                         SETPAY_DB_VIEW(bytes));
}

enum setpay_error setpay_wallet_store_each_evidence(struct setpay_db *db,
                                                    const struct setpay_id *xid,
                                                    setpay_wallet_evidence_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows, "SELECT what, received, bytes FROM evidence WHERE xid = $1 ORDER BY received",
        SETPAY_DB_ID(xid)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        char what[256];
        setpay_db_get_text(rows, 0, what, sizeof what);
        int64_t received_ms = setpay_db_get_int(rows, 1);
        error = each(arg, what, received_ms, setpay_db_get_view(rows, 2));
    }
    enum setpay_error ended = setpay_db_end(rows);
    return error != SETPAY_OK ? error : ended;
}

const char *setpay_wallet_said_name(int said)
{
    static const char *const names[] = {
        [SETPAY_STATUS_AUTHORISED] = "authorised",
        [SETPAY_STATUS_DECLINED] = "declined",
        [SETPAY_STATUS_VOIDED] = "voided",
        [SETPAY_STATUS_REVERSED] = "reversed",
        [SETPAY_STATUS_PENDING] = "pending",
        [SETPAY_STATUS_REFUSED] = "refused",
        [SETPAY_STATUS_UNAUTHORISED] = "unauthorised",
    };
    return said > 0 && (size_t)said < sizeof names / sizeof names[0] ? names[said] : NULL;
}

enum setpay_error setpay_wallet_store_apply(struct setpay_db *db,
                                            const struct setpay_wallet_purchase *purchase,
                                            const struct setpay_wallet_decision *decision,
                                            struct setpay_view words, setpay_time_ms now_ms)
{
    const char *said = setpay_wallet_said_name(decision->said);
    for (size_t i = 0; i < decision->receipt_count; i++) {
        const struct setpay_wallet_kept_receipt *kept = &decision->receipts[i];
        SETPAY_TRY(setpay_db_run(
            db, "INSERT INTO receipt (xid, number, kind, bytes) VALUES ($1, $2, $3, $4)",
            SETPAY_DB_ID(&purchase->xid), SETPAY_DB_INT((int64_t)(purchase->receipt_count + i)),
            SETPAY_DB_INT(kept->receipt.kind),
            SETPAY_DB_VIEW(setpay_buffer_view(&kept->signed_bytes))));
    }
    if (decision->keep_words)
        SETPAY_TRY(setpay_wallet_store_add_evidence(db, &purchase->xid,
                                                    decision->disagreement[0] != '\0'
                                                        ? decision->disagreement
                                                        : (said != NULL ? said : "words"),
                                                    words, now_ms));
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE purchase SET version = version + 1, state = $1, updated = $2, receipts = $3,"
        " last_hash = $4, last_kind = $5, authorised = $6, reversed = $7, action_code = $8,"
        " approval_code = $9, said = $10, disagreement = $11, breach = $12, captured = $13,"
        " credited = $14 WHERE xid = $15 AND version = $16",
        SETPAY_DB_INT(decision->state), SETPAY_DB_INT(now_ms),
        SETPAY_DB_INT((int64_t)(purchase->receipt_count + decision->receipt_count)),
        SETPAY_DB_DIGEST(&decision->last_hash), SETPAY_DB_INT(decision->last_kind),
        SETPAY_DB_INT(decision->sums.authorised_minor),
        SETPAY_DB_INT(decision->sums.reversed_minor), SETPAY_DB_TEXT(decision->action_code),
        SETPAY_DB_TEXT(decision->approval_code), SETPAY_DB_INT(decision->said),
        SETPAY_DB_TEXT(decision->disagreement[0] != '\0' ? decision->disagreement
                                                         : purchase->disagreement),
        SETPAY_DB_BOOL(decision->breach || purchase->breach),
        SETPAY_DB_INT(decision->sums.captured_minor), SETPAY_DB_INT(decision->sums.credited_minor),
        SETPAY_DB_ID(&purchase->xid), SETPAY_DB_INT(purchase->version)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_CONFLICT;
    SETPAY_TRY(setpay_wallet_agreement_apply(db, &purchase->xid, &decision->sums));
    return setpay_db_notify(db, &purchase->xid, purchase->version + 1);
}

enum setpay_error setpay_wallet_store_each_receipt(struct setpay_db *db,
                                                   const struct setpay_id *xid,
                                                   setpay_wallet_receipt_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows, "SELECT bytes FROM receipt WHERE xid = $1 ORDER BY number", SETPAY_DB_ID(xid)));
    while (error == SETPAY_OK && setpay_db_next(rows))
        error = each(arg, setpay_db_get_view(rows, 0));
    enum setpay_error ended = setpay_db_end(rows);
    return error != SETPAY_OK ? error : ended;
}
