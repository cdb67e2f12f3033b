/*
 * Days in a merchant's time zone, by the zone data of the C library (tzdata): when a day ends for a
 * merchant, also where clocks are put forward or back that day.
 *
 * The C library keeps one zone for the whole process. Here it is set, used and given back under one
 * lock, so that any thread may ask; everything else in a daemon works in UTC, and must.
 */
#ifndef SETPAY_BASE_ZONE_H
#define SETPAY_BASE_ZONE_H

#include "common/base/clock.h"
#include "common/base/error.h"

#include <stdint.h>

#define SETPAY_ZONE_MAX 48 /* "America/Argentina/ComodRivadavia" and more */
#define SETPAY_ZONE_DEFAULT "UTC"
#define SETPAY_CUT_OFF_MAX (24 * 60) /* minutes of a day; so many: its end */

struct setpay_date {
    int year, month, day; /* 2026, 11, 26 */
};

/* "2026-11-26" of the years 1970 to 9999; SETPAY_E_INVALID. */
enum setpay_error setpay_date_parse(const char *text, struct setpay_date *date) SETPAY_MUST_CHECK;
#define SETPAY_DATE_TEXT_SIZE 16
const char *setpay_date_format(const struct setpay_date *date, char out[SETPAY_DATE_TEXT_SIZE]);
/* Its first moment in UTC. */
setpay_time_ms setpay_date_start_ms(const struct setpay_date *date);
/* The date of a moment in UTC. */
struct setpay_date setpay_date_of_ms(setpay_time_ms time_ms);
struct setpay_date setpay_date_add_days(const struct setpay_date *date, int days);

/* "23:30", "24:00", as minutes of the day; SETPAY_E_INVALID. */
enum setpay_error setpay_cut_off_parse(const char *text, int64_t *minutes) SETPAY_MUST_CHECK;
#define SETPAY_CUT_OFF_TEXT_SIZE 8
const char *setpay_cut_off_format(int64_t minutes, char out[SETPAY_CUT_OFF_TEXT_SIZE]);

/* Before the first thread: the process gets its zone from here alone from now on. Without it the
 * first call does that. */
void setpay_zone_init(void);
/* Whether there is such a zone ("UTC", "Europe/Berlin"). SETPAY_E_INVALID. */
enum setpay_error setpay_zone_check(const char *zone) SETPAY_MUST_CHECK;

/*
 * The cut-off of a day: the first moment at which a clock of the zone shows that date and time, or,
 * where it is put forward past them, a later one. Where it is put back and shows them twice, it is
 * the first time. SETPAY_E_INVALID where there is no such zone (any more).
 */
enum setpay_error setpay_zone_cut_off(const char *zone, const struct setpay_date *date,
                                      int64_t minutes,
                                      setpay_time_ms *cut_off_ms) SETPAY_MUST_CHECK;
/* The last day whose cut-off is not after now_ms. */
enum setpay_error setpay_zone_last_day(const char *zone, int64_t minutes, setpay_time_ms now_ms,
                                       struct setpay_date *date) SETPAY_MUST_CHECK;

#endif
