/*
 * A lying gateway before a running merchant, and how a purchase ends all the same: approvals of
 * more and of less than was asked, Errors behind which the authorisation stands, voids and
 * reversals that are answered by something else, and receipts that only the wallet can tell to be
 * false.
 *
 * What always holds: no word of the gateway but one that fits in everything ends a purchase; until
 * then it is open and the shopper hears nothing; and with the truth nothing stays held that was not
 * authorised to the end.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "merchant/payment/payment_store.h"
#include "tests/support/test_false_answer.h"
#include "tests/support/test_lied_sale.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 280
#define AHEAD_MS (2 * SETPAY_MINUTE_MS)     /* the instruction has expired */
#define FAR_AHEAD_MS (7 * SETPAY_MINUTE_MS) /* and the tolerance behind it is over */

static struct test_market market;
static struct test_gateway *gateway;
static struct test_false_gateway *liar;
static struct setpay_sealed_receipt earlier; /* of another purchase */
/* Who signs; test_false_error needs their addresses before they are made. */
static const struct test_party *itself, *shop, *other_gateway, *second, *encryption, *mastercards;

/* ------------------------------------------------------------------ Errors to nobody */

/* rules A2, A3 and A4: an Error that is none of the gateway's to this request is nothing. */
static const struct test_false_error errors[] = {
    {.what = "an Error to another request",
     .expected = "ANSWER_REQUEST A4",
     .code = SETPAY_WIRE_MISMATCH,
     .signer = &itself,
     .other_request = true},
    {.what = "an Error to another rrpid",
     .expected = "ANSWER_IDS A4",
     .code = SETPAY_WIRE_MISMATCH,
     .signer = &itself,
     .other_rrpid = true},
    {.what = "an unsigned Error to another request",
     .expected = "ANSWER_REQUEST A4",
     .code = SETPAY_WIRE_MISMATCH,
     .other_request = true},
    {.what = "an unsigned Error to another rrpid",
     .expected = "ANSWER_IDS A4",
     .code = SETPAY_WIRE_MISMATCH,
     .other_rrpid = true},
    {.what = "an Error that names another sender",
     .expected = "ANSWER_SIGNER A4",
     .code = SETPAY_WIRE_MISMATCH,
     .signer = &itself,
     .named = &mastercards},
    {.what = "an Error by another gateway",
     .expected = "ANSWER_SIGNER A4",
     .code = SETPAY_WIRE_MISMATCH,
     .signer = &other_gateway},
    {.what = "an Error by the gateway of another brand",
     .expected = "BRANDS_MIXED A3",
     .code = SETPAY_WIRE_MISMATCH,
     .signer = &mastercards},
    {.what = "an Error by the merchant itself",
     .expected = "CERT_ROLE A3",
     .code = SETPAY_WIRE_MISMATCH,
     .signer = &shop},
    {.what = "an Error with the encryption certificate",
     .expected = "CERT_USAGE A3",
     .code = SETPAY_WIRE_MISMATCH,
     .signer = &encryption},
    {.what = "an Error with another key",
     .expected = "SIGNATURE A2",
     .code = SETPAY_WIRE_MISMATCH,
     .signer = &itself,
     .key = &other_gateway},
};
#define ERRORS (sizeof errors / sizeof *errors)

static void test_error(void **state)
{
    const struct test_false_error *error = *state;
    const struct test_lie lie = {
        .to = SETPAY_MESSAGE_AUTH_REQ, .tell = test_false_error_say, .arg = error};
    test_lied_sale(&market, liar, &lie, error->expected, NULL);
}

/* ------------------------------------------------------------------ Errors and the truth */

/* An AuthReq that is authorised and answered by an Error: what the merchant is at then, and how it
 * ends once the gateway speaks the truth. */
static void answered_by_error(const struct test_false_error *word, const char *state, int ask,
                              const struct test_end *end)
{
    struct test_scene scene;
    const struct test_lie lie = {
        .to = SETPAY_MESSAGE_AUTH_REQ, .tell = test_false_error_say, .arg = word};
    print_message("# code %u\n", word->code);
    test_scene_start(&market, liar, &lie, &scene);
    test_scene_expect_open(&scene, state, ask, NULL);
    test_false_gateway_behave(liar);
    test_scene_end(&scene, end, NULL);
}

/* rule A4: these ask for patience, whoever they come from; with the truth it is authorised. */
static void test_patience(void **state)
{
    static const struct test_false_error words[] = {
        {.code = SETPAY_WIRE_BUSY, .signer = &itself},
        {.code = SETPAY_WIRE_BUSY},
        {.code = SETPAY_WIRE_UNSPECIFIED, .signer = &itself},
        {.code = SETPAY_WIRE_CERTIFICATE, .signer = &itself},
        {.code = SETPAY_WIRE_CERTIFICATE_MISSING},
    };
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        answered_by_error(&words[i], "asking", SETPAY_ASK_AUTHORISE, &test_end_authorised);
}

/* rules M9, W7: the gateway says that it will not authorise, and has. The merchant voids, and goes
 * on until it knows; nothing of it is an end, and in the end nothing is held. */
static void test_late_authorisation(void **state)
{
    static const struct test_false_error words[] = {
        {.code = SETPAY_WIRE_MISMATCH, .signer = &itself},
        {.code = SETPAY_WIRE_MISMATCH},
        {.code = SETPAY_WIRE_CRYPTOGRAPHIC, .signer = &itself},
        {.code = SETPAY_WIRE_EXPIRED, .signer = &itself},
        {.code = SETPAY_WIRE_NOT_PERMITTED, .signer = &second},
        {.code = SETPAY_WIRE_AMOUNT},
        {.code = 777, .signer = &itself}, /* a code that is to come */
    };
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        answered_by_error(&words[i], "voiding", SETPAY_ASK_VOID, &test_end_reversed);
}

/* rules A5, A6: refused for its date, so that the merchant may make a new rrpid, while the old one
 * stands: the cardholder is charged for neither. */
static void test_false_date(void **state)
{
    static const struct test_false_error word = {.code = SETPAY_WIRE_DATE, .signer = &itself};
    struct test_scene scene;
    const struct test_lie lie = {
        .to = SETPAY_MESSAGE_AUTH_REQ, .tell = test_false_error_say, .arg = &word};
    (void)state;
    test_scene_start(&market, liar, &lie, &scene);
    test_merchantd_wait_state(market.merchant, &scene.sale.purchase->oi.xid, "asking");
    while (test_false_gateway_told(liar) < 3)
        (void)usleep(TEST_POLL_US);
    test_false_gateway_behave(liar);
    test_scene_end(&scene, &test_end_reversed, NULL);
}

/* rule A6: "already used", though the gateway has never heard of it. */
static void test_false_use(void **state)
{
    static const struct test_false_error word = {.code = SETPAY_WIRE_ALREADY_USED,
                                                 .signer = &itself};
    struct test_scene scene;
    const struct test_lie lie = {
        .to = SETPAY_MESSAGE_AUTH_REQ, .tell = test_false_error_say, .arg = &word, .alone = true};
    (void)state;
    test_scene_start(&market, liar, &lie, &scene);
    test_scene_expect_open(&scene, "learning", SETPAY_ASK_VOID, NULL);
    test_false_gateway_behave(liar);
    /* whichever of its requests comes first decides */
    test_scene_end(&scene, &test_end_reversed, &test_end_voided);
}

/* ------------------------------------------------------------------ voids */

enum void_lie {
    APPROVAL,
    DECLINE,
    OTHER_XID,
    OTHER_POMD,
    OTHER_CARDHOLDER,
    OTHER_QUESTION,
};

static void answer_void(const struct test_question *q, const void *arg,
                        struct setpay_buffer *answer)
{
    const enum void_lie *lie = arg;
    struct setpay_auth_res res;
    if (!test_question_is_void(q)) {
        test_false_answer_noise(answer);
        return;
    }
    test_false_auth_res(q,
                        *lie == APPROVAL  ? SETPAY_AUTH_APPROVED
                        : *lie == DECLINE ? SETPAY_AUTH_DECLINED
                                          : SETPAY_AUTH_VOIDED,
                        &earlier, &res);
    res.xid.bytes[0] ^= *lie == OTHER_XID;
    res.pomd.bytes[0] ^= *lie == OTHER_POMD;
    res.header.request_hash.bytes[0] ^= *lie == OTHER_QUESTION;
    if (*lie == OTHER_CARDHOLDER)
        res.cardholder = market.neighbour->party->thumbprint;
    test_false_auth_res_say(q, &res, answer);
}

/* rules M6, M9, A4: a void that is answered by anything but its void. The gateway has heard neither
 * of the authorisation nor of the void; or of the authorisation alone. */
static void test_false_void(void **state)
{
    static const struct {
        enum void_lie lie;
        const char *what;
        const char *expected;
    } rows[] = {
        {APPROVAL, "an approval", "AUTH_MISMATCH M6"},
        {DECLINE, "a decline", "AUTH_MISMATCH M6"},
        {OTHER_XID, "the void of another xid", "AUTH_MISMATCH M6"},
        {OTHER_POMD, "the void of another POMD", "AUTH_MISMATCH M6"},
        {OTHER_CARDHOLDER, "the void of another cardholder's", "AUTH_MISMATCH M6"},
        {OTHER_QUESTION, "the void of another question", "ANSWER_REQUEST A4"},
    };
    (void)state;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        struct test_scene scene;
        bool authorised = i % 2 != 0;
        const struct test_lie lie = {.to = SETPAY_MESSAGE_AUTH_REQ,
                                     .tell = answer_void,
                                     .arg = &rows[i / 2].lie,
                                     .alone = !authorised};
        print_message("# %s; %s\n", rows[i / 2].what, authorised ? "authorised" : "not heard");
        test_scene_start(&market, liar, &lie, &scene);
        test_scene_expect_open(&scene, "asking", SETPAY_ASK_AUTHORISE, "MALFORMED A1");
        test_scene_set_clock(&scene, AHEAD_MS);
        test_scene_expect_open(&scene, "voiding", SETPAY_ASK_VOID, rows[i / 2].expected);
        test_false_gateway_behave(liar);
        test_scene_end(&scene, authorised ? &test_end_reversed : &test_end_voided, NULL);
    }
}

static void refuse_void(const struct test_question *q, const void *arg,
                        struct setpay_buffer *answer)
{
    if (test_question_is_void(q))
        test_false_error_say(q, arg, answer);
    else
        test_false_answer_noise(answer);
}

/* rule M9: "that instruction is none": no lapse before its time and the tolerance are over; and
 * after that, not on an unsigned word, nor on that of a certificate that the void did not name. */
static void test_false_lapse(void **state)
{
    static const struct {
        struct test_false_error word;
        int64_t ahead_ms;
    } rows[] = {
        {{.code = SETPAY_WIRE_CRYPTOGRAPHIC, .signer = &itself}, AHEAD_MS},
        {{.code = SETPAY_WIRE_CRYPTOGRAPHIC}, FAR_AHEAD_MS},
        {{.code = SETPAY_WIRE_CRYPTOGRAPHIC, .signer = &second}, FAR_AHEAD_MS},
        {{.code = SETPAY_WIRE_REVOKED, .signer = &itself}, FAR_AHEAD_MS},
        {{.code = SETPAY_WIRE_NOT_PERMITTED, .signer = &itself}, FAR_AHEAD_MS},
        {{.code = SETPAY_WIRE_BUSY, .signer = &itself}, FAR_AHEAD_MS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_scene scene;
        const struct test_lie lie = {.to = SETPAY_MESSAGE_AUTH_REQ,
                                     .tell = refuse_void,
                                     .arg = &rows[i].word,
                                     .alone = true};
        print_message("# row %zu\n", i);
        test_scene_start(&market, liar, &lie, &scene);
        test_scene_expect_open(&scene, "asking", SETPAY_ASK_AUTHORISE, "MALFORMED A1");
        test_scene_set_clock(&scene, AHEAD_MS);
        test_scene_expect_open(&scene, "voiding", SETPAY_ASK_VOID, NULL);
        test_scene_set_clock(&scene, rows[i].ahead_ms);
        test_scene_expect_open(&scene, "voiding", SETPAY_ASK_VOID, NULL);
        test_false_gateway_behave(liar);
        test_scene_end(&scene, &test_end_voided, NULL);
    }
}

/* ------------------------------------------------------------------ receipts that are false */

/* A decline that fits in everything the merchant can see, with somebody else's receipt; the same as
 * an approval. */
static void answer_with_receipt(const struct test_question *q, const void *arg,
                                struct setpay_buffer *answer)
{
    const enum setpay_auth_outcome *outcome = arg;
    struct setpay_auth_res res;
    test_false_auth_res(q, *outcome, &earlier, &res);
    test_false_auth_res_say(q, &res, answer);
}

/* The true receipt of the authorisation, under the label of a decline. */
static void relabel_receipt(const struct test_question *q, const void *arg,
                            struct setpay_buffer *answer)
{
    struct setpay_auth_res truth = test_question_auth_res(q), res;
    (void)arg;
    test_false_auth_res(q, SETPAY_AUTH_DECLINED, &truth.receipt, &res);
    test_false_auth_res_say(q, &res, answer);
}

/* rule W6: the merchant hands on what it can't open, and the wallet sees that it is false. */
static void test_false_receipts(void **state)
{
    static const enum setpay_auth_outcome approved = SETPAY_AUTH_APPROVED,
                                          declined = SETPAY_AUTH_DECLINED;
    static const struct {
        const char *what;
        struct test_lie lie;
        enum setpay_purchase_status status;
    } rows[] = {
        {"an approval with another purchase's receipt",
         {.to = SETPAY_MESSAGE_AUTH_REQ, .tell = answer_with_receipt, .arg = &approved},
         SETPAY_STATUS_AUTHORISED},
        {"a decline with another purchase's receipt",
         {.to = SETPAY_MESSAGE_AUTH_REQ, .tell = answer_with_receipt, .arg = &declined},
         SETPAY_STATUS_DECLINED},
        {"a decline with the receipt of the authorisation",
         {.to = SETPAY_MESSAGE_AUTH_REQ, .tell = relabel_receipt},
         SETPAY_STATUS_DECLINED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_scene scene;
        struct setpay_buffer answer;
        struct setpay_pres pres;
        struct setpay_receipt receipt;
        print_message("# %s\n", rows[i].what);
        test_scene_start(&market, liar, &rows[i].lie, &scene);
        test_channel_answer(scene.channel, &answer);
        test_pres_read(scene.sale.purchase, setpay_buffer_view(&answer), SETPAY_MESSAGE_P_RES,
                       &pres);
        assert_int_equal(pres.status, rows[i].status);
        assert_int_equal(
            test_pres_receipt(market.merchant, 0, scene.sale.purchase, &pres, &receipt),
            SETPAY_E_RECEIPT);
        setpay_pres_clear(&pres);
        setpay_buffer_clear(&answer);
        test_channel_free(scene.channel);
        test_sale_clear(&scene.sale);
    }
    test_false_gateway_behave(liar);
}

/* ------------------------------------------------------------------ the world */

static void keep_receipt(const struct test_question *q, const void *arg,
                         struct setpay_buffer *answer)
{
    struct setpay_auth_res res = test_question_auth_res(q);
    (void)arg;
    earlier = res.receipt;
    test_false_auth_res_say(q, &res, answer);
}

static int open_world(void **state)
{
    const struct test_lie lie = {.to = SETPAY_MESSAGE_AUTH_REQ, .tell = keep_receipt};
    struct test_sale sale;
    (void)state;
    gateway = test_gateway_new();
    liar = test_false_gateway_new(gateway);
    itself = gateway->sign[0];
    mastercards = gateway->sign[1];
    encryption = gateway->encrypt[0];
    shop = gateway->shop[0].sign;
    other_gateway =
        test_party_new(gateway->pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "gateway-2", NULL);
    second =
        test_party_new(gateway->pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, TEST_GATEWAY_ID, NULL);
    test_market_open_with(&market, gateway, test_false_gateway_address(liar), "5m");
    test_false_gateway_lie(liar, &lie);
    test_sale_make(&market, market.holder, &sale);
    test_sale_pay(&market, &sale);
    test_false_gateway_behave(liar);
    test_sale_clear(&sale);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    test_daemon_kill(&market.merchant->daemon);
    test_false_gateway_free(liar);
    test_party_free((struct test_party *)(uintptr_t)other_gateway);
    test_party_free((struct test_party *)(uintptr_t)second);
    test_market_close(&market);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[ERRORS + 7];
    size_t count = 0;
    for (size_t i = 0; i < ERRORS; i++)
        tests[count++] = (struct CMUnitTest){.name = errors[i].what,
                                             .test_func = test_error,
                                             .initial_state = (void *)(uintptr_t)&errors[i]};
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_patience);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_late_authorisation);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_false_date);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_false_use);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_false_void);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_false_lapse);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_false_receipts);
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return _cmocka_run_group_tests("merchantd_truth", tests, count, open_world, close_world);
}
