/*
 * /proc/PID/task/TID/schedstat holds nanoseconds on the processor, stat the part of them in the
 * kernel.
 */
#include "tests/bench/usage.h"

#include "tests/bench/fail.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const bench_thread_names[BENCH_THREADS] = {"workers", "store", "other"};

/* The first line of a file; "" where there is none. */
static void read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(line, size, file) == NULL)
        line[0] = '\0';
    if (file != NULL)
        (void)fclose(file);
}

static enum bench_thread kind_of(pid_t pid, const char *task)
{
    char path[320], name[64];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%s/comm", (int)pid, task);
    read_line(path, name, sizeof name);
    if (strncmp(name, "worker", 6) == 0)
        return BENCH_THREAD_WORKER;
    return strncmp(name, "store", 5) == 0 ? BENCH_THREAD_STORE : BENCH_THREAD_OTHER;
}

/* stime, the second of two numbers behind eleven others. */
static int64_t read_kernel_us(pid_t pid, const char *task)
{
    char path[320], line[1024], *end = NULL;
    (void)snprintf(path, sizeof path, "/proc/%d/task/%s/stat", (int)pid, task);
    read_line(path, line, sizeof line);
    const char *at = strrchr(line, ')'); /* the name may hold anything */
    for (int skip = 0; skip < 12 && at != NULL; skip++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return 0;
    (void)strtoll(at, &end, 10);
    return strtoll(end, NULL, 10) * (1000000 / sysconf(_SC_CLK_TCK));
}

static void add_task(pid_t pid, const char *task, struct bench_usage *usage)
{
    char path[320], line[256];
    enum bench_thread kind = kind_of(pid, task);
    (void)snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, task);
    read_line(path, line, sizeof line);
    int64_t us = (int64_t)(strtoull(line, NULL, 10) / 1000);
    usage->cpu_us += us;
    usage->threads_us[kind] += us;
    if (kind != BENCH_THREAD_STORE)
        usage->kernel_us += read_kernel_us(pid, task);
}

void bench_usage_read(pid_t pid, struct bench_usage *usage)
{
    char path[64];
    memset(usage, 0, sizeof *usage);
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        BENCH_FAIL("process %d has ended", (int)pid);
    const struct dirent *entry;
    while ((entry = readdir(tasks)) != NULL)
        if (entry->d_name[0] != '.')
            add_task(pid, entry->d_name, usage);
    (void)closedir(tasks);
}

void bench_usage_since(const struct bench_usage *earlier, struct bench_usage *later)
{
    later->cpu_us -= earlier->cpu_us;
    later->kernel_us -= earlier->kernel_us;
    for (int i = 0; i < BENCH_THREADS; i++)
        later->threads_us[i] -= earlier->threads_us[i];
}

int64_t bench_memory_kib(pid_t pid)
{
    char path[64], line[256];
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    read_line(path, line, sizeof line);
    const char *second = strchr(line, ' ');
    return second == NULL ? 0 : strtoll(second, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}
