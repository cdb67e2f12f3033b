/*
 * How the authority's own revocation lists stand: figures, and a condition of /readyz. Measured on
 * the registrar's thread at each look; whether one has ended since is judged when it is asked.
 */
#include "ca/cad.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/metrics.h"

#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {"root", "brand", "cca", "mca", "pca", NULL};
static struct setpay_metric seconds_left = {
    .name = "setpay_ca_lists_seconds_left",
    .help = "Time until the first revocation list of the authorities of a kind ends; below 0: it "
            "has ended.",
    .type = SETPAY_METRIC_GAUGE,
    .labels = {{"kind", kinds}},
    .is_sparse = true,
};
static struct setpay_metric bytes = {
    .name = "setpay_ca_lists_bytes",
    .help = "Size of the largest revocation list of the authorities of a kind.",
    .type = SETPAY_METRIC_GAUGE,
    .labels = {{"kind", kinds}},
    .is_sparse = true,
};

static size_t index_of(const char *kind)
{
    size_t at = 0;

    while (at < SETPAY_CAD_LIST_KINDS - 1 && strcmp(kinds[at], kind) != 0)
        at++;
    return at;
}

/* Of each kind the list that ends first, and the size of the largest. */
struct standing {
    struct setpay_cad_list first[SETPAY_CAD_LIST_KINDS];
    size_t bytes[SETPAY_CAD_LIST_KINDS];
};

static void take_list(void *arg, const struct setpay_ca_list_state *list)
{
    struct standing *standing = arg;
    size_t at = index_of(list->kind);
    struct setpay_cad_list *first = &standing->first[at];

    if (!list->is_needed)
        return;
    if (first->authority[0] == '\0' || list->next_update < first->end_ms) {
        (void)snprintf(first->authority, sizeof first->authority, "%s", list->authority);
        first->end_ms = list->next_update;
    }
    if (list->size > standing->bytes[at])
        standing->bytes[at] = list->size;
}

void setpay_cad_lists_look(struct setpay_cad *cad)
{
    struct standing standing;
    setpay_time_ms now_ms = setpay_clock_now_ms();

    memset(&standing, 0, sizeof standing);
    enum setpay_error error = setpay_ca_list_states(cad->ca, now_ms, take_list, &standing);
    if (error != SETPAY_OK) {
        setpay_log_error(error, "trust.crl", setpay_field_text("authority", "all"));
        return;
    }
    (void)pthread_mutex_lock(&cad->lock);
    memcpy(cad->lists, standing.first, sizeof cad->lists);
    (void)pthread_mutex_unlock(&cad->lock);
    for (size_t at = 0; at < SETPAY_CAD_LIST_KINDS; at++) {
        if (standing.first[at].authority[0] == '\0')
            continue;
        setpay_metric_set(&seconds_left, at, 0, (standing.first[at].end_ms - now_ms) / 1000);
        setpay_metric_set(&bytes, at, 0, (int64_t)standing.bytes[at]);
    }
}

enum setpay_error setpay_cad_lists_check(void *arg, struct setpay_problem *why)
{
    struct setpay_cad *cad = arg;
    struct setpay_cad_list lists[SETPAY_CAD_LIST_KINDS];
    char text[SETPAY_TIME_TEXT_SIZE];

    (void)pthread_mutex_lock(&cad->lock);
    memcpy(lists, cad->lists, sizeof lists);
    (void)pthread_mutex_unlock(&cad->lock);
    for (size_t at = 0; at < SETPAY_CAD_LIST_KINDS; at++) {
        if (lists[at].authority[0] != '\0' && lists[at].end_ms <= setpay_clock_now_ms())
            return setpay_problem_set(why, SETPAY_E_CRL_STALE,
                                      "the revocation list of %s was due at %s; crl.failed in the "
                                      "log says why there is no new one",
                                      lists[at].authority,
                                      setpay_time_format(lists[at].end_ms, text));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_cad_lists_measure(void)
{
    SETPAY_TRY(setpay_metric_register(&seconds_left));
    return setpay_metric_register(&bytes);
}
