/*
 * The wallet: what its files share. Purchases as they are stored, the daemon's state, and the
 * functions of each file; cards are in card.h. Rules W1 to W7 are in offer.c and answer.c, which do
 * no input or output; pay.c and inquiry.c ask merchants and store what came of it.
 *
 * All of struct setpay_wallet belongs to one loop (the first worker's).
 */
#ifndef SETPAY_CARDHOLDER_WALLET_H
#define SETPAY_CARDHOLDER_WALLET_H

#include "cardholder/card.h"
#include "cardholder/purchase_state.h"
#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/base/money.h"
#include "common/base/secret.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/sign.h"
#include "common/net/control_server.h"
#include "common/net/est_client.h"
#include "common/net/http_client.h"
#include "common/net/loop.h"
#include "common/net/saved_trust.h"
#include "common/net/service.h"
#include "common/net/tls.h"
#include "common/pki/certificate.h"
#include "common/pki/chain.h"
#include "common/store/store.h"
#include "common/wire/checks.h"
#include "common/wire/messages.h"
#include "common/wire/receipt.h"
#include "common/wire/signed.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETPAY_WALLET_PREPARED_MAX 16    /* offers that wait for the person's word */
#define SETPAY_WALLET_PURCHASES_MAX 1000 /* in one list */
#define SETPAY_WALLET_OPEN_MAX 256       /* purchases that are inquired after at once */
#define SETPAY_WALLET_WORDS_MAX 200

/* ------------------------------------------------------------------ vault.c */

#define SETPAY_WALLET_PASSPHRASE_MIN 8

/* The master key under a passphrase, as it rests in the database. */
struct setpay_wallet_lock {
    struct setpay_scrypt scrypt;
    uint8_t box[32 + 28];
};
/* A fresh master key (32 bytes, *master must be empty) and its box. About 0.1 s of scrypt. */
enum setpay_error setpay_wallet_lock_make(const struct setpay_secret *passphrase,
                                          struct setpay_wallet_lock *lock,
                                          struct setpay_secret *master) SETPAY_MUST_CHECK;
/* SETPAY_E_PASSPHRASE; *master then stays empty. About 0.1 s of scrypt. */
enum setpay_error setpay_wallet_lock_open(const struct setpay_wallet_lock *lock,
                                          const struct setpay_secret *passphrase,
                                          struct setpay_secret *master) SETPAY_MUST_CHECK;
/* How long the answer to the failures-th wrong passphrase in a row waits. */
int64_t setpay_wallet_lock_delay_ms(unsigned failures);

/* Boxes under the master key; what ("card key", "back key", …) and whose stand in what is
 * authenticated, so that no box can take another's place. Replaces what box holds. */
enum setpay_error setpay_wallet_box_seal(const struct setpay_secret *master, const char *what,
                                         const struct setpay_id *whose, struct setpay_view plain,
                                         struct setpay_buffer *box) SETPAY_MUST_CHECK;
/* SETPAY_E_LOCKED where master is empty; SETPAY_E_CRYPTO. plain must be empty. */
enum setpay_error setpay_wallet_box_open(const struct setpay_secret *master, const char *what,
                                         const struct setpay_id *whose, struct setpay_view box,
                                         struct setpay_secret *plain) SETPAY_MUST_CHECK;

/* scrypt on a thread of its own: makes a lock (lock NULL) or opens one; done runs on the loop.
 * Takes the passphrase. One at a time: SETPAY_E_BUSY. */
struct setpay_wallet;
struct setpay_wallet_unlocking;
typedef void setpay_wallet_unlocked_fn(struct setpay_wallet *wallet, void *arg,
                                       enum setpay_error error,
                                       const struct setpay_wallet_lock *lock,
                                       struct setpay_secret *master);
enum setpay_error setpay_wallet_unlock_start(struct setpay_wallet *wallet,
                                             const struct setpay_wallet_lock *lock,
                                             struct setpay_secret *passphrase,
                                             setpay_wallet_unlocked_fn *done,
                                             void *arg) SETPAY_MUST_CHECK;
/* Answers that still wait for their delay leave at once. */
void setpay_wallet_unlock_hurry(struct setpay_wallet *wallet);

/* ------------------------------------------------------------------ card_request.c */

/* From its arguments to the reply. */
void setpay_wallet_on_card_request(struct setpay_control_call *call, const json_t *args, void *arg);

/* ------------------------------------------------------------------ card_import.c */

/* The one cardholder's certificate among those given, verified (rule A3). */
enum setpay_error
setpay_wallet_verify_card(struct setpay_wallet *wallet, const struct setpay_view *views,
                          size_t count, struct setpay_certificate **certificate) SETPAY_MUST_CHECK;
/* Stores the certificate of a pending card, and replies with CARD. On SETPAY_OK the call is taken.
 * Takes what certified holds. */
enum setpay_error
setpay_wallet_take_card(struct setpay_wallet *wallet, struct setpay_control_call *call,
                        const struct setpay_id *id,
                        struct setpay_wallet_certified *certified) SETPAY_MUST_CHECK;
void setpay_wallet_on_card_import(struct setpay_control_call *call, const json_t *args, void *arg);

/* ------------------------------------------------------------------ purchases, as stored */

struct setpay_wallet_link {
    char host[SETPAY_WIRE_HOST_MAX + 1]; /* lower case */
    uint16_t port;
    char token[SETPAY_LIMIT_TOKEN_BYTES + 1];
};

/* Zeroed memory is empty. */
struct setpay_wallet_purchase {
    struct setpay_id xid;
    int64_t version;
    enum setpay_wallet_state state;
    struct setpay_wallet_link link;
    setpay_time_ms created_ms, updated_ms;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char merchant_name[SETPAY_LIMIT_NAME_BYTES + 1];
    struct setpay_id lid_c;
    char lid_m[SETPAY_WIRE_LID_M_MAX + 1];
    struct setpay_digest chall_c;
    struct setpay_money amount;
    struct setpay_terms terms;
    struct setpay_id rrpid; /* of PReq */
    struct setpay_digest request_hash;
    struct setpay_digest merchant, gateway_sign, gateway_encrypt, cardholder;
    struct setpay_digest oimd, pomd;
    setpay_time_ms signed_ms, expiry_ms;
    struct setpay_buffer gateway_certificate; /* DER: what receipts are verified under */
    struct setpay_buffer card_box;            /* card's id and last four digits */
    struct setpay_buffer back_key_box;
    struct setpay_buffer offer; /* the PInitRes message: the merchant's signed word */
    struct setpay_buffer preq;  /* the PReq message: the very bytes that were sent (rule W5) */
    /* What the gateway's receipts say. */
    size_t receipt_count;
    struct setpay_digest last_hash; /* zeros: none */
    enum setpay_receipt_kind last_kind;
    struct setpay_receipt_sums sums;
    char action_code[3], approval_code[7];
    /* The cardholder's word that ends an agreement, from when it was asked for; of no size: none.
     */
    struct setpay_signed_cancellation cancellation;
    setpay_time_ms cancel_asked_ms;
    /* What the merchant says. */
    int said; /* enum setpay_purchase_status; 0: nothing yet */
    char disagreement[SETPAY_WALLET_WORDS_MAX];
    bool breach;
};
void setpay_wallet_purchase_init(struct setpay_wallet_purchase *purchase);
void setpay_wallet_purchase_clear(struct setpay_wallet_purchase *purchase);

/* ------------------------------------------------------------------ offer.c: pure */

/* setpay://HOST[:PORT]/pay/TOKEN and nothing else. SETPAY_E_INVALID, with words in problem. */
enum setpay_error setpay_wallet_link_parse(const char *uri, struct setpay_wallet_link *link,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;
bool setpay_wallet_link_equal(const struct setpay_wallet_link *a,
                              const struct setpay_wallet_link *b);
/* The link as text; returns out. */
#define SETPAY_WALLET_LINK_TEXT_SIZE 384
const char *setpay_wallet_link_format(const struct setpay_wallet_link *link, char *out);

/* What was asked by a PInitReq. */
struct setpay_wallet_question {
    struct setpay_wallet_link link;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    struct setpay_digest chall_c;
    struct setpay_id lid_c;
    struct setpay_asked asked;
};

/* An offer as it came. The certificates were verified by rule A3, each for its profile. */
struct setpay_wallet_offer {
    const struct setpay_message *message;
    const struct setpay_pinit_res *content;
    const struct setpay_certificate *channel;         /* merchant-tls-server, of the connection */
    const struct setpay_certificate *merchant;        /* merchant-sign, the signer */
    const struct setpay_certificate *gateway_sign;    /* gateway-sign */
    const struct setpay_certificate *gateway_encrypt; /* gateway-encrypt */
};

/* Rules A4, W1, W2, W3, and W4 for terms. SETPAY_E_ANSWER_*, SETPAY_E_BRANDS_MIXED, SETPAY_E_HOST,
 * SETPAY_E_OFFER_SUM, SETPAY_E_EXPIRED, SETPAY_E_GATEWAY_CERTS, SETPAY_E_NOT_AGREED (terms that
 * this wallet does not agree to). */
enum setpay_error setpay_wallet_offer_check(const struct setpay_wallet_question *question,
                                            const struct setpay_wallet_offer *offer,
                                            setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Rule W2 alone. SETPAY_E_OFFER_SUM. */
enum setpay_error
setpay_wallet_offer_check_sum(const struct setpay_pinit_res *content) SETPAY_MUST_CHECK;
/* Rules W2, W4: what the person has agreed to is this offer, and it has not expired.
 * SETPAY_E_OFFER_CHANGED, SETPAY_E_EXPIRED. */
enum setpay_error setpay_wallet_offer_check_agreed(const struct setpay_pinit_res *content,
                                                   const struct setpay_money *amount,
                                                   const char *merchant_id,
                                                   setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ answer.c: pure */

/* Rules A4, W6: a PRes or InqRes is the answer to what was asked, and of this purchase.
 * SETPAY_E_ANSWER_*, SETPAY_E_PURCHASE. */
enum setpay_error setpay_wallet_answer_check(const struct setpay_wallet_purchase *purchase,
                                             const struct setpay_asked *asked,
                                             const struct setpay_digest *challenge,
                                             const struct setpay_message *message,
                                             const struct setpay_pres *pres) SETPAY_MUST_CHECK;

/* Rule A4: whom an answer must be signed by, for one that signer (verified by rule A3, of the
 * brand) has signed. PRes is the word of the certificate that OI names. An inquiry may come years
 * later: it may be answered by any signing certificate of the same merchant, since an end rests on
 * the gateway's receipt alone (rule W6). */
void setpay_wallet_expect_signer(const struct setpay_wallet_purchase *purchase, bool is_inquiry,
                                 const struct setpay_certificate *signer,
                                 struct setpay_asked *asked);

struct setpay_wallet_kept_receipt {
    struct setpay_receipt receipt;
    struct setpay_buffer signed_bytes;
};

/* What an answer changes. Zeroed memory is empty. */
struct setpay_wallet_decision {
    enum setpay_wallet_state state;
    struct setpay_wallet_kept_receipt *receipts; /* new ones, owned */
    size_t receipt_count;
    struct setpay_digest last_hash;
    enum setpay_receipt_kind last_kind;
    struct setpay_receipt_sums sums;
    char action_code[3], approval_code[7];
    int said;
    bool breach;                                /* by this answer */
    char disagreement[SETPAY_WALLET_WORDS_MAX]; /* "": none */
    bool keep_words;                            /* the message is evidence */
    bool more;                                  /* receipts are left, to be asked for at once */
    /* SETPAY_E_RECEIPT: a receipt did not hold (rule W6); those before it count. */
    enum setpay_error receipt_error;
};
void setpay_wallet_decision_clear(struct setpay_wallet_decision *decision);
/* Rule W6: takes the next receipt of the chain, which setpay_receipt_check lets pass, into state,
 * sums and codes. SETPAY_E_RECEIPT where it can't follow; *disagrees says why: "sum", "kind". */
enum setpay_error setpay_wallet_decision_take(struct setpay_wallet_decision *decision,
                                              const struct setpay_receipt *receipt,
                                              const char **disagrees) SETPAY_MUST_CHECK;

/* Rules W6, W7: opens the receipts that are new, checks each against the wallet's own record, and
 * walks the table. gateway is the certificate that PI names, pres was checked. decision must be
 * empty. SETPAY_E_NOMEM, SETPAY_E_CRYPTO. */
enum setpay_error
setpay_wallet_answer_decide(const struct setpay_wallet_purchase *purchase,
                            const struct setpay_pres *pres, const struct setpay_secret *back_key,
                            const struct setpay_certificate *gateway, setpay_time_ms now_ms,
                            struct setpay_wallet_decision *decision) SETPAY_MUST_CHECK;
/* Rule W7: nothing of this purchase can be authorised any more by an honest gateway. */
bool setpay_wallet_time_is_over(const struct setpay_wallet_purchase *purchase,
                                setpay_time_ms now_ms);
/* "authorised", "refused", …; NULL for 0. */
const char *setpay_wallet_said_name(int said);

/* ------------------------------------------------------------------ wallet_store.c */

extern const struct setpay_store_schema setpay_wallet_schema;

/* Reads: inside setpay_store_read. Writes: inside an operation. */
enum setpay_error setpay_wallet_store_read_lock(struct setpay_db *db,
                                                struct setpay_wallet_lock *lock) SETPAY_MUST_CHECK;
/* SETPAY_E_EXISTS. */
enum setpay_error setpay_wallet_store_add_lock(struct setpay_db *db,
                                               const struct setpay_wallet_lock *lock,
                                               setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Rule W5: SETPAY_E_PAYMENT_OPEN where another purchase of the link may not be followed by one;
 * insists: those that the merchant has refused may (rule W7). SETPAY_E_KEY_DESTROYED. */
enum setpay_error setpay_wallet_store_add_purchase(struct setpay_db *db,
                                                   const struct setpay_wallet_purchase *purchase,
                                                   bool insists) SETPAY_MUST_CHECK;
/* purchase is initialised. SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_wallet_store_read_purchase(struct setpay_db *db, const struct setpay_id *xid,
                                  struct setpay_wallet_purchase *purchase) SETPAY_MUST_CHECK;
/* The newest purchase of a link that may not be followed by another one, else the newest of all.
 * SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_wallet_store_find_link(struct setpay_db *db,
                                                const struct setpay_wallet_link *link,
                                                struct setpay_id *xid,
                                                enum setpay_wallet_state *state) SETPAY_MUST_CHECK;
/* Up to room xids, newest first; open: only those that are not settled. */
enum setpay_error setpay_wallet_store_list_purchases(struct setpay_db *db, bool open,
                                                     struct setpay_id *xids, size_t room,
                                                     size_t *count) SETPAY_MUST_CHECK;
/* An authorised purchase that changed after changed_since_ms, or of which more may be taken by an
 * agreement that lasts, and whose next inquiry is due at
 * now_ms; the longest due. One that is due after latest_ms was set by another clock: it is due.
 * next_ms: when it was to be, 0 where that is not set yet. SETPAY_E_NOT_FOUND. */
struct setpay_wallet_followed {
    struct setpay_id xid;
    setpay_time_ms next_ms;
};
enum setpay_error
setpay_wallet_store_find_followed(struct setpay_db *db, setpay_time_ms changed_since_ms,
                                  setpay_time_ms now_ms, setpay_time_ms latest_ms,
                                  struct setpay_wallet_followed *followed) SETPAY_MUST_CHECK;
enum setpay_error setpay_wallet_store_set_followed(struct setpay_db *db,
                                                   const struct setpay_id *xid,
                                                   setpay_time_ms next_ms) SETPAY_MUST_CHECK;
/* Writes a decision made on purchase (its version); words: the message, kept where the decision
 * says so. SETPAY_E_CONFLICT. */
enum setpay_error setpay_wallet_store_apply(struct setpay_db *db,
                                            const struct setpay_wallet_purchase *purchase,
                                            const struct setpay_wallet_decision *decision,
                                            struct setpay_view words,
                                            setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* A message that failed a check: kept, with the words that the person reads. */
enum setpay_error setpay_wallet_store_add_evidence(struct setpay_db *db,
                                                   const struct setpay_id *xid, const char *what,
                                                   struct setpay_view bytes,
                                                   setpay_time_ms now_ms) SETPAY_MUST_CHECK;
typedef enum setpay_error setpay_wallet_evidence_fn(void *arg, const char *what,
                                                    setpay_time_ms received_ms,
                                                    struct setpay_view bytes);
/* Oldest first. */
enum setpay_error setpay_wallet_store_each_evidence(struct setpay_db *db,
                                                    const struct setpay_id *xid,
                                                    setpay_wallet_evidence_fn *each,
                                                    void *arg) SETPAY_MUST_CHECK;
typedef enum setpay_error setpay_wallet_receipt_fn(void *arg, struct setpay_view signed_bytes);
enum setpay_error setpay_wallet_store_each_receipt(struct setpay_db *db,
                                                   const struct setpay_id *xid,
                                                   setpay_wallet_receipt_fn *each,
                                                   void *arg) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ the daemon */

struct setpay_wallet_prepared;  /* below */
struct setpay_wallet_ask;       /* pay.c */
struct setpay_wallet_pursuit;   /* inquiry.c */
struct setpay_wallet_enrolment; /* enrol.c */
struct setpay_wallet_renewal;   /* renew.c */
struct setpay_wallet_renewer;   /* renew.c */
struct setpay_wallet_lists;     /* lists.c */
struct setpay_wallet_follower;  /* follow.c */

struct setpay_wallet {
    struct setpay_service *service;
    struct setpay_worker *worker;
    struct setpay_loop *loop;
    struct setpay_executor executor;
    struct setpay_store *store;
    struct setpay_reader *reader;
    struct setpay_trust *trust;
    struct setpay_tls *tls;
    struct setpay_http_client *http;
    struct setpay_control_server *control;
    int64_t inquiry_min_ms, inquiry_max_ms, answer_wait_ms;
    int64_t renew_before_ms; /* 0: never by itself */
    int64_t follow_for_ms;
    struct setpay_secret master; /* empty: locked */
    struct setpay_wallet_unlocking *unlocking;
    unsigned wrong_passphrases;
    struct setpay_wallet_prepared *prepared;
    struct setpay_wallet_ask *asks;
    struct setpay_wallet_pursuit *pursuits;
    struct setpay_wallet_enrolment *enrolments;
    struct setpay_wallet_renewal *renewals;
    struct setpay_wallet_renewer *renewer;
    struct setpay_wallet_lists *lists;
    struct setpay_wallet_follower *follower;
    struct setpay_saved_trust saved; /* what came beside a merchant's messages, too */
    bool draining;
};

bool setpay_wallet_is_locked(const struct setpay_wallet *wallet);
/* A leaf of one's own from its stored DER. */
enum setpay_error
setpay_wallet_parse_certificate(const struct setpay_buffer *der,
                                struct setpay_certificate **certificate) SETPAY_MUST_CHECK;
/* Ends a call with an error and, where problem has words, those. */
void setpay_wallet_fail(struct setpay_control_call *call, enum setpay_error error,
                        const struct setpay_problem *problem);

/* ------------------------------------------------------------------ render.c */

/* PURCHASE of commands.h, read fresh. items: with the offer's. */
enum setpay_error setpay_wallet_purchase_json(struct setpay_wallet *wallet,
                                              const struct setpay_id *xid, bool items,
                                              json_t **json) SETPAY_MUST_CHECK;
enum setpay_error setpay_wallet_receipt_json(struct setpay_wallet *wallet,
                                             const struct setpay_id *xid,
                                             json_t **json) SETPAY_MUST_CHECK;
json_t *setpay_wallet_offer_json(const struct setpay_wallet *wallet,
                                 const struct setpay_wallet_link *link,
                                 const struct setpay_pinit_res *content, const char *gateway,
                                 const struct setpay_wallet_card *card);

/* ------------------------------------------------------------------ question.c */

#define SETPAY_WALLET_MESSAGE_TYPE "application/x-protobuf"

/* An offer that was checked, with the certificates that it was checked with. */
struct setpay_wallet_prepared {
    struct setpay_wallet_prepared *next;
    struct setpay_wallet_question question;
    struct setpay_id card;
    struct setpay_buffer bytes;  /* the PInitRes message */
    struct setpay_digest digest; /* of its content */
    struct setpay_pinit_res content;
    struct setpay_certificate *merchant, *gateway_sign, *gateway_encrypt;
    bool insists; /* its link has a purchase that the merchant refused, and the person was told */
};

void setpay_wallet_prepared_free(struct setpay_wallet_prepared *prepared);

/* The PInitReq to question's link and brand; what it asks (chall_c, lid_c, asked) goes into
 * question. The certificates that trust holds are named in it. bytes is replaced. */
enum setpay_error setpay_wallet_question_build(struct setpay_wallet_question *question,
                                               struct setpay_trust *trust, setpay_time_ms now_ms,
                                               struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
/* The HTTP part of an answer: a Message, or why not. SETPAY_E_PEER_REFUSED for another status or
 * content type; TLS errors by their cause. */
enum setpay_error setpay_wallet_receive(const struct setpay_http_answer *answer,
                                        struct setpay_message *message) SETPAY_MUST_CHECK;
/* A PInitRes to offer->question, from that peer: rules A2 and A3 for all four certificates, then
 * setpay_wallet_offer_check. Fills digest, content and certificates, also where it fails later. */
enum setpay_error
setpay_wallet_offer_verify(struct setpay_trust *trust, const struct setpay_message *message,
                           const struct setpay_peer *peer, setpay_time_ms now_ms,
                           struct setpay_wallet_prepared *offer) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ sign.c */

/* Makes, signs and packs the purchase; its back key and card reference go into boxes. purchase is
 * initialised and complete after SETPAY_OK. SETPAY_E_LOCKED, SETPAY_E_CERT_TIME (the card's
 * certificate is over), errors of setpay_purchase_build. */
enum setpay_error setpay_wallet_sign(struct setpay_wallet *wallet,
                                     const struct setpay_wallet_prepared *offer,
                                     const struct setpay_wallet_card *card,
                                     const struct setpay_secret *security_code,
                                     setpay_time_ms now_ms,
                                     struct setpay_wallet_purchase *purchase) SETPAY_MUST_CHECK;
/* The same with a card that is open already. */
struct setpay_wallet_signer {
    const struct setpay_wallet_card *card;
    const struct setpay_wallet_card_secrets *secrets;
    struct setpay_certificate *certificate; /* the card's, parsed */
};
enum setpay_error
setpay_wallet_sign_opened(struct setpay_wallet *wallet, const struct setpay_wallet_prepared *offer,
                          const struct setpay_wallet_signer *signer,
                          const struct setpay_secret *security_code, setpay_time_ms now_ms,
                          struct setpay_wallet_purchase *purchase) SETPAY_MUST_CHECK;
/* The card, or the key that was its, that signed a purchase (rule M8). SETPAY_E_LOCKED,
 * SETPAY_E_KEY_DESTROYED. */
enum setpay_error setpay_wallet_load_signer(struct setpay_wallet *wallet,
                                            const struct setpay_wallet_purchase *purchase,
                                            struct setpay_wallet_card *card) SETPAY_MUST_CHECK;
/* A request about a purchase as a message signed by that; its hash goes into asked. */
enum setpay_error setpay_wallet_sign_request(struct setpay_wallet *wallet,
                                             const struct setpay_wallet_purchase *purchase,
                                             enum setpay_message_type type,
                                             struct setpay_view content, struct setpay_asked *asked,
                                             struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
/* An InqReq after a stored purchase, signed by its card. What was asked goes into asked and
 * challenge; bytes is replaced. SETPAY_E_LOCKED, SETPAY_E_NOT_FOUND (the card was removed). */
/* An InqReq after a stored purchase, signed by the key that signed it (rule M8). What was asked
 * goes into asked and challenge; bytes is replaced. SETPAY_E_LOCKED, SETPAY_E_KEY_DESTROYED. */
enum setpay_error setpay_wallet_sign_inquiry(struct setpay_wallet *wallet,
                                             const struct setpay_wallet_purchase *purchase,
                                             struct setpay_asked *asked,
                                             struct setpay_digest *challenge,
                                             struct setpay_buffer *bytes) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ pay.c */

void setpay_wallet_on_offer_show(struct setpay_control_call *call, const json_t *args, void *arg);
void setpay_wallet_on_pay_prepare(struct setpay_control_call *call, const json_t *args, void *arg);
/* Offers that wait for the person's word. */
struct setpay_wallet_prepared *setpay_wallet_prepared_find(struct setpay_wallet *wallet,
                                                           const struct setpay_id *xid);
void setpay_wallet_prepared_drop(struct setpay_wallet *wallet,
                                 struct setpay_wallet_prepared *prepared);
/* By its words (NULL: the default one); one that can pay. SETPAY_E_NOT_FOUND, with words. */
enum setpay_error setpay_wallet_choose_card(struct setpay_wallet *wallet, const char *words,
                                            struct setpay_wallet_card *card,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Ends what is under way; what was signed stays pending. */
void setpay_wallet_pay_drain(struct setpay_wallet *wallet);
void setpay_wallet_pay_clear(struct setpay_wallet *wallet);
/* Where PInitReq, PReq and InqReq go. */
enum setpay_error setpay_wallet_post(struct setpay_wallet *wallet,
                                     const struct setpay_wallet_link *link, struct setpay_view body,
                                     setpay_http_answer_cb *answer_cb, void *arg,
                                     struct setpay_http_exchange **exchange) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ confirm.c */

void setpay_wallet_on_pay_confirm(struct setpay_control_call *call, const json_t *args, void *arg);

/* ------------------------------------------------------------------ inquiry.c */

/* Sees a stored purchase through to its end: sends its PReq (send_preq), then inquires. Does
 * nothing where that is under way. */
void setpay_wallet_pursue(struct setpay_wallet *wallet, const struct setpay_id *xid,
                          bool send_preq);
/* Takes the call: replies with PURCHASE once the purchase is no longer pending, or wait_ms have
 * passed. */
void setpay_wallet_pursue_wait(struct setpay_wallet *wallet, const struct setpay_id *xid,
                               struct setpay_control_call *call, int64_t wait_ms);
/* Asks the merchant once, also after a settled purchase. heard_cb runs once, on the loop, when the
 * answer is stored or wait_ms have passed: why the merchant was not heard, or SETPAY_OK. It must
 * not ask anew. SETPAY_E_DRAINING, SETPAY_E_NOMEM: it will not run. */
typedef void setpay_wallet_heard_fn(void *arg, enum setpay_error error);
enum setpay_error setpay_wallet_refresh(struct setpay_wallet *wallet, const struct setpay_id *xid,
                                        int64_t wait_ms, setpay_wallet_heard_fn *heard_cb,
                                        void *arg) SETPAY_MUST_CHECK;
/* All that are not settled, after an unlock. */
void setpay_wallet_pursue_open(struct setpay_wallet *wallet);
void setpay_wallet_pursue_drain(struct setpay_wallet *wallet);
void setpay_wallet_pursue_clear(struct setpay_wallet *wallet);

/* ------------------------------------------------------------------ look.c */

/* The commands that show stored purchases, asking their merchants first, for a few seconds. */
void setpay_wallet_on_pay_resume(struct setpay_control_call *call, const json_t *args, void *arg);
void setpay_wallet_on_purchase_list(struct setpay_control_call *call, const json_t *args,
                                    void *arg);
void setpay_wallet_on_purchase_show(struct setpay_control_call *call, const json_t *args,
                                    void *arg);
void setpay_wallet_on_purchase_receipt(struct setpay_control_call *call, const json_t *args,
                                       void *arg);

/* ------------------------------------------------------------------ follow.c */

/* Asks by itself now and then what became of authorised purchases, while the wallet is unlocked. */
enum setpay_error setpay_wallet_follower_new(struct setpay_wallet *wallet) SETPAY_MUST_CHECK;
void setpay_wallet_follower_free(struct setpay_wallet *wallet);

/* ------------------------------------------------------------------ enrol.c, enrol_store.c */

void setpay_wallet_on_card_enrol(struct setpay_control_call *call, const json_t *args, void *arg);
/* Ends what is under way; the cards stay pending. */
void setpay_wallet_enrol_drain(struct setpay_wallet *wallet);

/* Where a card is enrolled. */
struct setpay_wallet_authority {
    struct setpay_est_place place;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
};
/* A new pending card, or one that was typed anew, and the place that it is enrolled at.
 * SETPAY_E_EXISTS: its label is taken. */
enum setpay_error
setpay_wallet_store_put_enrolling(struct setpay_db *db, const struct setpay_wallet_card *card,
                                  bool is_new, const struct setpay_est_place *place,
                                  const struct setpay_digest *root) SETPAY_MUST_CHECK;
/* The pending card of that label which was to be enrolled over the network. SETPAY_E_NOT_FOUND:
 * there is no card of that label; SETPAY_E_EXISTS: it is another kind of card. */
enum setpay_error
setpay_wallet_store_find_enrolling(struct setpay_db *db, const char *label, const char *brand,
                                   struct setpay_wallet_card *card) SETPAY_MUST_CHECK;
/* Up to room places of all cards, each with its brand. */
enum setpay_error setpay_wallet_store_list_authorities(struct setpay_db *db,
                                                       struct setpay_wallet_authority *authorities,
                                                       size_t room,
                                                       size_t *count) SETPAY_MUST_CHECK;

/* What the person is to read of an answer of the authority that is no certificate; after_again
 * follows where trying once more is of use. */
enum setpay_error setpay_wallet_explain_authority(const struct setpay_est_result *result,
                                                  const char *after_again,
                                                  struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ renew.c */

void setpay_wallet_on_card_renew(struct setpay_control_call *call, const json_t *args, void *arg);
/* Looks by itself for certificates that end soon, and for earlier keys that are over. */
enum setpay_error setpay_wallet_renewer_new(struct setpay_wallet *wallet) SETPAY_MUST_CHECK;
void setpay_wallet_renewer_free(struct setpay_wallet *wallet);
/* Looks at once: the wallet was unlocked. */
void setpay_wallet_renewer_wake(struct setpay_wallet *wallet);
/* Ends what is under way: the wallet is being locked, or stops. */
void setpay_wallet_renew_stop(struct setpay_wallet *wallet, enum setpay_error why);
/* The root that this wallet is configured with. */
const struct setpay_digest *setpay_wallet_root(const struct setpay_wallet *wallet);

/* ------------------------------------------------------------------ lists.c */

/* Keeps the revocation lists current by itself: those of the brands of cards that were enrolled
 * over the network, from their authorities, once they are past their time. */
enum setpay_error setpay_wallet_lists_new(struct setpay_wallet *wallet) SETPAY_MUST_CHECK;
void setpay_wallet_lists_free(struct setpay_wallet *wallet);

#endif
