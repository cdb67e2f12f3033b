/*
 * backup and restore. A running wallet makes its backup itself, while it pays; a stopped one's is
 * made here, as is every restore: for these walletd's configuration is named with --config.
 */
#include "cardholder/backup.h"
#include "cardholder/cli/cli.h"
#include "common/net/operator_backup.h"

#include <stdlib.h>
#include <string.h>

/* setpay_backup_source.unseal_cb */
static enum setpay_error unseal(void *arg, struct setpay_view head, struct setpay_secret *key,
                                struct setpay_problem *problem)
{
    struct setpay_cli *cli = arg;
    struct setpay_secret passphrase = {0};
    enum setpay_error error = setpay_cli_get_passphrase(cli, false, &passphrase);
    if (error == SETPAY_OK)
        error = setpay_wallet_backup_unseal(head, &passphrase, key);
    setpay_secret_clear(&passphrase);
    if (error == SETPAY_E_BACKUP)
        return setpay_problem_set(problem, error,
                                  "%s: its first line is damaged; take another copy of the backup",
                                  cli->options->argument);
    if (error == SETPAY_E_PASSPHRASE)
        return setpay_problem_set(
            problem, error,
            "the passphrase does not open this backup: it is the one that the "
            "wallet had when it was made (or its first line is damaged)");
    return error;
}

static struct setpay_backup_source source_of(struct setpay_cli *cli)
{
    return (struct setpay_backup_source){
        .path = cli->options->argument, .unseal_cb = unseal, .arg = cli};
}

static enum setpay_error read_lock(struct setpay_db *db, void *arg)
{
    return setpay_wallet_store_read_lock(db, arg);
}

static enum setpay_error read_stopped_lock(struct setpay_service *service,
                                           struct setpay_wallet_lock *lock)
{
    struct setpay_reader *reader = NULL;
    SETPAY_TRY(setpay_reader_new(service->store, &reader));
    enum setpay_error error = setpay_store_read(reader, read_lock, lock);
    setpay_reader_free(reader);
    return error;
}

/* With walletd's lock, and the passphrase. */
static enum setpay_error backup_stopped(struct setpay_cli *cli)
{
    const struct setpay_cli_options *options = cli->options;
    struct setpay_service service;
    struct setpay_wallet_lock lock;
    struct setpay_secret passphrase = {0}, master = {0}, key = {0};
    struct setpay_buffer head = {0};
    SETPAY_TRY(setpay_service_open_retired(&setpay_wallet_stopped_spec, options->config, &service,
                                           &cli->problem));
    enum setpay_error error = read_stopped_lock(&service, &lock);
    if (error == SETPAY_E_NOT_FOUND)
        error = setpay_problem_set(&cli->problem, error,
                                   "there is no wallet yet, and so nothing to keep");
    if (error == SETPAY_OK)
        error = setpay_cli_get_passphrase(cli, false, &passphrase);
    if (error == SETPAY_OK)
        error = setpay_wallet_lock_open(&lock, &passphrase, &master);
    if (error == SETPAY_OK)
        error = setpay_wallet_backup_seal(&lock, &master, &head, &key);
    if (error == SETPAY_OK)
        error = setpay_service_backup(&service, options->argument, options->final, &key,
                                      setpay_buffer_view(&head), &cli->result, &cli->problem);
    setpay_secret_clear(&passphrase);
    setpay_secret_clear(&master);
    setpay_secret_clear(&key);
    setpay_buffer_clear(&head);
    setpay_service_close(&service);
    return error;
}

static enum setpay_error backup_running(struct setpay_cli *cli)
{
    char *path = setpay_absolute_path(cli->options->argument);
    if (path == NULL)
        return SETPAY_E_NOMEM;
    json_t *args = json_pack("{s:s, s:b}", "path", path, "final", (int)cli->options->final);
    free(path);
    return setpay_cli_call(cli, "wallet.backup", args, 0, NULL, NULL, &cli->result);
}

enum setpay_error setpay_cli_run_backup(struct setpay_cli *cli)
{
    const struct setpay_backup_source source = source_of(cli);
    enum setpay_error error;
    if (cli->options->verify && cli->options->final)
        return setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                  "--final makes a backup, --verify reads one: give one of them");
    if (cli->options->verify)
        error = setpay_backup_verify(&source, &setpay_wallet_backup, &cli->result, &cli->problem);
    else if (cli->options->config != NULL)
        error = backup_stopped(cli);
    else
        error = backup_running(cli);
    if (error == SETPAY_OK && !cli->options->json) {
        setpay_backup_print(stdout, cli->result);
        if (!cli->options->verify)
            (void)puts("It is sealed: it opens with the wallet's passphrase and nothing else.");
    }
    return error;
}

enum setpay_error setpay_cli_run_restore(struct setpay_cli *cli)
{
    const struct setpay_restore_job job = {
        .party = &setpay_wallet_backup,
        .source = source_of(cli),
        .config_path = cli->options->config,
        .force = cli->options->force,
        .moved = cli->options->moved,
    };
    SETPAY_TRY(setpay_restore(&job, &cli->result, &cli->problem));
    if (!cli->options->json)
        setpay_restore_print(stdout, cli->result);
    return SETPAY_OK;
}
