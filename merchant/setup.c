/*
 * From the configuration to a merchant that can work. Nothing here is on the path of a payment.
 */
#include "merchant/setup.h"

#include "common/net/est_client.h"
#include "common/net/loader.h"
#include "merchant/check.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ keys */

static const struct setpay_party_certificate certificates[] = {
    {SETPAY_PROFILE_MERCHANT_SIGN, "sign_key", "sign_cert", false, SETPAY_PROFILE_NONE,
     SETPAY_KEEP_TO_ITS_END},
    {SETPAY_PROFILE_MERCHANT_TLS_CLIENT, "tls_key", "tls_cert", false, SETPAY_PROFILE_NONE,
     SETPAY_KEEP_NOT},
    {SETPAY_PROFILE_MERCHANT_TLS_SERVER, "tls_key", "tls_cert", true, SETPAY_PROFILE_NONE,
     SETPAY_KEEP_NOT},
    {0},
};
const struct setpay_party setpay_merchant_party = {SETPAY_EST_MERCHANT, certificates};

static enum setpay_error load_brand(const struct setpay_loader *loader, size_t index, void *arg)
{
    struct setpay_merchant *merchant = arg;
    struct setpay_merchant_brand *brand = &merchant->brands[index];
    snprintf(brand->name, sizeof brand->name, "%s", loader->brand);
    atomic_init(&brand->gateway_since_boot_ms, INT64_MIN);
    return SETPAY_OK;
}

/* The first time a new context, later the same with another certificate. */
static enum setpay_error make_client_tls(const struct setpay_merchant *merchant,
                                         struct setpay_merchant_brand *brand,
                                         const struct setpay_keyring *ring,
                                         struct setpay_problem *problem)
{
    const struct setpay_tls_identity identity = setpay_identity_tls(
        &setpay_keyring_in_use(ring, SETPAY_PROFILE_MERCHANT_TLS_CLIENT, brand->name)->identity,
        NULL);
    const struct setpay_tls_config config = {
        .identities = &identity,
        .identity_count = 1,
        .trust = merchant->trust,
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_GATEWAY_TLS_SERVER),
    };
    return brand->client_tls == NULL ? setpay_tls_new_client(&config, &brand->client_tls, problem)
                                     : setpay_tls_reload(brand->client_tls, &config, problem);
}

static enum setpay_error make_server_tls(struct setpay_merchant *merchant,
                                         const struct setpay_identity *server,
                                         struct setpay_problem *problem)
{
    const struct setpay_tls_identity identity = setpay_identity_tls(server, NULL);
    const struct setpay_tls_config config = {
        .identities = &identity,
        .identity_count = 1,
        .trust = merchant->trust,
    };
    return merchant->server_tls == NULL
               ? setpay_tls_new_server(&config, &merchant->server_tls, problem)
               : setpay_tls_reload(merchant->server_tls, &config, problem);
}

/* One server certificate for all brands: it only stands for the host. */
static enum setpay_error take_keys(void *arg, const struct setpay_keyring *ring,
                                   struct setpay_problem *problem)
{
    struct setpay_merchant *merchant = arg;
    const struct setpay_held *server =
        setpay_keyring_in_use(ring, SETPAY_PROFILE_MERCHANT_TLS_SERVER, NULL);
    if (!setpay_certificate_names_host(server->identity.certificate, merchant->host))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "tls_cert: the certificate does not name the host %s of"
                                  " public_host",
                                  merchant->host);
    for (size_t i = 0; i < merchant->brand_count; i++)
        SETPAY_TRY(make_client_tls(merchant, &merchant->brands[i], ring, problem));
    return make_server_tls(merchant, &server->identity, problem);
}

/* ------------------------------------------------------------------ texts and times */

static enum setpay_error copy_text(const struct setpay_config *config, const char *key, char *out,
                                   size_t size, struct setpay_problem *problem)
{
    const char *text = setpay_config_text(config, "", key);
    size_t length = strlen(text);
    if (length == 0 || length >= size)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "%s: found %zu characters, expected 1 to %zu", key, length,
                                  size - 1);
    memcpy(out, text, length + 1);
    return SETPAY_OK;
}

struct setpay_shop_settings setpay_merchant_shop_settings(const struct setpay_config *config)
{
    struct setpay_shop_settings settings = {.country = setpay_config_text(config, "", "country"),
                                            .currency = setpay_config_text(config, "", "currency")};
    struct setpay_problem problem;
    /* A list that does not hold is refused at the start, by check_shop. */
    if (setpay_shop_currencies_parse(setpay_config_text(config, "", "currencies"),
                                     settings.currency, &settings.sold, &problem) != SETPAY_OK)
        settings.sold.count = 0;
    return settings;
}

enum setpay_error setpay_merchant_load_texts(const struct setpay_config *config,
                                             struct setpay_merchant *merchant,
                                             struct setpay_problem *problem)
{
    SETPAY_TRY(copy_text(config, "id", merchant->id, sizeof merchant->id, problem));
    SETPAY_TRY(copy_text(config, "name", merchant->name, sizeof merchant->name, problem));
    SETPAY_TRY(copy_text(config, "gateway_id", merchant->gateway_id, sizeof merchant->gateway_id,
                         problem));
    SETPAY_TRY(copy_text(config, "public_host", merchant->public_host, sizeof merchant->public_host,
                         problem));
    size_t host = strcspn(merchant->public_host, ":");
    if (host == 0 || host >= sizeof merchant->host)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "public_host: found '%s', expected HOST or HOST:PORT",
                                  merchant->public_host);
    memcpy(merchant->host, merchant->public_host, host);
    merchant->host[host] = '\0';
    return SETPAY_OK;
}

static void load_times(const struct setpay_config *config, struct setpay_merchant *merchant)
{
    merchant->offer_life_ms = setpay_config_int(config, "", "offer_life");
    /* An outcome that comes in time is still told; the other half of the time is for all the rest.
     */
    merchant->drain_wait_ms = setpay_config_int(config, "", "drain_timeout") / 2;
    merchant->answer_wait_ms = setpay_config_int(config, "", "answer_wait");
    merchant->gateway_wait_ms = setpay_config_int(config, "", "gateway_timeout");
    merchant->repeat_min_ms = setpay_config_int(config, "", "repeat_min");
    merchant->repeat_max_ms = setpay_config_int(config, "", "repeat_max");
    if (merchant->repeat_max_ms < merchant->repeat_min_ms)
        merchant->repeat_max_ms = merchant->repeat_min_ms;
    merchant->refresh_ms = setpay_config_int(config, "", "refresh_interval");
}

static enum setpay_error load_keys(struct setpay_service *service, struct setpay_merchant *merchant,
                                   struct setpay_upkeep **upkeep, struct setpay_problem *problem)
{
    SETPAY_TRY(setpay_keys_new(&merchant->keys));
    const struct setpay_upkeep_options options = {
        .service = service,
        .party = &setpay_merchant_party,
        .keys = merchant->keys,
        .take_cb = take_keys,
        .arg = merchant,
    };
    return setpay_upkeep_new(&options, upkeep, problem);
}

enum setpay_error setpay_merchant_load(struct setpay_service *service,
                                       struct setpay_merchant *merchant,
                                       struct setpay_upkeep **upkeep,
                                       struct setpay_problem *problem)
{
    struct setpay_loader loader;
    if (pthread_mutex_init(&merchant->lock, NULL) != 0)
        return SETPAY_E_NOMEM;
    merchant->trust = service->trust;
    merchant->store = service->store;
    merchant->worker_count = setpay_daemon_worker_count(service->daemon);
    load_times(service->config, merchant);
    SETPAY_TRY(setpay_merchant_load_texts(service->config, merchant, problem));
    SETPAY_TRY(setpay_merchant_batch_hour(service->config, &merchant->batch_hour, problem));
    SETPAY_TRY(setpay_address_parse(setpay_config_text(service->config, "", "gateway"),
                                    &merchant->gateway, problem));
    enum setpay_error error = setpay_loader_init(&loader, service, problem);
    if (error == SETPAY_OK)
        error = setpay_loader_brands(&loader, SETPAY_MERCHANT_BRANDS_MAX, &merchant->brand_count,
                                     load_brand, merchant);
    setpay_loader_clear(&loader);
    return error == SETPAY_OK ? load_keys(service, merchant, upkeep, problem) : error;
}

void setpay_merchant_clear(struct setpay_merchant *merchant)
{
    for (size_t i = 0; i < merchant->brand_count; i++) {
        struct setpay_merchant_brand *brand = &merchant->brands[i];
        setpay_merchant_gateway_set(merchant, brand, NULL, NULL);
        setpay_tls_free(brand->client_tls);
    }
    setpay_tls_free(merchant->server_tls);
    setpay_keys_free(merchant->keys);
    (void)pthread_mutex_destroy(&merchant->lock);
}
