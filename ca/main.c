/*
 * setpay-ca: the operator's program of the certification authority.
 *
 * One table says every command, its help and what it needs (an open CA, the passphrase); one table
 * says the options. With --json exactly one JSON object goes to standard output; words about an
 * error go to standard error, and the exit status says its kind.
 */
#include "ca/cli.h"
#include "ca/forward.h"

#include "common/base/log.h"

#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum option_code {
    OPTION_HELP = 256,
    OPTION_VERSION,
    OPTION_DIR,
    OPTION_JSON,
    OPTION_CONFIG,
    OPTION_PASSPHRASE_FILE,
    OPTION_KEY_PASSPHRASE_FILE,
    OPTION_NAME,
    OPTION_LOOPBACK,
    OPTION_CSR,
    OPTION_BRAND,
    OPTION_ID,
    OPTION_DNS,
    OPTION_DAYS,
    OPTION_CERTIFICATE,
    OPTION_REASON,
    OPTION_WITNESS,
    OPTION_CARD_KEY,
    OPTION_CRLS,
    OPTION_FINAL,
    OPTION_VERIFY,
    OPTION_FORCE,
    OPTION_MOVED,
    OPTION_SINCE,
    OPTION_DESCENDANTS,
    OPTION_ALONE,
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"dir", required_argument, NULL, OPTION_DIR},
    {"json", no_argument, NULL, OPTION_JSON},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"passphrase-file", required_argument, NULL, OPTION_PASSPHRASE_FILE},
    {"key-passphrase-file", required_argument, NULL, OPTION_KEY_PASSPHRASE_FILE},
    {"name", required_argument, NULL, OPTION_NAME},
    {"loopback", no_argument, NULL, OPTION_LOOPBACK},
    {"csr", required_argument, NULL, OPTION_CSR},
    {"brand", required_argument, NULL, OPTION_BRAND},
    {"id", required_argument, NULL, OPTION_ID},
    {"dns", required_argument, NULL, OPTION_DNS},
    {"days", required_argument, NULL, OPTION_DAYS},
    {"certificate", required_argument, NULL, OPTION_CERTIFICATE},
    {"reason", required_argument, NULL, OPTION_REASON},
    {"witness", required_argument, NULL, OPTION_WITNESS},
    {"card-key", required_argument, NULL, OPTION_CARD_KEY},
    {"crls", required_argument, NULL, OPTION_CRLS},
    {"final", no_argument, NULL, OPTION_FINAL},
    {"verify", no_argument, NULL, OPTION_VERIFY},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"moved", no_argument, NULL, OPTION_MOVED},
    {"since", required_argument, NULL, OPTION_SINCE},
    {"descendants", no_argument, NULL, OPTION_DESCENDANTS},
    {"alone", no_argument, NULL, OPTION_ALONE},
    {"out", required_argument, NULL, 'o'},
    {NULL, 0, NULL, 0},
};

static void print_command(const struct setpay_ca_command_row *row)
{
    printf("  %s%s%s\n      %s\n", row->words, *row->usage != '\0' ? " " : "", row->usage,
           row->help);
}

static bool is_topic(const char *word)
{
    for (size_t at = 0; at < setpay_ca_command_count; at++) {
        if (setpay_ca_command_begins(&setpay_ca_commands[at], word))
            return true;
    }
    return false;
}

static void print_topic(const char *topic)
{
    printf("usage: setpay-ca [--dir D] [--json] [--passphrase-file F] %s ...\n\n", topic);
    for (size_t at = 0; at < setpay_ca_command_count; at++) {
        if (setpay_ca_command_begins(&setpay_ca_commands[at], topic))
            print_command(&setpay_ca_commands[at]);
    }
}

/* Of all, of one command, or of those that begin with the topic. */
static void print_help(const struct setpay_ca_command_row *only, const char *topic)
{
    if (topic != NULL) {
        print_topic(topic);
        return;
    }
    if (only != NULL) {
        printf("usage: setpay-ca [--dir D] [--json] [--passphrase-file F] %s %s\n\n%s\n",
               only->words, only->usage, only->help);
        return;
    }
    printf("setpay-ca " SETPAY_VERSION ": the certification authority of setpay\n\n"
           "usage: setpay-ca [--dir D] [--json] [--passphrase-file F] COMMAND ...\n\n");
    for (size_t at = 0; at < setpay_ca_command_count; at++)
        print_command(&setpay_ca_commands[at]);
    printf(
        "\n"
        "  --dir D              the CA's folder (default: the current one)\n"
        "  --passphrase-file F  the CA's passphrase: a file of mode 0600 instead of the terminal\n"
        "  --card-key F         the key under which issuers' files name cards; made where absent\n"
        "                       (default: cards.key in the CA's folder)\n"
        "  --config FILE        doctor: the configuration of setpay-cad\n"
        "  --json               one JSON object instead of words\n"
        "  -h, --help           this text; behind a command, or its first word, what there is of "
        "it\n"
        "  --version            the version\n\n"
        "PROFILE: cardholder-sign (or cardholder), merchant-sign, merchant-tls-client,\n"
        "  merchant-tls-server, gateway-sign, gateway-encrypt, gateway-tls-server, ca-tls-server\n"
        "REASON: %s\n"
        "A brand CA has three CAs below it: the CCA for cardholders, the MCA for merchants, the\n"
        "PCA for payment gateways. Details: setpay-ca(1)\n",
        setpay_ca_reasons());
}

static enum setpay_error parse_days(const char *text, int *days, struct setpay_problem *problem)
{
    char *end = NULL;
    long value = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < 1 || value > 10000)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--days must be a whole number from 1, not '%.32s'", text);
    *days = (int)value;
    return SETPAY_OK;
}

/* Takes one option with a value. */
static enum setpay_error take_value(struct setpay_ca_options *options, int code, const char *value,
                                    struct setpay_problem *problem)
{
    const char **const places[] = {
        [OPTION_DIR - OPTION_HELP] = &options->folder,
        [OPTION_CONFIG - OPTION_HELP] = &options->config,
        [OPTION_PASSPHRASE_FILE - OPTION_HELP] = &options->passphrase_file,
        [OPTION_KEY_PASSPHRASE_FILE - OPTION_HELP] = &options->key_passphrase_file,
        [OPTION_NAME - OPTION_HELP] = &options->name,
        [OPTION_CSR - OPTION_HELP] = &options->csr,
        [OPTION_BRAND - OPTION_HELP] = &options->brand,
        [OPTION_ID - OPTION_HELP] = &options->id,
        [OPTION_CERTIFICATE - OPTION_HELP] = &options->certificate,
        [OPTION_REASON - OPTION_HELP] = &options->reason,
        [OPTION_WITNESS - OPTION_HELP] = &options->witness,
        [OPTION_CARD_KEY - OPTION_HELP] = &options->card_key,
        [OPTION_CRLS - OPTION_HELP] = &options->crls,
        [OPTION_SINCE - OPTION_HELP] = &options->since,
    };

    if (code == 'o') {
        options->output = value;
    } else if (code == OPTION_DAYS) {
        return parse_days(value, &options->days, problem);
    } else if (code == OPTION_DNS) {
        if (options->dns_count == SETPAY_CA_DNS_NAMES)
            return setpay_problem_set(problem, SETPAY_E_USAGE, "at most %d --dns are taken",
                                      SETPAY_CA_DNS_NAMES);
        options->dns[options->dns_count++] = value;
    } else {
        *places[code - OPTION_HELP] = value;
    }
    return SETPAY_OK;
}

/* False where the option is none without a value. */
static bool take_switch(struct setpay_ca_options *options, int code)
{
    switch (code) {
    case OPTION_LOOPBACK:
        return options->loopback = true;
    case OPTION_FINAL:
        return options->final = true;
    case OPTION_VERIFY:
        return options->verify = true;
    case OPTION_FORCE:
        return options->force = true;
    case OPTION_MOVED:
        return options->moved = true;
    case OPTION_DESCENDANTS:
        return options->descendants = true;
    case OPTION_ALONE:
        return options->alone = true;
    default:
        return false;
    }
}

/* Words that begin with no command. */
static enum setpay_error refuse_words(char **words, int count, struct setpay_problem *problem)
{
    bool half = count > 0 && is_topic(words[0]);

    if (count == 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "a command is needed; setpay-ca --help lists them");
    if (half && count == 1)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "'%.40s' needs one more word; setpay-ca %.40s --help lists them",
                                  words[0], words[0]);
    return setpay_problem_set(problem, SETPAY_E_USAGE,
                              "unknown command '%.40s%s%.40s'; setpay-ca %s%s--help lists them",
                              words[0], count > 1 ? " " : "", count > 1 ? words[1] : "",
                              half ? words[0] : "", half ? " " : "");
}

static enum setpay_error parse_command_line(int argc, char **argv,
                                            struct setpay_ca_options *options, bool *help,
                                            const char **topic,
                                            const struct setpay_ca_command_row **command,
                                            struct setpay_problem *problem)
{
    int code;
    int used = 0;

    options->folder = ".";
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":ho:", long_options, NULL)) != -1) {
        if (code == '?' || code == ':')
            return setpay_problem_set(problem, SETPAY_E_USAGE,
                                      code == '?'
                                          ? "unknown option '%s'; setpay-ca --help lists them"
                                          : "the option %s needs a value",
                                      argv[optind - 1]);
        if (code == OPTION_HELP || code == 'h')
            *help = true;
        else if (code == OPTION_VERSION) {
            printf("setpay-ca " SETPAY_VERSION "\n");
            exit(0);
        } else if (code == OPTION_JSON)
            options->json = true;
        else if (!take_switch(options, code))
            SETPAY_TRY(take_value(options, code, optarg, problem));
    }
    *command = setpay_ca_command_find(argv + optind, argc - optind, &used);
    if (*help && *command == NULL && optind < argc) {
        if (optind + 1 < argc || !is_topic(argv[optind]))
            return refuse_words(argv + optind, argc - optind, problem);
        *topic = argv[optind];
    }
    if (*help)
        return SETPAY_OK;
    if (*command == NULL)
        return refuse_words(argv + optind, argc - optind, problem);
    for (int at = optind + used; at < argc; at++) {
        if (options->argument_count == (*command)->arguments)
            return setpay_problem_set(problem, SETPAY_E_USAGE, "'%.40s' is one word too many",
                                      argv[at]);
        options->arguments[options->argument_count++] = argv[at];
    }
    return SETPAY_OK;
}

static enum setpay_error run(const struct setpay_ca_command_row *row,
                             struct setpay_ca_command *command)
{
    struct setpay_secret passphrase = {0};
    enum setpay_error error = SETPAY_OK;

    if (row->run == setpay_ca_command_doctor)
        return setpay_ca_run_doctor(row, command);
    /* A backup is read where nothing is open, and made of what is out of service too. */
    if (row->opens && !(row->run == setpay_ca_command_backup && command->options->verify))
        error = setpay_ca_open(command->options->folder, row->run == setpay_ca_command_backup,
                               &command->ca, command->problem);
    if (error == SETPAY_E_RUNNING && command->options->final)
        return setpay_problem_set(command->problem, error,
                                  "setpay-cad runs, and goes on after this backup: stop it before "
                                  "its final one");
    if (error == SETPAY_E_RUNNING) /* setpay-cad has it open */
        return setpay_ca_forward(row, command);
    if (error == SETPAY_OK && row->unlocks) {
        error = setpay_ca_passphrase_read(command->options->passphrase_file, false, &passphrase,
                                          command->problem);
        if (error == SETPAY_OK)
            error = setpay_ca_unlock(command->ca, &passphrase, command->problem);
        setpay_secret_clear(&passphrase);
    }
    do {
        command->unfinished = false;
        if (error == SETPAY_OK)
            error = row->run(command);
    } while (error == SETPAY_OK && command->unfinished);
    setpay_ca_command_end(command);
    setpay_ca_close(command->ca);
    command->ca = NULL;
    return error;
}

static void say_error(enum setpay_error error, const struct setpay_problem *problem,
                      const struct setpay_ca_options *options, json_t *result)
{
    const char *text = problem->text[0] != '\0' ? problem->text : setpay_error_text(error);
    const char *rule = setpay_error_rule(error);

    fprintf(stderr, "setpay-ca: %s%s%s%s\n", text, rule[0] == '\0' ? "" : " (rule ", rule,
            rule[0] == '\0' ? "" : ")");
    if (options->json)
        (void)json_object_set_new(result, "error",
                                  json_pack("{s:s, s:s, s:s}", "name", setpay_error_name(error),
                                            "rule", rule, "text", text));
}

int main(int argc, char **argv)
{
    struct setpay_ca_options options = {0};
    struct setpay_problem problem = {""};
    const struct setpay_ca_command_row *row = NULL;
    struct setpay_ca_command command = {.options = &options, .problem = &problem, .out = stdout};
    bool help = false;
    const char *topic = NULL;
    enum setpay_error error;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)umask(022);
    error = setpay_secret_system_init();
    if (error == SETPAY_OK)
        error = parse_command_line(argc, argv, &options, &help, &topic, &row, &problem);
    if (error == SETPAY_OK && help) {
        print_help(row, topic);
        return 0;
    }
    setpay_log_set_level(SETPAY_LOG_ERROR);
    command.now = setpay_clock_now_ms();
    command.result = json_object();
    if (error == SETPAY_OK && command.result == NULL)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        error = row == NULL ? SETPAY_E_USAGE : run(row, &command);
    if (error != SETPAY_OK)
        say_error(error, &problem, &options, command.result);
    if (options.json) {
        (void)json_dumpf(command.result, stdout, JSON_COMPACT);
        (void)fputc('\n', stdout);
    }
    json_decref(command.result);
    if (fflush(stdout) != 0 && error == SETPAY_OK)
        error = SETPAY_E_IO;
    return setpay_error_exit_status(error);
}
