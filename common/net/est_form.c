/*
 * The shapes of EST, for clients.
 */
#include "common/net/est_form.h"

#include "common/base/limits.h"
#include "common/crypto/base64.h"
#include "common/pki/role.h"

#include <ctype.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME "https://"
#define HTTPS_PORT 443
#define ANSWER_DER_MAX ((size_t)60 * 1024)

/* ------------------------------------------------------------------ places */

static bool read_port(const char *text, size_t length, uint16_t *port)
{
    unsigned value = 0;

    if (length == 0 || length > 5 || text[0] == '0')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

enum setpay_error setpay_est_place_parse(const char *url, struct setpay_est_place *place,
                                         struct setpay_problem *problem)
{
    struct setpay_est_place read = {.port = HTTPS_PORT};
    bool fits = strncmp(url, SCHEME, strlen(SCHEME)) == 0;
    const char *host = fits ? url + strlen(SCHEME) : "";
    size_t length = strcspn(host, ":/");
    const char *rest = host + length;

    fits = fits && length > 0 && length < sizeof read.host;
    for (size_t i = 0; fits && i < length; i++)
        read.host[i] = (char)tolower((unsigned char)host[i]);
    if (fits && *rest == ':') {
        size_t digits = strcspn(rest + 1, "/");
        fits = read_port(rest + 1, digits, &read.port);
        rest += 1 + digits;
    }
    if (!fits || (strcmp(rest, "") != 0 && strcmp(rest, "/") != 0) ||
        !setpay_host_is_valid(read.host))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "'%.100s' is no address of a certification authority: expected "
                                  "https://HOST or https://HOST:PORT",
                                  url);
    *place = read;
    return SETPAY_OK;
}

const char *setpay_est_place_format(const struct setpay_est_place *place,
                                    char out[SETPAY_EST_URL_SIZE])
{
    (void)snprintf(out, SETPAY_EST_URL_SIZE, SCHEME "%s:%u", place->host, place->port);
    return out;
}

/* ------------------------------------------------------------------ what is sent */

enum setpay_error setpay_est_authorization(const char *user, const struct setpay_secret *password,
                                           struct setpay_secret *header)
{
    static const char scheme[] = "Basic ";
    struct setpay_secret pair = {0};
    struct setpay_secret coded = {0};
    size_t length = strlen(user);

    if (length == 0 || strchr(user, ':') != NULL || password->size == 0)
        return SETPAY_E_INVALID;
    enum setpay_error error = setpay_secret_alloc(&pair, length + 1 + password->size);
    if (error == SETPAY_OK) {
        memcpy(pair.data, user, length);
        pair.data[length] = ':';
        memcpy(pair.data + length + 1, password->data, password->size);
        error = setpay_base64_encode(setpay_secret_view(&pair), &coded);
    }
    if (error == SETPAY_OK)
        error = setpay_secret_alloc(header, sizeof scheme - 1 + coded.size);
    if (error == SETPAY_OK) {
        memcpy(header->data, scheme, sizeof scheme - 1);
        memcpy(header->data + sizeof scheme - 1, coded.data, coded.size);
    }
    setpay_secret_clear(&pair);
    setpay_secret_clear(&coded);
    return error;
}

/* ------------------------------------------------------------------ what comes */

static bool copy_challenge(X509_ATTRIBUTE *attribute, char nonce[SETPAY_EST_NONCE_SIZE])
{
    const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(attribute, 0);
    int type = value == NULL ? V_ASN1_UNDEF : ASN1_TYPE_get(value);

    if (OBJ_obj2nid(X509_ATTRIBUTE_get0_object(attribute)) != NID_pkcs9_challengePassword ||
        X509_ATTRIBUTE_count(attribute) != 1 ||
        (type != V_ASN1_UTF8STRING && type != V_ASN1_PRINTABLESTRING))
        return false;
    const ASN1_STRING *text = value->value.asn1_string;
    int length = ASN1_STRING_length(text);
    if (length <= 0 || length >= SETPAY_EST_NONCE_SIZE)
        return false;
    for (int i = 0; i < length; i++) {
        unsigned char byte = ASN1_STRING_get0_data(text)[i];
        if (byte < 0x20 || byte > 0x7e)
            return false;
        nonce[i] = (char)byte;
    }
    nonce[length] = '\0';
    return true;
}

enum setpay_error setpay_est_read_nonce(struct setpay_view body, char nonce[SETPAY_EST_NONCE_SIZE])
{
    struct setpay_secret der = {0};
    enum setpay_error error = SETPAY_E_MALFORMED;
    STACK_OF(ASN1_TYPE) *list = NULL;

    if (setpay_base64_decode(body, SETPAY_LIMIT_HTTP_HEADER_BYTES, &der) != SETPAY_OK)
        return SETPAY_E_MALFORMED;
    const unsigned char *at = der.data;
    list = d2i_ASN1_SEQUENCE_ANY(NULL, &at, (long)der.size);
    for (int i = 0; i < sk_ASN1_TYPE_num(list) && error != SETPAY_OK; i++) {
        const ASN1_TYPE *item = sk_ASN1_TYPE_value(list, i);
        if (ASN1_TYPE_get(item) != V_ASN1_SEQUENCE)
            continue;
        at = ASN1_STRING_get0_data(item->value.sequence);
        X509_ATTRIBUTE *attribute =
            d2i_X509_ATTRIBUTE(NULL, &at, ASN1_STRING_length(item->value.sequence));
        if (attribute != NULL && copy_challenge(attribute, nonce))
            error = SETPAY_OK;
        X509_ATTRIBUTE_free(attribute);
    }
    sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
    setpay_secret_clear(&der);
    ERR_clear_error();
    return error;
}

static enum setpay_error copy_certificate(X509 *x509, struct setpay_buffer *out)
{
    unsigned char *der = NULL;
    int size = i2d_X509(x509, &der);

    setpay_buffer_init(out, SETPAY_LIMIT_CERTIFICATE_BYTES);
    if (size <= 0)
        return SETPAY_E_MALFORMED;
    enum setpay_error error = setpay_buffer_set(out, setpay_view_of(der, (size_t)size));
    OPENSSL_free(der);
    return error;
}

enum setpay_error setpay_est_read_certificates(struct setpay_view body,
                                               struct setpay_buffer *certificates, size_t room,
                                               size_t *count)
{
    struct setpay_secret der = {0};
    enum setpay_error error = SETPAY_E_MALFORMED;
    size_t copied = 0;

    if (setpay_base64_decode(body, ANSWER_DER_MAX, &der) != SETPAY_OK)
        return SETPAY_E_MALFORMED;
    const unsigned char *at = der.data;
    PKCS7 *bag = d2i_PKCS7(NULL, &at, (long)der.size);
    if (bag != NULL && PKCS7_type_is_signed(bag) && bag->d.sign != NULL) {
        const STACK_OF(X509) *list = bag->d.sign->cert;
        int found = list == NULL ? 0 : sk_X509_num(list);

        if (found > 0)
            error = (size_t)found > room ? SETPAY_E_TOO_BIG : SETPAY_OK;
        for (int i = 0; i < found && error == SETPAY_OK; i++)
            error = copy_certificate(sk_X509_value(list, i), &certificates[copied++]);
    }
    PKCS7_free(bag);
    setpay_secret_clear(&der);
    ERR_clear_error();
    if (error != SETPAY_OK) {
        while (copied > 0)
            setpay_buffer_clear(&certificates[--copied]);
    }
    *count = copied;
    return error;
}

void setpay_est_read_words(struct setpay_view body, char *words, size_t size)
{
    size_t length = 0;

    for (size_t i = 0; i < body.size && length + 1 < size && body.data[i] != '\n'; i++) {
        unsigned char byte = body.data[i];
        if (byte != '\r')
            words[length++] = (char)(byte >= 0x20 && byte <= 0x7e ? byte : '?');
    }
    words[length] = '\0';
}
