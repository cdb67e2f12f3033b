/*
 * Money: no operation overflows, goes below zero or mixes currencies, and a refused one writes
 * nothing.
 */
#include "common/base/money.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct setpay_money untouched = {42, "XYZ"};

static struct setpay_money make(int64_t minor, const char *currency)
{
    struct setpay_money money = untouched;

    assert_int_equal(setpay_money_make(minor, currency, &money), SETPAY_OK);
    return money;
}

static void assert_untouched(const struct setpay_money *money)
{
    assert_true(setpay_money_equal(money, &untouched));
}

/* Codes are sorted (they are searched by halves), numbers are unique, exponents are ISO 4217's. */
static void test_currencies(void **state)
{
    static const struct setpay_currency rows[] = {
        {"AED", 784, 2}, {"BHD", 48, 3},  {"CHF", 756, 2}, {"CLP", 152, 0}, {"EUR", 978, 2},
        {"GBP", 826, 2}, {"ISK", 352, 0}, {"JPY", 392, 0}, {"KWD", 414, 3}, {"TND", 788, 3},
        {"USD", 840, 2}, {"VND", 704, 0}, {"XOF", 952, 0}, {"ZWG", 924, 2}};
    static const char *const unknown[] = {"",    "EU",  "EURO", "eur", "XXX",
                                          "XTS", "XAU", "HRK",  "DEM"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct setpay_currency *currency = setpay_currency_by_code(rows[i].code);
        assert_non_null(currency);
        assert_int_equal(currency->numeric, rows[i].numeric);
        assert_int_equal(currency->exponent, rows[i].exponent);
        assert_ptr_equal(setpay_currency_by_numeric(rows[i].numeric), currency);
    }
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_null(setpay_currency_by_code(unknown[i]));
    assert_null(setpay_currency_by_code(NULL));
    assert_null(setpay_currency_by_numeric(999));
    assert_null(setpay_currency_by_numeric(0));
}

/* Whatever is found by number is found by its code, and as the same row. */
static void test_currency_table(void **state)
{
    unsigned count = 0;

    (void)state;
    for (unsigned numeric = 0; numeric < 1100; numeric++) {
        const struct setpay_currency *currency = setpay_currency_by_numeric(numeric);
        if (currency == NULL)
            continue;
        count++;
        assert_true(numeric < 1000);
        assert_ptr_equal(setpay_currency_by_code(currency->code), currency);
        assert_int_equal(strspn(currency->code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), 3);
        assert_true(currency->exponent == 0 || currency->exponent == 2 || currency->exponent == 3);
    }
    assert_int_equal(count, 155);
}

static void test_make(void **state)
{
    struct setpay_money money = untouched;

    (void)state;
    assert_int_equal(setpay_money_make(-1, "EUR", &money), SETPAY_E_MONEY_NEGATIVE);
    assert_int_equal(setpay_money_make(INT64_MIN, "EUR", &money), SETPAY_E_MONEY_NEGATIVE);
    assert_int_equal(setpay_money_make(SETPAY_MONEY_MAX_MINOR + 1, "EUR", &money),
                     SETPAY_E_MONEY_OVERFLOW);
    assert_int_equal(setpay_money_make(INT64_MAX, "EUR", &money), SETPAY_E_MONEY_OVERFLOW);
    assert_int_equal(setpay_money_make(1, "XXX", &money), SETPAY_E_MONEY_CURRENCY);
    assert_int_equal(setpay_money_make(1, NULL, &money), SETPAY_E_MONEY_CURRENCY);
    assert_untouched(&money);
    assert_int_equal(make(0, "EUR").minor, 0);
    assert_true(make(SETPAY_MONEY_MAX_MINOR, "JPY").minor == SETPAY_MONEY_MAX_MINOR); /* rule G8 */
}

static void test_arithmetic(void **state)
{
    struct setpay_money most = make(SETPAY_MONEY_MAX_MINOR, "EUR");
    struct setpay_money cent = make(1, "EUR");
    struct setpay_money yen = make(1, "JPY");
    struct setpay_money result = untouched;

    (void)state;
    assert_int_equal(setpay_money_add(&most, &cent, &result), SETPAY_E_MONEY_OVERFLOW);
    assert_int_equal(setpay_money_add(&cent, &yen, &result), SETPAY_E_MONEY_CURRENCY);
    assert_int_equal(setpay_money_subtract(&cent, &most, &result), SETPAY_E_MONEY_NEGATIVE);
    assert_int_equal(setpay_money_subtract(&cent, &yen, &result), SETPAY_E_MONEY_CURRENCY);
    assert_int_equal(setpay_money_multiply(&most, 2, &result), SETPAY_E_MONEY_OVERFLOW);
    assert_int_equal(setpay_money_multiply(&most, UINT32_MAX, &result), SETPAY_E_MONEY_OVERFLOW);
    assert_untouched(&result);

    assert_int_equal(setpay_money_subtract(&most, &cent, &result), SETPAY_OK);
    assert_int_equal(setpay_money_add(&result, &cent, &result), SETPAY_OK);
    assert_true(setpay_money_equal(&result, &most));
    assert_int_equal(setpay_money_subtract(&most, &most, &result), SETPAY_OK);
    assert_int_equal(result.minor, 0);
    assert_int_equal(setpay_money_multiply(&most, 0, &result), SETPAY_OK);
    assert_int_equal(result.minor, 0);
    assert_int_equal(setpay_money_multiply(&most, 1, &result), SETPAY_OK);
    assert_true(setpay_money_equal(&result, &most));
    assert_int_equal(setpay_money_multiply(&cent, 200, &result), SETPAY_OK);
    assert_int_equal(result.minor, 200);
}

/* Operands that no function here made are refused, not computed with. */
static void test_broken_operands(void **state)
{
    struct setpay_money cent = make(1, "EUR");
    struct setpay_money result = untouched;
    const struct {
        struct setpay_money money;
        enum setpay_error error;
    } rows[] = {
        {{-1, "EUR"}, SETPAY_E_MONEY_NEGATIVE},
        {{INT64_MAX, "EUR"}, SETPAY_E_MONEY_OVERFLOW},
        {{1, "XYZ"}, SETPAY_E_MONEY_CURRENCY},
        {{1, ""}, SETPAY_E_MONEY_CURRENCY},
        {{1, {'E', 'U', 'R', 'O'}}, SETPAY_E_MONEY_CURRENCY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(setpay_money_add(&rows[i].money, &cent, &result), rows[i].error);
        assert_int_equal(setpay_money_add(&cent, &rows[i].money, &result), rows[i].error);
        assert_int_equal(setpay_money_subtract(&cent, &rows[i].money, &result), rows[i].error);
        assert_int_equal(setpay_money_multiply(&rows[i].money, 0, &result), rows[i].error);
    }
    assert_untouched(&result);
    assert_false(setpay_money_same_currency(&cent, &rows[4].money));
}

static void test_text(void **state)
{
    static const struct {
        int64_t minor;
        const char *currency;
        const char *text;
    } rows[] = {
        {0, "EUR", "0.00 EUR"},
        {5, "EUR", "0.05 EUR"},
        {1250, "EUR", "12.50 EUR"},
        {1250, "JPY", "1250 JPY"},
        {0, "JPY", "0 JPY"},
        {1250, "KWD", "1.250 KWD"},
        {7, "KWD", "0.007 KWD"},
        {999999999999, "EUR", "9999999999.99 EUR"},
        {999999999999, "JPY", "999999999999 JPY"},
    };
    struct setpay_money money;
    char text[SETPAY_MONEY_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        money = make(rows[i].minor, rows[i].currency);
        assert_string_equal(setpay_money_format(&money, text), rows[i].text);
        money = untouched;
        assert_int_equal(setpay_money_parse(rows[i].text, &money), SETPAY_OK);
        assert_true(money.minor == rows[i].minor);
        assert_string_equal(money.currency, rows[i].currency);
    }
    assert_int_equal(setpay_money_parse("12.5 EUR", &money), SETPAY_OK);
    assert_int_equal(money.minor, 1250);
    assert_int_equal(setpay_money_parse("12 EUR", &money), SETPAY_OK);
    assert_int_equal(money.minor, 1200);
    /* a log line shows even what should not be */
    money = (struct setpay_money){INT64_MIN, {'E', 'U', 'R', 'O'}};
    assert_string_equal(setpay_money_format(&money, text), "-9223372036854775808 ???");
    money = (struct setpay_money){INT64_MIN, "KWD"};
    assert_string_equal(setpay_money_format(&money, text), "-9223372036854775.808 KWD");
}

static void test_parse_refuses(void **state)
{
    static const struct {
        const char *text;
        enum setpay_error error;
    } rows[] = {
        {"", SETPAY_E_INVALID},
        {"EUR", SETPAY_E_INVALID},
        {"12.50", SETPAY_E_INVALID},
        {"12.50 ", SETPAY_E_INVALID},
        {"12.50EUR", SETPAY_E_INVALID},
        {"12.50  EUR", SETPAY_E_INVALID},
        {" 12.50 EUR", SETPAY_E_INVALID},
        {"12.50 EUR ", SETPAY_E_INVALID},
        {"+12.50 EUR", SETPAY_E_INVALID},
        {"-12.50 EUR", SETPAY_E_INVALID},
        {"12,50 EUR", SETPAY_E_INVALID},
        {"12. EUR", SETPAY_E_INVALID},
        {".50 EUR", SETPAY_E_INVALID},
        {"012.50 EUR", SETPAY_E_INVALID},
        {"12.505 EUR", SETPAY_E_INVALID},
        {"12.0 JPY", SETPAY_E_INVALID},
        {"1.2500 KWD", SETPAY_E_INVALID},
        {"1e3 EUR", SETPAY_E_INVALID},
        {"12.50 eur", SETPAY_E_INVALID},
        {"12.50 EURO", SETPAY_E_INVALID},
        {"12.50 EU", SETPAY_E_INVALID},
        {"12.50 XXX", SETPAY_E_MONEY_CURRENCY},
        {"10000000000.00 EUR", SETPAY_E_MONEY_OVERFLOW},
        {"1000000000000 JPY", SETPAY_E_MONEY_OVERFLOW},
        {"99999999999999999999999999999 EUR", SETPAY_E_MONEY_OVERFLOW},
    };
    struct setpay_money money = untouched;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(setpay_money_parse(rows[i].text, &money), rows[i].error);
        assert_untouched(&money);
    }
    assert_int_equal(setpay_money_parse(NULL, &money), SETPAY_E_INVALID);
}

/* What people type is read in one way or refused; a comma before three digits is two. */
static void test_typed(void **state)
{
    static const struct {
        const char *text, *currency;
        int64_t minor; /* -1: refused */
        const char *words;
    } rows[] = {
        {"12.50", "EUR", 1250, ""},
        {"12,50", "EUR", 1250, ""},
        {"12,5", "EUR", 1250, ""},
        {" 12 ", "EUR", 1200, ""},
        {"12.50 EUR", "EUR", 1250, ""},
        {"0", "EUR", 0, ""},
        {"1250", "JPY", 1250, ""},
        {"1.250", "KWD", 1250, ""},
        {"1,25", "KWD", 1250, ""},
        {"1,250", "KWD", -1,
         "'1,250' can be read in two ways: write 1250, or a fraction behind a point, like 12.500"},
        {" 1,250 KWD", "KWD", -1,
         "'1,250' can be read in two ways: write 1250, or a fraction behind a point, like 12.500"},
        {"1,250", "EUR", -1,
         "'1,250' can be read in two ways: write 1250, or a fraction behind a point, like 12.50"},
        {"1,250", "JPY", -1, "'1,250' can be read in two ways: write 1250"},
        {"1,2500", "KWD", -1, "'1,2500' is no amount in KWD: write one like 12.500"},
        {"1.000,00", "EUR", -1, "'1.000,00' is no amount in EUR: write one like 12.50"},
        {"1,000.00", "EUR", -1, "'1,000.00' is no amount in EUR: write one like 12.50"},
        {"1,000,000", "EUR", -1, "'1,000,000' is no amount in EUR: write one like 12.50"},
        {"12.505", "EUR", -1, "'12.505' is no amount in EUR: write one like 12.50"},
        {"12.5", "JPY", -1, "'12.5' is no amount in JPY: write one like 1250"},
        {"12,", "EUR", -1, "'12,' is no amount in EUR: write one like 12.50"},
        {"-1", "EUR", -1, "'-1' is no amount in EUR: write one like 12.50"},
        {"12 USD", "EUR", -1, "'12 USD' is no amount in EUR: write one like 12.50"},
        {"1 2", "EUR", -1, "'1 2' is no amount in EUR: write one like 12.50"},
        {"", "EUR", -1, "'' is no amount in EUR: write one like 12.50"},
        {"1", "XYZ", -1, "there is no currency 'XYZ'"},
        {"\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244"
         "\303\244\303\244\303\244\303\244\303\244a\303\244",
         "EUR", -1,
         "'\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244"
         "\303\244\303\244\303\244\303\244\303\244a' is no amount in EUR: write one like"
         " 12.50"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char words[SETPAY_MONEY_WORDS_SIZE];
        struct setpay_money money = untouched;
        enum setpay_error error = setpay_money_parse_typed(rows[i].text, rows[i].currency, &money);
        if ((error == SETPAY_OK) != (rows[i].minor >= 0) ||
            (error == SETPAY_OK && money.minor != rows[i].minor))
            fail_msg("%s %s: %d, %lld", rows[i].text, rows[i].currency, (int)error,
                     (long long)money.minor);
        if (error == SETPAY_OK)
            continue;
        assert_untouched(&money);
        assert_string_equal(
            setpay_money_typed_explain(rows[i].text, rows[i].currency, words, sizeof(words)),
            rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_currencies),
        cmocka_unit_test(test_currency_table),
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_broken_operands),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_typed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
