/*
 * setpay-gatewayd: the payment gateway. This file only says which part is called when; the work is
 * in gateway/payment (the protocol) and gateway/network (the issuers).
 */
#include "gateway/gatewayd.h"

#include "common/base/log.h"
#include "common/base/noun.h"
#include "common/net/doctor.h"
#include "common/net/metrics.h"
#include "common/store/answers.h"
#include "gateway/clearing/ahead.h"
#include "gateway/clearing_figures.h"
#include "gateway/commands.h"
#include "gateway/payment/dispatch.h"
#include "gateway/setup.h"

#include <stdio.h>
#include <stdlib.h>

#define PURGE_PERIOD_MS 60000
#define PURGE_BATCH 1000

/* What the main thread does again and again. */
struct housekeeping {
    struct setpay_gatewayd daemon; /* first: service->user is seen as either */
    struct setpay_timer *timer;
    struct setpay_executor executor;
    struct setpay_store *store;
    struct setpay_clearing_watch *watch;
    int64_t answers_deleted; /* by the newest purge */
};

static struct setpay_gatewayd *daemon_of(struct setpay_service *service)
{
    return &((struct housekeeping *)service->user)->daemon;
}

/* ------------------------------------------------------------------ readiness */

static enum setpay_error check_line(void *arg, struct setpay_problem *why)
{
    const struct setpay_gatewayd *daemon = arg;
    /* One issuer that is away keeps nobody from paying by another's card. */
    if (daemon->gateway.network == NULL || !setpay_network_is_any_up(daemon->gateway.network))
        return setpay_problem_set(why, SETPAY_E_UNREACHABLE, "no line to an issuer is signed on");
    return SETPAY_OK;
}

static int64_t open_reversals(void *arg)
{
    const struct setpay_gatewayd *daemon = arg;
    struct setpay_network_figures figures;
    if (daemon->gateway.network == NULL)
        return 0;
    setpay_network_figures(daemon->gateway.network, &figures);
    return (int64_t)figures.reversals_open;
}

static struct setpay_metric reversals_open = {
    .name = "setpay_gateway_reversals_open",
    .help = "Reversals that the issuers have not acknowledged yet.",
    .type = SETPAY_METRIC_GAUGE,
    .read_cb = open_reversals,
};

/* ------------------------------------------------------------------ what it tells a doctor */

static enum setpay_error read_ahead(struct setpay_db *db, void *arg)
{
    return setpay_settled_ahead(db, setpay_clock_now_ms(), arg);
}

/* By its books: settlements of days to come, which keep merchants from being paid. */
static void on_doctor(struct setpay_service *service, struct setpay_doctor *doctor)
{
    struct setpay_settled_ahead ahead = {.count = 0};
    struct setpay_reader *reader = NULL;
    char todo[SETPAY_DOCTOR_NAME_SIZE];
    enum setpay_error error = setpay_reader_new(service->store, &reader);
    if (error == SETPAY_OK)
        error = setpay_store_read(reader, read_ahead, &ahead);
    setpay_reader_free(reader);
    if (error != SETPAY_OK || ahead.count == 0)
        return; /* what is wrong with the store is said of the store */
    (void)snprintf(todo, sizeof todo,
                   "look at the clock; where it is right now, setpay-gateway settlement step-over "
                   "--date %s --reason TEXT: nothing is paid twice",
                   ahead.day);
    setpay_doctor_say(doctor, SETPAY_FINDING_WARN, SETPAY_CHECK_CLOCK, "", todo,
                      "%lld %s of days that have not ended, up to %s: their merchants are settled "
                      "for no day before",
                      (long long)ahead.count,
                      setpay_noun(ahead.count, "settlement is", "settlements are"), ahead.day);
}

/* ------------------------------------------------------------------ housekeeping */

static enum setpay_error purge(struct setpay_db *db, void *arg)
{
    struct housekeeping *keeping = arg;
    int64_t deleted = 0;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    SETPAY_TRY(setpay_answers_purge(db, now_ms, PURGE_BATCH, &keeping->answers_deleted));
    return setpay_kept_card_purge(db, now_ms, &deleted); /* rule G10: for a stated time */
}

static void on_purge_time(void *arg);

/* A full batch: there is more, and a busy gateway gives answers faster than one batch a minute. */
static void on_purged(void *arg, enum setpay_error error)
{
    struct housekeeping *keeping = arg;
    if (error != SETPAY_OK)
        setpay_log_error(error, "purge.failed", setpay_field_text("area", "store"));
    else if (keeping->answers_deleted == PURGE_BATCH)
        on_purge_time(keeping);
}

static void on_purge_time(void *arg)
{
    struct housekeeping *keeping = arg;
    enum setpay_error error =
        setpay_store_submit(keeping->store, purge, on_purged, keeping, &keeping->executor);
    if (error != SETPAY_OK)
        on_purged(keeping, error);
}

/* ------------------------------------------------------------------ start and stop */

static enum setpay_error on_start(struct setpay_service *service, struct setpay_problem *problem)
{
    struct housekeeping *keeping = calloc(1, sizeof *keeping);
    if (keeping == NULL)
        return SETPAY_E_NOMEM;
    service->user = keeping;
    keeping->store = service->store;
    reversals_open.read_arg = &keeping->daemon;
    SETPAY_TRY(setpay_gatewayd_load(service, &keeping->daemon, problem));
    SETPAY_TRY(setpay_gatewayd_start_network(service, &keeping->daemon, problem));
    setpay_service_add_check(
        service, &(struct setpay_ready_check){"issuer_line", check_line, &keeping->daemon});
    SETPAY_TRY(setpay_gateway_register_stand_in_metrics());
    SETPAY_TRY(setpay_gateway_register_hold_metrics());
    SETPAY_TRY(setpay_gateway_register_reconciler_metrics());
    SETPAY_TRY(setpay_gateway_register_dispute_metrics());
    SETPAY_TRY(setpay_clearing_watch_register());
    return setpay_metric_register(&reversals_open);
}

static enum setpay_error on_ready(struct setpay_service *service, struct setpay_problem *problem)
{
    struct housekeeping *keeping = service->user;
    struct setpay_loop *loop = setpay_daemon_loop(service->daemon);
    (void)problem;
    keeping->executor = setpay_loop_executor(loop);
    SETPAY_TRY(setpay_upkeep_start(keeping->daemon.upkeep));
    SETPAY_TRY(setpay_timer_new(loop, on_purge_time, keeping, &keeping->timer));
    setpay_timer_start_periodic(keeping->timer, PURGE_PERIOD_MS);
    return setpay_clearing_watch_new(keeping->store, keeping->daemon.gateway.network, loop,
                                     &keeping->watch);
}

static enum setpay_error on_reload(struct setpay_service *service, struct setpay_problem *problem)
{
    return setpay_gatewayd_reload(service, daemon_of(service), problem);
}

static void on_stop(struct setpay_service *service)
{
    struct housekeeping *keeping = service->user;
    if (keeping == NULL)
        return;
    setpay_timer_free(keeping->timer);
    setpay_clearing_watch_free(keeping->watch);
    setpay_gatewayd_stop_network(&keeping->daemon);
    setpay_gatewayd_clear(&keeping->daemon);
    free(keeping);
    service->user = NULL;
}

static enum setpay_error worker_init(void *context, struct setpay_worker *worker,
                                     struct setpay_problem *problem)
{
    struct setpay_gatewayd *daemon = daemon_of(context);
    struct setpay_gateway_worker *made = NULL;
    (void)problem;
    SETPAY_TRY(setpay_gateway_worker_new(&daemon->gateway, daemon->reversals, daemon->presentments,
                                         worker, daemon->tls, &made));
    worker->user = made;
    return SETPAY_OK;
}

static void worker_drain(void *context, struct setpay_worker *worker)
{
    (void)context;
    setpay_gateway_worker_drain(worker->user, worker);
}

static void worker_free(void *context, struct setpay_worker *worker)
{
    (void)context;
    setpay_gateway_worker_free(worker->user);
}

/* Rule G12 does the rest, in gateway/payment. */
static const struct setpay_backup_party backup = {
    .name = "gateway",
    .schema = &setpay_gateway_schema,
    .options = setpay_gateway_options,
    /* The keys to envelopes open recorded traffic, and are to be destroyed in time: a backup would
     * keep them. They can be issued anew, and then rule G12 has an end. */
    .apart = (const char *const[]){"vault_key", "key_passphrase_file", "encrypt_key",
                                   "encrypt_cert", NULL},
    .holder = &setpay_gateway_party,
    .set_back_words =
        "What the gateway did after that moment it has forgotten. So that nothing is authorised\n"
        "twice, it takes no instruction that may have been presented before (rule G12): for up to\n"
        "65 minutes, or until its certificates for envelopes were issued anew. Then:\n"
        "- compare with the issuers' lists: what they hold and `payment list` does not show can't\n"
        "  be captured, and ends with its hold;\n"
        "- disable again the merchants that were disabled since: see `merchant list`;\n"
        "- payouts that wait may be with the bank already: they are in doubt, see `payout list`,\n"
        "  and not sent before you have told what the bank's statement shows, and say --force;\n"
        "- with the next `issuer cutoff` the period of the backup is compared too: it is out of\n"
        "  balance by what was booked in it since.",
};

const struct setpay_service_spec setpay_gatewayd_spec = {
    .name = "setpay-gatewayd",
    .summary = "The payment gateway of setpay: authorises what cardholders have signed.",
    .options = setpay_gateway_options,
    .schema = &setpay_gateway_schema,
    .commands = setpay_gateway_commands,
    .backup = &backup,
    .listeners = {{"merchants", "listen"}},
    .needs_trust = true,
    .saves_trust = true,
    .check_cb = setpay_gateway_check,
    .on_start_cb = on_start,
    .on_ready_cb = on_ready,
    .on_reload_cb = on_reload,
    .doctor_cb = on_doctor,
    .on_stop_cb = on_stop,
    .worker_init_cb = worker_init,
    .worker_drain_cb = worker_drain,
    .worker_free_cb = worker_free,
};
