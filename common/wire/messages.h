/*
 * The messages of the protocol as our own structs, and their bytes.
 *
 * For each: build packs a struct that holds valid values, parse takes bytes of strangers. Both hold
 * a message to the same table of fields (rule A1), so that we never send what others must refuse.
 *
 * parse takes *message for uninitialised: it is complete after SETPAY_OK (then clear it) and
 * untouched after an error. Errors of parse, all of rule A1:
 *   SETPAY_E_TOO_BIG        size or count above its limit, or the unpacked form takes too much
 *   SETPAY_E_MALFORMED      not a protobuf of this message
 *   SETPAY_E_NOT_CANONICAL  unknown field, field twice or out of order, overlong number
 *   SETPAY_E_FIELD          required field missing; wrong length, range, currency, syntax, company
 *   SETPAY_E_TEXT           not UTF-8, or a NUL inside
 *   SETPAY_E_ENUM           unknown enumeration value
 *   SETPAY_E_NOMEM
 * build replaces what bytes holds (its max must suffice); errors: SETPAY_E_FIELD, SETPAY_E_TEXT,
 * SETPAY_E_ENUM for values that parse would refuse, SETPAY_E_TOO_BIG, SETPAY_E_NOMEM.
 *
 * Optional values: ids, digests and structs have a has_ flag; a text that is "", a number that is
 * 0, and a secret of size 0 are absent. Zeroed memory is an empty struct. clear is safe on it and
 * twice.
 */
#ifndef SETPAY_WIRE_MESSAGES_H
#define SETPAY_WIRE_MESSAGES_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/base/money.h"
#include "common/base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for texts, without their NUL. */
#define SETPAY_WIRE_BRAND_MAX 32
#define SETPAY_WIRE_PARTY_MAX 32 /* merchant and gateway ids */
#define SETPAY_WIRE_HOST_MAX 253
#define SETPAY_WIRE_LID_M_MAX 64
#define SETPAY_WIRE_SKU_MAX 64
#define SETPAY_WIRE_LANGUAGE_MAX 35
#define SETPAY_WIRE_POSTCODE_MAX 16
#define SETPAY_WIRE_HOUSE_MAX 8
#define SETPAY_WIRE_SIGNATURE_MAX 72     /* ECDSA P-256 in DER */
#define SETPAY_WIRE_ORDER_MAX 2048       /* a packed OrderInformation */
#define SETPAY_WIRE_INSTRUCTION_MAX 2048 /* a packed PaymentInstruction */
#define SETPAY_WIRE_RECEIPT_MAX 1024     /* a sealed receipt, its tag included */

/* ---------------------------------------------------------------- parts of messages */

struct setpay_thumbs {
    size_t count;
    struct setpay_digest list[SETPAY_LIMIT_THUMBS];
};

struct setpay_signature {
    size_t size; /* 8 to SETPAY_WIRE_SIGNATURE_MAX */
    uint8_t bytes[SETPAY_WIRE_SIGNATURE_MAX];
};

struct setpay_view setpay_signature_view(const struct setpay_signature *signature);
/* SETPAY_E_FIELD for a size that no signature has. */
enum setpay_error setpay_signature_from_view(struct setpay_view view,
                                             struct setpay_signature *signature) SETPAY_MUST_CHECK;

struct setpay_request_header {
    struct setpay_id rrpid;
    setpay_time_ms date_ms;
    bool has_sender; /* false in PInitReq only */
    struct setpay_digest sender;
    bool has_receiver; /* either this or receiver_name */
    struct setpay_digest receiver;
    char receiver_name[SETPAY_WIRE_HOST_MAX + 1]; /* PInitReq: host; PCertReq: gateway id */
};

struct setpay_response_header {
    struct setpay_id rrpid;
    struct setpay_digest request_hash;
    setpay_time_ms date_ms;
    struct setpay_digest sender;
    bool has_receiver; /* false in PInitRes only */
    struct setpay_digest receiver;
};

enum setpay_terms_kind {
    SETPAY_TERMS_SINGLE = 1,
    SETPAY_TERMS_SPLIT = 2,
    SETPAY_TERMS_INSTALMENT = 3,
    SETPAY_TERMS_RECURRING = 4,
};

/* The last four are all set for INSTALMENT and RECURRING, all 0 otherwise. */
struct setpay_terms {
    enum setpay_terms_kind kind;
    uint32_t count;
    uint32_t interval_days;
    int64_t each_minor;
    setpay_time_ms end_ms;
};

bool setpay_terms_equal(const struct setpay_terms *a, const struct setpay_terms *b);

enum setpay_receipt_kind {
    SETPAY_RECEIPT_AUTHORISATION = 1,
    SETPAY_RECEIPT_DECLINE = 2,
    SETPAY_RECEIPT_VOID = 3,
    SETPAY_RECEIPT_REVERSAL = 4,
    SETPAY_RECEIPT_CAPTURE = 5,
    SETPAY_RECEIPT_CREDIT = 6,
    SETPAY_RECEIPT_CAPTURE_REVERSAL = 7,
    SETPAY_RECEIPT_CREDIT_REVERSAL = 8,
    SETPAY_RECEIPT_CANCELLATION = 9,
    SETPAY_RECEIPT_KINDS
};

/* "authorisation", "decline", …: what goes into the key of a sealed receipt. NULL where unknown. */
const char *setpay_receipt_kind_name(enum setpay_receipt_kind kind);

/* Made and opened by receipt.h. */
struct setpay_sealed_receipt {
    enum setpay_receipt_kind kind;
    struct setpay_id receipt_id;
    size_t size; /* of ciphertext, its tag included */
    uint8_t ciphertext[SETPAY_WIRE_RECEIPT_MAX];
};

enum setpay_error setpay_sealed_receipt_build(const struct setpay_sealed_receipt *sealed,
                                              struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error
setpay_sealed_receipt_parse(struct setpay_view bytes,
                            struct setpay_sealed_receipt *sealed) SETPAY_MUST_CHECK;

/* ---------------------------------------------------------------- PInit */

struct setpay_pinit_req {
    struct setpay_request_header header;
    char order_token[SETPAY_LIMIT_TOKEN_BYTES + 1];
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    struct setpay_digest chall_c;
    struct setpay_id lid_c;
    struct setpay_thumbs thumbs;
    char language[SETPAY_WIRE_LANGUAGE_MAX + 1]; /* may be "" */
};

struct setpay_item {
    char name[SETPAY_LIMIT_NAME_BYTES + 1];
    uint32_t quantity;
    int64_t unit_minor;
    int64_t total_minor;               /* quantity times unit, checked */
    char sku[SETPAY_WIRE_SKU_MAX + 1]; /* may be "" */
};

struct setpay_pinit_res {
    struct setpay_response_header header;
    struct setpay_id xid;
    struct setpay_id lid_c;
    char lid_m[SETPAY_WIRE_LID_M_MAX + 1];
    struct setpay_digest chall_c;
    struct setpay_digest chall_m;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char merchant_name[SETPAY_LIMIT_NAME_BYTES + 1];
    struct setpay_item *items; /* owned (malloc); 1 to SETPAY_LIMIT_OFFER_ITEMS */
    size_t item_count;
    struct setpay_money amount; /* that the items add up to it is W2's check, not the codec's */
    struct setpay_terms terms;
    setpay_time_ms expiry_ms;
    struct setpay_digest gateway_sign;
    struct setpay_digest gateway_encrypt;
};

enum setpay_error setpay_pinit_req_build(const struct setpay_pinit_req *message,
                                         struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_pinit_req_parse(struct setpay_view bytes,
                                         struct setpay_pinit_req *message) SETPAY_MUST_CHECK;
enum setpay_error setpay_pinit_res_build(const struct setpay_pinit_res *message,
                                         struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_pinit_res_parse(struct setpay_view bytes,
                                         struct setpay_pinit_res *message) SETPAY_MUST_CHECK;
void setpay_pinit_res_clear(struct setpay_pinit_res *message);

/* ---------------------------------------------------------------- P */

/* Order information. */
struct setpay_oi {
    struct setpay_id xid;
    struct setpay_id rrpid;
    setpay_time_ms date_ms;
    struct setpay_id lid_c;
    char lid_m[SETPAY_WIRE_LID_M_MAX + 1];
    struct setpay_digest chall_c;
    struct setpay_digest chall_m;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    struct setpay_money amount;
    struct setpay_digest offer; /* H("offer", PInitRes content) */
    struct setpay_digest merchant;
    struct setpay_digest gateway_sign;
    struct setpay_digest gateway_encrypt;
    struct setpay_digest cardholder;
    setpay_time_ms expiry_ms;
    struct setpay_terms terms;
};

/* Payment instruction. The card's data and the back key are secrets; clear cleanses all of it. */
struct setpay_pi {
    struct setpay_id xid;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    struct setpay_money amount;
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_digest merchant;
    struct setpay_digest gateway_sign;
    struct setpay_digest gateway_encrypt;
    struct setpay_digest cardholder;
    setpay_time_ms expiry_ms;
    struct setpay_terms terms;
    struct setpay_secret back_key;                /* 32 */
    struct setpay_secret pan;                     /* 12 to 19 ASCII digits; Luhn is rule G5's */
    struct setpay_secret expiry;                  /* YYMM in ASCII digits */
    struct setpay_secret pan_secret;              /* 32 */
    struct setpay_secret security_code;           /* 3 or 4 ASCII digits; may be absent */
    char postcode[SETPAY_WIRE_POSTCODE_MAX + 1];  /* may be "" */
    char house_digits[SETPAY_WIRE_HOUSE_MAX + 1]; /* may be "" */
};

/* The content of a PReq. oi holds the very bytes that were hashed: setpay_oi_parse reads them. */
struct setpay_preq {
    struct setpay_buffer oi;
    struct setpay_digest oi_salt;
    struct setpay_digest pimd;
    struct setpay_signature dual_signature;
    struct setpay_digest envelope; /* H("env", the bytes beside) */
};

enum setpay_purchase_status {
    SETPAY_STATUS_AUTHORISED = 1,
    SETPAY_STATUS_DECLINED = 2,
    SETPAY_STATUS_VOIDED = 3,
    SETPAY_STATUS_REVERSED = 4,
    SETPAY_STATUS_PENDING = 5,      /* InqRes only */
    SETPAY_STATUS_REFUSED = 6,      /* the merchant's word */
    SETPAY_STATUS_UNAUTHORISED = 7, /* the merchant's word; InqRes only */
};

/* The content of PRes and of InqRes. */
struct setpay_pres {
    struct setpay_response_header header;
    struct setpay_id xid;
    struct setpay_id lid_c;
    char lid_m[SETPAY_WIRE_LID_M_MAX + 1];
    struct setpay_digest challenge; /* PReq's chall_c, or InqReq's challenge */
    enum setpay_purchase_status status;
    struct setpay_money amount; /* authorised; 0 where nothing was */
    struct setpay_digest oimd;
    struct setpay_digest gateway_sign;
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char action_code[3];                    /* may be "" */
    char approval_code[7];                  /* may be "" */
    struct setpay_sealed_receipt *receipts; /* owned (malloc); at most SETPAY_LIMIT_RECEIPTS */
    size_t receipt_count;
    uint32_t skipped; /* receipts in front of these, which the wallet has */
    uint32_t left;    /* receipts behind these, which did not fit */
};

struct setpay_inq_req {
    struct setpay_request_header header;
    struct setpay_id xid;
    struct setpay_id lid_c;
    struct setpay_digest challenge;
    uint32_t known; /* receipts that the wallet has */
};

enum setpay_error setpay_oi_build(const struct setpay_oi *message,
                                  struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_oi_parse(struct setpay_view bytes,
                                  struct setpay_oi *message) SETPAY_MUST_CHECK;
/* Into secret memory; *bytes must be empty, and stays so on error. */
enum setpay_error setpay_pi_build(const struct setpay_pi *message,
                                  struct setpay_secret *bytes) SETPAY_MUST_CHECK;
/* Unpacked in secret memory, which is cleansed. */
enum setpay_error setpay_pi_parse(struct setpay_view bytes,
                                  struct setpay_pi *message) SETPAY_MUST_CHECK;
void setpay_pi_clear(struct setpay_pi *message);
enum setpay_error setpay_preq_build(const struct setpay_preq *message,
                                    struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_preq_parse(struct setpay_view bytes,
                                    struct setpay_preq *message) SETPAY_MUST_CHECK;
void setpay_preq_clear(struct setpay_preq *message);
enum setpay_error setpay_pres_build(const struct setpay_pres *message,
                                    struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_pres_parse(struct setpay_view bytes,
                                    struct setpay_pres *message) SETPAY_MUST_CHECK;
void setpay_pres_clear(struct setpay_pres *message);
enum setpay_error setpay_inq_req_build(const struct setpay_inq_req *message,
                                       struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_inq_req_parse(struct setpay_view bytes,
                                       struct setpay_inq_req *message) SETPAY_MUST_CHECK;

/* ---------------------------------------------------------------- the end of an agreement */

#define SETPAY_WIRE_CANCELLATION_MAX 512

/* The cardholder's word; signed and verified by cancellation.h. */
struct setpay_cancellation {
    struct setpay_id xid;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_digest cardholder;
    struct setpay_digest gateway_sign;
    struct setpay_digest pomd;
    setpay_time_ms date_ms;
};

/* A packed setpay_cancellation as it was signed. */
struct setpay_signed_cancellation {
    size_t size;
    uint8_t bytes[SETPAY_WIRE_CANCELLATION_MAX];
    struct setpay_signature signature;
};

struct setpay_can_req {
    struct setpay_request_header header;
    struct setpay_id xid;
    struct setpay_id lid_c;
    struct setpay_digest challenge;
    struct setpay_signed_cancellation cancellation;
    uint32_t known; /* receipts that the wallet has */
};

struct setpay_auth_can_req {
    struct setpay_request_header header;
    struct setpay_id xid;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_signed_cancellation cancellation;
};

struct setpay_auth_can_res {
    struct setpay_response_header header;
    struct setpay_id xid;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_digest cardholder;
    struct setpay_digest pomd;
    struct setpay_sealed_receipt receipt;
};

enum setpay_error setpay_cancellation_build(const struct setpay_cancellation *message,
                                            struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_cancellation_parse(struct setpay_view bytes,
                                            struct setpay_cancellation *message) SETPAY_MUST_CHECK;
enum setpay_error setpay_can_req_build(const struct setpay_can_req *message,
                                       struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_can_req_parse(struct setpay_view bytes,
                                       struct setpay_can_req *message) SETPAY_MUST_CHECK;
enum setpay_error setpay_auth_can_req_build(const struct setpay_auth_can_req *message,
                                            struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_auth_can_req_parse(struct setpay_view bytes,
                                            struct setpay_auth_can_req *message) SETPAY_MUST_CHECK;
enum setpay_error setpay_auth_can_res_build(const struct setpay_auth_can_res *message,
                                            struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_auth_can_res_parse(struct setpay_view bytes,
                                            struct setpay_auth_can_res *message) SETPAY_MUST_CHECK;

/* ---------------------------------------------------------------- merchant and gateway */

enum setpay_auth_intent {
    SETPAY_INTENT_AUTHORISE = 1,
    SETPAY_INTENT_SALE = 2,
    SETPAY_INTENT_VOID = 3,
};

struct setpay_auth_req {
    struct setpay_request_header header;
    struct setpay_id xid;
    enum setpay_auth_intent intent;
    struct setpay_money amount;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_terms terms;
    setpay_time_ms expiry_ms;
    struct setpay_digest oimd;
    struct setpay_digest pimd;
    struct setpay_signature dual_signature;
    struct setpay_digest cardholder;
    struct setpay_digest gateway_encrypt;
    struct setpay_digest envelope;
    bool partial_allowed;
    bool has_auth_token;
    struct setpay_id auth_token;
    struct setpay_thumbs thumbs;
};

enum setpay_auth_outcome {
    SETPAY_AUTH_APPROVED = 1,
    SETPAY_AUTH_PARTIAL = 2,
    SETPAY_AUTH_DECLINED = 3,
    SETPAY_AUTH_VOIDED = 4,
};

/* A capture, a credit or the reversal of either, done. */
struct setpay_step_done {
    struct setpay_id xid;
    struct setpay_id of;
    struct setpay_money amount;
    struct setpay_id id;
    uint32_t batch; /* from 1 */
    struct setpay_money remaining;
    struct setpay_digest cardholder;
    struct setpay_digest pomd;
    struct setpay_sealed_receipt receipt;
};

/* cap_token, hold_expiry_ms and an amount above 0 go with APPROVED and PARTIAL, and only those;
 * capture with these and a sale (the caller knows the intent). */
struct setpay_auth_res {
    struct setpay_response_header header;
    struct setpay_id xid;
    enum setpay_auth_outcome outcome;
    struct setpay_money amount; /* approved; 0 where nothing was */
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_digest cardholder;
    struct setpay_digest gateway_encrypt;
    struct setpay_digest pomd;
    char action_code[3];
    char approval_code[7]; /* may be "" */
    setpay_time_ms hold_expiry_ms;
    char avs_result[2];           /* may be "" */
    char security_code_result[2]; /* may be "" */
    bool has_cap_token;
    struct setpay_id cap_token;
    bool has_auth_token;
    struct setpay_id auth_token;
    struct setpay_sealed_receipt receipt;
    struct setpay_thumbs thumbs;
    bool has_capture;
    struct setpay_step_done capture; /* of cap_token and the whole amount */
};

struct setpay_auth_rev_req {
    struct setpay_request_header header;
    struct setpay_id xid;
    struct setpay_id cap_token;
    struct setpay_money amount;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
};

struct setpay_auth_rev_res {
    struct setpay_response_header header;
    struct setpay_id xid;
    struct setpay_money amount;
    struct setpay_money remaining;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_digest cardholder;
    struct setpay_digest pomd;
    char action_code[3];
    struct setpay_sealed_receipt receipt;
};

/* Cap, CapRev, Cred, CredRev: the message's type says which. */
struct setpay_step {
    struct setpay_id xid;
    struct setpay_id of; /* CapToken (Cap), a capture's id (CapRev, Cred), a credit's (CredRev) */
    struct setpay_money amount;
};

struct setpay_step_req {
    struct setpay_request_header header;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_step *steps; /* owned (malloc); 1 to SETPAY_LIMIT_STEPS; of different xids, which
                                * is not the codec's to check */
    size_t step_count;
};

struct setpay_step_refused {
    struct setpay_id xid;
    struct setpay_id of;
    struct setpay_money amount;
    uint32_t code; /* 1 to 999, as in an Error */
};

/* Together as many as were asked for, 1 to SETPAY_LIMIT_STEPS. */
struct setpay_step_res {
    struct setpay_response_header header;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_step_done *done; /* owned (malloc) */
    size_t done_count;
    struct setpay_step_refused *refused; /* owned (malloc) */
    size_t refused_count;
};

/* BatchAdmin */

enum setpay_batch_action {
    SETPAY_BATCH_QUERY = 1,
    SETPAY_BATCH_CLOSE = 2,
};

struct setpay_batch_total {
    char currency[4];
    uint32_t capture_count;
    int64_t capture_minor;
    uint32_t credit_count;
    int64_t credit_minor;
};

enum setpay_batch_item_kind {
    SETPAY_BATCH_CAPTURE = 1,
    SETPAY_BATCH_CREDIT = 2,
};

struct setpay_batch_item {
    enum setpay_batch_item_kind kind;
    struct setpay_id xid;
    struct setpay_id id;
    struct setpay_money amount;
    setpay_time_ms date_ms;
};

struct setpay_batch_admin_req {
    struct setpay_request_header header;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    enum setpay_batch_action action;
    uint32_t batch;
    struct setpay_batch_total *totals; /* owned (malloc); by currency, ascending */
    size_t total_count;
    bool has_after;
    struct setpay_id after;
};

struct setpay_batch_admin_res {
    struct setpay_response_header header;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    uint32_t batch;
    bool agreed;
    setpay_time_ms closed_ms;          /* 0: it is open */
    struct setpay_batch_total *totals; /* owned (malloc) */
    size_t total_count;
    struct setpay_batch_item *items; /* owned (malloc) */
    size_t item_count;
    bool more;
};

struct setpay_pcert_req {
    struct setpay_request_header header;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_thumbs thumbs;
};

struct setpay_pcert_res {
    struct setpay_response_header header;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char gateway_id[SETPAY_WIRE_PARTY_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_digest gateway_sign;
    struct setpay_digest gateway_encrypt;
    struct setpay_thumbs crls;
};

enum setpay_error setpay_auth_req_build(const struct setpay_auth_req *message,
                                        struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_auth_req_parse(struct setpay_view bytes,
                                        struct setpay_auth_req *message) SETPAY_MUST_CHECK;
enum setpay_error setpay_auth_res_build(const struct setpay_auth_res *message,
                                        struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_auth_res_parse(struct setpay_view bytes,
                                        struct setpay_auth_res *message) SETPAY_MUST_CHECK;
enum setpay_error setpay_auth_rev_req_build(const struct setpay_auth_rev_req *message,
                                            struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_auth_rev_req_parse(struct setpay_view bytes,
                                            struct setpay_auth_rev_req *message) SETPAY_MUST_CHECK;
enum setpay_error setpay_auth_rev_res_build(const struct setpay_auth_rev_res *message,
                                            struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_auth_rev_res_parse(struct setpay_view bytes,
                                            struct setpay_auth_rev_res *message) SETPAY_MUST_CHECK;
enum setpay_error setpay_step_req_build(const struct setpay_step_req *message,
                                        struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_step_req_parse(struct setpay_view bytes,
                                        struct setpay_step_req *message) SETPAY_MUST_CHECK;
void setpay_step_req_clear(struct setpay_step_req *message);
enum setpay_error setpay_step_res_build(const struct setpay_step_res *message,
                                        struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_step_res_parse(struct setpay_view bytes,
                                        struct setpay_step_res *message) SETPAY_MUST_CHECK;
void setpay_step_res_clear(struct setpay_step_res *message);
enum setpay_error setpay_batch_admin_req_build(const struct setpay_batch_admin_req *message,
                                               struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error
setpay_batch_admin_req_parse(struct setpay_view bytes,
                             struct setpay_batch_admin_req *message) SETPAY_MUST_CHECK;
void setpay_batch_admin_req_clear(struct setpay_batch_admin_req *message);
enum setpay_error setpay_batch_admin_res_build(const struct setpay_batch_admin_res *message,
                                               struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error
setpay_batch_admin_res_parse(struct setpay_view bytes,
                             struct setpay_batch_admin_res *message) SETPAY_MUST_CHECK;
void setpay_batch_admin_res_clear(struct setpay_batch_admin_res *message);
enum setpay_error setpay_pcert_req_build(const struct setpay_pcert_req *message,
                                         struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_pcert_req_parse(struct setpay_view bytes,
                                         struct setpay_pcert_req *message) SETPAY_MUST_CHECK;
enum setpay_error setpay_pcert_res_build(const struct setpay_pcert_res *message,
                                         struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_pcert_res_parse(struct setpay_view bytes,
                                         struct setpay_pcert_res *message) SETPAY_MUST_CHECK;

/* ---------------------------------------------------------------- receipts and errors */

/* Signed by the gateway (receipt.h). amount is that of the step: approved, declined, voided,
 * reversed, captured, credited; never 0. */
struct setpay_receipt {
    enum setpay_receipt_kind kind;
    struct setpay_money amount;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_digest merchant;
    struct setpay_digest cardholder;
    struct setpay_digest gateway_sign;
    struct setpay_id xid;
    struct setpay_digest pomd;
    setpay_time_ms date_ms;
    struct setpay_digest previous; /* zeros in the first */
    char action_code[3];
    char approval_code[7]; /* may be "" */
};

/* The content of an Error message. code is one of enum setpay_wire_code, or one not known here. */
struct setpay_error_report {
    uint32_t code; /* 1 to 999 */
    struct setpay_digest received;
    setpay_time_ms date_ms;
    bool has_rrpid;
    struct setpay_id rrpid;
    bool has_sender;
    struct setpay_digest sender;
};

enum setpay_error setpay_receipt_build(const struct setpay_receipt *message,
                                       struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_receipt_parse(struct setpay_view bytes,
                                       struct setpay_receipt *message) SETPAY_MUST_CHECK;
enum setpay_error setpay_error_report_build(const struct setpay_error_report *message,
                                            struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_error_report_parse(struct setpay_view bytes,
                                            struct setpay_error_report *message) SETPAY_MUST_CHECK;

#endif
