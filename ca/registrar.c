/*
 * The registrar's thread, its queue, and its clock for revocation lists.
 */
#include "ca/registrar.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/loop.h"
#include "common/net/metrics.h"

#include <pthread.h>
#include <stdlib.h>

/* An enrolment takes some 0.2 s: who would wait longer than half a minute is told to come again.
 * Half of it is for those who ask from outside (places.h). */
#define JOBS_MAX 128

struct setpay_registrar {
    struct setpay_registrar_options options;
    struct setpay_loop *loop;
    struct setpay_timer *timer;
    pthread_t thread;
    bool runs;
    struct setpay_places *places; /* of those that wait */
};

static void *run(void *arg)
{
    struct setpay_registrar *registrar = arg;
    enum setpay_error error = setpay_loop_run(registrar->loop);

    if (error != SETPAY_OK)
        setpay_log_error(error, "registrar.failed", setpay_field_text("area", "loop"));
    return NULL;
}

/* ---- jobs ---- */

static void on_job(void *arg)
{
    struct setpay_registrar_job *job = arg;
    struct setpay_registrar *registrar = job->registrar;

    setpay_places_give_back(registrar->places, job->place, &job->who);
    job->again = false;
    job->work_cb(registrar->options.ca, job->arg);
    if (job->again)
        return;
    job->executor.post_reserved(job->executor.self, job->done_cb, job->arg);
}

enum setpay_error setpay_registrar_again(struct setpay_registrar_job *job)
{
    SETPAY_TRY(setpay_loop_post(job->registrar->loop, on_job, job));
    job->again = true;
    job->place = SETPAY_PLACE_OPERATOR; /* it has given its own back */
    return SETPAY_OK;
}

enum setpay_error setpay_registrar_post(struct setpay_registrar *registrar,
                                        struct setpay_registrar_job *job)
{
    job->registrar = registrar;
    if (!setpay_places_take(registrar->places, job->place, &job->who))
        return SETPAY_E_BUSY;
    enum setpay_error error = job->executor.reserve(job->executor.self);
    if (error == SETPAY_OK) {
        error = setpay_loop_post(registrar->loop, on_job, job);
        if (error != SETPAY_OK)
            job->executor.release(job->executor.self);
    }
    if (error != SETPAY_OK) /* else the job is the thread's */
        setpay_places_give_back(registrar->places, job->place, &job->who);
    return error;
}

/* ---- revocation lists ---- */

static const char *const results[] = {"made", "failed", NULL};
static struct setpay_metric lists_total = {
    .name = "setpay_ca_lists_total",
    .help = "Revocation lists that were to be made, the ones before being due, by how it ended.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"result", results}},
};

static void on_failed(void *arg, const char *authority, enum setpay_error error, const char *why)
{
    size_t *failed = arg;

    (*failed)++;
    setpay_metric_add(&lists_total, 1, 0, 1);
    setpay_log_error(error, "crl.failed", setpay_field_text("authority", authority),
                     setpay_field_text("reason", why));
}

size_t setpay_registrar_renew_lists(struct setpay_ca *ca)
{
    struct setpay_problem problem = {{0}};
    size_t made = 0, failed = 0;
    const struct setpay_ca_lists_wish wish = {
        .due = true, .now = setpay_clock_now_ms(), .failed_cb = on_failed, .arg = &failed};
    enum setpay_error error = setpay_ca_make_crls(ca, &wish, &made, &problem);

    if (error != SETPAY_OK && failed == 0) /* it did not come as far as to one */
        on_failed(&failed, "all", error,
                  problem.text[0] != '\0' ? problem.text : setpay_error_text(error));
    setpay_metric_add(&lists_total, 0, 0, (int64_t)made);
    if (made > 0)
        setpay_log(SETPAY_LOG_INFO, "crl.renewed", setpay_field_int("made", (int64_t)made));
    return made;
}

static void on_look(void *arg)
{
    struct setpay_registrar *registrar = arg;

    if (setpay_registrar_renew_lists(registrar->options.ca) > 0 &&
        registrar->options.lists_cb != NULL)
        registrar->options.lists_cb(registrar->options.arg);
    if (registrar->options.look_cb != NULL)
        registrar->options.look_cb(registrar->options.ca, registrar->options.arg);
}

/* ---- begin and end ---- */

enum setpay_error setpay_registrar_new(const struct setpay_registrar_options *options,
                                       struct setpay_registrar **registrar)
{
    struct setpay_registrar *made = calloc(1, sizeof *made);

    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->options = *options;
    enum setpay_error error = setpay_places_new(&made->places);
    if (error == SETPAY_OK)
        error = setpay_loop_new(JOBS_MAX, &made->loop);
    if (error == SETPAY_OK)
        error = setpay_timer_new(made->loop, on_look, made, &made->timer);
    if (error == SETPAY_OK) {
        setpay_timer_start_periodic(made->timer, options->look_ms);
        made->runs = pthread_create(&made->thread, NULL, run, made) == 0;
        error = made->runs ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    if (error != SETPAY_OK) {
        setpay_registrar_free(made);
        return error;
    }
    *registrar = made;
    return SETPAY_OK;
}

void setpay_registrar_free(struct setpay_registrar *registrar)
{
    if (registrar == NULL)
        return;
    if (registrar->runs) {
        setpay_loop_stop(registrar->loop);
        (void)pthread_join(registrar->thread, NULL);
    }
    setpay_timer_free(registrar->timer);
    setpay_loop_free(registrar->loop);
    setpay_places_free(registrar->places);
    free(registrar);
}
