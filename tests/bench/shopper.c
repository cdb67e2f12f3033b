/*
 * The shoppers of a load: each goes through order, offer and payment again and again, all on one
 * loop.
 */
#include "tests/bench/fail.h"
#include "tests/bench/market.h"
#include "tests/bench/measure.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AMOUNT_MINOR 1250

struct load {
    struct bench_market *market;
    const struct bench_load *wish;
    int64_t started_us, ended_us;
    int64_t begun, ended, limit; /* purchases */
    size_t going;                /* shoppers */
    int64_t *whole_us;           /* of each purchase */
    int64_t *stages_us[BENCH_STAGES];
    int64_t room;
};

struct shopper {
    struct load *load;
    size_t number;
    struct evhttp_connection *api;
    const struct bench_card *card;
    struct setpay_wallet_prepared *offer;
    struct setpay_wallet_purchase purchase;
    int64_t begun_us, stage_us, stages_us[BENCH_STAGES];
};

static void begin(struct shopper *shopper);

/* ------------------------------------------------------------------ the end of one */

static void end_stage(struct shopper *shopper, int stage)
{
    int64_t now_us = setpay_clock_monotonic_us();
    shopper->stages_us[stage] = now_us - shopper->stage_us;
    shopper->stage_us = now_us;
}

static void keep(struct load *load, const struct shopper *shopper)
{
    if (load->ended == load->room) {
        load->room = load->room == 0 ? 1024 : 2 * load->room;
        size_t size = (size_t)load->room * sizeof *load->whole_us;
        load->whole_us = realloc(load->whole_us, size);
        bool short_of = load->whole_us == NULL;
        for (int i = 0; i < BENCH_STAGES; i++) {
            load->stages_us[i] = realloc(load->stages_us[i], size);
            short_of = short_of || load->stages_us[i] == NULL;
        }
        if (short_of)
            BENCH_FAIL("no memory");
    }
    load->whole_us[load->ended] = shopper->stage_us - shopper->begun_us;
    for (int i = 0; i < BENCH_STAGES; i++)
        load->stages_us[i][load->ended] = shopper->stages_us[i];
    load->ended++;
}

static void end(struct shopper *shopper)
{
    keep(shopper->load, shopper);
    setpay_wallet_prepared_free(shopper->offer);
    shopper->offer = NULL;
    setpay_wallet_purchase_clear(&shopper->purchase);
    begin(shopper);
}

/* ------------------------------------------------------------------ payment */

/* As the wallet takes an answer: approved whole, by the receipt of the gateway itself. */
static void take_pres(struct shopper *shopper, const struct setpay_message *message)
{
    struct setpay_wallet *wallet = &shopper->load->market->wallet;
    struct setpay_wallet_purchase *purchase = &shopper->purchase;
    struct setpay_asked asked = {.rrpid = purchase->rrpid,
                                 .request_hash = purchase->request_hash,
                                 .has_answerer = true,
                                 .has_asker = true,
                                 .asker = purchase->cardholder};
    struct setpay_certificate *merchant = NULL;
    struct setpay_secret back_key = {0};
    struct setpay_wallet_decision decision = {0};
    struct setpay_pres pres;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    BENCH_OK(setpay_message_authenticate(message, wallet->trust, SETPAY_PROFILE_MERCHANT_SIGN,
                                         purchase->brand, now_ms, &merchant));
    setpay_wallet_expect_signer(purchase, false, merchant, &asked);
    setpay_certificate_unref(merchant);
    BENCH_OK(setpay_pres_parse(message->content, &pres));
    BENCH_OK(setpay_wallet_answer_check(purchase, &asked, &purchase->chall_c, message, &pres));
    BENCH_OK(setpay_wallet_box_open(&wallet->master, "back key", &purchase->xid,
                                    setpay_buffer_view(&purchase->back_key_box), &back_key));
    BENCH_OK(setpay_wallet_answer_decide(purchase, &pres, &back_key, shopper->offer->gateway_sign,
                                         now_ms, &decision));
    if (decision.state != SETPAY_WALLET_AUTHORISED || decision.disagreement[0] != '\0' ||
        decision.sums.authorised_minor != AMOUNT_MINOR)
        BENCH_FAIL("a purchase is %s: %s %s", setpay_wallet_state_name(decision.state),
                   decision.action_code, decision.disagreement);
    setpay_wallet_decision_clear(&decision);
    setpay_secret_clear(&back_key);
    setpay_pres_clear(&pres);
}

static void need_type(const struct setpay_message *message, enum setpay_message_type type)
{
    if (message->type != type)
        BENCH_FAIL("instead of %s came %s: see the merchant's log", setpay_message_type_name(type),
                   setpay_message_type_name(message->type));
}

static void on_pres(void *arg, const struct setpay_http_answer *answer)
{
    struct shopper *shopper = arg;
    struct setpay_message message;
    BENCH_OK(setpay_wallet_receive(answer, &message));
    need_type(&message, SETPAY_MESSAGE_P_RES);
    take_pres(shopper, &message);
    setpay_message_clear(&message);
    end_stage(shopper, 2);
    shopper->load->market->authorised++;
    end(shopper);
}

/* ------------------------------------------------------------------ offer */

static void on_offer(void *arg, const struct setpay_http_answer *answer)
{
    static const struct setpay_secret no_code = {0};
    struct shopper *shopper = arg;
    struct load *load = shopper->load;
    struct setpay_wallet *wallet = &load->market->wallet;
    struct setpay_wallet_prepared *offer = shopper->offer;
    struct setpay_message message;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    BENCH_OK(setpay_wallet_receive(answer, &message));
    need_type(&message, SETPAY_MESSAGE_PINIT_RES);
    BENCH_OK(setpay_wallet_offer_verify(wallet->trust, &message, answer->peer, now_ms, offer));
    BENCH_OK(setpay_buffer_set(&offer->bytes, answer->body));
    setpay_message_clear(&message);
    end_stage(shopper, 1);
    if (load->wish->depth == BENCH_OFFERS) {
        end(shopper);
        return;
    }
    const struct setpay_wallet_signer signer = {.card = &shopper->card->card,
                                                .secrets = &shopper->card->secrets,
                                                .certificate = shopper->card->certificate};
    BENCH_OK(
        setpay_wallet_sign_opened(wallet, offer, &signer, &no_code, now_ms, &shopper->purchase));
    BENCH_OK(setpay_wallet_post(wallet, &offer->question.link,
                                setpay_buffer_view(&shopper->purchase.preq), on_pres, shopper,
                                NULL));
}

static void ask_offer(struct shopper *shopper, const char *pay_uri)
{
    struct setpay_wallet *wallet = &shopper->load->market->wallet;
    struct setpay_problem problem = {{0}};
    struct setpay_buffer bytes = {0};
    struct setpay_wallet_prepared *offer = calloc(1, sizeof *offer);
    if (offer == NULL)
        BENCH_FAIL("no memory");
    shopper->offer = offer;
    setpay_buffer_init(&offer->bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    BENCH_OK(setpay_wallet_link_parse(pay_uri, &offer->question.link, &problem));
    offer->card = shopper->card->card.id;
    memcpy(offer->question.brand, shopper->card->card.brand, sizeof shopper->card->card.brand);
    BENCH_OK(setpay_wallet_question_build(&offer->question, wallet->trust, setpay_clock_now_ms(),
                                          &bytes));
    BENCH_OK(setpay_wallet_post(wallet, &offer->question.link, setpay_buffer_view(&bytes), on_offer,
                                shopper, NULL));
    setpay_buffer_clear(&bytes);
}

/* ------------------------------------------------------------------ order */

static void on_order(struct evhttp_request *request, void *arg)
{
    struct shopper *shopper = arg;
    if (request == NULL || evhttp_request_get_response_code(request) != 201)
        BENCH_FAIL("POST /orders: status %d: see the merchant's log",
                   request == NULL ? 0 : evhttp_request_get_response_code(request));
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    size_t size = evbuffer_get_length(body);
    json_t *order = json_loadb((const char *)evbuffer_pullup(body, -1), size, 0, NULL);
    const char *uri = json_string_value(json_object_get(order, "pay_uri"));
    if (uri == NULL)
        BENCH_FAIL("POST /orders: no pay_uri came");
    end_stage(shopper, 0);
    if (shopper->load->wish->depth == BENCH_ORDERS)
        end(shopper);
    else
        ask_offer(shopper, uri);
    json_decref(order);
}

static void make_order(struct shopper *shopper)
{
    static uint64_t last_key;
    const struct test_merchantd *merchant = shopper->load->market->merchant;
    char text[160];
    struct evhttp_request *request = evhttp_request_new(on_order, shopper);
    if (request == NULL)
        BENCH_FAIL("no memory");
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    (void)snprintf(text, sizeof text, "Bearer %s", merchant->token);
    int bad = evhttp_add_header(headers, "Authorization", text);
    (void)snprintf(text, sizeof text, "bench-%d-%llu", (int)getpid(),
                   (unsigned long long)++last_key);
    bad |= evhttp_add_header(headers, "Idempotency-Key", text);
    bad |= evhttp_add_header(headers, "Host", "localhost");
    bad |= evhttp_add_header(headers, "Content-Type", "application/json");
    bad |= evbuffer_add_printf(evhttp_request_get_output_buffer(request),
                               "{\"description\":\"bench\",\"amount\":%d,\"currency\":\"EUR\"}",
                               AMOUNT_MINOR) < 0;
    if (bad || evhttp_make_request(shopper->api, request, EVHTTP_REQ_POST, "/api/v1/orders") != 0)
        BENCH_FAIL("POST /orders can't be sent");
}

/* ------------------------------------------------------------------ again and again */

static void begin(struct shopper *shopper)
{
    struct load *load = shopper->load;
    int64_t now_us = setpay_clock_monotonic_us();
    bool over =
        (load->limit > 0 && load->begun == load->limit) ||
        (load->wish->limit_ms > 0 && now_us - load->started_us >= load->wish->limit_ms * 1000);
    if (over) {
        if (--load->going == 0) {
            load->ended_us = now_us;
            (void)event_base_loopbreak(setpay_loop_base(load->market->loop));
        }
        return;
    }
    size_t card = load->wish->first_seen ? (size_t)load->begun : shopper->number;
    shopper->card = &load->market->cards[load->wish->first_card + card];
    load->begun++;
    shopper->begun_us = shopper->stage_us = now_us;
    memset(shopper->stages_us, 0, sizeof shopper->stages_us);
    setpay_wallet_purchase_init(&shopper->purchase);
    make_order(shopper);
}

static void run_shoppers(struct load *load, struct shopper *shoppers)
{
    /* Connections that the merchant has closed as idle meanwhile are noticed before they are used.
     */
    for (int i = 0; i < 4; i++)
        (void)event_base_loop(setpay_loop_base(load->market->loop), EVLOOP_NONBLOCK);
    load->started_us = setpay_clock_monotonic_us();
    load->going = load->wish->shoppers;
    for (size_t i = 0; i < load->wish->shoppers; i++) {
        shoppers[i] =
            (struct shopper){.load = load, .number = i, .api = load->market->api_connections[i]};
        begin(&shoppers[i]);
    }
    BENCH_OK(setpay_loop_run(load->market->loop));
}

static void report(struct load *load, struct bench_found *found)
{
    found->count = load->ended;
    found->seconds = (double)(load->ended_us - load->started_us) / 1e6;
    found->p50_us = bench_percentile(load->whole_us, load->ended, 50);
    found->p99_us = bench_percentile(load->whole_us, load->ended, 99);
    for (int i = 0; i < BENCH_STAGES; i++)
        found->stage_p50_us[i] = bench_percentile(load->stages_us[i], load->ended, 50);
}

void bench_market_run(struct bench_market *market, const struct bench_load *wish,
                      struct bench_found *found)
{
    struct load load = {.market = market, .wish = wish, .limit = wish->count};
    struct bench_usage before[BENCH_DAEMONS], own_before, own;
    size_t cards = wish->first_seen ? (size_t)wish->count : wish->shoppers;
    struct shopper *shoppers = calloc(wish->shoppers, sizeof *shoppers);
    if (shoppers == NULL)
        BENCH_FAIL("no memory");
    memset(found, 0, sizeof *found);
    bench_market_add_cards(market, wish->first_card + cards);
    bench_market_add_connections(market, wish->shoppers);
    for (int i = 0; i < BENCH_DAEMONS; i++)
        bench_usage_read(bench_market_daemon(market, (enum bench_daemon)i)->pid, &before[i]);
    bench_usage_read(getpid(), &own_before);
    run_shoppers(&load, shoppers);
    bench_usage_read(getpid(), &own);
    bench_usage_since(&own_before, &own);
    for (int i = 0; i < BENCH_DAEMONS; i++) {
        pid_t pid = bench_market_daemon(market, (enum bench_daemon)i)->pid;
        bench_usage_read(pid, &found->daemons[i]);
        bench_usage_since(&before[i], &found->daemons[i]);
        found->memory_kib[i] = bench_memory_kib(pid);
    }
    report(&load, found);
    found->shoppers_us = (double)own.cpu_us / (double)load.ended;
    free(load.whole_us);
    for (int i = 0; i < BENCH_STAGES; i++)
        free(load.stages_us[i]);
    free(shoppers);
}
