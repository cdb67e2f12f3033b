/*
 * init, unlock, lock, status: the wallet itself.
 *
 * A passphrase comes from a file of mode 0600, else from the terminal without echo, else, where
 * standard input is no terminal, from its first line. It is never an argument.
 */
#include "cardholder/cli/cli.h"
#include "cardholder/cli/terminal.h"
#include "common/base/ids.h"
#include "common/base/noun.h"
#include "common/crypto/file.h"

#include <string.h>

#define PASSPHRASE_MAX 1024

/* Typed, and where it is new typed twice. */
static enum setpay_error ask_passphrase(struct setpay_cli *cli, bool is_new,
                                        struct setpay_secret *passphrase)
{
    struct setpay_secret again = {0};
    enum setpay_error error = setpay_cli_ask_secret(
        is_new ? "New passphrase of the wallet: " : "Passphrase: ", PASSPHRASE_MAX, passphrase,
        &cli->problem);

    if (error == SETPAY_OK && is_new) {
        error = setpay_cli_ask_secret("Once more: ", PASSPHRASE_MAX, &again, &cli->problem);
        if (error == SETPAY_OK &&
            (passphrase->size != again.size || !setpay_secret_equal(passphrase, &again)))
            error = setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                       "the two passphrases are not the same; nothing was done");
    }
    setpay_secret_clear(&again);
    return error;
}

enum setpay_error setpay_cli_get_passphrase(struct setpay_cli *cli, bool is_new,
                                            struct setpay_secret *passphrase)
{
    enum setpay_error error;
    bool end = false;

    if (cli->options->passphrase_file != NULL)
        return setpay_file_read_secret(cli->options->passphrase_file, passphrase, &cli->problem);
    if (setpay_cli_terminal_there())
        error = ask_passphrase(cli, is_new, passphrase);
    else
        error = setpay_cli_read_secret(PASSPHRASE_MAX, passphrase, &end, &cli->problem);
    if (error == SETPAY_OK && passphrase->size == 0)
        error = setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                   "no passphrase: expected it from --passphrase-file F, typed on "
                                   "a terminal, or as the first line of standard input");
    return error;
}

static enum setpay_error call_with_passphrase(struct setpay_cli *cli, const char *command,
                                              bool is_new)
{
    struct setpay_secret passphrase = {0};
    json_t *args = json_object();
    enum setpay_error error = setpay_cli_get_passphrase(cli, is_new, &passphrase);

    if (error == SETPAY_OK)
        error = setpay_cli_args_secret(cli, args, "passphrase", &passphrase);
    setpay_secret_clear(&passphrase);
    if (error != SETPAY_OK) {
        json_decref(args);
        return error;
    }
    return setpay_cli_call_result(cli, command, args);
}

enum setpay_error setpay_cli_run_init(struct setpay_cli *cli)
{
    SETPAY_TRY(call_with_passphrase(cli, "wallet.init", true));
    if (!cli->options->json)
        (void)printf("The wallet is made, and unlocked.\n"
                     "Next, a card: setpay-wallet card request --brand BRAND -o FILE\n");
    return SETPAY_OK;
}

/* "1 purchase is", "3 purchases are". */
static void print_open(json_int_t count)
{
    if (count > 0)
        (void)printf("%" JSON_INTEGER_FORMAT " %s not final yet; the wallet asks how %s.\n", count,
                     count == 1 ? "purchase is" : "purchases are",
                     count == 1 ? "it stands" : "they stand");
}

enum setpay_error setpay_cli_run_unlock(struct setpay_cli *cli)
{
    SETPAY_TRY(call_with_passphrase(cli, "wallet.unlock", false));
    if (!cli->options->json) {
        (void)printf("The wallet is unlocked.\n");
        print_open(json_integer_value(json_object_get(cli->result, "open_purchases")));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_cli_run_lock(struct setpay_cli *cli)
{
    SETPAY_TRY(setpay_cli_call_result(cli, "wallet.lock", json_object()));
    if (!cli->options->json)
        (void)printf("The wallet is locked.\n");
    return SETPAY_OK;
}

static enum setpay_error wallet_status(struct setpay_cli *cli)
{
    json_int_t cards;
    size_t at;
    const json_t *notice;

    SETPAY_TRY(setpay_cli_call_result(cli, "wallet.status", json_object()));
    if (cli->options->json)
        return SETPAY_OK;
    if (!json_is_true(json_object_get(cli->result, "initialised"))) {
        (void)printf("There is no wallet yet: make one with setpay-wallet init\n");
        return SETPAY_OK;
    }
    cards = json_integer_value(json_object_get(cli->result, "cards"));
    if (json_is_true(json_object_get(cli->result, "locked")))
        (void)printf("The wallet is locked: open it with setpay-wallet unlock\n");
    else
        (void)printf("The wallet is unlocked.\n");
    if (cards == 0)
        (void)printf("It holds no card: get one with setpay-wallet card enrol\n");
    else
        (void)printf("It holds %" JSON_INTEGER_FORMAT " %s.\n", cards,
                     setpay_noun(cards, "card", "cards"));
    json_array_foreach(json_object_get(cli->result, "notices"), at, notice)
    {
        const char *card = setpay_cli_text_of(notice, "card");
        const char *words = setpay_cli_text_of(notice, "notice");

        setpay_cli_view_notice(stdout, card == NULL ? "" : card, words == NULL ? "" : words,
                               cli->colour);
    }
    print_open(json_integer_value(json_object_get(cli->result, "open_purchases")));
    return SETPAY_OK;
}

enum setpay_error setpay_cli_check_xid(struct setpay_cli *cli, char *xid)
{
    struct setpay_id id;

    if (setpay_id_parse(cli->options->argument, &id) != SETPAY_OK)
        return setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                  "XID: found '%.60s'; expected the 32 hexadecimal digits of a "
                                  "purchase, as setpay-wallet list shows them",
                                  cli->options->argument);
    (void)setpay_id_format(&id, xid);
    return SETPAY_OK;
}

enum setpay_error setpay_cli_run_status(struct setpay_cli *cli)
{
    char xid[SETPAY_ID_TEXT_SIZE];

    if (cli->options->argument == NULL)
        return wallet_status(cli);
    SETPAY_TRY(setpay_cli_check_xid(cli, xid));
    SETPAY_TRY(setpay_cli_call_result(cli, "purchase.show", SETPAY_CLI_ARGS("xid", xid)));
    if (!cli->options->json)
        setpay_cli_view_purchase(stdout, cli->result, cli->colour);
    return SETPAY_OK;
}
