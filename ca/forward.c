/*
 * The options of a command as JSON and back, and the call between them.
 */
#include "ca/forward.h"

#include "common/base/clock.h"
#include "common/net/control_client.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 60000

/* Every text among the options; a path is made absolute, since the daemon stands elsewhere. */
static const struct {
    const char *name;
    size_t offset;
    bool path;
} texts[] = {
#define TEXT(member, is_path)                                                                      \
    {                                                                                              \
#member, offsetof(struct setpay_ca_options, member), is_path                               \
    }
    TEXT(folder, true),      TEXT(key_passphrase_file, true),
    TEXT(name, false),       TEXT(brand, false),
    TEXT(id, false),         TEXT(csr, true),
    TEXT(certificate, true), TEXT(reason, false),
    TEXT(since, false),      TEXT(witness, false),
    TEXT(card_key, true),    TEXT(output, true),
#undef TEXT
};
#define TEXT_COUNT (sizeof texts / sizeof *texts)

static const char **text_at(struct setpay_ca_options *options, size_t at)
{
    return (const char **)(void *)((char *)options + texts[at].offset);
}

static json_t *absolute(const char *path)
{
    char here[PATH_MAX];

    if (path[0] == '/' || getcwd(here, sizeof here) == NULL)
        return json_string(path);
    return json_sprintf("%s/%s", here, path);
}

static json_t *list_of(const char *const *words, size_t count, bool paths)
{
    json_t *list = json_array();

    for (size_t at = 0; at < count; at++)
        (void)json_array_append_new(list, paths ? absolute(words[at]) : json_string(words[at]));
    return list;
}

/* The commands whose argument is a file. */
static bool takes_file(const struct setpay_ca_command_row *row)
{
    return row->run == setpay_ca_command_enrolment_import || row->run == setpay_ca_command_backup;
}

/* The commands that take as long as there are cards: those that ask an authority at work give it
 * back after every part. */
static bool takes_long(const struct setpay_ca_command_row *row)
{
    return takes_file(row) || row->run == setpay_ca_command_doctor ||
           row->run == setpay_ca_command_log_verify;
}

static json_t *pack(const struct setpay_ca_command_row *row,
                    const struct setpay_ca_options *options)
{
    json_t *args = json_object();

    (void)json_object_set_new(args, "words", json_string(row->words));
    for (size_t at = 0; at < TEXT_COUNT; at++) {
        const char *text = *text_at((struct setpay_ca_options *)(uintptr_t)options, at);

        if (text != NULL)
            (void)json_object_set_new(args, texts[at].name,
                                      texts[at].path ? absolute(text) : json_string(text));
    }
    (void)json_object_set_new(args, "days", json_integer(options->days));
    (void)json_object_set_new(args, "loopback", json_boolean(options->loopback));
    (void)json_object_set_new(args, "descendants", json_boolean(options->descendants));
    (void)json_object_set_new(args, "alone", json_boolean(options->alone));
    (void)json_object_set_new(args, "dns", list_of(options->dns, options->dns_count, false));
    (void)json_object_set_new(
        args, "arguments", list_of(options->arguments, options->argument_count, takes_file(row)));
    return args;
}

enum setpay_error setpay_ca_forward(const struct setpay_ca_command_row *row,
                                    struct setpay_ca_command *command)
{
    struct setpay_control_client *client = NULL;
    char path[PATH_MAX];
    json_t *reply = NULL;

    (void)snprintf(path, sizeof path, "%s/%s", command->options->folder, SETPAY_CA_SOCKET);
    enum setpay_error error =
        setpay_control_client_open(path, "setpay-cad", NULL, &client, command->problem);
    if (error == SETPAY_E_UNREACHABLE)
        return setpay_problem_set(command->problem, SETPAY_E_RUNNING,
                                  "another process has this CA open, and it is no setpay-cad that "
                                  "answers on %s",
                                  path);
    if (error == SETPAY_OK)
        error = setpay_control_client_call(client, "ca.run", pack(row, command->options),
                                           takes_long(row) ? 0 : TIMEOUT_MS, /* what it takes */
                                           NULL, NULL, &reply, command->problem);
    setpay_control_client_close(client);
    if (error == SETPAY_OK && json_is_object(json_object_get(reply, "result"))) {
        json_decref(command->result);
        command->result = json_incref(json_object_get(reply, "result"));
        const char *words = json_string_value(json_object_get(reply, "words"));
        if (!command->options->json && words != NULL)
            (void)fputs(words, command->out);
    }
    json_decref(reply);
    return error;
}

/* ---- in the daemon ---- */

static enum setpay_error unpack_list(const json_t *list, const char **words, size_t room,
                                     size_t *count)
{
    if (json_array_size(list) > room)
        return SETPAY_E_INVALID;
    for (*count = 0; *count < json_array_size(list); (*count)++) {
        words[*count] = json_string_value(json_array_get(list, *count));
        if (words[*count] == NULL)
            return SETPAY_E_INVALID;
    }
    return SETPAY_OK;
}

/* Borrows from args. */
static enum setpay_error unpack(const json_t *args, struct setpay_ca_options *options)
{
    for (size_t at = 0; at < TEXT_COUNT; at++)
        *text_at(options, at) = json_string_value(json_object_get(args, texts[at].name));
    options->days = (int)json_integer_value(json_object_get(args, "days"));
    options->loopback = json_is_true(json_object_get(args, "loopback"));
    options->descendants = json_is_true(json_object_get(args, "descendants"));
    options->alone = json_is_true(json_object_get(args, "alone"));
    SETPAY_TRY(unpack_list(json_object_get(args, "dns"), options->dns, SETPAY_CA_DNS_NAMES,
                           &options->dns_count));
    return unpack_list(json_object_get(args, "arguments"), options->arguments,
                       SETPAY_CA_ARGUMENTS_MAX, &options->argument_count);
}

static const struct setpay_ca_command_row *find_row(const json_t *args)
{
    const char *words = json_string_value(json_object_get(args, "words"));

    for (size_t at = 0; words != NULL && at < setpay_ca_command_count; at++)
        if (strcmp(setpay_ca_commands[at].words, words) == 0 && setpay_ca_commands[at].opens)
            return &setpay_ca_commands[at];
    return NULL;
}

struct setpay_ca_forwarded {
    struct setpay_ca_options options;
    struct setpay_ca_command command;
    const struct setpay_ca_command_row *row;
    char *words;
    size_t size;
};

void setpay_ca_forwarded_free(struct setpay_ca_forwarded *forwarded)
{
    if (forwarded == NULL)
        return;
    setpay_ca_command_end(&forwarded->command);
    if (forwarded->command.out != NULL)
        (void)fclose(forwarded->command.out);
    json_decref(forwarded->command.result);
    free(forwarded->words);
    free(forwarded);
}

enum setpay_error setpay_ca_forwarded_new(struct setpay_ca *ca, const json_t *args,
                                          struct setpay_ca_forwarded **forwarded,
                                          struct setpay_problem *problem)
{
    struct setpay_ca_forwarded *made = calloc(1, sizeof *made);

    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->row = find_row(args);
    if (made->row == NULL || unpack(args, &made->options) != SETPAY_OK ||
        made->options.folder == NULL) {
        free(made);
        return setpay_problem_set(problem, SETPAY_E_USAGE, "there is no such command");
    }
    made->command = (struct setpay_ca_command){
        .options = &made->options,
        .ca = ca,
        .now = setpay_clock_now_ms(),
        .result = json_object(),
        .forwarded = true,
        .out = open_memstream(&made->words, &made->size),
        .problem = problem,
    };
    if (made->command.out == NULL || made->command.result == NULL) {
        setpay_ca_forwarded_free(made);
        return SETPAY_E_NOMEM;
    }
    *forwarded = made;
    return SETPAY_OK;
}

enum setpay_error setpay_ca_forwarded_run(struct setpay_ca_forwarded *forwarded, bool *unfinished,
                                          json_t **reply)
{
    struct setpay_ca_command *command = &forwarded->command;

    command->unfinished = false;
    enum setpay_error error = forwarded->row->run(command);
    *unfinished = error == SETPAY_OK && command->unfinished;
    if (error != SETPAY_OK || *unfinished)
        return error;
    if (fflush(command->out) != 0)
        return SETPAY_E_NOMEM;
    *reply = json_pack("{s:O, s:s}", "result", command->result, "words", forwarded->words);
    return SETPAY_OK;
}
