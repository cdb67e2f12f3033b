/*
 * A hostile merchant, and a cardholder in league with it, before the real setpay-gatewayd: signed
 * things that are not in their one form (rule A1). Every field of AuthReq, AuthRevReq and PCertReq,
 * and of the payment instruction inside the envelope, is left out, given twice, emptied, moved and
 * encoded otherwise; unknown and deeply nested fields stand in them; numbers, texts and counts
 * leave their ranges; one type is shown as another. All of it is signed as it is sent, so that
 * nothing but its form is wrong.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/crypto/envelope.h"
#include "tests/support/test_asking.h"
#include "tests/support/test_cancel.h"
#include "tests/support/test_lies.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_proto.h"
#include "tests/support/test_refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTENT_MAX SETPAY_LIMIT_CONTENT_BYTES

static struct test_gateway *gateway;
static struct test_liar *liar;
static const uint32_t top[] = {0};

/* ------------------------------------------------------------------ sending */

/* Content of the shop's, signed as that type. */
static void refuse_content(enum setpay_message_type type, struct setpay_view content,
                           const char *expected)
{
    struct setpay_buffer message;
    test_merchant_message(type, gateway->shop[0].sign, content, &message);
    test_refusal_expect(gateway, liar->line, setpay_buffer_view(&message), expected);
    setpay_buffer_clear(&message);
}

/* The content of a good request of each type. */
static void good_content(enum setpay_message_type type, struct setpay_buffer *content)
{
    struct test_purchase *p = test_lie_tell(liar, NULL, NULL);
    setpay_buffer_init(content, CONTENT_MAX);
    if (type == SETPAY_MESSAGE_AUTH_REQ) {
        assert_int_equal(setpay_auth_req_build(&p->auth, content), SETPAY_OK);
    } else if (type == SETPAY_MESSAGE_AUTH_REV_REQ) {
        struct setpay_auth_rev_req req = {
            .header = p->auth.header, .xid = p->auth.xid, .amount = p->auth.amount};
        (void)snprintf(req.brand, sizeof req.brand, "visa");
        (void)snprintf(req.merchant_id, sizeof req.merchant_id, TEST_GATEWAY_MERCHANT);
        assert_int_equal(setpay_auth_rev_req_build(&req, content), SETPAY_OK);
    } else if (type == SETPAY_MESSAGE_CAP_REQ || type == SETPAY_MESSAGE_CRED_REQ) {
        struct setpay_step steps[] = {{.xid = p->auth.xid, .of = {{1}}, .amount = p->auth.amount},
                                      {.xid = {{2}}, .of = {{3}}, .amount = p->auth.amount}};
        struct setpay_step_req req = {.header = p->auth.header, .steps = steps, .step_count = 2};
        (void)snprintf(req.brand, sizeof req.brand, "visa");
        (void)snprintf(req.merchant_id, sizeof req.merchant_id, TEST_GATEWAY_MERCHANT);
        assert_int_equal(setpay_step_req_build(&req, content), SETPAY_OK);
    } else if (type == SETPAY_MESSAGE_BATCH_ADMIN_REQ) {
        struct setpay_batch_total total = {
            .currency = "EUR", .capture_count = 1, .capture_minor = 500};
        struct setpay_batch_admin_req req = {.header = p->auth.header,
                                             .action = SETPAY_BATCH_CLOSE,
                                             .batch = 1,
                                             .totals = &total,
                                             .total_count = 1};
        (void)snprintf(req.brand, sizeof req.brand, "visa");
        (void)snprintf(req.merchant_id, sizeof req.merchant_id, TEST_GATEWAY_MERCHANT);
        assert_int_equal(setpay_batch_admin_req_build(&req, content), SETPAY_OK);
    } else if (type == SETPAY_MESSAGE_AUTH_CAN_REQ) {
        struct setpay_auth_can_req req = {.header = p->auth.header, .xid = p->auth.xid};
        (void)snprintf(req.brand, sizeof req.brand, "visa");
        (void)snprintf(req.merchant_id, sizeof req.merchant_id, TEST_GATEWAY_MERCHANT);
        req.cancellation.size = 200; /* what stands in it is looked at later */
        req.cancellation.signature.size = 70;
        assert_int_equal(setpay_auth_can_req_build(&req, content), SETPAY_OK);
    } else {
        struct setpay_pcert_req req = {.header = p->auth.header};
        req.header.has_receiver = false;
        (void)snprintf(req.header.receiver_name, sizeof req.header.receiver_name, TEST_GATEWAY_ID);
        (void)snprintf(req.brand, sizeof req.brand, "visa");
        (void)snprintf(req.merchant_id, sizeof req.merchant_id, TEST_GATEWAY_MERCHANT);
        assert_int_equal(setpay_pcert_req_build(&req, content), SETPAY_OK);
    }
    test_purchase_free(p);
}

/* ------------------------------------------------------------------ contents of requests */

static void refuse_as_content(struct setpay_view changed, const char *what, const char *expected,
                              const void *arg)
{
    enum setpay_message_type type = *(const enum setpay_message_type *)arg;
    print_message("# %s: %s\n", setpay_message_type_name(type), what);
    refuse_content(type, changed, expected);
}

/* last: the last field on top that is changed (0: all); a list may be shorter or longer. */
static void change_content(enum setpay_message_type type, const uint32_t (*paths)[2],
                           size_t path_count, uint32_t last)
{
    struct setpay_buffer content;
    good_content(type, &content);
    for (size_t i = 0; i < path_count; i++) {
        print_message("# inside %u\n", paths[i][0]);
        test_proto_change_all(setpay_buffer_view(&content), paths[i], 0,
                              paths[i][0] == 0 ? last : 0, refuse_as_content, &type);
    }
    setpay_buffer_clear(&content);
}

static void requests_have_one_form(void **state)
{
    /* rule A1: fields given twice, missing, unknown, moved, in every request */
    static const uint32_t auth[][2] = {{0, 0}, {1, 0}, {4, 0}, {7, 0}};
    static const uint32_t reverse[][2] = {{0, 0}, {1, 0}, {4, 0}};
    static const uint32_t pcert[][2] = {{0, 0}, {1, 0}};
    static const uint32_t steps[][2] = {{0, 0}, {1, 0}, {4, 0}};
    static const uint32_t batch[][2] = {{0, 0}, {1, 0}, {6, 0}};
    static const uint32_t cancel[][2] = {{0, 0}, {1, 0}};
    (void)state;
    change_content(SETPAY_MESSAGE_AUTH_REQ, auth, 4, 0);
    change_content(SETPAY_MESSAGE_AUTH_REV_REQ, reverse, 3, 0);
    change_content(SETPAY_MESSAGE_PCERT_REQ, pcert, 2, 0);
    change_content(SETPAY_MESSAGE_CAP_REQ, steps, 3, 3);
    change_content(SETPAY_MESSAGE_CRED_REQ, steps, 3, 3);
    change_content(SETPAY_MESSAGE_BATCH_ADMIN_REQ, batch, 3, 5);
    change_content(SETPAY_MESSAGE_AUTH_CAN_REQ, cancel, 2, 0);
}

/* A value in a field, as bytes or as a varint's bytes. */
struct odd_value {
    const char *what;
    uint32_t path[2];
    uint32_t number;
    struct setpay_view value;
    const char *expected;
};
#define BYTES(text)                                                                                \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static void values_are_in_their_range(void **state)
{
    /* rule A1, and the outer limits of rule G8 */
    static const struct odd_value values[] = {
        {"intent 0", {0}, 3, BYTES("\0"), "ENUM A1"},
        {"intent 4", {0}, 3, BYTES("\x04"), "ENUM A1"},
        {"intent 2^32 + 1", {0}, 3, BYTES("\x81\x80\x80\x80\x10"), "NOT_CANONICAL A1"},
        {"an overlong intent", {0}, 3, BYTES("\x81\x00"), "NOT_CANONICAL A1"},
        {"partial 2", {0}, 15, BYTES("\x02"), "NOT_CANONICAL A1"},
        {"an amount of 0", {4}, 1, BYTES("\0"), "FIELD A1"},
        {"an amount of -1", {4}, 1, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "FIELD A1"},
        {"an amount of 10^12", {4}, 1, BYTES("\x80\xa0\x94\xa5\x8d\x1d"), "FIELD A1"},
        {"an amount above 64 bits",
         {4},
         1,
         BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
         "MALFORMED A1"},
        {"a currency in small letters", {4}, 2, BYTES("eur"), "FIELD A1"},
        {"a currency that is none", {4}, 2, BYTES("XQZ"), "FIELD A1"},
        {"a currency of two letters", {4}, 2, BYTES("EU"), "FIELD A1"},
        {"a currency of four letters", {4}, 2, BYTES("EURO"), "FIELD A1"},
        {"a currency with a NUL", {4}, 2, BYTES("EU\0"), "TEXT A1"},
        {"a NUL behind the brand", {0}, 5, BYTES("visa\0"), "TEXT A1"},
        {"a brand that is no UTF-8", {0}, 5, BYTES("vis\xe1"), "TEXT A1"},
        {"a NUL behind the merchant's id", {0}, 6, BYTES("shop\0other"), "TEXT A1"},
        {"an id of 33 letters", {0}, 6, BYTES("abcdefghijklmnopqrstuvwxyz0123456"), "FIELD A1"},
        {"an xid of 15 bytes", {0}, 2, BYTES("123456789012345"), "FIELD A1"},
        {"an xid of 17 bytes", {0}, 2, BYTES("12345678901234567"), "FIELD A1"},
        {"an rrpid of 17 bytes", {1}, 1, BYTES("12345678901234567"), "FIELD A1"},
        {"a sender of 31 bytes", {1}, 3, BYTES("1234567890123456789012345678901"), "FIELD A1"},
        {"an OIMD of 33 bytes", {0}, 9, BYTES("123456789012345678901234567890123"), "FIELD A1"},
        {"a DS of 7 bytes", {0}, 11, BYTES("1234567"), "FIELD A1"},
        {"a date before 1970",
         {1},
         2,
         BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         "FIELD A1"},
        {"terms of kind 0", {7}, 1, BYTES("\0"), "ENUM A1"},
        {"terms of kind 5", {7}, 1, BYTES("\x05"), "ENUM A1"},
        {"a recurrence without its numbers", {7}, 1, BYTES("\x04"), "FIELD A1"},
    };
    struct setpay_buffer content, changed;
    (void)state;
    good_content(SETPAY_MESSAGE_AUTH_REQ, &content);
    setpay_buffer_init(&changed, CONTENT_MAX);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        print_message("# %s\n", values[i].what);
        test_proto_replace(setpay_buffer_view(&content), values[i].path, values[i].number,
                           values[i].value, &changed);
        refuse_content(SETPAY_MESSAGE_AUTH_REQ, setpay_buffer_view(&changed), values[i].expected);
    }
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&changed);
}

/* ------------------------------------------------------------------ the instruction */

/* Signed by the cardholder as it is, in the envelope, with the right digests: nobody but the
 * gateway can see it. */
static void refuse_as_instruction(struct setpay_view changed, const char *what,
                                  const char *expected, const void *arg)
{
    struct test_purchase *p = test_liar_purchase(liar);
    (void)expected;
    print_message("# in the envelope, %s: %s\n", (const char *)arg, what);
    assert_int_equal(setpay_buffer_set(&p->pi_signed, changed), SETPAY_OK);
    test_purchase_sign(p);
    test_refusal_of_purchase(gateway, liar->line, p, "ENVELOPE G2");
    test_purchase_free(p);
}

static void refuse_as_plaintext(struct setpay_view changed, const char *what, const char *expected,
                                const void *arg)
{
    struct test_purchase *p = test_lie_tell(liar, NULL, NULL);
    (void)expected;
    print_message("# in the envelope, %s: %s\n", (const char *)arg, what);
    assert_int_equal(setpay_envelope_seal(gateway->encrypt[0]->x509, changed, &p->envelope),
                     SETPAY_OK);
    test_purchase_name_envelope(p);
    test_refusal_of_purchase(gateway, liar->line, p, "ENVELOPE G2");
    test_purchase_free(p);
}

static void instructions_have_one_form(void **state)
{
    /* rules A1 and G2: unknown fields and fields given twice inside what the cardholder signed,
     * refused like every other envelope that is not good */
    static const uint32_t paths[][2] = {{0, 0}, {3, 0}, {10, 0}, {12, 0}};
    enum { CARD = 3, SECURITY_CODE = 4 };
    struct test_purchase *p = test_liar_purchase(liar);
    struct setpay_secret pi = {0}, plaintext = {0};
    (void)state;
    assert_int_equal(setpay_pi_build(&p->pi, &pi), SETPAY_OK);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        test_proto_change_all(setpay_secret_view(&pi), paths[i], i == CARD ? SECURITY_CODE : 0, 0,
                              refuse_as_instruction, "PI");
    }
    test_purchase_sign(p);
    test_purchase_plaintext(p, &plaintext);
    test_proto_change_all(setpay_secret_view(&plaintext), top, 0, 0, refuse_as_plaintext,
                          "around PI");
    setpay_secret_clear(&pi);
    setpay_secret_clear(&plaintext);
    test_purchase_free(p);
}

static void many_thumbs_are_too_many(void **state)
{
    /* rule A1: one more than the limit, and as many as a content can hold */
    static const int counts[] = {SETPAY_LIMIT_THUMBS + 1, 900};
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct setpay_buffer content;
        uint8_t thumb[2 + 32 + 1] = {0x8a, 0x01, 32}; /* field 17, 32 bytes */
        good_content(SETPAY_MESSAGE_AUTH_REQ, &content);
        for (int k = 0; k < counts[i]; k++)
            assert_int_equal(setpay_buffer_append(&content, SETPAY_VIEW_ARRAY(thumb)), SETPAY_OK);
        print_message("# %d thumbprints\n", counts[i]);
        refuse_content(SETPAY_MESSAGE_AUTH_REQ, setpay_buffer_view(&content), "TOO_BIG A1");
        setpay_buffer_clear(&content);
    }
}

/* ------------------------------------------------------------------ cancellations */

static struct test_purchase *agreed; /* to be paid in parts, and the first is */

static void refuse_as_word(struct setpay_view changed, const char *what, const char *expected,
                           const void *arg)
{
    struct test_cancel cancel;
    struct setpay_buffer message;
    (void)expected;
    if (changed.size > SETPAY_WIRE_CANCELLATION_MAX)
        return; /* no AuthCanReq holds it */
    print_message("# in AuthCanReq, %s: %s\n", (const char *)arg, what);
    test_cancel_fill(agreed, setpay_clock_now_ms(), &cancel);
    test_cancel_sign_bytes(&cancel, changed);
    test_auth_can_req_message(&cancel, agreed, setpay_clock_now_ms(), &message);
    test_refusal_expect(gateway, liar->line, setpay_buffer_view(&message), "CANCELLATION G9");
    setpay_buffer_clear(&message);
}

/* rules A1, G9: the cardholder's word in every other form, signed as it is; then the good one */
static void cancellations_have_one_form(void **state)
{
    struct test_cancel cancel;
    struct setpay_buffer message, answer;
    struct setpay_message read;
    struct setpay_receipt receipt;
    (void)state;
    agreed = test_liar_purchase(liar);
    agreed->oi.terms = agreed->pi.terms = (struct setpay_terms){.kind = SETPAY_TERMS_SPLIT};
    test_purchase_sign(agreed);
    agreed->auth.amount.minor = 500;
    (void)test_authorise(gateway, liar->line, agreed, &receipt);
    test_cancel_fill(agreed, setpay_clock_now_ms(), &cancel);
    const struct setpay_signed_cancellation good = cancel.request.cancellation;
    test_proto_change_all(setpay_view_of(good.bytes, good.size), top, 0, 0, refuse_as_word,
                          "the word");
    test_auth_can_req_message(&cancel, agreed, setpay_clock_now_ms(), &message);
    test_line_ask(liar->line, setpay_buffer_view(&message), &answer);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&answer), &read), SETPAY_OK);
    assert_int_equal(read.type, SETPAY_MESSAGE_AUTH_CAN_RES);
    setpay_message_clear(&read);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    test_purchase_free(agreed);
}

/* ------------------------------------------------------------------ types */

static void a_signature_is_for_one_type(void **state)
{
    /* rule A2: what was signed as one message is shown as another */
    static const struct {
        enum setpay_message_type as;
        uint8_t shown;
    } rows[] = {
        {SETPAY_MESSAGE_AUTH_REV_REQ, SETPAY_MESSAGE_AUTH_REQ},
        {SETPAY_MESSAGE_PCERT_REQ, SETPAY_MESSAGE_AUTH_REQ},
        {SETPAY_MESSAGE_AUTH_REQ, SETPAY_MESSAGE_PCERT_REQ},
        {SETPAY_MESSAGE_INQ_RES, SETPAY_MESSAGE_AUTH_REQ},
        {SETPAY_MESSAGE_PINIT_RES, SETPAY_MESSAGE_AUTH_REV_REQ},
        {SETPAY_MESSAGE_CAP_REQ, SETPAY_MESSAGE_CRED_REQ}, /* of one form: the type alone tells */
        {SETPAY_MESSAGE_CRED_REQ, SETPAY_MESSAGE_CAP_REQ},
        {SETPAY_MESSAGE_CAP_REV_REQ, SETPAY_MESSAGE_CAP_REQ},
        {SETPAY_MESSAGE_CAP_REQ, SETPAY_MESSAGE_BATCH_ADMIN_REQ},
        {SETPAY_MESSAGE_CAN_REQ, SETPAY_MESSAGE_AUTH_CAN_REQ},
        {SETPAY_MESSAGE_AUTH_REV_REQ, SETPAY_MESSAGE_AUTH_CAN_REQ},
        {SETPAY_MESSAGE_AUTH_CAN_REQ, SETPAY_MESSAGE_AUTH_REV_REQ},
    };
    static const uint32_t is_signed[] = {2, 0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct setpay_buffer content, message, changed;
        good_content((enum setpay_message_type)rows[i].shown, &content);
        test_merchant_message(rows[i].as, gateway->shop[0].sign, setpay_buffer_view(&content),
                              &message);
        setpay_buffer_init(&changed, SETPAY_LIMIT_MESSAGE_BYTES);
        print_message("# signed as %s, shown as %s\n", setpay_message_type_name(rows[i].as),
                      setpay_message_type_name((enum setpay_message_type)rows[i].shown));
        test_proto_replace(setpay_buffer_view(&message), is_signed, 2,
                           setpay_view_of(&rows[i].shown, 1), &changed);
        test_refusal_expect(gateway, liar->line, setpay_buffer_view(&changed), "SIGNATURE A2");
        setpay_buffer_clear(&content);
        setpay_buffer_clear(&message);
        setpay_buffer_clear(&changed);
    }
}

static void a_gateway_takes_requests_only(void **state)
{
    /* rule A1: messages that are right, but nothing for a gateway */
    static const enum setpay_message_type types[] = {
        SETPAY_MESSAGE_PINIT_RES,       SETPAY_MESSAGE_P_RES,        SETPAY_MESSAGE_INQ_REQ,
        SETPAY_MESSAGE_INQ_RES,         SETPAY_MESSAGE_AUTH_REV_RES, SETPAY_MESSAGE_AUTH_RES,
        SETPAY_MESSAGE_PCERT_RES,       SETPAY_MESSAGE_CAP_RES,      SETPAY_MESSAGE_CRED_REV_RES,
        SETPAY_MESSAGE_BATCH_ADMIN_RES, SETPAY_MESSAGE_ERROR,        SETPAY_MESSAGE_CAN_REQ,
        SETPAY_MESSAGE_CAN_RES,         SETPAY_MESSAGE_AUTH_CAN_RES,
    };
    struct setpay_buffer content, preq;
    (void)state;
    good_content(SETPAY_MESSAGE_AUTH_REQ, &content);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        print_message("# %s\n", setpay_message_type_name(types[i]));
        refuse_content(types[i], setpay_buffer_view(&content), "MESSAGE_TYPE A1");
    }
    setpay_buffer_clear(&content);
    struct test_purchase *p = test_lie_tell(liar, NULL, NULL);
    print_message("# the wallet's PReq, handed on\n");
    test_purchase_preq(p, &preq);
    test_refusal_expect(gateway, liar->line, setpay_buffer_view(&preq), "UNSIGNED A2");
    setpay_buffer_clear(&preq);
    test_purchase_free(p);
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new_patient(10000);
    liar = test_liar_new(gateway);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    test_liar_free(liar);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_have_one_form),
        cmocka_unit_test(values_are_in_their_range),
        cmocka_unit_test(instructions_have_one_form),
        cmocka_unit_test(many_thumbs_are_too_many),
        cmocka_unit_test(cancellations_have_one_form),
        cmocka_unit_test(a_signature_is_for_one_type),
        cmocka_unit_test(a_gateway_takes_requests_only),
    };
    test_alarm(280);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    int failed = cmocka_run_group_tests(tests, open_all, close_all);
    print_message("# tally: rules attacked = %zu\n", test_refusal_count());
    return failed;
}
