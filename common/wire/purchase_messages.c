/*
 * The messages between wallet and merchant, and what is signed twice: PInit, OI, PI, P, Inq.
 *
 * Each is a table of fields (layout.h) in the order of the .proto file, with a function for what
 * concerns several fields at once. PI's card data is a message of its own on the wire, and part of
 * struct setpay_pi here.
 */
#include "common/wire/layouts.h"
#include "common/wire/messages.h"
#include "common/wire/parts_layout.h"
#include "common/wire/sealed_instruction.h"

#include "proto/setpay/v1/payment.pb-c.h"

/* ---- PInit ---- */

static const struct setpay_wire_field pinit_req_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_pinit_req, header_host)},
    {SETPAY_ROW_TEXT(2, setpay_pinit_req, order_token, 16, PARTY)},
    {SETPAY_ROW_TEXT(3, setpay_pinit_req, brand, 1, BRAND)},
    {SETPAY_ROW(4, DIGEST, setpay_pinit_req, chall_c)},
    {SETPAY_ROW(5, ID, setpay_pinit_req, lid_c)},
    {SETPAY_ROW_THUMBS(6, setpay_pinit_req, thumbs)},
    {SETPAY_ROW_TEXT(7, setpay_pinit_req, language, 1, LANGUAGE), .optional = true},
    {0},
};

const struct setpay_wire_layout setpay_layout_pinit_req = {
    .descriptor = &setpay__v1__pinit_req__descriptor,
    .size = sizeof(struct setpay_pinit_req),
    .fields = pinit_req_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(pinit_req)

static const struct setpay_wire_field item_fields[] = {
    {SETPAY_ROW_TEXT(1, setpay_item, name, 1, ANY)},
    {SETPAY_ROW(2, U32, setpay_item, quantity), .minimum = 1, .maximum = 1000000},
    {SETPAY_ROW(3, I64, setpay_item, unit_minor), .maximum = SETPAY_MONEY_MAX_MINOR},
    {SETPAY_ROW(4, I64, setpay_item, total_minor), .maximum = SETPAY_MONEY_MAX_MINOR},
    {SETPAY_ROW_TEXT(5, setpay_item, sku, 1, ANY), .optional = true},
    {0},
};

static enum setpay_error check_item(const void *message)
{
    const struct setpay_item *item = message;
    /* At most 10^12 times 10^6: no overflow. */
    return item->unit_minor * (int64_t)item->quantity == item->total_minor ? SETPAY_OK
                                                                           : SETPAY_E_FIELD;
}

static const struct setpay_wire_layout layout_item = {
    .descriptor = &setpay__v1__item__descriptor,
    .size = sizeof(struct setpay_item),
    .fields = item_fields,
    .maximum = 256,
    .check = check_item,
};

static const struct setpay_wire_field pinit_res_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_pinit_res, answer_header_open)},
    {SETPAY_ROW(2, ID, setpay_pinit_res, xid)},
    {SETPAY_ROW(3, ID, setpay_pinit_res, lid_c)},
    {SETPAY_ROW_TEXT(4, setpay_pinit_res, lid_m, 1, ANY)},
    {SETPAY_ROW(5, DIGEST, setpay_pinit_res, chall_c)},
    {SETPAY_ROW(6, DIGEST, setpay_pinit_res, chall_m)},
    {SETPAY_ROW_TEXT(7, setpay_pinit_res, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(8, setpay_pinit_res, merchant_id, 1, PARTY)},
    {SETPAY_ROW_TEXT(9, setpay_pinit_res, merchant_name, 1, ANY)},
    {SETPAY_ROW(10, LIST, setpay_pinit_res, items),
     .has = offsetof(struct setpay_pinit_res, item_count), .minimum = 1,
     .maximum = SETPAY_LIMIT_OFFER_ITEMS, .inner = &layout_item},
    {SETPAY_ROW_MONEY(11, setpay_pinit_res, amount, 1)},
    {SETPAY_ROW_TERMS(12, setpay_pinit_res)},
    {SETPAY_ROW_TIME(13, setpay_pinit_res, expiry_ms)},
    {SETPAY_ROW(14, DIGEST, setpay_pinit_res, gateway_sign)},
    {SETPAY_ROW(15, DIGEST, setpay_pinit_res, gateway_encrypt)},
    {0},
};

const struct setpay_wire_layout setpay_layout_pinit_res = {
    .descriptor = &setpay__v1__pinit_res__descriptor,
    .size = sizeof(struct setpay_pinit_res),
    .fields = pinit_res_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(pinit_res)
SETPAY_WIRE_MESSAGE_CLEAR(pinit_res)

/* ---- order information ---- */

static const struct setpay_wire_field oi_fields[] = {
    {SETPAY_ROW(1, ID, setpay_oi, xid)},
    {SETPAY_ROW(2, ID, setpay_oi, rrpid)},
    {SETPAY_ROW_TIME(3, setpay_oi, date_ms)},
    {SETPAY_ROW(4, ID, setpay_oi, lid_c)},
    {SETPAY_ROW_TEXT(5, setpay_oi, lid_m, 1, ANY)},
    {SETPAY_ROW(6, DIGEST, setpay_oi, chall_c)},
    {SETPAY_ROW(7, DIGEST, setpay_oi, chall_m)},
    {SETPAY_ROW_TEXT(8, setpay_oi, brand, 1, BRAND)},
    {SETPAY_ROW_MONEY(9, setpay_oi, amount, 1)},
    {SETPAY_ROW(10, DIGEST, setpay_oi, offer)},
    {SETPAY_ROW(11, DIGEST, setpay_oi, merchant)},
    {SETPAY_ROW(12, DIGEST, setpay_oi, gateway_sign)},
    {SETPAY_ROW(13, DIGEST, setpay_oi, gateway_encrypt)},
    {SETPAY_ROW(14, DIGEST, setpay_oi, cardholder)},
    {SETPAY_ROW_TIME(15, setpay_oi, expiry_ms)},
    {SETPAY_ROW_TERMS(16, setpay_oi)},
    {0},
};

const struct setpay_wire_layout setpay_layout_oi = {
    .descriptor = &setpay__v1__order_information__descriptor,
    .size = sizeof(struct setpay_oi),
    .fields = oi_fields,
    .maximum = SETPAY_WIRE_ORDER_MAX,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(oi)

/* ---- payment instruction ---- */

static const struct setpay_wire_field card_fields[] = {
    {SETPAY_ROW(1, DIGITS, setpay_pi, pan), .minimum = 12, .maximum = 19},
    {SETPAY_ROW(2, DIGITS, setpay_pi, expiry), .minimum = 4, .maximum = 4},
    {SETPAY_ROW(3, SECRET, setpay_pi, pan_secret), .minimum = 32, .maximum = 32},
    {SETPAY_ROW(4, DIGITS, setpay_pi, security_code), .optional = true, .minimum = 3, .maximum = 4},
    {SETPAY_ROW_TEXT(5, setpay_pi, postcode, 1, ANY), .optional = true},
    {SETPAY_ROW_TEXT(6, setpay_pi, house_digits, 1, NUMBER), .optional = true},
    {0},
};

static enum setpay_error check_card(const void *message)
{
    const struct setpay_pi *pi = message;
    int month = (pi->expiry.data[2] - '0') * 10 + (pi->expiry.data[3] - '0');
    return month >= 1 && month <= 12 ? SETPAY_OK : SETPAY_E_FIELD;
}

static const struct setpay_wire_layout layout_card = {
    .descriptor = &setpay__v1__card_data__descriptor,
    .size = sizeof(struct setpay_pi), /* its members are PI's own: the row below says offset 0 */
    .fields = card_fields,
    .maximum = 256,
    .secret = true,
    .check = check_card,
};

static const struct setpay_wire_field pi_fields[] = {
    {SETPAY_ROW(1, ID, setpay_pi, xid)},
    {SETPAY_ROW_TEXT(2, setpay_pi, brand, 1, BRAND)},
    {SETPAY_ROW_MONEY(3, setpay_pi, amount, 1)},
    {SETPAY_ROW_TEXT(4, setpay_pi, merchant_id, 1, PARTY)},
    {SETPAY_ROW(5, DIGEST, setpay_pi, merchant)},
    {SETPAY_ROW(6, DIGEST, setpay_pi, gateway_sign)},
    {SETPAY_ROW(7, DIGEST, setpay_pi, gateway_encrypt)},
    {SETPAY_ROW(8, DIGEST, setpay_pi, cardholder)},
    {SETPAY_ROW_TIME(9, setpay_pi, expiry_ms)},
    {SETPAY_ROW_TERMS(10, setpay_pi)},
    {SETPAY_ROW(11, SECRET, setpay_pi, back_key), .minimum = 32, .maximum = 32},
    {.number = 12, .kind = SETPAY_WIRE_MESSAGE, .offset = 0, .inner = &layout_card},
    {0},
};

const struct setpay_wire_layout setpay_layout_pi = {
    .descriptor = &setpay__v1__payment_instruction__descriptor,
    .size = sizeof(struct setpay_pi),
    .fields = pi_fields,
    .maximum = SETPAY_WIRE_INSTRUCTION_MAX,
    .secret = true,
};

enum setpay_error setpay_pi_build(const struct setpay_pi *message, struct setpay_secret *bytes)
{
    return setpay_wire_build_secret(&setpay_layout_pi, message, bytes);
}

enum setpay_error setpay_pi_parse(struct setpay_view bytes, struct setpay_pi *message)
{
    return setpay_wire_parse(&setpay_layout_pi, bytes, message);
}
SETPAY_WIRE_MESSAGE_CLEAR(pi)

static const struct setpay_wire_field sealed_instruction_fields[] = {
    {SETPAY_ROW(1, SECRET, setpay_sealed_instruction, pi), .minimum = 1,
     .maximum = SETPAY_WIRE_INSTRUCTION_MAX},
    {SETPAY_ROW(2, DIGEST, setpay_sealed_instruction, pi_salt)},
    {0},
};

const struct setpay_wire_layout setpay_layout_sealed_instruction = {
    .descriptor = &setpay__v1__sealed_instruction__descriptor,
    .size = sizeof(struct setpay_sealed_instruction),
    .fields = sealed_instruction_fields,
    .maximum = SETPAY_WIRE_INSTRUCTION_MAX + 64,
    .secret = true,
};

enum setpay_error setpay_sealed_instruction_build(const struct setpay_sealed_instruction *message,
                                                  struct setpay_secret *bytes)
{
    return setpay_wire_build_secret(&setpay_layout_sealed_instruction, message, bytes);
}

enum setpay_error setpay_sealed_instruction_parse(struct setpay_view bytes,
                                                  struct setpay_sealed_instruction *message)
{
    return setpay_wire_parse(&setpay_layout_sealed_instruction, bytes, message);
}
SETPAY_WIRE_MESSAGE_CLEAR(sealed_instruction)

/* ---- P ---- */

static const struct setpay_wire_field preq_fields[] = {
    {SETPAY_ROW(1, BYTES, setpay_preq, oi), .minimum = 1, .maximum = SETPAY_WIRE_ORDER_MAX},
    {SETPAY_ROW(2, DIGEST, setpay_preq, oi_salt)},
    {SETPAY_ROW(3, DIGEST, setpay_preq, pimd)},
    {SETPAY_ROW_SIGNATURE(4, setpay_preq, dual_signature)},
    {SETPAY_ROW(5, DIGEST, setpay_preq, envelope)},
    {0},
};

const struct setpay_wire_layout setpay_layout_preq = {
    .descriptor = &setpay__v1__preq__descriptor,
    .size = sizeof(struct setpay_preq),
    .fields = preq_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(preq)
SETPAY_WIRE_MESSAGE_CLEAR(preq)

static const struct setpay_wire_field pres_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_pres, answer_header)},
    {SETPAY_ROW(2, ID, setpay_pres, xid)},
    {SETPAY_ROW(3, ID, setpay_pres, lid_c)},
    {SETPAY_ROW_TEXT(4, setpay_pres, lid_m, 1, ANY)},
    {SETPAY_ROW(5, DIGEST, setpay_pres, challenge)},
    {SETPAY_ROW(6, ENUM, setpay_pres, status)},
    {SETPAY_ROW_MONEY(7, setpay_pres, amount, 0)},
    {SETPAY_ROW(8, DIGEST, setpay_pres, oimd)},
    {SETPAY_ROW(9, DIGEST, setpay_pres, gateway_sign)},
    {SETPAY_ROW_TEXT(10, setpay_pres, merchant_id, 1, PARTY)},
    {SETPAY_ROW_ACTION_CODE(11, setpay_pres), .optional = true},
    {SETPAY_ROW_APPROVAL_CODE(12, setpay_pres)},
    {SETPAY_ROW(13, LIST, setpay_pres, receipts),
     .has = offsetof(struct setpay_pres, receipt_count), .maximum = SETPAY_LIMIT_RECEIPTS,
     .inner = &setpay_layout_sealed_receipt},
    {SETPAY_ROW_RECEIPTS(14, setpay_pres, skipped)},
    {SETPAY_ROW_RECEIPTS(15, setpay_pres, left)},
    {0},
};

/* What the merchant says about money: an amount goes with AUTHORISED, and only with it. */
static enum setpay_error check_pres(const void *message)
{
    const struct setpay_pres *pres = message;
    return (pres->status == SETPAY_STATUS_AUTHORISED) == (pres->amount.minor > 0) ? SETPAY_OK
                                                                                  : SETPAY_E_FIELD;
}

const struct setpay_wire_layout setpay_layout_pres = {
    .descriptor = &setpay__v1__pres__descriptor,
    .size = sizeof(struct setpay_pres),
    .fields = pres_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
    .check = check_pres,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(pres)
SETPAY_WIRE_MESSAGE_CLEAR(pres)

/* ---- Inq ---- */

static const struct setpay_wire_field inq_req_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_inq_req, header)},
    {SETPAY_ROW(2, ID, setpay_inq_req, xid)},
    {SETPAY_ROW(3, ID, setpay_inq_req, lid_c)},
    {SETPAY_ROW(4, DIGEST, setpay_inq_req, challenge)},
    {SETPAY_ROW_RECEIPTS(5, setpay_inq_req, known)},
    {0},
};

const struct setpay_wire_layout setpay_layout_inq_req = {
    .descriptor = &setpay__v1__inq_req__descriptor,
    .size = sizeof(struct setpay_inq_req),
    .fields = inq_req_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(inq_req)
