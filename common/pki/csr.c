/*
 * Building and parsing PKCS#10 requests.
 *
 * What always holds: a request that parses is one DER structure, signed by the P-256 key inside it,
 * with no attribute but those of csr.h and each at most once; the three card secrets come together
 * or not at all. What it asks for is a wish: the CA decides by its own profile.
 *
 * The card secrets pass through OpenSSL's ASN.1 structures, whose memory is not the secure heap;
 * they are cleansed there before they are freed.
 */
#include "common/pki/csr.h"

#include "common/crypto/keyfile.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <string.h>

#define PAN_DIGITS_MIN 12
#define PAN_DIGITS_MAX 19
#define EXPIRY_DIGITS 4
#define PAN_SECRET_SIZE 32

static bool is_digits(struct setpay_view text, size_t min, size_t max)
{
    if (text.size < min || text.size > max)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return true;
}

static bool challenge_is_valid(struct setpay_view text)
{
    if (text.size == 0 || text.size > SETPAY_CSR_CHALLENGE_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x21 || text.data[i] > 0x7e)
            return false;
    }
    return true;
}

/* Overwrites and frees a request with everything in its attributes. */
static void free_request(X509_REQ *request)
{
    if (request == NULL)
        return;
    for (int i = 0; i < X509_REQ_get_attr_count(request); i++) {
        X509_ATTRIBUTE *attribute = X509_REQ_get_attr(request, i);
        for (int k = 0; k < X509_ATTRIBUTE_count(attribute); k++) {
            ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(attribute, k);
            if (value != NULL &&
                (value->type == V_ASN1_OCTET_STRING || value->type == V_ASN1_UTF8STRING ||
                 value->type == V_ASN1_PRINTABLESTRING))
                setpay_cleanse(value->value.asn1_string->data,
                               (size_t)value->value.asn1_string->length);
        }
    }
    X509_REQ_free(request);
}

/* ------------------------------------------------------------------ build */

static bool wish_is_valid(const struct setpay_csr_wish *wish)
{
    bool secrets = wish->pan != NULL;
    if ((wish->brand != NULL && !setpay_brand_is_valid(wish->brand)) ||
        (wish->role != NULL && !setpay_party_id_is_valid(wish->role)) ||
        (wish->id != NULL && !setpay_party_id_is_valid(wish->id) &&
         !setpay_account_text_is_valid(wish->id)) ||
        (wish->challenge != NULL && !challenge_is_valid(setpay_view_string(wish->challenge))) ||
        wish->host_count > SETPAY_LIMIT_CSR_HOSTS)
        return false;
    for (size_t i = 0; i < wish->host_count; i++) {
        if (!setpay_host_is_valid(wish->hosts[i]))
            return false;
    }
    if ((wish->expiry != NULL) != secrets || (wish->pan_secret != NULL) != secrets)
        return false;
    return !secrets || (is_digits(setpay_secret_view(wish->pan), PAN_DIGITS_MIN, PAN_DIGITS_MAX) &&
                        is_digits(setpay_secret_view(wish->expiry), EXPIRY_DIGITS, EXPIRY_DIGITS) &&
                        wish->pan_secret->size == PAN_SECRET_SIZE);
}

static bool add_rdn(X509_NAME *name, int nid, const char *text)
{
    return text == NULL || X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8,
                                                      (const unsigned char *)text, -1, -1, 0) == 1;
}

static bool add_hosts(X509_EXTENSIONS **extensions, const struct setpay_csr_wish *wish)
{
    if (wish->host_count == 0)
        return true;
    bool done = false;
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    if (names == NULL)
        return false;
    for (size_t i = 0; i < wish->host_count; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        if (name == NULL || text == NULL || ASN1_STRING_set(text, wish->hosts[i], -1) != 1 ||
            sk_GENERAL_NAME_push(names, name) <= 0) {
            GENERAL_NAME_free(name);
            ASN1_IA5STRING_free(text);
            goto out;
        }
        GENERAL_NAME_set0_value(name, GEN_DNS, text);
    }
    done = X509V3_add1_i2d(extensions, NID_subject_alt_name, names, 0, 0) == 1;
out:
    GENERAL_NAMES_free(names);
    return done;
}

static bool add_usage(X509_EXTENSIONS **extensions, const struct setpay_csr_wish *wish)
{
    if (wish->eku == NULL)
        return true;
    EXTENDED_KEY_USAGE *usages = EXTENDED_KEY_USAGE_new();
    ASN1_OBJECT *usage = OBJ_txt2obj(wish->eku, 1);
    bool pushed = usages != NULL && usage != NULL && sk_ASN1_OBJECT_push(usages, usage) > 0;
    bool done = pushed && X509V3_add1_i2d(extensions, NID_ext_key_usage, usages, 0, 0) == 1;
    if (!pushed)
        ASN1_OBJECT_free(usage);
    EXTENDED_KEY_USAGE_free(usages);
    return done;
}

/* The extension request: only where something is wished for. */
static bool add_extensions(X509_REQ *request, const struct setpay_csr_wish *wish)
{
    X509_EXTENSIONS *extensions = NULL;
    bool done = add_hosts(&extensions, wish) && add_usage(&extensions, wish) &&
                (extensions == NULL || X509_REQ_add_extensions(request, extensions) == 1);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return done;
}

static bool add_secret(X509_REQ *request, const char *oid, const struct setpay_secret *secret)
{
    if (secret == NULL)
        return true;
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    bool done = object != NULL && X509_REQ_add1_attr_by_OBJ(request, object, V_ASN1_OCTET_STRING,
                                                            secret->data, (int)secret->size) == 1;
    ASN1_OBJECT_free(object);
    return done;
}

enum setpay_error setpay_csr_build(EVP_PKEY *key, const struct setpay_csr_wish *wish,
                                   struct setpay_secret *der)
{
    if (!setpay_key_is_p256(key) || !wish_is_valid(wish))
        return SETPAY_E_INVALID;
    enum setpay_error error = SETPAY_E_CRYPTO;
    X509_NAME *subject;
    unsigned char *made = NULL;
    int size = 0;
    X509_REQ *request = X509_REQ_new();
    if (request == NULL || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_pubkey(request, key) != 1)
        goto out;
    subject = X509_REQ_get_subject_name(request);
    if (!add_rdn(subject, NID_organizationName, wish->brand) ||
        !add_rdn(subject, NID_organizationalUnitName, wish->role) ||
        !add_rdn(subject, NID_commonName, wish->id) || !add_extensions(request, wish))
        goto out;
    if (wish->challenge != NULL &&
        X509_REQ_add1_attr_by_NID(request, NID_pkcs9_challengePassword, MBSTRING_UTF8,
                                  (const unsigned char *)wish->challenge, -1) != 1)
        goto out;
    if (!add_secret(request, SETPAY_OID_ATTRIBUTE_PAN, wish->pan) ||
        !add_secret(request, SETPAY_OID_ATTRIBUTE_EXPIRY, wish->expiry) ||
        !add_secret(request, SETPAY_OID_ATTRIBUTE_PAN_SECRET, wish->pan_secret) ||
        X509_REQ_sign(request, key, EVP_sha256()) <= 0)
        goto out;
    size = i2d_X509_REQ(request, &made);
    if (size <= 0 || size > SETPAY_LIMIT_CSR_BYTES)
        goto out;
    error = setpay_secret_copy(der, setpay_view_of(made, (size_t)size));
out:
    if (made != NULL && size > 0)
        OPENSSL_clear_free(made, (size_t)size);
    free_request(request);
    if (error != SETPAY_OK)
        ERR_clear_error();
    return error;
}

/* ------------------------------------------------------------------ parse */

/* Text of an RDN or attribute into out; refuses anything but plain text that fits. */
static bool take_text(const ASN1_STRING *value, char *out, size_t room)
{
    int kind = ASN1_STRING_type(value), size = ASN1_STRING_length(value);
    if ((kind != V_ASN1_UTF8STRING && kind != V_ASN1_PRINTABLESTRING) || size <= 0 ||
        (size_t)size >= room || out[0] != '\0')
        return false;
    struct setpay_view text = setpay_view_of(ASN1_STRING_get0_data(value), (size_t)size);
    if (!setpay_text_is_utf8(text))
        return false;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

static bool parse_subject(const X509_REQ *request, struct setpay_csr *csr)
{
    const X509_NAME *name = X509_REQ_get_subject_name(request);
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
        bool taken = false;
        switch (OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry))) {
        case NID_organizationName:
            taken = take_text(value, csr->brand, sizeof(csr->brand)) &&
                    setpay_brand_is_valid(csr->brand);
            break;
        case NID_organizationalUnitName:
            taken = take_text(value, csr->role, sizeof(csr->role)) &&
                    setpay_party_id_is_valid(csr->role);
            break;
        case NID_commonName:
            taken = take_text(value, csr->id, sizeof(csr->id)) &&
                    (setpay_party_id_is_valid(csr->id) || setpay_account_text_is_valid(csr->id));
            break;
        default:
            break;
        }
        if (!taken)
            return false;
    }
    return true;
}

/* A subjectAltName with dNSNames and nothing else. */
static bool parse_hosts(X509_EXTENSION *extension, struct setpay_csr *csr)
{
    bool done = false;
    GENERAL_NAMES *names = X509V3_EXT_d2i(extension);
    int count = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
    if (csr->host_count != 0 || count < 1 || count > SETPAY_LIMIT_CSR_HOSTS)
        goto out;
    for (int i = 0; i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            goto out;
        size_t size = (size_t)ASN1_STRING_length(name->d.dNSName);
        const unsigned char *text = ASN1_STRING_get0_data(name->d.dNSName);
        if (size >= sizeof(csr->hosts[0]) || memchr(text, '\0', size) != NULL)
            goto out;
        memcpy(csr->hosts[i], text, size);
        if (!setpay_host_is_valid(csr->hosts[i]))
            goto out;
        csr->host_count++;
    }
    done = true;
out:
    GENERAL_NAMES_free(names);
    return done;
}

/* Exactly one usage. */
static bool parse_usage(X509_EXTENSION *extension, struct setpay_csr *csr)
{
    EXTENDED_KEY_USAGE *usages = X509V3_EXT_d2i(extension);
    bool done = false;
    if (csr->eku[0] == '\0' && usages != NULL && sk_ASN1_OBJECT_num(usages) == 1) {
        int length = OBJ_obj2txt(csr->eku, sizeof csr->eku, sk_ASN1_OBJECT_value(usages, 0), 1);
        done = length > 0 && (size_t)length < sizeof csr->eku;
    }
    EXTENDED_KEY_USAGE_free(usages);
    return done;
}

/* The extension request: what is wished for, each at most once, and nothing else. */
static bool parse_extensions(X509_REQ *request, struct setpay_csr *csr)
{
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    int count = sk_X509_EXTENSION_num(extensions);
    bool done = count > 0;
    for (int i = 0; done && i < count; i++) {
        X509_EXTENSION *extension = sk_X509_EXTENSION_value(extensions, i);
        switch (OBJ_obj2nid(X509_EXTENSION_get_object(extension))) {
        case NID_subject_alt_name:
            done = parse_hosts(extension, csr);
            break;
        case NID_ext_key_usage:
            done = parse_usage(extension, csr);
            break;
        default:
            done = false;
        }
    }
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return done;
}

static bool is_text(const ASN1_TYPE *value)
{
    return value->type == V_ASN1_UTF8STRING || value->type == V_ASN1_PRINTABLESTRING;
}

/* The bytes of a card's attribute: an OCTET STRING, or the text of a tool that knows no other. */
static enum setpay_error take_secret(const ASN1_TYPE *value, struct setpay_secret *secret,
                                     size_t max)
{
    if ((value->type != V_ASN1_OCTET_STRING && !is_text(value)) || secret->size != 0)
        return SETPAY_E_CSR;
    const ASN1_STRING *bytes = value->value.asn1_string;
    size_t size = (size_t)ASN1_STRING_length(bytes);
    if (size == 0 || size > max)
        return SETPAY_E_CSR;
    return setpay_secret_copy(secret, setpay_view_of(ASN1_STRING_get0_data(bytes), size));
}

static enum setpay_error take_pan_secret(const ASN1_TYPE *value, struct setpay_secret *secret)
{
    struct setpay_digest bytes;
    char text[SETPAY_DIGEST_TEXT_SIZE] = "";
    if (!is_text(value))
        return take_secret(value, secret, PAN_SECRET_SIZE);
    if (secret->size != 0 || !take_text(value->value.asn1_string, text, sizeof text))
        return SETPAY_E_CSR;
    enum setpay_error error = setpay_digest_parse(text, &bytes);
    if (error == SETPAY_OK)
        error = setpay_secret_copy(secret, setpay_digest_view(&bytes));
    setpay_cleanse(text, sizeof text);
    setpay_cleanse(&bytes, sizeof bytes);
    return error == SETPAY_OK || error == SETPAY_E_NOMEM ? error : SETPAY_E_CSR;
}

static enum setpay_error parse_attribute(X509_REQ *request, X509_ATTRIBUTE *attribute,
                                         struct setpay_csr *csr)
{
    char oid[96];
    const ASN1_OBJECT *object = X509_ATTRIBUTE_get0_object(attribute);
    const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(attribute, 0);
    int length = OBJ_obj2txt(oid, sizeof(oid), object, 1);
    if (length <= 0 || (size_t)length >= sizeof(oid) || value == NULL ||
        X509_ATTRIBUTE_count(attribute) != 1)
        return SETPAY_E_CSR;
    if (strcmp(oid, SETPAY_OID_ATTRIBUTE_PAN) == 0)
        return take_secret(value, &csr->pan, PAN_DIGITS_MAX);
    if (strcmp(oid, SETPAY_OID_ATTRIBUTE_EXPIRY) == 0)
        return take_secret(value, &csr->expiry, EXPIRY_DIGITS);
    if (strcmp(oid, SETPAY_OID_ATTRIBUTE_PAN_SECRET) == 0)
        return take_pan_secret(value, &csr->pan_secret);
    if (OBJ_obj2nid(object) == NID_ext_req)
        return parse_extensions(request, csr) ? SETPAY_OK : SETPAY_E_CSR;
    if (OBJ_obj2nid(object) != NID_pkcs9_challengePassword || !is_text(value) ||
        !take_text(value->value.asn1_string, csr->challenge, sizeof(csr->challenge)) ||
        !challenge_is_valid(setpay_view_string(csr->challenge)))
        return SETPAY_E_CSR;
    return SETPAY_OK;
}

/* All or none, and each of its form (rule C1). */
static bool secrets_are_valid(const struct setpay_csr *csr)
{
    if (csr->pan.size == 0 && csr->expiry.size == 0 && csr->pan_secret.size == 0)
        return true;
    return is_digits(setpay_secret_view(&csr->pan), PAN_DIGITS_MIN, PAN_DIGITS_MAX) &&
           is_digits(setpay_secret_view(&csr->expiry), EXPIRY_DIGITS, EXPIRY_DIGITS) &&
           csr->pan_secret.size == PAN_SECRET_SIZE;
}

/* rule C2: signed by the key inside */
static enum setpay_error parse(X509_REQ *request, struct setpay_csr *csr)
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    if (X509_REQ_get_version(request) != X509_REQ_VERSION_1 || !setpay_key_is_p256(key) ||
        X509_REQ_get_signature_nid(request) != NID_ecdsa_with_SHA256 ||
        X509_REQ_verify(request, key) != 1 || !parse_subject(request, csr))
        return SETPAY_E_CSR;
    for (int i = 0; i < X509_REQ_get_attr_count(request); i++)
        SETPAY_TRY(parse_attribute(request, X509_REQ_get_attr(request, i), csr));
    if (!secrets_are_valid(csr))
        return SETPAY_E_CSR;
    SETPAY_TRY(setpay_key_digest(key, &csr->key_digest));
    if (EVP_PKEY_up_ref(key) != 1)
        return SETPAY_E_CRYPTO;
    csr->key = key;
    return SETPAY_OK;
}

enum setpay_error setpay_csr_parse(struct setpay_view der, struct setpay_csr *csr)
{
    if (der.size == 0 || der.size > SETPAY_LIMIT_CSR_BYTES)
        return SETPAY_E_CSR;
    enum setpay_error error = SETPAY_E_CSR;
    const unsigned char *at = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.size);
    if (request != NULL && at == der.data + der.size)
        error = parse(request, csr);
    free_request(request);
    if (error != SETPAY_OK) {
        setpay_csr_clear(csr);
        ERR_clear_error();
    }
    return error;
}

void setpay_csr_clear(struct setpay_csr *csr)
{
    EVP_PKEY_free(csr->key);
    setpay_secret_clear(&csr->pan);
    setpay_secret_clear(&csr->expiry);
    setpay_secret_clear(&csr->pan_secret);
    memset(csr, 0, sizeof(*csr));
}
