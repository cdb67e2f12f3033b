/*
 * Days and cut-offs in time zones: ordinary ones, those on which clocks are put forward or back,
 * zones whose day is another than ours, and many threads that ask for different zones at once.
 */
#include "common/base/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a moment is called in UTC, without its fractions: "2026-03-29T01:00:00". */
static const char *utc(setpay_time_ms time_ms)
{
    static char text[SETPAY_TIME_TEXT_SIZE];
    (void)setpay_time_format(time_ms, text);
    assert_memory_equal(text + 19, ".000Z", 6);
    text[19] = '\0';
    return text;
}

static void reads_dates(void **state)
{
    static const char *const bad[] = {"",           "2026-2-01",  "2026-02-29", "2026-13-01",
                                      "2026-00-10", "2026-01-00", "1969-12-31", "2026-01-01 ",
                                      "26-01-01",   "2026/01/01", "+026-01-01", "2026-1a-01"};
    struct setpay_date date = {1, 2, 3};
    char text[SETPAY_DATE_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (setpay_date_parse(bad[i], &date) != SETPAY_E_INVALID)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(date.month, 2);
    }
    assert_int_equal(setpay_date_parse("2028-02-29", &date), SETPAY_OK);
    assert_string_equal(setpay_date_format(&date, text), "2028-02-29");
    date = setpay_date_add_days(&date, 1);
    assert_string_equal(setpay_date_format(&date, text), "2028-03-01");
    date = setpay_date_add_days(&date, -61);
    assert_string_equal(setpay_date_format(&date, text), "2027-12-31");
}

static void reads_cut_offs(void **state)
{
    static const char *const bad[] = {"",      "7:00",  "24:01", "12:60",
                                      "25:00", "12-00", "12:0",  "1 :00"};
    int64_t minutes = 7;
    char text[SETPAY_CUT_OFF_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (setpay_cut_off_parse(bad[i], &minutes) != SETPAY_E_INVALID)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(minutes, 7);
    }
    assert_int_equal(setpay_cut_off_parse("24:00", &minutes), SETPAY_OK);
    assert_int_equal(minutes, SETPAY_CUT_OFF_MAX);
    assert_string_equal(setpay_cut_off_format(minutes, text), "24:00");
    assert_int_equal(setpay_cut_off_parse("00:00", &minutes), SETPAY_OK);
    assert_int_equal(minutes, 0);
    assert_int_equal(setpay_cut_off_parse("17:05", &minutes), SETPAY_OK);
    assert_string_equal(setpay_cut_off_format(minutes, text), "17:05");
}

static void knows_zones(void **state)
{
    static const char *const bad[] = {"",
                                      "Mars/Olympus",
                                      "../../etc/passwd",
                                      "/etc/localtime",
                                      "Europe",
                                      "Europe/Berlin ",
                                      "Europe/../Europe/Berlin",
                                      "CET-1CEST",
                                      ":UTC",
                                      "zone.tab",
                                      "A/very/long/name/of/a/zone/that/no/machine/has/at/all"};
    setpay_time_ms ms = 5;
    const struct setpay_date date = {2026, 1, 1};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (setpay_zone_check(bad[i]) != SETPAY_E_INVALID)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(setpay_zone_cut_off(bad[i], &date, 0, &ms), SETPAY_E_INVALID);
        assert_int_equal(ms, 5);
    }
    assert_int_equal(setpay_zone_check("UTC"), SETPAY_OK);
    assert_int_equal(setpay_zone_check("Europe/Berlin"), SETPAY_OK);
    assert_int_equal(setpay_zone_check("America/Argentina/Buenos_Aires"), SETPAY_OK);
    assert_int_equal(setpay_zone_check("Etc/GMT+12"), SETPAY_OK);
}

/* Each checked against what the zone's law says. */
static const struct {
    const char *zone, *date, *cut_off, *utc;
} cut_offs[] = {
    {"UTC", "2026-11-26", "24:00", "2026-11-27T00:00:00"},
    {"UTC", "2026-11-26", "00:00", "2026-11-26T00:00:00"},
    {"Europe/Berlin", "2026-01-15", "23:00", "2026-01-15T22:00:00"},
    {"Europe/Berlin", "2026-07-15", "23:00", "2026-07-15T21:00:00"},
    /* Put forward on 29 March: 02:00 is followed by 03:00. */
    {"Europe/Berlin", "2026-03-28", "24:00", "2026-03-28T23:00:00"},
    {"Europe/Berlin", "2026-03-29", "01:59", "2026-03-29T00:59:00"},
    {"Europe/Berlin", "2026-03-29", "02:00", "2026-03-29T01:00:00"},
    {"Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00:00"},
    {"Europe/Berlin", "2026-03-29", "03:00", "2026-03-29T01:00:00"},
    {"Europe/Berlin", "2026-03-29", "03:01", "2026-03-29T01:01:00"},
    {"Europe/Berlin", "2026-03-29", "24:00", "2026-03-29T22:00:00"},
    /* Put back on 25 October: 02:00 to 03:00 is shown twice, and the first time counts. */
    {"Europe/Berlin", "2026-10-25", "01:59", "2026-10-24T23:59:00"},
    {"Europe/Berlin", "2026-10-25", "02:00", "2026-10-25T00:00:00"},
    {"Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30:00"},
    {"Europe/Berlin", "2026-10-25", "02:59", "2026-10-25T00:59:00"},
    {"Europe/Berlin", "2026-10-25", "03:00", "2026-10-25T02:00:00"},
    {"Europe/Berlin", "2026-10-25", "24:00", "2026-10-25T23:00:00"},
    {"America/New_York", "2026-03-08", "02:15", "2026-03-08T07:00:00"},
    {"America/New_York", "2026-11-01", "01:15", "2026-11-01T05:15:00"},
    /* By half an hour. */
    {"Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45:00"},
    {"Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30:00"},
    /* At midnight: 00:00 of the day does not exist. */
    {"America/Asuncion", "2023-10-01", "00:00", "2023-10-01T04:00:00"},
    /* Put back for good, winter time both before and after. */
    {"Europe/Moscow", "2014-10-26", "01:30", "2014-10-25T21:30:00"},
    {"Asia/Kolkata", "2026-11-26", "17:00", "2026-11-26T11:30:00"},
    {"Pacific/Kiritimati", "2026-11-26", "24:00", "2026-11-26T10:00:00"},
    {"Etc/GMT+12", "2026-11-26", "24:00", "2026-11-27T12:00:00"},
    /* Samoa had no 30 December 2011. */
    {"Pacific/Apia", "2011-12-29", "24:00", "2011-12-30T10:00:00"},
    {"Pacific/Apia", "2011-12-30", "12:00", "2011-12-30T10:00:00"},
    {"Pacific/Apia", "2011-12-31", "12:00", "2011-12-30T22:00:00"},
};

static void finds_cut_offs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cut_offs / sizeof *cut_offs; i++) {
        struct setpay_date date;
        int64_t minutes;
        setpay_time_ms ms;
        assert_int_equal(setpay_date_parse(cut_offs[i].date, &date), SETPAY_OK);
        assert_int_equal(setpay_cut_off_parse(cut_offs[i].cut_off, &minutes), SETPAY_OK);
        assert_int_equal(setpay_zone_cut_off(cut_offs[i].zone, &date, minutes, &ms), SETPAY_OK);
        if (strcmp(utc(ms), cut_offs[i].utc) != 0)
            fail_msg("%s %s %s: %s, expected %s", cut_offs[i].zone, cut_offs[i].date,
                     cut_offs[i].cut_off, utc(ms), cut_offs[i].utc);
    }
}

/* At the cut-off itself its day has ended; a millisecond before, the day before is the last. */
static void finds_the_last_day(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cut_offs / sizeof *cut_offs; i++) {
        struct setpay_date date, last;
        int64_t minutes;
        setpay_time_ms ms, before;
        char expected[SETPAY_DATE_TEXT_SIZE], text[SETPAY_DATE_TEXT_SIZE];
        assert_int_equal(setpay_date_parse(cut_offs[i].date, &date), SETPAY_OK);
        assert_int_equal(setpay_cut_off_parse(cut_offs[i].cut_off, &minutes), SETPAY_OK);
        assert_int_equal(setpay_zone_cut_off(cut_offs[i].zone, &date, minutes, &ms), SETPAY_OK);
        struct setpay_date day = setpay_date_add_days(&date, -1);
        assert_int_equal(setpay_zone_cut_off(cut_offs[i].zone, &day, minutes, &before), SETPAY_OK);
        if (before == ms)
            continue; /* the day that Samoa had not ends with the one before */
        assert_int_equal(setpay_zone_last_day(cut_offs[i].zone, minutes, ms - 1, &last), SETPAY_OK);
        (void)setpay_date_format(&day, expected);
        assert_string_equal(setpay_date_format(&last, text), expected);
        assert_int_equal(setpay_zone_last_day(cut_offs[i].zone, minutes, ms, &last), SETPAY_OK);
        assert_true(strcmp(setpay_date_format(&last, text), cut_offs[i].date) >= 0);
    }
}

/* Days follow each other without a gap, through all changes of two years. */
static void days_follow_each_other(void **state)
{
    static const char *const zones[] = {"Europe/Berlin", "Australia/Lord_Howe",
                                        "Africa/Casablanca"};
    (void)state;
    for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
        for (int64_t minutes = 0; minutes <= SETPAY_CUT_OFF_MAX; minutes += 160) {
            struct setpay_date date = {2024, 1, 1};
            setpay_time_ms last = 0;
            for (int i = 0; i < 2 * 366; i++) {
                setpay_time_ms ms;
                assert_int_equal(setpay_zone_cut_off(zones[z], &date, minutes, &ms), SETPAY_OK);
                int64_t length = (ms - last) / SETPAY_MINUTE_MS;
                assert_true(last == 0 || (length >= 22 * 60 && length <= 26 * 60));
                last = ms;
                date = setpay_date_add_days(&date, 1);
            }
        }
    }
}

/* ------------------------------------------------------------------ threads */

static void *ask(void *arg)
{
    size_t first = (size_t)(uintptr_t)arg;
    size_t wrong = 0, count = sizeof cut_offs / sizeof *cut_offs;
    for (size_t n = 0; n < 500; n++) {
        size_t i = (first + n) % count;
        struct setpay_date date;
        int64_t minutes;
        setpay_time_ms ms;
        char text[SETPAY_TIME_TEXT_SIZE];
        if (setpay_date_parse(cut_offs[i].date, &date) != SETPAY_OK ||
            setpay_cut_off_parse(cut_offs[i].cut_off, &minutes) != SETPAY_OK ||
            setpay_zone_cut_off(cut_offs[i].zone, &date, minutes, &ms) != SETPAY_OK ||
            strncmp(setpay_time_format(ms, text), cut_offs[i].utc, 19) != 0 ||
            getenv("HOME") == getenv("TZ"))
            wrong++;
    }
    return (void *)(uintptr_t)wrong;
}

static void serves_threads(void **state)
{
    pthread_t threads[8];
    (void)state;
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, (void *)(uintptr_t)(i * 3)), 0);
    for (size_t i = 0; i < 8; i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_string_equal(getenv("TZ"), ":UTC"); /* nobody's zone is left behind */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_dates),        cmocka_unit_test(reads_cut_offs),
        cmocka_unit_test(knows_zones),        cmocka_unit_test(finds_cut_offs),
        cmocka_unit_test(finds_the_last_day), cmocka_unit_test(days_follow_each_other),
        cmocka_unit_test(serves_threads),
    };
    setpay_zone_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
