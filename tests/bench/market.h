/*
 * The market that whole purchases are made at: the real setpay-gatewayd, setpay-merchantd and
 * setpay-issuersim on loopback (tests/support), and any number of shoppers in this process.
 *
 * A shopper is the wallet's own heart (cardholder/: question, offer, signature, answer) over
 * setpay's own HTTPS client, with a card, key, PANSecret and certificate of its own. Every purchase
 * is genuine and its own: an order from the merchant's API, an offer asked for, checked and signed,
 * a gateway's receipt opened and checked. What is not as it should be ends the program.
 */
#ifndef SETPAY_BENCH_MARKET_H
#define SETPAY_BENCH_MARKET_H

#include "cardholder/wallet.h"
#include "tests/bench/usage.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_merchant.h"

struct evhttp_connection;

/* How far each goes before it begins anew. */
enum bench_depth { BENCH_ORDERS, BENCH_OFFERS, BENCH_PURCHASES };

#define BENCH_STAGES 3 /* order, offer, payment */
extern const char *const bench_stage_names[BENCH_STAGES];

enum bench_daemon { BENCH_MERCHANT, BENCH_GATEWAY, BENCH_ISSUER, BENCH_DAEMONS };
extern const char *const bench_daemon_names[BENCH_DAEMONS];

/* A card, as an unlocked wallet holds it open. */
struct bench_card {
    struct setpay_wallet_card card;
    struct setpay_wallet_card_secrets secrets;
    struct setpay_certificate *certificate;
};

struct bench_market {
    struct test_gateway *gateway;
    struct test_merchantd *merchant;
    struct setpay_loop *loop;
    struct setpay_wallet wallet; /* what the shoppers' hearts share: trust, connections */
    struct bench_card *cards;
    size_t card_count;
    struct evhttp_connection **api_connections; /* a shopper's own, to the merchant's API */
    size_t api_count;
    double stages_us[BENCH_STAGES][BENCH_DAEMONS]; /* CPU up to and with each, once measured */
    int64_t authorised;                            /* purchases, since it was opened */
};

struct bench_market *bench_market_open(void);
void bench_market_close(struct bench_market *market);
/* A new one that knows all authorities and their lists, and no leaf; the caller's. */
struct setpay_trust *bench_market_trust(const struct bench_market *market);
/* Sees to it that there are so many cards, each with a certificate of the market's authority. */
void bench_market_add_cards(struct bench_market *market, size_t count);
void bench_market_add_connections(struct bench_market *market, size_t count);
const struct test_daemon *bench_market_daemon(const struct bench_market *market,
                                              enum bench_daemon which);

/* What is to be done. */
struct bench_load {
    enum bench_depth depth;
    size_t shoppers;   /* at once */
    int64_t limit_ms;  /* no new purchase after that; 0: until count are made */
    int64_t count;     /* at most; 0: as many as there is time for */
    size_t first_card; /* shoppers (or purchases, if first_seen) take cards from there on */
    bool first_seen;   /* each purchase with a card that nobody has seen */
};

/* What was found. */
struct bench_found {
    int64_t count;
    double seconds;
    int64_t p50_us, p99_us;
    int64_t stage_p50_us[BENCH_STAGES];
    struct bench_usage daemons[BENCH_DAEMONS]; /* differences */
    double shoppers_us;                        /* CPU of this process, each */
    int64_t memory_kib[BENCH_DAEMONS];         /* resident, at the end */
};
void bench_market_run(struct bench_market *market, const struct bench_load *load,
                      struct bench_found *found);

/* Purchases that are authorised exactly once in the issuer's books, and those that are there
 * otherwise. */
void bench_market_audit(struct bench_market *market, int64_t *once, int64_t *otherwise);

#endif
