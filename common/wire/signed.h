/*
 * The outer Message: what is signed, and what travels beside it.
 *
 * A message of a stranger goes through these in order: setpay_message_parse (form, rule A1),
 * setpay_message_authenticate (certificate and signature, rules A3 and A2), the parser of its
 * content (messages.h), then the checks of checks.h (sender, receiver, date, answer).
 */
#ifndef SETPAY_WIRE_SIGNED_H
#define SETPAY_WIRE_SIGNED_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/crypto/sign.h"
#include "common/pki/certificate.h"
#include "common/pki/chain.h"
#include "common/pki/role.h"
#include "common/wire/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETPAY_WIRE_VERSION 1

enum setpay_message_type {
    SETPAY_MESSAGE_PINIT_REQ = 1,
    SETPAY_MESSAGE_PINIT_RES = 2,
    SETPAY_MESSAGE_P_REQ = 3,
    SETPAY_MESSAGE_P_RES = 4,
    SETPAY_MESSAGE_INQ_REQ = 5,
    SETPAY_MESSAGE_INQ_RES = 6,
    SETPAY_MESSAGE_AUTH_REQ = 7,
    SETPAY_MESSAGE_AUTH_RES = 8,
    SETPAY_MESSAGE_AUTH_REV_REQ = 9,
    SETPAY_MESSAGE_AUTH_REV_RES = 10,
    SETPAY_MESSAGE_CAP_REQ = 11,
    SETPAY_MESSAGE_CAP_RES = 12,
    SETPAY_MESSAGE_CAP_REV_REQ = 13,
    SETPAY_MESSAGE_CAP_REV_RES = 14,
    SETPAY_MESSAGE_CRED_REQ = 15,
    SETPAY_MESSAGE_CRED_RES = 16,
    SETPAY_MESSAGE_CRED_REV_REQ = 17,
    SETPAY_MESSAGE_CRED_REV_RES = 18,
    SETPAY_MESSAGE_BATCH_ADMIN_REQ = 19,
    SETPAY_MESSAGE_BATCH_ADMIN_RES = 20,
    SETPAY_MESSAGE_PCERT_REQ = 21,
    SETPAY_MESSAGE_PCERT_RES = 22,
    SETPAY_MESSAGE_CAN_REQ = 23,
    SETPAY_MESSAGE_CAN_RES = 24,
    SETPAY_MESSAGE_AUTH_CAN_REQ = 25,
    SETPAY_MESSAGE_AUTH_CAN_RES = 26,
    SETPAY_MESSAGE_RECEIPT = 30, /* never in a Message of its own */
    SETPAY_MESSAGE_ERROR = 31,
};

/* "PInitReq", "AuthReq", …: what goes into signatures and hashes. NULL where unknown. */
const char *setpay_message_type_name(enum setpay_message_type type);

/* A message that came, opened. Owns what its views show. */
struct setpay_message {
    enum setpay_message_type type;
    uint32_t suite;
    struct setpay_view content;
    bool is_signed; /* false in PInitReq and PReq, and in an Error where the sender has no key */
    struct setpay_view signature;
    struct setpay_digest signer; /* thumbprint */
    struct setpay_view certificates[SETPAY_LIMIT_CERTIFICATES];
    struct setpay_digest certificate_thumbs[SETPAY_LIMIT_CERTIFICATES];
    size_t certificate_count;
    struct setpay_view crls[SETPAY_LIMIT_CRLS];
    size_t crl_count;
    struct setpay_view envelope; /* empty but in PReq and AuthReq */
    struct setpay_arena *memory;
};

/* Rule A1. *message is taken for uninitialised, untouched on error. Errors as in messages.h, and
 * SETPAY_E_VERSION, SETPAY_E_SUITE, SETPAY_E_MESSAGE_TYPE, SETPAY_E_UNSIGNED (a type that must be
 * signed); SETPAY_E_FIELD also for a signature or an envelope on a type that has none, and for a
 * PReq without an envelope. */
enum setpay_error setpay_message_parse(struct setpay_view bytes,
                                       struct setpay_message *message) SETPAY_MUST_CHECK;
void setpay_message_clear(struct setpay_message *message);

/* What a message is made of. All borrowed; zeroes are "none". */
struct setpay_message_parts {
    enum setpay_message_type type;
    struct setpay_view content;
    const struct setpay_signing_key *key; /* NULL: unsigned */
    /* In place of key: a signature over content that was made before, so that a repeat is the same
     * to the last byte. Not verified here. */
    const struct setpay_signature *signature;
    const struct setpay_digest
        *signer; /* thumbprint of the certificate; with one of the two only */
    const struct setpay_view *certificates;
    size_t certificate_count;
    const struct setpay_view *crls;
    size_t crl_count;
    struct setpay_view envelope;
};

/* Signs and packs; replaces what bytes holds. Refuses what parse would refuse, with the same
 * errors; errors of setpay_sign; SETPAY_E_TOO_BIG above SETPAY_LIMIT_MESSAGE_BYTES. */
enum setpay_error setpay_message_build(const struct setpay_message_parts *parts,
                                       struct setpay_buffer *bytes) SETPAY_MUST_CHECK;

/* Rule A2: the signature verifies over the received bytes, for this type, under this certificate.
 * SETPAY_E_UNSIGNED, SETPAY_E_SENDER (the certificate is not the signer's), SETPAY_E_SIGNATURE. */
enum setpay_error
setpay_message_verify(const struct setpay_message *message,
                      const struct setpay_certificate *certificate) SETPAY_MUST_CHECK;

/* Rules A3 and A2 in one: takes CRLs and CA certificates from beside, finds the signer's
 * certificate beside or among those known, verifies its chain for profile and brand (NULL: any) and
 * then the signature. *certificate is a reference for the caller. Errors of setpay_trust_verify and
 * setpay_message_verify. */
enum setpay_error
setpay_message_authenticate(const struct setpay_message *message, struct setpay_trust *trust,
                            enum setpay_profile profile, const char *brand, setpay_time_ms now_ms,
                            struct setpay_certificate **certificate) SETPAY_MUST_CHECK;

/* Rule A3 for any certificate that a content names by its thumbprint (the cardholder's in AuthReq,
 * the gateway's in PInitRes): found beside or among those known. */
enum setpay_error setpay_message_find(const struct setpay_message *message,
                                      struct setpay_trust *trust,
                                      const struct setpay_digest *thumbprint,
                                      enum setpay_profile profile, const char *brand,
                                      setpay_time_ms now_ms,
                                      struct setpay_certificate **certificate) SETPAY_MUST_CHECK;

/* The DER of a certificate beside, borrowed; empty where it isn't there. */
struct setpay_view setpay_message_certificate(const struct setpay_message *message,
                                              const struct setpay_digest *thumbprint);

/* H("req", type, suite, signer or empty, content): by this the answer says what it answers. */
enum setpay_error setpay_message_request_hash(const struct setpay_message *message,
                                              struct setpay_digest *hash) SETPAY_MUST_CHECK;
/* The same of a message that one sends oneself. signer NULL: unsigned. */
enum setpay_error setpay_request_hash(enum setpay_message_type type,
                                      const struct setpay_digest *signer,
                                      struct setpay_view content,
                                      struct setpay_digest *hash) SETPAY_MUST_CHECK;
/* H("raw", bytes): what an Error says it received where no Message could be read. */
enum setpay_error setpay_raw_hash(struct setpay_view bytes,
                                  struct setpay_digest *hash) SETPAY_MUST_CHECK;
/* H("offer", PInitRes content). */
enum setpay_error setpay_offer_digest(struct setpay_view content,
                                      struct setpay_digest *digest) SETPAY_MUST_CHECK;
/* H("token", order token): whom rule A6 takes for the sender of a PInitReq. */
enum setpay_error setpay_token_sender(const char *order_token,
                                      struct setpay_digest *sender) SETPAY_MUST_CHECK;

/* Makes a whole Error message for a failure. message is what was received, or NULL with raw where
 * it could not be read; rrpid NULL where it is not known; key and signer both or none. The wire
 * code is the error table's. */
struct setpay_refusal {
    enum setpay_error error;
    const struct setpay_message *message;
    struct setpay_view raw;
    const struct setpay_id *rrpid;
    const struct setpay_signing_key *key;
    const struct setpay_digest *signer;
    const struct setpay_view *certificates; /* the signer's chain, where the other may lack it */
    size_t certificate_count;
};
enum setpay_error setpay_refusal_build(const struct setpay_refusal *refusal, setpay_time_ms now_ms,
                                       struct setpay_buffer *bytes) SETPAY_MUST_CHECK;

#endif
