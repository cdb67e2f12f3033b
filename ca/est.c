/*
 * Bodies and headers of EST.
 */
#include "ca/est.h"

#include "common/base/limits.h"
#include "common/crypto/base64.h"
#include "common/pki/csr.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- base64 ---- */

/* In lines of 64, as RFC 7030 shows them. */
static enum setpay_error encode(struct setpay_view der, struct setpay_buffer *text)
{
    BIO *sink = BIO_new(BIO_s_mem());
    BIO *filter = BIO_new(BIO_f_base64());
    enum setpay_error error = SETPAY_E_CRYPTO;
    char *data = NULL;
    long size = 0;

    if (sink == NULL || filter == NULL) {
        BIO_free(sink);
        BIO_free(filter);
        return SETPAY_E_NOMEM;
    }
    BIO_push(filter, sink);
    if (BIO_write(filter, der.data, (int)der.size) == (int)der.size && BIO_flush(filter) == 1 &&
        (size = BIO_get_mem_data(sink, &data)) > 0)
        error = setpay_buffer_set(text, setpay_view_of(data, (size_t)size));
    BIO_free_all(filter);
    ERR_clear_error();
    return error;
}

/* ---- answers ---- */

enum setpay_error setpay_est_certs(struct setpay_view pem, size_t most,
                                   struct setpay_buffer *answer)
{
    enum setpay_error error = SETPAY_E_CRYPTO;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    PKCS7 *bag = PKCS7_new();
    unsigned char *der = NULL;
    X509 *certificate = NULL;
    int size;

    if (bio == NULL || bag == NULL || PKCS7_set_type(bag, NID_pkcs7_signed) != 1 ||
        PKCS7_content_new(bag, NID_pkcs7_data) != 1 || PKCS7_set_detached(bag, 1) != 1)
        goto out;
    for (size_t count = 0;
         count < most && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;
         count++) {
        int added = PKCS7_add_certificate(bag, certificate);

        X509_free(certificate);
        if (added != 1)
            goto out;
    }
    size = i2d_PKCS7(bag, &der);
    if (size > 0)
        error = encode(setpay_view_of(der, (size_t)size), answer);
out:
    OPENSSL_free(der);
    PKCS7_free(bag);
    BIO_free(bio);
    ERR_clear_error();
    return error;
}

static bool push(STACK_OF(ASN1_TYPE) * list, int type, void *value)
{
    ASN1_TYPE *item = ASN1_TYPE_new();

    if (item == NULL || value == NULL)
        goto failed;
    ASN1_TYPE_set(item, type, value);
    if (sk_ASN1_TYPE_push(list, item) > 0)
        return true;
    ASN1_TYPE_free(item); /* with its value */
    return false;
failed:
    ASN1_TYPE_free(item);
    return false;
}

/* Attribute ::= SEQUENCE { type, values SET } in DER, as a value of another sequence. */
static ASN1_STRING *challenge_attribute(const char *nonce)
{
    X509_ATTRIBUTE *attribute = X509_ATTRIBUTE_create_by_NID(
        NULL, NID_pkcs9_challengePassword, V_ASN1_UTF8STRING, nonce, (int)strlen(nonce));
    unsigned char *der = NULL;
    int size = attribute == NULL ? -1 : i2d_X509_ATTRIBUTE(attribute, &der);
    ASN1_STRING *text = size > 0 ? ASN1_STRING_type_new(V_ASN1_SEQUENCE) : NULL;

    if (text != NULL)
        ASN1_STRING_set0(text, der, size);
    else
        OPENSSL_free(der);
    X509_ATTRIBUTE_free(attribute);
    return text;
}

enum setpay_error setpay_est_csrattrs(const char *nonce, const char *const *oids,
                                      struct setpay_buffer *answer)
{
    STACK_OF(ASN1_TYPE) *list = sk_ASN1_TYPE_new_null();
    enum setpay_error error = SETPAY_E_CRYPTO;
    unsigned char *der = NULL;
    int size;

    if (list == NULL || !push(list, V_ASN1_SEQUENCE, challenge_attribute(nonce)))
        goto out;
    for (; *oids != NULL; oids++) {
        if (!push(list, V_ASN1_OBJECT, OBJ_txt2obj(*oids, 1)))
            goto out;
    }
    size = i2d_ASN1_SEQUENCE_ANY(list, &der);
    if (size > 0)
        error = encode(setpay_view_of(der, (size_t)size), answer);
out:
    OPENSSL_free(der);
    sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
    ERR_clear_error();
    return error;
}

/* ---- requests ---- */

enum setpay_error setpay_est_request(struct setpay_view body, struct setpay_secret *der)
{
    enum setpay_error error;

    if (body.size > 0 && body.data[0] == 0x30) /* the first byte of DER is no white space */
        error =
            body.size <= SETPAY_LIMIT_CSR_BYTES ? setpay_secret_copy(der, body) : SETPAY_E_INVALID;
    else
        error = setpay_base64_decode(body, SETPAY_LIMIT_CSR_BYTES, der);
    return error == SETPAY_E_INVALID ? SETPAY_E_CSR : error;
}

enum setpay_error setpay_est_basic(const char *header, char user[SETPAY_EST_USER_SIZE],
                                   struct setpay_secret *password)
{
    static const char scheme[] = "Basic ";
    struct setpay_secret pair = {0};
    enum setpay_error error;

    if (header == NULL)
        return SETPAY_E_NOT_FOUND;
    if (strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return SETPAY_E_INVALID;
    SETPAY_TRY(setpay_base64_decode(setpay_view_string(header + sizeof scheme - 1), 256, &pair));
    const uint8_t *colon = memchr(pair.data, ':', pair.size);
    size_t length = colon == NULL ? 0 : (size_t)(colon - pair.data);
    if (colon == NULL || length == 0 || length >= SETPAY_EST_USER_SIZE || length + 1 == pair.size ||
        memchr(pair.data, '\0', pair.size) != NULL) {
        error = SETPAY_E_INVALID;
    } else {
        memcpy(user, pair.data, length);
        user[length] = '\0';
        error = setpay_secret_copy(password, setpay_view_of(colon + 1, pair.size - length - 1));
    }
    setpay_secret_clear(&pair);
    return error;
}
