/*
 * A payment as the gateway keeps it: one row for one authorisation, the first of which is the
 * payment instruction's (rule G6), and what hangs on it: receipts, reversals that the network still
 * owes an answer, and the card under the vault's key. Receipts and card are the first row's; so is
 * the chain of the receipts, and the version under which it moves on.
 *
 * All functions with a db run inside a store operation or a read.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_PAYMENT_H
#define SETPAY_GATEWAY_PAYMENT_PAYMENT_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/base/zone.h"
#include "common/store/db.h"
#include "common/store/store.h"
#include "common/wire/messages.h"
#include "gateway/clearing/sql_names.h"
#include "gateway/network/network.h"
#include "gateway/payment/payment_state.h"

#include <stdbool.h>
#include <stdint.h>

extern const struct setpay_store_schema setpay_gateway_schema;

/* Of a later step of the gateway's schema: how many rows of reversal it has, so that one that is
 * lost shows. */
#define SETPAY_PAYMENT_REVERSALS_SCHEMA                                                            \
    "ALTER TABLE payment ADD COLUMN reversal_count INTEGER NOT NULL DEFAULT 0;"                    \
    "UPDATE payment SET reversal_count ="                                                          \
    " (SELECT COUNT(*) FROM reversal WHERE reversal.payment_id = payment.id);"

/* SQL: something is held and not captured. */
#define SETPAY_PAYMENT_IS_HELD                                                                     \
    "state IN (" SETPAY_SQL_APPROVED ", " SETPAY_SQL_CAPTURED                                      \
    ") AND approved_minor - reversed_minor - captured_minor > 0"

/* A merchant is the pair (brand, merchant id). */
struct setpay_gateway_merchant {
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char id[SETPAY_WIRE_PARTY_MAX + 1];
    char name[41]; /* as the issuer prints it: ISO 8583 field 43 */
    uint16_t category;
    bool enabled;
    setpay_time_ms created_ms;
    char zone[SETPAY_ZONE_MAX + 1]; /* whose days its settlements are of */
    int64_t cut_off_minutes;        /* of the day, at which that ends for them */
    int64_t reserve_ppm;            /* of what it captures, that settlements hold back */
    int64_t reserve_days;           /* for so long */
};

/* SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_gateway_merchant_find(struct setpay_db *db, const char *brand, const char *id,
                             struct setpay_gateway_merchant *merchant) SETPAY_MUST_CHECK;
/* SETPAY_E_DUPLICATE. */
enum setpay_error
setpay_gateway_merchant_insert(struct setpay_db *db,
                               const struct setpay_gateway_merchant *merchant) SETPAY_MUST_CHECK;
/* Name, category, enabled, zone, cut-off and reserve. SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_gateway_merchant_update(struct setpay_db *db,
                               const struct setpay_gateway_merchant *merchant) SETPAY_MUST_CHECK;
typedef enum setpay_error
setpay_gateway_merchant_each_fn(void *arg, const struct setpay_gateway_merchant *merchant);
/* In the order of brand and id. */
enum setpay_error setpay_gateway_merchant_each(struct setpay_db *db,
                                               setpay_gateway_merchant_each_fn *each,
                                               void *arg) SETPAY_MUST_CHECK;

struct setpay_payment {
    int64_t id; /* 0: not stored yet */
    int64_t version;
    uint32_t number;       /* among the instruction's authorisations, from 1 */
    int64_t first_id;      /* of a further one: the first; 0: it is the first */
    int64_t first_version; /* of a further one */
    enum setpay_payment_state state;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_id xid;
    struct setpay_digest pimd;
    struct setpay_digest pomd;
    struct setpay_digest cardholder; /* thumbprints, as the cardholder signed them */
    struct setpay_digest merchant;
    struct setpay_digest gateway_sign;
    struct setpay_digest gateway_encrypt;
    struct setpay_money amount; /* asked */
    int64_t signed_minor;       /* by the cardholder: the purchase's */
    int64_t approved_minor;
    int64_t reversed_minor;
    int64_t captured_minor; /* less what was undone; so credited */
    int64_t credited_minor;
    bool partial_allowed;
    struct setpay_terms terms;
    setpay_time_ms expiry_ms;
    char action_code[3];
    char approval_code[7];
    char avs_result[2];
    char security_code_result[2];
    setpay_time_ms hold_expiry_ms; /* 0: no hold */
    bool has_cap_token;
    struct setpay_id cap_token;
    setpay_time_ms decided_ms; /* the date of its first receipt; 0: none yet */
    /* The instruction's, whichever of its authorisations this is. */
    bool has_auth_token;
    struct setpay_id auth_token;       /* of an agreement: given once the first was approved */
    setpay_time_ms cancelled_ms;       /* 0: not cancelled */
    struct setpay_digest last_receipt; /* hash of the newest receipt; zeros: none */
    /* The request that made it, so that it can be answered after a restart too (rule A6). */
    struct setpay_digest asked_by; /* its sender: merchant, or a later certificate of the same */
    struct setpay_id rrpid;
    struct setpay_digest request_hash;
    uint32_t stan; /* at the issuer; 0: never asked */
    setpay_time_ms trace_ms;
    struct setpay_digest pan_digest;       /* keyed (rule G10) */
    char issuer[SETPAY_NETWORK_NAME_SIZE]; /* the line that it goes by; "" where it has none */
    /* A sale is captured with its authorisation: the issuer books it at once. */
    bool is_sale;
    struct setpay_id sale_id; /* of that capture, known to the issuer before there is one */
    int64_t period;           /* of the issuer's reconciliation, in which it books; 0: it does not:
                               * no sale, or one that was approved in its stead */
    bool stands_in;           /* approved in the issuer's stead: it knows of it by an advice */
    /* What the gateway has given up by itself: the newest time. */
    int64_t released_minor; /* 0: never */
    bool release_open;      /* its receipt has not been handed out yet */
    bool release_owed;      /* not stored: so of any authorisation of the instruction */
    setpay_time_ms created_ms;
    setpay_time_ms updated_ms;
    bool goes_on; /* not stored: with this outcome another authorisation may follow */
};

/* By what the issuer knows of it. */
enum setpay_network_original setpay_payment_approved_by(const struct setpay_payment *payment);
/* The row of the instruction's first authorisation: evidence of all of them is kept under it. */
int64_t setpay_payment_first(const struct setpay_payment *payment);
/* The instruction's first authorisation. Both SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_payment_find(struct setpay_db *db, const char *brand,
                                      const char *merchant_id, const struct setpay_id *xid,
                                      struct setpay_payment *payment) SETPAY_MUST_CHECK;
enum setpay_error setpay_payment_find_pimd(struct setpay_db *db, const struct setpay_digest *pimd,
                                           struct setpay_payment *payment) SETPAY_MUST_CHECK;
/* The authorisation of that CapToken, or else the one of that row; the first where there is none.
 * SETPAY_E_NOT_FOUND where there is no payment. */
enum setpay_error
setpay_payment_find_authorisation(struct setpay_db *db, const char *brand, const char *merchant_id,
                                  const struct setpay_id *xid, const struct setpay_id *cap_token,
                                  int64_t id, struct setpay_payment *payment) SETPAY_MUST_CHECK;
/* By the row's id. */
enum setpay_error setpay_payment_load(struct setpay_db *db, int64_t id,
                                      struct setpay_payment *payment) SETPAY_MUST_CHECK;
/* Rule A6: SETPAY_E_RRPID_REUSED where a payment was booked by another request of this sender with
 * this identifier. Whoever keeps an answer asks first. */
enum setpay_error
setpay_payment_check_rrpid(struct setpay_db *db, const struct setpay_digest *sender,
                           const struct setpay_id *rrpid,
                           const struct setpay_digest *request_hash) SETPAY_MUST_CHECK;
/* Rule G6: SETPAY_E_PI_USED where (brand, merchant, xid) or PIMD has a row, and where the request's
 * identifier has one (rule A6: look again to know which). Sets id and version. A further one: the
 * number stands for the pair; SETPAY_E_CONFLICT where the first's version is no longer the one that
 * was read. */
enum setpay_error setpay_payment_insert(struct setpay_db *db,
                                        struct setpay_payment *payment) SETPAY_MUST_CHECK;
/* Writes what may change. SETPAY_E_CONFLICT where the row's version, or the first's, is no longer
 * the payment's; otherwise the version is one higher, and watchers of xid hear of it. */
enum setpay_error setpay_payment_update(struct setpay_db *db,
                                        struct setpay_payment *payment) SETPAY_MUST_CHECK;

/* Calls each with every payment in this state, oldest first; an error of it ends the walk. */
typedef enum setpay_error setpay_payment_each_fn(void *arg, const struct setpay_payment *payment);
enum setpay_error setpay_payment_each_in_state(struct setpay_db *db,
                                               enum setpay_payment_state state,
                                               setpay_payment_each_fn *each,
                                               void *arg) SETPAY_MUST_CHECK;

/* The newest payments with an id below before, at most limit of them; state -1: in any state. */
enum setpay_error setpay_payment_each_newest(struct setpay_db *db, int state, int64_t before,
                                             int64_t limit, setpay_payment_each_fn *each,
                                             void *arg) SETPAY_MUST_CHECK;

/* A receipt that was given: its signed bytes, and sealed as the merchant carries it. */
enum setpay_error setpay_payment_add_receipt(struct setpay_db *db, int64_t payment_id,
                                             const struct setpay_sealed_receipt *sealed,
                                             struct setpay_view signed_bytes,
                                             setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* The newest receipt of that kind, sealed. SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_payment_find_receipt(struct setpay_db *db, int64_t payment_id, enum setpay_receipt_kind kind,
                            struct setpay_sealed_receipt *sealed) SETPAY_MUST_CHECK;

/* A reversal that the network has to acknowledge (rule G7). */
struct setpay_gateway_reversal {
    int64_t id;
    int64_t payment_id;
    bool partial;
    int64_t amount_minor;    /* what this gives up */
    int64_t remaining_minor; /* what stays, where partial */
    bool advice;             /* of what has ended by itself: 0420 */
    int64_t period;          /* of the issuer's reconciliation, where it is of a sale; else 0 */
    bool acknowledged;
    char response_code[3];
    int64_t sent_count;
    setpay_time_ms created_ms;
};
/* Sets id. */
enum setpay_error
setpay_gateway_reversal_insert(struct setpay_db *db,
                               struct setpay_gateway_reversal *reversal) SETPAY_MUST_CHECK;
enum setpay_error setpay_gateway_reversal_acknowledge(struct setpay_db *db, int64_t id,
                                                      const char *response_code, int64_t sent_count,
                                                      setpay_time_ms now_ms) SETPAY_MUST_CHECK;
typedef enum setpay_error
setpay_gateway_reversal_each_fn(void *arg, const struct setpay_gateway_reversal *reversal);
enum setpay_error setpay_gateway_reversal_each_open(struct setpay_db *db, int64_t after_id,
                                                    setpay_gateway_reversal_each_fn *each,
                                                    void *arg) SETPAY_MUST_CHECK;

/* The oldest of one payment's that is open. None is while an advice of the payment is unanswered.
 * SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_gateway_reversal_first_open(struct setpay_db *db, int64_t payment_id,
                                   struct setpay_gateway_reversal *reversal) SETPAY_MUST_CHECK;

/* What is kept of the card, each in a box of the vault (rule G10). Zeroed memory is empty once the
 * buffers have their max: setpay_kept_card_init. */
struct setpay_kept_card {
    struct setpay_buffer pan;
    struct setpay_buffer expiry;
    struct setpay_buffer back_key;
    setpay_time_ms until_ms; /* deleted then */
};
void setpay_kept_card_init(struct setpay_kept_card *card);
void setpay_kept_card_clear(struct setpay_kept_card *card);
enum setpay_error setpay_kept_card_insert(struct setpay_db *db, int64_t payment_id,
                                          const struct setpay_kept_card *card) SETPAY_MUST_CHECK;
/* SETPAY_E_NOT_FOUND once its time was over. */
enum setpay_error setpay_kept_card_find(struct setpay_db *db, int64_t payment_id,
                                        struct setpay_kept_card *card) SETPAY_MUST_CHECK;
/* Until when it is kept, of a payment's first or further authorisation. */
enum setpay_error setpay_kept_card_keep(struct setpay_db *db, int64_t payment_id,
                                        setpay_time_ms until_ms) SETPAY_MUST_CHECK;
/* Deletes those whose time is over; a card that a reversal needs, or may come to need, stays. */
enum setpay_error setpay_kept_card_purge(struct setpay_db *db, setpay_time_ms now_ms,
                                         int64_t *deleted) SETPAY_MUST_CHECK;

#endif
