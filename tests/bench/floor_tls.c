/*
 * An echo over mutual TLS 1.3: OpenSSL and libevent's bufferevents, nothing else. The server has a
 * thread and a loop of its own, as a daemon's worker has.
 */
#include "tests/bench/fail.h"
#include "tests/bench/floors.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/thread.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 16
#define SIZE 64

struct bench {
    SSL_CTX *server_tls, *client_tls;
    struct event_base *server_base, *base;
    struct evconnlistener *listener;
    struct sockaddr_in address;
    pthread_t thread;
    struct bufferevent *clients[CLIENTS];
    int waiting; /* echoes */
};

/* ------------------------------------------------------------------ the server */

static void on_server_read(struct bufferevent *connection, void *arg)
{
    (void)arg;
    BENCH_NEED(bufferevent_write_buffer(connection, bufferevent_get_input(connection)) == 0);
}

static void on_server_event(struct bufferevent *connection, short events, void *arg)
{
    (void)arg;
    if ((events & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0)
        bufferevent_free(connection);
}

static void set_no_delay(int fd)
{
    const int on = 1;
    BENCH_NEED(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                      int size, void *arg)
{
    struct bench *b = arg;
    (void)listener;
    (void)from;
    (void)size;
    set_no_delay(fd);
    struct bufferevent *connection =
        bufferevent_openssl_socket_new(b->server_base, fd, SSL_new(b->server_tls),
                                       BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    BENCH_NEED(connection != NULL);
    bufferevent_setcb(connection, on_server_read, NULL, on_server_event, NULL);
    BENCH_NEED(bufferevent_enable(connection, EV_READ | EV_WRITE) == 0);
}

static void *serve(void *arg)
{
    struct bench *b = arg;
    (void)event_base_loop(b->server_base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

/* ------------------------------------------------------------------ the client */

static void on_echo(struct bufferevent *connection, void *arg)
{
    struct bench *b = arg;
    struct evbuffer *input = bufferevent_get_input(connection);
    if (evbuffer_get_length(input) < SIZE)
        return;
    (void)evbuffer_drain(input, SIZE);
    if (--b->waiting == 0)
        (void)event_base_loopbreak(b->base);
}

static void on_client_event(struct bufferevent *connection, short events, void *arg)
{
    (void)connection;
    (void)arg;
    BENCH_NEED((events & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) == 0);
}

static void ask(struct bench *b, struct bufferevent *connection)
{
    static const uint8_t text[SIZE] = {1};
    b->waiting++;
    BENCH_NEED(bufferevent_write(connection, text, sizeof text) == 0);
}

static struct bufferevent *connect_one(struct bench *b)
{
    struct bufferevent *connection = bufferevent_openssl_socket_new(
        b->base, -1, SSL_new(b->client_tls), BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
    BENCH_NEED(connection != NULL);
    bufferevent_setcb(connection, on_echo, NULL, on_client_event, b);
    BENCH_NEED(bufferevent_enable(connection, EV_READ | EV_WRITE) == 0 &&
               bufferevent_socket_connect(connection, (const struct sockaddr *)&b->address,
                                          sizeof b->address) == 0);
    set_no_delay(bufferevent_getfd(connection));
    return connection;
}

static void round_trips(void *arg)
{
    struct bench *b = arg;
    for (int i = 0; i < CLIENTS; i++)
        ask(b, b->clients[i]);
    (void)event_base_loop(b->base, 0);
    BENCH_NEED(b->waiting == 0);
}

/* Connect, one echo, close. */
static void new_connections(void *arg)
{
    struct bench *b = arg;
    struct bufferevent *made[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        made[i] = connect_one(b);
        ask(b, made[i]);
    }
    (void)event_base_loop(b->base, 0);
    BENCH_NEED(b->waiting == 0);
    for (int i = 0; i < CLIENTS; i++)
        bufferevent_free(made[i]);
}

/* ------------------------------------------------------------------ all */

static X509 *make_certificate(EVP_PKEY *key, const char *name)
{
    X509 *made = X509_new();
    X509_NAME *subject = X509_get_subject_name(made);
    BENCH_NEED(X509_set_version(made, X509_VERSION_3) == 1 &&
               ASN1_INTEGER_set(X509_get_serialNumber(made), 1) == 1 &&
               X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1,
                                          -1, 0) == 1 &&
               X509_set_issuer_name(made, subject) == 1 && X509_set_pubkey(made, key) == 1 &&
               X509_gmtime_adj(X509_getm_notBefore(made), -60) != NULL &&
               X509_gmtime_adj(X509_getm_notAfter(made), 3600) != NULL &&
               X509_sign(made, key, EVP_sha256()) > 0);
    return made;
}

static SSL_CTX *make_context(const SSL_METHOD *method, EVP_PKEY *key, X509 *own, X509 *other)
{
    SSL_CTX *made = SSL_CTX_new(method);
    BENCH_NEED(made != NULL && SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION) == 1 &&
               SSL_CTX_use_certificate(made, own) == 1 && SSL_CTX_use_PrivateKey(made, key) == 1 &&
               X509_STORE_add_cert(SSL_CTX_get_cert_store(made), other) == 1);
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    (void)SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    return made;
}

static void make_contexts(struct bench *b)
{
    EVP_PKEY *server = EVP_EC_gen("P-256"), *client = EVP_EC_gen("P-256");
    X509 *server_own = make_certificate(server, "server");
    X509 *client_own = make_certificate(client, "client");
    b->server_tls = make_context(TLS_server_method(), server, server_own, client_own);
    b->client_tls = make_context(TLS_client_method(), client, client_own, server_own);
    X509_free(server_own);
    X509_free(client_own);
    EVP_PKEY_free(server);
    EVP_PKEY_free(client);
}

static void set_up(struct bench *b)
{
    socklen_t size = sizeof b->address;
    memset(b, 0, sizeof *b);
    BENCH_NEED(evthread_use_pthreads() == 0);
    make_contexts(b);
    b->server_base = event_base_new();
    b->base = event_base_new();
    b->address.sin_family = AF_INET;
    b->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    b->listener = evconnlistener_new_bind(b->server_base, on_accept, b, LEV_OPT_CLOSE_ON_FREE, -1,
                                          (const struct sockaddr *)&b->address, (int)size);
    BENCH_NEED(b->base != NULL && b->listener != NULL &&
               getsockname(evconnlistener_get_fd(b->listener), (struct sockaddr *)&b->address,
                           &size) == 0 &&
               pthread_create(&b->thread, NULL, serve, b) == 0);
    for (int i = 0; i < CLIENTS; i++)
        b->clients[i] = connect_one(b);
}

static void tear_down(struct bench *b)
{
    for (int i = 0; i < CLIENTS; i++)
        bufferevent_free(b->clients[i]);
    (void)event_base_loopbreak(b->server_base);
    (void)pthread_join(b->thread, NULL);
    evconnlistener_free(b->listener);
    event_base_free(b->server_base);
    event_base_free(b->base);
    SSL_CTX_free(b->server_tls);
    SSL_CTX_free(b->client_tls);
}

void bench_floor_tls(struct bench_report *report)
{
    struct bench b;
    struct bench_timing timing;
    set_up(&b);
    bench_report_section(report, "TLS 1.3 on libevent, loopback (wall)");
    bench_measure(round_trips, &b, BENCH_WALL, &timing);
    bench_report_rate(report, BENCH_ROW_ECHO, &timing, CLIENTS, 0, "");
    bench_measure(new_connections, &b, BENCH_WALL, &timing);
    bench_report_rate(report, "TLS 1.3 new connections, mutual", &timing, CLIENTS, 0, "");
    tear_down(&b);
}
