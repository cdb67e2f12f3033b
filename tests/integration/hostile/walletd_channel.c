/*
 * The connection between the real setpay-walletd and a hostile merchant: TLS certificates of others
 * (rules A3, W1), HTTP that is none, Errors in place of an offer. Each gets exactly its error in
 * the reply and in the log; nothing is signed, no row changes, and a server with the wrong
 * certificate does not hear the question.
 */
#include "common/base/clock.h"
#include "tests/support/test_world.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TYPE "application/x-protobuf"
#define SHORT_ANSWER_MS 1000 /* where no answer is to come at all */

/* ------------------------------------------------------------------ TLS */

static const struct test_party *shown;
static int version;

static void shows(struct test_shop *shop, struct test_cast *cast)
{
    (void)shop;
    cast->tls = shown;
    cast->tls_version = version;
}

static void refuse_server(const struct test_party *party, const char *what, const char *expected)
{
    const struct test_lie lie = {.what = what, .expected = expected, .cast = shows};
    shown = party;
    /* Not a byte of the question leaves. */
    assert_int_equal(test_world_refuses_offer(&lie, NULL), 0);
}

/* Rules W1, A3. */
static void servers_that_are_somebody_else_hear_nothing(void **state)
{
    const struct test_others *others = &test_the_world->others;
    (void)state;
    refuse_server(others->host_tls, "rule W1: of another host", "HOST W1");
    refuse_server(others->revoked_tls, "rule A3: revoked", "CERT_REVOKED A3");
    refuse_server(others->stranger_tls, "rule A3: of another root", "CERT_CHAIN A3");
    refuse_server(others->client_tls, "rule A3: a client's", "CERT_USAGE A3");
    refuse_server(others->gateway_tls, "rule A3: a gateway's", "CERT_ROLE A3");
    refuse_server(test_the_world->shop->sign, "rule A3: one for signing", "CERT_USAGE A3");
    refuse_server(others->cardholder, "rule A3: a cardholder's", "CERT_ROLE A3");
}

/* Rule A3. */
static void defective_servers_hear_nothing(void **state)
{
    static const struct {
        enum test_pki_defect defect;
        const char *what, *expected;
    } rows[] = {
        {TEST_PKI_EXPIRED, "expired", "CERT_TIME A3"},
        {TEST_PKI_NOT_YET_VALID, "not yet valid", "CERT_TIME A3"},
        {TEST_PKI_TOO_LONG_LIFE, "too long a life", "CERT_TIME A3"},
        {TEST_PKI_NO_TYPE, "no type", "CERT_ROLE A3"},
        {TEST_PKI_OTHER_TYPE, "another type", "CERT_ROLE A3"},
        {TEST_PKI_TWO_TYPES, "two types", "CERT_ROLE A3"},
        {TEST_PKI_NO_KEY_USAGE, "no key usage", "CERT_USAGE A3"},
        {TEST_PKI_OTHER_EKU, "another purpose", "CERT_USAGE A3"},
        {TEST_PKI_EXTRA_EKU, "a purpose more", "CERT_USAGE A3"},
        {TEST_PKI_LEAF_IS_CA, "a CA", "CERT_USAGE A3"},
        {TEST_PKI_OTHER_BRAND, "outside its CA's brand", "CERT_NAME A3"},
        {TEST_PKI_DOT_IN_CN, "a dot in the name", "CERT_NAME A3"},
        {TEST_PKI_EXTRA_RDN, "two names", "CERT_NAME A3"},
        {TEST_PKI_IP_NAME, "an address", "CERT_NAME A3"},
        {TEST_PKI_WILDCARD, "a wildcard", "CERT_NAME A3"},
        {TEST_PKI_FORGED, "forged", "CERT_CHAIN A3"},
        {TEST_PKI_UNKNOWN_CRITICAL, "an unknown critical extension", "CERT_USAGE A3"},
        {TEST_PKI_WRONG_ISSUER, "by the brand's CA", "CERT_CHAIN A3"},
        {TEST_PKI_OTHER_CURVE, "P-384", "TLS"},
        {TEST_PKI_RSA, "RSA", "TLS"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct test_party *party = test_party_new_defective(test_the_world->pki, "visa",
                                                            SETPAY_PROFILE_MERCHANT_TLS_SERVER,
                                                            TEST_SHOP_ID, rows[i].defect);
        refuse_server(party, rows[i].what, rows[i].expected);
        test_party_free(party);
    }
}

static void older_tls_hears_nothing(void **state)
{
    (void)state;
    version = TLS1_2_VERSION;
    refuse_server(test_the_world->shop->tls, "TLS 1.2", "TLS");
    version = 0;
}

/* Rule A3: one server may serve several brands; what it signs may not. */
static void a_server_of_another_brand_is_a_channel_and_no_more(void **state)
{
    const struct test_lie lie = {.cast = shows};
    json_t *prepared = NULL;
    (void)state;
    shown = test_the_world->others.brand_tls;
    test_shop_lie(test_the_world->shop, &lie, NULL, true, false, false);
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    json_decref(prepared);
}

/* Rule A3: with an authority everything falls that it has issued. Last: it stays so. */
static void a_revoked_authority_takes_all_with_it(void **state)
{
    const struct test_others *others = &test_the_world->others;
    (void)state;
    test_pki_revoke_ca(test_the_world->pki, "mastercard", SETPAY_CA_MERCHANT);
    test_wallet_publish_crl(test_the_world->wallet, "mastercard", SETPAY_CA_BRAND);
    /* What it has learnt by that is stored with the next answer, before it ends. */
    json_t *prepared = NULL;
    test_shop_honest(test_the_world->shop);
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    json_decref(prepared);
    test_world_settle();
    refuse_server(others->brand_tls, "rule A3: of a revoked authority", "CERT_REVOKED A3");
}

/* ------------------------------------------------------------------ HTTP */

#define HTTP(name, ...)                                                                            \
    static void name(struct test_shop *shop, SSL *ssl, struct setpay_view message)                 \
    {                                                                                              \
        (void)shop;                                                                                \
        (void)message;                                                                             \
        __VA_ARGS__;                                                                               \
    }
#define STATUS(name, status) HTTP(name, test_shop_reply(ssl, status, TYPE, "", message))
#define RAW(name, text) HTTP(name, test_shop_write(ssl, setpay_view_string(text)))

STATUS(moved, "301 Moved Permanently")
HTTP(redirected, test_shop_reply(ssl, "302 Found", TYPE,
                                 "Location: https://localhost:1/setpay/v1/message\r\n", message))
STATUS(temporarily, "307 Temporary Redirect")
STATUS(created, "201 Created")
STATUS(in_parts, "206 Partial Content")
STATUS(bad_request, "400 Bad Request")
STATUS(not_found, "404 Not Found")
STATUS(busy, "503 Service Unavailable")
STATUS(broken, "500 Internal Server Error")
STATUS(no_such_status, "999 Whatever")
STATUS(a_status_of_two, "20 OK")
HTTP(no_content, test_shop_reply(ssl, "204 No Content", TYPE, "", SETPAY_VIEW_EMPTY))
HTTP(html, test_shop_reply(ssl, "200 OK", "text/html", "", message))
HTTP(a_parameter, test_shop_reply(ssl, "200 OK", TYPE "; charset=utf-8", "", message))
HTTP(a_long_type, {
    char type[300];
    memset(type, 'x', sizeof type - 1);
    type[sizeof type - 1] = '\0';
    test_shop_reply(ssl, "200 OK", type, "", message);
})
HTTP(encoded, test_shop_reply(ssl, "200 OK", TYPE, "Content-Encoding: gzip\r\n", message))
HTTP(encoded_twice,
     test_shop_reply(ssl, "200 OK", TYPE, "Content-Encoding: identity, br\r\n", message))
HTTP(two_lengths, test_shop_reply(ssl, "200 OK", TYPE, "Content-Length: 5\r\n", message))
HTTP(length_and_chunks,
     test_shop_reply(ssl, "200 OK", TYPE, "Transfer-Encoding: chunked\r\n", message))
HTTP(gzip_chunks,
     test_shop_reply(ssl, "200 OK", TYPE, "Transfer-Encoding: gzip, chunked\r\n", message))
HTTP(a_folded_line, test_shop_reply(ssl, "200 OK", TYPE, "X-A: b\r\n c\r\n", message))
HTTP(a_line_without_a_colon, test_shop_reply(ssl, "200 OK", TYPE, "what is this\r\n", message))
RAW(nothing, "")
RAW(not_http, "SSH-2.0-OpenSSH_9.2\r\n\r\n")
RAW(http_2, "HTTP/2 200\r\nContent-Type: " TYPE "\r\nContent-Length: 0\r\n\r\n")
RAW(no_length, "HTTP/1.1 200 OK\r\nContent-Type: " TYPE "\r\n\r\n")
RAW(negative_length, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")
RAW(a_huge_length, "HTTP/1.1 200 OK\r\nContent-Length: 262145\r\n\r\n")
RAW(a_length_beyond_numbers, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n")
RAW(a_huge_chunk, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\nx")
RAW(a_chunk_of_no_size, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n")
RAW(half_a_header, "HTTP/1.1 200 OK\r\nContent-Type: ")
HTTP(half_a_body, {
    test_shop_write(ssl, setpay_view_string("HTTP/1.1 200 OK\r\nContent-Type: " TYPE
                                            "\r\nContent-Length: 1000\r\n\r\n"));
    test_shop_write(ssl, setpay_view_of(message.data, 100));
})

/* Whole pieces again and again until the other side has had enough; bounded all the same. */
static void endlessly(SSL *ssl, const char *start, const char *piece)
{
    struct setpay_buffer pieces;
    setpay_buffer_init(&pieces, 64 * 1024);
    while (pieces.size + strlen(piece) <= 16 * 1024)
        assert_int_equal(setpay_buffer_append(&pieces, setpay_view_string(piece)), SETPAY_OK);
    test_shop_write(ssl, setpay_view_string(start));
    for (int i = 0; i < 1024 && SSL_get_error(ssl, 1) == SSL_ERROR_NONE; i++)
        if (SSL_write(ssl, pieces.data, (int)pieces.size) <= 0)
            break;
    setpay_buffer_clear(&pieces);
}
HTTP(endless_headers, endlessly(ssl, "HTTP/1.1 200 OK\r\n", "X-More: of the same\r\n"))
HTTP(an_endless_line, endlessly(ssl, "HTTP/1.1 200 OK\r\nX-Long: ", "xxxxxxxxxxxxxxxx"))
HTTP(endless_chunks, endlessly(ssl, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                               "10\r\nxxxxxxxxxxxxxxxx\r\n"))
HTTP(endless_small_chunks, endlessly(ssl, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                     "1;and=words;that=fill;the=line\r\nx\r\n"))
HTTP(an_endless_status, endlessly(ssl, "", "HTTP/1.1 100 Continue\r\n\r\n"))
HTTP(an_endless_trailer,
     endlessly(ssl, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
               "X-More: of the same\r\n"))

/* A valid gzip file with what was asked for inside: one stored block (RFC 1951, RFC 1952). */
static void compressed(struct test_shop *shop, SSL *ssl, struct setpay_view message)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1};
    struct setpay_buffer file;
    uint32_t crc = 0xffffffff;
    uint8_t tail[8], sizes[4] = {(uint8_t)message.size, (uint8_t)(message.size >> 8),
                                 (uint8_t)~message.size, (uint8_t)(~message.size >> 8)};
    (void)shop;
    for (size_t i = 0; i < message.size; i++) {
        crc ^= message.data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
    }
    for (size_t i = 0; i < 4; i++) {
        tail[i] = (uint8_t)(~crc >> (8 * i));
        tail[4 + i] = (uint8_t)(message.size >> (8 * i));
    }
    setpay_buffer_init(&file, 64 * 1024);
    assert_int_equal(setpay_buffer_append(&file, SETPAY_VIEW_ARRAY(head)), SETPAY_OK);
    assert_int_equal(setpay_buffer_append(&file, SETPAY_VIEW_ARRAY(sizes)), SETPAY_OK);
    assert_int_equal(setpay_buffer_append(&file, message), SETPAY_OK);
    assert_int_equal(setpay_buffer_append(&file, SETPAY_VIEW_ARRAY(tail)), SETPAY_OK);
    test_shop_reply(ssl, "200 OK", TYPE, "Content-Encoding: gzip\r\n", setpay_buffer_view(&file));
    setpay_buffer_clear(&file);
}

static const struct test_lie https[] = {
    {"301", "PEER_REFUSED", .http = moved},
    {"302 with a Location", "PEER_REFUSED", .http = redirected},
    {"307", "PEER_REFUSED", .http = temporarily},
    {"201", "PEER_REFUSED", .http = created},
    {"204", "PEER_REFUSED", .http = no_content},
    {"206", "PEER_REFUSED", .http = in_parts},
    {"400", "PEER_REFUSED", .http = bad_request},
    {"404", "PEER_REFUSED", .http = not_found},
    {"500", "PEER_BUSY", .http = broken},
    {"503", "PEER_BUSY", .http = busy},
    {"999", "PEER_BUSY", .http = no_such_status},
    {"a status of two digits", "MALFORMED A1", .http = a_status_of_two},
    {"text/html", "PEER_REFUSED", .http = html},
    {"a content type with a parameter", "PEER_REFUSED", .http = a_parameter},
    {"a content type of 300 bytes", "MALFORMED A1", .http = a_long_type},
    {"compressed", "MALFORMED A1", .http = compressed},
    {"said to be compressed", "MALFORMED A1", .http = encoded},
    {"said to be compressed among others", "MALFORMED A1", .http = encoded_twice},
    {"two lengths", "MALFORMED A1", .http = two_lengths},
    {"a length and chunks", "MALFORMED A1", .http = length_and_chunks},
    {"compressed chunks", "MALFORMED A1", .http = gzip_chunks},
    {"a folded header line", "MALFORMED A1", .http = a_folded_line},
    {"a header line without a colon", "MALFORMED A1", .http = a_line_without_a_colon},
    {"nothing", "CLOSED", .http = nothing},
    {"another protocol", "MALFORMED A1", .http = not_http},
    {"HTTP/2 in words", "MALFORMED A1", .http = http_2},
    {"no length", "MALFORMED A1", .http = no_length},
    {"a length below zero", "MALFORMED A1", .http = negative_length},
    {"a length of 256 KiB and one", "TOO_BIG A1", .http = a_huge_length},
    {"a length of twenty digits", "MALFORMED A1", .http = a_length_beyond_numbers},
    {"a chunk of 2 GiB", "TOO_BIG A1", .http = a_huge_chunk},
    {"a chunk of size -1", "MALFORMED A1", .http = a_chunk_of_no_size},
    {"half a header", "CLOSED", .http = half_a_header},
    {"half a body", "CLOSED", .http = half_a_body},
    {"headers without end", "TOO_BIG A1", .http = endless_headers},
    {"a header line without end", "TOO_BIG A1", .http = an_endless_line},
    {"chunks without end", "TOO_BIG A1", .http = endless_chunks},
    {"small chunks without end", "TOO_BIG A1", .http = endless_small_chunks},
    {"100 Continue without end", "TOO_BIG A1", .http = an_endless_status},
    {"a trailer without end", "TOO_BIG A1", .http = an_endless_trailer},
};

/* ------------------------------------------------------------------ slowly */

HTTP(never, test_shop_hold(ssl))
HTTP(a_first_byte, {
    test_shop_write(ssl, setpay_view_string("H"));
    test_shop_hold(ssl);
})
HTTP(all_but_the_last_byte, {
    char head[200];
    (void)snprintf(head, sizeof head,
                   "HTTP/1.1 200 OK\r\nContent-Type: " TYPE "\r\nContent-Length: %zu\r\n\r\n",
                   message.size);
    test_shop_write(ssl, setpay_view_string(head));
    test_shop_write(ssl, setpay_view_of(message.data, message.size - 1));
    test_shop_hold(ssl);
})
/* A byte now and then: each is a sign of life, and together they are none. */
HTTP(drop_by_drop, {
    test_shop_write(ssl, setpay_view_string("HTTP/1.1 200 OK\r\nX-Slow: "));
    for (int i = 0; i < 10000 && SSL_write(ssl, "x", 1) == 1; i++)
        (void)usleep(20000);
})

/* However long it lasts, the whole answer has one deadline. */
static void slow_servers_are_not_waited_for(void **state)
{
    static const struct test_lie slow[] = {
        {"never", "TIMEOUT", .http = never},
        {"a first byte", "TIMEOUT", .http = a_first_byte},
        {"all but the last byte", "TIMEOUT", .http = all_but_the_last_byte},
        {"drop by drop", "TIMEOUT", .http = drop_by_drop},
    };
    struct test_wallet *wallet = test_the_world->wallet;
    (void)state;
    test_daemon_stop(&wallet->daemon);
    test_wallet_start(wallet, SHORT_ANSWER_MS);
    for (size_t i = 0; i < COUNT(slow); i++)
        (void)test_world_refuses_offer(&slow[i], NULL);
    test_daemon_stop(&wallet->daemon);
    test_wallet_start(wallet, TEST_WALLET_ANSWER_MS);
}

/* ------------------------------------------------------------------ Errors */

static enum setpay_error refusal;
static bool is_signed, of_another_request, of_another_rrpid;

static void an_error(struct test_shop *shop, struct test_sale *sale,
                     const struct setpay_message *request, struct setpay_view raw,
                     struct setpay_buffer *message)
{
    static const uint8_t other[] = "another message";
    struct setpay_id rrpid = sale->asked->header.rrpid;
    if (of_another_rrpid)
        rrpid.bytes[0] ^= 1;
    const struct setpay_refusal made = {
        .error = refusal,
        .message = of_another_request ? NULL : request,
        .raw = of_another_request ? SETPAY_VIEW_ARRAY(other) : raw,
        .rrpid = &rrpid,
        .key = is_signed ? shop->sign->signing_key : NULL,
        .signer = is_signed ? &shop->sign->thumbprint : NULL,
    };
    assert_int_equal(setpay_refusal_build(&made, setpay_clock_now_ms(), message), SETPAY_OK);
}

static void expect_error(enum setpay_error error, const char *expected)
{
    const struct test_lie lie = {
        .what = setpay_error_name(error), .expected = expected, .instead = an_error};
    refusal = error;
    (void)test_world_refuses_offer(&lie, NULL);
}

/* Rule A4 holds for Errors too; and what the merchant says is only its word. */
static void errors_are_answers_too(void **state)
{
    (void)state;
    for (int with_signature = 0; with_signature < 2; with_signature++) {
        is_signed = with_signature == 1;
        expect_error(SETPAY_E_OFFER_UNKNOWN, "NOT_FOUND");
        expect_error(SETPAY_E_ORDER_TAKEN, "EXISTS");
        expect_error(SETPAY_E_EXPIRED, "NOT_FOUND");
        expect_error(SETPAY_E_BRAND_UNKNOWN, "PERMISSION");
        expect_error(SETPAY_E_BUSY, "PEER_BUSY");
        expect_error(SETPAY_E_DATE, "PEER_DATE A5");
        expect_error(SETPAY_E_SIGNATURE, "PEER_REFUSED");
        of_another_request = true;
        expect_error(SETPAY_E_OFFER_UNKNOWN, "ANSWER_REQUEST A4");
        of_another_request = false;
        of_another_rrpid = true;
        expect_error(SETPAY_E_OFFER_UNKNOWN, "ANSWER_IDS A4");
        of_another_rrpid = false;
    }
}

/* ------------------------------------------------------------------ the program */

static void refuses(void **state)
{
    (void)test_world_refuses_offer(*state, NULL);
}

static int set_up(void **state)
{
    (void)state;
    (void)test_world_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_world_free(test_the_world);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(servers_that_are_somebody_else_hear_nothing),
        cmocka_unit_test(defective_servers_hear_nothing),
        cmocka_unit_test(older_tls_hears_nothing),
        cmocka_unit_test(a_server_of_another_brand_is_a_channel_and_no_more),
        cmocka_unit_test(slow_servers_are_not_waited_for),
        cmocka_unit_test(errors_are_answers_too),
        cmocka_unit_test(a_revoked_authority_takes_all_with_it),
    };
    struct CMUnitTest tests[COUNT(https) + COUNT(others)];
    for (size_t i = 0; i < COUNT(https); i++)
        tests[i] = (struct CMUnitTest){.name = https[i].what,
                                       .test_func = refuses,
                                       .initial_state = (void *)(uintptr_t)&https[i]};
    memcpy(tests + COUNT(https), others, sizeof others);
    int failed = _cmocka_run_group_tests("walletd_channel", tests, COUNT(tests), set_up, tear_down);
    test_world_tally();
    return failed;
}
