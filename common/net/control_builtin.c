/*
 * The commands that every daemon takes: help, status, doctor, log.level, testing.clock,
 * testing.crash, testing.hold, testing.points.
 */
#include "common/net/control_internal.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/testing.h"

#include <string.h>
#include <unistd.h>

/* A year each way is enough for holds, expiries and certificates. */
#define CLOCK_OFFSET_MAX_MS (1500 * SETPAY_DAY_MS)

static void on_help(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_control_server *server = arg;
    const struct setpay_control_command *own = setpay_control_server_options(server)->commands;
    json_t *commands = json_object();

    (void)args;
    for (; own != NULL && own->name != NULL; own++)
        json_object_set_new(commands, own->name, json_string(own->help));
    for (own = setpay_control_builtin; own->name != NULL; own++)
        json_object_set_new(commands, own->name, json_string(own->help));
    setpay_control_reply(call, json_pack("{s:o}", "commands", commands));
}

static void on_status(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_control_server *server = arg;
    const struct setpay_control_options *options = setpay_control_server_options(server);
    char now[SETPAY_TIME_TEXT_SIZE];
    json_t *status = json_pack(
        "{s:s, s:s, s:i, s:I, s:s, s:b, s:b}", "daemon", options->daemon, "version", SETPAY_VERSION,
        "pid", (int)getpid(), "uptime_ms",
        (json_int_t)(setpay_clock_monotonic_ms() - setpay_control_server_started_ms(server)),
        "time", setpay_time_format(setpay_clock_now_ms(), now), "testing", options->testing,
        "draining", setpay_control_server_is_draining(server));

    (void)args;
    if (status == NULL) {
        setpay_control_fail(call, SETPAY_E_NOMEM, NULL);
        return;
    }
    if (options->testing)
        json_object_set_new(status, "clock_offset_ms", json_integer(setpay_clock_offset_ms()));
    if (options->status_cb != NULL)
        options->status_cb(options->arg, status);
    setpay_control_reply(call, status);
}

static void on_doctor(struct setpay_control_call *call, const json_t *args, void *arg)
{
    const struct setpay_control_options *options = setpay_control_server_options(arg);
    json_t *told = options->doctor_cb == NULL ? NULL : options->doctor_cb(options->arg);

    (void)args;
    if (told != NULL)
        setpay_control_reply(call, told);
    else
        setpay_control_fail(call, options->doctor_cb == NULL ? SETPAY_E_NOT_FOUND : SETPAY_E_NOMEM,
                            NULL);
}

static void on_log_level(struct setpay_control_call *call, const json_t *args, void *arg)
{
    static const char *const names[] = {"level", NULL};
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    struct setpay_problem problem;
    const char *level = NULL;
    enum setpay_error error = setpay_json_args_check(args, names, &problem);

    (void)arg;
    if (error == SETPAY_OK)
        error = setpay_json_arg_text(args, "level", true, &level, &problem);
    if (error != SETPAY_OK) {
        setpay_control_fail(call, error, problem.text);
        return;
    }
    for (int i = SETPAY_LOG_DEBUG; i <= SETPAY_LOG_ERROR; i++) {
        if (strcmp(levels[i], level) == 0) {
            setpay_log_set_level((enum setpay_log_level)i);
            setpay_control_reply(call, json_pack("{s:s}", "level", levels[i]));
            return;
        }
    }
    setpay_control_fail(call, SETPAY_E_USAGE,
                        "argument level: expected debug, info, warn or error");
}

/* True where the daemon runs with testing = yes; else the call has been ended. */
static bool is_testing(struct setpay_control_call *call, struct setpay_control_server *server)
{
    if (setpay_control_server_options(server)->testing)
        return true;
    setpay_control_fail(call, SETPAY_E_PERMISSION,
                        "only a daemon that runs with testing = yes takes this command");
    return false;
}

static void on_testing_clock(struct setpay_control_call *call, const json_t *args, void *arg)
{
    static const char *const names[] = {"offset_ms", NULL};
    struct setpay_problem problem;
    int64_t offset_ms = 0;
    enum setpay_error error;

    if (!is_testing(call, arg))
        return;
    error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_int(args, "offset_ms", true, -CLOCK_OFFSET_MAX_MS,
                                    CLOCK_OFFSET_MAX_MS, &offset_ms, &problem);
    if (error != SETPAY_OK) {
        setpay_control_fail(call, error, problem.text);
        return;
    }
    setpay_clock_set_offset_ms(offset_ms);
    setpay_log(SETPAY_LOG_WARN, "testing.clock", setpay_field_int("offset_ms", offset_ms));
    setpay_control_reply(call, json_pack("{s:I}", "offset_ms", (json_int_t)offset_ms));
}

static void on_testing_crash(struct setpay_control_call *call, const json_t *args, void *arg)
{
    static const char *const names[] = {"point", "count", NULL};
    struct setpay_problem problem;
    const char *point = NULL;
    int64_t count = 1;
    enum setpay_error error;

    if (!is_testing(call, arg))
        return;
    error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_text(args, "point", true, &point, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_int(args, "count", false, 0, INT32_MAX, &count, &problem);
    if (error != SETPAY_OK) {
        setpay_control_fail(call, error, problem.text);
        return;
    }
    error = setpay_testing_arm(point, (uint64_t)count);
    if (error != SETPAY_OK) {
        setpay_control_fail(call, error, NULL);
        return;
    }
    setpay_log(SETPAY_LOG_WARN, "testing.crash", setpay_field_text("point", point),
               setpay_field_int("count", count));
    setpay_control_reply(call, json_pack("{s:s, s:I}", "point", point, "count", (json_int_t)count));
}

static void on_testing_hold(struct setpay_control_call *call, const json_t *args, void *arg)
{
    static const char *const names[] = {"point", NULL};
    struct setpay_problem problem = {{0}};
    const char *point = NULL;
    enum setpay_error error;

    if (!is_testing(call, arg))
        return;
    error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_text(args, "point", false, &point, &problem);
    if (error == SETPAY_OK)
        error = setpay_testing_hold(point == NULL ? "" : point);
    if (error != SETPAY_OK) {
        setpay_control_fail(call, error, problem.text[0] != '\0' ? problem.text : NULL);
        return;
    }
    setpay_log(SETPAY_LOG_WARN, "testing.hold",
               setpay_field_text("point", point == NULL ? "" : point));
    setpay_control_reply(call, json_pack("{s:s?}", "point", point));
}

static void on_testing_points(struct setpay_control_call *call, const json_t *args, void *arg)
{
    static const char *const names[] = {"reset", NULL};
    struct setpay_testing_passes passes[SETPAY_TESTING_POINTS_MAX];
    struct setpay_problem problem;
    bool reset = false;
    enum setpay_error error;

    if (!is_testing(call, arg))
        return;
    error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_bool(args, "reset", false, &reset, &problem);
    if (error != SETPAY_OK) {
        setpay_control_fail(call, error, problem.text);
        return;
    }
    json_t *points = json_object();
    size_t count = setpay_testing_passes(passes, SETPAY_TESTING_POINTS_MAX, reset);
    for (size_t i = 0; i < count; i++)
        json_object_set_new(points, passes[i].point, json_integer((json_int_t)passes[i].count));
    setpay_control_reply(call, json_pack("{s:o}", "points", points));
}

const struct setpay_control_command setpay_control_builtin[] = {
    {"help", on_help, "the commands that this daemon takes"},
    {"status", on_status, "name, version, process, up time, and the daemon's own state"},
    {"doctor", on_doctor, "what the daemon knows of what could keep it from working"},
    {"log.level", on_log_level, "level: the least level that is logged from now on"},
    {"testing.clock", on_testing_clock, "offset_ms: moves the clock from the true time"},
    {"testing.crash", on_testing_crash, "point, count: dies there the count-th time from now"},
    {"testing.hold", on_testing_hold, "point: whoever passes it stays there; none: all are let go"},
    {"testing.points", on_testing_points, "how often each point was passed; reset: then from 0"},
    {NULL, NULL, NULL},
};
