/*
 * Carts in memory and in the database, what browsers send of forms, and QR codes.
 */
#include "merchant/store/cart.h"
#include "merchant/store/www/form.h"
#include "merchant/store/www/qr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ carts */

static void test_a_cart_holds_so_many_of_each_and_no_more(void **state)
{
    (void)state;
    struct setpay_cart cart = {.seq = 0};
    char sku[16];
    assert_int_equal(setpay_cart_set(&cart, "A", 2), SETPAY_OK);
    assert_int_equal(setpay_cart_set(&cart, "B", SETPAY_CART_QUANTITY_MAX), SETPAY_OK);
    assert_int_equal(setpay_cart_set(&cart, "A", 3), SETPAY_OK);
    assert_int_equal(cart.line_count, 2);
    assert_int_equal(setpay_cart_quantity(&cart, "A"), 3);
    assert_int_equal(setpay_cart_pieces(&cart), 3 + SETPAY_CART_QUANTITY_MAX);
    assert_int_equal(setpay_cart_set(&cart, "A", SETPAY_CART_QUANTITY_MAX + 1), SETPAY_E_INVALID);
    assert_int_equal(setpay_cart_set(&cart, "A", -1), SETPAY_E_INVALID);
    assert_int_equal(setpay_cart_set(&cart, "a b", 1), SETPAY_E_INVALID);
    assert_int_equal(setpay_cart_set(&cart, "", 1), SETPAY_E_INVALID);
    assert_int_equal(setpay_cart_quantity(&cart, "A"), 3);
    assert_int_equal(setpay_cart_set(&cart, "A", 0), SETPAY_OK);
    assert_int_equal(setpay_cart_set(&cart, "C", 0), SETPAY_OK);
    assert_int_equal(cart.line_count, 1);
    assert_string_equal(cart.lines[0].sku, "B");
    for (int i = 1; i < SETPAY_CART_LINES_MAX; i++) {
        (void)snprintf(sku, sizeof sku, "S%d", i);
        assert_int_equal(setpay_cart_set(&cart, sku, 1), SETPAY_OK);
    }
    assert_int_equal(setpay_cart_set(&cart, "one-more", 1), SETPAY_E_TOO_BIG);
    assert_int_equal(setpay_cart_set(&cart, "S1", 2), SETPAY_OK);
    assert_int_equal(cart.line_count, SETPAY_CART_LINES_MAX);
}

/* ------------------------------------------------------------------ currencies */

static void test_the_currencies_of_a_shop_are_a_list_with_its_own(void **state)
{
    (void)state;
    struct setpay_shop_currencies sold = {.count = 0};
    struct setpay_problem problem;
    assert_int_equal(setpay_shop_currencies_parse("USD, EUR ,JPY,\tKWD", "EUR", &sold, &problem),
                     SETPAY_OK);
    assert_int_equal(sold.count, 4);
    assert_string_equal(sold.codes[0], "USD");
    assert_string_equal(setpay_shop_currencies_find(&sold, "KWD"), "KWD");
    assert_null(setpay_shop_currencies_find(&sold, "GBP"));
    assert_null(setpay_shop_currencies_find(&sold, ""));
    static const struct {
        const char *text;
        const char *words;
    } wrong[] = {
        {"EUR, XYZ", "found 'XYZ'"},
        {"EUR USD", "found 'EUR USD'"},
        {"eur", "found 'eur'"},
        {"EUR,", "found ''"},
        {",EUR", "found ''"},
        {"EURO", "found 'EURO'"},
        {"EUR,USD,EUR", "EUR stands there twice"},
        {"USD,JPY", "without EUR"},
        {"AED,AFN,ALL,AMD,AOA,BMD,ARS,AUD,AWG,AZN,BAM,BBD,BDT,BRL,BHD,BIF,EUR", "at most 16"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memset(&problem, 0, sizeof problem);
        if (setpay_shop_currencies_parse(wrong[i].text, "EUR", &sold, &problem) !=
                SETPAY_E_CONFIG ||
            strstr(problem.text, wrong[i].words) == NULL)
            fail_msg("%s: %s", wrong[i].text, problem.text);
    }
    assert_int_equal(sold.count, 4); /* untouched */
    assert_int_equal(setpay_shop_currencies_parse(NULL, "JPY", &sold, &problem), SETPAY_OK);
    assert_int_equal(sold.count, 1);
    assert_string_equal(sold.codes[0], "JPY");
}

/* ------------------------------------------------------------------ forms */

static enum setpay_error parse(const char *text, struct setpay_form *form)
{
    memset(form, 0, sizeof *form);
    return setpay_form_parse(setpay_view_string(text), form);
}

static void test_a_form_is_read_as_browsers_write_it(void **state)
{
    (void)state;
    struct setpay_form form;
    char text[6];
    assert_int_equal(parse("a=1&b=x+y%2Bz&c=&d&e=%C3%A4=%26", &form), SETPAY_OK);
    assert_int_equal(form.count, 5);
    assert_string_equal(setpay_form_get(&form, "b"), "x y+z");
    assert_string_equal(setpay_form_get(&form, "c"), "");
    assert_string_equal(setpay_form_get(&form, "d"), "");
    assert_string_equal(setpay_form_get(&form, "e"), "\xc3\xa4=&");
    assert_string_equal(setpay_form_get(&form, "f"), "");
    setpay_form_clear(&form);
    assert_int_equal(parse("", &form), SETPAY_OK);
    assert_int_equal(form.count, 0);
    setpay_form_clear(&form);
    assert_int_equal(parse("a=++12345++&b=1234%C3%A4&c=+%09+", &form), SETPAY_OK);
    assert_int_equal(setpay_form_copy(&form, "a", text, sizeof text), SETPAY_OK);
    assert_string_equal(text, "12345");
    /* Cut between characters. */
    assert_int_equal(setpay_form_copy(&form, "b", text, sizeof text), SETPAY_E_TOO_BIG);
    assert_string_equal(text, "1234");
    assert_int_equal(setpay_form_copy(&form, "c", text, sizeof text), SETPAY_OK);
    assert_string_equal(text, "");
    setpay_form_clear(&form);
}

static void test_what_is_no_form_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"a=%",   "a=%4",    "a=%zz",  "%00=1",      "a=%00",
                                        "a=%ff", "=1",      "a=1&=2", "a=1&a=2",    "a=%c0%80",
                                        "%ff=1", "a=1&%61", "&",      "a=%ed%a0%80"};
    struct setpay_form form;
    static char long_form[SETPAY_FORM_BYTES_MAX + 2];
    char many[8 * SETPAY_FORM_FIELDS_MAX + 16] = "";
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (parse(wrong[i], &form) != SETPAY_E_INVALID)
            fail_msg("%s", wrong[i]);
        assert_null(form.text);
    }
    assert_int_equal(setpay_form_parse(setpay_view_of("a\0b", 3), &form), SETPAY_E_INVALID);
    memset(long_form, 'a', SETPAY_FORM_BYTES_MAX + 1);
    assert_int_equal(parse(long_form, &form), SETPAY_E_TOO_BIG);
    long_form[SETPAY_FORM_BYTES_MAX] = '\0';
    assert_int_equal(parse(long_form, &form), SETPAY_OK);
    setpay_form_clear(&form);
    for (int i = 0; i <= SETPAY_FORM_FIELDS_MAX; i++) {
        if (i == SETPAY_FORM_FIELDS_MAX)
            assert_int_equal(parse(many, &form), SETPAY_OK);
        (void)sprintf(many + strlen(many), "f%d=&", i);
    }
    setpay_form_clear(&form);
    assert_int_equal(parse(many, &form), SETPAY_E_TOO_BIG);
}

/* ------------------------------------------------------------------ QR codes */

static void test_a_qr_code_is_one_element_without_the_text(void **state)
{
    (void)state;
    struct setpay_buffer svg;
    char text[4000];
    setpay_buffer_init(&svg, SETPAY_QR_BYTES_MAX);
    assert_int_equal(setpay_qr_svg(setpay_view_string("setpay://a/pay/\"><script>"), &svg),
                     SETPAY_OK);
    char *made = strndup((const char *)svg.data, svg.size);
    assert_int_equal(strncmp(made, "<svg class=\"qr\"", 15), 0);
    assert_string_equal(made + strlen(made) - 6, "</svg>");
    assert_null(strstr(made, "script"));
    assert_null(strstr(made, "style"));
    free(made);
    setpay_buffer_clear(&svg);
    memset(text, 'x', sizeof text);
    assert_int_equal(setpay_qr_svg(setpay_view_of(text, sizeof text), &svg), SETPAY_E_TOO_BIG);
    setpay_buffer_clear(&svg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cart_holds_so_many_of_each_and_no_more),
        cmocka_unit_test(test_the_currencies_of_a_shop_are_a_list_with_its_own),
        cmocka_unit_test(test_a_form_is_read_as_browsers_write_it),
        cmocka_unit_test(test_what_is_no_form_is_refused),
        cmocka_unit_test(test_a_qr_code_is_one_element_without_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
