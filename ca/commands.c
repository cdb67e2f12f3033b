/*
 * The commands of setpay-ca: each reads its files, calls the library, and says what was done, in
 * words or as the JSON object of --json. Nothing is decided here.
 */
#include "ca/cli.h"

#include "common/base/noun.h"
#include "common/crypto/file.h"
#include "common/pki/csr.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum setpay_error setpay_ca_command_need(struct setpay_ca_command *command, const char *value,
                                         const char *option)
{
    if (value != NULL)
        return SETPAY_OK;
    return setpay_problem_set(command->problem, SETPAY_E_USAGE, "%s is needed", option);
}

void setpay_ca_command_end(struct setpay_ca_command *command)
{
    if (command->state != NULL)
        command->state_free_cb(command->state);
    command->state = NULL;
}

static void put(struct setpay_ca_command *command, const char *name, json_t *value)
{
    (void)json_object_set_new(command->result, name, value);
}

static json_t *json_time(setpay_time_ms time)
{
    char text[SETPAY_TIME_TEXT_SIZE];

    return json_string(setpay_time_format(time, text));
}

static json_t *json_digest(const struct setpay_digest *digest)
{
    char text[SETPAY_DIGEST_TEXT_SIZE];

    return json_string(setpay_digest_format(digest, text));
}

/* ---- brands ---- */

static void count_brand(void *arg, const char *authority, uint64_t number,
                        setpay_time_ms this_update, setpay_time_ms next_update,
                        struct setpay_view der)
{
    struct setpay_ca_only_brand *only = arg;
    size_t length = strcspn(authority, ".");

    (void)number;
    (void)this_update;
    (void)next_update;
    (void)der;
    if (strcmp(authority + length, ".brand") == 0 && length < sizeof only->brand) {
        memcpy(only->brand, authority, length);
        only->brand[length] = '\0';
        only->count++;
    }
}

enum setpay_error setpay_ca_command_brand(struct setpay_ca_command *command,
                                          struct setpay_ca_only_brand *only, const char **brand)
{
    *brand = command->options->brand;
    if (*brand != NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_ca_list_crls(command->ca, NULL, count_brand, only));
    if (only->count != 1)
        return setpay_problem_set(command->problem, SETPAY_E_USAGE,
                                  "this CA has %zu brands: say which with --brand", only->count);
    *brand = only->brand;
    return SETPAY_OK;
}

enum setpay_error setpay_ca_command_init(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    struct setpay_secret passphrase = {0};
    enum setpay_error error = setpay_ca_command_need(command, options->name, "--name");

    if (error == SETPAY_OK)
        error = setpay_ca_passphrase_read(options->passphrase_file, true, &passphrase,
                                          command->problem);
    if (error == SETPAY_OK)
        error = setpay_ca_init(options->folder, options->name, &passphrase, command->now,
                               command->problem);
    setpay_secret_clear(&passphrase);
    if (error != SETPAY_OK)
        return error;
    put(command, "folder", json_string(options->folder));
    put(command, "root", json_sprintf("%s/root.pem", options->folder));
    if (!options->json)
        fprintf(command->out, "A root is made in %s; every party is configured with %s/root.pem.\n",
                options->folder, options->folder);
    return SETPAY_OK;
}

enum setpay_error setpay_ca_command_brand_add(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    const char *brand = options->arguments[0];

    SETPAY_TRY(setpay_ca_command_need(command, brand, "the brand's id"));
    SETPAY_TRY(
        setpay_ca_brand_add(command->ca, brand, options->loopback, command->now, command->problem));
    put(command, "brand", json_string(brand));
    put(command, "loopback", json_boolean(options->loopback));
    if (!options->json)
        fprintf(command->out,
                "Brand %s: brand CA, CCA, MCA and PCA are made, each with a first CRL.\n", brand);
    return SETPAY_OK;
}

enum setpay_error setpay_ca_command_authority_renew(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    struct setpay_ca_successor made = {.not_after = 0};
    char until[SETPAY_TIME_TEXT_SIZE];

    SETPAY_TRY(setpay_ca_command_need(command, options->arguments[0], "the authority's name"));
    SETPAY_TRY(setpay_ca_authority_renew(command->ca, options->arguments[0], command->now, &made,
                                         command->problem));
    put(command, "authority", json_string(made.name));
    put(command, "serial", json_string(made.serial));
    put(command, "not_after", json_time(made.not_after));
    put(command, "former", json_string(made.former));
    put(command, "former_serial", json_string(made.former_serial));
    if (!options->json)
        fprintf(command->out,
                "%s is made, until %s, and issues from now on in place of %s.\n"
                "What %s has issued stays good. To end that too: revoke %s --reason REASON\n",
                made.name, setpay_time_format(made.not_after, until), made.former, made.former,
                made.former_serial);
    return SETPAY_OK;
}

/* ---- issuing ---- */

static enum setpay_error say_issued(struct setpay_ca_command *command,
                                    const struct setpay_ca_issued *issued)
{
    const struct setpay_ca_options *options = command->options;
    char until[SETPAY_TIME_TEXT_SIZE];
    enum setpay_error error = setpay_file_write(options->output, setpay_buffer_view(&issued->chain),
                                                0644, true, command->problem);

    if (error != SETPAY_OK) {
        size_t used = strlen(command->problem->text);

        (void)snprintf(command->problem->text + used, sizeof command->problem->text - used,
                       "; the certificate is issued: setpay-ca chain %s writes it again",
                       issued->serial);
        return error;
    }
    put(command, "serial", json_string(issued->serial));
    put(command, "subject", json_string(issued->subject));
    put(command, "authority", json_string(issued->authority));
    put(command, "thumbprint", json_digest(&issued->thumbprint));
    put(command, "not_before", json_time(issued->not_before));
    put(command, "not_after", json_time(issued->not_after));
    put(command, "file", json_string(options->output));
    if (!options->json)
        fprintf(command->out, "%s\n  %s, by %s, until %s\n  written to %s\n", issued->serial,
                issued->subject, issued->authority, setpay_time_format(issued->not_after, until),
                options->output);
    return SETPAY_OK;
}

/* A cardholder's request holds the PAN: its file must be private, and its bytes stay secret. Other
 * requests are public. */
static enum setpay_error read_request(struct setpay_ca_command *command, bool private,
                                      struct setpay_secret *request)
{
    struct setpay_buffer content = {0};
    enum setpay_error error;

    if (private)
        return setpay_file_read_secret(command->options->csr, request, command->problem);
    setpay_buffer_init(&content, 2 * SETPAY_LIMIT_CSR_BYTES);
    error = setpay_file_read(command->options->csr, &content, command->problem);
    if (error == SETPAY_OK && content.size == 0)
        error = setpay_problem_set(command->problem, SETPAY_E_CSR, "%s is empty",
                                   command->options->csr);
    if (error == SETPAY_OK)
        error = setpay_secret_copy(request, setpay_buffer_view(&content));
    setpay_buffer_clear(&content);
    return error;
}

enum setpay_error setpay_ca_command_issue(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    struct setpay_ca_request request = {.profile = options->arguments[0],
                                        .id = options->id,
                                        .dns_count = options->dns_count,
                                        .days = options->days};
    struct setpay_ca_only_brand only = {.count = 0};
    struct setpay_ca_issued issued;
    struct setpay_secret csr = {0};
    enum setpay_error error;

    SETPAY_TRY(setpay_ca_command_need(command, request.profile, "the certificate profile"));
    SETPAY_TRY(setpay_ca_command_need(command, options->csr, "--csr"));
    SETPAY_TRY(setpay_ca_command_need(command, options->output, "-o"));
    SETPAY_TRY(setpay_ca_command_brand(command, &only, &request.brand));
    memcpy(request.dns, options->dns, sizeof request.dns);
    setpay_ca_issued_init(&issued);
    error = read_request(command, strncmp(request.profile, "cardholder", 10) == 0, &csr);
    request.csr = setpay_secret_view(&csr);
    if (error == SETPAY_OK)
        error = setpay_ca_issue(command->ca, &request, command->now, &issued, command->problem);
    setpay_secret_clear(&csr);
    if (error == SETPAY_OK)
        error = say_issued(command, &issued);
    setpay_ca_issued_clear(&issued);
    return error;
}

enum setpay_error setpay_ca_command_renew(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    struct setpay_ca_issued issued;
    struct setpay_buffer old = {0};
    struct setpay_secret csr = {0};
    enum setpay_error error;

    SETPAY_TRY(setpay_ca_command_need(command, options->certificate, "--certificate"));
    SETPAY_TRY(setpay_ca_command_need(command, options->csr, "--csr"));
    SETPAY_TRY(setpay_ca_command_need(command, options->output, "-o"));
    setpay_ca_issued_init(&issued);
    setpay_buffer_init(&old, SETPAY_CA_PEM_MAX);
    error = setpay_file_read(options->certificate, &old, command->problem);
    if (error == SETPAY_OK)
        error = read_request(command, false, &csr);
    if (error == SETPAY_OK)
        error = setpay_ca_renew(command->ca, setpay_buffer_view(&old), setpay_secret_view(&csr),
                                options->days, command->now, &issued, command->problem);
    if (error == SETPAY_OK)
        error = say_issued(command, &issued);
    setpay_secret_clear(&csr);
    setpay_buffer_clear(&old);
    setpay_ca_issued_clear(&issued);
    return error;
}

enum setpay_error setpay_ca_command_bundle(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    struct setpay_ca_request names = {
        .id = options->id, .dns_count = options->dns_count, .days = options->days};
    struct setpay_ca_only_brand only = {.count = 0};
    struct setpay_secret passphrase = {0};
    enum setpay_error error = SETPAY_OK;

    SETPAY_TRY(setpay_ca_command_need(command, options->arguments[0], "merchant, gateway or ca"));
    SETPAY_TRY(setpay_ca_command_need(command, options->id, "--id"));
    SETPAY_TRY(setpay_ca_command_need(command, options->output, "--out"));
    SETPAY_TRY(setpay_ca_command_brand(command, &only, &names.brand));
    memcpy(names.dns, options->dns, sizeof names.dns);
    if (options->key_passphrase_file != NULL)
        error =
            setpay_file_read_secret(options->key_passphrase_file, &passphrase, command->problem);
    if (error == SETPAY_OK)
        error = setpay_ca_bundle(command->ca, options->arguments[0], &names, options->output,
                                 passphrase.size == 0 ? NULL : &passphrase, command->now,
                                 command->problem);
    setpay_secret_clear(&passphrase);
    if (error != SETPAY_OK)
        return error;
    put(command, "folder", json_string(options->output));
    put(command, "brand", json_string(names.brand));
    put(command, "id", json_string(options->id));
    if (!options->json)
        fprintf(command->out, "Keys and certificates of %s %s (%s) are in %s.\n",
                options->arguments[0], options->id, names.brand, options->output);
    return SETPAY_OK;
}

/* ---- revocation lists ---- */

enum setpay_error setpay_ca_command_serial(struct setpay_ca_command *command,
                                           char serial[SETPAY_CA_SERIAL_SIZE], const char **chosen)
{
    const struct setpay_ca_options *options = command->options;
    struct setpay_buffer bytes = {0};
    enum setpay_error error;

    *chosen = options->arguments[0];
    if ((*chosen == NULL) == (options->certificate == NULL))
        return setpay_problem_set(command->problem, SETPAY_E_USAGE,
                                  "either a serial or --certificate is needed");
    if (*chosen != NULL)
        return SETPAY_OK;
    setpay_buffer_init(&bytes, SETPAY_CA_PEM_MAX);
    error = setpay_file_read(options->certificate, &bytes, command->problem);
    if (error == SETPAY_OK)
        error =
            setpay_ca_serial_of(command->ca, setpay_buffer_view(&bytes), serial, command->problem);
    setpay_buffer_clear(&bytes);
    *chosen = serial;
    return error;
}

struct crl_output {
    struct setpay_ca_command *command;
    json_t *list;
    enum setpay_error error;
};

static enum setpay_error write_crl(const struct crl_output *output, const char *authority,
                                   struct setpay_view der)
{
    char path[4096];
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long size = 0;
    enum setpay_error error = SETPAY_E_CRYPTO;

    if (bio != NULL && PEM_write_bio(bio, "X509 CRL", "", der.data, (long)der.size) > 0)
        size = BIO_get_mem_data(bio, &text);
    if (snprintf(path, sizeof path, "%s/%s.crl", output->command->options->output, authority) >=
        (int)sizeof path)
        error = SETPAY_E_INVALID;
    else if (size > 0)
        error = setpay_file_write(path, setpay_view_of(text, (size_t)size), 0644, true,
                                  output->command->problem);
    BIO_free(bio);
    return error;
}

static void say_crl(void *arg, const char *authority, uint64_t number, setpay_time_ms this_update,
                    setpay_time_ms next_update, struct setpay_view der)
{
    struct crl_output *output = arg;
    const struct setpay_ca_options *options = output->command->options;
    char until[SETPAY_TIME_TEXT_SIZE];

    if (output->error == SETPAY_OK && options->output != NULL)
        output->error = write_crl(output, authority, der);
    (void)json_array_append_new(output->list,
                                json_pack("{s:s, s:I, s:o, s:o}", "authority", authority, "number",
                                          (json_int_t)number, "this_update", json_time(this_update),
                                          "next_update", json_time(next_update)));
    if (!options->json)
        fprintf(output->command->out, "%-20s number %-6" PRIu64 " until %s\n", authority, number,
                setpay_time_format(next_update, until));
}

enum setpay_error setpay_ca_command_crl(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    struct crl_output output = {.command = command, .list = json_array()};
    const struct setpay_ca_lists_wish wish = {.brand = options->brand, .now = command->now};
    size_t made = 0;

    put(command, "crls", output.list);
    if (options->output != NULL && mkdir(options->output, 0755) != 0 && errno != EEXIST)
        return setpay_problem_set(command->problem, SETPAY_E_IO, "%s can't be made: %s",
                                  options->output, strerror(errno));
    enum setpay_error error = setpay_ca_make_crls(command->ca, &wish, &made, command->problem);
    if (error != SETPAY_OK && made == 0)
        return error;
    /* What could be made is told and copied, before it is said what could not. */
    SETPAY_TRY(setpay_ca_list_crls(command->ca, options->brand, say_crl, &output));
    return error != SETPAY_OK ? error : output.error;
}

/* ---- looking ---- */

json_t *setpay_ca_command_record(const struct setpay_ca_record *record)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:b}", "serial", record->serial, "profile",
                  record->profile, "subject", record->subject, "authority", record->authority,
                  "not_before", json_time(record->not_before), "not_after",
                  json_time(record->not_after), "revoked", record->revoked != 0);

    if (record->parent[0] != '\0')
        (void)json_object_set_new(object, "renews", json_string(record->parent));
    if (record->revoked != 0) {
        (void)json_object_set_new(object, "revoked_at", json_time(record->revoked));
        (void)json_object_set_new(object, "reason", json_string(record->reason));
    }
    return object;
}

static void list_record(void *arg, const struct setpay_ca_record *record)
{
    struct setpay_ca_command *command = arg;
    char until[SETPAY_TIME_TEXT_SIZE];

    (void)json_array_append_new(json_object_get(command->result, "certificates"),
                                setpay_ca_command_record(record));
    if (!command->options->json)
        fprintf(command->out, "%s  %-20s  %.10s  %-8s %s\n", record->serial, record->profile,
                setpay_time_format(record->not_after, until), record->revoked != 0 ? "revoked" : "",
                record->subject);
}

enum setpay_error setpay_ca_command_list(struct setpay_ca_command *command)
{
    put(command, "certificates", json_array());
    return setpay_ca_list(command->ca, command->options->brand, list_record, command);
}

static void show_record(void *arg, const struct setpay_ca_record *record)
{
    struct setpay_ca_command *command = arg;
    char from[SETPAY_TIME_TEXT_SIZE];
    char until[SETPAY_TIME_TEXT_SIZE];

    json_decref(command->result);
    command->result = setpay_ca_command_record(record);
    if (command->options->json)
        return;
    fprintf(command->out,
            "serial     %s\nprofile    %s\nsubject    %s\nissued by  %s\nvalid      %s to %s\n",
            record->serial, record->profile, record->subject, record->authority,
            setpay_time_format(record->not_before, from),
            setpay_time_format(record->not_after, until));
    if (record->parent[0] != '\0')
        fprintf(command->out, "renews     %s\n", record->parent);
    if (record->revoked != 0)
        fprintf(command->out, "revoked    %s, %s\n", setpay_time_format(record->revoked, from),
                record->reason);
}

/* What its holder has had by it. */
static void show_descendant(void *arg, const struct setpay_ca_record *record)
{
    struct setpay_ca_command *command = arg;
    char until[SETPAY_TIME_TEXT_SIZE];

    (void)json_array_append_new(json_object_get(command->result, "renewals"),
                                setpay_ca_command_record(record));
    if (!command->options->json)
        fprintf(command->out, "renewed as %s, %s, until %.10s%s\n", record->serial, record->profile,
                setpay_time_format(record->not_after, until),
                record->revoked != 0 ? ", revoked" : "");
}

enum setpay_error setpay_ca_command_show(struct setpay_ca_command *command)
{
    char buffer[SETPAY_CA_SERIAL_SIZE];
    const char *serial;

    SETPAY_TRY(setpay_ca_command_serial(command, buffer, &serial));
    SETPAY_TRY(setpay_ca_show(command->ca, serial, show_record, command, command->problem));
    put(command, "renewals", json_array());
    return setpay_ca_descendants(command->ca, serial, 0, show_descendant, command);
}

enum setpay_error setpay_ca_command_chain(struct setpay_ca_command *command)
{
    const struct setpay_ca_options *options = command->options;
    struct setpay_buffer pem = {0};
    char buffer[SETPAY_CA_SERIAL_SIZE];
    const char *serial;
    enum setpay_error error = setpay_ca_command_serial(command, buffer, &serial);

    setpay_buffer_init(&pem, SETPAY_CA_PEM_MAX);
    if (error == SETPAY_OK)
        error = setpay_ca_chain(command->ca, serial, &pem, command->problem);
    if (error == SETPAY_OK && options->output != NULL)
        error = setpay_file_write(options->output, setpay_buffer_view(&pem), 0644, true,
                                  command->problem);
    if (error == SETPAY_OK) {
        put(command, "chain", json_stringn((const char *)pem.data, pem.size));
        if (options->output == NULL && !options->json)
            (void)fwrite(pem.data, 1, pem.size, command->out);
    }
    setpay_buffer_clear(&pem);
    return error;
}

/* ---- the log ---- */

static void show_entry(void *arg, const struct setpay_ca_log_entry *entry)
{
    struct setpay_ca_command *command = arg;
    char at[SETPAY_TIME_TEXT_SIZE];

    (void)json_array_append_new(
        json_object_get(command->result, "entries"),
        json_pack("{s:I, s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "number",
                  (json_int_t)entry->number, "time", json_time(entry->time), "action",
                  entry->action, "authority", entry->authority, "serial", entry->serial, "subject",
                  entry->subject, "object", json_digest(&entry->object), "previous",
                  json_digest(&entry->previous), "hash", json_digest(&entry->hash)));
    if (!command->options->json)
        fprintf(command->out, "%6" PRIu64 "  %s  %-9s  %-16s  %s  %s\n", entry->number,
                setpay_time_format(entry->time, at), entry->action, entry->authority, entry->serial,
                entry->subject);
}

enum setpay_error setpay_ca_command_log_show(struct setpay_ca_command *command)
{
    put(command, "entries", json_array());
    return setpay_ca_log_each(command->ca, show_entry, command);
}

/* COUNT:HASH */
static enum setpay_error parse_witness(struct setpay_ca_command *command,
                                       struct setpay_ca_log_head *witness)
{
    const char *text = command->options->witness;
    char *end = NULL;
    unsigned long long count = strtoull(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != ':' || count == 0 ||
        setpay_digest_parse(end + 1, &witness->hash) != SETPAY_OK)
        return setpay_problem_set(command->problem, SETPAY_E_USAGE,
                                  "--witness must be COUNT:HASH, as log verify prints it");
    witness->count = count;
    return SETPAY_OK;
}

static void free_check(void *arg)
{
    setpay_ca_log_check_free(arg);
}

static enum setpay_error begin_verify(struct setpay_ca_command *command)
{
    struct setpay_ca_log_head witness = {0};
    struct setpay_ca_log_check *check;
    bool witnessed = command->options->witness != NULL;

    if (witnessed)
        SETPAY_TRY(parse_witness(command, &witness));
    SETPAY_TRY(setpay_ca_log_check_new(command->ca, witnessed ? &witness : NULL, &check));
    command->state = check;
    command->state_free_cb = free_check;
    return SETPAY_OK;
}

enum setpay_error setpay_ca_command_log_verify(struct setpay_ca_command *command)
{
    struct setpay_ca_log_head head;
    char hash[SETPAY_DIGEST_TEXT_SIZE];

    if (command->state == NULL)
        SETPAY_TRY(begin_verify(command));
    SETPAY_TRY(
        setpay_ca_log_check_step(command->state, &command->unfinished, &head, command->problem));
    if (command->unfinished)
        return SETPAY_OK;
    (void)setpay_digest_format(&head.hash, hash);
    put(command, "entries", json_integer((json_int_t)head.count));
    put(command, "head", json_sprintf("%" PRIu64 ":%s", head.count, hash));
    if (!command->options->json)
        fprintf(command->out,
                "The log holds: %" PRIu64 " %s. Its head, to be kept elsewhere:\n%" PRIu64 ":%s\n",
                head.count, setpay_noun((int64_t)head.count, "entry", "entries"), head.count, hash);
    return SETPAY_OK;
}
