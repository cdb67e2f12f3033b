/*
 * The simulator's control socket: lists of its books, and the script. One table serves the daemon,
 * and setpay-issuersim as its own client.
 */
#ifndef SETPAY_GATEWAY_ISSUER_COMMANDS_H
#define SETPAY_GATEWAY_ISSUER_COMMANDS_H

#include "common/base/error.h"
#include "common/net/control_server.h"
#include "common/store/store.h"
#include "gateway/issuer/server.h"

#include <stdbool.h>
#include <stdint.h>

/* What the handlers work on: given as the control server's arg. */
struct setpay_issuer_commands {
    struct setpay_issuer_server *server;
    struct setpay_reader *reader;
    struct setpay_store *store;
    struct setpay_executor *executor; /* of the control server's loop */
    const char *issuer;               /* its name in the files that it writes */
};

extern const struct setpay_control_command setpay_issuer_command_table[];

/* Adds the simulator's figures to `status`; arg is a struct setpay_issuer_commands. */
void setpay_issuer_status(void *arg, json_t *status);

/* account_commands.c */
setpay_control_handler_fn setpay_issuer_on_account, setpay_issuer_on_statement,
    setpay_issuer_on_check, setpay_issuer_on_clearing, setpay_issuer_on_dispute,
    setpay_issuer_on_disputes;

/* Makes "--KEY VALUE" of a command's own into "KEY=VALUE", so that no key of the configuration is
 * looked for. *argc becomes less. */
void setpay_issuer_take_flags(int *argc, char **argv);
/* The client: sends argv[0] with its arguments to the daemon at socket_path and prints what comes.
 * Any error has words in problem; SETPAY_E_STATE without words: `check` has found something, and
 * has printed it. */
enum setpay_error setpay_issuer_call(const char *socket_path, int argc, char **argv, bool as_json,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
