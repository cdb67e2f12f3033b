/*
 * Calls to walletd: opened when first needed, so that a wrong command line is told before an absent
 * daemon.
 */
#include "cardholder/cli/cli.h"

#include <stdlib.h>
#include <string.h>

/* As long as the path of a UNIX socket may be, and its NUL. */
#define SOCKET_PATH_SIZE 108

static enum setpay_error connect_wallet(struct setpay_cli *cli)
{
    char path[SOCKET_PATH_SIZE];

    if (cli->client != NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_cli_socket_path(cli->options->socket, getenv("SETPAY_WALLET_SOCKET"),
                                      getenv("XDG_RUNTIME_DIR"), path, sizeof path, &cli->problem));
    return setpay_control_client_open(path, "setpay-walletd", "setpay-walletd --config FILE",
                                      &cli->client, &cli->problem);
}

enum setpay_error setpay_cli_call(struct setpay_cli *cli, const char *command, json_t *args,
                                  int64_t timeout_ms, setpay_control_progress_cb *progress_cb,
                                  void *arg, json_t **result)
{
    enum setpay_error error = args == NULL ? SETPAY_E_NOMEM : connect_wallet(cli);

    if (error != SETPAY_OK) {
        json_decref(args);
        return error;
    }
    return setpay_control_client_call(cli->client, command, args, timeout_ms, progress_cb, arg,
                                      result, &cli->problem);
}

enum setpay_error setpay_cli_call_result(struct setpay_cli *cli, const char *command, json_t *args)
{
    json_t *result = NULL;

    SETPAY_TRY(setpay_cli_call(cli, command, args, SETPAY_CLI_CALL_MS, NULL, NULL, &result));
    json_decref(cli->result);
    cli->result = result;
    return SETPAY_OK;
}

json_t *setpay_cli_args(const char *const *pairs, size_t count)
{
    json_t *args = json_object();

    for (size_t at = 0; at + 1 < count; at += 2) {
        if (pairs[at + 1] != NULL &&
            json_object_set_new(args, pairs[at], json_string(pairs[at + 1])) != 0) {
            json_decref(args);
            return NULL;
        }
    }
    return args;
}

enum setpay_error setpay_cli_args_secret(struct setpay_cli *cli, json_t *args, const char *name,
                                         const struct setpay_secret *secret)
{
    if (!setpay_text_is_utf8(setpay_secret_view(secret)))
        return setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                  "the %s holds bytes that are not UTF-8 text", name);
    if (json_object_set_new(args, name, json_stringn((const char *)secret->data, secret->size)) !=
        0)
        return SETPAY_E_NOMEM;
    return SETPAY_OK;
}

const char *setpay_cli_text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}
