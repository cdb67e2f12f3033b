/*
 * Examples of every content, and their form in JSON.
 *
 * The values are those that a purchase would have, as far as one message can tell; ids and digests
 * are counting bytes, so that one misplaced byte shows.
 */
#include "tests/support/test_messages.h"

#include "common/base/limits.h"
#include "common/base/money.h"
#include "common/wire/sealed_instruction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct setpay_id test_id(uint8_t first)
{
    struct setpay_id id;
    for (size_t i = 0; i < sizeof(id.bytes); i++)
        id.bytes[i] = (uint8_t)(first + i);
    return id;
}

struct setpay_digest test_digest(uint8_t first)
{
    struct setpay_digest digest;
    for (size_t i = 0; i < sizeof(digest.bytes); i++)
        digest.bytes[i] = (uint8_t)(first + i);
    return digest;
}

static void fill_secret(struct setpay_secret *secret, const void *bytes, size_t size)
{
    assert_int_equal(setpay_secret_copy(secret, setpay_view_of(bytes, size)), SETPAY_OK);
}

static void fill_request(struct setpay_request_header *header)
{
    header->rrpid = test_id(0x10);
    header->date_ms = TEST_DATE_MS;
    header->has_sender = true;
    header->sender = test_digest(0xa0);
    header->has_receiver = true;
    header->receiver = test_digest(0xb0);
}

static void fill_response(struct setpay_response_header *header)
{
    header->rrpid = test_id(0x10);
    header->request_hash = test_digest(0x30);
    header->date_ms = TEST_DATE_MS + 250;
    header->sender = test_digest(0xb0);
    header->has_receiver = true;
    header->receiver = test_digest(0xa0);
}

static const struct setpay_money amount = {1250, "EUR"};
static const struct setpay_money nothing = {0, "EUR"};
static const struct setpay_terms single = {.kind = SETPAY_TERMS_SINGLE};

static void fill_signature(struct setpay_signature *signature)
{
    signature->size = 70;
    for (size_t i = 0; i < signature->size; i++)
        signature->bytes[i] = (uint8_t)(0x30 + i);
}

static void fill_sealed(struct setpay_sealed_receipt *sealed, enum setpay_receipt_kind kind)
{
    sealed->kind = kind;
    sealed->receipt_id = test_id(0x70);
    sealed->size = 400;
    for (size_t i = 0; i < sealed->size; i++)
        sealed->ciphertext[i] = (uint8_t)(i * 7);
}

static void fill_pinit_req(void *message)
{
    struct setpay_pinit_req *req = message;
    req->header.rrpid = test_id(0x10);
    req->header.date_ms = TEST_DATE_MS;
    strcpy(req->header.receiver_name, "shop.example");
    strcpy(req->order_token, "Zm9vYmFyLXRva2Vu_1234");
    strcpy(req->brand, "example-card");
    req->chall_c = test_digest(0x40);
    req->lid_c = test_id(0x20);
    req->thumbs.count = 2;
    req->thumbs.list[0] = test_digest(0x01);
    req->thumbs.list[1] = test_digest(0x02);
    strcpy(req->language, "en-GB");
}

void test_fill_pinit_res(void *message)
{
    struct setpay_pinit_res *res = message;
    fill_response(&res->header);
    res->header.has_receiver = false;
    memset(&res->header.receiver, 0, sizeof(res->header.receiver));
    res->xid = test_id(0x50);
    res->lid_c = test_id(0x20);
    strcpy(res->lid_m, "order-1001");
    res->chall_c = test_digest(0x40);
    res->chall_m = test_digest(0x60);
    strcpy(res->brand, "example-card");
    strcpy(res->merchant_id, "shop-1");
    strcpy(res->merchant_name, "Caf\xc3\xa9 Exemple");
    res->item_count = 2;
    res->items = calloc(2, sizeof(*res->items));
    assert_non_null(res->items);
    res->items[0] = (struct setpay_item){"Coffee, whole beans", 2, 475, 950, "BEAN-1"};
    res->items[1] = (struct setpay_item){"Delivery", 1, 300, 300, ""};
    res->amount = amount;
    res->terms = single;
    res->expiry_ms = TEST_DATE_MS + 900000;
    res->gateway_sign = test_digest(0xc0);
    res->gateway_encrypt = test_digest(0xd0);
}

void test_fill_oi(void *message)
{
    struct setpay_oi *oi = message;
    oi->xid = test_id(0x50);
    oi->rrpid = test_id(0x11);
    oi->date_ms = TEST_DATE_MS + 5000;
    oi->lid_c = test_id(0x20);
    strcpy(oi->lid_m, "order-1001");
    oi->chall_c = test_digest(0x40);
    oi->chall_m = test_digest(0x60);
    strcpy(oi->brand, "example-card");
    oi->amount = amount;
    oi->offer = test_digest(0x80);
    oi->merchant = test_digest(0xb0);
    oi->gateway_sign = test_digest(0xc0);
    oi->gateway_encrypt = test_digest(0xd0);
    oi->cardholder = test_digest(0xa0);
    oi->expiry_ms = TEST_DATE_MS + 3600000;
    oi->terms = single;
}

void test_fill_pi(void *message)
{
    struct setpay_pi *pi = message;
    struct setpay_digest back_key = test_digest(0x90), pan_secret = test_digest(0xe0);
    pi->xid = test_id(0x50);
    strcpy(pi->brand, "example-card");
    pi->amount = amount;
    strcpy(pi->merchant_id, "shop-1");
    pi->merchant = test_digest(0xb0);
    pi->gateway_sign = test_digest(0xc0);
    pi->gateway_encrypt = test_digest(0xd0);
    pi->cardholder = test_digest(0xa0);
    pi->expiry_ms = TEST_DATE_MS + 3600000;
    pi->terms = single;
    fill_secret(&pi->back_key, &back_key, 32);
    fill_secret(&pi->pan, "4000000000000002", 16);
    fill_secret(&pi->expiry, "3012", 4);
    fill_secret(&pi->pan_secret, &pan_secret, 32);
    fill_secret(&pi->security_code, "123", 3);
    strcpy(pi->postcode, "AB1 2CD");
    strcpy(pi->house_digits, "42");
}

static void fill_sealed_instruction(void *message)
{
    struct setpay_sealed_instruction *instruction = message;
    struct setpay_pi pi = {0};
    test_fill_pi(&pi);
    assert_int_equal(setpay_pi_build(&pi, &instruction->pi), SETPAY_OK);
    setpay_pi_clear(&pi);
    instruction->pi_salt = test_digest(0x08);
}

static void fill_preq(void *message)
{
    struct setpay_preq *preq = message;
    struct setpay_oi oi = {0};
    test_fill_oi(&oi);
    setpay_buffer_init(&preq->oi, SETPAY_WIRE_ORDER_MAX);
    assert_int_equal(setpay_oi_build(&oi, &preq->oi), SETPAY_OK);
    preq->oi_salt = test_digest(0x07);
    preq->pimd = test_digest(0x09);
    fill_signature(&preq->dual_signature);
    preq->envelope = test_digest(0x0b);
}

static void fill_pres(void *message)
{
    struct setpay_pres *pres = message;
    fill_response(&pres->header);
    pres->xid = test_id(0x50);
    pres->lid_c = test_id(0x20);
    strcpy(pres->lid_m, "order-1001");
    pres->challenge = test_digest(0x40);
    pres->status = SETPAY_STATUS_AUTHORISED;
    pres->amount = amount;
    pres->oimd = test_digest(0x0c);
    pres->gateway_sign = test_digest(0xc0);
    strcpy(pres->merchant_id, "shop-1");
    strcpy(pres->action_code, "00");
    strcpy(pres->approval_code, "A1B2C3");
    pres->receipt_count = 2;
    pres->receipts = calloc(2, sizeof(*pres->receipts));
    assert_non_null(pres->receipts);
    fill_sealed(&pres->receipts[0], SETPAY_RECEIPT_AUTHORISATION);
    fill_sealed(&pres->receipts[1], SETPAY_RECEIPT_REVERSAL);
}

static void fill_inq_req(void *message)
{
    struct setpay_inq_req *req = message;
    fill_request(&req->header);
    req->xid = test_id(0x50);
    req->lid_c = test_id(0x20);
    req->challenge = test_digest(0x41);
}

void test_fill_auth_req(void *message)
{
    struct setpay_auth_req *req = message;
    fill_request(&req->header);
    req->header.sender = test_digest(0xb0);
    req->header.receiver = test_digest(0xc0);
    req->xid = test_id(0x50);
    req->intent = SETPAY_INTENT_AUTHORISE;
    req->amount = amount;
    strcpy(req->brand, "example-card");
    strcpy(req->merchant_id, "shop-1");
    req->terms = single;
    req->expiry_ms = TEST_DATE_MS + 3600000;
    req->oimd = test_digest(0x0c);
    req->pimd = test_digest(0x09);
    fill_signature(&req->dual_signature);
    req->cardholder = test_digest(0xa0);
    req->gateway_encrypt = test_digest(0xd0);
    req->envelope = test_digest(0x0b);
    req->partial_allowed = true;
    req->has_auth_token = true;
    req->auth_token = test_id(0x71);
    req->thumbs.count = 1;
    req->thumbs.list[0] = test_digest(0x03);
}

static void fill_step_done(struct setpay_step_done *done, enum setpay_receipt_kind kind)
{
    done->xid = test_id(0x50);
    done->of = test_id(0x72);
    done->amount = amount;
    done->id = test_id(0x73);
    done->batch = 7;
    done->remaining = nothing;
    done->cardholder = test_digest(0xa0);
    done->pomd = test_digest(0x0d);
    fill_sealed(&done->receipt, kind);
}

static void fill_auth_res(void *message)
{
    struct setpay_auth_res *res = message;
    fill_response(&res->header);
    res->xid = test_id(0x50);
    res->outcome = SETPAY_AUTH_APPROVED;
    res->amount = amount;
    strcpy(res->brand, "example-card");
    strcpy(res->merchant_id, "shop-1");
    res->cardholder = test_digest(0xa0);
    res->gateway_encrypt = test_digest(0xd0);
    res->pomd = test_digest(0x0d);
    strcpy(res->action_code, "00");
    strcpy(res->approval_code, "A1B2C3");
    res->hold_expiry_ms = TEST_DATE_MS + INT64_C(604800000);
    strcpy(res->avs_result, "Y");
    strcpy(res->security_code_result, "M");
    res->has_cap_token = true;
    res->cap_token = test_id(0x72);
    res->has_auth_token = true;
    res->auth_token = test_id(0x71);
    fill_sealed(&res->receipt, SETPAY_RECEIPT_AUTHORISATION);
    res->thumbs.count = 1;
    res->thumbs.list[0] = test_digest(0x04);
    res->has_capture = true;
    fill_step_done(&res->capture, SETPAY_RECEIPT_CAPTURE);
}

static void fill_auth_rev_req(void *message)
{
    struct setpay_auth_rev_req *req = message;
    fill_request(&req->header);
    req->xid = test_id(0x50);
    req->cap_token = test_id(0x72);
    req->amount = amount;
    strcpy(req->brand, "example-card");
    strcpy(req->merchant_id, "shop-1");
}

static void fill_auth_rev_res(void *message)
{
    struct setpay_auth_rev_res *res = message;
    fill_response(&res->header);
    res->xid = test_id(0x50);
    res->amount = amount;
    res->remaining = nothing;
    strcpy(res->brand, "example-card");
    strcpy(res->merchant_id, "shop-1");
    res->cardholder = test_digest(0xa0);
    res->pomd = test_digest(0x0d);
    strcpy(res->action_code, "00");
    fill_sealed(&res->receipt, SETPAY_RECEIPT_REVERSAL);
}

static void fill_step_req(void *message)
{
    struct setpay_step_req *req = message;
    fill_request(&req->header);
    strcpy(req->brand, "example-card");
    strcpy(req->merchant_id, "shop-1");
    req->step_count = 2;
    req->steps = calloc(req->step_count, sizeof *req->steps);
    assert_non_null(req->steps);
    req->steps[0] =
        (struct setpay_step){.xid = test_id(0x50), .of = test_id(0x72), .amount = amount};
    req->steps[1] =
        (struct setpay_step){.xid = test_id(0x51), .of = test_id(0x74), .amount = amount};
}

static void fill_step_res(void *message)
{
    struct setpay_step_res *res = message;
    fill_response(&res->header);
    strcpy(res->brand, "example-card");
    strcpy(res->merchant_id, "shop-1");
    res->done_count = res->refused_count = 1;
    res->done = calloc(1, sizeof *res->done);
    res->refused = calloc(1, sizeof *res->refused);
    assert_non_null(res->done);
    assert_non_null(res->refused);
    fill_step_done(&res->done[0], SETPAY_RECEIPT_CREDIT);
    res->refused[0] = (struct setpay_step_refused){
        .xid = test_id(0x51), .of = test_id(0x74), .amount = amount, .code = SETPAY_WIRE_AMOUNT};
}

static const struct setpay_batch_total batch_total = {"EUR", 12, 15000, 1, 250};

static void fill_batch_admin_req(void *message)
{
    struct setpay_batch_admin_req *req = message;
    fill_request(&req->header);
    strcpy(req->brand, "example-card");
    strcpy(req->merchant_id, "shop-1");
    req->action = SETPAY_BATCH_CLOSE;
    req->batch = 7;
    req->total_count = 1;
    req->totals = calloc(1, sizeof *req->totals);
    assert_non_null(req->totals);
    req->totals[0] = batch_total;
}

static void fill_batch_query(void *message)
{
    struct setpay_batch_admin_req *req = message;
    fill_batch_admin_req(message);
    free(req->totals);
    req->totals = NULL;
    req->total_count = 0;
    req->action = SETPAY_BATCH_QUERY;
    req->has_after = true;
    req->after = test_id(0x73);
}

static void fill_batch_admin_res(void *message)
{
    struct setpay_batch_admin_res *res = message;
    fill_response(&res->header);
    strcpy(res->brand, "example-card");
    strcpy(res->merchant_id, "shop-1");
    res->batch = 7;
    res->agreed = true;
    res->closed_ms = TEST_DATE_MS + 300;
    res->total_count = res->item_count = 1;
    res->totals = calloc(1, sizeof *res->totals);
    res->items = calloc(1, sizeof *res->items);
    assert_non_null(res->totals);
    assert_non_null(res->items);
    res->totals[0] = batch_total;
    res->items[0] = (struct setpay_batch_item){.kind = SETPAY_BATCH_CAPTURE,
                                               .xid = test_id(0x50),
                                               .id = test_id(0x73),
                                               .amount = amount,
                                               .date_ms = TEST_DATE_MS};
}

static void fill_pcert_req(void *message)
{
    struct setpay_pcert_req *req = message;
    fill_request(&req->header);
    req->header.has_receiver = false;
    memset(&req->header.receiver, 0, sizeof(req->header.receiver));
    strcpy(req->header.receiver_name, "gateway-1");
    strcpy(req->brand, "example-card");
    strcpy(req->merchant_id, "shop-1");
    req->thumbs.count = 1;
    req->thumbs.list[0] = test_digest(0x05);
}

static void fill_pcert_res(void *message)
{
    struct setpay_pcert_res *res = message;
    fill_response(&res->header);
    strcpy(res->brand, "example-card");
    strcpy(res->gateway_id, "gateway-1");
    strcpy(res->merchant_id, "shop-1");
    res->gateway_sign = test_digest(0xc0);
    res->gateway_encrypt = test_digest(0xd0);
    res->crls.count = 2;
    res->crls.list[0] = test_digest(0x05);
    res->crls.list[1] = test_digest(0x06);
}

void test_fill_receipt(void *message)
{
    struct setpay_receipt *receipt = message;
    receipt->kind = SETPAY_RECEIPT_AUTHORISATION;
    receipt->amount = amount;
    strcpy(receipt->brand, "example-card");
    strcpy(receipt->merchant_id, "shop-1");
    receipt->merchant = test_digest(0xb0);
    receipt->cardholder = test_digest(0xa0);
    receipt->gateway_sign = test_digest(0xc0);
    receipt->xid = test_id(0x50);
    receipt->pomd = test_digest(0x0d);
    receipt->date_ms = TEST_DATE_MS + 1000;
    strcpy(receipt->action_code, "00");
    strcpy(receipt->approval_code, "A1B2C3");
}

static void fill_error_report(void *message)
{
    struct setpay_error_report *report = message;
    report->code = SETPAY_WIRE_MISMATCH;
    report->received = test_digest(0x30);
    report->date_ms = TEST_DATE_MS;
    report->has_rrpid = true;
    report->rrpid = test_id(0x10);
    report->has_sender = true;
    report->sender = test_digest(0xb0);
}

static void fill_cancellation(void *message)
{
    struct setpay_cancellation *cancellation = message;
    cancellation->xid = test_id(0x50);
    strcpy(cancellation->brand, "example-card");
    strcpy(cancellation->merchant_id, "shop-1");
    cancellation->cardholder = test_digest(0xc0);
    cancellation->gateway_sign = test_digest(0xb0);
    cancellation->pomd = test_digest(0x60);
    cancellation->date_ms = TEST_DATE_MS;
}

static void fill_signed_cancellation(struct setpay_signed_cancellation *made)
{
    struct setpay_cancellation cancellation;
    memset(&cancellation, 0, sizeof cancellation);
    struct setpay_buffer content;
    fill_cancellation(&cancellation);
    setpay_buffer_init(&content, SETPAY_WIRE_CANCELLATION_MAX);
    assert_int_equal(setpay_cancellation_build(&cancellation, &content), SETPAY_OK);
    memcpy(made->bytes, content.data, content.size);
    made->size = content.size;
    made->signature.size = 70;
    memset(made->signature.bytes, 0x30, made->signature.size);
    setpay_buffer_clear(&content);
}

static void fill_can_req(void *message)
{
    struct setpay_can_req *req = message;
    fill_request(&req->header);
    req->xid = test_id(0x50);
    req->lid_c = test_id(0x20);
    req->challenge = test_digest(0x40);
    fill_signed_cancellation(&req->cancellation);
    req->known = 3;
}

static void fill_auth_can_req(void *message)
{
    struct setpay_auth_can_req *req = message;
    fill_request(&req->header);
    req->xid = test_id(0x50);
    strcpy(req->brand, "example-card");
    strcpy(req->merchant_id, "shop-1");
    fill_signed_cancellation(&req->cancellation);
}

static void fill_auth_can_res(void *message)
{
    struct setpay_auth_can_res *res = message;
    fill_response(&res->header);
    res->xid = test_id(0x50);
    strcpy(res->brand, "example-card");
    strcpy(res->merchant_id, "shop-1");
    res->cardholder = test_digest(0xc0);
    res->pomd = test_digest(0x60);
    fill_sealed(&res->receipt, SETPAY_RECEIPT_CANCELLATION);
}

const struct test_sample test_samples[] = {
    {"PInitReq", &setpay_layout_pinit_req, fill_pinit_req},
    {"PInitRes", &setpay_layout_pinit_res, test_fill_pinit_res},
    {"OrderInformation", &setpay_layout_oi, test_fill_oi},
    {"PaymentInstruction", &setpay_layout_pi, test_fill_pi},
    {"SealedInstruction", &setpay_layout_sealed_instruction, fill_sealed_instruction},
    {"PReq", &setpay_layout_preq, fill_preq},
    {"PRes", &setpay_layout_pres, fill_pres},
    {"InqReq", &setpay_layout_inq_req, fill_inq_req},
    {"AuthReq", &setpay_layout_auth_req, test_fill_auth_req},
    {"AuthRes", &setpay_layout_auth_res, fill_auth_res},
    {"AuthRevReq", &setpay_layout_auth_rev_req, fill_auth_rev_req},
    {"AuthRevRes", &setpay_layout_auth_rev_res, fill_auth_rev_res},
    {"StepReq", &setpay_layout_step_req, fill_step_req},
    {"StepRes", &setpay_layout_step_res, fill_step_res},
    {"BatchAdminReq", &setpay_layout_batch_admin_req, fill_batch_admin_req},
    {"BatchAdminReq", &setpay_layout_batch_admin_req, fill_batch_query},
    {"BatchAdminRes", &setpay_layout_batch_admin_res, fill_batch_admin_res},
    {"Cancellation", &setpay_layout_cancellation, fill_cancellation},
    {"CanReq", &setpay_layout_can_req, fill_can_req},
    {"AuthCanReq", &setpay_layout_auth_can_req, fill_auth_can_req},
    {"AuthCanRes", &setpay_layout_auth_can_res, fill_auth_can_res},
    {"PCertReq", &setpay_layout_pcert_req, fill_pcert_req},
    {"PCertRes", &setpay_layout_pcert_res, fill_pcert_res},
    {"Receipt", &setpay_layout_receipt, test_fill_receipt},
    {"Error", &setpay_layout_error_report, fill_error_report},
};
const size_t test_sample_count = sizeof(test_samples) / sizeof(test_samples[0]);

void test_build(const struct setpay_wire_layout *layout, const void *message,
                struct setpay_buffer *bytes)
{
    if (!layout->secret) {
        assert_int_equal(setpay_wire_build(layout, message, bytes), SETPAY_OK);
        return;
    }
    struct setpay_secret secret = {0};
    assert_int_equal(setpay_wire_build_secret(layout, message, &secret), SETPAY_OK);
    assert_int_equal(setpay_buffer_set(bytes, setpay_secret_view(&secret)), SETPAY_OK);
    setpay_secret_clear(&secret);
}

/* ------------------------------------------------------------------ as JSON */

static json_t *hex(struct setpay_view bytes)
{
    char *text = malloc(2 * bytes.size + 1);
    assert_non_null(text);
    setpay_hex_encode(bytes, text);
    json_t *made = json_string(text);
    free(text);
    return made;
}

static json_t *field_json(const struct setpay_wire_layout *layout,
                          const struct setpay_wire_field *field, const uint8_t *message)
{
    const void *value = message + field->offset;
    size_t count = 0;
    if (field->kind == SETPAY_WIRE_LIST || field->kind == SETPAY_WIRE_BLOCK)
        memcpy(&count, message + field->has, sizeof(count));
    switch (field->kind) {
    case SETPAY_WIRE_ID:
    case SETPAY_WIRE_DIGEST:
        if (field->optional && !*(const bool *)(message + field->has))
            return NULL;
        return hex(setpay_view_of(value, field->kind == SETPAY_WIRE_ID ? 16 : 32));
    case SETPAY_WIRE_SIGNATURE:
        return hex(setpay_signature_view(value));
    case SETPAY_WIRE_BYTES:
        return hex(setpay_buffer_view(value));
    case SETPAY_WIRE_BLOCK:
        return hex(setpay_view_of(value, count));
    case SETPAY_WIRE_SECRET:
    case SETPAY_WIRE_DIGITS: {
        struct setpay_view bytes = setpay_secret_view(value);
        return bytes.size == 0 ? NULL : hex(bytes);
    }
    case SETPAY_WIRE_TEXT:
        return *(const char *)value == '\0' ? NULL : json_string(value);
    case SETPAY_WIRE_U32:
        return field->optional && *(const uint32_t *)value == 0
                   ? NULL
                   : json_integer(*(const uint32_t *)value);
    case SETPAY_WIRE_I64:
        return field->optional && *(const int64_t *)value == 0
                   ? NULL
                   : json_integer(*(const int64_t *)value);
    case SETPAY_WIRE_BOOL:
        return json_boolean(*(const bool *)value);
    case SETPAY_WIRE_ENUM: {
        const ProtobufCFieldDescriptor *described =
            protobuf_c_message_descriptor_get_field(layout->descriptor, field->number);
        const ProtobufCEnumValue *named = protobuf_c_enum_descriptor_get_value(
            described->descriptor, (int)*(const unsigned *)value);
        return json_string(named->name);
    }
    case SETPAY_WIRE_MONEY: {
        const struct setpay_money *money = value;
        return json_pack("{s:I, s:s}", "minor", (json_int_t)money->minor, "currency",
                         money->currency);
    }
    case SETPAY_WIRE_MESSAGE:
        return test_message_json(field->inner, value);
    case SETPAY_WIRE_THUMBS: {
        const struct setpay_thumbs *thumbs = value;
        json_t *list = json_array();
        for (size_t i = 0; i < thumbs->count; i++)
            json_array_append_new(list, hex(setpay_digest_view(&thumbs->list[i])));
        return list;
    }
    case SETPAY_WIRE_LIST: {
        const uint8_t *items = *(uint8_t *const *)value;
        if (count == 0)
            return NULL; /* on the wire an empty list is nothing */
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(list,
                                  test_message_json(field->inner, items + i * field->inner->size));
        return list;
    }
    }
    return NULL;
}

json_t *test_message_json(const struct setpay_wire_layout *layout, const void *message)
{
    json_t *object = json_object();
    for (const struct setpay_wire_field *field = layout->fields; field->number != 0; field++) {
        json_t *value = field_json(layout, field, message);
        const ProtobufCFieldDescriptor *described =
            protobuf_c_message_descriptor_get_field(layout->descriptor, field->number);
        if (value != NULL)
            json_object_set_new(object, described->name, value);
    }
    return object;
}
