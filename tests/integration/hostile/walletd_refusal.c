/*
 * Words that must not end a purchase of the real setpay-walletd (rule W7), and everything that must
 * not make a second one (rule W5): Errors, silence and signed refusals, followed by the gateway's
 * receipt in time or late; the same link again, also after SIGKILL.
 */
#include "common/base/clock.h"
#include "tests/support/test_world.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OFFER_LIFE_MS (2 * SETPAY_MINUTE_MS) /* and so the instruction's */
#define TOLERANCE_MS SETPAY_LIMIT_DATE_TOLERANCE_MS
#define NOT_CONFIRMED "refused by the merchant, not confirmed"

static struct test_shop *shop;
static struct test_wallet *wallet;

/* An honest shop whose offers are short-lived, and whose gateway does not come to it. */
static void start_over(void)
{
    test_shop_honest(shop);
    test_shop_lock(shop);
    shop->outcome = 0;
    shop->offer_life_ms = OFFER_LIFE_MS;
    test_shop_unlock(shop);
}

static json_t *ask(const char *command, const struct setpay_id *xid)
{
    char text[SETPAY_ID_TEXT_SIZE];
    return test_wallet_do(wallet, command, json_pack("{s:s}", "xid", setpay_id_format(xid, text)));
}

/* The person asks for the purchase, and so the wallet the merchant. */
static void look(const struct setpay_id *xid)
{
    json_decref(ask("purchase.show", xid));
}

/* Waits until the merchant was asked twice more: then what it said before has been judged. */
static void let_it_ask(void)
{
    test_shop_wait(shop, TEST_ASK_INQUIRE, test_shop_count(shop, TEST_ASK_INQUIRE) + 2);
}

/* Moves the wallet's clock to so long after the instruction's expiry. */
static void move_past_expiry(const struct setpay_id *xid, int64_t by_ms)
{
    int64_t expiry_ms = test_world_column(xid, "expiry");
    test_wallet_set_clock(wallet, expiry_ms + by_ms - setpay_clock_now_ms());
}

/* The same link again. */
static json_t *prepare_again(const struct setpay_id *xid)
{
    json_t *shown = test_wallet_purchase(wallet, xid);
    json_t *again = test_wallet_do(wallet, "pay.prepare",
                                   json_pack("{s:O}", "uri", json_object_get(shown, "uri")));
    json_decref(shown);
    return again;
}

/* Rule W5: it is resumed, and nothing new is asked for, let alone signed. */
static void expect_resumed(const struct setpay_id *xid)
{
    size_t offers = test_shop_count(shop, TEST_ASK_OFFER);
    json_t *again = prepare_again(xid);
    assert_true(json_is_true(json_object_get(again, "resumes")));
    assert_null(json_object_get(again, "offer"));
    assert_int_equal(test_shop_count(shop, TEST_ASK_OFFER), offers);
    json_decref(again);
}

/* ------------------------------------------------------------------ Errors, silence */

static enum setpay_error refusal;
static bool is_signed;

static void an_error(struct test_shop *of, struct test_sale *sale,
                     const struct setpay_message *request, struct setpay_view raw,
                     struct setpay_buffer *message)
{
    const struct setpay_refusal made = {.error = refusal,
                                        .message = request,
                                        .raw = raw,
                                        .key = is_signed ? of->sign->signing_key : NULL,
                                        .signer = is_signed ? &of->sign->thumbprint : NULL};
    (void)sale;
    assert_int_equal(setpay_refusal_build(&made, setpay_clock_now_ms(), message), SETPAY_OK);
}
static const struct test_lie errors = {.instead = an_error};

/* Rule W7: an Error, signed or not, whatever it says, is followed by a late authorisation. */
static void an_error_ends_nothing(void **state)
{
    static const enum setpay_error kinds[] = {
        SETPAY_E_ORDER_TAKEN, SETPAY_E_EXPIRED, SETPAY_E_SIGNATURE, SETPAY_E_BRAND_UNKNOWN,
        SETPAY_E_BUSY,        SETPAY_E_DATE,    SETPAY_E_CERT_TIME, SETPAY_E_OFFER_UNKNOWN,
    };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(kinds); i++) {
        start_over();
        refusal = kinds[i / 2];
        is_signed = i % 2 == 1;
        struct setpay_id xid = test_world_pay(&errors, NULL);
        test_shop_wait(shop, TEST_ASK_INQUIRE, 2);
        test_world_shows(&xid, json_pack("{s:s, s:s, s:n, s:b, s:b}", "status", "pending", "state",
                                         "pending", "merchant_said", "receipt", 0, "breach", 0));
        assert_int_equal(test_world_column(&xid, "version"), 1);
        expect_resumed(&xid);
        test_shop_outcome(shop, SETPAY_RECEIPT_AUTHORISATION);
        test_world_ends(&xid, "authorised");
        test_world_attacks++;
    }
}

/* Rule W7: an Error that is long over the instruction's expiry ends nothing either. */
static void an_error_ends_nothing_for_ever(void **state)
{
    (void)state;
    start_over();
    refusal = SETPAY_E_EXPIRED;
    is_signed = true;
    struct setpay_id xid = test_world_pay(&errors, NULL);
    test_shop_wait(shop, TEST_ASK_INQUIRE, 2);
    move_past_expiry(&xid, TOLERANCE_MS + SETPAY_HOUR_MS);
    let_it_ask();
    test_world_shows(&xid, json_pack("{s:s, s:s}", "status", "pending", "state", "pending"));
    expect_resumed(&xid);
    test_shop_outcome(shop, SETPAY_RECEIPT_AUTHORISATION);
    test_world_ends(&xid, "authorised");
    test_wallet_set_clock(wallet, 0);
    test_world_attacks++;
}

static void never(struct test_shop *of, SSL *ssl, struct setpay_view message)
{
    (void)of;
    (void)message;
    test_shop_hold(ssl);
}

/* Rule W7: no answer in time, then a late authorisation. */
static void a_time_out_ends_nothing(void **state)
{
    static const struct test_lie silence = {.http = never};
    (void)state;
    start_over();
    test_daemon_stop(&wallet->daemon);
    test_wallet_start(wallet, 3000);
    struct setpay_id xid = test_world_pay(&silence, NULL);
    test_shop_wait(shop, TEST_ASK_INQUIRE, 1);
    assert_string_equal(test_daemon_refusal(&wallet->daemon, "purchase.unanswered", NULL),
                        "TIMEOUT");
    test_world_shows(&xid, json_pack("{s:s, s:s}", "status", "pending", "state", "pending"));
    expect_resumed(&xid);
    test_shop_outcome(shop, SETPAY_RECEIPT_AUTHORISATION);
    test_world_ends(&xid, "authorised");
    test_daemon_stop(&wallet->daemon);
    test_wallet_start(wallet, TEST_WALLET_ANSWER_MS);
    test_world_attacks++;
}

/* ------------------------------------------------------------------ the merchant's signed word */

static void say(struct setpay_pres *word, enum setpay_purchase_status status)
{
    word->status = status;
    word->amount.minor = 0;
    word->action_code[0] = word->approval_code[0] = '\0';
    test_word_receipts(word, NULL, 0);
}
static void refuses_it(struct test_shop *of, struct test_sale *sale, struct setpay_pres *word)
{
    (void)of;
    (void)sale;
    say(word, SETPAY_STATUS_REFUSED);
}
static void knows_of_none(struct test_shop *of, struct test_sale *sale, struct setpay_pres *word)
{
    (void)of;
    (void)sale;
    say(word, SETPAY_STATUS_UNAUTHORISED);
}
static const struct test_lie refused = {.word = refuses_it};
static const struct test_lie unauthorised = {.word = knows_of_none};

/* Signs, and hears the merchant's signed refusal: shown as what it is, kept, and no end. */
static struct setpay_id pay_and_be_refused(const struct test_lie *lie, const char *said)
{
    start_over();
    struct setpay_id xid = test_world_pay(lie, NULL);
    json_t *now = ask("pay.resume", &xid); /* does not wait for more */
    json_decref(now);
    test_shop_wait(shop, TEST_ASK_INQUIRE, 2);
    test_world_shows(&xid, json_pack("{s:s, s:s, s:s, s:b, s:b, s:n}", "status", "pending", "state",
                                     NOT_CONFIRMED, "merchant_said", said, "receipt", 0, "breach",
                                     0, "disagreement"));
    assert_int_equal(test_world_evidence(&xid, said), 1);
    expect_resumed(&xid);
    return xid;
}

static const struct {
    const struct test_lie *lie;
    const char *said;
} refusals[] = {{&refused, "refused"}, {&unauthorised, "unauthorised"}};

/* Rule W7: it ends when nothing can follow any more, not a moment before. */
static void a_refusal_ends_after_the_instruction(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct setpay_id xid = pay_and_be_refused(refusals[i].lie, refusals[i].said);
        move_past_expiry(&xid, -SETPAY_SECOND_MS);
        let_it_ask();
        expect_resumed(&xid);
        move_past_expiry(&xid, TOLERANCE_MS - 30 * SETPAY_SECOND_MS);
        let_it_ask();
        test_world_shows(&xid,
                         json_pack("{s:s, s:s}", "status", "pending", "state", NOT_CONFIRMED));
        expect_resumed(&xid);
        move_past_expiry(&xid, TOLERANCE_MS + SETPAY_SECOND_MS);
        json_decref(ask("pay.resume", &xid));
        test_world_shows(&xid, json_pack("{s:s, s:s, s:b}", "status", "failed", "state",
                                         "never authorised", "receipt", 0));
        test_wallet_set_clock(wallet, 0);
        test_world_attacks++;
    }
}

/* Rule W7: nor does it need the merchant for that. */
static void a_refusal_and_then_silence_ends_too(void **state)
{
    (void)state;
    struct setpay_id xid = pay_and_be_refused(&refused, "refused");
    test_shop_lock(shop);
    shop->silent_at[TEST_ASK_INQUIRE] = true;
    test_shop_unlock(shop);
    move_past_expiry(&xid, TOLERANCE_MS - 30 * SETPAY_SECOND_MS);
    let_it_ask();
    test_world_shows(&xid, json_pack("{s:s}", "state", NOT_CONFIRMED));
    move_past_expiry(&xid, TOLERANCE_MS + SETPAY_SECOND_MS);
    char sql[160], hex[SETPAY_ID_TEXT_SIZE];
    (void)snprintf(sql, sizeof sql, "SELECT state FROM purchase WHERE xid = x'%s'",
                   setpay_id_format(&xid, hex));
    test_daemon_wait_number(&wallet->daemon, sql, 7);
    test_world_shows(&xid,
                     json_pack("{s:s, s:s}", "status", "failed", "state", "never authorised"));
    test_wallet_set_clock(wallet, 0);
    test_world_attacks++;
}

static void expect_breach(const struct setpay_id *xid, const char *said)
{
    char text[SETPAY_ID_TEXT_SIZE];
    char *shown = NULL;
    test_world_shows(
        xid,
        json_pack("{s:s, s:s, s:b, s:b, s:i, s:s}", "status", "authorised", "state", "authorised",
                  "receipt", 1, "breach", 1, "authorised_amount", TEST_SHOP_AMOUNT, "disagreement",
                  "the merchant had said that nothing was authorised, and the gateway's "
                  "receipt shows an authorisation"));
    /* Both are kept: the word that was false, and what it was followed by. */
    assert_int_equal(test_world_evidence(xid, said), 1);
    assert_int_equal(test_world_evidence(xid, "the merchant had said that nothing"), 1);
    json_t *receipts = ask("purchase.receipt", xid); /* and handed out, to be shown to others */
    assert_int_equal(json_array_size(json_object_get(receipts, "evidence")), 2);
    assert_int_equal(json_array_size(json_object_get(receipts, "receipts")), 1);
    json_decref(receipts);
    assert_true(test_daemon_log_count(&wallet->daemon, "an authorisation\" rule=W7") > 0);
    const char *people[] = {"--socket", wallet->socket, "status", setpay_id_format(xid, text),
                            NULL};
    test_run_program("setpay-wallet", people, &shown);
    assert_non_null(strstr(shown, "the merchant had said that nothing was authorised"));
    free(shown);
}

/* Rule W7: a merchant that signs a refusal and then authorises: the receipt overrides it, and the
 * breach is shown, in time and long after. */
static void a_receipt_overrides_a_refusal(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(refusals); i++) {
        const char *said = refusals[i / 2].said;
        struct setpay_id xid = pay_and_be_refused(refusals[i / 2].lie, said);
        if (i % 2 == 1) {
            move_past_expiry(&xid, TOLERANCE_MS + SETPAY_SECOND_MS);
            json_decref(ask("pay.resume", &xid));
            test_world_shows(&xid, json_pack("{s:s, s:b}", "status", "failed", "breach", 0));
        }
        test_shop_outcome(shop, SETPAY_RECEIPT_AUTHORISATION);
        test_shop_lie(shop, NULL, NULL, false, false, false);
        look(&xid);
        expect_breach(&xid, said);
        assert_int_equal(shop->second_preqs, 0);
        test_wallet_set_clock(wallet, 0);
        test_world_attacks++;
    }
}

/* Rule W7: where the receipt says the same, nobody has broken a word. */
static void a_refusal_that_was_true_is_no_breach(void **state)
{
    static const struct {
        enum setpay_receipt_kind kind;
        const char *status, *state;
    } rows[] = {{SETPAY_RECEIPT_DECLINE, "declined", "declined"},
                {SETPAY_RECEIPT_VOID, "failed", "voided"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct setpay_id xid = pay_and_be_refused(&refused, "refused");
        test_shop_outcome(shop, rows[i].kind);
        test_shop_lie(shop, NULL, NULL, false, false, false);
        look(&xid);
        test_world_shows(&xid,
                         json_pack("{s:s, s:s, s:b, s:b, s:n}", "status", rows[i].status, "state",
                                   rows[i].state, "receipt", 1, "breach", 0, "disagreement"));
        test_world_attacks++;
    }
}

/* The exit statuses of a script: 4 while it is open, 0 once it is paid; nothing is paid twice. */
static void scripts_hear_the_same(void **state)
{
    json_t *printed = NULL;
    (void)state;
    start_over();
    const char *pay[] = {"pay", test_shop_link(shop), "--yes", NULL};
    char link[128];
    (void)snprintf(link, sizeof link, "%s", pay[1]);
    pay[1] = link;
    test_shop_lie(shop, &refused, NULL, false, true, true);
    assert_int_equal(test_wallet_cli(wallet, pay, &printed), 4);
    assert_string_equal(json_string_value(json_object_get(printed, "state")), NOT_CONFIRMED);
    json_decref(printed);
    assert_int_equal(test_wallet_cli(wallet, pay, &printed), 4);
    json_decref(printed);
    assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), 1);
    test_shop_outcome(shop, SETPAY_RECEIPT_DECLINE);
    test_shop_lie(shop, NULL, NULL, false, false, false);
    assert_int_equal(test_wallet_cli(wallet, pay, &printed), 3);
    json_decref(printed);
    assert_int_equal(shop->second_preqs, 0);
    test_world_attacks++;
}

/* ------------------------------------------------------------------ rule W5 */

/* The bytes of PReq rest in the store; the same link brings out nothing else, also after SIGKILL.
 */
static void the_same_link_signs_nothing_new(void **state)
{
    (void)state;
    start_over();
    test_shop_lock(shop);
    shop->silent_at[TEST_ASK_PAY] = true;
    test_shop_unlock(shop);
    struct setpay_id xid = test_world_pay(NULL, NULL);
    test_shop_wait(shop, TEST_ASK_INQUIRE, 2);
    expect_resumed(&xid);
    test_daemon_kill(&wallet->daemon);
    test_daemon_start(&wallet->daemon, NULL);
    expect_resumed(&xid); /* locked as it is */
    test_wallet_unlock(wallet);
    let_it_ask();
    expect_resumed(&xid);
    assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), 1);
    test_shop_outcome(shop, SETPAY_RECEIPT_AUTHORISATION);
    test_world_ends(&xid, "authorised");
    json_t *again = prepare_again(&xid);
    assert_true(json_is_true(json_object_get(again, "already")));
    json_decref(again);
    assert_int_equal(test_shop_count(shop, TEST_ASK_OFFER) + test_shop_count(shop, TEST_ASK_PAY),
                     0);
    test_world_attacks++;
}

/* A store that can't be written to, for somebody else does and takes his time: the person hears an
 * error, the merchant nothing; and the link can be paid then, by another purchase. */
static void what_is_not_stored_does_not_leave(void **state)
{
    char path[TEST_PATH_SIZE];
    sqlite3 *db = NULL;
    json_t *prepared = NULL, *paid = NULL;
    (void)state;
    start_over();
    test_shop_outcome(shop, SETPAY_RECEIPT_AUTHORISATION);
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    (void)test_path(wallet->folder, "wallet.db", path);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, TEST_WAIT_MS), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    enum setpay_error error =
        test_wallet_call(wallet, "pay.confirm", test_world_agree(prepared), &paid);
    assert_true(error != SETPAY_OK && error != SETPAY_E_TIMEOUT);
    json_decref(prepared);
    assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), 0);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct setpay_id xid = test_world_pay(NULL, NULL);
    test_world_ends(&xid, "authorised");
    test_world_attacks++;
}

/* Rules W5, A6: dead between the commit and the first byte: it inquires, hears that there is no
 * such purchase, and sends the very PReq that it stored. A liar who says so again and again gets
 * nothing else. */
static void a_wallet_that_died_sends_the_same(void **state)
{
    (void)state;
    start_over();
    test_shop_outcome(shop, SETPAY_RECEIPT_AUTHORISATION);
    test_daemon_stop(&wallet->daemon);
    test_daemon_start(&wallet->daemon, "wallet.stored:1");
    test_wallet_unlock(wallet);
    json_t *prepared = NULL;
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    struct setpay_id xid = test_shop_last(shop)->xid;
    test_wallet_send(wallet, "pay.confirm", test_world_agree(prepared));
    test_daemon_wait_killed(&wallet->daemon);
    json_decref(prepared);
    assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), 0);
    refusal = SETPAY_E_OFFER_UNKNOWN;
    is_signed = false;
    test_shop_lie(shop, &errors, NULL, false, true, true);
    test_daemon_start(&wallet->daemon, NULL);
    test_wallet_unlock(wallet);
    test_shop_wait(shop, TEST_ASK_PAY, 3); /* it says that it has none, three times over */
    assert_int_equal(shop->second_preqs, 0);
    test_world_ends(&xid, "authorised");
    test_world_attacks++;
}

/* Rule A4, after a restart too: what was said of another purchase says nothing of this one. */
static void of_an_earlier_purchase(struct test_shop *of, struct test_sale *sale,
                                   const struct setpay_message *request, struct setpay_view raw,
                                   struct setpay_buffer *message)
{
    (void)sale;
    (void)request;
    (void)raw;
    const struct test_sale *earlier = of->context;
    assert_int_equal(setpay_buffer_set(message, setpay_buffer_view(&earlier->word)), SETPAY_OK);
}
static void a_replay_after_a_restart_says_nothing(void **state)
{
    static const struct test_lie replay = {.instead = of_an_earlier_purchase};
    (void)state;
    /* One that ended by an InqRes. */
    start_over();
    test_shop_lock(shop);
    shop->silent_at[TEST_ASK_PAY] = true;
    shop->outcome = SETPAY_RECEIPT_AUTHORISATION;
    test_shop_unlock(shop);
    struct setpay_id earlier = test_world_pay(NULL, NULL);
    test_world_ends(&earlier, "authorised");
    shop->context = test_shop_sale(shop, &earlier);
    struct setpay_id xid = test_world_pay(&replay, NULL);
    test_shop_wait(shop, TEST_ASK_INQUIRE, 2);
    test_daemon_kill(&wallet->daemon);
    test_daemon_start(&wallet->daemon, NULL);
    test_wallet_unlock(wallet);
    let_it_ask();
    assert_string_equal(test_daemon_refusal(&wallet->daemon, "purchase.unanswered", NULL),
                        "ANSWER_IDS A4");
    test_world_shows(&xid, json_pack("{s:s, s:b}", "status", "pending", "receipt", 0));
    assert_int_equal(test_world_evidence(&xid, "failed A4"), 1);
    test_world_ends(&xid, "authorised");
    test_world_attacks++;
}

/* Once it is certain that nothing was paid, the link may be paid: a purchase of its own. */
static void a_link_may_be_paid_when_nothing_was(void **state)
{
    json_t *prepared, *paid;
    (void)state;
    struct setpay_id xid = pay_and_be_refused(&refused, "refused");
    move_past_expiry(&xid, TOLERANCE_MS + SETPAY_SECOND_MS);
    json_decref(ask("pay.resume", &xid));
    test_wallet_set_clock(wallet, 0);
    test_shop_honest(shop);
    prepared = prepare_again(&xid);
    paid = test_wallet_do(wallet, "pay.confirm", test_world_agree(prepared));
    assert_string_equal(json_string_value(json_object_get(paid, "status")), "authorised");
    json_decref(paid);
    json_decref(prepared);
    test_world_shows(&xid, json_pack("{s:s}", "status", "failed"));
    test_world_attacks++;
}

/* The security code is in what the gateway opens, and nowhere on the wallet's disk. */
static void the_security_code_is_not_kept(void **state)
{
    static const char *const codes[] = {"7391", "8264"};
    size_t found = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        json_t *prepared = NULL;
        start_over();
        test_shop_outcome(shop, SETPAY_RECEIPT_AUTHORISATION);
        assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
        json_t *args = test_world_agree(prepared);
        json_object_set_new(args, "security_code", json_string(codes[i]));
        json_decref(test_wallet_do(wallet, "pay.confirm", args));
        json_decref(prepared);
        test_shop_lock(shop);
        const struct setpay_secret *code = &test_shop_last(shop)->instruction.pi.security_code;
        bool is_there = setpay_view_equal(setpay_secret_view(code), setpay_view_string(codes[i]));
        test_shop_unlock(shop);
        assert_true(is_there);
        /* Four digits may be among random bytes: not both. */
        found += test_daemon_database_holds(&wallet->daemon, setpay_view_string(codes[i])) ||
                 test_daemon_log_holds(&wallet->daemon, setpay_view_string(codes[i]));
    }
    assert_true(found < COUNT(codes));
    test_world_attacks++;
}

/* ------------------------------------------------------------------ the program */

static int set_up(void **state)
{
    (void)state;
    struct test_world *world = test_world_new();
    shop = world->shop;
    wallet = world->wallet;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_world_free(test_the_world);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_ends_nothing),
        cmocka_unit_test(an_error_ends_nothing_for_ever),
        cmocka_unit_test(a_time_out_ends_nothing),
        cmocka_unit_test(a_refusal_ends_after_the_instruction),
        cmocka_unit_test(a_refusal_and_then_silence_ends_too),
        cmocka_unit_test(a_receipt_overrides_a_refusal),
        cmocka_unit_test(a_refusal_that_was_true_is_no_breach),
        cmocka_unit_test(scripts_hear_the_same),
        cmocka_unit_test(the_same_link_signs_nothing_new),
        cmocka_unit_test(what_is_not_stored_does_not_leave),
        cmocka_unit_test(a_wallet_that_died_sends_the_same),
        cmocka_unit_test(a_replay_after_a_restart_says_nothing),
        cmocka_unit_test(a_link_may_be_paid_when_nothing_was),
        cmocka_unit_test(the_security_code_is_not_kept),
    };
    int failed = cmocka_run_group_tests_name("walletd_refusal", tests, set_up, tear_down);
    test_world_tally();
    return failed;
}
