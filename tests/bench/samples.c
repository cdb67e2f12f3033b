/*
 * perf records by the processor's clock, which virtual machines have too; its own report is read,
 * line by line "SAMPLES|LIBRARY|[.] FUNCTION". What a library without symbols has done is an
 * address there, and counts for the library alone.
 */
#include "tests/bench/samples.h"

#include "tests/bench/fail.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RATE_HZ "997" /* prime, so that nothing regular hides between two samples */
#define START_MS 10000
#define SHOWN 6
#define WIDTH 100

struct perf {
    char folder[64], data[96], said[96];
    pid_t pid;
};

/* ------------------------------------------------------------------ recording */

static void record(const struct perf *perf, const char *pids)
{
    int said = open(perf->said, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (said < 0 || dup2(said, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0)
        _exit(127);
    (void)execlp("perf", "perf", "record", "-q", "-e", "cpu-clock", "-F", RATE_HZ, "-p", pids, "-o",
                 perf->data, (char *)NULL);
    _exit(127);
}

/* Its file is there when it has attached itself to all. */
static bool has_begun(struct perf *perf)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    struct stat file;
    for (int waited_ms = 0; waited_ms < START_MS; waited_ms += 10) {
        if (waitpid(perf->pid, NULL, WNOHANG) == perf->pid) {
            perf->pid = -1;
            return false;
        }
        if (stat(perf->data, &file) == 0 && file.st_size > 0)
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static bool begin(struct perf *perf, const struct bench_market *market)
{
    char pids[64];
    (void)snprintf(perf->folder, sizeof perf->folder, "/tmp/setpay-bench-perf-XXXXXX");
    BENCH_NEED(mkdtemp(perf->folder) != NULL);
    (void)snprintf(perf->data, sizeof perf->data, "%s/data", perf->folder);
    (void)snprintf(perf->said, sizeof perf->said, "%s/said", perf->folder);
    (void)snprintf(pids, sizeof pids, "%d,%d,%d",
                   (int)bench_market_daemon(market, BENCH_MERCHANT)->pid,
                   (int)bench_market_daemon(market, BENCH_GATEWAY)->pid,
                   (int)bench_market_daemon(market, BENCH_ISSUER)->pid);
    perf->pid = fork();
    BENCH_NEED(perf->pid >= 0);
    if (perf->pid == 0)
        record(perf, pids);
    return has_begun(perf);
}

static void end(struct perf *perf)
{
    if (perf->pid <= 0)
        return;
    (void)kill(perf->pid, SIGINT); /* it writes what it has, and ends by the same signal */
    (void)waitpid(perf->pid, NULL, 0);
}

/* ------------------------------------------------------------------ what it says */

/* Adds to the samples of a name; the list stays as it came. */
static void add(json_t *list, const char *name, const char *library, double samples)
{
    size_t i;
    json_t *row;
    json_array_foreach(list, i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "name")), name) != 0)
            continue;
        samples += json_number_value(json_object_get(row, "percent"));
        (void)json_object_set_new(row, "percent", json_real(samples));
        return;
    }
    row = json_pack("{s:s, s:f, s:s*}", "name", name, "percent", samples, "library", library);
    BENCH_NEED(row != NULL && json_array_append_new(list, row) == 0);
}

static int compare(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;
    double p = json_number_value(json_object_get(*x, "percent"));
    double q = json_number_value(json_object_get(*y, "percent"));
    return p > q ? -1 : p < q;
}

/* The most of it first, no more than so many, as shares of all samples. Takes the list. */
static json_t *shares_of(json_t *list, size_t most, double samples)
{
    json_t *rows[512], *sorted = json_array();
    size_t count = json_array_size(list), i;
    BENCH_NEED(sorted != NULL);
    if (count > sizeof rows / sizeof *rows)
        count = sizeof rows / sizeof *rows; /* perf sorts them itself: the least are left out */
    for (i = 0; i < count; i++)
        rows[i] = json_array_get(list, i);
    qsort(rows, count, sizeof(json_t *), compare);
    for (i = 0; i < count && i < most; i++) {
        double percent = json_number_value(json_object_get(rows[i], "percent")) * 100 / samples;
        (void)json_object_set_new(rows[i], "percent", json_real(percent));
        (void)json_array_append(sorted, rows[i]);
    }
    json_decref(list);
    return sorted;
}

static void trim(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(" \n", text[length - 1]) != NULL)
        text[--length] = '\0';
}

/* How many samples the row stands for. */
static double read_row(char *line, json_t *libraries, json_t *functions)
{
    char *rest = NULL;
    const char *count = strtok_r(line, "|", &rest);
    char *library = strtok_r(NULL, "|", &rest);
    char *function = strtok_r(NULL, "|", &rest);
    double samples = count == NULL ? 0 : strtod(count, NULL);
    if (function == NULL || samples <= 0)
        return 0;
    trim(library);
    trim(function);
    bool in_kernel = strncmp(library, "[kernel", 7) == 0 || strncmp(library, "[guest", 6) == 0;
    const char *name = in_kernel ? "kernel" : library;
    add(libraries, name, NULL, samples);
    function += function[0] == '[' ? strcspn(function, " ") : 0; /* "[.] name" */
    function += strspn(function, " ");
    if (*function != '\0' && strncmp(function, "0x", 2) != 0)
        add(functions, function, name, samples);
    return samples;
}

static json_t *read_daemon(const struct perf *perf, const char *name, pid_t pid)
{
    char command[256], line[1024];
    double samples = 0;
    json_t *libraries = json_array(), *functions = json_array();
    (void)snprintf(command, sizeof command,
                   "perf report -i '%s' --stdio -q -F sample,dso,sym -t '|' --pid %d 2>/dev/null",
                   perf->data, (int)pid);
    FILE *answer = popen(command, "re");
    BENCH_NEED(answer != NULL && libraries != NULL && functions != NULL);
    while (fgets(line, sizeof line, answer) != NULL)
        samples += read_row(line, libraries, functions);
    (void)pclose(answer);
    return json_pack("{s:s, s:f, s:o, s:o}", "daemon", name, "samples", samples, "libraries",
                     shares_of(libraries, 64, samples), "functions",
                     shares_of(functions, 64, samples));
}

/* The first line of what it has said. */
static json_t *reason(const struct perf *perf)
{
    char line[256] = "";
    FILE *file = fopen(perf->said, "re");
    while (file != NULL && line[0] == '\0' && fgets(line, sizeof line, file) != NULL)
        trim(line);
    if (file != NULL)
        (void)fclose(file);
    return json_string(line[0] == '\0' ? "there is no perf (Debian: linux-perf)" : line);
}

void bench_samples_take(struct bench_report *report, struct bench_market *market,
                        const struct bench_load *load)
{
    struct perf perf;
    struct bench_found found;
    json_t *samples = json_array();
    BENCH_NEED(samples != NULL);
    if (begin(&perf, market)) {
        bench_market_run(market, load, &found);
        end(&perf);
        for (int i = 0; i < BENCH_DAEMONS; i++) {
            json_t *row = read_daemon(&perf, bench_daemon_names[i],
                                      bench_market_daemon(market, (enum bench_daemon)i)->pid);
            BENCH_NEED(row != NULL);
            if (json_array_size(json_object_get(row, "libraries")) > 0)
                BENCH_NEED(json_array_append(samples, row) == 0);
            json_decref(row);
        }
    } else {
        end(&perf);
    }
    if (json_array_size(samples) == 0)
        (void)json_object_set_new(report->all, "samples_missing", reason(&perf));
    (void)json_object_set_new(report->all, "samples", samples);
    (void)unlink(perf.data);
    (void)unlink(perf.said);
    (void)rmdir(perf.folder);
}

/* ------------------------------------------------------------------ the table */

static void print_list(const char *title, const json_t *list)
{
    int column = printf("  %-27s", title);
    for (size_t i = 0; i < SHOWN && i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(row, "name"));
        if (column + (int)strlen(name) > WIDTH)
            column = printf("\n  %-27s", "") - 1;
        column += printf("  %.1f %s", json_number_value(json_object_get(row, "percent")), name);
    }
    printf("\n");
}

static void print_daemon(const json_t *row)
{
    char title[64];
    (void)snprintf(title, sizeof title, "%s, of %.0f samples",
                   json_string_value(json_object_get(row, "daemon")),
                   json_number_value(json_object_get(row, "samples")));
    print_list(title, json_object_get(row, "libraries"));
    print_list("", json_object_get(row, "functions"));
}

void bench_samples_print(const struct bench_report *report)
{
    const json_t *missing = json_object_get(report->all, "samples_missing");
    size_t i;
    const json_t *row;
    if (json_object_get(report->all, "samples") == NULL)
        return; /* only some loads were made */
    if (missing != NULL)
        printf("\nno samples of the daemons by library and function: %s\n",
               json_string_value(missing));
    else
        printf("\nwhere samples find them, in %%: libraries, then functions that have a name\n");
    json_array_foreach(json_object_get(report->all, "samples"), i, row) print_daemon(row);
}
