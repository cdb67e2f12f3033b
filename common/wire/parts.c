/*
 * What several messages hold: headers, terms, signatures, sealed receipts; and the two contents
 * that no pair owns, Receipt and Error.
 *
 * Each is a table of fields (layout.h) in the order of the .proto file, with a function for what
 * concerns several fields at once.
 */
#include "common/wire/parts_layout.h"

#include "common/pki/role.h"
#include "common/wire/layouts.h"
#include "common/wire/messages.h"

#include "proto/setpay/v1/message.pb-c.h"
#include "proto/setpay/v1/payment.pb-c.h"

#include <string.h>

struct setpay_view setpay_signature_view(const struct setpay_signature *signature)
{
    /* A size outside is refused by the table; the view must not reach outside before that. */
    bool fits = signature->size <= sizeof(signature->bytes);
    return setpay_view_of(signature->bytes, fits ? signature->size : 0);
}

enum setpay_error setpay_signature_from_view(struct setpay_view view,
                                             struct setpay_signature *signature)
{
    if (view.size < SETPAY_WIRE_SIGNATURE_MIN || view.size > sizeof(signature->bytes))
        return SETPAY_E_FIELD;
    memset(signature, 0, sizeof(*signature));
    memcpy(signature->bytes, view.data, view.size);
    signature->size = view.size;
    return SETPAY_OK;
}

/* ---- headers ---- */

static const struct setpay_wire_field request_header_fields[] = {
    {SETPAY_ROW(1, ID, setpay_request_header, rrpid)},
    {SETPAY_ROW_TIME(2, setpay_request_header, date_ms)},
    {SETPAY_ROW(3, DIGEST, setpay_request_header, sender), .optional = true,
     .has = offsetof(struct setpay_request_header, has_sender)},
    {SETPAY_ROW(4, DIGEST, setpay_request_header, receiver), .optional = true,
     .has = offsetof(struct setpay_request_header, has_receiver)},
    {SETPAY_ROW_TEXT(5, setpay_request_header, receiver_name, 1, HOST), .optional = true},
    {0},
};

static enum setpay_error check_header(const void *message)
{
    const struct setpay_request_header *header = message;
    return header->has_sender && header->has_receiver && header->receiver_name[0] == '\0'
               ? SETPAY_OK
               : SETPAY_E_FIELD;
}

static enum setpay_error check_header_host(const void *message)
{
    const struct setpay_request_header *header = message;
    return !header->has_sender && !header->has_receiver &&
                   setpay_host_is_valid(header->receiver_name)
               ? SETPAY_OK
               : SETPAY_E_FIELD;
}

static enum setpay_error check_header_gateway(const void *message)
{
    const struct setpay_request_header *header = message;
    return header->has_sender && !header->has_receiver &&
                   setpay_party_id_is_valid(header->receiver_name)
               ? SETPAY_OK
               : SETPAY_E_FIELD;
}

#define REQUEST_HEADER_LAYOUT                                                                      \
    .descriptor = &setpay__v1__request_header__descriptor,                                         \
    .size = sizeof(struct setpay_request_header), .fields = request_header_fields, .maximum = 512

const struct setpay_wire_layout setpay_layout_header = {REQUEST_HEADER_LAYOUT,
                                                        .check = check_header};
const struct setpay_wire_layout setpay_layout_header_host = {REQUEST_HEADER_LAYOUT,
                                                             .check = check_header_host};
const struct setpay_wire_layout setpay_layout_header_gateway = {REQUEST_HEADER_LAYOUT,
                                                                .check = check_header_gateway};

static const struct setpay_wire_field response_header_fields[] = {
    {SETPAY_ROW(1, ID, setpay_response_header, rrpid)},
    {SETPAY_ROW(2, DIGEST, setpay_response_header, request_hash)},
    {SETPAY_ROW_TIME(3, setpay_response_header, date_ms)},
    {SETPAY_ROW(4, DIGEST, setpay_response_header, sender)},
    {SETPAY_ROW(5, DIGEST, setpay_response_header, receiver), .optional = true,
     .has = offsetof(struct setpay_response_header, has_receiver)},
    {0},
};

static enum setpay_error check_answer_header(const void *message)
{
    const struct setpay_response_header *header = message;
    return header->has_receiver ? SETPAY_OK : SETPAY_E_FIELD;
}

static enum setpay_error check_answer_header_open(const void *message)
{
    const struct setpay_response_header *header = message;
    return header->has_receiver ? SETPAY_E_FIELD : SETPAY_OK;
}

#define RESPONSE_HEADER_LAYOUT                                                                     \
    .descriptor = &setpay__v1__response_header__descriptor,                                        \
    .size = sizeof(struct setpay_response_header), .fields = response_header_fields,               \
    .maximum = 256

const struct setpay_wire_layout setpay_layout_answer_header = {RESPONSE_HEADER_LAYOUT,
                                                               .check = check_answer_header};
const struct setpay_wire_layout setpay_layout_answer_header_open = {
    RESPONSE_HEADER_LAYOUT, .check = check_answer_header_open};

/* ---- terms ---- */

static const struct setpay_wire_field terms_fields[] = {
    {SETPAY_ROW(1, ENUM, setpay_terms, kind)},
    {SETPAY_ROW(2, U32, setpay_terms, count), .optional = true, .minimum = 1, .maximum = 1200},
    {SETPAY_ROW(3, U32, setpay_terms, interval_days), .optional = true, .minimum = 1,
     .maximum = 366},
    {SETPAY_ROW(4, I64, setpay_terms, each_minor), .optional = true, .minimum = 1,
     .maximum = SETPAY_MONEY_MAX_MINOR},
    {SETPAY_ROW_TIME(5, setpay_terms, end_ms), .optional = true},
    {0},
};

static enum setpay_error check_terms(const void *message)
{
    const struct setpay_terms *terms = message;
    bool all = terms->count != 0 && terms->interval_days != 0 && terms->each_minor != 0 &&
               terms->end_ms != 0;
    bool none = terms->count == 0 && terms->interval_days == 0 && terms->each_minor == 0 &&
                terms->end_ms == 0;
    bool repeats = terms->kind == SETPAY_TERMS_INSTALMENT || terms->kind == SETPAY_TERMS_RECURRING;
    if (repeats && all && terms->each_minor > SETPAY_MONEY_MAX_MINOR / terms->count)
        return SETPAY_E_FIELD; /* all of it together must be an amount */
    return (repeats ? all : none) ? SETPAY_OK : SETPAY_E_FIELD;
}

const struct setpay_wire_layout setpay_layout_terms = {
    .descriptor = &setpay__v1__terms__descriptor,
    .size = sizeof(struct setpay_terms),
    .fields = terms_fields,
    .maximum = 64,
    .check = check_terms,
};

bool setpay_terms_equal(const struct setpay_terms *a, const struct setpay_terms *b)
{
    return a->kind == b->kind && a->count == b->count && a->interval_days == b->interval_days &&
           a->each_minor == b->each_minor && a->end_ms == b->end_ms;
}

/* ---- receipts ---- */

const char *setpay_receipt_kind_name(enum setpay_receipt_kind kind)
{
    switch (kind) {
    case SETPAY_RECEIPT_AUTHORISATION:
        return "authorisation";
    case SETPAY_RECEIPT_DECLINE:
        return "decline";
    case SETPAY_RECEIPT_VOID:
        return "void";
    case SETPAY_RECEIPT_REVERSAL:
        return "reversal";
    case SETPAY_RECEIPT_CAPTURE:
        return "capture";
    case SETPAY_RECEIPT_CREDIT:
        return "credit";
    case SETPAY_RECEIPT_CAPTURE_REVERSAL:
        return "capture reversal";
    case SETPAY_RECEIPT_CREDIT_REVERSAL:
        return "credit reversal";
    case SETPAY_RECEIPT_CANCELLATION:
        return "cancellation";
    default:
        return NULL;
    }
}

static const struct setpay_wire_field sealed_receipt_fields[] = {
    {SETPAY_ROW(1, ENUM, setpay_sealed_receipt, kind)},
    {SETPAY_ROW(2, ID, setpay_sealed_receipt, receipt_id)},
    {SETPAY_ROW(3, BLOCK, setpay_sealed_receipt, ciphertext),
     .has = offsetof(struct setpay_sealed_receipt, size), .minimum = 17,
     .maximum = SETPAY_WIRE_RECEIPT_MAX},
    {0},
};

const struct setpay_wire_layout setpay_layout_sealed_receipt = {
    .descriptor = &setpay__v1__sealed_receipt__descriptor,
    .size = sizeof(struct setpay_sealed_receipt),
    .fields = sealed_receipt_fields,
    .maximum = SETPAY_WIRE_RECEIPT_MAX + 64,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(sealed_receipt)

static const struct setpay_wire_field receipt_fields[] = {
    {SETPAY_ROW(1, ENUM, setpay_receipt, kind)},
    {SETPAY_ROW_MONEY(2, setpay_receipt, amount, 1)},
    {SETPAY_ROW_TEXT(3, setpay_receipt, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(4, setpay_receipt, merchant_id, 1, PARTY)},
    {SETPAY_ROW(5, DIGEST, setpay_receipt, merchant)},
    {SETPAY_ROW(6, DIGEST, setpay_receipt, cardholder)},
    {SETPAY_ROW(7, DIGEST, setpay_receipt, gateway_sign)},
    {SETPAY_ROW(8, ID, setpay_receipt, xid)},
    {SETPAY_ROW(9, DIGEST, setpay_receipt, pomd)},
    {SETPAY_ROW_TIME(10, setpay_receipt, date_ms)},
    {SETPAY_ROW(11, DIGEST, setpay_receipt, previous)},
    {SETPAY_ROW_ACTION_CODE(12, setpay_receipt)},
    {SETPAY_ROW_APPROVAL_CODE(13, setpay_receipt)},
    {0},
};

const struct setpay_wire_layout setpay_layout_receipt = {
    .descriptor = &setpay__v1__receipt__descriptor,
    .size = sizeof(struct setpay_receipt),
    .fields = receipt_fields,
    .maximum = 640,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(receipt)

/* ---- errors ---- */

static const struct setpay_wire_field error_report_fields[] = {
    {SETPAY_ROW(1, U32, setpay_error_report, code), .minimum = 1, .maximum = 999},
    {SETPAY_ROW(2, DIGEST, setpay_error_report, received)},
    {SETPAY_ROW_TIME(3, setpay_error_report, date_ms)},
    {SETPAY_ROW(4, ID, setpay_error_report, rrpid), .optional = true,
     .has = offsetof(struct setpay_error_report, has_rrpid)},
    {SETPAY_ROW(5, DIGEST, setpay_error_report, sender), .optional = true,
     .has = offsetof(struct setpay_error_report, has_sender)},
    {0},
};

const struct setpay_wire_layout setpay_layout_error_report = {
    .descriptor = &setpay__v1__error__descriptor,
    .size = sizeof(struct setpay_error_report),
    .fields = error_report_fields,
    .maximum = 256,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(error_report)
