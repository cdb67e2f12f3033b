/*
 * What the commands of setpay-wallet share: the context of one run, calls to walletd, and how the
 * wallet's answers are shown to people.
 *
 * A command calls walletd, keeps its answer as the result (all that --json prints) and, without
 * --json, shows it. It returns the error that ends the program, or sets the exit status.
 */
#ifndef SETPAY_CARDHOLDER_CLI_CLI_H
#define SETPAY_CARDHOLDER_CLI_CLI_H

#include "cardholder/cli/options.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/net/control_client.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SETPAY_CLI_CALL_MS 30000
/* Longer than the wallet itself waits for a merchant and a gateway. */
#define SETPAY_CLI_PAY_MS 180000
#define SETPAY_CLI_ENROL_MS 180000

struct setpay_cli {
    const struct setpay_cli_options *options;
    struct setpay_control_client *client; /* opened by the first call */
    struct setpay_problem problem;
    json_t *result; /* owned; NULL: nothing to say */
    bool colour;    /* on standard output */
    int exit_status;
};

/* ---- calls ---- */

/* One command of walletd (cardholder/commands.h). Takes args (an object), also on
 * error; NULL is taken for a lack of memory. *result is owned. */
enum setpay_error setpay_cli_call(struct setpay_cli *cli, const char *command, json_t *args,
                                  int64_t timeout_ms, setpay_control_progress_cb *progress_cb,
                                  void *arg, json_t **result) SETPAY_MUST_CHECK;
/* The same without progress; the answer becomes the result. */
enum setpay_error setpay_cli_call_result(struct setpay_cli *cli, const char *command,
                                         json_t *args) SETPAY_MUST_CHECK;
/* An object of texts: name, text, name, text, ...; a NULL text leaves its name out. NULL where
 * memory is short. */
json_t *setpay_cli_args(const char *const *pairs, size_t count);
#define SETPAY_CLI_ARGS(...)                                                                       \
    setpay_cli_args((const char *const[]){__VA_ARGS__},                                            \
                    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
/* Adds a secret as a text; its JSON memory is cleansed when freed. SETPAY_E_USAGE where it is not
 * UTF-8. */
enum setpay_error setpay_cli_args_secret(struct setpay_cli *cli, json_t *args, const char *name,
                                         const struct setpay_secret *secret) SETPAY_MUST_CHECK;
/* The wallet's passphrase: from --passphrase-file, a terminal, or the first line of standard input.
 * is_new: typed twice. *passphrase must be empty. SETPAY_E_USAGE where there is none. */
enum setpay_error setpay_cli_get_passphrase(struct setpay_cli *cli, bool is_new,
                                            struct setpay_secret *passphrase) SETPAY_MUST_CHECK;
/* Text of a member, NULL where it is absent or null. */
const char *setpay_cli_text_of(const json_t *object, const char *name);

/* The XID in the argument, in its one form, into xid of SETPAY_ID_TEXT_SIZE bytes. */
enum setpay_error setpay_cli_check_xid(struct setpay_cli *cli, char *xid) SETPAY_MUST_CHECK;

/* ---- for people ---- */

/* Both to out, which need not be standard output: a confirmation goes to the terminal. */
void setpay_cli_view_offer(FILE *out, const json_t *offer, bool colour);
/* One line that says how it stands, and what can be done. */
void setpay_cli_view_outcome(FILE *out, const json_t *purchase, bool colour);
/* All of it. */
void setpay_cli_view_purchase(FILE *out, const json_t *purchase, bool colour);
void setpay_cli_view_purchases(FILE *out, const json_t *purchases, bool colour);
void setpay_cli_view_receipts(FILE *out, const json_t *receipts, bool colour);
/* What there is to say about a card whose certificate ends. */
void setpay_cli_view_notice(FILE *out, const char *label, const char *notice, bool colour);
/* Spending rules. */
void setpay_cli_view_rules(FILE *out, const json_t *rules, bool colour);
void setpay_cli_view_cards(FILE *out, const json_t *cards, bool colour);

/* ---- commands ---- */

typedef enum setpay_error setpay_cli_command_fn(struct setpay_cli *cli);

setpay_cli_command_fn setpay_cli_run_init;
setpay_cli_command_fn setpay_cli_run_unlock;
setpay_cli_command_fn setpay_cli_run_lock;
setpay_cli_command_fn setpay_cli_run_status;
setpay_cli_command_fn setpay_cli_run_doctor;
setpay_cli_command_fn setpay_cli_run_backup;
setpay_cli_command_fn setpay_cli_run_restore;
setpay_cli_command_fn setpay_cli_run_card_request;
setpay_cli_command_fn setpay_cli_run_card_import;
setpay_cli_command_fn setpay_cli_run_card_enrol;
setpay_cli_command_fn setpay_cli_run_card_renew;
setpay_cli_command_fn setpay_cli_run_card_list;
setpay_cli_command_fn setpay_cli_run_card_remove;
setpay_cli_command_fn setpay_cli_run_card_default;
setpay_cli_command_fn setpay_cli_run_show;
setpay_cli_command_fn setpay_cli_run_pay;
setpay_cli_command_fn setpay_cli_run_list;
setpay_cli_command_fn setpay_cli_run_receipt;
setpay_cli_command_fn setpay_cli_run_verify;
setpay_cli_command_fn setpay_cli_run_agreement_list;
setpay_cli_command_fn setpay_cli_run_agreement_show;
setpay_cli_command_fn setpay_cli_run_agreement_cancel;
setpay_cli_command_fn setpay_cli_run_rule_add;
setpay_cli_command_fn setpay_cli_run_rule_list;
setpay_cli_command_fn setpay_cli_run_rule_remove;

#endif
