/*
 * Every step after a purchase, in every situation, at a running gateway and its issuer: what is
 * legal is done, and leaves payment and receipts as the published table has them
 * (docs/reference/states.md, tests/support/test_life.c); what is not is refused by exactly its
 * error, and changes nothing.
 *
 * For each situation one payment is brought there on which all is tried that is refused, and one
 * for each step that is legal. They are led through what happens to many at once (a batch's
 * closing, the issuer's presentments, settling, disputes, a week) side by side.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/wire/cancellation.h"
#include "tests/support/test_asking.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_life.h"
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

#define OK(expression) assert_int_equal((expression), SETPAY_OK)
#define SCRIPT_MAX 10

struct lived {
    const struct test_life_situation *situation;
    enum test_life_op script[SCRIPT_MAX]; /* of the situation, and the legal step */
    size_t count, done;
    bool tries; /* behind the script, all that is refused */
    bool began; /* the instruction is made */
    struct test_life life;
    struct test_paid paid;
    struct setpay_id captures[TEST_LIFE_STEPS], credits[TEST_LIFE_STEPS];
    size_t capture_count, credit_count;
    int dispute; /* its number at the issuer */
};

static struct test_gateway *gateway;
static struct test_cardholder *holder, *poor;
static struct test_line *shop;
static struct lived *all;
static size_t lived_count;
static int disputes;
static char *printed;
static size_t tried_legal, tried_refused;
static bool is_long, issuer_stopped;
static unsigned seed;

/* ------------------------------------------------------------------ the payment */

static void prepare(struct lived *l, enum test_life_op first)
{
    struct test_paid *paid = &l->paid;
    test_paid_prepare(paid, gateway, shop, first == TEST_LIFE_DECLINE ? poor : holder,
                      first == TEST_LIFE_SELL   ? SETPAY_INTENT_SALE
                      : first == TEST_LIFE_VOID ? SETPAY_INTENT_VOID
                                                : SETPAY_INTENT_AUTHORISE,
                      TEST_LIFE_PRICE, false);
    if (first == TEST_LIFE_SPLIT) {
        paid->purchase->oi.terms.kind = paid->purchase->pi.terms.kind = SETPAY_TERMS_SPLIT;
        test_purchase_sign(paid->purchase);
        paid->purchase->auth.amount.minor = TEST_LIFE_FIRST;
        setpay_buffer_clear(&paid->request);
        test_purchase_auth_req(paid->purchase, &paid->request);
    }
    OK(setpay_id_random(&paid->auth.cap_token)); /* until there is one */
    OK(setpay_id_random(&paid->auth.auth_token));
    l->began = true;
}

/* Asks; the error by which it was refused, "" for an answer, which is the caller's. */
static const char *ask(struct setpay_buffer *message, const struct setpay_id *rrpid,
                       struct setpay_buffer *answer, struct setpay_message *read)
{
    test_line_ask(shop, setpay_buffer_view(message), answer);
    setpay_buffer_clear(message);
    OK(setpay_message_parse(setpay_buffer_view(answer), read));
    return read->type == SETPAY_MESSAGE_ERROR ? test_gateway_refusal(gateway, rrpid) : "";
}

static void end_answer(struct setpay_buffer *answer, struct setpay_message *read)
{
    setpay_message_clear(read);
    setpay_buffer_clear(answer);
}

static const char *present(struct lived *l, enum test_life_op op)
{
    struct setpay_buffer message, answer;
    struct setpay_message read;
    struct setpay_auth_req *auth = &l->paid.purchase->auth;
    if (l->life.payment.state == SETPAY_PAYMENT_NONE) {
        test_paid_ask(&l->paid);
        if (l->paid.auth.has_capture)
            l->captures[l->capture_count++] = l->paid.auth.capture.id;
        return "";
    }
    struct setpay_auth_req before = *auth;
    auth->intent = op == TEST_LIFE_VOID   ? SETPAY_INTENT_VOID
                   : op == TEST_LIFE_SELL ? SETPAY_INTENT_SALE
                                          : SETPAY_INTENT_AUTHORISE;
    test_purchase_renew(l->paid.purchase, setpay_clock_now_ms());
    test_purchase_auth_req(l->paid.purchase, &message);
    const char *refusal = ask(&message, &auth->header.rrpid, &answer, &read);
    end_answer(&answer, &read);
    *auth = before;
    return refusal;
}

/* ------------------------------------------------------------------ agreements */

static const char *further(struct lived *l, enum test_life_op op)
{
    struct test_purchase *p = l->paid.purchase;
    const struct setpay_auth_req before = p->auth;
    const struct setpay_buffer envelope = p->envelope;
    struct setpay_buffer message, answer;
    struct setpay_message read;
    struct setpay_auth_res res;
    p->auth.intent = SETPAY_INTENT_AUTHORISE;
    p->auth.has_auth_token = true;
    p->auth.auth_token = l->paid.auth.auth_token;
    p->auth.amount.minor = test_life_minor(&l->life, op);
    setpay_buffer_init(&p->envelope, SETPAY_LIMIT_MESSAGE_BYTES);
    test_purchase_renew(p, setpay_clock_now_ms());
    test_purchase_auth_req(p, &message);
    const char *refusal = ask(&message, &p->auth.header.rrpid, &answer, &read);
    if (*refusal == '\0') {
        OK(setpay_auth_res_parse(read.content, &res));
        assert_int_equal(res.outcome, SETPAY_AUTH_APPROVED);
        test_paid_take_receipt(&l->paid, &res.receipt, SETPAY_RECEIPT_AUTHORISATION,
                               p->auth.amount.minor);
    }
    end_answer(&answer, &read);
    setpay_buffer_clear(&p->envelope);
    p->envelope = envelope;
    p->auth = before;
    return refusal;
}

static const char *cancel(struct lived *l)
{
    struct test_purchase *p = l->paid.purchase;
    struct setpay_cancellation word = {
        .xid = p->auth.xid,
        .cardholder = p->cardholder->party->thumbprint,
        .gateway_sign = p->parties.gateway_sign->thumbprint,
        .pomd = p->pomd,
        .date_ms = setpay_clock_now_ms(),
    };
    struct setpay_auth_can_req request = {.xid = p->auth.xid, .header = p->auth.header};
    struct setpay_buffer content, message, answer;
    struct setpay_message read;
    struct setpay_auth_can_res res;
    memcpy(word.brand, p->auth.brand, sizeof word.brand);
    memcpy(word.merchant_id, p->auth.merchant_id, sizeof word.merchant_id);
    memcpy(request.brand, p->auth.brand, sizeof request.brand);
    memcpy(request.merchant_id, p->auth.merchant_id, sizeof request.merchant_id);
    request.header.date_ms = setpay_clock_now_ms();
    OK(setpay_id_random(&request.header.rrpid));
    OK(setpay_cancellation_sign(&word, p->cardholder->party->signing_key, &request.cancellation));
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_auth_can_req_build(&request, &content));
    test_merchant_message(SETPAY_MESSAGE_AUTH_CAN_REQ, gateway->shop[0].sign,
                          setpay_buffer_view(&content), &message);
    setpay_buffer_clear(&content);
    const char *refusal = ask(&message, &request.header.rrpid, &answer, &read);
    if (*refusal == '\0') {
        OK(setpay_auth_can_res_parse(read.content, &res));
        if (l->life.payment.cancelled_ms == 0) /* otherwise it is the receipt of before */
            test_paid_take_receipt(&l->paid, &res.receipt, SETPAY_RECEIPT_CANCELLATION,
                                   TEST_LIFE_PRICE);
    }
    end_answer(&answer, &read);
    return refusal;
}

/* ------------------------------------------------------------------ steps */

static const struct setpay_id *newest(const struct lived *l, const struct setpay_id *ids,
                                      size_t count)
{
    return count > 0 ? &ids[count - 1] : &l->paid.auth.cap_token;
}

static struct setpay_id rrpid_of(const struct setpay_buffer *message)
{
    struct setpay_message read;
    struct setpay_step_req request;
    OK(setpay_message_parse(setpay_buffer_view(message), &read));
    OK(setpay_step_req_parse(read.content, &request));
    struct setpay_id rrpid = request.header.rrpid;
    setpay_step_req_clear(&request);
    setpay_message_clear(&read);
    return rrpid;
}

static const char *step(struct lived *l, enum setpay_message_type type, const struct setpay_id *of,
                        int64_t minor)
{
    struct setpay_buffer message;
    struct setpay_step_done done;
    test_paid_step_message(&l->paid, type, of, minor, &message);
    struct setpay_id rrpid = rrpid_of(&message);
    uint32_t code = test_paid_step_send(&l->paid, type, &message, minor, &done);
    setpay_buffer_clear(&message);
    if (code != 0)
        return test_daemon_refusal(&gateway->daemon, "step.refused", &rrpid);
    if (type == SETPAY_MESSAGE_CAP_REQ)
        l->captures[l->capture_count++] = done.id;
    if (type == SETPAY_MESSAGE_CRED_REQ)
        l->credits[l->credit_count++] = done.id;
    return "";
}

static const char *reverse(struct lived *l, int64_t minor)
{
    const struct setpay_payment *payment = &l->life.payment;
    bool heard = setpay_payment_is_released(payment) && !payment->release_open;
    struct setpay_auth_rev_req request = test_reversal_of(l->paid.purchase, &l->paid.auth, minor);
    struct setpay_buffer message, answer;
    struct setpay_message read;
    struct setpay_auth_rev_res res;
    test_reversal_message(&request, gateway->shop[0].sign, &message);
    const char *refusal = ask(&message, &request.header.rrpid, &answer, &read);
    if (*refusal == '\0') {
        OK(setpay_auth_rev_res_parse(read.content, &res));
        if (!heard) /* otherwise it is the receipt of before */
            test_paid_take_receipt(&l->paid, &res.receipt, SETPAY_RECEIPT_REVERSAL, minor);
    }
    end_answer(&answer, &read);
    return refusal;
}

/* ------------------------------------------------------------------ the operators */

static int run(const char *program, const char *configuration, const char *const *words)
{
    char path[TEST_PATH_SIZE];
    const char *whole[16] = {"--config", test_path(gateway->folder, configuration, path)};
    size_t count = 2;
    for (; *words != NULL; words++)
        whole[count++] = *words;
    free(printed);
    printed = NULL;
    return test_run_to_end(program, whole, &printed);
}
#define RUN(...) run("setpay-gateway", "gateway.conf", (const char *const[]){__VA_ARGS__, NULL})
#define RUN_ISSUER(...)                                                                            \
    run("setpay-issuersim", "issuer.conf", (const char *const[]){__VA_ARGS__, NULL})

static int64_t number_of(const struct lived *l, const char *select)
{
    char xid[SETPAY_ID_TEXT_SIZE], sql[400];
    int size = snprintf(sql, sizeof sql, "%s WHERE payment.xid = x'%s' AND payment.number = 1",
                        select, setpay_id_format(&l->paid.purchase->auth.xid, xid));
    assert_true(size > 0 && (size_t)size < sizeof sql);
    return test_gateway_number(gateway, sql);
}

/* By its own program, whose JSON names the error. */
static const char *write_off(const struct lived *l)
{
    static char name[32];
    char id[24];
    (void)snprintf(id, sizeof id, "%lld",
                   (long long)number_of(l, "SELECT COALESCE(MAX(presentment.id), 99999)"
                                           " FROM payment JOIN step ON step.payment_id = payment.id"
                                           " JOIN presentment ON step_id = step.id"));
    if (RUN("--json", "presentment", "write-off", "--presentment", id, "--reason", "lost") == 0)
        return "";
    json_t *json = json_loads(printed, 0, NULL);
    const json_t *found = json_object_get(json_object_get(json, "error"), "name");
    assert_non_null(found);
    (void)snprintf(name, sizeof name, "%s", json_string_value(found));
    json_decref(json);
    return name;
}

static void lose_card(const struct lived *l)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql, "DELETE FROM kept_card WHERE payment_id = %lld",
                   (long long)number_of(l, "SELECT payment.id FROM payment"));
    test_daemon_execute(&gateway->daemon, sql);
}

/* Of the newest capture, which is in suspense. */
static void pay_all_the_same(const struct lived *l)
{
    char step[SETPAY_ID_TEXT_SIZE], sql[240];
    size_t bytes;
    (void)snprintf(sql, sizeof sql,
                   "SELECT lower(hex(suspense)) FROM presentment JOIN step ON step.id = step_id"
                   " WHERE token = x'%s'",
                   setpay_id_format(newest(l, l->captures, l->capture_count), step));
    char *item = (char *)test_daemon_bytes(&gateway->daemon, sql, &bytes);
    assert_int_equal(RUN("suspense", "clear", item, "--to", "merchant", "--reason", "it was right"),
                     0);
    free(item);
}

/* ------------------------------------------------------------------ one step at the gateway */

/* "" where it was done; error and rule where it was refused. */
static const char *ask_for(struct lived *l, enum test_life_op op)
{
    int64_t minor = test_life_minor(&l->life, op);
    const struct setpay_id *token = &l->paid.auth.cap_token;
    const struct setpay_id *capture = newest(l, l->captures, l->capture_count);
    switch (op) {
    case TEST_LIFE_AUTHORISE:
    case TEST_LIFE_DECLINE:
    case TEST_LIFE_SELL:
    case TEST_LIFE_SPLIT:
    case TEST_LIFE_VOID:
        return present(l, op);
    case TEST_LIFE_FURTHER:
    case TEST_LIFE_FURTHER_MORE:
        return further(l, op);
    case TEST_LIFE_CANCEL:
        return cancel(l);
    case TEST_LIFE_CAPTURE_PART:
    case TEST_LIFE_CAPTURE_LAST:
    case TEST_LIFE_CAPTURE_MORE:
        return step(l, SETPAY_MESSAGE_CAP_REQ, token, minor);
    case TEST_LIFE_UNCAPTURE:
        return step(l, SETPAY_MESSAGE_CAP_REV_REQ, capture, minor);
    case TEST_LIFE_CREDIT_PART:
    case TEST_LIFE_CREDIT_LAST:
    case TEST_LIFE_CREDIT_MORE:
        return step(l, SETPAY_MESSAGE_CRED_REQ, capture, minor);
    case TEST_LIFE_UNCREDIT:
        return step(l, SETPAY_MESSAGE_CRED_REV_REQ, newest(l, l->credits, l->credit_count), minor);
    case TEST_LIFE_REVERSE_PART:
    case TEST_LIFE_REVERSE_WHOLE:
    case TEST_LIFE_REVERSE_MORE:
        return reverse(l, minor);
    case TEST_LIFE_WRITE_OFF:
        return write_off(l);
    case TEST_LIFE_LOSE_CARD:
        lose_card(l);
        return "";
    case TEST_LIFE_PAY_ALL_THE_SAME:
        pay_all_the_same(l);
        return "";
    default:
        return "?"; /* what happens to many at once */
    }
}

/* What happens to many at once; in this order, where several wait for one. */
static const enum test_life_op together[] = {
    TEST_LIFE_CLOSE,        TEST_LIFE_REFUSE,      TEST_LIFE_PRESENT, TEST_LIFE_DISPUTE,
    TEST_LIFE_DISPUTE_LOST, TEST_LIFE_DISPUTE_WON, TEST_LIFE_SETTLE,  TEST_LIFE_HOLD_END,
};
#define TOGETHER (sizeof together / sizeof *together)

static bool is_together(enum test_life_op op)
{
    for (size_t i = 0; i < TOGETHER; i++) {
        if (together[i] == op)
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------ what is held against the table
 */

/* What the gateway has of it: state, captured, credited, reversed, whether a receipt is owed, what
 * is disputed, and the version, which every change raises. "": there is no row. */
static char *row_of(const struct lived *l)
{
    char xid[SETPAY_ID_TEXT_SIZE], sql[480];
    size_t bytes;
    int size = snprintf(sql, sizeof sql,
                        "SELECT COALESCE((SELECT printf('%%d %%d %%d %%d %%d %%d %%d', state,"
                        " captured_minor, credited_minor, reversed_minor, release_open,"
                        " (SELECT COALESCE(SUM(disputed_minor), 0) FROM step"
                        " WHERE payment_id = payment.id), version) FROM payment"
                        " WHERE xid = x'%s' AND number = 1), '')",
                        setpay_id_format(&l->paid.purchase->auth.xid, xid));
    assert_true(size > 0 && (size_t)size < sizeof sql);
    return (char *)test_daemon_bytes(&gateway->daemon, sql, &bytes);
}

/* The row, and what a wallet has added up of the receipts. */
static void expect_as_told(const struct lived *l, const char *what)
{
    const struct setpay_payment *told = &l->life.payment;
    const struct setpay_receipt_sums *sums = &l->paid.sums;
    const size_t captures = l->life.capture_count;
    char expected[160] = "";
    char *found = row_of(l);
    if (told->state != SETPAY_PAYMENT_NONE)
        (void)snprintf(
            expected, sizeof expected, "%d %lld %lld %lld %d %lld ", (int)told->state,
            (long long)told->captured_minor, (long long)told->credited_minor,
            (long long)told->reversed_minor, told->release_open ? 1 : 0,
            (long long)(captures > 0 ? l->life.captures[captures - 1].disputed_minor : 0));
    if (strncmp(found, expected, strlen(expected)) != 0 || (*expected == '\0' && *found != '\0'))
        fail_msg("%s: found the row '%s', expected '%s'", what, found, expected);
    free(found);
    const struct {
        const char *name;
        int64_t found, expected;
    } held[] = {
        {"authorised", sums->authorised_minor, l->life.authorised_minor},
        {"reversed", sums->reversed_minor, l->life.reversed_minor},
        {"captured", sums->captured_minor, told->captured_minor},
        {"credited", sums->credited_minor, told->credited_minor},
    };
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        if (held[i].found != held[i].expected)
            fail_msg("%s: receipts say %lld %s, expected %lld", what, (long long)held[i].found,
                     held[i].name, (long long)held[i].expected);
    }
}

static void words_of(const struct lived *l, enum test_life_op op, char *out, size_t size)
{
    (void)snprintf(out, size, "%s: %s", l->situation->name, test_life_op_name(op));
}

/* It is what the table says next. */
static void must_be_done(struct lived *l, enum test_life_op op)
{
    char what[200];
    words_of(l, op, what, sizeof what);
    if (!l->began)
        prepare(l, op);
    if (!is_together(op)) {
        const char *refusal = ask_for(l, op);
        if (*refusal != '\0')
            fail_msg("%s: refused as %s, expected to be done", what, refusal);
    }
    OK(test_life_do(&l->life, op));
    expect_as_told(l, what);
}

static void must_be_refused(struct lived *l, enum test_life_op op, enum setpay_error error)
{
    char what[200];
    const char *name = setpay_error_name(error);
    words_of(l, op, what, sizeof what);
    const char *refusal = ask_for(l, op);
    size_t length = strlen(name);
    if (strncmp(refusal, name, length) != 0 || (refusal[length] != '\0' && refusal[length] != ' '))
        fail_msg("%s: found '%s', expected %s", what, refusal, name);
    tried_refused++;
}

/* All of it in the long form, a third in the short one. */
static bool is_picked(void)
{
    return is_long || rand_r(&seed) % 3 == 0;
}

/* None of it changes anything. */
static void try_all_refused(struct lived *l)
{
    if (!l->began)
        prepare(l, TEST_LIFE_AUTHORISE);
    char *before = row_of(l);
    for (int op = 0; op < TEST_LIFE_OPS; op++) {
        struct test_life life = l->life;
        enum setpay_error error = test_life_do(&life, (enum test_life_op)op);
        /* An issuer's file names charges that it has taken: test_dispute.c has all others. */
        if (error != SETPAY_OK && error != SETPAY_E_INTERNAL &&
            !is_together((enum test_life_op)op) && is_picked())
            must_be_refused(l, (enum test_life_op)op, error);
    }
    char *after = row_of(l);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

/* ------------------------------------------------------------------ what happens to many */

static bool waits_for(const struct lived *l, enum test_life_op op)
{
    return l->done < l->count && l->script[l->done] == op;
}

static const struct lived *any_waiting_for(const struct lived *from, size_t count,
                                           enum test_life_op op)
{
    for (size_t i = 0; i < count; i++) {
        if (waits_for(&from[i], op))
            return &from[i];
    }
    return NULL;
}

static void move_clock(int64_t days)
{
    json_decref(
        test_gateway_control(gateway, "testing.clock",
                             json_pack("{s:I}", "offset_ms", (json_int_t)days * SETPAY_DAY_MS)));
}

/* The issuer has answered all that it can be asked. */
static void wait_presented(void)
{
    if (issuer_stopped)
        test_gateway_start_issuer(gateway);
    issuer_stopped = false;
    test_daemon_wait_number(&gateway->daemon,
                            "SELECT COUNT(*) FROM presentment JOIN step ON step.id = step_id"
                            " JOIN kept_card ON kept_card.payment_id = step.payment_id"
                            " WHERE acknowledged = 0",
                            0);
}

/* It knows of none of these: as an issuer that has lost what it approved. */
static void let_issuer_forget(const struct lived *from, size_t count)
{
    assert_true(issuer_stopped);
    for (size_t i = 0; i < count; i++) {
        char xid[SETPAY_ID_TEXT_SIZE], sql[160];
        if (!waits_for(&from[i], TEST_LIFE_REFUSE))
            continue;
        (void)snprintf(sql, sizeof sql,
                       "UPDATE card_authorisation SET approved_minor = 0 WHERE lower(xid) = '%s'",
                       setpay_id_format(&from[i].paid.purchase->auth.xid, xid));
        test_daemon_execute(&gateway->issuer, sql);
    }
}

static void settle(void)
{
    move_clock(1);
    assert_int_equal(RUN("settle"), 0);
    move_clock(0);
}

static void read_disputes_in(void)
{
    char path[TEST_PATH_SIZE];
    assert_int_equal(RUN_ISSUER("disputes"), 0);
    test_write_file(gateway->folder, "disputes.csv", setpay_view_string(printed));
    assert_int_equal(RUN("dispute", "import", test_path(gateway->folder, "disputes.csv", path),
                         "--issuer", "sim"),
                     0);
}

static void dispute(struct lived *l, enum test_life_op op)
{
    char id[SETPAY_ID_TEXT_SIZE], dispute_number[16];
    if (op == TEST_LIFE_DISPUTE) {
        assert_int_equal(RUN_ISSUER("dispute", "open",
                                    setpay_id_format(newest(l, l->captures, l->capture_count), id),
                                    "--reason", "fraud", "--amount", "1.00 EUR"),
                         0);
        l->dispute = ++disputes;
        return;
    }
    (void)snprintf(dispute_number, sizeof dispute_number, "%d", l->dispute);
    json_decref(test_gateway_issuer(
        gateway, "dispute",
        json_pack("{s:s, s:s, s:s}", "action", "close", "of", dispute_number, "outcome",
                  op == TEST_LIFE_DISPUTE_LOST ? "cardholder" : "merchant")));
}

/* A week later, until no hold is left that can end; then it is today again. */
static void let_holds_end(void)
{
    move_clock(8);
    test_daemon_wait_number(&gateway->daemon,
                            "SELECT COUNT(*) FROM payment JOIN kept_card ON"
                            " kept_card.payment_id = COALESCE(first_id, payment.id)"
                            " WHERE state IN (2, 6) AND"
                            " approved_minor - reversed_minor - captured_minor > 0",
                            0);
    move_clock(0);
    test_gateway_wait_acknowledged(gateway);
}

static void happens(struct lived *from, size_t count, enum test_life_op op)
{
    const struct lived *any = any_waiting_for(from, count, op);
    switch (op) {
    case TEST_LIFE_CLOSE:
        test_gateway_stop_issuer(gateway); /* it takes nothing yet */
        issuer_stopped = true;
        test_paid_close_batch(&any->paid);
        break;
    case TEST_LIFE_REFUSE:
        let_issuer_forget(from, count);
        wait_presented(); /* what waits to be taken is taken with it */
        break;
    case TEST_LIFE_PRESENT:
        wait_presented();
        break;
    case TEST_LIFE_SETTLE:
        settle();
        break;
    case TEST_LIFE_HOLD_END:
        let_holds_end();
        break;
    default:
        for (size_t i = 0; i < count; i++) {
            if (waits_for(&from[i], op))
                dispute(&from[i], op);
        }
        read_disputes_in();
    }
    for (size_t i = 0; i < count; i++) {
        if (waits_for(&from[i], op))
            must_be_done(&from[i], from[i].script[from[i].done++]);
    }
}

/* ------------------------------------------------------------------ all lives of a kind */

/* On to what happens to many, or to the end. */
static void lead_on(struct lived *l)
{
    if (l->done == l->count && !l->tries)
        return;
    while (l->done < l->count && !is_together(l->script[l->done]))
        must_be_done(l, l->script[l->done++]);
    if (l->done == l->count && l->tries) {
        try_all_refused(l);
        l->tries = false;
    }
}

static void lead_all(struct lived *from, size_t count)
{
    for (;;) {
        size_t next = 0;
        for (size_t i = 0; i < count; i++)
            lead_on(&from[i]);
        while (next < TOGETHER && any_waiting_for(from, count, together[next]) == NULL)
            next++;
        if (next == TOGETHER)
            return;
        happens(from, count, together[next]);
    }
}

static bool has(const struct lived *l, enum test_life_op op)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->script[i] == op)
            return true;
    }
    return false;
}

static struct lived *add(const struct test_life_situation *situation)
{
    struct lived *l = &all[lived_count++];
    memset(l, 0, sizeof *l);
    l->situation = situation;
    memcpy(l->script, situation->script, situation->count * sizeof *l->script);
    l->count = situation->count;
    test_life_begin(&l->life);
    return l;
}

/* Which of the lives: those that take a batch's closing, those that take a week, or neither. */
enum kind { AT_ONCE, A_WEEK, CLEARED };

static enum kind kind_of(const struct lived *l)
{
    return has(l, TEST_LIFE_CLOSE) ? CLEARED : has(l, TEST_LIFE_HOLD_END) ? A_WEEK : AT_ONCE;
}

static void add_situation(const struct test_life_situation *situation, enum kind kind)
{
    struct test_life life;
    struct lived *l = add(situation);
    l->tries = true;
    if (kind_of(l) != kind)
        lived_count--;
    test_life_begin(&life);
    for (size_t i = 0; i < situation->count; i++)
        OK(test_life_do(&life, situation->script[i]));
    for (int op = 0; op < TEST_LIFE_OPS; op++) {
        struct test_life after = life;
        if (test_life_do(&after, (enum test_life_op)op) != SETPAY_OK)
            continue;
        /* Our issuer disputes what it has booked, and not what it had refused: test_dispute.c. */
        if (op == TEST_LIFE_DISPUTE && life.batch == TEST_LIFE_PAID)
            continue;
        l = add(situation);
        l->script[l->count++] = (enum test_life_op)op;
        if (kind_of(l) != kind)
            lived_count--;
        else
            tried_legal++;
    }
}

static void live(enum kind kind)
{
    lived_count = 0;
    for (size_t i = 0; i < test_life_situation_count; i++)
        add_situation(&test_life_situations[i], kind);
    assert_true(lived_count > 0);
    lead_all(all, lived_count);
    for (size_t i = 0; i < lived_count; i++) {
        if (all[i].began)
            test_paid_clear(&all[i].paid);
    }
    test_gateway_expect_sound(gateway);
}

static void steps_that_are_done_at_once(void **state)
{
    (void)state;
    live(AT_ONCE);
}

static void holds_that_end(void **state)
{
    (void)state;
    live(A_WEEK);
}

static void batches_settlements_and_disputes(void **state)
{
    (void)state;
    live(CLEARED);
    assert_int_equal(RUN("audit"), 0);
    print_message("# tally: legal steps that were done = %zu\n", tried_legal);
    print_message("# tally: steps that were refused by their error = %zu\n", tried_refused);
}

/* ------------------------------------------------------------------ all of it */

static int open_all(void **state)
{
    (void)state;
    const char *asked = getenv("SETPAY_LONG");
    is_long = asked != NULL && strcmp(asked, "1") == 0;
    seed = (unsigned)setpay_clock_now_ms();
    print_message("# seed %u\n", seed);
    all = calloc(test_life_situation_count * TEST_LIFE_OPS, sizeof *all);
    gateway = test_gateway_new();
    holder = test_cardholder_new(gateway->pki, "visa", "4242424242424242", "3012", "123");
    poor = test_cardholder_new(gateway->pki, "visa", "4000000000000002", "3012", "");
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    return all == NULL || shop == NULL ? -1 : 0;
}

static int close_all(void **state)
{
    (void)state;
    test_line_free(shop);
    test_cardholder_free(holder);
    test_cardholder_free(poor);
    test_gateway_free(gateway);
    free(all);
    free(printed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_that_are_done_at_once),
        cmocka_unit_test(holds_that_end),
        cmocka_unit_test(batches_settlements_and_disputes),
    };
    test_alarm(240);
    if (setpay_secret_system_init() != SETPAY_OK || freopen("/dev/null", "r", stdin) == NULL)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
