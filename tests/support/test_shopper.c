/*
 * HTTPS by hand, and the wallet's half of the messages straight from the definitions.
 */
#include "tests/support/test_shopper.h"

#include "common/base/clock.h"
#include "common/wire/receipt.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
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

#define REPLY_MAX (256 * 1024)
#define HEAD_MAX 8192

/* ------------------------------------------------------------------ the channel */

struct test_channel *test_channel_new_version(const struct test_merchantd *merchant, int version)
{
    struct test_channel *channel = calloc(1, sizeof *channel);
    NEED(channel != NULL);
    channel->context = SSL_CTX_new(TLS_client_method());
    NEED(channel->context != NULL);
    NEED(SSL_CTX_set_max_proto_version(channel->context, version) == 1);
    channel->ssl = SSL_new(channel->context);
    NEED(channel->ssl != NULL);
    channel->fd = test_connect(merchant->wallets);
    NEED(SSL_set_fd(channel->ssl, channel->fd) == 1);
    if (SSL_connect(channel->ssl) != 1) {
        ERR_clear_error();
        test_channel_free(channel);
        return NULL;
    }
    return channel;
}

struct test_channel *test_channel_new(const struct test_merchantd *merchant)
{
    struct test_channel *channel = test_channel_new_version(merchant, TLS1_3_VERSION);
    NEED(channel != NULL);
    return channel;
}

void test_channel_free(struct test_channel *channel)
{
    if (channel == NULL)
        return;
    SSL_free(channel->ssl);
    SSL_CTX_free(channel->context);
    (void)close(channel->fd);
    free(channel);
}

bool test_channel_send(struct test_channel *channel, struct setpay_view bytes)
{
    while (bytes.size > 0) {
        int sent = SSL_write(channel->ssl, bytes.data, (int)bytes.size);
        if (sent <= 0) {
            ERR_clear_error();
            return false;
        }
        bytes = setpay_view_of(bytes.data + sent, bytes.size - (size_t)sent);
    }
    return true;
}

/* Up to and with the empty line. */
static bool receive_head(struct test_channel *channel, char head[HEAD_MAX])
{
    size_t size = 0;
    while (size < 4 || memcmp(head + size - 4, "\r\n\r\n", 4) != 0) {
        NEED(size + 1 < HEAD_MAX);
        if (SSL_read(channel->ssl, head + size, 1) != 1) {
            ERR_clear_error();
            return false;
        }
        size++;
    }
    head[size] = '\0';
    return true;
}

static bool find_field(const char *head, const char *name, char *value, size_t room)
{
    char start[64];
    (void)snprintf(start, sizeof start, "\r\n%s: ", name);
    const char *at = strcasestr(head, start);
    if (at == NULL)
        return false;
    at += strlen(start);
    (void)snprintf(value, room, "%.*s", (int)strcspn(at, "\r"), at);
    return true;
}

bool test_channel_receive(struct test_channel *channel, struct test_reply *reply)
{
    char head[HEAD_MAX], length[32] = "0";
    uint8_t *room = NULL;
    if (!receive_head(channel, head))
        return false;
    memset(reply, 0, sizeof *reply);
    NEED(strncmp(head, "HTTP/1.1 ", 9) == 0);
    reply->status = (int)strtol(head + 9, NULL, 10);
    (void)find_field(head, "Content-Type", reply->type, sizeof reply->type);
    (void)find_field(head, "Content-Length", length, sizeof length);
    size_t size = strtoul(length, NULL, 10);
    setpay_buffer_init(&reply->body, REPLY_MAX);
    OK(setpay_buffer_extend(&reply->body, size, &room));
    for (size_t got = 0; got < size;) {
        int part = SSL_read(channel->ssl, room + got, (int)(size - got));
        NEED(part > 0);
        got += (size_t)part;
    }
    return true;
}

void test_channel_post(struct test_channel *channel, struct setpay_view message)
{
    char head[256];
    int size = snprintf(head, sizeof head,
                        "POST /setpay/v1/message HTTP/1.1\r\nHost: " TEST_MERCHANT_HOST "\r\n"
                        "Content-Type: application/x-protobuf\r\nContent-Length: %zu\r\n\r\n",
                        message.size);
    NEED(test_channel_send(channel, setpay_view_of(head, (size_t)size)));
    NEED(test_channel_send(channel, message));
}

void test_channel_answer(struct test_channel *channel, struct setpay_buffer *answer)
{
    struct test_reply reply;
    NEED(test_channel_receive(channel, &reply));
    NEED(reply.status == 200 && strcmp(reply.type, "application/x-protobuf") == 0);
    *answer = reply.body;
}

void test_channel_ask(struct test_channel *channel, struct setpay_view message,
                      struct setpay_buffer *answer)
{
    test_channel_post(channel, message);
    test_channel_answer(channel, answer);
}

/* ------------------------------------------------------------------ PInit */

void test_pinit_fill(const struct test_order *order, const char *brand, setpay_time_ms now_ms,
                     struct setpay_pinit_req *request)
{
    memset(request, 0, sizeof *request);
    OK(setpay_id_random(&request->header.rrpid));
    request->header.date_ms = now_ms;
    (void)snprintf(request->header.receiver_name, sizeof request->header.receiver_name,
                   TEST_MERCHANT_HOST);
    (void)snprintf(request->order_token, sizeof request->order_token, "%.64s", order->token);
    (void)snprintf(request->brand, sizeof request->brand, "%s", brand);
    OK(setpay_digest_random(&request->chall_c));
    OK(setpay_id_random(&request->lid_c));
}

void test_pinit_message(const struct setpay_pinit_req *request, struct setpay_buffer *message)
{
    struct setpay_buffer content;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(message, SETPAY_LIMIT_MESSAGE_BYTES);
    OK(setpay_pinit_req_build(request, &content));
    const struct setpay_message_parts parts = {.type = SETPAY_MESSAGE_PINIT_REQ,
                                               .content = setpay_buffer_view(&content)};
    OK(setpay_message_build(&parts, message));
    setpay_buffer_clear(&content);
}

void test_offer_get(struct test_merchantd *merchant, const struct test_order *order,
                    const char *brand, setpay_time_ms now_ms, struct test_offer *offer)
{
    struct setpay_pinit_req request;
    struct setpay_buffer sent, answer;
    struct setpay_message message;
    struct test_channel *channel = test_channel_new(merchant);
    test_pinit_fill(order, brand, now_ms, &request);
    test_pinit_message(&request, &sent);
    test_channel_ask(channel, setpay_buffer_view(&sent), &answer);
    OK(setpay_message_parse(setpay_buffer_view(&answer), &message));
    NEED(message.type == SETPAY_MESSAGE_PINIT_RES);
    OK(setpay_offer_digest(message.content, &offer->digest));
    OK(setpay_pinit_res_parse(message.content, &offer->message));
    offer->brand = strcmp(brand, "visa") == 0 ? 0 : 1;
    NEED(setpay_digest_equal(&offer->message.header.sender,
                             &merchant->shops[offer->brand].sign->thumbprint));
    setpay_message_clear(&message);
    setpay_buffer_clear(&sent);
    setpay_buffer_clear(&answer);
    test_channel_free(channel);
}

void test_offer_clear(struct test_offer *offer)
{
    setpay_pinit_res_clear(&offer->message);
}

struct test_purchase *test_offer_purchase(const struct test_merchantd *merchant,
                                          const struct test_offer *offer,
                                          const struct test_cardholder *cardholder,
                                          setpay_time_ms now_ms)
{
    struct test_purchase_parties parties = test_gateway_parties(merchant->gateway, offer->brand);
    parties.merchant = merchant->shops[offer->brand].sign;
    parties.merchant_id = merchant->id;
    const struct setpay_money *amount = &offer->message.amount;
    struct test_purchase *p =
        test_purchase_new(&parties, cardholder, amount->minor, amount->currency, now_ms);
    test_purchase_take_offer(p, &offer->message, &offer->digest);
    return p;
}

/* ------------------------------------------------------------------ answers */

void test_pres_read(const struct test_purchase *p, struct setpay_view answer,
                    enum setpay_message_type type, struct setpay_pres *pres)
{
    struct setpay_message message;
    OK(setpay_message_parse(answer, &message));
    if (message.type != type)
        (void)fprintf(stderr, "an answer of type %s\n", setpay_message_type_name(message.type));
    NEED(message.type == type);
    OK(setpay_message_verify(&message, p->parties.merchant->certificate));
    OK(setpay_pres_parse(message.content, pres));
    NEED(setpay_id_equal(&pres->xid, &p->oi.xid));
    NEED(setpay_digest_equal(&pres->oimd, &p->oimd));
    NEED(setpay_digest_equal(&pres->header.receiver, &p->oi.cardholder));
    setpay_message_clear(&message);
}

enum setpay_error test_pres_receipt(const struct test_merchantd *merchant, int brand,
                                    const struct test_purchase *p, const struct setpay_pres *pres,
                                    struct setpay_receipt *receipt)
{
    struct setpay_buffer bytes;
    if (pres->receipt_count == 0)
        return SETPAY_E_NOT_FOUND;
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    enum setpay_error error = setpay_sealed_receipt_open(
        &pres->receipts[pres->receipt_count - 1], &p->pi.back_key, &p->oi.xid,
        merchant->gateway->sign[brand]->certificate, receipt, &bytes);
    if (error == SETPAY_OK && !setpay_digest_equal(&receipt->pomd, &p->pomd))
        error = SETPAY_E_RECEIPT;
    setpay_buffer_clear(&bytes);
    return error;
}

void test_inquiry_fill(const struct test_purchase *p, setpay_time_ms now_ms,
                       struct test_inquiry *inquiry)
{
    memset(inquiry, 0, sizeof *inquiry);
    inquiry->signer = inquiry->key = p->cardholder->party;
    inquiry->request.header = (struct setpay_request_header){
        .date_ms = now_ms,
        .has_sender = true,
        .sender = p->cardholder->party->thumbprint,
        .has_receiver = true,
        .receiver = p->parties.merchant->thumbprint,
    };
    OK(setpay_id_random(&inquiry->request.header.rrpid));
    inquiry->request.xid = p->oi.xid;
    inquiry->request.lid_c = p->oi.lid_c;
    OK(setpay_digest_random(&inquiry->request.challenge));
}

void test_inquiry_message(const struct test_inquiry *inquiry, struct setpay_buffer *message)
{
    struct setpay_buffer content;
    const struct setpay_view certificates[] = {
        setpay_buffer_view(&inquiry->signer->der),
        inquiry->signer->chain[0],
        inquiry->signer->chain[1],
    };
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(message, SETPAY_LIMIT_MESSAGE_BYTES);
    OK(setpay_inq_req_build(&inquiry->request, &content));
    const struct setpay_message_parts parts = {
        .type = SETPAY_MESSAGE_INQ_REQ,
        .content = setpay_buffer_view(&content),
        .key = inquiry->key->signing_key,
        .signer = &inquiry->signer->thumbprint,
        .certificates = certificates,
        .certificate_count = 3,
    };
    OK(setpay_message_build(&parts, message));
    setpay_buffer_clear(&content);
}

/* ------------------------------------------------------------------ refusals */

unsigned test_error_wire_code(const char *expected)
{
    unsigned count = 0;
    const struct setpay_error_info *table = setpay_error_table(&count);
    size_t size = strcspn(expected, " ");
    const char *rule = expected[size] == ' ' ? expected + size + 1 : "";
    for (unsigned i = 0; i < count; i++) {
        if (strlen(table[i].name) == size && strncmp(table[i].name, expected, size) == 0)
            return strcmp(table[i].rule, rule) == 0 ? (unsigned)table[i].wire : 0;
    }
    return 0;
}

/* A content with the same fields has the same size whatever the code, and holds nothing that the
 * fields are not made of. */
static const char *form_fault(const struct setpay_message *message,
                              const struct setpay_error_report *report)
{
    struct setpay_buffer again;
    static size_t sizes[2][2]; /* with rrpid, signed */
    size_t *size = &sizes[report->has_rrpid][report->has_sender];
    setpay_buffer_init(&again, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_error_report_build(report, &again));
    bool same = setpay_view_equal(setpay_buffer_view(&again), message->content);
    setpay_buffer_clear(&again);
    if (*size == 0)
        *size = message->content.size;
    if (message->certificate_count + message->crl_count + message->envelope.size > 0)
        return "something is beside the Error";
    return same && *size == message->content.size ? NULL : "an Error of another form";
}

static const char *report_fault(const struct test_party *merchant, struct setpay_view sent,
                                const struct setpay_message *message, unsigned code)
{
    struct setpay_error_report report;
    struct setpay_message question;
    struct setpay_digest received;
    if (setpay_error_report_parse(message->content, &report) != SETPAY_OK)
        return "an Error that can't be read";
    if (report.code != code)
        return "another wire code";
    if (setpay_message_parse(sent, &question) == SETPAY_OK) {
        OK(setpay_message_request_hash(&question, &received));
        setpay_message_clear(&question);
    } else {
        OK(setpay_raw_hash(sent, &received));
    }
    if (!setpay_digest_equal(&received, &report.received))
        return "an Error to something else";
    if (report.has_sender != (merchant != NULL) || message->is_signed != (merchant != NULL))
        return merchant == NULL ? "a signed Error" : "an unsigned Error";
    if (merchant != NULL && (!setpay_digest_equal(&report.sender, &merchant->thumbprint) ||
                             setpay_message_verify(message, merchant->certificate) != SETPAY_OK))
        return "an Error of somebody else";
    return form_fault(message, &report);
}

const char *test_error_fault(const struct test_party *merchant, struct setpay_view sent,
                             struct setpay_view answer, const char *expected)
{
    struct setpay_message message;
    unsigned code = test_error_wire_code(expected);
    if (code == 0)
        return "no such error under that rule";
    if (setpay_message_parse(answer, &message) != SETPAY_OK)
        return "an answer that can't be read";
    const char *fault = message.type == SETPAY_MESSAGE_ERROR
                            ? report_fault(merchant, sent, &message, code)
                            : "no Error at all";
    setpay_message_clear(&message);
    return fault;
}

static const char *answer_fault(const struct test_attack *attack, struct setpay_view answer,
                                const char *is)
{
    const char *fault = test_error_fault(attack->signer, attack->message, answer, is);
    if (fault != NULL && attack->any_signer)
        fault = test_error_fault(NULL, attack->message, answer, is);
    return fault;
}

const char *test_attack_fault(struct test_merchantd *merchant, struct test_channel *channel,
                              const struct test_attack *attack)
{
    static char words[256];
    char is[96];
    struct setpay_buffer answer;
    struct test_standing before;
    const struct test_daemon *daemon = &merchant->daemon;
    size_t refusals = test_daemon_log_count(daemon, "event=request.refused");
    test_standing_take(merchant, &before);
    test_channel_ask(channel, attack->message, &answer);
    const char *moved = test_standing_moved(merchant, &before);
    bool one_more = test_daemon_log_count(daemon, "event=request.refused") == refusals + 1;
    (void)snprintf(is, sizeof is, "%s",
                   test_daemon_refusal(daemon, "request.refused", attack->rrpid));
    bool expected = strcmp(is, attack->expected) == 0 ||
                    (attack->or_expected != NULL && strcmp(is, attack->or_expected) == 0);
    const char *fault = answer_fault(attack, setpay_buffer_view(&answer), is);
    setpay_buffer_clear(&answer);
    if (moved == NULL && one_more && expected && fault == NULL)
        return NULL;
    (void)snprintf(words, sizeof words, "%s: expected %s; the log says \"%s\"%s; %s; %s",
                   expected ? "not as it should be" : "another refusal", attack->expected, is,
                   one_more ? "" : ", not once", fault == NULL ? "a right Error" : fault,
                   moved == NULL ? "nothing has moved" : moved);
    return words;
}
