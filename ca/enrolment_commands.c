/*
 * The commands about enrolments: for an issuer, who gives cardholders their secrets, and for the
 * operator, who gives them to merchants and gateways. A secret is shown once and kept nowhere.
 */
#include "ca/cli.h"
#include "ca/enrolment.h"
#include "common/base/limits.h"
#include "common/base/noun.h"
#include "common/crypto/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENROLMENT_DAYS 30
#define TOKEN_DAYS 7
#define IMPORT_MAX (256 * 1024 * 1024) /* a million lines */
#define IMPORT_GROUP 256

static void put(struct setpay_ca_command *command, const char *name, json_t *value)
{
    (void)json_object_set_new(command->result, name, value);
}

static setpay_time_ms end_of_life(const struct setpay_ca_command *command, int days)
{
    return command->now +
           (command->options->days > 0 ? command->options->days : days) * SETPAY_DAY_MS;
}

/* "ABCD-EFGH-JKMN-PQRS" */
static void format_secret(const struct setpay_secret *secret, char *text)
{
    for (size_t at = 0; at < secret->size; at++) {
        if (at > 0 && at % 4 == 0)
            *text++ = '-';
        *text++ = (char)secret->data[at];
    }
    *text = '\0';
}

static void say_secret(struct setpay_ca_command *command,
                       const struct setpay_ca_enrolment *enrolment,
                       const struct setpay_secret *secret)
{
    char text[2 * SETPAY_CA_ENROLMENT_SECRET_CHARS];
    char until[SETPAY_TIME_TEXT_SIZE];

    format_secret(secret, text);
    put(command, "id", json_string(enrolment->id));
    put(command, "secret", json_string(text));
    put(command, "brand", json_string(enrolment->brand));
    put(command, "expires", json_string(setpay_time_format(enrolment->expires, until)));
    if (!command->options->json)
        fprintf(command->out, "enrolment  %s\nsecret     %s\ngood until %s, once\n", enrolment->id,
                text, until);
    setpay_cleanse(text, sizeof text);
}

/* ---- an issuer ---- */

/* A line of standard input without its end. */
static enum setpay_error read_line(const char *what, size_t least, size_t most,
                                   struct setpay_secret *digits, struct setpay_problem *problem)
{
    char line[64];
    size_t size;
    enum setpay_error error;

    if (isatty(STDIN_FILENO))
        fprintf(stderr, "%s: ", what);
    if (fgets(line, sizeof line, stdin) == NULL)
        line[0] = '\0';
    size = strcspn(line, "\r\n");
    if (size < least || size > most || strspn(line, "0123456789") != size)
        error = setpay_problem_set(problem, SETPAY_E_INVALID,
                                   "standard input: expected %s, %zu to %zu digits on a line", what,
                                   least, most);
    else
        error = setpay_secret_copy(digits, setpay_view_of(line, size));
    setpay_cleanse(line, sizeof line);
    return error;
}

static enum setpay_error read_card(struct setpay_ca_command *command,
                                   const struct setpay_secret *key, struct setpay_digest *card)
{
    struct setpay_secret pan = {0};
    struct setpay_secret expiry = {0};
    enum setpay_error error = read_line("the card number", 12, 19, &pan, command->problem);

    if (error == SETPAY_OK)
        error = read_line("the card's expiry as YYMM", 4, 4, &expiry, command->problem);
    if (error == SETPAY_OK)
        error = setpay_ca_card_digest(key, &pan, &expiry, card);
    setpay_secret_clear(&pan);
    setpay_secret_clear(&expiry);
    return error;
}

static enum setpay_error append_line(const char *path, const char *line,
                                     struct setpay_problem *problem)
{
    FILE *file;

    (void)umask(077);
    file = fopen(path, "a");
    (void)umask(022);
    bool written = file != NULL && fprintf(file, "%s\n", line) > 0 && fflush(file) == 0 &&
                   fsync(fileno(file)) == 0;
    if (file != NULL)
        written = fclose(file) == 0 && written;
    if (!written)
        return setpay_problem_set(problem, SETPAY_E_IO, "%s can't be written", path);
    return SETPAY_OK;
}

enum setpay_error setpay_ca_command_enrolment_make(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    struct setpay_ca_enrolment enrolment = {.label = SETPAY_CA_LABEL_CARDHOLDER,
                                            .expires = end_of_life(command, ENROLMENT_DAYS)};
    struct setpay_secret key = {0};
    struct setpay_secret secret = {0};
    char path[4096];
    char line[SETPAY_CA_ENROLMENT_LINE_MAX];

    SETPAY_TRY(setpay_ca_command_need(command, options->brand, "--brand"));
    SETPAY_TRY(setpay_ca_command_need(command, options->output, "-o"));
    if (!setpay_brand_is_valid(options->brand))
        return setpay_problem_set(command->problem, SETPAY_E_INVALID, "'%.40s' is no brand",
                                  options->brand);
    (void)snprintf(enrolment.brand, sizeof enrolment.brand, "%s", options->brand);
    (void)snprintf(path, sizeof path, "%s/cards.key", options->folder);
    enum setpay_error error = setpay_ca_card_key(
        options->card_key != NULL ? options->card_key : path, true, &key, command->problem);
    if (error == SETPAY_OK)
        error = read_card(command, &key, &enrolment.card);
    if (error == SETPAY_OK)
        error = setpay_ca_enrolment_make(&enrolment, &secret);
    if (error == SETPAY_OK)
        error = setpay_ca_enrolment_format(&enrolment, line);
    if (error == SETPAY_OK)
        error = append_line(options->output, line, command->problem);
    if (error == SETPAY_OK)
        say_secret(command, &enrolment, &secret);
    setpay_secret_clear(&key);
    setpay_secret_clear(&secret);
    return error;
}

/* ---- what an issuer has made ---- */

struct import {
    struct setpay_buffer content; /* with a NUL behind it */
    char *at;                     /* the line that comes next */
    size_t number;                /* of lines, all of them */
    size_t lines;                 /* of enrolments */
    bool adding;                  /* the second time through */
    struct setpay_ca_enrolment group[IMPORT_GROUP];
    size_t held;
    size_t added;
};

static void import_free(void *arg)
{
    struct import *import = arg;

    setpay_buffer_clear(&import->content);
    free(import);
}

static enum setpay_error add_group(struct setpay_ca_command *command, struct import *import)
{
    size_t added = 0;

    SETPAY_TRY(setpay_ca_enrolment_add(command->ca, import->group, import->held, &added,
                                       command->problem));
    import->added += added;
    import->held = 0;
    return SETPAY_OK;
}

/* Reads a line into the group; what is no enrolment's is passed over. */
static enum setpay_error take_line(struct setpay_ca_command *command, struct import *import)
{
    char line[SETPAY_CA_ENROLMENT_LINE_MAX];
    struct setpay_problem why = {{0}};
    size_t size = strcspn(import->at, "\n");
    enum setpay_error error = SETPAY_OK;

    import->number++;
    if (size >= sizeof line) {
        error = setpay_problem_set(&why, SETPAY_E_INVALID, "the line is too long");
    } else {
        memcpy(line, import->at, size);
        line[size] = '\0';
        if (line[strspn(line, " \t\r")] != '\0' && line[0] != '#') {
            error = setpay_ca_enrolment_parse(line, &import->group[import->held], &why);
            import->held++;
            import->lines++;
        }
    }
    if (error != SETPAY_OK)
        return setpay_problem_set(command->problem, SETPAY_E_INVALID, "%s, line %zu: %s",
                                  command->options->arguments[0], import->number, why.text);
    import->at += size;
    if (*import->at == '\n')
        import->at++;
    return SETPAY_OK;
}

static enum setpay_error begin_import(struct setpay_ca_command *command)
{
    const char *path = command->options->arguments[0];
    struct import *import = calloc(1, sizeof *import);

    if (import == NULL)
        return SETPAY_E_NOMEM;
    setpay_buffer_init(&import->content, IMPORT_MAX);
    command->state = import;
    command->state_free_cb = import_free;
    SETPAY_TRY(setpay_ca_command_need(command, path, "the issuer's file"));
    SETPAY_TRY(setpay_file_read(path, &import->content, command->problem));
    SETPAY_TRY(setpay_buffer_append(&import->content, setpay_view_of("", 1)));
    import->at = (char *)import->content.data;
    return SETPAY_OK;
}

/* Every line is read before the first is taken: a file is good or it is not. A group at a time:
 * cardholders who enrol meanwhile don't wait for an issuer's hundred thousand others. */
enum setpay_error setpay_ca_command_enrolment_import(struct setpay_ca_command *command)
{
    if (command->state == NULL)
        SETPAY_TRY(begin_import(command));
    struct import *import = command->state;
    while (*import->at != '\0' && import->held < IMPORT_GROUP)
        SETPAY_TRY(take_line(command, import));
    if (import->adding && import->held > 0)
        SETPAY_TRY(add_group(command, import));
    import->held = 0;
    command->unfinished = *import->at != '\0' || !import->adding;
    if (*import->at == '\0' && !import->adding) {
        import->adding = true;
        import->at = (char *)import->content.data;
        import->number = import->lines = 0;
    }
    if (command->unfinished)
        return SETPAY_OK;
    put(command, "read", json_integer((json_int_t)import->lines));
    put(command, "added", json_integer((json_int_t)import->added));
    if (!command->options->json)
        fprintf(command->out, "%zu %s read, %zu of them new.\n", import->lines,
                setpay_noun((int64_t)import->lines, "enrolment", "enrolments"), import->added);
    return SETPAY_OK;
}

/* ---- the operator ---- */

static void list_enrolment(void *arg, const struct setpay_ca_enrolment *enrolment, int64_t uses,
                           int64_t renewals)
{
    struct setpay_ca_command *command = arg;
    char until[SETPAY_TIME_TEXT_SIZE];

    (void)setpay_time_format(enrolment->expires, until);
    (void)json_array_append_new(
        json_object_get(command->result, "enrolments"),
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "id", enrolment->id, "label",
                  enrolment->label, "brand", enrolment->brand, "party", enrolment->party, "hosts",
                  enrolment->hosts, "wrong_tries", (json_int_t)enrolment->tries, "uses",
                  (json_int_t)uses, "renewals", (json_int_t)renewals, "expires", until));
    if (!command->options->json)
        fprintf(command->out,
                "%-13s  %-10s  %-12s %-20s until %.10s  %s%" PRId64 " wrong, %" PRId64
                " used, %" PRId64 " renewed\n",
                enrolment->id, enrolment->label, enrolment->brand,
                enrolment->party[0] != '\0' ? enrolment->party : "-", until,
                enrolment->tries >= SETPAY_CA_TRIES ? "SPENT, " : "", enrolment->tries, uses,
                renewals);
}

enum setpay_error setpay_ca_command_enrolment_list(struct setpay_ca_command *command)
{
    put(command, "enrolments", json_array());
    return setpay_ca_enrolment_each(command->ca, list_enrolment, command);
}

static void show_certificate(void *arg, const struct setpay_ca_record *record)
{
    struct setpay_ca_command *command = arg;
    char from[SETPAY_TIME_TEXT_SIZE];
    char until[SETPAY_TIME_TEXT_SIZE];

    (void)json_array_append_new(json_object_get(command->result, "certificates"),
                                setpay_ca_command_record(record));
    if (!command->options->json)
        fprintf(command->out, "%s  %-19s %.10s to %.10s%s%s%s%s\n", record->serial, record->profile,
                setpay_time_format(record->not_before, from),
                setpay_time_format(record->not_after, until),
                record->parent[0] == '\0' ? "" : "  renews ", record->parent,
                record->revoked == 0 ? "" : "  revoked: ", record->reason);
}

enum setpay_error setpay_ca_command_enrolment_show(struct setpay_ca_command *command)
{
    const char *id = command->options->arguments[0];
    struct setpay_ca_enrolment enrolment;
    char until[SETPAY_TIME_TEXT_SIZE];
    bool ended = false;

    SETPAY_TRY(setpay_ca_command_need(command, id, "the enrolment's id"));
    SETPAY_TRY(setpay_ca_enrolment_find(command->ca, id, &enrolment, &ended, command->problem));
    (void)setpay_time_format(enrolment.expires, until);
    put(command, "id", json_string(enrolment.id));
    put(command, "label", json_string(enrolment.label));
    put(command, "brand", json_string(enrolment.brand));
    put(command, "party", json_string(enrolment.party));
    put(command, "wrong_tries", json_integer(enrolment.tries));
    put(command, "expires", json_string(until));
    put(command, "ended", json_boolean(ended));
    put(command, "certificates", json_array());
    if (!command->options->json)
        fprintf(command->out,
                "a %s of %s%s%s: its secret is good until %s%s, %" PRId64 " wrong tries\n",
                enrolment.label, enrolment.brand, enrolment.party[0] == '\0' ? "" : ", ",
                enrolment.party, until, ended ? " (ended)" : "", enrolment.tries);
    return setpay_ca_enrolment_certificates(command->ca, id, show_certificate, command);
}

enum setpay_error setpay_ca_command_enrolment_remove(struct setpay_ca_command *command)
{
    const char *id = command->options->arguments[0];

    SETPAY_TRY(setpay_ca_command_need(command, id, "the enrolment's id"));
    SETPAY_TRY(setpay_ca_enrolment_remove(command->ca, id, command->problem));
    put(command, "id", json_string(id));
    if (!command->options->json)
        fprintf(command->out, "The enrolment %s is removed.\n", id);
    return SETPAY_OK;
}

static enum setpay_error take_hosts(const struct setpay_ca_options *options,
                                    struct setpay_ca_enrolment *enrolment,
                                    struct setpay_problem *problem)
{
    size_t used = 0;

    for (size_t at = 0; at < options->dns_count; at++) {
        if (!setpay_host_is_valid(options->dns[at]))
            return setpay_problem_set(problem, SETPAY_E_INVALID,
                                      "'%.253s' is not a host name (no wildcards, no addresses)",
                                      options->dns[at]);
        int size = snprintf(enrolment->hosts + used, sizeof enrolment->hosts - used, "%s%s",
                            at > 0 ? " " : "", options->dns[at]);
        if (size < 0 || (size_t)size >= sizeof enrolment->hosts - used)
            return setpay_problem_set(problem, SETPAY_E_INVALID, "the host names are too long");
        used += (size_t)size;
    }
    return SETPAY_OK;
}

enum setpay_error setpay_ca_command_token_add(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    const char *label = options->arguments[0];
    struct setpay_ca_only_brand only = {.count = 0};
    struct setpay_ca_enrolment enrolment = {.expires = end_of_life(command, TOKEN_DAYS)};
    struct setpay_secret secret = {0};
    const char *brand;
    size_t added = 0;

    SETPAY_TRY(setpay_ca_command_need(command, label, "merchant or gateway"));
    SETPAY_TRY(setpay_ca_command_need(command, options->id, "--id"));
    SETPAY_TRY(setpay_ca_command_brand(command, &only, &brand));
    if (strcmp(label, SETPAY_CA_LABEL_MERCHANT) != 0 && strcmp(label, SETPAY_CA_LABEL_GATEWAY) != 0)
        return setpay_problem_set(command->problem, SETPAY_E_USAGE,
                                  "expected merchant or gateway, found '%.40s'", label);
    if (!setpay_party_id_is_valid(options->id))
        return setpay_problem_set(command->problem, SETPAY_E_INVALID,
                                  "the id '%.64s' is not 1 to 32 of A-Z, a-z, 0-9, _ and -",
                                  options->id);
    (void)snprintf(enrolment.label, sizeof enrolment.label, "%s", label);
    (void)snprintf(enrolment.brand, sizeof enrolment.brand, "%s", brand);
    (void)snprintf(enrolment.party, sizeof enrolment.party, "%s", options->id);
    SETPAY_TRY(take_hosts(options, &enrolment, command->problem));
    enum setpay_error error = setpay_ca_enrolment_make(&enrolment, &secret);
    if (error == SETPAY_OK)
        error = setpay_ca_enrolment_add(command->ca, &enrolment, 1, &added, command->problem);
    if (error == SETPAY_OK)
        say_secret(command, &enrolment, &secret);
    setpay_secret_clear(&secret);
    return error;
}
