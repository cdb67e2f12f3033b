/*
 * Refusals, held against what a liar may learn and what may change.
 */
#include "tests/support/test_refusal.h"

#include "common/base/error.h"
#include "common/wire/messages.h"
#include "common/wire/signed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WIRE_CODES 32

static size_t lies;

size_t test_refusal_count(void)
{
    return lies;
}

void test_refusal_add(void)
{
    lies++;
}

/* ------------------------------------------------------------------ what may not move */

static int64_t issuer_asked(struct test_gateway *gateway)
{
    json_t *status = test_gateway_issuer(gateway, "status", NULL);
    const json_t *figures = json_object_get(status, "figures");
    assert_non_null(figures);
    int64_t asked = json_integer_value(json_object_get(figures, "authorisations")) +
                    json_integer_value(json_object_get(figures, "reversals"));
    json_decref(status);
    return asked;
}

void test_stillness_take(struct test_gateway *gateway, struct test_stillness *still)
{
    *still = (struct test_stillness){
        .gateway_rows = test_gateway_dump(gateway),
        .refused = test_gateway_log_count(gateway, "event=request.refused"),
    };
    if (gateway->issuer.pid == 0)
        return;
    still->issuer_rows = test_gateway_dump_issuer(gateway);
    still->issuer_asked = issuer_asked(gateway);
}

void test_stillness_expect(struct test_gateway *gateway, struct test_stillness *still,
                           size_t refusals)
{
    struct test_stillness now;
    test_stillness_take(gateway, &now);
    assert_int_equal(now.refused, still->refused + refusals);
    assert_string_equal(still->gateway_rows, now.gateway_rows);
    if (still->issuer_rows != NULL) {
        assert_string_equal(still->issuer_rows, now.issuer_rows);
        assert_int_equal(still->issuer_asked, now.issuer_asked);
    }
    free(now.gateway_rows);
    free(now.issuer_rows);
    free(still->gateway_rows);
    free(still->issuer_rows);
    memset(still, 0, sizeof *still);
}

/* ------------------------------------------------------------------ what is said */

static uint32_t wire_code_of(const char *expected)
{
    unsigned count = 0;
    const struct setpay_error_info *table = setpay_error_table(&count);
    size_t size = strcspn(expected, " ");
    for (unsigned i = 0; i < count; i++) {
        if (strlen(table[i].name) == size && strncmp(table[i].name, expected, size) == 0) {
            /* the rule beside it is the table's */
            assert_string_equal(expected[size] == ' ' ? expected + size + 1 : "", table[i].rule);
            return (uint32_t)table[i].wire;
        }
    }
    fail_msg("no such error: %s", expected);
    return 0;
}

/* Signed by one of the gateway's two brands wherever it could know to whom it speaks. */
static void check_signature(struct test_gateway *gateway, const struct setpay_message *message,
                            const struct setpay_error_report *report)
{
    assert_true(message->is_signed && report->has_sender);
    assert_true(setpay_digest_equal(&report->sender, &message->signer));
    for (int brand = 0; brand < 2; brand++) {
        if (setpay_digest_equal(&message->signer, &gateway->sign[brand]->thumbprint)) {
            assert_int_equal(setpay_message_verify(message, gateway->sign[brand]->certificate),
                             SETPAY_OK);
            return;
        }
    }
    fail_msg("signed by somebody else");
}

/* One number of bytes for a code, with and without rrpid: what differs is no more than the code. */
static void check_size(const struct setpay_message *message,
                       const struct setpay_error_report *report)
{
    static size_t sizes[WIRE_CODES][2][2];
    assert_true(report->code < WIRE_CODES);
    size_t *size = &sizes[report->code][report->has_rrpid][report->has_sender];
    if (*size == 0)
        *size = message->content.size;
    assert_int_equal(message->content.size, *size);
}

/* Whatever has to do with keys, digests, card or instruction is one code and no other. */
static void check_alike(const char *expected, uint32_t code)
{
    static const char *const secret[] = {"SIGNATURE A2",  "UNSIGNED A2", "ENVELOPE G2",
                                         "DS_PAYMENT G3", "ACCOUNT G5",  "CANCELLATION G9"};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
        if (strcmp(expected, secret[i]) == 0) {
            assert_int_equal(code, 8);
            return;
        }
    }
    assert_int_not_equal(code, 8);
}

void test_refusal_check(struct test_gateway *gateway, struct setpay_view sent,
                        struct setpay_view answer, const char *expected)
{
    struct setpay_message message, question;
    struct setpay_error_report report;
    struct setpay_digest received;
    struct setpay_buffer again;
    assert_int_equal(setpay_message_parse(answer, &message), SETPAY_OK);
    assert_int_equal(message.type, SETPAY_MESSAGE_ERROR);
    assert_int_equal(setpay_error_report_parse(message.content, &report), SETPAY_OK);
    assert_int_equal(report.code, wire_code_of(expected));
    check_alike(expected, report.code);
    if (setpay_message_parse(sent, &question) == SETPAY_OK) {
        assert_int_equal(setpay_message_request_hash(&question, &received), SETPAY_OK);
        check_signature(gateway, &message, &report);
        setpay_message_clear(&question);
    } else {
        assert_int_equal(setpay_raw_hash(sent, &received), SETPAY_OK);
        assert_false(message.is_signed || report.has_sender || report.has_rrpid);
    }
    assert_true(setpay_digest_equal(&report.received, &received));
    /* and nothing else, neither in it nor beside it */
    assert_int_equal(message.certificate_count + message.crl_count + message.envelope.size, 0);
    setpay_buffer_init(&again, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_error_report_build(&report, &again), SETPAY_OK);
    assert_true(setpay_view_equal(setpay_buffer_view(&again), message.content));
    check_size(&message, &report);
    setpay_buffer_clear(&again);
    setpay_message_clear(&message);
}

void test_refusal_expect_either(struct test_gateway *gateway, struct test_line *line,
                                struct setpay_view message, const char *expected,
                                const char *or_expected)
{
    struct test_stillness still;
    struct setpay_buffer answer;
    char refusal[96];
    lies++;
    test_stillness_take(gateway, &still);
    test_line_ask(line, message, &answer);
    test_stillness_expect(gateway, &still, 1);
    (void)snprintf(refusal, sizeof refusal, "%s", test_gateway_refusal(gateway, NULL));
    if (strcmp(refusal, or_expected) != 0)
        assert_string_equal(refusal, expected);
    test_refusal_check(gateway, message, setpay_buffer_view(&answer), refusal);
    setpay_buffer_clear(&answer);
}

void test_refusal_expect(struct test_gateway *gateway, struct test_line *line,
                         struct setpay_view message, const char *expected)
{
    test_refusal_expect_either(gateway, line, message, expected, expected);
}

void test_refusal_of_purchase(struct test_gateway *gateway, struct test_line *line,
                              const struct test_purchase *p, const char *expected)
{
    struct setpay_buffer message;
    test_purchase_auth_req(p, &message);
    test_refusal_expect(gateway, line, setpay_buffer_view(&message), expected);
    setpay_buffer_clear(&message);
}
