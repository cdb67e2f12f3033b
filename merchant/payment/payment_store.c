/*
 * The rows of offers and purchases.
 *
 * An update names the version on which it was decided; a row that has moved on is not touched, and
 * each change is told to the store's watchers: that is how the worker that drives a purchase, and
 * the shopper's request that waits for it on another one, hear of it.
 */
#include "merchant/payment/payment_store.h"

#include "common/base/limits.h"
#include "merchant/payment/port.h"
#include "merchant/store/order_tell.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ offers */

void setpay_merchant_offer_init(struct setpay_merchant_offer *offer)
{
    memset(offer, 0, sizeof *offer);
    setpay_buffer_init(&offer->content, SETPAY_LIMIT_CONTENT_BYTES);
}

void setpay_merchant_offer_clear(struct setpay_merchant_offer *offer)
{
    setpay_buffer_clear(&offer->content);
}

enum setpay_error setpay_merchant_offer_insert(struct setpay_db *db,
                                               const struct setpay_merchant_offer *offer)
{
    int64_t open = 0;
    SETPAY_TRY(setpay_merchant_offer_count(db, offer->order_id, offer->created_ms, &open));
    if (open >= SETPAY_MERCHANT_ORDER_OFFERS)
        return SETPAY_E_BUSY;
    return setpay_db_run(db,
                         "INSERT INTO offer (xid, order_id, brand, content, expiry_ms, created_ms)"
                         " VALUES ($1, $2, $3, $4, $5, $6)",
                         SETPAY_DB_ID(&offer->xid), SETPAY_DB_TEXT(offer->order_id),
                         SETPAY_DB_TEXT(offer->brand),
                         SETPAY_DB_VIEW(setpay_buffer_view(&offer->content)),
                         SETPAY_DB_INT(offer->expiry_ms), SETPAY_DB_INT(offer->created_ms));
}

enum setpay_error setpay_merchant_offer_find(struct setpay_db *db, const struct setpay_id *xid,
                                             struct setpay_merchant_offer *offer)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT order_id, brand, content, expiry_ms, created_ms FROM offer WHERE xid = $1",
        SETPAY_DB_ID(xid)));
    offer->xid = *xid;
    setpay_db_get_text(rows, 0, offer->order_id, sizeof offer->order_id);
    setpay_db_get_text(rows, 1, offer->brand, sizeof offer->brand);
    setpay_db_get_buffer(rows, 2, &offer->content);
    offer->expiry_ms = setpay_db_get_int(rows, 3);
    offer->created_ms = setpay_db_get_int(rows, 4);
    return setpay_db_end(rows);
}

enum setpay_error setpay_merchant_offer_count(struct setpay_db *db, const char *order_id,
                                              setpay_time_ms now_ms, int64_t *count)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT count(*) FROM offer WHERE order_id = $1 AND expiry_ms >= $2",
                             SETPAY_DB_TEXT(order_id), SETPAY_DB_INT(now_ms)));
    int64_t found = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    *count = found;
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_offer_purge(struct setpay_db *db, setpay_time_ms before_ms,
                                              int64_t room, int64_t *deleted)
{
    SETPAY_TRY(setpay_db_run(db,
                             "DELETE FROM offer WHERE xid IN (SELECT xid FROM offer"
                             " WHERE expiry_ms < $1 AND NOT EXISTS"
                             " (SELECT 1 FROM purchase WHERE purchase.xid = offer.xid)"
                             " ORDER BY expiry_ms LIMIT $2)",
                             SETPAY_DB_INT(before_ms), SETPAY_DB_INT(room)));
    *deleted = setpay_db_changes(db);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ purchases */

#define PURCHASE_COLUMNS                                                                           \
    "id, version, state, xid, order_id, brand, amount_minor, currency, approved_minor, rrpid,"     \
    " request_hash, lid_c, chall_c, oimd, pimd, pomd, dual_signature, envelope, cardholder,"       \
    " merchant, gateway_sign, gateway_encrypt, terms_kind, terms_count, terms_interval_days,"      \
    " terms_each_minor, terms_end_ms, expiry_ms, until_ms, action_code, approval_code,"            \
    " hold_expiry_ms, cap_token, answered, created_ms, decided_ms, updated_ms, captured_minor,"    \
    " credited_minor, released_minor, first_minor, sale"

static enum setpay_error read_purchase(struct setpay_db_rows *rows,
                                       struct setpay_merchant_purchase *purchase)
{
    struct setpay_merchant_purchase p = {0};
    int c = 0;
    p.id = setpay_db_get_int(rows, c++);
    p.version = setpay_db_get_int(rows, c++);
    p.state = (enum setpay_purchase_state)setpay_db_get_int(rows, c++);
    setpay_db_get_id(rows, c++, &p.xid);
    setpay_db_get_text(rows, c++, p.order_id, sizeof p.order_id);
    setpay_db_get_text(rows, c++, p.brand, sizeof p.brand);
    p.amount.minor = setpay_db_get_int(rows, c++);
    setpay_db_get_text(rows, c++, p.amount.currency, sizeof p.amount.currency);
    p.approved_minor = setpay_db_get_int(rows, c++);
    setpay_db_get_id(rows, c++, &p.rrpid);
    setpay_db_get_digest(rows, c++, &p.request_hash);
    setpay_db_get_id(rows, c++, &p.lid_c);
    setpay_db_get_digest(rows, c++, &p.chall_c);
    setpay_db_get_digest(rows, c++, &p.oimd);
    setpay_db_get_digest(rows, c++, &p.pimd);
    setpay_db_get_digest(rows, c++, &p.pomd);
    enum setpay_error error =
        setpay_signature_from_view(setpay_db_get_view(rows, c++), &p.dual_signature);
    setpay_db_get_digest(rows, c++, &p.envelope);
    setpay_db_get_digest(rows, c++, &p.cardholder);
    setpay_db_get_digest(rows, c++, &p.merchant);
    setpay_db_get_digest(rows, c++, &p.gateway_sign);
    setpay_db_get_digest(rows, c++, &p.gateway_encrypt);
    p.terms.kind = (enum setpay_terms_kind)setpay_db_get_int(rows, c++);
    p.terms.count = (uint32_t)setpay_db_get_int(rows, c++);
    p.terms.interval_days = (uint32_t)setpay_db_get_int(rows, c++);
    p.terms.each_minor = setpay_db_get_int(rows, c++);
    p.terms.end_ms = setpay_db_get_int(rows, c++);
    p.expiry_ms = setpay_db_get_int(rows, c++);
    p.until_ms = setpay_db_get_int(rows, c++);
    setpay_db_get_text(rows, c++, p.action_code, sizeof p.action_code);
    setpay_db_get_text(rows, c++, p.approval_code, sizeof p.approval_code);
    p.hold_expiry_ms = setpay_db_get_int(rows, c++);
    p.has_cap_token = !setpay_db_is_null(rows, c);
    if (p.has_cap_token)
        setpay_db_get_id(rows, c, &p.cap_token);
    c++;
    p.answered = setpay_db_get_bool(rows, c++);
    p.created_ms = setpay_db_get_int(rows, c++);
    p.decided_ms = setpay_db_get_int(rows, c++);
    p.updated_ms = setpay_db_get_int(rows, c++);
    p.captured_minor = setpay_db_get_int(rows, c++);
    p.credited_minor = setpay_db_get_int(rows, c++);
    p.released_minor = setpay_db_get_int(rows, c++);
    p.first_minor = setpay_db_get_int(rows, c++);
    p.sale = setpay_db_get_bool(rows, c++);
    *purchase = p;
    return error == SETPAY_OK ? SETPAY_OK : SETPAY_E_STORE; /* ours, so it must be well-formed */
}

enum setpay_error setpay_merchant_purchase_find(struct setpay_db *db, const struct setpay_id *xid,
                                                struct setpay_merchant_purchase *purchase)
{
    struct setpay_db_rows *rows;
    struct setpay_merchant_purchase found;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " PURCHASE_COLUMNS " FROM purchase WHERE xid = $1",
                             SETPAY_DB_ID(xid)));
    enum setpay_error read = read_purchase(rows, &found);
    SETPAY_TRY(setpay_db_end(rows));
    SETPAY_TRY(read);
    *purchase = found;
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_purchase_certificate(struct setpay_db *db, int64_t purchase_id,
                                                       struct setpay_buffer *certificate)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT certificate FROM purchase WHERE id = $1",
                             SETPAY_DB_INT(purchase_id)));
    setpay_db_get_buffer(rows, 0, certificate);
    return setpay_db_end(rows);
}

enum setpay_error setpay_merchant_purchase_insert(struct setpay_db *db,
                                                  struct setpay_view certificate,
                                                  struct setpay_merchant_purchase *purchase)
{
    const struct setpay_merchant_purchase *p = purchase;
    enum setpay_error error = setpay_db_insert(
        db, &purchase->id,
        "INSERT INTO purchase (version, state, xid, order_id, brand, amount_minor, currency,"
        " approved_minor, rrpid, request_hash, lid_c, chall_c, oimd, pimd, pomd, dual_signature,"
        " envelope, cardholder, merchant, gateway_sign, gateway_encrypt, terms_kind, terms_count,"
        " terms_interval_days, terms_each_minor, terms_end_ms, expiry_ms, until_ms, action_code,"
        " approval_code, hold_expiry_ms, cap_token, answered, created_ms, decided_ms, updated_ms,"
        " certificate, first_minor, sale)"
        " VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,"
        " $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34,"
        " $35, $36, $37, $38) RETURNING id",
        SETPAY_DB_INT(p->state), SETPAY_DB_ID(&p->xid), SETPAY_DB_TEXT(p->order_id),
        SETPAY_DB_TEXT(p->brand), SETPAY_DB_INT(p->amount.minor),
        SETPAY_DB_TEXT(p->amount.currency), SETPAY_DB_INT(p->approved_minor),
        SETPAY_DB_ID(&p->rrpid), SETPAY_DB_DIGEST(&p->request_hash), SETPAY_DB_ID(&p->lid_c),
        SETPAY_DB_DIGEST(&p->chall_c), SETPAY_DB_DIGEST(&p->oimd), SETPAY_DB_DIGEST(&p->pimd),
        SETPAY_DB_DIGEST(&p->pomd), SETPAY_DB_VIEW(setpay_signature_view(&p->dual_signature)),
        SETPAY_DB_DIGEST(&p->envelope), SETPAY_DB_DIGEST(&p->cardholder),
        SETPAY_DB_DIGEST(&p->merchant), SETPAY_DB_DIGEST(&p->gateway_sign),
        SETPAY_DB_DIGEST(&p->gateway_encrypt), SETPAY_DB_INT(p->terms.kind),
        SETPAY_DB_INT(p->terms.count), SETPAY_DB_INT(p->terms.interval_days),
        SETPAY_DB_INT(p->terms.each_minor), SETPAY_DB_INT(p->terms.end_ms),
        SETPAY_DB_INT(p->expiry_ms), SETPAY_DB_INT(p->until_ms), SETPAY_DB_TEXT(p->action_code),
        SETPAY_DB_TEXT(p->approval_code), SETPAY_DB_INT(p->hold_expiry_ms),
        SETPAY_DB_ID(p->has_cap_token ? &p->cap_token : NULL), SETPAY_DB_BOOL(p->answered),
        SETPAY_DB_INT(p->created_ms), SETPAY_DB_INT(p->decided_ms), SETPAY_DB_INT(p->updated_ms),
        SETPAY_DB_VIEW(certificate), SETPAY_DB_INT(p->first_minor), SETPAY_DB_BOOL(p->sale));
    if (error == SETPAY_E_DUPLICATE)
        return SETPAY_E_ORDER_TAKEN; /* rule M4 */
    SETPAY_TRY(error);
    purchase->version = 1;
    SETPAY_TRY(setpay_order_tell(db, &setpay_merchant_payment_port, p->order_id, p->updated_ms));
    return setpay_db_notify(db, &purchase->xid, purchase->version);
}

enum setpay_error setpay_merchant_purchase_update(struct setpay_db *db,
                                                  struct setpay_merchant_purchase *purchase)
{
    const struct setpay_merchant_purchase *p = purchase;
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE purchase SET version = version + 1, state = $1, approved_minor = $2,"
        " action_code = $3, approval_code = $4, hold_expiry_ms = $5, cap_token = $6,"
        " answered = $7, decided_ms = $8, updated_ms = $9, captured_minor = $10,"
        " credited_minor = $11, released_minor = $12 WHERE id = $13 AND version = $14",
        SETPAY_DB_INT(p->state), SETPAY_DB_INT(p->approved_minor), SETPAY_DB_TEXT(p->action_code),
        SETPAY_DB_TEXT(p->approval_code), SETPAY_DB_INT(p->hold_expiry_ms),
        SETPAY_DB_ID(p->has_cap_token ? &p->cap_token : NULL), SETPAY_DB_BOOL(p->answered),
        SETPAY_DB_INT(p->decided_ms), SETPAY_DB_INT(p->updated_ms),
        SETPAY_DB_INT(p->captured_minor), SETPAY_DB_INT(p->credited_minor),
        SETPAY_DB_INT(p->released_minor), SETPAY_DB_INT(p->id), SETPAY_DB_INT(p->version)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_CONFLICT;
    purchase->version++;
    SETPAY_TRY(setpay_order_tell(db, &setpay_merchant_payment_port, p->order_id, p->updated_ms));
    return setpay_db_notify(db, &purchase->xid, purchase->version);
}

static enum setpay_error each_row(struct setpay_db_rows *rows,
                                  setpay_merchant_purchase_each_fn *each, void *arg)
{
    enum setpay_error error = SETPAY_OK;
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_merchant_purchase purchase;
        error = read_purchase(rows, &purchase);
        if (error == SETPAY_OK)
            error = each(arg, &purchase);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_merchant_purchase_each_waiting(struct setpay_db *db,
                                                        setpay_merchant_purchase_each_fn *each,
                                                        void *arg)
{
    for (int state = 1; state < SETPAY_PURCHASE_STATES; state++) {
        struct setpay_db_rows *rows;
        if (!setpay_purchase_state_is_waiting((enum setpay_purchase_state)state))
            continue;
        SETPAY_TRY(setpay_db_select(
            db, &rows, "SELECT " PURCHASE_COLUMNS " FROM purchase WHERE state = $1 ORDER BY id",
            SETPAY_DB_INT(state)));
        SETPAY_TRY(each_row(rows, each, arg));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_purchase_each_of_order(struct setpay_db *db, const char *order_id,
                                                         setpay_merchant_purchase_each_fn *each,
                                                         void *arg)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(
        db, &rows, "SELECT " PURCHASE_COLUMNS " FROM purchase WHERE order_id = $1 ORDER BY id",
        SETPAY_DB_TEXT(order_id)));
    return each_row(rows, each, arg);
}

enum setpay_error setpay_merchant_purchase_each_before(struct setpay_db *db, int64_t before_id,
                                                       int64_t room,
                                                       setpay_merchant_purchase_each_fn *each,
                                                       void *arg)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT " PURCHASE_COLUMNS
                                " FROM purchase WHERE id < $1 ORDER BY id DESC LIMIT $2",
                                SETPAY_DB_INT(before_id), SETPAY_DB_INT(room)));
    return each_row(rows, each, arg);
}

/* ------------------------------------------------------------------ the sealed instruction */

enum setpay_error setpay_merchant_instruction_keep(struct setpay_db *db, int64_t purchase_id,
                                                   struct setpay_view envelope)
{
    return setpay_db_run(db, "INSERT INTO instruction (purchase_id, envelope) VALUES ($1, $2)",
                         SETPAY_DB_INT(purchase_id), SETPAY_DB_VIEW(envelope));
}

enum setpay_error setpay_merchant_instruction_find(struct setpay_db *db, int64_t purchase_id,
                                                   struct setpay_buffer *envelope)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT envelope FROM instruction WHERE purchase_id = $1",
                             SETPAY_DB_INT(purchase_id)));
    setpay_db_get_buffer(rows, 0, envelope);
    return setpay_db_end(rows);
}

enum setpay_error setpay_merchant_instruction_delete(struct setpay_db *db, int64_t purchase_id)
{
    /* rule M7: a row of its own, deleted and never overwritten */
    return setpay_db_run(db, "DELETE FROM instruction WHERE purchase_id = $1",
                         SETPAY_DB_INT(purchase_id));
}

/* ------------------------------------------------------------------ requests to the gateway */

void setpay_merchant_ask_init(struct setpay_merchant_ask *ask)
{
    memset(ask, 0, sizeof *ask);
    setpay_buffer_init(&ask->content, SETPAY_LIMIT_CONTENT_BYTES);
}

void setpay_merchant_ask_clear(struct setpay_merchant_ask *ask)
{
    setpay_buffer_clear(&ask->content);
}

enum setpay_error setpay_merchant_ask_insert(struct setpay_db *db, int64_t purchase_id,
                                             const struct setpay_merchant_ask *ask)
{
    return setpay_db_run(
        db,
        "INSERT INTO gateway_request (purchase_id, kind, rrpid, content, signature, created_ms,"
        " step_id, signer) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        SETPAY_DB_INT(purchase_id), SETPAY_DB_INT(ask->kind), SETPAY_DB_ID(&ask->rrpid),
        SETPAY_DB_VIEW(setpay_buffer_view(&ask->content)),
        SETPAY_DB_VIEW(setpay_signature_view(&ask->signature)), SETPAY_DB_INT(ask->created_ms),
        SETPAY_DB_INT(ask->step_id), SETPAY_DB_DIGEST(&ask->signer));
}

static enum setpay_error read_ask(struct setpay_db_rows *rows,
                                  const struct setpay_merchant_purchase *purchase,
                                  struct setpay_merchant_ask *ask)
{
    ask->id = setpay_db_get_int(rows, 0);
    ask->kind = (enum setpay_ask_kind)setpay_db_get_int(rows, 1);
    setpay_db_get_id(rows, 2, &ask->rrpid);
    setpay_db_get_buffer(rows, 3, &ask->content);
    enum setpay_error error =
        setpay_signature_from_view(setpay_db_get_view(rows, 4), &ask->signature);
    ask->created_ms = setpay_db_get_int(rows, 5);
    ask->step_id = setpay_db_get_int(rows, 6);
    if (setpay_db_is_null(rows, 7))
        ask->signer = purchase->merchant; /* kept before there was the column */
    else
        setpay_db_get_digest(rows, 7, &ask->signer);
    SETPAY_TRY(setpay_db_end(rows));
    return error == SETPAY_OK ? SETPAY_OK : SETPAY_E_STORE;
}

#define ASK_COLUMNS "id, kind, rrpid, content, signature, created_ms, step_id, signer"

enum setpay_error setpay_merchant_ask_find(struct setpay_db *db,
                                           const struct setpay_merchant_purchase *purchase,
                                           enum setpay_ask_kind kind,
                                           struct setpay_merchant_ask *ask)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " ASK_COLUMNS " FROM gateway_request WHERE purchase_id = $1"
                             " AND kind = $2 AND step_id = 0 ORDER BY id DESC LIMIT 1",
                             SETPAY_DB_INT(purchase->id), SETPAY_DB_INT(kind)));
    return read_ask(rows, purchase, ask);
}

enum setpay_error setpay_merchant_ask_find_step(struct setpay_db *db,
                                                const struct setpay_merchant_purchase *purchase,
                                                int64_t step_id, struct setpay_merchant_ask *ask)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " ASK_COLUMNS " FROM gateway_request"
                             " WHERE step_id = $1 ORDER BY id DESC LIMIT 1",
                             SETPAY_DB_INT(step_id)));
    return read_ask(rows, purchase, ask);
}

enum setpay_error setpay_merchant_ask_forget_step(struct setpay_db *db, int64_t step_id)
{
    return setpay_db_run(db, "DELETE FROM gateway_request WHERE step_id = $1",
                         SETPAY_DB_INT(step_id));
}

enum setpay_error setpay_merchant_ask_find_any(struct setpay_db *db,
                                               const struct setpay_merchant_purchase *purchase,
                                               uint64_t index, struct setpay_merchant_ask *ask)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows, "SELECT count(*) FROM gateway_request WHERE purchase_id = $1 AND kind < $2",
        SETPAY_DB_INT(purchase->id), SETPAY_DB_INT(SETPAY_ASK_REVERSE)));
    int64_t count = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    if (count <= 0)
        return SETPAY_E_NOT_FOUND;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " ASK_COLUMNS " FROM gateway_request WHERE purchase_id = $1"
                             " AND kind < $2 ORDER BY id DESC LIMIT 1 OFFSET $3",
                             SETPAY_DB_INT(purchase->id), SETPAY_DB_INT(SETPAY_ASK_REVERSE),
                             SETPAY_DB_INT((int64_t)(index % (uint64_t)count))));
    return read_ask(rows, purchase, ask);
}

/* ------------------------------------------------------------------ receipts */

#define SEALED_MAX (SETPAY_WIRE_RECEIPT_MAX + 64)

enum setpay_error setpay_merchant_receipt_add(struct setpay_db *db, int64_t purchase_id,
                                              const struct setpay_sealed_receipt *receipt,
                                              setpay_time_ms now_ms)
{
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SEALED_MAX);
    enum setpay_error error = setpay_sealed_receipt_build(receipt, &bytes);
    if (error == SETPAY_OK)
        error =
            setpay_db_run(db,
                          "INSERT INTO sealed_receipt (purchase_id, number, sealed, created_ms)"
                          " SELECT $1, count(*), $2, $3 FROM sealed_receipt WHERE purchase_id = $1",
                          SETPAY_DB_INT(purchase_id), SETPAY_DB_VIEW(setpay_buffer_view(&bytes)),
                          SETPAY_DB_INT(now_ms));
    setpay_buffer_clear(&bytes);
    return error;
}

static enum setpay_error count_receipts(struct setpay_db *db, int64_t purchase_id, int64_t *count)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT count(*) FROM sealed_receipt WHERE purchase_id = $1",
                             SETPAY_DB_INT(purchase_id)));
    *count = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

enum setpay_error setpay_merchant_receipt_list(struct setpay_db *db, int64_t purchase_id,
                                               uint32_t skipped, struct setpay_pres *message)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    int64_t count = 0;
    SETPAY_TRY(count_receipts(db, purchase_id, &count));
    message->skipped = (int64_t)skipped < count ? skipped : (uint32_t)count;
    int64_t wanted = count - message->skipped;
    if (wanted > SETPAY_LIMIT_RECEIPTS)
        wanted = SETPAY_LIMIT_RECEIPTS;
    message->receipts =
        calloc((size_t)wanted + SETPAY_MERCHANT_RECEIPTS_ADDED, sizeof *message->receipts);
    if (message->receipts == NULL)
        return SETPAY_E_NOMEM;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT sealed FROM sealed_receipt WHERE purchase_id = $1"
                                " AND number >= $2 ORDER BY number LIMIT $3",
                                SETPAY_DB_INT(purchase_id), SETPAY_DB_INT(message->skipped),
                                SETPAY_DB_INT(wanted)));
    while (error == SETPAY_OK && message->receipt_count < (size_t)wanted && setpay_db_next(rows)) {
        error = setpay_sealed_receipt_parse(setpay_db_get_view(rows, 0),
                                            &message->receipts[message->receipt_count]);
        if (error == SETPAY_OK)
            message->receipt_count++;
    }
    enum setpay_error end = setpay_db_end(rows);
    message->left = (uint32_t)(count - message->skipped - (int64_t)message->receipt_count);
    return error != SETPAY_OK ? SETPAY_E_STORE : end;
}
