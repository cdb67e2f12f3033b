/*
 * The connection is OpenSSL's own, blocking, and checks no certificate: what a wallet has to check
 * of a merchant is the wallet's tests' matter, and here the merchant is under test.
 */
#include "tests/support/test_racer.h"

#include "common/base/limits.h"
#include "common/crypto/keyfile.h"
#include "common/pki/csr.h"
#include "common/wire/signed.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_LIMIT_S 60

#define OK(expression)                                                                             \
    do {                                                                                           \
        enum setpay_error failed = (expression);                                                   \
        if (failed != SETPAY_OK)                                                                   \
            test_bail_out("%s:%d: %s: %s", __FILE__, __LINE__, #expression,                        \
                          setpay_error_name(failed));                                              \
    } while (0)

/* ------------------------------------------------------------------ certificates */

struct credentials {
    struct test_party party;
    struct setpay_buffer cas[SETPAY_CHAIN_CAS]; /* the chain's DER */
};

/* The leaf and its two CAs, as setpay-ca writes them into one file. */
static void read_chain(const char *path, struct credentials *made)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        test_bail_out("%s can't be read", path);
    for (size_t i = 0; i <= SETPAY_CHAIN_CAS; i++) {
        struct setpay_buffer *der = i == 0 ? &made->party.der : &made->cas[i - 1];
        unsigned char *bytes = NULL;
        X509 *x509 = PEM_read_X509(file, NULL, NULL, NULL);
        int size = x509 == NULL ? -1 : i2d_X509(x509, &bytes);
        if (size <= 0)
            test_bail_out("%s does not hold a certificate and its CAs", path);
        setpay_buffer_init(der, SETPAY_LIMIT_CERTIFICATE_BYTES);
        OK(setpay_buffer_set(der, (struct setpay_view){bytes, (size_t)size}));
        OPENSSL_free(bytes);
        if (i == 0)
            made->party.x509 = x509;
        else
            X509_free(x509);
        if (i > 0)
            made->party.chain[i - 1] = setpay_buffer_view(der);
    }
    fclose(file);
    OK(setpay_certificate_parse(setpay_buffer_view(&made->party.der), &made->party.certificate));
    made->party.thumbprint = *setpay_certificate_thumbprint(made->party.certificate);
}

static void credentials_clear(struct credentials *made)
{
    setpay_signing_key_free(made->party.signing_key);
    setpay_certificate_unref(made->party.certificate);
    EVP_PKEY_free(made->party.key);
    X509_free(made->party.x509);
    setpay_buffer_clear(&made->party.der);
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++)
        setpay_buffer_clear(&made->cas[i]);
}

struct test_till {
    char brand[32];
    struct credentials merchant, gateway_sign, gateway_encrypt;
};

struct test_till *test_till_new(const struct test_sandbox *sandbox, const char *brand)
{
    char path[256];
    struct test_till *shop = calloc(1, sizeof *shop);
    if (shop == NULL)
        test_bail_out("no memory");
    (void)snprintf(shop->brand, sizeof shop->brand, "%s", brand);
    (void)snprintf(path, sizeof path, "%s/merchant/%s/sign.pem", sandbox->dir, brand);
    read_chain(path, &shop->merchant);
    (void)snprintf(path, sizeof path, "%s/gateway/%s/sign.pem", sandbox->dir, brand);
    read_chain(path, &shop->gateway_sign);
    (void)snprintf(path, sizeof path, "%s/gateway/%s/encrypt.pem", sandbox->dir, brand);
    read_chain(path, &shop->gateway_encrypt);
    return shop;
}

void test_till_free(struct test_till *shop)
{
    credentials_clear(&shop->merchant);
    credentials_clear(&shop->gateway_sign);
    credentials_clear(&shop->gateway_encrypt);
    free(shop);
}

const struct setpay_certificate *test_till_gateway(const struct test_till *shop)
{
    return shop->gateway_sign.party.certificate;
}

/* ------------------------------------------------------------------ the card */

struct test_racer {
    struct credentials own;
    struct test_cardholder cardholder;
};

static void write_request(const char *path, struct test_racer *shopper, const char *brand)
{
    struct setpay_secret pan = {0}, expiry = {0}, pan_secret = {0}, der = {0};
    OK(setpay_secret_copy(&pan, setpay_view_string(shopper->cardholder.pan)));
    OK(setpay_secret_copy(&expiry, setpay_view_string(shopper->cardholder.expiry)));
    OK(setpay_secret_copy(&pan_secret, setpay_digest_view(&shopper->cardholder.pan_secret)));
    const struct setpay_csr_wish wish = {
        .brand = brand, .pan = &pan, .expiry = &expiry, .pan_secret = &pan_secret};
    OK(setpay_csr_build(shopper->own.party.key, &wish, &der));
    FILE *file = fopen(path, "we");
    if (file == NULL || PEM_write(file, PEM_STRING_X509_REQ, "", der.data, (long)der.size) <= 0 ||
        fclose(file) != 0)
        test_bail_out("%s can't be written", path);
    setpay_secret_clear(&pan);
    setpay_secret_clear(&expiry);
    setpay_secret_clear(&pan_secret);
    setpay_secret_clear(&der);
}

struct test_racer *test_racer_new(const struct test_sandbox *sandbox, const char *brand,
                                  const char *pan, const char *expiry)
{
    char csr[192], pem[192];
    struct test_racer *shopper = calloc(1, sizeof *shopper);
    if (shopper == NULL)
        test_bail_out("no memory");
    struct test_cardholder *cardholder = &shopper->cardholder;
    cardholder->party = &shopper->own.party;
    (void)snprintf(cardholder->pan, sizeof cardholder->pan, "%s", pan);
    (void)snprintf(cardholder->expiry, sizeof cardholder->expiry, "%s", expiry);
    OK(setpay_digest_random(&cardholder->pan_secret));
    OK(setpay_key_generate(&shopper->own.party.key));
    OK(setpay_signing_key_from_pkey(shopper->own.party.key, &shopper->own.party.signing_key));
    (void)snprintf(csr, sizeof csr, "%s/shopper.csr", sandbox->dir);
    (void)snprintf(pem, sizeof pem, "%s/shopper.pem", sandbox->dir);
    write_request(csr, shopper, brand);
    test_sandbox_issue(sandbox, brand, csr, pem);
    read_chain(pem, &shopper->own);
    (void)unlink(csr);
    (void)unlink(pem);
    return shopper;
}

void test_racer_free(struct test_racer *shopper)
{
    credentials_clear(&shopper->own);
    free(shopper);
}

/* ------------------------------------------------------------------ the connection */

struct test_post {
    uint16_t port;
    int fd;
    SSL *ssl;
    bool was_used;
};

static SSL_CTX *tls;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tls(void)
{
    tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1)
        test_bail_out("no TLS");
}

struct test_post *test_post_new(uint16_t port)
{
    struct test_post *line = calloc(1, sizeof *line);
    pthread_once(&once, make_tls);
    if (line == NULL)
        test_bail_out("no memory");
    line->port = port;
    line->fd = -1;
    return line;
}

static void line_close(struct test_post *line)
{
    SSL_free(line->ssl);
    line->ssl = NULL;
    if (line->fd >= 0)
        close(line->fd);
    line->fd = -1;
    line->was_used = false;
}

void test_post_free(struct test_post *line)
{
    line_close(line);
    free(line);
}

static bool line_open(struct test_post *line)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(line->port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval limit = {.tv_sec = ANSWER_LIMIT_S};
    const int on = 1;
    line->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (line->fd < 0 || setsockopt(line->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        connect(line->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return false;
    line->ssl = SSL_new(tls);
    return line->ssl != NULL && SSL_set_fd(line->ssl, line->fd) == 1 && SSL_connect(line->ssl) == 1;
}

/* Reads one answer with a Content-Length; the status, or -1. */
static int read_answer(struct test_post *line, struct setpay_buffer *answer)
{
    char head[4096];
    size_t used = 0;
    const char *end = NULL;
    while (end == NULL) {
        int got = used == sizeof head - 1
                      ? -1
                      : SSL_read(line->ssl, head + used, (int)(sizeof head - 1 - used));
        if (got <= 0)
            return -1;
        used += (size_t)got;
        head[used] = '\0';
        end = memmem(head, used, "\r\n\r\n", 4);
    }
    const char *length = strcasestr(head, "\r\nContent-Length:");
    if (strncmp(head, "HTTP/1.1 ", 9) != 0 || length == NULL || length > end)
        return -1;
    int status = (int)strtol(head + 9, NULL, 10);
    size_t size = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    size_t there = used - (size_t)(end + 4 - head);
    if (setpay_buffer_set(answer, (struct setpay_view){(const uint8_t *)end + 4, there}) !=
        SETPAY_OK)
        return -1;
    while (answer->size < size) {
        uint8_t part[4096];
        int got = SSL_read(line->ssl, part, sizeof part);
        if (got <= 0 ||
            setpay_buffer_append(answer, (struct setpay_view){part, (size_t)got}) != SETPAY_OK)
            return -1;
    }
    bool closes = strcasestr(head, "\r\nConnection: close") != NULL;
    if (closes)
        line_close(line);
    return status;
}

int test_post_send(struct test_post *line, struct setpay_view message, struct setpay_buffer *answer)
{
    char head[256];
    int size = snprintf(head, sizeof head,
                        "POST /setpay/v1/message HTTP/1.1\r\nHost: localhost:%u\r\n"
                        "Content-Type: application/x-protobuf\r\nContent-Length: %zu\r\n\r\n",
                        (unsigned)line->port, message.size);
    uint8_t *request = malloc((size_t)size + message.size);
    if (request == NULL)
        test_bail_out("no memory");
    memcpy(request, head, (size_t)size);
    memcpy(request + size, message.data, message.size);
    int status = -1;
    /* A kept connection may have been closed meanwhile: then once more, on a new one. */
    for (int tries = 0; tries < 2 && status < 0; tries++) {
        if (line->ssl == NULL && !line_open(line)) {
            line_close(line);
            break;
        }
        bool kept = line->was_used;
        line->was_used = true;
        if (SSL_write(line->ssl, request, (int)((size_t)size + message.size)) > 0)
            status = read_answer(line, answer);
        if (status < 0)
            line_close(line);
        if (!kept)
            break;
    }
    free(request);
    return status;
}

/* ------------------------------------------------------------------ offer and signature */

static bool ask_offer(const struct test_till *shop, struct test_post *line, const char *token,
                      struct setpay_message *message)
{
    struct setpay_buffer content, bytes, answer;
    struct setpay_pinit_req *request = calloc(1, sizeof *request);
    if (request == NULL)
        test_bail_out("no memory");
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    setpay_buffer_init(&answer, SETPAY_LIMIT_MESSAGE_BYTES);
    OK(setpay_id_random(&request->header.rrpid));
    OK(setpay_id_random(&request->lid_c));
    OK(setpay_digest_random(&request->chall_c));
    request->header.date_ms = setpay_clock_now_ms();
    (void)snprintf(request->header.receiver_name, sizeof request->header.receiver_name,
                   "localhost");
    (void)snprintf(request->order_token, sizeof request->order_token, "%s", token);
    (void)snprintf(request->brand, sizeof request->brand, "%s", shop->brand);
    OK(setpay_pinit_req_build(request, &content));
    const struct setpay_message_parts parts = {.type = SETPAY_MESSAGE_PINIT_REQ,
                                               .content = setpay_buffer_view(&content)};
    OK(setpay_message_build(&parts, &bytes));
    int status = test_post_send(line, setpay_buffer_view(&bytes), &answer);
    bool good =
        status == 200 && setpay_message_parse(setpay_buffer_view(&answer), message) == SETPAY_OK;
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&bytes);
    setpay_buffer_clear(&answer);
    free(request);
    return good;
}

static struct test_purchase *sign_offer(const struct test_till *shop,
                                        const struct test_racer *shopper,
                                        struct setpay_view content,
                                        const struct setpay_pinit_res *offer)
{
    const struct test_purchase_parties parties = {
        .brand = shop->brand,
        .merchant = &shop->merchant.party,
        .merchant_id = offer->merchant_id,
        .gateway_sign = &shop->gateway_sign.party,
        .gateway_encrypt = &shop->gateway_encrypt.party,
    };
    struct test_purchase *p = test_purchase_new(&parties, &shopper->cardholder, offer->amount.minor,
                                                offer->amount.currency, setpay_clock_now_ms());
    p->oi.xid = p->pi.xid = offer->xid;
    p->oi.lid_c = offer->lid_c;
    memcpy(p->oi.lid_m, offer->lid_m, sizeof p->oi.lid_m);
    p->oi.chall_c = offer->chall_c;
    p->oi.chall_m = offer->chall_m;
    p->oi.amount = p->pi.amount = offer->amount;
    p->oi.expiry_ms = p->pi.expiry_ms = offer->expiry_ms;
    OK(setpay_offer_digest(content, &p->oi.offer));
    test_purchase_sign(p);
    p->parties.merchant_id = NULL; /* it was the offer's */
    return p;
}

struct test_purchase *test_racer_sign(const struct test_till *shop,
                                      const struct test_racer *shopper, struct test_post *line,
                                      const char *uri, struct setpay_buffer *message)
{
    struct setpay_message answer;
    struct setpay_pinit_res offer;
    struct test_purchase *purchase = NULL;
    const char *token = strstr(uri, "/pay/");
    if (token == NULL || !ask_offer(shop, line, token + strlen("/pay/"), &answer))
        return NULL;
    if (answer.type == SETPAY_MESSAGE_PINIT_RES &&
        setpay_pinit_res_parse(answer.content, &offer) == SETPAY_OK) {
        purchase = sign_offer(shop, shopper, answer.content, &offer);
        test_purchase_preq(purchase, message);
        setpay_pinit_res_clear(&offer);
    }
    setpay_message_clear(&answer);
    return purchase;
}
