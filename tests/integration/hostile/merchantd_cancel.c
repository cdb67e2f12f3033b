/*
 * Liars around the cancellation of an agreement at a running merchant. A gateway whose AuthCanRes
 * does not fit in everything, or is an Error of somebody's, is as if nothing had come: the same
 * request is repeated until the truth comes, and the gateway has booked one. And wallets that lie
 * in their CanReq: nobody ends an agreement but the cardholder who has signed it, by a word about
 * that one (rules M6, M8, A4, G9).
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "merchant/store/payment_port.h"
#include "tests/support/test_cancel.h"
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
#define FIRST 300

static struct test_market market;
static struct test_gateway *gateway;
static struct test_false_gateway *liar;
static struct test_party *other_gateway;

/* ------------------------------------------------------------------ AuthCanRes */

enum can_lie {
    CAN_XID,
    CAN_BRAND,
    CAN_MERCHANT,
    CAN_CARDHOLDER,
    CAN_POMD,
    CAN_RRPID,
    CAN_QUESTION,
    CAN_RECEIVER,
    CAN_SIGNER,
    CAN_TYPE,
    CAN_OF_ANOTHER,
    CAN_AN_EARLIER_ONE,
    CAN_THE_QUESTION,
    CAN_NOISE,
    CAN_HALF,
    CAN_CHANGED,
};

static struct setpay_buffer earlier_answer; /* an AuthCanRes to another question, honest */

static void must(enum setpay_error error)
{
    if (error != SETPAY_OK)
        abort(); /* on a thread of the lying gateway, where no test can fail */
}

static void spoil_can(enum can_lie lie, struct setpay_auth_can_res *res)
{
    switch (lie) {
    case CAN_XID:
        res->xid.bytes[0] ^= 1;
        break;
    case CAN_BRAND:
        (void)snprintf(res->brand, sizeof res->brand, "mastercard");
        break;
    case CAN_MERCHANT:
        (void)snprintf(res->merchant_id, sizeof res->merchant_id, "other");
        break;
    case CAN_CARDHOLDER:
        res->cardholder = market.neighbour->party->thumbprint;
        break;
    case CAN_POMD:
        res->pomd.bytes[31] ^= 1;
        break;
    case CAN_RRPID:
        res->header.rrpid.bytes[0] ^= 1;
        break;
    case CAN_QUESTION:
        res->header.request_hash.bytes[31] ^= 1;
        break;
    case CAN_RECEIVER:
        res->header.receiver = gateway->other.sign->thumbprint;
        break;
    default:
        break;
    }
}

static struct setpay_auth_can_res can_res_in(struct setpay_view answer)
{
    struct setpay_message message;
    struct setpay_auth_can_res res;
    must(setpay_message_parse(answer, &message));
    must(setpay_auth_can_res_parse(message.content, &res));
    setpay_message_clear(&message);
    return res;
}

static void say_can(const struct setpay_auth_can_res *res, enum setpay_message_type type,
                    const struct test_party *signer, struct setpay_buffer *answer)
{
    struct setpay_buffer content;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    must(setpay_auth_can_res_build(res, &content));
    test_false_answer_sign(type, signer, setpay_buffer_view(&content), answer);
    setpay_buffer_clear(&content);
}

/* The honest answer to another cancellation, in the header of this one's. */
static void say_of_another(struct setpay_auth_can_res *res)
{
    const struct setpay_response_header header = res->header;
    *res = can_res_in(setpay_buffer_view(&earlier_answer));
    res->header = header;
}

/* After it was signed. */
static void change_digest(const struct setpay_digest *digest, struct setpay_buffer *answer)
{
    uint8_t *at = memmem(answer->data, answer->size, digest->bytes, sizeof digest->bytes);
    if (at == NULL)
        abort();
    *at ^= 1;
}

static void tell_can(const struct test_question *q, const void *arg, struct setpay_buffer *answer)
{
    enum can_lie lie = *(const enum can_lie *)arg;
    const struct test_party *signer = lie == CAN_SIGNER ? other_gateway : gateway->sign[0];
    struct setpay_auth_can_res res = can_res_in(q->truth);
    if (lie == CAN_NOISE) {
        test_false_answer_noise(answer);
        return;
    }
    if (lie == CAN_THE_QUESTION || lie == CAN_AN_EARLIER_ONE || lie == CAN_HALF) {
        struct setpay_view what = lie == CAN_THE_QUESTION ? q->bytes
                                  : lie == CAN_HALF
                                      ? setpay_view_of(q->truth.data, q->truth.size / 2)
                                      : setpay_buffer_view(&earlier_answer);
        must(setpay_buffer_set(answer, what));
        return;
    }
    spoil_can(lie, &res);
    if (lie == CAN_OF_ANOTHER)
        say_of_another(&res);
    res.header.sender = signer->thumbprint;
    say_can(&res, lie == CAN_TYPE ? SETPAY_MESSAGE_AUTH_REV_RES : SETPAY_MESSAGE_AUTH_CAN_RES,
            signer, answer);
    if (lie == CAN_CHANGED)
        change_digest(&res.pomd, answer);
}

static void tell_nothing(const struct test_question *q, const void *arg,
                         struct setpay_buffer *answer)
{
    (void)q;
    (void)arg;
    (void)answer;
}

static void remember(const struct test_question *q, const void *arg, struct setpay_buffer *answer)
{
    (void)arg;
    must(setpay_buffer_set(&earlier_answer, q->truth));
    must(setpay_buffer_set(answer, q->truth));
}

/* Cancels as the wallet does: CanRes comes at once, and the gateway is asked behind it. */
static void cancel(const struct test_sale *sale)
{
    struct test_cancel cancel;
    struct setpay_buffer message, answer;
    struct setpay_pres pres;
    test_cancel_fill(sale->purchase, setpay_clock_now_ms(), &cancel);
    test_can_req_message(&cancel, &message);
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &answer);
    test_pres_read(sale->purchase, setpay_buffer_view(&answer), SETPAY_MESSAGE_CAN_RES, &pres);
    setpay_pres_clear(&pres);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
}

static int64_t agreed(const struct test_sale *sale, const char *column)
{
    char sql[200], hex[SETPAY_ID_TEXT_SIZE];
    (void)snprintf(sql, sizeof sql,
                   "SELECT agreement.%s FROM agreement JOIN purchase ON purchase.id = purchase_id"
                   " WHERE xid = x'%s'",
                   column, setpay_id_format(&sale->purchase->oi.xid, hex));
    return test_daemon_number(&market.merchant->daemon, sql);
}

/* What the gateway has of it: one receipt of a cancellation, whatever was repeated. */
static void expect_cancelled(const struct test_sale *sale)
{
    char sql[200], hex[SETPAY_ID_TEXT_SIZE];
    assert_int_equal(agreed(sale, "confirmed"), 1);
    assert_int_equal(agreed(sale, "ended"), SETPAY_ENDED_BY_SHOPPER);
    (void)snprintf(sql, sizeof sql,
                   "SELECT COUNT(*) FROM receipt JOIN payment ON payment.id = payment_id"
                   " WHERE xid = x'%s' AND kind = %d",
                   setpay_id_format(&sale->purchase->oi.xid, hex), SETPAY_RECEIPT_CANCELLATION);
    assert_int_equal(test_gateway_number(gateway, sql), 1);
}

static void expect_open(const struct test_sale *sale, const char *expected)
{
    test_lied_expect_nothing(&market, liar, sale, expected, "authorised");
    expect_cancelled(sale);
}

/* rules M6, A4, A1, A2 */
static void test_false_cancellations(void **state)
{
    static const struct {
        enum can_lie lie;
        const char *what;
        const char *expected;
    } lies[] = {
        {CAN_XID, "another xid", "AUTH_MISMATCH M6"},
        {CAN_BRAND, "another brand", "AUTH_MISMATCH M6"},
        {CAN_MERCHANT, "another merchant's id", "AUTH_MISMATCH M6"},
        {CAN_CARDHOLDER, "another cardholder", "AUTH_MISMATCH M6"},
        {CAN_POMD, "another POMD", "AUTH_MISMATCH M6"},
        {CAN_OF_ANOTHER, "the answer about another agreement", "AUTH_MISMATCH M6"},
        {CAN_RRPID, "another rrpid", "ANSWER_IDS A4"},
        {CAN_AN_EARLIER_ONE, "an earlier answer, replayed", "ANSWER_IDS A4"},
        {CAN_QUESTION, "another question", "ANSWER_REQUEST A4"},
        {CAN_RECEIVER, "to another merchant", "ANSWER_PARTIES A4"},
        {CAN_SIGNER, "signed by another gateway", "ANSWER_SIGNER A4"},
        {CAN_CHANGED, "changed after it was signed", "SIGNATURE A2"},
        {CAN_TYPE, "shown as an AuthRevRes", "MESSAGE_TYPE A1"},
        {CAN_THE_QUESTION, "the question itself", "MESSAGE_TYPE A1"},
        {CAN_NOISE, "noise", "MALFORMED A1"},
        {CAN_HALF, "half of it", "MALFORMED A1"},
    };
    const struct test_lie first = {.to = SETPAY_MESSAGE_AUTH_CAN_REQ, .tell = remember};
    struct test_sale sale;
    (void)state;
    setpay_buffer_init(&earlier_answer, SETPAY_LIMIT_MESSAGE_BYTES);
    test_lied_agree(&market, FIRST, &sale);
    test_false_gateway_lie(liar, &first);
    cancel(&sale);
    test_merchantd_wait_state(market.merchant, &sale.purchase->oi.xid, "authorised");
    expect_cancelled(&sale);
    test_sale_clear(&sale);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        const struct test_lie lie = {
            .to = SETPAY_MESSAGE_AUTH_CAN_REQ, .tell = tell_can, .arg = &lies[i].lie};
        print_message("# AuthCanRes, %s\n", lies[i].what);
        test_lied_agree(&market, FIRST, &sale);
        test_false_gateway_lie(liar, &lie);
        cancel(&sale);
        expect_open(&sale, lies[i].expected);
        test_sale_clear(&sale);
    }
    setpay_buffer_clear(&earlier_answer);
}

/* No answer, one that breaks off, one in another place, two: none of it counts, or it counts once.
 */
static void test_a_cancellation_waits_for_its_answer(void **state)
{
    static const struct {
        const char *what;
        test_lie_fn *tell;
        enum test_lie_how how;
    } rows_of[] = {
        {"nothing", tell_nothing, TEST_LIE_ONCE},
        {"under another id", NULL, TEST_LIE_OTHER_ID},
        {"half a frame", NULL, TEST_LIE_HANG_UP},
        {"an empty frame", NULL, TEST_LIE_EMPTY_FRAME},
    };
    struct test_sale sale;
    (void)state;
    for (size_t i = 0; i < sizeof rows_of / sizeof *rows_of; i++) {
        const struct test_lie lie = {
            .to = SETPAY_MESSAGE_AUTH_CAN_REQ, .tell = rows_of[i].tell, .how = rows_of[i].how};
        print_message("# AuthCanRes, %s\n", rows_of[i].what);
        test_lied_agree(&market, FIRST, &sale);
        test_false_gateway_lie(liar, &lie);
        cancel(&sale);
        expect_open(&sale, NULL);
        test_sale_clear(&sale);
    }
    const struct test_lie twice = {.to = SETPAY_MESSAGE_AUTH_CAN_REQ, .how = TEST_LIE_TWICE};
    print_message("# AuthCanRes, twice\n");
    test_lied_agree(&market, FIRST, &sale);
    test_false_gateway_lie(liar, &twice);
    cancel(&sale);
    test_merchantd_wait_state(market.merchant, &sale.purchase->oi.xid, "authorised");
    test_false_gateway_behave(liar);
    expect_cancelled(&sale);
    test_sale_clear(&sale);
    market.lies++;
}

/* An Error that the purchase's gateway has not signed, or one of a passing reason, ends nothing. */
static void test_errors_to_a_cancellation(void **state)
{
    static const struct test_party *itself, *another;
    static const struct test_false_error words[] = {
        {.what = "unsigned: an unknown transaction", .code = SETPAY_WIRE_UNKNOWN_TRANSACTION},
        {.what = "unsigned: nothing to cancel", .code = SETPAY_WIRE_AGREEMENT},
        {.what = "unsigned: a bad cancellation", .code = SETPAY_WIRE_MISMATCH},
        {.what = "another gateway's: an unknown transaction",
         .code = SETPAY_WIRE_UNKNOWN_TRANSACTION,
         .signer = &another},
        {.what = "busy", .code = SETPAY_WIRE_BUSY, .signer = &itself},
    };
    struct test_sale sale;
    (void)state;
    itself = gateway->sign[0];
    another = other_gateway;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const struct test_lie lie = {.to = SETPAY_MESSAGE_AUTH_CAN_REQ,
                                     .tell = test_false_error_say,
                                     .arg = &words[i],
                                     .alone = true};
        print_message("# Error, %s\n", words[i].what);
        test_lied_agree(&market, FIRST, &sale);
        test_false_gateway_lie(liar, &lie);
        cancel(&sale);
        expect_open(&sale, NULL);
        test_sale_clear(&sale);
    }
}

/* ------------------------------------------------------------------ CanReq */

enum word_lie {
    WORD_XID,
    WORD_BRAND,
    WORD_MERCHANT,
    WORD_CARDHOLDER,
    WORD_GATEWAY,
    WORD_POMD,
    WORD_AHEAD,
    WORD_KEY,
    WORD_SIGNATURE,
    WORD_OF_ANOTHER,
    REQUEST_LID,
    REQUEST_RECEIVER,
    REQUEST_DATE,
    REQUEST_SENDER,
    REQUEST_SIGNER,
    REQUEST_KEY,
    REQUEST_XID,
};

static struct test_sale sales[2]; /* two agreements of the same cardholder */

static void spoil_word(enum word_lie lie, struct test_cancel *c)
{
    struct test_cancel other;
    switch (lie) {
    case WORD_XID:
        c->word.xid.bytes[0] ^= 1;
        break;
    case WORD_BRAND:
        (void)snprintf(c->word.brand, sizeof c->word.brand, "mastercard");
        break;
    case WORD_MERCHANT:
        (void)snprintf(c->word.merchant_id, sizeof c->word.merchant_id, "other");
        break;
    case WORD_CARDHOLDER:
        c->word.cardholder = market.neighbour->party->thumbprint;
        break;
    case WORD_GATEWAY:
        c->word.gateway_sign = other_gateway->thumbprint;
        break;
    case WORD_POMD:
        c->word.pomd.bytes[0] ^= 1;
        break;
    case WORD_AHEAD:
        c->word.date_ms += SETPAY_LIMIT_DATE_TOLERANCE_MS + SETPAY_MINUTE_MS;
        break;
    case WORD_KEY:
        c->word_key = market.neighbour->party;
        break;
    default:
        break;
    }
    test_cancel_sign(c);
    if (lie == WORD_SIGNATURE)
        c->request.cancellation.bytes[3] ^= 1;
    if (lie == WORD_OF_ANOTHER) {
        test_cancel_fill(sales[1].purchase, setpay_clock_now_ms(), &other);
        c->request.cancellation = other.request.cancellation;
    }
}

static void spoil_request(enum word_lie lie, struct test_cancel *c)
{
    switch (lie) {
    case REQUEST_LID:
        c->request.lid_c.bytes[0] ^= 1;
        break;
    case REQUEST_RECEIVER:
        c->request.header.receiver = gateway->other.sign->thumbprint;
        break;
    case REQUEST_DATE:
        c->request.header.date_ms -= SETPAY_LIMIT_DATE_TOLERANCE_MS + SETPAY_MINUTE_MS;
        break;
    case REQUEST_SENDER:
        c->request.header.sender = market.neighbour->party->thumbprint;
        break;
    case REQUEST_SIGNER: /* the neighbour's request, with the cardholder's own word */
        c->signer = c->key = market.neighbour->party;
        c->request.header.sender = c->signer->thumbprint;
        break;
    case REQUEST_KEY:
        c->key = market.neighbour->party;
        break;
    case REQUEST_XID:
        c->request.xid.bytes[0] ^= 1;
        break;
    default:
        break;
    }
}

static void refuse_cancel(struct test_cancel *c, const char *expected)
{
    struct setpay_buffer message;
    test_can_req_message(c, &message);
    const struct test_attack attack = {.message = setpay_buffer_view(&message),
                                       .expected = expected,
                                       .rrpid = &c->request.header.rrpid,
                                       .signer = gateway->shop[0].sign,
                                       .any_signer = true};
    test_market_attack(&market, &attack);
    setpay_buffer_clear(&message);
}

/* rules M8, G9, A2, A5: no row of merchant or gateway moves, and the agreement goes on */
static void test_nobody_else_cancels(void **state)
{
    static const struct {
        enum word_lie lie;
        const char *what;
        const char *expected;
    } lies[] = {
        {WORD_XID, "a word about another xid", "CANCELLATION G9"},
        {WORD_BRAND, "about another brand", "CANCELLATION G9"},
        {WORD_MERCHANT, "to another merchant", "CANCELLATION G9"},
        {WORD_CARDHOLDER, "of another cardholder", "CANCELLATION G9"},
        {WORD_GATEWAY, "about another gateway", "CANCELLATION G9"},
        {WORD_POMD, "about another POMD", "CANCELLATION G9"},
        {WORD_AHEAD, "of a time to come", "CANCELLATION G9"},
        {WORD_KEY, "by another's key", "CANCELLATION G9"},
        {WORD_SIGNATURE, "changed after it was signed", "CANCELLATION G9"},
        {WORD_OF_ANOTHER, "about the cardholder's other agreement", "CANCELLATION G9"},
        {REQUEST_LID, "another lid_c", "OFFER_MISMATCH M1"},
        {REQUEST_RECEIVER, "to another merchant", "RECEIVER A2"},
        {REQUEST_DATE, "too old", "DATE A5"},
        {REQUEST_SENDER, "another sender than the signer", "SENDER A2"},
        {REQUEST_SIGNER, "handed in by another", "NOT_CARDHOLDER M8"},
        {REQUEST_KEY, "signed by another's key", "SIGNATURE A2"},
        {REQUEST_XID, "an unknown purchase", "OFFER_UNKNOWN M1"},
    };
    struct test_sale single;
    struct test_cancel c;
    (void)state;
    for (size_t i = 0; i < 2; i++)
        test_lied_agree(&market, FIRST, &sales[i]);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        print_message("# CanReq, %s\n", lies[i].what);
        test_cancel_fill(sales[0].purchase, setpay_clock_now_ms(), &c);
        spoil_word(lies[i].lie, &c);
        spoil_request(lies[i].lie, &c);
        refuse_cancel(&c, lies[i].expected);
        assert_int_equal(agreed(&sales[0], "ended"), SETPAY_ENDED_NOT);
    }
    print_message("# CanReq, of a single payment\n");
    test_sale_make(&market, market.holder, &single);
    test_sale_pay(&market, &single);
    test_cancel_fill(single.purchase, setpay_clock_now_ms(), &c);
    refuse_cancel(&c, "STATE");
    test_sale_clear(&single);
    for (size_t i = 0; i < 2; i++) { /* after all that, the word that is right */
        cancel(&sales[i]);
        test_merchantd_wait_state(market.merchant, &sales[i].purchase->oi.xid, "authorised");
        expect_cancelled(&sales[i]);
        test_sale_clear(&sales[i]);
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
        cmocka_unit_test(test_false_cancellations),
        cmocka_unit_test(test_a_cancellation_waits_for_its_answer),
        cmocka_unit_test(test_errors_to_a_cancellation),
        cmocka_unit_test(test_nobody_else_cancels),
    };
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
