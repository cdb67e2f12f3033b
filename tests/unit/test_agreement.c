/*
 * What the terms that a cardholder has signed permit (rule G6), and a chain of receipts under them
 * (rule W6): each rule broken by one, and not by one less.
 */
#include "common/base/limits.h"
#include "common/wire/agreement.h"
#include "common/wire/receipt.h"
#include "gateway/payment/agreement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define NOW_MS INT64_C(1900000000000)
#define DAY SETPAY_DAY_MS

static const struct setpay_money amount = {1000, "EUR"};
static const struct setpay_terms single = {.kind = SETPAY_TERMS_SINGLE};
static const struct setpay_terms split = {.kind = SETPAY_TERMS_SPLIT};
static const struct setpay_terms instalment = {SETPAY_TERMS_INSTALMENT, 4, 28, 300,
                                               NOW_MS + 200 * DAY};
static const struct setpay_terms recurring = {SETPAY_TERMS_RECURRING, 3, 28, 1500,
                                              NOW_MS + 100 * DAY};

static void terms_that_can_be_agreed_to(void **state)
{
    (void)state;
    const struct setpay_money one = {1, "EUR"};
    const struct setpay_money most = {1500, "EUR"};
    const struct setpay_money above = {1501, "EUR"};
    assert_true(setpay_terms_are_sound(&single, &amount, NOW_MS));
    assert_true(setpay_terms_are_sound(&split, &amount, NOW_MS));
    assert_true(setpay_terms_are_sound(&instalment, &amount, instalment.end_ms));
    assert_false(setpay_terms_are_sound(&instalment, &amount, instalment.end_ms + 1));
    assert_false(setpay_terms_are_sound(&instalment, &one, NOW_MS)); /* each above the whole */
    assert_true(setpay_terms_are_sound(&recurring, &most, NOW_MS));
    assert_false(setpay_terms_are_sound(&recurring, &above, NOW_MS)); /* the first above each */
    assert_false(setpay_terms_are_sound(&recurring, &amount, recurring.end_ms + 1));
    assert_false(setpay_terms_go_on(&single));
    assert_true(setpay_terms_go_on(&split));
    struct setpay_terms once = recurring;
    once.count = 1;
    assert_false(setpay_terms_go_on(&once));
    assert_int_equal(setpay_terms_total_max(&recurring, &amount), 4500);
    assert_int_equal(setpay_terms_total_max(&instalment, &amount), 1000);
}

/* rule G6 */
static void each_limit_and_one_beyond(void **state)
{
    static const struct {
        const char *why;
        const struct setpay_terms *terms;
        struct setpay_agreement_taken taken;
        int64_t minor;
        int64_t at_ms; /* from NOW_MS */
        enum setpay_error error;
        const char *breaks;
    } cases[] = {
        {"single", &single, {0}, 1000, 0, SETPAY_OK, NULL},
        {"single, one more", &single, {0}, 1001, 0, SETPAY_E_AMOUNT_LIMIT, "amount"},
        {"single, nothing", &single, {0}, 0, 0, SETPAY_E_AMOUNT_LIMIT, "amount"},
        {"single, again", &single, {1, 1, NOW_MS, false}, 1, 0, SETPAY_E_AGREEMENT_OVER, "count"},
        {"split, the last unit", &split, {3, 999, NOW_MS, false}, 1, 0, SETPAY_OK, NULL},
        {"split, one more", &split, {3, 999, NOW_MS, false}, 2, 0, SETPAY_E_AMOUNT_LIMIT, "total"},
        {"split, the last part", &split, {63, 63, NOW_MS, false}, 1, 0, SETPAY_OK, NULL},
        {"split, too many",
         &split,
         {64, 64, NOW_MS, false},
         1,
         0,
         SETPAY_E_AGREEMENT_OVER,
         "count"},
        {"split, all reversed",
         &split,
         {2, 0, NOW_MS, false},
         1,
         0,
         SETPAY_E_AGREEMENT_OVER,
         "reversal"},
        {"instalment, first", &instalment, {0}, 300, 0, SETPAY_OK, NULL},
        {"instalment, above each", &instalment, {0}, 301, 0, SETPAY_E_AMOUNT_LIMIT, "amount"},
        {"instalment, in time",
         &instalment,
         {1, 300, NOW_MS, false},
         300,
         28 * DAY,
         SETPAY_OK,
         NULL},
        {"instalment, a millisecond too soon",
         &instalment,
         {1, 300, NOW_MS, false},
         300,
         28 * DAY - 1,
         SETPAY_E_TOO_SOON,
         "interval"},
        {"instalment, the rest",
         &instalment,
         {3, 900, NOW_MS, false},
         100,
         28 * DAY,
         SETPAY_OK,
         NULL},
        {"instalment, above the whole",
         &instalment,
         {3, 900, NOW_MS, false},
         101,
         28 * DAY,
         SETPAY_E_AMOUNT_LIMIT,
         "total"},
        {"instalment, one too many",
         &instalment,
         {4, 900, NOW_MS, false},
         1,
         28 * DAY,
         SETPAY_E_AGREEMENT_OVER,
         "count"},
        {"instalment, at the end",
         &instalment,
         {1, 300, NOW_MS, false},
         300,
         200 * DAY,
         SETPAY_OK,
         NULL},
        {"instalment, after the end",
         &instalment,
         {1, 300, NOW_MS, false},
         300,
         200 * DAY + 1,
         SETPAY_E_AGREEMENT_OVER,
         "end"},
        {"recurring, above the first",
         &recurring,
         {1, 1000, NOW_MS, false},
         1500,
         28 * DAY,
         SETPAY_OK,
         NULL},
        {"recurring, above each",
         &recurring,
         {1, 1000, NOW_MS, false},
         1501,
         28 * DAY,
         SETPAY_E_AMOUNT_LIMIT,
         "amount"},
        {"recurring, one too many",
         &recurring,
         {3, 4500, NOW_MS, false},
         1,
         28 * DAY,
         SETPAY_E_AGREEMENT_OVER,
         "count"},
        {"cancelled",
         &recurring,
         {1, 1000, NOW_MS, true},
         1,
         28 * DAY,
         SETPAY_E_CANCELLED,
         "cancellation"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *breaks = NULL;
        print_message("# %s\n", cases[i].why);
        assert_int_equal(setpay_agreement_check(cases[i].terms, &amount, &cases[i].taken,
                                                cases[i].minor, NOW_MS + cases[i].at_ms, 0,
                                                &breaks),
                         cases[i].error);
        if (cases[i].breaks == NULL)
            assert_null(breaks);
        else
            assert_string_equal(breaks, cases[i].breaks);
    }
}

static void tells_when_the_next_may_be(void **state)
{
    const struct setpay_agreement_taken one = {1, 300, NOW_MS, false};
    const struct setpay_agreement_taken all = {1, 1000, NOW_MS, false};
    const struct setpay_agreement_taken late = {1, 300, NOW_MS + 190 * DAY, false};
    (void)state;
    assert_true(setpay_agreement_next_ms(&instalment, &amount, &one, NOW_MS) == NOW_MS + 28 * DAY);
    assert_true(setpay_agreement_next_ms(&instalment, &amount, &one, NOW_MS + 30 * DAY) ==
                NOW_MS + 30 * DAY);
    assert_true(setpay_agreement_next_ms(&split, &amount, &one, NOW_MS + 7) == NOW_MS + 7);
    assert_true(setpay_agreement_next_ms(&split, &amount, &all, NOW_MS) == INT64_MAX);
    /* the interval would end after the end */
    assert_true(setpay_agreement_next_ms(&instalment, &amount, &late, NOW_MS) == INT64_MAX);
}

/* ------------------------------------------------------------------ chains of receipts */

struct chain {
    struct setpay_receipt_expected expected;
    enum setpay_receipt_kind last;
};

/* Adds it where it holds; otherwise says what it breaks. */
static const char *next(struct chain *chain, enum setpay_receipt_kind kind, int64_t minor,
                        int64_t after_ms)
{
    const char *disagrees = NULL;
    struct setpay_receipt receipt = {.kind = kind, .amount = amount, .date_ms = NOW_MS + after_ms};
    receipt.amount.minor = minor;
    if (setpay_receipt_check(&receipt, &chain->expected, chain->last, &disagrees) != SETPAY_OK)
        return disagrees;
    if (setpay_receipt_sums_add(&chain->expected.sums, &receipt) != SETPAY_OK)
        return "sums";
    chain->last = kind;
    return "";
}

#define AUTH SETPAY_RECEIPT_AUTHORISATION
#define DECL SETPAY_RECEIPT_DECLINE
#define CANC SETPAY_RECEIPT_CANCELLATION

static struct chain begin(const struct setpay_terms *terms)
{
    return (struct chain){.expected = {.amount = amount, .terms = *terms}};
}

/* rule W6: as before there were agreements */
static void one_payment_is_one(void **state)
{
    struct chain c = begin(&single);
    (void)state;
    assert_string_equal(next(&c, DECL, 999, 0), "amount");
    assert_string_equal(next(&c, AUTH, 1000, 0), "");
    assert_string_equal(next(&c, AUTH, 1, 40 * DAY), "count");
    assert_string_equal(next(&c, DECL, 1000, 0), "kind");
    assert_string_equal(next(&c, CANC, 1000, 0), "kind");
    c = begin(&single);
    assert_string_equal(next(&c, CANC, 1000, 0), "kind");
    assert_string_equal(next(&c, DECL, 1000, 0), "");
    assert_string_equal(next(&c, AUTH, 1000, 0), "kind");
}

static void instalments_are_held_to_the_terms(void **state)
{
    struct chain c = begin(&instalment);
    (void)state;
    assert_string_equal(next(&c, AUTH, 301, 0), "amount");
    assert_string_equal(next(&c, AUTH, 300, 0), "");
    assert_string_equal(next(&c, AUTH, 300, 28 * DAY - 1), "interval");
    assert_string_equal(next(&c, DECL, 300, 3 * DAY),
                        ""); /* ends nothing, and counts for nothing */
    assert_string_equal(next(&c, AUTH, 300, 28 * DAY), "");
    assert_string_equal(next(&c, SETPAY_RECEIPT_REVERSAL, 300, 28 * DAY), "");
    assert_string_equal(next(&c, AUTH, 300, 56 * DAY - 1),
                        "interval"); /* it was one all the same */
    assert_string_equal(next(&c, AUTH, 300, 56 * DAY), "");
    assert_string_equal(next(&c, AUTH, 300, 84 * DAY), "");
    assert_string_equal(next(&c, AUTH, 1, 112 * DAY), "count");
    c = begin(&instalment);
    assert_string_equal(next(&c, AUTH, 300, 200 * DAY + SETPAY_LIMIT_DATE_TOLERANCE_MS + 1), "end");
    assert_string_equal(next(&c, AUTH, 300, 200 * DAY + SETPAY_LIMIT_DATE_TOLERANCE_MS), "");
}

static void split_payments_are_together_the_amount(void **state)
{
    struct chain c = begin(&split);
    (void)state;
    assert_string_equal(next(&c, AUTH, 600, 0), "");
    assert_string_equal(next(&c, AUTH, 401, 0), "total");
    assert_string_equal(next(&c, AUTH, 400, 0), "");
    assert_string_equal(next(&c, AUTH, 1, 0), "total");
    assert_string_equal(next(&c, SETPAY_RECEIPT_REVERSAL, 400, 0), "");
    assert_string_equal(next(&c, AUTH, 400, 0), "");
    assert_string_equal(next(&c, SETPAY_RECEIPT_REVERSAL, 1000, 0), "");
    assert_string_equal(next(&c, AUTH, 1, 0), "reversal");
}

static void nothing_follows_a_cancellation(void **state)
{
    struct chain c = begin(&recurring);
    (void)state;
    assert_string_equal(next(&c, AUTH, 1000, 0), "");
    assert_string_equal(next(&c, CANC, 999, DAY), "amount");
    assert_string_equal(next(&c, CANC, 1000, DAY), "");
    assert_string_equal(next(&c, CANC, 1000, DAY), "kind");
    assert_string_equal(next(&c, AUTH, 1000, 28 * DAY), "cancellation");
    assert_string_equal(next(&c, DECL, 1000, 28 * DAY), "cancellation");
    assert_string_equal(next(&c, SETPAY_RECEIPT_CAPTURE, 1000, 2 * DAY), ""); /* of before */
    assert_string_equal(next(&c, SETPAY_RECEIPT_CREDIT, 1000, 2 * DAY), "");
}

/* ------------------------------------------------------------------ the gateway's decision */

#define KEEP (180 * DAY)

/* A split payment of which some is taken, and the request for more; what can't be had from a
 * running gateway without waiting for it. */
static void decides_by_the_books(void **state)
{
    struct setpay_gateway_agreement good = {
        .first = {.id = 1,
                  .number = 1,
                  .terms = split,
                  .amount = amount,
                  .signed_minor = 1000,
                  .has_auth_token = true,
                  .created_ms = NOW_MS},
        .taken = {1, 400, NOW_MS, false},
        .numbers = 1,
    };
    const struct setpay_auth_req request = {.amount = {600, "EUR"}, .terms = split};
    struct setpay_gateway_agreement a = good;
    (void)state;
#define DECIDE(restored_ms, now_ms)                                                                \
    setpay_gateway_agreement_decide(&a, &request, restored_ms, KEEP, now_ms)
    assert_int_equal(DECIDE(0, NOW_MS), SETPAY_OK);
    /* rule G12: begun before the restore, or after it */
    assert_int_equal(DECIDE(NOW_MS + 1, NOW_MS + 2), SETPAY_E_SET_BACK);
    assert_int_equal(DECIDE(NOW_MS, NOW_MS + 2), SETPAY_OK);
    /* rule G10: a split payment's parts come while its card is kept */
    assert_int_equal(DECIDE(0, NOW_MS + KEEP - 1), SETPAY_OK);
    assert_int_equal(DECIDE(0, NOW_MS + KEEP), SETPAY_E_AGREEMENT_OVER);
    /* tries */
    a.last_declined_ms = NOW_MS;
    assert_int_equal(DECIDE(0, NOW_MS + DAY - 1), SETPAY_E_TRIED_ENOUGH);
    assert_int_equal(DECIDE(0, NOW_MS + DAY), SETPAY_OK);
    a.declines = 14;
    assert_int_equal(DECIDE(0, NOW_MS + DAY), SETPAY_OK);
    a.declines = 15;
    assert_int_equal(DECIDE(0, NOW_MS + DAY), SETPAY_E_TRIED_ENOUGH);
    a = good;
    a.refused = true;
    assert_int_equal(DECIDE(0, NOW_MS + DAY), SETPAY_E_AGREEMENT_OVER);
#undef DECIDE
    /* rule G9 */
    a = good;
    const struct setpay_id token = a.first.auth_token;
    struct setpay_id other = token;
    other.bytes[15] ^= 1;
    assert_int_equal(setpay_gateway_agreement_check_token(&a, &token), SETPAY_OK);
    assert_int_equal(setpay_gateway_agreement_check_token(&a, &other), SETPAY_E_TOKEN);
    a.taken.count = 0; /* the first was declined */
    assert_int_equal(setpay_gateway_agreement_check_token(&a, &token), SETPAY_E_TOKEN);
    a = good;
    a.first.has_auth_token = false;
    assert_int_equal(setpay_gateway_agreement_check_token(&a, &token), SETPAY_E_TOKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_that_can_be_agreed_to),
        cmocka_unit_test(each_limit_and_one_beyond),
        cmocka_unit_test(tells_when_the_next_may_be),
        cmocka_unit_test(one_payment_is_one),
        cmocka_unit_test(instalments_are_held_to_the_terms),
        cmocka_unit_test(split_payments_are_together_the_amount),
        cmocka_unit_test(nothing_follows_a_cancellation),
        cmocka_unit_test(decides_by_the_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
