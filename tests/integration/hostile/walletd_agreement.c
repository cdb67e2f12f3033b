/*
 * Agreements at the real setpay-walletd, before a merchant with a colluding gateway: what is agreed
 * to and how (rule W4), receipts of further payments within the terms and beyond (rule W6), and the
 * cancellation, which is signed once and asked for until a receipt confirms it.
 */
#include "common/base/clock.h"
#include "tests/support/test_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define EACH TEST_AGREED_EACH
#define DAYS TEST_AGREED_DAYS
#define PAYMENTS TEST_AGREED_PAYMENTS
#define TERMS_TEXT                                                                                 \
    "up to 12 payments of at most 15.00 EUR, at least 28 days apart, until %s; together at most "  \
    "180.00 EUR"

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

static int64_t number_of(const json_t *object, const char *name)
{
    assert_true(json_is_integer(json_object_get(object, name)));
    return json_integer_value(json_object_get(object, name));
}

/* setpay-wallet agreement COMMAND XID [--yes] */
static json_t *agreement(const char *command, const struct test_sale *sale, int status)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    const bool cancels = strcmp(command, "cancel") == 0;
    const char *words[] = {"agreement", command, setpay_id_format(&sale->xid, xid),
                           cancels ? "--yes" : NULL, NULL};
    json_t *printed = NULL;
    assert_int_equal(test_wallet_cli(test_the_world->wallet, words, &printed), status);
    assert_non_null(printed);
    return printed;
}

static void add(struct test_sale *sale, enum setpay_receipt_kind kind, int64_t minor,
                int64_t after_ms)
{
    test_shop_lock(test_the_world->shop);
    test_sale_add_receipt_at(sale, kind, minor, setpay_clock_now_ms() + after_ms);
    test_shop_unlock(test_the_world->shop);
}

/* ------------------------------------------------------------------ rule W4 */

static void is_agreed_to_in_its_own_words(void **state)
{
    struct test_world *world = test_the_world;
    char expected[256], until[16];
    time_t end = (time_t)(test_agreed_end_ms() / SETPAY_SECOND_MS);
    struct tm utc;
    json_t *paid = NULL;
    (void)state;
    json_t *prepared = test_world_prepare_agreement();
    const json_t *offer = json_object_get(prepared, "offer");
    assert_non_null(gmtime_r(&end, &utc));
    strftime(until, sizeof until, "%Y-%m-%d", &utc);
    (void)snprintf(expected, sizeof expected, TERMS_TEXT, until);
    assert_string_equal(text_of(offer, "terms"), "recurring");
    assert_string_equal(text_of(offer, "terms_text"), expected);
    assert_int_equal(number_of(offer, "total"), PAYMENTS * EACH);
    char *before = test_world_dump();
    /* what agrees to amount and merchant alone, as a rule would */
    assert_string_equal(test_error_words(test_wallet_call(world->wallet, "pay.confirm",
                                                          test_world_agree(prepared), &paid)),
                        "NOT_AGREED W4");
    json_t *other = test_world_agree_to_terms(prepared);
    json_object_set_new(other, "terms", json_string("one payment of 12.50 EUR"));
    assert_string_equal(
        test_error_words(test_wallet_call(world->wallet, "pay.confirm", other, &paid)),
        "NOT_AGREED W4");
    test_world_unchanged(before);
    assert_int_equal(test_shop_count(world->shop, TEST_ASK_PAY), 0);
    json_decref(test_wallet_do(world->wallet, "pay.confirm", test_world_agree_to_terms(prepared)));
    assert_int_equal(test_shop_count(world->shop, TEST_ASK_PAY), 1);
    json_decref(prepared);
}

static void yes_alone_does_not_agree(void **state)
{
    struct test_shop *shop = test_the_world->shop;
    json_t *printed = NULL;
    (void)state;
    test_shop_honest(shop);
    test_shop_lie(shop, &test_recurring, NULL, true, false, false);
    const char *yes[] = {"pay", test_shop_link(shop), "--yes", NULL};
    assert_int_equal(test_wallet_cli(test_the_world->wallet, yes, &printed), 6);
    json_decref(printed);
    assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), 0);
    /* --max limits all that may be taken, not the first payment */
    const char *limited[] = {"pay",   test_shop_link(shop), "--yes", "--agree-terms",
                             "--max", "179.99 EUR",         NULL};
    assert_int_equal(test_wallet_cli(test_the_world->wallet, limited, &printed), 6);
    json_decref(printed);
    assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), 0);
    const char *all[] = {"pay", test_shop_link(shop), "--yes", "--agree-terms", "--max", "180 EUR",
                         NULL};
    assert_int_equal(test_wallet_cli(test_the_world->wallet, all, &printed), 0);
    json_decref(printed);
}

/* ------------------------------------------------------------------ rule W6 */

/* What `agreement COMMAND` prints for people holds these words. */
static void people_read(const char *command, const struct setpay_id *xid, const char *words)
{
    char text[SETPAY_ID_TEXT_SIZE];
    const char *people[] = {"--socket",
                            test_the_world->wallet->socket,
                            "agreement",
                            command,
                            xid == NULL ? NULL : setpay_id_format(xid, text),
                            NULL};
    char *printed = NULL;
    test_run_program("setpay-wallet", people, &printed);
    assert_non_null(strstr(printed, words));
    free(printed);
}

static void takes_what_was_agreed_to(void **state)
{
    (void)state;
    struct test_sale *sale = test_world_begin_agreement();
    add(sale, SETPAY_RECEIPT_CAPTURE, TEST_SHOP_AMOUNT, 0);
    add(sale, SETPAY_RECEIPT_DECLINE, EACH, 27 * SETPAY_DAY_MS);
    add(sale, SETPAY_RECEIPT_AUTHORISATION, EACH, DAYS * SETPAY_DAY_MS);
    json_t *shown = agreement("show", sale, 0);
    assert_string_equal(text_of(shown, "status"), "active");
    assert_int_equal(number_of(shown, "payments"), 2);
    assert_int_equal(number_of(shown, "taken"), TEST_SHOP_AMOUNT + EACH);
    assert_true(json_is_null(json_object_get(shown, "disagreement")));
    json_decref(shown);
    people_read("show", &sale->xid, "27.50 EUR in 2 payments of 12");
    people_read("list", NULL, "180.00 EUR");
    test_world_shows(&sale->xid, json_pack("{s:s, s:i, s:n}", "state", "authorised", "receipts", 4,
                                           "disagreement"));
}

/* Each breach alone, and the payment just within: refused, shown, kept; what was before stands. */
static void refuses_what_was_not(void **state)
{
    static const struct {
        const char *words;
        int64_t minor;
        int64_t after_ms;
    } cases[] = {
        {"it comes too soon after the payment before", EACH, DAYS * SETPAY_DAY_MS - SETPAY_HOUR_MS},
        {"it is of more than one payment may be", EACH + 1, DAYS * SETPAY_DAY_MS},
        {"it comes after the end of the agreement", EACH, 400 * SETPAY_DAY_MS},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char words[200];
        struct test_sale *sale = test_world_begin_agreement();
        add(sale, SETPAY_RECEIPT_AUTHORISATION, cases[i].minor, cases[i].after_ms);
        json_t *shown = agreement("show", sale, 0);
        (void)snprintf(words, sizeof words,
                       "the gateway has authorised what you have not agreed to: %s",
                       cases[i].words);
        assert_string_equal(text_of(shown, "disagreement"), words);
        assert_int_equal(number_of(shown, "payments"), 1);
        json_decref(shown);
        assert_int_equal(test_world_evidence(&sale->xid, words), 1);
        assert_string_equal(
            test_daemon_refusal(&test_the_world->wallet->daemon, "receipt.refused", NULL),
            "RECEIPT W6");
        test_world_attacks++;
    }
}

static void refuses_one_too_many(void **state)
{
    (void)state;
    struct test_sale *sale = test_world_begin_agreement();
    for (int i = 1; i < PAYMENTS; i++)
        add(sale, SETPAY_RECEIPT_AUTHORISATION, 1, i * DAYS * SETPAY_DAY_MS);
    json_t *shown = agreement("show", sale, 0);
    assert_int_equal(number_of(shown, "payments"), PAYMENTS);
    assert_string_equal(text_of(shown, "status"), "ended");
    json_decref(shown);
    add(sale, SETPAY_RECEIPT_AUTHORISATION, 1, PAYMENTS * DAYS * SETPAY_DAY_MS);
    shown = agreement("show", sale, 0);
    assert_string_equal(text_of(shown, "disagreement"),
                        "the gateway has authorised what you have not agreed to: there are more "
                        "payments than you agreed to");
    assert_int_equal(number_of(shown, "payments"), PAYMENTS);
    json_decref(shown);
    test_world_attacks++;
}

/* What does not fit into one answer is asked for at once, from where the wallet is. */
static void ten_at_a_time(struct test_shop *shop, struct test_sale *sale, struct setpay_pres *word)
{
    uint32_t known = sale->known;
    size_t count = sale->receipt_count - known;
    (void)shop;
    word->skipped = known;
    word->left = count > 10 ? (uint32_t)(count - 10) : 0;
    test_word_receipts(word, &sale->receipts[known], count > 10 ? 10 : count);
}

static void some_between_are_missing(struct test_shop *shop, struct test_sale *sale,
                                     struct setpay_pres *word)
{
    (void)shop;
    word->skipped = (uint32_t)sale->receipt_count - 1;
    test_word_receipts(word, &sale->receipts[word->skipped], 1);
}

static void fetches_a_long_chain(void **state)
{
    static const struct test_lie paged = {.word = ten_at_a_time};
    static const struct test_lie gap = {.word = some_between_are_missing};
    (void)state;
    struct test_sale *sale = test_world_begin_agreement();
    add(sale, SETPAY_RECEIPT_CAPTURE, TEST_SHOP_AMOUNT, 0);
    for (int i = 0; i < 40; i++) {
        add(sale, SETPAY_RECEIPT_CREDIT, 10, 0);
        add(sale, SETPAY_RECEIPT_CREDIT_REVERSAL, 10, 0);
    }
    test_shop_lie(test_the_world->shop, &gap, NULL, false, false, true);
    json_decref(agreement("show", sale, 0));
    test_world_shows(&sale->xid, json_pack("{s:i}", "receipts", 1));
    test_shop_lie(test_the_world->shop, &paged, NULL, false, false, true);
    json_decref(agreement("show", sale, 0));
    test_shop_wait(test_the_world->shop, TEST_ASK_INQUIRE, 9);
    test_daemon_wait_number(&test_the_world->wallet->daemon,
                            "SELECT receipts FROM purchase ORDER BY created DESC LIMIT 1", 82);
}

/* ------------------------------------------------------------------ cancelling */

static const struct test_lie confirming = {.word = test_confirms_cancellation};

static void is_cancelled_by_the_receipt_alone(void **state)
{
    struct test_shop *shop = test_the_world->shop;
    struct test_sale *sale = test_world_begin_agreement();
    (void)state;
    /* the merchant is away */
    test_shop_silent(shop, TEST_ASK_INQUIRE);
    json_t *shown = agreement("cancel", sale, 4);
    assert_string_equal(text_of(shown, "status"), "cancelling");
    assert_true(json_is_null(json_object_get(shown, "cancelled")));
    json_decref(shown);
    /* it hears of it, and does nothing */
    test_shop_honest(shop);
    test_shop_wait(shop, TEST_ASK_INQUIRE, 2); /* the wallet asks by itself */
    test_shop_lock(shop);
    assert_int_not_equal(sale->cancellation.size, 0);
    test_shop_unlock(shop);
    shown = agreement("show", sale, 0);
    assert_string_equal(text_of(shown, "status"), "cancelling");
    json_decref(shown);
    /* over a restart too, and the gateway confirms it */
    test_daemon_stop(&test_the_world->wallet->daemon);
    test_shop_lie(shop, &confirming, NULL, false, false, true);
    test_wallet_start(test_the_world->wallet, TEST_WALLET_ANSWER_MS);
    test_daemon_wait_number(&test_the_world->wallet->daemon,
                            "SELECT count(*) FROM agreement WHERE word IS NOT NULL"
                            " AND cancelled = 0",
                            0);
    shown = agreement("show", sale, 0);
    assert_string_equal(text_of(shown, "status"), "cancelled");
    assert_true(json_is_null(json_object_get(shown, "next")));
    json_decref(shown);
    /* again: nothing is sent, and it stays what it is */
    shown = agreement("cancel", sale, 0);
    assert_string_equal(text_of(shown, "status"), "cancelled");
    json_decref(shown);
    /* rule W6: a payment after it */
    add(sale, SETPAY_RECEIPT_AUTHORISATION, EACH, DAYS * SETPAY_DAY_MS);
    test_shop_honest(shop);
    shown = agreement("show", sale, 0);
    assert_string_equal(text_of(shown, "disagreement"),
                        "the gateway has authorised what you have not agreed to: you had cancelled "
                        "the agreement");
    assert_string_equal(text_of(shown, "status"), "cancelled");
    assert_int_equal(number_of(shown, "payments"), 1);
    json_decref(shown);
    test_world_attacks++;
}

/* Rule W6: what is handed on as the receipt of the cancellation is none. The merchant has sealed
 * it: the gateway colludes. */
static struct test_sale *another; /* cancelled */
enum false_receipt {
    OF_LESS,
    OF_ANOTHER_POMD,
    OF_ANOTHER_MERCHANT,
    OF_ANOTHER_CARDHOLDER,
    BEHIND_ANOTHER,
    BY_ANOTHER_GATEWAY,
    BY_THE_MERCHANT,
    RELABELLED,
    OF_ANOTHER_AGREEMENT,
};
static enum false_receipt false_receipt;

static void draft_falsely(const struct test_shop *shop, const struct test_sale *sale,
                          struct setpay_sealed_receipt *sealed)
{
    const struct test_others *others = &test_the_world->others;
    const struct test_party *gateway = shop->gateway_sign;
    struct setpay_receipt draft;
    enum setpay_receipt_kind kind =
        false_receipt == RELABELLED ? SETPAY_RECEIPT_CAPTURE : SETPAY_RECEIPT_CANCELLATION;
    test_sale_draft(sale, kind, TEST_SHOP_AMOUNT, &draft);
    if (false_receipt == OF_LESS)
        draft.amount.minor--;
    else if (false_receipt == OF_ANOTHER_POMD)
        draft.pomd.bytes[0] ^= 1;
    else if (false_receipt == OF_ANOTHER_MERCHANT)
        (void)snprintf(draft.merchant_id, sizeof draft.merchant_id, "other");
    else if (false_receipt == OF_ANOTHER_CARDHOLDER)
        draft.cardholder = others->cardholder->thumbprint;
    else if (false_receipt == BEHIND_ANOTHER)
        draft.previous.bytes[0] ^= 1;
    else if (false_receipt == BY_ANOTHER_GATEWAY)
        gateway = others->gateway_sign;
    else if (false_receipt == BY_THE_MERCHANT)
        gateway = shop->sign;
    test_sale_seal(sale, &draft, gateway, sealed);
    sealed->kind = SETPAY_RECEIPT_CANCELLATION;
}

static void confirms_falsely(struct test_shop *shop, struct test_sale *sale,
                             struct setpay_pres *word)
{
    struct setpay_sealed_receipt both[2] = {sale->receipts[0], {.size = 0}};
    if (false_receipt == OF_ANOTHER_AGREEMENT)
        both[1] = another->receipts[another->receipt_count - 1];
    else
        draft_falsely(shop, sale, &both[1]);
    test_word_receipts(word, both, 2);
}

static void no_other_receipt_cancels(void **state)
{
    static const struct test_lie lie = {.word = confirms_falsely};
    static const struct {
        enum false_receipt what;
        const char *field;
    } rows[] = {
        {OF_LESS, "amount of a cancellation"},
        {OF_ANOTHER_POMD, "pomd"},
        {OF_ANOTHER_MERCHANT, "merchant"},
        {OF_ANOTHER_CARDHOLDER, "cardholder"},
        {BEHIND_ANOTHER, "previous"},
        {BY_ANOTHER_GATEWAY, "seal or signature"},
        {BY_THE_MERCHANT, "seal or signature"},
        {RELABELLED, "seal or signature"},
        {OF_ANOTHER_AGREEMENT, "seal or signature"},
    };
    struct test_shop *shop = test_the_world->shop;
    (void)state;
    another = test_world_begin_agreement();
    test_shop_lie(shop, &confirming, NULL, false, false, true);
    json_decref(agreement("cancel", another, 0));
    for (size_t i = 0; i < COUNT(rows); i++) {
        char words[200];
        struct test_sale *sale = test_world_begin_agreement();
        false_receipt = rows[i].what;
        test_shop_lie(shop, &lie, NULL, false, false, true);
        json_t *shown = agreement("cancel", sale, 4);
        assert_string_equal(text_of(shown, "status"), "cancelling");
        json_decref(shown);
        (void)snprintf(words, sizeof words,
                       "a receipt that the merchant handed on is not of this purchase (%s)",
                       rows[i].field);
        shown = agreement("show", sale, 0);
        assert_string_equal(text_of(shown, "status"), "cancelling");
        assert_string_equal(text_of(shown, "disagreement"), words);
        json_decref(shown);
        assert_string_equal(
            test_daemon_refusal(&test_the_world->wallet->daemon, "receipt.refused", NULL),
            "RECEIPT W6");
        assert_int_equal(test_world_evidence(&sale->xid, words), 1);
        assert_int_equal(test_world_column(&sale->xid, "receipts"), 1);
        test_shop_lie(shop, &confirming, NULL, false, false, true);
        shown = agreement("show", sale, 0);
        assert_string_equal(text_of(shown, "status"), "cancelled");
        json_decref(shown);
        test_world_attacks++;
    }
    test_shop_honest(shop);
}

static void one_payment_is_no_agreement(void **state)
{
    struct test_world *world = test_the_world;
    char xid[SETPAY_ID_TEXT_SIZE];
    json_t *result = NULL;
    (void)state;
    test_shop_honest(world->shop);
    struct setpay_id single = test_world_pay(NULL, NULL);
    test_world_ends(&single, "authorised");
    assert_int_equal(test_wallet_call(world->wallet, "agreement.cancel",
                                      json_pack("{s:s}", "xid", setpay_id_format(&single, xid)),
                                      &result),
                     SETPAY_E_NOT_FOUND);
    /* a card that an agreement needs is not removed */
    test_world_begin_agreement();
    const char *remove[] = {"card", "remove", "daily", "--yes", NULL};
    assert_int_not_equal(test_wallet_cli(world->wallet, remove, &result), 0);
    json_decref(result);
    json_t *list = test_wallet_do(world->wallet, "agreement.list", json_object());
    assert_true(json_array_size(json_object_get(list, "agreements")) >= 2);
    json_decref(list);
}

static int set_up(void **state)
{
    (void)state;
    (void)test_world_new();
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_agreed_to_in_its_own_words),
        cmocka_unit_test(yes_alone_does_not_agree),
        cmocka_unit_test(takes_what_was_agreed_to),
        cmocka_unit_test(refuses_what_was_not),
        cmocka_unit_test(refuses_one_too_many),
        cmocka_unit_test(fetches_a_long_chain),
        cmocka_unit_test(is_cancelled_by_the_receipt_alone),
        cmocka_unit_test(no_other_receipt_cancels),
        cmocka_unit_test(one_payment_is_no_agreement),
    };
    int failed = cmocka_run_group_tests_name("walletd_agreement", tests, set_up, tear_down);
    test_world_tally();
    return failed;
}
