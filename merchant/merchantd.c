/*
 * setpay-merchantd: the merchant. This file only says which part is called when; the work is in
 * merchant/payment (the protocol) and merchant/store (orders and their API).
 */
#include "merchant/merchantd.h"

#include "common/base/log.h"
#include "common/net/doctor.h"
#include "common/net/metrics.h"
#include "common/net/saved_trust.h"
#include "common/store/answers.h"
#include "common/store/batch_evidence.h"
#include "common/store/evidence.h"
#include "merchant/check.h"
#include "merchant/commands.h"
#include "merchant/options.h"
#include "merchant/payment/agreement_store.h"
#include "merchant/payment/batch_store.h"
#include "merchant/payment/dispatch.h"
#include "merchant/payment/port.h"
#include "merchant/payment/settlement.h"
#include "merchant/payment/step.h"
#include "merchant/purge.h"
#include "merchant/setup.h"
#include "merchant/shop_commands.h"
#include "merchant/shop_texts.h"
#include "merchant/shop_tls.h"
#include "merchant/store/admin/admin.h"
#include "merchant/store/admin/owner.h"
#include "merchant/store/api/api.h"
#include "merchant/store/api/idempotency.h"
#include "merchant/store/cart.h"
#include "merchant/store/catalogue_schema.h"
#include "merchant/store/event.h"
#include "merchant/store/forget.h"
#include "merchant/store/order.h"
#include "merchant/store/order_tell.h"
#include "merchant/store/part.h"
#include "merchant/store/ship_to.h"
#include "merchant/store/stock.h"
#include "merchant/store/stock_level.h"
#include "merchant/store/token.h"
#include "merchant/store/webhook/sender.h"
#include "merchant/store/www/guard.h"
#include "merchant/store/www/www.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PURGE_PERIOD_MS 60000
#define ERASE_PERIOD_MS 500 /* rule M7 grants five seconds */
#define DOUBT_PERIOD_MS 2000

static const struct setpay_store_migration steps[] = {
    {1, SETPAY_ANSWERS_SCHEMA SETPAY_ORDER_SCHEMA SETPAY_TOKEN_SCHEMA SETPAY_IDEMPOTENCY_SCHEMA
            SETPAY_PURCHASE_SCHEMA},
    {2, SETPAY_EVIDENCE_SCHEMA},
    {3, SETPAY_SAVED_TRUST_SCHEMA},
    {4, SETPAY_MERCHANT_STEP_SCHEMA SETPAY_MERCHANT_BATCH_SCHEMA},
    {5, SETPAY_CATALOGUE_SCHEMA},
    {6, SETPAY_TOKEN_SCOPE_SCHEMA SETPAY_EVENT_SCHEMA SETPAY_WEBHOOK_SCHEMA SETPAY_DELIVERY_SCHEMA},
    {7, SETPAY_MERCHANT_SALE_SCHEMA SETPAY_MERCHANT_AGREEMENT_SCHEMA SETPAY_ORDER_TERMS_SCHEMA},
    {8, SETPAY_CART_SCHEMA SETPAY_SHIP_TO_SCHEMA},
    {9, SETPAY_PART_SCHEMA},
    {10, SETPAY_OWNER_SCHEMA},
    {11, SETPAY_MERCHANT_PART_RELEASE_SCHEMA},
    {12, SETPAY_PART_SETTLED_SCHEMA SETPAY_EVENT_TO_SEND_SCHEMA SETPAY_CART_TOTAL_SCHEMA
             SETPAY_GUARD_SCHEMA},
    {13, SETPAY_STOCK_LEVEL_SCHEMA},
    {14, SETPAY_CART_FORM_SCHEMA},
    {15, SETPAY_CART_CURRENCY_SCHEMA},
    {16, SETPAY_EVENT_HISTORY_SCHEMA SETPAY_TOKEN_PAYMENTS_SCHEMA},
    {17, SETPAY_RESERVATION_UNTIL_SCHEMA SETPAY_SHIP_TO_LOOK_SCHEMA},
    {SETPAY_MERCHANT_BATCH_EVIDENCE_STEP, SETPAY_BATCH_EVIDENCE_SCHEMA},
    {19, SETPAY_MERCHANT_SETTLEMENT_SCHEMA},
    {0, NULL},
};
/* rule M7: sealed instructions alone are ever erased */
static const char *const erasable[] = {"instruction", NULL};
static const struct setpay_store_schema schema = {
    .name = "merchant", .steps = steps, .erasable = erasable};

/* The main thread's. */
struct merchantd {
    struct setpay_merchant merchant;
    struct setpay_upkeep *upkeep; /* of its keys, certificates and lists */
    struct setpay_networks webhook_networks;
    struct setpay_networks proxies; /* before the shop's pages and the owner's */
    struct setpay_sender *sender;   /* of webhooks */
    struct setpay_guard *guard;     /* of the shop's pages */
    struct setpay_texts *texts;     /* of the shop about itself */
    struct setpay_tls *shop_tls;    /* NULL: the pages are plain HTTP */
    bool owner_tls;                 /* the owner's pages are not on loopback */
    struct setpay_timer *purge_timer;
    struct setpay_timer *erase_timer;
    struct setpay_timer *doubt_timer;
    struct setpay_executor executor;
    bool erases;             /* a checkpoint is under way */
    bool purges;             /* a round is under way */
    bool purge_again;        /* and there is more than it takes */
    int64_t address_kept_ms; /* of orders that are over; 0: for ever */
};

/* A worker's. */
struct worker {
    struct setpay_merchant_worker *payment;
    struct setpay_api *api;     /* NULL where the API has no address */
    struct setpay_www *www;     /* NULL where the shop has none */
    struct setpay_admin *admin; /* NULL where the owner's pages have none */
    struct setpay_worker *daemon_worker;
    struct setpay_service *service;
    unsigned undrained;
};

/* ------------------------------------------------------------------ readiness */

static enum setpay_error check_gateway(void *arg, struct setpay_problem *why)
{
    struct merchantd *daemon = arg;
    struct setpay_merchant *merchant = &daemon->merchant;
    for (size_t i = 0; i < merchant->brand_count; i++) {
        struct setpay_merchant_brand *brand = &merchant->brands[i];
        if (!atomic_load(&brand->gateway_up))
            return setpay_problem_set(why, SETPAY_E_UNREACHABLE,
                                      "no line to the gateway stands for %s", brand->name);
        if (!setpay_merchant_gateway_is_known(merchant, brand, setpay_clock_now_ms()))
            return setpay_problem_set(why, SETPAY_E_CERT_MISSING,
                                      "the gateway's certificates for %s are not known yet",
                                      brand->name);
    }
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ operator's commands */

static json_t *thumbprint_json(const struct setpay_certificate *certificate)
{
    char text[SETPAY_DIGEST_TEXT_SIZE];
    return certificate == NULL ? json_null()
                               : json_string(setpay_digest_format(
                                     setpay_certificate_thumbprint(certificate), text));
}

static json_t *brand_json(struct setpay_merchant *merchant, struct setpay_merchant_brand *brand)
{
    char text[SETPAY_TIME_TEXT_SIZE] = "";
    (void)pthread_mutex_lock(&merchant->lock);
    if (brand->gateway_encrypt != NULL)
        setpay_time_format(setpay_certificate_not_after_ms(brand->gateway_encrypt), text);
    json_t *json = json_pack("{s:s, s:b, s:o, s:o, s:s}", "brand", brand->name, "up",
                             (int)atomic_load(&brand->gateway_up), "sign_certificate",
                             thumbprint_json(brand->gateway_sign), "encrypt_certificate",
                             thumbprint_json(brand->gateway_encrypt), "encrypt_until", text);
    (void)pthread_mutex_unlock(&merchant->lock);
    return json;
}

static json_t *gateway_json(struct merchantd *daemon)
{
    struct setpay_merchant *merchant = &daemon->merchant;
    char address[SETPAY_ADDRESS_TEXT_SIZE];
    json_t *brands = json_array();
    for (size_t i = 0; i < merchant->brand_count; i++) {
        if (json_array_append_new(brands, brand_json(merchant, &merchant->brands[i])) != 0)
            break;
    }
    return json_pack("{s:s, s:s, s:o}", "gateway_id", merchant->gateway_id, "address",
                     setpay_address_format(&merchant->gateway, address), "brands", brands);
}

static void on_gateway_status(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_service *service = arg;
    struct setpay_problem problem = {{0}};
    enum setpay_error error = setpay_json_args_check(args, (const char *const[]){NULL}, &problem);
    if (error != SETPAY_OK)
        setpay_control_fail(call, error, problem.text);
    else
        setpay_control_reply(call, gateway_json(service->user));
}

static void on_status(struct setpay_service *service, json_t *status)
{
    const struct merchantd *daemon = service->user;
    if (daemon == NULL)
        return;
    (void)json_object_set_new(status, "merchant_id", json_string(daemon->merchant.id));
    (void)json_object_set_new(status, "public_host", json_string(daemon->merchant.public_host));
    (void)json_object_set_new(status, "gateway", gateway_json(service->user));
}

/* The gateway's clock, by what it has said last. It may have been set since, so the gateway is
 * asked again: who looks once more hears what is so now. */
static void on_doctor(struct setpay_service *service, struct setpay_doctor *doctor)
{
    struct merchantd *daemon = service->user;
    struct setpay_merchant *merchant = &daemon->merchant;
    char called[SETPAY_DOCTOR_NAME_SIZE];
    for (size_t i = 0; i < merchant->brand_count; i++) {
        struct setpay_merchant_brand *brand = &merchant->brands[i];
        int64_t since_boot_ms = atomic_load(&brand->gateway_since_boot_ms);
        if (since_boot_ms == INT64_MIN)
            continue;
        (void)snprintf(called, sizeof called, "the gateway %s (%s), as it said last",
                       merchant->gateway_id, brand->name);
        setpay_doctor_add_clock(doctor, called, since_boot_ms + setpay_clock_boot_ms(),
                                setpay_clock_now_ms());
        atomic_store(&brand->gateway_wanted, true);
    }
}

static const struct setpay_control_command commands[] = {
    SETPAY_MERCHANT_CONTROL_COMMANDS,
    SETPAY_MERCHANT_SHOP_CONTROL_COMMANDS SETPAY_SERVICE_BACKUP_COMMAND,
    {"gateway.status", on_gateway_status, "the lines to the gateway, and its certificates"},
    {NULL, NULL, NULL},
};

/* ------------------------------------------------------------------ housekeeping */

static enum setpay_error purge(struct setpay_db *db, void *arg)
{
    struct merchantd *daemon = arg;
    return setpay_merchant_purge(db, daemon->address_kept_ms, setpay_clock_now_ms(),
                                 &daemon->purge_again);
}

static void start_purge(struct merchantd *daemon);

/* A busy shop makes more than one batch a minute. */
static void on_purged(void *arg, enum setpay_error error)
{
    struct merchantd *daemon = arg;
    daemon->purges = false;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "purge.failed", setpay_field_text("area", "store"));
        return;
    }
    if (daemon->purge_again)
        start_purge(daemon);
    else /* what was deleted since is gone from the journal too */
        atomic_store(&daemon->merchant.erase_due, true);
}

static void start_purge(struct merchantd *daemon)
{
    if (daemon->purges)
        return;
    daemon->purges = true;
    enum setpay_error error =
        setpay_store_submit(daemon->merchant.store, purge, on_purged, daemon, &daemon->executor);
    if (error != SETPAY_OK)
        on_purged(daemon, error);
}

static void on_purge_time(void *arg)
{
    start_purge(arg);
}

/* The gateway's answer says its time (pcert.c). */
static void on_doubt_time(void *arg)
{
    struct merchantd *daemon = arg;
    if (!setpay_clock_take_doubt())
        return;
    for (size_t i = 0; i < daemon->merchant.brand_count; i++)
        atomic_store(&daemon->merchant.brands[i].gateway_wanted, true);
}

static void on_erased(void *arg, enum setpay_error error)
{
    struct merchantd *daemon = arg;
    daemon->erases = false;
    if (error == SETPAY_OK)
        return;
    setpay_log_error(error, "instruction.erase", setpay_field_text("area", "store"));
    atomic_store(&daemon->merchant.erase_due, true); /* again at the next tick */
}

/* Rule M7: one checkpoint for all instructions that were deleted since the last one. */
static void on_erase_time(void *arg)
{
    struct merchantd *daemon = arg;
    if (daemon->erases || !atomic_exchange(&daemon->merchant.erase_due, false))
        return;
    enum setpay_error error = setpay_store_checkpoint_truncate(daemon->merchant.store, on_erased,
                                                               daemon, &daemon->executor);
    daemon->erases = error == SETPAY_OK;
    if (error != SETPAY_OK)
        on_erased(daemon, error);
}

/* ------------------------------------------------------------------ start and stop */

static enum setpay_error load_webhooks(struct setpay_service *service, struct merchantd *daemon,
                                       struct setpay_problem *problem)
{
    SETPAY_TRY(setpay_merchant_networks(service->config, "webhook_networks",
                                        &daemon->webhook_networks, problem));
    return setpay_sender_system_init();
}

static enum setpay_error start_sender(struct setpay_service *service, struct merchantd *daemon)
{
    const struct setpay_config *config = service->config;
    const struct setpay_sender_options options = {
        .loop = setpay_daemon_loop(service->daemon),
        .store = service->store,
        .port = &setpay_merchant_payment_port,
        .rules = {.repeat_min_ms = setpay_config_int(config, "", "webhook_repeat_min"),
                  .give_up_ms = setpay_config_int(config, "", "webhook_give_up"),
                  .disable_after_ms = setpay_config_int(config, "", "webhook_disable_after")},
        .networks = daemon->webhook_networks,
        .ca_file = setpay_config_text(config, "", "webhook_ca_file"),
        .timeout_ms = setpay_config_int(config, "", "webhook_timeout"),
    };
    return setpay_sender_new(&options, &daemon->sender);
}

static enum setpay_error load_guard(struct setpay_service *service, struct merchantd *daemon,
                                    struct setpay_problem *problem)
{
    const struct setpay_config *config = service->config;
    struct setpay_guard_options options = {
        .orders_client = setpay_config_int(config, "", "shop_orders_address"),
        .orders_visitor = setpay_config_int(config, "", "shop_orders_visitor"),
        .carts_client = setpay_config_int(config, "", "shop_carts_address"),
        .streams = (size_t)setpay_config_int(config, "", "shop_streams"),
        .streams_client = (size_t)setpay_config_int(config, "", "shop_streams_address"),
        .connections_client = (size_t)setpay_config_int(config, "", "shop_connections_address"),
    };
    SETPAY_TRY(setpay_merchant_networks(config, "shop_proxies", &daemon->proxies, problem));
    options.proxies = daemon->proxies;
    return setpay_guard_new(&options, &daemon->guard);
}

static enum setpay_error on_start(struct setpay_service *service, struct setpay_problem *problem)
{
    struct merchantd *daemon = calloc(1, sizeof *daemon);
    if (daemon == NULL)
        return SETPAY_E_NOMEM;
    service->user = daemon;
    setpay_clock_need_second(true); /* the gateway's */
    SETPAY_TRY(load_webhooks(service, daemon, problem));
    SETPAY_TRY(load_guard(service, daemon, problem));
    SETPAY_TRY(setpay_shop_tls_load(service->config, &daemon->shop_tls, problem));
    SETPAY_TRY(setpay_merchant_owner_needs_tls(service->config, &daemon->owner_tls, problem));
    SETPAY_TRY(setpay_shop_texts_load(service->config, &daemon->texts, problem));
    daemon->address_kept_ms =
        setpay_config_int(service->config, "", "shop_address_kept") * SETPAY_DAY_MS;
    SETPAY_TRY(setpay_merchant_load(service, &daemon->merchant, &daemon->upkeep, problem));
    /* Rule M7: a crash may have come between an outcome and its checkpoint. */
    SETPAY_TRY(setpay_store_checkpoint_truncate_wait(service->store));
    setpay_service_add_check(service,
                             &(struct setpay_ready_check){"gateway", check_gateway, daemon});
    return SETPAY_OK;
}

/* There may be a TLS proxy before it, and a firewall: that is the operator's to know. */
static void warn_of_api(const struct setpay_config *config)
{
    if (setpay_merchant_api_is_exposed(config))
        setpay_log(SETPAY_LOG_WARN, "api.exposed",
                   setpay_field_text("address", setpay_config_text(config, "", "api_listen")));
}

static enum setpay_error on_ready(struct setpay_service *service, struct setpay_problem *problem)
{
    struct merchantd *daemon = service->user;
    struct setpay_loop *loop = setpay_daemon_loop(service->daemon);
    (void)problem;
    daemon->executor = setpay_loop_executor(loop);
    warn_of_api(service->config);
    SETPAY_TRY(setpay_upkeep_start(daemon->upkeep));
    SETPAY_TRY(start_sender(service, daemon));
    SETPAY_TRY(setpay_timer_new(loop, on_purge_time, daemon, &daemon->purge_timer));
    SETPAY_TRY(setpay_timer_new(loop, on_erase_time, daemon, &daemon->erase_timer));
    SETPAY_TRY(setpay_timer_new(loop, on_doubt_time, daemon, &daemon->doubt_timer));
    setpay_timer_start_periodic(daemon->purge_timer, PURGE_PERIOD_MS);
    setpay_timer_start_periodic(daemon->erase_timer, ERASE_PERIOD_MS);
    setpay_timer_start_periodic(daemon->doubt_timer, DOUBT_PERIOD_MS);
    return SETPAY_OK;
}

static enum setpay_error on_reload(struct setpay_service *service, struct setpay_problem *problem)
{
    struct merchantd *daemon = service->user;
    SETPAY_TRY(setpay_upkeep_reload(daemon->upkeep, problem));
    /* First, so that no text keeps a certificate from being renewed. */
    SETPAY_TRY(setpay_shop_tls_load(service->config, &daemon->shop_tls, problem));
    return setpay_shop_texts_load(service->config, &daemon->texts, problem);
}

/* What is under way is sent again at the next start. */
static void on_drain(struct setpay_service *service)
{
    const struct merchantd *daemon = service->user;
    if (daemon->sender != NULL)
        setpay_sender_stop(daemon->sender);
}

static void on_stop(struct setpay_service *service)
{
    struct merchantd *daemon = service->user;
    if (daemon == NULL)
        return;
    setpay_sender_free(daemon->sender);
    setpay_timer_free(daemon->purge_timer);
    setpay_timer_free(daemon->erase_timer);
    setpay_timer_free(daemon->doubt_timer);
    setpay_upkeep_free(daemon->upkeep);
    setpay_merchant_clear(&daemon->merchant);
    setpay_tls_free(daemon->shop_tls);
    setpay_guard_free(daemon->guard);
    setpay_texts_free(daemon->texts);
    free(daemon);
    service->user = NULL;
}

/* ------------------------------------------------------------------ workers */

static enum setpay_error start_api(struct worker *worker, struct merchantd *daemon)
{
    const struct setpay_api_options options = {
        .loop = worker->daemon_worker->loop,
        .store = daemon->merchant.store,
        .port = &setpay_merchant_payment_port,
        .links = setpay_merchant_order_links(worker->service->config),
        .shop = setpay_merchant_shop_settings(worker->service->config),
    };
    int fd = setpay_worker_take_listener(worker->daemon_worker, "api");
    if (fd < 0)
        return SETPAY_OK; /* no api_listen */
    SETPAY_TRY(setpay_api_new(&options, &worker->api));
    return setpay_api_listen(worker->api, fd);
}

static enum setpay_error start_www(struct worker *worker, struct merchantd *daemon)
{
    const struct setpay_www_options options = {
        .loop = worker->daemon_worker->loop,
        .store = daemon->merchant.store,
        .port = &setpay_merchant_payment_port,
        .shop = daemon->merchant.name,
        .settings = setpay_merchant_shop_settings(worker->service->config),
        .public_host = daemon->merchant.public_host,
        .tls = daemon->shop_tls,
        .guard = daemon->guard,
        .texts = daemon->texts,
    };
    int fd = setpay_worker_take_listener(worker->daemon_worker, "shop");
    if (fd < 0)
        return SETPAY_OK; /* no shop_listen */
    enum setpay_error error = setpay_www_new(&options, &worker->www);
    if (error != SETPAY_OK) {
        (void)close(fd);
        return error;
    }
    return setpay_www_listen(worker->www, fd);
}

static enum setpay_error start_admin(struct worker *worker, struct merchantd *daemon)
{
    const struct setpay_admin_options options = {
        .loop = worker->daemon_worker->loop,
        .store = daemon->merchant.store,
        .port = &setpay_merchant_payment_port,
        .shop = daemon->merchant.name,
        .settings = setpay_merchant_shop_settings(worker->service->config),
        .tls = daemon->owner_tls ? daemon->shop_tls : NULL,
        .proxies = daemon->proxies,
    };
    int fd = setpay_worker_take_listener(worker->daemon_worker, "owner");
    if (fd < 0)
        return SETPAY_OK; /* no owner_listen */
    enum setpay_error error = setpay_admin_new(&options, &worker->admin);
    if (error != SETPAY_OK) {
        (void)close(fd);
        return error;
    }
    return setpay_admin_listen(worker->admin, fd);
}

static enum setpay_error worker_init(void *context, struct setpay_worker *daemon_worker,
                                     struct setpay_problem *problem)
{
    struct setpay_service *service = context;
    struct merchantd *daemon = service->user;
    struct worker *worker = calloc(1, sizeof *worker);
    (void)problem;
    if (worker == NULL)
        return SETPAY_E_NOMEM;
    daemon_worker->user = worker;
    worker->daemon_worker = daemon_worker;
    worker->service = service;
    SETPAY_TRY(setpay_merchant_worker_new(&daemon->merchant, daemon_worker, &worker->payment));
    SETPAY_TRY(start_api(worker, daemon));
    SETPAY_TRY(start_www(worker, daemon));
    return start_admin(worker, daemon);
}

static void on_drained(void *arg)
{
    struct worker *worker = arg;
    if (--worker->undrained == 0)
        setpay_worker_drained(worker->daemon_worker);
}

static void worker_drain(void *context, struct setpay_worker *daemon_worker)
{
    struct worker *worker = daemon_worker->user;
    (void)context;
    worker->undrained = 1U + (worker->api != NULL ? 1 : 0) + (worker->www != NULL ? 1 : 0) +
                        (worker->admin != NULL ? 1 : 0);
    setpay_merchant_worker_drain(worker->payment, on_drained, worker);
    if (worker->api != NULL)
        setpay_api_drain(worker->api, on_drained, worker);
    if (worker->www != NULL)
        setpay_www_drain(worker->www, on_drained, worker);
    if (worker->admin != NULL)
        setpay_admin_drain(worker->admin, on_drained, worker);
}

static void worker_free(void *context, struct setpay_worker *daemon_worker)
{
    struct worker *worker = daemon_worker->user;
    (void)context;
    if (worker == NULL)
        return;
    setpay_admin_free(worker->admin);
    setpay_www_free(worker->www);
    setpay_api_free(worker->api);
    setpay_merchant_worker_free(worker->payment);
    free(worker);
}

/* ------------------------------------------------------------------ backups */

/* Rule M7: a backup would keep sealed instructions long after their outcome. A purchase that waits
 * for its outcome then asks for it without (authorise.c). */
static enum setpay_error strip_backup(struct setpay_db *db, void *arg)
{
    (void)arg;
    return setpay_db_run(db, "DELETE FROM instruction");
}

/* Rule M10: an order of before may have been paid since, under an offer that is forgotten. It takes
 * no purchase any more; one that comes all the same comes too late, and is voided (rule M9). */
static enum setpay_error set_back(struct setpay_db *db, void *arg)
{
    const struct setpay_store_restore *restore = arg;
    SETPAY_TRY(setpay_order_tell_expire_all(db, restore->restored_ms));
    SETPAY_TRY(setpay_stock_expire_all(db, restore->restored_ms));
    return setpay_order_expire_all(db, restore->restored_ms); /* rule M10 */
}

static const struct setpay_backup_party backup = {
    .name = "merchant",
    .schema = &schema,
    .options = setpay_merchant_options,
    .apart = (const char *const[]){"key_passphrase_file", NULL},
    .holder = &setpay_merchant_party,
    .strip_cb = strip_backup,
    .set_back_cb = set_back,
    .set_back_words =
        "What was ordered and paid after that moment is forgotten. So that nothing is paid twice,\n"
        "every order that was open has expired (rule M10): shoppers need new links. Then:\n"
        "- ask the gateway's operator for the payments since (setpay-gateway payment list): what\n"
        "  is authorised there and not known here was paid, and can't be captured;\n"
        "- count your stock: what was sold since is there again by these books;\n"
        "- remove again the API tokens that were removed since: see `token list`.",
};

const struct setpay_service_spec setpay_merchantd_spec = {
    .name = "setpay-merchantd",
    .summary = "The merchant of setpay: offers, purchases, orders.",
    .options = setpay_merchant_options,
    .schema = &schema,
    .commands = commands,
    .backup = &backup,
    .listeners = {{"wallets", "listen"},
                  {"api", "api_listen"},
                  {"shop", "shop_listen"},
                  {"owner", "owner_listen"}},
    .needs_trust = true,
    .saves_trust = true,
    .check_cb = setpay_merchant_check,
    .on_start_cb = on_start,
    .on_ready_cb = on_ready,
    .on_reload_cb = on_reload,
    .on_drain_cb = on_drain,
    .on_stop_cb = on_stop,
    .status_cb = on_status,
    .doctor_cb = on_doctor,
    .worker_init_cb = worker_init,
    .worker_drain_cb = worker_drain,
    .worker_free_cb = worker_free,
};
