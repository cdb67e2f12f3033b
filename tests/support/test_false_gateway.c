/*
 * The lying server: one thread that accepts, one for each connection (a merchant has one for each
 * worker and brand), which asks the real gateway on a line of its own. What they share is behind
 * one lock.
 */
#include "tests/support/test_false_gateway.h"

#include "common/base/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define CONNECTIONS 64
#define FRAME_HEAD 12
#define SEEN 256 /* questions that are remembered */

static const char *const brand_names[] = {"visa", "mastercard"};

struct seen {
    struct setpay_id rrpid;
    struct setpay_digest content, signature;
};

struct test_false_gateway {
    struct test_gateway *gateway;
    char address[TEST_ADDRESS_SIZE];
    int listener;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ends;
    int fds[CONNECTIONS]; /* 0: none */
    SSL_CTX *contexts[2]; /* by brand */
    struct test_lie lie;
    bool lies, holds, is_held;
    struct setpay_id held;
    unsigned told, questions, resumed;
    struct seen seen[SEEN]; /* the last ones, around */
    size_t seen_count;
};

struct connection {
    struct test_false_gateway *server;
    int fd;
    size_t slot;
    SSL *ssl;
    int brand;
    const struct test_party *client; /* whose question it passes on: a merchant's TLS */
    struct test_line *truth;         /* made when first needed */
    uint64_t asked;
};

/* ------------------------------------------------------------------ TLS */

static int accept_any(int preverified, X509_STORE_CTX *context)
{
    (void)preverified, (void)context;
    return 1; /* who the client is, the real gateway judges */
}

static SSL_CTX *make_context(const struct test_party *tls)
{
    static const unsigned char name[] = "false";
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    NEED(context != NULL);
    NEED(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1);
    NEED(SSL_CTX_use_certificate(context, tls->x509) == 1);
    NEED(SSL_CTX_use_PrivateKey(context, tls->key) == 1);
    NEED(SSL_CTX_set_session_id_context(context, name, sizeof name) == 1);
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++) {
        const unsigned char *at = tls->chain[i].data;
        X509 *ca = d2i_X509(NULL, &at, (long)tls->chain[i].size);
        NEED(ca != NULL && SSL_CTX_add0_chain_cert(context, ca) == 1);
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, accept_any);
    /* cut_all ends its reading: it then says goodbye in an orderly way, as after a peer's end */
    (void)SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    return context;
}

static int brand_of(const char *name)
{
    return name != NULL && strcmp(name, brand_names[1]) == 0 ? 1 : 0;
}

/* The certificate is chosen by the server name, as a gateway does. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    struct test_false_gateway *server = arg;
    int brand = brand_of(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    (void)alert;
    (void)pthread_mutex_lock(&server->lock);
    SSL_CTX *context = server->contexts[brand];
    NEED(SSL_set_SSL_CTX(ssl, context) == context);
    (void)pthread_mutex_unlock(&server->lock);
    return SSL_TLSEXT_ERR_OK;
}

static SSL *take_client(struct test_false_gateway *server, int fd)
{
    (void)pthread_mutex_lock(&server->lock);
    SSL *ssl = SSL_new(server->contexts[0]);
    (void)pthread_mutex_unlock(&server->lock);
    NEED(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
    if (SSL_accept(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    ERR_clear_error();
    return NULL;
}

static bool read_all(SSL *ssl, uint8_t *room, size_t size)
{
    for (size_t got = 0; got < size;) {
        int part = SSL_read(ssl, room + got, (int)(size - got));
        if (part <= 0) {
            ERR_clear_error();
            return false;
        }
        got += (size_t)part;
    }
    return true;
}

static bool write_all(SSL *ssl, const uint8_t *bytes, size_t size)
{
    bool sent = size == 0 || SSL_write(ssl, bytes, (int)size) == (int)size;
    ERR_clear_error();
    return sent;
}

/* ------------------------------------------------------------------ frames */

static bool send_frame(SSL *ssl, uint64_t id, uint32_t length, struct setpay_view payload)
{
    uint8_t frame[FRAME_HEAD + SETPAY_LIMIT_MESSAGE_BYTES];
    NEED(payload.size <= SETPAY_LIMIT_MESSAGE_BYTES);
    setpay_write_u32be(frame, length);
    setpay_write_u64be(frame + 4, id);
    if (payload.size > 0)
        memcpy(frame + FRAME_HEAD, payload.data, payload.size);
    return write_all(ssl, frame, FRAME_HEAD + payload.size);
}

static bool send_answer(SSL *ssl, uint64_t id, struct setpay_view answer, enum test_lie_how how)
{
    uint32_t length = (uint32_t)answer.size + 8;
    switch (how) {
    case TEST_LIE_TWICE:
        (void)send_frame(ssl, id, length, answer);
        return send_frame(ssl, id, length, answer);
    case TEST_LIE_OTHER_ID:
        return send_frame(ssl, id + 1000000, length, answer);
    case TEST_LIE_HANG_UP:
        (void)send_frame(ssl, id, length, setpay_view_of(answer.data, answer.size / 2));
        return false;
    case TEST_LIE_HUGE_FRAME:
        return send_frame(ssl, id, UINT32_MAX, answer);
    case TEST_LIE_EMPTY_FRAME:
        return send_frame(ssl, id, 8, SETPAY_VIEW_EMPTY);
    default:
        return answer.size == 0 || send_frame(ssl, id, length, answer);
    }
}

/* ------------------------------------------------------------------ questions */

/* Every request's content begins with its header, and that with rrpid. */
static struct setpay_id rrpid_of(struct setpay_view content)
{
    struct setpay_id rrpid = {{0}};
    if (content.size > 20 && content.data[0] == 0x0a && content.data[2] == 0x0a &&
        content.data[3] == 16)
        memcpy(rrpid.bytes, content.data + 4, sizeof rrpid.bytes);
    return rrpid;
}

static bool concerns(const struct test_lie *lie, enum setpay_message_type type)
{
    if ((unsigned)lie->to == 0)
        return type == SETPAY_MESSAGE_AUTH_REQ || type == SETPAY_MESSAGE_AUTH_REV_REQ;
    return lie->to == type;
}

/* Whether this question gets a lie, and which; waits with it where it is held. */
static bool choose_lie(struct test_false_gateway *server, const struct test_question *question,
                       struct test_lie *lie)
{
    (void)pthread_mutex_lock(&server->lock);
    bool lies = server->lies && concerns(&server->lie, question->message.type);
    *lie = server->lie;
    if (lies && server->holds && !server->is_held) {
        server->is_held = true;
        server->held = question->rrpid;
        (void)pthread_cond_broadcast(&server->changed);
        while (server->holds && !server->ends)
            (void)pthread_cond_wait(&server->changed, &server->lock);
    }
    server->told += lies;
    (void)pthread_mutex_unlock(&server->lock);
    return lies;
}

/* Rule A6: an honest merchant that repeats a question says the very same, signature included. */
static void expect_same(struct test_false_gateway *server, const struct test_question *question)
{
    struct seen is = {.rrpid = question->rrpid};
    NEED(setpay_message_request_hash(&question->message, &is.content) == SETPAY_OK);
    NEED(setpay_raw_hash(question->message.signature, &is.signature) == SETPAY_OK);
    (void)pthread_mutex_lock(&server->lock);
    bool known = false;
    for (size_t i = 0; i < SEEN && i < server->seen_count && !known; i++) {
        const struct seen *was = &server->seen[i];
        known = setpay_id_equal(&was->rrpid, &is.rrpid);
        NEED(!known || (setpay_digest_equal(&was->content, &is.content) &&
                        setpay_digest_equal(&was->signature, &is.signature)));
    }
    if (!known)
        server->seen[server->seen_count++ % SEEN] = is;
    (void)pthread_mutex_unlock(&server->lock);
}

static bool goes_alone(struct test_false_gateway *server, enum setpay_message_type type)
{
    (void)pthread_mutex_lock(&server->lock);
    server->questions++;
    bool alone = server->lies && concerns(&server->lie, type) && server->lie.alone;
    (void)pthread_mutex_unlock(&server->lock);
    return alone;
}

static void ask_truth(struct connection *c, struct setpay_view bytes, struct setpay_buffer *truth)
{
    struct test_gateway *gateway = c->server->gateway;
    uint64_t id = 0;
    if (c->truth == NULL)
        c->truth = test_line_new(gateway, c->client, brand_names[c->brand]);
    NEED(c->truth != NULL);
    test_line_send(c->truth, ++c->asked, bytes);
    NEED(test_line_receive(c->truth, &id, truth) && id == c->asked);
}

static bool answer_question(struct connection *c, uint64_t id, struct setpay_view bytes)
{
    struct test_question question = {
        .gateway = c->server->gateway, .brand = c->brand, .bytes = bytes};
    struct setpay_buffer truth, answer;
    struct test_lie lie;
    setpay_buffer_init(&truth, SETPAY_LIMIT_MESSAGE_BYTES);
    setpay_buffer_init(&answer, SETPAY_LIMIT_MESSAGE_BYTES);
    NEED(setpay_message_parse(bytes, &question.message) == SETPAY_OK);
    question.rrpid = rrpid_of(question.message.content);
    expect_same(c->server, &question);
    if (!goes_alone(c->server, question.message.type))
        ask_truth(c, bytes, &truth);
    question.truth = setpay_buffer_view(&truth);
    bool lies = choose_lie(c->server, &question, &lie);
    if (lies && lie.tell != NULL)
        lie.tell(&question, lie.arg, &answer);
    else
        NEED(setpay_buffer_set(&answer, question.truth) == SETPAY_OK);
    bool goes_on =
        send_answer(c->ssl, id, setpay_buffer_view(&answer), lies ? lie.how : TEST_LIE_ONCE);
    setpay_message_clear(&question.message);
    setpay_buffer_clear(&truth);
    setpay_buffer_clear(&answer);
    return goes_on;
}

/* By the certificate it has shown: the gateway's other merchant, or else the first. */
static const struct test_party *client_of(const struct connection *c)
{
    const struct test_gateway *gateway = c->server->gateway;
    const X509 *shown = SSL_get0_peer_certificate(c->ssl);
    bool other = shown != NULL && X509_cmp(shown, gateway->other.tls->x509) == 0;
    return other ? gateway->other.tls : gateway->shop[c->brand].tls;
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    struct test_false_gateway *server = c->server;
    uint8_t *payload = malloc(SETPAY_LIMIT_MESSAGE_BYTES);
    uint8_t head[FRAME_HEAD];
    NEED(payload != NULL);
    c->ssl = take_client(server, c->fd);
    if (c->ssl != NULL) {
        c->brand = brand_of(SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name));
        c->client = client_of(c);
        (void)pthread_mutex_lock(&server->lock);
        server->resumed += SSL_session_reused(c->ssl) == 1;
        (void)pthread_mutex_unlock(&server->lock);
    }
    while (c->ssl != NULL && read_all(c->ssl, head, sizeof head)) {
        size_t size = setpay_read_u32be(head) - 8;
        NEED(size <= SETPAY_LIMIT_MESSAGE_BYTES);
        if (!read_all(c->ssl, payload, size) ||
            !answer_question(c, setpay_read_u64be(head + 4), setpay_view_of(payload, size)))
            break;
    }
    if (c->ssl != NULL)
        (void)SSL_shutdown(c->ssl); /* so that the session may be resumed */
    ERR_clear_error();
    SSL_free(c->ssl);
    test_line_free(c->truth);
    free(payload);
    (void)pthread_mutex_lock(&server->lock);
    (void)close(c->fd);
    server->fds[c->slot] = 0;
    (void)pthread_cond_broadcast(&server->changed);
    (void)pthread_mutex_unlock(&server->lock);
    free(c);
    return NULL;
}

static void start_connection(struct test_false_gateway *server, int fd)
{
    struct connection *c = calloc(1, sizeof *c);
    pthread_t thread;
    int one = 1;
    NEED(c != NULL);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->server = server;
    c->fd = fd;
    (void)pthread_mutex_lock(&server->lock);
    while (c->slot < CONNECTIONS && server->fds[c->slot] != 0)
        c->slot++;
    NEED(c->slot < CONNECTIONS);
    server->fds[c->slot] = fd;
    (void)pthread_mutex_unlock(&server->lock);
    NEED(pthread_create(&thread, NULL, serve, c) == 0);
    NEED(pthread_detach(thread) == 0);
}

static void *run_acceptor(void *arg)
{
    struct test_false_gateway *server = arg;
    int fd;
    while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR) {
        if (fd >= 0)
            start_connection(server, fd);
    }
    return NULL;
}

/* ------------------------------------------------------------------ the whole */

struct test_false_gateway *test_false_gateway_new(struct test_gateway *gateway)
{
    struct test_false_gateway *made = calloc(1, sizeof *made);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    NEED(made != NULL);
    made->gateway = gateway;
    NEED(pthread_mutex_init(&made->lock, NULL) == 0 &&
         pthread_cond_init(&made->changed, NULL) == 0);
    for (int brand = 0; brand < 2; brand++)
        test_false_gateway_present(made, brand, NULL);
    made->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NEED(made->listener >= 0);
    NEED(bind(made->listener, (struct sockaddr *)&at, sizeof at) == 0);
    NEED(listen(made->listener, 64) == 0);
    NEED(getsockname(made->listener, (struct sockaddr *)&at, &size) == 0);
    (void)snprintf(made->address, sizeof made->address, "127.0.0.1:%u", ntohs(at.sin_port));
    NEED(pthread_create(&made->acceptor, NULL, run_acceptor, made) == 0);
    return made;
}

const char *test_false_gateway_address(const struct test_false_gateway *gateway)
{
    return gateway->address;
}

static bool has_connections(const struct test_false_gateway *server)
{
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (server->fds[i] != 0)
            return true;
    }
    return false;
}

static void cut_all(struct test_false_gateway *server)
{
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (server->fds[i] != 0)
            (void)shutdown(server->fds[i], SHUT_RD); /* its thread then says goodbye */
    }
}

void test_false_gateway_free(struct test_false_gateway *server)
{
    if (server == NULL)
        return;
    (void)shutdown(server->listener, SHUT_RDWR);
    NEED(pthread_join(server->acceptor, NULL) == 0);
    (void)close(server->listener);
    (void)pthread_mutex_lock(&server->lock);
    server->ends = true;
    (void)pthread_cond_broadcast(&server->changed);
    cut_all(server);
    while (has_connections(server))
        (void)pthread_cond_wait(&server->changed, &server->lock);
    (void)pthread_mutex_unlock(&server->lock);
    SSL_CTX_free(server->contexts[0]);
    SSL_CTX_free(server->contexts[1]);
    (void)pthread_mutex_destroy(&server->lock);
    (void)pthread_cond_destroy(&server->changed);
    free(server);
}

/* ------------------------------------------------------------------ lies */

static void set_lie(struct test_false_gateway *server, const struct test_lie *lie, bool holds)
{
    (void)pthread_mutex_lock(&server->lock);
    NEED(!server->holds);
    server->lies = lie != NULL;
    if (lie != NULL)
        server->lie = *lie;
    server->holds = holds;
    server->is_held = false;
    server->told = lie != NULL ? 0 : server->told;
    (void)pthread_mutex_unlock(&server->lock);
}

void test_false_gateway_lie(struct test_false_gateway *server, const struct test_lie *lie)
{
    set_lie(server, lie, false);
}

void test_false_gateway_hold(struct test_false_gateway *server, const struct test_lie *lie)
{
    set_lie(server, lie, true);
}

void test_false_gateway_behave(struct test_false_gateway *server)
{
    set_lie(server, NULL, false);
}

void test_false_gateway_wait_held(struct test_false_gateway *server, struct setpay_id *rrpid)
{
    struct timespec until;
    int result = 0;
    NEED(clock_gettime(CLOCK_REALTIME, &until) == 0);
    until.tv_sec += TEST_WAIT_MS / 1000;
    (void)pthread_mutex_lock(&server->lock);
    while (!server->is_held && result == 0)
        result = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    NEED(server->is_held); /* or the question never came */
    *rrpid = server->held;
    (void)pthread_mutex_unlock(&server->lock);
}

void test_false_gateway_release(struct test_false_gateway *server)
{
    (void)pthread_mutex_lock(&server->lock);
    server->holds = false;
    (void)pthread_cond_broadcast(&server->changed);
    (void)pthread_mutex_unlock(&server->lock);
}

static unsigned read_count(struct test_false_gateway *server, const unsigned *count)
{
    (void)pthread_mutex_lock(&server->lock);
    unsigned is = *count;
    (void)pthread_mutex_unlock(&server->lock);
    return is;
}

unsigned test_false_gateway_told(struct test_false_gateway *server)
{
    return read_count(server, &server->told);
}

unsigned test_false_gateway_resumed(struct test_false_gateway *server)
{
    return read_count(server, &server->resumed);
}

unsigned test_false_gateway_questions(struct test_false_gateway *server)
{
    return read_count(server, &server->questions);
}

void test_false_gateway_present(struct test_false_gateway *server, int brand,
                                const struct test_party *tls)
{
    SSL_CTX *made = make_context(tls == NULL ? server->gateway->tls[brand] : tls);
    SSL_CTX_set_tlsext_servername_callback(made, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(made, server);
    (void)pthread_mutex_lock(&server->lock);
    SSL_CTX_free(server->contexts[brand]);
    server->contexts[brand] = made;
    cut_all(server);
    (void)pthread_mutex_unlock(&server->lock);
}

void test_false_gateway_hang_up(struct test_false_gateway *server)
{
    (void)pthread_mutex_lock(&server->lock);
    cut_all(server);
    (void)pthread_mutex_unlock(&server->lock);
}
