/*
 * Payments followed by their receipts.
 */
#include "tests/support/test_paid.h"

#include "common/base/clock.h"
#include "tests/support/test_asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

void test_paid_take_receipt(struct test_paid *paid, const struct setpay_sealed_receipt *sealed,
                            enum setpay_receipt_kind kind, int64_t minor)
{
    const struct setpay_certificate *sign = paid->gateway->sign[0]->certificate;
    struct setpay_receipt receipt;
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    assert_int_equal(setpay_sealed_receipt_open(sealed, &paid->purchase->pi.back_key,
                                                &paid->purchase->auth.xid, sign, &receipt, &bytes),
                     SETPAY_OK);
    assert_int_equal(receipt.kind, kind);
    assert_int_equal(receipt.amount.minor, minor);
    assert_true(setpay_digest_equal(&receipt.previous, &paid->last_receipt));
    assert_true(setpay_digest_equal(&receipt.pomd, &paid->purchase->pomd));
    assert_int_equal(setpay_receipt_hash(setpay_buffer_view(&bytes), &paid->last_receipt),
                     SETPAY_OK);
    if (kind != SETPAY_RECEIPT_DECLINE && kind != SETPAY_RECEIPT_VOID)
        assert_int_equal(setpay_receipt_sums_add(&paid->sums, &receipt), SETPAY_OK);
    paid->receipts++;
    setpay_buffer_clear(&bytes);
}

void test_paid_prepare(struct test_paid *paid, struct test_gateway *gateway, struct test_line *line,
                       const struct test_cardholder *holder, enum setpay_auth_intent intent,
                       int64_t minor, bool partial_allowed)
{
    const struct test_purchase_parties parties = test_gateway_parties(gateway, 0);
    memset(paid, 0, sizeof *paid);
    paid->gateway = gateway;
    paid->line = line;
    paid->purchase = test_purchase_new(&parties, holder, minor, "EUR", setpay_clock_now_ms());
    test_purchase_sign(paid->purchase);
    paid->purchase->auth.intent = intent;
    paid->purchase->auth.partial_allowed = partial_allowed;
    test_purchase_auth_req(paid->purchase, &paid->request);
}

void test_paid_ask(struct test_paid *paid)
{
    struct setpay_receipt receipt;
    struct setpay_buffer answer;
    test_line_ask(paid->line, setpay_buffer_view(&paid->request), &answer);
    paid->auth =
        test_auth_res_read(paid->gateway, paid->purchase, setpay_buffer_view(&answer), &receipt);
    test_paid_take_receipt(paid, &paid->auth.receipt, paid->auth.receipt.kind,
                           receipt.amount.minor);
    if (paid->auth.has_capture)
        test_paid_take_receipt(paid, &paid->auth.capture.receipt, SETPAY_RECEIPT_CAPTURE,
                               paid->auth.capture.amount.minor);
    setpay_buffer_clear(&answer);
}

void test_paid_clear(struct test_paid *paid)
{
    setpay_buffer_clear(&paid->request);
    test_purchase_free(paid->purchase);
}

/* ------------------------------------------------------------------ steps */

static enum setpay_receipt_kind kind_of(enum setpay_message_type type)
{
    switch (type) {
    case SETPAY_MESSAGE_CAP_REQ:
        return SETPAY_RECEIPT_CAPTURE;
    case SETPAY_MESSAGE_CAP_REV_REQ:
        return SETPAY_RECEIPT_CAPTURE_REVERSAL;
    case SETPAY_MESSAGE_CRED_REQ:
        return SETPAY_RECEIPT_CREDIT;
    default:
        return SETPAY_RECEIPT_CREDIT_REVERSAL;
    }
}

void test_paid_step_message(const struct test_paid *paid, enum setpay_message_type type,
                            const struct setpay_id *of, int64_t minor,
                            struct setpay_buffer *message)
{
    const struct setpay_auth_req *auth = &paid->purchase->auth;
    struct setpay_step step = {.xid = auth->xid, .of = *of, .amount = auth->amount};
    struct setpay_step_req request = {.header = auth->header, .steps = &step, .step_count = 1};
    struct setpay_buffer content;
    step.amount.minor = minor;
    request.header.date_ms = setpay_clock_now_ms();
    assert_int_equal(setpay_id_random(&request.header.rrpid), SETPAY_OK);
    memcpy(request.brand, auth->brand, sizeof request.brand);
    memcpy(request.merchant_id, auth->merchant_id, sizeof request.merchant_id);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_step_req_build(&request, &content), SETPAY_OK);
    test_merchant_message(type, paid->gateway->shop[0].sign, setpay_buffer_view(&content), message);
    setpay_buffer_clear(&content);
}

uint32_t test_paid_step(struct test_paid *paid, enum setpay_message_type type,
                        const struct setpay_id *of, int64_t minor, struct setpay_step_done *done)
{
    struct setpay_buffer message;
    test_paid_step_message(paid, type, of, minor, &message);
    uint32_t code = test_paid_step_send(paid, type, &message, minor, done);
    setpay_buffer_clear(&message);
    return code;
}

uint32_t test_paid_step_send(struct test_paid *paid, enum setpay_message_type type,
                             const struct setpay_buffer *message, int64_t minor,
                             struct setpay_step_done *done)
{
    struct setpay_buffer answer;
    struct setpay_message read;
    struct setpay_step_res res;
    uint32_t code = 0;
    test_line_ask(paid->line, setpay_buffer_view(message), &answer);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&answer), &read), SETPAY_OK);
    assert_int_equal(read.type, type + 1);
    assert_int_equal(setpay_message_verify(&read, paid->gateway->sign[0]->certificate), SETPAY_OK);
    assert_int_equal(setpay_step_res_parse(read.content, &res), SETPAY_OK);
    if (res.done_count == 1) {
        test_paid_take_receipt(paid, &res.done[0].receipt, kind_of(type), minor);
        if (done != NULL)
            *done = res.done[0];
    } else {
        code = res.refused[0].code;
    }
    setpay_step_res_clear(&res);
    setpay_message_clear(&read);
    setpay_buffer_clear(&answer);
    return code;
}

uint32_t test_paid_reverse(struct test_paid *paid, int64_t minor, int64_t *remaining)
{
    struct setpay_auth_rev_req request = test_reversal_of(paid->purchase, &paid->auth, minor);
    struct setpay_buffer message, answer;
    struct setpay_message read;
    uint32_t code = 0;
    test_reversal_message(&request, paid->gateway->shop[0].sign, &message);
    test_line_ask(paid->line, setpay_buffer_view(&message), &answer);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&answer), &read), SETPAY_OK);
    if (read.type == SETPAY_MESSAGE_ERROR) {
        struct setpay_error_report report;
        assert_int_equal(setpay_error_report_parse(read.content, &report), SETPAY_OK);
        code = report.code;
    } else {
        struct setpay_auth_rev_res res;
        assert_int_equal(read.type, SETPAY_MESSAGE_AUTH_REV_RES);
        assert_int_equal(setpay_message_verify(&read, paid->gateway->sign[0]->certificate),
                         SETPAY_OK);
        assert_int_equal(setpay_auth_rev_res_parse(read.content, &res), SETPAY_OK);
        assert_int_equal(res.amount.minor, minor);
        test_paid_take_receipt(paid, &res.receipt, SETPAY_RECEIPT_REVERSAL, minor);
        *remaining = res.remaining.minor;
    }
    setpay_message_clear(&read);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    return code;
}

/* ------------------------------------------------------------------ batches */

void test_paid_close_batch(const struct test_paid *paid)
{
    const struct setpay_auth_req *auth = &paid->purchase->auth;
    struct setpay_batch_admin_req request = {.header = auth->header, .action = SETPAY_BATCH_QUERY};
    struct setpay_batch_total totals[4];
    request.batch = (uint32_t)test_gateway_number(paid->gateway,
                                                  "SELECT MAX(number) FROM batch WHERE open = 1");
    memcpy(request.brand, auth->brand, sizeof request.brand);
    memcpy(request.merchant_id, auth->merchant_id, sizeof request.merchant_id);
    for (int round = 0; round < 2; round++) {
        struct setpay_buffer content, message, answer;
        struct setpay_message read;
        struct setpay_batch_admin_res res;
        request.header.date_ms = setpay_clock_now_ms();
        assert_int_equal(setpay_id_random(&request.header.rrpid), SETPAY_OK);
        setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
        assert_int_equal(setpay_batch_admin_req_build(&request, &content), SETPAY_OK);
        test_merchant_message(SETPAY_MESSAGE_BATCH_ADMIN_REQ, paid->gateway->shop[0].sign,
                              setpay_buffer_view(&content), &message);
        test_line_ask(paid->line, setpay_buffer_view(&message), &answer);
        assert_int_equal(setpay_message_parse(setpay_buffer_view(&answer), &read), SETPAY_OK);
        assert_int_equal(setpay_batch_admin_res_parse(read.content, &res), SETPAY_OK);
        assert_int_equal(res.agreed, round == 1);
        assert_true(res.total_count <= 4);
        memcpy(totals, res.totals, res.total_count * sizeof *totals);
        request.action = SETPAY_BATCH_CLOSE;
        request.totals = totals;
        request.total_count = res.total_count;
        setpay_batch_admin_res_clear(&res);
        setpay_message_clear(&read);
        setpay_buffer_clear(&content);
        setpay_buffer_clear(&message);
        setpay_buffer_clear(&answer);
    }
}
