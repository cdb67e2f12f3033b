/*
 * A hostile wallet at a running merchant: bytes that are no message of the protocol (rule A1).
 * Every field of PInitReq, of PReq and the OI in it, of InqReq, of CanReq and the word in it, and
 * of the message around them is left out, given twice, emptied, moved and encoded otherwise;
 * unknown fields stand in signed things; numbers and texts leave their ranges; messages are cut,
 * grown and nested. All of it is signed as it is sent, so that nothing but its form is wrong.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_cancel.h"
#include "tests/support/test_lied_sale.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 280
#define CONTENT_MAX SETPAY_LIMIT_CONTENT_BYTES
#define FIRST 300

static struct test_market market;
static struct test_sale sale;   /* the offer that is lied about */
static struct test_sale paid;   /* what is inquired after */
static struct test_sale agreed; /* to be paid in parts, and the first is */
static const uint32_t top[] = {0};

/* ------------------------------------------------------------------ sending */

static void refuse_message(struct setpay_view message, const char *expected)
{
    const struct test_attack attack = {
        .message = message,
        .expected = expected,
        .signer = market.gateway->shop[0].sign,
        .any_signer = true,
    };
    test_market_attack(&market, &attack);
}

/* What is wrong is seen before the merchant knows for which brand it speaks. */
static void refuse_form(struct setpay_view message, const char *expected)
{
    const struct test_attack attack = {.message = message, .expected = expected};
    test_market_attack(&market, &attack);
}

static struct test_purchase *purchase(void)
{
    struct test_purchase *p =
        test_offer_purchase(market.merchant, &sale.offer, market.holder, setpay_clock_now_ms());
    return p;
}

static void good_message(struct setpay_buffer *message)
{
    struct test_purchase *p = purchase();
    test_purchase_sign(p);
    test_purchase_preq(p, message);
    test_purchase_free(p);
}

/* ------------------------------------------------------------------ every field, every change */

/* Told of each changed form, and what it is to end in. */
typedef void refuse_fn(struct setpay_view changed, const char *expected);

struct sweep {
    const char *name;
    uint32_t inside;
    refuse_fn *refuse;
};

static void on_changed(struct setpay_view changed, const char *what, const char *expected,
                       const void *arg)
{
    const struct sweep *sweep = arg;
    print_message("# %s, inside %u: %s\n", sweep->name, sweep->inside, what);
    sweep->refuse(changed, expected);
}

/* last: the last field that is changed; 0: all. */
static void change_everything(const char *name, struct setpay_view bytes, const uint32_t *path,
                              uint32_t last, refuse_fn *refuse)
{
    const struct sweep sweep = {name, path[0], refuse};
    test_proto_change_all(bytes, path, 0, last, on_changed, &sweep);
}

/* ------------------------------------------------------------------ what the cardholder signs */

/* An OI of another form, signed as it is, with the right digests. */
static void refuse_oi(struct setpay_view changed, const char *expected)
{
    struct test_purchase *p = purchase();
    struct setpay_buffer message;
    assert_int_equal(setpay_buffer_set(&p->oi_signed, changed), SETPAY_OK);
    test_purchase_sign(p);
    test_purchase_preq(p, &message);
    refuse_form(setpay_buffer_view(&message), expected);
    setpay_buffer_clear(&message);
    test_purchase_free(p);
}

static void refuse_preq(struct setpay_view changed, const char *expected)
{
    struct test_purchase *p = purchase();
    struct setpay_buffer message;
    test_purchase_sign(p);
    assert_int_equal(setpay_buffer_set(&p->preq_instead, changed), SETPAY_OK);
    test_purchase_preq(p, &message);
    refuse_form(setpay_buffer_view(&message), expected);
    setpay_buffer_clear(&message);
    test_purchase_free(p);
}

/* rule A1: fields given twice, missing, unknown, moved, inside OI and PReq */
static void purchases_have_one_form(void **state)
{
    static const uint32_t paths[][2] = {{0, 0}, {9, 0}, {16, 0}}; /* OI, its amount, its terms */
    struct test_purchase *p = purchase();
    struct setpay_buffer content;
    (void)state;
    setpay_buffer_init(&content, CONTENT_MAX);
    test_purchase_sign(p);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        change_everything("OI", setpay_buffer_view(&p->oi_bytes), paths[i], 0, refuse_oi);
    assert_int_equal(setpay_preq_build(&p->preq, &content), SETPAY_OK);
    change_everything("PReq", setpay_buffer_view(&content), top, 0, refuse_preq);
    setpay_buffer_clear(&content);
    test_purchase_free(p);
}

/* ------------------------------------------------------------------ the other requests */

static void refuse_pinit(struct setpay_view changed, const char *expected)
{
    struct setpay_buffer message;
    const struct setpay_message_parts parts = {.type = SETPAY_MESSAGE_PINIT_REQ,
                                               .content = changed};
    setpay_buffer_init(&message, SETPAY_LIMIT_MESSAGE_BYTES);
    assert_int_equal(setpay_message_build(&parts, &message), SETPAY_OK);
    refuse_form(setpay_buffer_view(&message), expected);
    setpay_buffer_clear(&message);
}

static void refuse_inquiry(struct setpay_view changed, const char *expected)
{
    struct setpay_buffer message;
    test_merchant_message(SETPAY_MESSAGE_INQ_REQ, market.holder->party, changed, &message);
    refuse_form(setpay_buffer_view(&message), expected);
    setpay_buffer_clear(&message);
}

static void refuse_cancellation(struct setpay_view changed, const char *expected)
{
    struct test_cancel cancel;
    struct setpay_buffer message;
    test_cancel_fill(agreed.purchase, setpay_clock_now_ms(), &cancel);
    test_can_req_of(&cancel, SETPAY_MESSAGE_CAN_REQ, changed, &message);
    refuse_form(setpay_buffer_view(&message), expected);
    setpay_buffer_clear(&message);
}

/* The word that ends an agreement, in another form and signed as it is: refused like every other
 * word that is not good (rule G9). */
static void refuse_word(struct setpay_view changed, const char *expected)
{
    struct test_cancel cancel;
    struct setpay_buffer message;
    (void)expected;
    if (changed.size > SETPAY_WIRE_CANCELLATION_MAX)
        return; /* no CanReq holds it */
    test_cancel_fill(agreed.purchase, setpay_clock_now_ms(), &cancel);
    test_cancel_sign_bytes(&cancel, changed);
    test_can_req_message(&cancel, &message);
    refuse_message(setpay_buffer_view(&message), "CANCELLATION G9");
    setpay_buffer_clear(&message);
}

/* rules A1, G9 */
static void cancellations_have_one_form(void **state)
{
    static const uint32_t paths[][2] = {{0, 0}, {1, 0}}; /* the content, its header */
    struct test_cancel cancel;
    struct setpay_buffer content;
    (void)state;
    setpay_buffer_init(&content, CONTENT_MAX);
    test_cancel_fill(agreed.purchase, setpay_clock_now_ms(), &cancel);
    assert_int_equal(setpay_id_random(&cancel.request.header.rrpid), SETPAY_OK);
    assert_int_equal(setpay_can_req_build(&cancel.request, &content), SETPAY_OK);
    for (size_t i = 0; i < 2; i++)
        change_everything("CanReq", setpay_buffer_view(&content), paths[i], 0, refuse_cancellation);
    const struct setpay_signed_cancellation *word = &cancel.request.cancellation;
    change_everything("Cancellation", setpay_view_of(word->bytes, word->size), top, 0, refuse_word);
    setpay_buffer_clear(&content);
}

/* rule A2: what was signed as one type and is shown as the other, of the same form or not */
static void a_signature_is_for_one_type(void **state)
{
    static const struct {
        enum setpay_message_type as;
        uint8_t shown;
        bool cancels; /* the content is a CanReq's */
        const char *expected;
    } rows[] = {
        {SETPAY_MESSAGE_INQ_REQ, SETPAY_MESSAGE_CAN_REQ, true, "SIGNATURE A2"},
        {SETPAY_MESSAGE_CAN_REQ, SETPAY_MESSAGE_INQ_REQ, false, "SIGNATURE A2"},
        {SETPAY_MESSAGE_AUTH_CAN_REQ, SETPAY_MESSAGE_CAN_REQ, true, "SIGNATURE A2"},
        {SETPAY_MESSAGE_CAN_REQ, SETPAY_MESSAGE_INQ_REQ, true, "MALFORMED A1"},
        {SETPAY_MESSAGE_CAN_REQ, SETPAY_MESSAGE_AUTH_CAN_REQ, true, "MESSAGE_TYPE A1"},
        {SETPAY_MESSAGE_CAN_REQ, SETPAY_MESSAGE_CAN_RES, true, "MESSAGE_TYPE A1"},
    };
    static const uint32_t is_signed[] = {2, 0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_cancel cancel;
        struct test_inquiry inquiry;
        struct setpay_buffer content, message, changed;
        setpay_buffer_init(&content, CONTENT_MAX);
        setpay_buffer_init(&changed, SETPAY_LIMIT_MESSAGE_BYTES);
        test_cancel_fill(agreed.purchase, setpay_clock_now_ms(), &cancel);
        assert_int_equal(setpay_id_random(&cancel.request.header.rrpid), SETPAY_OK);
        test_inquiry_fill(agreed.purchase, setpay_clock_now_ms(), &inquiry);
        assert_int_equal(rows[i].cancels ? setpay_can_req_build(&cancel.request, &content)
                                         : setpay_inq_req_build(&inquiry.request, &content),
                         SETPAY_OK);
        print_message("# signed as %s, shown as type %u\n", setpay_message_type_name(rows[i].as),
                      rows[i].shown);
        test_can_req_of(&cancel, rows[i].as, setpay_buffer_view(&content), &message);
        test_proto_replace(setpay_buffer_view(&message), is_signed, 2,
                           setpay_view_of(&rows[i].shown, 1), &changed);
        refuse_message(setpay_buffer_view(&changed), rows[i].expected);
        setpay_buffer_clear(&content);
        setpay_buffer_clear(&message);
        setpay_buffer_clear(&changed);
    }
}

/* rule A1 */
static void requests_have_one_form(void **state)
{
    static const uint32_t paths[][2] = {{0, 0}, {1, 0}}; /* the content, its header */
    struct setpay_pinit_req request;
    struct test_inquiry inquiry;
    struct setpay_buffer content;
    (void)state;
    setpay_buffer_init(&content, CONTENT_MAX);
    test_pinit_fill(&sale.order, "visa", setpay_clock_now_ms(), &request);
    assert_int_equal(setpay_pinit_req_build(&request, &content), SETPAY_OK);
    for (size_t i = 0; i < 2; i++)
        change_everything("PInitReq", setpay_buffer_view(&content), paths[i], 0, refuse_pinit);
    test_inquiry_fill(paid.purchase, setpay_clock_now_ms(), &inquiry);
    assert_int_equal(setpay_inq_req_build(&inquiry.request, &content), SETPAY_OK);
    for (size_t i = 0; i < 2; i++)
        change_everything("InqReq", setpay_buffer_view(&content), paths[i], 0, refuse_inquiry);
    setpay_buffer_clear(&content);
}

/* ------------------------------------------------------------------ values */

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
#define SIXTEEN "1234567890123456"

/* rule A1: inside OI, signed */
static void values_are_in_their_range(void **state)
{
    static const struct odd_value values[] = {
        {"an amount of 0", {9}, 1, BYTES("\0"), "FIELD A1"},
        {"an amount of -1", {9}, 1, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "FIELD A1"},
        {"an amount of 10^12", {9}, 1, BYTES("\x80\xa0\x94\xa5\x8d\x1d"), "FIELD A1"},
        {"an overlong amount", {9}, 1, BYTES("\xe2\x89\x00"), "NOT_CANONICAL A1"},
        {"a currency that is none", {9}, 2, BYTES("XQZ"), "FIELD A1"},
        {"a currency in small letters", {9}, 2, BYTES("eur"), "FIELD A1"},
        {"a currency with a NUL", {9}, 2, BYTES("EU\0"), "TEXT A1"},
        {"terms of kind 0", {16}, 1, BYTES("\0"), "ENUM A1"},
        {"terms of kind 5", {16}, 1, BYTES("\x05"), "ENUM A1"},
        {"terms of kind 2^32 + 1", {16}, 1, BYTES("\x81\x80\x80\x80\x10"), "NOT_CANONICAL A1"},
        {"a recurrence without its numbers", {16}, 1, BYTES("\x04"), "FIELD A1"},
        {"a brand that is no UTF-8", {0}, 8, BYTES("vis\xe1"), "TEXT A1"},
        {"a NUL behind the brand", {0}, 8, BYTES("visa\0"), "TEXT A1"},
        {"a brand in capitals", {0}, 8, BYTES("VISA"), "FIELD A1"},
        {"a control character in lid_m", {0}, 5, BYTES("order\n1"), "FIELD A1"},
        {"an xid of 15 bytes", {0}, 1, BYTES("123456789012345"), "FIELD A1"},
        {"an xid of 17 bytes", {0}, 1, BYTES(SIXTEEN "7"), "FIELD A1"},
        {"an rrpid of 17 bytes", {0}, 2, BYTES(SIXTEEN "7"), "FIELD A1"},
        {"a challenge of 31 bytes", {0}, 7, BYTES(SIXTEEN "123456789012345"), "FIELD A1"},
        {"a cardholder of 33 bytes", {0}, 14, BYTES(SIXTEEN SIXTEEN "1"), "FIELD A1"},
        {"a date of 0", {0}, 3, BYTES("\0"), "FIELD A1"},
        {"a date in the year 10000", {0}, 3, BYTES("\x80\xa0\xde\xb3\xca\xe1\x39"), "FIELD A1"},
        {"an expiry before 1970",
         {0},
         15,
         BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         "FIELD A1"},
    };
    struct setpay_buffer changed;
    struct test_purchase *p = purchase();
    (void)state;
    setpay_buffer_init(&changed, CONTENT_MAX);
    test_purchase_sign(p);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        print_message("# %s\n", values[i].what);
        test_proto_replace(setpay_buffer_view(&p->oi_bytes), values[i].path, values[i].number,
                           values[i].value, &changed);
        refuse_oi(setpay_buffer_view(&changed), values[i].expected);
    }
    setpay_buffer_clear(&changed);
    test_purchase_free(p);
}

/* ------------------------------------------------------------------ around it */

/* rules A1 and A2 */
static void messages_have_one_form(void **state)
{
    static const uint32_t is_signed[] = {2, 0};
    static const struct odd_value values[] = {
        {"version 0", {0}, 1, BYTES("\0"), "VERSION A1"},
        {"version 2", {0}, 1, BYTES("\x02"), "VERSION A1"},
        {"version 300", {0}, 1, BYTES("\xac\x02"), "VERSION A1"},
        {"suite 0", {2}, 1, BYTES("\0"), "SUITE A1"},
        {"suite 2", {2}, 1, BYTES("\x02"), "SUITE A1"},
        {"type 0", {2}, 2, BYTES("\0"), "MESSAGE_TYPE A1"},
        {"a type that is to come", {2}, 2, BYTES("\x1b"), "MESSAGE_TYPE A1"},
        {"PReq as CanReq", {2}, 2, BYTES("\x17"), "UNSIGNED A2"},
        {"PReq as CapReq", {2}, 2, BYTES("\x0b"), "UNSIGNED A2"},
        {"type 99", {2}, 2, BYTES("\x63"), "MESSAGE_TYPE A1"},
        {"a receipt for a message", {2}, 2, BYTES("\x1e"), "MESSAGE_TYPE A1"},
        {"PReq as PInitReq", {2}, 2, BYTES("\x01"), "FIELD A1"},
        {"PReq as InqReq", {2}, 2, BYTES("\x05"), "UNSIGNED A2"},
        {"PReq as AuthReq", {2}, 2, BYTES("\x07"), "UNSIGNED A2"},
        {"no content", {2}, 3, BYTES(""), "FIELD A1"},
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
        refuse_form(setpay_buffer_view(&changed), values[i].expected);
    }
    change_everything("Signed", setpay_buffer_view(&message), is_signed, 0, refuse_form);
    change_everything("Message", setpay_buffer_view(&message), top, 2, refuse_form);
    print_message("# without its envelope\n");
    test_proto_change(setpay_buffer_view(&message), top, 5, TEST_PROTO_MISSING, &changed);
    refuse_form(setpay_buffer_view(&changed), "FIELD A1");
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&changed);
}

/* A field of the outer message, so many bytes long, so many times behind what is there. */
static void append_field(struct setpay_buffer *message, uint8_t number, size_t size, int times)
{
    uint8_t head[] = {(uint8_t)(number << 3 | 2), (uint8_t)(0x80 | (size & 0x7f)),
                      (uint8_t)(0x80 | (size >> 7 & 0x7f)), (uint8_t)(size >> 14)};
    size_t head_size = size < 16384 ? 3 : 4;
    uint8_t *room = NULL;
    if (head_size == 3)
        head[2] = (uint8_t)(size >> 7);
    for (int i = 0; i < times; i++) {
        assert_int_equal(setpay_buffer_append(message, setpay_view_of(head, head_size)), SETPAY_OK);
        assert_int_equal(setpay_buffer_extend(message, size, &room), SETPAY_OK);
        memset(room, 0x5a, size);
    }
}

/* rule A1: sizes and counts */
static void limits_hold(void **state)
{
    static const struct {
        const char *what;
        uint8_t number;
        size_t size;
        int times;
        const char *expected;
    } rows[] = {
        /* in their place behind the CA certificates; envelope and lists would have to come later */
        {"twenty certificates", 3, 200, 20, "TOO_BIG A1"},
        {"a certificate of five kilobytes", 3, 5000, 1, "TOO_BIG A1"},
        {"seventeen lists", 4, 200, SETPAY_LIMIT_CRLS + 1, "TOO_BIG A1"},
        {"a list of forty kilobytes", 4, 40000, 1, "TOO_BIG A1"},
        {"an envelope of five kilobytes", 5, 5000, 1, "TOO_BIG A1"},
    };
    struct setpay_buffer message, bare;
    (void)state;
    good_message(&message);
    setpay_buffer_init(&bare, SETPAY_LIMIT_MESSAGE_BYTES);
    test_proto_change(setpay_buffer_view(&message), top, 5, TEST_PROTO_MISSING, &bare);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct setpay_buffer grown;
        print_message("# %s\n", rows[i].what);
        setpay_buffer_init(&grown, SETPAY_LIMIT_MESSAGE_BYTES);
        assert_int_equal(setpay_buffer_set(&grown, setpay_buffer_view(&bare)), SETPAY_OK);
        append_field(&grown, rows[i].number, rows[i].size, rows[i].times);
        if (rows[i].number != 5)
            append_field(&grown, 5, 600, 1);
        refuse_form(setpay_buffer_view(&grown), rows[i].expected);
        setpay_buffer_clear(&grown);
    }
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&bare);
}

/* rule A1: truncated at places all over it, right behind a field too; and two of them in one. */
static void a_part_is_no_message(void **state)
{
    struct test_proto_field fields[TEST_PROTO_FIELDS];
    struct setpay_buffer message;
    (void)state;
    good_message(&message);
    for (size_t part = 1; part < 16; part++)
        refuse_form(setpay_view_of(message.data, part * message.size / 16), "MALFORMED A1");
    size_t count = test_proto_split(setpay_buffer_view(&message), fields);
    refuse_form(fields[0].whole, "FIELD A1"); /* nothing signed */
    refuse_form(setpay_view_of(message.data, message.size - fields[count - 1].whole.size),
                "FIELD A1"); /* all but the envelope */
    size_t size = message.size;
    struct setpay_buffer twice;
    setpay_buffer_init(&twice, (size_t)2 * SETPAY_LIMIT_MESSAGE_BYTES);
    for (int i = 0; i < 2; i++)
        assert_int_equal(setpay_buffer_append(&twice, setpay_view_of(message.data, size)),
                         SETPAY_OK);
    refuse_form(setpay_buffer_view(&twice), "NOT_CANONICAL A1");
    setpay_buffer_clear(&twice);
    setpay_buffer_clear(&message);
}

/* rule A1: messages that a merchant does not take, well-formed and well signed. */
static void other_messages(void **state)
{
    struct test_purchase *p = purchase();
    struct setpay_buffer message, content;
    (void)state;
    test_purchase_sign(p);
    test_purchase_auth_req(p, &message);
    print_message("# AuthReq\n");
    refuse_message(setpay_buffer_view(&message), "MESSAGE_TYPE A1");
    setpay_buffer_clear(&message);
    static const enum setpay_message_type answers[] = {
        SETPAY_MESSAGE_PINIT_RES,       SETPAY_MESSAGE_P_RES,        SETPAY_MESSAGE_INQ_RES,
        SETPAY_MESSAGE_AUTH_RES,        SETPAY_MESSAGE_AUTH_REV_RES, SETPAY_MESSAGE_PCERT_REQ,
        SETPAY_MESSAGE_PCERT_RES,       SETPAY_MESSAGE_CAP_RES,      SETPAY_MESSAGE_CRED_REQ,
        SETPAY_MESSAGE_BATCH_ADMIN_RES, SETPAY_MESSAGE_ERROR,        SETPAY_MESSAGE_CAN_RES,
        SETPAY_MESSAGE_AUTH_CAN_REQ,    SETPAY_MESSAGE_AUTH_CAN_RES,
    };
    setpay_buffer_init(&content, CONTENT_MAX);
    assert_int_equal(setpay_oi_build(&p->oi, &content), SETPAY_OK);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        print_message("# %s\n", setpay_message_type_name(answers[i]));
        test_merchant_message(answers[i], market.holder->party, setpay_buffer_view(&content),
                              &message);
        refuse_message(setpay_buffer_view(&message), "MESSAGE_TYPE A1");
        setpay_buffer_clear(&message);
    }
    setpay_buffer_clear(&content);
    test_purchase_free(p);
}

/* ------------------------------------------------------------------ the world */

static void honest_after_all(void **state)
{
    (void)state;
    test_sale_pay(&market, &sale);
    test_sale_inquire(&market, &paid, setpay_clock_now_ms(), &test_end_authorised);
}

static int open_world(void **state)
{
    (void)state;
    test_market_open(&market, NULL, "5m");
    test_sale_make(&market, market.holder, &sale);
    test_sale_make(&market, market.holder, &paid);
    test_sale_pay(&market, &paid);
    test_lied_agree(&market, FIRST, &agreed);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    test_sale_clear(&sale);
    test_sale_clear(&paid);
    test_sale_clear(&agreed);
    test_market_close(&market);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(purchases_have_one_form),
        cmocka_unit_test(requests_have_one_form),
        cmocka_unit_test(cancellations_have_one_form),
        cmocka_unit_test(a_signature_is_for_one_type),
        cmocka_unit_test(values_are_in_their_range),
        cmocka_unit_test(messages_have_one_form),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_part_is_no_message),
        cmocka_unit_test(other_messages),
        cmocka_unit_test(honest_after_all),
    };
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
