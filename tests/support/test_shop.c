/*
 * The server's half: connections one after the other, HTTP/1.1, and from requests to answers.
 *
 * test_sale.c makes what an answer says.
 */
#include "tests/support/test_shop.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "tests/support/test_daemon.h"
#include "tests/support/test_sale.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
#define OK(expression) NEED((expression) == SETPAY_OK)

#define REQUEST_MAX (128 * 1024)
#define PATH "POST /setpay/v1/message HTTP/1.1\r\n"
#define MESSAGE_TYPE "application/x-protobuf"

/* ------------------------------------------------------------------ who stands where */

static struct test_cast honest_cast(const struct test_shop *shop)
{
    return (struct test_cast){.tls = shop->tls,
                              .signer = shop->sign,
                              .key = shop->sign,
                              .gateway_sign = shop->gateway_sign,
                              .gateway_encrypt = shop->gateway_encrypt};
}

static struct test_cast cast_for(struct test_shop *shop, bool lies)
{
    struct test_cast cast = honest_cast(shop);
    for (size_t i = 0; lies && i < TEST_SHOP_LIES; i++)
        if (shop->lies[i] != NULL && shop->lies[i]->cast != NULL)
            shop->lies[i]->cast(shop, &cast);
    return cast;
}

/* ------------------------------------------------------------------ HTTP */

void test_shop_write(SSL *ssl, struct setpay_view bytes)
{
    for (size_t at = 0; at < bytes.size;) {
        int written = SSL_write(ssl, bytes.data + at, (int)(bytes.size - at));
        if (written <= 0)
            return; /* it has heard enough */
        at += (size_t)written;
    }
}

void test_shop_reply(SSL *ssl, const char *status, const char *type, const char *headers,
                     struct setpay_view body)
{
    char head[512];
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
                        "Connection: close\r\n\r\n",
                        status, type, body.size, headers);
    NEED(size > 0 && (size_t)size < sizeof head);
    test_shop_write(ssl, setpay_view_of(head, (size_t)size));
    test_shop_write(ssl, body);
}

void test_shop_hold(SSL *ssl)
{
    char byte;
    while (SSL_read(ssl, &byte, 1) > 0)
        ;
}

/* One request's body; false where the other side has gone. */
static bool read_request(SSL *ssl, struct setpay_buffer *body)
{
    static const char length[] = "\r\nContent-Length: ";
    struct setpay_buffer all;
    char piece[4096];
    bool whole = false;
    setpay_buffer_init(&all, REQUEST_MAX);
    while (!whole) {
        int got = SSL_read(ssl, piece, sizeof piece);
        if (got <= 0)
            break;
        OK(setpay_buffer_append(&all, setpay_view_of(piece, (size_t)got)));
        const uint8_t *end = memmem(all.data, all.size, "\r\n\r\n", 4);
        if (end == NULL)
            continue;
        const char *at = memmem(all.data, all.size, length, sizeof length - 1);
        NEED(at != NULL && strncmp((const char *)all.data, PATH, sizeof PATH - 1) == 0);
        size_t size = strtoul(at + sizeof length - 1, NULL, 10);
        size_t head = (size_t)(end + 4 - all.data);
        whole = all.size >= head + size;
        if (whole)
            OK(setpay_buffer_set(body, setpay_view_of(all.data + head, size)));
    }
    setpay_buffer_clear(&all);
    return whole;
}

/* ------------------------------------------------------------------ from request to answer */

static enum test_ask kind_of(enum setpay_message_type type)
{
    NEED(type == SETPAY_MESSAGE_PINIT_REQ || type == SETPAY_MESSAGE_P_REQ ||
         type == SETPAY_MESSAGE_INQ_REQ || type == SETPAY_MESSAGE_CAN_REQ);
    return type == SETPAY_MESSAGE_PINIT_REQ ? TEST_ASK_OFFER
           : type == SETPAY_MESSAGE_P_REQ   ? TEST_ASK_PAY
                                            : TEST_ASK_INQUIRE;
}

static void lie_about_content(struct test_shop *shop, struct setpay_buffer *content)
{
    for (size_t i = 0; i < TEST_SHOP_LIES; i++)
        if (shop->lies[i] != NULL && shop->lies[i]->content != NULL)
            shop->lies[i]->content(shop, content);
}

/* The content that answers a request. */
static struct test_sale *make_content(struct test_shop *shop, const struct setpay_message *request,
                                      const struct test_cast *cast, bool lies,
                                      struct setpay_buffer *content)
{
    struct test_sale *sale = NULL;
    if (request->type == SETPAY_MESSAGE_PINIT_REQ) {
        struct setpay_pinit_res offer;
        sale = test_sale_new(shop, request, cast);
        test_sale_offer(shop, sale, &offer);
        for (size_t i = 0; lies && i < TEST_SHOP_LIES; i++)
            if (shop->lies[i] != NULL && shop->lies[i]->offer != NULL)
                shop->lies[i]->offer(shop, sale, &offer);
        sale->xid = offer.xid;
        sale->amount = offer.amount;
        OK(setpay_pinit_res_build(&offer, content));
        setpay_pinit_res_clear(&offer);
    } else {
        struct setpay_pres word;
        sale = request->type == SETPAY_MESSAGE_P_REQ ? test_sale_take_preq(shop, request)
                                                     : test_sale_inquired(shop, request);
        test_sale_word(shop, sale, request, cast, &word);
        for (size_t i = 0; lies && i < TEST_SHOP_LIES; i++)
            if (shop->lies[i] != NULL && shop->lies[i]->word != NULL)
                shop->lies[i]->word(shop, sale, &word);
        OK(setpay_pres_build(&word, content));
        setpay_pres_clear(&word);
    }
    if (lies)
        lie_about_content(shop, content);
    if (request->type == SETPAY_MESSAGE_PINIT_REQ)
        OK(setpay_offer_digest(setpay_buffer_view(content), &sale->offer));
    return sale;
}

/* The whole answer; with mutex held. */
static void make_answer(struct test_shop *shop, struct setpay_view raw,
                        const struct setpay_message *request, bool lies,
                        struct setpay_buffer *message)
{
    struct setpay_buffer content;
    struct test_cast cast = cast_for(shop, lies);
    setpay_buffer_init(&content, 4 * SETPAY_LIMIT_MESSAGE_BYTES);
    struct test_sale *sale = make_content(shop, request, &cast, lies, &content);
    if (request->type == SETPAY_MESSAGE_INQ_REQ && sale->preqs == 0) {
        /* An inquiry after a PReq that never came: there is no such purchase. */
        const struct setpay_refusal none = {.error = SETPAY_E_OFFER_UNKNOWN, .message = request};
        OK(setpay_refusal_build(&none, setpay_clock_now_ms(), message));
        setpay_buffer_clear(&content);
        return;
    }
    test_sale_message(
        &cast, (enum setpay_message_type)(request->type + 1), /* each pair is two numbers */
        setpay_buffer_view(&content), request->type == SETPAY_MESSAGE_PINIT_REQ, message);
    for (size_t i = 0; lies && i < TEST_SHOP_LIES; i++) {
        if (shop->lies[i] != NULL && shop->lies[i]->instead != NULL)
            shop->lies[i]->instead(shop, sale, request, raw, message);
        if (shop->lies[i] != NULL && shop->lies[i]->message != NULL)
            shop->lies[i]->message(shop, message);
    }
    if (request->type != SETPAY_MESSAGE_PINIT_REQ)
        OK(setpay_buffer_set(&sale->word, setpay_buffer_view(message)));
    setpay_buffer_clear(&content);
}

static const struct test_lie *http_lie(const struct test_shop *shop)
{
    for (size_t i = 0; i < TEST_SHOP_LIES; i++)
        if (shop->lies[i] != NULL && shop->lies[i]->http != NULL)
            return shop->lies[i];
    return NULL;
}

static void answer(struct test_shop *shop, SSL *ssl, struct setpay_view body)
{
    struct setpay_message request;
    struct setpay_buffer message;
    OK(setpay_message_parse(body, &request));
    enum test_ask kind = kind_of(request.type);
    setpay_buffer_init(&message, 4 * SETPAY_LIMIT_MESSAGE_BYTES);
    test_shop_lock(shop);
    shop->asked[kind]++;
    bool of_type = (unsigned)shop->lies_to == 0 || shop->lies_to == request.type;
    bool lies = shop->lies_at[kind] && of_type, silent = shop->silent_at[kind];
    shop->told += lies;
    const struct test_lie *http = lies ? http_lie(shop) : NULL;
    make_answer(shop, body, &request, lies, &message);
    test_shop_unlock(shop);
    if (http != NULL)
        http->http(shop, ssl, setpay_buffer_view(&message));
    else if (!silent)
        test_shop_reply(ssl, "200 OK", MESSAGE_TYPE, "", setpay_buffer_view(&message));
    setpay_buffer_clear(&message);
    setpay_message_clear(&request);
}

/* ------------------------------------------------------------------ connections */

static SSL_CTX *new_context(const struct test_cast *cast)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    int version = cast->tls_version == 0 ? TLS1_3_VERSION : cast->tls_version;
    NEED(context != NULL && SSL_CTX_set_min_proto_version(context, version) == 1);
    NEED(SSL_CTX_set_max_proto_version(context, version) == 1);
    NEED(SSL_CTX_use_certificate(context, cast->tls->x509) == 1);
    NEED(SSL_CTX_use_PrivateKey(context, cast->tls->key) == 1);
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++) {
        const unsigned char *at = cast->tls->chain[i].data;
        X509 *ca = d2i_X509(NULL, &at, (long)cast->tls->chain[i].size);
        NEED(ca != NULL && SSL_CTX_add0_chain_cert(context, ca) == 1);
    }
    return context;
}

static void serve(struct test_shop *shop, int fd)
{
    const struct timeval limit = {.tv_sec = TEST_WAIT_MS / 1000};
    struct setpay_buffer body;
    int on = 1;
    test_shop_lock(shop);
    struct test_cast cast = cast_for(shop, true);
    shop->connections++;
    test_shop_unlock(shop);
    NEED(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    NEED(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
    NEED(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    SSL_CTX *context = new_context(&cast);
    SSL *ssl = SSL_new(context);
    NEED(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
    setpay_buffer_init(&body, REQUEST_MAX);
    /* The request, not the handshake, shows that the client has accepted us. */
    if (SSL_accept(ssl) == 1 && read_request(ssl, &body)) {
        test_shop_lock(shop);
        shop->handshakes++;
        test_shop_unlock(shop);
        answer(shop, ssl, setpay_buffer_view(&body));
        (void)SSL_shutdown(ssl);
    }
    ERR_clear_error();
    setpay_buffer_clear(&body);
    SSL_free(ssl);
    SSL_CTX_free(context);
    (void)close(fd);
}

static void *run(void *arg)
{
    struct test_shop *shop = arg;
    struct pollfd waits[2] = {{.fd = shop->listener, .events = POLLIN},
                              {.fd = shop->stop[0], .events = POLLIN}};
    for (;;) {
        NEED(poll(waits, 2, -1) > 0);
        if (waits[1].revents != 0)
            return NULL;
        int fd = accept(shop->listener, NULL, NULL);
        if (fd >= 0)
            serve(shop, fd);
    }
}

static void start_server(struct test_shop *shop)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    shop->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NEED(shop->listener >= 0);
    NEED(bind(shop->listener, (struct sockaddr *)&address, size) == 0);
    NEED(listen(shop->listener, 64) == 0);
    NEED(getsockname(shop->listener, (struct sockaddr *)&address, &size) == 0);
    shop->port = ntohs(address.sin_port);
    NEED(pipe(shop->stop) == 0);
    NEED(pthread_mutex_init(&shop->mutex, NULL) == 0);
    NEED(pthread_create(&shop->thread, NULL, run, shop) == 0);
}

/* ------------------------------------------------------------------ for tests */

struct test_shop *test_shop_new(struct test_pki *pki)
{
    struct test_shop *shop = calloc(1, sizeof *shop);
    NEED(shop != NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    shop->pki = pki;
    shop->tls = test_party_new(pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_SERVER, TEST_SHOP_ID, NULL);
    shop->sign = test_party_new(pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, TEST_SHOP_ID, NULL);
    shop->gateway_sign =
        test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, TEST_SHOP_GATEWAY, NULL);
    shop->gateway_encrypt =
        test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_ENCRYPT, TEST_SHOP_GATEWAY, NULL);
    shop->outcome = SETPAY_RECEIPT_AUTHORISATION;
    shop->offer_life_ms = 30 * SETPAY_MINUTE_MS;
    start_server(shop);
    return shop;
}

void test_shop_free(struct test_shop *shop)
{
    if (shop == NULL)
        return;
    NEED(write(shop->stop[1], "x", 1) == 1);
    NEED(pthread_join(shop->thread, NULL) == 0);
    (void)close(shop->stop[0]);
    (void)close(shop->stop[1]);
    (void)close(shop->listener);
    for (size_t i = 0; i < shop->sale_count; i++)
        test_sale_free(shop->sales[i]);
    test_party_free(shop->tls);
    test_party_free(shop->sign);
    test_party_free(shop->gateway_sign);
    test_party_free(shop->gateway_encrypt);
    NEED(pthread_mutex_destroy(&shop->mutex) == 0);
    free(shop);
}

void test_shop_lock(struct test_shop *shop)
{
    NEED(pthread_mutex_lock(&shop->mutex) == 0);
}

void test_shop_unlock(struct test_shop *shop)
{
    NEED(pthread_mutex_unlock(&shop->mutex) == 0);
}

static void restart_counters(struct test_shop *shop)
{
    shop->connections = shop->handshakes = shop->told = 0;
    memset(shop->asked, 0, sizeof shop->asked);
}

static void set_lies(struct test_shop *shop, const struct test_lie *first,
                     const struct test_lie *second, bool offer, bool pay, bool inquire,
                     enum setpay_message_type to)
{
    test_shop_lock(shop);
    shop->lies_to = to;
    shop->lies[0] = first;
    shop->lies[1] = second;
    shop->lies_at[TEST_ASK_OFFER] = offer;
    shop->lies_at[TEST_ASK_PAY] = pay;
    shop->lies_at[TEST_ASK_INQUIRE] = inquire;
    restart_counters(shop);
    test_shop_unlock(shop);
}

void test_shop_lie(struct test_shop *shop, const struct test_lie *first,
                   const struct test_lie *second, bool offer, bool pay, bool inquire)
{
    set_lies(shop, first, second, offer, pay, inquire, (enum setpay_message_type)0);
}

void test_shop_lie_to_cancellations(struct test_shop *shop, const struct test_lie *lie)
{
    set_lies(shop, lie, NULL, false, false, true, SETPAY_MESSAGE_CAN_REQ);
}

size_t test_shop_told(struct test_shop *shop)
{
    test_shop_lock(shop);
    size_t told = shop->told;
    test_shop_unlock(shop);
    return told;
}

void test_shop_honest(struct test_shop *shop)
{
    test_shop_lie(shop, NULL, NULL, false, false, false);
    test_shop_lock(shop);
    memset(shop->silent_at, 0, sizeof shop->silent_at);
    shop->outcome = SETPAY_RECEIPT_AUTHORISATION;
    shop->approves_minor = 0;
    shop->offer_life_ms = 30 * SETPAY_MINUTE_MS;
    test_shop_unlock(shop);
}

void test_shop_outcome(struct test_shop *shop, enum setpay_receipt_kind outcome)
{
    test_shop_lock(shop);
    shop->outcome = outcome;
    test_shop_unlock(shop);
}

void test_shop_approves(struct test_shop *shop, int64_t minor)
{
    test_shop_lock(shop);
    shop->approves_minor = minor;
    test_shop_unlock(shop);
}

void test_shop_silent(struct test_shop *shop, enum test_ask kind)
{
    test_shop_lock(shop);
    shop->silent_at[kind] = true;
    test_shop_unlock(shop);
}

size_t test_shop_count(struct test_shop *shop, enum test_ask kind)
{
    test_shop_lock(shop);
    size_t count = shop->asked[kind];
    test_shop_unlock(shop);
    return count;
}

void test_shop_wait(struct test_shop *shop, enum test_ask kind, size_t count)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    while (test_shop_count(shop, kind) < count) {
        NEED(setpay_clock_monotonic_ms() < until);
        (void)usleep(TEST_POLL_US);
    }
}

void test_shop_wait_connections(struct test_shop *shop, size_t count)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    size_t begun = 0;
    while (begun < count) {
        NEED(setpay_clock_monotonic_ms() < until);
        (void)usleep(TEST_POLL_US);
        test_shop_lock(shop);
        begun = shop->connections;
        test_shop_unlock(shop);
    }
}

const char *test_shop_link(struct test_shop *shop)
{
    static char link[128];
    static unsigned number;
    (void)snprintf(link, sizeof link, "setpay://localhost:%u/pay/order-token-%010u",
                   (unsigned)shop->port, ++number);
    return link;
}

struct test_sale *test_shop_sale(struct test_shop *shop, const struct setpay_id *xid)
{
    for (size_t i = shop->sale_count; i > 0; i--)
        if (setpay_id_equal(&shop->sales[i - 1]->xid, xid))
            return shop->sales[i - 1];
    return NULL;
}

struct test_sale *test_shop_last(struct test_shop *shop)
{
    return shop->sale_count == 0 ? NULL : shop->sales[shop->sale_count - 1];
}
