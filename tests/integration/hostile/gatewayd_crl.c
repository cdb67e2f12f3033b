/*
 * A hostile merchant before the real setpay-gatewayd that wants a revoked certificate to be taken
 * for a good one: it brings older revocation lists than the gateway holds, lists of other CAs,
 * forged and defective ones; it waits until a list is stale; it finds a gateway that has none.
 *
 * What always holds (rule A3): what a list has named stays refused, whatever else is brought; a
 * stale or missing list refuses until a good one comes, and a good one is believed from anybody.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_asking.h"
#include "tests/support/test_lies.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct test_gateway *gateway;
static struct test_liar *liar;
static int64_t clock_offset_ms; /* of the gateway's */

static setpay_time_ms gateway_now_ms(void)
{
    return setpay_clock_now_ms() + clock_offset_ms;
}

/* ------------------------------------------------------------------ lists that are brought */

static const struct {
    enum test_crl_defect defect;
    const char *what;
    const char *logged;
} defects[] = {
    {TEST_CRL_STALE, "a stale list", "CRL_STALE"},
    {TEST_CRL_FUTURE, "a list of later", "CRL_INVALID"},
    {TEST_CRL_LONG_LIFE, "a list for two years", "CRL_INVALID"},
    {TEST_CRL_FORGED, "a forged list", "CRL_INVALID"},
    {TEST_CRL_NO_NUMBER, "a list without a number", "CRL_INVALID"},
    {TEST_CRL_NO_AKI, "a list that names no key", "CRL_INVALID"},
    {TEST_CRL_DELTA, "a list of changes", "CRL_INVALID"},
    {TEST_CRL_PARTIAL, "a part of a list", "CRL_INVALID"},
};
#define DEFECTS (sizeof defects / sizeof *defects)

/* A list of that CA on which nobody stands. */
static void clean_list(const char *brand, enum setpay_ca_kind kind, enum test_crl_defect defect,
                       struct setpay_buffer *der)
{
    struct test_pki_ca *ca = test_pki_ca(gateway->pki, brand, kind);
    size_t revoked = ca->revoked_count;
    ca->revoked_count = 0;
    setpay_buffer_init(der, SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(gateway->pki, brand, kind, gateway_now_ms(), defect, der);
    ca->revoked_count = revoked;
}

static struct test_purchase *purchase(struct test_cardholder *holder,
                                      const struct setpay_buffer *crl)
{
    struct test_cardholder *usual = liar->holder;
    liar->holder = holder;
    struct test_purchase *p = test_liar_purchase(liar);
    liar->holder = usual;
    p->now_ms = gateway_now_ms();
    p->oi.expiry_ms = p->pi.expiry_ms = p->now_ms + 30 * SETPAY_MINUTE_MS;
    test_purchase_sign(p);
    p->crl = crl;
    return p;
}

/* Refused like that, with that list beside; and the list is refused too, where it is not good. */
static void refused_with(struct test_cardholder *holder, const struct setpay_buffer *crl,
                         const char *logged, const char *expected)
{
    char words[96];
    struct test_purchase *p = purchase(holder, crl);
    (void)snprintf(words, sizeof words, "event=crl.refused error=%s rule=A3",
                   logged == NULL ? "" : logged);
    size_t before = test_gateway_log_count(gateway, words);
    test_refusal_of_purchase(gateway, liar->line, p, expected);
    if (logged != NULL)
        assert_int_equal(test_gateway_log_count(gateway, words), before + 1);
    test_purchase_free(p);
}

static void refused_with_defective_lists(struct test_cardholder *holder, const char *expected)
{
    for (size_t i = 0; i < DEFECTS; i++) {
        struct setpay_buffer crl;
        print_message("# %s: %s\n", expected, defects[i].what);
        clean_list("visa", SETPAY_CA_CARDHOLDER, defects[i].defect, &crl);
        refused_with(holder, &crl, defects[i].logged, expected);
        setpay_buffer_clear(&crl);
    }
}

/* Good lists, but of other CAs than the cardholder's. */
static void refused_with_others_lists(struct test_cardholder *holder, const char *expected)
{
    static const struct {
        const char *brand;
        enum setpay_ca_kind kind;
    } others[] = {{"visa", SETPAY_CA_MERCHANT},
                  {"visa", SETPAY_CA_GATEWAY},
                  {"visa", SETPAY_CA_BRAND},
                  {"mastercard", SETPAY_CA_CARDHOLDER}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct setpay_buffer crl;
        print_message("# %s: %s's list of kind %d\n", expected, others[i].brand,
                      (int)others[i].kind);
        clean_list(others[i].brand, others[i].kind, TEST_CRL_GOOD, &crl);
        refused_with(holder, &crl, NULL, expected);
        setpay_buffer_clear(&crl);
    }
}

static void expect_approved(struct test_cardholder *holder, const struct setpay_buffer *crl)
{
    struct test_purchase *p = purchase(holder, crl);
    struct setpay_receipt receipt;
    assert_int_equal(test_authorise(gateway, liar->line, p, &receipt).outcome,
                     SETPAY_AUTH_APPROVED);
    test_purchase_free(p);
}

static struct test_cardholder *new_holder(void)
{
    return test_cardholder_new(gateway->pki, "visa", liar->holder->pan, liar->holder->expiry, "");
}

/* The refusals of that CA's file as older. The folder is read when asked, and now and then by
 * itself. */
static size_t lists_refused_in_folder(const char *brand, enum setpay_ca_kind kind)
{
    char words[160];
    (void)snprintf(words, sizeof words,
                   "event=trust.file_refused error=CRL_OLDER rule=A3 path=%s/crls/%s-%d.crl",
                   gateway->folder, brand, (int)kind);
    return test_gateway_log_count(gateway, words);
}

/* ------------------------------------------------------------------ revoked */

static void an_older_list_unsays_nothing(void **state)
{
    /* rule A3: the number of a list never goes back */
    struct test_cardholder *revoked = new_holder();
    struct setpay_buffer older;
    (void)state;
    setpay_buffer_init(&older, SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(gateway->pki, "visa", SETPAY_CA_CARDHOLDER, gateway_now_ms(), TEST_CRL_GOOD,
                 &older);
    expect_approved(revoked, NULL);
    test_pki_revoke(gateway->pki, revoked->party);
    test_gateway_publish_crl(gateway, "visa", SETPAY_CA_CARDHOLDER);
    test_gateway_reload(gateway);
    uint64_t published = test_pki_ca(gateway->pki, "visa", SETPAY_CA_CARDHOLDER)->crl_number;
    refused_with(revoked, NULL, NULL, "CERT_REVOKED A3");
    refused_with(revoked, &older, "CRL_OLDER", "CERT_REVOKED A3");
    /* beside a request that is right otherwise it is passed over, and told */
    size_t before = test_gateway_log_count(gateway, "event=crl.refused error=CRL_OLDER");
    expect_approved(liar->holder, &older);
    assert_int_equal(test_gateway_log_count(gateway, "event=crl.refused error=CRL_OLDER rule=A3"),
                     before + 1);
    refused_with(revoked, NULL, NULL, "CERT_REVOKED A3");
    setpay_buffer_clear(&older);

    struct setpay_buffer same;
    clean_list("visa", SETPAY_CA_CARDHOLDER, TEST_CRL_SAME_NUMBER, &same);
    refused_with(revoked, &same, "CRL_OLDER", "CERT_REVOKED A3");
    setpay_buffer_clear(&same);
    refused_with_defective_lists(revoked, "CERT_REVOKED A3");
    refused_with_others_lists(revoked, "CERT_REVOKED A3");

    /* In the folder too. The refused lists above had numbers of their own. */
    test_pki_ca(gateway->pki, "visa", SETPAY_CA_CARDHOLDER)->crl_number = published;
    test_gateway_publish_defective_crl(gateway, "visa", SETPAY_CA_CARDHOLDER,
                                       TEST_CRL_OLDER_NUMBER);
    test_gateway_reload(gateway);
    assert_int_equal(lists_refused_in_folder("visa", SETPAY_CA_CARDHOLDER), 1);
    refused_with(revoked, NULL, NULL, "CERT_REVOKED A3");
    test_cardholder_free(revoked);
}

static void a_newer_list_is_believed_from_anybody(void **state)
{
    /* rule A3: brought by the merchant whose cardholder it names, it holds for that request */
    struct test_cardholder *revoked = new_holder();
    struct setpay_buffer newer;
    (void)state;
    expect_approved(revoked, NULL);
    test_pki_revoke(gateway->pki, revoked->party);
    setpay_buffer_init(&newer, SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(gateway->pki, "visa", SETPAY_CA_CARDHOLDER, gateway_now_ms(), TEST_CRL_GOOD,
                 &newer);
    refused_with(revoked, &newer, NULL, "CERT_REVOKED A3");
    refused_with(revoked, NULL, NULL, "CERT_REVOKED A3");
    expect_approved(liar->holder, NULL);
    test_gateway_publish_crl(gateway, "visa", SETPAY_CA_CARDHOLDER);
    setpay_buffer_clear(&newer);
    test_cardholder_free(revoked);
}

static void a_revoked_merchant_says_nothing_more(void **state)
{
    /* rules A3 and G1: its signing certificate, then its TLS certificate */
    struct test_party *sign = test_party_new(gateway->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN,
                                             TEST_GATEWAY_MERCHANT, NULL);
    struct test_party *tls = test_party_new(
        gateway->pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, TEST_GATEWAY_MERCHANT, NULL);
    struct setpay_buffer older, answer;
    uint64_t id = 0;
    (void)state;
    setpay_buffer_init(&older, SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(gateway->pki, "visa", SETPAY_CA_MERCHANT, gateway_now_ms(), TEST_CRL_GOOD, &older);
    test_pki_revoke(gateway->pki, sign);
    test_pki_revoke(gateway->pki, tls);
    test_gateway_publish_crl(gateway, "visa", SETPAY_CA_MERCHANT);
    test_gateway_reload(gateway);
    struct test_purchase *p = purchase(liar->holder, NULL);
    p->auth_signer = p->auth_key = sign;
    p->auth.header.sender = sign->thumbprint;
    test_refusal_of_purchase(gateway, liar->line, p, "CERT_REVOKED A3");
    p->crl = &older;
    test_refusal_of_purchase(gateway, liar->line, p, "CERT_REVOKED A3");
    p->auth.intent = SETPAY_INTENT_VOID; /* a cardholder's may be, a merchant's may not */
    test_refusal_of_purchase(gateway, liar->line, p, "CERT_REVOKED A3");
    test_purchase_free(p);
    size_t before =
        test_gateway_log_count(gateway, "event=net.handshake_failed error=CERT_REVOKED rule=A3");
    struct test_line *line = test_line_new(gateway, tls, "visa");
    test_refusal_add();
    if (line != NULL) {
        assert_false(test_line_receive(line, &id, &answer));
        setpay_buffer_clear(&answer);
    }
    test_line_free(line);
    test_gateway_wait_log(gateway, "event=net.handshake_failed error=CERT_REVOKED rule=A3",
                          before + 1);
    setpay_buffer_clear(&older);
    test_party_free(sign);
    test_party_free(tls);
}

/* ------------------------------------------------------------------ missing, stale */

static void reconnect(void)
{
    liar->line = test_line_new(gateway, gateway->shop[0].tls, "visa");
    assert_non_null(liar->line);
}

static void without_a_list_nobody_pays(void **state)
{
    /* rule A3: the gateway has none of the cardholders' CA */
    struct setpay_buffer good;
    (void)state;
    test_line_free(liar->line);
    test_gateway_stop(gateway);
    test_gateway_withdraw_crl(gateway, "visa", SETPAY_CA_CARDHOLDER);
    test_gateway_start(gateway, NULL);
    reconnect();
    expect_approved(liar->holder, NULL); /* it is kept over a restart */
    test_line_free(liar->line);
    test_gateway_stop(gateway);
    test_daemon_forget_trust(&gateway->daemon);
    test_daemon_launch(&gateway->daemon, NULL);
    /* a list of a brand that it serves is missing */
    test_daemon_wait_readiness(&gateway->daemon, 503);
    reconnect();
    refused_with(liar->holder, NULL, NULL, "CRL_MISSING A3");
    refused_with_defective_lists(liar->holder, "CRL_MISSING A3");
    refused_with_others_lists(liar->holder, "CRL_MISSING A3");
    setpay_buffer_init(&good, SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(gateway->pki, "visa", SETPAY_CA_CARDHOLDER, gateway_now_ms(), TEST_CRL_GOOD,
                 &good);
    expect_approved(liar->holder, &good);
    expect_approved(liar->holder, NULL);
    setpay_buffer_clear(&good);
}

static void a_stale_list_refuses(void **state)
{
    /* rule A3: a day later, when every list but the cardholders' CA's has come again */
    static const char *const brands[] = {NULL, "visa", "mastercard"};
    struct setpay_buffer good;
    (void)state;
    clock_offset_ms = 25 * SETPAY_HOUR_MS;
    gateway->pki->now_ms += clock_offset_ms;
    test_line_free(liar->line);
    json_decref(test_gateway_control(gateway, "testing.clock",
                                     json_pack("{s:I}", "offset_ms", (json_int_t)clock_offset_ms)));
    for (size_t b = 0; b < sizeof brands / sizeof *brands; b++) {
        for (int kind = SETPAY_CA_ROOT; kind < SETPAY_CA_KINDS; kind++) {
            bool is_root = kind == SETPAY_CA_ROOT;
            bool is_victim = b == 1 && kind == SETPAY_CA_CARDHOLDER;
            if (is_root == (brands[b] == NULL) && !is_victim)
                test_gateway_publish_crl(gateway, brands[b], (enum setpay_ca_kind)kind);
        }
    }
    test_gateway_reload(gateway);
    reconnect();
    assert_int_equal(test_gateway_readiness(gateway), 503);
    refused_with(liar->holder, NULL, NULL, "CRL_STALE A3");
    refused_with_defective_lists(liar->holder, "CRL_STALE A3");
    refused_with_others_lists(liar->holder, "CRL_STALE A3");
    setpay_buffer_init(&good, SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(gateway->pki, "visa", SETPAY_CA_CARDHOLDER, gateway_now_ms(), TEST_CRL_GOOD,
                 &good);
    expect_approved(liar->holder, &good);
    setpay_buffer_clear(&good);
}

static void a_revoked_ca_has_no_cardholders(void **state)
{
    /* rule A3: the last of all, since nothing comes after it */
    (void)state;
    test_pki_revoke_ca(gateway->pki, "visa", SETPAY_CA_CARDHOLDER);
    test_gateway_publish_crl(gateway, "visa", SETPAY_CA_BRAND);
    test_gateway_reload(gateway);
    refused_with(liar->holder, NULL, NULL, "CERT_REVOKED A3");
    refused_with_defective_lists(liar->holder, "CERT_REVOKED A3");
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new_patient(10000);
    liar = test_liar_new(gateway);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    test_liar_free(liar);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_list_unsays_nothing),
        cmocka_unit_test(a_newer_list_is_believed_from_anybody),
        cmocka_unit_test(a_revoked_merchant_says_nothing_more),
        cmocka_unit_test(without_a_list_nobody_pays),
        cmocka_unit_test(a_stale_list_refuses),
        cmocka_unit_test(a_revoked_ca_has_no_cardholders),
    };
    test_alarm(280);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    int failed = cmocka_run_group_tests(tests, open_all, close_all);
    print_message("# tally: rules attacked = %zu\n", test_refusal_count());
    return failed;
}
