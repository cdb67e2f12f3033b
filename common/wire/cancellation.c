/*
 * Can and AuthCan: the end of an agreement by the cardholder's word.
 *
 * The word itself stands alone, like the dual signature: neither CanReq's signature nor
 * AuthCanReq's is of any use to whom it is handed on, since they name other receivers.
 */
#include "common/wire/cancellation.h"

#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/wire/layouts.h"
#include "common/wire/parts_layout.h"
#include "common/wire/signed.h"

#include "proto/setpay/v1/payment.pb-c.h"

#include <string.h>

#define TYPE "Cancellation"

/* ---- contents ---- */

static const struct setpay_wire_field cancellation_fields[] = {
    {SETPAY_ROW(1, ID, setpay_cancellation, xid)},
    {SETPAY_ROW_TEXT(2, setpay_cancellation, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(3, setpay_cancellation, merchant_id, 1, PARTY)},
    {SETPAY_ROW(4, DIGEST, setpay_cancellation, cardholder)},
    {SETPAY_ROW(5, DIGEST, setpay_cancellation, gateway_sign)},
    {SETPAY_ROW(6, DIGEST, setpay_cancellation, pomd)},
    {SETPAY_ROW_TIME(7, setpay_cancellation, date_ms)},
    {0},
};

const struct setpay_wire_layout setpay_layout_cancellation = {
    .descriptor = &setpay__v1__cancellation__descriptor,
    .size = sizeof(struct setpay_cancellation),
    .fields = cancellation_fields,
    .maximum = SETPAY_WIRE_CANCELLATION_MAX,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(cancellation)

#define ROW_CANCELLATION(number_, S)                                                               \
    SETPAY_ROW(number_, BLOCK, S, cancellation.bytes),                                             \
        .has = offsetof(struct S, cancellation.size), .minimum = 1,                                \
        .maximum = SETPAY_WIRE_CANCELLATION_MAX

static const struct setpay_wire_field can_req_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_can_req, header)},
    {SETPAY_ROW(2, ID, setpay_can_req, xid)},
    {SETPAY_ROW(3, ID, setpay_can_req, lid_c)},
    {SETPAY_ROW(4, DIGEST, setpay_can_req, challenge)},
    {ROW_CANCELLATION(5, setpay_can_req)},
    {SETPAY_ROW_SIGNATURE(6, setpay_can_req, cancellation.signature)},
    {SETPAY_ROW_RECEIPTS(7, setpay_can_req, known)},
    {0},
};

const struct setpay_wire_layout setpay_layout_can_req = {
    .descriptor = &setpay__v1__can_req__descriptor,
    .size = sizeof(struct setpay_can_req),
    .fields = can_req_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(can_req)

static const struct setpay_wire_field auth_can_req_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_auth_can_req, header)},
    {SETPAY_ROW(2, ID, setpay_auth_can_req, xid)},
    {SETPAY_ROW_TEXT(3, setpay_auth_can_req, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(4, setpay_auth_can_req, merchant_id, 1, PARTY)},
    {ROW_CANCELLATION(5, setpay_auth_can_req)},
    {SETPAY_ROW_SIGNATURE(6, setpay_auth_can_req, cancellation.signature)},
    {0},
};

const struct setpay_wire_layout setpay_layout_auth_can_req = {
    .descriptor = &setpay__v1__auth_can_req__descriptor,
    .size = sizeof(struct setpay_auth_can_req),
    .fields = auth_can_req_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(auth_can_req)

static const struct setpay_wire_field auth_can_res_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_auth_can_res, answer_header)},
    {SETPAY_ROW(2, ID, setpay_auth_can_res, xid)},
    {SETPAY_ROW_TEXT(3, setpay_auth_can_res, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(4, setpay_auth_can_res, merchant_id, 1, PARTY)},
    {SETPAY_ROW(5, DIGEST, setpay_auth_can_res, cardholder)},
    {SETPAY_ROW(6, DIGEST, setpay_auth_can_res, pomd)},
    {SETPAY_ROW_RECEIPT(7, setpay_auth_can_res)},
    {0},
};

static enum setpay_error check_auth_can_res(const void *message)
{
    const struct setpay_auth_can_res *res = message;
    return res->receipt.kind == SETPAY_RECEIPT_CANCELLATION ? SETPAY_OK : SETPAY_E_FIELD;
}

const struct setpay_wire_layout setpay_layout_auth_can_res = {
    .descriptor = &setpay__v1__auth_can_res__descriptor,
    .size = sizeof(struct setpay_auth_can_res),
    .fields = auth_can_res_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
    .check = check_auth_can_res,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(auth_can_res)

/* ---- the signed word ---- */

enum setpay_error setpay_cancellation_sign(const struct setpay_cancellation *cancellation,
                                           const struct setpay_signing_key *key,
                                           struct setpay_signed_cancellation *made)
{
    struct setpay_signed_cancellation signed_word = {.size = 0};
    struct setpay_buffer content, signature;
    setpay_buffer_init(&content, SETPAY_WIRE_CANCELLATION_MAX);
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    enum setpay_error error = setpay_cancellation_build(cancellation, &content);
    if (error == SETPAY_OK)
        error = setpay_sign(key, TYPE, SETPAY_SUITE, &cancellation->cardholder,
                            setpay_buffer_view(&content), &signature);
    if (error == SETPAY_OK)
        error = setpay_signature_from_view(setpay_buffer_view(&signature), &signed_word.signature);
    if (error == SETPAY_OK) {
        memcpy(signed_word.bytes, content.data, content.size);
        signed_word.size = content.size;
        *made = signed_word;
    }
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&signature);
    return error;
}

static bool is_about(const struct setpay_cancellation *said,
                     const struct setpay_cancellation *expected)
{
    return setpay_id_equal(&said->xid, &expected->xid) &&
           strcmp(said->brand, expected->brand) == 0 &&
           strcmp(said->merchant_id, expected->merchant_id) == 0 &&
           setpay_digest_equal(&said->cardholder, &expected->cardholder) &&
           setpay_digest_equal(&said->gateway_sign, &expected->gateway_sign) &&
           setpay_digest_equal(&said->pomd, &expected->pomd) &&
           said->date_ms <= expected->date_ms + SETPAY_LIMIT_DATE_TOLERANCE_MS;
}

enum setpay_error setpay_cancellation_check(const struct setpay_signed_cancellation *came,
                                            const struct setpay_certificate *cardholder,
                                            const struct setpay_cancellation *expected)
{
    const struct setpay_digest *signer = setpay_certificate_thumbprint(cardholder);
    struct setpay_cancellation said;
    if (came->size > sizeof came->bytes || !setpay_digest_equal(signer, &expected->cardholder))
        return SETPAY_E_CANCELLATION;
    struct setpay_view content = setpay_view_of(came->bytes, came->size);
    if (setpay_verify(setpay_certificate_key(cardholder), TYPE, SETPAY_SUITE, signer, content,
                      setpay_signature_view(&came->signature)) != SETPAY_OK ||
        setpay_cancellation_parse(content, &said) != SETPAY_OK || !is_about(&said, expected))
        return SETPAY_E_CANCELLATION; /* rule G9 */
    return SETPAY_OK;
}
