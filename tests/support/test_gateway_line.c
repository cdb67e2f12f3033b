/*
 * A merchant's side of the framed line, blocking, on OpenSSL alone.
 */
#include "tests/support/test_gateway.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
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

static void use_party(SSL_CTX *context, const struct test_party *party)
{
    NEED(SSL_CTX_use_certificate(context, party->x509) == 1);
    NEED(SSL_CTX_use_PrivateKey(context, party->key) == 1);
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++) {
        const unsigned char *at = party->chain[i].data;
        X509 *ca = d2i_X509(NULL, &at, (long)party->chain[i].size);
        NEED(ca != NULL && SSL_CTX_add0_chain_cert(context, ca) == 1);
    }
}

struct test_line *test_line_new(struct test_gateway *g, const struct test_party *tls,
                                const char *brand)
{
    struct test_line *line = calloc(1, sizeof *line);
    NEED(line != NULL);
    line->context = SSL_CTX_new(TLS_client_method());
    NEED(line->context != NULL);
    NEED(SSL_CTX_set_min_proto_version(line->context, TLS1_3_VERSION) == 1);
    if (tls != NULL)
        use_party(line->context, tls);
    line->ssl = SSL_new(line->context);
    NEED(line->ssl != NULL);
    /* what SSL_set_tlsext_host_name does, without its cast of a const away */
    NEED(SSL_ctrl(line->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  (void *)(uintptr_t)brand) == 1);
    line->fd = test_connect(g->frames);
    NEED(SSL_set_fd(line->ssl, line->fd) == 1);
    if (SSL_connect(line->ssl) != 1) {
        test_line_free(line);
        return NULL;
    }
    return line;
}

void test_line_free(struct test_line *line)
{
    if (line == NULL)
        return;
    SSL_free(line->ssl);
    SSL_CTX_free(line->context);
    (void)close(line->fd);
    free(line);
}

void test_line_send(struct test_line *line, uint64_t id, struct setpay_view message)
{
    uint8_t *frame = malloc(12 + message.size);
    NEED(frame != NULL);
    setpay_write_u32be(frame, (uint32_t)(8 + message.size));
    setpay_write_u64be(frame + 4, id);
    memcpy(frame + 12, message.data, message.size);
    NEED(SSL_write(line->ssl, frame, (int)(12 + message.size)) == (int)(12 + message.size));
    free(frame);
}

static bool read_exactly(struct test_line *line, uint8_t *bytes, size_t size)
{
    size_t got = 0;
    while (got < size) {
        int n = SSL_read(line->ssl, bytes + got, (int)(size - got));
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

bool test_line_receive(struct test_line *line, uint64_t *id, struct setpay_buffer *answer)
{
    uint8_t head[12];
    uint8_t *room = NULL;
    setpay_buffer_init(answer, SETPAY_LIMIT_MESSAGE_BYTES);
    if (!read_exactly(line, head, sizeof head))
        return false;
    size_t size = setpay_read_u32be(head) - 8;
    *id = setpay_read_u64be(head + 4);
    NEED(setpay_buffer_extend(answer, size, &room) == SETPAY_OK);
    return read_exactly(line, room, size);
}

void test_line_ask(struct test_line *line, struct setpay_view message, struct setpay_buffer *answer)
{
    static uint64_t last_id;
    uint64_t id = 0;
    test_line_send(line, ++last_id, message);
    NEED(test_line_receive(line, &id, answer));
    NEED(id == last_id);
}
