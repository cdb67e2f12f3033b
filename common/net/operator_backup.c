/*
 * backup: the running daemon is asked; a stopped one's lock is taken, and the work done here.
 * backup --verify and restore: here, whatever runs.
 */
#include "common/net/operator_backup.h"
#include "common/base/noun.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct setpay_flag setpay_operator_backup_flags[] = {
    {"final", SETPAY_FLAG_SWITCH, "final"},
    {"verify", SETPAY_FLAG_SWITCH, "verify"},
    {0},
};
const struct setpay_flag setpay_operator_restore_flags[] = {
    {"force", SETPAY_FLAG_SWITCH, "force"},
    {"moved", SETPAY_FLAG_SWITCH, "moved"},
    {0},
};

bool setpay_operator_is_backup(const char *name)
{
    return strcmp(name, "backup") == 0 || strcmp(name, "restore") == 0;
}

char *setpay_absolute_path(const char *path)
{
    char here[PATH_MAX];
    if (path[0] == '/')
        return strdup(path);
    if (getcwd(here, sizeof here) == NULL)
        return NULL;
    size_t size = strlen(here) + strlen(path) + 2;
    char *absolute = malloc(size);
    if (absolute != NULL)
        (void)snprintf(absolute, size, "%s/%s", here, path);
    return absolute;
}

static enum setpay_error ask_daemon(struct setpay_control_client *client, const char *path,
                                    bool final, json_t **result, struct setpay_problem *problem)
{
    char *absolute = setpay_absolute_path(path);
    if (absolute == NULL)
        return SETPAY_E_NOMEM;
    json_t *args = json_pack("{s:s, s:b}", "path", absolute, "final", (int) final);
    free(absolute);
    /* Without end: a big database on a slow disk takes its time, and Ctrl-C stops waiting only. */
    return setpay_control_client_call(client, "backup", args, 0, NULL, NULL, result, problem);
}

static enum setpay_error backup(const struct setpay_service_spec *daemon, const char *config_path,
                                const char *path, bool final, json_t **result,
                                struct setpay_problem *problem)
{
    struct setpay_control_client *client = NULL;
    struct setpay_service service;
    struct setpay_config *config = NULL;
    char program[] = "setpay";
    char *argv[] = {program, NULL};
    int argc = 1;
    SETPAY_TRY(setpay_config_load(daemon->options, config_path, &argc, argv, &config, problem));
    enum setpay_error error = setpay_control_client_open(
        setpay_config_text(config, "", "admin_socket"), daemon->name, NULL, &client, problem);
    setpay_config_free(config);
    if (error == SETPAY_OK) {
        error = ask_daemon(client, path, final, result, problem);
        setpay_control_client_close(client);
        return error;
    }
    if (error != SETPAY_E_UNREACHABLE)
        return error;
    problem->text[0] = '\0';
    SETPAY_TRY(setpay_service_open_retired(daemon, config_path, &service, problem));
    error = setpay_service_backup(&service, path, final, NULL, SETPAY_VIEW_EMPTY, result, problem);
    setpay_service_close(&service);
    return error;
}

enum setpay_error setpay_operator_backup(const struct setpay_service_spec *daemon,
                                         const char *config_path, const char *name,
                                         const json_t *args, json_t **result,
                                         struct setpay_problem *problem)
{
    const char *path = json_string_value(json_object_get(args, "path"));
    bool final = json_is_true(json_object_get(args, "final"));
    bool verify = json_is_true(json_object_get(args, "verify"));
    const struct setpay_backup_source source = {.path = path};
    if (strcmp(name, "restore") == 0) {
        const struct setpay_restore_job job = {
            .party = daemon->backup,
            .source = source,
            .config_path = config_path,
            .force = json_is_true(json_object_get(args, "force")),
            .moved = json_is_true(json_object_get(args, "moved")),
        };
        return setpay_restore(&job, result, problem);
    }
    if (final && verify)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--final makes a backup, --verify reads one: give one of them");
    if (verify)
        return setpay_backup_verify(&source, daemon->backup, result, problem);
    return backup(daemon, config_path, path, final, result, problem);
}

/* ------------------------------------------------------------------ for people */

void setpay_operator_print_backup(const json_t *result)
{
    setpay_backup_print(stdout, result);
}

void setpay_operator_print_restore(const json_t *result)
{
    setpay_restore_print(stdout, result);
}

/* What the operator keeps, and what each machine has of its own. */
static void print_apart(FILE *out, const json_t *list)
{
    size_t index, kept = 0;
    const json_t *apart;
    json_array_foreach(list, index, apart)
    {
        bool of_machine = json_is_true(json_object_get(apart, "machine"));
        kept += of_machine ? 0 : 1;
        (void)fprintf(out, "Not in it: %s (%s%s)\n", setpay_operator_text(apart, "path"),
                      setpay_operator_text(apart, "key"),
                      of_machine ? "; every machine has its own" : "");
    }
    if (kept > 0)
        (void)fprintf(out, "%s\n", "Keep that as well, in another place.");
}

void setpay_backup_print(FILE *out, const json_t *result)
{
    bool verified = json_is_true(json_object_get(result, "verified"));
    size_t files = json_array_size(json_object_get(result, "files"));
    (void)fprintf(out, "%s %s: the %s as of %s%s\n",
                  verified ? "Whole:" : "Made:", setpay_operator_text(result, "backup"),
                  setpay_operator_text(result, "party"), setpay_operator_text(result, "made"),
                  json_is_true(json_object_get(result, "final")) ? ", its final state" : "");
    if (!verified)
        (void)fprintf(out, "%lld bytes; ",
                      (long long)json_integer_value(json_object_get(result, "bytes")));
    (void)fprintf(out, "%zu %s; the database\n", files,
                  setpay_noun((int64_t)files, "key, certificate or other file",
                              "keys, certificates and other files"));
    print_apart(out, json_object_get(result, "apart"));
    if (json_is_true(json_object_get(result, "bare_keys")))
        (void)fprintf(
            out, "%s\n",
            "Private keys in it are not encrypted (key_passphrase_file is not set): keep it as "
            "safe as them.");
    if (json_is_true(json_object_get(result, "final")) && !verified)
        (void)fprintf(
            out, "%s\n",
            "The database here is out of service now: restore the backup where it goes on, "
            "once, with --moved.");
}
