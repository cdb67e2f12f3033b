/*
 * Parsing certificates into what the rest of the system asks of them.
 *
 * What always holds: a certificate that parses is one DER structure without bytes behind it, is v3
 * on P-256, has no extension twice, and fits exactly one row of role.h in type, OU, key usages and
 * basic constraints. So a signing certificate can't pass for one of TLS, nor a leaf for a CA.
 * The object never changes after parsing; threads share it by an atomic count.
 */
#include "common/pki/certificate.h"

#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define HOSTS_MAX 8
#define HOST_SIZE 254

struct setpay_certificate {
    atomic_uint references;
    X509 *x509;
    struct setpay_public_key *key;
    struct setpay_buffer der;
    struct setpay_digest thumbprint;
    enum setpay_profile profile;
    enum setpay_ca_kind ca_kind;
    char brand[SETPAY_BRAND_MAX + 1];
    char role[SETPAY_PARTY_ID_MAX + 1];
    char id[SETPAY_PARTY_ID_MAX + 1];
    setpay_time_ms not_before_ms;
    setpay_time_ms not_after_ms;
    size_t host_count;
    char (*hosts)[HOST_SIZE];
};

/* ------------------------------------------------------------------ parts */

static bool time_ms(const ASN1_TIME *from, setpay_time_ms *to)
{
    struct tm parts;
    if (from == NULL || ASN1_TIME_to_tm(from, &parts) != 1)
        return false;
    *to = (setpay_time_ms)timegm(&parts) * 1000;
    return true;
}

/* The text of one RDN of exactly that kind, at that place, with one value. */
static bool rdn_text(const X509_NAME *name, int at, int nid, char *out, size_t room)
{
    const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, at);
    if (entry == NULL || X509_NAME_ENTRY_set(entry) != at ||
        OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) != nid)
        return false;
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
    int kind = ASN1_STRING_type(value), size = ASN1_STRING_length(value);
    if ((kind != V_ASN1_UTF8STRING && kind != V_ASN1_PRINTABLESTRING) || size <= 0 ||
        (size_t)size >= room)
        return false;
    struct setpay_view text = setpay_view_of(ASN1_STRING_get0_data(value), (size_t)size);
    if (!setpay_text_is_utf8(text))
        return false;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

/* The subject: exactly O, OU, CN. */
static enum setpay_error parse_subject(struct setpay_certificate *made, bool root)
{
    const X509_NAME *name = X509_get_subject_name(made->x509);
    char organisation[SETPAY_PARTY_ID_MAX + 1];
    if (X509_NAME_entry_count(name) != 3 ||
        !rdn_text(name, 0, NID_organizationName, organisation, sizeof(organisation)) ||
        !rdn_text(name, 1, NID_organizationalUnitName, made->role, sizeof(made->role)) ||
        !rdn_text(name, 2, NID_commonName, made->id, sizeof(made->id)))
        return SETPAY_E_CERT_NAME;
    if (root)
        return SETPAY_OK;
    if (!setpay_brand_is_valid(organisation))
        return SETPAY_E_CERT_NAME;
    memcpy(made->brand, organisation, strlen(organisation) + 1);
    return SETPAY_OK;
}

/* True where the certificate has that extension, critical as said. */
static bool has_extension(const X509 *x509, int nid, bool critical)
{
    int at = X509_get_ext_by_NID(x509, nid, -1);
    return at >= 0 && (X509_EXTENSION_get_critical(X509_get_ext(x509, at)) != 0) == critical;
}

static bool no_extension_twice(const X509 *x509)
{
    for (int i = 0; i < X509_get_ext_count(x509); i++) {
        const ASN1_OBJECT *oid = X509_EXTENSION_get_object(X509_get_ext(x509, i));
        if (X509_get_ext_by_OBJ(x509, oid, i) >= 0)
            return false;
    }
    return true;
}

/* The extended key usages are exactly those of the profile. */
static bool ekus_are(const EXTENDED_KEY_USAGE *found, const struct setpay_profile_info *info)
{
    int expected = 0;
    for (int i = 0; i < SETPAY_PROFILE_EKUS && info->ekus[i] != NULL; i++)
        expected++;
    if (sk_ASN1_OBJECT_num(found) != expected)
        return false;
    for (int i = 0; i < expected; i++) {
        bool there = false;
        for (int k = 0; k < expected; k++) {
            char oid[96];
            int length = OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(found, k), 1);
            if (length > 0 && (size_t)length < sizeof(oid) && strcmp(oid, info->ekus[i]) == 0)
                there = true;
        }
        if (!there)
            return false;
    }
    return true;
}

/* Finds the leaf's profile among those of its type and role. */
static enum setpay_error find_profile(struct setpay_certificate *made, enum setpay_type_bit type)
{
    bool known_role = false;
    EXTENDED_KEY_USAGE *ekus = X509_get_ext_d2i(made->x509, NID_ext_key_usage, NULL, NULL);
    for (int p = SETPAY_PROFILE_NONE + 1; p < SETPAY_PROFILES; p++) {
        const struct setpay_profile_info *info = setpay_profile_info((enum setpay_profile)p);
        if (info->type != type || strcmp(info->role, made->role) != 0)
            continue;
        known_role = true;
        if (ekus != NULL && X509_get_key_usage(made->x509) == info->key_usage &&
            has_extension(made->x509, NID_key_usage, true) &&
            has_extension(made->x509, NID_ext_key_usage, info->eku_critical) &&
            ekus_are(ekus, info))
            made->profile = info->profile;
    }
    EXTENDED_KEY_USAGE_free(ekus);
    if (!known_role)
        return SETPAY_E_CERT_ROLE;
    if ((X509_get_extension_flags(made->x509) & EXFLAG_CA) != 0)
        return SETPAY_E_CERT_USAGE;
    return made->profile == SETPAY_PROFILE_NONE ? SETPAY_E_CERT_USAGE : SETPAY_OK;
}

static enum setpay_error check_ca(struct setpay_certificate *made, enum setpay_type_bit type)
{
    for (int k = SETPAY_CA_NONE + 1; k < SETPAY_CA_KINDS; k++) {
        const struct setpay_ca_info *info = setpay_ca_info((enum setpay_ca_kind)k);
        if (info->type != type)
            continue;
        if (strcmp(info->role, made->role) != 0)
            return SETPAY_E_CERT_ROLE;
        if ((X509_get_extension_flags(made->x509) & EXFLAG_CA) == 0 ||
            !has_extension(made->x509, NID_basic_constraints, true) ||
            X509_get_pathlen(made->x509) != info->path_length ||
            !has_extension(made->x509, NID_key_usage, true) ||
            X509_get_key_usage(made->x509) != SETPAY_CA_KEY_USAGE ||
            X509_get_ext_by_NID(made->x509, NID_ext_key_usage, -1) >= 0)
            return SETPAY_E_CERT_USAGE;
        made->ca_kind = info->kind;
        return SETPAY_OK;
    }
    return SETPAY_E_CERT_ROLE;
}

/* The dNSNames of a profile that has them; no other names, and none for other profiles. */
static enum setpay_error parse_hosts(struct setpay_certificate *made, bool wanted)
{
    enum setpay_error error = SETPAY_E_CERT_NAME;
    if (X509_get_ext_by_NID(made->x509, NID_issuer_alt_name, -1) >= 0)
        return SETPAY_E_CERT_NAME;
    if (!wanted)
        return X509_get_ext_by_NID(made->x509, NID_subject_alt_name, -1) >= 0 ? SETPAY_E_CERT_NAME
                                                                              : SETPAY_OK;
    GENERAL_NAMES *names = X509_get_ext_d2i(made->x509, NID_subject_alt_name, NULL, NULL);
    int count = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
    if (count < 1 || count > HOSTS_MAX)
        goto out;
    made->hosts = calloc((size_t)count, sizeof(*made->hosts));
    if (made->hosts == NULL) {
        error = SETPAY_E_NOMEM;
        goto out;
    }
    for (int i = 0; i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            goto out;
        size_t size = (size_t)ASN1_STRING_length(name->d.dNSName);
        const unsigned char *text = ASN1_STRING_get0_data(name->d.dNSName);
        if (size >= HOST_SIZE || memchr(text, '\0', size) != NULL)
            goto out;
        memcpy(made->hosts[i], text, size);
        if (!setpay_host_is_valid(made->hosts[i]))
            goto out;
        made->host_count++;
    }
    error = SETPAY_OK;
out:
    GENERAL_NAMES_free(names);
    return error;
}

/* ids: no dot in a CN, so that no TLS library takes it for a host (rule A3) */
static bool id_is_valid(const struct setpay_certificate *made)
{
    if (made->ca_kind == SETPAY_CA_ROOT)
        return true;
    if (made->profile == SETPAY_PROFILE_CARDHOLDER_SIGN)
        return setpay_account_text_is_valid(made->id);
    return setpay_party_id_is_valid(made->id);
}

/* ------------------------------------------------------------------ the whole */

/* The bytes become an X509 of the right algorithms. */
static enum setpay_error parse_x509(struct setpay_certificate *made, struct setpay_view der)
{
    if (der.size == 0 || der.size > SETPAY_LIMIT_CERTIFICATE_BYTES)
        return SETPAY_E_CERT_MALFORMED;
    const unsigned char *at = der.data;
    made->x509 = d2i_X509(NULL, &at, (long)der.size);
    if (made->x509 == NULL || at != der.data + der.size)
        return SETPAY_E_CERT_MALFORMED;
    /* One certificate, one form: otherwise the same one could have many thumbprints. */
    unsigned char *again = NULL;
    int size = i2d_X509(made->x509, &again);
    bool same = size > 0 && setpay_view_equal(der, setpay_view_of(again, (size_t)size));
    OPENSSL_free(again);
    if (!same || X509_get_version(made->x509) != X509_VERSION_3 ||
        X509_get_signature_nid(made->x509) != NID_ecdsa_with_SHA256 ||
        !no_extension_twice(made->x509) ||
        (X509_get_extension_flags(made->x509) & EXFLAG_INVALID) != 0)
        return SETPAY_E_CERT_MALFORMED;
    SETPAY_TRY(setpay_public_key_from_pkey(X509_get0_pubkey(made->x509), &made->key));
    SETPAY_TRY(setpay_sha256(der, &made->thumbprint));
    setpay_buffer_init(&made->der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    SETPAY_TRY(setpay_buffer_set(&made->der, der));
    if (!time_ms(X509_get0_notBefore(made->x509), &made->not_before_ms) ||
        !time_ms(X509_get0_notAfter(made->x509), &made->not_after_ms))
        return SETPAY_E_CERT_MALFORMED;
    return SETPAY_OK;
}

static enum setpay_error parse(struct setpay_certificate *made, struct setpay_view der)
{
    enum setpay_type_bit type;
    SETPAY_TRY(parse_x509(made, der));
    SETPAY_TRY(setpay_type_extension_read(made->x509, &type));
    SETPAY_TRY(parse_subject(made, type == SETPAY_TYPE_RCA));
    /* A leaf with a CA's type is told from the CA by its role. */
    const struct setpay_profile_info *server = setpay_profile_info(SETPAY_PROFILE_CA_TLS_SERVER);
    bool leaf = type == SETPAY_TYPE_CARD || type == SETPAY_TYPE_MERCHANT ||
                type == SETPAY_TYPE_GATEWAY ||
                (type == server->type && strcmp(made->role, server->role) == 0);
    if (leaf)
        SETPAY_TRY(find_profile(made, type));
    else
        SETPAY_TRY(check_ca(made, type));
    if ((X509_get_extension_flags(made->x509) & EXFLAG_CRITICAL) != 0)
        return SETPAY_E_CERT_USAGE;
    const struct setpay_profile_info *profile = setpay_profile_info(made->profile);
    SETPAY_TRY(parse_hosts(made, leaf && profile->dns_names));
    if (!id_is_valid(made))
        return SETPAY_E_CERT_NAME;
    int days = leaf ? profile->max_days : setpay_ca_info(made->ca_kind)->max_days;
    if (made->not_after_ms < made->not_before_ms ||
        made->not_after_ms - made->not_before_ms > days * SETPAY_DAY_MS)
        return SETPAY_E_CERT_TIME;
    return SETPAY_OK;
}

enum setpay_error setpay_certificate_parse(struct setpay_view der,
                                           struct setpay_certificate **certificate)
{
    struct setpay_certificate *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    atomic_init(&made->references, 1);
    enum setpay_error error = parse(made, der);
    if (error != SETPAY_OK) {
        setpay_certificate_unref(made);
        ERR_clear_error();
        return error;
    }
    *certificate = made;
    return SETPAY_OK;
}

struct setpay_certificate *setpay_certificate_ref(struct setpay_certificate *certificate)
{
    atomic_fetch_add_explicit(&certificate->references, 1, memory_order_relaxed);
    return certificate;
}

void setpay_certificate_unref(struct setpay_certificate *certificate)
{
    if (certificate == NULL ||
        atomic_fetch_sub_explicit(&certificate->references, 1, memory_order_acq_rel) != 1)
        return;
    setpay_public_key_free(certificate->key);
    X509_free(certificate->x509);
    setpay_buffer_clear(&certificate->der);
    free(certificate->hosts);
    free(certificate);
}

const struct setpay_digest *
setpay_certificate_thumbprint(const struct setpay_certificate *certificate)
{
    return &certificate->thumbprint;
}

struct setpay_view setpay_certificate_der(const struct setpay_certificate *certificate)
{
    return setpay_buffer_view(&certificate->der);
}

const char *setpay_certificate_brand(const struct setpay_certificate *certificate)
{
    return certificate->brand;
}

const char *setpay_certificate_id(const struct setpay_certificate *certificate)
{
    return certificate->id;
}

enum setpay_profile setpay_certificate_profile(const struct setpay_certificate *certificate)
{
    return certificate->profile;
}

enum setpay_ca_kind setpay_certificate_ca_kind(const struct setpay_certificate *certificate)
{
    return certificate->ca_kind;
}

const struct setpay_public_key *setpay_certificate_key(const struct setpay_certificate *certificate)
{
    return certificate->key;
}

X509 *setpay_certificate_x509(const struct setpay_certificate *certificate)
{
    return certificate->x509;
}

setpay_time_ms setpay_certificate_not_before_ms(const struct setpay_certificate *certificate)
{
    return certificate->not_before_ms;
}

setpay_time_ms setpay_certificate_not_after_ms(const struct setpay_certificate *certificate)
{
    return certificate->not_after_ms;
}

unsigned setpay_certificate_ca_number(const struct setpay_certificate *ca)
{
    const struct setpay_ca_info *kind = setpay_ca_info(ca->ca_kind);
    size_t length = kind == NULL ? 0 : strlen(kind->name);
    unsigned number = 0;

    if (kind == NULL || kind->kind == SETPAY_CA_ROOT || strncmp(ca->id, kind->name, length) != 0 ||
        ca->id[length] != '-' || ca->id[length + 1] == '0')
        return 0;
    for (const char *at = ca->id + length + 1; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || number > SETPAY_CA_NUMBER_MAX / 10)
            return 0;
        number = 10 * number + (unsigned)(*at - '0');
    }
    return number;
}

void setpay_certificate_ca_name(const struct setpay_certificate *ca,
                                char name[SETPAY_AUTHORITY_NAME_SIZE])
{
    const struct setpay_ca_info *kind = setpay_ca_info(ca->ca_kind);

    setpay_ca_name(ca->brand, kind == NULL ? SETPAY_CA_NONE : kind->kind,
                   setpay_certificate_ca_number(ca), name);
}

enum setpay_error setpay_certificate_account(const struct setpay_certificate *certificate,
                                             struct setpay_digest *account_id)
{
    if (certificate->profile != SETPAY_PROFILE_CARDHOLDER_SIGN)
        return SETPAY_E_CERT_ROLE;
    return setpay_digest_parse(certificate->id, account_id);
}

/* rule W1 */
bool setpay_certificate_names_host(const struct setpay_certificate *certificate, const char *host)
{
    for (size_t i = 0; i < certificate->host_count; i++) {
        if (strcasecmp(certificate->hosts[i], host) == 0)
            return true;
    }
    return false;
}

/* rules G1, W3: a merchant is the pair (brand, merchant id), a gateway likewise */
bool setpay_certificate_same_party(const struct setpay_certificate *a,
                                   const struct setpay_certificate *b)
{
    return a->profile != SETPAY_PROFILE_NONE && b->profile != SETPAY_PROFILE_NONE &&
           strcmp(a->role, b->role) == 0 && strcmp(a->brand, b->brand) == 0 &&
           strcmp(a->id, b->id) == 0;
}
