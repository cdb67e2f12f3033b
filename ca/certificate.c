/*
 * Making one certificate: from a template of what it shall say to a signed X.509 v3.
 *
 * What always holds: P-256 and ecdsa-with-SHA256; a fresh random serial of 20 bytes (rule C3);
 * basicConstraints, keyUsage and (where the template says so) extendedKeyUsage critical; SET's
 * certificateType not critical, so that independent tools still check the chain; key identifiers of
 * subject and issuer. Nothing of a request but its key comes here unchecked.
 */
#include "ca/state.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define SERIAL_BYTES 20

/* ---- bytes ---- */

enum setpay_error setpay_ca_certificate_parse(struct setpay_view pem_or_der, X509 **certificate,
                                              struct setpay_problem *problem)
{
    const uint8_t *at = pem_or_der.data;
    X509 *parsed = NULL;

    if (pem_or_der.size > 0 && pem_or_der.size <= SETPAY_CA_PEM_MAX) {
        if (pem_or_der.data[0] == 0x30) {
            parsed = d2i_X509(NULL, &at, (long)pem_or_der.size);
        } else {
            BIO *bio = BIO_new_mem_buf(pem_or_der.data, (int)pem_or_der.size);

            parsed = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
            BIO_free(bio);
        }
    }
    if (parsed == NULL)
        return setpay_problem_set(problem, SETPAY_E_CERT_MALFORMED,
                                  "no certificate can be read there (PEM or DER is expected)");
    *certificate = parsed;
    return SETPAY_OK;
}

enum setpay_error setpay_ca_certificate_der(X509 *certificate, struct setpay_buffer *der)
{
    int size = i2d_X509(certificate, NULL);
    uint8_t *room;

    if (size <= 0)
        return SETPAY_E_CRYPTO;
    setpay_buffer_reset(der);
    SETPAY_TRY(setpay_buffer_extend(der, (size_t)size, &room));
    return i2d_X509(certificate, &room) == size ? SETPAY_OK : SETPAY_E_CRYPTO;
}

enum setpay_error setpay_ca_append_pem(struct setpay_buffer *pem, const char *label,
                                       struct setpay_view der)
{
    BIO *bio = BIO_new(BIO_s_mem());
    enum setpay_error error = SETPAY_E_CRYPTO;
    char *text;
    long size;

    if (bio != NULL && PEM_write_bio(bio, label, "", der.data, (long)der.size) > 0 &&
        (size = BIO_get_mem_data(bio, &text)) > 0)
        error = setpay_buffer_append(pem, setpay_view_of(text, (size_t)size));
    BIO_free(bio);
    return error;
}

enum setpay_error setpay_ca_serial_text(const X509 *certificate, char serial[SETPAY_CA_SERIAL_SIZE])
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    uint8_t bytes[SERIAL_BYTES];
    bool fits = number != NULL && !BN_is_negative(number) &&
                BN_bn2binpad(number, bytes, sizeof bytes) == (int)sizeof bytes;

    BN_free(number);
    if (!fits)
        return SETPAY_E_NOT_FOUND; /* none of ours has such a serial */
    setpay_hex_encode(SETPAY_VIEW_ARRAY(bytes), serial);
    return SETPAY_OK;
}

/* ---- fields ---- */

/* rule C3: 159 random bits; the first is zero, so that the number is positive in 20 bytes, and the
 * second is one, so that all serials have the same length */
static enum setpay_error set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_BYTES];
    ASN1_INTEGER *integer = NULL;
    BIGNUM *number = NULL;
    enum setpay_error error = SETPAY_E_CRYPTO;

    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return SETPAY_E_RANDOM;
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
    number = BN_bin2bn(bytes, sizeof bytes, NULL);
    integer = number == NULL ? NULL : BN_to_ASN1_INTEGER(number, NULL);
    if (integer != NULL && X509_set_serialNumber(certificate, integer) == 1)
        error = SETPAY_OK;
    ASN1_INTEGER_free(integer);
    BN_free(number);
    return error;
}

static bool add_name_part(X509_NAME *name, int nid, const char *text)
{
    return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)text, -1, -1,
                                      0) == 1;
}

static enum setpay_error set_time(ASN1_TIME *to, setpay_time_ms time)
{
    return ASN1_TIME_adj(to, (time_t)(time / SETPAY_SECOND_MS), 0, 0) == NULL ? SETPAY_E_CRYPTO
                                                                              : SETPAY_OK;
}

static enum setpay_error set_fields(X509 *certificate, const struct setpay_ca_template *template,
                                    X509 *issuer)
{
    X509_NAME *name = X509_NAME_new();
    enum setpay_error error = SETPAY_E_CRYPTO;

    if (name != NULL && add_name_part(name, NID_organizationName, template->organisation) &&
        add_name_part(name, NID_organizationalUnitName, template->role) &&
        add_name_part(name, NID_commonName, template->id) &&
        X509_set_version(certificate, X509_VERSION_3) == 1 &&
        X509_set_subject_name(certificate, name) == 1 &&
        X509_set_issuer_name(certificate, issuer == NULL ? name : X509_get_subject_name(issuer)) ==
            1 &&
        X509_set_pubkey(certificate, template->key) == 1)
        error = SETPAY_OK;
    X509_NAME_free(name);
    if (error == SETPAY_OK)
        error = set_serial(certificate);
    if (error == SETPAY_OK)
        error = set_time(X509_getm_notBefore(certificate), template->not_before);
    if (error == SETPAY_OK)
        error = set_time(X509_getm_notAfter(certificate), template->not_after);
    return error;
}

/* ---- extensions ---- */

static enum setpay_error add(X509 *certificate, int nid, void *value, bool critical)
{
    return X509_add1_ext_i2d(certificate, nid, value, critical, X509V3_ADD_DEFAULT) == 1
               ? SETPAY_OK
               : SETPAY_E_CRYPTO;
}

static enum setpay_error add_basic(X509 *certificate, const struct setpay_ca_template *template)
{
    BASIC_CONSTRAINTS *basic = BASIC_CONSTRAINTS_new();
    enum setpay_error error = SETPAY_E_CRYPTO;

    if (basic != NULL) {
        basic->ca = template->is_ca ? 0xff : 0;
        if (template->is_ca)
            basic->pathlen = ASN1_INTEGER_new();
        if (!template->is_ca || (basic->pathlen != NULL &&
                                 ASN1_INTEGER_set(basic->pathlen, template->path_length) == 1))
            error = add(certificate, NID_basic_constraints, basic, true);
    }
    BASIC_CONSTRAINTS_free(basic);
    return error;
}

static enum setpay_error add_key_usage(X509 *certificate, uint32_t usage)
{
    /* KU_* has digitalSignature, bit 0 of the BIT STRING, as 0x80; decipherOnly is 0x8000. */
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    enum setpay_error error = bits == NULL ? SETPAY_E_NOMEM : SETPAY_OK;

    for (int bit = 0; bit < 8 && error == SETPAY_OK; bit++)
        if ((usage & (0x80u >> bit)) != 0 && ASN1_BIT_STRING_set_bit(bits, bit, 1) != 1)
            error = SETPAY_E_CRYPTO;
    if (error == SETPAY_OK)
        error = add(certificate, NID_key_usage, bits, true);
    ASN1_BIT_STRING_free(bits);
    return error;
}

static enum setpay_error add_extended_usage(X509 *certificate,
                                            const struct setpay_ca_template *template)
{
    EXTENDED_KEY_USAGE *usages;
    enum setpay_error error = SETPAY_OK;

    if (template->ekus == NULL)
        return SETPAY_OK;
    usages = sk_ASN1_OBJECT_new_null();
    if (usages == NULL)
        return SETPAY_E_NOMEM;
    for (size_t at = 0; at < SETPAY_PROFILE_EKUS && error == SETPAY_OK; at++) {
        ASN1_OBJECT *object;

        if (template->ekus[at] == NULL)
            continue;
        object = OBJ_txt2obj(template->ekus[at], 1);
        if (object == NULL || sk_ASN1_OBJECT_push(usages, object) <= 0) {
            ASN1_OBJECT_free(object);
            error = SETPAY_E_CRYPTO;
        }
    }
    if (error == SETPAY_OK && sk_ASN1_OBJECT_num(usages) > 0)
        error = add(certificate, NID_ext_key_usage, usages, template->eku_critical);
    sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
    return error;
}

static enum setpay_error add_hosts(X509 *certificate, const struct setpay_ca_template *template)
{
    GENERAL_NAMES *names;
    enum setpay_error error = SETPAY_OK;

    if (template->host_count == 0)
        return SETPAY_OK;
    names = sk_GENERAL_NAME_new_null();
    if (names == NULL)
        return SETPAY_E_NOMEM;
    for (size_t at = 0; at < template->host_count && error == SETPAY_OK; at++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();

        if (name == NULL || text == NULL || ASN1_STRING_set(text, template->hosts[at], -1) != 1) {
            ASN1_IA5STRING_free(text);
            GENERAL_NAME_free(name);
            error = SETPAY_E_NOMEM;
            break;
        }
        GENERAL_NAME_set0_value(name, GEN_DNS, text);
        if (sk_GENERAL_NAME_push(names, name) <= 0) {
            GENERAL_NAME_free(name);
            error = SETPAY_E_NOMEM;
        }
    }
    if (error == SETPAY_OK)
        error = add(certificate, NID_subject_alt_name, names, false);
    GENERAL_NAMES_free(names);
    return error;
}

/* Adds one name to a list of permitted or excluded subtrees (made where it is NULL); takes name. */
static enum setpay_error add_subtree(STACK_OF(GENERAL_SUBTREE) * *list, GENERAL_NAME *name)
{
    GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();

    if (*list == NULL)
        *list = sk_GENERAL_SUBTREE_new_null();
    if (subtree == NULL || name == NULL || *list == NULL) {
        GENERAL_SUBTREE_free(subtree);
        GENERAL_NAME_free(name);
        return SETPAY_E_NOMEM;
    }
    GENERAL_NAME_free(subtree->base);
    subtree->base = name;
    if (sk_GENERAL_SUBTREE_push(*list, subtree) <= 0) {
        GENERAL_SUBTREE_free(subtree);
        return SETPAY_E_NOMEM;
    }
    return SETPAY_OK;
}

/* A dNSName or an iPAddress (address and mask) of those bytes; NULL without memory. */
static GENERAL_NAME *plain_name(int type, struct setpay_view bytes)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value =
        type == GEN_DNS ? (ASN1_STRING *)ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();

    if (name == NULL || value == NULL ||
        ASN1_STRING_set(value, bytes.size == 0 ? (const void *)"" : bytes.data, (int)bytes.size) !=
            1) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(name);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, type, value);
    return name;
}

static GENERAL_NAME *brand_name(const char *brand)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    X509_NAME *directory = X509_NAME_new();

    if (name == NULL || directory == NULL ||
        !add_name_part(directory, NID_organizationName, brand)) {
        X509_NAME_free(directory);
        GENERAL_NAME_free(name);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, GEN_DIRNAME, directory);
    return name;
}

static enum setpay_error fill_constraints(NAME_CONSTRAINTS *constraints,
                                          const struct setpay_ca_template *template)
{
    static const uint8_t any_v4[8] = {0};
    static const uint8_t any_v6[32] = {0};
    static const uint8_t loopback_v4[8] = {127, 0, 0, 0, 255, 0, 0, 0};
    static const uint8_t loopback_v6[32] = {0,    0,    0,    0,    0,    0,    0,    0,
                                            0,    0,    0,    0,    0,    0,    0,    1,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    SETPAY_TRY(add_subtree(&constraints->permittedSubtrees, brand_name(template->organisation)));
    switch (template->names) {
    case SETPAY_CA_NAMES_LOOPBACK:
        SETPAY_TRY(add_subtree(&constraints->permittedSubtrees,
                               plain_name(GEN_IPADD, SETPAY_VIEW_ARRAY(loopback_v4))));
        return add_subtree(&constraints->permittedSubtrees,
                           plain_name(GEN_IPADD, SETPAY_VIEW_ARRAY(loopback_v6)));
    case SETPAY_CA_NAMES_NONE:
        /* RFC 5280 4.2.1.10: every name is made from the empty one by adding labels to its left */
        SETPAY_TRY(
            add_subtree(&constraints->excludedSubtrees, plain_name(GEN_DNS, SETPAY_VIEW_EMPTY)));
        break;
    default:
        break;
    }
    if (template->names == SETPAY_CA_NAMES_BRAND)
        return SETPAY_OK;
    SETPAY_TRY(add_subtree(&constraints->excludedSubtrees,
                           plain_name(GEN_IPADD, SETPAY_VIEW_ARRAY(any_v4))));
    return add_subtree(&constraints->excludedSubtrees,
                       plain_name(GEN_IPADD, SETPAY_VIEW_ARRAY(any_v6)));
}

static enum setpay_error add_constraints(X509 *certificate,
                                         const struct setpay_ca_template *template)
{
    NAME_CONSTRAINTS *constraints;
    enum setpay_error error;

    if (template->names == SETPAY_CA_NAMES_FREE)
        return SETPAY_OK;
    constraints = NAME_CONSTRAINTS_new();
    error = constraints == NULL ? SETPAY_E_NOMEM : fill_constraints(constraints, template);
    if (error == SETPAY_OK)
        error = add(certificate, NID_name_constraints, constraints, true);
    NAME_CONSTRAINTS_free(constraints);
    return error;
}

/* Subject's and issuer's key identifiers: SHA-1 over the key's bits, which is a name and not a
 * protection (RFC 5280 4.2.1.2). */
static enum setpay_error add_key_ids(X509 *certificate, X509 *issuer)
{
    X509V3_CTX context;
    X509_EXTENSION *extension = NULL;
    enum setpay_error error = SETPAY_E_CRYPTO;

    X509V3_set_ctx(&context, issuer == NULL ? certificate : issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_key_identifier, "hash");
    if (extension != NULL && X509_add_ext(certificate, extension, -1) == 1) {
        X509_EXTENSION_free(extension);
        extension =
            X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
        if (extension != NULL && X509_add_ext(certificate, extension, -1) == 1)
            error = SETPAY_OK;
    }
    X509_EXTENSION_free(extension);
    return error;
}

static enum setpay_error add_type(X509 *certificate, enum setpay_type_bit type)
{
    X509_EXTENSION *extension = NULL;
    enum setpay_error error = setpay_type_extension_new(type, &extension);

    if (error == SETPAY_OK && X509_add_ext(certificate, extension, -1) != 1)
        error = SETPAY_E_CRYPTO;
    X509_EXTENSION_free(extension);
    return error;
}

static enum setpay_error add_extensions(X509 *certificate,
                                        const struct setpay_ca_template *template, X509 *issuer)
{
    SETPAY_TRY(add_basic(certificate, template));
    SETPAY_TRY(add_key_usage(certificate, template->key_usage));
    SETPAY_TRY(add_extended_usage(certificate, template));
    SETPAY_TRY(add_constraints(certificate, template));
    SETPAY_TRY(add_hosts(certificate, template));
    SETPAY_TRY(add_key_ids(certificate, issuer));
    return add_type(certificate, template->type);
}

enum setpay_error setpay_ca_certificate_make(const struct setpay_ca_template *template,
                                             X509 *issuer, EVP_PKEY *issuer_key, X509 **certificate)
{
    X509 *made = X509_new();
    enum setpay_error error = made == NULL ? SETPAY_E_NOMEM : SETPAY_OK;

    if (error == SETPAY_OK)
        error = set_fields(made, template, issuer);
    if (error == SETPAY_OK)
        error = add_extensions(made, template, issuer);
    if (error == SETPAY_OK && X509_sign(made, issuer_key, EVP_sha256()) <= 0)
        error = SETPAY_E_CRYPTO;
    if (error == SETPAY_OK) {
        *certificate = made;
        made = NULL;
    }
    X509_free(made);
    return error;
}
