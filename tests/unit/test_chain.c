/*
 * Rule A3: every profile's good chain is believed, and every defect is refused by its own error.
 * One table says which; the rest is the cache, what peers leave out, TLS peers, and OpenSSL's own
 * opinion.
 */
#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/pki/chain.h"
#include "tests/support/test_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const brands[] = {"visa", "maestro", NULL};

struct world {
    struct test_pki *pki;
    struct setpay_trust *trust;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    world->pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    world->trust = test_pki_trust(world->pki);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    setpay_trust_free(world->trust);
    test_pki_free(world->pki);
    free(world);
    return 0;
}

static enum setpay_error verify(struct setpay_trust *trust, const struct test_party *party,
                                enum setpay_profile profile, const char *brand, int64_t now_ms)
{
    struct setpay_certificate *certificate = NULL;
    enum setpay_error error =
        setpay_trust_verify(trust, setpay_buffer_view(&party->der), party->chain, SETPAY_CHAIN_CAS,
                            profile, brand, now_ms, &certificate);
    assert_true((error == SETPAY_OK) == (certificate != NULL));
    setpay_certificate_unref(certificate);
    return error;
}

static void expect(enum setpay_error found, enum setpay_error expected, const char *what)
{
    if (found != expected)
        fail_msg("%s: %s, expected %s", what, setpay_error_name(found),
                 setpay_error_name(expected));
}

static const char *id_of(enum setpay_profile profile)
{
    return profile == SETPAY_PROFILE_CARDHOLDER_SIGN ? NULL : "party-1";
}

static void every_profile_is_believed_as_itself_alone(void **state)
{
    struct world *world = *state;
    for (int p = SETPAY_PROFILE_NONE + 1; p < SETPAY_PROFILES; p++) {
        enum setpay_profile profile = (enum setpay_profile)p;
        struct test_party *party =
            test_party_new(world->pki, "visa", profile, id_of(profile), NULL);
        for (int q = SETPAY_PROFILE_NONE; q <= SETPAY_PROFILES; q++) {
            enum setpay_profile asked = (enum setpay_profile)q;
            const struct setpay_profile_info *info = setpay_profile_info(asked);
            enum setpay_error expected =
                q == p ? SETPAY_OK
                : info != NULL && info->type == setpay_profile_info(profile)->type
                    ? SETPAY_E_CERT_USAGE
                    : SETPAY_E_CERT_ROLE;
            expect(verify(world->trust, party, asked, "visa", TEST_PKI_NOW_MS), expected,
                   setpay_profile_info(profile)->name);
        }
        expect(verify(world->trust, party, profile, "maestro", TEST_PKI_NOW_MS),
               SETPAY_E_BRANDS_MIXED, "another brand");
        expect(verify(world->trust, party, profile, NULL, TEST_PKI_NOW_MS), SETPAY_OK, "any brand");
        test_party_free(party);
    }
}

/* rule A3, one row a defect */
static const struct {
    enum test_pki_defect defect;
    enum setpay_error error;
    const char *name;
} leaf_rows[] = {
    {TEST_PKI_EXPIRED, SETPAY_E_CERT_TIME, "expired"},
    {TEST_PKI_NOT_YET_VALID, SETPAY_E_CERT_TIME, "not yet valid"},
    {TEST_PKI_TOO_LONG_LIFE, SETPAY_E_CERT_TIME, "too long a life"},
    {TEST_PKI_NO_TYPE, SETPAY_E_CERT_ROLE, "no type"},
    {TEST_PKI_OTHER_TYPE, SETPAY_E_CERT_ROLE, "other type"},
    {TEST_PKI_TWO_TYPES, SETPAY_E_CERT_ROLE, "two types"},
    {TEST_PKI_NO_KEY_USAGE, SETPAY_E_CERT_USAGE, "no key usage"},
    {TEST_PKI_OTHER_KEY_USAGE, SETPAY_E_CERT_USAGE, "other key usage"},
    {TEST_PKI_NO_EKU, SETPAY_E_CERT_USAGE, "no eku"},
    {TEST_PKI_OTHER_EKU, SETPAY_E_CERT_USAGE, "other eku"},
    {TEST_PKI_EXTRA_EKU, SETPAY_E_CERT_USAGE, "extra eku"},
    {TEST_PKI_LEAF_IS_CA, SETPAY_E_CERT_USAGE, "leaf is a CA"},
    {TEST_PKI_OTHER_BRAND, SETPAY_E_CERT_NAME, "other brand"},
    {TEST_PKI_DOT_IN_CN, SETPAY_E_CERT_NAME, "dot in CN"},
    {TEST_PKI_BAD_ID, SETPAY_E_CERT_NAME, "bad id"},
    {TEST_PKI_EXTRA_RDN, SETPAY_E_CERT_NAME, "extra RDN"},
    {TEST_PKI_IP_NAME, SETPAY_E_CERT_NAME, "IP name"},
    {TEST_PKI_WILDCARD, SETPAY_E_CERT_NAME, "wildcard"},
    {TEST_PKI_OTHER_CURVE, SETPAY_E_CERT_MALFORMED, "P-384"},
    {TEST_PKI_RSA, SETPAY_E_CERT_MALFORMED, "RSA"},
    {TEST_PKI_FORGED, SETPAY_E_CERT_CHAIN, "forged"},
    {TEST_PKI_UNKNOWN_CRITICAL, SETPAY_E_CERT_USAGE, "unknown critical extension"},
    {TEST_PKI_WRONG_ISSUER, SETPAY_E_CERT_CHAIN, "issued by the brand CA"},
};

static void check_leaf_defects(struct world *world, enum setpay_profile profile)
{
    for (size_t i = 0; i < sizeof(leaf_rows) / sizeof(leaf_rows[0]); i++) {
        struct test_party *party = test_party_new_defective(world->pki, "visa", profile,
                                                            id_of(profile), leaf_rows[i].defect);
        expect(verify(world->trust, party, profile, NULL, TEST_PKI_NOW_MS), leaf_rows[i].error,
               leaf_rows[i].name);
        test_party_free(party);
    }
    struct test_party *party =
        test_party_new_defective(world->pki, "visa", profile, id_of(profile), TEST_PKI_DNS_NAME);
    expect(verify(world->trust, party, profile, NULL, TEST_PKI_NOW_MS),
           setpay_profile_info(profile)->dns_names ? SETPAY_OK : SETPAY_E_CERT_NAME, "a DNS name");
    test_party_free(party);
    /* A gateway's by the merchants' CA, and a merchant's by the gateways', which may name no host.
     */
    party = test_party_new_defective(world->pki, "visa", profile, id_of(profile),
                                     TEST_PKI_OTHER_ISSUER);
    expect(verify(world->trust, party, profile, NULL, TEST_PKI_NOW_MS),
           setpay_profile_info(profile)->dns_names ? SETPAY_E_CERT_NAME : SETPAY_E_CERT_ROLE,
           "issued by another role's CA");
    test_party_free(party);
}

static void every_defect_of_a_leaf_has_its_error(void **state)
{
    for (int p = SETPAY_PROFILE_NONE + 1; p < SETPAY_PROFILES; p++)
        check_leaf_defects(*state, (enum setpay_profile)p);
}

static void verify_good(struct world *world, enum setpay_profile profile)
{
    struct test_party *party = test_party_new(world->pki, "visa", profile, id_of(profile), NULL);
    expect(verify(world->trust, party, profile, NULL, TEST_PKI_NOW_MS), SETPAY_OK, "good");
    test_party_free(party);
}

/* rule A3: the chain above is proven once, and then every leaf is held to the same as before. */
static void a_proven_ca_excuses_no_leaf(void **state)
{
    struct world *world = *state;
    for (int p = SETPAY_PROFILE_NONE + 1; p < SETPAY_PROFILES; p++) {
        enum setpay_profile profile = (enum setpay_profile)p;
        struct setpay_trust_figures before, after;
        verify_good(world, profile);
        setpay_trust_read_figures(world->trust, &before);
        for (int i = 0; i < 3; i++)
            verify_good(world, profile);
        setpay_trust_read_figures(world->trust, &after);
        assert_int_equal(after.verifications, before.verifications);
        assert_int_equal(after.leaf_verifications, before.leaf_verifications + 3);
        check_leaf_defects(world, profile);
        setpay_trust_read_figures(world->trust, &after);
        assert_int_equal(after.leaf_verifications,
                         before.leaf_verifications + 3 +
                             (setpay_profile_info(profile)->dns_names ? 1 : 0));
    }
}

/* What was proven of visa says nothing of maestro, nor of a stranger under the same names. */
static void a_proven_ca_speaks_for_itself_alone(void **state)
{
    struct world *world = *state;
    struct setpay_trust_figures before, after;
    verify_good(world, SETPAY_PROFILE_MERCHANT_SIGN);
    setpay_trust_read_figures(world->trust, &before);
    struct test_party *other =
        test_party_new(world->pki, "maestro", SETPAY_PROFILE_MERCHANT_SIGN, "shop", NULL);
    expect(verify(world->trust, other, SETPAY_PROFILE_MERCHANT_SIGN, NULL, TEST_PKI_NOW_MS),
           SETPAY_OK, "maestro");
    test_party_free(other);
    struct test_pki *stranger = test_pki_new(TEST_PKI_NOW_MS, brands);
    other = test_party_new(stranger, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop", NULL);
    expect(verify(world->trust, other, SETPAY_PROFILE_MERCHANT_SIGN, NULL, TEST_PKI_NOW_MS),
           SETPAY_E_CERT_CHAIN, "a stranger with the same names");
    test_party_free(other);
    test_pki_free(stranger);
    setpay_trust_read_figures(world->trust, &after);
    assert_int_equal(after.leaf_verifications, before.leaf_verifications);
}

static void every_defect_of_a_ca_has_its_error(void **state)
{
    (void)state;
    static const struct {
        enum test_pki_defect defect;
        enum setpay_error error;
        const char *name;
    } rows[] = {
        {TEST_PKI_EXPIRED, SETPAY_E_CERT_TIME, "expired"},
        {TEST_PKI_NOT_YET_VALID, SETPAY_E_CERT_TIME, "not yet valid"},
        {TEST_PKI_NO_TYPE, SETPAY_E_CERT_ROLE, "no type"},
        {TEST_PKI_OTHER_TYPE, SETPAY_E_CERT_ROLE, "other type"},
        {TEST_PKI_OTHER_KEY_USAGE, SETPAY_E_CERT_USAGE, "other key usage"},
        {TEST_PKI_NO_BASIC_CONSTRAINTS, SETPAY_E_CERT_USAGE, "no basic constraints"},
        {TEST_PKI_OTHER_CURVE, SETPAY_E_CERT_MALFORMED, "P-384"},
        {TEST_PKI_FORGED, SETPAY_E_CERT_CHAIN, "forged"},
        {TEST_PKI_UNKNOWN_CRITICAL, SETPAY_E_CERT_USAGE, "unknown critical extension"},
        {TEST_PKI_BAD_ID, SETPAY_E_CERT_NAME, "bad id"},
    };
    static const char *const none[] = {NULL};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int k = SETPAY_CA_BRAND; k <= SETPAY_CA_MERCHANT; k += 2) {
            struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, none);
            struct setpay_trust *trust = NULL;
            test_pki_add_brand(pki, "visa", (enum setpay_ca_kind)k, rows[i].defect);
            assert_int_equal(setpay_trust_new(setpay_buffer_view(&pki->root.der), &trust),
                             SETPAY_OK);
            struct test_party *party =
                test_party_new(pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop", NULL);
            /* CRLs for what is taken, so that only the defect is left */
            (void)setpay_trust_learn(trust, party->chain, SETPAY_CHAIN_CAS, NULL, 0,
                                     TEST_PKI_NOW_MS);
            struct setpay_buffer crl;
            setpay_buffer_init(&crl, SETPAY_LIMIT_CRL_BYTES);
            for (int c = SETPAY_CA_ROOT; c < SETPAY_CA_KINDS; c++) {
                enum setpay_error ignored;
                test_pki_crl(pki, "visa", (enum setpay_ca_kind)c, TEST_PKI_NOW_MS, TEST_CRL_GOOD,
                             &crl);
                ignored = setpay_trust_add_crl(trust, setpay_buffer_view(&crl), TEST_PKI_NOW_MS);
                (void)ignored;
            }
            setpay_buffer_clear(&crl);
            expect(verify(trust, party, SETPAY_PROFILE_MERCHANT_SIGN, NULL, TEST_PKI_NOW_MS),
                   rows[i].error, rows[i].name);
            test_party_free(party);
            setpay_trust_free(trust);
            test_pki_free(pki);
        }
    }
}

static void a_ca_of_one_brand_does_not_issue_for_another(void **state)
{
    struct world *world = *state;
    /* maestro's MCA signs a leaf of "otherbrand": the constraint of its brand forbids it */
    struct test_party *party = test_party_new_defective(
        world->pki, "maestro", SETPAY_PROFILE_MERCHANT_SIGN, "shop", TEST_PKI_OTHER_BRAND);
    expect(verify(world->trust, party, SETPAY_PROFILE_MERCHANT_SIGN, "otherbrand", TEST_PKI_NOW_MS),
           SETPAY_E_CERT_NAME, "name constraints");
    test_party_free(party);
}

static void another_root_is_not_believed(void **state)
{
    struct world *world = *state;
    struct test_pki *stranger = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct test_party *party =
        test_party_new(stranger, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop", NULL);
    expect(verify(world->trust, party, SETPAY_PROFILE_MERCHANT_SIGN, NULL, TEST_PKI_NOW_MS),
           SETPAY_E_CERT_CHAIN, "a stranger with the same names");
    assert_int_equal(setpay_trust_add_ca(world->trust, setpay_buffer_view(&stranger->root.der)),
                     SETPAY_E_CERT_CHAIN);
    test_party_free(party);
    test_pki_free(stranger);
}

/* Such a CA could certify nobody, for OpenSSL would not have its chain; but it would take a good
 * one's place, of which there are so many, and its name. */
/* As many as a wallet of four brands has kept: what may stand beside one message is fewer. */
static void all_that_was_kept_is_learned_again(void **state)
{
    static const char *const four[] = {"visa", "maestro", "mastercard", "amex", NULL};
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, four);
    struct setpay_trust *trust = NULL;
    struct setpay_view cas[16], lists[17];
    struct setpay_buffer ders[17];
    struct setpay_digest thumbs[20];
    struct setpay_crl_info infos[20];
    size_t ca_count = 0, list_count = 0;
    (void)state;
    for (int kind = SETPAY_CA_KINDS - 1; kind >= SETPAY_CA_ROOT; kind--)
        for (int b = 0; b < 4; b++) {
            if (kind == SETPAY_CA_ROOT && b > 0)
                break;
            if (kind != SETPAY_CA_ROOT)
                cas[ca_count++] =
                    setpay_buffer_view(&test_pki_ca(pki, four[b], (enum setpay_ca_kind)kind)->der);
            setpay_buffer_init(&ders[list_count], SETPAY_LIMIT_CRL_BYTES);
            test_pki_crl(pki, four[b], (enum setpay_ca_kind)kind, TEST_PKI_NOW_MS, TEST_CRL_GOOD,
                         &ders[list_count]);
            lists[list_count] = setpay_buffer_view(&ders[list_count]);
            list_count++;
        }
    assert_int_equal(setpay_trust_new(setpay_buffer_view(&pki->root.der), &trust), SETPAY_OK);
    assert_int_equal(setpay_trust_learn(trust, cas, ca_count, lists, list_count, TEST_PKI_NOW_MS),
                     33);
    assert_int_equal(setpay_trust_thumbs(trust, false, thumbs, 20), 17); /* with the root */
    assert_int_equal(setpay_trust_crls(trust, infos, 20), 17);
    for (size_t i = 0; i < list_count; i++)
        setpay_buffer_clear(&ders[i]);
    setpay_trust_free(trust);
    test_pki_free(pki);
}

static void a_ca_that_is_none_is_not_kept(void **state)
{
    (void)state;
    static const struct {
        enum test_pki_defect defect;
        enum setpay_error error;
    } rows[] = {
        {TEST_PKI_FORGED, SETPAY_E_CERT_CHAIN},     /* the right names, by a stranger's key */
        {TEST_PKI_OTHER_BRAND, SETPAY_E_CERT_NAME}, /* by visa's brand CA, for another brand */
    };
    static const char *const none[] = {NULL};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int k = SETPAY_CA_CARDHOLDER; k < SETPAY_CA_KINDS; k++) {
            enum setpay_ca_kind kind = (enum setpay_ca_kind)k;
            struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, none);
            struct setpay_trust *trust = NULL;
            struct setpay_digest thumbs[8];
            test_pki_add_brand(pki, "visa", kind, rows[i].defect);
            struct setpay_view brand =
                setpay_buffer_view(&test_pki_ca(pki, "visa", SETPAY_CA_BRAND)->der);
            struct setpay_view ca = setpay_buffer_view(&test_pki_ca(pki, "visa", kind)->der);
            assert_int_equal(setpay_trust_new(setpay_buffer_view(&pki->root.der), &trust),
                             SETPAY_OK);
            assert_int_equal(setpay_trust_add_ca(trust, brand), SETPAY_OK);
            expect(setpay_trust_add_ca(trust, ca), rows[i].error, "a CA that is none");
            assert_int_equal(setpay_trust_learn(trust, &ca, 1, NULL, 0, TEST_PKI_NOW_MS), 0);
            assert_int_equal(setpay_trust_thumbs(trust, false, thumbs, 8), 2);
            setpay_trust_free(trust);
            test_pki_free(pki);
        }
    }
}

static enum setpay_error verify_lapsed(struct setpay_trust *trust, const struct test_party *party,
                                       int64_t now_ms)
{
    struct setpay_certificate *certificate = NULL;
    enum setpay_error error =
        setpay_trust_verify_lapsed(trust, setpay_buffer_view(&party->der),
                                   SETPAY_PROFILE_CARDHOLDER_SIGN, "visa", now_ms, &certificate);
    assert_true((error == SETPAY_OK) == (certificate != NULL));
    setpay_certificate_unref(certificate);
    return error;
}

/* rule M8: time is passed over, and nothing else is: revocation is looked up, in fresh lists. */
static void who_has_lapsed_is_still_looked_up(void **state)
{
    (void)state;
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct setpay_trust *trust = test_pki_trust(pki), *bare = NULL;
    struct test_party *party = test_party_new_defective(pki, "visa", SETPAY_PROFILE_CARDHOLDER_SIGN,
                                                        NULL, TEST_PKI_EXPIRED);
    expect(verify(trust, party, SETPAY_PROFILE_CARDHOLDER_SIGN, "visa", TEST_PKI_NOW_MS),
           SETPAY_E_CERT_TIME, "expired");
    expect(verify_lapsed(trust, party, TEST_PKI_NOW_MS), SETPAY_OK, "lapsed");
    expect(verify_lapsed(trust, party, TEST_PKI_NOW_MS + 366 * SETPAY_DAY_MS), SETPAY_E_CRL_STALE,
           "stale lists");
    assert_int_equal(setpay_trust_new(setpay_buffer_view(&pki->root.der), &bare), SETPAY_OK);
    (void)setpay_trust_learn(bare, party->chain, SETPAY_CHAIN_CAS, NULL, 0, TEST_PKI_NOW_MS);
    expect(verify_lapsed(bare, party, TEST_PKI_NOW_MS), SETPAY_E_CRL_MISSING, "no lists");
    test_pki_revoke(pki, party);
    test_pki_refresh_crls(pki, trust, TEST_PKI_NOW_MS);
    expect(verify_lapsed(trust, party, TEST_PKI_NOW_MS), SETPAY_E_CERT_REVOKED, "revoked");
    test_party_free(party);
    setpay_trust_free(bare);
    setpay_trust_free(trust);
    test_pki_free(pki);
}

/* The certificate with the other signature that verifies as well: (r, n - s) instead of (r, s). */
static void make_twin(X509 *x509, struct setpay_buffer *der)
{
    X509 *twin = X509_dup(x509);
    const ASN1_BIT_STRING *signature = NULL;
    X509_get0_signature(&signature, NULL, twin);
    const unsigned char *at = ASN1_STRING_get0_data(signature);
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, ASN1_STRING_length(signature));
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *r = BN_dup(ECDSA_SIG_get0_r(pair)), *s = BN_new();
    assert_int_equal(BN_sub(s, EC_GROUP_get0_order(group), ECDSA_SIG_get0_s(pair)), 1);
    assert_int_equal(ECDSA_SIG_set0(pair, r, s), 1);
    unsigned char *bytes = NULL;
    int size = i2d_ECDSA_SIG(pair, &bytes);
    assert_int_equal(ASN1_STRING_set((ASN1_STRING *)(uintptr_t)signature, bytes, size), 1);
    OPENSSL_free(bytes);
    bytes = NULL;
    size = i2d_X509(twin, &bytes);
    assert_int_equal(setpay_buffer_set(der, setpay_view_of(bytes, (size_t)size)), SETPAY_OK);
    OPENSSL_free(bytes);
    EC_GROUP_free(group);
    ECDSA_SIG_free(pair);
    X509_free(twin);
}

/* Anybody can make it, and nobody gives it a CRL: it must not stand beside the CA's own. */
static void a_twin_of_a_ca_is_not_another_ca(void **state)
{
    struct world *world = *state;
    const struct test_pki_ca *ca = test_pki_ca(world->pki, "visa", SETPAY_CA_MERCHANT);
    struct setpay_digest thumbs[SETPAY_LIMIT_THUMBS];
    struct setpay_digest thumbprint;
    struct setpay_certificate *found = NULL;
    struct setpay_buffer twin;
    setpay_buffer_init(&twin, SETPAY_LIMIT_CERTIFICATE_BYTES);
    make_twin(ca->x509, &twin);
    assert_false(setpay_view_equal(setpay_buffer_view(&twin), setpay_buffer_view(&ca->der)));
    assert_int_equal(setpay_sha256(setpay_buffer_view(&twin), &thumbprint), SETPAY_OK);
    size_t before = setpay_trust_thumbs(world->trust, false, thumbs, SETPAY_LIMIT_THUMBS);
    assert_int_equal(setpay_trust_add_ca(world->trust, setpay_buffer_view(&twin)), SETPAY_OK);
    assert_int_equal(setpay_trust_thumbs(world->trust, false, thumbs, SETPAY_LIMIT_THUMBS), before);
    assert_int_equal(setpay_trust_find_ca(world->trust, &thumbprint, &found), SETPAY_E_NOT_FOUND);
    setpay_buffer_clear(&twin);
}

static void missing_issuers_are_named_so_and_learned_when_offered(void **state)
{
    struct world *world = *state;
    struct setpay_trust *trust = NULL;
    struct setpay_certificate *certificate = NULL;
    struct test_party *party =
        test_party_new(world->pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "gw", NULL);
    assert_int_equal(setpay_trust_new(setpay_buffer_view(&world->pki->root.der), &trust),
                     SETPAY_OK);
    for (size_t offered = 0; offered < SETPAY_CHAIN_CAS; offered++)
        assert_int_equal(setpay_trust_verify(trust, setpay_buffer_view(&party->der), party->chain,
                                             offered, SETPAY_PROFILE_GATEWAY_SIGN, NULL,
                                             TEST_PKI_NOW_MS, &certificate),
                         SETPAY_E_CERT_MISSING);
    expect(verify(trust, party, SETPAY_PROFILE_GATEWAY_SIGN, NULL, TEST_PKI_NOW_MS),
           SETPAY_E_CRL_MISSING, "no CRLs");
    struct setpay_digest thumbs[8];
    assert_int_equal(setpay_trust_thumbs(trust, true, thumbs, 8), 3);
    setpay_trust_free(trust);
    test_party_free(party);
}

static void known_leaves_need_only_their_thumbprint(void **state)
{
    struct world *world = *state;
    struct setpay_certificate *certificate = NULL;
    struct setpay_trust_figures figures;
    struct test_party *party =
        test_party_new(world->pki, "visa", SETPAY_PROFILE_GATEWAY_ENCRYPT, "gw", NULL);
    assert_int_equal(setpay_trust_verify_known(world->trust, &party->thumbprint,
                                               SETPAY_PROFILE_GATEWAY_ENCRYPT, "visa",
                                               TEST_PKI_NOW_MS, &certificate),
                     SETPAY_E_CERT_MISSING);
    expect(verify(world->trust, party, SETPAY_PROFILE_GATEWAY_ENCRYPT, NULL, TEST_PKI_NOW_MS),
           SETPAY_OK, "first");
    setpay_trust_read_figures(world->trust, &figures);
    uint64_t before = figures.verifications;
    assert_int_equal(setpay_trust_verify_known(world->trust, &party->thumbprint,
                                               SETPAY_PROFILE_GATEWAY_ENCRYPT, "visa",
                                               TEST_PKI_NOW_MS, &certificate),
                     SETPAY_OK);
    setpay_certificate_unref(certificate);
    setpay_trust_read_figures(world->trust, &figures);
    assert_int_equal(figures.verifications, before);
    assert_true(figures.cache_hits > 0);
    certificate = NULL;
    /* A kept verdict ends with the certificate, and is no verdict for another purpose. */
    expect(verify(world->trust, party, SETPAY_PROFILE_GATEWAY_SIGN, NULL, TEST_PKI_NOW_MS),
           SETPAY_E_CERT_USAGE, "another purpose");
    assert_int_equal(
        verify(world->trust, party, SETPAY_PROFILE_GATEWAY_ENCRYPT, "maestro", TEST_PKI_NOW_MS),
        SETPAY_E_BRANDS_MIXED);
    test_party_free(party);
}

static void a_kept_leaf_is_found_to_be_passed_on(void **state)
{
    struct world *world = *state;
    struct setpay_certificate *certificate = NULL;
    struct setpay_buffer crl;
    struct test_party *party =
        test_party_new(world->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop", NULL);
    setpay_buffer_init(&crl, SETPAY_LIMIT_CRL_BYTES);
    assert_int_equal(setpay_trust_find_leaf(world->trust, &party->thumbprint, &certificate),
                     SETPAY_E_NOT_FOUND);
    assert_null(certificate);
    expect(verify(world->trust, party, SETPAY_PROFILE_MERCHANT_SIGN, "visa", TEST_PKI_NOW_MS),
           SETPAY_OK, "first");
    test_pki_revoke(world->pki, party);
    test_pki_crl(world->pki, "visa", SETPAY_CA_MERCHANT, TEST_PKI_NOW_MS, TEST_CRL_GOOD, &crl);
    assert_int_equal(setpay_trust_add_crl(world->trust, setpay_buffer_view(&crl), TEST_PKI_NOW_MS),
                     SETPAY_OK);
    expect(verify(world->trust, party, SETPAY_PROFILE_MERCHANT_SIGN, "visa", TEST_PKI_NOW_MS),
           SETPAY_E_CERT_REVOKED, "revoked");
    /* Whoever it is passed on to judges it. */
    assert_int_equal(setpay_trust_find_leaf(world->trust, &party->thumbprint, &certificate),
                     SETPAY_OK);
    assert_true(
        setpay_digest_equal(setpay_certificate_thumbprint(certificate), &party->thumbprint));
    setpay_certificate_unref(certificate);
    setpay_buffer_clear(&crl);
    test_party_free(party);
}

static void a_leaf_is_no_ca_whether_known_or_not(void **state)
{
    struct world *world = *state;
    struct setpay_digest before[16], after[16];
    struct test_party *party =
        test_party_new(world->pki, "visa", SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    size_t count = setpay_trust_thumbs(world->trust, false, before, 16);
    assert_int_equal(setpay_trust_add_ca(world->trust, setpay_buffer_view(&party->der)),
                     SETPAY_E_CERT_ROLE);
    expect(verify(world->trust, party, SETPAY_PROFILE_CARDHOLDER_SIGN, "visa", TEST_PKI_NOW_MS),
           SETPAY_OK, "verified");
    assert_int_equal(setpay_trust_add_ca(world->trust, setpay_buffer_view(&party->der)),
                     SETPAY_E_CERT_ROLE);
    assert_int_equal(setpay_trust_thumbs(world->trust, false, after, 16), count);
    test_party_free(party);
}

static void the_chain_to_send_is_issuing_ca_then_brand(void **state)
{
    struct world *world = *state;
    struct setpay_certificate *cas[SETPAY_CHAIN_CAS];
    size_t count = 0;
    struct test_party *party =
        test_party_new(world->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop", NULL);
    assert_int_equal(setpay_trust_chain(world->trust, party->certificate, cas, &count), SETPAY_OK);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        assert_true(setpay_view_equal(setpay_certificate_der(cas[i]), party->chain[i]));
        setpay_certificate_unref(cas[i]);
    }
    test_party_free(party);
}

static void tls_peers_go_the_same_way(void **state)
{
    struct world *world = *state;
    struct setpay_certificate *certificate = NULL;
    struct test_party *party = test_party_new(
        world->pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_SERVER, "shop", "shop.example.org");
    STACK_OF(X509) *chain = sk_X509_new_null();
    sk_X509_push(chain, party->x509);
    sk_X509_push(chain, test_pki_ca(world->pki, "visa", SETPAY_CA_MERCHANT)->x509);
    sk_X509_push(chain, test_pki_ca(world->pki, "visa", SETPAY_CA_BRAND)->x509);
    assert_int_equal(setpay_trust_verify_peer(world->trust, party->x509, chain,
                                              SETPAY_PROFILE_MERCHANT_TLS_SERVER, NULL,
                                              TEST_PKI_NOW_MS, &certificate),
                     SETPAY_OK);
    /* rule W1 */
    assert_true(setpay_certificate_names_host(certificate, "SHOP.example.org"));
    assert_false(setpay_certificate_names_host(certificate, "shop"));
    assert_false(setpay_certificate_names_host(certificate, "example.org"));
    setpay_certificate_unref(certificate);
    certificate = NULL;
    /* a resumed session has no chain any more */
    assert_int_equal(setpay_trust_verify_peer(world->trust, party->x509, NULL,
                                              SETPAY_PROFILE_MERCHANT_TLS_SERVER, NULL,
                                              TEST_PKI_NOW_MS, &certificate),
                     SETPAY_OK);
    setpay_certificate_unref(certificate);
    certificate = NULL;
    assert_int_equal(setpay_trust_verify_peer(world->trust, party->x509, chain,
                                              SETPAY_PROFILE_GATEWAY_TLS_SERVER, NULL,
                                              TEST_PKI_NOW_MS, &certificate),
                     SETPAY_E_CERT_ROLE);
    assert_int_equal(setpay_trust_verify_peer(world->trust, NULL, NULL,
                                              SETPAY_PROFILE_GATEWAY_TLS_SERVER, NULL,
                                              TEST_PKI_NOW_MS, &certificate),
                     SETPAY_E_CERT_MISSING);
    sk_X509_free(chain);
    test_party_free(party);
}

static void same_party_is_brand_role_and_id(void **state)
{
    struct world *world = *state;
    struct test_party *parties[] = {
        test_party_new(world->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop", NULL),
        test_party_new(world->pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, "shop", NULL),
        test_party_new(world->pki, "maestro", SETPAY_PROFILE_MERCHANT_SIGN, "shop", NULL),
        test_party_new(world->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop2", NULL),
        test_party_new(world->pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "shop", NULL),
    };
    for (size_t i = 1; i < 5; i++)
        assert_true(setpay_certificate_same_party(parties[0]->certificate,
                                                  parties[i]->certificate) == (i == 1));
    for (size_t i = 0; i < 5; i++)
        test_party_free(parties[i]);
}

struct job {
    struct world *world;
    struct test_party *party;
};

static void *verify_often(void *arg)
{
    struct job *job = arg;
    intptr_t failures = 0;
    for (int i = 0; i < 300; i++) {
        if (verify(job->world->trust, job->party, SETPAY_PROFILE_CARDHOLDER_SIGN, NULL,
                   TEST_PKI_NOW_MS) != SETPAY_OK)
            failures++;
    }
    return (void *)failures;
}

static void threads_verify_while_crls_arrive(void **state)
{
    struct job job = {*state, NULL};
    pthread_t threads[4];
    job.party = test_party_new(job.world->pki, "visa", SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, &job), 0);
    for (int i = 0; i < 10; i++)
        test_pki_refresh_crls(job.world->pki, job.world->trust, TEST_PKI_NOW_MS);
    for (size_t i = 0; i < 4; i++) {
        void *failures = NULL;
        assert_int_equal(pthread_join(threads[i], &failures), 0);
        assert_null(failures);
    }
    test_party_free(job.party);
}

/* The first contact: lists may be missing or stale, and nothing else may be wrong. */
static void without_lists_all_else_is_judged(void **state)
{
    struct world *world = *state;
    const enum setpay_profile profile = SETPAY_PROFILE_CA_TLS_SERVER;
    static const struct {
        enum test_pki_defect defect;
        enum setpay_error error;
    } rows[] = {
        {TEST_PKI_GOOD, SETPAY_OK},
        {TEST_PKI_EXPIRED, SETPAY_E_CERT_TIME},
        {TEST_PKI_NOT_YET_VALID, SETPAY_E_CERT_TIME},
        {TEST_PKI_FORGED, SETPAY_E_CERT_CHAIN},
        {TEST_PKI_OTHER_BRAND, SETPAY_E_CERT_NAME},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct setpay_trust *trust = NULL;
        struct setpay_certificate *certificate = NULL;
        struct test_party *party =
            test_party_new_defective(world->pki, "visa", profile, "authority", rows[i].defect);
        struct setpay_view leaf = setpay_buffer_view(&party->der);
        assert_int_equal(setpay_trust_new(setpay_buffer_view(&world->pki->root.der), &trust),
                         SETPAY_OK);
        expect(setpay_trust_verify_unlisted(trust, leaf, party->chain, SETPAY_CHAIN_CAS, profile,
                                            NULL, TEST_PKI_NOW_MS, &certificate),
               rows[i].error, "without lists");
        setpay_certificate_unref(certificate);
        /* And nothing that was passed over is believed later. */
        if (rows[i].error == SETPAY_OK)
            expect(verify(trust, party, profile, NULL, TEST_PKI_NOW_MS), SETPAY_E_CRL_MISSING,
                   "in full");
        setpay_trust_free(trust);
        test_party_free(party);
    }
}

static void lists_that_are_held_count_even_when_stale(void **state)
{
    struct world *world = *state;
    const enum setpay_profile profile = SETPAY_PROFILE_CA_TLS_SERVER;
    const int64_t later_ms = TEST_PKI_NOW_MS + 7 * SETPAY_DAY_MS;
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct test_party *good = test_party_new(pki, "visa", profile, "authority", NULL);
    struct test_party *revoked = test_party_new(pki, "visa", profile, "authority", NULL);
    struct setpay_certificate *certificate = NULL;
    (void)world;
    test_pki_revoke(pki, revoked);
    struct setpay_trust *trust = test_pki_trust(pki);
    expect(verify(trust, good, profile, NULL, later_ms), SETPAY_E_CRL_STALE, "in full");
    expect(setpay_trust_verify_unlisted(trust, setpay_buffer_view(&good->der), good->chain,
                                        SETPAY_CHAIN_CAS, profile, NULL, later_ms, &certificate),
           SETPAY_OK, "a stale list");
    setpay_certificate_unref(certificate);
    expect(setpay_trust_verify_unlisted(trust, setpay_buffer_view(&revoked->der), revoked->chain,
                                        SETPAY_CHAIN_CAS, profile, NULL, later_ms, &certificate),
           SETPAY_E_CERT_REVOKED, "named by a stale list");
    setpay_trust_free(trust);
    test_party_free(good);
    test_party_free(revoked);
    test_pki_free(pki);
}

/* Independent tools must be able to check a chain, with no extra flags. */
static void openssl_verify_accepts_every_profile(void **state)
{
    struct world *world = *state;
    char dir[] = "/tmp/test_chain.XXXXXX", command[512], path[128];
    assert_non_null(mkdtemp(dir));
    struct test_pki *pki = test_pki_new(setpay_clock_now_ms(), brands);
    (void)world;
    test_pki_write(pki, dir);
    for (int p = SETPAY_PROFILE_NONE + 1; p < SETPAY_PROFILES; p++) {
        enum setpay_profile profile = (enum setpay_profile)p;
        struct test_party *party = test_party_new(pki, "visa", profile, id_of(profile), NULL);
        (void)snprintf(path, sizeof(path), "%s/leaf", dir);
        test_party_write(party, path);
        (void)snprintf(command, sizeof(command),
                       "openssl verify -CAfile %s/root.pem -untrusted %s/leaf.pem %s/leaf.pem "
                       ">/dev/null",
                       dir, dir, dir);
        assert_int_equal(system(command), 0);
        (void)snprintf(command, sizeof(command),
                       "openssl verify -x509_strict -crl_check_all -CRLfile %s/crls.pem "
                       "-CAfile %s/root.pem -untrusted %s/leaf.pem %s/leaf.pem >/dev/null",
                       dir, dir, dir, dir);
        assert_int_equal(system(command), 0);
        test_party_free(party);
    }
    test_pki_free(pki);
    (void)snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_profile_is_believed_as_itself_alone),
        cmocka_unit_test(every_defect_of_a_leaf_has_its_error),
        cmocka_unit_test(a_proven_ca_excuses_no_leaf),
        cmocka_unit_test(a_proven_ca_speaks_for_itself_alone),
        cmocka_unit_test(every_defect_of_a_ca_has_its_error),
        cmocka_unit_test(a_ca_of_one_brand_does_not_issue_for_another),
        cmocka_unit_test(another_root_is_not_believed),
        cmocka_unit_test(all_that_was_kept_is_learned_again),
        cmocka_unit_test(a_ca_that_is_none_is_not_kept),
        cmocka_unit_test(who_has_lapsed_is_still_looked_up),
        cmocka_unit_test(a_twin_of_a_ca_is_not_another_ca),
        cmocka_unit_test(missing_issuers_are_named_so_and_learned_when_offered),
        cmocka_unit_test(known_leaves_need_only_their_thumbprint),
        cmocka_unit_test(a_kept_leaf_is_found_to_be_passed_on),
        cmocka_unit_test(a_leaf_is_no_ca_whether_known_or_not),
        cmocka_unit_test(the_chain_to_send_is_issuing_ca_then_brand),
        cmocka_unit_test(tls_peers_go_the_same_way),
        cmocka_unit_test(without_lists_all_else_is_judged),
        cmocka_unit_test(lists_that_are_held_count_even_when_stale),
        cmocka_unit_test(same_party_is_brand_role_and_id),
        cmocka_unit_test(threads_verify_while_crls_arrive),
        cmocka_unit_test(openssl_verify_accepts_every_profile),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
