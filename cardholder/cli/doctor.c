/*
 * doctor: what the daemon says of itself and its cards, and what can be seen from outside: its
 * configuration, files, room, ports, and whether those answer whom the cards need. Where the daemon
 * does not run its configuration has to be named; the database is then looked at, and not changed.
 */
#include "cardholder/doctor.h"
#include "cardholder/backup.h"
#include "cardholder/cli/cli.h"
#include "common/base/log.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_MS 3000
/* As long as the path of a UNIX socket may be, and its NUL. */
#define SOCKET_PATH_SIZE 108

static const struct setpay_service_spec daemon_spec = {
    .name = "setpay-walletd",
    .options = setpay_wallet_options,
    .schema = &setpay_wallet_schema,
};

/* ------------------------------------------------------------------ peers */

static void take_peers(const json_t *list, struct setpay_wallet_records *records)
{
    size_t index;
    const json_t *entry;
    json_array_foreach(list, index, entry)
    {
        const char *kind = setpay_cli_text_of(entry, "kind");
        const char *host = setpay_cli_text_of(entry, "host");
        if (kind == NULL || host == NULL || records->peer_count == SETPAY_WALLET_DOCTOR_PEERS_MAX)
            continue;
        struct setpay_wallet_doctor_peer *peer = &records->peers[records->peer_count++];
        peer->is_authority = strcmp(kind, "authority") == 0;
        peer->place.port = (uint16_t)json_integer_value(json_object_get(entry, "port"));
        (void)snprintf(peer->place.host, sizeof peer->place.host, "%s", host);
    }
}

static void check_peers(struct setpay_doctor *doctor, const struct setpay_wallet_records *records)
{
    static const char merchant_todo[] = "wait, or ask the merchant: the wallet goes on inquiring "
                                        "by itself, and nothing is paid twice";
    struct setpay_probe probes[SETPAY_WALLET_DOCTOR_PEERS_MAX];
    struct setpay_tls *authority = NULL, *merchant = NULL;
    if (doctor->trust == NULL || records->peer_count == 0 ||
        setpay_doctor_server_tls(doctor, SETPAY_PROFILE_CA_TLS_SERVER, &authority) != SETPAY_OK ||
        setpay_doctor_server_tls(doctor, SETPAY_PROFILE_MERCHANT_TLS_SERVER, &merchant) !=
            SETPAY_OK)
        goto out;
    for (size_t i = 0; i < records->peer_count; i++)
        setpay_doctor_probe_server(&probes[i], &records->peers[i].place,
                                   records->peers[i].is_authority ? authority : merchant);
    setpay_probes_run(probes, records->peer_count, PROBE_MS);
    for (size_t i = 0; i < records->peer_count; i++) {
        bool is_authority = records->peers[i].is_authority;
        setpay_doctor_peer(doctor, is_authority ? "the authority" : "the merchant", &probes[i],
                           is_authority ? SETPAY_DOCTOR_AUTHORITY_TODO : merchant_todo);
    }
out:
    setpay_tls_free(authority);
    setpay_tls_free(merchant);
}

/* ------------------------------------------------------------------ all of it */

static void examine(struct setpay_doctor *doctor, struct setpay_wallet_records *records)
{
    records->renew_before_ms = setpay_config_int(doctor->config, "", "renew_before");
    setpay_doctor_files(doctor);
    setpay_doctor_disk(doctor);
    setpay_doctor_root(doctor, setpay_config_text(doctor->config, "", "root"),
                       setpay_config_text(doctor->config, "", "crls"), NULL);
    if (doctor->told != NULL) {
        take_peers(json_object_get(doctor->told, "peers"), records);
    } else if (!doctor->runs && doctor->trust != NULL) {
        size_t failed = doctor->failed;
        records->trust = doctor->trust;
        setpay_doctor_database(doctor, &setpay_wallet_schema, setpay_wallet_records_read, records);
        if (doctor->failed == failed)
            setpay_wallet_doctor_records(doctor, doctor->trust, records, false);
    }
    setpay_doctor_ports(doctor);
    check_peers(doctor, records);
    setpay_doctor_clock(doctor);
}

/* The socket, of the command line or of the configuration that it names. */
static enum setpay_error find_socket(struct setpay_cli *cli, const struct setpay_doctor *doctor,
                                     char path[SOCKET_PATH_SIZE])
{
    const char *option = cli->options->socket;
    if (option == NULL && doctor->config != NULL)
        option = setpay_config_text(doctor->config, "", "socket");
    return setpay_cli_socket_path(option, getenv("SETPAY_WALLET_SOCKET"), getenv("XDG_RUNTIME_DIR"),
                                  path, SOCKET_PATH_SIZE, &cli->problem);
}

static enum setpay_error look(struct setpay_cli *cli, struct setpay_doctor *doctor,
                              struct setpay_wallet_records *records)
{
    char path[SOCKET_PATH_SIZE], hint[PATH_MAX + 64];
    const char *config = cli->options->config;
    if (config != NULL && !setpay_doctor_configure(doctor, config))
        return SETPAY_OK;
    SETPAY_TRY(find_socket(cli, doctor, path));
    (void)snprintf(hint, sizeof hint, "setpay-walletd --config %s%s",
                   config != NULL ? config : "FILE",
                   config != NULL ? ""
                                  : "; setpay-wallet doctor --config FILE says what keeps it "
                                    "from starting");
    setpay_doctor_ask(doctor, path, hint);
    if (config == NULL && doctor->told != NULL) {
        config = setpay_cli_text_of(doctor->told, "config");
        if (config != NULL && !setpay_doctor_configure(doctor, config))
            return SETPAY_OK;
    }
    if (doctor->config != NULL)
        examine(doctor, records);
    return SETPAY_OK;
}

enum setpay_error setpay_cli_run_doctor(struct setpay_cli *cli)
{
    struct setpay_doctor doctor;
    struct setpay_wallet_records *records = calloc(1, sizeof *records);
    enum setpay_error error =
        records == NULL ? SETPAY_E_NOMEM : setpay_doctor_init(&doctor, &daemon_spec);
    if (error != SETPAY_OK) {
        free(records);
        return error;
    }
    /* What the parts say to a daemon's log is said here in findings. */
    error = setpay_log_open("/dev/null", SETPAY_LOG_ERROR, SETPAY_LOG_LOGFMT);
    if (error == SETPAY_OK)
        error = look(cli, &doctor, records);
    if (error == SETPAY_OK) {
        cli->result = setpay_doctor_result(&doctor);
        if (!cli->options->json)
            setpay_doctor_print(stdout, cli->result, cli->colour);
        cli->exit_status = doctor.failed > 0 ? 1 : 0;
    }
    setpay_wallet_records_clear(records);
    free(records);
    setpay_doctor_clear(&doctor);
    return error;
}
