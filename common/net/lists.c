/*
 * Fetching lists. An authority that does not answer costs the others nothing: the next one is asked
 * at the next look, and all waits grow until one has answered.
 */
#include "common/net/lists.h"

#include "common/base/log.h"
#include "common/net/est_client.h"
#include "common/net/metrics.h"

#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

/* An authority makes the next list when half of the life of this one is over; a little later it can
 * be had. */
#define EARLY_PART(life) ((life) / 8 * 5)

static const char *const results[] = {"fetched", "failed", NULL};
static struct setpay_metric fetches_total = {
    .name = "setpay_lists_fetches_total",
    .help = "Times that an authority was asked for its revocation lists, by how it ended.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"result", results}},
};

struct setpay_lists {
    struct setpay_lists_options options;
    struct setpay_timer *timer;
    struct setpay_est_task *task;
    struct setpay_lists_source sources[SETPAY_LISTS_SOURCES_MAX];
    size_t count;
    size_t turn; /* who is asked next */
    int64_t wait_ms, not_before_ms;
};

/* ------------------------------------------------------------------ what is held */

static const enum setpay_ca_kind needed[] = {SETPAY_CA_ROOT, SETPAY_CA_BRAND, SETPAY_CA_CARDHOLDER,
                                             SETPAY_CA_MERCHANT, SETPAY_CA_GATEWAY};
#define NEEDED_COUNT (sizeof needed / sizeof *needed)

/* The lists that are held of a brand and of the root. Of a kind there may be several CAs, one that
 * came after the other. */
struct lists_held {
    const char *brand;
    setpay_time_ms now_ms;
    struct setpay_crl_info *infos;
    size_t count;
};

static bool is_of(const struct lists_held *held, const struct setpay_crl_info *info,
                  enum setpay_ca_kind kind)
{
    return info->ca_kind == kind &&
           strcmp(info->brand, kind == SETPAY_CA_ROOT ? "" : held->brand) == 0;
}

/* The one of a kind by which certificates are judged longest: of a CA that is good before that of
 * one that is not. NULL: there is none. */
static const struct setpay_crl_info *find(const struct lists_held *held, enum setpay_ca_kind kind)
{
    const struct setpay_crl_info *found = NULL;
    for (size_t i = 0; i < held->count; i++) {
        const struct setpay_crl_info *info = &held->infos[i];
        if (!is_of(held, info, kind))
            continue;
        bool good = setpay_crl_is_needed(info, held->now_ms);
        bool found_good = found != NULL && setpay_crl_is_needed(found, held->now_ms);
        if (found == NULL || (good && !found_good) ||
            (good == found_good && info->next_update_ms > found->next_update_ms))
            found = info;
    }
    return found;
}

static enum setpay_error collect(struct setpay_trust *trust, const char *brand,
                                 setpay_time_ms now_ms, struct lists_held *held)
{
    *held = (struct lists_held){.brand = brand, .now_ms = now_ms};
    held->infos = calloc(SETPAY_LIMIT_TRUST_CAS, sizeof *held->infos);
    if (held->infos == NULL)
        return SETPAY_E_NOMEM;
    held->count = setpay_trust_crls(trust, held->infos, SETPAY_LIMIT_TRUST_CAS);
    if (held->count > SETPAY_LIMIT_TRUST_CAS)
        held->count = SETPAY_LIMIT_TRUST_CAS;
    return SETPAY_OK;
}

static enum setpay_error check_one(const struct setpay_crl_info *list, enum setpay_ca_kind kind,
                                   const char *brand, setpay_time_ms now_ms,
                                   struct setpay_problem *why)
{
    char name[SETPAY_AUTHORITY_NAME_SIZE], text[SETPAY_TIME_TEXT_SIZE];
    setpay_ca_name(kind == SETPAY_CA_ROOT ? "" : brand, kind, list == NULL ? 1 : list->ca_number,
                   name);
    if (list == NULL)
        return setpay_problem_set(why, SETPAY_E_CRL_MISSING, "the revocation list of %s is missing",
                                  name);
    if (list->next_update_ms <= now_ms)
        return setpay_problem_set(why, SETPAY_E_CRL_STALE,
                                  "the revocation list of %s was due at %s", name,
                                  setpay_time_format(list->next_update_ms, text));
    return SETPAY_OK;
}

enum setpay_error setpay_lists_check(struct setpay_trust *trust, const char *brand,
                                     setpay_time_ms now_ms, struct setpay_problem *why)
{
    struct lists_held held;
    enum setpay_error error = collect(trust, brand, now_ms, &held);
    for (size_t i = 0; i < NEEDED_COUNT && error == SETPAY_OK; i++)
        error = check_one(find(&held, needed[i]), needed[i], brand, now_ms, why);
    free(held.infos);
    return error;
}

/* A list's successor should be had by now. */
static bool is_late(const struct setpay_crl_info *list, bool early, setpay_time_ms now_ms)
{
    setpay_time_ms life_ms = list->next_update_ms - list->this_update_ms;
    return now_ms >= (early ? list->this_update_ms + EARLY_PART(life_ms) : list->next_update_ms);
}

static bool is_wanted(struct setpay_trust *trust, const char *brand, bool early)
{
    struct lists_held held;
    bool of_brand = false, late = false;
    if (collect(trust, brand, setpay_clock_now_ms(), &held) != SETPAY_OK)
        return false;
    for (size_t i = 0; i < NEEDED_COUNT; i++) {
        const struct setpay_crl_info *list = find(&held, needed[i]);
        of_brand = of_brand || (list != NULL && needed[i] != SETPAY_CA_ROOT);
        late = late || (list == NULL ? early : is_late(list, early, held.now_ms));
    }
    /* Those of CAs that another has come after, too: what they have issued is good. */
    for (size_t i = 0; i < held.count && !late; i++) {
        const struct setpay_crl_info *info = &held.infos[i];
        late = (info->brand[0] == '\0' || strcmp(info->brand, brand) == 0) &&
               setpay_crl_is_needed(info, held.now_ms) && is_late(info, early, held.now_ms);
    }
    free(held.infos);
    return !of_brand || late || (early && setpay_trust_lacks_crl(trust, brand, held.now_ms));
}

setpay_time_ms setpay_lists_end_ms(struct setpay_trust *trust, const char *brand)
{
    struct lists_held held;
    setpay_time_ms end_ms = INT64_MAX;
    if (collect(trust, brand, setpay_clock_now_ms(), &held) != SETPAY_OK)
        return 0;
    for (size_t i = 0; i < NEEDED_COUNT; i++) {
        const struct setpay_crl_info *list = find(&held, needed[i]);
        setpay_time_ms next_ms = list == NULL ? 0 : list->next_update_ms;
        end_ms = next_ms < end_ms ? next_ms : end_ms;
    }
    for (size_t i = 0; i < held.count; i++) {
        const struct setpay_crl_info *info = &held.infos[i];
        if (strcmp(info->brand, brand) == 0 && setpay_crl_is_needed(info, held.now_ms) &&
            info->next_update_ms < end_ms)
            end_ms = info->next_update_ms;
    }
    free(held.infos);
    return end_ms;
}

/* ------------------------------------------------------------------ fetching */

/* Between half of the wait and the whole of it, so that those who lost an authority together do not
 * come back together. */
static void wait_on(struct setpay_lists *lists)
{
    uint32_t random = 0;
    int64_t half_ms = lists->wait_ms / 2;
    evutil_secure_rng_get_bytes(&random, sizeof random);
    lists->not_before_ms = setpay_clock_monotonic_ms() + half_ms + random % (half_ms + 1);
    lists->wait_ms *= 2;
    if (lists->wait_ms > lists->options.wait_max_ms)
        lists->wait_ms = lists->options.wait_max_ms;
}

static void on_lists(void *arg, const struct setpay_est_result *result)
{
    struct setpay_lists *lists = arg;
    const struct setpay_lists_source *source = &lists->sources[lists->turn];
    lists->task = NULL; /* it goes by itself */
    setpay_metric_add(&fetches_total, result->error == SETPAY_OK ? 0 : 1, 0, 1);
    if (result->error == SETPAY_OK) {
        lists->wait_ms = lists->options.look_ms;
        setpay_log(SETPAY_LOG_INFO, "lists.fetched",
                   setpay_field_text("authority", source->place.host),
                   setpay_field_text("brand", source->brand));
        if (lists->options.fetched_cb != NULL)
            lists->options.fetched_cb(lists->options.arg);
    } else {
        setpay_log_error(
            result->error, "lists.not_fetched", setpay_field_text("authority", source->place.host),
            setpay_field_text("brand", source->brand), setpay_field_text("text", result->words));
    }
    /* Also after success: what is stale still is not made current by asking faster, and must not
     * keep other authorities from their turn. */
    lists->turn++;
    wait_on(lists);
}

static void fetch(struct setpay_lists *lists)
{
    struct setpay_problem problem = {{0}};
    const struct setpay_est_wish wish = {
        .loop = lists->options.loop,
        .trust = lists->options.trust,
        .place = lists->sources[lists->turn].place,
        .done_cb = on_lists,
        .arg = lists,
        .connect_timeout_ms = lists->options.connect_timeout_ms,
        .deadline_ms = lists->options.deadline_ms,
    };
    enum setpay_error error = setpay_est_start(&wish, &lists->task, &problem);
    if (error != SETPAY_OK) {
        setpay_log_error(error, "lists.not_fetched",
                         setpay_field_text("authority", wish.place.host),
                         setpay_field_text("text", problem.text));
        wait_on(lists);
    }
}

static void on_look(void *arg)
{
    struct setpay_lists *lists = arg;
    setpay_timer_start(lists->timer, lists->options.look_ms);
    if (lists->task != NULL || setpay_clock_monotonic_ms() < lists->not_before_ms)
        return;
    lists->count = lists->options.sources_cb(lists->options.arg, lists->sources);
    if (lists->turn >= lists->count)
        lists->turn = 0;
    for (size_t i = 0; i < lists->count; i++) {
        if (is_wanted(lists->options.trust, lists->sources[lists->turn].brand,
                      lists->options.early)) {
            fetch(lists);
            return;
        }
        lists->turn = (lists->turn + 1) % lists->count;
    }
    lists->wait_ms = lists->options.look_ms; /* all is current */
}

enum setpay_error setpay_lists_new(const struct setpay_lists_options *options,
                                   struct setpay_lists **lists)
{
    struct setpay_lists *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->options = *options;
    made->wait_ms = options->look_ms;
    enum setpay_error error = setpay_metric_register(&fetches_total);
    if (error == SETPAY_OK)
        error = setpay_timer_new(options->loop, on_look, made, &made->timer);
    if (error != SETPAY_OK) {
        free(made);
        return error;
    }
    setpay_timer_start(made->timer, 0);
    *lists = made;
    return SETPAY_OK;
}

void setpay_lists_free(struct setpay_lists *lists)
{
    if (lists == NULL)
        return;
    setpay_est_cancel(lists->task);
    setpay_timer_free(lists->timer);
    free(lists);
}
