/*
 * The words of setpay-merchant, as they are printed: sums of many payments, too.
 */
#include "common/base/money.h"
#include "merchant/merchant_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What words print of result, on standard output. */
static void print_into(setpay_merchant_words_fn *words, const json_t *result, char *out,
                       size_t size)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fflush(stdout), 0);
    int saved = dup(STDOUT_FILENO);
    assert_true(saved >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    words(result);
    assert_int_equal(fflush(stdout), 0);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    assert_int_equal(close(saved), 0);
    rewind(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
}

static void a_batch_may_be_above_one_payment(void **state)
{
    static const struct {
        json_int_t minor;
        const char *currency, *words;
    } cases[] = {
        {1234, "EUR", " 12.34 EUR,"},
        {SETPAY_MONEY_MAX_MINOR, "EUR", " 9999999999.99 EUR,"},
        {SETPAY_MONEY_MAX_MINOR + 1, "EUR", " 10000000000.00 EUR,"},
        {400 * SETPAY_MONEY_MAX_MINOR, "JPY", " 399999999999600 JPY,"},
        {1, "", " -,"},
    };
    char printed[600];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *batch =
            json_pack("{s:s, s:i, s:s, s:s, s:[{s:s, s:i, s:I, s:i, s:i}]}", "brand", "visa",
                      "batch", 1, "status", "open", "opened", "2026-11-27T10:00:00Z", "totals",
                      "currency", cases[i].currency, "capture_count", 400, "capture_amount",
                      cases[i].minor, "credit_count", 0, "credit_amount", 0);
        assert_non_null(batch);
        print_into(setpay_merchant_words_batch, batch, printed, sizeof printed);
        if (strstr(printed, cases[i].words) == NULL)
            fail_msg("expected '%s' in: %s", cases[i].words, printed);
        json_decref(batch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_batch_may_be_above_one_payment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
