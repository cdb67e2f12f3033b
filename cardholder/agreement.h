/*
 * Agreements at the wallet: purchases whose terms let the merchant take more than one payment. What
 * was agreed to in words, how it stands by the gateway's receipts, and its cancellation, which the
 * cardholder signs once and the wallet sends until a receipt confirms it.
 */
#ifndef SETPAY_CARDHOLDER_AGREEMENT_H
#define SETPAY_CARDHOLDER_AGREEMENT_H

#include "cardholder/wallet.h"
#include "common/wire/agreement.h"

#define SETPAY_WALLET_AGREEMENT_SCHEMA                                                             \
    "CREATE TABLE agreement ("                                                                     \
    " xid BLOB PRIMARY KEY, count INTEGER NOT NULL, interval_days INTEGER NOT NULL,"               \
    " each_minor INTEGER NOT NULL, end_ms INTEGER NOT NULL, authorisations INTEGER NOT NULL,"      \
    " last_authorised INTEGER NOT NULL, cancelled INTEGER NOT NULL, word BLOB,"                    \
    " signature BLOB, asked INTEGER NOT NULL);"                                                    \
    "INSERT INTO agreement (xid, count, interval_days, each_minor, end_ms, authorisations,"        \
    " last_authorised, cancelled, asked)"                                                          \
    " SELECT xid, 0, 0, 0, 0, CASE WHEN authorised > 0 THEN 1 ELSE 0 END, 0, 0, 0"                 \
    " FROM purchase WHERE terms = 2;"

/* ------------------------------------------------------------------ agreement.c: pure */

/* "12 payments of at most 9.99 EUR, at least 28 days apart, until 2027-11-30; together at most
 * 119.88 EUR"; of SINGLE terms "one payment of 9.99 EUR". Returns out. */
#define SETPAY_WALLET_TERMS_TEXT_SIZE 256
const char *setpay_wallet_terms_text(const struct setpay_terms *terms,
                                     const struct setpay_money *amount,
                                     char out[SETPAY_WALLET_TERMS_TEXT_SIZE]);
/* "single", "split", "instalment", "recurring". */
const char *setpay_wallet_terms_name(enum setpay_terms_kind kind);
/* Whether payments follow without a shipment or anything else that the person would notice. */
bool setpay_wallet_terms_repeat(const struct setpay_terms *terms);
/* Rule W4: what was agreed to are these terms: said, where they repeat, with exactly these words.
 * said may be NULL. SETPAY_E_NOT_AGREED. */
enum setpay_error setpay_wallet_terms_check_agreed(const struct setpay_terms *terms,
                                                   const struct setpay_money *amount,
                                                   const char *said) SETPAY_MUST_CHECK;
/* A cancellation was signed, and no receipt confirms it yet. */
bool setpay_wallet_is_cancelling(const struct setpay_wallet_purchase *purchase);
/* For a receipt that was refused: what of the terms it breaks, as the end of a sentence; NULL where
 * it is something else (disagrees is that of setpay_receipt_check). */
const char *setpay_wallet_breach_words(const char *disagrees);
/* AGREEMENT of commands.h; NULL where memory is short. */
json_t *setpay_wallet_agreement_json(const struct setpay_wallet_purchase *purchase,
                                     setpay_time_ms now_ms);

/* ------------------------------------------------------------------ agreement_store.c */

/* With a purchase that is stored; nothing for terms that do not go on. */
enum setpay_error
setpay_wallet_agreement_add(struct setpay_db *db,
                            const struct setpay_wallet_purchase *purchase) SETPAY_MUST_CHECK;
/* Completes a purchase that was read. */
enum setpay_error
setpay_wallet_agreement_read(struct setpay_db *db,
                             struct setpay_wallet_purchase *purchase) SETPAY_MUST_CHECK;
enum setpay_error
setpay_wallet_agreement_apply(struct setpay_db *db, const struct setpay_id *xid,
                              const struct setpay_receipt_sums *sums) SETPAY_MUST_CHECK;
/* The first word stays. */
enum setpay_error setpay_wallet_agreement_cancel(struct setpay_db *db, const struct setpay_id *xid,
                                                 const struct setpay_signed_cancellation *word,
                                                 setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Up to room xids, newest first; cancelling: only those whose cancellation is not confirmed. */
enum setpay_error setpay_wallet_agreement_list(struct setpay_db *db, bool cancelling,
                                               struct setpay_id *xids, size_t room,
                                               size_t *count) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ cancel.c */

/* The cardholder's word, by the key that signed the purchase. SETPAY_E_LOCKED,
 * SETPAY_E_KEY_DESTROYED. */
enum setpay_error setpay_wallet_sign_cancellation(
    struct setpay_wallet *wallet, const struct setpay_wallet_purchase *purchase,
    setpay_time_ms now_ms, struct setpay_signed_cancellation *word) SETPAY_MUST_CHECK;
/* A CanReq with the word that is stored; otherwise as setpay_wallet_sign_inquiry. */
enum setpay_error setpay_wallet_sign_can_req(struct setpay_wallet *wallet,
                                             const struct setpay_wallet_purchase *purchase,
                                             struct setpay_asked *asked,
                                             struct setpay_digest *challenge,
                                             struct setpay_buffer *bytes) SETPAY_MUST_CHECK;

void setpay_wallet_on_agreement_list(struct setpay_control_call *call, const json_t *args,
                                     void *arg);
void setpay_wallet_on_agreement_show(struct setpay_control_call *call, const json_t *args,
                                     void *arg);
void setpay_wallet_on_agreement_cancel(struct setpay_control_call *call, const json_t *args,
                                       void *arg);

#endif
