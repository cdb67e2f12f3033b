/*
 * Time: its text form, the offset of tests, and a monotonic clock that ignores it.
 */
#include "common/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_format(void **state)
{
    static const struct {
        setpay_time_ms time_ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(1795459271042), "2026-11-23T18:41:11.042Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "292278994-08-17T07:12:55.807Z"},
        {INT64_MIN, "-292275055-05-16T16:47:04.192Z"},
    };
    char text[SETPAY_TIME_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(setpay_time_format(rows[i].time_ms, text), rows[i].text);
}

static void test_offset(void **state)
{
    int64_t monotonic = setpay_clock_monotonic_ms();
    setpay_time_ms before = setpay_clock_now_ms();

    (void)state;
    assert_int_equal(setpay_clock_offset_ms(), 0);
    setpay_clock_set_offset_ms(7 * SETPAY_DAY_MS);
    assert_true(setpay_clock_offset_ms() == 7 * SETPAY_DAY_MS);
    assert_true(setpay_clock_now_ms() - before >= 6 * SETPAY_DAY_MS);
    assert_true(setpay_clock_monotonic_ms() - monotonic < SETPAY_DAY_MS);
    /* from the true time, not from the moved one */
    setpay_clock_set_offset_ms(-SETPAY_DAY_MS);
    assert_true(setpay_clock_now_ms() < before);
    setpay_clock_set_offset_ms(0);
    assert_true(setpay_clock_monotonic_us() / 1000 >= monotonic);
}

/* What can't be taken back is done when both clocks say that its time has come. */
static void test_second_clock(void **state)
{
    setpay_time_ms now_ms = setpay_clock_now_ms();

    (void)state;
    setpay_clock_hear_ms(now_ms - SETPAY_DAY_MS);
    assert_true(setpay_clock_agreed_ms(now_ms) == now_ms); /* nobody needs one here */
    assert_false(setpay_clock_take_doubt());

    setpay_clock_need_second(true);
    assert_true(setpay_clock_agreed_ms(now_ms) == 0); /* what was heard before has no part in it */
    assert_false(setpay_clock_take_doubt());          /* it is asked for at the start */

    setpay_clock_hear_ms(now_ms);
    setpay_time_ms agreed_ms = setpay_clock_agreed_ms(now_ms + SETPAY_DAY_MS);
    assert_true(agreed_ms >= now_ms && agreed_ms < now_ms + SETPAY_HOUR_MS);
    assert_true(setpay_clock_take_doubt());
    assert_false(setpay_clock_take_doubt());
    (void)setpay_clock_agreed_ms(now_ms + SETPAY_DAY_MS);
    setpay_clock_hear_ms(now_ms); /* which was what the doubt is for */
    assert_false(setpay_clock_take_doubt());
    /* No earlier than our own, whatever the other says. */
    setpay_clock_hear_ms(now_ms + SETPAY_DAY_MS);
    assert_true(setpay_clock_agreed_ms(now_ms) == now_ms);
    assert_false(setpay_clock_take_doubt());
    /* It goes on by itself, and a test that moves our own does not move it. */
    setpay_clock_hear_ms(now_ms);
    setpay_clock_set_offset_ms(7 * SETPAY_DAY_MS);
    assert_true(setpay_clock_agreed_ms(setpay_clock_now_ms()) < now_ms + SETPAY_HOUR_MS);
    setpay_clock_set_offset_ms(0);
    setpay_clock_need_second(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_offset),
        cmocka_unit_test(test_second_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
