/*
 * Rule A3, revocation: what counts as a list of a CA, that numbers never go back, and that without
 * a fresh list nothing is believed, not even what was believed a moment ago.
 */
#include "common/base/limits.h"
#include "common/pki/chain.h"
#include "tests/support/test_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

static const char *const brands[] = {"visa", NULL};
#define NOW TEST_PKI_NOW_MS

struct world {
    struct test_pki *pki;
    struct setpay_trust *trust;
    struct test_party *party;
    struct setpay_buffer crl;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    world->pki = test_pki_new(NOW, brands);
    world->trust = test_pki_trust(world->pki);
    world->party = test_party_new(world->pki, "visa", SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    setpay_buffer_init(&world->crl, SETPAY_LIMIT_CRL_BYTES);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    setpay_buffer_clear(&world->crl);
    test_party_free(world->party);
    setpay_trust_free(world->trust);
    test_pki_free(world->pki);
    free(world);
    return 0;
}

static enum setpay_error verify(struct world *world, int64_t now_ms)
{
    struct setpay_certificate *certificate = NULL;
    enum setpay_error error = setpay_trust_verify(
        world->trust, setpay_buffer_view(&world->party->der), world->party->chain, SETPAY_CHAIN_CAS,
        SETPAY_PROFILE_CARDHOLDER_SIGN, "visa", now_ms, &certificate);
    setpay_certificate_unref(certificate);
    return error;
}

static enum setpay_error add(struct world *world, enum setpay_ca_kind kind, int64_t now_ms,
                             enum test_crl_defect defect)
{
    test_pki_crl(world->pki, "visa", kind, now_ms, defect, &world->crl);
    return setpay_trust_add_crl(world->trust, setpay_buffer_view(&world->crl), now_ms);
}

static void defective_lists_are_refused(void **state)
{
    struct world *world = *state;
    static const struct {
        enum test_crl_defect defect;
        enum setpay_error error;
    } rows[] = {
        {TEST_CRL_STALE, SETPAY_E_CRL_STALE},       {TEST_CRL_FUTURE, SETPAY_E_CRL_INVALID},
        {TEST_CRL_LONG_LIFE, SETPAY_E_CRL_INVALID}, {TEST_CRL_FORGED, SETPAY_E_CRL_INVALID},
        {TEST_CRL_NO_NUMBER, SETPAY_E_CRL_INVALID}, {TEST_CRL_DELTA, SETPAY_E_CRL_INVALID},
        {TEST_CRL_PARTIAL, SETPAY_E_CRL_INVALID},   {TEST_CRL_NO_AKI, SETPAY_E_CRL_INVALID},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int k = SETPAY_CA_ROOT; k < SETPAY_CA_KINDS; k++)
            assert_int_equal(add(world, (enum setpay_ca_kind)k, NOW, rows[i].defect),
                             rows[i].error);
    }
    assert_int_equal(verify(world, NOW), SETPAY_OK);
    assert_int_equal(setpay_trust_add_crl(world->trust, SETPAY_VIEW_EMPTY, NOW),
                     SETPAY_E_CRL_INVALID);
    assert_int_equal(setpay_buffer_append(&world->crl, setpay_view_of("", 1)), SETPAY_OK);
    assert_int_equal(setpay_trust_add_crl(world->trust, setpay_buffer_view(&world->crl), NOW),
                     SETPAY_E_CRL_INVALID);
}

static void numbers_never_go_back(void **state)
{
    struct world *world = *state;
    assert_int_equal(add(world, SETPAY_CA_CARDHOLDER, NOW, TEST_CRL_GOOD), SETPAY_OK);
    assert_int_equal(setpay_trust_add_crl(world->trust, setpay_buffer_view(&world->crl), NOW),
                     SETPAY_OK);
    assert_int_equal(add(world, SETPAY_CA_CARDHOLDER, NOW, TEST_CRL_OLDER_NUMBER),
                     SETPAY_E_CRL_OLDER);
    assert_int_equal(add(world, SETPAY_CA_CARDHOLDER, NOW, TEST_CRL_SAME_NUMBER),
                     SETPAY_E_CRL_OLDER);
}

static void a_revoked_leaf_is_refused_at_once(void **state)
{
    struct world *world = *state;
    assert_int_equal(verify(world, NOW), SETPAY_OK);
    test_pki_revoke(world->pki, world->party);
    assert_int_equal(verify(world, NOW), SETPAY_OK); /* not published yet */
    assert_int_equal(add(world, SETPAY_CA_CARDHOLDER, NOW, TEST_CRL_GOOD), SETPAY_OK);
    assert_int_equal(verify(world, NOW), SETPAY_E_CERT_REVOKED);
    struct setpay_certificate *certificate = NULL;
    assert_int_equal(setpay_trust_verify_known(world->trust, &world->party->thumbprint,
                                               SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NOW,
                                               &certificate),
                     SETPAY_E_CERT_REVOKED);
}

static void a_revoked_ca_takes_its_leaves_with_it(void **state)
{
    struct world *world = *state;
    assert_int_equal(verify(world, NOW), SETPAY_OK);
    test_pki_revoke_ca(world->pki, "visa", SETPAY_CA_CARDHOLDER);
    assert_int_equal(add(world, SETPAY_CA_BRAND, NOW, TEST_CRL_GOOD), SETPAY_OK);
    assert_int_equal(verify(world, NOW), SETPAY_E_CERT_REVOKED);
}

static void a_revoked_brand_ends_the_brand(void **state)
{
    struct world *world = *state;
    assert_int_equal(verify(world, NOW), SETPAY_OK);
    test_pki_revoke_ca(world->pki, "visa", SETPAY_CA_BRAND);
    assert_int_equal(add(world, SETPAY_CA_ROOT, NOW, TEST_CRL_GOOD), SETPAY_OK);
    assert_int_equal(verify(world, NOW), SETPAY_E_CERT_REVOKED);
}

/* A leaf that was never seen before, and how many of them went the whole way. */
static enum setpay_error verify_new(struct world *world, int64_t now_ms, uint64_t *whole)
{
    struct setpay_trust_figures before, after;
    struct test_party *known = world->party;
    world->party = test_party_new(world->pki, "visa", SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    setpay_trust_read_figures(world->trust, &before);
    enum setpay_error error = verify(world, now_ms);
    setpay_trust_read_figures(world->trust, &after);
    *whole = after.verifications - before.verifications;
    test_party_free(world->party);
    world->party = known;
    return error;
}

/* rule A3: what is proven of the CAs ends with any list that comes, whatever it says. */
static void a_list_ends_what_is_proven_of_its_ca(void **state)
{
    struct world *world = *state;
    uint64_t whole = 0;
    static const enum setpay_ca_kind lists[] = {SETPAY_CA_CARDHOLDER, SETPAY_CA_BRAND,
                                                SETPAY_CA_ROOT};
    assert_int_equal(verify(world, NOW), SETPAY_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(verify_new(world, NOW, &whole), SETPAY_OK);
        assert_int_equal(whole, 0);
        assert_int_equal(add(world, lists[i], NOW, TEST_CRL_GOOD), SETPAY_OK);
        assert_int_equal(verify_new(world, NOW, &whole), SETPAY_OK);
        assert_int_equal(whole, 1);
    }
    /* a leaf that is new here but revoked already */
    test_pki_revoke(world->pki, world->party);
    assert_int_equal(add(world, SETPAY_CA_CARDHOLDER, NOW, TEST_CRL_GOOD), SETPAY_OK);
    assert_int_equal(verify_new(world, NOW, &whole), SETPAY_OK);
    assert_int_equal(verify(world, NOW), SETPAY_E_CERT_REVOKED);
}

static void a_revoked_ca_is_proven_no_more(void **state)
{
    struct world *world = *state;
    uint64_t whole = 0;
    assert_int_equal(verify(world, NOW), SETPAY_OK);
    assert_int_equal(verify_new(world, NOW, &whole), SETPAY_OK);
    assert_int_equal(whole, 0);
    test_pki_revoke_ca(world->pki, "visa", SETPAY_CA_CARDHOLDER);
    assert_int_equal(add(world, SETPAY_CA_BRAND, NOW, TEST_CRL_GOOD), SETPAY_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(verify_new(world, NOW, &whole), SETPAY_E_CERT_REVOKED);
}

static void a_revoked_brand_is_proven_no_more(void **state)
{
    struct world *world = *state;
    uint64_t whole = 0;
    assert_int_equal(verify(world, NOW), SETPAY_OK);
    test_pki_revoke_ca(world->pki, "visa", SETPAY_CA_BRAND);
    assert_int_equal(add(world, SETPAY_CA_ROOT, NOW, TEST_CRL_GOOD), SETPAY_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(verify_new(world, NOW, &whole), SETPAY_E_CERT_REVOKED);
}

/* rule A3: stale for leaves that come now, too, and for a clock that goes back */
static void a_stale_list_ends_what_is_proven(void **state)
{
    struct world *world = *state;
    int64_t end = NOW + 22 * SETPAY_HOUR_MS;
    uint64_t whole = 0;
    assert_int_equal(verify(world, NOW), SETPAY_OK);
    assert_int_equal(verify_new(world, end - 1000, &whole), SETPAY_OK);
    assert_int_equal(whole, 0);
    assert_int_equal(verify_new(world, end, &whole), SETPAY_E_CRL_STALE);
    assert_int_equal(verify_new(world, NOW - 2 * SETPAY_HOUR_MS, &whole), SETPAY_E_CRL_STALE);
    assert_int_equal(verify_new(world, NOW, &whole), SETPAY_OK);
    assert_int_equal(whole, 0);
}

static void a_stale_list_fails_closed_for_kept_chains_too(void **state)
{
    struct world *world = *state;
    int64_t end = NOW + 22 * SETPAY_HOUR_MS;
    assert_int_equal(verify(world, NOW), SETPAY_OK);
    assert_int_equal(verify(world, end - 1000), SETPAY_OK);
    assert_int_equal(verify(world, end), SETPAY_E_CRL_STALE);
    test_pki_refresh_crls(world->pki, world->trust, end);
    assert_int_equal(verify(world, end), SETPAY_OK);
    /* and a clock that goes back behind thisUpdate */
    assert_int_equal(verify(world, end - 2 * SETPAY_HOUR_MS), SETPAY_E_CRL_STALE);
}

static void a_kept_chain_ends_with_its_certificate(void **state)
{
    struct world *world = *state;
    int64_t end = NOW + 60 * SETPAY_DAY_MS;
    assert_int_equal(verify(world, NOW), SETPAY_OK);
    test_pki_refresh_crls(world->pki, world->trust, end - 1000);
    assert_int_equal(verify(world, end - 1000), SETPAY_OK);
    assert_int_equal(verify(world, end), SETPAY_E_CERT_TIME);
}

static void every_ca_of_the_chain_needs_a_list(void **state)
{
    struct world *world = *state;
    static const enum setpay_ca_kind kinds[] = {SETPAY_CA_ROOT, SETPAY_CA_BRAND,
                                                SETPAY_CA_CARDHOLDER};
    for (size_t missing = 0; missing <= 3; missing++) {
        struct setpay_trust *whole = world->trust;
        assert_int_equal(setpay_trust_new(setpay_buffer_view(&world->pki->root.der), &world->trust),
                         SETPAY_OK);
        assert_int_equal(add(world, SETPAY_CA_CARDHOLDER, NOW, TEST_CRL_GOOD),
                         SETPAY_E_CERT_MISSING);
        assert_int_equal(
            setpay_trust_learn(world->trust, world->party->chain, SETPAY_CHAIN_CAS, NULL, 0, NOW),
            2);
        for (size_t i = 0; i < 3; i++) {
            if (i != missing)
                assert_int_equal(add(world, kinds[i], NOW, TEST_CRL_GOOD), SETPAY_OK);
        }
        assert_int_equal(verify(world, NOW), missing < 3 ? SETPAY_E_CRL_MISSING : SETPAY_OK);
        setpay_trust_free(world->trust);
        world->trust = whole;
    }
}

static void lists_can_be_shown_and_handed_on(void **state)
{
    struct world *world = *state;
    struct setpay_crl_info infos[8];
    struct setpay_digest unknown = {{9}};
    assert_int_equal(setpay_trust_crls(world->trust, infos, 8), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(infos[i].next_update_ms, NOW + 22 * SETPAY_HOUR_MS);
        assert_int_equal(infos[i].number, 2);
        assert_string_equal(infos[i].brand, infos[i].ca_kind == SETPAY_CA_ROOT ? "" : "visa");
        setpay_buffer_reset(&world->crl);
        assert_int_equal(setpay_trust_crl_der(world->trust, &infos[i].thumbprint, &world->crl),
                         SETPAY_OK);
        assert_int_equal(setpay_trust_add_crl(world->trust, setpay_buffer_view(&world->crl), NOW),
                         SETPAY_OK);
    }
    assert_int_equal(setpay_trust_crl_der(world->trust, &unknown, &world->crl), SETPAY_E_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defective_lists_are_refused),
        TEST(numbers_never_go_back),
        TEST(a_revoked_leaf_is_refused_at_once),
        TEST(a_revoked_ca_takes_its_leaves_with_it),
        TEST(a_revoked_brand_ends_the_brand),
        TEST(a_list_ends_what_is_proven_of_its_ca),
        TEST(a_revoked_ca_is_proven_no_more),
        TEST(a_revoked_brand_is_proven_no_more),
        TEST(a_stale_list_ends_what_is_proven),
        TEST(a_stale_list_fails_closed_for_kept_chains_too),
        TEST(a_kept_chain_ends_with_its_certificate),
        TEST(every_ca_of_the_chain_needs_a_list),
        TEST(lists_can_be_shown_and_handed_on),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
