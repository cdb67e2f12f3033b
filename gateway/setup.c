/*
 * From the configuration to a gateway that can work. Nothing here is on the path of a payment.
 */
#include "gateway/setup.h"

#include "common/base/log.h"
#include "common/net/est_client.h"
#include "common/net/loader.h"
#include "gateway/clearing/payee.h"
#include "gateway/network/tls.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ after a restore */

static enum setpay_error read_restore(struct setpay_db *db, void *arg)
{
    return setpay_store_last_restore(db, arg);
}

/* Rule G12 */
static enum setpay_error load_restore(struct setpay_service *service,
                                      struct setpay_gateway *gateway)
{
    struct setpay_store_restore restore = {0, 0};
    struct setpay_reader *reader = NULL;
    char backup[SETPAY_TIME_TEXT_SIZE];
    char restored[SETPAY_TIME_TEXT_SIZE];
    SETPAY_TRY(setpay_reader_new(service->store, &reader));
    enum setpay_error error = setpay_store_read(reader, read_restore, &restore);
    setpay_reader_free(reader);
    gateway->restored_ms = restore.restored_ms;
    if (restore.restored_ms != 0)
        setpay_log(
            SETPAY_LOG_WARN, "store.restored",
            setpay_field_text("backup", setpay_time_format(restore.backup_ms, backup)),
            setpay_field_text("restored", setpay_time_format(restore.restored_ms, restored)));
    return error;
}

/* ------------------------------------------------------------------ keys */

static const struct setpay_party_certificate certificates[] = {
    {SETPAY_PROFILE_GATEWAY_SIGN, "sign_key", "sign_cert", false, SETPAY_PROFILE_NONE,
     SETPAY_KEEP_TO_ITS_END},
    {SETPAY_PROFILE_GATEWAY_ENCRYPT, "encrypt_key", "encrypt_cert", false,
     SETPAY_PROFILE_GATEWAY_SIGN, SETPAY_KEEP_FOR_INSTRUCTIONS},
    {SETPAY_PROFILE_GATEWAY_TLS_SERVER, "tls_key", "tls_cert", false, SETPAY_PROFILE_NONE,
     SETPAY_KEEP_NOT},
    {0},
};
const struct setpay_party setpay_gateway_party = {SETPAY_EST_GATEWAY, certificates};

static enum setpay_error read_prefixes(const struct setpay_config *config, const char *section,
                                       struct setpay_prefixes *prefixes,
                                       struct setpay_problem *problem)
{
    struct setpay_problem why = {{0}};
    enum setpay_error error =
        setpay_prefixes_parse(setpay_config_text(config, section, "pan_prefixes"), prefixes, &why);
    return error == SETPAY_OK
               ? SETPAY_OK
               : setpay_problem_set(problem, error, "[%s] pan_prefixes: %s", section, why.text);
}

static enum setpay_error load_brand(const struct setpay_loader *loader, size_t index, void *arg)
{
    struct setpay_gateway *gateway = arg;
    struct setpay_gateway_brand *brand = &gateway->brands[index];
    snprintf(brand->name, sizeof brand->name, "%s", loader->brand);
    SETPAY_TRY(read_prefixes(loader->config, loader->section, &brand->prefixes, loader->problem));
    if (brand->prefixes.count > 0)
        return SETPAY_OK;
    return setpay_problem_set(loader->problem, SETPAY_E_CONFIG,
                              "[%s] pan_prefixes: found none, expected digits: a brand has cards",
                              loader->section);
}

/* The TLS context of a ring: the first time a new one, later the same with other certificates. */
static enum setpay_error take_keys(void *arg, const struct setpay_keyring *ring,
                                   struct setpay_problem *problem)
{
    struct setpay_gatewayd *daemon = arg;
    struct setpay_tls_identity identities[SETPAY_GATEWAY_BRANDS_MAX];
    const struct setpay_gateway *gateway = &daemon->gateway;
    for (size_t i = 0; i < gateway->brand_count; i++) {
        const char *brand = gateway->brands[i].name;
        identities[i] = setpay_identity_tls(
            &setpay_keyring_in_use(ring, SETPAY_PROFILE_GATEWAY_TLS_SERVER, brand)->identity,
            brand);
    }
    const struct setpay_tls_config config = {
        .identities = identities,
        .identity_count = gateway->brand_count,
        .trust = gateway->trust,
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_MERCHANT_TLS_CLIENT),
    };
    return daemon->tls == NULL ? setpay_tls_new_server(&config, &daemon->tls, problem)
                               : setpay_tls_reload(daemon->tls, &config, problem);
}

static enum setpay_error load_keys(struct setpay_service *service, struct setpay_gatewayd *daemon,
                                   struct setpay_problem *problem)
{
    SETPAY_TRY(setpay_keys_new(&daemon->gateway.keys));
    const struct setpay_upkeep_options options = {
        .service = service,
        .party = &setpay_gateway_party,
        .keys = daemon->gateway.keys,
        .keep_ms = setpay_config_int(service->config, "", "keep_encrypt_key"),
        .take_cb = take_keys,
        .arg = daemon,
    };
    return setpay_upkeep_new(&options, &daemon->upkeep, problem);
}

/* ------------------------------------------------------------------ issuers */

static enum setpay_error issuer_section(const struct setpay_config *config, size_t index,
                                        char section[SETPAY_GATEWAY_SECTION_SIZE],
                                        struct setpay_problem *problem)
{
    const char *name = setpay_config_instance(config, "issuer *", index);
    if (snprintf(section, SETPAY_GATEWAY_SECTION_SIZE, "issuer %s", name) <
        SETPAY_GATEWAY_SECTION_SIZE)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_CONFIG, "[issuer %s]: the name is too long", name);
}

static enum setpay_error check_issuer_tls(const struct setpay_config *config, const char *section,
                                          struct setpay_problem *problem)
{
    static const char *const keys[] = {"tls_ca", "tls_name", "tls_cert", "tls_key"};
    bool tls = setpay_config_bool(config, section, "tls");
    for (size_t i = 0; !tls && i < sizeof keys / sizeof *keys; i++) {
        if (setpay_config_is_set(config, section, keys[i]))
            return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                      "[%s] %s is given, but tls is not yes", section, keys[i]);
    }
    if (tls && !setpay_config_is_set(config, section, "tls_name"))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "[%s] tls_name is missing: with tls = yes the name that the "
                                  "issuer's certificate bears must be given",
                                  section);
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_issuer_tls(const struct setpay_config *config, const char *section,
                                            const struct setpay_secret *passphrase, SSL_CTX **tls,
                                            struct setpay_problem *problem)
{
    SETPAY_TRY(check_issuer_tls(config, section, problem));
    if (!setpay_config_bool(config, section, "tls"))
        return SETPAY_OK;
    const struct setpay_network_tls options = {
        .name = section + strlen("issuer "),
        .ca = setpay_config_text(config, section, "tls_ca"),
        .cert = setpay_config_text(config, section, "tls_cert"),
        .key = setpay_config_text(config, section, "tls_key"),
        .passphrase = passphrase,
    };
    return setpay_network_tls_new(&options, tls, problem);
}

static enum setpay_error check_issuer_count(const struct setpay_config *config,
                                            struct setpay_problem *problem)
{
    size_t count = setpay_config_instance_count(config, "issuer *");
    if (count >= 1 && count <= SETPAY_NETWORK_ROUTES_MAX)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_CONFIG,
                              "found %zu [issuer NAME] sections, expected 1 to %d", count,
                              SETPAY_NETWORK_ROUTES_MAX);
}

/* On an error what was made stands in tls all the same, for the caller to free. */
static enum setpay_error load_issuers(const struct setpay_loader *loader,
                                      SSL_CTX *tls[SETPAY_NETWORK_ROUTES_MAX])
{
    const struct setpay_config *config = loader->config;
    size_t count = setpay_config_instance_count(config, "issuer *");
    SETPAY_TRY(check_issuer_count(config, loader->problem));
    for (size_t i = 0; i < count; i++) {
        char section[SETPAY_GATEWAY_SECTION_SIZE];
        SETPAY_TRY(issuer_section(config, i, section, loader->problem));
        SETPAY_TRY(setpay_gateway_issuer_tls(config, section, loader->passphrase, &tls[i],
                                             loader->problem));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_issuer_stand_in(const struct setpay_config *config,
                                                 const char *section, struct setpay_stand_in *made,
                                                 struct setpay_problem *problem)
{
    made->count = 0;
    if (!setpay_config_is_set(config, section, "stand_in"))
        return !setpay_config_is_set(config, section, "stand_in_total")
                   ? SETPAY_OK
                   : setpay_problem_set(problem, SETPAY_E_CONFIG,
                                        "[%s] stand_in_total is given, but stand_in is not",
                                        section);
    if (!setpay_config_is_set(config, section, "stand_in_total"))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "[%s] stand_in_total is missing: with stand_in it must be given "
                                  "how much may be unanswered at the issuer",
                                  section);
    made->after_ms = setpay_config_int(config, section, "stand_in_after");
    snprintf(made->issuer, sizeof made->issuer, "%s", section + strlen("issuer "));
    return setpay_stand_in_parse(section, setpay_config_text(config, section, "stand_in"),
                                 setpay_config_text(config, section, "stand_in_total"), made,
                                 problem);
}

struct stand_ins {
    struct setpay_stand_in all[SETPAY_NETWORK_ROUTES_MAX];
    size_t count;
};

/* Of a configuration that was checked. */
static enum setpay_error load_stand_ins(const struct setpay_config *config, struct stand_ins *made,
                                        struct setpay_problem *problem)
{
    size_t count = setpay_config_instance_count(config, "issuer *");
    made->count = 0;
    for (size_t i = 0; i < count; i++) {
        char section[SETPAY_GATEWAY_SECTION_SIZE];
        struct setpay_stand_in *one = &made->all[made->count];
        SETPAY_TRY(issuer_section(config, i, section, problem));
        SETPAY_TRY(setpay_gateway_issuer_stand_in(config, section, one, problem));
        made->count += one->count > 0 ? 1 : 0;
    }
    return SETPAY_OK;
}

/* All that needs neither files nor other machines. */
static enum setpay_error load_values(const struct setpay_config *config,
                                     struct setpay_gatewayd *daemon, struct setpay_problem *problem)
{
    struct setpay_gateway *gateway = &daemon->gateway;
    struct setpay_loader loader = {.config = config, .problem = problem};
    const char *id = setpay_config_text(config, "", "id");
    gateway->hold_ms = setpay_config_int(config, "", "hold_days") * SETPAY_DAY_MS;
    gateway->keep_card_ms = setpay_config_int(config, "", "keep_card_days") * SETPAY_DAY_MS;
    gateway->agreement_ms = setpay_config_int(config, "", "agreement_days") * SETPAY_DAY_MS;
    gateway->answer_wait_ms = setpay_config_int(config, "", "auth_timeout") + SETPAY_SECOND_MS;
    daemon->clock_settle_ms = setpay_config_int(config, "", "clock_settle");
    if (setpay_reconciler_parse_time(setpay_config_text(config, "", "cutoff_time"),
                                     &daemon->cutoff_minutes) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "cutoff_time: found '%.20s', expected HH:MM, 00:00 to 23:59",
                                  setpay_config_text(config, "", "cutoff_time"));
    if (gateway->keep_card_ms < gateway->hold_ms)
        return setpay_problem_set(
            problem, SETPAY_E_CONFIG,
            "keep_card_days is below hold_days: an authorisation could not be "
            "reversed to its end");
    if (strlen(id) > SETPAY_WIRE_PARTY_MAX)
        return setpay_problem_set(problem, SETPAY_E_CONFIG, "id: '%s' has more than %d characters",
                                  id, SETPAY_WIRE_PARTY_MAX);
    snprintf(gateway->id, sizeof gateway->id, "%s", id);
    SETPAY_TRY(setpay_fees_load(config, &gateway->fees, problem));
    SETPAY_TRY(setpay_payees_check(config, problem));
    return setpay_loader_brands(&loader, SETPAY_GATEWAY_BRANDS_MAX, &gateway->brand_count,
                                load_brand, gateway);
}

enum setpay_error setpay_gatewayd_load(struct setpay_service *service,
                                       struct setpay_gatewayd *daemon,
                                       struct setpay_problem *problem)
{
    const struct setpay_config *config = service->config;
    struct setpay_gateway *gateway = &daemon->gateway;
    struct stand_ins stand_ins;
    struct setpay_loader loader;
    gateway->trust = service->trust;
    gateway->store = service->store;
    SETPAY_TRY(load_values(config, daemon, problem));
    SETPAY_TRY(load_restore(service, gateway));
    enum setpay_error error = setpay_loader_init(&loader, service, problem);
    if (error == SETPAY_OK)
        error = load_issuers(&loader, daemon->issuer_tls);
    setpay_loader_clear(&loader);
    if (error == SETPAY_OK)
        error = load_stand_ins(config, &stand_ins, problem);
    if (error == SETPAY_OK)
        error = setpay_stand_ins_new(&gateway->stand_ins);
    if (error == SETPAY_OK)
        setpay_stand_ins_set(gateway->stand_ins, stand_ins.all, stand_ins.count);
    if (error == SETPAY_OK)
        error = setpay_vault_open(setpay_config_text(config, "", "vault_key"), &gateway->vault,
                                  problem);
    return error == SETPAY_OK ? load_keys(service, daemon, problem) : error;
}

/* ------------------------------------------------------------------ the network */

/* Without its routes. */
static struct setpay_network_config network_of(const struct setpay_config *config)
{
    struct setpay_network_config network;
    setpay_network_config_defaults(&network);
    network.route_count = setpay_config_instance_count(config, "issuer *");
    network.acquirer_id = setpay_config_text(config, "", "acquirer_id");
    network.terminal_id = setpay_config_text(config, "", "terminal_id");
    network.answer_timeout_ms = setpay_config_int(config, "", "auth_timeout");
    network.echo_interval_ms = setpay_config_int(config, "", "echo_interval");
    network.reconnect_min_ms = setpay_config_int(config, "", "reconnect_min");
    network.reconnect_max_ms = setpay_config_int(config, "", "reconnect_max");
    network.repeat_min_ms = setpay_config_int(config, "", "repeat_min");
    network.repeat_max_ms = setpay_config_int(config, "", "repeat_max");
    return network;
}

static enum setpay_error make_network(struct setpay_service *service,
                                      struct setpay_gatewayd *daemon,
                                      struct setpay_problem *problem)
{
    const struct setpay_config *config = service->config;
    struct setpay_network_route routes[SETPAY_NETWORK_ROUTES_MAX];
    struct setpay_network_config network = network_of(config);
    for (size_t i = 0; i < network.route_count; i++) { /* as load_issuers found them */
        char section[SETPAY_GATEWAY_SECTION_SIZE];
        SETPAY_TRY(issuer_section(config, i, section, problem));
        routes[i] = (struct setpay_network_route){
            .name = setpay_config_instance(config, "issuer *", i),
            .tls = daemon->issuer_tls[i],
            .tls_name = setpay_config_text(config, section, "tls_name"),
            .prefixes = setpay_config_text(config, section, "pan_prefixes"),
            .address = setpay_config_text(config, section, "address"),
        };
    }
    network.routes = routes;
    return setpay_network_new(&network, setpay_loop_base(daemon->network_loop),
                              &daemon->network_executor, &daemon->gateway.network, problem);
}

/* ------------------------------------------------------------------ without starting */

static enum setpay_error check_issuer(const struct setpay_config *config, const char *section,
                                      struct setpay_problem *problem)
{
    struct setpay_prefixes prefixes;
    struct setpay_address address;
    const char *text = setpay_config_text(config, section, "address");
    struct setpay_stand_in stand_in;
    SETPAY_TRY(check_issuer_tls(config, section, problem));
    SETPAY_TRY(read_prefixes(config, section, &prefixes, problem));
    SETPAY_TRY(setpay_gateway_issuer_stand_in(config, section, &stand_in, problem));
    if (setpay_config_bool(config, section, "tls"))
        return SETPAY_OK;
    SETPAY_TRY(setpay_address_parse(text, &address, problem));
    if (setpay_address_is_loopback(&address))
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_CONFIG,
                              "[%s] address: %s is not on loopback and needs TLS", section, text);
}

enum setpay_error setpay_gateway_check(const struct setpay_config *config,
                                       struct setpay_problem *problem)
{
    const struct setpay_network_config network = network_of(config);
    struct setpay_gatewayd *scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = load_values(config, scratch, problem);
    free(scratch);
    SETPAY_TRY(error);
    SETPAY_TRY(setpay_upkeep_check(config, problem));
    SETPAY_TRY(check_issuer_count(config, problem));
    for (size_t i = 0; i < network.route_count; i++) {
        char section[SETPAY_GATEWAY_SECTION_SIZE];
        SETPAY_TRY(issuer_section(config, i, section, problem));
        SETPAY_TRY(check_issuer(config, section, problem));
    }
    return setpay_network_config_check(&network, problem);
}

/* ------------------------------------------------------------------ the network's thread */

static void *run_network(void *arg)
{
    struct setpay_gatewayd *daemon = arg;
    pthread_setname_np(pthread_self(), "network");
    enum setpay_error error = setpay_loop_run(daemon->network_loop);
    if (error != SETPAY_OK)
        setpay_log_error(error, "network.loop", setpay_field_text("area", "network"));
    return NULL;
}

enum setpay_error setpay_gatewayd_start_network(struct setpay_service *service,
                                                struct setpay_gatewayd *daemon,
                                                struct setpay_problem *problem)
{
    size_t recovered = 0;
    SETPAY_TRY(setpay_gateway_recover(&daemon->gateway, &recovered, problem));
    SETPAY_TRY(setpay_loop_new(0, &daemon->network_loop));
    daemon->network_executor = setpay_loop_executor(daemon->network_loop);
    SETPAY_TRY(make_network(service, daemon, problem));
    SETPAY_TRY(
        setpay_gateway_reversals_new(&daemon->gateway, daemon->network_loop, &daemon->reversals));
    SETPAY_TRY(setpay_gateway_presentments_new(&daemon->gateway, daemon->network_loop,
                                               &daemon->presentments));
    setpay_gateway_reversals_tell(daemon->reversals, setpay_gateway_presentments_let_go,
                                  daemon->presentments);
    SETPAY_TRY(setpay_gateway_holds_new(&daemon->gateway, daemon->network_loop, daemon->reversals,
                                        daemon->clock_settle_ms, &daemon->holds));
    SETPAY_TRY(setpay_gateway_reconciler_new(&daemon->gateway, daemon->network_loop,
                                             daemon->cutoff_minutes, &daemon->reconciler));
    if (pthread_create(&daemon->network_thread, NULL, run_network, daemon) != 0)
        return SETPAY_E_NOMEM;
    daemon->network_runs = true;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ SIGHUP */

struct issuer_contexts {
    struct setpay_gatewayd *daemon;
    SSL_CTX *tls[SETPAY_NETWORK_ROUTES_MAX]; /* owned */
};

static void free_contexts(struct issuer_contexts *contexts)
{
    for (size_t i = 0; i < SETPAY_NETWORK_ROUTES_MAX; i++)
        SSL_CTX_free(contexts->tls[i]);
    free(contexts);
}

/* On the network's thread. */
static void take_contexts(void *arg)
{
    struct issuer_contexts *contexts = arg;
    struct setpay_gatewayd *daemon = contexts->daemon;
    setpay_network_take_tls(daemon->gateway.network, contexts->tls);
    for (size_t i = 0; i < SETPAY_NETWORK_ROUTES_MAX; i++) {
        SSL_CTX *before = daemon->issuer_tls[i];
        daemon->issuer_tls[i] = contexts->tls[i];
        contexts->tls[i] = before;
    }
    free_contexts(contexts);
}

enum setpay_error setpay_gatewayd_reload(struct setpay_service *service,
                                         struct setpay_gatewayd *daemon,
                                         struct setpay_problem *problem)
{
    struct setpay_loader loader;
    struct stand_ins stand_ins;
    SETPAY_TRY(load_stand_ins(service->fresh, &stand_ins, problem));
    SETPAY_TRY(setpay_payees_check(service->fresh, problem));
    struct issuer_contexts *contexts = calloc(1, sizeof *contexts);
    if (contexts == NULL)
        return SETPAY_E_NOMEM;
    contexts->daemon = daemon;
    enum setpay_error error = setpay_loader_init(&loader, service, problem);
    if (error == SETPAY_OK)
        error = load_issuers(&loader, contexts->tls);
    setpay_loader_clear(&loader);
    if (error == SETPAY_OK)
        error = setpay_loop_reserve(daemon->network_loop);
    if (error != SETPAY_OK) {
        free_contexts(contexts);
        return error;
    }
    error = setpay_upkeep_reload(daemon->upkeep, problem);
    if (error == SETPAY_OK) {
        setpay_loop_post_reserved(daemon->network_loop, take_contexts, contexts);
        setpay_stand_ins_set(daemon->gateway.stand_ins, stand_ins.all, stand_ins.count);
        return SETPAY_OK;
    }
    setpay_loop_release(daemon->network_loop);
    free_contexts(contexts);
    return error;
}

/* Runs on the network's thread: its requests end here, while the loop still takes what they post.
 */
static void end_network(void *arg)
{
    struct setpay_gatewayd *daemon = arg;
    setpay_network_free(daemon->gateway.network);
    daemon->gateway.network = NULL;
    setpay_loop_stop(daemon->network_loop);
}

static void on_signed_off(void *arg)
{
    struct setpay_gatewayd *daemon = arg;
    if (setpay_loop_post(daemon->network_loop, end_network, daemon) != SETPAY_OK)
        setpay_loop_stop(daemon->network_loop);
}

/* Before it, on the same thread: what was handed in just now stands in the mailbox before
 * end_network, and nothing comes behind. */
static void stop_reversals(void *arg)
{
    struct setpay_gatewayd *daemon = arg;
    setpay_gateway_reversals_stop(daemon->reversals);
    setpay_gateway_presentments_stop(daemon->presentments);
    setpay_gateway_holds_stop(daemon->holds);
    setpay_gateway_reconciler_stop(daemon->reconciler);
    setpay_network_sign_off(daemon->gateway.network, on_signed_off, daemon);
}

void setpay_gatewayd_stop_network(struct setpay_gatewayd *daemon)
{
    if (daemon->network_runs) {
        if (setpay_loop_post(daemon->network_loop, stop_reversals, daemon) != SETPAY_OK)
            setpay_loop_stop(daemon->network_loop);
        pthread_join(daemon->network_thread, NULL);
        daemon->network_runs = false;
    }
    setpay_network_free(daemon->gateway.network);
    setpay_gateway_reversals_free(daemon->reversals);
    setpay_gateway_presentments_free(daemon->presentments);
    setpay_gateway_holds_free(daemon->holds);
    setpay_gateway_reconciler_free(daemon->reconciler);
    setpay_loop_free(daemon->network_loop);
    daemon->gateway.network = NULL;
    daemon->reversals = NULL;
    daemon->presentments = NULL;
    daemon->holds = NULL;
    daemon->reconciler = NULL;
    daemon->network_loop = NULL;
}

void setpay_gatewayd_clear(struct setpay_gatewayd *daemon)
{
    struct setpay_gateway *gateway = &daemon->gateway;
    setpay_upkeep_free(daemon->upkeep);
    setpay_tls_free(daemon->tls);
    setpay_keys_free(gateway->keys);
    for (size_t i = 0; i < SETPAY_NETWORK_ROUTES_MAX; i++)
        SSL_CTX_free(daemon->issuer_tls[i]);
    setpay_vault_free(gateway->vault);
    setpay_stand_ins_free(gateway->stand_ins);
    memset(daemon, 0, sizeof *daemon);
}
