/*
 * Receipts that a hostile merchant hands on to the real setpay-walletd, and words of its own that
 * disagree with them (rule W6). The gateway colludes: it signs whatever it is asked for. What the
 * purchase is comes from receipts that hold, and from nothing else; a disagreement is shown and
 * kept, and is in the log with the rule.
 */
#include "common/base/clock.h"
#include "tests/support/test_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HALF (TEST_SHOP_AMOUNT / 2)

/* ------------------------------------------------------------------ receipts that do not hold */

/* The word's receipts are one, as drafted with this change. */
#define FORGED(name, first_kind, ...)                                                              \
    static void name(struct test_shop *shop, struct test_sale *sale, struct setpay_pres *word)     \
    {                                                                                              \
        struct setpay_receipt draft;                                                               \
        struct setpay_sealed_receipt sealed;                                                       \
        const struct test_party *gateway = shop->gateway_sign;                                     \
        const struct test_others *others = &test_the_world->others;                                \
        test_sale_draft(sale, first_kind, TEST_SHOP_AMOUNT, &draft);                               \
        memset(&draft.previous, 0, sizeof draft.previous);                                         \
        (void)others;                                                                              \
        __VA_ARGS__;                                                                               \
        test_sale_seal(sale, &draft, gateway, &sealed);                                            \
        test_word_receipts(word, &sealed, 1);                                                      \
    }
#define AUTHORISATION(name, ...) FORGED(name, SETPAY_RECEIPT_AUTHORISATION, __VA_ARGS__)

AUTHORISATION(of_another_xid, draft.xid.bytes[0] ^= 1)
AUTHORISATION(of_another_pomd, draft.pomd.bytes[0] ^= 1)
AUTHORISATION(of_an_earlier_pomd, draft.pomd = shop->sales[0]->pomd)
AUTHORISATION(of_another_brand, strcpy(draft.brand, "mastercard"))
AUTHORISATION(of_another_merchant, strcpy(draft.merchant_id, "other"))
AUTHORISATION(of_another_certificate, draft.merchant = others->renewed_sign->thumbprint)
AUTHORISATION(of_another_cardholder, draft.cardholder = others->cardholder->thumbprint)
AUTHORISATION(above_the_amount, draft.amount.minor++)
AUTHORISATION(in_another_currency, strcpy(draft.amount.currency, "USD"))
AUTHORISATION(behind_another, draft.previous = shop->sales[0]->last_hash)
AUTHORISATION(by_another_gateway, {
    gateway = others->gateway_sign;
    draft.gateway_sign = gateway->thumbprint;
})
AUTHORISATION(by_anothers_key, gateway = others->gateway_sign)
AUTHORISATION(by_the_merchant, gateway = shop->sign)
AUTHORISATION(by_the_merchant_openly, {
    gateway = shop->sign;
    draft.gateway_sign = gateway->thumbprint;
})
AUTHORISATION(by_a_revoked_one, {
    gateway = others->sign_revoked;
    draft.gateway_sign = gateway->thumbprint;
})
FORGED(a_decline_of_less, SETPAY_RECEIPT_DECLINE, draft.amount.minor = HALF)
FORGED(a_void_of_less, SETPAY_RECEIPT_VOID, draft.amount.minor = HALF)
FORGED(a_reversal_of_nothing, SETPAY_RECEIPT_REVERSAL, (void)0)
FORGED(a_capture_of_nothing, SETPAY_RECEIPT_CAPTURE, (void)0)
FORGED(a_credit_of_nothing, SETPAY_RECEIPT_CREDIT, (void)0)

#define SEALED(name, ...)                                                                          \
    static void name(struct test_shop *shop, struct test_sale *sale, struct setpay_pres *word)     \
    {                                                                                              \
        (void)shop;                                                                                \
        (void)sale;                                                                                \
        __VA_ARGS__;                                                                               \
    }
SEALED(of_an_earlier_purchase, test_word_receipts(word, shop->sales[0]->receipts, 1))
SEALED(a_bit_of_it_changed, word->receipts[0].ciphertext[40] ^= 1)
SEALED(its_tag_changed, word->receipts[0].ciphertext[word->receipts[0].size - 1] ^= 1)
SEALED(its_last_bytes_cut_off, word->receipts[0].size -= 4)
SEALED(another_receipt_id, word->receipts[0].receipt_id.bytes[0] ^= 1)
SEALED(an_authorisation_as_a_decline, {
    word->receipts[0].kind = SETPAY_RECEIPT_DECLINE;
    word->status = SETPAY_STATUS_DECLINED;
    word->amount.minor = 0;
    word->action_code[0] = word->approval_code[0] = '\0';
})
/* Sealed by the merchant itself, who never had the back key. */
SEALED(sealed_under_another_key, {
    struct setpay_receipt draft;
    struct test_sale forged = *sale;
    memset(&forged.instruction, 0, sizeof forged.instruction);
    assert_int_equal(setpay_secret_random(&forged.instruction.pi.back_key, 32), SETPAY_OK);
    test_sale_draft(sale, SETPAY_RECEIPT_AUTHORISATION, TEST_SHOP_AMOUNT, &draft);
    memset(&draft.previous, 0, sizeof draft.previous);
    test_sale_seal(&forged, &draft, shop->gateway_sign, &word->receipts[0]);
    setpay_secret_clear(&forged.instruction.pi.back_key);
})

static const struct row {
    const char *what;
    const char *field; /* what the words name */
    struct test_lie lie;
} forged[] = {
    {"rule W6: a receipt moved from an earlier purchase",
     "seal or signature",
     {.word = of_an_earlier_purchase}},
    {"rule W6: a receipt that names another xid", "seal or signature", {.word = of_another_xid}},
    {"rule W6: of another POMD", "pomd", {.word = of_another_pomd}},
    {"rule W6: of an earlier purchase's POMD", "pomd", {.word = of_an_earlier_pomd}},
    {"rule W6: of another brand", "brand", {.word = of_another_brand}},
    {"rule W6: of another merchant", "merchant", {.word = of_another_merchant}},
    {"rule W6: of another of the merchant's certificates",
     "merchant",
     {.word = of_another_certificate}},
    {"rule W6: of another cardholder", "cardholder", {.word = of_another_cardholder}},
    {"rule W6: above the amount", "amount", {.word = above_the_amount}},
    {"rule W6: in another currency", "amount", {.word = in_another_currency}},
    {"rule W6: with a previous one", "previous", {.word = behind_another}},
    {"rule W6: by another gateway", "seal or signature", {.word = by_another_gateway}},
    {"rule W6: by another gateway's key", "seal or signature", {.word = by_anothers_key}},
    {"rule W6: by the merchant", "seal or signature", {.word = by_the_merchant}},
    {"rule W6: by the merchant, openly", "seal or signature", {.word = by_the_merchant_openly}},
    {"rule W6: by a revoked certificate of the gateway",
     "seal or signature",
     {.word = by_a_revoked_one}},
    {"rule W6: a decline of another amount", "amount", {.word = a_decline_of_less}},
    {"rule W6: a void of another amount", "amount", {.word = a_void_of_less}},
    {"rule W6: a reversal as the first", "kind", {.word = a_reversal_of_nothing}},
    {"rule W6: a capture as the first", "kind", {.word = a_capture_of_nothing}},
    {"rule W6: a credit as the first", "kind", {.word = a_credit_of_nothing}},
    {"rule W6: a bit changed", "seal or signature", {.word = a_bit_of_it_changed}},
    {"rule W6: its tag changed", "seal or signature", {.word = its_tag_changed}},
    {"rule W6: its tag cut", "seal or signature", {.word = its_last_bytes_cut_off}},
    {"rule W6: under another receipt id", "seal or signature", {.word = another_receipt_id}},
    {"rule W6: an authorisation relabelled as a decline",
     "seal or signature",
     {.word = an_authorisation_as_a_decline}},
    {"rule W6: sealed by the merchant", "seal or signature", {.word = sealed_under_another_key}},
};

/* Signs under these lies; the person hears RECEIPT at once. */
static struct setpay_id pay_and_hear(const struct test_lie *lie)
{
    struct test_world *world = test_the_world;
    json_t *prepared = NULL, *paid = NULL;
    test_shop_honest(world->shop);
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    struct setpay_id xid = test_shop_last(world->shop)->xid;
    test_shop_lie(world->shop, lie, NULL, false, true, true);
    enum setpay_error error =
        test_wallet_call(world->wallet, "pay.confirm", test_world_agree(prepared), &paid);
    assert_string_equal(test_error_words(error), "RECEIPT W6");
    assert_string_equal(test_daemon_refusal(&world->wallet->daemon, "receipt.refused", NULL),
                        "RECEIPT W6");
    json_decref(prepared);
    return xid;
}

static void refuses_receipt(void **state)
{
    const struct row *row = *state;
    struct test_world *world = test_the_world;
    char words[SETPAY_WIRE_ORDER_MAX];
    char *before = test_world_dump();
    struct setpay_id xid = pay_and_hear(&row->lie);
    (void)snprintf(words, sizeof words,
                   "a receipt that the merchant handed on is not of this purchase (%s)",
                   row->field);
    test_shop_wait(world->shop, TEST_ASK_INQUIRE, 2);
    test_world_shows(&xid, json_pack("{s:s, s:s, s:b, s:i, s:i, s:s, s:b, s:n, s:n}", "status",
                                     "pending", "state", "pending", "receipt", 0, "receipts", 0,
                                     "authorised_amount", 0, "disagreement", words, "breach", 0,
                                     "approval_code", "action_code"));
    assert_int_equal(test_world_evidence(&xid, words), 1);
    assert_int_equal(test_world_column(&xid, "version"), 2); /* once, whatever is repeated */
    test_world_only_added(before);
    test_world_ends(&xid, "authorised");
    test_world_shows(&xid, json_pack("{s:s, s:i, s:s}", "state", "authorised", "receipts", 1,
                                     "disagreement", words));
    test_world_attacks++;
}

/* ------------------------------------------------------------------ chains that do not hold */

static void a_gap(struct test_shop *shop, struct test_sale *sale, struct setpay_pres *word)
{
    struct setpay_sealed_receipt both[2] = {sale->receipts[0], {.size = 0}};
    struct setpay_receipt draft;
    test_sale_draft(sale, SETPAY_RECEIPT_REVERSAL, HALF, &draft);
    draft.previous.bytes[0] ^= 1;
    test_sale_seal(sale, &draft, shop->gateway_sign, &both[1]);
    test_word_receipts(word, both, 2);
}
static void twice_the_same(struct test_shop *shop, struct test_sale *sale, struct setpay_pres *word)
{
    const struct setpay_sealed_receipt both[2] = {sale->receipts[0], sale->receipts[0]};
    (void)shop;
    test_word_receipts(word, both, 2);
}
/* Behind the good one: a good chain, but what it says can't be. */
static void behind_it(struct test_shop *shop, struct test_sale *sale, struct setpay_pres *word,
                      enum setpay_receipt_kind kind, int64_t minor)
{
    struct setpay_sealed_receipt both[2] = {sale->receipts[0], {.size = 0}};
    struct setpay_receipt draft;
    test_sale_draft(sale, kind, minor, &draft);
    test_sale_seal(sale, &draft, shop->gateway_sign, &both[1]);
    test_word_receipts(word, both, 2);
}
#define BEHIND(name, kind, minor)                                                                  \
    static void name(struct test_shop *shop, struct test_sale *sale, struct setpay_pres *word)     \
    {                                                                                              \
        behind_it(shop, sale, word, SETPAY_RECEIPT_##kind, minor);                                 \
    }
BEHIND(a_second_authorisation, AUTHORISATION, TEST_SHOP_AMOUNT)
BEHIND(a_decline_after_all, DECLINE, TEST_SHOP_AMOUNT)
BEHIND(a_void_after_all, VOID, TEST_SHOP_AMOUNT)
BEHIND(a_credit_without_a_capture, CREDIT, HALF)

static const struct row chains[] = {
    {"rule W6: a chain with the wrong previous hash", "previous", {.word = a_gap}},
    {"rule W6: the same receipt twice", "kind", {.word = twice_the_same}},
    {"rule W6: a second authorisation", "kind", {.word = a_second_authorisation}},
    {"rule W6: a decline behind an authorisation", "kind", {.word = a_decline_after_all}},
    {"rule W6: a void behind an authorisation", "kind", {.word = a_void_after_all}},
    {"rule W6: a credit without a capture", "sum", {.word = a_credit_without_a_capture}},
};

/* The first holds, and ends the purchase; the second is shown and kept as what it is. */
static void takes_the_first_alone(void **state)
{
    const struct row *row = *state;
    struct test_world *world = test_the_world;
    json_t *prepared = NULL;
    test_shop_honest(world->shop);
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    struct setpay_id xid = test_shop_last(world->shop)->xid;
    test_shop_lie(world->shop, &row->lie, NULL, false, true, true);
    json_t *paid = test_wallet_do(world->wallet, "pay.confirm", test_world_agree(prepared));
    json_decref(paid);
    json_decref(prepared);
    test_world_shows(&xid, json_pack("{s:s, s:i, s:i, s:i}", "status", "authorised", "receipts", 1,
                                     "authorised_amount", TEST_SHOP_AMOUNT, "reversed_amount", 0));
    assert_int_equal(test_world_evidence(&xid, "a receipt that the merchant handed on is not"), 1);
    assert_string_equal(test_daemon_refusal(&world->wallet->daemon, "receipt.refused", NULL),
                        "RECEIPT W6");
    test_shop_honest(world->shop);
    test_world_attacks++;
}

/* Out of order, or without the first: nothing of it holds. */
static void out_of_order(struct test_shop *shop, struct test_sale *sale, struct setpay_pres *word)
{
    struct setpay_receipt draft;
    struct setpay_sealed_receipt both[2] = {{.size = 0}, sale->receipts[0]};
    test_sale_draft(sale, SETPAY_RECEIPT_REVERSAL, HALF, &draft);
    test_sale_seal(sale, &draft, shop->gateway_sign, &both[0]);
    test_word_receipts(word, both, 2);
}
static void without_the_first(struct test_shop *shop, struct test_sale *sale,
                              struct setpay_pres *word)
{
    out_of_order(shop, sale, word);
    word->receipt_count = 1;
}
static const struct row disordered[] = {
    {"rule W6: receipts out of order", "kind", {.word = out_of_order}},
    {"rule W6: receipts without the first", "kind", {.word = without_the_first}},
};

/* A reversal above what is left is none; the newest receipts may be held back, not made up. */
static void a_reversal_of_more_than_there_is_is_refused(void **state)
{
    struct test_world *world = test_the_world;
    char text[SETPAY_ID_TEXT_SIZE];
    (void)state;
    test_shop_honest(world->shop);
    test_shop_approves(world->shop, HALF);
    struct setpay_id xid = test_world_pay(NULL, NULL);
    test_world_ends(&xid, "authorised");
    test_shop_lock(world->shop);
    test_sale_add_receipt(test_shop_sale(world->shop, &xid), SETPAY_RECEIPT_REVERSAL, HALF + 1);
    test_shop_unlock(world->shop);
    json_decref(test_wallet_do(world->wallet, "purchase.show",
                               json_pack("{s:s}", "xid", setpay_id_format(&xid, text))));
    test_world_shows(&xid,
                     json_pack("{s:s, s:i, s:i, s:i, s:b}", "status", "authorised", "receipts", 1,
                               "authorised_amount", HALF, "reversed_amount", 0, "partial", 1));
    assert_int_equal(test_world_evidence(&xid, "a receipt that the merchant handed on is not"), 1);
    test_world_attacks++;
}

/* ------------------------------------------------------------------ words that disagree */

static void say(struct setpay_pres *word, enum setpay_purchase_status status, int64_t minor)
{
    word->status = status;
    word->amount.minor = minor;
}
#define SAYS(name, status, minor)                                                                  \
    static void name(struct test_shop *shop, struct test_sale *sale, struct setpay_pres *word)     \
    {                                                                                              \
        (void)shop;                                                                                \
        (void)sale;                                                                                \
        say(word, SETPAY_STATUS_##status, minor);                                                  \
    }
SAYS(authorised, AUTHORISED, TEST_SHOP_AMOUNT)
SAYS(half, AUTHORISED, HALF)
SAYS(declined, DECLINED, 0)
SAYS(voided, VOIDED, 0)
SAYS(reversed, REVERSED, 0)
SAYS(refused, REFUSED, 0)
SEALED(another_approval, strcpy(word->approval_code, "Z9Z9Z9"))

static const struct word_row {
    const char *what;
    enum setpay_receipt_kind receipt; /* 0: none */
    struct test_lie lie;
    const char *status, *state, *disagreement;
} words[] = {
    {"rule W6: authorised, without a receipt",
     0,
     {.word = authorised},
     "pending",
     "pending",
     "the merchant says authorised, but hands on no receipt of the gateway"},
    {"rule W7: a bare declined",
     0,
     {.word = declined},
     "pending",
     "pending",
     "the merchant says declined, but hands on no receipt of the gateway"},
    {"rule W7: a bare voided",
     0,
     {.word = voided},
     "pending",
     "pending",
     "the merchant says voided, but hands on no receipt of the gateway"},
    {"rule W7: a bare reversed",
     0,
     {.word = reversed},
     "pending",
     "pending",
     "the merchant says reversed, but hands on no receipt of the gateway"},
    {"rule W6: declined, with an authorisation",
     SETPAY_RECEIPT_AUTHORISATION,
     {.word = declined},
     "authorised",
     "authorised",
     "the merchant says declined, the gateway's receipt says authorised"},
    {"rule W6: voided, with an authorisation",
     SETPAY_RECEIPT_AUTHORISATION,
     {.word = voided},
     "authorised",
     "authorised",
     "the merchant says voided, the gateway's receipt says authorised"},
    {"rule W6: reversed, with an authorisation",
     SETPAY_RECEIPT_AUTHORISATION,
     {.word = reversed},
     "authorised",
     "authorised",
     "the merchant says reversed, the gateway's receipt says authorised"},
    {"rule W6: refused, with an authorisation",
     SETPAY_RECEIPT_AUTHORISATION,
     {.word = refused},
     "authorised",
     "authorised",
     "the merchant says refused, the gateway's receipt says authorised"},
    {"rule W6: authorised, with a decline",
     SETPAY_RECEIPT_DECLINE,
     {.word = authorised},
     "declined",
     "declined",
     "the merchant says authorised, the gateway's receipt says declined"},
    {"rule W6: authorised, with a void",
     SETPAY_RECEIPT_VOID,
     {.word = authorised},
     "failed",
     "voided",
     "the merchant says authorised, the gateway's receipt says voided"},
    {"rule W6: declined, with a void",
     SETPAY_RECEIPT_VOID,
     {.word = declined},
     "failed",
     "voided",
     "the merchant says declined, the gateway's receipt says voided"},
    {"rule W6: half, with an authorisation of all",
     SETPAY_RECEIPT_AUTHORISATION,
     {.word = half},
     "authorised",
     "authorised",
     "the merchant says 6.25 EUR, the gateway's receipt says 12.50 EUR"},
    {"rule W6: another approval code",
     SETPAY_RECEIPT_AUTHORISATION,
     {.word = another_approval},
     "authorised",
     "authorised",
     "the merchant names another approval code than the gateway's receipt"},
};

static void shows_what_the_receipt_says(void **state)
{
    const struct word_row *row = *state;
    struct test_world *world = test_the_world;
    char *before = test_world_dump();
    test_shop_honest(world->shop);
    test_shop_outcome(world->shop, row->receipt);
    struct setpay_id xid = test_world_pay(&row->lie, NULL);
    if (row->receipt == 0)
        test_shop_wait(world->shop, TEST_ASK_INQUIRE, 2);
    else {
        char text[SETPAY_ID_TEXT_SIZE];
        json_decref(test_wallet_do(world->wallet, "pay.resume",
                                   json_pack("{s:s}", "xid", setpay_id_format(&xid, text))));
    }
    test_world_shows(&xid, json_pack("{s:s, s:s, s:s, s:b, s:b}", "status", row->status, "state",
                                     row->state, "disagreement", row->disagreement, "receipt",
                                     row->receipt != 0, "breach", 0));
    char kept[SETPAY_WIRE_ORDER_MAX];
    size_t size = 0;
    for (const char *at = row->disagreement; *at != '\0'; at++) { /* as SQL quotes */
        kept[size++] = *at;
        if (*at == '\'')
            kept[size++] = *at;
    }
    kept[size] = '\0';
    assert_int_equal(test_world_evidence(&xid, kept), 1);
    char line[SETPAY_WIRE_ORDER_MAX];
    (void)snprintf(line, sizeof line, "disagreement=\"%s\" rule=W6", row->disagreement);
    assert_true(test_daemon_log_count(&world->wallet->daemon, line) > 0);
    test_world_only_added(before);
    if (row->receipt == 0) {
        test_shop_outcome(world->shop, SETPAY_RECEIPT_AUTHORISATION);
        test_world_ends(&xid, "authorised");
    }
    test_world_attacks++;
}

/* Rule W6: a partial approval is shown as such, to people too. */
static void a_partial_approval_is_shown_as_such(void **state)
{
    struct test_world *world = test_the_world;
    char text[SETPAY_ID_TEXT_SIZE];
    json_t *shown = NULL;
    (void)state;
    test_shop_honest(world->shop);
    test_shop_approves(world->shop, 1000);
    struct setpay_id xid = test_world_pay(NULL, NULL);
    test_shop_lie(world->shop, NULL, NULL, false, false, false);
    test_world_ends(&xid, "authorised");
    test_world_shows(&xid, json_pack("{s:b, s:i, s:i, s:s, s:n}", "partial", 1, "amount",
                                     TEST_SHOP_AMOUNT, "authorised_amount", 1000,
                                     "authorised_amount_text", "10.00 EUR", "disagreement"));
    const char *status[] = {"status", setpay_id_format(&xid, text), NULL};
    assert_int_equal(test_wallet_cli(world->wallet, status, &shown), 0);
    assert_true(json_is_true(json_object_get(shown, "partial")));
    json_decref(shown);
    const char *people[] = {"--socket", world->wallet->socket, "status", text, NULL};
    char *words_shown = NULL;
    test_run_program("setpay-wallet", people, &words_shown);
    assert_non_null(strstr(words_shown, "10.00 EUR"));
    assert_non_null(strstr(words_shown, "12.50 EUR"));
    free(words_shown);
    test_shop_honest(world->shop);
    test_world_attacks++;
}

/* ------------------------------------------------------------------ the program */

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

static size_t add(struct CMUnitTest *tests, size_t count, const char *what, CMUnitTestFunction test,
                  const void *row)
{
    tests[count] = (struct CMUnitTest){
        .name = what, .test_func = test, .initial_state = (void *)(uintptr_t)row};
    return count + 1;
}

int main(void)
{
    struct CMUnitTest tests[100];
    size_t count = 0;
    for (size_t i = 0; i < COUNT(forged); i++)
        count = add(tests, count, forged[i].what, refuses_receipt, &forged[i]);
    for (size_t i = 0; i < COUNT(disordered); i++)
        count = add(tests, count, disordered[i].what, refuses_receipt, &disordered[i]);
    for (size_t i = 0; i < COUNT(chains); i++)
        count = add(tests, count, chains[i].what, takes_the_first_alone, &chains[i]);
    for (size_t i = 0; i < COUNT(words); i++)
        count = add(tests, count, words[i].what, shows_what_the_receipt_says, &words[i]);
    count = add(tests, count, "rule W6: a reversal of more than there is",
                a_reversal_of_more_than_there_is_is_refused, NULL);
    count = add(tests, count, "rule W6: a partial approval is shown as such",
                a_partial_approval_is_shown_as_such, NULL);
    int failed = _cmocka_run_group_tests("walletd_receipt", tests, count, set_up, tear_down);
    test_world_tally();
    return failed;
}
