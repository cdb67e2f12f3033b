/*
 * What follows an authorisation at a running gateway: captures whole and in parts, credits, the
 * reversal of either, many in one request; to the last unit and not one more, twice at once, and
 * for nobody but the merchant who was given the token.
 *
 * In the end the ledger holds every step once, and adds up.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/wire/messages.h"
#include "common/wire/receipt.h"
#include "gateway/issuer/clearing_file.h"
#include "gateway/payment/step.h"
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
#define EXPIRY "3012"
#define CODE "123"

#define CAP SETPAY_MESSAGE_CAP_REQ
#define CAP_REV SETPAY_MESSAGE_CAP_REV_REQ
#define CRED SETPAY_MESSAGE_CRED_REQ
#define CRED_REV SETPAY_MESSAGE_CRED_REV_REQ

static struct test_gateway *gateway;
static struct test_cardholder *holder;
static struct test_line *shop;
static struct test_line *shop_again;

/* ------------------------------------------------------------------ a payment, and steps of it */

struct paid {
    struct test_purchase *purchase;
    struct setpay_auth_res auth;
    struct setpay_digest last_receipt; /* hash of the newest */
    struct setpay_receipt_sums sums;   /* as the wallet would add them up */
};

static void take_receipt(struct paid *paid, const struct setpay_sealed_receipt *sealed)
{
    const struct setpay_certificate *sign = gateway->sign[0]->certificate;
    struct setpay_receipt receipt;
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    assert_int_equal(setpay_sealed_receipt_open(sealed, &paid->purchase->pi.back_key,
                                                &paid->purchase->auth.xid, sign, &receipt, &bytes),
                     SETPAY_OK);
    assert_true(setpay_digest_equal(&receipt.previous, &paid->last_receipt));
    assert_true(setpay_digest_equal(&receipt.pomd, &paid->purchase->pomd));
    assert_int_equal(setpay_receipt_hash(setpay_buffer_view(&bytes), &paid->last_receipt),
                     SETPAY_OK);
    assert_int_equal(setpay_receipt_sums_add(&paid->sums, &receipt), SETPAY_OK);
    setpay_buffer_clear(&bytes);
}

static void pay_in(struct paid *paid, int64_t minor, const char *currency)
{
    const struct test_purchase_parties parties = test_gateway_parties(gateway, 0);
    struct setpay_receipt receipt;
    memset(paid, 0, sizeof *paid);
    paid->purchase = test_purchase_new(&parties, holder, minor, currency, setpay_clock_now_ms());
    test_purchase_sign(paid->purchase);
    paid->auth = test_authorise(gateway, shop, paid->purchase, &receipt);
    assert_int_equal(paid->auth.outcome, SETPAY_AUTH_APPROVED);
    take_receipt(paid, &paid->auth.receipt);
}

static void pay(struct paid *paid, int64_t minor)
{
    pay_in(paid, minor, "EUR");
}

/* One request of several steps, packed and signed once. */
struct request {
    enum setpay_message_type type;
    struct setpay_step_req content;
    struct setpay_step steps[SETPAY_LIMIT_STEPS];
    struct setpay_buffer message;
};

static void request_init(struct request *request, enum setpay_message_type type,
                         const struct paid *paid)
{
    const struct setpay_auth_req *auth = &paid->purchase->auth;
    memset(request, 0, sizeof *request);
    request->type = type;
    request->content.header = auth->header;
    request->content.header.date_ms = setpay_clock_now_ms();
    assert_int_equal(setpay_id_random(&request->content.header.rrpid), SETPAY_OK);
    memcpy(request->content.brand, auth->brand, sizeof request->content.brand);
    memcpy(request->content.merchant_id, auth->merchant_id, sizeof request->content.merchant_id);
    request->content.steps = request->steps;
}

static void request_add(struct request *request, const struct paid *paid,
                        const struct setpay_id *of, int64_t minor)
{
    struct setpay_step *step = &request->steps[request->content.step_count++];
    step->xid = paid->purchase->auth.xid;
    step->of = *of;
    step->amount = paid->purchase->auth.amount;
    step->amount.minor = minor;
}

static void request_sign(struct request *request, const struct test_party *signer)
{
    struct setpay_buffer content;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_step_req_build(&request->content, &content), SETPAY_OK);
    test_merchant_message(request->type, signer, setpay_buffer_view(&content), &request->message);
    setpay_buffer_clear(&content);
}

/* What came back: a StepRes of the right type, signed by the gateway, to this request. */
static void read_answer(const struct request *request, struct setpay_view bytes,
                        struct setpay_step_res *res)
{
    struct setpay_message message;
    assert_int_equal(setpay_message_parse(bytes, &message), SETPAY_OK);
    assert_int_equal(message.type, request->type + 1);
    assert_int_equal(setpay_message_verify(&message, gateway->sign[0]->certificate), SETPAY_OK);
    assert_int_equal(setpay_step_res_parse(message.content, res), SETPAY_OK);
    assert_true(setpay_id_equal(&res->header.rrpid, &request->content.header.rrpid));
    assert_true(setpay_digest_equal(&res->header.sender, &gateway->sign[0]->thumbprint));
    assert_int_equal(res->done_count + res->refused_count, request->content.step_count);
    setpay_message_clear(&message);
}

/* One step, which must be done; its id. */
static struct setpay_id step_done(enum setpay_message_type type, struct paid *paid,
                                  const struct setpay_id *of, int64_t minor, int64_t remaining)
{
    struct request request;
    struct setpay_step_res res;
    struct setpay_buffer answer;
    request_init(&request, type, paid);
    request_add(&request, paid, of, minor);
    request_sign(&request, gateway->shop[0].sign);
    test_line_ask(shop, setpay_buffer_view(&request.message), &answer);
    read_answer(&request, setpay_buffer_view(&answer), &res);
    assert_int_equal(res.done_count, 1);
    assert_true(setpay_id_equal(&res.done[0].xid, &paid->purchase->auth.xid));
    assert_true(setpay_id_equal(&res.done[0].of, of));
    assert_int_equal(res.done[0].amount.minor, minor);
    assert_int_equal(res.done[0].remaining.minor, remaining);
    assert_true(setpay_digest_equal(&res.done[0].pomd, &paid->purchase->pomd));
    take_receipt(paid, &res.done[0].receipt);
    test_expect_evidence(gateway, &paid->purchase->auth.xid, setpay_buffer_view(&request.message),
                         gateway->shop[0].sign);
    struct setpay_id id = res.done[0].id;
    setpay_step_res_clear(&res);
    setpay_buffer_clear(&answer);
    setpay_buffer_clear(&request.message);
    return id;
}

static const char *step_refusal(const struct request *request)
{
    return test_daemon_refusal(&gateway->daemon, "step.refused", &request->content.header.rrpid);
}

/* One step, which must be refused so, and change nothing but for the answer that is kept. */
static void step_refused(enum setpay_message_type type, const struct paid *paid,
                         const struct setpay_id *of, int64_t minor, const char *expected)
{
    struct request request;
    struct setpay_step_res res;
    struct setpay_buffer answer;
    int64_t entries = test_gateway_number(gateway, "SELECT COUNT(*) FROM ledger_entry");
    int64_t receipts = test_gateway_number(gateway, "SELECT COUNT(*) FROM receipt");
    int64_t versions = test_gateway_number(gateway, "SELECT SUM(version) FROM payment");
    int64_t kept = test_gateway_number(gateway, "SELECT COUNT(*) FROM evidence");
    request_init(&request, type, paid);
    request_add(&request, paid, of, minor);
    request_sign(&request, gateway->shop[0].sign);
    test_line_ask(shop, setpay_buffer_view(&request.message), &answer);
    read_answer(&request, setpay_buffer_view(&answer), &res);
    assert_int_equal(res.refused_count, 1);
    assert_string_equal(step_refusal(&request), expected);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM ledger_entry"), entries);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM receipt"), receipts);
    assert_int_equal(test_gateway_number(gateway, "SELECT SUM(version) FROM payment"), versions);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM evidence"), kept);
    setpay_step_res_clear(&res);
    setpay_buffer_clear(&answer);
    setpay_buffer_clear(&request.message);
}

static void expect_status(const struct paid *paid, const char *status)
{
    char text[SETPAY_ID_TEXT_SIZE];
    json_t *shown = test_gateway_control(
        gateway, "payment.show",
        json_pack("{s:s}", "xid", setpay_id_format(&paid->purchase->auth.xid, text)));
    assert_string_equal(json_string_value(json_object_get(shown, "status")), status);
    json_decref(shown);
}

static void expect_ledger_holds(void)
{
    test_gateway_expect_sound(gateway);
}

static void forget(struct paid *paid)
{
    test_purchase_free(paid->purchase);
}

/* ------------------------------------------------------------------ captures */

/* rule G8: split shipment; the last unit, and not one more */
static void captures_in_parts(void **state)
{
    struct paid paid;
    (void)state;
    pay(&paid, 1000);
    const struct setpay_id *token = &paid.auth.cap_token;
    step_refused(CAP, &paid, token, 1001, "AMOUNT_LIMIT G8");
    step_done(CAP, &paid, token, 600, 400);
    expect_status(&paid, "captured");
    step_refused(CAP, &paid, token, 401, "AMOUNT_LIMIT G8");
    step_done(CAP, &paid, token, 399, 1);
    step_done(CAP, &paid, token, 1, 0);
    step_refused(CAP, &paid, token, 1, "AMOUNT_LIMIT G8");
    assert_int_equal(paid.sums.captured_minor, 1000);
    expect_ledger_holds();
    forget(&paid);
}

/* What is captured can't be given up as an authorisation; the rest can. */
static void the_rest_is_given_up(void **state)
{
    struct paid paid;
    struct setpay_receipt receipt;
    struct setpay_buffer message, answer;
    (void)state;
    pay(&paid, 1000);
    step_done(CAP, &paid, &paid.auth.cap_token, 700, 300);
    struct setpay_auth_rev_req rest = test_reversal_of(paid.purchase, &paid.auth, 300);
    test_reversal_message(&rest, gateway->shop[0].sign, &message);
    test_line_ask(shop, setpay_buffer_view(&message), &answer);
    assert_int_equal(
        test_remaining_in(gateway, paid.purchase, setpay_buffer_view(&answer), &receipt), 0);
    assert_int_equal(setpay_receipt_sums_add(&paid.sums, &receipt), SETPAY_OK);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    expect_status(&paid, "captured");
    test_gateway_wait_acknowledged(gateway);
    int64_t held = 0;
    test_gateway_books(gateway, &paid.purchase->auth.xid, &held);
    assert_int_equal(held, 700); /* the issuer holds what will be presented */
    step_refused(CAP, &paid, &paid.auth.cap_token, 1, "AMOUNT_LIMIT G8");
    expect_ledger_holds();
    forget(&paid);
}

static void undoes_captures(void **state)
{
    struct paid paid;
    (void)state;
    pay(&paid, 500);
    struct setpay_id first = step_done(CAP, &paid, &paid.auth.cap_token, 200, 300);
    struct setpay_id second = step_done(CAP, &paid, &paid.auth.cap_token, 300, 0);
    step_refused(CAP_REV, &paid, &first, 199, "AMOUNT_LIMIT G8"); /* the whole, or nothing */
    step_refused(CAP_REV, &paid, &paid.auth.cap_token, 200, "TOKEN G9");
    struct setpay_id undo = step_done(CAP_REV, &paid, &first, 200, 200);
    expect_status(&paid, "captured");
    step_refused(CAP_REV, &paid, &first, 200, "STATE");
    step_refused(CAP_REV, &paid, &undo, 200, "TOKEN G9"); /* what undoes is not undone */
    step_done(CAP_REV, &paid, &second, 300, 500);
    expect_status(&paid, "approved");
    step_done(CAP, &paid, &paid.auth.cap_token, 500, 0);
    assert_int_equal(paid.sums.captured_minor, 500);
    expect_ledger_holds();
    forget(&paid);
}

/* ------------------------------------------------------------------ credits */

static void credits_what_was_captured(void **state)
{
    struct paid paid;
    (void)state;
    pay(&paid, 900);
    step_refused(CRED, &paid, &paid.auth.cap_token, 1, "TOKEN G9");
    struct setpay_id first = step_done(CAP, &paid, &paid.auth.cap_token, 500, 400);
    struct setpay_id second = step_done(CAP, &paid, &paid.auth.cap_token, 400, 0);
    step_refused(CRED, &paid, &first, 501, "AMOUNT_LIMIT G8"); /* of one capture, not of both */
    struct setpay_id credit = step_done(CRED, &paid, &first, 499, 401);
    step_refused(CRED, &paid, &first, 2, "AMOUNT_LIMIT G8");
    step_refused(CAP_REV, &paid, &first, 500, "STATE"); /* some of it is given back */
    step_done(CRED, &paid, &first, 1, 400);
    step_refused(CRED_REV, &paid, &credit, 498, "AMOUNT_LIMIT G8");
    step_refused(CRED_REV, &paid, &first, 500, "TOKEN G9");
    step_done(CRED_REV, &paid, &credit, 499, 899);
    step_refused(CRED_REV, &paid, &credit, 499, "STATE");
    step_done(CRED, &paid, &second, 400, 499);
    step_done(CRED, &paid, &first, 499, 0);
    assert_int_equal(paid.sums.captured_minor, 900);
    assert_int_equal(paid.sums.credited_minor, 900);
    expect_ledger_holds();
    forget(&paid);
}

/* Nothing is given back of what was never taken, though another capture would cover it. */
static void what_was_undone_is_not_credited(void **state)
{
    struct paid paid;
    (void)state;
    pay(&paid, 900);
    struct setpay_id undone = step_done(CAP, &paid, &paid.auth.cap_token, 300, 600);
    struct setpay_id stands = step_done(CAP, &paid, &paid.auth.cap_token, 600, 0);
    step_done(CAP_REV, &paid, &undone, 300, 300);
    step_refused(CRED, &paid, &undone, 300, "STATE");
    step_done(CRED, &paid, &stands, 600, 0);
    expect_ledger_holds();
    forget(&paid);
}

/* rule G9: a step belongs to one payment, and serves no other of the same merchant */
static void a_step_serves_its_own_payment(void **state)
{
    struct paid ours, other;
    (void)state;
    pay(&ours, 500);
    pay(&other, 500);
    step_done(CAP, &ours, &ours.auth.cap_token, 500, 0);
    struct setpay_id of_other = step_done(CAP, &other, &other.auth.cap_token, 500, 0);
    step_refused(CRED, &ours, &of_other, 500, "TOKEN G9");
    step_refused(CAP_REV, &ours, &of_other, 500, "TOKEN G9");
    struct setpay_id credit = step_done(CRED, &other, &of_other, 500, 0);
    step_refused(CRED_REV, &ours, &credit, 500, "TOKEN G9");
    expect_ledger_holds();
    forget(&ours);
    forget(&other);
}

/* rule G8: a capture comes before the end of the hold; what was captured may be given back after */
static void captures_while_it_is_held(void **state)
{
    const struct setpay_fees fees = {.count = 0};
    struct setpay_payment payment = {
        .id = 1,
        .state = SETPAY_PAYMENT_APPROVED,
        .approved_minor = 100,
        .amount = {.minor = 100, .currency = "EUR"},
        .hold_expiry_ms = 1000000,
        .has_cap_token = true,
        .cap_token = {{7}},
    };
    struct setpay_step asked = {.of = payment.cap_token, .amount = payment.amount};
    struct setpay_step_decision decision;
    (void)state;
    assert_int_equal(
        setpay_step_decide(SETPAY_STEP_CAPTURE, &asked, &payment, NULL, &fees, 1000000, &decision),
        SETPAY_E_HOLD_OVER);
    assert_int_equal(
        setpay_step_decide(SETPAY_STEP_CAPTURE, &asked, &payment, NULL, &fees, 999999, &decision),
        SETPAY_OK);
    struct setpay_gateway_step capture = decision.step;
    payment = decision.payment;
    capture.id = 5;
    assert_int_equal(setpay_step_decide(SETPAY_STEP_CREDIT, &asked, &payment, &capture, &fees,
                                        9000000, &decision),
                     SETPAY_OK);
    assert_int_equal(decision.remaining_minor, 0);
}

/* rule G8: what is disputed of a capture counts as credited, and what is disputed is not undone */
static void what_is_disputed_is_not_given_back_again(void **state)
{
    const struct setpay_fees fees = {.count = 0};
    const struct setpay_payment payment = {.id = 1,
                                           .state = SETPAY_PAYMENT_CAPTURED,
                                           .approved_minor = 100,
                                           .captured_minor = 100,
                                           .credited_minor = 30,
                                           .amount = {.minor = 100, .currency = "EUR"}};
    struct setpay_gateway_step capture = {.id = 5,
                                          .payment_id = 1,
                                          .kind = SETPAY_STEP_CAPTURE,
                                          .amount_minor = 100,
                                          .credited_minor = 30,
                                          .disputed_minor = 50,
                                          .batch_open = true};
    struct setpay_step asked = {.amount = {.minor = 21, .currency = "EUR"}};
    struct setpay_step_decision decision;
    (void)state;
    assert_int_equal(
        setpay_step_decide(SETPAY_STEP_CREDIT, &asked, &payment, &capture, &fees, 1, &decision),
        SETPAY_E_AMOUNT_LIMIT);
    asked.amount.minor = 20;
    assert_int_equal(
        setpay_step_decide(SETPAY_STEP_CREDIT, &asked, &payment, &capture, &fees, 1, &decision),
        SETPAY_OK);
    assert_int_equal(decision.of.credited_minor, 50);
    capture.credited_minor = 0;
    capture.disputed_minor = 1;
    asked.amount.minor = 100;
    assert_int_equal(setpay_step_decide(SETPAY_STEP_CAPTURE_REVERSAL, &asked, &payment, &capture,
                                        &fees, 1, &decision),
                     SETPAY_E_STATE);
    capture.disputed_minor = 0;
    assert_int_equal(setpay_step_decide(SETPAY_STEP_CAPTURE_REVERSAL, &asked, &payment, &capture,
                                        &fees, 1, &decision),
                     SETPAY_OK);
}

/* rule G8: what was not charged can't be credited, nor so much of it as nobody has paid after all
 */
static void what_was_not_charged_is_not_given_back(void **state)
{
    static const struct {
        int64_t uncharged, asked;
        enum setpay_error error;
    } cases[] = {
        {0, 70, SETPAY_OK},  {0, 71, SETPAY_E_AMOUNT_LIMIT},  {100, 1, SETPAY_E_STATE},
        {60, 10, SETPAY_OK}, {60, 11, SETPAY_E_AMOUNT_LIMIT}, {80, 1, SETPAY_E_AMOUNT_LIMIT},
    };
    const struct setpay_fees fees = {.count = 0};
    const struct setpay_payment payment = {.id = 1,
                                           .state = SETPAY_PAYMENT_CAPTURED,
                                           .approved_minor = 100,
                                           .captured_minor = 100,
                                           .credited_minor = 30,
                                           .amount = {.minor = 100, .currency = "EUR"}};
    struct setpay_gateway_step capture = {.id = 5,
                                          .payment_id = 1,
                                          .kind = SETPAY_STEP_CAPTURE,
                                          .amount_minor = 100,
                                          .credited_minor = 30};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct setpay_step asked = {.amount = {.minor = cases[i].asked, .currency = "EUR"}};
        struct setpay_step_decision decision;
        capture.uncharged_minor = cases[i].uncharged;
        print_message("# case %zu\n", i);
        assert_int_equal(
            setpay_step_decide(SETPAY_STEP_CREDIT, &asked, &payment, &capture, &fees, 1, &decision),
            cases[i].error);
    }
}

/* ------------------------------------------------------------------ many, twice, at once */

/* Of such an answer no merchant is ever told that its request is too old: it would make a new one.
 */
static const char kept_for_good[] =
    "SELECT COUNT(*) FROM answer WHERE kept_until = 9223372036854775807";

/* Each step is done or refused by itself; a repeat is the same to the last byte (rule A6). */
static void does_many_in_one_request(void **state)
{
    struct paid paid[3];
    struct request request;
    struct setpay_step_res res;
    struct setpay_buffer first, second;
    (void)state;
    for (int i = 0; i < 3; i++)
        pay(&paid[i], 100 + i);
    request_init(&request, CAP, &paid[0]);
    request_add(&request, &paid[0], &paid[0].auth.cap_token, 100);
    request_add(&request, &paid[1], &paid[0].auth.cap_token, 101); /* another payment's token */
    request_add(&request, &paid[2], &paid[2].auth.cap_token, 52);
    request_sign(&request, gateway->shop[0].sign);
    int64_t kept = test_gateway_number(gateway, kept_for_good);
    int64_t evidence = test_gateway_number(gateway, "SELECT COUNT(*) FROM evidence");
    test_line_ask(shop, setpay_buffer_view(&request.message), &first);
    assert_int_equal(test_gateway_number(gateway, kept_for_good), kept + 1);
    read_answer(&request, setpay_buffer_view(&first), &res);
    assert_int_equal(res.done_count, 2);
    assert_int_equal(res.refused_count, 1);
    assert_int_equal(res.refused[0].code, SETPAY_WIRE_UNKNOWN_TRANSACTION);
    assert_true(setpay_id_equal(&res.refused[0].xid, &paid[1].purchase->auth.xid));
    assert_int_equal(res.done[0].batch, res.done[1].batch);
    take_receipt(&paid[0], &res.done[0].receipt);
    take_receipt(&paid[2], &res.done[1].receipt);
    test_line_ask(shop_again, setpay_buffer_view(&request.message), &second);
    assert_true(setpay_view_equal(setpay_buffer_view(&first), setpay_buffer_view(&second)));
    /* The request is kept with each payment of which something was done, once. */
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM evidence"), evidence + 2);
    for (int i = 0; i < 3; i += 2)
        test_expect_evidence(gateway, &paid[i].purchase->auth.xid,
                             setpay_buffer_view(&request.message), gateway->shop[0].sign);
    expect_status(&paid[0], "captured");
    expect_status(&paid[1], "approved");
    setpay_step_res_clear(&res);
    setpay_buffer_clear(&first);
    setpay_buffer_clear(&second);
    setpay_buffer_clear(&request.message);
    expect_ledger_holds();
    for (int i = 0; i < 3; i++)
        forget(&paid[i]);
}

static void expect_error(const struct request *request, struct test_line *line,
                         const char *expected)
{
    struct setpay_message message;
    struct setpay_buffer answer;
    char *before = test_gateway_dump(gateway);
    test_line_ask(line, setpay_buffer_view(&request->message), &answer);
    char *after = test_gateway_dump(gateway);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&answer), &message), SETPAY_OK);
    assert_int_equal(message.type, SETPAY_MESSAGE_ERROR);
    assert_string_equal(test_gateway_refusal(gateway, &request->content.header.rrpid), expected);
    assert_string_equal(before, after);
    setpay_message_clear(&message);
    setpay_buffer_clear(&answer);
    free(before);
    free(after);
}

/* rules A1, A2, A5, G1: an Error, and nothing is kept */
static void refuses_whole_requests(void **state)
{
    struct paid paid;
    struct request request;
    struct test_line *other = test_line_new(gateway, gateway->other.tls, "visa");
    (void)state;
    assert_non_null(other);
    pay(&paid, 700);
#define REFUSED(change, line, signer, expected)                                                    \
    do {                                                                                           \
        request_init(&request, CAP, &paid);                                                        \
        request_add(&request, &paid, &paid.auth.cap_token, 350);                                   \
        change;                                                                                    \
        request_sign(&request, signer);                                                            \
        expect_error(&request, line, expected);                                                    \
        setpay_buffer_clear(&request.message);                                                     \
    } while (0)
    const struct test_party *sign = gateway->shop[0].sign;
    REFUSED(request_add(&request, &paid, &paid.auth.cap_token, 350), shop, sign, "FIELD A1");
    REFUSED(request.content.header.date_ms -= 301000, shop, sign, "DATE A5");
    REFUSED(request.content.header.receiver.bytes[0] ^= 1, shop, sign, "RECEIVER A2");
    REFUSED(strcpy(request.content.merchant_id, "other"), shop, sign, "MERCHANT_CHANNEL G1");
    REFUSED((void)0, other, sign, "MERCHANT_CHANNEL G1");
#undef REFUSED
    json_decref(test_gateway_control(gateway, "merchant.disable",
                                     json_pack("{s:s, s:s}", "brand", "visa", "id", "shop")));
    request_init(&request, CAP, &paid);
    request_add(&request, &paid, &paid.auth.cap_token, 350);
    request_sign(&request, sign);
    expect_error(&request, shop, "MERCHANT_UNKNOWN G1");
    setpay_buffer_clear(&request.message);
    json_decref(test_gateway_control(gateway, "merchant.enable",
                                     json_pack("{s:s, s:s}", "brand", "visa", "id", "shop")));
    test_line_free(other);
    forget(&paid);
}

/* rule G9: another merchant who knows xid and token gets nothing for them */
static void is_for_the_merchant_of_the_token_alone(void **state)
{
    struct test_line *other = test_line_new(gateway, gateway->other.tls, "visa");
    struct paid paid;
    struct request request;
    struct setpay_step_res res;
    struct setpay_buffer answer;
    (void)state;
    assert_non_null(other);
    pay(&paid, 800);
    request_init(&request, CAP, &paid);
    request.content.header.sender = gateway->other.sign->thumbprint;
    strcpy(request.content.merchant_id, TEST_GATEWAY_OTHER);
    request_add(&request, &paid, &paid.auth.cap_token, 800);
    request_sign(&request, gateway->other.sign);
    test_line_ask(other, setpay_buffer_view(&request.message), &answer);
    read_answer(&request, setpay_buffer_view(&answer), &res);
    assert_int_equal(res.refused_count, 1);
    assert_string_equal(step_refusal(&request), "TOKEN G9");
    expect_status(&paid, "approved");
    setpay_step_res_clear(&res);
    setpay_buffer_clear(&answer);
    setpay_buffer_clear(&request.message);
    test_line_free(other);
    forget(&paid);
}

/* rule G8: two captures race for the last unit */
static void captures_once_of_two(void **state)
{
    (void)state;
    for (int round = 0; round < 8; round++) {
        struct paid paid;
        struct request requests[2];
        struct setpay_buffer answers[2];
        struct setpay_step_res res;
        size_t done = 0;
        uint64_t id = 0;
        pay(&paid, 600);
        for (int i = 0; i < 2; i++) {
            request_init(&requests[i], CAP, &paid);
            request_add(&requests[i], &paid, &paid.auth.cap_token, 301);
            request_sign(&requests[i], gateway->shop[0].sign);
        }
        test_line_send(shop, 1, setpay_buffer_view(&requests[0].message));
        test_line_send(shop_again, 2, setpay_buffer_view(&requests[1].message));
        assert_true(test_line_receive(shop, &id, &answers[0]));
        assert_true(test_line_receive(shop_again, &id, &answers[1]));
        for (int i = 0; i < 2; i++) {
            read_answer(&requests[i], setpay_buffer_view(&answers[i]), &res);
            done += res.done_count;
            setpay_step_res_clear(&res);
            setpay_buffer_clear(&answers[i]);
            setpay_buffer_clear(&requests[i].message);
        }
        assert_int_equal(done, 1);
        forget(&paid);
    }
    expect_ledger_holds();
}

/* ------------------------------------------------------------------ after a crash */

/* What was answered stands, and is answered again to the same bytes. */
static void stands_after_a_kill(void **state)
{
    struct paid paid;
    struct request request;
    struct setpay_buffer first, second;
    (void)state;
    pay(&paid, 440);
    request_init(&request, CAP, &paid);
    request_add(&request, &paid, &paid.auth.cap_token, 440);
    request_sign(&request, gateway->shop[0].sign);
    test_line_ask(shop, setpay_buffer_view(&request.message), &first);
    test_line_free(shop);
    test_line_free(shop_again);
    test_daemon_kill(&gateway->daemon);
    test_gateway_start(gateway, NULL);
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    shop_again = test_line_new(gateway, gateway->shop[0].tls, "visa");
    test_line_ask(shop, setpay_buffer_view(&request.message), &second);
    assert_true(setpay_view_equal(setpay_buffer_view(&first), setpay_buffer_view(&second)));
    step_refused(CAP, &paid, &paid.auth.cap_token, 1, "AMOUNT_LIMIT G8");
    expect_ledger_holds();
    setpay_buffer_clear(&first);
    setpay_buffer_clear(&second);
    setpay_buffer_clear(&request.message);
    forget(&paid);
}

/* ------------------------------------------------------------------ batches */

static void ask_batch_with(const struct paid *paid, enum setpay_batch_action action, uint32_t batch,
                           struct setpay_batch_total *totals, size_t count,
                           const struct setpay_id *after, struct setpay_batch_admin_res *res)
{
    struct request like;
    struct setpay_batch_admin_req request = {.action = action, .batch = batch};
    struct setpay_message message;
    struct setpay_buffer content, bytes, answer;
    request_init(&like, CAP, paid);
    request.header = like.content.header;
    memcpy(request.brand, like.content.brand, sizeof request.brand);
    memcpy(request.merchant_id, like.content.merchant_id, sizeof request.merchant_id);
    request.totals = totals;
    request.total_count = count;
    request.has_after = after != NULL;
    if (after != NULL)
        request.after = *after;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_batch_admin_req_build(&request, &content), SETPAY_OK);
    test_merchant_message(SETPAY_MESSAGE_BATCH_ADMIN_REQ, gateway->shop[0].sign,
                          setpay_buffer_view(&content), &bytes);
    test_line_ask(shop, setpay_buffer_view(&bytes), &answer);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&answer), &message), SETPAY_OK);
    assert_int_equal(message.type, SETPAY_MESSAGE_BATCH_ADMIN_RES);
    assert_int_equal(setpay_message_verify(&message, gateway->sign[0]->certificate), SETPAY_OK);
    assert_int_equal(setpay_batch_admin_res_parse(message.content, res), SETPAY_OK);
    assert_true(setpay_id_equal(&res->header.rrpid, &request.header.rrpid));
    assert_int_equal(res->batch, batch);
    setpay_message_clear(&message);
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&bytes);
    setpay_buffer_clear(&answer);
}

static void ask_batch(const struct paid *paid, enum setpay_batch_action action, uint32_t batch,
                      struct setpay_batch_total *total, const struct setpay_id *after,
                      struct setpay_batch_admin_res *res)
{
    ask_batch_with(paid, action, batch, total, total != NULL ? 1 : 0, after, res);
}

static uint32_t open_batch(void)
{
    return (uint32_t)test_gateway_number(gateway, "SELECT MAX(number) FROM batch WHERE open = 1");
}

/* The totals as the gateway has them. */
static struct setpay_batch_total query_total(const struct paid *paid, uint32_t batch)
{
    struct setpay_batch_admin_res res;
    struct setpay_batch_total total;
    ask_batch(paid, SETPAY_BATCH_QUERY, batch, NULL, NULL, &res);
    assert_int_equal(res.total_count, 1);
    assert_int_equal(res.closed_ms, 0);
    assert_false(res.agreed);
    total = res.totals[0];
    setpay_batch_admin_res_clear(&res);
    return total;
}

/* What is kept of a merchant's signed requests: the one that closed it, and those that differed. */
static void expect_kept(uint32_t batch, int64_t agreed, int64_t differing)
{
    char sql[256];
    for (int one = 0; one < 2; one++) {
        (void)snprintf(sql, sizeof sql,
                       "SELECT COUNT(*) FROM batch_evidence JOIN batch ON batch.id = batch_id"
                       " WHERE batch.number = %u AND agreed = %d AND type = 'BatchAdminReq'"
                       " AND length(signature) > 60 AND by_merchant = NOT open",
                       (unsigned)batch, one);
        assert_int_equal(test_gateway_number(gateway, sql), one == 1 ? agreed : differing);
    }
}

static void closes_where_both_agree(void **state)
{
    struct paid paid;
    struct setpay_batch_admin_res res;
    (void)state;
    pay(&paid, 1000);
    struct setpay_id first = step_done(CAP, &paid, &paid.auth.cap_token, 400, 600);
    struct setpay_id undone = step_done(CAP, &paid, &paid.auth.cap_token, 600, 0);
    uint32_t batch = open_batch();
    struct setpay_batch_total before = query_total(&paid, batch);
    step_done(CAP_REV, &paid, &undone, 600, 600);
    step_done(CRED, &paid, &first, 50, 350);
    struct setpay_batch_total total = query_total(&paid, batch);
    assert_int_equal(total.capture_count, before.capture_count - 1);
    assert_int_equal(total.capture_minor, before.capture_minor - 600);
    assert_int_equal(total.credit_count, before.credit_count + 1);
    assert_int_equal(total.credit_minor, before.credit_minor + 50);

    struct setpay_batch_total wrong = total;
    wrong.capture_minor++;
    expect_kept(batch, 0, 0); /* who looks claims nothing */
    ask_batch(&paid, SETPAY_BATCH_CLOSE, batch, &wrong, NULL, &res);
    assert_false(res.agreed);
    assert_int_equal(res.closed_ms, 0);
    assert_int_equal(res.totals[0].capture_minor, total.capture_minor);
    setpay_batch_admin_res_clear(&res);
    assert_int_equal(open_batch(), batch);
    expect_kept(batch, 0, 1);

    for (int again = 0; again < 2; again++) { /* closed once, and agreed to again */
        ask_batch(&paid, SETPAY_BATCH_CLOSE, batch, &total, NULL, &res);
        assert_true(res.agreed);
        assert_true(res.closed_ms != 0);
        setpay_batch_admin_res_clear(&res);
        assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM presentment"),
                         total.capture_count + total.credit_count);
        expect_kept(batch, 1, 1);
    }
    step_refused(CAP_REV, &paid, &first, 400, "STATE"); /* some of it is given back */
    struct setpay_id later = step_done(CAP, &paid, &paid.auth.cap_token, 600, 0);
    assert_int_equal(open_batch(), batch + 1);
    step_done(CRED, &paid, &first, 350, 600); /* of the closed one: into the next batch */
    step_done(CAP_REV, &paid, &later, 600, 600);
    expect_ledger_holds();
    forget(&paid);
}

/* A merchant that asks for ever with other totals fills nothing; and it can still agree. */
static void keeps_some_of_what_differs(void **state)
{
    struct paid paid;
    struct setpay_batch_admin_res res;
    (void)state;
    pay(&paid, 500);
    step_done(CAP, &paid, &paid.auth.cap_token, 500, 0);
    uint32_t batch = open_batch();
    struct setpay_batch_total total = query_total(&paid, batch);
    for (int i = 1; i <= 34; i++) {
        struct setpay_batch_total wrong = total;
        wrong.capture_minor += i;
        ask_batch(&paid, SETPAY_BATCH_CLOSE, batch, &wrong, NULL, &res);
        assert_false(res.agreed);
        setpay_batch_admin_res_clear(&res);
    }
    expect_kept(batch, 0, 32);
    ask_batch(&paid, SETPAY_BATCH_CLOSE, batch, &total, NULL, &res);
    assert_true(res.agreed);
    setpay_batch_admin_res_clear(&res);
    expect_kept(batch, 1, 32);
    forget(&paid);
}

/* As many totals as there are currencies: whatever a merchant took, its batch can be closed. */
static void closes_a_batch_of_every_currency(void **state)
{
    struct setpay_batch_admin_res res;
    struct paid paid;
    size_t count = 0;
    (void)state;
    for (unsigned numeric = 0; numeric <= 999; numeric++) {
        const struct setpay_currency *currency = setpay_currency_by_numeric(numeric);
        if (currency == NULL)
            continue;
        if (count++ > 0)
            forget(&paid);
        pay_in(&paid, 700, currency->code);
        step_done(CAP, &paid, &paid.auth.cap_token, 700, 0);
    }
    assert_true(count > 150);
    uint32_t batch = open_batch();
    ask_batch(&paid, SETPAY_BATCH_QUERY, batch, NULL, NULL, &res);
    assert_int_equal(res.total_count, count);
    struct setpay_batch_total *totals = res.totals;
    res.totals = NULL;
    setpay_batch_admin_res_clear(&res);
    ask_batch_with(&paid, SETPAY_BATCH_CLOSE, batch, totals, count, NULL, &res);
    assert_true(res.agreed);
    assert_int_equal(res.total_count, count);
    setpay_batch_admin_res_clear(&res);
    free(totals);
    test_daemon_wait_number(&gateway->daemon,
                            "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0", 0);
    expect_ledger_holds();
    forget(&paid);
}

static void what_was_cleared_is_not_undone(void **state)
{
    struct paid paid;
    struct setpay_batch_admin_res res;
    (void)state;
    pay(&paid, 300);
    struct setpay_id capture = step_done(CAP, &paid, &paid.auth.cap_token, 300, 0);
    uint32_t batch = open_batch();
    struct setpay_batch_total total = query_total(&paid, batch);
    ask_batch(&paid, SETPAY_BATCH_CLOSE, batch, &total, NULL, &res);
    assert_true(res.agreed);
    setpay_batch_admin_res_clear(&res);
    step_refused(CAP_REV, &paid, &capture, 300, "CLEARED");
    step_done(CRED, &paid, &capture, 300, 0);
    forget(&paid);
}

/* More than one answer holds, each item once. */
static void shows_items_in_pages(void **state)
{
    enum { PAYMENTS = SETPAY_LIMIT_BATCH_ITEMS + 6 };
    static struct paid paid[PAYMENTS];
    struct setpay_batch_admin_res res;
    struct setpay_id after;
    size_t seen = 0;
    (void)state;
    for (int i = 0; i < PAYMENTS; i++) {
        pay(&paid[i], 100 + i);
        step_done(CAP, &paid[i], &paid[i].auth.cap_token, 100 + i, 0);
    }
    uint32_t batch = open_batch();
    struct setpay_batch_total total = query_total(&paid[0], batch);
    for (bool more = true; more;) {
        ask_batch(&paid[0], SETPAY_BATCH_QUERY, batch, NULL, seen == 0 ? NULL : &after, &res);
        assert_true(res.item_count > 0);
        after = res.items[res.item_count - 1].id;
        seen += res.item_count;
        more = res.more;
        assert_int_equal(res.item_count == SETPAY_LIMIT_BATCH_ITEMS, more);
        setpay_batch_admin_res_clear(&res);
    }
    assert_int_equal(seen, total.capture_count + total.credit_count);
    for (int i = 0; i < PAYMENTS; i++)
        forget(&paid[i]);
}

/* ------------------------------------------------------------------ presentments */

static void close_batch(const struct paid *paid)
{
    struct setpay_batch_admin_res res;
    uint32_t batch = open_batch();
    struct setpay_batch_total total = query_total(paid, batch);
    ask_batch(paid, SETPAY_BATCH_CLOSE, batch, &total, NULL, &res);
    assert_true(res.agreed);
    setpay_batch_admin_res_clear(&res);
}

/* The issuer's books agree with themselves, and its clearing file with what was presented. */
static void expect_cleared(void)
{
    struct setpay_clearing_file file;
    struct setpay_problem problem = {{0}};
    json_t *check = test_gateway_issuer(gateway, "check", json_object());
    json_t *clearing = test_gateway_issuer(gateway, "clearing", json_object());
    assert_true(json_is_true(json_object_get(check, "ok")));
    const char *text = json_string_value(json_object_get(clearing, "file"));
    if (setpay_clearing_file_parse(setpay_view_string(text), &file, &problem) != SETPAY_OK)
        fail_msg("%s", problem.text);
    assert_int_equal(file.row_count,
                     test_gateway_number(gateway, "SELECT COUNT(*) FROM presentment"));
    for (size_t i = 0; i < file.row_count; i++) {
        const struct setpay_clearing_row *row = &file.rows[i];
        char sql[400];
        snprintf(
            sql, sizeof sql,
            "SELECT COUNT(*) FROM presentment JOIN step ON step.id = step_id JOIN payment ON"
            " payment.id = payment_id WHERE lower(hex(token)) = '%s' AND step.amount_minor = %lld"
            " AND lower(hex(payment.xid)) = '%s' AND kind = %d",
            row->presentment, (long long)row->amount.minor, row->xid,
            row->kind == SETPAY_CLEARING_CREDIT ? SETPAY_STEP_CREDIT : SETPAY_STEP_CAPTURE);
        assert_int_equal(test_gateway_number(gateway, sql), 1);
        assert_string_equal(row->result, "00");
    }
    setpay_clearing_file_clear(&file);
    json_decref(check);
    json_decref(clearing);
}

/* The issuer has charged what was cleared, each item once, and took every one of them. */
static void expect_presented(void)
{
    test_daemon_wait_number(&gateway->daemon,
                            "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0", 0);
    json_t *issuer = test_gateway_issuer(gateway, "presentments", json_object());
    const json_t *booked = json_array_get(json_object_get(issuer, "booked"), 0);
    assert_int_equal(json_integer_value(json_object_get(booked, "booked")),
                     test_gateway_number(gateway,
                                         "SELECT SUM(CASE kind WHEN 1 THEN amount_minor ELSE"
                                         " -amount_minor END) FROM presentment"
                                         " JOIN step ON step.id = step_id"));
    assert_int_equal(json_array_size(json_object_get(issuer, "presentments")),
                     test_gateway_number(gateway, "SELECT COUNT(*) FROM presentment"));
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM presentment"
                                                  " WHERE response_code NOT IN ('00', '94')"),
                     0);
    json_decref(issuer);
    expect_cleared();
}

static void script(const char *key, int value)
{
    json_decref(test_gateway_issuer(gateway, "script", json_pack("{s:i}", key, value)));
}

static void presents_each_item_once(void **state)
{
    struct paid paid;
    int64_t held = 0;
    (void)state;
    pay(&paid, 1000);
    struct setpay_id capture = step_done(CAP, &paid, &paid.auth.cap_token, 700, 300);
    step_done(CRED, &paid, &capture, 100, 600);
    script("silent_presentments", 2); /* booked, and not answered: sent again */
    script("refuse_presentments", 1); /* "not now" */
    close_batch(&paid);
    expect_presented();
    test_gateway_books(gateway, &paid.purchase->auth.xid, &held);
    assert_int_equal(held, 300); /* what is not captured */
    struct setpay_auth_rev_req rest = test_reversal_of(paid.purchase, &paid.auth, 300);
    struct setpay_receipt receipt;
    struct setpay_buffer message, answer;
    test_reversal_message(&rest, gateway->shop[0].sign, &message);
    test_line_ask(shop, setpay_buffer_view(&message), &answer);
    test_remaining_in(gateway, paid.purchase, setpay_buffer_view(&answer), &receipt);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    test_gateway_wait_acknowledged(gateway);
    test_gateway_books(gateway, &paid.purchase->auth.xid, &held);
    assert_int_equal(held, 0);
    forget(&paid);
}

/* Behind so many steps the next batch begins, so that closing one keeps nobody waiting. The full
 * one is the merchant's to close as any, and what is in it can be undone until then. */
static void a_full_batch_is_followed_by_the_next(void **state)
{
    struct paid paid;
    struct setpay_batch_admin_res res;
    char sql[80];
    (void)state;
    pay(&paid, 1000);
    step_done(CAP, &paid, &paid.auth.cap_token, 400, 600);
    uint32_t full = open_batch();
    (void)snprintf(sql, sizeof sql, "UPDATE batch SET step_count = %d WHERE open = 1",
                   SETPAY_LIMIT_BATCH_STEPS - 1);
    test_daemon_execute(&gateway->daemon, sql);
    struct setpay_id last = step_done(CAP, &paid, &paid.auth.cap_token, 300, 300);
    assert_int_equal(open_batch(), full);
    step_done(CAP, &paid, &paid.auth.cap_token, 100, 200);
    assert_int_equal(open_batch(), full + 1);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM batch WHERE open = 1"), 2);
    step_done(CAP_REV, &paid, &last, 300, 500);
    struct setpay_batch_total total = query_total(&paid, full);
    assert_int_equal(total.capture_minor, 400);
    ask_batch(&paid, SETPAY_BATCH_CLOSE, full, &total, NULL, &res);
    assert_true(res.agreed);
    setpay_batch_admin_res_clear(&res);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM batch WHERE open = 1"), 1);
    close_batch(&paid);
    assert_int_equal(test_gateway_number(gateway, "SELECT MAX(batch.number) FROM presentment JOIN"
                                                  " batch ON batch.id = presentment.batch_id"),
                     full + 1);
    expect_presented();
    test_gateway_expect_sound(gateway);
    forget(&paid);
}

/* Alone, before the charge that it gives back, it would be refused. */
static void a_credit_comes_behind_its_capture(void **state)
{
    struct paid paid;
    (void)state;
    pay(&paid, 1000);
    struct setpay_id capture = step_done(CAP, &paid, &paid.auth.cap_token, 700, 300);
    step_done(CRED, &paid, &capture, 100, 600);
    script("refuse_presentments", 1); /* the capture: "not now" */
    close_batch(&paid);
    expect_presented();
    forget(&paid);
}

/* The issuer away, the gateway killed: what was closed is presented when both are back, once. */
static void presents_after_an_outage(void **state)
{
    struct paid paid[5];
    (void)state;
    for (int i = 0; i < 5; i++) {
        pay(&paid[i], 200 + i);
        step_done(CAP, &paid[i], &paid[i].auth.cap_token, 200 + i, 0);
    }
    script("silent_presentments", 2);
    test_gateway_stop_issuer(gateway);
    close_batch(&paid[0]);
    assert_int_equal(
        test_gateway_number(gateway, "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0"), 5);
    test_line_free(shop);
    test_line_free(shop_again);
    test_daemon_kill(&gateway->daemon);
    test_gateway_start_issuer(gateway);
    test_gateway_start(gateway, NULL);
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    shop_again = test_line_new(gateway, gateway->shop[0].tls, "visa");
    expect_presented();
    expect_ledger_holds();
    for (int i = 0; i < 5; i++)
        forget(&paid[i]);
}

#define UNSENDABLE                                                                                 \
    test_daemon_figure(&gateway->daemon, "setpay_gateway_presentments_unsendable_total")

/* What can't be sent keeps nothing else from it, is counted, and is tried again at the next start.
 */
static void what_cannot_be_sent_waits(void **state)
{
    struct paid paid[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        pay(&paid[i], 300 + i);
        step_done(CAP, &paid[i], &paid[i].auth.cap_token, 300 + i, 0);
    }
    test_daemon_execute(&gateway->daemon, "CREATE TABLE aside AS SELECT * FROM kept_card");
    test_daemon_execute(&gateway->daemon, "DELETE FROM kept_card WHERE payment_id ="
                                          " (SELECT MAX(id) - 1 FROM payment)");
    assert_int_equal(UNSENDABLE, 0);
    close_batch(&paid[0]);
    test_daemon_wait_number(&gateway->daemon,
                            "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0", 1);
    assert_int_equal(UNSENDABLE, 1);
    test_daemon_execute(&gateway->daemon,
                        "INSERT INTO kept_card SELECT * FROM aside WHERE payment_id NOT IN"
                        " (SELECT payment_id FROM kept_card)");
    test_daemon_execute(&gateway->daemon, "DROP TABLE aside");
    test_line_free(shop);
    test_line_free(shop_again);
    test_daemon_kill(&gateway->daemon);
    test_gateway_start(gateway, NULL);
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    shop_again = test_line_new(gateway, gateway->shop[0].tls, "visa");
    expect_presented();
    assert_int_equal(UNSENDABLE, 0);
    for (int i = 0; i < 2; i++)
        forget(&paid[i]);
}

/* ------------------------------------------------------------------ the books */

/* 0.25 % + 0.10 and 1.4 % + 0.25, as test_gateway.c configures them for EUR. */
static void posts_what_it_costs(void **state)
{
    struct paid paid;
    (void)state;
    pay(&paid, 10000);
    step_done(CAP, &paid, &paid.auth.cap_token, 10000, 0);
#define POSTED(account)                                                                            \
    test_gateway_number(gateway,                                                                   \
                        "SELECT amount_minor FROM ledger_posting WHERE entry ="                    \
                        " (SELECT MAX(number) FROM ledger_entry) AND account = " #account)
    assert_int_equal(POSTED(1), 10000 - 35);     /* issuer receivable */
    assert_int_equal(POSTED(2), -(10000 - 165)); /* merchant payable */
    assert_int_equal(POSTED(3), 35);             /* interchange */
    assert_int_equal(POSTED(4), -165);           /* fees */
#undef POSTED
    forget(&paid);
}

/* Interchange of 100 is 0 and the fixed 10: ten credits give back 10, and not 10 each. */
static void gives_back_what_was_kept(void **state)
{
    struct paid paid;
    struct setpay_id credit = {{0}};
    (void)state;
    pay(&paid, 100);
    struct setpay_id capture = step_done(CAP, &paid, &paid.auth.cap_token, 100, 0);
#define GIVEN                                                                                      \
    test_gateway_number(gateway, "SELECT SUM(interchange_minor) FROM step WHERE kind = 2 AND"      \
                                 " undone = 0 AND payment_id = (SELECT MAX(id) FROM payment)")
    for (int i = 1; i <= 9; i++) {
        credit = step_done(CRED, &paid, &capture, 10, 100 - 10 * i);
        assert_int_equal(GIVEN, i);
    }
    step_done(CRED_REV, &paid, &credit, 10, 20);
    assert_int_equal(GIVEN, 8);
    step_done(CRED, &paid, &capture, 1, 19);
    assert_int_equal(GIVEN, 8);
    step_done(CRED, &paid, &capture, 18, 1);
    assert_int_equal(GIVEN, 10);
    step_done(CRED, &paid, &capture, 1, 0);
    assert_int_equal(GIVEN, 10);
#undef GIVEN
    expect_ledger_holds();
    forget(&paid);
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    holder = test_cardholder_new(gateway->pki, "visa", APPROVES, EXPIRY, CODE);
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    shop_again = test_line_new(gateway, gateway->shop[0].tls, "visa");
    return shop == NULL || shop_again == NULL ? -1 : 0;
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
        cmocka_unit_test(captures_in_parts),
        cmocka_unit_test(the_rest_is_given_up),
        cmocka_unit_test(undoes_captures),
        cmocka_unit_test(credits_what_was_captured),
        cmocka_unit_test(what_was_undone_is_not_credited),
        cmocka_unit_test(a_step_serves_its_own_payment),
        cmocka_unit_test(captures_while_it_is_held),
        cmocka_unit_test(what_is_disputed_is_not_given_back_again),
        cmocka_unit_test(what_was_not_charged_is_not_given_back),
        cmocka_unit_test(does_many_in_one_request),
        cmocka_unit_test(refuses_whole_requests),
        cmocka_unit_test(is_for_the_merchant_of_the_token_alone),
        cmocka_unit_test(captures_once_of_two),
        cmocka_unit_test(closes_where_both_agree),
        cmocka_unit_test(what_was_cleared_is_not_undone),
        cmocka_unit_test(shows_items_in_pages),
        cmocka_unit_test(presents_each_item_once),
        cmocka_unit_test(a_full_batch_is_followed_by_the_next),
        cmocka_unit_test(a_credit_comes_behind_its_capture),
        cmocka_unit_test(presents_after_an_outage),
        cmocka_unit_test(what_cannot_be_sent_waits),
        cmocka_unit_test(stands_after_a_kill),
        cmocka_unit_test(posts_what_it_costs),
        cmocka_unit_test(gives_back_what_was_kept),
        cmocka_unit_test(keeps_some_of_what_differs),
        cmocka_unit_test(closes_a_batch_of_every_currency),
    };
    test_alarm(240);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
