/*
 * setpay-wallet: the cardholder's program. Everything it knows it asks of setpay-walletd; keys,
 * cards and purchases never pass through it, but for card data and passphrases on their way there.
 *
 * With --json standard output gets exactly one JSON object whatever happens; words about an error
 * go to standard error in both forms, and the exit status says its kind.
 */
#include "cardholder/cli/cli.h"
#include "cardholder/cli/terminal.h"
#include "cardholder/cli/text.h"
#include "cardholder/cli/words.h"
#include "common/base/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static setpay_cli_command_fn *const commands[SETPAY_CLI_COMMANDS] = {
    [SETPAY_CLI_INIT] = setpay_cli_run_init,
    [SETPAY_CLI_UNLOCK] = setpay_cli_run_unlock,
    [SETPAY_CLI_LOCK] = setpay_cli_run_lock,
    [SETPAY_CLI_STATUS] = setpay_cli_run_status,
    [SETPAY_CLI_CARD_REQUEST] = setpay_cli_run_card_request,
    [SETPAY_CLI_CARD_IMPORT] = setpay_cli_run_card_import,
    [SETPAY_CLI_CARD_ENROL] = setpay_cli_run_card_enrol,
    [SETPAY_CLI_CARD_RENEW] = setpay_cli_run_card_renew,
    [SETPAY_CLI_CARD_LIST] = setpay_cli_run_card_list,
    [SETPAY_CLI_CARD_REMOVE] = setpay_cli_run_card_remove,
    [SETPAY_CLI_CARD_DEFAULT] = setpay_cli_run_card_default,
    [SETPAY_CLI_SHOW] = setpay_cli_run_show,
    [SETPAY_CLI_PAY] = setpay_cli_run_pay,
    [SETPAY_CLI_LIST] = setpay_cli_run_list,
    [SETPAY_CLI_RECEIPT] = setpay_cli_run_receipt,
    [SETPAY_CLI_VERIFY] = setpay_cli_run_verify,
    [SETPAY_CLI_AGREEMENT_LIST] = setpay_cli_run_agreement_list,
    [SETPAY_CLI_AGREEMENT_SHOW] = setpay_cli_run_agreement_show,
    [SETPAY_CLI_AGREEMENT_CANCEL] = setpay_cli_run_agreement_cancel,
    [SETPAY_CLI_RULE_ADD] = setpay_cli_run_rule_add,
    [SETPAY_CLI_RULE_LIST] = setpay_cli_run_rule_list,
    [SETPAY_CLI_RULE_REMOVE] = setpay_cli_run_rule_remove,
    [SETPAY_CLI_DOCTOR] = setpay_cli_run_doctor,
    [SETPAY_CLI_BACKUP] = setpay_cli_run_backup,
    [SETPAY_CLI_RESTORE] = setpay_cli_run_restore,
};

/* What helps with an error wherever it comes from. */
static const char *hint(enum setpay_error error)
{
    return error == SETPAY_E_LOCKED ? "; open it with: setpay-wallet unlock" : "";
}

/* Says the error to the person, and puts it beside what the result holds. */
static void say_error(struct setpay_cli *cli, enum setpay_error error)
{
    const char *words = cli->problem.text[0] == '\0' ? setpay_error_text(error) : cli->problem.text;
    char *clean = setpay_cli_text_clean(words, 0);
    const char *rule = setpay_error_rule(error);

    if (clean != NULL)
        words = clean;
    (void)fprintf(stderr, "setpay-wallet: %s%s%s%s%s\n", words,
                  strstr(words, "setpay-wallet unlock") == NULL ? hint(error) : "",
                  *rule == '\0' ? "" : " (rule ", rule, *rule == '\0' ? "" : ")");
    if (cli->result == NULL)
        cli->result = json_object();
    (void)json_object_set_new(cli->result, "error",
                              json_pack("{s:s, s:s, s:s, s:i}", "name", setpay_error_name(error),
                                        "rule", rule, "text", words, "exit", cli->exit_status));
    free(clean);
}

static enum setpay_error say_help(struct setpay_cli *cli)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory;

    if (cli->options->version) {
        cli->result = json_pack("{s:s}", "version", SETPAY_VERSION);
        if (!cli->options->json)
            (void)printf("setpay-wallet " SETPAY_VERSION "\n");
        return SETPAY_OK;
    }
    if (!cli->options->json) {
        setpay_cli_print_help(stdout, cli->options);
        return SETPAY_OK;
    }
    memory = open_memstream(&text, &size);
    if (memory == NULL)
        return SETPAY_E_NOMEM;
    setpay_cli_print_help(memory, cli->options);
    (void)fclose(memory);
    cli->result = json_pack("{s:s}", "help", text);
    free(text);
    return SETPAY_OK;
}

/* The one object. */
static void print_json(const struct setpay_cli *cli)
{
    char *text = cli->result == NULL ? NULL : json_dumps(cli->result, JSON_COMPACT);

    (void)printf("%s\n", text == NULL ? "{}" : text);
    free(text);
}

int main(int argc, char **argv)
{
    struct setpay_cli_options options;
    struct setpay_cli cli = {.options = &options};
    enum setpay_error parsed;
    enum setpay_error error;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)umask(077);
    setpay_cli_text_init();
    setpay_log_set_level(SETPAY_LOG_ERROR);
    parsed = setpay_cli_parse(argc, argv, &options, &cli.problem);
    cli.colour = setpay_cli_wants_colour(stdout);
    error = setpay_secret_system_init();
    if (error == SETPAY_OK)
        error = parsed;
    if (error == SETPAY_OK)
        error = options.help || options.version ? say_help(&cli) : commands[options.command](&cli);
    if (error != SETPAY_OK) {
        cli.exit_status = setpay_error_exit_status(error);
        (void)fflush(stdout);
        say_error(&cli, error);
    }
    if (options.json)
        print_json(&cli);
    setpay_control_client_close(cli.client);
    json_decref(cli.result);
    if (fflush(stdout) != 0 && cli.exit_status == 0) {
        (void)fprintf(stderr, "setpay-wallet: standard output can't be written\n");
        cli.exit_status = 1;
    }
    return cli.exit_status;
}
