/*
 * The real setpay-walletd, paying one order after another at the market, as setpay-wallet has it
 * do: an offer is asked for and checked, agreed to, signed, stored, sent, and its receipt checked.
 */
#include "tests/bench/parts.h"

#include "tests/bench/fail.h"
#include "tests/bench/held.h"
#include "tests/support/test_wallet.h"

#include <string.h>

#define REPEATS 3

static void pay(struct bench_market *market, struct test_wallet *wallet)
{
    static const char *const names[] = {"xid", "amount", "currency", "merchant_id"};
    char uri[160];
    struct test_order order = test_merchantd_order(market->merchant, 1250, "EUR", 600);
    (void)snprintf(uri, sizeof uri, "setpay://" TEST_MERCHANT_HOST "%s/pay/%s",
                   strchr(market->merchant->wallets, ':'), order.token);
    json_t *prepared = test_wallet_do(wallet, "pay.prepare", json_pack("{s:s}", "uri", uri));
    const json_t *offer = json_object_get(prepared, "offer");
    json_t *agreed = json_object();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)json_object_set(agreed, names[i], json_object_get(offer, names[i]));
    json_t *paid = test_wallet_do(wallet, "pay.confirm", agreed);
    const char *status = json_string_value(json_object_get(paid, "status"));
    if (status == NULL || strcmp(status, "authorised") != 0)
        BENCH_FAIL("setpay-walletd says \"%s\"", status == NULL ? "nothing" : status);
    market->authorised++;
    json_decref(paid);
    json_decref(prepared);
}

void bench_wallet_alone(struct bench_report *report, struct bench_market *market)
{
    struct bench_repeats repeats = {.count = REPEATS};
    struct bench_floors floors;
    size_t count = bench_plan.quick ? 3 : 40;
    struct test_wallet *wallet = test_wallet_new(market->gateway->pki, NULL);
    bench_floors_read(report, &floors);
    test_wallet_add_card(wallet, "visa", "4242424242424242", "3012", "bench");
    pay(market, wallet);
    bench_held_local(report, "walletd: memory of a local connection", wallet->daemon.pid,
                     wallet->socket);
    for (unsigned i = 0; i < REPEATS; i++) {
        struct bench_usage before, after;
        bench_usage_read(wallet->daemon.pid, &before);
        double started = bench_wall_us();
        for (size_t k = 0; k < count; k++)
            pay(market, wallet);
        repeats.each_us[i] = (bench_wall_us() - started) / (double)count;
        bench_usage_read(wallet->daemon.pid, &after);
        bench_usage_since(&before, &after);
        repeats.cpu_us[i] = (double)after.cpu_us / (double)count;
    }
    bench_report_repeats(
        report, "walletd: purchases, one after another", "walletd: CPU of a purchase", &repeats,
        3 * floors.verify_us + floors.sign_us + floors.seal_us, "3 verify, 1 sign, 1 seal");
    test_wallet_free(wallet);
}
