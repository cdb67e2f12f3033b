/*
 * The operators' programs: options, help, the call, and what is printed.
 */
#include "common/net/operator.h"

#include "common/net/operator_backup.h"

#include "common/base/log.h"
#include "common/base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct call {
    const struct setpay_operator *op;
    const struct setpay_operator_command *command;
    const char *config_path;
    bool json;
    bool help;
    const char
        *topic; /* the first word of several commands, which help is asked about; NULL: all */
    json_t *args;
    json_t *result;
};

/* ------------------------------------------------------------------ help */

static void print_usage(const struct setpay_operator_command *command)
{
    printf("  %s%s%s%s%s\n      %s\n", command->words[0], command->words[1] != NULL ? " " : "",
           command->words[1] != NULL ? command->words[1] : "", *command->usage != '\0' ? " " : "",
           command->usage, command->help);
}

static void print_help(const struct call *call)
{
    const struct setpay_operator *op = call->op;
    printf("usage: %s --config FILE [--json] COMMAND\n\n", op->program);
    if (call->command != NULL) {
        print_usage(call->command);
        return;
    }
    if (call->topic != NULL) {
        for (size_t i = 0; i < op->command_count; i++)
            if (strcmp(op->commands[i].words[0], call->topic) == 0)
                print_usage(&op->commands[i]);
        return;
    }
    printf("The operator's program of %s. FILE is the daemon's own configuration.\n"
           "While the daemon runs it is asked; while it is stopped its database is opened.\n\n",
           op->party);
    for (size_t i = 0; i < op->command_count; i++)
        print_usage(&op->commands[i]);
    printf("\n  --config FILE  the configuration of %s\n"
           "  --json         one JSON object on standard output, and nothing else there\n"
           "  --help         this text; behind a command, or its first word, what there is of it\n"
           "  --version      the version\n\n"
           "%s\n",
           op->daemon->name, op->exits);
}

/* ------------------------------------------------------------------ the command line */

static const struct setpay_operator_command *find_command(const struct setpay_operator *op,
                                                          char **words, int count, int *used)
{
    for (size_t i = 0; i < op->command_count; i++) {
        const struct setpay_operator_command *command = &op->commands[i];
        *used = command->words[1] == NULL ? 1 : 2;
        if (count >= *used && strcmp(words[0], command->words[0]) == 0 &&
            (*used == 1 || strcmp(words[1], command->words[1]) == 0))
            return command;
    }
    *used = 0;
    return NULL;
}

static bool is_topic(const struct setpay_operator *op, const char *word)
{
    for (size_t i = 0; i < op->command_count; i++)
        if (strcmp(op->commands[i].words[0], word) == 0)
            return true;
    return false;
}

/* Takes the program's own options out of argv; what stays, from argv[0] on, are the command's
 * words. */
static enum setpay_error take_options(struct call *call, int *argc, char **argv,
                                      struct setpay_problem *problem)
{
    int kept = 0;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            call->json = true;
        } else if (strcmp(argv[i], "--config") == 0) {
            if (i + 1 == *argc)
                return setpay_problem_set(problem, SETPAY_E_USAGE, "--config needs a file");
            call->config_path = argv[++i];
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            call->config_path = argv[i] + 9;
        } else if (strcmp(argv[i], "--help") == 0) {
            call->help = true;
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("%s %s\n", call->op->program, SETPAY_VERSION);
            exit(EXIT_SUCCESS);
        } else {
            argv[kept++] = argv[i];
        }
    }
    *argc = kept;
    return SETPAY_OK;
}

/* Words that begin with no command. */
static enum setpay_error refuse_words(const struct setpay_operator *op, int argc, char **argv,
                                      struct setpay_problem *problem)
{
    const char *program = op->program;
    if (argc == 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "a command is needed (see %s --help)",
                                  program);
    if (argv[0][0] == '-')
        return setpay_problem_set(problem, SETPAY_E_USAGE, "unknown option '%.40s' (see %s --help)",
                                  argv[0], program);
    bool two = argc > 1 && argv[1][0] != '-';
    bool half = is_topic(op, argv[0]);
    if (half && !two)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "'%.40s' needs one more word (see %s %.40s --help)", argv[0],
                                  program, argv[0]);
    return setpay_problem_set(
        problem, SETPAY_E_USAGE, "unknown command '%.40s%s%.40s' (see %s%s%.40s --help)", argv[0],
        two ? " " : "", two ? argv[1] : "", program, half ? " " : "", half ? argv[0] : "");
}

static enum setpay_error read_command_line(struct call *call, int argc, char **argv,
                                           struct setpay_problem *problem)
{
    const struct setpay_operator *op = call->op;
    int used = 0;
    SETPAY_TRY(take_options(call, &argc, argv, problem));
    call->command = find_command(op, argv, argc, &used);
    if (call->help && call->command == NULL && argc > 0 && argv[0][0] != '-') {
        if (!is_topic(op, argv[0]))
            return refuse_words(op, argc, argv, problem);
        call->topic = argv[0];
    }
    if (call->help)
        return SETPAY_OK;
    if (call->command == NULL)
        return refuse_words(op, argc, argv, problem);
    SETPAY_TRY(setpay_operator_read_words(op->program, call->command, argv + used, argc - used,
                                          call->args, problem));
    if (op->before_cb != NULL)
        SETPAY_TRY(op->before_cb(call->command->name, call->args, problem));
    if (call->config_path == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--config FILE is missing: expected %s's own", op->daemon->name);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ doing it */

/* Whom a command asks: the daemon, or its database once that was opened. */
struct setpay_operator_asker {
    const struct setpay_operator *op;
    const char *config_path;
    struct setpay_control_client *client; /* NULL: no daemon runs */
    struct setpay_service service;
    bool has_service;
};

static enum setpay_error ask_database(struct setpay_operator_asker *asker, const char *name,
                                      const json_t *args, json_t **result,
                                      struct setpay_problem *problem)
{
    const struct setpay_operator *op = asker->op;
    if (!op->can_direct_cb(name))
        return setpay_problem_set(problem, SETPAY_E_UNREACHABLE,
                                  "%s is not running: start it with %s --config %s",
                                  op->daemon->name, op->daemon->name, asker->config_path);
    if (!asker->has_service)
        SETPAY_TRY(
            setpay_service_open_stopped(op->daemon, asker->config_path, &asker->service, problem));
    asker->has_service = true;
    return op->direct_cb(&asker->service, name, args, result, problem);
}

enum setpay_error setpay_operator_ask(struct setpay_operator_asker *asker, const char *name,
                                      json_t *args, json_t **result, struct setpay_problem *problem)
{
    const struct setpay_operator *op = asker->op;
    if (asker->client != NULL) {
        bool takes_long = op->takes_long_cb != NULL && op->takes_long_cb(name);
        return setpay_control_client_call(asker->client, name, args,
                                          takes_long ? 0 : SETPAY_OPERATOR_TIMEOUT_MS, NULL, NULL,
                                          result, problem);
    }
    enum setpay_error error = ask_database(asker, name, args, result, problem);
    json_decref(args);
    return error;
}

static const struct setpay_operator_whole *find_whole(const struct setpay_operator *op,
                                                      const char *name)
{
    const struct setpay_operator_whole *whole = op->wholes;
    while (whole != NULL && whole->name != NULL && strcmp(whole->name, name) != 0)
        whole++;
    return whole != NULL && whole->name != NULL ? whole : NULL;
}

/* Of the running daemon or of the stopped one's database. */
static enum setpay_error ask(struct call *call, const struct setpay_config *config,
                             struct setpay_problem *problem)
{
    const struct setpay_operator *op = call->op;
    const struct setpay_operator_whole *whole = find_whole(op, call->command->name);
    struct setpay_operator_asker asker = {.op = op, .config_path = call->config_path};
    enum setpay_error error =
        setpay_control_client_open(setpay_config_text(config, "", "admin_socket"), op->daemon->name,
                                   NULL, &asker.client, problem);
    if (error == SETPAY_E_UNREACHABLE) {
        problem->text[0] = '\0';
        error = SETPAY_OK;
    }
    if (error == SETPAY_OK && whole != NULL)
        error = whole->run_cb(&asker, config, call->args, &call->result, problem);
    else if (error == SETPAY_OK)
        error = setpay_operator_ask(&asker, call->command->name, json_deep_copy(call->args),
                                    &call->result, problem);
    if (asker.has_service)
        setpay_service_close(&asker.service);
    if (error == SETPAY_OK && op->after_cb != NULL)
        error = op->after_cb(asker.client, &call->result, problem);
    setpay_control_client_close(asker.client);
    return error;
}

static enum setpay_error do_command(struct call *call, struct setpay_problem *problem)
{
    const struct setpay_operator *op = call->op;
    struct setpay_config *config = NULL;
    char program[64];
    char *argv[] = {program, NULL};
    int argc = 1;
    (void)snprintf(program, sizeof program, "%s", op->program);
    if (op->doctor_cb != NULL && strcmp(call->command->name, "doctor") == 0)
        return op->doctor_cb(call->config_path, call->args, &call->result, problem);
    if (setpay_operator_is_backup(call->command->name)) /* also without a configuration yet */
        return setpay_operator_backup(op->daemon, call->config_path, call->command->name,
                                      call->args, &call->result, problem);
    SETPAY_TRY(
        setpay_config_load(op->daemon->options, call->config_path, &argc, argv, &config, problem));
    enum setpay_error error = op->local != NULL && strcmp(call->command->name, op->local) == 0
                                  ? op->local_cb(config, call->args, &call->result, problem)
                                  : ask(call, config, problem);
    setpay_config_free(config);
    return error;
}

/* ------------------------------------------------------------------ what comes out */

static void print_json(const json_t *json)
{
    (void)json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
}

static void print_error(const struct call *call, enum setpay_error error,
                        const struct setpay_problem *problem)
{
    const char *words = problem->text[0] != '\0' ? problem->text : setpay_error_text(error);
    const char *rule = setpay_error_rule(error);
    fprintf(stderr, "%s: %s%s%s%s\n", call->op->program, words, rule[0] != '\0' ? " (rule " : "",
            rule, rule[0] != '\0' ? ")" : "");
    if (!call->json || call->result != NULL)
        return;
    json_t *object =
        json_pack("{s:{s:s, s:s, s:s, s:i}}", "error", "name", setpay_error_name(error), "rule",
                  rule, "text", words, "exit", setpay_error_exit_status(error));
    print_json(object);
    json_decref(object);
}

const char *setpay_operator_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL && text[0] != '\0' ? text : "-";
}

void setpay_operator_print_members(const json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        printf("%-18s %s\n", name, json_is_string(value) ? json_string_value(value) : text);
        free(text);
    }
}

int setpay_operator_main(const struct setpay_operator *op, int argc, char **argv)
{
    struct call call = {.op = op, .args = json_object()};
    struct setpay_problem problem = {{0}};
    enum setpay_error error = setpay_secret_system_init();
    if (error == SETPAY_OK)
        error = setpay_log_open(NULL, SETPAY_LOG_ERROR, SETPAY_LOG_LOGFMT);
    if (error == SETPAY_OK)
        error = read_command_line(&call, argc, argv, &problem);
    if (error == SETPAY_OK && call.help)
        print_help(&call);
    else if (error == SETPAY_OK)
        error = do_command(&call, &problem);
    if (error != SETPAY_OK)
        print_error(&call, error, &problem);
    /* There may be a result with an error: what is, though it is not what was wished for yet. */
    if (call.result != NULL && call.json)
        print_json(call.result);
    else if (call.result != NULL)
        call.command->print(call.result);
    if (fflush(stdout) != 0 && error == SETPAY_OK)
        error = SETPAY_E_IO;
    json_decref(call.args);
    json_decref(call.result);
    return setpay_error_exit_status(error);
}
