/*
 * Metrics: a linked list of static structs, and an array of atomics for each.
 *
 * Registration happens under a mutex and once; after it cells never changes, so that counting is
 * one relaxed atomic addition. A histogram has, for each pair of label values, one cell per bound,
 * one for what is above them all, and one for the sum; the cumulative counts that Prometheus wants
 * are made when they are written.
 */
#include "common/net/metrics.h"

#include "common/base/clock.h"
#include "common/base/secret.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

const int64_t setpay_metric_default_bounds[] = {
    100,    250,    500,    1000,    2500,    5000,    10000,    25000,    50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 0};

/* In a cell of a sparse gauge. */
#define NEVER_SET INT64_MIN

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct setpay_metric *registry; /* sorted by name */

static const int64_t *bounds_of(const struct setpay_metric *metric)
{
    return metric->bounds == NULL ? setpay_metric_default_bounds : metric->bounds;
}

static size_t bound_count(const struct setpay_metric *metric)
{
    const int64_t *bounds = bounds_of(metric);
    size_t count = 0;

    while (count <= SETPAY_METRIC_BOUNDS_MAX && bounds[count] != 0)
        count++;
    return count;
}

static size_t value_count(const struct setpay_metric_label *label)
{
    size_t count = 0;

    if (label->name == NULL)
        return 1;
    while (count <= SETPAY_METRIC_LABEL_VALUES_MAX && label->values[count] != NULL)
        count++;
    return count;
}

/* Cells of one pair of label values. */
static size_t stride(const struct setpay_metric *metric)
{
    return metric->type == SETPAY_METRIC_HISTOGRAM ? bound_count(metric) + 2 : 1;
}

static bool is_name(const char *text, bool colon)
{
    size_t i;

    for (i = 0; text[i] != '\0'; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!letter && !(colon && c == ':') && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return i > 0;
}

static bool is_permitted(const struct setpay_metric *metric)
{
    if (!is_name(metric->name, true) || metric->help == NULL)
        return false;
    for (size_t i = 0; i < SETPAY_METRIC_LABELS; i++) {
        const struct setpay_metric_label *label = &metric->labels[i];
        size_t count = value_count(label);

        if (count == 0 || count > SETPAY_METRIC_LABEL_VALUES_MAX)
            return false;
        if (label->name != NULL && (!is_name(label->name, false) || strcmp(label->name, "le") == 0))
            return false;
    }
    if (metric->is_sparse && metric->type != SETPAY_METRIC_GAUGE)
        return false;
    if (metric->read_cb != NULL &&
        (metric->type == SETPAY_METRIC_HISTOGRAM || metric->labels[0].name != NULL))
        return false;
    if (metric->type == SETPAY_METRIC_HISTOGRAM) {
        const int64_t *bounds = bounds_of(metric);
        size_t count = bound_count(metric);

        if (count == 0 || count > SETPAY_METRIC_BOUNDS_MAX)
            return false;
        for (size_t i = 0; i < count; i++) {
            if (bounds[i] <= (i == 0 ? 0 : bounds[i - 1]))
                return false;
        }
    }
    return true;
}

enum setpay_error setpay_metric_register(struct setpay_metric *metric)
{
    enum setpay_error error = SETPAY_OK;
    struct setpay_metric **at = &registry;
    size_t count;
    _Atomic int64_t *cells = NULL;

    if (atomic_load_explicit(&metric->cells, memory_order_acquire) != NULL)
        return SETPAY_OK;
    if (!is_permitted(metric))
        return SETPAY_E_INVALID;
    pthread_mutex_lock(&registry_lock);
    if (atomic_load_explicit(&metric->cells, memory_order_acquire) != NULL)
        goto out;
    while (*at != NULL && strcmp((*at)->name, metric->name) < 0)
        at = &(*at)->next;
    if (*at != NULL && strcmp((*at)->name, metric->name) == 0) {
        error = SETPAY_E_INVALID;
        goto out;
    }
    count = value_count(&metric->labels[0]) * value_count(&metric->labels[1]) * stride(metric);
    cells = malloc(count * sizeof(*cells));
    if (cells == NULL) {
        error = SETPAY_E_NOMEM;
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        atomic_init(&cells[i], metric->is_sparse ? NEVER_SET : 0);
    metric->next = *at;
    *at = metric;
    atomic_store_explicit(&metric->cells, cells, memory_order_release);
out:
    pthread_mutex_unlock(&registry_lock);
    return error;
}

/* The first cell of a pair of label values; NULL where it can't be counted. */
static _Atomic int64_t *cell(struct setpay_metric *metric, size_t i, size_t j)
{
    _Atomic int64_t *cells = atomic_load_explicit(&metric->cells, memory_order_acquire);

    if (cells == NULL) {
        if (setpay_metric_register(metric) != SETPAY_OK)
            return NULL;
        cells = atomic_load_explicit(&metric->cells, memory_order_acquire);
    }
    if (i >= value_count(&metric->labels[0]) || j >= value_count(&metric->labels[1]))
        return NULL;
    return cells + (i * value_count(&metric->labels[1]) + j) * stride(metric);
}

void setpay_metric_add(struct setpay_metric *metric, size_t i, size_t j, int64_t amount)
{
    _Atomic int64_t *at = cell(metric, i, j);

    if (at != NULL && metric->type != SETPAY_METRIC_HISTOGRAM && !metric->is_sparse &&
        (amount >= 0 || metric->type == SETPAY_METRIC_GAUGE))
        atomic_fetch_add_explicit(at, amount, memory_order_relaxed);
}

void setpay_metric_set(struct setpay_metric *metric, size_t i, size_t j, int64_t value)
{
    _Atomic int64_t *at = cell(metric, i, j);

    if (at != NULL && metric->type == SETPAY_METRIC_GAUGE)
        atomic_store_explicit(at, value, memory_order_relaxed);
}

void setpay_metric_observe(struct setpay_metric *metric, size_t i, size_t j, int64_t value_us)
{
    _Atomic int64_t *at = cell(metric, i, j);
    const int64_t *bounds = bounds_of(metric);
    size_t bucket = 0;

    if (at == NULL || metric->type != SETPAY_METRIC_HISTOGRAM)
        return;
    if (value_us < 0)
        value_us = 0;
    while (bounds[bucket] != 0 && value_us > bounds[bucket])
        bucket++;
    atomic_fetch_add_explicit(at + bucket, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(at + bound_count(metric) + 1, value_us, memory_order_relaxed);
}

int64_t setpay_metric_value(struct setpay_metric *metric, size_t i, size_t j)
{
    _Atomic int64_t *at = cell(metric, i, j);
    int64_t value = 0;

    if (at == NULL)
        return 0;
    if (metric->type != SETPAY_METRIC_HISTOGRAM) {
        value = atomic_load_explicit(at, memory_order_relaxed);
        return metric->is_sparse && value == NEVER_SET ? 0 : value;
    }
    for (size_t bucket = 0; bucket <= bound_count(metric); bucket++)
        value += atomic_load_explicit(at + bucket, memory_order_relaxed);
    return value;
}

/* ------------------------------------------------------------------ text format 0.0.4 */

/* Backslash and newline, and in label values the quote. */
static enum setpay_error write_escaped(struct setpay_buffer *out, const char *text, bool quote)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            SETPAY_TRY(setpay_buffer_append(out, setpay_view_string("\\n")));
        else if (*text == '\\' || (quote && *text == '"'))
            SETPAY_TRY(setpay_buffer_append_format(out, "\\%c", *text));
        else
            SETPAY_TRY(setpay_buffer_append(out, setpay_view_of(text, 1)));
    }
    return SETPAY_OK;
}

/* {outcome="approved",le="0.1"}, or nothing. le may be NULL. */
static enum setpay_error write_labels(struct setpay_buffer *out, const struct setpay_metric *metric,
                                      size_t i, size_t j, const char *le)
{
    const size_t index[SETPAY_METRIC_LABELS] = {i, j};
    const char *separator = "{";

    for (size_t k = 0; k < SETPAY_METRIC_LABELS; k++) {
        const struct setpay_metric_label *label = &metric->labels[k];

        if (label->name == NULL)
            continue;
        SETPAY_TRY(setpay_buffer_append_format(out, "%s%s=\"", separator, label->name));
        SETPAY_TRY(write_escaped(out, label->values[index[k]], true));
        SETPAY_TRY(setpay_buffer_append(out, setpay_view_string("\"")));
        separator = ",";
    }
    if (le != NULL) {
        SETPAY_TRY(setpay_buffer_append_format(out, "%sle=\"%s\"", separator, le));
        separator = ",";
    }
    return setpay_buffer_append(out, setpay_view_string(separator[0] == ',' ? "}" : ""));
}

/* Microseconds as seconds, without the zeros at the end: 0.25, 1, 0.0001. */
static const char *seconds_text(int64_t us, char *out, size_t size)
{
    size_t used;

    snprintf(out, size, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
    used = strlen(out);
    while (out[used - 1] == '0')
        used--;
    if (out[used - 1] == '.')
        used--;
    out[used] = '\0';
    return out;
}

static enum setpay_error write_histogram(struct setpay_buffer *out,
                                         const struct setpay_metric *metric, size_t i, size_t j,
                                         const _Atomic int64_t *at)
{
    const int64_t *bounds = bounds_of(metric);
    size_t count = bound_count(metric);
    int64_t cumulative = 0;
    char text[40];

    for (size_t bucket = 0; bucket <= count; bucket++) {
        cumulative += atomic_load_explicit(at + bucket, memory_order_relaxed);
        SETPAY_TRY(setpay_buffer_append_format(out, "%s_bucket", metric->name));
        SETPAY_TRY(write_labels(
            out, metric, i, j,
            bucket == count ? "+Inf" : seconds_text(bounds[bucket], text, sizeof(text))));
        SETPAY_TRY(setpay_buffer_append_format(out, " %" PRId64 "\n", cumulative));
    }
    SETPAY_TRY(setpay_buffer_append_format(out, "%s_sum", metric->name));
    SETPAY_TRY(write_labels(out, metric, i, j, NULL));
    SETPAY_TRY(setpay_buffer_append_format(
        out, " %s\n",
        seconds_text(atomic_load_explicit(at + count + 1, memory_order_relaxed), text,
                     sizeof(text))));
    SETPAY_TRY(setpay_buffer_append_format(out, "%s_count", metric->name));
    SETPAY_TRY(write_labels(out, metric, i, j, NULL));
    return setpay_buffer_append_format(out, " %" PRId64 "\n", cumulative);
}

static enum setpay_error write_value(struct setpay_buffer *out, const struct setpay_metric *metric,
                                     int64_t value)
{
    char seconds[32];
    if (metric->is_of_time)
        return setpay_buffer_append_format(out, " %s\n",
                                           seconds_text(value, seconds, sizeof seconds));
    return setpay_buffer_append_format(out, " %" PRId64 "\n", value);
}

static enum setpay_error write_metric(struct setpay_buffer *out, const struct setpay_metric *metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const _Atomic int64_t *at = atomic_load_explicit(&metric->cells, memory_order_acquire);

    SETPAY_TRY(setpay_buffer_append_format(out, "# HELP %s ", metric->name));
    SETPAY_TRY(write_escaped(out, metric->help, false));
    SETPAY_TRY(
        setpay_buffer_append_format(out, "\n# TYPE %s %s\n", metric->name, types[metric->type]));
    for (size_t i = 0; i < value_count(&metric->labels[0]); i++) {
        for (size_t j = 0; j < value_count(&metric->labels[1]); j++, at += stride(metric)) {
            if (metric->type == SETPAY_METRIC_HISTOGRAM) {
                SETPAY_TRY(write_histogram(out, metric, i, j, at));
                continue;
            }
            int64_t value = metric->read_cb != NULL
                                ? metric->read_cb(metric->read_arg)
                                : atomic_load_explicit(at, memory_order_relaxed);
            if (metric->is_sparse && value == NEVER_SET)
                continue;
            SETPAY_TRY(setpay_buffer_append(out, setpay_view_string(metric->name)));
            SETPAY_TRY(write_labels(out, metric, i, j, NULL));
            SETPAY_TRY(write_value(out, metric, value));
        }
    }
    return SETPAY_OK;
}

static enum setpay_error write_process_value(struct setpay_buffer *out, const char *name,
                                             const char *type, const char *help, const char *value)
{
    return setpay_buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", name, help, name,
                                       type, name, value);
}

/* Resident pages of /proc/self/statm; 0 where it can't be read. */
static int64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    char line[128] = "";
    const char *second;

    if (file == NULL)
        return 0;
    second = fgets(line, sizeof(line), file) == NULL ? NULL : strchr(line, ' ');
    fclose(file);
    return second == NULL ? 0 : strtoll(second, NULL, 10) * (int64_t)sysconf(_SC_PAGESIZE);
}

static int64_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t count = -3; /* ".", ".." and the folder's own */

    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* How long ago the process was started, in ms: field 22 of /proc/self/stat counts ticks since the
 * machine's start. 0 where that can't be read. */
static int64_t age_ms(void)
{
    char line[1024] = "";
    unsigned long long ticks = 0;
    struct timespec up;
    FILE *file = fopen("/proc/self/stat", "re");

    if (file == NULL)
        return 0;
    /* The name in parentheses may hold blanks. */
    const char *at = fgets(line, sizeof(line), file) == NULL ? NULL : strrchr(line, ')');
    fclose(file);
    if (at == NULL || clock_gettime(CLOCK_BOOTTIME, &up) != 0 ||
        sscanf(at + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &ticks) != 1)
        return 0;
    int64_t started_ms = (int64_t)(ticks * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
    return up.tv_sec * INT64_C(1000) + up.tv_nsec / 1000000 - started_ms;
}

/* Reckoned once, so that it changes with a new process and with nothing else: not with the clock.
 * /proc/stat, which knows when the machine was started, is not there under ProcSubset=pid. */
static int64_t start_ms;
static void reckon_start(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) == 0)
        start_ms = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000 - age_ms();
}

static enum setpay_error write_process(struct setpay_buffer *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct rusage usage;
    int64_t cpu_us;
    char text[40];

    (void)pthread_once(&once, reckon_start);
    getrusage(RUSAGE_SELF, &usage);
    cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
             usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    SETPAY_TRY(write_process_value(out, "process_cpu_seconds_total", "counter",
                                   "CPU time used, user and system.",
                                   seconds_text(cpu_us, text, sizeof(text))));
    snprintf(text, sizeof(text), "%" PRId64, resident_bytes());
    SETPAY_TRY(write_process_value(out, "process_resident_memory_bytes", "gauge",
                                   "Memory that is resident.", text));
    snprintf(text, sizeof(text), "%zu", setpay_secret_bytes_in_use());
    SETPAY_TRY(write_process_value(out, "process_secret_memory_bytes", "gauge",
                                   "Locked memory that keys and card data take now.", text));
    SETPAY_TRY(write_process_value(out, "process_start_time_seconds", "gauge",
                                   "When the process was started, in seconds since 1970.",
                                   seconds_text(start_ms * 1000, text, sizeof(text))));
    snprintf(text, sizeof(text), "%" PRId64, open_descriptors());
    return write_process_value(out, "process_open_fds", "gauge", "Open file descriptors.", text);
}

enum setpay_error setpay_metrics_write(struct setpay_buffer *out)
{
    enum setpay_error error = SETPAY_OK;

    pthread_mutex_lock(&registry_lock);
    for (const struct setpay_metric *metric = registry; metric != NULL && error == SETPAY_OK;
         metric = metric->next)
        error = write_metric(out, metric);
    pthread_mutex_unlock(&registry_lock);
    return error == SETPAY_OK ? write_process(out) : error;
}
