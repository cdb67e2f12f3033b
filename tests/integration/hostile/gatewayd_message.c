/*
 * A hostile merchant before the real setpay-gatewayd: what is around a signed content. Versions,
 * suites and types that nobody knows; fields of Message and Signed left out, given twice, moved;
 * too many certificates and lists, and too large ones; messages that are cut; frames that lie about
 * their length (rule A1). The content is a good AuthReq every time.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_lies.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_proto.h"
#include "tests/support/test_refusal.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct test_gateway *gateway;
static struct test_liar *liar;
static const uint32_t top[] = {0};

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

static void good_message(struct setpay_buffer *message)
{
    struct test_purchase *p = test_lie_tell(liar, NULL, NULL);
    test_purchase_auth_req(p, message);
    test_purchase_free(p);
}

static void messages_have_one_form(void **state)
{
    /* rules A1 and A2 */
    static const struct odd_value values[] = {
        {"version 0", {0}, 1, BYTES("\0"), "VERSION A1"},
        {"version 2", {0}, 1, BYTES("\x02"), "VERSION A1"},
        {"version 300", {0}, 1, BYTES("\xac\x02"), "VERSION A1"},
        {"suite 0", {2}, 1, BYTES("\0"), "SUITE A1"},
        {"suite 2", {2}, 1, BYTES("\x02"), "SUITE A1"},
        {"type 0", {2}, 2, BYTES("\0"), "MESSAGE_TYPE A1"},
        {"a type that is to come", {2}, 2, BYTES("\x1b"), "MESSAGE_TYPE A1"},
        {"type 99", {2}, 2, BYTES("\x63"), "MESSAGE_TYPE A1"},
        {"a receipt for a message", {2}, 2, BYTES("\x1e"), "MESSAGE_TYPE A1"},
        {"AuthReq under the type of AuthRevReq", {2}, 2, BYTES("\x09"), "FIELD A1"},
        {"AuthReq under the type of PReq", {2}, 2, BYTES("\x03"), "FIELD A1"},
        {"no content", {2}, 3, BYTES(""), "FIELD A1"},
        {"a signature of 7 bytes", {2}, 4, BYTES("1234567"), "FIELD A1"},
        {"a signature of zeros", {2}, 4, BYTES("\0\0\0\0\0\0\0\0"), "SIGNATURE A2"},
        {"a signer of 31 bytes", {2}, 5, BYTES("1234567890123456789012345678901"), "FIELD A1"},
        {"a signer whom nobody knows",
         {2},
         5,
         BYTES("12345678901234567890123456789012"),
         "CERT_MISSING A3"},
        {"an empty certificate", {0}, 3, BYTES(""), "FIELD A1"},
        {"an empty envelope", {0}, 5, BYTES(""), "FIELD A1"},
    };
    struct setpay_buffer message, changed;
    (void)state;
    good_message(&message);
    setpay_buffer_init(&changed, SETPAY_LIMIT_MESSAGE_BYTES);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        print_message("# %s\n", values[i].what);
        test_proto_replace(setpay_buffer_view(&message), values[i].path, values[i].number,
                           values[i].value, &changed);
        test_refusal_expect(gateway, liar->line, setpay_buffer_view(&changed), values[i].expected);
    }
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&changed);
}

static void refuse_outer(struct setpay_view changed, const char *what, const char *expected,
                         const void *arg)
{
    print_message("# %s: %s\n", (const char *)arg, what);
    test_refusal_expect(gateway, liar->line, changed, expected);
}

static void what_is_signed_has_one_form(void **state)
{
    /* rule A1: Message and Signed; rule A2: without a signature */
    static const uint32_t is_signed[] = {2, 0};
    enum { SIGNATURE = 4, SIGNER = 5 };
    struct setpay_buffer message, without, changed;
    (void)state;
    good_message(&message);
    test_proto_change_all(setpay_buffer_view(&message), is_signed, 0, 0, refuse_outer, "Signed");
    /* what is beside may be left out, and comes often */
    test_proto_change_all(setpay_buffer_view(&message), top, 0, 2, refuse_outer, "Message");
    setpay_buffer_init(&without, SETPAY_LIMIT_MESSAGE_BYTES);
    setpay_buffer_init(&changed, SETPAY_LIMIT_MESSAGE_BYTES);
    print_message("# unsigned\n");
    test_proto_change(setpay_buffer_view(&message), is_signed, SIGNATURE, TEST_PROTO_MISSING,
                      &without);
    test_proto_change(setpay_buffer_view(&without), is_signed, SIGNER, TEST_PROTO_MISSING,
                      &changed);
    test_refusal_expect(gateway, liar->line, setpay_buffer_view(&changed), "UNSIGNED A2");
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&without);
    setpay_buffer_clear(&changed);
}

/* A field of the outer message, so many bytes long, so many times behind what is there. */
static void append_field(struct setpay_buffer *message, uint8_t number, size_t size, int times)
{
    uint8_t head[] = {(uint8_t)(number << 3 | 2), (uint8_t)(0x80 | (size & 0x7f)),
                      (uint8_t)(size >> 7)};
    uint8_t *room = NULL;
    assert_true(size >= 128 && size < 16384);
    for (int i = 0; i < times; i++) {
        assert_int_equal(setpay_buffer_append(message, SETPAY_VIEW_ARRAY(head)), SETPAY_OK);
        assert_int_equal(setpay_buffer_extend(message, size, &room), SETPAY_OK);
        memset(room, 0x5a, size);
    }
}

/* The message without what is beside it, so that something else can stand there. */
static void bare_message(struct setpay_buffer *bare)
{
    struct test_proto_field fields[TEST_PROTO_FIELDS];
    struct setpay_buffer message;
    good_message(&message);
    setpay_buffer_init(bare, (size_t)2 * SETPAY_LIMIT_MESSAGE_BYTES);
    size_t count = test_proto_split(setpay_buffer_view(&message), fields);
    for (size_t i = 0; i < count && fields[i].number <= 2; i++)
        assert_int_equal(setpay_buffer_append(bare, fields[i].whole), SETPAY_OK);
    setpay_buffer_clear(&message);
}

static void sizes_and_counts_have_limits(void **state)
{
    /* rule A1 */
    static const struct {
        const char *what;
        uint8_t number;
        size_t size;
        int times;
        const char *expected;
    } rows[] = {
        {"17 certificates", 3, 200, 17, "TOO_BIG A1"},
        {"a certificate of 4097 bytes", 3, SETPAY_LIMIT_CERTIFICATE_BYTES + 1, 1, "TOO_BIG A1"},
        {"17 lists", 4, 200, SETPAY_LIMIT_CRLS + 1, "TOO_BIG A1"},
        {"400 lists", 4, 128, 400, "TOO_BIG A1"},
        {"an envelope of 4097 bytes", 5, SETPAY_LIMIT_ENVELOPE_BYTES + 1, 1, "TOO_BIG A1"},
        {"two envelopes", 5, 1000, 2, "NOT_CANONICAL A1"},
        {"an envelope of noise", 5, 1000, 1, "ENVELOPE G2"},
        {"no envelope", 5, 128, 0, "ENVELOPE G2"},
    };
    struct setpay_buffer message;
    (void)state;
    /* so that the gateway knows the certificates, and needs none beside */
    struct test_purchase *p = test_lie_tell(liar, &test_lies[test_lie_count - 1], NULL);
    test_refusal_of_purchase(gateway, liar->line, p, test_lies[test_lie_count - 1].expected);
    test_purchase_free(p);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("# %s\n", rows[i].what);
        bare_message(&message);
        append_field(&message, rows[i].number, rows[i].size, rows[i].times);
        test_refusal_expect(gateway, liar->line, setpay_buffer_view(&message), rows[i].expected);
        setpay_buffer_clear(&message);
    }
}

static void a_part_is_no_message(void **state)
{
    /* rule A1: truncated at places all over it, right behind a field too */
    struct test_proto_field fields[TEST_PROTO_FIELDS];
    struct setpay_buffer message;
    (void)state;
    good_message(&message);
    for (size_t part = 1; part < 32; part++)
        test_refusal_expect(gateway, liar->line,
                            setpay_view_of(message.data, part * message.size / 32), "MALFORMED A1");
    size_t count = test_proto_split(setpay_buffer_view(&message), fields);
    assert_true(count > 3 && fields[1].number == 2);
    test_refusal_expect(gateway, liar->line, fields[0].whole, "FIELD A1"); /* nothing signed */
    test_refusal_expect(gateway, liar->line, /* all but the envelope */
                        setpay_view_of(message.data, message.size - fields[count - 1].whole.size),
                        "ENVELOPE G2");
    setpay_buffer_clear(&message);
}

/* ------------------------------------------------------------------ frames */

/* Bytes that are no frame: the connection ends without a word, and the log says why. */
static void expect_hung_up(struct setpay_view bytes, const char *words)
{
    struct test_line *line = test_line_new(gateway, gateway->shop[0].tls, "visa");
    struct test_stillness still;
    struct setpay_buffer answer;
    uint64_t id = 0;
    assert_non_null(line);
    test_refusal_add();
    test_stillness_take(gateway, &still);
    size_t before = test_gateway_log_count(gateway, words);
    assert_int_equal(SSL_write(line->ssl, bytes.data, (int)bytes.size), (int)bytes.size);
    assert_false(test_line_receive(line, &id, &answer));
    assert_int_equal(test_gateway_log_count(gateway, words), before + 1);
    test_stillness_expect(gateway, &still, 0);
    setpay_buffer_clear(&answer);
    test_line_free(line);
}

static void frames_do_not_lie_about_their_length(void **state)
{
    /* rule A1 */
    static const uint8_t none[12] = {0}, only_id[12] = {0, 0, 0, 8},
                         huge[12] = {0xff, 0xff, 0xff, 0xff}, negative[12] = {0x80, 0, 0, 9},
                         too_big[12] = {0, 1, 0, 9}; /* 64 KiB and one byte */
    (void)state;
    expect_hung_up(SETPAY_VIEW_ARRAY(none), "event=net.frame_refused error=MALFORMED rule=A1");
    expect_hung_up(SETPAY_VIEW_ARRAY(only_id), "event=net.frame_refused error=MALFORMED rule=A1");
    expect_hung_up(SETPAY_VIEW_ARRAY(huge), "event=net.frame_refused error=TOO_BIG rule=A1");
    expect_hung_up(SETPAY_VIEW_ARRAY(negative), "event=net.frame_refused error=TOO_BIG rule=A1");
    expect_hung_up(SETPAY_VIEW_ARRAY(too_big), "event=net.frame_refused error=TOO_BIG rule=A1");
    expect_hung_up(setpay_view_string("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                   "event=net.frame_refused error=TOO_BIG rule=A1");
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
        cmocka_unit_test(messages_have_one_form),
        cmocka_unit_test(what_is_signed_has_one_form),
        cmocka_unit_test(sizes_and_counts_have_limits),
        cmocka_unit_test(a_part_is_no_message),
        cmocka_unit_test(frames_do_not_lie_about_their_length),
    };
    test_alarm(280);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    int failed = cmocka_run_group_tests(tests, open_all, close_all);
    print_message("# tally: rules attacked = %zu\n", test_refusal_count());
    return failed;
}
