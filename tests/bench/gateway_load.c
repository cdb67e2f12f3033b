/*
 * gatewayd alone: a merchant's connections, made of setpay's own framed client over mutual TLS,
 * with AuthReqs that were signed and sealed before, each for a purchase of its own; behind it the
 * real issuersim. Every answer is read, and must approve.
 */
#include "tests/bench/parts.h"

#include "common/net/frame_client.h"
#include "tests/bench/fail.h"
#include "tests/bench/held.h"
#include "tests/support/test_purchase.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define CARDHOLDERS 16
#define UNDER_WAY 32
#define REPEATS 3
#define ANSWER_MS 60000

struct load {
    struct bench_market *market;
    struct setpay_tls *tls;
    struct setpay_frame_client *client;
    struct test_cardholder *cardholders[CARDHOLDERS];
    struct setpay_buffer *messages;
    size_t count, sent, answered;
};

static void send_more(struct load *load);

static void on_answer(void *arg, enum setpay_error error, struct setpay_view answer)
{
    struct load *load = arg;
    struct setpay_message message;
    struct setpay_auth_res decision;
    BENCH_OK(error);
    BENCH_OK(setpay_message_parse(answer, &message));
    if (message.type != SETPAY_MESSAGE_AUTH_RES)
        BENCH_FAIL("instead of AuthRes came %s: see the gateway's log",
                   setpay_message_type_name(message.type));
    BENCH_OK(setpay_auth_res_parse(message.content, &decision));
    BENCH_NEED(decision.outcome == SETPAY_AUTH_APPROVED);
    setpay_message_clear(&message);
    load->market->authorised++;
    if (++load->answered == load->count)
        (void)event_base_loopbreak(setpay_loop_base(load->market->loop));
    else
        send_more(load);
}

static void send_more(struct load *load)
{
    while (load->sent < load->count && load->sent - load->answered < UNDER_WAY) {
        struct setpay_buffer *message = &load->messages[load->sent++];
        BENCH_OK(setpay_frame_client_send(load->client, setpay_buffer_view(message), ANSWER_MS,
                                          on_answer, load, NULL));
    }
}

/* So many AuthReqs of cardholders that take turns. */
static void make_messages(struct load *load, size_t count)
{
    const struct test_purchase_parties parties = test_gateway_parties(load->market->gateway, 0);
    load->messages = calloc(count, sizeof *load->messages);
    BENCH_NEED(load->messages != NULL);
    load->count = count;
    for (size_t i = 0; i < count; i++) {
        struct test_purchase *purchase = test_purchase_new(
            &parties, load->cardholders[i % CARDHOLDERS], 1250, "EUR", setpay_clock_now_ms());
        test_purchase_sign(purchase);
        test_purchase_auth_req(purchase, &load->messages[i]);
        test_purchase_free(purchase);
    }
}

/* Sends them all; wall and CPU of one. */
static void run(struct load *load, size_t count, double *each_us, double *cpu_us)
{
    pid_t pid = bench_market_daemon(load->market, BENCH_GATEWAY)->pid;
    struct bench_usage before, after;
    make_messages(load, count);
    load->sent = load->answered = 0;
    bench_usage_read(pid, &before);
    double started = bench_wall_us();
    send_more(load);
    BENCH_OK(setpay_loop_run(load->market->loop));
    *each_us = (bench_wall_us() - started) / (double)count;
    bench_usage_read(pid, &after);
    bench_usage_since(&before, &after);
    *cpu_us = (double)after.cpu_us / (double)count;
    for (size_t i = 0; i < count; i++)
        setpay_buffer_clear(&load->messages[i]);
    free(load->messages);
}

static void connect_to_gateway(struct load *load)
{
    const struct test_party *party = load->market->gateway->shop[0].tls;
    STACK_OF(X509) *chain = sk_X509_new_null();
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++) {
        const unsigned char *at = party->chain[i].data;
        BENCH_NEED(sk_X509_push(chain, d2i_X509(NULL, &at, (long)party->chain[i].size)) > 0);
    }
    const struct setpay_tls_identity identity = {
        .certificate = party->x509, .key = party->key, .chain = chain};
    const struct setpay_tls_config config = {
        .identities = &identity,
        .identity_count = 1,
        .trust = load->market->wallet.trust,
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_GATEWAY_TLS_SERVER),
    };
    struct setpay_frame_client_options options = {
        .expect = {.sni = "visa", .brand = "visa", .id = TEST_GATEWAY_ID},
        .connections = 4,
    };
    BENCH_OK(setpay_tls_new_client(&config, &load->tls, NULL));
    BENCH_OK(setpay_address_parse(load->market->gateway->frames, &options.address, NULL));
    BENCH_OK(setpay_frame_client_new(load->market->loop, load->tls, &options, &load->client));
    sk_X509_pop_free(chain, X509_free);
}

/* As a merchant's. */
static void measure_memory(struct bench_report *report, struct bench_market *market)
{
    const struct test_party *party = market->gateway->shop[0].tls;
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    BENCH_NEED(client != NULL && SSL_CTX_use_certificate(client, party->x509) == 1 &&
               SSL_CTX_use_PrivateKey(client, party->key) == 1);
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++) {
        const unsigned char *at = party->chain[i].data;
        X509 *authority = d2i_X509(NULL, &at, (long)party->chain[i].size);
        BENCH_NEED(authority != NULL && SSL_CTX_add1_chain_cert(client, authority) == 1);
        X509_free(authority);
    }
    bench_held_tls(report, "gatewayd: memory of a merchant's connection",
                   bench_market_daemon(market, BENCH_GATEWAY)->pid, market->gateway->frames, "visa",
                   client);
    SSL_CTX_free(client);
}

void bench_gateway_alone(struct bench_report *report, struct bench_market *market)
{
    struct load load = {.market = market};
    struct bench_repeats repeats = {.count = REPEATS};
    struct bench_floors floors;
    double unused[2];
    size_t count = bench_plan.quick ? 40 : 800;
    bench_floors_read(report, &floors);
    for (size_t i = 0; i < CARDHOLDERS; i++)
        load.cardholders[i] =
            test_cardholder_new(market->gateway->pki, "visa", "4242424242424242", "3012", "");
    connect_to_gateway(&load);
    run(&load, 2 * CARDHOLDERS, &unused[0], &unused[1]);
    measure_memory(report, market);
    for (unsigned i = 0; i < REPEATS; i++)
        run(&load, count, &repeats.each_us[i], &repeats.cpu_us[i]);
    bench_report_repeats(report, "gatewayd: authorisations", BENCH_ROW_GATEWAY_CPU, &repeats,
                         2 * floors.verify_us + floors.open_us + 2 * floors.sign_us,
                         "2 verify, 1 open, 2 sign");
    setpay_frame_client_free(load.client);
    setpay_tls_free(load.tls);
    for (size_t i = 0; i < CARDHOLDERS; i++)
        test_cardholder_free(load.cardholders[i]);
}
