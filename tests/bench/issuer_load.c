/*
 * issuersim alone: the gateway's own side of ISO 8583 (gateway/network) in this process, with many
 * authorisations under way.
 */
#include "tests/bench/parts.h"

#include "gateway/network/network.h"
#include "tests/bench/fail.h"

#include <event2/event.h>
#include <string.h>

#define UNDER_WAY 32
#define REPEATS 3
#define POLL_MS 10

struct load {
    struct bench_market *market;
    struct setpay_network *network;
    struct setpay_executor executor;
    size_t count, sent, answered;
};

static void send_more(struct load *load);

static void on_answer(void *arg, const struct setpay_network_answer *answer)
{
    struct load *load = arg;
    if (answer->outcome != SETPAY_NETWORK_ANSWERED || strcmp(answer->response_code, "00") != 0)
        BENCH_FAIL("the issuer says \"%s\" (%s)", answer->response_code,
                   setpay_error_name(answer->reason));
    load->market->authorised++;
    if (++load->answered == load->count)
        (void)event_base_loopbreak(setpay_loop_base(load->market->loop));
    else
        send_more(load);
}

static void send_one(struct load *load)
{
    struct setpay_network_authorisation request = {
        .amount = {.minor = 1250, .currency = "EUR"},
        .ecommerce_indicator = "05",
    };
    setpay_network_trace_allocate(load->network, &request.trace);
    BENCH_OK(setpay_network_acceptor_set(&request.acceptor, "shop", "A Test Shop", 5999));
    BENCH_OK(setpay_secret_copy(&request.pan, setpay_view_string("4242424242424242")));
    BENCH_OK(setpay_secret_copy(&request.expiry, setpay_view_string("3012")));
    BENCH_OK(setpay_id_random(&request.xid));
    BENCH_OK(setpay_digest_random(&request.pomd));
    BENCH_OK(setpay_network_authorise(load->network, &request, &load->executor, on_answer, load));
    setpay_network_authorisation_clear(&request);
}

static void send_more(struct load *load)
{
    while (load->sent < load->count && load->sent - load->answered < UNDER_WAY) {
        load->sent++;
        send_one(load);
    }
}

static void run(struct load *load, size_t count, double *each_us, double *cpu_us)
{
    pid_t pid = bench_market_daemon(load->market, BENCH_ISSUER)->pid;
    struct bench_usage before, after;
    load->count = count;
    load->sent = load->answered = 0;
    bench_usage_read(pid, &before);
    double started = bench_wall_us();
    send_more(load);
    BENCH_OK(setpay_loop_run(load->market->loop));
    *each_us = (bench_wall_us() - started) / (double)count;
    bench_usage_read(pid, &after);
    bench_usage_since(&before, &after);
    *cpu_us = (double)after.cpu_us / (double)count;
}

static void on_poll(void *arg)
{
    struct load *load = arg;
    if (setpay_network_is_up(load->network))
        (void)event_base_loopbreak(setpay_loop_base(load->market->loop));
}

static void sign_on(struct load *load)
{
    struct setpay_network_config config;
    const struct setpay_network_route route = {
        .name = "sim", .prefixes = "*", .address = load->market->gateway->issuer_address};
    struct setpay_problem problem = {{0}};
    struct setpay_timer *timer = NULL;
    setpay_network_config_defaults(&config);
    config.routes = &route;
    config.route_count = 1;
    config.acquirer_id = "900001"; /* the gateway's is another */
    config.answer_timeout_ms = 60000;
    load->executor = setpay_loop_executor(load->market->loop);
    if (setpay_network_new(&config, setpay_loop_base(load->market->loop), &load->executor,
                           &load->network, &problem) != SETPAY_OK)
        BENCH_FAIL("%s", problem.text);
    BENCH_OK(setpay_timer_new(load->market->loop, on_poll, load, &timer));
    setpay_timer_start_periodic(timer, POLL_MS);
    BENCH_OK(setpay_loop_run(load->market->loop));
    setpay_timer_free(timer);
}

void bench_issuer_alone(struct bench_report *report, struct bench_market *market)
{
    struct load load = {.market = market};
    struct bench_repeats repeats = {.count = REPEATS};
    double unused[2];
    size_t count = bench_plan.quick ? 40 : 2000;
    sign_on(&load);
    run(&load, UNDER_WAY, &unused[0], &unused[1]);
    for (unsigned i = 0; i < REPEATS; i++)
        run(&load, count, &repeats.each_us[i], &repeats.cpu_us[i]);
    bench_report_repeats(report, "issuersim: authorisations", "issuersim: CPU of an authorisation",
                         &repeats, bench_report_value(report, "  CPU of one in a group of 50"),
                         "1 of 50 in a commit");
    setpay_network_free(load.network);
}
