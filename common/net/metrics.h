/*
 * Figures for Prometheus: counters, gauges and histograms, each a static struct that its module
 * defines, with at most two labels whose values stand in a table: what can be counted is bounded by
 * the program's text. There is no way to put an id, a name or an amount into a label.
 *
 *     static const char *const outcomes[] = {"approved", "declined", NULL};
 *     static struct setpay_metric payments = {
 *         .name = "setpay_gateway_authorisations_total", .help = "Authorisations by outcome.",
 *         .type = SETPAY_METRIC_COUNTER, .labels = {{"outcome", outcomes}}};
 *     setpay_metric_add(&payments, 0, 0, 1);
 *
 * Values are atomics: any thread, no lock. A metric registers itself when first touched, or by
 * setpay_metric_register, so that it shows as 0 from the start.
 */
#ifndef SETPAY_NET_METRICS_H
#define SETPAY_NET_METRICS_H

#include "common/base/bytes.h"
#include "common/base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setpay_metric_type {
    SETPAY_METRIC_COUNTER,   /* only grows; the name ends in _total */
    SETPAY_METRIC_GAUGE,     /* goes up and down */
    SETPAY_METRIC_HISTOGRAM, /* of times: observed in microseconds, shown in seconds */
};

#define SETPAY_METRIC_LABELS 2
#define SETPAY_METRIC_LABEL_VALUES_MAX 192 /* as many as there are currencies, and some */
#define SETPAY_METRIC_BOUNDS_MAX 24

struct setpay_metric_label {
    const char *name;          /* NULL: no such label */
    const char *const *values; /* ends with NULL; at most SETPAY_METRIC_LABEL_VALUES_MAX */
};

struct setpay_metric {
    const char *name;
    const char *help; /* one sentence */
    enum setpay_metric_type type;
    struct setpay_metric_label labels[SETPAY_METRIC_LABELS];
    /* Histogram: upper bounds in microseconds, ascending, ended by 0; NULL:
     * setpay_metric_default_bounds (100 us to 30 s). */
    const int64_t *bounds;
    /* Gauge without labels whose value is asked for at each scrape, on the scraping thread; others
     * leave it NULL. */
    int64_t (*read_cb)(void *arg);
    void *read_arg;
    /* Gauge with labels that is only set, never added to: a pair is shown from its first value on.
     * For tables of which few values will ever occur. */
    bool is_sparse;
    bool is_of_time; /* gauge, from 0 up: set and read in microseconds, shown in seconds */

    /* The module's own: leave zeroed. */
    _Atomic(_Atomic int64_t *) cells;
    struct setpay_metric *next;
};

extern const int64_t setpay_metric_default_bounds[];

/* Any thread, any number of times. SETPAY_E_NOMEM; SETPAY_E_INVALID for a name, label or table that
 * Prometheus or the maxima above do not permit, or a name that another metric has. */
enum setpay_error setpay_metric_register(struct setpay_metric *metric) SETPAY_MUST_CHECK;

/* Counter and gauge: adds. i and j are indices into the tables of the first and the second label; 0
 * where there is none. An index outside the table counts for nothing. */
void setpay_metric_add(struct setpay_metric *metric, size_t i, size_t j, int64_t amount);
/* Gauge: sets. */
void setpay_metric_set(struct setpay_metric *metric, size_t i, size_t j, int64_t value);
/* Histogram: one more value, in microseconds. */
void setpay_metric_observe(struct setpay_metric *metric, size_t i, size_t j, int64_t value_us);
/* The value of a counter or gauge, the count of a histogram. */
int64_t setpay_metric_value(struct setpay_metric *metric, size_t i, size_t j);

/* Appends all registered metrics, sorted by name, in Prometheus's text format 0.0.4, and the
 * process's own (CPU seconds, resident memory, open descriptors). */
enum setpay_error setpay_metrics_write(struct setpay_buffer *out) SETPAY_MUST_CHECK;
#define SETPAY_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define SETPAY_METRICS_BYTES_MAX (4 * 1024 * 1024)

#endif
