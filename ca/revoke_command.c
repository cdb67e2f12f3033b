/*
 * The command revoke. A key that is compromised has perhaps been used to renew its certificate:
 * what came of that falls with it, unless --alone; for other reasons only with --descendants, but
 * the operator is told what there is.
 */
#include "ca/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* YYYY-MM-DD, the beginning of that day, or YYYY-MM-DDTHH:MM:SSZ; UTC. */
static enum setpay_error read_since(const char *text, setpay_time_ms now, setpay_time_ms *since,
                                    struct setpay_problem *problem)
{
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%d", &parts);

    if (rest != NULL && *rest != '\0')
        rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    *since = rest == NULL || *rest != '\0' ? 0 : (setpay_time_ms)timegm(&parts) * SETPAY_SECOND_MS;
    if (*since <= 0 || *since > now)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--since: found '%.40s'; expected a time that is past, as "
                                  "YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ",
                                  text);
    return SETPAY_OK;
}

static enum setpay_error read_scope(const struct setpay_ca_command *command,
                                    struct setpay_ca_revoking *revoking)
{
    const struct setpay_ca_options *options = command->options;

    if (options->alone && (options->descendants || options->since != NULL))
        return setpay_problem_set(command->problem, SETPAY_E_USAGE,
                                  "--alone means that nothing else is revoked: without "
                                  "--descendants and --since");
    revoking->descendants = options->descendants || options->since != NULL ||
                            (strcmp(options->reason, "keyCompromise") == 0 && !options->alone);
    if (options->since == NULL)
        return SETPAY_OK;
    return read_since(options->since, command->now, &revoking->since, command->problem);
}

/* What was had by the certificate. */
struct family {
    struct setpay_ca_command *command;
    json_t *left;    /* serials that stay good */
    json_t *revoked; /* serials that don't */
};

static void sort_out(void *arg, const struct setpay_ca_record *record)
{
    struct family *family = arg;

    (void)json_array_append_new(record->revoked != 0 ? family->revoked : family->left,
                                json_string(record->serial));
}

static void say_family(const struct family *family, const char *folder)
{
    FILE *out = family->command->out;
    const json_t *serial;
    size_t at;

    json_array_foreach(family->revoked, at, serial)
        fprintf(out, "So is %s, which came of it.\n", json_string_value(serial));
    fprintf(out, "The new CRL is in %s/crl. Hand it to the parties.\n", folder);
    json_array_foreach(family->left, at, serial)
        fprintf(out, "Renewed with it, and good as before: %s\n", json_string_value(serial));
    if (json_array_size(family->left) > 0)
        fprintf(out, "If its key was in other hands: revoke it again with --descendants, or with "
                     "--since TIME.\n");
}

enum setpay_error setpay_ca_command_revoke(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    struct family family = {.command = command};
    struct setpay_ca_revoking revoking = {.reason = options->reason};
    char buffer[SETPAY_CA_SERIAL_SIZE];
    size_t count = 0;

    SETPAY_TRY(setpay_ca_command_need(command, options->reason, "--reason"));
    SETPAY_TRY(setpay_ca_command_serial(command, buffer, &revoking.serial));
    SETPAY_TRY(read_scope(command, &revoking));
    SETPAY_TRY(setpay_ca_revoke(command->ca, &revoking, command->now, &count, command->problem));
    family.left = json_array();
    family.revoked = json_array();
    (void)json_object_set_new(command->result, "serial", json_string(revoking.serial));
    (void)json_object_set_new(command->result, "reason", json_string(options->reason));
    (void)json_object_set_new(command->result, "revoked", json_integer((json_int_t)count));
    (void)json_object_set_new(command->result, "descendants_revoked", family.revoked);
    (void)json_object_set_new(command->result, "descendants_left", family.left);
    SETPAY_TRY(setpay_ca_descendants(command->ca, revoking.serial, 0, sort_out, &family));
    if (!options->json) {
        fprintf(command->out, "%s is revoked.\n", revoking.serial);
        say_family(&family, options->folder);
    }
    return SETPAY_OK;
}
