/*
 * Requests of a till, packed, signed and asked.
 */
#include "tests/support/test_till.h"

#include "common/base/clock.h"
#include "tests/support/test_asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void take_receipt(const struct test_till *till, struct test_paid *paid,
                         const struct setpay_sealed_receipt *sealed)
{
    const struct setpay_certificate *sign = till->gateway->sign[0]->certificate;
    struct setpay_receipt receipt;
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    assert_int_equal(setpay_sealed_receipt_open(sealed, &paid->purchase->pi.back_key,
                                                &paid->purchase->auth.xid, sign, &receipt, &bytes),
                     SETPAY_OK);
    assert_true(setpay_digest_equal(&receipt.previous, &paid->last_receipt));
    assert_int_equal(setpay_receipt_hash(setpay_buffer_view(&bytes), &paid->last_receipt),
                     SETPAY_OK);
    assert_int_equal(setpay_receipt_sums_add(&paid->sums, &receipt), SETPAY_OK);
    setpay_buffer_clear(&bytes);
}

void test_till_pay(const struct test_till *till, int64_t minor, const char *currency,
                   struct test_paid *paid)
{
    const struct test_purchase_parties parties = test_gateway_parties(till->gateway, 0);
    struct setpay_receipt receipt;
    memset(paid, 0, sizeof *paid);
    paid->purchase =
        test_purchase_new(&parties, till->holder, minor, currency, setpay_clock_now_ms());
    test_purchase_sign(paid->purchase);
    paid->auth = test_authorise(till->gateway, till->line, paid->purchase, &receipt);
    assert_int_equal(paid->auth.outcome, SETPAY_AUTH_APPROVED);
    take_receipt(till, paid, &paid->auth.receipt);
}

void test_paid_free(struct test_paid *paid)
{
    test_purchase_free(paid->purchase);
    paid->purchase = NULL;
}

/* The header of another request about this payment. */
static struct setpay_request_header header_for(const struct test_paid *paid)
{
    struct setpay_request_header header = paid->purchase->auth.header;
    header.date_ms = setpay_clock_now_ms();
    assert_int_equal(setpay_id_random(&header.rrpid), SETPAY_OK);
    return header;
}

/* Signs and asks; *message is the answer, of that type, verified. */
static void ask(const struct test_till *till, enum setpay_message_type type,
                struct setpay_view content, struct setpay_buffer *answer,
                struct setpay_message *message)
{
    struct setpay_buffer bytes;
    test_merchant_message(type, till->gateway->shop[0].sign, content, &bytes);
    test_line_ask(till->line, setpay_buffer_view(&bytes), answer);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(answer), message), SETPAY_OK);
    assert_int_equal(message->type, type + 1);
    assert_int_equal(setpay_message_verify(message, till->gateway->sign[0]->certificate),
                     SETPAY_OK);
    setpay_buffer_clear(&bytes);
}

struct setpay_id test_till_step(const struct test_till *till, enum setpay_message_type type,
                                struct test_paid *paid, const struct setpay_id *of, int64_t minor)
{
    const struct setpay_auth_req *auth = &paid->purchase->auth;
    struct setpay_step step = {.xid = auth->xid, .of = *of, .amount = auth->amount};
    struct setpay_step_req request = {.header = header_for(paid), .steps = &step, .step_count = 1};
    struct setpay_step_res res;
    struct setpay_message message;
    struct setpay_buffer content, answer;
    step.amount.minor = minor;
    memcpy(request.brand, auth->brand, sizeof request.brand);
    memcpy(request.merchant_id, auth->merchant_id, sizeof request.merchant_id);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_step_req_build(&request, &content), SETPAY_OK);
    ask(till, type, setpay_buffer_view(&content), &answer, &message);
    assert_int_equal(setpay_step_res_parse(message.content, &res), SETPAY_OK);
    assert_int_equal(res.done_count, 1);
    assert_int_equal(res.done[0].amount.minor, minor);
    take_receipt(till, paid, &res.done[0].receipt);
    struct setpay_id id = res.done[0].id;
    setpay_step_res_clear(&res);
    setpay_message_clear(&message);
    setpay_buffer_clear(&answer);
    setpay_buffer_clear(&content);
    return id;
}

static void ask_batch(const struct test_till *till, const struct test_paid *like,
                      struct setpay_batch_admin_req *request, struct setpay_batch_admin_res *res)
{
    struct setpay_message message;
    struct setpay_buffer content, answer;
    request->header = header_for(like);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_batch_admin_req_build(request, &content), SETPAY_OK);
    ask(till, SETPAY_MESSAGE_BATCH_ADMIN_REQ, setpay_buffer_view(&content), &answer, &message);
    assert_int_equal(setpay_batch_admin_res_parse(message.content, res), SETPAY_OK);
    setpay_message_clear(&message);
    setpay_buffer_clear(&answer);
    setpay_buffer_clear(&content);
}

void test_till_close(const struct test_till *till, const struct test_paid *like)
{
    const struct setpay_auth_req *auth = &like->purchase->auth;
    struct setpay_batch_admin_req request = {.action = SETPAY_BATCH_QUERY};
    struct setpay_batch_admin_res queried, closed;
    request.batch = (uint32_t)test_gateway_number(
        till->gateway, "SELECT MAX(number) FROM batch WHERE open = 1 AND merchant_id = 'shop'");
    memcpy(request.brand, auth->brand, sizeof request.brand);
    memcpy(request.merchant_id, auth->merchant_id, sizeof request.merchant_id);
    ask_batch(till, like, &request, &queried);
    request.action = SETPAY_BATCH_CLOSE;
    request.totals = queried.totals;
    request.total_count = queried.total_count;
    ask_batch(till, like, &request, &closed);
    assert_true(closed.agreed);
    setpay_batch_admin_res_clear(&queried);
    setpay_batch_admin_res_clear(&closed);
}

void test_till_wait_presented(const struct test_till *till)
{
    test_daemon_wait_number(&till->gateway->daemon,
                            "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0", 0);
}
