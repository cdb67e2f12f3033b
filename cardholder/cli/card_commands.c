/*
 * card request, import, enrol, renew, list, remove, default.
 *
 * The card's number and expiry are typed without echo, or are the lines of standard input where
 * that is no terminal: number, expiry, and if wanted postcode and house digits; for enrol the
 * issuer's secret stands before them.
 */
#include "cardholder/cli/card_input.h"
#include "cardholder/cli/cli.h"
#include "cardholder/cli/terminal.h"
#include "cardholder/cli/text.h"
#include "common/crypto/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CARD_LINE_MAX 64
#define CERTIFICATES_MAX (64 * 1024)

struct card_data {
    struct setpay_secret pan;
    struct setpay_secret expiry;
    struct setpay_secret postcode;
    struct setpay_secret house;
};

static void card_data_clear(struct card_data *card)
{
    setpay_secret_clear(&card->pan);
    setpay_secret_clear(&card->expiry);
    setpay_secret_clear(&card->postcode);
    setpay_secret_clear(&card->house);
}

/* One line; what is missing at the end of standard input is an empty one. */
static enum setpay_error get_line(struct setpay_cli *cli, const char *question,
                                  struct setpay_secret *line)
{
    bool end = false;

    if (setpay_cli_terminal_there())
        return setpay_cli_ask_secret(question, CARD_LINE_MAX, line, &cli->problem);
    return setpay_cli_read_secret(CARD_LINE_MAX, line, &end, &cli->problem);
}

static enum setpay_error get_card(struct setpay_cli *cli, struct card_data *card)
{
    SETPAY_TRY(get_line(cli, "Card number: ", &card->pan));
    SETPAY_TRY(setpay_cli_card_number(&card->pan, &cli->problem));
    SETPAY_TRY(get_line(cli, "Expiry (MM/YY): ", &card->expiry));
    SETPAY_TRY(setpay_cli_card_expiry(&card->expiry, &cli->problem));
    SETPAY_TRY(get_line(cli, "Postcode of the billing address (or nothing): ", &card->postcode));
    SETPAY_TRY(setpay_cli_card_postcode(&card->postcode, &cli->problem));
    SETPAY_TRY(get_line(cli, "Digits of its house number (or nothing): ", &card->house));
    return setpay_cli_card_house(&card->house, &cli->problem);
}

static enum setpay_error add_card(struct setpay_cli *cli, json_t *args,
                                  const struct card_data *card)
{
    SETPAY_TRY(setpay_cli_args_secret(cli, args, "pan", &card->pan));
    SETPAY_TRY(setpay_cli_args_secret(cli, args, "expiry", &card->expiry));
    if (card->postcode.size > 0)
        SETPAY_TRY(setpay_cli_args_secret(cli, args, "postcode", &card->postcode));
    if (card->house.size > 0)
        SETPAY_TRY(setpay_cli_args_secret(cli, args, "house_digits", &card->house));
    return SETPAY_OK;
}

/* Writes the request. Where that fails the pending card is of no use to anybody, and goes. */
static enum setpay_error keep_request(struct setpay_cli *cli, const json_t *answer)
{
    const char *id = setpay_cli_text_of(answer, "card_id");
    const char *csr = setpay_cli_text_of(answer, "csr");
    struct setpay_problem removal;
    json_t *removed = NULL;
    enum setpay_error error;

    if (id == NULL || csr == NULL)
        return setpay_problem_set(&cli->problem, SETPAY_E_MALFORMED,
                                  "the answer of setpay-walletd lacks the request");
    error = setpay_file_write(cli->options->output, setpay_view_string(csr), 0600, false,
                              &cli->problem);
    if (error == SETPAY_OK) {
        cli->result = json_pack("{s:s, s:s}", "card_id", id, "file", cli->options->output);
        return cli->result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    if (setpay_control_client_call(cli->client, "card.remove", SETPAY_CLI_ARGS("id", id),
                                   SETPAY_CLI_CALL_MS, NULL, NULL, &removed, &removal) == SETPAY_OK)
        json_decref(removed);
    return error;
}

enum setpay_error setpay_cli_run_card_request(struct setpay_cli *cli)
{
    struct card_data card = {0};
    struct stat status;
    json_t *answer = NULL;
    json_t *args = NULL;
    enum setpay_error error;

    if (lstat(cli->options->output, &status) == 0)
        return setpay_problem_set(&cli->problem, SETPAY_E_EXISTS,
                                  "%s: exists already; move it away, or choose another name",
                                  cli->options->output);
    args = SETPAY_CLI_ARGS("brand", cli->options->brand, "label",
                           cli->options->label == NULL ? cli->options->brand : cli->options->label);
    error = get_card(cli, &card);
    if (error == SETPAY_OK)
        error = add_card(cli, args, &card);
    card_data_clear(&card);
    if (error != SETPAY_OK) {
        json_decref(args);
        return error;
    }
    SETPAY_TRY(setpay_cli_call(cli, "card.request", args, SETPAY_CLI_CALL_MS, NULL, NULL, &answer));
    error = keep_request(cli, answer);
    json_decref(answer);
    if (error == SETPAY_OK && !cli->options->json)
        (void)printf("The request is in %s. It holds the card's number for the certification\n"
                     "authority: show it to nobody else, and delete it when the certificate is "
                     "there.\n"
                     "Then: setpay-wallet card import CERTIFICATE.pem\n",
                     cli->options->output);
    return error;
}

static void say_can_pay(const struct setpay_cli *cli)
{
    char *label = setpay_cli_text_clean(setpay_cli_text_of(cli->result, "label"), 0);

    (void)printf("The card %s can pay now.\n", label == NULL ? "" : label);
    free(label);
}

enum setpay_error setpay_cli_run_card_import(struct setpay_cli *cli)
{
    const char *file = cli->options->argument;
    struct setpay_buffer pem;
    json_t *args = NULL;
    enum setpay_error error;

    setpay_buffer_init(&pem, CERTIFICATES_MAX);
    error = setpay_file_read(file, &pem, &cli->problem);
    if (error == SETPAY_OK &&
        (!setpay_text_is_utf8(setpay_buffer_view(&pem)) ||
         memmem(pem.data, pem.size, "-----BEGIN CERTIFICATE-----", 27) == NULL))
        error = setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                   "%s: holds no certificate in PEM form; expected the file that "
                                   "the certification authority gave",
                                   file);
    if (error != SETPAY_OK)
        goto out;
    args = json_pack("{s:s%}", "certificates", (const char *)pem.data, pem.size);
    error = setpay_cli_call_result(cli, "card.import", args);
    if (error == SETPAY_OK && !cli->options->json)
        say_can_pay(cli);
out:
    setpay_buffer_clear(&pem);
    return error;
}

static enum setpay_error get_secret(struct setpay_cli *cli, json_t *args)
{
    struct setpay_secret secret = {0};
    enum setpay_error error = get_line(cli, "Secret that the issuer gave: ", &secret);

    if (error == SETPAY_OK && secret.size == 0)
        error = setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                   "secret: expected the letters and digits that the issuer gave");
    if (error == SETPAY_OK)
        error = setpay_cli_args_secret(cli, args, "secret", &secret);
    setpay_secret_clear(&secret);
    return error;
}

enum setpay_error setpay_cli_run_card_enrol(struct setpay_cli *cli)
{
    const struct setpay_cli_options *options = cli->options;
    struct card_data card = {0};
    json_t *args =
        SETPAY_CLI_ARGS("url", options->url, "enrolment", options->id, "brand", options->brand,
                        "label", options->label == NULL ? options->brand : options->label);
    enum setpay_error error = args == NULL ? SETPAY_E_NOMEM : get_secret(cli, args);

    if (error == SETPAY_OK)
        error = get_card(cli, &card);
    if (error == SETPAY_OK)
        error = add_card(cli, args, &card);
    card_data_clear(&card);
    if (error != SETPAY_OK) {
        json_decref(args);
        return error;
    }
    setpay_cli_progress("asking the certification authority");
    error = setpay_cli_call(cli, "card.enrol", args, SETPAY_CLI_ENROL_MS, NULL, NULL, &cli->result);
    setpay_cli_progress(NULL);
    if (error == SETPAY_OK && !options->json)
        say_can_pay(cli);
    return error;
}

enum setpay_error setpay_cli_run_card_renew(struct setpay_cli *cli)
{
    json_t *args = SETPAY_CLI_ARGS("id", cli->options->argument, "url", cli->options->url);
    enum setpay_error error;

    setpay_cli_progress("asking the certification authority");
    error = setpay_cli_call(cli, "card.renew", args, SETPAY_CLI_ENROL_MS, NULL, NULL, &cli->result);
    setpay_cli_progress(NULL);
    if (error == SETPAY_OK && !cli->options->json) {
        char *label = setpay_cli_text_clean(setpay_cli_text_of(cli->result, "label"), 0);
        const char *expires = setpay_cli_text_of(cli->result, "expires");

        (void)printf("The card %s has a new key and a certificate for it, until %s.\n",
                     label == NULL ? "" : label, expires == NULL ? "?" : expires);
        free(label);
    }
    return error;
}

enum setpay_error setpay_cli_run_card_list(struct setpay_cli *cli)
{
    SETPAY_TRY(setpay_cli_call_result(cli, "card.list", json_object()));
    if (!cli->options->json)
        setpay_cli_view_cards(stdout, json_object_get(cli->result, "cards"), cli->colour);
    return SETPAY_OK;
}

enum setpay_error setpay_cli_run_card_remove(struct setpay_cli *cli)
{
    char question[200];

    if (!cli->options->yes) {
        if (!setpay_cli_terminal_there())
            return setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                      "removing a card destroys its key, and there is no terminal "
                                      "to ask on: give --yes");
        (void)snprintf(question, sizeof question,
                       "Remove the card '%.80s' and destroy its key and data? [y/N] ",
                       cli->options->argument);
        SETPAY_TRY(setpay_cli_ask_yes(question, &cli->problem));
    }
    SETPAY_TRY(
        setpay_cli_call_result(cli, "card.remove", SETPAY_CLI_ARGS("id", cli->options->argument)));
    if (!cli->options->json)
        (void)printf("The card is removed, and its key destroyed.\n");
    return SETPAY_OK;
}

enum setpay_error setpay_cli_run_card_default(struct setpay_cli *cli)
{
    SETPAY_TRY(
        setpay_cli_call_result(cli, "card.default", SETPAY_CLI_ARGS("id", cli->options->argument)));
    if (!cli->options->json) {
        char *label = setpay_cli_text_clean(setpay_cli_text_of(cli->result, "label"), 0);

        (void)printf("Payments go to the card %s where no other is named.\n",
                     label == NULL ? "" : label);
        free(label);
    }
    return SETPAY_OK;
}
