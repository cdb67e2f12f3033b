/*
 * What the merchant keeps of its purchases: offers, purchases, the requests to the gateway with
 * their bytes, sealed receipts, and for as long as it is needed the sealed instruction.
 *
 * All functions with a db run inside a store operation or a read.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_STORE_H
#define SETPAY_MERCHANT_PAYMENT_STORE_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "merchant/payment/purchase_state.h"
#include "merchant/store/payment_port.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SQL for the first migration of the merchant's database. instruction is a table of its own with an
 * integer key: what is deleted from it is gone after the next checkpoint (rule M7). */
#define SETPAY_PURCHASE_SCHEMA                                                                     \
    "CREATE TABLE offer ("                                                                         \
    " xid BLOB PRIMARY KEY, order_id TEXT NOT NULL, brand TEXT NOT NULL, content BLOB NOT NULL,"   \
    " expiry_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL);"                                   \
    "CREATE INDEX offer_order ON offer (order_id, expiry_ms);"                                     \
    "CREATE INDEX offer_expiry ON offer (expiry_ms);"                                              \
    "CREATE TABLE purchase ("                                                                      \
    " id INTEGER PRIMARY KEY, version INTEGER NOT NULL, state INTEGER NOT NULL,"                   \
    " xid BLOB NOT NULL UNIQUE, order_id TEXT NOT NULL, brand TEXT NOT NULL,"                      \
    " amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, approved_minor INTEGER NOT NULL,"     \
    " rrpid BLOB NOT NULL, request_hash BLOB NOT NULL, lid_c BLOB NOT NULL,"                       \
    " chall_c BLOB NOT NULL, oimd BLOB NOT NULL, pimd BLOB NOT NULL, pomd BLOB NOT NULL,"          \
    " dual_signature BLOB NOT NULL, envelope BLOB NOT NULL, cardholder BLOB NOT NULL,"             \
    " merchant BLOB NOT NULL, gateway_sign BLOB NOT NULL, gateway_encrypt BLOB NOT NULL,"          \
    " terms_kind INTEGER NOT NULL, terms_count INTEGER NOT NULL,"                                  \
    " terms_interval_days INTEGER NOT NULL, terms_each_minor INTEGER NOT NULL,"                    \
    " terms_end_ms INTEGER NOT NULL, expiry_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,"       \
    " action_code TEXT NOT NULL, approval_code TEXT NOT NULL, hold_expiry_ms INTEGER NOT NULL,"    \
    " cap_token BLOB, answered INTEGER NOT NULL, created_ms INTEGER NOT NULL,"                     \
    " decided_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, certificate BLOB NOT NULL);"       \
    "CREATE INDEX purchase_order ON purchase (order_id, id);"                                      \
    "CREATE INDEX purchase_state ON purchase (state, id);"                                         \
    "CREATE TABLE gateway_request ("                                                               \
    " id INTEGER PRIMARY KEY, purchase_id INTEGER NOT NULL, kind INTEGER NOT NULL,"                \
    " rrpid BLOB NOT NULL UNIQUE, content BLOB NOT NULL, signature BLOB NOT NULL,"                 \
    " created_ms INTEGER NOT NULL);"                                                               \
    "CREATE INDEX gateway_request_purchase ON gateway_request (purchase_id, id);"                  \
    "CREATE TABLE instruction (purchase_id INTEGER PRIMARY KEY, envelope BLOB NOT NULL);"          \
    "CREATE TABLE sealed_receipt ("                                                                \
    " purchase_id INTEGER NOT NULL, number INTEGER NOT NULL, sealed BLOB NOT NULL,"                \
    " created_ms INTEGER NOT NULL, PRIMARY KEY (purchase_id, number));"

/* ------------------------------------------------------------------ offers */

/* Zeroed memory is an empty one once content has its max: setpay_merchant_offer_init. */
struct setpay_merchant_offer {
    struct setpay_id xid;
    char order_id[SETPAY_WIRE_LID_M_MAX + 1];
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    struct setpay_buffer content; /* of the PInitRes, the very bytes that were signed */
    setpay_time_ms expiry_ms;
    setpay_time_ms created_ms;
};
void setpay_merchant_offer_init(struct setpay_merchant_offer *offer);
void setpay_merchant_offer_clear(struct setpay_merchant_offer *offer);
/* Who holds a link can't fill the database: an order has at most so many unexpired offers. */
#define SETPAY_MERCHANT_ORDER_OFFERS 32
/* SETPAY_E_BUSY, and nothing inserted, where the order has all that it may. */
enum setpay_error
setpay_merchant_offer_insert(struct setpay_db *db,
                             const struct setpay_merchant_offer *offer) SETPAY_MUST_CHECK;
/* *offer is initialised and empty. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_merchant_offer_find(struct setpay_db *db, const struct setpay_id *xid,
                                             struct setpay_merchant_offer *offer) SETPAY_MUST_CHECK;
/* How many offers of the order have not expired. */
enum setpay_error setpay_merchant_offer_count(struct setpay_db *db, const char *order_id,
                                              setpay_time_ms now_ms,
                                              int64_t *count) SETPAY_MUST_CHECK;
/* Deletes up to room offers that expired before before_ms and became no purchase. */
enum setpay_error setpay_merchant_offer_purge(struct setpay_db *db, setpay_time_ms before_ms,
                                              int64_t room, int64_t *deleted) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ purchases */

struct setpay_merchant_purchase {
    int64_t id; /* 0: not stored yet */
    int64_t version;
    enum setpay_purchase_state state;
    struct setpay_id xid;
    char order_id[SETPAY_WIRE_LID_M_MAX + 1];
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    struct setpay_money amount; /* of the order */
    int64_t first_minor;        /* asked of it at first */
    bool sale;                  /* it is asked for as a sale */
    int64_t approved_minor;     /* over all authorisations, as are the next three */
    int64_t captured_minor;     /* less what was undone; so credited */
    int64_t credited_minor;
    int64_t released_minor;            /* given up of what was approved */
    struct setpay_id rrpid;            /* of the PReq */
    struct setpay_digest request_hash; /* of the PReq */
    struct setpay_id lid_c;
    struct setpay_digest chall_c;
    struct setpay_digest oimd;
    struct setpay_digest pimd;
    struct setpay_digest pomd;
    struct setpay_signature dual_signature;
    struct setpay_digest envelope;   /* H("env", …) */
    struct setpay_digest cardholder; /* thumbprints */
    struct setpay_digest merchant;
    struct setpay_digest gateway_sign;
    struct setpay_digest gateway_encrypt;
    struct setpay_terms terms;
    setpay_time_ms expiry_ms; /* of the instruction */
    setpay_time_ms until_ms;  /* an AuthReq is not repeated after this: given up (rule M9) */
    char action_code[3];
    char approval_code[7];
    setpay_time_ms hold_expiry_ms; /* 0: no hold */
    bool has_cap_token;
    struct setpay_id cap_token;
    bool answered; /* a PRes is kept */
    setpay_time_ms created_ms;
    setpay_time_ms decided_ms; /* of the outcome; 0 before it */
    setpay_time_ms updated_ms;
};

/* SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_merchant_purchase_find(struct setpay_db *db, const struct setpay_id *xid,
                              struct setpay_merchant_purchase *purchase) SETPAY_MUST_CHECK;
/* The DER of the cardholder's certificate, into certificate (replaced). SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_merchant_purchase_certificate(struct setpay_db *db, int64_t purchase_id,
                                     struct setpay_buffer *certificate) SETPAY_MUST_CHECK;
/* Both add the event that the order's new status makes (merchant/store/order_tell.h), and tell the
 * watchers of xid.
 *
 * Sets id and version. SETPAY_E_ORDER_TAKEN where xid has a row. */
enum setpay_error
setpay_merchant_purchase_insert(struct setpay_db *db, struct setpay_view certificate,
                                struct setpay_merchant_purchase *purchase) SETPAY_MUST_CHECK;
/* Writes what may change. SETPAY_E_CONFLICT where the row's version is no longer the purchase's;
 * otherwise the version is one higher, and watchers of xid hear of it. */
enum setpay_error
setpay_merchant_purchase_update(struct setpay_db *db,
                                struct setpay_merchant_purchase *purchase) SETPAY_MUST_CHECK;

typedef enum setpay_error
setpay_merchant_purchase_each_fn(void *arg, const struct setpay_merchant_purchase *purchase);
/* Every purchase for which the gateway has to be asked, oldest first; an error of each ends it. */
enum setpay_error setpay_merchant_purchase_each_waiting(struct setpay_db *db,
                                                        setpay_merchant_purchase_each_fn *each,
                                                        void *arg) SETPAY_MUST_CHECK;
/* Every purchase of an order, oldest first. */
enum setpay_error setpay_merchant_purchase_each_of_order(struct setpay_db *db, const char *order_id,
                                                         setpay_merchant_purchase_each_fn *each,
                                                         void *arg) SETPAY_MUST_CHECK;
/* Up to room purchases with an id below before_id (INT64_MAX: from the youngest on), youngest
 * first. */
enum setpay_error setpay_merchant_purchase_each_before(struct setpay_db *db, int64_t before_id,
                                                       int64_t room,
                                                       setpay_merchant_purchase_each_fn *each,
                                                       void *arg) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ the sealed instruction */

enum setpay_error setpay_merchant_instruction_keep(struct setpay_db *db, int64_t purchase_id,
                                                   struct setpay_view envelope) SETPAY_MUST_CHECK;
/* Into envelope (replaced). SETPAY_E_NOT_FOUND after the outcome. */
enum setpay_error
setpay_merchant_instruction_find(struct setpay_db *db, int64_t purchase_id,
                                 struct setpay_buffer *envelope) SETPAY_MUST_CHECK;
/* Rule M7; a checkpoint has to follow. */
enum setpay_error setpay_merchant_instruction_delete(struct setpay_db *db,
                                                     int64_t purchase_id) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ requests to the gateway */

/* Stored. */
enum setpay_ask_kind {
    SETPAY_ASK_AUTHORISE = 1,
    SETPAY_ASK_VOID = 2,
    SETPAY_ASK_REVERSE = 3, /* of no step: all of it; of one: a release (step.h) */
    SETPAY_ASK_CAPTURE = 4, /* these, of steps alone */
    SETPAY_ASK_CREDIT = 5,
    SETPAY_ASK_CAPTURE_REVERSAL = 6,
    SETPAY_ASK_CREDIT_REVERSAL = 7,
    SETPAY_ASK_FURTHER = 8, /* AuthReq by AuthToken */
    SETPAY_ASK_CANCEL = 9,
};

/* A request as it was signed once: every repeat has the same bytes (rule A6). */
struct setpay_merchant_ask {
    int64_t id; /* 0: not stored yet */
    enum setpay_ask_kind kind;
    int64_t step_id; /* 0: of no step */
    struct setpay_id rrpid;
    struct setpay_digest signer; /* its certificate's thumbprint */
    struct setpay_buffer content;
    struct setpay_signature signature;
    setpay_time_ms created_ms;
};
void setpay_merchant_ask_init(struct setpay_merchant_ask *ask);
void setpay_merchant_ask_clear(struct setpay_merchant_ask *ask);
enum setpay_error
setpay_merchant_ask_insert(struct setpay_db *db, int64_t purchase_id,
                           const struct setpay_merchant_ask *ask) SETPAY_MUST_CHECK;
/* The newest of a kind and no step. *ask is initialised and empty. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_merchant_ask_find(struct setpay_db *db,
                                           const struct setpay_merchant_purchase *purchase,
                                           enum setpay_ask_kind kind,
                                           struct setpay_merchant_ask *ask) SETPAY_MUST_CHECK;
/* The newest of a step. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_merchant_ask_find_step(struct setpay_db *db,
                                                const struct setpay_merchant_purchase *purchase,
                                                int64_t step_id,
                                                struct setpay_merchant_ask *ask) SETPAY_MUST_CHECK;
/* The index-th newest AuthReq, whatever its intent, counted around. SETPAY_E_NOT_FOUND. */
/* What was asked for it, and answered, is not asked again: the next request is a new one. */
enum setpay_error setpay_merchant_ask_forget_step(struct setpay_db *db,
                                                  int64_t step_id) SETPAY_MUST_CHECK;
enum setpay_error setpay_merchant_ask_find_any(struct setpay_db *db,
                                               const struct setpay_merchant_purchase *purchase,
                                               uint64_t index,
                                               struct setpay_merchant_ask *ask) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ receipts */

enum setpay_error setpay_merchant_receipt_add(struct setpay_db *db, int64_t purchase_id,
                                              const struct setpay_sealed_receipt *receipt,
                                              setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* What one outcome adds at most: the authorisation's, and a sale's capture. */
#define SETPAY_MERCHANT_RECEIPTS_ADDED 2
/* Those behind the oldest skipped, oldest first and as many as an answer may hold, into
 * message->receipts (must be empty; owned by it; with room for what an outcome adds);
 * message->skipped, no more than there are, and left say how many stand before and behind them. */
enum setpay_error setpay_merchant_receipt_list(struct setpay_db *db, int64_t purchase_id,
                                               uint32_t skipped,
                                               struct setpay_pres *message) SETPAY_MUST_CHECK;

#endif
