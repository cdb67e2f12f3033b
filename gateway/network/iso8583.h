/*
 * ISO 8583:1987, our own table-driven codec: a message is a type (MTI), bitmaps and fields. All of
 * it is ASCII but the bitmaps, which are 8 or 16 bytes of binary. Frames on a stream carry a length
 * of two bytes, big-endian, that counts what follows it.
 *
 * Fields that hold card data (2 PAN, 14 expiry, 48 with the security code and the address data) are
 * held in struct setpay_secret, and a built message is a secret as a whole. Answers carry none of
 * these fields.
 *
 * Private use (docs/iso8583.md has the list of all fields):
 *   44  answers: two characters: result of the address check, result of the security code
 *   48  requests: elements "TT" "LL" data, TT and LL two digits each, TT rising:
 *         10 billing postcode   11 house digits   42 e-commerce indicator (2 digits)
 *         92 security code (3 or 4 digits)       93 id of a presentment (32 hex digits)
 *         94 period of the reconciliation (1 to 9 digits)
 *   126 xid, 32 hex digits          127 POMD, 64 hex digits (what the cardholder signed)
 */
#ifndef SETPAY_GATEWAY_NETWORK_ISO8583_H
#define SETPAY_GATEWAY_NETWORK_ISO8583_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETPAY_ISO_FIELD_COUNT 129  /* 0 is not used, 1 is the secondary bitmap */
#define SETPAY_ISO_MESSAGE_MAX 2048 /* bytes behind the header: largest that is built or taken */
#define SETPAY_ISO_HEADER_SIZE 2
#define SETPAY_ISO_MESSAGE_MIN 12 /* MTI and primary bitmap */

enum setpay_iso_field {
    SETPAY_ISO_PAN = 2,
    SETPAY_ISO_PROCESSING_CODE = 3,
    SETPAY_ISO_AMOUNT = 4,
    SETPAY_ISO_TRANSMISSION_TIME = 7, /* MMDDhhmmss, UTC */
    SETPAY_ISO_STAN = 11,
    SETPAY_ISO_LOCAL_TIME = 12, /* hhmmss */
    SETPAY_ISO_LOCAL_DATE = 13, /* MMDD */
    SETPAY_ISO_EXPIRY = 14,     /* YYMM */
    SETPAY_ISO_SETTLEMENT_DATE = 15,
    SETPAY_ISO_CATEGORY = 18,
    SETPAY_ISO_ENTRY_MODE = 22,
    SETPAY_ISO_CONDITION = 25,
    SETPAY_ISO_ACQUIRER = 32,
    SETPAY_ISO_RRN = 37,
    SETPAY_ISO_APPROVAL_CODE = 38,
    SETPAY_ISO_RESPONSE_CODE = 39,
    SETPAY_ISO_TERMINAL = 41,
    SETPAY_ISO_ACCEPTOR = 42,
    SETPAY_ISO_ACCEPTOR_NAME = 43,
    SETPAY_ISO_RESULTS = 44,
    SETPAY_ISO_ADDITIONAL = 48,
    SETPAY_ISO_CURRENCY = 49,
    SETPAY_ISO_SETTLEMENT_CURRENCY = 50,
    SETPAY_ISO_SETTLEMENT_CODE = 66,
    SETPAY_ISO_MANAGEMENT_CODE = 70,
    SETPAY_ISO_CREDIT_COUNT = 74,
    SETPAY_ISO_CREDIT_REVERSAL_COUNT = 75,
    SETPAY_ISO_DEBIT_COUNT = 76,
    SETPAY_ISO_DEBIT_REVERSAL_COUNT = 77,
    SETPAY_ISO_CREDIT_AMOUNT = 86,
    SETPAY_ISO_CREDIT_REVERSAL_AMOUNT = 87,
    SETPAY_ISO_DEBIT_AMOUNT = 88,
    SETPAY_ISO_DEBIT_REVERSAL_AMOUNT = 89,
    SETPAY_ISO_ORIGINAL = 90,
    SETPAY_ISO_REPLACEMENT = 95,
    SETPAY_ISO_NET_AMOUNT = 97,
    SETPAY_ISO_XID = 126,
    SETPAY_ISO_POMD = 127,
};

enum setpay_iso_type {
    SETPAY_ISO_N,   /* digits */
    SETPAY_ISO_AN,  /* letters, digits, blank */
    SETPAY_ISO_ANS, /* printable ASCII */
    SETPAY_ISO_XN,  /* C or D, then digits */
    SETPAY_ISO_B,   /* bytes */
};

enum setpay_iso_length { SETPAY_ISO_FIXED, SETPAY_ISO_LLVAR, SETPAY_ISO_LLLVAR };

struct setpay_iso_field_info {
    uint8_t number;
    enum setpay_iso_type type;
    enum setpay_iso_length length;
    uint16_t max; /* the exact length of a fixed one; else the largest, the least being 1 */
    bool secret;
    const char *name;
};

/* NULL for a field that this dialect does not have. */
const struct setpay_iso_field_info *setpay_iso_field_info(unsigned field);
/* All of them, by rising number. */
const struct setpay_iso_field_info *setpay_iso_field_table(size_t *count);

#define SETPAY_ISO_SECRET_FIELDS 3

/* Zeroed memory is an empty message; setpay_iso_clear empties it again. */
struct setpay_iso_message {
    char mti[5];
    bool present[SETPAY_ISO_FIELD_COUNT];
    uint16_t offset[SETPAY_ISO_FIELD_COUNT]; /* into text, or the index of the secret */
    uint16_t size[SETPAY_ISO_FIELD_COUNT];
    uint16_t text_size;
    uint16_t secret_count;
    uint8_t text[SETPAY_ISO_MESSAGE_MAX];
    struct setpay_secret secrets[SETPAY_ISO_SECRET_FIELDS];
};

void setpay_iso_clear(struct setpay_iso_message *message);

/* The message types of this dialect: SETPAY_E_MESSAGE_TYPE for any other, also for no four digits.
 */
enum setpay_error setpay_iso_set_mti(struct setpay_iso_message *message,
                                     const char *mti) SETPAY_MUST_CHECK;
/* Each field once. SETPAY_E_FIELD: not in the table, already set, wrong length or characters;
 * SETPAY_E_TOO_BIG: the message would be. The bytes are copied. */
enum setpay_error setpay_iso_set(struct setpay_iso_message *message, unsigned field,
                                 struct setpay_view value) SETPAY_MUST_CHECK;
enum setpay_error setpay_iso_set_text(struct setpay_iso_message *message, unsigned field,
                                      const char *value) SETPAY_MUST_CHECK;
/* A fixed field of digits, filled with zeros in front. */
enum setpay_error setpay_iso_set_number(struct setpay_iso_message *message, unsigned field,
                                        uint64_t value) SETPAY_MUST_CHECK;
/* A fixed text field, filled with blanks behind. */
enum setpay_error setpay_iso_set_padded(struct setpay_iso_message *message, unsigned field,
                                        const char *value) SETPAY_MUST_CHECK;
/* Copies the field from another message where that has it; public fields only. */
enum setpay_error setpay_iso_echo(struct setpay_iso_message *message, unsigned field,
                                  const struct setpay_iso_message *from) SETPAY_MUST_CHECK;

bool setpay_iso_has(const struct setpay_iso_message *message, unsigned field);
/* Borrowed until the message changes; empty where the field is absent. A secret field is a bug. */
struct setpay_view setpay_iso_view(const struct setpay_iso_message *message, unsigned field);
/* The secret of a secret field, NULL where it is absent. */
const struct setpay_secret *setpay_iso_secret(const struct setpay_iso_message *message,
                                              unsigned field);
/* A public field into out (capacity bytes with the NUL), blanks at its end cut off.
 * SETPAY_E_FIELD where it is absent or does not fit; out is then untouched. */
enum setpay_error setpay_iso_get_text(const struct setpay_iso_message *message, unsigned field,
                                      char *out, size_t capacity) SETPAY_MUST_CHECK;
/* A public field of digits. SETPAY_E_FIELD where it is absent. */
enum setpay_error setpay_iso_get_number(const struct setpay_iso_message *message, unsigned field,
                                        uint64_t *value) SETPAY_MUST_CHECK;

/* The message behind its two-byte header into *frame, which must be empty. SETPAY_E_MESSAGE_TYPE
 * without an MTI, SETPAY_E_TOO_BIG, SETPAY_E_NOMEM. */
enum setpay_error setpay_iso_build(const struct setpay_iso_message *message,
                                   struct setpay_secret *frame) SETPAY_MUST_CHECK;

/*
 * Reads a message (without its header) into *message, which must be empty; on error it stays so.
 *   SETPAY_E_TOO_BIG        more than SETPAY_ISO_MESSAGE_MAX
 *   SETPAY_E_MALFORMED      ends within the MTI, a bitmap, a length or a field; a length that is
 *                           not digits
 *   SETPAY_E_MESSAGE_TYPE   an MTI of another dialect
 *   SETPAY_E_FIELD          a field that is not in the table, or of wrong characters or length
 *   SETPAY_E_NOT_CANONICAL  bytes behind the last field, a secondary bitmap without a field, a
 *                           third bitmap (bit 65)
 * problem (may be NULL) says which field and where, never a value.
 */
enum setpay_error setpay_iso_parse(struct setpay_view bytes, struct setpay_iso_message *message,
                                   struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Size of the message that the header announces. SETPAY_E_TOO_BIG above SETPAY_ISO_MESSAGE_MAX,
 * SETPAY_E_MALFORMED below SETPAY_ISO_MESSAGE_MIN. */
enum setpay_error setpay_iso_frame_size(const uint8_t header[SETPAY_ISO_HEADER_SIZE],
                                        size_t *size) SETPAY_MUST_CHECK;

/* One element of field 48: its data (borrowed), empty where the message has none. SETPAY_E_FIELD
 * where field 48 is not in the form above. */
enum setpay_error setpay_iso_element(const struct setpay_iso_message *message, unsigned tag,
                                     struct setpay_view *data) SETPAY_MUST_CHECK;

#define SETPAY_ISO_ELEMENT_POSTCODE 10
#define SETPAY_ISO_ELEMENT_HOUSE 11
#define SETPAY_ISO_ELEMENT_ECOMMERCE 42
#define SETPAY_ISO_ELEMENT_STORED 43 /* who has begun it, and what was agreed to */
#define SETPAY_ISO_ELEMENT_FIRST 44  /* field 37 of the authorisation by which it was */
#define SETPAY_ISO_ELEMENT_SECURITY_CODE 92
#define SETPAY_ISO_ELEMENT_PRESENTMENT 93
#define SETPAY_ISO_ELEMENT_PERIOD 94

/* Field 39 */
#define SETPAY_ISO_APPROVED "00"

/* Field 66 */
#define SETPAY_ISO_IN_BALANCE 1
#define SETPAY_ISO_OUT_OF_BALANCE 2
#define SETPAY_ISO_SETTLEMENT_ERROR 3

/* Field 3 */
/* Fields 22 and 25: the cardholder is at it, or the merchant with a card that is kept */
#define SETPAY_ISO_ENTRY_KEYED "010"
#define SETPAY_ISO_ENTRY_KEPT "100"
#define SETPAY_ISO_CONDITION_ECOMMERCE "59"
#define SETPAY_ISO_CONDITION_ABSENT "01"

#define SETPAY_ISO_PROCESSING_PURCHASE "000000"
#define SETPAY_ISO_PROCESSING_CREDIT "200000"

#endif
