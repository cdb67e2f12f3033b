/*
 * What the gateway may approve in an issuer's stead: the limits as they are configured, and the
 * decision over state, limits and time.
 */
#include "common/base/clock.h"
#include "gateway/payment/stand_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static struct setpay_stand_in limits_of(const char *each, const char *total)
{
    struct setpay_stand_in made = {.after_ms = 5000};
    struct setpay_problem problem = {{0}};
    assert_int_equal(setpay_stand_in_parse("issuer sim", each, total, &made, &problem), SETPAY_OK);
    return made;
}

static void reads_limits(void **state)
{
    (void)state;
    struct setpay_stand_in made = limits_of("25.00 EUR,3000 JPY ", " 9000 JPY , 25 EUR");
    assert_int_equal(made.count, 2);
    assert_int_equal(made.after_ms, 5000);
    assert_string_equal(made.limits[0].each.currency, "EUR");
    assert_int_equal(made.limits[0].each.minor, 2500);
    assert_int_equal(made.limits[0].total_minor, 2500);
    assert_string_equal(made.limits[1].each.currency, "JPY");
    assert_int_equal(made.limits[1].each.minor, 3000);
    assert_int_equal(made.limits[1].total_minor, 9000);
}

static void refuses_nonsense(void **state)
{
    static const struct {
        const char *each, *total, *words;
    } cases[] = {
        {"", "50 EUR", "stand_in: found ''"},
        {"25", "50 EUR", "stand_in: found '25'"},
        {"0 EUR", "50 EUR", "above zero"},
        {"-1 EUR", "50 EUR", "above zero"},
        {"25.001 EUR", "50 EUR", "stand_in: found"},
        {"25 EURO", "50 EUR", "stand_in: found"},
        {"25 EUR,", "50 EUR", "stand_in: found"},
        {"25 EUR; 30 USD", "50 EUR", "stand_in: found"},
        {"25 EUR, 26 EUR", "50 EUR", "stand_in: found"},
        {"1 EUR, 1 USD, 1 GBP, 1 CHF, 1 SEK, 1 NOK, 1 DKK, 1 PLN, 1 CZK", "9 EUR", "up to 8"},
        {"25 EUR", "", "stand_in_total: found ''"},
        {"25 EUR", "all", "stand_in_total: found 'all'"},
        {"25 EUR", "50 EUR, 60 EUR", "stand_in_total: found"},
        {"25 EUR", "24.99 EUR", "stand_in_total is below stand_in in EUR"},
        {"25 EUR", "50 EUR, 50 USD", "stand_in_total is given in USD, and stand_in is not"},
        {"25 EUR, 9 USD", "50 EUR", "stand_in is given in USD, and stand_in_total is not"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct setpay_stand_in made = {.count = 0};
        struct setpay_problem problem = {{0}};
        assert_int_equal(
            setpay_stand_in_parse("issuer sim", cases[i].each, cases[i].total, &made, &problem),
            SETPAY_E_CONFIG);
        assert_int_equal(made.count, 0); /* nothing may be approved by half of it */
        if (strstr(problem.text, cases[i].words) == NULL ||
            strstr(problem.text, "[issuer sim]") == NULL)
            fail_msg("%s / %s: %s", cases[i].each, cases[i].total, problem.text);
    }
}

/* Each fact by itself turns the yes into its own no; the edges are exact. */
static void decides(void **state)
{
    static const struct {
        enum setpay_stand_in_verdict verdict;
        struct setpay_stand_in_facts facts;
    } cases[] = {
        {SETPAY_STAND_IN_APPROVED, {.down_ms = 5000, .amount = {2500, "EUR"}}},
        {SETPAY_STAND_IN_APPROVED, {.down_ms = 5000, .amount = {1, "EUR"}, .open_minor = 9999}},
        {SETPAY_STAND_IN_APPROVED, {.down_ms = 5000, .amount = {2500, "EUR"}, .open_minor = 7500}},
        {SETPAY_STAND_IN_APPROVED, {.down_ms = 9999999, .amount = {1, "USD"}, .open_count = 511}},
        {SETPAY_STAND_IN_ABOVE_LIMIT, {.down_ms = 5000, .amount = {2501, "EUR"}}},
        {SETPAY_STAND_IN_ABOVE_LIMIT, {.down_ms = 5000, .amount = {1, "GBP"}}},
        {SETPAY_STAND_IN_ABOVE_TOTAL,
         {.down_ms = 5000, .amount = {2500, "EUR"}, .open_minor = 7501}},
        {SETPAY_STAND_IN_ABOVE_TOTAL, {.down_ms = 5000, .amount = {1, "EUR"}, .open_minor = 10000}},
        {SETPAY_STAND_IN_ABOVE_TOTAL, /* the total was lowered meanwhile */
         {.down_ms = 5000, .amount = {1, "EUR"}, .open_minor = 20000}},
        {SETPAY_STAND_IN_ABOVE_TOTAL, {.down_ms = 5000, .amount = {1, "EUR"}, .open_count = 512}},
        {SETPAY_STAND_IN_TOO_SOON, {.down_ms = 4999, .amount = {2500, "EUR"}}},
        {SETPAY_STAND_IN_TOO_SOON, {.down_ms = 0, .amount = {2500, "EUR"}}},
        {SETPAY_STAND_IN_AGREEMENT, {.down_ms = 5000, .amount = {2500, "EUR"}, .is_further = true}},
        {SETPAY_STAND_IN_REFUSED_CARD,
         {.down_ms = 5000, .amount = {2500, "EUR"}, .is_refused = true}},
        {SETPAY_STAND_IN_EXPIRED,
         {.down_ms = 5000, .amount = {2500, "EUR"}, .is_refused = true, .is_expired = true}},
    };
    const struct setpay_stand_in limits = limits_of("25 EUR, 1 USD", "100 EUR, 1 USD");
    const struct setpay_stand_in none = {.count = 0};
    struct setpay_stand_in at_once = limits;
    at_once.after_ms = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum setpay_stand_in_verdict verdict = setpay_stand_in_decide(&limits, &cases[i].facts);
        if (verdict != cases[i].verdict)
            fail_msg("%zu: %s, expected %s", i, setpay_stand_in_verdict_name(verdict),
                     setpay_stand_in_verdict_name(cases[i].verdict));
        assert_int_not_equal(setpay_stand_in_decide(&none, &cases[i].facts),
                             SETPAY_STAND_IN_APPROVED);
    }
    /* Never while the line is up, whatever the limits say. */
    struct setpay_stand_in_facts up = cases[0].facts;
    up.down_ms = 0;
    assert_int_equal(setpay_stand_in_decide(&at_once, &up), SETPAY_STAND_IN_TOO_SOON);
    up.down_ms = 1;
    assert_int_equal(setpay_stand_in_decide(&at_once, &up), SETPAY_STAND_IN_APPROVED);
}

static void knows_when_a_card_ends(void **state)
{
    static const struct {
        const char *expiry;
        bool expired;
    } cases[] = {
        {"2611", false}, {"2612", false}, {"2701", false}, {"9912", false}, {"2610", true},
        {"2512", true},  {"0001", true},  {"2600", true},  {"2613", true},  {"26", true},
        {"26111", true}, {"2a11", true},  {"", true},
    };
    const setpay_time_ms last_ms = 1796083199000; /* 2026-11-30T23:59:59Z */
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (setpay_stand_in_is_expired(setpay_view_string(cases[i].expiry), last_ms) !=
            cases[i].expired)
            fail_msg("%s", cases[i].expiry);
    }
    assert_true(setpay_stand_in_is_expired(setpay_view_string("2611"), last_ms + SETPAY_SECOND_MS));
}

static void codes_are_its_own(void **state)
{
    char code[7];
    (void)state;
    setpay_stand_in_approval_code(7, code);
    assert_string_equal(code, "S00007");
    setpay_stand_in_approval_code(999999, code);
    assert_string_equal(code, "S99999");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_limits),      cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test(decides),           cmocka_unit_test(knows_when_a_card_ends),
        cmocka_unit_test(codes_are_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
