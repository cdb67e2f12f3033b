/*
 * setpay-gateway: the operator's program of the payment gateway.
 *
 * It asks the running daemon through its administration socket. When no daemon runs it takes the
 * daemon's lock and does the same work on the database itself; there are never two writers. With
 * --json it prints one JSON object and nothing else, also for an error.
 */
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/net/control_client.h"
#include "gateway/commands.h"
#include "gateway/gatewayd.h"
#include "gateway/payment/vault.h"
#include "gateway/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_TIMEOUT_MS 30000

struct options {
    const char *config_path;
    bool json;
    bool help;
    bool version;
};

typedef void print_fn(const json_t *result);

/* One command of the command line: the words, the daemon's command, its flags. */
struct command {
    const char *words[2];
    const char *name;
    const char *operand;      /* the member that a bare argument becomes; NULL: takes none */
    const char *const *texts; /* flags with a text: the member's name */
    const char *const *numbers;
    const char *const *switches;
    print_fn *print;
    const char *usage;
    const char *help;
};

/* ------------------------------------------------------------------ words for people */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL && text[0] != '\0' ? text : "-";
}

static void print_merchant_line(const json_t *merchant)
{
    printf("%-12s %-24s %-8s %04lld  %s\n", text_of(merchant, "brand"), text_of(merchant, "id"),
           json_is_true(json_object_get(merchant, "enabled")) ? "enabled" : "disabled",
           (long long)json_integer_value(json_object_get(merchant, "category")),
           text_of(merchant, "name"));
}

static void print_merchants(const json_t *result)
{
    const json_t *list = json_object_get(result, "merchants");
    size_t index;
    const json_t *merchant;
    if (json_array_size(list) == 0) {
        puts("No merchant is known. Add one: setpay-gateway merchant add --brand B --id ID "
             "--name NAME");
        return;
    }
    printf("%-12s %-24s %-8s %s  %s\n", "BRAND", "ID", "STATUS", "TYPE", "NAME");
    json_array_foreach(list, index, merchant)
    {
        print_merchant_line(merchant);
    }
}

static void print_payments(const json_t *result)
{
    const json_t *list = json_object_get(result, "payments");
    size_t index;
    const json_t *payment;
    if (json_array_size(list) == 0) {
        puts("There is no such payment yet.");
        return;
    }
    printf("%-32s  %-9s %16s  %-6s %-12s %s\n", "XID", "STATUS", "AMOUNT", "ACTION", "BRAND",
           "MERCHANT");
    json_array_foreach(list, index, payment)
    {
        printf("%-32s  %-9s %16s  %-6s %-12s %s\n", text_of(payment, "xid"),
               text_of(payment, "status"), text_of(payment, "amount_text"),
               text_of(payment, "action_code"), text_of(payment, "brand"),
               text_of(payment, "merchant_id"));
    }
    json_int_t next = json_integer_value(json_object_get(result, "next_before"));
    if (next != 0)
        printf("There are older ones: --before %lld\n", (long long)next);
}

static void print_payment(const json_t *payment)
{
    static const struct {
        const char *title;
        const char *member;
    } rows[] = {
        {"payment", "xid"},
        {"status", "status"},
        {"asked", "amount_text"},
        {"brand", "brand"},
        {"merchant", "merchant_id"},
        {"card", "card"},
        {"action code", "action_code"},
        {"approval code", "approval_code"},
        {"address check", "avs_result"},
        {"security code", "security_code_result"},
        {"signed digest", "pomd"},
        {"hold until", "hold_expiry"},
        {"created", "created"},
        {"updated", "updated"},
    };
    size_t index;
    const json_t *entry;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        printf("%-14s %s\n", rows[i].title, text_of(payment, rows[i].member));
    printf("%-14s %lld approved, %lld reversed (minor units)\n", "amounts",
           (long long)json_integer_value(json_object_get(payment, "approved")),
           (long long)json_integer_value(json_object_get(payment, "reversed")));
    json_array_foreach(json_object_get(payment, "receipts"), index, entry)
    {
        printf("%-14s %s, %s\n", "receipt", text_of(entry, "kind"), text_of(entry, "date"));
    }
    json_array_foreach(json_object_get(payment, "reversals"), index, entry)
    {
        printf("%-14s %lld, %s, sent %lld times\n", "reversal",
               (long long)json_integer_value(json_object_get(entry, "amount")),
               json_is_true(json_object_get(entry, "acknowledged")) ? "acknowledged by the issuer"
                                                                    : "not acknowledged yet",
               (long long)json_integer_value(json_object_get(entry, "sent")));
    }
}

static void print_status(const json_t *status)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)status, name, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        printf("%-14s %s\n", name, json_is_string(value) ? json_string_value(value) : text);
        free(text);
    }
}

/* ------------------------------------------------------------------ the command line */

static const char *const no_flags[] = {NULL};
static const char *const merchant_texts[] = {"brand", "id", NULL};
static const char *const add_texts[] = {"brand", "id", "name", NULL};
static const char *const add_numbers[] = {"category", NULL};
static const char *const add_switches[] = {"if-absent", NULL};
static const char *const list_texts[] = {"state", NULL};
static const char *const list_numbers[] = {"limit", "before", NULL};
static const char *const show_texts[] = {"brand", "merchant-id", NULL};

static const struct command commands[] = {
    {{"merchant", "add"},
     "merchant.add",
     NULL,
     add_texts,
     add_numbers,
     add_switches,
     print_merchant_line,
     "--brand B --id ID --name NAME [--category NNNN] [--if-absent]",
     "make a merchant known, enabled; --if-absent: leave one that is there as it is"},
    {{"merchant", "list"},
     "merchant.list",
     NULL,
     no_flags,
     no_flags,
     no_flags,
     print_merchants,
     "",
     "all merchants"},
    {{"merchant", "enable"},
     "merchant.enable",
     NULL,
     merchant_texts,
     no_flags,
     no_flags,
     print_merchant_line,
     "--brand B --id ID",
     "its requests are taken again"},
    {{"merchant", "disable"},
     "merchant.disable",
     NULL,
     merchant_texts,
     no_flags,
     no_flags,
     print_merchant_line,
     "--brand B --id ID",
     "its requests are refused from now on"},
    {{"payment", "list"},
     "payment.list",
     NULL,
     list_texts,
     list_numbers,
     no_flags,
     print_payments,
     "[--state asking|approved|declined|voided|reversed] [--limit N] [--before N]",
     "payments, the newest first; --before: the next page"},
    {{"payment", "show"},
     "payment.show",
     "xid",
     show_texts,
     no_flags,
     no_flags,
     print_payment,
     "XID [--brand B] [--merchant-id ID]",
     "one payment with its receipts and reversals"},
    {{"status", NULL},
     "status",
     NULL,
     no_flags,
     no_flags,
     no_flags,
     print_status,
     "",
     "how the running daemon is"},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void print_command(const struct command *command)
{
    printf("  %s%s%s%s%s\n      %s\n", command->words[0], command->words[1] != NULL ? " " : "",
           command->words[1] != NULL ? command->words[1] : "", *command->usage != '\0' ? " " : "",
           command->usage, command->help);
}

/* only: NULL for all. */
static void print_help(const struct command *only)
{
    puts("usage: setpay-gateway --config FILE [--json] COMMAND\n");
    if (only != NULL) {
        print_command(only);
        return;
    }
    puts("The operator's program of the payment gateway. FILE is the daemon's own configuration.\n"
         "While the daemon runs it is asked; while it is stopped its database is opened.\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        print_command(&commands[i]);
    puts("\n  --config FILE  the configuration of setpay-gatewayd\n"
         "  --json         one JSON object on standard output, and nothing else there\n"
         "  --help         this text, or the help of the command named\n"
         "  --version      the version\n\n"
         "Exit status: 0 done, 1 failed, 2 usage, 4 the daemon does not run or answer");
}

static bool is_listed(const char *const *names, const char *flag)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, flag) == 0)
            return true;
    }
    return false;
}

static const struct command *find_command(char **words, int count, int *used)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = &commands[i];
        if (count < 1 || strcmp(words[0], command->words[0]) != 0)
            continue;
        if (command->words[1] == NULL) {
            *used = 1;
            return command;
        }
        if (count >= 2 && strcmp(words[1], command->words[1]) == 0) {
            *used = 2;
            return command;
        }
    }
    return NULL;
}

static enum setpay_error read_number(const char *flag, const char *text, json_t *args,
                                     struct setpay_problem *problem)
{
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    if (text[0] == '\0' || *end != '\0')
        return setpay_problem_set(problem, SETPAY_E_USAGE, "--%s: '%s' is not a whole number", flag,
                                  text);
    json_object_set_new(args, flag, json_integer(value));
    return SETPAY_OK;
}

static const char *member_of(const char *flag)
{
    return strcmp(flag, "merchant-id") == 0 ? "merchant_id" : flag;
}

/* The words behind the command as the daemon's arguments. */
static enum setpay_error read_flags(const struct command *command, char **words, int count,
                                    json_t *args, struct setpay_problem *problem)
{
    for (int i = 0; i < count; i++) {
        const char *flag = strncmp(words[i], "--", 2) == 0 ? words[i] + 2 : NULL;
        if (flag == NULL && command->operand != NULL &&
            json_object_get(args, command->operand) == NULL) {
            json_object_set_new(args, command->operand, json_string(words[i]));
        } else if (flag != NULL && is_listed(command->switches, flag)) {
            json_object_set_new(args, "if_absent", json_true());
        } else if (flag != NULL &&
                   (is_listed(command->texts, flag) || is_listed(command->numbers, flag))) {
            if (i + 1 == count)
                return setpay_problem_set(problem, SETPAY_E_USAGE, "--%s needs a value", flag);
            i++;
            if (is_listed(command->numbers, flag))
                SETPAY_TRY(read_number(flag, words[i], args, problem));
            else if (json_object_set_new(args, member_of(flag), json_string(words[i])) != 0)
                return setpay_problem_set(problem, SETPAY_E_USAGE, "--%s: not UTF-8", flag);
        } else {
            return setpay_problem_set(problem, SETPAY_E_USAGE,
                                      "unknown argument '%s' (see setpay-gateway --help)",
                                      words[i]);
        }
    }
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
            options->version = true;
        } else {
            argv[kept++] = argv[i];
        }
    }
    *argc = kept;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ doing it */

struct direct {
    const struct setpay_gateway_command *command;
    const json_t *args;
    const struct setpay_vault *vault;
    json_t **result;
    struct setpay_problem *problem;
};

static enum setpay_error run_direct(struct setpay_db *db, void *arg)
{
    struct direct *direct = arg;
    return direct->command->run(db, direct->args, direct->vault, direct->result, direct->problem);
}

/* On the stopped daemon's database. The vault's key is used where it can be read. */
static enum setpay_error do_directly(const struct options *options, const struct command *command,
                                     const json_t *args, json_t **result,
                                     struct setpay_problem *problem)
{
    struct setpay_service service;
    struct setpay_problem ignored;
    struct setpay_vault *vault = NULL;
    struct direct direct = {
        .command = setpay_gateway_command_find(command->name),
        .args = args,
        .result = result,
        .problem = problem,
    };
    if (direct.command == NULL)
        return setpay_problem_set(problem, SETPAY_E_UNREACHABLE,
                                  "setpay-gatewayd is not running: start it with setpay-gatewayd "
                                  "--config %s",
                                  options->config_path);
    SETPAY_TRY(setpay_service_open_stopped(&setpay_gatewayd_spec, options->config_path, &service,
                                           problem));
    if (setpay_vault_open(setpay_config_text(service.config, "", "vault_key"), &vault, &ignored) ==
        SETPAY_OK)
        direct.vault = vault;
    enum setpay_error error = setpay_store_submit_wait(service.store, run_direct, &direct);
    setpay_vault_free(vault);
    setpay_service_close(&service);
    return error;
}

static enum setpay_error do_command(const struct options *options, const struct command *command,
                                    const json_t *args, json_t **result,
                                    struct setpay_problem *problem)
{
    struct setpay_config *config = NULL;
    struct setpay_control_client *client = NULL;
    char program[] = "setpay-gateway";
    char *argv[] = {program, NULL};
    int argc = 1;
    SETPAY_TRY(setpay_config_load(setpay_gateway_options, options->config_path, &argc, argv,
                                  &config, problem));
    enum setpay_error error = setpay_control_client_open(
        setpay_config_text(config, "", "admin_socket"), "setpay-gatewayd", NULL, &client, problem);
    setpay_config_free(config);
    if (error == SETPAY_E_UNREACHABLE)
        return do_directly(options, command, args, result, problem);
    if (error == SETPAY_OK)
        error = setpay_control_client_call(client, command->name, json_deep_copy(args),
                                           CALL_TIMEOUT_MS, NULL, NULL, result, problem);
    setpay_control_client_close(client);
    return error;
}

static void print_error(const struct options *options, enum setpay_error error,
                        const struct setpay_problem *problem)
{
    const char *words = problem->text[0] != '\0' ? problem->text : setpay_error_text(error);
    const char *rule = setpay_error_rule(error);
    fprintf(stderr, "setpay-gateway: %s%s%s%s\n", words, rule[0] != '\0' ? " (rule " : "", rule,
            rule[0] != '\0' ? ")" : "");
    if (!options->json)
        return;
    json_t *object =
        json_pack("{s:{s:s, s:s, s:s, s:i}}", "error", "name", setpay_error_name(error), "rule",
                  rule, "text", words, "exit", setpay_error_exit_status(error));
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

/* Words that begin with no command. */
static enum setpay_error refuse_command(int argc, char **argv, struct setpay_problem *problem)
{
    bool two = argc > 1 && argv[0][0] != '-' && argv[1][0] != '-';
    if (argc == 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "a command is needed (see setpay-gateway --help)");
    return setpay_problem_set(
        problem, SETPAY_E_USAGE, "unknown %s '%.40s%s%.40s' (see setpay-gateway --help)",
        argv[0][0] == '-' ? "option" : "command", argv[0], two ? " " : "", two ? argv[1] : "");
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct setpay_problem problem = {{0}};
    json_t *args = json_object();
    json_t *result = NULL;
    const struct command *command = NULL;
    int used = 0;
    enum setpay_error error = setpay_secret_system_init();
    if (error == SETPAY_OK)
        error = setpay_log_open(NULL, SETPAY_LOG_ERROR, SETPAY_LOG_LOGFMT);
    if (error == SETPAY_OK)
        error = read_options(&argc, argv, &options, &problem);
    if (error == SETPAY_OK && options.version) {
        printf("setpay-gateway %s\n", SETPAY_VERSION);
        goto out;
    }
    if (error == SETPAY_OK) {
        command = find_command(argv, argc, &used);
        if (options.help) {
            print_help(command);
            goto out;
        }
        if (command == NULL)
            error = refuse_command(argc, argv, &problem);
        else if (options.config_path == NULL)
            error = setpay_problem_set(&problem, SETPAY_E_USAGE,
                                       "--config FILE is missing: expected setpay-gatewayd's own");
    }
    if (error == SETPAY_OK)
        error = read_flags(command, argv + used, argc - used, args, &problem);
    if (error == SETPAY_OK)
        error = do_command(&options, command, args, &result, &problem);
    if (error != SETPAY_OK) {
        print_error(&options, error, &problem);
    } else if (options.json) {
        json_dumpf(result, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        command->print(result);
    }
    if (fflush(stdout) != 0 && error == SETPAY_OK)
        error = SETPAY_E_IO;
out:
    json_decref(args);
    json_decref(result);
    return setpay_error_exit_status(error);
}
