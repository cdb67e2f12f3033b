/*
 * Spending rules (rule W4) in a real setpay-walletd, at a shop that would take more: what a rule
 * covers is signed without a word of the person, and what it does not is not, whatever a program
 * says to the wallet's socket. Of payments at once only as many pass as the day's total holds.
 */
#include "common/base/clock.h"
#include "tests/support/test_world.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define AT_ONCE 3
#define ROUNDS 6
#define EACH TEST_SHOP_AMOUNT

static struct test_shop *shop;
static struct test_wallet *wallet;
static int64_t spent; /* by rules, so far */

/* ------------------------------------------------------------------ rules and payments */

static json_t *rule_args(int64_t each, int64_t day)
{
    return json_pack("{s:s, s:I, s:I, s:s}", "merchant_id", TEST_SHOP_ID, "amount",
                     (json_int_t)each, "per_day", (json_int_t)day, "currency", "EUR");
}

/* A rule at the shop that has so much left. Its number. */
static json_int_t set_rule(int64_t each, int64_t left)
{
    json_t *rule = test_wallet_do(wallet, "rule.add", rule_args(each, spent + left));
    json_int_t number = json_integer_value(json_object_get(rule, "number"));
    assert_string_equal(json_string_value(json_object_get(rule, "status")), "in_force");
    assert_int_equal(json_integer_value(json_object_get(rule, "spent")), spent);
    json_decref(rule);
    return number;
}

static void remove_rule(json_int_t number)
{
    json_decref(test_wallet_do(wallet, "rule.remove", json_pack("{s:I}", "number", number)));
}

static json_t *prepare(void)
{
    json_t *prepared = NULL;
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    return prepared;
}

static json_int_t agreeing(const json_t *prepared)
{
    return json_integer_value(json_object_get(json_object_get(prepared, "rule"), "number"));
}

static json_t *by_rule(const json_t *prepared, json_int_t number)
{
    json_t *args = test_world_agree(prepared);
    const json_t *offer = json_object_get(prepared, "offer");
    if (strcmp(json_string_value(json_object_get(offer, "terms")), "recurring") == 0)
        json_object_set(args, "terms", json_object_get(offer, "terms_text"));
    json_object_set_new(args, "rule", json_integer(number));
    return args;
}

/* What is shown to others does not say how the person spends. */
static void expect_export_without_rule(void)
{
    char path[TEST_PATH_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    const char *words[] = {"receipt", setpay_id_format(&test_shop_last(shop)->xid, xid), "--export",
                           test_path(wallet->folder, "export.json", path), NULL};
    json_t *printed = NULL;
    size_t size = 0;
    assert_int_equal(test_wallet_cli(wallet, words, &printed), 0);
    char *text = test_read_file(wallet->folder, "export.json", &size);
    assert_non_null(strstr(text, "\"receipts\""));
    assert_null(strstr(text, "\"rule\""));
    free(text);
    json_decref(printed);
}

static int64_t purchases(void)
{
    return test_daemon_number(&wallet->daemon, "SELECT count(*) FROM purchase");
}

/* Nothing is stored, nothing leaves, and the log says the rule. */
static void is_refused(const json_t *prepared, json_int_t number)
{
    json_t *paid = NULL;
    size_t lines = test_daemon_log_count(&wallet->daemon, "event=rule.refused ");
    size_t asked = test_shop_count(shop, TEST_ASK_PAY);
    char *before = test_world_dump();
    enum setpay_error error =
        test_wallet_call(wallet, "pay.confirm", by_rule(prepared, number), &paid);
    assert_string_equal(test_error_words(error), "NOT_AGREED W4");
    assert_int_equal(test_daemon_log_count(&wallet->daemon, "event=rule.refused "), lines + 1);
    assert_string_equal(test_daemon_refusal(&wallet->daemon, "rule.refused", NULL),
                        "NOT_AGREED W4");
    assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), asked);
    test_world_unchanged(before);
    test_world_attacks++;
}

/* ------------------------------------------------------------------ what a rule covers */

static void what_a_rule_covers_is_signed(void **state)
{
    (void)state;
    test_shop_honest(shop);
    json_t *prepared = prepare();
    assert_null(json_object_get(prepared, "rule")); /* there is none */
    assert_null(json_object_get(prepared, "rule_refused"));
    json_decref(prepared);
    json_int_t number = set_rule(EACH, EACH);
    prepared = prepare();
    assert_int_equal(agreeing(prepared), number);
    json_t *paid = test_wallet_do(wallet, "pay.confirm", by_rule(prepared, number));
    spent += EACH;
    assert_string_equal(json_string_value(json_object_get(paid, "status")), "authorised");
    assert_int_equal(json_integer_value(json_object_get(paid, "rule")), number);
    json_decref(paid);
    json_decref(prepared);
    /* The day is used up; the person may go on, and that does not count. */
    prepared = prepare();
    assert_null(json_object_get(prepared, "rule"));
    const json_t *refused = json_object_get(prepared, "rule_refused");
    assert_non_null(
        strstr(json_string_value(json_object_get(refused, "words")), "in 24 hours, of which"));
    is_refused(prepared, number);
    paid = test_wallet_do(wallet, "pay.confirm", test_world_agree(prepared));
    assert_true(json_is_null(json_object_get(paid, "rule")));
    json_decref(paid);
    json_decref(prepared);
    expect_export_without_rule();
    /* Also after a restart. */
    test_world_settle();
    json_t *list = test_wallet_do(wallet, "rule.list", json_object());
    const json_t *rule = json_array_get(json_object_get(list, "rules"), 0);
    assert_int_equal(json_array_size(json_object_get(list, "rules")), 1);
    assert_int_equal(json_integer_value(json_object_get(rule, "number")), number);
    assert_int_equal(json_integer_value(json_object_get(rule, "spent")), spent);
    json_decref(list);
    prepared = prepare();
    is_refused(prepared, number);
    json_decref(prepared);
    remove_rule(number);
}

/* ------------------------------------------------------------------ and what it does not */

static void a_dearer_one(struct test_shop *of, struct test_sale *sale,
                         struct setpay_pinit_res *offer)
{
    (void)of;
    offer->items[0].unit_minor += 1;
    offer->items[0].total_minor += offer->items[0].quantity;
    offer->amount.minor += offer->items[0].quantity;
    sale->amount = offer->amount;
}

static void in_parts(struct test_shop *of, struct test_sale *sale, struct setpay_pinit_res *offer)
{
    (void)of, (void)sale;
    offer->terms.kind = SETPAY_TERMS_SPLIT;
}

static void every_month(struct test_shop *of, struct test_sale *sale,
                        struct setpay_pinit_res *offer)
{
    (void)of, (void)sale;
    offer->terms = (struct setpay_terms){.kind = SETPAY_TERMS_RECURRING,
                                         .count = 12,
                                         .interval_days = 28,
                                         .each_minor = EACH,
                                         .end_ms = setpay_clock_now_ms() + 400 * SETPAY_DAY_MS};
}

static const struct test_lie dearer = {.offer = a_dearer_one}, split = {.offer = in_parts},
                             recurring = {.offer = every_month};

static void what_it_does_not_cover_is_not(void **state)
{
    static const struct {
        const struct test_lie *offer;
        const char *words;
    } rows[] = {{&dearer, " covers up to "},
                {&split, " covers single payments only"},
                {&recurring, " covers single payments only"}};
    (void)state;
    json_int_t number = set_rule(EACH, 100 * EACH);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        test_shop_lie(shop, rows[i].offer, NULL, true, false, false);
        json_t *prepared = prepare();
        assert_null(json_object_get(prepared, "rule"));
        const json_t *refused = json_object_get(prepared, "rule_refused");
        assert_int_equal(json_integer_value(json_object_get(refused, "number")), number);
        assert_non_null(
            strstr(json_string_value(json_object_get(refused, "words")), rows[i].words));
        is_refused(prepared, number);
        json_decref(prepared);
    }
    test_shop_honest(shop);
    json_t *prepared = prepare();
    is_refused(prepared, number + 1); /* there is no such rule */
    remove_rule(number);              /* at this very moment */
    is_refused(prepared, number);
    json_decref(prepared);
}

static void says_refused(struct test_shop *of, struct test_sale *sale, struct setpay_pres *word)
{
    (void)of, (void)sale;
    word->status = SETPAY_STATUS_REFUSED;
    word->amount.minor = 0;
    word->action_code[0] = word->approval_code[0] = '\0';
    test_word_receipts(word, NULL, 0);
}
static const struct test_lie refuses = {.word = says_refused};

/* Rules W5, W7: what may be charged twice is the person's to say, and no rule's. */
static void no_rule_insists(void **state)
{
    char uri[128];
    json_t *prepared = NULL;
    (void)state;
    test_shop_honest(shop);
    json_int_t number = set_rule(EACH, 2 * EACH);
    test_shop_outcome(shop, 0);
    (void)snprintf(uri, sizeof uri, "%s", test_shop_link(shop));
    prepared = test_wallet_do(wallet, "pay.prepare", json_pack("{s:s}", "uri", uri));
    struct setpay_id xid = test_shop_last(shop)->xid;
    test_shop_lie(shop, &refuses, NULL, false, true, true);
    json_decref(test_wallet_do(wallet, "pay.confirm", by_rule(prepared, number)));
    spent += EACH;
    json_decref(prepared);
    prepared =
        test_wallet_do(wallet, "pay.prepare", json_pack("{s:s, s:b}", "uri", uri, "insist", 1));
    assert_non_null(json_object_get(prepared, "insists_on"));
    assert_null(json_object_get(prepared, "rule"));
    int64_t before = purchases();
    for (int insist = 0; insist < 2; insist++) {
        json_t *args = by_rule(prepared, number), *paid = NULL;
        json_object_set_new(args, "insist", json_boolean(insist));
        assert_string_equal(test_error_words(test_wallet_call(wallet, "pay.confirm", args, &paid)),
                            "NOT_AGREED W4");
        test_world_attacks++;
    }
    assert_int_equal(purchases(), before);
    json_decref(prepared);
    test_shop_outcome(shop, SETPAY_RECEIPT_AUTHORISATION);
    test_world_ends(&xid, "authorised");
    remove_rule(number);
}

/* ------------------------------------------------------------------ at once */

struct one {
    pthread_t thread;
    json_t *args;
    enum setpay_error error;
};

static void *pay(void *arg)
{
    struct one *one = arg;
    json_t *paid = NULL;
    one->error = test_wallet_call(wallet, "pay.confirm", one->args, &paid);
    json_decref(paid);
    return NULL;
}

/* Each was told that the rule agrees, and each is sent at the same moment: one fits. */
static void of_several_at_once_one_passes(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct one ones[AT_ONCE];
        size_t passed = 0;
        test_shop_honest(shop);
        json_int_t number = set_rule(EACH, 2 * EACH - 1);
        int64_t before = purchases();
        for (size_t i = 0; i < AT_ONCE; i++) {
            json_t *prepared = prepare();
            assert_int_equal(agreeing(prepared), number);
            ones[i].args = by_rule(prepared, number);
            json_decref(prepared);
        }
        for (size_t i = 0; i < AT_ONCE; i++)
            assert_int_equal(pthread_create(&ones[i].thread, NULL, pay, &ones[i]), 0);
        for (size_t i = 0; i < AT_ONCE; i++) {
            assert_int_equal(pthread_join(ones[i].thread, NULL), 0);
            passed += ones[i].error == SETPAY_OK;
            if (ones[i].error != SETPAY_OK)
                assert_string_equal(test_error_words(ones[i].error), "NOT_AGREED W4");
        }
        spent += EACH;
        assert_int_equal(passed, 1);
        assert_int_equal(purchases(), before + 1);
        assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), 1);
        remove_rule(number);
        test_world_attacks += AT_ONCE - 1;
    }
}

/* ------------------------------------------------------------------ who may set one */

static void only_an_open_wallet_takes_a_rule(void **state)
{
    json_t *result = NULL;
    json_int_t number = set_rule(EACH, EACH);
    (void)state;
    json_decref(test_wallet_do(wallet, "wallet.lock", json_object()));
    assert_int_equal(test_wallet_call(wallet, "rule.add", rule_args(EACH, EACH), &result),
                     SETPAY_E_LOCKED);
    /* To look, and to take one's word back, it need not be. */
    json_decref(test_wallet_do(wallet, "rule.list", json_object()));
    remove_rule(number);
    assert_int_equal(
        test_wallet_call(wallet, "rule.remove", json_pack("{s:I}", "number", number), &result),
        SETPAY_E_NOT_FOUND);
    test_wallet_unlock(wallet);
    json_t *args = rule_args(EACH, EACH);
    json_object_set_new(args, "merchant_id", json_string("localhost:443"));
    assert_int_equal(test_wallet_call(wallet, "rule.add", args, &result), SETPAY_E_INVALID);
    test_world_attacks += 2;
}

/* ------------------------------------------------------------------ the command line */

static int cli(const char *const *words, json_t **printed)
{
    return test_wallet_cli(wallet, words, printed);
}

static void expect_pay(const char *max, int status, const char *name, json_int_t number)
{
    const char *words[] = {"pay", test_shop_link(shop), max == NULL ? NULL : "--max", max, NULL};
    json_t *printed = NULL;
    assert_int_equal(cli(words, &printed), status);
    const char *error =
        json_string_value(json_object_get(json_object_get(printed, "error"), "name"));
    if (name == NULL)
        assert_int_equal(json_integer_value(json_object_get(printed, "rule")), number);
    else
        assert_string_equal(error, name);
    json_decref(printed);
}

static void nobody_is_asked_within_a_rule(void **state)
{
    const char *add[] = {"rule",      "add",        "--merchant", TEST_SHOP_ID, "--amount",
                         "12.50 EUR", "--per-day",  NULL,         "--card",     "daily",
                         "--until",   "2099-12-31", NULL};
    const char *host[] = {"rule",      "add",       "--merchant", "localhost", "--amount",
                          "12.50 EUR", "--per-day", "20.00",      NULL};
    const char *list[] = {"rule", "list", NULL}, *removal[] = {"rule", "remove", NULL, NULL};
    char day[SETPAY_MONEY_TEXT_SIZE], text[24];
    json_t *printed = NULL;
    struct setpay_money left = {spent + EACH, "EUR"};
    (void)state;
    test_shop_honest(shop);
    /* Standard input is no terminal here: without a rule, no merchant hears of it. */
    expect_pay(NULL, 2, "USAGE", 0);
    assert_int_equal(test_shop_count(shop, TEST_ASK_OFFER), 0);
    add[7] = setpay_money_format(&left, day);
    assert_int_equal(cli(add, &printed), 0);
    json_int_t number = json_integer_value(json_object_get(printed, "number"));
    assert_string_equal(json_string_value(json_object_get(printed, "card")), "daily");
    json_decref(printed);
    assert_int_equal(cli(host, &printed), 2); /* is told who is there */
    json_decref(printed);
    expect_pay("12.49", 6, "NOT_AGREED", 0); /* --max holds */
    assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), 0);
    expect_pay(NULL, 0, NULL, number);
    spent += EACH;
    expect_pay(NULL, 6, "NOT_AGREED", 0); /* the day is used up */
    assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), 1);
    assert_int_equal(cli(list, &printed), 0);
    assert_int_equal(json_array_size(json_object_get(printed, "rules")), 1);
    json_decref(printed);
    (void)snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, number);
    removal[2] = text;
    assert_int_equal(cli(removal, &printed), 0);
    json_decref(printed);
    assert_int_equal(cli(removal, &printed), 1);
    json_decref(printed);
}

/* ------------------------------------------------------------------ the program */

static int set_up(void **state)
{
    (void)state;
    int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(dup2(none, STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(close(none), 0);
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
        cmocka_unit_test(what_a_rule_covers_is_signed),
        cmocka_unit_test(what_it_does_not_cover_is_not),
        cmocka_unit_test(no_rule_insists),
        cmocka_unit_test(of_several_at_once_one_passes),
        cmocka_unit_test(only_an_open_wallet_takes_a_rule),
        cmocka_unit_test(nobody_is_asked_within_a_rule),
    };
    int failed = cmocka_run_group_tests_name("walletd_rules", tests, set_up, tear_down);
    test_world_tally();
    return failed;
}
