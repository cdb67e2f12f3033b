/*
 * Cap, CapRev, Cred, CredRev: what follows an authorisation. All four have one form of content; the
 * type of the message, which is signed, says which of them it is.
 *
 * Each is a table of fields (layout.h) in the order of the .proto file, with a function for what
 * concerns several fields at once.
 */
#include "common/wire/layouts.h"
#include "common/wire/messages.h"
#include "common/wire/parts_layout.h"

#include "proto/setpay/v1/payment.pb-c.h"

/* ---- requests ---- */

static const struct setpay_wire_field step_fields[] = {
    {SETPAY_ROW(1, ID, setpay_step, xid)},
    {SETPAY_ROW(2, ID, setpay_step, of)},
    {SETPAY_ROW_MONEY(3, setpay_step, amount, 1)},
    {0},
};

static const struct setpay_wire_layout layout_step = {
    .descriptor = &setpay__v1__step__descriptor,
    .size = sizeof(struct setpay_step),
    .fields = step_fields,
    .maximum = 128,
};

static const struct setpay_wire_field step_req_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_step_req, header)},
    {SETPAY_ROW_TEXT(2, setpay_step_req, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(3, setpay_step_req, merchant_id, 1, PARTY)},
    {SETPAY_ROW(4, LIST, setpay_step_req, steps),
     .has = offsetof(struct setpay_step_req, step_count), .minimum = 1,
     .maximum = SETPAY_LIMIT_STEPS, .inner = &layout_step},
    {0},
};

const struct setpay_wire_layout setpay_layout_step_req = {
    .descriptor = &setpay__v1__step_req__descriptor,
    .size = sizeof(struct setpay_step_req),
    .fields = step_req_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(step_req)
SETPAY_WIRE_MESSAGE_CLEAR(step_req)

/* ---- answers ---- */

static const struct setpay_wire_field step_done_fields[] = {
    {SETPAY_ROW(1, ID, setpay_step_done, xid)},
    {SETPAY_ROW(2, ID, setpay_step_done, of)},
    {SETPAY_ROW_MONEY(3, setpay_step_done, amount, 1)},
    {SETPAY_ROW(4, ID, setpay_step_done, id)},
    {SETPAY_ROW(5, U32, setpay_step_done, batch), .minimum = 1, .maximum = 999999999},
    {SETPAY_ROW_MONEY(6, setpay_step_done, remaining, 0)},
    {SETPAY_ROW(7, DIGEST, setpay_step_done, cardholder)},
    {SETPAY_ROW(8, DIGEST, setpay_step_done, pomd)},
    {SETPAY_ROW_RECEIPT(9, setpay_step_done)},
    {0},
};

static enum setpay_error check_step_done(const void *message)
{
    const struct setpay_step_done *done = message;
    bool fits = setpay_money_same_currency(&done->amount, &done->remaining) &&
                (done->receipt.kind == SETPAY_RECEIPT_CAPTURE ||
                 done->receipt.kind == SETPAY_RECEIPT_CREDIT ||
                 done->receipt.kind == SETPAY_RECEIPT_CAPTURE_REVERSAL ||
                 done->receipt.kind == SETPAY_RECEIPT_CREDIT_REVERSAL);
    return fits ? SETPAY_OK : SETPAY_E_FIELD;
}

const struct setpay_wire_layout setpay_layout_step_done = {
    .descriptor = &setpay__v1__step_done__descriptor,
    .size = sizeof(struct setpay_step_done),
    .fields = step_done_fields,
    .maximum = SETPAY_WIRE_RECEIPT_MAX + 512,
    .check = check_step_done,
};

static const struct setpay_wire_field step_refused_fields[] = {
    {SETPAY_ROW(1, ID, setpay_step_refused, xid)},
    {SETPAY_ROW(2, ID, setpay_step_refused, of)},
    {SETPAY_ROW_MONEY(3, setpay_step_refused, amount, 1)},
    {SETPAY_ROW(4, U32, setpay_step_refused, code), .minimum = 1, .maximum = 999},
    {0},
};

static const struct setpay_wire_layout layout_step_refused = {
    .descriptor = &setpay__v1__step_refused__descriptor,
    .size = sizeof(struct setpay_step_refused),
    .fields = step_refused_fields,
    .maximum = 128,
};

static const struct setpay_wire_field step_res_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_step_res, answer_header)},
    {SETPAY_ROW_TEXT(2, setpay_step_res, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(3, setpay_step_res, merchant_id, 1, PARTY)},
    {SETPAY_ROW(4, LIST, setpay_step_res, done),
     .has = offsetof(struct setpay_step_res, done_count), .maximum = SETPAY_LIMIT_STEPS,
     .inner = &setpay_layout_step_done},
    {SETPAY_ROW(5, LIST, setpay_step_res, refused),
     .has = offsetof(struct setpay_step_res, refused_count), .maximum = SETPAY_LIMIT_STEPS,
     .inner = &layout_step_refused},
    {0},
};

static enum setpay_error check_step_res(const void *message)
{
    const struct setpay_step_res *res = message;
    size_t count = res->done_count + res->refused_count;
    return count >= 1 && count <= SETPAY_LIMIT_STEPS ? SETPAY_OK : SETPAY_E_FIELD;
}

const struct setpay_wire_layout setpay_layout_step_res = {
    .descriptor = &setpay__v1__step_res__descriptor,
    .size = sizeof(struct setpay_step_res),
    .fields = step_res_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
    .check = check_step_res,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(step_res)
SETPAY_WIRE_MESSAGE_CLEAR(step_res)
