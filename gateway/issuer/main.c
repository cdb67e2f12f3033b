/*
 * setpay-issuersim: a simulated card network and issuer that speaks ISO 8583:1987, for sandboxes
 * and tests. One daemon, and its own client for looking into its books and scripting its faults.
 *
 * It simulates a party outside this system, knows only published test cards and listens on loopback
 * alone.
 */
#include "common/base/config.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/net/admin_http.h"
#include "common/net/control_server.h"
#include "common/net/daemon.h"
#include "common/net/health_metrics.h"
#include "gateway/issuer/accounts.h"
#include "gateway/issuer/cards.h"
#include "gateway/issuer/clearing_file.h"
#include "gateway/issuer/commands.h"
#include "gateway/issuer/holds.h"
#include "gateway/issuer/script.h"
#include "gateway/issuer/server.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
static const struct setpay_option options[] = {
    {"", "listen", SETPAY_OPTION_ADDRESS, "127.0.0.1:8583", 0, 0, false, false, NULL,
     "where ISO 8583 is spoken; loopback only"},
    {"", "tls_cert", SETPAY_OPTION_FILE, NULL, 0, 0, false, false, NULL,
     "certificate chain, PEM: TLS 1.3 instead of plain TCP"},
    {"", "tls_key", SETPAY_OPTION_FILE, NULL, 0, 0, false, false, NULL, "its key, PEM"},
    {"", "database", SETPAY_OPTION_TEXT, NULL, 0, 0, true, false, NULL, "sqlite:PATH"},
    {"", "log", SETPAY_OPTION_PATH, NULL, 0, 0, false, false, NULL,
     "log file; standard error where unset; opened again on SIGHUP"},
    {"", "log_level", SETPAY_OPTION_CHOICE, "info", 0, 0, false, false, "debug|info|warn|error",
     "the least level that is logged"},
    {"", "log_format", SETPAY_OPTION_CHOICE, "logfmt", 0, 0, false, false, "logfmt|json",
     "the form of a log line"},
    {"", "admin_socket", SETPAY_OPTION_PATH, NULL, 0, 0, true, false, NULL,
     "UNIX socket for commands"},
    {"", "admin_address", SETPAY_OPTION_ADDRESS, NULL, 0, 0, false, false, NULL,
     "HTTP address of /healthz, /readyz and /metrics"},
    {"", "late", SETPAY_OPTION_DURATION, "8s", 1, 600000, false, false, NULL,
     "how late a late answer comes"},
    {"", "name", SETPAY_OPTION_TEXT, "issuersim", 0, 0, false, false, NULL,
     "the issuer's name in its files"},
    {"", "hold", SETPAY_OPTION_DURATION, "10d", 1000, 31536000000, false, false, NULL,
     "how long an authorisation holds its amount"},
    {"", "testing", SETPAY_OPTION_BOOL, "no", 0, 0, false, false, NULL,
     "let the control socket move the clock and arm crash points"},
    {NULL, NULL, SETPAY_OPTION_TEXT, NULL, 0, 0, false, false, NULL, NULL},
};
/* clang-format on */

struct program {
    struct setpay_ready_check check;
    const struct setpay_config *config;
    struct setpay_store *store;
    SSL_CTX *tls; /* NULL: plain */
    struct setpay_issuer_commands commands;
    struct setpay_executor executor;
    struct setpay_issuer_holds *holds;
    struct setpay_control_server *control;
    struct setpay_admin_http *admin;
};

static enum setpay_error check_store(void *arg, struct setpay_problem *why)
{
    struct program *program = arg;
    struct setpay_store_health health;
    setpay_store_health(program->store, 5000, &health);
    if (health.stuck || health.broken)
        return setpay_problem_set(why, SETPAY_E_STORE, "the committer is stuck");
    return SETPAY_OK;
}

/* What the table of options can't say of values; opens nothing. */
static enum setpay_error check_values(const struct setpay_config *config,
                                      struct setpay_problem *problem)
{
    struct setpay_address address;
    bool has_cert = setpay_config_text(config, "", "tls_cert") != NULL;
    SETPAY_TRY(setpay_store_check_url(setpay_config_text(config, "", "database"), problem));
    SETPAY_TRY(setpay_control_check_path("admin_socket",
                                         setpay_config_text(config, "", "admin_socket"), problem));
    SETPAY_TRY(setpay_address_parse(setpay_config_text(config, "", "listen"), &address, problem));
    if (!setpay_address_is_loopback(&address))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "listen: the simulator is for loopback only");
    if (!setpay_clearing_issuer_valid(setpay_config_text(config, "", "name")))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "name: expected 1 to 32 of A-Z a-z 0-9 . _ -");
    if (has_cert != (setpay_config_text(config, "", "tls_key") != NULL))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "tls_cert and tls_key: both are needed, or neither");
    return SETPAY_OK;
}

static enum setpay_error load_tls(struct program *program, struct setpay_problem *problem)
{
    const char *cert = setpay_config_text(program->config, "", "tls_cert");
    const char *key = setpay_config_text(program->config, "", "tls_key");
    if (cert == NULL)
        return SETPAY_OK;
    program->tls = SSL_CTX_new(TLS_server_method());
    if (program->tls == NULL)
        return SETPAY_E_NOMEM;
    if (SSL_CTX_use_certificate_chain_file(program->tls, cert) != 1)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "tls_cert: %s has no certificate in PEM", cert);
    if (SSL_CTX_use_PrivateKey_file(program->tls, key, SSL_FILETYPE_PEM) != 1)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "tls_key: %s has not the key of the certificate", key);
    return SETPAY_OK;
}

static enum setpay_error on_start(void *context, struct setpay_daemon *daemon,
                                  struct setpay_problem *problem)
{
    struct program *program = context;
    const struct setpay_store_options store = {
        .url = setpay_config_text(program->config, "", "database"),
        .schema = &setpay_account_schema,
    };
    (void)daemon;
    SETPAY_TRY(load_tls(program, problem));
    SETPAY_TRY(setpay_store_open(&store, &program->store, problem));
    SETPAY_TRY(setpay_store_submit_wait(program->store, setpay_account_seed, NULL));
    return setpay_reader_new(program->store, &program->commands.reader);
}

static enum setpay_error on_ready(void *context, struct setpay_daemon *daemon,
                                  struct setpay_problem *problem)
{
    struct program *program = context;
    struct setpay_loop *loop = setpay_daemon_loop(daemon);
    program->check = (struct setpay_ready_check){"store", check_store, program};
    const struct setpay_health_sources health = {
        .checks = &program->check,
        .check_count = 1,
        .store = program->store,
        .disk_path = setpay_store_place(program->store),
    };
    SETPAY_TRY(setpay_health_metrics_register(&health));
    SETPAY_TRY(setpay_issuer_server_new(
        loop, program->store, program->tls, setpay_daemon_take_listener(daemon, "network"),
        setpay_config_int(program->config, "", "late"), &program->commands.server));
    setpay_issuer_server_set_hold(program->commands.server,
                                  setpay_config_int(program->config, "", "hold"));
    SETPAY_TRY(setpay_issuer_holds_new(loop, program->store, &program->holds));
    program->executor = setpay_loop_executor(loop);
    program->commands.store = program->store;
    program->commands.executor = &program->executor;
    program->commands.issuer = setpay_config_text(program->config, "", "name");
    const struct setpay_control_options control = {
        .loop = loop,
        .path = setpay_config_text(program->config, "", "admin_socket"),
        .daemon = "setpay-issuersim",
        .commands = setpay_issuer_command_table,
        .arg = &program->commands,
        .lock_held = true,
        .testing = setpay_config_bool(program->config, "", "testing"),
        .status_cb = setpay_issuer_status,
    };
    SETPAY_TRY(setpay_control_server_new(&control, &program->control, problem));
    if (setpay_config_is_set(program->config, "", "admin_address"))
        SETPAY_TRY(setpay_admin_http_new(loop, setpay_daemon_take_listener(daemon, "admin"),
                                         &program->check, 1, &program->admin));
    char text[SETPAY_ADDRESS_TEXT_SIZE];
    setpay_log(SETPAY_LOG_INFO, "issuer.listening",
               setpay_field_text("address", setpay_address_format(
                                                setpay_daemon_address(daemon, "network"), text)));
    return SETPAY_OK;
}

static void on_drain(void *context, struct setpay_daemon *daemon)
{
    struct program *program = context;
    (void)daemon;
    if (program->commands.server != NULL)
        setpay_issuer_server_stop(program->commands.server);
    if (program->holds != NULL)
        setpay_issuer_holds_stop(program->holds);
    if (program->admin != NULL)
        setpay_admin_http_set_draining(program->admin);
}

static void on_stop(void *context, struct setpay_daemon *daemon)
{
    struct program *program = context;
    (void)daemon;
    setpay_control_server_free(program->control);
    setpay_admin_http_free(program->admin);
    setpay_reader_free(program->commands.reader);
    setpay_store_close(program->store);
    setpay_issuer_holds_free(program->holds);
    setpay_issuer_server_free(program->commands.server);
    SSL_CTX_free(program->tls);
}

static int fail(enum setpay_error error, const struct setpay_problem *problem)
{
    fprintf(stderr, "setpay-issuersim: %s\n",
            problem->text[0] != '\0' ? problem->text : setpay_error_text(error));
    return setpay_error_exit_status(error);
}

static int run_daemon(const struct setpay_config *config)
{
    struct program program = {.config = config};
    struct setpay_problem problem = {{0}};
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    struct setpay_daemon_listener listeners[2] = {
        {"network", setpay_config_text(config, "", "listen"), true},
        {"admin", setpay_config_text(config, "", "admin_address"), true},
    };
    struct setpay_daemon_spec spec = {
        .name = "setpay-issuersim",
        .workers = 1,
        .testing = setpay_config_bool(config, "", "testing"),
        .log_path = setpay_config_text(config, "", "log"),
        .log_level = SETPAY_LOG_INFO,
        .log_format = strcmp(setpay_config_text(config, "", "log_format"), "json") == 0
                          ? SETPAY_LOG_JSON
                          : SETPAY_LOG_LOGFMT,
        .listeners = listeners,
        .listener_count = setpay_config_is_set(config, "", "admin_address") ? 2 : 1,
        .context = &program,
        .on_start_cb = on_start,
        .on_ready_cb = on_ready,
        .on_drain_cb = on_drain,
        .on_stop_cb = on_stop,
    };
    for (int i = 0; i < 4; i++)
        if (strcmp(setpay_config_text(config, "", "log_level"), levels[i]) == 0)
            spec.log_level = (enum setpay_log_level)i;
    enum setpay_error error = setpay_daemon_run(&spec, &problem);
    return error == SETPAY_OK ? 0 : fail(error, &problem);
}

static int print_help(void)
{
    puts("usage: setpay-issuersim --config FILE [--check-config] [--KEY VALUE ...]\n"
         "       setpay-issuersim --config FILE [--json] COMMAND\n"
         "       setpay-issuersim cards [--json]\n\n"
         "A simulated card network and issuer that speaks ISO 8583:1987, for sandboxes and tests:\n"
         "the daemon, and with a COMMAND a look into the running one.\n\n"
         "  cards            the published test cards; needs no daemon");
    for (const struct setpay_control_command *c = setpay_issuer_command_table; c->name != NULL; c++)
        printf("  %-16s %s\n", c->name, c->help);
    fputs("  status           connections, messages and repeats so far\n\n"
          "KEYs of script:",
          stdout);
    setpay_script_print_names(stdout);
    puts("  --config FILE    the configuration\n"
         "  --check-config   say what is wrong with it, and where; start nothing\n"
         "  --print-reference\n"
         "                   the table of all its keys, in Markdown\n"
         "  --json           one JSON object instead of words\n"
         "  --help           this text\n"
         "  --version        the version\n\n"
         "Every key of the configuration is a flag too, and wins over the file:");
    setpay_config_print_help(options, stdout);
    return 0;
}

static bool is_command(const char *word)
{
    if (strcmp(word, "cards") == 0 || strcmp(word, "status") == 0)
        return true;
    for (const struct setpay_control_command *c = setpay_issuer_command_table; c->name != NULL; c++)
        if (strcmp(word, c->name) == 0)
            return true;
    return false;
}

/* Refuses flags that are not known, and a first word that is no command; what stands behind a
 * command is for the command to judge. */
static enum setpay_error check_words(int argc, char **argv, struct setpay_problem *problem)
{
    bool has_command = false;
    for (int i = 1; (i = setpay_config_first_unknown(options, argc, argv, i)) < argc; i++) {
        if (argv[i][0] == '-')
            return setpay_config_refuse_word(options, argv[i], "setpay-issuersim", problem);
        if (!has_command && !is_command(argv[i]))
            return setpay_problem_set(problem, SETPAY_E_USAGE,
                                      "unknown command '%.40s' (see setpay-issuersim --help)",
                                      argv[i]);
        has_command = true;
    }
    return SETPAY_OK;
}

/* Takes a flag, and its value where value is not NULL, out of the arguments. */
static bool take_flag(int *argc, char **argv, const char *name, const char **value)
{
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], name) != 0 || (value != NULL && i + 1 >= *argc))
            continue;
        int width = value == NULL ? 1 : 2;
        if (value != NULL)
            *value = argv[i + 1];
        for (int k = i; k + width <= *argc; k++)
            argv[k] = argv[k + width];
        *argc -= width;
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct setpay_config *config = NULL;
    struct setpay_problem problem = {{0}};
    const char *path = NULL;
    int status = 0;
    if (take_flag(&argc, argv, "--help", NULL))
        return print_help();
    if (take_flag(&argc, argv, "--version", NULL)) {
        puts("setpay-issuersim " SETPAY_VERSION);
        return 0;
    }
    if (take_flag(&argc, argv, "--print-reference", NULL)) {
        setpay_config_print_reference(options, stdout);
        return 0;
    }
    bool as_json = take_flag(&argc, argv, "--json", NULL);
    bool check = take_flag(&argc, argv, "--check-config", NULL);
    take_flag(&argc, argv, "--config", &path);
    setpay_issuer_take_flags(&argc, argv);
    enum setpay_error error = check_words(argc, argv, &problem);
    if (error != SETPAY_OK)
        return fail(error, &problem);
    if (argc == 2 && strcmp(argv[1], "cards") == 0) {
        error = setpay_card_print(as_json);
        return error == SETPAY_OK ? 0 : fail(error, &problem);
    }
    if (path == NULL) {
        setpay_problem_set(&problem, SETPAY_E_USAGE,
                           "--config FILE is missing (see setpay-issuersim --help)");
        return fail(SETPAY_E_USAGE, &problem);
    }
    error = setpay_config_load(options, path, &argc, argv, &config, &problem);
    if (error == SETPAY_OK && (check || argc == 1))
        error = check_values(config, &problem);
    if (error == SETPAY_OK && check)
        error = setpay_config_check_files(config, &problem);
    if (error == SETPAY_OK && check)
        printf("%s: the configuration is well-formed\n", path);
    else if (error == SETPAY_OK && argc == 1)
        status = run_daemon(config);
    else if (error == SETPAY_OK)
        error = setpay_issuer_call(setpay_config_text(config, "", "admin_socket"), argc - 1,
                                   argv + 1, as_json, &problem);
    if (error == SETPAY_E_STATE && problem.text[0] == '\0')
        status = EXIT_FAILURE; /* `check` has said what is wrong */
    else if (error != SETPAY_OK)
        status = fail(error, &problem);
    setpay_config_free(config);
    return status;
}
