/*
 * A lying gateway before a running merchant that takes an authorisation back: because more or less
 * was approved than it had asked for (rule M6), or because it has given the order up (rule M9). The
 * reversal is repeated until an answer fits in everything; the shopper hears of the end only. And
 * one that refuses a capture after the store has given up the rest.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "merchant/payment/payment_store.h"
#include "tests/support/test_false_answer.h"
#include "tests/support/test_lied_sale.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 280
#define AHEAD_MS (2 * SETPAY_MINUTE_MS) /* the instruction has expired */

static struct test_market market;
static struct test_gateway *gateway;
static struct test_false_gateway *liar;
static struct test_party *other_gateway;

/* ------------------------------------------------------------------ the reversal itself */

enum lie {
    OTHER_XID,
    OTHER_BRAND,
    OTHER_MERCHANT,
    OTHER_CARDHOLDER,
    OTHER_POMD,
    LESS,
    MORE,
    OTHER_CURRENCY,
    SOMETHING_LEFT,
    OTHER_RECEIPT,
    OTHER_RRPID,
    OTHER_QUESTION,
    OTHER_RECEIVER,
    BY_ANOTHER,
    THE_QUESTION,
    NOISE,
};

static void spoil(enum lie lie, struct setpay_auth_rev_res *res)
{
    switch (lie) {
    case OTHER_XID:
        res->xid.bytes[0] ^= 1;
        break;
    case OTHER_BRAND:
        (void)snprintf(res->brand, sizeof res->brand, "mastercard");
        break;
    case OTHER_MERCHANT:
        (void)snprintf(res->merchant_id, sizeof res->merchant_id, "other");
        break;
    case OTHER_CARDHOLDER:
        res->cardholder = market.neighbour->party->thumbprint;
        break;
    case OTHER_POMD:
        res->pomd.bytes[31] ^= 1;
        break;
    case LESS:
        res->amount.minor -= 250;
        break;
    case MORE:
        res->amount.minor++;
        break;
    case OTHER_CURRENCY:
        (void)snprintf(res->amount.currency, sizeof res->amount.currency, "USD");
        (void)snprintf(res->remaining.currency, sizeof res->remaining.currency, "USD");
        break;
    case SOMETHING_LEFT:
        res->remaining.minor = 1;
        break;
    case OTHER_RRPID:
        res->header.rrpid.bytes[0] ^= 1;
        break;
    case OTHER_QUESTION:
        res->header.request_hash.bytes[31] ^= 1;
        break;
    case OTHER_RECEIVER:
        res->header.receiver = gateway->other.sign->thumbprint;
        break;
    default:
        break;
    }
}

static void must(enum setpay_error error)
{
    if (error != SETPAY_OK)
        abort(); /* on a thread of the lying gateway, where no test can fail */
}

static void tell_reversal(const struct test_question *q, const void *arg,
                          struct setpay_buffer *answer)
{
    static const uint32_t receipt[] = {10, 0};
    static const uint8_t authorisation = SETPAY_RECEIPT_AUTHORISATION;
    const enum lie *lie = arg;
    struct setpay_buffer content;
    const struct test_party *signer = *lie == BY_ANOTHER ? other_gateway : gateway->sign[0];
    if (q->message.type != SETPAY_MESSAGE_AUTH_REV_REQ || *lie == NOISE) {
        test_false_answer_noise(answer); /* to the AuthReq that is repeated till the order ends */
        return;
    }
    if (*lie == THE_QUESTION) {
        must(setpay_buffer_set(answer, q->bytes));
        return;
    }
    struct setpay_auth_rev_res res = test_question_auth_rev_res(q);
    spoil(*lie, &res);
    res.header.sender = signer->thumbprint;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    must(setpay_auth_rev_res_build(&res, &content));
    if (*lie == OTHER_RECEIPT) /* nobody builds such an answer */
        test_proto_replace(setpay_buffer_view(&content), receipt, 1,
                           setpay_view_of(&authorisation, 1), &content);
    test_false_answer_sign(SETPAY_MESSAGE_AUTH_REV_RES, signer, setpay_buffer_view(&content),
                           answer);
    setpay_buffer_clear(&content);
}

/* An authorisation whose answer was lost, whose order then ended, and whose void came too late. */
static void learn_too_late(struct test_scene *scene, const struct test_lie *lie)
{
    static const enum lie nothing = NOISE;
    const struct test_lie first = {
        .to = SETPAY_MESSAGE_AUTH_REQ, .tell = tell_reversal, .arg = &nothing};
    test_scene_start(&market, liar, &first, scene);
    test_scene_expect_open(scene, "asking", SETPAY_ASK_AUTHORISE, "MALFORMED A1");
    test_scene_set_clock(scene, AHEAD_MS);
    test_merchantd_wait_state(market.merchant, &scene->sale.purchase->oi.xid, "voiding");
    test_false_gateway_lie(liar, lie); /* the truth for AuthReq, that lie for AuthRevReq */
}

/* rules M6, A4 */
static void test_false_reversal(void **state)
{
    static const struct {
        enum lie lie;
        const char *what;
        const char *expected;
    } rows[] = {
        {OTHER_XID, "another xid", "AUTH_MISMATCH M6"},
        {OTHER_BRAND, "another brand", "AUTH_MISMATCH M6"},
        {OTHER_MERCHANT, "another merchant's id", "AUTH_MISMATCH M6"},
        {OTHER_CARDHOLDER, "another cardholder", "AUTH_MISMATCH M6"},
        {OTHER_POMD, "another POMD", "AUTH_MISMATCH M6"},
        {LESS, "less", "AUTH_MISMATCH M6"},
        {MORE, "more", "AUTH_MISMATCH M6"},
        {OTHER_CURRENCY, "another currency", "AUTH_MISMATCH M6"},
        {SOMETHING_LEFT, "something left", "AUTH_MISMATCH M6"},
        {OTHER_RECEIPT, "the receipt of an authorisation", "FIELD A1"},
        {OTHER_RRPID, "another rrpid", "ANSWER_IDS A4"},
        {OTHER_QUESTION, "another question", "ANSWER_REQUEST A4"},
        {OTHER_RECEIVER, "to another merchant", "ANSWER_PARTIES A4"},
        {BY_ANOTHER, "signed by another gateway", "ANSWER_SIGNER A4"},
        {THE_QUESTION, "the question itself", "MESSAGE_TYPE A1"},
        {NOISE, "noise", "MALFORMED A1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_scene scene;
        const struct test_lie lie = {
            .to = SETPAY_MESSAGE_AUTH_REV_REQ, .tell = tell_reversal, .arg = &rows[i].lie};
        print_message("# %s\n", rows[i].what);
        learn_too_late(&scene, &lie);
        test_scene_expect_open(&scene, "reversing", SETPAY_ASK_REVERSE, rows[i].expected);
        test_false_gateway_behave(liar);
        test_scene_end(&scene, &test_end_reversed, NULL);
    }
}

/* rule A4: a reversal that is refused is no reversal, whatever the word. */
static void test_refused_reversal(void **state)
{
    static const struct test_party *itself;
    static const struct test_false_error words[] = {
        {.code = SETPAY_WIRE_UNKNOWN_TRANSACTION, .signer = &itself},
        {.code = SETPAY_WIRE_AMOUNT, .signer = &itself},
        {.code = SETPAY_WIRE_ALREADY_USED},
        {.code = SETPAY_WIRE_NOT_PERMITTED, .signer = &itself},
    };
    (void)state;
    itself = gateway->sign[0];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct test_scene scene;
        const struct test_lie lie = {
            .to = SETPAY_MESSAGE_AUTH_REV_REQ, .tell = test_false_error_say, .arg = &words[i]};
        print_message("# code %u\n", words[i].code);
        learn_too_late(&scene, &lie);
        test_scene_expect_open(&scene, "reversing", SETPAY_ASK_REVERSE, NULL);
        test_false_gateway_behave(liar);
        test_scene_end(&scene, &test_end_reversed, NULL);
    }
}

/* ------------------------------------------------------------------ another amount */

/* What the gateway says it has approved; it has approved what was asked. When the merchant gives
 * that back, the gateway really gives back what it has, and says what it has to. */
struct other_amount {
    int64_t minor;
    enum setpay_auth_outcome outcome;
    const char *expected; /* of the log */
};

static struct setpay_auth_rev_res reverse_really(const struct test_question *q,
                                                 const struct setpay_auth_rev_req *asked)
{
    struct setpay_auth_rev_req req = *asked;
    struct setpay_buffer content, message, answer;
    struct setpay_message opened;
    struct setpay_auth_rev_res res;
    uint64_t id = 0;
    struct test_line *line = test_line_new(q->gateway, q->gateway->shop[0].tls, "visa");
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    /* the merchant's own was refused, for its amount; or has given back only so much */
    req.amount.minor = TEST_PRICE - (asked->amount.minor < TEST_PRICE ? asked->amount.minor : 0);
    req.header.rrpid.bytes[0] ^= 1;
    if (line == NULL || setpay_auth_rev_req_build(&req, &content) != SETPAY_OK)
        abort();
    test_merchant_message(SETPAY_MESSAGE_AUTH_REV_REQ, q->gateway->shop[0].sign,
                          setpay_buffer_view(&content), &message);
    test_line_send(line, 1, setpay_buffer_view(&message));
    if (!test_line_receive(line, &id, &answer) ||
        setpay_message_parse(setpay_buffer_view(&answer), &opened) != SETPAY_OK ||
        setpay_auth_rev_res_parse(opened.content, &res) != SETPAY_OK)
        abort();
    setpay_message_clear(&opened);
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    test_line_free(line);
    return res;
}

static void tell_other_amount(const struct test_question *q, const void *arg,
                              struct setpay_buffer *answer)
{
    const struct other_amount *lie = arg;
    if (q->message.type == SETPAY_MESSAGE_AUTH_REQ) {
        struct setpay_auth_res res = test_question_auth_res(q);
        res.outcome = lie->outcome;
        res.amount.minor = lie->minor;
        test_false_auth_res_say(q, &res, answer);
        return;
    }
    struct setpay_auth_rev_req asked;
    if (setpay_auth_rev_req_parse(q->message.content, &asked) != SETPAY_OK ||
        asked.amount.minor != lie->minor)
        abort(); /* it gives back all that was said to be approved */
    struct setpay_auth_rev_res res = reverse_really(q, &asked);
    res.header.rrpid = q->rrpid;
    if (setpay_message_request_hash(&q->message, &res.header.request_hash) != SETPAY_OK)
        abort();
    res.amount.minor = lie->minor;
    test_false_auth_rev_res_say(q, &res, answer);
}

/* rule M6: more than was asked is refused and reversed, and so is less, which was not asked for. */
static void test_other_amounts(void **state)
{
    static const struct other_amount rows[] = {
        {TEST_PRICE + 1, SETPAY_AUTH_APPROVED, "OVER_APPROVED M6"},
        {999999999999, SETPAY_AUTH_APPROVED, "OVER_APPROVED M6"},
        {2 * TEST_PRICE, SETPAY_AUTH_PARTIAL, "OVER_APPROVED M6"},
        {TEST_PRICE - 1, SETPAY_AUTH_PARTIAL, "AUTH_MISMATCH M6"},
        {1, SETPAY_AUTH_APPROVED, "AUTH_MISMATCH M6"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_scene scene;
        const struct test_lie lie = {.tell = tell_other_amount, .arg = &rows[i]};
        print_message("# %lld approved\n", (long long)rows[i].minor);
        test_scene_start(&market, liar, &lie, &scene);
        struct test_order order = scene.sale.order;
        test_scene_end(&scene, &test_end_reversed, NULL);
        test_false_gateway_behave(liar);
        assert_string_equal(test_daemon_refusal(&market.merchant->daemon, "gateway.amount", NULL),
                            rows[i].expected);
        assert_string_equal(test_merchantd_order_status(market.merchant, &order), "open");
    }
}

/* ------------------------------------------------------------------ the last part */

#define TAKEN 500 /* of TEST_PRICE */

/* To a capture that the real gateway never hears of: nothing, or that it is refused. */
static void tell_capture(const struct test_question *q, const void *arg,
                         struct setpay_buffer *answer)
{
    struct setpay_step_req asked;
    struct setpay_step_refused refused;
    struct setpay_buffer content;
    if (!*(const bool *)arg)
        return;
    must(setpay_step_req_parse(q->message.content, &asked));
    refused = (struct setpay_step_refused){.xid = asked.steps[0].xid,
                                           .of = asked.steps[0].of,
                                           .amount = asked.steps[0].amount,
                                           .code = SETPAY_WIRE_AMOUNT};
    struct setpay_step_res res = {
        .header = {.rrpid = q->rrpid,
                   .date_ms = setpay_clock_now_ms(),
                   .sender = gateway->sign[0]->thumbprint,
                   .has_receiver = true,
                   .receiver = q->message.signer},
        .refused = &refused,
        .refused_count = 1,
    };
    must(setpay_message_request_hash(&q->message, &res.header.request_hash));
    memcpy(res.brand, asked.brand, sizeof res.brand);
    memcpy(res.merchant_id, asked.merchant_id, sizeof res.merchant_id);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    must(setpay_step_res_build(&res, &content));
    test_false_answer_sign(SETPAY_MESSAGE_CAP_RES, gateway->sign[0], setpay_buffer_view(&content),
                           answer);
    setpay_buffer_clear(&content);
    setpay_step_req_clear(&asked);
}

static void command(const struct test_sale *sale, const char *name, int minor)
{
    json_decref(test_daemon_control(&market.merchant->daemon, name,
                                    json_pack("{s:s, s:i, s:s}", "order_id", sale->order.id,
                                              "amount", minor, "currency", "EUR")));
}

static void expect_done(const struct test_sale *sale, const char *what, const char *body,
                        const char *status)
{
    char path[160];
    json_t *answer = NULL;
    (void)snprintf(path, sizeof path, "/orders/%s/%s", sale->order.id, what);
    int code = test_merchantd_api(market.merchant, path, body, &answer);
    if (code != 200)
        fail_msg("%s: %d %s", what, code, json_string_value(json_object_get(answer, "detail")));
    assert_string_equal(json_string_value(json_object_get(answer, "status")), status);
    json_decref(answer);
}

static int64_t ended(const struct test_sale *sale)
{
    char sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT ended FROM orders WHERE order_id = '%s'",
                   sale->order.id);
    return test_daemon_number(&market.merchant->daemon, sql);
}

static int64_t reversed(const struct test_sale *sale)
{
    char sql[160], hex[SETPAY_ID_TEXT_SIZE];
    (void)snprintf(sql, sizeof sql, "SELECT reversed_minor FROM payment WHERE xid = x'%s'",
                   setpay_id_format(&sale->purchase->oi.xid, hex));
    return test_gateway_number(gateway, sql);
}

/* All that is left is given up while a capture is undecided: it is the last part only where that
 * comes to pass. It is refused, so that the order goes on, and what it would have taken is given up
 * as a part again. */
static void test_the_last_part_while_a_capture_is_undecided(void **state)
{
    static const bool silent = false, refuses = true;
    const struct test_lie nothing = {
        .to = SETPAY_MESSAGE_CAP_REQ, .tell = tell_capture, .arg = &silent, .alone = true};
    const struct test_lie refusal = {
        .to = SETPAY_MESSAGE_CAP_REQ, .tell = tell_capture, .arg = &refuses, .alone = true};
    struct test_sale sale;
    struct setpay_id rrpid;
    (void)state;
    test_sale_make(&market, market.holder, &sale);
    test_sale_pay(&market, &sale);
    test_false_gateway_hold(liar, &nothing);
    command(&sale, "order.capture", TAKEN);
    test_false_gateway_wait_held(liar, &rrpid);
    command(&sale, "order.void", TEST_PRICE - TAKEN);
    assert_int_equal(ended(&sale), 0);
    test_false_gateway_release(liar);
    test_false_gateway_lie(liar, &refusal);
    test_merchantd_wait_state(market.merchant, &sale.purchase->oi.xid, "authorised");
    test_false_gateway_behave(liar);
    assert_int_equal(reversed(&sale), TEST_PRICE - TAKEN);
    assert_int_equal(ended(&sale), 0);
    expect_done(&sale, "void", "{\"amount\":200}", "authorised");
    expect_done(&sale, "void", "{\"amount\":300}", "voided");
    assert_int_equal(reversed(&sale), TEST_PRICE);
    test_sale_clear(&sale);
    market.lies++;
}

/* ------------------------------------------------------------------ the world */

static int open_world(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    liar = test_false_gateway_new(gateway);
    other_gateway =
        test_party_new(gateway->pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "gateway-2", NULL);
    test_market_open_with(&market, gateway, test_false_gateway_address(liar), "5m");
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    test_daemon_kill(&market.merchant->daemon);
    test_false_gateway_free(liar);
    test_party_free(other_gateway);
    test_market_close(&market);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_false_reversal),
        cmocka_unit_test(test_refused_reversal),
        cmocka_unit_test(test_other_amounts),
        cmocka_unit_test(test_the_last_part_while_a_capture_is_undecided),
    };
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
