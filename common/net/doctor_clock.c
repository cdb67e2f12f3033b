/*
 * Whether this computer's clock is right, without a network of clocks: by what others' clocks have
 * said (the Date of an answer, the dates under lists and certificates), by its own files, and by
 * what the kernel says of NTP.
 */
#include "common/base/limits.h"
#include "common/net/doctor.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>

/* Requests are refused beyond the tolerance of rule A5; half of it, and it will come to that. */
#define FAR_MS SETPAY_LIMIT_DATE_TOLERANCE_MS
#define SOON_MS (FAR_MS / 2)
#define DAEMON_FAR_MS                                                                              \
    (5 * SETPAY_SECOND_MS) /* the same computer: nothing but its answer's time                     \
                            */
#define SET_TODO                                                                                   \
    "set the clock that is wrong; here: timedatectl set-ntp true (or chronyc makestep), then "     \
    "start "                                                                                       \
    "the daemon again"

void setpay_doctor_add_clock(struct setpay_doctor *doctor, const char *whose,
                             setpay_time_ms their_ms, setpay_time_ms our_ms)
{
    if (doctor->clock_count == SETPAY_DOCTOR_CLOCKS_MAX)
        return;
    struct setpay_doctor_clock *clock = &doctor->clocks[doctor->clock_count++];
    clock->ahead_ms = their_ms - our_ms;
    (void)snprintf(clock->whose, sizeof clock->whose, "%s", whose);
}

void setpay_doctor_add_date(struct setpay_doctor *doctor, const char *of, setpay_time_ms date_ms)
{
    if (date_ms <= doctor->newest_ms)
        return;
    doctor->newest_ms = date_ms;
    (void)snprintf(doctor->newest, sizeof doctor->newest, "%s", of);
}

/* Files that this computer has written bear its own dates: of its future, where it was set back. */
static void add_files(struct setpay_doctor *doctor)
{
    static const char *const keys[] = {"log", "root", "crls"};
    struct stat status;
    if (doctor->config_path != NULL && stat(doctor->config_path, &status) == 0)
        setpay_doctor_add_date(doctor, doctor->config_path,
                               (setpay_time_ms)status.st_mtime * SETPAY_SECOND_MS);
    for (size_t i = 0; doctor->config != NULL && i < sizeof keys / sizeof *keys; i++) {
        const char *path = setpay_config_has_key(doctor->config, "", keys[i])
                               ? setpay_config_text(doctor->config, "", keys[i])
                               : NULL;
        if (path != NULL && stat(path, &status) == 0)
            setpay_doctor_add_date(doctor, path,
                                   (setpay_time_ms)status.st_mtime * SETPAY_SECOND_MS);
    }
}

static void check_daemon(struct setpay_doctor *doctor)
{
    char span[SETPAY_SPAN_TEXT_SIZE];
    int64_t ahead_ms = doctor->daemon_ahead_ms;
    if (!doctor->runs || (ahead_ms < DAEMON_FAR_MS && ahead_ms > -DAEMON_FAR_MS))
        return;
    bool testing = json_is_true(json_object_get(doctor->told, "testing"));
    setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CLOCK, doctor->daemon->name,
                      testing ? "give testing.clock the offset 0, or start the daemon again"
                              : SET_TODO,
                      "clock off: the clock of %s is %s %s this computer's%s", doctor->daemon->name,
                      setpay_doctor_span(ahead_ms, span), ahead_ms > 0 ? "ahead of" : "behind",
                      testing ? " (testing.clock moves it)" : "");
}

static void check_clocks(struct setpay_doctor *doctor)
{
    char span[SETPAY_SPAN_TEXT_SIZE];
    for (size_t i = 0; i < doctor->clock_count; i++) {
        const struct setpay_doctor_clock *clock = &doctor->clocks[i];
        int64_t off_ms = clock->ahead_ms < 0 ? -clock->ahead_ms : clock->ahead_ms;
        if (off_ms < SOON_MS)
            continue;
        setpay_doctor_say(doctor, off_ms < FAR_MS ? SETPAY_FINDING_WARN : SETPAY_FINDING_FAIL,
                          SETPAY_CHECK_CLOCK, clock->whose, SET_TODO,
                          "clock off: this computer's clock is %s %s that of %s; what differs by "
                          "more than 5 minutes is refused (rule A5)",
                          setpay_doctor_span(off_ms, span),
                          clock->ahead_ms > 0 ? "behind" : "ahead of", clock->whose);
    }
}

static void check_dates(struct setpay_doctor *doctor)
{
    char span[SETPAY_SPAN_TEXT_SIZE];
    setpay_time_ms now_ms = setpay_clock_now_ms();
    if (doctor->newest_ms <= now_ms + FAR_MS)
        return;
    setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CLOCK, doctor->newest, SET_TODO,
                      "clock off: this computer's clock is at least %s behind: %s is from its "
                      "future",
                      setpay_doctor_span(doctor->newest_ms - now_ms, span), doctor->newest);
}

/* Only said, never a fault by itself: a machine may be kept right by other means. */
static const char *ntp_words(void)
{
    struct timex state = {0};
    int result = adjtimex(&state);
    return result < 0                                            ? ""
           : result == TIME_ERROR || (state.status & STA_UNSYNC) ? "; the kernel knows of no NTP"
                                                                 : "; the kernel says NTP keeps it";
}

void setpay_doctor_clock(struct setpay_doctor *doctor)
{
    size_t failed = doctor->failed, warned = doctor->warned;
    add_files(doctor);
    check_daemon(doctor);
    check_clocks(doctor);
    check_dates(doctor);
    if (doctor->doubt[0] != '\0' && doctor->failed == failed)
        setpay_doctor_say(doctor, SETPAY_FINDING_WARN, SETPAY_CHECK_CLOCK, doctor->doubt, SET_TODO,
                          "either this computer's clock is far off, or the certificate of %s is "
                          "over",
                          doctor->doubt);
    if (doctor->failed != failed || doctor->warned != warned)
        return;
    if (doctor->clock_count > 0)
        setpay_doctor_say(doctor, SETPAY_FINDING_OK, SETPAY_CHECK_CLOCK, "", "",
                          "this computer's clock agrees with that of %s%s", doctor->clocks[0].whose,
                          ntp_words());
    else
        setpay_doctor_say(doctor, SETPAY_FINDING_OK, SETPAY_CHECK_CLOCK, "", "",
                          "nothing that was found contradicts this computer's clock%s",
                          ntp_words());
}
