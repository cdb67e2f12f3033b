/*
 * The messages between merchant and gateway: Auth, AuthRev, PCert.
 *
 * Each is a table of fields (layout.h) in the order of the .proto file, with a function for what
 * concerns several fields at once.
 */
#include "common/wire/layouts.h"
#include "common/wire/messages.h"
#include "common/wire/parts_layout.h"

#include "proto/setpay/v1/payment.pb-c.h"

/* ---- Auth ---- */

static const struct setpay_wire_field auth_req_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_auth_req, header)},
    {SETPAY_ROW(2, ID, setpay_auth_req, xid)},
    {SETPAY_ROW(3, ENUM, setpay_auth_req, intent)},
    {SETPAY_ROW_MONEY(4, setpay_auth_req, amount, 1)},
    {SETPAY_ROW_TEXT(5, setpay_auth_req, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(6, setpay_auth_req, merchant_id, 1, PARTY)},
    {SETPAY_ROW_TERMS(7, setpay_auth_req)},
    {SETPAY_ROW_TIME(8, setpay_auth_req, expiry_ms)},
    {SETPAY_ROW(9, DIGEST, setpay_auth_req, oimd)},
    {SETPAY_ROW(10, DIGEST, setpay_auth_req, pimd)},
    {SETPAY_ROW_SIGNATURE(11, setpay_auth_req, dual_signature)},
    {SETPAY_ROW(12, DIGEST, setpay_auth_req, cardholder)},
    {SETPAY_ROW(13, DIGEST, setpay_auth_req, gateway_encrypt)},
    {SETPAY_ROW(14, DIGEST, setpay_auth_req, envelope)},
    {SETPAY_ROW(15, BOOL, setpay_auth_req, partial_allowed)},
    {SETPAY_ROW(16, ID, setpay_auth_req, auth_token), .optional = true,
     .has = offsetof(struct setpay_auth_req, has_auth_token)},
    {SETPAY_ROW_THUMBS(17, setpay_auth_req, thumbs)},
    {0},
};

const struct setpay_wire_layout setpay_layout_auth_req = {
    .descriptor = &setpay__v1__auth_req__descriptor,
    .size = sizeof(struct setpay_auth_req),
    .fields = auth_req_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(auth_req)

#define ROW_RESULT(number_, M)                                                                     \
    SETPAY_ROW_TEXT(number_, setpay_auth_res, M, 1, ALNUM), .optional = true

static const struct setpay_wire_field auth_res_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_auth_res, answer_header)},
    {SETPAY_ROW(2, ID, setpay_auth_res, xid)},
    {SETPAY_ROW(3, ENUM, setpay_auth_res, outcome)},
    {SETPAY_ROW_MONEY(4, setpay_auth_res, amount, 0)},
    {SETPAY_ROW_TEXT(5, setpay_auth_res, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(6, setpay_auth_res, merchant_id, 1, PARTY)},
    {SETPAY_ROW(7, DIGEST, setpay_auth_res, cardholder)},
    {SETPAY_ROW(8, DIGEST, setpay_auth_res, gateway_encrypt)},
    {SETPAY_ROW(9, DIGEST, setpay_auth_res, pomd)},
    {SETPAY_ROW_ACTION_CODE(10, setpay_auth_res)},
    {SETPAY_ROW_APPROVAL_CODE(11, setpay_auth_res)},
    {SETPAY_ROW_TIME(12, setpay_auth_res, hold_expiry_ms), .optional = true},
    {ROW_RESULT(13, avs_result)},
    {ROW_RESULT(14, security_code_result)},
    {SETPAY_ROW(15, ID, setpay_auth_res, cap_token), .optional = true,
     .has = offsetof(struct setpay_auth_res, has_cap_token)},
    {SETPAY_ROW(16, ID, setpay_auth_res, auth_token), .optional = true,
     .has = offsetof(struct setpay_auth_res, has_auth_token)},
    {SETPAY_ROW_RECEIPT(17, setpay_auth_res)},
    {SETPAY_ROW_THUMBS(18, setpay_auth_res, thumbs)},
    {SETPAY_ROW(19, MESSAGE, setpay_auth_res, capture), .optional = true,
     .has = offsetof(struct setpay_auth_res, has_capture), .inner = &setpay_layout_step_done},
    {0},
};

/* A sale captures what was approved, wholly. */
static bool sale_fits(const struct setpay_auth_res *res)
{
    const struct setpay_step_done *capture = &res->capture;
    return setpay_id_equal(&capture->xid, &res->xid) &&
           setpay_id_equal(&capture->of, &res->cap_token) &&
           setpay_money_equal(&capture->amount, &res->amount) && capture->remaining.minor == 0 &&
           setpay_digest_equal(&capture->cardholder, &res->cardholder) &&
           setpay_digest_equal(&capture->pomd, &res->pomd) &&
           capture->receipt.kind == SETPAY_RECEIPT_CAPTURE;
}

/* What an outcome must bring and what it can't; the receipt's kind follows from it. */
static enum setpay_error check_auth_res(const void *message)
{
    const struct setpay_auth_res *res = message;
    bool approved = res->outcome == SETPAY_AUTH_APPROVED || res->outcome == SETPAY_AUTH_PARTIAL;
    enum setpay_receipt_kind kind = approved ? SETPAY_RECEIPT_AUTHORISATION
                                    : res->outcome == SETPAY_AUTH_VOIDED ? SETPAY_RECEIPT_VOID
                                                                         : SETPAY_RECEIPT_DECLINE;
    bool fits = (res->amount.minor > 0) == approved && res->has_cap_token == approved &&
                (res->hold_expiry_ms != 0) == approved && (approved || !res->has_auth_token) &&
                res->receipt.kind == kind && (!res->has_capture || (approved && sale_fits(res)));
    return fits ? SETPAY_OK : SETPAY_E_FIELD;
}

const struct setpay_wire_layout setpay_layout_auth_res = {
    .descriptor = &setpay__v1__auth_res__descriptor,
    .size = sizeof(struct setpay_auth_res),
    .fields = auth_res_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
    .check = check_auth_res,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(auth_res)

/* ---- AuthRev ---- */

static const struct setpay_wire_field auth_rev_req_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_auth_rev_req, header)},
    {SETPAY_ROW(2, ID, setpay_auth_rev_req, xid)},
    {SETPAY_ROW(3, ID, setpay_auth_rev_req, cap_token)},
    {SETPAY_ROW_MONEY(4, setpay_auth_rev_req, amount, 1)},
    {SETPAY_ROW_TEXT(5, setpay_auth_rev_req, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(6, setpay_auth_rev_req, merchant_id, 1, PARTY)},
    {0},
};

const struct setpay_wire_layout setpay_layout_auth_rev_req = {
    .descriptor = &setpay__v1__auth_rev_req__descriptor,
    .size = sizeof(struct setpay_auth_rev_req),
    .fields = auth_rev_req_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(auth_rev_req)

static const struct setpay_wire_field auth_rev_res_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_auth_rev_res, answer_header)},
    {SETPAY_ROW(2, ID, setpay_auth_rev_res, xid)},
    {SETPAY_ROW_MONEY(3, setpay_auth_rev_res, amount, 1)},
    {SETPAY_ROW_MONEY(4, setpay_auth_rev_res, remaining, 0)},
    {SETPAY_ROW_TEXT(5, setpay_auth_rev_res, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(6, setpay_auth_rev_res, merchant_id, 1, PARTY)},
    {SETPAY_ROW(7, DIGEST, setpay_auth_rev_res, cardholder)},
    {SETPAY_ROW(8, DIGEST, setpay_auth_rev_res, pomd)},
    {SETPAY_ROW_ACTION_CODE(9, setpay_auth_rev_res)},
    {SETPAY_ROW_RECEIPT(10, setpay_auth_rev_res)},
    {0},
};

static enum setpay_error check_auth_rev_res(const void *message)
{
    const struct setpay_auth_rev_res *res = message;
    return setpay_money_same_currency(&res->amount, &res->remaining) &&
                   res->receipt.kind == SETPAY_RECEIPT_REVERSAL
               ? SETPAY_OK
               : SETPAY_E_FIELD;
}

const struct setpay_wire_layout setpay_layout_auth_rev_res = {
    .descriptor = &setpay__v1__auth_rev_res__descriptor,
    .size = sizeof(struct setpay_auth_rev_res),
    .fields = auth_rev_res_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
    .check = check_auth_rev_res,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(auth_rev_res)

/* ---- PCert ---- */

static const struct setpay_wire_field pcert_req_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_pcert_req, header_gateway)},
    {SETPAY_ROW_TEXT(2, setpay_pcert_req, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(3, setpay_pcert_req, merchant_id, 1, PARTY)},
    {SETPAY_ROW_THUMBS(4, setpay_pcert_req, thumbs)},
    {0},
};

const struct setpay_wire_layout setpay_layout_pcert_req = {
    .descriptor = &setpay__v1__pcert_req__descriptor,
    .size = sizeof(struct setpay_pcert_req),
    .fields = pcert_req_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(pcert_req)

static const struct setpay_wire_field pcert_res_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_pcert_res, answer_header)},
    {SETPAY_ROW_TEXT(2, setpay_pcert_res, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(3, setpay_pcert_res, gateway_id, 1, PARTY)},
    {SETPAY_ROW_TEXT(4, setpay_pcert_res, merchant_id, 1, PARTY)},
    {SETPAY_ROW(5, DIGEST, setpay_pcert_res, gateway_sign)},
    {SETPAY_ROW(6, DIGEST, setpay_pcert_res, gateway_encrypt)},
    {SETPAY_ROW_THUMBS(7, setpay_pcert_res, crls)},
    {0},
};

const struct setpay_wire_layout setpay_layout_pcert_res = {
    .descriptor = &setpay__v1__pcert_res__descriptor,
    .size = sizeof(struct setpay_pcert_res),
    .fields = pcert_res_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(pcert_res)
