/*
 * The tables of profiles and CA kinds, and what names may look like.
 *
 * The lives: a cardholder's certificate ends with the card, which no issuer makes valid for more
 * than six years; an encryption key lives 90 days, since whoever finds it later can read what was
 * sealed to it; TLS certificates stay under the 398 days that browsers accept.
 */
#include "common/pki/role.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

static const struct setpay_profile_info profiles[] = {
    {
        .profile = SETPAY_PROFILE_CARDHOLDER_SIGN,
        .name = "cardholder-sign",
        .role = "cardholder",
        .type = SETPAY_TYPE_CARD,
        .key_usage = KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION,
        .ekus = {SETPAY_OID_EKU_DOCUMENT_SIGNING, SETPAY_OID_EKU_CLIENT_AUTH},
        .eku_critical = true,
        .issuer = SETPAY_CA_CARDHOLDER,
        .max_days = 6 * 366,
    },
    {
        .profile = SETPAY_PROFILE_MERCHANT_SIGN,
        .name = "merchant-sign",
        .role = "merchant",
        .type = SETPAY_TYPE_MERCHANT,
        .key_usage = KU_DIGITAL_SIGNATURE,
        .ekus = {SETPAY_OID_EKU_DOCUMENT_SIGNING},
        .eku_critical = true,
        .issuer = SETPAY_CA_MERCHANT,
        .max_days = 825,
    },
    {
        .profile = SETPAY_PROFILE_MERCHANT_TLS_CLIENT,
        .name = "merchant-tls-client",
        .role = "merchant",
        .type = SETPAY_TYPE_MERCHANT,
        .key_usage = KU_DIGITAL_SIGNATURE,
        .ekus = {SETPAY_OID_EKU_CLIENT_AUTH},
        .issuer = SETPAY_CA_MERCHANT,
        .max_days = 398,
    },
    {
        .profile = SETPAY_PROFILE_MERCHANT_TLS_SERVER,
        .name = "merchant-tls-server",
        .role = "merchant",
        .type = SETPAY_TYPE_MERCHANT,
        .key_usage = KU_DIGITAL_SIGNATURE,
        .ekus = {SETPAY_OID_EKU_SERVER_AUTH},
        .issuer = SETPAY_CA_MERCHANT,
        .max_days = 398,
        .dns_names = true,
    },
    {
        .profile = SETPAY_PROFILE_GATEWAY_SIGN,
        .name = "gateway-sign",
        .role = "gateway",
        .type = SETPAY_TYPE_GATEWAY,
        .key_usage = KU_DIGITAL_SIGNATURE,
        .ekus = {SETPAY_OID_EKU_DOCUMENT_SIGNING},
        .eku_critical = true,
        .issuer = SETPAY_CA_GATEWAY,
        .max_days = 825,
    },
    {
        .profile = SETPAY_PROFILE_GATEWAY_ENCRYPT,
        .name = "gateway-encrypt",
        .role = "gateway",
        .type = SETPAY_TYPE_GATEWAY,
        .key_usage = KU_KEY_AGREEMENT,
        .ekus = {SETPAY_OID_EKU_ENVELOPE},
        .eku_critical = true,
        .issuer = SETPAY_CA_GATEWAY,
        .max_days = 90,
    },
    {
        .profile = SETPAY_PROFILE_GATEWAY_TLS_SERVER,
        .name = "gateway-tls-server",
        .role = "gateway",
        .type = SETPAY_TYPE_GATEWAY,
        .key_usage = KU_DIGITAL_SIGNATURE,
        .ekus = {SETPAY_OID_EKU_SERVER_AUTH},
        .issuer = SETPAY_CA_GATEWAY,
        .max_days = 398,
    },
    {
        /* The authority itself, where it is called: by the one CA that may name hosts, and marked
         * as that CA's own, so that no merchant's certificate can stand for it. */
        .profile = SETPAY_PROFILE_CA_TLS_SERVER,
        .name = "ca-tls-server",
        .role = "ca",
        .type = SETPAY_TYPE_MCA,
        .key_usage = KU_DIGITAL_SIGNATURE,
        .ekus = {SETPAY_OID_EKU_SERVER_AUTH},
        .issuer = SETPAY_CA_MERCHANT,
        .max_days = 398,
        .dns_names = true,
    },
};

static const struct setpay_ca_info kinds[] = {
    {SETPAY_CA_ROOT, "root", "root-ca", SETPAY_TYPE_RCA, SETPAY_CA_ROOT, 2, 30 * 366, 366 * DAY_MS},
    {SETPAY_CA_BRAND, "brand", "brand-ca", SETPAY_TYPE_BCA, SETPAY_CA_ROOT, 1, 15 * 366,
     32 * DAY_MS},
    /* rule A3: issuing CAs' CRLs live at most 24 hours */
    {SETPAY_CA_CARDHOLDER, "cca", "cardholder-ca", SETPAY_TYPE_CCA, SETPAY_CA_BRAND, 0, 10 * 366,
     DAY_MS},
    {SETPAY_CA_MERCHANT, "mca", "merchant-ca", SETPAY_TYPE_MCA, SETPAY_CA_BRAND, 0, 10 * 366,
     DAY_MS},
    {SETPAY_CA_GATEWAY, "pca", "gateway-ca", SETPAY_TYPE_PCA, SETPAY_CA_BRAND, 0, 10 * 366, DAY_MS},
};

const struct setpay_profile_info *setpay_profile_info(enum setpay_profile profile)
{
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        if (profiles[i].profile == profile)
            return &profiles[i];
    }
    return NULL;
}

const struct setpay_ca_info *setpay_ca_info(enum setpay_ca_kind kind)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].kind == kind)
            return &kinds[i];
    }
    return NULL;
}

enum setpay_profile setpay_profile_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        if (strcmp(profiles[i].name, name) == 0)
            return profiles[i].profile;
    }
    return SETPAY_PROFILE_NONE;
}

enum setpay_ca_kind setpay_ca_kind_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    }
    return SETPAY_CA_NONE;
}

/* 1 to max characters, all out of alphabet. */
static bool is_made_of(const char *text, const char *alphabet, size_t max)
{
    size_t length = strnlen(text, max + 1);
    return length >= 1 && length <= max && strspn(text, alphabet) == length;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

void setpay_ca_name(const char *brand, enum setpay_ca_kind kind, unsigned number,
                    char name[SETPAY_AUTHORITY_NAME_SIZE])
{
    const struct setpay_ca_info *info = setpay_ca_info(kind);
    char suffix[8] = "";

    if (kind != SETPAY_CA_ROOT && number > 1 && number <= SETPAY_CA_NUMBER_MAX)
        (void)snprintf(suffix, sizeof suffix, "-%u", number);
    (void)snprintf(name, SETPAY_AUTHORITY_NAME_SIZE, "%.*s%s%.5s%s", SETPAY_BRAND_MAX, brand,
                   brand[0] == '\0' ? "" : ".", info == NULL ? "" : info->name, suffix);
}

bool setpay_brand_is_valid(const char *brand)
{
    return is_made_of(brand, LOWER DIGITS "-", SETPAY_BRAND_MAX);
}

bool setpay_party_id_is_valid(const char *id)
{
    return is_made_of(id, LOWER UPPER DIGITS "_-", 32);
}

bool setpay_account_text_is_valid(const char *id)
{
    return strnlen(id, 65) == 64 && is_made_of(id, DIGITS "abcdef", 64);
}

bool setpay_host_is_valid(const char *host)
{
    if (!is_made_of(host, LOWER UPPER DIGITS "-.", 253))
        return false;
    bool letters = false;
    const char *at = host;
    for (;;) {
        size_t label = strcspn(at, ".");
        if (label == 0 || label > 63 || at[0] == '-' || at[label - 1] == '-')
            return false;
        /* An IPv4 address has a last label of digits; no top-level domain has. */
        letters = strspn(at, DIGITS) < label;
        if (at[label] == '\0')
            return letters;
        at += label + 1;
    }
}

enum setpay_error setpay_type_extension_new(enum setpay_type_bit type, X509_EXTENSION **extension)
{
    enum setpay_error error = SETPAY_E_CRYPTO;
    unsigned char *der = NULL;
    ASN1_OBJECT *oid = OBJ_txt2obj(SETPAY_OID_CERTIFICATE_TYPE, 1);
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *made = NULL;
    int size;
    if (oid == NULL || bits == NULL || value == NULL ||
        ASN1_BIT_STRING_set_bit(bits, (int)type, 1) != 1)
        goto out;
    size = i2d_ASN1_BIT_STRING(bits, &der);
    if (size <= 0 || ASN1_OCTET_STRING_set(value, der, size) != 1)
        goto out;
    made = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    if (made == NULL)
        goto out;
    *extension = made;
    error = SETPAY_OK;
out:
    OPENSSL_free(der);
    ASN1_OCTET_STRING_free(value);
    ASN1_BIT_STRING_free(bits);
    ASN1_OBJECT_free(oid);
    if (error != SETPAY_OK)
        ERR_clear_error();
    return error;
}

/* rule A3: a certificate is accepted for one role only */
enum setpay_error setpay_type_extension_read(const X509 *certificate, enum setpay_type_bit *type)
{
    int at = X509_get_ext_by_NID(certificate, NID_setCext_certType, -1);
    if (at < 0 || X509_get_ext_by_NID(certificate, NID_setCext_certType, at) >= 0)
        return SETPAY_E_CERT_ROLE;
    X509_EXTENSION *extension = X509_get_ext(certificate, at);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
    if (X509_EXTENSION_get_critical(extension) != 0)
        return SETPAY_E_CERT_ROLE;
    /* DER of a BIT STRING with one named bit set: tag, length, unused bits, one or two bytes of
     * which the last is not zero (X.690 section 11.2.2). */
    const unsigned char *der = ASN1_STRING_get0_data(value);
    int size = ASN1_STRING_length(value);
    if (size < 4 || size > 5 || der[0] != V_ASN1_BIT_STRING || der[1] != size - 2)
        return SETPAY_E_CERT_ROLE;
    unsigned bits = (unsigned)der[3] << 8 | (size == 5 ? der[4] : 0u);
    for (unsigned bit = SETPAY_TYPE_CARD; bit <= SETPAY_TYPE_ACQUIRER; bit++) {
        if (bits == 0x8000u >> bit && der[2] == 7 - bit % 8 && (size == 5) == (bit >= 8)) {
            *type = (enum setpay_type_bit)bit;
            return SETPAY_OK;
        }
    }
    return SETPAY_E_CERT_ROLE;
}
