/*
 * setpay-walletd: keys, cards and purchases of one person, behind a local socket.
 *
 * Everything runs on the first worker's loop: the socket, the connections to merchants, what is
 * decided. scrypt has a thread of its own (vault.c), writing has the store's. A wallet is small:
 * further workers, should a shared configuration ask for them, have nothing to do.
 *
 * At the end nothing is waited for that a merchant owes: what was signed is stored as pending, and
 * is inquired after once the wallet is unlocked again (rule W5).
 */
#include "cardholder/backup.h"
#include "cardholder/commands.h"
#include "cardholder/wallet.h"

#include <stdlib.h>
#include <string.h>

#define INQUIRY_MAX_TESTING_MS 1000

/* ------------------------------------------------------------------ the worker */

static enum setpay_error open_wallet(struct setpay_wallet *wallet, struct setpay_service *service,
                                     struct setpay_worker *worker, struct setpay_problem *problem)
{
    const struct setpay_config *config = service->config;
    wallet->service = service;
    wallet->worker = worker;
    wallet->loop = worker->loop;
    wallet->executor = setpay_loop_executor(worker->loop);
    wallet->store = service->store;
    wallet->trust = service->trust;
    wallet->inquiry_min_ms = setpay_config_int(config, "", "inquiry_min");
    wallet->inquiry_max_ms = setpay_config_is_set(config, "", "inquiry_max")
                                 ? setpay_config_int(config, "", "inquiry_max")
                             : service->testing ? INQUIRY_MAX_TESTING_MS
                                                : SETPAY_MINUTE_MS;
    wallet->answer_wait_ms = setpay_config_int(config, "", "answer_wait");
    wallet->renew_before_ms = setpay_config_int(config, "", "renew_before");
    wallet->follow_for_ms = setpay_config_int(config, "", "follow_for");
    SETPAY_TRY(setpay_reader_new(wallet->store, &wallet->reader));
    wallet->saved = (struct setpay_saved_trust){
        .store = wallet->store, .trust = wallet->trust, .executor = &wallet->executor};
    const struct setpay_tls_config tls = {
        .trust = wallet->trust,
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_MERCHANT_TLS_SERVER),
    };
    SETPAY_TRY(setpay_tls_new_client(&tls, &wallet->tls, problem));
    const struct setpay_http_client_options http = {
        .loop = worker->loop,
        .tls = wallet->tls,
        .connect_timeout_ms = setpay_config_int(config, "", "connect_timeout"),
        .deadline_ms = setpay_config_int(config, "", "answer_timeout"),
        .max_answer_bytes = SETPAY_LIMIT_MESSAGE_BYTES, /* no answer is more than a message */
        .max_connections = SETPAY_WALLET_OPEN_MAX,
    };
    SETPAY_TRY(setpay_http_client_new(&http, &wallet->http));
    SETPAY_TRY(setpay_wallet_lists_new(wallet));
    SETPAY_TRY(setpay_wallet_renewer_new(wallet));
    SETPAY_TRY(setpay_wallet_follower_new(wallet));
    const struct setpay_control_options control = {
        .loop = worker->loop,
        .path = setpay_config_text(config, "", "socket"),
        .daemon = service->spec->name,
        .commands = setpay_wallet_commands,
        .arg = wallet,
        .lock_held = true,
        .testing = service->testing,
    };
    return setpay_control_server_new(&control, &wallet->control, problem);
}

static enum setpay_error worker_init(void *context, struct setpay_worker *worker,
                                     struct setpay_problem *problem)
{
    struct setpay_wallet *wallet;
    if (worker->index != 0)
        return SETPAY_OK;
    wallet = calloc(1, sizeof *wallet);
    if (wallet == NULL)
        return SETPAY_E_NOMEM;
    worker->user = wallet; /* worker_free clears what is there */
    return open_wallet(wallet, context, worker, problem);
}

static void on_drained(void *arg)
{
    struct setpay_wallet *wallet = arg;
    setpay_worker_drained(wallet->worker);
}

static void worker_drain(void *context, struct setpay_worker *worker)
{
    struct setpay_wallet *wallet = worker->user;
    (void)context;
    if (wallet == NULL) {
        setpay_worker_drained(worker);
        return;
    }
    wallet->draining = true;
    setpay_control_server_drain(wallet->control, on_drained, wallet);
    setpay_wallet_pay_drain(wallet);
    setpay_wallet_enrol_drain(wallet);
    setpay_wallet_renew_stop(wallet, SETPAY_E_DRAINING);
    setpay_wallet_pursue_drain(wallet);
    setpay_wallet_unlock_hurry(wallet);
}

static void worker_free(void *context, struct setpay_worker *worker)
{
    struct setpay_wallet *wallet = worker->user;
    (void)context;
    if (wallet == NULL)
        return;
    setpay_wallet_lists_free(wallet);
    setpay_wallet_renewer_free(wallet);
    setpay_wallet_follower_free(wallet);
    setpay_wallet_pay_clear(wallet);
    setpay_wallet_pursue_clear(wallet);
    setpay_control_server_free(wallet->control);
    setpay_http_client_free(wallet->http);
    setpay_tls_free(wallet->tls);
    setpay_reader_free(wallet->reader);
    setpay_secret_clear(&wallet->master);
    free(wallet);
    worker->user = NULL;
}

static enum setpay_error check(const struct setpay_config *config, struct setpay_problem *problem)
{
    return setpay_control_check_path("socket", setpay_config_text(config, "", "socket"), problem);
}

int main(int argc, char **argv)
{
    static const struct setpay_service_spec spec = {
        .name = "setpay-walletd",
        .summary = "Keeps cards, keys and purchases of one person; pays what setpay-wallet is told "
                   "to.",
        .options = setpay_wallet_options,
        .backup = &setpay_wallet_backup,
        .schema = &setpay_wallet_schema,
        .needs_trust = true,
        .saves_trust = true,
        .check_cb = check,
        .worker_init_cb = worker_init,
        .worker_drain_cb = worker_drain,
        .worker_free_cb = worker_free,
    };
    return setpay_service_main(&spec, argc, argv);
}
