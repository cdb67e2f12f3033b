/*
 * Sales at a running gateway: authorised and captured by one request, in one answer, with two
 * receipts; booked by the issuer at once (0200), once, whatever is repeated, lost or killed; undone
 * whole before their batch is closed, and credited at any time.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "gateway/issuer/clearing_file.h"
#include "gateway/payment/sale.h"
#include "tests/support/test_asking.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_paid.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPROVES "4242424242424242"
#define PARTIAL "4000000000090102"
#define DECLINES "4000000000000002"

#define CAP SETPAY_MESSAGE_CAP_REQ
#define CAP_REV SETPAY_MESSAGE_CAP_REV_REQ
#define CRED SETPAY_MESSAGE_CRED_REQ

static struct test_gateway *gateway;
static struct test_cardholder *holder, *partial, *poor;
static struct test_line *shop;

static void sell(struct test_paid *paid, const struct test_cardholder *by, int64_t minor,
                 bool partial_allowed)
{
    test_paid_prepare(paid, gateway, shop, by, SETPAY_INTENT_SALE, minor, partial_allowed);
    test_paid_ask(paid);
}

static void script(const char *key, int value)
{
    json_decref(test_gateway_issuer(gateway, "script", json_pack("{s:i}", key, value)));
}

/* What the issuer has charged for this purchase, less what it has given back. */
static int64_t charged(const struct test_paid *paid)
{
    char text[SETPAY_ID_TEXT_SIZE];
    size_t index;
    const json_t *row;
    int64_t sum = 0;
    json_t *result = test_gateway_issuer(gateway, "presentments", json_object());
    (void)setpay_id_format(&paid->purchase->auth.xid, text);
    json_array_foreach(json_object_get(result, "presentments"), index, row)
    {
        const char *result_code = json_string_value(json_object_get(row, "result"));
        if (strcmp(json_string_value(json_object_get(row, "xid")), text) != 0 ||
            (result_code != NULL && strcmp(result_code, "00") != 0))
            continue;
        int64_t minor = json_integer_value(json_object_get(row, "amount"));
        sum += json_integer_value(json_object_get(row, "credits")) ? -minor : minor;
    }
    json_decref(result);
    return sum;
}

static void expect_ledger_holds(void)
{
    test_gateway_expect_sound(gateway);
}

static int64_t number_of(const struct test_paid *paid, const char *what)
{
    char sql[256], hex[SETPAY_ID_TEXT_SIZE];
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM payment WHERE xid = x'%s'", what,
                   setpay_id_format(&paid->purchase->auth.xid, hex));
    return test_gateway_number(gateway, sql);
}

/* ------------------------------------------------------------------ what a sale is */

/* What a merchant's codec holds the answer to a sale to: the capture is of that authorisation, of
 * all that was approved, and comes with an approval only. */
static void expect_no_other(const struct setpay_auth_res *right)
{
    static const char *const edits[] = {"xid",        "of",   "amount",  "currency", "remaining",
                                        "cardholder", "pomd", "receipt", "outcome",  "batch"};
    struct setpay_buffer bytes;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct setpay_auth_res res = *right;
        struct setpay_step_done *capture = &res.capture;
        const char *edit = edits[i];
        print_message("# %s\n", edit);
        if (strcmp(edit, "xid") == 0)
            capture->xid.bytes[0] ^= 1;
        else if (strcmp(edit, "of") == 0)
            capture->of.bytes[0] ^= 1;
        else if (strcmp(edit, "amount") == 0)
            capture->amount.minor--;
        else if (strcmp(edit, "currency") == 0)
            memcpy(capture->amount.currency, "USD", 4);
        else if (strcmp(edit, "remaining") == 0)
            capture->remaining.minor = 1;
        else if (strcmp(edit, "cardholder") == 0)
            capture->cardholder.bytes[0] ^= 1;
        else if (strcmp(edit, "pomd") == 0)
            capture->pomd.bytes[0] ^= 1;
        else if (strcmp(edit, "receipt") == 0)
            capture->receipt.kind = SETPAY_RECEIPT_CREDIT;
        else if (strcmp(edit, "batch") == 0)
            capture->batch = 0;
        else { /* a decline in all else */
            res.outcome = SETPAY_AUTH_DECLINED;
            res.amount.minor = 0;
            res.hold_expiry_ms = 0;
            res.has_cap_token = false;
            res.receipt.kind = SETPAY_RECEIPT_DECLINE;
        }
        setpay_buffer_init(&bytes, SETPAY_LIMIT_CONTENT_BYTES);
        assert_int_equal(setpay_auth_res_build(&res, &bytes), SETPAY_E_FIELD);
        setpay_buffer_clear(&bytes);
    }
    setpay_buffer_init(&bytes, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_auth_res_build(right, &bytes), SETPAY_OK);
    setpay_buffer_clear(&bytes);
}

/* An operator has the id of a presentment, and asks whose it is. */
static void expect_shown_by_step(const struct test_paid *paid)
{
    char step[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    (void)setpay_id_format(&paid->auth.capture.id, step);
    (void)setpay_id_format(&paid->purchase->auth.xid, xid);
    json_t *shown = test_gateway_control(gateway, "payment.show", json_pack("{s:s}", "xid", step));
    assert_string_equal(json_string_value(json_object_get(shown, "xid")), xid);
    json_decref(shown);
}

static void captures_at_once(void **state)
{
    struct test_paid paid;
    int64_t held = -1;
    (void)state;
    sell(&paid, holder, 1250, false);
    assert_int_equal(paid.auth.outcome, SETPAY_AUTH_APPROVED);
    assert_true(paid.auth.has_capture);
    assert_int_equal(paid.auth.capture.amount.minor, 1250);
    expect_no_other(&paid.auth);
    assert_int_equal(paid.receipts, 2);
    assert_int_equal(paid.sums.captured_minor, 1250);
    assert_int_equal(number_of(&paid, "state"), SETPAY_PAYMENT_CAPTURED);
    assert_int_equal(test_gateway_books(gateway, &paid.purchase->auth.xid, &held), 1);
    assert_int_equal(held, 0);
    assert_int_equal(charged(&paid), 1250);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM ledger_entry"), 1);
    expect_shown_by_step(&paid);
    assert_int_equal(test_paid_step(&paid, CAP, &paid.auth.cap_token, 1, NULL), 16); /* rule G8 */
    assert_int_equal(test_paid_reverse(&paid, 1, &held), 16);
    expect_ledger_holds();
    test_paid_clear(&paid);
}

/* rule G11 */
static void takes_a_part_where_it_may(void **state)
{
    struct test_paid paid;
    (void)state;
    sell(&paid, partial, 1001, true);
    assert_int_equal(paid.auth.outcome, SETPAY_AUTH_PARTIAL);
    assert_int_equal(paid.auth.capture.amount.minor, 501);
    assert_int_equal(paid.sums.captured_minor, 501);
    assert_int_equal(charged(&paid), 501);
    test_paid_clear(&paid);
    sell(&paid, partial, 1001, false);
    assert_int_equal(paid.auth.outcome, SETPAY_AUTH_DECLINED);
    assert_string_equal(paid.auth.action_code, "13");
    assert_false(paid.auth.has_capture);
    test_gateway_wait_acknowledged(gateway);
    assert_int_equal(charged(&paid), 0); /* what the issuer had booked it took back */
    test_paid_clear(&paid);
}

static void a_decline_captures_nothing(void **state)
{
    struct test_paid paid;
    int64_t entries = test_gateway_number(gateway, "SELECT COUNT(*) FROM ledger_entry");
    (void)state;
    sell(&paid, poor, 1250, false);
    assert_int_equal(paid.auth.outcome, SETPAY_AUTH_DECLINED);
    assert_false(paid.auth.has_capture);
    assert_int_equal(paid.receipts, 1);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM ledger_entry"), entries);
    test_paid_clear(&paid);
}

/* rule A6, G6: a sale and an authorisation are two wishes of one instruction, and one of them is
 * granted. */
static void is_done_once(void **state)
{
    struct test_paid paid;
    struct setpay_buffer first, second;
    (void)state;
    test_paid_prepare(&paid, gateway, shop, holder, SETPAY_INTENT_SALE, 777, false);
    test_line_ask(shop, setpay_buffer_view(&paid.request), &first);
    test_line_ask(shop, setpay_buffer_view(&paid.request), &second);
    assert_true(setpay_view_equal(setpay_buffer_view(&first), setpay_buffer_view(&second)));
    setpay_buffer_clear(&second);
    test_purchase_renew(paid.purchase, setpay_clock_now_ms());
    paid.purchase->auth.intent = SETPAY_INTENT_AUTHORISE;
    setpay_buffer_clear(&paid.request);
    test_purchase_auth_req(paid.purchase, &paid.request);
    test_line_ask(shop, setpay_buffer_view(&paid.request), &second);
    assert_string_equal(test_gateway_refusal(gateway, &paid.purchase->auth.header.rrpid),
                        "PI_USED G6");
    assert_int_equal(charged(&paid), 777);
    setpay_buffer_clear(&first);
    setpay_buffer_clear(&second);
    test_paid_clear(&paid);
}

/* ------------------------------------------------------------------ what follows it */

/* The issuer holds nothing of a sale, so that what is undone is given up as well: two receipts, of
 * which the merchant asks for the second. */
static void is_undone_whole(void **state)
{
    struct test_paid paid;
    struct setpay_step_done done;
    int64_t remaining = -1;
    (void)state;
    sell(&paid, holder, 640, false);
    assert_int_equal(test_paid_step(&paid, CAP_REV, &paid.auth.capture.id, 639, NULL), 16);
    assert_int_equal(test_paid_step(&paid, CAP_REV, &paid.auth.capture.id, 640, &done), 0);
    assert_int_equal(done.remaining.minor, 0);
    assert_int_equal(number_of(&paid, "state"), SETPAY_PAYMENT_REVERSED);
    test_gateway_wait_acknowledged(gateway);
    assert_int_equal(charged(&paid), 0);
    assert_int_equal(test_paid_step(&paid, CAP, &paid.auth.cap_token, 640, NULL), 11);
    assert_int_equal(test_paid_reverse(&paid, 639, &remaining), 11);
    assert_int_equal(test_paid_reverse(&paid, 640, &remaining), 0);
    assert_int_equal(remaining, 0);
    assert_int_equal(paid.sums.reversed_minor, 640);
    assert_int_equal(paid.receipts, 4);
    assert_int_equal(test_paid_step(&paid, CAP, &paid.auth.cap_token, 640, NULL), 15);
    assert_int_equal(test_paid_step(&paid, CAP_REV, &paid.auth.capture.id, 640, NULL), 15);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM reversal WHERE advice = 1"),
                     0);
    expect_ledger_holds();
    test_paid_clear(&paid);
}

/* It was presented by its 0200: the close of its batch sends nothing for it. A credit of it goes.
 */
static void needs_no_presentment(void **state)
{
    struct test_paid sold, undone;
    struct setpay_step_done done;
    (void)state;
    sell(&sold, holder, 900, false);
    sell(&undone, holder, 55, false);
    assert_int_equal(test_paid_step(&undone, CAP_REV, &undone.auth.capture.id, 55, NULL), 0);
    assert_int_equal(test_paid_step(&sold, CRED, &sold.auth.capture.id, 100, &done), 0);
    test_paid_close_batch(&sold);
    test_daemon_wait_number(&gateway->daemon,
                            "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0", 0);
    assert_int_equal(test_gateway_number(gateway,
                                         "SELECT COUNT(*) FROM presentment JOIN step ON step.id ="
                                         " step_id WHERE kind = 1 AND sent_count <> 0"),
                     0);
    assert_int_equal(test_gateway_number(gateway,
                                         "SELECT COUNT(*) FROM presentment JOIN step ON step.id ="
                                         " step_id WHERE kind = 2 AND response_code = '00'"),
                     1);
    assert_int_equal(test_gateway_number(gateway, "SELECT COUNT(*) FROM presentment"
                                                  " WHERE response_code NOT IN ('00', '94')"),
                     0);
    assert_int_equal(charged(&sold), 800);
    assert_int_equal(test_paid_step(&sold, CAP_REV, &sold.auth.capture.id, 900, NULL), 15);
    assert_int_equal(test_paid_step(&sold, CRED, &sold.auth.capture.id, 801, NULL), 16);
    assert_int_equal(test_paid_step(&sold, CRED, &sold.auth.capture.id, 800, NULL), 0);
    expect_ledger_holds();
    test_paid_clear(&sold);
    test_paid_clear(&undone);
}

/* What was captured and is cleared is not undone, sale or not. */
static void is_not_undone_once_cleared(void **state)
{
    struct test_paid paid;
    (void)state;
    sell(&paid, holder, 310, false);
    test_paid_close_batch(&paid);
    assert_int_equal(test_paid_step(&paid, CAP_REV, &paid.auth.capture.id, 310, NULL), 14);
    assert_int_equal(charged(&paid), 310);
    test_paid_clear(&paid);
}

/* ------------------------------------------------------------------ what goes wrong */

/* rule G7: no answer, a late one, one that comes twice, a lost line */
static void ends_once_whatever_the_issuer_does(void **state)
{
    static const struct {
        const char *what;
        enum setpay_auth_outcome outcome;
    } faults[] = {
        {"silent", SETPAY_AUTH_DECLINED},       {"late", SETPAY_AUTH_DECLINED},
        {"close_before", SETPAY_AUTH_DECLINED}, {"close_after", SETPAY_AUTH_DECLINED},
        {"duplicate", SETPAY_AUTH_APPROVED},
    };
    (void)state;
    script("late_ms", 1200);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct test_paid paid;
        print_message("# %s\n", faults[i].what);
        test_daemon_wait_readiness(&gateway->daemon, 200);
        script(faults[i].what, 1);
        sell(&paid, holder, 4000, false);
        assert_int_equal(paid.auth.outcome, faults[i].outcome);
        test_gateway_wait_acknowledged(gateway);
        assert_int_equal(charged(&paid), faults[i].outcome == SETPAY_AUTH_APPROVED ? 4000 : 0);
        test_paid_clear(&paid);
    }
    test_daemon_wait_readiness(&gateway->daemon, 200);
    expect_ledger_holds();
}

/* The issuer's file with what was sold in a file of the day before: without its sales; or, with
 * other_id, the same of a sale that we never asked for. */
static void save_clearing(const char *name, bool without_sales, const char *other_id)
{
    char path[TEST_PATH_SIZE];
    const char *words[] = {"--config", test_path(gateway->folder, "issuer.conf", path), "clearing",
                           NULL};
    char *text = NULL;
    struct setpay_clearing_file file;
    struct setpay_problem problem;
    struct setpay_buffer bytes;
    size_t kept = 0;
    test_run_program("setpay-issuersim", words, &text);
    assert_int_equal(setpay_clearing_file_parse(setpay_view_string(text), &file, &problem),
                     SETPAY_OK);
    for (size_t i = 0; i < file.row_count; i++) {
        struct setpay_clearing_row *row = &file.rows[i];
        char sql[160];
        (void)snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM step WHERE token = x'%s'",
                       row->presentment);
        bool is_step = test_gateway_number(gateway, sql) != 0;
        if (without_sales && !is_step && row->kind == SETPAY_CLEARING_SALE)
            continue;
        if (other_id != NULL && !is_step && row->kind == SETPAY_CLEARING_SALE_REVERSAL)
            (void)snprintf(row->presentment, sizeof row->presentment, "%s", other_id);
        file.rows[kept++] = *row;
    }
    file.row_count = kept;
    setpay_buffer_init(&bytes, SETPAY_CLEARING_FILE_MAX);
    assert_int_equal(setpay_clearing_file_build(&file, &bytes), SETPAY_OK);
    test_write_file(gateway->folder, name, setpay_buffer_view(&bytes));
    setpay_buffer_clear(&bytes);
    setpay_clearing_file_clear(&file);
    free(text);
}

static void expect_reconciled(const char *name, int status, const char *words)
{
    char config[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
    const char *all[] = {"--config", test_path(gateway->folder, "gateway.conf", config),
                         "reconcile", test_path(gateway->folder, name, path), NULL};
    char *printed = NULL;
    int found = test_run_to_end("setpay-gateway", all, &printed);
    if (found != status || strstr(printed, words) == NULL)
        fail_msg("exit status %d, expected %d and '%s' in:\n%s", found, status, words, printed);
    free(printed);
}

/* What was sold and taken back, and is no step here, is known when the issuer's file has the second
 * alone; what was never asked for is not. */
static void what_came_to_nothing_is_reconciled(void **state)
{
    struct test_paid paid;
    (void)state;
    script("silent", 1);
    sell(&paid, holder, 4100, false);
    assert_int_equal(paid.auth.outcome, SETPAY_AUTH_DECLINED);
    test_gateway_wait_acknowledged(gateway);
    test_daemon_wait_readiness(&gateway->daemon, 200);
    assert_int_equal(test_gateway_number(gateway,
                                         "SELECT COUNT(*) FROM payment WHERE sale_id IS NOT NULL"
                                         " AND amount_minor = 4100 AND NOT EXISTS"
                                         " (SELECT 1 FROM step WHERE token = sale_id)"),
                     1);
    save_clearing("whole.csv", false, NULL);
    expect_reconciled("whole.csv", 0, " 0 differences");
    save_clearing("back.csv", true, NULL);
    expect_reconciled("back.csv", 0, " 0 differences");
    save_clearing("other.csv", true, "0123456789abcdef0123456789abcdef");
    expect_reconciled("other.csv", 1, "of a sale that the ledger does not know");
    test_paid_clear(&paid);
}

static void restart(void)
{
    test_gateway_start(gateway, NULL);
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    assert_non_null(shop);
}

/* Rules G6, G7, A6: dies at each place where it has just decided, written or sent something. */
static void sells_across_a_kill(void **state)
{
    static const struct {
        const char *point;
        int count;
        enum setpay_auth_outcome outcome;
    } crashes[] = {
        {"store.write", 1, SETPAY_AUTH_APPROVED}, /* nothing was booked: asked again */
        {"store.committed", 1, SETPAY_AUTH_DECLINED}, {"auth.booked", 1, SETPAY_AUTH_DECLINED},
        {"line.send", 1, SETPAY_AUTH_DECLINED},       {"line.receive", 1, SETPAY_AUTH_DECLINED},
        {"store.write", 2, SETPAY_AUTH_DECLINED},     {"store.commit", 2, SETPAY_AUTH_DECLINED},
        {"store.committed", 2, SETPAY_AUTH_APPROVED}, /* the outcome stands */
        {"net.send", 1, SETPAY_AUTH_APPROVED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        struct test_paid paid;
        struct setpay_buffer answer;
        uint64_t id = 0;
        bool approved = crashes[i].outcome == SETPAY_AUTH_APPROVED;
        print_message("# %s:%d\n", crashes[i].point, crashes[i].count);
        test_paid_prepare(&paid, gateway, shop, holder, SETPAY_INTENT_SALE, 2000, false);
        json_decref(test_gateway_control(
            gateway, "testing.crash",
            json_pack("{s:s, s:i}", "point", crashes[i].point, "count", crashes[i].count)));
        test_line_send(shop, 1, setpay_buffer_view(&paid.request));
        (void)test_line_receive(shop, &id, &answer);
        setpay_buffer_clear(&answer);
        test_gateway_wait_killed(gateway);
        test_line_free(shop);
        restart();
        paid.line = shop;
        test_paid_ask(&paid);
        assert_int_equal(paid.auth.outcome, crashes[i].outcome);
        assert_int_equal(paid.auth.has_capture, approved);
        test_gateway_wait_acknowledged(gateway);
        assert_int_equal(charged(&paid), approved ? 2000 : 0);
        assert_int_equal(number_of(&paid, "captured_minor"), approved ? 2000 : 0);
        test_paid_clear(&paid);
    }
    expect_ledger_holds();
}

/* What was undone stays so, and the issuer hears of it, whatever dies in between. */
static void undoes_across_a_kill(void **state)
{
    static const char *const points[] = {"store.write", "store.committed", "line.send",
                                         "line.receive"};
    (void)state;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct test_paid paid;
        struct setpay_buffer message, answer;
        uint64_t id = 0;
        int64_t remaining;
        print_message("# %s\n", points[i]);
        sell(&paid, holder, 300, false);
        test_paid_step_message(&paid, CAP_REV, &paid.auth.capture.id, 300, &message);
        json_decref(test_gateway_control(gateway, "testing.crash",
                                         json_pack("{s:s, s:i}", "point", points[i], "count", 1)));
        test_line_send(shop, 1, setpay_buffer_view(&message));
        (void)test_line_receive(shop, &id, &answer);
        setpay_buffer_clear(&answer);
        test_gateway_wait_killed(gateway);
        test_line_free(shop);
        restart();
        paid.line = shop;
        assert_int_equal(test_paid_step_send(&paid, CAP_REV, &message, 300, NULL), 0);
        assert_int_equal(test_paid_reverse(&paid, 300, &remaining), 0);
        test_gateway_wait_acknowledged(gateway);
        assert_int_equal(charged(&paid), 0);
        setpay_buffer_clear(&message);
        test_paid_clear(&paid);
    }
    expect_ledger_holds();
}

/* The batch may be closed while the issuer is being asked: the sale goes into the next one. */
static void goes_into_the_next_batch(void **state)
{
    struct test_paid first, paid;
    struct setpay_buffer answer;
    struct setpay_receipt receipt;
    uint64_t id = 0;
    (void)state;
    sell(&first, holder, 10, false);
    test_paid_prepare(&paid, gateway, shop, holder, SETPAY_INTENT_SALE, 20, false);
    struct test_line *other = test_line_new(gateway, gateway->shop[0].tls, "visa");
    script("latency_ms", 300);
    test_line_send(other, 1, setpay_buffer_view(&paid.request));
    test_daemon_wait_number(&gateway->daemon, "SELECT COUNT(*) FROM payment WHERE state = 1", 1);
    test_paid_close_batch(&first);
    assert_true(test_line_receive(other, &id, &answer));
    paid.auth = test_auth_res_read(gateway, paid.purchase, setpay_buffer_view(&answer), &receipt);
    assert_int_equal(paid.auth.capture.batch, first.auth.capture.batch + 1);
    assert_int_equal(test_gateway_number(gateway, "SELECT MAX(number) FROM batch WHERE open = 1"),
                     paid.auth.capture.batch);
    script("latency_ms", 0);
    setpay_buffer_clear(&answer);
    test_line_free(other);
    test_paid_clear(&first);
    test_paid_clear(&paid);
}

/* However long something is in its way, the outcome is kept in the end, and nothing is kept busy by
 * trying. */
static void is_kept_again_in_its_time(void **state)
{
    enum { TRIES = 4, PAUSE_MS = 100 };
    struct test_paid paid;
    struct setpay_buffer answer;
    struct setpay_receipt receipt;
    uint64_t id = 0;
    (void)state;
    test_daemon_execute(&gateway->daemon,
                        "CREATE TRIGGER in_the_way BEFORE UPDATE ON payment"
                        " WHEN NEW.captured_minor > 0 BEGIN SELECT RAISE(IGNORE); END");
    test_paid_prepare(&paid, gateway, shop, holder, SETPAY_INTENT_SALE, 30, false);
    test_line_send(shop, 1, setpay_buffer_view(&paid.request));
    test_daemon_wait_number(&gateway->daemon, "SELECT COUNT(*) FROM payment WHERE state = 1", 1);
    int64_t from_us = setpay_clock_monotonic_us();
    size_t before = test_daemon_log_count(&gateway->daemon, "auth.outcome_anew");
    test_daemon_wait_log(&gateway->daemon, "auth.outcome_anew", before + TRIES);
    assert_true(setpay_clock_monotonic_us() - from_us >= (TRIES - 1) * PAUSE_MS * 1000);
    assert_int_equal(number_of(&paid, "captured_minor"), 0);
    test_daemon_execute(&gateway->daemon, "DROP TRIGGER in_the_way");
    assert_true(test_line_receive(shop, &id, &answer));
    paid.auth = test_auth_res_read(gateway, paid.purchase, setpay_buffer_view(&answer), &receipt);
    assert_int_equal(paid.auth.outcome, SETPAY_AUTH_APPROVED);
    assert_int_equal(number_of(&paid, "captured_minor"), 30);
    assert_int_equal(charged(&paid), 30);
    expect_ledger_holds();
    setpay_buffer_clear(&answer);
    test_paid_clear(&paid);
}

/* The same at the last moment: what was decided for a batch that is closed by now is not kept, no
 * part of it. */
struct late {
    struct setpay_gateway_sale sale;
    struct setpay_gateway_work work;
};

static enum setpay_error begin_late(struct setpay_db *db, void *arg)
{
    struct late *late = arg;
    struct setpay_payment payment = {
        .state = SETPAY_PAYMENT_ASKING,
        .brand = "visa",
        .merchant_id = "shop",
        .amount = {700, "EUR"},
        .is_sale = true,
        .sale_id = {{3}},
        .period = 1,
    };
    SETPAY_TRY(setpay_payment_insert(db, &payment));
    payment.state = SETPAY_PAYMENT_APPROVED;
    payment.approved_minor = 700;
    payment.has_cap_token = true;
    payment.hold_expiry_ms = 2000;
    const struct setpay_fees fees = {.count = 0};
    SETPAY_TRY(setpay_sale_decide(&payment, &fees, 1000, &late->sale.decision));
    SETPAY_TRY(setpay_batch_find_open(db, "visa", "shop", 1000, &late->sale.batch));
    return setpay_batch_use(db, &late->sale.batch, 1);
}

static enum setpay_error close_late(struct setpay_db *db, void *arg)
{
    struct late *late = arg;
    return setpay_batch_close(db, &late->sale.batch, true, 1500);
}

static enum setpay_error keep_late(struct setpay_db *db, void *arg)
{
    struct late *late = arg;
    return setpay_sale_keep(db, &late->work);
}

static enum setpay_error count_late(struct setpay_db *db, void *arg)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT (SELECT COUNT(*) FROM step) + (SELECT COUNT(*) FROM receipt)"
                             " + (SELECT COUNT(*) FROM ledger_entry)"
                             " + (SELECT SUM(captured_minor) FROM payment)"));
    *(int64_t *)arg = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static void a_closed_batch_takes_no_sale(void **state)
{
    struct test_folder folder;
    struct setpay_store *store;
    struct setpay_problem problem;
    struct late late = {.work = {.sale = NULL}};
    int64_t rows = -1;
    (void)state;
    test_folder_make(&folder);
    const struct setpay_store_options options = {.url = folder.url,
                                                 .schema = &setpay_gateway_schema};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    setpay_made_receipt_init(&late.sale.receipt);
    late.work.sale = &late.sale;
    assert_int_equal(setpay_store_submit_wait(store, begin_late, &late), SETPAY_OK);
    assert_true(setpay_id_equal(&late.sale.decision.step.token, &(struct setpay_id){{3}}));
    assert_int_equal(setpay_store_submit_wait(store, close_late, &late), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, keep_late, &late), SETPAY_E_CONFLICT);
    assert_int_equal(setpay_store_submit_wait(store, count_late, &rows), SETPAY_OK);
    assert_int_equal(rows, 0);
    setpay_made_receipt_clear(&late.sale.receipt);
    setpay_store_close(store);
    test_folder_remove(&folder);
}

/* A sale is captured by the request that authorised it. */
static void what_was_sold_is_audited(void **state)
{
    (void)state;
    test_gateway_expect_audited(gateway, NULL);
    test_gateway_expect_edit_found(gateway,
                                   "UPDATE evidence SET owner = -owner WHERE type = 'CapRevReq'",
                                   "UPDATE evidence SET owner = -owner WHERE owner < 0",
                                   "no request of the merchant's for it is kept");
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    holder = test_cardholder_new(gateway->pki, "visa", APPROVES, "3012", "123");
    partial = test_cardholder_new(gateway->pki, "visa", PARTIAL, "3012", "123");
    poor = test_cardholder_new(gateway->pki, "visa", DECLINES, "3012", "123");
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    return shop == NULL ? -1 : 0;
}

static int close_all(void **state)
{
    (void)state;
    test_line_free(shop);
    test_cardholder_free(holder);
    test_cardholder_free(partial);
    test_cardholder_free(poor);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captures_at_once),
        cmocka_unit_test(takes_a_part_where_it_may),
        cmocka_unit_test(a_decline_captures_nothing),
        cmocka_unit_test(is_done_once),
        cmocka_unit_test(is_undone_whole),
        cmocka_unit_test(needs_no_presentment),
        cmocka_unit_test(is_not_undone_once_cleared),
        cmocka_unit_test(goes_into_the_next_batch),
        cmocka_unit_test(is_kept_again_in_its_time),
        cmocka_unit_test(a_closed_batch_takes_no_sale),
        cmocka_unit_test(ends_once_whatever_the_issuer_does),
        cmocka_unit_test(what_came_to_nothing_is_reconciled),
        cmocka_unit_test(sells_across_a_kill),
        cmocka_unit_test(undoes_across_a_kill),
        cmocka_unit_test(what_was_sold_is_audited),
    };
    test_alarm(240);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
