/*
 * Checks an exported receipt (setpay-evidence(5)) by its own bytes: nobody is asked, no wallet is
 * needed. What is proven is said sentence by sentence, and what is not is named.
 *
 * The words in the file are compared with those that are made anew out of the signed bytes; so no
 * word can be changed that the signatures speak about.
 */
#ifndef SETPAY_CARDHOLDER_VERIFY_H
#define SETPAY_CARDHOLDER_VERIFY_H

#include "cardholder/wallet.h"

#include <jansson.h>
#include <stdbool.h>

/* A purchase has at most 1024 steps at setpay's merchant, with one or two receipts each. */
#define SETPAY_WALLET_EXPORT_RECEIPTS 2304
/* An export of as many, with evidence, is below this. */
#define SETPAY_WALLET_EXPORT_MAX ((size_t)16 * 1024 * 1024)
#define SETPAY_WALLET_EXPORT_CERTIFICATES 16

/* Zeroed memory is empty. */
struct setpay_wallet_verdict {
    json_t *proven;     /* [{"what","words"}], in the order in which it was shown, owned */
    json_t *not_proven; /* names of members that nothing signed speaks about, owned */
    char failed[64];    /* what did not hold: "receipts[1]", "offer", "amount", …; or "" */
    struct setpay_id xid;
    char status[16];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1]; /* of a file of batches; else "" */
    char root_name[128];             /* subject of the root that all was checked under */
    struct setpay_digest root;       /* SHA-256 of it */
    bool root_known, root_was_given; /* the first: both above are set */
};
void setpay_wallet_verdict_clear(struct setpay_wallet_verdict *verdict);

/* Rules A2, A3 (at the date of what was signed; revocation apart), W2, W3, W6 and the dual
 * signature, of the text of an exported file. root_der: the root that the caller trusts, empty: the
 * one in the file. verdict must be empty; it also tells what held before an error.
 * SETPAY_E_EVIDENCE (the file is not of this form); otherwise the error of the check that failed,
 * with words. SETPAY_E_NOMEM. */
enum setpay_error setpay_wallet_verify(struct setpay_view text, struct setpay_view root_der,
                                       struct setpay_wallet_verdict *verdict,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* The same of a merchant's file of batches, setpay-batch(5): the gateway's signature of each item
 * and of the totals with which each batch was closed, all of one gateway, and that the items come
 * to these. root_der must be given: there is none in such a file. Errors as above; SETPAY_E_USAGE.
 */
enum setpay_error setpay_wallet_verify_batches(struct setpay_view text, struct setpay_view root_der,
                                               struct setpay_wallet_verdict *verdict,
                                               struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Whether a text is a file of batches rather than a receipt, by the member that says so. */
bool setpay_wallet_is_batches(struct setpay_view text);

/* ---- between verify.c, verify_certificates.c, verify_batch.c and verify_words.c ---- */

struct setpay_wallet_verifying {
    const json_t *file;
    struct setpay_wallet_verdict *verdict;
    struct setpay_problem *problem;
    struct setpay_trust *trust;
    struct setpay_certificate *merchant, *cardholder, *gateway;
    struct setpay_pinit_res offer;
    struct setpay_oi oi;
    struct setpay_wallet_purchase purchase; /* as the signed bytes say it is */
    struct setpay_wallet_decision decision; /* what the receipts come to */
    json_t *receipts;                       /* made anew, owned */
    bool refused; /* the merchant's signed word that nothing was authorised is there */
};
/* Notes what failed, with words ("%s: ", what, is put in front), and gives back error. */
enum setpay_error setpay_wallet_verify_fail(struct setpay_wallet_verifying *verifying,
                                            enum setpay_error error, const char *what,
                                            const char *format, ...) SETPAY_PRINTF(4, 5);
/* The error's own text is all there is to say. */
enum setpay_error setpay_wallet_verify_fail_plainly(struct setpay_wallet_verifying *verifying,
                                                    enum setpay_error error, const char *what);
enum setpay_error setpay_wallet_verify_proven(struct setpay_wallet_verifying *verifying,
                                              const char *what, const char *format, ...)
    SETPAY_PRINTF(3, 4) SETPAY_MUST_CHECK;
enum setpay_error setpay_wallet_verify_not_proven(struct setpay_wallet_verifying *verifying,
                                                  const char *name) SETPAY_MUST_CHECK;
/* Strict base64 of a string; SETPAY_E_EVIDENCE. Replaces what bytes holds. */
enum setpay_error setpay_wallet_verify_bytes(struct setpay_wallet_verifying *verifying,
                                             const json_t *text, const char *what,
                                             struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
/* Rule A3: the root that all is checked under, and every CA of the file up to it, into trust. */
enum setpay_error setpay_wallet_verify_certificates(struct setpay_wallet_verifying *verifying,
                                                    struct setpay_view root_der) SETPAY_MUST_CHECK;
/* The verdict names the root of trust. */
void setpay_wallet_verify_set_root(struct setpay_wallet_verifying *verifying,
                                   const struct setpay_certificate *root, bool given);
/* Rule A3: a leaf (empty: it is missing) as it was at that date. Whether it had been revoked by
 * then no file can show. */
enum setpay_error
setpay_wallet_verify_leaf(struct setpay_wallet_verifying *verifying, struct setpay_view der,
                          enum setpay_profile profile, const char *brand, setpay_time_ms date_ms,
                          const char *what,
                          struct setpay_certificate **certificate) SETPAY_MUST_CHECK;
/* Every word of the file against those of the signed bytes; the rest is named as not proven. */
enum setpay_error
setpay_wallet_verify_words(struct setpay_wallet_verifying *verifying) SETPAY_MUST_CHECK;
/* The merchant's messages that were kept. Before the words. */
enum setpay_error
setpay_wallet_verify_evidence(struct setpay_wallet_verifying *verifying) SETPAY_MUST_CHECK;

#endif
