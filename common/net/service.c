/*
 * The common part of all daemons; see service.h for the order of things.
 *
 * Revocation lists are read from their folder at the start, on SIGHUP, and again and again (every
 * minute; every second under test), so that whoever writes a newer list there needs tell nobody.
 */
#include "common/net/service.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/net/doctor.h"
#include "common/net/health_metrics.h"
#include "common/net/identity.h"
#include "common/net/lists.h"
#include "common/net/loop.h"
#include "common/net/saved_trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRL_PERIOD_MS 60000
#define CRL_PERIOD_TESTING_MS 1000
#define STUCK_AFTER_MS 2000

/* ------------------------------------------------------------------ readiness */

enum setpay_error setpay_service_check_store(void *store, struct setpay_problem *why)
{
    struct setpay_store_health health;
    setpay_store_health(store, STUCK_AFTER_MS, &health);
    if (health.broken)
        return setpay_problem_set(why, SETPAY_E_IO, "a commit failed; restart the daemon");
    if (health.stuck)
        return setpay_problem_set(why, SETPAY_E_TIMEOUT,
                                  "the committer is stuck: an operation has waited %lld ms",
                                  (long long)health.oldest_wait_ms);
    return SETPAY_OK;
}

/* A wallet: whatever it holds. Lists of brands that a merchant or a gateway does not serve come
 * beside messages, from anybody: that nobody renews them here must not take it out of service. */
static enum setpay_error check_held(struct setpay_trust *trust, setpay_time_ms now_ms,
                                    struct setpay_problem *why)
{
    struct setpay_crl_info infos[SETPAY_LIMIT_TRUST_CAS];
    size_t count = setpay_trust_crls(trust, infos, SETPAY_LIMIT_TRUST_CAS);
    for (size_t i = 0; i < count && i < SETPAY_LIMIT_TRUST_CAS; i++) {
        if (infos[i].next_update_ms < now_ms && setpay_crl_is_needed(&infos[i], now_ms)) {
            char name[SETPAY_AUTHORITY_NAME_SIZE], text[SETPAY_TIME_TEXT_SIZE];
            setpay_ca_name(infos[i].brand, infos[i].ca_kind, infos[i].ca_number, name);
            return setpay_problem_set(why, SETPAY_E_CRL_STALE,
                                      "the revocation list of %s was due at %s", name,
                                      setpay_time_format(infos[i].next_update_ms, text));
        }
    }
    return SETPAY_OK;
}

static enum setpay_error check_crls(void *arg, struct setpay_problem *why)
{
    struct setpay_service *service = arg;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    size_t count = setpay_config_instance_count(service->config, "brand *");
    if (count == 0)
        return check_held(service->trust, now_ms, why);
    for (size_t i = 0; i < count; i++)
        SETPAY_TRY(setpay_lists_check(
            service->trust, setpay_config_instance(service->config, "brand *", i), now_ms, why));
    return SETPAY_OK;
}

void setpay_service_add_check(struct setpay_service *service,
                              const struct setpay_ready_check *check)
{
    if (service->check_count < SETPAY_SERVICE_CHECKS_MAX)
        service->checks[service->check_count++] = *check;
}

/* ------------------------------------------------------------------ trust */

void setpay_service_load_crls(const struct setpay_service *service, struct setpay_trust *trust)
{
    const char *folder = setpay_config_text(service->config, "", "crls");
    struct setpay_crl_load load;
    if (folder == NULL)
        return;
    enum setpay_error error = setpay_trust_load_folder(trust, folder, setpay_clock_now_ms(), &load);
    if (error != SETPAY_OK)
        setpay_log_error(error, "trust.folder", setpay_field_text("path", folder));
}

static void on_crl_time(void *arg)
{
    struct setpay_service *service = arg;
    setpay_service_load_crls(service, service->trust);
}

/* ------------------------------------------------------------------ the daemon's callbacks */

static enum setpay_error open_store(struct setpay_service *service, bool retired,
                                    struct setpay_problem *problem)
{
    const struct setpay_store_options options = {
        .url = setpay_config_text(service->config, "", "database"),
        .schema = service->spec->schema,
        .retired = retired,
    };
    return setpay_store_open(&options, &service->store, problem);
}

static enum setpay_log_level level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0)
            return (enum setpay_log_level)i;
    }
    return SETPAY_LOG_INFO;
}

/* The file and the flags, whose words stay as they are for the next time. */
static enum setpay_error load_config(const struct setpay_service *service,
                                     struct setpay_config **config, struct setpay_problem *problem)
{
    int argc = service->argc;
    char **argv = calloc((size_t)argc + 1, sizeof *argv);
    if (argv == NULL)
        return SETPAY_E_NOMEM;
    memcpy(argv, service->argv, (size_t)argc * sizeof *argv);
    enum setpay_error error = setpay_config_load(service->spec->options, service->config_path,
                                                 &argc, argv, config, problem);
    free(argv);
    return error;
}

/* Of what testing = yes opens up nobody must hear outside. */
static enum setpay_error check_listeners(const struct setpay_service_spec *spec,
                                         const struct setpay_config *config,
                                         struct setpay_problem *problem)
{
    struct setpay_address addresses[SETPAY_SERVICE_LISTENERS_MAX + 1];
    size_t count = 0;
    if (!setpay_config_bool(config, "", "testing"))
        return SETPAY_OK;
    for (size_t i = 0; i <= SETPAY_SERVICE_LISTENERS_MAX; i++) {
        const char *key =
            i == SETPAY_SERVICE_LISTENERS_MAX ? "admin_address" : spec->listeners[i].key;
        const char *address = key == NULL ? NULL : setpay_config_text(config, "", key);
        if (address != NULL)
            SETPAY_TRY(setpay_address_parse(address, &addresses[count++], problem));
    }
    return setpay_daemon_check_testing(addresses, count, problem);
}

/* All that can be said of a configuration without its files. */
static enum setpay_error check_values(const struct setpay_service_spec *spec,
                                      const struct setpay_config *config,
                                      struct setpay_problem *problem)
{
    if (spec->schema != NULL)
        SETPAY_TRY(setpay_store_check_url(setpay_config_text(config, "", "database"), problem));
    SETPAY_TRY(setpay_control_check_path("admin_socket",
                                         setpay_config_text(config, "", "admin_socket"), problem));
    SETPAY_TRY(check_listeners(spec, config, problem));
    return spec->check_cb != NULL ? spec->check_cb(config, problem) : SETPAY_OK;
}

static enum setpay_error on_start(void *context, struct setpay_daemon *daemon,
                                  struct setpay_problem *problem)
{
    struct setpay_service *service = context;
    service->daemon = daemon;
    if (service->testing) {
        setpay_testing_enable();
        enum setpay_error armed = setpay_testing_arm_from_environment();
        if (armed != SETPAY_OK)
            return setpay_problem_set(problem, armed,
                                      "SETPAY_CRASH: expected POINT:COUNT; SETPAY_CLOCK: a number "
                                      "of milliseconds");
    }
    if (service->spec->schema != NULL) {
        SETPAY_TRY(open_store(service, false, problem));
        service->shown_store = service->store;
        setpay_service_add_check(service, &(struct setpay_ready_check){
                                              "store", setpay_service_check_store, service->store});
    }
    if (service->spec->needs_trust) {
        SETPAY_TRY(setpay_trust_load(setpay_config_text(service->config, "", "root"),
                                     &service->trust, problem));
        if (service->spec->saves_trust)
            SETPAY_TRY(
                setpay_saved_trust_load(service->store, service->trust, setpay_clock_now_ms()));
        setpay_service_load_crls(service, service->trust);
        setpay_service_add_check(service,
                                 &(struct setpay_ready_check){"crls", check_crls, service});
    }
    return service->spec->on_start_cb != NULL ? service->spec->on_start_cb(service, problem)
                                              : SETPAY_OK;
}

static void on_status(void *arg, json_t *status)
{
    struct setpay_service *service = arg;
    if (service->spec->status_cb != NULL)
        service->spec->status_cb(service, status);
}

static json_t *on_doctor(void *arg)
{
    return setpay_doctor_of_service(arg);
}

static enum setpay_error on_ready(void *context, struct setpay_daemon *daemon,
                                  struct setpay_problem *problem)
{
    struct setpay_service *service = context;
    struct setpay_loop *loop = setpay_daemon_loop(daemon);
    if (service->spec->on_ready_cb != NULL)
        SETPAY_TRY(service->spec->on_ready_cb(service, problem));
    if (service->spec->needs_trust) {
        SETPAY_TRY(setpay_timer_new(loop, on_crl_time, service, &service->crl_timer));
        setpay_timer_start_periodic(service->crl_timer,
                                    service->testing ? CRL_PERIOD_TESTING_MS : CRL_PERIOD_MS);
    }
    const struct setpay_control_options control = {
        .loop = loop,
        .path = setpay_config_text(service->config, "", "admin_socket"),
        .daemon = service->spec->name,
        .commands = service->spec->commands,
        .arg = service,
        .lock_held = true, /* the store's */
        .testing = service->testing,
        .status_cb = on_status,
        .doctor_cb = on_doctor,
    };
    SETPAY_TRY(setpay_control_server_new(&control, &service->control, problem));
    int fd = setpay_daemon_take_listener(daemon, "admin");
    if (fd < 0)
        return SETPAY_OK;
    const struct setpay_health_sources health = {
        .checks = service->checks,
        .check_count = service->check_count,
        .is_draining = &service->draining,
        .store = service->shown_store,
        .has_backup = true,
        .disk_path = setpay_store_place(service->shown_store),
    };
    SETPAY_TRY(setpay_health_metrics_register(&health));
    return setpay_admin_http_new(loop, fd, service->checks, service->check_count, &service->admin);
}

static void log_pending(void *arg, const char *section, const char *key)
{
    (void)arg;
    setpay_log(SETPAY_LOG_WARN, "config.not_taken", setpay_field_text("section", section),
               setpay_field_text("key", key));
}

/* Hands the file as it is now to the daemon, and says what of it waits for a restart. One that is
 * wrong changes nothing. */
static enum setpay_error reload_config(struct setpay_service *service,
                                       struct setpay_problem *problem)
{
    struct setpay_config *fresh = NULL;
    enum setpay_error error = load_config(service, &fresh, problem);
    if (error == SETPAY_OK)
        error = check_values(service->spec, fresh, problem);
    if (error == SETPAY_OK) {
        setpay_log_set_level(level_of(setpay_config_text(fresh, "", "log_level")));
        setpay_config_each_pending(service->config, fresh, log_pending, NULL);
        service->fresh = fresh;
        if (service->spec->on_reload_cb != NULL)
            error = service->spec->on_reload_cb(service, problem);
        service->fresh = NULL;
    }
    setpay_config_free(fresh);
    return error;
}

static enum setpay_error on_reload(void *context, struct setpay_daemon *daemon,
                                   struct setpay_problem *problem)
{
    (void)daemon;
    struct setpay_service *service = context;
    if (service->trust != NULL)
        setpay_service_load_crls(service, service->trust);
    return reload_config(service, problem);
}

static void on_drain(void *context, struct setpay_daemon *daemon)
{
    (void)daemon;
    struct setpay_service *service = context;
    service->draining = true;
    atomic_store(&service->stopping, true);
    if (service->admin != NULL)
        setpay_admin_http_set_draining(service->admin);
    if (service->spec->on_drain_cb != NULL)
        service->spec->on_drain_cb(service);
}

static void on_stop(void *context, struct setpay_daemon *daemon)
{
    (void)daemon;
    struct setpay_service *service = context;
    setpay_control_server_free(service->control);
    setpay_admin_http_free(service->admin);
    setpay_timer_free(service->crl_timer);
    if (service->store != NULL)
        setpay_store_drain(service->store);
    if (service->spec->on_stop_cb != NULL)
        service->spec->on_stop_cb(service);
    setpay_store_close(service->store);
    setpay_trust_free(service->trust);
    service->control = NULL;
    service->admin = NULL;
    service->crl_timer = NULL;
    service->store = NULL;
    service->trust = NULL;
}

/* ------------------------------------------------------------------ main */

static void print_help(const struct setpay_service_spec *spec)
{
    printf("usage: %s --config FILE [--check-config] [--KEY VALUE ...]\n\n%s\n\n", spec->name,
           spec->summary);
    printf("  --config FILE     the configuration\n"
           "  --check-config    say what is wrong with it, and where; start nothing\n"
           "  --print-reference\n"
           "                    the table of all its keys, in Markdown\n"
           "  --help            this text\n"
           "  --version         the version\n\n"
           "Every key of the configuration is a flag too, and wins over the file:\n");
    setpay_config_print_help(spec->options, stdout);
}

/* What the command line asks for besides the keys of the table. */
struct arguments {
    const char *config_path;
    bool check_only;
    bool help;
    bool version;
    bool reference;
};

/* Takes our own words out of argv, before the table's flags are read. */
static enum setpay_error read_arguments(int *argc, char **argv, struct arguments *arguments,
                                        struct setpay_problem *problem)
{
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--config") == 0) {
            if (i + 1 == *argc)
                return setpay_problem_set(problem, SETPAY_E_USAGE, "--config needs a file");
            arguments->config_path = argv[++i];
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            arguments->config_path = argv[i] + 9;
        } else if (strcmp(argv[i], "--check-config") == 0) {
            arguments->check_only = true;
        } else if (strcmp(argv[i], "--help") == 0) {
            arguments->help = true;
        } else if (strcmp(argv[i], "--version") == 0) {
            arguments->version = true;
        } else if (strcmp(argv[i], "--print-reference") == 0) {
            arguments->reference = true;
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    *argc = kept;
    return SETPAY_OK;
}

static enum setpay_error run(struct setpay_service *service, struct setpay_problem *problem)
{
    const struct setpay_service_spec *spec = service->spec;
    const struct setpay_config *config = service->config;
    struct setpay_daemon_listener listeners[SETPAY_SERVICE_LISTENERS_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; i < SETPAY_SERVICE_LISTENERS_MAX && spec->listeners[i].name != NULL; i++) {
        const char *address = setpay_config_text(config, "", spec->listeners[i].key);
        if (address != NULL)
            listeners[count++] = (struct setpay_daemon_listener){.name = spec->listeners[i].name,
                                                                 .address = address};
    }
    const char *admin = setpay_config_text(config, "", "admin_address");
    if (admin != NULL)
        listeners[count++] =
            (struct setpay_daemon_listener){.name = "admin", .address = admin, .main_only = true};
    const struct setpay_daemon_spec daemon = {
        .name = spec->name,
        .workers = (unsigned)setpay_config_int(config, "", "workers"),
        .testing = service->testing,
        .log_path = setpay_config_text(config, "", "log"),
        .log_level = level_of(setpay_config_text(config, "", "log_level")),
        .log_format = strcmp(setpay_config_text(config, "", "log_format"), "json") == 0
                          ? SETPAY_LOG_JSON
                          : SETPAY_LOG_LOGFMT,
        .listeners = listeners,
        .listener_count = count,
        .drain_timeout_ms = setpay_config_int(config, "", "drain_timeout"),
        .context = service,
        .on_start_cb = on_start,
        .on_ready_cb = on_ready,
        .on_reload_cb = on_reload,
        .on_drain_cb = on_drain,
        .on_stop_cb = on_stop,
        .worker_init_cb = spec->worker_init_cb,
        .worker_drain_cb = spec->worker_drain_cb,
        .worker_free_cb = spec->worker_free_cb,
    };
    return setpay_daemon_run(&daemon, problem);
}

int setpay_service_main(const struct setpay_service_spec *spec, int argc, char **argv)
{
    struct setpay_service service = {.spec = spec};
    struct arguments arguments = {0};
    struct setpay_problem problem = {{0}};
    enum setpay_error error = read_arguments(&argc, argv, &arguments, &problem);
    if (error == SETPAY_OK && arguments.help) {
        print_help(spec);
        return EXIT_SUCCESS;
    }
    if (error == SETPAY_OK && arguments.version) {
        printf("%s %s\n", spec->name, SETPAY_VERSION);
        return EXIT_SUCCESS;
    }
    if (error == SETPAY_OK && arguments.reference) {
        setpay_config_print_reference(spec->options, stdout);
        return EXIT_SUCCESS;
    }
    service.config_path = arguments.config_path;
    service.argc = argc;
    service.argv = argv;
    int unknown = setpay_config_first_unknown(spec->options, argc, argv, 1);
    if (error == SETPAY_OK && unknown < argc)
        error = setpay_config_refuse_word(spec->options, argv[unknown], spec->name, &problem);
    if (error == SETPAY_OK && arguments.config_path == NULL)
        error = setpay_problem_set(&problem, SETPAY_E_USAGE,
                                   "--config FILE is missing (see %s --help)", spec->name);
    if (error == SETPAY_OK)
        error = load_config(&service, &service.config, &problem);
    if (error == SETPAY_OK)
        error = check_values(spec, service.config, &problem);
    if (error == SETPAY_OK && arguments.check_only)
        error = setpay_config_check_files(service.config, &problem);
    if (error == SETPAY_OK && arguments.check_only) {
        printf("%s: the configuration is well-formed\n", arguments.config_path);
    } else if (error == SETPAY_OK) {
        service.testing = setpay_config_bool(service.config, "", "testing");
        error = run(&service, &problem);
    }
    if (error != SETPAY_OK)
        fprintf(stderr, "%s: %s\n", spec->name,
                problem.text[0] != '\0' ? problem.text : setpay_error_text(error));
    setpay_config_free(service.config);
    return setpay_error_exit_status(error);
}

/* ------------------------------------------------------------------ without the daemon */

static enum setpay_error open_stopped(const struct setpay_service_spec *spec,
                                      const char *config_path, bool retired,
                                      struct setpay_service *service,
                                      struct setpay_problem *problem)
{
    char program[] = "setpay";
    char *argv[] = {program, NULL};
    int argc = 1;
    struct setpay_service opened = {.spec = spec, .config_path = config_path};
    SETPAY_TRY(
        setpay_config_load(spec->options, config_path, &argc, argv, &opened.config, problem));
    enum setpay_error error = open_store(&opened, retired, problem);
    if (error != SETPAY_OK) {
        setpay_config_free(opened.config);
        return error;
    }
    *service = opened;
    return SETPAY_OK;
}

enum setpay_error setpay_service_open_stopped(const struct setpay_service_spec *spec,
                                              const char *config_path,
                                              struct setpay_service *service,
                                              struct setpay_problem *problem)
{
    return open_stopped(spec, config_path, false, service, problem);
}

enum setpay_error setpay_service_open_retired(const struct setpay_service_spec *spec,
                                              const char *config_path,
                                              struct setpay_service *service,
                                              struct setpay_problem *problem)
{
    return open_stopped(spec, config_path, true, service, problem);
}

void setpay_service_close(struct setpay_service *service)
{
    setpay_store_close(service->store);
    setpay_config_free(service->config);
    memset(service, 0, sizeof *service);
}
