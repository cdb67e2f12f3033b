/*
 * Zones by the C library.
 *
 * localtime_r works in the zone that the last tzset() has read out of TZ. TZ is put into the
 * environment once, as a buffer of our own, whose text is then changed under the lock: setenv()
 * from a thread could move the whole environment under another's getenv(). The library reads the
 * buffer only inside tzset(), which nobody else calls.
 *
 * The offset of a zone is asked for moments around the wanted one, and the wanted one is computed:
 * mktime() leaves open what it makes of a time that does not exist, or exists twice.
 */
#include "common/base/zone.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DAY_S INT64_C(86400)
#define ZONE_FOLDER "/usr/share/zoneinfo"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char tz[SETPAY_ZONE_MAX + 8] = "TZ=:UTC";

/* ------------------------------------------------------------------ dates */

static bool read_digits(const char *text, int count, int *value)
{
    int made = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        made = made * 10 + (text[i] - '0');
    }
    *value = made;
    return true;
}

/* Seconds since 1970 as if the date were one of UTC. */
static int64_t date_seconds(const struct setpay_date *date)
{
    struct tm parts = {
        .tm_year = date->year - 1900, .tm_mon = date->month - 1, .tm_mday = date->day};
    return timegm(&parts);
}

static struct setpay_date date_of(int64_t seconds)
{
    struct tm parts = {0};
    time_t time = (time_t)seconds;
    (void)gmtime_r(&time, &parts);
    return (struct setpay_date){parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday};
}

static bool same_date(const struct setpay_date *a, const struct setpay_date *b)
{
    return a->year == b->year && a->month == b->month && a->day == b->day;
}

enum setpay_error setpay_date_parse(const char *text, struct setpay_date *date)
{
    struct setpay_date made;
    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-' ||
        !read_digits(text, 4, &made.year) || !read_digits(text + 5, 2, &made.month) ||
        !read_digits(text + 8, 2, &made.day) || made.year < 1970)
        return SETPAY_E_INVALID;
    struct setpay_date normal = date_of(date_seconds(&made));
    if (!same_date(&normal, &made))
        return SETPAY_E_INVALID;
    *date = made;
    return SETPAY_OK;
}

const char *setpay_date_format(const struct setpay_date *date, char out[SETPAY_DATE_TEXT_SIZE])
{
    (void)snprintf(out, SETPAY_DATE_TEXT_SIZE, "%04u-%02u-%02u", (unsigned)date->year % 10000,
                   (unsigned)date->month % 100, (unsigned)date->day % 100);
    return out;
}

setpay_time_ms setpay_date_start_ms(const struct setpay_date *date)
{
    return date_seconds(date) * SETPAY_SECOND_MS;
}

struct setpay_date setpay_date_of_ms(setpay_time_ms time_ms)
{
    return date_of(time_ms / SETPAY_SECOND_MS);
}

struct setpay_date setpay_date_add_days(const struct setpay_date *date, int days)
{
    return date_of(date_seconds(date) + days * DAY_S);
}

enum setpay_error setpay_cut_off_parse(const char *text, int64_t *minutes)
{
    int hour, minute;
    if (strlen(text) != 5 || text[2] != ':' || !read_digits(text, 2, &hour) ||
        !read_digits(text + 3, 2, &minute) || minute > 59 ||
        hour * 60 + minute > SETPAY_CUT_OFF_MAX)
        return SETPAY_E_INVALID;
    *minutes = hour * 60 + minute;
    return SETPAY_OK;
}

const char *setpay_cut_off_format(int64_t minutes, char out[SETPAY_CUT_OFF_TEXT_SIZE])
{
    (void)snprintf(out, SETPAY_CUT_OFF_TEXT_SIZE, "%02u:%02u", (unsigned)(minutes / 60) % 100,
                   (unsigned)(minutes % 60));
    return out;
}

/* ------------------------------------------------------------------ zones */

static void put_zone(void)
{
    (void)putenv(tz);
}

void setpay_zone_init(void)
{
    (void)pthread_once(&once, put_zone);
}

/* The name leads to a file in the library's folder, and nowhere else. */
enum setpay_error setpay_zone_check(const char *zone)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    char path[sizeof ZONE_FOLDER + SETPAY_ZONE_MAX + 2];
    char magic[4];
    size_t size = strlen(zone);
    if (strcmp(zone, SETPAY_ZONE_DEFAULT) == 0)
        return SETPAY_OK;
    if (size == 0 || size > SETPAY_ZONE_MAX || strspn(zone, letters) != size || zone[0] == '/')
        return SETPAY_E_INVALID;
    (void)snprintf(path, sizeof path, ZONE_FOLDER "/%s", zone);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return SETPAY_E_INVALID;
    bool is_zone = fread(magic, 1, sizeof magic, file) == sizeof magic &&
                   memcmp(magic, "TZif", sizeof magic) == 0;
    (void)fclose(file);
    return is_zone ? SETPAY_OK : SETPAY_E_INVALID;
}

/* Under the lock from here to leave_zone. */
static enum setpay_error enter_zone(const char *zone)
{
    setpay_zone_init();
    SETPAY_TRY(setpay_zone_check(zone));
    (void)pthread_mutex_lock(&lock);
    (void)snprintf(tz + 3, sizeof tz - 3, ":%s", zone);
    tzset();
    return SETPAY_OK;
}

static void leave_zone(void)
{
    (void)snprintf(tz + 3, sizeof tz - 3, ":UTC");
    tzset();
    (void)pthread_mutex_unlock(&lock);
}

/* What a clock of the zone shows, as seconds since 1970 of what it shows. */
static int64_t shown_at(int64_t seconds)
{
    struct tm parts = {0};
    time_t time = (time_t)seconds;
    (void)localtime_r(&time, &parts);
    return seconds + parts.tm_gmtoff;
}

/* The first moment at which wanted or later is shown. Clocks are put on or back at most once in the
 * two days around, and by a day at most. */
static int64_t first_shown(int64_t wanted)
{
    int64_t low = wanted - 2 * DAY_S, high = wanted + 2 * DAY_S;
    int64_t before = shown_at(low) - low, after = shown_at(high) - high;
    int64_t early = wanted - (before > after ? before : after);
    int64_t late = wanted - (before > after ? after : before);
    if (shown_at(early) == wanted)
        return early;
    if (shown_at(late) == wanted)
        return late;
    /* It is never shown: clocks are put forward past it, at a moment between the two. */
    while (early + 1 < late) {
        int64_t middle = early + (late - early) / 2;
        if (shown_at(middle) < wanted)
            early = middle;
        else
            late = middle;
    }
    return late;
}

enum setpay_error setpay_zone_cut_off(const char *zone, const struct setpay_date *date,
                                      int64_t minutes, setpay_time_ms *cut_off_ms)
{
    SETPAY_TRY(enter_zone(zone));
    *cut_off_ms = first_shown(date_seconds(date) + minutes * 60) * SETPAY_SECOND_MS;
    leave_zone();
    return SETPAY_OK;
}

enum setpay_error setpay_zone_last_day(const char *zone, int64_t minutes, setpay_time_ms now_ms,
                                       struct setpay_date *date)
{
    int64_t now = now_ms / SETPAY_SECOND_MS;
    SETPAY_TRY(enter_zone(zone));
    struct setpay_date day = date_of(shown_at(now) + DAY_S);
    while (first_shown(date_seconds(&day) + minutes * 60) > now)
        day = setpay_date_add_days(&day, -1);
    leave_zone();
    *date = day;
    return SETPAY_OK;
}
