/*
 * Metrics: what is counted, what is refused, and the exposition format line by line.
 */
#include "common/net/metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const char *const outcomes[] = {"approved", "declined", NULL};
static const char *const odd[] = {"a\"b\\c\nd", NULL};
static const int64_t bounds[] = {1000, 250000, 2000000, 0};

static struct setpay_metric counter = {.name = "test_payments_total",
                                       .help = "Payments; back\\slash\nand line.",
                                       .type = SETPAY_METRIC_COUNTER,
                                       .labels = {{"outcome", outcomes}, {"odd", odd}}};
static struct setpay_metric gauge = {
    .name = "test_queue", .help = "Waiting.", .type = SETPAY_METRIC_GAUGE};
static struct setpay_metric histogram = {.name = "test_seconds",
                                         .help = "Times.",
                                         .type = SETPAY_METRIC_HISTOGRAM,
                                         .bounds = bounds,
                                         .labels = {{"outcome", outcomes}}};

static int64_t read_seven(void *arg)
{
    return *(const int *)arg;
}

static int seven = 7;
static struct setpay_metric timed = {.name = "test_timed_seconds",
                                     .help = "A time.",
                                     .type = SETPAY_METRIC_GAUGE,
                                     .is_of_time = true};
static struct setpay_metric asked = {.name = "test_asked",
                                     .help = "Asked for.",
                                     .type = SETPAY_METRIC_GAUGE,
                                     .read_cb = read_seven,
                                     .read_arg = &seven};

static char *exposition(void)
{
    struct setpay_buffer out;
    char *text;

    setpay_buffer_init(&out, SETPAY_METRICS_BYTES_MAX);
    assert_int_equal(setpay_metrics_write(&out), SETPAY_OK);
    text = strndup((const char *)out.data, out.size);
    assert_non_null(text);
    setpay_buffer_clear(&out);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in: %s", part, text);
}

static void values_are_counted(void **state)
{
    (void)state;
    setpay_metric_add(&counter, 0, 0, 2);
    setpay_metric_add(&counter, 1, 0, 1);
    setpay_metric_add(&counter, 0, 0, -5); /* counters only grow */
    setpay_metric_add(&counter, 2, 0, 1);  /* outside the table */
    setpay_metric_add(&counter, 0, 1, 1);
    assert_int_equal(setpay_metric_value(&counter, 0, 0), 2);
    assert_int_equal(setpay_metric_value(&counter, 1, 0), 1);
    setpay_metric_set(&gauge, 0, 0, 9);
    setpay_metric_add(&gauge, 0, 0, -4);
    assert_int_equal(setpay_metric_value(&gauge, 0, 0), 5);
    setpay_metric_observe(&histogram, 0, 0, 1000); /* a bound belongs to its bucket */
    setpay_metric_observe(&histogram, 0, 0, 1001);
    setpay_metric_observe(&histogram, 0, 0, 3000000);
    setpay_metric_observe(&histogram, 0, 0, -1);
    assert_int_equal(setpay_metric_value(&histogram, 0, 0), 4);
}

/* Of a sparse gauge only what was set is shown, also 0. */
static void what_was_never_set_is_not_shown(void **state)
{
    static struct setpay_metric sparse = {
        .name = "test_sparse",
        .help = "Few.",
        .type = SETPAY_METRIC_GAUGE,
        .labels = {{"outcome", outcomes}},
        .is_sparse = true,
    };
    char *text;

    (void)state;
    assert_int_equal(setpay_metric_register(&sparse), SETPAY_OK);
    setpay_metric_add(&sparse, 0, 0, 1); /* counts for nothing */
    assert_int_equal(setpay_metric_value(&sparse, 0, 0), 0);
    text = exposition();
    assert_has(text, "# TYPE test_sparse gauge\n");
    assert_null(strstr(text, "test_sparse{"));
    free(text);
    setpay_metric_set(&sparse, 1, 0, 0);
    text = exposition();
    assert_has(text, "# TYPE test_sparse gauge\ntest_sparse{outcome=\"declined\"} 0\n");
    assert_null(strstr(text, "test_sparse{outcome=\"approved\"}"));
    free(text);
    setpay_metric_set(&sparse, 1, 0, -5);
    assert_int_equal(setpay_metric_value(&sparse, 1, 0), -5);
}

static void the_format_is_prometheus_text(void **state)
{
    char *text;

    (void)state;
    assert_int_equal(setpay_metric_register(&asked), SETPAY_OK);
    setpay_metric_set(&timed, 0, 0, 2500000);
    text = exposition();
    assert_has(text, "# HELP test_asked Asked for.\n# TYPE test_asked gauge\ntest_asked 7\n");
    assert_has(text, "# HELP test_payments_total Payments; back\\\\slash\\nand line.\n"
                     "# TYPE test_payments_total counter\n"
                     "test_payments_total{outcome=\"approved\",odd=\"a\\\"b\\\\c\\nd\"} 2\n"
                     "test_payments_total{outcome=\"declined\",odd=\"a\\\"b\\\\c\\nd\"} 1\n");
    assert_has(text, "# TYPE test_timed_seconds gauge\ntest_timed_seconds 2.5\n");
    assert_has(text, "# HELP test_queue Waiting.\n# TYPE test_queue gauge\ntest_queue 5\n");
    assert_has(text, "# HELP test_seconds Times.\n# TYPE test_seconds histogram\n"
                     "test_seconds_bucket{outcome=\"approved\",le=\"0.001\"} 2\n"
                     "test_seconds_bucket{outcome=\"approved\",le=\"0.25\"} 3\n"
                     "test_seconds_bucket{outcome=\"approved\",le=\"2\"} 3\n"
                     "test_seconds_bucket{outcome=\"approved\",le=\"+Inf\"} 4\n"
                     "test_seconds_sum{outcome=\"approved\"} 3.002001\n"
                     "test_seconds_count{outcome=\"approved\"} 4\n"
                     "test_seconds_bucket{outcome=\"declined\",le=\"0.001\"} 0\n");
    free(text);
}

/* Every line is a comment of one of the two kinds, or NAME[{…}] VALUE with a number. */
static void every_line_is_well_formed(void **state)
{
    char *text = exposition(), *rest = text, *line;

    (void)state;
    assert_true(text[strlen(text) - 1] == '\n');
    while ((line = strsep(&rest, "\n")) != NULL && (rest != NULL || *line != '\0')) {
        char *value = strrchr(line, ' ');
        char *end;

        assert_non_null(value);
        if (strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0)
            continue;
        assert_true(line[0] != '#');
        (void)strtod(value + 1, &end);
        assert_true(end != value + 1 && *end == '\0');
        *value = '\0';
        end = line + strspn(line, "abcdefghijklmnopqrstuvwxyz_");
        assert_true(end > line);
        assert_true(*end == '\0' || (*end == '{' && value[-1] == '}'));
    }
    free(text);
}

static void what_is_not_permitted_is_refused(void **state)
{
    static const char *const none[] = {NULL};
    static const int64_t falling[] = {2, 1, 0};
    static struct setpay_metric bad[] = {
        {.name = "has-dash", .help = "x", .type = SETPAY_METRIC_COUNTER},
        {.name = "1digit", .help = "x", .type = SETPAY_METRIC_COUNTER},
        {.name = "", .help = "x", .type = SETPAY_METRIC_COUNTER},
        {.name = "test_no_help", .type = SETPAY_METRIC_COUNTER},
        {.name = "test_empty", .help = "x", .labels = {{"l", none}}},
        {.name = "test_le", .help = "x", .labels = {{"le", outcomes}}},
        {.name = "test_falling", .help = "x", .type = SETPAY_METRIC_HISTOGRAM, .bounds = falling},
        {.name = "test_sparse_total", .help = "x", .is_sparse = true},
        {.name = "test_queue", .help = "taken", .type = SETPAY_METRIC_GAUGE},
    };

    (void)state;
    assert_int_equal(setpay_metric_register(&gauge), SETPAY_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(setpay_metric_register(&bad[i]), SETPAY_E_INVALID);
        setpay_metric_add(&bad[i], 0, 0, 1); /* counts for nothing */
    }
}

static struct setpay_metric shared = {
    .name = "test_shared_total", .help = "By all threads.", .type = SETPAY_METRIC_COUNTER};

static void *count_up(void *arg)
{
    for (int i = 0; i < 10000; i++)
        setpay_metric_add(&shared, 0, 0, 1);
    return arg;
}

static void threads_lose_no_count(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(setpay_metric_value(&shared, 0, 0), 40000);
}

static double start_of(const char *text)
{
    static const char name[] = "\nprocess_start_time_seconds ";
    const char *at = strstr(text, name);
    assert_non_null(at);
    return strtod(at + sizeof name - 1, NULL);
}

static void the_start_is_a_time_that_stays(void **state)
{
    char *first = exposition();
    double start = start_of(first);
    double now = (double)time(NULL);
    (void)state;
    assert_true(start > now - 3600 && start <= now + 1);
    free(first);
    char *second = exposition();
    assert_true(start_of(second) == start);
    free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_counted),
        cmocka_unit_test(what_was_never_set_is_not_shown),
        cmocka_unit_test(the_format_is_prometheus_text),
        cmocka_unit_test(every_line_is_well_formed),
        cmocka_unit_test(what_is_not_permitted_is_refused),
        cmocka_unit_test(threads_lose_no_count),
        cmocka_unit_test(the_start_is_a_time_that_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
