/*
 * Hops, pairs of connections, and what the plan says of each message.
 *
 * A pair lives from the accepted connection until both of its sides are closed and nothing of it is
 * delayed any more: a request that is held back still comes to its server when the client has long
 * given up. Who made the server's connection is the same party that made the client's: its TLS name
 * and certificate are chosen by the brand that the client named.
 */
#include "tests/support/test_proxy_internal.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <event2/thread.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLAY_LIMIT_S 3

const char *const test_proxy_brands[TEST_BRANDS] = {"visa", "mastercard"};

struct test_proxy {
    struct event_base *base;
    struct test_plan *plan;
    struct test_proxy_hop hops[TEST_HOPS];
    struct test_pairs pairs;
    struct event *sweep;
    struct event *kicked[TEST_HOPS];
    struct event *stop;
    pthread_t thread;
    bool is_running;
};

struct event_base *test_pair_base(const struct test_pair *pair)
{
    return pair->proxy->base;
}

/* ------------------------------------------------------------------ pairs */

static struct test_pair *pair_new(struct test_proxy *proxy, enum test_hop hop)
{
    struct test_pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL)
        abort();
    pair->proxy = proxy;
    pair->hop = hop;
    TAILQ_INIT(&pair->delayed);
    for (int way = 0; way < TEST_WAYS; way++) {
        pair->sides[way].pair = pair;
        pair->sides[way].way = (enum test_way)way;
        TAILQ_INIT(&pair->sides[way].waiting);
    }
    for (size_t i = 0; i < TEST_ASKED; i++)
        pair->asked[i] = (struct test_asked){.passing = TEST_OTHER, .lane = TEST_ANY_LANE};
    TAILQ_INSERT_TAIL(&proxy->pairs, pair, link);
    return pair;
}

static void pair_free(struct test_pair *pair)
{
    struct test_parcel *parcel;
    while ((parcel = TAILQ_FIRST(&pair->delayed)) != NULL) {
        TAILQ_REMOVE(&pair->delayed, parcel, link);
        event_free(parcel->timer);
        free(parcel);
    }
    for (int way = 0; way < TEST_WAYS; way++)
        test_side_clear(&pair->sides[way]);
    if (pair->limit != NULL)
        event_free(pair->limit);
    TAILQ_REMOVE(&pair->proxy->pairs, pair, link);
    free(pair);
}

static bool is_over(const struct test_pair *pair)
{
    return pair->sides[TEST_REQUEST].stream == NULL && pair->sides[TEST_ANSWER].stream == NULL &&
           TAILQ_EMPTY(&pair->delayed);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct test_proxy *proxy = arg;
    struct test_pair *next;
    (void)fd;
    (void)what;
    for (struct test_pair *pair = TAILQ_FIRST(&proxy->pairs); pair != NULL; pair = next) {
        next = TAILQ_NEXT(pair, link);
        if (is_over(pair))
            pair_free(pair);
    }
}

void test_pair_end(struct test_pair *pair)
{
    pair->is_dead = true;
    for (int way = 0; way < TEST_WAYS; way++)
        test_side_end(&pair->sides[way]);
    event_active(pair->proxy->sweep, 0, 0);
}

void test_pair_lost(struct test_pair *pair, enum test_way way)
{
    struct test_side *other = &pair->sides[way == TEST_REQUEST ? TEST_ANSWER : TEST_REQUEST];
    const struct test_parcel *parcel = TAILQ_FIRST(&pair->delayed);
    /* What is held back for the side that has gone comes nowhere; what came from it still comes. */
    while (parcel != NULL && parcel->way != way)
        parcel = TAILQ_NEXT(parcel, link);
    bool held = parcel != NULL;
    if (!held || pair->is_dead) {
        if (pair->is_stalled)
            test_side_clear(other);
        test_side_end(other);
    }
    event_active(pair->proxy->sweep, 0, 0);
}

/* ------------------------------------------------------------------ making connections */

static SSL_CTX *of_brand(SSL_CTX *const contexts[TEST_BRANDS], const char *brand)
{
    for (int i = 1; i < TEST_BRANDS; i++) {
        if (strcmp(brand, test_proxy_brands[i]) == 0 && contexts[i] != NULL)
            return contexts[i];
    }
    return contexts[0];
}

static void begin_server(struct test_pair *pair)
{
    const struct test_proxy_hop *hop = &pair->proxy->hops[pair->hop];
    struct test_side *side = &pair->sides[TEST_ANSWER];
    SSL_CTX *tls = of_brand(hop->client, pair->brand);
    side->handshake =
        test_plan_decide(pair->proxy->plan, pair->hop, TEST_REQUEST, TEST_CONNECT, TEST_ANY_LANE);
    if (side->handshake.kind == TEST_FAULT_CERTIFICATE) {
        tls = hop->wrong_client;
        side->is_false = true;
        side->handshake.kind = TEST_FAULT_NONE;
    }
    test_side_begin(side, -1, hop->to, tls, pair->hop == TEST_HOP_GATEWAY ? pair->brand : NULL);
}

void test_pair_opened(struct test_pair *pair, enum test_way way)
{
    struct test_side *client = &pair->sides[TEST_REQUEST];
    const char *name;
    if (way != TEST_REQUEST || pair->is_stalled)
        return;
    name = client->ssl == NULL ? NULL : SSL_get_servername(client->ssl, TLSEXT_NAMETYPE_host_name);
    (void)snprintf(pair->brand, sizeof pair->brand, "%s", name == NULL ? "" : name);
    begin_server(pair);
}

static SSL_CTX *wrong_server(struct test_proxy_hop *hop)
{
    SSL_CTX *wrong = hop->wrong_server[hop->wrong_shown++ % TEST_WRONGS];
    return wrong == NULL ? hop->wrong_server[0] : wrong;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int size, void *arg)
{
    struct test_proxy_hop *hop = arg;
    struct test_pair *pair = pair_new(hop->proxy, hop->hop);
    struct test_side *side = &pair->sides[TEST_REQUEST];
    SSL_CTX *tls = hop->server[0]; /* by the name that the client gives, another: on_name */
    (void)listener;
    (void)address;
    (void)size;
    side->handshake =
        test_plan_decide(hop->proxy->plan, hop->hop, TEST_ANSWER, TEST_CONNECT, TEST_ANY_LANE);
    if (side->handshake.kind == TEST_FAULT_CERTIFICATE) {
        tls = wrong_server(hop);
        side->is_false = true;
        side->handshake.kind = TEST_FAULT_NONE;
    }
    if (side->handshake.kind == TEST_FAULT_RESET) {
        const struct linger linger = {.l_onoff = 1, .l_linger = 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        close(fd);
        test_pair_end(pair);
        return;
    }
    test_side_begin(side, fd, 0, tls, NULL);
}

/* ------------------------------------------------------------------ messages */

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    struct test_parcel *parcel = arg;
    struct test_pair *pair = parcel->pair;
    const struct test_fault none = {.kind = TEST_FAULT_NONE};
    (void)fd;
    (void)what;
    struct test_side *from = &pair->sides[parcel->way];
    struct test_side *to = &pair->sides[parcel->way == TEST_REQUEST ? TEST_ANSWER : TEST_REQUEST];
    TAILQ_REMOVE(&pair->delayed, parcel, link);
    test_side_send(to, parcel->bytes, parcel->size, &none);
    test_plan_arrived(pair->proxy->plan, parcel->fault.lane);
    event_free(parcel->timer);
    free(parcel);
    if (from->stream == NULL) /* it has gone meanwhile */
        test_pair_lost(pair, from->way);
}

static void delay(struct test_pair *pair, enum test_way way, const uint8_t *bytes, size_t size,
                  const struct test_fault *fault)
{
    const struct timeval time = {.tv_sec = fault->delay_ms / 1000,
                                 .tv_usec = fault->delay_ms % 1000 * 1000};
    struct test_parcel *parcel = malloc(sizeof *parcel + size);
    if (parcel == NULL || (parcel->timer = evtimer_new(pair->proxy->base, on_due, parcel)) == NULL)
        abort();
    parcel->pair = pair;
    parcel->way = way;
    parcel->fault = *fault;
    parcel->size = size;
    memcpy(parcel->bytes, bytes, size);
    TAILQ_INSERT_TAIL(&pair->delayed, parcel, link);
    evtimer_add(parcel->timer, &time);
}

static void on_replay_over(evutil_socket_t fd, short what, void *arg)
{
    struct test_pair *pair = arg;
    (void)fd;
    (void)what;
    test_side_clear(&pair->sides[TEST_ANSWER]);
    test_pair_end(pair);
}

/* The same request on a connection of its own, whose answer nobody hears. */
static void replay(const struct test_pair *of, const uint8_t *bytes, size_t size)
{
    const struct timeval time = {.tv_sec = REPLAY_LIMIT_S};
    const struct test_fault none = {.kind = TEST_FAULT_NONE};
    struct test_pair *pair = pair_new(of->proxy, of->hop);
    memcpy(pair->brand, of->brand, sizeof pair->brand);
    begin_server(pair);
    test_side_send(&pair->sides[TEST_ANSWER], bytes, size, &none);
    pair->limit = evtimer_new(pair->proxy->base, on_replay_over, pair);
    if (pair->limit == NULL)
        abort();
    evtimer_add(pair->limit, &time);
}

static void pass(struct test_pair *pair, enum test_way way, const uint8_t *bytes, size_t size)
{
    struct test_side *from = &pair->sides[way];
    struct test_side *to = &pair->sides[way == TEST_REQUEST ? TEST_ANSWER : TEST_REQUEST];
    int lane = TEST_ANY_LANE;
    enum test_passing passing =
        test_message_classify(pair, pair->proxy->plan, way, bytes, size, &lane);
    struct test_fault fault = test_plan_decide(pair->proxy->plan, pair->hop, way, passing, lane);
    pair->is_busy = way == TEST_REQUEST || fault.kind == TEST_FAULT_DELAY;
    switch (fault.kind) {
    case TEST_FAULT_DROP:
        break;
    case TEST_FAULT_DELAY:
        delay(pair, way, bytes, size, &fault);
        break;
    case TEST_FAULT_REPLAY:
        replay(pair, bytes, size);
        test_side_send(to, bytes, size, &fault);
        break;
    case TEST_FAULT_DUPLICATE:
        test_side_send(to, bytes, size, &fault);
        test_side_send(to, bytes, size, &fault);
        break;
    case TEST_FAULT_RESET:
        test_side_reset(to);
        test_side_reset(from);
        test_pair_end(pair);
        break;
    case TEST_FAULT_RESET_AFTER:
        test_side_send(to, bytes, size, &fault);
        test_side_reset(from);
        test_pair_lost(pair, way);
        break;
    case TEST_FAULT_STALL:
        pair->is_stalled = true;
        break;
    default: /* nothing, or spoilt on the wire */
        test_side_send(to, bytes, size, &fault);
        break;
    }
}

void test_pair_came(struct test_pair *pair, enum test_way way)
{
    struct test_side *side = &pair->sides[way];
    size_t size;
    while (!pair->is_dead && !pair->is_stalled && side->stream != NULL && !side->ends &&
           (size = test_message_size(pair->hop, side->input)) > 0) {
        uint8_t *bytes = malloc(size);
        if (bytes == NULL || evbuffer_remove(side->input, bytes, size) != (int)size)
            abort();
        if (side->is_false) /* who does not believe the certificate says nothing */
            test_plan_believes(pair->proxy->plan, pair->hop);
        if (pair->limit != NULL) /* a replay's answer */
            test_pair_end(pair);
        else
            pass(pair, way, bytes, size);
        free(bytes);
    }
}

/* ------------------------------------------------------------------ TLS */

static int take_any(int good, X509_STORE_CTX *context)
{
    (void)good;
    (void)context;
    return 1;
}

/* With the certificate DIR/NAME.pem and its key, or none. */
static SSL_CTX *context_new(bool is_server, const char *dir, const char *name)
{
    char path[512];
    SSL_CTX *context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1)
        abort();
    if (name != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s.pem", dir, name);
        bool good = SSL_CTX_use_certificate_chain_file(context, path) == 1;
        (void)snprintf(path, sizeof path, "%s/%s.key", dir, name);
        if (!good || SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) != 1) {
            fprintf(stderr, "%s can't be used\n", path);
            abort();
        }
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    if (is_server && SSL_CTX_set_session_id_context(context, (const uint8_t *)"proxy", 5) != 1)
        abort();
    return context;
}

/* A gateway shows the certificate of the brand that the merchant names. */
static int on_name(SSL *ssl, int *alert, void *arg)
{
    const struct test_proxy_hop *hop = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    if (name != NULL)
        SSL_set_SSL_CTX(ssl, of_brand(hop->server, name));
    return SSL_TLSEXT_ERR_OK;
}

/* As a card network has it: the gateway must show a certificate of the network's. */
static SSL_CTX *network_context(const char *dir, const char *name)
{
    char root[512];
    SSL_CTX *context = context_new(true, dir, name);
    (void)snprintf(root, sizeof root, "%s/root.pem", dir);
    if (SSL_CTX_load_verify_file(context, root) != 1)
        abort();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return context;
}

static void load_network_keys(struct test_proxy_hop *issuer, const char *dir)
{
    char network[256];
    (void)snprintf(network, sizeof network, "%s/network", dir);
    issuer->server[0] = network_context(network, "issuer");
    issuer->wrong_server[0] = network_context(network, "other-host");
    issuer->wrong_server[1] = network_context(network, "stranger");
    issuer->client[0] = context_new(false, NULL, NULL);
}

static void load_keys(struct test_proxy *proxy, const char *dir)
{
    struct test_proxy_hop *wallet = &proxy->hops[TEST_HOP_WALLET];
    struct test_proxy_hop *gateway = &proxy->hops[TEST_HOP_GATEWAY];
    char merchants[256], gateways[256];
    for (int i = 0; i < TEST_BRANDS; i++) {
        (void)snprintf(merchants, sizeof merchants, "%s/merchant/%s", dir, test_proxy_brands[i]);
        (void)snprintf(gateways, sizeof gateways, "%s/gateway/%s", dir, test_proxy_brands[i]);
        gateway->server[i] = context_new(true, gateways, "tls-server");
        gateway->client[i] = context_new(false, merchants, "tls-client");
        /* Both have a certificate, and the gateway wants to see the merchant's. */
        SSL_CTX_set_verify(gateway->server[i], SSL_VERIFY_PEER, take_any);
    }
    SSL_CTX_set_tlsext_servername_callback(gateway->server[0], on_name);
    SSL_CTX_set_tlsext_servername_arg(gateway->server[0], gateway);
    (void)snprintf(merchants, sizeof merchants, "%s/merchant/visa", dir);
    (void)snprintf(gateways, sizeof gateways, "%s/gateway/visa", dir);
    wallet->server[0] = context_new(true, merchants, "tls-server");
    wallet->client[0] = context_new(false, NULL, NULL);
    wallet->wrong_server[0] = context_new(true, gateways, "tls-server");
    gateway->wrong_server[0] = context_new(true, merchants, "tls-server");
    gateway->wrong_client = context_new(false, gateways, "tls-server");
    load_network_keys(&proxy->hops[TEST_HOP_ISSUER], dir);
}

static void contexts_free(struct test_proxy_hop *hop)
{
    for (int i = 0; i < TEST_BRANDS; i++) {
        SSL_CTX_free(hop->server[i]);
        SSL_CTX_free(hop->client[i]);
    }
    for (int i = 0; i < TEST_WRONGS; i++)
        SSL_CTX_free(hop->wrong_server[i]);
    SSL_CTX_free(hop->wrong_client);
}

/* ------------------------------------------------------------------ the proxy */

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    const struct test_proxy_hop *hop = arg;
    struct test_pair *next;
    (void)fd;
    (void)what;
    for (struct test_pair *pair = TAILQ_FIRST(&hop->proxy->pairs); pair != NULL; pair = next) {
        next = TAILQ_NEXT(pair, link);
        if (pair->hop == hop->hop && pair->limit == NULL &&
            (hop->hop != TEST_HOP_WALLET || !pair->is_busy))
            test_pair_end(pair);
    }
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct test_proxy *proxy = arg;
    (void)fd;
    (void)what;
    event_base_loopbreak(proxy->base);
}

static void hop_listen(struct test_proxy *proxy, enum test_hop number)
{
    struct test_proxy_hop *hop = &proxy->hops[number];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    hop->proxy = proxy;
    hop->hop = number;
    hop->listener =
        evconnlistener_new_bind(proxy->base, on_accept, hop,
                                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED,
                                128, (const struct sockaddr *)&address, sizeof address);
    if (hop->listener == NULL ||
        getsockname(evconnlistener_get_fd(hop->listener), (struct sockaddr *)&address, &size) != 0)
        abort();
    hop->port = ntohs(address.sin_port);
    proxy->kicked[number] = event_new(proxy->base, -1, EV_PERSIST, on_kick, hop);
    if (proxy->kicked[number] == NULL)
        abort();
}

struct test_proxy *test_proxy_new(struct test_plan *plan)
{
    struct test_proxy *proxy = calloc(1, sizeof *proxy);
    if (proxy == NULL || evthread_use_pthreads() != 0 || (proxy->base = event_base_new()) == NULL)
        abort();
    proxy->plan = plan;
    TAILQ_INIT(&proxy->pairs);
    proxy->sweep = event_new(proxy->base, -1, EV_PERSIST, on_sweep, proxy);
    proxy->stop = event_new(proxy->base, -1, EV_PERSIST, on_stop, proxy);
    if (proxy->sweep == NULL || proxy->stop == NULL)
        abort();
    for (int hop = 0; hop < TEST_HOPS; hop++)
        hop_listen(proxy, (enum test_hop)hop);
    return proxy;
}

uint16_t test_proxy_port(const struct test_proxy *proxy, enum test_hop hop)
{
    return proxy->hops[hop].port;
}

static void *run(void *arg)
{
    struct test_proxy *proxy = arg;
    event_base_loop(proxy->base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

void test_proxy_start(struct test_proxy *proxy, const char *sandbox_dir,
                      const uint16_t to[TEST_HOPS])
{
    load_keys(proxy, sandbox_dir);
    for (int hop = 0; hop < TEST_HOPS; hop++) {
        proxy->hops[hop].to = to[hop];
        evconnlistener_enable(proxy->hops[hop].listener);
    }
    if (pthread_create(&proxy->thread, NULL, run, proxy) != 0)
        abort();
    proxy->is_running = true;
}

void test_proxy_kick(struct test_proxy *proxy, enum test_hop hop)
{
    event_active(proxy->kicked[hop], 0, 0);
}

void test_proxy_free(struct test_proxy *proxy)
{
    if (proxy == NULL)
        return;
    if (proxy->is_running) {
        event_active(proxy->stop, 0, 0);
        pthread_join(proxy->thread, NULL);
    }
    struct test_pair *next;
    for (struct test_pair *pair = TAILQ_FIRST(&proxy->pairs); pair != NULL; pair = next) {
        next = TAILQ_NEXT(pair, link);
        pair_free(pair);
    }
    for (int hop = 0; hop < TEST_HOPS; hop++) {
        evconnlistener_free(proxy->hops[hop].listener);
        event_free(proxy->kicked[hop]);
        contexts_free(&proxy->hops[hop]);
    }
    event_free(proxy->sweep);
    event_free(proxy->stop);
    event_base_free(proxy->base);
    free(proxy);
}
