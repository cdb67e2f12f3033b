/*
 * Questions of a merchant that asks properly, and its look at the answers.
 */
#include "tests/support/test_asking.h"

#include "common/base/clock.h"
#include "common/crypto/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct setpay_auth_res test_auth_res_read(const struct test_gateway *gateway,
                                          const struct test_purchase *p, struct setpay_view bytes,
                                          struct setpay_receipt *receipt)
{
    struct setpay_message message;
    struct setpay_auth_res res;
    struct setpay_buffer signed_bytes;
    const struct setpay_certificate *sign = gateway->sign[0]->certificate;
    setpay_buffer_init(&signed_bytes, SETPAY_WIRE_RECEIPT_MAX);
    assert_int_equal(setpay_message_parse(bytes, &message), SETPAY_OK);
    assert_int_equal(message.type, SETPAY_MESSAGE_AUTH_RES);
    assert_int_equal(setpay_message_verify(&message, sign), SETPAY_OK); /* rule A2 */
    assert_int_equal(setpay_auth_res_parse(message.content, &res), SETPAY_OK);
    assert_true(setpay_id_equal(&res.header.rrpid, &p->auth.header.rrpid)); /* rule A4 */
    assert_true(setpay_digest_equal(&res.header.receiver, &p->parties.merchant->thumbprint));
    assert_true(setpay_digest_equal(&res.header.sender, &gateway->sign[0]->thumbprint));
    assert_true(setpay_id_equal(&res.xid, &p->auth.xid));
    assert_true(setpay_digest_equal(&res.pomd, &p->pomd));
    assert_true(setpay_digest_equal(&res.cardholder, &p->cardholder->party->thumbprint));
    assert_int_equal(setpay_sealed_receipt_open(&res.receipt, &p->pi.back_key, &p->auth.xid, sign,
                                                receipt, &signed_bytes),
                     SETPAY_OK);
    assert_true(setpay_digest_equal(&receipt->pomd, &p->pomd));
    assert_true(setpay_digest_is_zero(&receipt->previous));
    setpay_buffer_clear(&signed_bytes);
    setpay_message_clear(&message);
    return res;
}

struct setpay_auth_res test_authorise(const struct test_gateway *gateway, struct test_line *line,
                                      const struct test_purchase *p, struct setpay_receipt *receipt)
{
    struct setpay_buffer message, answer;
    test_purchase_auth_req(p, &message);
    test_line_ask(line, setpay_buffer_view(&message), &answer);
    struct setpay_auth_res res =
        test_auth_res_read(gateway, p, setpay_buffer_view(&answer), receipt);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    return res;
}

struct setpay_auth_rev_req test_reversal_of(const struct test_purchase *p,
                                            const struct setpay_auth_res *res, int64_t minor)
{
    struct setpay_auth_rev_req request = {.xid = p->auth.xid, .cap_token = res->cap_token};
    request.header = p->auth.header;
    request.header.date_ms = setpay_clock_now_ms();
    assert_int_equal(setpay_id_random(&request.header.rrpid), SETPAY_OK);
    request.amount = p->auth.amount;
    request.amount.minor = minor;
    memcpy(request.brand, p->auth.brand, sizeof request.brand);
    memcpy(request.merchant_id, p->auth.merchant_id, sizeof request.merchant_id);
    return request;
}

void test_reversal_message(const struct setpay_auth_rev_req *request,
                           const struct test_party *signer, struct setpay_buffer *message)
{
    struct setpay_buffer content;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_auth_rev_req_build(request, &content), SETPAY_OK);
    test_merchant_message(SETPAY_MESSAGE_AUTH_REV_REQ, signer, setpay_buffer_view(&content),
                          message);
    setpay_buffer_clear(&content);
}

int64_t test_remaining_in(const struct test_gateway *gateway, const struct test_purchase *p,
                          struct setpay_view bytes, struct setpay_receipt *receipt)
{
    struct setpay_message message;
    struct setpay_auth_rev_res res;
    struct setpay_buffer signed_bytes;
    const struct setpay_certificate *sign = gateway->sign[0]->certificate;
    setpay_buffer_init(&signed_bytes, SETPAY_WIRE_RECEIPT_MAX);
    assert_int_equal(setpay_message_parse(bytes, &message), SETPAY_OK);
    assert_int_equal(message.type, SETPAY_MESSAGE_AUTH_REV_RES);
    assert_int_equal(setpay_message_verify(&message, sign), SETPAY_OK);
    assert_int_equal(setpay_auth_rev_res_parse(message.content, &res), SETPAY_OK);
    assert_true(setpay_id_equal(&res.xid, &p->auth.xid));
    assert_int_equal(setpay_sealed_receipt_open(&res.receipt, &p->pi.back_key, &p->auth.xid, sign,
                                                receipt, &signed_bytes),
                     SETPAY_OK);
    assert_int_equal(receipt->kind, SETPAY_RECEIPT_REVERSAL);
    assert_false(setpay_digest_is_zero(&receipt->previous));
    setpay_buffer_clear(&signed_bytes);
    setpay_message_clear(&message);
    return res.remaining.minor;
}

static struct setpay_secret decoded(const json_t *kept, const char *member)
{
    struct setpay_secret bytes = {0};
    const char *text = json_string_value(json_object_get(kept, member));
    assert_non_null(text);
    assert_int_equal(
        setpay_base64_decode(setpay_view_string(text), SETPAY_LIMIT_CONTENT_BYTES, &bytes),
        SETPAY_OK);
    return bytes;
}

void test_expect_evidence(struct test_gateway *gateway, const struct setpay_id *xid,
                          struct setpay_view bytes, const struct test_party *signer)
{
    char text[SETPAY_ID_TEXT_SIZE];
    struct setpay_message asked;
    assert_int_equal(setpay_message_parse(bytes, &asked), SETPAY_OK);
    json_t *file = test_gateway_control(gateway, "payment.evidence",
                                        json_pack("{s:s}", "xid", setpay_id_format(xid, text)));
    const json_t *messages = json_object_get(file, "messages");
    const json_t *kept = json_array_get(messages, json_array_size(messages) - 1);
    struct setpay_secret content = decoded(kept, "content");
    struct setpay_secret signature = decoded(kept, "signature");
    struct setpay_secret certificate = decoded(kept, "certificate");
    assert_string_equal(json_string_value(json_object_get(kept, "type")),
                        setpay_message_type_name(asked.type));
    assert_true(setpay_view_equal(setpay_secret_view(&content), asked.content));
    assert_true(setpay_view_equal(setpay_secret_view(&signature), asked.signature));
    assert_true(setpay_view_equal(setpay_secret_view(&certificate),
                                  setpay_certificate_der(signer->certificate)));
    asked.content = setpay_secret_view(&content);
    asked.signature = setpay_secret_view(&signature);
    assert_int_equal(setpay_message_verify(&asked, signer->certificate), SETPAY_OK);
    setpay_secret_clear(&content);
    setpay_secret_clear(&signature);
    setpay_secret_clear(&certificate);
    setpay_message_clear(&asked);
    json_decref(file);
}
