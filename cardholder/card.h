/*
 * Cards as they are stored, with their keys and certificates: what is made, sealed and opened of
 * them (card.c), the statements about them (card_store.c), and when their certificates are renewed
 * (renewal.c). No sockets, no clock.
 */
#ifndef SETPAY_CARDHOLDER_CARD_H
#define SETPAY_CARDHOLDER_CARD_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/secret.h"
#include "common/crypto/sign.h"
#include "common/net/est_form.h"
#include "common/pki/certificate.h"
#include "common/store/db.h"
#include "common/wire/messages.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETPAY_WALLET_LABEL_MAX 64
#define SETPAY_WALLET_CARDS_MAX 256
#define SETPAY_WALLET_BOX_MAX 4096

/* ------------------------------------------------------------------ card.c */

enum setpay_wallet_card_status {
    SETPAY_WALLET_CARD_PENDING = 1, /* a key, no certificate yet */
    SETPAY_WALLET_CARD_ACTIVE = 2,
};

/* What a key is to its card (card_store.c). Numbers are those of the database. */
enum setpay_wallet_key_role {
    SETPAY_WALLET_KEY_CURRENT = 1, /* signs purchases, or waits for the card's first certificate */
    SETPAY_WALLET_KEY_NEXT = 2,    /* of a renewal that has begun */
    SETPAY_WALLET_KEY_EARLIER = 3, /* for purchases that it signed */
};

/* How the last tries to renew went. */
#define SETPAY_WALLET_REASON_SIZE 320
struct setpay_wallet_renewal_note {
    unsigned failures; /* in a row; 0: there is nothing to be said */
    setpay_time_ms tried_ms;
    setpay_time_ms again_ms; /* not before */
    char error[32];          /* its name */
    char words[SETPAY_WALLET_REASON_SIZE];
};

enum setpay_wallet_box {
    SETPAY_WALLET_BOX_KEY, /* PKCS#8, PEM; sealed for key_id, the others for the card's id */
    SETPAY_WALLET_BOX_PAN_SECRET,
    SETPAY_WALLET_BOX_PAN,
    SETPAY_WALLET_BOX_EXPIRY,
    SETPAY_WALLET_BOX_POSTCODE, /* may be absent, as the next */
    SETPAY_WALLET_BOX_HOUSE,
    SETPAY_WALLET_BOXES
};

/* As stored, with one of its keys. Zeroed memory is empty. */
struct setpay_wallet_card {
    struct setpay_id id;
    struct setpay_id key_id;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char label[SETPAY_WALLET_LABEL_MAX + 1];
    char last4[5];
    enum setpay_wallet_card_status status;
    bool is_default;
    struct setpay_digest key_digest;
    setpay_time_ms created_ms;
    setpay_time_ms begins_ms;          /* the certificate's; 0 while pending */
    setpay_time_ms expires_ms;         /* likewise */
    bool ends_with_card;               /* so does the certificate: it can't be renewed for longer */
    struct setpay_est_place authority; /* where it was enrolled; host "": not over the network */
    bool has_root;
    struct setpay_digest root; /* under which that was, where it is known */
    struct setpay_wallet_renewal_note renewal;
    struct setpay_buffer certificate;
    struct setpay_buffer boxes[SETPAY_WALLET_BOXES];
};
void setpay_wallet_card_clear(struct setpay_wallet_card *card);

/* The opened secrets of a card. Zeroed memory is empty. */
struct setpay_wallet_card_secrets {
    struct setpay_signing_key *key;
    struct setpay_secret pan_secret;
    struct setpay_secret pan;
    struct setpay_secret expiry;
    char postcode[SETPAY_WIRE_POSTCODE_MAX + 1];
    char house_digits[SETPAY_WIRE_HOUSE_MAX + 1];
};
void setpay_wallet_card_secrets_clear(struct setpay_wallet_card_secrets *secrets);
/* SETPAY_E_LOCKED, SETPAY_E_CRYPTO. secrets must be empty, and stays so on error. */
enum setpay_error
setpay_wallet_card_open(const struct setpay_secret *master, const struct setpay_wallet_card *card,
                        struct setpay_wallet_card_secrets *secrets) SETPAY_MUST_CHECK;
/* The key as TLS takes it, and the others below. SETPAY_E_LOCKED, SETPAY_E_CRYPTO. */
enum setpay_error setpay_wallet_card_open_pkey(const struct setpay_secret *master,
                                               const struct setpay_wallet_card *card,
                                               EVP_PKEY **pkey) SETPAY_MUST_CHECK;
/* The key alone, for what needs nothing else of the card. */
enum setpay_error setpay_wallet_card_open_key(const struct setpay_secret *master,
                                              const struct setpay_wallet_card *card,
                                              struct setpay_signing_key **key) SETPAY_MUST_CHECK;

/* What the person gives for a new card. */
struct setpay_wallet_card_wish {
    const char *brand;
    const char *label;
    const struct setpay_secret *pan;      /* digits, blanks, hyphens */
    const struct setpay_secret *expiry;   /* YYMM */
    const struct setpay_secret *postcode; /* may be empty, as the next */
    const struct setpay_secret *house_digits;
};
/* Makes a pending card and its certificate request (DER; *csr must be empty). SETPAY_E_INVALID with
 * words that hold nothing of the card; SETPAY_E_LOCKED. */
enum setpay_error setpay_wallet_card_make(const struct setpay_secret *master,
                                          const struct setpay_wallet_card_wish *wish,
                                          setpay_time_ms now_ms, struct setpay_wallet_card *card,
                                          struct setpay_secret *csr,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Whether a verified cardholder's certificate is this pending card's: same key, brand and blinded
 * account id. SETPAY_E_NOT_FOUND (another key), SETPAY_E_BRANDS_MIXED, SETPAY_E_ACCOUNT,
 * SETPAY_E_LOCKED. */
enum setpay_error
setpay_wallet_card_check(const struct setpay_secret *master, const struct setpay_wallet_card *card,
                         const struct setpay_certificate *certificate) SETPAY_MUST_CHECK;
/* The person has typed the data of a pending card anew: its key and PANSecret stay, so that what
 * the authority may have granted before can still be had. Errors of setpay_wallet_card_make. */
enum setpay_error setpay_wallet_card_retype(const struct setpay_secret *master,
                                            const struct setpay_wallet_card_wish *wish,
                                            setpay_time_ms now_ms, struct setpay_wallet_card *card,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The request of a pending card, with the authority's nonce (rule C2); *csr must be empty. */
enum setpay_error setpay_wallet_card_build_csr(const struct setpay_secret *master,
                                               const struct setpay_wallet_card *card,
                                               const char *challenge,
                                               struct setpay_secret *csr) SETPAY_MUST_CHECK;
/* The same card with a fresh key, to be certified next (rule C2). next must be empty.
 * SETPAY_E_LOCKED. */
enum setpay_error setpay_wallet_card_make_next(const struct setpay_secret *master,
                                               const struct setpay_wallet_card *card,
                                               struct setpay_wallet_card *next) SETPAY_MUST_CHECK;
/* The request for a renewal: nothing of the card is in it (rule C1). *csr must be empty. */
enum setpay_error setpay_wallet_card_build_renewal(const struct setpay_secret *master,
                                                   const struct setpay_wallet_card *next,
                                                   const char *challenge,
                                                   struct setpay_secret *csr) SETPAY_MUST_CHECK;

/* A certificate as it is stored. Zeroed memory is empty. */
struct setpay_wallet_certified {
    struct setpay_buffer certificate;
    setpay_time_ms begins_ms, expires_ms;
    bool ends_with_card;
};
void setpay_wallet_certified_clear(struct setpay_wallet_certified *certified);
/* Of a certificate that setpay_wallet_card_check has passed. SETPAY_E_LOCKED. */
enum setpay_error
setpay_wallet_card_certify(const struct setpay_secret *master,
                           const struct setpay_wallet_card *card,
                           const struct setpay_certificate *certificate,
                           struct setpay_wallet_certified *certified) SETPAY_MUST_CHECK;
/* The arguments that card.request and card.enrol share; secrets are empty, and the caller's. */
enum setpay_error setpay_wallet_card_read_wish(const json_t *args,
                                               struct setpay_wallet_card_wish *wish,
                                               struct setpay_secret secrets[4],
                                               struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Luhn's check digit, of 12 to 19 digits. */
bool setpay_wallet_pan_is_valid(struct setpay_view digits);
/* lead_ms: how long before its end a certificate is renewed (renewal.c). */
json_t *setpay_wallet_card_json(const struct setpay_wallet_card *card, int64_t lead_ms,
                                setpay_time_ms now_ms);

/* ------------------------------------------------------------------ card_store.c */

/* As above: reads inside setpay_store_read, writes inside an operation. A card is added with its
 * first key, which has no certificate yet. SETPAY_E_EXISTS: its label is taken. */
enum setpay_error
setpay_wallet_store_add_card(struct setpay_db *db,
                             const struct setpay_wallet_card *card) SETPAY_MUST_CHECK;
/* Up to room cards with their current keys, oldest first, without their boxes. */
enum setpay_error setpay_wallet_store_list_cards(struct setpay_db *db,
                                                 struct setpay_wallet_card *cards, size_t room,
                                                 size_t *count) SETPAY_MUST_CHECK;
/* With its current key. */
enum setpay_error setpay_wallet_store_read_card(struct setpay_db *db, const struct setpay_id *id,
                                                struct setpay_wallet_card *card) SETPAY_MUST_CHECK;
/* With its current or next key. SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_wallet_store_read_card_key(struct setpay_db *db, const struct setpay_id *id,
                                  enum setpay_wallet_key_role role,
                                  struct setpay_wallet_card *card) SETPAY_MUST_CHECK;
/* With the key of this certificate, whichever it is now. SETPAY_E_KEY_DESTROYED. */
enum setpay_error
setpay_wallet_store_read_signer(struct setpay_db *db, const struct setpay_id *id,
                                const struct setpay_digest *thumbprint,
                                struct setpay_wallet_card *card) SETPAY_MUST_CHECK;
/* By id, label, or last four digits where they are unique; NULL: the default card.
 * SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_wallet_store_find_card(struct setpay_db *db, const char *words,
                                                struct setpay_wallet_card *card) SETPAY_MUST_CHECK;
enum setpay_error setpay_wallet_store_activate_card(
    struct setpay_db *db, const struct setpay_id *id,
    const struct setpay_wallet_certified *certified) SETPAY_MUST_CHECK;
/* The key that is to be certified next. SETPAY_E_NOT_FOUND: the card is removed; SETPAY_E_EXISTS:
 * there is one. */
enum setpay_error
setpay_wallet_store_add_next_key(struct setpay_db *db,
                                 const struct setpay_wallet_card *next) SETPAY_MUST_CHECK;
/* The certified next key becomes the current one, and that an earlier one; the authority is
 * remembered. SETPAY_E_NOT_FOUND: the card is removed. */
enum setpay_error
setpay_wallet_store_renew_card(struct setpay_db *db, const struct setpay_wallet_card *next,
                               const struct setpay_wallet_certified *certified,
                               const struct setpay_est_place *place,
                               const struct setpay_digest *root) SETPAY_MUST_CHECK;
/* Where, and under which root, a card is enrolled and renewed from now on. */
enum setpay_error
setpay_wallet_store_put_authority(struct setpay_db *db, const struct setpay_id *card,
                                  const struct setpay_est_place *place,
                                  const struct setpay_digest *root) SETPAY_MUST_CHECK;
enum setpay_error
setpay_wallet_store_note_failure(struct setpay_db *db, const struct setpay_id *id,
                                 const struct setpay_wallet_renewal_note *note) SETPAY_MUST_CHECK;
enum setpay_error setpay_wallet_store_set_default(struct setpay_db *db,
                                                  const struct setpay_id *id) SETPAY_MUST_CHECK;
/* With all its keys. SETPAY_E_STATE where an open purchase was signed with one of them. */
enum setpay_error setpay_wallet_store_remove_card(struct setpay_db *db,
                                                  const struct setpay_id *id) SETPAY_MUST_CHECK;
/* Earlier keys that no purchase needs any more: none without an outcome, and none signed since then
 * of which more receipts can come (rule M8). */
enum setpay_error setpay_wallet_store_count_over(struct setpay_db *db, setpay_time_ms kept_since_ms,
                                                 size_t *count) SETPAY_MUST_CHECK;
enum setpay_error setpay_wallet_store_destroy_over(struct setpay_db *db,
                                                   setpay_time_ms kept_since_ms,
                                                   size_t *count) SETPAY_MUST_CHECK;
/* ------------------------------------------------------------------ renewal.c: pure */

/* The last millisecond of the month on a card. SETPAY_E_INVALID where expiry is not YYMM. */
enum setpay_error setpay_wallet_card_end(const struct setpay_secret *expiry,
                                         setpay_time_ms *end_ms) SETPAY_MUST_CHECK;

enum setpay_wallet_renewal_state {
    SETPAY_WALLET_RENEWAL_NONE,      /* nothing needs to be done */
    SETPAY_WALLET_RENEWAL_DUE,       /* it ends soon, and the wallet sees to it */
    SETPAY_WALLET_RENEWAL_FAILED,    /* likewise, but the last try has failed */
    SETPAY_WALLET_RENEWAL_BY_HAND,   /* it ends soon, and the wallet can't see to it */
    SETPAY_WALLET_RENEWAL_CARD_ENDS, /* so does the card */
    SETPAY_WALLET_RENEWAL_ENDED,     /* too late */
};
/* lead_ms: how long before its end a certificate is renewed, a third of its life at most; 0: never
 * without being told. */
enum setpay_wallet_renewal_state setpay_wallet_renewal_state(const struct setpay_wallet_card *card,
                                                             int64_t lead_ms,
                                                             setpay_time_ms now_ms);
const char *setpay_wallet_renewal_name(enum setpay_wallet_renewal_state state);
/* Whether the wallet tries now: it is due, each certificate at a moment of its own so that not all
 * wallets come at once, and the pause after the last failure is over. */
bool setpay_wallet_renewal_is_due(const struct setpay_wallet_card *card, int64_t lead_ms,
                                  int64_t pause_max_ms, setpay_time_ms now_ms);
/* The pause after the failures-th failure in a row: doubles from min to max, or is max at once
 * where trying again soon is no use; plus up to a quarter, by chance. */
int64_t setpay_wallet_renewal_pause_ms(unsigned failures, enum setpay_error error, int64_t min_ms,
                                       int64_t max_ms, uint32_t chance);
/* A sentence for the person; "" where there is nothing to say. Returns words. */
#define SETPAY_WALLET_NOTICE_SIZE (SETPAY_WALLET_REASON_SIZE + 320)
const char *setpay_wallet_renewal_words(const struct setpay_wallet_card *card, int64_t lead_ms,
                                        setpay_time_ms now_ms,
                                        char words[SETPAY_WALLET_NOTICE_SIZE]);

#endif
