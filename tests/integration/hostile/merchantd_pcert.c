/*
 * A lying gateway before a running merchant: which certificates it says are its own (PCertRes), the
 * revocation lists that it sends along, and the certificate under which it lets the merchant
 * connect.
 *
 * What always holds: an answer that does not hold changes nothing, so that offers go on naming the
 * gateway's true certificates; no list undoes a newer one; and behind a false TLS certificate
 * nobody is asked anything.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_false_answer.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_market.h"
#include "tests/support/test_proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 280
#define BESIDE 9

static struct test_market market;
static struct test_gateway *gateway;
static struct test_false_gateway *liar;

static struct parties {
    struct test_party *sign, *encrypt; /* of gateway-2 */
    struct test_party *revoked, *expired, *forged;
} others;

/* ------------------------------------------------------------------ PCertRes */

enum lie {
    OTHER_SIGN,
    OTHER_ENCRYPT,
    OTHER_BOTH,
    BRAND_SIGN,
    BRAND_ENCRYPT,
    TURNED,
    MERCHANT_SIGN,
    REVOKED,
    EXPIRED,
    FORGED,
    NOT_SHOWN,
    OTHER_BRAND,
    OTHER_GATEWAY_ID,
    OTHER_MERCHANT,
    OTHER_RRPID,
    OTHER_QUESTION,
    OTHER_RECEIVER,
    BY_OTHER,
    BY_MERCHANT,
    BY_ENCRYPTION,
    BY_BRAND,
    UNKNOWN_FIELD,
    FIELD_TWICE,
    AN_AUTH_RES,
    NOISE,
    AN_ERROR,
    THE_TRUTH,
};

struct pcert_lie {
    enum lie lie;
    const char *what;
    const char *expected;
};

static const struct pcert_lie pcert_lies[] = {
    /* rule W3, for the merchant: one for signing and one for encryption, of this gateway */
    {OTHER_SIGN, "another gateway's for signing", "GATEWAY_CERTS W3"},
    {OTHER_ENCRYPT, "another gateway's for encryption", "GATEWAY_CERTS W3"},
    {OTHER_BOTH, "both of another gateway", "GATEWAY_CERTS W3"},
    /* rule A3 */
    {BRAND_SIGN, "another brand's for signing", "BRANDS_MIXED A3"},
    {BRAND_ENCRYPT, "another brand's for encryption", "BRANDS_MIXED A3"},
    {TURNED, "one for the other", "CERT_USAGE A3"},
    {MERCHANT_SIGN, "the merchant's own", "CERT_ROLE A3"},
    {REVOKED, "a revoked one", "CERT_REVOKED A3"},
    {EXPIRED, "an expired one", "CERT_TIME A3"},
    {FORGED, "a forged one", "CERT_CHAIN A3"},
    {NOT_SHOWN, "one that is not shown", "CERT_MISSING A3"},
    {BY_MERCHANT, "signed by the merchant", "CERT_ROLE A3"},
    {BY_ENCRYPTION, "signed with the encryption certificate", "CERT_USAGE A3"},
    {BY_BRAND, "signed by the gateway of another brand", "BRANDS_MIXED A3"},
    /* rule A4 */
    {OTHER_BRAND, "for another brand", "ANSWER_PARTIES A4"},
    {OTHER_GATEWAY_ID, "under another gateway's id", "ANSWER_PARTIES A4"},
    {OTHER_MERCHANT, "for another merchant", "ANSWER_PARTIES A4"},
    {OTHER_RECEIVER, "to another merchant", "ANSWER_PARTIES A4"},
    {OTHER_RRPID, "to another rrpid", "ANSWER_IDS A4"},
    {OTHER_QUESTION, "to another question", "ANSWER_REQUEST A4"},
    {BY_OTHER, "signed by another gateway", "ANSWER_SIGNER A4"},
    /* rule A1 */
    {UNKNOWN_FIELD, "with an unknown field", "NOT_CANONICAL A1"},
    {FIELD_TWICE, "with a field given twice", "NOT_CANONICAL A1"},
    {AN_AUTH_RES, "an AuthRes", "MESSAGE_TYPE A1"},
    {NOISE, "noise", "MALFORMED A1"},
    {AN_ERROR, "an Error", "PEER_REFUSED"},
};
#define PCERT_LIES (sizeof pcert_lies / sizeof *pcert_lies)

static void must(enum setpay_error error)
{
    if (error != SETPAY_OK)
        abort(); /* on a thread of the lying gateway, where no test can fail */
}

/* What is said; named: whose certificates go beside. */
static void spoil(enum lie lie, struct setpay_pcert_res *res, const struct test_party **named)
{
    const struct test_party *sign = named[0], *encrypt = named[1];
    switch (lie) {
    case OTHER_SIGN:
        sign = others.sign;
        break;
    case OTHER_ENCRYPT:
        encrypt = others.encrypt;
        break;
    case OTHER_BOTH:
        sign = others.sign;
        encrypt = others.encrypt;
        break;
    case BRAND_SIGN:
        sign = gateway->sign[1];
        break;
    case BRAND_ENCRYPT:
        encrypt = gateway->encrypt[1];
        break;
    case TURNED:
        sign = named[1];
        encrypt = named[0];
        break;
    case MERCHANT_SIGN:
        sign = gateway->shop[0].sign;
        break;
    case REVOKED:
        sign = others.revoked;
        break;
    case EXPIRED:
        sign = others.expired;
        break;
    case FORGED:
        sign = others.forged;
        break;
    case OTHER_BRAND:
        (void)snprintf(res->brand, sizeof res->brand, "mastercard");
        break;
    case OTHER_GATEWAY_ID:
        (void)snprintf(res->gateway_id, sizeof res->gateway_id, "gateway-2");
        break;
    case OTHER_MERCHANT:
        (void)snprintf(res->merchant_id, sizeof res->merchant_id, "other");
        break;
    case OTHER_RRPID:
        res->header.rrpid.bytes[0] ^= 1;
        break;
    case OTHER_QUESTION:
        res->header.request_hash.bytes[0] ^= 1;
        break;
    case OTHER_RECEIVER:
        res->header.receiver = gateway->other.sign->thumbprint;
        break;
    default:
        break;
    }
    named[0] = sign;
    named[1] = encrypt;
    res->gateway_sign = sign->thumbprint;
    res->gateway_encrypt = encrypt->thumbprint;
    if (lie == NOT_SHOWN)
        res->gateway_sign.bytes[0] ^= 1;
}

static const struct test_party *signer_of(enum lie lie)
{
    return lie == BY_OTHER        ? others.sign
           : lie == BY_MERCHANT   ? gateway->shop[0].sign
           : lie == BY_ENCRYPTION ? gateway->encrypt[0]
           : lie == BY_BRAND      ? gateway->sign[1]
                                  : gateway->sign[0];
}

static struct setpay_buffer crl; /* beside an answer; empty for none */

static void sign_answer(const struct pcert_lie *lie, const struct test_party *const *named,
                        struct setpay_view content, struct setpay_buffer *answer)
{
    const struct test_party *signer = signer_of(lie->lie);
    const struct test_party *shown[] = {signer, named[0], named[1]};
    const struct setpay_view list = setpay_buffer_view(&crl);
    struct setpay_view certificates[BESIDE];
    size_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        certificates[count++] = setpay_buffer_view(&shown[i]->der);
        certificates[count++] = shown[i]->chain[0];
        certificates[count++] = shown[i]->chain[1];
    }
    const struct setpay_message_parts parts = {
        .type = lie->lie == AN_AUTH_RES ? SETPAY_MESSAGE_AUTH_RES : SETPAY_MESSAGE_PCERT_RES,
        .content = content,
        .key = signer->signing_key,
        .signer = &signer->thumbprint,
        .certificates = certificates,
        .certificate_count = count,
        .crls = &list,
        .crl_count = list.size > 0,
    };
    must(setpay_message_build(&parts, answer));
}

static void tell(const struct test_question *q, const void *arg, struct setpay_buffer *answer)
{
    static const uint32_t top[] = {0};
    const struct pcert_lie *lie = arg;
    const struct test_party *named[] = {gateway->sign[0], gateway->encrypt[0]};
    const struct test_false_error error = {.code = SETPAY_WIRE_NOT_PERMITTED, .signer = &named[0]};
    struct setpay_message truth;
    struct setpay_pcert_res res;
    struct setpay_buffer content;
    if (q->brand != 0 || lie->lie == NOISE || lie->lie == AN_ERROR) {
        if (q->brand != 0) /* about visa alone */
            must(setpay_buffer_set(answer, q->truth));
        else if (lie->lie == NOISE)
            test_false_answer_noise(answer);
        else
            test_false_error_say(q, &error, answer);
        return;
    }
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    must(setpay_message_parse(q->truth, &truth));
    must(setpay_pcert_res_parse(truth.content, &res));
    res.header.sender = signer_of(lie->lie)->thumbprint;
    spoil(lie->lie, &res, named);
    must(setpay_pcert_res_build(&res, &content));
    if (lie->lie == UNKNOWN_FIELD || lie->lie == FIELD_TWICE)
        test_proto_change(setpay_buffer_view(&content), top, 2,
                          lie->lie == UNKNOWN_FIELD ? TEST_PROTO_UNKNOWN : TEST_PROTO_TWICE,
                          &content);
    sign_answer(lie, named, setpay_buffer_view(&content), answer);
    setpay_buffer_clear(&content);
    setpay_message_clear(&truth);
}

static void wait_told(unsigned enough)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    while (test_false_gateway_told(liar) < enough) {
        assert_true(setpay_clock_monotonic_ms() < until);
        (void)usleep(TEST_POLL_US);
    }
}

/* An offer as it is made now names the gateway's true certificates. */
static void expect_true_offer(void)
{
    struct test_sale sale;
    test_sale_make(&market, market.holder, &sale);
    assert_true(
        setpay_digest_equal(&sale.offer.message.gateway_sign, &gateway->sign[0]->thumbprint));
    assert_true(
        setpay_digest_equal(&sale.offer.message.gateway_encrypt, &gateway->encrypt[0]->thumbprint));
    test_sale_clear(&sale);
}

static void test_pcert(void **state)
{
    const struct pcert_lie *row = *state;
    const struct test_lie lie = {.to = SETPAY_MESSAGE_PCERT_REQ, .tell = tell, .arg = row};
    struct test_standing before;
    const struct test_daemon *daemon = &market.merchant->daemon;
    size_t failures = test_daemon_log_count(daemon, "event=gateway.certificates error=");
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    test_standing_take_but_answers(market.merchant, &before);
    test_false_gateway_lie(liar, &lie);
    while (test_daemon_log_count(daemon, "event=gateway.certificates error=") < failures + 2) {
        assert_true(setpay_clock_monotonic_ms() < until);
        (void)usleep(TEST_POLL_US);
    }
    assert_string_equal(
        test_daemon_wait_refusal(daemon, "gateway.certificates", NULL, row->expected, NULL),
        row->expected);
    assert_null(test_standing_moved(market.merchant, &before));
    expect_true_offer();
    test_false_gateway_behave(liar);
    market.lies++;
}

/* ------------------------------------------------------------------ lists beside it */

static void expect_revoked(const struct test_cardholder *liar_with_card)
{
    struct test_sale sale;
    test_sale_make(&market, liar_with_card, &sale);
    test_purchase_sign(sale.purchase);
    struct setpay_buffer message, answer;
    test_purchase_preq(sale.purchase, &message);
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &answer);
    const char *fault = test_error_fault(gateway->shop[0].sign, setpay_buffer_view(&message),
                                         setpay_buffer_view(&answer), "CERT_REVOKED A3");
    if (fault != NULL)
        fail_msg("%s", fault);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    test_sale_clear(&sale);
}

/* rule A3: a list that says less than a newer one, or is none, is passed over; a newer one counts,
 * since it is its authority's word and not the gateway's. */
static void test_lists(void **state)
{
    static const enum test_crl_defect tricks[] = {TEST_CRL_OLDER_NUMBER, TEST_CRL_SAME_NUMBER,
                                                  TEST_CRL_FORGED, TEST_CRL_STALE,
                                                  TEST_CRL_PARTIAL};
    static const struct pcert_lie truth = {.lie = THE_TRUTH};
    const struct test_lie lie = {.to = SETPAY_MESSAGE_PCERT_REQ, .tell = tell, .arg = &truth};
    struct test_pki *pki = gateway->pki;
    struct test_pki_ca *ca = test_pki_ca(pki, "visa", SETPAY_CA_CARDHOLDER);
    struct test_cardholder *revoked =
        test_cardholder_new(pki, "visa", TEST_APPROVES, TEST_CARD_EXPIRY, "");
    struct test_cardholder *later =
        test_cardholder_new(pki, "visa", TEST_APPROVES, TEST_CARD_EXPIRY, "");
    (void)state;
    test_pki_revoke(pki, revoked->party);
    test_merchantd_publish_crl(market.merchant, "visa", SETPAY_CA_CARDHOLDER, pki->now_ms,
                               TEST_CRL_GOOD);
    test_daemon_reload(&market.merchant->daemon);
    expect_revoked(revoked);
    for (size_t i = 0; i <= sizeof tricks / sizeof *tricks; i++) {
        uint64_t number = ca->crl_number;
        bool other_brand = i == sizeof tricks / sizeof *tricks;
        ca->revoked_count--;
        test_false_gateway_behave(liar); /* no thread reads the list while it is made */
        if (other_brand)
            test_pki_crl(pki, "mastercard", SETPAY_CA_CARDHOLDER, pki->now_ms, TEST_CRL_GOOD, &crl);
        else
            test_pki_crl(pki, "visa", SETPAY_CA_CARDHOLDER, pki->now_ms, tricks[i], &crl);
        ca->revoked_count++;
        ca->crl_number = number;
        print_message("# list %zu\n", i);
        test_false_gateway_lie(liar, &lie);
        wait_told(4); /* both brands ask */
        expect_revoked(revoked);
        market.lies++;
    }
    test_false_gateway_behave(liar);
    test_pki_revoke(pki, later->party);
    test_pki_crl(pki, "visa", SETPAY_CA_CARDHOLDER, pki->now_ms, TEST_CRL_GOOD, &crl);
    test_false_gateway_lie(liar, &lie);
    wait_told(4);
    expect_revoked(later);
    test_false_gateway_behave(liar);
    setpay_buffer_reset(&crl);
    test_cardholder_free(revoked);
    test_cardholder_free(later);
}

/* ------------------------------------------------------------------ TLS */

/* rule A3, and by whom the merchant expects to be served. */
static const struct tls_lie {
    const char *what;
    const char *expected;
    enum setpay_profile profile;
    const char *brand;
    const char *id;
    enum test_pki_defect defect;
} tls_lies[] = {
    {"another gateway", "CERT_NAME A3", SETPAY_PROFILE_GATEWAY_TLS_SERVER, "visa", "gateway-2",
     TEST_PKI_GOOD},
    {"another brand", "BRANDS_MIXED A3", SETPAY_PROFILE_GATEWAY_TLS_SERVER, "mastercard",
     TEST_GATEWAY_ID, TEST_PKI_GOOD},
    {"a signing certificate", "CERT_USAGE A3", SETPAY_PROFILE_GATEWAY_SIGN, "visa", TEST_GATEWAY_ID,
     TEST_PKI_GOOD},
    {"a merchant's server", "CERT_ROLE A3", SETPAY_PROFILE_MERCHANT_TLS_SERVER, "visa",
     TEST_GATEWAY_ID, TEST_PKI_GOOD},
    {"a merchant's client", "CERT_ROLE A3", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, "visa",
     TEST_GATEWAY_ID, TEST_PKI_GOOD},
    {"a cardholder", "CERT_ROLE A3", SETPAY_PROFILE_CARDHOLDER_SIGN, "visa", NULL, TEST_PKI_GOOD},
    {"an expired certificate", "CERT_TIME A3", SETPAY_PROFILE_GATEWAY_TLS_SERVER, "visa",
     TEST_GATEWAY_ID, TEST_PKI_EXPIRED},
    {"a forged certificate", "CERT_CHAIN A3", SETPAY_PROFILE_GATEWAY_TLS_SERVER, "visa",
     TEST_GATEWAY_ID, TEST_PKI_FORGED},
    {"a certificate of two roles", "CERT_ROLE A3", SETPAY_PROFILE_GATEWAY_TLS_SERVER, "visa",
     TEST_GATEWAY_ID, TEST_PKI_TWO_TYPES},
    {"a wildcard", "CERT_NAME A3", SETPAY_PROFILE_GATEWAY_TLS_SERVER, "visa", TEST_GATEWAY_ID,
     TEST_PKI_WILDCARD},
};
#define TLS_LIES (sizeof tls_lies / sizeof *tls_lies)

static void wait_failures(size_t enough)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    while (test_daemon_log_count(&market.merchant->daemon, "event=net.connect_failed") < enough) {
        assert_true(setpay_clock_monotonic_ms() < until);
        (void)usleep(TEST_POLL_US);
    }
}

static void expect_no_line(const char *expected)
{
    const struct test_daemon *daemon = &market.merchant->daemon;
    struct test_sale sale;
    struct test_standing before;
    size_t failures = test_daemon_log_count(daemon, "event=net.connect_failed");
    test_standing_take_but_answers(market.merchant, &before);
    wait_failures(failures + 2);
    assert_string_equal(
        test_daemon_wait_refusal(daemon, "net.connect_failed", NULL, expected, NULL), expected);
    test_daemon_wait_readiness(daemon, 503); /* it looks now and then */
    assert_null(test_standing_moved(market.merchant, &before));
    /* a purchase is taken all the same, and waits: nobody is asked behind that certificate */
    test_sale_make(&market, market.holder, &sale);
    struct setpay_buffer message, answer;
    struct test_channel *channel = test_channel_new(market.merchant);
    test_purchase_sign(sale.purchase);
    test_purchase_preq(sale.purchase, &message);
    test_channel_post(channel, setpay_buffer_view(&message));
    test_merchantd_wait_state(market.merchant, &sale.purchase->oi.xid, "asking");
    wait_failures(test_daemon_log_count(daemon, "event=net.connect_failed") + 2);
    assert_string_equal(test_merchantd_state(market.merchant, &sale.purchase->oi.xid), "asking");
    int64_t held = 0;
    assert_int_equal(test_gateway_books(gateway, &sale.purchase->oi.xid, &held), 0);
    test_false_gateway_present(liar, 0, NULL);
    test_channel_answer(channel, &answer);
    test_sale_expect(&market, &sale, setpay_buffer_view(&answer), &test_end_authorised);
    test_daemon_wait_ready(&market.merchant->daemon);
    test_channel_free(channel);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    test_sale_clear(&sale);
    market.lies++;
}

static void test_tls(void **state)
{
    const struct tls_lie *row = *state;
    struct test_party *party =
        test_party_new_defective(gateway->pki, row->brand, row->profile, row->id, row->defect);
    test_false_gateway_present(liar, 0, party);
    expect_no_line(row->expected);
    test_party_free(party);
}

/* rule A3: a session that is resumed is judged again, by the lists of that moment. */
static void test_resumed(void **state)
{
    struct test_party *party = test_party_new(
        gateway->pki, "visa", SETPAY_PROFILE_GATEWAY_TLS_SERVER, TEST_GATEWAY_ID, NULL);
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    (void)state;
    test_false_gateway_present(liar, 0, party);
    test_daemon_wait_ready(&market.merchant->daemon);
    unsigned resumed = test_false_gateway_resumed(liar);
    while (test_false_gateway_resumed(liar) == resumed) { /* it is done at all */
        assert_true(setpay_clock_monotonic_ms() < until);
        test_false_gateway_hang_up(liar);
        (void)usleep(100000);
    }
    test_daemon_wait_ready(&market.merchant->daemon);
    test_pki_revoke(gateway->pki, party);
    test_merchantd_publish_crl(market.merchant, "visa", SETPAY_CA_GATEWAY, gateway->pki->now_ms,
                               TEST_CRL_GOOD);
    test_daemon_reload(&market.merchant->daemon);
    test_false_gateway_hang_up(liar);
    expect_no_line("CERT_REVOKED A3");
    test_party_free(party);
}

/* ------------------------------------------------------------------ the world */

static struct test_party *of_gateway(enum setpay_profile profile, const char *id,
                                     enum test_pki_defect defect)
{
    return test_party_new_defective(gateway->pki, "visa", profile, id, defect);
}

static int open_world(void **state)
{
    (void)state;
    setpay_buffer_init(&crl, SETPAY_LIMIT_CRL_BYTES);
    gateway = test_gateway_new();
    liar = test_false_gateway_new(gateway);
    others.sign = of_gateway(SETPAY_PROFILE_GATEWAY_SIGN, "gateway-2", TEST_PKI_GOOD);
    others.encrypt = of_gateway(SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-2", TEST_PKI_GOOD);
    others.revoked = of_gateway(SETPAY_PROFILE_GATEWAY_SIGN, TEST_GATEWAY_ID, TEST_PKI_GOOD);
    others.expired = of_gateway(SETPAY_PROFILE_GATEWAY_SIGN, TEST_GATEWAY_ID, TEST_PKI_EXPIRED);
    others.forged = of_gateway(SETPAY_PROFILE_GATEWAY_SIGN, TEST_GATEWAY_ID, TEST_PKI_FORGED);
    test_pki_revoke(gateway->pki, others.revoked);
    test_market_open_with(&market, gateway, test_false_gateway_address(liar), "300ms");
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    test_daemon_kill(&market.merchant->daemon);
    test_false_gateway_free(liar);
    test_party_free(others.sign);
    test_party_free(others.encrypt);
    test_party_free(others.revoked);
    test_party_free(others.expired);
    test_party_free(others.forged);
    setpay_buffer_clear(&crl);
    test_market_close(&market);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[PCERT_LIES + TLS_LIES + 2];
    size_t count = 0;
    for (size_t i = 0; i < PCERT_LIES; i++)
        tests[count++] = (struct CMUnitTest){.name = pcert_lies[i].what,
                                             .test_func = test_pcert,
                                             .initial_state = (void *)(uintptr_t)&pcert_lies[i]};
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_lists);
    for (size_t i = 0; i < TLS_LIES; i++)
        tests[count++] = (struct CMUnitTest){.name = tls_lies[i].what,
                                             .test_func = test_tls,
                                             .initial_state = (void *)(uintptr_t)&tls_lies[i]};
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_resumed);
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return _cmocka_run_group_tests("merchantd_pcert", tests, count, open_world, close_world);
}
