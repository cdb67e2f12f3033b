/* What the proxy's files share. Everything here belongs to the proxy's thread. */
#ifndef SETPAY_TEST_PROXY_INTERNAL_H
#define SETPAY_TEST_PROXY_INTERNAL_H

#include "tests/support/test_proxy.h"

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct bufferevent;
struct evbuffer;
struct test_pair;

/* Bytes that wait: for a side to be open, or for their time. */
struct test_parcel {
    TAILQ_ENTRY(test_parcel) link;
    struct test_pair *pair;
    enum test_way way;
    struct event *timer; /* of a delayed one */
    struct test_fault fault;
    size_t size;
    uint8_t bytes[];
};
TAILQ_HEAD(test_parcels, test_parcel);

/* One of a pair's two connections: what comes in from it goes way. */
struct test_side {
    struct test_pair *pair;
    enum test_way way;
    struct bufferevent *stream; /* NULL: not there (any more) */
    SSL *ssl;                   /* NULL: plain */
    struct evbuffer *input;     /* decrypted, not yet a whole message */
    struct test_parcels waiting;
    bool is_open;
    bool ends;     /* closed once what was written has left */
    bool is_false; /* a certificate that is not for this was shown to it */
    struct test_fault handshake;
};

/* What was asked under an id (of a frame, a trace number), for its answer. */
struct test_asked {
    uint64_t id;
    enum test_passing passing;
    int lane;
};
#define TEST_ASKED 256

struct test_pair {
    TAILQ_ENTRY(test_pair) link;
    struct test_proxy *proxy;
    enum test_hop hop;
    struct test_side sides[TEST_WAYS]; /* by the way of what comes in: the client's is REQUEST */
    struct test_parcels delayed;
    struct test_asked asked[TEST_ASKED];
    struct event *limit; /* of a replay */
    char brand[32];
    bool is_busy;
    bool is_stalled;
    bool is_dead;
};
TAILQ_HEAD(test_pairs, test_pair);

#define TEST_BRANDS 2
#define TEST_WRONGS 2
extern const char *const test_proxy_brands[TEST_BRANDS];

struct test_proxy_hop {
    struct test_proxy *proxy;
    enum test_hop hop;
    struct evconnlistener *listener;
    uint16_t port, to;
    /* Of servers that we play, by brand, and of clients; NULL: plain. wrong: for another role, or
     * by a stranger; a server's are taken by turns. */
    SSL_CTX *server[TEST_BRANDS], *client[TEST_BRANDS];
    SSL_CTX *wrong_server[TEST_WRONGS], *wrong_client;
    unsigned wrong_shown;
};

/* test_proxy_message.c: the first whole message in the input, its size; 0 where there is none. */
size_t test_message_size(enum test_hop hop, struct evbuffer *input);
/* What it is, and whose. Notes requests for their answers, and the xids that offers name. */
enum test_passing test_message_classify(struct test_pair *pair, struct test_plan *plan,
                                        enum test_way way, const uint8_t *bytes, size_t size,
                                        int *lane);

/* test_proxy_side.c. Each may end the pair (is_dead). */
void test_side_begin(struct test_side *side, int fd, uint16_t port, SSL_CTX *tls,
                     const char *server_name);
/* Sends bytes to whoever is at this side, as the fault has them. */
void test_side_send(struct test_side *side, const uint8_t *bytes, size_t size,
                    const struct test_fault *fault);
void test_side_clear(struct test_side *side);
/* Closes by RST. */
void test_side_reset(struct test_side *side);
/* Closes once what was written has left. */
void test_side_end(struct test_side *side);

/* test_proxy.c, for the sides. */
void test_pair_opened(struct test_pair *pair, enum test_way way);
void test_pair_came(struct test_pair *pair, enum test_way way);
void test_pair_lost(struct test_pair *pair, enum test_way way);
/* Closes what is left of both sides, once it was written. */
void test_pair_end(struct test_pair *pair);
struct event_base *test_pair_base(const struct test_pair *pair);

#endif
