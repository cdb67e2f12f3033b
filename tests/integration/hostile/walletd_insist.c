/*
 * Insisting (rules W5, W7): a second purchase of a link whose first one the merchant has refused,
 * signed, and the gateway has not confirmed. Only then, only where the person was shown that and
 * has said so again, and never in place of the first: both are kept, shown and asked after.
 */
#include "common/base/clock.h"
#include "tests/support/test_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOT_CONFIRMED "refused by the merchant, not confirmed"

static struct test_shop *shop;
static struct test_wallet *wallet;
static char uri[128];

static void refuses_it(struct test_shop *of, struct test_sale *sale, struct setpay_pres *word)
{
    (void)of;
    (void)sale;
    word->status = SETPAY_STATUS_REFUSED;
    word->amount.minor = 0;
    word->action_code[0] = word->approval_code[0] = '\0';
    test_word_receipts(word, NULL, 0);
}
static const struct test_lie refused = {.word = refuses_it};

static enum setpay_error prepare(bool insist, json_t **prepared)
{
    return test_wallet_call(wallet, "pay.prepare",
                            json_pack("{s:s, s:b}", "uri", uri, "insist", insist), prepared);
}

static json_t *agree(const json_t *prepared, bool insist)
{
    json_t *args = test_world_agree(prepared);
    json_object_set_new(args, "insist", json_boolean(insist));
    return args;
}

static struct setpay_id xid_of(const json_t *purchase)
{
    struct setpay_id xid;
    assert_int_equal(setpay_id_parse(json_string_value(json_object_get(purchase, "xid")), &xid),
                     SETPAY_OK);
    return xid;
}

/* A new link, its first purchase refused by the merchant; the gateway has not come to it. */
static struct setpay_id pay_and_be_refused(void)
{
    json_t *prepared = NULL;
    test_shop_honest(shop);
    test_shop_outcome(shop, 0);
    (void)snprintf(uri, sizeof uri, "%s", test_shop_link(shop));
    assert_int_equal(prepare(false, &prepared), SETPAY_OK);
    test_shop_lie(shop, &refused, NULL, false, true, true);
    json_t *paid = test_wallet_do(wallet, "pay.confirm", agree(prepared, false));
    assert_string_equal(json_string_value(json_object_get(paid, "state")), NOT_CONFIRMED);
    struct setpay_id xid = xid_of(paid);
    json_decref(paid);
    json_decref(prepared);
    return xid;
}

static int64_t purchases(void)
{
    return test_daemon_number(&wallet->daemon, "SELECT count(*) FROM purchase");
}

/* Rule W5: while the merchant has said nothing that counts, there is nothing to insist on. */
static void there_must_be_a_signed_refusal(void **state)
{
    json_t *prepared = NULL, *again = NULL;
    (void)state;
    test_shop_honest(shop);
    test_shop_outcome(shop, 0);
    (void)snprintf(uri, sizeof uri, "%s", test_shop_link(shop));
    assert_int_equal(prepare(true, &prepared), SETPAY_OK); /* without effect: nothing is open */
    assert_null(json_object_get(prepared, "insists_on"));
    test_shop_lie(shop, NULL, NULL, false, false, false);
    test_shop_lock(shop);
    shop->silent_at[TEST_ASK_PAY] = true;
    test_shop_unlock(shop);
    test_wallet_send(wallet, "pay.confirm", agree(prepared, true));
    json_decref(prepared);
    test_shop_wait(shop, TEST_ASK_INQUIRE, 2);
    int64_t before = purchases();
    assert_string_equal(test_error_words(prepare(true, &again)), "PAYMENT_OPEN W5");
    assert_int_equal(test_shop_count(shop, TEST_ASK_OFFER), 0);
    assert_int_equal(purchases(), before);
    struct setpay_id xid = test_shop_last(shop)->xid;
    test_shop_outcome(shop, SETPAY_RECEIPT_AUTHORISATION);
    test_world_ends(&xid, "authorised");
    assert_int_equal(prepare(true, &again), SETPAY_OK); /* it is paid */
    assert_true(json_is_true(json_object_get(again, "already")));
    json_decref(again);
    test_world_attacks++;
}

/* Rule W7: shown what it follows, and said again: it is signed, and both go on. */
static void both_are_kept_and_asked_after(void **state)
{
    json_t *prepared = NULL, *paid = NULL;
    (void)state;
    struct setpay_id first = pay_and_be_refused();
    assert_int_equal(prepare(false, &prepared), SETPAY_OK);
    assert_true(json_is_true(json_object_get(prepared, "resumes")));
    json_decref(prepared);
    /* Shown, but not said again. */
    assert_int_equal(prepare(true, &prepared), SETPAY_OK);
    struct setpay_id on = xid_of(json_object_get(prepared, "insists_on"));
    assert_true(setpay_id_equal(&on, &first));
    char *before = test_world_dump();
    enum setpay_error error =
        test_wallet_call(wallet, "pay.confirm", agree(prepared, false), &paid);
    assert_string_equal(test_error_words(error), "PAYMENT_OPEN W5");
    test_world_only_added(before);
    json_decref(prepared);
    /* Shown, and said again. */
    assert_int_equal(prepare(true, &prepared), SETPAY_OK);
    test_wallet_send(wallet, "pay.confirm", agree(prepared, true));
    struct setpay_id second = test_shop_last(shop)->xid;
    json_decref(prepared);
    test_shop_wait(shop, TEST_ASK_PAY, 2);
    test_daemon_kill(&wallet->daemon); /* both are in the store */
    test_daemon_start(&wallet->daemon, NULL);
    test_wallet_unlock(wallet);
    test_shop_outcome(shop, SETPAY_RECEIPT_AUTHORISATION);
    test_world_ends(&second, "authorised");
    /* The merchant's refusal of the first was false: that is seen by itself. */
    test_world_ends(&first, "authorised");
    test_world_shows(&first, json_pack("{s:s, s:b}", "status", "authorised", "breach", 1));
    json_t *list = test_wallet_do(wallet, "purchase.list", json_object());
    size_t at, seen = 0;
    json_t *one;
    json_array_foreach(json_object_get(list, "purchases"), at, one) seen +=
        strcmp(json_string_value(json_object_get(one, "uri")), uri) == 0;
    assert_int_equal(seen, 2);
    json_decref(list);
    test_world_attacks++;
}

/* Rule W5: an offer that was prepared while nothing was open does not carry the person's word for a
 * second purchase. */
static void an_offer_from_before_is_no_insisting(void **state)
{
    json_t *early = NULL, *prepared = NULL, *paid = NULL;
    (void)state;
    test_shop_honest(shop);
    test_shop_outcome(shop, 0);
    (void)snprintf(uri, sizeof uri, "%s", test_shop_link(shop));
    assert_int_equal(prepare(true, &early), SETPAY_OK);
    assert_int_equal(prepare(false, &prepared), SETPAY_OK);
    test_shop_lie(shop, &refused, NULL, false, true, true);
    paid = test_wallet_do(wallet, "pay.confirm", agree(prepared, false));
    struct setpay_id first = xid_of(paid);
    json_decref(paid);
    int64_t before = purchases();
    enum setpay_error error = test_wallet_call(wallet, "pay.confirm", agree(early, true), &paid);
    assert_string_equal(test_error_words(error), "PAYMENT_OPEN W5");
    assert_int_equal(purchases(), before);
    json_decref(prepared);
    json_decref(early);
    test_shop_outcome(shop, SETPAY_RECEIPT_VOID);
    test_world_ends(&first, "failed");
    test_world_attacks++;
}

/* Rule W5: a second one that ended leaves the first in the way. */
static void the_first_stays_in_the_way(void **state)
{
    json_t *prepared = NULL;
    (void)state;
    struct setpay_id first = pay_and_be_refused();
    assert_int_equal(prepare(true, &prepared), SETPAY_OK);
    test_shop_outcome(shop, SETPAY_RECEIPT_DECLINE);
    /* The first keeps hearing of a refusal and nothing else. */
    test_shop_lie(shop, &refused, NULL, false, false, true);
    json_t *paid = test_wallet_do(wallet, "pay.confirm", agree(prepared, true));
    assert_string_equal(json_string_value(json_object_get(paid, "status")), "declined");
    json_decref(paid);
    json_decref(prepared);
    assert_int_equal(prepare(false, &prepared), SETPAY_OK);
    assert_true(json_is_true(json_object_get(prepared, "resumes")));
    struct setpay_id on = xid_of(json_object_get(prepared, "purchase"));
    assert_true(setpay_id_equal(&on, &first));
    json_decref(prepared);
    test_world_ends(&first, "declined"); /* its receipt is handed on at last */
    test_world_attacks++;
}

/* Rule W7: as people and scripts do it: told in clear words, exit status of the second purchase. */
static void people_are_told(void **state)
{
    const char *pay[] = {"pay", uri, "--yes", NULL};
    const char *insist[] = {"--socket", wallet->socket, "pay", uri, "--yes", "--insist", NULL};
    json_t *printed = NULL;
    char *shown = NULL;
    (void)state;
    struct setpay_id first = pay_and_be_refused();
    assert_int_equal(test_wallet_cli(wallet, pay, &printed), 4);
    json_decref(printed);
    test_shop_lie(shop, &refused, NULL, false, false, true);
    test_shop_outcome(shop, SETPAY_RECEIPT_AUTHORISATION);
    assert_int_equal(test_run_to_end("setpay-wallet", insist, &shown), 0);
    assert_non_null(strstr(shown, "you may be charged twice"));
    char hex[SETPAY_ID_TEXT_SIZE];
    assert_non_null(strstr(shown, setpay_id_format(&first, hex)));
    free(shown);
    assert_int_equal(test_wallet_cli(wallet, pay, &printed), 0); /* it is paid */
    json_decref(printed);
    test_world_ends(&first, "authorised");
    test_world_attacks++;
}

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
        cmocka_unit_test(there_must_be_a_signed_refusal),
        cmocka_unit_test(both_are_kept_and_asked_after),
        cmocka_unit_test(an_offer_from_before_is_no_insisting),
        cmocka_unit_test(the_first_stays_in_the_way),
        cmocka_unit_test(people_are_told),
    };
    int failed = cmocka_run_group_tests_name("walletd_insist", tests, set_up, tear_down);
    test_world_tally();
    return failed;
}
