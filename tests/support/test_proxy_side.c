/*
 * One connection of a pair. TLS goes through memory BIOs, so that what is about to be put on the
 * wire is at hand, record by record, and can be cut, spoilt or replaced.
 *
 * No callback frees a pair: test_pair_end marks it, and the proxy frees it later.
 */
#include "tests/support/test_proxy_internal.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define RECORD_HEADER 5

static size_t cut_at(enum test_cut cut, size_t size)
{
    switch (cut) {
    case TEST_CUT_FIRST_BYTE:
        return size > 1 ? 1 : 0;
    case TEST_CUT_HEADER:
        return size > 3 ? 3 : 0;
    case TEST_CUT_MIDDLE:
        return size / 2;
    default:
        return size - 1;
    }
}

/* ------------------------------------------------------------------ ends */

void test_side_clear(struct test_side *side)
{
    if (side->stream != NULL)
        bufferevent_free(side->stream);
    SSL_free(side->ssl);
    if (side->input != NULL)
        evbuffer_free(side->input);
    side->stream = NULL;
    side->ssl = NULL;
    side->input = NULL;
    side->is_open = false;
    struct test_parcel *parcel;
    while ((parcel = TAILQ_FIRST(&side->waiting)) != NULL) {
        TAILQ_REMOVE(&side->waiting, parcel, link);
        free(parcel);
    }
}

void test_side_reset(struct test_side *side)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (side->stream != NULL)
        setsockopt(bufferevent_getfd(side->stream), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    test_side_clear(side);
}

void test_side_end(struct test_side *side)
{
    if (side->stream == NULL)
        return;
    side->ends = true;
    if (evbuffer_get_length(bufferevent_get_output(side->stream)) == 0)
        test_side_clear(side);
}

static void on_written(struct bufferevent *stream, void *arg)
{
    struct test_side *side = arg;
    (void)stream;
    if (!side->ends)
        return;
    test_side_clear(side);
    test_pair_lost(side->pair, side->way);
}

/* ------------------------------------------------------------------ sending */

/* What TLS wants to have sent, owned by the caller. */
static uint8_t *take_records(struct test_side *side, size_t *size)
{
    BIO *out = SSL_get_wbio(side->ssl);
    *size = BIO_ctrl_pending(out);
    uint8_t *records = malloc(*size + 1);
    if (records == NULL || (*size > 0 && BIO_read(out, records, (int)*size) != (int)*size))
        abort();
    return records;
}

static void make_noise(uint8_t *bytes, size_t size)
{
    if (RAND_bytes(bytes, (int)size) != 1)
        abort();
    bytes[0] = 0xff; /* never by chance the start of something good */
}

/* Puts bytes on the wire as the fault has it: the last place where something can go wrong. */
static void put_on_wire(struct test_side *side, uint8_t *wire, size_t size,
                        enum test_fault_kind kind, enum test_cut cut)
{
    if (size == 0)
        return;
    if (kind == TEST_FAULT_FLIP)
        wire[size > RECORD_HEADER ? RECORD_HEADER + (size - RECORD_HEADER) / 2 : size - 1] ^= 0x10;
    if (kind == TEST_FAULT_GARBAGE)
        make_noise(wire, size);
    if (kind == TEST_FAULT_CUT_RECORD)
        size = cut_at(cut, size);
    bufferevent_write(side->stream, wire, size);
}

/* Handshake and tickets; the first flight of a spoilt handshake goes out spoilt. */
static void flush_handshake(struct test_side *side)
{
    size_t size;
    uint8_t *records = take_records(side, &size);
    const struct test_fault fault = side->handshake;
    if (fault.kind != TEST_FAULT_STALL)
        put_on_wire(side, records, size, fault.kind, fault.cut);
    free(records);
    if (size == 0 || fault.kind == TEST_FAULT_NONE)
        return;
    side->handshake.kind = TEST_FAULT_NONE;
    if (fault.kind == TEST_FAULT_CUT_RECORD)
        test_pair_end(side->pair);
    if (fault.kind == TEST_FAULT_STALL)
        side->pair->is_stalled = true;
}

static bool write_tls(struct test_side *side, const uint8_t *bytes, size_t size, bool is_noise)
{
    uint8_t *noise = is_noise ? malloc(size) : NULL;
    if (is_noise) {
        if (noise == NULL)
            abort();
        make_noise(noise, size);
        bytes = noise;
    }
    bool written = SSL_write(side->ssl, bytes, (int)size) == (int)size;
    free(noise);
    return written;
}

static void send_now(struct test_side *side, const uint8_t *bytes, size_t size,
                     const struct test_fault *fault)
{
    uint8_t *wire;
    if (fault->kind == TEST_FAULT_CUT)
        size = cut_at(fault->cut, size);
    if (side->ssl == NULL) {
        wire = malloc(size + 1);
        if (wire == NULL)
            abort();
        memcpy(wire, bytes, size);
    } else {
        if (size > 0 && !write_tls(side, bytes, size, fault->kind == TEST_FAULT_NOISE)) {
            test_pair_end(side->pair);
            return;
        }
        wire = take_records(side, &size);
    }
    put_on_wire(side, wire, size, fault->kind, fault->cut);
    free(wire);
    if (fault->kind == TEST_FAULT_CUT || fault->kind == TEST_FAULT_CUT_RECORD)
        test_pair_end(side->pair);
}

void test_side_send(struct test_side *side, const uint8_t *bytes, size_t size,
                    const struct test_fault *fault)
{
    if (side->ends || side->stream == NULL)
        return; /* it has gone */
    if (side->is_open) {
        send_now(side, bytes, size, fault);
        return;
    }
    struct test_parcel *parcel = malloc(sizeof *parcel + size);
    if (parcel == NULL)
        abort();
    parcel->fault = *fault;
    parcel->size = size;
    memcpy(parcel->bytes, bytes, size);
    TAILQ_INSERT_TAIL(&side->waiting, parcel, link);
}

static void side_opened(struct test_side *side)
{
    struct test_parcel *parcel;
    side->is_open = true;
    test_pair_opened(side->pair, side->way);
    while ((parcel = TAILQ_FIRST(&side->waiting)) != NULL) {
        TAILQ_REMOVE(&side->waiting, parcel, link);
        if (side->stream != NULL && !side->ends)
            send_now(side, parcel->bytes, parcel->size, &parcel->fault);
        free(parcel);
    }
}

/* ------------------------------------------------------------------ receiving */

static void side_lost(struct test_side *side)
{
    test_side_clear(side);
    test_pair_lost(side->pair, side->way);
}

/* False where the handshake has failed, or is not over yet. */
static bool shake_hands(struct test_side *side)
{
    int done = SSL_do_handshake(side->ssl);
    int error = SSL_get_error(side->ssl, done);
    flush_handshake(side);
    if (side->pair->is_dead || side->stream == NULL)
        return false;
    if (done == 1) {
        side_opened(side);
        return side->stream != NULL;
    }
    if (error == SSL_ERROR_WANT_READ)
        return false;
    ERR_clear_error();
    test_pair_end(side->pair); /* the alert is on its way */
    return false;
}

static void read_tls(struct test_side *side, struct evbuffer *raw)
{
    uint8_t bytes[4096];
    int got;
    while ((got = evbuffer_remove(raw, bytes, sizeof bytes)) > 0)
        BIO_write(SSL_get_rbio(side->ssl), bytes, got);
    if (!side->is_open && !shake_hands(side))
        return;
    while ((got = SSL_read(side->ssl, bytes, sizeof bytes)) > 0)
        evbuffer_add(side->input, bytes, (size_t)got);
    int error = SSL_get_error(side->ssl, got);
    ERR_clear_error();
    test_pair_came(side->pair, side->way);
    if (error != SSL_ERROR_WANT_READ && side->stream != NULL && !side->ends)
        side_lost(side);
}

static void on_read(struct bufferevent *stream, void *arg)
{
    struct test_side *side = arg;
    struct evbuffer *raw = bufferevent_get_input(stream);
    if (side->pair->is_stalled || side->ends) {
        evbuffer_drain(raw, evbuffer_get_length(raw));
        return;
    }
    if (side->ssl != NULL) {
        read_tls(side, raw);
        return;
    }
    evbuffer_add_buffer(side->input, raw);
    test_pair_came(side->pair, side->way);
}

static void set_no_delay(struct bufferevent *stream)
{
    int on = 1;
    setsockopt(bufferevent_getfd(stream), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
    struct test_side *side = arg;
    if ((what & BEV_EVENT_CONNECTED) == 0) {
        side_lost(side);
        return;
    }
    set_no_delay(stream);
    const struct test_fault fault = side->handshake;
    if (fault.kind == TEST_FAULT_RESET) {
        test_side_reset(side);
        test_pair_end(side->pair);
    } else if (side->ssl != NULL) {
        (void)shake_hands(side);
    } else if (fault.kind == TEST_FAULT_GARBAGE) {
        uint8_t garbage[64];
        put_on_wire(side, garbage, sizeof garbage, fault.kind, fault.cut);
        side_opened(side);
    } else {
        side->pair->is_stalled = side->pair->is_stalled || fault.kind == TEST_FAULT_STALL;
        side_opened(side);
    }
}

/* ------------------------------------------------------------------ beginning */

static SSL *ssl_new(SSL_CTX *tls, bool is_server, const char *server_name)
{
    SSL *ssl = SSL_new(tls);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (ssl == NULL || in == NULL || out == NULL)
        abort();
    SSL_set_bio(ssl, in, out);
    if (is_server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    /* OpenSSL takes it for its own to change, and does not. */
    if (server_name != NULL && SSL_set_tlsext_host_name(ssl, (char *)(uintptr_t)server_name) != 1)
        abort();
    return ssl;
}

void test_side_begin(struct test_side *side, int fd, uint16_t port, SSL_CTX *tls,
                     const char *server_name)
{
    struct bufferevent *stream =
        bufferevent_socket_new(test_pair_base(side->pair), fd, BEV_OPT_CLOSE_ON_FREE);
    if (stream == NULL || (side->input = evbuffer_new()) == NULL)
        abort();
    side->stream = stream;
    side->ssl = tls == NULL ? NULL : ssl_new(tls, fd >= 0, server_name);
    bufferevent_setcb(stream, on_read, on_written, on_event, side);
    bufferevent_enable(stream, EV_READ | EV_WRITE);
    if (fd < 0) {
        const struct sockaddr_in address = {.sin_family = AF_INET,
                                            .sin_port = htons(port),
                                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (bufferevent_socket_connect(stream, (const struct sockaddr *)&address, sizeof address) !=
                0 &&
            side->stream != NULL)
            side_lost(side);
        return;
    }
    set_no_delay(stream);
    if (side->handshake.kind == TEST_FAULT_GARBAGE && side->ssl == NULL) {
        uint8_t garbage[64];
        put_on_wire(side, garbage, sizeof garbage, TEST_FAULT_GARBAGE, TEST_CUT_MIDDLE);
    }
    side->pair->is_stalled = side->pair->is_stalled || side->handshake.kind == TEST_FAULT_STALL;
    if (side->ssl == NULL)
        side_opened(side);
}
