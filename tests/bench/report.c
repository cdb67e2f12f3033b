/*
 * Rows stand in the JSON as they are printed: name, median, spread, unit, runs, and the ratio to
 * the floor, 1 being at the floor itself.
 */
#include "tests/bench/report.h"

#include "tests/bench/fail.h"
#include "tests/bench/machine.h"
#include "tests/bench/plot.h"

#include <string.h>

void bench_report_open(struct bench_report *report)
{
    report->all =
        json_pack("{s:o, s:[], s:[], s:[]}", "machine", bench_machine(), "rows", "loads", "where");
    BENCH_NEED(report->all != NULL);
    bench_machine_print(json_object_get(report->all, "machine"));
}

void bench_report_section(struct bench_report *report, const char *title)
{
    json_object_set_new(report->all, "section", json_string(title));
    printf("\n%-44s %10s %21s  %-6s %5s  %s\n", title, "median", "low .. high", "", "ratio",
           "to the floor");
}

struct figures {
    double median, low, high;
    unsigned runs;
};

static void add(struct bench_report *report, const char *name, const struct figures *f,
                const char *unit, double ratio, const char *floor)
{
    char spread[32] = "", ratio_text[16] = "";
    int digits = f->median < 10 ? 2 : f->median < 1000 ? 1 : 0;
    if (f->runs > 1)
        (void)snprintf(spread, sizeof spread, "%.*f .. %.*f", digits, f->low, digits, f->high);
    if (ratio > 0)
        (void)snprintf(ratio_text, sizeof ratio_text, "%.2f", ratio);
    printf("  %-42s %10.*f %21s  %-6s %5s  %s\n", name, digits, f->median, spread, unit, ratio_text,
           floor);
    (void)fflush(stdout);
    json_t *row =
        json_pack("{s:O, s:s, s:f, s:f, s:f, s:s, s:i, s:o, s:s}", "section",
                  json_object_get(report->all, "section"), "name", name, "median", f->median, "low",
                  f->low, "high", f->high, "unit", unit, "runs", (int)f->runs, "ratio",
                  ratio > 0 ? json_real(ratio) : json_null(), "floor", floor);
    BENCH_NEED(row != NULL &&
               json_array_append_new(json_object_get(report->all, "rows"), row) == 0);
}

void bench_report_time(struct bench_report *report, const char *name, const struct bench_timing *t,
                       double floor_us, const char *floor)
{
    const struct figures f = {t->median_us, t->low_us, t->high_us, t->runs};
    add(report, name, &f, "us", floor_us > 0 ? floor_us / t->median_us : 0, floor);
}

void bench_report_rate(struct bench_report *report, const char *name, const struct bench_timing *t,
                       double batch, double floor_per_s, const char *floor)
{
    double scale = batch * 1e6;
    const struct figures f = {scale / t->median_us, scale / t->high_us, scale / t->low_us, t->runs};
    add(report, name, &f, "/s", floor_per_s > 0 ? f.median / floor_per_s : 0, floor);
}

void bench_report_figure(struct bench_report *report, const char *name, double value,
                         const char *unit)
{
    const struct figures f = {value, value, value, 1};
    add(report, name, &f, unit, 0, "");
}

double bench_report_value(const struct bench_report *report, const char *name)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(report->all, "rows"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
            return json_real_value(json_object_get(row, "median"));
    }
    BENCH_FAIL("no row \"%s\"", name);
}

void bench_report_write(struct bench_report *report, const char *dir)
{
    char path[512];
    (void)json_object_del(report->all, "section");
    BENCH_NEED(snprintf(path, sizeof path, "%s/bench.json", dir) < (int)sizeof path);
    if (json_dump_file(report->all, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0)
        BENCH_FAIL("%s can't be written", path);
    bench_plot_all(report->all, dir);
    printf("\n%s, and plots (*.svg) beside it\n", path);
}

void bench_report_close(struct bench_report *report)
{
    json_decref(report->all);
}
