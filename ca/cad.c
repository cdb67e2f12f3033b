/*
 * setpay-cad: the authority as a daemon. It opens the CA's folder, and so keeps its operator's
 * program from writing to it at the same time.
 */
#include "ca/cad.h"

#include "ca/cad_options.h"
#include "ca/enrolment.h"
#include "ca/forward.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/crypto/file.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS 30000
#define LOOK_TESTING_MS 500

/* ---- trust in what it has issued itself ---- */

static void learn_list(void *arg, const char *authority, uint64_t number,
                       setpay_time_ms this_update, setpay_time_ms next_update,
                       struct setpay_view der)
{
    struct setpay_cad *cad = arg;
    enum setpay_error error = setpay_trust_add_crl(cad->trust, der, setpay_clock_now_ms());

    (void)number;
    (void)this_update;
    (void)next_update;
    if (error != SETPAY_OK)
        setpay_log_error(error, "trust.crl", setpay_field_text("authority", authority));
}

/* On the registrar's thread, or before it runs. */
static void learn_lists(void *arg)
{
    struct setpay_cad *cad = arg;
    enum setpay_error error = setpay_ca_list_crls(cad->ca, NULL, learn_list, cad);

    if (error != SETPAY_OK)
        setpay_log_error(error, "trust.crl", setpay_field_text("authority", "all"));
    setpay_cad_lists_look(cad);
}

/* On the registrar's thread, from time to time. */
static void look(struct setpay_ca *ca, void *arg)
{
    setpay_cad_keys_look(ca, arg);
    setpay_cad_lists_look(arg);
}

/* The authorities as they are now: a brand may have been added. The first time with the root. */
static enum setpay_error learn_authorities(struct setpay_cad *cad)
{
    struct setpay_buffer pem;
    struct setpay_buffer certificates[SETPAY_LIMIT_TRUST_CAS];
    size_t count = 0;

    setpay_buffer_init(&pem, SETPAY_CA_PEM_MAX * 8);
    enum setpay_error error = setpay_ca_append_authorities(cad->ca, &pem);
    if (error == SETPAY_OK)
        error = setpay_pem_certificates(setpay_buffer_view(&pem), certificates,
                                        SETPAY_LIMIT_TRUST_CAS, &count);
    if (error == SETPAY_OK && cad->trust == NULL) /* the root is the first */
        error = setpay_trust_new(setpay_buffer_view(&certificates[0]), &cad->trust);
    for (size_t at = 1; at < count && error == SETPAY_OK; at++)
        error = setpay_trust_add_ca(cad->trust, setpay_buffer_view(&certificates[at]));
    for (size_t at = 0; at < count; at++)
        setpay_buffer_clear(&certificates[at]);
    setpay_buffer_clear(&pem);
    return error;
}

static enum setpay_error make_trust(struct setpay_cad *cad, struct setpay_problem *problem)
{
    enum setpay_error error = learn_authorities(cad);

    if (error != SETPAY_OK)
        return setpay_problem_set(problem, error, "the CA's own certificates: %s",
                                  setpay_error_text(error));
    learn_lists(cad);
    return SETPAY_OK;
}

/* ---- start and stop ---- */

static enum setpay_error load_secrets(struct setpay_service *service, struct setpay_cad *cad,
                                      struct setpay_problem *problem)
{
    const struct setpay_config *config = service->config;
    const char *card_key = setpay_config_text(config, "", "card_key");
    enum setpay_error error = setpay_cad_keys_load(cad, problem);

    if (error == SETPAY_OK)
        error = setpay_secret_random(&cad->nonce_key, 32);
    if (error == SETPAY_OK && card_key != NULL)
        error = setpay_ca_card_key(card_key, false, &cad->card_key, problem);
    return error;
}

static enum setpay_error open_ca(struct setpay_service *service, struct setpay_cad *cad,
                                 struct setpay_problem *problem)
{
    struct setpay_secret passphrase = {0};

    SETPAY_TRY(setpay_ca_open(setpay_config_text(service->config, "", "folder"), false, &cad->ca,
                              problem));
    enum setpay_error error = setpay_file_read_secret(
        setpay_config_text(service->config, "", "passphrase_file"), &passphrase, problem);
    if (error == SETPAY_OK)
        error = setpay_ca_unlock(cad->ca, &passphrase, problem);
    setpay_secret_clear(&passphrase);
    setpay_ca_keep_keys(cad->ca);
    return error;
}

static enum setpay_error on_start(struct setpay_service *service, struct setpay_problem *problem)
{
    struct setpay_cad *cad = calloc(1, sizeof *cad);

    if (cad == NULL)
        return SETPAY_E_NOMEM;
    cad->service = service;
    if (pthread_mutex_init(&cad->lock, NULL) != 0) {
        free(cad);
        return SETPAY_E_NOMEM;
    }
    service->user = cad;
    cad->card_days = (int)setpay_config_int(service->config, "", "card_days");
    SETPAY_TRY(open_ca(service, cad, problem));
    /* A CA that was off for long has lists that are over; nobody could be judged by them. */
    (void)setpay_registrar_renew_lists(cad->ca);
    SETPAY_TRY(make_trust(cad, problem));
    SETPAY_TRY(load_secrets(service, cad, problem));
    SETPAY_TRY(setpay_cad_keys_measure(cad));
    SETPAY_TRY(setpay_cad_lists_measure());
    service->shown_store = setpay_ca_store(cad->ca);
    setpay_service_add_check(service,
                             &(struct setpay_ready_check){"store", setpay_service_check_store,
                                                          setpay_ca_store(cad->ca)});
    setpay_service_add_check(service,
                             &(struct setpay_ready_check){"lists", setpay_cad_lists_check, cad});
    const struct setpay_registrar_options registrar = {
        .ca = cad->ca,
        .look_ms = service->testing ? LOOK_TESTING_MS : LOOK_MS,
        .lists_cb = learn_lists,
        .look_cb = look,
        .arg = cad,
    };
    return setpay_registrar_new(&registrar, &cad->registrar);
}

static enum setpay_error on_reload(struct setpay_service *service, struct setpay_problem *problem)
{
    return setpay_cad_keys_load(service->user, problem);
}

static void on_stop(struct setpay_service *service)
{
    struct setpay_cad *cad = service->user;

    if (cad == NULL)
        return;
    setpay_registrar_free(cad->registrar);
    setpay_tls_free(cad->tls);
    setpay_identity_clear(&cad->server);
    setpay_trust_free(cad->trust);
    setpay_secret_clear(&cad->nonce_key);
    setpay_secret_clear(&cad->card_key);
    setpay_ca_close(cad->ca);
    (void)pthread_mutex_destroy(&cad->lock);
    free(cad);
    service->user = NULL;
}

/* ---- the operator's commands ---- */

struct operation {
    struct setpay_registrar_job job;
    struct setpay_control_call *call;
    struct setpay_cad *cad;
    json_t *args;
    struct setpay_ca_forwarded *forwarded; /* on the registrar's thread alone */
    json_t *reply;
    struct setpay_problem problem;
    enum setpay_error error;
};

static void on_operation(struct setpay_ca *ca, void *arg)
{
    struct operation *operation = arg;
    bool unfinished = false;

    operation->error = SETPAY_OK;
    if (operation->forwarded == NULL)
        operation->error = setpay_ca_forwarded_new(ca, operation->args, &operation->forwarded,
                                                   &operation->problem);
    do {
        if (operation->error == SETPAY_OK)
            operation->error =
                setpay_ca_forwarded_run(operation->forwarded, &unfinished, &operation->reply);
        /* Who waits gets a turn first; where so many do that there is no room, it goes on. */
        if (unfinished && setpay_registrar_again(&operation->job) == SETPAY_OK)
            return;
    } while (unfinished);
    setpay_ca_forwarded_free(operation->forwarded);
    operation->forwarded = NULL;
    /* It may have added a brand, or revoked. */
    enum setpay_error error = learn_authorities(operation->cad);
    if (error != SETPAY_OK)
        setpay_log_error(error, "trust.authorities", setpay_field_text("area", "ca"));
    learn_lists(operation->cad);
}

static void on_operation_done(void *arg)
{
    struct operation *operation = arg;

    if (operation->error == SETPAY_OK)
        setpay_control_reply(operation->call, operation->reply);
    else
        setpay_control_fail(operation->call, operation->error,
                            operation->problem.text[0] != '\0' ? operation->problem.text : NULL);
    json_decref(operation->args);
    free(operation);
}

static void on_run(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_service *service = arg;
    struct setpay_cad *cad = service->user;
    struct operation *operation = calloc(1, sizeof *operation);

    if (operation == NULL) {
        setpay_control_fail(call, SETPAY_E_NOMEM, NULL);
        return;
    }
    operation->call = call;
    operation->cad = cad;
    operation->args = json_deep_copy(args); /* the registrar's thread has its own */
    operation->job = (struct setpay_registrar_job){
        .work_cb = on_operation,
        .done_cb = on_operation_done,
        .arg = operation,
        .executor = setpay_loop_executor(setpay_daemon_loop(service->daemon)),
    };
    enum setpay_error error = setpay_registrar_post(cad->registrar, &operation->job);
    if (error != SETPAY_OK) { /* otherwise operation is the registrar's now */
        operation->error = error;
        on_operation_done(operation);
    }
}

static const struct setpay_control_command commands[] = {
    {"ca.run", on_run, "a command of setpay-ca, which calls this while the daemon runs"},
    {NULL, NULL, NULL},
};

/* ---- workers ---- */

static enum setpay_error worker_init(void *context, struct setpay_worker *daemon_worker,
                                     struct setpay_problem *problem)
{
    struct setpay_service *service = context;
    struct setpay_est_worker *worker = NULL;

    (void)problem;
    SETPAY_TRY(setpay_est_worker_new(service->user, daemon_worker, &worker));
    daemon_worker->user = worker;
    return SETPAY_OK;
}

static void worker_drain(void *context, struct setpay_worker *daemon_worker)
{
    (void)context;
    setpay_est_worker_drain(daemon_worker->user);
}

static void worker_free(void *context, struct setpay_worker *daemon_worker)
{
    (void)context;
    setpay_est_worker_free(daemon_worker->user);
}

const struct setpay_service_spec setpay_cad_spec = {
    .name = "setpay-cad",
    .summary = "The certification authority of setpay over the network: enrolment (EST) and "
               "revocation lists.",
    .options = setpay_cad_options,
    .commands = commands,
    .listeners = {{"est", "listen"}},
    .on_start_cb = on_start,
    .on_reload_cb = on_reload,
    .on_stop_cb = on_stop,
    .worker_init_cb = worker_init,
    .worker_drain_cb = worker_drain,
    .worker_free_cb = worker_free,
};
