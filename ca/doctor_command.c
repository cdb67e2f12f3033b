/*
 * doctor, the command: the CA's folder, opened here or looked at by the setpay-cad that has it
 * open; and that daemon, its configuration, files, ports, whether it answers as it should.
 *
 * With --json there is "checks", as of every doctor, and "findings", the same in the form that this
 * program had before.
 */
#include "ca/cad_options.h"
#include "ca/cli.h"
#include "ca/doctor.h"
#include "ca/forward.h"
#include "common/base/log.h"
#include "common/base/terminal.h"
#include "common/crypto/file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBE_MS 3000

static const struct setpay_service_spec daemon_spec = {
    .name = "setpay-cad",
    .options = setpay_cad_options,
    .listeners = {{"est", "listen"}},
};
static const struct setpay_party_certificate certificates[] = {
    {SETPAY_PROFILE_CA_TLS_SERVER, "tls_key", "tls_cert", true, SETPAY_PROFILE_NONE,
     SETPAY_KEEP_NOT},
    {0},
};

/* ---- the folder, where the CA is open ---- */

struct looking {
    struct setpay_doctor doctor;
    struct setpay_ca_log_check *check;
};

static void looking_free(void *arg)
{
    struct looking *looking = arg;

    setpay_ca_log_check_free(looking->check);
    setpay_doctor_clear(&looking->doctor);
    free(looking);
}

static enum setpay_error begin_looking(struct setpay_ca_command *command)
{
    struct looking *looking = calloc(1, sizeof *looking);

    if (looking == NULL)
        return SETPAY_E_NOMEM;
    command->state = looking;
    command->state_free_cb = looking_free;
    SETPAY_TRY(setpay_doctor_init(&looking->doctor, NULL));
    looking->doctor.now_ms = command->now;
    SETPAY_TRY(setpay_ca_log_check_new(command->ca, NULL, &looking->check));
    return setpay_ca_doctor(command->ca, &looking->doctor);
}

/* Prints nothing: the whole result is printed by who asked. The log takes long, and is looked at a
 * part at a time. */
enum setpay_error setpay_ca_command_doctor(struct setpay_ca_command *command)
{
    bool begins = command->state == NULL;
    enum setpay_error error = begins ? begin_looking(command) : SETPAY_OK;
    struct looking *looking = command->state;

    if (error == SETPAY_OK)
        command->unfinished = begins || setpay_ca_doctor_log(looking->check, &looking->doctor);
    if (looking == NULL || command->unfinished)
        return error;
    (void)json_object_set(command->result, "checks", looking->doctor.checks);
    (void)json_object_set_new(command->result, "newest_ms",
                              json_integer(looking->doctor.newest_ms));
    return error;
}

static enum setpay_error look(struct setpay_ca_command *command)
{
    enum setpay_error error = SETPAY_OK;

    do {
        command->unfinished = false;
        error = setpay_ca_command_doctor(command);
    } while (error == SETPAY_OK && command->unfinished);
    setpay_ca_command_end(command);
    return error;
}

static enum setpay_error unlock(struct setpay_ca_command *command)
{
    struct setpay_secret passphrase = {0};

    if (command->options->passphrase_file == NULL)
        return SETPAY_OK;
    enum setpay_error error =
        setpay_file_read_secret(command->options->passphrase_file, &passphrase, command->problem);
    if (error == SETPAY_OK)
        error = setpay_ca_unlock(command->ca, &passphrase, command->problem);
    setpay_secret_clear(&passphrase);
    return error;
}

static void look_at_folder(const struct setpay_ca_command_row *row,
                           struct setpay_ca_command *command, struct setpay_doctor *doctor)
{
    enum setpay_error error =
        setpay_ca_open(command->options->folder, false, &command->ca, command->problem);

    if (error == SETPAY_E_RUNNING) {
        if (doctor->runs && doctor->told == NULL)
            return; /* it does not answer, and that is said */
        command->problem->text[0] = '\0';
        error = setpay_ca_forward(row, command);
    } else if (error == SETPAY_OK) {
        error = unlock(command);
        if (error != SETPAY_OK)
            setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, "keys", "",
                              "give the CA's own passphrase in a file of mode 0600", "%s",
                              command->problem->text);
        struct setpay_store_health health;
        setpay_store_health(setpay_ca_store(command->ca), 0, &health);
        setpay_doctor_safety(doctor, &health.safety);
        error = look(command);
    }
    setpay_ca_close(command->ca);
    command->ca = NULL;
    if (error != SETPAY_OK)
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_FILES, command->options->folder,
                          "name the CA's folder: --dir D", "%s",
                          command->problem->text[0] != '\0' ? command->problem->text
                                                            : setpay_error_text(error));
    command->problem->text[0] = '\0';
    setpay_doctor_take(doctor, json_object_get(command->result, "checks"));
    setpay_doctor_add_date(doctor, "the newest certificate or revocation list",
                           json_integer_value(json_object_get(command->result, "newest_ms")));
    (void)json_object_clear(command->result);
}

/* ---- the daemon ---- */

/* Its own address, as a party that enrols would meet it. */
static void check_answer(struct setpay_doctor *doctor)
{
    struct setpay_probe probe = {.get = "/", .host = "authority"};

    if (!doctor->runs || doctor->trust == NULL ||
        setpay_doctor_server_tls(doctor, SETPAY_PROFILE_CA_TLS_SERVER, &probe.tls) != SETPAY_OK)
        return;
    (void)snprintf(probe.address, sizeof probe.address, "%s",
                   setpay_config_text(doctor->config, "", "listen"));
    setpay_probes_run(&probe, 1, PROBE_MS);
    probe.date_ms = 0; /* the same computer's */
    setpay_doctor_peer(doctor, "setpay-cad", &probe,
                       "look at the end of its log; if it stays so, stop it and start it again");
    setpay_tls_free(probe.tls);
}

/* By its configuration, which the command line names, or the daemon itself. */
static void ask_daemon(const struct setpay_ca_command *command, struct setpay_doctor *doctor)
{
    char socket[PATH_MAX], hint[PATH_MAX + 32];
    const char *config = command->options->config;
    const char *path = NULL;

    (void)snprintf(socket, sizeof socket, "%s/" SETPAY_CA_SOCKET, command->options->folder);
    if (config != NULL && setpay_doctor_configure(doctor, config))
        path = setpay_config_text(doctor->config, "", "admin_socket");
    (void)snprintf(hint, sizeof hint, "setpay-cad --config %s", config != NULL ? config : "FILE");
    /* A CA that is worked by files needs no daemon. */
    if (path != NULL || access(socket, F_OK) == 0)
        setpay_doctor_ask(doctor, path != NULL ? path : socket, hint);
    if (config == NULL && doctor->told != NULL) {
        const char *told = json_string_value(json_object_get(doctor->told, "config"));
        if (told != NULL)
            (void)setpay_doctor_configure(doctor, told);
    }
}

static void look_at_daemon(const struct setpay_ca_command *command, struct setpay_doctor *doctor)
{
    char root[PATH_MAX], folder[PATH_MAX];

    if (doctor->config == NULL)
        return;
    (void)snprintf(root, sizeof root, "%s/root.pem", command->options->folder);
    (void)snprintf(folder, sizeof folder, "%s/certificates", command->options->folder);
    setpay_doctor_files(doctor);
    setpay_doctor_disk(doctor);
    setpay_doctor_root(doctor, root, folder, certificates);
    setpay_doctor_certificates(doctor, certificates);
    setpay_doctor_ports(doctor);
    check_answer(doctor);
    doctor->root = NULL; /* stands on this stack */
}

/* ---- the command ---- */

static json_t *findings_of(const json_t *checks)
{
    json_t *list = json_array();
    size_t index;
    json_t *check;

    json_array_foreach(checks, index, check)
    {
        const char *about = json_string_value(json_object_get(check, "about"));
        const char *name = json_string_value(json_object_get(check, "name"));
        const char *words = json_string_value(json_object_get(check, "words"));
        const char *todo = json_string_value(json_object_get(check, "what_to_do"));
        size_t length = about != NULL ? strlen(about) : 0;
        if (length > 0 && strncmp(words, about, length) == 0 &&
            strncmp(words + length, ": ", 2) == 0)
            words += length + 2; /* "what" says it */
        (void)json_array_append_new(
            list, json_pack("{s:b, s:s, s:o}", "good", json_is_true(json_object_get(check, "ok")),
                            "what", about != NULL ? about : name, "text",
                            json_sprintf("%s%s%s", words, todo[0] != '\0' ? ": " : "", todo)));
    }
    return list;
}

enum setpay_error setpay_ca_run_doctor(const struct setpay_ca_command_row *row,
                                       struct setpay_ca_command *command)
{
    struct setpay_doctor doctor;
    enum setpay_error error = setpay_doctor_init(&doctor, &daemon_spec);

    if (error != SETPAY_OK)
        return error;
    /* What the parts say to a daemon's log is said here in findings. */
    error = setpay_log_open("/dev/null", SETPAY_LOG_ERROR, SETPAY_LOG_LOGFMT);
    if (error == SETPAY_OK) {
        ask_daemon(command, &doctor);
        look_at_folder(row, command, &doctor);
        look_at_daemon(command, &doctor);
        setpay_doctor_clock(&doctor);
        json_decref(command->result);
        command->result = setpay_doctor_result(&doctor);
        (void)json_object_set_new(command->result, "findings", findings_of(doctor.checks));
        if (!command->options->json)
            setpay_doctor_print(command->out, command->result,
                                setpay_terminal_wants_colour(command->out));
        error = setpay_doctor_verdict(&doctor, command->problem);
    }
    setpay_doctor_clear(&doctor);
    return error;
}
