/*
 * The words for one and for many.
 */
#include "common/base/noun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void one_is_alone(void **state)
{
    (void)state;
    assert_string_equal(setpay_noun(1, "entry", "entries"), "entry");
    assert_string_equal(setpay_noun(0, "entry", "entries"), "entries");
    assert_string_equal(setpay_noun(2, "entry", "entries"), "entries");
    assert_string_equal(setpay_noun(11, "entry", "entries"), "entries");
    assert_string_equal(setpay_noun(-1, "entry", "entries"), "entries");
    assert_string_equal(setpay_noun(INT64_MAX, "entry", "entries"), "entries");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
