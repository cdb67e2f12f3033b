/*
 * Opening the market, its cards, and its books.
 */
#include "tests/bench/market.h"

#include "tests/bench/fail.h"

#include "common/crypto/hash.h"
#include "common/pki/csr.h"

#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BRAND "visa"
#define PAN "4242424242424242" /* the issuer's published card that approves any amount */
#define EXPIRY "3012"
#define CONNECTIONS_MAX 4096
#define ORDER_TIMEOUT_S 60

const char *const bench_stage_names[BENCH_STAGES] = {"order", "offer", "payment"};
const char *const bench_daemon_names[BENCH_DAEMONS] = {"merchantd", "gatewayd", "issuersim"};

/* ------------------------------------------------------------------ cards */

/* What the authority does with a request: the blinded account id of what it names, for its key. */
static void certify(struct bench_market *m, const struct setpay_secret *request,
                    struct bench_card *made)
{
    struct setpay_wallet_card *card = &made->card;
    struct setpay_csr csr = {0};
    struct setpay_digest account;
    char id[SETPAY_DIGEST_TEXT_SIZE];
    BENCH_OK(setpay_csr_parse(setpay_secret_view(request), &csr));
    BENCH_OK(setpay_account_id(&csr.pan_secret, &csr.pan, &csr.expiry, &account));
    struct test_party *party =
        test_party_new_for(m->gateway->pki, BRAND, SETPAY_PROFILE_CARDHOLDER_SIGN,
                           setpay_digest_format(&account, id), csr.key);
    BENCH_OK(setpay_wallet_card_check(&m->wallet.master, card, party->certificate));
    setpay_buffer_init(&card->certificate, SETPAY_LIMIT_CERTIFICATE_BYTES);
    BENCH_OK(setpay_buffer_set(&card->certificate, setpay_buffer_view(&party->der)));
    card->status = SETPAY_WALLET_CARD_ACTIVE;
    made->certificate = setpay_certificate_ref(party->certificate);
    test_party_free(party);
    setpay_csr_clear(&csr);
}

static void make_card(struct bench_market *m, const struct setpay_secret secrets[4],
                      struct bench_card *card)
{
    struct setpay_secret request = {0};
    struct setpay_problem problem = {{0}};
    const struct setpay_wallet_card_wish wish = {.brand = BRAND,
                                                 .label = "bench",
                                                 .pan = &secrets[0],
                                                 .expiry = &secrets[1],
                                                 .postcode = &secrets[2],
                                                 .house_digits = &secrets[3]};
    BENCH_OK(setpay_wallet_card_make(&m->wallet.master, &wish, setpay_clock_now_ms(), &card->card,
                                     &request, &problem));
    certify(m, &request, card);
    BENCH_OK(setpay_wallet_card_open(&m->wallet.master, &card->card, &card->secrets));
    setpay_secret_clear(&request);
}

void bench_market_add_cards(struct bench_market *m, size_t count)
{
    struct setpay_secret secrets[4] = {{0}};
    if (count <= m->card_count)
        return;
    struct bench_card *cards = realloc(m->cards, count * sizeof *cards);
    if (cards == NULL)
        BENCH_FAIL("no memory");
    m->cards = cards;
    BENCH_OK(setpay_secret_copy(&secrets[0], setpay_view_string(PAN)));
    BENCH_OK(setpay_secret_copy(&secrets[1], setpay_view_string(EXPIRY)));
    for (; m->card_count < count; m->card_count++) {
        memset(&m->cards[m->card_count], 0, sizeof *m->cards);
        make_card(m, secrets, &m->cards[m->card_count]);
    }
    for (int i = 0; i < 4; i++)
        setpay_secret_clear(&secrets[i]);
}

void bench_market_add_connections(struct bench_market *m, size_t count)
{
    const char *colon = strchr(m->merchant->api, ':');
    uint16_t port = (uint16_t)strtoul(colon + 1, NULL, 10);
    if (count <= m->api_count)
        return;
    m->api_connections = realloc(m->api_connections, count * sizeof(struct evhttp_connection *));
    if (m->api_connections == NULL)
        BENCH_FAIL("no memory");
    for (; m->api_count < count; m->api_count++) {
        struct evhttp_connection *made =
            evhttp_connection_base_new(setpay_loop_base(m->loop), NULL, "127.0.0.1", port);
        if (made == NULL)
            BENCH_FAIL("no memory");
        evhttp_connection_set_timeout(made, ORDER_TIMEOUT_S);
        m->api_connections[m->api_count] = made;
    }
}

/* ------------------------------------------------------------------ open and close */

/* The lists that the merchant has: neither side then has anything to tell the other. */
struct setpay_trust *bench_market_trust(const struct bench_market *m)
{
    const struct test_pki *pki = m->gateway->pki;
    struct setpay_trust *trust = NULL;
    char name[64];
    BENCH_OK(setpay_trust_new(setpay_buffer_view(&pki->root.der), &trust));
    for (size_t i = 0; i < pki->brand_count; i++)
        for (int kind = SETPAY_CA_BRAND; kind < SETPAY_CA_KINDS; kind++)
            BENCH_OK(setpay_trust_add_ca(trust, setpay_buffer_view(&pki->brands[i].ca[kind].der)));
    for (size_t i = 0; i <= pki->brand_count; i++)
        for (int kind = SETPAY_CA_ROOT; kind < SETPAY_CA_KINDS; kind++) {
            bool root = i == pki->brand_count;
            if (root != (kind == SETPAY_CA_ROOT))
                continue;
            size_t size = 0;
            (void)snprintf(name, sizeof name, "%s-crls/%s-%d.crl", m->merchant->daemon.name,
                           root ? "root" : pki->brands[i].name, kind);
            char *der = test_read_file(m->gateway->folder, name, &size);
            BENCH_NEED(der != NULL);
            BENCH_OK(setpay_trust_add_crl(trust, setpay_view_of((const uint8_t *)der, size),
                                          setpay_clock_now_ms()));
            free(der);
        }
    return trust;
}

static void open_wallet(struct bench_market *m)
{
    struct setpay_wallet *wallet = &m->wallet;
    const struct setpay_tls_config tls = {
        .trust = wallet->trust,
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_MERCHANT_TLS_SERVER),
    };
    wallet->loop = m->loop;
    BENCH_OK(setpay_secret_random(&wallet->master, 32));
    BENCH_OK(setpay_tls_new_client(&tls, &wallet->tls, NULL));
    const struct setpay_http_client_options options = {
        .loop = m->loop,
        .tls = wallet->tls,
        .deadline_ms = 60000,
        .max_connections = CONNECTIONS_MAX,
    };
    BENCH_OK(setpay_http_client_new(&options, &wallet->http));
}

struct bench_market *bench_market_open(void)
{
    struct bench_market *m = calloc(1, sizeof *m);
    BENCH_NEED(m != NULL);
    m->gateway = test_gateway_new_patient(30000);
    m->merchant = test_merchantd_new(m->gateway, m->gateway->frames, "10m");
    m->wallet.trust = bench_market_trust(m);
    BENCH_OK(setpay_loop_new(0, &m->loop));
    open_wallet(m);
    return m;
}

void bench_market_close(struct bench_market *m)
{
    for (size_t i = 0; i < m->api_count; i++)
        evhttp_connection_free(m->api_connections[i]);
    free(m->api_connections);
    setpay_http_client_free(m->wallet.http);
    setpay_loop_free(m->loop);
    setpay_tls_free(m->wallet.tls);
    setpay_trust_free(m->wallet.trust);
    setpay_secret_clear(&m->wallet.master);
    for (size_t i = 0; i < m->card_count; i++) {
        setpay_wallet_card_clear(&m->cards[i].card);
        setpay_wallet_card_secrets_clear(&m->cards[i].secrets);
        setpay_certificate_unref(m->cards[i].certificate);
    }
    free(m->cards);
    test_daemon_stop(&m->merchant->daemon); /* each must end in order */
    test_gateway_stop(m->gateway);
    test_gateway_stop_issuer(m->gateway);
    test_merchantd_free(m->merchant);
    test_gateway_free(m->gateway);
    free(m);
}

const struct test_daemon *bench_market_daemon(const struct bench_market *m, enum bench_daemon which)
{
    switch (which) {
    case BENCH_MERCHANT:
        return &m->merchant->daemon;
    case BENCH_GATEWAY:
        return &m->gateway->daemon;
    default:
        return &m->gateway->issuer;
    }
}

/* ------------------------------------------------------------------ the books */

void bench_market_audit(struct bench_market *m, int64_t *once, int64_t *otherwise)
{
    *once = test_daemon_number(&m->gateway->issuer,
                               "SELECT count(*) FROM (SELECT xid FROM card_authorisation"
                               " GROUP BY xid HAVING count(*) = 1 AND min(state) = 'held'"
                               " AND min(held_minor) = min(asked_minor))");
    *otherwise = test_daemon_number(&m->gateway->issuer,
                                    "SELECT count(DISTINCT xid) FROM card_authorisation") -
                 *once;
}
