/*
 * What a process has used, from /proc: CPU time by kind of thread, and memory.
 */
#ifndef SETPAY_BENCH_USAGE_H
#define SETPAY_BENCH_USAGE_H

#include <stdint.h>
#include <sys/types.h>

enum bench_thread { BENCH_THREAD_WORKER, BENCH_THREAD_STORE, BENCH_THREAD_OTHER, BENCH_THREADS };
extern const char *const bench_thread_names[BENCH_THREADS];

struct bench_usage {
    int64_t cpu_us; /* all threads that live, by the scheduler's clock */
    int64_t threads_us[BENCH_THREADS];
    int64_t kernel_us; /* inside the kernel, but for the store's thread; by ticks: for long runs */
};

void bench_usage_read(pid_t pid, struct bench_usage *usage);
/* later - earlier */
void bench_usage_since(const struct bench_usage *earlier, struct bench_usage *later);
/* Resident memory. */
int64_t bench_memory_kib(pid_t pid);

#endif
