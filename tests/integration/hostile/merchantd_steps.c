/*
 * A lying gateway before a running merchant that captures, gives back and undoes: an answer that
 * does not fit in everything is as if nothing had come, an Error ends nothing, and the same request
 * is repeated until the truth comes. So it is with batches.
 *
 * What counts in the end is what the real gateway has booked: each step once.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "merchant/store/payment_port.h"
#include "tests/support/test_false_answer.h"
#include "tests/support/test_lied_sale.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 280

static struct test_market market;
static struct test_gateway *gateway;
static struct test_false_gateway *liar;
static struct test_party *other_gateway;

static void must(enum setpay_error error)
{
    if (error != SETPAY_OK)
        abort(); /* on a thread of the lying gateway, where no test can fail */
}

/* ------------------------------------------------------------------ asking */

static json_t *order_of(const struct test_sale *sale)
{
    json_t *order = NULL;
    char path[160];
    (void)snprintf(path, sizeof path, "/orders/%s", sale->order.id);
    assert_int_equal(test_merchantd_api(market.merchant, path, NULL, &order), 200);
    return order;
}

/* As the operator does, who does not wait here. member: of args, with the id of the newest of that
 * list; NULL: none. */
static void ask(const struct test_sale *sale, const char *command, const char *member,
                const char *list)
{
    json_t *args = json_pack("{s:s}", "order_id", sale->order.id);
    if (member != NULL) {
        json_t *order = order_of(sale);
        const json_t *steps = json_object_get(order, list);
        const json_t *newest = json_array_get(steps, json_array_size(steps) - 1);
        (void)json_object_set(args, member, json_object_get(newest, "id"));
        json_decref(order);
    }
    json_decref(test_daemon_control(&market.merchant->daemon, command, args));
}

static int64_t booked(const struct test_sale *sale, const char *column)
{
    char sql[160], hex[SETPAY_ID_TEXT_SIZE];
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM payment WHERE xid = x'%s'", column,
                   setpay_id_format(&sale->purchase->oi.xid, hex));
    return test_gateway_number(gateway, sql);
}

/* ------------------------------------------------------------------ the lies */

enum lie {
    OTHER_XID,
    OTHER_OF,
    OTHER_BRAND,
    OTHER_MERCHANT,
    OTHER_CARDHOLDER,
    OTHER_POMD,
    LESS,
    MORE,
    OTHER_CURRENCY,
    OTHER_REMAINING,
    OTHER_RECEIPT,
    DONE_TWICE,
    DONE_AND_REFUSED,
    REFUSED_FOR_MORE,
    OTHER_RRPID,
    OTHER_QUESTION,
    OTHER_RECEIVER,
    BY_ANOTHER,
    OTHER_TYPE,
    THE_QUESTION,
    NOISE,
};

static struct setpay_step_refused refused_of(const struct setpay_step_done *done, uint32_t code)
{
    return (struct setpay_step_refused){
        .xid = done->xid, .of = done->of, .amount = done->amount, .code = code};
}

static void spoil_done(enum lie lie, struct setpay_step_done *done)
{
    switch (lie) {
    case OTHER_XID:
        done->xid.bytes[0] ^= 1;
        break;
    case OTHER_OF:
        done->of.bytes[0] ^= 1;
        break;
    case OTHER_CARDHOLDER:
        done->cardholder = market.neighbour->party->thumbprint;
        break;
    case OTHER_POMD:
        done->pomd.bytes[31] ^= 1;
        break;
    case LESS:
        done->amount.minor--;
        break;
    case MORE:
        done->amount.minor++;
        break;
    case OTHER_CURRENCY:
        (void)snprintf(done->amount.currency, sizeof done->amount.currency, "USD");
        (void)snprintf(done->remaining.currency, sizeof done->remaining.currency, "USD");
        break;
    case OTHER_REMAINING:
        done->remaining.minor++;
        break;
    case OTHER_RECEIPT:
        done->receipt.kind = done->receipt.kind == SETPAY_RECEIPT_CREDIT ? SETPAY_RECEIPT_CAPTURE
                                                                         : SETPAY_RECEIPT_CREDIT;
        break;
    default:
        break;
    }
}

static void spoil(enum lie lie, struct setpay_step_res *res)
{
    spoil_done(lie, &res->done[0]);
    switch (lie) {
    case OTHER_BRAND:
        (void)snprintf(res->brand, sizeof res->brand, "mastercard");
        break;
    case OTHER_MERCHANT:
        (void)snprintf(res->merchant_id, sizeof res->merchant_id, "other");
        break;
    case DONE_TWICE:
        res->done[1] = res->done[0];
        res->done_count = 2;
        break;
    case DONE_AND_REFUSED:
        res->refused[0] = refused_of(&res->done[0], SETPAY_WIRE_EXPIRED);
        res->refused_count = 1;
        break;
    case REFUSED_FOR_MORE:
        res->refused[0] = refused_of(&res->done[0], SETPAY_WIRE_EXPIRED);
        res->refused[0].amount.minor++;
        res->refused_count = 1;
        res->done_count = 0;
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

/* What the real gateway has said, with room for one more of each. */
static void truth_of(const struct test_question *q, struct setpay_step_res *res)
{
    struct setpay_message truth;
    struct setpay_step_done *done = calloc(2, sizeof *done);
    struct setpay_step_refused *refused = calloc(2, sizeof *refused);
    must(setpay_message_parse(q->truth, &truth));
    must(setpay_step_res_parse(truth.content, res));
    if (done == NULL || refused == NULL || res->done_count != 1)
        abort();
    done[0] = res->done[0];
    free(res->done);
    free(res->refused);
    res->done = done;
    res->refused = refused;
    setpay_message_clear(&truth);
}

static void say(const struct setpay_step_res *res, enum setpay_message_type type,
                const struct test_party *signer, struct setpay_buffer *answer)
{
    struct setpay_buffer content;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    must(setpay_step_res_build(res, &content));
    test_false_answer_sign(type, signer, setpay_buffer_view(&content), answer);
    setpay_buffer_clear(&content);
}

static void tell_step(const struct test_question *q, const void *arg, struct setpay_buffer *answer)
{
    const enum lie *lie = arg;
    const struct test_party *signer = *lie == BY_ANOTHER ? other_gateway : gateway->sign[0];
    enum setpay_message_type type = (enum setpay_message_type)(q->message.type + 1);
    struct setpay_step_res res;
    if (*lie == NOISE) {
        test_false_answer_noise(answer);
        return;
    }
    if (*lie == THE_QUESTION) {
        must(setpay_buffer_set(answer, q->bytes));
        return;
    }
    truth_of(q, &res);
    spoil(*lie, &res);
    res.header.sender = signer->thumbprint;
    if (*lie == OTHER_TYPE)
        type = type == SETPAY_MESSAGE_CAP_RES ? SETPAY_MESSAGE_CRED_RES : SETPAY_MESSAGE_CAP_RES;
    say(&res, type, signer, answer);
    setpay_step_res_clear(&res);
}

static const struct {
    enum lie lie;
    const char *what;
    const char *expected;
} rows[] = {
    {OTHER_XID, "another xid", "AUTH_MISMATCH M6"},
    {OTHER_OF, "of another authorisation or step", "AUTH_MISMATCH M6"},
    {OTHER_BRAND, "another brand", "AUTH_MISMATCH M6"},
    {OTHER_MERCHANT, "another merchant's id", "AUTH_MISMATCH M6"},
    {OTHER_CARDHOLDER, "another cardholder", "AUTH_MISMATCH M6"},
    {OTHER_POMD, "another POMD", "AUTH_MISMATCH M6"},
    {LESS, "less", "AUTH_MISMATCH M6"},
    {MORE, "more done than asked", "AUTH_MISMATCH M6"},
    {OTHER_CURRENCY, "another currency", "AUTH_MISMATCH M6"},
    {OTHER_REMAINING, "more remaining", "AUTH_MISMATCH M6"},
    {OTHER_RECEIPT, "the receipt of another kind", "AUTH_MISMATCH M6"},
    {DONE_TWICE, "done twice", "AUTH_MISMATCH M6"},
    {DONE_AND_REFUSED, "done and refused", "AUTH_MISMATCH M6"},
    {REFUSED_FOR_MORE, "another amount refused", "AUTH_MISMATCH M6"},
    {OTHER_RRPID, "another rrpid", "ANSWER_IDS A4"},
    {OTHER_QUESTION, "another question", "ANSWER_REQUEST A4"},
    {OTHER_RECEIVER, "to another merchant", "ANSWER_PARTIES A4"},
    {BY_ANOTHER, "signed by another gateway", "ANSWER_SIGNER A4"},
    {OTHER_TYPE, "the answer to another kind of step", "MESSAGE_TYPE A1"},
    {THE_QUESTION, "the question itself", "MESSAGE_TYPE A1"},
    {NOISE, "noise", "MALFORMED A1"},
};
#define ROWS (sizeof rows / sizeof *rows)

static void settle(const struct test_sale *sale, const char *then)
{
    test_merchantd_wait_state(market.merchant, &sale->purchase->oi.xid, then);
}

static void pay(struct test_sale *sale)
{
    test_sale_make(&market, market.holder, sale);
    test_sale_pay(&market, sale);
}

/* rules M6, A4: of each kind of step */
static void test_false_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct test_sale sale;
        struct test_lie lie = {.tell = tell_step, .arg = &rows[i].lie};
        print_message("# %s\n", rows[i].what);
        pay(&sale);
        lie.to = SETPAY_MESSAGE_CAP_REQ;
        test_false_gateway_lie(liar, &lie);
        ask(&sale, "order.capture", NULL, NULL);
        test_lied_expect_nothing(&market, liar, &sale, rows[i].expected, "captured");
        assert_int_equal(booked(&sale, "captured_minor"), TEST_PRICE);
        assert_string_equal(test_merchantd_order_status(market.merchant, &sale.order), "captured");
        if (i % 3 != 0) { /* the same code judges both */
            test_sale_clear(&sale);
            continue;
        }
        lie.to = SETPAY_MESSAGE_CRED_REQ;
        test_false_gateway_lie(liar, &lie);
        ask(&sale, "order.refund", NULL, NULL);
        test_lied_expect_nothing(&market, liar, &sale, rows[i].expected, "captured");
        assert_int_equal(booked(&sale, "credited_minor"), TEST_PRICE);
        assert_string_equal(test_merchantd_order_status(market.merchant, &sale.order), "refunded");
        test_sale_clear(&sale);
    }
}

/* The same for what undoes them, a lie of each sort. */
static void test_false_undoing(void **state)
{
    static const enum lie lies[] = {MORE, OTHER_OF, OTHER_RECEIPT, OTHER_REMAINING};
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct test_sale sale;
        struct test_lie lie = {.tell = tell_step, .arg = &lies[i]};
        pay(&sale);
        ask(&sale, "order.capture", NULL, NULL);
        settle(&sale, "captured");
        ask(&sale, "order.refund", NULL, NULL);
        settle(&sale, "captured");
        lie.to = SETPAY_MESSAGE_CRED_REV_REQ;
        test_false_gateway_lie(liar, &lie);
        ask(&sale, "order.undo", "id", "refunds");
        test_lied_expect_nothing(&market, liar, &sale, "AUTH_MISMATCH M6", "captured");
        assert_int_equal(booked(&sale, "credited_minor"), 0);
        lie.to = SETPAY_MESSAGE_CAP_REV_REQ;
        test_false_gateway_lie(liar, &lie);
        ask(&sale, "order.undo", "id", "captures");
        test_lied_expect_nothing(&market, liar, &sale, "AUTH_MISMATCH M6", "authorised");
        assert_int_equal(booked(&sale, "captured_minor"), 0);
        assert_string_equal(test_merchantd_order_status(market.merchant, &sale.order),
                            "authorised");
        test_sale_clear(&sale);
    }
}

/* rule M6: a capture in the answer to an AuthReq that asked for none */
static void tell_sale(const struct test_question *q, const void *arg, struct setpay_buffer *answer)
{
    struct setpay_auth_res res = test_question_auth_res(q);
    (void)arg;
    res.has_capture = true;
    res.capture = (struct setpay_step_done){.xid = res.xid,
                                            .of = res.cap_token,
                                            .amount = res.amount,
                                            .id = res.cap_token,
                                            .batch = 1,
                                            .remaining = res.amount,
                                            .cardholder = res.cardholder,
                                            .pomd = res.pomd,
                                            .receipt = res.receipt};
    res.capture.remaining.minor = 0;
    res.capture.receipt.kind = SETPAY_RECEIPT_CAPTURE;
    test_false_auth_res_say(q, &res, answer);
}

static void test_a_capture_that_nobody_asked_for(void **state)
{
    const struct test_lie lie = {.to = SETPAY_MESSAGE_AUTH_REQ, .tell = tell_sale};
    (void)state;
    test_lied_sale(&market, liar, &lie, "AUTH_MISMATCH M6", NULL);
}

/* rule A4: an Error ends no step, whatever its word, signed or not. */
static void test_errors(void **state)
{
    static const struct test_party *itself;
    static const struct test_false_error words[] = {
        {.code = SETPAY_WIRE_UNKNOWN_TRANSACTION, .signer = &itself},
        {.code = SETPAY_WIRE_AMOUNT, .signer = &itself},
        {.code = SETPAY_WIRE_ALREADY_USED},
        {.code = SETPAY_WIRE_NOT_PERMITTED, .signer = &itself},
        {.code = SETPAY_WIRE_BUSY},
        {.code = SETPAY_WIRE_EXPIRED, .signer = &itself},
    };
    (void)state;
    itself = gateway->sign[0];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct test_sale sale;
        const struct test_lie lie = {
            .to = SETPAY_MESSAGE_CAP_REQ, .tell = test_false_error_say, .arg = &words[i]};
        print_message("# code %u\n", words[i].code);
        pay(&sale);
        test_false_gateway_lie(liar, &lie);
        ask(&sale, "order.capture", NULL, NULL);
        test_lied_expect_nothing(&market, liar, &sale, NULL, "captured");
        assert_int_equal(booked(&sale, "captured_minor"), TEST_PRICE);
        test_sale_clear(&sale);
    }
}

/* ------------------------------------------------------------------ refusals */

/* The gateway's signed refusal, of a step that it was kept from booking. */
static void tell_refusal(const struct test_question *q, const void *arg,
                         struct setpay_buffer *answer)
{
    const uint32_t *code = arg;
    struct setpay_step_req req;
    struct setpay_step_refused refused;
    struct setpay_step_res res = {.refused = &refused, .refused_count = 1};
    must(setpay_step_req_parse(q->message.content, &req));
    refused = (struct setpay_step_refused){.xid = req.steps[0].xid,
                                           .of = req.steps[0].of,
                                           .amount = req.steps[0].amount,
                                           .code = *code};
    res.header = (struct setpay_response_header){
        .rrpid = req.header.rrpid,
        .date_ms = req.header.date_ms,
        .sender = gateway->sign[0]->thumbprint,
        .has_receiver = true,
        .receiver = req.header.sender,
    };
    must(setpay_message_request_hash(&q->message, &res.header.request_hash));
    memcpy(res.brand, req.brand, sizeof res.brand);
    memcpy(res.merchant_id, req.merchant_id, sizeof res.merchant_id);
    say(&res, (enum setpay_message_type)(q->message.type + 1), gateway->sign[0], answer);
    setpay_step_req_clear(&req);
}

/* What the gateway says it has not done is shown with its code, and the hold is there for the next
 * capture. */
static void test_refused(void **state)
{
    static const uint32_t codes[] = {SETPAY_WIRE_EXPIRED, SETPAY_WIRE_AMOUNT,
                                     SETPAY_WIRE_NOT_PERMITTED, SETPAY_WIRE_UNKNOWN_TRANSACTION,
                                     999};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct test_sale sale;
        char path[160];
        json_t *answer = NULL;
        const struct test_lie lie = {
            .to = SETPAY_MESSAGE_CAP_REQ, .tell = tell_refusal, .arg = &codes[i], .alone = true};
        print_message("# code %u\n", codes[i]);
        pay(&sale);
        test_false_gateway_lie(liar, &lie);
        (void)snprintf(path, sizeof path, "/orders/%s/capture", sale.order.id);
        assert_int_equal(test_merchantd_api(market.merchant, path, "{}", &answer), 409);
        assert_string_equal(json_string_value(json_object_get(answer, "type")),
                            "urn:setpay:problem:refused-by-gateway");
        json_decref(answer);
        json_t *order = order_of(&sale);
        const json_t *capture = json_array_get(json_object_get(order, "captures"), 0);
        assert_string_equal(json_string_value(json_object_get(order, "status")), "authorised");
        assert_string_equal(json_string_value(json_object_get(capture, "status")), "refused");
        assert_int_equal(json_integer_value(json_object_get(capture, "code")), codes[i]);
        json_decref(order);
        test_false_gateway_behave(liar);
        assert_int_equal(test_merchantd_api(market.merchant, path, "{}", &answer), 200);
        json_decref(answer);
        assert_int_equal(booked(&sale, "captured_minor"), TEST_PRICE);
        test_sale_clear(&sale);
        market.lies++;
    }
}

/* A refusal that is of the gateway's present trouble is no end: asked anew, under another rrpid. */
static void test_refused_for_now(void **state)
{
    static const uint32_t codes[] = {SETPAY_WIRE_BUSY, SETPAY_WIRE_DATE};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct test_sale sale;
        const struct test_lie lie = {
            .to = SETPAY_MESSAGE_CAP_REQ, .tell = tell_refusal, .arg = &codes[i], .alone = true};
        pay(&sale);
        test_false_gateway_lie(liar, &lie);
        ask(&sale, "order.capture", NULL, NULL);
        test_lied_wait_told(liar, 1);
        struct setpay_id first = test_lied_newest_rrpid(&market);
        test_lied_wait_told(liar, 2);
        struct setpay_id later = test_lied_newest_rrpid(&market);
        assert_false(setpay_id_equal(&first, &later));
        assert_string_equal(test_merchantd_state(market.merchant, &sale.purchase->oi.xid),
                            "stepping");
        test_false_gateway_behave(liar);
        test_merchantd_wait_state(market.merchant, &sale.purchase->oi.xid, "captured");
        assert_int_equal(booked(&sale, "captured_minor"), TEST_PRICE);
        test_sale_clear(&sale);
        market.lies++;
    }
}

/* ------------------------------------------------------------------ batches */

enum batch_lie { BATCH_OTHER, BATCH_TOTALS, BATCH_NOT_CLOSED, BATCH_ENDLESS, BATCH_BRAND };

static void tell_batch(const struct test_question *q, const void *arg, struct setpay_buffer *answer)
{
    const enum batch_lie *lie = arg;
    struct setpay_message truth;
    struct setpay_batch_admin_res res;
    struct setpay_buffer content;
    must(setpay_message_parse(q->truth, &truth));
    must(setpay_batch_admin_res_parse(truth.content, &res));
    switch (*lie) {
    case BATCH_OTHER:
        res.batch++;
        break;
    case BATCH_TOTALS:
        res.totals[0].capture_minor++;
        break;
    case BATCH_NOT_CLOSED:
        res.closed_ms = 0;
        break;
    case BATCH_ENDLESS:
        res.more = true;
        break;
    case BATCH_BRAND:
        (void)snprintf(res.brand, sizeof res.brand, "mastercard");
        break;
    }
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    must(setpay_batch_admin_res_build(&res, &content));
    test_false_answer_sign(SETPAY_MESSAGE_BATCH_ADMIN_RES, gateway->sign[0],
                           setpay_buffer_view(&content), answer);
    setpay_buffer_clear(&content);
    setpay_batch_admin_res_clear(&res);
    setpay_message_clear(&truth);
}

static int64_t state_of_newest_batch(void)
{
    return test_daemon_number(&market.merchant->daemon,
                              "SELECT state FROM batch ORDER BY id DESC LIMIT 1");
}

/* rule M6: closed is what both count the same, and nothing else */
static void test_false_batches(void **state)
{
    static const enum batch_lie lies[] = {BATCH_OTHER, BATCH_TOTALS, BATCH_NOT_CLOSED,
                                          BATCH_ENDLESS, BATCH_BRAND};
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct test_sale sale;
        const struct test_lie lie = {
            .to = SETPAY_MESSAGE_BATCH_ADMIN_REQ, .tell = tell_batch, .arg = &lies[i]};
        pay(&sale);
        ask(&sale, "order.capture", NULL, NULL);
        settle(&sale, "captured");
        test_false_gateway_lie(liar, &lie);
        json_decref(test_daemon_control(&market.merchant->daemon, "batch.close", json_object()));
        test_lied_wait_told(liar, 2);
        assert_int_equal(state_of_newest_batch(), SETPAY_BATCH_STATE_CLOSING);
        assert_string_equal(test_daemon_wait_refusal(&market.merchant->daemon, "batch.no_answer",
                                                     NULL, "AUTH_MISMATCH M6", NULL),
                            "AUTH_MISMATCH M6");
        test_false_gateway_behave(liar);
        test_daemon_wait_number(&market.merchant->daemon,
                                "SELECT state FROM batch ORDER BY id DESC LIMIT 1",
                                SETPAY_BATCH_STATE_CLOSED);
        /* The truth alone is kept. */
        assert_int_equal(test_daemon_number(&market.merchant->daemon,
                                            "SELECT COUNT(*) * 10 + SUM(agreed)"
                                            " FROM batch_evidence WHERE batch_id ="
                                            " (SELECT MAX(id) FROM batch)"),
                         11);
        test_sale_clear(&sale);
        market.lies++;
    }
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
        cmocka_unit_test(test_false_steps),
        cmocka_unit_test(test_false_undoing),
        cmocka_unit_test(test_a_capture_that_nobody_asked_for),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_for_now),
        cmocka_unit_test(test_false_batches),
    };
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
