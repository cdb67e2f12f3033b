/*
 * Bytes and certificates of an exported receipt: strict base64, the one root, the CAs under it, and
 * leaves as they were at a date (rule A3).
 */
#include "cardholder/verify.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_ROUNDS 3 /* brand CA, issuing CA, and one to see that nothing more comes */

/* ------------------------------------------------------------------ bytes of the file */

static bool decode(const json_t *text, struct setpay_buffer *bytes)
{
    size_t size = json_string_length(text), padding = 0;
    const char *from = json_string_value(text);
    uint8_t *room = NULL;
    setpay_buffer_reset(bytes);
    if (size == 0 || size % 4 != 0 || size > SETPAY_WALLET_EXPORT_MAX || strlen(from) != size)
        return false;
    while (padding < 2 && from[size - 1 - padding] == '=')
        padding++;
    /* In one form only: EVP_DecodeBlock is not as strict. */
    uint8_t *made = malloc(size / 4 * 3 + 1);
    char *again = malloc(size + 1);
    bool decoded =
        made != NULL && again != NULL &&
        EVP_DecodeBlock(made, (const unsigned char *)from, (int)size) == (int)(size / 4 * 3);
    size_t count = size / 4 * 3 - padding;
    decoded = decoded && EVP_EncodeBlock((unsigned char *)again, made, (int)count) == (int)size &&
              memcmp(again, from, size) == 0 &&
              setpay_buffer_extend(bytes, count, &room) == SETPAY_OK;
    if (decoded)
        memcpy(room, made, count);
    free(made);
    free(again);
    return decoded;
}

enum setpay_error setpay_wallet_verify_bytes(struct setpay_wallet_verifying *v, const json_t *text,
                                             const char *what, struct setpay_buffer *bytes)
{
    if (!json_is_string(text))
        return setpay_wallet_verify_fail(v, SETPAY_E_EVIDENCE, what,
                                         "expected a text of base64, found %s",
                                         text == NULL ? "none" : "another kind of value");
    if (!decode(text, bytes))
        return setpay_wallet_verify_fail(v, SETPAY_E_EVIDENCE, what,
                                         "expected base64 of 1 to %zu bytes, and it is not that",
                                         bytes->max);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ certificates (rule A3) */

void setpay_wallet_verify_set_root(struct setpay_wallet_verifying *v,
                                   const struct setpay_certificate *root, bool given)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int size = 0;
    if (memory != NULL &&
        X509_NAME_print_ex(memory, X509_get_subject_name(setpay_certificate_x509(root)), 0,
                           XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        size = BIO_read(memory, v->verdict->root_name, sizeof v->verdict->root_name - 1);
    v->verdict->root_name[size > 0 ? size : 0] = '\0';
    BIO_free(memory);
    v->verdict->root = *setpay_certificate_thumbprint(root);
    v->verdict->root_was_given = given;
    v->verdict->root_known = true;
}

/* All of the file's certificates, DER, and the one root among them. */
struct shown {
    struct setpay_buffer ders[SETPAY_WALLET_EXPORT_CERTIFICATES];
    char names[SETPAY_WALLET_EXPORT_CERTIFICATES][24]; /* "certificates[3]" */
    size_t count;
    size_t root; /* its place; count: there is none */
};

static void shown_clear(struct shown *shown)
{
    for (size_t i = 0; i < SETPAY_WALLET_EXPORT_CERTIFICATES; i++)
        setpay_buffer_clear(&shown->ders[i]);
}

static enum setpay_error read_certificates(struct setpay_wallet_verifying *v, struct shown *shown)
{
    const json_t *list = json_object_get(v->file, "certificates");
    size_t count = json_array_size(list);
    if (count == 0 || count > SETPAY_WALLET_EXPORT_CERTIFICATES)
        return setpay_wallet_verify_fail(
            v, SETPAY_E_EVIDENCE, "certificates",
            "expected a list of 1 to %d CA certificates, found %zu; a file of an earlier version "
            "has none: export it anew, setpay-wallet receipt XID --export FILE",
            SETPAY_WALLET_EXPORT_CERTIFICATES, count);
    shown->root = count;
    for (size_t i = 0; i < count; i++) {
        struct setpay_certificate *certificate = NULL;
        (void)snprintf(shown->names[i], sizeof shown->names[i], "certificates[%zu]", i);
        setpay_buffer_init(&shown->ders[i], SETPAY_LIMIT_CERTIFICATE_BYTES);
        shown->count = i + 1;
        SETPAY_TRY(setpay_wallet_verify_bytes(v, json_array_get(list, i), shown->names[i],
                                              &shown->ders[i]));
        enum setpay_error error =
            setpay_certificate_parse(setpay_buffer_view(&shown->ders[i]), &certificate);
        if (error != SETPAY_OK)
            return setpay_wallet_verify_fail_plainly(v, error, shown->names[i]);
        bool is_root = setpay_certificate_ca_kind(certificate) == SETPAY_CA_ROOT;
        setpay_certificate_unref(certificate);
        if (is_root && shown->root != count)
            return setpay_wallet_verify_fail(v, SETPAY_E_CERT_CHAIN, shown->names[i],
                                             "there is a second root");
        if (is_root)
            shown->root = i;
    }
    return SETPAY_OK;
}

/* The root that all is checked under: the one given, which must be the file's. */
static enum setpay_error take_root(struct setpay_wallet_verifying *v, const struct shown *shown,
                                   struct setpay_view given)
{
    struct setpay_view contained = {0};
    if (shown->root < shown->count)
        contained = setpay_buffer_view(&shown->ders[shown->root]);
    if (contained.size == 0 && given.size == 0)
        return setpay_wallet_verify_fail(
            v, SETPAY_E_CERT_MISSING, "certificates",
            "there is no root in the file, and none was given: --root");
    if (contained.size > 0 && given.size > 0 &&
        (contained.size != given.size || memcmp(contained.data, given.data, given.size) != 0))
        return setpay_wallet_verify_fail(v, SETPAY_E_CERT_CHAIN, shown->names[shown->root],
                                         "the root in the file is another one than the root given");
    enum setpay_error error = setpay_trust_new(given.size > 0 ? given : contained, &v->trust);
    if (error != SETPAY_OK)
        return setpay_wallet_verify_fail_plainly(
            v, error, given.size > 0 ? "--root" : shown->names[shown->root]);
    setpay_wallet_verify_set_root(v, setpay_trust_root(v->trust), given.size > 0);
    return SETPAY_OK;
}

/* The others lead to it, each and every one, in whatever order they stand. */
static enum setpay_error take_cas(struct setpay_wallet_verifying *v, const struct shown *shown)
{
    enum setpay_error error = SETPAY_OK;
    size_t failed = 0;
    for (int round = 0; round < CHAIN_ROUNDS; round++) {
        error = SETPAY_OK;
        for (size_t i = 0; i < shown->count; i++) {
            enum setpay_error one =
                i == shown->root
                    ? SETPAY_OK
                    : setpay_trust_add_ca(v->trust, setpay_buffer_view(&shown->ders[i]));
            if (one != SETPAY_OK && error == SETPAY_OK) {
                error = one;
                failed = i;
            }
        }
    }
    return error == SETPAY_OK ? SETPAY_OK
                              : setpay_wallet_verify_fail_plainly(v, error, shown->names[failed]);
}

enum setpay_error setpay_wallet_verify_certificates(struct setpay_wallet_verifying *v,
                                                    struct setpay_view root_der)
{
    struct shown *shown = calloc(1, sizeof *shown);
    if (shown == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = read_certificates(v, shown);
    if (error == SETPAY_OK)
        error = take_root(v, shown, root_der);
    if (error == SETPAY_OK)
        error = take_cas(v, shown);
    shown_clear(shown);
    free(shown);
    return error;
}

enum setpay_error setpay_wallet_verify_leaf(struct setpay_wallet_verifying *v,
                                            struct setpay_view der, enum setpay_profile profile,
                                            const char *brand, setpay_time_ms date_ms,
                                            const char *what,
                                            struct setpay_certificate **certificate)
{
    char date[SETPAY_TIME_TEXT_SIZE];
    enum setpay_error error = der.size == 0
                                  ? SETPAY_E_CERT_MISSING
                                  : setpay_trust_verify_unlisted(v->trust, der, NULL, 0, profile,
                                                                 brand, date_ms, certificate);
    if (error != SETPAY_OK)
        return setpay_wallet_verify_fail(v, error, what, "its signer's certificate, at %s: %s",
                                         setpay_time_format(date_ms, date),
                                         setpay_error_text(error));
    return SETPAY_OK;
}
