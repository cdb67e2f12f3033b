/*
 * The rows of a gateway that has traded: what no ledger entry is of (reversals, states, periods,
 * dates). An audit of the database as the daemon left it finds nothing; then every edit of one of
 * these rows is found, and named.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/store/store.h"
#include "common/wire/cancellation.h"
#include "tests/support/test_asking.h"
#include "tests/support/test_day.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_paid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAP SETPAY_MESSAGE_CAP_REQ
#define CAP_REV SETPAY_MESSAGE_CAP_REV_REQ
#define CRED SETPAY_MESSAGE_CRED_REQ

static struct test_gateway *gateway;
static struct test_cardholder *holder, *poor;
static struct test_line *shop;

/* ------------------------------------------------------------------ the trade */

static void control(const char *command, json_t *args)
{
    json_decref(test_gateway_control(gateway, command, args));
}

static struct test_paid pay(enum setpay_auth_intent intent, const struct test_cardholder *by,
                            int64_t minor)
{
    struct test_paid paid;
    test_paid_prepare(&paid, gateway, shop, by, intent, minor, false);
    test_paid_ask(&paid);
    return paid;
}

/* Rows 1 to 4 of reversal: in part, of the rest, of a sale that is undone, of an authorisation that
 * had no answer. */
static void give_back(void)
{
    struct test_paid part = pay(SETPAY_INTENT_AUTHORISE, holder, 1000);
    struct test_paid sale = pay(SETPAY_INTENT_SALE, holder, 640);
    struct setpay_step_done done;
    int64_t remaining;
    assert_int_equal(test_paid_step(&part, CAP, &part.auth.cap_token, 300, &done), 0);
    assert_int_equal(test_paid_reverse(&part, 200, &remaining), 0);
    assert_int_equal(test_paid_reverse(&part, 500, &remaining), 0);
    assert_int_equal(test_paid_step(&part, CRED, &done.id, 100, NULL), 0);
    assert_int_equal(test_paid_step(&sale, CAP_REV, &sale.auth.capture.id, 640, NULL), 0);
    test_gateway_wait_acknowledged(gateway);
    json_decref(test_gateway_issuer(gateway, "script", json_pack("{s:i}", "silent", 1)));
    struct test_paid lost = pay(SETPAY_INTENT_AUTHORISE, holder, 4000);
    assert_int_equal(lost.auth.outcome, SETPAY_AUTH_DECLINED);
    test_daemon_wait_readiness(&gateway->daemon, 200);
    test_gateway_wait_acknowledged(gateway);
    test_paid_clear(&part);
    test_paid_clear(&sale);
    test_paid_clear(&lost);
}

static struct test_paid agree_to(const struct setpay_terms *terms, int64_t minor, int64_t first)
{
    struct test_paid paid;
    test_paid_prepare(&paid, gateway, shop, holder, SETPAY_INTENT_AUTHORISE, minor, false);
    paid.purchase->oi.terms = paid.purchase->pi.terms = *terms;
    test_purchase_sign(paid.purchase);
    paid.purchase->auth.amount.minor = first;
    setpay_buffer_clear(&paid.request);
    test_purchase_auth_req(paid.purchase, &paid.request);
    test_paid_ask(&paid);
    assert_int_equal(paid.auth.outcome, SETPAY_AUTH_APPROVED);
    return paid;
}

/* Row 5 and others: holds that have ended. */
static void let_end(void)
{
    struct test_paid ended = pay(SETPAY_INTENT_AUTHORISE, holder, 900);
    int64_t held =
        test_gateway_number(gateway, "SELECT COUNT(*) FROM payment WHERE " SETPAY_PAYMENT_IS_HELD);
    control("testing.clock", json_pack("{s:I}", "offset_ms", (json_int_t)8 * SETPAY_DAY_MS));
    test_daemon_wait_number(&gateway->daemon, "SELECT COUNT(*) FROM reversal", 4 + held);
    control("testing.clock", json_pack("{s:i}", "offset_ms", 0));
    test_gateway_wait_acknowledged(gateway);
    test_paid_clear(&ended);
}

/* Monthly payments that the cardholder ends; and three instalments, of which one is taken. */
static void agree(void)
{
    struct test_paid monthly, parts;
    struct setpay_buffer content, message, answer;
    setpay_time_ms end_ms = setpay_clock_now_ms() + 90 * SETPAY_DAY_MS;
    const struct setpay_terms recurring = {SETPAY_TERMS_RECURRING, 12, 30, 1500, end_ms};
    const struct setpay_terms instalments = {SETPAY_TERMS_INSTALMENT, 3, 30, 1000, end_ms};
    monthly = agree_to(&recurring, 1500, 1500);
    parts = agree_to(&instalments, 3000, 1000);
    const struct test_purchase *p = monthly.purchase;
    struct setpay_cancellation word = {.xid = p->auth.xid,
                                       .cardholder = holder->party->thumbprint,
                                       .gateway_sign = p->parties.gateway_sign->thumbprint,
                                       .pomd = p->pomd,
                                       .date_ms = setpay_clock_now_ms()};
    struct setpay_auth_can_req request = {.xid = p->auth.xid};
    memcpy(word.brand, p->auth.brand, sizeof word.brand);
    memcpy(word.merchant_id, p->auth.merchant_id, sizeof word.merchant_id);
    test_purchase_renew(monthly.purchase, setpay_clock_now_ms());
    request.header = p->auth.header;
    memcpy(request.brand, p->auth.brand, sizeof request.brand);
    memcpy(request.merchant_id, p->auth.merchant_id, sizeof request.merchant_id);
    assert_int_equal(
        setpay_cancellation_sign(&word, holder->party->signing_key, &request.cancellation),
        SETPAY_OK);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_auth_can_req_build(&request, &content), SETPAY_OK);
    test_merchant_message(SETPAY_MESSAGE_AUTH_CAN_REQ, gateway->shop[0].sign,
                          setpay_buffer_view(&content), &message);
    test_line_ask(shop, setpay_buffer_view(&message), &answer);
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    assert_int_equal(
        test_gateway_number(gateway, "SELECT COUNT(*) FROM payment WHERE cancelled_ms <> 0"), 1);
    test_paid_clear(&monthly);
    test_paid_clear(&parts);
}

static void trade(void **state)
{
    (void)state;
    give_back();
    agree();
    struct test_paid declined = pay(SETPAY_INTENT_AUTHORISE, poor, 700);
    struct test_paid voided = pay(SETPAY_INTENT_VOID, holder, 750);
    struct test_paid sold = pay(SETPAY_INTENT_SALE, holder, 2500);
    test_paid_close_batch(&sold);
    test_daemon_wait_number(&gateway->daemon,
                            "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0", 0);
    control("issuer.cutoff", json_object());
    test_daemon_wait_number(&gateway->daemon,
                            "SELECT COUNT(*) FROM reconciliation WHERE result = 1", 1);
    let_end();
    /* In a batch that is open, and a period of which nothing is added up yet. */
    struct test_paid open = pay(SETPAY_INTENT_SALE, holder, 330);
    test_paid_clear(&open);
    test_paid_clear(&declined);
    test_paid_clear(&voided);
    test_paid_clear(&sold);
    test_line_free(shop);
    shop = NULL;
    test_gateway_stop(gateway);
}

/* ------------------------------------------------------------------ the edits */

static void nothing_is_found(void **state)
{
    struct setpay_problem problem;
    char url[160];
    (void)state;
    (void)snprintf(url, sizeof url, "sqlite:%s/gateway.db", gateway->folder);
    const struct setpay_store_options options = {.url = url, .schema = &setpay_gateway_schema};
    assert_int_equal(setpay_store_open(&options, &test_day_store, &problem), SETPAY_OK);
    struct test_day_findings v = test_day_verify();
    assert_string_equal(v.all, "");
    assert_int_equal(v.findings, 0);
}

struct edit {
    const char *sql, *words;
};

static void expect_all_found(const struct edit *edits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        test_day_expect_found(edits[i].sql, edits[i].words, false);
}
#define EXPECT_FOUND(edits) expect_all_found(edits, sizeof(edits) / sizeof *(edits))

static void a_reversal_is_missed(void **state)
{
    static const struct edit edits[] = {
        {"DELETE FROM reversal", "reversals are missing, or too many: payment"},
        {"DELETE FROM reversal WHERE id = 1", "its reversals come to something else: payment"},
        {"DELETE FROM reversal WHERE id = 4", ", number 1: 1 booked, found 0"},
        {"UPDATE payment SET reversal_count = 0; DELETE FROM reversal WHERE id = 3",
         "reversed 640, expected 0"},
        {"INSERT INTO reversal SELECT 99, payment_id, partial, amount_minor, remaining_minor,"
         " acknowledged, response_code, sent_count, created_ms, acknowledged_ms, advice, period, "
         "'',"
         " NULL FROM reversal WHERE id = 4",
         ", number 1: 1 booked, found 2"},
        {"UPDATE reversal SET payment_id = 99 WHERE id = 1", "of a payment that is not there:"},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

static void a_reversal_is_of_its_payment(void **state)
{
    static const struct edit edits[] = {
        {"UPDATE reversal SET amount_minor = 199 WHERE id = 1", "reversed 700, expected 699"},
        {"UPDATE reversal SET amount_minor = 300 WHERE id = 1;"
         "UPDATE reversal SET amount_minor = 400 WHERE id = 2",
         "leaves something else of its authorisation: reversal 1, payment"},
        {"UPDATE reversal SET remaining_minor = 801 WHERE id = 1",
         "leaves something else of its authorisation: reversal 1, payment"},
        {"UPDATE reversal SET partial = 0 WHERE id = 1",
         "leaves something else of its authorisation: reversal 1, payment"},
        {"UPDATE reversal SET partial = 1 WHERE id = 5",
         "leaves something else of its authorisation: reversal 5, payment"},
        {"UPDATE reversal SET amount_minor = 3999 WHERE id = 4",
         "does not undo the authorisation that was not taken as it was asked for: reversal 4"},
        {"UPDATE reversal SET partial = 1, remaining_minor = 1 WHERE id = 4",
         "does not undo the authorisation that was not taken as it was asked for: reversal 4"},
        {"UPDATE reversal SET period = 1 WHERE id = 1", "counts in no period of its issuer"},
        {"UPDATE reversal SET period = 0 WHERE id = 3", "counts in no period of its issuer"},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

static void a_reversal_is_told(void **state)
{
    static const char words[] =
        "acknowledged without a word of its issuer, or the other way round:";
    static const struct edit edits[] = {
        {"UPDATE reversal SET acknowledged = 0 WHERE id = 1", words},
        {"UPDATE reversal SET acknowledged = 2 WHERE id = 1", words},
        {"UPDATE reversal SET response_code = '' WHERE id = 2", words},
        {"UPDATE reversal SET response_code = '96' WHERE id = 3", words},
        {"UPDATE reversal SET acknowledged_ms = 0 WHERE id = 4", words},
        {"UPDATE reversal SET sent_count = 0 WHERE id = 5", words},
        {"UPDATE reversal SET created_ms = created_ms + 1 WHERE id = 1",
         "no receipt was given with it: reversal 1, payment"},
        {"UPDATE reversal SET created_ms = created_ms - 1 WHERE id = 4",
         "no receipt was given with it: reversal 4, payment"},
        {"UPDATE reversal SET advice = 1 WHERE id = 2", "advised before its hold has ended:"},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

/* ------------------------------------------------------------------ payments */

static void a_payment_is_what_its_amounts_say(void **state)
{
    static const char amounts[] = "its amounts are not those of its state: payment";
    static const char terms[] = "signed for more or less than its terms come to: payment";
    static const struct edit edits[] = {
        {"UPDATE payment SET state = 3 WHERE state = 6", amounts},
        {"UPDATE payment SET state = 2 WHERE state = 6", amounts},
        {"UPDATE payment SET state = 2 WHERE state = 5", amounts},
        {"UPDATE payment SET state = 6 WHERE state = 5", amounts},
        {"UPDATE payment SET state = 5 WHERE state = 3", amounts},
        {"UPDATE payment SET state = 9 WHERE state = 4", amounts},
        {"UPDATE payment SET cap_token = NULL WHERE state = 6", amounts},
        {"UPDATE payment SET amount_minor = 1 WHERE state = 6", amounts},
        {"UPDATE payment SET signed_minor = 300000 WHERE terms_kind = 3", terms},
        {"UPDATE payment SET signed_minor = 999 WHERE terms_kind = 3", terms},
        {"UPDATE payment SET signed_minor = 1501 WHERE terms_kind = 4", terms},
        {"UPDATE payment SET signed_minor = 1 WHERE terms_kind = 1 AND state = 6", terms},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

static void a_payment_ends_at_its_time(void **state)
{
    static const char hold[] = "its hold ends on no day behind its authorisation: payment";
    static const char released[] = "released something else than was given up last: payment";
    static const struct edit edits[] = {
        {"UPDATE payment SET hold_expiry_ms = 0 WHERE state = 6", hold},
        {"UPDATE payment SET hold_expiry_ms = hold_expiry_ms + 1 WHERE state = 6", hold},
        {"UPDATE payment SET hold_expiry_ms = hold_expiry_ms + 8640000000 WHERE state = 6", hold},
        {"UPDATE payment SET hold_expiry_ms = hold_expiry_ms - 8640000000 WHERE state = 6", hold},
        {"UPDATE payment SET hold_expiry_ms = 1 WHERE state = 3", hold},
        {"UPDATE payment SET hold_expiry_ms = hold_expiry_ms - 8640000000 WHERE state = 6",
         "captured behind the end of its hold: payment"},
        {"UPDATE payment SET released_minor = 0 WHERE state = 5 AND sale_id IS NULL", released},
        {"UPDATE payment SET released_minor = 1 WHERE state = 5 AND sale_id IS NOT NULL", released},
        {"UPDATE payment SET release_open = 1 WHERE state = 6", released},
        {"UPDATE payment SET cancelled_ms = cancelled_ms + 1 WHERE cancelled_ms <> 0",
         "cancelled at a time of which there is no receipt: payment"},
        {"UPDATE payment SET cancelled_ms = 5 WHERE terms_kind = 3",
         "cancelled at a time of which there is no receipt: payment"},
        {"UPDATE payment SET cancelled_ms = 0 WHERE cancelled_ms <> 0",
         "there is a receipt that it was cancelled: payment"},
        {"DELETE FROM evidence WHERE type = 'AuthCanReq'",
         "cancelled, and the request is not kept: payment"},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

static void a_sale_is_what_it_captured(void **state)
{
    static const char sale[] = "taken and never sent, and of no sale; or the other way round:";
    static const struct edit edits[] = {
        {"UPDATE payment SET sale_id = zeroblob(16) WHERE sale_id IS NOT NULL AND state = 6",
         "a sale, and not the capture of it: payment"},
        {"UPDATE payment SET sale_id = (SELECT token FROM step WHERE payment_id <> payment.id)"
         " WHERE sale_id IS NOT NULL AND state = 6",
         "a sale, and not the capture of it: payment"},
        {"UPDATE payment SET sale_id = NULL WHERE state = 6",
         "no sale, and booked in a period: payment"},
        {"UPDATE payment SET sale_id = NULL, period = 0 WHERE state = 6", sale},
        {"UPDATE payment SET period = 0 WHERE sale_id IS NOT NULL AND state = 6", sale},
        {"UPDATE payment SET period = 0 WHERE approved_minor = 330",
         "a sale that its issuer books in no period, and was not approved in its stead; or the "
         "other way round: payment"},
        {"UPDATE payment SET period = 1 WHERE sale_id IS NULL AND state = 6",
         "no sale, and booked in a period: payment"},
        {"UPDATE presentment SET sent_count = 0", sale},
        {"UPDATE presentment SET sent_count = 1", sale},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

static void a_receipt_is_what_was_signed(void **state)
{
    static const char sealed[] = "what its wallet would be given is empty, or another receipt";
    static const char codes[] = "its payment has another action or approval code";
    static const struct edit edits[] = {
        {"UPDATE receipt SET sealed = x''", sealed},
        {"UPDATE receipt SET sealed = x'' WHERE payment_id = 1 AND number = 2", sealed},
        {"UPDATE receipt SET sealed = (SELECT sealed FROM receipt WHERE kind = 5) WHERE kind = 1",
         sealed},
        {"UPDATE receipt SET created_ms = created_ms + 1 WHERE kind = 5",
         "its row is of another time"},
        {"UPDATE receipt SET signed = x'00' WHERE kind = 5", "it can't be read"},
        {"UPDATE payment SET approval_code = '' WHERE state = 6", codes},
        {"UPDATE payment SET approval_code = 'XXXXXX' WHERE state = 5", codes},
        {"UPDATE payment SET action_code = '00' WHERE state = 3", codes},
        {"UPDATE payment SET action_code = '05' WHERE state = 5", codes},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

/* ------------------------------------------------------------------ reconciliations */

static void a_period_is_what_was_sent_in_it(void **state)
{
    static const char sums[] = "sim, period 1, EUR: its totals say ";
    static const char answer[] = "what its issuer answered comes to another result: sim, period 1";
    static const char when[] = "answered at no time, or at a time and not answered: sim, period 1";
    static const struct edit edits[] = {
        {"DELETE FROM reconciliation", "never compared with its issuer: sim, period 1, EUR"},
        {"DELETE FROM reconciliation; UPDATE reconciliation_cut SET totalled = 0;"
         "UPDATE reconciliation_cut SET period = 9 WHERE period = 1",
         "the period before it was never ended: sim, period 9"},
        {"DELETE FROM reconciliation_cut", "compared, and its period was not ended"},
        {"DELETE FROM reconciliation_cut; DELETE FROM reconciliation",
         "something was sent to an issuer that the gateway never had: sim, period 1"},
        {"DELETE FROM reconciliation_cut WHERE period = 0",
         "the period before it was never ended: sim, period 1"},
        {"DELETE FROM reconciliation WHERE period = 1;"
         "UPDATE reconciliation_cut SET period = 8 WHERE period = 1",
         "something was sent in a period that was never ended: sim, period 1"},
        {"UPDATE reconciliation_cut SET cut_ms = cut_ms + 1 WHERE period = 1",
         "compared, and its period was not ended and added up at that time: sim, period 1, EUR"},
        {"UPDATE reconciliation_cut SET totalled = 0 WHERE period = 1",
         "compared, and its period was not ended and added up at that time: sim, period 1, EUR"},
        {"UPDATE reconciliation SET debit_minor = debit_minor + 1", sums},
        {"UPDATE reconciliation SET debit_minor = debit_minor + 1,"
         " their_debit_minor = their_debit_minor + 1",
         sums},
        {"UPDATE reconciliation SET credit_count = 7, their_credit_count = 7", sums},
        {"UPDATE reconciliation SET debit_reversal_count = 1, their_debit_reversal_count = 1",
         sums},
        {"UPDATE reconciliation SET credit_reversal_minor = 1, their_credit_reversal_minor = 1",
         sums},
        {"UPDATE reconciliation SET currency = 'USD'",
         "compared, and nothing was sent of it: sim, period 1, USD"},
        {"UPDATE reconciliation SET their_debit_minor = their_debit_minor + 1", answer},
        {"UPDATE reconciliation SET their_credit_count = their_credit_count - 1", answer},
        {"UPDATE reconciliation SET result = 2", answer},
        {"UPDATE reconciliation SET result = 3", answer},
        {"UPDATE reconciliation SET result = 0, response_code = '', answered_ms = 0, sent_count = "
         "0",
         answer},
        {"UPDATE reconciliation SET result = 0", when},
        {"UPDATE reconciliation SET response_code = ''", when},
        {"UPDATE reconciliation SET response_code = '95'", answer},
        {"UPDATE reconciliation SET answered_ms = 0", when},
        {"UPDATE issuer_taken SET minor = minor + 1",
         "what an issuer has taken is kept as something else: sim, EUR: "},
        {"DELETE FROM issuer_taken",
         "what an issuer has taken is kept as something else: sim, EUR: 0, expected "},
        {"UPDATE payment SET issuer = 'another' WHERE sale_id IS NOT NULL AND state = 6", sums},
        {"UPDATE payment SET period = 7 WHERE sale_id IS NOT NULL AND state = 6",
         "something was sent in a period that has not begun: sim, period 7"},
        {"UPDATE presentment SET period = 2 WHERE period = 1", sums},
        {"UPDATE reversal SET period = 2 WHERE id = 3", sums},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

/* ------------------------------------------------------------------ its times */

static void what_was_done_has_its_time(void **state)
{
    static const struct edit edits[] = {
        {"UPDATE step SET created_ms = created_ms + 8640000000 WHERE id = 1", "is of another time"},
        {"UPDATE batch SET closed_ms = closed_ms - 8640000000",
         "closed before the newest of its steps was done: batch visa shop, number 1, closed"},
        {"UPDATE batch SET closed_ms = closed_ms - 8640000000;"
         "UPDATE presentment SET created_ms = created_ms - 8640000000",
         "closed before the newest of its steps was done: batch visa shop, number 1, closed"},
        {"UPDATE presentment SET acknowledged_ms = acknowledged_ms + 1 WHERE sent_count = 0",
         "answered at another time than its sale: presentment "},
    };
    (void)state;
    EXPECT_FOUND(edits);
}

/* ------------------------------------------------------------------ all of it */

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    holder = test_cardholder_new(gateway->pki, "visa", "4242424242424242", "3012", "123");
    poor = test_cardholder_new(gateway->pki, "visa", "4000000000000002", "3012", "123");
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    return shop == NULL ? -1 : 0;
}

static int close_all(void **state)
{
    (void)state;
    if (test_day_store != NULL)
        setpay_store_close(test_day_store);
    test_line_free(shop);
    test_cardholder_free(holder);
    test_cardholder_free(poor);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trade),
        cmocka_unit_test(nothing_is_found),
        cmocka_unit_test(a_reversal_is_missed),
        cmocka_unit_test(a_reversal_is_of_its_payment),
        cmocka_unit_test(a_reversal_is_told),
        cmocka_unit_test(a_payment_is_what_its_amounts_say),
        cmocka_unit_test(a_payment_ends_at_its_time),
        cmocka_unit_test(a_sale_is_what_it_captured),
        cmocka_unit_test(a_receipt_is_what_was_signed),
        cmocka_unit_test(a_period_is_what_was_sent_in_it),
        cmocka_unit_test(what_was_done_has_its_time),
    };
    test_alarm(120);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
