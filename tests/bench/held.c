/*
 * The first few connections are not counted: with them come caches, and the allocator's own pages.
 */
#include "tests/bench/held.h"

#include "common/net/listen.h"
#include "tests/bench/fail.h"
#include "tests/bench/usage.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST 8
#define MORE 48 /* with the first, below what a local socket takes at once */

struct held {
    int fd;
    SSL *ssl; /* NULL: a local one */
};

struct wish {
    const char *place; /* address or path */
    const char *sni;
    SSL_CTX *client; /* NULL: local */
};

static void hold_tls(const struct wish *wish, struct held *held)
{
    struct setpay_address address;
    struct setpay_problem problem;
    BENCH_OK(setpay_address_parse(wish->place, &address, &problem));
    held->fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    BENCH_NEED(held->fd >= 0 &&
               connect(held->fd, (const struct sockaddr *)&address.storage, address.size) == 0);
    held->ssl = SSL_new(wish->client);
    BENCH_NEED(held->ssl != NULL && SSL_set_tlsext_host_name(held->ssl, wish->sni) == 1 &&
               SSL_set_fd(held->ssl, held->fd) == 1 && SSL_connect(held->ssl) == 1);
}

static void hold_local(const struct wish *wish, struct held *held)
{
    static const char call[] = "{\"id\":1,\"command\":\"status\",\"args\":{}}\n";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[4096];
    ssize_t size = 0;
    BENCH_NEED(strlen(wish->place) < sizeof address.sun_path);
    memcpy(address.sun_path, wish->place, strlen(wish->place) + 1);
    held->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    BENCH_NEED(held->fd >= 0 &&
               connect(held->fd, (const struct sockaddr *)&address, sizeof address) == 0);
    BENCH_NEED(write(held->fd, call, sizeof call - 1) == (ssize_t)sizeof call - 1);
    do {
        size = read(held->fd, answer, sizeof answer);
        BENCH_NEED(size > 0);
    } while (answer[size - 1] != '\n');
}

static void hold(const struct wish *wish, struct held *held, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (wish->client != NULL)
            hold_tls(wish, &held[i]);
        else
            hold_local(wish, &held[i]);
    }
}

static void measure(struct bench_report *report, const char *name, pid_t pid,
                    const struct wish *wish)
{
    struct held held[FIRST + MORE] = {{.fd = -1}};
    hold(wish, held, FIRST);
    int64_t before_kib = bench_memory_kib(pid);
    hold(wish, held + FIRST, MORE);
    int64_t more_kib = bench_memory_kib(pid) - before_kib;
    bench_report_figure(report, name, (double)(more_kib > 0 ? more_kib : 0) / MORE, "KiB");
    for (size_t i = 0; i < FIRST + MORE; i++) {
        SSL_free(held[i].ssl);
        (void)close(held[i].fd);
    }
}

void bench_held_tls(struct bench_report *report, const char *name, pid_t pid, const char *address,
                    const char *sni, SSL_CTX *client)
{
    const struct wish wish = {.place = address, .sni = sni, .client = client};
    measure(report, name, pid, &wish);
}

void bench_held_local(struct bench_report *report, const char *name, pid_t pid, const char *path)
{
    const struct wish wish = {.place = path};
    measure(report, name, pid, &wish);
}
