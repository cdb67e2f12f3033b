/*
 * merchantd as a shop: a product's page, beside nginx with a file of the same size under the same
 * visitors, and orders of the catalogue over the API.
 */
#include "tests/bench/fail.h"
#include "tests/bench/parts.h"
#include "tests/bench/web.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define VISITORS 32
#define REPEATS 3
#define PRODUCT "/products/teapot"
#define SKU "GT-100"
#define ORDER                                                                                      \
    "{\"items\":[{\"sku\":\"" SKU "\",\"quantity\":1}],\"currency\":\"EUR\",\"country\":\"DE\","   \
    "\"shipping_method\":\"parcel\"}"

struct many {
    struct bench_repeats repeats;
    int64_t p99_us[REPEATS];
    size_t body_size;
};

/* Puts a shop's goods on its shelves, more of the one than a run can order. */
static void stock_shop(const struct bench_market *market)
{
    const struct test_daemon *daemon = &market->merchant->daemon;
    char configuration[PATH_MAX], catalogue[PATH_MAX];
    const char *build = getenv("BUILD");
    (void)snprintf(configuration, sizeof configuration, "%s/%s.conf", daemon->folder, daemon->name);
    (void)snprintf(catalogue, sizeof catalogue, "%s/share/setpay/shop/catalogue.json",
                   build == NULL ? "build" : build);
    const char *import[] = {"--config", configuration, "product", "import", catalogue, NULL};
    test_run_program("setpay-merchant", import, NULL);
    const char *set[] = {"--config",  configuration, "stock",    "set",     SKU,
                         "--on-hand", "10000000",    "--reason", "a bench", NULL};
    test_run_program("setpay-merchant", set, NULL);
}

static void read_usage(const struct bench_market *market, const struct bench_nginx *nginx,
                       struct bench_usage *usage)
{
    if (nginx != NULL)
        bench_nginx_usage(nginx, usage);
    else
        bench_usage_read(market->merchant->daemon.pid, usage);
}

static void run_many(const struct bench_market *market, const struct bench_nginx *nginx,
                     struct bench_web_load *load, struct many *many)
{
    struct bench_web_found found;
    load->visitors = VISITORS;
    load->count = VISITORS;
    bench_web_run(load, &found); /* what only the first call does */
    load->count = bench_plan.count;
    load->limit_ms = bench_plan.load_ms / REPEATS;
    for (unsigned i = 0; i < REPEATS; i++) {
        struct bench_usage before, after;
        read_usage(market, nginx, &before);
        bench_web_run(load, &found);
        read_usage(market, nginx, &after);
        bench_usage_since(&before, &after);
        many->repeats.each_us[i] = found.seconds * 1e6 / (double)found.count;
        many->repeats.cpu_us[i] = (double)after.cpu_us / (double)found.count;
        many->p99_us[i] = found.p99_us;
    }
    many->repeats.count = REPEATS;
    many->body_size = found.body_size;
}

/* Rate, CPU and p99; peer: the same of who does no more than send a file. */
static void report_many(struct bench_report *report, const char *name, const char *cpu,
                        const char *p99, struct many *many, const struct many *peer,
                        const char *words)
{
    struct bench_timing rate, used, late, peer_rate = {0}, peer_used = {0};
    double late_us[REPEATS];
    for (unsigned i = 0; i < REPEATS; i++)
        late_us[i] = (double)many->p99_us[i];
    bench_timing_of(many->repeats.each_us, REPEATS, &rate);
    bench_timing_of(many->repeats.cpu_us, REPEATS, &used);
    bench_timing_of(late_us, REPEATS, &late);
    if (peer != NULL) {
        struct bench_repeats of = peer->repeats;
        bench_timing_of(of.each_us, REPEATS, &peer_rate);
        bench_timing_of(of.cpu_us, REPEATS, &peer_used);
    }
    bench_report_rate(report, name, &rate, 1, peer == NULL ? 0 : 1e6 / peer_rate.median_us, words);
    bench_report_time(report, cpu, &used, peer_used.median_us, words);
    bench_report_time(report, p99, &late, 0, "");
}

void bench_shop_alone(struct bench_report *report, struct bench_market *market, const char *dir)
{
    struct bench_nginx nginx;
    struct many page = {.body_size = 0}, file = {.body_size = 0}, orders = {.body_size = 0};
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s/nginx", dir);
    BENCH_NEED(mkdir(folder, 0700) == 0);
    stock_shop(market);
    struct bench_web_load load = {
        .address = market->merchant->shop, .path = PRODUCT, .status = 200};
    run_many(market, NULL, &load, &page);
    bench_nginx_start(&nginx, folder, page.body_size);
    load = (struct bench_web_load){.address = nginx.address, .path = "/page", .status = 200};
    run_many(market, &nginx, &load, &file);
    bench_nginx_stop(&nginx);
    BENCH_NEED(file.body_size == page.body_size);
    load = (struct bench_web_load){.address = market->merchant->api,
                                   .path = "/api/v1/orders",
                                   .body = ORDER,
                                   .token = market->merchant->token,
                                   .status = 201};
    run_many(market, NULL, &load, &orders);
    report_many(report, "nginx: a file of a product page's size", "nginx: CPU of it",
                "nginx: p99 of it, wall", &file, NULL, "");
    report_many(report, "merchantd: product pages", "merchantd: CPU of a product page",
                "merchantd: p99 of a product page, wall", &page, &file, "nginx, the file");
    report_many(report, "merchantd: orders of the catalogue",
                "merchantd: CPU of an order of the catalogue",
                "merchantd: p99 of an order of the catalogue, wall", &orders, NULL, "");
}
