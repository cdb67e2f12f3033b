/*
 * Refusals by reason: every error of the table has one, and those that an operator tells apart have
 * their own.
 */
#include "common/net/metrics.h"
#include "common/net/refusals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const struct {
    enum setpay_error error;
    const char *reason;
} cases[] = {
    {SETPAY_E_MALFORMED, "form"},
    {SETPAY_E_SIGNATURE, "signature"},
    {SETPAY_E_UNSIGNED, "signature"},
    {SETPAY_E_CERT_TIME, "certificate"},
    {SETPAY_E_CERT_CHAIN, "certificate"},
    {SETPAY_E_CRL_STALE, "revocation_list"},
    {SETPAY_E_CRL_MISSING, "revocation_list"},
    {SETPAY_E_DATE, "date"},
    {SETPAY_E_EXPIRED, "expired"},
    {SETPAY_E_PI_MISMATCH, "rule"},
    {SETPAY_E_ENVELOPE, "rule"},
    {SETPAY_E_PI_USED, "declined"},
    {SETPAY_E_BUSY, "busy"},
    {SETPAY_E_UNDER_WAY, "busy"},
    {SETPAY_E_STORE_FULL, "system"},
    {SETPAY_E_NOMEM, "system"},
};

static void reasons_are_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(setpay_refusals_reason(cases[i].error), cases[i].reason);
}

/* One for each error of the table, each under the reason that it has. */
static void each_error_is_counted_once(void **state)
{
    (void)state;
    struct setpay_buffer text;
    unsigned count = 0, sum = 0;
    const struct setpay_error_info *table = setpay_error_table(&count);
    assert_int_equal(setpay_refusals_register(), SETPAY_OK);
    for (unsigned i = 0; i < count; i++)
        setpay_refusals_count(table[i].error);
    setpay_buffer_init(&text, SETPAY_METRICS_BYTES_MAX);
    assert_int_equal(setpay_metrics_write(&text), SETPAY_OK);
    assert_int_equal(setpay_buffer_append(&text, setpay_view_of("", 1)), SETPAY_OK);
    const char *at = (const char *)setpay_buffer_view(&text).data;
    while ((at = strstr(at, "\nsetpay_refusals_total{reason=\"")) != NULL) {
        unsigned value = 0;
        at = strchr(at, '}');
        assert_int_equal(sscanf(at, "} %u", &value), 1);
        assert_true(value > 0); /* a reason that no error has is none */
        sum += value;
    }
    assert_int_equal(sum, count);
    setpay_buffer_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_are_told_apart),
        cmocka_unit_test(each_error_is_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
