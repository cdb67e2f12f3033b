/*
 * The command line of setpay-wallet: one table of commands, one of options, and a parser that says
 * which word is wrong. Pure: reads neither files nor the environment.
 */
#ifndef SETPAY_CARDHOLDER_CLI_OPTIONS_H
#define SETPAY_CARDHOLDER_CLI_OPTIONS_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum setpay_cli_command {
    SETPAY_CLI_INIT,
    SETPAY_CLI_UNLOCK,
    SETPAY_CLI_LOCK,
    SETPAY_CLI_STATUS,
    SETPAY_CLI_CARD_REQUEST,
    SETPAY_CLI_CARD_IMPORT,
    SETPAY_CLI_CARD_ENROL,
    SETPAY_CLI_CARD_RENEW,
    SETPAY_CLI_CARD_LIST,
    SETPAY_CLI_CARD_REMOVE,
    SETPAY_CLI_CARD_DEFAULT,
    SETPAY_CLI_SHOW,
    SETPAY_CLI_PAY,
    SETPAY_CLI_LIST,
    SETPAY_CLI_RECEIPT,
    SETPAY_CLI_VERIFY,
    SETPAY_CLI_AGREEMENT_LIST,
    SETPAY_CLI_AGREEMENT_SHOW,
    SETPAY_CLI_AGREEMENT_CANCEL,
    SETPAY_CLI_RULE_ADD,
    SETPAY_CLI_RULE_LIST,
    SETPAY_CLI_RULE_REMOVE,
    SETPAY_CLI_DOCTOR,
    SETPAY_CLI_BACKUP,
    SETPAY_CLI_RESTORE,
    SETPAY_CLI_COMMANDS, /* their count; also: none was named */
};

/* What was asked for. Texts are borrowed from argv; NULL where not given. */
struct setpay_cli_options {
    enum setpay_cli_command command;
    const char *topic; /* with help: the first word of several commands; NULL: none of these */
    bool json;
    bool help;
    bool version;
    bool yes;
    bool security_code;
    bool insist;
    bool agree_terms;
    bool final;
    bool verify;
    bool force;
    bool moved;
    const char *socket;
    const char *config; /* of walletd */
    const char *passphrase_file;
    const char *security_code_file;
    const char *card;
    const char *brand;
    const char *label;
    const char *max;
    const char *merchant;
    const char *amount;
    const char *per_day;
    const char *until;
    const char *export;
    const char *root;
    const char *output;
    const char *url;
    const char *id;
    const char *argument; /* link, XID, card, file, rule */
};

/* Fills *options from scratch. SETPAY_E_USAGE with words in problem; json, help and version are
 * right even then, so that the error can be said in the form that was asked for. */
enum setpay_error setpay_cli_parse(int argc, char *const *argv, struct setpay_cli_options *options,
                                   struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* How the program is used: the command, or the commands that begin with the topic, where one is
 * named. */
void setpay_cli_print_help(FILE *out, const struct setpay_cli_options *options);

/* Where walletd listens: the option, else environment (value of SETPAY_WALLET_SOCKET), else
 * runtime_dir (of XDG_RUNTIME_DIR)/setpay-wallet.sock; empty values count as absent. Into path of
 * size bytes. SETPAY_E_USAGE where nothing says it, or where it does not fit. */
enum setpay_error setpay_cli_socket_path(const char *option, const char *environment,
                                         const char *runtime_dir, char *path, size_t size,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* A payment link: setpay://HOST[:PORT]/pay/TOKEN and nothing else. SETPAY_E_USAGE with words that
 * say what is wrong with it. Only for early words: walletd judges the link by itself. */
enum setpay_error setpay_cli_check_link(const char *link,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
