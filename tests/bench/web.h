/*
 * A load of HTTP without TLS: visitors on connections of their own that stay open, each asking for
 * the same again as soon as it is answered, all on one loop of this process. And a web server of
 * other people's to hold the daemon against, under the same load.
 */
#ifndef SETPAY_BENCH_WEB_H
#define SETPAY_BENCH_WEB_H

#include "tests/bench/usage.h"

#include <stddef.h>
#include <stdint.h>

struct bench_web_load {
    const char *address; /* HOST:PORT, loopback */
    const char *path;
    const char *body;  /* of a POST, as JSON, each under an idempotency key of its own; NULL: GET */
    const char *token; /* Bearer; NULL: none */
    int status;        /* that every answer is to have; anything else ends the program */
    size_t visitors;   /* at once */
    int64_t limit_ms;  /* nothing new is asked after that; 0: until count are answered */
    int64_t count;     /* at most; 0: as many as there is time for */
};

struct bench_web_found {
    int64_t count;
    double seconds;
    int64_t p50_us, p99_us;
    size_t body_size; /* of the last answer */
};

void bench_web_run(const struct bench_web_load *load, struct bench_web_found *found);

/* nginx with two workers, serving the files of a folder on loopback. */
#define BENCH_NGINX_WORKERS 2
struct bench_nginx {
    char address[32];
    pid_t pid;
    pid_t workers[BENCH_NGINX_WORKERS];
};
/* Of the file's bytes there is FOLDER/page, which is made. */
void bench_nginx_start(struct bench_nginx *nginx, const char *folder, size_t page_size);
void bench_nginx_stop(struct bench_nginx *nginx);
/* Of its workers, all together. */
void bench_nginx_usage(const struct bench_nginx *nginx, struct bench_usage *usage);

#endif
