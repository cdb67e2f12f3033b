/*
 * The rows of agreements: what a purchase's row does not hold, since most purchases have none.
 */
#include "cardholder/agreement.h"

#include <string.h>

enum setpay_error setpay_wallet_agreement_add(struct setpay_db *db,
                                              const struct setpay_wallet_purchase *purchase)
{
    const struct setpay_terms *terms = &purchase->terms;
    if (terms->kind == SETPAY_TERMS_SINGLE)
        return SETPAY_OK;
    return setpay_db_run(db,
                         "INSERT INTO agreement (xid, count, interval_days, each_minor, end_ms,"
                         " authorisations, last_authorised, cancelled, asked)"
                         " VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0)",
                         SETPAY_DB_ID(&purchase->xid), SETPAY_DB_INT(terms->count),
                         SETPAY_DB_INT(terms->interval_days), SETPAY_DB_INT(terms->each_minor),
                         SETPAY_DB_INT(terms->end_ms));
}

static void read_word(struct setpay_db_rows *rows, struct setpay_signed_cancellation *word)
{
    struct setpay_view bytes = setpay_db_get_view(rows, 7);
    struct setpay_view signature = setpay_db_get_view(rows, 8);
    if (bytes.size > sizeof word->bytes ||
        setpay_signature_from_view(signature, &word->signature) != SETPAY_OK)
        return;
    memcpy(word->bytes, bytes.data, bytes.size);
    word->size = bytes.size;
}

enum setpay_error setpay_wallet_agreement_read(struct setpay_db *db,
                                               struct setpay_wallet_purchase *purchase)
{
    struct setpay_db_rows *rows;
    purchase->sums.authorisations = purchase->sums.authorised_minor > 0 ? 1 : 0;
    enum setpay_error error = setpay_db_one(
        db, &rows,
        "SELECT count, interval_days, each_minor, end_ms, authorisations, last_authorised,"
        " cancelled, word, signature, asked FROM agreement WHERE xid = $1",
        SETPAY_DB_ID(&purchase->xid));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    purchase->terms.count = (uint32_t)setpay_db_get_int(rows, 0);
    purchase->terms.interval_days = (uint32_t)setpay_db_get_int(rows, 1);
    purchase->terms.each_minor = setpay_db_get_int(rows, 2);
    purchase->terms.end_ms = setpay_db_get_int(rows, 3);
    purchase->sums.authorisations = (uint32_t)setpay_db_get_int(rows, 4);
    purchase->sums.last_authorised_ms = setpay_db_get_int(rows, 5);
    purchase->sums.cancelled_ms = setpay_db_get_int(rows, 6);
    purchase->cancel_asked_ms = setpay_db_get_int(rows, 9);
    if (!setpay_db_is_null(rows, 7))
        read_word(rows, &purchase->cancellation);
    return setpay_db_end(rows);
}

enum setpay_error setpay_wallet_agreement_apply(struct setpay_db *db, const struct setpay_id *xid,
                                                const struct setpay_receipt_sums *sums)
{
    return setpay_db_run(db,
                         "UPDATE agreement SET authorisations = $1, last_authorised = $2,"
                         " cancelled = $3 WHERE xid = $4",
                         SETPAY_DB_INT(sums->authorisations),
                         SETPAY_DB_INT(sums->last_authorised_ms), SETPAY_DB_INT(sums->cancelled_ms),
                         SETPAY_DB_ID(xid));
}

enum setpay_error setpay_wallet_agreement_cancel(struct setpay_db *db, const struct setpay_id *xid,
                                                 const struct setpay_signed_cancellation *word,
                                                 setpay_time_ms now_ms)
{
    return setpay_db_run(db,
                         "UPDATE agreement SET word = $1, signature = $2, asked = $3"
                         " WHERE xid = $4 AND word IS NULL",
                         SETPAY_DB_VIEW(setpay_view_of(word->bytes, word->size)),
                         SETPAY_DB_VIEW(setpay_signature_view(&word->signature)),
                         SETPAY_DB_INT(now_ms), SETPAY_DB_ID(xid));
}

enum setpay_error setpay_wallet_agreement_list(struct setpay_db *db, bool cancelling,
                                               struct setpay_id *xids, size_t room, size_t *count)
{
    struct setpay_db_rows *rows;
    *count = 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT agreement.xid FROM agreement"
                                " JOIN purchase ON purchase.xid = agreement.xid"
                                " WHERE $1 = 0 OR (word IS NOT NULL AND cancelled = 0)"
                                " ORDER BY created DESC",
                                SETPAY_DB_BOOL(cancelling)));
    while (*count < room && setpay_db_next(rows))
        setpay_db_get_id(rows, 0, &xids[(*count)++]);
    return setpay_db_end(rows);
}
