/*
 * A hostile merchant before the real setpay-gatewayd that says again, later, elsewhere or in
 * another order what was once true: replays on another connection, by another merchant, after a
 * restart and an hour later; one instruction under a new rrpid and one order under two xids;
 * another merchant's xid; voids and authorisations of one instruction in either order; reversals of
 * what is not its own, or of more than there is.
 *
 * What always holds: the issuer holds what one honest request made it hold, and nothing moves but
 * by that.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_asking.h"
#include "tests/support/test_lies.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_refusal.h"

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
static struct test_line *other_line; /* of the merchant "other" */

/* ------------------------------------------------------------------ asking */

static void connect_all(void)
{
    liar->line = test_line_new(gateway, gateway->shop[0].tls, "visa");
    other_line = test_line_new(gateway, gateway->other.tls, "visa");
    assert_true(liar->line != NULL && other_line != NULL);
}

static void disconnect_all(void)
{
    test_line_free(liar->line);
    test_line_free(other_line);
    liar->line = other_line = NULL;
}

static struct test_purchase *honest(void)
{
    return test_lie_tell(liar, NULL, NULL);
}

static struct setpay_auth_res authorise(const struct test_purchase *p)
{
    struct setpay_receipt receipt;
    struct setpay_auth_res res = test_authorise(gateway, liar->line, p, &receipt);
    assert_int_equal(res.outcome, SETPAY_AUTH_APPROVED);
    return res;
}

static void expect_held(const struct test_purchase *p, size_t asked, int64_t expected)
{
    int64_t held = 0;
    assert_int_equal(test_gateway_books(gateway, &p->auth.xid, &held), asked);
    assert_int_equal(held, expected);
}

static void refused(const struct test_purchase *p, const char *expected)
{
    test_refusal_of_purchase(gateway, liar->line, p, expected);
}

/* The same bytes get the same bytes, and nothing moves. */
static void expect_repeated(struct test_line *line, struct setpay_view message,
                            struct setpay_view answer)
{
    struct test_stillness still;
    struct setpay_buffer again;
    test_refusal_add();
    test_stillness_take(gateway, &still);
    test_line_ask(line, message, &again);
    test_stillness_expect(gateway, &still, 0);
    assert_true(setpay_view_equal(setpay_buffer_view(&again), answer));
    setpay_buffer_clear(&again);
}

static void move_clock(int64_t offset_ms)
{
    json_decref(test_gateway_control(gateway, "testing.clock",
                                     json_pack("{s:I}", "offset_ms", (json_int_t)offset_ms)));
}

static void restart(void)
{
    disconnect_all();
    test_gateway_stop(gateway);
    test_gateway_start(gateway, NULL);
    connect_all();
}

/* ------------------------------------------------------------------ replays */

static void a_replay_moves_nothing(void **state)
{
    /* rule A6: on this connection, on another one, after a restart, an hour later; rule G1: by
     * another merchant, whom the answer is not for */
    struct test_purchase *p = honest();
    struct setpay_buffer message, answer;
    (void)state;
    test_purchase_auth_req(p, &message);
    test_line_ask(liar->line, setpay_buffer_view(&message), &answer);
    const struct setpay_view sent = setpay_buffer_view(&message), got = setpay_buffer_view(&answer);
    expect_held(p, 1, 1250);
    expect_repeated(liar->line, sent, got);
    struct test_line *second = test_line_new(gateway, gateway->shop[0].tls, "visa");
    assert_non_null(second);
    expect_repeated(second, sent, got);
    test_line_free(second);
    test_refusal_expect(gateway, other_line, sent, "MERCHANT_CHANNEL G1");
    restart();
    expect_repeated(liar->line, sent, got);
    test_refusal_expect(gateway, other_line, sent, "MERCHANT_CHANNEL G1");
    move_clock(SETPAY_HOUR_MS);
    expect_repeated(liar->line, sent, got); /* rule A5: a known one, whatever its date */
    test_refusal_expect(gateway, other_line, sent, "MERCHANT_CHANNEL G1");
    move_clock(0);
    expect_held(p, 1, 1250);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    test_purchase_free(p);
}

static void a_first_request_is_of_now(void **state)
{
    /* rule A5: it was made an hour ago, or for an hour later, by the gateway's clock */
    struct test_purchase *p = honest();
    (void)state;
    move_clock(SETPAY_HOUR_MS);
    refused(p, "DATE A5");
    restart(); /* with the true clock again: still a first request, and now in time */
    authorise(p);
    expect_held(p, 1, 1250);
    test_purchase_free(p);

    p = honest();
    move_clock(-SETPAY_HOUR_MS);
    refused(p, "DATE A5");
    move_clock(SETPAY_LIMIT_DATE_TOLERANCE_MS + 2 * SETPAY_SECOND_MS);
    refused(p, "DATE A5");
    move_clock(45 * SETPAY_MINUTE_MS); /* a fresh request for an instruction that has expired */
    test_purchase_renew(p, setpay_clock_now_ms() + 45 * SETPAY_MINUTE_MS);
    refused(p, "EXPIRED A5");
    move_clock(0);
    expect_held(p, 0, 0);
    test_purchase_free(p);
}

static void an_identifier_is_for_one_request(void **state)
{
    /* rule A6 */
    struct test_purchase *p = honest();
    struct test_purchase *q = honest();
    struct setpay_buffer message;
    (void)state;
    struct setpay_auth_res res = authorise(p);
    q->auth.header.rrpid = p->auth.header.rrpid;
    refused(q, "RRPID_REUSED A6"); /* another purchase */
    p->auth.partial_allowed = true;
    refused(p, "RRPID_REUSED A6"); /* the same, asked otherwise */
    p->auth.partial_allowed = false;
    p->auth.intent = SETPAY_INTENT_VOID;
    refused(p, "RRPID_REUSED A6");
    p->auth.intent = SETPAY_INTENT_AUTHORISE;
    struct setpay_auth_rev_req reverse = test_reversal_of(p, &res, 100);
    reverse.header.rrpid = p->auth.header.rrpid;
    test_reversal_message(&reverse, gateway->shop[0].sign, &message);
    test_refusal_expect(gateway, liar->line, setpay_buffer_view(&message), "RRPID_REUSED A6");
    restart();
    refused(q, "RRPID_REUSED A6");
    expect_held(p, 1, 1250);
    expect_held(q, 0, 0);
    setpay_buffer_clear(&message);
    test_purchase_free(p);
    test_purchase_free(q);
}

/* ------------------------------------------------------------------ once only */

static void an_instruction_is_used_once(void **state)
{
    /* rule G6: one PI under a new rrpid; one PI under two xids; another PI under its xid */
    struct test_purchase *p = honest();
    (void)state;
    authorise(p);
    test_purchase_renew(p, setpay_clock_now_ms());
    refused(p, "PI_USED G6");
    p->auth.partial_allowed = true;
    test_purchase_renew(p, setpay_clock_now_ms());
    refused(p, "PI_USED G6");
    const struct setpay_id xid = p->auth.xid;
    assert_int_equal(setpay_id_random(&p->auth.xid), SETPAY_OK);
    test_purchase_renew(p, setpay_clock_now_ms());
    refused(p, "PI_MISMATCH G4"); /* same PIMD, another xid */
    p->auth.xid = xid;

    struct test_purchase *q = test_liar_purchase(liar);
    q->oi.xid = q->pi.xid = xid;
    test_purchase_sign(q);
    refused(q, "PI_USED G6"); /* same xid, an instruction of its own */
    q->auth.intent = SETPAY_INTENT_VOID;
    test_purchase_renew(q, setpay_clock_now_ms());
    refused(q, "PI_USED G6");
    restart();
    test_purchase_renew(p, setpay_clock_now_ms());
    p->auth.partial_allowed = false;
    refused(p, "PI_USED G6");
    expect_held(p, 1, 1250);
    test_purchase_free(p);
    test_purchase_free(q);
}

/* Sealed again, the instruction is still the same one: its digest is under DS. */
static void a_fresh_envelope_is_no_fresh_instruction(void **state)
{
    /* rule G6 */
    struct test_purchase *p = honest();
    (void)state;
    authorise(p);
    test_purchase_seal(p);
    test_purchase_renew(p, setpay_clock_now_ms());
    refused(p, "PI_USED G6");
    expect_held(p, 1, 1250);
    test_purchase_free(p);
}

static struct test_purchase *purchase_elsewhere(const struct setpay_id *xid)
{
    struct test_purchase_parties parties = test_gateway_parties(gateway, 0);
    parties.merchant = gateway->other.sign;
    parties.merchant_id = "other";
    struct test_purchase *p =
        test_purchase_new(&parties, liar->accomplice, 700, "EUR", setpay_clock_now_ms());
    p->oi.xid = p->pi.xid = *xid;
    test_purchase_sign(p);
    return p;
}

static void anothers_xid_gets_nothing_of_the_other(void **state)
{
    /* rules G4, G6 and G9: an xid is its merchant's choice, and names nothing without it */
    struct test_purchase *p = honest();
    struct test_purchase *q = purchase_elsewhere(&p->auth.xid);
    struct setpay_receipt receipt;
    struct setpay_buffer message;
    char text[SETPAY_ID_TEXT_SIZE];
    (void)state;
    struct setpay_auth_res res = authorise(p);
    /* with the shop's instruction under it: it was not signed for this merchant */
    struct test_purchase *stolen = purchase_elsewhere(&p->auth.xid);
    assert_int_equal(setpay_buffer_set(&stolen->envelope, setpay_buffer_view(&p->envelope)),
                     SETPAY_OK);
    test_purchase_name_envelope(stolen);
    stolen->auth.pimd = p->auth.pimd;
    test_refusal_of_purchase(gateway, other_line, stolen, "PI_MISMATCH G4");
    stolen->auth.pimd.bytes[0] ^= 1;
    test_purchase_renew(stolen, setpay_clock_now_ms());
    test_refusal_of_purchase(gateway, other_line, stolen, "DS_PAYMENT G3");
    /* with an instruction of its own it pays at its own till, and the shop's is not touched */
    assert_int_equal(test_authorise(gateway, other_line, q, &receipt).outcome,
                     SETPAY_AUTH_APPROVED);
    struct setpay_auth_rev_req reverse = test_reversal_of(q, &res, 700); /* the shop's token */
    test_reversal_message(&reverse, gateway->other.sign, &message);
    test_refusal_expect(gateway, other_line, setpay_buffer_view(&message), "TOKEN G9");
    expect_held(p, 2, 1250 + 700); /* the issuer has both under that xid */
    json_t *shown = test_gateway_control(gateway, "payment.show",
                                         json_pack("{s:s, s:s, s:s}", "xid",
                                                   setpay_id_format(&p->auth.xid, text), "brand",
                                                   "visa", "merchant_id", "shop"));
    assert_string_equal(json_string_value(json_object_get(shown, "amount_text")), "12.50 EUR");
    assert_string_equal(json_string_value(json_object_get(shown, "status")), "approved");
    json_decref(shown);
    setpay_buffer_clear(&message);
    test_purchase_free(p);
    test_purchase_free(q);
    test_purchase_free(stolen);
}

static void a_squatted_xid_stops_nobody(void **state)
{
    /* rule G6: first comes the merchant that took the xid, then the one whose it is */
    struct test_purchase *p = honest();
    struct test_purchase *q = purchase_elsewhere(&p->auth.xid);
    struct setpay_receipt receipt;
    (void)state;
    assert_int_equal(test_authorise(gateway, other_line, q, &receipt).outcome,
                     SETPAY_AUTH_APPROVED);
    authorise(p);
    expect_held(p, 2, 1250 + 700);
    test_purchase_free(p);
    test_purchase_free(q);
}

/* ------------------------------------------------------------------ voids */

static void what_comes_first_stands(void **state)
{
    /* rule G6: void after authorise, authorise after void, void after void */
    struct test_purchase *authorised = honest();
    struct test_purchase *voided = honest();
    struct setpay_receipt receipt;
    (void)state;
    authorise(authorised);
    authorised->auth.intent = SETPAY_INTENT_VOID;
    test_purchase_renew(authorised, setpay_clock_now_ms());
    refused(authorised, "PI_USED G6");
    expect_held(authorised, 1, 1250);

    voided->auth.intent = SETPAY_INTENT_VOID;
    assert_int_equal(test_authorise(gateway, liar->line, voided, &receipt).outcome,
                     SETPAY_AUTH_VOIDED);
    test_purchase_renew(voided, setpay_clock_now_ms());
    refused(voided, "PI_USED G6");
    for (int round = 0; round < 2; round++) { /* and still after a restart */
        voided->auth.intent = SETPAY_INTENT_AUTHORISE;
        test_purchase_renew(voided, setpay_clock_now_ms());
        refused(voided, "PI_USED G6");
        restart();
    }
    expect_held(voided, 0, 0);
    test_purchase_free(authorised);
    test_purchase_free(voided);
}

static void nobody_voids_for_another(void **state)
{
    /* rules G1, G3, G4: another merchant that holds all the shop was sent */
    struct test_purchase *p = honest();
    (void)state;
    p->auth.intent = SETPAY_INTENT_VOID;
    test_refusal_of_purchase(gateway, other_line, p, "MERCHANT_CHANNEL G1");
    p->auth_signer = p->auth_key = gateway->other.sign;
    p->auth.header.sender = gateway->other.sign->thumbprint;
    test_purchase_renew(p, setpay_clock_now_ms());
    test_refusal_of_purchase(gateway, other_line, p, "MERCHANT_CHANNEL G1");
    (void)snprintf(p->auth.merchant_id, sizeof p->auth.merchant_id, "other");
    test_purchase_renew(p, setpay_clock_now_ms());
    test_refusal_of_purchase(gateway, other_line, p, "PI_MISMATCH G4");
    p->auth_signer = p->auth_key = gateway->shop[0].sign;
    p->auth.header.sender = gateway->shop[0].sign->thumbprint;
    (void)snprintf(p->auth.merchant_id, sizeof p->auth.merchant_id, "shop");
    p->auth.intent = SETPAY_INTENT_AUTHORISE;
    test_purchase_renew(p, setpay_clock_now_ms());
    authorise(p); /* it was not voided */
    expect_held(p, 1, 1250);
    test_purchase_free(p);
}

/* ------------------------------------------------------------------ reversals */

static void reversal_refused(struct setpay_auth_rev_req request, struct test_line *line,
                             const struct test_party *signer, const char *expected)
{
    struct setpay_buffer message;
    assert_int_equal(setpay_id_random(&request.header.rrpid), SETPAY_OK);
    test_reversal_message(&request, signer, &message);
    test_refusal_expect(gateway, line, setpay_buffer_view(&message), expected);
    setpay_buffer_clear(&message);
}

static void no_more_is_undone_than_was_done(void **state)
{
    /* rule G8: authorise 12.50, reverse 7.50, reverse 7.50 more; replays of the first; and the same
     * as a capture (A2). More than is left is captured in vain in tests/unit/test_gateway_steps.c.
     */
    struct test_purchase *p = honest();
    struct setpay_receipt receipt;
    struct setpay_buffer message, answer, capture;
    const struct test_party *sign = gateway->shop[0].sign;
    (void)state;
    struct setpay_auth_res res = authorise(p);
    struct setpay_auth_rev_req first = test_reversal_of(p, &res, 750);
    test_reversal_message(&first, sign, &message);
    test_line_ask(liar->line, setpay_buffer_view(&message), &answer);
    assert_int_equal(test_remaining_in(gateway, p, setpay_buffer_view(&answer), &receipt), 500);
    test_gateway_wait_acknowledged(gateway);
    expect_held(p, 1, 500);

    reversal_refused(test_reversal_of(p, &res, 750), liar->line, sign, "AMOUNT_LIMIT G8");
    reversal_refused(test_reversal_of(p, &res, 501), liar->line, sign, "AMOUNT_LIMIT G8");
    reversal_refused(test_reversal_of(p, &res, 1250), liar->line, sign, "AMOUNT_LIMIT G8");
    reversal_refused(test_reversal_of(p, &res, SETPAY_MONEY_MAX_MINOR), liar->line, sign,
                     "AMOUNT_LIMIT G8");
    struct setpay_auth_rev_req in_yen = test_reversal_of(p, &res, 500);
    memcpy(in_yen.amount.currency, "JPY", 4);
    reversal_refused(in_yen, liar->line, sign, "AMOUNT_LIMIT G8");
    expect_repeated(liar->line, setpay_buffer_view(&message), setpay_buffer_view(&answer));
    test_refusal_expect(gateway, other_line, setpay_buffer_view(&message), "MERCHANT_CHANNEL G1");

    /* The same content under the number of CapReq: the type is signed too. */
    setpay_buffer_init(&capture, SETPAY_LIMIT_MESSAGE_BYTES);
    assert_int_equal(setpay_buffer_set(&capture, setpay_buffer_view(&message)), SETPAY_OK);
    static const uint8_t type_9[] = {0x08, 0x01, 0x10, 0x09}; /* suite 1, type 9 */
    uint8_t *at = memmem(capture.data, capture.size, type_9, sizeof type_9);
    assert_non_null(at);
    at[3] = 11;
    test_refusal_expect(gateway, liar->line, setpay_buffer_view(&capture), "SIGNATURE A2");
    expect_held(p, 1, 500);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    setpay_buffer_clear(&capture);
    test_purchase_free(p);
}

static void what_is_undone_stays_undone(void **state)
{
    /* rules G6 and G8: after the whole was reversed */
    struct test_purchase *p = honest();
    struct setpay_receipt receipt;
    struct setpay_buffer message, answer;
    const struct test_party *sign = gateway->shop[0].sign;
    (void)state;
    struct setpay_auth_res res = authorise(p);
    struct setpay_auth_rev_req all = test_reversal_of(p, &res, 1250);
    test_reversal_message(&all, sign, &message);
    test_line_ask(liar->line, setpay_buffer_view(&message), &answer);
    assert_int_equal(test_remaining_in(gateway, p, setpay_buffer_view(&answer), &receipt), 0);
    test_gateway_wait_acknowledged(gateway);
    expect_held(p, 1, 0);
    reversal_refused(test_reversal_of(p, &res, 1250), liar->line, sign, "STATE");
    reversal_refused(test_reversal_of(p, &res, 1), liar->line, sign, "STATE");
    test_purchase_renew(p, setpay_clock_now_ms());
    refused(p, "PI_USED G6");
    p->auth.intent = SETPAY_INTENT_VOID;
    test_purchase_renew(p, setpay_clock_now_ms());
    refused(p, "PI_USED G6");
    move_clock(SETPAY_HOUR_MS);
    expect_repeated(liar->line, setpay_buffer_view(&message), setpay_buffer_view(&answer));
    move_clock(0);
    expect_held(p, 1, 0);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    test_purchase_free(p);
}

static void a_token_is_its_merchants(void **state)
{
    /* rules G1, G9, A2, A5: reversals of what is another's, or of nothing */
    struct test_purchase *p = honest();
    struct test_purchase *never = honest();
    const struct test_party *shop = gateway->shop[0].sign, *other = gateway->other.sign;
    struct setpay_auth_rev_req r;
    (void)state;
    struct setpay_auth_res res = authorise(p);
    r = test_reversal_of(never, &res, 100); /* a good token, for what was never authorised */
    reversal_refused(r, liar->line, shop, "TOKEN G9");
    r = test_reversal_of(p, &res, 100);
    memset(&r.cap_token, 0, sizeof r.cap_token);
    reversal_refused(r, liar->line, shop, "TOKEN G9");
    r.cap_token = p->auth.xid;
    reversal_refused(r, liar->line, shop, "TOKEN G9");
    r = test_reversal_of(p, &res, 100);
    r.cap_token.bytes[15] ^= 1;
    reversal_refused(r, liar->line, shop, "TOKEN G9");
    r = test_reversal_of(p, &res, 100); /* another merchant with everything but the certificate */
    reversal_refused(r, other_line, other, "SENDER A2");
    r.header.sender = other->thumbprint;
    reversal_refused(r, other_line, other, "MERCHANT_CHANNEL G1");
    reversal_refused(r, liar->line, other, "MERCHANT_CHANNEL G1");
    (void)snprintf(r.merchant_id, sizeof r.merchant_id, "other");
    reversal_refused(r, other_line, other, "TOKEN G9");
    r = test_reversal_of(p, &res, 100);
    (void)snprintf(r.brand, sizeof r.brand, "mastercard");
    reversal_refused(r, liar->line, shop, "MERCHANT_CHANNEL G1");
    r = test_reversal_of(p, &res, 100);
    r.header.receiver = liar->far_sign->thumbprint;
    reversal_refused(r, liar->line, shop, "RECEIVER A2");
    r = test_reversal_of(p, &res, 100);
    r.header.date_ms -= SETPAY_HOUR_MS;
    reversal_refused(r, liar->line, shop, "DATE A5");
    r.header.date_ms += 2 * SETPAY_HOUR_MS;
    reversal_refused(r, liar->line, shop, "DATE A5");
    expect_held(p, 1, 1250);
    test_purchase_free(p);
    test_purchase_free(never);
}

/* ------------------------------------------------------------------ a merchant that was disabled
 */

static void enable(const char *command)
{
    json_decref(test_gateway_control(gateway, command,
                                     json_pack("{s:s, s:s}", "brand", "visa", "id", "shop")));
}

static void who_was_disabled_gets_nothing_new(void **state)
{
    /* rule G1 */
    struct test_purchase *before = honest();
    struct test_purchase *wish = honest();
    struct setpay_buffer message, answer;
    (void)state;
    test_purchase_auth_req(before, &message);
    test_line_ask(liar->line, setpay_buffer_view(&message), &answer);
    enable("merchant.disable");
    refused(wish, "MERCHANT_UNKNOWN G1");
    expect_repeated(liar->line, setpay_buffer_view(&message), setpay_buffer_view(&answer));
    test_purchase_renew(before, setpay_clock_now_ms());
    refused(before, "MERCHANT_UNKNOWN G1");
    restart();
    refused(wish, "MERCHANT_UNKNOWN G1");
    wish->auth.intent = SETPAY_INTENT_SALE;
    refused(wish, "MERCHANT_UNKNOWN G1");
    enable("merchant.enable");
    expect_held(before, 1, 1250);
    expect_held(wish, 0, 0);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    test_purchase_free(before);
    test_purchase_free(wish);
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new_patient(10000);
    liar = test_liar_new(gateway);
    test_line_free(liar->line);
    connect_all();
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    test_line_free(other_line);
    test_liar_free(liar);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replay_moves_nothing),
        cmocka_unit_test(a_first_request_is_of_now),
        cmocka_unit_test(an_identifier_is_for_one_request),
        cmocka_unit_test(an_instruction_is_used_once),
        cmocka_unit_test(a_fresh_envelope_is_no_fresh_instruction),
        cmocka_unit_test(anothers_xid_gets_nothing_of_the_other),
        cmocka_unit_test(a_squatted_xid_stops_nobody),
        cmocka_unit_test(what_comes_first_stands),
        cmocka_unit_test(nobody_voids_for_another),
        cmocka_unit_test(no_more_is_undone_than_was_done),
        cmocka_unit_test(what_is_undone_stays_undone),
        cmocka_unit_test(a_token_is_its_merchants),
        cmocka_unit_test(who_was_disabled_gets_nothing_new),
    };
    test_alarm(280);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    int failed = cmocka_run_group_tests(tests, open_all, close_all);
    print_message("# tally: rules attacked = %zu\n", test_refusal_count());
    return failed;
}
