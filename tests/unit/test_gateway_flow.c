/*
 * AuthReq and AuthRevReq at a running gateway, when nothing is wrong with them or only the order
 * is: approvals, declines, parts, voids, repeats, two at once, reversals; and what is kept of the
 * card.
 *
 * Gateway and issuer are processes of their own. What counts in the end is the issuer's books: one
 * hold for what was approved, none for anything else.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/wire/messages.h"
#include "common/wire/receipt.h"
#include "tests/support/test_asking.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPROVES "4242424242424242"
#define DECLINES "4000000000000002"
#define APPROVES_HALF "4000000000090102"
#define NEVER_ANSWERS "4000000000090201"
#define EXPIRY "3012"
#define CODE "123"

static struct test_gateway *gateway;
static struct test_cardholder *holder; /* of the card that approves */
static struct test_line *shop;         /* a connection of the shop's */
static struct test_line *shop_again;   /* another one */

/* ------------------------------------------------------------------ asking */

static struct test_purchase *purchase_by(const struct test_cardholder *cardholder, int64_t minor)
{
    const struct test_purchase_parties parties = test_gateway_parties(gateway, 0);
    struct test_purchase *p =
        test_purchase_new(&parties, cardholder, minor, "EUR", setpay_clock_now_ms());
    test_purchase_sign(p);
    return p;
}

static void ask(const struct test_purchase *p, struct setpay_buffer *answer)
{
    struct setpay_buffer message;
    test_purchase_auth_req(p, &message);
    test_line_ask(shop, setpay_buffer_view(&message), answer);
    setpay_buffer_clear(&message);
}

static struct setpay_auth_res authorise(const struct test_purchase *p,
                                        struct setpay_receipt *receipt)
{
    return test_authorise(gateway, shop, p, receipt);
}

static void expect_error_message(struct setpay_view answer)
{
    struct setpay_message message;
    assert_int_equal(setpay_message_parse(answer, &message), SETPAY_OK);
    assert_int_equal(message.type, SETPAY_MESSAGE_ERROR);
    setpay_message_clear(&message);
}

/* Refused like that, with no change in the database. */
static void expect_refused(const struct test_purchase *p, const char *expected)
{
    struct setpay_buffer answer;
    char *before = test_gateway_dump(gateway);
    ask(p, &answer);
    char *after = test_gateway_dump(gateway);
    expect_error_message(setpay_buffer_view(&answer));
    assert_string_equal(test_gateway_refusal(gateway, &p->auth.header.rrpid), expected);
    assert_string_equal(before, after);
    setpay_buffer_clear(&answer);
    free(before);
    free(after);
}

/* ------------------------------------------------------------------ what the issuer has */

static void expect_held(const struct test_purchase *p, size_t asked, int64_t expected)
{
    int64_t held = 0;
    assert_int_equal(test_gateway_books(gateway, &p->auth.xid, &held), asked);
    assert_int_equal(held, expected);
}

static void script(const char *key, int value)
{
    json_decref(test_gateway_issuer(gateway, "script", json_pack("{s:i}", key, value)));
}

static json_t *show(const struct test_purchase *p)
{
    char text[SETPAY_ID_TEXT_SIZE];
    return test_gateway_control(gateway, "payment.show",
                                json_pack("{s:s}", "xid", setpay_id_format(&p->auth.xid, text)));
}

static void expect_status(const struct test_purchase *p, const char *status)
{
    json_t *shown = show(p);
    assert_string_equal(json_string_value(json_object_get(shown, "status")), status);
    json_decref(shown);
}

/* ------------------------------------------------------------------ outcomes */

static void approves(void **state)
{
    struct test_purchase *p = purchase_by(holder, 1250);
    struct setpay_receipt receipt;
    char pomd[SETPAY_DIGEST_TEXT_SIZE];
    (void)state;
    struct setpay_auth_res res = authorise(p, &receipt);
    assert_int_equal(res.outcome, SETPAY_AUTH_APPROVED);
    assert_int_equal(res.amount.minor, 1250);
    assert_string_equal(res.action_code, "00");
    assert_int_equal(strlen(res.approval_code), 6);
    assert_true(res.has_cap_token && res.hold_expiry_ms > p->now_ms);
    assert_int_equal(receipt.kind, SETPAY_RECEIPT_AUTHORISATION);
    assert_int_equal(receipt.amount.minor, 1250);
    expect_held(p, 1, 1250);
    json_t *shown = show(p);
    assert_string_equal(json_string_value(json_object_get(shown, "status")), "approved");
    assert_string_equal(json_string_value(json_object_get(shown, "amount_text")), "12.50 EUR");
    assert_string_equal(json_string_value(json_object_get(shown, "card")), "•••• 4242");
    assert_string_equal(json_string_value(json_object_get(shown, "merchant_id")), "shop");
    assert_string_equal(json_string_value(json_object_get(shown, "pomd")),
                        setpay_digest_format(&p->pomd, pomd));
    assert_int_equal(json_array_size(json_object_get(shown, "receipts")), 1);
    json_decref(shown);
    test_purchase_free(p);
}

static void declines_for_good(void **state)
{
    struct test_cardholder *other = test_cardholder_new(gateway->pki, "visa", DECLINES, EXPIRY, "");
    struct test_purchase *p = purchase_by(other, 700);
    struct setpay_receipt receipt;
    (void)state;
    struct setpay_auth_res res = authorise(p, &receipt);
    assert_int_equal(res.outcome, SETPAY_AUTH_DECLINED);
    assert_int_equal(res.amount.minor, 0);
    assert_string_equal(res.action_code, "05");
    assert_false(res.has_cap_token);
    assert_int_equal(receipt.kind, SETPAY_RECEIPT_DECLINE);
    assert_int_equal(receipt.amount.minor, 700);
    expect_held(p, 1, 0);
    test_purchase_renew(p, setpay_clock_now_ms());
    expect_refused(p, "PI_USED G6"); /* rule G6: a decline is final */
    expect_held(p, 1, 0);
    test_purchase_free(p);
    test_cardholder_free(other);
}

static void reverses_without_answer(void **state)
{
    /* rule G7 */
    struct test_cardholder *other =
        test_cardholder_new(gateway->pki, "visa", NEVER_ANSWERS, EXPIRY, "");
    struct test_purchase *p = purchase_by(other, 800);
    struct setpay_receipt receipt;
    (void)state;
    struct setpay_auth_res res = authorise(p, &receipt);
    assert_int_equal(res.outcome, SETPAY_AUTH_DECLINED);
    assert_string_equal(res.action_code, "91");
    assert_int_equal(receipt.kind, SETPAY_RECEIPT_DECLINE);
    test_gateway_wait_acknowledged(gateway);
    expect_held(p, 1, 0);
    expect_status(p, "declined");
    test_purchase_free(p);
    test_cardholder_free(other);
}

static void reverses_after_lost_line(void **state)
{
    /* rule G7: held by the issuer, then the line is lost; its reversal is lost once too */
    struct test_purchase *p = purchase_by(holder, 810);
    struct setpay_receipt receipt;
    (void)state;
    script("close_after", 1);
    script("silent_reversals", 1);
    struct setpay_auth_res res = authorise(p, &receipt);
    assert_int_equal(res.outcome, SETPAY_AUTH_DECLINED);
    test_gateway_wait_acknowledged(gateway);
    expect_held(p, 1, 0);
    test_purchase_free(p);
    test_gateway_wait_ready(gateway);
}

static void takes_parts_only_where_allowed(void **state)
{
    /* rule G11 */
    struct test_cardholder *other =
        test_cardholder_new(gateway->pki, "visa", APPROVES_HALF, EXPIRY, "");
    struct test_purchase *p = purchase_by(other, 1001);
    struct setpay_receipt receipt;
    (void)state;
    struct setpay_auth_res res = authorise(p, &receipt);
    assert_int_equal(res.outcome, SETPAY_AUTH_DECLINED);
    assert_int_equal(res.amount.minor, 0);
    assert_string_equal(res.action_code, "13");
    assert_int_equal(receipt.kind, SETPAY_RECEIPT_DECLINE);
    test_gateway_wait_acknowledged(gateway);
    expect_held(p, 1, 0);
    test_purchase_free(p);

    p = purchase_by(other, 1001);
    p->auth.partial_allowed = true;
    res = authorise(p, &receipt);
    assert_int_equal(res.outcome, SETPAY_AUTH_PARTIAL);
    assert_int_equal(res.amount.minor, 501);
    assert_string_equal(res.action_code, "10");
    assert_int_equal(receipt.kind, SETPAY_RECEIPT_AUTHORISATION);
    assert_int_equal(receipt.amount.minor, 501);
    expect_held(p, 1, 501);
    test_purchase_free(p);
    test_cardholder_free(other);
}

static void keeps_nothing_without_a_line(void **state)
{
    struct test_purchase *p = purchase_by(holder, 820);
    struct setpay_receipt receipt;
    (void)state;
    test_gateway_stop_issuer(gateway);
    while (test_gateway_readiness(gateway) != 503)
        (void)usleep(5000);
    expect_refused(p, "BUSY");
    test_gateway_start_issuer(gateway);
    test_gateway_wait_ready(gateway);
    struct setpay_auth_res res = authorise(p, &receipt); /* the very same request */
    assert_int_equal(res.outcome, SETPAY_AUTH_APPROVED);
    expect_held(p, 1, 820);
    test_purchase_free(p);
}

/* ------------------------------------------------------------------ repeats (rule A6) */

static void repeats_byte_for_byte(void **state)
{
    struct test_purchase *p = purchase_by(holder, 900);
    struct setpay_buffer first, second;
    (void)state;
    ask(p, &first);
    ask(p, &second);
    assert_true(setpay_view_equal(setpay_buffer_view(&first), setpay_buffer_view(&second)));
    setpay_buffer_clear(&second);
    test_line_free(shop);
    test_line_free(shop_again);
    test_gateway_stop(gateway); /* and after a restart */
    test_gateway_start(gateway, NULL);
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    shop_again = test_line_new(gateway, gateway->shop[0].tls, "visa");
    ask(p, &second);
    assert_true(setpay_view_equal(setpay_buffer_view(&first), setpay_buffer_view(&second)));
    setpay_buffer_clear(&first);
    setpay_buffer_clear(&second);
    expect_held(p, 1, 900);
    p->auth.partial_allowed = true; /* the same rrpid with other content */
    expect_refused(p, "RRPID_REUSED A6");
    expect_held(p, 1, 900);
    test_purchase_free(p);
}

static void repeats_while_under_way(void **state)
{
    struct test_purchase *p = purchase_by(holder, 910);
    struct setpay_buffer message, first, second;
    uint64_t id = 0;
    (void)state;
    test_purchase_auth_req(p, &message);
    script("latency_ms", 300);
    test_line_send(shop, 1001, setpay_buffer_view(&message));
    test_line_send(shop_again, 1002, setpay_buffer_view(&message));
    assert_true(test_line_receive(shop, &id, &first));
    assert_int_equal(id, 1001);
    assert_true(test_line_receive(shop_again, &id, &second));
    assert_int_equal(id, 1002);
    script("latency_ms", 0);
    assert_true(setpay_view_equal(setpay_buffer_view(&first), setpay_buffer_view(&second)));
    struct setpay_receipt receipt;
    struct setpay_auth_res res =
        test_auth_res_read(gateway, p, setpay_buffer_view(&first), &receipt);
    assert_int_equal(res.outcome, SETPAY_AUTH_APPROVED);
    expect_held(p, 1, 910);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&first);
    setpay_buffer_clear(&second);
    test_purchase_free(p);
}

/* ------------------------------------------------------------------ once only (rule G6) */

static void authorises_once(void **state)
{
    struct test_purchase *p = purchase_by(holder, 1000);
    struct setpay_receipt receipt;
    (void)state;
    authorise(p, &receipt);
    test_purchase_renew(p, setpay_clock_now_ms());
    expect_refused(p, "PI_USED G6"); /* the same instruction under a new rrpid */
    struct test_purchase *q = purchase_by(holder, 1000);
    q->oi.xid = q->pi.xid = p->pi.xid;
    test_purchase_sign(q);
    expect_refused(q, "PI_USED G6"); /* another instruction for the same xid */
    expect_held(p, 1, 1000);
    test_purchase_free(p);
    test_purchase_free(q);
}

/* Sends both on two connections before either is answered. Gives the one that was approved. */
static int race(const struct test_purchase *a, const struct test_purchase *b)
{
    struct setpay_buffer messages[2], answers[2];
    int approved = 0, refused = 0, winner = -1;
    uint64_t id = 0;
    test_purchase_auth_req(a, &messages[0]);
    test_purchase_auth_req(b, &messages[1]);
    script("latency_ms", 200);
    test_line_send(shop, 2001, setpay_buffer_view(&messages[0]));
    test_line_send(shop_again, 2002, setpay_buffer_view(&messages[1]));
    assert_true(test_line_receive(shop, &id, &answers[0]));
    assert_true(test_line_receive(shop_again, &id, &answers[1]));
    script("latency_ms", 0);
    for (int i = 0; i < 2; i++) {
        struct setpay_message message;
        assert_int_equal(setpay_message_parse(setpay_buffer_view(&answers[i]), &message),
                         SETPAY_OK);
        if (message.type == SETPAY_MESSAGE_AUTH_RES) {
            approved++;
            winner = i;
        } else {
            refused++;
        }
        setpay_message_clear(&message);
        setpay_buffer_clear(&messages[i]);
        setpay_buffer_clear(&answers[i]);
    }
    assert_int_equal(approved, 1);
    assert_int_equal(refused, 1);
    const struct test_purchase *loser = winner == 0 ? b : a;
    assert_string_equal(test_gateway_refusal(gateway, &loser->auth.header.rrpid), "PI_USED G6");
    return winner;
}

static void authorises_once_of_two(void **state)
{
    (void)state;
    for (int round = 0; round < 8; round++) {
        /* one instruction, two requests */
        struct test_purchase *p = purchase_by(holder, 1100 + round);
        struct test_purchase *q = purchase_by(holder, 1100 + round);
        struct setpay_buffer ignored;
        setpay_buffer_init(&ignored, 1);
        struct setpay_auth_req second = p->auth;
        second.header.rrpid = q->auth.header.rrpid;
        q->auth = second;
        assert_int_equal(setpay_buffer_set(&q->envelope, setpay_buffer_view(&p->envelope)),
                         SETPAY_OK);
        (void)race(p, q);
        expect_held(p, 1, 1100 + round);
        test_purchase_free(q);
        /* one xid, two instructions */
        struct test_purchase *r = purchase_by(holder, 1200 + round);
        struct test_purchase *s = purchase_by(holder, 1200 + round);
        s->oi.xid = s->pi.xid = r->pi.xid;
        test_purchase_sign(s);
        (void)race(r, s);
        expect_held(r, 1, 1200 + round);
        test_purchase_free(p);
        test_purchase_free(r);
        test_purchase_free(s);
    }
}

/* ------------------------------------------------------------------ voids */

static void voids(void **state)
{
    struct test_purchase *p = purchase_by(holder, 1300);
    struct setpay_receipt receipt;
    struct setpay_buffer first, second;
    (void)state;
    p->auth.intent = SETPAY_INTENT_VOID;
    ask(p, &first);
    struct setpay_auth_res res =
        test_auth_res_read(gateway, p, setpay_buffer_view(&first), &receipt);
    assert_int_equal(res.outcome, SETPAY_AUTH_VOIDED);
    assert_int_equal(res.amount.minor, 0);
    assert_false(res.has_cap_token);
    assert_int_equal(receipt.kind, SETPAY_RECEIPT_VOID);
    assert_int_equal(receipt.amount.minor, 1300);
    ask(p, &second);
    assert_true(setpay_view_equal(setpay_buffer_view(&first), setpay_buffer_view(&second)));
    expect_held(p, 0, 0); /* nobody was asked */
    expect_status(p, "voided");
    test_purchase_renew(p, setpay_clock_now_ms());
    expect_refused(p, "PI_USED G6"); /* voided again under another rrpid */
    p->auth.intent = SETPAY_INTENT_AUTHORISE;
    test_purchase_renew(p, setpay_clock_now_ms());
    expect_refused(p, "PI_USED G6"); /* rule G6: a void is final */
    expect_held(p, 0, 0);
    setpay_buffer_clear(&first);
    setpay_buffer_clear(&second);
    test_purchase_free(p);
}

static void voids_what_has_expired(void **state)
{
    struct test_purchase *p = purchase_by(holder, 1310);
    struct setpay_receipt receipt;
    (void)state;
    p->oi.expiry_ms = p->pi.expiry_ms = p->now_ms - SETPAY_HOUR_MS;
    test_purchase_sign(p);
    p->auth.intent = SETPAY_INTENT_VOID;
    struct setpay_auth_res res = authorise(p, &receipt);
    assert_int_equal(res.outcome, SETPAY_AUTH_VOIDED);
    test_purchase_free(p);
}

static void voids_for_a_lapsed_cardholder(void **state)
{
    struct test_cardholder *revoked =
        test_cardholder_new(gateway->pki, "visa", APPROVES, EXPIRY, "");
    struct test_cardholder *expired =
        test_cardholder_new_defective(gateway->pki, "visa", APPROVES, EXPIRY, TEST_PKI_EXPIRED);
    const struct {
        const struct test_cardholder *cardholder;
        const char *refusal;
    } rows[] = {{revoked, "CERT_REVOKED A3"}, {expired, "CERT_TIME A3"}};
    (void)state;
    test_pki_revoke(gateway->pki, revoked->party);
    test_gateway_publish_crl(gateway, "visa", SETPAY_CA_CARDHOLDER);
    test_gateway_reload(gateway);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_purchase *p = purchase_by(rows[i].cardholder, 1330);
        struct setpay_receipt receipt;
        expect_refused(p, rows[i].refusal); /* rule A3 */
        p->auth.intent = SETPAY_INTENT_VOID;
        p->without_cardholder = true;
        test_purchase_renew(p, setpay_clock_now_ms());
        expect_refused(p, "CERT_MISSING A3"); /* nothing of it was kept */
        p->without_cardholder = false;
        p->ds_signer = holder->party; /* rule G3: the signature is checked all the same */
        test_purchase_sign(p);
        p->auth.intent = SETPAY_INTENT_VOID;
        expect_refused(p, "DS_PAYMENT G3");
        p->ds_signer = rows[i].cardholder->party;
        test_purchase_sign(p);
        p->auth.intent = SETPAY_INTENT_VOID;
        assert_int_equal(authorise(p, &receipt).outcome, SETPAY_AUTH_VOIDED);
        assert_int_equal(receipt.kind, SETPAY_RECEIPT_VOID);
        expect_held(p, 0, 0);
        test_purchase_free(p);
    }
    test_cardholder_free(revoked);
    test_cardholder_free(expired);
}

static void does_not_void_an_authorisation(void **state)
{
    struct test_purchase *p = purchase_by(holder, 1320);
    struct setpay_receipt receipt;
    (void)state;
    authorise(p, &receipt);
    test_purchase_renew(p, setpay_clock_now_ms());
    p->auth.intent = SETPAY_INTENT_VOID;
    expect_refused(p, "PI_USED G6");
    expect_held(p, 1, 1320);
    test_purchase_free(p);
}

static void voids_or_authorises(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct test_purchase *p = purchase_by(holder, 1330);
        struct test_purchase *q = purchase_by(holder, 1330);
        struct setpay_id rrpid = q->auth.header.rrpid;
        q->auth = p->auth;
        q->auth.header.rrpid = rrpid;
        q->auth.intent = SETPAY_INTENT_VOID;
        assert_int_equal(setpay_buffer_set(&q->envelope, setpay_buffer_view(&p->envelope)),
                         SETPAY_OK);
        if (race(p, q) == 0) {
            expect_held(p, 1, 1330);
            expect_status(p, "approved");
        } else {
            expect_held(p, 0, 0);
            expect_status(p, "voided");
        }
        test_purchase_free(p);
        test_purchase_free(q);
    }
}

/* ------------------------------------------------------------------ reversals */

static void ask_reversal(const struct setpay_auth_rev_req *request, struct setpay_buffer *answer)
{
    struct setpay_buffer message;
    test_reversal_message(request, gateway->shop[0].sign, &message);
    test_line_ask(shop, setpay_buffer_view(&message), answer);
    setpay_buffer_clear(&message);
}

static void expect_reversal_refused(struct setpay_auth_rev_req request, struct test_line *line,
                                    const struct test_party *signer, const char *expected)
{
    struct setpay_buffer message, answer;
    char *before = test_gateway_dump(gateway);
    assert_int_equal(setpay_id_random(&request.header.rrpid), SETPAY_OK);
    test_reversal_message(&request, signer, &message);
    test_line_ask(line, setpay_buffer_view(&message), &answer);
    char *after = test_gateway_dump(gateway);
    expect_error_message(setpay_buffer_view(&answer));
    assert_string_equal(test_gateway_refusal(gateway, &request.header.rrpid), expected);
    assert_string_equal(before, after);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    free(before);
    free(after);
}

static void reverses_part_and_rest(void **state)
{
    struct test_purchase *p = purchase_by(holder, 1400);
    struct setpay_receipt receipt;
    struct setpay_buffer first, second;
    (void)state;
    struct setpay_auth_res res = authorise(p, &receipt);
    struct setpay_auth_rev_req part = test_reversal_of(p, &res, 400);
    struct setpay_auth_rev_req rest = test_reversal_of(p, &res, 1000);
    struct setpay_auth_rev_req more = test_reversal_of(p, &res, 1001);

    ask_reversal(&part, &first);
    assert_int_equal(test_remaining_in(gateway, p, setpay_buffer_view(&first), &receipt), 1000);
    assert_int_equal(receipt.amount.minor, 400);
    ask_reversal(&part, &second); /* rule A6 */
    assert_true(setpay_view_equal(setpay_buffer_view(&first), setpay_buffer_view(&second)));
    setpay_buffer_clear(&first);
    setpay_buffer_clear(&second);
    expect_status(p, "approved");
    test_gateway_wait_acknowledged(gateway);
    expect_held(p, 1, 1000);
    /* rule G8 */
    expect_reversal_refused(more, shop, gateway->shop[0].sign, "AMOUNT_LIMIT G8");

    ask_reversal(&rest, &first);
    assert_int_equal(test_remaining_in(gateway, p, setpay_buffer_view(&first), &receipt), 0);
    setpay_buffer_clear(&first);
    expect_status(p, "reversed");
    test_gateway_wait_acknowledged(gateway);
    expect_held(p, 1, 0);
    expect_reversal_refused(rest, shop, gateway->shop[0].sign, "STATE");
    test_purchase_renew(p, setpay_clock_now_ms());
    expect_refused(p, "PI_USED G6"); /* rule G6: a reversal is final */
    test_purchase_free(p);
}

/* rule G1: what a disabled merchant holds can still be let go of, and nothing new be had. */
static void a_disabled_merchant_undoes(void **state)
{
    struct test_purchase *held = purchase_by(holder, 1410);
    struct test_purchase *wish = purchase_by(holder, 1420);
    struct setpay_receipt receipt;
    struct setpay_buffer answer;
    (void)state;
    struct setpay_auth_res res = authorise(held, &receipt);
    struct setpay_auth_rev_req all = test_reversal_of(held, &res, 1410);
    json_decref(test_gateway_control(gateway, "merchant.disable",
                                     json_pack("{s:s, s:s}", "brand", "visa", "id", "shop")));
    expect_refused(wish, "MERCHANT_UNKNOWN G1");
    wish->auth.intent = SETPAY_INTENT_VOID;
    assert_int_equal(authorise(wish, &receipt).outcome, SETPAY_AUTH_VOIDED);
    ask_reversal(&all, &answer);
    assert_int_equal(test_remaining_in(gateway, held, setpay_buffer_view(&answer), &receipt), 0);
    setpay_buffer_clear(&answer);
    json_decref(test_gateway_control(gateway, "merchant.enable",
                                     json_pack("{s:s, s:s}", "brand", "visa", "id", "shop")));
    test_gateway_wait_acknowledged(gateway);
    expect_held(held, 1, 0);
    expect_held(wish, 0, 0);
    test_purchase_free(held);
    test_purchase_free(wish);
}

static void reverses_in_order(void **state)
{
    /* The first answers of the issuer are lost, so that the first reversal is repeated while the
     * others wait: none may overtake it. */
    static const int64_t parts[] = {100, 200, 300, 850};
    struct test_purchase *p = purchase_by(holder, 1450);
    struct setpay_receipt receipt;
    struct setpay_buffer answer;
    int64_t left = 1450;
    (void)state;
    struct setpay_auth_res res = authorise(p, &receipt);
    script("silent_reversals", 2);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct setpay_auth_rev_req part = test_reversal_of(p, &res, parts[i]);
        left -= parts[i];
        ask_reversal(&part, &answer);
        assert_int_equal(test_remaining_in(gateway, p, setpay_buffer_view(&answer), &receipt),
                         left);
        setpay_buffer_clear(&answer);
    }
    test_gateway_wait_acknowledged(gateway);
    expect_held(p, 1, 0);
    expect_status(p, "reversed");
    /* acknowledged in the order of their ids */
    assert_int_equal(test_gateway_number(gateway, "SELECT count(*) FROM reversal a JOIN reversal b"
                                                  " ON a.payment_id = b.payment_id AND a.id < b.id"
                                                  " WHERE a.acknowledged_ms > b.acknowledged_ms"),
                     0);
    assert_int_equal(test_gateway_number(gateway, "SELECT sent_count FROM reversal WHERE payment_id"
                                                  " = (SELECT MAX(payment_id) FROM reversal)"
                                                  " ORDER BY id LIMIT 1"),
                     3);
    test_purchase_free(p);
}

static void reverses_what_was_approved_in_part(void **state)
{
    struct test_cardholder *other =
        test_cardholder_new(gateway->pki, "visa", APPROVES_HALF, EXPIRY, "");
    struct test_purchase *p = purchase_by(other, 1000);
    struct setpay_receipt receipt;
    struct setpay_buffer answer;
    (void)state;
    p->auth.partial_allowed = true;
    struct setpay_auth_res res = authorise(p, &receipt);
    assert_int_equal(res.amount.minor, 500);
    struct setpay_auth_rev_req all = test_reversal_of(p, &res, 1000);
    expect_reversal_refused(all, shop, gateway->shop[0].sign, "AMOUNT_LIMIT G8");
    struct setpay_auth_rev_req half = test_reversal_of(p, &res, 500);
    ask_reversal(&half, &answer);
    assert_int_equal(test_remaining_in(gateway, p, setpay_buffer_view(&answer), &receipt), 0);
    setpay_buffer_clear(&answer);
    test_gateway_wait_acknowledged(gateway);
    expect_held(p, 1, 0);
    test_purchase_free(p);
    test_cardholder_free(other);
}

static void reverses_once_of_two(void **state)
{
    (void)state;
    for (int round = 0; round < 8; round++) {
        struct test_purchase *p = purchase_by(holder, 1500);
        struct setpay_receipt receipt;
        struct setpay_buffer messages[2], answers[2];
        uint64_t id = 0;
        int done = 0;
        struct setpay_auth_res res = authorise(p, &receipt);
        struct setpay_auth_rev_req a = test_reversal_of(p, &res, 1500);
        struct setpay_auth_rev_req b = test_reversal_of(p, &res, 1500);
        test_reversal_message(&a, gateway->shop[0].sign, &messages[0]);
        test_reversal_message(&b, gateway->shop[0].sign, &messages[1]);
        test_line_send(shop, 3001, setpay_buffer_view(&messages[0]));
        test_line_send(shop_again, 3002, setpay_buffer_view(&messages[1]));
        assert_true(test_line_receive(shop, &id, &answers[0]));
        assert_true(test_line_receive(shop_again, &id, &answers[1]));
        for (int i = 0; i < 2; i++) {
            struct setpay_message message;
            assert_int_equal(setpay_message_parse(setpay_buffer_view(&answers[i]), &message),
                             SETPAY_OK);
            done += message.type == SETPAY_MESSAGE_AUTH_REV_RES;
            setpay_message_clear(&message);
            setpay_buffer_clear(&messages[i]);
            setpay_buffer_clear(&answers[i]);
        }
        assert_int_equal(done, 1);
        test_gateway_wait_acknowledged(gateway);
        expect_held(p, 1, 0);
        test_purchase_free(p);
    }
}

static void takes_tokens_only_from_their_merchant(void **state)
{
    /* rule G9, and G1 for reversals */
    struct test_purchase *p = purchase_by(holder, 1600);
    struct test_purchase *q = purchase_by(holder, 1600);
    struct setpay_receipt receipt;
    struct test_line *other = test_line_new(gateway, gateway->other.tls, "visa");
    const struct test_party *shop_sign = gateway->shop[0].sign;
    (void)state;
    assert_non_null(other);
    struct setpay_auth_res res = authorise(p, &receipt);
    struct setpay_auth_res of_other = authorise(q, &receipt);

    struct setpay_auth_rev_req request = test_reversal_of(p, &res, 100);
    request.cap_token.bytes[0] ^= 1;
    expect_reversal_refused(request, shop, shop_sign, "TOKEN G9");
    request = test_reversal_of(p, &of_other, 100); /* the token of another payment */
    expect_reversal_refused(request, shop, shop_sign, "TOKEN G9");
    request = test_reversal_of(p, &res, 100);
    request.xid.bytes[0] ^= 1;
    expect_reversal_refused(request, shop, shop_sign, "TOKEN G9");
    request = test_reversal_of(p, &res, 100); /* the right token from the wrong merchant */
    request.header.sender = gateway->other.sign->thumbprint;
    (void)snprintf(request.merchant_id, sizeof request.merchant_id, "other");
    expect_reversal_refused(request, other, gateway->other.sign, "TOKEN G9");
    request = test_reversal_of(p, &res, 100); /* as if it were the shop */
    request.header.sender = gateway->other.sign->thumbprint;
    expect_reversal_refused(request, other, gateway->other.sign, "MERCHANT_CHANNEL G1");
    request = test_reversal_of(p, &res, 100);
    expect_reversal_refused(request, other, shop_sign, "MERCHANT_CHANNEL G1");
    request = test_reversal_of(p, &res, 100);
    memcpy(request.amount.currency, "USD", 4);
    expect_reversal_refused(request, shop, shop_sign, "AMOUNT_LIMIT G8");
    request = test_reversal_of(p, &res, 100);
    request.header.date_ms -= SETPAY_HOUR_MS;
    expect_reversal_refused(request, shop, shop_sign, "DATE A5");
    expect_held(p, 1, 1600);
    expect_held(q, 1, 1600);
    test_line_free(other);
    test_purchase_free(p);
    test_purchase_free(q);
}

/* Four digits stand in numbers and random bytes by chance: one code alone proves nothing. Of a
 * gateway that keeps codes, all of these would be found. */
static void keeps_no_code(const char *const *codes, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += test_gateway_database_holds(gateway, setpay_view_string(codes[i]));
    assert_true(found < count);
}

/* ------------------------------------------------------------------ what is kept (rule G10) */

static void keeps_no_secret(void **state)
{
    static const char *const codes[] = {"9753", "8642", "7931"};
    enum { CODES = sizeof codes / sizeof codes[0] };
    (void)state;
    for (size_t i = 0; i < CODES; i++) {
        struct test_cardholder *other =
            test_cardholder_new(gateway->pki, "visa", APPROVES, EXPIRY, codes[i]);
        struct test_purchase *p = purchase_by(other, 1700);
        struct setpay_receipt receipt;
        authorise(p, &receipt);
        assert_false(test_gateway_files_hold(gateway, setpay_digest_view(&other->pan_secret)));
        assert_false(test_gateway_files_hold(gateway, setpay_secret_view(&p->pi.back_key)));
        test_purchase_free(p);
        test_cardholder_free(other);
    }
    assert_true(test_gateway_files_hold(gateway, setpay_view_string("shop")));
    assert_false(test_gateway_files_hold(gateway, setpay_view_string(APPROVES)));
    assert_false(test_gateway_files_hold(gateway, setpay_view_string(DECLINES)));
    assert_false(test_gateway_files_hold(gateway, setpay_view_string(NEVER_ANSWERS)));
    keeps_no_code(codes, CODES);
    /* the same card is found again by its keyed digest only */
    assert_int_equal(test_gateway_number(gateway,
                                         "SELECT count(*) > 1 FROM payment GROUP BY pan_digest"
                                         " ORDER BY count(*) DESC LIMIT 1"),
                     1);
}

/* ------------------------------------------------------------------ what the operator sees */

static void lists_payments_in_pages(void **state)
{
    int64_t all = test_gateway_number(gateway, "SELECT count(*) FROM payment");
    int64_t seen = 0;
    json_t *before = json_null();
    (void)state;
    do {
        json_t *args = json_pack("{s:i, s:O}", "limit", 7, "before", before);
        json_t *page = test_gateway_control(gateway, "payment.list", args);
        size_t count = json_array_size(json_object_get(page, "payments"));
        json_decref(before);
        before = json_incref(json_object_get(page, "next_before"));
        assert_true(count == 7 || json_is_null(before));
        seen += (int64_t)count;
        json_decref(page);
    } while (!json_is_null(before));
    json_decref(before);
    assert_int_equal(seen, all);

    json_t *page = test_gateway_control(gateway, "payment.list",
                                        json_pack("{s:s, s:i}", "state", "voided", "limit", 1000));
    assert_int_equal(json_array_size(json_object_get(page, "payments")),
                     test_gateway_number(gateway, "SELECT count(*) FROM payment WHERE state = 4"));
    json_decref(page);
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    holder = test_cardholder_new(gateway->pki, "visa", APPROVES, EXPIRY, CODE);
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    shop_again = test_line_new(gateway, gateway->shop[0].tls, "visa");
    return shop == NULL || shop_again == NULL;
}

static int close_all(void **state)
{
    (void)state;
    test_line_free(shop);
    test_line_free(shop_again);
    test_cardholder_free(holder);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(approves),
        cmocka_unit_test(declines_for_good),
        cmocka_unit_test(reverses_without_answer),
        cmocka_unit_test(reverses_after_lost_line),
        cmocka_unit_test(takes_parts_only_where_allowed),
        cmocka_unit_test(keeps_nothing_without_a_line),
        cmocka_unit_test(repeats_byte_for_byte),
        cmocka_unit_test(repeats_while_under_way),
        cmocka_unit_test(authorises_once),
        cmocka_unit_test(authorises_once_of_two),
        cmocka_unit_test(voids),
        cmocka_unit_test(voids_what_has_expired),
        cmocka_unit_test(voids_for_a_lapsed_cardholder),
        cmocka_unit_test(does_not_void_an_authorisation),
        cmocka_unit_test(voids_or_authorises),
        cmocka_unit_test(reverses_part_and_rest),
        cmocka_unit_test(a_disabled_merchant_undoes),
        cmocka_unit_test(reverses_in_order),
        cmocka_unit_test(reverses_what_was_approved_in_part),
        cmocka_unit_test(reverses_once_of_two),
        cmocka_unit_test(takes_tokens_only_from_their_merchant),
        cmocka_unit_test(keeps_no_secret),
        cmocka_unit_test(lists_payments_in_pages),
    };
    test_alarm(240);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
