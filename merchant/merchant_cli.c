/*
 * setpay-merchant: the operator's program of the merchant.
 *
 * It asks the running daemon through its administration socket. When no daemon runs it takes the
 * daemon's lock and does the same work on the database itself; there are never two writers. With
 * --json it prints one JSON object and nothing else on standard output, also for an error.
 */
#include "common/base/log.h"
#include "common/base/money.h"
#include "common/base/secret.h"
#include "common/net/control_client.h"
#include "merchant/commands.h"
#include "merchant/merchant_words.h"
#include "merchant/merchantd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CALL_TIMEOUT_MS 30000
/* How long void and cancel wait for the gateway, and how often they look. */
#define GATEWAY_WAIT_MS 10000
#define GATEWAY_LOOK_MS 100
#define FILE_MAX (256 * 1024)

struct options {
    const char *config_path;
    bool json;
    bool help;
};

/* How a flag's value becomes a member of the arguments. */
enum flag_kind {
    FLAG_END,
    FLAG_TEXT,
    FLAG_NUMBER,
    FLAG_MONEY,    /* "12.50 EUR": amount and currency */
    FLAG_METADATA, /* KEY=VALUE, any number of them */
    FLAG_FILE,     /* a JSON object: all members */
};

struct flag {
    const char *name;
    enum flag_kind kind;
    const char *member;
};

struct command {
    const char *words[2];
    const char *name;    /* the daemon's command */
    const char *operand; /* the member that a bare word becomes; NULL: takes none */
    const struct flag *flags;
    setpay_merchant_words_fn *print;
    const char *usage;
    const char *help;
};

/* ------------------------------------------------------------------ the commands */

static const struct flag no_flags[] = {{0}};
static const struct flag create_flags[] = {
    {"description", FLAG_TEXT, "description"},
    {"amount", FLAG_MONEY, NULL},
    {"capture", FLAG_TEXT, "capture"},
    {"expires-in", FLAG_NUMBER, "expires_in"},
    {"metadata", FLAG_METADATA, "metadata"},
    {"file", FLAG_FILE, NULL},
    {0},
};
static const struct flag order_list_flags[] = {
    {"status", FLAG_TEXT, "status"},
    {"limit", FLAG_NUMBER, "limit"},
    {"cursor", FLAG_TEXT, "cursor"},
    {0},
};
static const struct flag purchase_list_flags[] = {
    {"limit", FLAG_NUMBER, "limit"},
    {"cursor", FLAG_NUMBER, "cursor"},
    {0},
};
static const struct flag name_flags[] = {{"name", FLAG_TEXT, "name"}, {0}};

static const struct command commands[] = {
    {{"order", "create"},
     "order.create",
     NULL,
     create_flags,
     setpay_merchant_words_order,
     "--description TEXT --amount \"12.50 EUR\" [--capture on_shipment|immediate|manual]"
     " [--expires-in SECONDS] [--metadata KEY=VALUE]... | --file FILE|-",
     "make an order; FILE holds the JSON that POST /orders takes"},
    {{"order", "list"},
     "order.list",
     NULL,
     order_list_flags,
     setpay_merchant_words_orders,
     "[--status STATUS] [--limit N] [--cursor C]",
     "orders, the newest first"},
    {{"order", "show"},
     "order.show",
     "order_id",
     no_flags,
     setpay_merchant_words_order,
     "ORDER",
     "an order with its payments"},
    {{"order", "void"},
     "order.void",
     "order_id",
     no_flags,
     setpay_merchant_words_order,
     "ORDER",
     "give the hold of an authorised order back"},
    {{"order", "cancel"},
     "order.cancel",
     "order_id",
     no_flags,
     setpay_merchant_words_order,
     "ORDER",
     "end an order that is not authorised"},
    {{"token", "add"},
     "token.add",
     NULL,
     name_flags,
     setpay_merchant_words_token,
     "--name NAME",
     "make a bearer token of the API; it is shown once"},
    {{"token", "list"},
     "token.list",
     NULL,
     no_flags,
     setpay_merchant_words_tokens,
     "",
     "the names of the tokens"},
    {{"token", "remove"},
     "token.remove",
     NULL,
     name_flags,
     setpay_merchant_words_token_removed,
     "--name NAME",
     "accept a token no longer"},
    {{"purchase", "list"},
     "purchase.list",
     NULL,
     purchase_list_flags,
     setpay_merchant_words_purchases,
     "[--limit N] [--cursor C]",
     "purchases, the newest first"},
    {{"purchase", "show"},
     "purchase.show",
     "xid",
     no_flags,
     setpay_merchant_words_purchase,
     "XID",
     "one purchase, and what was signed"},
    {{"status", NULL},
     "status",
     NULL,
     no_flags,
     setpay_merchant_words_status,
     "",
     "how the running daemon is"},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void print_usage(const struct command *command)
{
    printf("  %s%s%s%s%s\n      %s\n", command->words[0], command->words[1] != NULL ? " " : "",
           command->words[1] != NULL ? command->words[1] : "", *command->usage != '\0' ? " " : "",
           command->usage, command->help);
}

static void print_help(const struct command *only)
{
    puts("usage: setpay-merchant --config FILE [--json] COMMAND\n");
    if (only != NULL) {
        print_usage(only);
        return;
    }
    puts("The operator's program of the merchant. FILE is the daemon's own configuration.\n"
         "While the daemon runs it is asked; while it is stopped its database is opened.\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        print_usage(&commands[i]);
    puts("\n  --config FILE  the configuration of setpay-merchantd\n"
         "  --json         one JSON object on standard output, and nothing else there\n"
         "  --help         this text, or the help of the command named\n"
         "  --version      the version\n\n"
         "Exit status: 0 done, 1 failed, 2 usage, 4 no answer yet (safe to repeat),\n"
         "  5 a security check failed");
}

static const struct command *find_command(char **words, int count, int *used)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = &commands[i];
        *used = command->words[1] == NULL ? 1 : 2;
        if (count >= *used && strcmp(words[0], command->words[0]) == 0 &&
            (*used == 1 || strcmp(words[1], command->words[1]) == 0))
            return command;
    }
    *used = 0;
    return NULL;
}

/* ------------------------------------------------------------------ flags */

static enum setpay_error set_member(json_t *args, const char *flag, const char *member,
                                    json_t *value, struct setpay_problem *problem)
{
    if (value == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "--%s: the value is not UTF-8", flag);
    if (json_object_get(args, member) != NULL) {
        json_decref(value);
        return setpay_problem_set(problem, SETPAY_E_USAGE, "--%s: %s is given twice", flag, member);
    }
    return json_object_set_new(args, member, value) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error read_number(const char *flag, const char *member, const char *text,
                                     json_t *args, struct setpay_problem *problem)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (text[0] == '\0' || *end != '\0' || errno != 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--%s: found '%.40s'; expected a whole number", flag, text);
    return set_member(args, flag, member, json_integer(value), problem);
}

static enum setpay_error read_money(const char *text, json_t *args, struct setpay_problem *problem)
{
    struct setpay_money money;
    if (setpay_money_parse(text, &money) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--amount: found '%.40s'; expected an amount with its currency,"
                                  " like \"12.50 EUR\" or \"1250 JPY\"",
                                  text);
    SETPAY_TRY(set_member(args, "amount", "amount", json_integer(money.minor), problem));
    return set_member(args, "amount", "currency", json_string(money.currency), problem);
}

static enum setpay_error read_metadata(const char *text, json_t *args,
                                       struct setpay_problem *problem)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--metadata: found '%.40s'; expected KEY=VALUE", text);
    json_t *metadata = json_object_get(args, "metadata");
    if (metadata == NULL) {
        SETPAY_TRY(set_member(args, "metadata", "metadata", json_object(), problem));
        metadata = json_object_get(args, "metadata");
    }
    char *key = strndup(text, (size_t)(equals - text));
    enum setpay_error error =
        key == NULL ? SETPAY_E_NOMEM
                    : set_member(metadata, "metadata", key, json_string(equals + 1), problem);
    free(key);
    return error;
}

/* Every member of the object in the file ("-": standard input). */
static enum setpay_error read_file(const char *path, json_t *args, struct setpay_problem *problem)
{
    json_error_t where;
    bool input = strcmp(path, "-") == 0;
    FILE *file = input ? stdin : fopen(path, "re");
    const char *name = input ? "standard input" : path;
    if (file == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "--file: %s: %s", path, strerror(errno));
    char *bytes = malloc(FILE_MAX + 1);
    size_t size = bytes == NULL ? 0 : fread(bytes, 1, FILE_MAX + 1, file);
    if (!input)
        (void)fclose(file);
    json_t *json = NULL;
    enum setpay_error error = bytes == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK && size > FILE_MAX)
        error =
            setpay_problem_set(problem, SETPAY_E_USAGE, "%s: larger than %d bytes", name, FILE_MAX);
    if (error == SETPAY_OK) {
        json = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &where);
        if (json == NULL)
            error = setpay_problem_set(problem, SETPAY_E_USAGE, "%s, line %d, column %d: %s", name,
                                       where.line, where.column, where.text);
        else if (!json_is_object(json))
            error =
                setpay_problem_set(problem, SETPAY_E_USAGE, "%s: expected one JSON object", name);
        else if (json_object_update_missing(args, json) != 0)
            error = SETPAY_E_NOMEM;
    }
    free(bytes);
    json_decref(json);
    return error;
}

static enum setpay_error read_flag(const struct flag *flag, const char *value, json_t *args,
                                   struct setpay_problem *problem)
{
    switch (flag->kind) {
    case FLAG_NUMBER:
        return read_number(flag->name, flag->member, value, args, problem);
    case FLAG_MONEY:
        return read_money(value, args, problem);
    case FLAG_METADATA:
        return read_metadata(value, args, problem);
    case FLAG_FILE:
        return read_file(value, args, problem);
    default:
        return set_member(args, flag->name, flag->member, json_string(value), problem);
    }
}

/* The words behind the command as the daemon's arguments. */
static enum setpay_error read_words(const struct command *command, char **words, int count,
                                    json_t *args, struct setpay_problem *problem)
{
    for (int i = 0; i < count; i++) {
        bool is_flag = strncmp(words[i], "--", 2) == 0;
        const struct flag *flag = command->flags;
        while (is_flag && flag->kind != FLAG_END && strcmp(flag->name, words[i] + 2) != 0)
            flag++;
        if (!is_flag && command->operand != NULL &&
            json_object_get(args, command->operand) == NULL) {
            SETPAY_TRY(set_member(args, command->operand, command->operand, json_string(words[i]),
                                  problem));
        } else if (is_flag && flag->kind != FLAG_END) {
            if (++i == count)
                return setpay_problem_set(problem, SETPAY_E_USAGE, "--%s needs a value",
                                          flag->name);
            SETPAY_TRY(read_flag(flag, words[i], args, problem));
        } else {
            return setpay_problem_set(problem, SETPAY_E_USAGE,
                                      "unknown argument '%.60s' (see setpay-merchant %s %s --help)",
                                      words[i], command->words[0],
                                      command->words[1] != NULL ? command->words[1] : "");
        }
    }
    if (command->operand != NULL && json_object_get(args, command->operand) == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s %s: expected %s behind it",
                                  command->words[0], command->words[1], command->usage);
    return SETPAY_OK;
}

/* Takes the program's own options out of argv; what stays are the command's words. */
static enum setpay_error read_options(int *argc, char **argv, struct options *options,
                                      struct setpay_problem *problem)
{
    int kept = 0;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options->json = true;
        } else if (strcmp(argv[i], "--config") == 0) {
            if (i + 1 == *argc)
                return setpay_problem_set(problem, SETPAY_E_USAGE, "--config needs a file");
            options->config_path = argv[++i];
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            options->config_path = argv[i] + 9;
        } else if (strcmp(argv[i], "--help") == 0) {
            options->help = true;
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("setpay-merchant %s\n", SETPAY_VERSION);
            exit(EXIT_SUCCESS);
        } else {
            argv[kept++] = argv[i];
        }
    }
    *argc = kept;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ doing it */

struct direct {
    const struct setpay_merchant_command *command;
    struct setpay_merchant_context context;
    const json_t *args;
    json_t **result;
    struct setpay_problem *problem;
};

static enum setpay_error run_direct(struct setpay_db *db, void *arg)
{
    struct direct *direct = arg;
    return direct->command->run(db, &direct->context, direct->args, direct->result,
                                direct->problem);
}

/* On the stopped daemon's database. */
static enum setpay_error do_directly(const struct options *options, const struct command *command,
                                     const json_t *args, json_t **result,
                                     struct setpay_problem *problem)
{
    struct setpay_service service;
    struct direct direct = {.command = setpay_merchant_command_find(command->name),
                            .args = args,
                            .result = result,
                            .problem = problem};
    if (direct.command == NULL)
        return setpay_problem_set(problem, SETPAY_E_UNREACHABLE,
                                  "setpay-merchantd is not running: start it with"
                                  " setpay-merchantd --config %s",
                                  options->config_path);
    SETPAY_TRY(setpay_service_open_stopped(&setpay_merchantd_spec, options->config_path, &service,
                                           problem));
    direct.context = setpay_merchant_context_of(&service, false);
    enum setpay_error error = setpay_store_submit_wait(service.store, run_direct, &direct);
    setpay_service_close(&service);
    return error;
}

/* A void or cancel that the gateway has to answer: looks again until it has. *result becomes the
 * order alone. SETPAY_E_TIMEOUT, with the order, where it has not. */
static enum setpay_error wait_for_gateway(struct setpay_control_client *client, json_t **result,
                                          struct setpay_problem *problem)
{
    bool under_way = json_is_true(json_object_get(*result, "under_way"));
    json_t *order = json_incref(json_object_get(*result, "order"));
    enum setpay_error error = SETPAY_OK;
    json_decref(*result);
    *result = order;
    for (int looked = 0; under_way && error == SETPAY_OK; looked++) {
        const char *status = json_string_value(json_object_get(order, "status"));
        under_way = strcmp(status, "voided") != 0 && strcmp(status, "cancelled") != 0;
        if (!under_way)
            break;
        if (looked == GATEWAY_WAIT_MS / GATEWAY_LOOK_MS)
            return setpay_problem_set(problem, SETPAY_E_TIMEOUT,
                                      "the gateway has not answered yet; the daemon goes on (see"
                                      " `setpay-merchant order show %s`)",
                                      json_string_value(json_object_get(order, "order_id")));
        const struct timespec pause = {.tv_nsec = GATEWAY_LOOK_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
        json_t *args = json_pack("{s:O}", "order_id", json_object_get(order, "order_id"));
        json_t *seen = NULL;
        error = setpay_control_client_call(client, "order.show", args, CALL_TIMEOUT_MS, NULL, NULL,
                                           &seen, problem);
        if (error == SETPAY_OK) {
            json_decref(order);
            order = *result = seen;
        }
    }
    return error;
}

static enum setpay_error do_command(const struct options *options, const struct command *command,
                                    const json_t *args, json_t **result,
                                    struct setpay_problem *problem)
{
    struct setpay_config *config = NULL;
    struct setpay_control_client *client = NULL;
    char program[] = "setpay-merchant";
    char *argv[] = {program, NULL};
    int argc = 1;
    SETPAY_TRY(setpay_config_load(setpay_merchantd_spec.options, options->config_path, &argc, argv,
                                  &config, problem));
    enum setpay_error error = setpay_control_client_open(
        setpay_config_text(config, "", "admin_socket"), "setpay-merchantd", NULL, &client, problem);
    setpay_config_free(config);
    if (error == SETPAY_E_UNREACHABLE)
        error = do_directly(options, command, args, result, problem);
    else if (error == SETPAY_OK)
        error = setpay_control_client_call(client, command->name, json_deep_copy(args),
                                           CALL_TIMEOUT_MS, NULL, NULL, result, problem);
    if (error == SETPAY_OK && json_object_get(*result, "under_way") != NULL)
        error = wait_for_gateway(client, result, problem);
    setpay_control_client_close(client);
    return error;
}

/* ------------------------------------------------------------------ what comes out */

static void print_json(const json_t *json)
{
    (void)json_dumpf(json, stdout, JSON_COMPACT);
    putchar('\n');
}

static void print_error(const struct options *options, enum setpay_error error,
                        const struct setpay_problem *problem)
{
    const char *words = problem->text[0] != '\0' ? problem->text : setpay_error_text(error);
    fprintf(stderr, "setpay-merchant: %s\n", words);
    if (!options->json)
        return;
    json_t *object =
        json_pack("{s:{s:s, s:s, s:s, s:i}}", "error", "name", setpay_error_name(error), "rule",
                  setpay_error_rule(error), "text", words, "exit", setpay_error_exit_status(error));
    print_json(object);
    json_decref(object);
}

static enum setpay_error read_command_line(int argc, char **argv, struct options *options,
                                           const struct command **command, json_t *args,
                                           struct setpay_problem *problem)
{
    int used = 0;
    SETPAY_TRY(read_options(&argc, argv, options, problem));
    *command = find_command(argv, argc, &used);
    if (options->help)
        return SETPAY_OK;
    if (argc > 0 && argv[0][0] == '-')
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "unknown option '%.40s' (see setpay-merchant --help)", argv[0]);
    if (*command == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  argc > 0 ? "unknown command '%.40s%s%.40s' (see setpay-merchant"
                                             " --help)"
                                           : "a command is needed%s%s%s (see setpay-merchant"
                                             " --help)",
                                  argc > 0 ? argv[0] : "", argc > 1 ? " " : "",
                                  argc > 1 ? argv[1] : "");
    SETPAY_TRY(read_words(*command, argv + used, argc - used, args, problem));
    if (options->config_path == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--config FILE is missing: expected setpay-merchantd's own");
    return SETPAY_OK;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct setpay_problem problem = {{0}};
    json_t *args = json_object();
    json_t *result = NULL;
    const struct command *command = NULL;
    enum setpay_error error = setpay_secret_system_init();
    if (error == SETPAY_OK)
        error = setpay_log_open(NULL, SETPAY_LOG_ERROR, SETPAY_LOG_LOGFMT);
    if (error == SETPAY_OK)
        error = read_command_line(argc, argv, &options, &command, args, &problem);
    if (error == SETPAY_OK && options.help) {
        print_help(command);
        goto out;
    }
    if (error == SETPAY_OK)
        error = do_command(&options, command, args, &result, &problem);
    if (error != SETPAY_OK && !(options.json && result != NULL))
        print_error(&options, error, &problem);
    else if (error != SETPAY_OK)
        fprintf(stderr, "setpay-merchant: %s\n", problem.text);
    if (options.json && result != NULL)
        print_json(result);
    else if (result != NULL)
        command->print(result);
    if (fflush(stdout) != 0 && error == SETPAY_OK)
        error = SETPAY_E_IO;
out:
    json_decref(args);
    json_decref(result);
    return setpay_error_exit_status(error);
}
