/*
 * A wallet at a running merchant whose certificate is not good enough: something is wrong in it, or
 * with the hierarchy above it, or with the revocation lists by which it is judged, which the wallet
 * may send itself. Nothing that a wallet sends makes the merchant forget a newer list.
 *
 * The merchant's clock and lists are moved on the way; the gateway's are not, for nothing that is
 * refused here ever reaches it.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_market.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 280

static struct test_market market;
static struct test_sale sale; /* the offer that is lied about */

static setpay_time_ms merchant_offset_ms;

static setpay_time_ms merchants_now(void)
{
    return setpay_clock_now_ms() + merchant_offset_ms;
}

static struct test_purchase *purchase_by(const struct test_cardholder *cardholder)
{
    struct test_purchase *p =
        test_offer_purchase(market.merchant, &sale.offer, cardholder, merchants_now());
    test_purchase_sign(p);
    return p;
}

static void tell_as(const struct test_cardholder *liar, const char *expected)
{
    struct test_purchase *p = purchase_by(liar);
    test_market_attack_preq(&market, p, expected);
    test_purchase_free(p);
}

/* ------------------------------------------------------------------ certificates */

/* rule A3: a certificate with something wrong in it, of a key that signs well. */
struct defect {
    enum test_pki_defect defect;
    const char *expected;
    const char *what;
};

static const struct defect defects[] = {
    {TEST_PKI_EXPIRED, "CERT_TIME A3", "an expired certificate"},
    {TEST_PKI_NOT_YET_VALID, "CERT_TIME A3", "one that is not valid yet"},
    {TEST_PKI_TOO_LONG_LIFE, "CERT_TIME A3", "one that outlives its authority"},
    {TEST_PKI_NO_TYPE, "CERT_ROLE A3", "one without a role"},
    {TEST_PKI_OTHER_TYPE, "CERT_ROLE A3", "one of another role"},
    {TEST_PKI_TWO_TYPES, "CERT_ROLE A3", "one of two roles"},
    {TEST_PKI_NO_KEY_USAGE, "CERT_USAGE A3", "one without key usage"},
    {TEST_PKI_OTHER_KEY_USAGE, "CERT_USAGE A3", "one of another key usage"},
    {TEST_PKI_NO_EKU, "CERT_USAGE A3", "one without extended key usage"},
    {TEST_PKI_OTHER_EKU, "CERT_USAGE A3", "one of another extended key usage"},
    {TEST_PKI_EXTRA_EKU, "CERT_USAGE A3", "one with a usage more"},
    {TEST_PKI_LEAF_IS_CA, "CERT_USAGE A3", "one that is an authority"},
    {TEST_PKI_UNKNOWN_CRITICAL, "CERT_USAGE A3", "one with an unknown critical extension"},
    {TEST_PKI_OTHER_BRAND, "BRANDS_MIXED A3", "one of another brand by this brand's authority"},
    {TEST_PKI_BAD_ID, "CERT_NAME A3", "one whose name is not well-formed"},
    {TEST_PKI_EXTRA_RDN, "CERT_NAME A3", "one of two names"},
    {TEST_PKI_DNS_NAME, "CERT_NAME A3", "one with a host name"},
    {TEST_PKI_FORGED, "CERT_CHAIN A3", "a forged one"},
    {TEST_PKI_WRONG_ISSUER, "CERT_CHAIN A3", "one by the brand's authority itself"},
};
#define DEFECTS (sizeof defects / sizeof *defects)

static void test_defect(void **state)
{
    const struct defect *row = *state;
    struct test_cardholder *liar = test_cardholder_new_defective(
        market.gateway->pki, "visa", TEST_APPROVES, TEST_CARD_EXPIRY, row->defect);
    tell_as(liar, row->expected);
    test_cardholder_free(liar);
}

/* rule A3: a hierarchy of the liar's own in which all names are the right ones. */
static void test_stranger(void **state)
{
    static const char *const names[] = {"visa", "mastercard", NULL};
    struct test_pki *pki = test_pki_new(setpay_clock_now_ms(), names);
    struct test_cardholder *liar =
        test_cardholder_new(pki, "visa", TEST_APPROVES, TEST_CARD_EXPIRY, "");
    (void)state;
    tell_as(liar, "CERT_CHAIN A3");
    test_cardholder_free(liar);
    test_pki_free(pki);
}

/* rule A3: a brand that this merchant does not take, though the root stands for it. */
static void test_foreign_brand(void **state)
{
    struct test_pki *pki = market.gateway->pki;
    (void)state;
    test_pki_add_brand(pki, "maestro", SETPAY_CA_KINDS, TEST_PKI_GOOD);
    struct test_cardholder *liar =
        test_cardholder_new(pki, "maestro", TEST_APPROVES, TEST_CARD_EXPIRY, "");
    tell_as(liar, "BRANDS_MIXED A3");
    test_cardholder_free(liar);
}

/* ------------------------------------------------------------------ lists that a wallet sends */

/* A list beside a PReq by a liar whose certificate is revoked: what it is must not count. */
static void tell_with_crl(const struct test_cardholder *liar, struct setpay_buffer *crl,
                          const char *expected)
{
    struct test_purchase *p = purchase_by(liar);
    p->crl = crl;
    test_market_attack_preq(&market, p, expected);
    test_purchase_free(p);
}

static void publish_cardholder_list(enum test_crl_defect defect)
{
    test_merchantd_publish_crl(market.merchant, "visa", SETPAY_CA_CARDHOLDER, merchants_now(),
                               defect);
    test_daemon_reload(&market.merchant->daemon);
}

/* rule A3: revoked, and then every way to make the merchant believe the contrary. */
static void test_revoked(void **state)
{
    static const enum test_crl_defect tricks[] = {
        TEST_CRL_OLDER_NUMBER, TEST_CRL_SAME_NUMBER, TEST_CRL_FORGED, TEST_CRL_STALE,
        TEST_CRL_FUTURE,       TEST_CRL_NO_NUMBER,   TEST_CRL_NO_AKI, TEST_CRL_DELTA,
        TEST_CRL_PARTIAL,      TEST_CRL_LONG_LIFE,
    };
    struct test_pki *pki = market.gateway->pki;
    struct test_pki_ca *ca = test_pki_ca(pki, "visa", SETPAY_CA_CARDHOLDER);
    struct setpay_buffer crl;
    struct test_cardholder *liar =
        test_cardholder_new(pki, "visa", TEST_APPROVES, TEST_CARD_EXPIRY, "");
    (void)state;
    setpay_buffer_init(&crl, SETPAY_LIMIT_CRL_BYTES);
    test_pki_revoke(pki, liar->party);
    publish_cardholder_list(TEST_CRL_GOOD);
    tell_as(liar, "CERT_REVOKED A3");
    ca->revoked_count--; /* the lists below do not name the liar */
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        uint64_t number = ca->crl_number;
        test_pki_crl(pki, "visa", SETPAY_CA_CARDHOLDER, merchants_now(), tricks[i], &crl);
        ca->crl_number = number; /* a list that was refused is none */
        tell_with_crl(liar, &crl, "CERT_REVOKED A3");
    }
    /* a list of another authority of the brand, and of the same authority of another brand */
    test_pki_crl(pki, "visa", SETPAY_CA_MERCHANT, merchants_now(), TEST_CRL_GOOD, &crl);
    tell_with_crl(liar, &crl, "CERT_REVOKED A3");
    test_pki_crl(pki, "mastercard", SETPAY_CA_CARDHOLDER, merchants_now(), TEST_CRL_GOOD, &crl);
    tell_with_crl(liar, &crl, "CERT_REVOKED A3");
    ca->revoked_count++;
    setpay_buffer_clear(&crl);
    test_cardholder_free(liar);
}

/* rule A3: a newer list counts at once, whoever brings it. */
static void test_newer_list_from_a_wallet(void **state)
{
    struct test_pki *pki = market.gateway->pki;
    struct setpay_buffer crl;
    struct test_cardholder *liar =
        test_cardholder_new(pki, "visa", TEST_APPROVES, TEST_CARD_EXPIRY, "");
    (void)state;
    setpay_buffer_init(&crl, SETPAY_LIMIT_CRL_BYTES);
    test_pki_revoke(pki, liar->party);
    test_pki_crl(pki, "visa", SETPAY_CA_CARDHOLDER, merchants_now(), TEST_CRL_GOOD, &crl);
    tell_with_crl(liar, &crl, "CERT_REVOKED A3");
    tell_as(liar, "CERT_REVOKED A3"); /* it is kept */
    /* and after a restart what the merchant's own folder says: publish, so that it does too */
    publish_cardholder_list(TEST_CRL_GOOD);
    test_daemon_stop(&market.merchant->daemon);
    test_daemon_start(&market.merchant->daemon, NULL);
    test_market_reconnect(&market);
    tell_as(liar, "CERT_REVOKED A3");
    setpay_buffer_clear(&crl);
    test_cardholder_free(liar);
}

/* ------------------------------------------------------------------ lists that are missing */

/* rule A3: no list, no purchase. (The gateway, which would bring one, is away.) */
static void test_missing_list(void **state)
{
    char path[TEST_PATH_SIZE], file[64];
    struct test_daemon *daemon = &market.merchant->daemon;
    (void)state;
    (void)snprintf(file, sizeof file, "merchant-crls/visa-%d.crl", (int)SETPAY_CA_CARDHOLDER);
    assert_int_equal(unlink(test_path(daemon->folder, file, path)), 0);
    test_gateway_stop(market.gateway);
    test_daemon_stop(daemon);
    test_daemon_forget_trust(daemon); /* or it would have kept it */
    test_daemon_launch(daemon, NULL); /* it says that it is not ready */
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    while (test_daemon_readiness(daemon) == 0) {
        assert_true(setpay_clock_monotonic_ms() < until);
        (void)usleep(TEST_POLL_US);
    }
    test_market_reconnect(&market);
    tell_as(market.holder, "CRL_MISSING A3");
    publish_cardholder_list(TEST_CRL_GOOD);
    test_gateway_start(market.gateway, NULL);
    test_daemon_wait_ready(daemon);
}

/* rule A3: a list past its next update is none. */
static void test_stale_list(void **state)
{
    (void)state;
    merchant_offset_ms = 23 * SETPAY_HOUR_MS;
    test_merchantd_set_clock(market.merchant, merchant_offset_ms);
    /* all fresh lists but the cardholders' */
    for (int kind = SETPAY_CA_BRAND; kind < SETPAY_CA_KINDS; kind++) {
        if (kind != SETPAY_CA_CARDHOLDER)
            test_merchantd_publish_crl(market.merchant, "visa", (enum setpay_ca_kind)kind,
                                       merchants_now(), TEST_CRL_GOOD);
    }
    test_merchantd_publish_crl(market.merchant, NULL, SETPAY_CA_ROOT, merchants_now(),
                               TEST_CRL_GOOD);
    test_daemon_reload(&market.merchant->daemon);
    struct test_order order = test_merchantd_order(market.merchant, TEST_PRICE, "EUR", 3600);
    struct test_offer offer = sale.offer;
    test_offer_get(market.merchant, &order, "visa", merchants_now(), &sale.offer);
    tell_as(market.holder, "CRL_STALE A3");
    test_offer_clear(&sale.offer);
    sale.offer = offer;
    merchant_offset_ms = 0;
    test_merchantd_set_clock(market.merchant, 0);
}

/* ------------------------------------------------------------------ the world */

static void test_honest_after_all(void **state)
{
    (void)state;
    test_sale_pay(&market, &sale);
}

static int open_world(void **state)
{
    (void)state;
    test_market_open(&market, NULL, "5m");
    test_sale_make(&market, market.holder, &sale);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    test_sale_clear(&sale);
    test_market_close(&market);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[DEFECTS + 7];
    size_t count = 0;
    for (size_t i = 0; i < DEFECTS; i++)
        tests[count++] = (struct CMUnitTest){.name = defects[i].what,
                                             .test_func = test_defect,
                                             .initial_state = (void *)(uintptr_t)&defects[i]};
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_stranger);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_foreign_brand);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_revoked);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_newer_list_from_a_wallet);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_missing_list);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_honest_after_all);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_stale_list);
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return _cmocka_run_group_tests("merchantd_certificates", tests, count, open_world, close_world);
}
