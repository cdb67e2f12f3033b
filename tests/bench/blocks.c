/*
 * Each block is called as the parties call it. A chain is cold where nothing was ever seen of it
 * (a trust of its own each time), leaf-cold where its authorities are known and the cardholder is
 * new, cached where it was verified before.
 */
#include "tests/bench/blocks.h"

#include "common/crypto/dual.h"
#include "common/crypto/envelope.h"
#include "common/crypto/hash.h"
#include "common/wire/purchase.h"
#include "tests/bench/fail.h"
#include "tests/bench/floors.h"
#include "tests/support/test_purchase.h"

#include <string.h>

#define PLAINTEXT_SIZE 300
#define LEAVES 64
#define RUNS_MAX 32

struct bench {
    struct bench_market *market;
    const struct test_party *gateway; /* its encryption */
    const struct bench_card *card;
    struct setpay_digest pomd;
    struct setpay_buffer ds, envelope, message, content;
    struct setpay_envelope_key *opener;
    struct setpay_oi oi;
    struct setpay_digest salt;
};

/* ------------------------------------------------------------------ signatures, envelopes */

static void dual_sign(void *arg)
{
    struct bench *b = arg;
    BENCH_OK(setpay_dual_sign(b->card->secrets.key, SETPAY_SUITE,
                              setpay_certificate_thumbprint(b->card->certificate), &b->pomd,
                              &b->ds));
}

static void dual_verify(void *arg)
{
    struct bench *b = arg;
    BENCH_OK(setpay_dual_verify(setpay_certificate_key(b->card->certificate), SETPAY_SUITE,
                                setpay_certificate_thumbprint(b->card->certificate), &b->pomd,
                                setpay_buffer_view(&b->ds)));
}

static void seal(void *arg)
{
    static const uint8_t plain[PLAINTEXT_SIZE];
    struct bench *b = arg;
    BENCH_OK(setpay_envelope_seal(b->gateway->x509, SETPAY_VIEW_ARRAY(plain), &b->envelope));
}

static void open_sealed(void *arg)
{
    struct bench *b = arg;
    struct setpay_secret plain = {0};
    BENCH_OK(setpay_envelope_open(b->opener, setpay_buffer_view(&b->envelope), &plain));
    setpay_secret_clear(&plain);
}

/* ------------------------------------------------------------------ chains */

static void verify_chain(struct bench *b, struct setpay_trust *trust)
{
    struct setpay_certificate *found = NULL;
    const struct test_party *merchant = b->market->gateway->shop[0].sign;
    BENCH_OK(setpay_trust_verify(trust, setpay_buffer_view(&merchant->der), merchant->chain,
                                 SETPAY_CHAIN_CAS, SETPAY_PROFILE_MERCHANT_SIGN, "visa",
                                 setpay_clock_now_ms(), &found));
    setpay_certificate_unref(found);
}

static void chain_cold(void *arg)
{
    struct bench *b = arg;
    struct setpay_trust *trust = bench_market_trust(b->market);
    verify_chain(b, trust);
    setpay_trust_free(trust);
}

static void chain_cached(void *arg)
{
    struct bench *b = arg;
    verify_chain(b, b->market->wallet.trust);
}

/* Of leaves that are new to a trust which knows their authorities. */
static void measure_new_leaves(struct bench *b, struct bench_timing *timing)
{
    double values[RUNS_MAX];
    unsigned runs = bench_plan.runs < RUNS_MAX ? bench_plan.runs : RUNS_MAX;
    for (unsigned run = 0; run < runs; run++) {
        struct setpay_trust *trust = bench_market_trust(b->market);
        double started = 0;
        for (size_t i = 0; i <= LEAVES; i++) {
            struct setpay_certificate *found = NULL;
            if (i == 1) /* what is above the first holds for all */
                started = bench_cpu_us();
            BENCH_OK(setpay_trust_verify(
                trust, setpay_certificate_der(b->market->cards[i].certificate), NULL, 0,
                SETPAY_PROFILE_CARDHOLDER_SIGN, "visa", setpay_clock_now_ms(), &found));
            setpay_certificate_unref(found);
        }
        values[run] = (bench_cpu_us() - started) / LEAVES;
        setpay_trust_free(trust);
    }
    bench_timing_of(values, runs, timing);
}

/* ------------------------------------------------------------------ messages */

static void pack(void *arg)
{
    struct bench *b = arg;
    const struct setpay_message_parts parts = {
        .type = SETPAY_MESSAGE_P_REQ,
        .content = setpay_buffer_view(&b->content),
        .envelope = setpay_buffer_view(&b->envelope),
    };
    BENCH_OK(setpay_message_build(&parts, &b->message));
}

static void unpack(void *arg)
{
    struct bench *b = arg;
    struct setpay_message message;
    BENCH_OK(setpay_message_parse(setpay_buffer_view(&b->message), &message));
    setpay_message_clear(&message);
}

static void order_digest(void *arg)
{
    struct bench *b = arg;
    struct setpay_buffer bytes;
    struct setpay_digest oimd;
    setpay_buffer_init(&bytes, SETPAY_LIMIT_CONTENT_BYTES);
    BENCH_OK(setpay_oi_build(&b->oi, &bytes));
    BENCH_OK(setpay_dual_oimd(setpay_digest_view(&b->salt), setpay_buffer_view(&bytes), &oimd));
    setpay_buffer_clear(&bytes);
}

/* ------------------------------------------------------------------ all */

static void set_up(struct bench *b, struct bench_market *market)
{
    memset(b, 0, sizeof *b);
    b->market = market;
    b->gateway = market->gateway->encrypt[0];
    bench_market_add_cards(market, LEAVES + 1);
    b->card = &market->cards[0];
    setpay_buffer_init(&b->ds, SETPAY_SIGNATURE_MAX);
    setpay_buffer_init(&b->envelope, SETPAY_LIMIT_ENVELOPE_BYTES);
    setpay_buffer_init(&b->message, SETPAY_LIMIT_MESSAGE_BYTES);
    setpay_buffer_init(&b->content, SETPAY_LIMIT_CONTENT_BYTES);
    BENCH_OK(setpay_digest_random(&b->pomd));
    BENCH_OK(setpay_envelope_key_new(b->gateway->key, b->gateway->x509, &b->opener));
    BENCH_OK(setpay_digest_random(&b->salt));
    /* A real PReq, for its size and fields. */
    struct test_cardholder *cardholder =
        test_cardholder_new(market->gateway->pki, "visa", "4242424242424242", "3012", "");
    const struct test_purchase_parties parties = test_gateway_parties(market->gateway, 0);
    struct test_purchase *purchase =
        test_purchase_new(&parties, cardholder, 1250, "EUR", setpay_clock_now_ms());
    struct setpay_message message;
    test_purchase_sign(purchase);
    test_purchase_preq(purchase, &b->message);
    BENCH_OK(setpay_message_parse(setpay_buffer_view(&b->message), &message));
    BENCH_OK(setpay_buffer_set(&b->content, message.content));
    setpay_message_clear(&message);
    b->oi = purchase->oi;
    test_purchase_free(purchase);
    test_cardholder_free(cardholder);
}

static void tear_down(struct bench *b)
{
    setpay_buffer_clear(&b->ds);
    setpay_buffer_clear(&b->envelope);
    setpay_buffer_clear(&b->message);
    setpay_buffer_clear(&b->content);
    setpay_envelope_key_free(b->opener);
}

void bench_blocks(struct bench_report *report, struct bench_market *market)
{
    struct bench b;
    struct bench_timing t;
    double sign_us = bench_report_value(report, BENCH_ROW_SIGN);
    double verify_us = bench_report_value(report, BENCH_ROW_VERIFY);
    double parse_us = bench_report_value(report, BENCH_ROW_PARSE);
    const struct {
        const char *name;
        bench_fn *fn;
        double floor_us;
        const char *floor;
    } pieces[] = {
        {"dual signature made", dual_sign, sign_us, "1 sign"},
        {"dual signature verified", dual_verify, verify_us, "1 verify"},
        {"instruction sealed", seal, bench_report_value(report, BENCH_ROW_SEAL), "1 seal"},
        {"instruction opened", open_sealed, bench_report_value(report, BENCH_ROW_OPEN), "1 open"},
        {"chain, nothing known yet", chain_cold, 0, ""},
        {"chain, verified before", chain_cached, 0, ""},
        {"message packed", pack, 0, ""},
        {"message unpacked and checked", unpack, 0, ""},
        {"order packed and digested", order_digest, 0, ""},
    };
    set_up(&b, market);
    bench_report_section(report, "setpay's building blocks (CPU)");
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        bench_measure(pieces[i].fn, &b, BENCH_CPU, &t);
        bench_report_time(report, pieces[i].name, &t, pieces[i].floor_us, pieces[i].floor);
    }
    measure_new_leaves(&b, &t);
    bench_report_time(report, BENCH_ROW_NEW_LEAF, &t, parse_us + verify_us, "1 parse, 1 verify");
    tear_down(&b);
}
