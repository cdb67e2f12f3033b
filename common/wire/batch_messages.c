/*
 * BatchAdmin: how a batch stands, and its end.
 *
 * Each is a table of fields (layout.h) in the order of the .proto file, with a function for what
 * concerns several fields at once.
 */
#include "common/wire/layouts.h"
#include "common/wire/messages.h"
#include "common/wire/parts_layout.h"

#include "proto/setpay/v1/payment.pb-c.h"

#include <string.h>

#define COUNT_MAX 999999999
/* As many amounts as a batch may count, each the largest: still far from the end of 64 bits in what
 * is added up, and a sum above it is refused by both sides. */
#define SUM_MAX INT64_C(999999999999999999)

#define ROW_BATCH(number_, S) SETPAY_ROW(number_, U32, S, batch), .minimum = 1, .maximum = COUNT_MAX

/* ---- parts ---- */

static const struct setpay_wire_field batch_total_fields[] = {
    {SETPAY_ROW_TEXT(1, setpay_batch_total, currency, 3, ALNUM)},
    {SETPAY_ROW(2, U32, setpay_batch_total, capture_count), .maximum = COUNT_MAX},
    {SETPAY_ROW(3, I64, setpay_batch_total, capture_minor), .maximum = SUM_MAX},
    {SETPAY_ROW(4, U32, setpay_batch_total, credit_count), .maximum = COUNT_MAX},
    {SETPAY_ROW(5, I64, setpay_batch_total, credit_minor), .maximum = SUM_MAX},
    {0},
};

static enum setpay_error check_batch_total(const void *message)
{
    const struct setpay_batch_total *total = message;
    bool fits = setpay_currency_by_code(total->currency) != NULL &&
                (total->capture_count == 0) == (total->capture_minor == 0) &&
                (total->credit_count == 0) == (total->credit_minor == 0) &&
                (total->capture_count != 0 || total->credit_count != 0);
    return fits ? SETPAY_OK : SETPAY_E_FIELD;
}

static const struct setpay_wire_layout layout_batch_total = {
    .descriptor = &setpay__v1__batch_total__descriptor,
    .size = sizeof(struct setpay_batch_total),
    .fields = batch_total_fields,
    .maximum = 64,
    .check = check_batch_total,
};

static const struct setpay_wire_field batch_item_fields[] = {
    {SETPAY_ROW(1, ENUM, setpay_batch_item, kind)},
    {SETPAY_ROW(2, ID, setpay_batch_item, xid)},
    {SETPAY_ROW(3, ID, setpay_batch_item, id)},
    {SETPAY_ROW_MONEY(4, setpay_batch_item, amount, 1)},
    {SETPAY_ROW_TIME(5, setpay_batch_item, date_ms)},
    {0},
};

static const struct setpay_wire_layout layout_batch_item = {
    .descriptor = &setpay__v1__batch_item__descriptor,
    .size = sizeof(struct setpay_batch_item),
    .fields = batch_item_fields,
    .maximum = 128,
};

#define ROW_TOTALS(number_, S)                                                                     \
    SETPAY_ROW(number_, LIST, S, totals), .has = offsetof(struct S, total_count),                  \
                                          .maximum = SETPAY_LIMIT_CURRENCIES,                      \
                                          .inner = &layout_batch_total

/* ---- requests ---- */

static const struct setpay_wire_field batch_admin_req_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_batch_admin_req, header)},
    {SETPAY_ROW_TEXT(2, setpay_batch_admin_req, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(3, setpay_batch_admin_req, merchant_id, 1, PARTY)},
    {SETPAY_ROW(4, ENUM, setpay_batch_admin_req, action)},
    {ROW_BATCH(5, setpay_batch_admin_req)},
    {ROW_TOTALS(6, setpay_batch_admin_req)},
    {SETPAY_ROW(7, ID, setpay_batch_admin_req, after), .optional = true,
     .has = offsetof(struct setpay_batch_admin_req, has_after)},
    {0},
};

static enum setpay_error check_batch_admin_req(const void *message)
{
    const struct setpay_batch_admin_req *req = message;
    bool closes = req->action == SETPAY_BATCH_CLOSE;
    return (closes ? !req->has_after : req->total_count == 0) ? SETPAY_OK : SETPAY_E_FIELD;
}

const struct setpay_wire_layout setpay_layout_batch_admin_req = {
    .descriptor = &setpay__v1__batch_admin_req__descriptor,
    .size = sizeof(struct setpay_batch_admin_req),
    .fields = batch_admin_req_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
    .check = check_batch_admin_req,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(batch_admin_req)
SETPAY_WIRE_MESSAGE_CLEAR(batch_admin_req)

/* ---- answers ---- */

static const struct setpay_wire_field batch_admin_res_fields[] = {
    {SETPAY_ROW_HEADER(1, setpay_batch_admin_res, answer_header)},
    {SETPAY_ROW_TEXT(2, setpay_batch_admin_res, brand, 1, BRAND)},
    {SETPAY_ROW_TEXT(3, setpay_batch_admin_res, merchant_id, 1, PARTY)},
    {ROW_BATCH(4, setpay_batch_admin_res)},
    {SETPAY_ROW(5, BOOL, setpay_batch_admin_res, agreed)},
    {SETPAY_ROW_TIME(6, setpay_batch_admin_res, closed_ms), .optional = true},
    {ROW_TOTALS(7, setpay_batch_admin_res)},
    {SETPAY_ROW(8, LIST, setpay_batch_admin_res, items),
     .has = offsetof(struct setpay_batch_admin_res, item_count),
     .maximum = SETPAY_LIMIT_BATCH_ITEMS, .inner = &layout_batch_item},
    {SETPAY_ROW(9, BOOL, setpay_batch_admin_res, more)},
    {0},
};

const struct setpay_wire_layout setpay_layout_batch_admin_res = {
    .descriptor = &setpay__v1__batch_admin_res__descriptor,
    .size = sizeof(struct setpay_batch_admin_res),
    .fields = batch_admin_res_fields,
    .maximum = SETPAY_LIMIT_CONTENT_BYTES,
};
SETPAY_WIRE_MESSAGE_FUNCTIONS(batch_admin_res)
SETPAY_WIRE_MESSAGE_CLEAR(batch_admin_res)
