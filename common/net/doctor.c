/*
 * Findings: how they are kept, told as JSON, and printed for people.
 */
#include "common/net/doctor.h"

#include "common/base/noun.h"
#include "common/base/terminal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_SIZE 1024
#define NAME_WIDTH 13

static const char *const level_names[] = {"ok", "warn", "fail"};

enum setpay_error setpay_doctor_init(struct setpay_doctor *doctor,
                                     const struct setpay_service_spec *daemon)
{
    *doctor = (struct setpay_doctor){
        .daemon = daemon, .checks = json_array(), .now_ms = setpay_clock_now_ms()};
    return doctor->checks == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

void setpay_doctor_clear(struct setpay_doctor *doctor)
{
    json_decref(doctor->checks);
    json_decref(doctor->told);
    setpay_config_free(doctor->config);
    setpay_trust_free(doctor->trust);
    memset(doctor, 0, sizeof *doctor);
}

static void count(struct setpay_doctor *doctor, enum setpay_finding level)
{
    doctor->failed += level == SETPAY_FINDING_FAIL ? 1 : 0;
    doctor->warned += level == SETPAY_FINDING_WARN ? 1 : 0;
}

/* A path need not be UTF-8, JSON must be. */
static json_t *text_of(const char *text)
{
    json_t *json = json_string(text);
    return json != NULL ? json : json_string("(a text that is not UTF-8)");
}

void setpay_doctor_say(struct setpay_doctor *doctor, enum setpay_finding level, const char *name,
                       const char *about, const char *todo, const char *format, ...)
{
    char words[WORDS_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof words, format, args);
    va_end(args);
    json_t *finding =
        json_pack("{s:s, s:b, s:s, s:o, s:o}", "name", name, "ok", level != SETPAY_FINDING_FAIL,
                  "level", level_names[level], "words", text_of(words), "what_to_do",
                  text_of(level == SETPAY_FINDING_OK ? "" : todo));
    if (about[0] != '\0')
        (void)json_object_set_new(finding, "about", text_of(about));
    (void)json_array_append_new(doctor->checks, finding);
    count(doctor, level);
}

void setpay_doctor_take(struct setpay_doctor *doctor, const json_t *checks)
{
    size_t index;
    json_t *check;
    json_array_foreach(checks, index, check)
    {
        const char *level = json_string_value(json_object_get(check, "level"));
        bool ok = json_is_true(json_object_get(check, "ok"));
        (void)json_array_append(doctor->checks, check);
        count(doctor, !ok                                           ? SETPAY_FINDING_FAIL
                      : level != NULL && strcmp(level, "warn") == 0 ? SETPAY_FINDING_WARN
                                                                    : SETPAY_FINDING_OK);
    }
}

json_t *setpay_doctor_result(const struct setpay_doctor *doctor)
{
    return json_pack("{s:b, s:O}", "ok", doctor->failed == 0, "checks", doctor->checks);
}

enum setpay_error setpay_doctor_verdict(const struct setpay_doctor *doctor,
                                        struct setpay_problem *problem)
{
    if (doctor->failed == 0)
        return SETPAY_OK;
    return setpay_problem_set(
        problem, SETPAY_E_STATE, "%zu of %zu %s attention", doctor->failed,
        json_array_size(doctor->checks),
        setpay_noun((int64_t)json_array_size(doctor->checks), "finding needs",
                    setpay_noun((int64_t)doctor->failed, "findings needs", "findings need")));
}

/* ------------------------------------------------------------------ for people */

/* Words may hold a path or a peer's name: no control character, nor C1 as UTF-8, reaches the
 * terminal. */
static void put(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        bool is_c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0;
        (void)fputc(*at < 0x20 || *at == 0x7f || is_c1 ? '?' : *at, out);
        at += is_c1 ? 1 : 0;
    }
}

static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

void setpay_doctor_print(FILE *out, const json_t *result, bool colour)
{
    size_t index;
    const json_t *check;
    json_array_foreach(json_object_get(result, "checks"), index, check)
    {
        bool ok = json_is_true(json_object_get(check, "ok"));
        bool warn = ok && strcmp(member(check, "level"), "warn") == 0;
        const char *todo = member(check, "what_to_do");
        (void)fprintf(out, "  %s%s%s  %-*s  ",
                      !colour ? ""
                      : !ok   ? "\033[1;31m"
                      : warn  ? "\033[33m"
                              : "\033[32m",
                      !ok    ? "FAIL"
                      : warn ? "warn"
                             : "ok  ",
                      colour ? "\033[0m" : "", NAME_WIDTH, member(check, "name"));
        put(out, member(check, "words"));
        (void)fputc('\n', out);
        if (todo[0] != '\0') {
            (void)fprintf(out, "  %*s-> ", NAME_WIDTH + 8, "");
            put(out, todo);
            (void)fputc('\n', out);
        }
    }
}

void setpay_doctor_print_result(const json_t *result)
{
    setpay_doctor_print(stdout, result, setpay_terminal_wants_colour(stdout));
}

const char *setpay_doctor_span(int64_t span_ms, char out[SETPAY_SPAN_TEXT_SIZE])
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{SETPAY_DAY_MS, "day"},
                 {SETPAY_HOUR_MS, "hour"},
                 {SETPAY_MINUTE_MS, "minute"},
                 {SETPAY_SECOND_MS, "second"}};
    size_t at = 0;
    if (span_ms < 0)
        span_ms = -span_ms;
    while (at + 1 < sizeof units / sizeof *units && span_ms < 2 * units[at].ms)
        at++;
    int64_t number = (span_ms + units[at].ms / 2) / units[at].ms;
    (void)snprintf(out, SETPAY_SPAN_TEXT_SIZE, "%" PRId64 " %s%s", number, units[at].name,
                   setpay_noun(number, "", "s"));
    return out;
}
