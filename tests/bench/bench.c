/*
 * setpay-bench: what the machine can do, what setpay's parts and daemons cost beside it, and what a
 * whole purchase costs, in one run. docs/reference/bench.md says what each row means.
 *
 *     setpay-bench [--quick] [--only PART] [--shoppers N] [--out DIR]
 *
 * The programs are those of $BUILD/bin (build/bin).
 */
#include "common/base/log.h"
#include "tests/bench/blocks.h"
#include "tests/bench/fail.h"
#include "tests/bench/floors.h"
#include "tests/bench/machine.h"
#include "tests/bench/parts.h"
#include "tests/bench/purchases.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench_plan bench_plan = {
    .runs = 9,
    .run_ms = 40,
    .load_ms = 9000,
    .cards = 400,
    .shoppers = {1, 16, 64, 256},
};
static const struct bench_plan quick_plan = {
    .quick = true,
    .runs = 3,
    .run_ms = 2,
    .load_ms = 3000,
    .cards = 8,
    .shoppers = {1, 4, 0, 0},
    .count = 24,
};

static const char usage[] =
    "usage: setpay-bench [--quick] [--only PART] [--shoppers N] [--out DIR]\n"
    "\n"
    "Measures the machine, setpay's parts, each daemon alone and whole purchases.\n"
    "  --quick       a short run with small counts: whether all works, not how fast it is\n"
    "  --only PART   of the daemons and purchases one alone: blocks, merchantd, shop, "
    "gatewayd,\n"
    "                issuersim, cad, walletd or purchases\n"
    "  --shoppers N  whole purchases with so many at once, and nothing else of them\n"
    "  --out DIR     where bench.json and the plots go (default: bench in the build's folder)\n";

struct options {
    char out[256];
    const char *only; /* NULL: all */
};

static _Noreturn void refuse(const char *words)
{
    (void)fprintf(stderr, "setpay-bench: %s\n\n%s", words, usage);
    exit(2);
}

static void read_shoppers(const char *text)
{
    char *end = NULL;
    unsigned long count = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || count < 1 || count > 1024)
        refuse("--shoppers: expected a number from 1 to 1024");
    memset(bench_plan.shoppers, 0, sizeof bench_plan.shoppers);
    bench_plan.shoppers[0] = count;
}

static bool does(const struct options *options, const char *part)
{
    return options->only == NULL || strcmp(options->only, part) == 0;
}

static void check_only(const struct options *options)
{
    static const char *const parts[] = {"blocks", "merchantd", "shop",      "gatewayd", "issuersim",
                                        "cad",    "walletd",   "purchases", NULL};
    size_t i = 0;
    while (parts[i] != NULL && !does(options, parts[i]))
        i++;
    if (parts[i] == NULL)
        refuse("--only: expected blocks, merchantd, shop, gatewayd, issuersim, cad, walletd or "
               "purchases");
}

static void read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"quick", no_argument, NULL, 'q'},
        {"shoppers", required_argument, NULL, 's'},
        {"only", required_argument, NULL, 'p'},
        {"out", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    const char *build = getenv("BUILD"), *shoppers = NULL;
    (void)snprintf(options->out, sizeof options->out, "%s/bench", build == NULL ? "build" : build);
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'q':
            bench_plan = quick_plan;
            break;
        case 's':
            shoppers = optarg;
            break;
        case 'p':
            options->only = optarg;
            break;
        case 'o':
            if (strlen(optarg) >= sizeof options->out)
                refuse("--out: the path is too long");
            (void)snprintf(options->out, sizeof options->out, "%s", optarg);
            break;
        case 'h':
            (void)fputs(usage, stdout);
            exit(0);
        case 'v':
            puts("setpay-bench " SETPAY_VERSION);
            exit(0);
        default:
            refuse("see above");
        }
    }
    if (optind != argc)
        refuse("there are no other arguments");
    if (shoppers != NULL)
        read_shoppers(shoppers);
    check_only(options);
}

static void make_folder(const char *path)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        BENCH_FAIL("%s: %s", path, strerror(errno));
}

static void run(const struct options *options)
{
    char work[] = "/tmp/setpay-bench-XXXXXX";
    struct bench_report report;
    BENCH_NEED(mkdtemp(work) != NULL);
    make_folder(options->out);
    bench_report_open(&report);
    bench_floor_crypto(&report);
    bench_floor_disk(&report, options->out); /* on the disk that people build on */
    bench_floor_tls(&report);
    struct bench_market *market = bench_market_open();
    if (does(options, "blocks"))
        bench_blocks(&report, market);
    bench_report_section(&report, "each daemon under load");
    if (does(options, "merchantd")) {
        bench_connections(&report, market); /* first, while it is fresh */
        bench_merchant_alone(&report, market);
    }
    if (does(options, "shop"))
        bench_shop_alone(&report, market, work);
    if (does(options, "gatewayd"))
        bench_gateway_alone(&report, market);
    if (does(options, "issuersim"))
        bench_issuer_alone(&report, market);
    if (does(options, "cad"))
        bench_authority_alone(&report, work);
    if (does(options, "walletd"))
        bench_wallet_alone(&report, market);
    if (does(options, "purchases")) {
        bench_purchases(&report, market);
        bench_where(&report, market);
    }
    bench_audit(&report, market);
    bench_market_close(market);
    (void)json_object_set_new(json_object_get(report.all, "machine"), "load_after",
                              json_real(bench_machine_load()));
    bench_report_write(&report, options->out);
    bench_report_close(&report);
    test_remove_folder(work);
}

int main(int argc, char **argv)
{
    struct options options = {.only = NULL};
    read_options(argc, argv, &options);
    (void)signal(SIGPIPE, SIG_IGN);
    setpay_log_set_level(
        SETPAY_LOG_ERROR); /* of this process: the daemons have files of their own */
    BENCH_OK(setpay_secret_system_init());
    run(&options);
    return 0;
}
