/*
 * The throw-away PKI. It issues straight through OpenSSL and decides by itself what an extension
 * holds, so that a mistake in the code under test does not hide behind the same mistake here; only
 * the table of profiles is shared, since that is what both sides promise each other.
 */
#include "tests/support/test_pki.h"

#include "common/base/limits.h"
#include "common/crypto/hash.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ACCOUNT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void need(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "test_pki: failed: %s\n", what);
    abort();
}

#define NEED(condition) need((condition), #condition)

/* ------------------------------------------------------------------ certificates */

/* All that one certificate is made from. */
struct plan {
    const char *o, *ou, *cn;
    int type;
    const char *key_usage;
    char eku[256];
    const char *basic_constraints;
    const char *alt_names;
    int64_t not_before_ms, not_after_ms;
    uint64_t serial;
};

static void add_rdn(X509_NAME *name, int nid, const char *text)
{
    NEED(X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)text, -1, -1,
                                    0) == 1);
}

static void add_text(X509 *x509, X509 *issuer, int nid, const char *text)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, text);
    NEED(extension != NULL);
    NEED(X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* A critical nameConstraints: permitted directory O=brand; excluded all DNS and or all IP names. */
static void add_name_constraints(X509 *x509, const char *brand, bool no_dns, bool no_ip)
{
    NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();
    constraints->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
    GENERAL_SUBTREE *tree = GENERAL_SUBTREE_new();
    X509_NAME *name = X509_NAME_new();
    add_rdn(name, NID_organizationName, brand);
    GENERAL_NAME_set0_value(tree->base, GEN_DIRNAME, name);
    NEED(sk_GENERAL_SUBTREE_push(constraints->permittedSubtrees, tree) > 0);
    if (no_dns || no_ip)
        constraints->excludedSubtrees = sk_GENERAL_SUBTREE_new_null();
    if (no_dns) {
        tree = GENERAL_SUBTREE_new();
        ASN1_IA5STRING *all = ASN1_IA5STRING_new();
        NEED(ASN1_STRING_set(all, "", 0) == 1);
        GENERAL_NAME_set0_value(tree->base, GEN_DNS, all);
        NEED(sk_GENERAL_SUBTREE_push(constraints->excludedSubtrees, tree) > 0);
    }
    static const uint8_t everything[32];
    for (int size = 8; no_ip && size <= 32; size *= 4) {
        tree = GENERAL_SUBTREE_new();
        ASN1_OCTET_STRING *all = ASN1_OCTET_STRING_new();
        NEED(ASN1_OCTET_STRING_set(all, everything, size) == 1);
        GENERAL_NAME_set0_value(tree->base, GEN_IPADD, all);
        NEED(sk_GENERAL_SUBTREE_push(constraints->excludedSubtrees, tree) > 0);
    }
    NEED(X509_add1_ext_i2d(x509, NID_name_constraints, constraints, 1, 0) == 1);
    NAME_CONSTRAINTS_free(constraints);
}

static void add_type(X509 *x509, int type, bool second)
{
    unsigned char *der = NULL;
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    NEED(ASN1_BIT_STRING_set_bit(bits, type, 1) == 1);
    if (second)
        NEED(ASN1_BIT_STRING_set_bit(bits, type == 0 ? 1 : 0, 1) == 1);
    int size = i2d_ASN1_BIT_STRING(bits, &der);
    NEED(size > 0);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    NEED(ASN1_OCTET_STRING_set(value, der, size) == 1);
    ASN1_OBJECT *oid = OBJ_txt2obj("2.23.42.7.1", 1);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    NEED(X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
    ASN1_OBJECT_free(oid);
    ASN1_OCTET_STRING_free(value);
    ASN1_BIT_STRING_free(bits);
    OPENSSL_free(der);
}

static void add_unknown_critical(X509 *x509)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("2.25.1.2.3", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    NEED(ASN1_OCTET_STRING_set(value, (const unsigned char *)"\5\0", 2) == 1);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    NEED(X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
    ASN1_OBJECT_free(oid);
    ASN1_OCTET_STRING_free(value);
}

static EVP_PKEY *make_key(enum test_pki_defect defect)
{
    EVP_PKEY *key = defect == TEST_PKI_RSA           ? EVP_RSA_gen(2048)
                    : defect == TEST_PKI_OTHER_CURVE ? EVP_EC_gen("P-384")
                                                     : EVP_EC_gen("P-256");
    NEED(key != NULL);
    return key;
}

/* Applies what a defect changes in the plan. */
static void spoil(struct plan *plan, enum test_pki_defect defect, int64_t now_ms)
{
    switch (defect) {
    case TEST_PKI_EXPIRED:
        plan->not_before_ms = now_ms - 3 * SETPAY_DAY_MS;
        plan->not_after_ms = now_ms - SETPAY_MINUTE_MS;
        break;
    case TEST_PKI_NOT_YET_VALID:
        plan->not_before_ms = now_ms + SETPAY_HOUR_MS;
        break;
    case TEST_PKI_TOO_LONG_LIFE:
        plan->not_after_ms = now_ms + 40 * 366 * SETPAY_DAY_MS;
        break;
    case TEST_PKI_NO_TYPE:
        plan->type = -1;
        break;
    case TEST_PKI_OTHER_TYPE:
        plan->type =
            plan->type == SETPAY_TYPE_MERCHANT ? SETPAY_TYPE_GATEWAY : SETPAY_TYPE_MERCHANT;
        break;
    case TEST_PKI_NO_KEY_USAGE:
        plan->key_usage = NULL;
        break;
    case TEST_PKI_OTHER_KEY_USAGE:
        plan->key_usage = "critical,keyEncipherment";
        break;
    case TEST_PKI_NO_EKU:
        plan->eku[0] = '\0';
        break;
    case TEST_PKI_OTHER_EKU:
        (void)snprintf(plan->eku, sizeof(plan->eku), "codeSigning");
        break;
    case TEST_PKI_EXTRA_EKU:
        (void)strncat(plan->eku, ",emailProtection", sizeof(plan->eku) - strlen(plan->eku) - 1);
        break;
    case TEST_PKI_NO_BASIC_CONSTRAINTS:
        plan->basic_constraints = NULL;
        break;
    case TEST_PKI_LEAF_IS_CA:
        plan->basic_constraints = "critical,CA:TRUE";
        break;
    case TEST_PKI_OTHER_BRAND:
        plan->o = "otherbrand";
        break;
    case TEST_PKI_DOT_IN_CN:
        plan->cn = "shop.example";
        break;
    case TEST_PKI_BAD_ID:
        plan->cn = "a shop";
        break;
    case TEST_PKI_DNS_NAME:
        plan->alt_names = "DNS:localhost";
        break;
    case TEST_PKI_IP_NAME:
        plan->alt_names = "IP:192.0.2.1";
        break;
    case TEST_PKI_WILDCARD:
        plan->alt_names = "DNS:*.example.com";
        break;
    default:
        break;
    }
}

static void set_time(ASN1_TIME *to, int64_t time_ms)
{
    NEED(ASN1_TIME_adj(to, (time_t)(time_ms / 1000), 0, 0) != NULL);
}

/* Makes the certificate; issuer NULL: self-signed. */
static X509 *make_certificate(const struct plan *plan, EVP_PKEY *key,
                              const struct test_pki_ca *issuer, enum setpay_ca_kind kind,
                              enum test_pki_defect defect)
{
    X509 *x509 = X509_new();
    X509 *above = issuer == NULL ? x509 : issuer->x509;
    NEED(X509_set_version(x509, X509_VERSION_3) == 1);
    NEED(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), plan->serial) == 1);
    set_time(X509_getm_notBefore(x509), plan->not_before_ms);
    set_time(X509_getm_notAfter(x509), plan->not_after_ms);
    X509_NAME *subject = X509_get_subject_name(x509);
    add_rdn(subject, NID_organizationName, plan->o);
    add_rdn(subject, NID_organizationalUnitName, plan->ou);
    add_rdn(subject, NID_commonName, plan->cn);
    if (defect == TEST_PKI_EXTRA_RDN)
        add_rdn(subject, NID_commonName, "second");
    NEED(X509_set_issuer_name(x509, X509_get_subject_name(above)) == 1);
    NEED(X509_set_pubkey(x509, key) == 1);
    if (plan->basic_constraints != NULL)
        add_text(x509, above, NID_basic_constraints, plan->basic_constraints);
    if (plan->key_usage != NULL)
        add_text(x509, above, NID_key_usage, plan->key_usage);
    if (plan->eku[0] != '\0')
        add_text(x509, above, NID_ext_key_usage, plan->eku);
    if (plan->alt_names != NULL)
        add_text(x509, above, NID_subject_alt_name, plan->alt_names);
    add_text(x509, above, NID_subject_key_identifier, "hash");
    if (issuer != NULL)
        add_text(x509, above, NID_authority_key_identifier, "keyid:always");
    if (plan->type >= 0)
        add_type(x509, plan->type, defect == TEST_PKI_TWO_TYPES);
    if (kind == SETPAY_CA_BRAND)
        add_name_constraints(x509, plan->o, false, false);
    else if (kind != SETPAY_CA_NONE && kind != SETPAY_CA_ROOT)
        add_name_constraints(x509, plan->o, kind != SETPAY_CA_MERCHANT, true);
    if (defect == TEST_PKI_UNKNOWN_CRITICAL)
        add_unknown_critical(x509);
    EVP_PKEY *stranger = defect == TEST_PKI_FORGED ? EVP_EC_gen("P-256") : NULL;
    EVP_PKEY *signer = stranger != NULL ? stranger : issuer == NULL ? key : issuer->key;
    NEED(X509_sign(x509, signer, EVP_sha256()) > 0);
    EVP_PKEY_free(stranger);
    return x509;
}

static void keep_der(X509 *x509, struct setpay_buffer *der)
{
    unsigned char *bytes = NULL;
    int size = i2d_X509(x509, &bytes);
    NEED(size > 0);
    setpay_buffer_init(der, 64 * 1024);
    NEED(setpay_buffer_set(der, setpay_view_of(bytes, (size_t)size)) == SETPAY_OK);
    OPENSSL_free(bytes);
}

static void make_ca(struct test_pki *pki, struct test_pki_ca *ca, const char *o,
                    enum setpay_ca_kind kind, const struct test_pki_ca *issuer,
                    enum test_pki_defect defect)
{
    const struct setpay_ca_info *info = setpay_ca_info(kind);
    char basic[64], cn[40];
    (void)snprintf(basic, sizeof(basic), "critical,CA:TRUE,pathlen:%d", info->path_length);
    (void)snprintf(cn, sizeof(cn), "%s-1", info->name);
    struct plan plan = {
        .o = o,
        .ou = info->role,
        .cn = cn,
        .type = (int)info->type,
        .key_usage = "critical,keyCertSign,cRLSign",
        .basic_constraints = basic,
        .not_before_ms = pki->now_ms - 365 * SETPAY_DAY_MS,
        .not_after_ms = pki->now_ms + 365 * 5 * SETPAY_DAY_MS,
        .serial = pki->next_serial++,
    };
    spoil(&plan, defect, pki->now_ms);
    ca->key = make_key(defect);
    ca->x509 = make_certificate(&plan, ca->key, issuer, kind, defect);
    ca->crl_number = 1;
    keep_der(ca->x509, &ca->der);
}

static void free_ca(struct test_pki_ca *ca)
{
    EVP_PKEY_free(ca->key);
    X509_free(ca->x509);
    setpay_buffer_clear(&ca->der);
}

void test_pki_add_brand(struct test_pki *pki, const char *brand, enum setpay_ca_kind defective,
                        enum test_pki_defect defect)
{
    NEED(pki->brand_count < TEST_PKI_BRANDS);
    struct test_pki_brand *made = &pki->brands[pki->brand_count++];
    (void)snprintf(made->name, sizeof(made->name), "%s", brand);
    for (int k = SETPAY_CA_BRAND; k < SETPAY_CA_KINDS; k++)
        make_ca(pki, &made->ca[k], made->name, (enum setpay_ca_kind)k,
                k == SETPAY_CA_BRAND ? &pki->root : &made->ca[SETPAY_CA_BRAND],
                (int)defective == k ? defect : TEST_PKI_GOOD);
}

struct test_pki *test_pki_new(setpay_time_ms now_ms, const char *const *brand_names)
{
    struct test_pki *pki = calloc(1, sizeof(*pki));
    NEED(pki != NULL);
    pki->now_ms = now_ms;
    pki->next_serial = 1000;
    make_ca(pki, &pki->root, "setpay test root", SETPAY_CA_ROOT, NULL, TEST_PKI_GOOD);
    for (size_t i = 0; brand_names[i] != NULL; i++)
        test_pki_add_brand(pki, brand_names[i], SETPAY_CA_NONE, TEST_PKI_GOOD);
    return pki;
}

void test_pki_free(struct test_pki *pki)
{
    if (pki == NULL)
        return;
    free_ca(&pki->root);
    for (size_t i = 0; i < pki->brand_count; i++) {
        for (int k = SETPAY_CA_BRAND; k < SETPAY_CA_KINDS; k++)
            free_ca(&pki->brands[i].ca[k]);
    }
    free(pki);
}

struct test_pki_brand *test_pki_brand(struct test_pki *pki, const char *brand)
{
    for (size_t i = 0; i < pki->brand_count; i++) {
        if (strcmp(pki->brands[i].name, brand) == 0)
            return &pki->brands[i];
    }
    need(false, "the brand is known");
    return NULL;
}

struct test_pki_ca *test_pki_ca(struct test_pki *pki, const char *brand, enum setpay_ca_kind kind)
{
    return kind == SETPAY_CA_ROOT ? &pki->root : &test_pki_brand(pki, brand)->ca[kind];
}

/* ------------------------------------------------------------------ parties */

static const char *key_usage_of(enum setpay_profile profile)
{
    switch (profile) {
    case SETPAY_PROFILE_CARDHOLDER_SIGN:
        return "critical,digitalSignature,nonRepudiation";
    case SETPAY_PROFILE_GATEWAY_ENCRYPT:
        return "critical,keyAgreement";
    default:
        return "critical,digitalSignature";
    }
}

/* Another role's: the merchants' CA, which alone may name hosts, for all roles but its own. */
static enum setpay_ca_kind issuer_of(const struct setpay_profile_info *info,
                                     enum test_pki_defect defect)
{
    if (defect == TEST_PKI_WRONG_ISSUER)
        return SETPAY_CA_BRAND;
    if (defect == TEST_PKI_OTHER_ISSUER)
        return info->issuer == SETPAY_CA_MERCHANT ? SETPAY_CA_GATEWAY : SETPAY_CA_MERCHANT;
    return info->issuer;
}

static struct test_party *make_party(struct test_pki *pki, const char *brand,
                                     enum setpay_profile profile, const char *id, const char *host,
                                     EVP_PKEY *key, enum test_pki_defect defect)
{
    const struct setpay_profile_info *info = setpay_profile_info(profile);
    struct test_pki_brand *of = test_pki_brand(pki, brand);
    const struct test_pki_ca *brand_ca = &of->ca[SETPAY_CA_BRAND];
    enum setpay_ca_kind kind = issuer_of(info, defect);
    const struct test_pki_ca *issuer = &of->ca[kind];
    struct test_party *party = calloc(1, sizeof(*party));
    char names[300];
    NEED(party != NULL);
    struct plan plan = {
        .o = brand,
        .ou = info->role,
        .cn = id != NULL ? id : ACCOUNT,
        .type = (int)info->type,
        .key_usage = key_usage_of(profile),
        .not_before_ms = pki->now_ms - SETPAY_DAY_MS,
        .not_after_ms = pki->now_ms + 60 * SETPAY_DAY_MS,
        .serial = pki->next_serial++,
    };
    (void)snprintf(plan.eku, sizeof(plan.eku), "%s%s%s%s", info->eku_critical ? "critical," : "",
                   info->ekus[0], info->ekus[1] != NULL ? "," : "",
                   info->ekus[1] != NULL ? info->ekus[1] : "");
    if (info->dns_names) {
        (void)snprintf(names, sizeof(names), "DNS:%s", host != NULL ? host : "localhost");
        plan.alt_names = names;
    }
    spoil(&plan, defect, pki->now_ms);
    party->key = key != NULL && EVP_PKEY_up_ref(key) == 1 ? key : make_key(defect);
    party->x509 = make_certificate(&plan, party->key, issuer, SETPAY_CA_NONE, defect);
    party->serial = plan.serial;
    keep_der(party->x509, &party->der);
    NEED(setpay_sha256(setpay_buffer_view(&party->der), &party->thumbprint) == SETPAY_OK);
    if (key != NULL || setpay_signing_key_from_pkey(party->key, &party->signing_key) != SETPAY_OK)
        party->signing_key = NULL;
    if (setpay_certificate_parse(setpay_buffer_view(&party->der), &party->certificate) != SETPAY_OK)
        party->certificate = NULL;
    party->chain[0] =
        setpay_buffer_view(&of->ca[defect == TEST_PKI_OTHER_ISSUER ? kind : info->issuer].der);
    party->chain[1] = setpay_buffer_view(&brand_ca->der);
    return party;
}

struct test_party *test_party_new(struct test_pki *pki, const char *brand,
                                  enum setpay_profile profile, const char *id, const char *host)
{
    struct test_party *party = make_party(pki, brand, profile, id, host, NULL, TEST_PKI_GOOD);
    NEED(party->certificate != NULL);
    return party;
}

struct test_party *test_party_new_defective(struct test_pki *pki, const char *brand,
                                            enum setpay_profile profile, const char *id,
                                            enum test_pki_defect defect)
{
    return make_party(pki, brand, profile, id, NULL, NULL, defect);
}

struct test_party *test_party_new_for(struct test_pki *pki, const char *brand,
                                      enum setpay_profile profile, const char *id, EVP_PKEY *key)
{
    return make_party(pki, brand, profile, id, NULL, key, TEST_PKI_GOOD);
}

void test_party_free(struct test_party *party)
{
    if (party == NULL)
        return;
    setpay_signing_key_free(party->signing_key);
    setpay_certificate_unref(party->certificate);
    EVP_PKEY_free(party->key);
    X509_free(party->x509);
    setpay_buffer_clear(&party->der);
    free(party);
}

/* ------------------------------------------------------------------ revocation */

static void revoke(struct test_pki_ca *issuer, X509 *x509)
{
    NEED(issuer->revoked_count < TEST_PKI_REVOKED);
    uint64_t serial = 0;
    NEED(ASN1_INTEGER_get_uint64(&serial, X509_get0_serialNumber(x509)) == 1);
    issuer->revoked[issuer->revoked_count++] = serial;
}

static void revoke_by_name(struct test_pki *pki, X509 *x509)
{
    const X509_NAME *issuer = X509_get_issuer_name(x509);
    if (X509_NAME_cmp(issuer, X509_get_subject_name(pki->root.x509)) == 0) {
        revoke(&pki->root, x509);
        return;
    }
    for (size_t i = 0; i < pki->brand_count; i++) {
        for (int k = SETPAY_CA_BRAND; k < SETPAY_CA_KINDS; k++) {
            struct test_pki_ca *ca = &pki->brands[i].ca[k];
            if (X509_NAME_cmp(issuer, X509_get_subject_name(ca->x509)) == 0) {
                revoke(ca, x509);
                return;
            }
        }
    }
    need(false, "the issuer is known");
}

void test_pki_revoke(struct test_pki *pki, const struct test_party *party)
{
    revoke_by_name(pki, party->x509);
}

void test_pki_revoke_ca(struct test_pki *pki, const char *brand, enum setpay_ca_kind kind)
{
    revoke_by_name(pki, test_pki_ca(pki, brand, kind)->x509);
}

static void add_crl_text(X509_CRL *crl, X509 *issuer, int nid, const char *text)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, NULL, NULL, crl, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, text);
    NEED(extension != NULL);
    NEED(X509_CRL_add_ext(crl, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* The number of the next list, or what the defect makes of it. */
static uint64_t crl_number(struct test_pki_ca *ca, enum test_crl_defect defect)
{
    if (defect == TEST_CRL_SAME_NUMBER)
        return ca->crl_number;
    if (defect == TEST_CRL_OLDER_NUMBER)
        return ca->crl_number - 1;
    return ++ca->crl_number;
}

static void add_crl_extensions(X509_CRL *crl, struct test_pki_ca *ca, enum test_crl_defect defect)
{
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    NEED(ASN1_INTEGER_set_uint64(number, crl_number(ca, defect)) == 1);
    if (defect != TEST_CRL_NO_NUMBER)
        NEED(X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1);
    if (defect == TEST_CRL_DELTA)
        NEED(X509_CRL_add1_ext_i2d(crl, NID_delta_crl, number, 1, 0) == 1);
    ASN1_INTEGER_free(number);
    if (defect != TEST_CRL_NO_AKI)
        add_crl_text(crl, ca->x509, NID_authority_key_identifier, "keyid:always");
    if (defect == TEST_CRL_PARTIAL) {
        ISSUING_DIST_POINT *point = ISSUING_DIST_POINT_new();
        point->onlyuser = 0xff;
        NEED(X509_CRL_add1_ext_i2d(crl, NID_issuing_distribution_point, point, 1, 0) == 1);
        ISSUING_DIST_POINT_free(point);
    }
}

void test_pki_crl(struct test_pki *pki, const char *brand, enum setpay_ca_kind kind,
                  setpay_time_ms now_ms, enum test_crl_defect defect, struct setpay_buffer *der)
{
    struct test_pki_ca *ca = test_pki_ca(pki, brand, kind);
    int64_t from = now_ms - SETPAY_HOUR_MS, until = now_ms + 22 * SETPAY_HOUR_MS;
    if (defect == TEST_CRL_STALE)
        until = now_ms - SETPAY_MINUTE_MS;
    if (defect == TEST_CRL_FUTURE)
        from = now_ms + SETPAY_HOUR_MS;
    if (defect == TEST_CRL_LONG_LIFE)
        until = now_ms + 730 * SETPAY_DAY_MS;
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *time = ASN1_TIME_new();
    NEED(X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1);
    NEED(X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->x509)) == 1);
    set_time(time, from);
    NEED(X509_CRL_set1_lastUpdate(crl, time) == 1);
    set_time(time, until);
    NEED(X509_CRL_set1_nextUpdate(crl, time) == 1);
    set_time(time, from);
    for (size_t i = 0; i < ca->revoked_count; i++) {
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        NEED(ASN1_INTEGER_set_uint64(serial, ca->revoked[i]) == 1);
        NEED(X509_REVOKED_set_serialNumber(entry, serial) == 1);
        NEED(X509_REVOKED_set_revocationDate(entry, time) == 1);
        NEED(X509_CRL_add0_revoked(crl, entry) == 1);
        ASN1_INTEGER_free(serial);
    }
    ASN1_TIME_free(time);
    add_crl_extensions(crl, ca, defect);
    EVP_PKEY *stranger = defect == TEST_CRL_FORGED ? EVP_EC_gen("P-256") : NULL;
    NEED(X509_CRL_sort(crl) == 1);
    NEED(X509_CRL_sign(crl, stranger != NULL ? stranger : ca->key, EVP_sha256()) > 0);
    EVP_PKEY_free(stranger);
    unsigned char *bytes = NULL;
    int size = i2d_X509_CRL(crl, &bytes);
    NEED(size > 0);
    NEED(setpay_buffer_set(der, setpay_view_of(bytes, (size_t)size)) == SETPAY_OK);
    OPENSSL_free(bytes);
    X509_CRL_free(crl);
}

/* ------------------------------------------------------------------ trust and files */

static void add_crl(struct test_pki *pki, struct setpay_trust *trust, const char *brand,
                    enum setpay_ca_kind kind, setpay_time_ms now_ms)
{
    struct setpay_buffer der;
    setpay_buffer_init(&der, SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(pki, brand, kind, now_ms, TEST_CRL_GOOD, &der);
    NEED(setpay_trust_add_crl(trust, setpay_buffer_view(&der), now_ms) == SETPAY_OK);
    setpay_buffer_clear(&der);
}

void test_pki_refresh_crls(struct test_pki *pki, struct setpay_trust *trust, setpay_time_ms now_ms)
{
    add_crl(pki, trust, NULL, SETPAY_CA_ROOT, now_ms);
    for (size_t i = 0; i < pki->brand_count; i++) {
        for (int k = SETPAY_CA_BRAND; k < SETPAY_CA_KINDS; k++)
            add_crl(pki, trust, pki->brands[i].name, (enum setpay_ca_kind)k, now_ms);
    }
}

struct setpay_trust *test_pki_trust(struct test_pki *pki)
{
    struct setpay_trust *trust = NULL;
    NEED(setpay_trust_new(setpay_buffer_view(&pki->root.der), &trust) == SETPAY_OK);
    for (size_t i = 0; i < pki->brand_count; i++) {
        for (int k = SETPAY_CA_BRAND; k < SETPAY_CA_KINDS; k++)
            NEED(setpay_trust_add_ca(trust, setpay_buffer_view(&pki->brands[i].ca[k].der)) ==
                 SETPAY_OK);
    }
    test_pki_refresh_crls(pki, trust, pki->now_ms);
    return trust;
}

static FILE *open_in(const char *dir, const char *name, const char *suffix)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s%s%s%s", dir, *dir != '\0' ? "/" : "", name, suffix);
    FILE *file = fopen(path, "w");
    NEED(file != NULL);
    return file;
}

static void write_crl(struct test_pki *pki, const char *brand, enum setpay_ca_kind kind, FILE *file)
{
    struct setpay_buffer der;
    setpay_buffer_init(&der, SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(pki, brand, kind, pki->now_ms, TEST_CRL_GOOD, &der);
    const unsigned char *at = der.data;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.size);
    NEED(PEM_write_X509_CRL(file, crl) == 1);
    X509_CRL_free(crl);
    setpay_buffer_clear(&der);
}

void test_pki_write(struct test_pki *pki, const char *dir)
{
    FILE *root = open_in(dir, "root", ".pem"), *all = open_in(dir, "cas", ".pem");
    FILE *crls = open_in(dir, "crls", ".pem");
    NEED(PEM_write_X509(root, pki->root.x509) == 1);
    write_crl(pki, NULL, SETPAY_CA_ROOT, crls);
    for (size_t i = 0; i < pki->brand_count; i++) {
        FILE *of = open_in(dir, pki->brands[i].name, "-ca.pem");
        for (int k = SETPAY_CA_BRAND; k < SETPAY_CA_KINDS; k++) {
            NEED(PEM_write_X509(of, pki->brands[i].ca[k].x509) == 1);
            NEED(PEM_write_X509(all, pki->brands[i].ca[k].x509) == 1);
            write_crl(pki, pki->brands[i].name, (enum setpay_ca_kind)k, crls);
        }
        NEED(fclose(of) == 0);
    }
    NEED(fclose(root) == 0 && fclose(all) == 0 && fclose(crls) == 0);
}

void test_party_write(const struct test_party *party, const char *path)
{
    FILE *chain = open_in("", path, ".pem");
    NEED(PEM_write_X509(chain, party->x509) == 1);
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++) {
        const unsigned char *at = party->chain[i].data;
        X509 *x509 = d2i_X509(NULL, &at, (long)party->chain[i].size);
        NEED(x509 != NULL && PEM_write_X509(chain, x509) == 1);
        X509_free(x509);
    }
    NEED(fclose(chain) == 0);
    mode_t old = umask(077);
    FILE *key = open_in("", path, ".key");
    (void)umask(old);
    NEED(PEM_write_PKCS8PrivateKey(key, party->key, NULL, NULL, 0, NULL, NULL) == 1);
    NEED(fclose(key) == 0);
}
