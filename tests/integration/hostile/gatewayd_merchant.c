/*
 * A hostile merchant before the real setpay-gatewayd, with good certificates wherever the lie
 * permits: every lie of the table (tests/support/test_lies.c) alone, and pairs of them by a seeded
 * schedule; envelopes of every wrong form with the right instruction inside; certificates of every
 * defect. Each ends in exactly its error, and test_refusal.c holds it to what a liar may learn and
 * to what may change: nothing.
 *
 * SETPAY_SEED chooses another schedule of pairs.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_lies.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_refusal.h"
#include "tests/vectors/envelopes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAIRS 120
#define SEED UINT64_C(20261123)

static struct test_gateway *gateway;
static struct test_liar *liar;

/* The honest purchase, which differs from each lie in the lie alone: it must go through. */
static void expect_honest(void)
{
    struct test_purchase *p = test_lie_tell(liar, NULL, NULL);
    struct setpay_buffer message, answer;
    struct setpay_message opened;
    int64_t held = 0;
    test_purchase_auth_req(p, &message);
    test_line_ask(liar->line, setpay_buffer_view(&message), &answer);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&answer), &opened), SETPAY_OK);
    assert_int_equal(opened.type, SETPAY_MESSAGE_AUTH_RES);
    assert_int_equal(test_gateway_books(gateway, &p->auth.xid, &held), 1);
    setpay_message_clear(&opened);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    test_purchase_free(p);
}

static void the_truth_is_believed(void **state)
{
    (void)state;
    expect_honest();
}

/* ------------------------------------------------------------------ lies of the table */

static void every_lie_is_refused(void **state)
{
    /* rules A1, A2, A3, A5, G1, G2, G3, G4, G5 and G9: each row names its own */
    (void)state;
    for (size_t i = 0; i < test_lie_count; i++) {
        const struct test_lie *lie = &test_lies[i];
        struct test_purchase *p = test_lie_tell(liar, lie, NULL);
        print_message("# %s: %s\n", lie->expected, lie->what);
        test_refusal_of_purchase(gateway, liar->line, p, lie->expected);
        test_purchase_free(p);
    }
}

/* A void is checked like an authorisation, but for what time has ended. */
static void every_lie_about_a_void_is_refused(void **state)
{
    /* rules G2, G3, G4, G5 */
    (void)state;
    for (size_t i = 0; i < test_lie_count; i++) {
        const struct test_lie *lie = &test_lies[i];
        if (lie->stage == TEST_STAGE_EXPIRY || lie->stage == TEST_STAGE_INTENT)
            continue;
        struct test_purchase *p = test_lie_tell(liar, lie, NULL);
        p->auth.intent = SETPAY_INTENT_VOID;
        print_message("# void, %s: %s\n", lie->expected, lie->what);
        test_refusal_of_purchase(gateway, liar->line, p, lie->expected);
        test_purchase_free(p);
    }
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static const struct test_lie *random_lie(uint64_t *seed)
{
    return &test_lies[next_random(seed) % test_lie_count];
}

static void pairs_of_lies_are_refused(void **state)
{
    /* rules A2, A3, A5, G1, G2, G3, G4, G5: what comes first in the gateway's order refuses */
    const char *chosen = getenv("SETPAY_SEED");
    uint64_t seed = chosen == NULL ? SEED : strtoull(chosen, NULL, 10);
    (void)state;
    print_message("# seed %llu\n", (unsigned long long)seed);
    for (int tried = 0; tried < PAIRS;) {
        const struct test_lie *a = random_lie(&seed);
        const struct test_lie *b = random_lie(&seed);
        if ((a->touches & b->touches) != 0)
            continue; /* they could undo each other */
        const struct test_lie *first = a->stage <= b->stage ? a : b;
        const struct test_lie *or_first = b->stage <= a->stage ? b : a;
        struct test_purchase *p = test_lie_tell(liar, a, b);
        struct setpay_buffer message;
        print_message("# %s: %s, and %s: %s\n", a->expected, a->what, b->expected, b->what);
        test_purchase_auth_req(p, &message);
        test_refusal_expect_either(gateway, liar->line, setpay_buffer_view(&message),
                                   first->expected, or_first->expected);
        setpay_buffer_clear(&message);
        test_purchase_free(p);
        tried++;
    }
}

/* ------------------------------------------------------------------ rule G2 */

static void every_wrong_envelope_is_refused(void **state)
{
    /* rule G2: what is inside is the right instruction, so that only the form speaks against it */
    (void)state;
    for (size_t i = 0; i < test_envelope_form_count; i++) {
        const struct test_envelope_form *form = &test_envelope_forms[i];
        struct test_purchase *p = test_lie_tell(liar, NULL, NULL);
        struct setpay_secret plaintext = {0};
        test_purchase_plaintext(p, &plaintext);
        test_envelope_make_of(form, setpay_secret_view(&plaintext), gateway->encrypt[0]->x509,
                              liar->far_encrypt->x509, &p->envelope);
        setpay_secret_clear(&plaintext);
        test_purchase_name_envelope(p);
        if (!form->good) {
            print_message("# ENVELOPE G2: %s\n", form->why);
            test_refusal_of_purchase(gateway, liar->line, p, "ENVELOPE G2");
        }
        test_purchase_free(p);
    }
}

/* Every byte of an envelope counts: one is changed at each of some places. */
static void an_envelope_is_good_to_the_last_bit(void **state)
{
    /* rule G2 */
    (void)state;
    for (size_t part = 0; part < 24; part++) {
        struct test_purchase *p = test_lie_tell(liar, NULL, NULL);
        p->envelope.data[part * (p->envelope.size - 1) / 23] ^= (uint8_t)(1 << part % 8);
        test_purchase_name_envelope(p);
        test_refusal_of_purchase(gateway, liar->line, p, "ENVELOPE G2");
        test_purchase_free(p);
    }
}

/* ------------------------------------------------------------------ rule A3 */

static const struct {
    enum test_pki_defect defect;
    const char *expected;
    const char *what;
} defects[] = {
    {TEST_PKI_EXPIRED, "CERT_TIME A3", "expired"},
    {TEST_PKI_NOT_YET_VALID, "CERT_TIME A3", "not yet valid"},
    {TEST_PKI_TOO_LONG_LIFE, "CERT_TIME A3", "good for too long"},
    {TEST_PKI_NO_TYPE, "CERT_ROLE A3", "of no role"},
    {TEST_PKI_OTHER_TYPE, "CERT_ROLE A3", "of another role"},
    {TEST_PKI_TWO_TYPES, "CERT_ROLE A3", "of two roles"},
    {TEST_PKI_NO_KEY_USAGE, "CERT_USAGE A3", "without key usage"},
    {TEST_PKI_OTHER_KEY_USAGE, "CERT_USAGE A3", "of another key usage"},
    {TEST_PKI_NO_EKU, "CERT_USAGE A3", "without a purpose"},
    {TEST_PKI_OTHER_EKU, "CERT_USAGE A3", "for another purpose"},
    {TEST_PKI_EXTRA_EKU, "CERT_USAGE A3", "for one purpose more"},
    {TEST_PKI_LEAF_IS_CA, "CERT_USAGE A3", "of a CA"},
    {TEST_PKI_OTHER_BRAND, "BRANDS_MIXED A3", "of another brand, by this brand's CA"},
    {TEST_PKI_DOT_IN_CN, "CERT_NAME A3", "with a dot in its name"},
    {TEST_PKI_BAD_ID, "CERT_NAME A3", "with a blank in its name"},
    {TEST_PKI_EXTRA_RDN, "CERT_NAME A3", "with two names"},
    {TEST_PKI_DNS_NAME, "CERT_NAME A3", "with a host's name"},
    {TEST_PKI_IP_NAME, "CERT_NAME A3", "with an address"},
    {TEST_PKI_WILDCARD, "CERT_NAME A3", "for any host"},
    {TEST_PKI_OTHER_CURVE, "CERT_MALFORMED A3", "of another curve"},
    {TEST_PKI_RSA, "CERT_MALFORMED A3", "of RSA"},
    {TEST_PKI_FORGED, "CERT_CHAIN A3", "forged"},
    {TEST_PKI_UNKNOWN_CRITICAL, "CERT_USAGE A3", "with something unknown and critical"},
    {TEST_PKI_WRONG_ISSUER, "CERT_CHAIN A3", "by the brand's CA itself"},
};
#define DEFECTS (sizeof defects / sizeof *defects)

static void every_wrong_signer_is_refused(void **state)
{
    /* rule A3: the merchant's signing certificate */
    (void)state;
    for (size_t i = 0; i < DEFECTS; i++) {
        struct test_party *party =
            test_party_new_defective(gateway->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN,
                                     TEST_GATEWAY_MERCHANT, defects[i].defect);
        struct test_purchase *p = test_lie_tell(liar, NULL, NULL);
        print_message("# a merchant's certificate %s\n", defects[i].what);
        p->auth_signer = party;
        p->auth_key = party->signing_key != NULL ? party : gateway->shop[0].sign;
        p->auth.header.sender = party->thumbprint;
        test_refusal_of_purchase(gateway, liar->line, p, defects[i].expected);
        test_purchase_free(p);
        test_party_free(party);
    }
}

static void every_wrong_cardholder_is_refused(void **state)
{
    /* rule A3: the cardholder's certificate */
    (void)state;
    for (size_t i = 0; i < DEFECTS; i++) {
        struct test_cardholder *usual = liar->holder;
        liar->holder = test_cardholder_new_defective(gateway->pki, "visa", usual->pan,
                                                     usual->expiry, defects[i].defect);
        struct test_purchase *p = test_liar_purchase(liar);
        print_message("# a cardholder's certificate %s\n", defects[i].what);
        if (p->ds_signer->signing_key == NULL)
            p->ds_signer = usual->party;
        test_purchase_sign(p);
        test_refusal_of_purchase(gateway, liar->line, p, defects[i].expected);
        test_purchase_free(p);
        test_cardholder_free(liar->holder);
        liar->holder = usual;
    }
}

/* A connection under that certificate gets no word; the log says why. */
static void expect_no_connection(const struct test_party *tls, const char *expected)
{
    struct test_stillness still;
    struct setpay_buffer answer;
    char words[96];
    uint64_t id = 0;
    size_t size = strcspn(expected, " ");
    (void)snprintf(words, sizeof words, "event=net.handshake_failed error=%.*s%s%s", (int)size,
                   expected, expected[size] == ' ' ? " rule=" : "",
                   expected[size] == ' ' ? expected + size + 1 : "");
    test_refusal_add();
    test_stillness_take(gateway, &still);
    size_t before = test_gateway_log_count(gateway, words);
    struct test_line *line = test_line_new(gateway, tls, "visa");
    if (line != NULL) {
        assert_false(test_line_receive(line, &id, &answer));
        setpay_buffer_clear(&answer);
    }
    test_line_free(line);
    test_gateway_wait_log(gateway, words, before + 1);
    test_stillness_expect(gateway, &still, 0);
}

static void every_wrong_connection_is_refused(void **state)
{
    /* rules A3 and G1: the merchant's TLS certificate */
    (void)state;
    for (size_t i = 0; i < DEFECTS; i++) {
        enum test_pki_defect defect = defects[i].defect;
        if (defect == TEST_PKI_OTHER_CURVE || defect == TEST_PKI_RSA)
            continue; /* the handshake has no algorithm for them: tests/unit/test_tls.c */
        struct test_party *party =
            test_party_new_defective(gateway->pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_CLIENT,
                                     TEST_GATEWAY_MERCHANT, defect);
        print_message("# a TLS certificate %s\n", defects[i].what);
        expect_no_connection(party,
                             defect == TEST_PKI_OTHER_BRAND ? "CERT_NAME A3" : defects[i].expected);
        test_party_free(party);
    }
    print_message("# no certificate, and good ones of others\n");
    expect_no_connection(NULL, "TLS");
    expect_no_connection(gateway->shop[0].sign, "CERT_USAGE A3");
    expect_no_connection(liar->holder->party, "CERT_ROLE A3");
    expect_no_connection(liar->far_sign, "CERT_ROLE A3");
    expect_no_connection(gateway->tls[0], "CERT_ROLE A3");
}

/* A good merchant of one brand on the other brand's name: it is judged by its certificate. */
static void brands_are_not_mixed(void **state)
{
    /* rules A3, G1, G4: certificates of two brands in one purchase */
    struct test_line *line = test_line_new(gateway, gateway->shop[1].tls, "visa");
    struct test_cardholder *usual = liar->holder;
    (void)state;
    assert_non_null(line);
    struct test_purchase *p = test_lie_tell(liar, NULL, NULL);
    test_refusal_of_purchase(gateway, line, p, "BRANDS_MIXED A3"); /* visa's request */
    test_purchase_free(p);
    test_line_free(line);

    liar->holder = liar->stranger; /* mastercard's cardholder at visa's shop */
    p = test_lie_tell(liar, NULL, NULL);
    test_refusal_of_purchase(gateway, liar->line, p, "BRANDS_MIXED A3");
    test_purchase_free(p);

    /* all of it mastercard's, but the instruction is for visa's certificates of the gateway */
    struct test_purchase_parties parties = test_gateway_parties(gateway, 1);
    parties.gateway_encrypt = gateway->encrypt[0];
    p = test_purchase_new(&parties, liar->stranger, 1250, "EUR", setpay_clock_now_ms());
    test_purchase_sign(p);
    line = test_line_new(gateway, gateway->shop[1].tls, "mastercard");
    assert_non_null(line);
    test_refusal_of_purchase(gateway, line, p, "ENVELOPE G2");
    p->sealed_to = gateway->encrypt[1];
    test_purchase_seal(p);
    test_purchase_renew(p, setpay_clock_now_ms());
    test_refusal_of_purchase(gateway, line, p, "PI_MISMATCH G4");
    test_purchase_free(p);
    test_line_free(line);
    liar->holder = usual;
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
        cmocka_unit_test(the_truth_is_believed),
        cmocka_unit_test(every_lie_is_refused),
        cmocka_unit_test(every_lie_about_a_void_is_refused),
        cmocka_unit_test(pairs_of_lies_are_refused),
        cmocka_unit_test(every_wrong_envelope_is_refused),
        cmocka_unit_test(an_envelope_is_good_to_the_last_bit),
        cmocka_unit_test(every_wrong_signer_is_refused),
        cmocka_unit_test(every_wrong_cardholder_is_refused),
        cmocka_unit_test(every_wrong_connection_is_refused),
        cmocka_unit_test(brands_are_not_mixed),
        cmocka_unit_test(the_truth_is_believed), /* and still is */
    };
    test_alarm(280);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    int failed = cmocka_run_group_tests(tests, open_all, close_all);
    print_message("# tally: rules attacked = %zu\n", test_refusal_count());
    return failed;
}
