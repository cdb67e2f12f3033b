/*
 * The thread, and what it does at each look: measure, destroy what is over, save, renew what is due
 * (one certificate at a time). Lists have a timer of their own (lists.c).
 *
 * A *duty* is one certificate of one brand: when it is to be looked at again, and how long the next
 * wait is after a failure. A duty that is due loads the files first: an operator may have renewed
 * it, and then only its taking over is missing.
 */
#include "common/net/upkeep.h"

#include "common/base/log.h"
#include "common/crypto/file.h"
#include "common/net/est_form.h"
#include "common/net/lists.h"
#include "common/net/metrics.h"
#include "common/net/party_issue.h"
#include "common/net/saved_trust.h"

#include <event2/util.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS (30 * SETPAY_SECOND_MS)
#define LOOK_TESTING_MS 500
/* After a failure: the first wait, and the longest one. */
#define WAIT_MS SETPAY_MINUTE_MS
#define WAIT_TESTING_MS 500
#define WAIT_MAX_FACTOR 60
#define MAILBOX_JOBS 64
#define BRANDS_MAX 16
#define DUTIES_MAX ((BRANDS_MAX + 1) * SETPAY_PARTY_CERTIFICATES_MAX)

struct duty {
    const struct setpay_party_certificate *certificate;
    const char *brand; /* NULL: of the top */
    char section[SETPAY_BRAND_MAX + 8];
    int64_t not_before_ms; /* monotonic */
    int64_t wait_ms;
};

struct setpay_upkeep {
    struct setpay_upkeep_options options;
    int64_t look_ms, wait_ms, renew_before_ms;
    struct setpay_lists_source sources[BRANDS_MAX]; /* the authority of each brand */
    size_t source_count;                            /* 0: all is the operator's to do */
    pthread_mutex_t reload;                         /* one at a time */

    struct setpay_loop *loop;
    struct setpay_executor executor;
    pthread_t thread;
    bool runs;

    /* The thread's. */
    struct setpay_timer *timer;
    struct setpay_lists *lists;
    struct setpay_saved_trust saved;
    struct duty duties[DUTIES_MAX];
    size_t duty_count;
    struct setpay_issue *issue;
    struct duty *under_way;
};

/* ------------------------------------------------------------------ figures */

static const char *brand_names[BRANDS_MAX + 1];
static const char *certificate_names[SETPAY_PARTY_CERTIFICATES_MAX + 1];
static const char *const results[] = {"renewed", "failed", NULL};
static struct setpay_metric seconds_left = {
    .name = "setpay_certificate_seconds_left",
    .help = "Time until a certificate in use ends; below 0: it has ended.",
    .type = SETPAY_METRIC_GAUGE,
    .labels = {{"brand", brand_names}, {"certificate", certificate_names}},
};
static struct setpay_metric renewals_total = {
    .name = "setpay_certificate_renewals_total",
    .help = "Times that a certificate was to be renewed, by how it ended.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"certificate", certificate_names}, {"result", results}},
};
static struct setpay_metric lists_seconds_left = {
    .name = "setpay_lists_seconds_left",
    .help = "Time until the first revocation list of a brand ends; below 0: it has, or is missing.",
    .type = SETPAY_METRIC_GAUGE,
    .labels = {{"brand", brand_names}},
};

static size_t certificate_index(const struct setpay_upkeep *upkeep,
                                const struct setpay_party_certificate *certificate)
{
    return (size_t)(certificate - upkeep->options.party->certificates);
}

static enum setpay_error name_figures(const struct setpay_upkeep *upkeep)
{
    const struct setpay_config *config = upkeep->options.service->config;
    const struct setpay_party_certificate *at = upkeep->options.party->certificates;
    size_t count = setpay_config_instance_count(config, "brand *");
    for (size_t i = 0; i < count && i < BRANDS_MAX; i++)
        brand_names[i] = setpay_config_instance(config, "brand *", i);
    for (size_t i = 0; i < SETPAY_PARTY_CERTIFICATES_MAX && at[i].profile != SETPAY_PROFILE_NONE;
         i++)
        certificate_names[i] = setpay_profile_info(at[i].profile)->name;
    SETPAY_TRY(setpay_metric_register(&seconds_left));
    SETPAY_TRY(setpay_metric_register(&renewals_total));
    return setpay_metric_register(&lists_seconds_left);
}

static void measure(const struct setpay_upkeep *upkeep, const struct setpay_keyring *ring)
{
    setpay_time_ms now_ms = setpay_clock_now_ms();
    for (size_t i = 0; i < upkeep->duty_count; i++) {
        const struct duty *duty = &upkeep->duties[i];
        const struct setpay_held *held =
            setpay_keyring_in_use(ring, duty->certificate->profile, duty->brand);
        const struct setpay_certificate *certificate = held->identity.certificate;
        int64_t left_s = (setpay_certificate_not_after_ms(certificate) - now_ms) / 1000;
        for (size_t brand = 0; brand_names[brand] != NULL; brand++) {
            /* One of the top is for all of them. */
            if (duty->brand == NULL || strcmp(duty->brand, brand_names[brand]) == 0)
                setpay_metric_set(&seconds_left, brand,
                                  certificate_index(upkeep, duty->certificate), left_s);
        }
    }
    for (size_t i = 0; brand_names[i] != NULL; i++)
        setpay_metric_set(
            &lists_seconds_left, i, 0,
            (setpay_lists_end_ms(upkeep->options.service->trust, brand_names[i]) - now_ms) / 1000);
}

/* ------------------------------------------------------------------ taking over */

static struct setpay_keyring_wish wish_of(const struct setpay_upkeep *upkeep)
{
    return (struct setpay_keyring_wish){.party = upkeep->options.party,
                                        .config = upkeep->options.service->config,
                                        .trust = upkeep->options.service->trust,
                                        .now_ms = setpay_clock_now_ms(),
                                        .keep_ms = upkeep->options.keep_ms,
                                        .unlisted = upkeep->source_count > 0};
}

static void log_taken_over(const struct setpay_keyring *former, const struct setpay_keyring *next)
{
    const struct setpay_held *held;
    for (size_t i = 0; (held = setpay_keyring_at(next, i)) != NULL; i++) {
        const struct setpay_held *was = setpay_keyring_in_use(
            former, held->profile, held->brand[0] == '\0' ? NULL : held->brand);
        char expires[SETPAY_TIME_TEXT_SIZE];
        if (!held->in_use || (was != NULL && setpay_digest_equal(setpay_held_thumbprint(was),
                                                                 setpay_held_thumbprint(held))))
            continue;
        setpay_time_format(setpay_certificate_not_after_ms(held->identity.certificate), expires);
        setpay_log(SETPAY_LOG_INFO, "keys.taken_over",
                   setpay_field_text("certificate", setpay_profile_info(held->profile)->name),
                   setpay_field_text("brand", setpay_certificate_brand(held->identity.certificate)),
                   setpay_field_digest("thumbprint", setpay_held_thumbprint(held)),
                   setpay_field_text("expires", expires));
    }
}

/* Loads twice where a pair that was in use has to be kept first: the second time with it. */
static enum setpay_error load(const struct setpay_keyring_wish *wish,
                              const struct setpay_keyring *former, struct setpay_keyring **ring,
                              struct setpay_problem *problem)
{
    struct setpay_keyring *first = NULL;
    SETPAY_TRY(setpay_keyring_load(wish, &first, problem));
    if (former == NULL) {
        *ring = first;
        return SETPAY_OK;
    }
    enum setpay_error error = setpay_keyring_keep(wish, former, first, problem);
    setpay_keyring_unref(first);
    return error == SETPAY_OK ? setpay_keyring_load(wish, ring, problem) : error;
}

static enum setpay_error take_over(struct setpay_upkeep *upkeep, struct setpay_problem *problem)
{
    const struct setpay_keyring_wish wish = wish_of(upkeep);
    struct setpay_keyring *former = setpay_keys_take(upkeep->options.keys);
    struct setpay_keyring *ring = NULL;
    enum setpay_error error = load(&wish, former, &ring, problem);
    if (error == SETPAY_OK)
        error = upkeep->options.take_cb(upkeep->options.arg, ring, problem);
    if (error == SETPAY_OK) {
        if (former != NULL)
            log_taken_over(former, ring);
        setpay_keys_put(upkeep->options.keys, ring);
        ring = NULL; /* handed over */
    }
    setpay_keyring_unref(ring);
    setpay_keyring_unref(former);
    return error;
}

enum setpay_error setpay_upkeep_reload(struct setpay_upkeep *upkeep, struct setpay_problem *problem)
{
    (void)pthread_mutex_lock(&upkeep->reload);
    enum setpay_error error = take_over(upkeep, problem);
    (void)pthread_mutex_unlock(&upkeep->reload);
    return error;
}

static void reload_or_log(struct setpay_upkeep *upkeep)
{
    struct setpay_problem problem = {{0}};
    enum setpay_error error = setpay_upkeep_reload(upkeep, &problem);
    if (error != SETPAY_OK)
        setpay_log_error(error, "keys.refused", setpay_field_text("text", problem.text));
}

/* ------------------------------------------------------------------ renewing */

static const struct setpay_est_place *place_of(const struct setpay_upkeep *upkeep,
                                               const char *brand)
{
    for (size_t i = 0; i < upkeep->source_count; i++) {
        if (strcmp(upkeep->sources[i].brand, brand) == 0)
            return &upkeep->sources[i].place;
    }
    return NULL;
}

/* Between half of the wait and the whole of it, so that parties whose authority was away do not
 * come back together. */
static void wait_on(const struct setpay_upkeep *upkeep, struct duty *duty)
{
    uint32_t random = 0;
    int64_t half_ms = duty->wait_ms / 2;
    evutil_secure_rng_get_bytes(&random, sizeof random);
    duty->not_before_ms = setpay_clock_monotonic_ms() + half_ms + random % (half_ms + 1);
    duty->wait_ms *= 2;
    if (duty->wait_ms > WAIT_MAX_FACTOR * upkeep->wait_ms)
        duty->wait_ms = WAIT_MAX_FACTOR * upkeep->wait_ms;
}

static void report_failure(struct setpay_upkeep *upkeep, struct duty *duty, enum setpay_error error,
                           const char *words)
{
    wait_on(upkeep, duty);
    setpay_metric_add(&renewals_total, certificate_index(upkeep, duty->certificate), 1, 1);
    setpay_log_error(
        error, "keys.not_renewed",
        setpay_field_text("certificate", setpay_profile_info(duty->certificate->profile)->name),
        setpay_field_text("brand", duty->brand == NULL ? "" : duty->brand),
        setpay_field_int("again_in_ms", duty->not_before_ms - setpay_clock_monotonic_ms()),
        setpay_field_text("text", words));
}

static void on_issued(void *arg, const struct setpay_issue_result *result)
{
    struct setpay_upkeep *upkeep = arg;
    struct duty *duty = upkeep->under_way;
    upkeep->issue = NULL; /* it goes by itself */
    upkeep->under_way = NULL;
    if (result->error != SETPAY_OK) {
        report_failure(upkeep, duty, result->error, result->words);
        return;
    }
    duty->wait_ms = upkeep->wait_ms;
    setpay_metric_add(&renewals_total, certificate_index(upkeep, duty->certificate), 0, 1);
    setpay_log(
        SETPAY_LOG_INFO, "keys.renewed",
        setpay_field_text("certificate", setpay_profile_info(duty->certificate->profile)->name),
        setpay_field_text("brand", duty->brand == NULL ? "" : duty->brand));
    reload_or_log(upkeep);
}

static enum setpay_error read_passphrase(const struct setpay_upkeep *upkeep,
                                         struct setpay_secret *passphrase, bool *given,
                                         struct setpay_problem *problem)
{
    const char *path =
        setpay_config_text(upkeep->options.service->config, "", "key_passphrase_file");
    *given = path != NULL;
    return path == NULL ? SETPAY_OK : setpay_file_read_secret(path, passphrase, problem);
}

static enum setpay_error start_renewal(struct setpay_upkeep *upkeep, struct duty *duty,
                                       const struct setpay_keyring *ring,
                                       const struct setpay_party_files *files,
                                       struct setpay_problem *problem)
{
    const struct setpay_party_certificate *certificate = duty->certificate;
    const struct setpay_held *held = setpay_keyring_in_use(ring, certificate->profile, duty->brand);
    const struct setpay_held *by =
        certificate->renewed_by == SETPAY_PROFILE_NONE
            ? held
            : setpay_keyring_in_use(ring, certificate->renewed_by, duty->brand);
    const char *brand = setpay_certificate_brand(held->identity.certificate);
    const struct setpay_est_place *place = place_of(upkeep, brand);
    const struct setpay_tls_identity renewer = setpay_identity_tls(&by->identity, NULL);
    struct setpay_secret passphrase = {0};
    bool given = false;
    if (place == NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG, "no ca_url is known for the brand %s",
                                  brand);
    SETPAY_TRY(read_passphrase(upkeep, &passphrase, &given, problem));
    const struct setpay_issue_wish wish = {
        .loop = upkeep->loop,
        .trust = upkeep->options.service->trust,
        .place = *place,
        .label = upkeep->options.party->label,
        .certificate = certificate,
        .id = setpay_certificate_id(held->identity.certificate),
        .brand = brand,
        .files = *files,
        .passphrase = given ? &passphrase : NULL,
        .renewer = &renewer,
        .done_cb = on_issued,
        .arg = upkeep,
    };
    enum setpay_error error = setpay_issue_start(&wish, &upkeep->issue, problem);
    setpay_secret_clear(&passphrase);
    return error;
}

/* What stands in the file is not what is in use: somebody has renewed it. */
static bool is_replaced(const struct setpay_party_files *files, const struct setpay_held *held)
{
    struct setpay_certificate *found = NULL;
    struct setpay_problem ignored;
    if (setpay_identity_read_certificate(files->certificate, &found, &ignored) != SETPAY_OK)
        return false;
    bool other =
        !setpay_digest_equal(setpay_certificate_thumbprint(found), setpay_held_thumbprint(held));
    setpay_certificate_unref(found);
    return other;
}

static void renew(struct setpay_upkeep *upkeep, struct duty *duty,
                  const struct setpay_keyring *ring)
{
    const struct setpay_config *config = upkeep->options.service->config;
    const struct setpay_held *held =
        setpay_keyring_in_use(ring, duty->certificate->profile, duty->brand);
    struct setpay_problem problem = {{0}};
    struct setpay_party_files files;
    enum setpay_error error = setpay_party_files_init(
        &files, setpay_config_text(config, duty->section, duty->certificate->key_name),
        setpay_config_text(config, duty->section, duty->certificate->certificate_name),
        duty->certificate->keep, &problem);
    if (error == SETPAY_OK && is_replaced(&files, held)) {
        wait_on(upkeep, duty); /* where it can't be taken, not at each look */
        reload_or_log(upkeep);
        return;
    }
    if (error == SETPAY_OK)
        error = start_renewal(upkeep, duty, ring, &files, &problem);
    if (error == SETPAY_OK)
        upkeep->under_way = duty;
    else
        report_failure(upkeep, duty, error,
                       problem.text[0] != '\0' ? problem.text : setpay_error_text(error));
}

static void renew_due(struct setpay_upkeep *upkeep, const struct setpay_keyring *ring)
{
    setpay_time_ms now_ms = setpay_clock_now_ms();
    for (size_t i = 0; i < upkeep->duty_count; i++) {
        struct duty *duty = &upkeep->duties[i];
        const struct setpay_held *held =
            setpay_keyring_in_use(ring, duty->certificate->profile, duty->brand);
        if (!setpay_identity_is_due(held->identity.certificate, upkeep->renew_before_ms, now_ms))
            continue;
        if (setpay_clock_monotonic_ms() < duty->not_before_ms)
            continue;
        renew(upkeep, duty, ring);
        if (upkeep->issue != NULL)
            return;
    }
}

/* ------------------------------------------------------------------ a look */

static void sweep(struct setpay_upkeep *upkeep)
{
    const struct setpay_keyring_wish wish = wish_of(upkeep);
    size_t destroyed = 0;
    setpay_keyring_sweep(&wish, &destroyed);
    if (destroyed > 0)
        reload_or_log(upkeep); /* without them, so that they leave the memory too */
}

static void on_look(void *arg)
{
    struct setpay_upkeep *upkeep = arg;
    setpay_timer_start(upkeep->timer, upkeep->look_ms);
    sweep(upkeep);
    setpay_saved_trust_save(&upkeep->saved);
    struct setpay_keyring *ring = setpay_keys_take(upkeep->options.keys);
    measure(upkeep, ring);
    if (upkeep->issue == NULL && upkeep->source_count > 0)
        renew_due(upkeep, ring);
    setpay_keyring_unref(ring);
}

static size_t give_sources(void *arg, struct setpay_lists_source *sources)
{
    const struct setpay_upkeep *upkeep = arg;
    memcpy(sources, upkeep->sources, upkeep->source_count * sizeof *sources);
    return upkeep->source_count;
}

static void on_fetched(void *arg)
{
    struct setpay_upkeep *upkeep = arg;
    setpay_saved_trust_save(&upkeep->saved);
}

/* ------------------------------------------------------------------ making it */

/* The authority of the index-th brand; *known false: none is named, or the brand's name is too
 * long, which is refused where its keys are loaded. */
static enum setpay_error read_source(const struct setpay_config *config, size_t index, bool *known,
                                     struct setpay_lists_source *source,
                                     struct setpay_problem *problem)
{
    const char *brand = setpay_config_instance(config, "brand *", index);
    struct setpay_problem why;
    char section[SETPAY_BRAND_MAX + 8];
    *known = false;
    if (snprintf(section, sizeof section, "brand %s", brand) >= (int)sizeof section)
        return SETPAY_OK;
    const char *url = setpay_config_text(config, section, "ca_url");
    if (url == NULL)
        url = setpay_config_text(config, "", "ca_url");
    if (url == NULL)
        return SETPAY_OK;
    if (setpay_est_place_parse(url, &source->place, &why) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_CONFIG, "ca_url: %s", why.text);
    memcpy(source->brand, brand, strlen(brand) + 1);
    *known = true;
    return SETPAY_OK;
}

enum setpay_error setpay_upkeep_check(const struct setpay_config *config,
                                      struct setpay_problem *problem)
{
    struct setpay_lists_source ignored;
    bool known;
    size_t count = setpay_config_instance_count(config, "brand *");
    for (size_t i = 0; i < count; i++)
        SETPAY_TRY(read_source(config, i, &known, &ignored, problem));
    return SETPAY_OK;
}

static enum setpay_error read_sources(struct setpay_upkeep *upkeep, struct setpay_problem *problem)
{
    const struct setpay_config *config = upkeep->options.service->config;
    size_t count = setpay_config_instance_count(config, "brand *");
    for (size_t i = 0; i < count && i < BRANDS_MAX; i++) {
        bool known;
        SETPAY_TRY(read_source(config, i, &known, &upkeep->sources[upkeep->source_count], problem));
        upkeep->source_count += known;
    }
    return SETPAY_OK;
}

static void list_duties(struct setpay_upkeep *upkeep)
{
    const struct setpay_config *config = upkeep->options.service->config;
    size_t count = setpay_config_instance_count(config, "brand *");
    for (size_t i = 0; i <= count && i <= BRANDS_MAX; i++) {
        const char *brand = i < count ? setpay_config_instance(config, "brand *", i) : NULL;
        const struct setpay_party_certificate *at = upkeep->options.party->certificates;
        for (; at->profile != SETPAY_PROFILE_NONE; at++) {
            struct duty *duty = &upkeep->duties[upkeep->duty_count];
            if (at->top != (brand == NULL))
                continue;
            *duty = (struct duty){.certificate = at, .brand = brand, .wait_ms = upkeep->wait_ms};
            if (brand != NULL)
                snprintf(duty->section, sizeof duty->section, "brand %s", brand);
            upkeep->duty_count++;
        }
    }
}

static enum setpay_error prepare(struct setpay_upkeep *upkeep, struct setpay_problem *problem)
{
    const struct setpay_service *service = upkeep->options.service;
    size_t brands = setpay_config_instance_count(service->config, "brand *");
    if (brands == 0 || brands > BRANDS_MAX)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "found %zu [brand NAME] sections, expected 1 to %d", brands,
                                  BRANDS_MAX);
    upkeep->look_ms = service->testing ? LOOK_TESTING_MS : LOOK_MS;
    upkeep->wait_ms = service->testing ? WAIT_TESTING_MS : WAIT_MS;
    upkeep->renew_before_ms = setpay_config_int(service->config, "", "renew_before");
    SETPAY_TRY(read_sources(upkeep, problem));
    SETPAY_TRY(setpay_upkeep_reload(upkeep, problem));
    list_duties(upkeep);
    SETPAY_TRY(name_figures(upkeep));
    struct setpay_keyring *ring = setpay_keys_take(upkeep->options.keys);
    measure(upkeep, ring);
    setpay_keyring_unref(ring);
    SETPAY_TRY(setpay_loop_new(MAILBOX_JOBS, &upkeep->loop));
    upkeep->executor = setpay_loop_executor(upkeep->loop);
    upkeep->saved = (struct setpay_saved_trust){
        .store = service->store, .trust = service->trust, .executor = &upkeep->executor};
    return SETPAY_OK;
}

enum setpay_error setpay_upkeep_new(const struct setpay_upkeep_options *options,
                                    struct setpay_upkeep **upkeep, struct setpay_problem *problem)
{
    struct setpay_upkeep *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->options = *options;
    if (pthread_mutex_init(&made->reload, NULL) != 0) {
        free(made);
        return SETPAY_E_NOMEM;
    }
    enum setpay_error error = prepare(made, problem);
    if (error != SETPAY_OK) {
        setpay_upkeep_free(made);
        return error;
    }
    *upkeep = made;
    return SETPAY_OK;
}

static void *run(void *arg)
{
    struct setpay_upkeep *upkeep = arg;
    (void)pthread_setname_np(pthread_self(), "upkeep");
    enum setpay_error error = setpay_loop_run(upkeep->loop);
    if (error != SETPAY_OK)
        setpay_log_error(error, "upkeep.loop", setpay_field_text("area", "upkeep"));
    return NULL;
}

enum setpay_error setpay_upkeep_start(struct setpay_upkeep *upkeep)
{
    SETPAY_TRY(setpay_timer_new(upkeep->loop, on_look, upkeep, &upkeep->timer));
    setpay_timer_start(upkeep->timer, 0);
    const struct setpay_lists_options lists = {
        .loop = upkeep->loop,
        .trust = upkeep->options.service->trust,
        .early = true,
        .look_ms = upkeep->look_ms,
        .wait_max_ms = WAIT_MAX_FACTOR * upkeep->wait_ms,
        .sources_cb = give_sources,
        .fetched_cb = on_fetched,
        .arg = upkeep,
    };
    if (upkeep->source_count > 0)
        SETPAY_TRY(setpay_lists_new(&lists, &upkeep->lists));
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    upkeep->runs = pthread_create(&upkeep->thread, NULL, run, upkeep) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return upkeep->runs ? SETPAY_OK : SETPAY_E_NOMEM;
}

static void cut_off(struct setpay_upkeep *upkeep)
{
    setpay_issue_cancel(upkeep->issue);
    setpay_lists_free(upkeep->lists);
    setpay_timer_free(upkeep->timer);
    upkeep->issue = NULL;
    upkeep->lists = NULL;
    upkeep->timer = NULL;
}

static void on_stop(void *arg)
{
    struct setpay_upkeep *upkeep = arg;
    cut_off(upkeep);
    setpay_loop_stop(upkeep->loop);
}

void setpay_upkeep_free(struct setpay_upkeep *upkeep)
{
    if (upkeep == NULL)
        return;
    if (upkeep->runs) {
        if (setpay_loop_post(upkeep->loop, on_stop, upkeep) != SETPAY_OK)
            setpay_loop_stop(upkeep->loop);
        pthread_join(upkeep->thread, NULL);
    }
    cut_off(upkeep);
    setpay_loop_free(upkeep->loop);
    (void)pthread_mutex_destroy(&upkeep->reload);
    free(upkeep);
}
