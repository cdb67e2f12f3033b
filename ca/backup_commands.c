/*
 * backup and restore of the authority's folder.
 */
#include "ca/backup.h"
#include "ca/cli.h"

#include "common/net/restore.h"

#include <stdlib.h>
#include <string.h>

/* Takes result's members over into the command's. */
static void give(struct setpay_ca_command *command, json_t *result)
{
    (void)json_object_update(command->result, result);
    json_decref(result);
}

enum setpay_error setpay_ca_command_backup(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    json_t *result = NULL;
    SETPAY_TRY(setpay_ca_command_need(command, options->arguments[0], "FILE"));
    if (options->final && options->verify)
        return setpay_problem_set(command->problem, SETPAY_E_USAGE,
                                  "--final makes a backup, --verify reads one: give one of them");
    if (options->verify) {
        const struct setpay_backup_source source = {.path = options->arguments[0]};
        SETPAY_TRY(
            setpay_backup_verify(&source, &setpay_ca_backup_party, &result, command->problem));
    } else {
        SETPAY_TRY(setpay_ca_backup(command->ca, options->arguments[0], !command->forwarded,
                                    options->final, &result, command->problem));
    }
    if (!options->json)
        setpay_backup_print(command->out, result);
    give(command, result);
    return SETPAY_OK;
}

enum setpay_error setpay_ca_command_restore(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    struct setpay_secret passphrase = {0};
    json_t *result = NULL;
    SETPAY_TRY(setpay_ca_command_need(command, options->arguments[0], "FILE"));
    char *folder = strdup(options->folder);
    if (folder == NULL)
        return SETPAY_E_NOMEM;
    for (size_t size = strlen(folder); size > 1 && folder[size - 1] == '/'; size--)
        folder[size - 1] = '\0';
    enum setpay_error error =
        setpay_ca_passphrase_read(options->passphrase_file, false, &passphrase, command->problem);
    const struct setpay_ca_restore restore = {
        .path = options->arguments[0],
        .folder = folder,
        .lists = options->crls,
        .force = options->force,
        .moved = options->moved,
        .passphrase = &passphrase,
    };
    if (error == SETPAY_OK)
        error = setpay_ca_restore(&restore, command->now, &result, command->problem);
    setpay_secret_clear(&passphrase);
    free(folder);
    if (error != SETPAY_OK)
        return error;
    if (!options->json) {
        setpay_restore_print(command->out, result);
        if (!options->moved)
            (void)fprintf(command->out, "Revoked anew, as the lists say: %lld\n",
                          (long long)json_integer_value(json_object_get(result, "revoked_again")));
    }
    give(command, result);
    return SETPAY_OK;
}
